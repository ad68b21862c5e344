/* SPDX-License-Identifier: MIT */
/*
 * test_buddy_list.c - the list engine, operation by operation
 *
 * Most tests draw on 2^QR_MAX_PAGE_ORDER frames, so they fit each geometry; where a case needs a
 * certain relation of pageblock and largest order, it is left out where there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "buddy_machine.h"

#define MAX_ORDER QR_MAX_PAGE_ORDER
#define BLOCK QR_MAX_ORDER_NR_PAGES
#define PAGEBLOCK QR_PAGEBLOCK_NR_PAGES
#define MOVABLE QR_MIGRATE_MOVABLE

/* The machine of the test that runs: zone Normal from pfn 0 on, locked. */
static struct buddy_machine *machine;
static struct qr_zone *zone;
static unsigned long irqs;

static void begin_empty(uint64_t nr_pages)
{
	machine = buddy_machine_new(0, nr_pages);
	machine->ops = &qr__buddy_list;
	zone = buddy_machine_zone(machine, 0, QR_ZONE_NORMAL, 0, nr_pages);
	irqs = qr__zone_lock(zone);
}

/* All of it free and MOVABLE. */
static void begin(uint64_t nr_pages)
{
	begin_empty(nr_pages);
	qr__zone_unlock(zone, irqs);
	buddy_machine_release(zone, 0, nr_pages);
	irqs = qr__zone_lock(zone);
}

static void end(void)
{
	qr__zone_unlock(zone, irqs);
	buddy_machine_check(zone);
	buddy_machine_free(machine);
	machine = NULL;
}

static qr_pfn_t take(unsigned order, enum qr_migratetype type)
{
	qr_pfn_t pfn;

	return zone->ops->take(zone, order, type, 1, &pfn) ? pfn : QR_PFN_NONE;
}

static unsigned give(qr_pfn_t pfn, unsigned order)
{
	return zone->ops->give(zone, pfn, order, qr__pageblock_type(zone->frames, pfn),
			       QR_END_AUTO);
}

static uint64_t nr_free(void)
{
	return qr__read(&zone->nr_free_pages);
}

static struct qr_page *page_of(qr_pfn_t pfn)
{
	return buddy_machine_page(machine, pfn);
}

/* The list must be exactly these pfns, ended by QR_PFN_NONE. */
static void list_is(unsigned order, enum qr_migratetype type, ...)
{
	qr_pfn_t pfn = QR_PFN_NONE, expected;
	uint64_t nr = 0;
	va_list args;

	va_start(args, type);
	do {
		expected = va_arg(args, qr_pfn_t);
		pfn = zone->ops->next(zone, order, type, pfn);
		assert_int_equal(pfn, expected);
		nr += expected != QR_PFN_NONE;
	} while (expected != QR_PFN_NONE);
	va_end(args);
	assert_int_equal(zone->ops->nr_blocks_type_racy(zone, order, type), nr);
}

#define LIST_IS(order, type, ...) list_is((order), (type), __VA_ARGS__)
#define P(pfn) ((qr_pfn_t)(pfn))
#define NONE QR_PFN_NONE

/* Splitting -------------------------------------------------------------------------------- */

static void test_fresh_block_leaves_one_block_of_each_order(void **state)
{
	(void)state;
	begin(BLOCK);
	assert_int_equal(take(0, MOVABLE), 0);
	for (unsigned order = 0; order < MAX_ORDER; order++)
		LIST_IS(order, MOVABLE, P(1) << order, NONE);
	LIST_IS(MAX_ORDER, MOVABLE, NONE);
	assert_int_equal(nr_free(), BLOCK - 1);
	assert_int_equal(take(0, MOVABLE), 1);
	LIST_IS(0, MOVABLE, NONE);
	assert_int_equal(take(0, MOVABLE), 2);
	LIST_IS(0, MOVABLE, P(3), NONE);
	LIST_IS(1, MOVABLE, NONE);
	assert_int_equal(nr_free(), BLOCK - 3);
	end();
}

static void test_what_is_handed_out_says_pcp(void **state)
{
	(void)state;
	begin(BLOCK);
	assert_int_equal(take(1, MOVABLE), 0);
	assert_int_equal(qr__page_type(zone->frames, page_of(0)), QR_PT_PCP);
	assert_int_equal(qr__page_order(zone->frames, page_of(0)), 1);
	assert_int_equal(qr__state_zone_id(qr__pfn_state(zone->frames, 0)), zone->id);
	assert_int_equal(qr__page_type(zone->frames, page_of(1)), QR_PT_NONE);
	end();
}

