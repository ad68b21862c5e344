/* SPDX-License-Identifier: MIT */
/*
 * picture/data.c - what the page's script works with, as JSON
 *
 *	page, pageblock	bytes of a page; the order of a pageblock
 *	runs[]	label, and series: time, events, huge, free, cached, orders[]
 *	sweep	of a sweep, in place of the map: name, values[], runs[] (one for each engine):
 *		label, time: the place of each value, each measure, and text: the same in words
 *	map	columns, rows; segments[]: row (in memory), rows, at (on the map), zone;
 *		names of zones[] and types[]; maps[]: name, cells
 *
 * The cells of a map are packed by zlib and written in base64: nine planes of rows * columns bytes,
 * first the types (254: none of it is the allocator's, 255: no memory), then pages in use and pages
 * present as little-endian 32-bit numbers, a plane for each of their bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../json.h"
#include "../replay_report.h"
#include "cells.h"
#include "draw.h"
#include "measures.h"
#include "page.h"

/* Series ------------------------------------------------------------------------------------- */

enum column { COLUMN_EVENTS, COLUMN_HUGE, COLUMN_FREE, COLUMN_CACHED, COLUMN_ORDERS };

static uint64_t sample_value(const struct replay_sample *s, unsigned column)
{
	switch (column) {
	case COLUMN_EVENTS:
		return s->nr_events;
	case COLUMN_HUGE:
		return s->free_2m;
	case COLUMN_FREE:
		return s->free_pages;
	case COLUMN_CACHED:
		return s->pcp_pages;
	default:
		return s->order_blocks[column - COLUMN_ORDERS];
	}
}

static json_t *series(const struct replay_result *r, unsigned column)
{
	json_t *values = json_array();

	for (unsigned i = 0; i < r->nr_samples; i++)
		json_array_append_new(
			values, json_integer((json_int_t)sample_value(&r->samples[i], column)));
	return values;
}

static json_t *times(const struct picture *p, const struct replay_result *r)
{
	double *seconds = series_seconds(p, r);
	json_t *values = json_array();

	for (unsigned i = 0; seconds && i < r->nr_samples; i++)
		json_array_append_new(values, json_real(seconds[i]));
	free(seconds);
	return values;
}

static json_t *run(const struct picture *p, const struct replay_result *r)
{
	json_t *object = json_object(), *orders = json_array();

	json_put_text(object, "label", replay_label(r).text);
	json_put(object, "time", times(p, r));
	json_put(object, "events", series(r, COLUMN_EVENTS));
	json_put(object, "huge", series(r, COLUMN_HUGE));
	json_put(object, "free", series(r, COLUMN_FREE));
	json_put(object, "cached", series(r, COLUMN_CACHED));
	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		json_array_append_new(orders, series(r, COLUMN_ORDERS + o));
	json_put(object, "orders", orders);
	return object;
}

/* Maps --------------------------------------------------------------------------------------- */

enum { NR_PLANES = 9, RESERVED = 254, NO_MEMORY = 255 };

static char *base64(const unsigned char *data, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; text && i < size; i += 3) {
		uint32_t three = (uint32_t)data[i] << 16;

		three |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
		three |= i + 2 < size ? data[i + 2] : 0;
		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < size ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < size ? digits[three & 63] : '=';
	}
	if (text)
		*at = '\0';
	return text;
}

static void cell_fill(unsigned char *planes, size_t nr, size_t cell, const struct replay_block *b)
{
	planes[cell] = !b ? NO_MEMORY : cells_ours(b) ? b->type : RESERVED;
	for (unsigned byte = 0; b && byte < 4; byte++) {
		planes[nr * (1 + byte) + cell] = (unsigned char)(b->used >> 8 * byte);
		planes[nr * (5 + byte) + cell] = (unsigned char)(b->present >> 8 * byte);
	}
}

/* NULL: no memory. */
static char *pack_map(const struct picture *p, const struct cells *c,
		      const struct replay_block *map)
{
	size_t nr = c->nr_rows * c->columns, cell = 0;
	uLongf packed_size = compressBound(nr * NR_PLANES);
	unsigned char *planes = calloc(nr + 1, NR_PLANES), *packed = malloc(packed_size);
	char *text = NULL;

	for (unsigned i = 0; planes && i < c->nr; i++) {
		for (uint64_t row = 0; row < c->segments[i].nr_rows; row++) {
			for (unsigned column = 0; column < c->columns; column++)
				cell_fill(planes, nr, cell++,
					  cells_block(p, c, &c->segments[i], row, column, map));
		}
	}
	if (planes && packed &&
	    compress2(packed, &packed_size, planes, nr * NR_PLANES, Z_DEFAULT_COMPRESSION) == Z_OK)
		text = base64(packed, packed_size);
	free(planes);
	free(packed);
	return text;
}

