/* SPDX-License-Identifier: MIT */
/*
 * trace/import_dat.c - trace.dat files of trace-cmd
 *
 * libtracecmd reads the file and merges its CPUs and buffers by time; the events are decoded by the
 * descriptions that the file carries.  The library trusts these files, and a damaged one may be the
 * end of it: so a child process does the reading, and sends what it reads through a pipe.  If it
 * dies, what is lost is an import, and the user is told why.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tep_events.h"
#include <trace-cmd.h>

enum { MAX_BUFFERS = 64 };

/* What goes through the pipe: events, each with its task, and in the end how it went. */
struct message {
	bool last;
	union {
		struct {
			struct trace_event event;
			int32_t pid;
			char comm[20];
		} one;
		struct {
			int error;
			char why[160]; /* without the name of the file */
			struct import_stats stats;
		} end;
	};
};

/* The child -------------------------------------------------------------------------------- */

struct reader {
	struct tracecmd_input *handles[MAX_BUFFERS];
	struct tep_events events[MAX_BUFFERS];
	int nr;
	struct import_stats stats;
	FILE *pipe;
};

static int send_event(struct reader *r, const struct trace_event *event, int pid, const char *comm)
{
	struct message m = {.one = {.event = *event, .pid = pid}};

	snprintf(m.one.comm, sizeof(m.one.comm), "%s", comm);
	return fwrite(&m, sizeof(m), 1, r->pipe) == 1 ? 0 : -EPIPE;
}

static int send_lost(struct reader *r, const struct tep_record *record)
{
	struct trace_event e = {
		.kind = TRACE_LOST,
		.pfn = QR_PFN_NONE,
		.time_ns = record->ts,
		.cpu = (uint16_t)record->cpu,
		/* -1: some were lost, nobody counted them */
		.lost = record->missed_events > 0 ? (uint64_t)record->missed_events : 1,
	};

	r->stats.nr_lost += e.lost;
	return send_event(r, &e, 0, "");
}

static const struct tep_events *events_of(const struct reader *r, struct tracecmd_input *handle)
{
	for (int i = 0; i < r->nr; i++) {
		if (r->handles[i] == handle)
			return &r->events[i];
	}
	return &r->events[0];
}

static int on_record(struct tracecmd_input *handle, struct tep_record *record, int cpu, void *arg)
{
	struct reader *r = arg;
	struct trace_event e = {.time_ns = record->ts, .cpu = (uint16_t)record->cpu};
	const char *comm;
	int pid;

	(void)cpu;
	r->stats.nr_lines++;
	if (record->missed_events && send_lost(r, record) < 0)
		return -EPIPE;
	if (tep_events_decode(events_of(r, handle), record->data, record->size, &r->stats, &e, &pid,
			      &comm))
		return send_event(r, &e, pid, comm);
	r->stats.nr_skipped++;
	return 0;
}

/* The top buffer, and those of trace-cmd record -B. */
static bool find_buffers(struct reader *r, struct tracecmd_input *top)
{
	int nr = tracecmd_buffer_instances(top);

	r->handles[r->nr++] = top;
	for (int i = 0; i < nr && r->nr < MAX_BUFFERS; i++) {
		r->handles[r->nr] = tracecmd_buffer_instance_handle(top, i);
		if (r->handles[r->nr])
			r->nr++;
	}
	for (int i = 0; i < r->nr; i++) {
		if (!tep_events_find(&r->events[i], tracecmd_get_tep(r->handles[i])))
			return false;
	}
	return true;
}

static const char *read_file(struct reader *r, const char *path)
{
	struct tracecmd_input *top;

	tracecmd_set_loglevel(TEP_LOG_NONE);
	top = tracecmd_open(path, 0);
	if (!top)
		return "trace-cmd's library cannot read it; is it a whole trace.dat?";
	if (!find_buffers(r, top))
		return "holds no kmem:mm_page_alloc and kmem:mm_page_free events; record with "
		       "trace-cmd record -e kmem";
	if (tracecmd_iterate_events_multi(r->handles, r->nr, on_record, r) < 0)
		return "is damaged: its events cannot be read";
	return NULL;
}

/* Never returns.  What the library says on its way is not for the user. */
static void reader_run(const char *path, int fd)
{
	const struct rlimit no_core = {0, 0};
	struct reader *r = calloc(1, sizeof(*r));
	struct message m = {.last = true};
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const char *why;

	setrlimit(RLIMIT_CORE, &no_core);
	if (quiet >= 0)
		dup2(quiet, STDERR_FILENO);
	if (r)
		r->pipe = fdopen(fd, "w");
	if (!r || !r->pipe)
		_exit(1);
	why = read_file(r, path);
	m.end.error = why ? -EINVAL : 0;
	snprintf(m.end.why, sizeof(m.end.why), "%s", why ? why : "");
	m.end.stats = r->stats;
	if (fwrite(&m, sizeof(m), 1, r->pipe) != 1 || fflush(r->pipe) != 0)
		_exit(1);
	_exit(0);
}

/* The parent ------------------------------------------------------------------------------- */

struct taker {
	FILE *pipe;
	const char *name;
	struct qtrace_writer *w;
	struct import_stats *stats;
	import_progress *progress;
	void *progress_arg;
};

static int take_event(struct taker *t, struct message *m)
{
	struct trace_event *e = &m->one.event;
	int error;

	if (e->kind != TRACE_LOST)
		e->task = qtrace_task(t->w, m->one.pid, m->one.comm, strlen(m->one.comm));
	error = qtrace_put_event(t->w, e);
	t->stats->nr_lines++;
	if (t->progress && t->stats->nr_lines % 65536 == 0)
		t->progress(t->progress_arg, t->stats);
	return error;
}

static int take_all(struct taker *t, char why[256])
{
	struct message m;

	while (fread(&m, sizeof(m), 1, t->pipe) == 1) {
		int error;

		if (m.last) {
			*t->stats = m.end.stats;
			if (m.end.error)
				snprintf(why, 256, "%.90s: %s", t->name, m.end.why);
			return m.end.error;
		}
		error = take_event(t, &m);
		if (error) {
			snprintf(why, 256, "%s", qtrace_writer_why(t->w));
			return error;
		}
	}
	snprintf(why, 256, "%.120s: is damaged: trace-cmd's library could not finish reading it",
		 t->name);
	return -EINVAL;
}

int import_trace_dat(const char *path, const char *name, struct qtrace_writer *w,
		     struct import_stats *stats, import_progress *progress, void *progress_arg,
		     char why[256])
{
	struct taker t = {.name = name,
			  .w = w,
			  .stats = stats,
			  .progress = progress,
			  .progress_arg = progress_arg};
	int ends[2], error = -ENOMEM;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		snprintf(why, 256, "no pipe to read the trace.dat through: %s", strerror(errno));
		return -ENOMEM;
	}
	pid = fork();
	if (!pid)
		reader_run(path, ends[1]);
	close(ends[1]);
	t.pipe = pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (t.pipe)
		error = take_all(&t, why);
	else
		snprintf(why, 256, "no process to read the trace.dat: %s", strerror(errno));
	if (t.pipe)
		fclose(t.pipe);
	else
		close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return error;
}
