/* SPDX-License-Identifier: MIT */
/*
 * alloc/step.c - the shortest way: its routes, when it is open, and how it is gone by hooks
 *
 * See step.h for the theory.
 */
#include "step.h"

#include "../frames/layout.h"
#include "speculation.h"

/* Rooms ------------------------------------------------------------------------------------ */

/* The platform can make steps, and the caches are such that they need no more. */
static bool can_step(const struct qr_config *config)
{
	return config->platform.local_commit && qr__buddy_engine(config->engine)->refill;
}

void qr__step_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null, char *memory)
{
	uint64_t nr_frames = layout->end_pfn - layout->base_pfn;
	size_t routes, cpus, marks[QR_MARK_ORDERS];

	if (!can_step(layout->config))
		return;
	routes = qr__layout_room(layout, QR_NR_ROUTES * sizeof(struct qr_step_route),
				 QR_METADATA_ALIGN);
	cpus = qr__layout_room(layout, (size_t)layout->nr_cpus << QR_STEP_CPU_SHIFT,
			       QR_METADATA_ALIGN);
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++)
		marks[order] =
			qr__layout_room(layout, (size_t)(nr_frames >> order), QR_METADATA_ALIGN);
	if (!memory)
		return;
	alloc_or_null->routes = (struct qr_step_route *)(void *)(memory + routes);
	alloc_or_null->step_cpus = memory + cpus;
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++)
		alloc_or_null->frames.marks[order] =
			(_Atomic uint8_t *)(void *)(memory + marks[order]);
}

/* Routes ----------------------------------------------------------------------------------- */

#define FIRST_ROUTE 1u /* 0 is no mark */

/* A route's ring on a CPU. */
static struct qr_magazine_ring *ring_of(const struct qr_step_route *route, unsigned cpu)
{
	return (struct qr_magazine_ring *)(void *)((char *)route->ring +
						   cpu * sizeof(struct qr_per_cpu_pages));
}

static void ring_init(struct qr_per_cpu_pages *pcp, const struct qr_zone *zone, unsigned type,
		      unsigned order)
{
	struct qr_magazine_ring *ring = qr__ring(&pcp->mag, (enum qr_migratetype)type, order);

	ring->mark = qr__route_of(zone, type, order);
	ring->open =
		zone->id | QR_STATE_TYPE(QR_PT_INUSE) | QR_STATE_ORDER(order) | QR_STATE_REFS(1);
	ring->put = qr__put(&pcp->mag, order);
	ring->lock = &pcp->lock;
}

static void route_init(struct qr_step_route *route, struct qr_zone *zone, unsigned type,
		       unsigned order)
{
	for (unsigned cpu = 0; cpu < zone->frames->base.nr_cpus; cpu++)
		ring_init(qr__pcp_of(zone, cpu), zone, type, order);
	route->zone = zone;
	route->ring = qr__ring(&zone->pcp->mag, (enum qr_migratetype)type, order);
	route->open = route->ring->open;
	route->order = (uint8_t)order;
}

static unsigned zone_routes_init(struct qr_step_route *routes, struct qr_zone *zone, unsigned nr)
{
	const unsigned nr_of_zone = QR_MIGRATE_PCPTYPES * QR_MAGAZINE_ORDERS;

	if (!zone->pcp || nr + nr_of_zone > QR_MARK_CACHED)
		return nr;
	zone->route = (uint8_t)nr;
	for (unsigned n = 0; n < nr_of_zone; n++, nr++)
		route_init(&routes[nr], zone, n / QR_MAGAZINE_ORDERS, n % QR_MAGAZINE_ORDERS);
	return nr;
}

