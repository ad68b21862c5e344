/* SPDX-License-Identifier: MIT */
/*
 * alloc/fast.h - the short way: a block, out of and into this CPU's cache
 *
 * What most requests come to when everything unusual is cut away.  Nothing is decided here that the
 * long way (page_alloc.c, free.c, pcp.c) would decide differently: whatever is not as usual, an
 * option, a flag, a listener, a zone that is short, an empty list, a cache that is taken, is a
 * reason to turn back with nothing done and go the long way.  So the short way may be left out at
 * any time, and the only difference is time.
 *
 * It is for single pages, and where caches keep magazines for all orders that have one.
 *
 * What it costs: no locked instruction where the platform has local locks and nobody takes
 * references to other people's pages (speculation.h); else one each for the cache's lock, and one
 * for the reference on the way in.  The rest is loads and stores in a handful of cache lines: two
 * of the zone, two or three of the cache, and the page's state.
 */
#ifndef QR_ALLOC_FAST_H
#define QR_ALLOC_FAST_H

#include "pcp.h"
#include "speculation.h"

/* Requests that differ from others only in how hard they try, or where. */
#define QR_GFP_USUAL \
	(QR_GFP_BITS_MASK & \
	 ~(QR___GFP_ZERO | QR___GFP_WRITE | QR___GFP_THISNODE | QR___GFP_ACCOUNT))

/* Is there anything about the instance that makes an allocation more than taking a page? */
QR_INLINE bool qr__fast_alloc_usual(const struct qr_allocator *alloc)
{
	return !qr__detours(alloc);
}

/* Neither short of pages nor disturbed in any other way? */
QR_INLINE bool qr__fast_zone_open(const struct qr_zone *zone)
{
	return !atomic_load_explicit(&zone->flags, memory_order_relaxed);
}

/* An order that has magazines, and nothing but a page? */
QR_INLINE bool qr__fast_request_usual(qr_gfp_t gfp, unsigned order)
{
	return !(gfp & ~QR_GFP_USUAL) &&
	       (!order || (order < QR_MAGAZINE_ORDERS && !(gfp & QR___GFP_COMP)));
}

QR_INLINE enum qr_migratetype qr__fast_request_type(qr_gfp_t gfp)
{
	return (enum qr_migratetype)((gfp & QR_GFP_MOVABLE_MASK) >> 3);
}

/* The zone that serves first, from this node on; NULL: none does without a closer look. */
QR_INLINE struct qr_zone *qr__fast_zone(struct qr_allocator *alloc, int nid, qr_gfp_t gfp)
{
	const struct qr_node *node = qr__node(&alloc->frames, nid);
	struct qr_zone *zone = atomic_load_explicit(&node->first_zone[qr__gfp_zone(alloc, gfp)],
						    memory_order_acquire);

	return qr__likely(zone && qr__fast_zone_open(zone)) ? zone : NULL;
}

/* Out -------------------------------------------------------------------------------------- */

/* The first page of a list; QR_LIST_NONE: it is empty. */
QR_INLINE uint32_t qr__fast_list_take(struct qr_frames *frames, struct qr_per_cpu_pages *pcp,
				      enum qr_migratetype type) QR_REQUIRES(pcp->lock)
{
	struct qr_list *list = &pcp->lists[type];

	if (qr__unlikely(qr__list_empty(list)))
		return QR_LIST_NONE;
	qr__pcp_write(&pcp->count, qr__pcp_read(&pcp->count) - 1);
	qr__pcp_write(&pcp->free_count, qr__pcp_read(&pcp->free_count) >> 1);
	qr__bump(&pcp->nr_alloc, 1);
	qr__bump(&pcp->nr_hit, 1);
	return qr__list_pop_front(list, qr__page_links(frames));
}

_Static_assert(QR_MAGAZINE_EMPTY == QR_LIST_NONE, "the same number says that there is none");

/* Was this block freed twice at once, and has gone another way from the other cache already? */
QR_INLINE bool qr__fast_is_anothers(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, uint32_t i,
				    unsigned order) QR_REQUIRES(pcp->lock)
{
	if (qr__likely(qr__word_is_cached(qr__frame_word(zone->frames, i), order)))
		return false;
	qr__freed_twice_report(zone, zone->frames->base_pfn + i, order);
	qr__magazine_leaked(&pcp->mag, order);
	return true;
}

