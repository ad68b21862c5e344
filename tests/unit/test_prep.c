/* SPDX-License-Identifier: MIT */
/*
 * test_prep.c - a block on its way out or in: records, zeroes, checks
 */
#include "support.h"

#include "alloc/pcp.h"

static struct test_machine *m;

#define PAGES (UINT64_C(64) * QR_MAX_ORDER_NR_PAGES)

static void begin(uint32_t options, bool bytes)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= options;
	if (bytes)
		test_machine_bytes(m);
	test_machine_create(m);
}

static void end(void)
{
	test_machine_free(m);
}

static struct qr_allocator *alloc(void)
{
	return qr__allocator(m->q);
}

static uint64_t nr_free(void)
{
	qr_drain_all_pages(m->q, NULL);
	return qr_zone_free_pages(qr_zone_at(m->q, 0, QR_ZONE_NORMAL));
}

static struct qr_page *take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	assert_non_null(page);
	return page;
}

/*
 * Take until done() says so of the page, and give all back but the last.  Lists hand out first what
 * was freed last: there once is enough.  The bitmap engine first has to see what was freed, and
 * then hands out what it sees fit.
 */
static struct qr_page *take_until(bool (*done)(struct qr_page *taken, struct qr_page *page),
				  struct qr_page *page, qr_gfp_t gfp, unsigned order)
{
	static struct qr_page *passed[4096];
	unsigned nr = 0;
	struct qr_page *taken;

	if (test_engine_is("bitmap"))
		qr_drain_all_pages(m->q, NULL);
	while (!done(taken = take(gfp, order), page)) {
		assert_true(test_engine_is("bitmap") && nr < 4096);
		passed[nr++] = taken;
	}
	while (nr)
		qr___free_pages(m->q, passed[--nr], order);
	return taken;
}

static bool is_the_same(struct qr_page *taken, struct qr_page *page)
{
	return taken == page;
}

/* The same block once more. */
static void take_again(struct qr_page *page, qr_gfp_t gfp, unsigned order)
{
	take_until(is_the_same, page, gfp, order);
}

static bool is_leaked(struct qr_page *taken, struct qr_page *page)
{
	assert_ptr_not_equal(taken, page);
	return qr__page_type(&alloc()->frames, page) == QR_PT_LEAKED;
}

/* A free block, wherever it waits for the next request. */
static struct qr_page *free_block(unsigned order)
{
	struct qr_page *page = take(QR_GFP_KERNEL, order);

	qr___free_pages(m->q, page, order);
	if (test_engine_is("bitmap"))
		qr_drain_all_pages(m->q, NULL);
	return page;
}

static uint8_t *bytes_of(struct qr_page *page)
{
	return qr_page_address(m->q, page);
}

static bool all_bytes(struct qr_page *page, unsigned order, uint8_t value)
{
	const uint8_t *bytes = bytes_of(page);

	for (size_t i = 0; i < QR_PAGE_SIZE << order; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* Records ---------------------------------------------------------------------------------- */

static void test_plain_block(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 2);
	assert_int_equal(qr_page_count(m->q, page), 1);
	assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_INUSE);
	assert_int_equal(qr__page_order(&alloc()->frames, page), 2);
	assert_int_equal(qr__page_flags(page), 0);
	assert_int_equal(qr_folio_order(m->q, page), 0);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(qr_page_count(m->q, page + i), 0);
		assert_int_equal(qr__page_type(&alloc()->frames, page + i), QR_PT_NONE);
	}
	qr___free_pages(m->q, page, 2);
	end();
}

