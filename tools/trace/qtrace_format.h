/* SPDX-License-Identifier: MIT */
/*
 * trace/qtrace_format.h - what writer and reader of .qtrace files share; see docs/qtrace.md
 */
#ifndef QUIRE_TRACE_QTRACE_FORMAT_H
#define QUIRE_TRACE_QTRACE_FORMAT_H

#include "qtrace.h"

/* The \r\n shows a file that a transfer took for text. */
#define QTRACE_MAGIC "QTRACE\r\n"
#define QTRACE_HEAD_BYTES 16u /* magic, major, minor, 0 */
#define QTRACE_CHUNK_BYTES 24u /* tag, extra, raw size, stored size, crc */
#define QTRACE_CHUNK_MAX (1u << 28) /* raw bytes of one chunk */

#define QTRACE_TAG_FILE 0x454c4946u /* "FILE" */
#define QTRACE_TAG_TASKS 0x4b534154u /* "TASK" */
#define QTRACE_TAG_EVENTS 0x53545645u /* "EVTS" */
#define QTRACE_TAG_END 0x20444e45u /* "END " */

#define QTRACE_FILE_HEAD 64u /* when, 0, name; in front of a file's bytes */
#define QTRACE_FILE_PART (1u << 26) /* larger files are several chunks of the same name */
#define QTRACE_END_WORDS 16u /* see totals_pack() */

struct qtrace_chunk {
	uint32_t tag;
	uint32_t extra; /* EVTS: number of events; else 0 */
	uint32_t raw_size, stored_size;
	uint32_t crc; /* of the 16 bytes before it; then 4 zero bytes */
};

/*
 * The columns of a block, in the order they are stored.  Each is preceded by its size.
 *
 *	HEAD	varint: the unit of time in nanoseconds
 *	KIND	a byte for each event: kind, and whether cpu and task are those of the event before
 *	CPU	varint for each event that changes it
 *	TASK	varint for each event that changes it
 *	TIME	zigzag varint: difference to the event before, in units
 *	PFN	zigzag varint: difference to the last pfn of the same kind on the same CPU; of LOST,
 *		the number lost
 *	SHAPE	a byte for each event: number of (order, migratetype, gfp...) in the block's table
 *	TABLE	that table; what finds no number is written out with number 255
 */
enum qtrace_column {
	QTRACE_COL_HEAD,
	QTRACE_COL_KIND,
	QTRACE_COL_CPU,
	QTRACE_COL_TASK,
	QTRACE_COL_TIME,
	QTRACE_COL_PFN,
	QTRACE_COL_SHAPE,
	QTRACE_COL_TABLE,
	QTRACE_NR_COLUMNS
};

#define QTRACE_KIND_MASK 0x0fu
#define QTRACE_SAME_CPU 0x10u
#define QTRACE_SAME_TASK 0x20u
#define QTRACE_NR_SHAPES 255u

/* What two events of one shape have in common. */
struct qtrace_shape {
	uint32_t gfp;
	uint8_t order, migratetype, fallback_order, fallback_type, change_ownership;
};

/* The pfn that the next event of this kind on this CPU is compared with. */
#define QTRACE_PREDICTORS (TRACE_NR_KINDS * 16u)
static inline unsigned qtrace_predictor(unsigned kind, unsigned cpu)
{
	return kind * 16u + cpu % 16u;
}

uint32_t qtrace_crc(const void *data, size_t size);

/* Turn a block of events into columns and back. */
struct qtrace_buffer {
	uint8_t *data;
	size_t size, room;
};

int qtrace_encode(const struct trace_event *events, unsigned nr, struct qtrace_buffer *out);
/* 0, or -EINVAL: these bytes are no nr events; *why says what is wrong. */
int qtrace_decode(const uint8_t *data, size_t size, struct trace_event *events, unsigned nr,
		  const char **why);

#endif /* QUIRE_TRACE_QTRACE_FORMAT_H */
