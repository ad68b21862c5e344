/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_loose.c - what comes back to a stripe by the caches of CPUs
 *
 * Theory of operation
 * -------------------
 * A block that comes back may change much about its pageblock: which free block is the largest and
 * where it is filed; it may be the first that comes, or the last, and make its pageblock whole.
 * But nobody asks before somebody takes from the stripe, and by then more may have come.  So this
 * is put off.  A block comes, its bits are set, its pages are counted, and its pageblock is noted
 * in one of two sets:
 *
 *	loose	it is to be filed anew.  A part whose largest block has grown by a small one
 *	blind	and nobody has looked yet what its largest block is, only that it is no smaller
 *		than before, nor than what came.  All that large blocks or rows have come to, and
 *		what has grown once more while it was loose.  There is a set for each type, so who
 *		finds a pageblock there knows all about it that there is to know
 *
 * Whole pageblocks are noted likewise, in sets by class (SET_CAME): to join those is to join words
 * of sets, 64 pageblocks at a time.  That one has been whole all along is seen then, too.
 *
 * What came loose is gathered (bitmap_gather.c) before anybody takes from the stripe or sees the
 * whole zone.  How much there is to gather is bounded, for it is done with the stripe locked
 * (QR_LOOSE_MOST).
 *
 * What never lags behind: the bits, nr_free, and the counts of free pages, the zone's and
 * part_pages[]; but for what came by mistake (twice_refuse() in bitmap_gather.c).  What may:
 * largest, and orders[]; neither says more than there is.
 *
 * A small block by itself most often changes no more than its bits and nr_free.  Then its pageblock
 * does not become loose at all; it stays where it is filed (bitmap_file.c).
 *
 * Usual and unusual
 * -----------------
 * Nearly all small blocks are alike: they say that they wait in a cache, are not free yet, and of a
 * pageblock about which there is nothing to decide.  For those there is a loop that calls nobody,
 * so that the compiler has all it needs in registers.  It ends at the first block that is
 * otherwise, in whatever way, with nothing changed; that one goes by itself, the long way.
 */
#include "bitmap.h"

/* What a loop over blocks of one stripe has at hand, whatever is written meanwhile. */
struct ground {
	struct bitmap_stripe *stripe;
	_Atomic uint8_t *marks; /* of the order; NULL: there are none, but */
	struct qr_page_state *states;
	struct bitmap_block *blocks;
	_Atomic uint64_t *words; /* of all lines */
	const struct qr_pageblock *pageblocks;
	uint64_t before; /* of frame 0, counted from the engine's first; may wrap */
	uint32_t place_mask;
	bool fetches; /* the engine's data are more than what is near: they are fetched ahead */
	const uint64_t *whole; /* sets */
	uint64_t *loose;

	/* Of pageblocks of one type; where another one comes, it becomes that one's. */
	uint32_t bits;
	enum qr_migratetype type;
	uint16_t kind; /* what it says of them as parts that are not counted */
	uint64_t *came, *blind; /* sets */
	int64_t nr; /* blocks that came back to such pageblocks */
	unsigned began; /* of these became loose */
	uint64_t touched; /* words of the sets, modulo 64, in which they are */
};

/* A frame's number, counted from the engine's first. */
QR_INLINE uint64_t place_of(const struct ground *ground, uint32_t frame)
{
	return ground->before + frame;
}

/* Which bit of its word is its own. */
QR_INLINE unsigned bit_of(const struct ground *ground, uint32_t frame)
{
	return (unsigned)(place_of(ground, frame) & ((1u << LINE_WORD_SHIFT) - 1));
}

QR_INLINE uint32_t block_of(const struct ground *ground, uint32_t frame)
{
	return (uint32_t)(place_of(ground, frame) >> QR_PAGEBLOCK_ORDER);
}

/* What of a pageblock's word says its type. */
QR_INLINE uint32_t type_bits(const struct qr_pageblock *pageblock)
{
	return atomic_load_explicit(&pageblock->bits, memory_order_relaxed) &
	       (QR_PB_TYPE_MASK | QR_PB_ISOLATE);
}

