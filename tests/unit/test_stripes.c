/* SPDX-License-Identifier: MIT */
/*
 * test_stripes.c - zones that the bitmap engine divides: who takes where, and that nothing is lost
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buddy_machine.h"

#include "buddy/bitmap.h"

#define NR_CPUS 4u
#define NR_STRIPES 8u /* two for each CPU */
#define PB ((unsigned)QR_PAGEBLOCK_NR_PAGES)
#define SMALLEST qr__max(4 * QR_MAX_ORDER_NR_PAGES, (uint64_t)QR_STRIPE_MIN_PAGES)
#define STRIPE_PAGES (UINT64_C(1) << qr__order_for(SMALLEST))
#define PAGES (NR_STRIPES * STRIPE_PAGES)
/* So many pageblocks with one page in use each have enough in pieces to be worth a way. */
#define RICH (2 * PB / (PB - 1) + 1)

static struct buddy_machine *m;
static struct qr_zone *zone;

static struct bitmap_buddy *buddy(void)
{
	return bitmap_of(zone);
}

static void begin_with(unsigned nr_cpus, uint64_t nr_pages)
{
	m = buddy_machine_new(0, nr_pages);
	m->alloc.frames.base.nr_cpus = nr_cpus;
	zone = buddy_machine_zone(m, 0, QR_ZONE_NORMAL, 0, nr_pages);
	buddy_machine_release(zone, 0, nr_pages);
}

static void begin(void)
{
	begin_with(NR_CPUS, PAGES);
	assert_int_equal(zone->nr_stripes, NR_STRIPES);
}

static void end(void)
{
	buddy_machine_check(zone);
	buddy_machine_free(m);
}

static unsigned refill(unsigned cpu, unsigned order, unsigned nr, uint32_t *frames)
{
	return zone->ops->refill(zone, cpu, order, QR_MIGRATE_MOVABLE, nr, frames);
}

/* One page for this CPU; which stripe it came from. */
static unsigned stripe_of_next(unsigned cpu)
{
	uint32_t frame;

	assert_int_equal(refill(cpu, 0, 1, &frame), 1);
	return qr__zone_stripe(zone, frame);
}

static void carve(qr_pfn_t pfn, unsigned order)
{
	unsigned long irqs = qr__zone_lock(zone);

	assert_true(zone->ops->carve(zone, pfn, order));
	qr__zone_unlock(zone, irqs);
}

static qr_pfn_t start_of(unsigned s)
{
	return s * STRIPE_PAGES;
}

/* Take one page out of each of a stripe's last nr pageblocks. */
static void pieces_make(unsigned s, unsigned nr)
{
	for (unsigned i = 1; i <= nr; i++)
		carve(start_of(s + 1) - (uint64_t)i * PB, 0);
}

static void stripe_empty(unsigned s)
{
	for (qr_pfn_t pfn = start_of(s); pfn < start_of(s + 1); pfn += QR_MAX_ORDER_NR_PAGES)
		carve(pfn, QR_MAX_PAGE_ORDER);
}

static unsigned nr_whole(unsigned s)
{
	uint32_t first = bitmap_index(buddy(), start_of(s)), nr = (uint32_t)(STRIPE_PAGES / PB);
	unsigned whole = 0;

	for (uint32_t i = first; i < first + nr; i++)
		whole += bitmap_is_whole(buddy(), i);
	return whole;
}

static uint64_t nr_locks(void)
{
	uint64_t nr = 0;

	for (unsigned s = 0; s < NR_STRIPES; s++)
		nr += qr__read(&zone->stripes[s].nr_locks);
	return nr;
}

/* Division --------------------------------------------------------------------------------- */

static void test_large_zones_are_divided(void **state)
{
	(void)state;
	begin();
	assert_int_equal(buddy()->nr_stripes, NR_STRIPES);
	assert_int_equal(UINT64_C(1) << zone->stripe_order, STRIPE_PAGES);
	for (unsigned s = 0; s < NR_STRIPES; s++) {
		assert_int_equal(qr__zone_stripe(zone, start_of(s)), s);
		assert_int_equal(qr__zone_stripe(zone, start_of(s + 1) - 1), s);
		assert_int_equal(nr_whole(s), STRIPE_PAGES / PB);
	}
	end();
}

