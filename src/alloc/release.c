/* SPDX-License-Identifier: MIT */
/*
 * alloc/release.c - where free memory comes from: fresh RAM, reserved pages, CMA areas
 *
 * Theory of operation
 * -------------------
 * When an instance is made, no frame is free.  Each zone's RAM is *released*: cut into the largest
 * aligned blocks that fit and given to the engine, at the cold ends of the lists.  Only the record
 * of each block's first frame is touched, so a release of 4 MiB writes a few words, and pageblocks
 * are MOVABLE without being written at all, because that is what a zeroed record says.  (Movable
 * from the start: the few unmovable requests of the early days borrow whole pageblocks from it
 * instead of sprinkling all of them.)
 *
 * Release goes from the bottom of a zone to its top, in runs that end at section boundaries;
 * zone->deferred_pfn says how far it got, QR_PFN_NONE that all is done.  Without
 * QR_OPT_DEFERRED_INIT that happens at creation.  With it, only the first run is released then, and
 * the rest
 *
 *	on demand	a request finds a zone short: qr_deferred_grow_zone() releases another run
 *	in background	a work item releases a few runs at a time until all is done
 *	at once		qr_page_alloc_init_late()
 *
 * Memory that waits counts as managed from the start, so watermarks, reserves and cache sizes are
 * those of the whole machine and do not change while it grows; nr_free_pages rises instead.  A zone
 * that looks short only because the rest of it still waits is grown before anybody reclaims.
 *
 * Locking: everything about a zone's progress is under zone->lock; deferred_pfn may be read by
 * anyone.
 */
#include "allocator.h"

/* Runs that the background work releases at a time: 1 GiB with sections of 128 MiB. */
#define RUNS_AT_A_TIME 8

/* Fresh RAM -------------------------------------------------------------------------------- */

/* The largest block that may begin at pfn and ends at or before end_pfn. */
static unsigned largest_order(qr_pfn_t pfn, qr_pfn_t end_pfn)
{
	unsigned order = qr__fls64(end_pfn - pfn) - 1;

	if (pfn)
		order = (unsigned)qr__min(order, qr__ctz64(pfn));
	return (unsigned)qr__min(order, QR_MAX_PAGE_ORDER);
}

/* A block nobody ever had. */
static void block_release_locked(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
				 enum qr_migratetype type) QR_REQUIRES(zone->lock)
{
	qr___free_one_page(zone, pfn, order, type, QR_FPI_FRESH);
}

static void range_release_locked(struct qr_zone *zone, qr_pfn_t pfn, qr_pfn_t end_pfn)
	QR_REQUIRES(zone->lock)
{
	while (pfn < end_pfn) {
		unsigned order = largest_order(pfn, end_pfn);

		block_release_locked(zone, pfn, order, qr__pageblock_type(zone->frames, pfn));
		pfn += qr__order_pages(order);
	}
}

/* All of the zone is released. */
static void release_finish_locked(struct qr_zone *zone) QR_REQUIRES(zone->lock)
{
	qr__write(&zone->deferred_pfn, QR_PFN_NONE);
	qr__write(&zone->nr_deferred, 0);
	if (zone->frames->shuffle)
		zone->ops->shuffle(zone);
}

/* Release the next run; how many pages: 0: there is none. */
static uint64_t run_release_locked(struct qr_zone *zone) QR_REQUIRES(zone->lock)
{
	qr_pfn_t start_pfn = qr__read(&zone->deferred_pfn);
	qr_pfn_t end_pfn, next_pfn;
	uint64_t nr;

	if (start_pfn == QR_PFN_NONE)
		return 0;
	if (!qr__zone_next_fresh(zone, &start_pfn, &end_pfn)) {
		release_finish_locked(zone);
		return 0;
	}
	range_release_locked(zone, start_pfn, end_pfn);
	nr = end_pfn - start_pfn;
	qr__write(&zone->deferred_pfn, end_pfn);
	qr__write(&zone->nr_deferred, qr__read(&zone->nr_deferred) - nr);

	start_pfn = end_pfn;
	if (!qr__zone_next_fresh(zone, &start_pfn, &next_pfn))
		release_finish_locked(zone);
	return nr;
}

