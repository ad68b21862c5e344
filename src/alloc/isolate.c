/* SPDX-License-Identifier: MIT */
/*
 * isolate.c - free blocks taken off for a while, pageblocks moved to and from ISOLATE
 *
 * Two things that upper layers do with free memory without allocating it:
 *
 * A single free block is pulled off its list to be worked on, by compaction as a target or by page
 * reporting to tell the host, and later put back.  Meanwhile it is nobody's: its record says
 * ISOLATED, and it is in no count of free pages.
 *
 * A whole pageblock is isolated.  Its free pages go to the ISOLATE lists, which no request looks at
 * and no count has, and what is freed into it follows.  Isolation is a bit of the pageblock record;
 * the former type lies beneath it, and comes back when the bit is cleared.  (Linux 6.12 forgets it,
 * and makes the pageblock MOVABLE.)
 *
 * No free block may cover an isolated pageblock and another one (B4), so one that does is taken off
 * its list and given back in pageblocks, each under its own type.  Conversely, a wholly free
 * pageblock that leaves isolation next to a free buddy is given back anew, since only a free joins.
 *
 * Not here: whether a pageblock may be isolated at all, and zone->nr_isolate_pageblock.  The
 * callers of qr_move_freepages_block_isolate() count, because they alone know whether a bit that
 * they clear was theirs.
 *
 * Locking: zone->lock throughout.
 */
#include "../base/bits.h"
#include "allocator.h"

/* Single blocks ---------------------------------------------------------------------------- */

/*
 * Who takes most of a pageblock away means to fill it with movable pages.  HIGHATOMIC, CMA and
 * ISOLATE pageblocks keep their type.
 */
static void pageblocks_make_movable(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
	QR_REQUIRES(zone->lock)
{
	for (qr_pfn_t end_pfn = pfn + qr__order_pages(order); pfn < end_pfn;
	     pfn += QR_PAGEBLOCK_NR_PAGES) {
		enum qr_migratetype type = qr__pageblock_type(zone->frames, pfn);

		if (qr__type_mergeable(type))
			qr_move_freepages_block(zone, pfn, type, QR_MIGRATE_MOVABLE);
	}
}

uint64_t qr___isolate_free_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	enum qr_migratetype type = qr__pageblock_type(zone->frames, pfn);
	struct qr_block block = {.pfn = pfn, .order = order};

	/* Isolated pages are not counted as free, so taking them off changes no watermark. */
	if (type != QR_MIGRATE_ISOLATE) {
		uint64_t mark = qr__read(&zone->watermark[QR_WMARK_MIN]) + qr__order_pages(order);

		if (!qr_zone_watermark_ok(zone, 0, mark, QR_ZONE_DMA, QR_ALLOC_CMA))
			return 0;
	}
	zone->ops->take_block(zone, block, order, type);
	qr__page_type_set(zone->frames, qr__pfn_page(zone->frames, pfn), QR_PT_ISOLATED);
	if (order + 1 >= QR_PAGEBLOCK_ORDER)
		pageblocks_make_movable(zone, pfn, order);
	return qr__order_pages(order);
}

/* Have pageblocks of the block become of different types while it was away? */
static bool types_differ(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			 enum qr_migratetype type)
{
	for (uint64_t i = 0; i < qr__order_pages(order); i += QR_PAGEBLOCK_NR_PAGES) {
		if (qr__pageblock_type(zone->frames, pfn + i) != type)
			return true;
	}
	return false;
}

void qr___putback_isolated_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
				enum qr_migratetype type)
{
	const qr_fpi_t fpi = QR_FPI_SKIP_REPORT_NOTIFY | QR_FPI_TO_TAIL;

	qr__page_type_set(zone->frames, qr__pfn_page(zone->frames, pfn), QR_PT_PCP);
	if (order > QR_PAGEBLOCK_ORDER && types_differ(zone, pfn, order, type))
		qr_split_large_buddy(zone, pfn, order, fpi);
	else
		qr___free_one_page(zone, pfn, order, type, fpi);
}

/* Pageblocks ------------------------------------------------------------------------------- */

/* Is the buddy of this free pageblock a free block of the same size that is not isolated? */
static bool has_free_buddy(struct qr_zone *zone, qr_pfn_t start_pfn)
{
	qr_pfn_t buddy_pfn = start_pfn ^ QR_PAGEBLOCK_NR_PAGES;
	struct qr_block buddy;

	return QR_PAGEBLOCK_ORDER < QR_MAX_PAGE_ORDER && zone->ops->find(zone, buddy_pfn, &buddy) &&
	       buddy.order == QR_PAGEBLOCK_ORDER &&
	       qr__pageblock_type(zone->frames, buddy_pfn) != QR_MIGRATE_ISOLATE;
}

/* The pageblock is all free, in a block that has to be cut, or that could join when it is back. */
static bool must_give_anew(struct qr_zone *zone, qr_pfn_t start_pfn, bool isolate,
			   struct qr_block *block)
{
	if (!zone->ops->find(zone, start_pfn, block))
		return false;
	if (block->order > QR_PAGEBLOCK_ORDER)
		return true;
	return !isolate && block->order == QR_PAGEBLOCK_ORDER && has_free_buddy(zone, start_pfn);
}

/* Take the block off its list, change the pageblock, and free all pageblocks of the block. */
static void block_give_anew(struct qr_zone *zone, qr_pfn_t start_pfn, bool isolate,
			    struct qr_block block) QR_REQUIRES(zone->lock)
{
	zone->ops->take_block(zone, block, block.order,
			      qr__pageblock_type(zone->frames, block.pfn));
	qr__pageblock_isolate_set_locked(zone, start_pfn, isolate);
	if (block.order > QR_PAGEBLOCK_ORDER)
		qr_split_large_buddy(zone, block.pfn, block.order, QR_FPI_NONE);
	else
		qr___free_one_page(zone, start_pfn, block.order,
				   qr__pageblock_type(zone->frames, start_pfn),
				   QR_FPI_SKIP_REPORT_NOTIFY | QR_FPI_TO_TAIL);
}

bool qr_move_freepages_block_isolate(struct qr_zone *zone, qr_pfn_t pfn, bool isolate)
{
	qr_pfn_t start_pfn = qr__pageblock_start(pfn);
	enum qr_migratetype from = qr__pageblock_type(zone->frames, pfn);
	struct qr_block block;

	if (!qr__pageblock_in_zone(zone, pfn))
		return false;
	if (isolate == (from == QR_MIGRATE_ISOLATE))
		return true;
	if (must_give_anew(zone, start_pfn, isolate, &block)) {
		block_give_anew(zone, start_pfn, isolate, block);
		return true;
	}
	qr__pageblock_isolate_set_locked(zone, start_pfn, isolate);
	zone->ops->move(zone, start_pfn, start_pfn + QR_PAGEBLOCK_NR_PAGES, from,
			qr__pageblock_type(zone->frames, start_pfn));
	return true;
}
