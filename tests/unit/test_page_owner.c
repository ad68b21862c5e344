/* SPDX-License-Identifier: MIT */
/*
 * test_page_owner.c - who allocated each page
 */
#include "hoard.h"

#include "watch/page_owner.h"

#define ZONE_PAGES (16 * QR_MAX_ORDER_NR_PAGES)

static uint64_t next_handle;

static uint64_t handle_of_caller(void *ctx)
{
	(void)ctx;
	return next_handle;
}

static size_t handle_print(void *ctx, uint64_t handle, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, " %s+%llu", (const char *)ctx,
				(unsigned long long)handle);
}

static char site[] = "site";

static struct test_machine *owner_machine(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_one_zone(m, ZONE_PAGES);
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	qr_page_owner_handle_set(m->q, handle_of_caller, handle_print, site);
	return m;
}

static struct qr_page_owner owner_of(struct test_machine *m, qr_pfn_t pfn)
{
	struct qr_page_owner owner;

	assert_int_equal(qr_page_owner(m->q, pfn, &owner), 0);
	return owner;
}

/* Only allocated frames: those whose record covers them. */
static bool is_owned(struct test_machine *m, qr_pfn_t pfn)
{
	qr_pfn_t head;

	return qr__owner_find(qr__watch(m->q), pfn, &head) != NULL;
}

static void test_off(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page_owner owner;
	qr_pfn_t pfn = 0;
	char text[64];

	(void)state;
	test_machine_one_zone(m, ZONE_PAGES);
	test_machine_create(m);
	assert_int_equal(qr_page_owner(m->q, 0, &owner), QR_EINVAL);
	assert_int_equal(qr_page_owner_read(m->q, &pfn, text, sizeof(text)), QR_EINVAL);
	assert_int_equal(pfn, 0);
	test_machine_free(m);
}

static void test_what_is_kept(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_task task = {.id = 77};
	struct qr_page_owner owner;
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	assert_int_equal(qr_page_owner(m->q, 0, &owner), QR_ENOENT);
	assert_int_equal(qr_page_owner(m->q, ZONE_PAGES, &owner), QR_ENOENT);
	assert_int_equal(qr_page_owner(m->q, QR_PFN_NONE, &owner), QR_ENOENT);

	test_task_set(&task);
	next_handle = 5;
	m->now_ns = 1000;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_COMP, 2);
	pfn = qr_page_to_pfn(m->q, page);
	for (qr_pfn_t i = 0; i < 4; i++) {
		owner = owner_of(m, pfn + i);
		assert_int_equal(owner.order, 2);
		assert_int_equal(owner.gfp, QR_GFP_KERNEL | QR___GFP_COMP);
		assert_int_equal(owner.task_id, 77);
		assert_int_equal(owner.handle, 5);
		assert_int_equal(owner.time_ns, 1000);
		assert_int_equal(owner.free_time_ns, 0);
		assert_int_equal(owner.last_migrate_reason, -1);
	}
	assert_false(is_owned(m, pfn + 4));

	task.id = 78;
	m->now_ns = 2000;
	qr___free_pages(m->q, page, 2);
	assert_false(is_owned(m, pfn));
	owner = owner_of(m, pfn + 3);
	assert_int_equal(owner.task_id, 77);
	assert_int_equal(owner.free_task_id, 78);
	assert_int_equal(owner.free_time_ns, 2000);
	test_task_set(NULL);
	test_machine_free(m);
}

static void test_split(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 3);
	pfn = qr_page_to_pfn(m->q, page);
	next_handle = 9;
	assert_int_equal(qr_split_page(m->q, page, 3), 0);
	test_machine_check(m);
	for (qr_pfn_t i = 0; i < 8; i++)
		assert_int_equal(owner_of(m, pfn + i).order, 0);
	for (qr_pfn_t i = 0; i < 8; i++) {
		qr___free_pages(m->q, page + i, 0);
		assert_false(is_owned(m, pfn + i));
		if (i < 7)
			assert_true(is_owned(m, pfn + i + 1));
		test_machine_check(m);
	}
	test_machine_free(m);
}

