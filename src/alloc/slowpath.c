/* SPDX-License-Identifier: MIT */
/*
 * alloc/slowpath.c - what happens when no zone passes the low watermark
 *
 * Theory of operation
 * -------------------
 * The slow path is a ladder.  Each rung costs more than the one before, and after each the free
 * lists are tried again:
 *
 *	start		wake kswapd, try at the min watermark, compact without waiting
 *	round		wake kswapd again, open what reserves the caller is entitled to,
 *			reclaim, compact, and decide whether another round is worth while
 *	last resort	the out-of-memory callback
 *	no page		NOFAIL starts over; all others fail, with a message
 *
 * A round ends in one of five ways (enum step).  RETRY begins the next round with what was learnt
 * so far; RESTART begins from the start, because the ground moved: zonelists were rebuilt, or the
 * task's cpuset changed.  That is looked for before each decision to go on, not only before giving
 * up, so that a request does not reclaim for ever on nodes it may no longer use.
 *
 * How it ends
 * -----------
 * Rounds are bounded by progress: MAX_RECLAIM_RETRIES rounds in a row in which reclaim freed
 * nothing end it, each success of compaction is granted MAX_COMPACT_RETRIES more, and each priority
 * of compaction is stepped through once.  Only progress that somebody reports keeps a request
 * alive:  where nobody registered reclaim and nobody handles out-of-memory, an order-0 request
 * fails after one round instead of waiting for what cannot happen.  Without a reclaim callback a
 * round still does what the allocator can do itself: pages in the caches of other CPUs and in the
 * highatomic reserve are brought home.  NOFAIL alone loops without bound, calling the relax hook.
 *
 * No lock is held anywhere here.
 */
#include "allocator.h"
#include "pcp.h"

#define MAX_RECLAIM_RETRIES 16
#define MAX_COMPACT_RETRIES 16

/* How often a throttled request lets others run before it goes on anyway. */
#define THROTTLE_RELAXES 16

/* How often a request waits for somebody else's out-of-memory callback. */
#define MAX_OOM_WAITS 4096

/* kswapd has given a node up after so many fruitless passes; see kswapd.c. */
#define KSWAPD_MAX_FAILURES 16

/* One message about a failed allocation in this time. */
#define WARN_INTERVAL_NS UINT64_C(10000000000)

enum step {
	STEP_NEXT, /* go on with the next stage */
	STEP_RETRY, /* another round */
	STEP_RESTART, /* from the start */
	STEP_NOPAGE, /* nothing more can be done */
	STEP_DONE /* request.page is it */
};

struct request {
	struct qr_allocator *alloc;
	qr_gfp_t gfp;
	unsigned order;
	struct qr_alloc_context *ac;
	unsigned alloc_flags;
	struct qr_page *page;

	bool can_reclaim, can_compact, costly; /* constant */
	bool impossible; /* no zone at all could ever serve it */

	uint32_t mems_seq; /* what the ground looked like at the start */
	uint64_t zonelist_seq;

	uint64_t progress; /* of this round's reclaim, in pages */
	unsigned no_progress_loops;
	unsigned presumed_loops; /* rounds in which others were presumed to make progress */
	enum qr_compact_priority priority;
	enum qr_compact_result compacted;
	unsigned compact_retries;
	unsigned oom_waits; /* for somebody else's out-of-memory callback */
	unsigned relaxes;
};

static void stage_trace(const struct request *req, enum qr_slowpath_stage stage)
{
	QR_TRACE(qr__alloc_base(req->alloc), QR_TP_SLOWPATH_STAGE, .order = req->order,
		 .gfp = req->gfp, .a = stage);
}

/* Let others run. */
static void others_run(struct request *req)
{
	struct qr_base *base = qr__alloc_base(req->alloc);

	qr__sched_point(base, "slowpath");
	if (base->platform.relax)
		base->platform.relax(base->platform.ctx, req->relaxes);
	req->relaxes++;
}

