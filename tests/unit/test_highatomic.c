/* SPDX-License-Identifier: MIT */
/*
 * test_highatomic.c - the reserve for atomic high-order requests
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
#define HIGHATOMIC QR_MIGRATE_HIGHATOMIC
#define MOVABLE QR_MIGRATE_MOVABLE

static struct buddy_machine *machine;
static struct qr_zone *zone, *other;
static struct qr_zoneref zonelist[3];

/*
 * Two nodes with a zone of 4 of the largest blocks each, all free, that believe to have so much
 * memory that the reserve may hold 4 pageblocks, or one block of the largest order.
 */
static void begin(void)
{
	uint64_t managed = 100 * qr__max(4 * PAGEBLOCK, BLOCK);

	machine = buddy_machine_new(0, 8 * BLOCK);
	zone = buddy_machine_zone(machine, 0, QR_ZONE_NORMAL, 0, 4 * BLOCK);
	other = buddy_machine_zone(machine, 1, QR_ZONE_NORMAL, 4 * BLOCK, 8 * BLOCK);
	qr__write(&zone->managed_pages, managed);
	qr__write(&other->managed_pages, managed);
	buddy_machine_release(zone, 0, 4 * BLOCK);
	buddy_machine_release(other, 4 * BLOCK, 8 * BLOCK);
	memset(zonelist, 0, sizeof(zonelist));
	atomic_store(&zonelist[0].zone, zone);
	atomic_store(&zonelist[1].zone, other);
}

static void end(void)
{
	buddy_machine_check(zone);
	buddy_machine_check(other);
	buddy_machine_free(machine);
}

static qr_pfn_t take(struct qr_zone *from, unsigned order)
{
	unsigned long irqs = qr__zone_lock(from);
	qr_pfn_t pfn = QR_PFN_NONE;

	assert_int_equal(from->ops->take(from, order, MOVABLE, 1, &pfn), 1);
	qr__zone_unlock(from, irqs);
	return pfn;
}

static void give(qr_pfn_t pfn, unsigned order)
{
	struct qr_zone *to = pfn < 4 * BLOCK ? zone : other;
	unsigned long irqs = qr__zone_lock(to);

	to->ops->give(to, pfn, order, qr__pageblock_type(to->frames, pfn), QR_END_AUTO);
	qr__zone_unlock(to, irqs);
}

static uint64_t reserved(const struct qr_zone *of)
{
	return qr__read(&of->nr_reserved_highatomic);
}

static enum qr_migratetype type_of(qr_pfn_t pfn)
{
	return qr__pageblock_type(&machine->alloc.frames, pfn);
}

static uint64_t nr_blocks(unsigned order, enum qr_migratetype type)
{
	unsigned long irqs = qr__zone_lock(zone);
	uint64_t nr = buddy_machine_nr_blocks(zone, order, type);

	qr__zone_unlock(zone, irqs);
	return nr;
}

static bool unreserve(enum qr_migratetype type, bool force, qr_nodemask_t nodes)
{
	const struct qr_alloc_context ac = {
		.zonelist = zonelist,
		.nodemask = &nodes,
		.migratetype = type,
		.highest_zoneidx = QR_ZONE_NORMAL,
	};

	return qr_unreserve_highatomic_pageblock(&machine->alloc, &ac, force);
}

static uint64_t stat(enum qr_alloc_stat which)
{
	return atomic_load(&machine->alloc.stat[which]);
}

static void test_reserve_takes_the_pageblock(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	pfn = take(zone, 0);
	qr_reserve_highatomic_pageblock(zone, pfn, 0);
	assert_int_equal(type_of(pfn), HIGHATOMIC);
	assert_int_equal(reserved(zone), PAGEBLOCK);
	assert_int_equal(qr__read(&zone->nr_free_highatomic), PAGEBLOCK - 1);
	assert_int_equal(stat(QR_STAT_HIGHATOMIC_RESERVED), 1);
	/* The same once more: it is reserved already. */
	qr_reserve_highatomic_pageblock(zone, pfn, 0);
	assert_int_equal(reserved(zone), PAGEBLOCK);
	assert_int_equal(stat(QR_STAT_HIGHATOMIC_RESERVED), 1);
	give(pfn, 0);
	assert_int_equal(qr__read(&zone->nr_free_highatomic), PAGEBLOCK);
	end();
}

