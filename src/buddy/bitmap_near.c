/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_near.c - the hot pair: fill a CPU's cache, and empty it
 *
 * Theory of operation
 * -------------------
 * A zone's pageblocks are divided into stripes, runs of equal length, each with a lock, bins and
 * lists of its own; a block never lies in two.  There are up to twice as many stripes as CPUs.
 *
 * Each CPU has a *home*, the CPUs' homes being spread evenly, and fills its cache there as long as
 * it can.  What a CPU has taken lies together therefore, and others need not wait for it.  The
 * rule, by what can be read without a lock:
 *
 *	1. home has a part that serves		take from home's parts
 *	2. other stripes' parts hold much	take from the fullest of them (EXCESS), as long as
 *						it is the fullest (SLACK): memory that is in pieces
 *						is used up before a pageblock is broken, and where
 *						it is in the fewest pieces, or it would not heal
 *	3. home has a whole pageblock		break it
 *	4. any other stripe has anything	take that, nearest first
 *
 * A frame can only be given back to the stripe it lies in.  What a cache gives back is therefore
 * grouped by stripes first, and takes the lock of each once, for all of its frames.
 *
 * What is seen without a lock may be wrong by the time the lock is held.  Then a refill brings less
 * than it could, or nothing, and whoever asked goes the long way with the whole zone locked, where
 * nothing can be overlooked.
 *
 * Counts.  The zone's free pages are counted exactly, once for each hold of a lock, by adding
 * atomically what came or went.  So they are right whenever no lock is held, and while some are,
 * wrong by no more than what those who hold them have in hand.  Watermarks are tested against
 * that count; nobody has to sum over stripes.
 */
#include "bitmap.h"

/*
 * So many pages in another stripe's parts are worth taking its lock for: more than there are in a
 * pageblock that its CPU has just broken.
 */
#define EXCESS (2 * QR_PAGEBLOCK_NR_PAGES)
/* So many free pages more or less do not make a part worth another lock. */
#define SLACK (QR_PAGEBLOCK_NR_PAGES / 8)

/* Which stripe ----------------------------------------------------------------------------- */

static unsigned home_of(const struct qr_zone *zone, unsigned cpu)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	unsigned nr_cpus = zone->frames->base.nr_cpus;

	return nr_cpus > 1 ? cpu * buddy->nr_stripes / nr_cpus : 0;
}

static uint32_t orders_racy(const struct bitmap_stripe *stripe, enum qr_migratetype type)
{
	return atomic_load_explicit(&stripe->orders[type], memory_order_relaxed);
}

static bool has_part_racy(const struct bitmap_stripe *stripe, unsigned order,
			  enum qr_migratetype type)
{
	const uint32_t parts = (UINT32_C(1) << NR_PART_ORDERS) - 1;

	return order < NR_PART_ORDERS && (orders_racy(stripe, type) & parts) >> order;
}

static bool has_whole_racy(const struct bitmap_stripe *stripe, unsigned order,
			   enum qr_migratetype type)
{
	enum qr_migratetype class_type = bitmap_class_type(bitmap_class_of(type));

	return orders_racy(stripe, class_type) >> qr__max(order, QR_PAGEBLOCK_ORDER) != 0;
}

/* Do a stripe's parts hold so much that it is worth going there? */
static bool worth_racy(const struct bitmap_stripe *stripe, unsigned order, enum qr_migratetype type)
{
	/* in the middle of a drain it can be below 0 */
	return (int64_t)qr__read(&stripe->part_pages[type]) >= (int64_t)EXCESS &&
	       has_part_racy(stripe, order, type);
}

static bool any_worth_racy(const struct bitmap_buddy *buddy, unsigned order,
			   enum qr_migratetype type)
{
	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		if (worth_racy(&buddy->stripes[s], order, type))
			return true;
	}
	return false;
}

/* Where to take from, and how much. */
struct pick {
	unsigned stripe; /* nr_stripes: nothing is to be had */
	unsigned most; /* free pages in a part that may be taken from */
	bool whole; /* pageblocks may be broken */
};

/*
 * Of the stripes that are worth going to the one that has the fullest part, until another one's is
 * clearly fuller.
 */
static struct pick fullest_racy(const struct bitmap_buddy *buddy, unsigned order,
				enum qr_migratetype type)
{
	struct pick pick = {.stripe = buddy->nr_stripes};
	unsigned first = QR_PAGEBLOCK_NR_PAGES, second = QR_PAGEBLOCK_NR_PAGES;

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		const struct bitmap_stripe *stripe = &buddy->stripes[s];
		unsigned here;

