/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_drain.c - what a CPU's cache gives back: many blocks of one order, in any order
 *
 * A frame can only be given back to the stripe it lies in.  What a cache gives back is therefore
 * grouped by stripes first, and takes the lock of each once, for all of its frames.
 *
 * What was allocated in a row is often freed in a row, and so, one after the other, frames come
 * that lie in one word, or in one pageblock, or are pageblocks side by side.  Blocks of one word
 * (from WORD_ORDER on: words of one pageblock) are a *row*, and change together.
 *
 * A row is a word of bits and a count, and if by it the pageblock's largest block has grown, a bit
 * which says that the pageblock waits to be filed anew (bitmap_file.c): it is moved once, however
 * often it grows, and not at all if the rest of it comes back as well.
 *
 * Pageblocks that have become whole *rise* into their set, together with those beside them.
 *
 * Large blocks that are no rows go another way (bitmap_alone.c).
 */
#include "bitmap.h"

/* Blocks of this order or more are given by qr__bitmap_alone_give(), or by rows. */
#define LARGE_ORDER 4u

struct draining {
	struct qr_zone *zone;
	unsigned order;
	uint64_t rising; /* bit n: pageblock rising_first + n; they share a word of a set */
	uint32_t rising_first;
	enum bitmap_class rising_class;
	struct bitmap_given given;
};

/* Does a word hold a free block of this order, one that fits a word? */
QR_INLINE bool word_has(uint64_t word, unsigned order)
{
	for (unsigned k = 0; k < order && word; k++)
		word &= word >> (1u << k) & line_aligned(k + 1);
	return word != 0;
}

/* Is there a free block of this order, now that these bits have come, which some of them are in? */
QR_INLINE bool row_completes(uint64_t word, uint64_t row, unsigned order)
{
	uint64_t around;

	if (order >= WORD_ORDER)
		return word == UINT64_MAX;
	around = word_mask(qr__ctz64(row) >> order << order, order);
	if (row & ~around)
		return word_has(word, order);
	return (word & around) == around;
}

/* Whole pageblocks --------------------------------------------------------------------------- */

static void largest_note(struct draining *draining, unsigned order)
{
	bitmap_largest_note(&draining->given, order);
}

static QR_NOINLINE void rising_insert(struct draining *draining)
{
	if (draining->rising)
		largest_note(draining, qr__bitmap_whole_insert_row(
					       bitmap_of(draining->zone), draining->rising_first,
					       draining->rising, draining->rising_class));
	draining->rising = 0;
}

/* All of a pageblock, which is in no bin, is free now; its bits are clear, and so is its count. */
QR_INLINE void rising_add(struct draining *draining, uint32_t i, enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	uint32_t first = bitmap_row_of(buddy, i);
	enum bitmap_class class = bitmap_class_of(type);

	if (qr__unlikely(first != draining->rising_first || class != draining->rising_class)) {
		rising_insert(draining);
		draining->rising_first = first;
		draining->rising_class = class;
	}
	draining->rising |= UINT64_C(1) << (i - first);
}

/* A pageblock gets the last @nr of its pages back; their bits need not have been set. */
static QR_NOINLINE void complete(struct draining *draining, uint32_t i, unsigned nr)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	enum qr_migratetype type = qr__pageblock_type(draining->zone->frames, bitmap_pfn(buddy, i));

	draining->given.pages[type] += nr;
	if (buddy->blocks[i].part) {
		qr__bitmap_unfile(buddy, i);
		bitmap_line_set(buddy, i, false);
		buddy->blocks[i].nr_free = 0;
	}
	rising_add(draining, i, type);
}

/* Parts -------------------------------------------------------------------------------------- */

/*
 * A used pageblock got @nr pages, so few that it is the fullest part now, or nearly so.  That is
 * what is looked for next, and by CPUs that do not lock the stripe: it is filed at once.
 */
static QR_NOINLINE void part_begin(struct draining *draining, uint32_t i, unsigned largest,
				   unsigned nr)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	enum qr_migratetype type = qr__pageblock_type(draining->zone->frames, bitmap_pfn(buddy, i));

	buddy->blocks[i].nr_free = nr;
	draining->given.pages[type] += nr;
	qr__bitmap_part_file(buddy, i, largest, type);
	largest_note(draining, largest);
}