static void test_reserve_has_a_limit(void **state)
{
	unsigned nr = 0;

	(void)state;
	begin();
	qr__write(&zone->managed_pages, 100 * 2 * PAGEBLOCK + 1); /* rounds up to 2 or 3 */
	while (nr < 8) {
		qr_reserve_highatomic_pageblock(zone, take(zone, PB_ORDER - 1), PB_ORDER - 1);
		nr++;
	}
	assert_int_equal(reserved(zone),
			 qr__align_up(qr__read(&zone->managed_pages) / 100, PAGEBLOCK));
	end();
}

static void test_reserve_of_several_pageblocks(void **state)
{
	const unsigned order = QR_MAX_PAGE_ORDER;
	qr_pfn_t pfn;

	(void)state;
	begin();
	pfn = take(zone, order);
	qr_reserve_highatomic_pageblock(zone, pfn, order);
	assert_int_equal(reserved(zone), BLOCK);
	assert_int_equal(stat(QR_STAT_HIGHATOMIC_RESERVED), BLOCK / PAGEBLOCK);
	for (qr_pfn_t i = 0; i < BLOCK; i += PAGEBLOCK)
		assert_int_equal(type_of(pfn + i), HIGHATOMIC);
	give(pfn, order);
	end();
}

/* A zone of which a hundredth is less than a pageblock has no reserve. */
static void test_A11_small_zones_have_no_reserve(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	qr__write(&zone->managed_pages, 100 * PAGEBLOCK - 1);
	pfn = take(zone, 1);
	qr_reserve_highatomic_pageblock(zone, pfn, 1);
	assert_int_equal(reserved(zone), 0);
	assert_int_equal(type_of(pfn), MOVABLE);
	qr__write(&zone->managed_pages, 100 * PAGEBLOCK);
	qr_reserve_highatomic_pageblock(zone, pfn, 1);
	assert_int_equal(reserved(zone), PAGEBLOCK);
	end();
}

static void test_A12_only_plain_types_are_reserved(void **state)
{
	(void)state;
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		qr_pfn_t pfn;

		begin();
		pfn = take(zone, PB_ORDER);
		buddy_machine_type(zone, pfn, (enum qr_migratetype)type);
		give(pfn + 1, 0);
		qr_reserve_highatomic_pageblock(zone, pfn, 0);
		if (type < QR_MIGRATE_PCPTYPES) {
			assert_int_equal(type_of(pfn), HIGHATOMIC);
			assert_int_equal(reserved(zone), PAGEBLOCK);
		} else {
			assert_int_equal(type_of(pfn), type);
			assert_int_equal(reserved(zone), 0);
		}
		end();
	}
}

static void test_reserve_leaves_pageblocks_across_zones_alone(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	pfn = take(zone, 0);
	qr__write(&zone->start_pfn, 1);
	qr_reserve_highatomic_pageblock(zone, pfn, 0);
	qr__write(&zone->start_pfn, 0);
	assert_int_equal(reserved(zone), 0);
	assert_int_equal(type_of(pfn), MOVABLE);
	end();
}