/* Is a pageblock a part of this kind, and is it not counted? */
QR_INLINE bool is_part_of(const struct bitmap_block *block, uint16_t kind)
{
	const struct bitmap_block asked = {.part = true, .counted = true, .type = UINT8_MAX};

	return (block->kind & asked.kind) == kind;
}

QR_INLINE void ground_of_type(struct ground *ground, const struct bitmap_buddy *buddy, uint32_t i)
{
	struct bitmap_block part = {.part = true};

	ground->bits = type_bits(&ground->pageblocks[i]);
	ground->type = qr__pageblock_type_of(ground->bits);
	part.type = (uint8_t)ground->type;
	ground->kind = part.kind;
	ground->came = bitmap_set(buddy, ground->stripe, SET_CAME(bitmap_class_of(ground->type)));
	ground->blind = bitmap_set(buddy, ground->stripe, SET_BLIND(ground->type));
	ground->nr = 0;
	ground->began = 0;
	ground->touched = 0;
}

/* For blocks of a stripe of which this is one. */
QR_INLINE struct ground ground_of(const struct qr_zone *zone, unsigned order, uint32_t frame)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	struct ground ground = {
		.marks = order < QR_MARK_ORDERS ? zone->frames->marks[order] : NULL,
		.states = zone->frames->states,
		.blocks = buddy->blocks,
		.words = buddy->lines[0].word,
		.pageblocks = qr__pageblock(zone->frames, buddy->start_pfn),
		.before = zone->frames->base_pfn - buddy->start_pfn,
		.place_mask = (UINT32_C(1) << buddy->stripe_shift) - 1,
		.fetches = buddy->nr_blocks > QR_NEAR_BLOCKS,
	};
	uint32_t i = block_of(&ground, frame);

	ground.stripe = bitmap_stripe(buddy, i);
	ground.whole = bitmap_set(buddy, ground.stripe, SET_WHOLE);
	ground.loose = bitmap_set(buddy, ground.stripe, SET_LOOSE);
	ground_of_type(&ground, buddy, i);
	return ground;
}

/* A stripe has something of this type that is to be gathered. */
static void loose_note(struct qr_zone *zone, struct bitmap_stripe *stripe, enum qr_migratetype type)
{
	bitmap_types_add(&stripe->loose, QR_TYPE_BIT(type));
	bitmap_types_add(&stripe->unsure, QR_TYPE_BIT(type));
	qr__zone_loose_note(zone);
}

/* Account what came to pageblocks of the ground's type. */
static void ground_end(struct qr_zone *zone, const struct ground *ground, unsigned order,
		       struct bitmap_given *given)
{
	given->in_parts[ground->type] += (int64_t)((uint64_t)ground->nr << order);
	given->types |= QR_TYPE_BIT(ground->type);
	if (!ground->touched)
		return;
	ground->stripe->nr_loose += ground->began;
	ground->stripe->loose_words |= ground->touched;
	bitmap_orders_add(ground->stripe, ground->type, UINT32_C(1) << order);
	loose_note(zone, ground->stripe, ground->type);
}

/* Claims ------------------------------------------------------------------------------------- */

/*
 * What comes must say that it waits in a cache, and stops saying so.  If it does not, two CPUs have
 * freed it in the same moment, and it is somebody's again or has been here already.
 */
static QR_NOINLINE bool claim_by_state(struct qr_zone *zone, uint32_t frame, unsigned order)
{
	struct qr_frames *frames = zone->frames;

	if (qr__unlikely(!qr__word_is_cached(qr__frame_word(frames, frame), order))) {
		qr__freed_twice_report(zone, frames->base_pfn + frame, order);
		return false;
	}
	qr__page_type_set(frames, &frames->pages[frame], QR_PT_NONE);
	return true;
}

QR_INLINE bool is_cached(const struct ground *ground, uint32_t frame, unsigned order, bool marks)
{
	if (marks)
		return qr__mark(&ground->marks[frame >> order]) == QR_MARK_CACHED;
	return qr__word_is_cached(qr__state_word(&ground->states[frame]), order);
}

