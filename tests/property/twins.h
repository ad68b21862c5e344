/* SPDX-License-Identifier: MIT */
/*
 * twins.h - two instances that differ in nothing but their engine, given the same to do
 *
 * A stream of bytes describes a machine and then operations, each of which is done to both twins.
 * Engines may choose different frames, and that is all in which they may differ.  After every step:
 *
 *	overlap		a frame is handed out once: each twin has its own map of who holds what
 *	alignment	a block of order k begins at a multiple of 2^k, inside one zone
 *	accounting	in each zone free + cached + isolated + held pages are the managed ones;
 *			blocks by order and by type add up to the counts; events are what was done
 *	success		a request succeeds on both or on neither, but for this:
 *
 * A request may fail on one of them alone if all its caches are emptied and then it succeeds; or
 * if no zone it may use is above its mark and has a block for it, by the twin's own map.  Where
 * nothing but the engine can make a difference (a *plain* machine: one zone, no reserves for types,
 * nothing isolated), both have the same number of free pages, and single pages get no such excuse:
 * with empty caches they must be had from both or from neither.
 *
 * In the end all is given back, and the twins are as they were, block for block.
 */
#ifndef TESTS_TWINS_H
#define TESTS_TWINS_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/inspect.h>
#include <quire/sim.h>

#include "alloc/allocator.h"
#include "unit/steps.h"

#define TWINS_SLOTS 4096
#define TWINS_PAGES (64 * QR_PAGEBLOCK_NR_PAGES > 2048 ? 64 * QR_PAGEBLOCK_NR_PAGES : 2048)
#define TWINS_CMA (4 * QR_PAGEBLOCK_NR_PAGES) /* frames, at the end, where there are any */
#define TWINS_NODES 2
#define TWINS_CPUS 3
#define TWINS_ISOLATED 4

struct twin {
	struct qr_sim *sim;
	struct quire *q;
	uint16_t *held; /* by pfn: slot plus 1; 0: nobody's */
	struct qr_page *pages[TWINS_SLOTS];
	uint64_t held_in[TWINS_NODES][QR_NR_ZONES]; /* pages */
	uint64_t nr_alloc, nr_freed; /* pages, as PGALLOC and PGFREE count them */
	struct qr_zone_snapshot first[TWINS_NODES][QR_NR_ZONES];
};

struct twins_slot {
	unsigned order;
	bool folio;
};

struct twins {
	const uint8_t *data;
	size_t size, at;
	struct twin twin[2];
	struct twins_slot slots[TWINS_SLOTS];
	unsigned used[TWINS_SLOTS], nr_used; /* slots in use, in no order */
	unsigned unused[TWINS_SLOTS], nr_unused;
	qr_pfn_t isolated[TWINS_ISOLATED];
	unsigned nr_isolated, nr_nodes;
	bool plain; /* the machine */
	bool retypes; /* pageblocks are retyped and isolated */
	bool retyped; /* whole pageblocks may be free side by side, and not be joined */
	bool cached; /* caches are on */
	bool deferred; /* not all memory is there yet */
	uint64_t steps, nr_judged;
};

struct twins_request {
	qr_gfp_t gfp;
	unsigned order;
};

static const char *const twins_engines[2] = {"list", "bitmap"};

#define TWINS_CHECK(w, cond, ...) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "twins: step %" PRIu64 ", byte %zu: ", (w)->steps, \
				(w)->at); \
			fprintf(stderr, __VA_ARGS__); \
			fprintf(stderr, "\n  (%s)\n", #cond); \
			abort(); \
		} \
	} while (0)

static inline const char *twins_name(const struct twins *w, const struct twin *t)
{
	return twins_engines[t - w->twin];
}

#define for_each_twin(w, t) for (struct twin *t = (w)->twin; t < (w)->twin + 2; t++)

/* Bytes ------------------------------------------------------------------------------------ */

static inline unsigned twins_byte(struct twins *w)
{
	return w->at < w->size ? w->data[w->at++] : 0;
}

static inline unsigned twins_below(struct twins *w, unsigned limit)
{
	unsigned value = twins_byte(w);

	if (limit > 256)
		value |= twins_byte(w) << 8;
	return value % limit;
}

/* The machine ------------------------------------------------------------------------------ */