static void test_compound_page(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	for (unsigned order = 1; order <= QR_MAX_PAGE_ORDER; order++) {
		page = take(QR_GFP_KERNEL | QR___GFP_COMP, order);
		assert_true(qr__page_test(page, QR_PG_COMPOUND));
		assert_int_equal(qr_folio_order(m->q, page), order);
		for (uint64_t i = 1; i < UINT64_C(1) << order; i++) {
			assert_int_equal(qr__page_type(&alloc()->frames, page + i), QR_PT_TAIL);
			assert_ptr_equal(qr__compound_head(&alloc()->frames, page + i), page);
		}
		qr___free_pages(m->q, page, order);
		for (uint64_t i = 1; i < UINT64_C(1) << order; i++)
			assert_int_not_equal(qr__page_type(&alloc()->frames, page + i), QR_PT_TAIL);
		assert_int_equal(nr_free(), PAGES);
	}
	/* A single page is never compound. */
	page = take(QR_GFP_KERNEL | QR___GFP_COMP, 0);
	assert_false(qr__page_test(page, QR_PG_COMPOUND));
	qr___free_pages(m->q, page, 0);
	end();
}

static void test_private_word_is_clear(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 0);
	qr__page_private_set(&alloc()->frames, page, 12345);
	qr___free_pages(m->q, page, 0);
	take_again(page, QR_GFP_KERNEL, 0);
	assert_int_equal(qr__page_private(page), 0);
	qr___free_pages(m->q, page, 0);
	end();
}

/* Marks of use do not outlive it. */
static void test_flags_are_washed(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 0);
	qr__page_set(&alloc()->frames, page,
		     QR_PG_UPTODATE | QR_PG_DIRTY | QR_PG_REFERENCED | QR_PG_ACTIVE);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr__page_flags(page), 0);
	page = take(QR_GFP_KERNEL, 2);
	qr__page_set(&alloc()->frames, page, QR_PG_MLOCKED);
	qr___free_pages(m->q, page, 2);
	assert_int_equal(qr__page_flags(page), 0);
	assert_int_equal(qr_vm_event(m->q, QR_EV_UNEVICTABLE_PGS_CLEARED), 4);
	end();
}

static void test_pfmemalloc(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 0);
	assert_false(qr_page_is_pfmemalloc(m->q, page));
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr_alloc_pages_at(m->q, 0, 0, QR_GFP_KERNEL, &page), QR_EBUSY);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_alloc_pages_at(m->q, 0, 0, QR_GFP_KERNEL, &page), 0);
	qr___free_pages(m->q, page, 0);
	qr_drain_all_pages(m->q, NULL);
	page = qr_rmqueue(qr_zone_at(m->q, 0, QR_ZONE_NORMAL), qr_zone_at(m->q, 0, QR_ZONE_NORMAL),
			  0, QR_GFP_KERNEL, QR_ALLOC_NO_WATERMARKS, QR_MIGRATE_MOVABLE);
	qr_prep_new_page(alloc(), page, 0, QR_GFP_KERNEL, QR_ALLOC_NO_WATERMARKS);
	assert_true(qr_page_is_pfmemalloc(m->q, page));
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr__page_flags(page), 0);
	end();
}

/* Zeroes ----------------------------------------------------------------------------------- */

static void test_zero(void **state)
{
	static const unsigned orders[] = {0, 1, 3};

	(void)state;
	begin(0, true);
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page = take(QR_GFP_KERNEL, orders[i]);

		memset(bytes_of(page), 0x5c, QR_PAGE_SIZE << orders[i]);
		qr___free_pages(m->q, page, orders[i]);
		take_again(page, QR_GFP_KERNEL, orders[i]);
		assert_true(all_bytes(page, orders[i], 0x5c));
		qr___free_pages(m->q, page, orders[i]);
		take_again(page, QR_GFP_KERNEL | QR___GFP_ZERO, orders[i]);
		assert_true(all_bytes(page, orders[i], 0));
		qr___free_pages(m->q, page, orders[i]);
	}
	end();
}

static void test_init_on_alloc(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(QR_OPT_INIT_ON_ALLOC, true);
	page = take(QR_GFP_KERNEL, 1);
	assert_true(all_bytes(page, 1, 0));
	memset(bytes_of(page), 0x5c, 2 * QR_PAGE_SIZE);
	qr___free_pages(m->q, page, 1);
	assert_true(bytes_of(page)[0] == 0x5c);
	take_again(page, QR_GFP_KERNEL, 1);
	assert_true(all_bytes(page, 1, 0));
	qr___free_pages(m->q, page, 1);
	end();
}

