/* SPDX-License-Identifier: MIT */
/*
 * test_isolate.c - free blocks taken off for a while, pageblocks moved to and from ISOLATE
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

#define PAGEBLOCK QR_PAGEBLOCK_NR_PAGES
#define BLOCK QR_MAX_ORDER_NR_PAGES
#define PB_ORDER QR_PAGEBLOCK_ORDER
#define UNMOVABLE QR_MIGRATE_UNMOVABLE
#define MOVABLE QR_MIGRATE_MOVABLE
#define RECLAIMABLE QR_MIGRATE_RECLAIMABLE
#define ISOLATE QR_MIGRATE_ISOLATE

static struct buddy_machine *machine;
static struct qr_zone *zone;
static unsigned long irqs;

static void begin_empty(void)
{
	machine = buddy_machine_new(0, 4 * BLOCK);
	zone = buddy_machine_zone(machine, 0, QR_ZONE_NORMAL, 0, 4 * BLOCK);
	irqs = qr__zone_lock(zone);
}

static void begin(void)
{
	begin_empty();
	qr__zone_unlock(zone, irqs);
	buddy_machine_release(zone, 0, 4 * BLOCK);
	irqs = qr__zone_lock(zone);
}

static void end(void)
{
	qr__zone_unlock(zone, irqs);
	buddy_machine_check(zone);
	buddy_machine_free(machine);
}

static void give(qr_pfn_t pfn, unsigned order)
{
	qr___free_one_page(zone, pfn, order, qr__pageblock_type(zone->frames, pfn), QR_FPI_NONE);
}

static enum qr_migratetype type_of(qr_pfn_t pfn)
{
	return qr__pageblock_type(zone->frames, pfn);
}

static uint64_t nr_free(void)
{
	return qr__read(&zone->nr_free_pages);
}

static uint64_t nr_blocks(unsigned order, enum qr_migratetype type)
{
	return buddy_machine_nr_blocks(zone, order, type);
}

static qr_pfn_t last_of(unsigned order, enum qr_migratetype type)
{
	qr_pfn_t last = QR_PFN_NONE, pfn = QR_PFN_NONE;

	while ((pfn = zone->ops->next(zone, order, type, pfn)) != QR_PFN_NONE)
		last = pfn;
	return last;
}

/* Pageblocks ------------------------------------------------------------------------------- */

static void test_isolated_pages_are_free_but_not_counted(void **state)
{
	(void)state;
	begin_empty();
	give(0, PB_ORDER - 1);
	give(PAGEBLOCK, 0);
	assert_true(qr_move_freepages_block_isolate(zone, 1, true));
	assert_int_equal(type_of(0), ISOLATE);
	assert_int_equal(nr_free(), 1);
	assert_int_equal(nr_blocks(PB_ORDER - 1, ISOLATE), 1);
	assert_int_equal(zone->ops->nr_blocks_racy(zone, PB_ORDER - 1), 1 + (PB_ORDER == 1));
	/* What is freed into it follows. */
	give(PAGEBLOCK / 2, PB_ORDER - 1);
	assert_int_equal(nr_free(), 1);
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	assert_true(qr_move_freepages_block_isolate(zone, 0, false));
	assert_int_equal(nr_free(), PAGEBLOCK + 1);
	end();
}

/* The former type is kept beneath, and comes back. */
static void test_undo_restores_the_former_type(void **state)
{
	static const enum qr_migratetype types[] = {UNMOVABLE, MOVABLE, RECLAIMABLE,
						    QR_MIGRATE_HIGHATOMIC, QR_MIGRATE_CMA};

	(void)state;
	for (unsigned i = 0; i < QR_ARRAY_SIZE(types); i++) {
		begin_empty();
		qr__pageblock_type_set_locked(zone, 0, types[i]);
		give(1, 0);
		assert_true(qr_move_freepages_block_isolate(zone, 0, true));
		assert_int_equal(nr_blocks(0, types[i]), 0);
		assert_int_equal(qr__read(&zone->nr_free_cma), 0);
		assert_int_equal(qr__read(&zone->nr_free_highatomic), 0);
		assert_int_equal(qr__pageblock_type_beneath(zone->frames, 0), types[i]);
		assert_true(qr_move_freepages_block_isolate(zone, 0, false));
		assert_int_equal(type_of(0), types[i]);
		assert_int_equal(nr_blocks(0, types[i]), 1);
		assert_int_equal(nr_free(), 1);
		end();
	}
}

