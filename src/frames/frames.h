/* SPDX-License-Identifier: MIT */
/*
 * frames/frames.h - what memory exists: records, pageblocks, sections, nodes
 *
 * The map of memory has three resolutions:
 *
 *	extent		a run of frames of one kind, node and zone; sorted; says what a pfn is
 *	section		2^section_order frames: present and online, or not
 *	pageblock	2^QR_PAGEBLOCK_ORDER frames that share a migratetype
 *
 * Everything is found by arithmetic from base_pfn, the first pfn of the first section.  An index is
 * a pfn less base_pfn; it fits 32 bits, so one instance spans at most 2^32 - 2 frames (16 TiB of
 * 4 KiB pages).
 *
 * Letters as in zone.h; s - changed under QR_RANK_ZONELISTS (hotplug), read by anyone.
 */
#ifndef QR_FRAMES_FRAMES_H
#define QR_FRAMES_FRAMES_H

#include "../base/assert.h"
#include "../base/bitmap.h"
#include "zone.h"

/*
 * A pageblock's record.  The migratetype is kept so that a zeroed record says MOVABLE, the type of
 * fresh memory.  Isolation is a bit of its own: the former type stays beneath it.
 */
struct qr_pageblock {
	_Atomic uint32_t bits; /* z: QR_PB_...; read by anyone */
	uint32_t engine; /* z: the buddy engine's own */
};

#define QR_PB_TYPE_MASK 0x7u /* migratetype XOR MOVABLE, isolation apart */
#define QR_PB_ISOLATE 0x8u
#define QR_PB_SKIP 0x10u /* compaction found nothing here lately */

struct qr_extent {
	qr_pfn_t start_pfn, end_pfn;
	int nid;
	enum qr_zone_type zone;
	enum qr_range_kind kind;
};

#define QR_MARK_ORDERS (QR_PAGEBLOCK_ORDER + 1) /* of blocks that caches hold */

struct qr_frames {
	struct qr_base base;

	struct qr_page *pages; /* c: record of base_pfn + i at [i] */
	struct qr_page_state *states; /* c: its hot part at [i] */
	/* o: what is known without states, by order, see below; NULL: none kept */
	_Atomic uint8_t *marks[QR_MARK_ORDERS];
	struct qr_pageblock *pageblocks; /* c */
	_Atomic uint64_t *section_online; /* s: bitmap */
	qr_pfn_t base_pfn, end_pfn; /* c: section-aligned span of the whole instance */
	uint64_t nr_frames; /* c: of that span */
	unsigned section_order; /* c */
	struct qr_extent *extents; /* c */
	unsigned nr_extents; /* c */

	struct qr_node *nodes; /* c: nr_nodes of them, each with all its zones */
	struct qr_zone *zone_of_id[QR_MAX_NODES * QR_NR_ZONES]; /* c: saves frees two divisions */
	unsigned nr_nodes; /* c */
	uint8_t *distance; /* c: nr_nodes squared */
	int *cpu_node; /* c */
	_Atomic uint64_t node_states[QR_NR_NODE_STATES]; /* s: nodemasks */

	struct qr_spinlock zonelists_lock; /* rank ZONELISTS */
	_Atomic uint64_t zonelist_seq; /* odd: being rebuilt */
	enum qr_zone_type movable_zone; /* c: the zone that zone Movable was carved from */
	bool have_zone[QR_NR_ZONES]; /* c: this zone type exists on the machine at all */

	_Atomic bool mobility_disabled; /* too little memory to group by mobility */
	bool shuffle; /* c */
	unsigned guard_minorder; /* c */
};

static inline struct qr_frames *qr__frames(struct quire *q)
{
	return (struct qr_frames *)(void *)q;
}

/* Pfns, indices and records ---------------------------------------------------------------- */

QR_INLINE uint32_t qr__page_index(const struct qr_frames *frames, const struct qr_page *page)
{
	return (uint32_t)(page - frames->pages);
}

QR_INLINE qr_pfn_t qr__page_pfn(const struct qr_frames *frames, const struct qr_page *page)
{
	return frames->base_pfn + (qr_pfn_t)(page - frames->pages);
}