static void test_take_only_from_its_own_type(void **state)
{
	(void)state;
	begin(BLOCK);
	assert_int_equal(take(0, QR_MIGRATE_UNMOVABLE), NONE);
	assert_int_equal(take(MAX_ORDER, MOVABLE), 0);
	assert_int_equal(take(0, MOVABLE), NONE);
	assert_int_equal(nr_free(), 0);
	end();
}

static void test_batch_equals_one_by_one(void **state)
{
	enum { NR = 13 };
	qr_pfn_t batch[NR], single[NR];
	unsigned nr;

	(void)state;
	for (unsigned order = 0; order < MAX_ORDER; order++) {
		begin(2 * BLOCK);
		nr = zone->ops->take(zone, order, MOVABLE, NR, batch);
		assert_int_equal(nr, qr__min(NR, 2 * BLOCK >> order));
		end();
		begin(2 * BLOCK);
		for (unsigned i = 0; i < nr; i++) {
			single[i] = take(order, MOVABLE);
			assert_int_equal(batch[i], single[i]);
		}
		end();
	}
}

static void test_batch_ends_when_nothing_is_left(void **state)
{
	qr_pfn_t pfns[4];

	(void)state;
	begin_empty(BLOCK);
	give(0, 0);
	give(2, 0);
	assert_int_equal(zone->ops->take(zone, 0, MOVABLE, 4, pfns), 2);
	assert_int_equal(pfns[0], 2);
	assert_int_equal(pfns[1], 0);
	assert_int_equal(zone->ops->take(zone, 0, MOVABLE, 4, pfns), 0);
	end();
}

static void test_take_block_lists_the_rest_as_asked(void **state)
{
	struct qr_block block = {0, MAX_ORDER};

	(void)state;
	begin(BLOCK);
	zone->ops->take_block(zone, block, 0, QR_MIGRATE_RECLAIMABLE);
	for (unsigned order = 0; order < MAX_ORDER; order++)
		LIST_IS(order, QR_MIGRATE_RECLAIMABLE, P(1) << order, NONE);
	for (qr_pfn_t pfn = 0; pfn < BLOCK; pfn += PAGEBLOCK)
		qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_RECLAIMABLE);
	assert_int_equal(nr_free(), BLOCK - 1);
	end();
}

/* Joining ---------------------------------------------------------------------------------- */

static void test_buddies_join_up_to_the_largest_order(void **state)
{
	(void)state;
	begin(BLOCK);
	assert_int_equal(take(0, MOVABLE), 0);
	assert_int_equal(give(0, 0), MAX_ORDER);
	LIST_IS(MAX_ORDER, MOVABLE, P(0), NONE);
	assert_int_equal(nr_free(), BLOCK);
	for (qr_pfn_t pfn = 1; pfn < BLOCK; pfn++)
		assert_int_equal(qr__page_type(zone->frames, page_of(pfn)), QR_PT_NONE);
	end();
}

/* buddy(12, order 2) = 8, and their parent is 8; buddy(8, order 3) = 0. */
static void test_buddy_of_12_is_8_and_then_0(void **state)
{
	(void)state;
	if (MAX_ORDER < 4)
		skip();
	begin_empty(BLOCK);
	assert_int_equal(give(8, 2), 2);
	assert_int_equal(give(12, 2), 3);
	LIST_IS(3, MOVABLE, P(8), NONE);
	assert_int_equal(give(0, 3), 4);
	LIST_IS(4, MOVABLE, P(0), NONE);
	end();
}

static void test_no_join_with_a_block_of_another_order(void **state)
{
	(void)state;
	begin_empty(BLOCK);
	assert_int_equal(give(2, 1), 1);
	assert_int_equal(give(0, 0), 0);
	LIST_IS(0, MOVABLE, P(0), NONE);
	LIST_IS(1, MOVABLE, P(2), NONE);
	end();
}

static void test_nothing_joins_above_the_largest_order(void **state)
{
	(void)state;
	begin_empty(2 * BLOCK);
	assert_int_equal(give(BLOCK, MAX_ORDER), MAX_ORDER);
	assert_int_equal(give(0, MAX_ORDER), MAX_ORDER);
	LIST_IS(MAX_ORDER, MOVABLE, P(0), P(BLOCK), NONE);
	end();
}