/* A pageblock, which is used or a part, has a larger block than before. */
QR_INLINE void part_grow(struct draining *draining, uint32_t i, unsigned largest)
{
	qr__bitmap_grow(draining->zone, i, largest);
	largest_note(draining, largest);
}

/* Something of a block, at least. */
QR_INLINE bool is_free(const struct bitmap_buddy *buddy, uint32_t i, unsigned at, unsigned order)
{
	return bitmap_is_whole(buddy, i) || !line_none(&buddy->lines[i], at, order);
}

/* One block by itself: it, or another one of its row, is free already. */
static QR_NOINLINE void block_give(struct draining *draining, qr_pfn_t pfn)
{
	struct qr_zone *zone = draining->zone;
	enum qr_migratetype type = qr__pageblock_type(zone->frames, pfn);
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned order = draining->order, joined;

	rising_insert(draining);
	if (is_free(buddy, bitmap_index(buddy, pfn), bitmap_offset(pfn), order)) {
		qr__freed_twice_report(zone, pfn, order);
		return;
	}
	draining->given.pages[type] += (int64_t)qr__order_pages(order);
	joined = qr__bitmap_give_uncounted(zone, pfn, order, type);
	largest_note(draining, joined);
}

static void pages_account(struct draining *draining, struct bitmap_stripe *stripe)
{
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		int64_t in_parts = draining->given.in_parts[type];
		int64_t pages = draining->given.pages[type] + in_parts;

		if (!pages)
			continue;
		qr__bump(&stripe->part_pages[type], (uint64_t)in_parts);
		qr__zone_account_free(draining->zone, pages, (enum qr_migratetype)type);
		draining->given.in_parts[type] = draining->given.pages[type] = 0;
	}
}

/*
 * How many blocks from frames[0] on lie in one word, at most @nr, and their bits.  What was
 * allocated in a row is often freed in a row, and then goes back in one.
 */
QR_INLINE unsigned row_of(const uint32_t *frames, unsigned nr, uint64_t before, unsigned order,
			  uint64_t *mask)
{
	const unsigned word_pages = QR_PAGEBLOCK_NR_PAGES < 64 ? QR_PAGEBLOCK_NR_PAGES : 64;
	uint64_t first = before + frames[0], ones = word_mask(0, order), row = 0;
	unsigned n = 0;

	do {
		uint64_t bits = ones << ((before + frames[n]) % word_pages);

		if (qr__unlikely(row & bits))
			break; /* twice the same: the second of them is a row of its own */
		row |= bits;
		n++;
	} while (n < nr && (before + frames[n]) / word_pages == first / word_pages);
	*mask = row;
	return n;
}

/* Not all blocks of a row are in use: each for itself, then. */
static QR_COLD void row_give_singly(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0; n < nr; n++)
		block_give(draining, draining->zone->frames->base_pfn + frames[n]);
}

/* The largest block that a row has become part of, if that is more than @largest; else this. */
QR_INLINE unsigned row_largest(const struct line *line, unsigned w, uint64_t row, unsigned largest)
{
	uint64_t now = atomic_load_explicit(&line->word[w], memory_order_relaxed);

	if (now == UINT64_MAX)
		return (unsigned)qr__max(largest, line_join(line, w * 64, WORD_ORDER));
	while (row_completes(now, row, largest + 1))
		largest++;
	return largest;
}

/* The bits @row of word w of pageblock i, blocks of @nr pages; false: not all are in use. */
QR_INLINE bool row_give(struct draining *draining, uint32_t i, unsigned w, uint64_t row,
			unsigned nr)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	struct bitmap_block *block = &buddy->blocks[i];
	struct line *line = &buddy->lines[i];
	uint64_t now = atomic_load_explicit(&line->word[w], memory_order_relaxed);
	unsigned largest;

	if (qr__unlikely(now & row || (!block->part && bitmap_is_whole(buddy, i))))
		return false;
	if (qr__unlikely(block->counted))
		qr__bitmap_uncount(buddy, i);
	if (block->nr_free + nr == QR_PAGEBLOCK_NR_PAGES) {
		complete(draining, i, nr);
		return true;
	}
	atomic_store_explicit(&line->word[w], now | row, memory_order_relaxed);
	if (qr__unlikely(!block->part)) {
		part_begin(draining, i, row_largest(line, w, row, draining->order), nr);
		return true;
	}
	largest = row_largest(line, w, row, block->largest);
	if (largest > block->largest)
		part_grow(draining, i, largest);
	block->nr_free += nr;
	draining->given.in_parts[block->type] += nr;
	return true;
}

