/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_near.c - which stripe a CPU's cache is filled from
 *
 * Theory of operation
 * -------------------
 * A zone's pageblocks are divided into stripes, runs of equal length, each with a lock, bins and
 * sets of its own; a block never lies in two.  There are up to twice as many stripes as CPUs.
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
 * What came loose (bitmap_loose.c) may serve: home's is gathered before home is passed by, and the
 * others' before they are compared.
 *
 * A frame can only be given back to the stripe it lies in, see bitmap_drain.c.
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
	return order < NR_PART_ORDERS && (orders_racy(stripe, type) & PART_ORDERS) >> order;
}

/*
 * Did anything come loose that may serve?  As long as nobody has taken from the stripe, whether it
 * was gathered makes no difference to that: then it does not matter who looked on.
 */
static bool unsure_racy(const struct bitmap_stripe *stripe, enum qr_migratetype type)
{
	return bitmap_serves_racy(&stripe->unsure, QR_TYPE_BIT(type));
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

/* Of any stripe but home, is it so, or may it be? */
static bool any_worth_racy(const struct bitmap_buddy *buddy, unsigned home, unsigned order,
			   enum qr_migratetype type)
{
	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		const struct bitmap_stripe *stripe = &buddy->stripes[s];

		if (worth_racy(stripe, order, type) || (s != home && unsure_racy(stripe, type)))
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
		here = qr__bitmap_fullest_racy(buddy, stripe, type, order);
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
		    has_whole_racy(&buddy->stripes[s], order, type) ||
		    unsure_racy(&buddy->stripes[s], type))
			return s;
	}
	return buddy->nr_stripes;
}

/* What came loose anywhere is put where it belongs, to be compared. */
static void all_gather(struct qr_zone *zone, enum qr_migratetype type)
{
	struct bitmap_buddy *buddy = bitmap_of(zone);

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		unsigned long irqs;

		if (!unsure_racy(&buddy->stripes[s], type))
			continue;
		irqs = qr__stripe_lock(zone, s);
		qr__bitmap_gather_to_take(buddy, &buddy->stripes[s]);
		qr__stripe_unlock(zone, s, irqs);
	}
}

/* The rule above. */
static struct pick stripe_pick(struct qr_zone *zone, unsigned home, unsigned order,
			       enum qr_migratetype type)
{
	struct pick pick = {.stripe = home, .most = QR_PAGEBLOCK_NR_PAGES, .whole = true};
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	const struct bitmap_stripe *at_home = &buddy->stripes[home];

	if (buddy->nr_stripes > 1 && order < QR_PAGEBLOCK_ORDER) {
		if (has_part_racy(at_home, order, type) || unsure_racy(at_home, type)) {
			pick.whole = !any_worth_racy(buddy, home, order, type);
			return pick;
		}
		all_gather(zone, type);
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

	qr__bitmap_gather_to_take(bitmap_of(zone), stripe);
	if (taking->order < QR_PAGEBLOCK_ORDER)
		qr__bitmap_take_parts(taking, stripe, pick->most);
	if (pick->whole)
		qr__bitmap_take_whole(taking, pick->stripe);
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
		struct pick pick = stripe_pick(zone, home, order, type);

		if (pick.stripe == buddy->nr_stripes)
			break;
		stripe_refill(&taking, &pick);
	}
	/* no lock is needed for that: they are this CPU's by now */
	qr__bitmap_hand_out_all(&taking);
	return taking.taken;
}
