/* SPDX-License-Identifier: MIT */
/*
 * alloc/kswapd.c - the background balancer
 *
 * Theory of operation
 * -------------------
 * Each node has a work item that reclaims in background, so that requests find free memory and need
 * not reclaim themselves.  A request that found a zone below its low mark wakes it and says what it
 * would have liked, an order and a highest zone; several wakes before a run add up to the largest
 * of each.
 *
 *	wake	slow path: below LOW		rmqueue: the zone's marks were boosted
 *	pass	until one of the asked zones has a block of that order above HIGH, or reclaim has
 *		got nowhere at any priority: shrink each asked zone that is below HIGH, trying
 *		harder each time nothing came
 *	end	the boosts that were seen at the start are taken back, and the compactor is told
 *		when there is something for it to do
 *
 * While a pass is under way, the node's zones are marked RECLAIM_ACTIVE: caches give back more.
 *
 * Reclaim for a boost only is gentle: it stops at a middle priority, and if the node turns out to
 * be short in earnest, boosts are forgotten and the pass begins anew.  A large order is given up
 * once as much was reclaimed as compaction needs to make it (twice its size); from then on it is
 * the compactor's job.
 *
 * A pass that reclaims nothing is a failure, any progress resets their count.  After 16 in a row
 * the node is hopeless: no wake starts a pass any more, until somebody else makes progress, or
 * enough is freed to clear a zone's BELOW_HIGH mark (pcp.c).
 *
 * The work runs in task context, from qr_run_pending().  No lock is held while callbacks run.
 */
#include "../base/bits.h"
#include "allocator.h"

#define MAX_FAILURES 16
#define PRIORITY_START 12 /* a 4096th of what could be scanned; 0 would be all */
#define PRIORITY_BOOST_ONLY (PRIORITY_START - 2) /* no harder than this for a boost */
#define NR_RECLAIM_MIN 32
/* A callback that reports progress and makes none must not keep its caller for ever. */
#define MAX_ROUNDS 64

/* One pass. */
struct pass {
	struct qr_allocator *alloc;
	struct qr_node *node;
	unsigned order; /* that we still reclaim for */
	enum qr_zone_type highest;
	unsigned priority;
	uint64_t boost[QR_NR_ZONES]; /* at the start */
	uint64_t boosts_left; /* of their sum, not reclaimed yet; 0: no matter */
	uint64_t reclaimed;
};

/* What is asked for ------------------------------------------------------------------------ */