/* The block is freed while its first page is still held: the rest goes, that one stays. */
static void test_freed_but_for_the_first(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 3);
	pfn = qr_page_to_pfn(m->q, page);
	qr_get_page(m->q, page);
	qr___free_pages(m->q, page, 3);
	assert_int_equal(owner_of(m, pfn).order, 0);
	assert_true(is_owned(m, pfn));
	for (qr_pfn_t i = 1; i < 8; i++)
		assert_false(is_owned(m, pfn + i));
	test_machine_check(m);
	assert_true(qr_put_page(m->q, page));
	assert_false(is_owned(m, pfn));
	test_machine_free(m);
}

static void test_exact(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	page = qr_alloc_pages_exact(m->q, 5 * QR_PAGE_SIZE, QR_GFP_KERNEL);
	pfn = qr_page_to_pfn(m->q, page);
	for (qr_pfn_t i = 0; i < 8; i++)
		assert_int_equal(is_owned(m, pfn + i), i < 5);
	test_machine_check(m);
	qr_free_pages_exact(m->q, page, 5 * QR_PAGE_SIZE);
	assert_false(is_owned(m, pfn));
	test_machine_free(m);
}

/* Halves of a record that is cut: every part that can be freed out of a block, in one go. */
static void test_cut(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 4);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	next_handle = 3;
	for (unsigned order = 0; order < 4; order++) {
		for (qr_pfn_t at = 0; at < 16; at += (qr_pfn_t)1 << order) {
			qr__owner_set(m->q, page, 4, QR_GFP_KERNEL);
			qr__owner_reset(m->q, page + at, order);
			for (qr_pfn_t i = 0; i < 16; i++) {
				bool freed = i >= at && i < at + ((qr_pfn_t)1 << order);

				assert_int_equal(is_owned(m, pfn + i), !freed);
				if (!freed)
					assert_int_equal(owner_of(m, pfn + i).handle, 3);
			}
			qr__owner_reset(m->q, page, 4);
			for (qr_pfn_t i = 0; i < 16; i++)
				assert_false(is_owned(m, pfn + i));
		}
	}
	qr__owner_set(m->q, page, 4, QR_GFP_KERNEL);
	qr___free_pages(m->q, page, 4);
	test_machine_free(m);
}

/* What nobody allocated, and now is freed, is none of the records' business. */
static void test_reset_of_nothing(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page_owner owner;

	(void)state;
	qr__owner_reset(m->q, qr_pfn_to_page(m->q, 8), 3);
	qr__owner_split(m->q, qr_pfn_to_page(m->q, 8), 3);
	assert_int_equal(qr_page_owner(m->q, 8, &owner), QR_ENOENT);
	test_machine_free(m);
}

/* Text ------------------------------------------------------------------------------------- */

/* A report of misuse says who had the page. */
static void test_misuse_names_the_owner(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_task task = {.id = 11};
	struct qr_page *page;
	char text[96];

	(void)state;
	assert_int_equal(qr__owner_text(m->q, qr_pfn_to_page(m->q, 0), text, sizeof(text)), 0);
	test_task_set(&task);
	next_handle = 0x1234;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 1);
	qr__owner_text(m->q, page + 1, text, sizeof(text));
	assert_string_equal(text, "task 11, order 1, gfp 0xcc0, handle 0x1234");
	task.id = 12;
	qr___free_pages(m->q, page, 1);
	qr___free_pages(m->q, page, 1);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 1);
	assert_non_null(strstr(m->last_line, "; owner: task 11, order 1, gfp 0xcc0, handle 0x1234, "
					     "freed by task 12)"));
	test_task_set(NULL);
	test_machine_free(m);
}

