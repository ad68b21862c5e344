/* SPDX-License-Identifier: MIT */
/*
 * test_pcp.c - per-CPU caches: what goes in and out, how much at a time, and who gets in the way
 */
#include "support.h"

#include "alloc/pcp.h"
#include "base/bits.h"

static struct test_machine *m;

#define PAGES (UINT64_C(512) * QR_MAX_ORDER_NR_PAGES)

static void begin(unsigned nr_cpus)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = nr_cpus;
	test_machine_create(m);
}

static void end(void)
{
	test_cpu_set(0);
	test_machine_free(m);
}

static struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static struct qr_per_cpu_pages *pcp(void)
{
	return &zone()->pcp[0];
}

static int32_t count(void)
{
	return qr__pcp_read(&pcp()->count);
}

static uint64_t nr_free(void)
{
	return qr_zone_free_pages(zone());
}

static struct qr_page *take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	assert_non_null(page);
	return page;
}

/* Let the next free take the short way: refills before would send it the long one. */
static void short_way(void)
{
	atomic_store(&pcp()->alloc_factor, 0);
}

static void give(struct qr_page *page, unsigned order)
{
	qr___free_pages(m->q, page, order);
}

/* Sizes that a test can count with; the limits stay as they are when min is 0. */
static void sizes(int32_t batch, int32_t min, int32_t max)
{
	qr__pcp_write(&pcp()->batch, batch);
	qr__pcp_write(&pcp()->high_min, min);
	qr__pcp_write(&pcp()->high_max, max);
	qr__pcp_write(&pcp()->high, min);
}

/* Undo sizes(): as a change of a tunable would. */
static void sizes_end(void)
{
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 0), 0);
}

/* Refills ---------------------------------------------------------------------------------- */

static void test_refills_double(void **state)
{
	/*
	 * What each refill brings with batch 4 and limits 100..1000: the batch, doubled five times.
	 */
	static const int32_t refills[] = {4, 8, 16, 32, 64, 128, 128};
	struct qr_page *pages[400];
	unsigned n = 0;

	(void)state;
	begin(1);
	sizes(4, 100, 1000);
	for (size_t i = 0; i < sizeof(refills) / sizeof(refills[0]); i++) {
		uint64_t before = nr_free();

		assert_int_equal(count(), 0);
		pages[n++] = take(QR_GFP_KERNEL, 0);
		assert_int_equal(before - nr_free(), refills[i]);
		assert_int_equal(count(), refills[i] - 1);
		while (count())
			pages[n++] = take(QR_GFP_KERNEL, 0);
	}
	assert_int_equal(atomic_load(&pcp()->alloc_factor), QR_PCP_BATCH_SCALE_MAX);
	/* Each raised the limit by what it brought. */
	assert_int_equal(qr__pcp_read(&pcp()->high), 100 + 4 + 8 + 16 + 32 + 64 + 128 + 128);
	while (n)
		give(pages[--n], 0);
	assert_int_equal(atomic_load(&pcp()->alloc_factor), 0);
	sizes_end();
	end();
}

/* The limit caps a refill, less the batch that frees are to find room for. */
static void test_refills_leave_room(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin(1);
	sizes(4, 20, 20);
	atomic_store(&pcp()->alloc_factor, 5);
	before = nr_free();
	page = take(QR_GFP_KERNEL, 0);
	assert_int_equal(before - nr_free(), 20 - 4);
	assert_int_equal(qr__pcp_read(&pcp()->high), 20);
	assert_int_equal(atomic_load(&pcp()->alloc_factor), 5);
	give(page, 0);
	sizes_end();
	end();
}

/* Without room for a batch there is no cache to speak of. */
static void test_refills_without_room(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin(1);
	sizes(8, 4, 4);
	before = nr_free();
	page = take(QR_GFP_KERNEL, 0);
	assert_int_equal(before - nr_free(), 1);
	give(page, 0);
	sizes_end();
	end();
}

static void test_high_grows_no_further_than_max(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(1);
	sizes(4, 20, 22);
	page = take(QR_GFP_KERNEL, 0);
	assert_int_equal(qr__pcp_read(&pcp()->high), 22);
	give(page, 0);
	sizes_end();
	end();
}

static void test_short_zones_do_not_raise_high(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(1);
	sizes(4, 20, 100);
	qr__zone_flag_set(zone(), QR_ZONE_BELOW_HIGH);
	page = take(QR_GFP_KERNEL, 0);
	assert_int_equal(qr__pcp_read(&pcp()->high), 20);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	give(page, 0);
	sizes_end();
	end();
}