static void test_hot_end_unless_parents_buddy_is_free(void **state)
{
	(void)state;
	if (MAX_ORDER < 3)
		skip();
	/* 4..7 free, 0..3 in use: what is freed now waits at the head. */
	begin_empty(BLOCK);
	give(4, 2);
	if (BLOCK > 8)
		give(8, 0);
	give(0, 0);
	if (BLOCK > 8)
		LIST_IS(0, MOVABLE, P(0), P(8), NONE);
	end();
	/* With 2..3 free, one more free would make 0..3: at the tail. */
	begin_empty(BLOCK);
	give(2, 1);
	if (BLOCK > 8)
		give(8, 0);
	give(0, 0);
	if (BLOCK > 8)
		LIST_IS(0, MOVABLE, P(8), P(0), NONE);
	end();
}

/* The guess is not made one below the largest order and up. */
static void test_no_guess_below_the_largest_order(void **state)
{
	(void)state;
	if (MAX_ORDER < 2 || QR_PAGEBLOCK_ORDER > MAX_ORDER - 1)
		skip();
	begin_empty(4 * BLOCK);
	/* Order MAX-1 at 0: its parent's buddy, of order MAX, is free. */
	give(BLOCK, MAX_ORDER);
	give(2 * BLOCK, MAX_ORDER - 1);
	give(0, MAX_ORDER - 1);
	LIST_IS(MAX_ORDER - 1, MOVABLE, P(0), P(2 * BLOCK), NONE);
	end();
}

static void test_cold_end_on_request(void **state)
{
	(void)state;
	begin_empty(BLOCK);
	give(0, 0);
	zone->ops->give(zone, 2, 0, MOVABLE, QR_END_COLD);
	LIST_IS(0, MOVABLE, P(0), P(2), NONE);
	end();
}

/* Types and joining ------------------------------------------------------------------------ */

/* Two pageblocks of these types, given one after the other: the order it ends up with. */
static unsigned pageblocks_join(enum qr_migratetype first, enum qr_migratetype second)
{
	unsigned order;

	begin_empty(BLOCK);
	if (first == QR_MIGRATE_ISOLATE)
		qr__pageblock_isolate_set_locked(zone, 0, true);
	else
		qr__pageblock_type_set_locked(zone, 0, first);
	if (second == QR_MIGRATE_ISOLATE)
		qr__pageblock_isolate_set_locked(zone, PAGEBLOCK, true);
	else
		qr__pageblock_type_set_locked(zone, PAGEBLOCK, second);
	give(0, QR_PAGEBLOCK_ORDER);
	order = give(PAGEBLOCK, QR_PAGEBLOCK_ORDER);
	if (order == QR_PAGEBLOCK_ORDER) {
		assert_int_equal(qr__pageblock_type(zone->frames, 0), first);
	} else {
		/* The one that was freed last decides. */
		assert_int_equal(qr__pageblock_type(zone->frames, 0), second);
		LIST_IS(order, second, P(0), NONE);
	}
	assert_int_equal(qr__pageblock_type(zone->frames, PAGEBLOCK), second);
	end();
	return order;
}

static void test_only_plain_or_equal_types_join(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER == MAX_ORDER)
		skip();
	for (unsigned a = 0; a < QR_MIGRATE_TYPES; a++) {
		for (unsigned b = 0; b < QR_MIGRATE_TYPES; b++) {
			bool joins = a == b || (a < QR_MIGRATE_PCPTYPES && b < QR_MIGRATE_PCPTYPES);

			assert_int_equal(
				pageblocks_join((enum qr_migratetype)a, (enum qr_migratetype)b),
				QR_PAGEBLOCK_ORDER + joins);
		}
	}
}

/* Two blocks of several pageblocks each: every pageblock of the larger one gets the list's type. */
static void test_A3_join_retypes_all_pageblocks(void **state)
{
	const unsigned order = QR_PAGEBLOCK_ORDER + 1;
	qr_pfn_t half = qr__order_pages(order);

	(void)state;
	if (order + 1 > MAX_ORDER)
		skip();
	for (unsigned first = 0; first < 2; first++) {
		qr_pfn_t early = first ? half : 0, late = first ? 0 : half;

		begin_empty(BLOCK);
		for (qr_pfn_t pfn = early; pfn < early + half; pfn += PAGEBLOCK)
			qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_UNMOVABLE);
		give(early, order);
		assert_int_equal(give(late, order), order + 1);
		LIST_IS(order + 1, MOVABLE, P(0), NONE);
		for (qr_pfn_t pfn = 0; pfn < 2 * half; pfn += PAGEBLOCK)
			assert_int_equal(qr__pageblock_type(zone->frames, pfn), MOVABLE);
		buddy_machine_check(zone);
		/* A later split files everything under the same type. */
		assert_int_equal(take(0, MOVABLE), 0);
		end();
	}
}

