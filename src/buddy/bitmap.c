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
 * What the list engine does and this one does not: there is no order within a list (hot, cold), and
 * there are no guard pages, which would have to be neither free nor in use.
 *
 * Stripes
 * -------
 * A large zone is divided into stripes of equal size, each with its own lock, bins, sets and
 * counts, so that CPUs which fill and empty their caches do not wait for one another.  What a
 * stripe is, which one a CPU prefers and when it moves on is told in bitmap_near.c, which has the
 * only operations that take one stripe's lock alone.  All others are called with the whole zone
 * locked, which is to hold the locks of all its stripes, and see one zone: they look at each
 * stripe in turn.
 *
 * Invariants
 * ----------
 * They hold for a stripe whenever its lock is free; bitmap_check.c verifies them.  Their numbers go
 * on where those of the list engine end.
 *
 *	B7	A frame is free if and only if its bit is set or its pageblock is whole; never
 *		both.  It lies inside the zone, and its record does not say that it is in use.
 *	B8	nr_free of a pageblock is the number of its bits, and it is part by that; if there
 *		are none, it is used or whole, and which of these says its stripe's last set.
 *	B9	A part pageblock is in one bin: of its type, of the order of its largest free block,
 *		and of a count that is at most nr_free.  fullest[] says which bin of each row is the
 *		lowest that is not empty.
 *	B10	A wholly free block covers pageblocks of one class only: those of type HIGHATOMIC,
 *		CMA and ISOLATE keep to themselves.
 *	B11	A wholly free block is in the set of its class and order, and nothing else is; what
 *		is whole lies in one such block.  Two that are buddies of one class are joined, but
 *		for a change of type since the last of them was given.
 *	B12	The counts of blocks by type and order say what there is, but for parts that are
 *		marked as stale; a bit of orders[] is set if and only if there is such a largest
 *		block; and the zone's counts of free pages say what the pageblocks' do.  Wholly free
 *		plain pageblocks count as MOVABLE, whatever their record says.
 *	B13	A stripe's bins hold its own pageblocks only, and part_pages[] is the sum
 *		of what is free in its parts.
 *	B14	While only single stripes are locked, a part may be loose (bitmap_loose.c): then it
 *		is in no bin, or in one of an order that its largest block had before, and if it is
 *		blind, largest is no more than that block's order; and orders[] says no more than
 *		there is.  Pageblocks that came as such are in sets of their own and in no block.
 *		While the whole zone is locked, there is nothing of this.
 *
 * Cost
 * ----
 * Taking n single pages costs one choice (a few words of bitmap for each order), one pass over a
 * line, and one refiling, whatever n is.  Giving a page costs two cache lines: the bits and the
 * pageblock's 16 bytes; and for a pageblock that is loose one look and one refiling, however many
 * pages it got since somebody took from its stripe.  Nothing depends on the size of the zone.
 *
 * Locking
 * -------
 * zone->lock, or for bitmap_near.c's pair one stripe's; the _racy functions read single words.
 */
#include "bitmap.h"

static unsigned long long ull(uint64_t x)
{
	return x;
}

static enum qr_migratetype type_at(const struct qr_zone *zone, uint32_t i)
{
	return qr__pageblock_type(zone->frames, bitmap_pfn(bitmap_of(zone), i));
}

/* A certain block -------------------------------------------------------------------------- */

/* Take 2^order frames at pfn, all free, out of one pageblock; what is left is of rest_type. */
static void small_remove(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			 enum qr_migratetype rest_type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	struct bitmap_block *block = &buddy->blocks[i];
	enum qr_migratetype type = (enum qr_migratetype)block->type;

	if (bitmap_is_whole(buddy, i)) {
		type = bitmap_class_type(bitmap_class_of(type_at(zone, i)));
		qr__bitmap_whole_isolate(buddy, i);
		bitmap_line_set(buddy, i, true);
		block->nr_free = QR_PAGEBLOCK_NR_PAGES;
	} else {
		qr__bitmap_part_open(buddy, i);
	}
	/* what stays is accounted anew, under its new type */
	qr__zone_account_free(zone, -(int64_t)block->nr_free, type);
	line_fill(&buddy->lines[i], bitmap_offset(pfn), order, false);
	bitmap_nr_free_add(block, -(1u << order));
	qr__bitmap_part_close(buddy, i, rest_type);
	qr__zone_account_free(zone, block->nr_free, rest_type);
	qr__bitmap_type_set(zone, i, rest_type);
}

