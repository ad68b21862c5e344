/* SPDX-License-Identifier: MIT */
/*
 * show_map.c - `quire show map`: pageblocks as characters
 *
 * A character stands for one pageblock, or for several next to each other where the machine is too
 * large for the screen.  With colour, the colour tells the migratetype and the height of the block
 * how much of it is in use.  Without, a letter tells the type: small while some of it is free,
 * capital when all of it is in use.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "text.h"

enum { MAX_LINES = 48, MAX_WIDTH = 128, GUTTER = 16 };

/* Neither reserved nor a hole is a migratetype, but maps show them. */
enum { KIND_RESERVED = QR_MIGRATE_TYPES, KIND_ABSENT, NR_KINDS };

static const struct {
	enum term_style style;
	char small, capital;
	const char *name;
} kinds[NR_KINDS] = {
	[QR_MIGRATE_UNMOVABLE] = {TERM_RED, 'u', 'U', "Unmovable"},
	[QR_MIGRATE_MOVABLE] = {TERM_GREEN, 'm', 'M', "Movable"},
	[QR_MIGRATE_RECLAIMABLE] = {TERM_YELLOW, 'r', 'R', "Reclaimable"},
	[QR_MIGRATE_HIGHATOMIC] = {TERM_MAGENTA, 'h', 'H', "HighAtomic"},
	[QR_MIGRATE_CMA] = {TERM_CYAN, 'c', 'C', "CMA"},
	[QR_MIGRATE_ISOLATE] = {TERM_BLUE, 'i', 'I', "Isolate"},
	[KIND_RESERVED] = {TERM_DIM, 'x', 'X', "Reserved"},
	[KIND_ABSENT] = {TERM_PLAIN, ' ', ' ', "absent"},
};

/* What the pageblocks of one character add up to. */
struct cell {
	uint64_t pages[NR_KINDS]; /* in pageblocks of this type */
	uint64_t in_use, present;
};

struct map {
	const struct show_source *source;
	const struct term *term;
	bool blocks; /* block characters, not letters */
	unsigned nr_per_cell, width; /* width in cells */
	uint64_t start_block; /* of the zone */
	struct cell *cells;
	uint64_t nr_cells;
	uint64_t total[NR_KINDS]; /* pageblocks of the zone */
};

/* Filling ---------------------------------------------------------------------------------- */

static unsigned block_kind(const struct qr_pageblock_info *info)
{
	unsigned absent = info->nr_absent;

	if (absent >= QR_PAGEBLOCK_NR_PAGES)
		return KIND_ABSENT;
	if (info->isolated)
		return QR_MIGRATE_ISOLATE;
	if (info->nr_reserved + absent >= QR_PAGEBLOCK_NR_PAGES)
		return KIND_RESERVED;
	return info->migratetype;
}

static int block_add(void *arg, const struct qr_pageblock_info *info)
{
	struct map *map = arg;
	uint64_t block = (info->start_pfn >> QR_PAGEBLOCK_ORDER) - map->start_block;
	uint64_t index = block / map->nr_per_cell;
	unsigned kind = block_kind(info);
	unsigned in_use = info->nr_allocated + info->nr_reserved;

	if (index >= map->nr_cells)
		return 0;
	map->total[kind]++;
	map->cells[index].pages[kind] += QR_PAGEBLOCK_NR_PAGES - info->nr_absent;
	map->cells[index].in_use += in_use;
	map->cells[index].present += in_use + info->nr_free + info->nr_pcp;
	return 0;
}

/* Drawing ---------------------------------------------------------------------------------- */

static unsigned cell_kind(const struct cell *cell)
{
	unsigned kind = KIND_ABSENT;
	uint64_t most = 0;

	for (unsigned i = 0; i < KIND_ABSENT; i++) {
		if (cell->pages[i] > most) {
			most = cell->pages[i];
			kind = i;
		}
	}
	return kind;
}

/* Nothing in use is a dot; the least use shows, and only full is full. */
static const char *cell_block(const struct cell *cell)
{
	static const char *const heights[] = {"\u00b7", "\u2581", "\u2582", "\u2583", "\u2584",
					      "\u2585", "\u2586", "\u2587", "\u2588"};

	if (cell->in_use == cell->present)
		return heights[8];
	return heights[(cell->in_use * 7 + cell->present - 1) / cell->present];
}

static void cell_draw(const struct map *map, const struct cell *cell, unsigned *style)
{
	unsigned kind = cell->present ? cell_kind(cell) : KIND_ABSENT;

	if (kind == KIND_ABSENT) {
		putchar(' ');
		return;
	}
	if (kinds[kind].style != *style) {
		*style = kinds[kind].style;
		fputs(term_style(map->term, TERM_PLAIN), stdout);
		fputs(term_style(map->term, *style), stdout);
	}
	if (map->blocks)
		fputs(cell_block(cell), stdout);
	else if (cell->in_use == 0)
		putchar('.');
	else
		putchar(cell->in_use < cell->present ? kinds[kind].small : kinds[kind].capital);
}

