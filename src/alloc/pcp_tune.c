/* SPDX-License-Identifier: MIT */
/*
 * alloc/pcp_tune.c - how large the per-CPU caches are, and what empties them from outside
 *
 * Sizes
 * -----
 * A zone has one batch and one pair of limits for all its CPUs' caches:
 *
 *	batch		about a quarter of a thousandth of the zone's managed pages, at most a
 *			quarter of a MiB, plus a half of that, rounded down to a power of 2 less
 *			one.  Batches just short of a power of 2 keep CPUs that free to each other
 *			from falling into step
 *	high_min	all caches together hold the low watermark: what the zone can spare
 *	high_max	all caches together hold an eighth of the zone
 *
 * percpu_pagelist_high_fraction sets both limits to one value, and that ends the tuning.
 *
 * Disabled caches have both limits at 0 and a batch of 1: each free passes through at once, each
 * refill brings a single block that is handed out in the same breath.
 *
 * Emptying
 * --------
 *	drain	by request: one CPU, all CPUs; one zone, all zones
 *	decay	every stat_interval: high falls by an eighth down to high_min, and what exceeds it
 *		goes.  A cache in front of a remote node's zone that nobody used for three ticks is
 *		drained by batches: its pages are far from whoever might want them
 *
 * A drain in parts lets go of the cache's lock between them, so that its CPU gets on.
 *
 * Locking: sizes change under the batch-high lock, which qr_zone_pcp_disable() keeps until
 * qr_zone_pcp_enable(), and are copied into each cache under that cache's lock; high lies between
 * its limits whenever that lock is free.
 */
#include "../base/bits.h"
#include "pcp.h"
#include "speculation.h"

#define REMOTE_EXPIRE_TICKS 3
#define NS_PER_S UINT64_C(1000000000)

unsigned long qr__pcp_lock(struct qr_base *base, struct qr_per_cpu_pages *pcp)
{
	unsigned long irqs = 0;

	if (base->platform.cpu_model == QR_CPU_UP)
		irqs = qr__irq_save(base);
	qr__local_lock(base, &pcp->lock);
	return irqs;
}

void qr__pcp_unlock(struct qr_base *base, struct qr_per_cpu_pages *pcp, unsigned long irqs)
{
	qr__local_unlock_remote(base, &pcp->lock);
	if (base->platform.cpu_model == QR_CPU_UP)
		qr__irq_restore(base, irqs);
}

/* Sizes ------------------------------------------------------------------------------------ */

int32_t qr_zone_batchsize(const struct qr_zone *zone)
{
	uint64_t mib = qr__max((UINT64_C(1) << 20) / QR_PAGE_SIZE, 1);
	uint64_t batch = qr__min(qr__read(&zone->managed_pages) >> 10, mib) / 4;

	if (batch < 1)
		batch = 1;
	return (int32_t)qr__max(qr__rounddown_pow2(batch + batch / 2) - 1, 1);
}

/* CPUs that share a zone: those of its node; of a node without CPUs, all. */
static unsigned nr_sharing_cpus(const struct qr_zone *zone, unsigned extra_cpus)
{
	const struct qr_allocator *alloc = qr__zone_allocator(zone);
	const struct qr_frames *frames = zone->frames;
	unsigned online = 0, near = 0;

	for (unsigned cpu = 0; cpu < frames->base.nr_cpus; cpu++) {
		if (!qr__bit_test(alloc->cpu_online, cpu))
			continue;
		online++;
		if (frames->cpu_node[cpu] == zone->nid)
			near++;
	}
	near += extra_cpus;
	return near ? near : online ? online : 1;
}

int32_t qr_zone_highsize(const struct qr_zone *zone, int32_t batch, unsigned high_fraction,
			 unsigned extra_cpus)
{
	uint64_t pages = high_fraction ? qr__read(&zone->managed_pages) / high_fraction
				       : qr__wmark_pages(zone, QR_WMARK_LOW);
	uint64_t high = qr__max(pages / nr_sharing_cpus(zone, extra_cpus), (uint64_t)batch << 2);

	return (int32_t)qr__min(high, INT32_MAX / 2);
}

