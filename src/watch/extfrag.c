/* SPDX-License-Identifier: MIT */
/*
 * watch/extfrag.c - how fragmented free memory is, in three numbers
 *
 * All three look at one zone and one order, with T free blocks that hold F pages and could be cut
 * into S blocks of that order:
 *
 *	fragmentation index	why would a request fail: towards 0 for want of memory, towards 1000
 *				because what is free is in pieces; -1000 where it would not fail
 *	unusable free index	which part of the free memory is in pieces too small, of 1000
 *	extfrag			the same in percent, 0 where nothing is free
 *
 * Blocks of all types count, ISOLATE included.  The fragmentation index can be negative without
 * being -1000, when few free pages lie in fewer blocks still; the kernel has the same.
 */
#include "extfrag.h"

#include "../base/text.h"
#include "../buddy/engine.h"

#include "walk.h"

void qr__extfrag_count(const uint64_t nr_blocks[QR_NR_PAGE_ORDERS], unsigned order,
		       struct qr_extfrag *frag)
{
	*frag = (struct qr_extfrag){0};
	for (unsigned o = 0; o < QR_NR_PAGE_ORDERS; o++) {
		frag->nr_blocks += nr_blocks[o];
		frag->nr_free += nr_blocks[o] << o;
		if (o >= order)
			frag->nr_suitable += nr_blocks[o] << (o - order);
	}
}

int qr__fragmentation_index_for(const struct qr_extfrag *frag, unsigned order)
{
	int64_t missing;

	if (frag->nr_blocks == 0)
		return 0;
	if (frag->nr_suitable)
		return -1000;
	missing = (int64_t)(1000 + frag->nr_free * 1000 / qr__order_pages(order));
	return (int)(1000 - missing / (int64_t)frag->nr_blocks);
}

static uint64_t nr_unusable(const struct qr_extfrag *frag, unsigned order)
{
	return frag->nr_free - (frag->nr_suitable << order);
}

int qr__unusable_free_index_for(const struct qr_extfrag *frag, unsigned order)
{
	if (frag->nr_free == 0)
		return 1000;
	return (int)(nr_unusable(frag, order) * 1000 / frag->nr_free);
}

unsigned qr__extfrag_percent_for(const struct qr_extfrag *frag, unsigned order)
{
	if (frag->nr_free == 0)
		return 0;
	return (unsigned)(nr_unusable(frag, order) * 100 / frag->nr_free);
}

/* Of a zone -------------------------------------------------------------------------------- */

static void zone_count_racy(struct qr_zone *zone, unsigned order, struct qr_extfrag *frag)
{
	uint64_t nr_blocks[QR_NR_PAGE_ORDERS] = {0};

	if (qr__zone_populated(zone)) {
		qr__buddy_settle(zone);
		for (unsigned o = 0; o < QR_NR_PAGE_ORDERS; o++)
			nr_blocks[o] = zone->ops->nr_blocks_racy(zone, o);
	}
	qr__extfrag_count(nr_blocks, order, frag);
}

/* False: no such zone or order. */
static bool find_and_count(struct quire *q, int nid, enum qr_zone_type type, unsigned order,
			   struct qr_extfrag *frag)
{
	struct qr_zone *zone = qr__zone_find(q, nid, type);

	if (!zone || order > QR_MAX_PAGE_ORDER)
		return false;
	zone_count_racy(zone, order, frag);
	return true;
}

int qr_fragmentation_index(struct quire *q, int nid, enum qr_zone_type type, unsigned order)
{
	struct qr_extfrag frag;

	return find_and_count(q, nid, type, order, &frag)
		       ? qr__fragmentation_index_for(&frag, order)
		       : 0;
}

int qr_unusable_free_index(struct quire *q, int nid, enum qr_zone_type type, unsigned order)
{
	struct qr_extfrag frag;

	return find_and_count(q, nid, type, order, &frag)
		       ? qr__unusable_free_index_for(&frag, order)
		       : 1000;
}

unsigned qr_extfrag_for_order(struct quire *q, int nid, enum qr_zone_type type, unsigned order)
{
	struct qr_extfrag frag;

	return find_and_count(q, nid, type, order, &frag) ? qr__extfrag_percent_for(&frag, order)
							  : 0;
}

/* Text views ------------------------------------------------------------------------------- */

static size_t index_show(struct quire *q, char *buf, size_t size,
			 int (*index)(const struct qr_extfrag *frag, unsigned order))
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);
	struct qr_zone *zone;

	qr__for_each_populated_zone(frames, zone)
	{
		qr__text_printf(&text, "Node %d, zone %8s ", zone->nid,
				qr_zone_type_name(zone->type));
		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
			struct qr_extfrag frag;
			int value;

			zone_count_racy(zone, order, &frag);
			value = index(&frag, order);
			/* Both halves keep their sign, as in the kernel's file. */
			qr__text_printf(&text, "%d.%03d ", value / 1000, value % 1000);
		}
		qr__text_char(&text, '\n');
	}
	return text.len;
}

size_t qr_show_extfrag_index(struct quire *q, char *buf, size_t size)
{
	return index_show(q, buf, size, qr__fragmentation_index_for);
}

size_t qr_show_unusable_index(struct quire *q, char *buf, size_t size)
{
	return index_show(q, buf, size, qr__unusable_free_index_for);
}