/* A block that waits in this CPU's cache; QR_LIST_NONE: there is none, or no cache to be had. */
QR_INLINE uint32_t qr__fast_take(struct qr_base *base, struct qr_zone *zone,
				 enum qr_migratetype type, unsigned order)
{
	struct qr_per_cpu_pages *pcp;
	uint32_t i = QR_LIST_NONE;

	if (qr__unlikely(!qr__pcp_enter_base(base, zone, &pcp)))
		return QR_LIST_NONE;
	if (pcp->magazines) {
		i = qr__magazine_get(&pcp->mag, type, order);
		if (qr__unlikely(i == QR_MAGAZINE_EMPTY))
			i = qr__magazine_take_own(zone, pcp, order, type);
		if (qr__likely(i != QR_MAGAZINE_EMPTY) &&
		    qr__unlikely(qr__fast_is_anothers(zone, pcp, i, order)))
			i = QR_MAGAZINE_EMPTY;
	} else if (!order) {
		i = qr__fast_list_take(zone->frames, pcp, type);
	}
	qr__pcp_leave_base(base, pcp);
	return i;
}

/* The block is the caller's now; where marks are kept, it gets one (0: not this one). */
QR_INLINE void qr__fast_open(struct qr_frames *frames, uint32_t i, unsigned order, uint8_t mark)
{
	struct qr_page_state *state = &frames->states[i];

	qr__frame_settle(frames, i);
	if (qr__unlikely(qr__state_noted(state)))
		qr__page_private_set(frames, &frames->pages[i], 0);
	else if (qr__has_marks(frames))
		qr__mark_set(qr__mark_of(frames, i, order), mark);
	qr__state_open(state);
}

/* The number of a route, which is the mark of what comes that way; 0: there is none. */
QR_INLINE uint8_t qr__route_of(const struct qr_zone *zone, enum qr_migratetype type, unsigned order)
{
	return (uint8_t)(zone->route ? zone->route + type * QR_MAGAZINE_ORDERS + order : 0);
}

/* A block near this CPU, for an ordinary task without a policy; NULL: go the long way. */
QR_INLINE struct qr_page *qr__fast_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order)
{
	struct qr_frames *frames = &alloc->frames;
	enum qr_migratetype type = qr__fast_request_type(gfp);
	struct qr_zone *zone;
	uint32_t i;

	if (qr__unlikely(!qr__fast_request_usual(gfp, order) || !qr__fast_alloc_usual(alloc)))
		return NULL;
	zone = qr__fast_zone(alloc, qr__numa_node(frames), gfp);
	if (qr__unlikely(!zone))
		return NULL;
	i = qr__fast_take(&frames->base, zone, type, order);
	if (qr__unlikely(i == QR_LIST_NONE))
		return NULL;
	qr__fast_open(frames, i, order, qr__route_of(zone, type, order));
	return &frames->pages[i];
}

/* In --------------------------------------------------------------------------------------- */

/* Does the state say that there is nothing to it but a block in use, and one reference? */
QR_INLINE bool qr__fast_free_usual(const struct qr_allocator *alloc, uint64_t word, unsigned order)
{
	return qr__word_is_plain(word, order) && !qr__detours(alloc);
}

/* Is there room, and would this free change nothing of how the cache behaves? */
QR_INLINE bool qr__fast_list_has_room(const struct qr_per_cpu_pages *pcp, unsigned order)
{
	return !order && qr__pcp_read(&pcp->count) + 1 < qr__pcp_read(&pcp->high) &&
	       !(pcp->flags & QR_PCPF_PREV_FREE_HIGH_ORDER) &&
	       !atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
}

QR_INLINE void qr__fast_list_put(struct qr_frames *frames, struct qr_per_cpu_pages *pcp, uint32_t i,
				 enum qr_migratetype type) QR_REQUIRES(pcp->lock)
{
	int32_t free_count = qr__pcp_read(&pcp->free_count);

	qr__list_push_front(&pcp->lists[type], qr__page_links(frames), i);
	qr__pcp_write(&pcp->count, qr__pcp_read(&pcp->count) + 1);
	qr__bump(&pcp->nr_free, 1);
	if (qr__likely(free_count < qr__pcp_read(&pcp->batch) << QR_PCP_BATCH_SCALE_MAX))
		qr__pcp_write(&pcp->free_count, free_count + 1);
}

