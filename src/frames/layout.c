/* SPDX-License-Identifier: MIT */
/*
 * layout.c - from a description of a machine to a map of memory
 *
 * Two steps.  The plan (qr__layout_plan) turns the description into a few numbers, writing nothing
 * but those; rooms are reserved by them.  The filling-in (qr__frames_init) makes nodes, zones and
 * extents in rooms that are all zero, and touches no page record: those of RAM become valid block
 * by block when memory is released (alloc/release.c); of reserved and device frames the extents say
 * all there is to say.
 *
 * What a zone spans follows Linux: the part of its limits that lies between the first and the last
 * frame of its node, holes included.  A zone without frames spans nothing.
 */
#include "layout.h"

#define ULL(x) ((unsigned long long)(x))

/* Plan ------------------------------------------------------------------------------------- */

void qr__layout_node_span(const struct qr_layout *layout, int nid, qr_pfn_t *start_pfn,
			  qr_pfn_t *end_pfn)
{
	qr_pfn_t start = QR_PFN_NONE, end = 0;

	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		const struct qr_range *range = &layout->config->ranges[i];

		if (range->nid != nid || range->kind == QR_RANGE_DEVICE)
			continue;
		start = qr__min(start, range->start_pfn);
		end = qr__max(end, qr__range_end(range));
	}
	*start_pfn = end ? start : 0;
	*end_pfn = end;
}

static void device_span(const struct qr_layout *layout, int nid, qr_pfn_t *start_pfn,
			qr_pfn_t *end_pfn)
{
	qr_pfn_t start = QR_PFN_NONE, end = 0;

	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		const struct qr_range *range = &layout->config->ranges[i];

		if (range->nid != nid || range->kind != QR_RANGE_DEVICE)
			continue;
		start = qr__min(start, range->start_pfn);
		end = qr__max(end, qr__range_end(range));
	}
	*start_pfn = end ? start : 0;
	*end_pfn = end;
}

/* The limits of a zone on a node, whatever memory is there. */
static void zone_limits(const struct qr_layout *layout, int nid, enum qr_zone_type type,
			qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	const struct qr_movable_config *m = &layout->config->movable;
	bool by_mirror = m->kernelcore_mirror && !m->movable_node;
	qr_pfn_t movable = layout->movable_start[nid];

	if (type == QR_ZONE_MOVABLE) {
		*start_pfn = movable;
		*end_pfn = layout->zone_end[layout->movable_zone];
		return;
	}
	*start_pfn = qr__layout_zone_low(layout, type);
	*end_pfn = layout->zone_end[type];
	/* Mirrored ranges remain the kernel's wherever they are: the two spans overlap. */
	if (type == layout->movable_zone && !by_mirror)
		*end_pfn = qr__min(*end_pfn, movable);
}

/* Is there any frame of this zone? */
static bool zone_has_frames(const struct qr_layout *layout, int nid, enum qr_zone_type type,
			    qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		const struct qr_range *range = &layout->config->ranges[i];
		qr_pfn_t first = qr__max(range->start_pfn, start_pfn);

		if (range->nid == nid && first < qr__min(qr__range_end(range), end_pfn) &&
		    qr__layout_zone_at(layout, range, first) == type)
			return true;
	}
	return false;
}

void qr__layout_zone_span(const struct qr_layout *layout, int nid, enum qr_zone_type type,
			  qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	qr_pfn_t node_start, node_end;

	if (type == QR_ZONE_DEVICE) {
		device_span(layout, nid, start_pfn, end_pfn);
		return;
	}
	qr__layout_node_span(layout, nid, &node_start, &node_end);
	zone_limits(layout, nid, type, start_pfn, end_pfn);
	*start_pfn = qr__max(*start_pfn, node_start);
	*end_pfn = qr__min(*end_pfn, node_end);
	if (*start_pfn >= *end_pfn || !zone_has_frames(layout, nid, type, *start_pfn, *end_pfn))
		*start_pfn = *end_pfn = 0;
}

/*
 * Do two ranges, one behind the other, meet inside a pageblock?  Then they must be of one zone,
 * whose lock guards the pageblock's record.
 */
static int neighbours_check(const struct qr_layout *layout, unsigned i, unsigned j,
			    struct qr_error_text *why)
{
	const struct qr_range *low = &layout->config->ranges[i];
	const struct qr_range *high = &layout->config->ranges[j];
	qr_pfn_t last = qr__range_end(low) - 1;

	if (last >= high->start_pfn ||
	    last >> QR_PAGEBLOCK_ORDER != high->start_pfn >> QR_PAGEBLOCK_ORDER)
		return 0;
	if (low->nid == high->nid && qr__layout_zone_at(layout, low, last) ==
					     qr__layout_zone_at(layout, high, high->start_pfn))
		return 0;
	qr__why(why,
		"ranges %u (to pfn %#llx, node %d) and %u (from pfn %#llx, node %d) are of "
		"different zones but share a pageblock: align them to %llu pages",
		i, ULL(last + 1), low->nid, j, ULL(high->start_pfn), high->nid,
		ULL(QR_PAGEBLOCK_NR_PAGES));
	return QR_EINVAL;
}

