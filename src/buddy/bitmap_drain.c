/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_drain.c - what a CPU's cache gives back: many blocks of one order, in any order
 *
 * A frame can only be given back to the stripe it lies in.  What a cache gives back is therefore
 * grouped by stripes first, and takes the lock of each once, for all of its frames.  What becomes
 * of them there is told in bitmap_loose.c.
 *
 * Of small blocks there may be a thousand: they are moved, so that those of a stripe stand
 * together.  Of large ones there are some dozens: which of them lie in which stripe are masks.
 */
#include "bitmap.h"

struct draining {
	struct qr_zone *zone;
	unsigned order;
	bool tell;
	struct bitmap_given given;
};

QR_INLINE unsigned stripe_of(const struct qr_zone *zone, uint32_t frame)
{
	return qr__zone_stripe(zone, zone->frames->base_pfn + frame);
}

/* Of frame 0, counted from where stripes begin; may wrap. */
QR_INLINE uint64_t place_before(const struct qr_zone *zone)
{
	return zone->frames->base_pfn - zone->stripe_start;
}

/* Do all of these lie in one stripe? */
static bool is_one_stripe(const struct qr_zone *zone, const uint32_t *frames, unsigned nr)
{
	uint64_t before = place_before(zone), first = before + frames[0];
	uint64_t apart = 0;
	unsigned n = 0;

	for (; n + 4 <= nr && !(apart >> zone->stripe_order); n += 4) {
		QR_UNROLL
		for (unsigned k = 0; k < 4; k++)
			apart |= (before + frames[n + k]) ^ first;
	}
	for (; n < nr && !(apart >> zone->stripe_order); n++)
		apart |= (before + frames[n]) ^ first;
	return !(apart >> zone->stripe_order);
}

static void pages_account(struct draining *draining, struct bitmap_stripe *stripe)
{
	struct bitmap_given *given = &draining->given;

	for (; given->types; given->types &= given->types - 1) {
		unsigned type = qr__ctz64(given->types);
		int64_t in_parts = given->in_parts[type], pages = given->pages[type] + in_parts;

		given->in_parts[type] = given->pages[type] = 0;
		if (!pages)
			continue;
		qr__bump(&stripe->part_pages[type], (uint64_t)in_parts);
		qr__zone_account_free(draining->zone, pages, (enum qr_migratetype)type);
	}
}

/* Must it be known now what became of blocks: to tell, to unsay reports, or for their number? */
static bool gathers(const struct draining *draining, const struct bitmap_stripe *stripe)
{
	return draining->tell || bitmap_has_reported(draining->zone) ||
	       stripe->nr_loose > QR_LOOSE_MOST;
}

/* The last that is done before a stripe is unlocked. */
static void stripe_end(struct draining *draining, unsigned s)
{
	struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	struct bitmap_stripe *stripe = &buddy->stripes[s];

	pages_account(draining, stripe);
	if (qr__unlikely(gathers(draining, stripe)))
		draining->given.largest = (unsigned)qr__max(draining->given.largest,
							    qr__bitmap_gather(buddy, stripe));
}

/* Of the blocks that these have joined, what was reported is no longer true. */
static void reported_joined(const struct draining *draining, const uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;

	for (unsigned n = 0; qr__unlikely(bitmap_has_reported(zone)) && n < nr; n++)
		qr__bitmap_reported_joined(draining->zone, zone->frames->base_pfn + frames[n],
					   draining->order);
}

/* Small blocks ------------------------------------------------------------------------------- */

/* Frames are grouped by chunks, so that little room is needed beside them. */
#define CHUNK 256u
#define NR_CHUNKS 4u
#define NR_PARTS 4u

/* Of each chunk and stripe: where its frames end.  They begin where the stripe's before it end. */
struct groups {
	uint16_t end[NR_CHUNKS][QR_MAX_STRIPES];
	uint32_t present; /* bit s: there are any of stripe s */
};

/*
 * A frame's place follows from the count of its stripe, which waits for that of the last frame of
 * that stripe, and stripes are few.  So frames are counted in several parts, which take turns.
 */
struct parts {
	uint64_t before;
	unsigned shift; /* frame + before >> shift: its stripe */
	unsigned size; /* of each part; what is left over belongs to the last one */
	uint16_t place[NR_PARTS][QR_MAX_STRIPES]; /* first a number of frames, then of the next */
};

QR_INLINE uint16_t *place_of(struct parts *parts, unsigned part, uint32_t frame)
{
	return &parts->place[part][(parts->before + frame) >> parts->shift];
}

