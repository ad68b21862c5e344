/* SPDX-License-Identifier: MIT */
/*
 * work.c - things to do later
 *
 * The queue is a list sorted by time, short enough to be walked: an instance has a work item for
 * each node's kswapd and a handful more.
 *
 * Any number of threads may be in qr__work_run_due().  An item that runs in one of them stays
 * where it is if it is queued again meanwhile, and the others step over it; the thread that ran it
 * finds it afterwards.
 *
 * One call runs each item once at most: an item that queues itself again without delay must not
 * keep its caller for ever.  So each call begins a new pass, items remember the pass they were
 * queued in, and only items of earlier passes are run.
 */
#include "base.h"

void qr__workqueue_init(struct qr_base *base)
{
	qr__lock_init(&base->work.lock, QR_RANK_WORK);
	base->work.first = NULL;
	base->work.pass = 0;
}

void qr__work_init(struct qr_work *work, void (*run)(struct qr_base *base, struct qr_work *work))
{
	*work = (struct qr_work){.run = run};
}

static unsigned long queue_lock(struct qr_base *base) QR_ACQUIRES(base->work.lock)
{
	unsigned long irqs = qr__irq_save(base);

	qr__lock(base, &base->work.lock);
	return irqs;
}

static void queue_unlock(struct qr_base *base, unsigned long irqs) QR_RELEASES(base->work.lock)
{
	qr__unlock(base, &base->work.lock);
	qr__irq_restore(base, irqs);
}

/* Behind those that are due at the same time. */
static void queue_insert(struct qr_base *base, struct qr_work *work) QR_REQUIRES(base->work.lock)
{
	struct qr_work **at = &base->work.first;

	while (*at && (*at)->due_ns <= work->due_ns)
		at = &(*at)->next;
	work->next = *at;
	*at = work;
}

static void queue_remove(struct qr_base *base, struct qr_work *work) QR_REQUIRES(base->work.lock)
{
	struct qr_work **at = &base->work.first;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	work->next = NULL;
}

void qr__work_queue(struct qr_base *base, struct qr_work *work, uint64_t delay_ns)
{
	const struct qr_platform *p = &base->platform;
	uint64_t now = qr__now(base);
	uint64_t due_ns = delay_ns < UINT64_MAX - now ? now + delay_ns : UINT64_MAX - 1;
	unsigned long irqs = queue_lock(base);
	bool earlier = !work->queued || due_ns < work->due_ns;
	bool first = false;

	if (earlier) {
		if (work->queued)
			queue_remove(base, work);
		else
			work->pass = base->work.pass;
		work->queued = true;
		work->due_ns = due_ns;
		queue_insert(base, work);
		first = base->work.first == work;
	}
	queue_unlock(base, irqs);
	if (first && p->run_by)
		p->run_by(p->ctx, due_ns);
}

bool qr__work_cancel(struct qr_base *base, struct qr_work *work)
{
	unsigned long irqs = queue_lock(base);
	bool was_queued = work->queued;

	if (was_queued) {
		queue_remove(base, work);
		work->queued = false;
	}
	queue_unlock(base, irqs);
	return was_queued;
}

static bool work_is_running(struct qr_base *base, const struct qr_work *work)
{
	unsigned long irqs = queue_lock(base);
	bool running = work->running;

	queue_unlock(base, irqs);
	return running;
}

bool qr__work_cancel_sync(struct qr_base *base, struct qr_work *work)
{
	bool was_queued = qr__work_cancel(base, work);

	/* It may queue itself again in its last run. */
	for (unsigned spins = 0; work_is_running(base, work); spins++)
		qr__relax(base, spins);
	return qr__work_cancel(base, work) || was_queued;
}

/* Take the first item that is due, was queued before this pass, and runs nowhere. */
static struct qr_work *take_due(struct qr_base *base, uint64_t now, uint64_t pass)
	QR_REQUIRES(base->work.lock)
{
	struct qr_work *work = base->work.first;

	for (; work && work->due_ns <= now; work = work->next) {
		if (work->running || work->pass >= pass)
			continue;
		queue_remove(base, work);
		work->queued = false;
		work->running = true;
		return work;
	}
	return NULL;
}

/* When there is something for anybody to do.  What runs now is its runner's to look after. */
static uint64_t next_due(struct qr_base *base) QR_REQUIRES(base->work.lock)
{
	for (const struct qr_work *work = base->work.first; work; work = work->next)
		if (!work->running)
			return work->due_ns;
	return UINT64_MAX;
}

uint64_t qr__work_run_due(struct qr_base *base)
{
	uint64_t now = qr__now(base);
	unsigned long irqs = queue_lock(base);
	uint64_t pass = ++base->work.pass;
	struct qr_work *work;
	uint64_t next;

	while ((work = take_due(base, now, pass))) {
		queue_unlock(base, irqs);
		work->run(base, work);
		irqs = queue_lock(base);
		work->running = false;
	}
	next = next_due(base);
	queue_unlock(base, irqs);
	return next;
}