/* The same for whole pageblocks, which are one block or several. */
static void large_remove(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t first = bitmap_index(buddy, pfn), nr = 1u << (order - QR_PAGEBLOCK_ORDER);

	for (uint32_t i = first; i < first + nr; i++) {
		enum qr_migratetype type = type_at(zone, i);

		qr__bitmap_whole_isolate(buddy, i);
		qr__zone_account_free(zone, -(int64_t)QR_PAGEBLOCK_NR_PAGES, type);
	}
}

static void bitmap_take_block(struct qr_zone *zone, struct qr_block block, unsigned order,
			      enum qr_migratetype rest_type)
{
	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (qr__unlikely(bitmap_has_reported(zone)))
		qr__bitmap_reported_cut(zone, block.pfn);
	if (order >= QR_PAGEBLOCK_ORDER)
		large_remove(zone, block.pfn, order);
	else
		small_remove(zone, block.pfn, order, rest_type);
	qr__bitmap_hand_out(zone, block.pfn, order);
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
		return bitmap_is_whole(buddy, i) ||
		       line_all(&buddy->lines[i], bitmap_offset(pfn), order);
	for (uint32_t k = 0; k < 1u << (order - QR_PAGEBLOCK_ORDER); k++) {
		if (!bitmap_is_whole(buddy, i + k))
			return false;
	}
	return true;
}

/* Of the blocks that make up a range, none is what it was. */
static void range_reported_cut(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	qr_pfn_t end_pfn = pfn + qr__order_pages(order);

	for (; pfn < end_pfn; pfn += QR_PAGEBLOCK_NR_PAGES)
		qr__bitmap_reported_cut(zone, pfn);
}

static bool bitmap_carve(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	enum qr_migratetype type;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (!range_free(zone, pfn, order))
		return false;
	if (qr__unlikely(bitmap_has_reported(zone)))
		range_reported_cut(zone, pfn, order);
	type = qr__pageblock_type(zone->frames, pfn);
	if (order >= QR_PAGEBLOCK_ORDER)
		large_remove(zone, pfn, order);
	else
		small_remove(zone, pfn, order, type);
	qr__bitmap_hand_out(zone, pfn, order);
	return true;
}

/* Giving back ------------------------------------------------------------------------------ */

/* All of a pageblock is free now: it leaves the parts and becomes a buddy. */
static unsigned become_whole(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	qr__bitmap_part_open(buddy, i);
	bitmap_line_set(buddy, i, false);
	buddy->blocks[i].nr_free = 0;
	return qr__bitmap_whole_insert(buddy, i, QR_PAGEBLOCK_ORDER, bitmap_class_of(type));
}

/*
 * Set the bits of a block that leaves its pageblock partly free.  As long as the largest order
 * stays what it was, so does the place in the file.
 */
static unsigned part_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			  enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);
	struct bitmap_block *block = &buddy->blocks[i];
	bool part = block->part;
	unsigned joined;

	if (part && block->counted)
		qr__bitmap_uncount(buddy, i);
	line_fill(&buddy->lines[i], bitmap_offset(pfn), order, true);
	joined = line_join(&buddy->lines[i], bitmap_offset(pfn), order);
	if (part && joined <= block->largest) {
		bitmap_nr_free_add(block, 1u << order);
		qr__bump(&bitmap_stripe(buddy, i)->part_pages[block->type], 1u << order);
		return joined;
	}
	if (part)
		qr__bitmap_unfile(buddy, i);
	bitmap_nr_free_add(block, 1u << order);
	qr__bitmap_part_file(buddy, i, joined, type);
	return joined;
}

