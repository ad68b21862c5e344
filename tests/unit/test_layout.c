/* SPDX-License-Identifier: MIT */
/*
 * test_layout.c - from a description of a machine to zones, extents, sections and pageblocks
 *
 * Only the two lowest layers are made here, so that nothing but the layout can be wrong.
 */
#include "support.h"

#include "frames/layout.h"

static struct test_machine *m;
static struct qr_frames *frames;
static char *rooms;
static struct qr_layout layout;

static int setup(void **state)
{
	(void)state;
	m = test_machine_new();
	frames = NULL;
	rooms = NULL;
	return 0;
}

static void frames_free(void)
{
	free(frames);
	free(rooms);
	frames = NULL;
	rooms = NULL;
}

static int teardown(void **state)
{
	(void)state;
	frames_free();
	test_machine_free(m);
	return 0;
}

/* Base and frames of m's description. */
static void frames_make(void)
{
	struct qr_error_text why = {""};
	size_t size;

	if (qr__layout_plan(&layout, &m->config, &why))
		fail_msg("machine refused: %s", why.text);
	qr__frames_rooms(&layout, NULL, NULL);
	size = (layout.offset + 4095) & ~(size_t)4095;
	layout.offset = 0;
	frames = calloc(1, sizeof(*frames));
	rooms = aligned_alloc(4096, size);
	assert_non_null(frames);
	assert_non_null(rooms);
	memset(rooms, 0, size);
	frames->base.platform = m->config.platform;
	frames->base.nr_cpus = m->config.nr_cpus;
	qr__frames_rooms(&layout, frames, rooms);
	assert_true(layout.offset <= size);
	qr__frames_init(frames, &layout);
	qr__zonelists_rebuild(frames);
}

static struct qr_zone *zone_of(int nid, enum qr_zone_type type)
{
	return &frames->nodes[nid].zones[type];
}

static void zone_is(int nid, enum qr_zone_type type, qr_pfn_t start, qr_pfn_t end, uint64_t present,
		    uint64_t managed)
{
	const struct qr_zone *zone = zone_of(nid, type);

	assert_int_equal(qr__zone_start(zone), start);
	assert_int_equal(qr__zone_end(zone), end);
	assert_int_equal(qr__read(&zone->present_pages), present);
	assert_int_equal(qr__read(&zone->managed_pages), managed);
	assert_int_equal(zone->present_early_pages, present);
}

static void zone_is_empty(int nid, enum qr_zone_type type)
{
	zone_is(nid, type, 0, 0, 0, 0);
}

#define MIB(n) ((uint64_t)(n) * (1 << 20) / QR_PAGE_SIZE)

/* Zones and extents of known machines ------------------------------------------------------ */

/* The numbers of /proc/zoneinfo of a PC with 8 GiB: spans have holes in them. */
static void a_pc(void **state)
{
	(void)state;
	test_machine_pc(m, MIB(8192));
	frames_make();
	zone_is(0, QR_ZONE_DMA, 0, 4096, 160 + 4096 - 256, 160 + 4096 - 256);
	zone_is(0, QR_ZONE_DMA32, 4096, MIB(4096), MIB(3072) - 4096, MIB(3072) - 4096);
	zone_is(0, QR_ZONE_NORMAL, MIB(4096), MIB(4096) + MIB(8192) - MIB(3072) - 160 + 256,
		MIB(8192) - MIB(3072) + 256 - 160, MIB(8192) - MIB(3072) + 256 - 160);
	zone_is_empty(0, QR_ZONE_HIGHMEM);
	zone_is_empty(0, QR_ZONE_MOVABLE);
	zone_is_empty(0, QR_ZONE_DEVICE);
	assert_int_equal(frames->nr_extents, 4);
	assert_int_equal(frames->movable_zone, QR_ZONE_NORMAL);
	assert_true(frames->have_zone[QR_ZONE_DMA]);
	assert_true(frames->have_zone[QR_ZONE_DMA32]);
	assert_false(frames->have_zone[QR_ZONE_HIGHMEM]);
	assert_true(frames->have_zone[QR_ZONE_MOVABLE]);
}

