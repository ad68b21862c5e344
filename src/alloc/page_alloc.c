/* SPDX-License-Identifier: MIT */
/*
 * alloc/page_alloc.c - allocate page frames: entry points, the walk over zones, a block from a zone
 *
 * Theory of operation
 * -------------------
 * A request is prepared once: its mask becomes a highest zone and a migratetype, its node a
 * zonelist, its task's cpuset a nodemask; all of it lands in a struct qr_alloc_context.  Then the
 * zonelist is walked from the preferred zone on, nearest node first and within a node from the
 * highest zone down, until a zone both passes its watermark and yields a block.
 *
 *	qr___alloc_pages
 *	  prepare			what may be used (gfp.c, cpuset, fault injection)
 *	  qr_get_page_from_freelist	the walk, at the low watermark
 *	    zone_open			may this zone give?
 *	    qr_rmqueue			this CPU's cache (pcp.c), or the zone itself
 *	    qr_prep_new_page		a block becomes a page in use (prep.c)
 *	  qr___alloc_pages_slowpath	the walk failed (slowpath.c)
 *	  charge			requests with ACCOUNT (hooks.c)
 *
 * The walk never waits.  It tests watermarks without a lock, so it may be wrong by what others take
 * meanwhile; qr_rmqueue() finds out under the zone's lock whether there is a block at all.
 *
 * Everything an ordinary request does not need is out of line: the common path is one table
 * look-up, one comparison with the high watermark, and a pop from the cache.
 *
 * Which block of a zone
 * ---------------------
 * qr___rmqueue() has one order of preference, for single blocks and for refills of caches alike:
 * CMA's share if movable requests would otherwise leave more than half of the free memory to CMA,
 * then the request's own type, then CMA, then borrowing (fallback.c).  HIGHATOMIC is no part of it:
 * that reserve is opened only in the buddy path, by flags that only the slow path sets.
 */
#include "step.h"

/* A block from a zone ---------------------------------------------------------------------- */

static void zone_locked_trace(struct qr_zone *zone, const qr_pfn_t *pfns, unsigned nr,
			      unsigned order, enum qr_migratetype type)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	bool refill = qr__pcp_order_allowed(alloc, order) && type < QR_MIGRATE_PCPTYPES;

	for (unsigned i = 0; i < nr; i++)
		QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED, .pfn = pfns[i],
			 .order = order, .migratetype = type, .a = refill);
}

/* The smallest blocks that serve, from one type's lists: what Linux calls rmqueue_smallest. */
static unsigned smallest_take_locked(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
				     unsigned nr, qr_pfn_t *pfns) QR_REQUIRES(zone->lock)
{
	unsigned taken = zone->ops->take(zone, order, type, nr, pfns);

	if (qr__trace_on(&zone->frames->base, QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED))
		zone_locked_trace(zone, pfns, taken, order, type);
	return taken;
}

/* Would serving movable requests from their own type leave CMA more than half of what is free? */
static bool cma_first_locked(const struct qr_zone *zone, unsigned alloc_flags)
{
	return (alloc_flags & QR_ALLOC_CMA) &&
	       qr__read(&zone->nr_free_cma) > qr__read(&zone->nr_free_pages) / 2;
}

/* One block when the request's own lists are empty. */
static bool elsewhere_take_locked(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
				  unsigned alloc_flags, qr_pfn_t *pfn) QR_REQUIRES(zone->lock)
{
	if ((alloc_flags & QR_ALLOC_CMA) &&
	    smallest_take_locked(zone, order, QR_MIGRATE_CMA, 1, pfn))
		return true;
	return qr___rmqueue_fallback(zone, order, type, alloc_flags, pfn);
}

/*
 * Where CMA has no free page, CMA's share cannot change the choice, and the engine may hand out
 * several blocks in one call.
 */
