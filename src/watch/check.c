/* SPDX-License-Identifier: MIT */
/*
 * watch/check.c - qr_check(): verify every numbered invariant of an instance
 *
 * Theory of operation
 * -------------------
 * The global rules come first (marks, zonelists, node states, detours), then one zone after the
 * other, each under the locks of all its caches and its own.  Within a zone: the counters against
 * the lengths of the lists; the buddy engine's own check; a walk over all frames from block to
 * block; the counters against what that saw; the caches.
 *
 * The walk takes one step for each block, however large, so an untouched zone of 1 TiB takes
 * 262144 steps and reads one record in each.  Whether the records *inside* free blocks are
 * really blank is looked at in full on instances of up to THOROUGH_PAGES frames, and otherwise
 * only near the heads, so that a check does not touch metadata nobody else ever touched.
 *
 * Pages in use change without any lock of ours: a thread may be splitting a block, or hold one that
 * is neither free nor in use yet.  While the checker holds the zone's lock, such threads even pile
 * up behind it.  So a broken rule about them is only a suspicion.  Suspects are looked at again and
 * again, with all locks let go in between; those that come right are dropped, and one that stays
 * wrong is no coincidence.
 *
 * The invariants are listed, with what they are good for, in docs/invariants.md.
 */
#include "check.h"

#include "../base/text.h"

#define THOROUGH_PAGES (UINT64_C(1) << 20)
#define RELAX_LONG 64 /* spins after which the platform is asked to pause */
#define MAX_PASSES 16 /* over a zone with more suspects than fit */

/* Names and rules -------------------------------------------------------------------------- */

struct rule {
	unsigned invariant;
	const char *name;
	const char *rule;
};

static const struct rule rules[] = {
	{QR_INV_F1, "F1", "a record speaks for each frame of memory that was released"},
	{QR_INV_F2, "F2", "a block is aligned to its order and lies inside one zone"},
	{QR_INV_F3, "F3", "the record of a block's head says a known type, and its zone"},
	{QR_INV_F4, "F4", "the other records of a free block say nothing"},
	{QR_INV_F5, "F5", "what is free has no references and is not mapped"},
	{QR_INV_F6, "F6", "what is in use has a reference"},
	{QR_INV_F7, "F7", "what is free has no flags but HWPOISON, FILLED and REPORTED"},
	{QR_INV_F8, "F8", "a pageblock's type is one of those there are"},
	{QR_INV_F9, "F9", "the tails of a compound page name its head, other tails say nothing"},
	{QR_INV_F10, "F10", "frames that are no memory have no records"},
	{QR_INV_F11, "F11", "a state notes that the cold part of its record has something to say"},
	{QR_INV_F12, "F12", "a mark and the state of its frame do not contradict each other"},
	{QR_INV_Z1, "Z1", "nr_free_pages is the pages on all lists but ISOLATE"},
	{QR_INV_Z2, "Z2", "nr_free_cma is the pages on CMA lists"},
	{QR_INV_Z3, "Z3", "nr_free_highatomic is the pages on HIGHATOMIC lists"},
	{QR_INV_Z4, "Z4", "the blocks of an order are the sum of its types' blocks"},
	{QR_INV_Z5, "Z5", "nr_isolate_pageblock is the number of isolated pageblocks"},
	{QR_INV_Z6, "Z6", "free pages by their records are the free pages by the lists"},
	{QR_INV_Z7, "Z7", "managed is all memory that is not reserved, and what was added by hand"},
	{QR_INV_Z8, "Z8",
	 "nr_reserved_highatomic covers all HIGHATOMIC pageblocks, and is not more than the zone"},
	{QR_INV_Z9, "Z9", "managed <= present <= spanned, and present is what the ranges say"},
	{QR_INV_Z10, "Z10", "nr_deferred is the frames whose records wait"},
	{QR_INV_Z11, "Z11", "cma_pages is the pages of CMA pageblocks"},
	{QR_INV_Z12, "Z12", "a zone that does not say SCARCE is well off"},
	{QR_INV_Z13, "Z13",
	 "nr_isolated is the number of isolated pageblocks; ISOLATED says whether there are any"},
	{QR_INV_Z14, "Z14", "the pages on ISOLATE lists are the free pages of isolated pageblocks"},
	{QR_INV_P1, "P1", "a cache's lists are well linked and end"},
	{QR_INV_P2, "P2", "a cached block says PCP, its list's order and its zone, and is aligned"},
	{QR_INV_P3, "P3", "a cache's count is the pages on its lists"},
	{QR_INV_P4, "P4", "a cache's sizes make sense"},
	{QR_INV_P5, "P5", "a block that says PCP is on a cache's list"},
	{QR_INV_P6, "P6", "a block is in one place of one magazine"},
	{QR_INV_P7, "P7", "a cache's lock says ISOLATED as its zone does"},
	{QR_INV_O1, "O1", "a block in use has an owner record of its order"},
	{QR_INV_O2, "O2", "what is free has no owner"},
	{QR_INV_W1, "W1", "min <= low <= high <= promo"},
	{QR_INV_W2, "W2",
	 "lowmem_reserve is 0 for zones up to its own, and not less for higher ones"},
	{QR_INV_W3, "W3", "a zonelist ends and names each populated zone exactly once"},
	{QR_INV_W4, "W4", "a zonelist goes node by node, own node first, from high zones to low"},
	{QR_INV_W5, "W5", "node states are what the zones and CPUs say"},
	{QR_INV_W6, "W6", "totalreserve_pages is not more than the node manages"},
	{QR_INV_D1, "D1", "a bit of detours is set if what it stands for is on, and only then"},
	{QR_INV_D2, "D2", "steps says how they are gone here, and that they are not on a detour"},
	{QR_INV_D3, "D3", "extras is what the options, page owner and the CPUs ask for"},
};

