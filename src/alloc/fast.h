/* SPDX-License-Identifier: MIT */
/*
 * alloc/fast.h - the short way: one page, out of and into this CPU's cache
 *
 * What most requests come to when everything unusual is cut away.  Nothing is decided here that the
 * long way (page_alloc.c, free.c, pcp.c) would decide differently: whatever is not as usual, an
 * option, a flag, a listener, a zone that is short, an empty list, a cache that is taken, is a
 * reason to turn back with nothing done and go the long way.  So the short way may be left out at
 * any time, and the only difference is time.
 *
 * What it costs: a locked instruction for the reference on the way in, and where the platform has
 * no local locks one each for the cache's lock.  The rest is loads and stores in a handful of cache
 * lines: three of the zone, two of the cache, one each of the page's state and pageblock.
 */
#ifndef QR_ALLOC_FAST_H
#define QR_ALLOC_FAST_H

#include "pcp.h"

/* Requests that differ from others only in how hard they try, or where. */
#define QR_GFP_USUAL \
	(QR_GFP_BITS_MASK & \
	 ~(QR___GFP_ZERO | QR___GFP_WRITE | QR___GFP_THISNODE | QR___GFP_ACCOUNT))

/* Is there anything about the instance that makes an allocation more than taking a page? */
QR_INLINE bool qr__fast_alloc_usual(const struct qr_allocator *alloc)
{
	uint64_t unusual = alloc->extras;

	unusual |= atomic_load_explicit(&alloc->frames.base.trace_mask, memory_order_relaxed);
	unusual |= atomic_load_explicit(&alloc->fail_on, memory_order_relaxed);
	unusual |= atomic_load_explicit(&alloc->frames.mobility_disabled, memory_order_relaxed);
	unusual |= ~atomic_load_explicit(&alloc->gfp_allowed_mask, memory_order_relaxed) &
		   QR_GFP_BITS_MASK;
	return !unusual;
}

/* Is the zone so well off that no mark needs to be looked at but the highest? */
QR_INLINE bool qr__fast_zone_open(const struct qr_zone *zone, enum qr_zone_type highest,
				  enum qr_migratetype type)
{
	uint64_t kept = qr__read(&zone->nr_free_highatomic);

	if (type != QR_MIGRATE_MOVABLE)
		kept += qr__read(&zone->nr_free_cma);
	kept += qr__wmark_pages(zone, QR_WMARK_HIGH) + qr__read(&zone->lowmem_reserve[highest]);
	return !atomic_load_explicit(&zone->flags, memory_order_relaxed) &&
	       qr__read(&zone->nr_free_pages) > kept;
}

/* The first page of this CPU's list, if there is one and the cache is to be had. */
QR_INLINE struct qr_page *qr__fast_take(struct qr_zone *zone, enum qr_migratetype type)
{
	struct qr_frames *frames = zone->frames;
	struct qr_page *page = NULL;
	struct qr_per_cpu_pages *pcp;
	struct qr_list *list;

	if (qr__unlikely(!qr__pcp_enter(zone, &pcp)))
		return NULL;
	list = &pcp->lists[type];
	if (qr__likely(!qr__list_empty(list))) {
		page = &frames->pages[qr__list_pop_front(list, qr__page_links(frames))];
		qr__pcp_write(&pcp->count, qr__pcp_read(&pcp->count) - 1);
		qr__pcp_write(&pcp->free_count, qr__pcp_read(&pcp->free_count) >> 1);
		qr__bump(&pcp->nr_alloc, 1);
		qr__bump(&pcp->nr_hit, 1);
	}
	qr__pcp_leave(zone, pcp);
	return page;
}

