/* SPDX-License-Identifier: MIT */
/*
 * alloc/hooks.c - what the owner of an instance registers
 *
 * Four things: who listens to trace points, who can make memory free (struct qr_reclaim_ops, used
 * by slowpath.c and kswapd.c), who keeps accounts of it (struct qr_charge_ops), and which
 * allocations shall fail though they could succeed (struct qr_fail_page_alloc), so that error paths
 * can be walked.
 *
 * The structs are copied while no request is under way; requests read them without a lock.
 */
#include "allocator.h"

/* Reclaim ---------------------------------------------------------------------------------- */

void qr_reclaim_ops_set(struct quire *q, const struct qr_reclaim_ops *ops, void *ctx)
{
	struct qr_allocator *alloc = qr__allocator(q);

	alloc->reclaim = ops ? *ops : (struct qr_reclaim_ops){0};
	alloc->reclaim_ctx = ctx;
}

/* Charging --------------------------------------------------------------------------------- */

void qr_charge_ops_set(struct quire *q, const struct qr_charge_ops *ops, void *ctx)
{
	struct qr_allocator *alloc = qr__allocator(q);

	alloc->charge = ops ? *ops : (struct qr_charge_ops){0};
	alloc->charge_ctx = ctx;
}

/* The mark in the page says whom to ask for the uncharge when it is freed: nobody, or the ops. */
bool qr__charge_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	if (!alloc->charge.charge)
		return true;
	if (alloc->charge.charge(alloc->charge_ctx, page, order, gfp) < 0) {
		qr___free_pages(qr__allocator_quire(alloc), page, order);
		return false;
	}
	qr__page_set(&alloc->frames, page, QR_PG_CHARGED);
	return true;
}

/* Trace points ----------------------------------------------------------------------------- */

/* The shortest way has none of them. */
void qr_trace_set(struct quire *q, void (*event)(void *ctx, const struct qr_trace_event *event),
		  void *ctx, uint64_t mask)
{
	struct qr_allocator *alloc = qr__allocator(q);

	if (event && mask)
		qr__detour_set(alloc, QR_DETOUR_TRACE, true);
	qr__trace_listen(qr__alloc_base(alloc), event, ctx, mask);
	if (!event || !mask)
		qr__detour_set(alloc, QR_DETOUR_TRACE, false);
}

/* Injected failures ------------------------------------------------------------------------ */

void qr_fail_page_alloc_set(struct quire *q, const struct qr_fail_page_alloc *attr)
{
	struct qr_allocator *alloc = qr__allocator(q);
	bool on = attr && attr->interval != 0;

	atomic_store_explicit(&alloc->fail_on, false, memory_order_release);
	qr__detour_set(alloc, QR_DETOUR_FAIL, false);
	if (!on)
		return;
	alloc->fail = *attr;
	atomic_store_explicit(&alloc->fail_seen, 0, memory_order_relaxed);
	atomic_store_explicit(&alloc->fail_done, 0, memory_order_relaxed);
	atomic_store_explicit(&alloc->fail_on, true, memory_order_release);
	qr__detour_set(alloc, QR_DETOUR_FAIL, true);
}

uint64_t qr_fail_page_alloc_seen(const struct quire *q)
{
	return atomic_load_explicit(&qr__allocator_const(q)->fail_seen, memory_order_relaxed);
}

/* Requests that injection leaves alone: those that cannot fail, and those the owner spared. */
static bool fail_spares(const struct qr_fail_page_alloc *fail, qr_gfp_t gfp, unsigned order)
{
	return order < fail->min_order || (gfp & QR___GFP_NOFAIL) ||
	       (fail->ignore_gfp_highmem && (gfp & QR___GFP_HIGHMEM)) ||
	       (fail->ignore_gfp_wait && (gfp & QR___GFP_DIRECT_RECLAIM));
}

bool qr__should_fail_alloc_page(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order)
{
	const struct qr_fail_page_alloc *fail = &alloc->fail;
	uint64_t seen, done;

	if (fail_spares(fail, gfp, order))
		return false;
	seen = atomic_fetch_add_explicit(&alloc->fail_seen, 1, memory_order_relaxed) + 1;
	if (seen <= fail->skip || (seen - fail->skip) % fail->interval)
		return false;
	if (!fail->times)
		return true;
	done = atomic_fetch_add_explicit(&alloc->fail_done, 1, memory_order_relaxed);
	return done < fail->times;
}
