/* SPDX-License-Identifier: MIT */
/*
 * test_bitmap_model.c - random operations on the bitmap engine, compared with plain arrays
 *
 * The bitmap engine promises less than the list engine about which block it hands out, so its
 * oracle is not another engine but what must be true of any answer: the block was free, of the
 * right type and aligned; nothing was refused that could have been had; a single page comes from
 * the fullest pageblock of its type; and after every few steps all that can be asked is compared
 * with what follows from an array of frames.
 *
 * QR_TEST_SEED=n runs a single seed; the seed is printed when something differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy_machine.h"
#include "effort.h"

#define BASE (4 * QR_MAX_ORDER_NR_PAGES)
#define NR_FRAMES (5 * QR_MAX_ORDER_NR_PAGES)
#define MAX_BLOCKS 4096
#define NR_STEPS (NR_FRAMES > 100000 ? 300 : 3000)
#define NR_SEEDS (NR_FRAMES > 100000 ? 2 : 12)

struct owned {
	qr_pfn_t pfn;
	unsigned order;
};

struct oracle {
	struct buddy_machine *m;
	struct qr_zone *zone;
	uint8_t *is_free; /* by frame, from BASE */
	uint8_t *reported; /* by frame: the order at which it was reported, and 1; 0: not since */
	struct owned owned[MAX_BLOCKS];
	unsigned nr_owned;
	uint64_t random;
	uint64_t seed;
};

static uint32_t any(struct oracle *o, uint32_t limit)
{
	uint64_t z = o->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 32) % limit;
}

#define differ(o, ...) \
	do { \
		fprintf(stderr, "QR_TEST_SEED=%llu: ", (unsigned long long)(o)->seed); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		abort(); \
	} while (0)

static bool frame_free(const struct oracle *o, qr_pfn_t pfn)
{
	return pfn - BASE < NR_FRAMES && o->is_free[pfn - BASE];
}

static uint64_t free_in(const struct oracle *o, qr_pfn_t start, uint64_t nr)
{
	uint64_t n = 0;

	for (qr_pfn_t pfn = start; pfn < start + nr; pfn++)
		n += frame_free(o, pfn);
	return n;
}

static bool block_free(const struct oracle *o, qr_pfn_t pfn, unsigned order)
{
	return free_in(o, pfn, UINT64_C(1) << order) == UINT64_C(1) << order;
}

static void mark(struct oracle *o, qr_pfn_t pfn, unsigned order, bool is_free)
{
	memset(o->is_free + (pfn - BASE), is_free, (size_t)1 << order);
}

static enum qr_migratetype type_of(const struct oracle *o, qr_pfn_t pfn)
{
	return qr__pageblock_type(&o->m->alloc.frames, pfn);
}

static bool plain(enum qr_migratetype type)
{
	return type < QR_MIGRATE_PCPTYPES;
}

/* May this pageblock serve a request of this type? */
static bool serves(const struct oracle *o, qr_pfn_t start, enum qr_migratetype type)
{
	enum qr_migratetype here = type_of(o, start);

	return here == type ||
	       (plain(here) && plain(type) && block_free(o, start, QR_PAGEBLOCK_ORDER));
}

static unsigned largest_in(const struct oracle *o, qr_pfn_t start)
{
	for (unsigned k = QR_PAGEBLOCK_ORDER + 1; k-- > 0;) {
		for (qr_pfn_t pfn = start; pfn < start + QR_PAGEBLOCK_NR_PAGES; pfn += 1u << k) {
			if (block_free(o, pfn, k))
				return k;
		}
	}
	return 99;
}

static void own(struct oracle *o, qr_pfn_t pfn, unsigned order)
{
	if (!block_free(o, pfn, order))
		differ(o, "block %#llx of order %u was not free", (unsigned long long)pfn, order);
	if (pfn % (UINT64_C(1) << order))
		differ(o, "block %#llx of order %u is misaligned", (unsigned long long)pfn, order);
	mark(o, pfn, order, false);
	memset(o->reported + (pfn - BASE), 0, (size_t)1 << order);
	o->owned[o->nr_owned++] = (struct owned){pfn, order};
}

/* Steps ------------------------------------------------------------------------------------ */