static void map_draw(const struct map *map)
{
	for (uint64_t first = 0; first < map->nr_cells; first += map->width) {
		uint64_t pfn = (map->start_block + first * map->nr_per_cell) << QR_PAGEBLOCK_ORDER;
		unsigned style = TERM_PLAIN;

		printf("%*" PRIx64 "  ", GUTTER - 2, pfn << QR_PAGE_SHIFT);
		for (uint64_t i = first; i < first + map->width && i < map->nr_cells; i++)
			cell_draw(map, &map->cells[i], &style);
		printf("%s\n", term_style(map->term, TERM_PLAIN));
	}
}

/* As many to a line as the terminal has room for. */
static void totals_print(const struct map *map, const struct show_zone *zone)
{
	int column = printf("Node %d, zone %s: %" PRIu64 " of %" PRIu64 " pages free;", zone->nid,
			    zone->name, zone->nr_free, zone->managed);

	for (unsigned kind = 0; kind < KIND_ABSENT; kind++) {
		char text[48];
		int length = snprintf(text, sizeof(text), " %s %" PRIu64, kinds[kind].name,
				      map->total[kind]);

		if (!map->total[kind])
			continue;
		if (column + length > (int)map->term->width)
			column = printf("\n ") - 1;
		column += length;
		printf("%s%s%s", term_style(map->term, kinds[kind].style), text,
		       term_style(map->term, TERM_PLAIN));
	}
	putchar('\n');
}

static void zone_map(void *arg, const struct show_zone *zone)
{
	struct map map = *(struct map *)arg;
	uint64_t end_block = (zone->end_pfn + QR_PAGEBLOCK_NR_PAGES - 1) >> QR_PAGEBLOCK_ORDER;

	map.start_block = zone->start_pfn >> QR_PAGEBLOCK_ORDER;
	map.nr_cells = (end_block - map.start_block + map.nr_per_cell - 1) / map.nr_per_cell;
	map.cells = calloc(map.nr_cells, sizeof(*map.cells));
	if (!map.cells)
		return;
	map.source->each_block(map.source, zone, block_add, &map);
	totals_print(&map, zone);
	map_draw(&map);
	free(map.cells);
}

/* The legend ------------------------------------------------------------------------------- */

static void legend_print(const struct map *map)
{
	printf("\nOne character is %u pageblock%s (%s).", map->nr_per_cell,
	       map->nr_per_cell == 1 ? "" : "s",
	       text_size((uint64_t)map->nr_per_cell << (QR_PAGEBLOCK_ORDER + QR_PAGE_SHIFT)).text);
	for (unsigned kind = 0; kind < KIND_ABSENT; kind++) {
		printf("%s%s", kind % 4 == 0 ? "\n  " : "   ",
		       term_style(map->term, kinds[kind].style));
		if (map->blocks)
			printf("\u2588 %s%s", kinds[kind].name, term_style(map->term, TERM_PLAIN));
		else
			printf("%c %s%s", kinds[kind].small, kinds[kind].name,
			       term_style(map->term, TERM_PLAIN));
	}
	if (map->blocks)
		printf("\n  \u00b7 wholly free   \u2581 to \u2587 partly in use   \u2588 wholly in "
		       "use\n");
	else
		printf("\n  . wholly free   small: partly in use   capital: wholly in use\n");
}

static void spanned_add(void *arg, const struct show_zone *zone)
{
	*(uint64_t *)arg += (zone->end_pfn - zone->start_pfn) >> QR_PAGEBLOCK_ORDER;
}

void show_map(const struct show_source *source, const struct term *term, unsigned nr_per_cell)
{
	struct map map = {.source = source, .term = term, .blocks = term->color && term->utf8};
	uint64_t nr_blocks = 0;
	unsigned room;

	map.width = term->width > GUTTER + MAX_WIDTH ? MAX_WIDTH
		    : term->width > GUTTER + 16      ? (term->width - GUTTER) / 16 * 16
						     : 16;
	source->each_zone(source, spanned_add, &nr_blocks);
	room = map.width * MAX_LINES;
	map.nr_per_cell = nr_per_cell;
	for (unsigned n = 1; map.nr_per_cell == 0; n *= 2) {
		if (nr_blocks / n <= room)
			map.nr_per_cell = n;
	}
	source->each_zone(source, zone_map, &map);
	legend_print(&map);
}

/* An instance ------------------------------------------------------------------------------ */

struct instance_zones {
	show_zone_visit *visit;
	void *arg;
};

static void instance_zone(void *arg, struct quire *q, const struct qr_zone_snapshot *zone)
{
	const struct instance_zones *to = arg;
	const struct show_zone mine = {
		.nid = zone->nid,
		.name = zone->name,
		.start_pfn = zone->start_pfn,
		.end_pfn = zone->end_pfn,
		.managed = zone->managed,
		.nr_free = zone->nr_free,
		.type = zone->type,
	};

	(void)q;
	to->visit(to->arg, &mine);
}

static void instance_each_zone(const struct show_source *source, show_zone_visit *visit, void *arg)
{
	struct instance_zones to = {visit, arg};

	show_each_zone(source->of, instance_zone, &to);
}

static void instance_each_block(const struct show_source *source, const struct show_zone *zone,
				show_block_visit *visit, void *arg)
{
	qr_for_each_pageblock(source->of, zone->nid, zone->type, visit, arg);
}

struct show_source show_instance(struct quire *q)
{
	return (struct show_source){
		.each_zone = instance_each_zone,
		.each_block = instance_each_block,
		.of = q,
	};
}