QR_INLINE void cached_no_more(const struct ground *ground, uint32_t frame, unsigned order,
			      bool marks)
{
	if (marks)
		qr__mark_set(&ground->marks[frame >> order], QR_MARK_SILENT);
	else
		qr__state_type_set(&ground->states[frame], QR_PT_NONE);
}

QR_INLINE bool claim(struct qr_zone *zone, const struct ground *ground, uint32_t frame,
		     unsigned order)
{
	if (ground->marks && qr__likely(is_cached(ground, frame, order, true))) {
		cached_no_more(ground, frame, order, true);
		return true;
	}
	if (!ground->marks && qr__likely(is_cached(ground, frame, order, false))) {
		cached_no_more(ground, frame, order, false);
		return true;
	}
	return claim_by_state(zone, frame, order);
}

/* Pageblocks become loose -------------------------------------------------------------------- */

/*
 * As they mostly do, by a block of @order at least; @blind: nobody looks for its largest block from
 * now on.  False: it is not of the ground's type, or wants a closer look.
 */
QR_INLINE bool loose_begin(struct ground *ground, uint32_t i, unsigned order, bool blind)
{
	struct bitmap_block *block = &ground->blocks[i];
	uint32_t place = i & ground->place_mask, word = place / 64;
	uint64_t bit = UINT64_C(1) << (place % 64);

	if (qr__unlikely(type_bits(&ground->pageblocks[i]) != ground->bits || block->counted ||
			 (ground->whole[word] | ground->came[word]) & bit))
		return false;
	ground->began += !block->loose;
	block->part = block->loose = true;
	block->blind |= blind;
	block->largest = block->largest > order ? block->largest : (uint8_t)order;
	block->type = (uint8_t)ground->type;
	(blind ? ground->blind : ground->loose)[word] |= bit;
	ground->touched |= UINT64_C(1) << (word % 64);
	return true;
}

/* The closer look.  False: all of it is free. */
static QR_NOINLINE bool loose_begin_closely(struct qr_zone *zone, struct ground *ground, uint32_t i,
					    bool blind, unsigned order, struct bitmap_given *given)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	ground_end(zone, ground, order, given);
	ground_of_type(ground, buddy, i);
	if (ground->blocks[i].counted)
		qr__bitmap_uncount(buddy, i);
	return loose_begin(ground, i, order, blind);
}

QR_INLINE bool is_blind(const struct ground *ground, uint32_t i)
{
	return bitmap_set_has(ground->blind, i & ground->place_mask);
}

static QR_COLD void twice_report(struct qr_zone *zone, uint32_t frame, unsigned order)
{
	qr__freed_twice_report(zone, zone->frames->base_pfn + frame, order);
}

/* Small blocks ------------------------------------------------------------------------------- */

/* Is the block of @order around a bit of a word all free; or the word, if the block is larger? */
QR_INLINE bool is_free_around(uint64_t word, unsigned bit, unsigned order)
{
	static const struct around {
		uint64_t ones;
		uint64_t first; /* bit & first: where the block begins */
	} around[] = {
		{UINT64_C(0x1), 63},  {UINT64_C(0x3), 62},    {UINT64_C(0xf), 60},
		{UINT64_C(0xff), 56}, {UINT64_C(0xffff), 48}, {UINT64_C(0xffffffff), 32},
		{UINT64_MAX, 0},
	};
	const struct around *a = &around[order < WORD_ORDER ? order : WORD_ORDER];

	return !(~(word >> (bit & a->first)) & a->ones);
}

/*
 * The word around a frame where a block of @order has come says that the largest block of its
 * pageblock may have grown.  Then it is that block, or one order larger than before, and never
 * more: of what it consists of now, the other half was there.
 */
