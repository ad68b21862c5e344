/* SPDX-License-Identifier: MIT */
/*
 * replay/scan.c - what the events tell of the time before them
 *
 * The snapshot says of each frame whether it was in a free block.  Of the others it does not say as
 * part of which block they were allocated, nor which of them were free after all, in a CPU's
 * cache.  The events do:
 *
 *	a free of a frame that no event allocated	it was in use from the start, as a block of
 *							that order
 *	an allocation of a frame that no event freed	it waited in that CPU's cache
 *	a drain of such a frame			likewise, at the cold end
 *
 * So one pass over the events comes before the replay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

/* What the events so far say of a frame. */
enum fate { FATE_UNTOUCHED, FATE_IN_USE, FATE_FREE };

struct scan {
	struct replay_machine *m;
	uint8_t *fate; /* enum fate */
	uint64_t room;
};

static bool block_inside(const struct replay_machine *m, const struct trace_event *e)
{
	return e->order < REPLAY_ORDERS && e->pfn < m->frames.nr &&
	       (UINT64_C(1) << e->order) <= m->frames.nr - e->pfn;
}

static void set_fate(struct scan *s, const struct trace_event *e, enum fate fate)
{
	memset(s->fate + e->pfn, (int)fate, UINT64_C(1) << e->order);
}

/* All frames of the block were not free in the snapshot, and no event has touched them yet. */
static bool from_before(const struct scan *s, const struct trace_event *e)
{
	for (uint64_t pfn = e->pfn; pfn < e->pfn + (UINT64_C(1) << e->order); pfn++) {
		enum frame_class class = FRAME_CLASS(s->m->frames.class[pfn]);

		if (s->fate[pfn] != FATE_UNTOUCHED || class == FRAME_FREE ||
		    class == FRAME_ABSENT || class == FRAME_RESERVED)
			return false;
	}
	return true;
}

static int note_cached(struct scan *s, const struct trace_event *e)
{
	struct replay_machine *m = s->m;

	if (m->nr_cached == s->room) {
		uint64_t room = s->room ? s->room * 2 : 4096;
		struct replay_cached *all = realloc(m->cached, room * sizeof(*all));

		if (!all)
			return -ENOMEM;
		m->cached = all;
		s->room = room;
	}
	m->initial_order[e->pfn] = (uint8_t)(e->order + 1);
	m->cached[m->nr_cached++] = (struct replay_cached){
		.pfn = e->pfn,
		.cpu = e->cpu,
		.order = e->order,
		.drained = e->kind == TRACE_DRAIN,
	};
	return 0;
}

static int scan_event(struct scan *s, const struct trace_event *e)
{
	int error = 0;

	if (!block_inside(s->m, e))
		return 0;
	switch (e->kind) {
	case TRACE_ALLOC:
		if (from_before(s, e))
			error = note_cached(s, e);
		set_fate(s, e, FATE_IN_USE);
		break;
	case TRACE_FREE:
		if (from_before(s, e))
			s->m->initial_order[e->pfn] = (uint8_t)(e->order + 1);
		set_fate(s, e, FATE_FREE);
		break;
	case TRACE_DRAIN:
		if (from_before(s, e)) {
			error = note_cached(s, e);
			set_fate(s, e, FATE_FREE);
		}
		break;
	default:
		break;
	}
	return error;
}

int replay_scan(struct replay_machine *m)
{
	struct scan s = {.m = m};
	const struct trace_event *events;
	int nr, error = 0;

	m->initial_order = calloc(1, m->nr_frames + 1);
	s.fate = calloc(1, m->nr_frames + 1);
	if (!m->initial_order || !s.fate) {
		free(s.fate);
		snprintf(m->why, sizeof(m->why), "no memory for a map of %llu frames",
			 (unsigned long long)m->nr_frames);
		return -ENOMEM;
	}
	qtrace_rewind(m->trace);
	while (!error && (nr = qtrace_next_block(m->trace, &events)) > 0) {
		for (int i = 0; !error && i < nr; i++)
			error = scan_event(&s, &events[i]);
	}
	free(s.fate);
	if (error)
		snprintf(m->why, sizeof(m->why), "no memory for the frames in caches");
	else if (nr < 0)
		snprintf(m->why, sizeof(m->why), "%.200s", m->trace->why);
	return error ? error : nr;
}
