/* SPDX-License-Identifier: MIT */
/*
 * trace/record.c - page traffic of this machine, through tracefs
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "instance.h"
#include "record.h"
#include "tep_events.h"
#include <kbuffer.h>
#include <tracefs.h>

#define DEFAULT_BUFFER_KB 16384u

/* One CPU's events: from the kernel's buffer to a nameless file, and from there in order. */
struct cpu_spool {
	struct tracefs_cpu *reader;
	int fd;
	int number;
	/* While merging. */
	char *map;
	size_t size, at; /* at: of the next sub-buffer */
	struct kbuffer *kbuf;
	void *event; /* the next one; NULL: no more */
	unsigned long long ts;
	uint64_t missed; /* events lost in front of it */
};

struct recorder {
	struct instance owned;
	struct tracefs_instance *instance; /* its tracefs side */
	struct tep_handle *tep;
	struct tep_events events;
	struct cpu_spool *cpus;
	int nr_cpus;
	int subbuf_size;
	bool on;
};

static int fails(char why[256], int error, const char *what, const char *advice)
{
	snprintf(why, 256, "%s: %s%s%s", what, strerror(-error), advice ? "; " : "",
		 advice ? advice : "");
	return error;
}

/* Opening ---------------------------------------------------------------------------------- */

static int find_tracefs(char why[256])
{
	const char *path = NULL;

	if (tracefs_tracing_dir_is_mounted(true, &path) >= 0 && path)
		return 0;
	if (geteuid() != 0)
		return fails(
			why, -EACCES, "tracefs is not mounted and cannot be by this user",
			"run as root, or have an administrator mount it: mount -t tracefs nodev "
			"/sys/kernel/tracing");
	return fails(why, -ENOENT, "tracefs cannot be mounted",
		     "the kernel must have been built with CONFIG_FTRACE and CONFIG_EVENT_TRACING");
}

static int open_instance(struct recorder *r, char why[256])
{
	int error = instance_open(&r->owned);

	if (error)
		return fails(why, error, "a trace instance cannot be made",
			     "run as root, or give this user write access to tracefs");
	r->instance = r->owned.of;
	return 0;
}

static int enable_events(struct recorder *r, unsigned buffer_kb, char why[256])
{
	for (unsigned kind = 0; kind < TRACE_LOST; kind++) {
		/* drains and the like are welcome, but only these two are indispensable */
		if (tracefs_event_enable(r->instance, "kmem", trace_kind_name(kind)) < 0 &&
		    (kind == TRACE_ALLOC || kind == TRACE_FREE))
			return fails(why, -ENOENT, "the kernel has no kmem events",
				     "it must have been built with CONFIG_EVENT_TRACING");
	}
	if (tracefs_instance_file_write(r->instance, "trace_clock", "mono") < 0)
		return fails(why, -EINVAL, "the clock of the trace cannot be set", NULL);
	if (tracefs_instance_set_buffer_size(r->instance, buffer_kb, -1) < 0)
		return fails(why, -ENOMEM, "the kernel has no room for trace buffers",
			     "say --buffer with a smaller size");
	return 0;
}

static int open_spool(struct recorder *r, struct cpu_spool *cpu, int number, const char *dir,
		      char why[256])
{
	char path[512];

	cpu->number = number;
	cpu->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (cpu->fd < 0) {
		snprintf(path, sizeof(path), "%s/quire.XXXXXX", dir);
		cpu->fd = mkstemp(path);
		if (cpu->fd < 0)
			return fails(why, -errno, dir, "set TMPDIR to a directory with room");
		unlink(path);
	}
	cpu->reader = tracefs_cpu_open(r->instance, number, true);
	if (!cpu->reader)
		return fails(why, errno ? -errno : -EIO, "a CPU's trace buffer cannot be opened",
			     NULL);
	r->subbuf_size = tracefs_cpu_read_size(cpu->reader);
	return 0;
}

/*
 * libtracefs leaves its files open to whoever is started, and while a recorded command or one of
 * its children has them the instance cannot be removed.
 */
static void keep_from_commands(void)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (fds && (entry = readdir(fds)) != NULL) {
		char path[512];
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, path, sizeof(path) - 1);

		path[n > 0 ? n : 0] = '\0';
		if (strstr(path, "/trace_pipe_raw"))
			fcntl(atoi(entry->d_name), F_SETFD, FD_CLOEXEC);
	}
	if (fds)
		closedir(fds);
}