/* Without grouping, a pageblock that is retyped says UNMOVABLE; so must the list. */
static void test_join_without_grouping_agrees_with_the_pageblocks(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER == MAX_ORDER)
		skip();
	begin_empty(BLOCK);
	qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_UNMOVABLE);
	atomic_store(&zone->frames->mobility_disabled, true);
	give(0, QR_PAGEBLOCK_ORDER);
	assert_int_equal(give(PAGEBLOCK, QR_PAGEBLOCK_ORDER), QR_PAGEBLOCK_ORDER + 1);
	LIST_IS(QR_PAGEBLOCK_ORDER + 1, QR_MIGRATE_UNMOVABLE, P(0), NONE);
	end();
}

static void test_accounting_by_type(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER == MAX_ORDER)
		skip();
	begin_empty(2 * BLOCK);
	qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_CMA);
	qr__pageblock_type_set_locked(zone, PAGEBLOCK, QR_MIGRATE_HIGHATOMIC);
	qr__pageblock_isolate_set_locked(zone, BLOCK, true);
	give(0, 1);
	give(PAGEBLOCK, 0);
	give(BLOCK, 0);
	give(BLOCK + PAGEBLOCK, 0);
	assert_int_equal(nr_free(), 4); /* ISOLATE is not counted */
	assert_int_equal(qr__read(&zone->nr_free_cma), 2);
	assert_int_equal(qr__read(&zone->nr_free_highatomic), 1);
	assert_int_equal(zone->ops->nr_blocks_racy(zone, 0), 3); /* ISOLATE is */
	assert_true(zone->ops->has_racy(zone, 0, QR_TYPE_BIT(QR_MIGRATE_ISOLATE)));
	assert_false(zone->ops->has_racy(zone, 1, QR_TYPE_BIT(QR_MIGRATE_ISOLATE)));
	assert_true(
		zone->ops->has_racy(zone, 1, QR_TYPE_BIT(QR_MIGRATE_CMA) | QR_TYPE_BIT(MOVABLE)));
	assert_false(zone->ops->has_racy(zone, 2, (1u << QR_MIGRATE_TYPES) - 1));
	end();
}

/* Edges ------------------------------------------------------------------------------------ */

/* The records begin and end with the memory; what looks at a buddy outside of it dies. */
static void test_A5_no_record_outside_memory_is_touched(void **state)
{
	qr_pfn_t base = PAGEBLOCK, last = base + 2 * BLOCK + 1;

	(void)state;
	machine = buddy_machine_new(base, last);
	machine->ops = &qr__buddy_list;
	zone = buddy_machine_zone(machine, 0, QR_ZONE_NORMAL, base, last);
	buddy_machine_release(zone, base, last);
	irqs = qr__zone_lock(zone);
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		struct qr_block block;
		qr_pfn_t pfn =
			qr__align_down(last - qr__order_pages(order), qr__order_pages(order));

		if (!zone->ops->carve(zone, pfn, order))
			continue;
		assert_false(zone->ops->find(zone, last, &block));
		assert_false(zone->ops->find(zone, base - 1, &block));
		give(pfn, order);
	}
	end();
}

static void test_zones_do_not_join(void **state)
{
	struct qr_zone *other;

	(void)state;
	begin_empty(BLOCK);
	/* One inside the other's span, as nodes may lie. */
	other = buddy_machine_zone(machine, 1, QR_ZONE_NORMAL, 0, BLOCK);
	qr__zone_unlock(zone, irqs);
	irqs = qr__zone_lock(other);
	other->ops->give(other, 1, 0, MOVABLE, QR_END_AUTO);
	qr__zone_unlock(other, irqs);
	irqs = qr__zone_lock(zone);
	assert_int_equal(give(0, 0), 0);
	assert_int_equal(qr__read(&other->nr_free_pages), 1);
	assert_int_equal(zone->ops->move(zone, 0, PAGEBLOCK, MOVABLE, QR_MIGRATE_UNMOVABLE), 1);
	zone->ops->move(zone, 0, PAGEBLOCK, QR_MIGRATE_UNMOVABLE, MOVABLE);
	buddy_machine_check(other);
	end();
}

/* A frame joins no block outside its zone's span, whatever the record there still says. */
static void test_records_outside_the_zone_are_not_believed(void **state)
{
	(void)state;
	begin_empty(BLOCK);
	qr__write(&zone->spanned_pages, BLOCK / 2);
	qr__state_head_set(qr__pfn_state(zone->frames, BLOCK / 2), zone->id, QR_PT_BUDDY,
			   MAX_ORDER - 1);
	assert_int_equal(give(0, MAX_ORDER - 1), MAX_ORDER - 1);
	end();
}

