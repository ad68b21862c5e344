/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_take.c - blocks for whoever asks, out of parts and whole pageblocks
 *
 * All takes are of several blocks, for that is what fills caches: a pageblock is opened once, as
 * many bits as are wanted leave its line in one pass, and it is filed again once.
 */
#include "bitmap.h"

/* Records ---------------------------------------------------------------------------------- */

/* False: the record has something to say still. */
QR_INLINE bool hand_out(const struct qr_zone *zone, uint32_t frame, unsigned order)
{
	struct qr_frames *frames = zone->frames;
	struct qr_page_state *state = &frames->states[frame];

	qr__frame_settle(frames, frame);
	qr__state_head_set(state, zone->id, QR_PT_PCP, order);
	if (qr__likely(!qr__state_noted(state)))
		return true;
	qr__page_reported_clear(frames, &frames->pages[frame]);
	return !qr__state_noted(state);
}

void qr__bitmap_hand_out(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	hand_out(zone, (uint32_t)(pfn - zone->frames->base_pfn), order);
}

/*
 * The stripe is locked, which is what a pageblock's type is guarded by; operations are called
 * through pointers, which cannot tell the compiler.
 */
QR_INLINE void type_set(struct qr_zone *zone, uint32_t i,
			enum qr_migratetype type) QR_NO_LOCK_ANALYSIS
{
	qr_pfn_t pfn = bitmap_pfn(bitmap_of(zone), i);

	if (qr__unlikely(qr__pageblock_type(zone->frames, pfn) != type) &&
	    type != QR_MIGRATE_ISOLATE)
		qr__pageblock_type_set_locked(zone, pfn, type);
}

void qr__bitmap_type_set(struct qr_zone *zone, uint32_t i, enum qr_migratetype type)
{
	type_set(zone, i, type);
}

/* The frame that a pageblock begins with. */
QR_INLINE uint32_t first_frame(const struct bitmap_taking *taking, uint32_t i)
{
	const struct qr_zone *zone = taking->zone;

	return (uint32_t)(bitmap_pfn(bitmap_of(zone), i) - zone->frames->base_pfn);
}

/* A block is the caller's; its bits are somebody else's affair, and so is its record. */
QR_INLINE void block_emit(struct bitmap_taking *taking, uint32_t frame)
{
	taking->frames[taking->taken++] = frame;
}

/* @nr blocks that lie side by side. */
QR_INLINE void blocks_emit(struct bitmap_taking *taking, uint32_t frame, unsigned nr)
{
	uint32_t *frames = taking->frames + taking->taken, step = UINT32_C(1) << taking->order;

	for (unsigned n = 0; n < nr; n++, frame += step)
		frames[n] = frame;
	taking->taken += nr;
}

/*
 * Records of all that was taken, in one loop that has nothing else to do: each is in a cache line
 * of its own, and so several are fetched at a time.
 */
static void states_hand_out(const struct bitmap_taking *taking)
{
	struct qr_zone *zone = taking->zone;
	struct qr_page_state *states = zone->frames->states;
	const uint32_t *frames = taking->frames, *end = frames + taking->taken;
	unsigned zone_id = zone->id, order = taking->order;
	bool noted = false;

	for (; frames < end; frames++) {
		qr__state_head_set(&states[*frames], zone_id, QR_PT_PCP, order);
		noted |= qr__state_noted(&states[*frames]);
	}
	if (qr__likely(!noted))
		return;
	for (frames = taking->frames; frames < end; frames++) {
		if (qr__state_noted(&states[*frames]))
			qr__page_reported_clear(zone->frames, &zone->frames->pages[*frames]);
	}
}

/* One where marks say it: what came back by its mark needs no more than another one. */
QR_INLINE void mark_hand_out(struct qr_zone *zone, uint32_t frame, unsigned order)
{
	_Atomic uint8_t *mark = qr__mark_of(zone->frames, frame, order);

	__builtin_prefetch(&zone->frames->states[frame], 1);
	if (qr__likely(qr__mark(mark) == QR_MARK_SILENT) || hand_out(zone, frame, order))
		qr__mark_set(mark, QR_MARK_CACHED);
}

/* All marks of a row at once; false: they lie elsewhere, or have something else to say. */
QR_INLINE bool row_hand_out(const struct qr_zone *zone, const uint32_t *frames, unsigned order)
{
	const struct qr_page_state *states = zone->frames->states;

	if (!bitmap_lie_apart(frames, UINT32_C(1) << order) ||
	    !qr__marks_change(qr__mark_of(zone->frames, frames[0], order), QR_MARK_SILENT,
			      QR_MARK_CACHED))
		return false;
	for (unsigned n = 0; n < QR_MARKS_ROW; n += order ? 1 : QR_MARKS_ROW - 1)
		__builtin_prefetch(&states[frames[n]], 1);
	return true;
}

