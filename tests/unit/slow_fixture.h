/* SPDX-License-Identifier: MIT */
/*
 * slow_fixture.h - a zone filled to a chosen level, and callbacks that follow a script
 *
 * Each test fills a zone to a chosen level, scripts the callbacks, makes one request, and compares
 * the stages it went through, one letter each:
 *
 *	E enter   K kswapds woken   f free lists tried   a compaction, not waiting
 *	R reclaim   u reserve given up, caches drained   C compaction   r retry   S restart
 *	O last resort   N NOFAIL   X failed
 */
#ifndef TESTS_UNIT_SLOW_FIXTURE_H
#define TESTS_UNIT_SLOW_FIXTURE_H

#include "alloc/allocator.h"
#include "hoard.h"

#define EVERYTHING (QR___GFP_NOWARN | QR___GFP_MEMALLOC)
#define ZONE_PAGES (16 * QR_PAGEBLOCK_NR_PAGES > 512 ? 16 * QR_PAGEBLOCK_NR_PAGES : 512)

struct fixture {
	struct test_machine *m;
	struct quire *q;
	struct hoard hoard;
	char stages[4096];
	size_t nr_stages;

	/* The script of the callbacks, and what they saw. */
	struct qr_reclaim_ops ops;
	uint64_t reclaim_says; /* progress it reports */
	uint64_t reclaim_frees; /* blocks of the hoard it frees */
	unsigned reclaim_stops_after; /* calls; 0: never */
	enum qr_compact_result compact_says;
	unsigned compact_frees_at; /* the call in which it frees; 0: never */
	struct qr_page *captured;
	bool oom_says;
	uint64_t oom_frees;
	bool suitable;
	uint64_t reclaimable;
	void (*in_reclaim)(struct fixture *f);
	unsigned nr_reclaim, nr_compact, nr_oom, nr_suitable;
	enum qr_compact_priority priorities[64];
	struct qr_reclaim_request last;
	uint32_t task_flags_seen;
	struct qr_task *task;
};

static inline void stage_note(void *ctx, const struct qr_trace_event *event)
{
	static const char letters[] = "EKfaRuCrSONX";
	struct fixture *f = ctx;

	if (event->id == QR_TP_SLOWPATH_STAGE && f->nr_stages < sizeof(f->stages) - 1)
		f->stages[f->nr_stages++] = letters[event->a];
}

static inline uint64_t fake_reclaim(void *ctx, struct quire *q,
				    const struct qr_reclaim_request *req)
{
	struct fixture *f = ctx;

	(void)q;
	f->nr_reclaim++;
	f->last = *req;
	if (f->task)
		f->task_flags_seen = f->task->flags;
	if (f->in_reclaim)
		f->in_reclaim(f);
	if (f->reclaim_stops_after && f->nr_reclaim > f->reclaim_stops_after)
		return 0;
	hoard_give(&f->hoard, f->reclaim_frees);
	return f->reclaim_says;
}

static inline enum qr_compact_result fake_compact(void *ctx, struct quire *q,
						  const struct qr_reclaim_request *req,
						  enum qr_compact_priority priority,
						  struct qr_page **captured)
{
	struct fixture *f = ctx;

	(void)q;
	f->last = *req;
	if (f->nr_compact < 64)
		f->priorities[f->nr_compact] = priority;
	if (++f->nr_compact == f->compact_frees_at)
		hoard_give(&f->hoard, f->hoard.nr);
	*captured = f->captured;
	return f->compact_says;
}

static inline bool fake_oom(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	struct fixture *f = ctx;

	(void)q;
	f->nr_oom++;
	f->last = *req;
	hoard_give(&f->hoard, f->oom_frees);
	return f->oom_says;
}

static inline bool fake_suitable(void *ctx, struct quire *q, struct qr_zone *zone, unsigned order,
				 uint64_t nr_free)
{
	struct fixture *f = ctx;

	(void)q, (void)zone, (void)order, (void)nr_free;
	f->nr_suitable++;
	return f->suitable && f->nr_suitable < 5;
}

static inline uint64_t fake_reclaimable(void *ctx, struct quire *q, struct qr_zone *zone)
{
	(void)q, (void)zone;
	return ((struct fixture *)ctx)->reclaimable;
}

static inline void ops_set(struct fixture *f)
{
	qr_reclaim_ops_set(f->q, &f->ops, f);
}

static inline struct fixture *fixture_machine(struct test_machine *m)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->m = m;
	test_machine_create(m);
	f->q = m->q;
	f->hoard = hoard_new(f->q);
	qr_trace_set(f->q, stage_note, f, UINT64_C(1) << QR_TP_SLOWPATH_STAGE);
	return f;
}

static inline struct fixture *fixture_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, ZONE_PAGES);
	return fixture_machine(m);
}

static inline void fixture_free(struct fixture *f)
{
	test_task_set(NULL);
	qr_reclaim_ops_set(f->q, NULL, NULL);
	qr_trace_set(f->q, NULL, NULL, 0);
	hoard_free(&f->hoard);
	test_machine_free(f->m);
	free(f);
}

static inline uint64_t mark_min(struct fixture *f)
{
	return qr_zone_watermark(qr_zone_at(f->q, 0, QR_ZONE_NORMAL), QR_WMARK_MIN);
}

/* Use all of the zone up but nr pages. */
static inline void leave_free(struct fixture *f, uint64_t nr)
{
	hoard_all(&f->hoard, EVERYTHING, 0);
	hoard_give(&f->hoard, nr);
	assert_int_equal(zone_free(f->q, 0, QR_ZONE_NORMAL), nr);
}

/* Use the zone up; then free every second page of it: plenty of memory, not two frames together. */
static inline void leave_singles(struct fixture *f)
{
	hoard_all(&f->hoard, EVERYTHING, 0);
	for (qr_pfn_t pfn = 0; pfn < ZONE_PAGES; pfn += 2)
		hoard_give_pfn(&f->hoard, pfn);
	qr_drain_all_pages(f->q, NULL);
	assert_int_equal(zone_free(f->q, 0, QR_ZONE_NORMAL), ZONE_PAGES / 2);
}

/* One request with the stages it takes from an empty record; NULL page allowed. */
static inline struct qr_page *request(struct fixture *f, qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page;

	f->nr_stages = 0;
	memset(f->stages, 0, sizeof(f->stages));
	page = qr_alloc_pages(f->q, gfp, order);
	return page;
}

static inline void request_fails(struct fixture *f, qr_gfp_t gfp, unsigned order,
				 const char *stages)
{
	assert_null(request(f, gfp | QR___GFP_NOWARN, order));
	assert_string_equal(f->stages, stages);
}

static inline void request_succeeds(struct fixture *f, qr_gfp_t gfp, unsigned order,
				    const char *stages)
{
	struct qr_page *page = request(f, gfp | QR___GFP_NOWARN, order);

	assert_non_null(page);
	assert_string_equal(f->stages, stages);
	hoard_add(&f->hoard, page, order);
}

#endif /* TESTS_UNIT_SLOW_FIXTURE_H */