unsigned qr___rmqueue(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		      unsigned alloc_flags, unsigned nr, qr_pfn_t *pfns)
{
	unsigned got = 0;

	while (got < nr) {
		bool balance = (alloc_flags & QR_ALLOC_CMA) && qr__read(&zone->nr_free_cma);
		unsigned want = balance ? 1 : nr - got;
		unsigned taken = 0;

		if (balance && cma_first_locked(zone, alloc_flags))
			taken = smallest_take_locked(zone, order, QR_MIGRATE_CMA, 1, pfns + got);
		if (!taken)
			taken = smallest_take_locked(zone, order, type, want, pfns + got);
		if (!taken)
			taken = elsewhere_take_locked(zone, order, type, alloc_flags, pfns + got);
		if (!taken)
			break;
		got += taken;
	}
	return got;
}

/* The buddy path's choice: the reserve first for those it is meant for, last for the desperate. */
static bool block_take_locked(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			      unsigned alloc_flags, qr_pfn_t *pfn) QR_REQUIRES(zone->lock)
{
	if ((alloc_flags & QR_ALLOC_HIGHATOMIC) &&
	    smallest_take_locked(zone, order, QR_MIGRATE_HIGHATOMIC, 1, pfn))
		return true;
	if (qr___rmqueue(zone, order, type, alloc_flags, 1, pfn))
		return true;
	return (alloc_flags & (QR_ALLOC_OOM | QR_ALLOC_NON_BLOCK)) &&
	       smallest_take_locked(zone, order, QR_MIGRATE_HIGHATOMIC, 1, pfn);
}

/*
 * The caches count their own allocations under their locks; this is for those that go round them.
 */
static void buddy_count(struct qr_zone *preferred, struct qr_zone *zone, unsigned order)
{
	struct qr_frames *frames = zone->frames;
	bool local = zone->nid == qr__numa_node(frames);

	qr__count(&frames->base, QR_EV_PGALLOC + zone->type, qr__order_pages(order));
	qr__zone_count_numa(zone, local ? QR_EV_NUMA_LOCAL : QR_EV_NUMA_OTHER);
	if (zone->nid == preferred->nid) {
		qr__zone_count_numa(zone, QR_EV_NUMA_HIT);
		return;
	}
	qr__zone_count_numa(zone, QR_EV_NUMA_MISS);
	qr__zone_count_numa(preferred, QR_EV_NUMA_FOREIGN);
}

/* A page that fails its checks is leaked, and the next one tried. */
static QR_NOINLINE struct qr_page *rmqueue_buddy(struct qr_zone *preferred, struct qr_zone *zone,
						 unsigned order, enum qr_migratetype type,
						 unsigned alloc_flags)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	struct qr_page *page;

	do {
		unsigned long irqs = qr__zone_lock(zone);
		qr_pfn_t pfn = QR_PFN_NONE;
		bool got = block_take_locked(zone, order, type, alloc_flags, &pfn);

		qr__zone_unlock(zone, irqs);
		if (!got)
			return NULL;
		page = qr__pfn_page(zone->frames, pfn);
	} while (alloc->check_pages && qr__check_new_pages(alloc, page, order));
	buddy_count(preferred, zone, order);
	return page;
}

/*
 * A cache knows nothing of the reserve, which is first for those it is meant for.  Small blocks and
 * huge pages are served by caches all the same, as in Linux; others, which only magazines keep,
 * would else reserve one pageblock after the other and never use what they have reserved.
 */
static inline bool cache_may_serve(const struct qr_zone *zone, unsigned order, unsigned alloc_flags)
{
	if (qr__unlikely(alloc_flags & QR_ALLOC_HIGHATOMIC) && order > QR_PAGE_ALLOC_COSTLY_ORDER &&
	    order != QR_HPAGE_PMD_ORDER)
		return false;
	return qr__pcp_order_allowed(qr__zone_allocator(zone), order);
}

