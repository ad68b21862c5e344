/* SPDX-License-Identifier: MIT */
/*
 * test_zonelist.c - node states, and in which order zones are tried
 */
#include "support.h"

#include "frames/layout.h"

#include <pthread.h>

#define PAGES (QR_MAX_ORDER_NR_PAGES * 4)

static struct test_machine *m;
static struct qr_frames *frames;
static char *rooms;

static int setup(void **state)
{
	(void)state;
	m = test_machine_new();
	m->config.section_order = QR_MAX_PAGE_ORDER;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(frames);
	free(rooms);
	frames = NULL;
	rooms = NULL;
	test_machine_free(m);
	return 0;
}

static void frames_make(void)
{
	struct qr_error_text why = {""};
	struct qr_layout layout;
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
	qr__frames_init(frames, &layout);
	qr__zonelists_rebuild(frames);
}

/* The nodes of a list in turn, each once, as digits. */
static void nodes_in_turn(int nid, char *text)
{
	struct qr_zoneref *ref;
	struct qr_zone *zone;
	int last = QR_NODE_NONE;

	qr__for_each_zone_zonelist(ref, zone, frames->nodes[nid].zonelist, QR_ZONE_DEVICE, NULL)
	{
		if (zone->nid != last)
			*text++ = (char)('0' + zone->nid);
		last = zone->nid;
	}
	*text = '\0';
}

static void order_is(int nid, const char *expected)
{
	char text[QR_MAX_NODES * 2];

	nodes_in_turn(nid, text);
	if (strcmp(text, expected))
		fail_msg("node %d tries %s, not %s", nid, text, expected);
}

/* nr nodes, each with memory; CPUs on those in mask. */
static void nodes(unsigned nr, unsigned cpu_mask)
{
	m->config.zone_limits.normal_end = nr * PAGES;
	m->config.nr_nodes = nr;
	m->config.nr_cpus = 0;
	for (unsigned nid = 0; nid < nr; nid++) {
		test_machine_add(m, nid * PAGES, PAGES, (int)nid);
		if (cpu_mask >> nid & 1)
			test_machine_cpu_on(m, m->config.nr_cpus++, (int)nid);
	}
}

/* Nodes ------------------------------------------------------------------------------------ */

static void nearest_first(void **state)
{
	(void)state;
	nodes(4, 0xf);
	test_machine_distance(m, 0, 1, 40);
	test_machine_distance(m, 0, 2, 20);
	test_machine_distance(m, 0, 3, 30);
	test_machine_distance(m, 1, 2, 25);
	test_machine_distance(m, 1, 3, 15);
	test_machine_distance(m, 2, 3, 50);
	frames_make();
	order_is(0, "0231");
	order_is(1, "1320");
	order_is(2, "2013");
	order_is(3, "3102");
}

/*
 * Four nodes alike: if each fell back on the same one, that one would be overrun.
 *
 * By hand: node 0: all cost the same, 1 (load 1), then 2 and 3.  Node 1: 0 costs one more, being
 * lower; 2 (load 1), 3, 0.  Node 2: 3 is the only higher one (load 1), then 0 before 1, which has
 * load.  Node 3: all are lower: 0 has no load (load 1), then 1, 2.
 */
static void equals_take_turns(void **state)
{
	int first[4] = {0};

	(void)state;
	nodes(4, 0xf);
	frames_make();
	order_is(0, "0123");
	order_is(1, "1230");
	order_is(2, "2301");
	order_is(3, "3012");
	for (int nid = 0; nid < 4; nid++) {
		char text[QR_MAX_NODES * 2];

		nodes_in_turn(nid, text);
		first[text[1] - '0']++;
	}
	for (int nid = 0; nid < 4; nid++)
		assert_int_equal(first[nid], 1);
}

/* Of nodes at one distance, one without CPUs is better. */
static void nodes_without_cpus_are_spared_less(void **state)
{
	(void)state;
	nodes(3, 0x3);
	frames_make();
	order_is(0, "021");
	order_is(1, "120"); /* 2: 20; 0: 20 + lower + CPUs */
	order_is(2, "201");
}

