/* SPDX-License-Identifier: MIT */
/*
 * test_pcp.c - per-CPU caches: how much goes in and out, and in which order
 *
 * What is said here of lists test_magazine.c says of magazines.
 */
#include "pcp_machine.h"

/* Refills ---------------------------------------------------------------------------------- */

static void test_refills_double(void **state)
{
	/*
	 * What each refill brings with batch 4 and limits 100..1000: the batch, doubled five times.
	 */
	static const int32_t refills[] = {4, 8, 16, 32, 64, 128, 128};
	struct qr_page *pages[400];
	uint64_t drains;
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
	drains = qr__read(&pcp()->drains);
	while (n)
		give(pages[--n], 0);
	/* Each free halves the next refill; in front of bitmaps each full magazine of frees. */
	drains = qr__read(&pcp()->drains) - drains;
	assert_int_equal(atomic_load(&pcp()->alloc_factor),
			 test_engine_is("bitmap") ? QR_PCP_BATCH_SCALE_MAX >> drains : 0);
	assert_true(drains > 0 || test_engine_is("list"));
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
	sizes(4, 64 * (int32_t)QR_PAGEBLOCK_NR_PAGES, 64 * (int32_t)QR_PAGEBLOCK_NR_PAGES);
	page = take(QR_GFP_KERNEL, QR_HPAGE_PMD_ORDER);
	give(page, QR_HPAGE_PMD_ORDER);
	assert_int_equal(count(), 0);
	sizes_end();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refills_double),
		cmocka_unit_test(test_refills_leave_room),
		cmocka_unit_test(test_refills_without_room),
		cmocka_unit_test(test_high_grows_no_further_than_max),
		cmocka_unit_test(test_short_zones_do_not_raise_high),
		list_unit_test(test_refills_of_larger_blocks),
		list_unit_test(test_last_in_first_out),
		cmocka_unit_test(test_refills_are_used_in_order),
		cmocka_unit_test(test_drains_take_the_oldest),
		list_unit_test(test_drains_go_round),
		list_unit_test(test_frees_in_a_row_are_given_back),
		list_unit_test(test_a_single_free_gives_a_batch_back),
		list_unit_test(test_allocations_halve_the_row),
		list_unit_test(test_the_row_is_bounded),
		list_unit_test(test_bursts_raise_high),
		list_unit_test(test_reclaim_shrinks_caches),
		list_unit_test(test_short_zones_shrink_caches),
		list_unit_test(test_grown_caches_shrink_in_short_zones),
		list_unit_test(test_A19_give_and_take_does_not_drain),
		list_unit_test(test_rows_of_small_blocks_are_given_back),
		list_unit_test(test_rows_are_interrupted),
		list_unit_test(test_large_data_caches_keep_small_blocks),
		list_unit_test(test_huge_pages_have_lists_of_their_own),
		cmocka_unit_test(test_huge_pages_can_be_left_out),
	};

	return test_group_run("pcp", tests);
}