struct qr_page *qr_rmqueue(struct qr_zone *preferred, struct qr_zone *zone, unsigned order,
			   qr_gfp_t gfp, unsigned alloc_flags, enum qr_migratetype type)
{
	struct qr_page *page = NULL;

	(void)gfp;
	if (qr__likely(cache_may_serve(zone, order, alloc_flags)))
		page = qr_rmqueue_pcplist(preferred, zone, order, type, alloc_flags);
	if (qr__unlikely(!page))
		page = rmqueue_buddy(preferred, zone, order, type, alloc_flags);

	/* A boost asks for background reclaim; it is woken here because here no lock is held. */
	if ((alloc_flags & QR_ALLOC_KSWAPD) &&
	    qr__unlikely(qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK))) {
		qr__zone_flag_clear(zone, QR_ZONE_BOOSTED_WATERMARK);
		qr_wakeup_kswapd(zone, 0, 0, zone->type);
	}
	return page;
}

/* May this zone give? ---------------------------------------------------------------------- */

/* Nodes up to this far away are worth reclaiming before a farther one is used. */
#define NODE_RECLAIM_DISTANCE 30

/* The last node that was found over its share of dirty pages: asked once per walk. */
struct dirty_limit {
	int nid;
	bool ok;
};

/* For pages that will be dirtied soon: is the node over its share of dirty pages? */
static bool dirty_limit_passed(const struct qr_allocator *alloc, const struct qr_zone *zone,
			       struct dirty_limit *last)
{
	const struct qr_reclaim_ops *ops = &alloc->reclaim;

	if (!ops->node_dirty_ok)
		return true;
	if (last->nid != zone->nid) {
		last->nid = zone->nid;
		last->ok = ops->node_dirty_ok(alloc->reclaim_ctx,
					      (struct quire *)(void *)zone->frames, zone->nid);
	}
	return last->ok;
}

/* Reasons not even to look at a zone. */
static QR_NOINLINE bool zone_barred(const struct qr_allocator *alloc, const struct qr_zone *zone,
				    qr_gfp_t gfp, unsigned alloc_flags,
				    const struct qr_alloc_context *ac, struct dirty_limit *dirty)
{
	if ((alloc_flags & QR_ALLOC_CPUSET) && !qr_cpuset_zone_allowed(ac->task, zone, gfp))
		return true;
	return ac->spread_dirty_pages && !dirty_limit_passed(alloc, zone, dirty);
}

/*
 * What can be said before the callback is asked: reclaim on a node is for callers who may wait, on
 * their own node or on one that has no CPUs to mind it.
 */
static enum qr_node_reclaim_result node_reclaim(struct qr_allocator *alloc,
						const struct qr_zone *zone, qr_gfp_t gfp,
						unsigned order, unsigned alloc_flags,
						const struct qr_alloc_context *ac)
{
	const struct qr_frames *frames = &alloc->frames;
	struct qr_reclaim_request req = {.gfp = gfp,
					 .order = order,
					 .alloc_flags = alloc_flags,
					 .highest_zoneidx = ac->highest_zoneidx,
					 .nodemask = ac->nodemask,
					 .preferred_nid = ac->preferred_nid};

	if (!alloc->reclaim.node_reclaim)
		return QR_NODE_RECLAIM_FULL;
	if (!(gfp & QR___GFP_DIRECT_RECLAIM) || (ac->task && (ac->task->flags & QR_TASK_MEMALLOC)))
		return QR_NODE_RECLAIM_NOSCAN;
	if (qr__node_is(frames, zone->nid, QR_N_CPU) && zone->nid != qr__numa_node(frames))
		return QR_NODE_RECLAIM_NOSCAN;
	qr__assert_no_locks(qr__alloc_base(alloc));
	return alloc->reclaim.node_reclaim(alloc->reclaim_ctx, qr__allocator_quire(alloc),
					   zone->nid, &req);
}

/* zone_reclaim_mode: make room here rather than go far away. */
static bool zone_reclaimed(struct qr_allocator *alloc, struct qr_zone *preferred,
			   struct qr_zone *zone, qr_gfp_t gfp, unsigned order, unsigned alloc_flags,
			   const struct qr_alloc_context *ac)
{
	uint64_t mark = qr__wmark_pages(zone, alloc_flags & QR_ALLOC_WMARK_MASK);

	if (!atomic_load_explicit(&alloc->zone_reclaim_mode, memory_order_relaxed))
		return false;
	if (qr__node_distance(&alloc->frames, preferred->nid, zone->nid) > NODE_RECLAIM_DISTANCE)
		return false;
	if (node_reclaim(alloc, zone, gfp, order, alloc_flags, ac) < QR_NODE_RECLAIM_SOME)
		return false;
	return qr_zone_watermark_ok(zone, order, mark, ac->highest_zoneidx, alloc_flags);
}

