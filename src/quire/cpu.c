/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - CPUs that come and go
 *
 * A CPU that is dead runs nothing and owns no pages; what it counted stays in its row of counters.
 * How large the caches of the others are and how far off counters may be follows from the number
 * of CPUs that are online, so both are computed anew.
 */
#include "../alloc/pcp.h"
#include "instance.h"

/* Is any CPU of this node online? */
static bool node_has_cpu(const struct qr_allocator *alloc, int nid)
{
	const struct qr_frames *frames = &alloc->frames;

	for (unsigned cpu = 0; cpu < frames->base.nr_cpus; cpu++)
		if (frames->cpu_node[cpu] == nid && qr__bit_test(alloc->cpu_online, cpu))
			return true;
	return false;
}

/* Linux keeps the zonelists as they are when CPUs come and go; only the node's state changes. */
static void node_state_update(struct qr_allocator *alloc, int nid)
{
	_Atomic uint64_t *mask = &alloc->frames.node_states[QR_N_CPU];
	uint64_t bit = UINT64_C(1) << nid;

	if (node_has_cpu(alloc, nid))
		atomic_fetch_or_explicit(mask, bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(mask, ~bit, memory_order_relaxed);
}

static void thresholds_update(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);

	qr__lock(base, &alloc->tunables_lock);
	qr__stat_thresholds_update(alloc);
	qr__unlock(base, &alloc->tunables_lock);
}

static void caches_resize(struct qr_allocator *alloc)
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

static void cpus_changed(struct qr_allocator *alloc, unsigned cpu)
{
	node_state_update(alloc, alloc->frames.cpu_node[cpu]);
	thresholds_update(alloc);
	caches_resize(alloc);
}

static bool is_last(const struct qr_allocator *alloc, unsigned cpu)
{
	unsigned nr = alloc->frames.base.nr_cpus;

	for (unsigned other = 0; other < nr; other++)
		if (other != cpu && qr__bit_test(alloc->cpu_online, other))
			return false;
	return true;
}

int qr_cpu_dead(struct quire *q, unsigned cpu)
{
	struct qr_allocator *alloc = qr__allocator(q);

	if (cpu >= qr__alloc_base(alloc)->nr_cpus)
		return QR_ENOENT;
	if (!qr__bit_test(alloc->cpu_online, cpu))
		return 0;
	if (is_last(alloc, cpu))
		return QR_EBUSY;
	qr__bit_clear(alloc->cpu_online, cpu);
	qr__pcp_drain_cpu(alloc, cpu, NULL);
	cpus_changed(alloc, cpu);
	return 0;
}

int qr_cpu_online(struct quire *q, unsigned cpu)
{
	struct qr_allocator *alloc = qr__allocator(q);

	if (cpu >= qr__alloc_base(alloc)->nr_cpus)
		return QR_ENOENT;
	if (qr__bit_test(alloc->cpu_online, cpu))
		return 0;
	qr__bit_set(alloc->cpu_online, cpu);
	cpus_changed(alloc, cpu);
	return 0;
}
