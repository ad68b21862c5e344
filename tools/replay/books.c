/* SPDX-License-Identifier: MIT */
/*
 * replay/books.c - why the model ends with more or fewer free pages than the machine
 *
 * Pages that are free or in a cache can only become fewer by allocations, and more by frees.  So
 * the sum at the end is that at the start, less what the events took: in the model by its own
 * count, on the machine by /proc/vmstat.  Whatever differs must have a place:
 *
 *	waiting		free pages that sit in a cache on one side only
 *	unfound		were in the machine's caches at the start, no one knows where: in the model
 *			they are in use for ever
 *	between		came and went between the reading of buddyinfo and zoneinfo, which the
 *			machine's sum is of, and of kpageflags, which the model starts from
 *	unplaced	events that could not be played as recorded
 *	outside		taken where no event tells, and not played by recorder.c
 *	rest		what none of these explains; the kernel's counters are not exact to the page
 */
#include <string.h>

#include "replay.h"

static bool vmstat_difference(const struct replay_machine *m, const char *name, int64_t *pages)
{
	uint64_t before, after;

	if (!state_vmstat(&m->before, name, &before) || !state_vmstat(&m->after, name, &after))
		return false;
	*pages = (int64_t)(after - before);
	return true;
}

bool replay_pages_outside(const struct replay_machine *m, int64_t *outside)
{
	static const char *const names[] = {"pgalloc_dma",     "pgalloc_dma32",  "pgalloc_normal",
					    "pgalloc_movable", "pgalloc_device", "pgalloc_high"};
	int64_t freed, one, allocated = 0;

	if (!m->has_after || !vmstat_difference(m, "pgfree", &freed))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (vmstat_difference(m, names[i], &one))
			allocated += one;
	}
	*outside = allocated - freed - m->events_net - (int64_t)m->nr_taken_since;
	return true;
}

uint64_t replay_pages_passing(const struct replay_machine *m, const struct replay_result *r)
{
	int64_t freed;

	if (!m->has_after || !vmstat_difference(m, "pgfree", &freed))
		return 0;
	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		freed -= (int64_t)(r->frees[o] << o);
	freed -= (int64_t)r->recorder_pages;
	return freed > 0 ? (uint64_t)freed : 0;
}

/* Free by buddyinfo, as the machine's end is counted, too. */
static int64_t free_before(const struct state_zone *zone)
{
	uint64_t nr = 0;

	for (unsigned o = 0; o < zone->nr_orders; o++)
		nr += zone->blocks[o] << o;
	return (int64_t)(zone->nr_orders ? nr : zone->free);
}

void replay_books(const struct replay_machine *m, struct replay_result *r)
{
	struct replay_books *b = &r->books;
	int64_t outside;

	memset(b, 0, sizeof(*b));
	b->outside_known = replay_pages_outside(m, &outside);
	b->difference = (int64_t)(r->free_pages.model - r->free_pages.machine);
	b->waiting = (int64_t)(r->pcp_pages.machine - r->pcp_pages.model);
	b->between = (int64_t)m->nr_free_snapshot;
	b->unfound = (int64_t)m->nr_cached_placed;
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		b->between -= free_before(&m->before.zones[z]);
		b->unfound -= (int64_t)m->before.zones[z].pcp_count;
	}
	b->unplaced = r->unplaced_pages;
	/* more than zoneinfo counted: it was read before kpageflags, and before the first event */
	if (b->unfound > 0) {
		b->between += b->unfound;
		b->unfound = 0;
	}
	if (b->outside_known)
		b->outside = outside - (int64_t)r->outside_pages;
	b->rest = b->difference - b->waiting - b->unfound - b->between - b->unplaced - b->outside;
}