/* The hot part of a record: for changes, and for who knows that it is not out of date. */
QR_INLINE struct qr_page_state *qr__page_state(const struct qr_frames *frames,
					       const struct qr_page *page)
{
	return &frames->states[page - frames->pages];
}

QR_INLINE struct qr_page_state *qr__pfn_state(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return &frames->states[pfn - frames->base_pfn];
}

/* The record of a pfn that is known to be inside the instance's span. */
QR_INLINE struct qr_page *qr__pfn_page(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return &frames->pages[pfn - frames->base_pfn];
}

QR_INLINE bool qr__pfn_in_span(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return pfn - frames->base_pfn < frames->end_pfn - frames->base_pfn;
}

/* Is there a page at pfn whose section is online?  (It may still be a hole inside the section.) */
bool qr__pfn_online(const struct qr_frames *frames, qr_pfn_t pfn);

/* The extent that holds pfn; NULL: a hole. */
const struct qr_extent *qr__extent_of(const struct qr_frames *frames, qr_pfn_t pfn);

/* The zone of any pfn, by its extent; NULL: a hole.  Slow: for heads see qr__page_zone(). */
struct qr_zone *qr__pfn_zone(const struct qr_frames *frames, qr_pfn_t pfn);

QR_INLINE struct qr_zone *qr__zone_by_id(const struct qr_frames *frames, unsigned id)
{
	return frames->zone_of_id[id];
}

/* The zone of a page whose record speaks (type is not NONE). */
QR_INLINE struct qr_zone *qr__state_zone(const struct qr_frames *frames,
					 const struct qr_page_state *state)
{
	return qr__zone_by_id(frames, qr__state_zone_id(state));
}

QR_INLINE struct qr_zone *qr__page_zone(const struct qr_frames *frames, const struct qr_page *page)
{
	return qr__state_zone(frames, qr__page_state(frames, page));
}

/* The links of page records, for base/list.h. */
QR_INLINE struct qr_links qr__page_links(const struct qr_frames *frames)
{
	return (struct qr_links){.base = &frames->pages[0].link, .stride = sizeof(struct qr_page)};
}

/*
 * The index of a record by a pointer from outside; that of no record if it points elsewhere.
 * Multiplied by the inverse of 3 modulo 2^64, and rotated by 3: for a multiple of 24, that divides
 * by 24; any other offset, as that of a pointer between two records, becomes a very large number.
 */
QR_INLINE uint64_t qr__page_index_of_any(const struct qr_frames *frames, const struct qr_page *page)
{
	uint64_t thirds =
		((uintptr_t)page - (uintptr_t)frames->pages) * UINT64_C(0xaaaaaaaaaaaaaaab);

	_Static_assert(sizeof(struct qr_page) == 24, "divides by 3 and by 8");
	return thirds >> 3 | thirds << 61;
}

/* Does this pointer from outside point to a record of this instance? */
QR_INLINE bool qr__page_is_ours(const struct qr_frames *frames, const struct qr_page *page)
{
	return qr__page_index_of_any(frames, page) < frames->end_pfn - frames->base_pfn;
}

/* Turn a pointer from outside into a record of this instance; NULL: it is none. */
struct qr_page *qr__page_validate(const struct qr_frames *frames, const struct qr_page *page);

