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
	qr_pfn_t zone_end[QR_ZONE_HIGHMEM + 1]; /* DMA..HighMem, resolved */
	qr_pfn_t movable_start[QR_MAX_NODES]; /* first pfn of zone Movable; QR_PFN_NONE: none */
	enum qr_zone_type movable_zone;
	unsigned max_extents;
	size_t offset; /* of the next room */
};

/* Check the machine and work out its layout; 0 or QR_EINVAL with a sentence. */
int qr__layout_plan(struct qr_layout *layout, const struct qr_config *config,
		    struct qr_error_text *why);

/* Reserve size bytes aligned to align (a power of 2); returns their offset. */
size_t qr__layout_room(struct qr_layout *layout, size_t size, size_t align);

/* Reserve the rooms of this layer; and fill them in, at @memory, zones sized and empty. */
void qr__frames_rooms(struct qr_layout *layout, struct qr_frames *frames_or_null, char *memory);
void qr__frames_init(struct qr_frames *frames, const struct qr_layout *layout);

/* Size of one zone's span under this layout, for the rooms of upper layers. */
void qr__layout_zone_span(const struct qr_layout *layout, int nid, enum qr_zone_type type,
			  qr_pfn_t *start_pfn, qr_pfn_t *end_pfn);

#endif /* QR_FRAMES_LAYOUT_H */