static void test_double_give_is_noticed(void **state)
{
	(void)state;
	begin(BLOCK);
	buddy_machine_panics(machine, "B1", give(0, 0));
	end();
}

/* Finding, carving ------------------------------------------------------------------------- */

static void test_find_names_the_block_around(void **state)
{
	struct qr_block block;

	(void)state;
	begin(BLOCK);
	take(0, MOVABLE);
	assert_false(zone->ops->find(zone, 0, &block));
	for (qr_pfn_t pfn = 1; pfn < BLOCK; pfn++) {
		assert_true(zone->ops->find(zone, pfn, &block));
		assert_int_equal(block.order, qr__fls64(pfn) - 1);
		assert_int_equal(block.pfn, P(1) << block.order);
	}
	end();
}

static void test_carve_leaves_the_rest_free(void **state)
{
	(void)state;
	for (qr_pfn_t pfn = 0; pfn < qr__min(BLOCK, 64); pfn++) {
		begin(BLOCK);
		assert_true(zone->ops->carve(zone, pfn, 0));
		assert_int_equal(qr__page_type(zone->frames, page_of(pfn)), QR_PT_PCP);
		assert_int_equal(nr_free(), BLOCK - 1);
		assert_false(zone->ops->carve(zone, pfn, 0));
		buddy_machine_check(zone);
		for (unsigned order = 0; order < MAX_ORDER; order++)
			LIST_IS(order, MOVABLE, (pfn >> order ^ 1) << order, NONE);
		assert_int_equal(give(pfn, 0), MAX_ORDER);
		end();
	}
}

static void test_carve_gathers_what_was_not_joined(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER == MAX_ORDER)
		skip();
	begin_empty(BLOCK);
	qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_CMA);
	give(0, QR_PAGEBLOCK_ORDER);
	give(PAGEBLOCK, QR_PAGEBLOCK_ORDER);
	assert_true(zone->ops->carve(zone, 0, QR_PAGEBLOCK_ORDER + 1));
	assert_int_equal(nr_free(), 0);
	assert_int_equal(qr__page_order(zone->frames, page_of(0)), QR_PAGEBLOCK_ORDER + 1);
	assert_int_equal(qr__page_type(zone->frames, page_of(PAGEBLOCK)), QR_PT_NONE);
	end();
}

static void test_carve_refuses_what_is_partly_in_use(void **state)
{
	(void)state;
	begin(BLOCK);
	assert_int_equal(take(0, MOVABLE), 0);
	assert_false(zone->ops->carve(zone, 0, 1));
	assert_true(zone->ops->carve(zone, 2, 1));
	assert_int_equal(give(0, 0), 1); /* 2..3 are in use now */
	assert_false(zone->ops->carve(zone, 0, 2));
	assert_int_equal(give(2, 1), MAX_ORDER);
	assert_false(zone->ops->carve(zone, BLOCK, 0));
	end();
}

/* Moving, walking -------------------------------------------------------------------------- */

static void test_move_keeps_marks_and_goes_to_the_cold_end(void **state)
{
	(void)state;
	begin_empty(2 * BLOCK);
	qr__pageblock_type_set_locked(zone, BLOCK, QR_MIGRATE_UNMOVABLE);
	give(BLOCK, 0);
	give(0, 0);
	qr__page_reported_set_locked(zone, page_of(0));
	qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_UNMOVABLE);
	assert_int_equal(zone->ops->move(zone, 0, PAGEBLOCK, MOVABLE, QR_MIGRATE_UNMOVABLE), 1);
	LIST_IS(0, MOVABLE, NONE);
	LIST_IS(0, QR_MIGRATE_UNMOVABLE, P(BLOCK), P(0), NONE);
	assert_true(qr__page_test(page_of(0), QR_PG_REPORTED));
	assert_int_equal(nr_free(), 2);
	end();
}

static void test_move_to_isolate_leaves_the_counts(void **state)
{
	(void)state;
	begin_empty(BLOCK);
	give(0, QR_PAGEBLOCK_ORDER);
	qr__pageblock_isolate_set_locked(zone, 0, true);
	assert_int_equal(zone->ops->move(zone, 0, PAGEBLOCK, MOVABLE, QR_MIGRATE_ISOLATE),
			 PAGEBLOCK);
	assert_int_equal(nr_free(), 0);
	assert_int_equal(zone->ops->nr_blocks_racy(zone, QR_PAGEBLOCK_ORDER), 1);
	assert_int_equal(take(0, MOVABLE), NONE);
	end();
}

