/* SPDX-License-Identifier: MIT */
/*
 * frames/page.h - the page record: what is known of one frame
 *
 * 32 bytes for each frame, in one virtually contiguous array, so that pfn and record convert by
 * arithmetic.  A record that is all zero says nothing: its frame is a hole, reserved or of a device
 * (the extents know), waits for deferred initialisation, or lies inside a block whose first record
 * speaks for it.  That is what makes memory that is never touched cost nothing: releasing a block
 * of 2^k fresh frames touches one record.
 *
 * Whose record speaks for a frame:
 *
 *	free		the block's head: type BUDDY and the order; all others carry nothing
 *	cached by a CPU	the block's head: type PCP and the order
 *	in use		the block's head: type INUSE, the order it was allocated with, the reference
 *			count.  Tails of a compound page have type TAIL and name their head in
 *			link.next; tails of a plain block carry nothing.
 *
 * Which of a record's fields are valid:
 *
 *	zone_id		once the frame has headed a block, whether free or in use (type != NONE)
 *	link		while on a list, by that list's lock; in tails, see above
 *	order		while type is BUDDY, PCP, GUARD or INUSE
 *
 * Letters: z - the zone's lock; p - the per-CPU cache's lock; o - whoever holds the page;
 * a - atomic, no lock; c - constant once valid.
 */
#ifndef QR_FRAMES_PAGE_H
#define QR_FRAMES_PAGE_H

#include "../base/list.h"
#include <quire/types.h>
#include <stdatomic.h>

/* What a record's frame is, as far as the record itself speaks. */
enum qr_page_type {
	QR_PT_NONE, /* see above: this record does not speak for its frame */
	QR_PT_INUSE, /* allocated: LRU page, kernel page, reserved page... */
	QR_PT_BUDDY, /* head of a free block in the buddy engine */
	QR_PT_PCP, /* head of a free block in a CPU's cache, or on its way there */
	QR_PT_GUARD, /* head of a guard block: free but not to be had */
	QR_PT_TAIL, /* tail of a compound page */
	QR_PT_ISOLATED, /* head of a block taken off the free lists for a while (reporting...) */
	QR_PT_LEAKED, /* misused, out of circulation for good */
	QR_PT_OFFLINE, /* given to a balloon or being hotplugged: in nobody's use */
	QR_PT_UNACCEPTED, /* the hypervisor has not granted it yet */
	QR_PT_TABLE, /* from here on: in use, as something special */
	QR_PT_HUGETLB,
	QR_PT_SLAB,
	QR_PT_ZSMALLOC,
	QR_NR_PAGE_TYPES
};

/* Flags, of the head for all of its block. */
#define QR_PG_LOCKED (1u << 0)
#define QR_PG_REFERENCED (1u << 1)
#define QR_PG_UPTODATE (1u << 2) /* while BUDDY: QR_PG_REPORTED */
#define QR_PG_REPORTED QR_PG_UPTODATE
#define QR_PG_DIRTY (1u << 3)
#define QR_PG_LRU (1u << 4)
#define QR_PG_ACTIVE (1u << 5)
#define QR_PG_WORKINGSET (1u << 6)
#define QR_PG_CHECKED (1u << 7)
#define QR_PG_RESERVED (1u << 8)
#define QR_PG_PRIVATE (1u << 9)
#define QR_PG_PRIVATE_2 (1u << 10)
#define QR_PG_WRITEBACK (1u << 11)
#define QR_PG_COMPOUND (1u << 12) /* head of a compound page */
#define QR_PG_MAPPEDTODISK (1u << 13) /* for anonymous pages: exclusive to one process */
#define QR_PG_RECLAIM (1u << 14) /* also: readahead; for movable_ops pages: isolated */
#define QR_PG_SWAPBACKED (1u << 15)
#define QR_PG_UNEVICTABLE (1u << 16)
#define QR_PG_MLOCKED (1u << 17)
#define QR_PG_HWPOISON (1u << 18)
#define QR_PG_YOUNG (1u << 19)
#define QR_PG_IDLE (1u << 20)
#define QR_PG_SWAPCACHE (1u << 21)
#define QR_PG_PFMEMALLOC (1u << 22) /* allocated without regard to watermarks */
#define QR_PG_CHARGED (1u << 23) /* the charge hook took it */
#define QR_PG_MOVABLE_OPS (1u << 24) /* a driver can move it */
#define QR_PG_ANON (1u << 25) /* mapping is an anonymous one */
#define QR_PG_KSM (1u << 26)
/*
 * Of each frame for itself, while it is free: its bytes were filled when it was freed, with the
 * poison pattern or with zeroes.  Fresh memory was not.
 */
