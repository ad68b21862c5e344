/* SPDX-License-Identifier: MIT */
/*
 * trace/qtrace.h - .qtrace files: a machine's page traffic with its state before and after
 *
 * The format is documented in docs/qtrace.md.  In short: a file is a magic number and a row of
 * chunks, each with a checksummed header and a zstd frame that bears a checksum of its own.  Chunks
 * hold texts about the recording ("meta"), the machine's saved files ("before/buddyinfo",
 * "after/kpageflags", ...), the table of tasks, blocks of events in columns, and at the end the
 * totals.  A file without that last chunk was cut off.
 *
 * A writer writes to a temporary name beside the file and renames it at the end, so that nothing
 * half-written ever stands under the final name.
 *
 * All functions that can fail return 0 or a negative errno and leave a sentence in .why that says
 * what was wrong and where.
 */
#ifndef QUIRE_TRACE_QTRACE_H
#define QUIRE_TRACE_QTRACE_H

#include "event.h"
#include <stdio.h>

#define QTRACE_VERSION_MAJOR 1 /* a reader refuses others */
#define QTRACE_VERSION_MINOR 0 /* grows when chunks are added that a reader may skip */
#define QTRACE_BLOCK_EVENTS 65536u /* at most, in one block */

enum qtrace_when { QTRACE_META, QTRACE_BEFORE, QTRACE_AFTER, QTRACE_NR_WHEN };

/* A named text or binary that a trace carries. */
struct qtrace_file {
	enum qtrace_when when;
	char name[48];
	size_t size;
	char *data; /* NULL until qtrace_file() was asked for it; a 0 follows that does not count */
};

struct qtrace_task {
	int32_t pid;
	char comm[20];
};

struct qtrace_totals {
	uint64_t nr_events; /* without LOST */
	uint64_t nr_kind[TRACE_NR_KINDS];
	uint64_t nr_lost; /* the sum of all LOST events */
	uint64_t first_ns, last_ns;
	uint64_t nr_backward; /* events whose time lies before that of the event before */
	uint64_t nr_blocks;
	uint64_t bytes; /* of the whole file */
	uint64_t event_bytes; /* of the chunks with events, as stored */
};

/* Writing ---------------------------------------------------------------------------------- */

struct qtrace_writer;

struct qtrace_options {
	int level; /* of zstd, 1..19; 0: a good default */
	bool overwrite; /* an existing file of that name may be replaced */
};

int qtrace_create(const char *path, const struct qtrace_options *options,
		  struct qtrace_writer **writer, char why[256]);
int qtrace_put_file(struct qtrace_writer *w, enum qtrace_when when, const char *name,
		    const void *data, size_t size);
int qtrace_put_text(struct qtrace_writer *w, const char *name, const char *text);
/* The number of a task, new or known, for trace_event.task. */
uint32_t qtrace_task(struct qtrace_writer *w, int32_t pid, const char *comm, size_t comm_len);
int qtrace_put_event(struct qtrace_writer *w, const struct trace_event *event);
const struct qtrace_totals *qtrace_writer_totals(const struct qtrace_writer *w);
const char *qtrace_writer_why(const struct qtrace_writer *w);
/* Write what is left and the last chunk, and give the file its name.  The writer is gone then. */
int qtrace_finish(struct qtrace_writer *w, struct qtrace_totals *totals, char why[256]);
/* Give up: nothing is left behind. */
void qtrace_abort(struct qtrace_writer *w);

/* Reading ---------------------------------------------------------------------------------- */

/* What a file is made of, for those who want to see: chunks of each kind. */
struct qtrace_chunks {
	uint64_t nr_files, nr_events, nr_tasks, nr_end, nr_unknown; /* of a later version */
	uint64_t raw_bytes, stored_bytes; /* unpacked, and as they lie in the file */
};

struct qtrace {
	/* Valid after qtrace_open(). */
	struct qtrace_file *files;
	unsigned nr_files;
	struct qtrace_task *tasks;
	unsigned nr_tasks;
	struct qtrace_totals totals; /* as far as the file goes */
	bool truncated; /* the end is missing; what came before is good */
	unsigned version_minor;
	char why[256]; /* what failed; or what is wrong with a truncated file */

	struct qtrace_input *input; /* private */
};

/*
 * Reads the tables and finds the rest; what a chunk contains is checked when it is read.  A file
 * whose end is missing is opened, with .truncated set; anything else that is wrong is an error.
 */
int qtrace_open(const char *path, struct qtrace *trace);
void qtrace_close(struct qtrace *trace);
/*
 * A file with its data, which stays until it is dropped or the trace closed.  NULL: the trace does
 * not carry it, or (then .why is not empty) it cannot be read.
 */
const struct qtrace_file *qtrace_file(struct qtrace *trace, enum qtrace_when when,
				      const char *name);
void qtrace_file_drop(struct qtrace *trace, const struct qtrace_file *file);
/* The next block of events; returns how many, 0 at the end, or a negative errno. */
int qtrace_next_block(struct qtrace *trace, const struct trace_event **events);
struct qtrace_chunks qtrace_chunks(const struct qtrace *trace);
/* Begin again. */
void qtrace_rewind(struct qtrace *trace);

#endif /* QUIRE_TRACE_QTRACE_H */
