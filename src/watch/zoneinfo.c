/* SPDX-License-Identifier: MIT */
/*
 * watch/zoneinfo.c - /proc/zoneinfo, as Linux 6.12 prints it
 *
 * All zone types of the machine are there, populated or not; one without memory ends after its
 * sizes.  A node's own statistics come with its first populated zone.  Newer kernels also print
 * high_min and high_max of each pageset; qr_pcp_snapshot() tells them.
 */
#include "../base/text.h"

#include "stats.h"
#include "walk.h"

#define KSWAPD_GIVES_UP 16 /* failed passes in a row, after which a node counts as unreclaimable */

static void node_stats_show(struct qr_text *text, const struct qr_node *node)
{
	const char *name;

	qr__text_str(text, "\n  per-node stats");
	for (unsigned i = 0; (name = qr__node_stat_name(i)) != NULL; i++)
		qr__text_printf(text, "\n      %-12s %llu", name,
				(unsigned long long)qr__node_stat(node, i));
}

static void sizes_show(struct qr_text *text, const struct qr_zone *zone)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"boost", qr__read(&zone->watermark_boost)},
		{"min", qr__wmark_pages(zone, QR_WMARK_MIN)},
		{"low", qr__wmark_pages(zone, QR_WMARK_LOW)},
		{"high", qr__wmark_pages(zone, QR_WMARK_HIGH)},
		{"promo", qr__wmark_pages(zone, QR_WMARK_PROMO)},
		{"spanned", qr__read(&zone->spanned_pages)},
		{"present", qr__read(&zone->present_pages)},
		{"managed", qr__read(&zone->managed_pages)},
		{"cma", qr__read(&zone->cma_pages)},
	};
	const char *separator = "";

	qr__text_printf(text, "\n  pages free     %llu",
			(unsigned long long)qr__read(&zone->nr_free_pages));
	for (size_t i = 0; i < QR_ARRAY_SIZE(rows); i++)
		qr__text_printf(text, "\n        %-8s %llu", rows[i].name,
				(unsigned long long)rows[i].value);

	qr__text_str(text, "\n        protection: (");
	for (unsigned type = 0; type < QR_NR_ZONES; type++) {
		if (!qr__zone_type_exists(zone->frames, (enum qr_zone_type)type))
			continue;
		qr__text_printf(text, "%s%llu", separator,
				(unsigned long long)qr__read(&zone->lowmem_reserve[type]));
		separator = ", ";
	}
	qr__text_char(text, ')');
}

static void zone_stats_show(struct qr_text *text, const struct qr_zone *zone)
{
	const char *name;

	for (unsigned i = 0; (name = qr__zone_stat_name(i)) != NULL; i++)
		qr__text_printf(text, "\n      %-12s %llu", name,
				(unsigned long long)qr__zone_stat(zone, i));
	for (unsigned i = 0; (name = qr__numa_stat_name(i)) != NULL; i++)
		qr__text_printf(text, "\n      %-12s %llu", name,
				(unsigned long long)qr__zone_numa_stat(zone, i));
}

static bool cpu_is_online(const struct qr_zone *zone, unsigned cpu)
{
	const struct qr_allocator *alloc = qr__zone_allocator(zone);

	return qr__read(&alloc->cpu_online[cpu / 64]) >> (cpu % 64) & 1;
}

static void pagesets_show(struct qr_text *text, const struct qr_zone *zone)
{
	qr__text_str(text, "\n  pagesets");
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++) {
		const struct qr_per_cpu_pages *pcp = qr__pcp_of(zone, cpu);

		if (!cpu_is_online(zone, cpu))
			continue;
		qr__text_printf(text,
				"\n    cpu: %u"
				"\n              count:    %d"
				"\n              high:     %d"
				"\n              batch:    %d"
				"\n  vm stats threshold: %u",
				cpu, qr__pcp_count_racy(pcp),
				atomic_load_explicit(&pcp->high, memory_order_relaxed),
				atomic_load_explicit(&pcp->batch, memory_order_relaxed),
				atomic_load_explicit(&zone->stat_threshold, memory_order_relaxed));
	}
}

static void zone_show(struct qr_text *text, const struct qr_zone *zone, bool first_populated)
{
	const struct qr_node *node = zone->node;
	uint32_t failures = atomic_load_explicit(&node->kswapd_failures, memory_order_relaxed);

	qr__text_printf(text, "Node %d, zone %8s", zone->nid, qr_zone_type_name(zone->type));
	if (first_populated)
		node_stats_show(text, node);
	sizes_show(text, zone);
	if (qr__zone_populated(zone)) {
		zone_stats_show(text, zone);
		pagesets_show(text, zone);
		qr__text_printf(text,
				"\n  node_unreclaimable:  %d"
				"\n  start_pfn:           %llu",
				failures >= KSWAPD_GIVES_UP,
				(unsigned long long)qr__zone_start(zone));
	}
	qr__text_char(text, '\n');
}

size_t qr_show_zoneinfo(struct quire *q, char *buf, size_t size)
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);

	for (int nid = 0; nid < (int)frames->nr_nodes; nid++) {
		bool first = true;

		if (!qr__node_is(frames, nid, QR_N_ONLINE))
			continue;
		for (unsigned type = 0; type < QR_NR_ZONES; type++) {
			const struct qr_zone *zone = &qr__node(frames, nid)->zones[type];
			bool populated = qr__zone_populated(zone);

			if (!qr__zone_type_exists(frames, zone->type))
				continue;
			zone_show(&text, zone, populated && first);
			first = first && !populated;
		}
	}
	return text.len;
}
