/* SPDX-License-Identifier: MIT */
/*
 * test_fallback.c - borrowing between migratetypes
 *
 * Pageblocks are filled in by hand: what is free is given to the engine, what is in use and movable
 * gets a record that says so, and frames without a record are in use and not movable.
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

static struct buddy_machine *machine;
static struct qr_zone *zone;
static unsigned long irqs;
static struct qr_trace_event last_event;
static unsigned nr_events;

static void on_event(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	if (event->id == QR_TP_MM_PAGE_ALLOC_EXTFRAG) {
		last_event = *event;
		nr_events++;
	}
}

/* A zone of 4 of the largest blocks, all of it in use, with high watermark and boost factor. */
static void begin(void)
{
	machine = buddy_machine_new(0, 4 * BLOCK);
	zone = buddy_machine_zone(machine, 0, QR_ZONE_NORMAL, 0, 4 * BLOCK);
	qr__write(&zone->managed_pages, 100 * PAGEBLOCK);
	qr__write(&zone->watermark[QR_WMARK_HIGH], PAGEBLOCK);
	atomic_store(&machine->alloc.watermark_boost_factor, 15000);
	nr_events = 0;
	qr_trace_set(qr__allocator_quire(&machine->alloc), on_event, NULL,
		     UINT64_C(1) << QR_TP_MM_PAGE_ALLOC_EXTFRAG);
	irqs = qr__zone_lock(zone);
}

static void end(void)
{
	qr__zone_unlock(zone, irqs);
	buddy_machine_check(zone);
	buddy_machine_free(machine);
}

static void pageblock_is(qr_pfn_t pfn, enum qr_migratetype type)
{
	if (type == QR_MIGRATE_ISOLATE)
		qr__pageblock_isolate_set_locked(zone, pfn, true);
	else
		qr__pageblock_type_set_locked(zone, pfn, type);
}

/* Free a block, whose records say nothing any more, and say what its pageblock is. */
static void free_block(qr_pfn_t pfn, unsigned order, enum qr_migratetype type)
{
	for (uint64_t i = 0; i < qr__order_pages(order); i++) {
		qr__page_type_set(zone->frames, buddy_machine_page(machine, pfn + i), QR_PT_NONE);
		qr__page_flags_set(zone->frames, buddy_machine_page(machine, pfn + i), 0);
	}
	pageblock_is(pfn, type);
	zone->ops->give(zone, pfn, order, type, QR_END_AUTO);
	qr__buddy_settle_locked(zone);
}

static void in_use_movable(qr_pfn_t pfn, unsigned order, uint32_t flag)
{
	struct qr_page *page = buddy_machine_page(machine, pfn);

	qr__state_head_set(qr__page_state(zone->frames, page), zone->id, QR_PT_INUSE, order);
	qr__page_set(zone->frames, page, flag);
}

/* The pageblock's frames from pfn on, nr of them, are LRU pages. */
static void lru_pages(qr_pfn_t pfn, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		in_use_movable(pfn + i, 0, QR_PG_LRU);
}

static qr_pfn_t fallback(unsigned order, enum qr_migratetype type, unsigned alloc_flags)
{
	qr_pfn_t pfn;

	return qr___rmqueue_fallback(zone, order, type, alloc_flags, &pfn) ? pfn : QR_PFN_NONE;
}

static uint64_t nr_blocks(unsigned order, enum qr_migratetype type)
{
	return buddy_machine_nr_blocks(zone, order, type);
}

static uint64_t nr_pages(enum qr_migratetype type)
{
	uint64_t nr = 0;

	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++)
		nr += nr_blocks(order, type) << order;
	return nr;
}

static enum qr_migratetype type_of(qr_pfn_t pfn)
{
	return qr__pageblock_type(zone->frames, pfn);
}

static uint64_t stat(enum qr_alloc_stat which)
{
	return atomic_load(&machine->alloc.stat[which]);
}

static uint64_t boost(void)
{
	return qr__read(&zone->watermark_boost);
}

/* Who lends -------------------------------------------------------------------------------- */