static void test_init_on_free(void **state)
{
	struct qr_page *page;
	unsigned order = 3;

	(void)state;
	begin(QR_OPT_INIT_ON_FREE, true);
	memset(m->bytes, 0x5c, m->bytes_size);
	/* Fresh memory was never freed, so never zeroed; what is asked to be zero is zero. */
	page = take(QR_GFP_KERNEL | QR___GFP_ZERO, order);
	assert_true(all_bytes(page, order, 0));
	memset(bytes_of(page), 0x77, QR_PAGE_SIZE << order);
	qr___free_pages(m->q, page, order);
	assert_true(all_bytes(page, order, 0));
	/* What was zeroed is not zeroed again. */
	bytes_of(page)[9] = 1;
	take_again(page, QR_GFP_KERNEL | QR___GFP_ZERO, order);
	assert_int_equal(bytes_of(page)[9], 1);
	for (unsigned i = 0; i < 8; i++)
		assert_false(qr__page_test(page + i, QR_PG_FILLED));
	qr___free_pages(m->q, page, order);
	/* A block of which some frames were freed before, and some not. */
	qr_drain_all_pages(m->q, NULL);
	page = take(QR_GFP_KERNEL | QR___GFP_ZERO, QR_MAX_PAGE_ORDER);
	assert_true(all_bytes(page + 8, 0, 0));
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	end();
}

static void test_highmem_has_no_bytes(void **state)
{
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_PAGE_POISON;
	test_machine_bytes(m);
	m->highmem_pfn = 0;
	test_machine_create(m);
	page = take(QR_GFP_KERNEL | QR___GFP_ZERO, 1);
	qr___free_pages(m->q, page, 1);
	take_again(page, QR_GFP_KERNEL | QR___GFP_ZERO, 1);
	qr___free_pages(m->q, page, 1);
	end();
}

/* Checks ----------------------------------------------------------------------------------- */

static uint64_t bad_pages(void)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(m->q, &stats);
	return stats.bad_pages;
}

static void spoil(struct qr_page *page, unsigned how)
{
	switch (how) {
	case 0:
		qr__page_mapcount_set(&alloc()->frames, page, 1);
		break;
	case 1:
		qr__page_mapping_set(&alloc()->frames, page, 7);
		break;
	case 2:
		qr__page_set(&alloc()->frames, page, QR_PG_LRU);
		break;
	case 3:
		qr__page_set(&alloc()->frames, page, QR_PG_LOCKED);
		break;
	default:
		atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 3);
		break;
	}
}

static void mend(struct qr_page *page)
{
	qr__page_mapcount_set(&alloc()->frames, page, 0);
	qr__page_mapping_set(&alloc()->frames, page, 0);
	qr__page_flags_set(&alloc()->frames, page, 0);
	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 0);
}

static const char *const reasons[] = {
	"nonzero mapcount",
	"non-NULL mapping",
	"PAGE_FLAGS_CHECK_AT_FREE flag(s) set",
	"PAGE_FLAGS_CHECK_AT_FREE flag(s) set",
	"nonzero _refcount",
};

/* A page that something still clings to is leaked, and said to be. */
static void test_bad_pages_are_leaked_on_free(void **state)
{
	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	for (unsigned how = 0; how < 4; how++) {
		struct qr_page *page = take(QR_GFP_KERNEL, 0);
		uint64_t before = nr_free();
		char line[64];

		test_log_clear(m);
		spoil(page, how);
		qr___free_pages(m->q, page, 0);
		snprintf(line, sizeof(line), "BUG: Bad page state in process 0  pfn:%05llx",
			 (unsigned long long)qr_page_to_pfn(m->q, page));
		assert_true(test_log_has(m, line));
		assert_true(test_log_has(m, reasons[how]));
		assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
		assert_int_equal(nr_free(), before);
		assert_int_equal(bad_pages(), how + 1);
		/* It stays out, whatever its owner does next. */
		qr___free_pages(m->q, page, 0);
		assert_int_equal(nr_free(), before);
		mend(page);
		test_machine_check(m);
		for (unsigned i = 0; i < 100; i++)
			assert_ptr_not_equal(take(QR_GFP_KERNEL, 0), page);
		test_machine_destroy(m);
		test_machine_create(m);
		for (unsigned i = 0; i <= how; i++)
			qr__bad_page_ratelimit(alloc());
	}
	end();
}

