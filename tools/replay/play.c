/* SPDX-License-Identifier: MIT */
/*
 * replay/play.c - each event on its CPU, in order, at its time
 *
 * An allocation is asked of the model with the recorded gfp mask and order, on the recorded CPU;
 * where the model puts it is the model's affair.  A free finds the model's frame through the map.
 * Fallback and drain events are the recorded allocator's own doing: they are counted, to be
 * compared with what the model does of its own accord.
 *
 * The model's requests are stripped of COMP, since a recorded block may be freed in parts (a
 * split huge page); and of NOFAIL, since the model cannot wait for memory that only a later event
 * frees.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay.h"

struct player {
	const struct trace_event *now; /* the event that is being played */
	const struct replay_machine *m;
	const struct replay_config *config;
	struct replay_result *r;
	struct model model;
	struct replay_recorder recorder;
	uint64_t sample_every, next_sample;
	uint64_t next_progress;
};

const char *replay_cause_name(enum replay_cause cause)
{
	static const char *const names[REPLAY_NR_CAUSES] = {
		[REPLAY_FREE_UNKNOWN] = "free_unknown",   [REPLAY_FREE_PARTLY] = "free_partly",
		[REPLAY_FREE_OUTSIDE] = "free_outside",   [REPLAY_ALLOC_TWICE] = "alloc_twice",
		[REPLAY_ALLOC_OUTSIDE] = "alloc_outside", [REPLAY_MODEL_FULL] = "model_full",
		[REPLAY_BAD_ORDER] = "bad_order",         [REPLAY_BAD_GFP] = "bad_gfp",
	};

	return names[cause];
}