static void a_small_pc_has_no_normal_zone(void **state)
{
	(void)state;
	test_machine_pc(m, MIB(64));
	frames_make();
	zone_is_empty(0, QR_ZONE_NORMAL);
	assert_int_equal(qr__zone_start(zone_of(0, QR_ZONE_DMA32)), 4096);
	assert_int_equal(frames->movable_zone, QR_ZONE_DMA32);
	assert_true(frames->have_zone[QR_ZONE_NORMAL]);
}

static void highmem(void **state)
{
	(void)state;
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 4096,
							.dma32_end = 4096,
							.normal_end = MIB(896),
							.highmem_end = MIB(2048)};
	test_machine_add(m, 0, MIB(2048), 0);
	frames_make();
	zone_is(0, QR_ZONE_DMA, 0, 4096, 4096, 4096);
	zone_is_empty(0, QR_ZONE_DMA32);
	zone_is(0, QR_ZONE_NORMAL, 4096, MIB(896), MIB(896) - 4096, MIB(896) - 4096);
	zone_is(0, QR_ZONE_HIGHMEM, MIB(896), MIB(2048), MIB(1152), MIB(1152));
	assert_int_equal(frames->movable_zone, QR_ZONE_HIGHMEM);
	assert_false(frames->have_zone[QR_ZONE_DMA32]);
	assert_true(frames->have_zone[QR_ZONE_HIGHMEM]);
	assert_true(qr__node_is(frames, 0, QR_N_HIGH_MEMORY));
}

/* Trailing limits left at zero: the last one given is the end of memory. */
static void short_limits(void **state)
{
	(void)state;
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 4096, .dma32_end = 8192 + 7};
	test_machine_add(m, 0, 8192 + 7, 0);
	frames_make();
	zone_is(0, QR_ZONE_DMA32, 4096, 8192 + 7, 4096 + 7, 4096 + 7);
	zone_is_empty(0, QR_ZONE_NORMAL);
}

static void reserved_and_device(void **state)
{
	const struct qr_extent *extent;

	(void)state;
	test_machine_one_zone(m, 8192);
	m->ranges[0].nr_pages = 4096;
	test_machine_add(m, 4096, 100, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, 4196, 8192 - 4196, 0);
	test_machine_add(m, 65536, 1000, 0)->kind = QR_RANGE_DEVICE;
	frames_make();
	zone_is(0, QR_ZONE_NORMAL, 0, 8192, 8192, 8192 - 100);
	zone_is(0, QR_ZONE_DEVICE, 65536, 66536, 0, 0);
	assert_int_equal(frames->nr_extents, 4);

	extent = qr__extent_of(frames, 4100);
	assert_int_equal(extent->kind, QR_RANGE_RESERVED);
	assert_int_equal(extent->start_pfn, 4096);
	assert_int_equal(extent->end_pfn, 4196);
	/* Their records say nothing: whoever asks about such a frame asks the extents. */
	for (qr_pfn_t pfn = 4095; pfn < 4197; pfn++)
		assert_int_equal(qr__page_type(frames, qr__pfn_page(frames, pfn)), QR_PT_NONE);
	assert_ptr_equal(qr__pfn_zone(frames, 66535), zone_of(0, QR_ZONE_DEVICE));
	assert_null(qr__pfn_zone(frames, 66536));
}

/* Neighbours that are alike become one extent, in whatever order they are given. */
static void joined_extents(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = 1 << 20;
	test_machine_add(m, 6000, 2192, 0);
	test_machine_add(m, 5000, 1000, 0);
	test_machine_add(m, 1000, 4000, 0);
	test_machine_add(m, 8192, 1024, 1);
	frames_make();
	assert_int_equal(frames->nr_extents, 2);
	assert_int_equal(frames->extents[0].start_pfn, 1000);
	assert_int_equal(frames->extents[0].end_pfn, 8192);
	assert_int_equal(frames->extents[1].nid, 1);
	zone_is(0, QR_ZONE_NORMAL, 1000, 8192, 7192, 7192);
	zone_is(1, QR_ZONE_NORMAL, 8192, 9216, 1024, 1024);
}

/* kernelcore and movablecore --------------------------------------------------------------- */

