/* SPDX-License-Identifier: MIT */
/*
 * test_drain.c - what caches give back to the bitmap engine: all orders, in order and in none
 */
#include <stdlib.h>

#include "buddy_machine.h"
#include "effort.h"
#include "support.h"

#include "buddy/bitmap.h"

#define NR_CPUS 2u
#define PB ((unsigned)QR_PAGEBLOCK_NR_PAGES)
#define SMALLEST qr__max(4 * QR_MAX_ORDER_NR_PAGES, (uint64_t)QR_STRIPE_MIN_PAGES)
#define STRIPE_PAGES (UINT64_C(1) << qr__order_for(SMALLEST))
#define PAGES (2 * NR_CPUS * STRIPE_PAGES)
#define EACH (PAGES > 100000 ? 50u : 1u) /* so many steps a look of the checker */
#define MOST 150u /* blocks of a drain; more than the engine gives at a time */

static struct buddy_machine *m;
static struct qr_zone *zone;
static uint64_t seed;

/* What is in use, by order. */
static struct {
	uint32_t frame[1024];
	unsigned nr;
} used[QR_PAGEBLOCK_ORDER + 1];

static void begin(void)
{
	m = buddy_machine_new(0, PAGES);
	m->alloc.frames.base.nr_cpus = NR_CPUS;
	zone = buddy_machine_zone(m, 0, QR_ZONE_NORMAL, 0, PAGES);
	buddy_machine_release(zone, 0, PAGES);
	assert_int_equal(zone->nr_stripes, 2 * NR_CPUS);
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++)
		used[order].nr = 0;
}

static void end(void)
{
	buddy_machine_check(zone);
	buddy_machine_free(m);
}

static unsigned below(unsigned limit)
{
	return (unsigned)test_random_below(&seed, limit);
}

static void take(unsigned order)
{
	enum qr_migratetype type = (enum qr_migratetype)below(QR_MIGRATE_PCPTYPES);
	unsigned room = 1024 - used[order].nr, nr = 1 + below(MOST);

	nr = nr < room ? nr : room;
	if (nr)
		used[order].nr += zone->ops->refill(zone, below(NR_CPUS), order, type, nr,
						    &used[order].frame[used[order].nr]);
}

static int by_number(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* The largest block that one of these frames is in. */
static unsigned largest_of(const uint32_t *frames, unsigned nr)
{
	unsigned largest = 0;

	for (unsigned n = 0; n < nr; n++) {
		struct qr_block block;

		assert_true(zone->ops->find(zone, frames[n], &block));
		largest = block.order > largest ? block.order : largest;
	}
	return largest;
}

/* Any of those that are in use; they come in no order, or by their numbers. */
static void give(unsigned order)
{
	uint32_t frames[MOST], given[MOST];
	unsigned nr = 0, most = 1 + below(below(2) ? MOST : 8), said, largest;

	while (nr < most && used[order].nr) {
		unsigned n = below(used[order].nr);

		frames[nr++] = used[order].frame[n];
		used[order].frame[n] = used[order].frame[--used[order].nr];
	}
	if (below(3) == 0)
		qsort(frames, nr, sizeof(*frames), by_number);
	for (unsigned n = 0; n < nr; n++)
		given[n] = frames[n];
	if (!nr)
		return;
	said = zone->ops->drain(zone, order, given, nr);
	largest = largest_of(frames, nr);
	/* a larger block than its pageblock had before, that is */
	assert_in_range(said, largest < QR_PAGEBLOCK_ORDER ? order : largest, largest);
}

static uint64_t nr_used(void)
{
	uint64_t pages = 0;

	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++)
		pages += (uint64_t)used[order].nr << order;
	return pages;
}

/* Its record says that it waits in a cache. */
static void cached_set(qr_pfn_t pfn, unsigned order)
{
	qr__state_head_set(qr__pfn_state(zone->frames, pfn), zone->id, QR_PT_PCP, order);
}

static void carve(qr_pfn_t pfn, unsigned order)
{
	unsigned long irqs = qr__zone_lock(zone);

	assert_true(zone->ops->carve(zone, pfn, order));
	qr__zone_unlock(zone, irqs);
}

/* Blocks come and go; somebody looks on now and then; in the end all is back, in one piece. */
static void test_all_comes_back(void **state)
{
	(void)state;
	seed = 1;
	begin();
	for (unsigned n = 0, steps = (unsigned)test_effort(500, 50); n < steps || nr_used(); n++) {
		unsigned order = below(QR_PAGEBLOCK_ORDER + 1);

		if (n < steps && below(2))
			take(order);
		else
			give(order);
		if (below(8) == 0)
			qr__buddy_settle(zone);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - nr_used());
		if (n % EACH == 0)
			buddy_machine_check(zone);
	}
	qr__buddy_settle(zone);
	assert_int_equal(zone->ops->nr_blocks_racy(zone, QR_MAX_PAGE_ORDER),
			 PAGES >> QR_MAX_PAGE_ORDER);
	end();
}

/*
 * The blocks of two pageblocks, one of each at a time, in no order; and once more, now that these
 * have been whole.
 */
static void test_one_by_one(void **state)
{
	(void)state;
	seed = 2;
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		unsigned nr = PB >> order, odd = 1 + 2 * below(nr);

		begin();
		for (unsigned round = 0; round < 2; round++) {
			carve(0, QR_PAGEBLOCK_ORDER);
			carve(PB, QR_PAGEBLOCK_ORDER);
			for (unsigned n = 0; n < nr; n++) {
				uint32_t at = (n * odd & (nr - 1)) << order;
				uint32_t frames[2] = {at, PB + at};

				cached_set(frames[0], order);
				cached_set(frames[1], order);
				zone->ops->drain(zone, order, frames, 2);
				if (n % EACH == 0)
					buddy_machine_check(zone);
			}
			assert_true(bitmap_is_whole(bitmap_of(zone), 0));
			assert_true(bitmap_is_whole(bitmap_of(zone), 1));
		}
		end();
	}
}

/* Of a block that comes back one page is free already, its last; it is refused, and no other is. */
static void test_a_block_in_pieces_is_refused(void **state)
{
	(void)state;
	for (unsigned order = 1; order < QR_PAGEBLOCK_ORDER; order++) {
		uint32_t page = (1u << order) - 1;
		uint32_t frames[3] = {PB, 0, 3 * PB};

		begin();
		for (unsigned n = 0; n < 4; n++)
			carve(n * PB, QR_PAGEBLOCK_ORDER);
		cached_set(page, 0);
		zone->ops->drain(zone, 0, &page, 1);
		for (unsigned n = 0; n < 3; n++)
			cached_set(frames[n], order);
		zone->ops->drain(zone, order, frames, 3);
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages),
				 PAGES - 4 * PB + 1 + (2u << order));
		end();
	}
}

/* What is whole is free already; it was a part before, and nobody has counted since. */
static void test_a_block_of_what_is_whole_is_refused(void **state)
{
	(void)state;
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		uint32_t frames[2] = {0, PB};

		begin();
		carve(0, order);
		cached_set(0, order);
		zone->ops->drain(zone, order, frames, 1);
		carve(PB, QR_PAGEBLOCK_ORDER);
		cached_set(0, order);
		cached_set(PB, order);
		zone->ops->drain(zone, order, frames, 2);
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - PB + (1u << order));
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_a_block_in_pieces_is_refused),
		cmocka_unit_test(test_a_block_of_what_is_whole_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
