/* SPDX-License-Identifier: MIT */
/*
 * alloc/step.c - the shortest way: its routes, when it is open, and how it is gone by hooks
 *
 * See step.h for the theory.
 */
#include "step.h"

#include "../frames/layout.h"

/* Rooms ------------------------------------------------------------------------------------ */

/* The platform can make steps, and the caches are such that they need no more. */
static bool can_step(const struct qr_config *config)
{
	return config->platform.local_commit && qr__buddy_engine(config->engine)->refill;
}

void qr__step_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null, char *memory)
{
	uint64_t nr_frames = layout->end_pfn - layout->base_pfn;
	size_t routes, ways, marks[QR_MARK_ORDERS];

	if (!can_step(layout->config))
		return;
	routes = qr__layout_room(layout, QR_NR_ROUTES * sizeof(struct qr_step_route),
				 _Alignof(struct qr_step_route));
	ways = qr__layout_room(layout, layout->nr_nodes * QR_NR_WAYS * sizeof(*alloc_or_null->ways),
			       _Alignof(struct qr_step_route));
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++)
		marks[order] =
			qr__layout_room(layout, (size_t)(nr_frames >> order), QR_METADATA_ALIGN);
	if (!memory)
		return;
	alloc_or_null->routes = (struct qr_step_route *)(void *)(memory + routes);
	alloc_or_null->ways = (void *)(memory + ways);
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++)
		alloc_or_null->frames.marks[order] =
			(_Atomic uint8_t *)(void *)(memory + marks[order]);
}

/* Routes ----------------------------------------------------------------------------------- */

/* Of member [index] of an array in a cache, bytes from the cache's start on. */
#define PLACE(array, index) \
	((uint32_t)(offsetof(struct qr_per_cpu_pages, mag.array) + \
		    (index) * sizeof(((struct qr_per_cpu_pages *)NULL)->mag.array[0])))

static void route_init(struct qr_step_route *route, struct qr_zone *zone, unsigned type,
		       unsigned order)
{
	route->zone = zone;
	route->caches = zone->pcp;
	route->open =
		zone->id | QR_STATE_TYPE(QR_PT_INUSE) | QR_STATE_ORDER(order) | QR_STATE_REFS(1);
	route->ring = PLACE(get, type) + order * (uint32_t)sizeof(struct qr_magazine_ring);
	route->ring_frames =
		PLACE(get_frames, type) +
		(QR_MAGAZINE_END(order) - QR_MAGAZINE_ROOM(order)) * (uint32_t)sizeof(uint32_t);
	route->ring_mask = (uint8_t)(QR_MAGAZINE_ROOM(order) - 1);
	route->put = PLACE(put, order);
	route->put_frames =
		PLACE(put_frames, QR_MAGAZINE_PUT_END(order) - QR_MAGAZINE_PUT_ROOM(order));
	route->order = (uint8_t)order;
	/* whole pageblocks are all alike, wherever they lie */
	route->apart = order == QR_PAGEBLOCK_ORDER ? 0 : ~(uint32_t)(QR_PAGEBLOCK_NR_PAGES - 1);
}

static unsigned zone_routes_init(struct qr_step_route *routes, struct qr_zone *zone, unsigned nr)
{
	const unsigned nr_of_zone = QR_MIGRATE_PCPTYPES * QR_MAGAZINE_ORDERS;

	if (!zone->pcp || nr + nr_of_zone > QR_MARK_CACHED)
		return nr;
	zone->route = (uint8_t)nr;
	for (unsigned n = 0; n < nr_of_zone; n++, nr++) {
		route_init(&routes[nr], zone, n / QR_MAGAZINE_ORDERS, n % QR_MAGAZINE_ORDERS);
		routes[nr].mark = (uint8_t)nr;
	}
	return nr;
}

static const struct qr_step_route *way_of(struct qr_allocator *alloc, int nid, qr_gfp_t gfp)
{
	const struct qr_node *node = qr__node(&alloc->frames, nid);
	const struct qr_zone *zone = atomic_load_explicit(
		&node->first_zone[qr__gfp_zone(alloc, gfp)], memory_order_acquire);
	enum qr_migratetype type = qr__fast_request_type(gfp);

	if (!zone || !zone->route || type >= QR_MIGRATE_PCPTYPES)
		return NULL;
	return &alloc->routes[qr__route_of(zone, type, 0)];
}

void qr__step_ways_set(struct qr_allocator *alloc)
{
	for (unsigned n = 0; alloc->ways && n < alloc->frames.nr_nodes * QR_NR_WAYS; n++)
		atomic_store_explicit(&alloc->ways[n],
				      way_of(alloc, (int)(n / QR_NR_WAYS), n % QR_NR_WAYS),
				      memory_order_release);
}

