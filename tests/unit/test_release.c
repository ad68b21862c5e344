/* SPDX-License-Identifier: MIT */
/*
 * test_release.c - fresh memory, deferred memory, reserved pages and CMA areas
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define SECTION_ORDER (QR_MAX_PAGE_ORDER > 8 ? QR_MAX_PAGE_ORDER : 8)
#define SECTION (UINT64_C(1) << SECTION_ORDER)

/* Fresh memory ----------------------------------------------------------------------------- */

/* Each frame of odd ranges is free once, in the largest blocks that fit, and MOVABLE. */
static void test_all_is_released(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zone_snapshot snap;
	qr_pfn_t section = SECTION;

	(void)state;
	m->config.section_order = SECTION_ORDER;
	test_machine_add(m, 3, section - 5, 0);
	test_machine_add(m, section + 1, 2 * section, 0);
	test_machine_add(m, 4 * section - 7, 4 * section + 100, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = 9 * section};
	test_machine_create(m);
	snap = zone_snap(m->q, 0, QR_ZONE_NORMAL);
	assert_int_equal(snap.nr_free, 7 * section + 95);
	assert_int_equal(snap.managed, 7 * section + 95);
	assert_int_equal(snap.nr_deferred, 0);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
			if (type != QR_MIGRATE_MOVABLE)
				assert_int_equal(snap.nr_blocks_type[type][order], 0);
	/* No smaller block could be part of a larger one: at most two ragged ends per range. */
	for (unsigned order = 0; order < QR_MAX_PAGE_ORDER; order++)
		assert_true(snap.nr_blocks[order] <= 6);
	test_machine_check(m);
	test_machine_free(m);
}

/* The cold end: blocks come out in ascending order, as they went in. */
static void test_lowest_first(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	qr_pfn_t last = 0;

	(void)state;
	test_machine_one_zone(m, 16 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	for (unsigned i = 0; i < 8; i++) {
		struct qr_page *page = hoard_take(&hoard, QR___GFP_MOVABLE, QR_MAX_PAGE_ORDER);
		qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

		assert_true(i == 0 ? pfn == 0 : pfn == last + QR_MAX_ORDER_NR_PAGES);
		last = pfn;
	}
	hoard_free(&hoard);
	test_machine_free(m);
}

static int first_block(void *arg, qr_pfn_t pfn, unsigned order, enum qr_migratetype type)
{
	(void)type;
	if (order != QR_MAX_PAGE_ORDER)
		return 0;
	*(qr_pfn_t *)arg = pfn;
	return 1;
}

/* Shuffled: the same blocks in another order, which the seed decides. */
static void test_shuffle(void **state)
{
	qr_pfn_t first[4] = {0};
	unsigned different = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct test_machine *m = test_machine_new();

		test_machine_one_zone(m, 256 * QR_MAX_ORDER_NR_PAGES);
		m->config.options = QR_OPT_SHUFFLE;
		m->config.seed = 1 + i / 2;
		test_machine_create(m);
		qr_for_each_free_block(m->q, 0, QR_ZONE_NORMAL, first_block, &first[i]);
		assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), 256 * QR_MAX_ORDER_NR_PAGES);
		different += first[i] != 0;
		test_machine_free(m);
	}
	assert_int_equal(first[0], first[1]);
	assert_int_equal(first[2], first[3]);
	assert_true(different > 0);
}

/* Deferred memory -------------------------------------------------------------------------- */

static struct test_machine *deferred_new(unsigned sections)
{
	struct test_machine *m = test_machine_new();

	m->config.section_order = SECTION_ORDER;
	m->config.options = QR_OPT_DEFERRED_INIT;
	test_machine_one_zone(m, sections * SECTION);
	return m;
}