/* What an anonymous or a driver's page belonged to ends with its use, and is no fault. */
static void test_mappings_that_end_by_themselves(void **state)
{
	static const uint32_t flags[] = {QR_PG_ANON, QR_PG_MOVABLE_OPS};

	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	for (unsigned i = 0; i < 2; i++) {
		struct qr_page *page = take(QR_GFP_KERNEL, 0);

		qr__page_set(&alloc()->frames, page, flags[i]);
		qr__page_mapping_set(&alloc()->frames, page, 5);
		qr___free_pages(m->q, page, 0);
		assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
		take_again(page, QR_GFP_KERNEL, 0);
		qr___free_pages(m->q, page, 0);
	}
	end();
}

/* Without the option only misuse is looked for, and such marks are washed off. */
static void test_checks_are_an_option(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 0);
	spoil(page, 2);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* One bad tail spoils the block. */
static void test_bad_tails_are_leaked_on_free(void **state)
{
	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	for (unsigned comp = 0; comp < 2; comp++) {
		for (unsigned how = 0; how < 5; how++) {
			struct qr_page *page = take(QR_GFP_KERNEL | (comp ? QR___GFP_COMP : 0), 2);
			uint64_t before = nr_free();

			test_log_clear(m);
			spoil(page + 3, how);
			qr___free_pages(m->q, page, 2);
			assert_true(test_log_has(m, reasons[how]));
			assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
			assert_int_equal(qr__page_order(&alloc()->frames, page), 2);
			assert_int_equal(nr_free(), before);
			mend(page + 3);
			test_machine_check(m);
		}
	}
	end();
}

static void test_broken_compound_pages(void **state)
{
	(void)state;
	begin(0, false);
	for (unsigned how = 0; how < 2; how++) {
		struct qr_page *page = take(QR_GFP_KERNEL | QR___GFP_COMP, 2);

		test_log_clear(m);
		if (how)
			page[2].link.next++;
		else
			qr__page_type_set(&alloc()->frames, page + 2, QR_PT_NONE);
		qr___free_pages(m->q, page, 2);
		assert_true(test_log_has(m, how ? "names another head" : "lost its mark"));
		assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
		test_machine_check(m);
	}
	end();
}

/* A record that changed while its frame was free: the page is not handed out, the next one is. */
static void test_bad_pages_are_leaked_on_allocation(void **state)
{
	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	for (unsigned order = 0; order < 3; order += 2) {
		for (unsigned how = 0; how < 5; how++) {
			struct qr_page *page = free_block(order), *other;

			spoil(page + (order ? 1 : 0), how);
			test_log_clear(m);
			other = take_until(is_leaked, page, QR_GFP_KERNEL, order);
			assert_true(test_log_has(m, "BUG: Bad page state"));
			if (how == 2)
				assert_true(test_log_has(m, "PAGE_FLAGS_CHECK_AT_PREP flag set"));
			mend(page + (order ? 1 : 0));
			qr___free_pages(m->q, other, order);
			test_machine_check(m);
		}
	}
	end();
}

/* Charged is what a page was when nobody uncharged it. */
static void test_charged_pages_are_bad(void **state)
{
	struct qr_page *page, *other;

	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	page = free_block(0);
	qr__page_set(&alloc()->frames, page, QR_PG_CHARGED);
	other = take_until(is_leaked, page, QR_GFP_KERNEL, 0);
	assert_true(test_log_has(m, "page still charged to cgroup"));
	qr__page_clear(page, QR_PG_CHARGED);
	qr___free_pages(m->q, other, 0);
	end();
}

