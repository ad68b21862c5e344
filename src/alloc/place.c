/* SPDX-License-Identifier: MIT */
/*
 * alloc/place.c - certain frames, and certain pageblocks
 *
 * Ordinary requests never say where.  Two kinds of callers must: one that builds an instance over a
 * machine that runs already, whose frames are in use where they are; and one that needs a
 * certain place.  Both take a block out of the middle of whatever free block holds it
 * (the engine's carve), which is why watermarks, caches and fallback have no part in it.
 *
 * A free block larger than a pageblock has one type for all it covers (B5), and two such pageblocks
 * that are both free would join again at once.  So what lies in one free block changes its type
 * together.
 */
#include "allocator.h"

/* The zone that holds all of [pfn, pfn + 2^order); NULL: no zone does. */
static struct qr_zone *zone_of_block(const struct qr_frames *frames, qr_pfn_t pfn, unsigned order)
{
	qr_pfn_t last = pfn + qr__order_pages(order) - 1;
	const struct qr_extent *extent;

	if (!qr__pfn_in_span(frames, pfn) || !qr__pfn_in_span(frames, last))
		return NULL;
	extent = qr__extent_of(frames, pfn);
	if (!extent || last >= extent->end_pfn || extent->kind != QR_RANGE_RAM)
		return NULL;
	return qr__pfn_zone(frames, pfn);
}

int qr_alloc_pages_at(struct quire *q, qr_pfn_t pfn, unsigned order, qr_gfp_t gfp,
		      struct qr_page **page)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_zone *zone;
	unsigned long irqs;
	bool taken;

	if (order > QR_MAX_PAGE_ORDER || !qr__is_aligned(pfn, qr__order_pages(order)))
		return QR_EINVAL;
	zone = zone_of_block(&alloc->frames, pfn, order);
	if (!zone)
		return QR_EINVAL;
	irqs = qr__zone_lock(zone);
	taken = zone->ops->carve(zone, pfn, order);
	qr__zone_unlock(zone, irqs);
	if (!taken)
		return QR_EBUSY;
	*page = qr__pfn_page(&alloc->frames, pfn);
	qr_prep_new_page(alloc, *page, order, gfp, 0);
	qr__count(qr__alloc_base(alloc), QR_EV_PGALLOC + zone->type, qr__order_pages(order));
	return 0;
}

/* The pageblock lies inside a larger free block: all that this block covers changes its type. */
static void large_block_retype_locked(struct qr_zone *zone, struct qr_block block,
				      enum qr_migratetype from, enum qr_migratetype to)
	QR_REQUIRES(zone->lock)
{
	qr_pfn_t end_pfn = block.pfn + qr__order_pages(block.order);

	zone->ops->take_block(zone, block, block.order, from);
	for (qr_pfn_t pfn = block.pfn; pfn < end_pfn; pfn += QR_PAGEBLOCK_NR_PAGES)
		qr__pageblock_type_set_locked(zone, pfn, to);
	qr___free_one_page(zone, block.pfn, block.order, qr__type_stored(zone->frames, to),
			   QR_FPI_SKIP_REPORT_NOTIFY | QR_FPI_TO_TAIL);
}

static int pageblock_retype_locked(struct qr_zone *zone, qr_pfn_t start_pfn,
				   enum qr_migratetype type) QR_REQUIRES(zone->lock)
{
	enum qr_migratetype from = qr__pageblock_type(zone->frames, start_pfn);
	struct qr_block block;

	if (!qr__type_mergeable(from) || !qr__pageblock_in_zone(zone, start_pfn))
		return QR_EBUSY;
	if (from == type)
		return 0;
	if (zone->ops->find(zone, start_pfn, &block) && block.order > QR_PAGEBLOCK_ORDER) {
		large_block_retype_locked(zone, block, from, type);
		return 0;
	}
	return qr_move_freepages_block(zone, start_pfn, from, type) < 0 ? QR_EBUSY : 0;
}

int qr_set_pageblock_migratetype(struct quire *q, qr_pfn_t pfn, enum qr_migratetype type)
{
	struct qr_frames *frames = qr__frames(q);
	struct qr_zone *zone;
	unsigned long irqs;
	int error;

	if ((unsigned)type >= QR_MIGRATE_PCPTYPES || !qr__pfn_in_span(frames, pfn))
		return QR_EINVAL;
	zone = qr__pfn_zone(frames, pfn);
	if (!zone)
		return QR_EINVAL;
	irqs = qr__zone_lock(zone);
	error = pageblock_retype_locked(zone, qr__pageblock_start(pfn), type);
	qr__zone_unlock(zone, irqs);
	return error;
}