QR_INLINE void parts_count(struct parts *parts, const uint32_t *frames, unsigned nr)
{
	for (unsigned n = 0; n < parts->size; n++) {
		QR_UNROLL
		for (unsigned p = 0; p < NR_PARTS; p++)
			++*place_of(parts, p, frames[p * parts->size + n]);
	}
	for (unsigned n = NR_PARTS * parts->size; n < nr; n++)
		++*place_of(parts, NR_PARTS - 1, frames[n]);
}

/* The frames of a stripe stand together, those of each part behind those of the one before. */
QR_INLINE void parts_order(struct parts *parts, unsigned nr_stripes, uint16_t end[QR_MAX_STRIPES])
{
	unsigned start = 0;

	for (unsigned s = 0; s < nr_stripes; s++) {
		for (unsigned p = 0; p < NR_PARTS; p++) {
			unsigned here = parts->place[p][s];

			parts->place[p][s] = (uint16_t)start;
			start += here;
		}
		end[s] = (uint16_t)start;
	}
}

QR_INLINE void parts_move(struct parts *parts, const uint32_t *frames, unsigned nr, uint32_t *to)
{
	for (unsigned n = 0; n < parts->size; n++) {
		QR_UNROLL
		for (unsigned p = 0; p < NR_PARTS; p++) {
			uint32_t frame = frames[p * parts->size + n];

			to[(*place_of(parts, p, frame))++] = frame;
		}
	}
	for (unsigned n = NR_PARTS * parts->size; n < nr; n++)
		to[(*place_of(parts, NR_PARTS - 1, frames[n]))++] = frames[n];
}

/*
 * Bring the frames of each stripe together.  Each goes to a place of its own, whatever becomes of
 * those before it: exchanging them in place would be one long chain of loads and stores.
 */
static void chunk_group(const struct qr_zone *zone, uint32_t *frames, unsigned nr,
			uint16_t end[QR_MAX_STRIPES])
{
	struct parts parts = {
		.before = place_before(zone),
		.shift = zone->stripe_order,
		.size = nr / NR_PARTS,
	};
	uint32_t grouped[CHUNK];

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
static void group_give(struct draining *draining, unsigned s, const struct groups *groups,
		       uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	for (unsigned c = 0; c * CHUNK < nr; c++) {
		unsigned start = s ? groups->end[c][s - 1] : 0, end = groups->end[c][s];

		if (end > start)
			qr__bitmap_small_give(zone, draining->order, frames + c * CHUNK + start,
					      end - start, &draining->given);
	}
	stripe_end(draining, s);
	for (unsigned c = 0; c * CHUNK < nr; c++) {
		unsigned start = s ? groups->end[c][s - 1] : 0, end = groups->end[c][s];

		reported_joined(draining, frames + c * CHUNK + start, end - start);
	}
	qr__stripe_unlock(zone, s, irqs);
}

/* At most NR_CHUNKS * CHUNK frames of any stripes: one lock for each that occurs. */
static void groups_give(struct draining *draining, uint32_t *frames, unsigned nr)
{
	struct groups groups;

	all_group(draining->zone, frames, nr, &groups);
	for (; groups.present; groups.present &= groups.present - 1)
		group_give(draining, qr__ctz64(groups.present), &groups, frames, nr);
}

/* All are of stripe s. */
static void stripe_give(struct draining *draining, unsigned s, uint32_t *frames, unsigned nr)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	qr__bitmap_small_give(zone, draining->order, frames, nr, &draining->given);
	stripe_end(draining, s);
	reported_joined(draining, frames, nr);
	qr__stripe_unlock(zone, s, irqs);
}

static void small_drain(struct draining *draining, uint32_t *frames, unsigned nr)
{
	if (is_one_stripe(draining->zone, frames, nr)) {
		stripe_give(draining, stripe_of(draining->zone, frames[0]), frames, nr);
		return;
	}
	for (unsigned n = 0; n < nr; n += NR_CHUNKS * CHUNK)
		groups_give(draining, frames + n, (unsigned)qr__min(nr - n, NR_CHUNKS * CHUNK));
}

/* Large blocks ------------------------------------------------------------------------------- */

#define PORTION 64u /* the bits of a mask */
#define NR_PORTIONS 2u /* of what is taken on at a time */

/* Which of each portion lie in which stripe. */
struct spread {
	uint64_t in[NR_PORTIONS][QR_MAX_STRIPES];
	uint32_t present; /* bit s: any of stripe s */
};

/*
 * A mask waits for what the last frame of its stripe wrote to it, and stripes are few.  So there is
 * one for each half of a portion, and they take turns.
 */
