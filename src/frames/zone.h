/* SPDX-License-Identifier: MIT */
/*
 * frames/zone.h - zones, nodes and zonelists: the facts
 *
 * A zone is where frames of one node wait that are good for the same uses.  This record holds what
 * is known of it; what is done with it is decided elsewhere: the free lists belong to the buddy
 * engine (zone->buddy), the caches to alloc/pcp.c (zone->pcp), the watermarks to alloc/watermark.c.
 *
 * Sizes: spanned = end - start with holes; present = spanned - holes; managed = present - reserved.
 * Watermarks, batch sizes and ratios are computed from managed.
 *
 * Letters: c - constant after creation; z - written under zone->lock, read by anyone (relaxed);
 * t - written under the tunables' lock, read by anyone; b - under the pcp_batch_high lock; a -
 * atomic.
 */
#ifndef QR_FRAMES_ZONE_H
#define QR_FRAMES_ZONE_H

#include "../base/base.h"
#include "page.h"

struct qr_buddy_ops; /* buddy/engine.h */
struct qr_per_cpu_pages; /* alloc/pcp.h */
struct qr_frames; /* frames.h */
struct qr_node;

/* Bits of zone->flags. */
#define QR_ZONE_BOOSTED_WATERMARK (1u << 0) /* boosted since kswapd was last woken for it */
#define QR_ZONE_RECLAIM_ACTIVE (1u << 1) /* kswapd works here: caches shrink */
#define QR_ZONE_BELOW_HIGH (1u << 2) /* free pages fell below the high mark: caches shrink */
#define QR_ZONE_SCARCE (1u << 3) /* so few free pages that requests must look at the marks */
#define QR_ZONE_ISOLATED (1u << 4) /* some pageblock is isolated: no cache may keep its pages */
#define QR_ZONE_FLAGS ((1u << 5) - 1)

/*
 * A large zone may be divided into stripes, each with a lock of its own, so that CPUs do not wait
 * for one another; the engine decides (zone_init).  zone->lock is that of the whole zone: who holds
 * it holds all stripes' locks as well.
 */
#define QR_MAX_STRIPES 32

struct qr_stripe {
	_Alignas(64) struct qr_spinlock lock; /* rank ZONE */
	/* under the lock: acquisitions of this lock alone, and how many had to wait */
	_Atomic uint64_t nr_locks, nr_lock_waits;
};

struct qr_zone {
	/* Read by every request, written seldom. */
	_Atomic uint64_t watermark[QR_NR_WMARK]; /* t: without boost */
	_Atomic uint64_t watermark_boost; /* z */
	/* t: [j]: kept from requests that may use zone j */
	_Atomic uint64_t lowmem_reserve[QR_NR_ZONES];
	_Atomic uint64_t lowmem_reserve_max; /* t: the largest of them */
	struct qr_per_cpu_pages *pcp; /* c: CPU 0's; see qr__pcp_of() */
	const struct qr_buddy_ops *ops; /* c */
	void *buddy; /* c: the engine's state, under zone->lock by its rules */
	/* c: of its caches, CPU 0's; NULL: there are none; no flag is set before they are */
	struct qr_local_lock *pcp_locks;
	uint32_t pcp_stride; /* c: from one CPU's cache to the next, in bytes */
	unsigned nr_stripes; /* c: 0: not divided */
	unsigned stripe_order; /* c: log2 of the pages in a stripe */
	qr_pfn_t stripe_start; /* c: where the first one begins */
	struct qr_frames *frames; /* c */
	struct qr_node *node; /* c */
	int nid; /* c */
	enum qr_zone_type type; /* c */
	uint16_t id; /* c: nid * QR_NR_ZONES + type */
	uint8_t route; /* c: the first of its routes; 0: it has none; see alloc/step.h */
	_Atomic uint32_t flags; /* a: QR_ZONE_... */
	_Atomic bool has_reported; /* a: some free block is REPORTED, or once was */
	_Atomic bool loose; /* z, or set under a stripe's lock: there is something to gather */
	void (*gather)(struct qr_zone *zone); /* c: the engine's, see qr__zone_lock() */

