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
 * Frees tell that even of frames which the snapshot has as free: something took them between the
 * snapshot and the first event.
 *
 * So one pass over the events comes before the replay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

struct scan {
	struct replay_machine *m;
	uint8_t *fate; /* enum replay_fate: what the events so far say */
	uint64_t room;
};

static bool block_inside(const struct replay_machine *m, const struct trace_event *e)
{
	return e->order < REPLAY_ORDERS && e->pfn < m->frames.nr &&
	       (UINT64_C(1) << e->order) <= m->frames.nr - e->pfn;
}

static void set_fate(struct scan *s, const struct trace_event *e, enum replay_fate fate)
{
	memset(s->fate + e->pfn, (int)fate, UINT64_C(1) << e->order);
}

/*
 * No event has touched a frame of this block yet, so what it was goes back to the start.
 * *nr_free: frames of it that the snapshot has free.
 */
static bool from_before(const struct scan *s, const struct trace_event *e, uint64_t *nr_free)
{
	*nr_free = 0;
	for (uint64_t pfn = e->pfn; pfn < e->pfn + (UINT64_C(1) << e->order); pfn++) {
		enum frame_class class = FRAME_CLASS(s->m->frames.class[pfn]);

		if (s->fate[pfn] != REPLAY_UNTOUCHED || class == FRAME_ABSENT ||
		    class == FRAME_RESERVED)
			return false;
		*nr_free += class == FRAME_FREE;
	}
	return true;
}

/* The block was in use at the first event, whatever the snapshot says. */
static void note_in_use(struct scan *s, const struct trace_event *e, uint64_t nr_free)
{
	struct replay_machine *m = s->m;

	m->initial_order[e->pfn] = (uint8_t)(e->order + 1);
	if (nr_free)
		m->initial_order[e->pfn] |= REPLAY_TAKEN_SINCE;
	m->nr_taken_since += nr_free;
}

static int note_cached(struct scan *s, const struct trace_event *e)
{
	struct replay_cached cached = {.pfn = e->pfn, .cpu = e->cpu, .order = e->order};

	cached.heat = e->kind == TRACE_DRAIN ? REPLAY_COLD : REPLAY_WARM;
	return replay_cached_add(s->m, &s->room, cached);
}

/* What the events took and gave, whether the model can follow or not. */
static void count_pages(struct replay_machine *m, const struct trace_event *e)
{
	if (e->order >= REPLAY_ORDERS || e->pfn == QR_PFN_NONE)
		return;
	if (e->kind == TRACE_ALLOC)
		m->events_net += INT64_C(1) << e->order;
	else if (e->kind == TRACE_FREE)
		m->events_net -= INT64_C(1) << e->order;
}

static int scan_event(struct scan *s, const struct trace_event *e)
{
	int error = 0;
	uint64_t nr_free;
	bool known;

	count_pages(s->m, e);
	if (!block_inside(s->m, e) || e->kind > TRACE_DRAIN || e->kind == TRACE_EXTFRAG)
		return 0;
	known = from_before(s, e, &nr_free);
	if (e->kind == TRACE_ALLOC) {
		/* what the snapshot has as free may have been given out from there */
		if (known && !nr_free) {
			error = note_cached(s, e);
			note_in_use(s, e, 0);
		}
		set_fate(s, e, REPLAY_IN_USE);
	} else if (e->kind == TRACE_FREE) {
		if (known)
			note_in_use(s, e, nr_free);
		set_fate(s, e, REPLAY_FREED);
	} else if (e->kind == TRACE_DRAIN && known && !nr_free) {
		/* what was free may have come to the cache from there, and gone back unused */
		error = note_cached(s, e);
		note_in_use(s, e, 0);
		set_fate(s, e, REPLAY_FREED);
	}
	return error;
}

/* From here on the frames are what they were at the first event. */
void replay_frames_at_start(struct replay_machine *m)
{
	for (uint64_t pfn = 0; pfn < m->frames.nr; pfn++) {
		uint64_t nr;

		if (!(m->initial_order[pfn] & REPLAY_TAKEN_SINCE))
			continue;
		m->initial_order[pfn] &= (uint8_t)~REPLAY_TAKEN_SINCE;
		nr = UINT64_C(1) << (m->initial_order[pfn] - 1);
		for (uint64_t i = pfn; i < pfn + nr; i++) {
			if (FRAME_CLASS(m->frames.class[i]) == FRAME_FREE)
				m->frames.class[i] = FRAME_OTHER;
		}
	}
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
		if (!m->first_cpu_known)
			m->first_cpu = events[0].cpu;
		m->first_cpu_known = true;
		for (int i = 0; !error && i < nr; i++)
			error = scan_event(&s, &events[i]);
	}
	m->fate = s.fate;
	if (error)
		snprintf(m->why, sizeof(m->why), "no memory for the frames in caches");
	else if (nr < 0)
		snprintf(m->why, sizeof(m->why), "%.200s", m->trace->why);
	return error ? error : nr;
}
