/* SPDX-License-Identifier: MIT */
/*
 * twins_ops.h - what is done to both twins; see twins.h
 */
#ifndef TESTS_TWINS_OPS_H
#define TESTS_TWINS_OPS_H

#include "twins.h"

/* Requests --------------------------------------------------------------------------------- */

/* Small orders mostly. */
static inline unsigned twins_order(struct twins *w)
{
	unsigned value = twins_byte(w);

	if (value < 128)
		return 0;
	if (value < 224)
		return (1 + value % 3) % (QR_MAX_PAGE_ORDER + 1);
	return value % (QR_MAX_PAGE_ORDER + 1);
}

/*
 * No fallback to other nodes is forbidden, nor anything else asked for that the judge does not know
 * of.  On plain machines nobody may have pageblocks set aside: no atomic requests of high order.
 */
static inline struct twins_request twins_request(struct twins *w)
{
	static const qr_gfp_t gfps[] = {
		QR_GFP_KERNEL,
		QR_GFP_HIGHUSER_MOVABLE,
		QR_GFP_KERNEL | QR___GFP_RECLAIMABLE,
		QR_GFP_NOWAIT,
		QR_GFP_USER,
		QR_GFP_KERNEL | QR___GFP_NORETRY,
		QR_GFP_TRANSHUGE_LIGHT,
		QR___GFP_MEMALLOC,
		QR___GFP_MEMALLOC | QR___GFP_MOVABLE,
		QR_GFP_KERNEL | QR_GFP_DMA,
		QR_GFP_ATOMIC,
	};
	struct twins_request req = {.gfp = gfps[twins_below(w, sizeof(gfps) / sizeof(gfps[0]))],
				    .order = twins_order(w)};

	if (w->plain && req.order && (req.gfp & QR___GFP_HIGH))
		req.gfp = QR_GFP_NOWAIT;
	if (twins_byte(w) & 1)
		req.gfp |= QR___GFP_COMP;
	req.gfp |= QR___GFP_NOWARN;
	return req;
}

/* Keep what both have; or give back what only one has, and ask why.  True: both have it. */
static inline bool twins_keep(struct twins *w, const struct twins_request *req,
			      struct qr_page *page[2])
{
	unsigned slot;

	if (!page[0] && !page[1])
		return false;
	slot = twins_slot_take(w, req->order, req->order && (req->gfp & QR___GFP_COMP));
	for_each_twin(w, t)
	{
		if (page[t - w->twin])
			twin_hold(w, t, slot, page[t - w->twin], req->order);
	}
	if (page[0] && page[1])
		return true;
	twin_return(&w->twin[!page[0]], page[!page[0]], req->order);
	twins_slot_drop(w, w->nr_used - 1);
	twins_judge(w, &w->twin[!!page[0]], req);
	return false;
}

static inline bool twins_alloc(struct twins *w, const struct twins_request *req)
{
	struct qr_page *page[2];

	if (!w->nr_unused)
		return false;
	for_each_twin(w, t) page[t - w->twin] = twin_request(t, req);
	return twins_keep(w, req, page);
}

static inline void twins_alloc_run(struct twins *w)
{
	struct twins_request req = twins_request(w);

	for (unsigned nr = 4 * twins_byte(w); nr && twins_alloc(w, &req); nr--)
		;
}

/* Freeing ---------------------------------------------------------------------------------- */

static inline void twin_free(struct twins *w, struct twin *t, unsigned slot, unsigned how)
{
	struct qr_page *page = t->pages[slot];
	unsigned order = w->slots[slot].order;

	twin_let_go(t, page, order);
	switch (how % 4) {
	case 0: /* a folio's order is in its record; that of a plain block too, while it is whole */
		TWINS_CHECK(w, qr_put_page(t->q, page), "the last put did not free");
		break;
	case 1: /* a reference outlives the free, and the rest goes at once */
		TWINS_CHECK(w, qr_get_page_unless_zero(t->q, page), "held, but no page");
		qr___free_pages(t->q, page, order);
		TWINS_CHECK(w, qr_put_page(t->q, page), "the last put did not free");
		break;
	case 2:
		qr_free_pages_bulk(t->q, &page, 1);
		break;
	default:
		qr___free_pages(t->q, page, order);
	}
}

