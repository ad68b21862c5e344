/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_gather.c - what came loose (bitmap_loose.c) is put where it belongs
 *
 * Of each pageblock that is blind it is looked up, once, what its largest block is, however many
 * blocks came to it.  Then it is filed, or it has become whole and joins what it can.
 *
 * This is done to take from a stripe, and to look: whoever locks the whole zone finds nothing loose
 * (B14), which is what all operations but refill and drain rely on; and where orders[] says that
 * there is no block of an order, that may be for want of looking (qr__bitmap_has_racy()).
 *
 * To look is to change nothing.  Of pageblocks that are equally full, the last one filed serves
 * first; so the order of filing is to depend on what was given and taken alone.  What was gathered
 * for somebody who looked is therefore remembered (SET_SEEN), and when somebody takes it is filed
 * once more, together with all that came since, in one order of places.  And a stripe is *unsure*
 * from when anything came loose until somebody takes, whether it was gathered or not; who chooses
 * between stripes asks this (bitmap_near.c).
 */
#include "bitmap.h"

/* What is gathered, and what came of it. */
struct gathering {
	struct bitmap_buddy *buddy;
	struct bitmap_stripe *stripe;
	unsigned largest; /* order of the largest block that became one, or grew to be one */
};

static void grown_note(struct gathering *gathering, unsigned order)
{
	gathering->largest = order > gathering->largest ? order : gathering->largest;
}

/* A loose part of which all is free by now: it leaves the parts, and its bits are clear. */
static void part_end(const struct gathering *gathering, uint32_t i)
{
	struct bitmap_block *block = &gathering->buddy->blocks[i];

	qr__bitmap_bin_change(gathering->buddy, i, false);
	qr__bump(&gathering->stripe->part_pages[block->type], -(uint64_t)QR_PAGEBLOCK_NR_PAGES);
	block->part = block->loose = block->blind = false;
	block->largest = 0;
	block->nr_free = 0;
	bitmap_line_set(gathering->buddy, i, false);
}

/* A loose part goes where it belongs; false: it has become whole. */
static bool part_gather(struct gathering *gathering, uint32_t i)
{
	struct bitmap_buddy *buddy = gathering->buddy;
	struct bitmap_block *block = &buddy->blocks[i];
	unsigned before = block->bin ? block->order + 1u : 0;

	if (block->nr_free == QR_PAGEBLOCK_NR_PAGES) {
		part_end(gathering, i);
		return false;
	}
	if (block->blind)
		block->largest = (uint8_t)line_largest(&buddy->lines[i], block->largest);
	block->loose = block->blind = false;
	if (block->largest >= before)
		grown_note(gathering, block->largest);
	qr__bitmap_stale(buddy, i);
	qr__bitmap_bin_change(buddy, i, true);
	return true;
}

/*
 * Parts of one word of the sets: @row, and of these @loose; returns which are parts still.  The
 * last to be filed serves first, so they are filed from the far end on: what is used lies together.
 */
static uint64_t row_gather(struct gathering *gathering, uint64_t row, uint64_t loose, uint32_t word)
{
	struct bitmap_buddy *buddy = gathering->buddy;
	uint32_t first = bitmap_first_of(buddy, gathering->stripe) + word * 64;
	uint64_t parts = row;

	for (uint64_t bit; row; row &= ~bit) {
		uint32_t i = first + qr__fls64(row) - 1;
		struct bitmap_block *block = &buddy->blocks[i];
		enum bitmap_class class = bitmap_class_of((enum qr_migratetype)block->type);

		bit = UINT64_C(1) << (qr__fls64(row) - 1);
		if (!(loose & bit)) {
			if (block->part)
				qr__bitmap_bin_change(buddy, i, true);
			continue;
		}
		if (part_gather(gathering, i))
			continue;
		parts &= ~bit;
		bitmap_set(buddy, gathering->stripe, SET_CAME(class))[word] |= bit;
		gathering->stripe->came_words |= UINT64_C(1) << (word % 64);
	}
	return parts;
}

/* Which parts are loose in a word of sets, with blind ones of these types; they are so no more. */
static uint64_t loose_row(const struct gathering *gathering, uint32_t types, uint32_t word)
{
	uint64_t *set = bitmap_set(gathering->buddy, gathering->stripe, SET_LOOSE), row = set[word];

	set[word] = 0;
	for (; types; types &= types - 1) {
		set = bitmap_set(gathering->buddy, gathering->stripe, SET_BLIND(qr__ctz64(types)));
		row |= set[word];
		set[word] = 0;
	}
	return row;
}