static void test_reported_is_cleared_when_a_block_changes(void **state)
{
	(void)state;
	if (MAX_ORDER < 2)
		skip();
	begin(BLOCK);
	/* Split. */
	qr__page_reported_set_locked(zone, page_of(0));
	take(0, MOVABLE);
	for (qr_pfn_t pfn = 0; pfn < BLOCK; pfn++)
		assert_false(qr__page_test(page_of(pfn), QR_PG_REPORTED));
	/* Joined, as either half. */
	qr__page_reported_set_locked(zone, page_of(1));
	qr__page_reported_set_locked(zone, page_of(2));
	give(0, 0);
	for (qr_pfn_t pfn = 0; pfn < BLOCK; pfn++)
		assert_false(qr__page_test(page_of(pfn), QR_PG_REPORTED));
	/* Carved. */
	qr__page_reported_set_locked(zone, page_of(0));
	zone->ops->carve(zone, 3, 0);
	for (qr_pfn_t pfn = 0; pfn < BLOCK; pfn++)
		assert_false(qr__page_test(page_of(pfn), QR_PG_REPORTED));
	end();
}

static void test_rotate_brings_a_block_to_the_front(void **state)
{
	(void)state;
	if (BLOCK < 8)
		skip();
	begin_empty(BLOCK);
	give(6, 0);
	give(4, 0);
	give(2, 0);
	give(0, 0);
	LIST_IS(0, MOVABLE, P(0), P(2), P(4), P(6), NONE);
	zone->ops->rotate(zone, 0, MOVABLE, 0);
	LIST_IS(0, MOVABLE, P(0), P(2), P(4), P(6), NONE);
	zone->ops->rotate(zone, 0, MOVABLE, 4);
	LIST_IS(0, MOVABLE, P(4), P(6), P(0), P(2), NONE);
	zone->ops->rotate(zone, 0, MOVABLE, 2);
	LIST_IS(0, MOVABLE, P(2), P(4), P(6), P(0), NONE);
	assert_int_equal(zone->ops->next(zone, 0, MOVABLE, 6), 0);
	end();
}

/* Guard pages and shuffling ---------------------------------------------------------------- */

static void test_small_halves_become_guards(void **state)
{
	struct qr_block block;
	qr_pfn_t pfns[2];

	(void)state;
	if (MAX_ORDER < 3)
		skip();
	begin(BLOCK);
	zone->frames->guard_minorder = 2;
	assert_int_equal(take(0, MOVABLE), 0);
	assert_int_equal(qr__page_type(zone->frames, page_of(1)), QR_PT_GUARD);
	assert_int_equal(qr__page_type(zone->frames, page_of(2)), QR_PT_GUARD);
	assert_int_equal(qr__page_order(zone->frames, page_of(2)), 1);
	LIST_IS(0, MOVABLE, NONE);
	LIST_IS(1, MOVABLE, NONE);
	LIST_IS(2, MOVABLE, P(4), NONE);
	assert_int_equal(nr_free(), BLOCK - 4);
	assert_false(zone->ops->find(zone, 1, &block));
	assert_false(zone->ops->carve(zone, 0, 1));
	/* The next ones come from elsewhere, each with guards of its own. */
	assert_int_equal(zone->ops->take(zone, 0, MOVABLE, 2, pfns), 2 - (BLOCK == 8));
	assert_int_equal(pfns[0], 4);
	assert_int_equal(qr__page_type(zone->frames, page_of(5)), QR_PT_GUARD);
	if (BLOCK > 8) {
		assert_int_equal(pfns[1], 8);
		give(8, 0);
	}
	give(4, 0);
	assert_int_equal(give(0, 0), MAX_ORDER);
	assert_int_equal(nr_free(), BLOCK);
	assert_int_equal(qr__page_type(zone->frames, page_of(2)), QR_PT_NONE);
	end();
}

static void test_shuffle_swaps_and_loses_nothing(void **state)
{
	enum { NR = 32 };
	qr_pfn_t pfn = QR_PFN_NONE;
	bool seen[NR] = {false};
	unsigned nr_moved = 0;

	(void)state;
	if (NR * BLOCK > 1000000)
		skip();
	begin(NR * BLOCK);
	zone->ops->shuffle(zone);
	for (unsigned i = 0; i < NR; i++) {
		pfn = zone->ops->next(zone, MAX_ORDER, MOVABLE, pfn);
		assert_int_not_equal(pfn, QR_PFN_NONE);
		assert_false(seen[pfn / BLOCK]);
		seen[pfn / BLOCK] = true;
		nr_moved += pfn != i * BLOCK;
	}
	assert_int_equal(zone->ops->next(zone, MAX_ORDER, MOVABLE, pfn), QR_PFN_NONE);
	assert_true(nr_moved > NR / 2);
	end();
}