static const char *const buddy_names[] = {
	"B?", "B1", "B2",  "B3",  "B4",  "B5",  "B6",  "B7",
	"B8", "B9", "B10", "B11", "B12", "B13", "B14",
};

const char *qr_invariant_name(unsigned invariant)
{
	unsigned place = invariant % QR_INV_GROUP;

	if (invariant - place == QR_INV_B)
		return buddy_names[place < QR_ARRAY_SIZE(buddy_names) ? place : 0];
	for (size_t i = 0; i < QR_ARRAY_SIZE(rules); i++)
		if (rules[i].invariant == invariant)
			return rules[i].name;
	return "?";
}

const char *qr__invariant_rule(unsigned invariant)
{
	for (size_t i = 0; i < QR_ARRAY_SIZE(rules); i++)
		if (rules[i].invariant == invariant)
			return rules[i].rule;
	return NULL;
}

unsigned qr__invariant_at(unsigned i)
{
	return i < QR_ARRAY_SIZE(rules) ? rules[i].invariant : 0;
}

void qr__check_broken(struct qr_checker *c, unsigned invariant, const char *fmt, ...)
{
	struct qr_text text;
	va_list args;

	if (c->broken)
		return;
	c->broken = invariant;
	if (!c->why)
		return;
	text = qr__text(c->why->text, sizeof(c->why->text));
	qr__text_printf(&text, "%s: ", qr_invariant_name(invariant));
	va_start(args, fmt);
	qr__text_vprintf(&text, fmt, args);
	va_end(args);
}

/* One zone --------------------------------------------------------------------------------- */

/* The caches' locks come before the zone's; the loop over them is beyond the lock analysis. */
static unsigned long zone_lock_all(struct qr_zone *zone) QR_NO_LOCK_ANALYSIS
{
	if (zone->pcp)
		qr__pcp_lock_all(zone);
	return qr__zone_lock(zone);
}

static void zone_unlock_all(struct qr_zone *zone, unsigned long irqs) QR_NO_LOCK_ANALYSIS
{
	qr__zone_unlock(zone, irqs);
	if (zone->pcp)
		qr__pcp_unlock_all(zone);
}

/* The engine words its sentence itself. */
static void engine_check_locked(struct qr_checker *c)
{
	unsigned broken = c->zone->ops->check(c->zone, c->why);

	if (broken)
		c->broken = QR_INV_B + broken;
}

static void zone_pass(struct qr_checker *c)
{
	unsigned long irqs = zone_lock_all(c->zone);

	c->nr_suspects = 0;
	c->more_suspects = false;
	qr__check_list_counts_locked(c);
	if (!c->broken)
		engine_check_locked(c);
	if (!c->broken)
		qr__check_frames_locked(c);
	if (!c->broken)
		qr__check_counters_locked(c);
	if (!c->broken)
		qr__check_caches_locked(c);
	zone_unlock_all(c->zone, irqs);
}

/* Look at all suspects once more and drop those that came right. */
static void suspects_look(struct qr_checker *c, bool believe)
{
	unsigned long irqs = zone_lock_all(c->zone);
	unsigned kept = 0;

	for (unsigned i = 0; i < c->nr_suspects; i++)
		if (qr__check_suspect_locked(c, &c->suspects[i], believe))
			c->suspects[kept++] = c->suspects[i];
	c->nr_suspects = kept;
	zone_unlock_all(c->zone, irqs);
}

void qr__check_pause(struct qr_checker *c, unsigned look)
{
	qr__relax(&c->frames->base, RELAX_LONG + look);
	qr__sched_point(&c->frames->base, "check");
}

static void suspects_check(struct qr_checker *c)
{
	for (unsigned look = 1; look <= QR_CHECK_LOOKS && c->nr_suspects; look++) {
		qr__check_pause(c, look);
		suspects_look(c, look == QR_CHECK_LOOKS);
	}
}

static void zone_check(struct qr_checker *c, struct qr_zone *zone)
{
	c->zone = zone;
	for (unsigned pass = 0; pass < MAX_PASSES && !c->broken; pass++) {
		zone_pass(c);
		if (!c->broken)
			suspects_check(c);
		if (!c->more_suspects)
			break;
	}
}

unsigned qr_check(struct quire *q, struct qr_error_text *why)
{
	struct qr_frames *frames = qr__frames(q);
	struct qr_checker c = {
		.q = q,
		.watch = qr__watch(q),
		.frames = frames,
		.why = why,
		.thorough = frames->end_pfn - frames->base_pfn <= THOROUGH_PAGES,
	};
	struct qr_zone *zone;

	if (why)
		why->text[0] = 0;
	qr__check_marks(&c);
	if (!c.broken)
		qr__check_zonelists(&c);
	if (!c.broken)
		qr__check_detours(&c);
	qr__for_each_populated_zone(frames, zone)
	{
		if (!c.broken)
			zone_check(&c, zone);
	}
	return c.broken;
}