static void test_refills_of_larger_blocks(void **state)
{
	static const unsigned blocks[] = {0, 31, 15, 7};

	(void)state;
	begin(1);
	for (unsigned order = 1; order <= 3; order++) {
		struct qr_page *page;
		uint64_t before = nr_free();

		sizes(63, 1000, 1000);
		page = take(QR_GFP_KERNEL, order);
		assert_int_equal((before - nr_free()) >> order, blocks[order]);
		assert_int_equal(count(), (int32_t)((blocks[order] - 1) << order));
		give(page, order);
		sizes_end();
	}
	/* Never fewer than two, unless there is to be no cache. */
	sizes(4, 1000, 1000);
	give(take(QR_GFP_KERNEL, 3), 3);
	assert_int_equal(count(), 16);
	sizes_end();
	sizes(1, 1000, 1000);
	give(take(QR_GFP_KERNEL, 3), 3);
	assert_int_equal(count(), 8);
	sizes_end();
	end();
}

/* Order ------------------------------------------------------------------------------------ */

static void test_last_in_first_out(void **state)
{
	struct qr_page *a, *b;

	(void)state;
	begin(1);
	a = take(QR_GFP_KERNEL, 0);
	b = take(QR_GFP_KERNEL, 0);
	give(a, 0);
	give(b, 0);
	assert_ptr_equal(take(QR_GFP_KERNEL, 0), b);
	assert_ptr_equal(take(QR_GFP_KERNEL, 0), a);
	give(a, 0);
	give(b, 0);
	end();
}

/* A refill's blocks come in the order of the zone: ascending, if they are of one block. */
static void test_refills_are_used_in_order(void **state)
{
	struct qr_page *pages[15];

	(void)state;
	begin(1);
	sizes(15, 100, 100);
	for (unsigned i = 0; i < 15; i++) {
		pages[i] = take(QR_GFP_KERNEL, 0);
		if (i)
			assert_ptr_equal(pages[i], pages[i - 1] + 1);
	}
	for (unsigned i = 0; i < 15; i++)
		give(pages[i], 0);
	sizes_end();
	end();
}

static struct {
	qr_pfn_t pfns[64];
	enum qr_migratetype types[64];
	unsigned nr, irqs;
} drained;

static void drain_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	if (drained.nr < 64) {
		drained.pfns[drained.nr] = event->pfn;
		drained.types[drained.nr++] = event->migratetype;
	}
	drained.irqs = test_irqs_masked();
}

static void drains_watch(bool on)
{
	memset(&drained, 0, sizeof(drained));
	qr_trace_set(m->q, on ? drain_note : NULL, NULL, 1u << QR_TP_MM_PAGE_PCPU_DRAIN);
}

/* What waited longest goes first. */
static void test_drains_take_the_oldest(void **state)
{
	struct qr_page *pages[6];

	(void)state;
	begin(1);
	sizes(1, 100, 100);
	for (unsigned i = 0; i < 6; i++)
		pages[i] = take(QR_GFP_KERNEL, 0);
	qr_drain_all_pages(m->q, NULL);
	for (unsigned i = 0; i < 6; i++)
		give(pages[i], 0);
	drains_watch(true);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(drained.nr, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(drained.pfns[i], qr_page_to_pfn(m->q, pages[i]));
	drains_watch(false);
	sizes_end();
	end();
}

/* The list that was just used pays first, then the others in turn. */
static void test_drains_go_round(void **state)
{
	struct qr_page *u[4], *r[4];

	(void)state;
	begin(1);
	sizes(1, 100, 100);
	for (unsigned i = 0; i < 4; i++) {
		u[i] = take(QR_GFP_KERNEL, 0);
		r[i] = take(QR_GFP_KERNEL | QR___GFP_RECLAIMABLE, 0);
	}
	qr_drain_all_pages(m->q, NULL);
	for (unsigned i = 0; i < 4; i++)
		give(u[i], 0);
	for (unsigned i = 0; i < 4; i++)
		give(r[i], 0);
	drains_watch(true);
	qr_free_pcppages_bulk(zone(), 6, pcp(), 2 /* order 0, RECLAIMABLE */);
	assert_int_equal(drained.nr, 6);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(drained.pfns[i], qr_page_to_pfn(m->q, r[i]));
	assert_int_equal(drained.pfns[4], qr_page_to_pfn(m->q, u[0]));
	assert_int_equal(drained.pfns[5], qr_page_to_pfn(m->q, u[1]));
	assert_int_equal(count(), 2);
	drains_watch(false);
	sizes_end();
	end();
}

/* Drains by frees -------------------------------------------------------------------------- */

static struct qr_page *row[4096];

/* Allocate n blocks in a way that leaves the cache empty. */
static void row_take(unsigned n, unsigned order)
{
	for (unsigned i = 0; i < n; i++)
		row[i] = take(QR_GFP_KERNEL, order);
	qr_drain_all_pages(m->q, NULL);
	qr__pcp_write(&pcp()->free_count, 0);
	atomic_store(&pcp()->alloc_factor, 0);
	qr__pcp_write(&pcp()->high, qr__pcp_read(&pcp()->high_min));
}

static void test_frees_in_a_row_are_given_back(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 40);
	row_take(100, 0);
	for (unsigned i = 0; i < 39; i++)
		give(row[i], 0);
	assert_int_equal(count(), 39);
	assert_int_equal(qr__pcp_read(&pcp()->free_count), 39);
	/* The 40th is one too many: 36 of them go, for a batch is to stay. */
	give(row[39], 0);
	assert_int_equal(count(), 4);
	for (unsigned i = 40; i < 100; i++)
		give(row[i], 0);
	sizes_end();
	end();
}

