/* SPDX-License-Identifier: MIT */
/*
 * highatomic.c - the reserve for atomic high-order requests
 *
 * A request that can neither wait nor be split, such as a driver's for a large receive buffer,
 * lives off whatever contiguous memory happens to be free.  So the pageblock of such a request,
 * when one was served, becomes HIGHATOMIC: what is free in it now or later is kept for more of the
 * kind.  About a hundredth of a zone may be kept so, and none of a zone so small that a hundredth
 * is less than a pageblock.
 *
 * When others would fail for want of memory, the pageblocks go back to common use one by one.
 *
 * zone->nr_reserved_highatomic counts the frames of HIGHATOMIC pageblocks, free or not.  Only
 * pageblocks of the plain types become such: a CMA pageblock is promised to somebody else, an
 * isolated one is about to go away.
 *
 * Locking: the count is read without the lock to see whether there is anything to do at all, and
 * again with it.
 */
#include "../base/bits.h"
#include "allocator.h"

/* Reserving -------------------------------------------------------------------------------- */

static bool reserve_is_full(const struct qr_zone *zone, uint64_t limit)
{
	return qr__read(&zone->nr_reserved_highatomic) >= limit;
}

/* Retype what the block covers; returns the frames reserved by that. */
static uint64_t pageblocks_reserve_locked(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
					  enum qr_migratetype type) QR_REQUIRES(zone->lock)
{
	if (order < QR_PAGEBLOCK_ORDER) {
		if (qr_move_freepages_block(zone, pfn, type, QR_MIGRATE_HIGHATOMIC) < 0)
			return 0;
		return QR_PAGEBLOCK_NR_PAGES;
	}
	/* All of it is the request's own, so there are no free pages to move. */
	for (uint64_t i = 0; i < qr__order_pages(order); i += QR_PAGEBLOCK_NR_PAGES)
		qr__pageblock_type_set_locked(zone, pfn + i, QR_MIGRATE_HIGHATOMIC);
	return qr__order_pages(order);
}

void qr_reserve_highatomic_pageblock(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	uint64_t limit = qr__highatomic_limit(qr__read(&zone->managed_pages)), nr_pages = 0;
	enum qr_migratetype type;
	unsigned long irqs;

	if (reserve_is_full(zone, limit))
		return;
	irqs = qr__zone_lock(zone);
	type = qr__pageblock_type(zone->frames, pfn);
	if (!reserve_is_full(zone, limit) && qr__type_mergeable(type)) {
		nr_pages = pageblocks_reserve_locked(zone, pfn, order, type);
		qr__bump(&zone->nr_reserved_highatomic, nr_pages);
	}
	qr__zone_unlock(zone, irqs);
	if (nr_pages)
		qr__stat(qr__zone_allocator(zone), QR_STAT_HIGHATOMIC_RESERVED,
			 nr_pages >> QR_PAGEBLOCK_ORDER);
}

/* Giving up -------------------------------------------------------------------------------- */

/* The smallest free block of the reserve; false: all of it is in use. */
static bool reserve_first(struct qr_zone *zone, struct qr_block *block)
{
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		if (zone->ops->first(zone, order, QR_MIGRATE_HIGHATOMIC, block))
			return true;
	}
	return false;
}

/*
 * The pageblocks that a free block lies in become @type; returns how many.  Several free blocks may
 * lie in one pageblock, but the pageblock is found and uncounted once: with its type it leaves the
 * lists we look at.
 */
static uint64_t pageblocks_unreserve_locked(struct qr_zone *zone, struct qr_block block,
					    enum qr_migratetype type) QR_REQUIRES(zone->lock)
{
	qr_pfn_t start_pfn = qr__pageblock_start(block.pfn);
	uint64_t nr_pages = qr__max(QR_PAGEBLOCK_NR_PAGES, qr__order_pages(block.order));

	zone->ops->move(zone, start_pfn, start_pfn + nr_pages, QR_MIGRATE_HIGHATOMIC,
			qr__type_stored(zone->frames, type));
	for (uint64_t i = 0; i < nr_pages; i += QR_PAGEBLOCK_NR_PAGES)
		qr__pageblock_type_set_locked(zone, start_pfn + i, type);
	qr__bump(&zone->nr_reserved_highatomic,
		 -qr__min(nr_pages, qr__read(&zone->nr_reserved_highatomic)));
	return nr_pages >> QR_PAGEBLOCK_ORDER;
}

static bool zone_unreserve(struct qr_zone *zone, enum qr_migratetype type)
{
	unsigned long irqs = qr__zone_lock(zone);
	struct qr_block block;
	uint64_t nr_pageblocks = 0;

	if (reserve_first(zone, &block))
		nr_pageblocks = pageblocks_unreserve_locked(zone, block, type);
	qr__zone_unlock(zone, irqs);
	if (!nr_pageblocks)
		return false;
	qr__stat(qr__zone_allocator(zone), QR_STAT_HIGHATOMIC_UNRESERVED, nr_pageblocks);
	return true;
}

/*
 * Give a pageblock of some zone's reserve to the type of this request, unless it is the zone's last
 * one and nothing forces us; false: there was none with free pages.
 */
bool qr_unreserve_highatomic_pageblock(struct qr_allocator *alloc,
				       const struct qr_alloc_context *ac, bool force)
{
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	(void)alloc;
	qr__for_each_zone_zonelist(ref, zone, ac->zonelist, ac->highest_zoneidx, ac->nodemask)
	{
		if (!force && qr__read(&zone->nr_reserved_highatomic) <= QR_PAGEBLOCK_NR_PAGES)
			continue;
		if (zone_unreserve(zone, ac->migratetype))
			return true;
	}
	return false;
}
