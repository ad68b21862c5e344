/* SPDX-License-Identifier: MIT */
/*
 * alloc/step.h - the shortest way: a block out of or into this CPU's magazine by one step
 *
 * Theory of operation
 * -------------------
 * What fast.h does with the cache locked is done here without its lock, where the platform can make
 * a few loads and stores one step on a CPU, and by the block's mark alone, as far as its state
 * goes, until it is in use again (frames.h).  Every reason to turn back leaves all as it was: an
 * empty magazine and a full one are for who has the lock.
 *
 * What a step has to know of its block is the same for all of one zone, type and order: a *route*,
 * whose number is the mark of the blocks that go that way.  There are fewer than 256 marks, so only
 * the first zones with memory have routes; others go the longer way.  Of a route each CPU has a
 * ring (magazine.h), which has all that a step on that CPU reads in one cache line.
 *
 * Whether steps are open at all is one word, alloc->steps: nothing about the instance is unusual
 * (QR_DETOUR_...), and no tasks are told apart.
 *
 * As one
 * ------
 * A step holds if the cache's lock is free, nothing beside it speaks against a step (a flag of the
 * zone, see frames/flags.c; or that drops are not plain, see speculation.c), and nobody else ran on
 * the CPU meanwhile.  Why that is as good as holding the lock is argued in base/local_lock.c: a
 * step is a sequence as the taking of the lock is, with another last store, that of a count in the
 * place of that of the word.  Whoever comes from afar claims the lock and lets all CPUs take
 * notice, and from then on every step finds it taken.  There are two ways to make one:
 *
 *	by hook		What is needed is read first and without protection, and the platform's
 *			local_commit is asked to store the rest on the condition that nothing has
 *			changed: a magazine's counts only grow, and change with all that is in it.
 *	inline		A platform can bring functions in which all of a step is within the
 *			sequence, from the question which CPU this is to the last store, so nothing
 *			is asked twice: QR_STEP_HEADER is the name of a header that has them, when
 *			the core is built, port/linux/step_inline.h an example.  They are used where
 *			platform.local_area is not 0.
 *
 * Straight back
 * -------------
 * A freed block is handed out again only after the engine has seen it, so that the engine can
 * choose (magazine.h).  But if it lies in the pageblock from which the last block of its kind was
 * handed out, there is nothing to choose: that pageblock is the one being used up.  Such a block
 * goes back to the end of the ring it came from.  So what is freed soon after it was allocated does
 * not pass the engine at all, and what comes from elsewhere, being freed at random, still does.
 * Which block was handed out last is noted beside the ring, by whoever took it; it is a hint.
 *
 * Foretold
 * --------
 * A free learns from the mark of its block which ring is meant.  If that mark is in no near cache,
 * all that follows would wait for it.  So an inline step takes the ring that a block of this order
 * left last on this CPU, goes on with that, and only compares the marks: processors foretell how a
 * comparison ends.  If they differ it asks the routes.
 *
 * In doubt
 * --------
 * A free that somebody interrupts before its last store is in doubt.  If the mark has become what
 * the free writes, the block is ours still and in no magazine: it is put there with the lock held.
 */
#ifndef QR_ALLOC_STEP_H
#define QR_ALLOC_STEP_H

#include "fast.h"

/* Values of alloc->steps; any other: the area of the inline functions. */
#define QR_STEPS_NONE ((uintptr_t)0)
#define QR_STEPS_BY_HOOK ((uintptr_t)1)

#define QR_NR_ROUTES 256u
#define QR_NR_WAYS 32u /* masks of an allocation that differ in zone or type */

struct qr_step_route {
	struct qr_zone *zone;
	struct qr_magazine_ring *ring; /* CPU 0's; the others' are as far apart as caches */
	uint64_t open; /* what the state says of a block in use, if it is plain */
	uint8_t order; /* QR_NR_PAGE_ORDERS: this is no route */
};

/* What each CPU has for its steps, by order. */
struct qr_step_cpu {
	/* about: the ring that a block left last by an inline step; there always is one */
	struct qr_magazine_ring *recent[QR_MAGAZINE_ORDERS];
	/* l: by the low bits of gfp: the ring that serves first; NULL: go the longer way */
	struct qr_magazine_ring *_Atomic ways[QR_MAGAZINE_ORDERS][QR_NR_WAYS];
};

#define QR_STEP_CPU_SHIFT 12 /* a shift instead of a multiplication, for each step waits for it */
#define QR_STEP_CPU_SIZE (1u << QR_STEP_CPU_SHIFT)

_Static_assert(sizeof(struct qr_step_cpu) <= QR_STEP_CPU_SIZE, "each begins so far from the last");

/* How steps are gone now. */
QR_INLINE uintptr_t qr__steps(const struct qr_allocator *alloc)
{
	return atomic_load_explicit(&alloc->steps, memory_order_acquire);
}

QR_INLINE struct qr_step_cpu *qr__step_cpu(const struct qr_allocator *alloc, unsigned cpu)
{
	return (struct qr_step_cpu *)(void *)(alloc->step_cpus +
					      ((size_t)cpu << QR_STEP_CPU_SHIFT));
}