/* The route of single pages for such a request, which those of larger blocks follow; or NULL. */
static const struct qr_step_route *route_for(const struct qr_allocator *alloc, int nid,
					     qr_gfp_t gfp)
{
	const struct qr_node *node = qr__node(&alloc->frames, nid);
	const struct qr_zone *zone = atomic_load_explicit(
		&node->first_zone[qr__gfp_zone(alloc, gfp)], memory_order_acquire);
	enum qr_migratetype type = qr__fast_request_type(gfp);

	if (!zone || !zone->route || type >= QR_MIGRATE_PCPTYPES)
		return NULL;
	return &alloc->routes[qr__route_of(zone, type, 0)];
}

static void cpu_ways_set(struct qr_allocator *alloc, unsigned cpu)
{
	for (qr_gfp_t gfp = 0; gfp < QR_NR_WAYS; gfp++) {
		const struct qr_step_route *route =
			route_for(alloc, alloc->frames.cpu_node[cpu], gfp);

		for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++)
			atomic_store_explicit(&qr__step_cpu(alloc, cpu)->ways[order][gfp],
					      route ? ring_of(route + order, cpu) : NULL,
					      memory_order_release);
	}
}

void qr__step_ways_set(struct qr_allocator *alloc)
{
	for (unsigned cpu = 0; alloc->step_cpus && cpu < qr__alloc_base(alloc)->nr_cpus; cpu++)
		cpu_ways_set(alloc, cpu);
}

/* Nothing left a ring yet, and the first will do: where it is not the right one, marks say so. */
static void cpus_init(struct qr_allocator *alloc)
{
	const struct qr_step_route *first = &alloc->routes[FIRST_ROUTE];

	for (unsigned cpu = 0; cpu < qr__alloc_base(alloc)->nr_cpus; cpu++)
		for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++)
			qr__step_cpu(alloc, cpu)->recent[order] = ring_of(first + order, cpu);
}

void qr__step_init(struct qr_allocator *alloc)
{
	struct qr_step_route *routes = alloc->routes;
	unsigned nr = FIRST_ROUTE;
	struct qr_zone *zone;

	if (!routes)
		return;
	for (unsigned mark = 0; mark < QR_NR_ROUTES; mark++)
		routes[mark].order = QR_NR_PAGE_ORDERS;
	qr__for_each_zone(&alloc->frames, zone)
	{
		nr = zone_routes_init(routes, zone, nr);
	}
	if (nr > FIRST_ROUTE)
		cpus_init(alloc);
	qr__step_ways_set(alloc);
	qr__detour_set(alloc, 0, false);
}

/* Open or not ------------------------------------------------------------------------------ */

/* Where tasks are told apart, each request asks whose it is. */
static uintptr_t steps_of(const struct qr_allocator *alloc, uint32_t detours)
{
	const struct qr_platform *p = &alloc->frames.base.platform;

	if (detours || !alloc->routes || !alloc->routes[FIRST_ROUTE].ring || p->current_task)
		return QR_STEPS_NONE;
	return QR_STEPS_HAVE_INLINE && p->local_area ? p->local_area : QR_STEPS_BY_HOOK;
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

QR_COLD bool qr__step_open_by_state(struct qr_allocator *alloc, const struct qr_magazine_ring *from,
				    uint64_t i)
{
	const struct qr_step_route *route = &alloc->routes[from->mark];
	struct qr_frames *frames = &alloc->frames;

	if (!qr__word_is_cached(qr__frame_word(frames, i), route->order)) {
		anothers_report(route->zone, (uint32_t)i, route->order);
		return false;
	}
	qr__fast_open(frames, (uint32_t)i, route->order, from->mark);
	return true;
}

/* By the hook ------------------------------------------------------------------------------ */

static enum qr_local_result hook_commit(const struct qr_base *base,
					const struct qr_local_commit *commit)
{
	return base->platform.local_commit(base->platform.ctx, commit);
}

static const uint32_t *word_of(const _Atomic uint32_t *word)
{
	return (const uint32_t *)(const void *)word;
}

/* The block that waits first in the ring would be taken by this; false: none waits. */
static bool take_prepare(struct qr_magazine_ring *ring, unsigned order, uint32_t cpu, uint32_t *i,
			 struct qr_local_commit *commit)
{
	uint64_t head = qr__read(&ring->head);

	if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
		return false;
	*i = ring->frames[qr__ring_place(head, order)];
	atomic_store_explicit(&ring->last, *i, memory_order_relaxed);
	*commit = (struct qr_local_commit){
		.cpu = cpu,
		.word = word_of(&ring->lock->taken),
		.count = (uint64_t *)(void *)&ring->head,
		.seen = head,
	};
	return true;
}

struct qr_page *qr__step_hook_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order)
{
	const struct qr_base *base = qr__alloc_base(alloc);
	struct qr_magazine_ring *ring;
	struct qr_local_commit commit;
	uint32_t cpu, i;

