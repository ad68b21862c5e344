/* SPDX-License-Identifier: MIT */
/*
 * test_bulk.c - many single pages at once (A24 above all)
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define EVERYTHING (QR___GFP_NOWARN | QR___GFP_MEMALLOC)
#define NR 200

static struct test_machine *machine_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, 16 * QR_PAGEBLOCK_NR_PAGES > 4096 ? 16 * QR_PAGEBLOCK_NR_PAGES
								   : 4096);
	return m;
}

static void pages_free(struct quire *q, struct qr_page **pages, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		if (pages[i])
			qr___free_pages(q, pages[i], 0);
		pages[i] = NULL;
	}
}

/* All different, all in use. */
static void pages_check(struct quire *q, struct qr_page **pages, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		assert_non_null(pages[i]);
		assert_int_equal(qr_page_count(q, pages[i]), 1);
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(pages[i], pages[j]);
	}
}

static void test_an_empty_array_is_filled(void **state)
{
	struct qr_page *pages[NR] = {0};
	struct test_machine *m = machine_new();

	(void)state;
	test_machine_create(m);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, QR_NODE_NONE, NULL, NR, pages),
			 NR);
	pages_check(m->q, pages, NR);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), NR);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), NR);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 0, pages), 0);
	qr_free_pages_bulk(m->q, pages, NR);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), NR);
	test_machine_free(m);
}

/* A24: holes are filled and nothing else is touched, wherever they are. */
static void test_a24_holes(void **state)
{
	uint64_t random = test_seed(24);
	struct test_machine *m = machine_new();

	(void)state;
	test_machine_create(m);
	for (unsigned round = 0; round < 300; round++) {
		struct qr_page *pages[40] = {0}, *before[40];
		unsigned nr = 1 + (unsigned)test_random_below(&random, 40);
		unsigned density = (unsigned)test_random_below(&random, 5);

		for (unsigned i = 0; i < nr; i++)
			if (test_random_below(&random, 4) < density)
				pages[i] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
		memcpy(before, pages, sizeof(before));
		/* Where one slot is missing the ordinary way is taken, which fills just one. */
		assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, nr, pages), nr);
		pages_check(m->q, pages, nr);
		for (unsigned i = 0; i < nr; i++)
			if (before[i])
				assert_ptr_equal(pages[i], before[i]);
		pages_free(m->q, pages, nr);
	}
	test_machine_free(m);
}

/* The result counts slots from the start on, those that were full before included. */
static void test_a24_result(void **state)
{
	struct test_machine *m = machine_new();
	struct hoard hoard;
	struct qr_page *pages[8] = {0}, *own[2];

	(void)state;
	test_machine_create(m);
	hoard = hoard_new(m->q);
	own[0] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	own[1] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);

	/* Full already. */
	pages[0] = own[0];
	pages[1] = own[1];
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 2, pages), 2);
	assert_ptr_equal(pages[0], own[0]);

	/* One page is left in the zone: the ordinary way gets it, and the page behind counts. */
	hoard_all(&hoard, EVERYTHING, 0);
	hoard_give(&hoard, 1);
	memset(pages, 0, sizeof(pages));
	pages[0] = own[0];
	pages[2] = own[1];
	assert_int_equal(qr_alloc_pages_bulk(m->q, EVERYTHING, 0, NULL, 8, pages), 3);
	assert_non_null(pages[1]);
	assert_null(pages[3]);
	hoard_add(&hoard, pages[1], 0);
	/* None is left. */
	memset(pages, 0, sizeof(pages));
	pages[0] = own[0];
	assert_int_equal(qr_alloc_pages_bulk(m->q, EVERYTHING, 0, NULL, 8, pages), 1);
	assert_null(pages[1]);
	hoard_add(&hoard, own[0], 0);
	hoard_add(&hoard, own[1], 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* The mark is raised by what is asked for; a zone that would fall below serves just one page. */
static void test_a24_watermark_counts_the_request(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *pages[NR] = {0};
	struct qr_zone *zone;
	struct hoard hoard;
	uint64_t low;

	(void)state;
	test_machine_create(m);
	hoard = hoard_new(m->q);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	low = qr_zone_watermark(zone, QR_WMARK_LOW);
	hoard_all(&hoard, EVERYTHING, 0);
	hoard_give(&hoard, low + 51);
	assert_int_equal(qr_zone_free_pages(zone), low + 51);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR___GFP_NOWARN, 0, NULL, 51, pages), 1);
	pages_free(m->q, pages, NR);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR___GFP_NOWARN, 0, NULL, 50, pages), 50);
	pages_free(m->q, pages, NR);
	hoard_free(&hoard);
	test_machine_free(m);
}

