/* SPDX-License-Identifier: MIT */
/*
 * alloc/speculation.c - references to pages that somebody else may be freeing
 *
 * Theory of operation
 * -------------------
 * To drop the only reference to a page is a question and a store: is there really no other?  Then
 * there is none.  Only if somebody can come in between and take one, by speculation, do both have
 * to be one locked instruction, which costs about as much as all the rest of a free.  Speculators
 * are rare and come in swarms; most programs have none.  So there are two times:
 *
 *	CLOSED		nobody speculates; only references are dropped by plain loads and stores
 *	OPEN		anybody may speculate; they are dropped by exchanges
 *
 * and two ways between them, during which nobody speculates and drops are exchanges:
 *
 *	OPENING		a speculator has come, and waits for those who may still be in the middle of
 *			a plain drop
 *	CLOSING		is anybody still in the middle of a speculation?
 *
 * A plain drop is done under the lock of a CPU's cache, with the mode read under that lock; or by a
 * step (step.h), which looks at what is told beside that lock while the mode is not CLOSED.
 *
 * Opening
 * -------
 * The mode becomes OPENING, then each cache of each CPU is locked once, then it becomes OPEN.  Who
 * had his cache's lock before us, and may have seen CLOSED, has let it go, and his plain store with
 * it: we see it, and so does every speculator, who sees the OPEN that we write later.  Who gets his
 * lock after us sees OPENING, or what came after it.  A step is as one that had the lock: before
 * any cache is locked all are told.
 *
 * Closing
 * -------
 * Each speculator counts itself in `users` first, and looks at the mode then; who closes writes
 * CLOSING first, and looks at the users then.  All four are sequentially consistent, so not both
 * can miss the other: either the users are seen, and it is OPEN again; or the speculator finds
 * that it is not OPEN, takes itself off, and goes to open.  Who closes and sees no users also sees
 * all that the former ones did to states, and by the CLOSED he writes so does whoever drops
 * plainly.
 *
 * Modes are changed under a lock.  Closing is tried when nobody has speculated for QUIET_NS, by the
 * work that also lets caches decay: those who come in swarms shall not wait for one opening each.
 * Who stops plain drops without speculating comes alone, and need not wait so long to resume them:
 * he closes at once, if there were no speculators since that work last looked.
 *
 * Misuse
 * ------
 * Two threads that free one page at once, within the nanoseconds between the question and the
 * store, both succeed in CLOSED times: each puts a copy into his CPU's cache.  Hence the plain
 * drop is only for caches from which a freed page is not handed out again before the engine has
 * seen it (magazine.h).  The engine knows which frames are free, by a bit each: it reports the
 * second copy and lets it go, so nothing is harmed, but the report comes later than for other
 * double frees.  If in between the page was handed out again, the second copy is what a late
 * second free always was: a free of somebody else's page, which cannot be told from a right one.
 */
#include "speculation.h"
#include "pcp.h"

/* So long without a speculation: it takes some microseconds to open, so this is a small price. */
#define QUIET_NS UINT64_C(1000000000)

static void mode_set(struct qr_allocator *alloc, enum qr_speculation_mode mode)
{
	atomic_store_explicit(&alloc->speculation_mode, (uint32_t)mode, memory_order_seq_cst);
}

static enum qr_speculation_mode mode_of(const struct qr_allocator *alloc)
{
	return (enum qr_speculation_mode)atomic_load_explicit(&alloc->speculation_mode,
							      memory_order_seq_cst);
}

/* Whether steps may drop plainly is told to each CPU. */
static void steps_tell(struct qr_allocator *alloc, bool closed)
{
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		if (zone->pcp_locks)
			qr__local_close_all(
				zone->pcp_locks, zone->pcp_stride, qr__alloc_base(alloc)->nr_cpus,
				closed ? QR_STEPS_DROP_NOT : 0, closed ? 0 : QR_STEPS_DROP_NOT);
	}
}

/* Whoever is in the middle of a plain drop is through with it when this returns. */
static void drops_wait(struct qr_allocator *alloc)
{
	struct qr_zone *zone;

	qr__for_each_zone(&alloc->frames, zone)
	{
		if (!zone->pcp)
			continue;
		qr__pcp_lock_all(zone);
		qr__pcp_unlock_all(zone);
	}
}

static QR_COLD void speculation_open(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);

	qr__lock(base, &alloc->speculation.lock);
	if (mode_of(alloc) != QR_SPECULATION_OPEN) {
		mode_set(alloc, QR_SPECULATION_OPENING);
		steps_tell(alloc, true);
		drops_wait(alloc);
		mode_set(alloc, QR_SPECULATION_OPEN);
	}
	qr__unlock(base, &alloc->speculation.lock);
}

static void user_leaves(struct qr_allocator *alloc)
{
	atomic_fetch_sub_explicit(&alloc->speculation.users, 1, memory_order_release);
}

/* Nobody drops plainly any more, and nobody will until this user leaves. */
static void user_enters(struct qr_allocator *alloc)
{
	struct qr_speculation *s = &alloc->speculation;

	qr__lock_rank_check(qr__alloc_base(alloc), &s->lock, QR_RANK_SPECULATION);
	for (;;) {
		atomic_fetch_add_explicit(&s->users, 1, memory_order_seq_cst);
		qr__sched_point(qr__alloc_base(alloc), "announced");
		if (qr__likely(mode_of(alloc) == QR_SPECULATION_OPEN))
			break;
		user_leaves(alloc);
		speculation_open(alloc);
	}
}

void qr__speculation_begin(struct qr_allocator *alloc)
{
	struct qr_speculation *s = &alloc->speculation;

	user_enters(alloc);
	if (!atomic_load_explicit(&s->used, memory_order_relaxed))
		atomic_store_explicit(&s->used, true, memory_order_relaxed);
}

void qr__speculation_end(struct qr_allocator *alloc)
{
	user_leaves(alloc);
}

/* The mode first: who is told that drops may be plain finds that they are. */
static void closed_again(struct qr_allocator *alloc)
{
	mode_set(alloc, QR_SPECULATION_CLOSED);
	steps_tell(alloc, false);
}

static void speculation_close(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);
	struct qr_speculation *s = &alloc->speculation;

	qr__lock(base, &s->lock);
	if (mode_of(alloc) == QR_SPECULATION_OPEN) {
		mode_set(alloc, QR_SPECULATION_CLOSING);
		qr__sched_point(base, "closing");
		if (atomic_load_explicit(&s->users, memory_order_seq_cst))
			mode_set(alloc, QR_SPECULATION_OPEN);
		else
			closed_again(alloc);
	}
	qr__unlock(base, &s->lock);
}

void qr__plain_drops_stop(struct qr_allocator *alloc)
{
	user_enters(alloc);
}

void qr__plain_drops_resume(struct qr_allocator *alloc)
{
	user_leaves(alloc);
	if (!atomic_load_explicit(&alloc->speculation.used, memory_order_relaxed))
		speculation_close(alloc);
}

void qr__speculation_decay(struct qr_allocator *alloc)
{
	struct qr_speculation *s = &alloc->speculation;
	uint64_t now = qr__now(qr__alloc_base(alloc));

	if (mode_of(alloc) == QR_SPECULATION_CLOSED)
		return;
	if (atomic_exchange_explicit(&s->used, false, memory_order_relaxed))
		qr__write(&s->quiet_since_ns, now);
	else if (now - qr__read(&s->quiet_since_ns) >= QUIET_NS)
		speculation_close(alloc);
}
