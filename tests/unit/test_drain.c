/* SPDX-License-Identifier: MIT */
/*
 * test_drain.c - what caches give back to the bitmap engine: all orders, in order and in none
 */
#include <stdlib.h>
#include <string.h>

#include "buddy_machine.h"
#include "effort.h"
#include "support.h"

#include "buddy/bitmap.h"

#define NR_CPUS 2u
#define PB ((unsigned)QR_PAGEBLOCK_NR_PAGES)
/* Sets of stripes have some words, and with small pageblocks more than there are bits in one. */
#define SMALLEST \
	qr__max(qr__max(4 * QR_MAX_ORDER_NR_PAGES, (uint64_t)QR_STRIPE_MIN_PAGES), \
		PB *(PB < 16 ? 64 * 65 : 64 * 2))
#define STRIPE_PAGES (UINT64_C(1) << qr__order_for(SMALLEST))
#define PAGES (2 * NR_CPUS * STRIPE_PAGES)
#define EACH (PAGES > 100000 ? 50u : 1u) /* so many steps a look of the checker */
#define MOST 150u /* blocks of a drain; more than the engine gives at a time */

static struct buddy_machine *m;
static struct qr_zone *zone;
static uint64_t seed;

/* By what blocks say that they wait in a cache. */
static enum {
	BY_STATE, /* there are no marks */
	BY_MARK,
	BY_TURNS, /* one by its mark, the next by its state */
} says;

/* What is in use, by order. */
static struct {
	uint32_t frame[1024];
	unsigned nr;
} used[QR_PAGEBLOCK_ORDER + 1];

static struct qr_zone *zone_new(struct buddy_machine **machine)
{
	struct qr_zone *it;

	*machine = buddy_machine_new(0, PAGES);
	(*machine)->alloc.frames.base.nr_cpus = NR_CPUS;
	if (says != BY_STATE)
		buddy_machine_marks(*machine);
	it = buddy_machine_zone(*machine, 0, QR_ZONE_NORMAL, 0, PAGES);
	it->route = says != BY_STATE;
	buddy_machine_release(it, 0, PAGES);
	assert_int_equal(it->nr_stripes, 2 * NR_CPUS);
	return it;
}

static void begin(void)
{
	zone = zone_new(&m);
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

/* What is loose ------------------------------------------------------------------------------ */

static unsigned largest_in(const struct line *line)
{
	unsigned largest = 0;

	for (unsigned at = 0; at < PB; at++) {
		unsigned order = line_test(line, at) ? line_join(line, at, 0) : 0;

		largest = order > largest ? order : largest;
	}
	return largest;
}

static bool in_set(uint32_t i, unsigned n)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);

	return bitmap_set_has(bitmap_set(buddy, bitmap_stripe(buddy, i), n),
			      bitmap_place(buddy, i));
}

static bool in_words(uint32_t i, uint64_t words)
{
	return words >> (bitmap_place(bitmap_of(zone), i) / 64 % 64) & 1;
}

/* B14 of one pageblock, before anybody gathers; returns its free pages, if it is a part. */
static unsigned part_check(uint32_t i)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);
	const struct bitmap_stripe *stripe = bitmap_stripe(buddy, i);
	const struct bitmap_block *block = &buddy->blocks[i];
	unsigned largest = largest_in(&buddy->lines[i]), nr = 0;

	for (unsigned at = 0; at < PB; at++)
		nr += line_test(&buddy->lines[i], at);
	assert_int_equal(block->nr_free, nr);
	assert_int_equal(block->part, nr != 0);
	assert_true(block->part || !(block->loose || block->blind));
	assert_true(block->loose || !block->blind);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		assert_int_equal(in_set(i, SET_BLIND(type)), block->blind && block->type == type);
	if (!block->loose)
		assert_false(in_set(i, SET_LOOSE));
	if (!block->part)
		return 0;
	assert_true(block->blind ? block->largest <= largest : block->largest == largest);
	assert_true(block->bin ? block->order <= largest : block->loose);
	if (!block->loose) {
		assert_int_equal(block->order, largest);
		return nr;
	}
	assert_true(block->blind || in_set(i, SET_LOOSE));
	assert_true(atomic_load(&stripe->loose) >> block->type & 1);
	assert_true(atomic_load(&stripe->unsure) >> block->type & 1);
	assert_true(in_words(i, stripe->loose_words));
	return nr;
}

