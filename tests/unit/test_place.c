/* SPDX-License-Identifier: MIT */
/*
 * test_place.c - certain frames, certain pageblocks, and pages that can be moved; on every engine
 */
#include "alloc/allocator.h"
#include "support.h"

#define PAGES (8 * QR_MAX_ORDER_NR_PAGES)

static struct test_machine *machine_new(const char *engine)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, PAGES);
	m->config.engine = engine;
	test_machine_create(m);
	return m;
}

static uint64_t free_pages(struct test_machine *m)
{
	return qr_zone_free_pages(qr_zone_at(m->q, 0, QR_ZONE_NORMAL));
}

/* Run a test once for each engine. */
static void each_engine(void (*test)(const char *engine))
{
	for (unsigned i = 0; qr_engine_name(i); i++)
		test(qr_engine_name(i));
}

static void blocks_of_all_orders(const char *engine)
{
	struct test_machine *m = machine_new(engine);
	struct qr_page *page;

	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t pfn = 3 * QR_MAX_ORDER_NR_PAGES +
			       (QR_MAX_ORDER_NR_PAGES - (UINT64_C(1) << order));

		assert_int_equal(qr_alloc_pages_at(m->q, pfn, order, QR_GFP_KERNEL, &page), 0);
		assert_int_equal(qr_page_to_pfn(m->q, page), pfn);
		assert_int_equal(qr_page_count(m->q, page), 1);
		assert_int_equal(free_pages(m), PAGES - (UINT64_C(1) << order));
		test_machine_check(m);
		/* the same again, and any part of it, is in use now */
		assert_int_equal(qr_alloc_pages_at(m->q, pfn, order, QR_GFP_KERNEL, &page),
				 QR_EBUSY);
		assert_int_equal(qr_alloc_pages_at(m->q, pfn, 0, QR_GFP_KERNEL, &page), QR_EBUSY);
		assert_int_equal(qr_alloc_pages_at(m->q, 3 * QR_MAX_ORDER_NR_PAGES,
						   QR_MAX_PAGE_ORDER, QR_GFP_KERNEL, &page),
				 QR_EBUSY);
		qr___free_pages(m->q, qr_pfn_to_page(m->q, pfn), order);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(free_pages(m), PAGES);
	}
	test_machine_free(m);
}

static void test_blocks_of_all_orders(void **state)
{
	(void)state;
	each_engine(blocks_of_all_orders);
}

static void places_that_are_none(const char *engine)
{
	struct test_machine *m = machine_new(engine);
	struct qr_page *page = NULL;

	assert_int_equal(qr_alloc_pages_at(m->q, 1, 1, QR_GFP_KERNEL, &page), QR_EINVAL);
	assert_int_equal(qr_alloc_pages_at(m->q, PAGES, 0, QR_GFP_KERNEL, &page), QR_EINVAL);
	assert_int_equal(qr_alloc_pages_at(m->q, QR_PFN_NONE, 0, QR_GFP_KERNEL, &page), QR_EINVAL);
	assert_int_equal(qr_alloc_pages_at(m->q, 0, QR_MAX_PAGE_ORDER + 1, QR_GFP_KERNEL, &page),
			 QR_EINVAL);
	assert_null(page);
	assert_int_equal(free_pages(m), PAGES);
	test_machine_free(m);
}

static void test_places_that_are_none(void **state)
{
	(void)state;
	each_engine(places_that_are_none);
}

/* A page in a cache is nobody's, but not the zone's either. */
static void cached_pages_are_busy(const char *engine)
{
	struct test_machine *m = machine_new(engine);
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), *again;
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr_alloc_pages_at(m->q, pfn, 0, QR_GFP_KERNEL, &again), QR_EBUSY);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_alloc_pages_at(m->q, pfn, 0, QR_GFP_KERNEL, &again), 0);
	assert_ptr_equal(again, page);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_cached_pages_are_busy(void **state)
{
	(void)state;
	each_engine(cached_pages_are_busy);
}

/* With a page in use, the pageblock is no part of a larger free block: it changes alone. */
static void pageblocks_change_type(const char *engine)
{
	struct test_machine *m = machine_new(engine);
	qr_pfn_t start = 2 * QR_MAX_ORDER_NR_PAGES;
	struct qr_page *page;

	assert_int_equal(qr_alloc_pages_at(m->q, start + 1, 0, QR_GFP_KERNEL, &page), 0);
	assert_int_equal(qr_set_pageblock_migratetype(m->q, start, QR_MIGRATE_RECLAIMABLE), 0);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, start), QR_MIGRATE_RECLAIMABLE);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, start - 1), QR_MIGRATE_MOVABLE);
	test_machine_check(m);
	/* once more is nothing new */
	assert_int_equal(qr_set_pageblock_migratetype(m->q, start, QR_MIGRATE_RECLAIMABLE), 0);
	assert_int_equal(free_pages(m), PAGES - 1);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_pageblocks_change_type(void **state)
{
	(void)state;
	each_engine(pageblocks_change_type);
}