static uint32_t task_flags(const struct request *req)
{
	return req->ac->task ? req->ac->task->flags : 0;
}

/* What a request is entitled to ------------------------------------------------------------ */

static bool has_cpuset(const struct request *req)
{
	return req->ac->task && req->ac->task->cpuset;
}

static unsigned flags_of_gfp(const struct request *req)
{
	unsigned flags = QR_ALLOC_WMARK_MIN | QR_ALLOC_CPUSET |
			 (req->gfp & (QR_ALLOC_MIN_RESERVE | QR_ALLOC_KSWAPD));

	if (!req->can_reclaim) {
		if (!(req->gfp & QR___GFP_NOMEMALLOC)) {
			flags |= QR_ALLOC_NON_BLOCK;
			if (req->order > 0 && (flags & QR_ALLOC_MIN_RESERVE))
				flags |= QR_ALLOC_HIGHATOMIC;
		}
		if (flags & QR_ALLOC_MIN_RESERVE)
			flags &= ~QR_ALLOC_CPUSET;
	} else if ((task_flags(req) & QR_TASK_REALTIME) && qr__in_task(req->ac->task)) {
		flags |= QR_ALLOC_MIN_RESERVE;
	}
	return qr_gfp_to_alloc_flags_cma(req->alloc, req->gfp, flags);
}

_Static_assert(QR_ALLOC_MIN_RESERVE == QR___GFP_HIGH, "the bit is copied from the mask");

/* The reserves for those who will free memory: 0, OOM or NO_WATERMARKS. */
static unsigned reserve_flags(const struct request *req)
{
	uint32_t task = task_flags(req);

	if (req->gfp & QR___GFP_NOMEMALLOC)
		return 0;
	if (req->gfp & QR___GFP_MEMALLOC)
		return QR_ALLOC_NO_WATERMARKS;
	if (task & QR_TASK_INTERRUPT)
		return 0;
	if (task & QR_TASK_MEMALLOC)
		return QR_ALLOC_NO_WATERMARKS;
	if (task & QR_TASK_SOFTIRQ)
		return 0;
	return task & QR_TASK_OOM_VICTIM ? QR_ALLOC_OOM : 0;
}

/* The zone the walk begins with; false: none fits. */
static bool preferred_find(struct request *req)
{
	struct qr_alloc_context *ac = req->ac;
	struct qr_zone *zone;

	ac->preferred = qr__zoneref_next(ac->zonelist, ac->highest_zoneidx, ac->nodemask, &zone);
	return zone != NULL;
}

/* A cpuset none of whose nodes has a zone for this request, which must obey it. */
static bool cpuset_insane(const struct request *req)
{
	struct qr_zone *zone;

	if (!has_cpuset(req) || !(req->gfp & QR___GFP_HARDWALL))
		return false;
	qr__zoneref_next(req->ac->zonelist, req->ac->highest_zoneidx, &req->ac->task->mems_allowed,
			 &zone);
	return !zone;
}

/* Has the ground moved? -------------------------------------------------------------------- */

static uint32_t mems_seq(const struct request *req)
{
	return has_cpuset(req) ? __atomic_load_n(&req->ac->task->mems_seq, __ATOMIC_ACQUIRE) : 0;
}

static void ground_note(struct request *req)
{
	req->mems_seq = mems_seq(req);
	req->zonelist_seq = qr__zonelist_seq(&req->alloc->frames);
}

/*
 * Zonelists are being rebuilt while the sequence is odd.  Who may wait starts over until that is
 * done; who may not could be the interrupt that holds the rebuilding up, and fails.
 */
static bool ground_moved(const struct request *req)
{
	uint64_t seq = qr__zonelist_seq(&req->alloc->frames);

	if (seq & 1)
		return req->can_reclaim;
	return seq != req->zonelist_seq || req->mems_seq != mems_seq(req);
}

/* Rungs of the ladder ---------------------------------------------------------------------- */

