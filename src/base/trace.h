/* SPDX-License-Identifier: MIT */
/*
 * base/trace.h - trace points
 *
 * QR_TRACE(base, QR_TP_..., .pfn = ..., .order = ...) costs one load and one branch where nobody
 * listens.
 */
#ifndef QR_BASE_TRACE_H
#define QR_BASE_TRACE_H

#include "base.h"

QR_INLINE bool qr__trace_on(const struct qr_base *base, enum qr_trace_id id)
{
	uint64_t mask = atomic_load_explicit(&base->trace_mask, memory_order_acquire);

	return qr__unlikely(mask >> id & 1);
}

#define QR_TRACE(base, tp, ...) \
	do { \
		if (qr__trace_on((base), (tp))) \
			qr__trace((base), \
				  &(const struct qr_trace_event){.id = (tp), __VA_ARGS__}); \
	} while (0)

/* From now on @event is told what mask has a bit for; NULL: nobody is. */
void qr__trace_listen(struct qr_base *base, qr_trace_fn_t *event, void *ctx, uint64_t mask);

void qr__trace(const struct qr_base *base, const struct qr_trace_event *event);

#endif /* QR_BASE_TRACE_H */