static void cache_resize(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, int32_t batch,
			 int32_t min, int32_t max)
{
	struct qr_base *base = &zone->frames->base;
	uint64_t cache_pages = qr__zone_allocator(zone)->cpu_cache_bytes / QR_PAGE_SIZE;
	unsigned long irqs = qr__pcp_lock(base, pcp);
	int32_t high = qr__pcp_read(&pcp->high);

	qr__pcp_write(&pcp->batch, batch);
	qr__pcp_write(&pcp->high_min, min);
	qr__pcp_write(&pcp->high_max, max);
	qr__pcp_write(&pcp->high, high < min ? min : high > max ? max : high);
	qr__magazines_resize(zone, pcp);
	if (cache_pages > 3 * (uint64_t)batch)
		pcp->flags |= QR_PCPF_FREE_HIGH_BATCH;
	else
		pcp->flags &= (uint8_t)~QR_PCPF_FREE_HIGH_BATCH;
	qr__pcp_unlock(base, pcp, irqs);
}

static void caches_resize(struct qr_zone *zone, int32_t batch, int32_t min, int32_t max)
{
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++)
		cache_resize(zone, qr__pcp_of(zone, cpu), batch, min, max);
}

void qr_zone_set_pageset_high_and_batch(struct qr_zone *zone, unsigned extra_cpus)
{
	const struct qr_allocator *alloc = qr__zone_allocator(zone);
	int64_t fraction =
		atomic_load_explicit(&alloc->percpu_pagelist_high_fraction, memory_order_relaxed);
	int32_t batch = qr_zone_batchsize(zone);
	int32_t min = qr_zone_highsize(zone, batch, (unsigned)fraction, extra_cpus);
	int32_t max = min;

	if (!fraction)
		max = qr_zone_highsize(zone, batch, QR_PCP_MIN_HIGH_FRACTION, extra_cpus);
	/* In a zone of a few MiB the low watermark can be more than an eighth of it. */
	if (max < min)
		max = min;
	qr__pcp_write(&zone->pcp_batch, batch);
	qr__pcp_write(&zone->pcp_high_min, min);
	qr__pcp_write(&zone->pcp_high_max, max);
	caches_resize(zone, batch, min, max);
}

/* Until memory and watermarks are known a cache keeps nothing. */
void qr__pcp_zone_init(struct qr_zone *zone, struct qr_per_cpu_pages *first)
{
	bool magazines = zone->ops->refill != NULL;

	zone->pcp = first;
	zone->pcp_stride = qr__pcp_size(magazines);
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++) {
		struct qr_per_cpu_pages *pcp = qr__pcp_of(zone, cpu);

		qr__local_lock_init(&pcp->lock, QR_RANK_PCP);
		atomic_init(&pcp->batch, 1);
		pcp->magazines = magazines;
		for (unsigned i = 0; i < QR_NR_PCP_LISTS; i++)
			qr__list_init(&pcp->lists[i]);
	}
	QR_ASSERT(&zone->frames->base, !qr__zone_flag(zone, QR_ZONE_FLAGS),
		  "a zone's flags are told to caches that are there");
	zone->pcp_locks = &first->lock;
}

/*
 * A free by a step looks at the sizes of a cache before it is sure of its lock, so for it they
 * would change too late.  But it is a plain drop, and sure that those are not stopped.
 */
static void step_frees_close(struct qr_allocator *alloc)
{
	if (alloc->routes)
		qr__plain_drops_stop(alloc);
}

static void step_frees_open(struct qr_allocator *alloc)
{
	if (alloc->routes)
		qr__plain_drops_resume(alloc);
}

/* The lock is held from here until the caches are enabled, maybe by way of the caller. */
void qr_zone_pcp_disable(struct qr_zone *zone) QR_NO_LOCK_ANALYSIS
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);

	qr__lock(qr__alloc_base(alloc), &alloc->pcp_batch_high_lock);
	step_frees_close(alloc);
	if (!zone->pcp)
		return;
	caches_resize(zone, 1, 0, 0);
	qr__drain_all_pages(alloc, zone, true);
}

void qr_zone_pcp_enable(struct qr_zone *zone) QR_NO_LOCK_ANALYSIS
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);

	if (zone->pcp)
		caches_resize(zone, qr__pcp_read(&zone->pcp_batch),
			      qr__pcp_read(&zone->pcp_high_min), qr__pcp_read(&zone->pcp_high_max));
	step_frees_open(alloc);
	qr__unlock(qr__alloc_base(alloc), &alloc->pcp_batch_high_lock);
}