static QR_NOINLINE void part_grow(struct ground *ground, uint32_t frame, unsigned order)
{
	uint32_t i = block_of(ground, frame);
	unsigned at = bitmap_offset(place_of(ground, frame));
	const _Atomic uint64_t *words = &ground->words[(size_t)i * LINE_WORDS];
	const struct bitmap_block *block = &ground->blocks[i];
	unsigned grown = (unsigned)qr__max(block->largest + 1u, order);

	if (block->loose) /* it grows again and again: later, then, and once */
		loose_begin(ground, i, 0, true);
	else if (grown <= WORD_ORDER ||
		 line_all((const struct line *)(const void *)words, at >> grown << grown, grown))
		loose_begin(ground, i, grown, false);
}

/*
 * A block's pageblock is no part of the ground's type, or is counted, or has the block's bits: what
 * it takes for it to come nevertheless.  False: it must not.  Whether somebody has counted the
 * blocks of a pageblock is to make no difference.
 */
static QR_NOINLINE bool small_begin(struct qr_zone *zone, struct ground *ground, uint32_t frame,
				    unsigned order, bool is_free, struct bitmap_given *given)
{
	uint32_t i = block_of(ground, frame);
	const struct bitmap_block *block = &ground->blocks[i];

	if (block->counted)
		qr__bitmap_uncount(bitmap_of(zone), i);
	if (!is_free &&
	    ((block->part && block->type == ground->type) || loose_begin(ground, i, order, false) ||
	     loose_begin_closely(zone, ground, i, false, order, given)))
		return true;
	twice_report(zone, frame, order);
	return false;
}

/* A block by itself, which was claimed. */
static void small_give(struct qr_zone *zone, struct ground *ground, uint32_t frame, unsigned order,
		       struct bitmap_given *given)
{
	struct bitmap_block *block = &ground->blocks[block_of(ground, frame)];
	_Atomic uint64_t *word = &ground->words[place_of(ground, frame) >> LINE_WORD_SHIFT];
	unsigned bit = bit_of(ground, frame);
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t row = word_mask(bit, order);

	if ((!is_part_of(block, ground->kind) || now & row) &&
	    !small_begin(zone, ground, frame, order, now & row, given))
		return;
	now |= row;
	atomic_store_explicit(word, now, memory_order_relaxed);
	bitmap_nr_free_add(block, 1u << order);
	ground->nr++;
	if (!block->blind && is_free_around(now, bit, block->largest + 1u))
		part_grow(ground, frame, order);
}

/* A block by itself, whatever is unusual about it. */
static QR_NOINLINE void small_unusual(struct qr_zone *zone, struct ground *ground, uint32_t frame,
				      unsigned order, struct bitmap_given *given)
{
	if (claim(zone, ground, frame, order))
		small_give(zone, ground, frame, order, given);
}

/* Rows --------------------------------------------------------------------------------------- */

/* Blocks of one word that come one after the other. */
struct row {
	unsigned nr; /* of these */
	unsigned kept; /* could be claimed, which stand in front then */
	uint64_t bits; /* of which these are */
};

QR_INLINE bool is_in_word(const struct ground *ground, uint32_t frame, uint64_t word)
{
	return place_of(ground, frame) >> LINE_WORD_SHIFT == word;
}

/* If the next QR_MARKS_ROW lie side by side, in either direction, and all say so by their marks. */
QR_INLINE bool row_claim_some(const struct ground *ground, const uint32_t *frames, unsigned order,
			      uint64_t word, struct row *row)
{
	uint32_t step = UINT32_C(1) << order, first = frames[0], last = frames[QR_MARKS_ROW - 1];

	if (!is_in_word(ground, last, word))
		return false;
	if (bitmap_lie_apart(frames, -step))
		first = last;
	else if (!bitmap_lie_apart(frames, step))
		return false;
	if (!qr__marks_change(&ground->marks[first >> order], QR_MARK_CACHED, QR_MARK_SILENT))
		return false;
	row->bits |= word_mask(bit_of(ground, first), order + 3);
	return true;
}

_Static_assert(QR_MARKS_ROW == 1 << 3 && LARGE_ORDER + 3 <= WORD_ORDER, "a row's bits");

