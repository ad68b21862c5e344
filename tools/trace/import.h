/* SPDX-License-Identifier: MIT */
/*
 * trace/import.h - other recorders' files become .qtrace
 */
#ifndef QUIRE_TRACE_IMPORT_H
#define QUIRE_TRACE_IMPORT_H

#include "qtrace.h"

/* What an import met, for its report. */
struct import_stats {
	uint64_t nr_lines; /* or records */
	uint64_t nr_skipped; /* comments, blank lines, events of other kinds */
	uint64_t nr_unread; /* lines that nobody understood: the first is quoted */
	uint64_t nr_lost; /* events that the recorder said it had lost */
	uint64_t nr_unknown_gfp; /* flags of a newer kernel, ignored: the first is quoted */
	uint64_t first_unread_line;
	char first_unread[160];
	char first_unknown_gfp[64];
};

/* Called now and then with how far it is. */
typedef void import_progress(void *arg, const struct import_stats *stats);

/*
 * The text of `perf script` or of ftrace's trace file, as long as each line has [CPU], a time, the
 * event's name and its fields by name.  What is read comes from read(): bytes, 0 at the end, or a
 * negative errno.
 */
struct import_source {
	long (*read)(void *arg, void *buf, size_t size);
	void *arg;
	const char *name; /* for messages */
};

int import_text(struct import_source *source, struct qtrace_writer *w, struct import_stats *stats,
		import_progress *progress, void *progress_arg, char why[256]);

/*
 * A trace.dat of trace-cmd, with the events of all its buffers.  It is read by a process of its
 * own: libtracecmd does not survive every damaged file.  The name is for messages.
 */
int import_trace_dat(const char *path, const char *name, struct qtrace_writer *w,
		     struct import_stats *stats, import_progress *progress, void *progress_arg,
		     char why[256]);

/*
 * gfp as the kernel prints it, in Quire's bits.  What Quire does not know is left out, counted and
 * quoted.
 */
qr_gfp_t import_gfp(const char *text, size_t length, struct import_stats *stats);

/*
 * Kernel mask to Quire's bits, for recorders that store numbers.  The layout is found from the
 * event's format text (its list of names and values); falls back to 6.12's.
 */
struct import_gfp_map {
	unsigned nr;
	struct {
		uint64_t kernel;
		qr_gfp_t quire;
	} entry[40];
};
void import_gfp_map_parse(struct import_gfp_map *map, const char *print_format);
qr_gfp_t import_gfp_bits(const struct import_gfp_map *map, uint64_t kernel,
			 struct import_stats *stats);

#endif /* QUIRE_TRACE_IMPORT_H */
