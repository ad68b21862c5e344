/* SPDX-License-Identifier: MIT */
/*
 * frames/page.h - the page record: what is known of one frame
 *
 * A frame's record has two parts, each in a virtually contiguous array of its own, so that pfn,
 * record and state convert by arithmetic: 32 bytes in all.
 *
 *	struct qr_page_state	8 bytes, hot: zone, type, order, references
 *	struct qr_page		24 bytes, cold: flags, mapcount, link, mapping and index
 *
 * A record that is all zero says nothing: its frame is a hole, reserved or of a device (the extents
 * know), waits for deferred initialisation, or lies inside a block whose first record speaks for
 * it.  That is what makes memory that is never touched cost nothing: releasing a block of 2^k fresh
 * frames touches one record.
 *
 * Hot and cold
 * ------------
 * Pages come back in any order, so the record of a page that is freed is in no cache of the CPU,
 * and each cache line of it costs a round trip to memory.  What every allocation and free has to
 * see is therefore one word, and eight words share a cache line.  The rest is looked at only if
 * there is a reason to: the state's bit NOTED says that the cold part may have something to say.
 * Whoever writes flags, a mapcount or a mapping sets it first; it is cleared by whoever owns the
 * page alone and finds the cold part all clean (F11).  So the state of most pages in use is known
 * beforehand to the last bit but for the zone, and one comparison tells that a free is plain.
 *
 * NOTED lies in the halfword of the zone, which is written once in a frame's life or together with
 * the whole word, and not with the type or the order: a change of these cannot lose it.
 *
 * Where marks are kept (frames.h) they stand for the states of what is free or cached, which may be
 * out of date.
 *
 * The handle that users hold is the pointer to the cold part.
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
 *
 * References are counted by operations on the whole word only, since they order what came before
 * and after, and these orders must meet.
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

/*
 * The hot part.  The same value as one word, whatever the order of bytes: zone and NOTED lowest,
 * references highest, so that no count of these runs over into the others.
 */
struct qr_page_state {
	union {
		_Atomic uint64_t word;
		struct {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			_Atomic int32_t refcount;
			_Atomic uint8_t order;
			_Atomic uint8_t type;
			_Atomic uint16_t zone_id;
#else
			_Atomic uint16_t zone_id; /* c: index into qr_frames.zones; a: NOTED */
			_Atomic uint8_t type; /* z, p, o: enum qr_page_type; others may look */
			_Atomic uint8_t order; /* z, p, o; others may look */
			_Atomic int32_t refcount; /* a: 0 while free */
#endif
		};
	};
};

#define QR_STATE_NOTED UINT64_C(0x8000) /* the cold part may have something to say */
#define QR_STATE_ZONE_MASK UINT64_C(0x7fff)
#define QR_STATE_TYPE_MASK UINT64_C(0x00ff0000)
#define QR_STATE_ORDER_MASK UINT64_C(0xff000000)
#define QR_STATE_REFS_MASK UINT64_C(0xffffffff00000000)

/* A field's value in its place in the word. */
#define QR_STATE_TYPE(type) ((uint64_t)(type) << 16)
#define QR_STATE_ORDER(order) ((uint64_t)(order) << 24)
#define QR_STATE_REFS(nr) ((uint64_t)(nr) << 32)

/* The cold part. */
struct qr_page {
	_Atomic uint32_t flags; /* a */
	_Atomic int32_t mapcount; /* a: of entries that map the page, beyond 0 */
	struct qr_link link; /* z, p, o: buddy list, cache, LRU; TAIL: .next is the head's index */
	union {
		struct {
			/* o: number of the object that the page belongs to, 0: none */
			_Atomic uint32_t mapping;
			_Atomic uint32_t index; /* o: where in that object, in pages */
		};
		_Atomic uint64_t private_word; /* o */
	};
};

_Static_assert(sizeof(struct qr_page_state) == 8, "a state is one word");
_Static_assert(sizeof(struct qr_page) + sizeof(struct qr_page_state) <= 32,
	       "what is known of a frame is 32 bytes or less");

/* The state -------------------------------------------------------------------------------- */