	if (qr__steps(alloc) == QR_STEPS_NONE || !qr__fast_request_usual(gfp, order))
		return NULL;
	cpu = qr__cpu_racy(base);
	ring = atomic_load_explicit(&qr__step_cpu(alloc, cpu)->ways[order][qr__step_way(gfp, 0)],
				    memory_order_acquire);
	if (!ring || qr__local_closed(ring->lock) & ~QR_STEPS_DROP_NOT ||
	    !take_prepare(ring, order, cpu, &i, &commit) ||
	    hook_commit(base, &commit) != QR_LOCAL_DONE)
		return NULL;
	if (!qr__step_open(alloc, ring, i, order) && !qr__step_open_by_state(alloc, ring, i))
		return NULL;
	return &alloc->frames.pages[i];
}

/* Where a block that is freed would go: into a place, and a count would be one more. */
struct place {
	_Atomic uint64_t *count;
	uint64_t seen;
	uint32_t *slot;
};

/* Behind those that wait in the ring, if block i lies where the last one that left it did. */
static bool place_back(struct qr_magazine_ring *ring, unsigned order, uint64_t i,
		       struct place *place)
{
	uint32_t last = atomic_load_explicit(&ring->last, memory_order_relaxed);

	if ((last ^ (uint32_t)i) & qr__step_apart(order))
		return false;
	place->count = &ring->tail;
	place->seen = qr__read(&ring->tail);
	place->slot = &ring->frames[qr__ring_place(place->seen, order)];
	return place->seen - qr__read(&ring->head) < ring->limit;
}

/* Into the put magazine, unless it would be full. */
static bool place_put(struct qr_magazine_put *put, struct place *place)
{
	place->count = &put->nr;
	place->seen = qr__read(&put->nr);
	place->slot = &put->frames[place->seen];
	return place->seen + 1 < put->limit;
}

enum qr_local_result qr__step_hook_free(struct qr_allocator *alloc, struct qr_page *page,
					unsigned order)
{
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);
	const struct qr_step_route *route;
	struct qr_magazine_ring *ring;
	struct place place;
	_Atomic uint8_t *mark;
	uint32_t cpu;

	if (qr__steps(alloc) == QR_STEPS_NONE || i >= alloc->frames.nr_frames ||
	    !qr__step_may_free(i, order))
		return QR_LOCAL_NOT;
	mark = qr__mark_of(&alloc->frames, i, order);
	route = &alloc->routes[qr__mark(mark)];
	if (route->order != order)
		return QR_LOCAL_NOT;
	cpu = qr__cpu_racy(qr__alloc_base(alloc));
	ring = ring_of(route, cpu);
	if (!(place_back(ring, order, i, &place) || place_put(ring->put, &place)))
		return QR_LOCAL_NOT;
	return hook_commit(qr__alloc_base(alloc), &(struct qr_local_commit){
							  .cpu = cpu,
							  .word = word_of(&ring->lock->taken),
							  .count = (uint64_t *)(void *)place.count,
							  .seen = place.seen,
							  .gate = word_of(&ring->lock->closed),
							  .mark = (uint8_t *)(void *)mark,
							  .mark_is = ring->mark,
							  .mark_becomes = QR_MARK_CACHED,
							  .slot = place.slot,
							  .number = (uint32_t)i,
						  });
}
