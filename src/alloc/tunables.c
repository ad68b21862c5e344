/* SPDX-License-Identifier: MIT */
/*
 * alloc/tunables.c - the sysctls
 *
 * One table tells for each tunable its name, range, default, where its value lies and what has to
 * be recomputed when it changes.  Values are written under the tunables' lock, so that two writers
 * do not recompute at once; whoever needs one only reads it.
 */
#include "../base/text.h"
#include "pcp.h"

struct tunable {
	struct qr_tunable_info info;
	size_t offset; /* of an _Atomic int64_t in struct qr_allocator; 0: it has no such */
	void (*changed)(struct qr_allocator *alloc);
};

/* What follows from a change --------------------------------------------------------------- */

/* What the user said counts from now on, even where more would be computed. */
static void min_free_kbytes_changed(struct qr_allocator *alloc)
{
	alloc->user_min_free_kbytes =
		atomic_load_explicit(&alloc->min_free_kbytes, memory_order_relaxed);
	qr_setup_per_zone_wmarks(alloc);
}

static void high_fraction_changed(struct qr_allocator *alloc)
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

static uint64_t node_share(const struct qr_node *node, const _Atomic int64_t *percent)
{
	int64_t ratio = atomic_load_explicit(percent, memory_order_relaxed);
	uint64_t pages = 0;

	for (unsigned i = 0; i < QR_NR_ZONES; i++)
		pages += qr__read(&node->zones[i].managed_pages) * (uint64_t)ratio / 100;
	return pages;
}

void qr__tunables_node_ratios(struct qr_allocator *alloc)
{
	for (unsigned nid = 0; nid < alloc->frames.nr_nodes; nid++) {
		struct qr_node *node = &alloc->frames.nodes[nid];

		qr__write(&node->min_unmapped_pages, node_share(node, &alloc->min_unmapped_ratio));
		qr__write(&node->min_slab_pages, node_share(node, &alloc->min_slab_ratio));
	}
}

/* The table -------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct qr_allocator, name)
#define SCALAR(tunable, from, to, preset, text) \
	.info = {.name = #tunable, \
		 .summary = (text), \
		 .min = (from), \
		 .max = (to), \
		 .default_value = (preset), \
		 .scalar = true, \
		 .writable = true, \
		 .readable = true}, \
	.offset = FIELD(tunable)

/* Seconds that can be told in ticks of a millisecond. */
#define STAT_INTERVAL_MAX (INT32_MAX / 1000)