static uint64_t run_release(struct qr_zone *zone)
{
	unsigned long irqs = qr__zone_lock(zone);
	uint64_t nr = run_release_locked(zone);

	qr__zone_unlock(zone, irqs);
	return nr;
}

/* Runs are whole up to a section's end, and no order exceeds a section unless a run is short. */
bool qr_deferred_grow_zone(struct qr_zone *zone, unsigned order)
{
	uint64_t grown = 0, nr;

	if (qr__likely(qr__read(&zone->deferred_pfn) == QR_PFN_NONE))
		return false;
	do {
		nr = run_release(zone);
		grown += nr;
	} while (nr && grown < qr__order_pages(order));
	return grown != 0;
}

/* At creation, in background, at once ------------------------------------------------------ */

/* Release up to this many runs of all zones; false: nothing is left. */
static bool runs_release(struct qr_allocator *alloc, unsigned runs)
{
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		while (runs && run_release(zone))
			runs--;
		if (!runs)
			return true;
	}
	return false;
}

static void deferred_run(struct qr_base *base, struct qr_work *work)
{
	struct qr_allocator *alloc = (struct qr_allocator *)(void *)base;

	if (runs_release(alloc, RUNS_AT_A_TIME))
		qr__work_queue(base, work, 0);
}

void qr__release_init(struct qr_allocator *alloc)
{
	struct qr_zone *zone;

	qr__work_init(&alloc->deferred, deferred_run);
	qr__for_each_zone(&alloc->frames, zone)
	{
		uint64_t managed = qr__read(&zone->managed_pages);
		bool fresh = managed && zone->type != QR_ZONE_DEVICE;

		qr__write(&zone->deferred_pfn, fresh ? qr__zone_start(zone) : QR_PFN_NONE);
		qr__write(&zone->nr_deferred, fresh ? managed : 0);
	}
}

void qr__release_memory(struct qr_allocator *alloc)
{
	bool defer = (alloc->options & QR_OPT_DEFERRED_INIT) != 0;
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		while (run_release(zone) && !defer)
			;
	}
	if (defer)
		qr__work_queue(qr__alloc_base(alloc), &alloc->deferred, 0);
	atomic_store_explicit(&alloc->initialised, true, memory_order_release);
}

void qr_page_alloc_init_late(struct quire *q)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		while (run_release(zone))
			;
	}
	qr__work_cancel(qr__alloc_base(alloc), &alloc->deferred);
}

/* Pages that were reserved ----------------------------------------------------------------- */

/* Does the head of some block, in use or cached, speak for this frame? */
static bool frame_has_head(const struct qr_frames *frames, qr_pfn_t pfn)
{
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t head_pfn = qr__align_down(pfn, qr__order_pages(order));
		uint64_t head;

		if (!qr__pfn_in_span(frames, head_pfn))
			return false;
		head = qr__pfn_word(frames, head_pfn);
		if (qr__word_type(head) == QR_PT_NONE)
			continue;
		if (qr__word_type(head) == QR_PT_TAIL || qr__word_order(head) >= order)
			return true;
	}
	return false;
}

/*
 * Is the frame still as it was found, or did it join the allocator since?  Extents never change, so
 * the engine must say whether it is free, and the records whether it is in a block that is not.
 */
static bool frame_joined_locked(struct qr_zone *zone, qr_pfn_t pfn) QR_REQUIRES(zone->lock)
{
	struct qr_block block;

	return zone->ops->find(zone, pfn, &block) || frame_has_head(zone->frames, pfn);
}

static bool range_is_reserved_locked(struct qr_zone *zone, qr_pfn_t pfn, uint64_t nr)
	QR_REQUIRES(zone->lock)
{
	for (uint64_t i = 0; i < nr; i++) {
		const struct qr_extent *extent = qr__extent_of(zone->frames, pfn + i);

		if (!extent || extent->kind != QR_RANGE_RESERVED ||
		    frame_joined_locked(zone, pfn + i))
			return false;
	}
	return true;
}

/* What the watermarks are computed from changed: the protection of lower zones with it (A7). */
static void managed_adjust_locked(struct qr_allocator *alloc, struct qr_zone *zone, int64_t delta)
	QR_REQUIRES(alloc->tunables_lock)
{
	atomic_fetch_add_explicit(&zone->managed_pages, (uint64_t)delta, memory_order_relaxed);
	qr_setup_per_zone_lowmem_reserve(alloc);
}

