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
#include "trace/state.h"
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

/* What reading all of it tells. */
struct findings {
	uint64_t orders[TRACE_LOST][QR_NR_PAGE_ORDERS + 1]; /* the last: of a higher order */
	unsigned nr_cpus; /* that had events */
	bool cpu_seen[1 << 16];
	struct state state; /* before */
	bool has_state;
	char no_state[256]; /* why not */
};

static void count_event(struct findings *f, struct qtrace_totals *seen, const struct trace_event *e)
{
	if (!seen->nr_events)
		seen->first_ns = e->time_ns;
	else
		seen->nr_backward += e->time_ns < seen->last_ns;
	seen->last_ns = e->time_ns;
	seen->nr_kind[e->kind]++;
	seen->nr_lost += e->lost;
	if (e->kind == TRACE_LOST)
		return;
	seen->nr_events++;
	f->orders[e->kind][e->order < QR_NR_PAGE_ORDERS ? e->order : QR_NR_PAGE_ORDERS]++;
	f->nr_cpus += !f->cpu_seen[e->cpu];
	f->cpu_seen[e->cpu] = true;
}

/*
 * Read every block, so that damage is found; the totals of a file that was cut off come from
 * here.
 */
static int count_events(struct qtrace *t, struct findings *f)
{
	struct qtrace_totals seen = t->totals;
	const struct trace_event *events;
	int nr;

	seen.nr_events = seen.nr_lost = seen.nr_backward = 0;
	memset(seen.nr_kind, 0, sizeof(seen.nr_kind));
	while ((nr = qtrace_next_block(t, &events)) > 0) {
		for (int i = 0; i < nr; i++)
			count_event(f, &seen, &events[i]);
	}
	t->totals = seen;
	return nr;
}

/* Unpack every file, for the same reason; then see what machine they tell of. */
static int check_files(struct qtrace *t, struct findings *f)
{
	for (unsigned i = 0; i < t->nr_files; i++) {
		const struct qtrace_file *file = qtrace_file(t, t->files[i].when, t->files[i].name);

		if (!file)
			return -EINVAL;
		qtrace_file_drop(t, file);
	}
	f->has_state = state_read(&f->state, t, QTRACE_BEFORE) == 0;
	snprintf(f->no_state, sizeof(f->no_state), "%s", f->state.why);
	return 0;
}

static const char *meta(struct qtrace *t, const char *name)
{
	const struct qtrace_file *file = qtrace_file(t, QTRACE_META, name);

	if (!file)
		return NULL;
	file->data[strcspn(file->data, "\n")] = 0;
	return file->data;
}

/* Text ------------------------------------------------------------------------------------- */

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

static unsigned nr_nodes(const struct state *s)
{
	int highest = -1;

	for (unsigned z = 0; z < s->nr_zones; z++)
		highest = s->zones[z].nid > highest ? s->zones[z].nid : highest;
	return (unsigned)(highest + 1);
}

static uint64_t nr_present(const struct state *s)
{
	uint64_t pages = 0;

	for (unsigned z = 0; z < s->nr_zones; z++)
		pages += s->zones[z].present;
	return pages;
}

static void print_machine(struct qtrace *t, const struct findings *f)
{
	const char *origin = meta(t, "origin");

	if (origin)
		printf("origin    %s\n", origin);
	printf("machine   kernel %s, %s CPUs", or_unknown(meta(t, "uname")),
	       or_unknown(meta(t, "nproc")));
	if (f->has_state)
		printf(", %u node%s, %.1f GiB of memory", nr_nodes(&f->state),
		       nr_nodes(&f->state) == 1 ? "" : "s",
		       (double)nr_present(&f->state) * (double)QR_PAGE_SIZE / (1 << 30));
	printf("\n");
	if (!f->has_state) {
		printf("zones     unknown: %s\n", f->no_state);
		return;
	}
	printf("zones     node  %-8s %13s %13s %13s pages\n", "name", "present", "managed",
	       "free before");
	for (unsigned z = 0; z < f->state.nr_zones; z++) {
		const struct state_zone *zone = &f->state.zones[z];

		if (zone->present)
			printf("          %4d  %-8s %13s %13s %13s\n", zone->nid,
			       qr_zone_type_name(zone->type), text_grouped(zone->present).text,
			       text_grouped(zone->managed).text, text_grouped(zone->free).text);
	}
}

