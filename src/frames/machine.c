/* SPDX-License-Identifier: MIT */
/*
 * machine.c - is this a machine that can be?
 *
 * A description is checked whole before anything is made of it, so a bad one changes nothing.  Each
 * refusal is one sentence: which item, what about it, what to do.  Items are named by their index
 * in the description, ranges also by what they say.
 *
 * What the description leaves open (number of nodes, limits of zones, size of a section) is
 * resolved here, since most checks need it.
 *
 * Not here: zones that share a pageblock, which only shows when the zones are laid out (layout.c),
 * and the engine's name, which this layer does not know.
 */
#include "layout.h"

#define REFUSE(why, ...) (qr__why((why), __VA_ARGS__), QR_EINVAL)

#define ULL(x) ((unsigned long long)(x))

/* "range 2 (pfns 0x1000-0x2000, node 1)" */
#define RANGE_FMT "range %u (pfns %#llx-%#llx, node %d)"
#define RANGE_ARGS(config, i) \
	(i), ULL((config)->ranges[i].start_pfn), ULL(qr__range_end(&(config)->ranges[i])), \
		(config)->ranges[i].nid

/* A pfn is a physical address without its low bits. */
#define PFN_LIMIT (UINT64_C(1) << (64 - QR_PAGE_SHIFT))

#define ALL_OPTIONS \
	(QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_ALLOC | QR_OPT_INIT_ON_FREE | QR_OPT_CHECK_PAGES | \
	 QR_OPT_SHUFFLE | QR_OPT_PAGE_OWNER | QR_OPT_DEFERRED_INIT | QR_OPT_NO_HUGE_PCP | \
	 QR_OPT_METADATA_ZEROED)

/* Nodes ------------------------------------------------------------------------------------ */

static int highest_node(const struct qr_config *config)
{
	int highest = (int)qr__fls64(config->generic_initiators) - 1;

	for (unsigned i = 0; i < config->nr_ranges; i++)
		if (config->ranges[i].nid > highest)
			highest = config->ranges[i].nid;
	for (unsigned cpu = 0; config->cpu_node && cpu < config->nr_cpus; cpu++)
		if (config->cpu_node[cpu] > highest)
			highest = config->cpu_node[cpu];
	return highest;
}

static int nodes_check(struct qr_layout *layout, const struct qr_config *config,
		       struct qr_error_text *why)
{
	qr_nodemask_t unknown;
	int highest;

	if (config->nr_nodes > QR_MAX_NODES)
		return REFUSE(why, "nr_nodes is %u: at most %u nodes are possible",
			      config->nr_nodes, QR_MAX_NODES);
	highest = highest_node(config);
	layout->nr_nodes = QR_MAX_NODES;
	if (config->nr_nodes)
		layout->nr_nodes = config->nr_nodes;
	else if (highest < QR_MAX_NODES)
		layout->nr_nodes = highest < 0 ? 1 : (unsigned)highest + 1;
	if (layout->nr_nodes == QR_MAX_NODES)
		return 0;
	unknown = config->generic_initiators >> layout->nr_nodes;
	if (unknown)
		return REFUSE(why, "generic_initiators names node %u, but the nodes are 0..%u",
			      layout->nr_nodes + qr__ctz64(unknown), layout->nr_nodes - 1);
	return 0;
}

/* Ranges ----------------------------------------------------------------------------------- */

static int range_check(const struct qr_layout *layout, const struct qr_config *config, unsigned i,
		       struct qr_error_text *why)
{
	const struct qr_range *range = &config->ranges[i];

	if (!range->nr_pages)
		return REFUSE(why, "range %u (from pfn %#llx, node %d) is empty: leave it out", i,
			      ULL(range->start_pfn), range->nid);
	if (range->start_pfn >= PFN_LIMIT || range->nr_pages > PFN_LIMIT - range->start_pfn)
		return REFUSE(why,
			      "range %u (%llu pages from pfn %#llx, node %d) wraps around: "
			      "pfns end at %#llx",
			      i, ULL(range->nr_pages), ULL(range->start_pfn), range->nid,
			      ULL(PFN_LIMIT));
	if (range->nid < 0 || (unsigned)range->nid >= layout->nr_nodes)
		return REFUSE(why, RANGE_FMT " is on a node that does not exist: nodes are 0..%u",
			      RANGE_ARGS(config, i), layout->nr_nodes - 1);
	if ((unsigned)range->kind > QR_RANGE_DEVICE)
		return REFUSE(why, RANGE_FMT " is of unknown kind %u", RANGE_ARGS(config, i),
			      (unsigned)range->kind);
	return 0;
}