static void test_small_zones_are_not(void **state)
{
	(void)state;
	begin_with(1, PAGES);
	assert_int_equal(zone->nr_stripes, 0);
	assert_int_equal(buddy()->nr_stripes, 1);
	end();
	begin_with(NR_CPUS, QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(zone->nr_stripes, 0);
	end();
}

/* What the engine keeps for a zone is a small part of it, however small it is. */
static void test_a_zone_s_metadata_is_in_proportion(void **state)
{
	const struct qr_buddy_ops *ops = &qr__buddy_bitmap;

	(void)state;
	if (QR_PAGEBLOCK_ORDER < 8)
		skip(); /* a line for a few pages */
	for (uint64_t pages = QR_MAX_ORDER_NR_PAGES; pages <= PAGES; pages *= 2)
		for (unsigned nr_cpus = 1; nr_cpus <= NR_CPUS; nr_cpus++)
			assert_true(ops->zone_size(0, pages, nr_cpus) <=
				    pages * QR_PAGE_SIZE / 256);
	assert_true(ops->zone_size(0, 0, 1) < 4096);
}

/* Every other page of a pageblock that was whole, so many of them. */
static void singles_leave(qr_pfn_t start, unsigned nr)
{
	carve(start, QR_PAGEBLOCK_ORDER);
	for (unsigned i = 0; i < nr; i++) {
		uint32_t frame = (uint32_t)start + 2 * i;

		qr__state_head_set(&zone->frames->states[frame], zone->id, QR_PT_PCP, 0);
		zone->ops->drain(zone, 0, &frame, 1, false);
	}
}

/* In a small zone they do, and still the fullest serves. */
static void test_counts_that_share_a_bin(void **state)
{
	uint32_t frame;

	(void)state;
	if (QR_PAGEBLOCK_ORDER < 9 || QR_MAX_PAGE_ORDER > 10)
		skip(); /* no zone is small */
	begin_with(1, 4 * QR_MAX_ORDER_NR_PAGES);
	assert_in_range(buddy()->bin_shift, 1, 3);
	singles_leave(3 * PB, 1);
	singles_leave(0, 2);
	singles_leave(PB, 1);
	singles_leave(2 * PB, 2);
	assert_int_equal(bitmap_bin_for(buddy(), 1), bitmap_bin_for(buddy(), 2));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(refill(0, 0, 1, &frame), 1);
		assert_int_equal(frame, i ? 3 * PB : PB);
	}
	assert_int_equal(refill(0, 0, 1, &frame), 1);
	assert_true(frame == 0 || frame == 2 * PB);
	/* and what was filed with one page belongs elsewhere by now */
	singles_leave(4 * PB, 6);
	singles_leave(5 * PB, 5);
	while (refill(0, 0, 1, &frame) && frame < 4 * PB)
		;
	assert_int_equal(frame, 5 * PB);
	buddy_machine_check(zone);
	end();
}

/* A rest makes no stripe for which there is no lock. */
static void test_there_are_no_more_stripes_than_locks(void **state)
{
	(void)state;
	if (QR_MAX_PAGE_ORDER > 10)
		skip(); /* too much memory for no more insight */
	for (unsigned rest = 0; rest < 3; rest++) {
		begin_with(64, (QR_MAX_STRIPES + rest) *
					       qr__max(QR_MAX_ORDER_NR_PAGES, QR_STRIPE_MIN_PAGES) +
				       (rest ? QR_MAX_ORDER_NR_PAGES : 0));
		assert_in_range(zone->nr_stripes, QR_MAX_STRIPES / 2, QR_MAX_STRIPES);
		assert_int_equal(buddy()->nr_stripes, zone->nr_stripes);
		end();
	}
}

/* Who takes where -------------------------------------------------------------------------- */