/* The zone is below the mark the request obeys: is there another way? */
static QR_COLD bool zone_rescue(struct qr_allocator *alloc, struct qr_zone *preferred,
				struct qr_zone *zone, qr_gfp_t gfp, unsigned order,
				unsigned alloc_flags, const struct qr_alloc_context *ac)
{
	unsigned mark = alloc_flags & QR_ALLOC_WMARK_MASK;

	if (qr_deferred_grow_zone(zone, order) || (alloc_flags & QR_ALLOC_NO_WATERMARKS) ||
	    zone_reclaimed(alloc, preferred, zone, gfp, order, alloc_flags, ac))
		return true;
	qr__stat(alloc, QR_STAT_WMARK_FAILED + mark, 1);
	QR_TRACE(qr__alloc_base(alloc), QR_TP_WMARK_FAIL, .order = order, .gfp = gfp,
		 .a = zone->nid, .b = zone->type, .c = mark);
	return false;
}

/*
 * Magazines of a zone that is well off are asked before its marks, as by the short way: a block
 * that waits there is to be had, even if the zone itself has none of its order any more.
 */
QR_INLINE bool magazines_open(const struct qr_allocator *alloc, const struct qr_zone *zone,
			      unsigned order)
{
	return zone->pcp && zone->pcp->magazines && qr__fast_zone_open(zone) &&
	       qr__pcp_order_allowed(alloc, order);
}

/*
 * BELOW_HIGH remembers that the zone is short, so that caches shrink; while it is not, one
 * comparison with the high mark settles the matter whatever mark the request obeys.
 */
QR_INLINE bool zone_open(struct qr_allocator *alloc, struct qr_zone *preferred,
			 struct qr_zone *zone, qr_gfp_t gfp, unsigned order, unsigned alloc_flags,
			 const struct qr_alloc_context *ac)
{
	if (magazines_open(alloc, zone, order))
		return true;
	if (qr__likely(!qr__zone_flag(zone, QR_ZONE_BELOW_HIGH))) {
		if (qr__likely(qr_zone_watermark_fast(zone, order,
						      qr__wmark_pages(zone, QR_WMARK_HIGH),
						      ac->highest_zoneidx, alloc_flags, gfp)))
			return true;
		qr__zone_flag_set(zone, QR_ZONE_BELOW_HIGH);
	}
	if (qr__likely(qr_zone_watermark_fast(
		    zone, order, qr__wmark_pages(zone, alloc_flags & QR_ALLOC_WMARK_MASK),
		    ac->highest_zoneidx, alloc_flags, gfp)))
		return true;
	return zone_rescue(alloc, preferred, zone, gfp, order, alloc_flags, ac);
}

/* The walk --------------------------------------------------------------------------------- */

/*
 * A page from a zone that may give one; a zone that has none left may still have deferred memory.
 */
QR_INLINE struct qr_page *zone_take(struct qr_allocator *alloc, struct qr_zone *preferred,
				    struct qr_zone *zone, qr_gfp_t gfp, unsigned order,
				    unsigned alloc_flags, const struct qr_alloc_context *ac)
{
	struct qr_page *page;

	do {
		page = qr_rmqueue(preferred, zone, order, gfp, alloc_flags, ac->migratetype);
	} while (qr__unlikely(!page) && qr_deferred_grow_zone(zone, order));
	if (qr__unlikely(!page))
		return NULL;
	qr_prep_new_page(alloc, page, order, gfp, alloc_flags);
	if (qr__unlikely(alloc_flags & QR_ALLOC_HIGHATOMIC))
		qr_reserve_highatomic_pageblock(zone, qr__page_pfn(&alloc->frames, page), order);
	return page;
}