/* The same of all, and of what their stripes say. */
static void loose_check(void)
{
	const struct bitmap_buddy *buddy = bitmap_of(zone);

	for (unsigned s = 0; s < buddy->nr_stripes; s++) {
		const struct bitmap_stripe *stripe = &buddy->stripes[s];
		uint64_t pages[QR_MIGRATE_TYPES] = {0};
		unsigned nr_loose = 0;

		for (uint32_t place = 0; place < STRIPE_PAGES / PB; place++) {
			uint32_t i = bitmap_first_of(buddy, stripe) + place;

			pages[buddy->blocks[i].type] += part_check(i);
			nr_loose += buddy->blocks[i].loose;
			for (unsigned class = 0; class < NR_CLASSES; class ++)
				assert_true(!in_set(i, SET_CAME(class)) ||
					    (in_words(i, stripe->came_words) &&
					     !bitmap_is_whole(buddy, i)));
		}
		assert_int_equal(stripe->nr_loose, nr_loose);
		assert_true(nr_loose <= QR_LOOSE_MOST);
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			assert_int_equal(qr__read(&stripe->part_pages[type]), pages[type]);
	}
}

/* Coming and going --------------------------------------------------------------------------- */

/* Any of those that are in use; they come in no order, or by their numbers. */
static void give(unsigned order)
{
	uint32_t frames[MOST], given[MOST];
	unsigned nr = 0, most = 1 + below(below(2) ? MOST : 8), said, largest;
	bool tell = below(2);

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
	said = zone->ops->drain(zone, order, given, nr, tell);
	assert_true(said >= order);
	if (!tell)
		return;
	largest = largest_of(frames, nr);
	/* a larger block than its pageblock had before, that is; or more, of what came before */
	assert_true(said >= (largest < QR_PAGEBLOCK_ORDER ? order : largest));
}

static uint64_t nr_used(void)
{
	uint64_t pages = 0;

	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++)
		pages += (uint64_t)used[order].nr << order;
	return pages;
}

/* It says that it waits in a cache. */
static void cached_set(qr_pfn_t pfn, unsigned order)
{
	static unsigned turn;
	bool by_mark = says == BY_MARK || (says == BY_TURNS && turn++ % 2);

	if (says != BY_STATE)
		qr__mark_set(qr__mark_of(zone->frames, pfn, order), by_mark ? QR_MARK_CACHED : 0);
	if (!by_mark)
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
			loose_check();
		if (n % EACH == 0 && below(2))
			buddy_machine_check(zone);
	}
	qr__buddy_settle(zone);
	assert_int_equal(qr__read(&zone->nr_freed_twice), 0);
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
				zone->ops->drain(zone, order, frames, 2, false);
				if (n % EACH == 0)
					buddy_machine_check(zone);
			}
			buddy_machine_check(zone);
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
		zone->ops->drain(zone, 0, &page, 1, false);
		for (unsigned n = 0; n < 3; n++)
			cached_set(frames[n], order);
		zone->ops->drain(zone, order, frames, 3, false);
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages),
				 PAGES - 4 * PB + 1 + (2u << order));
		end();
	}
}

/* Of two blocks side by side the first has a page that is free already; only that is refused. */
static void test_a_row_in_pieces_is_refused_in_part(void **state)
{
	(void)state;
	for (unsigned order = 0; order + 1 < QR_PAGEBLOCK_ORDER && order < WORD_ORDER; order++) {
		uint32_t frames[2] = {0, 1u << order}, page = 0;

		begin();
		carve(0, QR_PAGEBLOCK_ORDER);
		cached_set(page, 0);
		zone->ops->drain(zone, 0, &page, 1, false);
		cached_set(frames[0], order);
		cached_set(frames[1], order);
		zone->ops->drain(zone, order, frames, 2, false);
		loose_check();
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - PB + 1 + (1u << order));
		end();
	}
}

