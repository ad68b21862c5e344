/* SPDX-License-Identifier: MIT */
/*
 * test_fault_sweep.c - every hook fails at every n
 *
 * A scenario that needs all hooks is run again and again; in run n the n-th call of one hook
 * fails, or
 * the n-th and all that follow, until a run ends in which the hook was called fewer than n times.
 * Whatever fails, nothing is lost, nothing is written to that is held, no request hangs, and
 * qr_check() finds nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/inspect.h>
#include <quire/sim.h>

#include "unit/engine.h"
#include "unit/steps.h"

#define ZONE_PAGES (8 * QR_PAGEBLOCK_NR_PAGES > 512 ? 8 * QR_PAGEBLOCK_NR_PAGES : 512)
#define MAX_CACHE ZONE_PAGES

/* What the scenario knows: a cache of pages that reclaim drops from, and pages it must keep. */
struct scenario {
	struct qr_sim *sim;
	struct quire *q;
	struct qr_page *cache[MAX_CACHE];
	unsigned nr_cache, picks;
	struct qr_page *kept[256];
	unsigned kept_order[256];
	bool marked[256];
	unsigned nr_kept;
	int64_t nr_charged;
	unsigned nr_failed;
};

static struct qr_range range;

/* From anywhere, so that what comes free is not contiguous. */
static uint64_t cache_shrink(struct scenario *s, uint64_t nr)
{
	uint64_t freed = 0;

	for (; freed < nr && s->nr_cache; freed++) {
		unsigned i = (s->picks += 7919) % s->nr_cache;

		qr___free_pages(s->q, s->cache[i], 0);
		s->cache[i] = s->cache[--s->nr_cache];
	}
	return freed;
}

static uint64_t direct_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)q, (void)req;
	return cache_shrink(ctx, 8);
}

static uint64_t shrink_zone(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
			    unsigned priority)
{
	(void)q, (void)zone, (void)priority;
	return cache_shrink(ctx, nr < 16 ? nr : 16);
}

static uint64_t reclaimable_pages(void *ctx, struct quire *q, struct qr_zone *zone)
{
	(void)q, (void)zone;
	return ((struct scenario *)ctx)->nr_cache;
}

/* Compaction by brute force: the cache goes, and so its holes do. */
static enum qr_compact_result direct_compact(void *ctx, struct quire *q,
					     const struct qr_reclaim_request *req,
					     enum qr_compact_priority priority,
					     struct qr_page **captured)
{
	(void)q, (void)req, (void)captured;
	if (priority == QR_COMPACT_PRIO_ASYNC)
		return QR_COMPACT_DEFERRED;
	return cache_shrink(ctx, 64) ? QR_COMPACT_SUCCESS : QR_COMPACT_COMPLETE;
}

static bool out_of_memory(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)q, (void)req;
	return cache_shrink(ctx, 32) != 0;
}

static int charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	(void)page, (void)gfp;
	((struct scenario *)ctx)->nr_charged += (int64_t)1 << order;
	return 0;
}

static void uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	(void)page;
	((struct scenario *)ctx)->nr_charged -= (int64_t)1 << order;
}

static void scenario_begin(struct scenario *s)
{
	static const struct qr_reclaim_ops reclaim = {.direct_reclaim = direct_reclaim,
						      .direct_compact = direct_compact,
						      .shrink_zone = shrink_zone,
						      .reclaimable_pages = reclaimable_pages,
						      .out_of_memory = out_of_memory};
	static const struct qr_charge_ops charges = {charge, uncharge};
	struct qr_sim_config config = {.memory = true, .metadata_fill = 0x5a};
	struct qr_error_text why;

	memset(s, 0, sizeof(*s));
	range = (struct qr_range){.nr_pages = ZONE_PAGES};
	config.machine.ranges = &range;
	config.machine.nr_ranges = 1;
	config.machine.zone_limits.normal_end = ZONE_PAGES;
	config.machine.nr_cpus = 2;
	config.machine.engine = test_engine();
	config.local_locks = config.local_commits = test_steps();
	if (!test_steps()) /* which there are none of where pages are looked at */
		config.machine.options = QR_OPT_PAGE_POISON | QR_OPT_PAGE_OWNER;
	s->sim = qr_sim_new(&config, &why);
	if (!s->sim)
		fail_msg("%s", why.text);
	s->q = qr_sim_quire(s->sim);
	qr_sim_reclaim_ops_set(s->sim, &reclaim, s);
	qr_sim_charge_ops_set(s->sim, &charges, s);
}

/* Keep a block, marked as ours. */
static void keep(struct scenario *s, struct qr_page *page, unsigned order)
{
	uint64_t *bytes;

	if (!page) {
		s->nr_failed++;
		return;
	}
	bytes = qr_page_address(s->q, page);
	s->marked[s->nr_kept] = bytes != NULL;
	if (bytes)
		bytes[0] = s->nr_kept;
	s->kept_order[s->nr_kept] = order;
	s->kept[s->nr_kept++] = page;
}

static void unkeep(struct scenario *s)
{
	struct qr_page *page = s->kept[--s->nr_kept];
	uint64_t *bytes = qr_page_address(s->q, page);

	if (bytes && s->marked[s->nr_kept])
		assert_int_equal(bytes[0], s->nr_kept);
	qr___free_pages(s->q, page, s->kept_order[s->nr_kept]);
}

/*
 * Let the cache have all memory, then live off it in all the ways there are.  What the cache gives
 * back is scattered, so large blocks must be compacted for.
 */