static int overlap_check(const struct qr_config *config, unsigned i, struct qr_error_text *why)
{
	const struct qr_range *range = &config->ranges[i];

	for (unsigned j = 0; j < i; j++) {
		const struct qr_range *other = &config->ranges[j];

		if (range->start_pfn < qr__range_end(other) &&
		    other->start_pfn < qr__range_end(range))
			return REFUSE(why, RANGE_FMT " overlaps " RANGE_FMT ": separate them",
				      RANGE_ARGS(config, i), RANGE_ARGS(config, j));
	}
	return 0;
}

static int ranges_check(const struct qr_layout *layout, const struct qr_config *config,
			struct qr_error_text *why)
{
	bool ram = false;
	int error;

	for (unsigned i = 0; i < config->nr_ranges; i++) {
		error = range_check(layout, config, i, why);
		if (!error)
			error = overlap_check(config, i, why);
		if (error)
			return error;
		ram |= config->ranges[i].kind == QR_RANGE_RAM;
	}
	if (!ram)
		return REFUSE(why, "none of the %u ranges is RAM: there is nothing to allocate",
			      config->nr_ranges);
	return 0;
}

/* Sections and the span of all memory ------------------------------------------------------ */

static int sections_check(struct qr_layout *layout, const struct qr_config *config,
			  struct qr_error_text *why)
{
	const unsigned least =
		QR_MAX_PAGE_ORDER > QR_PAGEBLOCK_ORDER ? QR_MAX_PAGE_ORDER : QR_PAGEBLOCK_ORDER;
	unsigned order = config->section_order;

	if (!order)
		order = (unsigned)qr__max(15, least);
	if (order < least || order > 30)
		return REFUSE(why,
			      "section_order is %u: a section holds whole pageblocks and blocks of "
			      "the highest order, so it is %u..30",
			      order, least);
	layout->section_order = order;
	return 0;
}

static int span_check(struct qr_layout *layout, const struct qr_config *config,
		      struct qr_error_text *why)
{
	uint64_t section = qr__order_pages(layout->section_order);
	qr_pfn_t start = QR_PFN_NONE, end = 0;

	for (unsigned i = 0; i < config->nr_ranges; i++) {
		start = qr__min(start, config->ranges[i].start_pfn);
		end = qr__max(end, qr__range_end(&config->ranges[i]));
	}
	layout->base_pfn = qr__align_down(start, section);
	layout->end_pfn = qr__align_up(end, section);
	if (layout->end_pfn - layout->base_pfn > UINT32_MAX - 1)
		return REFUSE(why,
			      "memory from pfn %#llx to %#llx spans more than the 2^32 - 2 frames "
			      "one instance can: make several instances",
			      ULL(start), ULL(end));
	/* A quarter of all addresses for one array: more is no use even where size_t can say it. */
	if (layout->end_pfn - layout->base_pfn > SIZE_MAX / 4 / sizeof(struct qr_page))
		return REFUSE(why,
			      "memory from pfn %#llx to %#llx needs more page records than this "
			      "processor can address",
			      ULL(start), ULL(end));
	return 0;
}

/* Zone limits ------------------------------------------------------------------------------ */

static const char *const limit_names[] = {"dma_end", "dma32_end", "normal_end", "highmem_end"};

/* x86-64's limits; on a geometry with very large pageblocks there may be no zone DMA. */
static void limits_default(struct qr_layout *layout)
{
	const qr_pfn_t mib = UINT64_C(1) << 20 >> QR_PAGE_SHIFT;

	layout->zone_end[QR_ZONE_DMA] = qr__align_down(16 * mib, QR_PAGEBLOCK_NR_PAGES);
	layout->zone_end[QR_ZONE_DMA32] = qr__align_down(4096 * mib, QR_PAGEBLOCK_NR_PAGES);
	layout->zone_end[QR_ZONE_NORMAL] = PFN_LIMIT;
	layout->zone_end[QR_ZONE_HIGHMEM] = PFN_LIMIT;
}