/* The fullest part pageblock that could serve, or none. */
static uint64_t fullest(const struct oracle *o, enum qr_migratetype type, unsigned order)
{
	uint64_t best = UINT64_MAX;

	for (qr_pfn_t start = BASE; start < BASE + NR_FRAMES; start += QR_PAGEBLOCK_NR_PAGES) {
		uint64_t nr = free_in(o, start, QR_PAGEBLOCK_NR_PAGES);

		if (nr && nr < QR_PAGEBLOCK_NR_PAGES && nr < best && type_of(o, start) == type &&
		    largest_in(o, start) >= order)
			best = nr;
	}
	return best;
}

static bool could_serve(const struct oracle *o, enum qr_migratetype type, unsigned order)
{
	uint64_t nr = UINT64_C(1) << order;

	for (qr_pfn_t pfn = BASE; pfn < BASE + NR_FRAMES; pfn += nr) {
		bool all = block_free(o, pfn, order);

		for (uint64_t i = 0; all && i < nr; i += QR_PAGEBLOCK_NR_PAGES)
			all = serves(o, qr__pageblock_start(pfn + i), type);
		if (all)
			return true;
	}
	return false;
}

static void step_take(struct oracle *o)
{
	unsigned order = any(o, 4) ? any(o, QR_PAGEBLOCK_ORDER) : any(o, QR_NR_PAGE_ORDERS);
	enum qr_migratetype type =
		any(o, 8) ? any(o, QR_MIGRATE_PCPTYPES) : any(o, QR_MIGRATE_ISOLATE);
	unsigned nr = any(o, 3) ? 1 : 1 + any(o, 40), got;
	uint64_t want = order < QR_PAGEBLOCK_ORDER ? fullest(o, type, order) : UINT64_MAX;
	qr_pfn_t pfns[40];

	if (o->nr_owned + nr > MAX_BLOCKS)
		return;
	got = o->zone->ops->take(o->zone, order, type, nr, pfns);
	if (got && want != UINT64_MAX &&
	    free_in(o, qr__pageblock_start(pfns[0]), QR_PAGEBLOCK_NR_PAGES) != want)
		differ(o, "order %u type %u from a pageblock with %llu free, the fullest has %llu",
		       order, type,
		       (unsigned long long)free_in(o, qr__pageblock_start(pfns[0]),
						   QR_PAGEBLOCK_NR_PAGES),
		       (unsigned long long)want);
	for (unsigned i = 0; i < got; i++) {
		uint64_t word = qr__pfn_word(&o->m->alloc.frames, pfns[i]);

		own(o, pfns[i], order);
		if (type_of(o, pfns[i]) != type)
			differ(o, "%#llx is in a pageblock of type %u, not %u",
			       (unsigned long long)pfns[i], type_of(o, pfns[i]), type);
		if (qr__word_type(word) != QR_PT_PCP || qr__word_order(word) != order ||
		    qr__word_zone_id(word) != o->zone->id)
			differ(o, "record of %#llx is not filled in", (unsigned long long)pfns[i]);
	}
	if (got < nr && could_serve(o, type, order))
		differ(o, "order %u of type %u refused although there is one", order, type);
}

static void step_give(struct oracle *o)
{
	struct owned block;
	unsigned k, order;
	struct qr_block found;

	if (!o->nr_owned)
		return;
	k = any(o, o->nr_owned);
	block = o->owned[k];
	o->owned[k] = o->owned[--o->nr_owned];
	/* blocks of several pageblocks may have several types by now */
	if (block.order > QR_PAGEBLOCK_ORDER) {
		for (uint64_t i = 0; i < UINT64_C(1) << block.order; i += QR_PAGEBLOCK_NR_PAGES)
			o->zone->ops->give(o->zone, block.pfn + i, QR_PAGEBLOCK_ORDER,
					   type_of(o, block.pfn + i), QR_END_AUTO);
		mark(o, block.pfn, block.order, true);
		return;
	}
	mark(o, block.pfn, block.order, true);
	order = o->zone->ops->give(o->zone, block.pfn, block.order, type_of(o, block.pfn),
				   any(o, 2) ? QR_END_AUTO : QR_END_COLD);
	if (!o->zone->ops->find(o->zone, block.pfn, &found) || found.order != order)
		differ(o, "%#llx given at order %u became order %u but is found otherwise",
		       (unsigned long long)block.pfn, block.order, order);
}