static unsigned give_uncounted(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			       enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);

	QR_ASSERT(&zone->frames->base,
		  !bitmap_is_whole(buddy, i) &&
			  (order >= QR_PAGEBLOCK_ORDER ||
			   line_none(&buddy->lines[i], bitmap_offset(pfn), order)),
		  "B7: block of order %u at %#llx is free already", order, ull(pfn));
	if (order >= QR_PAGEBLOCK_ORDER)
		return qr__bitmap_whole_insert(buddy, i, order, bitmap_class_of(type));
	if (buddy->blocks[i].nr_free + (1u << order) == QR_PAGEBLOCK_NR_PAGES)
		return become_whole(buddy, i, type);
	return part_give(zone, pfn, order, type);
}

static unsigned bitmap_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			    enum qr_migratetype type, enum qr_list_end end)
{
	unsigned joined;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	qr__zone_account_free(zone, (int64_t)qr__order_pages(order), type);
	if (end != QR_END_FRESH)
		qr__page_type_set(zone->frames, qr__pfn_page(zone->frames, pfn), QR_PT_NONE);
	joined = give_uncounted(zone, pfn, order, type);
	if (qr__unlikely(bitmap_has_reported(zone)))
		qr__bitmap_reported_joined(zone, pfn, order);
	return joined;
}

/* Looking ---------------------------------------------------------------------------------- */

static bool bitmap_find(const struct qr_zone *zone, qr_pfn_t pfn, struct qr_block *block)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i;

	if (!frame_known(zone, pfn))
		return false;
	i = bitmap_index(buddy, pfn);
	if (bitmap_is_whole(buddy, i)) {
		struct bitmap_whole whole = qr__bitmap_whole_of(buddy, i);

		*block = (struct qr_block){.pfn = bitmap_pfn(buddy, whole.head),
					   .order = whole.order};
		return true;
	}
	if (!line_test(&buddy->lines[i], bitmap_offset(pfn)))
		return false;
	block->order = line_join(&buddy->lines[i], bitmap_offset(pfn), 0);
	block->pfn = qr__align_down(pfn, qr__order_pages(block->order));
	return true;
}

static uint64_t bitmap_nr_free_in(const struct qr_zone *zone, qr_pfn_t pfn)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t i = bitmap_index(buddy, pfn);

	return bitmap_is_whole(buddy, i) ? QR_PAGEBLOCK_NR_PAGES : buddy->blocks[i].nr_free;
}

/* Changing types --------------------------------------------------------------------------- */

/*
 * Pageblock i of a whole block leaves one class for another; within a class nothing is to be done.
 * The block's first takes the others along.
 */
static void whole_reclass(struct qr_zone *zone, uint32_t i, enum qr_migratetype from,
			  enum qr_migratetype to)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	struct bitmap_whole whole = qr__bitmap_whole_of(buddy, i);

	if (bitmap_class_of(from) == bitmap_class_of(to) || whole.head != i)
		return;
	qr__bitmap_whole_remove(buddy, whole);
	qr__bitmap_whole_insert(buddy, i, whole.order, bitmap_class_of(to));
	if (qr__unlikely(bitmap_has_reported(zone)))
		qr__bitmap_reported_joined(zone, bitmap_pfn(buddy, i), whole.order);
}

/* Does a wholly free block begin or end outside [start_pfn, end_pfn), and lie inside as well? */
static bool whole_straddles(const struct bitmap_buddy *buddy, qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	uint32_t first = bitmap_index(buddy, start_pfn), last = bitmap_index(buddy, end_pfn - 1);
	struct bitmap_whole whole;

	if (bitmap_is_whole(buddy, first) && qr__bitmap_whole_of(buddy, first).head != first)
		return true;
	if (!bitmap_is_whole(buddy, last))
		return false;
	whole = qr__bitmap_whole_of(buddy, last);
	return bitmap_pfn(buddy, whole.head) + qr__order_pages(whole.order) > end_pfn;
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
		int64_t nr_free = (int64_t)bitmap_nr_free_in(zone, pfn);

		if (!nr_free)
			continue;
		nr_moved += (uint64_t)nr_free;
		qr__zone_account_free(zone, -nr_free, from);
		qr__zone_account_free(zone, nr_free, to);
		if (bitmap_is_whole(buddy, i)) {
			whole_reclass(zone, i, from, to);
			continue;
		}
		qr__bitmap_part_open(buddy, i);
		qr__bitmap_part_close(buddy, i, to);
	}
	return nr_moved;
}

