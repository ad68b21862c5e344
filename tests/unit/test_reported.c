/* SPDX-License-Identifier: MIT */
/*
 * test_reported.c - what is reported of a free block is said of it as long as it stays as it is
 */
#include "buddy_machine.h"

#include "base/bits.h"

#define MAX_ORDER QR_MAX_PAGE_ORDER
#define MOVABLE QR_MIGRATE_MOVABLE

static struct buddy_machine *m;
static struct qr_zone *zone;
static unsigned long irqs;

/* One block of the highest order, in use. */
static void begin(void)
{
	m = buddy_machine_new(0, QR_MAX_ORDER_NR_PAGES);
	zone = buddy_machine_zone(m, 0, QR_ZONE_NORMAL, 0, QR_MAX_ORDER_NR_PAGES);
	irqs = qr__zone_lock(zone);
}

static void end(void)
{
	qr__zone_unlock(zone, irqs);
	buddy_machine_check(zone);
	buddy_machine_free(m);
}

static void give(qr_pfn_t pfn, unsigned order)
{
	zone->ops->give(zone, pfn, order, MOVABLE, QR_END_AUTO);
}

/* The same by the way that caches are emptied, where there is one, and for what they keep. */
static void give_by_drain(qr_pfn_t pfn, unsigned order)
{
	uint32_t frame = (uint32_t)pfn;

	if (!zone->ops->drain || order > QR_PAGEBLOCK_ORDER) {
		give(pfn, order);
		return;
	}
	qr__state_head_set(&zone->frames->states[frame], zone->id, QR_PT_PCP, order);
	qr__zone_unlock(zone, irqs);
	zone->ops->drain(zone, order, &frame, 1, false);
	irqs = qr__zone_lock(zone);
}

static void report(qr_pfn_t pfn)
{
	qr__page_reported_set_locked(zone, buddy_machine_page(m, pfn));
}

static bool is_reported(qr_pfn_t pfn)
{
	return qr__page_test(buddy_machine_page(m, pfn), QR_PG_REPORTED);
}

static void assert_nothing_reported(void)
{
	for (qr_pfn_t pfn = 0; pfn < QR_MAX_ORDER_NR_PAGES; pfn++)
		assert_false(is_reported(pfn));
}

typedef void give_fn(qr_pfn_t pfn, unsigned order);

/* Blocks of each order are reported, as either half, and then their buddy comes. */
static void joins(give_fn *give_one)
{
	for (unsigned order = 0; order < MAX_ORDER; order++) {
		for (unsigned upper = 0; upper < 2; upper++) {
			qr_pfn_t first = upper ? qr__order_pages(order) : 0;

			begin();
			give(first, order);
			report(first);
			assert_true(is_reported(first));
			give_one(first ^ qr__order_pages(order), order);
			assert_nothing_reported();
			end();
		}
	}
}

static void test_given_back(void **state)
{
	(void)state;
	joins(give);
}

static void test_drained(void **state)
{
	(void)state;
	joins(give_by_drain);
}

/* Halves, quarters... all of them reported, come together by the last page. */
static void test_one_page_joins_many(void **state)
{
	(void)state;
	for (unsigned by_drain = 0; by_drain < 2; by_drain++) {
		begin();
		for (unsigned order = 0; order < MAX_ORDER; order++) {
			give(qr__order_pages(order), order);
			report(qr__order_pages(order));
		}
		if (by_drain)
			give_by_drain(0, 0);
		else
			give(0, 0);
		assert_nothing_reported();
		end();
	}
}

static void test_not_joined(void **state)
{
	const qr_pfn_t far = QR_MAX_ORDER_NR_PAGES / 2;

	(void)state;
	begin();
	give(0, 0);
	report(0);
	give(far, 0);
	assert_true(is_reported(0));
	give_by_drain(far + 1, 0);
	assert_true(is_reported(0));
	end();
}

static void test_cut(void **state)
{
	(void)state;
	for (unsigned order = 1; order <= MAX_ORDER; order++) {
		const qr_pfn_t middle = qr__order_pages(order) / 2;
		qr_pfn_t pfn;

		begin();
		give(0, order);
		report(0);
		assert_true(zone->ops->carve(zone, middle, 0));
		assert_nothing_reported();
		give(middle, 0);

		report(0);
		zone->ops->take_block(zone, (struct qr_block){0, order}, 0, MOVABLE);
		assert_nothing_reported();
		give(0, 0);

		report(0);
		assert_int_equal(zone->ops->take(zone, 0, MOVABLE, 1, &pfn), 1);
		assert_nothing_reported();
		give(pfn, 0);

		report(0);
		assert_int_equal(zone->ops->take(zone, order, MOVABLE, 1, &pfn), 1);
		assert_nothing_reported();
		end();
	}
}

/* A pageblock that changes its class is the same block, unless it finds a buddy there. */
static void test_moved(void **state)
{
	const qr_pfn_t next = QR_PAGEBLOCK_NR_PAGES;

	(void)state;
	if (MAX_ORDER == QR_PAGEBLOCK_ORDER)
		skip();
	begin();
	qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_CMA);
	zone->ops->give(zone, 0, QR_PAGEBLOCK_ORDER, QR_MIGRATE_CMA, QR_END_AUTO);
	give(next, QR_PAGEBLOCK_ORDER);
	report(0);
	report(next);
	qr__pageblock_type_set_locked(zone, next, QR_MIGRATE_HIGHATOMIC);
	zone->ops->move(zone, next, 2 * next, MOVABLE, QR_MIGRATE_HIGHATOMIC);
	assert_true(is_reported(next));
	qr__pageblock_type_set_locked(zone, next, QR_MIGRATE_CMA);
	zone->ops->move(zone, next, 2 * next, QR_MIGRATE_HIGHATOMIC, QR_MIGRATE_CMA);
	/* The list engine does not join what it moves. */
	assert_int_equal(is_reported(next), test_engine_is("list"));
	assert_int_equal(is_reported(0), test_engine_is("list"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_drained),
		cmocka_unit_test(test_one_page_joins_many),
		cmocka_unit_test(test_not_joined),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_moved),
	};

	return test_group_run("reported", tests);
}
