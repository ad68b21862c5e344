/* SPDX-License-Identifier: MIT */
/*
 * verb_import.c - `quire import`: other recorders' files become .qtrace
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "term.h"
#include "text.h"
#include "trace/import.h"
#include "trace/input.h"
#include "trace/record.h"
#include "verbs.h"

enum { IMPORT_VERSION = 1 };

struct import {
	const char *input; /* NULL: standard input */
	const char *output, *state;
	uint64_t level, recorder_pages;
	bool force, json, quiet;
};

static bool output_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct import *)into)->output = value;
	return true;
}

static bool state_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct import *)into)->state = value;
	return true;
}

static bool level_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 1, 19, &((struct import *)into)->level);
}

static bool recorder_pages_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 0, UINT64_C(1) << 32,
			  &((struct import *)into)->recorder_pages);
}

static bool force_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct import *)into)->force = true;
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct import *)into)->json = true;
}

static bool quiet_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct import *)into)->quiet = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct import *import = into;

	if (import->input)
		return cli_error(cli, "'%s' is too much: there is one input at a time", value);
	import->input = value;
	return true;
}

static const struct cli_option options[] = {
	{"output", "FILE", output_take, "the .qtrace to write (also -o)"},
	{"state", "DIR", state_take,
	 "saved /proc files: buddyinfo.before, zoneinfo.after,\n"
	 "kpageflags.before.zst, sysctl, ...; .zst and .gz are\n"
	 "unpacked"},
	{"recorder-pages", "N", recorder_pages_take,
	 "that the recorder took after the state was saved, and\n"
	 "gave back before it was saved again; perf record -m N\n"
	 "has N for each CPU"},
	{"level", "N", level_take, "of compression, 1..19; default 9"},
	{"force", NULL, force_take, "replace an existing file"},
	{"json", NULL, json_take, "print JSON; quire-import(1) describes it"},
	{"quiet", NULL, quiet_take, "no progress line"},
	{NULL, NULL, NULL, NULL},
};

/* The report ------------------------------------------------------------------------------- */

static void warn(const struct import_stats *stats)
{
	if (stats->nr_unread)
		fprintf(stderr,
			"quire import: warning: %" PRIu64
			" lines were not understood, the first is "
			"line %" PRIu64 ": %s\n",
			stats->nr_unread, stats->first_unread_line, stats->first_unread);
	if (stats->nr_lost)
		fprintf(stderr,
			"quire import: warning: the recorder lost %" PRIu64
			" events; record with larger buffers\n",
			stats->nr_lost);
	if (stats->nr_unknown_gfp)
		fprintf(stderr,
			"quire import: warning: %" PRIu64
			" gfp flags are unknown here and left out, "
			"the first is %s\n",
			stats->nr_unknown_gfp, stats->first_unknown_gfp);
}

static int report(const struct import *import, const struct import_stats *stats,
		  const struct qtrace_totals *totals, unsigned nr_files, double seconds)
{
	json_t *document;

	warn(stats);
	if (totals->nr_backward)
		fprintf(stderr,
			"quire import: warning: time runs backwards at %" PRIu64 " events\n",
			totals->nr_backward);
	if (!import->json) {
		printf("%s: %s events, %s bytes (%.2f bytes an event), %u state files; %s lines in "
		       "%.2f s\n",
		       import->output, text_grouped(totals->nr_events).text,
		       text_grouped(totals->bytes).text,
		       totals->nr_events ? (double)totals->event_bytes / (double)totals->nr_events
					 : 0.0,
		       nr_files, text_grouped(stats->nr_lines).text, seconds);
		return EXIT_GOOD;
	}
	document = json_document("quire-import", IMPORT_VERSION);
	json_put_text(document, "file", import->output);
	json_put_number(document, "events", totals->nr_events);
	json_put_number(document, "bytes", totals->bytes);
	json_put_number(document, "event_bytes", totals->event_bytes);
	json_put_number(document, "state_files", nr_files);
	json_put_number(document, "lines", stats->nr_lines);
	json_put_number(document, "skipped", stats->nr_skipped);
	json_put_number(document, "unread", stats->nr_unread);
	json_put_number(document, "lost", stats->nr_lost);
	json_put_number(document, "unknown_gfp", stats->nr_unknown_gfp);
	json_put_number(document, "backward", totals->nr_backward);
	json_put_real(document, "seconds", seconds);
	return json_finish(document) ? EXIT_GOOD : EXIT_FAILED;
}

/* All of it -------------------------------------------------------------------------------- */

static const char *name_of(const struct import *import)
{
	return import->input ? import->input : "standard input";
}

static void on_progress(void *arg, const struct import_stats *stats)
{
	struct progress *progress = arg;

	if (progress_due(progress, term_clock()))
		progress_show(progress, "%s lines", text_grouped(stats->nr_lines).text);
}

/* libtracecmd wants a file to seek in: what is packed or piped goes into a nameless one first. */
static int import_dat(const struct import *import, struct input *input, struct qtrace_writer *w,
		      struct import_stats *stats, struct progress *progress, char why[256])
{
	char path[64], buf[1 << 16];
	FILE *copy;
	long n;
	int error;