static enum step freelist_try(struct request *req)
{
	stage_trace(req, QR_SLOW_FREELIST);
	req->page = qr_get_page_from_freelist(req->alloc, req->gfp, req->order, req->alloc_flags,
					      req->ac);
	return req->page ? STEP_DONE : STEP_NEXT;
}

/* Once for each node: runs of zones of one node follow each other in the zonelist. */
static void kswapds_wake(struct request *req)
{
	struct qr_alloc_context *ac = req->ac;
	struct qr_zoneref *ref;
	struct qr_zone *zone;
	int last_nid = QR_NODE_NONE;

	if (!(req->alloc_flags & QR_ALLOC_KSWAPD))
		return;
	stage_trace(req, QR_SLOW_KSWAPD);
	qr__for_each_zone_zonelist(ref, zone, ac->zonelist, ac->highest_zoneidx, ac->nodemask)
	{
		if (!qr__read(&zone->managed_pages) || zone->nid == last_nid)
			continue;
		qr_wakeup_kswapd(zone, req->gfp, req->order, ac->highest_zoneidx);
		last_nid = zone->nid;
	}
}

static struct qr_reclaim_request upcall_request(const struct request *req)
{
	return (struct qr_reclaim_request){.gfp = req->gfp,
					   .order = req->order,
					   .alloc_flags = req->alloc_flags,
					   .highest_zoneidx = req->ac->highest_zoneidx,
					   .nodemask = req->ac->nodemask,
					   .preferred_nid = req->ac->preferred_nid};
}

/*
 * Whoever frees memory for us may need some himself; he is to take it from the reserves and not to
 * come back here.  Returns what upcall_leave() restores.
 */
static uint32_t upcall_enter(struct request *req)
{
	struct qr_task *task = req->ac->task;
	uint32_t before = task_flags(req) & QR_TASK_MEMALLOC;

	qr__assert_no_locks(qr__alloc_base(req->alloc));
	if (task)
		task->flags |= QR_TASK_MEMALLOC;
	return before;
}

static void upcall_leave(struct request *req, uint32_t before)
{
	struct qr_task *task = req->ac->task;

	if (task)
		task->flags = (task->flags & ~QR_TASK_MEMALLOC) | before;
}

/*
 * What compaction kept for us.  A block it took off the lists only needs preparing; one that was
 * allocated in the ordinary way is freed, and the free lists are tried.
 */
static struct qr_page *captured_page(struct request *req, struct qr_page *captured)
{
	struct qr_allocator *alloc = req->alloc;
	struct qr_page *page = captured ? qr__page_validate(&alloc->frames, captured) : NULL;

	uint64_t word;

	if (!page)
		return NULL;
	word = qr__page_word(&alloc->frames, page);
	if (qr__word_type(word) != QR_PT_PCP || qr__word_order(word) != req->order) {
		qr___free_pages(qr__allocator_quire(alloc), page, qr__word_order(word));
		return NULL;
	}
	qr_prep_new_page(alloc, page, req->order, req->gfp, req->alloc_flags);
	return page;
}

static enum step compact(struct request *req, enum qr_compact_priority priority,
			 enum qr_slowpath_stage stage)
{
	struct qr_allocator *alloc = req->alloc;
	struct qr_reclaim_request up = upcall_request(req);
	struct qr_page *captured = NULL;
	uint32_t before;

	if (!req->order || !alloc->reclaim.direct_compact)
		return STEP_NEXT;
	stage_trace(req, stage);
	qr__stat(alloc, QR_STAT_DIRECT_COMPACT, 1);
	before = upcall_enter(req);
	req->compacted = alloc->reclaim.direct_compact(
		alloc->reclaim_ctx, qr__allocator_quire(alloc), &up, priority, &captured);
	upcall_leave(req, before);
	if (req->compacted == QR_COMPACT_SKIPPED && !captured)
		return STEP_NEXT;

