/* SPDX-License-Identifier: MIT */
/*
 * replay/types.c - which pageblock was of which migratetype
 *
 * Recorded are only the counts for each zone.  What else is known of a pageblock, by strength:
 *
 *	drains		carry the type of their page's pageblock: its first one says it outright
 *	allocations	go to their own type's pageblocks, but for fallbacks
 *	contents	user pages are in movable ones; slab pages in reclaimable or unmovable ones,
 *			page tables and the kernel's other pages in unmovable ones
 *
 * Each type is then given to as many pageblocks as were counted, best evidence first.  Between
 * unmovable and reclaimable contents tell little; there the recorded free blocks by order and type
 * decide: pageblocks of weak evidence are exchanged as long as that brings the sums nearer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define NR_TYPES QR_MIGRATE_PCPTYPES /* types that are fitted; the others' blocks become MOVABLE */
#define CERTAIN 100000 /* evidence of a drain */

struct block {
	uint32_t evidence[NR_TYPES];
	uint16_t nr_present, nr_free;
	uint16_t free_blocks[QR_PAGEBLOCK_ORDER + 1]; /* that do not reach beyond it */
	uint8_t free_order; /* of the free block it begins, if that is no less than a pageblock */
	uint8_t type;
	uint8_t told; /* a drain told its type: + 1 */
};

struct fit {
	struct replay_machine *m;
	struct block *blocks;
	uint64_t nr;
};

/* Contents --------------------------------------------------------------------------------- */

static void weigh_frame(struct block *b, enum frame_class class)
{
	switch (class) {
	case FRAME_ABSENT:
		return;
	case FRAME_FREE:
		b->nr_free++;
		break;
	case FRAME_MOVABLE:
		b->evidence[QR_MIGRATE_MOVABLE] += 2;
		break;
	case FRAME_SLAB:
		b->evidence[QR_MIGRATE_UNMOVABLE] += 2;
		b->evidence[QR_MIGRATE_RECLAIMABLE] += 3;
		break;
	case FRAME_PGTABLE:
		b->evidence[QR_MIGRATE_UNMOVABLE] += 4;
		break;
	default: /* may be anything, also a balloon's or a cache's */
		break;
	}
	b->nr_present++;
}

/* The largest aligned run of free frames at offset i: what the buddy system made of them. */
static unsigned free_order_at(const uint8_t *class, unsigned i)
{
	unsigned order = 0;

	while (order < QR_PAGEBLOCK_ORDER && !(i & (1u << order))) {
		unsigned half = 1u << order, k;

		for (k = i + half; k < i + 2 * half; k++) {
			if (FRAME_CLASS(class[k]) != FRAME_FREE)
				return order;
		}
		order++;
	}
	return order;
}

static void weigh_contents(struct fit *f)
{
	const struct frame_map *frames = &f->m->frames;

	for (uint64_t n = 0; n < f->nr; n++) {
		uint8_t class[QR_PAGEBLOCK_NR_PAGES] = {0};
		uint64_t start = n << QR_PAGEBLOCK_ORDER, there = frames->nr - start;
		struct block *b = &f->blocks[n];

		memcpy(class, frames->class + start,
		       there < QR_PAGEBLOCK_NR_PAGES ? there : QR_PAGEBLOCK_NR_PAGES);
		for (unsigned i = 0; i < QR_PAGEBLOCK_NR_PAGES; i++)
			weigh_frame(b, FRAME_CLASS(class[i]));
		for (unsigned i = 0; i < QR_PAGEBLOCK_NR_PAGES;) {
			unsigned order = 0;

			if (FRAME_CLASS(class[i]) == FRAME_FREE) {
				order = free_order_at(class, i);
				b->free_blocks[order]++;
			}
			i += 1u << order;
		}
	}
}

/* Events ----------------------------------------------------------------------------------- */

static void weigh_event(struct fit *f, const struct trace_event *e)
{
	uint64_t n = e->pfn >> QR_PAGEBLOCK_ORDER;
	struct block *b;

	if (n >= f->nr || e->order >= REPLAY_ORDERS)
		return;
	b = &f->blocks[n];
	if (e->kind == TRACE_DRAIN && !b->told && e->migratetype < NR_TYPES)
		b->told = (uint8_t)(e->migratetype + 1);
	else if (e->kind == TRACE_ALLOC && !b->told && e->migratetype < NR_TYPES &&
		 b->evidence[e->migratetype] < CERTAIN / 2)
		b->evidence[e->migratetype] += 1u << e->order;
	else if (e->kind == TRACE_EXTFRAG && e->change_ownership && !b->told &&
		 e->fallback_type < NR_TYPES)
		b->told = (uint8_t)(e->fallback_type + 1); /* what it was until now */
}