static int64_t charged;

static int fake_charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	(void)ctx, (void)page, (void)gfp;
	charged += (int64_t)1 << order;
	return 0;
}

static void fake_uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	(void)ctx, (void)page;
	charged -= (int64_t)1 << order;
}

/* Requests whose pages need care of their own get exactly one, charged. */
static void test_a24_account(void **state)
{
	const struct qr_charge_ops ops = {fake_charge, fake_uncharge};
	struct test_machine *m = machine_new();
	struct qr_page *pages[8] = {0};

	(void)state;
	test_machine_create(m);
	charged = 0;
	/* Nobody charges: the quick way. */
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL_ACCOUNT, 0, NULL, 8, pages), 8);
	pages_free(m->q, pages, 8);
	qr_charge_ops_set(m->q, &ops, NULL);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL_ACCOUNT, 0, NULL, 8, pages), 1);
	assert_int_equal(charged, 1);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 8, pages), 8);
	assert_int_equal(charged, 1);
	pages_free(m->q, pages, 8);
	assert_int_equal(charged, 0);
	test_machine_free(m);
}

static void test_page_owner_gets_one(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *pages[8] = {0};

	(void)state;
	m->config.options = QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 8, pages), 1);
	pages_free(m->q, pages, 8);
	test_machine_free(m);
}

/* The quick way does not leave the node; the one ordinary page may come from afar. */
static void test_other_node_gets_one(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *pages[8] = {0};
	struct hoard hoard;
	struct qr_page *page;

	(void)state;
	test_machine_nodes(m, 2, 4096);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	while ((page = qr_alloc_pages_node(m->q, 0, EVERYTHING | QR___GFP_THISNODE, 0)) != NULL)
		hoard_add(&hoard, page, 0);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, NULL, 8, pages), 1);
	assert_int_equal(qr_page_nid(m->q, pages[0]), 1);
	pages_free(m->q, pages, 8);
	/* Asked for by name or by mask, it is the preferred one. */
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 1, NULL, 8, pages), 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(qr_page_nid(m->q, pages[i]), 1);
	pages_free(m->q, pages, 8);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL, 0, &(qr_nodemask_t){2}, 8, pages),
			 8);
	pages_free(m->q, pages, 8);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* A cpuset holds for bulk requests, too. */
static void test_cpuset(void **state)
{
	struct qr_task task = {.cpuset = true, .mems_allowed = 2};
	struct test_machine *m = test_machine_new();
	struct qr_page *pages[8] = {0};

	(void)state;
	test_machine_nodes(m, 2, 4096);
	test_machine_create(m);
	test_task_set(&task);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_USER, 0, NULL, 8, pages), 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(qr_page_nid(m->q, pages[i]), 1);
	pages_free(m->q, pages, 8);
	assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_USER, 0, &(qr_nodemask_t){3}, 8, pages),
			 1);
	assert_int_equal(qr_page_nid(m->q, pages[0]), 1);
	pages_free(m->q, pages, 8);
	test_task_set(NULL);
	test_machine_free(m);
}

/* ZERO holds for each of them. */
static void test_zeroed(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_page *pages[16] = {0};

	(void)state;
	test_machine_bytes(m);
	test_machine_create(m);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(qr_alloc_pages_bulk(m->q, QR_GFP_KERNEL | QR___GFP_ZERO, 0, NULL,
						     16, pages),
				 16);
		for (unsigned i = 0; i < 16; i++) {
			char *bytes = qr_page_address(m->q, pages[i]);

			for (size_t b = 0; b < QR_PAGE_SIZE; b++)
				assert_int_equal(bytes[b], 0);
			memset(bytes, 0x5a, QR_PAGE_SIZE);
		}
		pages_free(m->q, pages, 16);
	}
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_array_is_filled),
		cmocka_unit_test(test_a24_holes),
		cmocka_unit_test(test_a24_result),
		cmocka_unit_test(test_a24_watermark_counts_the_request),
		cmocka_unit_test(test_a24_account),
		cmocka_unit_test(test_page_owner_gets_one),
		cmocka_unit_test(test_other_node_gets_one),
		cmocka_unit_test(test_cpuset),
		cmocka_unit_test(test_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