static const struct tunable tunables[QR_NR_TUNABLES] = {
	[QR_TUNE_MIN_FREE_KBYTES] =
		{
			SCALAR(min_free_kbytes, 0, INT32_MAX, -1,
			       "free memory that is kept for those who cannot wait, in KiB"),
			.changed = min_free_kbytes_changed,
		},
	[QR_TUNE_WATERMARK_BOOST_FACTOR] =
		{
			SCALAR(watermark_boost_factor, 0, INT32_MAX, 15000,
			       "how far marks rise on fragmentation, in 1/10000 of high; 0: never"),
		},
	[QR_TUNE_WATERMARK_SCALE_FACTOR] =
		{
			SCALAR(watermark_scale_factor, 1, 3000, 10,
			       "distance between watermarks, in 1/10000 of a zone"),
			.changed = qr_setup_per_zone_wmarks,
		},
	[QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION] =
		{
			SCALAR(percpu_pagelist_high_fraction, QR_PCP_MIN_HIGH_FRACTION, INT32_MAX,
			       0, "caches hold this fraction of a zone at most; 0: they adapt"),
			.changed = high_fraction_changed,
		},
	[QR_TUNE_LOWMEM_RESERVE_RATIO] =
		{
			.info = {.name = "lowmem_reserve_ratio",
				 .summary = "how low zones are kept from requests for higher ones",
				 .max = INT32_MAX,
				 .default_value = -1,
				 .writable = true,
				 .readable = true},
		},
	[QR_TUNE_NUMA_ZONELIST_ORDER] =
		{
			.info = {.name = "numa_zonelist_order",
				 .summary = "a word that is accepted and means nothing",
				 .default_value = -1,
				 .writable = true,
				 .readable = true},
		},
	[QR_TUNE_MIN_UNMAPPED_RATIO] =
		{
			SCALAR(min_unmapped_ratio, 0, 100, 1,
			       "file pages a node keeps from node reclaim, in percent"),
			.changed = qr__tunables_node_ratios,
		},
	[QR_TUNE_MIN_SLAB_RATIO] =
		{
			SCALAR(min_slab_ratio, 0, 100, 5,
			       "slab pages a node keeps from node reclaim, in percent"),
			.changed = qr__tunables_node_ratios,
		},
	[QR_TUNE_ZONE_RECLAIM_MODE] =
		{
			SCALAR(zone_reclaim_mode, 0, 7, 0,
			       "reclaim near before going far: bits 1 on, 2 write, 4 unmap"),
		},
	[QR_TUNE_COMPACT_MEMORY] =
		{
			.info = {.name = "compact_memory",
				 .summary = "write 1: wake the compactor of each node",
				 .min = 1,
				 .max = 1,
				 .default_value = -1,
				 .scalar = true,
				 .writable = true},
			.changed = qr__kcompactd_wake_all,
		},
	[QR_TUNE_COMPACTION_PROACTIVENESS] =
		{
			SCALAR(compaction_proactiveness, 0, 100, 20,
			       "how eagerly memory is compacted in advance"),
		},
	[QR_TUNE_EXTFRAG_THRESHOLD] =
		{
			SCALAR(extfrag_threshold, 0, 1000, 500,
			       "fragmentation index above which compaction is preferred to "
			       "reclaim"),
		},
	[QR_TUNE_COMPACT_UNEVICTABLE_ALLOWED] =
		{
			SCALAR(compact_unevictable_allowed, 0, 1, 1,
			       "compaction may move locked pages; 0 where tasks are real-time"),
		},
	[QR_TUNE_STAT_INTERVAL] =
		{
			SCALAR(stat_interval, 1, STAT_INTERVAL_MAX, 1,
			       "seconds between two rounds of cache decay"),
			.changed = qr__pcp_decay_start,
		},
	[QR_TUNE_ENABLE_SOFT_OFFLINE] =
		{
			SCALAR(enable_soft_offline, 0, 1, 1, "frames may be taken offline softly"),
		},
};

static const struct tunable *tunable_of(enum qr_tunable which)
{
	return (unsigned)which < QR_NR_TUNABLES ? &tunables[which] : NULL;
}

static _Atomic int64_t *value_of(struct qr_allocator *alloc, const struct tunable *tunable)
{
	return (_Atomic int64_t *)(void *)((char *)alloc + tunable->offset);
}

const struct qr_tunable_info *qr_tunable_info(enum qr_tunable which)
{
	const struct tunable *tunable = tunable_of(which);

	return tunable ? &tunable->info : NULL;
}

enum qr_tunable qr_tunable_find(const char *name)
{
	unsigned which = 0;

	while (which < QR_NR_TUNABLES && !qr__streq(tunables[which].info.name, name))
		which++;
	return (enum qr_tunable)which;
}

/* Setting and reading ---------------------------------------------------------------------- */

static bool value_allowed(enum qr_tunable which, const struct qr_tunable_info *info, int64_t value)
{
	if (which == QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION && value == 0)
		return true;
	return value >= info->min && value <= info->max;
}

