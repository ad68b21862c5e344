/* SPDX-License-Identifier: MIT */
/*
 * trace/import_dat.c - trace.dat files of trace-cmd
 *
 * libtracecmd reads the file and merges its CPUs by time; the events are decoded by the
 * descriptions that the file carries.
 */
#include <errno.h>
#include <string.h>

#include "tep_events.h"
#include <trace-cmd.h>

struct dat {
	struct tep_events events;
	struct qtrace_writer *w;
	struct import_stats *stats;
	import_progress *progress;
	void *progress_arg;
	int error;
};

static void put_lost(struct dat *dat, const struct tep_record *record)
{
	struct trace_event e = {
		.kind = TRACE_LOST,
		.pfn = QR_PFN_NONE,
		.time_ns = record->ts,
		.cpu = (uint16_t)record->cpu,
		/* -1: some were lost, nobody counted them */
		.lost = record->missed_events > 0 ? (uint64_t)record->missed_events : 1,
	};

	dat->stats->nr_lost += e.lost;
	dat->error = qtrace_put_event(dat->w, &e);
}

static int on_record(struct tracecmd_input *handle, struct tep_record *record, int cpu, void *arg)
{
	struct dat *dat = arg;
	struct trace_event e = {.time_ns = record->ts, .cpu = (uint16_t)record->cpu};

	(void)handle, (void)cpu;
	dat->stats->nr_lines++;
	if (record->missed_events)
		put_lost(dat, record);
	if (!tep_events_decode(&dat->events, record->data, record->size, dat->w, dat->stats, &e))
		dat->stats->nr_skipped++;
	else if (!dat->error)
		dat->error = qtrace_put_event(dat->w, &e);
	if (dat->progress && dat->stats->nr_lines % 65536 == 0)
		dat->progress(dat->progress_arg, dat->stats);
	return dat->error;
}

int import_trace_dat(const char *path, struct qtrace_writer *w, struct import_stats *stats,
		     import_progress *progress, void *progress_arg, char why[256])
{
	struct dat dat = {
		.w = w, .stats = stats, .progress = progress, .progress_arg = progress_arg};
	struct tracecmd_input *handle = tracecmd_open(path, 0);

	if (!handle) {
		snprintf(why, 256, "%s: trace-cmd's library cannot read it; is it a trace.dat?",
			 path);
		return -EINVAL;
	}
	if (!tep_events_find(&dat.events, tracecmd_get_tep(handle))) {
		snprintf(
			why, 256,
			"%s: holds no kmem:mm_page_alloc and kmem:mm_page_free events; record with "
			"trace-cmd record -e kmem",
			path);
		dat.error = -EINVAL;
	} else if (tracecmd_iterate_events(handle, NULL, 0, on_record, &dat) < 0 && !dat.error) {
		snprintf(why, 256, "%s: is damaged: its events cannot be read", path);
		dat.error = -EIO;
	} else if (dat.error) {
		snprintf(why, 256, "%s", qtrace_writer_why(w));
	}
	tracecmd_close(handle);
	return dat.error;
}