static void test_set_twice_changes_nothing(void **state)
{
	(void)state;
	begin_empty();
	give(0, 0);
	assert_true(qr_move_freepages_block_isolate(zone, 0, false));
	assert_int_equal(type_of(0), MOVABLE);
	assert_true(qr_move_freepages_block_isolate(zone, 0, true));
	assert_true(qr_move_freepages_block_isolate(zone, 0, true));
	assert_int_equal(nr_blocks(0, ISOLATE), 1);
	end();
}

static void test_pageblock_across_the_zones_edge_is_refused(void **state)
{
	(void)state;
	begin_empty();
	give(0, 0);
	qr__write(&zone->spanned_pages, PAGEBLOCK - 1);
	assert_false(qr_move_freepages_block_isolate(zone, 0, true));
	assert_int_equal(type_of(0), MOVABLE);
	assert_int_equal(nr_blocks(0, MOVABLE), 1);
	qr__write(&zone->spanned_pages, 4 * BLOCK);
	end();
}

/* A free block of several pageblocks is cut: only one of them is isolated. */
static void test_straddling_block_is_cut(void **state)
{
	(void)state;
	if (PB_ORDER == QR_MAX_PAGE_ORDER)
		skip();
	for (qr_pfn_t pfn = 0; pfn < qr__min(BLOCK, 8 * PAGEBLOCK); pfn += PAGEBLOCK) {
		begin();
		assert_true(qr_move_freepages_block_isolate(zone, pfn, true));
		for (qr_pfn_t i = 0; i < BLOCK; i += PAGEBLOCK)
			assert_int_equal(type_of(i), i == pfn ? ISOLATE : MOVABLE);
		assert_int_equal(nr_free(), 4 * BLOCK - PAGEBLOCK);
		assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
		buddy_machine_check(zone);
		/* Back again, all of it joins. */
		assert_true(qr_move_freepages_block_isolate(zone, pfn, false));
		assert_int_equal(nr_free(), 4 * BLOCK);
		assert_int_equal(nr_blocks(QR_MAX_PAGE_ORDER, MOVABLE), 4);
		end();
	}
}

/* Several isolated pageblocks join each other; then one of them alone leaves. */
static void test_isolated_block_of_several_pageblocks_is_cut(void **state)
{
	(void)state;
	if (PB_ORDER == QR_MAX_PAGE_ORDER)
		skip();
	begin_empty();
	qr__pageblock_type_set_locked(zone, 0, UNMOVABLE);
	for (unsigned i = 0; i < 2; i++)
		qr_move_freepages_block_isolate(zone, i * PAGEBLOCK, true);
	give(0, PB_ORDER);
	give(PAGEBLOCK, PB_ORDER);
	assert_int_equal(nr_blocks(PB_ORDER + 1, ISOLATE), 1);
	assert_true(qr_move_freepages_block_isolate(zone, PAGEBLOCK, false));
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	assert_int_equal(nr_blocks(PB_ORDER, MOVABLE), 1);
	assert_int_equal(type_of(0), ISOLATE);
	assert_int_equal(nr_free(), PAGEBLOCK);
	/*
	 * Unmovable and movable are plain types: the one that comes back decides, where a wholly
	 * free block has a type.
	 */
	assert_true(qr_move_freepages_block_isolate(zone, 0, false));
	assert_int_equal(nr_blocks(PB_ORDER + 1, test_engine_is("list") ? UNMOVABLE : MOVABLE), 1);
	assert_int_equal(zone->ops->nr_blocks_racy(zone, PB_ORDER + 1), 1);
	assert_int_equal(nr_free(), 2 * PAGEBLOCK);
	end();
}

