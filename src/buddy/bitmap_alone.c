/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_alone.c - large blocks that a CPU's cache gives back in no order
 *
 * Each of them changes another pageblock, and a large one changes nearly all that there is to it:
 * it may be the first that comes back, or the last, or make the largest block grow.  Which of these
 * it is cannot be foretold, so nothing branches by it: what need not change is written as it was,
 * and what has become whole is noted for later, as is what the stripe has to say.  As long as
 * pageblocks are of one type, that is little.
 *
 * Parts that grow wait to be filed, as others do (bitmap_file.c); those that were used until now,
 * too, for with blocks of this size they are not the fullest for long.
 */
#include "bitmap.h"

/* So many at a time. */
#define PORTION 64u

/* What blocks change, and of what they make sure; at hand, whatever is written meanwhile. */
struct ground {
	struct bitmap_block *blocks;
	_Atomic uint64_t *words; /* of all lines */
	const struct qr_pageblock *pageblocks;
	const _Atomic uint64_t *stale;
	const uint64_t *whole; /* set */
	uint64_t *waiting, *filled; /* set, and its second floor */
	uint32_t place_mask;
};

QR_INLINE struct ground ground_of(const struct qr_zone *zone, const struct bitmap_stripe *stripe)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t *waiting = bitmap_set(buddy, stripe, SET_WAITING);

	return (struct ground){
		.blocks = buddy->blocks,
		.words = buddy->lines[0].word,
		.pageblocks = qr__pageblock(zone->frames, buddy->start_pfn),
		.stale = buddy->stale,
		.whole = bitmap_set(buddy, stripe, SET_WHOLE),
		.waiting = waiting,
		.filled = waiting + buddy->set_words,
		.place_mask = (UINT32_C(1) << buddy->stripe_shift) - 1,
	};
}

/* What of a pageblock's word says its type. */
QR_INLINE uint32_t type_bits(const struct qr_pageblock *pageblock)
{
	return atomic_load_explicit(&pageblock->bits, memory_order_relaxed) &
	       (QR_PB_TYPE_MASK | QR_PB_ISOLATE);
}

/* Bits of blocks ----------------------------------------------------------------------------- */

QR_INLINE uint64_t word_at(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* What a block has of each of its words. */
QR_INLINE uint64_t block_mask(uint64_t at, unsigned order)
{
	if (order >= WORD_ORDER)
		return UINT64_MAX;
	return word_mask((unsigned)(at & ((1u << LINE_WORD_SHIFT) - 1)), order);
}

/* Are any of a block's bits set? */
QR_INLINE bool block_any(const _Atomic uint64_t *words, uint64_t mask, unsigned order)
{
	uint64_t any = word_at(&words[0]) & mask;

	if (order > WORD_ORDER)
		any |= word_at(&words[1]);
	if (order > WORD_ORDER + 1)
		any |= word_at(&words[2]) | word_at(&words[3]);
	for (unsigned w = 4; order > WORD_ORDER + 2 && w < 1u << (order - WORD_ORDER); w++)
		any |= word_at(&words[w]);
	return any != 0;
}

QR_INLINE void word_fill(_Atomic uint64_t *word, uint64_t mask)
{
	atomic_store_explicit(word, word_at(word) | mask, memory_order_relaxed);
}

QR_INLINE void block_fill(_Atomic uint64_t *words, uint64_t mask, unsigned order)
{
	word_fill(&words[0], mask);
	if (order > WORD_ORDER)
		word_fill(&words[1], mask);
	if (order > WORD_ORDER + 1) {
		word_fill(&words[2], mask);
		word_fill(&words[3], mask);
	}
	for (unsigned w = 4; order > WORD_ORDER + 2 && w < 1u << (order - WORD_ORDER); w++)
		word_fill(&words[w], mask);
}

/* Those bits that all words of a block of words have. */
QR_INLINE uint64_t span_all(const _Atomic uint64_t *words, unsigned order)
{
	uint64_t all = word_at(&words[0]);

	if (order > WORD_ORDER)
		all &= word_at(&words[1]);
	for (unsigned w = 2; w < 1u << (order - WORD_ORDER); w++)
		all &= word_at(&words[w]);
	return all;
}

/* Are all bits of the other half of its parent set as well? */
QR_INLINE uint64_t buddy_all(const _Atomic uint64_t *words, uint64_t at, unsigned order)
{
	uint64_t buddy = (at ^ UINT64_C(1) << order) >> order << order;

	if (order >= WORD_ORDER)
		return span_all(&words[buddy >> LINE_WORD_SHIFT], order);
	return word_at(&words[buddy >> LINE_WORD_SHIFT]) | ~block_mask(buddy, order);
}

/* The order of the free block around that of @order at @at; its pageblock is not all free. */
QR_INLINE unsigned block_joined(const _Atomic uint64_t *words, uint64_t at, unsigned order)
{
	uint64_t all = UINT64_MAX;
	unsigned joined = order;

	for (; order < WORD_ORDER && order + 1 < QR_PAGEBLOCK_ORDER; order++) {
		all &= buddy_all(words, at, order);
		joined += all == UINT64_MAX;
	}
	if (order == WORD_ORDER && order + 1 < QR_PAGEBLOCK_ORDER) {
		all &= buddy_all(words, at, order++);
		joined += all == UINT64_MAX;
	}
	for (; order + 1 < QR_PAGEBLOCK_ORDER; order++) {
		all &= buddy_all(words, at, order);
		joined += all == UINT64_MAX;
	}
	return joined;
}

/* Pageblocks --------------------------------------------------------------------------------- */

/* Pageblocks that got the last of their pages, and all of their bits. */
static void full_rise(struct qr_zone *zone, const struct ground *ground, const uint32_t *full,
		      unsigned nr, enum bitmap_class class, struct bitmap_given *given)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	for (unsigned n = 0; n < nr; n++) {
		uint32_t i = full[n], place = i & ground->place_mask;
		struct bitmap_block *block = &ground->blocks[i];

		if (block->bin)
			qr__bitmap_bin_leave(buddy, i);
		ground->waiting[place / 64] &= ~(UINT64_C(1) << (place % 64));
		block->waiting = block->part = false;
		block->largest = 0;
		block->nr_free = 0;
		bitmap_line_set(buddy, i, false);
	}
	bitmap_largest_note(given, qr__bitmap_whole_insert_all(buddy, full, nr, class));
}