/*
 * Marks ------------------------------------------------------------------------------------
 *
 * A byte for each block that there may be, for states are too many for a cache of the CPU, and
 * pages are freed in any order.  What a mark says of a block needs neither be read in its head's
 * state nor be written there:
 *
 *	0		nothing: the state speaks for itself
 *	n, a route	a block in use that is plain (qr__word_is_plain()): one reference, nothing
 *			noted.  The number stands for the zone, the order, and the type that was
 *			asked for (alloc/step.h).  The state says the same
 *	CACHED		a block in a cache, clean.  Of the state only zone and order are true
 *	SILENT		the record says nothing, as where the type is NONE: it lies in a free block,
 *			or is a tail.  Of the state only the zone is true; the order is the mark's
 *
 * So from when a plain block is freed until it is in use again, all that changes about it is one
 * byte.  Whoever wants to know what is known of a frame asks qr__frame_word(), or one of those that
 * ask it, and not the state.  Whoever changes a state settles it first, which all doors do.
 *
 * Each order has a table, in which the marks of blocks that lie side by side do so, too: the larger
 * blocks are, the fewer cache lines their marks are in.  A frame has a mark in one table at most,
 * and if that is not a route, in that of the order that its state says (F12).  So whoever does not
 * know the order finds the mark by the state.
 *
 * Marks are written by whoever owns the block: who has it in use, or holds the lock of the cache or
 * the zone that it lies in.  By others there is one change, from a route to 0.
 *
 * A block becomes one in use by a store to its state, while it is CACHED still, and then one to its
 * mark.  Who takes references to other people's pages can find it between the two, if he looked at
 * the mark long before; so he looks once more (qr__frame_is_opening()).
 */
#define QR_MARK_SILENT UINT8_MAX
#define QR_MARK_CACHED ((uint8_t)(UINT8_MAX - 1)) /* routes are less */

QR_INLINE bool qr__has_marks(const struct qr_frames *frames)
{
	return frames->marks[0] != NULL;
}

/* The mark of a block of this order, one of those that are cached. */
QR_INLINE _Atomic uint8_t *qr__mark_of(const struct qr_frames *frames, uint64_t i, unsigned order)
{
	return &frames->marks[order][i >> order];
}

QR_INLINE uint8_t qr__mark(const _Atomic uint8_t *mark)
{
	return atomic_load_explicit(mark, memory_order_acquire);
}

/* After what it stands for was written. */
QR_INLINE void qr__mark_set(_Atomic uint8_t *mark, uint8_t value)
{
	atomic_store_explicit(mark, value, memory_order_release);
}

#define QR_MARKS_ROW 8u /* so many lie in one word */

/* A row of marks, all of blocks that are ours: if all are @from, they become @to. */
QR_INLINE bool qr__marks_change(_Atomic uint8_t *first, uint8_t from, uint8_t to)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), become = ones * to;
	uint64_t row;

	__builtin_memcpy(&row, (const void *)first, sizeof(row));
	if (qr__unlikely(row != ones * from))
		return false;
	__builtin_memcpy((void *)first, &become, sizeof(become));
	return true;
}

/* The mark of a frame whose state is this; NULL: it can have none. */
QR_INLINE _Atomic uint8_t *qr__mark_by_word(const struct qr_frames *frames, uint64_t i,
					    uint64_t word)
{
	unsigned order = qr__word_order(word);

	return qr__has_marks(frames) && order < QR_MARK_ORDERS ? qr__mark_of(frames, i, order)
							       : NULL;
}

/* What a mark makes of the word of a state. */
QR_INLINE uint64_t qr__marked_word(uint8_t mark, uint64_t word)
{
	if (qr__likely(mark < QR_MARK_CACHED))
		return word;
	word &= QR_STATE_ZONE_MASK | QR_STATE_ORDER_MASK;
	return mark == QR_MARK_CACHED ? word | QR_STATE_TYPE(QR_PT_PCP) : word;
}

/* What is known of a frame, as a state would say it. */
QR_INLINE uint64_t qr__frame_word(const struct qr_frames *frames, uint64_t i)
{
	uint64_t word = qr__state_word(&frames->states[i]);
	const _Atomic uint8_t *mark = qr__mark_by_word(frames, i, word);

	return mark ? qr__marked_word(qr__mark(mark), word) : word;
}

/* The state speaks for itself from now on, and says what is known of the frame. */
QR_INLINE void qr__frame_settle(struct qr_frames *frames, uint64_t i)
{
	uint64_t word = qr__state_word(&frames->states[i]);
	_Atomic uint8_t *mark = qr__mark_by_word(frames, i, word);

	if (!mark || !qr__mark(mark))
		return;
	if (qr__mark(mark) >= QR_MARK_CACHED)
		atomic_store_explicit(&frames->states[i].word,
				      qr__marked_word(qr__mark(mark), word), memory_order_relaxed);
	qr__mark_set(mark, 0);
}

