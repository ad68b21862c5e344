/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_whole.c - wholly free pageblocks, as buddies of pageblock order and up
 *
 * Here the engine is an ordinary buddy system whose unit is the pageblock.  Blocks are kept apart
 * by order and class: plain ones have no type until they are first used; those of HIGHATOMIC, CMA
 * and ISOLATE pageblocks keep to themselves (B10).  The bits of such a block's lines are clear, and
 * its pageblocks' records say nothing, for the sets say it all: a huge page comes and goes without
 * a look at either (B7).
 *
 * For each order and class a stripe has a set: a bit for each of its pageblocks, which says that
 * this one heads such a block, and on top a bit for each word of those that is not 0: it may stay
 * when the word becomes 0, until somebody looks there for nothing.  So a block comes and goes by a
 * bit that is set or cleared, whether a buddy is there is another bit, and what is handed out next
 * is the lowest one: what is used lies together, and the far end has the chance to become one large
 * block.  Where lists are to be shuffled, a block of the highest order is taken from anywhere
 * instead.  One more set has all pageblocks of all these blocks: whether one of them is free is
 * asked more often than in what block.
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
QR_INLINE uint32_t set_first(const struct bitmap_buddy *buddy, uint64_t *set)
{
	uint64_t *filled = set + buddy->set_words, *end = set + buddy->set_stride;

	for (uint32_t first = 0; filled < end; filled++, first += 64) {
		for (; *filled; *filled &= *filled - 1) {
			uint32_t word = first + qr__ctz64(*filled);

			if (qr__likely(set[word] != 0))
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

/* Say of all pageblocks of a block whether they are whole. */
static void pageblocks_mark(struct bitmap_buddy *buddy, uint32_t i, unsigned order, bool whole)
{
	uint64_t *set = bitmap_set(buddy, bitmap_stripe(buddy, i), SET_WHOLE);
	uint32_t place = bitmap_place(buddy, i), nr = 1u << level(order);

	if (nr < 64) {
		uint64_t bits = ((UINT64_C(1) << nr) - 1) << (place % 64);

		set[place / 64] = whole ? set[place / 64] | bits : set[place / 64] & ~bits;
		return;
	}
	for (uint32_t word = 0; word < nr / 64; word++)
		set[place / 64 + word] = whole ? UINT64_MAX : 0;
}

void qr__bitmap_whole_remove(struct bitmap_buddy *buddy, struct bitmap_whole whole)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, whole.head);

	bitmap_set_remove(buddy, set_of(buddy, stripe, whole.class, whole.order),
			  bitmap_place(buddy, whole.head));
	bitmap_count_whole(stripe, bitmap_class_type(whole.class), whole.order, -1);
	pageblocks_mark(buddy, whole.head, whole.order, false);
}

unsigned qr__bitmap_whole_insert(struct bitmap_buddy *buddy, uint32_t i, unsigned order,
				 enum bitmap_class class)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	enum qr_migratetype type = bitmap_class_type(class);
	uint64_t *set = set_of(buddy, stripe, class, order);

	pageblocks_mark(buddy, i, order, true);
	for (; order < QR_MAX_PAGE_ORDER; order++, set += buddy->set_stride) {
		uint32_t other = i ^ (1u << level(order));

		if (!bitmap_set_has(set, bitmap_place(buddy, other)))
			break;
		bitmap_set_remove(buddy, set, bitmap_place(buddy, other));
		bitmap_count_whole(stripe, type, order, -1);
		i &= other;
	}
	bitmap_set_add(buddy, set, bitmap_place(buddy, i));
	bitmap_count_whole(stripe, type, order, 1);
	return order;
}

/* Blocks that fit a word join there, all that came to it at once. */
#define JOIN_BY_ROWS (NR_WHOLE_ORDERS - 1 <= WORD_ORDER)

/*
 * Pageblocks of one class and one word of the sets that come back to a stripe, while it is locked.
 * How many blocks there are is counted once for all of them.
 */
struct coming {
	struct bitmap_buddy *buddy;
	uint64_t *set; /* of blocks of pageblock order */
	uint64_t row; /* bit n for pageblock 64 * word + n of the stripe */
	uint32_t word;
	int nr[NR_WHOLE_ORDERS + 1]; /* blocks of each order that came; or that two joined to */
};

/* Whose buddy is here, too; the lower ones of both. */
QR_INLINE uint64_t row_pairs(uint64_t word, unsigned order)
{
	if (order == QR_MAX_PAGE_ORDER)
		return 0;
	return word & word >> (1u << level(order)) & line_aligned(level(order) + 1);
}

/*
 * The set of an order gets what is in the row; what finds its buddy goes on to the next order.
 * Whether that has left anything in the word is not asked: its bit above may stay.
 */
QR_INLINE void row_join(struct coming *coming, unsigned order)
{
	uint64_t *set = coming->set + level(order) * coming->buddy->set_stride;
	uint64_t *filled = set + coming->buddy->set_words + coming->word / 64;
	uint64_t now = set[coming->word] | coming->row, pairs = row_pairs(now, order);

	set[coming->word] = now & ~(pairs | pairs << (1u << level(order)));
	*filled |= (uint64_t)(coming->row != 0) << (coming->word % 64);
	coming->nr[level(order) + 1] += (int)qr__popcount64(pairs);
	coming->row = pairs;
}

