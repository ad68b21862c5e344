/* SPDX-License-Identifier: MIT */
/*
 * test_snapshot.c - an instance, a zone, a cache as numbers
 */
#include "hoard.h"

#include "alloc/pcp.h"

#define ZONE_PAGES UINT64_C(16384)

static struct test_machine *one_zone(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, ZONE_PAGES);
	m->config.nr_cpus = 2;
	test_machine_create(m);
	return m;
}

static struct qr_zone_snapshot normal(struct test_machine *m)
{
	struct qr_zone_snapshot snap;

	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &snap), 0);
	return snap;
}

static void test_fresh_zone(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_zone_snapshot snap = normal(m);

	(void)state;
	assert_int_equal(snap.nid, 0);
	assert_int_equal(snap.type, QR_ZONE_NORMAL);
	assert_string_equal(snap.name, "Normal");
	assert_int_equal(snap.start_pfn, 0);
	assert_int_equal(snap.end_pfn, ZONE_PAGES);
	assert_int_equal(snap.spanned, ZONE_PAGES);
	assert_int_equal(snap.present, ZONE_PAGES);
	assert_int_equal(snap.managed, ZONE_PAGES);
	assert_int_equal(snap.nr_free, ZONE_PAGES);
	assert_int_equal(snap.cma, 0);
	assert_int_equal(snap.nr_deferred, 0);
	assert_int_equal(snap.nr_pcp_pages, 0);
	for (unsigned order = 0; order < QR_MAX_PAGE_ORDER; order++)
		assert_int_equal(snap.nr_blocks[order], 0);
	assert_int_equal(snap.nr_blocks[QR_MAX_PAGE_ORDER], ZONE_PAGES / QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(snap.nr_blocks_type[QR_MIGRATE_MOVABLE][QR_MAX_PAGE_ORDER],
			 ZONE_PAGES / QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(snap.nr_blocks_type[QR_MIGRATE_UNMOVABLE][QR_MAX_PAGE_ORDER], 0);
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_MOVABLE],
			 ZONE_PAGES / QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_UNMOVABLE], 0);
	assert_false(snap.below_high);
	assert_false(snap.boosted);
	test_machine_free(m);
}

/* 64 MiB: 1024 KiB to be kept free, 256 pages of it here; a quarter of that between marks. */
static void test_marks(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_zone_snapshot snap = normal(m);
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);

	(void)state;
	assert_int_equal(snap.watermark[QR_WMARK_MIN], 256);
	assert_int_equal(snap.watermark[QR_WMARK_LOW], 320);
	assert_int_equal(snap.watermark[QR_WMARK_HIGH], 384);
	assert_int_equal(snap.watermark[QR_WMARK_PROMO], 448);
	assert_int_equal(snap.watermark_boost, 0);
	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		assert_int_equal(qr_zone_watermark(zone, (enum qr_watermark)mark),
				 snap.watermark[mark]);
	assert_int_equal(qr_zone_watermark(zone, QR_NR_WMARK), 0);
	assert_int_equal(qr_zone_free_pages(zone), ZONE_PAGES);
	assert_int_equal(qr_zone_nid(zone), 0);
	assert_int_equal(qr_zone_type_of(zone), QR_ZONE_NORMAL);

	/* The boost is part of every mark. */
	qr__write(&zone->watermark_boost, 512);
	snap = normal(m);
	assert_int_equal(snap.watermark_boost, 512);
	assert_int_equal(snap.watermark[QR_WMARK_MIN], 256 + 512);
	assert_int_equal(qr_zone_watermark(zone, QR_WMARK_HIGH), 384 + 512);
	qr__write(&zone->watermark_boost, 0);
	qr__zone_flag_set(zone, QR_ZONE_BELOW_HIGH | QR_ZONE_BOOSTED_WATERMARK);
	snap = normal(m);
	assert_true(snap.below_high);
	assert_true(snap.boosted);
	test_machine_free(m);
}

