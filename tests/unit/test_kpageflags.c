/* SPDX-License-Identifier: MIT */
/*
 * test_kpageflags.c - the words of /proc/kpageflags and /proc/kpagecount
 */
#include "support.h"

#include "alloc/allocator.h"

#define BIT(n) (UINT64_C(1) << (n))
#define BUDDY BIT(10)
#define HEAD BIT(15)
#define TAIL BIT(16)
#define HWPOISON BIT(19)
#define NOPAGE BIT(20)
#define RESERVED BIT(32)

/* Reserved frames 0..15, RAM up to 4096, then nothing, RAM again in the third section. */
static struct test_machine *flags_machine(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_add(m, 0, 16, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, 16, 4096 - 16, 0);
	test_machine_add(m, (qr_pfn_t)2 << 15, 4096, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = (qr_pfn_t)3 << 15};
	test_machine_create(m);
	return m;
}

static void test_no_page(void **state)
{
	struct test_machine *m = flags_machine();

	(void)state;
	assert_int_equal(qr_kpageflags(m->q, (qr_pfn_t)1 << 15), NOPAGE);
	assert_int_equal(qr_kpageflags(m->q, (qr_pfn_t)3 << 15), NOPAGE);
	assert_int_equal(qr_kpageflags(m->q, QR_PFN_NONE), NOPAGE);
	assert_int_equal(qr_kpagecount(m->q, (qr_pfn_t)1 << 15), 0);
	assert_int_equal(qr_kpagecount(m->q, QR_PFN_NONE), 0);
	test_machine_free(m);
}

static void test_reserved_and_holes(void **state)
{
	struct test_machine *m = flags_machine();

	(void)state;
	for (qr_pfn_t pfn = 0; pfn < 16; pfn++)
		assert_int_equal(qr_kpageflags(m->q, pfn), RESERVED);
	assert_int_equal(qr_kpageflags(m->q, 4096), RESERVED); /* online section, no memory */
	test_machine_free(m);
}

/* Every frame of a free block says BUDDY, not only its head. */
static void test_free_blocks(void **state)
{
	struct test_machine *m = flags_machine();

	(void)state;
	for (qr_pfn_t pfn = 16; pfn < 4096; pfn++)
		assert_int_equal(qr_kpageflags(m->q, pfn), BUDDY);
	qr__page_set(qr__frames(m->q), qr_pfn_to_page(m->q, 1024), QR_PG_REPORTED);
	assert_int_equal(qr_kpageflags(m->q, 1024), BUDDY);
	qr__page_clear(qr_pfn_to_page(m->q, 1024), QR_PG_REPORTED);
	test_machine_free(m);
}

static void test_cached(void **state)
{
	struct test_machine *m = flags_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	assert_int_equal(qr_kpageflags(m->q, pfn), 0);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr_kpageflags(m->q, pfn), 0);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_kpageflags(m->q, pfn), BUDDY);
	test_machine_free(m);
}

struct row {
	const char *name;
	uint32_t flags;
	uint64_t word;
};

static const struct row rows[] = {
	{"LOCKED", QR_PG_LOCKED, BIT(0)},
	{"REFERENCED", QR_PG_REFERENCED, BIT(2)},
	{"UPTODATE", QR_PG_UPTODATE, BIT(3)},
	{"DIRTY", QR_PG_DIRTY, BIT(4)},
	{"LRU", QR_PG_LRU, BIT(5)},
	{"ACTIVE", QR_PG_ACTIVE, BIT(6)},
	{"WRITEBACK", QR_PG_WRITEBACK, BIT(8)},
	{"RECLAIM", QR_PG_RECLAIM, BIT(9)},
	{"ANON", QR_PG_ANON, BIT(12)},
	{"SWAPCACHE alone", QR_PG_SWAPCACHE, 0},
	{"SWAPCACHE", QR_PG_SWAPCACHE | QR_PG_SWAPBACKED, BIT(13) | BIT(14)},
	{"SWAPBACKED", QR_PG_SWAPBACKED, BIT(14)},
	{"UNEVICTABLE", QR_PG_UNEVICTABLE, BIT(18)},
	{"KSM", QR_PG_KSM, BIT(21)},
	{"IDLE", QR_PG_IDLE, BIT(25)},
	{"MLOCKED", QR_PG_MLOCKED, BIT(33)},
	{"OWNER_2", QR_PG_MAPPEDTODISK, BIT(34)},
	{"PRIVATE", QR_PG_PRIVATE, BIT(35)},
	{"PRIVATE_2", QR_PG_PRIVATE_2, BIT(36)},
	{"OWNER_PRIVATE", QR_PG_CHECKED, BIT(37)},
	{"nothing the file shows", QR_PG_PFMEMALLOC | QR_PG_CHARGED | QR_PG_WORKINGSET, 0},
};