void qr__step_init(struct qr_allocator *alloc)
{
	struct qr_step_route *routes = alloc->routes;
	struct qr_zone *zone;
	unsigned nr = 1; /* 0 is no mark */

	if (!routes)
		return;
	qr__for_each_zone(&alloc->frames, zone)
	{
		nr = zone_routes_init(routes, zone, nr);
	}
	routes[0].order = QR_NR_PAGE_ORDERS;
	for (; nr < QR_NR_ROUTES; nr++)
		routes[nr].order = QR_NR_PAGE_ORDERS;
	qr__step_ways_set(alloc);
	qr__detour_set(alloc, 0, false);
}

/* Open or not ------------------------------------------------------------------------------ */

/* Where tasks are told apart, each request asks whose it is. */
static uintptr_t steps_of(const struct qr_allocator *alloc, uint32_t detours)
{
	const struct qr_platform *p = &alloc->frames.base.platform;

	if (detours || !alloc->routes || p->current_task)
		return QR_STEPS_NONE;
	return QR_LOCAL_HAVE_INLINE && p->local_area ? p->local_area : QR_STEPS_BY_HOOK;
}

/* Of several who do this at once, the last to write has seen all reasons. */
static void steps_review(struct qr_allocator *alloc)
{
	uint32_t detours;

	do {
		detours = atomic_load_explicit(&alloc->detours, memory_order_seq_cst);
		atomic_store_explicit(&alloc->steps, steps_of(alloc, detours),
				      memory_order_seq_cst);
	} while (detours != atomic_load_explicit(&alloc->detours, memory_order_seq_cst));
}

void qr__detour_set(struct qr_allocator *alloc, uint32_t why, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&alloc->detours, why, memory_order_seq_cst);
	else
		atomic_fetch_and_explicit(&alloc->detours, ~why, memory_order_seq_cst);
	steps_review(alloc);
}

/* Seldom --------------------------------------------------------------------------------- */

/* That it was taken counts as an allocation, unless we get the lock to say that it was none. */
static void anothers_report(struct qr_zone *zone, uint32_t i, unsigned order)
{
	struct qr_per_cpu_pages *pcp;

	qr__freed_twice_report(zone, zone->frames->base_pfn + i, order);
	if (!qr__pcp_enter(zone, &pcp))
		return;
	qr__magazine_leaked(&pcp->mag, order);
	qr__pcp_leave(zone, pcp);
}

QR_COLD struct qr_page *qr__step_open_other(struct qr_allocator *alloc,
					    const struct qr_step_route *route, uint32_t i)
{
	struct qr_frames *frames = &alloc->frames;

	if (!qr__word_is_cached(qr__frame_word(frames, i), route->order)) {
		anothers_report(route->zone, i, route->order);
		return NULL;
	}
	qr__fast_open(frames, i, route->order, route->mark);
	return &frames->pages[i];
}

/* By the hook ------------------------------------------------------------------------------ */

static enum qr_local_result hook_commit(const struct qr_base *base,
					const struct qr_local_commit *commit)
{
	return base->platform.local_commit(base->platform.ctx, commit);
}

struct qr_page *qr__step_hook_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order)
{
	const struct qr_base *base = &alloc->frames.base;
	const struct qr_step_route *route;
	struct qr_local_commit commit;
	uint32_t cpu, i;

	if (qr__steps(alloc) == QR_STEPS_NONE || !qr__fast_request_usual(gfp, order))
		return NULL;
	cpu = qr__cpu_racy(base);
	route = qr__step_route(alloc, cpu, gfp, order);
	if (!route || !qr__step_take(route, cpu, &i, &commit) ||
	    hook_commit(base, &commit) != QR_LOCAL_DONE)
		return NULL;
	return qr__step_open(alloc, route, i, order);
}

enum qr_local_result qr__step_hook_free(struct qr_allocator *alloc, struct qr_page *page,
					unsigned order)
{
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);
	const struct qr_step_route *route;
	struct qr_local_commit commit;
	struct qr_step_place place;
	uint32_t cpu;

	if (qr__steps(alloc) == QR_STEPS_NONE)
		return QR_LOCAL_NOT;
	route = qr__step_route_back(alloc, i, order);
	if (!route)
		return QR_LOCAL_NOT;
	cpu = qr__cpu_racy(&alloc->frames.base);
	if (!qr__step_place(route, qr__step_cache(route, cpu), i, &place))
		return QR_LOCAL_NOT;
	commit = qr__step_drop(alloc, route, cpu, i, order, &place);
	return hook_commit(&alloc->frames.base, &commit);
}
