/* SPDX-License-Identifier: MIT */
/*
 * watch/snapshot.c - an instance, a zone, a cache as numbers
 *
 * A zone's snapshot is taken under its lock and is consistent in itself, caches apart: their sizes
 * are read without their locks.
 */
#include "../alloc/pcp.h"

#include "page_owner.h"
#include "walk.h"

/* One zone --------------------------------------------------------------------------------- */

static void snapshot_sizes(const struct qr_zone *zone, struct qr_zone_snapshot *snap)
{
	snap->nid = zone->nid;
	snap->type = zone->type;
	snap->name = qr_zone_type_name(zone->type);
	snap->start_pfn = qr__zone_start(zone);
	snap->end_pfn = qr__zone_end(zone);
	snap->spanned = qr__read(&zone->spanned_pages);
	snap->present = qr__read(&zone->present_pages);
	snap->managed = qr__read(&zone->managed_pages);
	snap->cma = qr__read(&zone->cma_pages);
	snap->nr_deferred = qr__read(&zone->nr_deferred);
}

static void snapshot_counts(const struct qr_zone *zone, struct qr_zone_snapshot *snap)
{
	snap->nr_free = qr__read(&zone->nr_free_pages);
	snap->nr_free_cma = qr__read(&zone->nr_free_cma);
	snap->nr_free_highatomic = qr__read(&zone->nr_free_highatomic);
	snap->nr_reserved_highatomic = qr__read(&zone->nr_reserved_highatomic);
	snap->nr_isolate_pageblock = qr__read(&zone->nr_isolate_pageblock);
	snap->stat_threshold = atomic_load_explicit(&zone->stat_threshold, memory_order_relaxed);
	snap->below_high = qr__zone_flag(zone, QR_ZONE_BELOW_HIGH);
	snap->boosted = qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK);
}

static void snapshot_marks(const struct qr_zone *zone, struct qr_zone_snapshot *snap)
{
	snap->watermark_boost = qr__read(&zone->watermark_boost);
	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		snap->watermark[mark] = qr__read(&zone->watermark[mark]) + snap->watermark_boost;
	for (unsigned type = 0; type < QR_NR_ZONES; type++)
		snap->lowmem_reserve[type] = qr__read(&zone->lowmem_reserve[type]);
}

static void snapshot_blocks(struct qr_zone *zone, struct qr_zone_snapshot *snap)
{
	qr_pfn_t start_pfn = 0, end_pfn;

	if (!qr__zone_populated(zone))
		return;
	qr__buddy_settle_locked(zone);
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
		snap->nr_blocks[order] = zone->ops->nr_blocks_racy(zone, order);
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			snap->nr_blocks_type[type][order] = zone->ops->nr_blocks_type_racy(
				zone, order, (enum qr_migratetype)type);
	}
	for (; qr__zone_next_pageblock(zone, &start_pfn, &end_pfn); start_pfn = end_pfn)
		if (qr__pageblock_counts(zone, start_pfn))
			snap->nr_pageblocks[qr__pageblock_type(zone->frames, start_pfn)]++;
}

static uint64_t nr_pcp_pages_racy(const struct qr_zone *zone)
{
	uint64_t nr = 0;

	if (!zone->pcp)
		return 0;
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++) {
		int32_t count = qr__pcp_count_racy(qr__pcp_of(zone, cpu));

		nr += count > 0 ? (uint64_t)count : 0;
	}
	return nr;
}

int qr_zone_snapshot(struct quire *q, int nid, enum qr_zone_type type,
		     struct qr_zone_snapshot *snap)
{
	struct qr_zone *zone = qr__zone_find(q, nid, type);
	unsigned long irqs;

	if (!zone)
		return QR_ENOENT;
	*snap = (struct qr_zone_snapshot){0};
	irqs = qr__zone_lock(zone);
	snapshot_sizes(zone, snap);
	snapshot_counts(zone, snap);
	snapshot_marks(zone, snap);
	snapshot_blocks(zone, snap);
	qr__zone_unlock(zone, irqs);
	snap->nr_pcp_pages = nr_pcp_pages_racy(zone);
	return 0;
}

