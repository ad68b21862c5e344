/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap.h - the bitmap engine's state, shared by its files
 *
 *	bitmap.c	theory of operation; certain blocks, giving, types, creation
 *	bitmap_line.h	arithmetic on the bits of one pageblock
 *	bitmap_take.c	blocks for whoever asks, out of parts and whole pageblocks
 *	bitmap_near.c	fill a CPU's cache: from which stripe, under its lock alone
 *	bitmap_drain.c	and empty it: stripe by stripe
 *	bitmap_loose.c	what comes back to a stripe
 *	bitmap_gather.c	and is looked at when somebody asks
 *	bitmap_file.c	where partly free pageblocks are filed, and which one serves next
 *	bitmap_whole.c	wholly free pageblocks, as buddies of pageblock order and up
 *	bitmap_count.c	how many blocks of each order there are
 *	bitmap_reported.c	what was reported of blocks that have changed
 *	bitmap_walk.c	walking over the free blocks
 *	bitmap_check.c	the invariants, executed
 */
#ifndef QR_BUDDY_BITMAP_H
#define QR_BUDDY_BITMAP_H

#include "../base/bitmap.h"
#include "../base/bits.h"
#include "bitmap_line.h"
#include "engine.h"

/* Which of the four kinds of pageblocks may share a free block (B10). */
enum bitmap_class {
	CLASS_PLAIN, /* unmovable, movable, reclaimable: of no type while wholly free */
	CLASS_HIGHATOMIC,
	CLASS_CMA,
	CLASS_ISOLATE,
	NR_CLASSES
};

/*
 * A pageblock, as the engine sees it; under its stripe's lock.  Only of parts there is anything to
 * say: of what is used or whole all is 0, or as it was left, and which of the two it is says a bit
 * of its stripe (bitmap_is_whole()).
 */
struct bitmap_block {
	struct qr_link link; /* in its bin */
	uint16_t nr_free; /* frames that have their bits */
	uint16_t bin; /* that it is filed in (B9); 0: none */
	uint8_t order; /* that it is filed under */
	uint8_t largest; /* order of its largest free block */
	union {
		struct {
			bool part : 1; /* filed by type, largest, and number of free pages; or: */
			bool loose : 1; /* to be filed anew (B14) */
			bool blind : 1; /* its largest block is to be looked up before */
			bool counted : 1; /* its blocks are in the counts (B12) */
			uint8_t type; /* enum qr_migratetype it is filed under */
		};
		uint16_t kind; /* all of these, to be compared at once */
	};
};

_Static_assert(sizeof(struct bitmap_block) == 16, "four share a cache line");

/*
 * Fewer pages than this are not worth a lock of their own; a block of the highest order at least.
 */
#ifndef QR_STRIPE_MIN_PAGES
#define QR_STRIPE_MIN_PAGES ((UINT64_C(64) << 20) / QR_PAGE_SIZE)
#endif

#define NR_PART_ORDERS QR_PAGEBLOCK_ORDER /* a part is at most half */
/* Of these, the ones that are smaller than a word. */
#define NR_SMALL_ORDERS (NR_PART_ORDERS < WORD_ORDER ? NR_PART_ORDERS : WORD_ORDER)
#define PART_ORDERS ((UINT32_C(1) << NR_PART_ORDERS) - 1) /* their bits in orders[] */
#define NR_WHOLE_ORDERS (QR_MAX_PAGE_ORDER - QR_PAGEBLOCK_ORDER + 1)

_Static_assert(QR_PAGEBLOCK_NR_PAGES <= UINT16_MAX, "a bin's number fits fullest[], and nr_free");

/*
 * Pageblocks of one type and one largest order, by number of free pages: where they are filed in a
 * stripe.  See bitmap_row().
 */
struct bitmap_row {
	uint64_t *filled; /* bit n: bin n is not empty */
	uint32_t *bin; /* 1 + the first pageblock; 0: empty */
};

/*
 * The part of a zone that one lock guards.  All zero is a good first state: bins that are never
 * used cost no memory where it is backed lazily.
 */