static inline void twins_zones(struct twins *w, struct qr_config *config, unsigned shape)
{
	qr_pfn_t part = TWINS_PAGES / 4 & ~(QR_MAX_ORDER_NR_PAGES - 1);

	config->zone_limits.normal_end = TWINS_PAGES;
	if (shape == 1 && part) {
		config->zone_limits.dma_end = part;
		config->zone_limits.dma32_end = part;
		config->movable.movablecore_percent = 30;
	}
	w->plain = shape == 0 || (shape == 1 && !part);
}

static inline void twins_new(struct twins *w)
{
	static const int cpu_node[TWINS_CPUS] = {0, 1, 0};
	unsigned shape = twins_below(w, 4), more = twins_byte(w);
	struct qr_range ranges[2] = {{.nr_pages = TWINS_PAGES}};
	struct qr_sim_config config = {
		.metadata_fill = 0xa5,
		.local_locks = test_steps(),
		.local_commits = test_steps(),
		.machine = {.ranges = ranges, .nr_ranges = 1, .nr_cpus = TWINS_CPUS},
	};
	struct qr_error_text why = {""};

	w->nr_nodes = shape == 2 ? 2 : 1;
	if (shape >= 2) {
		uint64_t second = shape == 2 ? TWINS_PAGES / 2 : TWINS_CMA;

		ranges[0].nr_pages -= second;
		ranges[1] =
			(struct qr_range){.start_pfn = TWINS_PAGES - second,
					  .nr_pages = second,
					  .nid = shape == 2,
					  .kind = shape == 2 ? QR_RANGE_RAM : QR_RANGE_RESERVED};
		config.machine.nr_ranges = 2;
		if (shape == 2)
			config.machine.cpu_node = cpu_node;
	}
	twins_zones(w, &config.machine, shape);
	w->cached = more & 1;
	w->deferred = (more & 0x0e) == 0x0e;
	w->retypes = more & 0x40;
	config.machine.options = (more & 0x10 ? QR_OPT_NO_HUGE_PCP : 0) |
				 (more & 0x20 ? QR_OPT_CHECK_PAGES : 0) |
				 (w->deferred ? QR_OPT_DEFERRED_INIT : 0);
	for_each_twin(w, t)
	{
		config.machine.engine = twins_name(w, t);
		t->sim = qr_sim_new(&config, &why);
		TWINS_CHECK(w, t->sim, "%s", why.text);
		t->q = qr_sim_quire(t->sim);
		t->held = calloc(TWINS_PAGES, sizeof(*t->held));
		TWINS_CHECK(w, t->held, "no memory");
		for (qr_pfn_t pfn = TWINS_PAGES - TWINS_CMA; shape == 3 && pfn < TWINS_PAGES;
		     pfn += QR_PAGEBLOCK_NR_PAGES)
			TWINS_CHECK(w, qr_init_cma_reserved_pageblock(t->q, pfn) == 0, "no CMA");
		/* It depends on who borrows how often, which is what engines differ in. */
		qr_tunable_set(t->q, QR_TUNE_WATERMARK_BOOST_FACTOR, 0);
	}
}

/* Of zone Normal of node 0: no more than one zone at a time can be without. */
static inline void twins_caches(struct twins *w, bool on)
{
	for_each_twin(w, t)
	{
		if (on)
			qr_zone_pcp_enable(qr_zone_at(t->q, 0, QR_ZONE_NORMAL));
		else
			qr_zone_pcp_disable(qr_zone_at(t->q, 0, QR_ZONE_NORMAL));
	}
}

static inline void twins_drain(struct twins *w)
{
	for_each_twin(w, t) qr_drain_all_pages(t->q, NULL);
}

/* Who holds what --------------------------------------------------------------------------- */