/*
 * NOFRAGMENT first walks as if pageblocks of other types did not exist.  It gives up when the walk
 * would leave the node, since a near page in the wrong pageblock is better than a far one, and when
 * the walk found nothing.
 */
QR_INLINE struct qr_page *zonelist_walk(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
					unsigned alloc_flags, struct qr_alloc_context *ac)
{
	struct qr_zone *preferred =
		atomic_load_explicit(&ac->preferred->zone, memory_order_relaxed);
	struct dirty_limit dirty = {.nid = QR_NODE_NONE, .ok = true};
	struct qr_zoneref *ref;
	struct qr_zone *zone;
	struct qr_page *page;
	bool no_fallback;

restart:
	no_fallback = (alloc_flags & QR_ALLOC_NOFRAGMENT) != 0;
	qr__for_each_zone_zonelist(ref, zone, ac->preferred, ac->highest_zoneidx, ac->nodemask)
	{
		if (qr__unlikely((alloc_flags & QR_ALLOC_CPUSET) || ac->spread_dirty_pages) &&
		    zone_barred(alloc, zone, gfp, alloc_flags, ac, &dirty))
			continue;
		if (no_fallback && preferred && qr__unlikely(zone->nid != preferred->nid)) {
			alloc_flags &= ~QR_ALLOC_NOFRAGMENT;
			goto restart;
		}
		if (!zone_open(alloc, preferred ? preferred : zone, zone, gfp, order, alloc_flags,
			       ac))
			continue;
		page = zone_take(alloc, preferred ? preferred : zone, zone, gfp, order, alloc_flags,
				 ac);
		if (qr__likely(page))
			return page;
	}
	if (no_fallback) {
		alloc_flags &= ~QR_ALLOC_NOFRAGMENT;
		goto restart;
	}
	return NULL;
}

struct qr_page *qr_get_page_from_freelist(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
					  unsigned alloc_flags, struct qr_alloc_context *ac)
{
	return zonelist_walk(alloc, gfp, order, alloc_flags, ac);
}

/* Preparing a request ---------------------------------------------------------------------- */

/*
 * Where a node has both, Normal and DMA32 are worth comparing before a pageblock is fragmented; the
 * walk that refuses to fragment makes no sense without a second zone to go to.
 */
QR_INLINE unsigned nofragment_flags(const struct qr_allocator *alloc, const struct qr_zone *zone,
				    qr_gfp_t gfp)
{
	unsigned flags = gfp & QR_ALLOC_KSWAPD;
	uint64_t online;

	if (!zone || zone->type != QR_ZONE_NORMAL || !alloc->frames.have_zone[QR_ZONE_DMA32])
		return flags;
	online =
		atomic_load_explicit(&alloc->frames.node_states[QR_N_ONLINE], memory_order_relaxed);
	if ((online & (online - 1)) && !qr__zone_populated(zone - 1))
		return flags;
	return flags | QR_ALLOC_NOFRAGMENT;
}

_Static_assert(QR_ZONE_NORMAL - QR_ZONE_DMA32 == 1,
	       "nofragment_flags() steps from one to the other");
_Static_assert(QR_ALLOC_KSWAPD == QR___GFP_KSWAPD_RECLAIM, "the bit is copied from the mask");

unsigned qr_alloc_flags_nofragment(const struct qr_allocator *alloc, const struct qr_zone *zone,
				   qr_gfp_t gfp)
{
	return nofragment_flags(alloc, zone, gfp);
}

QR_INLINE unsigned cma_flags(const struct qr_allocator *alloc, qr_gfp_t gfp, unsigned alloc_flags)
{
	if (qr__gfp_migratetype(alloc, gfp) == QR_MIGRATE_MOVABLE)
		alloc_flags |= QR_ALLOC_CMA;
	return alloc_flags;
}

unsigned qr_gfp_to_alloc_flags_cma(const struct qr_allocator *alloc, qr_gfp_t gfp,
				   unsigned alloc_flags)
{
	return cma_flags(alloc, gfp, alloc_flags);
}

