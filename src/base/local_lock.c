/* SPDX-License-Identifier: MIT */
/*
 * local_lock.c - locks that nearly always are taken by the CPU they belong to
 *
 * Theory of operation
 * -------------------
 * A locked instruction costs more than all else on the way of a single page, and it buys what is
 * hardly ever needed: that another CPU may come at any moment.  So the cost goes to that other CPU.
 *
 * A lock is one word:
 *
 *	0		free
 *	1		taken by a thread that was on the CPU it belongs to, the "owner"
 *	2 and up	claimed by somebody from afar; each claim has a number of its own
 *
 * The owner takes it by a sequence of plain instructions (the hook local_trylock): which CPU is
 * this?  is its word 0?  then make it 1.  The platform promises of that sequence:
 *
 *	S1	two of one CPU never overlap: whoever is interrupted, preempted or moved between the
 *		question and the store, begins again, or the one who came between has let go before
 *		he goes on
 *	S2	when the hook local_fence has returned, each sequence that was under way on any CPU
 *		when it was called either has its store seen by all, or begins again (or ends
 *		without a store) and sees what the caller wrote before the fence
 *
 * On Linux S1 is what the kernel does for restartable sequences, and S2 is its membarrier call; in
 * a kernel S1 is to forbid preemption for the sequence, and S2 an interrupt to all other CPUs.
 *
 * From afar
 * ---------
 *	1	wait until the word is 0, and claim it: exchange our number for the 0, atomically
 *	2	fence
 *	3	is it still our number?  then we hold the lock.  Else an owner had seen the 0 before
 *		our number was there, and his store has run ours over: he holds it, back to 1
 *
 * Why nobody shares the lock:
 *
 *	owner, owner	S1, and between sequences the word itself: the second one sees the 1.
 *	afar, owner	Suppose we found our number after the fence.  An owner's sequence that read
 *			the word before our claim has, by S2, stored by then or never will: if it
 *			had, we would have found 1, or what came after it.  One that reads it later
 *			finds our number and turns back.
 *	afar, afar	Both claims are exchanges for a 0, so the second came after the first was
 *			run over or let go.  The first one may still look (3) at the second one's
 *			claim; that is why claims have numbers: it is not his own, so he goes back.
 *
 * Nor does anybody lose it: the word becomes 0 only by its holder, since a claim that was run over
 * is not taken back, and an owner writes only 1 over it.  That a claim is run over by an owner's
 * late store does the owner no harm, for he holds the lock from then on.
 *
 * Order.  Taking is an acquire (the owner's load, our exchange), letting go a release, from
 * whichever CPU.  The owner's store of 1 may be late: until the fence nobody is concerned, and
 * after it everybody sees it.
 *
 * All of them: claim those that are not ours, one fence for all, and again for those that were run
 * over.  Two who did that at once could each wait for what the other has, so there is a lock for
 * it, held while locks are gathered.  Whoever holds a single one waits for no other.
 *
 * Without the hooks the owner's sequence is a compare and exchange, and nobody needs a fence.  The
 * thread is then kept on its CPU as far as the platform can do that; with one CPU (UP) interrupts
 * are masked, too.
 */
#include "local_lock.h"

/* Half of all numbers go by before one comes back: longer than anybody waits for a fence. */
#define CLAIM_MASK 0x7fffffffu
#define CLAIM_FIRST 2u

void qr__local_lock_init(struct qr_local_lock *lock, enum qr_lock_rank rank)
{
	atomic_init(&lock->taken, QR_LOCAL_FREE);
	atomic_init(&lock->closed, 0);
	lock->rank = (uint32_t)rank;
}

/* The owner, without hooks ----------------------------------------------------------------- */

static struct qr_local_lock *lock_at(struct qr_local_lock *first, size_t stride, unsigned cpu)
{
	return (struct qr_local_lock *)(void *)((char *)first + stride * cpu);
}

/* Only ever tries: a free word becomes @number. */
static bool word_take(struct qr_local_lock *lock, uint32_t number)
{
	uint32_t free = QR_LOCAL_FREE;

	return atomic_compare_exchange_strong_explicit(&lock->taken, &free, number,
						       memory_order_acquire, memory_order_relaxed);
}

struct qr_local_lock *qr__local_trylock_pinned(struct qr_base *base, struct qr_local_lock *first,
					       size_t stride)
{
	struct qr_local_lock *lock = lock_at(first, stride, qr__cpu_pin(base));
	bool up = base->platform.cpu_model == QR_CPU_UP;
	unsigned long irqs = up ? qr__irq_save(base) : 0;

	qr__sched_point(base, "local trylock");
	if (word_take(lock, QR_LOCAL_OWN)) {
		qr__lock_note_taken(base, lock, lock->rank);
		if (up)
			base->up_irqs = irqs;
		return lock;
	}
	if (up)
		qr__irq_restore(base, irqs);
	qr__cpu_unpin(base);
	return NULL;
}