struct bitmap_stripe {
	/* Read by CPUs that look for a stripe to take from. */
	_Alignas(64) _Atomic uint32_t orders[QR_MIGRATE_TYPES]; /* bit k: has largest blocks of k */
	/* QR_TYPE_BITs, of pageblocks that of their class: of what is loose; and of what came */
	_Atomic uint32_t loose, unsure; /* so since anything was taken, be it gathered or not */
	_Atomic uint64_t part_pages[QR_MIGRATE_TYPES]; /* free pages in parts of a type */
	/* of each row: the lowest bin that is not empty, where its fullest part is; 0: none is */
	_Atomic uint16_t fullest[QR_MIGRATE_TYPES][NR_PART_ORDERS];

	_Alignas(64) _Atomic uint64_t nr[QR_MIGRATE_TYPES][QR_NR_PAGE_ORDERS]; /* blocks; B12 */
	/* bit n: in these sets, word n (or n + 64, ...) may not be 0 */
	uint64_t loose_words, seen_words, came_words;
	uint32_t nr_loose; /* parts that are loose */
	uint64_t *sets; /* c: pointer; whole blocks by class and order, and what follows */
	char *rows; /* c: pointer; their bitmaps and bins, by type and order */
};

/* The engine's state, zone->buddy. */
struct bitmap_buddy {
	struct qr_zone *zone; /* c: whose state it is */
	qr_pfn_t start_pfn; /* c: of block 0, a multiple of QR_MAX_ORDER_NR_PAGES */
	uint32_t nr_blocks; /* c */
	unsigned stripe_shift; /* c: log2 of the pageblocks in a stripe */
	unsigned nr_stripes; /* c: 0 where no memory is */
	struct line *lines; /* c: pointer; a bit for each frame that is free in a part (B7) */
	struct bitmap_block *blocks; /* c: pointer */
	_Atomic uint64_t *stale; /* c: pointer; bit i: block i is a part and not counted, or was */
	struct bitmap_stripe *stripes; /* c: pointer */
	/* c: in a row; so many counts of free pages (log2) share a bin */
	unsigned nr_bins, bin_shift;
	uint32_t set_words, set_stride; /* c: of a set; and with its second floor */
	/* Where walks begin, under the whole zone's lock; see rotate. */
	qr_pfn_t cursor[QR_MIGRATE_TYPES][NR_PART_ORDERS];
	uint32_t whole_cursor[NR_CLASSES][NR_WHOLE_ORDERS]; /* a pageblock */
};

/* So many more frames of a pageblock have their bits, or fewer: -@nr. */
QR_INLINE void bitmap_nr_free_add(struct bitmap_block *block, unsigned nr)
{
	block->nr_free = (uint16_t)(block->nr_free + nr);
}

static inline struct bitmap_buddy *bitmap_of(const struct qr_zone *zone)
{
	return zone->buddy;
}

static inline uint32_t bitmap_index(const struct bitmap_buddy *buddy, qr_pfn_t pfn)
{
	return (uint32_t)((pfn - buddy->start_pfn) >> QR_PAGEBLOCK_ORDER);
}

static inline qr_pfn_t bitmap_pfn(const struct bitmap_buddy *buddy, uint32_t i)
{
	return buddy->start_pfn + ((qr_pfn_t)i << QR_PAGEBLOCK_ORDER);
}

static inline unsigned bitmap_offset(qr_pfn_t pfn)
{
	return (unsigned)(pfn & (QR_PAGEBLOCK_NR_PAGES - 1));
}

static inline enum bitmap_class bitmap_class_of(enum qr_migratetype type)
{
	switch (type) {
	case QR_MIGRATE_HIGHATOMIC:
		return CLASS_HIGHATOMIC;
	case QR_MIGRATE_CMA:
		return CLASS_CMA;
	case QR_MIGRATE_ISOLATE:
		return CLASS_ISOLATE;
	default:
		return CLASS_PLAIN;
	}
}

/* Under which type a class's wholly free blocks are counted and shown. */
static inline enum qr_migratetype bitmap_class_type(enum bitmap_class class)
{
	static const uint8_t types[NR_CLASSES] = {
		[CLASS_PLAIN] = QR_MIGRATE_MOVABLE,
		[CLASS_HIGHATOMIC] = QR_MIGRATE_HIGHATOMIC,
		[CLASS_CMA] = QR_MIGRATE_CMA,
		[CLASS_ISOLATE] = QR_MIGRATE_ISOLATE,
	};

	return (enum qr_migratetype)types[class];
}

static inline unsigned bitmap_stripe_of(const struct bitmap_buddy *buddy, uint32_t i)
{
	return i >> buddy->stripe_shift;
}