/* What is noted stays with its state. */
static void marks_hand_out(const struct bitmap_taking *taking)
{
	const uint32_t *frames = taking->frames;
	unsigned n = 0, order = taking->order;

	for (; n + QR_MARKS_ROW <= taking->taken; n += QR_MARKS_ROW)
		if (!row_hand_out(taking->zone, frames + n, order))
			for (unsigned k = 0; k < QR_MARKS_ROW; k++)
				mark_hand_out(taking->zone, frames[n + k], order);
	for (; n < taking->taken; n++)
		mark_hand_out(taking->zone, frames[n], order);
}

void qr__bitmap_hand_out_all(const struct bitmap_taking *taking)
{
	struct qr_zone *zone = taking->zone;

	if (!zone->route)
		states_hand_out(taking);
	else if (taking->order < QR_MARK_ORDERS)
		marks_hand_out(taking);
	else
		for (unsigned n = 0; n < taking->taken; n++)
			qr__bitmap_hand_out(zone, zone->frames->base_pfn + taking->frames[n],
					    taking->order);
}

/* Parts ------------------------------------------------------------------------------------ */

/* Every free block of a line, larger ones in pieces.  Of an order that fits a word. */
static void words_take_all(struct bitmap_taking *taking, uint32_t i)
{
	struct line *line = &bitmap_of(taking->zone)->lines[i];
	uint32_t frame = first_frame(taking, i);

	for (unsigned w = 0; w < LINE_WORDS; w++, frame += 64) {
		uint64_t word = atomic_load_explicit(&line->word[w], memory_order_relaxed);
		uint64_t heads = word_heads(word, taking->order);

		if (!heads)
			continue;
		atomic_store_explicit(&line->word[w], word & ~heads_cover(heads, taking->order),
				      memory_order_relaxed);
		for (; heads; heads &= heads - 1)
			block_emit(taking, frame + qr__ctz64(heads));
	}
}

/* The same of an order that is a word or more. */
static void spans_take_all(struct bitmap_taking *taking, uint32_t i)
{
	struct line *line = &bitmap_of(taking->zone)->lines[i];

	for (unsigned at = 0; at < QR_PAGEBLOCK_NR_PAGES; at += 1u << taking->order) {
		if (!line_all(line, at, taking->order))
			continue;
		line_fill(line, at, taking->order, false);
		block_emit(taking, first_frame(taking, i) + at);
	}
}

/* Of the free block of order k at @at, as many pieces as are wanted, from the lowest on. */
static void block_cut(struct bitmap_taking *taking, uint32_t i, unsigned at, unsigned k)
{
	struct line *line = &bitmap_of(taking->zone)->lines[i];
	unsigned pieces = (unsigned)qr__min(1u << (k - taking->order), taking->nr - taking->taken);
	uint32_t frame = first_frame(taking, i) + at;

	if (pieces << taking->order == 1u << k)
		line_fill(line, at, k, false);
	else
		line_clear_row(line, at, pieces << taking->order);
	blocks_emit(taking, frame, pieces);
}

/* Of the free blocks of order k in word w, as many as are wanted. */
QR_INLINE void blocks_cut(struct bitmap_taking *taking, uint32_t i, unsigned w, uint64_t found,
			  unsigned k)
{
	for (; found && taking->taken < taking->nr; found &= found - 1)
		block_cut(taking, i, w * 64 + qr__ctz64(found), k);
}

/* Blocks smaller than a word.  Most words are all free or have none; these have no such blocks. */
static void small_take(struct bitmap_taking *taking, uint32_t i, struct bits *heads)
{
	for (unsigned k = 0; k < NR_SMALL_ORDERS && taking->taken < taking->nr; k++) {
		for (unsigned w = 0; w < LINE_WORDS; w++) {
			uint64_t here = heads->word[w], next;

			if (!here)
				continue;
			next = here & here >> (1u << k) & line_aligned(k + 1);
			heads->word[w] = next;
			if (k >= taking->order)
				blocks_cut(taking, i, w, here & ~(next | next << (1u << k)), k);
		}
	}
}

static void large_take_some(struct bitmap_taking *taking, uint32_t i, struct bits *heads)
{
	struct bits next;

	for (unsigned k = WORD_ORDER; k < NR_PART_ORDERS && taking->taken < taking->nr; k++) {
		heads_next(heads, &next, k);
		for (unsigned w = 0; k >= taking->order && w < LINE_WORDS; w++)
			blocks_cut(taking, i, w, bits_maximal(heads, &next, k, w), k);
		*heads = next;
	}
}