/* Where Movable begins on a node; QR_PFN_NONE: it has none. */
static qr_pfn_t movable_start(int nid)
{
	const struct qr_zone *zone = zone_of(nid, QR_ZONE_MOVABLE);

	return qr__zone_populated(zone) ? qr__zone_start(zone) : QR_PFN_NONE;
}

#define MAX_BLOCK QR_MAX_ORDER_NR_PAGES
#define BLOCKS(n) ((n)*MAX_BLOCK)

/* One node: so much for the kernel, the rest is Movable. */
static void kernelcore_on_one_node(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_pages = BLOCKS(16);
	frames_make();
	zone_is(0, QR_ZONE_NORMAL, 0, BLOCKS(16), BLOCKS(16), BLOCKS(16));
	zone_is(0, QR_ZONE_MOVABLE, BLOCKS(16), BLOCKS(64), BLOCKS(48), BLOCKS(48));
	assert_int_equal(frames->movable_zone, QR_ZONE_NORMAL);
	assert_int_equal(frames->nr_extents, 2);
}

static void kernelcore_is_rounded_up(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_pages = BLOCKS(16) + 1;
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(17));
}

static void kernelcore_in_percent(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_percent = 25;
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(16));
}

/* movablecore is rounded up to whole blocks first: 64 - 49. */
static void movablecore(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.movablecore_pages = BLOCKS(48) + 1;
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(15));
	frames_free();
	m->config.movable.movablecore_pages = 0;
	m->config.movable.movablecore_percent = 75;
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(16));
}

/* Both given: whichever leaves the kernel more. */
static void kernelcore_against_movablecore(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_pages = BLOCKS(10);
	m->config.movable.movablecore_pages = BLOCKS(40);
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(24));
	frames_free();
	m->config.movable.kernelcore_pages = BLOCKS(30);
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(30));
}

static void no_movable_zone(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_pages = BLOCKS(64);
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	frames_free();
	/* More Movable than there is: nothing would be left, so there is no such zone. */
	m->config.movable.kernelcore_pages = 0;
	m->config.movable.movablecore_pages = BLOCKS(100);
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	frames_free();
	/* Rounded up, Movable would begin where the node ends. */
	m->config.movable.movablecore_pages = 0;
	m->config.movable.kernelcore_pages = BLOCKS(63) + 1;
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
}

/* Two nodes of unlike size: 20 each would do for both. */
static void spread_evenly(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(128);
	test_machine_add(m, 0, BLOCKS(32), 0);
	test_machine_add(m, BLOCKS(32), BLOCKS(96), 1);
	m->config.movable.kernelcore_pages = BLOCKS(40);
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(20));
	assert_int_equal(movable_start(1), BLOCKS(32 + 20));
}

/* Node 0 has less than its share: node 1 takes the rest in a second pass, 40 - 8. */
static void a_small_node_leaves_the_rest(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(128);
	test_machine_add(m, 0, BLOCKS(8), 0);
	test_machine_add(m, BLOCKS(8), BLOCKS(120), 1);
	m->config.movable.kernelcore_pages = BLOCKS(40);
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	assert_int_equal(movable_start(1), BLOCKS(8 + 20 + 12));
}

/*
 * Three nodes of 4, 30 and 90, kernelcore 60.  First pass, 20 each: node 0 gives 4.  16 are left;
 * second pass, two nodes, 8 each: node 0 has none, nodes 1 and 2 give 8.
 */
static void two_passes(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(124);
	test_machine_add(m, 0, BLOCKS(4), 0);
	test_machine_add(m, BLOCKS(4), BLOCKS(30), 1);
	test_machine_add(m, BLOCKS(34), BLOCKS(90), 2);
	m->config.movable.kernelcore_pages = BLOCKS(60);
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	assert_int_equal(movable_start(1), BLOCKS(4 + 20 + 8));
	assert_int_equal(movable_start(2), BLOCKS(34 + 20 + 8));
}

/*
 * Memory below the movable zone is the kernel's anyway.  Node 0 has 30 of it, more than its share
 * of 20, and gives no other.  The 10 that remain are less than a share, so they are shared anew: 5
 * from node 1, and in a second pass, with one node to reckon with, 5 from node 0.
 */
