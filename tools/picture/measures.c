/* SPDX-License-Identifier: MIT */
/*
 * picture/measures.c - what is measured of each replay of a sweep
 */
#include "measures.h"

#include <math.h>
#include <string.h>

#include "../replay_report.h"
#include "../text.h"

static double bytes_of(uint64_t pages)
{
	return (double)pages * (1u << QR_PAGE_SHIFT);
}

static double huge(const struct replay_result *r)
{
	return (double)r->free_2m.model;
}

static double machine_huge(const struct replay_result *r)
{
	return (double)r->free_2m.machine;
}

static double least(const struct replay_result *r)
{
	return (double)replay_least_2m(r);
}

static double free_memory(const struct replay_result *r)
{
	return bytes_of(r->free_pages.model);
}

static double machine_free(const struct replay_result *r)
{
	return bytes_of(r->free_pages.machine);
}

static double cached(const struct replay_result *r)
{
	return bytes_of(r->pcp_pages.model);
}

static double machine_cached(const struct replay_result *r)
{
	return bytes_of(r->pcp_pages.machine);
}

static double hits(const struct replay_result *r)
{
	return replay_hit_rate(r) * 100;
}

static double locks(const struct replay_result *r)
{
	return (double)r->stats.zone_locks;
}

static double fallbacks(const struct replay_result *r)
{
	return (double)r->model_fallbacks;
}

static double machine_fallbacks(const struct replay_result *r)
{
	return (double)r->machine_fallbacks;
}

static double slowpath(const struct replay_result *r)
{
	return (double)r->stats.slowpath;
}

static double unplaced(const struct replay_result *r)
{
	uint64_t nr = 0;

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		nr += r->unplaced[c];
	return (double)nr;
}

const struct sweep_measure sweep_measures[] = {
	{"huge", "free @ blocks at the end", MEASURE_COUNT, huge, machine_huge, true},
	{"least", "free @ blocks at the least", MEASURE_COUNT, least, NULL, false},
	{"free", "free memory at the end", MEASURE_PAGES, free_memory, machine_free, true},
	{"cached", "in per-CPU caches at the end", MEASURE_PAGES, cached, machine_cached, true},
	{"hits", "allocations served by caches", MEASURE_SHARE, hits, NULL, false},
	{"locks", "zone locks taken", MEASURE_COUNT, locks, NULL, false},
	{"fallbacks", "fallbacks to another type", MEASURE_COUNT, fallbacks, machine_fallbacks,
	 false},
	{"slowpath", "allocations in the slow path", MEASURE_COUNT, slowpath, NULL, false},
	{"unplaced", "events without a place", MEASURE_COUNT, unplaced, NULL, false},
};
const unsigned nr_sweep_measures = sizeof(sweep_measures) / sizeof(*sweep_measures);

struct label measure_title(const struct sweep_measure *m)
{
	int before = (int)strcspn(m->title, "@");
	struct label title;

	if (!m->title[before])
		snprintf(title.text, sizeof(title.text), "%s", m->title);
	else
		snprintf(title.text, sizeof(title.text), "%.*s%.20s%s", before, m->title,
			 label_pageblock().text, m->title + before + 1);
	return title;
}

struct label measure_text(const struct sweep_measure *m, double value)
{
	struct label label;

	if (m->kind == MEASURE_PAGES)
		return label_bytes(value);
	if (m->kind == MEASURE_SHARE)
		snprintf(label.text, sizeof(label.text), "%.1f %%", value);
	else
		snprintf(label.text, sizeof(label.text), "%s", text_grouped((uint64_t)value).text);
	return label;
}

bool measure_of_machine(const struct sweep_measure *m, const struct picture *p, double *value)
{
	if (!m->machine || (m->at_end && !p->machine->has_after))
		return false;
	*value = m->machine(&p->runs[0]);
	return true;
}

const struct replay_result *sweep_result(const struct picture *p, unsigned engine, unsigned value)
{
	return p->sweep->results[engine * (p->sweep->nr_values + 1) + value];
}