/* An isolated pageblock does not join its free neighbours; when it is back, it does. */
static void test_A2_no_join_across_isolation(void **state)
{
	(void)state;
	if (PB_ORDER == QR_MAX_PAGE_ORDER)
		skip();
	begin_empty();
	assert_true(qr_move_freepages_block_isolate(zone, PAGEBLOCK, true));
	give(PAGEBLOCK, PB_ORDER);
	assert_int_equal(nr_free(), 0);
	give(0, PB_ORDER);
	assert_int_equal(nr_free(), PAGEBLOCK);
	assert_int_equal(nr_blocks(PB_ORDER, MOVABLE), 1);
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	buddy_machine_check(zone);
	assert_true(qr_move_freepages_block_isolate(zone, PAGEBLOCK, false));
	assert_int_equal(nr_free(), 2 * PAGEBLOCK);
	assert_int_equal(nr_blocks(PB_ORDER + 1, MOVABLE), 1);
	end();
}

/*
 * With no buddy to join, as it is isolated itself, the pageblock is moved, not freed anew; so what
 * is reported stays so.
 */
static void test_undo_without_a_buddy_to_join_only_moves(void **state)
{
	bool cut = false;

	(void)state;
	begin_empty();
	assert_true(qr_move_freepages_block_isolate(zone, 0, true));
	give(0, PB_ORDER);
	qr__page_reported_set_locked(zone, buddy_machine_page(machine, 0));
	if (PB_ORDER < QR_MAX_PAGE_ORDER) {
		give(PAGEBLOCK, PB_ORDER);
		assert_true(qr_move_freepages_block_isolate(zone, PAGEBLOCK, true));
		/* The bitmap engine joins what it moves; then there is a block to cut. */
		cut = nr_blocks(PB_ORDER + 1, ISOLATE) == 1;
		assert_true(!cut || test_engine_is("bitmap"));
	}
	assert_true(qr_move_freepages_block_isolate(zone, 0, false));
	assert_int_equal(qr__page_test(buddy_machine_page(machine, 0), QR_PG_REPORTED) != 0, !cut);
	assert_int_equal(nr_blocks(PB_ORDER, MOVABLE), 1);
	end();
}

/* A page that was taken before its pageblock is isolated comes back to the ISOLATE list. */
static void test_A1_freed_page_lands_on_the_isolate_list(void **state)
{
	struct qr_page *page;
	qr_pfn_t pfn;

	(void)state;
	begin();
	assert_int_equal(zone->ops->take(zone, 0, MOVABLE, 1, &pfn), 1);
	page = buddy_machine_page(machine, pfn);
	assert_true(qr_move_freepages_block_isolate(zone, pfn, true));
	assert_int_equal(nr_free(), 4 * BLOCK - PAGEBLOCK);
	qr__zone_unlock(zone, irqs);
	qr_free_one_page(zone, page, pfn, 0, QR_FPI_NONE);
	irqs = qr__zone_lock(zone);
	assert_int_equal(nr_free(), 4 * BLOCK - PAGEBLOCK);
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	end();
}

/* Single blocks ---------------------------------------------------------------------------- */

static void test_pull_and_put_back(void **state)
{
	(void)state;
	begin();
	assert_int_equal(qr___isolate_free_page(zone, BLOCK, QR_MAX_PAGE_ORDER), BLOCK);
	assert_int_equal(nr_free(), 3 * BLOCK);
	assert_int_equal(qr__page_type(zone->frames, buddy_machine_page(machine, BLOCK)),
			 QR_PT_ISOLATED);
	buddy_machine_check(zone);
	qr___putback_isolated_page(zone, BLOCK, QR_MAX_PAGE_ORDER, type_of(BLOCK));
	assert_int_equal(nr_free(), 4 * BLOCK);
	/* Whoever was looked at goes last, where blocks have an order but that of address. */
	assert_int_equal(last_of(QR_MAX_PAGE_ORDER, MOVABLE),
			 test_engine_is("list") ? BLOCK : 3 * BLOCK);
	end();
}

/* What is left must be more than the min mark, without boost, and the block. */
static void test_pull_keeps_the_watermark(void **state)
{
	(void)state;
	begin();
	qr__write(&zone->watermark[QR_WMARK_MIN], 4 * BLOCK - PAGEBLOCK / 2);
	qr__write(&zone->watermark_boost, BLOCK);
	assert_int_equal(qr___isolate_free_page(zone, 0, QR_MAX_PAGE_ORDER), 0);
	assert_int_equal(nr_free(), 4 * BLOCK);
	assert_int_equal(nr_blocks(QR_MAX_PAGE_ORDER, MOVABLE), 4);
	qr__write(&zone->watermark[QR_WMARK_MIN], 3 * BLOCK);
	assert_int_equal(qr___isolate_free_page(zone, 0, QR_MAX_PAGE_ORDER), 0);
	qr__write(&zone->watermark[QR_WMARK_MIN], 3 * BLOCK - 1);
	assert_int_equal(qr___isolate_free_page(zone, 0, QR_MAX_PAGE_ORDER), BLOCK);
	end();
}

