/* SPDX-License-Identifier: MIT */
/*
 * replay/machine.c - the recorded machine, from its trace
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static int machine_fails(struct replay_machine *m, int error, const char *why)
{
	snprintf(m->why, sizeof(m->why), "%.250s", why);
	return error;
}

/* Each zone must lie within the frames that kpageflags tells of. */
static int check_zones(struct replay_machine *m)
{
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];

		if (!zone->present || (zone->start_pfn <= m->frames.nr &&
				       zone->spanned <= m->frames.nr - zone->start_pfn))
			continue;
		snprintf(m->why, sizeof(m->why),
			 "%s/zoneinfo contradicts kpageflags: node %d zone %s has %llu frames "
			 "from %llu on, but only %llu frames are told of",
			 m->before.when, zone->nid, qr_zone_type_name(zone->type),
			 (unsigned long long)zone->spanned, (unsigned long long)zone->start_pfn,
			 (unsigned long long)m->frames.nr);
		return -EINVAL;
	}
	return 0;
}

/* Where buddyinfo does not tell of a zone's free blocks, kpageflags does.  False: nothing does. */
static bool fill_blocks(struct state *s, const struct frame_map *frames)
{
	bool told = true;

	for (unsigned z = 0; z < s->nr_zones; z++) {
		struct state_zone *zone = &s->zones[z];

		if (!zone->present || zone->nr_orders)
			continue;
		if (frames->nr) {
			replay_count_free(frames, zone, zone->blocks);
			zone->nr_orders = REPLAY_ORDERS;
		}
		told = told && frames->nr;
	}
	return told;
}

static int read_start(struct replay_machine *m, enum qtrace_when when)
{
	char why[256];
	int error = state_read(&m->before, m->trace, when);

	if (error)
		return machine_fails(m, error, m->before.why);
	error = frame_map_read(&m->frames, m->trace, when, why);
	if (error)
		return machine_fails(m, error, why);
	if (m->frames.nr >= UINT32_MAX)
		return machine_fails(m, -EINVAL, "the recorded machine has more than 2^32 frames");
	for (uint64_t pfn = 0; pfn < m->frames.nr; pfn++)
		m->nr_free_snapshot += FRAME_CLASS(m->frames.class[pfn]) == FRAME_FREE;
	fill_blocks(&m->before, &m->frames);
	if (m->before.pageblock_order && m->before.pageblock_order != QR_PAGEBLOCK_ORDER) {
		snprintf(m->why, sizeof(m->why),
			 "the machine's pageblocks have order %u, this build's %u: configure with "
			 "-Dpageblock_order=%u",
			 m->before.pageblock_order, QR_PAGEBLOCK_ORDER, m->before.pageblock_order);
		return -EINVAL;
	}
	return check_zones(m);
}

/* What came after is compared with; a trace that was cut off has none. */
static int read_after(struct replay_machine *m)
{
	char why[256];
	int error = state_read(&m->after, m->trace, QTRACE_AFTER);

	if (error && error != -ENOENT)
		return machine_fails(m, error, m->after.why);
	m->has_after = !error;
	error = frame_map_read(&m->frames_after, m->trace, QTRACE_AFTER, why);
	if (error && error != -ENOENT)
		return machine_fails(m, error, why);
	m->has_frames_after = !error;
	m->has_after = fill_blocks(&m->after, &m->frames_after) && m->has_after;
	return 0;
}

/* Pages that the recorder took between the snapshot and the first event; none, if not told. */
static int read_recorder(struct replay_machine *m)
{
	const struct qtrace_file *file = qtrace_file(m->trace, QTRACE_META, "recorder");
	unsigned long long pages = 0;

	if (!file)
		return m->trace->why[0] ? machine_fails(m, -EINVAL, m->trace->why) : 0;
	if (sscanf(file->data, "buffer_pages = %llu", &pages) != 1)
		return machine_fails(m, -EINVAL,
				     "recorder: \"buffer_pages = N\" was to be expected");
	if (pages > m->nr_free_snapshot) {
		snprintf(m->why, sizeof(m->why),
			 "recorder: %llu pages are said to have been taken for its buffers, but "
			 "only %llu were free",
			 pages, (unsigned long long)m->nr_free_snapshot);
		return -EINVAL;
	}
	m->recorder_pages = pages;
	return 0;
}

static void count_cpus(struct replay_machine *m)
{
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		if (m->before.zones[z].nr_cpus > m->nr_cpus)
			m->nr_cpus = m->before.zones[z].nr_cpus;
	}
	if (!m->nr_cpus)
		m->nr_cpus = 1;
}

int replay_machine_read(struct replay_machine *m, struct qtrace *trace)
{
	int error;

	memset(m, 0, sizeof(*m));
	m->trace = trace;
	error = read_start(m, QTRACE_BEFORE);
	if (!error)
		error = read_after(m);
	if (error)
		return error;
	m->nr_frames = (m->frames.nr + QR_PAGEBLOCK_NR_PAGES - 1) & ~(QR_PAGEBLOCK_NR_PAGES - 1);
	count_cpus(m);
	error = replay_scan(m);
	if (!error)
		error = replay_fit_types(m);
	if (!error)
		error = replay_told_types(m, QTRACE_BEFORE);
	if (!error)
		error = replay_guess_cached(m);
	if (!error)
		replay_outside_blocks(m);
	if (!error)
		replay_frames_at_start(m);
	free(m->fate);
	m->fate = NULL;
	return error ? error : read_recorder(m);
}

int replay_moment_read(struct replay_machine *m, struct qtrace *trace, enum qtrace_when when)
{
	int error;

	memset(m, 0, sizeof(*m));
	m->trace = trace;
	error = read_start(m, when);
	if (error)
		return error;
	m->nr_frames = (m->frames.nr + QR_PAGEBLOCK_NR_PAGES - 1) & ~(QR_PAGEBLOCK_NR_PAGES - 1);
	error = replay_fit_types(m);
	return error ? error : replay_told_types(m, when);
}

void replay_machine_free(struct replay_machine *m)
{
	state_free(&m->before);
	state_free(&m->after);
	frame_map_free(&m->frames);
	frame_map_free(&m->frames_after);
	free(m->initial_order);
	free(m->block_type);
	free(m->cached);
	free(m->fate);
	memset(m, 0, sizeof(*m));
}