	qr__count(qr__alloc_base(alloc), QR_EV_COMPACT_STALL, 1);
	req->page = captured_page(req, captured);
	if (!req->page)
		freelist_try(req);
	qr__count(qr__alloc_base(alloc), req->page ? QR_EV_COMPACT_SUCCESS : QR_EV_COMPACT_FAIL, 1);
	return req->page ? STEP_DONE : STEP_NEXT;
}

/* Start ------------------------------------------------------------------------------------ */

/*
 * Requests for large blocks, and for blocks that only compaction can make without spoiling a
 * pageblock, ask for it before anything is reclaimed.  A costly request with NORETRY goes no
 * further if compaction says that it is not worth while.
 */
static enum step compact_early(struct request *req)
{
	bool wanted = req->costly || (req->order > 0 && req->ac->migratetype != QR_MIGRATE_MOVABLE);

	if (!req->can_reclaim || !req->can_compact || !wanted || reserve_flags(req))
		return STEP_NEXT;
	if (compact(req, QR_COMPACT_PRIO_ASYNC, QR_SLOW_COMPACT_ASYNC) == STEP_DONE)
		return STEP_DONE;
	if (req->costly && (req->gfp & QR___GFP_NORETRY)) {
		if (req->compacted == QR_COMPACT_SKIPPED || req->compacted == QR_COMPACT_DEFERRED)
			return STEP_NOPAGE;
		req->priority = QR_COMPACT_PRIO_ASYNC;
	}
	return STEP_NEXT;
}

static enum step slow_start(struct request *req)
{
	req->no_progress_loops = 0;
	req->compact_retries = 0;
	req->compacted = QR_COMPACT_SKIPPED;
	req->priority = QR_COMPACT_PRIO_SYNC_LIGHT;
	ground_note(req);
	req->alloc_flags = flags_of_gfp(req);
	if (!preferred_find(req)) {
		req->impossible = true;
		return STEP_NOPAGE;
	}
	req->impossible = false;
	if (cpuset_insane(req))
		return STEP_NOPAGE;
	kswapds_wake(req);
	if (freelist_try(req) == STEP_DONE)
		return STEP_DONE;
	return compact_early(req);
}

/* Reclaim ---------------------------------------------------------------------------------- */

static uint64_t reclaimable_pages(const struct request *req, struct qr_zone *zone)
{
	const struct qr_reclaim_ops *ops = &req->alloc->reclaim;

	if (!ops->reclaimable_pages)
		return 0;
	return ops->reclaimable_pages(req->alloc->reclaim_ctx, qr__allocator_quire(req->alloc),
				      zone);
}

/*
 * Is the node so short that its kswapd should get ahead first?  Where nothing can be reclaimed, or
 * kswapd gave up, waiting would be in vain.
 */
static bool node_is_throttled(const struct request *req, struct qr_node *node)
{
	uint64_t reserve = 0, nr_free = 0;

	if (!req->alloc->reclaim.shrink_zone ||
	    atomic_load_explicit(&node->kswapd_failures, memory_order_relaxed) >=
		    KSWAPD_MAX_FAILURES)
		return false;
	for (unsigned i = 0; i <= QR_ZONE_NORMAL; i++) {
		struct qr_zone *zone = &node->zones[i];

		if (!qr__read(&zone->managed_pages) || !reclaimable_pages(req, zone))
			continue;
		reserve += qr__wmark_pages(zone, QR_WMARK_MIN);
		nr_free += qr__read(&zone->nr_free_pages);
	}
	return reserve && nr_free <= reserve / 2;
}

/* Nobody can be put to sleep here, so "wait for kswapd" is a bounded number of relaxes. */
static void reclaim_throttle(struct request *req)
{
	struct qr_zone *zone =
		atomic_load_explicit(&req->ac->preferred->zone, memory_order_relaxed);

	if (!zone || (task_flags(req) & (QR_TASK_KTHREAD | QR_TASK_FATAL_SIGNAL)))
		return;
	for (unsigned i = 0; i < THROTTLE_RELAXES && node_is_throttled(req, zone->node); i++)
		others_run(req);
}