/* All blocks of a pageblock of which none was free: then nobody need look at its bits. */
static unsigned pageblock_give(struct draining *draining, const uint32_t *frames, unsigned nr,
			       uint64_t before)
{
	const struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	uint32_t i = (uint32_t)((before + frames[0]) >> QR_PAGEBLOCK_ORDER);
	unsigned all = QR_PAGEBLOCK_NR_PAGES >> draining->order, n;
	uint64_t came = 0;

	if (all > 64 || all > nr || (before + frames[all - 1]) >> QR_PAGEBLOCK_ORDER != i ||
	    buddy->blocks[i].part || bitmap_is_whole(buddy, i))
		return 0;
	for (n = 0; n < all && (before + frames[n]) >> QR_PAGEBLOCK_ORDER == i; n++)
		came |= UINT64_C(1) << (bitmap_offset(before + frames[n]) >> draining->order);
	if (n < all || came != UINT64_MAX >> (64 - all))
		return 0;
	complete(draining, i, QR_PAGEBLOCK_NR_PAGES);
	return all;
}

/* The row that begins with frames[0]; returns how many blocks it has. */
static QR_NOINLINE unsigned words_row_give(struct draining *draining, const uint32_t *frames,
					   unsigned nr, uint64_t before)
{
	uint64_t at = before + frames[0], row;
	unsigned all = pageblock_give(draining, frames, nr, before);

	if (all)
		return all;
	nr = row_of(frames, nr, before, draining->order, &row);
	if (qr__unlikely(!row_give(draining, (uint32_t)(at >> QR_PAGEBLOCK_ORDER),
				   bitmap_offset(at) / 64, row, nr << draining->order)))
		row_give_singly(draining, frames, nr);
	return nr;
}

/*
 * What is most frequent where frames come in no order: a block of @nr pages, bits @row of a word,
 * that changes no more than these bits and a count.  False: look closer.
 */
QR_INLINE bool word_give(struct bitmap_block *block, _Atomic uint64_t *word, uint64_t row,
			 unsigned at, unsigned nr)
{
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed), around = UINT64_MAX;
	unsigned larger = block->largest + 1u;

	if (qr__unlikely(!block->part || block->counted || now & row ||
			 block->nr_free + nr == QR_PAGEBLOCK_NR_PAGES))
		return false;
	now |= row;
	if (larger < WORD_ORDER)
		around = word_mask(at >> larger << larger, larger);
	if (qr__unlikely((now & around) == around))
		return false;
	atomic_store_explicit(word, now, memory_order_relaxed);
	block->nr_free += nr;
	return true;
}

/* Frames of one stripe. */
static void words_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t before = zone->frames->base_pfn - buddy->start_pfn; /* of frame 0; may wrap */
	uint64_t ones = word_mask(0, draining->order);
	unsigned pages = 1u << draining->order;
	struct bitmap_block *blocks = buddy->blocks;
	_Atomic uint64_t *words = buddy->lines[0].word;

	for (unsigned n = 0; n < nr;) {
		uint64_t at = before + frames[n], i = at >> QR_PAGEBLOCK_ORDER;
		unsigned bit = (unsigned)(at & ((1u << LINE_WORD_SHIFT) - 1));

		if (n + BITMAP_AHEAD < nr)
			bitmap_fetch(buddy, before + frames[n + BITMAP_AHEAD]);
		if ((n + 1 < nr && ((before + frames[n + 1]) ^ at) >> LINE_WORD_SHIFT == 0) ||
		    !word_give(&blocks[i], &words[at >> LINE_WORD_SHIFT], ones << bit, bit,
			       pages)) {
			n += words_row_give(draining, &frames[n], nr - n, before);
			continue;
		}
		draining->given.in_parts[blocks[i].type] += pages;
		n++;
	}
}