static void test_shuffle_of_two_neighbours(void **state)
{
	(void)state;
	/* Each finds only the other to swap with, so they swap twice, or once if luck fails. */
	for (unsigned odd = 0; odd < 2; odd++) {
		begin(2 * BLOCK);
		if (odd)
			take(MAX_ORDER, MOVABLE);
		zone->ops->shuffle(zone);
		end();
	}
}

static void test_shuffled_blocks_go_to_either_end(void **state)
{
	unsigned nr_hot = 0;

	(void)state;
	begin_empty(2 * BLOCK);
	zone->frames->shuffle = true;
	give(BLOCK, MAX_ORDER);
	for (unsigned i = 0; i < 64; i++) {
		give(0, MAX_ORDER);
		nr_hot += zone->ops->next(zone, MAX_ORDER, MOVABLE, QR_PFN_NONE) == 0;
		zone->ops->take_block(zone, (struct qr_block){0, MAX_ORDER}, MAX_ORDER, MOVABLE);
	}
	assert_in_range(nr_hot, 10, 54);
	/* Smaller ones go where they always go. */
	for (unsigned i = 0; i < 16; i++) {
		zone->ops->take_block(zone, (struct qr_block){BLOCK, MAX_ORDER}, 0, MOVABLE);
		give(0, 0);
		LIST_IS(0, MOVABLE, P(0), P(BLOCK + 1), NONE);
		zone->ops->take_block(zone, (struct qr_block){0, 0}, 0, MOVABLE);
		give(BLOCK, 0);
	}
	end();
}

/* The checker ------------------------------------------------------------------------------ */

static void check_says(unsigned number, const char *text)
{
	struct qr_error_text why = {{0}};

	assert_int_equal(zone->ops->check(zone, &why), number);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" does not say \"%s\"", why.text, text);
}

static void test_check_finds_B1_and_B2(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(2 * BLOCK);
	check_says(0, "");
	page = page_of(BLOCK);
	qr__page_order_set(zone->frames, page, MAX_ORDER - 1);
	check_says(2, "B2");
	qr__page_order_set(zone->frames, page, MAX_ORDER);
	qr__page_type_set(zone->frames, page, QR_PT_INUSE);
	check_says(2, "B2");
	qr__page_type_set(zone->frames, page, QR_PT_BUDDY);
	qr__page_state(zone->frames, page)->zone_id++;
	check_says(2, "B2");
	qr__page_state(zone->frames, page)->zone_id--;
	atomic_store(&qr__page_state(zone->frames, page)->refcount, 1);
	check_says(2, "B2");
	atomic_store(&qr__page_state(zone->frames, page)->refcount, 0);
	qr__page_type_set(zone->frames, page + 1, QR_PT_INUSE);
	/* Release builds do not look at each record inside of large blocks. */
	check_says(QR_DEBUG || MAX_ORDER == QR_PAGEBLOCK_ORDER ? 2 : 0, "");
	qr__page_type_set(zone->frames, page + 1, QR_PT_NONE);
	check_says(0, "");
	/* A block that is listed twice, once as part of a larger one. */
	take(MAX_ORDER - 1, MOVABLE);
	qr__page_order_set(zone->frames, page_of(0), MAX_ORDER);
	qr__page_type_set(zone->frames, page_of(0), QR_PT_BUDDY);
	check_says(1, "B1");
	qr__page_type_set(zone->frames, page_of(0), QR_PT_PCP);
	qr__page_order_set(zone->frames, page_of(0), MAX_ORDER - 1);
	end();
}

static void test_check_finds_B3(void **state)
{
	struct qr_page *page;

	(void)state;
	begin_empty(BLOCK);
	give(0, 0);
	page = page_of(1);
	qr__state_head_set(qr__page_state(zone->frames, page), zone->id, QR_PT_BUDDY, 0);
	check_says(3, "B3");
	qr__page_type_set(zone->frames, page, QR_PT_NONE);
	end();
}

static void test_check_finds_B4_and_B5(void **state)
{
	(void)state;
	begin(BLOCK);
	qr__pageblock_type_set_locked(zone, BLOCK - PAGEBLOCK, QR_MIGRATE_UNMOVABLE);
	check_says(5, "B5");
	qr__pageblock_type_set_locked(zone, BLOCK - PAGEBLOCK, QR_MIGRATE_CMA);
	check_says(4, "B4");
	qr__pageblock_type_set_locked(zone, BLOCK - PAGEBLOCK, MOVABLE);
	qr__pageblock_isolate_set_locked(zone, 0, true);
	check_says(4, "B4");
	qr__pageblock_isolate_set_locked(zone, 0, false);
	end();
}

