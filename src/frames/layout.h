/* SPDX-License-Identifier: MIT */
/*
 * frames/layout.h - from a description of a machine to a map of memory
 *
 * The layout of an instance is computed twice: once to tell its size, once to fill it in.  Both
 * walk the same steps over a struct qr_layout, which is small, holds no memory of its own, and is
 * thrown away.  Nothing is written to the instance before the whole description has been checked.
 *
 * Rooms in the metadata are reserved one after the other: each layer adds what it needs to
 * a running offset (qr__layout_room()), on both walks in the same order.
 */
#ifndef QR_FRAMES_LAYOUT_H
#define QR_FRAMES_LAYOUT_H

#include "frames.h"

struct qr_layout {
	const struct qr_config *config;
	unsigned nr_nodes, nr_cpus;
	unsigned section_order;
	qr_pfn_t base_pfn, end_pfn; /* section-aligned */
	qr_pfn_t zone_end[QR_ZONE_HIGHMEM + 1]; /* DMA..HighMem, resolved: never decreasing */
	qr_pfn_t movable_start[QR_MAX_NODES]; /* first pfn of zone Movable; QR_PFN_NONE: none */
	enum qr_zone_type movable_zone;
	unsigned max_extents;
	size_t offset; /* of the next room */
};

/* Machines of more ranges than this are refused: checks compare each with each. */
#define QR_MAX_RANGES 4096

/* Check the machine and work out its layout; 0 or QR_EINVAL with a sentence. */
int qr__layout_plan(struct qr_layout *layout, const struct qr_config *config,
		    struct qr_error_text *why);

/* machine.c: is this a machine that can be?  Resolves what the description leaves open. */
int qr__machine_check(struct qr_layout *layout, const struct qr_config *config,
		      struct qr_error_text *why);

/* movable.c: where zone Movable begins on each node.  The zones' ends are known. */
void qr__movable_plan(struct qr_layout *layout);

/* extents.c: how many extents there can be; and write them, sorted.  Returns their number. */
unsigned qr__extents_count(const struct qr_layout *layout);
unsigned qr__extents_fill(const struct qr_layout *layout, struct qr_extent *extents);

/* The range that begins first at or above pfn, of node nid or (QR_NODE_NONE) any; or NULL. */
const struct qr_range *qr__layout_next_range(const struct qr_layout *layout, qr_pfn_t pfn, int nid);

/* Which zone a frame of this range belongs to. */
enum qr_zone_type qr__layout_zone_at(const struct qr_layout *layout, const struct qr_range *range,
				     qr_pfn_t pfn);

/* From the first to the last frame of a node's memory (Device not counted); equal: it has none. */
void qr__layout_node_span(const struct qr_layout *layout, int nid, qr_pfn_t *start_pfn,
			  qr_pfn_t *end_pfn);
/* The lowest pfn that can belong to zone DMA..HighMem. */
qr_pfn_t qr__layout_zone_low(const struct qr_layout *layout, enum qr_zone_type type);

static inline qr_pfn_t qr__range_end(const struct qr_range *range)
{
	return range->start_pfn + range->nr_pages;
}

/* Reserve size bytes aligned to align (a power of 2); returns their offset. */
size_t qr__layout_room(struct qr_layout *layout, size_t size, size_t align);

/* Reserve the rooms of this layer; and fill them in, at @memory, zones sized and empty. */
void qr__frames_rooms(struct qr_layout *layout, struct qr_frames *frames_or_null, char *memory);
void qr__frames_init(struct qr_frames *frames, const struct qr_layout *layout);

/* Size of one zone's span under this layout, for the rooms of upper layers. */
void qr__layout_zone_span(const struct qr_layout *layout, int nid, enum qr_zone_type type,
			  qr_pfn_t *start_pfn, qr_pfn_t *end_pfn);

#endif /* QR_FRAMES_LAYOUT_H */