/* Bring home what is free but not to be had: the reserve, and the caches of all CPUs. */
static void strays_collect(struct request *req)
{
	stage_trace(req, QR_SLOW_UNRESERVE);
	qr_unreserve_highatomic_pageblock(req->alloc, req->ac, false);
	qr__drain_all_pages(req->alloc, NULL, false);
}

static void reclaim_call(struct request *req)
{
	struct qr_allocator *alloc = req->alloc;
	struct qr_reclaim_request up = upcall_request(req);
	uint32_t before;

	stage_trace(req, QR_SLOW_RECLAIM);
	reclaim_throttle(req);
	qr__stat(alloc, QR_STAT_DIRECT_RECLAIM, 1);
	qr__count(qr__alloc_base(alloc), QR_EV_ALLOCSTALL + req->ac->highest_zoneidx, 1);
	before = upcall_enter(req);
	req->progress =
		alloc->reclaim.direct_reclaim(alloc->reclaim_ctx, qr__allocator_quire(alloc), &up);
	upcall_leave(req, before);
}

static enum step reclaim(struct request *req)
{
	req->progress = 0;
	if (req->alloc->reclaim.direct_reclaim) {
		reclaim_call(req);
		if (!req->progress)
			return STEP_NEXT;
		if (freelist_try(req) == STEP_DONE)
			return STEP_DONE;
	}
	strays_collect(req);
	return freelist_try(req);
}

/* Is another round worth while? ------------------------------------------------------------ */

/* Would some zone pass if all that can be reclaimed were free? */
static bool zones_might_pass(const struct request *req)
{
	struct qr_alloc_context *ac = req->ac;
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	qr__for_each_zone_zonelist(ref, zone, ac->zonelist, ac->highest_zoneidx, ac->nodemask)
	{
		uint64_t available;

		if ((req->alloc_flags & QR_ALLOC_CPUSET) &&
		    !qr_cpuset_zone_allowed(ac->task, zone, req->gfp))
			continue;
		available = qr__read(&zone->nr_free_pages) + reclaimable_pages(req, zone);
		if (qr___zone_watermark_ok(zone, req->order, qr__wmark_pages(zone, QR_WMARK_MIN),
					   ac->highest_zoneidx, req->alloc_flags,
					   (int64_t)available))
			return true;
	}
	return false;
}

/* Before saying no, the highatomic reserve is given up: what it holds is free memory. */
static bool should_reclaim_retry(struct request *req)
{
	if (req->progress && !req->costly)
		req->no_progress_loops = 0;
	else
		req->no_progress_loops++;
	if (req->no_progress_loops <= MAX_RECLAIM_RETRIES && zones_might_pass(req))
		return true;
	stage_trace(req, QR_SLOW_UNRESERVE);
	return qr_unreserve_highatomic_pageblock(req->alloc, req->ac, true);
}

/* Could compaction succeed in some zone if reclaim went on? */
static bool compaction_suitable(const struct request *req)
{
	const struct qr_reclaim_ops *ops = &req->alloc->reclaim;
	struct qr_alloc_context *ac = req->ac;
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	if (!ops->compaction_suitable)
		return false;
	qr__for_each_zone_zonelist(ref, zone, ac->zonelist, ac->highest_zoneidx, ac->nodemask)
	{
		uint64_t available =
			qr__read(&zone->nr_free_pages) + reclaimable_pages(req, zone) / req->order;

		if (ops->compaction_suitable(req->alloc->reclaim_ctx,
					     qr__allocator_quire(req->alloc), zone, req->order,
					     available))
			return true;
	}
	return false;
}

/* Nobody compacts: reclaim alone may produce a small block as long as memory is there at all. */
static bool should_retry_uncompacted(const struct request *req)
{
	struct qr_alloc_context *ac = req->ac;
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	if (!req->order || req->costly)
		return false;
	qr__for_each_zone_zonelist(ref, zone, ac->zonelist, ac->highest_zoneidx, ac->nodemask)
	{
		if (qr_zone_watermark_ok(zone, 0, qr__wmark_pages(zone, QR_WMARK_MIN),
					 ac->highest_zoneidx, req->alloc_flags))
			return true;
	}
	return false;
}