/* Counts that can be below 0 for a moment are shown as 0. */
static unsigned read_positive(const _Atomic int32_t *value)
{
	int32_t v = atomic_load_explicit(value, memory_order_relaxed);

	return v > 0 ? (unsigned)v : 0;
}

int qr_pcp_snapshot(struct quire *q, int nid, enum qr_zone_type type, unsigned cpu,
		    struct qr_pcp_snapshot *snap)
{
	const struct qr_zone *zone = qr__zone_find(q, nid, type);
	const struct qr_per_cpu_pages *pcp;

	if (!zone || !zone->pcp || cpu >= qr__base(q)->nr_cpus)
		return QR_ENOENT;
	pcp = qr__pcp_of(zone, cpu);
	*snap = (struct qr_pcp_snapshot){
		.count = (unsigned)qr__max(0, (uint64_t)qr__pcp_count_racy(pcp)),
		.high = read_positive(&pcp->high),
		.batch = read_positive(&pcp->batch),
		.high_min = read_positive(&pcp->high_min),
		.high_max = read_positive(&pcp->high_max),
		.free_count = read_positive(&pcp->free_count),
		.alloc_factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed),
	};
	return 0;
}

/* Single numbers --------------------------------------------------------------------------- */

uint64_t qr_zone_free_pages(const struct qr_zone *zone)
{
	return qr__read(&zone->nr_free_pages);
}

uint64_t qr_zone_watermark(const struct qr_zone *zone, enum qr_watermark mark)
{
	return (size_t)mark < QR_NR_WMARK ? qr__wmark_pages(zone, mark) : 0;
}

int qr_zone_nid(const struct qr_zone *zone)
{
	return zone->nid;
}

enum qr_zone_type qr_zone_type_of(const struct qr_zone *zone)
{
	return zone->type;
}

/* The instance ----------------------------------------------------------------------------- */

static void snapshot_extents(const struct qr_frames *frames, struct qr_quire_snapshot *snap)
{
	for (unsigned i = 0; i < frames->nr_extents; i++) {
		const struct qr_extent *extent = &frames->extents[i];

		if (i == 0 || extent->start_pfn < snap->start_pfn)
			snap->start_pfn = extent->start_pfn;
		if (extent->end_pfn > snap->end_pfn)
			snap->end_pfn = extent->end_pfn;
	}
}

void qr_quire_snapshot(struct quire *q, struct qr_quire_snapshot *snap)
{
	const struct qr_watch *watch = qr__watch(q);
	const struct qr_frames *frames = &watch->alloc.frames;
	struct qr_zone *zone;
	int64_t min_free =
		atomic_load_explicit(&watch->alloc.min_free_kbytes, memory_order_relaxed);

	*snap = (struct qr_quire_snapshot){
		.nr_nodes = frames->nr_nodes,
		.nr_cpus = frames->base.nr_cpus,
		.min_free_kbytes = (uint64_t)min_free,
		.metadata_size = watch->metadata_size,
		.mobility_disabled =
			atomic_load_explicit(&frames->mobility_disabled, memory_order_relaxed),
		.options = watch->alloc.options,
	};
	snapshot_extents(frames, snap);
	qr__for_each_zone(frames, zone)
	{
		snap->present += qr__read(&zone->present_pages);
		snap->managed += qr__read(&zone->managed_pages);
		snap->nr_free += qr__read(&zone->nr_free_pages);
		if (!snap->engine && zone->ops)
			snap->engine = zone->ops->name;
	}
}

uint64_t qr_si_mem_available(struct quire *q)
{
	const struct qr_frames *frames = qr__frames(q);
	uint64_t nr_free = 0, reserve = 0;
	struct qr_zone *zone;

	/* Page cache and reclaimable slab would be added here; nothing keeps such pages yet. */
	qr__for_each_zone(frames, zone)
	{
		nr_free += qr__read(&zone->nr_free_pages);
	}
	for (unsigned nid = 0; nid < frames->nr_nodes; nid++)
		reserve += qr__read(&frames->nodes[nid].totalreserve_pages);
	return nr_free > reserve ? nr_free - reserve : 0;
}