/*
 * Zones meet where pageblocks do, for a pageblock's record is guarded by one zone's lock.  The end
 * of memory may lie anywhere.
 */
static int limits_resolve(struct qr_layout *layout, const qr_pfn_t limits[4], unsigned nr,
			  struct qr_error_text *why)
{
	qr_pfn_t below = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (limits[i] < below)
			return REFUSE(why,
				      "zone limit %s, pfn %#llx, is below %s, pfn %#llx: limits "
				      "must not decrease",
				      limit_names[i], ULL(limits[i]), limit_names[i - 1],
				      ULL(below));
		if (limits[i] < limits[nr - 1] && !qr__is_aligned(limits[i], QR_PAGEBLOCK_NR_PAGES))
			return REFUSE(why,
				      "zone limit %s, pfn %#llx, is misaligned: zones meet at a "
				      "multiple of %llu pages",
				      limit_names[i], ULL(limits[i]), ULL(QR_PAGEBLOCK_NR_PAGES));
		below = limits[i];
	}
	for (unsigned i = 0; i <= QR_ZONE_HIGHMEM; i++)
		layout->zone_end[i] = limits[i < nr ? i : nr - 1];
	return 0;
}

static int limits_check(struct qr_layout *layout, const struct qr_config *config,
			struct qr_error_text *why)
{
	const struct qr_zone_limits *z = &config->zone_limits;
	const qr_pfn_t limits[4] = {z->dma_end, z->dma32_end, z->normal_end, z->highmem_end};
	unsigned nr = 4;
	int error;

	while (nr && !limits[nr - 1])
		nr--;
	if (!nr) {
		limits_default(layout);
		return 0;
	}
	error = limits_resolve(layout, limits, nr, why);
	if (error)
		return error;
	for (unsigned i = 0; i < config->nr_ranges; i++) {
		const struct qr_range *range = &config->ranges[i];

		if (range->kind != QR_RANGE_DEVICE && qr__range_end(range) > limits[nr - 1])
			return REFUSE(why,
				      RANGE_FMT " ends above the last zone limit, %s at pfn %#llx: "
						"raise it",
				      RANGE_ARGS(config, i), limit_names[nr - 1],
				      ULL(limits[nr - 1]));
	}
	return 0;
}

/* CPUs and distances ----------------------------------------------------------------------- */

static int cpus_check(struct qr_layout *layout, const struct qr_config *config,
		      struct qr_error_text *why)
{
	if (!config->nr_cpus)
		return REFUSE(why, "nr_cpus is 0: an instance needs at least one CPU");
	if (config->nr_cpus > QR_MAX_CPUS)
		return REFUSE(why, "nr_cpus is %u: at most %u CPUs are possible", config->nr_cpus,
			      QR_MAX_CPUS);
	layout->nr_cpus = config->nr_cpus;
	return 0;
}

static int cpu_nodes_check(const struct qr_layout *layout, const struct qr_config *config,
			   struct qr_error_text *why)
{
	for (unsigned cpu = 0; config->cpu_node && cpu < config->nr_cpus; cpu++) {
		int nid = config->cpu_node[cpu];

		if (nid < 0 || (unsigned)nid >= layout->nr_nodes)
			return REFUSE(why,
				      "CPU %u is on node %d, which does not exist: nodes are 0..%u",
				      cpu, nid, layout->nr_nodes - 1);
	}
	return 0;
}

static int distances_check(const struct qr_layout *layout, const struct qr_config *config,
			   struct qr_error_text *why)
{
	unsigned nr = layout->nr_nodes;

	for (unsigned a = 0; config->distance && a < nr; a++) {
		if (config->distance[a * nr + a] != 10)
			return REFUSE(why, "the distance of node %u to itself is %u: it must be 10",
				      a, config->distance[a * nr + a]);
		for (unsigned b = 0; b < a; b++) {
			unsigned to = config->distance[a * nr + b];
			unsigned from = config->distance[b * nr + a];

			if (to != from)
				return REFUSE(
					why,
					"distances contradict each other: node %u to %u is %u, "
					"node %u to %u is %u",
					a, b, to, b, a, from);
			if (to < 10)
				return REFUSE(
					why,
					"the distance of node %u to node %u is %u: nothing is "
					"nearer than a node to itself, 10",
					a, b, to);
		}
	}
	return 0;
}