static void test_homes_are_spread(void **state)
{
	uint32_t frames[8];

	(void)state;
	begin();
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
		assert_int_equal(refill(cpu, 0, 8, frames), 8);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(qr__zone_stripe(zone, frames[i]), 2 * cpu);
	}
	end();
}

static void test_home_s_parts_come_first(void **state)
{
	unsigned whole;

	(void)state;
	begin();
	pieces_make(0, 1);
	whole = nr_whole(0);
	for (unsigned i = 0; i < PB - 1; i++)
		assert_int_equal(stripe_of_next(0), 0);
	assert_int_equal(nr_whole(0), whole);
	assert_int_equal(stripe_of_next(0), 0);
	assert_int_equal(nr_whole(0), whole - 1);
	end();
}

/* Even where others have much in pieces. */
static void test_home_s_parts_come_before_others(void **state)
{
	unsigned whole;

	(void)state;
	begin();
	pieces_make(0, 1);
	pieces_make(5, RICH);
	whole = nr_whole(0);
	for (unsigned i = 0; i < PB - 1; i++)
		assert_int_equal(stripe_of_next(0), 0);
	/* Now home has only whole pageblocks: those stay whole. */
	assert_int_equal(stripe_of_next(0), 5);
	assert_int_equal(nr_whole(0), whole);
	assert_int_equal(nr_whole(5), STRIPE_PAGES / PB - RICH);
	end();
}

/* Leave a pageblock, whole until now, with one free block of this order. */
static void all_but_take(qr_pfn_t start, unsigned order)
{
	carve(start, order);
	for (unsigned k = order + 1; k < QR_PAGEBLOCK_ORDER; k++)
		carve(start + qr__order_pages(k), k);
}

static unsigned fullest_of(unsigned s)
{
	return qr__bitmap_fullest_racy(buddy(), &buddy()->stripes[s], QR_MIGRATE_MOVABLE, 0);
}

static uint64_t part_pages(unsigned s)
{
	return qr__read(&buddy()->stripes[s].part_pages[QR_MIGRATE_MOVABLE]);
}

/* Not the one whose parts hold most. */
static void test_the_fullest_is_chosen(void **state)
{
	uint64_t before;

	(void)state;
	begin();
	pieces_make(2, RICH + 2);
	pieces_make(5, RICH);
	all_but_take(start_of(5), 1);
	pieces_make(7, RICH + 1);
	before = part_pages(5);
	assert_int_equal(stripe_of_next(0), 5);
	assert_int_equal(part_pages(5), before - 1);
	end();
}

/* A refill goes on to the next fullest, rather than to begin with what is nearly empty. */
static void test_no_longer_than_it_is_the_fullest(void **state)
{
	unsigned nr = (unsigned)qr__min(PB, 64), whole;
	uint32_t frames[64];

	(void)state;
	begin();
	pieces_make(2, RICH);
	all_but_take(start_of(2), 1);
	pieces_make(5, RICH);
	all_but_take(start_of(5), 0);
	whole = nr_whole(2);
	assert_int_equal(refill(0, 0, nr, frames), nr);
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(qr__zone_stripe(zone, frames[i]), i ? 2 : 5);
	assert_int_equal(frames[1] - start_of(2), 2);
	assert_int_equal(nr_whole(2), whole);
	end();
}

/* Parts that are filed as fuller than they are by now do not keep a CPU from what it wants. */
static void test_what_seemed_fuller_is_looked_at_again(void **state)
{
	uint32_t frames[2];

	(void)state;
	if (QR_PAGEBLOCK_ORDER < 8)
		skip(); /* the slack is too small */
	begin();
	pieces_make(2, RICH);
	all_but_take(start_of(2), 5);
	pieces_make(5, RICH);
	for (unsigned at = 0; at < PB; at++)
		carve(start_of(5) + at, 0);
	/* every other page comes back: its largest block stays what it was with the first */
	for (unsigned at = 0; at < PB; at += 2) {
		uint32_t frame = (uint32_t)(start_of(5) + at);

		zone->ops->drain(zone, 0, &frame, 1, false);
		qr__bitmap_gather_all(zone);
	}
	assert_int_equal(fullest_of(5), 1);
	assert_int_equal(refill(0, 0, 2, frames), 2);
	assert_int_equal(qr__zone_stripe(zone, frames[0]), 2);
	assert_int_equal(qr__zone_stripe(zone, frames[1]), 2);
	assert_int_equal(fullest_of(5), PB / 2);
	end();
}