static json_t *segments(const struct cells *c)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < c->nr; i++) {
		json_t *one = json_object();

		json_put_number(one, "row", c->segments[i].first_row);
		json_put_number(one, "rows", c->segments[i].nr_rows);
		json_put_number(one, "at", c->segments[i].at);
		json_put_number(one, "zone", c->segments[i].zone);
		json_array_append_new(all, one);
	}
	return all;
}

static json_t *names(const struct picture *p, bool zones)
{
	json_t *all = json_array();
	unsigned nr = zones ? p->machine->before.nr_zones : QR_MIGRATE_TYPES;

	for (unsigned i = 0; i < nr; i++) {
		const struct state_zone *zone = zones ? &p->machine->before.zones[i] : NULL;

		json_array_append_new(all, json_string(zone ? label_zone(zone->nid, zone->type).text
							    : qr_migratetype_name(i)));
	}
	return all;
}

/* NULL: no memory. */
static json_t *maps(const struct picture *p, const struct cells *c)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < cells_nr_maps(p); i++) {
		char *cells = pack_map(p, c, cells_map(p, i));
		json_t *one = json_object();
		char name[160];

		json_put_text(one, "name", cells_map_name(p, i, name));
		json_put_text(one, "cells", cells);
		json_array_append_new(all, one);
		if (!cells) {
			json_decref(all);
			return NULL;
		}
		free(cells);
	}
	return all;
}

static json_t *map(const struct picture *p)
{
	struct cells cells;
	json_t *object = json_object(), *all;

	if (cells_layout(p, &cells) < 0)
		return object;
	all = maps(p, &cells);
	if (all) {
		json_put_number(object, "columns", cells.columns);
		json_put_number(object, "rows", cells.nr_rows);
		json_put(object, "segments", segments(&cells));
		json_put(object, "zones", names(p, true));
		json_put(object, "types", names(p, false));
		json_put(object, "maps", all);
	}
	cells_free(&cells);
	return object;
}

/* Sweeps ------------------------------------------------------------------------------------- */

static json_t *sweep_run(const struct picture *p, unsigned engine)
{
	json_t *object = json_object(), *texts = json_object(), *places = json_array();

	json_put_text(object, "label", sweep_result(p, engine, 0)->engine);
	for (unsigned v = 0; v < p->sweep->nr_values; v++)
		json_array_append_new(places, json_integer(v));
	json_put(object, "time", places);
	for (unsigned i = 0; i < nr_sweep_measures; i++) {
		const struct sweep_measure *m = &sweep_measures[i];
		json_t *numbers = json_array(), *words = json_array();

		for (unsigned v = 0; v < p->sweep->nr_values; v++) {
			double value = m->of(sweep_result(p, engine, v + 1));

			json_array_append_new(numbers, m->kind == MEASURE_SHARE
							       ? json_real(value)
							       : json_integer((json_int_t)value));
			json_array_append_new(words, json_string(measure_text(m, value).text));
		}
		json_put(object, m->name, numbers);
		json_put(texts, m->name, words);
	}
	json_put(object, "text", texts);
	return object;
}

static json_t *sweep(const struct picture *p)
{
	json_t *object = json_object(), *values = json_array(), *runs = json_array();

	for (unsigned v = 0; v < p->sweep->nr_values; v++)
		json_array_append_new(values, json_integer(p->sweep->values[v]));
	for (unsigned e = 0; e < p->sweep->nr_engines; e++)
		json_array_append_new(runs, sweep_run(p, e));
	json_put_text(object, "name", p->sweep->tunable);
	json_put(object, "values", values);
	json_put(object, "runs", runs);
	return object;
}

/* All of it ---------------------------------------------------------------------------------- */

/* No "</script>" and no "<!--": in JSON, '<' and its like stand in strings only. */
static void put_inert(FILE *out, const char *json)
{
	for (; *json; json++) {
		if (*json == '<' || *json == '>' || *json == '&')
			fprintf(out, "\\u%04x", (unsigned)*json);
		else
			fputc(*json, out);
	}
}

int put_data(FILE *out, const struct picture *p)
{
	json_t *document = json_object(), *runs = json_array();
	char *text;

	for (unsigned n = 0; n < p->nr_runs; n++)
		json_array_append_new(runs, run(p, &p->runs[n]));
	json_put_number(document, "page", UINT64_C(1) << QR_PAGE_SHIFT);
	json_put_number(document, "pageblock", QR_PAGEBLOCK_ORDER);
	json_put(document, "runs", runs);
	if (p->sweep)
		json_put(document, "sweep", sweep(p));
	else
		json_put(document, "map", map(p));
	text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(7));
	json_decref(document);
	if (!text)
		return -ENOMEM;
	put_inert(out, text);
	free(text);
	return 0;
}