/* A step in distance of 2 outweighs a lower number and CPUs together, a step of 1 does not. */
static void penalties_are_small(void **state)
{
	(void)state;
	nodes(3, 0x5); /* node 1 has no CPUs */
	test_machine_distance(m, 2, 0, 20);
	test_machine_distance(m, 2, 1, 22);
	test_machine_distance(m, 0, 1, 21);
	frames_make();
	/* 0: 20 + 1 + 1 = 22; 1: 22 + 1 = 23. */
	order_is(2, "201");
	/* 1: 21; 2: 20 + 1 = 21: the lower number. */
	order_is(0, "012");
}

/*
 * The load counts new distances, not places: two groups, {0,1} and {2,3}, far from each other.
 * Node 0 goes to 1, then to 2 (load of 2: 1).  Node 1 goes to 0, then, 2 having load, to 3.
 */
static void load_counts_groups(void **state)
{
	(void)state;
	nodes(4, 0xf);
	test_machine_distance(m, 0, 1, 12);
	test_machine_distance(m, 2, 3, 12);
	frames_make();
	order_is(0, "0123");
	order_is(1, "1032");
	/* Both have load 1 by now, from their neighbours: then the lower number. */
	order_is(2, "2301");
	order_is(3, "3210");
}

static void memoryless_nodes(void **state)
{
	(void)state;
	m->config.nr_nodes = 4;
	m->config.zone_limits.normal_end = 4 * PAGES;
	test_machine_add(m, 0, PAGES, 1);
	test_machine_add(m, 2 * PAGES, PAGES, 3);
	m->config.nr_cpus = 2;
	test_machine_cpu_on(m, 0, 0);
	test_machine_cpu_on(m, 1, 1);
	test_machine_distance(m, 0, 1, 40);
	m->config.generic_initiators = 1 << 2;
	frames_make();
	order_is(0, "31");
	order_is(1, "13");
	order_is(2, "31"); /* 1 has a CPU, and is lower */
	order_is(3, "31");
	assert_null(atomic_load(&frames->nodes[0].zonelist_thisnode->zone));

	for (int nid = 0; nid < 4; nid++) {
		assert_true(qr__node_is(frames, nid, QR_N_POSSIBLE));
		assert_true(qr__node_is(frames, nid, QR_N_ONLINE));
		assert_int_equal(qr__node_is(frames, nid, QR_N_MEMORY), nid % 2 == 1);
		assert_int_equal(qr__node_is(frames, nid, QR_N_NORMAL_MEMORY), nid % 2 == 1);
		assert_int_equal(qr__node_is(frames, nid, QR_N_HIGH_MEMORY), nid % 2 == 1);
		assert_int_equal(qr__node_is(frames, nid, QR_N_CPU), nid < 2);
		assert_int_equal(qr__node_is(frames, nid, QR_N_GENERIC_INITIATOR), nid == 2);
	}
}

static void nodes_that_nothing_names(void **state)
{
	(void)state;
	test_machine_one_zone(m, PAGES);
	m->config.nr_nodes = 3;
	frames_make();
	assert_true(qr__node_is(frames, 2, QR_N_POSSIBLE));
	assert_false(qr__node_is(frames, 2, QR_N_ONLINE));
	assert_true(qr__node_is(frames, 0, QR_N_ONLINE));
	order_is(2, "0");
	assert_int_equal(qr__numa_node(frames), 0);
}

static void nodes_are_counted_from_what_is_named(void **state)
{
	(void)state;
	test_machine_one_zone(m, PAGES);
	m->config.generic_initiators = UINT64_C(1) << 63;
	frames_make();
	assert_int_equal(frames->nr_nodes, 64);
	assert_true(qr__node_is(frames, 63, QR_N_POSSIBLE));
	order_is(63, "0");
}

