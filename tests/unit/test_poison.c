/* SPDX-License-Identifier: MIT */
/*
 * test_poison.c - free memory that was written to
 */
#include "support.h"

#include "alloc/pcp.h"

static struct test_machine *m;

#define PAGES (UINT64_C(16) * QR_MAX_ORDER_NR_PAGES)

static void begin(uint32_t options)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_PAGE_POISON | options;
	test_machine_bytes(m);
	test_machine_create(m);
}

static void end(void)
{
	test_machine_free(m);
}

static struct qr_page *take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	assert_non_null(page);
	return page;
}

static uint8_t *bytes_of(struct qr_page *page)
{
	return qr_page_address(m->q, page);
}

/* A block that is free and filled. */
static struct qr_page *poisoned(unsigned order)
{
	struct qr_page *page = take(QR_GFP_KERNEL, order);

	qr___free_pages(m->q, page, order);
	test_log_clear(m);
	return page;
}

/*
 * The same block again: the next one from the list engine's caches; from magazines one of the next,
 * after the engine has seen it.
 */
static void take_again(struct qr_page *page, qr_gfp_t gfp, unsigned order)
{
	struct qr_page *others[64], *got;
	unsigned nr = 0;

	if (test_engine_is("list")) {
		assert_ptr_equal(take(gfp, order), page);
		return;
	}
	qr_drain_all_pages(m->q, NULL);
	while ((got = take(gfp, order)) != page) {
		assert_in_range(nr, 0, 63);
		others[nr++] = got;
	}
	while (nr)
		qr___free_pages(m->q, others[--nr], order);
}

static void test_freed_memory_is_filled(void **state)
{
	(void)state;
	begin(0);
	for (unsigned order = 0; order <= 3; order++) {
		struct qr_page *page = take(QR_GFP_KERNEL, order);

		memset(bytes_of(page), 1, QR_PAGE_SIZE << order);
		qr___free_pages(m->q, page, order);
		for (size_t i = 0; i < QR_PAGE_SIZE << order; i++)
			assert_int_equal(bytes_of(page)[i], 0xaa);
		take_again(page, QR_GFP_KERNEL, order);
		assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
		qr___free_pages(m->q, page, order);
	}
	end();
}

/* Fresh memory holds anything, and nobody may complain about that. */
static void test_fresh_memory_is_not_verified(void **state)
{
	(void)state;
	begin(0);
	memset(m->bytes, 0x33, m->bytes_size);
	for (unsigned i = 0; i < 4; i++)
		take(QR_GFP_KERNEL, QR_MAX_PAGE_ORDER);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	end();
}

/* Frames that were freed lie in one block with frames that never were: each is known. */
static void test_joined_blocks_know_their_frames(void **state)
{
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	begin(0);
	memset(m->bytes, 0x33, m->bytes_size);
	page = take(QR_GFP_KERNEL, 0);
	pfn = qr_page_to_pfn(m->q, page);
	qr___free_pages(m->q, page, 0);
	qr_drain_all_pages(m->q, NULL);
	bytes_of(page)[100] = 0;
	pfn &= ~(QR_MAX_ORDER_NR_PAGES - 1);
	assert_int_equal(qr_alloc_pages_at(m->q, pfn, QR_MAX_PAGE_ORDER, QR_GFP_KERNEL, &page), 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 2);
	assert_true(test_log_has(m, "memory corruption"));
	assert_true(test_log_has(m, "bytes 100 to 100"));
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	end();
}

static void test_single_bit(void **state)
{
	(void)state;
	begin(0);
	for (unsigned bit = 0; bit < 8; bit++) {
		struct qr_page *page = poisoned(0);
		char text[80];

		bytes_of(page)[7 * bit] ^= (uint8_t)(1u << bit);
		take_again(page, QR_GFP_KERNEL, 0);
		snprintf(text, sizeof(text), "pagealloc: single bit error: pfn %#llx",
			 (unsigned long long)qr_page_to_pfn(m->q, page));
		assert_true(test_log_has(m, text));
		snprintf(text, sizeof(text), "%03x: %02x\n", 7 * bit, 0xaau ^ 1u << bit);
		assert_true(test_log_has(m, text));
		qr___free_pages(m->q, page, 0);
	}
	end();
}

