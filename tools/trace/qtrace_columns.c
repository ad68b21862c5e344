/* SPDX-License-Identifier: MIT */
/*
 * trace/qtrace_columns.c - a block of events as columns, and back
 *
 * Events of a machine repeat themselves: the same few combinations of order, type and gfp, the same
 * task many times in a row, pfns near the one before.  Written field by field, each column is
 * nearly constant or nearly random, and zstd does well on the first and loses nothing on the
 * second.  What is nearly random, times and pfns, is made small first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qtrace_format.h"

/* Writing ---------------------------------------------------------------------------------- */

static int buffer_room(struct qtrace_buffer *b, size_t more)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *data;

	if (b->size + more <= b->room)
		return 0;
	while (room < b->size + more)
		room *= 2;
	data = realloc(b->data, room);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->room = room;
	return 0;
}

static void put_byte(struct qtrace_buffer *b, unsigned byte)
{
	b->data[b->size++] = (uint8_t)byte;
}

static void put_varint(struct qtrace_buffer *b, uint64_t v)
{
	while (v >= 0x80) {
		put_byte(b, (unsigned)(v & 0x7f) | 0x80);
		v >>= 7;
	}
	put_byte(b, (unsigned)v);
}

static uint64_t zigzag(uint64_t difference)
{
	return (difference << 1) ^ (difference >> 63 ? ~UINT64_C(0) : 0);
}

static struct qtrace_shape shape_of(const struct trace_event *e)
{
	return (struct qtrace_shape){
		.gfp = e->gfp,
		.order = e->order,
		.migratetype = e->migratetype,
		.fallback_order = e->fallback_order,
		.fallback_type = e->fallback_type,
		.change_ownership = e->change_ownership,
	};
}

static bool shape_equal(const struct qtrace_shape *a, const struct qtrace_shape *b)
{
	return a->gfp == b->gfp && a->order == b->order && a->migratetype == b->migratetype &&
	       a->fallback_order == b->fallback_order && a->fallback_type == b->fallback_type &&
	       a->change_ownership == b->change_ownership;
}

static void put_shape(struct qtrace_buffer *b, const struct qtrace_shape *s)
{
	put_varint(b, s->gfp);
	put_byte(b, s->order);
	put_byte(b, s->migratetype);
	put_byte(b, s->fallback_order);
	put_byte(b, s->fallback_type);
	put_byte(b, s->change_ownership);
}

/* The number of a shape in the block's table; 255: the table is full. */
static unsigned shape_number(struct qtrace_shape *table, unsigned *nr,
			     const struct qtrace_shape *shape)
{
	for (unsigned i = 0; i < *nr; i++) {
		if (shape_equal(&table[i], shape))
			return i;
	}
	if (*nr == QTRACE_NR_SHAPES)
		return QTRACE_NR_SHAPES;
	table[*nr] = *shape;
	return (*nr)++;
}

/* All times of a block are multiples of this: 1000 where the recorder counted microseconds. */
static uint64_t time_unit(const struct trace_event *events, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		if (events[i].time_ns % 1000)
			return 1;
	}
	return 1000;
}

struct encoder {
	struct qtrace_buffer columns[QTRACE_NR_COLUMNS];
	struct qtrace_shape table[QTRACE_NR_SHAPES];
	unsigned nr_shapes;
	uint64_t last_pfn[QTRACE_PREDICTORS];
};

static void encode_shape(struct encoder *enc, const struct trace_event *e)
{
	struct qtrace_shape shape = shape_of(e);
	unsigned before = enc->nr_shapes;
	unsigned number = shape_number(enc->table, &enc->nr_shapes, &shape);

	put_byte(&enc->columns[QTRACE_COL_SHAPE], number);
	if (number == QTRACE_NR_SHAPES || enc->nr_shapes > before)
		put_shape(&enc->columns[QTRACE_COL_TABLE], &shape);
}

static void encode_event(struct encoder *enc, const struct trace_event *e,
			 const struct trace_event *prev, uint64_t unit)
{
	uint64_t *last = &enc->last_pfn[qtrace_predictor(e->kind, e->cpu)];
	uint64_t place = e->kind == TRACE_LOST ? e->lost : e->pfn;
	unsigned head = e->kind;

	if (e->cpu == prev->cpu)
		head |= QTRACE_SAME_CPU;
	else
		put_varint(&enc->columns[QTRACE_COL_CPU], e->cpu);
	if (e->task == prev->task)
		head |= QTRACE_SAME_TASK;
	else
		put_varint(&enc->columns[QTRACE_COL_TASK], e->task);
	put_byte(&enc->columns[QTRACE_COL_KIND], head);
	put_varint(&enc->columns[QTRACE_COL_TIME],
		   zigzag(e->time_ns / unit - prev->time_ns / unit));
	put_varint(&enc->columns[QTRACE_COL_PFN], zigzag(place - *last));
	*last = place;
	encode_shape(enc, e);
}

static int encoder_room(struct encoder *enc, unsigned nr)
{
	for (unsigned c = 0; c < QTRACE_NR_COLUMNS; c++) {
		int error = buffer_room(&enc->columns[c], (size_t)nr * 16 + 64);

		if (error)
			return error;
	}
	return 0;
}

static int encoder_join(struct encoder *enc, struct qtrace_buffer *out)
{
	for (unsigned c = 0; c < QTRACE_NR_COLUMNS; c++) {
		struct qtrace_buffer *column = &enc->columns[c];
		int error = buffer_room(out, column->size + 10);

		if (error)
			return error;
		put_varint(out, column->size);
		memcpy(out->data + out->size, column->data, column->size);
		out->size += column->size;
	}
	return 0;
}