static void test_counts_follow(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 4);
	struct qr_zone_snapshot snap;
	uint64_t sum = 0;

	(void)state;
	qr_drain_all_pages(m->q, NULL); /* what came along with it */
	snap = normal(m);
	assert_int_equal(snap.nr_free, ZONE_PAGES - 16);
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
		uint64_t types = 0;

		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			types += snap.nr_blocks_type[type][order];
		assert_int_equal(types, snap.nr_blocks[order]);
		sum += snap.nr_blocks[order] << order;
	}
	assert_int_equal(sum, ZONE_PAGES - 16);
	/* The first unmovable request took pageblocks over whole. */
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_UNMOVABLE] +
				 snap.nr_pageblocks[QR_MIGRATE_MOVABLE],
			 ZONE_PAGES / QR_PAGEBLOCK_NR_PAGES);
	assert_int_not_equal(snap.nr_pageblocks[QR_MIGRATE_UNMOVABLE], 0);
	qr___free_pages(m->q, page, 4);
	test_machine_free(m);
}

static void test_caches(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_pcp_snapshot pcp;
	struct qr_page *page;

	(void)state;
	test_cpu_set(1);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_non_null(page);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &pcp), 0);
	assert_int_equal(pcp.count, 0);
	assert_int_equal(qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 1, &pcp), 0);
	assert_int_not_equal(pcp.count, 0);
	assert_int_equal(pcp.batch, 3);
	assert_true(pcp.high_min <= pcp.high && pcp.high <= pcp.high_max);
	assert_int_equal(pcp.high_min, 160); /* the low mark, shared by 2 CPUs */
	assert_int_equal(pcp.high_max, ZONE_PAGES / 8 / 2);
	assert_int_equal(normal(m).nr_pcp_pages, pcp.count);
	assert_int_equal(normal(m).nr_free + pcp.count, ZONE_PAGES);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(normal(m).nr_pcp_pages, 0);
	test_cpu_set(0);
	test_machine_free(m);
}

static void test_no_such(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_zone_snapshot snap;
	struct qr_pcp_snapshot pcp;

	(void)state;
	assert_int_equal(qr_zone_snapshot(m->q, 1, QR_ZONE_NORMAL, &snap), QR_ENOENT);
	assert_int_equal(qr_zone_snapshot(m->q, -1, QR_ZONE_NORMAL, &snap), QR_ENOENT);
	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_ZONE_HIGHMEM, &snap), QR_ENOENT);
	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_NR_ZONES, &snap), QR_ENOENT);
	assert_int_equal(qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 2, &pcp), QR_ENOENT);
	assert_int_equal(qr_pcp_snapshot(m->q, 2, QR_ZONE_NORMAL, 0, &pcp), QR_ENOENT);
	assert_int_equal(qr_pcp_snapshot(m->q, 0, QR_ZONE_MOVABLE, 0, &pcp), QR_ENOENT);

	/* A type that exists, but has no memory here. */
	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_ZONE_MOVABLE, &snap), 0);
	assert_int_equal(snap.start_pfn, snap.end_pfn);
	assert_int_equal(snap.present, 0);
	test_machine_free(m);
}

static void test_deferred(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zone_snapshot snap;

	(void)state;
	test_machine_one_zone(m, UINT64_C(4) << 15);
	m->config.options |= QR_OPT_DEFERRED_INIT;
	test_machine_create(m);
	snap = normal(m);
	assert_int_equal(snap.nr_free, UINT64_C(1) << 15);
	assert_int_equal(snap.nr_deferred, UINT64_C(3) << 15);
	assert_int_equal(snap.managed, UINT64_C(4) << 15);
	qr_page_alloc_init_late(m->q);
	snap = normal(m);
	assert_int_equal(snap.nr_deferred, 0);
	assert_int_equal(snap.nr_free, UINT64_C(4) << 15);
	test_machine_free(m);
}

static void test_cma(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zone_snapshot snap;

	(void)state;
	test_machine_add(m, 0, 4 * QR_PAGEBLOCK_NR_PAGES, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, 4 * QR_PAGEBLOCK_NR_PAGES, ZONE_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = UINT64_C(1) << 20};
	test_machine_create(m);
	assert_int_equal(normal(m).managed, ZONE_PAGES);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, QR_PAGEBLOCK_NR_PAGES), 0);
	snap = normal(m);
	assert_int_equal(snap.cma, QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_free_cma, QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_free, ZONE_PAGES + QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.managed, ZONE_PAGES + QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_CMA], 1);
	assert_int_equal(snap.nr_blocks_type[QR_MIGRATE_CMA][QR_PAGEBLOCK_ORDER], 1);
	test_machine_free(m);
}

