/* SPDX-License-Identifier: MIT */
/*
 * replay/caches.c - which pages waited in the per-CPU caches at the start, as far as that is known
 *
 * zoneinfo says how many pages waited in each cache.  The events betray some of them, by being
 * allocated without having been freed, or drained (scan.c).  The others stayed where they were all
 * the time: at the warm end of a list that only ever lost pages from its cold end.  They matter
 * even so, since a cache that is full of them has no room for what is freed.
 *
 * kpageflags shows such a page as in use by nobody known, like many of the kernel's own.  So many
 * as are missing are chosen among those that no event touched:
 *
 *	1.	what was free afterwards, which can hardly have been anything else
 *
 *	2.	in unmovable pageblocks, where most unknown pages are, then in any
 *
 * but never in a pageblock that holds nothing else, before and after: that is the kernel's image,
 * its page records, a balloon.  Where too few are found, the rest stays in use for ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum pass { FREE_AFTER, UNMOVABLE_BLOCKS, ANY_BLOCK, NR_PASSES };

struct guess {
	struct replay_machine *m;
	const struct state_zone *zone;
	int64_t missing[STATE_MAX_CPUS];
	int64_t missing_in_all; /* less than their sum, where a CPU drained another's cache */
	unsigned cpu; /* whose cache is filled up at the moment */
	unsigned nr_left; /* CPUs that were not served yet, this one included */
	uint64_t room; /* of m->cached */
};

int replay_cached_add(struct replay_machine *m, uint64_t *room, struct replay_cached cached)
{
	if (m->nr_cached == *room) {
		uint64_t more = *room ? *room * 2 : 4096;
		struct replay_cached *all = realloc(m->cached, more * sizeof(*all));

		if (!all)
			return -ENOMEM;
		m->cached = all;
		*room = more;
	}
	m->cached[m->nr_cached++] = cached;
	return 0;
}

static bool in_zone(const struct state_zone *zone, qr_pfn_t pfn)
{
	return pfn >= zone->start_pfn && pfn - zone->start_pfn < zone->spanned;
}

/* What zoneinfo counted, less what the events told of. */
static void count_missing(struct guess *g)
{
	const struct replay_machine *m = g->m;

	for (unsigned cpu = 0; cpu < g->zone->nr_cpus; cpu++) {
		g->missing[cpu] = (int64_t)g->zone->cpu_count[cpu];
		g->missing_in_all += g->missing[cpu];
	}
	for (uint64_t i = 0; i < m->nr_cached; i++) {
		const struct replay_cached *c = &m->cached[i];

		if (c->cpu >= STATE_MAX_CPUS || !in_zone(g->zone, c->pfn))
			continue;
		g->missing[c->cpu] -= INT64_C(1) << c->order;
		g->missing_in_all -= INT64_C(1) << c->order;
	}
}

/* The CPUs in turn, but that which the recorder ran on last: it used up what was there. */
static bool next_cpu(struct guess *g)
{
	while (g->nr_left && g->missing[g->cpu] <= 0) {
		g->nr_left--;
		g->cpu = (g->cpu + 1) % g->zone->nr_cpus;
	}
	return g->nr_left && g->missing_in_all > 0;
}

static bool fits_pass(const struct replay_machine *m, qr_pfn_t pfn, enum pass pass)
{
	enum frame_class after = FRAME_OTHER;

	if (m->frames.class[pfn] != FRAME_OTHER || m->fate[pfn] != REPLAY_UNTOUCHED ||
	    m->initial_order[pfn] ||
	    (pfn + 1 < m->frames.nr && (m->frames.class[pfn + 1] & FRAME_TAIL)))
		return false;
	if (m->has_frames_after && pfn < m->frames_after.nr)
		after = FRAME_CLASS(m->frames_after.class[pfn]);
	if (pass == FREE_AFTER || after != FRAME_OTHER)
		return after == FRAME_FREE;
	return pass == ANY_BLOCK ||
	       m->block_type[pfn >> QR_PAGEBLOCK_ORDER] == QR_MIGRATE_UNMOVABLE;
}

static bool free_after(const struct replay_machine *m, qr_pfn_t pfn)
{
	return m->has_frames_after && pfn < m->frames_after.nr &&
	       FRAME_CLASS(m->frames_after.class[pfn]) == FRAME_FREE;
}

/* Something else is, or was to be, in this pageblock. */
static bool block_is_mixed(const struct replay_machine *m, qr_pfn_t start)
{
	for (qr_pfn_t pfn = start; pfn < start + QR_PAGEBLOCK_NR_PAGES && pfn < m->frames.nr;
	     pfn++) {
		if (m->frames.class[pfn] != FRAME_OTHER || free_after(m, pfn))
			return true;
	}
	return false;
}

static int guess_block(struct guess *g, qr_pfn_t start, enum pass pass)
{
	struct replay_machine *m = g->m;
	int error = 0;

	if (!block_is_mixed(m, start))
		return 0;
	for (qr_pfn_t pfn = start; !error && pfn < start + QR_PAGEBLOCK_NR_PAGES; pfn++) {
		if (pfn >= m->frames.nr || !in_zone(g->zone, pfn) || !fits_pass(m, pfn, pass))
			continue;
		if (!next_cpu(g))
			break;
		error = replay_cached_add(m, &g->room,
					  (struct replay_cached){.pfn = pfn,
								 .cpu = (uint16_t)g->cpu,
								 .heat = REPLAY_LUKEWARM});
		m->initial_order[pfn] = 1;
		m->nr_cached_guessed++;
		g->missing[g->cpu]--;
		g->missing_in_all--;
	}
	return error;
}

static int guess_zone(struct guess *g)
{
	qr_pfn_t end = g->zone->start_pfn + g->zone->spanned;
	int error = 0;

	count_missing(g);
	g->nr_left = g->zone->nr_cpus;
	g->cpu = (g->m->first_cpu + 1) % g->zone->nr_cpus;
	for (enum pass pass = FREE_AFTER; pass < NR_PASSES; pass++) {
		qr_pfn_t start = g->zone->start_pfn & ~(QR_PAGEBLOCK_NR_PAGES - 1);

		for (; !error && start < end && next_cpu(g); start += QR_PAGEBLOCK_NR_PAGES)
			error = guess_block(g, start, pass);
	}
	return error;
}

/* Of the snapshot's caches: what it has as free came in since. */
static void count_placed(struct replay_machine *m)
{
	for (uint64_t i = 0; i < m->nr_cached; i++) {
		const struct replay_cached *c = &m->cached[i];

		for (qr_pfn_t pfn = c->pfn; pfn < c->pfn + (UINT64_C(1) << c->order); pfn++)
			m->nr_cached_placed += FRAME_CLASS(m->frames.class[pfn]) != FRAME_FREE;
	}
}

int replay_guess_cached(struct replay_machine *m)
{
	int error = 0;

	for (unsigned z = 0; !error && z < m->before.nr_zones; z++) {
		struct guess g = {.m = m, .zone = &m->before.zones[z], .room = m->nr_cached};

		if (g.zone->present && g.zone->nr_cpus && g.zone->pcp_count)
			error = guess_zone(&g);
	}
	count_placed(m);
	if (error)
		snprintf(m->why, sizeof(m->why), "no memory for the frames in caches");
	return error;
}