/*
 * Blocks of words have rows, too: of as many words of one pageblock as there are bits in a mask,
 * which mostly are all that a pageblock has.
 */
QR_INLINE unsigned span_row_of(const uint32_t *frames, unsigned nr, uint64_t before, unsigned order,
			       uint64_t *mask)
{
	const unsigned row_pages =
		QR_PAGEBLOCK_NR_PAGES < 64 * 64 ? QR_PAGEBLOCK_NR_PAGES : 64 * 64;
	uint64_t first = before + frames[0], ones = word_mask(0, order - WORD_ORDER), row = 0;
	unsigned n = 0;

	do {
		uint64_t bits = ones << ((before + frames[n]) % row_pages / 64);

		if (qr__unlikely(row & bits))
			break;
		row |= bits;
		n++;
	} while (n < nr && (before + frames[n]) / row_pages == first / row_pages);
	*mask = row;
	return n;
}

/* Is any of these words not 0? */
QR_INLINE bool words_any(const _Atomic uint64_t *words, uint64_t mask)
{
	for (; mask; mask &= mask - 1) {
		if (atomic_load_explicit(&words[qr__ctz64(mask)], memory_order_relaxed))
			return true;
	}
	return false;
}

QR_INLINE void words_fill(_Atomic uint64_t *words, uint64_t mask)
{
	for (; mask; mask &= mask - 1)
		atomic_store_explicit(&words[qr__ctz64(mask)], UINT64_MAX, memory_order_relaxed);
}

/* The largest block that one of @nr pages in all, the first at @at, has become part of, or more. */
QR_INLINE unsigned span_row_largest(const struct draining *draining, uint32_t i, unsigned at,
				    unsigned nr)
{
	const struct line *line = &bitmap_of(draining->zone)->lines[i];
	struct bits bits;

	/* two halves of a pageblock would be all of it */
	if (draining->order == QR_PAGEBLOCK_ORDER - 1)
		return draining->order;
	if (nr == 1u << draining->order)
		return line_join(line, at, draining->order);
	bits = line_load(line);
	return bits_largest(&bits);
}

/* Such a row of pageblock i, the first block at @at, of @nr pages; false: not all are in use. */
QR_INLINE bool span_row_give(struct draining *draining, uint32_t i, unsigned at, uint64_t row,
			     unsigned nr)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint64_t *words = &buddy->lines[i].word[at / 64 & ~63u];
	unsigned largest;

	if (qr__unlikely(block->part ? words_any(words, row) : bitmap_is_whole(buddy, i)))
		return false;
	if (qr__unlikely(block->counted))
		qr__bitmap_uncount(buddy, i);
	if (block->nr_free + nr == QR_PAGEBLOCK_NR_PAGES) {
		complete(draining, i, nr);
		return true;
	}
	words_fill(words, row);
	largest = span_row_largest(draining, i, at, nr);
	if (!block->part || largest > block->largest)
		part_grow(draining, i, largest);
	block->nr_free += nr;
	draining->given.in_parts[block->type] += nr;
	return true;
}

/* The row that begins with frames[0]; returns how many blocks it has. */
QR_INLINE unsigned spans_row_give(struct draining *draining, const uint32_t *frames, unsigned nr,
				  uint64_t before)
{
	uint64_t at = before + frames[0], mask;

	nr = span_row_of(frames, nr, before, draining->order, &mask);
	if (qr__unlikely(!span_row_give(draining, (uint32_t)(at >> QR_PAGEBLOCK_ORDER),
					bitmap_offset(at), mask, nr << draining->order)))
		row_give_singly(draining, frames, nr);
	return nr;
}

/* Are the first two of these frames in rows of their own, the first by itself? */
QR_INLINE bool are_alone(const uint32_t *frames, unsigned nr, unsigned order)
{
	return nr > 1 && !bitmap_has_row(frames, nr, order) &&
	       !bitmap_has_row(frames + 1, nr - 1, order);
}