/* Movable memory, options, platform -------------------------------------------------------- */

static int movable_size_check(const char *name, uint64_t pages, unsigned percent,
			      struct qr_error_text *why)
{
	if (pages && percent)
		return REFUSE(why,
			      "%s is given both in pages (%llu) and in percent (%u): choose one",
			      name, ULL(pages), percent);
	if (percent > 99)
		return REFUSE(why, "%s is %u percent: it must be 1..99, or 0 for no wish", name,
			      percent);
	return 0;
}

static int movable_check(const struct qr_config *config, struct qr_error_text *why)
{
	const struct qr_movable_config *m = &config->movable;
	int error;

	error = movable_size_check("kernelcore", m->kernelcore_pages, m->kernelcore_percent, why);
	if (error)
		return error;
	return movable_size_check("movablecore", m->movablecore_pages, m->movablecore_percent, why);
}

static int options_check(const struct qr_config *config, struct qr_error_text *why)
{
	uint32_t unknown = config->options & ~ALL_OPTIONS;

	if (unknown)
		return REFUSE(why, "options has bits that mean nothing, %#x: use QR_OPT_ constants",
			      (unsigned)unknown);
	if (config->guard_minorder > QR_MAX_PAGE_ORDER / 2)
		return REFUSE(why, "guard_minorder is %u: it must be 0..%u", config->guard_minorder,
			      (unsigned)(QR_MAX_PAGE_ORDER / 2));
	return 0;
}

/* Hooks that only make sense together. */
static int platform_check(const struct qr_config *config, struct qr_error_text *why)
{
	const struct qr_platform *p = &config->platform;

	if ((unsigned)p->cpu_model > QR_CPU_UP)
		return REFUSE(why, "platform.cpu_model is %u, which is none of SMP, RT and UP",
			      (unsigned)p->cpu_model);
	if (p->cpu_model == QR_CPU_UP && config->nr_cpus != 1)
		return REFUSE(why, "platform.cpu_model is UP but nr_cpus is %u: it must be 1",
			      config->nr_cpus);
	if (p->cpu_model == QR_CPU_RT && !p->cpu_pin)
		return REFUSE(why, "platform.cpu_model is RT but there is no hook cpu_pin: "
				   "RT needs one that forbids migration");
	if (!p->cpu_pin != !p->cpu_unpin)
		return REFUSE(why, "platform has only one of cpu_pin and cpu_unpin: give both");
	if (!p->local_trylock != !p->local_fence)
		return REFUSE(why, "platform has only one of local_trylock and local_fence: "
				   "give both");
	if (p->local_commit && !p->local_trylock)
		return REFUSE(why, "platform has local_commit but not local_trylock: give both");
	if (p->cpu_model == QR_CPU_UP && p->local_trylock)
		return REFUSE(why, "platform.cpu_model is UP and there is a hook local_trylock: "
				   "leave it out, one CPU masks interrupts instead");
	if (!p->irq_save != !p->irq_restore)
		return REFUSE(why, "platform has only one of irq_save and irq_restore: give both");
	return 0;
}

int qr__machine_check(struct qr_layout *layout, const struct qr_config *config,
		      struct qr_error_text *why)
{
	int error;

	if (!config)
		return REFUSE(why, "there is no configuration");
	if (!config->ranges || !config->nr_ranges)
		return REFUSE(why, "there are no ranges: describe at least one range of RAM");
	if (config->nr_ranges > QR_MAX_RANGES)
		return REFUSE(why, "nr_ranges is %u: at most %u ranges are possible",
			      config->nr_ranges, QR_MAX_RANGES);
	layout->config = config;
	(void)((error = cpus_check(layout, config, why)) ||
	       (error = nodes_check(layout, config, why)) ||
	       (error = ranges_check(layout, config, why)) ||
	       (error = sections_check(layout, config, why)) ||
	       (error = span_check(layout, config, why)) ||
	       (error = limits_check(layout, config, why)) ||
	       (error = cpu_nodes_check(layout, config, why)) ||
	       (error = distances_check(layout, config, why)) ||
	       (error = movable_check(config, why)) || (error = options_check(config, why)) ||
	       (error = platform_check(config, why)));
	return error;
}
