/* SPDX-License-Identifier: MIT */
/*
 * alloc/watermark.c - how little may be left: marks, reserves, the test
 *
 * Theory of operation
 * -------------------
 * Whoever frees memory needs some himself, and an interrupt handler cannot wait for any.  So a zone
 * is not emptied by ordinary requests but kept above marks:
 *
 *	MIN	below this only requests with privileges get anything
 *	LOW	below this background reclaim is woken; ordinary requests first try to obey it
 *	HIGH	up to here background reclaim goes on
 *	PROMO	as far again, for moving pages between tiers
 *
 * All follow from one number, min_free_kbytes, that grows with the square root of memory: it is
 * shared out between zones by size, and the distances between the marks are a quarter of a zone's
 * share or a promille of the zone (watermark_scale_factor), whichever is more.
 *
 * boost is added to all of them for a while after a request had to break into a pageblock of
 * another type: background reclaim then frees a few pageblocks' worth in advance.
 *
 * lowmem_reserve keeps a zone from being filled by those who could use a higher one: a request that
 * may use zone j sees zone i < j with the j-th reserve on top of the mark, the more the larger the
 * zones above i are.
 *
 * The formulas work on managed pages, and a recomputation begins from the current high marks; doing
 * it twice therefore changes the result a little (A29), as in Linux.
 *
 * Locking: marks and reserves are written under the tunables' lock and read by anyone; boost
 * belongs to the zone's lock.
 */
#include "../base/bits.h"
#include "pcp.h"

#define KBYTES_PER_PAGE (QR_PAGE_SIZE / 1024)

#define MIN_FREE_KBYTES_MIN 128
#define MIN_FREE_KBYTES_MAX 262144

/* The formulas ----------------------------------------------------------------------------- */

static uint64_t min_free_kbytes_unclamped(uint64_t lowmem_kbytes)
{
	return qr__isqrt(lowmem_kbytes * 16);
}

uint64_t qr__min_free_kbytes_for(uint64_t lowmem_kbytes)
{
	return qr__clamp(min_free_kbytes_unclamped(lowmem_kbytes), MIN_FREE_KBYTES_MIN,
			 MIN_FREE_KBYTES_MAX);
}

/*
 * How far a per-CPU difference of a counter may go.  Our counters have none; the number is part of
 * what /proc/zoneinfo shows.  128 MiB of memory are one unit.
 */
unsigned qr__stat_threshold_for(uint64_t managed, unsigned nr_cpus)
{
	unsigned units = qr__fls64(managed * QR_PAGE_SIZE >> 27);
	unsigned threshold = 2 * qr__fls64(nr_cpus) * (1 + units);

	return threshold < 125 ? threshold : 125;
}

uint64_t qr__highatomic_limit(uint64_t managed)
{
	uint64_t limit = managed / 100;

	return limit < QR_PAGEBLOCK_NR_PAGES ? 0 : qr__align_up(limit, QR_PAGEBLOCK_NR_PAGES);
}

/* min_free_kbytes -------------------------------------------------------------------------- */

/* Pages above the high mark, in the zones up to highest. */
static uint64_t pages_to_spare(const struct qr_allocator *alloc, enum qr_zone_type highest)
{
	uint64_t sum = 0;
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		uint64_t managed = qr__read(&zone->managed_pages);
		uint64_t high = qr__wmark_pages(zone, QR_WMARK_HIGH);

		if (zone->type <= highest && managed > high)
			sum += managed - high;
	}
	return sum;
}

/* What the user asked for stands, unless there is need for more. */
void qr_calculate_min_free_kbytes(struct qr_allocator *alloc)
{
	uint64_t lowmem_kbytes = pages_to_spare(alloc, QR_ZONE_NORMAL) * KBYTES_PER_PAGE;
	uint64_t wanted = min_free_kbytes_unclamped(lowmem_kbytes);

	if ((int64_t)wanted <= alloc->user_min_free_kbytes) {
		qr__log(qr__alloc_base(alloc), QR_LOG_INFO,
			"min_free_kbytes stays at %lld, as it was set: %llu would do",
			(long long)alloc->user_min_free_kbytes, (unsigned long long)wanted);
		return;
	}
	atomic_store_explicit(&alloc->min_free_kbytes,
			      (int64_t)qr__min_free_kbytes_for(lowmem_kbytes),
			      memory_order_relaxed);
}

/* Marks ------------------------------------------------------------------------------------ */

/* Zones that only user memory lives in: they need no share of the reserve. */
static bool zone_is_spare(const struct qr_zone *zone)
{
	return zone->type == QR_ZONE_HIGHMEM || zone->type == QR_ZONE_MOVABLE;
}

static uint64_t lowmem_pages(const struct qr_allocator *alloc)
{
	uint64_t sum = 0;
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		if (!zone_is_spare(zone))
			sum += qr__read(&zone->managed_pages);
	}
	return sum;
}