int qtrace_encode(const struct trace_event *events, unsigned nr, struct qtrace_buffer *out)
{
	struct encoder *enc = calloc(1, sizeof(*enc));
	struct trace_event start = {0};
	uint64_t unit = time_unit(events, nr);
	int error;

	if (!enc)
		return -ENOMEM;
	error = encoder_room(enc, nr);
	if (!error) {
		put_varint(&enc->columns[QTRACE_COL_HEAD], unit);
		for (unsigned i = 0; i < nr; i++)
			encode_event(enc, &events[i], i ? &events[i - 1] : &start, unit);
		error = encoder_join(enc, out);
	}
	for (unsigned c = 0; c < QTRACE_NR_COLUMNS; c++)
		free(enc->columns[c].data);
	free(enc);
	return error;
}

/* Reading ---------------------------------------------------------------------------------- */

/* A column being read; it never runs past its end, and remembers that it would have. */
struct column {
	const uint8_t *at, *end;
	bool short_of;
};

static unsigned get_byte(struct column *c)
{
	if (c->at == c->end) {
		c->short_of = true;
		return 0;
	}
	return *c->at++;
}

static uint64_t get_varint(struct column *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned byte = get_byte(c);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->short_of = true;
	return 0;
}

static uint64_t unzigzag(uint64_t v)
{
	return (v >> 1) ^ (v & 1 ? ~UINT64_C(0) : 0);
}

static struct qtrace_shape get_shape(struct column *c)
{
	struct qtrace_shape s;

	s.gfp = (uint32_t)get_varint(c);
	s.order = (uint8_t)get_byte(c);
	s.migratetype = (uint8_t)get_byte(c);
	s.fallback_order = (uint8_t)get_byte(c);
	s.fallback_type = (uint8_t)get_byte(c);
	s.change_ownership = (uint8_t)get_byte(c);
	return s;
}

struct decoder {
	struct column columns[QTRACE_NR_COLUMNS];
	struct qtrace_shape table[QTRACE_NR_SHAPES];
	unsigned nr_shapes;
	uint64_t last_pfn[QTRACE_PREDICTORS];
	uint64_t unit;
};

static bool decode_shape(struct decoder *dec, struct trace_event *e)
{
	unsigned number = get_byte(&dec->columns[QTRACE_COL_SHAPE]);
	struct qtrace_shape shape;

	if (number > dec->nr_shapes && number != QTRACE_NR_SHAPES)
		return false;
	if (number < dec->nr_shapes) {
		shape = dec->table[number];
	} else {
		shape = get_shape(&dec->columns[QTRACE_COL_TABLE]);
		if (number != QTRACE_NR_SHAPES)
			dec->table[dec->nr_shapes++] = shape;
	}
	e->gfp = shape.gfp;
	e->order = shape.order;
	e->migratetype = shape.migratetype;
	e->fallback_order = shape.fallback_order;
	e->fallback_type = shape.fallback_type;
	e->change_ownership = shape.change_ownership;
	return true;
}

static bool decode_event(struct decoder *dec, struct trace_event *e, const struct trace_event *prev)
{
	unsigned head = get_byte(&dec->columns[QTRACE_COL_KIND]);
	uint64_t *last;
	uint64_t place;

	e->kind = head & QTRACE_KIND_MASK;
	if (e->kind >= TRACE_NR_KINDS)
		return false;
	e->cpu = head & QTRACE_SAME_CPU ? prev->cpu
					: (uint16_t)get_varint(&dec->columns[QTRACE_COL_CPU]);
	e->task = head & QTRACE_SAME_TASK ? prev->task
					  : (uint32_t)get_varint(&dec->columns[QTRACE_COL_TASK]);
	e->time_ns =
		(prev->time_ns / dec->unit + unzigzag(get_varint(&dec->columns[QTRACE_COL_TIME]))) *
		dec->unit;
	last = &dec->last_pfn[qtrace_predictor(e->kind, e->cpu)];
	place = *last + unzigzag(get_varint(&dec->columns[QTRACE_COL_PFN]));
	*last = place;
	e->pfn = e->kind == TRACE_LOST ? QR_PFN_NONE : place;
	e->lost = e->kind == TRACE_LOST ? place : 0;
	return decode_shape(dec, e);
}

static bool decoder_split(struct decoder *dec, const uint8_t *data, size_t size)
{
	struct column all = {.at = data, .end = data + size};

	for (unsigned c = 0; c < QTRACE_NR_COLUMNS; c++) {
		uint64_t length = get_varint(&all);

		if (all.short_of || length > (size_t)(all.end - all.at))
			return false;
		dec->columns[c].at = all.at;
		dec->columns[c].end = all.at + length;
		all.at += length;
	}
	return all.at == all.end;
}

static bool decoder_at_end(const struct decoder *dec)
{
	for (unsigned c = 0; c < QTRACE_NR_COLUMNS; c++) {
		if (dec->columns[c].short_of || dec->columns[c].at != dec->columns[c].end)
			return false;
	}
	return true;
}

int qtrace_decode(const uint8_t *data, size_t size, struct trace_event *events, unsigned nr,
		  const char **why)
{
	struct decoder dec = {0};
	struct trace_event start = {0};

	*why = "its columns do not fit their sizes";
	if (!decoder_split(&dec, data, size))
		return -EINVAL;
	dec.unit = get_varint(&dec.columns[QTRACE_COL_HEAD]);
	*why = "its unit of time is 0";
	if (!dec.unit)
		return -EINVAL;
	*why = "it names a kind of event or a shape that does not exist";
	for (unsigned i = 0; i < nr; i++) {
		if (!decode_event(&dec, &events[i], i ? &events[i - 1] : &start))
			return -EINVAL;
	}
	*why = "its columns hold more or less than its events";
	return decoder_at_end(&dec) ? 0 : -EINVAL;
}