static void lower_zones_count_first(void **state)
{
	(void)state;
	m->config.zone_limits =
		(struct qr_zone_limits){.dma32_end = BLOCKS(30), .normal_end = BLOCKS(128)};
	test_machine_add(m, 0, BLOCKS(64), 0);
	test_machine_add(m, BLOCKS(64), BLOCKS(64), 1);
	m->config.movable.kernelcore_pages = BLOCKS(40);
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(30 + 5));
	assert_int_equal(movable_start(1), BLOCKS(64 + 5));
	zone_is(0, QR_ZONE_DMA32, 0, BLOCKS(30), BLOCKS(30), BLOCKS(30));
	zone_is(0, QR_ZONE_NORMAL, BLOCKS(30), BLOCKS(35), BLOCKS(5), BLOCKS(5));
	zone_is(0, QR_ZONE_MOVABLE, BLOCKS(35), BLOCKS(64), BLOCKS(29), BLOCKS(29));
}

/* Holes are no memory: the share is counted in frames, not in pfns. */
static void holes_do_not_count(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(128);
	test_machine_add(m, 0, BLOCKS(8), 0);
	test_machine_add(m, BLOCKS(40), BLOCKS(24), 0);
	m->config.movable.kernelcore_pages = BLOCKS(12);
	frames_make();
	assert_int_equal(movable_start(0), BLOCKS(44));
	zone_is(0, QR_ZONE_NORMAL, 0, BLOCKS(44), BLOCKS(12), BLOCKS(12));
	zone_is(0, QR_ZONE_MOVABLE, BLOCKS(44), BLOCKS(64), BLOCKS(20), BLOCKS(20));
}

/* movable_node beats the rest; the zone begins with the first hotpluggable range of the node. */
static void movable_node(void **state)
{
	(void)state;
	test_machine_nodes(m, 3, BLOCKS(16));
	m->ranges[1].hotpluggable = true;
	m->config.movable.movable_node = true;
	m->config.movable.kernelcore_mirror = true;
	m->config.movable.kernelcore_pages = BLOCKS(1);
	m->ranges[0].mirrored = true;
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	assert_int_equal(movable_start(1), BLOCKS(16));
	assert_true(movable_start(2) == QR_PFN_NONE);
	zone_is_empty(1, QR_ZONE_NORMAL);
	assert_true(qr__node_is(frames, 1, QR_N_MEMORY));
	assert_false(qr__node_is(frames, 1, QR_N_NORMAL_MEMORY));
	assert_false(qr__node_is(frames, 1, QR_N_HIGH_MEMORY));
}

/* Movable cannot begin at pfn 0: as on Linux, 0 means that there is none. */
static void movable_from_the_first_frame(void **state)
{
	(void)state;
	test_machine_nodes(m, 2, BLOCKS(16));
	m->ranges[0].hotpluggable = true;
	m->ranges[1].hotpluggable = true;
	m->config.movable.movable_node = true;
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
	assert_int_equal(movable_start(1), BLOCKS(16));
}

/* Mirrored memory stays the kernel's wherever it is, so the two zones' spans overlap. */
static void kernelcore_mirror(void **state)
{
	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(64);
	test_machine_add(m, 0, BLOCKS(8), 0)->mirrored = true;
	test_machine_add(m, BLOCKS(8), BLOCKS(24), 0);
	test_machine_add(m, BLOCKS(32), BLOCKS(8), 0)->mirrored = true;
	test_machine_add(m, BLOCKS(40), BLOCKS(24), 0);
	m->config.movable.kernelcore_mirror = true;
	frames_make();
	zone_is(0, QR_ZONE_NORMAL, 0, BLOCKS(64), BLOCKS(16), BLOCKS(16));
	zone_is(0, QR_ZONE_MOVABLE, BLOCKS(8), BLOCKS(64), BLOCKS(48), BLOCKS(48));
	assert_int_equal(qr__extent_of(frames, BLOCKS(32))->zone, QR_ZONE_NORMAL);
	assert_int_equal(qr__extent_of(frames, BLOCKS(40))->zone, QR_ZONE_MOVABLE);
}

static void nothing_is_mirrored(void **state)
{
	(void)state;
	test_machine_one_zone(m, BLOCKS(64));
	m->config.movable.kernelcore_mirror = true;
	frames_make();
	assert_true(movable_start(0) == QR_PFN_NONE);
}

