/* SPDX-License-Identifier: MIT */
/*
 * alloc/step.h - the shortest way: a block out of or into this CPU's magazine by one step
 *
 * Theory of operation
 * -------------------
 * What fast.h does with the cache locked is done here without its lock, where the platform can make
 * a few loads and stores one step on a CPU (base/local_commit.h), and by the block's mark alone, as
 * far as its state goes, until it is in use again (frames.h).  Every reason to turn back leaves all
 * as it was: an empty magazine and a full one are for who has the lock.
 *
 * What a step has to know of its block (the zone's caches, where in them the magazines are, what
 * the state says before and after) is the same for all blocks of one zone, type and order.  It is
 * computed once, a *route* for each such triple, and the number of the route is the mark of the
 * blocks that go that way.  There are fewer than 256 marks, so only the first zones with memory
 * have routes; others go the longer way.
 *
 * Whether steps are open at all is one word, alloc->steps: nothing about the instance is unusual
 * (QR_DETOUR_...), and no tasks are told apart.
 *
 * Straight back
 * -------------
 * A freed block is handed out again only after the engine has seen it, so that the engine can
 * choose (magazine.h).  But if it lies in the pageblock from which the last block of its kind was
 * handed out, there is nothing to choose: that pageblock is the one being used up.  Such a block
 * goes back to the end of the ring it came from.  So what is freed soon after it was allocated does
 * not pass the engine at all, and what comes from elsewhere, being freed at random, still does.
 * Which block was handed out last is noted beside the ring, by whoever took it; it is a hint.
 *
 * In doubt
 * --------
 * A free that somebody interrupts between its stores is in doubt.  If the mark has become what the
 * free writes, the block is ours still and in no magazine: it is put there with the lock held.
 */
#ifndef QR_ALLOC_STEP_H
#define QR_ALLOC_STEP_H

#include "../base/local_commit.h"
#include "fast.h"

/* Values of alloc->steps; any other: the area of the inline functions. */
#define QR_STEPS_NONE ((uintptr_t)0)
#define QR_STEPS_BY_HOOK ((uintptr_t)1)

#define QR_NR_ROUTES 256u
#define QR_NR_WAYS 32u /* masks of an allocation that differ in zone or type */

struct qr_step_route {
	_Alignas(64) struct qr_zone *zone;
	struct qr_per_cpu_pages *caches; /* CPU 0's */
	uint64_t open; /* what the state says of a block in use, if it is plain */
	uint32_t ring, ring_frames, put, put_frames; /* from a cache's start on */
	uint32_t apart; /* numbers that differ in these bits do not lie in one pageblock */
	uint8_t ring_mask; /* places of the ring, less 1 */
	uint8_t order; /* QR_NR_PAGE_ORDERS: this is no route */
	uint8_t mark; /* its own number */
};

_Static_assert(sizeof(struct qr_step_route) == 64, "a route is one cache line");
_Static_assert(QR_MAGAZINE_ROOM(0) <= 256, "the mask of a ring is a byte");
_Static_assert(QR_SPECULATION_CLOSED == 0, "a gate is open at 0");

/* How steps are gone now. */
QR_INLINE uintptr_t qr__steps(const struct qr_allocator *alloc)
{
	return atomic_load_explicit(&alloc->steps, memory_order_acquire);
}

/* Are they gone by the inline functions? */
QR_INLINE bool qr__steps_are_inline(uintptr_t steps)
{
	return QR_LOCAL_HAVE_INLINE && qr__likely(steps > QR_STEPS_BY_HOOK);
}

/* The cache of CPU @cpu on a route; and what is in it. */
QR_INLINE char *qr__step_cache(const struct qr_step_route *route, uint32_t cpu)
{
	return (char *)(route->caches + cpu);
}

QR_INLINE struct qr_magazine_ring *qr__step_ring(const struct qr_step_route *route, char *cache)
{
	return (struct qr_magazine_ring *)(void *)(cache + route->ring);
}

QR_INLINE uint32_t *qr__step_ring_frame(const struct qr_step_route *route, char *cache, uint64_t n)
{
	return (uint32_t *)(void *)(cache + route->ring_frames) + (n & route->ring_mask);
}

QR_INLINE struct qr_magazine_put *qr__step_put(const struct qr_step_route *route, char *cache)
{
	return (struct qr_magazine_put *)(void *)(cache + route->put);
}

QR_INLINE const uint32_t *qr__step_word(char *cache)
{
	return (const uint32_t *)(void *)&((struct qr_per_cpu_pages *)(void *)cache)->lock.taken;
}