/* A task in a cpuset looks only at its own nodes, unless it named others or is interrupted. */
static QR_NOINLINE void cpuset_prepare(struct qr_alloc_context *ac, qr_gfp_t *alloc_gfp,
				       unsigned *alloc_flags)
{
	*alloc_gfp |= QR___GFP_HARDWALL;
	if (qr__in_task(ac->task) && !ac->nodemask)
		ac->nodemask = &ac->task->mems_allowed;
	else
		*alloc_flags |= QR_ALLOC_CPUSET;
}

QR_INLINE bool request_prepare(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
			       int preferred_nid, const qr_nodemask_t *nodemask,
			       struct qr_alloc_context *ac, qr_gfp_t *alloc_gfp,
			       unsigned *alloc_flags)
{
	struct qr_node *node = qr__node(&alloc->frames, preferred_nid);
	struct qr_zone *zone;

	ac->highest_zoneidx = qr__gfp_zone(alloc, gfp);
	ac->zonelist = gfp & QR___GFP_THISNODE ? node->zonelist_thisnode : node->zonelist;
	ac->nodemask = nodemask;
	ac->migratetype = qr__gfp_migratetype(alloc, gfp);
	ac->preferred_nid = preferred_nid;
	if (qr__unlikely(ac->task && ac->task->cpuset))
		cpuset_prepare(ac, alloc_gfp, alloc_flags);
	if (qr__unlikely(atomic_load_explicit(&alloc->fail_on, memory_order_acquire)) &&
	    qr__should_fail_alloc_page(alloc, gfp, order))
		return false;
	if (ac->migratetype == QR_MIGRATE_MOVABLE)
		*alloc_flags |= QR_ALLOC_CMA;
	ac->spread_dirty_pages = (gfp & QR___GFP_WRITE) != 0;
	ac->preferred = qr__zoneref_next(ac->zonelist, ac->highest_zoneidx, ac->nodemask, &zone);
	*alloc_flags |= nofragment_flags(alloc, zone, gfp);
	return true;
}

bool qr_prepare_alloc_pages(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
			    int preferred_nid, const qr_nodemask_t *nodemask,
			    struct qr_alloc_context *ac, qr_gfp_t *alloc_gfp, unsigned *alloc_flags)
{
	return request_prepare(alloc, gfp, order, preferred_nid, nodemask, ac, alloc_gfp,
			       alloc_flags);
}

/* Entry points ----------------------------------------------------------------------------- */

/* Illegal bits, an order nobody has, a node that is not: all found here before anything is read. */
QR_INLINE bool request_legal(const struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
			     int nid)
{
	return order <= QR_MAX_PAGE_ORDER && !(gfp & ~QR_GFP_BITS_MASK) &&
	       qr__gfp_zone(alloc, gfp) < QR_NR_ZONES && (unsigned)nid < alloc->frames.nr_nodes;
}

static QR_COLD struct qr_page *request_refuse(struct qr_allocator *alloc, qr_gfp_t gfp,
					      unsigned order, int nid)
{
	struct qr_base *base = qr__alloc_base(alloc);
	const char *why;

	if (gfp & QR___GFP_NOWARN)
		return NULL;
	if (!qr_gfp_valid(gfp, &why))
		qr__log(base, QR_LOG_ERR, "page allocation: gfp mask %#x is illegal: %s", gfp, why);
	else if (order > QR_MAX_PAGE_ORDER)
		qr__log(base, QR_LOG_ERR,
			"page allocation: order %u is above the largest, %u (QR_MAX_PAGE_ORDER)",
			order, (unsigned)QR_MAX_PAGE_ORDER);
	else
		qr__log(base, QR_LOG_ERR, "page allocation: there is no node %d; nodes are 0 to %u",
			nid, alloc->frames.nr_nodes - 1);
	return NULL;
}