/* A poisoned frame is leaked without a word, wherever it turns up. */
static void test_hwpoison(void **state)
{
	struct qr_page *page, *other;
	uint64_t before;

	(void)state;
	begin(QR_OPT_CHECK_PAGES, false);
	page = take(QR_GFP_KERNEL, 0);
	before = nr_free();
	qr__page_set(&alloc()->frames, page, QR_PG_HWPOISON);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(nr_free(), before);
	assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
	assert_true(qr__page_test(page, QR_PG_HWPOISON));
	/*
	 * In a larger block the frame comes back, mark and all, and is found when it is to be
	 * used.
	 */
	page = take(QR_GFP_KERNEL, 2);
	before = nr_free();
	qr__page_set(&alloc()->frames, page + 1, QR_PG_HWPOISON);
	qr___free_pages(m->q, page, 2);
	assert_true(qr__page_test(page + 1, QR_PG_HWPOISON));
	other = take_until(is_leaked, page, QR_GFP_KERNEL, 2);
	qr___free_pages(m->q, other, 2);
	assert_int_equal(nr_free(), before);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	assert_int_equal(bad_pages(), 0);
	end();
}

static void test_bad_page(void **state)
{
	struct qr_task task = {.id = 4711};
	struct qr_page *page;

	(void)state;
	begin(0, false);
	page = take(QR_GFP_KERNEL, 1);
	test_task_set(&task);
	qr__bad_page(alloc(), page, "because");
	test_task_set(NULL);
	assert_true(test_log_has(m, "BUG: Bad page state in process 4711  pfn:"));
	assert_true(test_log_has(m, "page dumped because: because"));
	assert_true(test_log_has(m, "refcount:1 mapcount:0"));
	assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
	assert_int_equal(qr__page_order(&alloc()->frames, page), 1);
	end();
}

/* Events ----------------------------------------------------------------------------------- */

static struct {
	unsigned allocs, frees;
	qr_pfn_t pfn;
	unsigned order;
} traced;

static void trace_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	traced.allocs += event->id == QR_TP_MM_PAGE_ALLOC;
	traced.frees += event->id == QR_TP_MM_PAGE_FREE;
	traced.pfn = event->pfn;
	traced.order = event->order;
}

static void test_trace(void **state)
{
	(void)state;
	begin(0, false);
	qr_trace_set(m->q, trace_note, NULL, 1u << QR_TP_MM_PAGE_ALLOC | 1u << QR_TP_MM_PAGE_FREE);
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		struct qr_page *page = take(QR_GFP_KERNEL, order);

		memset(&traced, 0, sizeof(traced));
		qr___free_pages(m->q, page, order);
		assert_int_equal(traced.frees, 1);
		assert_int_equal(traced.pfn, qr_page_to_pfn(m->q, page));
		assert_int_equal(traced.order, order);
	}
	qr_trace_set(m->q, NULL, NULL, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_block),
		cmocka_unit_test(test_compound_page),
		cmocka_unit_test(test_private_word_is_clear),
		cmocka_unit_test(test_flags_are_washed),
		cmocka_unit_test(test_pfmemalloc),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_init_on_alloc),
		cmocka_unit_test(test_init_on_free),
		cmocka_unit_test(test_highmem_has_no_bytes),
		cmocka_unit_test(test_bad_pages_are_leaked_on_free),
		cmocka_unit_test(test_mappings_that_end_by_themselves),
		cmocka_unit_test(test_checks_are_an_option),
		cmocka_unit_test(test_bad_tails_are_leaked_on_free),
		cmocka_unit_test(test_broken_compound_pages),
		cmocka_unit_test(test_bad_pages_are_leaked_on_allocation),
		cmocka_unit_test(test_charged_pages_are_bad),
		cmocka_unit_test(test_hwpoison),
		cmocka_unit_test(test_bad_page),
		cmocka_unit_test(test_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