static void test_lenders_are_asked_in_turn(void **state)
{
	static const enum qr_migratetype expected[QR_MIGRATE_TYPES][2] = {
		[UNMOVABLE] = {RECLAIMABLE, MOVABLE},
		[MOVABLE] = {RECLAIMABLE, UNMOVABLE},
		[RECLAIMABLE] = {UNMOVABLE, MOVABLE},
		/* These neither lend nor borrow. */
		[QR_MIGRATE_HIGHATOMIC] = {QR_MIGRATE_TYPES, QR_MIGRATE_TYPES},
		[QR_MIGRATE_CMA] = {QR_MIGRATE_TYPES, QR_MIGRATE_TYPES},
		[QR_MIGRATE_ISOLATE] = {QR_MIGRATE_TYPES, QR_MIGRATE_TYPES},
	};
	bool can_steal;

	(void)state;
	for (unsigned i = 0; i < QR_MIGRATE_TYPES; i++) {
		enum qr_migratetype type = (enum qr_migratetype)i;

		begin();
		free_block(0, 0, QR_MIGRATE_CMA);
		free_block(PAGEBLOCK, 0, QR_MIGRATE_HIGHATOMIC);
		free_block(2 * PAGEBLOCK, 0, QR_MIGRATE_ISOLATE);
		free_block(3 * PAGEBLOCK, 0, type);
		assert_int_equal(qr_find_suitable_fallback(zone, 0, type, false, &can_steal),
				 QR_MIGRATE_TYPES);
		end();
		if (!qr__type_mergeable(type))
			continue;
		begin();
		free_block(0, 0, expected[type][1]);
		assert_int_equal(qr_find_suitable_fallback(zone, 0, type, false, &can_steal),
				 expected[type][1]);
		assert_int_equal(qr_find_suitable_fallback(zone, 1, type, false, &can_steal),
				 QR_MIGRATE_TYPES);
		free_block(PAGEBLOCK, 0, expected[type][0]);
		assert_int_equal(qr_find_suitable_fallback(zone, 0, type, false, &can_steal),
				 expected[type][0]);
		end();
	}
	begin();
	for (unsigned i = 0; i < QR_MIGRATE_PCPTYPES; i++)
		free_block(i * PAGEBLOCK, 0, (enum qr_migratetype)i);
	for (unsigned i = QR_MIGRATE_PCPTYPES; i < QR_MIGRATE_TYPES; i++)
		assert_int_equal(qr_find_suitable_fallback(zone, 0, (enum qr_migratetype)i, false,
							   &can_steal),
				 QR_MIGRATE_TYPES);
	end();
}

/* Under the bitmap engine a wholly free pageblock is of no type, and nobody need borrow it. */
static unsigned largest_lent(void)
{
	return test_engine_is("bitmap") ? PB_ORDER - 1 : QR_MAX_PAGE_ORDER;
}

static struct qr_buddy_ops counting_ops;
static void (*engine_settle)(struct qr_zone *zone);
static unsigned nr_settled;

static void settle_counted(struct qr_zone *z)
{
	nr_settled++;
	engine_settle(z);
}

/* However many orders are looked at, from the largest on. */
static void test_counts_are_settled_once(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	free_block(PAGEBLOCK, 0, UNMOVABLE);
	counting_ops = *zone->ops;
	engine_settle = counting_ops.settle;
	counting_ops.settle = settle_counted;
	zone->ops = &counting_ops;
	nr_settled = 0;
	assert_true(qr___rmqueue_fallback(zone, 0, MOVABLE, 0, &pfn));
	assert_int_equal(pfn, PAGEBLOCK);
	assert_int_equal(nr_settled, 1);
	end();
}

static void test_who_may_claim(void **state)
{
	bool can_steal;

	(void)state;
	for (unsigned order = 0; order <= qr__min(PB_ORDER, largest_lent()); order++) {
		begin();
		free_block(0, order, RECLAIMABLE);
		if (PAGEBLOCK < BLOCK || order < PB_ORDER)
			free_block(BLOCK, order, UNMOVABLE);
		qr_find_suitable_fallback(zone, order, MOVABLE, false, &can_steal);
		assert_int_equal(can_steal, order >= PB_ORDER / 2);
		assert_int_equal(qr_find_suitable_fallback(zone, order, MOVABLE, true, &can_steal),
				 order >= PB_ORDER / 2 ? RECLAIMABLE : QR_MIGRATE_TYPES);
		assert_int_equal(
			qr_find_suitable_fallback(zone, order, UNMOVABLE, true, &can_steal),
			RECLAIMABLE);
		assert_true(can_steal);
		atomic_store(&zone->frames->mobility_disabled, true);
		assert_int_equal(qr_find_suitable_fallback(zone, order, MOVABLE, true, &can_steal),
				 RECLAIMABLE);
		assert_true(can_steal);
		atomic_store(&zone->frames->mobility_disabled, false);
		end();
	}
}