static void test_text(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_task task = {.id = 41};
	struct qr_page *page;
	char text[1024], expected[1024];
	qr_pfn_t pfn, at = 0;

	(void)state;
	test_task_set(&task);
	m->now_ns = 123456789;
	next_handle = 17;
	page = qr_alloc_pages(m->q, QR_GFP_HIGHUSER_MOVABLE | QR___GFP_ZERO, 1);
	pfn = qr_page_to_pfn(m->q, page);
	snprintf(expected, sizeof(expected),
		 "Page allocated via order 1, mask 0x100dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), "
		 "pid 41, tgid 41 (), ts 123456789 ns\n"
		 "PFN 0x%llx type Movable Block %llu type Movable Flags 0x0(node=0|zone=2)\n"
		 " site+17\n"
		 "\n",
		 (unsigned long long)pfn, (unsigned long long)(pfn >> QR_PAGEBLOCK_ORDER));

	assert_int_equal(qr_page_owner_read(m->q, &at, text, sizeof(text)), strlen(expected));
	assert_string_equal(text, expected);
	assert_int_equal(at, pfn + 2);
	assert_int_equal(qr_page_owner_read(m->q, &at, text, sizeof(text)), 0);
	assert_int_equal(at, QR_PFN_NONE);
	assert_int_equal(qr_page_owner_read(m->q, &at, text, sizeof(text)), 0);

	/* Room for all but the final 0 is too little; the place stays. */
	at = 0;
	assert_int_equal(qr_page_owner_read(m->q, &at, text, strlen(expected)), QR_ENOMEM);
	assert_int_equal(qr_page_owner_read(m->q, &at, NULL, 0), QR_ENOMEM);
	assert_int_equal(at, pfn);
	assert_int_equal(qr_page_owner_read(m->q, &at, text, strlen(expected) + 1),
			 strlen(expected));
	qr___free_pages(m->q, page, 1);
	test_task_set(NULL);
	test_machine_free(m);
}

static void test_text_of_a_moved_page(void **state)
{
	struct test_machine *m = owner_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_COMP, 1);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page), head, at = 0;
	struct qr_owner_record *r = qr__owner_find(qr__watch(m->q), pfn, &head);
	char text[1024];

	(void)state;
	assert_non_null(r);
	r->migrate_reason = 6;
	qr_page_owner_handle_set(m->q, NULL, NULL, NULL);
	r->handle = 0xabc;
	qr__page_set(qr__frames(m->q), page, QR_PG_UPTODATE | QR_PG_LRU);
	assert_true(qr_page_owner_read(m->q, &at, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "Flags 0x1014(uptodate|lru|head|node=0|zone=2)\n"));
	assert_non_null(strstr(text, "\n 0xabc\nPage has been migrated, last migrate reason: "
				     "contig_range\n\n"));
	assert_int_equal(owner_of(m, pfn).last_migrate_reason, 6);
	r->migrate_reason = 99;
	at = 0;
	assert_true(qr_page_owner_read(m->q, &at, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "reason: unknown\n"));
	qr__page_clear(page, QR_PG_UPTODATE | QR_PG_LRU);
	qr___free_pages(m->q, page, 1);
	test_machine_free(m);
}

/* A machine with a hole that spans sections: the search finds what lies behind it. */
static void test_read_goes_on(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard h;
	char text[1024];
	qr_pfn_t at = 0;
	size_t nr = 0;

	(void)state;
	test_machine_add(m, 0, ZONE_PAGES, 0);
	test_machine_add(m, (qr_pfn_t)5 << 15, ZONE_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = (qr_pfn_t)6 << 15};
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	h = hoard_new(m->q);
	for (unsigned i = 0; i < 16; i++)
		assert_non_null(hoard_take(&h, QR_GFP_KERNEL, i % 4));
	assert_int_equal(
		qr_alloc_pages_at(m->q, (qr_pfn_t)5 << 15, 0, QR_GFP_KERNEL, &h.entries[0].page),
		0);
	while (qr_page_owner_read(m->q, &at, text, sizeof(text)) > 0)
		nr++;
	assert_int_equal(nr, 17);
	free(h.entries);
	test_machine_free(m);
}

/* Mixed pageblocks ------------------------------------------------------------------------- */

static const char *mixed_table(struct test_machine *m, char *text, size_t size)
{
	assert_true(qr_show_pagetypeinfo(m->q, text, size) < size);
	return strstr(text, "\nNumber of mixed blocks ");
}