static inline void twins_free_one(struct twins *w, unsigned i, unsigned how)
{
	unsigned slot = twins_slot_drop(w, i);

	for_each_twin(w, t) twin_free(w, t, slot, how);
}

static inline void twins_free(struct twins *w)
{
	unsigned how = twins_byte(w), i = twins_below(w, TWINS_SLOTS);

	if (w->nr_used)
		twins_free_one(w, i % w->nr_used, how);
}

static inline void twins_free_run(struct twins *w)
{
	unsigned how = twins_byte(w), step = 1 + how / 16 % 3;

	for (unsigned nr = 4 * twins_byte(w), i = 0; nr && w->nr_used; nr--, i += step)
		twins_free_one(w, i % w->nr_used, how);
}

/* Many at once ----------------------------------------------------------------------------- */

static inline void twins_bulk(struct twins *w)
{
	struct twins_request req = {.gfp = twins_request(w).gfp};
	unsigned nr = 1 + twins_below(w, 64), got[2], both;
	struct qr_page *pages[2][64] = {{0}};

	if (w->nr_unused < nr)
		return;
	for_each_twin(w, t) got[t - w->twin] =
		qr_alloc_pages_bulk(t->q, req.gfp, 0, NULL, nr, pages[t - w->twin]);
	both = got[0] < got[1] ? got[0] : got[1];
	TWINS_CHECK(w, w->cached || !w->plain || w->nr_isolated || w->deferred || got[0] == got[1],
		    "%u of %u pages, and %u", got[0], nr, got[1]);
	for (unsigned i = 0; i < nr; i++) {
		unsigned slot = i < both ? twins_slot_take(w, 0, false) : TWINS_SLOTS - 1;

		for_each_twin(w, t)
		{
			if (i < got[t - w->twin])
				twin_hold(w, t, slot, pages[t - w->twin][i], 0);
			if (i >= both && i < got[t - w->twin])
				twin_return(t, pages[t - w->twin][i], 0);
		}
	}
}

/* So many pages, not a power of 2: as single pages. */
static inline void twins_exact(struct twins *w)
{
	struct twins_request req = twins_request(w);
	unsigned nr = 1 + twins_below(w, 40), order = 0;
	struct qr_page *page[2];

	while (UINT64_C(1) << order < nr)
		order++;
	if (w->nr_unused < nr || order > QR_MAX_PAGE_ORDER)
		return;
	req.gfp &= ~(QR___GFP_COMP | QR___GFP_HIGHMEM | (w->plain ? QR___GFP_HIGH : 0));
	req.order = order;
	for_each_twin(w, t) page[t - w->twin] =
		qr_alloc_pages_exact(t->q, nr * QR_PAGE_SIZE, req.gfp);
	for_each_twin(w, t)
	{
		/* What is not asked for is allocated and freed within the call. */
		t->nr_alloc += page[t - w->twin] ? (UINT64_C(1) << order) - nr : 0;
		t->nr_freed += page[t - w->twin] ? (UINT64_C(1) << order) - nr : 0;
	}
	for (unsigned i = 0; i < nr && (page[0] || page[1]); i++) {
		bool both = page[0] && page[1];
		unsigned slot = both ? twins_slot_take(w, 0, false) : TWINS_SLOTS - 1;

		for_each_twin(w, t)
		{
			struct qr_page *first = page[t - w->twin];

			if (!first)
				continue;
			twin_hold(w, t, slot, first + i, 0);
			if (!both)
				twin_return(t, first + i, 0);
		}
	}
	if (!page[0] != !page[1])
		twins_judge(w, &w->twin[!!page[0]], &req);
}

