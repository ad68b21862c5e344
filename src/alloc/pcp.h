/* SPDX-License-Identifier: MIT */
/*
 * alloc/pcp.h - per-CPU caches of free pages
 *
 * One struct qr_per_cpu_pages for each zone and CPU.  Pages in it are free for their owners but not
 * for their zone: they are not in nr_free_pages, and their records say PCP.
 *
 * Only ever try to lock a cache on the way of an allocation or free: if that fails, somebody else
 * is at it (a drain, an interrupt, a thread that was moved to this CPU) and the buddy engine serves
 * directly.
 */
#ifndef QR_ALLOC_PCP_H
#define QR_ALLOC_PCP_H

#include "../base/list.h"
#include "../base/local_lock.h"
#include "allocator.h"
#include "magazine.h"

/* Lists: 3 types for each of the orders 0..3, then huge pages, not movable and movable. */
#define QR_NR_LOWORDER_PCP_LISTS (QR_MIGRATE_PCPTYPES * (QR_PAGE_ALLOC_COSTLY_ORDER + 1))
#define QR_NR_PCP_LISTS (QR_NR_LOWORDER_PCP_LISTS + 2)

#define QR_PCP_BATCH_SCALE_MAX 5
#define QR_PCP_MIN_HIGH_FRACTION 8

/* Bits of qr_per_cpu_pages.flags. */
#define QR_PCPF_PREV_FREE_HIGH_ORDER (1u << 0) /* the last free was of order 1..3 */
#define QR_PCPF_FREE_HIGH_BATCH (1u << 1) /* the CPU's data cache is large: keep a batch */

/*
 * Letters: p - under lock; P - under lock, read by anyone (relaxed); b - as in zone.h, and under
 * lock; a - atomic.
 *
 * With lists, an allocation or free of single pages touches the first two cache lines.  Counters
 * are kept here under the lock, where counting costs no locked instruction, and only what cannot be
 * derived: an allocation was local if the cache's CPU is on the zone's node, and was a hit of the
 * cache if there was no refill.
 */
struct qr_per_cpu_pages {
	_Alignas(64) struct qr_local_lock lock; /* rank PCP */
	_Atomic int32_t count; /* P: pages in all lists; magazines count themselves */
	_Atomic int32_t high; /* P: more than this is given back; between the next two */
	_Atomic int32_t high_min, high_max; /* b */
	_Atomic int32_t batch; /* b: pages moved to or from the zone at once */
	_Atomic int32_t free_count; /* P: frees in a row, less what was allocated meanwhile */
	uint8_t flags; /* p */
	bool magazines; /* c: what waits here is in mag, and not on the lists */
	_Atomic uint8_t alloc_factor; /* P: refills double this often, while allocations go on */
	_Atomic uint8_t expire; /* P: ticks until a remote node's idle cache is drained */
	_Atomic uint64_t nr_alloc, nr_free; /* P: pages; PGALLOC of this zone, PGFREE */
	_Atomic uint64_t nr_hit; /* P: allocations in the zone they were meant for: NUMA_HIT */

	struct qr_list lists[QR_NR_PCP_LISTS]; /* p */

	_Atomic uint64_t nr_miss; /* P: allocations meant for another node: NUMA_MISS */
	_Atomic uint64_t refills, drains; /* P: batches that came, and went */
	uint64_t activity; /* p: of the cache, when the decay last looked */
	_Atomic uint64_t contended; /* a: trylocks that failed */
	_Atomic uint64_t nr_foreign; /* a: meant for this zone, served by another: NUMA_FOREIGN */

	struct qr_magazines mag; /* p; the last, and there only where magazines says so */
};

_Static_assert(offsetof(struct qr_per_cpu_pages, lock) % sizeof(uint64_t) == 0,
	       "the lock and what is beside it are read at once");
_Static_assert(offsetof(struct qr_per_cpu_pages, lists) == 64, "lists begin with their own line");

/*
 * The caches of a zone are an array, but where they keep lists each ends before its magazines,
 * which are most of it.
 */
QR_INLINE uint32_t qr__pcp_size(bool magazines)
{
	return (uint32_t)(magazines ? sizeof(struct qr_per_cpu_pages)
				    : qr__align_up(offsetof(struct qr_per_cpu_pages, mag),
						   _Alignof(struct qr_per_cpu_pages)));
}

QR_INLINE struct qr_per_cpu_pages *qr__pcp_of(const struct qr_zone *zone, unsigned cpu)
{
	return (struct qr_per_cpu_pages *)(void *)((char *)zone->pcp +
						   (size_t)zone->pcp_stride * cpu);
}

