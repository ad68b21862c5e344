/* SPDX-License-Identifier: MIT */
/*
 * test_exact.c - blocks cut to size, cut apart, by address and by frame number
 */
#include "alloc/allocator.h"
#include "hoard.h"

static struct test_machine *machine_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, 32 * QR_MAX_ORDER_NR_PAGES);
	return m;
}

/* Every number of pages up to the largest block: just so many are gone, all single pages. */
static void test_exact_sizes(void **state)
{
	struct test_machine *m = machine_new();
	uint64_t nr_free;

	(void)state;
	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	for (uint64_t nr = 1; nr <= QR_MAX_ORDER_NR_PAGES; nr = nr < 70 ? nr + 1 : nr * 3 / 2) {
		size_t size = (size_t)(nr * QR_PAGE_SIZE) - (nr & 1 ? QR_PAGE_SIZE - 1 : 0);
		struct qr_page *page = qr_alloc_pages_exact(m->q, size, QR_GFP_KERNEL);

		assert_non_null(page);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free - nr);
		for (uint64_t i = 0; i < nr; i++)
			assert_int_equal(qr_page_count(m->q, page + i), 1);
		test_machine_check(m);
		qr_free_pages_exact(m->q, page, size);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	}
	test_machine_free(m);
}

/* The surplus goes to the cold ends: what is handed out next is older. */
static void test_surplus_goes_to_the_tail(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *pages, *warm, *next;

	(void)state;
	m->config.options = QR_OPT_NO_HUGE_PCP;
	test_machine_create(m);
	/* Two free pages of order 0 on the list: the surplus, and one freed before it. */
	warm = qr_alloc_pages(m->q, QR_GFP_KERNEL, QR_MAX_PAGE_ORDER);
	assert_int_equal(qr_split_page(m->q, warm, QR_MAX_PAGE_ORDER), 0);
	qr___free_pages(m->q, warm + 1, 0);
	qr_drain_all_pages(m->q, NULL);
	pages = qr_alloc_pages_exact(m->q, 3 * QR_PAGE_SIZE, QR_GFP_KERNEL);
	next = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_ptr_equal(next, warm + 1);
	qr___free_pages(m->q, next, 0);
	qr_free_pages_exact(m->q, pages, 3 * QR_PAGE_SIZE);
	for (uint64_t i = 0; i < QR_MAX_ORDER_NR_PAGES; i++)
		if (i != 1)
			qr___free_pages(m->q, warm + i, 0);
	test_machine_free(m);
}

static void test_exact_refusals(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_create(m);
	assert_null(qr_alloc_pages_exact(m->q, 0, QR_GFP_KERNEL));
	assert_true(test_log_has(m, "0 bytes"));
	test_log_clear(m);
	assert_null(qr_alloc_pages_exact(m->q, (size_t)(QR_MAX_ORDER_NR_PAGES * QR_PAGE_SIZE + 1),
					 QR_GFP_KERNEL));
	assert_true(test_log_has(m, "order"));
	assert_null(qr_alloc_pages_exact(m->q, SIZE_MAX, QR_GFP_KERNEL | QR___GFP_NOWARN));
	/* COMP and HIGHMEM are reported and ignored. */
	test_log_clear(m);
	page = qr_alloc_pages_exact(m->q, 3 * QR_PAGE_SIZE,
				    QR_GFP_KERNEL | QR___GFP_COMP | QR___GFP_HIGHMEM);
	assert_true(test_log_has(m, "COMP"));
	assert_int_equal(qr_folio_order(m->q, page), 0);
	qr_free_pages_exact(m->q, page, 3 * QR_PAGE_SIZE);
	qr_free_pages_exact(m->q, NULL, 100);
	test_log_clear(m);
	page = qr_alloc_pages_exact(m->q, 1, QR_GFP_KERNEL);
	qr_free_pages_exact(m->q, page, SIZE_MAX);
	assert_true(test_log_has(m, "more than one allocation"));
	assert_int_equal(qr_page_count(m->q, page), 1);
	qr_free_pages_exact(m->q, page, 1);
	test_machine_free(m);
}

/* Splitting -------------------------------------------------------------------------------- */

static void test_split(void **state)
{
	struct test_machine *m = machine_new();
	uint64_t nr_free;

	(void)state;
	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, order);

		assert_int_equal(qr_split_page(m->q, page, order), 0);
		test_machine_check(m);
		/* Backwards, so that the head does not speak for the others. */
		for (uint64_t i = qr__order_pages(order); i-- > 0;) {
			assert_int_equal(qr_page_count(m->q, page + i), 1);
			qr___free_pages(m->q, page + i, 0);
		}
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	}
	test_machine_free(m);
}