static int open_cpus(struct recorder *r, const char *dir, char why[256])
{
	int error = 0;

	if (!dir)
		dir = getenv("TMPDIR");
	if (!dir)
		dir = "/tmp";
	r->nr_cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	r->cpus = calloc((size_t)r->nr_cpus, sizeof(*r->cpus));
	if (!r->cpus)
		return fails(why, -ENOMEM, "no memory for the recorder", NULL);
	for (int i = 0; i < r->nr_cpus; i++)
		r->cpus[i].fd = -1;
	for (int i = 0; !error && i < r->nr_cpus; i++)
		error = open_spool(r, &r->cpus[i], i, dir, why);
	keep_from_commands();
	return error;
}

int recorder_open(struct recorder **recorder, const struct record_options *options, char why[256])
{
	static const char *const systems[] = {"kmem", NULL};
	struct recorder *r = calloc(1, sizeof(*r));
	unsigned kb = options->buffer_kb ? options->buffer_kb : DEFAULT_BUFFER_KB;
	int error;

	if (!r)
		return fails(why, -ENOMEM, "no memory for the recorder", NULL);
	error = find_tracefs(why);
	if (!error)
		error = open_instance(r, why);
	if (!error)
		error = enable_events(r, kb, why);
	if (!error)
		error = open_cpus(r, options->spool_dir, why);
	if (!error) {
		r->tep = tracefs_local_events_system(NULL, systems);
		if (!r->tep || !tep_events_find(&r->events, r->tep))
			error = fails(why, -ENOENT, "the kernel's kmem events cannot be described",
				      NULL);
	}
	if (error) {
		recorder_close(r);
		return error;
	}
	*recorder = r;
	return 0;
}

void recorder_close(struct recorder *r)
{
	for (int i = 0; r->cpus && i < r->nr_cpus; i++) {
		struct cpu_spool *cpu = &r->cpus[i];

		if (cpu->reader)
			tracefs_cpu_close(cpu->reader);
		if (cpu->map)
			munmap(cpu->map, cpu->size);
		if (cpu->kbuf)
			kbuffer_free(cpu->kbuf);
		if (cpu->fd >= 0)
			close(cpu->fd);
	}
	free(r->cpus);
	if (r->tep)
		tep_free(r->tep);
	instance_close(&r->owned);
	free(r);
}

/* Running ---------------------------------------------------------------------------------- */

int recorder_start(struct recorder *r, char why[256])
{
	if (tracefs_trace_on(r->instance) < 0)
		return fails(why, errno ? -errno : -EIO, "tracing cannot be switched on", NULL);
	r->on = true;
	return 0;
}

int recorder_poll(struct recorder *r, uint64_t *bytes, char why[256])
{
	for (int i = 0; i < r->nr_cpus; i++) {
		int n;

		while ((n = tracefs_cpu_write(r->cpus[i].reader, r->cpus[i].fd, true)) > 0)
			*bytes += (uint64_t)n;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fails(why, -errno, "recorded events cannot be kept",
				     errno == ENOSPC ? "set TMPDIR to a directory with room"
						     : NULL);
	}
	return 0;
}

int recorder_stop(struct recorder *r, char why[256])
{
	if (r->on && tracefs_trace_off(r->instance) < 0)
		return fails(why, errno ? -errno : -EIO, "tracing cannot be switched off", NULL);
	r->on = false;
	for (int i = 0; i < r->nr_cpus; i++) {
		if (tracefs_cpu_flush_write(r->cpus[i].reader, r->cpus[i].fd) < 0 &&
		    errno != EAGAIN)
			return fails(why, -errno, "the last events cannot be kept",
				     errno == ENOSPC ? "set TMPDIR to a directory with room"
						     : NULL);
	}
	return 0;
}

uint64_t recorder_lost(struct recorder *r)
{
	uint64_t lost = 0;

	for (int i = 0; i < r->nr_cpus; i++) {
		char name[64], *text, *at;

		snprintf(name, sizeof(name), "per_cpu/cpu%d/stats", i);
		text = tracefs_instance_file_read(r->instance, name, NULL);
		at = text ? strstr(text, "\noverrun:") : NULL;
		if (at)
			lost += strtoull(at + 9, NULL, 10);
		free(text);
	}
	return lost;
}