/* Creation --------------------------------------------------------------------------------- */

static void span_round(qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	*start_pfn = qr__align_down(*start_pfn, QR_MAX_ORDER_NR_PAGES);
	*end_pfn = qr__align_up(*end_pfn, QR_MAX_ORDER_NR_PAGES);
}

/*
 * How large a stripe is: two stripes for each CPU, so that it can step aside without stepping on
 * others' toes, if that leaves them large enough to be worth it.  A power of 2.
 */
static unsigned stripe_shift(uint64_t nr_pages, unsigned nr_cpus)
{
	uint64_t wanted = nr_cpus > 1 ? qr__min(2 * (uint64_t)nr_cpus, QR_MAX_STRIPES) : 1;
	uint64_t pages = qr__max((nr_pages + wanted - 1) / wanted, QR_STRIPE_MIN_PAGES);

	return qr__order_for(qr__max(pages, QR_MAX_ORDER_NR_PAGES)) - QR_PAGEBLOCK_ORDER;
}

static unsigned stripes_for(uint64_t nr_blocks, unsigned shift)
{
	return nr_blocks ? (unsigned)((nr_blocks - 1) >> shift) + 1 : 0;
}

/* How many words a set has; and with those above. */
static uint32_t set_words(unsigned shift)
{
	return (uint32_t)QR_BITMAP_WORDS(UINT64_C(1) << shift);
}

static uint32_t set_stride(unsigned shift)
{
	return set_words(shift) + (uint32_t)QR_BITMAP_WORDS(set_words(shift));
}

/* All sets of a stripe; no two stripes share a cache line. */
static size_t sets_size(unsigned shift)
{
	return qr__align_up(NR_SETS * sizeof(uint64_t) * set_stride(shift), 64);
}

/*
 * How many counts of free pages (log2) share a bin: none, if that leaves 16 bins for each pageblock
 * of a stripe, so that bins take a five hundredth of the memory that they are for, at most.
 */
static unsigned bin_shift(uint64_t nr_blocks, unsigned stripe_shift)
{
	uint64_t enough = 16 * qr__min(nr_blocks, UINT64_C(1) << stripe_shift);
	unsigned shift = 0;

	while (QR_PAGEBLOCK_NR_PAGES >> shift > enough)
		shift++;
	return shift;
}

/* From 1 on. */
static unsigned nr_bins(uint64_t nr_blocks, unsigned stripe_shift)
{
	return (unsigned)((QR_PAGEBLOCK_NR_PAGES - 2) >> bin_shift(nr_blocks, stripe_shift)) + 2;
}

/* All rows of a stripe. */
static size_t rows_size(unsigned bins)
{
	return qr__align_up(QR_MIGRATE_TYPES * NR_PART_ORDERS * bitmap_row_size(bins), 64);
}

/* Where the arrays lie behind the struct; everything begins on a cache line of its own. */
struct rooms {
	size_t stripes, sets, rows, lines, blocks, stale, all;
};

static struct rooms rooms_of(uint64_t nr_blocks, unsigned shift)
{
	unsigned nr_stripes = stripes_for(nr_blocks, shift);
	struct rooms r;

	r.stripes = qr__align_up(sizeof(struct bitmap_buddy), 64);
	r.sets = r.stripes + nr_stripes * sizeof(struct bitmap_stripe);
	r.rows = r.sets + nr_stripes * sets_size(shift);
	r.lines = r.rows + nr_stripes * (nr_blocks ? rows_size(nr_bins(nr_blocks, shift)) : 0);
	r.blocks = r.lines + qr__align_up(nr_blocks * sizeof(struct line), 64);
	r.stale = r.blocks + qr__align_up(nr_blocks * sizeof(struct bitmap_block), 64);
	r.all = r.stale + QR_BITMAP_WORDS(nr_blocks) * sizeof(uint64_t);
	return r;
}