static void test_nothing_to_borrow(void **state)
{
	(void)state;
	begin();
	assert_int_equal(fallback(0, UNMOVABLE, 0), QR_PFN_NONE);
	free_block(0, 0, QR_MIGRATE_CMA);
	assert_int_equal(fallback(0, UNMOVABLE, 0), QR_PFN_NONE);
	free_block(PAGEBLOCK, 0, MOVABLE);
	assert_int_equal(fallback(1, UNMOVABLE, 0), QR_PFN_NONE);
	assert_int_equal(nr_events, 0);
	assert_int_equal(stat(QR_STAT_FALLBACKS), 0);
	assert_int_equal(boost(), 0);
	end();
}

/* Which block ------------------------------------------------------------------------------ */

/* A larger block of the second lender goes before a smaller one of the first. */
static void test_largest_block_first(void **state)
{
	(void)state;
	begin();
	lru_pages(0, PAGEBLOCK);
	lru_pages(PAGEBLOCK, PAGEBLOCK);
	free_block(PAGEBLOCK, 1, MOVABLE);
	free_block(0, 0, RECLAIMABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), PAGEBLOCK);
	assert_int_equal(last_event.a, 1);
	assert_int_equal(last_event.b, MOVABLE);
	end();
}

static void test_movable_takes_the_smallest_it_may_not_claim(void **state)
{
	(void)state;
	if (PB_ORDER < 6)
		skip();
	begin();
	free_block(0, 2, UNMOVABLE);
	free_block(PAGEBLOCK, 1, UNMOVABLE);
	assert_int_equal(fallback(0, MOVABLE, 0), PAGEBLOCK);
	assert_int_equal(last_event.a, 1);
	/* The rest of it stays where it was, and serves next. */
	assert_int_equal(nr_blocks(0, UNMOVABLE), 1);
	assert_int_equal(fallback(0, MOVABLE, 0), PAGEBLOCK + 1);
	end();
	/* Of a large block it takes its part without looking for a smaller one. */
	begin();
	free_block(0, PB_ORDER / 2, UNMOVABLE);
	free_block(PAGEBLOCK, 1, UNMOVABLE);
	assert_int_equal(fallback(0, MOVABLE, 0), 0);
	end();
}

static void test_unmovable_takes_the_largest(void **state)
{
	(void)state;
	if (PB_ORDER < 6)
		skip();
	begin();
	lru_pages(0, PAGEBLOCK);
	lru_pages(PAGEBLOCK, PAGEBLOCK);
	free_block(0, 2, MOVABLE);
	free_block(PAGEBLOCK, 1, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), 0);
	assert_int_equal(last_event.a, 2);
	end();
}

/* Whole pageblocks ------------------------------------------------------------------------- */

static void test_whole_pageblocks_change_hands(void **state)
{
	(void)state;
	for (unsigned order = PB_ORDER; order <= QR_MAX_PAGE_ORDER; order++) {
		begin();
		for (qr_pfn_t pfn = 0; pfn < qr__order_pages(order); pfn += PAGEBLOCK)
			pageblock_is(pfn, MOVABLE);
		free_block(0, order, MOVABLE);
		assert_int_equal(fallback(0, UNMOVABLE, QR_ALLOC_KSWAPD), 0);
		for (qr_pfn_t pfn = 0; pfn < qr__order_pages(order); pfn += PAGEBLOCK)
			assert_int_equal(type_of(pfn), UNMOVABLE);
		assert_int_equal(type_of(BLOCK), MOVABLE);
		assert_int_equal(nr_pages(UNMOVABLE), qr__order_pages(order) - 1);
		assert_int_equal(nr_pages(MOVABLE), 0);
		/* Nothing was mixed, so there is nothing to repair. */
		assert_int_equal(boost(), 0);
		assert_false(qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK));
		assert_int_equal(stat(QR_STAT_FALLBACKS_CLAIMED), 1);
		assert_true(last_event.c);
		end();
	}
}