/* @share: the zone's part of min_free_kbytes, in pages. */
static void zone_marks_set(struct qr_zone *zone, uint64_t share, uint64_t scale)
{
	uint64_t managed = qr__read(&zone->managed_pages);
	uint64_t min = zone_is_spare(zone) ? qr__clamp(managed / 1024, 32, 128) : share;
	uint64_t step = qr__max(share / 4, managed * scale / 10000);
	unsigned long irqs = qr__zone_lock(zone);

	qr__write(&zone->watermark_boost, 0);
	qr__write(&zone->watermark[QR_WMARK_MIN], min);
	qr__write(&zone->watermark[QR_WMARK_LOW], min + step);
	qr__write(&zone->watermark[QR_WMARK_HIGH], min + 2 * step);
	qr__write(&zone->watermark[QR_WMARK_PROMO], min + 3 * step);
	qr__zone_scarce_review(zone);
	qr__zone_unlock(zone, irqs);
}

/* What nobody but the reserves' users can have, by zone and summed up by node. */
static void totalreserve_update(struct qr_allocator *alloc)
{
	for (unsigned nid = 0; nid < alloc->frames.nr_nodes; nid++) {
		struct qr_node *node = &alloc->frames.nodes[nid];
		uint64_t sum = 0;

		for (unsigned i = 0; i < QR_NR_ZONES; i++) {
			const struct qr_zone *zone = &node->zones[i];
			uint64_t reserve = qr__read(&zone->lowmem_reserve_max) +
					   qr__wmark_pages(zone, QR_WMARK_HIGH);

			sum += qr__min(reserve, qr__read(&zone->managed_pages));
		}
		qr__write(&node->totalreserve_pages, sum);
	}
}

static unsigned nr_online_cpus(const struct qr_allocator *alloc)
{
	unsigned nr = 0;

	for (unsigned cpu = 0; cpu < alloc->frames.base.nr_cpus; cpu++)
		nr += qr__bit_test(alloc->cpu_online, cpu);
	return nr;
}

static void zone_threshold_set(struct qr_zone *zone, unsigned nr_cpus)
{
	unsigned threshold = qr__stat_threshold_for(qr__read(&zone->managed_pages), nr_cpus);
	uint64_t gap =
		qr__read(&zone->watermark[QR_WMARK_LOW]) - qr__read(&zone->watermark[QR_WMARK_MIN]);
	uint64_t drift = (uint64_t)nr_cpus * threshold;

	atomic_store_explicit(&zone->stat_threshold, threshold, memory_order_relaxed);
	qr__write(&zone->percpu_drift_mark,
		  drift > gap ? qr__wmark_pages(zone, QR_WMARK_HIGH) + drift : 0);
}

/* Also when CPUs come and go: the tolerance grows with their number. */
void qr__stat_thresholds_update(struct qr_allocator *alloc)
{
	unsigned nr_cpus = nr_online_cpus(alloc);
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		zone_threshold_set(zone, nr_cpus);
	}
}

/* The caches' limits follow the low mark. */
static void caches_update(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);
	struct qr_zone *zone;

	qr__lock(base, &alloc->pcp_batch_high_lock);
	qr__for_each_zone(&alloc->frames, zone)
	{
		if (zone->pcp)
			qr_zone_set_pageset_high_and_batch(zone, 0);
	}
	qr__unlock(base, &alloc->pcp_batch_high_lock);
}

void qr_setup_per_zone_wmarks(struct qr_allocator *alloc)
{
	int64_t kbytes = atomic_load_explicit(&alloc->min_free_kbytes, memory_order_relaxed);
	int64_t scale = atomic_load_explicit(&alloc->watermark_scale_factor, memory_order_relaxed);
	uint64_t pages_min = (uint64_t)kbytes / KBYTES_PER_PAGE;
	uint64_t lowmem = qr__max(lowmem_pages(alloc), 1);
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		zone_marks_set(zone, pages_min * qr__read(&zone->managed_pages) / lowmem,
			       (uint64_t)scale);
	}
	totalreserve_update(alloc);
	qr__stat_thresholds_update(alloc);
	caches_update(alloc);
}

/* Reserves --------------------------------------------------------------------------------- */

/* An empty zone above keeps the reserve of those between: requests for it come here, too (A6). */
static void zone_reserves_set(struct qr_node *node, unsigned i, int32_t ratio)
{
	struct qr_zone *zone = &node->zones[i];
	bool keeps = ratio > 0 && qr__read(&zone->managed_pages);
	uint64_t above = 0;
	unsigned long irqs;

	for (unsigned j = 0; j < QR_NR_ZONES; j++) {
		if (j > i)
			above += qr__read(&node->zones[j].managed_pages);
		qr__write(&zone->lowmem_reserve[j], keeps ? above / (uint64_t)ratio : 0);
	}
	qr__write(&zone->lowmem_reserve_max, keeps ? above / (uint64_t)ratio : 0);
	irqs = qr__zone_lock(zone);
	qr__zone_scarce_review(zone);
	qr__zone_unlock(zone, irqs);
}

void qr_setup_per_zone_lowmem_reserve(struct qr_allocator *alloc)
{
	for (unsigned nid = 0; nid < alloc->frames.nr_nodes; nid++) {
		for (unsigned i = 0; i < QR_ZONE_DEVICE; i++) {
			int32_t ratio = atomic_load_explicit(&alloc->lowmem_reserve_ratio[i],
							     memory_order_relaxed);

			zone_reserves_set(&alloc->frames.nodes[nid], i, ratio);
		}
	}
	totalreserve_update(alloc);
}