/* Only the orders that occurred. */
static void print_kind(const struct qtrace_totals *to, const struct findings *f, unsigned kind)
{
	const char *comma = "";

	printf("  %-22s %12s  ", trace_kind_name(kind), text_grouped(to->nr_kind[kind]).text);
	for (unsigned o = 0; o <= QR_NR_PAGE_ORDERS; o++) {
		if (!f->orders[kind][o])
			continue;
		printf("%s%s%u: %s", comma, o == QR_NR_PAGE_ORDERS ? "above " : "",
		       o == QR_NR_PAGE_ORDERS ? o - 1 : o, text_grouped(f->orders[kind][o]).text);
		comma = ", ";
	}
	printf("\n");
}

static void print_events(const struct qtrace *t, const struct findings *f)
{
	const struct qtrace_totals *to = &t->totals;

	printf("events    %s in %.3f s, from %u tasks on %u CPUs%s\n",
	       text_grouped(to->nr_events).text, (double)(to->last_ns - to->first_ns) / 1e9,
	       t->nr_tasks, f->nr_cpus, to->nr_events ? "; by order:" : "");
	for (unsigned kind = 0; kind < TRACE_LOST; kind++) {
		if (to->nr_kind[kind])
			print_kind(to, f, kind);
	}
	printf("lost      %s by the recorder; time runs backwards at %s events\n",
	       text_grouped(to->nr_lost).text, text_grouped(to->nr_backward).text);
}

static void print_text(struct qtrace *t, const char *path, const struct findings *f)
{
	const struct qtrace_totals *to = &t->totals;
	struct qtrace_chunks chunks = qtrace_chunks(t);

	printf("%s: .qtrace, format %d.%u%s\n", path, QTRACE_VERSION_MAJOR, t->version_minor,
	       t->truncated ? ", cut off" : "");
	print_machine(t, f);
	print_events(t, f);
	printf("size      %s bytes, packed 1 to %.0f; events %.2f bytes each, %s blocks\n",
	       text_grouped(to->bytes).text, (double)chunks.raw_bytes / (double)(to->bytes + 1),
	       to->nr_events ? (double)to->event_bytes / (double)to->nr_events : 0.0,
	       text_grouped(to->nr_blocks).text);
	printf("chunks    %" PRIu64 " FILE, %" PRIu64 " EVTS, %" PRIu64 " TASK, %" PRIu64
	       " END, %" PRIu64 " unknown; all checksums are right\n",
	       chunks.nr_files, chunks.nr_events, chunks.nr_tasks, chunks.nr_end,
	       chunks.nr_unknown);
	printf("files\n");
	for (unsigned i = 0; i < t->nr_files; i++)
		printf("  %-6s %-14s %12s bytes\n", when_names[t->files[i].when], t->files[i].name,
		       text_grouped(t->files[i].size).text);
}

/* JSON ------------------------------------------------------------------------------------- */

