/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap.c - the bitmap engine: memory that heals
 *
 * Theory of operation
 * -------------------
 * What is free is a bit for each frame, and nothing else.  The bits of a pageblock are one cache
 * line; a free block of order k is 2^k set bits at a multiple of 2^k.  Buddies that are both free
 * have joined already, by lying side by side: there is no joining and no splitting, and a page
 * record is not looked at to find out whether its frame is free.
 *
 * A pageblock is in one of three states.  It is *used* if nothing of it is free.  It is *part* if
 * something is: then it is filed by its migratetype, by the order of its largest free block, and by
 * its exact number of free pages (bitmap_file.c).  Or it is *whole*: then it is a buddy of
 * pageblock order or more (bitmap_whole.c), and of no type until somebody takes from it, so a
 * pageblock that became empty serves whoever comes first, and no type needs to borrow from another
 * while there is a wholly free pageblock.
 *
 * A request is served from the fullest pageblock that can serve it.  The nearly empty ones are left
 * alone and get the chance to become empty: this is how a fragmented zone gets its huge pages
 * back while it goes on allocating and freeing.  Inside a pageblock the smallest block that will do
 * is taken, from low addresses up.
 *
 * To change a pageblock's type, or to isolate it, is to file it elsewhere: no page of it is
 * touched.
 *
 * What the list engine does and this one does not: order within a list (hot, cold) has no meaning
 * below pageblock order, and there are no guard pages, which would have to be neither free nor in
 * use.
 *
 * Invariants
 * ----------
 * They hold whenever zone->lock is free; bitmap_check.c verifies them.  Their numbers go on where
 * those of the list engine end.
 *
 *	B7	A bit is set if and only if its frame is free; it lies inside the zone, and the
 *		frame's record does not say that it is in use.
 *	B8	nr_free of a pageblock is the number of its bits; it is used, part or whole by that.
 *	B9	A part pageblock is in one bin: of its type, of the order of its largest free block,
 *		and of a count that is at most nr_free.
 *	B10	A wholly free block covers pageblocks of one class only: those of type HIGHATOMIC,
 *		CMA and ISOLATE keep to themselves.
 *	B11	Two wholly free buddies of one class are joined, but for a change of type since the
 *		last of them was given.
 *	B12	The counts of blocks by type and order, and the zone's counts of free pages, say
 *		what the bits say.  Wholly free plain pageblocks count as MOVABLE, whatever their
 *		record says.
 *
 * Cost
 * ----
 * Taking n single pages costs one choice (a few words of bitmap for each order), one pass over a
 * line, and one refiling, whatever n is.  Giving a page costs two cache lines: the bits and the
 * pageblock's 16 bytes.  Nothing depends on the size of the zone.
 *
 * Locking
 * -------
 * As in the contract: zone->lock, but for the _racy functions, which read single words.
 */
#include "bitmap.h"

static unsigned long long ull(uint64_t x)
{
	return x;
}

/* Counts ----------------------------------------------------------------------------------- */

void qr__bitmap_count(struct bitmap_buddy *buddy, enum qr_migratetype type, unsigned order,
		      int64_t nr)
{
	uint64_t now = qr__read(&buddy->nr[type][order]) + (uint64_t)nr;
	uint32_t orders = atomic_load_explicit(&buddy->orders[type], memory_order_relaxed);
	uint32_t bit = UINT32_C(1) << order;

	qr__write(&buddy->nr[type][order], now);
	atomic_store_explicit(&buddy->orders[type], now ? orders | bit : orders & ~bit,
			      memory_order_relaxed);
}

/* The blocks of a part pageblock, taken from or added to what is counted of a type. */
static void part_count(struct bitmap_buddy *buddy, const struct heads *heads,
		       enum qr_migratetype type, int sign)
{
	int64_t nr[QR_PAGEBLOCK_ORDER + 1] = {0};