static void test_flags_of_single_pages(void **state)
{
	struct test_machine *m = flags_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		qr__page_flags_set(qr__frames(m->q), page, rows[i].flags);
		if (qr_kpageflags(m->q, pfn) != rows[i].word)
			fail_msg("%s: %#llx", rows[i].name,
				 (unsigned long long)qr_kpageflags(m->q, pfn));
	}
	qr__page_flags_set(qr__frames(m->q), page, QR_PG_HWPOISON);
	assert_int_equal(qr_kpageflags(m->q, pfn), HWPOISON);
	qr__page_flags_set(qr__frames(m->q), page, QR_PG_RESERVED);
	assert_int_equal(qr_kpageflags(m->q, pfn), RESERVED);
	qr__page_flags_set(qr__frames(m->q), page, 0);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_types(void **state)
{
	static const struct {
		enum qr_page_type type;
		uint64_t word;
	} types[] = {
		{QR_PT_SLAB, BIT(7)},     {QR_PT_HUGETLB, BIT(17)}, {QR_PT_TABLE, BIT(26)},
		{QR_PT_OFFLINE, BIT(23)}, {QR_PT_ZSMALLOC, 0},      {QR_PT_LEAKED, 0},
	};
	struct test_machine *m = flags_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		qr__page_type_set(qr__frames(m->q), page, types[i].type);
		assert_int_equal(qr_kpageflags(m->q, pfn), types[i].word);
	}
	qr__page_type_set(qr__frames(m->q), page, QR_PT_INUSE);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

/* The head's flags are everybody's; poison and mappings are each frame's own. */
static void test_compound(void **state)
{
	struct test_machine *m = flags_machine();
	struct qr_page *page = qr_folio_alloc(m->q, QR_GFP_KERNEL, 2);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	assert_int_equal(qr_kpageflags(m->q, pfn), HEAD);
	assert_int_equal(qr_kpageflags(m->q, pfn + 3), TAIL);
	qr__page_set(qr__frames(m->q), page, QR_PG_LRU | QR_PG_DIRTY);
	assert_int_equal(qr_kpageflags(m->q, pfn), HEAD | BIT(4) | BIT(5) | BIT(22));
	assert_int_equal(qr_kpageflags(m->q, pfn + 3), TAIL | BIT(4) | BIT(5) | BIT(22));

	qr__page_set(qr__frames(m->q), page + 1, QR_PG_HWPOISON);
	qr__page_mapcount_set(qr__frames(m->q), page + 2, 3);
	assert_int_equal(qr_kpageflags(m->q, pfn) & HWPOISON, 0);
	assert_int_equal(qr_kpageflags(m->q, pfn + 1) & HWPOISON, HWPOISON);
	assert_int_equal(qr_kpageflags(m->q, pfn + 1) & BIT(11), 0);
	assert_int_equal(qr_kpageflags(m->q, pfn + 2) & BIT(11), BIT(11));
	assert_int_equal(qr_kpagecount(m->q, pfn + 2), 3);
	assert_int_equal(qr_kpagecount(m->q, pfn), 0);

	qr__page_mapcount_set(qr__frames(m->q), page + 2, 0);
	qr__page_clear(page + 1, QR_PG_HWPOISON);
	qr__page_clear(page, QR_PG_LRU | QR_PG_DIRTY);
	assert_true(qr_put_page(m->q, page));
	test_machine_free(m);
}

/* A plain block's tails have no flags of their own, and are not free. */
static void test_plain_block(void **state)
{
	struct test_machine *m = flags_machine();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 2);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	qr__page_set(qr__frames(m->q), page, QR_PG_DIRTY);
	assert_int_equal(qr_kpageflags(m->q, pfn), BIT(4));
	assert_int_equal(qr_kpageflags(m->q, pfn + 1), 0);
	qr__page_clear(page, QR_PG_DIRTY);
	qr___free_pages(m->q, page, 2);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_page),
		cmocka_unit_test(test_reserved_and_holes),
		cmocka_unit_test(test_free_blocks),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_flags_of_single_pages),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_compound),
		cmocka_unit_test(test_plain_block),
	};

	return cmocka_run_group_tests_name("kpageflags", tests, NULL, NULL);
}