	_Atomic uint64_t start_pfn; /* z */
	_Atomic uint64_t spanned_pages; /* z */
	_Atomic uint64_t present_pages; /* z */
	_Atomic uint64_t managed_pages; /* a */
	_Atomic uint64_t cma_pages; /* z */
	_Atomic uint64_t adjusted_pages; /* a: of managed_pages: what callers added, modulo 2^64 */
	uint64_t present_early_pages; /* c */
	_Atomic uint64_t percpu_drift_mark; /* t */
	_Atomic uint32_t stat_threshold; /* t */

	/* Sizes that all CPUs' caches of this zone share. */
	_Atomic int32_t pcp_batch, pcp_high_min, pcp_high_max; /* b */

	/*
	 * Deferred initialisation: frames of the zone's extents from here on have no records yet.
	 */
	_Atomic uint64_t deferred_pfn; /* z: QR_PFN_NONE when all is done */
	_Atomic uint64_t nr_deferred; /* z */

	/* Written by every refill and drain. */
	_Alignas(64) struct qr_spinlock lock; /* rank ZONE; taken with interrupts masked */
	/* z, or atomically under a stripe's lock: see qr__zone_account_free() */
	_Atomic uint64_t nr_free_pages; /* all lists but ISOLATE */
	_Atomic uint64_t nr_free_cma, nr_free_highatomic;
	_Atomic uint64_t nr_reserved_highatomic; /* z */
	_Atomic uint64_t nr_isolate_pageblock; /* z */
	_Atomic uint64_t nr_freed_twice; /* a: blocks that the engine found to be free already */
	uint64_t nr_isolated; /* z: pageblocks that say so, whoever isolated them */
	_Atomic uint64_t nr_locks, nr_lock_waits; /* z: acquisitions, and how many had to wait */
	/* a: NUMA events of requests that went round the caches, from QR_EV_NUMA_HIT on */
	_Atomic uint64_t numa_events[QR_EV_NUMA_OTHER - QR_EV_NUMA_HIT + 1];

	struct qr_stripe stripes[QR_MAX_STRIPES];
};

/* kswapd's and the NUMA statistics' place. */
struct qr_node {
	struct qr_frames *frames; /* c */
	int nid; /* c */
	struct qr_zone zones[QR_NR_ZONES];
	struct qr_zoneref *zonelist; /* l: fallback list; ends with zone NULL */
	struct qr_zone
		*_Atomic first_zone[QR_NR_ZONES + 1]; /* l: [j]: the first that may serve zone j;
						   c: [QR_NR_ZONES]: NULL */
	struct qr_zoneref *zonelist_thisnode; /* l: own zones only */
	_Atomic uint64_t min_unmapped_pages, min_slab_pages; /* t */
	_Atomic uint64_t totalreserve_pages; /* t */

	/* What kswapd is asked for; see alloc/kswapd.c. */
	struct qr_work kswapd;
	_Atomic int32_t kswapd_order; /* a: highest order asked for; -1: none */
	_Atomic int32_t kswapd_highest_zoneidx; /* a: highest zone asked for; -1: none */
	_Atomic uint32_t kswapd_failures; /* a: passes in a row that reclaimed nothing */
	_Atomic bool kswapd_awake; /* a: woken, and its pass has not begun */
};

/*
 * Zonelists are read without a lock and rebuilt in place under QR_RANK_ZONELISTS with
 * qr_frames.zonelist_seq odd; a request that is about to fail looks whether the sequence moved.
 */
struct qr_zoneref {
	struct qr_zone *_Atomic zone;
	_Atomic uint32_t zone_idx; /* enum qr_zone_type */
};

QR_INLINE uint64_t qr__read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