/* Rows, up to blocks that lie alone; returns how many blocks they have. */
QR_INLINE unsigned rows_give(struct draining *draining, const uint32_t *frames, unsigned nr,
			     unsigned (*give)(struct draining *, const uint32_t *, unsigned,
					      uint64_t))
{
	struct qr_zone *zone = draining->zone;
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t before = zone->frames->base_pfn - buddy->start_pfn;
	unsigned n = 0;

	do {
		if (n + BITMAP_AHEAD < nr)
			bitmap_fetch(buddy, before + frames[n + BITMAP_AHEAD]);
		n += give(draining, frames + n, nr - n, before);
	} while (n < nr && !are_alone(frames + n, nr - n, draining->order));
	return n;
}

/* The same for blocks so large that they seldom change less than all that there is to change. */
static void large_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0, given; n < nr; n += given) {
		given = are_alone(frames + n, nr - n, draining->order)
				? qr__bitmap_alone_give(draining->zone, draining->order, frames + n,
							nr - n, &draining->given)
				: 0;
		if (given)
			continue;
		if (draining->order < WORD_ORDER)
			given = rows_give(draining, frames + n, nr - n, words_row_give);
		else
			given = rows_give(draining, frames + n, nr - n, spans_row_give);
	}
}

/* Frames of one stripe, which is locked. */
static void frames_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;

	if (draining->order >= QR_PAGEBLOCK_ORDER)
		largest_note(draining,
			     qr__bitmap_whole_give(zone, frames, nr, draining->given.pages));
	else if (draining->order >= LARGE_ORDER)
		large_give(draining, frames, nr);
	else
		words_give(draining, frames, nr);
	rising_insert(draining);
	for (unsigned n = 0; qr__unlikely(bitmap_has_reported(zone)) && n < nr; n++)
		qr__bitmap_reported_joined(zone, zone->frames->base_pfn + frames[n],
					   draining->order);
}

static void stripe_drain(struct draining *draining, unsigned s, const uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	frames_give(draining, frames, nr);
	pages_account(draining, &bitmap_of(zone)->stripes[s]);
	qr__stripe_unlock(zone, s, irqs);
}

/* Several stripes ---------------------------------------------------------------------------- */

/* Frames are grouped by chunks, so that little room is needed beside them. */
#define CHUNK 256u
#define NR_CHUNKS 4u
#define NR_PARTS 4u
#define PARTS_WORTH 32u /* frames; of fewer, the parts themselves are what takes time */

/* Of each chunk and stripe: where its frames end.  They begin where the stripe's before it end. */
struct groups {
	uint16_t end[NR_CHUNKS][QR_MAX_STRIPES];
	uint32_t present; /* bit s: there are any of stripe s */
};

QR_INLINE unsigned stripe_of(const struct qr_zone *zone, uint32_t frame)
{
	return qr__zone_stripe(zone, zone->frames->base_pfn + frame);
}

/*
 * A frame's place follows from the count of its stripe, which waits for that of the last frame of
 * that stripe, and stripes are few.  So frames are counted in several parts, which take turns.
 */
struct parts {
	uint64_t before;
	unsigned shift; /* frame + before >> shift: its stripe */
	unsigned nr, size; /* what is left over belongs to the last one */
	uint16_t place[NR_PARTS][QR_MAX_STRIPES]; /* first a number of frames, then of the next */
};

QR_INLINE uint16_t *place_of(struct parts *parts, unsigned part, uint32_t frame)
{
	return &parts->place[part][(parts->before + frame) >> parts->shift];
}

QR_INLINE void parts_count(struct parts *parts, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0; n < parts->size; n++)
		for (unsigned p = 0; p < parts->nr; p++)
			++*place_of(parts, p, frames[p * parts->size + n]);
	for (unsigned n = parts->nr * parts->size; n < nr; n++)
		++*place_of(parts, parts->nr - 1, frames[n]);
}

/* The frames of a stripe stand together, those of each part behind those of the one before. */
QR_INLINE void parts_order(struct parts *parts, unsigned nr_stripes, uint16_t end[QR_MAX_STRIPES])
{
	unsigned start = 0;

	for (unsigned s = 0; s < nr_stripes; s++) {
		for (unsigned p = 0; p < parts->nr; p++) {
			unsigned here = parts->place[p][s];

			parts->place[p][s] = (uint16_t)start;
			start += here;
		}
		end[s] = (uint16_t)start;
	}
}

