/* SPDX-License-Identifier: MIT */
/*
 * verb_info.c - `quire info`: what is in a .qtrace
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "text.h"
#include "trace/qtrace.h"
#include "verbs.h"

enum { INFO_VERSION = 1 };

struct info {
	const char *path;
	bool json;
};

static const char *const when_names[QTRACE_NR_WHEN] = {"meta", "before", "after"};

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct info *)into)->json = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct info *info = into;

	if (info->path)
		return cli_error(cli, "'%s' is too much: there is one file at a time", value);
	info->path = value;
	return true;
}

static const struct cli_option options[] = {
	{"json", NULL, json_take, "print JSON; quire-info(1) describes it"},
	{NULL, NULL, NULL, NULL},
};

/*
 * Read every block, so that damage is found; the totals of a file that was cut off come from
 * here.
 */
static int count_events(struct qtrace *t)
{
	struct qtrace_totals seen = t->totals;
	const struct trace_event *events;
	int nr;

	seen.nr_events = seen.nr_lost = 0;
	memset(seen.nr_kind, 0, sizeof(seen.nr_kind));
	while ((nr = qtrace_next_block(t, &events)) > 0) {
		for (int i = 0; i < nr; i++) {
			if (!seen.nr_events)
				seen.first_ns = events[i].time_ns;
			seen.last_ns = events[i].time_ns;
			seen.nr_kind[events[i].kind]++;
			seen.nr_events += events[i].kind != TRACE_LOST;
			seen.nr_lost += events[i].lost;
		}
	}
	t->totals = seen;
	return nr;
}

/* Unpack every file, for the same reason. */
static int check_files(struct qtrace *t)
{
	for (unsigned i = 0; i < t->nr_files; i++) {
		const struct qtrace_file *file = qtrace_file(t, t->files[i].when, t->files[i].name);

		if (!file)
			return -EINVAL;
		qtrace_file_drop(t, file);
	}
	return 0;
}

static const char *meta(struct qtrace *t, const char *name)
{
	const struct qtrace_file *file = qtrace_file(t, QTRACE_META, name);

	if (!file)
		return "unknown";
	file->data[strcspn(file->data, "\n")] = 0;
	return file->data;
}

static void print_text(struct qtrace *t, const char *path)
{
	const struct qtrace_totals *to = &t->totals;

	printf("%s: .qtrace, format %d.%u%s\n", path, QTRACE_VERSION_MAJOR, t->version_minor,
	       t->truncated ? ", cut off" : "");
	printf("machine   kernel %s, %s CPUs\n", meta(t, "uname"), meta(t, "nproc"));
	printf("events    %s in %.3f s, from %u tasks\n", text_grouped(to->nr_events).text,
	       (double)(to->last_ns - to->first_ns) / 1e9, t->nr_tasks);
	for (unsigned kind = 0; kind < TRACE_LOST; kind++) {
		if (to->nr_kind[kind])
			printf("  %-24s %12s\n", trace_kind_name(kind),
			       text_grouped(to->nr_kind[kind]).text);
	}
	if (to->nr_lost)
		printf("  %-24s %12s\n", "lost by the recorder", text_grouped(to->nr_lost).text);
	printf("size      %s bytes, %.2f bytes an event, %" PRIu64 " blocks\n",
	       text_grouped(to->bytes).text,
	       to->nr_events ? (double)to->event_bytes / (double)to->nr_events : 0.0,
	       to->nr_blocks);
	printf("files\n");
	for (unsigned i = 0; i < t->nr_files; i++)
		printf("  %-6s %-14s %12s bytes\n", when_names[t->files[i].when], t->files[i].name,
		       text_grouped(t->files[i].size).text);
}

static bool print_json(struct qtrace *t, const char *path)
{
	json_t *document = json_document("quire-info", INFO_VERSION), *kinds = json_object();
	json_t *files = json_array();
	const struct qtrace_totals *to = &t->totals;

	json_put_text(document, "file", path);
	json_put_flag(document, "truncated", t->truncated);
	json_put_text(document, "kernel", meta(t, "uname"));
	json_put_number(document, "events", to->nr_events);
	json_put_number(document, "lost", to->nr_lost);
	json_put_number(document, "first_ns", to->first_ns);
	json_put_number(document, "last_ns", to->last_ns);
	json_put_number(document, "tasks", t->nr_tasks);
	json_put_number(document, "bytes", to->bytes);
	json_put_number(document, "event_bytes", to->event_bytes);
	for (unsigned kind = 0; kind < TRACE_LOST; kind++)
		json_put_number(kinds, trace_kind_name(kind), to->nr_kind[kind]);
	json_put(document, "kinds", kinds);
	for (unsigned i = 0; i < t->nr_files; i++) {
		json_t *file = json_object();

		json_put_text(file, "when", when_names[t->files[i].when]);
		json_put_text(file, "name", t->files[i].name);
		json_put_number(file, "bytes", t->files[i].size);
		json_array_append_new(files, file);
	}
	json_put(document, "files", files);
	return json_finish(document);
}

static int run(struct cli *cli)
{
	struct info info = {0};
	struct qtrace trace;
	char cut[sizeof(trace.why)];
	int code = cli_parse(cli, &info);

	if (code >= 0)
		return code;
	if (!info.path) {
		cli_error(cli, "which .qtrace?");
		return EXIT_USAGE;
	}
	code = EXIT_GOOD;
	if (qtrace_open(info.path, &trace) < 0) {
		cli_error(cli, "%s", trace.why);
		qtrace_close(&trace);
		return EXIT_INPUT;
	}
	snprintf(cut, sizeof(cut), "%s", trace.why);
	if (count_events(&trace) < 0 || check_files(&trace) < 0) {
		cli_error(cli, "%s", trace.why);
		code = EXIT_INPUT;
	} else {
		if (trace.truncated)
			fprintf(stderr, "quire info: warning: %s\n", cut);
		if (!info.json)
			print_text(&trace, info.path);
		else if (!print_json(&trace, info.path))
			code = EXIT_FAILED;
	}
	qtrace_close(&trace);
	return code;
}

const struct verb verb_info = {
	.name = "info",
	.summary = "tell what is in a .qtrace",
	.operands = "FILE",
	.description =
		"Prints which machine FILE was recorded on, how many events of which kind it\n"
		"holds and how long they took, and which of the machine's files it carries.  All\n"
		"of it is read, so damage is found.",
	.examples = "  quire info my.qtrace",
	.options = options,
	.operand = operand_take,
	.run = run,
};