/* Out -------------------------------------------------------------------------------------- */

/* The way of a request; NULL: it needs a closer look. */
QR_INLINE const struct qr_step_route *qr__step_route(const struct qr_allocator *alloc, uint32_t cpu,
						     qr_gfp_t gfp, unsigned order)
{
	unsigned nid = alloc->frames.nr_nodes == 1 ? 0 : (unsigned)alloc->frames.cpu_node[cpu];
	unsigned way = nid * QR_NR_WAYS + (gfp & (QR_NR_WAYS - 1));
	const struct qr_step_route *route =
		atomic_load_explicit(&alloc->ways[way], memory_order_acquire);

	if (qr__unlikely(!route || !qr__fast_zone_open(route->zone)))
		return NULL;
	return route + order;
}

/* step.c: the mark is not what it usually is; NULL: it is nothing for the caller. */
struct qr_page *qr__step_open_other(struct qr_allocator *alloc, const struct qr_step_route *route,
				    uint32_t i);

/* What came off a magazine is the caller's. */
QR_INLINE struct qr_page *qr__step_open(struct qr_allocator *alloc,
					const struct qr_step_route *route, uint32_t i,
					unsigned order)
{
	struct qr_frames *frames = &alloc->frames;
	struct qr_page_state *state = &frames->states[i];
	_Atomic uint8_t *mark = qr__mark_of(frames, i, order);

	if (qr__unlikely(qr__mark(mark) != QR_MARK_CACHED))
		return qr__step_open_other(alloc, route, i);
	atomic_store_explicit(&state->word, route->open, memory_order_release);
	qr__sched_point(&frames->base, "opening");
	qr__mark_set(mark, route->mark);
	return &frames->pages[i];
}

/* The block that waits first on CPU @cpu would be taken by this; false: none waits. */
QR_INLINE bool qr__step_take(const struct qr_step_route *route, uint32_t cpu, uint32_t *i,
			     struct qr_local_commit *commit)
{
	char *cache = qr__step_cache(route, cpu);
	struct qr_magazine_ring *ring = qr__step_ring(route, cache);
	uint64_t head = qr__read(&ring->head);

	if (qr__unlikely(head == atomic_load_explicit(&ring->tail, memory_order_acquire)))
		return false;
	*i = *qr__step_ring_frame(route, cache, head);
	atomic_store_explicit(&ring->last, *i, memory_order_relaxed);
	*commit = (struct qr_local_commit){
		.cpu = cpu,
		.word = qr__step_word(cache),
		.count = (uint64_t *)(void *)&ring->head,
		.seen = head,
	};
	return true;
}

/* A block of an ordinary request, which waits on this CPU; NULL: go the longer way. */
QR_INLINE struct qr_page *qr__step_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order)
{
	uintptr_t steps = qr__steps(alloc);
	const struct qr_step_route *route;
	struct qr_local_commit commit;
	uint32_t cpu, i = 0; /* gcc -Og does not see that a step taken sets it */

	if (qr__unlikely(!qr__steps_are_inline(steps) || !qr__fast_request_usual(gfp, order)))
		return NULL;
	cpu = qr_local_inline_cpu(steps);
	if (qr__unlikely(cpu >= alloc->frames.base.nr_cpus))
		return NULL;
	route = qr__step_route(alloc, cpu, gfp, order);
	if (qr__unlikely(!route || !qr__step_take(route, cpu, &i, &commit) ||
			 !qr_local_inline_count(steps, commit)))
		return NULL;
	return qr__step_open(alloc, route, i, order);
}

/* In --------------------------------------------------------------------------------------- */

/* Where a block that is freed would go: into a place, and a count would be one more. */
struct qr_step_place {
	_Atomic uint64_t *count;
	uint64_t seen;
	uint32_t *slot;
};

/* Behind those that wait in the ring, if block i lies where the last one that left it did. */
QR_INLINE bool qr__step_place_back(const struct qr_step_route *route, char *cache, uint64_t i,
				   struct qr_step_place *place)
{
	struct qr_magazine_ring *ring = qr__step_ring(route, cache);
	uint32_t last = atomic_load_explicit(&ring->last, memory_order_relaxed);

	if ((last ^ (uint32_t)i) & route->apart)
		return false;
	place->count = &ring->tail;
	place->seen = qr__read(&ring->tail);
	place->slot = qr__step_ring_frame(route, cache, place->seen);
	return place->seen - qr__read(&ring->head) < ring->limit;
}