static void test_check_finds_B6(void **state)
{
	(void)state;
	begin(2 * BLOCK);
	qr__bump(&zone->nr_free_pages, 1);
	check_says(6, "nr_free_pages");
	qr__bump(&zone->nr_free_pages, (uint64_t)-1);
	qr__bump(&zone->nr_free_cma, 1);
	check_says(6, "nr_free_cma");
	qr__bump(&zone->nr_free_cma, (uint64_t)-1);
	qr__bump(&zone->nr_free_highatomic, 1);
	check_says(6, "nr_free_highatomic");
	qr__bump(&zone->nr_free_highatomic, (uint64_t)-1);
	/* A torn chain, and a loop. */
	page_of(0)->link.prev = 5;
	check_says(6, "B6");
	page_of(0)->link.prev = QR_LIST_NONE;
	page_of(BLOCK)->link.next = 0;
	check_says(6, "B6");
	page_of(BLOCK)->link.next = QR_LIST_NONE;
	page_of(0)->link.next = QR_LIST_NONE;
	check_says(6, "B6");
	page_of(0)->link.next = (uint32_t)BLOCK;
	end();
}

static void test_engines_have_names(void **state)
{
	(void)state;
	assert_ptr_equal(qr__buddy_engine("list"), &qr__buddy_list);
	assert_null(qr__buddy_engine("lis"));
	assert_null(qr__buddy_engine("lists"));
	assert_null(qr__buddy_engine(""));
	assert_non_null(qr__buddy_engine(NULL));
	assert_ptr_equal(qr__buddy_engine_at(0), qr__buddy_engine(NULL));
	for (unsigned i = 0; qr__buddy_engine_at(i); i++)
		assert_ptr_equal(qr__buddy_engine(qr__buddy_engine_at(i)->name),
				 qr__buddy_engine_at(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_block_leaves_one_block_of_each_order),
		cmocka_unit_test(test_what_is_handed_out_says_pcp),
		cmocka_unit_test(test_take_only_from_its_own_type),
		cmocka_unit_test(test_batch_equals_one_by_one),
		cmocka_unit_test(test_batch_ends_when_nothing_is_left),
		cmocka_unit_test(test_take_block_lists_the_rest_as_asked),
		cmocka_unit_test(test_buddies_join_up_to_the_largest_order),
		cmocka_unit_test(test_buddy_of_12_is_8_and_then_0),
		cmocka_unit_test(test_no_join_with_a_block_of_another_order),
		cmocka_unit_test(test_nothing_joins_above_the_largest_order),
		cmocka_unit_test(test_hot_end_unless_parents_buddy_is_free),
		cmocka_unit_test(test_no_guess_below_the_largest_order),
		cmocka_unit_test(test_cold_end_on_request),
		cmocka_unit_test(test_only_plain_or_equal_types_join),
		cmocka_unit_test(test_A3_join_retypes_all_pageblocks),
		cmocka_unit_test(test_join_without_grouping_agrees_with_the_pageblocks),
		cmocka_unit_test(test_accounting_by_type),
		cmocka_unit_test(test_A5_no_record_outside_memory_is_touched),
		cmocka_unit_test(test_zones_do_not_join),
		cmocka_unit_test(test_records_outside_the_zone_are_not_believed),
		cmocka_unit_test(test_double_give_is_noticed),
		cmocka_unit_test(test_find_names_the_block_around),
		cmocka_unit_test(test_carve_leaves_the_rest_free),
		cmocka_unit_test(test_carve_gathers_what_was_not_joined),
		cmocka_unit_test(test_carve_refuses_what_is_partly_in_use),
		cmocka_unit_test(test_move_keeps_marks_and_goes_to_the_cold_end),
		cmocka_unit_test(test_move_to_isolate_leaves_the_counts),
		cmocka_unit_test(test_reported_is_cleared_when_a_block_changes),
		cmocka_unit_test(test_rotate_brings_a_block_to_the_front),
		cmocka_unit_test(test_small_halves_become_guards),
		cmocka_unit_test(test_shuffle_swaps_and_loses_nothing),
		cmocka_unit_test(test_shuffle_of_two_neighbours),
		cmocka_unit_test(test_shuffled_blocks_go_to_either_end),
		cmocka_unit_test(test_check_finds_B1_and_B2),
		cmocka_unit_test(test_check_finds_B3),
		cmocka_unit_test(test_check_finds_B4_and_B5),
		cmocka_unit_test(test_check_finds_B6),
		cmocka_unit_test(test_engines_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