		if (!worth_racy(stripe, order, type))
			continue;
		here = qr__bitmap_fullest_racy(stripe, type, order);
		if (here < first) {
			second = first;
			first = here;
			pick.stripe = s;
		} else if (here < second) {
			second = here;
		}
	}
	pick.most = second + SLACK;
	return pick;
}

/* Home, or the nearest stripe behind it (and round) that has anything; nr_stripes: none has. */
static unsigned any_racy(const struct bitmap_buddy *buddy, unsigned home, unsigned order,
			 enum qr_migratetype type)
{
	for (unsigned n = 0; n < buddy->nr_stripes; n++) {
		unsigned s = (home + n) % buddy->nr_stripes;

		if (has_part_racy(&buddy->stripes[s], order, type) ||
		    has_whole_racy(&buddy->stripes[s], order, type))
			return s;
	}
	return buddy->nr_stripes;
}

/* The rule above. */
static struct pick stripe_pick(const struct bitmap_buddy *buddy, unsigned home, unsigned order,
			       enum qr_migratetype type)
{
	struct pick pick = {.stripe = home, .most = QR_PAGEBLOCK_NR_PAGES, .whole = true};

	if (buddy->nr_stripes > 1 && order < QR_PAGEBLOCK_ORDER) {
		if (has_part_racy(&buddy->stripes[home], order, type)) {
			pick.whole = !any_worth_racy(buddy, order, type);
			return pick;
		}
		pick = fullest_racy(buddy, order, type);
		if (pick.stripe != buddy->nr_stripes)
			return pick;
	}
	pick = (struct pick){.most = QR_PAGEBLOCK_NR_PAGES, .whole = true};
	pick.stripe = any_racy(buddy, home, order, type);
	return pick;
}

/* Refill ----------------------------------------------------------------------------------- */

static void stripe_refill(struct bitmap_taking *taking, const struct pick *pick)
{
	struct qr_zone *zone = taking->zone;
	struct bitmap_stripe *stripe = &bitmap_of(zone)->stripes[pick->stripe];
	unsigned long irqs = qr__stripe_lock(zone, pick->stripe);
	unsigned before = taking->taken;

	if (taking->order < QR_PAGEBLOCK_ORDER)
		qr__bitmap_take_parts(taking, stripe, pick->most);
	if (pick->whole)
		qr__bitmap_take_whole(taking, stripe);
	qr__zone_account_free(zone, -(int64_t)((uint64_t)(taking->taken - before) << taking->order),
			      taking->type);
	qr__stripe_unlock(zone, pick->stripe, irqs);
}

unsigned qr__bitmap_refill(struct qr_zone *zone, unsigned cpu, unsigned order,
			   enum qr_migratetype type, unsigned nr, uint32_t *frames)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	struct bitmap_taking taking = {
		.zone = zone,
		.order = order,
		.type = type,
		.nr = nr,
		.frames = frames,
	};
	unsigned home = home_of(zone, cpu);

	/* half of what is wanted is enough not to go to yet another stripe */
	for (unsigned n = 0; n <= buddy->nr_stripes && taking.taken * 2 <= nr; n++) {
		struct pick pick = stripe_pick(buddy, home, order, type);

		if (pick.stripe == buddy->nr_stripes)
			break;
		stripe_refill(&taking, &pick);
	}
	return taking.taken;
}

/* Drain ------------------------------------------------------------------------------------ */

/* How far ahead the pageblocks of the frames to come are fetched. */
#define AHEAD 8u

struct draining {
	struct qr_zone *zone;
	unsigned order;
	unsigned largest; /* order that a block became part of */
	/* pages of each type that came in this hold of a lock: into parts as they are, and else */
	int64_t usual[QR_MIGRATE_TYPES], pages[QR_MIGRATE_TYPES];
};

static QR_COLD void twice_report(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	atomic_fetch_add_explicit(&zone->nr_freed_twice, 1, memory_order_relaxed);
	qr__log(&zone->frames->base, QR_LOG_ERR,
		"free of page at pfn %#llx, order %u, refused: it is free already; it was freed "
		"twice at the same moment",
		(unsigned long long)pfn, order);
}

/* Does a word hold a free block of this order, one that fits a word? */
QR_INLINE bool word_has(uint64_t word, unsigned order)
{
	for (unsigned k = 0; k < order && word; k++)
		word &= word >> (1u << k) & line_aligned(k + 1);
	return word != 0;
}

/*
 * The usual free: frames of one word of a part, whose largest order and place in the file stay what
 * they are.  False: go the long way.
 */
