/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_file.c - where partly free pageblocks are filed, and which one serves next
 *
 * For each type, and for each order that a pageblock's largest free block can have, there is a row
 * of bins by the number of free pages, a bitmap of the bins that are not empty, and the lowest of
 * them, which CPUs read without a lock to choose between stripes.  The fullest pageblock that
 * serves a request of order k is in the lowest bin of the rows k and up.
 *
 * Bins are for one count each, but in stripes of a few pageblocks, where that would take more
 * memory than it is worth: there several counts share one, and whoever chooses looks at all that
 * is in it.
 *
 * A free page that does not change the largest order leaves its pageblock where it is filed: the
 * bin may then be lower than the count (B9).  Only when such a pageblock comes up to be chosen
 * is it moved to the bin it belongs to, so a free costs no list operation, and a pageblock that is
 * chosen really is the fullest: the bins are lower bounds, and those below were looked at first.
 * Each such move is paid for by at least one free since the last.
 *
 * What comes back through caches does not file its pageblock anew each time, for more is likely to
 * come, and once all of it is back it leaves the file for good: it comes loose, and whatever is
 * loose is gathered before anything is taken from its stripe (bitmap_gather.c).  Until then
 * pageblocks only grow, so a bit of orders[] that was set for one of them stays true for those who
 * ask for this order or more.
 */
#include "bitmap.h"

static struct bitmap_row row_of(const struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_block *block = &buddy->blocks[i];

	return bitmap_row(buddy, bitmap_stripe(buddy, i), block->type, block->order);
}

/* The number of its row's lowest bin that is not empty; 0: all are. */
static _Atomic uint16_t *fullest_of(struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_block *block = &buddy->blocks[i];

	return &bitmap_stripe(buddy, i)->fullest[block->type][block->order];
}

static unsigned fullest_read(const _Atomic uint16_t *fullest)
{
	return atomic_load_explicit(fullest, memory_order_relaxed);
}

static void fullest_set(_Atomic uint16_t *fullest, unsigned bin)
{
	atomic_store_explicit(fullest, (uint16_t)bin, memory_order_relaxed);
}

/* Bins --------------------------------------------------------------------------------------- */

/* Into the bin that it belongs to by now. */
static void bin_push(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bitmap_row row = row_of(buddy, i);
	_Atomic uint16_t *fullest = fullest_of(buddy, i);
	uint32_t *bin;

	block->bin = (uint16_t)bitmap_bin_for(buddy, block->nr_free);
	bin = &row.bin[block->bin];
	block->link.prev = QR_LIST_NONE;
	block->link.next = *bin - 1; /* an empty bin's 0 becomes QR_LIST_NONE */
	if (*bin)
		buddy->blocks[*bin - 1].link.prev = i;
	else
		row.filled[block->bin / 64] |= UINT64_C(1) << (block->bin % 64);
	*bin = i + 1;
	if (fullest_read(fullest) - 1u >= block->bin) /* or there was none */
		fullest_set(fullest, block->bin);
}

/* The lowest bin from @bin on that is not empty; 0: all are. */
static unsigned bin_next(const struct bitmap_buddy *buddy, const uint64_t *filled, unsigned bin)
{
	for (unsigned w = bin / 64; w < QR_BITMAP_WORDS(buddy->nr_bins); w++) {
		if (filled[w])
			return w * 64 + qr__ctz64(filled[w]);
	}
	return 0;
}

static void bin_remove(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bitmap_row row = row_of(buddy, i);
	_Atomic uint16_t *fullest = fullest_of(buddy, i);

	if (block->link.next != QR_LIST_NONE)
		buddy->blocks[block->link.next].link.prev = block->link.prev;
	if (block->link.prev != QR_LIST_NONE) {
		buddy->blocks[block->link.prev].link.next = block->link.next;
		return;
	}
	row.bin[block->bin] = block->link.next + 1;
	if (row.bin[block->bin])
		return;
	row.filled[block->bin / 64] &= ~(UINT64_C(1) << (block->bin % 64));
	if (fullest_read(fullest) == block->bin) /* all before it are empty */
		fullest_set(fullest, bin_next(buddy, row.filled, block->bin));
}

/* Which of a type's part orders there are. */
static void orders_set(struct bitmap_stripe *stripe, unsigned type, uint32_t parts)
{
	uint32_t whole =
		atomic_load_explicit(&stripe->orders[type], memory_order_relaxed) & ~PART_ORDERS;

	atomic_store_explicit(&stripe->orders[type], whole | parts, memory_order_relaxed);
}

static void order_note(struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint32_t *orders = &bitmap_stripe(buddy, i)->orders[block->type];
	uint32_t now = atomic_load_explicit(orders, memory_order_relaxed);
	uint32_t bit = UINT32_C(1) << block->order;

	if (fullest_read(fullest_of(buddy, i)))
		now |= bit;
	else
		now &= ~bit;
	atomic_store_explicit(orders, now, memory_order_relaxed);
}

void qr__bitmap_file(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];

	block->part = true;
	block->type = (uint8_t)type;
	bin_push(buddy, i);
	order_note(buddy, i);
	qr__bump(&bitmap_stripe(buddy, i)->part_pages[type], block->nr_free);
}

