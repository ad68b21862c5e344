/* SPDX-License-Identifier: MIT */
/*
 * base/base.h - the state of the lowest layer, and the onion
 *
 * An instance is an onion: the state of each layer begins with the state of the layer below.
 *
 *	struct quire { struct qr_allocator { struct qr_frames { struct qr_base } } ... }
 *
 * So a pointer to the whole is a pointer to each of its layers, no layer needs to know those
 * above, and there is nothing global.  Each layer has a cast of its own (qr__base(), qr__frames(),
 * qr__allocator()) by which public functions get from the user's struct quire to their layer.
 *
 * This layer knows no memory management at all: it is the platform's hooks, locks, the log, trace
 * points, delayed work, random numbers and text.
 */
#ifndef QR_BASE_BASE_H
#define QR_BASE_BASE_H

#include <quire/inspect.h>
#include <stdatomic.h>

#include "compiler.h"
#include "lock.h"
#include "work.h"

/* What qr_trace_set() takes. */
typedef void qr_trace_fn_t(void *ctx, const struct qr_trace_event *event);

struct qr_base {
	struct qr_platform platform; /* constant */
	unsigned nr_cpus; /* constant */

	/* Trace points: the callback is set before the mask, and cleared after it. */
	_Atomic uint64_t trace_mask;
	qr_trace_fn_t *_Atomic trace_event;
	void *_Atomic trace_ctx;

	struct qr_workqueue work;

	_Atomic uint64_t random; /* state of the generator; see random.h */

	/* Events by CPU, nr_cpus rows of QR_NR_VM_EVENTS; see qr__count(). */
	struct qr_event_row *events;

	/* Of the local locks, see local_lock.c. */
	struct qr_spinlock local_all_lock; /* rank LOCAL_ALL */
	_Atomic uint32_t nr_claims; /* from afar, ever */
	unsigned long up_irqs; /* UP: the state to restore, of whoever has taken one */

	struct qr_lock_ledger ledger; /* debug, platforms of one CPU without a ledger hook */
};

/* One CPU's events.  Hot paths keep their own counts elsewhere, under locks they hold anyway. */
struct qr_event_row {
	_Alignas(64) _Atomic uint64_t nr[QR_NR_VM_EVENTS];
};

static inline struct qr_base *qr__base(struct quire *q)
{
	return (struct qr_base *)(void *)q;
}

/* CPU and time ----------------------------------------------------------------------------- */

/* A number that no array of CPUs overflows on, whatever the hook says. */
static inline unsigned qr__cpu_fold(const struct qr_base *base, unsigned cpu)
{
	return qr__likely(cpu < base->nr_cpus) ? cpu : cpu % base->nr_cpus;
}

/* The CPU we run on, maybe no longer. */
static inline unsigned qr__cpu_racy(const struct qr_base *base)
{
	const struct qr_platform *p = &base->platform;

	return p->cpu_id ? qr__cpu_fold(base, p->cpu_id(p->ctx)) : 0;
}

/* Stay on this CPU, if the platform can do that, until qr__cpu_unpin(). */
static inline unsigned qr__cpu_pin(const struct qr_base *base)
{
	const struct qr_platform *p = &base->platform;

	return p->cpu_pin ? qr__cpu_fold(base, p->cpu_pin(p->ctx)) : qr__cpu_racy(base);
}

static inline void qr__cpu_unpin(const struct qr_base *base)
{
	if (base->platform.cpu_unpin)
		base->platform.cpu_unpin(base->platform.ctx);
}

static inline uint64_t qr__now(const struct qr_base *base)
{
	return base->platform.clock_ns ? base->platform.clock_ns(base->platform.ctx) : 0;
}

static inline struct qr_task *qr__current_task(const struct qr_base *base)
{
	return base->platform.current_task ? base->platform.current_task(base->platform.ctx) : NULL;
}

/* Events ----------------------------------------------------------------------------------- */

/* Count events on the CPU we seem to be on; two threads that agree on one CPU lose nothing. */
static inline void qr__count(struct qr_base *base, unsigned event, uint64_t nr)
{
	atomic_fetch_add_explicit(&base->events[qr__cpu_racy(base)].nr[event], nr,
				  memory_order_relaxed);
}

/* Log -------------------------------------------------------------------------------------- */

/* One line through the log hook; the formats are those of text.h. */
void qr__log(const struct qr_base *base, enum qr_log_level level, const char *fmt, ...)
	QR_PRINTF(3, 4);

/* The same into the sentence a failing call hands to its caller (which may be NULL). */
void qr__why(struct qr_error_text *why, const char *fmt, ...) QR_PRINTF(2, 3);

/* Say a line and stop for good. */
_Noreturn void qr__panic(const struct qr_base *base, const char *fmt, ...) QR_PRINTF(2, 3);

#endif /* QR_BASE_BASE_H */
