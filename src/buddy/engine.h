/* SPDX-License-Identifier: MIT */
/*
 * buddy/engine.h - the contract between the allocator and the engine that knows what is free
 *
 * An engine keeps the free frames of one zone as blocks of 2^order frames, each on the list of a
 * migratetype, and answers the questions below.  It decides how blocks are stored, split and
 * joined, and which of several equal blocks is handed out.  It knows nothing of watermarks, of
 * fallback between types, of per-CPU caches: that is policy, and lives above.
 *
 * All operations are called with zone->lock held and interrupts masked, but for those named _racy
 * and the hot pair of refill and drain.  None waits, calls a hook, or fails for want of memory.
 *
 * Who keeps what, at each operation:
 *
 *	counts of free pages	the engine, through qr__zone_account_free() only
 *	page records		the engine writes type (PCP when it lets go of a block; while it is
 *				free, BUDDY or GUARD, or NONE if it needs no records), order,
 *				zone_id of new heads, and clears REPORTED when a block leaves or
 *				changes (which is set by qr__page_reported_set_locked() only); it
 *				touches no reference count
 *	pageblock types		policy sets them before or after moving the free pages, as each
 *				operation says; the engine itself retypes only what it joins across
 *				pageblocks
 *
 * A block an operation hands out has type PCP ("free, but in nobody's list") and its order set in
 * its head's record; the same is expected of a block that is given back, unless it is fresh.
 */
#ifndef QR_BUDDY_ENGINE_H
#define QR_BUDDY_ENGINE_H

#include "../frames/frames.h"

/* Where on its list a freed block goes. */
enum qr_list_end {
	QR_END_AUTO, /* hot, unless it looks about to join, or shuffling says otherwise */
	QR_END_COLD, /* the end that is handed out last: put-backs */
	/*
	 * The same for memory that nobody ever had.  Its records say nothing, and an engine that
	 * keeps none for free blocks need not touch them: where records are backed lazily, that is
	 * most of what creating an instance would cost.
	 */
	QR_END_FRESH
};

/* A free block, as an engine names it. */
struct qr_block {
	qr_pfn_t pfn;
	unsigned order;
};

#define QR_TYPE_BIT(type) (1u << (type))

struct qr_buddy_ops {
	const char *name;
	bool guards; /* knows guard pages (guard_minorder) */

	/*
	 * Room for a zone of this span (rounded out to QR_MAX_ORDER_NR_PAGES) that so many CPUs
	 * will use, and its first state.  An engine that divides its zone into stripes says so to
	 * qr__zone_stripes_init().
	 */
	size_t (*zone_size)(qr_pfn_t start_pfn, qr_pfn_t end_pfn, unsigned nr_cpus);
	void (*zone_init)(struct qr_zone *zone, void *memory);

	/*
	 * Take up to @nr blocks of @order from the lists of @type, splitting larger ones.  Writes
	 * their pfns and returns how many there were.  A larger block's lower part is handed out,
	 * the halves left over go to the hot ends of @type's lists (guard pages excepted).
	 */
	unsigned (*take)(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 unsigned nr, qr_pfn_t *pfns);

	/*
	 * Take this free block (a head, with its exact order), keep its lowest 2^order frames and
	 * list the rest under @rest_type.  order == block.order takes all of it.  The block is
	 * looked for under its pageblocks' type, so if they are to change, change them afterwards.
	 */
	void (*take_block)(struct qr_zone *zone, struct qr_block block, unsigned order,
			   enum qr_migratetype rest_type);

	/*
	 * Take exactly [pfn, pfn + 2^order), aligned, out of the free block that contains it, or
	 * of the several that make it up (pageblocks that were moved are not joined).  The rest
	 * stays free, under its pageblocks' types.  False: it is not all free.
	 */
	bool (*carve)(struct qr_zone *zone, qr_pfn_t pfn, unsigned order);

	/*
	 * Give a block back under @type, joined with its buddies as far as B3 and B4 allow.  @type
	 * is the type of its pageblocks (all of them, if several).  Returns the order it ended up
	 * with.
	 */
	unsigned (*give)(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			 enum qr_migratetype type, enum qr_list_end end);

