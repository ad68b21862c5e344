/* SPDX-License-Identifier: MIT */
/*
 * test_page_frag.c - small pieces of pages
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define BLOCK 32768u

static struct test_machine *machine_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, 32 * QR_MAX_ORDER_NR_PAGES);
	test_machine_bytes(m);
	test_machine_create(m);
	return m;
}

static void nothing_lost(struct test_machine *m, uint64_t nr_free)
{
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
}

/* Carved from the end downwards, aligned, one next to the other. */
static void test_carving(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();
	uint64_t nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	char *a, *b, *c;

	(void)state;
	a = qr_page_frag_alloc(m->q, &cache, 100, 1, QR_GFP_KERNEL);
	b = qr_page_frag_alloc(m->q, &cache, 100, 64, QR_GFP_KERNEL);
	c = qr_page_frag_alloc(m->q, &cache, 1, 1, QR_GFP_KERNEL);
	assert_int_equal(cache.size, BLOCK);
	assert_int_equal(a - (char *)qr_page_address(m->q, cache.page), BLOCK - 100);
	assert_int_equal((uintptr_t)b % 64, 0);
	assert_true(a - b >= 100 && a - b < 164);
	assert_ptr_equal(c, b - 1);
	assert_int_equal(qr_page_count(m->q, cache.page), 32769);
	memset(a, 1, 100);
	memset(b, 2, 100);
	qr_page_frag_free(m->q, b);
	qr_page_frag_free(m->q, a);
	qr_page_frag_cache_drain(m->q, &cache);
	assert_null(cache.page);
	assert_int_equal(*c, *c);
	qr_page_frag_free(m->q, c);
	qr_page_frag_cache_drain(m->q, &cache);
	nothing_lost(m, nr_free);
	test_machine_free(m);
}

/* When a block is used up and all its pieces are back, it is used again; else another one. */
static void test_blocks_are_used_again(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();
	uint64_t nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	struct qr_page *first;
	char *kept;

	(void)state;
	for (unsigned i = 0; i < BLOCK / 4096; i++)
		qr_page_frag_free(m->q, qr_page_frag_alloc(m->q, &cache, 4096, 1, QR_GFP_KERNEL));
	first = cache.page;
	kept = qr_page_frag_alloc(m->q, &cache, 4096, 1, QR_GFP_KERNEL);
	assert_ptr_equal(cache.page, first);
	assert_int_equal(qr_page_count(m->q, first), 32769);
	for (unsigned i = 1; i < BLOCK / 4096; i++)
		qr_page_frag_free(m->q, qr_page_frag_alloc(m->q, &cache, 4096, 1, QR_GFP_KERNEL));
	qr_page_frag_free(m->q, qr_page_frag_alloc(m->q, &cache, 4096, 1, QR_GFP_KERNEL));
	assert_ptr_not_equal(cache.page, first);
	assert_int_equal(qr_page_count(m->q, first), 1);
	qr_page_frag_free(m->q, kept);
	qr_page_frag_cache_drain(m->q, &cache);
	nothing_lost(m, nr_free);
	test_machine_free(m);
}

/* As many one-byte pieces as a block has bytes: the bias is large enough. */
static void test_smallest_pieces(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();
	uint64_t nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	static char *pieces[BLOCK];

	(void)state;
	for (unsigned i = 0; i < BLOCK; i++) {
		pieces[i] = qr_page_frag_alloc(m->q, &cache, 1, 1, QR_GFP_KERNEL);
		assert_non_null(pieces[i]);
	}
	assert_int_equal(cache.bias, 1);
	for (unsigned i = 0; i < BLOCK; i++)
		qr_page_frag_free(m->q, pieces[i]);
	assert_int_equal(qr_page_count(m->q, cache.page), 1);
	qr_page_frag_cache_drain(m->q, &cache);
	nothing_lost(m, nr_free);
	test_machine_free(m);
}

/* No large block: a single page must do, and pieces larger than it fail. */
static void test_a_single_page_must_do(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();
	struct hoard hoard = hoard_new(m->q);
	char *piece;

	(void)state;
	hoard_all(&hoard, QR___GFP_NOWARN | QR___GFP_MEMALLOC, 0);
	for (qr_pfn_t pfn = 0; pfn < 32 * QR_MAX_ORDER_NR_PAGES; pfn += 2)
		hoard_give_pfn(&hoard, pfn);
	qr_drain_all_pages(m->q, NULL);
	piece = qr_page_frag_alloc(m->q, &cache, 512, 1, QR_GFP_KERNEL);
	assert_non_null(piece);
	assert_int_equal(cache.size, QR_PAGE_SIZE);
	qr_page_frag_free(m->q, piece);
	assert_null(qr_page_frag_alloc(m->q, &cache, (unsigned)QR_PAGE_SIZE + 1, 1, QR_GFP_KERNEL));
	qr_page_frag_cache_drain(m->q, &cache);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Memory from the reserves is given back when used up, not used again. */
static void test_pfmemalloc_is_not_kept(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();
	struct hoard hoard = hoard_new(m->q);
	const qr_gfp_t gfp = QR___GFP_NOWARN | QR___GFP_MEMALLOC;
	struct qr_page *first;

	(void)state;
	hoard_all(&hoard, gfp, 0);
	hoard_give(&hoard, 4);
	qr_page_frag_free(m->q, qr_page_frag_alloc(m->q, &cache, (unsigned)QR_PAGE_SIZE, 1, gfp));
	assert_true(cache.pfmemalloc);
	first = cache.page;
	hoard_free(&hoard);
	qr_page_frag_free(m->q, qr_page_frag_alloc(m->q, &cache, (unsigned)QR_PAGE_SIZE, 1, gfp));
	assert_false(cache.pfmemalloc);
	assert_true(cache.page != first || cache.size == BLOCK);
	qr_page_frag_cache_drain(m->q, &cache);
	test_machine_free(m);
}

static void test_refusals(void **state)
{
	struct qr_page_frag_cache cache = {0};
	struct test_machine *m = machine_new();

	(void)state;
	assert_null(qr_page_frag_alloc(m->q, &cache, 0, 1, QR_GFP_KERNEL));
	assert_true(test_log_has(m, "size must not be 0"));
	assert_null(qr_page_frag_alloc(m->q, &cache, 1, 0, QR_GFP_KERNEL));
	assert_null(qr_page_frag_alloc(m->q, &cache, 1, 3, QR_GFP_KERNEL));
	assert_null(cache.page);
	assert_null(qr_page_frag_alloc(m->q, &cache, BLOCK + 1, 1, QR_GFP_KERNEL));
	qr_page_frag_cache_drain(m->q, &cache);
	qr_page_frag_free(m->q, NULL);
	test_log_clear(m);
	qr_page_frag_free(m->q, &cache);
	assert_true(test_log_has(m, "in no page"));
	test_machine_free(m);

	m = test_machine_new();
	test_machine_one_zone(m, 32 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	assert_null(qr_page_frag_alloc(m->q, &cache, 8, 1, QR_GFP_KERNEL));
	assert_true(test_log_has(m, "page_address"));
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carving),
		cmocka_unit_test(test_blocks_are_used_again),
		cmocka_unit_test(test_smallest_pieces),
		cmocka_unit_test(test_a_single_page_must_do),
		cmocka_unit_test(test_pfmemalloc_is_not_kept),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
