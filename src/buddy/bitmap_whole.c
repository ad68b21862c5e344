/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_whole.c - wholly free pageblocks, as buddies of pageblock order and up
 *
 * Here the engine is an ordinary buddy system whose unit is the pageblock.  Blocks wait on lists by
 * order and class: plain ones have no type until they are first used; those of HIGHATOMIC, CMA
 * and ISOLATE pageblocks keep to themselves (B10).  The bits of a listed block are clear, for its
 * state says it all: a huge page comes and goes without a look at its lines (B7).
 *
 * A stripe is a multiple of the largest block, so no block belongs to two.
 */
#include "../base/random.h"
#include "bitmap.h"

static unsigned level(unsigned order)
{
	return order - QR_PAGEBLOCK_ORDER;
}

static void list_block(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
		       enum bitmap_class class, bool cold)
{
	struct bitmap_block *block = &buddy->blocks[i];
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	struct qr_list *list = &stripe->whole[class][level(order)];

	block->state = BLOCK_WHOLE;
	block->order = (uint8_t)order;
	block->type = (uint8_t)bitmap_class_type(class);
	for (uint32_t k = 1; k < 1u << level(order); k++)
		block[k].state = BLOCK_INNER;
	if (cold)
		qr__list_push_back(list, bitmap_links(buddy), i);
	else
		qr__list_push_front(list, bitmap_links(buddy), i);
	qr__bitmap_count_whole(stripe, bitmap_class_type(class), order, 1);
}

enum bitmap_class qr__bitmap_whole_remove(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	enum bitmap_class class = bitmap_class_of((enum qr_migratetype)block->type);
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	unsigned order = block->order;

	qr__list_remove(&stripe->whole[class][level(order)], bitmap_links(buddy), i);
	for (uint32_t k = 0; k < 1u << level(order); k++)
		block[k].state = BLOCK_USED;
	qr__bitmap_count_whole(stripe, bitmap_class_type(class), order, -1);
	return class;
}

/* Does pageblock i head a listed block of this order and class? */
static bool listed(const struct bitmap_buddy *buddy, uint32_t i, unsigned order,
		   enum bitmap_class class)
{
	return i < buddy->nr_blocks && buddy->blocks[i].state == BLOCK_WHOLE &&
	       buddy->blocks[i].order == order && buddy->blocks[i].type == bitmap_class_type(class);
}

unsigned qr__bitmap_whole_insert(struct qr_zone *zone, uint32_t i, unsigned order,
				 enum bitmap_class class, bool cold)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	for (; order < QR_MAX_PAGE_ORDER; order++) {
		uint32_t other = i ^ (1u << level(order));

		if (!listed(buddy, other, order, class))
			break;
		qr__bitmap_whole_remove(buddy, other);
		i &= other;
	}
	/* one more free would complete our parent and its free buddy: be handed out last */
	if (order + 1 < QR_MAX_PAGE_ORDER &&
	    listed(buddy, (i & ~(1u << level(order))) ^ (2u << level(order)), order + 1, class))
		cold = true;
	if (order == QR_MAX_PAGE_ORDER && zone->frames->shuffle && !cold)
		cold = qr__random(&zone->frames->base) & 1;
	list_block(buddy, i, order, class, cold);
	return order;
}

void qr__bitmap_whole_rest(struct qr_zone *zone, uint32_t i, unsigned from, unsigned order,
			   enum bitmap_class class)
{
	while (from > order) {
		from--;
		qr__bitmap_whole_insert(zone, i + (1u << level(from)), from, class, false);
	}
}

void qr__bitmap_whole_isolate(struct qr_zone *zone, uint32_t i)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t head = qr__bitmap_whole_head(buddy, i);
	unsigned order = buddy->blocks[head].order;
	enum bitmap_class class = qr__bitmap_whole_remove(buddy, head);

	while (order > QR_PAGEBLOCK_ORDER) {
		uint32_t half = 1u << level(--order);
		bool upper = i >= head + half;

		qr__bitmap_whole_insert(zone, upper ? head : head + half, order, class, false);
		head = upper ? head + half : head;
	}
}

uint32_t qr__bitmap_whole_first(const struct bitmap_stripe *stripe, enum bitmap_class class,
				unsigned order)
{
	for (; order <= QR_MAX_PAGE_ORDER; order++) {
		if (!qr__list_empty(&stripe->whole[class][level(order)]))
			return stripe->whole[class][level(order)].first;
	}
	return QR_LIST_NONE;
}

uint32_t qr__bitmap_whole_head(const struct bitmap_buddy *buddy, uint32_t i)
{
	unsigned order = QR_PAGEBLOCK_ORDER;

	while (buddy->blocks[i].state != BLOCK_WHOLE)
		i &= ~(1u << level(order++));
	return i;
}

/* Put block i, which is in no list, in front of block `before`, which is in this one. */
static void insert_before(struct qr_list *list, struct qr_links links, uint32_t i, uint32_t before)
{
	struct qr_link *link = qr__link(links, i), *next = qr__link(links, before);

	link->next = before;
	link->prev = next->prev;
	if (next->prev == QR_LIST_NONE)
		list->first = i;
	else
		qr__link(links, next->prev)->next = i;
	next->prev = i;
}

#define SHUFFLE_TRIES 10

/* Another block of the highest order in i's stripe, at random; QR_LIST_NONE: none was found. */
static uint32_t random_partner(struct qr_zone *zone, uint32_t i)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t step = 1u << level(QR_MAX_PAGE_ORDER);
	uint32_t first = bitmap_stripe_of(buddy, i) << buddy->stripe_shift;
	uint32_t nr = (uint32_t)qr__min(1u << buddy->stripe_shift, buddy->nr_blocks - first);

	for (unsigned try = 0; try < SHUFFLE_TRIES; try++) {
		uint64_t n = qr__random(&zone->frames->base) % (nr / step);
		uint32_t other = first + (uint32_t)n * step;

		if (other != i && listed(buddy, other, QR_MAX_PAGE_ORDER, CLASS_PLAIN))
			return other;
	}
	return QR_LIST_NONE;
}

/* Each block of the highest order goes in front of another one, chosen at random. */
void qr__bitmap_shuffle(struct qr_zone *zone)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t step = 1u << level(QR_MAX_PAGE_ORDER);

	for (uint32_t i = 0; i + step <= buddy->nr_blocks; i += step) {
		struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
		struct qr_list *list = &stripe->whole[CLASS_PLAIN][level(QR_MAX_PAGE_ORDER)];
		uint32_t other;

		if (!listed(buddy, i, QR_MAX_PAGE_ORDER, CLASS_PLAIN))
			continue;
		other = random_partner(zone, i);
		if (other == QR_LIST_NONE)
			continue;
		qr__list_remove(list, bitmap_links(buddy), i);
		insert_before(list, bitmap_links(buddy), i, other);
	}
}