/* Who only allocated before has no row: a batch goes. */
static void test_a_single_free_gives_a_batch_back(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 40);
	row_take(41, 0);
	for (unsigned i = 0; i < 39; i++) {
		give(row[i], 0);
		qr__pcp_write(&pcp()->free_count, 0);
	}
	give(row[39], 0);
	assert_int_equal(count(), 36);
	give(row[40], 0);
	sizes_end();
	end();
}

static void test_allocations_halve_the_row(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 400, 400);
	row_take(10, 0);
	for (unsigned i = 0; i < 9; i++)
		give(row[i], 0);
	assert_int_equal(qr__pcp_read(&pcp()->free_count), 9);
	row[0] = take(QR_GFP_KERNEL, 0);
	assert_int_equal(qr__pcp_read(&pcp()->free_count), 4);
	give(row[0], 0);
	give(row[9], 0);
	sizes_end();
	end();
}

/* The row does not grow beyond a batch doubled five times. */
static void test_the_row_is_bounded(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 1000, 1000);
	row_take(200, 0);
	for (unsigned i = 0; i < 200; i++)
		give(row[i], 0);
	assert_int_equal(qr__pcp_read(&pcp()->free_count), 4 << 5);
	sizes_end();
	end();
}

static void test_bursts_raise_high(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 60);
	row_take(41, 0);
	for (unsigned i = 0; i < 40; i++)
		give(row[i], 0);
	/* 40 in a row: the limit becomes 40 and a batch; this time the old one counts. */
	assert_int_equal(qr__pcp_read(&pcp()->high), 44);
	assert_int_equal(count(), 4);
	/* And no higher than max. */
	qr__pcp_write(&pcp()->free_count, 100);
	qr__pcp_write(&pcp()->high, 5);
	give(row[40], 0);
	assert_int_equal(qr__pcp_read(&pcp()->high), 60);
	sizes_end();
	end();
}

static void test_reclaim_shrinks_caches(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 400);
	row_take(101, 0);
	qr__pcp_write(&pcp()->high, 400);
	for (unsigned i = 0; i < 100; i++)
		give(row[i], 0);
	assert_int_equal(count(), 100);
	qr__zone_flag_set(zone(), QR_ZONE_RECLAIM_ACTIVE);
	give(row[100], 0);
	/* high falls by the row; the limit is four batches, of which one stays. */
	assert_int_equal(qr__pcp_read(&pcp()->high), 400 - 101);
	assert_int_equal(count(), 101 - (16 - 4));
	qr__zone_flag_clear(zone(), QR_ZONE_RECLAIM_ACTIVE);
	sizes_end();
	end();
}

static void test_short_zones_shrink_caches(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 400);
	row_take(62, 0);
	qr__pcp_write(&pcp()->high, 400);
	qr__zone_flag_set(zone(), QR_ZONE_BELOW_HIGH);
	qr__write(&zone()->watermark_boost, PAGES);
	for (unsigned i = 0; i < 39; i++)
		give(row[i], 0);
	assert_int_equal(count(), 39);
	give(row[39], 0);
	/* At high_min, and not at high, a row is given back. */
	assert_int_equal(count(), 4);
	assert_true(qr__zone_flag(zone(), QR_ZONE_BELOW_HIGH));
	assert_true(qr__pcp_read(&pcp()->high) < 400);
	/* When the zone is well again, the next drain finds that out. */
	qr__write(&zone()->watermark_boost, 0);
	atomic_store(&zone()->node->kswapd_failures, 16);
	qr__pcp_write(&pcp()->high_min, 6);
	for (unsigned i = 40; i < 62; i++)
		give(row[i], 0);
	assert_false(qr__zone_flag(zone(), QR_ZONE_BELOW_HIGH));
	/* A21: and kswapd is given another chance. */
	assert_int_equal(atomic_load(&zone()->node->kswapd_failures), 0);
	sizes_end();
	end();
}