static QR_NOINLINE struct row row_claim(struct qr_zone *zone, const struct ground *ground,
					uint32_t *frames, unsigned nr, unsigned order)
{
	uint64_t word = place_of(ground, frames[0]) >> LINE_WORD_SHIFT;
	struct row row = {0};

	while (row.nr < nr && is_in_word(ground, frames[row.nr], word)) {
		uint32_t *next = frames + row.nr, frame = *next;

		if (ground->marks && row.nr + QR_MARKS_ROW <= nr && row.kept == row.nr &&
		    row_claim_some(ground, next, order, word, &row)) {
			row.nr += QR_MARKS_ROW;
			row.kept += QR_MARKS_ROW;
			continue;
		}
		row.nr++;
		if (qr__unlikely(!claim(zone, ground, frame, order)))
			continue;
		frames[row.kept++] = frame;
		row.bits |= word_mask(bit_of(ground, frame), order);
	}
	return row;
}

/* What was allocated in a row is often freed in a row: such blocks come together. */
static QR_NOINLINE unsigned row_give(struct qr_zone *zone, struct ground *ground, uint32_t *frames,
				     unsigned nr, unsigned order, struct bitmap_given *given)
{
	struct row row = row_claim(zone, ground, frames, nr, order);
	uint64_t at = place_of(ground, frames[0]);
	uint32_t i = (uint32_t)(at >> QR_PAGEBLOCK_ORDER);
	_Atomic uint64_t *word = &ground->words[at >> LINE_WORD_SHIFT];
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

	if (qr__unlikely(!row.kept))
		return row.nr;
	if (qr__unlikely(ground->blocks[i].counted))
		qr__bitmap_uncount(bitmap_of(zone), i);
	if (qr__unlikely(now & row.bits ||
			 !(is_blind(ground, i) || loose_begin(ground, i, order, true)))) {
		for (unsigned n = 0; n < row.kept; n++)
			small_give(zone, ground, frames[n], order, given);
		return row.nr;
	}
	atomic_store_explicit(word, now | row.bits, memory_order_relaxed);
	bitmap_nr_free_add(&ground->blocks[i], row.kept << order);
	ground->nr += row.kept;
	return row.nr;
}

/* Do the first two lie in one word? */
QR_INLINE bool is_row(const struct ground *ground, const uint32_t *frames, unsigned nr)
{
	return nr > 1 &&
	       (place_of(ground, frames[0]) ^ place_of(ground, frames[1])) >> LINE_WORD_SHIFT == 0;
}

/* Blocks in no order go by so many at a time, before it is asked again whether a row begins. */
#define AT_A_TIME 4u

/* What will be read of blocks in no order, which are still to come, is fetched. */
QR_INLINE void small_fetch(const struct ground *ground, const uint32_t *frames, unsigned nr)
{
	if (nr < BITMAP_AHEAD + AT_A_TIME)
		return;
	QR_UNROLL
	for (unsigned n = 0; n < AT_A_TIME; n++)
		bitmap_fetch((const struct line *)(const void *)ground->words, ground->blocks,
			     place_of(ground, frames[BITMAP_AHEAD + n]));
}

/*
 * A block as most are: it waits in a cache, its bits are clear, and its pageblock is a part of the
 * ground's type that is not counted and whose largest block does not grow by it.  False: it is
 * none, and nothing has changed.
 */
QR_INLINE bool small_usual(const struct ground *ground, uint32_t frame, unsigned order, bool marks)
{
	uint64_t at = place_of(ground, frame);
	struct bitmap_block *block = &ground->blocks[at >> QR_PAGEBLOCK_ORDER];
	_Atomic uint64_t *word = &ground->words[at >> LINE_WORD_SHIFT];
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
	unsigned bit = bit_of(ground, frame);
	uint64_t ones = word_mask(0, order);

	if (qr__unlikely(!is_cached(ground, frame, order, marks)) ||
	    qr__unlikely(!is_part_of(block, ground->kind)) || qr__unlikely(now >> bit & ones))
		return false;
	now |= ones << bit;
	if (!block->blind && qr__unlikely(is_free_around(now, bit, block->largest + 1u)))
		return false;
	cached_no_more(ground, frame, order, marks);
	atomic_store_explicit(word, now, memory_order_relaxed);
	bitmap_nr_free_add(block, 1u << order);
	return true;
}