/* All that a larger free block covers changes together: it has one type. */
static void large_free_blocks_change_whole(const char *engine)
{
	struct test_machine *m = machine_new(engine);
	qr_pfn_t start = 4 * QR_MAX_ORDER_NR_PAGES;

	assert_int_equal(qr_set_pageblock_migratetype(m->q, start + 1, QR_MIGRATE_UNMOVABLE), 0);
	for (qr_pfn_t pfn = start; pfn < start + QR_MAX_ORDER_NR_PAGES;
	     pfn += QR_PAGEBLOCK_NR_PAGES)
		assert_int_equal(qr_get_pageblock_migratetype(m->q, pfn), QR_MIGRATE_UNMOVABLE);
	assert_int_equal(free_pages(m), PAGES);
	test_machine_free(m);
}

static void test_large_free_blocks_change_whole(void **state)
{
	(void)state;
	each_engine(large_free_blocks_change_whole);
}

static void test_types_that_cannot_be_set(void **state)
{
	struct test_machine *m = machine_new(NULL);
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	unsigned long irqs;

	(void)state;
	assert_int_equal(qr_set_pageblock_migratetype(m->q, 0, QR_MIGRATE_ISOLATE), QR_EINVAL);
	assert_int_equal(qr_set_pageblock_migratetype(m->q, 0, QR_MIGRATE_CMA), QR_EINVAL);
	assert_int_equal(qr_set_pageblock_migratetype(m->q, PAGES, QR_MIGRATE_MOVABLE), QR_EINVAL);
	assert_int_equal(qr_set_pageblock_migratetype(m->q, QR_PFN_NONE, QR_MIGRATE_MOVABLE),
			 QR_EINVAL);
	irqs = qr__zone_lock(zone);
	assert_true(qr_move_freepages_block_isolate(zone, 0, true));
	qr__zone_unlock(zone, irqs);
	assert_int_equal(qr_set_pageblock_migratetype(m->q, 0, QR_MIGRATE_UNMOVABLE), QR_EBUSY);
	irqs = qr__zone_lock(zone);
	assert_true(qr_move_freepages_block_isolate(zone, 0, false));
	qr__zone_unlock(zone, irqs);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, 0), QR_MIGRATE_MOVABLE);
	test_machine_free(m);
}

static void test_movable_pages(void **state)
{
	struct test_machine *m = machine_new(NULL);
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);

	(void)state;
	qr_page_movable_set(m->q, page, true);
	assert_true(qr__page_test(page, QR_PG_MOVABLE_OPS));
	qr_page_movable_set(m->q, page, false);
	assert_false(qr__page_test(page, QR_PG_MOVABLE_OPS));
	qr_page_movable_set(m->q, page, true);
	qr___free_pages(m->q, page, 0);
	assert_false(qr__page_test(page, QR_PG_MOVABLE_OPS));
	/* a free page has no owner who could say so */
	test_log_clear(m);
	qr_page_movable_set(m->q, page, true);
	assert_true(test_log_has(m, "not in use"));
	assert_false(qr__page_test(page, QR_PG_MOVABLE_OPS));
	test_machine_free(m);
}

/* Guard pages are neither free nor in use, which bits cannot say. */
static void test_guard_pages_need_an_engine_that_has_them(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_error_text why;

	(void)state;
	test_machine_one_zone(m, PAGES);
	m->config.guard_minorder = 1;
	m->config.engine = "bitmap";
	assert_int_equal(test_machine_try_create(m, &why), QR_EINVAL);
	assert_non_null(strstr(why.text, "no guard pages"));
	m->config.engine = "list";
	assert_int_equal(test_machine_try_create(m, &why), 0);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_of_all_orders),
		cmocka_unit_test(test_places_that_are_none),
		cmocka_unit_test(test_cached_pages_are_busy),
		cmocka_unit_test(test_pageblocks_change_type),
		cmocka_unit_test(test_large_free_blocks_change_whole),
		cmocka_unit_test(test_types_that_cannot_be_set),
		cmocka_unit_test(test_movable_pages),
		cmocka_unit_test(test_guard_pages_need_an_engine_that_has_them),
	};

	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