/* A plain block becomes its pages. */
static inline void twins_split(struct twins *w)
{
	unsigned i = twins_below(w, TWINS_SLOTS), slot, order;

	if (!w->nr_used)
		return;
	i %= w->nr_used;
	slot = w->used[i];
	order = w->slots[slot].order;
	if (w->slots[slot].folio || order > 6 || w->nr_unused < UINT64_C(1) << order)
		return;
	twins_slot_drop(w, i);
	for_each_twin(w, t)
	{
		TWINS_CHECK(w, qr_split_page(t->q, t->pages[slot], order) == 0, "no split");
		twin_let_go(t, t->pages[slot], order);
		t->nr_freed -= UINT64_C(1) << order; /* it stays held */
		t->nr_alloc -= UINT64_C(1) << order;
	}
	{
		struct qr_page *head[2] = {w->twin[0].pages[slot], w->twin[1].pages[slot]};

		for (unsigned n = 0; n < 1u << order; n++) {
			unsigned of_page = twins_slot_take(w, 0, false);

			for_each_twin(w, t) twin_hold(w, t, of_page, head[t - w->twin] + n, 0);
		}
	}
}

/* Certain places --------------------------------------------------------------------------- */

/* These very frames: had by a twin if and only if they are free there. */
static inline void twins_alloc_at(struct twins *w)
{
	struct twins_request req = {.gfp = QR_GFP_KERNEL, .order = twins_order(w)};
	uint64_t nr = UINT64_C(1) << req.order;
	qr_pfn_t pfn = twins_below(w, TWINS_PAGES) & ~(nr - 1);
	struct qr_page *page[2] = {NULL, NULL};
	unsigned slot;

	/* CMA pageblocks, at the end of some machines, are no place for common blocks. */
	if (!w->nr_unused || pfn + nr > TWINS_PAGES - TWINS_CMA || w->deferred)
		return;
	twins_drain(w);
	for_each_twin(w, t)
	{
		const struct qr_frames *frames = qr__frames(t->q);
		bool is_free = qr__pfn_zone(frames, pfn) == qr__pfn_zone(frames, pfn + nr - 1);
		int error;

		for (qr_pfn_t i = pfn; i < pfn + nr; i++)
			is_free = is_free && !t->held[i];
		error = qr_alloc_pages_at(t->q, pfn, req.order, req.gfp, &page[t - w->twin]);
		TWINS_CHECK(w, (error == 0) == is_free, "%s: pfn %#" PRIx64 ", order %u: %d",
			    twins_name(w, t), pfn, req.order, error);
	}
	slot = page[0] && page[1] ? twins_slot_take(w, req.order, false) : TWINS_SLOTS - 1;
	for_each_twin(w, t)
	{
		if (page[t - w->twin])
			twin_hold(w, t, slot, page[t - w->twin], req.order);
		if (page[t - w->twin] && slot == TWINS_SLOTS - 1)
			twin_return(t, page[t - w->twin], req.order);
	}
}

static inline bool twin_isolate(struct twin *t, qr_pfn_t pfn, bool isolate)
{
	struct qr_zone *zone = qr__pfn_zone(qr__frames(t->q), pfn);
	unsigned long irqs = qr__zone_lock(zone);
	bool done = qr_move_freepages_block_isolate(zone, pfn, isolate);

	if (done)
		qr__bump(&zone->nr_isolate_pageblock, isolate ? 1 : UINT64_MAX);
	qr__zone_unlock(zone, irqs);
	return done;
}

/* Only pageblocks that are common memory on both. */
static inline void twins_isolate(struct twins *w)
{
	qr_pfn_t pfn = qr__pageblock_start(twins_below(w, TWINS_PAGES));
	unsigned nr_done = 0;

	if (!w->retypes || w->nr_isolated == TWINS_ISOLATED || w->deferred)
		return;
	for_each_twin(w, t)
	{
		if (!twin_pageblock_is_plain(t, pfn))
			return;
	}
	for_each_twin(w, t) nr_done += twin_isolate(t, pfn, true);
	TWINS_CHECK(w, nr_done != 1, "isolated on one of them");
	w->retyped = true;
	if (nr_done)
		w->isolated[w->nr_isolated++] = pfn;
}