/*
 * Among blocks of parts, in no order, one that is free already and one that does not wait in a
 * cache: these are refused, wherever among the others they come, and no other is.
 */
static void test_blocks_among_others_are_refused(void **state)
{
	const unsigned nr = 11; /* groups of some, and some that are left over */
	const unsigned next = PAGES > 1000000 ? 5 : 1; /* is the bad one */

	(void)state;
	for (unsigned order = 0; order + 1 < QR_PAGEBLOCK_ORDER; order++) {
		uint32_t frames[11], parts[11], step = 1u << order;

		for (unsigned bad = 0; bad < nr; bad += next) {
			begin();
			for (unsigned n = 0; n < nr; n++) {
				parts[n] = n * 5 % nr * PB;
				frames[n] = parts[n] + 2 * step;
				carve(parts[n], QR_PAGEBLOCK_ORDER);
				cached_set(parts[n], order);
			}
			zone->ops->drain(zone, order, parts, nr, false);
			cached_set(frames[bad], order);
			zone->ops->drain(zone, order, &frames[bad], 1, false);
			for (unsigned n = 0; n < nr; n++) {
				if (n != (bad + 3) % nr)
					cached_set(frames[n], order);
			}
			zone->ops->drain(zone, order, frames, nr, false);
			loose_check();
			assert_int_equal(qr__read(&zone->nr_freed_twice), 2);
			assert_int_equal(qr__read(&zone->nr_free_pages),
					 PAGES - (uint64_t)nr * PB + (2 * nr - 1) * step);
			end();
		}
	}
}

/* The same of pageblocks: one that does not wait in a cache. */
static void test_a_pageblock_among_others_is_refused(void **state)
{
	uint32_t frames[5];

	(void)state;
	for (unsigned bad = 0; bad < 5; bad++) {
		begin();
		for (unsigned n = 0; n < 5; n++) {
			frames[n] = n * 3 % 5 * PB;
			carve(frames[n], QR_PAGEBLOCK_ORDER);
			cached_set(frames[n], QR_PAGEBLOCK_ORDER);
		}
		qr__page_type_set(zone->frames, &zone->frames->pages[frames[bad]], QR_PT_INUSE);
		zone->ops->drain(zone, QR_PAGEBLOCK_ORDER, frames, 5, false);
		loose_check();
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - PB);
		end();
	}
}

/* Two blocks side by side, neither of which waits in a cache. */
static void test_a_row_of_which_none_comes(void **state)
{
	(void)state;
	for (unsigned order = 0; order + 1 < QR_PAGEBLOCK_ORDER && order < WORD_ORDER; order++) {
		uint32_t frames[2] = {0, 1u << order};

		begin();
		carve(0, QR_PAGEBLOCK_ORDER);
		zone->ops->drain(zone, order, frames, 2, false);
		loose_check();
		assert_int_equal(qr__read(&zone->nr_freed_twice), 2);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - PB);
		end();
	}
}

/*
 * What is whole is free already; it was a part before, and nobody has counted since.  Of a whole
 * pageblock that is seen when it is gathered, and it is counted until then.
 */
static void test_a_block_of_what_is_whole_is_refused(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		bool later = order == QR_PAGEBLOCK_ORDER;
		uint32_t frames[2] = {0, PB};

		begin();
		carve(0, order);
		cached_set(0, order);
		zone->ops->drain(zone, order, frames, 1, false);
		carve(PB, QR_PAGEBLOCK_ORDER);
		cached_set(0, order);
		cached_set(PB, order);
		zone->ops->drain(zone, order, frames, 2, false);
		assert_int_equal(qr__read(&zone->nr_freed_twice), !later);
		assert_int_equal(qr__read(&zone->nr_free_pages),
				 PAGES - PB + (1u << order) + later * PB);
		qr__zone_unlock(zone, qr__zone_lock(zone));
		assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
		assert_int_equal(qr__read(&zone->nr_free_pages), PAGES - PB + (1u << order));
		end();
	}
}

/*
 * The same of what has just come back as a pageblock, whether somebody has looked since or not; and
 * of one that is of another type than the first.
 */