static int weigh_events(struct fit *f)
{
	const struct trace_event *events;
	int nr;

	qtrace_rewind(f->m->trace);
	while ((nr = qtrace_next_block(f->m->trace, &events)) > 0) {
		for (int i = 0; i < nr; i++)
			weigh_event(f, &events[i]);
	}
	for (uint64_t n = 0; n < f->nr; n++) {
		if (f->blocks[n].told)
			f->blocks[n].evidence[f->blocks[n].told - 1] = CERTAIN;
	}
	return nr;
}

/* Fitting ---------------------------------------------------------------------------------- */

/* How much more this pageblock speaks for a type than for the others. */
static int64_t leaning(const struct block *b, unsigned type)
{
	int64_t others = 0;

	for (unsigned t = 0; t < NR_TYPES; t++) {
		if (t != type && b->evidence[t] > others)
			others = b->evidence[t];
	}
	return (int64_t)b->evidence[type] - others;
}

struct candidate {
	uint64_t n;
	int64_t leaning;
};

static int by_leaning(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->leaning != y->leaning)
		return x->leaning > y->leaning ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

static bool zone_has(const struct state_zone *zone, uint64_t n)
{
	qr_pfn_t pfn = n << QR_PAGEBLOCK_ORDER;

	/* A pageblock counts for the zone of its first frame, or of the first after it. */
	return pfn + QR_PAGEBLOCK_NR_PAGES > zone->start_pfn &&
	       pfn < zone->start_pfn + zone->spanned;
}

static bool wholly_free(const struct block *b)
{
	return b->nr_free == QR_PAGEBLOCK_NR_PAGES;
}

/* Wholly free neighbours are one free block, of one type. */
static void join_free(struct fit *f)
{
	for (uint64_t n = 0; n < f->nr; n++) {
		if (wholly_free(&f->blocks[n]))
			f->blocks[n].free_order = QR_PAGEBLOCK_ORDER;
	}
	for (unsigned order = QR_PAGEBLOCK_ORDER; order + 1 < REPLAY_ORDERS; order++) {
		uint64_t half = UINT64_C(1) << (order - QR_PAGEBLOCK_ORDER);

		for (uint64_t n = 0; n + half < f->nr; n += 2 * half) {
			if (f->blocks[n].free_order != order ||
			    f->blocks[n + half].free_order != order)
				continue;
			f->blocks[n].free_order = (uint8_t)(order + 1);
			f->blocks[n + half].free_order = 0;
		}
	}
}

/*
 * Give `type` to so many of this zone's MOVABLE pageblocks, to those that speak most for it.  With
 * an order, they are the free blocks of that order, each with all its pageblocks; with 0, those
 * pageblocks that have something in them.
 */
static void give_type(struct fit *f, const struct state_zone *zone, unsigned type, unsigned order,
		      uint64_t wanted, struct candidate *all)
{
	uint64_t nr_each = order ? UINT64_C(1) << (order - QR_PAGEBLOCK_ORDER) : 1, nr = 0;

	for (uint64_t n = 0; n < f->nr; n++) {
		struct block *b = &f->blocks[n];

		if (zone_has(zone, n) && b->nr_present && b->type == QR_MIGRATE_MOVABLE &&
		    (order ? b->free_order == order : !wholly_free(b)))
			all[nr++] = (struct candidate){.n = n, .leaning = leaning(b, type)};
	}
	qsort(all, nr, sizeof(*all), by_leaning);
	for (uint64_t i = 0; i < nr && i < wanted; i++) {
		for (uint64_t n = all[i].n; n < all[i].n + nr_each; n++)
			f->blocks[n].type = (uint8_t)type;
		if (all[i].leaning < 0)
			f->m->type_mismatch++;
	}
}

/*
 * How many pageblocks of a type were wholly free is recorded: they fill its free lists of orders 9
 * and up.  The others of that type had something in them.
 */
static void give_recorded(struct fit *f, const struct state_zone *zone, unsigned type,
			  struct candidate *all)
{
	uint64_t wanted = zone->pageblocks[type];

	for (unsigned o = QR_PAGEBLOCK_ORDER; o < REPLAY_ORDERS; o++) {
		uint64_t each = UINT64_C(1) << (o - QR_PAGEBLOCK_ORDER);
		uint64_t nr = zone->type_blocks[type][o];

		if (nr > wanted / each)
			nr = wanted / each;
		give_type(f, zone, type, o, nr, all);
		wanted -= nr * each;
	}
	give_type(f, zone, type, 0, wanted, all);
}