/* What was collected goes into the sets. */
QR_INLINE void row_insert(struct coming *coming)
{
	row_join(coming, QR_PAGEBLOCK_ORDER);
	/* that buddies meet is as likely as not: rather without a branch */
	if (NR_WHOLE_ORDERS > 1)
		row_join(coming, QR_PAGEBLOCK_ORDER + 1);
	for (unsigned order = QR_PAGEBLOCK_ORDER + 2; NR_WHOLE_ORDERS > 2 && coming->row; order++)
		row_join(coming, order);
}

/* Of each order so many blocks have come, and the largest of these. */
static unsigned row_count(const struct coming *coming, struct bitmap_stripe *stripe,
			  enum qr_migratetype type)
{
	unsigned largest = 0;

	for (unsigned n = 0; n < NR_WHOLE_ORDERS; n++) {
		if (coming->nr[n])
			largest = QR_PAGEBLOCK_ORDER + n;
		bitmap_count_whole(stripe, type, QR_PAGEBLOCK_ORDER + n,
				   coming->nr[n] - 2 * coming->nr[n + 1]);
	}
	return largest;
}

/* Where blocks may be larger than a word: one by one. */
static unsigned insert_singly(struct bitmap_buddy *buddy, uint32_t first, uint64_t row,
			      enum bitmap_class class)
{
	unsigned largest = 0;

	for (; row; row &= row - 1) {
		unsigned order = qr__bitmap_whole_insert(buddy, first + qr__ctz64(row),
							 QR_PAGEBLOCK_ORDER, class);

		largest = order > largest ? order : largest;
	}
	return largest;
}

unsigned qr__bitmap_whole_insert_row(struct bitmap_buddy *buddy, uint32_t first, uint64_t row,
				     enum bitmap_class class)
{
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, first);
	struct coming coming = {
		.buddy = buddy,
		.set = set_of(buddy, stripe, class, QR_PAGEBLOCK_ORDER),
		.row = row,
		.word = bitmap_place(buddy, first) / 64,
		.nr = {(int)qr__popcount64(row)},
	};

	if (!JOIN_BY_ROWS)
		return insert_singly(buddy, first, row, class);
	bitmap_set(buddy, stripe, SET_WHOLE)[coming.word] |= coming.row;
	row_insert(&coming);
	return row_count(&coming, stripe, bitmap_class_type(class));
}

/* The lowest @nr bits of a word that are set. */
QR_INLINE uint64_t lowest_bits(uint64_t word, unsigned nr)
{
	uint64_t rest = word;

	while (nr-- && rest)
		rest &= rest - 1;
	return word & ~rest;
}

/* The blocks of a row are whole no more. */
QR_INLINE void row_unmark(struct bitmap_buddy *buddy, uint32_t first, uint64_t row, unsigned order)
{
	uint64_t *set = bitmap_set(buddy, bitmap_stripe(buddy, first), SET_WHOLE);

	if (level(order) < WORD_ORDER)
		set[bitmap_place(buddy, first) / 64] &= ~heads_cover(row, level(order));
	else
		pageblocks_mark(buddy, first, order, false); /* there is room for one */
}

uint64_t qr__bitmap_whole_remove_row(struct bitmap_buddy *buddy, unsigned s, unsigned order,
				     enum bitmap_class class, unsigned nr, uint32_t *first)
{
	struct bitmap_stripe *stripe = &buddy->stripes[s];
	uint64_t *set = set_of(buddy, stripe, class, order), row;
	uint32_t word = set_first(buddy, set) / 64;

	row = lowest_bits(set[word], nr);
	bitmap_set_word(buddy, set, word, set[word] & ~row);
	bitmap_count_whole(stripe, bitmap_class_type(class), order, -(int)qr__popcount64(row));
	*first = (s << buddy->stripe_shift) + word * 64;
	row_unmark(buddy, *first, row, order);
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
	struct bitmap_whole whole = qr__bitmap_whole_of(buddy, i);
	unsigned order = whole.order;
	uint32_t head = whole.head;

	qr__bitmap_whole_remove(buddy, whole);
	while (order > QR_PAGEBLOCK_ORDER) {
		uint32_t half = 1u << level(--order);
		bool upper = i >= head + half;

		qr__bitmap_whole_insert(buddy, upper ? head : head + half, order, whole.class);
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

struct bitmap_whole qr__bitmap_whole_of(const struct bitmap_buddy *buddy, uint32_t i)
{
	const struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	struct bitmap_whole whole = {.head = i};

	for (whole.order = QR_PAGEBLOCK_ORDER; whole.order <= QR_MAX_PAGE_ORDER; whole.order++) {
		uint32_t place = bitmap_place(buddy, whole.head);

		for (whole.class = 0; whole.class < NR_CLASSES; whole.class ++) {
			if (bitmap_set_has(set_of(buddy, stripe, whole.class, whole.order), place))
				return whole;
		}
		whole.head &= ~(1u << level(whole.order));
	}
	return (struct bitmap_whole){.head = QR_LIST_NONE};
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
