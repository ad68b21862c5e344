/* SPDX-License-Identifier: MIT */
/*
 * picture/figure_map.c - every pageblock: before, after, and the machine's own
 *
 * Colour tells the migratetype, its strength how much of the pageblock is in use.  What is wholly
 * free is clearly paler than what has a single page in use: that is the difference between a huge
 * page and none.  Large machines are drawn with several pageblocks to a cell; the page's own map,
 * which can be zoomed, shows each.
 */
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "figure.h"

enum {
	MAX_CELLS = 20000, /* of one map */
	NR_LEVELS = 6, /* of fullness: free, four quarters, full */
	PANEL_GAP = 20,
	ZONE_LINE = 16,
	KIND_RESERVED = 1 + QR_MIGRATE_TYPES * NR_LEVELS
};

/* Several pageblocks of one cell, added up. */
struct sum {
	uint64_t present, used, reserved, by_type[QR_MIGRATE_TYPES];
};

struct map {
	const struct drawing *d;
	struct cells cells;
	unsigned shrink; /* as many columns, and rows, make one */
	double cell; /* its size */
};

static uint64_t shrunk(const struct map *m, uint64_t n)
{
	return (n + m->shrink - 1) / m->shrink;
}

static uint64_t map_rows(const struct map *m)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < m->cells.nr; i++)
		nr += shrunk(m, m->cells.segments[i].nr_rows);
	return nr;
}

/* 0: no memory; else 1 + type * NR_LEVELS + level, the reserved as if they were one more type. */
static uint8_t cell_kind(const struct map *m, const struct cells_segment *s, uint64_t row,
			 uint64_t column, const struct replay_block *map)
{
	struct sum sum = {0};
	unsigned type = 0, level;

	for (uint64_t y = row * m->shrink; y < (row + 1) * m->shrink && y < s->nr_rows; y++) {
		for (uint64_t x = column * m->shrink; x < (column + 1) * m->shrink; x++) {
			const struct replay_block *b =
				cells_block(m->d->p, &m->cells, s, y, (unsigned)x, map);

			if (!b)
				continue;
			sum.present += b->present;
			sum.used += b->used;
			sum.reserved += b->reserved;
			sum.by_type[b->type] += b->used + 1;
		}
	}
	if (!sum.present)
		return 0;
	if (sum.present == sum.reserved)
		return KIND_RESERVED;
	for (unsigned t = 1; t < QR_MIGRATE_TYPES; t++) {
		if (sum.by_type[t] > sum.by_type[type])
			type = t;
	}
	if (!sum.used)
		level = 0;
	else if (sum.used == sum.present)
		level = NR_LEVELS - 1;
	else
		level = 1 + (unsigned)(sum.used * (NR_LEVELS - 2) / sum.present);
	return (uint8_t)(1 + type * NR_LEVELS + level);
}

/* Runs of one kind, row by row, as strokes a cell thick. */
static void put_kind(FILE *out, const uint8_t *kinds, uint64_t columns, uint64_t rows,
		     unsigned kind)
{
	uint64_t last_x = 0, last_y = 0;
	bool begun = false;

	for (uint64_t y = 0; y < rows; y++) {
		for (uint64_t x = 0; x < columns;) {
			uint64_t from = x;

			while (x < columns && kinds[y * columns + x] == kind)
				x++;
			if (x == from) {
				x++;
				continue;
			}
			if (!begun)
				fprintf(out, "<path class=\"t%u l%u\" d=\"M%llu %llu",
					(kind - 1) / NR_LEVELS, (kind - 1) % NR_LEVELS,
					(unsigned long long)from, (unsigned long long)y);
			else
				fprintf(out, "m%lld %lld", (long long)(from - last_x),
					(long long)(y - last_y));
			fprintf(out, "h%llu", (unsigned long long)(x - from));
			begun = true;
			last_x = x;
			last_y = y;
		}
	}
	if (begun)
		fputs("\"/>\n", out);
}