/* The same without borrowing: the requester's own list is served. */
static void test_whole_pageblocks_are_everybodys(void **state)
{
	(void)state;
	for (unsigned order = PB_ORDER; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t pfn;

		begin();
		for (pfn = 0; pfn < qr__order_pages(order); pfn += PAGEBLOCK)
			pageblock_is(pfn, RECLAIMABLE);
		free_block(0, order, RECLAIMABLE);
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			assert_int_equal(zone->ops->has_racy(zone, order, QR_TYPE_BIT(type)),
					 type < QR_MIGRATE_PCPTYPES);
		assert_int_equal(zone->ops->take(zone, 0, UNMOVABLE, 1, &pfn), 1);
		assert_int_equal(type_of(pfn), UNMOVABLE);
		assert_int_equal(nr_pages(UNMOVABLE), PAGEBLOCK - 1);
		/* Its other pageblocks still are. */
		assert_int_equal(nr_pages(MOVABLE), qr__order_pages(order) - PAGEBLOCK);
		assert_int_equal(nr_pages(RECLAIMABLE), 0);
		if (order > PB_ORDER) {
			assert_int_equal(zone->ops->take(zone, PB_ORDER, RECLAIMABLE, 1, &pfn), 1);
			assert_int_equal(type_of(pfn), RECLAIMABLE);
		}
		end();
	}
}

static void test_nofragment_takes_whole_pageblocks_or_nothing(void **state)
{
	(void)state;
	begin();
	free_block(0, PB_ORDER - 1, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, QR_ALLOC_NOFRAGMENT), QR_PFN_NONE);
	assert_int_equal(boost(), 0);
	free_block(BLOCK, PB_ORDER, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, QR_ALLOC_NOFRAGMENT), BLOCK);
	assert_int_equal(type_of(BLOCK), UNMOVABLE);
	assert_int_equal(type_of(0), MOVABLE);
	end();
}

/* Claiming in use -------------------------------------------------------------------------- */

/* The pageblock at 0: one free frame at its end, nr_lru movable pages, and the rest is neither. */
static void mixed_pageblock(uint64_t nr_lru, enum qr_migratetype type)
{
	lru_pages(0, nr_lru);
	free_block(PAGEBLOCK - 1, 0, type);
}

/* Unmovable pages feel as well among unmovable and reclaimable ones. */
static void test_claim_when_half_is_free_or_alike(void **state)
{
	(void)state;
	begin();
	mixed_pageblock(PAGEBLOCK / 2, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), PAGEBLOCK - 1);
	assert_int_equal(type_of(0), UNMOVABLE);
	assert_int_equal(stat(QR_STAT_FALLBACKS_CLAIMED), 1);
	end();
	begin();
	mixed_pageblock(PAGEBLOCK / 2 + 1, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), PAGEBLOCK - 1);
	assert_int_equal(type_of(0), MOVABLE);
	assert_int_equal(stat(QR_STAT_FALLBACKS), 1);
	assert_int_equal(stat(QR_STAT_FALLBACKS_CLAIMED), 0);
	end();
}

/* What is in use in an unmovable pageblock is nothing alike to reclaimable pages. */
static void test_claim_counts_nothing_alike_between_unmovable_types(void **state)
{
	(void)state;
	begin();
	mixed_pageblock(0, UNMOVABLE);
	assert_int_equal(fallback(0, RECLAIMABLE, 0), PAGEBLOCK - 1);
	assert_int_equal(type_of(0), UNMOVABLE);
	end();
	begin();
	free_block(0, PB_ORDER - 1, UNMOVABLE);
	assert_int_equal(fallback(0, RECLAIMABLE, 0), 0);
	assert_int_equal(type_of(0), RECLAIMABLE);
	end();
}

/* To movable pages, movable pages are alike. */
static void test_claim_by_movable_counts_movable(void **state)
{
	const unsigned order = PB_ORDER / 2;
	uint64_t nr_free = qr__order_pages(order);

	(void)state;
	if (PB_ORDER < 2)
		skip();
	for (unsigned enough = 0; enough < 2; enough++) {
		begin();
		free_block(PAGEBLOCK - nr_free, order, UNMOVABLE);
		if (PAGEBLOCK / 2 > nr_free)
			lru_pages(0, PAGEBLOCK / 2 - nr_free - 1 + enough);
		assert_int_equal(fallback(0, MOVABLE, 0), PAGEBLOCK - nr_free);
		assert_int_equal(type_of(0),
				 enough || PAGEBLOCK / 2 <= nr_free ? MOVABLE : UNMOVABLE);
		end();
	}
}