static inline void twins_undo(struct twins *w)
{
	unsigned i = twins_byte(w);

	if (!w->nr_isolated)
		return;
	i %= w->nr_isolated;
	for_each_twin(w, t) TWINS_CHECK(w, twin_isolate(t, w->isolated[i], false),
					"%s: no way back", twins_name(w, t));
	w->isolated[i] = w->isolated[--w->nr_isolated];
}

static inline void twins_retype(struct twins *w)
{
	qr_pfn_t pfn = twins_below(w, TWINS_PAGES);
	enum qr_migratetype type = (enum qr_migratetype)twins_below(w, QR_MIGRATE_PCPTYPES);
	int error[2] = {0, 0};

	for_each_twin(w, t) error[t - w->twin] = qr_set_pageblock_migratetype(t->q, pfn, type);
	w->retyped = true;
	TWINS_CHECK(w, !w->plain || error[0] == error[1], "retyping: %d, and %d", error[0],
		    error[1]);
}

/* All else --------------------------------------------------------------------------------- */

static inline void twins_tune(struct twins *w)
{
	static const struct {
		enum qr_tunable which;
		int64_t values[4];
	} tunables[] = {
		{QR_TUNE_MIN_FREE_KBYTES, {0, 16, 256, 1024}},
		{QR_TUNE_WATERMARK_SCALE_FACTOR, {1, 10, 100, 1000}},
		{QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, {0, 8, 100, 1000}},
	};
	unsigned i = twins_below(w, 3), value = twins_below(w, 4);
	int error[2] = {0, 0};

	if (!w->cached)
		twins_caches(w, true);
	for_each_twin(w, t) error[t - w->twin] =
		qr_tunable_set(t->q, tunables[i].which, tunables[i].values[value]);
	TWINS_CHECK(w, error[0] == error[1], "tunable %u: %d, and %d", i, error[0], error[1]);
	if (!w->cached)
		twins_caches(w, false);
}

static inline void twins_cpu(struct twins *w)
{
	unsigned cpu = twins_below(w, TWINS_CPUS), what = twins_byte(w);

	if (!w->cached)
		twins_caches(w, true);
	for_each_twin(w, t)
	{
		if (what % 8 == 0 && cpu != qr_sim_cpu(t->sim))
			qr_cpu_dead(t->q, cpu);
		else if (qr_cpu_online(t->q, cpu) == 0)
			qr_sim_cpu_set(t->sim, cpu);
	}
	if (!w->cached)
		twins_caches(w, false);
}

static inline void twins_misc(struct twins *w)
{
	unsigned what = twins_below(w, 8), more = twins_byte(w);

	if (what == 5 && w->cached) { /* a while without caches */
		twins_caches(w, false);
		w->cached = false;
		twins_alloc_run(w);
		twins_account(w);
		twins_free_run(w);
		twins_account(w);
		w->cached = true;
		twins_caches(w, true);
	} else if (what == 6) {
		twins_compare(w);
	} else if (what == 7 && w->deferred) {
		for_each_twin(w, t) qr_page_alloc_init_late(t->q);
		w->deferred = false;
	}
	for_each_twin(w, t)
	{
		if (what < 2)
			qr_drain_all_pages(t->q, NULL);
		else if (what == 2)
			qr_drain_local_pages(t->q, NULL);
		else if (what == 3)
			qr_sim_advance(t->sim, UINT64_C(1) << more % 33);
		else if (what == 4)
			qr_run_pending(t->q);
	}
}