static void test_a_block_of_what_came_is_refused(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		for (unsigned n = 0; n < 4; n++) {
			uint32_t pageblock = PB, frames[2] = {0, PB};
			bool later = order == QR_PAGEBLOCK_ORDER && n & 2; /* as above */

			begin();
			carve(0, QR_PAGEBLOCK_ORDER);
			carve(PB, QR_PAGEBLOCK_ORDER);
			if (n & 1)
				buddy_machine_type(zone, PB, QR_MIGRATE_UNMOVABLE);
			cached_set(PB, QR_PAGEBLOCK_ORDER);
			zone->ops->drain(zone, QR_PAGEBLOCK_ORDER, &pageblock, 1, n & 2);
			assert_int_equal(bitmap_is_whole(bitmap_of(zone), 1), n / 2);
			cached_set(0, order);
			cached_set(PB, order);
			zone->ops->drain(zone, order, frames, 2, false);
			assert_int_equal(qr__read(&zone->nr_freed_twice), !later);
			qr__zone_unlock(zone, qr__zone_lock(zone));
			assert_int_equal(qr__read(&zone->nr_freed_twice), 1);
			assert_int_equal(qr__read(&zone->nr_free_pages),
					 PAGES - PB + (1u << order));
			end();
		}
	}
}

/* What comes to pageblocks of all types at once is accounted under each. */
static void test_pageblocks_of_all_types(void **state)
{
	const unsigned nr_types = QR_MIGRATE_ISOLATE;

	(void)state;
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		uint32_t frames[2 * QR_MIGRATE_ISOLATE];

		begin();
		for (unsigned n = 0; n < 2 * nr_types; n++) {
			uint32_t pfn = (uint32_t)(n * 7 % (2 * nr_types) * PB);

			carve(pfn, QR_PAGEBLOCK_ORDER);
			buddy_machine_type(zone, pfn, (enum qr_migratetype)(n % nr_types));
			cached_set(pfn, order);
			frames[n] = pfn;
		}
		zone->ops->drain(zone, order, frames, 2 * nr_types, false);
		loose_check();
		assert_int_equal(qr__read(&zone->nr_free_cma), 2u << order);
		assert_int_equal(qr__read(&zone->nr_free_highatomic), 2u << order);
		assert_int_equal(qr__read(&zone->nr_free_pages),
				 PAGES - 2 * nr_types * (PB - (1u << order)));
		end();
	}
}

static unsigned told(const uint32_t *frames, unsigned nr)
{
	uint32_t given[4];

	for (unsigned n = 0; n < nr; n++) {
		given[n] = frames[n];
		cached_set(frames[n], 0);
	}
	return zone->ops->drain(zone, 0, given, nr, true);
}

/* A drain tells of a block that is larger than any its pageblock had, if it is asked. */
static void test_what_grew_is_told(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER < 5)
		skip(); /* it is whole too soon */
	begin();
	carve(0, QR_PAGEBLOCK_ORDER);
	assert_int_equal(told((const uint32_t[]){0}, 1), 0);
	assert_int_equal(told((const uint32_t[]){1}, 1), 1);
	assert_int_equal(told((const uint32_t[]){4}, 1), 0);
	assert_int_equal(told((const uint32_t[]){2, 3}, 2), 2);
	assert_int_equal(told((const uint32_t[]){10, 11}, 2), 0);
	assert_int_equal(told((const uint32_t[]){5, 6, 7}, 3), 3);
	end();
}