/* A cache that grew while the zone was well gives back when it is not, full or not. */
static void test_grown_caches_shrink_in_short_zones(void **state)
{
	(void)state;
	begin(1);
	sizes(4, 40, 400);
	row_take(61, 0);
	qr__pcp_write(&pcp()->high, 400);
	for (unsigned i = 0; i < 60; i++)
		give(row[i], 0);
	qr__pcp_write(&pcp()->free_count, 10);
	qr__zone_flag_set(zone(), QR_ZONE_BELOW_HIGH);
	give(row[60], 0);
	assert_int_equal(qr__pcp_read(&pcp()->high), 400 - 11);
	assert_int_equal(count(), 61 - 11);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	sizes_end();
	end();
}

/* Orders 1..3 ------------------------------------------------------------------------------ */

/* Give and take of small blocks, as of network buffers, leaves them in the cache. */
static void test_A19_give_and_take_does_not_drain(void **state)
{
	struct qr_alloc_stats before, after;

	(void)state;
	begin(1);
	sizes(15, 320, 4096);
	row_take(32, 3);
	for (unsigned i = 0; i < 16; i++)
		give(row[i], 3);
	qr_alloc_stats(m->q, &before);
	for (unsigned n = 0; n < 200; n++) {
		struct qr_page *a = take(QR_GFP_KERNEL, 3), *b = take(QR_GFP_KERNEL, 3);

		give(a, 3);
		give(b, 3);
	}
	qr_alloc_stats(m->q, &after);
	assert_int_equal(after.pcp_drains, before.pcp_drains);
	assert_int_equal(after.zone_locks, before.zone_locks);
	for (unsigned i = 16; i < 32; i++)
		give(row[i], 3);
	sizes_end();
	end();
}

/* But a row of frees only is given back before the cache is full. */
static void test_rows_of_small_blocks_are_given_back(void **state)
{
	unsigned n = 0;

	(void)state;
	begin(1);
	sizes(8, 64, 4096);
	row_take(100, 3);
	qr__pcp_write(&pcp()->high, 4096);
	/* The row counts from a batch and half of high_min on, in pages: 40 pages are 5 blocks. */
	while (n < 5)
		give(row[n++], 3);
	assert_int_equal(count(), 40);
	give(row[n++], 3);
	assert_int_equal(count(), 0);
	assert_int_equal(qr__pcp_read(&pcp()->high), 4096 - (8 << 5));
	while (n < 100)
		give(row[n++], 3);
	sizes_end();
	end();
}

/* A single page in between is no row of small blocks. */
static void test_rows_are_interrupted(void **state)
{
	struct qr_page *single;

	(void)state;
	begin(1);
	sizes(8, 64, 4096);
	single = take(QR_GFP_KERNEL, 0);
	row_take(20, 3);
	qr__pcp_write(&pcp()->high, 4096);
	for (unsigned i = 0; i < 5; i++)
		give(row[i], 3);
	give(single, 0);
	assert_int_equal(count(), 41);
	give(row[5], 3);
	assert_int_equal(count(), 49);
	give(row[6], 3);
	assert_int_equal(count(), 0);
	for (unsigned i = 7; i < 20; i++)
		give(row[i], 3);
	sizes_end();
	end();
}

/* CPUs with large data caches keep what fits there. */
static void test_large_data_caches_keep_small_blocks(void **state)
{
	unsigned n = 0;

	(void)state;
	begin(1);
	sizes(100, 400, 4096);
	pcp()->flags |= QR_PCPF_FREE_HIGH_BATCH;
	row_take(50, 1);
	qr__pcp_write(&pcp()->high, 4096);
	qr__pcp_write(&pcp()->free_count, 1000);
	for (; n < 49; n++)
		give(row[n], 1);
	assert_int_equal(count(), 98);
	give(row[n], 1);
	assert_int_equal(count(), 0);
	sizes_end();
	end();
}

/* Huge pages ------------------------------------------------------------------------------- */