/* Whose is it? */
QR_INLINE unsigned qr__pcp_cpu(const struct qr_zone *zone, const struct qr_per_cpu_pages *pcp)
{
	return (unsigned)((size_t)((const char *)pcp - (const char *)zone->pcp) / zone->pcp_stride);
}

QR_INLINE int32_t qr__pcp_read(const _Atomic int32_t *field)
{
	return atomic_load_explicit(field, memory_order_relaxed);
}

QR_INLINE void qr__pcp_write(_Atomic int32_t *field, int32_t value)
{
	atomic_store_explicit(field, value, memory_order_relaxed);
}

/* Pages that wait here; and what was allocated and freed through the cache, ever. */
QR_INLINE int32_t qr__pcp_count_racy(const struct qr_per_cpu_pages *pcp)
{
	return pcp->magazines ? qr__magazines_pages_racy(&pcp->mag) : qr__pcp_read(&pcp->count);
}

QR_INLINE uint64_t qr__pcp_nr_alloc_racy(const struct qr_per_cpu_pages *pcp)
{
	return pcp->magazines ? qr__magazines_nr_alloc_racy(&pcp->mag) : qr__read(&pcp->nr_alloc);
}

QR_INLINE uint64_t qr__pcp_nr_free_racy(const struct qr_per_cpu_pages *pcp)
{
	return pcp->magazines ? qr__magazines_nr_free_racy(&pcp->mag) : qr__read(&pcp->nr_free);
}

/*
 * Allocations, not pages. What came out of a magazine was a hit unless it was counted as a miss.
 */
QR_INLINE uint64_t qr__pcp_nr_hit_racy(const struct qr_per_cpu_pages *pcp)
{
	return pcp->magazines ? qr__magazines_nr_blocks_racy(&pcp->mag) - qr__read(&pcp->nr_miss)
			      : qr__read(&pcp->nr_hit);
}

/*
 * This CPU's cache of a zone, for the while of one allocation or free; false: somebody else is at
 * it.  One call of a hook where there is local_trylock.  The base is the zone's own; whoever has it
 * at hand need not look for it.
 */
QR_INLINE bool qr__pcp_enter_base(struct qr_base *base, struct qr_zone *zone,
				  struct qr_per_cpu_pages **pcp)
	QR_TRY_ACQUIRES(true, (*pcp)->lock) QR_NO_LOCK_ANALYSIS
{
	struct qr_local_lock *lock = qr__local_trylock(base, &zone->pcp->lock, zone->pcp_stride);

	if (qr__unlikely(!lock)) {
		*pcp = NULL;
		return false;
	}
	*pcp = QR_CONTAINER(lock, struct qr_per_cpu_pages, lock);
	return true;
}

QR_INLINE void qr__pcp_leave_base(struct qr_base *base, struct qr_per_cpu_pages *pcp)
	QR_RELEASES(pcp->lock) QR_NO_LOCK_ANALYSIS
{
	qr__local_unlock(base, &pcp->lock);
}

QR_INLINE bool qr__pcp_enter(struct qr_zone *zone, struct qr_per_cpu_pages **pcp)
	QR_TRY_ACQUIRES(true, (*pcp)->lock) QR_NO_LOCK_ANALYSIS
{
	return qr__pcp_enter_base(&zone->frames->base, zone, pcp);
}

QR_INLINE void qr__pcp_leave(struct qr_zone *zone, struct qr_per_cpu_pages *pcp)
	QR_RELEASES(pcp->lock) QR_NO_LOCK_ANALYSIS
{
	qr__pcp_leave_base(&zone->frames->base, pcp);
}

/* Does the cache keep blocks of this order at all? */
QR_INLINE bool qr__pcp_order_allowed(const struct qr_allocator *alloc, unsigned order)
{
	return alloc->pcp_orders >> order & 1;
}

/* Create and size. */
void qr__pcp_zone_init(struct qr_zone *zone, struct qr_per_cpu_pages *first);
int32_t qr_zone_batchsize(const struct qr_zone *zone);
int32_t qr_zone_highsize(const struct qr_zone *zone, int32_t batch, unsigned high_fraction,
			 unsigned extra_cpus);
/* Recompute batch and high of all CPUs' caches of a zone; under QR_RANK_PCP_BATCH_HIGH. */
void qr_zone_set_pageset_high_and_batch(struct qr_zone *zone, unsigned extra_cpus);

/*
 * The fast path: a block from the calling CPU's cache, refilled if need be; NULL: the cache was
 * taken or the zone is empty.  Counts PGALLOC and the NUMA events of a success.
 */