/* As many as there can be, all alike: everyone's list has everyone, the first ones all differ. */
static void sixty_four_nodes(void **state)
{
	qr_nodemask_t firsts = 0;

	(void)state;
	for (unsigned nid = 0; nid < 64; nid++)
		test_machine_add(m, nid * PAGES, PAGES, (int)nid);
	m->config.zone_limits.normal_end = 64 * PAGES;
	frames_make();
	for (unsigned nid = 0; nid < 64; nid++) {
		const struct qr_zoneref *list = frames->nodes[nid].zonelist;
		qr_nodemask_t seen = 0;
		unsigned i = 0;

		for (; atomic_load(&list[i].zone); i++)
			seen |= UINT64_C(1) << atomic_load(&list[i].zone)->nid;
		assert_int_equal(i, 64);
		assert_true(seen == ~UINT64_C(0));
		assert_int_equal(atomic_load(&list[0].zone)->nid, nid);
		firsts |= UINT64_C(1) << atomic_load(&list[1].zone)->nid;
	}
	assert_true(__builtin_popcountll(firsts) > 32);
}

/* Zones ------------------------------------------------------------------------------------ */

struct expected {
	int nid;
	enum qr_zone_type type;
};

static void list_is(const struct qr_zoneref *ref, const struct expected *expected, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++, ref++) {
		const struct qr_zone *zone = atomic_load(&ref->zone);

		assert_non_null(zone);
		assert_int_equal(zone->nid, expected[i].nid);
		assert_int_equal(zone->type, expected[i].type);
		assert_int_equal(atomic_load(&ref->zone_idx), expected[i].type);
	}
	assert_null(atomic_load(&ref->zone));
}

/*
 * Two nodes of 4 units each; zones DMA and DMA32 take one unit each of node 0.  kernelcore is 4
 * units, so each node is to give 2: node 0 has given those already, and its Normal is empty.
 */
static void zone_machine(void)
{
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = PAGES,
		.dma32_end = 2 * PAGES,
		.normal_end = 8 * PAGES,
	};
	test_machine_add(m, 0, 4 * PAGES, 0);
	test_machine_add(m, 4 * PAGES, 4 * PAGES, 1);
	test_machine_add(m, 16 * PAGES, PAGES, 0)->kind = QR_RANGE_DEVICE;
	m->config.movable.kernelcore_percent = 50;
	frames_make();
}

static void zones_from_the_highest_down(void **state)
{
	const struct expected of_0[] = {{0, QR_ZONE_MOVABLE},
					{0, QR_ZONE_DMA32},
					{0, QR_ZONE_DMA},
					{1, QR_ZONE_MOVABLE},
					{1, QR_ZONE_NORMAL}};
	const struct expected of_1[] = {{1, QR_ZONE_MOVABLE},
					{1, QR_ZONE_NORMAL},
					{0, QR_ZONE_MOVABLE},
					{0, QR_ZONE_DMA32},
					{0, QR_ZONE_DMA}};

	(void)state;
	zone_machine();
	list_is(frames->nodes[0].zonelist, of_0, 5);
	list_is(frames->nodes[1].zonelist, of_1, 5);
	list_is(frames->nodes[0].zonelist_thisnode, of_0, 3);
	list_is(frames->nodes[1].zonelist_thisnode, of_1, 2);
}

/* Even if its frames were counted as present: zone Device is for nobody's requests. */
static void device_is_never_listed(void **state)
{
	struct qr_zone *device;
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	(void)state;
	zone_machine();
	device = &frames->nodes[0].zones[QR_ZONE_DEVICE];
	assert_int_equal(qr__read(&device->spanned_pages), PAGES);
	qr__write(&device->present_pages, PAGES);
	qr__zonelists_rebuild(frames);
	qr__for_each_zone_zonelist(ref, zone, frames->nodes[0].zonelist, QR_ZONE_DEVICE, NULL)
		assert_int_not_equal(zone->type, QR_ZONE_DEVICE);
	order_is(0, "01");
}

