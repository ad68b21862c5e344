/* SPDX-License-Identifier: MIT */
/*
 * show_json.c - the views of `quire show` as JSON documents; quire-show(1) describes them
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "show.h"

void show_each_zone(struct quire *q,
		    void (*visit)(void *arg, struct quire *q, const struct qr_zone_snapshot *zone),
		    void *arg)
{
	struct qr_quire_snapshot whole;
	struct qr_zone_snapshot zone;

	qr_quire_snapshot(q, &whole);
	for (unsigned nid = 0; nid < whole.nr_nodes; nid++) {
		for (int type = 0; type < QR_NR_ZONES; type++) {
			if (qr_zone_snapshot(q, (int)nid, (enum qr_zone_type)type, &zone) == 0 &&
			    zone.present > 0)
				visit(arg, q, &zone);
		}
	}
}

static json_t *zone_json(const struct qr_zone_snapshot *zone)
{
	json_t *object = json_object();

	json_put_number(object, "node", (uint64_t)zone->nid);
	json_put_text(object, "zone", zone->name);
	return object;
}

/* A document whose "zones" are filled in by visit. */
static json_t *zones_document(struct quire *q, const char *schema,
			      void (*visit)(void *arg, struct quire *q,
					    const struct qr_zone_snapshot *zone))
{
	json_t *document = json_document(schema, SHOW_VERSION);
	json_t *zones = json_array();

	show_each_zone(q, visit, zones);
	json_put(document, "zones", zones);
	return document;
}

/* buddyinfo, pagetypeinfo ------------------------------------------------------------------ */

static void buddyinfo_zone(void *zones, struct quire *q, const struct qr_zone_snapshot *zone)
{
	json_t *object = zone_json(zone);

	(void)q;
	json_put(object, "free_blocks", json_numbers(zone->nr_blocks, QR_NR_PAGE_ORDERS));
	json_array_append_new(zones, object);
}

json_t *show_buddyinfo_json(struct quire *q)
{
	return zones_document(q, "quire-show-buddyinfo", buddyinfo_zone);
}

static void pagetypeinfo_zone(void *zones, struct quire *q, const struct qr_zone_snapshot *zone)
{
	json_t *object = zone_json(zone);
	json_t *free_blocks = json_object(), *pageblocks = json_object();

	(void)q;
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		const char *name = qr_migratetype_name((enum qr_migratetype)type);

		json_put(free_blocks, name,
			 json_numbers(zone->nr_blocks_type[type], QR_NR_PAGE_ORDERS));
		json_put_number(pageblocks, name, zone->nr_pageblocks[type]);
	}
	json_put(object, "free_blocks", free_blocks);
	json_put(object, "pageblocks", pageblocks);
	json_array_append_new(zones, object);
}

json_t *show_pagetypeinfo_json(struct quire *q)
{
	json_t *document = zones_document(q, "quire-show-pagetypeinfo", pagetypeinfo_zone);

	json_put_number(document, "pageblock_order", QR_PAGEBLOCK_ORDER);
	return document;
}

/* zoneinfo --------------------------------------------------------------------------------- */