QR_INLINE enum qr_migratetype qr__fast_type(const struct qr_frames *frames, uint32_t i)
{
	return qr__pageblock_type(frames, frames->base_pfn + i);
}

/*
 * Drop the only reference to block i, if its state is still @word, and put it on its list.
 * HIGHATOMIC and CMA have none.
 */
QR_INLINE bool qr__fast_list_give(struct qr_allocator *alloc, struct qr_per_cpu_pages *pcp,
				  uint32_t i, uint64_t word, uint64_t cached, unsigned order)
	QR_REQUIRES(pcp->lock)
{
	struct qr_frames *frames = &alloc->frames;
	enum qr_migratetype type = qr__fast_type(frames, i);

	if (qr__unlikely(type >= QR_MIGRATE_PCPTYPES || !qr__fast_list_has_room(pcp, order)))
		return false;
	/* a page that is freed twice at once may not get onto two lists: one exchange decides */
	if (qr__unlikely(!qr__state_exchange(&frames->states[i], &word, cached)))
		return false;
	qr__fast_list_put(frames, pcp, i, type);
	return true;
}

/* Block i waits in a cache by its state; where the zone's blocks are marked, by its mark, too. */
QR_INLINE void qr__fast_mark_cached(const struct qr_zone *zone, uint32_t i, unsigned order)
{
	if (zone->route)
		qr__mark_set(qr__mark_of(zone->frames, i, order), QR_MARK_CACHED);
}

/* The same, into its magazine, which is emptied if it is full. */
QR_INLINE bool qr__fast_magazine_give(struct qr_allocator *alloc, struct qr_zone *zone,
				      struct qr_per_cpu_pages *pcp, uint32_t i, uint64_t word,
				      uint64_t cached, unsigned order) QR_REQUIRES(pcp->lock)
{
	struct qr_page_state *state = &alloc->frames.states[i];
	enum qr_migratetype type;

	if (order < QR_PAGEBLOCK_ORDER) {
		if (qr__unlikely(!qr__only_holder_exchange(alloc, state, word, cached)))
			return false;
		qr__fast_mark_cached(zone, i, order);
	} else {
		/*
		 * it does not pass the engine on its way out again: one exchange decides, as above
		 */
		if (qr__unlikely(!qr__state_exchange(state, &word, cached)))
			return false;
		qr__fast_mark_cached(zone, i, order);
		type = qr__fast_type(&alloc->frames, i);
		if (type < QR_MIGRATE_PCPTYPES && qr__magazine_return(&pcp->mag, i, type))
			return true;
	}
	if (qr__unlikely(qr__magazine_put(&pcp->mag, i, order) >= qr__put(&pcp->mag, order)->limit))
		qr__magazine_full_drain(zone, pcp, order);
	return true;
}

/* Drop the only reference to a plain block; false: go the long way. */
QR_INLINE bool qr__fast_free(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	struct qr_frames *frames = &alloc->frames;
	uint64_t i = qr__page_index_of_any(frames, page), word, cached;
	struct qr_per_cpu_pages *pcp;
	struct qr_zone *zone;
	bool done;

	if (qr__unlikely(i >= frames->nr_frames || order >= QR_MAGAZINE_ORDERS))
		return false;
	if (order && qr__unlikely(!qr__pcp_order_allowed(alloc, order)))
		return false;
	word = qr__frame_word(frames, i);
	if (qr__unlikely(!qr__fast_free_usual(alloc, word, order)))
		return false;
	zone = qr__zone_by_id(frames, word & QR_STATE_ZONE_MASK);
	if (qr__unlikely(!qr__fast_zone_open(zone) ||
			 !qr__pcp_enter_base(&frames->base, zone, &pcp)))
		return false;
	cached = qr__state_cached(word & QR_STATE_ZONE_MASK, order);
	qr__frame_settle(frames, i);
	if (pcp->magazines)
		done = qr__fast_magazine_give(alloc, zone, pcp, (uint32_t)i, word, cached, order);
	else
		done = qr__fast_list_give(alloc, pcp, (uint32_t)i, word, cached, order);
	qr__pcp_leave_base(&frames->base, pcp);
	return done;
}

#endif /* QR_ALLOC_FAST_H */