/* A few pieces elsewhere are not worth another's lock: home's pageblock is broken. */
static void test_little_elsewhere_is_left_there(void **state)
{
	(void)state;
	begin();
	pieces_make(5, RICH - 1);
	assert_true(qr__read(&buddy()->stripes[5].part_pages[QR_MIGRATE_MOVABLE]) < 2 * PB);
	assert_int_equal(stripe_of_next(0), 0);
	assert_int_equal(nr_whole(0), STRIPE_PAGES / PB - 1);
	end();
}

/* What is in pieces too small for the request does not count. */
static void test_pieces_that_do_not_serve(void **state)
{
	uint32_t frame;

	(void)state;
	begin();
	for (unsigned i = 0; i < STRIPE_PAGES / PB; i++) /* every other page */
		for (unsigned k = 0; k < PB; k += 2)
			carve(start_of(5) + (uint64_t)i * PB + k, 0);
	assert_int_equal(refill(0, 1, 1, &frame), 1);
	assert_int_equal(qr__zone_stripe(zone, frame), 0);
	assert_int_equal(stripe_of_next(2), 5); /* for single pages they do */
	end();
}

static void test_without_a_home_the_nearest_behind_it(void **state)
{
	(void)state;
	begin();
	stripe_empty(0);
	assert_int_equal(stripe_of_next(0), 1);
	stripe_empty(6);
	stripe_empty(7);
	assert_int_equal(stripe_of_next(3), 1); /* and round */
	end();
}

static void test_all_is_found_and_no_more(void **state)
{
	uint32_t frames[64];
	uint64_t nr = 0;
	unsigned got;

	(void)state;
	begin();
	pieces_make(3, 2);
	while ((got = refill(1, 0, 64, frames)))
		nr += got;
	assert_int_equal(nr, PAGES - 2);
	assert_int_equal(qr__read(&zone->nr_free_pages), 0);
	for (unsigned order = 1; order <= QR_PAGEBLOCK_ORDER; order++)
		assert_int_equal(refill(2, order, 1, frames), 0);
	end();
}

/* Back ------------------------------------------------------------------------------------- */

static void shuffle(uint32_t *frames, unsigned nr)
{
	uint64_t random = 12345;

	for (unsigned i = nr; i > 1; i--) {
		unsigned k;
		uint32_t was = frames[i - 1];

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		k = (unsigned)((random >> 33) % i);
		frames[i - 1] = frames[k];
		frames[k] = was;
	}
}

static void test_a_drain_finds_every_frame_s_stripe(void **state)
{
	uint32_t frames[NR_CPUS * 64];

	(void)state;
	begin();
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		unsigned nr = 0, each = order > 3 ? 4 : 64 >> order;
		uint64_t before;

		for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
			while (nr < (cpu + 1) * each)
				nr += refill(cpu, order, (cpu + 1) * each - nr, &frames[nr]);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - ((uint64_t)nr << order));
		shuffle(frames, nr);
		before = nr_locks();
		zone->ops->drain(zone, order, frames, nr, false);
		/* Each of the four stripes they lie in was locked once. */
		assert_int_equal(nr_locks() - before, NR_CPUS);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES);
		buddy_machine_check(zone);
		qr__buddy_settle(zone);
		assert_int_equal(zone->ops->nr_blocks_racy(zone, QR_MAX_PAGE_ORDER),
				 PAGES >> QR_MAX_PAGE_ORDER);
	}
	end();
}