static void managed_adjust(struct qr_zone *zone, int64_t delta)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	struct qr_base *base = qr__alloc_base(alloc);

	qr__lock(base, &alloc->tunables_lock);
	managed_adjust_locked(alloc, zone, delta);
	qr__unlock(base, &alloc->tunables_lock);
}

/* Reserved frames of one zone join it as one block under a type. */
static int reserved_release(struct qr_allocator *alloc, qr_pfn_t pfn, unsigned order, bool cma)
{
	struct qr_zone *zone = qr__pfn_zone(&alloc->frames, pfn);
	uint64_t nr = qr__order_pages(order);
	unsigned long irqs;

	if (!zone || zone->type == QR_ZONE_DEVICE)
		return QR_EINVAL;
	irqs = qr__zone_lock(zone);
	if (!range_is_reserved_locked(zone, pfn, nr)) {
		qr__zone_unlock(zone, irqs);
		return QR_EINVAL;
	}
	if (cma) {
		qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_CMA);
		qr__bump(&zone->cma_pages, nr);
	}
	block_release_locked(zone, pfn, order, qr__pageblock_type(&alloc->frames, pfn));
	qr__zone_unlock(zone, irqs);
	managed_adjust(zone, (int64_t)nr);
	return QR_OK;
}

int qr_free_reserved_page(struct quire *q, qr_pfn_t pfn)
{
	struct qr_allocator *alloc = qr__allocator(q);
	int ret = reserved_release(alloc, pfn, 0, false);

	if (ret < 0)
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"free of reserved pfn %#llx: it is not a reserved page, or no longer one",
			(unsigned long long)pfn);
	return ret;
}

int qr_init_cma_reserved_pageblock(struct quire *q, qr_pfn_t pfn)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_zone *zone = qr__pfn_zone(&alloc->frames, pfn);
	int ret = QR_EINVAL;

	if (qr__is_aligned(pfn, QR_PAGEBLOCK_NR_PAGES) && zone && qr__pageblock_in_zone(zone, pfn))
		ret = reserved_release(alloc, pfn, QR_PAGEBLOCK_ORDER, true);
	if (ret < 0)
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"CMA pageblock at pfn %#llx: it must be a whole, aligned pageblock of "
			"reserved pages",
			(unsigned long long)pfn);
	return ret;
}

/* As much as is there may be taken out, and as much as was taken out may come back. */
static bool adjustment_fits(const struct qr_zone *zone, int64_t delta)
{
	uint64_t taken = -qr__read(&zone->adjusted_pages);

	if (delta < 0)
		return -(uint64_t)delta <= qr__read(&zone->managed_pages);
	return (uint64_t)delta <= taken;
}

static int adjust(struct qr_allocator *alloc, struct qr_zone *zone, int64_t delta)
{
	struct qr_base *base = qr__alloc_base(alloc);
	bool fits;

	qr__lock(base, &alloc->tunables_lock);
	fits = adjustment_fits(zone, delta);
	if (fits) {
		qr__write(&zone->adjusted_pages, qr__read(&zone->adjusted_pages) + (uint64_t)delta);
		managed_adjust_locked(alloc, zone, delta);
	}
	qr__unlock(base, &alloc->tunables_lock);
	return fits ? QR_OK : QR_EINVAL;
}

int qr_adjust_managed_page_count(struct quire *q, struct qr_page *page, int64_t delta)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_zone *zone = NULL;
	int ret;

	page = qr__page_validate(&alloc->frames, page);
	if (page)
		zone = qr__pfn_zone(&alloc->frames, qr__page_pfn(&alloc->frames, page));
	if (!QR_CHECK(qr__alloc_base(alloc), zone, "managed pages: not a page of this instance"))
		return QR_EINVAL;
	ret = adjust(alloc, zone, delta);
	if (ret < 0)
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"managed pages of zone %s of node %d cannot change by %lld: %llu are "
			"managed, "
			"and %llu were taken out",
			qr_zone_type_name(zone->type), zone->nid, (long long)delta,
			(unsigned long long)qr__read(&zone->managed_pages),
			(unsigned long long)-qr__read(&zone->adjusted_pages));
	return ret;
}