/* Up to the first that is none, or to where a row begins; returns how many. */
QR_INLINE unsigned small_usual_some(const struct ground *elsewhere, const uint32_t *frames,
				    unsigned nr, unsigned order, bool marks)
{
	const struct ground ground = *elsewhere; /* in registers */
	unsigned n = 0;

	for (; nr - n >= AT_A_TIME; n += AT_A_TIME) {
		if (is_row(&ground, frames + n, nr - n))
			return n;
		if (ground.fetches)
			small_fetch(&ground, frames + n, nr - n);
		QR_UNROLL
		for (unsigned k = 0; k < AT_A_TIME; k++) {
			if (qr__unlikely(!small_usual(&ground, frames[n + k], order, marks)))
				return n + k;
		}
	}
	if (is_row(&ground, frames + n, nr - n))
		return n;
	while (n < nr && small_usual(&ground, frames[n], order, marks))
		n++;
	return n;
}

_Static_assert(LARGE_ORDER <= 3, "all orders of small blocks are below");

static QR_NOINLINE unsigned small_usual_all(const struct ground *ground, const uint32_t *frames,
					    unsigned nr, unsigned order)
{
	bool marks = ground->marks != NULL;

	switch (order) {
	case 0:
		return marks ? small_usual_some(ground, frames, nr, 0, true)
			     : small_usual_some(ground, frames, nr, 0, false);
	case 1:
		return marks ? small_usual_some(ground, frames, nr, 1, true)
			     : small_usual_some(ground, frames, nr, 1, false);
	default:
		return marks ? small_usual_some(ground, frames, nr, 2, true)
			     : small_usual_some(ground, frames, nr, 2, false);
	}
}

/*
 * Blocks in no order, up to where a row begins; returns how many.  Whether one is usual is to make
 * no difference to where rows are looked for: that somebody looked on makes blocks unusual.
 */
static unsigned small_give_some(struct qr_zone *zone, struct ground *ground, const uint32_t *frames,
				unsigned nr, unsigned order, struct bitmap_given *given)
{
	unsigned n = small_usual_all(ground, frames, nr, order);
	unsigned end = (unsigned)qr__min(n / AT_A_TIME * AT_A_TIME + AT_A_TIME, nr);

	ground->nr += n;
	if (n % AT_A_TIME == 0 && is_row(ground, frames + n, nr - n))
		return n;
	for (; n < end; n++)
		small_unusual(zone, ground, frames[n], order, given);
	return n;
}

void qr__bitmap_small_give(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr,
			   struct bitmap_given *given)
{
	struct ground ground = ground_of(zone, order, frames[0]);

	for (unsigned n = 0; n < nr;) {
		if (is_row(&ground, frames + n, nr - n))
			n += row_give(zone, &ground, frames + n, nr - n, order, given);
		else
			n += small_give_some(zone, &ground, frames + n, nr - n, order, given);
	}
	ground_end(zone, &ground, order, given);
}

/* Large blocks ------------------------------------------------------------------------------- */

/*
 * Of blocks of this order a pageblock has so few that whether one is its first cannot be foretold:
 * each is taken for it.
 */
#define FEW_ORDER (WORD_ORDER + 1)

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

/* The address of what is at hand is nobody's affair: else it would have to be in memory. */
QR_INLINE bool large_begin_closely(struct qr_zone *zone, struct ground *ground, uint32_t i,
				   unsigned order, struct bitmap_given *given)
{
	struct ground other = *ground;
	bool begun = loose_begin_closely(zone, &other, i, true, order, given);

	*ground = other;
	return begun;
}