static json_t *zones_json(const struct findings *f)
{
	json_t *rows = json_array();

	for (unsigned z = 0; f->has_state && z < f->state.nr_zones; z++) {
		const struct state_zone *zone = &f->state.zones[z];
		json_t *row;

		if (!zone->present)
			continue;
		row = json_object();
		json_put_number(row, "node", (uint64_t)zone->nid);
		json_put_text(row, "zone", qr_zone_type_name(zone->type));
		json_put_number(row, "start_pfn", zone->start_pfn);
		json_put_number(row, "spanned", zone->spanned);
		json_put_number(row, "present", zone->present);
		json_put_number(row, "managed", zone->managed);
		json_put_number(row, "free", zone->free);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *kinds_json(const struct qtrace_totals *to)
{
	json_t *kinds = json_object();

	for (unsigned kind = 0; kind < TRACE_LOST; kind++)
		json_put_number(kinds, trace_kind_name(kind), to->nr_kind[kind]);
	return kinds;
}

static json_t *orders_json(const struct findings *f)
{
	json_t *kinds = json_object();

	for (unsigned kind = 0; kind < TRACE_LOST; kind++)
		json_put(kinds, trace_kind_name(kind),
			 json_numbers(f->orders[kind], QR_NR_PAGE_ORDERS));
	return kinds;
}

static json_t *chunks_json(const struct qtrace *t)
{
	struct qtrace_chunks chunks = qtrace_chunks(t);
	json_t *object = json_object();

	json_put_number(object, "files", chunks.nr_files);
	json_put_number(object, "events", chunks.nr_events);
	json_put_number(object, "tasks", chunks.nr_tasks);
	json_put_number(object, "end", chunks.nr_end);
	json_put_number(object, "unknown", chunks.nr_unknown);
	json_put_number(object, "raw_bytes", chunks.raw_bytes);
	json_put_number(object, "stored_bytes", chunks.stored_bytes);
	return object;
}

static json_t *files_json(const struct qtrace *t)
{
	json_t *files = json_array();

	for (unsigned i = 0; i < t->nr_files; i++) {
		json_t *file = json_object();

		json_put_text(file, "when", when_names[t->files[i].when]);
		json_put_text(file, "name", t->files[i].name);
		json_put_number(file, "bytes", t->files[i].size);
		json_array_append_new(files, file);
	}
	return files;
}

static bool print_json(struct qtrace *t, const char *path, const struct findings *f)
{
	json_t *document = json_document("quire-info", INFO_VERSION);
	const struct qtrace_totals *to = &t->totals;
	const char *nproc = meta(t, "nproc");
	char format[16];

	snprintf(format, sizeof(format), "%d.%u", QTRACE_VERSION_MAJOR, t->version_minor);
	json_put_text(document, "file", path);
	json_put_text(document, "format", format);
	json_put_flag(document, "truncated", t->truncated);
	json_put_flag(document, "checksums_right", true);
	json_put_text(document, "kernel", meta(t, "uname"));
	json_put_text(document, "origin", meta(t, "origin"));
	json_put(document, "cpus", nproc ? json_integer(strtoll(nproc, NULL, 10)) : json_null());
	json_put(document, "nodes", f->has_state ? json_integer(nr_nodes(&f->state)) : json_null());
	json_put(document, "zones", zones_json(f));
	json_put_number(document, "events", to->nr_events);
	json_put_number(document, "lost", to->nr_lost);
	json_put_number(document, "backward", to->nr_backward);
	json_put_number(document, "first_ns", to->first_ns);
	json_put_number(document, "last_ns", to->last_ns);
	json_put_real(document, "seconds", (double)(to->last_ns - to->first_ns) / 1e9);
	json_put_number(document, "tasks", t->nr_tasks);
	json_put_number(document, "event_cpus", f->nr_cpus);
	json_put_number(document, "bytes", to->bytes);
	json_put_number(document, "event_bytes", to->event_bytes);
	json_put(document, "kinds", kinds_json(to));
	json_put(document, "orders", orders_json(f));
	json_put(document, "chunks", chunks_json(t));
	json_put(document, "files", files_json(t));
	return json_finish(document);
}

/* The verb --------------------------------------------------------------------------------- */

static int run(struct cli *cli)
{
	struct info info = {0};
	struct findings *findings;
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
	findings = calloc(1, sizeof(*findings));
	if (!findings) {
		cli_error(cli, "no memory");
		code = EXIT_LACKING;
	} else if (count_events(&trace, findings) < 0 || check_files(&trace, findings) < 0) {
		cli_error(cli, "%s", trace.why);
		code = EXIT_INPUT;
	} else {
		if (trace.truncated)
			fprintf(stderr, "quire info: warning: %s\n", cut);
		if (!info.json)
			print_text(&trace, info.path, findings);
		else if (!print_json(&trace, info.path, findings))
			code = EXIT_FAILED;
	}
	if (findings)
		state_free(&findings->state);
	free(findings);
	qtrace_close(&trace);
	return code;
}

const struct verb verb_info = {
	.name = "info",
	.summary = "tell what is in a .qtrace",
	.operands = "FILE",
	.description =
		"Prints which machine FILE was recorded on, its zones, how many events of which\n"
		"kind and order it holds, what was lost, and which of the machine's files it\n"
		"carries.  All of it is read and every checksum compared, so damage is found.",
	.examples = "  quire info my.qtrace",
	.options = options,
	.operand = operand_take,
	.run = run,
};
