/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_count.c - how many blocks of each order there are
 *
 * Whoever looks on wants to know how many free blocks there are of each order and type; whoever
 * allocates only wants to know whether there is one.  So the two are kept apart:
 *
 *	is there one?	orders[]: a bit for each order that is the largest of some part, or has a
 *			set of whole blocks that is not empty; exact but for what came loose
 *			(bitmap_loose.c), which is gathered if without it there is none
 *	how many?	nr[][], exact for whole blocks; for parts, as of the last settling
 *
 * A part whose bits change is taken out of the counts, once, and marked stale; that it goes on
 * changing costs nothing.  Settling counts all stale parts again.  So the price of a look is paid
 * by whoever looks, and is proportional to what has changed since the last look.
 */
#include "bitmap.h"

static void type_count(struct bitmap_stripe *stripe, enum qr_migratetype type, unsigned order,
		       int64_t nr)
{
	qr__bump(&stripe->nr[type][order], (uint64_t)nr);
}

/* The blocks of a part, added to what is counted of its type, or taken from it. */
static void part_count(struct bitmap_buddy *buddy, uint32_t i, int sign)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	struct bitmap_block *block = &buddy->blocks[i];
	struct bits bits = line_load(&buddy->lines[i]);
	int64_t nr[QR_PAGEBLOCK_ORDER + 1] = {0};
	struct heads heads;

	heads_of(&bits, &heads);
	heads_count(&heads, nr, sign);
	for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
		if (nr[k])
			type_count(stripe, (enum qr_migratetype)block->type, k, nr[k]);
	}
	block->counted = sign > 0;
}

void qr__bitmap_stale(struct bitmap_buddy *buddy, uint32_t i)
{
	if (!qr__bit_test(buddy->stale, i))
		qr__bit_set(buddy->stale, i);
}

void qr__bitmap_uncount(struct bitmap_buddy *buddy, uint32_t i)
{
	part_count(buddy, i, -1);
	qr__bitmap_stale(buddy, i);
}

void qr__bitmap_settle(struct qr_zone *zone)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	size_t i = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	while ((i = qr__bit_next(buddy->stale, i, buddy->nr_blocks)) < buddy->nr_blocks) {
		struct bitmap_block *block = &buddy->blocks[i];

		if (block->part && !block->counted)
			part_count(buddy, (uint32_t)i, 1);
		qr__bit_clear(buddy->stale, i);
	}
}

uint64_t qr__bitmap_nr_blocks_type_racy(const struct qr_zone *zone, unsigned order,
					enum qr_migratetype type)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t nr = 0;

	for (unsigned s = 0; s < buddy->nr_stripes; s++)
		nr += qr__read(&buddy->stripes[s].nr[type][order]);
	return nr;
}

uint64_t qr__bitmap_nr_blocks_racy(const struct qr_zone *zone, unsigned order)
{
	uint64_t nr = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		nr += qr__bitmap_nr_blocks_type_racy(zone, order, (enum qr_migratetype)type);
	return nr;
}

static uint32_t orders_of(const struct bitmap_buddy *buddy, unsigned type)
{
	uint32_t orders = 0;

	for (unsigned s = 0; s < buddy->nr_stripes; s++)
		orders |=
			atomic_load_explicit(&buddy->stripes[s].orders[type], memory_order_relaxed);
	return orders;
}

/* Plain whole blocks serve all three plain types, but are counted as MOVABLE. */
static bool has_known(const struct bitmap_buddy *buddy, unsigned order, unsigned types)
{
	uint32_t orders = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		if (types & QR_TYPE_BIT(type))
			orders |= orders_of(buddy, type);
		else if (type == QR_MIGRATE_MOVABLE && types & PLAIN_TYPES)
			orders |= orders_of(buddy, type) >> QR_PAGEBLOCK_ORDER
								    << QR_PAGEBLOCK_ORDER;
	}
	return orders >> order != 0;
}

bool qr__bitmap_has_racy(struct qr_zone *zone, unsigned order, unsigned types)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		if (has_known(buddy, order, types))
			return true;
		if (bitmap_serves_racy(&buddy->stripes[s].loose, types))
			qr__bitmap_gather_racy(zone, s);
	}
	return has_known(buddy, order, types);
}