static void word_gather(struct gathering *gathering, uint32_t types, uint32_t word, bool takes)
{
	uint64_t *seen = &bitmap_set(gathering->buddy, gathering->stripe, SET_SEEN)[word];
	uint64_t loose = loose_row(gathering, types, word);
	uint64_t row = takes ? loose | *seen : loose;
	uint64_t parts = row ? row_gather(gathering, row, loose, word) : 0;

	*seen = takes ? 0 : *seen | parts;
}

static void parts_gather(struct gathering *gathering, uint32_t types, bool takes)
{
	struct bitmap_stripe *stripe = gathering->stripe;
	uint64_t words = stripe->loose_words | (takes ? stripe->seen_words : 0);

	stripe->loose_words = 0;
	stripe->seen_words = takes ? 0 : stripe->seen_words | words;
	for (uint64_t bit; words; words &= ~bit) {
		uint32_t n = qr__fls64(words) - 1;

		bit = UINT64_C(1) << n;
		for (uint32_t word = n; word < gathering->buddy->set_words; word += 64)
			word_gather(gathering, types, word, takes);
	}
}

/*
 * Pageblocks @first + n for each bit n of @twice came and were counted, but had been whole before.
 * A drain does not ask: what it takes was claimed, so this is somebody's memory gone bad.
 */
static QR_COLD void twice_refuse(const struct bitmap_buddy *buddy, enum bitmap_class class,
				 uint32_t first, uint64_t twice)
{
	for (; twice; twice &= twice - 1) {
		qr__freed_twice_report(buddy->zone, bitmap_pfn(buddy, first + qr__ctz64(twice)),
				       QR_PAGEBLOCK_ORDER);
		qr__zone_account_free(buddy->zone, -(int64_t)QR_PAGEBLOCK_NR_PAGES,
				      bitmap_class_type(class));
	}
}

/* Pageblocks that are whole, and in no block yet, join what they can. */
static void came_gather(struct gathering *gathering, enum bitmap_class class, uint32_t word)
{
	struct bitmap_buddy *buddy = gathering->buddy;
	uint64_t *came = &bitmap_set(buddy, gathering->stripe, SET_CAME(class))[word], row = *came;
	uint64_t twice = row & bitmap_set(buddy, gathering->stripe, SET_WHOLE)[word];
	uint32_t first = bitmap_first_of(buddy, gathering->stripe) + word * 64;

	*came = 0;
	if (qr__unlikely(twice))
		twice_refuse(buddy, class, first, twice);
	if (row & ~twice)
		grown_note(gathering,
			   qr__bitmap_whole_insert_row(buddy, first, row & ~twice, class));
}

static void pageblocks_gather(struct gathering *gathering)
{
	uint64_t words = gathering->stripe->came_words;

	gathering->stripe->came_words = 0;
	for (; words; words &= words - 1)
		for (uint32_t word = qr__ctz64(words); word < gathering->buddy->set_words;
		     word += 64)
			for (unsigned class = 0; class < NR_CLASSES; class ++)
				came_gather(gathering, (enum bitmap_class) class, word);
}

static QR_NOINLINE unsigned gather(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe,
				   bool takes)
{
	struct gathering gathering = {.buddy = buddy, .stripe = stripe};
	uint32_t types = atomic_load_explicit(&stripe->loose, memory_order_relaxed);

	atomic_store_explicit(&stripe->loose, 0, memory_order_relaxed);
	stripe->nr_loose = 0;
	if (takes)
		atomic_store_explicit(&stripe->unsure, 0, memory_order_relaxed);
	parts_gather(&gathering, types, takes);
	pageblocks_gather(&gathering);
	qr__bitmap_orders_review(stripe, types);
	return gathering.largest;
}

unsigned qr__bitmap_gather(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe)
{
	if (qr__likely(!atomic_load_explicit(&stripe->loose, memory_order_relaxed)))
		return 0;
	return gather(buddy, stripe, false);
}

void qr__bitmap_gather_to_take(struct bitmap_buddy *buddy, struct bitmap_stripe *stripe)
{
	if (qr__unlikely(atomic_load_explicit(&stripe->unsure, memory_order_relaxed)))
		gather(buddy, stripe, true);
}

void qr__bitmap_gather_all(struct qr_zone *zone)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	for (unsigned s = 0; s < buddy->nr_stripes; s++)
		qr__bitmap_gather(buddy, &buddy->stripes[s]);
}

void qr__bitmap_gather_racy(struct qr_zone *zone, unsigned s)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned long irqs = qr__stripe_lock(zone, s);

	qr__bitmap_gather(buddy, &buddy->stripes[s]);
	qr__stripe_unlock(zone, s, irqs);
}