static void test_claim_always_without_grouping(void **state)
{
	(void)state;
	begin();
	mixed_pageblock(PAGEBLOCK - 1, MOVABLE);
	atomic_store(&zone->frames->mobility_disabled, true);
	assert_int_equal(fallback(0, UNMOVABLE, 0), PAGEBLOCK - 1);
	assert_int_equal(type_of(0), UNMOVABLE);
	end();
}

/* A request that is not UNMOVABLE while grouping is off: list and pageblock must agree. */
static void test_claim_without_grouping_stores_unmovable(void **state)
{
	(void)state;
	for (unsigned order = PB_ORDER - 1; order <= PB_ORDER; order++) {
		begin();
		free_block(0, order, MOVABLE);
		atomic_store(&zone->frames->mobility_disabled, true);
		assert_int_equal(fallback(0, RECLAIMABLE, 0), 0);
		assert_int_equal(type_of(0), UNMOVABLE);
		assert_int_equal(nr_pages(UNMOVABLE), qr__order_pages(order) - 1);
		end();
	}
}

/* All free pages of the pageblock come along, and the smallest block of them is handed out. */
static void test_claimed_pageblock_serves_its_smallest_block(void **state)
{
	(void)state;
	if (PB_ORDER < 3)
		skip();
	begin();
	free_block(PAGEBLOCK / 2, PB_ORDER - 1, MOVABLE);
	free_block(1, 0, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), 1);
	assert_int_equal(last_event.a, PB_ORDER - 1);
	assert_int_equal(last_event.pfn, 1);
	assert_int_equal(nr_blocks(PB_ORDER - 1, UNMOVABLE), 1);
	assert_int_equal(nr_pages(MOVABLE), 0);
	end();
}

/* The rest of a block that was stolen singly stays on its pageblock's list. */
static void test_A4_rest_of_a_stolen_block_stays_on_its_list(void **state)
{
	(void)state;
	if (PB_ORDER < 3)
		skip();
	begin();
	lru_pages(0, PAGEBLOCK - 2);
	free_block(PAGEBLOCK - 2, 1, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), PAGEBLOCK - 2);
	assert_int_equal(type_of(0), MOVABLE);
	assert_int_equal(nr_blocks(0, MOVABLE), 1);
	assert_int_equal(nr_blocks(0, UNMOVABLE), 0);
	end();
}

/* A pageblock that only partly lies in the zone keeps its type. */
static void test_pageblock_across_the_zones_end_is_not_claimed(void **state)
{
	(void)state;
	if (PB_ORDER < 2)
		skip();
	begin();
	qr__write(&zone->spanned_pages, PAGEBLOCK - 1);
	free_block(0, PB_ORDER - 1, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, 0), 0);
	assert_int_equal(type_of(0), MOVABLE);
	assert_int_equal(nr_pages(MOVABLE), PAGEBLOCK / 2 - 1);
	end();
}

static void test_event_tells_what_happened(void **state)
{
	(void)state;
	begin();
	lru_pages(0, PAGEBLOCK);
	lru_pages(PAGEBLOCK, PAGEBLOCK);
	free_block(PAGEBLOCK - 1, 0, MOVABLE);
	assert_int_equal(fallback(0, RECLAIMABLE, 0), PAGEBLOCK - 1);
	assert_int_equal(nr_events, 1);
	assert_int_equal(last_event.pfn, PAGEBLOCK - 1);
	assert_int_equal(last_event.order, 0);
	assert_int_equal(last_event.migratetype, RECLAIMABLE);
	assert_int_equal(last_event.a, 0);
	assert_int_equal(last_event.b, MOVABLE);
	assert_int_equal(last_event.c, 0);
	end();
}

/* Counting and moving ---------------------------------------------------------------------- */