	heads_count(heads, nr, sign);
	for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
		if (nr[k])
			qr__bitmap_count(buddy, type, k, nr[k]);
	}
}

static enum qr_migratetype type_at(const struct qr_zone *zone, uint32_t i)
{
	return qr__pageblock_type(zone->frames, bitmap_pfn(bitmap_of(zone), i));
}

/*
 * Operations are called through pointers, which cannot tell the compiler that the zone is locked.
 */
static void type_set(struct qr_zone *zone, uint32_t i, enum qr_migratetype type) QR_NO_LOCK_ANALYSIS
{
	if (type_at(zone, i) != type && type != QR_MIGRATE_ISOLATE)
		qr__pageblock_type_set_locked(zone, bitmap_pfn(bitmap_of(zone), i), type);
}

/* Bits changed while the pageblock was in no container: put it where it belongs now. */
static void part_refile(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bits bits = line_load(&buddy->lines[i]);
	int64_t nr[QR_PAGEBLOCK_ORDER + 1] = {0};
	struct heads heads;
	int largest;

	block->state = BLOCK_USED;
	if (!block->nr_free)
		return;
	heads_of(&bits, &heads);
	largest = heads_count(&heads, nr, 1);
	for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
		if (nr[k])
			qr__bitmap_count(buddy, type, k, nr[k]);
	}
	block->largest = (uint8_t)largest;
	qr__bitmap_file(buddy, i, type);
}

/* Take a part pageblock out of its bin and of the counts, to change its bits. */
static void part_begin(struct bitmap_buddy *buddy, uint32_t i, struct heads *heads)
{
	struct bits bits = line_load(&buddy->lines[i]);

	heads_of(&bits, heads);
	part_count(buddy, heads, (enum qr_migratetype)buddy->blocks[i].type, -1);
	qr__bitmap_unfile(buddy, i);
}

/* Taking ----------------------------------------------------------------------------------- */

/* A block goes to the caller: its record says so, and nothing of what was reported of it. */
static void hand_out(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	struct qr_page_state *state = qr__pfn_state(zone->frames, pfn);

	qr__state_head_set(state, zone->id, QR_PT_PCP, order);
	if (qr__unlikely(qr__state_noted(state)))
		qr__page_reported_clear(zone->frames, qr__pfn_page(zone->frames, pfn));
}

/* The maximal blocks of order k, one after the other, cut into pieces of @order. */
static unsigned level_take(struct qr_zone *zone, uint32_t i, const struct heads *heads, unsigned k,
			   unsigned order, unsigned nr, qr_pfn_t *pfns)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	qr_pfn_t start = bitmap_pfn(buddy, i);
	unsigned taken = 0;

	for (unsigned w = 0; w < LINE_WORDS && taken < nr; w++) {
		uint64_t found = heads_maximal(heads, k, w);

		for (; found && taken < nr; found &= found - 1) {
			unsigned at = w * 64 + qr__ctz64(found), end = at + (1u << k);

			for (; at < end && taken < nr; at += 1u << order) {
				line_fill(&buddy->lines[i], at, order, false);
				pfns[taken++] = start + at;
				hand_out(zone, start + at, order);
			}
		}
	}
	return taken;
}

/* Up to nr blocks from one part pageblock, the smallest that will do first. */
static unsigned part_take(struct qr_zone *zone, uint32_t i, unsigned order, unsigned nr,
			  qr_pfn_t *pfns)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	enum qr_migratetype type = (enum qr_migratetype)buddy->blocks[i].type;
	struct heads heads;
	unsigned taken = 0;

	part_begin(buddy, i, &heads);
	for (unsigned k = order; k < NR_PART_ORDERS && taken < nr; k++)
		taken += level_take(zone, i, &heads, k, order, nr - taken, pfns + taken);
	buddy->blocks[i].nr_free = (uint16_t)(buddy->blocks[i].nr_free - (taken << order));
	qr__zone_account_free(zone, -(int64_t)((uint64_t)taken << order), type);
	part_refile(buddy, i, type);
	return taken;
}