/* Random machines -------------------------------------------------------------------------- */

#define UNIT (QR_PAGEBLOCK_NR_PAGES * 2)

/* Ranges with holes, in any order; nodes change at pageblocks only. */
static void random_machine(uint64_t *random)
{
	unsigned nr = 1 + (unsigned)test_random_below(random, 20);
	qr_pfn_t pfn = test_random_below(random, 100) * UNIT;

	m->config.nr_ranges = 0;
	m->config.nr_nodes = 0;
	m->config.section_order = QR_MAX_PAGE_ORDER + (unsigned)test_random_below(random, 3);
	for (unsigned i = 0; i < nr; i++) {
		uint64_t pages = 1 + test_random_below(random, 8 * UNIT);
		struct qr_range *range =
			test_machine_add(m, pfn, pages, (int)test_random_below(random, 4));

		range->kind = (enum qr_range_kind)test_random_below(random, 3);
		range->mirrored = test_random_below(random, 2);
		range->hotpluggable = test_random_below(random, 2);
		pfn += pages + test_random_below(random, 3) * test_random_below(random, 2 * UNIT);
		if (test_random_below(random, 4))
			pfn = qr__align_up(pfn, QR_PAGEBLOCK_NR_PAGES);
	}
	m->ranges[test_random_below(random, nr)].kind = QR_RANGE_RAM;
	for (unsigned i = nr - 1; i; i--) {
		unsigned j = (unsigned)test_random_below(random, i + 1);
		struct qr_range swap = m->ranges[i];

		m->ranges[i] = m->ranges[j];
		m->ranges[j] = swap;
	}
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = test_random_below(random, 60) * UNIT,
		.normal_end = QR_PFN_NONE,
	};
	m->config.zone_limits.dma32_end =
		m->config.zone_limits.dma_end + test_random_below(random, 60) * UNIT;
	m->config.movable = (struct qr_movable_config){
		.kernelcore_percent = (unsigned)test_random_below(random, 100),
		.movablecore_pages = test_random_below(random, 20) * UNIT,
		.kernelcore_mirror = test_random_below(random, 4) == 0,
		.movable_node = test_random_below(random, 4) == 0,
	};
}

static void extents_are_sorted_and_apart(void)
{
	for (unsigned i = 0; i < frames->nr_extents; i++) {
		const struct qr_extent *extent = &frames->extents[i];

		assert_true(extent->start_pfn < extent->end_pfn);
		assert_true(frames->base_pfn <= extent->start_pfn);
		assert_true(extent->end_pfn <= frames->end_pfn);
		if (i)
			assert_true(extent[-1].end_pfn <= extent->start_pfn);
	}
}

/* The range a pfn is of, by looking at all; NULL: a hole. */
static const struct qr_range *range_of(qr_pfn_t pfn)
{
	for (unsigned i = 0; i < m->config.nr_ranges; i++)
		if (pfn - m->ranges[i].start_pfn < m->ranges[i].nr_pages)
			return &m->ranges[i];
	return NULL;
}

static void frame_is_right(qr_pfn_t pfn, uint64_t *present, uint64_t *managed)
{
	const struct qr_extent *extent = qr__extent_of(frames, pfn);
	const struct qr_range *range = range_of(pfn);
	const struct qr_zone_limits *limits = &m->config.zone_limits;
	struct qr_zone *zone = qr__pfn_zone(frames, pfn);
	enum qr_zone_type low = pfn < limits->dma_end     ? QR_ZONE_DMA
				: pfn < limits->dma32_end ? QR_ZONE_DMA32
							  : QR_ZONE_NORMAL;

	assert_int_equal(extent != NULL, range != NULL);
	if (!range) {
		assert_null(zone);
		return;
	}
	assert_true(qr__pfn_online(frames, pfn));
	assert_int_equal(extent->nid, range->nid);
	assert_int_equal(extent->kind, range->kind);
	assert_true(qr__zone_spans(zone, pfn));
	assert_int_equal(zone->nid, range->nid);
	if (range->kind == QR_RANGE_DEVICE) {
		assert_int_equal(zone->type, QR_ZONE_DEVICE);
		return;
	}
	if (zone->type != QR_ZONE_MOVABLE)
		assert_int_equal(zone->type, low);
	else
		assert_int_equal(low, frames->movable_zone);
	present[zone->id]++;
	managed[zone->id] += range->kind == QR_RANGE_RAM;
}

