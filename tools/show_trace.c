/* SPDX-License-Identifier: MIT */
/*
 * show_trace.c - `quire show` of a recording: the machine's own files, and a map
 *
 * A file that was saved is printed as the machine gave it.  The map is made of kpageflags; which
 * pageblock is of which type no machine tells, so that is fitted to the counts of pagetypeinfo, as
 * for a replay.
 */
#include "show_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "replay/replay.h"

bool show_is_trace(const char *path)
{
	FILE *file = fopen(path, "rb");
	char magic[6];
	bool is = file && fread(magic, 1, sizeof(magic), file) == sizeof(magic) &&
		  memcmp(magic, "QTRACE", sizeof(magic)) == 0;

	if (file)
		fclose(file);
	return is;
}

static enum qtrace_when moment(const struct show_trace *show)
{
	return show->after ? QTRACE_AFTER : QTRACE_BEFORE;
}

static const char *moment_name(const struct show_trace *show)
{
	return show->after ? "after" : "before";
}

static void fails(const struct cli *cli, const struct show_trace *show, const char *why)
{
	cli_error_in(cli, show->path, why);
}

/* JSON of what was parsed ------------------------------------------------------------------ */

static json_t *zone_object(const struct state_zone *zone)
{
	json_t *object = json_object();

	json_put_number(object, "node", (uint64_t)zone->nid);
	json_put_text(object, "zone", qr_zone_type_name(zone->type));
	return object;
}

static json_t *buddyinfo_zone(const struct state_zone *zone)
{
	json_t *object = zone_object(zone);

	json_put(object, "free_blocks", json_numbers(zone->blocks, zone->nr_orders));
	return object;
}

static json_t *pagetypeinfo_zone(const struct state_zone *zone)
{
	json_t *object = zone_object(zone), *blocks = json_object(), *pageblocks = json_object();

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		const char *name = qr_migratetype_name((enum qr_migratetype)t);

		json_put(blocks, name, json_numbers(zone->type_blocks[t], zone->nr_orders));
		json_put_number(pageblocks, name, zone->pageblocks[t]);
	}
	json_put(object, "free_blocks", blocks);
	json_put(object, "pageblocks", pageblocks);
	return object;
}

static json_t *pagesets(const struct state_zone *zone)
{
	json_t *array = json_array();

	for (unsigned cpu = 0; cpu < zone->nr_cpus; cpu++) {
		json_t *object = json_object();

		json_put_number(object, "cpu", cpu);
		json_put_number(object, "count", zone->cpu_count[cpu]);
		json_put_number(object, "high", zone->cpu_high[cpu]);
		json_put_number(object, "batch", zone->pcp_batch);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *zoneinfo_zone(const struct state_zone *zone)
{
	json_t *object = zone_object(zone), *marks = json_object();

	json_put_number(object, "start_pfn", zone->start_pfn);
	json_put_number(object, "end_pfn", zone->start_pfn + zone->spanned);
	json_put_number(object, "spanned", zone->spanned);
	json_put_number(object, "present", zone->present);
	json_put_number(object, "managed", zone->managed);
	json_put_number(object, "free", zone->free);
	json_put_number(object, "free_cma", zone->nr_free_cma);
	json_put_number(marks, "boost", zone->boost);
	json_put_number(marks, "min", zone->min);
	json_put_number(marks, "low", zone->low);
	json_put_number(marks, "high", zone->high);
	json_put(object, "watermarks", marks);
	json_put(object, "pagesets", pagesets(zone));
	return object;
}

static json_t *state_document(const struct state *s, const char *view)
{
	json_t *(*of_zone)(const struct state_zone *zone) =
		strcmp(view, "buddyinfo") == 0      ? buddyinfo_zone
		: strcmp(view, "pagetypeinfo") == 0 ? pagetypeinfo_zone
						    : zoneinfo_zone;
	json_t *document, *zones = json_array();
	char schema[48];

	snprintf(schema, sizeof(schema), "quire-show-%s", view);
	document = json_document(schema, SHOW_VERSION);
	for (unsigned z = 0; z < s->nr_zones; z++) {
		if (s->zones[z].present)
			json_array_append_new(zones, of_zone(&s->zones[z]));
	}
	json_put(document, "zones", zones);
	if (of_zone == pagetypeinfo_zone)
		json_put_number(document, "pageblock_order", s->pageblock_order);
	return document;
}

/* Every document says what it is of. */
static int finish(const struct show_trace *show, json_t *document)
{
	json_put_text(document, "file", show->path);
	json_put_text(document, "when", moment_name(show));
	return json_finish(document) ? EXIT_GOOD : EXIT_FAILED;
}

/* Files ------------------------------------------------------------------------------------ */

static int file_json(const struct cli *cli, const struct show_trace *show, struct qtrace *t,
		     const struct qtrace_file *file)
{
	struct state state;
	int code;

	if (strcmp(show->view, "vmstat") == 0)
		return finish(show, show_vmstat_json(file->data));
	if (state_read(&state, t, moment(show)) < 0) {
		fails(cli, show, state.why);
		code = EXIT_INPUT;
	} else {
		code = finish(show, state_document(&state, show->view));
	}
	state_free(&state);
	return code;
}

static int show_file(const struct cli *cli, const struct show_trace *show, struct qtrace *t)
{
	const struct qtrace_file *file = qtrace_file(t, moment(show), show->view);

	if (!file) {
		if (t->why[0])
			cli_error(cli, "%s", t->why);
		else
			cli_error(cli, "%s: carries no %s of the time %s the recording", show->path,
				  show->view, moment_name(show));
		return EXIT_INPUT;
	}
	if (show->json)
		return file_json(cli, show, t, file);
	fwrite(file->data, 1, file->size, stdout);
	return EXIT_GOOD;
}

/* The map ---------------------------------------------------------------------------------- */

static void trace_each_zone(const struct show_source *source, show_zone_visit *visit, void *arg)
{
	const struct replay_machine *m = source->of;

	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];
		const struct show_zone mine = {
			.nid = zone->nid,
			.name = qr_zone_type_name(zone->type),
			.start_pfn = zone->start_pfn,
			.end_pfn = zone->start_pfn + zone->spanned,
			.managed = zone->managed,
			.nr_free = zone->free,
			.type = zone->type,
		};

		if (zone->present)
			visit(arg, &mine);
	}
}