/* Of a wholly free block in no list, list all but the first 2^order frames' pageblocks. */
static void whole_rest(struct qr_zone *zone, uint32_t i, unsigned from, unsigned order,
		       enum bitmap_class class)
{
	while (from > order) {
		from--;
		qr__bitmap_whole_insert(zone, i + (1u << (from - QR_PAGEBLOCK_ORDER)), from, class,
					false);
	}
}

static void line_set_all(struct bitmap_buddy *buddy, uint32_t i, bool set)
{
	line_fill(&buddy->lines[i], 0, QR_PAGEBLOCK_ORDER, set);
	buddy->blocks[i].nr_free = set ? QR_PAGEBLOCK_NR_PAGES : 0;
}

/* A whole block of at least pageblock order, off the lists and out of the counts, for @type. */
static void whole_hand_out(struct qr_zone *zone, uint32_t i, unsigned order,
			   enum qr_migratetype class_type, enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	for (uint32_t k = 0; k < 1u << (order - QR_PAGEBLOCK_ORDER); k++) {
		line_set_all(buddy, i + k, false);
		type_set(zone, i + k, type);
	}
	qr__zone_account_free(zone, -(int64_t)qr__order_pages(order), class_type);
	hand_out(zone, bitmap_pfn(buddy, i), order);
}

/* Break a pageblock off the smallest whole block of @type's class; QR_LIST_NONE: there is none. */
static uint32_t whole_open(struct qr_zone *zone, enum qr_migratetype type, unsigned order)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = qr__bitmap_whole_first(buddy, bitmap_class_of(type), order);
	unsigned from;

	if (i == QR_LIST_NONE)
		return i;
	from = buddy->blocks[i].order;
	whole_rest(zone, i, from, order, qr__bitmap_whole_remove(buddy, i));
	return i;
}

/* The first blocks of a pageblock that was whole until now. */
static unsigned fresh_take(struct qr_zone *zone, uint32_t i, unsigned order,
			   enum qr_migratetype type, unsigned nr, qr_pfn_t *pfns)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned taken;

	nr = (unsigned)qr__min(nr, QR_PAGEBLOCK_NR_PAGES >> order);
	type_set(zone, i, type);
	for (taken = 0; taken < nr; taken++) {
		pfns[taken] = bitmap_pfn(buddy, i) + ((qr_pfn_t)taken << order);
		line_fill(&buddy->lines[i], taken << order, order, false);
		hand_out(zone, pfns[taken], order);
	}
	buddy->blocks[i].nr_free = (uint16_t)(QR_PAGEBLOCK_NR_PAGES - ((uint64_t)taken << order));
	qr__zone_account_free(zone, -(int64_t)((uint64_t)taken << order), type);
	part_refile(buddy, i, type);
	return taken;
}

static unsigned bitmap_take(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			    unsigned nr, qr_pfn_t *pfns)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned taken = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	while (taken < nr && order < QR_PAGEBLOCK_ORDER) {
		uint32_t i = qr__bitmap_choose(buddy, type, order);

		if (i != QR_LIST_NONE) {
			taken += part_take(zone, i, order, nr - taken, pfns + taken);
			continue;
		}
		i = whole_open(zone, type, QR_PAGEBLOCK_ORDER);
		if (i == QR_LIST_NONE)
			return taken;
		taken += fresh_take(zone, i, order, type, nr - taken, pfns + taken);
	}
	while (taken < nr) {
		uint32_t i = whole_open(zone, type, order);

		if (i == QR_LIST_NONE)
			break;
		whole_hand_out(zone, i, order, bitmap_class_type(bitmap_class_of(type)), type);
		pfns[taken++] = bitmap_pfn(buddy, i);
	}
	return taken;
}