/* Half a pageblock comes back, loose, and is filed; then the rest, and all of it is taken. */
static void test_what_was_loose_is_not_believed_in_when_it_is_gone(void **state)
{
	unsigned nr = (unsigned)(STRIPE_PAGES / PB);
	uint32_t halves[2], *frames = calloc(nr, sizeof(*frames));

	(void)state;
	assert_non_null(frames);
	begin();
	assert_int_equal(refill(0, QR_PAGEBLOCK_ORDER - 1, 2, halves), 2);
	zone->ops->drain(zone, QR_PAGEBLOCK_ORDER - 1, &halves[0], 1, false);
	assert_int_equal(nr_whole(0), nr - 1);
	assert_true(atomic_load(&buddy()->stripes[0].orders[QR_MIGRATE_MOVABLE]) >>
			    (QR_PAGEBLOCK_ORDER - 1) &
		    1);
	buddy_machine_check(zone);
	zone->ops->drain(zone, QR_PAGEBLOCK_ORDER - 1, &halves[1], 1, false);
	assert_int_equal(nr_whole(0), nr - 1);
	buddy_machine_check(zone);
	assert_int_equal(nr_whole(0), nr);
	assert_int_equal(refill(0, QR_PAGEBLOCK_ORDER, nr, frames), nr);
	assert_int_equal(atomic_load(&buddy()->stripes[0].orders[QR_MIGRATE_MOVABLE]), 0);
	free(frames);
	end();
}

static void test_a_drain_tells_the_largest_block(void **state)
{
	uint32_t frames[2] = {(uint32_t)start_of(5), (uint32_t)start_of(2) + 2};

	(void)state;
	begin();
	carve(start_of(2), 0);
	carve(start_of(2) + 2, 0);
	carve(start_of(5), 0);
	/* In stripe 2 it joins its buddy only; in stripe 5 all comes together again. */
	assert_int_equal(zone->ops->drain(zone, 0, frames, 2, true), QR_MAX_PAGE_ORDER);
	assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - 1);
	end();
}

static void test_what_is_free_already_is_refused(void **state)
{
	uint32_t frames[4] = {(uint32_t)start_of(5) + 1, (uint32_t)start_of(2),
			      (uint32_t)start_of(5) + 1, (uint32_t)start_of(7)};

	(void)state;
	begin();
	carve(start_of(5), 0);
	carve(start_of(5) + 1, 0);
	carve(start_of(2), 0);
	zone->ops->drain(zone, 0, frames, 4, false); /* one twice, and one that never was in use */
	assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - 1);
	end();
}

/*
 * The second of two caches brings a whole pageblock that has come back by the first one's: seen by
 * who looks.
 */
static void test_a_whole_pageblock_is_refused_twice(void **state)
{
	uint32_t frames[4] = {(uint32_t)start_of(5), (uint32_t)start_of(2),
			      (uint32_t)(start_of(5) + PB), (uint32_t)(start_of(7) + PB)};

	(void)state;
	begin();
	carve(start_of(2), QR_PAGEBLOCK_ORDER);
	carve(start_of(5) + PB, QR_PAGEBLOCK_ORDER);
	/* their records say that they wait in a cache */
	for (unsigned n = 0; n < 4; n++)
		qr__state_head_set(qr__pfn_state(zone->frames, frames[n]), zone->id, QR_PT_PCP,
				   QR_PAGEBLOCK_ORDER);
	zone->ops->drain(zone, QR_PAGEBLOCK_ORDER, frames, 4, false);
	qr__zone_unlock(zone, qr__zone_lock(zone));
	assert_int_equal(qr__read(&zone->nr_freed_twice), 2);
	assert_int_equal(qr__read(&zone->nr_free_pages), PAGES);
	end();
}

/* In a zone that does not begin where its machine does each block comes to its own stripe, too. */
static void test_a_zone_behind_another(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		uint32_t frames[2];

		m = buddy_machine_new(0, 2 * PAGES);
		m->alloc.frames.base.nr_cpus = NR_CPUS;
		zone = buddy_machine_zone(m, 0, QR_ZONE_NORMAL, PAGES, 2 * PAGES);
		buddy_machine_release(zone, PAGES, 2 * PAGES);
		for (unsigned n = 0; n < 2; n++) {
			frames[n] = (uint32_t)(PAGES + start_of(3 * n + 1));
			carve(frames[n], order);
			qr__state_head_set(qr__pfn_state(zone->frames, frames[n]), zone->id,
					   QR_PT_PCP, order);
		}
		zone->ops->drain(zone, order, frames, 2, true);
		assert_int_equal(qr__read(&zone->nr_freed_twice), 0);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES);
		end();
	}
}