/* Has somebody allocated this frame, and does its mark not say so yet? */
QR_INLINE bool qr__frame_is_opening(const struct qr_frames *frames, uint64_t i)
{
	const _Atomic uint8_t *mark =
		qr__mark_by_word(frames, i, qr__state_word(&frames->states[i]));

	return mark && qr__mark(mark) >= QR_MARK_CACHED;
}

QR_INLINE uint64_t qr__page_word(const struct qr_frames *frames, const struct qr_page *page)
{
	return qr__frame_word(frames, (uint64_t)(page - frames->pages));
}

QR_INLINE uint64_t qr__pfn_word(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return qr__frame_word(frames, pfn - frames->base_pfn);
}

QR_INLINE void qr__page_settle(struct qr_frames *frames, const struct qr_page *page)
{
	qr__frame_settle(frames, (uint64_t)(page - frames->pages));
}

/* Two frees of this block have succeeded; the second goes no further. */
void qr__freed_twice_report(struct qr_zone *zone, qr_pfn_t pfn, unsigned order);

/* Records of pages ------------------------------------------------------------------------- */

/* One field of a record's hot part; for several, get the word. */
QR_INLINE enum qr_page_type qr__page_type(const struct qr_frames *frames,
					  const struct qr_page *page)
{
	return qr__word_type(qr__page_word(frames, page));
}

QR_INLINE void qr__page_type_set(struct qr_frames *frames, struct qr_page *page,
				 enum qr_page_type type)
{
	qr__page_settle(frames, page);
	qr__state_type_set(qr__page_state(frames, page), type);
}

QR_INLINE unsigned qr__page_order(const struct qr_frames *frames, const struct qr_page *page)
{
	return qr__word_order(qr__page_word(frames, page));
}

QR_INLINE void qr__page_order_set(struct qr_frames *frames, struct qr_page *page, unsigned order)
{
	qr__page_settle(frames, page);
	qr__state_order_set(qr__page_state(frames, page), order);
}

/* All but references and what is noted: the frame heads a block. */
QR_INLINE void qr__page_head_set(struct qr_frames *frames, struct qr_page *page, unsigned zone_id,
				 enum qr_page_type type, unsigned order)
{
	qr__page_settle(frames, page);
	qr__state_head_set(qr__page_state(frames, page), zone_id, type, order);
}

/* The same for a frame that headed a block before: its zone stays. */
QR_INLINE void qr__page_block_set(struct qr_frames *frames, struct qr_page *page,
				  enum qr_page_type type, unsigned order)
{
	qr__page_settle(frames, page);
	qr__state_block_set(qr__page_state(frames, page), type, order);
}

QR_INLINE int32_t qr__page_refcount(const struct qr_frames *frames, const struct qr_page *page)
{
	return qr__word_refcount(qr__page_word(frames, page));
}

/* The cold part gets something to say. */
QR_INLINE void qr__page_note(struct qr_frames *frames, struct qr_page *page)
{
	qr__page_settle(frames, page);
	qr__state_note(qr__page_state(frames, page));
}

/*
 * What is written into the cold part, and noted before (F11).  qr__page_set() is for whoever has a
 * reference, the others are for whoever owns the page alone.
 */
QR_INLINE void qr__page_set(struct qr_frames *frames, struct qr_page *page, uint32_t flag)
{
	qr__page_note(frames, page);
	atomic_fetch_or_explicit(&page->flags, flag, memory_order_relaxed);
}

QR_INLINE void qr__page_flags_set(struct qr_frames *frames, struct qr_page *page, uint32_t flags)
{
	if (flags)
		qr__page_note(frames, page);
	atomic_store_explicit(&page->flags, flags, memory_order_relaxed);
}

QR_INLINE void qr__page_mapcount_set(struct qr_frames *frames, struct qr_page *page,
				     int32_t mapcount)
{
	if (mapcount)
		qr__page_note(frames, page);
	atomic_store_explicit(&page->mapcount, mapcount, memory_order_relaxed);
}

