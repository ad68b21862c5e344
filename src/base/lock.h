/* SPDX-License-Identifier: MIT */
/*
 * base/lock.h - spin locks with ranks
 *
 * A lock may be taken only while every lock already held has a lower rank, so no two threads can
 * ever wait for each other.  Debug builds check that, through a ledger of held locks that the
 * platform keeps for each thread.  The table of ranks with what each lock guards is in
 * ARCHITECTURE.md.
 *
 * Long waits are left to the relax hook, which on a hosted platform yields and then sleeps: the
 * holder may be a thread that is not running.
 */
#ifndef QR_BASE_LOCK_H
#define QR_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct qr_base;

/* Outermost first.  Locks of one rank never nest. */
enum qr_lock_rank {
	QR_RANK_TUNABLES = 1, /* writers of tunables: one recomputation at a time */
	QR_RANK_PCP_BATCH_HIGH, /* sizes of the per-CPU caches; held while they are disabled */
	QR_RANK_PCPU_DRAIN, /* one drain of all CPUs at a time */
	QR_RANK_ZONELISTS, /* one rebuild of the zonelists at a time */
	QR_RANK_SPECULATION, /* one opens or closes speculation at a time */
	QR_RANK_LOCAL_ALL, /* gathering the local locks of all CPUs */
	QR_RANK_PCP, /* one CPU's cache of one zone */
	QR_RANK_ZONE, /* a zone's free lists and pageblock types */
	QR_RANK_WORK, /* the queue of delayed work: may be queued to from anywhere */
	QR_NR_RANKS
};

struct QR_CAPABILITY("spinlock") qr_spinlock {
	_Atomic uint32_t taken;
	uint32_t rank; /* constant */
};

void qr__lock_init(struct qr_spinlock *lock, enum qr_lock_rank rank);

void qr__lock(struct qr_base *base, struct qr_spinlock *lock) QR_ACQUIRES(*lock);
/* The same; true if it had to wait. */
bool qr__lock_contended(struct qr_base *base, struct qr_spinlock *lock) QR_ACQUIRES(*lock);
bool qr__trylock(struct qr_base *base, struct qr_spinlock *lock) QR_TRY_ACQUIRES(true, *lock);
void qr__unlock(struct qr_base *base, struct qr_spinlock *lock) QR_RELEASES(*lock);

/*
 * A lock that is part of another one, which the caller holds and which was checked for both of
 * them: without the check of ranks.
 */
void qr__lock_unranked(struct qr_base *base, struct qr_spinlock *lock);
void qr__unlock_unranked(struct qr_spinlock *lock);

/* One turn of waiting for something that another thread will do; @spins counts the turns. */
void qr__relax(struct qr_base *base, unsigned spins);

/* For locks that interrupt handlers take, too. */
unsigned long qr__irq_save(struct qr_base *base);
void qr__irq_restore(struct qr_base *base, unsigned long state);

/* Is it held (by anybody)?  For assertions. */
static inline bool qr__is_locked(const struct qr_spinlock *lock)
{
	return atomic_load_explicit(&lock->taken, memory_order_relaxed) != 0;
}

#if QR_DEBUG
/* The rank check, for locks of any kind: may it be waited for; it was taken; it was let go. */
void qr__lock_rank_check(struct qr_base *base, const void *lock, unsigned rank);
void qr__lock_note_taken(struct qr_base *base, const void *lock, unsigned rank);
void qr__lock_note_released(struct qr_base *base, const void *lock, unsigned rank);
void qr__sched_point(struct qr_base *base, const char *where);
/* No lock of the core may be held here: upcalls and places that wait. */
void qr__assert_no_locks(struct qr_base *base);
#else
static inline void qr__lock_rank_check(struct qr_base *base, const void *lock, unsigned rank)
{
	(void)base, (void)lock, (void)rank;
}
static inline void qr__lock_note_taken(struct qr_base *base, const void *lock, unsigned rank)
{
	(void)base, (void)lock, (void)rank;
}
static inline void qr__lock_note_released(struct qr_base *base, const void *lock, unsigned rank)
{
	(void)base, (void)lock, (void)rank;
}
static inline void qr__sched_point(struct qr_base *base, const char *where)
{
	(void)base, (void)where;
}
static inline void qr__assert_no_locks(struct qr_base *base)
{
	(void)base;
}
#endif

/* The hot path's trylock and unlock: one exchange and one store. */
QR_INLINE bool qr__trylock_fast(struct qr_base *base, struct qr_spinlock *lock)
	QR_TRY_ACQUIRES(true, *lock) QR_NO_LOCK_ANALYSIS
{
	qr__sched_point(base, "trylock");
	if (atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire))
		return false;
	qr__lock_note_taken(base, lock, lock->rank);
	return true;
}

QR_INLINE void qr__unlock_fast(struct qr_base *base, struct qr_spinlock *lock)
	QR_RELEASES(*lock) QR_NO_LOCK_ANALYSIS
{
	qr__lock_note_released(base, lock, lock->rank);
	atomic_store_explicit(&lock->taken, 0, memory_order_release);
	qr__sched_point(base, "unlock");
}

#endif /* QR_BASE_LOCK_H */