static void test_huge_pages_have_lists_of_their_own(void **state)
{
	struct qr_page *page, *movable;

	(void)state;
	if (QR_PAGEBLOCK_ORDER <= QR_PAGE_ALLOC_COSTLY_ORDER)
		return; /* such blocks are on the lists of small ones */
	begin(1);
	page = take(QR_GFP_KERNEL, QR_HPAGE_PMD_ORDER);
	movable = take(QR_GFP_HIGHUSER_MOVABLE, QR_HPAGE_PMD_ORDER);
	qr_drain_all_pages(m->q, NULL);
	sizes(4, 10 * (int32_t)QR_PAGEBLOCK_NR_PAGES, 10 * (int32_t)QR_PAGEBLOCK_NR_PAGES);
	give(page, QR_HPAGE_PMD_ORDER);
	assert_false(qr__list_empty(&pcp()->lists[12]));
	assert_true(qr__list_empty(&pcp()->lists[13]));
	give(movable, QR_HPAGE_PMD_ORDER);
	assert_false(qr__list_empty(&pcp()->lists[13]));
	assert_int_equal(count(), 2 * QR_PAGEBLOCK_NR_PAGES);
	/*
	 * All but movable share a list, as the pageblock's type does not matter to whoever takes
	 * all.
	 */
	assert_ptr_equal(take(QR_GFP_KERNEL | QR___GFP_RECLAIMABLE, QR_HPAGE_PMD_ORDER), page);
	give(page, QR_HPAGE_PMD_ORDER);
	sizes_end();
	end();
}

static void test_huge_pages_can_be_left_out(void **state)
{
	struct qr_page *page;

	(void)state;
	if (QR_PAGEBLOCK_ORDER <= QR_PAGE_ALLOC_COSTLY_ORDER)
		return; /* such blocks are on the lists of small ones */
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_NO_HUGE_PCP;
	test_machine_create(m);
	page = take(QR_GFP_KERNEL, QR_HPAGE_PMD_ORDER);
	give(page, QR_HPAGE_PMD_ORDER);
	assert_int_equal(count(), 0);
	end();
}

/* Types ------------------------------------------------------------------------------------ */

static void isolate(struct qr_page *page, bool on)
{
	unsigned long irqs = qr__zone_lock(zone());
	qr_pfn_t pfn = qr__pageblock_start(qr_page_to_pfn(m->q, page));
	uint64_t nr = qr__read(&zone()->nr_isolate_pageblock);

	assert_true(qr_move_freepages_block_isolate(zone(), pfn, on));
	qr__write(&zone()->nr_isolate_pageblock, on ? nr + 1 : nr - 1);
	qr__zone_unlock(zone(), irqs);
}

static uint64_t isolated_pages(void)
{
	struct qr_zone_snapshot snap;
	uint64_t nr = 0;

	qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &snap);
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
		nr += snap.nr_blocks_type[QR_MIGRATE_ISOLATE][order] << order;
	return nr;
}

/*
 * Freed, then isolated, then drained: the page must land on the list of its pageblock's new type.
 */
static void test_A1_the_type_is_read_again(void **state)
{
	struct qr_page *page;
	uint64_t before, isolated;

	(void)state;
	begin(1);
	page = take(QR_GFP_KERNEL, 0);
	qr_drain_all_pages(m->q, NULL);
	give(page, 0);
	assert_int_equal(count(), 1);
	isolate(page, true);
	before = nr_free();
	isolated = isolated_pages();
	drains_watch(true);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(drained.types[0], QR_MIGRATE_ISOLATE);
	drains_watch(false);
	assert_int_equal(nr_free(), before);
	assert_int_equal(isolated_pages(), isolated + 1);
	test_machine_check(m);
	isolate(page, false);
	end();
}

static void test_isolated_pages_bypass_the_cache(void **state)
{
	struct qr_page *page;
	uint64_t isolated;

	(void)state;
	begin(1);
	page = take(QR_GFP_KERNEL, 0);
	qr_drain_all_pages(m->q, NULL);
	isolate(page, true);
	isolated = isolated_pages();
	short_way();
	give(page, 0);
	assert_int_equal(count(), 0);
	assert_int_equal(isolated_pages(), isolated + 1);
	isolate(page, false);
	end();
}

/* HIGHATOMIC and CMA wait among the movable ones, and go home to their own lists. */
static void test_odd_types_wait_among_movable(void **state)
{
	static const enum qr_migratetype types[] = {QR_MIGRATE_HIGHATOMIC, QR_MIGRATE_CMA};

	(void)state;
	begin(1);
	for (unsigned i = 0; i < 2; i++) {
		struct qr_page *page = take(QR_GFP_KERNEL, 0);
		qr_pfn_t pfn = qr__pageblock_start(qr_page_to_pfn(m->q, page));
		enum qr_migratetype was = qr_get_pageblock_migratetype(m->q, pfn);
		unsigned long irqs;

		qr_drain_all_pages(m->q, NULL);
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, was, types[i]) >= 0);
		qr__zone_unlock(zone(), irqs);
		short_way();
		give(page, 0);
		assert_int_equal(count(), 1);
		assert_false(qr__list_empty(&pcp()->lists[QR_MIGRATE_MOVABLE]));
		drains_watch(true);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(drained.nr, 1);
		assert_int_equal(drained.types[0], types[i]);
		drains_watch(false);
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, types[i], was) >= 0);
		qr__zone_unlock(zone(), irqs);
	}
	end();
}