static void test_pull_of_isolated_pages_needs_no_watermark(void **state)
{
	(void)state;
	begin_empty();
	qr_move_freepages_block_isolate(zone, 0, true);
	give(0, PB_ORDER);
	qr__write(&zone->watermark[QR_WMARK_MIN], 100 * BLOCK);
	assert_int_equal(qr___isolate_free_page(zone, 0, PB_ORDER), PAGEBLOCK);
	assert_int_equal(type_of(0), ISOLATE);
	qr___putback_isolated_page(zone, 0, PB_ORDER, ISOLATE);
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	end();
}

/* From half a pageblock on, plain types become MOVABLE, with what else is free there. */
static void test_pull_of_half_a_pageblock_makes_it_movable(void **state)
{
	const unsigned small = PB_ORDER > 2 ? PB_ORDER / 3 : 0;

	(void)state;
	if (PB_ORDER < 2)
		skip();
	for (unsigned i = 0; i < QR_MIGRATE_ISOLATE; i++) {
		enum qr_migratetype type = (enum qr_migratetype)i;
		bool plain = qr__type_mergeable(type);

		begin();
		assert_true(zone->ops->carve(zone, 0, PB_ORDER));
		qr__pageblock_type_set_locked(zone, 0, type);
		give(0, PB_ORDER - 1);
		give(PAGEBLOCK / 2, small);
		assert_int_equal(qr___isolate_free_page(zone, 0, PB_ORDER - 1), PAGEBLOCK / 2);
		assert_int_equal(type_of(0), plain ? MOVABLE : type);
		assert_int_equal(nr_blocks(small, plain ? MOVABLE : type), 1);
		end();
		begin();
		assert_true(zone->ops->carve(zone, 0, PB_ORDER));
		qr__pageblock_type_set_locked(zone, 0, type);
		give(0, PB_ORDER - 2);
		assert_int_equal(qr___isolate_free_page(zone, 0, PB_ORDER - 2), PAGEBLOCK / 4);
		assert_int_equal(type_of(0), type);
		end();
	}
}

/* While the block was away, one of its pageblocks was isolated. */
static void test_put_back_under_several_types(void **state)
{
	(void)state;
	if (PB_ORDER == QR_MAX_PAGE_ORDER)
		skip();
	begin();
	assert_int_equal(qr___isolate_free_page(zone, 0, QR_MAX_PAGE_ORDER), BLOCK);
	assert_true(qr_move_freepages_block_isolate(zone, PAGEBLOCK, true));
	qr___putback_isolated_page(zone, 0, QR_MAX_PAGE_ORDER, type_of(0));
	assert_int_equal(nr_free(), 4 * BLOCK - PAGEBLOCK);
	assert_int_equal(nr_blocks(PB_ORDER, ISOLATE), 1);
	assert_int_equal(type_of(PAGEBLOCK), ISOLATE);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isolated_pages_are_free_but_not_counted),
		cmocka_unit_test(test_undo_restores_the_former_type),
		cmocka_unit_test(test_set_twice_changes_nothing),
		cmocka_unit_test(test_pageblock_across_the_zones_edge_is_refused),
		cmocka_unit_test(test_straddling_block_is_cut),
		cmocka_unit_test(test_isolated_block_of_several_pageblocks_is_cut),
		cmocka_unit_test(test_A2_no_join_across_isolation),
		cmocka_unit_test(test_undo_without_a_buddy_to_join_only_moves),
		cmocka_unit_test(test_A1_freed_page_lands_on_the_isolate_list),
		cmocka_unit_test(test_pull_and_put_back),
		cmocka_unit_test(test_pull_keeps_the_watermark),
		cmocka_unit_test(test_pull_of_isolated_pages_needs_no_watermark),
		cmocka_unit_test(test_pull_of_half_a_pageblock_makes_it_movable),
		cmocka_unit_test(test_put_back_under_several_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
