/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_reported.c - blocks that were reported to be free, and have changed since
 *
 * REPORTED stands in the record of a free block's head, and is said of that block: when it joins
 * another, or is cut, it is no longer true.  But blocks join here without anybody looking at their
 * records, or noticing.  So where blocks of a zone were ever reported (has_reported), those that
 * came back are gone over once more, after all is done: each order at which a block found its buddy
 * free names one head that may have been reported.
 *
 * What is handed out loses the mark as any head does (bitmap_take.c), so what is cut from its
 * lower end needs no more.
 */
#include "bitmap.h"

static void head_clear(struct qr_zone *zone, qr_pfn_t pfn)
{
	if (qr__word_noted(qr__pfn_word(zone->frames, pfn)))
		qr__page_reported_clear(zone->frames, qr__pfn_page(zone->frames, pfn));
}

void qr__bitmap_reported_joined(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	struct qr_block block;

	if (!zone->ops->find(zone, pfn, &block) || block.order <= order)
		return;
	head_clear(zone, pfn);
	for (; order < block.order; order++) {
		pfn &= ~(qr__order_pages(order) - 1);
		head_clear(zone, pfn ^ qr__order_pages(order));
	}
}

void qr__bitmap_reported_cut(struct qr_zone *zone, qr_pfn_t pfn)
{
	struct qr_block block;

	if (zone->ops->find(zone, pfn, &block))
		head_clear(zone, block.pfn);
}
