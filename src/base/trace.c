/* SPDX-License-Identifier: MIT */
/*
 * trace.c - trace points: who listens, and the telling
 *
 * The mask is the switch: it is the last to be set and the first to be cleared.  A thread that saw
 * it set may come here after it was cleared, and finds either the old callback or none.
 */
#include "trace.h"

void qr__trace(const struct qr_base *base, const struct qr_trace_event *event)
{
	qr_trace_fn_t *callback = atomic_load_explicit(&base->trace_event, memory_order_acquire);

	if (callback)
		callback(atomic_load_explicit(&base->trace_ctx, memory_order_relaxed), event);
}

void qr__trace_listen(struct qr_base *base, qr_trace_fn_t *event, void *ctx, uint64_t mask)
{
	atomic_store_explicit(&base->trace_mask, 0, memory_order_relaxed);
	atomic_store_explicit(&base->trace_event, NULL, memory_order_release);
	if (!event)
		return;
	atomic_store_explicit(&base->trace_ctx, ctx, memory_order_relaxed);
	atomic_store_explicit(&base->trace_event, event, memory_order_release);
	atomic_store_explicit(&base->trace_mask, mask, memory_order_release);
}