static inline void twin_hold(struct twins *w, struct twin *t, unsigned slot, struct qr_page *page,
			     unsigned order)
{
	qr_pfn_t pfn = qr_page_to_pfn(t->q, page);
	uint64_t nr = UINT64_C(1) << order;
	unsigned nid = qr_page_nid(t->q, page);
	enum qr_zone_type type = qr_page_zone_type(t->q, page);

	TWINS_CHECK(w, pfn % nr == 0, "%s: pfn %#" PRIx64 " of order %u is misaligned",
		    twins_name(w, t), pfn, order);
	TWINS_CHECK(w, pfn + nr <= TWINS_PAGES, "%s: pfn %#" PRIx64 " is no memory",
		    twins_name(w, t), pfn);
	for (uint64_t i = 0; i < nr; i++) {
		TWINS_CHECK(w, !t->held[pfn + i], "%s: pfn %#" PRIx64 " is held already",
			    twins_name(w, t), pfn + i);
		t->held[pfn + i] = (uint16_t)(slot + 1);
	}
	TWINS_CHECK(w, qr_page_count(t->q, page) == 1, "%s: %d references", twins_name(w, t),
		    qr_page_count(t->q, page));
	t->pages[slot] = page;
	t->held_in[nid][type] += nr;
	t->nr_alloc += nr;
}

static inline void twin_let_go(struct twin *t, struct qr_page *page, unsigned order)
{
	qr_pfn_t pfn = qr_page_to_pfn(t->q, page);
	uint64_t nr = UINT64_C(1) << order;

	memset(t->held + pfn, 0, nr * sizeof(*t->held));
	t->held_in[qr_page_nid(t->q, page)][qr_page_zone_type(t->q, page)] -= nr;
	t->nr_freed += nr;
}

static inline unsigned twins_slot_take(struct twins *w, unsigned order, bool folio)
{
	unsigned slot = w->unused[--w->nr_unused];

	w->used[w->nr_used++] = slot;
	w->slots[slot] = (struct twins_slot){.order = order, .folio = folio};
	return slot;
}

/* The i-th used slot is free again. */
static inline unsigned twins_slot_drop(struct twins *w, unsigned i)
{
	unsigned slot = w->used[i];

	w->used[i] = w->used[--w->nr_used];
	w->unused[w->nr_unused++] = slot;
	return slot;
}

/* Accounting ------------------------------------------------------------------------------- */

static inline uint64_t twin_event(const struct twin *t, unsigned event, bool per_zone)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < (per_zone ? QR_NR_ZONES : 1); i++)
		nr += qr_vm_event(t->q, (enum qr_vm_event)(event + i));
	return nr;
}

/* Counts of one zone, against each other and against what is held. */
static inline uint64_t twin_zone_account(struct twins *w, struct twin *t, unsigned nid,
					 unsigned zone)
{
	uint64_t by_type[QR_MIGRATE_TYPES] = {0}, blocks = 0, all = 0;
	struct qr_zone_snapshot snap;

	if (qr_zone_snapshot(t->q, (int)nid, (enum qr_zone_type)zone, &snap))
		return 0;
	for (unsigned k = 0; k < QR_NR_PAGE_ORDERS; k++) {
		blocks += snap.nr_blocks[k] << k;
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			by_type[type] += snap.nr_blocks_type[type][k] << k;
	}
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		all += by_type[type];
	TWINS_CHECK(w, all == blocks && all - by_type[QR_MIGRATE_ISOLATE] == snap.nr_free,
		    "%s: zone %u of node %u has %" PRIu64 " pages in blocks, %" PRIu64
		    " by type, %" PRIu64 " of them isolated, %" PRIu64 " free",
		    twins_name(w, t), zone, nid, blocks, all, by_type[QR_MIGRATE_ISOLATE],
		    snap.nr_free);
	TWINS_CHECK(w,
		    by_type[QR_MIGRATE_CMA] == snap.nr_free_cma &&
			    by_type[QR_MIGRATE_HIGHATOMIC] == snap.nr_free_highatomic,
		    "%s: %" PRIu64 " CMA and %" PRIu64 " HIGHATOMIC pages, but %" PRIu64
		    " and %" PRIu64 " are counted",
		    twins_name(w, t), by_type[QR_MIGRATE_CMA], by_type[QR_MIGRATE_HIGHATOMIC],
		    snap.nr_free_cma, snap.nr_free_highatomic);
	TWINS_CHECK(w,
		    all + snap.nr_pcp_pages + snap.nr_deferred + t->held_in[nid][zone] ==
			    snap.managed,
		    "%s: zone %u of node %u: %" PRIu64 " in blocks, %" PRIu64 " cached, %" PRIu64
		    " deferred, %" PRIu64 " held, %" PRIu64 " managed",
		    twins_name(w, t), zone, nid, all, snap.nr_pcp_pages, snap.nr_deferred,
		    t->held_in[nid][zone], snap.managed);
	return snap.nr_free + snap.nr_deferred;
}

