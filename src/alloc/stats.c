/* SPDX-License-Identifier: MIT */
/*
 * alloc/stats.c - counters, summed up
 *
 * An event is counted where it costs least: by CPU with an atomic add where no lock is held, in the
 * per-CPU caches under their locks, in zones under theirs.  Here they come together.  Nobody is
 * stopped for that, so a sum is exact only while nobody allocates.
 */
#include "pcp.h"

/* What one zone's caches counted ----------------------------------------------------------- */

static bool event_is_numa(unsigned event)
{
	return event >= QR_EV_NUMA_HIT && event <= QR_EV_NUMA_OTHER;
}

/* An allocation is local if the CPU it was made on, which is the cache's, is on the zone's node. */
static uint64_t placement_count(const struct qr_zone *zone, const struct qr_per_cpu_pages *pcp,
				bool local)
{
	bool near = zone->frames->cpu_node[qr__pcp_cpu(zone, pcp)] == zone->nid;

	return near == local ? qr__pcp_nr_hit_racy(pcp) + qr__read(&pcp->nr_miss) : 0;
}

static uint64_t cache_event(const struct qr_zone *zone, const struct qr_per_cpu_pages *pcp,
			    unsigned event)
{
	switch (event) {
	case QR_EV_PGFREE:
		return qr__pcp_nr_free_racy(pcp);
	case QR_EV_NUMA_HIT:
		return qr__pcp_nr_hit_racy(pcp);
	case QR_EV_NUMA_MISS:
		return qr__read(&pcp->nr_miss);
	case QR_EV_NUMA_FOREIGN:
		return qr__read(&pcp->nr_foreign);
	case QR_EV_NUMA_LOCAL:
		return placement_count(zone, pcp, true);
	case QR_EV_NUMA_OTHER:
		return placement_count(zone, pcp, false);
	default:
		return event == QR_EV_PGALLOC + (unsigned)zone->type ? qr__pcp_nr_alloc_racy(pcp)
								     : 0;
	}
}

static uint64_t caches_event(const struct qr_zone *zone, unsigned event)
{
	uint64_t sum = 0;

	if (!zone->pcp)
		return 0;
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++)
		sum += cache_event(zone, qr__pcp_of(zone, cpu), event);
	return sum;
}

uint64_t qr__zone_event_sum(const struct qr_zone *zone, unsigned event)
{
	if (!event_is_numa(event))
		return 0;
	return caches_event(zone, event) + qr__read(&zone->numa_events[event - QR_EV_NUMA_HIT]);
}

/* Sums ------------------------------------------------------------------------------------- */

static bool event_is_in_caches(unsigned event)
{
	return event_is_numa(event) || event == QR_EV_PGFREE || event - QR_EV_PGALLOC < QR_NR_ZONES;
}

uint64_t qr__alloc_event_sum(const struct qr_allocator *alloc, unsigned event)
{
	const struct qr_base *base = &alloc->frames.base;
	uint64_t sum = 0;
	struct qr_zone *zone;

	if (event >= QR_NR_VM_EVENTS)
		return 0;
	for (unsigned cpu = 0; cpu < base->nr_cpus; cpu++)
		sum += qr__read(&base->events[cpu].nr[event]);
	if (!event_is_in_caches(event))
		return sum;
	qr__for_each_zone(&alloc->frames, zone)
	{
		sum += caches_event(zone, event);
	}
	return sum;
}

uint64_t qr_vm_event(const struct quire *q, enum qr_vm_event event)
{
	return qr__alloc_event_sum(qr__allocator_const(q), (unsigned)event);
}

static void cache_stats_add(const struct qr_per_cpu_pages *pcp, struct qr_alloc_stats *stats)
{
	uint64_t served = qr__pcp_nr_hit_racy(pcp) + qr__read(&pcp->nr_miss);
	uint64_t refills = qr__read(&pcp->refills);

	/* The block that caused a refill was no hit. */
	stats->pcp_hits += served > refills ? served - refills : 0;
	stats->pcp_refills += refills;
	stats->pcp_drains += qr__read(&pcp->drains);
	stats->pcp_contended += qr__read(&pcp->contended);
}

static void zone_stats_add(const struct qr_zone *zone, struct qr_alloc_stats *stats)
{
	stats->zone_locks += qr__read(&zone->nr_locks);
	stats->zone_lock_contended += qr__read(&zone->nr_lock_waits);
	stats->bad_pages += qr__read(&zone->nr_freed_twice);
	for (unsigned s = 0; s < zone->nr_stripes; s++) {
		stats->zone_locks += qr__read(&zone->stripes[s].nr_locks);
		stats->zone_lock_contended += qr__read(&zone->stripes[s].nr_lock_waits);
	}
	for (unsigned cpu = 0; zone->pcp && cpu < zone->frames->base.nr_cpus; cpu++)
		cache_stats_add(qr__pcp_of(zone, cpu), stats);
}

void qr_alloc_stats(const struct quire *q, struct qr_alloc_stats *stats)
{
	const struct qr_allocator *alloc = qr__allocator_const(q);
	const _Atomic uint64_t *stat = alloc->stat;
	struct qr_zone *zone;

	*stats = (struct qr_alloc_stats){
		.slowpath = qr__read(&stat[QR_STAT_SLOWPATH]),
		.direct_reclaim = qr__read(&stat[QR_STAT_DIRECT_RECLAIM]),
		.direct_compact = qr__read(&stat[QR_STAT_DIRECT_COMPACT]),
		.out_of_memory = qr__read(&stat[QR_STAT_OOM]),
		.kswapd_wakes = qr__read(&stat[QR_STAT_KSWAPD_WAKES]),
		.alloc_failed = qr__read(&stat[QR_STAT_ALLOC_FAILED]),
		.fallbacks = qr__read(&stat[QR_STAT_FALLBACKS]),
		.fallbacks_claimed = qr__read(&stat[QR_STAT_FALLBACKS_CLAIMED]),
		.boosts = qr__read(&stat[QR_STAT_BOOSTS]),
		.highatomic_reserved = qr__read(&stat[QR_STAT_HIGHATOMIC_RESERVED]),
		.highatomic_unreserved = qr__read(&stat[QR_STAT_HIGHATOMIC_UNRESERVED]),
		.bad_pages = qr__read(&stat[QR_STAT_BAD_PAGES]),
	};
	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		stats->wmark_failed[mark] = qr__read(&stat[QR_STAT_WMARK_FAILED + mark]);
	qr__for_each_zone(&alloc->frames, zone)
	{
		zone_stats_add(zone, stats);
	}
}
