/* SPDX-License-Identifier: MIT */
/*
 * movable.c - where zone Movable begins on each node
 *
 * Zone Movable is a promise: what lies there can be moved away.  It is carved from the top of the
 * highest ordinary zone that has memory, the movable zone.  There are three ways of saying how
 * much; the first that is given counts, as on Linux:
 *
 *	movable_node		on each node, from its first hotpluggable range on
 *	kernelcore=mirror	on each node, what is not mirrored; if anything is mirrored at all
 *	kernelcore, movablecore	so much for the kernel, the rest is Movable
 *
 * For sizes, kernelcore is spread evenly over the nodes.  Memory below the movable zone is kernel
 * memory anyway, so it counts first.  A node that has less than its share leaves the rest to
 * others: passes repeat, reckoning with one node fewer each time, until less than a page per node
 * is left to place.
 */
#include "layout.h"

/* The highest ordinary zone that has memory. */
static enum qr_zone_type movable_zone(const struct qr_layout *layout)
{
	qr_pfn_t top = 0;
	unsigned type = QR_ZONE_DMA;

	for (unsigned i = 0; i < layout->config->nr_ranges; i++)
		if (layout->config->ranges[i].kind != QR_RANGE_DEVICE)
			top = qr__max(top, qr__range_end(&layout->config->ranges[i]));
	while (layout->zone_end[type] < top)
		type++;
	return (enum qr_zone_type)type;
}

/* Lower the start of Movable on a range's node to where this range can begin to be so. */
static void start_lower(struct qr_layout *layout, const struct qr_range *range, qr_pfn_t usable)
{
	qr_pfn_t *start = &layout->movable_start[range->nid];

	if (qr__range_end(range) > usable)
		*start = qr__min(*start, qr__max(range->start_pfn, usable));
}

static void plan_by_nodes(struct qr_layout *layout, qr_pfn_t usable)
{
	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		const struct qr_range *range = &layout->config->ranges[i];

		if (range->kind != QR_RANGE_DEVICE && range->hotpluggable)
			start_lower(layout, range, usable);
	}
}

static void plan_by_mirror(struct qr_layout *layout, qr_pfn_t usable)
{
	const struct qr_config *config = layout->config;
	bool any = false;

	for (unsigned i = 0; i < config->nr_ranges; i++)
		any |= config->ranges[i].kind != QR_RANGE_DEVICE && config->ranges[i].mirrored;
	for (unsigned i = 0; any && i < config->nr_ranges; i++) {
		const struct qr_range *range = &config->ranges[i];

		if (range->kind != QR_RANGE_DEVICE && !range->mirrored)
			start_lower(layout, range, usable);
	}
}

/* By sizes --------------------------------------------------------------------------------- */

static uint64_t total_pages(const struct qr_layout *layout)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < layout->config->nr_ranges; i++)
		if (layout->config->ranges[i].kind != QR_RANGE_DEVICE)
			total += layout->config->ranges[i].nr_pages;
	return total;
}

/* How many pages the kernel is to have; 0: there is no wish. */
static uint64_t kernelcore_wanted(const struct qr_layout *layout, uint64_t total)
{
	const struct qr_movable_config *m = &layout->config->movable;
	uint64_t kernelcore = m->kernelcore_pages, movablecore = m->movablecore_pages;

	if (m->kernelcore_percent)
		kernelcore = total * m->kernelcore_percent / 100;
	if (m->movablecore_percent)
		movablecore = total * m->movablecore_percent / 100;
	if (!movablecore)
		return kernelcore;
	movablecore = qr__min(movablecore, total);
	movablecore = qr__min(qr__align_up(movablecore, QR_MAX_ORDER_NR_PAGES), total);
	return qr__max(kernelcore, total - movablecore);
}

/*
 * Give the kernel @share more pages of a node, from where Movable began so far on.  Returns how
 * many it got, which is more if there is more below the movable zone.
 */
static uint64_t node_place(struct qr_layout *layout, int nid, uint64_t share, qr_pfn_t usable)
{
	qr_pfn_t *movable = &layout->movable_start[nid];
	qr_pfn_t from = *movable == QR_PFN_NONE ? 0 : *movable;
	const struct qr_range *range;
	uint64_t placed = 0;

	for (qr_pfn_t at = 0; (range = qr__layout_next_range(layout, at, nid)); at = from) {
		qr_pfn_t start = qr__max(from, range->start_pfn), end = qr__range_end(range);
		uint64_t nr;

		from = end;
		if (range->kind == QR_RANGE_DEVICE || start >= end)
			continue;
		if (start < usable) {
			nr = qr__min(end, usable) - start;
			placed += nr;
			share -= qr__min(nr, share);
			start += nr;
			*movable = start;
			if (start == end)
				continue;
		}
		nr = qr__min(end - start, share);
		*movable = start + nr;
		placed += nr;
		share -= nr;
		if (!share)
			break;
	}
	return placed;
}

static bool node_has_memory(const struct qr_layout *layout, int nid)
{
	qr_pfn_t start, end;

	qr__layout_node_span(layout, nid, &start, &end);
	return start != end;
}

static void plan_by_size(struct qr_layout *layout, qr_pfn_t usable)
{
	uint64_t total = total_pages(layout);
	uint64_t required = kernelcore_wanted(layout, total);
	unsigned nr_nodes = 0;

	for (int nid = 0; nid < (int)layout->nr_nodes; nid++)
		nr_nodes += node_has_memory(layout, nid);
	if (!required || required >= total || !nr_nodes)
		return;
	do {
		uint64_t share = required / nr_nodes;

		for (int nid = 0; nid < (int)layout->nr_nodes; nid++) {
			if (!node_has_memory(layout, nid))
				continue;
			/* Others took more than their share: what is left is shared anew. */
			if (required < share)
				share = required / nr_nodes;
			required -= qr__min(required, node_place(layout, nid, share, usable));
		}
		nr_nodes--;
	} while (nr_nodes && required > nr_nodes);
}

/* Where blocks of the highest order can begin; none where that is behind the node's end. */
static void starts_align(struct qr_layout *layout)
{
	for (int nid = 0; nid < (int)layout->nr_nodes; nid++) {
		qr_pfn_t *movable = &layout->movable_start[nid];
		qr_pfn_t start, end;

		if (*movable == QR_PFN_NONE)
			continue;
		qr__layout_node_span(layout, nid, &start, &end);
		*movable = qr__align_up(*movable, QR_MAX_ORDER_NR_PAGES);
		/* By Linux's rules a node that begins at pfn 0 cannot be movable from there. */
		if (*movable >= end || *movable == 0)
			*movable = QR_PFN_NONE;
	}
}

void qr__movable_plan(struct qr_layout *layout)
{
	const struct qr_movable_config *m = &layout->config->movable;
	qr_pfn_t usable;

	for (unsigned nid = 0; nid < QR_MAX_NODES; nid++)
		layout->movable_start[nid] = QR_PFN_NONE;
	layout->movable_zone = movable_zone(layout);
	usable = qr__layout_zone_low(layout, layout->movable_zone);
	if (m->movable_node)
		plan_by_nodes(layout, usable);
	else if (m->kernelcore_mirror)
		plan_by_mirror(layout, usable);
	else
		plan_by_size(layout, usable);
	starts_align(layout);
}