/* Both twins; returns the free pages of the second. */
static inline void twins_account(struct twins *w)
{
	uint64_t nr_free[2] = {0, 0};

	for_each_twin(w, t)
	{
		for (unsigned i = 0; i < w->nr_nodes * QR_NR_ZONES; i++)
			nr_free[t - w->twin] +=
				twin_zone_account(w, t, i / QR_NR_ZONES, i % QR_NR_ZONES);
		TWINS_CHECK(w,
			    twin_event(t, QR_EV_PGALLOC, true) == t->nr_alloc &&
				    twin_event(t, QR_EV_PGFREE, false) == t->nr_freed,
			    "%s: %" PRIu64 " pages were allocated and %" PRIu64
			    " freed, but %" PRIu64 " and %" PRIu64 " are counted",
			    twins_name(w, t), t->nr_alloc, t->nr_freed,
			    twin_event(t, QR_EV_PGALLOC, true), twin_event(t, QR_EV_PGFREE, false));
	}
	if (!w->cached && w->plain && !w->nr_isolated)
		TWINS_CHECK(w, nr_free[0] == nr_free[1], "%" PRIu64 " pages are free, and %" PRIu64,
			    nr_free[0], nr_free[1]);
}

/* Slow comparisons ------------------------------------------------------------------------- */

/* Each frame is what the map says; with empty caches, what is not held is free. */
static inline void twin_frames_check(struct twins *w, struct twin *t)
{
	for (qr_pfn_t pfn = 0; pfn < TWINS_PAGES && !w->deferred; pfn++) {
		struct qr_frame_info info;

		TWINS_CHECK(w, qr_frame_info_racy(t->q, pfn, &info) == 0, "no frame");
		TWINS_CHECK(w, info.state == (t->held[pfn] ? QR_FRAME_ALLOCATED : QR_FRAME_FREE),
			    "%s: pfn %#" PRIx64 " is in state %u, and %sheld", twins_name(w, t),
			    pfn, (unsigned)info.state, t->held[pfn] ? "" : "not ");
	}
}

static inline bool twin_pageblock_is_plain(const struct twin *t, qr_pfn_t pfn)
{
	return qr__pageblock_type(qr__frames(t->q), pfn) < QR_MIGRATE_PCPTYPES;
}

/* By the map, with empty caches: has the zone a free block of this order for plain requests? */
static inline bool twin_has_block(struct twin *t, const struct qr_zone *zone, unsigned order)
{
	uint64_t nr = UINT64_C(1) << order;

	for (qr_pfn_t pfn = 0; pfn + nr <= TWINS_PAGES; pfn += nr) {
		qr_pfn_t i = pfn;

		while (i < pfn + nr && !t->held[i] && twin_pageblock_is_plain(t, i) &&
		       qr__pfn_zone(qr__frames(t->q), i) == zone)
			i++;
		if (i == pfn + nr)
			return true;
	}
	return false;
}

/*
 * What a request is decided by, with empty caches.  Marks are the same, and so are decisions about
 * single pages where nothing but the engine differs; for larger blocks the map says what is there.
 */
static inline void twins_marks_compare(struct twins *w)
{
	struct qr_zone *zone[2] = {qr_zone_at(w->twin[0].q, 0, QR_ZONE_NORMAL),
				   qr_zone_at(w->twin[1].q, 0, QR_ZONE_NORMAL)};
	unsigned order = twins_below(w, QR_PAGEBLOCK_ORDER + 1);
	uint64_t nr_free = qr_zone_free_pages(zone[0]), some = twins_below(w, 4096);

	if (w->deferred)
		return;
	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		TWINS_CHECK(w,
			    qr_zone_watermark(zone[0], (enum qr_watermark)mark) ==
				    qr_zone_watermark(zone[1], (enum qr_watermark)mark),
			    "mark %u differs", mark);
	for_each_twin(w, t)
	{
		struct qr_zone *of = zone[t - w->twin];

		TWINS_CHECK(w,
			    !w->plain || w->nr_isolated ||
				    qr_zone_watermark_ok(of, order, 0, QR_ZONE_NORMAL, 0) ==
					    twin_has_block(t, of, order),
			    "%s: a block of order %u is there, or not", twins_name(w, t), order);
	}
	if (!w->plain || w->nr_isolated)
		return;
	TWINS_CHECK(w, nr_free == qr_zone_free_pages(zone[1]),
		    "%" PRIu64 " pages are free, and %" PRIu64, nr_free,
		    qr_zone_free_pages(zone[1]));
	for (uint64_t mark = nr_free > some ? nr_free - some : 0; mark <= nr_free + 1;
	     mark += 1 + some / 4)
		TWINS_CHECK(w,
			    qr_zone_watermark_ok(zone[0], 0, mark, QR_ZONE_NORMAL, 0) ==
				    qr_zone_watermark_ok(zone[1], 0, mark, QR_ZONE_NORMAL, 0),
			    "one is above mark %" PRIu64 " with %" PRIu64 " pages free", mark,
			    nr_free);
}