static int pageblocks_check(const struct qr_layout *layout, struct qr_error_text *why)
{
	for (unsigned i = 0; i < layout->config->nr_ranges; i++) {
		for (unsigned j = 0; j < layout->config->nr_ranges; j++) {
			int error = neighbours_check(layout, i, j, why);

			if (error)
				return error;
		}
	}
	return 0;
}

int qr__layout_plan(struct qr_layout *layout, const struct qr_config *config,
		    struct qr_error_text *why)
{
	int error;

	*layout = (struct qr_layout){0};
	error = qr__machine_check(layout, config, why);
	if (error)
		return error;
	qr__movable_plan(layout);
	error = pageblocks_check(layout, why);
	if (error)
		return error;
	layout->max_extents = qr__extents_count(layout);
	return 0;
}

/* Rooms ------------------------------------------------------------------------------------ */

size_t qr__layout_room(struct qr_layout *layout, size_t size, size_t align)
{
	size_t offset = (layout->offset + align - 1) & ~(align - 1);

	layout->offset = offset + size;
	return offset;
}

/* The same as an address; NULL while only sizes are asked for. */
static void *room(struct qr_layout *layout, char *memory, size_t size, size_t align)
{
	size_t offset = qr__layout_room(layout, size, align);

	return memory ? memory + offset : NULL;
}

/* Zones that can be on a zonelist: all but Device. */
#define LISTED_ZONES QR_ZONE_DEVICE

static void zonelist_rooms(struct qr_layout *layout, struct qr_frames *frames, char *memory)
{
	size_t all = (size_t)layout->nr_nodes * LISTED_ZONES + 1, own = LISTED_ZONES + 1;
	struct qr_zoneref *refs =
		room(layout, memory, layout->nr_nodes * (all + own) * sizeof(struct qr_zoneref),
		     _Alignof(struct qr_zoneref));

	if (!memory)
		return;
	for (unsigned nid = 0; nid < layout->nr_nodes; nid++) {
		frames->nodes[nid].zonelist = refs;
		frames->nodes[nid].zonelist_thisnode = refs + all;
		refs += all + own;
	}
}

void qr__frames_rooms(struct qr_layout *layout, struct qr_frames *frames_or_null, char *memory)
{
	struct qr_frames scratch;
	struct qr_frames *frames = frames_or_null ? frames_or_null : &scratch;
	size_t nr_pages = (size_t)(layout->end_pfn - layout->base_pfn);
	size_t nr_nodes = layout->nr_nodes;

	frames->base.events = room(layout, memory, layout->nr_cpus * sizeof(struct qr_event_row),
				   _Alignof(struct qr_event_row));
	frames->nodes =
		room(layout, memory, nr_nodes * sizeof(struct qr_node), _Alignof(struct qr_node));
	zonelist_rooms(layout, frames, memory);
	frames->distance = room(layout, memory, nr_nodes * nr_nodes, 1);
	frames->cpu_node = room(layout, memory, layout->nr_cpus * sizeof(int), _Alignof(int));
	frames->extents = room(layout, memory, layout->max_extents * sizeof(struct qr_extent),
			       _Alignof(struct qr_extent));
	frames->section_online =
		room(layout, memory, QR_BITMAP_WORDS(nr_pages >> layout->section_order) * 8, 8);
	frames->pageblocks = room(
		layout, memory, (nr_pages >> QR_PAGEBLOCK_ORDER) * sizeof(struct qr_pageblock), 64);
	/* Last of this layer and page-aligned: by far the largest, and mostly never touched. */
	frames->states =
		room(layout, memory, nr_pages * sizeof(struct qr_page_state), QR_METADATA_ALIGN);
	frames->pages = room(layout, memory, nr_pages * sizeof(struct qr_page), QR_METADATA_ALIGN);
}

/* Filling in ------------------------------------------------------------------------------- */

static void zone_init(struct qr_frames *frames, const struct qr_layout *layout,
		      struct qr_node *node, enum qr_zone_type type)
{
	struct qr_zone *zone = &node->zones[type];
	qr_pfn_t start, end;

	zone->frames = frames;
	zone->node = node;
	zone->nid = node->nid;
	zone->type = type;
	zone->id = (uint16_t)((unsigned)node->nid * QR_NR_ZONES + type);
	frames->zone_of_id[zone->id] = zone;
	qr__lock_init(&zone->lock, QR_RANK_ZONE);
	qr__layout_zone_span(layout, node->nid, type, &start, &end);
	qr__write(&zone->start_pfn, start);
	qr__write(&zone->spanned_pages, end - start);
	qr__write(&zone->deferred_pfn, QR_PFN_NONE);
}