static inline struct bitmap_stripe *bitmap_stripe(const struct bitmap_buddy *buddy, uint32_t i)
{
	return &buddy->stripes[bitmap_stripe_of(buddy, i)];
}

/*
 * Sets: a bit for each pageblock of a stripe, and on top one for each word that is not 0, and maybe
 * for some that have become 0 (row_join() in bitmap_whole.c).
 */

/* Behind those of blocks by class and order, and without a second floor: */
#define SET_WHOLE (NR_CLASSES * NR_WHOLE_ORDERS) /* pageblocks that are whole */
#define SET_LOOSE (SET_WHOLE + 1) /* parts that are loose, but not blind */
#define SET_BLIND(type) (SET_LOOSE + 1 + (type)) /* and those that are */
#define SET_CAME(class) (SET_BLIND(QR_MIGRATE_TYPES) + (class)) /* whole, and in no block yet */
#define SET_SEEN SET_CAME(NR_CLASSES) /* parts that were gathered since anything was taken */
#define NR_SETS (SET_SEEN + 1)

QR_INLINE uint64_t *bitmap_set(const struct bitmap_buddy *buddy, const struct bitmap_stripe *stripe,
			       unsigned n)
{
	return stripe->sets + n * buddy->set_stride;
}

/* A pageblock's place in its stripe. */
QR_INLINE uint32_t bitmap_place(const struct bitmap_buddy *buddy, uint32_t i)
{
	return i & ((UINT32_C(1) << buddy->stripe_shift) - 1);
}

QR_INLINE bool bitmap_set_has(const uint64_t *set, uint32_t place)
{
	return set[place / 64] >> (place % 64) & 1;
}

/* A word of a set changes. */
QR_INLINE void bitmap_set_word(const struct bitmap_buddy *buddy, uint64_t *set, uint32_t word,
			       uint64_t value)
{
	uint64_t *filled = set + buddy->set_words + word / 64, bit = UINT64_C(1) << (word % 64);

	set[word] = value;
	*filled = value ? *filled | bit : *filled & ~bit;
}

QR_INLINE void bitmap_set_add(const struct bitmap_buddy *buddy, uint64_t *set, uint32_t place)
{
	bitmap_set_word(buddy, set, place / 64, set[place / 64] | UINT64_C(1) << (place % 64));
}

QR_INLINE void bitmap_set_remove(const struct bitmap_buddy *buddy, uint64_t *set, uint32_t place)
{
	bitmap_set_word(buddy, set, place / 64, set[place / 64] & ~(UINT64_C(1) << (place % 64)));
}

/*
 * Which bin a pageblock with so many free pages belongs to.  From bin 1 on, each is for as many
 * counts.
 */
static inline uint32_t bitmap_bin_for(const struct bitmap_buddy *buddy, uint32_t nr_free)
{
	return ((nr_free - 1) >> buddy->bin_shift) + 1;
}

/* How many bytes a row takes: of its bitmap, and all of it. */
static inline size_t bitmap_filled_size(unsigned nr_bins)
{
	return QR_BITMAP_WORDS(nr_bins) * sizeof(uint64_t);
}

static inline size_t bitmap_row_size(unsigned nr_bins)
{
	return bitmap_filled_size(nr_bins) + qr__align_up(nr_bins * sizeof(uint32_t), 8);
}

static inline struct bitmap_row bitmap_row(const struct bitmap_buddy *buddy,
					   const struct bitmap_stripe *stripe, unsigned type,
					   unsigned order)
{
	unsigned n = type * NR_PART_ORDERS + order;
	char *at = stripe->rows + n * bitmap_row_size(buddy->nr_bins);

	return (struct bitmap_row){
		.filled = (uint64_t *)(void *)at,
		.bin = (uint32_t *)(void *)(at + bitmap_filled_size(buddy->nr_bins)),
	};
}

/* Is pageblock i all free, in whatever block? */
QR_INLINE bool bitmap_is_whole(const struct bitmap_buddy *buddy, uint32_t i)
{
	const uint64_t *set = bitmap_set(buddy, bitmap_stripe(buddy, i), SET_WHOLE);

	return bitmap_set_has(set, bitmap_place(buddy, i));
}

/* A stripe's first pageblock. */
QR_INLINE uint32_t bitmap_first_of(const struct bitmap_buddy *buddy,
				   const struct bitmap_stripe *stripe)
{
	return (uint32_t)(stripe - buddy->stripes) << buddy->stripe_shift;
}

