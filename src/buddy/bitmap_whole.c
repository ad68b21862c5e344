/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_whole.c - wholly free pageblocks, as buddies of pageblock order and up
 *
 * Here the engine is an ordinary buddy system whose unit is the pageblock.  Blocks are kept apart
 * by order and class: plain ones have no type until they are first used; those of HIGHATOMIC, CMA
 * and ISOLATE pageblocks keep to themselves (B10).  The bits of a listed block's lines are clear,
 * for its state says it all: a huge page comes and goes without a look at its lines (B7).
 *
 * For each order and class a stripe has a set: a bit for each of its pageblocks, which says that
 * this one heads such a block, and on top a bit for each word of those that is not 0.  So a block
 * comes and goes by a bit that is set or cleared, whether a buddy is there is another bit, and
 * what is handed out next is the lowest one: what is used lies together, and the far end has the
 * chance to become one large block.  Where lists are to be shuffled, a block of the highest order
 * is taken from anywhere instead.
 *
 * A stripe is a multiple of the largest block, so no block belongs to two.
 */
#include "../base/random.h"
#include "bitmap.h"

static unsigned level(unsigned order)
{
	return order - QR_PAGEBLOCK_ORDER;
}

/* Sets ------------------------------------------------------------------------------------- */

QR_INLINE uint64_t *set_of(const struct bitmap_buddy *buddy, const struct bitmap_stripe *stripe,
			   enum bitmap_class class, unsigned order)
{
	return bitmap_set(buddy, stripe, class * NR_WHOLE_ORDERS + level(order));
}

/* The first place of a set; QR_LIST_NONE: it is empty. */
QR_INLINE uint32_t set_first(const struct bitmap_buddy *buddy, const uint64_t *set)
{
	const uint64_t *filled = set + buddy->set_words, *end = set + buddy->set_stride;

	for (uint32_t word = 0; filled < end; filled++, word += 64) {
		if (*filled) {
			word += qr__ctz64(*filled);
			return word * 64 + qr__ctz64(set[word]);
		}
	}
	return QR_LIST_NONE;
}

/* The first place at or after @from. */
static uint32_t set_next(const struct bitmap_buddy *buddy, const uint64_t *set, uint32_t from)
{
	for (uint32_t word = from / 64; word < buddy->set_words; word++) {
		uint64_t bits = set[word];

		if (word == from / 64)
			bits = bits >> (from % 64) << (from % 64);
		if (bits)
			return word * 64 + qr__ctz64(bits);
	}
	return QR_LIST_NONE;
}

uint32_t qr__bitmap_whole_next(const struct bitmap_buddy *buddy, unsigned s, unsigned order,
			       enum bitmap_class class, uint32_t from)
{
	const struct bitmap_stripe *stripe = &buddy->stripes[s];
	uint32_t first = s << buddy->stripe_shift;
	uint32_t place = set_next(buddy, set_of(buddy, stripe, class, order),
				  from > first ? from - first : 0);

	return place == QR_LIST_NONE ? QR_LIST_NONE : first + place;
}

/* Blocks ----------------------------------------------------------------------------------- */

enum bitmap_class qr__bitmap_whole_remove(struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block *block = &buddy->blocks[i];
	enum qr_migratetype type = (enum qr_migratetype)block->type;
	enum bitmap_class class = bitmap_class_of(type);
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	unsigned order = block->order;

	qr__bitmap_file_waiting(buddy, stripe);
	bitmap_set_remove(buddy, set_of(buddy, stripe, class, order), bitmap_place(buddy, i));
	bitmap_count_whole(stripe, type, order, -1);
	block->state = BLOCK_USED;
	for (uint32_t k = 1; k < 1u << level(order); k++)
		block[k].state = BLOCK_USED;
	return class;
}