static inline void twins_compare(struct twins *w)
{
	twins_drain(w);
	twins_account(w);
	twins_marks_compare(w);
	for_each_twin(w, t)
	{
		struct qr_error_text why = {""};

		twin_frames_check(w, t);
		TWINS_CHECK(w, qr_check(t->q, &why) == 0, "%s: %s", twins_name(w, t), why.text);
	}
}

/* Judging ---------------------------------------------------------------------------------- */

/* With empty caches: some zone this request may use is above its mark and has a block for it. */
static inline bool twin_could_serve(struct twins *w, struct twin *t,
				    const struct twins_request *req)
{
	enum qr_zone_type highest = qr_gfp_zone(t->q, req->gfp);

	for (unsigned i = 0; i < w->nr_nodes * QR_NR_ZONES; i++) {
		struct qr_zone *zone = qr_zone_at(t->q, (int)(i / QR_NR_ZONES),
						  (enum qr_zone_type)(i % QR_NR_ZONES));
		uint64_t mark;

		if (!zone || (enum qr_zone_type)(i % QR_NR_ZONES) > highest)
			continue;
		if (w->retyped && req->order > QR_PAGEBLOCK_ORDER)
			continue;
		mark = qr_zone_watermark(zone, QR_WMARK_MIN) + (UINT64_C(1) << req->order);
		if (qr_zone_watermark_ok(zone, 0, mark, highest, 0) &&
		    twin_has_block(t, zone, req->order))
			return true;
	}
	return false;
}

static inline struct qr_page *twin_request(struct twin *t, const struct twins_request *req)
{
	return qr_alloc_pages(t->q, req->gfp, req->order);
}

/* A page that is not to be kept: with all its accounting. */
static inline void twin_return(struct twin *t, struct qr_page *page, unsigned order)
{
	twin_let_go(t, page, order);
	qr___free_pages(t->q, page, order);
}

/* It failed on this twin alone (and the other's block is given back).  Was that its right? */
static inline void twins_judge(struct twins *w, struct twin *loser, const struct twins_request *req)
{
	struct twin *winner = loser == w->twin ? w->twin + 1 : w->twin;
	bool strict = w->plain && !w->nr_isolated && !w->deferred;
	struct qr_page *page;

	w->nr_judged++;
	TWINS_CHECK(w, !strict || w->cached || req->order,
		    "%s: no single page, gfp %#x, and none is cached", twins_name(w, loser),
		    req->gfp);
	twins_drain(w);
	page = twin_request(loser, req);
	if (page) {
		twin_hold(w, loser, TWINS_SLOTS - 1, page, req->order);
		twin_return(loser, page, req->order);
		TWINS_CHECK(w, !strict || w->cached, "%s: order %u only the second time",
			    twins_name(w, loser), req->order);
		twins_drain(w);
		return;
	}
	if (w->deferred)
		return;
	TWINS_CHECK(w, !twin_could_serve(w, loser, req),
		    "%s: order %u, gfp %#x refused although there is a block above the mark",
		    twins_name(w, loser), req->order, req->gfp);
	if (!strict || req->order)
		return;
	page = twin_request(winner, req);
	TWINS_CHECK(w, !page, "%s: no single page, gfp %#x, but the other has one",
		    twins_name(w, loser), req->gfp);
}

#endif /* TESTS_TWINS_H */