static size_t bitmap_zone_size(qr_pfn_t start_pfn, qr_pfn_t end_pfn, unsigned nr_cpus)
{
	uint64_t nr_blocks;

	if (start_pfn >= end_pfn)
		return rooms_of(0, 0).all;
	span_round(&start_pfn, &end_pfn);
	nr_blocks = (end_pfn - start_pfn) >> QR_PAGEBLOCK_ORDER;
	return rooms_of(nr_blocks, stripe_shift(end_pfn - start_pfn, nr_cpus)).all;
}

static void stripes_init(struct bitmap_buddy *buddy, char *sets, char *rows)
{
	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		buddy->stripes[s].sets =
			(uint64_t *)(void *)(sets + s * sets_size(buddy->stripe_shift));
		buddy->stripes[s].rows = rows + s * rows_size(buddy->nr_bins);
	}
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		for (unsigned k = 0; k < NR_PART_ORDERS; k++)
			buddy->cursor[type][k] = buddy->start_pfn;
	}
}

/* For frames/, whose pointer to it is to need no table of addresses. */
static void zone_gather(struct qr_zone *zone)
{
	qr__bitmap_gather_all(zone);
}

/* The memory is zero: no bit is set, every pageblock is used, every bin is empty. */
static void bitmap_zone_init(struct qr_zone *zone, void *memory)
{
	struct bitmap_buddy *buddy = memory;
	qr_pfn_t start_pfn = qr__zone_start(zone), end_pfn = qr__zone_end(zone);
	struct rooms rooms;

	zone->buddy = buddy;
	buddy->zone = zone;
	span_round(&start_pfn, &end_pfn);
	buddy->start_pfn = start_pfn;
	buddy->nr_blocks = (uint32_t)((end_pfn - start_pfn) >> QR_PAGEBLOCK_ORDER);
	buddy->stripe_shift = stripe_shift(end_pfn - start_pfn, zone->frames->base.nr_cpus);
	buddy->nr_stripes = stripes_for(buddy->nr_blocks, buddy->stripe_shift);
	if (buddy->nr_blocks) {
		buddy->bin_shift = bin_shift(buddy->nr_blocks, buddy->stripe_shift);
		buddy->nr_bins = nr_bins(buddy->nr_blocks, buddy->stripe_shift);
	}
	buddy->set_words = set_words(buddy->stripe_shift);
	buddy->set_stride = set_stride(buddy->stripe_shift);
	rooms = rooms_of(buddy->nr_blocks, buddy->stripe_shift);
	buddy->stripes = (struct bitmap_stripe *)(void *)((char *)memory + rooms.stripes);
	buddy->lines = (struct line *)(void *)((char *)memory + rooms.lines);
	buddy->blocks = (struct bitmap_block *)(void *)((char *)memory + rooms.blocks);
	buddy->stale = (_Atomic uint64_t *)(void *)((char *)memory + rooms.stale);
	stripes_init(buddy, (char *)memory + rooms.sets, (char *)memory + rooms.rows);
	qr__zone_stripes_init(zone, start_pfn, buddy->stripe_shift + QR_PAGEBLOCK_ORDER,
			      buddy->nr_stripes, zone_gather);
}

const struct qr_buddy_ops qr__buddy_bitmap = {
	.name = "bitmap",
	.zone_size = bitmap_zone_size,
	.zone_init = bitmap_zone_init,
	.take = qr__bitmap_take,
	.take_block = bitmap_take_block,
	.carve = bitmap_carve,
	.give = bitmap_give,
	.refill = qr__bitmap_refill,
	.drain = qr__bitmap_drain,
	.find = bitmap_find,
	.first = qr__bitmap_first,
	.move = bitmap_move,
	.next = qr__bitmap_next,
	.rotate = qr__bitmap_rotate,
	.settle = qr__bitmap_settle,
	.nr_blocks_type_racy = qr__bitmap_nr_blocks_type_racy,
	.nr_blocks_racy = qr__bitmap_nr_blocks_racy,
	.nr_free_in = bitmap_nr_free_in,
	.has_racy = qr__bitmap_has_racy,
	.shuffle = qr__bitmap_shuffle,
	.check = qr__bitmap_check,
};