unsigned qr__bitmap_whole_insert(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
				 enum bitmap_class class)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	enum qr_migratetype type = bitmap_class_type(class);
	uint64_t *set = set_of(buddy, stripe, class, order);
	struct bitmap_block *blocks = buddy->blocks;

	for (uint32_t k = 1; k < 1u << level(order); k++)
		blocks[i + k].state = BLOCK_INNER;
	for (; order < QR_MAX_PAGE_ORDER; order++, set += buddy->set_stride) {
		uint32_t other = i ^ (1u << level(order));

		if (!bitmap_set_has(set, bitmap_place(buddy, other)))
			break;
		bitmap_set_remove(buddy, set, bitmap_place(buddy, other));
		bitmap_count_whole(stripe, type, order, -1);
		blocks[i | other].state = BLOCK_INNER;
		i &= other;
	}
	bitmap_set_add(buddy, set, bitmap_place(buddy, i));
	bitmap_count_whole(stripe, type, order, 1);
	blocks[i].state = BLOCK_WHOLE;
	blocks[i].order = (uint8_t)order;
	blocks[i].type = (uint8_t)type;
	return order;
}

/* These pageblocks head blocks of this order now; returns how many they are. */
QR_INLINE int heads_mark(struct bitmap_block *blocks, uint64_t heads, unsigned order,
			 enum qr_migratetype type)
{
	int nr = 0;

	for (; heads; heads &= heads - 1, nr++) {
		struct bitmap_block *block = &blocks[qr__ctz64(heads)];

		block->state = BLOCK_WHOLE;
		block->order = (uint8_t)order;
		block->type = (uint8_t)type;
	}
	return nr;
}

/* And these are inside blocks, or will be heads again. */
QR_INLINE int inner_mark(struct bitmap_block *blocks, uint64_t pageblocks)
{
	int nr = 0;

	for (; pageblocks; pageblocks &= pageblocks - 1, nr++)
		blocks[qr__ctz64(pageblocks)].state = BLOCK_INNER;
	return nr;
}

/* All of the row at once, order by order: what finds its buddy goes on to the next. */
static unsigned row_insert(struct bitmap_buddy *buddy, uint32_t first, uint64_t row,
			   enum bitmap_class class)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, first);
	uint64_t *set = set_of(buddy, stripe, class, QR_PAGEBLOCK_ORDER);
	enum qr_migratetype type = bitmap_class_type(class);
	struct bitmap_block *blocks = &buddy->blocks[first];
	uint32_t word = bitmap_place(buddy, first) / 64;
	unsigned order = QR_PAGEBLOCK_ORDER, largest = order;

	for (; row; order++, set += buddy->set_stride) {
		uint64_t before = set[word], now = before | row;
		unsigned step = 1u << level(order);
		int came;

		row = order < QR_MAX_PAGE_ORDER ? now & now >> step & line_aligned(level(order) + 1)
						: 0;
		now &= ~(row | row << step);
		came = heads_mark(blocks, now & ~before, order, type);
		if (came)
			largest = order;
		bitmap_set_word(buddy, set, word, now);
		bitmap_count_whole(stripe, type, order, came - inner_mark(blocks, before & ~now));
	}
	return largest;
}

unsigned qr__bitmap_whole_insert_row(struct bitmap_buddy *buddy, uint32_t first, uint64_t row,
				     enum bitmap_class class)
{
	unsigned largest = 0;

	/* blocks that are larger than a word join one by one */
	if (level(QR_MAX_PAGE_ORDER) <= WORD_ORDER)
		return row_insert(buddy, first, row, class);
	for (; row; row &= row - 1) {
		unsigned order = qr__bitmap_whole_insert(buddy, first + qr__ctz64(row),
							 QR_PAGEBLOCK_ORDER, class);

		largest = (unsigned)qr__max(largest, order);
	}
	return largest;
}

/* The lowest @nr bits of a word that are set. */
QR_INLINE uint64_t lowest_bits(uint64_t word, unsigned nr)
{
	uint64_t rest = word;

	while (nr-- && rest)
		rest &= rest - 1;
	return word & ~rest;
}

uint64_t qr__bitmap_whole_remove_row(struct bitmap_buddy *buddy, unsigned s, unsigned order,
				     enum bitmap_class class, unsigned nr, uint32_t *first)
{
	struct bitmap_stripe *stripe = &buddy->stripes[s];
	uint64_t *set = set_of(buddy, stripe, class, order), row;
	uint32_t word = set_first(buddy, set) / 64;

