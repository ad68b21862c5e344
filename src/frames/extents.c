/* SPDX-License-Identifier: MIT */
/*
 * extents.c - from ranges to extents: what each pfn is
 *
 * A range of the description says node and kind.  Cut where zones meet, it gives extents, each in
 * one zone; sorted, and joined where neighbours are alike, they are the map in which every
 * later question about a pfn is answered.
 */
#include "layout.h"

const struct qr_range *qr__layout_next_range(const struct qr_layout *layout, qr_pfn_t pfn, int nid)
{
	const struct qr_config *config = layout->config;
	const struct qr_range *next = NULL;

	for (unsigned i = 0; i < config->nr_ranges; i++) {
		const struct qr_range *range = &config->ranges[i];

		if (range->start_pfn < pfn || (nid != QR_NODE_NONE && range->nid != nid))
			continue;
		if (!next || range->start_pfn < next->start_pfn)
			next = range;
	}
	return next;
}

qr_pfn_t qr__layout_zone_low(const struct qr_layout *layout, enum qr_zone_type type)
{
	return type == QR_ZONE_DMA ? 0 : layout->zone_end[type - 1];
}

static bool stays_kernel(const struct qr_layout *layout, const struct qr_range *range)
{
	const struct qr_movable_config *m = &layout->config->movable;

	return m->kernelcore_mirror && !m->movable_node && range->mirrored;
}

enum qr_zone_type qr__layout_zone_at(const struct qr_layout *layout, const struct qr_range *range,
				     qr_pfn_t pfn)
{
	unsigned type = QR_ZONE_DMA;

	if (range->kind == QR_RANGE_DEVICE)
		return QR_ZONE_DEVICE;
	while (pfn >= layout->zone_end[type])
		type++;
	if (type == layout->movable_zone && pfn >= layout->movable_start[range->nid] &&
	    !stays_kernel(layout, range))
		return QR_ZONE_MOVABLE;
	return (enum qr_zone_type)type;
}

/* Where the extent that begins at pfn ends: at the next border, or with its range. */
static qr_pfn_t extent_end(const struct qr_layout *layout, const struct qr_range *range,
			   qr_pfn_t pfn)
{
	qr_pfn_t movable = layout->movable_start[range->nid];
	qr_pfn_t end = qr__range_end(range);

	if (range->kind == QR_RANGE_DEVICE)
		return end;
	for (unsigned type = QR_ZONE_DMA; type <= QR_ZONE_HIGHMEM; type++)
		if (layout->zone_end[type] > pfn)
			end = qr__min(end, layout->zone_end[type]);
	if (movable > pfn)
		end = qr__min(end, movable);
	return end;
}

unsigned qr__extents_count(const struct qr_layout *layout)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		const struct qr_range *range = &layout->config->ranges[i];
		qr_pfn_t pfn = range->start_pfn;

		for (; pfn < qr__range_end(range); pfn = extent_end(layout, range, pfn))
			nr++;
	}
	return nr;
}

/* Append an extent to a sorted array, or to its last element if the two are alike. */
static unsigned extent_append(struct qr_extent *extents, unsigned nr, struct qr_extent extent)
{
	struct qr_extent *last = nr ? &extents[nr - 1] : NULL;

	if (last && last->end_pfn == extent.start_pfn && last->nid == extent.nid &&
	    last->zone == extent.zone && last->kind == extent.kind) {
		last->end_pfn = extent.end_pfn;
		return nr;
	}
	extents[nr] = extent;
	return nr + 1;
}

unsigned qr__extents_fill(const struct qr_layout *layout, struct qr_extent *extents)
{
	const struct qr_range *range;
	unsigned nr = 0;
	qr_pfn_t pfn = 0;

	while ((range = qr__layout_next_range(layout, pfn, QR_NODE_NONE))) {
		for (pfn = range->start_pfn; pfn < qr__range_end(range);
		     pfn = extents[nr - 1].end_pfn)
			nr = extent_append(extents, nr,
					   (struct qr_extent){
						   .start_pfn = pfn,
						   .end_pfn = extent_end(layout, range, pfn),
						   .nid = range->nid,
						   .zone = qr__layout_zone_at(layout, range, pfn),
						   .kind = range->kind,
					   });
	}
	return nr;
}