/* Distance between the recorded free blocks of a type and those its pageblocks hold. */
static int64_t distance(const int64_t *have, const uint64_t *want)
{
	int64_t sum = 0;

	for (unsigned o = 0; o < QR_PAGEBLOCK_ORDER; o++)
		sum += llabs(have[o] - (int64_t)want[o]) << o;
	return sum;
}

static void move_vector(int64_t *from, int64_t *to, const struct block *b)
{
	for (unsigned o = 0; o < QR_PAGEBLOCK_ORDER; o++) {
		from[o] -= b->free_blocks[o];
		to[o] += b->free_blocks[o];
	}
}

/* May these two types trade this pageblock?  Not if a drain told its type. */
static bool is_weak(const struct block *b)
{
	return !b->told;
}

/* Exchange pairs of two types while that helps; returns whether anything did. */
static bool exchange(struct fit *f, const struct state_zone *zone, unsigned s, unsigned t,
		     int64_t have[NR_TYPES][QR_PAGEBLOCK_ORDER + 1])
{
	bool any = false;

	for (uint64_t i = 0; i < f->nr; i++) {
		struct block *a = &f->blocks[i];

		if (!zone_has(zone, i) || a->type != s || !is_weak(a))
			continue;
		for (uint64_t j = 0; j < f->nr; j++) {
			struct block *b = &f->blocks[j];
			int64_t before;

			if (!zone_has(zone, j) || b->type != t || !is_weak(b))
				continue;
			before = distance(have[s], zone->type_blocks[s]) +
				 distance(have[t], zone->type_blocks[t]);
			move_vector(have[s], have[t], a);
			move_vector(have[t], have[s], b);
			if (distance(have[s], zone->type_blocks[s]) +
				    distance(have[t], zone->type_blocks[t]) <
			    before) {
				a->type = (uint8_t)t;
				b->type = (uint8_t)s;
				any = true;
				break;
			}
			move_vector(have[t], have[s], a);
			move_vector(have[s], have[t], b);
		}
	}
	return any;
}

static void refine(struct fit *f, const struct state_zone *zone)
{
	int64_t have[NR_TYPES][QR_PAGEBLOCK_ORDER + 1] = {{0}};

	for (uint64_t n = 0; n < f->nr; n++) {
		const struct block *b = &f->blocks[n];

		if (!zone_has(zone, n) || !b->nr_present)
			continue;
		for (unsigned o = 0; o < QR_PAGEBLOCK_ORDER; o++)
			have[b->type][o] += b->free_blocks[o];
	}
	for (unsigned pass = 0; pass < 4; pass++) {
		if (!exchange(f, zone, QR_MIGRATE_UNMOVABLE, QR_MIGRATE_RECLAIMABLE, have))
			break;
	}
}

static int fit_zones(struct fit *f)
{
	struct candidate *all = malloc((f->nr + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (unsigned z = 0; z < f->m->before.nr_zones; z++) {
		const struct state_zone *zone = &f->m->before.zones[z];

		if (!zone->present || !zone->has_pageblocks)
			continue;
		give_recorded(f, zone, QR_MIGRATE_RECLAIMABLE, all);
		give_recorded(f, zone, QR_MIGRATE_UNMOVABLE, all);
		refine(f, zone);
	}
	free(all);
	return 0;
}

int replay_fit_types(struct replay_machine *m)
{
	struct fit f = {.m = m, .nr = m->nr_frames >> QR_PAGEBLOCK_ORDER};
	int error;

	f.blocks = calloc(f.nr + 1, sizeof(*f.blocks));
	m->block_type = malloc(f.nr + 1);
	if (!f.blocks || !m->block_type) {
		free(f.blocks);
		snprintf(m->why, sizeof(m->why), "no memory for %llu pageblocks",
			 (unsigned long long)f.nr);
		return -ENOMEM;
	}
	for (uint64_t n = 0; n < f.nr; n++)
		f.blocks[n].type = QR_MIGRATE_MOVABLE;
	weigh_contents(&f);
	join_free(&f);
	error = weigh_events(&f);
	if (!error)
		error = fit_zones(&f);
	for (uint64_t n = 0; n < f.nr; n++)
		m->block_type[n] = f.blocks[n].nr_present ? f.blocks[n].type : QR_MIGRATE_TYPES;
	free(f.blocks);
	if (error)
		snprintf(m->why, sizeof(m->why), "%.200s",
			 m->trace->why[0] ? m->trace->why : "no memory to fit pageblock types");
	return error;
}