QR_INLINE void large_give(struct qr_zone *zone, unsigned order, const uint32_t *frames,
			  uint64_t which, struct bitmap_given *given)
{
	struct ground ground = ground_of(zone, order, frames[qr__ctz64(which)]);

	for (; which; which &= which - 1) {
		uint32_t frame = frames[qr__ctz64(which)];
		uint64_t at = place_of(&ground, frame), mask = block_mask(at, order);
		uint32_t i = (uint32_t)(at >> QR_PAGEBLOCK_ORDER);
		_Atomic uint64_t *words = &ground.words[at >> LINE_WORD_SHIFT];

		if (qr__unlikely(!claim(zone, &ground, frame, order)))
			continue;
		if (qr__unlikely(block_any(words, mask, order)) ||
		    ((order >= FEW_ORDER || !is_blind(&ground, i)) &&
		     qr__unlikely(!loose_begin(&ground, i, order, true)) &&
		     !large_begin_closely(zone, &ground, i, order, given))) {
			twice_report(zone, frame, order);
			continue;
		}
		block_fill(words, mask, order);
		bitmap_nr_free_add(&ground.blocks[i], 1u << order);
		ground.nr++;
	}
	ground_end(zone, &ground, order, given);
}

void qr__bitmap_large_give(struct qr_zone *zone, unsigned order, const uint32_t *frames,
			   uint64_t which, struct bitmap_given *given)
{
	switch (order) {
	case WORD_ORDER - 3:
		large_give(zone, WORD_ORDER - 3, frames, which, given);
		break;
	case WORD_ORDER - 2:
		large_give(zone, WORD_ORDER - 2, frames, which, given);
		break;
	case WORD_ORDER - 1:
		large_give(zone, WORD_ORDER - 1, frames, which, given);
		break;
	case WORD_ORDER:
		large_give(zone, WORD_ORDER, frames, which, given);
		break;
	case WORD_ORDER + 1:
		large_give(zone, WORD_ORDER + 1, frames, which, given);
		break;
	case WORD_ORDER + 2:
		large_give(zone, WORD_ORDER + 2, frames, which, given);
		break;
	default:
		large_give(zone, order, frames, which, given);
	}
}

/* Pageblocks --------------------------------------------------------------------------------- */

/* Up to one of another type; returns those that are left. */
static uint64_t pageblocks_give(struct qr_zone *zone, const uint32_t *frames, uint64_t which,
				struct bitmap_given *given)
{
	const struct ground ground = ground_of(zone, QR_PAGEBLOCK_ORDER, frames[qr__ctz64(which)]);
	enum qr_migratetype type = bitmap_class_type(bitmap_class_of(ground.type));
	uint64_t left = which, words = 0;
	int64_t refused = 0;

	for (; left; left &= left - 1) {
		uint32_t frame = frames[qr__ctz64(left)];
		uint64_t i = place_of(&ground, frame) >> QR_PAGEBLOCK_ORDER;
		uint64_t place = i & ground.place_mask, word = place / 64;
		uint64_t bit = UINT64_C(1) << (place % 64);

		if (qr__unlikely(type_bits(&ground.pageblocks[i]) != ground.bits))
			break;
		if (qr__unlikely(!claim(zone, &ground, frame, QR_PAGEBLOCK_ORDER))) {
			refused++;
			continue;
		}
		if (qr__unlikely(ground.came[word] & bit)) {
			twice_report(zone, frame, QR_PAGEBLOCK_ORDER);
			refused++;
			continue;
		}
		ground.came[word] |= bit;
		words |= UINT64_C(1) << (word % 64);
	}
	ground.stripe->came_words |= words;
	given->pages[type] += ((int64_t)qr__popcount64(which ^ left) - refused)
			      << QR_PAGEBLOCK_ORDER;
	given->types |= QR_TYPE_BIT(type);
	loose_note(zone, ground.stripe, type);
	return left;
}

void qr__bitmap_pageblocks_give(struct qr_zone *zone, const uint32_t *frames, uint64_t which,
				struct bitmap_given *given)
{
	while (which)
		which = pageblocks_give(zone, frames, which, given);
}