static void test_split_refusals(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *page, *folio;

	(void)state;
	test_machine_create(m);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 2);
	folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, 2);
	assert_int_equal(qr_split_page(m->q, folio, 2), QR_EINVAL);
	assert_true(test_log_has(m, "compound"));
	test_log_clear(m);
	assert_int_equal(qr_split_page(m->q, page, 1), QR_EINVAL);
	assert_true(test_log_has(m, "another order"));
	assert_int_equal(qr_split_page(m->q, page + 1, 0), QR_EINVAL);
	assert_int_equal(qr_split_page(m->q, folio + 1, 0), QR_EINVAL);
	test_log_clear(m);
	assert_int_equal(qr_split_page(m->q, NULL, 0), QR_EINVAL);
	assert_true(test_log_has(m, "no page of this instance"));
	qr___free_pages(m->q, page, 2);
	qr___free_pages(m->q, folio, 2);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_split_page(m->q, page, 2), QR_EINVAL);
	assert_true(test_log_has(m, "not the first page of a block in use"));
	test_machine_free(m);
}

/* By address ------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
	struct test_machine *m = machine_new();
	uint64_t nr_free;
	char *bytes, *zeroed;

	(void)state;
	test_machine_bytes(m);
	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	bytes = qr_get_free_pages(m->q, QR_GFP_KERNEL, 1);
	assert_non_null(bytes);
	memset(bytes, 1, 2 * QR_PAGE_SIZE);
	qr_free_pages(m->q, bytes, 1);
	qr_drain_all_pages(m->q, NULL);
	zeroed = qr_get_zeroed_page(m->q, QR_GFP_KERNEL);
	for (size_t i = 0; i < QR_PAGE_SIZE; i++)
		assert_int_equal(zeroed[i], 0);
	qr_free_pages(m->q, zeroed, 0);
	qr_free_pages(m->q, NULL, 0);
	assert_false(test_log_has(m, "no page"));
	qr_free_pages(m->q, &nr_free, 0);
	assert_true(test_log_has(m, "in no page of this instance"));
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	assert_null(qr_get_free_pages(m->q, QR___GFP_NOWARN, QR_MAX_PAGE_ORDER + 1));
	test_machine_free(m);
}

/* A HighMem frame has no address; the bit is ignored rather than served. */
static void test_addresses_and_highmem(void **state)
{
	struct test_machine *m = test_machine_new();
	qr_pfn_t half = 32 * QR_MAX_ORDER_NR_PAGES;
	char *bytes;

	(void)state;
	test_machine_add(m, 0, 2 * half, 0);
	m->config.zone_limits =
		(struct qr_zone_limits){.normal_end = half, .highmem_end = 2 * half};
	m->highmem_pfn = half;
	test_machine_bytes(m);
	test_machine_create(m);
	bytes = qr_get_free_pages(m->q, QR_GFP_KERNEL | QR___GFP_HIGHMEM, 0);
	assert_non_null(bytes);
	qr_free_pages(m->q, bytes, 0);
	test_machine_free(m);
}

static void test_addresses_without_memory(void **state)
{
	struct test_machine *m = machine_new();

	(void)state;
	test_machine_create(m);
	assert_null(qr_get_free_pages(m->q, QR_GFP_KERNEL, 0));
	assert_true(test_log_has(m, "page_address"));
	qr_free_pages(m->q, m, 0);
	assert_true(test_log_has(m, "in no page"));
	test_machine_free(m);
}

/* By number, until nothing is left: each block once, aligned, and what its record says. */
static void all_by_number(struct test_machine *m, qr_pfn_t first)
{
	uint64_t nr_free;

	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		uint64_t nr = 0, most = nr_free >> order;
		qr_pfn_t *pfns = calloc(most, sizeof(*pfns));

		assert_non_null(pfns);
		while ((pfns[nr] = qr_alloc_pfn(m->q, QR_GFP_ATOMIC | QR___GFP_NOWARN, order)) !=
		       QR_PFN_NONE) {
			struct qr_page *page = qr_pfn_to_page(m->q, pfns[nr]);

			assert_in_range(pfns[nr], first, first + nr_free - 1);
			assert_int_equal(pfns[nr] & ((UINT64_C(1) << order) - 1), 0);
			assert_int_equal(qr_page_count(m->q, page), 1);
			qr_page_movable_set(m->q, page, true);
			if (++nr == most)
				break;
		}
		assert_true(nr > 0);
		test_machine_check(m);
		while (nr)
			qr_free_pfn(m->q, pfns[--nr], order);
		free(pfns);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	}
	assert_int_equal(qr_alloc_pfn(m->q, QR___GFP_NOWARN, QR_MAX_PAGE_ORDER + 1), QR_PFN_NONE);
	test_machine_free(m);
}

static void test_frame_numbers(void **state)
{
	const qr_pfn_t high = UINT64_C(1) << 24;
	struct test_machine *m = test_machine_new();

	(void)state;
	all_by_number(machine_new(), 0);
	/* where the first frame has another number */
	test_machine_add(m, high, 32 * QR_MAX_ORDER_NR_PAGES, 0);
	m->config.zone_limits.normal_end = high + 32 * QR_MAX_ORDER_NR_PAGES;
	all_by_number(m, high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_sizes),
		list_unit_test(test_surplus_goes_to_the_tail),
		cmocka_unit_test(test_exact_refusals),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_refusals),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_and_highmem),
		cmocka_unit_test(test_addresses_without_memory),
		cmocka_unit_test(test_frame_numbers),
	};

	return test_group_run("exact", tests);
}
