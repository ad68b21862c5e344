/* SPDX-License-Identifier: MIT */
/*
 * replay/limits.c - what a trace cannot tell, and how much of it there is in this one
 */
#include <string.h>

#include "replay.h"

struct replay_limits replay_limits(const struct replay_machine *m, const struct replay_result *r)
{
	struct replay_limits l = {
		.free_buddyinfo = r->start_free_pages.machine,
		.free_kpageflags = m->nr_free_snapshot,
		.cached_guessed = m->nr_cached_guessed,
		.against = m->type_mismatch,
		.passing = replay_pages_passing(m, r),
		.other_engine = strcmp(r->engine, REPLAY_ENGINE) != 0,
	};
	uint64_t nr_free = 0;

	for (uint64_t pfn = 0; pfn < m->frames.nr; pfn++)
		nr_free += FRAME_CLASS(m->frames.class[pfn]) == FRAME_FREE;
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		l.cached += m->before.zones[z].pcp_count;
		l.types_counted |= m->before.zones[z].has_pageblocks;
	}
	for (uint64_t i = 0; i < m->nr_cached; i++)
		l.cached_known += UINT64_C(1) << m->cached[i].order;
	l.cached_known -= l.cached_guessed;
	if (l.cached_known > l.cached)
		l.cached_beyond = l.cached_known - l.cached;
	if (r->start_free_pages.model > nr_free)
		l.no_room = r->start_free_pages.model - nr_free;
	return l;
}