/* Free blocks were reported in several stripes, and grow: then it is no longer true of them. */
static void test_what_was_reported_and_grew(void **state)
{
	(void)state;
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		uint32_t frames[2 * NR_CPUS];

		begin();
		for (unsigned s = 0; s < 2 * NR_CPUS; s++) {
			uint32_t pfn = (uint32_t)(s * STRIPE_PAGES);
			unsigned long irqs;

			carve(pfn, QR_PAGEBLOCK_ORDER);
			frames[s] = pfn + (1u << order);
			cached_set(frames[s], order);
			zone->ops->drain(zone, order, &frames[s], 1, false);
			irqs = qr__zone_lock(zone);
			qr__page_reported_set_locked(zone, &zone->frames->pages[frames[s]]);
			qr__zone_unlock(zone, irqs);
			assert_true(qr__page_test(&zone->frames->pages[frames[s]], QR_PG_REPORTED));
			cached_set(pfn, order);
		}
		for (unsigned s = 0; s < 2 * NR_CPUS; s++)
			frames[s] -= 1u << order;
		zone->ops->drain(zone, order, frames, 2 * NR_CPUS, false);
		for (unsigned s = 0; s < 2 * NR_CPUS; s++)
			assert_false(qr__page_test(
				&zone->frames->pages[s * STRIPE_PAGES + (1u << order)],
				QR_PG_REPORTED));
		end();
	}
}

/* Of what is equally full, and came since anything was taken, the lowest serves first. */
static void test_the_lowest_serves_first(void **state)
{
	uint32_t frames[4], got;

	(void)state;
	begin();
	for (unsigned n = 0; n < 4; n++) {
		frames[n] = (uint32_t)((n * 37 + 5) * PB);
		carve(frames[n], QR_PAGEBLOCK_ORDER);
		cached_set(frames[n], 0);
	}
	zone->ops->drain(zone, 0, frames, 4, false);
	for (unsigned n = 0; n < 4; n++) {
		assert_int_equal(zone->ops->refill(zone, 0, 0, QR_MIGRATE_MOVABLE, 1, &got), 1);
		assert_int_equal(got, (n * 37 + 5) * PB);
	}
	end();
}

/* Looking on --------------------------------------------------------------------------------- */

/* Two zones in which the same happens, but that somebody looks on at the second. */
static struct twin {
	struct buddy_machine *m;
	struct qr_zone *zone;
	uint32_t frames[MOST];
} twins[2];

static void twins_begin(void)
{
	for (unsigned t = 0; t < 2; t++)
		twins[t].zone = zone_new(&twins[t].m);
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++)
		used[order].nr = 0;
}

static unsigned twin_take(struct twin *twin, unsigned order, enum qr_migratetype type, unsigned cpu,
			  unsigned nr, bool locked)
{
	qr_pfn_t pfns[MOST];
	unsigned long irqs;

	if (!locked)
		return twin->zone->ops->refill(twin->zone, cpu, order, type, nr, twin->frames);
	irqs = qr__zone_lock(twin->zone);
	nr = twin->zone->ops->take(twin->zone, order, type, nr, pfns);
	qr__zone_unlock(twin->zone, irqs);
	for (unsigned n = 0; n < nr; n++)
		twin->frames[n] = (uint32_t)pfns[n];
	return nr;
}

static void twins_take(unsigned order)
{
	enum qr_migratetype type = (enum qr_migratetype)below(QR_MIGRATE_PCPTYPES);
	unsigned room = 1024 - used[order].nr, nr = 1 + below(MOST), cpu = below(NR_CPUS), got;
	bool locked = below(4) == 0;

	nr = nr < room ? nr : room;
	if (!nr)
		return;
	got = twin_take(&twins[0], order, type, cpu, nr, locked);
	assert_int_equal(twin_take(&twins[1], order, type, cpu, nr, locked), got);
	assert_memory_equal(twins[0].frames, twins[1].frames, got * sizeof(uint32_t));
	for (unsigned n = 0; n < got; n++)
		used[order].frame[used[order].nr++] = twins[0].frames[n];
}

static void twins_give(unsigned order)
{
	unsigned nr = 0, most = 1 + below(below(2) ? MOST : 8);

	while (nr < most && used[order].nr) {
		unsigned n = below(used[order].nr);

		twins[0].frames[nr++] = used[order].frame[n];
		used[order].frame[n] = used[order].frame[--used[order].nr];
	}
	if (below(3) == 0)
		qsort(twins[0].frames, nr, sizeof(uint32_t), by_number);
	if (!nr)
		return;
	memcpy(twins[1].frames, twins[0].frames, nr * sizeof(uint32_t));
	for (unsigned t = 0; t < 2; t++)
		twins[t].zone->ops->drain(twins[t].zone, order, twins[t].frames, nr,
					  t && below(4) == 0);
}

