/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_file.c - where partly free pageblocks are filed, and which one serves next
 *
 * For each type, and for each order that a pageblock's largest free block can have, there is a row
 * of bins by the exact number of free pages, and a bitmap of the bins that are not empty.  The
 * fullest pageblock that serves a request of order k is the lowest bin of the rows k and up.
 *
 * A free page that does not change the largest order leaves its pageblock where it is filed: the
 * bin may then be lower than the count (B9).  Only when such a pageblock comes up to be chosen
 * is it moved to the bin it belongs to, so a free costs no list operation, and a pageblock that is
 * chosen really is the fullest: the bins are lower bounds, and those below were looked at first.
 * Each such move is paid for by at least one free since the last.
 */
#include "bitmap.h"

static struct bitmap_bins *row_of(struct bitmap_buddy *buddy, const struct bitmap_block *block)
{
	return &buddy->bins[block->type][block->largest];
}

void qr__bitmap_file(struct bitmap_buddy *buddy, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bitmap_bins *row;

	block->state = BLOCK_PART;
	block->type = (uint8_t)type;
	block->bin = block->nr_free;
	row = row_of(buddy, block);
	qr__list_push_front(&row->bin[block->bin], bitmap_links(buddy), i);
	row->filled[block->bin / 64] |= UINT64_C(1) << (block->bin % 64);
}

void qr__bitmap_unfile(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bitmap_bins *row = row_of(buddy, block);

	qr__list_remove(&row->bin[block->bin], bitmap_links(buddy), i);
	if (qr__list_empty(&row->bin[block->bin]))
		row->filled[block->bin / 64] &= ~(UINT64_C(1) << (block->bin % 64));
	block->state = BLOCK_USED;
}

/* The lowest filled bin; QR_PAGEBLOCK_NR_PAGES: all are empty. */
static unsigned lowest_bin(const struct bitmap_bins *row)
{
	for (unsigned i = 0; i < LINE_WORDS; i++) {
		if (row->filled[i])
			return i * 64 + qr__ctz64(row->filled[i]);
	}
	return QR_PAGEBLOCK_NR_PAGES;
}

uint32_t qr__bitmap_choose_exact(struct bitmap_buddy *buddy, enum qr_migratetype type,
				 unsigned order)
{
	struct bitmap_bins *row = &buddy->bins[type][order];
	unsigned bin;

	while ((bin = lowest_bin(row)) < QR_PAGEBLOCK_NR_PAGES) {
		uint32_t i = row->bin[bin].first;

		if (buddy->blocks[i].nr_free == bin)
			return i;
		qr__bitmap_unfile(buddy, i);
		qr__bitmap_file(buddy, i, type);
	}
	return QR_LIST_NONE;
}

uint32_t qr__bitmap_choose(struct bitmap_buddy *buddy, enum qr_migratetype type, unsigned order)
{
	uint32_t best = QR_LIST_NONE;

	for (; order < NR_PART_ORDERS; order++) {
		const struct bitmap_bins *row = &buddy->bins[type][order];
		uint32_t i;

		/* even as a lower bound it is no fuller than what we have */
		if (best != QR_LIST_NONE && lowest_bin(row) >= buddy->blocks[best].nr_free)
			continue;
		i = qr__bitmap_choose_exact(buddy, type, order);
		if (i != QR_LIST_NONE && (best == QR_LIST_NONE ||
					  buddy->blocks[i].nr_free < buddy->blocks[best].nr_free))
			best = i;
	}
	return best;
}