static inline void twins_step(struct twins *w)
{
	unsigned op = twins_byte(w) % 32;

	w->steps++;
	if (op < 9) {
		struct twins_request req = twins_request(w);

		twins_alloc(w, &req);
	} else if (op < 17) {
		twins_free(w);
	} else if (op < 19) {
		twins_alloc_run(w);
	} else if (op < 21) {
		twins_free_run(w);
	} else {
		static void (*const others[])(struct twins *) = {
			twins_bulk,    twins_exact, twins_split,  twins_alloc_at,
			twins_isolate, twins_undo,  twins_retype, twins_tune,
			twins_cpu,     twins_misc,  twins_undo};

		others[op - 21](w);
	}
	twins_account(w);
}

/* Runs ------------------------------------------------------------------------------------- */

static inline void twins_remember(struct twins *w)
{
	for_each_twin(w, t)
	{
		for (unsigned i = 0; i < w->nr_nodes * QR_NR_ZONES; i++)
			qr_zone_snapshot(t->q, (int)(i / QR_NR_ZONES),
					 (enum qr_zone_type)(i % QR_NR_ZONES),
					 &t->first[i / QR_NR_ZONES][i % QR_NR_ZONES]);
	}
}

/* Pageblocks of which the type changed do not join those beside them until one is freed again. */
static inline bool twin_blocks_as_at_first(const struct twins *w, const struct twin *t,
					   const struct qr_zone_snapshot *first,
					   const struct qr_zone_snapshot *last)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(t->q, &stats);
	if (first->nr_deferred)
		return true;
	for (unsigned k = 0; k < QR_NR_PAGE_ORDERS; k++) {
		if (k >= QR_PAGEBLOCK_ORDER && (w->retyped || stats.highatomic_reserved))
			break;
		if (last->nr_blocks[k] != first->nr_blocks[k])
			return false;
	}
	return true;
}

/* Everything is back: as it was in the beginning, and the same on both. */
static inline void twins_end(struct twins *w)
{
	while (w->nr_isolated)
		twins_undo(w);
	while (w->nr_used)
		twins_free_one(w, w->nr_used - 1, w->nr_used);
	if (w->deferred) {
		for_each_twin(w, t) qr_page_alloc_init_late(t->q);
		w->deferred = false;
	}
	twins_compare(w);
	for_each_twin(w, t)
	{
		for (unsigned i = 0; i < w->nr_nodes * QR_NR_ZONES; i++) {
			struct qr_zone_snapshot last;

			if (qr_zone_snapshot(t->q, (int)(i / QR_NR_ZONES),
					     (enum qr_zone_type)(i % QR_NR_ZONES), &last))
				continue;
			TWINS_CHECK(w, last.nr_free == last.managed, "%s: not all is free",
				    twins_name(w, t));
			TWINS_CHECK(
				w,
				twin_blocks_as_at_first(
					w, t, &t->first[i / QR_NR_ZONES][i % QR_NR_ZONES], &last),
				"%s: zone %u has other blocks than at first", twins_name(w, t), i);
		}
		TWINS_CHECK(w, !qr_sim_log_matches(t->sim, "refused"), "misuse was reported");
	}
}

/* How many steps were made. */
static inline uint64_t twins_run(const uint8_t *data, size_t size)
{
	struct twins *w = calloc(1, sizeof(*w));
	uint64_t steps;

	if (!w)
		abort();
	w->data = data;
	w->size = size;
	for (unsigned slot = 0; slot < TWINS_SLOTS - 1; slot++)
		w->unused[w->nr_unused++] = slot;
	twins_new(w);
	twins_remember(w);
	if (!w->cached)
		twins_caches(w, false);
	while (w->at < w->size) {
		twins_step(w);
		if (w->steps % 128 == 0)
			twins_compare(w);
	}
	twins_end(w);
	if (!w->cached)
		twins_caches(w, true);
	for_each_twin(w, t)
	{
		qr_sim_free(t->sim);
		free(t->held);
	}
	steps = w->steps;
	free(w);
	return steps;
}

#endif /* TESTS_TWINS_OPS_H */