/* A pageblock's record is guarded by one zone's lock. */
static void pageblocks_have_one_zone(void)
{
	const struct qr_zone *last = NULL;
	qr_pfn_t last_pfn = 0;

	for (qr_pfn_t pfn = frames->base_pfn; pfn < frames->end_pfn; pfn++) {
		const struct qr_zone *zone = qr__pfn_zone(frames, pfn);

		if (!zone)
			continue;
		if (last && last_pfn >> QR_PAGEBLOCK_ORDER == pfn >> QR_PAGEBLOCK_ORDER)
			assert_ptr_equal(zone, last);
		last = zone;
		last_pfn = pfn;
	}
}

static void fresh_runs_cover_the_ram(struct qr_zone *zone)
{
	qr_pfn_t start = 0, end = 0;
	uint64_t nr = 0, section = qr__order_pages(frames->section_order);

	while (qr__zone_next_fresh(zone, &start, &end)) {
		assert_true(start < end);
		assert_true(start / section == (end - 1) / section);
		assert_ptr_equal(qr__pfn_zone(frames, start), zone);
		assert_ptr_equal(qr__pfn_zone(frames, end - 1), zone);
		assert_int_equal(qr__extent_of(frames, start)->kind, QR_RANGE_RAM);
		nr += end - start;
		start = end;
	}
	assert_int_equal(nr, qr__read(&zone->managed_pages));
}

static void random_machine_is_right(void)
{
	uint64_t present[4 * QR_NR_ZONES] = {0}, managed[4 * QR_NR_ZONES] = {0};
	struct qr_zone *zone;

	extents_are_sorted_and_apart();
	for (qr_pfn_t pfn = frames->base_pfn; pfn < frames->end_pfn; pfn++)
		frame_is_right(pfn, present, managed);
	pageblocks_have_one_zone();
	qr__for_each_zone(frames, zone)
	{
		assert_int_equal(qr__read(&zone->present_pages), present[zone->id]);
		assert_int_equal(qr__read(&zone->managed_pages), managed[zone->id]);
		assert_true(present[zone->id] <= qr__read(&zone->spanned_pages));
		assert_int_equal(zone->id, (unsigned)zone->nid * QR_NR_ZONES + zone->type);
		assert_ptr_equal(qr__zone_by_id(frames, zone->id), zone);
		if (zone->type != QR_ZONE_DEVICE)
			fresh_runs_cover_the_ram(zone);
	}
}

static void random_machines(void **state)
{
	uint64_t seed = test_seed(31), random = seed;
	unsigned refused = 0, rounds = 400;

	(void)state;
	print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < rounds; round++) {
		struct qr_error_text why = {""};

		random_machine(&random);
		if (qr__layout_plan(&layout, &m->config, &why)) {
			/* The one fault that random machines have. */
			assert_non_null(strstr(why.text, "share a pageblock"));
			refused++;
			continue;
		}
		frames_make();
		random_machine_is_right();
		frames_free();
	}
	print_message("%u of %u machines refused\n", refused, rounds);
	assert_true(refused < rounds * 3 / 4);
}

/* Lookups ---------------------------------------------------------------------------------- */