/* As on Linux, frames of zone Device are neither present nor managed: only spanned. */
static void zones_count(struct qr_frames *frames)
{
	struct qr_zone *zone;

	for (unsigned i = 0; i < frames->nr_extents; i++) {
		const struct qr_extent *extent = &frames->extents[i];
		uint64_t nr = extent->end_pfn - extent->start_pfn;

		zone = &frames->nodes[extent->nid].zones[extent->zone];
		if (extent->kind == QR_RANGE_DEVICE)
			continue;
		qr__bump(&zone->present_pages, nr);
		zone->present_early_pages += nr;
		if (extent->kind == QR_RANGE_RAM)
			qr__bump(&zone->managed_pages, nr);
	}
}

static void nodes_init(struct qr_frames *frames, const struct qr_layout *layout)
{
	for (unsigned nid = 0; nid < frames->nr_nodes; nid++) {
		struct qr_node *node = &frames->nodes[nid];

		node->frames = frames;
		node->nid = (int)nid;
		for (unsigned type = 0; type < QR_NR_ZONES; type++)
			zone_init(frames, layout, node, (enum qr_zone_type)type);
	}
	zones_count(frames);
}

static void distances_init(struct qr_frames *frames, const struct qr_config *config)
{
	unsigned nr = frames->nr_nodes;

	for (unsigned i = 0; i < nr * nr; i++) {
		if (config->distance)
			frames->distance[i] = config->distance[i];
		else
			frames->distance[i] = i % (nr + 1) == 0 ? 10 : 20;
	}
}

static void zone_types_init(struct qr_frames *frames, const struct qr_layout *layout)
{
	const qr_pfn_t *end = layout->zone_end;

	frames->movable_zone = layout->movable_zone;
	frames->have_zone[QR_ZONE_DMA] = end[QR_ZONE_DMA] > 0;
	frames->have_zone[QR_ZONE_DMA32] = end[QR_ZONE_DMA32] > end[QR_ZONE_DMA];
	frames->have_zone[QR_ZONE_NORMAL] = true;
	frames->have_zone[QR_ZONE_HIGHMEM] = end[QR_ZONE_HIGHMEM] > end[QR_ZONE_NORMAL];
	frames->have_zone[QR_ZONE_MOVABLE] = true;
	frames->have_zone[QR_ZONE_DEVICE] = true;
}

static qr_nodemask_t mask_below(unsigned nr_nodes)
{
	return nr_nodes < 64 ? (UINT64_C(1) << nr_nodes) - 1 : ~UINT64_C(0);
}

/* States that do not follow from zones; zonelist.c keeps the others. */
static void node_states_init(struct qr_frames *frames, const struct qr_config *config)
{
	qr_nodemask_t cpus = 0, online = config->generic_initiators;

	for (unsigned cpu = 0; cpu < config->nr_cpus; cpu++) {
		frames->cpu_node[cpu] = config->cpu_node ? config->cpu_node[cpu] : 0;
		cpus |= UINT64_C(1) << frames->cpu_node[cpu];
	}
	for (unsigned i = 0; i < config->nr_ranges; i++)
		online |= UINT64_C(1) << config->ranges[i].nid;
	qr__write(&frames->node_states[QR_N_POSSIBLE], mask_below(frames->nr_nodes));
	qr__write(&frames->node_states[QR_N_ONLINE], online | cpus);
	qr__write(&frames->node_states[QR_N_CPU], cpus);
	qr__write(&frames->node_states[QR_N_GENERIC_INITIATOR], config->generic_initiators);
}

static void sections_init(struct qr_frames *frames)
{
	for (unsigned i = 0; i < frames->nr_extents; i++) {
		const struct qr_extent *extent = &frames->extents[i];
		uint64_t first = extent->start_pfn - frames->base_pfn;
		uint64_t last = extent->end_pfn - 1 - frames->base_pfn;

		for (uint64_t section = first >> frames->section_order;
		     section <= last >> frames->section_order; section++)
			qr__bit_set(frames->section_online, (size_t)section);
	}
}

void qr__frames_init(struct qr_frames *frames, const struct qr_layout *layout)
{
	const struct qr_config *config = layout->config;

	frames->base_pfn = layout->base_pfn;
	frames->end_pfn = layout->end_pfn;
	frames->nr_frames = layout->end_pfn - layout->base_pfn;
	frames->section_order = layout->section_order;
	frames->nr_nodes = layout->nr_nodes;
	frames->shuffle = (config->options & QR_OPT_SHUFFLE) != 0;
	frames->guard_minorder = config->guard_minorder;
	frames->nr_extents = qr__extents_fill(layout, frames->extents);
	qr__lock_init(&frames->zonelists_lock, QR_RANK_ZONELISTS);
	distances_init(frames, config);
	zone_types_init(frames, layout);
	nodes_init(frames, layout);
	node_states_init(frames, config);
	sections_init(frames);
}