QR_INLINE void parts_move(struct parts *parts, const uint32_t *frames, unsigned nr, uint32_t *to)
{
	for (unsigned n = 0; n < parts->size; n++)
		for (unsigned p = 0; p < parts->nr; p++) {
			uint32_t frame = frames[p * parts->size + n];

			to[(*place_of(parts, p, frame))++] = frame;
		}
	for (unsigned n = parts->nr * parts->size; n < nr; n++)
		to[(*place_of(parts, parts->nr - 1, frames[n]))++] = frames[n];
}

/*
 * Bring the frames of each stripe together.  Each goes to a place of its own, whatever becomes of
 * those before it: exchanging them in place would be one long chain of loads and stores.
 */
static void chunk_group(const struct qr_zone *zone, uint32_t *frames, unsigned nr,
			uint16_t end[QR_MAX_STRIPES])
{
	struct parts parts = {
		.before = zone->frames->base_pfn - zone->stripe_start,
		.shift = zone->stripe_order,
		.nr = nr < PARTS_WORTH ? 1 : NR_PARTS,
	};
	uint32_t grouped[CHUNK];

	parts.size = nr / parts.nr;
	parts_count(&parts, frames, nr);
	parts_order(&parts, zone->nr_stripes, end);
	parts_move(&parts, frames, nr, grouped);
	__builtin_memcpy(frames, grouped, nr * sizeof(*frames));
}

static void all_group(const struct qr_zone *zone, uint32_t *frames, unsigned nr,
		      struct groups *groups)
{
	groups->present = 0;
	for (unsigned c = 0; c * CHUNK < nr; c++) {
		uint16_t *end = groups->end[c];

		chunk_group(zone, frames + c * CHUNK, (unsigned)qr__min(nr - c * CHUNK, CHUNK),
			    end);
		for (unsigned s = 0; s < zone->nr_stripes; s++) {
			if (end[s] > (s ? end[s - 1] : 0))
				groups->present |= UINT32_C(1) << s;
		}
	}
}

/* What each chunk has of stripe s. */
static void group_drain(struct draining *draining, unsigned s, const struct groups *groups,
			const uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	for (unsigned c = 0; c * CHUNK < nr; c++) {
		unsigned start = s ? groups->end[c][s - 1] : 0, end = groups->end[c][s];

		if (end > start)
			frames_give(draining, frames + c * CHUNK + start, end - start);
	}
	pages_account(draining, &bitmap_of(zone)->stripes[s]);
	qr__stripe_unlock(zone, s, irqs);
}

/* At most NR_CHUNKS * CHUNK frames of any stripes: one lock for each that occurs. */
static void stripes_drain(struct draining *draining, uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;
	struct groups groups;

	all_group(zone, frames, nr, &groups);
	for (; groups.present; groups.present &= groups.present - 1)
		group_drain(draining, qr__ctz64(groups.present), &groups, frames, nr);
}

/* What a cache gives back, and between which frames it lies. */
struct batch {
	uint32_t *frames, low, high;
	unsigned nr;
};

QR_INLINE void batch_keep(struct batch *batch, uint32_t frame)
{
	batch->frames[batch->nr++] = frame;
	batch->low = frame < batch->low ? frame : batch->low;
	batch->high = frame > batch->high ? frame : batch->high;
}

/* By its state, then.  False: it does not say so. */
static QR_NOINLINE bool state_claim(const struct draining *draining, uint32_t frame)
{
	struct qr_frames *frames = draining->zone->frames;

	if (qr__unlikely(!qr__word_is_cached(qr__frame_word(frames, frame), draining->order))) {
		qr__freed_twice_report(draining->zone, frames->base_pfn + frame, draining->order);
		return false;
	}
	qr__page_type_set(frames, &frames->pages[frame], QR_PT_NONE);
	return true;
}

/*
 * A row of blocks side by side, in either direction, and all of them say that they wait in a cache:
 * they stop saying so.  False: not so.
 */