/* Whether somebody counted the blocks in between makes no difference to where anything goes. */
static void test_looking_on_changes_nothing(void **state)
{
	(void)state;
	for (unsigned looks = 0; looks < 2; looks++) {
		uint32_t frame = 0;

		begin();
		carve(0, 0);
		carve(1, 0);
		assert_int_equal(buddy()->blocks[0].bin, PB - 2);
		if (looks)
			qr__buddy_settle(zone);
		assert_int_equal(buddy()->blocks[0].counted, looks);
		zone->ops->drain(zone, 0, &frame, 1, false);
		/* Its largest block is the same, so it stays where it was filed. */
		assert_int_equal(buddy()->blocks[0].nr_free, PB - 1);
		assert_int_equal(buddy()->blocks[0].bin, PB - 2);
		qr__buddy_settle(zone);
		end();
	}
}

/* Walks ------------------------------------------------------------------------------------ */

/* Each block of this order once, no other; returns the first. */
static qr_pfn_t walk(unsigned order, enum qr_migratetype type, unsigned should_be)
{
	bool *seen = calloc(PAGES, sizeof(*seen));
	unsigned long irqs = qr__zone_lock(zone);
	qr_pfn_t first = zone->ops->next(zone, order, type, QR_PFN_NONE);
	unsigned nr = 0;

	assert_non_null(seen);
	for (qr_pfn_t pfn = first; pfn != QR_PFN_NONE;
	     pfn = zone->ops->next(zone, order, type, pfn)) {
		assert_true(pfn < PAGES && !seen[pfn] && nr < should_be);
		seen[pfn] = true;
		nr++;
	}
	qr__zone_unlock(zone, irqs);
	assert_int_equal(nr, should_be);
	free(seen);
	return first;
}

static void rotate(unsigned order, qr_pfn_t pfn)
{
	unsigned long irqs = qr__zone_lock(zone);

	zone->ops->rotate(zone, order, QR_MIGRATE_MOVABLE, pfn);
	qr__zone_unlock(zone, irqs);
}

static void test_walks_go_over_all_stripes(void **state)
{
	static const unsigned to[] = {5, 0, 7, 5};
	const unsigned nr = (unsigned)(PAGES >> QR_MAX_PAGE_ORDER);

	(void)state;
	begin();
	walk(QR_MAX_PAGE_ORDER, QR_MIGRATE_MOVABLE, nr);
	for (unsigned i = 0; i < 4; i++) {
		qr_pfn_t pfn = start_of(to[i]) + i % 2 * QR_MAX_ORDER_NR_PAGES;

		rotate(QR_MAX_PAGE_ORDER, pfn);
		assert_int_equal(walk(QR_MAX_PAGE_ORDER, QR_MIGRATE_MOVABLE, nr), pfn);
	}
	/* Some stripes have none, the one in front among them. */
	rotate(QR_MAX_PAGE_ORDER, start_of(5));
	stripe_empty(5);
	stripe_empty(6);
	stripe_empty(0);
	walk(QR_MAX_PAGE_ORDER, QR_MIGRATE_MOVABLE, nr - 3 * nr / NR_STRIPES);
	walk(QR_MAX_PAGE_ORDER, QR_MIGRATE_CMA, 0);
	end();
}

static void test_walks_over_parts(void **state)
{
	(void)state;
	begin();
	for (unsigned s = 0; s < NR_STRIPES; s++)
		pieces_make(s, 2); /* leaves blocks of order 0, 1, ... */
	walk(0, QR_MIGRATE_MOVABLE, 2 * NR_STRIPES);
	rotate(0, start_of(4) - PB + 1);
	assert_int_equal(walk(0, QR_MIGRATE_MOVABLE, 2 * NR_STRIPES), start_of(4) - PB + 1);
	rotate(1, start_of(8) - PB + 2);
	if (QR_PAGEBLOCK_ORDER > 1)
		assert_int_equal(walk(1, QR_MIGRATE_MOVABLE, 2 * NR_STRIPES), start_of(8) - PB + 2);
	end();
}