void qr__init_per_zone_wmark_min(struct qr_allocator *alloc)
{
	qr_calculate_min_free_kbytes(alloc);
	qr_setup_per_zone_wmarks(alloc);
	qr_setup_per_zone_lowmem_reserve(alloc);
	qr__tunables_node_ratios(alloc);
}

/* Keeping types apart needs a few pageblocks for each. */
void qr__mobility_evaluate(struct qr_allocator *alloc)
{
	bool disabled =
		pages_to_spare(alloc, QR_ZONE_MOVABLE) < QR_PAGEBLOCK_NR_PAGES * QR_MIGRATE_TYPES;

	atomic_store_explicit(&alloc->frames.mobility_disabled, disabled, memory_order_relaxed);
	qr__detour_set(alloc, QR_DETOUR_MOBILITY, disabled);
}

/* The test --------------------------------------------------------------------------------- */

/* Free pages that this request cannot have. */
static uint64_t unusable_free(const struct qr_zone *zone, unsigned order, unsigned alloc_flags)
{
	uint64_t unusable = qr__order_pages(order) - 1;

	if (!(alloc_flags & QR_ALLOC_RESERVES))
		unusable += qr__read(&zone->nr_free_highatomic);
	if (!(alloc_flags & QR_ALLOC_CMA))
		unusable += qr__read(&zone->nr_free_cma);
	return unusable;
}

/* How far below the mark a request may go: NON_BLOCK only adds to MIN_RESERVE, OOM is apart. */
static uint64_t lowered_mark(uint64_t mark, unsigned alloc_flags)
{
	uint64_t lowered = mark;

	if (alloc_flags & QR_ALLOC_MIN_RESERVE) {
		lowered -= lowered / 2;
		if (alloc_flags & QR_ALLOC_NON_BLOCK)
			lowered -= lowered / 4;
	}
	if (alloc_flags & QR_ALLOC_OOM)
		lowered -= lowered / 2;
	return lowered;
}

/* The types whose blocks this request may take. */
static unsigned usable_types(unsigned alloc_flags)
{
	unsigned types = QR_TYPE_BIT(QR_MIGRATE_UNMOVABLE) | QR_TYPE_BIT(QR_MIGRATE_MOVABLE) |
			 QR_TYPE_BIT(QR_MIGRATE_RECLAIMABLE);

	if (alloc_flags & QR_ALLOC_CMA)
		types |= QR_TYPE_BIT(QR_MIGRATE_CMA);
	if (alloc_flags & (QR_ALLOC_HIGHATOMIC | QR_ALLOC_OOM))
		types |= QR_TYPE_BIT(QR_MIGRATE_HIGHATOMIC);
	return types;
}

bool qr___zone_watermark_ok(struct qr_zone *zone, unsigned order, uint64_t mark,
			    enum qr_zone_type highest_zoneidx, unsigned alloc_flags,
			    int64_t nr_free)
{
	uint64_t reserve = qr__read(&zone->lowmem_reserve[highest_zoneidx]);

	if (order > QR_MAX_PAGE_ORDER)
		return false;
	nr_free -= (int64_t)unusable_free(zone, order, alloc_flags);
	if (nr_free <= (int64_t)(lowered_mark(mark, alloc_flags) + reserve))
		return false;
	return !order || zone->ops->has_racy(zone, order, usable_types(alloc_flags));
}

bool qr_zone_watermark_ok(struct qr_zone *zone, unsigned order, uint64_t mark,
			  enum qr_zone_type highest_zoneidx, unsigned alloc_flags)
{
	return qr___zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags,
				      (int64_t)qr__read(&zone->nr_free_pages));
}

/* Linux sums its per-CPU differences here when free pages are near the marks; ours are exact. */
bool qr_zone_watermark_ok_safe(struct qr_zone *zone, unsigned order, uint64_t mark,
			       enum qr_zone_type highest_zoneidx)
{
	return qr_zone_watermark_ok(zone, order, mark, highest_zoneidx, 0);
}

/* A boost is no reason to refuse single pages to those who may use the reserve (A16). */
QR_NOINLINE bool qr__zone_watermark_fast_slow(struct qr_zone *zone, unsigned order, uint64_t mark,
					      enum qr_zone_type highest_zoneidx,
					      unsigned alloc_flags, uint64_t nr_free)
{
	if (qr___zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags,
				   (int64_t)nr_free))
		return true;
	if (order || !(alloc_flags & QR_ALLOC_MIN_RESERVE) || !qr__read(&zone->watermark_boost) ||
	    (alloc_flags & QR_ALLOC_WMARK_MASK) != QR_ALLOC_WMARK_MIN)
		return false;
	return qr___zone_watermark_ok(zone, order, qr__read(&zone->watermark[QR_WMARK_MIN]),
				      highest_zoneidx, alloc_flags, (int64_t)nr_free);
}