QR_INLINE void qr__page_mapping_set(struct qr_frames *frames, struct qr_page *page,
				    uint32_t mapping)
{
	if (mapping)
		qr__page_note(frames, page);
	atomic_store_explicit(&page->mapping, mapping, memory_order_relaxed);
}

QR_INLINE void qr__page_private_set(struct qr_frames *frames, struct qr_page *page, uint64_t word)
{
	if (word)
		qr__page_note(frames, page);
	atomic_store_explicit(&page->private_word, word, memory_order_relaxed);
}

/* The cold part was cleaned: if all of it is clean, it need not be looked at any more. */
QR_INLINE void qr__page_review(struct qr_frames *frames, const struct qr_page *page)
{
	if (qr__page_is_clean(page))
		qr__state_update(qr__page_state(frames, page), ~QR_STATE_NOTED, 0);
}

/* A free block, headed by this page, is reported to be free; its zone locked. */
QR_INLINE void qr__page_reported_set_locked(struct qr_zone *zone, struct qr_page *page)
{
	atomic_store_explicit(&zone->has_reported, true, memory_order_relaxed);
	qr__page_set(zone->frames, page, QR_PG_REPORTED);
}

/* What was reported of a free block is no longer true. */
QR_INLINE void qr__page_reported_clear(struct qr_frames *frames, struct qr_page *page)
{
	if (!qr__page_test(page, QR_PG_REPORTED))
		return;
	qr__page_clear(page, QR_PG_REPORTED);
	qr__page_review(frames, page);
}

/* The head of the compound page a record belongs to; itself if it is none. */
QR_INLINE struct qr_page *qr__compound_head(const struct qr_frames *frames, struct qr_page *page)
{
	return qr__page_type(frames, page) == QR_PT_TAIL ? &frames->pages[page->link.next] : page;
}

/* The same for whoever does not own the page: it may be another's by now, or nobody's. */
QR_INLINE struct qr_page *qr__compound_head_racy(const struct qr_frames *frames,
						 struct qr_page *page)
{
	uint32_t i = qr__link_next_racy(&page->link);

	if (qr__page_type(frames, page) != QR_PT_TAIL || i >= frames->end_pfn - frames->base_pfn)
		return page;
	return &frames->pages[i];
}

/* Pageblocks ------------------------------------------------------------------------------- */

QR_INLINE struct qr_pageblock *qr__pageblock(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return &frames->pageblocks[(pfn >> QR_PAGEBLOCK_ORDER) -
				   (frames->base_pfn >> QR_PAGEBLOCK_ORDER)];
}

QR_INLINE qr_pfn_t qr__pageblock_start(qr_pfn_t pfn)
{
	return pfn & ~(QR_PAGEBLOCK_NR_PAGES - 1);
}

/* The type as the allocator sees it: ISOLATE while isolated. */
/* What a pageblock's bits say. */
QR_INLINE enum qr_migratetype qr__pageblock_type_of(uint32_t bits)
{
	if (bits & QR_PB_ISOLATE)
		return QR_MIGRATE_ISOLATE;
	return (enum qr_migratetype)((bits & QR_PB_TYPE_MASK) ^ QR_MIGRATE_MOVABLE);
}

QR_INLINE enum qr_migratetype qr__pageblock_type(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return qr__pageblock_type_of(
		atomic_load_explicit(&qr__pageblock(frames, pfn)->bits, memory_order_relaxed));
}

/* The type beneath an isolation. */
enum qr_migratetype qr__pageblock_type_beneath(const struct qr_frames *frames, qr_pfn_t pfn);

/*
 * Set a pageblock's type: what lies beneath an isolation stays isolated.  While mobility grouping
 * is disabled the plain types are stored as UNMOVABLE.  Only the record changes; moving the free
 * pages along is the buddy engine's.
 */
void qr__pageblock_type_set_locked(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype type)
	QR_REQUIRES(zone->lock);