static void test_deferred_starts_small(void **state)
{
	struct test_machine *m = deferred_new(20), *whole = deferred_new(20);
	struct qr_zone_snapshot snap, full;

	(void)state;
	whole->config.options = 0;
	test_machine_create(m);
	test_machine_create(whole);
	snap = zone_snap(m->q, 0, QR_ZONE_NORMAL);
	full = zone_snap(whole->q, 0, QR_ZONE_NORMAL);
	assert_int_equal(snap.nr_free, SECTION);
	assert_int_equal(snap.nr_deferred, 19 * SECTION);
	/* Sizes are those of the whole machine from the start. */
	assert_int_equal(snap.managed, full.managed);
	assert_memory_equal(snap.watermark, full.watermark, sizeof(snap.watermark));
	assert_memory_equal(snap.lowmem_reserve, full.lowmem_reserve, sizeof(snap.lowmem_reserve));
	test_machine_check(m);
	test_machine_free(whole);
	test_machine_free(m);
}

/* Requests grow the zone by what they need, and nobody is asked to reclaim. */
static void test_deferred_grows_on_demand(void **state)
{
	struct test_machine *m = deferred_new(20);
	struct hoard hoard;
	uint64_t nr = 0;

	(void)state;
	test_machine_create(m);
	hoard = hoard_new(m->q);
	while (zone_snap(m->q, 0, QR_ZONE_NORMAL).nr_deferred) {
		assert_non_null(hoard_take(&hoard, QR_GFP_KERNEL, 0));
		nr++;
	}
	assert_int_equal(alloc_stats(m->q).slowpath, 0);
	assert_true(nr > 18 * SECTION);
	test_machine_check(m);
	hoard_free(&hoard);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), 20 * SECTION);
	test_machine_free(m);
}

/* One step is one section, unless a larger block is asked for. */
static void test_deferred_steps(void **state)
{
	struct test_machine *m = deferred_new(20);
	struct qr_zone *zone;

	(void)state;
	test_machine_create(m);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	assert_true(qr_deferred_grow_zone(zone, 0));
	assert_int_equal(qr_zone_free_pages(zone), 2 * SECTION);
	assert_true(qr_deferred_grow_zone(zone, SECTION_ORDER + 1));
	assert_int_equal(qr_zone_free_pages(zone), 4 * SECTION);
	while (qr_deferred_grow_zone(zone, 0))
		;
	assert_int_equal(qr_zone_free_pages(zone), 20 * SECTION);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_NORMAL).nr_deferred, 0);
	assert_false(qr_deferred_grow_zone(zone, 0));
	test_machine_free(m);
}

/* The background work does it bit by bit, and ends. */
static void test_deferred_in_background(void **state)
{
	struct test_machine *m = deferred_new(40);
	unsigned runs = 0;

	(void)state;
	test_machine_create(m);
	assert_true(m->run_by_ns == 0);
	while (zone_snap(m->q, 0, QR_ZONE_NORMAL).nr_deferred) {
		uint64_t before = zone_free(m->q, 0, QR_ZONE_NORMAL), after;

		qr_run_pending(m->q);
		after = zone_free(m->q, 0, QR_ZONE_NORMAL);
		assert_true(after > before && after - before <= 8 * SECTION);
		runs++;
	}
	assert_int_equal(runs, 5);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), 40 * SECTION);
	test_machine_free(m);
}

static void test_deferred_init_late(void **state)
{
	struct test_machine *m = deferred_new(20);

	(void)state;
	m->config.options |= QR_OPT_SHUFFLE;
	test_machine_create(m);
	qr_page_alloc_init_late(m->q);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), 20 * SECTION);
	qr_page_alloc_init_late(m->q);
	test_machine_free(m);
}

/* What waits has no records: its frames are neither free nor allocated. */
static void test_deferred_frames(void **state)
{
	struct test_machine *m = deferred_new(3);
	struct qr_frame_info info;

	(void)state;
	test_machine_create(m);
	assert_int_equal(qr_frame_info_racy(m->q, 0, &info), 0);
	assert_int_equal(info.state, QR_FRAME_FREE);
	assert_int_equal(qr_frame_info_racy(m->q, 2 * SECTION + 5, &info), 0);
	assert_int_equal(info.state, QR_FRAME_DEFERRED);
	qr_page_alloc_init_late(m->q);
	assert_int_equal(qr_frame_info_racy(m->q, 2 * SECTION + 5, &info), 0);
	assert_int_equal(info.state, QR_FRAME_FREE);
	test_machine_free(m);
}