QR_INLINE bool word_give(struct draining *draining, _Atomic uint64_t *word,
			 struct bitmap_block *block, uint64_t mask, unsigned nr)
{
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

	if (qr__unlikely(block->state != BLOCK_PART || block->counted || now & mask ||
			 block->nr_free + nr >= QR_PAGEBLOCK_NR_PAGES))
		return false;
	now |= mask;
	/* would it complete a block larger than the largest? */
	if (block->order + 1u > WORD_ORDER ? now == UINT64_MAX : word_has(now, block->order + 1u))
		return false;
	atomic_store_explicit(word, now, memory_order_relaxed);
	block->nr_free += nr;
	draining->usual[block->type] += nr;
	return true;
}

/* The order of the largest free block of a word, not of the line; some bit is set. */
QR_INLINE unsigned word_largest(uint64_t word)
{
	unsigned order = 0;

	while (order < WORD_ORDER) {
		word &= word >> (1u << order) & line_aligned(order + 1);
		if (!word)
			break;
		order++;
	}
	return order;
}

/*
 * The largest free block that lies in word w of a line, or that it is a part of.  Nothing else
 * can have grown by bits that were set there.
 */
QR_INLINE unsigned largest_around(const struct line *line, unsigned w)
{
	uint64_t word = atomic_load_explicit(&line->word[w], memory_order_relaxed);

	return word == UINT64_MAX ? line_join(line, w * 64, WORD_ORDER) : word_largest(word);
}

/* Blocks of one word whose bits are new: their pageblock goes where it belongs now. */
static void row_give(struct draining *draining, uint32_t i, unsigned w, uint64_t mask, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	struct bitmap_buddy *buddy = bitmap_of(zone);
	struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint64_t *word = &buddy->lines[i].word[w];
	enum qr_migratetype type = qr__pageblock_type(zone->frames, bitmap_pfn(buddy, i));
	unsigned before = block->state == BLOCK_PART ? block->order : 0, joined;

	qr__bitmap_part_open(buddy, i);
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) | mask,
			      memory_order_relaxed);
	block->nr_free += nr;
	if (block->nr_free == QR_PAGEBLOCK_NR_PAGES) {
		bitmap_line_set(buddy, i, false);
		joined = qr__bitmap_whole_insert(zone, i, QR_PAGEBLOCK_ORDER, bitmap_class_of(type),
						 false);
	} else {
		joined = largest_around(&buddy->lines[i], w);
		qr__bitmap_part_file(buddy, i, joined > before ? joined : before, type);
	}
	draining->pages[type] += nr;
	if (joined > draining->largest)
		draining->largest = joined;
}

static bool is_free(const struct bitmap_buddy *buddy, qr_pfn_t pfn, unsigned order)
{
	uint32_t i = bitmap_index(buddy, pfn);

	return bitmap_is_whole(&buddy->blocks[i]) ||
	       (order < QR_PAGEBLOCK_ORDER &&
		!line_none(&buddy->lines[i], bitmap_offset(pfn), order));
}

/* One block by itself: it is large, or something is wrong with one of its row. */
static QR_NOINLINE void block_give(struct draining *draining, qr_pfn_t pfn)
{
	struct qr_zone *zone = draining->zone;
	enum qr_migratetype type = qr__pageblock_type(zone->frames, pfn);
	unsigned order = draining->order, joined;

	if (qr__unlikely(is_free(bitmap_of(zone), pfn, order))) {
		twice_report(zone, pfn, order);
		return;
	}
	draining->pages[type] += (int64_t)qr__order_pages(order);
	qr__state_type_set(qr__pfn_state(zone->frames, pfn), QR_PT_NONE);
	joined = qr__bitmap_give_uncounted(zone, pfn, order, type, false);
	if (joined > draining->largest)
		draining->largest = joined;
}

static void pages_account(struct draining *draining, struct bitmap_stripe *stripe)
{
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		int64_t usual = draining->usual[type], pages = draining->pages[type] + usual;

		if (!pages)
			continue;
		qr__bump(&stripe->part_pages[type], (uint64_t)usual);
		qr__zone_account_free(draining->zone, pages, (enum qr_migratetype)type);
		draining->usual[type] = draining->pages[type] = 0;
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

static void states_reset(const struct qr_zone *zone, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0; n < nr; n++)
		qr__state_type_set(&zone->frames->states[frames[n]], QR_PT_NONE);
}