QR_INLINE void qr__write(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* Add under the lock that guards writing: no locked instruction. */
QR_INLINE void qr__bump(_Atomic uint64_t *counter, uint64_t nr)
{
	qr__write(counter, qr__read(counter) + nr);
}

/* Lock a zone, interrupts masked; the doors through which all of the core goes. */
QR_INLINE unsigned long qr__zone_lock(struct qr_zone *zone);
QR_INLINE void qr__zone_unlock(struct qr_zone *zone, unsigned long irqs);

/* Count a NUMA event of a request that no cache served: for the zone, and in the whole. */
static inline void qr__zone_count_numa(struct qr_zone *zone, unsigned event)
{
	atomic_fetch_add_explicit(&zone->numa_events[event - QR_EV_NUMA_HIT], 1,
				  memory_order_relaxed);
	qr__count((struct qr_base *)(void *)zone->frames, event, 1);
}

QR_INLINE uint64_t qr__zone_start(const struct qr_zone *zone)
{
	return qr__read(&zone->start_pfn);
}

QR_INLINE uint64_t qr__zone_end(const struct qr_zone *zone)
{
	return qr__read(&zone->start_pfn) + qr__read(&zone->spanned_pages);
}

QR_INLINE bool qr__zone_spans(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return pfn - qr__zone_start(zone) < qr__read(&zone->spanned_pages);
}

QR_INLINE bool qr__zone_populated(const struct qr_zone *zone)
{
	return qr__read(&zone->present_pages) != 0;
}

QR_INLINE bool qr__zone_flag(const struct qr_zone *zone, uint32_t flag)
{
	return (atomic_load_explicit(&zone->flags, memory_order_relaxed) & flag) != 0;
}

/* flags.c: one of them changes, and all caches are told. */
void qr__zone_flag_change(struct qr_zone *zone, uint32_t flag, bool on);

QR_INLINE void qr__zone_flag_set(struct qr_zone *zone, uint32_t flag)
{
	if (!qr__zone_flag(zone, flag))
		qr__zone_flag_change(zone, flag, true);
}

QR_INLINE void qr__zone_flag_clear(struct qr_zone *zone, uint32_t flag)
{
	if (qr__zone_flag(zone, flag))
		qr__zone_flag_change(zone, flag, false);
}

/* A watermark as requests see it: with the boost. */
QR_INLINE uint64_t qr__wmark_pages(const struct qr_zone *zone, enum qr_watermark mark)
{
	return qr__read(&zone->watermark[mark]) + qr__read(&zone->watermark_boost);
}

/* Does a request have to look at the marks, whatever it may use, up to a block of a pageblock? */
QR_INLINE bool qr__zone_is_scarce(const struct qr_zone *zone)
{
	uint64_t kept = qr__wmark_pages(zone, QR_WMARK_HIGH) + qr__read(&zone->lowmem_reserve_max) +
			qr__read(&zone->nr_free_highatomic) + qr__read(&zone->nr_free_cma);

	return qr__read(&zone->nr_free_pages) <= kept + QR_PAGEBLOCK_NR_PAGES;
}

/*
 * Keep QR_ZONE_SCARCE true to what it says (Z12), after free pages or marks have changed.  So the
 * many requests that find a zone well off read one word that seldom changes, and not the counts
 * that all CPUs write.  Of two who do this at once the later looks again, for the flag may not stay
 * clear by mistake; that it stays set costs only time, until the next refill or drain.
 */
QR_INLINE void qr__zone_scarce_review(struct qr_zone *zone)
{
	bool scarce = qr__zone_is_scarce(zone);

	if (qr__likely(scarce == qr__zone_flag(zone, QR_ZONE_SCARCE)))
		return;
	if (!scarce) {
		qr__zone_flag_change(zone, QR_ZONE_SCARCE, false);
		scarce = qr__zone_is_scarce(zone);
	}
	if (scarce)
		qr__zone_flag_set(zone, QR_ZONE_SCARCE);
}

/* Where stripes are, others may add at the same time, under another stripe's lock. */
QR_INLINE void qr__zone_count_add(const struct qr_zone *zone, _Atomic uint64_t *counter, int64_t nr)
{
	if (zone->nr_stripes)
		atomic_fetch_add_explicit(counter, (uint64_t)nr, memory_order_seq_cst);
	else
		qr__bump(counter, (uint64_t)nr);
}

/*
 * Free blocks of @nr pages in all, of type @type, came to (nr > 0) or left (nr < 0) the free lists.
 * The one door to the counts of free pages; see Accounting in ARCHITECTURE.md.
 */
QR_INLINE void qr__zone_account_free(struct qr_zone *zone, int64_t nr, enum qr_migratetype type)
{
	if (type == QR_MIGRATE_ISOLATE)
		return;
	qr__zone_count_add(zone, &zone->nr_free_pages, nr);
	if (type == QR_MIGRATE_CMA)
		qr__zone_count_add(zone, &zone->nr_free_cma, nr);
	else if (type == QR_MIGRATE_HIGHATOMIC)
		qr__zone_count_add(zone, &zone->nr_free_highatomic, nr);
	qr__zone_scarce_review(zone);
}

#endif /* QR_FRAMES_ZONE_H */