void qr__local_unlock_pinned(struct qr_base *base, struct qr_local_lock *lock)
{
	unsigned long irqs = base->up_irqs;

	qr__lock_note_released(base, lock, lock->rank);
	atomic_store_explicit(&lock->taken, QR_LOCAL_FREE, memory_order_release);
	qr__sched_point(base, "local unlock");
	if (base->platform.cpu_model == QR_CPU_UP)
		qr__irq_restore(base, irqs);
	qr__cpu_unpin(base);
}

/* From afar -------------------------------------------------------------------------------- */

static uint32_t claim_new(struct qr_base *base)
{
	uint32_t nth = atomic_fetch_add_explicit(&base->nr_claims, 1, memory_order_relaxed);

	return CLAIM_FIRST + (nth & CLAIM_MASK);
}

/* Wait until the word is free, and put our number there. */
static void claim_make(struct qr_base *base, struct qr_local_lock *lock, uint32_t claim)
{
	for (unsigned spins = 0; !word_take(lock, claim); spins++)
		qr__relax(base, spins);
}

/* From here on it is known which claims were run over. */
static void claims_settle(struct qr_base *base)
{
	const struct qr_platform *p = &base->platform;

	if (!p->local_fence)
		return;
	qr__sched_point(base, "claimed");
	p->local_fence(p->ctx);
	qr__sched_point(base, "fenced");
}

static bool claim_stands(const struct qr_local_lock *lock, uint32_t claim)
{
	return atomic_load_explicit(&lock->taken, memory_order_acquire) == claim;
}

/* These are what the annotations promise, so their bodies cannot be analysed by them. */

void qr__local_lock(struct qr_base *base, struct qr_local_lock *lock) QR_NO_LOCK_ANALYSIS
{
	uint32_t claim = claim_new(base);

	qr__lock_rank_check(base, lock, lock->rank);
	qr__sched_point(base, "local lock");
	do {
		claim_make(base, lock, claim);
		claims_settle(base);
	} while (!claim_stands(lock, claim));
	qr__lock_note_taken(base, lock, lock->rank);
}

void qr__local_unlock_remote(struct qr_base *base, struct qr_local_lock *lock) QR_NO_LOCK_ANALYSIS
{
	qr__lock_note_released(base, lock, lock->rank);
	atomic_store_explicit(&lock->taken, QR_LOCAL_FREE, memory_order_release);
	qr__sched_point(base, "local unlock");
}

/* Claim what is not ours yet; true: now all is. */
static bool claim_all(struct qr_base *base, struct qr_local_lock *first, size_t stride, unsigned nr,
		      uint32_t claim)
{
	bool all = true;

	for (unsigned cpu = 0; cpu < nr; cpu++) {
		struct qr_local_lock *lock = lock_at(first, stride, cpu);

		if (!claim_stands(lock, claim))
			claim_make(base, lock, claim);
	}
	claims_settle(base);
	for (unsigned cpu = 0; cpu < nr; cpu++)
		all = all && claim_stands(lock_at(first, stride, cpu), claim);
	return all;
}

void qr__local_lock_all(struct qr_base *base, struct qr_local_lock *first, size_t stride,
			unsigned nr)
{
	uint32_t claim = claim_new(base);

	qr__lock(base, &base->local_all_lock);
	while (!claim_all(base, first, stride, nr, claim))
		;
	for (unsigned cpu = 0; cpu < nr; cpu++)
		qr__lock_note_taken(base, lock_at(first, stride, cpu), first->rank);
	qr__unlock(base, &base->local_all_lock);
}

void qr__local_unlock_all(struct qr_base *base, struct qr_local_lock *first, size_t stride,
			  unsigned nr) QR_NO_LOCK_ANALYSIS
{
	for (unsigned cpu = nr; cpu-- > 0;)
		qr__local_unlock_remote(base, lock_at(first, stride, cpu));
}

/* Reasons ---------------------------------------------------------------------------------- */

/* Each bit for itself: of the others nobody loses sight, not even for a moment. */
void qr__local_close_all(struct qr_local_lock *first, size_t stride, unsigned nr, uint32_t given,
			 uint32_t taken_back)
{
	for (unsigned cpu = 0; cpu < nr; cpu++) {
		_Atomic uint32_t *closed = &lock_at(first, stride, cpu)->closed;

		if (given)
			atomic_fetch_or_explicit(closed, given, memory_order_seq_cst);
		if (taken_back)
			atomic_fetch_and_explicit(closed, ~taken_back, memory_order_seq_cst);
	}
}