struct qr_page *qr_rmqueue_pcplist(struct qr_zone *preferred, struct qr_zone *zone, unsigned order,
				   enum qr_migratetype type, unsigned alloc_flags);

/*
 * Up to nr single pages at once from the calling CPU's cache, for bulk allocation.  They still need
 * preparing.  0: the cache was taken, or nothing is free.
 */
unsigned qr__pcp_take_bulk(struct qr_zone *preferred, struct qr_zone *zone,
			   enum qr_migratetype type, unsigned alloc_flags, unsigned nr,
			   struct qr_page **pages);

/*
 * Put a block whose page records are prepared for freeing into the calling CPU's cache; false:
 * the cache was taken or must be bypassed, the caller frees to the zone.  Counts PGFREE on success.
 */
bool qr__pcp_free(struct qr_zone *zone, struct qr_page *page, unsigned order);

/*
 * Move blocks between cache and zone, the cache locked.  Refill returns the number of blocks;
 * draining gives back at least nr pages, or all there are, and begins with first_list.
 */
unsigned qr_rmqueue_bulk(struct qr_zone *zone, unsigned order, unsigned nr, struct qr_list *list,
			 enum qr_migratetype type, unsigned alloc_flags);
void qr_free_pcppages_bulk(struct qr_zone *zone, int32_t nr, struct qr_per_cpu_pages *pcp,
			   unsigned first_list) QR_REQUIRES(pcp->lock);

/* magazine.c: magazines, the cache locked. */

/* A block for a request of this type, after a refill if need be; QR_MAGAZINE_EMPTY: none. */
uint32_t qr__magazine_take(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order,
			   enum qr_migratetype type, unsigned alloc_flags) QR_REQUIRES(pcp->lock);
/*
 * The same from the engine's pages of this type alone, in a zone that is well off: what the long
 * way would do first.  QR_MAGAZINE_EMPTY: then go the long way.
 */
uint32_t qr__magazine_take_own(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order,
			       enum qr_migratetype type) QR_REQUIRES(pcp->lock);
/* A put magazine goes on to the engine. */
void qr__magazine_full_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order)
	QR_REQUIRES(pcp->lock);
/* A block comes back, and its magazine goes on to the engine if it is full. */
void qr__magazine_give(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, uint32_t frame,
		       unsigned order, enum qr_migratetype type) QR_REQUIRES(pcp->lock);
/* A block that was taken is not fit for use: it was no allocation. */
void qr__magazine_leaked(struct qr_magazines *mag, unsigned order);
/* Give back at least @nr pages, or all there are: what was freed first, then what was not used. */
void qr__magazines_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, int32_t nr)
	QR_REQUIRES(pcp->lock);
/* The cache's sizes have changed; if it keeps magazines, so do theirs. */
void qr__magazines_resize(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp)
	QR_REQUIRES(pcp->lock);

/* Let high grow by @nr, for allocations are in a row; and what it is then. */
int32_t qr__pcp_high_raise(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp, int32_t nr)
	QR_REQUIRES(pcp->lock);
/* The zone is short of pages: let high fall by @by, down to high_min; and what it is then. */
int32_t qr__pcp_high_lower(struct qr_per_cpu_pages *pcp, int32_t by) QR_REQUIRES(pcp->lock);
/* The zone may have recovered: then caches may grow again. */
void qr__pcp_below_high_review(struct qr_zone *zone);

/* Lock a cache of whichever CPU for as long as it takes: sizes, drains, decay, the checker. */
unsigned long qr__pcp_lock(struct qr_base *base, struct qr_per_cpu_pages *pcp)
	QR_ACQUIRES(pcp->lock);
void qr__pcp_unlock(struct qr_base *base, struct qr_per_cpu_pages *pcp, unsigned long irqs)
	QR_RELEASES(pcp->lock);

/* The periodic work: shrink high, drain what exceeds it, drain idle remote caches. */
void qr__pcp_decay(struct qr_allocator *alloc);
/* Let the above happen every stat_interval from now on. */
void qr__pcp_decay_start(struct qr_allocator *alloc);
/* Drain one CPU's caches, of one zone or (NULL) all. */
void qr__pcp_drain_cpu(struct qr_allocator *alloc, unsigned cpu, struct qr_zone *zone);
void qr__drain_all_pages(struct qr_allocator *alloc, struct qr_zone *zone, bool force);

/* Walk every cached block of a zone, all caches locked (for the checker). */
void qr__pcp_lock_all(struct qr_zone *zone);
void qr__pcp_unlock_all(struct qr_zone *zone);

#endif /* QR_ALLOC_PCP_H */