/* All of a pageblock's bits; its count of free pages is the caller's. */
static inline void bitmap_line_set(struct bitmap_buddy *buddy, uint32_t i, bool set)
{
	line_fill(&buddy->lines[i], 0, QR_PAGEBLOCK_ORDER, set);
}

/* bitmap_count.c --------------------------------------------------------------------------- */

/* Blocks of pageblock order or more came (@nr > 0) or went. */
QR_INLINE void bitmap_count_whole(struct bitmap_stripe *stripe, enum qr_migratetype type,
				  unsigned order, int nr)
{
	uint64_t before = qr__read(&stripe->nr[type][order]),
		 after = before + (uint64_t)(int64_t)nr;

	qr__write(&stripe->nr[type][order], after);
	if (!before != !after)
		atomic_store_explicit(
			&stripe->orders[type],
			atomic_load_explicit(&stripe->orders[type], memory_order_relaxed) ^
				UINT32_C(1) << order,
			memory_order_relaxed);
}

/* There are parts with largest blocks of these orders, as well. */
QR_INLINE void bitmap_orders_add(struct bitmap_stripe *stripe, unsigned type, uint32_t orders)
{
	atomic_store_explicit(&stripe->orders[type],
			      atomic_load_explicit(&stripe->orders[type], memory_order_relaxed) |
				      orders,
			      memory_order_relaxed);
}

#define PLAIN_TYPES (QR_TYPE_BIT(QR_MIGRATE_PCPTYPES) - 1)

/*
 * May something of a mask, of what came loose, serve one of these types?  What is of any plain type
 * may have become whole, and serves all of them.
 */
QR_INLINE bool bitmap_serves_racy(const _Atomic uint32_t *mask, uint32_t types)
{
	types |= types & PLAIN_TYPES ? PLAIN_TYPES : 0;
	return atomic_load_explicit(mask, memory_order_relaxed) & types;
}

/* One of a stripe's masks of types, under its lock. */
QR_INLINE void bitmap_types_add(_Atomic uint32_t *mask, uint32_t types)
{
	atomic_store_explicit(mask, atomic_load_explicit(mask, memory_order_relaxed) | types,
			      memory_order_relaxed);
}

/* A part is about to change: from now on it is not counted. */
void qr__bitmap_uncount(struct bitmap_buddy *buddy, uint32_t i);
/* A pageblock has become a part: it waits to be counted. */
void qr__bitmap_stale(struct bitmap_buddy *buddy, uint32_t i);
/* Count what is not counted; the whole zone locked. */
void qr__bitmap_settle(struct qr_zone *zone);
uint64_t qr__bitmap_nr_blocks_type_racy(const struct qr_zone *zone, unsigned order,
					enum qr_migratetype type);
uint64_t qr__bitmap_nr_blocks_racy(const struct qr_zone *zone, unsigned order);
bool qr__bitmap_has_racy(struct qr_zone *zone, unsigned order, unsigned types);

/* bitmap_file.c ---------------------------------------------------------------------------- */

/* File a pageblock that is partly free and in no container; and take it out of the file. */
void qr__bitmap_file(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type);
void qr__bitmap_unfile(struct bitmap_buddy *buddy, uint32_t i);
/* For what is gathered: out of its bin, if any, and into the one it belongs to if it stays. */
void qr__bitmap_bin_change(struct bitmap_buddy *buddy, uint32_t i, bool stays);
/* Of such types, what part orders there are is looked up. */
void qr__bitmap_orders_review(struct bitmap_stripe *stripe, uint32_t types);
/* Before and after the bits of a part, or of a pageblock in no container, change at will. */
void qr__bitmap_part_open(struct bitmap_buddy *buddy, uint32_t i);
void qr__bitmap_part_close(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type);
/* The same where it is known what the order of its largest free block is by now. */
void qr__bitmap_part_file(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
			  enum qr_migratetype type);
/* A stripe's fullest part of a type that has a free block of @order or more, or QR_LIST_NONE. */
uint32_t qr__bitmap_choose(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
			   enum qr_migratetype type, unsigned order);
/* Without a lock: at least so many free pages it has; QR_PAGEBLOCK_NR_PAGES: there is none. */
unsigned qr__bitmap_fullest_racy(const struct bitmap_buddy *buddy,
				 const struct bitmap_stripe *stripe, enum qr_migratetype type,
				 unsigned order);
