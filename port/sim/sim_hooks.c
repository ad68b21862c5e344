/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim_hooks.c - hooks that fail on the n-th call
 *
 * Callbacks for reclaim and charging are registered with the core as wrappers, which count and
 * fail, or pass the call on.  A callback that was not given stays away from the core, too, since
 * the core behaves otherwise where there is none.
 */
#include "sim_private.h"

bool qr__sim_hook_fails(struct qr_sim *sim, enum qr_sim_hook hook)
{
	struct sim_hook *h = &sim->hooks[hook];

	h->calls++;
	if (!h->fail_at)
		return false;
	return h->calls == h->fail_at || (h->always && h->calls > h->fail_at);
}

/* Allocations are counted by the core; what it counted so far is kept when it begins anew. */
static void alloc_fault_set(struct qr_sim *sim, uint64_t nth, bool always)
{
	struct qr_fail_page_alloc attr = {
		.interval = 1,
		.times = always ? 0 : 1,
		.skip = nth ? nth - 1 : UINT64_MAX,
	};

	if (sim->alloc_counted)
		sim->hooks[QR_SIM_ALLOC].calls += qr_fail_page_alloc_seen(sim->q);
	sim->alloc_counted = true;
	qr_fail_page_alloc_set(sim->q, &attr);
}

void qr_sim_fail(struct qr_sim *sim, enum qr_sim_hook hook, uint64_t nth, bool always)
{
	struct sim_hook *h = &sim->hooks[hook];

	if (hook == QR_SIM_ALLOC) {
		alloc_fault_set(sim, nth, always);
		return;
	}
	h->fail_at = nth ? h->calls + nth : 0;
	h->always = always;
}

uint64_t qr_sim_calls(const struct qr_sim *sim, enum qr_sim_hook hook)
{
	uint64_t calls = sim->hooks[hook].calls;

	if (hook == QR_SIM_ALLOC && sim->alloc_counted)
		calls += qr_fail_page_alloc_seen(sim->q);
	return calls;
}

/* Reclaim ----------------------------------------------------------------------------------- */

static uint64_t sim_direct_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_RECLAIM))
		return 0;
	return sim->reclaim_ops.direct_reclaim(sim->reclaim_ctx, q, req);
}

static enum qr_compact_result sim_direct_compact(void *ctx, struct quire *q,
						 const struct qr_reclaim_request *req,
						 enum qr_compact_priority priority,
						 struct qr_page **captured)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_COMPACT))
		return QR_COMPACT_SKIPPED;
	return sim->reclaim_ops.direct_compact(sim->reclaim_ctx, q, req, priority, captured);
}

static uint64_t sim_shrink_zone(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
				unsigned priority)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_RECLAIM))
		return 0;
	return sim->reclaim_ops.shrink_zone(sim->reclaim_ctx, q, zone, nr, priority);
}

static enum qr_node_reclaim_result sim_node_reclaim(void *ctx, struct quire *q, int nid,
						    const struct qr_reclaim_request *req)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_RECLAIM))
		return QR_NODE_RECLAIM_FULL;
	return sim->reclaim_ops.node_reclaim(sim->reclaim_ctx, q, nid, req);
}

static uint64_t sim_reclaimable_pages(void *ctx, struct quire *q, struct qr_zone *zone)
{
	struct qr_sim *sim = ctx;

	return sim->reclaim_ops.reclaimable_pages(sim->reclaim_ctx, q, zone);
}

static bool sim_compaction_suitable(void *ctx, struct quire *q, struct qr_zone *zone,
				    unsigned order, uint64_t nr_free)
{
	struct qr_sim *sim = ctx;

	return sim->reclaim_ops.compaction_suitable(sim->reclaim_ctx, q, zone, order, nr_free);
}

static void sim_wake_kcompactd(void *ctx, struct quire *q, int nid, unsigned order,
			       enum qr_zone_type highest_zoneidx)
{
	struct qr_sim *sim = ctx;

	sim->reclaim_ops.wake_kcompactd(sim->reclaim_ctx, q, nid, order, highest_zoneidx);
}

static bool sim_node_dirty_ok(void *ctx, struct quire *q, int nid)
{
	struct qr_sim *sim = ctx;

	return sim->reclaim_ops.node_dirty_ok(sim->reclaim_ctx, q, nid);
}

static bool sim_out_of_memory(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_OOM))
		return false;
	return sim->reclaim_ops.out_of_memory(sim->reclaim_ctx, q, req);
}

void qr_sim_reclaim_ops_set(struct qr_sim *sim, const struct qr_reclaim_ops *ops, void *ctx)
{
	struct qr_reclaim_ops wrapped;

	if (!ops) {
		qr_reclaim_ops_set(sim->q, NULL, NULL);
		return;
	}
	wrapped = (struct qr_reclaim_ops){
		.direct_reclaim = ops->direct_reclaim ? sim_direct_reclaim : NULL,
		.direct_compact = ops->direct_compact ? sim_direct_compact : NULL,
		.shrink_zone = ops->shrink_zone ? sim_shrink_zone : NULL,
		.node_reclaim = ops->node_reclaim ? sim_node_reclaim : NULL,
		.reclaimable_pages = ops->reclaimable_pages ? sim_reclaimable_pages : NULL,
		.compaction_suitable = ops->compaction_suitable ? sim_compaction_suitable : NULL,
		.wake_kcompactd = ops->wake_kcompactd ? sim_wake_kcompactd : NULL,
		.node_dirty_ok = ops->node_dirty_ok ? sim_node_dirty_ok : NULL,
		.out_of_memory = ops->out_of_memory ? sim_out_of_memory : NULL,
	};
	sim->reclaim_ops = *ops;
	sim->reclaim_ctx = ctx;
	qr_reclaim_ops_set(sim->q, &wrapped, sim);
}

/* Charging ---------------------------------------------------------------------------------- */

static int sim_charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_CHARGE))
		return QR_ENOMEM;
	return sim->charge_ops.charge(sim->charge_ctx, page, order, gfp);
}

static void sim_uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	struct qr_sim *sim = ctx;

	sim->charge_ops.uncharge(sim->charge_ctx, page, order);
}

void qr_sim_charge_ops_set(struct qr_sim *sim, const struct qr_charge_ops *ops, void *ctx)
{
	struct qr_charge_ops wrapped;

	if (!ops) {
		qr_charge_ops_set(sim->q, NULL, NULL);
		return;
	}
	wrapped = (struct qr_charge_ops){
		.charge = ops->charge ? sim_charge : NULL,
		.uncharge = ops->uncharge ? sim_uncharge : NULL,
	};
	sim->charge_ops = *ops;
	sim->charge_ctx = ctx;
	qr_charge_ops_set(sim->q, &wrapped, sim);
}
