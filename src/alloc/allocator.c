/* SPDX-License-Identifier: MIT */
/*
 * alloc/allocator.c - the rooms of this layer, and its part of creation
 *
 * The layer needs two rooms for each zone that spans memory: the buddy engine's state and a cache
 * for each CPU.  (Zones without memory get the engine's state, too, since it is small and saves
 * every reader the question; but no caches.)
 *
 * Creation follows a boot.  What comes later needs what came before:
 *
 *	tunables at their defaults
 *	what a gfp mask means (which zones exist)
 *	zones: engine, caches of minimal size, kswapd, decay of the caches
 *	mobility grouping: is there enough memory for it?
 *	watermarks and reserves, from managed pages; sizes of caches, from watermarks
 *	-- here quire/ sets the events --
 *	release of memory (release.c)
 */
#include "allocator.h"
#include "../frames/layout.h"
#include "pcp.h"
#include "step.h"

/* Rooms ------------------------------------------------------------------------------------ */

static void zone_rooms(struct qr_layout *layout, struct qr_zone *zone, int nid,
		       enum qr_zone_type type, char *memory)
{
	const struct qr_buddy_ops *ops = qr__buddy_engine(layout->config->engine);
	size_t caches = (size_t)qr__pcp_size(ops->refill != NULL) * layout->nr_cpus;
	qr_pfn_t start_pfn, end_pfn;
	size_t room;

	qr__layout_zone_span(layout, nid, type, &start_pfn, &end_pfn);
	room = qr__layout_room(layout, ops->zone_size(start_pfn, end_pfn, layout->nr_cpus), 64);
	if (memory) {
		zone->ops = ops;
		zone->buddy = memory + room;
	}
	if (start_pfn == end_pfn)
		return;
	room = qr__layout_room(layout, caches, _Alignof(struct qr_per_cpu_pages));
	if (memory)
		zone->pcp = (struct qr_per_cpu_pages *)(void *)(memory + room);
}

void qr__allocator_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null, char *memory)
{
	for (int nid = 0; nid < (int)layout->nr_nodes; nid++) {
		for (unsigned type = 0; type < QR_NR_ZONES; type++) {
			struct qr_zone *zone = NULL;

			if (memory)
				zone = &qr__node(&alloc_or_null->frames, nid)->zones[type];
			zone_rooms(layout, zone, nid, (enum qr_zone_type)type, memory);
		}
	}
	qr__step_rooms(layout, alloc_or_null, memory);
}

/* Creation --------------------------------------------------------------------------------- */

/* Poisoned pages are filled and verified whole; filling them with zeroes as well makes no sense. */
static uint32_t options_resolve(uint32_t options)
{
	if (options & QR_OPT_PAGE_POISON)
		options &= ~(QR_OPT_INIT_ON_ALLOC | QR_OPT_INIT_ON_FREE);
	return options;
}

/* Linux caches small blocks and huge pages; where magazines are, everything between them, too. */
static uint32_t pcp_orders_of(const struct qr_config *config)
{
	bool huge = !(config->options & QR_OPT_NO_HUGE_PCP);
	uint32_t orders = (UINT32_C(2) << QR_PAGE_ALLOC_COSTLY_ORDER) - 1;

	if (qr__buddy_engine(config->engine)->refill)
		orders = (UINT32_C(1) << QR_PAGEBLOCK_ORDER) - 1 +
			 (huge ? UINT32_C(1) << QR_PAGEBLOCK_ORDER : 0);
	else if (huge)
		orders |= UINT32_C(1) << QR_HPAGE_PMD_ORDER;
	return orders;
}

static void options_init(struct qr_allocator *alloc, const struct qr_config *config)
{
	const uint32_t checks = QR_OPT_CHECK_PAGES | QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_ALLOC |
				QR_OPT_INIT_ON_FREE;

	alloc->options = options_resolve(config->options);
	alloc->extras = alloc->options & QR_OPT_PREP_EXTRAS;
	if (config->platform.cpu_model == QR_CPU_UP)
		alloc->extras |= QR_EXTRA_UP;
	alloc->pcp_orders = pcp_orders_of(config);
	alloc->check_pages = (config->options & checks) != 0;
	qr__detour_set(alloc, QR_DETOUR_EXTRAS, alloc->extras != 0);
	alloc->has_address = config->platform.page_address != NULL;
	alloc->cpu_cache_bytes = config->cpu_cache_bytes;
}

static void locks_init(struct qr_allocator *alloc)
{
	qr__lock_init(&alloc->tunables_lock, QR_RANK_TUNABLES);
	qr__lock_init(&alloc->pcp_batch_high_lock, QR_RANK_PCP_BATCH_HIGH);
	qr__lock_init(&alloc->pcpu_drain_lock, QR_RANK_PCPU_DRAIN);
	qr__lock_init(&alloc->speculation.lock, QR_RANK_SPECULATION);
}

static void cpus_init(struct qr_allocator *alloc)
{
	for (unsigned cpu = 0; cpu < qr__alloc_base(alloc)->nr_cpus; cpu++)
		qr__bit_set(alloc->cpu_online, cpu);
}

static void zones_init(struct qr_allocator *alloc)
{
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		zone->ops->zone_init(zone, zone->buddy);
		if (zone->pcp)
			qr__pcp_zone_init(zone, zone->pcp);
	}
}

/* Sizes that follow from how much memory there is. */
static void sizes_init(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);
	struct qr_zone *zone;

	qr__mobility_evaluate(alloc); /* as at a boot, while no memory is set aside yet */
	qr__lock(base, &alloc->tunables_lock);
	qr__init_per_zone_wmark_min(alloc);
	qr__unlock(base, &alloc->tunables_lock);

	qr__lock(base, &alloc->pcp_batch_high_lock);
	qr__for_each_zone(&alloc->frames, zone)
	{
		if (zone->pcp)
			qr_zone_set_pageset_high_and_batch(zone, 0);
	}
	qr__unlock(base, &alloc->pcp_batch_high_lock);
}

void qr__allocator_init(struct qr_allocator *alloc, const struct qr_config *config)
{
	locks_init(alloc);
	options_init(alloc, config);
	cpus_init(alloc);
	qr__tunables_init(alloc);
	qr__gfp_init(alloc);
	zones_init(alloc);
	qr__step_init(alloc);
	qr__kswapd_init(alloc);
	qr__pcp_decay_start(alloc);
	qr__release_init(alloc);
	sizes_init(alloc);
}