static void test_unreserve_gives_to_the_requests_type(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	pfn = take(zone, 0);
	qr_reserve_highatomic_pageblock(zone, pfn, 0);
	assert_true(unreserve(QR_MIGRATE_RECLAIMABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(type_of(pfn), QR_MIGRATE_RECLAIMABLE);
	assert_int_equal(reserved(zone), 0);
	assert_int_equal(qr__read(&zone->nr_free_highatomic), 0);
	assert_int_equal(nr_blocks(PB_ORDER - 1, QR_MIGRATE_RECLAIMABLE), 1);
	assert_int_equal(stat(QR_STAT_HIGHATOMIC_UNRESERVED), 1);
	assert_false(unreserve(QR_MIGRATE_RECLAIMABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(stat(QR_STAT_HIGHATOMIC_UNRESERVED), 1);
	end();
}

/* The last pageblock of a zone is given up only under force. */
static void test_A9_unreserve_by_force(void **state)
{
	(void)state;
	begin();
	qr_reserve_highatomic_pageblock(zone, take(zone, PB_ORDER - 1), PB_ORDER - 1);
	assert_false(unreserve(MOVABLE, false, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), PAGEBLOCK);
	take(zone, PB_ORDER); /* so that the next comes from another pageblock */
	qr_reserve_highatomic_pageblock(zone, take(zone, PB_ORDER - 1), PB_ORDER - 1);
	assert_int_equal(reserved(zone), 2 * PAGEBLOCK);
	assert_true(unreserve(MOVABLE, false, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), PAGEBLOCK);
	assert_false(unreserve(MOVABLE, false, QR_NODEMASK_ALL));
	assert_true(unreserve(MOVABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), 0);
	end();
}

static void test_unreserve_keeps_to_the_requests_zones(void **state)
{
	(void)state;
	begin();
	qr_reserve_highatomic_pageblock(zone, take(zone, 0), 0);
	qr_reserve_highatomic_pageblock(other, take(other, 0), 0);
	assert_true(unreserve(MOVABLE, true, 1u << 1));
	assert_int_equal(reserved(zone), PAGEBLOCK);
	assert_int_equal(reserved(other), 0);
	assert_false(unreserve(MOVABLE, true, 1u << 1));
	/* One pageblock of one zone at a time, in the zonelist's turn. */
	qr_reserve_highatomic_pageblock(other, take(other, 0), 0);
	assert_true(unreserve(MOVABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), 0);
	assert_int_equal(reserved(other), PAGEBLOCK);
	end();
}

/* With everything in use, there is nothing to gain, and nothing is uncounted. */
static void test_unreserve_needs_a_free_page(void **state)
{
	qr_pfn_t pfn;

	(void)state;
	begin();
	pfn = take(zone, PB_ORDER);
	qr_reserve_highatomic_pageblock(zone, pfn, PB_ORDER);
	assert_false(unreserve(MOVABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), PAGEBLOCK);
	give(pfn, 0);
	assert_true(unreserve(MOVABLE, true, QR_NODEMASK_ALL));
	end();
}

/* A block of several pageblocks, given back in pieces: the count ends at 0 and never wraps. */
static void test_A13_counter_returns_to_zero(void **state)
{
	(void)state;
	for (unsigned piece = 0; piece <= QR_MAX_PAGE_ORDER; piece++) {
		uint64_t before;
		qr_pfn_t pfn;

		begin();
		pfn = take(zone, QR_MAX_PAGE_ORDER);
		qr_reserve_highatomic_pageblock(zone, pfn, QR_MAX_PAGE_ORDER);
		/* Every second piece is free: many blocks in each pageblock. */
		for (qr_pfn_t i = 0; i < BLOCK; i += 2 * qr__order_pages(piece))
			give(pfn + i, piece);
		if (piece > PB_ORDER && piece < QR_MAX_PAGE_ORDER)
			give(pfn + qr__order_pages(piece), PB_ORDER);
		for (before = reserved(zone); before; before = reserved(zone)) {
			if (!unreserve(MOVABLE, true, QR_NODEMASK_ALL))
				break;
			assert_true(reserved(zone) < before);
		}
		/* What stays reserved has not a single free page. */
		assert_int_equal(qr__read(&zone->nr_free_highatomic), 0);
		assert_int_equal(reserved(zone) % PAGEBLOCK, 0);
		for (qr_pfn_t i = 0; i < BLOCK; i += PAGEBLOCK) {
			if (type_of(pfn + i) == HIGHATOMIC)
				before -= PAGEBLOCK;
		}
		assert_int_equal(before, 0);
		end();
	}
}

/* The count says less than there is: it ends at 0, not below. */
static void test_A13_counter_does_not_wrap(void **state)
{
	(void)state;
	begin();
	qr_reserve_highatomic_pageblock(zone, take(zone, 0), 0);
	qr__write(&zone->nr_reserved_highatomic, 1);
	assert_true(unreserve(MOVABLE, true, QR_NODEMASK_ALL));
	assert_int_equal(reserved(zone), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reserve_takes_the_pageblock),
		cmocka_unit_test(test_reserve_has_a_limit),
		cmocka_unit_test(test_reserve_of_several_pageblocks),
		cmocka_unit_test(test_A11_small_zones_have_no_reserve),
		cmocka_unit_test(test_A12_only_plain_types_are_reserved),
		cmocka_unit_test(test_reserve_leaves_pageblocks_across_zones_alone),
		cmocka_unit_test(test_unreserve_gives_to_the_requests_type),
		cmocka_unit_test(test_A9_unreserve_by_force),
		cmocka_unit_test(test_unreserve_keeps_to_the_requests_zones),
		cmocka_unit_test(test_unreserve_needs_a_free_page),
		cmocka_unit_test(test_A13_counter_returns_to_zero),
		cmocka_unit_test(test_A13_counter_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