static bool should_compact_retry(struct request *req)
{
	unsigned max_retries = req->costly ? MAX_COMPACT_RETRIES / 4 : MAX_COMPACT_RETRIES;
	enum qr_compact_priority last =
		req->costly ? QR_COMPACT_PRIO_SYNC_LIGHT : QR_COMPACT_PRIO_SYNC_FULL;

	if (!req->order || (task_flags(req) & QR_TASK_FATAL_SIGNAL))
		return false;
	if (req->compacted == QR_COMPACT_SKIPPED)
		return compaction_suitable(req);
	if (req->compacted == QR_COMPACT_SUCCESS && ++req->compact_retries <= max_retries)
		return true;
	if (req->priority > last) {
		req->priority--;
		req->compact_retries = 0;
		return true;
	}
	return false;
}

/*
 * After reclaim and compaction brought nothing: once more, from the start, or on to the last
 * resort?
 */
static enum step round_judge(struct request *req)
{
	bool compacts = req->alloc->reclaim.direct_compact != NULL;

	if (req->gfp & QR___GFP_NORETRY)
		return STEP_NOPAGE;
	if (req->costly && (!req->can_compact || !(req->gfp & QR___GFP_RETRY_MAYFAIL)))
		return STEP_NOPAGE;
	if (ground_moved(req))
		return STEP_RESTART;
	if (should_reclaim_retry(req))
		return STEP_RETRY;
	if (!req->progress)
		return STEP_NEXT;
	if (compacts ? req->can_compact && should_compact_retry(req)
		     : should_retry_uncompacted(req))
		return STEP_RETRY;
	return STEP_NEXT;
}

/* Last resort ------------------------------------------------------------------------------ */

/* Is this a request for whose sake something may be ended? */
static bool oom_warranted(const struct request *req)
{
	return !(task_flags(req) & QR_TASK_DUMPCORE) && !req->costly &&
	       !(req->gfp & (QR___GFP_RETRY_MAYFAIL | QR___GFP_THISNODE)) &&
	       req->ac->highest_zoneidx >= QR_ZONE_NORMAL;
}

/* First as the cpuset wants it, then anywhere. */
static struct qr_page *cpuset_fallback(struct request *req, unsigned alloc_flags)
{
	struct qr_page *page = qr_get_page_from_freelist(req->alloc, req->gfp, req->order,
							 alloc_flags | QR_ALLOC_CPUSET, req->ac);

	if (page)
		return page;
	return qr_get_page_from_freelist(req->alloc, req->gfp, req->order, alloc_flags, req->ac);
}

/*
 * Ask the owner to end something; true: memory will come free.  A request that may not enter file
 * systems could itself be what holds memory up, so it never asks; it presumes that others do, but
 * not for ever, since here there may be no others.
 */
static bool oom_call(struct request *req)
{
	struct qr_allocator *alloc = req->alloc;
	struct qr_reclaim_request up = upcall_request(req);
	uint32_t before;
	bool progress;

	if (!alloc->reclaim.out_of_memory)
		return false;
	if (!(req->gfp & QR___GFP_FS))
		return ++req->presumed_loops <= MAX_RECLAIM_RETRIES;
	qr__stat(alloc, QR_STAT_OOM, 1);
	before = upcall_enter(req);
	progress =
		alloc->reclaim.out_of_memory(alloc->reclaim_ctx, qr__allocator_quire(alloc), &up);
	upcall_leave(req, before);
	if (progress)
		qr__count(qr__alloc_base(alloc), QR_EV_OOM_KILL, 1);
	return progress;
}

