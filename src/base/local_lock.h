/* SPDX-License-Identifier: MIT */
/*
 * base/local_lock.h - locks that nearly always are taken by the CPU they belong to
 *
 * One for each CPU, in an array of structs that hold it.  A CPU takes its own by
 * qr__local_trylock(), which never waits and, where the platform has the hooks for it, needs no
 * locked instruction.  Whoever wants the lock of a certain CPU, or of all, pays for that:
 * qr__local_lock() waits, and makes all CPUs take notice.  The theory is in local_lock.c.
 *
 * There may be ways for a CPU to do without its lock, as long as it is free (alloc/step.h).  Why
 * these should not be gone just now stands beside the lock, so that one look tells.
 */
#ifndef QR_BASE_LOCAL_LOCK_H
#define QR_BASE_LOCAL_LOCK_H

#include "base.h"

#define QR_LOCAL_FREE 0u
#define QR_LOCAL_OWN 1u /* taken by its CPU; larger numbers: claimed from afar */

struct QR_CAPABILITY("local lock") qr_local_lock {
	_Atomic uint32_t taken;
	_Atomic uint32_t closed; /* reasons for its CPU not to go without the lock; 0: none */
	uint32_t rank; /* constant */
};

_Static_assert(offsetof(struct qr_local_lock, closed) == 4, "taken and closed are one word");

void qr__local_lock_init(struct qr_local_lock *lock, enum qr_lock_rank rank);

/* Any CPU's, however long it takes; rank checked. */
void qr__local_lock(struct qr_base *base, struct qr_local_lock *lock) QR_ACQUIRES(*lock);

/* Those of @nr CPUs, the first at @first, each @stride bytes after the one before. */
void qr__local_lock_all(struct qr_base *base, struct qr_local_lock *first, size_t stride,
			unsigned nr);
void qr__local_unlock_all(struct qr_base *base, struct qr_local_lock *first, size_t stride,
			  unsigned nr);

/* Of all these locks: some reasons are given, and others are taken back. */
void qr__local_close_all(struct qr_local_lock *first, size_t stride, unsigned nr, uint32_t given,
			 uint32_t taken_back);

/* Why its CPU should not go without it; 0: for no reason. */
QR_INLINE uint32_t qr__local_closed(const struct qr_local_lock *lock)
{
	return atomic_load_explicit(&lock->closed, memory_order_acquire);
}

static inline bool qr__local_is_locked(const struct qr_local_lock *lock)
{
	return atomic_load_explicit(&lock->taken, memory_order_relaxed) != QR_LOCAL_FREE;
}

/* The same where the platform has no local_trylock: stays on the CPU, and masks it on UP. */
struct qr_local_lock *qr__local_trylock_pinned(struct qr_base *base, struct qr_local_lock *first,
					       size_t stride);
void qr__local_unlock_pinned(struct qr_base *base, struct qr_local_lock *lock);

/*
 * The lock of the CPU we are on, out of an array as above; NULL: it is taken.  A thread may move to
 * another CPU while it holds the lock, and lets go of the one it took.
 */
QR_INLINE struct qr_local_lock *qr__local_trylock(struct qr_base *base, struct qr_local_lock *first,
						  size_t stride)
{
	const struct qr_platform *p = &base->platform;
	struct qr_local_lock *lock;

	if (qr__unlikely(!p->local_trylock))
		return qr__local_trylock_pinned(base, first, stride);
	qr__sched_point(base, "local trylock");
	lock = (struct qr_local_lock *)(void *)p->local_trylock(
		p->ctx, (uint32_t *)(void *)&first->taken, stride);
	if (qr__likely(lock))
		qr__lock_note_taken(base, lock, lock->rank);
	return lock;
}

/* Of what qr__local_trylock() took. */
QR_INLINE void qr__local_unlock(struct qr_base *base,
				struct qr_local_lock *lock) QR_NO_LOCK_ANALYSIS
{
	if (qr__unlikely(!base->platform.local_trylock)) {
		qr__local_unlock_pinned(base, lock);
		return;
	}
	qr__lock_note_released(base, lock, lock->rank);
	atomic_store_explicit(&lock->taken, QR_LOCAL_FREE, memory_order_release);
	qr__sched_point(base, "local unlock");
}

/* Of what qr__local_lock() took. */
void qr__local_unlock_remote(struct qr_base *base, struct qr_local_lock *lock) QR_RELEASES(*lock);

#endif /* QR_BASE_LOCAL_LOCK_H */