/* A certain block -------------------------------------------------------------------------- */

/* Clear or set bits of a pageblock that may be part or used, and file it anew under @type. */
static void part_change(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			enum qr_migratetype type, bool set)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	struct bitmap_block *block = &buddy->blocks[i];
	int nr = 1 << order;
	struct heads heads;

	if (block->state == BLOCK_PART)
		part_begin(buddy, i, &heads);
	line_fill(&buddy->lines[i], bitmap_offset(pfn), order, set);
	block->nr_free = (uint16_t)(block->nr_free + (set ? nr : -nr));
	part_refile(buddy, i, type);
}

/* Take a whole block off its list and break [i, i + 1) pageblock off it, all bits set. */
static void whole_isolate_one(struct qr_zone *zone, uint32_t i)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t head = qr__bitmap_whole_head(buddy, i);
	unsigned order = buddy->blocks[head].order;
	enum bitmap_class class = qr__bitmap_whole_remove(buddy, head);

	while (order > QR_PAGEBLOCK_ORDER) {
		uint32_t half = 1u << (--order - QR_PAGEBLOCK_ORDER);
		bool upper = i >= head + half;

		qr__bitmap_whole_insert(zone, upper ? head : head + half, order, class, false);
		head = upper ? head + half : head;
	}
}

static bool is_whole(const struct bitmap_block *block)
{
	return block->state == BLOCK_WHOLE || block->state == BLOCK_INNER;
}

/* Take 2^order frames at pfn, all free, out of one pageblock; what is left is of rest_type. */
static void small_remove(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			 enum qr_migratetype rest_type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	enum qr_migratetype type = type_at(zone, i);

	if (is_whole(&buddy->blocks[i])) {
		whole_isolate_one(zone, i);
		if (bitmap_class_of(type) == CLASS_PLAIN)
			type = QR_MIGRATE_MOVABLE;
	} else {
		type = (enum qr_migratetype)buddy->blocks[i].type;
	}
	/* what stays is recounted under its new type */
	qr__zone_account_free(zone, -(int64_t)buddy->blocks[i].nr_free, type);
	part_change(zone, pfn, order, rest_type, false);
	qr__zone_account_free(zone, buddy->blocks[i].nr_free, rest_type);
	type_set(zone, i, rest_type);
}

/* The same for whole pageblocks, which are one block or several. */
static void large_remove(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t first = bitmap_index(buddy, pfn), nr = 1u << (order - QR_PAGEBLOCK_ORDER);

	for (uint32_t i = first; i < first + nr; i++) {
		enum qr_migratetype type = type_at(zone, i);

		whole_isolate_one(zone, i);
		line_set_all(buddy, i, false);
		qr__zone_account_free(zone, -(int64_t)QR_PAGEBLOCK_NR_PAGES, type);
	}
}

static void bitmap_take_block(struct qr_zone *zone, struct qr_block block, unsigned order,
			      enum qr_migratetype rest_type)
{
	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (order >= QR_PAGEBLOCK_ORDER)
		large_remove(zone, block.pfn, order);
	else
		small_remove(zone, block.pfn, order, rest_type);
	hand_out(zone, block.pfn, order);
}

static bool frame_known(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return qr__zone_spans(zone, pfn) && qr__pfn_in_span(zone->frames, pfn);
}

/* Is every frame of an aligned block free? */
static bool range_free(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);

	if (!frame_known(zone, pfn) || !frame_known(zone, pfn + qr__order_pages(order) - 1))
		return false;
	if (order < QR_PAGEBLOCK_ORDER)
		return line_all(&buddy->lines[i], bitmap_offset(pfn), order);
	for (uint32_t k = 0; k < 1u << (order - QR_PAGEBLOCK_ORDER); k++) {
		if (!is_whole(&buddy->blocks[i + k]))
			return false;
	}
	return true;
}

