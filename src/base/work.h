/* SPDX-License-Identifier: MIT */
/*
 * base/work.h - things to do later
 *
 * Background work (kswapd, decay of caches, deferred initialisation, reporting) is queued here with
 * a time, and done by whoever calls qr_run_pending().  A work item is part of its owner's struct.
 *
 *	idle  --queue-->  queued  --its time has come-->  running  -->  idle
 *
 * Work that is queued while it runs is queued again afterwards.  Queued twice, the earlier time
 * counts.
 */
#ifndef QR_BASE_WORK_H
#define QR_BASE_WORK_H

#include "lock.h"

struct qr_base;

struct qr_work {
	void (*run)(struct qr_base *base, struct qr_work *work); /* constant; task context */
	struct qr_work *next; /* w */
	uint64_t due_ns; /* w */
	uint64_t pass; /* w: of the queue, when it was queued */
	bool queued; /* w */
	bool running; /* w */
};

struct qr_workqueue {
	struct qr_spinlock lock; /* w */
	struct qr_work *first; /* w: sorted by due_ns */
	uint64_t pass; /* w: how often the queue was run */
};

void qr__workqueue_init(struct qr_base *base);
void qr__work_init(struct qr_work *work, void (*run)(struct qr_base *base, struct qr_work *work));

/* Run @work in @delay_ns from now.  May be called with a zone locked. */
void qr__work_queue(struct qr_base *base, struct qr_work *work, uint64_t delay_ns);

/*
 * Take it back; true if it was queued.  The _sync form also waits until it no longer runs, so the
 * work itself must not call it.
 */
bool qr__work_cancel(struct qr_base *base, struct qr_work *work);
bool qr__work_cancel_sync(struct qr_base *base, struct qr_work *work);

/* Run what is due, each item once at most; the time of the next one, or UINT64_MAX. */
uint64_t qr__work_run_due(struct qr_base *base);

#endif /* QR_BASE_WORK_H */