/* Holes and several zones: each zone starts with its own first run. */
static void test_deferred_zones(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	m->config.section_order = SECTION_ORDER;
	m->config.options = QR_OPT_DEFERRED_INIT;
	test_machine_add(m, 10, 3 * SECTION, 0);
	test_machine_add(m, 4 * SECTION, 4 * SECTION, 1);
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = 0, .dma32_end = 2 * SECTION, .normal_end = 8 * SECTION};
	test_machine_create(m);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_DMA32), SECTION - 10);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), SECTION);
	assert_int_equal(zone_free(m->q, 1, QR_ZONE_NORMAL), SECTION);
	qr_page_alloc_init_late(m->q);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_DMA32), 2 * SECTION - 10);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), SECTION + 10);
	assert_int_equal(zone_free(m->q, 1, QR_ZONE_NORMAL), 4 * SECTION);
	test_machine_free(m);
}

/* Reserved pages --------------------------------------------------------------------------- */

static struct test_machine *reserved_new(uint64_t ram, uint64_t reserved)
{
	struct test_machine *m = test_machine_new();

	test_machine_add(m, 0, ram, 0);
	test_machine_add(m, ram, reserved, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = ram + reserved};
	test_machine_create(m);
	return m;
}

static void test_free_reserved_page(void **state)
{
	const uint64_t ram = 64 * QR_PAGEBLOCK_NR_PAGES, reserved = 2 * QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = reserved_new(ram, reserved);

	(void)state;
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), ram);
	assert_int_equal(qr_free_reserved_page(m->q, ram), 0);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), ram + 1);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_NORMAL).managed, ram + 1);
	/* Once only; RAM never; nothing outside. */
	assert_int_equal(qr_free_reserved_page(m->q, ram), QR_EINVAL);
	assert_true(test_log_has(m, "no longer one"));
	assert_int_equal(qr_free_reserved_page(m->q, 0), QR_EINVAL);
	assert_int_equal(qr_free_reserved_page(m->q, ram + reserved), QR_EINVAL);
	assert_int_equal(qr_free_reserved_page(m->q, QR_PFN_NONE), QR_EINVAL);
	/* All of them: they join each other, and what was freed stays known. */
	for (qr_pfn_t pfn = ram + 1; pfn < ram + reserved; pfn++)
		assert_int_equal(qr_free_reserved_page(m->q, pfn), 0);
	for (qr_pfn_t pfn = ram; pfn < ram + reserved; pfn++)
		assert_int_equal(qr_free_reserved_page(m->q, pfn), QR_EINVAL);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), ram + reserved);
	test_machine_check(m);
	test_machine_free(m);
}

/* A freed reserved page is known as such also while it is in use, whatever the order. */
static void test_free_reserved_page_in_use(void **state)
{
	const uint64_t ram = 64 * QR_PAGEBLOCK_NR_PAGES, reserved = QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = reserved_new(ram, reserved);
	struct hoard hoard = hoard_new(m->q);

	(void)state;
	for (qr_pfn_t pfn = ram; pfn < ram + reserved; pfn++)
		assert_int_equal(qr_free_reserved_page(m->q, pfn), 0);
	hoard_all(&hoard, QR___GFP_NOWARN | QR___GFP_MEMALLOC | QR___GFP_COMP, 1);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), 0);
	for (qr_pfn_t pfn = ram; pfn < ram + reserved; pfn++)
		assert_int_equal(qr_free_reserved_page(m->q, pfn), QR_EINVAL);
	hoard_free(&hoard);
	hoard_all(&hoard, QR___GFP_NOWARN | QR___GFP_MEMALLOC, 1);
	for (qr_pfn_t pfn = ram; pfn < ram + reserved; pfn++)
		assert_int_equal(qr_free_reserved_page(m->q, pfn), QR_EINVAL);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* A7: managed pages change, and the protection of lower zones with them. */