static bool put_segment(const struct map *m, const struct cells_segment *s,
			const struct replay_block *map, double x, double y)
{
	uint64_t columns = m->cells.columns / m->shrink, rows = shrunk(m, s->nr_rows);
	uint8_t *kinds = calloc(columns * rows + 1, 1);

	if (!kinds)
		return false;
	for (uint64_t row = 0; row < rows; row++) {
		for (uint64_t column = 0; column < columns; column++)
			kinds[row * columns + column] = cell_kind(m, s, row, column, map);
	}
	fputs("<g transform=\"translate(", m->d->out);
	put_number(m->d->out, x);
	fputc(' ', m->d->out);
	put_number(m->d->out, y);
	fprintf(m->d->out, ") scale(%.5g) translate(0 .5)\">\n", m->cell);
	for (unsigned kind = 1; kind <= KIND_RESERVED; kind++)
		put_kind(m->d->out, kinds, columns, rows, kind);
	fputs("</g>\n", m->d->out);
	free(kinds);
	return true;
}

static void put_map(const struct map *m, unsigned which, double x, double y, double width)
{
	const struct replay_block *map = cells_map(m->d->p, which);
	char name[160];

	put_label(m->d, x, y + 12, "panel", "start",
		  label_cut(cells_map_name(m->d->p, which, name), (size_t)(width / 7.6)).text);
	y += 24;
	for (unsigned i = 0; i < m->cells.nr; i++) {
		const struct cells_segment *s = &m->cells.segments[i];
		const struct state_zone *zone = &m->d->p->machine->before.zones[s->zone];

		put_label(m->d, x, y + 11, "tick", "start", label_zone(zone->nid, zone->type).text);
		y += ZONE_LINE;
		put_segment(m, s, map, x, y);
		y += (double)shrunk(m, s->nr_rows) * m->cell + 2;
	}
}

static double map_legend(const struct drawing *d)
{
	struct legend l = legend_begin(d, 0);

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		legend_entry(&l, qr_migratetype_name(t));
		for (unsigned level = 0; level < NR_LEVELS; level++) {
			fprintf(d->out, "<path class=\"t%u l%u\" transform=\"translate(", t, level);
			put_number(d->out, l.x + level * 4);
			fputc(' ', d->out);
			put_number(d->out, l.y);
			fputs(") scale(4 12)\" d=\"M0 0h1\"/>\n", d->out);
		}
		legend_name(&l, qr_migratetype_name(t));
	}
	put_label(d, 0, legend_end(&l) + 14, "axis-name", "start",
		  d->narrow ? "from wholly free (palest) to wholly in use"
			    : "each from wholly free (palest) to wholly in use (strongest)");
	return legend_end(&l) + 22;
}

double draw_map(const struct drawing *d)
{
	struct map m = {.d = d, .shrink = 1};
	unsigned nr = cells_nr_maps(d->p), abreast = d->narrow ? 1 : nr < 4 ? nr : 4, column = 0;
	double width = (d->width - (abreast - 1) * PANEL_GAP) / abreast, height;
	double y = map_legend(d) + 12;

	if (cells_layout(d->p, &m.cells) < 0)
		return y;
	while (m.shrink < m.cells.columns &&
	       m.cells.nr_rows * m.cells.columns / m.shrink / m.shrink > MAX_CELLS)
		m.shrink *= 2;
	m.cell = width * m.shrink / m.cells.columns;
	height = 24 + m.cells.nr * (ZONE_LINE + 2.0) + (double)map_rows(&m) * m.cell + 16;
	for (unsigned i = 0; i < nr; i++) {
		put_map(&m, i, column * (width + PANEL_GAP), y, width);
		column = column + 1 < abreast ? column + 1 : 0;
		y += column ? 0 : height;
	}
	cells_free(&m.cells);
	return y + (column ? height : 0);
}