	if (input_is_plain_file(input))
		return import_trace_dat(import->input, import->input, w, stats, on_progress,
					progress, why);
	copy = tmpfile();
	if (!copy) {
		snprintf(why, 256, "no temporary file for the trace.dat: %s", strerror(errno));
		return -ENOSPC;
	}
	while ((n = input_read(input, buf, sizeof(buf))) > 0 &&
	       fwrite(buf, 1, (size_t)n, copy) == (size_t)n)
		;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(copy));
	if (n < 0 || fflush(copy) != 0) {
		error = n < 0 ? (int)n : -errno;
		snprintf(why, 256, "the trace.dat cannot be unpacked: %s", strerror(-error));
	} else {
		error = import_trace_dat(path, name_of(import), w, stats, on_progress, progress,
					 why);
	}
	fclose(copy);
	return error;
}

static int import_events(struct cli *cli, const struct import *import, struct input *input,
			 struct qtrace_writer *w, struct import_stats *stats)
{
	struct progress progress = progress_begin(stderr, import->quiet);
	struct import_source source = {.read = input_read, .arg = input, .name = name_of(import)};
	char magic[10], why[256] = "";
	long n = input_peek(input, magic, sizeof(magic));
	int error;

	if (n < 0)
		error = (int)n;
	else if (n == sizeof(magic) && memcmp(magic, "\x17\x08\x44tracing", 10) == 0)
		error = import_dat(import, input, w, stats, &progress, why);
	else
		error = import_text(&source, w, stats, on_progress, &progress, why);
	progress_clear(&progress);
	if (!error && qtrace_writer_totals(w)->nr_events)
		return EXIT_GOOD;
	if (!error)
		cli_error(cli,
			  "%s: has no page event that could be read; it should be the text of perf "
			  "script, or a trace.dat",
			  source.name);
	else if (error == -EBADMSG)
		cli_error(cli, "%s: is cut off or damaged: it cannot be unpacked", source.name);
	else
		cli_error(cli, "%s", why[0] ? why : strerror(-error));
	return error == -ENOSPC || error == -ENOMEM ? EXIT_LACKING : EXIT_INPUT;
}

static int import_recorder(struct qtrace_writer *w, uint64_t pages, char why[256])
{
	char text[64];
	int error;

	if (!pages)
		return 0;
	snprintf(text, sizeof(text), "buffer_pages = %" PRIu64 "\n", pages);
	error = qtrace_put_text(w, "recorder", text);
	if (error)
		snprintf(why, 256, "%s", qtrace_writer_why(w));
	return error;
}

static int import_all(struct cli *cli, const struct import *import, struct input *input)
{
	struct qtrace_options how = {.level = (int)import->level, .overwrite = import->force};
	struct import_stats stats = {0};
	struct qtrace_totals totals;
	struct qtrace_writer *w;
	double start = term_clock();
	unsigned nr_files = 0;
	char why[256];
	int code = EXIT_GOOD;

	if (qtrace_create(import->output, &how, &w, why) < 0) {
		cli_error(cli, "%s", why);
		return EXIT_LACKING;
	}
	if ((import->state && import_state(w, import->state, &nr_files, why) < 0) ||
	    import_recorder(w, import->recorder_pages, why) < 0) {
		cli_error(cli, "%s", why);
		code = EXIT_INPUT;
	}
	if (code == EXIT_GOOD)
		code = import_events(cli, import, input, w, &stats);
	if (code != EXIT_GOOD) {
		qtrace_abort(w);
		return code;
	}
	if (qtrace_finish(w, &totals, why) < 0) {
		cli_error(cli, "%s", why);
		return EXIT_LACKING;
	}
	return report(import, &stats, &totals, nr_files, term_clock() - start);
}

static int run(struct cli *cli)
{
	struct import import = {0};
	struct input *input = NULL;
	char why[256];
	int code = cli_parse(cli, &import);

	if (code >= 0)
		return code;
	if (!import.output) {
		cli_error(cli, "--output FILE is missing: what is to be written?");
		return EXIT_USAGE;
	}
	if (import.input && strcmp(import.input, "-") == 0)
		import.input = NULL;
	if (input_open(&input, import.input, why) == 0) {
		code = import_all(cli, &import, input);
	} else {
		cli_error(cli, "%s", why);
		code = EXIT_INPUT;
	}
	input_close(input);
	return code;
}

const struct verb verb_import = {
	.name = "import",
	.summary = "make a .qtrace of what perf or trace-cmd recorded",
	.operands = "[INPUT]",
	.description =
		"Reads the text of `perf script` (or of ftrace's trace file), or a trace.dat of\n"
		"trace-cmd; plain or packed by zstd or gzip; from INPUT or standard input.  The\n"
		"events are kmem:mm_page_alloc, mm_page_free, mm_page_alloc_extfrag and\n"
		"mm_page_pcpu_drain; others are passed over.  A replay also needs the machine's\n"
		"state before (and, to compare with, after) the recording: --state names a\n"
		"directory with it.",
	.examples = "  perf script | quire import -o my.qtrace --state saved/\n"
		    "  quire import -o my.qtrace --state saved/ events.txt.zst",
	.options = options,
	.operand = operand_take,
	.run = run,
};
