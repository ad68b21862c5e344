/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_walk.c - walking over the free blocks of one order and type
 *
 * There are no lists to walk, so a walk goes over the zone by address, from the cursor to the end
 * and from the start to the cursor.  To rotate is to set the cursor.
 */
#include "bitmap.h"

/* Parts ------------------------------------------------------------------------------------ */

/* The first maximal block of @order in pageblock i at or after @from; QR_PFN_NONE: none. */
static qr_pfn_t block_scan(const struct bitmap_buddy *buddy, uint32_t i, unsigned order,
			   qr_pfn_t from)
{
	struct bits bits = line_load(&buddy->lines[i]);
	struct heads heads;

	heads_of(&bits, &heads);
	for (unsigned w = 0; w < LINE_WORDS; w++) {
		uint64_t found = heads_maximal(&heads, order, w);

		for (; found; found &= found - 1) {
			qr_pfn_t pfn = bitmap_pfn(buddy, i) + w * 64 + qr__ctz64(found);

			if (pfn >= from)
				return pfn;
		}
	}
	return QR_PFN_NONE;
}

static qr_pfn_t part_scan(const struct bitmap_buddy *buddy, unsigned order,
			  enum qr_migratetype type, qr_pfn_t from, qr_pfn_t end)
{
	for (uint32_t i = bitmap_index(buddy, from); bitmap_pfn(buddy, i) < end; i++) {
		const struct bitmap_block *block = &buddy->blocks[i];
		qr_pfn_t pfn;

		if (!block->part || block->type != type || block->largest < order)
			continue;
		pfn = block_scan(buddy, i, order, from);
		if (pfn != QR_PFN_NONE)
			return pfn < end ? pfn : QR_PFN_NONE;
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

/* A block of exactly this order, in a pageblock that has no larger one: the fullest there is. */
static bool part_first(struct bitmap_buddy *buddy, unsigned order, enum qr_migratetype type,
		       struct qr_block *block)
{
	uint32_t best = QR_LIST_NONE;

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		uint32_t i = qr__bitmap_choose_exact(buddy, &buddy->stripes[s], type, order);

		if (i != QR_LIST_NONE && (best == QR_LIST_NONE ||
					  buddy->blocks[i].nr_free < buddy->blocks[best].nr_free))
			best = i;
	}
	if (best == QR_LIST_NONE)
		return false;
	block->pfn = block_scan(buddy, best, order, 0);
	block->order = order;
	return true;
}

/* Whole blocks ----------------------------------------------------------------------------- */

/* The first block in pageblocks [from, end); QR_PFN_NONE: none. */
static qr_pfn_t whole_scan(const struct bitmap_buddy *buddy, unsigned order,
			   enum bitmap_class class, uint32_t from, uint32_t end)
{
	for (unsigned s = bitmap_stripe_of(buddy, from); s < buddy->nr_stripes; s++) {
		uint32_t i = qr__bitmap_whole_next(buddy, s, order, class, from);

		if (i != QR_LIST_NONE)
			return i < end ? bitmap_pfn(buddy, i) : QR_PFN_NONE;
	}
	return QR_PFN_NONE;
}

static qr_pfn_t whole_next(const struct bitmap_buddy *buddy, unsigned order,
			   enum qr_migratetype type, qr_pfn_t after)
{
	enum bitmap_class class = bitmap_class_of(type);
	uint32_t cursor = buddy->whole_cursor[class][order - QR_PAGEBLOCK_ORDER];
	uint32_t from = after == QR_PFN_NONE ? cursor : bitmap_index(buddy, after) + 1;
	qr_pfn_t pfn;

	if (bitmap_class_type(class) != type)
		return QR_PFN_NONE;
	if (from <= cursor && after != QR_PFN_NONE)
		return whole_scan(buddy, order, class, from, cursor);
	pfn = whole_scan(buddy, order, class, from, buddy->nr_blocks);
	return pfn != QR_PFN_NONE ? pfn : whole_scan(buddy, order, class, 0, cursor);
}

/* The contract's three ---------------------------------------------------------------------- */

bool qr__bitmap_first(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		      struct qr_block *block)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	qr_pfn_t pfn;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	qr__bitmap_settle(zone);
	if (!qr__bitmap_nr_blocks_type_racy(zone, order, type))
		return false;
	if (order < QR_PAGEBLOCK_ORDER && part_first(buddy, order, type, block))
		return true;
	pfn = qr__bitmap_next(zone, order, type, QR_PFN_NONE);
	*block = (struct qr_block){.pfn = pfn, .order = order};
	return pfn != QR_PFN_NONE;
}

qr_pfn_t qr__bitmap_next(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 qr_pfn_t after)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	if (order >= QR_PAGEBLOCK_ORDER)
		return whole_next(buddy, order, type, after);
	return part_next(buddy, order, type, after);
}

void qr__bitmap_rotate(struct qr_zone *zone, unsigned order, enum qr_migratetype type, qr_pfn_t pfn)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	if (order < QR_PAGEBLOCK_ORDER) {
		buddy->cursor[type][order] = pfn;
		return;
	}
	buddy->whole_cursor[bitmap_class_of(type)][order - QR_PAGEBLOCK_ORDER] =
		bitmap_index(buddy, pfn);
}