/* The only one at it.  True: progress. */
static bool oom_try(struct request *req)
{
	qr_gfp_t gfp = (req->gfp | QR___GFP_HARDWALL) & ~QR___GFP_DIRECT_RECLAIM;
	bool progress;

	/* Whoever was here before us may have freed plenty; the high mark makes sure of it. */
	req->page = qr_get_page_from_freelist(req->alloc, gfp, req->order,
					      QR_ALLOC_WMARK_HIGH | QR_ALLOC_CPUSET, req->ac);
	if (req->page || !oom_warranted(req))
		return false;
	progress = oom_call(req);
	if (req->gfp & QR___GFP_NOFAIL) {
		req->page = cpuset_fallback(req, QR_ALLOC_NO_WATERMARKS);
		progress = true;
	}
	return progress;
}

/*
 * Somebody else is at it: wait for what he frees.  Bounded, lest a callback that allocates without
 * the MEMALLOC it was told to use waits for itself.
 */
static bool oom_wait(struct request *req)
{
	others_run(req);
	return ++req->oom_waits <= MAX_OOM_WAITS;
}

/* One upcall at a time.  Not a lock: the callback may take any of the core's. */
static bool oom_enter(struct request *req)
{
	bool progress;

	if (atomic_exchange_explicit(&req->alloc->oom_under_way, true, memory_order_acquire))
		return oom_wait(req);
	progress = oom_try(req);
	atomic_store_explicit(&req->alloc->oom_under_way, false, memory_order_release);
	return progress;
}

static enum step last_resort(struct request *req)
{
	bool progress;

	stage_trace(req, QR_SLOW_OOM);
	progress = oom_enter(req);
	if (req->page)
		return STEP_DONE;
	if ((task_flags(req) & QR_TASK_OOM_VICTIM) &&
	    ((req->alloc_flags & QR_ALLOC_OOM) || (req->gfp & QR___GFP_NOMEMALLOC)))
		return STEP_NOPAGE;
	if (!progress)
		return STEP_NOPAGE;
	req->no_progress_loops = 0;
	return STEP_RETRY;
}

/* A round ---------------------------------------------------------------------------------- */

/* Open the reserves the caller is entitled to; whoever may, leaves policy behind as well. */
static void reserves_open(struct request *req)
{
	unsigned reserve = reserve_flags(req);

	if (reserve)
		req->alloc_flags = qr_gfp_to_alloc_flags_cma(req->alloc, req->gfp, reserve) |
				   (req->alloc_flags & QR_ALLOC_KSWAPD);
	if (!(req->alloc_flags & QR_ALLOC_CPUSET) || reserve) {
		req->ac->nodemask = NULL;
		preferred_find(req);
	}
}

static enum step slow_round(struct request *req)
{
	enum step step;

	kswapds_wake(req);
	reserves_open(req);
	if (freelist_try(req) == STEP_DONE)
		return STEP_DONE;
	if (!req->can_reclaim)
		return STEP_NOPAGE;
	if (task_flags(req) & QR_TASK_MEMALLOC)
		return STEP_NOPAGE; /* we are reclaim: do not recurse */
	if (reclaim(req) == STEP_DONE)
		return STEP_DONE;
	if (compact(req, req->priority, QR_SLOW_COMPACT) == STEP_DONE)
		return STEP_DONE;
	step = round_judge(req);
	if (step == STEP_NEXT)
		step = last_resort(req);
	if (step == STEP_RETRY) {
		stage_trace(req, QR_SLOW_RETRY);
		others_run(req);
	}
	return step;
}

/* No page ---------------------------------------------------------------------------------- */

/* Has this much time passed since the window began?  At most one caller is told so. */
static bool warn_allowed(struct qr_allocator *alloc)
{
	uint64_t now = qr__now(qr__alloc_base(alloc));
	uint64_t since = qr__read(&alloc->warn_window_ns);

	if (atomic_exchange_explicit(&alloc->warn_in_window, 1, memory_order_relaxed) == 0) {
		qr__write(&alloc->warn_window_ns, now);
		return true;
	}
	return now - since >= WARN_INTERVAL_NS &&
	       atomic_compare_exchange_strong_explicit(&alloc->warn_window_ns, &since, now,
						       memory_order_relaxed, memory_order_relaxed);
}