void qr__pageblock_isolate_set_locked(struct qr_zone *zone, qr_pfn_t pfn, bool isolate)
	QR_REQUIRES(zone->lock);

bool qr__pageblock_skip(const struct qr_frames *frames, qr_pfn_t pfn);
void qr__pageblock_skip_set(struct qr_frames *frames, qr_pfn_t pfn, bool skip);

/* Is the whole pageblock around pfn inside the zone's span? */
bool qr__pageblock_in_zone(const struct qr_zone *zone, qr_pfn_t pfn);

QR_INLINE bool qr__type_mergeable(enum qr_migratetype type)
{
	return type < QR_MIGRATE_PCPTYPES;
}

/* What a pageblock that is set to @type will say: see qr__pageblock_type_set_locked(). */
QR_INLINE enum qr_migratetype qr__type_stored(const struct qr_frames *frames,
					      enum qr_migratetype type)
{
	if (qr__unlikely(atomic_load_explicit(&frames->mobility_disabled, memory_order_relaxed)) &&
	    qr__type_mergeable(type))
		return QR_MIGRATE_UNMOVABLE;
	return type;
}

/* Zones ------------------------------------------------------------------------------------ */

/* The engine divides its zone; called once, from zone_init.  @gather: see qr__zone_lock(). */
void qr__zone_stripes_init(struct qr_zone *zone, qr_pfn_t start_pfn, unsigned stripe_order,
			   unsigned nr_stripes, void (*gather)(struct qr_zone *zone));
/* All stripes' locks, after the zone's own and before it. */
void qr__zone_stripes_lock(struct qr_zone *zone);
void qr__zone_stripes_unlock(struct qr_zone *zone);

QR_INLINE unsigned qr__zone_stripe(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return (unsigned)((pfn - zone->stripe_start) >> zone->stripe_order);
}

/* A stripe of the zone, which is locked, has something to be gathered. */
QR_INLINE void qr__zone_loose_note(struct qr_zone *zone)
{
	if (!atomic_load_explicit(&zone->loose, memory_order_relaxed))
		atomic_store_explicit(&zone->loose, true, memory_order_relaxed);
}

/* The zone's own lock, whatever is left undone. */
QR_INLINE unsigned long qr__zone_lock_only(struct qr_zone *zone) QR_NO_LOCK_ANALYSIS
{
	struct qr_base *base = &zone->frames->base;
	unsigned long irqs = qr__irq_save(base);
	bool waited = qr__lock_contended(base, &zone->lock);

	qr__bump(&zone->nr_locks, 1);
	if (qr__unlikely(waited))
		qr__bump(&zone->nr_lock_waits, 1);
	return irqs;
}

/*
 * Interrupts masked.  Under a stripe's lock the engine may leave for later what is of no concern
 * before somebody looks (zone->loose); whoever locks the whole zone may look, and finds it done.
 */
QR_INLINE unsigned long qr__zone_lock(struct qr_zone *zone)
	QR_ACQUIRES(zone->lock) QR_NO_LOCK_ANALYSIS
{
	unsigned long irqs = qr__zone_lock_only(zone);

	if (zone->nr_stripes)
		qr__zone_stripes_lock(zone);
	if (qr__unlikely(atomic_load_explicit(&zone->loose, memory_order_relaxed))) {
		zone->gather(zone);
		atomic_store_explicit(&zone->loose, false, memory_order_relaxed);
	}
	return irqs;
}

QR_INLINE void qr__zone_unlock(struct qr_zone *zone, unsigned long irqs)
	QR_RELEASES(zone->lock) QR_NO_LOCK_ANALYSIS
{
	struct qr_base *base = &zone->frames->base;

	if (zone->nr_stripes)
		qr__zone_stripes_unlock(zone);
	qr__unlock(base, &zone->lock);
	qr__irq_restore(base, irqs);
}

/* One stripe, interrupts masked; for the engine alone, which knows what lies in it.  The lock of an
 * undivided zone is the zone's.
 */