int qr_tunable_set(struct quire *q, enum qr_tunable which, int64_t value)
{
	struct qr_allocator *alloc = qr__allocator(q);
	const struct tunable *tunable = tunable_of(which);

	if (!tunable || !tunable->info.scalar)
		return QR_EINVAL;
	if (!tunable->info.writable)
		return QR_EPERM;
	if (!value_allowed(which, &tunable->info, value))
		return QR_EINVAL;
	/* A trigger has no value, and what it starts may not run under a lock. */
	if (!tunable->offset) {
		tunable->changed(alloc);
		return QR_OK;
	}
	qr__lock(qr__alloc_base(alloc), &alloc->tunables_lock);
	atomic_store_explicit(value_of(alloc, tunable), value, memory_order_relaxed);
	if (tunable->changed)
		tunable->changed(alloc);
	qr__unlock(qr__alloc_base(alloc), &alloc->tunables_lock);
	return QR_OK;
}

int qr_tunable_get(struct quire *q, enum qr_tunable which, int64_t *value)
{
	struct qr_allocator *alloc = qr__allocator(q);
	const struct tunable *tunable = tunable_of(which);

	if (!tunable || !tunable->info.scalar)
		return QR_EINVAL;
	if (!tunable->info.readable)
		return QR_EPERM;
	*value = atomic_load_explicit(value_of(alloc, tunable), memory_order_relaxed);
	return QR_OK;
}

/* The one array, and the one word ---------------------------------------------------------- */

int qr_lowmem_reserve_ratio_set(struct quire *q, const int32_t *ratio, unsigned nr)
{
	struct qr_allocator *alloc = qr__allocator(q);

	if (nr > QR_ZONE_DEVICE)
		return QR_EINVAL;
	qr__lock(qr__alloc_base(alloc), &alloc->tunables_lock);
	for (unsigned i = 0; i < nr; i++)
		atomic_store_explicit(&alloc->lowmem_reserve_ratio[i], ratio[i] < 1 ? 0 : ratio[i],
				      memory_order_relaxed);
	qr_setup_per_zone_lowmem_reserve(alloc);
	qr__unlock(qr__alloc_base(alloc), &alloc->tunables_lock);
	return QR_OK;
}

int qr_lowmem_reserve_ratio_get(struct quire *q, int32_t ratio[5])
{
	struct qr_allocator *alloc = qr__allocator(q);

	for (unsigned i = 0; i < QR_ZONE_DEVICE; i++)
		ratio[i] =
			atomic_load_explicit(&alloc->lowmem_reserve_ratio[i], memory_order_relaxed);
	return QR_OK;
}

int qr_numa_zonelist_order_set(struct quire *q, const char *order)
{
	(void)q;
	if (!order)
		return QR_EINVAL;
	switch (order[0]) {
	case 'd':
	case 'D':
	case 'n':
	case 'N':
		return QR_OK;
	default:
		return QR_EINVAL;
	}
}

const char *qr_numa_zonelist_order_get(struct quire *q)
{
	(void)q;
	return "Node";
}

/* The beginning ---------------------------------------------------------------------------- */

_Static_assert(QR_ZONE_DEVICE == 5, "a ratio for each zone from DMA to Movable");

void qr__tunables_init(struct qr_allocator *alloc)
{
	static const int32_t ratios[QR_ZONE_DEVICE] = {
		[QR_ZONE_DMA] = 256,
		[QR_ZONE_DMA32] = 256,
		[QR_ZONE_NORMAL] = 32,
	};

	for (unsigned which = 0; which < QR_NR_TUNABLES; which++)
		if (tunables[which].offset)
			atomic_init(value_of(alloc, &tunables[which]),
				    tunables[which].info.default_value);
	for (unsigned i = 0; i < QR_ZONE_DEVICE; i++)
		atomic_init(&alloc->lowmem_reserve_ratio[i], ratios[i]);
	atomic_init(&alloc->min_free_kbytes, 0);
	alloc->user_min_free_kbytes = -1;
	/* Moving a locked page makes its owner fault, and that is no way to meet a deadline. */
	if (qr__alloc_base(alloc)->platform.cpu_model == QR_CPU_RT)
		atomic_init(&alloc->compact_unevictable_allowed, 0);
}