int qr_zone_pcp_high_set(struct qr_zone *zone, unsigned cpu, unsigned pages)
{
	struct qr_base *base = &zone->frames->base;
	int32_t high = (int32_t)qr__min(pages, INT32_MAX);
	struct qr_per_cpu_pages *pcp;
	unsigned long irqs;
	int32_t min, max;

	if (!zone->pcp || cpu >= base->nr_cpus)
		return QR_ENOENT;
	pcp = qr__pcp_of(zone, cpu);
	irqs = qr__pcp_lock(base, pcp);
	min = qr__pcp_read(&pcp->high_min);
	max = qr__pcp_read(&pcp->high_max);
	high = high < min ? min : high > max ? max : high;
	qr__pcp_write(&pcp->high, high);
	qr__pcp_write(&pcp->free_count, 0);
	atomic_store_explicit(&pcp->alloc_factor, 0, memory_order_relaxed);
	pcp->flags &= (uint8_t)~QR_PCPF_PREV_FREE_HIGH_ORDER;
	qr__magazines_resize(zone, pcp);
	qr__pcp_unlock(base, pcp, irqs);
	return high;
}

/* Drains ----------------------------------------------------------------------------------- */

/* In parts of at most a full-grown batch. */
static void cache_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp)
{
	struct qr_base *base = &zone->frames->base;
	int32_t left;

	do {
		unsigned long irqs = qr__pcp_lock(base, pcp);

		qr_free_pcppages_bulk(zone, qr__pcp_read(&pcp->batch) << QR_PCP_BATCH_SCALE_MAX,
				      pcp, 0);
		left = qr__pcp_count_racy(pcp);
		qr__pcp_unlock(base, pcp, irqs);
	} while (left > 0);
}

void qr__pcp_drain_cpu(struct qr_allocator *alloc, unsigned cpu, struct qr_zone *zone)
{
	if (zone) {
		if (zone->pcp)
			cache_drain(zone, qr__pcp_of(zone, cpu));
		return;
	}
	qr__for_each_zone(&alloc->frames, zone)
	{
		if (zone->pcp)
			cache_drain(zone, qr__pcp_of(zone, cpu));
	}
}

/* Has this CPU anything of that zone, or of any?  Racy: pages may come in behind our back. */
static bool cpu_has_pages_racy(const struct qr_allocator *alloc, unsigned cpu,
			       const struct qr_zone *zone)
{
	struct qr_zone *z;

	if (zone)
		return zone->pcp && qr__pcp_count_racy(qr__pcp_of(zone, cpu)) > 0;
	qr__for_each_zone(&alloc->frames, z)
	{
		if (z->pcp && qr__pcp_count_racy(qr__pcp_of(z, cpu)) > 0)
			return true;
	}
	return false;
}

/* Whoever wants all zones drained is served by a drain that is under way; @force: by none. */
void qr__drain_all_pages(struct qr_allocator *alloc, struct qr_zone *zone,
			 bool force) QR_NO_LOCK_ANALYSIS
{
	struct qr_base *base = qr__alloc_base(alloc);

	if (!qr__trylock(base, &alloc->pcpu_drain_lock)) {
		if (!zone)
			return;
		qr__lock(base, &alloc->pcpu_drain_lock);
	}
	for (unsigned cpu = 0; cpu < base->nr_cpus; cpu++)
		if (force || cpu_has_pages_racy(alloc, cpu, zone))
			qr__pcp_drain_cpu(alloc, cpu, zone);
	qr__unlock(base, &alloc->pcpu_drain_lock);
}

void qr_drain_all_pages(struct quire *q, struct qr_zone *zone_or_null)
{
	qr__drain_all_pages(qr__allocator(q), zone_or_null, false);
}

void qr_drain_local_pages(struct quire *q, struct qr_zone *zone_or_null)
{
	qr__pcp_drain_cpu(qr__allocator(q), qr__cpu_racy(qr__base(q)), zone_or_null);
}

/* Decay ------------------------------------------------------------------------------------ */