/* In the way ------------------------------------------------------------------------------- */

static void test_a_taken_cache_is_passed_by(void **state)
{
	static const unsigned orders[] = {0, 1, 3};
	struct qr_alloc_stats before, after;

	(void)state;
	begin(1);
	qr_alloc_stats(m->q, &before);
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page;
		uint64_t free_before = nr_free();

		atomic_store(&pcp()->lock.taken, 1);
		page = take(QR_GFP_KERNEL, orders[i]);
		assert_int_equal(nr_free(), free_before - (1u << orders[i]));
		give(page, orders[i]);
		assert_int_equal(nr_free(), free_before);
		atomic_store(&pcp()->lock.taken, 0);
		assert_int_equal(count(), 0);
	}
	qr_alloc_stats(m->q, &after);
	assert_int_equal(after.pcp_contended - before.pcp_contended, 6);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), 1 + 2 + 8);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), 1 + 2 + 8);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 3);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), 3);
	end();
}

/* An interrupt that allocates and frees in the middle of a refill. */
static struct {
	unsigned long (*irq_save)(void *ctx);
	unsigned due; /* at the so-manieth masking from now */
	unsigned served;
} interrupt;

static unsigned long interrupting_irq_save(void *ctx)
{
	if (interrupt.due && --interrupt.due == 0) {
		struct qr_task task = {.flags = QR_TASK_INTERRUPT};
		struct qr_page *page;

		test_task_set(&task);
		page = qr_alloc_pages(m->q, QR_GFP_ATOMIC, 0);
		assert_non_null(page);
		qr___free_pages(m->q, page, 0);
		test_task_set(NULL);
		interrupt.served++;
	}
	return interrupt.irq_save(ctx);
}

static void test_A23_interrupts_pass_the_cache_by(void **state)
{
	static const enum qr_cpu_model models[] = {QR_CPU_SMP, QR_CPU_RT, QR_CPU_UP};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page;
		struct qr_alloc_stats stats;

		m = test_machine_new();
		test_machine_one_zone(m, PAGES);
		m->config.platform.cpu_model = models[i];
		interrupt.irq_save = m->config.platform.irq_save;
		interrupt.due = interrupt.served = 0;
		m->config.platform.irq_save = interrupting_irq_save;
		test_machine_create(m);
		/* UP masks once for the cache; then, as all do, for the zone that refills it. */
		interrupt.due = models[i] == QR_CPU_UP ? 2 : 1;
		page = take(QR_GFP_KERNEL, 0);
		assert_int_equal(interrupt.served, 1);
		qr_alloc_stats(m->q, &stats);
		assert_int_equal(stats.pcp_contended, 2);
		give(page, 0);
		end();
	}
}

/* UP: nothing comes between, since interrupts are masked while a cache is locked. */
static void test_up_masks_interrupts(void **state)
{
	static const struct {
		enum qr_cpu_model model;
		unsigned depth;
	} rows[] = {{QR_CPU_SMP, 1}, {QR_CPU_RT, 1}, {QR_CPU_UP, 2}};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		m = test_machine_new();
		test_machine_one_zone(m, PAGES);
		m->config.platform.cpu_model = rows[i].model;
		test_machine_create(m);
		for (unsigned order = 0; order < 2; order++) {
			give(take(QR_GFP_KERNEL, order), order);
			drains_watch(true);
			qr_drain_all_pages(m->q, NULL);
			assert_int_equal(drained.irqs, rows[i].depth);
			drains_watch(false);
		}
		assert_int_equal(test_irqs_masked(), 0);
		assert_int_equal(test_pins(), 0);
		end();
	}
}

/* The CPU that pinning names is the one whose cache is used. */
static unsigned pin_to_1(void *ctx)
{
	(void)ctx;
	return 1;
}

static void unpin(void *ctx)
{
	(void)ctx;
}

static void test_pinning_names_the_cache(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = 2;
	m->config.platform.cpu_model = QR_CPU_RT;
	m->config.platform.cpu_pin = pin_to_1;
	m->config.platform.cpu_unpin = unpin;
	test_machine_create(m);
	give(take(QR_GFP_KERNEL, 0), 0);
	give(take(QR_GFP_KERNEL, 1), 1);
	assert_int_equal(qr__pcp_read(&zone()->pcp[0].count), 0);
	assert_true(qr__pcp_read(&zone()->pcp[1].count) > 0);
	end();
}

