/* SPDX-License-Identifier: MIT */
/*
 * replay/maps.c - what each pageblock holds: in the model before and after, in the machine after
 */
#include <errno.h>
#include <stdlib.h>

#include "replay.h"

enum { LONG_ROW = 32 }; /* pageblocks: 64 MiB */

static struct replay_block *map_new(uint64_t nr)
{
	struct replay_block *map = calloc(nr + 1, sizeof(*map));

	for (uint64_t n = 0; map && n < nr; n++)
		map[n].type = QR_MIGRATE_TYPES;
	return map;
}

/* The model's -------------------------------------------------------------------------------- */

struct map_walk {
	struct replay_block *map;
	uint64_t nr;
};

static int map_block(void *arg, const struct qr_pageblock_info *info)
{
	struct map_walk *walk = arg;
	uint64_t n = info->start_pfn >> QR_PAGEBLOCK_ORDER;
	unsigned present = info->nr_free + info->nr_pcp + info->nr_allocated + info->nr_reserved;

	if (n < walk->nr && present) {
		walk->map[n].type = (uint8_t)info->migratetype;
		walk->map[n].present = present;
		walk->map[n].used = present - info->nr_free;
		walk->map[n].reserved = info->nr_reserved;
	}
	return 0;
}

struct replay_block *replay_map_model(struct model *model, const struct replay_result *r)
{
	struct map_walk walk = {.map = map_new(r->nr_blocks), .nr = r->nr_blocks};

	for (unsigned z = 0; walk.map && z < r->nr_zones; z++)
		qr_for_each_pageblock(model->q, r->zones[z].nid, r->zones[z].type, map_block,
				      &walk);
	return walk.map;
}

/* The machine's ------------------------------------------------------------------------------ */

/* Fullness is recorded, types are not and are taken from the contents. */
static void map_machine_block(const struct replay_machine *m, uint64_t n,
			      struct replay_block *block)
{
	const struct frame_map *frames = &m->frames_after;
	uint64_t start = n << QR_PAGEBLOCK_ORDER, end = start + QR_PAGEBLOCK_NR_PAGES;
	unsigned present = 0, nr_free = 0, movable = 0, slab = 0, fixed = 0, reserved = 0;

	for (uint64_t pfn = start; pfn < end && pfn < frames->nr; pfn++) {
		enum frame_class class = FRAME_CLASS(frames->class[pfn]);

		if (!replay_frame_present(m, pfn))
			continue;
		present += class != FRAME_ABSENT;
		nr_free += class == FRAME_FREE;
		movable += class == FRAME_MOVABLE;
		slab += class == FRAME_SLAB;
		fixed += class == FRAME_PGTABLE;
		reserved += class == FRAME_RESERVED || class == FRAME_OFFLINE;
	}
	if (!present)
		return;
	block->present = present;
	block->used = present - nr_free;
	block->reserved = reserved;
	if (slab > movable && slab >= fixed)
		block->type = QR_MIGRATE_RECLAIMABLE;
	else if (fixed > movable)
		block->type = QR_MIGRATE_UNMOVABLE;
	else
		block->type = QR_MIGRATE_MOVABLE;
}

/* Memory that the allocator never had -------------------------------------------------------- */

/* Frames of which kpageflags says nothing at all, whole pageblocks of them, before and after. */
static bool block_silent(const struct replay_machine *m, uint64_t n)
{
	qr_pfn_t start = n << QR_PAGEBLOCK_ORDER, end = start + QR_PAGEBLOCK_NR_PAGES;

	for (qr_pfn_t pfn = start; pfn < end; pfn++) {
		if (pfn >= m->frames.nr || m->frames.class[pfn] != FRAME_OTHER)
			return false;
		if (m->has_frames_after &&
		    (pfn >= m->frames_after.nr || m->frames_after.class[pfn] != FRAME_OTHER))
			return false;
	}
	return true;
}

static void block_reserve(struct replay_block *map, uint64_t n)
{
	if (map && map[n].type != QR_MIGRATE_TYPES)
		map[n].reserved = map[n].present;
}

/* A row of silent pageblocks in [*first, end): its length, and where it begins. */
static uint64_t silent_row(const struct replay_machine *m, uint64_t *first, uint64_t end)
{
	uint64_t nr = 0;

	while (*first < end && !block_silent(m, *first))
		++*first;
	while (*first + nr < end && block_silent(m, *first + nr))
		nr++;
	return nr;
}

/*
 * zoneinfo tells how many of a zone's frames are present but not the allocator's.  kpageflags marks
 * some of them as reserved; where it is silent, they could as well be in use.  Such memory comes
 * and goes in large pieces, so it is looked for in long rows of silent pageblocks, as many as
 * zoneinfo leaves room for.
 */
static void reserve_silent(const struct replay_machine *m, struct replay_result *r,
			   const struct state_zone *zone)
{
	uint64_t n = (zone->start_pfn + QR_PAGEBLOCK_NR_PAGES - 1) >> QR_PAGEBLOCK_ORDER;
	uint64_t end = (zone->start_pfn + zone->spanned) >> QR_PAGEBLOCK_ORDER;
	uint64_t room = zone->present - zone->managed, row;

	for (qr_pfn_t pfn = zone->start_pfn; room && pfn < zone->start_pfn + zone->spanned; pfn++)
		room -= replay_frame_present(m, pfn) &&
			FRAME_CLASS(m->frames.class[pfn]) == FRAME_RESERVED;
	if (end > r->nr_blocks)
		end = r->nr_blocks;
	for (; room >= LONG_ROW * QR_PAGEBLOCK_NR_PAGES && n < end; n += row) {
		row = silent_row(m, &n, end);
		if (row < LONG_ROW || row * QR_PAGEBLOCK_NR_PAGES > room)
			continue;
		room -= row * QR_PAGEBLOCK_NR_PAGES;
		for (uint64_t i = n; i < n + row; i++) {
			block_reserve(r->map_before, i);
			block_reserve(r->map_after, i);
			block_reserve(r->map_machine, i);
		}
	}
}

int replay_maps(const struct replay_machine *m, struct model *model, struct replay_result *r)
{
	r->map_after = replay_map_model(model, r);
	if (m->has_frames_after)
		r->map_machine = map_new(r->nr_blocks);
	if (!r->map_after || (m->has_frames_after && !r->map_machine))
		return -ENOMEM;
	for (uint64_t n = 0; r->map_machine && n < r->nr_blocks; n++)
		map_machine_block(m, n, &r->map_machine[n]);
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		if (m->before.zones[z].present)
			reserve_silent(m, r, &m->before.zones[z]);
	}
	return 0;
}