static void test_isolated(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	struct qr_zone_snapshot snap;
	unsigned long irqs = qr__zone_lock(zone);

	(void)state;
	assert_true(qr_move_freepages_block_isolate(zone, 0, true));
	qr__bump(&zone->nr_isolate_pageblock, 1);
	qr__zone_unlock(zone, irqs);
	snap = normal(m);
	assert_int_equal(snap.nr_isolate_pageblock, 1);
	assert_int_equal(snap.nr_free, ZONE_PAGES - QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_ISOLATE], 1);
	assert_int_equal(snap.nr_blocks_type[QR_MIGRATE_ISOLATE][QR_PAGEBLOCK_ORDER], 1);
	/* What buddyinfo tells does not change but for the block that had to be cut. */
	assert_int_equal(snap.nr_blocks[QR_PAGEBLOCK_ORDER], 2);
	test_machine_check(m);
	test_machine_free(m);
}

/* The whole instance ----------------------------------------------------------------------- */

static void test_instance(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_quire_snapshot snap;

	(void)state;
	test_machine_nodes(m, 2, ZONE_PAGES);
	m->config.options |= QR_OPT_CHECK_PAGES;
	test_machine_create(m);
	qr_quire_snapshot(m->q, &snap);
	assert_int_equal(snap.nr_nodes, 2);
	assert_int_equal(snap.nr_cpus, 2);
	assert_int_equal(snap.start_pfn, 0);
	assert_int_equal(snap.end_pfn, 2 * ZONE_PAGES);
	assert_int_equal(snap.present, 2 * ZONE_PAGES);
	assert_int_equal(snap.managed, 2 * ZONE_PAGES);
	assert_int_equal(snap.nr_free, 2 * ZONE_PAGES);
	assert_int_equal(snap.min_free_kbytes, 1448); /* of 128 MiB */
	assert_int_equal(snap.metadata_size, m->metadata_size);
	assert_string_equal(snap.engine, test_engine());
	assert_false(snap.mobility_disabled);
	assert_int_equal(snap.options, QR_OPT_CHECK_PAGES);
	test_machine_free(m);
}

static void test_instance_with_holes(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_quire_snapshot snap;

	(void)state;
	test_machine_add(m, 100, 1000, 0);
	test_machine_add(m, 40, 30, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = 4096};
	test_machine_create(m);
	qr_quire_snapshot(m->q, &snap);
	assert_int_equal(snap.start_pfn, 40);
	assert_int_equal(snap.end_pfn, 1100);
	assert_int_equal(snap.present, 1030);
	assert_int_equal(snap.managed, 1000);
	/* 1000 pages are too few, unless pageblocks are tiny. */
	assert_int_equal(snap.mobility_disabled, QR_PAGEBLOCK_ORDER > 7);
	test_machine_free(m);
}

/* As in Linux, a pageblock counts if its section is online, even if it begins in a hole. */
static void test_pageblock_in_a_hole(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_add(m, 0, 4 * QR_PAGEBLOCK_NR_PAGES, 0);
	test_machine_add(m, 6 * QR_PAGEBLOCK_NR_PAGES, 4 * QR_PAGEBLOCK_NR_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = UINT64_C(1) << 20};
	test_machine_create(m);
	assert_int_equal(normal(m).nr_pageblocks[QR_MIGRATE_MOVABLE] +
				 normal(m).nr_pageblocks[QR_MIGRATE_UNMOVABLE],
			 10);
	test_machine_free(m);
}

/* Free memory less what zones keep for themselves: here the high mark of the only zone. */
static void test_mem_available(void **state)
{
	struct test_machine *m = one_zone();
	struct hoard h = hoard_new(m->q);

	(void)state;
	assert_int_equal(qr_si_mem_available(m->q), ZONE_PAGES - 384);
	while (normal(m).nr_free > 384)
		assert_non_null(hoard_take(&h, QR_GFP_KERNEL, 0));
	assert_int_equal(qr_si_mem_available(m->q), 0);
	for (size_t i = 0; i < h.nr; i++)
		qr___free_pages(m->q, h.entries[i].page, 0);
	free(h.entries);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_zone),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_counts_follow),
		cmocka_unit_test(test_caches),
		cmocka_unit_test(test_no_such),
		cmocka_unit_test(test_deferred),
		cmocka_unit_test(test_cma),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_instance_with_holes),
		cmocka_unit_test(test_pageblock_in_a_hole),
		cmocka_unit_test(test_mem_available),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
