/* SPDX-License-Identifier: MIT */
/*
 * alloc/speculation.h - references to pages that somebody else may be freeing
 *
 * Whoever walks over memory he does not own (a scanner, a migration, who looks for idle pages)
 * takes references to what he finds, "unless it is free".  That is a speculation, and it is
 * announced:
 *
 *	qr__speculation_begin(alloc);
 *	... exchange the word of a state for one with a reference more, if it has any ...
 *	qr__speculation_end(alloc);
 *
 * A reference that was got so is one like any other, and may be kept beyond the end.  While nobody
 * speculates, whoever has the only reference to a page has its state for himself, and drops it
 * without a locked instruction.  So whatever else is written to the state of a page by somebody who
 * has no reference to it, must be announced as well.  Who only wants nobody to drop so for a while,
 * stops plain drops and resumes them.  The theory is in speculation.c.
 */
#ifndef QR_ALLOC_SPECULATION_H
#define QR_ALLOC_SPECULATION_H

#include "allocator.h"

/*
 * Be sure that nobody drops an only reference by plain stores, until the end.  May wait for those
 * who are at it, the first time in a while; no lock of rank SPECULATION or above may be held, and
 * no interrupt handler may do this.  Nests.
 */
void qr__speculation_begin(struct qr_allocator *alloc);
void qr__speculation_end(struct qr_allocator *alloc);

/*
 * The same for whoever does not speculate.  In the end drops are plain again at once, unless others
 * have speculated lately.
 */
void qr__plain_drops_stop(struct qr_allocator *alloc);
void qr__plain_drops_resume(struct qr_allocator *alloc);

/* Now and then: has nobody speculated for a while?  Then drops may be plain again. */
void qr__speculation_decay(struct qr_allocator *alloc);

/*
 * Beside the flags of its zone, what a cache's lock says while drops are exchanges: a step that
 * drops is not to be gone.
 */
#define QR_STEPS_DROP_NOT (UINT32_C(1) << 31)

/*
 * By whoever has the only reference to a page and holds the lock of his CPU's cache: exchange the
 * word of its state for another; false: it is not @from any more, and nothing was written.  Not for
 * pages that go to a list: of two frees at once both may succeed, see speculation.c.
 */
QR_INLINE bool qr__only_holder_exchange(struct qr_allocator *alloc, struct qr_page_state *state,
					uint64_t from, uint64_t to)
{
	if (qr__unlikely(atomic_load_explicit(&alloc->speculation_mode, memory_order_acquire) !=
			 QR_SPECULATION_CLOSED))
		return qr__state_exchange(state, &from, to);
	qr__sched_point(qr__alloc_base(alloc), "nobody speculates");
	if (qr__unlikely(atomic_load_explicit(&state->word, memory_order_acquire) != from))
		return false;
	qr__sched_point(qr__alloc_base(alloc), "only holder");
	atomic_store_explicit(&state->word, to, memory_order_release);
	return true;
}

#endif /* QR_ALLOC_SPECULATION_H */