static void lookups(void **state)
{
	struct quire *q;
	struct qr_page *page;

	(void)state;
	m->config.section_order = QR_MAX_PAGE_ORDER;
	m->config.zone_limits.normal_end = BLOCKS(1024);
	test_machine_add(m, BLOCKS(4), MAX_BLOCK / 2, 0);
	test_machine_add(m, BLOCKS(9), BLOCKS(1), 1);
	frames_make();
	q = (struct quire *)(void *)frames;
	assert_int_equal(frames->base_pfn, BLOCKS(4));
	assert_int_equal(frames->end_pfn, BLOCKS(10));

	assert_true(qr__pfn_online(frames, BLOCKS(4)));
	assert_true(qr__pfn_online(frames, BLOCKS(5) - 1)); /* a hole, but its section is there */
	assert_false(qr__pfn_online(frames, BLOCKS(5)));
	assert_false(qr__pfn_online(frames, BLOCKS(4) - 1));
	assert_false(qr__pfn_online(frames, BLOCKS(10)));
	assert_false(qr__pfn_online(frames, QR_PFN_NONE));

	page = qr_pfn_to_page(q, BLOCKS(9) + 3);
	assert_ptr_equal(page, &frames->pages[BLOCKS(5) + 3]);
	assert_int_equal(qr_page_to_pfn(q, page), BLOCKS(9) + 3);
	assert_int_equal(qr_page_nid(q, page), 1);
	assert_int_equal(qr_page_zone_type(q, page), QR_ZONE_NORMAL);
	assert_null(qr_pfn_to_page(q, BLOCKS(5) - 1));
	assert_null(qr_pfn_to_page(q, BLOCKS(6)));
	assert_null(qr_pfn_to_page(q, 0));

	assert_ptr_equal(qr__page_validate(frames, page), page);
	for (size_t i = 1; i < sizeof(*page); i++)
		assert_null(qr__page_validate(frames, (const void *)((const char *)page + i)));
	assert_null(qr__page_validate(frames, frames->pages - 1));
	assert_null(qr__page_validate(frames, frames->pages + BLOCKS(6)));
	assert_null(qr__page_validate(frames, NULL));
	assert_true(qr_page_to_pfn(q, NULL) == QR_PFN_NONE);
	assert_int_equal(qr_page_nid(q, NULL), (unsigned)QR_NODE_NONE);
	assert_int_equal(qr_page_zone_type(q, NULL), QR_NR_ZONES);
	assert_int_equal(qr_page_zone_type(q, frames->pages + BLOCKS(1)), QR_NR_ZONES);

	assert_int_equal(qr_get_pageblock_migratetype(q, BLOCKS(4)), QR_MIGRATE_MOVABLE);
	assert_int_equal(qr_get_pageblock_migratetype(q, BLOCKS(6)), QR_MIGRATE_TYPES);
	assert_ptr_equal(qr_zone_at(q, 1, QR_ZONE_NORMAL), zone_of(1, QR_ZONE_NORMAL));
	assert_null(qr_zone_at(q, 2, QR_ZONE_NORMAL));
	assert_null(qr_zone_at(q, -1, QR_ZONE_NORMAL));
	assert_null(qr_zone_at(q, 0, QR_NR_ZONES));
	assert_int_equal(qr_node_distance(q, 0, 0), 10);
	assert_int_equal(qr_node_distance(q, 0, 1), 20);
	assert_int_equal(qr_node_distance(q, 0, 2), QR_EINVAL);
	assert_int_equal(qr_node_distance(q, -1, 0), QR_EINVAL);
}

static void compound_heads(void **state)
{
	struct qr_page *head, *tail;

	(void)state;
	test_machine_one_zone(m, BLOCKS(1));
	frames_make();
	head = qr__pfn_page(frames, 4);
	tail = qr__pfn_page(frames, 6);
	qr__page_type_set(frames, tail, QR_PT_TAIL);
	tail->link.next = qr__page_index(frames, head);
	assert_ptr_equal(qr__compound_head(frames, tail), head);
	assert_ptr_equal(qr__compound_head(frames, head), head);
}

/* Pageblocks ------------------------------------------------------------------------------- */