/* A row behind some blocks that are none is one, whether somebody has looked on or not. */
static void test_a_row_at_the_end(void **state)
{
	(void)state;
	if (QR_PAGEBLOCK_ORDER < 5)
		skip(); /* all of a pageblock is a row */
	for (unsigned looks = 0; looks < 2; looks++) {
		uint32_t parts[5] = {PB, 2 * PB, 3 * PB, 4 * PB, 0};
		uint32_t frames[6] = {PB + 8, 2 * PB + 8, 3 * PB + 8, 4 * PB + 8, 8, 10};

		begin();
		for (unsigned n = 0; n < 5; n++) {
			carve(parts[n], QR_PAGEBLOCK_ORDER);
			cached_set(parts[n], 0);
		}
		zone->ops->drain(zone, 0, parts, 5, false);
		if (looks)
			qr__buddy_settle(zone);
		for (unsigned n = 0; n < 6; n++)
			cached_set(frames[n], 0);
		zone->ops->drain(zone, 0, frames, 6, false);
		assert_true(bitmap_of(zone)->blocks[0].blind);
		end();
	}
}

/* Whether there is a block of an order is known before anybody counts. */
static void has_check(struct qr_zone *it, unsigned order)
{
	const unsigned types = QR_TYPE_BIT(QR_MIGRATE_PCPTYPES) - 1;
	bool has = it->ops->has_racy(it, order, types);
	uint64_t nr = 0;

	qr__buddy_settle(it);
	for (; order <= QR_MAX_PAGE_ORDER; order++)
		nr += it->ops->nr_blocks_racy(it, order);
	assert_int_equal(has, nr != 0);
}

static void second_twin_look(void)
{
	struct qr_zone *it = twins[1].zone;

	switch (below(4)) {
	case 0:
		qr__buddy_settle(it);
		break;
	case 1:
		buddy_machine_check(it);
		break;
	case 2:
		has_check(it, below(QR_MAX_PAGE_ORDER + 1));
		break;
	default:
		qr__zone_unlock(it, qr__zone_lock(it));
	}
}

/* What is handed out does not depend on it. */
static void test_looking_on_changes_nothing(void **state)
{
	(void)state;
	seed = 3;
	twins_begin();
	for (unsigned n = 0, steps = (unsigned)test_effort(PAGES > 1000000 ? 400 : 4000, 400);
	     n < steps; n++) {
		unsigned order = below(3) ? below(2) : below(QR_PAGEBLOCK_ORDER + 1);

		if (below(2))
			twins_take(order);
		else
			twins_give(order);
		if (below(2))
			second_twin_look();
	}
	for (unsigned t = 0; t < 2; t++) {
		buddy_machine_check(twins[t].zone);
		buddy_machine_free(twins[t].m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_a_block_in_pieces_is_refused),
		cmocka_unit_test(test_a_row_in_pieces_is_refused_in_part),
		cmocka_unit_test(test_blocks_among_others_are_refused),
		cmocka_unit_test(test_a_pageblock_among_others_is_refused),
		cmocka_unit_test(test_a_row_of_which_none_comes),
		cmocka_unit_test(test_a_block_of_what_is_whole_is_refused),
		cmocka_unit_test(test_a_block_of_what_came_is_refused),
		cmocka_unit_test(test_pageblocks_of_all_types),
		cmocka_unit_test(test_what_grew_is_told),
		cmocka_unit_test(test_what_was_reported_and_grew),
		cmocka_unit_test(test_the_lowest_serves_first),
		cmocka_unit_test(test_a_row_at_the_end),
	};
	const struct CMUnitTest long_tests[] = {
		cmocka_unit_test(test_all_comes_back),
		cmocka_unit_test(test_looking_on_changes_nothing),
	};
	int failed = 0;

	for (says = BY_STATE; says <= BY_TURNS; says++)
		failed |= cmocka_run_group_tests(tests, NULL, NULL);
	for (says = BY_STATE; says <= BY_MARK; says++)
		failed |= cmocka_run_group_tests(long_tests, NULL, NULL);
	return failed;
}
