/* SPDX-License-Identifier: MIT */
/*
 * picture/cells.h - which pageblock lies where on a map
 *
 * A map has a cell for each pageblock, row by row as addresses go, and each row begins at a
 * multiple of its own size, so that a place in a row is a place in memory.  Rows of which the
 * allocator never had anything are left out; what is left falls into segments: rows of one zone
 * without a gap between them.  All maps of a picture have the same cells, so that one place is the
 * same pageblock in all of them.
 */
#ifndef QUIRE_PICTURE_CELLS_H
#define QUIRE_PICTURE_CELLS_H

#include "picture.h"

struct cells_segment {
	uint64_t first_row; /* in memory: it begins with pageblock first_row * columns */
	uint64_t nr_rows;
	uint64_t at; /* rows of the map above it */
	unsigned zone; /* of machine->before */
};

struct cells {
	unsigned columns; /* a power of 2 */
	uint64_t nr_rows; /* of all segments */
	struct cells_segment *segments;
	unsigned nr;
};

/* 0 or -ENOMEM. */
int cells_layout(const struct picture *p, struct cells *c);
void cells_free(struct cells *c);

/* The maps of a picture: the start, the end of each replay, and (if it is known) the machine's. */
unsigned cells_nr_maps(const struct picture *p);
const struct replay_block *cells_map(const struct picture *p, unsigned map);
const char *cells_map_name(const struct picture *p, unsigned map, char name[160]);

/* Is some of this pageblock the allocator's? */
bool cells_ours(const struct replay_block *b);
/* What a map has in a cell of a segment; NULL: no memory, or another zone's. */
const struct replay_block *cells_block(const struct picture *p, const struct cells *c,
				       const struct cells_segment *s, uint64_t row, unsigned column,
				       const struct replay_block *map);

#endif /* QUIRE_PICTURE_CELLS_H */
