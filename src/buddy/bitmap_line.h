/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_line.h - the bits of one pageblock
 *
 * A line has a bit for each frame of a pageblock, set while the frame is free and the pageblock is
 * not wholly free; with pageblocks of 512 frames it is one cache line.  A free block of order k is
 * 2^k set bits at a multiple of 2^k:
 * so buddies join by themselves, and all questions about blocks are arithmetic on words.
 *
 * Heads.  From the bits follow, order by order, the places at which a free block of that order
 * begins: heads of order 0 are the bits themselves; a head of order k+1 is where two heads of
 * order k are buddies.  Within a word that is a shift, an AND and a mask; from order 6 on, a
 * head is a whole word.  A block is *maximal* if no head of the next order covers it: these
 * are the blocks that a buddy system would have on its lists.
 *
 * Words are written under the zone's lock and may be read without (find), hence atomic.
 */
#ifndef QR_BUDDY_BITMAP_LINE_H
#define QR_BUDDY_BITMAP_LINE_H

#include "../base/bits.h"
#include "../base/compiler.h"
#include <stdatomic.h>

#define LINE_WORDS ((QR_PAGEBLOCK_NR_PAGES + 63) / 64)
#define WORD_ORDER 6u /* a word is a block of this order */
/* Log2 of the frames of a word: bits of a frame's number, in lines that lie side by side. */
#define LINE_WORD_SHIFT (QR_PAGEBLOCK_ORDER < WORD_ORDER ? QR_PAGEBLOCK_ORDER : WORD_ORDER)

struct line {
	_Atomic uint64_t word[LINE_WORDS];
};

/* A copy to calculate with. */
struct bits {
	uint64_t word[LINE_WORDS];
};

/* Heads of all orders of one line. */
struct heads {
	struct bits of[QR_PAGEBLOCK_ORDER + 1];
};

/* Bits at multiples of 2^k. */
static inline uint64_t line_aligned(unsigned k)
{
	static const uint64_t masks[WORD_ORDER + 1] = {
		UINT64_MAX,
		UINT64_C(0x5555555555555555),
		UINT64_C(0x1111111111111111),
		UINT64_C(0x0101010101010101),
		UINT64_C(0x0001000100010001),
		UINT64_C(0x0000000100000001),
		1,
	};

	return masks[k];
}

QR_INLINE struct bits line_load(const struct line *line)
{
	struct bits b;

	for (unsigned i = 0; i < LINE_WORDS; i++)
		b.word[i] = atomic_load_explicit(&line->word[i], memory_order_relaxed);
	return b;
}

QR_INLINE void line_store(struct line *line, const struct bits *b)
{
	for (unsigned i = 0; i < LINE_WORDS; i++)
		atomic_store_explicit(&line->word[i], b->word[i], memory_order_relaxed);
}

QR_INLINE bool line_test(const struct line *line, unsigned at)
{
	return atomic_load_explicit(&line->word[at / 64], memory_order_relaxed) >> (at % 64) & 1;
}

/* The bits of a block of order < WORD_ORDER inside its word. */
QR_INLINE uint64_t word_mask(unsigned at, unsigned order)
{
	return ((UINT64_C(1) << (1u << order)) - 1) << (at % 64);
}

/* Set or clear the 2^order bits at @at, all of which are clear or set. */
QR_INLINE void bits_fill(struct bits *b, unsigned at, unsigned order, bool set)
{
	if (order < WORD_ORDER) {
		uint64_t mask = word_mask(at, order);

		b->word[at / 64] = set ? b->word[at / 64] | mask : b->word[at / 64] & ~mask;
		return;
	}
	for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++)
		b->word[at / 64 + i] = set ? UINT64_MAX : 0;
}

QR_INLINE void line_fill(struct line *line, unsigned at, unsigned order, bool set)
{
	if (order < WORD_ORDER) {
		uint64_t word = atomic_load_explicit(&line->word[at / 64], memory_order_relaxed);
		uint64_t mask = word_mask(at, order);

		atomic_store_explicit(&line->word[at / 64], set ? word | mask : word & ~mask,
				      memory_order_relaxed);
		return;
	}
	for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++)
		atomic_store_explicit(&line->word[at / 64 + i], set ? UINT64_MAX : 0,
				      memory_order_relaxed);
}

/* Clear @nr bits from @at on, whatever they are. */
QR_INLINE void line_clear_row(struct line *line, unsigned at, unsigned nr)
{
	while (nr) {
		unsigned here = 64 - at % 64 < nr ? 64 - at % 64 : nr;
		uint64_t mask = (here < 64 ? (UINT64_C(1) << here) - 1 : UINT64_MAX) << (at % 64);
		uint64_t word = atomic_load_explicit(&line->word[at / 64], memory_order_relaxed);

		atomic_store_explicit(&line->word[at / 64], word & ~mask, memory_order_relaxed);
		at += here;
		nr -= here;
	}
}

/* Are all 2^order bits at @at set?  And: is none? */
QR_INLINE bool line_all(const struct line *line, unsigned at, unsigned order)
{
	if (order < WORD_ORDER) {
		uint64_t mask = word_mask(at, order);

		return (atomic_load_explicit(&line->word[at / 64], memory_order_relaxed) & mask) ==
		       mask;
	}
	for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++) {
		if (atomic_load_explicit(&line->word[at / 64 + i], memory_order_relaxed) !=
		    UINT64_MAX)
			return false;
	}
	return true;
}