/* As many blocks as are wanted, the smallest that will do first. */
static void line_take_some(struct bitmap_taking *taking, uint32_t i)
{
	struct bits small = line_load(&bitmap_of(taking->zone)->lines[i]), large;

	for (unsigned w = 0; w < LINE_WORDS; w++) {
		large.word[w] = small.word[w] == UINT64_MAX;
		small.word[w] = large.word[w] ? 0 : small.word[w];
	}
	if (taking->order < WORD_ORDER)
		small_take(taking, i, &small);
	large_take_some(taking, i, &large);
}

static void part_take(struct bitmap_taking *taking, uint32_t i)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	struct bitmap_block *block = &buddy->blocks[i];
	unsigned before = taking->taken;

	qr__bitmap_part_open(buddy, i);
	if ((unsigned)block->nr_free >> taking->order > taking->nr - before)
		line_take_some(taking, i);
	else if (taking->order < WORD_ORDER)
		words_take_all(taking, i);
	else
		spans_take_all(taking, i);
	bitmap_nr_free_add(block, -((taking->taken - before) << taking->order));
	qr__bitmap_part_close(buddy, i, taking->type);
}

void qr__bitmap_take_parts(struct bitmap_taking *taking, struct bitmap_stripe *stripe,
			   unsigned most)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);

	while (taking->taken < taking->nr) {
		uint32_t i = qr__bitmap_choose(buddy, stripe, taking->type, taking->order);

		if (i == QR_LIST_NONE || buddy->blocks[i].nr_free > most)
			return;
		part_take(taking, i);
	}
}

/* Whole pageblocks ------------------------------------------------------------------------- */

/* The first pages of a pageblock that was whole until now, and is in no set any more. */
static void fresh_take(struct bitmap_taking *taking, uint32_t i)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	unsigned nr = (unsigned)qr__min(taking->nr - taking->taken,
					QR_PAGEBLOCK_NR_PAGES >> taking->order);
	unsigned left = QR_PAGEBLOCK_NR_PAGES - (nr << taking->order);
	uint32_t frame = first_frame(taking, i);

	type_set(taking->zone, i, taking->type);
	blocks_emit(taking, frame, nr);
	if (!left)
		return;
	buddy->blocks[i].nr_free = (uint16_t)left;
	bitmap_line_set(buddy, i, true);
	line_clear_row(&buddy->lines[i], 0, nr << taking->order);
	/* the largest block of what is left ends where the pageblock does */
	qr__bitmap_part_file(buddy, i, qr__fls64(left) - 1, taking->type);
}

/* Pageblocks @first + n for each bit n of @row, in no set any more, as blocks. */
static void pageblocks_emit(struct bitmap_taking *taking, uint32_t first, uint64_t row)
{
	struct qr_zone *zone = taking->zone;
	uint32_t *frames = taking->frames + taking->taken, frame = first_frame(taking, first);
	enum qr_migratetype type = taking->type;

	for (; row; row &= row - 1) {
		uint32_t n = qr__ctz64(row);

		type_set(zone, first + n, type);
		*frames++ = frame + (n << QR_PAGEBLOCK_ORDER);
	}
	taking->taken = (unsigned)(frames - taking->frames);
}

/* A block of pageblock order or more, in no set any more. */
QR_INLINE void large_take(struct bitmap_taking *taking, uint32_t i)
{
	for (uint32_t k = 0; k < 1u << (taking->order - QR_PAGEBLOCK_ORDER); k++)
		type_set(taking->zone, i + k, taking->type);
	block_emit(taking, first_frame(taking, i));
}

/* Of @nr whole pageblocks in no set, as many as are wanted; returns how many that are. */
QR_INLINE uint32_t pageblocks_take(struct bitmap_taking *taking, uint32_t i, uint32_t nr)
{
	uint32_t step = taking->order > QR_PAGEBLOCK_ORDER
				? 1u << (taking->order - QR_PAGEBLOCK_ORDER)
				: 1,
		 used = 0;

	for (; used < nr && taking->taken < taking->nr; used += step) {
		if (taking->order < QR_PAGEBLOCK_ORDER)
			fresh_take(taking, i + used);
		else
			large_take(taking, i + used);
	}
	return used;
}

/* From a whole block, of an order that will do: of its pageblocks as many as are wanted. */
static void whole_take(struct bitmap_taking *taking, struct bitmap_whole whole)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	uint32_t used;

	qr__bitmap_whole_remove(buddy, whole);
	used = pageblocks_take(taking, whole.head, 1u << (whole.order - QR_PAGEBLOCK_ORDER));
	qr__bitmap_whole_rest(buddy, whole.head, whole.order, used, whole.class);
}