/* What a cache did so far: a number that changes when anything is done with it. */
static uint64_t cache_activity(const struct qr_per_cpu_pages *pcp)
{
	return qr__pcp_nr_alloc_racy(pcp) + qr__pcp_nr_free_racy(pcp) + qr__read(&pcp->drains);
}

/* Back towards high_min by an eighth; faster where the cache holds far more than it will use. */
static void high_decay(struct qr_zone *zone, struct qr_per_cpu_pages *pcp) QR_REQUIRES(pcp->lock)
{
	int32_t min = qr__pcp_read(&pcp->high_min), high = qr__pcp_read(&pcp->high);
	int32_t count = qr__pcp_count_racy(pcp);
	int32_t by_count = count - (qr__pcp_read(&pcp->batch) << QR_PCP_BATCH_SCALE_MAX);

	if (high > min) {
		high -= high >> 3;
		high = high > by_count ? high : by_count;
		high = high > min ? high : min;
		qr__pcp_write(&pcp->high, high);
		qr__magazines_resize(zone, pcp);
	}
	if (count > high)
		qr_free_pcppages_bulk(zone, count - high, pcp, 0);
}

/* Pages of another node's zone that were not touched for some ticks. */
static void remote_decay(struct qr_zone *zone, struct qr_per_cpu_pages *pcp) QR_REQUIRES(pcp->lock)
{
	uint8_t expire = atomic_load_explicit(&pcp->expire, memory_order_relaxed);
	uint64_t activity = cache_activity(pcp);

	if (activity != pcp->activity)
		expire = REMOTE_EXPIRE_TICKS;
	pcp->activity = activity;
	if (expire && qr__pcp_count_racy(pcp) > 0 && --expire == 0)
		qr_free_pcppages_bulk(zone, qr__pcp_read(&pcp->batch), pcp, 0);
	atomic_store_explicit(&pcp->expire, expire, memory_order_relaxed);
}

/* Nothing in it, nothing to shrink. */
static bool cache_rests_racy(const struct qr_per_cpu_pages *pcp)
{
	return qr__pcp_count_racy(pcp) == 0 &&
	       qr__pcp_read(&pcp->high) == qr__pcp_read(&pcp->high_min);
}

static void cache_decay(struct qr_zone *zone, unsigned cpu)
{
	struct qr_base *base = &zone->frames->base;
	struct qr_per_cpu_pages *pcp = qr__pcp_of(zone, cpu);
	unsigned long irqs;

	if (cache_rests_racy(pcp))
		return;
	irqs = qr__pcp_lock(base, pcp);
	high_decay(zone, pcp);
	if (zone->frames->cpu_node[cpu] != zone->nid)
		remote_decay(zone, pcp);
	qr__pcp_unlock(base, pcp, irqs);
}

void qr__pcp_decay(struct qr_allocator *alloc)
{
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		if (!zone->pcp)
			continue;
		for (unsigned cpu = 0; cpu < qr__alloc_base(alloc)->nr_cpus; cpu++)
			if (qr__bit_test(alloc->cpu_online, cpu))
				cache_decay(zone, cpu);
	}
}

static void decay_queue(struct qr_allocator *alloc)
{
	int64_t seconds = atomic_load_explicit(&alloc->stat_interval, memory_order_relaxed);

	qr__work_queue(qr__alloc_base(alloc), &alloc->decay, (uint64_t)seconds * NS_PER_S);
}

static void decay_run(struct qr_base *base, struct qr_work *work)
{
	struct qr_allocator *alloc = (struct qr_allocator *)(void *)base;

	(void)work;
	qr__pcp_decay(alloc);
	qr__speculation_decay(alloc);
	decay_queue(alloc);
}

void qr__pcp_decay_start(struct qr_allocator *alloc)
{
	if (!alloc->decay.run)
		qr__work_init(&alloc->decay, decay_run);
	decay_queue(alloc);
}

/* All caches of a zone --------------------------------------------------------------------- */

void qr__pcp_lock_all(struct qr_zone *zone)
{
	struct qr_base *base = &zone->frames->base;

	qr__local_lock_all(base, &zone->pcp->lock, zone->pcp_stride, base->nr_cpus);
}

void qr__pcp_unlock_all(struct qr_zone *zone)
{
	struct qr_base *base = &zone->frames->base;

	qr__local_unlock_all(base, &zone->pcp->lock, zone->pcp_stride, base->nr_cpus);
}