/* Merging ---------------------------------------------------------------------------------- */

/* Load sub-buffers until one has an event; none left: event is NULL. */
static void next_subbuffer(struct recorder *r, struct cpu_spool *cpu)
{
	cpu->event = NULL;
	while (!cpu->event && cpu->at + (size_t)r->subbuf_size <= cpu->size) {
		int missed;

		kbuffer_load_subbuffer(cpu->kbuf, cpu->map + cpu->at);
		cpu->at += (size_t)r->subbuf_size;
		missed = kbuffer_missed_events(cpu->kbuf);
		if (missed)
			cpu->missed += missed > 0 ? (uint64_t)missed : 1;
		cpu->event = kbuffer_read_event(cpu->kbuf, &cpu->ts);
	}
}

static void next_event(struct recorder *r, struct cpu_spool *cpu)
{
	cpu->event = kbuffer_next_event(cpu->kbuf, &cpu->ts);
	if (!cpu->event)
		next_subbuffer(r, cpu);
}

static int map_spool(struct recorder *r, struct cpu_spool *cpu, char why[256])
{
	const uint16_t probe = 1;
	struct stat st;
	void *map;

	if (fstat(cpu->fd, &st) < 0)
		return fails(why, -errno, "recorded events cannot be read back", NULL);
	cpu->size = (size_t)st.st_size;
	cpu->kbuf = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
				  *(const uint8_t *)&probe ? KBUFFER_ENDIAN_LITTLE
							   : KBUFFER_ENDIAN_BIG);
	if (!cpu->kbuf)
		return fails(why, -ENOMEM, "no memory to read events back", NULL);
	if (!cpu->size)
		return 0;
	map = mmap(NULL, cpu->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, cpu->fd, 0);
	if (map == MAP_FAILED)
		return fails(why, -errno, "recorded events cannot be read back", NULL);
	cpu->map = map;
	next_subbuffer(r, cpu);
	return 0;
}

static struct cpu_spool *earliest(struct recorder *r)
{
	struct cpu_spool *first = NULL;

	for (int i = 0; i < r->nr_cpus; i++) {
		struct cpu_spool *cpu = &r->cpus[i];

		if (cpu->event && (!first || cpu->ts < first->ts))
			first = cpu;
	}
	return first;
}

static int put_lost(struct cpu_spool *cpu, struct qtrace_writer *w, struct import_stats *stats)
{
	struct trace_event e = {.kind = TRACE_LOST,
				.pfn = QR_PFN_NONE,
				.time_ns = cpu->ts,
				.cpu = (uint16_t)cpu->number,
				.lost = cpu->missed};

	stats->nr_lost += cpu->missed;
	cpu->missed = 0;
	return qtrace_put_event(w, &e);
}

static int merge_event(struct recorder *r, struct cpu_spool *cpu, struct qtrace_writer *w,
		       struct import_stats *stats)
{
	struct trace_event e = {.time_ns = cpu->ts, .cpu = (uint16_t)cpu->number};
	const char *comm;
	int pid, error = 0;

	stats->nr_lines++;
	if (cpu->missed)
		error = put_lost(cpu, w, stats);
	if (error)
		return error;
	if (!tep_events_decode(&r->events, cpu->event, kbuffer_event_size(cpu->kbuf), stats, &e,
			       &pid, &comm)) {
		stats->nr_skipped++;
		return 0;
	}
	e.task = qtrace_task(w, pid, comm, strlen(comm));
	return qtrace_put_event(w, &e);
}

int recorder_merge(struct recorder *r, struct qtrace_writer *w, struct import_stats *stats,
		   import_progress *progress, void *progress_arg, char why[256])
{
	struct cpu_spool *cpu;
	int error = 0;

	tracefs_load_cmdlines(NULL, r->tep);
	for (int i = 0; !error && i < r->nr_cpus; i++)
		error = map_spool(r, &r->cpus[i], why);
	while (!error && (cpu = earliest(r))) {
		error = merge_event(r, cpu, w, stats);
		if (error)
			snprintf(why, 256, "%s", qtrace_writer_why(w));
		next_event(r, cpu);
		if (progress && stats->nr_lines % 65536 == 0)
			progress(progress_arg, stats);
	}
	return error;
}