static void counts_are(qr_pfn_t pfn, uint64_t nr_free, uint64_t nr_movable)
{
	uint64_t free_pages, movable_pages;
	qr_pfn_t start_pfn;

	assert_true(qr_prep_move_freepages_block(zone, pfn + 1, &start_pfn, &free_pages,
						 &movable_pages));
	assert_int_equal(start_pfn, pfn);
	assert_int_equal(free_pages, nr_free);
	assert_int_equal(movable_pages, nr_movable);
}

static void test_count_of_a_pageblock(void **state)
{
	(void)state;
	begin();
	counts_are(0, 0, 0);
	lru_pages(0, 1);
	counts_are(0, 0, 1);
	in_use_movable(1, 0, QR_PG_MOVABLE_OPS);
	counts_are(0, 0, 2);
	if (PB_ORDER > 1) {
		/* A head speaks for all of its block; flags of pages not in use mean nothing. */
		in_use_movable(2, 1, QR_PG_LRU);
		counts_are(0, 0, 4);
		qr__page_type_set(zone->frames, buddy_machine_page(machine, 2), QR_PT_PCP);
		counts_are(0, 0, 2);
		qr__page_type_set(zone->frames, buddy_machine_page(machine, 2), QR_PT_NONE);
		free_block(2, 1, MOVABLE);
		counts_are(0, 2, 2);
	}
	/* In use, but neither. */
	in_use_movable(PAGEBLOCK, 0, QR_PG_DIRTY);
	counts_are(PAGEBLOCK, 0, 0);
	end();
}

/* A page that begins in one pageblock and ends in another, or a free block of several. */
static void test_count_of_a_part_of_a_larger_block(void **state)
{
	(void)state;
	if (PB_ORDER == QR_MAX_PAGE_ORDER)
		skip();
	begin();
	in_use_movable(0, PB_ORDER + 1, QR_PG_LRU);
	counts_are(0, 0, PAGEBLOCK);
	counts_are(PAGEBLOCK, 0, PAGEBLOCK);
	counts_are(2 * PAGEBLOCK, 0, 0);
	free_block(BLOCK, PB_ORDER + 1, MOVABLE);
	counts_are(BLOCK, PAGEBLOCK, 0);
	end();
}

static void test_move_retypes_and_tells_how_many(void **state)
{
	qr_pfn_t start_pfn;

	(void)state;
	begin();
	free_block(1, 0, MOVABLE);
	assert_int_equal(qr_move_freepages_block(zone, 0, MOVABLE, RECLAIMABLE), 1);
	assert_int_equal(type_of(0), RECLAIMABLE);
	assert_int_equal(nr_blocks(0, RECLAIMABLE), 1);
	assert_int_equal(qr_move_freepages_block(zone, PAGEBLOCK, MOVABLE, RECLAIMABLE), 0);
	assert_int_equal(type_of(PAGEBLOCK), RECLAIMABLE);
	qr__write(&zone->spanned_pages, 3 * PAGEBLOCK - 1);
	assert_int_equal(qr_move_freepages_block(zone, 2 * PAGEBLOCK, MOVABLE, RECLAIMABLE), -1);
	assert_int_equal(type_of(2 * PAGEBLOCK), MOVABLE);
	assert_false(qr_prep_move_freepages_block(zone, 2 * PAGEBLOCK, &start_pfn, NULL, NULL));
	end();
}

/* Boosting --------------------------------------------------------------------------------- */

static void test_boost_grows_by_pageblocks_to_a_share_of_high(void **state)
{
	(void)state;
	begin();
	qr__write(&zone->watermark[QR_WMARK_HIGH], 2 * PAGEBLOCK);
	atomic_store(&machine->alloc.watermark_boost_factor, 12500);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), PAGEBLOCK);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), 2 * PAGEBLOCK);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), 2 * PAGEBLOCK * 12500 / 10000);
	assert_int_equal(stat(QR_STAT_BOOSTS), 3);
	/* At least one pageblock. */
	qr__write(&zone->watermark_boost, 0);
	qr__write(&zone->watermark[QR_WMARK_HIGH], 2);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), PAGEBLOCK);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), PAGEBLOCK);
	end();
}