	/*
	 * The hot pair, for caches that keep frames' indices in magazines (alloc/magazine.h); NULL:
	 * the engine wants them on lists instead, and served by take and give.
	 *
	 * Called with no lock of the zone held: each takes the locks of the stripes it needs, one
	 * after the other.
	 *
	 * refill: up to @nr blocks of @order for a cache of @cpu, from the pages of @type and from
	 * what is of no type yet.  Writes their frames' indices and returns how many there were.
	 * It looks for them without a lock, so beside others who take it may miss what there is,
	 * and return 0: then take, with the zone locked, knows.
	 *
	 * drain: give @nr blocks back, each under its pageblock's type; @frames is shuffled on the
	 * way.  A frame that is free already is reported and left alone.  @tell: return the largest
	 * order that any of them, or of those before it, became part of; else what of that is known
	 * by the way.
	 */
	unsigned (*refill)(struct qr_zone *zone, unsigned cpu, unsigned order,
			   enum qr_migratetype type, unsigned nr, uint32_t *frames);
	unsigned (*drain)(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr,
			  bool tell);

	/* The free block that contains pfn; false: pfn is not free. */
	bool (*find)(const struct qr_zone *zone, qr_pfn_t pfn, struct qr_block *block);

	/*
	 * The block of exactly @order and @type that would be taken first; false: none.  For policy
	 * that looks before it takes.
	 */
	bool (*first)(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		      struct qr_block *block);

	/*
	 * Move the free blocks of [start_pfn, end_pfn), whole pageblocks which no free block
	 * straddles, from @from's lists to the cold ends of @to's.  Pageblock records are left
	 * alone.  Returns the pages moved.
	 */
	uint64_t (*move)(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			 enum qr_migratetype from, enum qr_migratetype to);

	/*
	 * Walk the blocks of one list, from the hot end: the first one if after is QR_PFN_NONE,
	 * else the one behind it.  QR_PFN_NONE: the end.  And turn the list so that pfn's block
	 * comes first.
	 */
	qr_pfn_t (*next)(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 qr_pfn_t after);
	void (*rotate)(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		       qr_pfn_t pfn);

	/*
	 * Free blocks of exactly this order: of one type, and of all, ISOLATE included.  An engine
	 * may count lazily: then settle brings the counts up to date, and they are as old as the
	 * last call of it.  NULL: they are always right.
	 */
	void (*settle)(struct qr_zone *zone);
	uint64_t (*nr_blocks_type_racy)(const struct qr_zone *zone, unsigned order,
					enum qr_migratetype type);
	uint64_t (*nr_blocks_racy)(const struct qr_zone *zone, unsigned order);

	/* Free pages in the pageblock around pfn. */
	uint64_t (*nr_free_in)(const struct qr_zone *zone, qr_pfn_t pfn);

	/*
	 * Is there a block of @order or larger on a list of one of these types (QR_TYPE_BITs)?
	 * Called without the zone's lock, and may take those of its stripes.
	 */
	bool (*has_racy)(struct qr_zone *zone, unsigned order, unsigned types);

	/* Swap blocks of the highest order about, once, after memory was released. */
	void (*shuffle)(struct qr_zone *zone);

	/*
	 * Verify the engine's invariants on this zone: 0, or the number of the broken one (1 for
	 * B1, ...) with a sentence.
	 */
	unsigned (*check)(struct qr_zone *zone, struct qr_error_text *why);
};

extern const struct qr_buddy_ops qr__buddy_list;
extern const struct qr_buddy_ops qr__buddy_bitmap;

/* Bring the counts of blocks up to date: the zone not locked, and locked. */
void qr__buddy_settle(struct qr_zone *zone);
QR_INLINE void qr__buddy_settle_locked(struct qr_zone *zone)
{
	if (zone->ops->settle)
		zone->ops->settle(zone);
}

/* The engine of that name (NULL: the default); NULL: there is none.  And their names, in turn. */
const struct qr_buddy_ops *qr__buddy_engine(const char *name);
const struct qr_buddy_ops *qr__buddy_engine_at(unsigned i);

#endif /* QR_BUDDY_ENGINE_H */