#define QR_PG_FILLED (1u << 27)

/* Must be clear when a page is freed; and all but two are, when it is allocated. */
#define QR_PG_CHECK_AT_FREE \
	(QR_PG_LRU | QR_PG_LOCKED | QR_PG_PRIVATE | QR_PG_PRIVATE_2 | QR_PG_WRITEBACK | \
	 QR_PG_RESERVED | QR_PG_ACTIVE | QR_PG_UNEVICTABLE | QR_PG_MLOCKED)
#define QR_PG_CHECK_AT_PREP (~(QR_PG_HWPOISON | QR_PG_FILLED))

struct qr_page {
	_Atomic uint32_t flags; /* a */
	uint16_t zone_id; /* c: index into qr_frames.zones */
	_Atomic uint8_t type; /* z, p, o: enum qr_page_type; others may look */
	_Atomic uint8_t order; /* z, p, o; others may look */
	_Atomic int32_t refcount; /* a: 0 while free */
	_Atomic int32_t mapcount; /* a: of entries that map the page, beyond 0 */
	struct qr_link link; /* z, p, o: buddy list, cache, LRU; TAIL: .next is the head's index */
	union {
		struct {
			/* o: number of the object that the page belongs to, 0: none */
			uint32_t mapping;
			uint32_t index; /* o: where in that object, in pages */
		};
		_Atomic uint64_t private_word; /* o */
	};
};

_Static_assert(sizeof(struct qr_page) <= 32, "a page record is 32 bytes or less");

QR_INLINE enum qr_page_type qr__page_type(const struct qr_page *page)
{
	return (enum qr_page_type)atomic_load_explicit(&page->type, memory_order_relaxed);
}

QR_INLINE void qr__page_type_set(struct qr_page *page, enum qr_page_type type)
{
	atomic_store_explicit(&page->type, (uint8_t)type, memory_order_relaxed);
}

QR_INLINE unsigned qr__page_order(const struct qr_page *page)
{
	return atomic_load_explicit(&page->order, memory_order_relaxed);
}

QR_INLINE void qr__page_order_set(struct qr_page *page, unsigned order)
{
	atomic_store_explicit(&page->order, (uint8_t)order, memory_order_relaxed);
}

QR_INLINE uint32_t qr__page_flags(const struct qr_page *page)
{
	return atomic_load_explicit(&page->flags, memory_order_relaxed);
}

QR_INLINE bool qr__page_test(const struct qr_page *page, uint32_t flag)
{
	return (qr__page_flags(page) & flag) != 0;
}

QR_INLINE void qr__page_set(struct qr_page *page, uint32_t flag)
{
	atomic_fetch_or_explicit(&page->flags, flag, memory_order_relaxed);
}

QR_INLINE void qr__page_clear(struct qr_page *page, uint32_t flag)
{
	atomic_fetch_and_explicit(&page->flags, ~flag, memory_order_relaxed);
}

/* For whoever owns the page alone. */
QR_INLINE void qr__page_flags_set(struct qr_page *page, uint32_t flags)
{
	atomic_store_explicit(&page->flags, flags, memory_order_relaxed);
}

QR_INLINE int32_t qr__page_refcount(const struct qr_page *page)
{
	return atomic_load_explicit(&page->refcount, memory_order_relaxed);
}

#endif /* QR_FRAMES_PAGE_H */