/* The place in all ways of a CPU. */
QR_INLINE uint64_t qr__step_way(qr_gfp_t gfp, unsigned order)
{
	return order * QR_NR_WAYS + (gfp & (QR_NR_WAYS - 1));
}

/* Blocks whose numbers differ in these bits do not lie in one pageblock; 0: it does not matter. */
QR_INLINE uint32_t qr__step_apart(unsigned order)
{
	/* whole pageblocks are all alike, wherever they lie */
	return order == QR_PAGEBLOCK_ORDER ? 0 : ~(uint32_t)(QR_PAGEBLOCK_NR_PAGES - 1);
}

/* Inline steps ------------------------------------------------------------------------------ */

#ifdef QR_STEP_HEADER
#include QR_STEP_HEADER
#endif

#ifndef QR_STEPS_HAVE_INLINE
#define QR_STEPS_HAVE_INLINE 0

/*
 * A block that waits on this CPU, by one of its ways; *from: the ring that it left.  false: none
 * waits, or there is no step to be had.
 */
QR_INLINE bool qr_step_inline_take(uintptr_t area, struct qr_allocator *alloc, uint64_t way,
				   unsigned order, struct qr_magazine_ring **from, uint64_t *i)
{
	(void)area, (void)alloc, (void)way, (void)order, (void)from, (void)i;
	return false;
}

/* Block i, whose mark this is, comes back by its route. */
QR_INLINE enum qr_local_result qr_step_inline_give(uintptr_t area, struct qr_allocator *alloc,
						   _Atomic uint8_t *mark, uint64_t i,
						   unsigned order)
{
	(void)area, (void)alloc, (void)mark, (void)i, (void)order;
	return QR_LOCAL_NOT;
}
#endif

QR_INLINE bool qr__steps_are_inline(uintptr_t steps)
{
	return QR_STEPS_HAVE_INLINE && qr__likely(steps > QR_STEPS_BY_HOOK);
}

/* Out -------------------------------------------------------------------------------------- */

/* For such a request, block i that waits on this CPU, and its ring; false: go the longer way. */
QR_INLINE bool qr__step_take(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
			     struct qr_magazine_ring **from, uint64_t *i)
{
	uintptr_t steps = qr__steps(alloc);

	*from = NULL; /* gcc -Og does not see that a step taken sets them */
	*i = 0;
	return qr__steps_are_inline(steps) && qr__likely(qr__fast_request_usual(gfp, order)) &&
	       qr__likely(
		       qr_step_inline_take(steps, alloc, qr__step_way(gfp, order), order, from, i));
}

/* What left a ring becomes the caller's; false: its mark is not what it usually is. */
QR_INLINE bool qr__step_open(struct qr_allocator *alloc, const struct qr_magazine_ring *from,
			     uint64_t i, unsigned order)
{
	struct qr_frames *frames = &alloc->frames;
	_Atomic uint8_t *mark = qr__mark_of(frames, i, order);

	if (qr__unlikely(qr__mark(mark) != QR_MARK_CACHED))
		return false;
	atomic_store_explicit(&frames->states[i].word, from->open, memory_order_release);
	qr__sched_point(&frames->base, "opening");
	qr__mark_set(mark, from->mark);
	return true;
}

/* step.c: then by its state; false: it is nothing for the caller, which is reported. */
bool qr__step_open_by_state(struct qr_allocator *alloc, const struct qr_magazine_ring *from,
			    uint64_t i);

/* In --------------------------------------------------------------------------------------- */

/* Could a block of this order begin at i?  A page within one would find the block's mark. */
QR_INLINE bool qr__step_may_free(uint64_t i, unsigned order)
{
	return order < QR_MAGAZINE_ORDERS && !(i & (qr__order_pages(order) - 1));
}

/* This page is soon to be freed: what its free will read is fetched. */
QR_INLINE void qr__step_fetch(const struct qr_allocator *alloc, const struct qr_page *page)
{
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);

	if (qr__has_marks(&alloc->frames) && i < alloc->frames.nr_frames)
		__builtin_prefetch(qr__mark_of(&alloc->frames, i, 0), 1);
}

/* Drop the last reference to block i, which is one of the instance's. */
QR_INLINE enum qr_local_result qr__step_free(struct qr_allocator *alloc, uint64_t i, unsigned order)
{
	uintptr_t steps = qr__steps(alloc);

	if (qr__unlikely(!qr__steps_are_inline(steps) || !qr__step_may_free(i, order)))
		return QR_LOCAL_NOT;
	return qr_step_inline_give(steps, alloc, qr__mark_of(&alloc->frames, i, order), i, order);
}

/* step.c: the same by the platform's hooks, if it has any. */
struct qr_page *qr__step_hook_alloc(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order);
enum qr_local_result qr__step_hook_free(struct qr_allocator *alloc, struct qr_page *page,
					unsigned order);

struct qr_layout;

/* Reserve the rooms of marks, routes and CPUs, if there are to be steps; and fill them in. */
void qr__step_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null, char *memory);
void qr__step_init(struct qr_allocator *alloc);
/* Zonelists have changed: which zone serves first may be another. */
void qr__step_ways_set(struct qr_allocator *alloc);

#endif /* QR_ALLOC_STEP_H */