/* The checker ------------------------------------------------------------------------------ */

static void assert_broken(unsigned invariant, const char *says)
{
	struct qr_error_text why = {{0}};

	assert_int_equal(zone->ops->check(zone, &why), invariant);
	if (!strstr(why.text, says))
		fail_msg("\"%s\" says nothing of \"%s\"", why.text, says);
	buddy_machine_free(m);
}

/* Filed where it belongs, and where it does not. */
static void test_a_part_in_another_s_bin(void **state)
{
	struct bitmap_stripe *other;

	(void)state;
	begin();
	pieces_make(3, 1);
	other = &buddy()->stripes[4];
	for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
		memcpy(bitmap_row(buddy(), other, QR_MIGRATE_MOVABLE, k).filled,
		       bitmap_row(buddy(), &buddy()->stripes[3], QR_MIGRATE_MOVABLE, k).filled,
		       bitmap_row_size(buddy()->nr_bins));
		atomic_store(&other->fullest[QR_MIGRATE_MOVABLE][k],
			     atomic_load(&buddy()->stripes[3].fullest[QR_MIGRATE_MOVABLE][k]));
	}
	atomic_store(&other->orders[QR_MIGRATE_MOVABLE],
		     atomic_load(&buddy()->stripes[3].orders[QR_MIGRATE_MOVABLE]));
	qr__bump(&other->part_pages[QR_MIGRATE_MOVABLE], PB - 1);
	assert_broken(13, "B13: stripe 4, bin ");
}

static void test_a_fullest_part_that_is_not(void **state)
{
	(void)state;
	begin();
	pieces_make(3, 1);
	atomic_store(&buddy()->stripes[4].fullest[QR_MIGRATE_MOVABLE][0], 1);
	assert_broken(9, "B9: stripe 4 has its fullest part of type ");
}

static void test_pages_in_parts_miscounted(void **state)
{
	(void)state;
	begin();
	pieces_make(3, 1);
	qr__bump(&buddy()->stripes[3].part_pages[QR_MIGRATE_MOVABLE], 1);
	assert_broken(13, "B13: stripe 3 has ");
}

/* The set of a stripe's plain blocks of the highest order: all of it, to begin with. */
static uint64_t *largest_set(unsigned s)
{
	return buddy()->stripes[s].sets +
	       (QR_MAX_PAGE_ORDER - QR_PAGEBLOCK_ORDER) * buddy()->set_stride;
}

static void test_a_set_with_an_inner_pageblock(void **state)
{
	(void)state;
	begin();
	if (QR_MAX_PAGE_ORDER == QR_PAGEBLOCK_ORDER)
		skip();
	largest_set(3)[0] |= 2;
	assert_broken(11, "B11: pageblock ");
}

static void test_a_whole_block_in_no_set(void **state)
{
	(void)state;
	begin();
	largest_set(3)[0] &= ~UINT64_C(1);
	if (!largest_set(3)[0])
		largest_set(3)[buddy()->set_words] = 0;
	assert_broken(QR_MAX_ORDER_NR_PAGES == STRIPE_PAGES ? 12 : 11, "");
}

static uint64_t *whole_set(unsigned s)
{
	return bitmap_set(buddy(), &buddy()->stripes[s], SET_WHOLE);
}

static void test_a_whole_pageblock_that_does_not_say_so(void **state)
{
	(void)state;
	begin();
	whole_set(3)[0] &= ~UINT64_C(1);
	assert_broken(11, "B11: pageblock ");
}

static void test_a_used_pageblock_that_says_it_is_whole(void **state)
{
	(void)state;
	begin();
	stripe_empty(3);
	whole_set(3)[0] |= 1;
	assert_broken(11, "B11: pageblock ");
}