QR_INLINE uint64_t qr__state_word(const struct qr_page_state *state)
{
	return atomic_load_explicit(&state->word, memory_order_relaxed);
}

/*
 * The fields of a word that was read.  Where the word comes from qr__frame_word() (frames.h), they
 * are what is known of the frame; a state by itself may be out of date.
 */
QR_INLINE enum qr_page_type qr__word_type(uint64_t word)
{
	return (enum qr_page_type)(word >> 16 & 0xff);
}

QR_INLINE unsigned qr__word_order(uint64_t word)
{
	return word >> 24 & 0xff;
}

QR_INLINE unsigned qr__word_zone_id(uint64_t word)
{
	return word & QR_STATE_ZONE_MASK;
}

QR_INLINE int32_t qr__word_refcount(uint64_t word)
{
	return (int32_t)(uint32_t)(word >> 32);
}

/* May the cold part have something to say? */
QR_INLINE bool qr__word_noted(uint64_t word)
{
	return (word & QR_STATE_NOTED) != 0;
}

/* The fields of a state that is known to speak for its frame. */
QR_INLINE enum qr_page_type qr__state_type(const struct qr_page_state *state)
{
	return (enum qr_page_type)atomic_load_explicit(&state->type, memory_order_relaxed);
}

/* For whoever owns the page alone; NOTED stays. */
QR_INLINE void qr__state_type_set(struct qr_page_state *state, enum qr_page_type type)
{
	atomic_store_explicit(&state->type, (uint8_t)type, memory_order_relaxed);
}

QR_INLINE unsigned qr__state_order(const struct qr_page_state *state)
{
	return atomic_load_explicit(&state->order, memory_order_relaxed);
}

QR_INLINE void qr__state_order_set(struct qr_page_state *state, unsigned order)
{
	atomic_store_explicit(&state->order, (uint8_t)order, memory_order_relaxed);
}

QR_INLINE unsigned qr__state_zone_id(const struct qr_page_state *state)
{
	return atomic_load_explicit(&state->zone_id, memory_order_relaxed) & QR_STATE_ZONE_MASK;
}

QR_INLINE int32_t qr__state_refcount(const struct qr_page_state *state)
{
	return atomic_load_explicit(&state->refcount, memory_order_relaxed);
}

QR_INLINE bool qr__state_noted(const struct qr_page_state *state)
{
	return (qr__state_word(state) & QR_STATE_NOTED) != 0;
}

/* Before the cold part gets something to say.  Others may hold references: theirs is not lost. */
QR_INLINE void qr__state_note(struct qr_page_state *state)
{
	if (!qr__state_noted(state))
		atomic_fetch_or_explicit(&state->zone_id, (uint16_t)QR_STATE_NOTED,
					 memory_order_relaxed);
}

/* Some of the word's fields, the others stay.  For whoever owns the page alone. */
QR_INLINE void qr__state_update(struct qr_page_state *state, uint64_t kept, uint64_t fields)
{
	atomic_store_explicit(&state->word, (qr__state_word(state) & kept) | fields,
			      memory_order_relaxed);
}

/* The frame heads a block of this zone, type and order now; references and NOTED are as before. */
QR_INLINE void qr__state_head_set(struct qr_page_state *state, unsigned zone_id,
				  enum qr_page_type type, unsigned order)
{
	qr__state_update(state, QR_STATE_NOTED | QR_STATE_REFS_MASK,
			 zone_id | QR_STATE_TYPE(type) | QR_STATE_ORDER(order));
}

/* The same for a frame that headed a block before: its zone stays. */
QR_INLINE void qr__state_block_set(struct qr_page_state *state, enum qr_page_type type,
				   unsigned order)
{
	qr__state_update(state, QR_STATE_ZONE_MASK | QR_STATE_NOTED | QR_STATE_REFS_MASK,
			 QR_STATE_TYPE(type) | QR_STATE_ORDER(order));
}

/* Does the word say: a block in use of this order, one reference, nothing noted? */
QR_INLINE bool qr__word_is_plain(uint64_t word, unsigned order)
{
	return (word & ~QR_STATE_ZONE_MASK) ==
	       (QR_STATE_TYPE(QR_PT_INUSE) | QR_STATE_ORDER(order) | QR_STATE_REFS(1));
}