static void step_carve(struct oracle *o)
{
	unsigned order = any(o, QR_NR_PAGE_ORDERS);
	qr_pfn_t pfn = BASE + any(o, NR_FRAMES >> order) * (UINT64_C(1) << order);
	bool can = block_free(o, pfn, order);

	if (o->nr_owned == MAX_BLOCKS)
		return;
	if (o->zone->ops->carve(o->zone, pfn, order) != can)
		differ(o, "carve of %#llx, order %u: should be %d", (unsigned long long)pfn, order,
		       can);
	if (can)
		own(o, pfn, order);
}

static void step_take_block(struct oracle *o)
{
	qr_pfn_t pfn = BASE + any(o, NR_FRAMES);
	enum qr_migratetype rest;
	struct qr_block block;
	unsigned order;

	if (o->nr_owned == MAX_BLOCKS || !o->zone->ops->find(o->zone, pfn, &block))
		return;
	order = any(o, block.order + 1);
	rest = type_of(o, block.pfn);
	/* Of a wholly free pageblock, what is left may become another type's. */
	if (block.order == QR_PAGEBLOCK_ORDER && order < block.order && plain(rest))
		rest = any(o, QR_MIGRATE_PCPTYPES);
	o->zone->ops->take_block(o->zone, block, order, rest);
	if (block.order == QR_PAGEBLOCK_ORDER && order < block.order &&
	    type_of(o, block.pfn) != rest)
		differ(o, "%#llx is of type %u, and what is left of it of %u",
		       (unsigned long long)block.pfn, type_of(o, block.pfn), rest);
	own(o, block.pfn, order);
}

static void type_set(struct oracle *o, qr_pfn_t start, qr_pfn_t end, enum qr_migratetype to)
{
	for (; start < end; start += QR_PAGEBLOCK_NR_PAGES) {
		qr__pageblock_isolate_set_locked(o->zone, start, to == QR_MIGRATE_ISOLATE);
		if (to != QR_MIGRATE_ISOLATE)
			qr__pageblock_type_set_locked(o->zone, start, to);
	}
}

/*
 * A pageblock changes its type, or is isolated, with all its free pages; or all pageblocks of a
 * larger free block do.
 */
static void step_retype(struct oracle *o)
{
	qr_pfn_t start = qr__pageblock_start(qr__zone_start(o->zone) + any(o, NR_FRAMES / 2));
	qr_pfn_t end = start + QR_PAGEBLOCK_NR_PAGES;
	enum qr_migratetype from, to = any(o, QR_MIGRATE_TYPES);
	struct qr_block block;
	uint64_t nr, moved;

	if (o->zone->ops->find(o->zone, start, &block) && block.order > QR_PAGEBLOCK_ORDER) {
		start = block.pfn;
		end = start + (UINT64_C(1) << block.order);
	}
	from = type_of(o, start);
	if (from == to)
		return;
	nr = free_in(o, start, end - start);
	type_set(o, start, end, to);
	moved = o->zone->ops->move(o->zone, start, end, from, to);
	if (moved != nr)
		differ(o, "moved %llu pages of %#llx, not %llu", (unsigned long long)moved,
		       (unsigned long long)start, (unsigned long long)nr);
}

static void step_rotate(struct oracle *o)
{
	unsigned order = any(o, QR_NR_PAGE_ORDERS);
	enum qr_migratetype type = any(o, QR_MIGRATE_TYPES);
	qr_pfn_t pfn = o->zone->ops->next(o->zone, order, type, QR_PFN_NONE);
	unsigned skip = any(o, 4);

	while (skip-- && pfn != QR_PFN_NONE)
		pfn = o->zone->ops->next(o->zone, order, type, pfn);
	if (pfn == QR_PFN_NONE)
		return;
	o->zone->ops->rotate(o->zone, order, type, pfn);
	if (o->zone->ops->next(o->zone, order, type, QR_PFN_NONE) != pfn)
		differ(o, "%#llx is not first after the rotation", (unsigned long long)pfn);
}

