/* SPDX-License-Identifier: MIT */
/*
 * trace/record.h - page traffic of this machine, through tracefs
 *
 * The recorder has a trace instance of its own, so it disturbs no other. While it runs, filled
 * buffers are spliced into a nameless file for each CPU, which costs almost nothing; only
 * afterwards are they decoded, merged by time and written as a .qtrace.
 *
 *	open  ->  start  ->  poll, poll, ...  ->  stop  ->  merge  ->  close
 */
#ifndef QUIRE_TRACE_RECORD_H
#define QUIRE_TRACE_RECORD_H

#include "import.h"

struct recorder;

struct record_options {
	unsigned buffer_kb; /* of the kernel's buffer, for each CPU; 0: 16 MiB */
	const char *spool_dir; /* where the nameless files go; NULL: TMPDIR or /tmp */
};

/* Mounts tracefs where it is not.  -EACCES, -ENOENT...: *why says what to do. */
int recorder_open(struct recorder **recorder, const struct record_options *options, char why[256]);
int recorder_start(struct recorder *r, char why[256]);
/* Take what is there; *bytes grows by it.  Call it about ten times a second. */
int recorder_poll(struct recorder *r, uint64_t *bytes, char why[256]);
int recorder_stop(struct recorder *r, char why[256]);
/* How many events the kernel had to drop so far. */
uint64_t recorder_lost(struct recorder *r);
int recorder_merge(struct recorder *r, struct qtrace_writer *w, struct import_stats *stats,
		   import_progress *progress, void *progress_arg, char why[256]);
void recorder_close(struct recorder *r);

/*
 * Save the machine's state under @when: its /proc files, all of kpageflags; with QTRACE_META: what
 * does not change (sysctls, uname, CPUs).  What cannot be read is left out and counted in *missing,
 * the first one named.
 */
int record_state(struct qtrace_writer *w, enum qtrace_when when, unsigned *missing,
		 char first_missing[96]);

/* The same from a directory of saved files ("buddyinfo.before", "kpageflags.after.zst", ...). */
int import_state(struct qtrace_writer *w, const char *dir, unsigned *found, char why[256]);

#endif /* QUIRE_TRACE_RECORD_H */