	qr__bitmap_file_waiting(buddy, stripe);
	row = lowest_bits(set[word], nr);
	bitmap_set_word(buddy, set, word, set[word] & ~row);
	bitmap_count_whole(stripe, bitmap_class_type(class), order, -(int)qr__popcount64(row));
	*first = (s << buddy->stripe_shift) + word * 64;
	return row;
}

void qr__bitmap_whole_rest(struct bitmap_buddy *buddy, uint32_t i, unsigned from, uint32_t nr,
			   enum bitmap_class class)
{
	uint32_t end = 1u << level(from);

	while (nr < end) {
		unsigned order = QR_PAGEBLOCK_ORDER + qr__ctz64(nr);

		qr__bitmap_whole_insert(buddy, i + nr, order, class);
		nr += 1u << level(order);
	}
}

void qr__bitmap_whole_isolate(struct bitmap_buddy *buddy, uint32_t i)
{
	uint32_t head = qr__bitmap_whole_head(buddy, i);
	unsigned order = buddy->blocks[head].order;
	enum bitmap_class class = qr__bitmap_whole_remove(buddy, head);

	while (order > QR_PAGEBLOCK_ORDER) {
		uint32_t half = 1u << level(--order);
		bool upper = i >= head + half;

		qr__bitmap_whole_insert(buddy, upper ? head : head + half, order, class);
		head = upper ? head + half : head;
	}
}

/* Of the highest order, from anywhere in the stripe. */
static uint32_t random_first(struct qr_base *base, const struct bitmap_buddy *buddy, unsigned s,
			     enum bitmap_class class)
{
	uint32_t first = s << buddy->stripe_shift, nr = 1u << buddy->stripe_shift;
	uint32_t from = first + (uint32_t)(qr__random(base) % nr);
	uint32_t i = qr__bitmap_whole_next(buddy, s, QR_MAX_PAGE_ORDER, class, from);

	if (i == QR_LIST_NONE)
		i = qr__bitmap_whole_next(buddy, s, QR_MAX_PAGE_ORDER, class, first);
	return i;
}

unsigned qr__bitmap_whole_order(const struct bitmap_stripe *stripe, enum bitmap_class class,
				unsigned order)
{
	uint32_t orders = atomic_load_explicit(&stripe->orders[bitmap_class_type(class)],
					       memory_order_relaxed);

	orders = orders >> order << order;
	return orders ? qr__ctz64(orders) : QR_NR_PAGE_ORDERS;
}

uint32_t qr__bitmap_whole_first(const struct qr_zone *zone, unsigned s, enum bitmap_class class,
				unsigned order)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t place;

	order = qr__bitmap_whole_order(&buddy->stripes[s], class, order);
	if (order == QR_NR_PAGE_ORDERS)
		return QR_LIST_NONE;
	if (qr__unlikely(zone->frames->shuffle && order == QR_MAX_PAGE_ORDER))
		return random_first(&zone->frames->base, buddy, s, class);
	place = set_first(buddy, set_of(buddy, &buddy->stripes[s], class, order));
	return (s << buddy->stripe_shift) + place;
}

uint32_t qr__bitmap_whole_head(const struct bitmap_buddy *buddy, uint32_t i)
{
	unsigned order = QR_PAGEBLOCK_ORDER;

	while (buddy->blocks[i].state != BLOCK_WHOLE)
		i &= ~(1u << level(order++));
	return i;
}

/* Each block is taken from anywhere (see above); walks, too, begin anywhere. */
void qr__bitmap_shuffle(struct qr_zone *zone)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	uint32_t step = 1u << level(QR_MAX_PAGE_ORDER);

	if (!buddy->nr_blocks)
		return;
	for (unsigned class = 0; class < NR_CLASSES; class ++) {
		uint64_t n = qr__random(&zone->frames->base) % (buddy->nr_blocks / step);

		buddy->whole_cursor[class][level(QR_MAX_PAGE_ORDER)] = (uint32_t)n * step;
	}
}