/* A CPU number beyond what was configured is folded, not believed. */
static unsigned wild_cpu(void *ctx)
{
	(void)ctx;
	return 1000001;
}

static void test_wild_cpu_numbers(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = 2;
	m->config.platform.cpu_pin = NULL;
	m->config.platform.cpu_unpin = NULL;
	m->config.platform.cpu_id = wild_cpu;
	test_machine_create(m);
	give(take(QR_GFP_KERNEL, 0), 0);
	assert_true(qr__pcp_read(&zone()->pcp[1].count) > 0);
	end();
}

/* Bulk ------------------------------------------------------------------------------------- */

static void test_take_bulk(void **state)
{
	struct qr_page *pages[100];
	unsigned got;

	(void)state;
	begin(1);
	sizes(15, 100, 100);
	got = qr__pcp_take_bulk(zone(), zone(), QR_MIGRATE_UNMOVABLE, 0, 100, pages);
	assert_int_equal(got, 100);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), 100);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 100);
	for (unsigned i = 0; i < got; i++) {
		qr_prep_new_page(qr__allocator(m->q), pages[i], 0, QR_GFP_KERNEL, 0);
		give(pages[i], 0);
	}
	atomic_store(&pcp()->lock.taken, 1);
	assert_int_equal(qr__pcp_take_bulk(zone(), zone(), QR_MIGRATE_UNMOVABLE, 0, 5, pages), 0);
	atomic_store(&pcp()->lock.taken, 0);
	sizes_end();
	end();
}

/* The short way ---------------------------------------------------------------------------- */

/* Whatever the long way would refuse, or do besides, a full cache must not hide. */
static void test_a_full_cache_opens_no_closed_zone(void **state)
{
	const qr_gfp_t movable = QR_GFP_HIGHUSER_MOVABLE & ~QR___GFP_RECLAIM;
	struct qr_page *pages[2];

	(void)state;
	begin(1);
	pages[0] = take(QR_GFP_KERNEL, 0);
	pages[1] = take(movable, 0);
	give(pages[0], 0);
	give(pages[1], 0);
	/* Free pages that only movable requests may have. */
	qr__write(&zone()->nr_free_cma, nr_free());
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	assert_ptr_equal(take(movable, 0), pages[1]);
	qr__write(&zone()->nr_free_cma, 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* Pages kept from those who may use a higher zone. */
	qr__write(&zone()->lowmem_reserve[QR_ZONE_NORMAL], PAGES);
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	qr__write(&zone()->lowmem_reserve[QR_ZONE_NORMAL], 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* The reserve. */
	qr__write(&zone()->nr_free_highatomic, nr_free());
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT | QR___GFP_NOMEMALLOC, 0));
	qr__write(&zone()->nr_free_highatomic, 0);
	/* The mark; and that it was passed by is remembered. */
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	qr__write(&zone()->watermark_boost, PAGES);
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	assert_true(qr__zone_flag(zone(), QR_ZONE_BELOW_HIGH));
	qr__write(&zone()->watermark_boost, 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* A boost that nobody has told kswapd of. */
	qr__zone_flag_set(zone(), QR_ZONE_BOOSTED_WATERMARK);
	assert_ptr_equal(take(QR_GFP_KERNEL, 0), pages[0]);
	assert_false(qr__zone_flag(zone(), QR_ZONE_BOOSTED_WATERMARK));
	give(pages[0], 0);
	give(pages[1], 0);
	end();
}

/* Each kind of request that is more than taking a page gets what it asked for. */
static void test_unusual_requests_are_noticed(void **state)
{
	struct qr_page *page, *movable;
	const struct qr_fail_page_alloc fail = {.interval = 1};

	(void)state;
	begin(1);
	give(take(QR_GFP_KERNEL, 0), 0);
	qr_fail_page_alloc_set(m->q, &fail);
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL, 0));
	qr_fail_page_alloc_set(m->q, NULL);
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | 0x200, 0));
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | QR_GFP_DMA | QR_GFP_DMA32, 0));
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | QR_GFP_MOVABLE_MASK, 0));
	/* Where types are not kept apart, all is unmovable. */
	movable = take(QR_GFP_HIGHUSER_MOVABLE, 0);
	give(movable, 0);
	atomic_store(&qr__allocator(m->q)->frames.mobility_disabled, true);
	page = take(QR_GFP_HIGHUSER_MOVABLE, 0);
	assert_ptr_not_equal(page, movable);
	atomic_store(&qr__allocator(m->q)->frames.mobility_disabled, false);
	give(page, 0);
	end();
}