static void test_a7_lowmem_reserve_follows(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *page;
	uint64_t reserve;

	(void)state;
	test_machine_add(m, 0, 64 * QR_MAX_ORDER_NR_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.dma32_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.normal_end = 64 * QR_MAX_ORDER_NR_PAGES};
	test_machine_create(m);
	reserve = zone_snap(m->q, 0, QR_ZONE_DMA).lowmem_reserve[QR_ZONE_NORMAL];
	assert_int_equal(reserve, 48 * QR_MAX_ORDER_NR_PAGES / 256);
	page = qr_pfn_to_page(m->q, 20 * QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(
		qr_adjust_managed_page_count(m->q, page, -(int64_t)(16 * QR_MAX_ORDER_NR_PAGES)),
		0);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_DMA).lowmem_reserve[QR_ZONE_NORMAL],
			 32 * QR_MAX_ORDER_NR_PAGES / 256);
	assert_int_equal(
		qr_adjust_managed_page_count(m->q, page, (int64_t)(16 * QR_MAX_ORDER_NR_PAGES)), 0);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_DMA).lowmem_reserve[QR_ZONE_NORMAL], reserve);
	/* No more than there is, no less than none. */
	assert_int_equal(qr_adjust_managed_page_count(m->q, page, 1), QR_EINVAL);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page, INT64_MIN), QR_EINVAL);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page, INT64_MAX), QR_EINVAL);
	assert_int_equal(qr_adjust_managed_page_count(m->q, NULL, 1), QR_EINVAL);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_NORMAL).managed, 48 * QR_MAX_ORDER_NR_PAGES);
	test_machine_free(m);
}

/* CMA -------------------------------------------------------------------------------------- */

static void test_cma_pageblocks(void **state)
{
	const uint64_t ram = 64 * QR_PAGEBLOCK_NR_PAGES, reserved = 4 * QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = reserved_new(ram, reserved);
	struct qr_zone_snapshot snap;

	(void)state;
	/* Misaligned, RAM, half freed. */
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, ram + 1), QR_EINVAL);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, 0), QR_EINVAL);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, ram + reserved), QR_EINVAL);
	assert_int_equal(qr_free_reserved_page(m->q, ram + reserved - QR_PAGEBLOCK_NR_PAGES / 2),
			 0);
	assert_int_equal(
		qr_init_cma_reserved_pageblock(m->q, ram + reserved - QR_PAGEBLOCK_NR_PAGES),
		QR_EINVAL);
	assert_true(test_log_has(m, "whole, aligned pageblock"));

	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, ram), 0);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, ram + QR_PAGEBLOCK_NR_PAGES), 0);
	snap = zone_snap(m->q, 0, QR_ZONE_NORMAL);
	assert_int_equal(snap.nr_free_cma, 2 * QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.cma, 2 * QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.managed, ram + 1 + 2 * QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_free, snap.managed);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, ram), QR_MIGRATE_CMA);
	assert_int_equal(snap.nr_pageblocks[QR_MIGRATE_CMA], 2);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, ram), QR_EINVAL);
	test_machine_check(m);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_released),
		list_unit_test(test_lowest_first),
		cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_deferred_starts_small),
		cmocka_unit_test(test_deferred_grows_on_demand),
		cmocka_unit_test(test_deferred_steps),
		cmocka_unit_test(test_deferred_in_background),
		cmocka_unit_test(test_deferred_init_late),
		cmocka_unit_test(test_deferred_frames),
		cmocka_unit_test(test_deferred_zones),
		cmocka_unit_test(test_free_reserved_page),
		cmocka_unit_test(test_free_reserved_page_in_use),
		cmocka_unit_test(test_a7_lowmem_reserve_follows),
		cmocka_unit_test(test_cma_pageblocks),
	};

	return test_group_run("release", tests);
}
