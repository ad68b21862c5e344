/* SPDX-License-Identifier: MIT */
/*
 * watch/pagetypeinfo.c - /proc/pagetypeinfo: free blocks and pageblocks by migratetype
 *
 * The whole is printed once for each node with memory, heading and all, as the kernel does.  The
 * kernel counts blocks by walking their lists and stops at 100000, which it shows as ">100000";
 * here the counts are at hand, and cut likewise.
 */
#include "../base/text.h"
#include "../buddy/engine.h"

#include "page_owner.h"
#include "walk.h"

#define BLOCKS_SHOWN_MAX 100000

#define qr__for_each_zone_of_node(node, zone) \
	for ((zone) = (node)->zones; (zone) < (node)->zones + QR_NR_ZONES; (zone)++) \
		if (qr__zone_populated(zone))

static void free_counts_show(struct qr_text *text, struct qr_node *node)
{
	struct qr_zone *zone;

	qr__text_printf(text, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
		qr__text_printf(text, "%6u ", order);
	qr__text_char(text, '\n');

	qr__for_each_zone_of_node(node, zone)
	{
		qr__buddy_settle(zone);
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
			qr__text_printf(text, "Node %4d, zone %8s, type %12s ", zone->nid,
					qr_zone_type_name(zone->type),
					qr_migratetype_name((enum qr_migratetype)type));
			for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
				uint64_t nr = zone->ops->nr_blocks_type_racy(
					zone, order, (enum qr_migratetype)type);
				bool more = nr >= BLOCKS_SHOWN_MAX;

				qr__text_printf(text, "%s%6llu ", more ? ">" : "",
						more ? BLOCKS_SHOWN_MAX : (unsigned long long)nr);
			}
			qr__text_char(text, '\n');
		}
	}
}

/* A table of one number for each zone and type. */
static void pageblock_table_show(struct qr_text *text, const struct qr_node *node,
				 const char *heading, const struct qr_watch *watch,
				 void (*count)(const struct qr_watch *watch,
					       const struct qr_zone *zone, uint64_t *nr))
{
	const struct qr_zone *zone;

	qr__text_printf(text, "\n%-23s", heading);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		qr__text_printf(text, "%12s ", qr_migratetype_name((enum qr_migratetype)type));
	qr__text_char(text, '\n');

	qr__for_each_zone_of_node(node, zone)
	{
		uint64_t nr[QR_MIGRATE_TYPES] = {0};

		count(watch, zone, nr);
		qr__text_printf(text, "Node %d, zone %8s ", zone->nid,
				qr_zone_type_name(zone->type));
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			qr__text_printf(text, "%12llu ", (unsigned long long)nr[type]);
		qr__text_char(text, '\n');
	}
}

static void pageblocks_count(const struct qr_watch *watch, const struct qr_zone *zone, uint64_t *nr)
{
	qr_pfn_t start_pfn = 0, end_pfn;

	(void)watch;
	for (; qr__zone_next_pageblock(zone, &start_pfn, &end_pfn); start_pfn = end_pfn)
		if (qr__pageblock_counts(zone, start_pfn))
			nr[qr__pageblock_type(zone->frames, start_pfn)]++;
}

static void mixed_count(const struct qr_watch *watch, const struct qr_zone *zone, uint64_t *nr)
{
	qr_pfn_t start_pfn = 0, end_pfn;

	for (; qr__zone_next_pageblock(zone, &start_pfn, &end_pfn); start_pfn = end_pfn) {
		enum qr_migratetype type = qr__pageblock_type(zone->frames, start_pfn);

		if (!qr__pageblock_counts(zone, start_pfn) ||
		    !qr__owner_pageblock_mixed(watch, start_pfn, end_pfn, type))
			continue;
		/* CMA memory is lent to movable pages: that is where Linux counts it. */
		nr[type == QR_MIGRATE_CMA ? QR_MIGRATE_MOVABLE : type]++;
	}
}

size_t qr_show_pagetypeinfo(struct quire *q, char *buf, size_t size)
{
	const struct qr_watch *watch = qr__watch(q);
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);

	/* What waits in caches is allocated to nobody, but its owner records are gone. */
	if (qr__owner_active(watch))
		qr_drain_all_pages(q, NULL);
	for (int nid = 0; nid < (int)frames->nr_nodes; nid++) {
		struct qr_node *node = qr__node(frames, nid);

		if (!qr__node_is(frames, nid, QR_N_MEMORY))
			continue;
		qr__text_printf(&text, "Page block order: %d\nPages per block:  %llu\n\n",
				QR_PAGEBLOCK_ORDER, (unsigned long long)QR_PAGEBLOCK_NR_PAGES);
		free_counts_show(&text, node);
		pageblock_table_show(&text, node, "Number of blocks type ", watch,
				     pageblocks_count);
		if (qr__owner_active(watch))
			pageblock_table_show(&text, node, "Number of mixed blocks ", watch,
					     mixed_count);
	}
	return text.len;
}
