/* SPDX-License-Identifier: MIT */
/*
 * picture/cells.c - which pageblock lies where on a map
 */
#include "cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../replay_report.h"

enum { LEAST_COLUMNS = 16, MOST_COLUMNS = 1024, NO_ZONE = STATE_MAX_ZONES };

unsigned cells_nr_maps(const struct picture *p)
{
	return 1 + p->nr_runs + (p->runs[0].map_machine != NULL);
}

const struct replay_block *cells_map(const struct picture *p, unsigned map)
{
	if (map == 0)
		return p->runs[0].map_before;
	if (map <= p->nr_runs)
		return p->runs[map - 1].map_after;
	return p->runs[0].map_machine;
}

const char *cells_map_name(const struct picture *p, unsigned map, char name[160])
{
	if (map == 0)
		snprintf(name, 160, "Before");
	else if (map > p->nr_runs)
		snprintf(name, 160, "After: the machine");
	else
		snprintf(name, 160, "After: %s", replay_label(&p->runs[map - 1]).text);
	return name;
}

bool cells_ours(const struct replay_block *b)
{
	return b->type != QR_MIGRATE_TYPES && b->present > b->reserved;
}

/* In any map. */
static bool block_ours(const struct picture *p, uint64_t block)
{
	return cells_ours(&p->runs[0].map_before[block]) ||
	       (p->runs[0].map_machine && cells_ours(&p->runs[0].map_machine[block]));
}

/* The zone that spans this pageblock. */
static unsigned block_zone(const struct picture *p, uint64_t block)
{
	const struct state *s = &p->machine->before;
	qr_pfn_t start = block << QR_PAGEBLOCK_ORDER, end = start + QR_PAGEBLOCK_NR_PAGES;

	for (unsigned z = 0; z < s->nr_zones; z++) {
		if (s->zones[z].present && s->zones[z].start_pfn < end &&
		    start < s->zones[z].start_pfn + s->zones[z].spanned)
			return z;
	}
	return NO_ZONE;
}

const struct replay_block *cells_block(const struct picture *p, const struct cells *c,
				       const struct cells_segment *s, uint64_t row, unsigned column,
				       const struct replay_block *map)
{
	uint64_t block = (s->first_row + row) * c->columns + column;

	if (block >= p->runs[0].nr_blocks || map[block].type == QR_MIGRATE_TYPES ||
	    block_zone(p, block) != s->zone)
		return NULL;
	return &map[block];
}

/* About as many rows as columns. */
static unsigned choose_columns(const struct picture *p)
{
	uint64_t nr = 0, columns = LEAST_COLUMNS;

	for (uint64_t n = 0; n < p->runs[0].nr_blocks; n++)
		nr += block_ours(p, n);
	while (columns * columns < nr && columns < MOST_COLUMNS)
		columns *= 2;
	return (unsigned)columns;
}

static int segment_add(struct cells *c, unsigned zone, uint64_t row)
{
	struct cells_segment *all;

	if (c->nr && c->segments[c->nr - 1].zone == zone &&
	    c->segments[c->nr - 1].first_row + c->segments[c->nr - 1].nr_rows >= row) {
		uint64_t more =
			row + 1 - c->segments[c->nr - 1].first_row - c->segments[c->nr - 1].nr_rows;

		c->segments[c->nr - 1].nr_rows += more;
		c->nr_rows += more;
		return 0;
	}
	all = realloc(c->segments, (c->nr + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	c->segments = all;
	all[c->nr++] = (struct cells_segment){
		.first_row = row, .nr_rows = 1, .at = c->nr_rows, .zone = zone};
	c->nr_rows++;
	return 0;
}

int cells_layout(const struct picture *p, struct cells *c)
{
	memset(c, 0, sizeof(*c));
	c->columns = choose_columns(p);
	for (uint64_t n = 0; n < p->runs[0].nr_blocks; n++) {
		unsigned zone = block_ours(p, n) ? block_zone(p, n) : NO_ZONE;

		if (zone != NO_ZONE && segment_add(c, zone, n / c->columns) < 0) {
			cells_free(c);
			return -ENOMEM;
		}
	}
	return 0;
}

void cells_free(struct cells *c)
{
	free(c->segments);
	memset(c, 0, sizeof(*c));
}