static bool bitmap_carve(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	enum qr_migratetype type;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (!range_free(zone, pfn, order))
		return false;
	type = qr__pageblock_type(zone->frames, pfn);
	if (order >= QR_PAGEBLOCK_ORDER)
		large_remove(zone, pfn, order);
	else
		small_remove(zone, pfn, order, type);
	hand_out(zone, pfn, order);
	return true;
}

/* Giving back ------------------------------------------------------------------------------ */

/* All of a pageblock is free now: it leaves the parts and becomes a buddy. */
static unsigned become_whole(struct qr_zone *zone, uint32_t i, enum qr_migratetype type, bool cold)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	struct heads heads;

	if (buddy->blocks[i].state == BLOCK_PART)
		part_begin(buddy, i, &heads);
	line_set_all(buddy, i, true);
	return qr__bitmap_whole_insert(zone, i, QR_PAGEBLOCK_ORDER, bitmap_class_of(type), cold);
}

/*
 * Set the bits of a block that leaves its pageblock partly free.  Counts change along the chain of
 * joins only; and as long as the largest order stays what it was, so does the place in the file.
 */
static unsigned part_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			  enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	struct bitmap_block *block = &buddy->blocks[i];
	unsigned joined;

	line_fill(&buddy->lines[i], bitmap_offset(pfn), order, true);
	joined = line_join(&buddy->lines[i], bitmap_offset(pfn), order);
	block->nr_free = (uint16_t)(block->nr_free + (1u << order));
	for (unsigned k = order; k < joined; k++)
		qr__bitmap_count(buddy, type, k, -1);
	qr__bitmap_count(buddy, type, joined, 1);
	if (block->state == BLOCK_PART && joined <= block->largest)
		return joined;
	if (block->state == BLOCK_PART)
		qr__bitmap_unfile(buddy, i);
	block->largest = (uint8_t)joined;
	qr__bitmap_file(buddy, i, type);
	return joined;
}

static unsigned large_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			   enum qr_migratetype type, bool cold)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);

	for (uint32_t k = 0; k < 1u << (order - QR_PAGEBLOCK_ORDER); k++)
		line_set_all(buddy, i + k, true);
	return qr__bitmap_whole_insert(zone, i, order, bitmap_class_of(type), cold);
}

static unsigned bitmap_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			    enum qr_migratetype type, enum qr_list_end end)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	bool cold = end == QR_END_COLD;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	QR_ASSERT(&zone->frames->base,
		  order >= QR_PAGEBLOCK_ORDER ||
			  line_none(&buddy->lines[i], bitmap_offset(pfn), order),
		  "B7: block of order %u at %#llx is free already", order, ull(pfn));
	qr__state_type_set(qr__pfn_state(zone->frames, pfn), QR_PT_NONE);
	qr__zone_account_free(zone, (int64_t)qr__order_pages(order), type);
	if (order >= QR_PAGEBLOCK_ORDER)
		return large_give(zone, pfn, order, type, cold);
	if (buddy->blocks[i].nr_free + (1u << order) == QR_PAGEBLOCK_NR_PAGES)
		return become_whole(zone, i, type, cold);
	return part_give(zone, pfn, order, type);
}

/* Looking ---------------------------------------------------------------------------------- */

static bool bitmap_find(const struct qr_zone *zone, qr_pfn_t pfn, struct qr_block *block)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i;

	if (!frame_known(zone, pfn))
		return false;
	i = bitmap_index(buddy, pfn);
	if (is_whole(&buddy->blocks[i])) {
		i = qr__bitmap_whole_head(buddy, i);
		*block = (struct qr_block){.pfn = bitmap_pfn(buddy, i),
					   .order = buddy->blocks[i].order};
		return true;
	}
	if (!line_test(&buddy->lines[i], bitmap_offset(pfn)))
		return false;
	block->order = line_join(&buddy->lines[i], bitmap_offset(pfn), 0);
	block->pfn = qr__align_down(pfn, qr__order_pages(block->order));
	return true;
}