/* The same, among those whose largest free block has exactly this order. */
uint32_t qr__bitmap_choose_exact(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
				 enum qr_migratetype type, unsigned order);

/* bitmap_whole.c --------------------------------------------------------------------------- */

/* Where wholly free pageblocks lie. */
struct bitmap_whole {
	uint32_t head; /* their first */
	unsigned order;
	enum bitmap_class class;
};

/* A wholly free block, in no set, joins what it can; returns the order it ended up with. */
unsigned qr__bitmap_whole_insert(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
				 enum bitmap_class class);
/*
 * The same for pageblocks @first + n, for each bit n of @row, which is not 0; @first is the first
 * of a word of the sets.
 */
unsigned qr__bitmap_whole_insert_row(struct bitmap_buddy *buddy, uint32_t first, uint64_t row,
				     enum bitmap_class class);
/*
 * Take up to @nr blocks of this order, of which there is one, out of their set, all of one row.
 * They are at @first + n for each bit n of what is returned.
 */
uint64_t qr__bitmap_whole_remove_row(struct bitmap_buddy *buddy, unsigned s, unsigned order,
				     enum bitmap_class class, unsigned nr, uint32_t *first);
/* Take a block out of its set; its pages are still accounted as free. */
void qr__bitmap_whole_remove(struct bitmap_buddy *buddy, struct bitmap_whole whole);
/* Of such a block of order @from the first @nr pageblocks (1 or more) are used: keep the rest. */
void qr__bitmap_whole_rest(struct bitmap_buddy *buddy, uint32_t i, unsigned from, uint32_t nr,
			   enum bitmap_class class);
/* Take a whole block out of its set and break pageblock i off it. */
void qr__bitmap_whole_isolate(struct bitmap_buddy *buddy, uint32_t i);
/* The smallest order of a stripe's blocks that is at least @order; QR_NR_PAGE_ORDERS: none. */
unsigned qr__bitmap_whole_order(const struct bitmap_stripe *stripe, enum bitmap_class class,
				unsigned order);
/* The stripe's first block of that order; QR_LIST_NONE: none. */
uint32_t qr__bitmap_whole_first(const struct qr_zone *zone, unsigned s, enum bitmap_class class,
				unsigned order);
/* A stripe's first block of exactly this order that begins at pageblock @from or behind it. */
uint32_t qr__bitmap_whole_next(const struct bitmap_buddy *buddy, unsigned s, unsigned order,
			       enum bitmap_class class, uint32_t from);
/* The wholly free block that pageblock i lies in. */
struct bitmap_whole qr__bitmap_whole_of(const struct bitmap_buddy *buddy, uint32_t i);
/* Blocks of the highest order are to be met in no order of address. */
void qr__bitmap_shuffle(struct qr_zone *zone);

/* bitmap_take.c ---------------------------------------------------------------------------- */

/* What is being collected: blocks of one order and type, as frames' indices. */
struct bitmap_taking {
	struct qr_zone *zone;
	unsigned order;
	enum qr_migratetype type;
	unsigned nr; /* wanted, in all */
	unsigned taken;
	uint32_t *frames;
};

/*
 * From one stripe, locked: from its parts, the fullest first, as long as they have no more than
 * @most free pages; and from its whole blocks.
 */
void qr__bitmap_take_parts(struct bitmap_taking *taking, struct bitmap_stripe *stripe,
			   unsigned most);
void qr__bitmap_take_whole(struct bitmap_taking *taking, unsigned s);
unsigned qr__bitmap_take(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 unsigned nr, qr_pfn_t *pfns);
/* Set a pageblock's type for what is taken from it: what lies beneath an isolation stays. */
void qr__bitmap_type_set(struct qr_zone *zone, uint32_t i, enum qr_migratetype type);
/* A block goes to the caller: its record says so.  And all that was taken. */
void qr__bitmap_hand_out_all(const struct bitmap_taking *taking);
void qr__bitmap_hand_out(struct qr_zone *zone, qr_pfn_t pfn, unsigned order);

/* bitmap_near.c ---------------------------------------------------------------------------- */

unsigned qr__bitmap_refill(struct qr_zone *zone, unsigned cpu, unsigned order,
			   enum qr_migratetype type, unsigned nr, uint32_t *frames);

/* bitmap_drain.c --------------------------------------------------------------------------- */

