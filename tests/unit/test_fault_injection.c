/* SPDX-License-Identifier: MIT */
/*
 * test_fault_injection.c - allocations that fail because they are told to
 */
#include "alloc/allocator.h"
#include "hoard.h"

static struct test_machine *machine_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, 32 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	return m;
}

static bool fails(struct test_machine *m, qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	if (page)
		qr___free_pages(m->q, page, order);
	return !page;
}

static void test_every_nth(void **state)
{
	struct qr_fail_page_alloc attr = {.interval = 3};
	struct test_machine *m = machine_new();

	(void)state;
	assert_false(fails(m, QR_GFP_KERNEL, 0));
	qr_fail_page_alloc_set(m->q, &attr);
	for (unsigned i = 1; i <= 12; i++) {
		assert_int_equal(fails(m, QR_GFP_KERNEL, 0), i % 3 == 0);
		assert_int_equal(qr_fail_page_alloc_seen(m->q), i);
	}
	qr_fail_page_alloc_set(m->q, NULL);
	for (unsigned i = 1; i <= 12; i++)
		assert_false(fails(m, QR_GFP_KERNEL, 0));
	assert_int_equal(qr_fail_page_alloc_seen(m->q), 12);
	assert_int_equal(alloc_stats(m->q).slowpath, 0);
	test_machine_free(m);
}

static void test_times_and_skip(void **state)
{
	struct qr_fail_page_alloc attr = {.interval = 2, .times = 2, .skip = 5};
	static const bool expect[] = {0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0};
	struct test_machine *m = machine_new();

	(void)state;
	qr_fail_page_alloc_set(m->q, &attr);
	for (size_t i = 0; i < QR_ARRAY_SIZE(expect); i++)
		assert_int_equal(fails(m, QR_GFP_KERNEL, 0), expect[i]);
	/* Set again, it begins again. */
	qr_fail_page_alloc_set(m->q, &attr);
	assert_int_equal(qr_fail_page_alloc_seen(m->q), 0);
	for (size_t i = 0; i < QR_ARRAY_SIZE(expect); i++)
		assert_int_equal(fails(m, QR_GFP_KERNEL, 0), expect[i]);
	attr.interval = 0;
	qr_fail_page_alloc_set(m->q, &attr);
	for (size_t i = 0; i < 20; i++)
		assert_false(fails(m, QR_GFP_KERNEL, 0));
	test_machine_free(m);
}

static void test_who_is_spared(void **state)
{
	struct qr_fail_page_alloc linux_defaults = {
		.interval = 1, .min_order = 1, .ignore_gfp_highmem = true, .ignore_gfp_wait = true};
	struct test_machine *m = machine_new();

	(void)state;
	qr_fail_page_alloc_set(m->q, &linux_defaults);
	assert_false(fails(m, QR_GFP_ATOMIC, 0));
	assert_true(fails(m, QR_GFP_ATOMIC, 1));
	assert_true(fails(m, QR_GFP_ATOMIC, QR_MAX_PAGE_ORDER));
	assert_false(fails(m, QR_GFP_ATOMIC | QR___GFP_NOFAIL, 1));
	assert_false(fails(m, QR_GFP_ATOMIC | QR___GFP_HIGHMEM, 1));
	assert_false(fails(m, QR_GFP_KERNEL, 1));
	assert_int_equal(qr_fail_page_alloc_seen(m->q), 2);
	linux_defaults.ignore_gfp_wait = false;
	qr_fail_page_alloc_set(m->q, &linux_defaults);
	assert_true(fails(m, QR_GFP_KERNEL, 1));
	assert_false(fails(m, QR_GFP_HIGHUSER, 1));
	linux_defaults.ignore_gfp_highmem = false;
	qr_fail_page_alloc_set(m->q, &linux_defaults);
	assert_true(fails(m, QR_GFP_HIGHUSER, 1));
	test_machine_free(m);
}

/* Bulk returns what it has; an injected failure is no reason for the ordinary way. */
static void test_bulk(void **state)
{
	struct qr_fail_page_alloc attr = {.interval = 1, .times = 1};
	struct test_machine *m = machine_new();
	struct qr_page *pages[4] = {0};

	(void)state;
	pages[0] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_fail_page_alloc_set(m->q, &attr);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 4, pages), 1);
	assert_null(pages[1]);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 4, pages), 4);
	qr_free_pages_bulk(m->q, pages, 4);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_nth),
		cmocka_unit_test(test_times_and_skip),
		cmocka_unit_test(test_who_is_spared),
		cmocka_unit_test(test_bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