/* What the word says while a block, clean, waits in a CPU's cache. */
QR_INLINE uint64_t qr__state_cached(uint64_t zone_id, unsigned order)
{
	return zone_id | QR_STATE_TYPE(QR_PT_PCP) | QR_STATE_ORDER(order);
}

/* Does the word say that a block of this order waits in a cache?  It may be spoilt otherwise. */
QR_INLINE bool qr__word_is_cached(uint64_t word, unsigned order)
{
	return (word & (QR_STATE_TYPE_MASK | QR_STATE_ORDER_MASK)) ==
	       (QR_STATE_TYPE(QR_PT_PCP) | QR_STATE_ORDER(order));
}

/* Last of all: whoever gets a reference finds what was written before. */
QR_INLINE void qr__state_refs_set(struct qr_page_state *state, int32_t nr)
{
	uint64_t others = qr__state_word(state) & ~QR_STATE_REFS_MASK;

	atomic_store_explicit(&state->word, others | QR_STATE_REFS((uint32_t)nr),
			      memory_order_release);
}

/* The head of a free block becomes that of a block in use, all at once: one reference. */
QR_INLINE void qr__state_open(struct qr_page_state *state)
{
	uint64_t kept = QR_STATE_ZONE_MASK | QR_STATE_NOTED | QR_STATE_ORDER_MASK;

	atomic_store_explicit(&state->word,
			      (qr__state_word(state) & kept) | QR_STATE_TYPE(QR_PT_INUSE) |
				      QR_STATE_REFS(1),
			      memory_order_release);
}

/* One more, or several; for whoever has one already. */
QR_INLINE void qr__state_refs_add(struct qr_page_state *state, int32_t nr)
{
	atomic_fetch_add_explicit(&state->word, QR_STATE_REFS(nr), memory_order_relaxed);
}

/* Drop references; returns how many there were. */
QR_INLINE int32_t qr__state_refs_drop(struct qr_page_state *state, int32_t nr)
{
	return qr__word_refcount(
		atomic_fetch_sub_explicit(&state->word, QR_STATE_REFS(nr), memory_order_acq_rel));
}

/*
 * Exchange *from for @to, if the word is still what *from says; false: it changed, and *from is
 * what it is now.  The door through which references are dropped or taken on condition.
 */
QR_INLINE bool qr__state_exchange(struct qr_page_state *state, uint64_t *from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(&state->word, from, to, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* The cold part's flags; for setting them, which is noted in the state, see frames.h ------- */

QR_INLINE uint32_t qr__page_flags(const struct qr_page *page)
{
	return atomic_load_explicit(&page->flags, memory_order_relaxed);
}

QR_INLINE bool qr__page_test(const struct qr_page *page, uint32_t flag)
{
	return (qr__page_flags(page) & flag) != 0;
}

QR_INLINE void qr__page_clear(struct qr_page *page, uint32_t flag)
{
	atomic_fetch_and_explicit(&page->flags, ~flag, memory_order_relaxed);
}

QR_INLINE int32_t qr__page_mapcount(const struct qr_page *page)
{
	return atomic_load_explicit(&page->mapcount, memory_order_relaxed);
}

QR_INLINE uint32_t qr__page_mapping(const struct qr_page *page)
{
	return atomic_load_explicit(&page->mapping, memory_order_relaxed);
}

/* Where in its object the page is. */
QR_INLINE uint32_t qr__page_place(const struct qr_page *page)
{
	return atomic_load_explicit(&page->index, memory_order_relaxed);
}

QR_INLINE uint64_t qr__page_private(const struct qr_page *page)
{
	return atomic_load_explicit(&page->private_word, memory_order_relaxed);
}

/* Has the cold part nothing to say?  The link is not asked: it says nothing by itself. */
QR_INLINE bool qr__page_is_clean(const struct qr_page *page)
{
	return !(qr__page_flags(page) | (uint32_t)qr__page_mapcount(page) | qr__page_private(page));
}

#endif /* QR_FRAMES_PAGE_H */