unsigned qr__bitmap_drain(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr,
			  bool tell);

/*
 * What will be read of the pageblocks of small blocks to come is fetched, so many ahead, if all
 * lines and records of a zone are more than a near cache holds: 512 KiB.
 */
#define BITMAP_AHEAD 16u
#ifndef QR_NEAR_BLOCKS
#define QR_NEAR_BLOCKS ((512u << 10) / (sizeof(struct line) + sizeof(struct bitmap_block)))
#endif

QR_INLINE void bitmap_fetch(const struct line *lines, const struct bitmap_block *blocks,
			    uint64_t at)
{
	__builtin_prefetch(&lines[at >> QR_PAGEBLOCK_ORDER], 1);
	__builtin_prefetch(&blocks[at >> QR_PAGEBLOCK_ORDER], 1);
}

/* What came back in one hold of a stripe's lock, and is not accounted yet. */
struct bitmap_given {
	unsigned largest; /* order that a block became part of */
	uint32_t types; /* QR_TYPE_BITs: that any of it is of */
	int64_t in_parts[QR_MIGRATE_TYPES], pages[QR_MIGRATE_TYPES]; /* into parts, and else */
};

/* Do QR_MARKS_ROW blocks lie side by side, each @step frames behind the one before? */
QR_INLINE bool bitmap_lie_apart(const uint32_t *frames, uint32_t step)
{
	uint32_t off = 0;

	if (frames[QR_MARKS_ROW - 1] - frames[0] != step * (QR_MARKS_ROW - 1))
		return false;
	for (uint32_t n = 1; n < QR_MARKS_ROW - 1; n++)
		off |= (frames[n] - frames[0]) ^ n * step;
	return !off;
}

/* bitmap_loose.c --------------------------------------------------------------------------- */

/* Of blocks of this order or more it is put off whether they change more than a count. */
#define LARGE_ORDER (QR_PAGEBLOCK_ORDER < 3 ? QR_PAGEBLOCK_ORDER : 3u)

/*
 * Frames of one stripe, which is locked, come back: small blocks, which are shuffled on the way;
 * and @frames[n] for each bit n of @which, which is not 0: large blocks, and pageblocks.
 */
void qr__bitmap_small_give(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr,
			   struct bitmap_given *given);
void qr__bitmap_large_give(struct qr_zone *zone, unsigned order, const uint32_t *frames,
			   uint64_t which, struct bitmap_given *given);
void qr__bitmap_pageblocks_give(struct qr_zone *zone, const uint32_t *frames, uint64_t which,
				struct bitmap_given *given);
/* So many parts may be loose in a stripe while nobody holds its lock: some 100 us to gather. */
#ifndef QR_LOOSE_MOST
#define QR_LOOSE_MOST 1024u
#endif

/* bitmap_gather.c -------------------------------------------------------------------------- */

/*
 * Put what came loose where it belongs; the stripe is locked.  Returns the order of the largest
 * block that came of it, or 0.
 */
unsigned qr__bitmap_gather(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe);
/* The same, to take from what is there. */
void qr__bitmap_gather_to_take(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe);
/* Of all stripes, the whole zone locked; and of one that is not locked. */
void qr__bitmap_gather_all(struct qr_zone *zone);
void qr__bitmap_gather_racy(struct qr_zone *zone, unsigned s);

/* bitmap_reported.c ------------------------------------------------------------------------ */

/* A block may have joined others: then what was reported of it and of those is no longer true. */
void qr__bitmap_reported_joined(struct qr_zone *zone, qr_pfn_t pfn, unsigned order);
/* The free block around pfn is about to be cut. */
void qr__bitmap_reported_cut(struct qr_zone *zone, qr_pfn_t pfn);

/* Is there any need for these two? */
QR_INLINE bool bitmap_has_reported(const struct qr_zone *zone)
{
	return atomic_load_explicit(&zone->has_reported, memory_order_relaxed);
}

/* bitmap_walk.c ---------------------------------------------------------------------------- */

bool qr__bitmap_first(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		      struct qr_block *block);
qr_pfn_t qr__bitmap_next(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 qr_pfn_t after);
void qr__bitmap_rotate(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		       qr_pfn_t pfn);

/* bitmap_check.c --------------------------------------------------------------------------- */

unsigned qr__bitmap_check(struct qr_zone *zone, struct qr_error_text *why);

#endif /* QR_BUDDY_BITMAP_H */