static void scenario_run(struct scenario *s)
{
	struct quire *q = s->q;
	struct qr_page *page, *pages[8] = {0};
	struct qr_page_frag_cache frags = {0};
	void *piece, *address;

	while (s->nr_cache < MAX_CACHE &&
	       (page = qr_alloc_pages(q, QR_GFP_NOWAIT | QR___GFP_MEMALLOC | QR___GFP_MOVABLE,
				      0)) != NULL)
		s->cache[s->nr_cache++] = page;
	cache_shrink(s, ZONE_PAGES / 8);
	for (unsigned i = 0; i < 24; i++) {
		qr_sim_cpu_set(s->sim, i & 1);
		keep(s, qr_alloc_pages(q, QR_GFP_KERNEL | QR___GFP_NOWARN, i % 4), i % 4);
		if (i % 6 == 0)
			qr_sim_advance(s->sim, UINT64_C(1000000000));
	}
	keep(s, qr_alloc_pages(q, QR_GFP_KERNEL_ACCOUNT | QR___GFP_NOWARN, 1), 1);
	keep(s, qr_alloc_pages(q, QR_GFP_NOFS | QR___GFP_NOWARN | QR___GFP_ZERO, 0), 0);
	keep(s,
	     qr_alloc_pages(q, QR_GFP_KERNEL | QR___GFP_RETRY_MAYFAIL | QR___GFP_NOWARN,
			    QR_PAGEBLOCK_ORDER),
	     QR_PAGEBLOCK_ORDER);
	keep(s, qr_folio_alloc(q, QR_GFP_ATOMIC | QR___GFP_NOWARN, 2), 2);
	page = qr_alloc_pages_exact(q, 5 * QR_PAGE_SIZE, QR_GFP_KERNEL | QR___GFP_NOWARN);
	qr_free_pages_exact(q, page, 5 * QR_PAGE_SIZE);
	for (unsigned i = 0, nr = qr_alloc_pages_bulk(q, QR_GFP_KERNEL | QR___GFP_NOWARN, 0, NULL,
						      8, pages);
	     i < nr; i++)
		qr___free_pages(q, pages[i], 0);
	address = qr_get_zeroed_page(q, QR_GFP_KERNEL | QR___GFP_NOWARN);
	qr_free_pages(q, address, 0);
	piece = qr_page_frag_alloc(q, &frags, 100, 8, QR_GFP_KERNEL | QR___GFP_NOWARN);
	qr_page_frag_free(q, piece);
	qr_page_frag_cache_drain(q, &frags);
}

static void scenario_end(struct scenario *s)
{
	struct qr_quire_snapshot all;
	struct qr_error_text why;

	qr_sim_cpu_set(s->sim, 0);
	while (s->nr_kept)
		unkeep(s);
	cache_shrink(s, s->nr_cache);
	qr_drain_all_pages(s->q, NULL);
	qr_quire_snapshot(s->q, &all);
	assert_int_equal(all.nr_free, all.managed);
	assert_int_equal(s->nr_charged, 0);
	if (qr_check(s->q, &why))
		fail_msg("%s", why.text);
	qr_sim_free(s->sim);
}

/* True: the hook was called often enough for the failure to happen. */
static bool one_run(enum qr_sim_hook hook, uint64_t nth, bool always)
{
	static struct scenario s;
	uint64_t calls;

	scenario_begin(&s);
	/* The last resort is only reached where reclaim is of no use. */
	if (hook == QR_SIM_OOM)
		qr_sim_fail(s.sim, QR_SIM_RECLAIM, 1, true);
	qr_sim_fail(s.sim, hook, nth, always);
	scenario_run(&s);
	calls = qr_sim_calls(s.sim, hook);
	qr_sim_fail(s.sim, hook, 0, false);
	qr_sim_fail(s.sim, QR_SIM_RECLAIM, 0, false);
	scenario_end(&s);
	return calls >= nth;
}

/* Hooks that are called for each page of memory are stepped through ever faster. */
static uint64_t next_nth(uint64_t nth)
{
	return nth < 64 ? nth + 1 : nth + nth / 16;
}

static void sweep(enum qr_sim_hook hook)
{
	uint64_t nth = 1;

	while (one_run(hook, nth, false)) {
		assert_true(one_run(hook, nth, true) || nth > 1);
		nth = next_nth(nth);
	}
	assert_true(nth > 1);
	print_message("%u: %llu calls\n", (unsigned)hook, (unsigned long long)nth - 1);
}

static void test_nothing_fails(void **state)
{
	(void)state;
	assert_false(one_run(QR_SIM_RECLAIM, UINT64_MAX, false));
}

static void test_page_address(void **state)
{
	(void)state;
	sweep(QR_SIM_PAGE_ADDRESS);
}

static void test_reclaim(void **state)
{
	(void)state;
	sweep(QR_SIM_RECLAIM);
}

static void test_compact(void **state)
{
	(void)state;
	sweep(QR_SIM_COMPACT);
}

static void test_oom(void **state)
{
	(void)state;
	sweep(QR_SIM_OOM);
}

static void test_charge(void **state)
{
	(void)state;
	sweep(QR_SIM_CHARGE);
}

static void test_alloc(void **state)
{
	(void)state;
	sweep(QR_SIM_ALLOC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_fails), cmocka_unit_test(test_page_address),
		cmocka_unit_test(test_reclaim),       cmocka_unit_test(test_compact),
		cmocka_unit_test(test_oom),           cmocka_unit_test(test_charge),
		cmocka_unit_test(test_alloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