/* A block of exactly this order, in a pageblock that has no larger one. */
static bool part_first(struct bitmap_buddy *buddy, unsigned order, enum qr_migratetype type,
		       struct qr_block *block)
{
	uint32_t i = qr__bitmap_choose_exact(buddy, type, order);
	struct heads heads;
	struct bits bits;

	if (i == QR_LIST_NONE)
		return false;
	bits = line_load(&buddy->lines[i]);
	heads_of(&bits, &heads);
	for (unsigned w = 0; w < LINE_WORDS; w++) {
		uint64_t found = heads_maximal(&heads, order, w);

		if (!found)
			continue;
		*block = (struct qr_block){.pfn = bitmap_pfn(buddy, i) + w * 64 + qr__ctz64(found),
					   .order = order};
		return true;
	}
	return false;
}

/* Any block of exactly this order, also where there are larger ones: the walk finds it. */
static qr_pfn_t bitmap_next(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			    qr_pfn_t after);

static bool bitmap_first(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 struct qr_block *block)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	qr_pfn_t pfn;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (!qr__read(&buddy->nr[type][order]))
		return false;
	if (order < QR_PAGEBLOCK_ORDER && part_first(buddy, order, type, block))
		return true;
	pfn = bitmap_next(zone, order, type, QR_PFN_NONE);
	*block = (struct qr_block){.pfn = pfn, .order = order};
	return pfn != QR_PFN_NONE;
}

/* Changing types --------------------------------------------------------------------------- */

/* A whole block leaves one class for another; within a class nothing is to be done. */
static void whole_reclass(struct qr_zone *zone, uint32_t i, enum qr_migratetype from,
			  enum qr_migratetype to)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned order = buddy->blocks[i].order;

	if (bitmap_class_of(from) == bitmap_class_of(to))
		return;
	qr__bitmap_whole_remove(buddy, i);
	qr__bitmap_whole_insert(zone, i, order, bitmap_class_of(to), true);
}

/* Does a wholly free block begin or end outside [start_pfn, end_pfn), and lie inside as well? */
static bool whole_straddles(const struct bitmap_buddy *buddy, qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	uint32_t first = bitmap_index(buddy, start_pfn), last = bitmap_index(buddy, end_pfn - 1);
	uint32_t head;

	if (buddy->blocks[first].state == BLOCK_INNER)
		return true;
	if (!is_whole(&buddy->blocks[last]))
		return false;
	head = qr__bitmap_whole_head(buddy, last);
	return bitmap_pfn(buddy, head) + qr__order_pages(buddy->blocks[head].order) > end_pfn;
}

static uint64_t bitmap_move(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			    enum qr_migratetype from, enum qr_migratetype to)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t nr_moved = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	QR_ASSERT(&zone->frames->base, !whole_straddles(buddy, start_pfn, end_pfn),
		  "B10: a free block lies across an end of [%#llx, %#llx)", ull(start_pfn),
		  ull(end_pfn));
	for (qr_pfn_t pfn = start_pfn; pfn < end_pfn; pfn += QR_PAGEBLOCK_NR_PAGES) {
		uint32_t i = bitmap_index(buddy, pfn);
		struct bitmap_block *block = &buddy->blocks[i];
		struct heads heads;

		if (!block->nr_free)
			continue;
		nr_moved += block->nr_free;
		qr__zone_account_free(zone, -(int64_t)block->nr_free, from);
		qr__zone_account_free(zone, block->nr_free, to);
		if (block->state == BLOCK_WHOLE)
			whole_reclass(zone, i, from, to);
		if (is_whole(block))
			continue; /* the head has taken the others along */
		part_begin(buddy, i, &heads);
		part_refile(buddy, i, to);
	}
	return nr_moved;
}

/* Walking ---------------------------------------------------------------------------------- */