QR_INLINE bool line_none(const struct line *line, unsigned at, unsigned order)
{
	if (order < WORD_ORDER)
		return !(atomic_load_explicit(&line->word[at / 64], memory_order_relaxed) &
			 word_mask(at, order));
	for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++) {
		if (atomic_load_explicit(&line->word[at / 64 + i], memory_order_relaxed))
			return false;
	}
	return true;
}

/* The order of the maximal free block around the free block of @order at @at. */
QR_INLINE unsigned line_join(const struct line *line, unsigned at, unsigned order)
{
	while (order < QR_PAGEBLOCK_ORDER && line_all(line, at ^ (1u << order), order)) {
		at &= ~(1u << order);
		order++;
	}
	return order;
}

/* Heads of order k + 1 from those of order k. */
QR_INLINE void heads_next(const struct bits *from, struct bits *to, unsigned k)
{
	for (unsigned i = 0; i < LINE_WORDS; i++) {
		if (k < WORD_ORDER) {
			to->word[i] =
				from->word[i] & (from->word[i] >> (1u << k)) & line_aligned(k + 1);
		} else {
			unsigned step = 1u << (k - WORD_ORDER);

			to->word[i] = i % (2 * step) == 0 && i + step < LINE_WORDS
					      ? from->word[i] & from->word[i + step]
					      : 0;
		}
	}
}

/* Heads of one order that fits a word, out of the word's bits. */
QR_INLINE uint64_t word_heads(uint64_t word, unsigned order)
{
	for (unsigned k = 0; k < order && word; k++)
		word &= word >> (1u << k) & line_aligned(k + 1);
	return word;
}

/* All bits of the blocks that have these heads: each lends a bit to the head above it. */
QR_INLINE uint64_t heads_cover(uint64_t heads, unsigned order)
{
	return (heads << (1u << order)) - heads;
}

QR_INLINE void heads_of(const struct bits *b, struct heads *h)
{
	h->of[0] = *b;
	for (unsigned k = 0; k < QR_PAGEBLOCK_ORDER; k++)
		heads_next(&h->of[k], &h->of[k + 1], k);
}

/* Is there a free block of this order, one that fits a word? */
QR_INLINE bool line_has_small(const struct line *line, unsigned order)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < LINE_WORDS; i++) {
		uint64_t word = atomic_load_explicit(&line->word[i], memory_order_relaxed);

		for (unsigned k = 0; k < order && word; k++)
			word &= word >> (1u << k);
		any |= word;
	}
	return any & line_aligned(order);
}

/* Of one that is a word, or more? */
QR_INLINE bool line_has_large(const struct line *line, unsigned order)
{
	for (unsigned at = 0; at < QR_PAGEBLOCK_NR_PAGES; at += 1u << order)
		if (line_all(line, at, order))
			return true;
	return false;
}

/* The order of the largest free block, which is known to be @least or more, and not all of it. */
QR_INLINE unsigned line_largest(const struct line *line, unsigned least)
{
	const unsigned small = QR_PAGEBLOCK_ORDER < WORD_ORDER ? QR_PAGEBLOCK_ORDER : WORD_ORDER;

	if (QR_PAGEBLOCK_ORDER > WORD_ORDER && least < WORD_ORDER &&
	    line_has_large(line, WORD_ORDER))
		least = WORD_ORDER;
	while (least + 1 < small && line_has_small(line, least + 1))
		least++;
	while (least >= WORD_ORDER && least + 1 < QR_PAGEBLOCK_ORDER &&
	       line_has_large(line, least + 1))
		least++;
	return least;
}

/*
 * Of the heads of order k < pageblock order, those that no head of order k + 1 covers, in word i.
 */
QR_INLINE uint64_t bits_maximal(const struct bits *heads, const struct bits *next, unsigned k,
				unsigned i)
{
	uint64_t covered;

	if (QR_PAGEBLOCK_ORDER <= WORD_ORDER || k < WORD_ORDER) {
		covered = next->word[i];
		covered |= covered << (1u << k);
	} else {
		unsigned step = 1u << (k - WORD_ORDER);

		covered = next->word[i & ~(2 * step - 1)];
	}
	return heads->word[i] & ~covered;
}

/* Of the heads of order k, those of maximal blocks, in word i. */
QR_INLINE uint64_t heads_maximal(const struct heads *h, unsigned k, unsigned i)
{
	if (k == QR_PAGEBLOCK_ORDER)
		return h->of[k].word[i];
	return bits_maximal(&h->of[k], &h->of[k + 1], k, i);
}

/* Add sign times the numbers of maximal blocks of each order; returns the largest order, or -1. */
QR_INLINE int heads_count(const struct heads *h, int64_t nr[QR_PAGEBLOCK_ORDER + 1], int sign)
{
	int largest = -1;
	unsigned above = 0;

	for (unsigned k = QR_PAGEBLOCK_ORDER + 1; k-- > 0;) {
		unsigned here = 0;

		for (unsigned i = 0; i < LINE_WORDS; i++)
			here += qr__popcount64(h->of[k].word[i]);
		if (here && largest < 0)
			largest = (int)k;
		nr[k] += sign * ((int64_t)here - 2 * (int64_t)above);
		above = here;
	}
	return largest;
}

#endif /* QR_BUDDY_BITMAP_LINE_H */
