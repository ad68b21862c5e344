/* SPDX-License-Identifier: MIT */
/*
 * test_marks_rows.c - marks of blocks side by side change by the word, and nobody else's with them
 * (src/frames/frames.h, buddy/bitmap_drain.c)
 */
#include "buddy_machine.h"
#include "step_machine.h"

#define ROW QR_MARKS_ROW
#define NR (3 * ROW) /* blocks side by side */
#define ORDERS QR_MAGAZINE_ORDERS

static uint32_t frame[NR]; /* of the blocks that a test is about, from the lowest on */
static unsigned its_order;

static uint8_t mark(unsigned n)
{
	return qr__mark(qr__mark_of(&allocator()->frames, frame[n], its_order));
}

static void marks_are(unsigned first, unsigned nr, uint8_t expected)
{
	for (unsigned n = first; n < first + nr; n++)
		assert_int_equal(mark(n), expected);
}

/* NR blocks side by side, freed, wait in a cache, but in no magazine any more. */
static void rows_begin(unsigned order)
{
	uint64_t pages = qr__order_pages(order), at = NR * pages;
	struct qr_page *page;

	step_begin(1);
	its_order = order;
	for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++)
		qr__ring(mag(), (enum qr_migratetype)type, order)->limit =
			0; /* whole pageblocks would go straight back */
	for (unsigned n = 0; n < NR; n++, at += pages) {
		assert_int_equal(qr_alloc_pages_at(m->q, at, order, QR_GFP_KERNEL, &page), 0);
		frame[n] = (uint32_t)(page - allocator()->frames.pages);
		give(page, order);
	}
	assert_int_equal(nr_put(order), NR);
	atomic_store(&qr__put(mag(), order)->nr, 0);
	marks_are(0, NR, QR_MARK_CACHED);
}

static void rows_end(void)
{
	qr__bump(&mag()->pages_out, NR << its_order);
	marks_are(0, NR, QR_MARK_SILENT);
	test_machine_check(m);
	step_end();
}

static void drain(uint32_t *frames, unsigned nr)
{
	zone()->ops->drain(zone(), its_order, frames, nr, false);
}

/* The row that begins with block @first, from its last to its first block or the other way. */
static void row_drain(unsigned first, bool downwards)
{
	uint32_t frames[ROW];

	for (unsigned n = 0; n < ROW; n++)
		frames[n] = frame[first + (downwards ? ROW - 1 - n : n)];
	drain(frames, ROW);
}

/* Its neighbours wait in the cache still. */
static void test_rows_change_alone(void **state)
{
	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned downwards = 0; downwards < 2; downwards++) {
			rows_begin(order);
			row_drain(ROW, downwards);
			buddy_machine_check(zone());
			marks_are(0, ROW, QR_MARK_CACHED);
			marks_are(ROW, ROW, QR_MARK_SILENT);
			marks_are(2 * ROW, ROW, QR_MARK_CACHED);
			row_drain(2 * ROW, downwards);
			marks_are(0, ROW, QR_MARK_CACHED);
			row_drain(0, downwards);
			rows_end();
		}
	}
}

/* First and last are as in a row, but not what is between. */
static void test_what_only_looks_like_a_row(void **state)
{
	uint32_t frames[ROW];

	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		rows_begin(order);
		for (unsigned n = 0; n < ROW; n++)
			frames[n] = frame[n];
		frames[3] = frame[ROW + 3];
		drain(frames, ROW);
		assert_int_equal(mark(3), QR_MARK_CACHED);
		assert_int_equal(mark(ROW + 3), QR_MARK_SILENT);
		frames[0] = frame[3];
		drain(frames, 1);
		row_drain(2 * ROW, false);
		for (unsigned n = 0; n < ROW; n++)
			frames[n] = frame[ROW + (n < 3 ? n : n + 1)];
		drain(frames, ROW - 1);
		rows_end();
	}
}

/* A block that came twice goes no further, and a row that comes behind it does. */
static void test_rows_behind_what_came_twice(void **state)
{
	uint32_t frames[2 * ROW];
	uint64_t free;

	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		rows_begin(order);
		frames[0] = frame[0];
		drain(frames, 1);
		free = nr_free();
		frames[0] = frame[0];
		for (unsigned n = 1; n < ROW; n++)
			frames[n] = frame[ROW - n];
		for (unsigned n = 0; n < ROW; n++)
			frames[ROW + n] = frame[ROW + n];
		drain(frames, 2 * ROW);
		assert_true(test_log_has(m, "twice"));
		test_log_clear(m);
		assert_int_equal(nr_free(), free + ((2 * ROW - 1) << order));
		row_drain(2 * ROW, true);
		rows_end();
	}
}

/* A row that is not at a multiple of its own size: where its bits go on in another word. */
static void test_rows_that_begin_anywhere(void **state)
{
	uint32_t frames[NR];

	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned first = 1; first < 2 * ROW; first++) {
			rows_begin(order);
			row_drain(first, first % 2);
			buddy_machine_check(zone());
			marks_are(0, first, QR_MARK_CACHED);
			marks_are(first, ROW, QR_MARK_SILENT);
			for (unsigned n = 0; n < NR - ROW; n++)
				frames[n] = frame[n < first ? n : n + ROW];
			drain(frames, NR - ROW);
			rows_end();
		}
	}
}

/*
 * Behind two of a pageblock of another type: then those of a row are looked at one by one, and its
 * first has come before.
 */
static void test_rows_of_another_type(void **state)
{
	(void)state;
	for (unsigned order = 0; order + 1 < QR_PAGEBLOCK_ORDER; order++) {
		uint64_t pages = qr__order_pages(order);
		uint64_t at = qr__align_up(2 * NR * pages, QR_PAGEBLOCK_NR_PAGES);
		uint32_t frames[ROW + 4];
		struct qr_page *page;
		unsigned long irqs;

		rows_begin(order);
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(qr_alloc_pages_at(m->q, at + n * pages, order,
							   QR_GFP_KERNEL, &page),
					 0);
			frames[n] = (uint32_t)(page - allocator()->frames.pages);
			give(page, order);
		}
		atomic_store(&qr__put(mag(), order)->nr, 0);
		irqs = qr__zone_lock(zone());
		zone()->ops->move(zone(), at, at + QR_PAGEBLOCK_NR_PAGES,
				  qr__pageblock_type(zone()->frames, at), QR_MIGRATE_RECLAIMABLE);
		qr__pageblock_type_set_locked(zone(), at, QR_MIGRATE_RECLAIMABLE);
		qr__zone_unlock(zone(), irqs);
		frames[2] = frame[0];
		drain(&frames[2], 1);
		frames[2] = frame[0];
		for (unsigned n = 0; n <= ROW; n++)
			frames[3 + n] = frame[1 + n];
		drain(frames, ROW + 4);
		assert_true(test_log_has(m, "twice"));
		test_log_clear(m);
		buddy_machine_check(zone());
		marks_are(ROW + 2, NR - ROW - 2, QR_MARK_CACHED);
		row_drain(ROW + 2, false);
		drain(&frame[2 * ROW + 2], NR - 2 * ROW - 2);
		qr__bump(&mag()->pages_out, 2 * pages);
		rows_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_change_alone),
		cmocka_unit_test(test_what_only_looks_like_a_row),
		cmocka_unit_test(test_rows_behind_what_came_twice),
		cmocka_unit_test(test_rows_that_begin_anywhere),
		cmocka_unit_test(test_rows_of_another_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