/* Blocks of one order in one row, all of each; false: less than that is wanted. */
static bool row_take(struct bitmap_taking *taking, unsigned s, unsigned order)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	unsigned wanted = (taking->nr - taking->taken) >> (order - taking->order);
	uint32_t first;
	uint64_t row;

	if (!wanted || (order == QR_MAX_PAGE_ORDER && taking->zone->frames->shuffle))
		return false;
	row = qr__bitmap_whole_remove_row(buddy, s, order, bitmap_class_of(taking->type), wanted,
					  &first);
	if (taking->order == QR_PAGEBLOCK_ORDER && order < QR_PAGEBLOCK_ORDER + WORD_ORDER) {
		pageblocks_emit(taking, first, heads_cover(row, order - QR_PAGEBLOCK_ORDER));
		return true;
	}
	for (; row; row &= row - 1)
		pageblocks_take(taking, first + qr__ctz64(row), 1u << (order - QR_PAGEBLOCK_ORDER));
	return true;
}

/* A stripe's first block of an order of which there is one. */
static struct bitmap_whole first_whole(const struct bitmap_taking *taking, unsigned s,
				       unsigned order)
{
	enum bitmap_class class = bitmap_class_of(taking->type);

	return (struct bitmap_whole){
		.head = qr__bitmap_whole_first(taking->zone, s, class, order),
		.order = order,
		.class = class,
	};
}

void qr__bitmap_take_whole(struct bitmap_taking *taking, unsigned s)
{
	const struct bitmap_stripe *stripe = &bitmap_of(taking->zone)->stripes[s];
	enum bitmap_class class = bitmap_class_of(taking->type);
	unsigned least = (unsigned)qr__max(taking->order, QR_PAGEBLOCK_ORDER);

	while (taking->taken < taking->nr) {
		unsigned order = qr__bitmap_whole_order(stripe, class, least);

		if (order == QR_NR_PAGE_ORDERS)
			return;
		if (!row_take(taking, s, order))
			whole_take(taking, first_whole(taking, s, order));
	}
}

/* The whole zone --------------------------------------------------------------------------- */

/* The fullest part of all stripes. */
static uint32_t fullest_part(const struct bitmap_taking *taking)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	uint32_t best = QR_LIST_NONE;

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		uint32_t i =
			qr__bitmap_choose(buddy, &buddy->stripes[s], taking->type, taking->order);

		if (i != QR_LIST_NONE && (best == QR_LIST_NONE ||
					  buddy->blocks[i].nr_free < buddy->blocks[best].nr_free))
			best = i;
	}
	return best;
}

/* From the smallest whole block of all stripes that will do; false: there is none. */
static bool smallest_take(struct bitmap_taking *taking)
{
	struct bitmap_buddy *buddy = bitmap_of(taking->zone);
	unsigned least = (unsigned)qr__max(taking->order, QR_PAGEBLOCK_ORDER);
	unsigned best = QR_NR_PAGE_ORDERS, from = 0;

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		unsigned order = qr__bitmap_whole_order(&buddy->stripes[s],
							bitmap_class_of(taking->type), least);

		if (order < best) {
			best = order;
			from = s;
		}
	}
	if (best == QR_NR_PAGE_ORDERS)
		return false;
	whole_take(taking, first_whole(taking, from, best));
	return true;
}

static void zone_take(struct bitmap_taking *taking)
{
	while (taking->taken < taking->nr) {
		uint32_t i = QR_LIST_NONE;

		if (taking->order < QR_PAGEBLOCK_ORDER)
			i = fullest_part(taking);
		if (i != QR_LIST_NONE)
			part_take(taking, i);
		else if (!smallest_take(taking))
			return;
	}
}

#define PORTION 64u /* frames whose indices fit the stack */

unsigned qr__bitmap_take(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			 unsigned nr, qr_pfn_t *pfns)
{
	uint32_t frames[PORTION];
	unsigned taken = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	while (taken < nr) {
		struct bitmap_taking taking = {
			.zone = zone,
			.order = order,
			.type = type,
			.nr = (unsigned)qr__min(nr - taken, PORTION),
			.frames = frames,
		};

		zone_take(&taking);
		qr__bitmap_hand_out_all(&taking);
		qr__zone_account_free(zone, -(int64_t)((uint64_t)taking.taken << order), type);
		for (unsigned n = 0; n < taking.taken; n++)
			pfns[taken++] = zone->frames->base_pfn + frames[n];
		if (taking.taken < taking.nr)
			break;
	}
	return taken;
}