static void test_a_word_that_is_overlooked(void **state)
{
	(void)state;
	begin();
	largest_set(3)[buddy()->set_words] = 0;
	assert_broken(11, "B11: stripe 3 is wrong about word 0 of set ");
}

static void test_an_order_that_is_not_there(void **state)
{
	(void)state;
	begin();
	stripe_empty(3);
	atomic_fetch_or(&buddy()->stripes[3].orders[QR_MIGRATE_MOVABLE], 1);
	assert_broken(12, "B12: stripe 3 has 0 parts");
}

static void test_what_is_loose_and_nobody_gathers(void **state)
{
	uint64_t *set;

	(void)state;
	for (unsigned n = SET_LOOSE; n < SET_SEEN; n++) {
		begin();
		set = bitmap_set(buddy(), &buddy()->stripes[3], n);
		set[buddy()->set_words - 1] = 2;
		assert_broken(14, "B14: stripe 3 has something loose");
	}
	begin();
	atomic_store(&buddy()->stripes[2].loose, QR_TYPE_BIT(QR_MIGRATE_CMA));
	assert_broken(14, "B14: stripe 2 has something loose");
	begin();
	carve(0, 0);
	buddy()->blocks[0].loose = true;
	assert_broken(14, "B14: pageblock 0 is loose");
}

static void test_an_order_nobody_has(void **state)
{
	(void)state;
	begin();
	stripe_empty(2);
	atomic_fetch_or(&buddy()->stripes[2].orders[QR_MIGRATE_MOVABLE], 1u << QR_MAX_PAGE_ORDER);
	assert_broken(12, "B12: stripe 2 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_zones_are_divided),
		cmocka_unit_test(test_small_zones_are_not),
		cmocka_unit_test(test_a_zone_s_metadata_is_in_proportion),
		cmocka_unit_test(test_counts_that_share_a_bin),
		cmocka_unit_test(test_there_are_no_more_stripes_than_locks),
		cmocka_unit_test(test_homes_are_spread),
		cmocka_unit_test(test_home_s_parts_come_first),
		cmocka_unit_test(test_home_s_parts_come_before_others),
		cmocka_unit_test(test_the_fullest_is_chosen),
		cmocka_unit_test(test_no_longer_than_it_is_the_fullest),
		cmocka_unit_test(test_what_seemed_fuller_is_looked_at_again),
		cmocka_unit_test(test_little_elsewhere_is_left_there),
		cmocka_unit_test(test_pieces_that_do_not_serve),
		cmocka_unit_test(test_without_a_home_the_nearest_behind_it),
		cmocka_unit_test(test_all_is_found_and_no_more),
		cmocka_unit_test(test_a_drain_finds_every_frame_s_stripe),
		cmocka_unit_test(test_what_was_loose_is_not_believed_in_when_it_is_gone),
		cmocka_unit_test(test_a_drain_tells_the_largest_block),
		cmocka_unit_test(test_what_is_free_already_is_refused),
		cmocka_unit_test(test_a_whole_pageblock_is_refused_twice),
		cmocka_unit_test(test_a_zone_behind_another),
		cmocka_unit_test(test_looking_on_changes_nothing),
		cmocka_unit_test(test_walks_go_over_all_stripes),
		cmocka_unit_test(test_walks_over_parts),
		cmocka_unit_test(test_a_part_in_another_s_bin),
		cmocka_unit_test(test_a_fullest_part_that_is_not),
		cmocka_unit_test(test_pages_in_parts_miscounted),
		cmocka_unit_test(test_a_set_with_an_inner_pageblock),
		cmocka_unit_test(test_a_whole_block_in_no_set),
		cmocka_unit_test(test_a_whole_pageblock_that_does_not_say_so),
		cmocka_unit_test(test_a_used_pageblock_that_says_it_is_whole),
		cmocka_unit_test(test_a_word_that_is_overlooked),
		cmocka_unit_test(test_an_order_that_is_not_there),
		cmocka_unit_test(test_what_is_loose_and_nobody_gathers),
		cmocka_unit_test(test_an_order_nobody_has),
	};

	return cmocka_run_group_tests_name("stripes", tests, NULL, NULL);
}