static void test_mixed_pageblocks(void **state)
{
	struct test_machine *m = owner_machine();
	char text[8192], row[256];
	struct qr_page *page;
	const char *table;

	(void)state;
	snprintf(row, sizeof(row), "\nNode 0, zone   Normal %12d %12d %12d %12d %12d %12d \n", 0, 0,
		 0, 0, 0, 0);
	table = mixed_table(m, text, sizeof(text));
	assert_non_null(table);
	assert_non_null(strstr(table, "mixed blocks    Unmovable      Movable  Reclaimable   "
				      "HighAtomic          CMA      Isolate \n"));
	assert_non_null(strstr(table, row));

	/* In the middle of a MOVABLE pageblock, its head somewhere before it. */
	assert_int_equal(
		qr_alloc_pages_at(m->q, QR_PAGEBLOCK_NR_PAGES + 2, 1, QR_GFP_KERNEL, &page), 0);
	snprintf(row, sizeof(row), "\nNode 0, zone   Normal %12d %12d %12d %12d %12d %12d \n", 0, 1,
		 0, 0, 0, 0);
	assert_non_null(strstr(mixed_table(m, text, sizeof(text)), row));
	qr___free_pages(m->q, page, 1);
	qr_drain_all_pages(m->q, NULL);

	/* Of its own type: not mixed, neither while allocated nor in a cache. */
	assert_int_equal(qr_alloc_pages_at(m->q, QR_PAGEBLOCK_NR_PAGES + 2, 1,
					   QR_GFP_HIGHUSER_MOVABLE, &page),
			 0);
	snprintf(row, sizeof(row), "\nNode 0, zone   Normal %12d %12d %12d %12d %12d %12d \n", 0, 0,
		 0, 0, 0, 0);
	assert_non_null(strstr(mixed_table(m, text, sizeof(text)), row));
	qr___free_pages(m->q, page, 1);
	test_machine_free(m);
}

/* CMA memory is lent to movable pages: its pageblocks count where these do. */
static void test_mixed_cma(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_pcp_snapshot pcp;
	char text[8192], row[256];
	struct hoard h;

	(void)state;
	test_machine_add(m, 0, QR_PAGEBLOCK_NR_PAGES, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, QR_PAGEBLOCK_NR_PAGES, ZONE_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = (qr_pfn_t)1 << 20};
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, 0), 0);
	h = hoard_new(m->q);
	while (hoard_take(&h, QR_GFP_HIGHUSER_MOVABLE | QR___GFP_MEMALLOC, 0))
		;
	qr___free_pages(m->q, h.entries[--h.nr].page, 0);
	snprintf(row, sizeof(row), "\nNode 0, zone   Normal %12d %12d %12d %12d %12d %12d \n", 0, 1,
		 0, 0, 0, 0);
	assert_non_null(strstr(mixed_table(m, text, sizeof(text)), row));
	/* To see what is in use, the view empties the caches. */
	assert_int_equal(qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &pcp), 0);
	assert_int_equal(pcp.count, 0);
	while (h.nr)
		qr___free_pages(m->q, h.entries[--h.nr].page, 0);
	free(h.entries);
	test_machine_free(m);
}

/* A block larger than a pageblock makes each of its pageblocks mixed. */
static void test_mixed_by_a_large_block(void **state)
{
	struct test_machine *m = owner_machine();
	char text[8192], row[256];
	struct qr_page *page;
	unsigned covered = 1u << (QR_MAX_PAGE_ORDER - QR_PAGEBLOCK_ORDER);

	(void)state;
	assert_int_equal(qr_alloc_pages_at(m->q, QR_MAX_ORDER_NR_PAGES, QR_MAX_PAGE_ORDER,
					   QR_GFP_KERNEL, &page),
			 0);
	snprintf(row, sizeof(row), "\nNode 0, zone   Normal %12d %12u ", 0, covered);
	assert_non_null(strstr(mixed_table(m, text, sizeof(text)), row));
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_freed_but_for_the_first),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_reset_of_nothing),
		cmocka_unit_test(test_misuse_names_the_owner),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_a_moved_page),
		cmocka_unit_test(test_read_goes_on),
		cmocka_unit_test(test_mixed_pageblocks),
		cmocka_unit_test(test_mixed_cma),
		cmocka_unit_test(test_mixed_by_a_large_block),
	};

	return cmocka_run_group_tests_name("page_owner", tests, NULL, NULL);
}
