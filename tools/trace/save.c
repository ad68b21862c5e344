/* SPDX-License-Identifier: MIT */
/*
 * trace/save.c - a machine's state, from /proc or from files that were saved elsewhere
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "input.h"
#include "record.h"

struct blob {
	char *data;
	size_t size, room;
};

static const char *const state_files[] = {"buddyinfo", "pagetypeinfo", "zoneinfo",   "vmstat",
					  "meminfo",   "iomem",        "kpageflags", NULL};

static const char *const sysctl_names[] = {"compact_unevictable_allowed",
					   "compaction_proactiveness",
					   "extfrag_threshold",
					   "lowmem_reserve_ratio",
					   "min_free_kbytes",
					   "min_slab_ratio",
					   "min_unmapped_ratio",
					   "percpu_pagelist_high_fraction",
					   "stat_interval",
					   "watermark_boost_factor",
					   "watermark_scale_factor",
					   "zone_reclaim_mode",
					   NULL};

static bool blob_room(struct blob *b, size_t more)
{
	size_t room = b->room ? b->room : 1u << 16;
	char *data;

	while (room < b->size + more + 1)
		room *= 2;
	if (room == b->room)
		return true;
	data = realloc(b->data, room);
	if (!data)
		return false;
	b->data = data;
	b->room = room;
	return true;
}

/* The whole of a file, however long /proc makes it; 0 or a negative errno. */
static int read_whole(const char *path, struct blob *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	b->size = 0;
	if (fd < 0)
		return -errno;
	/* kpageflags wants multiples of 8, which a power of 2 from an even place is */
	while (blob_room(b, 1u << 20) && (n = read(fd, b->data + b->size, 1u << 20)) > 0)
		b->size += (size_t)n;
	n = n < 0 ? -errno : 0;
	close(fd);
	if (b->data)
		b->data[b->size] = 0;
	return (int)n;
}

static void note_missing(const char *path, unsigned *missing, char first[96])
{
	if (!(*missing)++)
		snprintf(first, 96, "%s: %s", path, strerror(errno));
}

static int save_sysctls(struct qtrace_writer *w)
{
	struct blob b = {0};
	char text[4096];
	size_t used = 0;
	int error;

	for (unsigned i = 0; sysctl_names[i]; i++) {
		char path[96];

		snprintf(path, sizeof(path), "/proc/sys/vm/%s", sysctl_names[i]);
		if (read_whole(path, &b) < 0 || !b.data || used + b.size + 64 > sizeof(text))
			continue;
		b.data[strcspn(b.data, "\n")] = 0;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "vm.%s = %s\n",
					 sysctl_names[i], b.data);
	}
	error = qtrace_put_file(w, QTRACE_META, "sysctl", text, used);
	free(b.data);
	return error;
}

static int save_meta(struct qtrace_writer *w)
{
	struct utsname names;
	char text[64];
	int error = save_sysctls(w);

	if (!error && uname(&names) == 0)
		error = qtrace_put_text(w, "uname", names.release);
	snprintf(text, sizeof(text), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	if (!error)
		error = qtrace_put_text(w, "nproc", text);
	return error;
}

int record_state(struct qtrace_writer *w, enum qtrace_when when, unsigned *missing,
		 char first_missing[96])
{
	struct blob b = {0};
	int error = 0;

	if (when == QTRACE_META)
		return save_meta(w);
	for (unsigned i = 0; !error && state_files[i]; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%s", state_files[i]);
		if (read_whole(path, &b) < 0)
			note_missing(path, missing, first_missing);
		else
			error = qtrace_put_file(w, when, state_files[i], b.data, b.size);
	}
	free(b.data);
	return error;
}

/* Saved files ------------------------------------------------------------------------------ */

/* dir/name.suffix, or the same packed; 1: found, 0: not there. */
static int load_saved(const char *dir, const char *name, const char *suffix, char **data,
		      size_t *size, char why[256])
{
	static const char *const packed[] = {"", ".zst", ".gz"};
	char path[1024];

	for (unsigned i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		int error;

		snprintf(path, sizeof(path), "%s/%s%s%s%s", dir, name, *suffix ? "." : "", suffix,
			 packed[i]);
		error = input_whole(path, data, size);
		if (!error)
			return 1;
		if (error == -ENOENT)
			continue;
		snprintf(why, 256, "%.200s: %s", path,
			 error == -EBADMSG ? "what is packed in it is cut off or damaged"
					   : strerror(-error));
		return error;
	}
	return 0;
}

static int import_saved(struct qtrace_writer *w, const char *dir, const char *name,
			enum qtrace_when when, const char *suffix, unsigned *found, char why[256])
{
	char *data = NULL;
	size_t size;
	int error = load_saved(dir, name, suffix, &data, &size, why);

	if (error > 0) {
		(*found)++;
		error = qtrace_put_file(w, when, name, data, size);
		if (error)
			snprintf(why, 256, "%s", qtrace_writer_why(w));
	}
	free(data);
	return error;
}

int import_state(struct qtrace_writer *w, const char *dir, unsigned *found, char why[256])
{
	static const char *const meta[] = {"sysctl", "uname", "nproc", NULL};
	int error = 0;

	*found = 0;
	if (access(dir, R_OK | X_OK) < 0) {
		snprintf(why, 256, "%.200s: %s", dir, strerror(errno));
		return -errno;
	}
	for (unsigned i = 0; !error && meta[i]; i++)
		error = import_saved(w, dir, meta[i], QTRACE_META, "", found, why);
	for (unsigned i = 0; !error && state_files[i]; i++) {
		error = import_saved(w, dir, state_files[i], QTRACE_BEFORE, "before", found, why);
		if (!error)
			error = import_saved(w, dir, state_files[i], QTRACE_AFTER, "after", found,
					     why);
	}
	return error;
}