/* What remains when the walk failed, or the page must be charged. */
static QR_NOINLINE struct qr_page *request_rescue(struct qr_allocator *alloc, qr_gfp_t gfp,
						  unsigned order, const qr_nodemask_t *nodemask,
						  struct qr_alloc_context *ac)
{
	ac->spread_dirty_pages = false;
	ac->nodemask = nodemask;
	return qr___alloc_pages_slowpath(alloc, gfp, order, ac);
}

static QR_NOINLINE struct qr_page *alloc_trace(struct qr_allocator *alloc, struct qr_page *page,
					       qr_gfp_t gfp, unsigned order,
					       enum qr_migratetype type)
{
	QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_ALLOC,
		 .pfn = page ? qr__page_pfn(&alloc->frames, page) : QR_PFN_NONE, .order = order,
		 .gfp = gfp, .migratetype = type);
	return page;
}

QR_INLINE struct qr_page *alloc_near(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
				     int nid, const qr_nodemask_t *nodemask, struct qr_task *task)
{
	struct qr_alloc_context ac;
	unsigned alloc_flags = QR_ALLOC_WMARK_LOW;
	qr_gfp_t alloc_gfp;
	struct qr_page *page;

	if (qr__unlikely(!request_legal(alloc, gfp, order, nid)))
		return request_refuse(alloc, gfp, order, nid);
	gfp = alloc_gfp = qr_current_gfp_context(alloc, task, gfp);
	ac.task = task;
	if (!request_prepare(alloc, gfp, order, nid, nodemask, &ac, &alloc_gfp, &alloc_flags))
		return NULL;
	page = zonelist_walk(alloc, alloc_gfp, order, alloc_flags, &ac);
	if (qr__unlikely(!page))
		page = request_rescue(alloc, gfp, order, nodemask, &ac);
	if (qr__unlikely(gfp & QR___GFP_ACCOUNT) && page &&
	    !qr__charge_page(alloc, page, order, gfp))
		page = NULL;
	if (qr__trace_on(qr__alloc_base(alloc), QR_TP_MM_PAGE_ALLOC))
		return alloc_trace(alloc, page, gfp, order, ac.migratetype);
	return page;
}

struct qr_page *qr__alloc_near(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order, int nid,
			       const qr_nodemask_t *nodemask, struct qr_task *task)
{
	return alloc_near(alloc, gfp, order, nid, nodemask, task);
}

struct qr_page *qr__alloc_finally(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order, int nid,
				  const qr_nodemask_t *nodemask, struct qr_task *task)
{
	struct qr_page *page = qr__alloc_near(alloc, gfp, order, nid, nodemask, task);

	if (qr__unlikely(!page))
		qr__stat(alloc, QR_STAT_ALLOC_FAILED, 1);
	return page;
}

struct qr_page *qr___alloc_pages(struct quire *q, qr_gfp_t gfp, unsigned order, int preferred_nid,
				 const qr_nodemask_t *nodemask)
{
	struct qr_allocator *alloc = qr__allocator(q);

	return qr__alloc_finally(alloc, gfp, order, preferred_nid, nodemask,
				 qr__current_task(qr__alloc_base(alloc)));
}

struct qr_page *qr_alloc_pages_node(struct quire *q, int nid, qr_gfp_t gfp, unsigned order)
{
	if (nid == QR_NODE_NONE)
		nid = qr__numa_node(&qr__allocator(q)->frames);
	return qr___alloc_pages(q, gfp, order, nid, NULL);
}

/* A caller about whom something is known: he may have a policy, unless he is interrupted. */
static QR_NOINLINE struct qr_page *task_alloc(struct qr_allocator *alloc, qr_gfp_t gfp,
					      unsigned order, struct qr_task *task)
{
	const struct qr_mempolicy *policy = NULL;

	if (qr__in_task(task) && !(gfp & QR___GFP_THISNODE))
		policy = task->policy;
	return qr__alloc_pages_policy(alloc, gfp, order, task, policy, QR_NO_INTERLEAVE);
}

/*
 * Near this CPU, whatever there is to it.  The hook, where steps are gone by it, comes first, while
 * there is nothing yet that would have to survive it.
 */