static void step_report(struct oracle *o)
{
	qr_pfn_t pfn = BASE + any(o, NR_FRAMES);
	struct qr_block block;

	if (!o->zone->ops->find(o->zone, pfn, &block))
		return;
	qr__page_reported_set_locked(o->zone, buddy_machine_page(o->m, block.pfn));
	o->reported[block.pfn - BASE] = (uint8_t)(block.order + 1);
}

/* Comparing -------------------------------------------------------------------------------- */

/* Whatever says that it was reported is the block that was, and nobody had it since. */
static void compare_reported(const struct oracle *o)
{
	for (qr_pfn_t pfn = qr__zone_start(o->zone); pfn < qr__zone_end(o->zone); pfn++) {
		struct qr_block block;

		if (!qr__page_test(buddy_machine_page(o->m, pfn), QR_PG_REPORTED))
			continue;
		if (!o->zone->ops->find(o->zone, pfn, &block) || block.pfn != pfn ||
		    o->reported[pfn - BASE] != block.order + 1)
			differ(o, "%#llx is not the block any more that was reported",
			       (unsigned long long)pfn);
	}
}

static void compare_outside(struct oracle *o)
{
	const qr_pfn_t outside[] = {0,
				    BASE - 1,
				    qr__zone_start(o->zone) - 1,
				    qr__zone_end(o->zone),
				    BASE + NR_FRAMES,
				    BASE + 100 * NR_FRAMES,
				    QR_PFN_NONE};
	struct qr_block block;

	for (unsigned i = 0; i < QR_ARRAY_SIZE(outside); i++) {
		if (o->zone->ops->find(o->zone, outside[i], &block))
			differ(o, "%#llx is free, outside the zone",
			       (unsigned long long)outside[i]);
	}
}

static void compare_blocks(struct oracle *o)
{
	uint64_t nr[QR_MIGRATE_TYPES][QR_NR_PAGE_ORDERS] = {{0}};

	o->zone->ops->settle(o->zone);
	for (qr_pfn_t pfn = BASE; pfn < BASE + NR_FRAMES;) {
		struct qr_block block;
		enum qr_migratetype type;

		if (o->zone->ops->find(o->zone, pfn, &block) != frame_free(o, pfn))
			differ(o, "find disagrees about %#llx", (unsigned long long)pfn);
		if (!frame_free(o, pfn)) {
			pfn++;
			continue;
		}
		if (block.pfn != pfn || !block_free(o, pfn, block.order) ||
		    (block.order < QR_PAGEBLOCK_ORDER &&
		     block_free(o, pfn & ~((UINT64_C(2) << block.order) - 1), block.order + 1)))
			differ(o, "block %#llx of order %u is not maximal", (unsigned long long)pfn,
			       block.order);
		type = type_of(o, pfn);
		if (block.order >= QR_PAGEBLOCK_ORDER && plain(type))
			type = QR_MIGRATE_MOVABLE;
		nr[type][block.order]++;
		pfn += UINT64_C(1) << block.order;
	}
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		for (unsigned k = 0; k < QR_NR_PAGE_ORDERS; k++) {
			uint64_t walked = 0;
			qr_pfn_t pfn = QR_PFN_NONE;

			if (o->zone->ops->nr_blocks_type_racy(o->zone, k, t) != nr[t][k])
				differ(o, "type %u order %u: %llu counted, %llu there", t, k,
				       (unsigned long long)o->zone->ops->nr_blocks_type_racy(
					       o->zone, k, t),
				       (unsigned long long)nr[t][k]);
			while ((pfn = o->zone->ops->next(o->zone, k, t, pfn)) != QR_PFN_NONE)
				walked++;
			if (walked != nr[t][k])
				differ(o, "type %u order %u: a walk meets %llu of %llu", t, k,
				       (unsigned long long)walked, (unsigned long long)nr[t][k]);
		}
	}
}