/* Into the put magazine, unless it would be full. */
QR_INLINE bool qr__step_place_put(const struct qr_step_route *route, char *cache,
				  struct qr_step_place *place)
{
	struct qr_magazine_put *put = qr__step_put(route, cache);

	place->count = &put->nr;
	place->seen = qr__read(&put->nr);
	place->slot = (uint32_t *)(void *)(cache + route->put_frames) + place->seen;
	return place->seen + 1 < put->limit;
}

QR_INLINE bool qr__step_place(const struct qr_step_route *route, char *cache, uint64_t i,
			      struct qr_step_place *place)
{
	return qr__step_place_back(route, cache, i, place) ||
	       qr__likely(qr__step_place_put(route, cache, place));
}

/* Drop the last reference to block i of this order, and put it there. */
QR_INLINE struct qr_local_commit qr__step_drop(struct qr_allocator *alloc,
					       const struct qr_step_route *route, uint32_t cpu,
					       uint64_t i, unsigned order,
					       const struct qr_step_place *place)
{
	return (struct qr_local_commit){
		.cpu = cpu,
		.word = qr__step_word(qr__step_cache(route, cpu)),
		.count = (uint64_t *)(void *)place->count,
		.seen = place->seen,
		.gate = (const uint32_t *)(const void *)&alloc->speculation_mode,
		.mark = (uint8_t *)(void *)qr__mark_of(&alloc->frames, i, order),
		.mark_is = route->mark,
		.mark_becomes = QR_MARK_CACHED,
		.slot = place->slot,
		.number = (uint32_t)i,
	};
}

QR_INLINE enum qr_local_result qr__step_push(struct qr_allocator *alloc, uintptr_t steps,
					     const struct qr_step_route *route, uint64_t i,
					     unsigned order)
{
	uint32_t cpu = qr_local_inline_cpu(steps);
	char *cache = qr__step_cache(route, cpu);
	struct qr_step_place place;

	if (qr__unlikely(cpu >= alloc->frames.base.nr_cpus))
		return QR_LOCAL_NOT;
	if (qr__unlikely(!qr__step_place(route, cache, i, &place)))
		return QR_LOCAL_NOT;
	return qr_local_inline_commit(steps, qr__step_drop(alloc, route, cpu, i, order, &place));
}

/* The route of a marked block, for a free of it; NULL: it needs a closer look. */
QR_INLINE const struct qr_step_route *qr__step_route_back(const struct qr_allocator *alloc,
							  uint64_t i, unsigned order)
{
	const struct qr_step_route *route;

	/* a page within a block would find the block's mark */
	if (qr__unlikely(i >= alloc->frames.nr_frames || order >= QR_MAGAZINE_ORDERS ||
			 i & (qr__order_pages(order) - 1)))
		return NULL;
	route = &alloc->routes[qr__mark(qr__mark_of(&alloc->frames, i, order))];
	if (qr__unlikely(route->order != order || !qr__fast_zone_open(route->zone)))
		return NULL;
	return route;
}

/* This page is soon to be freed: what its free will read is fetched. */
QR_INLINE void qr__step_fetch(const struct qr_allocator *alloc, const struct qr_page *page)
{
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);

	if (qr__has_marks(&alloc->frames) && i < alloc->frames.nr_frames)
		__builtin_prefetch(qr__mark_of(&alloc->frames, i, 0), 1);
}

QR_INLINE enum qr_local_result qr__step_free(struct qr_allocator *alloc, struct qr_page *page,
					     unsigned order)
{
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);
	uintptr_t steps = qr__steps(alloc);
	const struct qr_step_route *route;

	if (qr__unlikely(!qr__steps_are_inline(steps)))
		return QR_LOCAL_NOT;
	route = qr__step_route_back(alloc, i, order);
	return qr__likely(route != NULL) ? qr__step_push(alloc, steps, route, i, order)
					 : QR_LOCAL_NOT;
}

/* step.c: the same by the platform's hooks, if it has any. */
struct qr_page *qr__step_hook_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order);
enum qr_local_result qr__step_hook_free(struct qr_allocator *alloc, struct qr_page *page,
					unsigned order);

struct qr_layout;

/* Reserve the rooms of marks and routes, if there are to be steps; and fill in the routes. */
void qr__step_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null, char *memory);
void qr__step_init(struct qr_allocator *alloc);
/* Zonelists have changed: which zone serves first may be another. */
void qr__step_ways_set(struct qr_allocator *alloc);

#endif /* QR_ALLOC_STEP_H */