/* One page near this CPU, for an ordinary task without a policy; NULL: go the long way. */
QR_INLINE struct qr_page *qr__fast_alloc(struct qr_allocator *alloc, qr_gfp_t gfp)
{
	struct qr_frames *frames = &alloc->frames;
	int nid = frames->nr_nodes == 1 ? 0 : frames->cpu_node[qr__cpu_racy(&frames->base)];
	enum qr_migratetype type = (enum qr_migratetype)((gfp & QR_GFP_MOVABLE_MASK) >> 3);
	enum qr_zone_type highest = qr__gfp_zone(alloc, gfp);
	struct qr_zone *zone;
	struct qr_page *page;

	if (qr__unlikely((gfp & ~QR_GFP_USUAL) || highest >= QR_NR_ZONES ||
			 !qr__fast_alloc_usual(alloc)))
		return NULL;
	qr__zoneref_next(qr__node(frames, nid)->zonelist, highest, NULL, &zone);
	if (qr__unlikely(!zone || !qr__fast_zone_open(zone, highest, type)))
		return NULL;
	page = qr__fast_take(zone, type);
	if (qr__likely(page))
		qr__page_open(frames, page);
	return page;
}

/* Does the state say that there is nothing to it but a single page in use, and one reference? */
QR_INLINE bool qr__fast_free_usual(const struct qr_allocator *alloc, uint64_t word)
{
	return qr__word_is_plain(word, 0) && !alloc->extras &&
	       !qr__trace_on(&alloc->frames.base, QR_TP_MM_PAGE_FREE);
}

/* Is there room, and would this free change nothing of how the cache behaves? */
QR_INLINE bool qr__fast_room(const struct qr_per_cpu_pages *pcp, int32_t count)
{
	return count < qr__pcp_read(&pcp->high) && !(pcp->flags & QR_PCPF_PREV_FREE_HIGH_ORDER) &&
	       !atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
}

/*
 * Drop the only reference to page i, if its state is still @word; the page goes to the list of its
 * type, the cache locked.
 */
QR_INLINE bool qr__fast_put(struct qr_frames *frames, struct qr_per_cpu_pages *pcp, uint32_t i,
			    uint64_t word, enum qr_migratetype type) QR_REQUIRES(pcp->lock)
{
	uint64_t cached = (word & QR_STATE_ZONE_MASK) | QR_STATE_TYPE(QR_PT_PCP);
	int32_t count = qr__pcp_read(&pcp->count) + 1;
	int32_t free_count = qr__pcp_read(&pcp->free_count);

	if (qr__unlikely(!qr__fast_room(pcp, count) ||
			 !qr__state_exchange(&frames->states[i], &word, cached)))
		return false;
	qr__list_push_front(&pcp->lists[type], qr__page_links(frames), i);
	qr__pcp_write(&pcp->count, count);
	qr__bump(&pcp->nr_free, 1);
	if (qr__likely(free_count < qr__pcp_read(&pcp->batch) << QR_PCP_BATCH_SCALE_MAX))
		qr__pcp_write(&pcp->free_count, free_count + 1);
	return true;
}

/* Drop the only reference to a single page; false: go the long way. */
QR_INLINE bool qr__fast_free(struct qr_allocator *alloc, struct qr_page *page)
{
	struct qr_frames *frames = &alloc->frames;
	uint64_t i = qr__page_index_of_any(frames, page), word;
	struct qr_per_cpu_pages *pcp;
	enum qr_migratetype type;
	struct qr_zone *zone;
	bool done;

	if (qr__unlikely(i >= frames->end_pfn - frames->base_pfn))
		return false;
	word = qr__state_word(&frames->states[i]);
	if (qr__unlikely(!qr__fast_free_usual(alloc, word)))
		return false;
	type = qr__pageblock_type(frames, frames->base_pfn + i);
	zone = qr__zone_by_id(frames, word & QR_STATE_ZONE_MASK);
	if (qr__unlikely(type >= QR_MIGRATE_PCPTYPES ||
			 atomic_load_explicit(&zone->flags, memory_order_relaxed)))
		return false;
	if (qr__unlikely(!qr__pcp_enter(zone, &pcp)))
		return false;
	done = qr__fast_put(frames, pcp, (uint32_t)i, word, type);
	qr__pcp_leave(zone, pcp);
	return done;
}

#endif /* QR_ALLOC_FAST_H */
