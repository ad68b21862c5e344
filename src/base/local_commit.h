/* SPDX-License-Identifier: MIT */
/*
 * base/local_commit.h - a few loads and stores as one step on a CPU, without taking its lock
 *
 * What a CPU has beside its lock (local_lock.h) is usually changed by that CPU, with the lock held.
 * Where the platform has the hook local_commit, the smallest changes need no lock: whoever wants to
 * make one reads what he needs, computes what is to be stored, and commits it on the condition that
 * he is still on that CPU, that the lock is free, and that a count is still what he read: one that
 * changes with everything he looked at.
 *
 * Why that is as good as holding the lock is argued in local_lock.c: a commit is a sequence as the
 * taking of the lock is, with another last store, that of the count in the place of that of the
 * word.  Whoever comes from afar claims the lock and lets all CPUs take notice, and from then on
 * every commit finds it taken.
 *
 * A hook costs a call and its arguments, about as much as the step itself.  So a platform can bring
 * inline functions when the core is built: QR_LOCAL_HEADER is the name of a header that has them,
 * port/linux/local_inline.h an example.  They are used where platform.local_area is not 0.
 */
#ifndef QR_BASE_LOCAL_COMMIT_H
#define QR_BASE_LOCAL_COMMIT_H

#include "base.h"

#ifdef QR_LOCAL_HEADER
#include QR_LOCAL_HEADER
#endif

#ifndef QR_LOCAL_HAVE_INLINE
#define QR_LOCAL_HAVE_INLINE 0

/* Never called; what calls them folds away. */
QR_INLINE uint32_t qr_local_inline_cpu(uintptr_t area)
{
	return (uint32_t)area;
}

QR_INLINE bool qr_local_inline_count(uintptr_t area, struct qr_local_commit commit)
{
	(void)area, (void)commit;
	return false;
}

QR_INLINE enum qr_local_result qr_local_inline_commit(uintptr_t area, struct qr_local_commit commit)
{
	(void)area, (void)commit;
	return QR_LOCAL_NOT;
}
#endif

#endif /* QR_BASE_LOCAL_COMMIT_H */