static void compare_questions(struct oracle *o)
{
	unsigned order = any(o, QR_NR_PAGE_ORDERS);
	enum qr_migratetype type = any(o, QR_MIGRATE_TYPES);
	qr_pfn_t start = qr__pageblock_start(qr__zone_start(o->zone) + any(o, NR_FRAMES / 2));
	struct qr_block block;
	bool there = o->zone->ops->nr_blocks_type_racy(o->zone, order, type) != 0;

	if (o->zone->ops->has_racy(o->zone, order, QR_TYPE_BIT(type)) !=
	    could_serve(o, type, order))
		differ(o, "has: type %u order %u should be %d", type, order,
		       could_serve(o, type, order));
	if (o->zone->ops->first(o->zone, order, type, &block) != there)
		differ(o, "first: type %u order %u should be %d", type, order, there);
	if (there && (block.order != order || !block_free(o, block.pfn, order)))
		differ(o, "first: %#llx of order %u is not free", (unsigned long long)block.pfn,
		       block.order);
	if (o->zone->ops->nr_free_in(o->zone, start) != free_in(o, start, QR_PAGEBLOCK_NR_PAGES))
		differ(o, "nr_free_in of %#llx", (unsigned long long)start);
}

static void compare(struct oracle *o)
{
	buddy_machine_check(o->zone);
	compare_blocks(o);
	compare_reported(o);
	compare_outside(o);
	for (unsigned i = 0; i < 4; i++)
		compare_questions(o);
}

/* Runs ------------------------------------------------------------------------------------- */

static void run(uint64_t seed, uint64_t cut_start, uint64_t cut_end)
{
	static struct oracle o;
	qr_pfn_t start = BASE + cut_start, end = BASE + NR_FRAMES - cut_end;
	unsigned long irqs;

	memset(&o, 0, sizeof(o));
	o.seed = o.random = seed;
	o.m = buddy_machine_new(BASE, BASE + NR_FRAMES);
	o.m->ops = &qr__buddy_bitmap;
	o.zone = buddy_machine_zone(o.m, 0, QR_ZONE_NORMAL, start, end);
	o.is_free = calloc(1, NR_FRAMES);
	o.reported = calloc(1, NR_FRAMES);
	buddy_machine_release(o.zone, start, end);
	memset(o.is_free + cut_start, 1, end - start);
	irqs = qr__zone_lock(o.zone);
	compare(&o);
	qr__zone_unlock(o.zone, irqs);
	for (unsigned i = 0; i < NR_STEPS; i++) {
		irqs = qr__zone_lock(o.zone);
		switch (any(&o, 17)) {
		case 0:
			step_carve(&o);
			break;
		case 1:
			step_take_block(&o);
			break;
		case 2:
			step_retype(&o);
			break;
		case 3:
			step_rotate(&o);
			break;
		case 4:
			step_report(&o);
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
			step_take(&o);
			break;
		default:
			step_give(&o);
			break;
		}
		if (i % (NR_FRAMES > 1000 ? 30 : 3) == 0)
			compare(&o);
		qr__zone_unlock(o.zone, irqs);
	}
	irqs = qr__zone_lock(o.zone);
	while (o.nr_owned)
		step_give(&o);
	compare(&o);
	qr__zone_unlock(o.zone, irqs);
	assert_int_equal(free_in(&o, BASE, NR_FRAMES), end - start);
	free(o.is_free);
	free(o.reported);
	buddy_machine_free(o.m);
}

static void runs(uint64_t cut_start, uint64_t cut_end)
{
	const char *seed = getenv("QR_TEST_SEED");

	if (seed) {
		run(strtoull(seed, NULL, 0), cut_start, cut_end);
		return;
	}
	for (uint64_t s = 1; s <= test_effort(NR_SEEDS, 2); s++)
		run(s * 7919, cut_start, cut_end);
}

static void test_whole_zone(void **state)
{
	(void)state;
	runs(0, 0);
}

/* B7: a zone that begins and ends inside pageblocks. */
static void test_B7_odd_ends(void **state)
{
	(void)state;
	runs(QR_PAGEBLOCK_NR_PAGES + 3, QR_PAGEBLOCK_NR_PAGES / 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_zone),
		cmocka_unit_test(test_B7_odd_ends),
	};

	return cmocka_run_group_tests_name("bitmap_model", tests, NULL, NULL);
}