/* The largest factor and mark do not overflow. */
static void test_boost_of_huge_marks(void **state)
{
	(void)state;
	begin();
	qr__write(&zone->watermark[QR_WMARK_HIGH], UINT64_C(1) << 36);
	atomic_store(&machine->alloc.watermark_boost_factor, INT32_MAX);
	qr__write(&zone->watermark_boost, UINT64_C(1) << 52);
	assert_true(qr_boost_watermark(zone));
	assert_int_equal(boost(), (UINT64_C(1) << 52) + PAGEBLOCK);
	end();
}

static void test_A14_no_boost_in_zones_of_a_few_pageblocks(void **state)
{
	(void)state;
	begin();
	qr__write(&zone->managed_pages, 4 * PAGEBLOCK - 1);
	assert_false(qr_boost_watermark(zone));
	assert_int_equal(boost(), 0);
	qr__write(&zone->managed_pages, 4 * PAGEBLOCK);
	assert_true(qr_boost_watermark(zone));
	end();
}

static void test_A15_no_boost_before_there_are_marks(void **state)
{
	(void)state;
	begin();
	qr__write(&zone->watermark[QR_WMARK_HIGH], 0);
	assert_false(qr_boost_watermark(zone));
	assert_int_equal(boost(), 0);
	end();
}

static void test_boost_can_be_turned_off(void **state)
{
	(void)state;
	begin();
	atomic_store(&machine->alloc.watermark_boost_factor, 0);
	assert_false(qr_boost_watermark(zone));
	free_block(PAGEBLOCK - 1, 0, MOVABLE);
	assert_int_equal(fallback(0, UNMOVABLE, QR_ALLOC_KSWAPD), PAGEBLOCK - 1);
	assert_false(qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK));
	assert_int_equal(boost(), 0);
	end();
}

/* Also where only a single page is stolen; kswapd is told if the request may wake it. */
static void test_each_theft_boosts(void **state)
{
	(void)state;
	begin();
	lru_pages(0, 2 * PAGEBLOCK);
	free_block(0, 0, MOVABLE);
	free_block(PAGEBLOCK, 0, MOVABLE);
	fallback(0, UNMOVABLE, 0);
	assert_int_equal(boost(), PAGEBLOCK);
	assert_false(qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK));
	fallback(0, UNMOVABLE, QR_ALLOC_KSWAPD);
	assert_true(qr__zone_flag(zone, QR_ZONE_BOOSTED_WATERMARK));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lenders_are_asked_in_turn),
		cmocka_unit_test(test_who_may_claim),
		bitmap_unit_test(test_counts_are_settled_once),
		cmocka_unit_test(test_nothing_to_borrow),
		cmocka_unit_test(test_largest_block_first),
		cmocka_unit_test(test_movable_takes_the_smallest_it_may_not_claim),
		cmocka_unit_test(test_unmovable_takes_the_largest),
		list_unit_test(test_whole_pageblocks_change_hands),
		bitmap_unit_test(test_whole_pageblocks_are_everybodys),
		cmocka_unit_test(test_nofragment_takes_whole_pageblocks_or_nothing),
		cmocka_unit_test(test_claim_when_half_is_free_or_alike),
		cmocka_unit_test(test_claim_counts_nothing_alike_between_unmovable_types),
		cmocka_unit_test(test_claim_by_movable_counts_movable),
		cmocka_unit_test(test_claim_always_without_grouping),
		cmocka_unit_test(test_claim_without_grouping_stores_unmovable),
		cmocka_unit_test(test_claimed_pageblock_serves_its_smallest_block),
		cmocka_unit_test(test_A4_rest_of_a_stolen_block_stays_on_its_list),
		cmocka_unit_test(test_pageblock_across_the_zones_end_is_not_claimed),
		cmocka_unit_test(test_event_tells_what_happened),
		cmocka_unit_test(test_count_of_a_pageblock),
		cmocka_unit_test(test_count_of_a_part_of_a_larger_block),
		cmocka_unit_test(test_move_retypes_and_tells_how_many),
		cmocka_unit_test(test_boost_grows_by_pageblocks_to_a_share_of_high),
		cmocka_unit_test(test_boost_of_huge_marks),
		cmocka_unit_test(test_A14_no_boost_in_zones_of_a_few_pageblocks),
		cmocka_unit_test(test_A15_no_boost_before_there_are_marks),
		cmocka_unit_test(test_boost_can_be_turned_off),
		cmocka_unit_test(test_each_theft_boosts),
	};

	return test_group_run("fallback", tests);
}
