/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap.h - the bitmap engine's state, shared by its files
 *
 *	bitmap.c	theory of operation; the contract's operations
 *	bitmap_line.h	arithmetic on the bits of one pageblock
 *	bitmap_file.c	where partly free pageblocks are filed, and which one serves next
 *	bitmap_whole.c	wholly free pageblocks, as buddies of pageblock order and up
 *	bitmap_check.c	the invariants, executed
 */
#ifndef QR_BUDDY_BITMAP_H
#define QR_BUDDY_BITMAP_H

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

enum bitmap_state {
	BLOCK_USED, /* nothing of it is free */
	BLOCK_PART, /* filed by type, largest free order, and number of free pages */
	BLOCK_WHOLE, /* first pageblock of a wholly free block */
	BLOCK_INNER /* another pageblock of such a block */
};

/* A pageblock, as the engine sees it. */
struct bitmap_block {
	struct qr_link link; /* PART: in its bin; WHOLE: in its list */
	uint16_t nr_free;
	uint16_t bin; /* PART: the count it is filed under; at most nr_free (B9) */
	uint8_t state; /* enum bitmap_state */
	uint8_t type; /* PART: enum qr_migratetype it is filed under; WHOLE: its class's */
	uint8_t largest; /* PART: order of its largest free block */
	uint8_t order; /* WHOLE: of the block it heads */
};

/* Pageblocks of one type and one largest order, by number of free pages. */
struct bitmap_bins {
	uint64_t filled[LINE_WORDS]; /* bit n: bin n is not empty */
	struct qr_list bin[QR_PAGEBLOCK_NR_PAGES];
};

#define NR_PART_ORDERS QR_PAGEBLOCK_ORDER /* a part is at most half */
#define NR_WHOLE_ORDERS (QR_MAX_PAGE_ORDER - QR_PAGEBLOCK_ORDER + 1)

/*
 * The engine's state, zone->buddy.  All of it is guarded by zone->lock; what is atomic may be read.
 */
struct bitmap_buddy {
	qr_pfn_t start_pfn; /* c: of block 0, a multiple of QR_MAX_ORDER_NR_PAGES */
	uint32_t nr_blocks; /* c */
	struct line *lines; /* c: pointer; a bit for each frame: free */
	struct bitmap_block *blocks; /* c: pointer */

	_Atomic uint64_t nr[QR_MIGRATE_TYPES][QR_NR_PAGE_ORDERS]; /* free blocks */
	_Atomic uint32_t orders[QR_MIGRATE_TYPES]; /* bit k: nr[type][k] is not 0 */
	qr_pfn_t cursor[QR_MIGRATE_TYPES][NR_PART_ORDERS]; /* where walks begin; see rotate */

	struct qr_list whole[NR_CLASSES][NR_WHOLE_ORDERS];
	struct bitmap_bins bins[QR_MIGRATE_TYPES][NR_PART_ORDERS];
};

static inline struct bitmap_buddy *bitmap_of(const struct qr_zone *zone)
{
	return zone->buddy;
}

static inline struct qr_links bitmap_links(const struct bitmap_buddy *buddy)
{
	return (struct qr_links){.base = &buddy->blocks[0].link,
				 .stride = sizeof(struct bitmap_block)};
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

/* The door to the counts of blocks (B12). */
void qr__bitmap_count(struct bitmap_buddy *buddy, enum qr_migratetype type, unsigned order,
		      int64_t nr);

/* bitmap_file.c ---------------------------------------------------------------------------- */

/* File a pageblock that is partly free and in no container; and take it out of its bin. */
void qr__bitmap_file(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type);
void qr__bitmap_unfile(struct bitmap_buddy *buddy, uint32_t i);
/* The fullest pageblock of a type that has a free block of @order or more; QR_LIST_NONE: none. */
uint32_t qr__bitmap_choose(struct bitmap_buddy *buddy, enum qr_migratetype type, unsigned order);
/* The same, among those whose largest free block has exactly this order. */
uint32_t qr__bitmap_choose_exact(struct bitmap_buddy *buddy, enum qr_migratetype type,
				 unsigned order);

/* bitmap_whole.c --------------------------------------------------------------------------- */

/* A wholly free block, in no list, joins what it can; returns the order it ended up with. */
unsigned qr__bitmap_whole_insert(struct qr_zone *zone, uint32_t i, unsigned order,
				 enum bitmap_class class, bool cold);
/* Take a block off its list; its pageblocks become USED, with all bits set.  Returns its class. */
enum bitmap_class qr__bitmap_whole_remove(struct bitmap_buddy *buddy, uint32_t i);
/* The first block of the smallest order that is at least @order; QR_LIST_NONE: none. */
uint32_t qr__bitmap_whole_first(const struct bitmap_buddy *buddy, enum bitmap_class class,
				unsigned order);
/* The head of the wholly free block that pageblock i lies in. */
uint32_t qr__bitmap_whole_head(const struct bitmap_buddy *buddy, uint32_t i);
/* Swap blocks of the highest order about. */
void qr__bitmap_shuffle(struct qr_zone *zone);

/* bitmap_check.c --------------------------------------------------------------------------- */

unsigned qr__bitmap_check(struct qr_zone *zone, struct qr_error_text *why);

#endif /* QR_BUDDY_BITMAP_H */