void qr__bitmap_unfile(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];

	bin_remove(buddy, i);
	order_note(buddy, i);
	block->bin = 0;
	qr__bump(&bitmap_stripe(buddy, i)->part_pages[block->type], -(uint64_t)block->nr_free);
	block->part = false;
	block->largest = 0;
}

/* Gathering ---------------------------------------------------------------------------------- */

void qr__bitmap_bin_change(struct bitmap_buddy *buddy, uint32_t i, bool stays)
{
	struct bitmap_block *block = &buddy->blocks[i];

	if (block->bin)
		bin_remove(buddy, i);
	block->bin = 0;
	if (!stays)
		return;
	block->order = block->largest;
	bin_push(buddy, i);
}

void qr__bitmap_orders_review(struct bitmap_stripe *stripe, uint32_t types)
{
	for (; types; types &= types - 1) {
		unsigned type = qr__ctz64(types);
		uint32_t orders = 0;

		for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
			if (fullest_read(&stripe->fullest[type][k]))
				orders |= UINT32_C(1) << k;
		}
		orders_set(stripe, type, orders);
	}
}

/* Change ------------------------------------------------------------------------------------- */

void qr__bitmap_part_open(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];

	if (!block->part)
		return;
	if (block->counted)
		qr__bitmap_uncount(buddy, i);
	qr__bitmap_unfile(buddy, i);
}

void qr__bitmap_part_file(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
			  enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];

	block->order = block->largest = (uint8_t)order;
	block->counted = false;
	qr__bitmap_stale(buddy, i);
	qr__bitmap_file(buddy, i, type);
}

void qr__bitmap_part_close(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	if (buddy->blocks[i].nr_free)
		qr__bitmap_part_file(buddy, i, line_largest(&buddy->lines[i], 0), type);
}

/* Choice ------------------------------------------------------------------------------------- */

/* The least that a pageblock in this bin has free. */
static unsigned least_of(const struct bitmap_buddy *buddy, unsigned bin)
{
	return ((bin - 1) << buddy->bin_shift) + 1;
}

unsigned qr__bitmap_fullest_racy(const struct bitmap_buddy *buddy,
				 const struct bitmap_stripe *stripe, enum qr_migratetype type,
				 unsigned order)
{
	unsigned fullest = QR_PAGEBLOCK_NR_PAGES;

	for (unsigned k = order; k < NR_PART_ORDERS; k++) {
		unsigned bin = fullest_read(&stripe->fullest[type][k]);

		if (bin && least_of(buddy, bin) < fullest)
			fullest = least_of(buddy, bin);
	}
	/* what is loose has got pages back, and is taken to be as empty as can be */
	if (fullest == QR_PAGEBLOCK_NR_PAGES &&
	    atomic_load_explicit(&stripe->loose, memory_order_relaxed) & QR_TYPE_BIT(type))
		fullest--;
	return fullest;
}

/*
 * The fullest of those in a bin, once those that belong to another one are there; QR_LIST_NONE: it
 * is empty now.
 */
static uint32_t bin_choose(struct bitmap_buddy *buddy, uint32_t first)
{
	uint32_t best = QR_LIST_NONE, next;

	for (uint32_t i = first; i != QR_LIST_NONE; i = next) {
		struct bitmap_block *block = &buddy->blocks[i];

		next = block->link.next;
		if (bitmap_bin_for(buddy, block->nr_free) != block->bin) {
			bin_remove(buddy, i);
			bin_push(buddy, i);
			continue;
		}
		if (best == QR_LIST_NONE || block->nr_free < buddy->blocks[best].nr_free)
			best = i;
		if (!buddy->bin_shift)
			break; /* all in it are alike */
	}
	return best;
}

uint32_t qr__bitmap_choose_exact(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
				 enum qr_migratetype type, unsigned order)
{
	struct bitmap_row row = bitmap_row(buddy, stripe, type, order);
	unsigned bin;

	qr__bitmap_gather_to_take(buddy, stripe);
	while ((bin = fullest_read(&stripe->fullest[type][order])) != 0) {
		uint32_t i = bin_choose(buddy, row.bin[bin] - 1);

		if (i != QR_LIST_NONE)
			return i;
	}
	return QR_LIST_NONE;
}

uint32_t qr__bitmap_choose(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
			   enum qr_migratetype type, unsigned order)
{
	uint32_t orders, best = QR_LIST_NONE;

	qr__bitmap_gather_to_take(buddy, stripe);
	orders = atomic_load_explicit(&stripe->orders[type], memory_order_relaxed) & PART_ORDERS;
	for (orders = orders >> order << order; orders; orders &= orders - 1) {
		unsigned k = qr__ctz64(orders);
		uint32_t i;

		/* even as a lower bound it is no fuller than what we have */
		if (best != QR_LIST_NONE &&
		    least_of(buddy, fullest_read(&stripe->fullest[type][k])) >=
			    buddy->blocks[best].nr_free)
			continue;
		i = qr__bitmap_choose_exact(buddy, stripe, type, k);
		if (best == QR_LIST_NONE || buddy->blocks[i].nr_free < buddy->blocks[best].nr_free)
			best = i;
	}
	return best;
}