/* The walk that requests make: the highest zone they may use, and their nodes. */
static void walks(void **state)
{
	const qr_nodemask_t second = 2, none = 0;
	struct qr_zoneref *list, *ref;
	struct qr_zone *zone;
	unsigned nr = 0;

	(void)state;
	zone_machine();
	list = frames->nodes[0].zonelist;
	ref = qr__zoneref_next(list, QR_ZONE_NORMAL, NULL, &zone);
	assert_int_equal(zone->type, QR_ZONE_DMA32);
	assert_ptr_equal(ref, list + 1);
	qr__zoneref_next(list, QR_ZONE_NORMAL, &second, &zone);
	assert_int_equal(zone->nid, 1);
	assert_int_equal(zone->type, QR_ZONE_NORMAL);
	qr__zoneref_next(list, QR_ZONE_DMA, &second, &zone);
	assert_null(zone);
	qr__zoneref_next(list, QR_ZONE_MOVABLE, &none, &zone);
	assert_null(zone);
	qr__for_each_zone_zonelist(ref, zone, list, QR_ZONE_DMA32, NULL)
	{
		assert_true(zone->type <= QR_ZONE_DMA32);
		nr++;
	}
	assert_int_equal(nr, 2);
}

/* Rebuilding ------------------------------------------------------------------------------- */

/* Memory goes, lists shorten; memory comes, they are as before.  The sequence tells. */
static void rebuild_in_place(void **state)
{
	struct qr_zone *zone;
	uint64_t seq, present;

	(void)state;
	nodes(3, 0x7);
	frames_make();
	order_is(0, "012");
	seq = qr__zonelist_seq(frames);
	assert_int_equal(seq % 2, 0);

	zone = &frames->nodes[1].zones[QR_ZONE_NORMAL];
	present = qr__read(&zone->present_pages);
	qr__write(&zone->present_pages, 0);
	qr__zonelists_rebuild(frames);
	assert_int_equal(qr__zonelist_seq(frames), seq + 2);
	order_is(0, "02");
	order_is(1, "20"); /* 0 is lower */
	assert_false(qr__node_is(frames, 1, QR_N_MEMORY));
	assert_true(qr__node_is(frames, 1, QR_N_ONLINE));

	qr__write(&zone->present_pages, present);
	qr__zonelists_rebuild(frames);
	order_is(0, "012"); /* loads begin at zero each time */
	order_is(1, "120");
	assert_true(qr__node_is(frames, 1, QR_N_MEMORY));
	assert_int_equal(test_irqs_masked(), 0);
	assert_int_equal(m->nr_lines[QR_LOG_INFO], 0); /* the writer says nothing */
}

static unsigned readers_done;

/* Whatever state a list is in, it ends, and its entries are zones. */
static void *reader(void *arg)
{
	(void)arg;
	for (unsigned round = 0; round < 5000; round++) {
		struct qr_zoneref *ref;
		struct qr_zone *zone;
		unsigned nr = 0;

		qr__for_each_zone_zonelist(ref, zone, frames->nodes[round % 8].zonelist,
					   QR_ZONE_MOVABLE, NULL)
		{
			assert_true(zone->type == QR_ZONE_NORMAL);
			nr++;
		}
		assert_in_range(nr, 0, 8 * QR_ZONE_DEVICE);
	}
	__atomic_fetch_add(&readers_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void rebuild_while_others_read(void **state)
{
	pthread_t threads[2];
	unsigned round = 0;

	(void)state;
	nodes(8, 0xff);
	frames_make();
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	while (__atomic_load_n(&readers_done, __ATOMIC_ACQUIRE) < 2) {
		struct qr_zone *zone = &frames->nodes[round++ % 8].zones[QR_ZONE_NORMAL];

		qr__write(&zone->present_pages, round / 8 % 2 ? PAGES : 0);
		qr__zonelists_rebuild(frames);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nearest_first),
		TEST(equals_take_turns),
		TEST(nodes_without_cpus_are_spared_less),
		TEST(penalties_are_small),
		TEST(load_counts_groups),
		TEST(memoryless_nodes),
		TEST(nodes_that_nothing_names),
		TEST(nodes_are_counted_from_what_is_named),
		TEST(sixty_four_nodes),
		TEST(zones_from_the_highest_down),
		TEST(device_is_never_listed),
		TEST(walks),
		TEST(rebuild_in_place),
		TEST(rebuild_while_others_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
