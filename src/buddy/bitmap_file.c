/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_file.c - where partly free pageblocks are filed, and which one serves next
 *
 * For each type, and for each order that a pageblock's largest free block can have, there is a row
 * of bins by the exact number of free pages, a bitmap of the bins that are not empty, and the
 * lowest of them, which CPUs read without a lock to choose between stripes.  The fullest pageblock
 * that serves a request of order k is in the lowest bin of the rows k and up.
 *
 * A free page that does not change the largest order leaves its pageblock where it is filed: the
 * bin may then be lower than the count (B9).  Only when such a pageblock comes up to be chosen
 * is it moved to the bin it belongs to, so a free costs no list operation, and a pageblock that is
 * chosen really is the fullest: the bins are lower bounds, and those below were looked at first.
 * Each such move is paid for by at least one free since the last.
 */
#include "bitmap.h"

static struct bitmap_row *row_of(struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_block *block = &buddy->blocks[i];

	return &bitmap_stripe(buddy, i)->rows[block->type][block->order];
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

static void bin_push(struct bitmap_buddy *buddy, struct bitmap_row *row, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint16_t *fullest = fullest_of(buddy, i);
	uint32_t *bin = &row->bin[block->bin];

	block->link.prev = QR_LIST_NONE;
	block->link.next = *bin - 1; /* an empty bin's 0 becomes QR_LIST_NONE */
	if (*bin)
		buddy->blocks[*bin - 1].link.prev = i;
	else
		row->filled[block->bin / 64] |= UINT64_C(1) << (block->bin % 64);
	*bin = i + 1;
	if (fullest_read(fullest) - 1u >= block->bin) /* or there was none */
		fullest_set(fullest, block->bin);
}

/* The lowest bin from @bin on that is not empty; 0: all are. */
static unsigned bin_next(const struct bitmap_row *row, unsigned bin)
{
	for (unsigned w = bin / 64; w < LINE_WORDS; w++) {
		if (row->filled[w])
			return w * 64 + qr__ctz64(row->filled[w]);
	}
	return 0;
}

static void bin_remove(struct bitmap_buddy *buddy, struct bitmap_row *row, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint16_t *fullest = fullest_of(buddy, i);

	if (block->link.next != QR_LIST_NONE)
		buddy->blocks[block->link.next].link.prev = block->link.prev;
	if (block->link.prev != QR_LIST_NONE) {
		buddy->blocks[block->link.prev].link.next = block->link.next;
		return;
	}
	row->bin[block->bin] = block->link.next + 1;
	if (row->bin[block->bin])
		return;
	row->filled[block->bin / 64] &= ~(UINT64_C(1) << (block->bin % 64));
	if (fullest_read(fullest) == block->bin) /* all before it are empty */
		fullest_set(fullest, bin_next(row, block->bin));
}

static void order_note(struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint32_t *orders = &bitmap_stripe(buddy, i)->orders[block->type];
	uint32_t now = atomic_load_explicit(orders, memory_order_relaxed);
	uint32_t bit = UINT32_C(1) << block->order;

	now = fullest_read(fullest_of(buddy, i)) ? now | bit : now & ~bit;
	atomic_store_explicit(orders, now, memory_order_relaxed);
}

void qr__bitmap_file(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];

	block->state = BLOCK_PART;
	block->type = (uint8_t)type;
	block->bin = block->nr_free;
	bin_push(buddy, row_of(buddy, i), i);
	order_note(buddy, i);
	qr__bump(&bitmap_stripe(buddy, i)->part_pages[type], block->nr_free);
}

void qr__bitmap_unfile(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];

	bin_remove(buddy, row_of(buddy, i), i);
	order_note(buddy, i);
	qr__bump(&bitmap_stripe(buddy, i)->part_pages[block->type], -(uint64_t)block->nr_free);
	block->state = BLOCK_USED;
}

/* Change ------------------------------------------------------------------------------------- */

void qr__bitmap_part_open(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];

	if (block->state != BLOCK_PART)
		return;
	if (block->counted)
		qr__bitmap_uncount(buddy, i);
	qr__bitmap_unfile(buddy, i);
}

void qr__bitmap_part_file(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
			  enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];

	block->order = (uint8_t)order;
	block->counted = false;
	qr__bitmap_stale(buddy, i);
	qr__bitmap_file(buddy, i, type);
}

void qr__bitmap_part_close(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bits bits;

	if (!block->nr_free)
		return;
	bits = line_load(&buddy->lines[i]);
	qr__bitmap_part_file(buddy, i, bits_largest(&bits), type);
}

/* Choice ------------------------------------------------------------------------------------- */

unsigned qr__bitmap_fullest_racy(const struct bitmap_stripe *stripe, enum qr_migratetype type,
				 unsigned order)
{
	unsigned fullest = QR_PAGEBLOCK_NR_PAGES;

	for (unsigned k = order; k < NR_PART_ORDERS; k++) {
		unsigned here = fullest_read(&stripe->fullest[type][k]);

		if (here && here < fullest)
			fullest = here;
	}
	return fullest;
}

uint32_t qr__bitmap_choose_exact(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
				 enum qr_migratetype type, unsigned order)
{
	struct bitmap_row *row = &stripe->rows[type][order];
	unsigned bin;

	while ((bin = fullest_read(&stripe->fullest[type][order])) != 0) {
		uint32_t i = row->bin[bin] - 1;
		struct bitmap_block *block = &buddy->blocks[i];

		if (block->nr_free == bin)
			return i;
		bin_remove(buddy, row, i);
		block->bin = block->nr_free;
		bin_push(buddy, row, i);
	}
	return QR_LIST_NONE;
}

uint32_t qr__bitmap_choose(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
			   enum qr_migratetype type, unsigned order)
{
	uint32_t orders = atomic_load_explicit(&stripe->orders[type], memory_order_relaxed);
	uint32_t best = QR_LIST_NONE;

	orders &= (UINT32_C(1) << NR_PART_ORDERS) - 1;
	for (orders = orders >> order << order; orders; orders &= orders - 1) {
		unsigned k = qr__ctz64(orders);
		uint32_t i;

		/* even as a lower bound it is no fuller than what we have */
		if (best != QR_LIST_NONE &&
		    fullest_read(&stripe->fullest[type][k]) >= buddy->blocks[best].nr_free)
			continue;
		i = qr__bitmap_choose_exact(buddy, stripe, type, k);
		if (best == QR_LIST_NONE || buddy->blocks[i].nr_free < buddy->blocks[best].nr_free)
			best = i;
	}
	return best;
}