static void pageblock_records(void **state)
{
	struct qr_zone *zone;
	qr_pfn_t pfn = QR_PAGEBLOCK_NR_PAGES * 3 + 1;
	unsigned long irqs;

	(void)state;
	test_machine_one_zone(m, BLOCKS(4));
	frames_make();
	zone = zone_of(0, QR_ZONE_NORMAL);
	irqs = qr__zone_lock(zone);
	for (unsigned type = 0; type < QR_MIGRATE_ISOLATE; type++) {
		qr__pageblock_type_set_locked(zone, pfn, (enum qr_migratetype)type);
		assert_int_equal(qr__pageblock_type(frames, pfn), type);

		/* Isolation covers the type and the skip hint touches neither. */
		qr__pageblock_isolate_set_locked(zone, pfn, true);
		qr__pageblock_skip_set(frames, pfn, true);
		assert_int_equal(qr__pageblock_type(frames, pfn), QR_MIGRATE_ISOLATE);
		assert_int_equal(qr__pageblock_type_beneath(frames, pfn), type);
		assert_true(qr__pageblock_skip(frames, pfn));

		/* A type set meanwhile comes out later. */
		qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_CMA);
		assert_int_equal(qr__pageblock_type(frames, pfn), QR_MIGRATE_ISOLATE);
		qr__pageblock_isolate_set_locked(zone, pfn, false);
		assert_int_equal(qr__pageblock_type(frames, pfn), QR_MIGRATE_CMA);
		assert_true(qr__pageblock_skip(frames, pfn));
		qr__pageblock_skip_set(frames, pfn, false);
		assert_false(qr__pageblock_skip(frames, pfn));
	}
	/* The neighbours heard nothing of it. */
	assert_int_equal(qr__pageblock_type(frames, pfn - QR_PAGEBLOCK_NR_PAGES),
			 QR_MIGRATE_MOVABLE);
	assert_int_equal(qr__pageblock_type(frames, pfn + QR_PAGEBLOCK_NR_PAGES),
			 QR_MIGRATE_MOVABLE);

	/* Too little memory to group: plain types are all the same. */
	atomic_store(&frames->mobility_disabled, true);
	qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_RECLAIMABLE);
	assert_int_equal(qr__pageblock_type(frames, pfn), QR_MIGRATE_UNMOVABLE);
	qr__pageblock_type_set_locked(zone, pfn, QR_MIGRATE_HIGHATOMIC);
	assert_int_equal(qr__pageblock_type(frames, pfn), QR_MIGRATE_HIGHATOMIC);
	qr__zone_unlock(zone, irqs);
	assert_int_equal(qr__read(&zone->nr_locks), 1);
	assert_int_equal(test_irqs_masked(), 0);
}

static void pageblocks_at_the_ends_of_a_zone(void **state)
{
	const uint64_t half = QR_PAGEBLOCK_NR_PAGES / 2;
	struct qr_zone *zone;

	(void)state;
	m->config.zone_limits.normal_end = BLOCKS(64);
	test_machine_add(m, half, QR_PAGEBLOCK_NR_PAGES * 2, 0);
	frames_make();
	zone = zone_of(0, QR_ZONE_NORMAL);
	assert_false(qr__pageblock_in_zone(zone, half));
	assert_true(qr__pageblock_in_zone(zone, QR_PAGEBLOCK_NR_PAGES));
	assert_true(qr__pageblock_in_zone(zone, QR_PAGEBLOCK_NR_PAGES * 2 - 1));
	assert_false(qr__pageblock_in_zone(zone, QR_PAGEBLOCK_NR_PAGES * 2));
}

#if QR_DEBUG
static void isolation_is_no_type(void **state)
{
	struct qr_zone *zone;

	(void)state;
	test_machine_one_zone(m, BLOCKS(4));
	frames_make();
	zone = zone_of(0, QR_ZONE_NORMAL);
	test_panics(m, "is not held", qr__pageblock_isolate_set_locked(zone, 0, true));
	qr__zone_lock(zone);
	test_panics(m, "isolation is a bit apart",
		    qr__pageblock_type_set_locked(zone, 0, QR_MIGRATE_ISOLATE));
}
#endif

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_pc),
		TEST(a_small_pc_has_no_normal_zone),
		TEST(highmem),
		TEST(short_limits),
		TEST(reserved_and_device),
		TEST(joined_extents),
		TEST(kernelcore_on_one_node),
		TEST(kernelcore_is_rounded_up),
		TEST(kernelcore_in_percent),
		TEST(movablecore),
		TEST(kernelcore_against_movablecore),
		TEST(no_movable_zone),
		TEST(spread_evenly),
		TEST(a_small_node_leaves_the_rest),
		TEST(two_passes),
		TEST(lower_zones_count_first),
		TEST(holes_do_not_count),
		TEST(movable_node),
		TEST(movable_from_the_first_frame),
		TEST(kernelcore_mirror),
		TEST(nothing_is_mirrored),
		TEST(random_machines),
		TEST(lookups),
		TEST(compound_heads),
		TEST(pageblock_records),
		TEST(pageblocks_at_the_ends_of_a_zone),
#if QR_DEBUG
		TEST(isolation_is_no_type),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