/* What of a pageblock lies in this zone; the rest counts as absent. */
static struct qr_pageblock_info block_of(const struct replay_machine *m,
					 const struct show_zone *zone, qr_pfn_t start)
{
	uint64_t n = start >> QR_PAGEBLOCK_ORDER;
	struct qr_pageblock_info info = {.start_pfn = start};

	for (qr_pfn_t pfn = start; pfn < start + QR_PAGEBLOCK_NR_PAGES; pfn++) {
		enum frame_class class = FRAME_ABSENT;

		if (pfn >= zone->start_pfn && pfn < zone->end_pfn && pfn < m->frames.nr)
			class = FRAME_CLASS(m->frames.class[pfn]);
		info.nr_absent += class == FRAME_ABSENT;
		info.nr_free += class == FRAME_FREE;
		/* a balloon's pages are as far away as those that never were the allocator's */
		info.nr_reserved += class == FRAME_RESERVED || class == FRAME_OFFLINE;
	}
	info.nr_allocated =
		(unsigned)QR_PAGEBLOCK_NR_PAGES - info.nr_absent - info.nr_free - info.nr_reserved;
	info.migratetype = m->block_type[n] < QR_MIGRATE_TYPES
				   ? (enum qr_migratetype)m->block_type[n]
				   : QR_MIGRATE_MOVABLE;
	return info;
}

static void trace_each_block(const struct show_source *source, const struct show_zone *zone,
			     show_block_visit *visit, void *arg)
{
	const struct replay_machine *m = source->of;

	for (qr_pfn_t pfn = zone->start_pfn & ~(QR_PAGEBLOCK_NR_PAGES - 1);
	     pfn < zone->end_pfn && pfn < m->nr_frames; pfn += QR_PAGEBLOCK_NR_PAGES) {
		struct qr_pageblock_info info = block_of(m, zone, pfn);

		if (visit(arg, &info))
			return;
	}
}

static int show_trace_map(const struct cli *cli, const struct show_trace *show, struct qtrace *t)
{
	struct replay_machine machine = {0};
	struct show_source source = {
		.each_zone = trace_each_zone,
		.each_block = trace_each_block,
		.of = &machine,
	};
	bool told = false;
	int code = EXIT_INPUT;

	for (unsigned i = 0; i < t->nr_files; i++)
		told = told || (t->files[i].when == moment(show) &&
				strcmp(t->files[i].name, "pageblocks") == 0);
	if (replay_moment_read(&machine, t, moment(show)) < 0) {
		fails(cli, show, machine.why);
	} else if (show->json) {
		json_t *document = show_map_json(&source);

		json_put_flag(document, "types_inferred", !told);
		code = finish(show, document);
	} else {
		show_map(&source, &show->term, show->nr_per_cell);
		if (!told)
			printf("  types are inferred: only their numbers are recorded\n");
		code = EXIT_GOOD;
	}
	replay_machine_free(&machine);
	return code;
}

int show_trace(const struct cli *cli, const struct show_trace *show)
{
	struct qtrace trace;
	int code = EXIT_INPUT;

	if (qtrace_open(show->path, &trace) < 0) {
		cli_error(cli, "%s", trace.why);
	} else {
		if (trace.truncated)
			fprintf(stderr, "quire show: warning: %s\n", trace.why);
		code = strcmp(show->view, "map") == 0 ? show_trace_map(cli, show, &trace)
						      : show_file(cli, show, &trace);
	}
	qtrace_close(&trace);
	return code;
}