/*
 * Below pageblock order there are no lists to walk, so a walk goes over the zone by address, from
 * the cursor to the end and from the start to the cursor.  To rotate is to set the cursor.
 */
static qr_pfn_t part_scan(const struct bitmap_buddy *buddy, unsigned order,
			  enum qr_migratetype type, qr_pfn_t from, qr_pfn_t end)
{
	for (uint32_t i = bitmap_index(buddy, from); bitmap_pfn(buddy, i) < end; i++) {
		struct heads heads;
		struct bits bits;

		if (buddy->blocks[i].state != BLOCK_PART || buddy->blocks[i].type != type ||
		    buddy->blocks[i].largest < order)
			continue;
		bits = line_load(&buddy->lines[i]);
		heads_of(&bits, &heads);
		for (unsigned w = 0; w < LINE_WORDS; w++) {
			uint64_t found = heads_maximal(&heads, order, w);

			for (; found; found &= found - 1) {
				qr_pfn_t pfn = bitmap_pfn(buddy, i) + w * 64 + qr__ctz64(found);

				if (pfn >= from)
					return pfn < end ? pfn : QR_PFN_NONE;
			}
		}
	}
	return QR_PFN_NONE;
}

static qr_pfn_t part_next(struct bitmap_buddy *buddy, unsigned order, enum qr_migratetype type,
			  qr_pfn_t after)
{
	qr_pfn_t start = buddy->start_pfn, end = bitmap_pfn(buddy, buddy->nr_blocks);
	qr_pfn_t cursor = buddy->cursor[type][order], pfn;

	if (after == QR_PFN_NONE) {
		pfn = part_scan(buddy, order, type, cursor, end);
		return pfn != QR_PFN_NONE ? pfn : part_scan(buddy, order, type, start, cursor);
	}
	if (after < cursor)
		return part_scan(buddy, order, type, after + 1, cursor);
	pfn = part_scan(buddy, order, type, after + 1, end);
	return pfn != QR_PFN_NONE ? pfn : part_scan(buddy, order, type, start, cursor);
}

static qr_pfn_t whole_next(const struct bitmap_buddy *buddy, unsigned order,
			   enum qr_migratetype type, qr_pfn_t after)
{
	enum bitmap_class class = bitmap_class_of(type);
	uint32_t i;

	if (bitmap_class_type(class) != type)
		return QR_PFN_NONE;
	if (after == QR_PFN_NONE)
		i = buddy->whole[class][order - QR_PAGEBLOCK_ORDER].first;
	else
		i = buddy->blocks[bitmap_index(buddy, after)].link.next;
	return i == QR_LIST_NONE ? QR_PFN_NONE : bitmap_pfn(buddy, i);
}

static qr_pfn_t bitmap_next(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			    qr_pfn_t after)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	if (order >= QR_PAGEBLOCK_ORDER)
		return whole_next(buddy, order, type, after);
	return part_next(buddy, order, type, after);
}

static void bitmap_rotate(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			  qr_pfn_t pfn)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	if (order < QR_PAGEBLOCK_ORDER)
		buddy->cursor[type][order] = pfn;
	else
		qr__list_rotate_to(&buddy->whole[bitmap_class_of(type)][order - QR_PAGEBLOCK_ORDER],
				   bitmap_links(buddy), bitmap_index(buddy, pfn));
}

/* Counting --------------------------------------------------------------------------------- */

static uint64_t bitmap_nr_blocks_type_racy(const struct qr_zone *zone, unsigned order,
					   enum qr_migratetype type)
{
	return qr__read(&bitmap_of(zone)->nr[type][order]);
}

static uint64_t bitmap_nr_blocks_racy(const struct qr_zone *zone, unsigned order)
{
	uint64_t nr = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		nr += qr__read(&bitmap_of(zone)->nr[type][order]);
	return nr;
}