/* A row that changes more than a word of bits and a count; or that is not all in use. */
static QR_NOINLINE void row_give_carefully(struct draining *draining, uint32_t i, unsigned w,
					   uint64_t mask, const uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;
	struct bitmap_buddy *buddy = bitmap_of(zone);
	struct bitmap_block *block = &buddy->blocks[i];
	_Atomic uint64_t *word = &buddy->lines[i].word[w];
	bool was_in_use = !bitmap_is_whole(block) &&
			  !(atomic_load_explicit(word, memory_order_relaxed) & mask);

	/* That somebody counted it may not move it in the file: looking on changes nothing. */
	if (was_in_use && block->state == BLOCK_PART && block->counted) {
		qr__bitmap_uncount(buddy, i);
		if (word_give(draining, word, block, mask, nr << draining->order)) {
			states_reset(zone, frames, nr);
			return;
		}
	}
	if (qr__likely(was_in_use)) {
		states_reset(zone, frames, nr);
		row_give(draining, i, w, mask, nr << draining->order);
		return;
	}
	for (unsigned n = 0; n < nr; n++)
		block_give(draining, zone->frames->base_pfn + frames[n]);
}

/* Frames of one stripe. */
static void words_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	uint64_t before = zone->frames->base_pfn - buddy->start_pfn; /* of frame 0; may wrap */
	struct bitmap_block *blocks = buddy->blocks;
	struct line *lines = buddy->lines;

	for (unsigned n = 0, row; n < nr; n += row) {
		uint64_t at = before + frames[n], i = at >> QR_PAGEBLOCK_ORDER, mask;
		unsigned w = bitmap_offset(at) / 64;

		if (n + AHEAD < nr) {
			uint64_t next = (before + frames[n + AHEAD]) >> QR_PAGEBLOCK_ORDER;

			__builtin_prefetch(&lines[next], 1);
			__builtin_prefetch(&blocks[next], 1);
		}
		row = row_of(&frames[n], nr - n, before, draining->order, &mask);
		if (qr__likely(word_give(draining, &lines[i].word[w], &blocks[i], mask,
					 row << draining->order)))
			states_reset(zone, &frames[n], row);
		else
			row_give_carefully(draining, (uint32_t)i, w, mask, &frames[n], row);
	}
}

/* The same for blocks that are words, or larger. */
static void blocks_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0; n < nr; n++)
		block_give(draining, draining->zone->frames->base_pfn + frames[n]);
}

static void stripe_drain(struct draining *draining, unsigned s, const uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	if (draining->order < WORD_ORDER)
		words_give(draining, frames, nr);
	else
		blocks_give(draining, frames, nr);
	pages_account(draining, &bitmap_of(zone)->stripes[s]);
	qr__stripe_unlock(zone, s, irqs);
}

static unsigned stripe_of(const struct qr_zone *zone, uint32_t frame)
{
	return qr__zone_stripe(zone, zone->frames->base_pfn + frame);
}

/*
 * Bring the frames of each stripe together, in the order of stripes: where each has its place is
 * known from how many there are, and a frame that stands elsewhere changes places with one there.
 */
static void frames_group(const struct qr_zone *zone, uint32_t *frames,
			 const unsigned end[QR_MAX_STRIPES])
{
	unsigned next[QR_MAX_STRIPES];

	for (unsigned s = 0; s < zone->nr_stripes; s++)
		next[s] = s ? end[s - 1] : 0;
	for (unsigned s = 0; s < zone->nr_stripes; s++) {
		while (next[s] < end[s]) {
			uint32_t frame = frames[next[s]];
			unsigned home = stripe_of(zone, frame);

			frames[next[s]] = frames[next[home]];
			frames[next[home]++] = frame;
		}
	}
}

/* Frames of several stripes: one lock for each that occurs. */
static void stripes_drain(struct draining *draining, uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;
	unsigned end[QR_MAX_STRIPES] = {0}, first = stripe_of(zone, frames[0]);

	for (unsigned n = 0; n < nr; n++)
		end[stripe_of(zone, frames[n])]++;
	if (end[first] == nr) {
		stripe_drain(draining, first, frames, nr);
		return;
	}
	for (unsigned s = 1; s < zone->nr_stripes; s++)
		end[s] += end[s - 1];
	frames_group(zone, frames, end);
	for (unsigned s = 0, start = 0; s < zone->nr_stripes; start = end[s++]) {
		if (end[s] > start)
			stripe_drain(draining, s, frames + start, end[s] - start);
	}
}

unsigned qr__bitmap_drain(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr)
{
	struct draining draining = {.zone = zone, .order = order, .largest = order};

	if (nr && zone->nr_stripes)
		stripes_drain(&draining, frames, nr);
	else if (nr)
		stripe_drain(&draining, 0, frames, nr);
	return draining.largest;
}