QR_INLINE bool row_claim(_Atomic uint8_t *marks, const uint32_t *frames, unsigned order)
{
	uint32_t step = UINT32_C(1) << order, first = frames[0];

	if (bitmap_lie_apart(frames, -step))
		first = frames[QR_MARKS_ROW - 1];
	else if (!bitmap_lie_apart(frames, step))
		return false;
	return qr__marks_change(&marks[first >> order], QR_MARK_CACHED, QR_MARK_SILENT);
}

QR_INLINE void row_keep(struct batch *batch, const uint32_t *frames)
{
	uint32_t a = frames[0], b = frames[QR_MARKS_ROW - 1];

	if (batch->frames + batch->nr != frames)
		for (unsigned n = 0; n < QR_MARKS_ROW; n++)
			batch->frames[batch->nr + n] = frames[n];
	batch->nr += QR_MARKS_ROW;
	batch->low = (uint32_t)qr__min(batch->low, qr__min(a, b));
	batch->high = (uint32_t)qr__max(batch->high, qr__max(a, b));
}

/*
 * What comes must say that it waits in a cache, and stops saying so.  If it does not, two CPUs have
 * freed it in the same moment, and it is somebody's again or has been here already.  One loop where
 * marks say it, and one where states do; of marks a store may be one to anything, for all that the
 * compiler knows, so what the loop needs is at hand.
 */
static void marks_claim(const struct draining *draining, struct batch *batch)
{
	_Atomic uint8_t *marks = draining->zone->frames->marks[draining->order];
	struct batch kept = {.frames = batch->frames, .low = UINT32_MAX};
	const uint32_t *frames = batch->frames;
	unsigned nr = batch->nr, order = draining->order, n = 0;

	while (n < nr) {
		unsigned end = (unsigned)qr__min(n + QR_MARKS_ROW, nr);

		if (end == n + QR_MARKS_ROW && row_claim(marks, frames + n, order)) {
			row_keep(&kept, frames + n);
			n = end;
		}
		for (; n < end; n++) {
			uint32_t frame = frames[n];

			if (n + BITMAP_AHEAD < nr)
				__builtin_prefetch(&marks[frames[n + BITMAP_AHEAD] >> order], 1);
			if (qr__likely(qr__mark(&marks[frame >> order]) == QR_MARK_CACHED))
				qr__mark_set(&marks[frame >> order], QR_MARK_SILENT);
			else if (!state_claim(draining, frame))
				continue;
			batch_keep(&kept, frame);
		}
	}
	*batch = kept;
}

static void states_claim(const struct draining *draining, struct batch *batch)
{
	struct qr_page_state *states = draining->zone->frames->states;
	uint32_t *frames = batch->frames;
	unsigned nr = batch->nr;

	batch->nr = 0;
	for (unsigned n = 0; n < nr; n++) {
		uint32_t frame = frames[n];

		if (n + BITMAP_AHEAD < nr)
			__builtin_prefetch(&states[frames[n + BITMAP_AHEAD]], 1);
		if (qr__likely(qr__word_is_cached(qr__state_word(&states[frame]), draining->order)))
			qr__state_type_set(&states[frame], QR_PT_NONE);
		else if (!state_claim(draining, frame))
			continue;
		frames[batch->nr++] = frame;
		batch->low = frame < batch->low ? frame : batch->low;
		batch->high = frame > batch->high ? frame : batch->high;
	}
}

unsigned qr__bitmap_drain(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr)
{
	struct draining draining = {
		.zone = zone,
		.order = order,
		.given = {.largest = order},
		.rising_first = QR_LIST_NONE,
	};
	struct batch batch = {.frames = frames, .nr = nr, .low = UINT32_MAX};

	if (qr__has_marks(zone->frames))
		marks_claim(&draining, &batch);
	else
		states_claim(&draining, &batch);
	nr = batch.nr;
	if (nr && stripe_of(zone, batch.low) == stripe_of(zone, batch.high)) {
		stripe_drain(&draining, stripe_of(zone, batch.low), frames, nr);
		return draining.given.largest;
	}
	for (unsigned n = 0; n < nr; n += NR_CHUNKS * CHUNK)
		stripes_drain(&draining, frames + n, (unsigned)qr__min(nr - n, NR_CHUNKS * CHUNK));
	return draining.given.largest;
}