/* Plain whole blocks serve all three plain types, but are counted as MOVABLE. */
static bool bitmap_has_racy(const struct qr_zone *zone, unsigned order, unsigned types)
{
	const unsigned plain = QR_TYPE_BIT(QR_MIGRATE_PCPTYPES) - 1;
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t orders = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		uint32_t of_type = atomic_load_explicit(&buddy->orders[type], memory_order_relaxed);

		if (types & QR_TYPE_BIT(type))
			orders |= of_type;
		else if (type == QR_MIGRATE_MOVABLE && types & plain)
			orders |= of_type >> QR_PAGEBLOCK_ORDER << QR_PAGEBLOCK_ORDER;
	}
	return orders >> order != 0;
}

static uint64_t bitmap_nr_free_in(const struct qr_zone *zone, qr_pfn_t pfn)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);

	return buddy->blocks[bitmap_index(buddy, pfn)].nr_free;
}

/* Creation --------------------------------------------------------------------------------- */

static void span_round(qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	*start_pfn = qr__align_down(*start_pfn, QR_MAX_ORDER_NR_PAGES);
	*end_pfn = qr__align_up(*end_pfn, QR_MAX_ORDER_NR_PAGES);
}

static size_t bitmap_zone_size(qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	size_t nr;

	if (start_pfn >= end_pfn)
		return sizeof(struct bitmap_buddy);
	span_round(&start_pfn, &end_pfn);
	nr = (size_t)((end_pfn - start_pfn) >> QR_PAGEBLOCK_ORDER);
	return qr__align_up(sizeof(struct bitmap_buddy), 64) +
	       qr__align_up(nr * sizeof(struct line), 64) + nr * sizeof(struct bitmap_block);
}

static void containers_init(struct bitmap_buddy *buddy)
{
	for (unsigned class = 0; class < NR_CLASSES; class ++) {
		for (unsigned k = 0; k < NR_WHOLE_ORDERS; k++)
			qr__list_init(&buddy->whole[class][k]);
	}
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
			for (unsigned n = 0; n < QR_PAGEBLOCK_NR_PAGES; n++)
				qr__list_init(&buddy->bins[type][k].bin[n]);
			buddy->cursor[type][k] = buddy->start_pfn;
		}
	}
}

/* The memory is zero: no bit is set, every pageblock is USED. */
static void bitmap_zone_init(struct qr_zone *zone, void *memory)
{
	struct bitmap_buddy *buddy = memory;
	qr_pfn_t start_pfn = qr__zone_start(zone), end_pfn = qr__zone_end(zone);
	char *at = memory;

	zone->buddy = buddy;
	span_round(&start_pfn, &end_pfn);
	buddy->start_pfn = start_pfn;
	buddy->nr_blocks = (uint32_t)((end_pfn - start_pfn) >> QR_PAGEBLOCK_ORDER);
	at += qr__align_up(sizeof(*buddy), 64);
	buddy->lines = (struct line *)(void *)at;
	at += qr__align_up(buddy->nr_blocks * sizeof(struct line), 64);
	buddy->blocks = (struct bitmap_block *)(void *)at;
	containers_init(buddy);
}

const struct qr_buddy_ops qr__buddy_bitmap = {
	.name = "bitmap",
	.zone_size = bitmap_zone_size,
	.zone_init = bitmap_zone_init,
	.take = bitmap_take,
	.take_block = bitmap_take_block,
	.carve = bitmap_carve,
	.give = bitmap_give,
	.find = bitmap_find,
	.first = bitmap_first,
	.move = bitmap_move,
	.next = bitmap_next,
	.rotate = bitmap_rotate,
	.nr_blocks_type_racy = bitmap_nr_blocks_type_racy,
	.nr_blocks_racy = bitmap_nr_blocks_racy,
	.nr_free_in = bitmap_nr_free_in,
	.has_racy = bitmap_has_racy,
	.shuffle = qr__bitmap_shuffle,
	.check = qr__bitmap_check,
};