/* The record of wakes keeps the largest of each. */
static void raise_to(_Atomic int32_t *field, int32_t value)
{
	int32_t before = atomic_load_explicit(field, memory_order_relaxed);

	while (before < value &&
	       !atomic_compare_exchange_weak_explicit(field, &before, value, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

static bool node_is_hopeless(const struct qr_node *node)
{
	return atomic_load_explicit(&node->kswapd_failures, memory_order_relaxed) >= MAX_FAILURES;
}

#define for_each_asked_zone(node, highest, zone) \
	for ((zone) = (node)->zones; (zone) <= &(node)->zones[highest]; (zone)++) \
		if (qr__read(&(zone)->managed_pages))

/* One zone that passes will do; a node without any is balanced by definition. */
static bool node_is_balanced(struct qr_node *node, unsigned order, enum qr_zone_type highest)
{
	bool any = false;
	struct qr_zone *zone;

	for_each_asked_zone(node, highest, zone)
	{
		any = true;
		if (qr_zone_watermark_ok_safe(zone, order, qr__wmark_pages(zone, QR_WMARK_HIGH),
					      highest))
			return true;
	}
	return !any;
}

static bool node_is_boosted(struct qr_node *node, enum qr_zone_type highest)
{
	struct qr_zone *zone;

	for_each_asked_zone(node, highest, zone)
	{
		if (qr__read(&zone->watermark_boost))
			return true;
	}
	return false;
}

static void kcompactd_wake(struct qr_allocator *alloc, int nid, unsigned order,
			   enum qr_zone_type highest)
{
	qr__assert_no_locks(qr__alloc_base(alloc));
	if (alloc->reclaim.wake_kcompactd)
		alloc->reclaim.wake_kcompactd(alloc->reclaim_ctx, qr__allocator_quire(alloc), nid,
					      order, highest);
}

void qr__kcompactd_wake_all(struct qr_allocator *alloc)
{
	for (int nid = 0; nid < (int)alloc->frames.nr_nodes; nid++)
		if (qr__node_is(&alloc->frames, nid, QR_N_MEMORY))
			kcompactd_wake(alloc, nid, QR_PAGEBLOCK_ORDER, QR_ZONE_MOVABLE);
}

void qr_wakeup_kswapd(struct qr_zone *zone, qr_gfp_t gfp, unsigned order,
		      enum qr_zone_type highest_zoneidx)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	struct qr_base *base = qr__alloc_base(alloc);
	struct qr_node *node = zone->node;

	if (!qr__read(&zone->managed_pages))
		return;
	raise_to(&node->kswapd_highest_zoneidx, (int32_t)highest_zoneidx);
	raise_to(&node->kswapd_order, (int32_t)order);
	if (node_is_hopeless(node) || (node_is_balanced(node, order, highest_zoneidx) &&
				       !node_is_boosted(node, highest_zoneidx))) {
		/* Whoever reclaims himself will compact himself, too. */
		if (!(gfp & QR___GFP_DIRECT_RECLAIM))
			kcompactd_wake(alloc, node->nid, order, highest_zoneidx);
		return;
	}
	if (atomic_exchange_explicit(&node->kswapd_awake, true, memory_order_acq_rel))
		return;
	qr__stat(alloc, QR_STAT_KSWAPD_WAKES, 1);
	QR_TRACE(base, QR_TP_KSWAPD_WAKE, .order = order, .a = node->nid, .b = highest_zoneidx);
	qr__work_queue(base, &node->kswapd, 0);
}

/* A pass ----------------------------------------------------------------------------------- */

static void reclaim_active_set(struct pass *pass, bool active)
{
	struct qr_zone *zone;

	for_each_asked_zone(pass->node, pass->highest, zone)
	{
		if (active)
			qr__zone_flag_set(zone, QR_ZONE_RECLAIM_ACTIVE);
		else
			qr__zone_flag_clear(zone, QR_ZONE_RECLAIM_ACTIVE);
	}
}

static void boosts_note(struct pass *pass)
{
	struct qr_zone *zone;

	for_each_asked_zone(pass->node, pass->highest, zone)
	{
		pass->boost[zone->type] = qr__read(&zone->watermark_boost);
		pass->boosts_left += pass->boost[zone->type];
	}
}

/* Take back what was there at the start; what was added meanwhile is the next pass's. */
static void boosts_end(struct pass *pass)
{
	bool any = false;

	for (unsigned i = 0; i <= (unsigned)pass->highest; i++) {
		struct qr_zone *zone = &pass->node->zones[i];
		unsigned long irqs;
		uint64_t boost;

		if (!pass->boost[i])
			continue;
		any = true;
		irqs = qr__zone_lock(zone);
		boost = qr__read(&zone->watermark_boost);
		qr__write(&zone->watermark_boost, boost - qr__min(boost, pass->boost[i]));
		qr__zone_scarce_review(zone);
		qr__zone_unlock(zone, irqs);
	}
	if (any)
		kcompactd_wake(pass->alloc, pass->node->nid, QR_PAGEBLOCK_ORDER, pass->highest);
}

/* How many pages a zone lacks; 0: it needs nothing. */
static uint64_t zone_lack(const struct pass *pass, struct qr_zone *zone)
{
	uint64_t high = qr__wmark_pages(zone, QR_WMARK_HIGH);
	uint64_t nr_free = qr__read(&zone->nr_free_pages);
	uint64_t lack = pass->boost[zone->type] && pass->boosts_left ? pass->boosts_left : 0;

	if (!lack && qr_zone_watermark_ok_safe(zone, pass->order, high, pass->highest))
		return 0;
	if (nr_free < high)
		lack = qr__max(lack, high - nr_free);
	return qr__max(lack, NR_RECLAIM_MIN);
}

/* One round over the asked zones; pages that came free, of how many that were *wanted. */
static uint64_t node_shrink(struct pass *pass, uint64_t *wanted)
{
	const struct qr_reclaim_ops *ops = &pass->alloc->reclaim;
	uint64_t got = 0;
	struct qr_zone *zone;

	*wanted = 0;
	if (!ops->shrink_zone)
		return 0;
	for_each_asked_zone(pass->node, pass->highest, zone)
	{
		uint64_t lack = zone_lack(pass, zone);

		*wanted += lack;
		if (lack)
			got += ops->shrink_zone(pass->alloc->reclaim_ctx,
						qr__allocator_quire(pass->alloc), zone, lack,
						pass->priority);
	}
	pass->reclaimed += got;
	if (got)
		atomic_store_explicit(&pass->node->kswapd_failures, 0, memory_order_relaxed);
	if (pass->order && pass->reclaimed >= UINT64_C(2) << pass->order)
		pass->order = 0;
	return got;
}

/* What is still to be done?  Forgets boosts if there is worse. */
static bool pass_goes_on(struct pass *pass)
{
	bool balanced = node_is_balanced(pass->node, pass->order, pass->highest);

	if (balanced)
		return pass->boosts_left != 0;
	if (pass->boosts_left) {
		pass->boosts_left = 0;
		pass->priority = PRIORITY_START;
	}
	return true;
}

/* Harder, unless we got what we wanted, or it is not worth it. */
static void priority_raise(struct pass *pass, bool satisfied)
{
	if (satisfied || (pass->boosts_left && pass->priority <= PRIORITY_BOOST_ONLY))
		return;
	pass->priority--;
}

/* False: there was work to do, and nothing could be done. */
static bool pass_run(struct pass *pass)
{
	pass->priority = PRIORITY_START;
	for (unsigned round = 0; round < MAX_ROUNDS && pass->priority && pass_goes_on(pass);
	     round++) {
		uint64_t wanted;
		uint64_t got = node_shrink(pass, &wanted);

		if (!got && pass->boosts_left && pass->priority <= PRIORITY_BOOST_ONLY)
			break;
		pass->boosts_left -= qr__min(pass->boosts_left, got);
		priority_raise(pass, got && got >= wanted);
	}
	return pass->reclaimed || node_is_balanced(pass->node, pass->order, pass->highest);
}

/* The work --------------------------------------------------------------------------------- */

/* Take what was asked for; false: nothing was. */
static bool asked_take(struct qr_node *node, unsigned *order, enum qr_zone_type *highest)
{
	int32_t idx =
		atomic_exchange_explicit(&node->kswapd_highest_zoneidx, -1, memory_order_relaxed);
	int32_t asked = atomic_exchange_explicit(&node->kswapd_order, -1, memory_order_relaxed);

	if (idx < 0)
		return false;
	*highest = (enum qr_zone_type)idx;
	*order = asked < 0 ? 0 : (unsigned)asked;
	return true;
}

/* The order that was asked for may only need compaction now. */
static void pass_end(struct pass *pass, unsigned asked_order)
{
	boosts_end(pass);
	if (asked_order && asked_order != pass->order)
		kcompactd_wake(pass->alloc, pass->node->nid, asked_order, pass->highest);
}

/* In earnest: with more to do after a pass that got somewhere, or failed, and hope left. */
static void again_if_needed(struct pass *pass)
{
	if (node_is_hopeless(pass->node) ||
	    node_is_balanced(pass->node, pass->order, pass->highest))
		return;
	raise_to(&pass->node->kswapd_highest_zoneidx, (int32_t)pass->highest);
	raise_to(&pass->node->kswapd_order, (int32_t)pass->order);
	if (!atomic_exchange_explicit(&pass->node->kswapd_awake, true, memory_order_acq_rel))
		qr__work_queue(qr__alloc_base(pass->alloc), &pass->node->kswapd, 0);
}

static void kswapd_run(struct qr_base *base, struct qr_work *work)
{
	struct qr_node *node = QR_CONTAINER(work, struct qr_node, kswapd);
	struct pass pass = {.alloc = (struct qr_allocator *)(void *)base, .node = node};
	unsigned asked_order;

	/* From here on a wake asks for a run of its own. */
	atomic_store_explicit(&node->kswapd_awake, false, memory_order_release);
	if (!asked_take(node, &pass.order, &pass.highest))
		return;
	asked_order = pass.order;
	qr__count(base, QR_EV_PAGEOUTRUN, 1);
	boosts_note(&pass);
	reclaim_active_set(&pass, true);
	if (!pass_run(&pass))
		atomic_fetch_add_explicit(&node->kswapd_failures, 1, memory_order_relaxed);
	reclaim_active_set(&pass, false);
	pass_end(&pass, asked_order);
	again_if_needed(&pass);
}

void qr__kswapd_init(struct qr_allocator *alloc)
{
	for (unsigned nid = 0; nid < alloc->frames.nr_nodes; nid++) {
		struct qr_node *node = &alloc->frames.nodes[nid];

		qr__work_init(&node->kswapd, kswapd_run);
		atomic_init(&node->kswapd_order, -1);
		atomic_init(&node->kswapd_highest_zoneidx, -1);
	}
}