QR_INLINE struct qr_page *longer_alloc(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_task *task = qr__current_task(qr__alloc_base(alloc));
	struct qr_page *page;

	if (qr__unlikely(task))
		return task_alloc(alloc, gfp, order, task);
	if (qr__steps(alloc) == QR_STEPS_BY_HOOK) {
		page = qr__step_hook_alloc(alloc, gfp, order);
		if (page)
			return page;
	}
	page = qr__fast_alloc(alloc, gfp, order);
	if (qr__likely(page))
		return page;
	page = alloc_near(alloc, gfp, order, qr__numa_node(&alloc->frames), NULL, NULL);
	if (qr__unlikely(!page))
		qr__stat(alloc, QR_STAT_ALLOC_FAILED, 1);
	return page;
}

/* A step took block i, but its mark is not what it usually is. */
static QR_COLD struct qr_page *marked_alloc(struct quire *q, qr_gfp_t gfp, unsigned order,
					    const struct qr_magazine_ring *from, uint64_t i)
{
	struct qr_allocator *alloc = qr__allocator(q);

	return qr__step_open_by_state(alloc, from, i) ? &alloc->frames.pages[i]
						      : longer_alloc(q, gfp, order);
}

/* Single pages have functions of their own, in which the order is no question. */
static QR_NOINLINE struct qr_page *single_alloc(struct quire *q, qr_gfp_t gfp)
{
	return longer_alloc(q, gfp, 0);
}

QR_INLINE struct qr_page *alloc_page(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_magazine_ring *from;
	uint64_t i;

	if (qr__unlikely(!qr__step_take(alloc, gfp, order, &from, &i)))
		return order ? longer_alloc(q, gfp, order) : single_alloc(q, gfp);
	if (qr__unlikely(!qr__step_open(alloc, from, i, order)))
		return marked_alloc(q, gfp, order, from, i);
	return &alloc->frames.pages[i];
}

static QR_NOINLINE struct qr_page *blocks_alloc(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return alloc_page(q, gfp, order);
}

struct qr_page *qr_alloc_pages(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return qr__unlikely(order) ? blocks_alloc(q, gfp, order) : alloc_page(q, gfp, 0);
}

/* By frame number: the same, but that no record is asked for if a step will do. */

static qr_pfn_t pfn_or_none(const struct qr_allocator *alloc, const struct qr_page *page)
{
	return page ? qr__page_pfn(&alloc->frames, page) : QR_PFN_NONE;
}

static QR_NOINLINE qr_pfn_t longer_alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return pfn_or_none(qr__allocator(q), longer_alloc(q, gfp, order));
}

static QR_NOINLINE qr_pfn_t single_alloc_pfn(struct quire *q, qr_gfp_t gfp)
{
	return pfn_or_none(qr__allocator(q), longer_alloc(q, gfp, 0));
}

static QR_COLD qr_pfn_t marked_alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order,
					 const struct qr_magazine_ring *from, uint64_t i)
{
	return pfn_or_none(qr__allocator(q), marked_alloc(q, gfp, order, from, i));
}

QR_INLINE qr_pfn_t alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_magazine_ring *from;
	uint64_t i;

	if (qr__unlikely(!qr__step_take(alloc, gfp, order, &from, &i)))
		return order ? longer_alloc_pfn(q, gfp, order) : single_alloc_pfn(q, gfp);
	if (qr__unlikely(!qr__step_open(alloc, from, i, order)))
		return marked_alloc_pfn(q, gfp, order, from, i);
	return alloc->frames.base_pfn + i;
}

static QR_NOINLINE qr_pfn_t blocks_alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return alloc_pfn(q, gfp, order);
}

qr_pfn_t qr_alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return qr__unlikely(order) ? blocks_alloc_pfn(q, gfp, order) : alloc_pfn(q, gfp, 0);
}

/* Folios ----------------------------------------------------------------------------------- */

struct qr_page *qr_folio_alloc(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	return qr_alloc_pages(q, gfp | QR___GFP_COMP, order);
}