/* A request for DMA memory on a machine that has none is no news. */
static bool warn_wanted(const struct request *req)
{
	struct qr_frames *frames = &req->alloc->frames;

	if (req->gfp & QR___GFP_NOWARN)
		return false;
	if (!(req->gfp & QR___GFP_DMA))
		return true;
	for (unsigned nid = 0; nid < frames->nr_nodes; nid++)
		if (qr__read(&qr__node(frames, (int)nid)->zones[QR_ZONE_DMA].managed_pages))
			return true;
	return false;
}

static QR_COLD void warn_alloc(const struct request *req)
{
	if (!warn_wanted(req) || !warn_allowed(req->alloc))
		return;
	qr__log(qr__alloc_base(req->alloc), QR_LOG_WARN,
		"page allocation failure: order:%u, mode:%#x, highest zone:%s, node:%d%s",
		req->order, req->gfp, qr_zone_type_name(req->ac->highest_zoneidx),
		req->ac->preferred_nid,
		req->impossible ? "; no zone of the nodes it may use serves such requests" : "");
}

/* NOFAIL as the header asks for it: small, and by a caller who can wait. */
static QR_COLD void nofail_check(const struct request *req)
{
	const char *what = NULL;

	if (!req->can_reclaim)
		what = "without DIRECT_RECLAIM may fail";
	else if (task_flags(req) & QR_TASK_MEMALLOC)
		what = "from a task with MEMALLOC cannot be helped by reclaim";
	else if (req->order > 1)
		what = "of an order above 1 may take for ever";
	if (what && warn_wanted(req) && warn_allowed(req->alloc))
		qr__log(qr__alloc_base(req->alloc), QR_LOG_WARN,
			"page allocation: order:%u, mode:%#x: NOFAIL %s", req->order, req->gfp,
			what);
}

/* NOFAIL waits for others to free memory, and helps itself to half of the min reserve meanwhile. */
static enum step nofail_try(struct request *req)
{
	stage_trace(req, QR_SLOW_NOFAIL);
	req->page = cpuset_fallback(req, QR_ALLOC_MIN_RESERVE);
	if (req->page)
		return STEP_DONE;
	others_run(req);
	return STEP_RETRY;
}

static enum step nopage(struct request *req)
{
	if (ground_moved(req))
		return STEP_RESTART;
	if ((req->gfp & QR___GFP_NOFAIL) && req->can_reclaim && !req->impossible)
		return nofail_try(req);
	stage_trace(req, QR_SLOW_FAILED);
	warn_alloc(req);
	return STEP_DONE;
}

/* The ladder ------------------------------------------------------------------------------- */

struct qr_page *qr___alloc_pages_slowpath(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
					  struct qr_alloc_context *ac)
{
	const qr_nodemask_t *nodemask = ac->nodemask;
	struct request req = {.alloc = alloc, .gfp = gfp, .order = order, .ac = ac};
	enum step step;

	req.can_reclaim = (gfp & QR___GFP_DIRECT_RECLAIM) != 0;
	req.can_compact = (gfp & QR___GFP_IO) && alloc->reclaim.direct_compact;
	req.costly = order > QR_PAGE_ALLOC_COSTLY_ORDER;
	qr__stat(alloc, QR_STAT_SLOWPATH, 1);
	stage_trace(&req, QR_SLOW_ENTER);
	if (qr__unlikely(gfp & QR___GFP_NOFAIL))
		nofail_check(&req);

	step = slow_start(&req);
	for (;;) {
		if (step == STEP_NEXT || step == STEP_RETRY)
			step = slow_round(&req);
		if (step == STEP_NOPAGE)
			step = nopage(&req);
		if (step == STEP_DONE)
			return req.page;
		if (step == STEP_RESTART) {
			stage_trace(&req, QR_SLOW_RESTART);
			others_run(&req);
			ac->nodemask = nodemask;
			step = slow_start(&req);
		}
	}
}