/* One stream of requests; what came out of it. */
static uint64_t stream_run(struct quire *q, uint64_t seed)
{
	static struct qr_page *held[1024];
	uint64_t random = seed, hash = 0;
	unsigned nr = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned kind = (unsigned)test_random_below(&random, 4);
		unsigned order = kind == 3 ? (unsigned)test_random_below(&random, 4) : 0;
		qr_gfp_t gfp = kind == 1 ? QR_GFP_HIGHUSER_MOVABLE : QR_GFP_KERNEL;

		if (nr < 1024 && test_random_below(&random, 1024) >= nr) {
			struct qr_page *page = qr_alloc_pages(q, gfp, order);

			assert_non_null(page);
			hash = hash * 31 + qr_page_to_pfn(q, page);
			held[nr++] = page;
		} else {
			unsigned victim = (unsigned)test_random_below(&random, nr);

			qr___free_pages(q, held[victim], qr__page_order(held[victim]));
			held[victim] = held[--nr];
		}
	}
	while (nr--)
		qr___free_pages(q, held[nr], qr__page_order(held[nr]));
	return hash;
}

static void no_listener(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx, (void)event;
}

/* The short way and the long one, which a listener forces, must give out the same pages. */
static void test_the_short_way_decides_the_same(void **state)
{
	uint64_t seed = test_seed(20250101);
	uint64_t hash[2];
	struct qr_pcp_snapshot snap[2];
	uint64_t events[2][QR_NR_VM_EVENTS];

	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		begin(1);
		if (way)
			qr_trace_set(m->q, no_listener, NULL,
				     1u << QR_TP_MM_PAGE_FREE | 1u << QR_TP_MM_PAGE_ALLOC);
		hash[way] = stream_run(m->q, seed);
		qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &snap[way]);
		for (unsigned i = 0; i < QR_NR_VM_EVENTS; i++)
			events[way][i] = qr_vm_event(m->q, (enum qr_vm_event)i);
		qr_trace_set(m->q, NULL, NULL, 0);
		end();
	}
	if (hash[0] != hash[1])
		fail_msg("TEST_SEED=%llu", (unsigned long long)seed);
	assert_memory_equal(&snap[0], &snap[1], sizeof(snap[0]));
	assert_memory_equal(events[0], events[1], sizeof(events[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refills_double),
		cmocka_unit_test(test_refills_leave_room),
		cmocka_unit_test(test_refills_without_room),
		cmocka_unit_test(test_high_grows_no_further_than_max),
		cmocka_unit_test(test_short_zones_do_not_raise_high),
		cmocka_unit_test(test_refills_of_larger_blocks),
		cmocka_unit_test(test_last_in_first_out),
		cmocka_unit_test(test_refills_are_used_in_order),
		cmocka_unit_test(test_drains_take_the_oldest),
		cmocka_unit_test(test_drains_go_round),
		cmocka_unit_test(test_frees_in_a_row_are_given_back),
		cmocka_unit_test(test_a_single_free_gives_a_batch_back),
		cmocka_unit_test(test_allocations_halve_the_row),
		cmocka_unit_test(test_the_row_is_bounded),
		cmocka_unit_test(test_bursts_raise_high),
		cmocka_unit_test(test_reclaim_shrinks_caches),
		cmocka_unit_test(test_short_zones_shrink_caches),
		cmocka_unit_test(test_grown_caches_shrink_in_short_zones),
		cmocka_unit_test(test_A19_give_and_take_does_not_drain),
		cmocka_unit_test(test_rows_of_small_blocks_are_given_back),
		cmocka_unit_test(test_rows_are_interrupted),
		cmocka_unit_test(test_large_data_caches_keep_small_blocks),
		cmocka_unit_test(test_huge_pages_have_lists_of_their_own),
		cmocka_unit_test(test_huge_pages_can_be_left_out),
		cmocka_unit_test(test_A1_the_type_is_read_again),
		cmocka_unit_test(test_isolated_pages_bypass_the_cache),
		cmocka_unit_test(test_odd_types_wait_among_movable),
		cmocka_unit_test(test_a_taken_cache_is_passed_by),
		cmocka_unit_test(test_A23_interrupts_pass_the_cache_by),
		cmocka_unit_test(test_up_masks_interrupts),
		cmocka_unit_test(test_pinning_names_the_cache),
		cmocka_unit_test(test_wild_cpu_numbers),
		cmocka_unit_test(test_take_bulk),
		cmocka_unit_test(test_a_full_cache_opens_no_closed_zone),
		cmocka_unit_test(test_unusual_requests_are_noticed),
		cmocka_unit_test(test_the_short_way_decides_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