QR_INLINE unsigned alone_give(struct qr_zone *zone, unsigned order, const uint32_t *frames,
			      unsigned nr, struct bitmap_given *given)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t before = zone->frames->base_pfn - buddy->start_pfn;
	uint32_t first = (uint32_t)((before + frames[0]) >> QR_PAGEBLOCK_ORDER);
	enum qr_migratetype type = qr__pageblock_type(zone->frames, bitmap_pfn(buddy, first));
	struct bitmap_stripe *stripe = bitmap_stripe(buddy, first);
	const struct ground ground = ground_of(zone, stripe);
	uint32_t bits = type_bits(&ground.pageblocks[first]), full[PORTION], orders = 0;
	unsigned nr_full = 0, n;

	nr = nr < PORTION ? nr : PORTION;
	for (n = 0; n < nr; n++) {
		uint64_t at = before + frames[n], mask = block_mask(at, order);
		uint32_t i = (uint32_t)(at >> QR_PAGEBLOCK_ORDER), place = i & ground.place_mask;
		_Atomic uint64_t *words = &ground.words[at >> LINE_WORD_SHIFT];
		struct bitmap_block *block = &ground.blocks[i];
		unsigned joined, largest, nr_free;
		bool grows;

		if (n + BITMAP_AHEAD < nr)
			bitmap_fetch(buddy, before + frames[n + BITMAP_AHEAD]);
		if (qr__unlikely(bitmap_has_row(&frames[n], nr - n, order) ||
				 type_bits(&ground.pageblocks[i]) != bits ||
				 bitmap_set_has(ground.whole, place) ||
				 !qr__bit_test(ground.stale, i) || block_any(words, mask, order)))
			break;
		block_fill(words, mask, order);
		joined = block_joined(ground.words, at, order);
		largest = block->largest; /* of what was used, 0 */
		grows = joined > largest;
		nr_free = block->nr_free + (1u << order);
		block->nr_free = nr_free;
		block->largest = (uint8_t)(grows ? joined : largest);
		block->type = (uint8_t)type;
		block->part = true;
		block->waiting |= grows;
		ground.waiting[place / 64] |= (uint64_t)grows << (place % 64);
		ground.filled[place / 64 / 64] |= UINT64_C(1) << (place / 64 % 64);
		orders |= UINT32_C(1) << joined;
		full[nr_full] = i;
		nr_full += nr_free == QR_PAGEBLOCK_NR_PAGES;
	}
	if (!n)
		return 0;
	given->in_parts[type] += ((int64_t)n << order) - ((int64_t)nr_full << QR_PAGEBLOCK_ORDER);
	given->pages[type] += (int64_t)nr_full << QR_PAGEBLOCK_ORDER;
	if (nr_full)
		full_rise(zone, &ground, full, nr_full, bitmap_class_of(type), given);
	/* of what is whole by now, too: there is something larger */
	bitmap_orders_add(stripe, type, orders);
	bitmap_waiting_add(stripe, QR_TYPE_BIT(type));
	bitmap_largest_note(given, qr__fls64(orders) - 1);
	return n;
}

unsigned qr__bitmap_alone_give(struct qr_zone *zone, unsigned order, const uint32_t *frames,
			       unsigned nr, struct bitmap_given *given)
{
	switch (order) {
	case WORD_ORDER - 2:
		return alone_give(zone, WORD_ORDER - 2, frames, nr, given);
	case WORD_ORDER - 1:
		return alone_give(zone, WORD_ORDER - 1, frames, nr, given);
	case WORD_ORDER:
		return alone_give(zone, WORD_ORDER, frames, nr, given);
	case WORD_ORDER + 1:
		return alone_give(zone, WORD_ORDER + 1, frames, nr, given);
	case WORD_ORDER + 2:
		return alone_give(zone, WORD_ORDER + 2, frames, nr, given);
	default:
		return alone_give(zone, order, frames, nr, given);
	}
}