static json_t *pagesets_json(struct quire *q, const struct qr_zone_snapshot *zone)
{
	struct qr_quire_snapshot whole;
	struct qr_pcp_snapshot pcp;
	json_t *array = json_array();

	qr_quire_snapshot(q, &whole);
	for (unsigned cpu = 0; cpu < whole.nr_cpus; cpu++) {
		json_t *object;

		if (qr_pcp_snapshot(q, zone->nid, zone->type, cpu, &pcp) != 0)
			continue;
		object = json_object();
		json_put_number(object, "cpu", cpu);
		json_put_number(object, "count", pcp.count);
		json_put_number(object, "high", pcp.high);
		json_put_number(object, "batch", pcp.batch);
		json_put_number(object, "high_min", pcp.high_min);
		json_put_number(object, "high_max", pcp.high_max);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *watermarks_json(const struct qr_zone_snapshot *zone)
{
	json_t *object = json_object();

	json_put_number(object, "boost", zone->watermark_boost);
	json_put_number(object, "min", zone->watermark[QR_WMARK_MIN]);
	json_put_number(object, "low", zone->watermark[QR_WMARK_LOW]);
	json_put_number(object, "high", zone->watermark[QR_WMARK_HIGH]);
	json_put_number(object, "promo", zone->watermark[QR_WMARK_PROMO]);
	return object;
}

static void zoneinfo_zone(void *zones, struct quire *q, const struct qr_zone_snapshot *zone)
{
	json_t *object = zone_json(zone);

	json_put_number(object, "start_pfn", zone->start_pfn);
	json_put_number(object, "end_pfn", zone->end_pfn);
	json_put_number(object, "spanned", zone->spanned);
	json_put_number(object, "present", zone->present);
	json_put_number(object, "managed", zone->managed);
	json_put_number(object, "free", zone->nr_free);
	json_put_number(object, "free_cma", zone->nr_free_cma);
	json_put_number(object, "reserved_highatomic", zone->nr_reserved_highatomic);
	json_put(object, "watermarks", watermarks_json(zone));
	json_put(object, "protection", json_numbers(zone->lowmem_reserve, QR_NR_ZONES));
	json_put(object, "pagesets", pagesets_json(q, zone));
	json_array_append_new(zones, object);
}

json_t *show_zoneinfo_json(struct quire *q)
{
	return zones_document(q, "quire-show-zoneinfo", zoneinfo_zone);
}

/* vmstat ----------------------------------------------------------------------------------- */

json_t *show_vmstat_json(const char *text)
{
	json_t *document = json_document("quire-show-vmstat", SHOW_VERSION);
	json_t *counters = json_object();
	char *copy = strdup(text ? text : ""), *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n")) != NULL) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		json_put_number(counters, line, strtoull(space + 1, NULL, 10));
	}
	free(copy);
	json_put(document, "counters", counters);
	return document;
}

/* map -------------------------------------------------------------------------------------- */

static int map_block(void *blocks, const struct qr_pageblock_info *info)
{
	json_t *row = json_array();

	json_array_append_new(row, json_integer((json_int_t)info->start_pfn));
	json_array_append_new(row,
			      json_string(info->isolated ? qr_migratetype_name(QR_MIGRATE_ISOLATE)
							 : qr_migratetype_name(info->migratetype)));
	json_array_append_new(row, json_integer(info->nr_free));
	json_array_append_new(row, json_integer(info->nr_pcp));
	json_array_append_new(row, json_integer(info->nr_allocated));
	json_array_append_new(row, json_integer(info->nr_reserved));
	json_array_append_new(row, json_integer(info->nr_absent));
	return json_array_append_new(blocks, row);
}

struct map_zones {
	const struct show_source *source;
	json_t *zones;
};

static void map_zone(void *arg, const struct show_zone *zone)
{
	const struct map_zones *map = arg;
	json_t *object = json_object(), *blocks = json_array();

	json_put_number(object, "node", (uint64_t)zone->nid);
	json_put_text(object, "zone", zone->name);
	map->source->each_block(map->source, zone, map_block, blocks);
	json_put(object, "pageblocks", blocks);
	json_array_append_new(map->zones, object);
}

json_t *show_map_json(const struct show_source *source)
{
	static const char *const columns[] = {"start_pfn", "type",     "free",  "cached",
					      "allocated", "reserved", "absent"};
	json_t *document = json_document("quire-show-map", SHOW_VERSION);
	struct map_zones map = {source, json_array()};
	json_t *names = json_array();

	source->each_zone(source, map_zone, &map);
	json_put(document, "zones", map.zones);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		json_array_append_new(names, json_string(columns[i]));
	json_put_number(document, "pageblock_order", QR_PAGEBLOCK_ORDER);
	json_put(document, "columns", names);
	return document;
}

/* machine ---------------------------------------------------------------------------------- */

static json_t *ranges_json(const struct machine *machine)
{
	static const char *const kinds[] = {"ram", "reserved", "device"};
	json_t *array = json_array();

	for (unsigned i = 0; i < machine->config.nr_ranges; i++) {
		const struct qr_range *range = &machine->ranges[i];
		json_t *object = json_object();

		json_put_text(object, "kind", kinds[range->kind]);
		json_put_number(object, "start_pfn", range->start_pfn);
		json_put_number(object, "pages", range->nr_pages);
		json_put_number(object, "node", (uint64_t)range->nid);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *cpu_nodes_json(const struct machine *machine)
{
	json_t *array = json_array();

	for (unsigned cpu = 0; cpu < machine->config.nr_cpus; cpu++)
		json_array_append_new(array,
				      json_integer(machine->cpu_node ? machine->cpu_node[cpu] : 0));
	return array;
}

static json_t *distances_json(struct quire *q, unsigned nr_nodes)
{
	json_t *rows = json_array();

	for (unsigned a = 0; a < nr_nodes; a++) {
		json_t *row = json_array();

		for (unsigned b = 0; b < nr_nodes; b++)
			json_array_append_new(row,
					      json_integer(qr_node_distance(q, (int)a, (int)b)));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *settings_json(const struct machine *machine)
{
	json_t *object = json_object();
	char value[96];

	for (unsigned i = 0; i < machine->settings.nr; i++) {
		setting_format(&machine->settings.settings[i], value, sizeof(value));
		json_put_text(object, qr_tunable_info(machine->settings.settings[i].which)->name,
			      value);
	}
	return object;
}

static void machine_zone(void *zones, struct quire *q, const struct qr_zone_snapshot *zone)
{
	json_t *object = zone_json(zone);

	(void)q;
	json_put_number(object, "start_pfn", zone->start_pfn);
	json_put_number(object, "end_pfn", zone->end_pfn);
	json_put_number(object, "present", zone->present);
	json_put_number(object, "managed", zone->managed);
	json_put(object, "watermarks", watermarks_json(zone));
	json_array_append_new(zones, object);
}

json_t *show_machine_json(const struct machine *machine, struct quire *q)
{
	json_t *document = zones_document(q, "quire-show-machine", machine_zone);
	struct qr_quire_snapshot whole;

	qr_quire_snapshot(q, &whole);
	json_put_text(document, "machine", machine->name);
	json_put_text(document, "engine", whole.engine);
	json_put_number(document, "page_size", QR_PAGE_SIZE);
	json_put_number(document, "present", whole.present);
	json_put_number(document, "managed", whole.managed);
	json_put_number(document, "min_free_kbytes", whole.min_free_kbytes);
	json_put_number(document, "metadata_bytes", whole.metadata_size);
	json_put(document, "ranges", ranges_json(machine));
	json_put(document, "cpu_nodes", cpu_nodes_json(machine));
	json_put(document, "distances", distances_json(q, whole.nr_nodes));
	json_put(document, "settings", settings_json(machine));
	return document;
}