static void test_corruption(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0);
	/* Two bits of one byte. */
	page = poisoned(0);
	bytes_of(page)[QR_PAGE_SIZE - 1] = 0xaa ^ 3;
	take_again(page, QR_GFP_KERNEL, 0);
	assert_true(test_log_has(m, "pagealloc: memory corruption"));
	assert_true(test_log_has(m, "bytes 4095 to 4095"));
	qr___free_pages(m->q, page, 0);
	/* One bit each of two bytes, with a span between. */
	page = poisoned(0);
	bytes_of(page)[0x10] ^= 1;
	bytes_of(page)[0x21] ^= 1;
	take_again(page, QR_GFP_KERNEL, 0);
	assert_true(test_log_has(m, "pagealloc: memory corruption"));
	assert_true(test_log_has(m, "bytes 16 to 33"));
	assert_true(test_log_has(m, "010: ab aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa\n"));
	assert_true(test_log_has(m, "020: aa ab\n"));
	qr___free_pages(m->q, page, 0);
	/* A dump has an end. */
	page = poisoned(0);
	memset(bytes_of(page), 0, QR_PAGE_SIZE);
	take_again(page, QR_GFP_KERNEL, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 1 + 8);
	qr___free_pages(m->q, page, 0);
	end();
}

/* In a block the frame is named, not the block. */
static void test_corruption_in_a_block(void **state)
{
	struct qr_page *page;
	char text[80];

	(void)state;
	begin(0);
	page = poisoned(3);
	bytes_of(page)[5 * QR_PAGE_SIZE + 8] = 0;
	take_again(page, QR_GFP_KERNEL, 3);
	snprintf(text, sizeof(text), "memory corruption: pfn %#llx",
		 (unsigned long long)qr_page_to_pfn(m->q, page + 5));
	assert_true(test_log_has(m, text));
	assert_true(test_log_has(m, "bytes 8 to 8"));
	qr___free_pages(m->q, page, 3);
	end();
}

/* Zeroing comes after the look, or every zeroed page would seem corrupt, or none. */
static void test_A27_zero_and_poison(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0);
	page = poisoned(1);
	take_again(page, QR_GFP_KERNEL | QR___GFP_ZERO, 1);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	for (size_t i = 0; i < 2 * QR_PAGE_SIZE; i++)
		assert_int_equal(bytes_of(page)[i], 0);
	qr___free_pages(m->q, page, 1);
	page = poisoned(1);
	bytes_of(page)[3] = 0;
	take_again(page, QR_GFP_KERNEL | QR___GFP_ZERO, 1);
	assert_true(test_log_has(m, "memory corruption"));
	assert_int_equal(bytes_of(page)[0], 0);
	qr___free_pages(m->q, page, 1);
	end();
}

/* 10 reports in 5 seconds. */
static void test_reports_are_limited(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0);
	page = take(QR_GFP_KERNEL, 0);
	for (unsigned i = 0; i < 24; i++) {
		qr___free_pages(m->q, page, 0);
		bytes_of(page)[0] ^= 1;
		if (i == 20)
			m->now_ns = UINT64_C(5000000000);
		take_again(page, QR_GFP_KERNEL, 0);
	}
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 2 * (10 + 4));
	end();
}

/* Filling and zeroing exclude each other; poison wins. */
static void test_poison_turns_init_off(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(QR_OPT_INIT_ON_FREE | QR_OPT_INIT_ON_ALLOC);
	page = poisoned(0);
	assert_int_equal(bytes_of(page)[0], 0xaa);
	take_again(page, QR_GFP_KERNEL, 0);
	assert_int_equal(bytes_of(page)[0], 0xaa);
	qr___free_pages(m->q, page, 0);
	end();
}

/* Poisoning brings the checks of records with it. */
static void test_poison_checks_records(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(0);
	page = take(QR_GFP_KERNEL, 0);
	qr__page_set(qr__frames(m->q), page, QR_PG_LRU);
	qr___free_pages(m->q, page, 0);
	assert_true(test_log_has(m, "BUG: Bad page state"));
	qr__page_clear(page, QR_PG_LRU);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freed_memory_is_filled),
		cmocka_unit_test(test_fresh_memory_is_not_verified),
		cmocka_unit_test(test_joined_blocks_know_their_frames),
		cmocka_unit_test(test_single_bit),
		cmocka_unit_test(test_corruption),
		cmocka_unit_test(test_corruption_in_a_block),
		cmocka_unit_test(test_A27_zero_and_poison),
		cmocka_unit_test(test_reports_are_limited),
		cmocka_unit_test(test_poison_turns_init_off),
		cmocka_unit_test(test_poison_checks_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