static void portion_spread(struct spread *spread, unsigned p, const struct qr_zone *zone,
			   const uint32_t *frames, unsigned nr)
{
	const unsigned half = PORTION / 2;
	uint64_t before = place_before(zone);
	uint32_t low[QR_MAX_STRIPES], high[QR_MAX_STRIPES];
	unsigned nr_low = (unsigned)qr__min(nr, half), nr_high = nr - nr_low, n = 0;

	for (unsigned s = 0; s < zone->nr_stripes; s++)
		low[s] = high[s] = 0;
	for (; n < nr_high; n++) {
		low[(before + frames[n]) >> zone->stripe_order] |= UINT32_C(1) << n;
		high[(before + frames[half + n]) >> zone->stripe_order] |= UINT32_C(1) << n;
	}
	for (; n < nr_low; n++)
		low[(before + frames[n]) >> zone->stripe_order] |= UINT32_C(1) << n;
	for (unsigned s = 0; s < zone->nr_stripes; s++) {
		spread->in[p][s] = low[s] | (uint64_t)high[s] << half;
		spread->present |= (uint32_t)(spread->in[p][s] != 0) << s;
	}
}

/* What will be read of parts; pageblocks have a bit in a set, which is near. */
static void frames_fetch(const struct draining *draining, const uint32_t *frames, unsigned nr)
{
	const struct bitmap_buddy *buddy = bitmap_of(draining->zone);
	uint64_t before = draining->zone->frames->base_pfn - buddy->start_pfn;

	for (unsigned n = 0; draining->order < QR_PAGEBLOCK_ORDER && n < nr; n++)
		bitmap_fetch(buddy->lines, buddy->blocks, before + frames[n]);
}

/* Of portion p, those in a stripe, which is locked. */
static void portion_give(struct draining *draining, const uint32_t *frames, unsigned p,
			 uint64_t which)
{
	struct qr_zone *zone = draining->zone;

	if (!which)
		return;
	frames += p * PORTION;
	if (draining->order >= QR_PAGEBLOCK_ORDER)
		qr__bitmap_pageblocks_give(zone, frames, which, &draining->given);
	else
		qr__bitmap_large_give(zone, draining->order, frames, which, &draining->given);
}

static void spread_give(struct draining *draining, unsigned s, const struct spread *spread,
			const uint32_t *frames)
{
	struct qr_zone *zone = draining->zone;
	unsigned long irqs = qr__stripe_lock(zone, s);

	for (unsigned p = 0; p < NR_PORTIONS; p++)
		portion_give(draining, frames, p, spread->in[p][s]);
	stripe_end(draining, s);
	for (unsigned p = 0; qr__unlikely(bitmap_has_reported(zone)) && p < NR_PORTIONS; p++)
		for (uint64_t which = spread->in[p][s]; which; which &= which - 1)
			reported_joined(draining, &frames[p * PORTION + qr__ctz64(which)], 1);
	qr__stripe_unlock(zone, s, irqs);
}

/* All lie in stripe s. */
static void stripe_spread(struct spread *spread, unsigned s, unsigned nr)
{
	for (unsigned p = 0; p < NR_PORTIONS; p++) {
		unsigned here = (unsigned)qr__min(nr, PORTION);

		spread->in[p][s] = here ? UINT64_MAX >> (PORTION - here) : 0;
		nr -= here;
	}
	spread->present = UINT32_C(1) << s;
}

/* At most NR_PORTIONS * PORTION. */
static void portions_give(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	const struct qr_zone *zone = draining->zone;
	struct spread spread;

	frames_fetch(draining, frames, nr);
	spread.present = 0;
	if (is_one_stripe(zone, frames, nr)) {
		stripe_spread(&spread, stripe_of(zone, frames[0]), nr);
	} else {
		for (unsigned p = 0; p < NR_PORTIONS; p++) {
			unsigned from = (unsigned)qr__min(nr, p * PORTION);

			portion_spread(&spread, p, zone, frames + from,
				       (unsigned)qr__min(nr - from, PORTION));
		}
	}
	for (; spread.present; spread.present &= spread.present - 1)
		spread_give(draining, qr__ctz64(spread.present), &spread, frames);
}

static void large_drain(struct draining *draining, const uint32_t *frames, unsigned nr)
{
	const unsigned most = NR_PORTIONS * PORTION;

	for (unsigned n = 0; n < nr; n += most)
		portions_give(draining, frames + n, (unsigned)qr__min(nr - n, most));
}

unsigned qr__bitmap_drain(struct qr_zone *zone, unsigned order, uint32_t *frames, unsigned nr,
			  bool tell)
{
	struct draining draining = {
		.zone = zone,
		.order = order,
		.tell = tell,
		.given = {.largest = order},
	};

	if (order < LARGE_ORDER)
		small_drain(&draining, frames, nr);
	else
		large_drain(&draining, frames, nr);
	return draining.given.largest;
}