const char *replay_cause_text(enum replay_cause cause)
{
	static const char *const texts[REPLAY_NR_CAUSES] = {
		[REPLAY_FREE_UNKNOWN] = "frees of frames that nothing recorded had allocated",
		[REPLAY_FREE_PARTLY] = "frees of blocks of which only a part was in use",
		[REPLAY_FREE_OUTSIDE] = "frees of frames outside the machine",
		[REPLAY_ALLOC_TWICE] = "allocations of frames whose free was not recorded",
		[REPLAY_ALLOC_OUTSIDE] = "allocations of frames outside the machine",
		[REPLAY_MODEL_FULL] = "allocations for which the model had no memory",
		[REPLAY_BAD_ORDER] = "events of an order that this build does not have",
		[REPLAY_BAD_GFP] = "allocations with flags that contradict each other",
	};

	return texts[cause];
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* @more_free: pages by which the model has more free than if the event had been played. */
static void unplaced(struct player *p, enum replay_cause cause, int64_t more_free)
{
	if (!p->r->unplaced[cause]++)
		p->r->first_unplaced[cause] =
			(struct replay_place){p->r->nr_events, p->now->time_ns, p->now->pfn};
	p->r->unplaced_pages += more_free;
}

static int64_t pages_of(const struct trace_event *e)
{
	return INT64_C(1) << e->order;
}

/* Free --------------------------------------------------------------------------------------- */

static void free_block(struct player *p, qr_pfn_t pfn, unsigned order)
{
	struct model *model = &p->model;
	qr_pfn_t mine = model->frame[pfn];
	struct qr_page *page = qr_pfn_to_page(model->q, mine);

	p->r->freed[order][qr_get_pageblock_migratetype(model->q, mine)]++;
	p->r->zone_frees[qr_page_zone_type(model->q, page)] += UINT64_C(1) << order;
	model->frame[pfn] = MODEL_NONE;
	qr___free_pages(model->q, page, order);
}

/* The recorded block that holds pfn; false: none is in use there. */
static bool block_around(const struct player *p, qr_pfn_t pfn, qr_pfn_t *head)
{
	for (unsigned order = 0; order < REPLAY_ORDERS; order++) {
		qr_pfn_t start = pfn & ~((UINT64_C(1) << order) - 1);

		if (p->model.frame[start] != MODEL_NONE && p->model.order[start] >= order &&
		    start + (UINT64_C(1) << p->model.order[start]) > pfn) {
			*head = start;
			return true;
		}
	}
	return false;
}

/* Make single pages of a block, in the model and in the map. */
static bool split_block(struct player *p, qr_pfn_t head)
{
	struct model *model = &p->model;
	unsigned order = model->order[head];
	uint32_t mine = model->frame[head];

	if (qr_split_page(model->q, qr_pfn_to_page(model->q, mine), order) < 0)
		return false;
	for (uint32_t i = 0; i < 1u << order; i++) {
		model->frame[head + i] = mine + i;
		model->order[head + i] = 0;
	}
	p->r->splits++;
	return true;
}

/* Free what is in use of [pfn, pfn + 2^order), whatever blocks it is part of; pages freed. */
static uint64_t free_parts(struct player *p, qr_pfn_t pfn, unsigned order)
{
	qr_pfn_t end = pfn + (UINT64_C(1) << order);
	uint64_t nr = 0;

	while (pfn < end) {
		qr_pfn_t head;
		unsigned part;

		if (!block_around(p, pfn, &head)) {
			pfn++;
			continue;
		}
		part = p->model.order[head];
		if ((head != pfn || pfn + (UINT64_C(1) << part) > end) && part) {
			if (!split_block(p, head))
				return nr;
			part = 0;
			head = pfn;
		}
		free_block(p, head, part);
		nr += UINT64_C(1) << part;
		pfn = head + (UINT64_C(1) << part);
	}
	return nr;
}

static bool inside(const struct player *p, const struct trace_event *e)
{
	return e->pfn < p->m->frames.nr && (UINT64_C(1) << e->order) <= p->m->frames.nr - e->pfn;
}

static void play_free(struct player *p, const struct trace_event *e)
{
	struct model *model = &p->model;
	int64_t nr;

	p->r->frees[e->order]++;
	if (!inside(p, e)) {
		unplaced(p, REPLAY_FREE_OUTSIDE, -pages_of(e));
		return;
	}
	if (model->frame[e->pfn] != MODEL_NONE && model->order[e->pfn] == e->order) {
		free_block(p, e->pfn, e->order);
		return;
	}
	nr = (int64_t)free_parts(p, e->pfn, e->order);
	if (!nr)
		unplaced(p, REPLAY_FREE_UNKNOWN, -pages_of(e));
	else if (nr < pages_of(e))
		unplaced(p, REPLAY_FREE_PARTLY, nr - pages_of(e));
}

/* Allocate ----------------------------------------------------------------------------------- */

static void play_alloc(struct player *p, const struct trace_event *e)
{
	struct model *model = &p->model;
	qr_gfp_t gfp =
		e->gfp & ~(QR___GFP_COMP | QR___GFP_NOFAIL | QR___GFP_ZERO | QR___GFP_ACCOUNT);
	struct qr_page *page;
	int64_t nr;

	if (e->pfn == QR_PFN_NONE)
		return; /* the machine had no memory, either */
	if (e->migratetype < QR_MIGRATE_TYPES)
		p->r->allocs[e->order][e->migratetype]++;
	if (!inside(p, e)) {
		unplaced(p, REPLAY_ALLOC_OUTSIDE, pages_of(e));
		return;
	}
	nr = (int64_t)free_parts(p, e->pfn, e->order);
	if (nr)
		unplaced(p, REPLAY_ALLOC_TWICE, nr);
	if (!qr_gfp_valid(gfp, NULL)) {
		unplaced(p, REPLAY_BAD_GFP, pages_of(e));
		return;
	}
	page = qr_alloc_pages(model->q, gfp | QR___GFP_NOWARN, e->order);
	if (!page) {
		unplaced(p, REPLAY_MODEL_FULL, pages_of(e));
		return;
	}
	if (e->migratetype == QR_MIGRATE_MOVABLE)
		qr_page_movable_set(model->q, page, true);
	model->frame[e->pfn] = (uint32_t)qr_page_to_pfn(model->q, page);
	model->order[e->pfn] = e->order;
	if (model->frame[e->pfn] != e->pfn)
		p->r->frames_differ++;
}

/* Events ------------------------------------------------------------------------------------- */

static void play_event(struct player *p, const struct trace_event *e)
{
	struct replay_result *r = p->r;

	r->nr_kind[e->kind]++;
	if (e->kind == TRACE_LOST) {
		r->nr_lost += e->lost;
		return;
	}
	r->nr_events++;
	p->now = e;
	r->nr_backward += e->time_ns < p->model.now_ns;
	r->nr_unknown_cpus += !p->config->nr_cpus && e->cpu >= p->model.nr_cpus;
	if (e->order >= REPLAY_ORDERS) {
		unplaced(p, REPLAY_BAD_ORDER, 0);
		return;
	}
	p->model.cpu = e->cpu < p->model.nr_cpus ? e->cpu : e->cpu % p->model.nr_cpus;
	model_clock(&p->model, e->time_ns);
	switch (e->kind) {
	case TRACE_ALLOC:
		play_alloc(p, e);
		break;
	case TRACE_FREE:
		play_free(p, e);
		break;
	case TRACE_EXTFRAG:
		r->machine_fallbacks++;
		r->machine_claims += e->change_ownership != 0;
		break;
	case TRACE_DRAIN:
		r->machine_drains += UINT64_C(1) << e->order;
		break;
	default: /* FREE_BATCHED only announces the frees that follow */
		break;
	}
}

static void take_sample(struct player *p, uint64_t time_ns)
{
	struct replay_sample *s = &p->r->samples[p->r->nr_samples++];

	memset(s, 0, sizeof(*s));
	s->time_ns = time_ns;
	s->nr_events = p->r->nr_events;
	for (unsigned z = 0; z < p->r->nr_zones; z++) {
		struct qr_zone_snapshot snap;

		if (qr_zone_snapshot(p->model.q, p->r->zones[z].nid, p->r->zones[z].type, &snap) <
		    0)
			continue;
		s->free_pages += snap.nr_free;
		s->pcp_pages += snap.nr_pcp_pages;
		for (unsigned o = 0; o < REPLAY_ORDERS; o++) {
			s->order_blocks[o] += snap.nr_blocks[o];
			if (o >= QR_PAGEBLOCK_ORDER)
				s->free_2m += snap.nr_blocks[o] << (o - QR_PAGEBLOCK_ORDER);
		}
	}
}

static bool after_event(struct player *p, const struct trace_event *e)
{
	struct replay_result *r = p->r;

	if (r->nr_events >= p->next_sample && r->nr_samples < p->config->nr_samples) {
		take_sample(p, e->time_ns);
		p->next_sample += p->sample_every;
	}
	if (r->nr_events < p->next_progress || !p->config->progress)
		return true;
	p->next_progress += 65536;
	return p->config->progress(p->config->progress_arg, r->nr_events,
				   p->m->trace->totals.nr_events);
}

static void on_trace(void *ctx, const struct qr_trace_event *event)
{
	struct replay_result *r = ctx;

	if (event->id == QR_TP_SLOWPATH_STAGE && event->a >= 0 && event->a < QR_NR_SLOW_STAGES)
		r->stages[event->a]++;
	else if (event->id == QR_TP_MM_PAGE_PCPU_DRAIN)
		r->model_drains += UINT64_C(1) << event->order;
}

static int play_all(struct player *p)
{
	struct replay_result *r = p->r;
	const struct trace_event *events;
	uint64_t last_ns = p->m->trace->totals.first_ns;
	bool on = true;
	int nr = 0;

	qtrace_rewind(p->m->trace);
	r->seconds = seconds_now();
	while (on && (nr = qtrace_next_block(p->m->trace, &events)) > 0) {
		for (int i = 0; on && i < nr; i++) {
			play_event(p, &events[i]);
			last_ns = events[i].time_ns;
			on = after_event(p, &events[i]);
		}
	}
	r->seconds = seconds_now() - r->seconds;
	r->interrupted = !on;
	if (r->nr_samples < p->config->nr_samples + 2)
		take_sample(p, last_ns);
	if (nr < 0)
		snprintf(r->why, sizeof(r->why), "%.200s", p->m->trace->why);
	return nr < 0 ? nr : 0;
}

static int result_begin(struct player *p)
{
	struct replay_result *r = p->r;
	uint64_t all = p->m->trace->totals.nr_events;

	snprintf(r->engine, sizeof(r->engine), "%s",
		 p->config->engine ? p->config->engine : REPLAY_ENGINE);
	r->nr_cpus = p->model.nr_cpus;
	memcpy(r->settings, p->config->settings, sizeof(r->settings));
	r->nr_settings = p->config->nr_settings;
	p->sample_every = all / p->config->nr_samples + 1;
	r->samples = calloc(p->config->nr_samples + 3, sizeof(*r->samples));
	if (!r->samples) {
		snprintf(r->why, sizeof(r->why), "no memory for the series");
		return -ENOMEM;
	}
	return 0;
}

/* Only what happens from here on counts: building the model made events, too. */
static void stats_since(struct qr_alloc_stats *now, const struct qr_alloc_stats *start)
{
	uint64_t *a = (uint64_t *)now;
	const uint64_t *b = (const uint64_t *)start;

	for (size_t i = 0; i < sizeof(*now) / sizeof(*a); i++)
		a[i] -= b[i];
}

/* The events, and nothing but the events, count. */
static int play_events(struct player *p)
{
	struct replay_result *r = p->r;
	struct qr_alloc_stats start;
	int error;

	qr_alloc_stats(p->model.q, &start);
	for (unsigned t = 0; t < QR_NR_ZONES; t++)
		r->zone_allocs[t] = -qr_vm_event(p->model.q, QR_EV_PGALLOC + t);
	qr_trace_set(p->model.q, on_trace, r,
		     UINT64_C(1) << QR_TP_SLOWPATH_STAGE | UINT64_C(1) << QR_TP_MM_PAGE_PCPU_DRAIN);
	error = play_all(p);
	qr_trace_set(p->model.q, NULL, NULL, 0);
	qr_alloc_stats(p->model.q, &r->stats);
	stats_since(&r->stats, &start);
	for (unsigned t = 0; t < QR_NR_ZONES; t++)
		r->zone_allocs[t] += qr_vm_event(p->model.q, QR_EV_PGALLOC + t);
	r->model_fallbacks = r->stats.fallbacks;
	r->model_claims = r->stats.fallbacks_claimed;
	return error;
}

/* An interrupted replay has no end to be compared; what the recorder did then is left out. */
static void end_recorder(struct player *p)
{
	struct replay_result *r = p->r;

	if (r->interrupted)
		return;
	r->recorder_pages = p->recorder.nr;
	replay_recorder_end(&p->recorder, &p->model, r);
	take_sample(p, r->samples[r->nr_samples - 1].time_ns);
}

int replay_run(const struct replay_machine *m, const struct replay_config *config,
	       struct replay_result *result)
{
	struct replay_config mine = *config;
	struct player p = {.m = m, .config = &mine, .r = result};
	int error;

	memset(result, 0, sizeof(*result));
	if (!mine.nr_samples)
		mine.nr_samples = 400;
	error = model_build(&p.model, m, &mine);
	if (error)
		snprintf(result->why, sizeof(result->why), "%.250s", p.model.why);
	if (!error)
		error = result_begin(&p);
	if (!error)
		error = replay_start(m, &p.model, result);
	if (!error)
		error = replay_recorder_begin(&p.recorder, &p.model);
	if (error == -ENOMEM && !result->why[0])
		snprintf(result->why, sizeof(result->why), "no memory for the replay");
	if (!error)
		error = play_events(&p);
	if (!error) {
		end_recorder(&p);
		error = replay_outcome(m, &p.model, result);
	}
	if (!error)
		replay_books(m, result);
	if (!error && mine.at_end)
		error = mine.at_end(mine.at_end_arg, &p.model, result->why);
	replay_recorder_free(&p.recorder);
	model_free(&p.model);
	return error;
}

void replay_result_free_maps(struct replay_result *r)
{
	free(r->map_before);
	free(r->map_after);
	free(r->map_machine);
	r->map_before = r->map_after = r->map_machine = NULL;
}

void replay_result_free(struct replay_result *r)
{
	replay_result_free_maps(r);
	free(r->samples);
	free(r->zones);
	memset(r, 0, sizeof(*r));
}