QR_INLINE unsigned long qr__stripe_lock(struct qr_zone *zone, unsigned s) QR_NO_LOCK_ANALYSIS
{
	struct qr_base *base = &zone->frames->base;
	struct qr_stripe *stripe = &zone->stripes[s];
	unsigned long irqs;
	bool waited;

	if (!zone->nr_stripes)
		return qr__zone_lock_only(zone);
	irqs = qr__irq_save(base);
	waited = qr__lock_contended(base, &stripe->lock);
	qr__bump(&stripe->nr_locks, 1);
	if (qr__unlikely(waited))
		qr__bump(&stripe->nr_lock_waits, 1);
	return irqs;
}

QR_INLINE void qr__stripe_unlock(struct qr_zone *zone, unsigned s,
				 unsigned long irqs) QR_NO_LOCK_ANALYSIS
{
	if (!zone->nr_stripes) {
		qr__zone_unlock(zone, irqs);
		return;
	}
	qr__unlock(&zone->frames->base, &zone->stripes[s].lock);
	qr__irq_restore(&zone->frames->base, irqs);
}

/* Does somebody hold what guards the pageblock around pfn?  For assertions. */
QR_INLINE bool qr__zone_locked_at(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return qr__is_locked(zone->nr_stripes ? &zone->stripes[qr__zone_stripe(zone, pfn)].lock
					      : &zone->lock);
}

/* All zones, populated or not, from node 0's DMA on. */
#define qr__for_each_zone(frames, zone) \
	for (unsigned id__ = 0; id__ < (frames)->nr_nodes * QR_NR_ZONES && \
				((zone) = qr__zone_by_id((frames), id__), true); \
	     id__++)

/* Nodes, node states, zonelists ------------------------------------------------------------ */

QR_INLINE struct qr_node *qr__node(const struct qr_frames *frames, int nid)
{
	return &frames->nodes[nid];
}

QR_INLINE bool qr__node_is(const struct qr_frames *frames, int nid, enum qr_node_state state)
{
	return atomic_load_explicit(&frames->node_states[state], memory_order_relaxed) >> nid & 1;
}

QR_INLINE unsigned qr__node_distance(const struct qr_frames *frames, int from, int to)
{
	return frames->distance[(unsigned)from * frames->nr_nodes + (unsigned)to];
}

/* The node of the CPU the caller seems to run on. */
QR_INLINE int qr__numa_node(const struct qr_frames *frames)
{
	return frames->cpu_node[qr__cpu_racy(&frames->base)];
}

/* Recompute node states from what the zones hold, then all zonelists.  Hotplug calls it, too. */
void qr__zonelists_rebuild(struct qr_frames *frames);

QR_INLINE uint64_t qr__zonelist_seq(const struct qr_frames *frames)
{
	return atomic_load_explicit(&frames->zonelist_seq, memory_order_acquire);
}

/* The first entry from @ref on with zone_idx <= highest and node in *mask (NULL: any). */
QR_INLINE struct qr_zoneref *qr__zoneref_next(struct qr_zoneref *ref, enum qr_zone_type highest,
					      const qr_nodemask_t *mask, struct qr_zone **zone)
{
	for (;; ref++) {
		struct qr_zone *z = atomic_load_explicit(&ref->zone, memory_order_acquire);

		*zone = z;
		if (!z || (z->type <= highest && (!mask || *mask >> z->nid & 1)))
			return ref;
	}
}

#define qr__for_each_zone_zonelist(ref, zone, start, highest, mask) \
	for ((ref) = qr__zoneref_next((start), (highest), (mask), &(zone)); (zone); \
	     (ref) = qr__zoneref_next((ref) + 1, (highest), (mask), &(zone)))

/* Releasing fresh memory ------------------------------------------------------------------- */

/*
 * Visit the RAM of a zone in runs that are still fresh: [*from, end) of one extent, cut at section
 * boundaries.  Used by the release of memory at creation and by deferred growth.  False: no more.
 */
bool qr__zone_next_fresh(const struct qr_zone *zone, qr_pfn_t *start_pfn, qr_pfn_t *end_pfn);

#endif /* QR_FRAMES_FRAMES_H */
