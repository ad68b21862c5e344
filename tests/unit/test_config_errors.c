/* SPDX-License-Identifier: MIT */
/*
 * test_config_errors.c - machines that cannot be: one sentence each, and nothing changed
 *
 * A table.  Each row spoils a good machine in one way and names the whole sentence, so a reader of
 * this file sees what a user would.
 */
#include "support.h"

#define PAGES ((uint64_t)QR_MAX_ORDER_NR_PAGES * 16)

static struct qr_range too_many_ranges[4097];

/* A good machine to begin with: two nodes, a range each, four CPUs. */
static struct test_machine *good_machine(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_nodes(m, 2, PAGES);
	m->config.nr_cpus = 4;
	test_machine_cpu_on(m, 2, 0);
	test_machine_cpu_on(m, 3, 1);
	test_machine_distance(m, 0, 1, 21);
	m->config.zone_limits.normal_end = 1 << 30;
	m->config.section_order = QR_MAX_PAGE_ORDER;
	return m;
}

static void no_ranges(struct test_machine *m)
{
	m->config.nr_ranges = 0;
}

static void null_ranges(struct test_machine *m)
{
	m->config.ranges = NULL;
}

static void many_ranges(struct test_machine *m)
{
	m->config.ranges = too_many_ranges;
	m->config.nr_ranges = 4097;
}

static void empty_range(struct test_machine *m)
{
	m->ranges[1].nr_pages = 0;
}

static void range_wraps(struct test_machine *m)
{
	m->ranges[1].start_pfn = 0x1000;
	m->ranges[1].nr_pages = UINT64_MAX;
}

static void range_wraps_bytes(struct test_machine *m)
{
	m->ranges[1].start_pfn = (UINT64_C(1) << 52) - 1;
	m->ranges[1].nr_pages = 2;
}

static void range_beyond_the_world(struct test_machine *m)
{
	m->ranges[1].start_pfn = UINT64_C(1) << 52;
	m->ranges[1].nr_pages = 1;
}

static void range_overlap(struct test_machine *m)
{
	m->ranges[0] = (struct qr_range){.start_pfn = 0x1000, .nr_pages = 0x1000, .nid = 0};
	m->ranges[1] = (struct qr_range){.start_pfn = 0x1fff, .nr_pages = 0x1001, .nid = 1};
}

static void range_inside(struct test_machine *m)
{
	m->ranges[0] = (struct qr_range){.start_pfn = 0x1000, .nr_pages = 0x1000, .nid = 0};
	m->ranges[1] = (struct qr_range){.start_pfn = 0x1200, .nr_pages = 0x10, .nid = 1};
}

static void range_twice(struct test_machine *m)
{
	m->ranges[0] = (struct qr_range){.start_pfn = 0x1000, .nr_pages = 0x1000, .nid = 0};
	m->ranges[1] = m->ranges[0];
	m->ranges[1].kind = QR_RANGE_DEVICE;
}

static void range_unknown_node(struct test_machine *m)
{
	m->ranges[1] = (struct qr_range){.start_pfn = 0x8000, .nr_pages = 0x1000, .nid = 2};
}

static void range_negative_node(struct test_machine *m)
{
	m->ranges[1] = (struct qr_range){.start_pfn = 0x8000, .nr_pages = 0x1000, .nid = -1};
}

static void range_node_64(struct test_machine *m)
{
	m->config.nr_nodes = 0;
	m->ranges[1] = (struct qr_range){.start_pfn = 0x8000, .nr_pages = 0x1000, .nid = 64};
}

static void range_kind(struct test_machine *m)
{
	m->ranges[1] = (struct qr_range){
		.start_pfn = 0x8000, .nr_pages = 0x1000, .nid = 1, .kind = (enum qr_range_kind)3};
}

static void no_ram(struct test_machine *m)
{
	m->ranges[0].kind = QR_RANGE_RESERVED;
	m->ranges[1].kind = QR_RANGE_DEVICE;
}

static void shared_pageblock(struct test_machine *m)
{
	const uint64_t half = QR_PAGEBLOCK_NR_PAGES / 2;

	m->ranges[0].nr_pages = QR_PAGEBLOCK_NR_PAGES + half;
	m->ranges[1].start_pfn = QR_PAGEBLOCK_NR_PAGES + half;
}

static void device_in_a_pageblock(struct test_machine *m)
{
	m->ranges[1] = m->ranges[0];
	m->ranges[1].start_pfn = m->ranges[0].nr_pages - 1;
	m->ranges[1].nr_pages = 1;
	m->ranges[1].kind = QR_RANGE_DEVICE;
	m->ranges[0].nr_pages -= 1;
}

static void wide_span(struct test_machine *m)
{
	m->config.zone_limits.normal_end = UINT64_C(1) << 40;
	m->ranges[1].start_pfn = UINT64_C(1) << 32;
}

static void many_nodes(struct test_machine *m)
{
	m->config.nr_nodes = 65;
}

static void unknown_initiator(struct test_machine *m)
{
	m->config.generic_initiators = 1 << 5 | 1;
}

static void limits_decrease(struct test_machine *m)
{
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = 0x2000, .dma32_end = 0x1000, .normal_end = 1 << 30};
}

static void limits_with_a_gap(struct test_machine *m)
{
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 0x1000, .normal_end = 1 << 30};
}

static void limits_misaligned(struct test_machine *m)
{
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = 0x1001, .dma32_end = 0x2000, .normal_end = 1 << 30};
}

static void limits_too_low(struct test_machine *m)
{
	m->ranges[1] = (struct qr_range){.start_pfn = 0x8000, .nr_pages = 0x1000, .nid = 1};
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = 0x8fff};
}

static void small_sections(struct test_machine *m)
{
	m->config.section_order = QR_MAX_PAGE_ORDER - 1;
}

static void large_sections(struct test_machine *m)
{
	m->config.section_order = 31;
}

static void no_cpus(struct test_machine *m)
{
	m->config.nr_cpus = 0;
}

static void many_cpus(struct test_machine *m)
{
	m->config.nr_cpus = 4097;
}

static void cpu_unknown_node(struct test_machine *m)
{
	m->cpu_node[3] = 2;
}

static void cpu_negative_node(struct test_machine *m)
{
	m->cpu_node[2] = -1;
}

static void distance_to_itself(struct test_machine *m)
{
	m->distance[3] = 11;
}

static void distance_too_small(struct test_machine *m)
{
	test_machine_distance(m, 0, 1, 9);
}

static void distance_one_way(struct test_machine *m)
{
	m->distance[1] = 30;
}

static void kernelcore_twice(struct test_machine *m)
{
	m->config.movable.kernelcore_pages = 512;
	m->config.movable.kernelcore_percent = 20;
}

static void movablecore_twice(struct test_machine *m)
{
	m->config.movable.movablecore_pages = 512;
	m->config.movable.movablecore_percent = 20;
}

static void kernelcore_all(struct test_machine *m)
{
	m->config.movable.kernelcore_percent = 100;
}

static void movablecore_more_than_all(struct test_machine *m)
{
	m->config.movable.movablecore_percent = 150;
}

static void unknown_option(struct test_machine *m)
{
	m->config.options = QR_OPT_SHUFFLE | 1u << 20;
}

static void guard_order(struct test_machine *m)
{
	m->config.guard_minorder = QR_MAX_PAGE_ORDER / 2 + 1;
}

static void unknown_engine(struct test_machine *m)
{
	m->config.engine = "slab";
}

static uint32_t *no_trylock(void *ctx, uint32_t *words, size_t stride)
{
	(void)ctx, (void)words, (void)stride;
	return NULL;
}

static void no_fence(void *ctx)
{
	(void)ctx;
}

static void trylock_without_fence(struct test_machine *m)
{
	m->config.platform.local_trylock = no_trylock;
}

static void fence_without_trylock(struct test_machine *m)
{
	m->config.platform.local_fence = no_fence;
}

static enum qr_local_result no_commit(void *ctx, const struct qr_local_commit *commit)
{
	(void)ctx, (void)commit;
	return QR_LOCAL_NOT;
}

static void commit_without_trylock(struct test_machine *m)
{
	m->config.platform.local_commit = no_commit;
}

static void up_with_local_locks(struct test_machine *m)
{
	m->config.nr_cpus = 1;
	m->config.platform.cpu_model = QR_CPU_UP;
	m->config.platform.local_trylock = no_trylock;
	m->config.platform.local_fence = no_fence;
}

static void unknown_cpu_model(struct test_machine *m)
{
	m->config.platform.cpu_model = (enum qr_cpu_model)3;
}

static void up_with_cpus(struct test_machine *m)
{
	m->config.platform.cpu_model = QR_CPU_UP;
}

static void rt_without_pin(struct test_machine *m)
{
	m->config.platform.cpu_model = QR_CPU_RT;
	m->config.platform.cpu_pin = NULL;
	m->config.platform.cpu_unpin = NULL;
}

static void pin_without_unpin(struct test_machine *m)
{
	m->config.platform.cpu_unpin = NULL;
}

static void irq_save_without_restore(struct test_machine *m)
{
	m->config.platform.irq_restore = NULL;
}

static const struct {
	const char *name;
	void (*spoil)(struct test_machine *m);
	const char *sentence;
} rows[] = {
	{"no ranges", no_ranges, "there are no ranges: describe at least one range of RAM"},
	{"null ranges", null_ranges, "there are no ranges: describe at least one range of RAM"},
	{"many ranges", many_ranges, "nr_ranges is 4097: at most 4096 ranges are possible"},
	{"empty range", empty_range, "range 1 (from pfn 0x4000, node 1) is empty: leave it out"},
	{"wraps", range_wraps,
	 "range 1 (18446744073709551615 pages from pfn 0x1000, node 1) wraps around: "
	 "pfns end at 0x10000000000000"},
	{"wraps in bytes", range_wraps_bytes,
	 "range 1 (2 pages from pfn 0xfffffffffffff, node 1) wraps around: "
	 "pfns end at 0x10000000000000"},
	{"beyond the world", range_beyond_the_world,
	 "range 1 (1 pages from pfn 0x10000000000000, node 1) wraps around: "
	 "pfns end at 0x10000000000000"},
	{"overlap", range_overlap,
	 "range 1 (pfns 0x1fff-0x3000, node 1) overlaps range 0 (pfns 0x1000-0x2000, node 0): "
	 "separate them"},
	{"inside", range_inside,
	 "range 1 (pfns 0x1200-0x1210, node 1) overlaps range 0 (pfns 0x1000-0x2000, node 0): "
	 "separate them"},
	{"twice", range_twice,
	 "range 1 (pfns 0x1000-0x2000, node 0) overlaps range 0 (pfns 0x1000-0x2000, node 0): "
	 "separate them"},
	{"unknown node", range_unknown_node,
	 "range 1 (pfns 0x8000-0x9000, node 2) is on a node that does not exist: nodes are 0..1"},
	{"negative node", range_negative_node,
	 "range 1 (pfns 0x8000-0x9000, node -1) is on a node that does not exist: nodes are 0..1"},
	{"node 64", range_node_64,
	 "range 1 (pfns 0x8000-0x9000, node 64) is on a node that does not exist: nodes are 0..63"},
	{"unknown kind", range_kind, "range 1 (pfns 0x8000-0x9000, node 1) is of unknown kind 3"},
	{"no RAM", no_ram, "none of the 2 ranges is RAM: there is nothing to allocate"},
	{"shared pageblock", shared_pageblock,
	 "ranges 0 (to pfn 0x300, node 0) and 1 (from pfn 0x300, node 1) are of different zones "
	 "but share a pageblock: align them to 512 pages"},
	{"device in a pageblock", device_in_a_pageblock,
	 "ranges 0 (to pfn 0x3fff, node 0) and 1 (from pfn 0x3fff, node 0) are of different zones "
	 "but share a pageblock: align them to 512 pages"},
	{"wide span", wide_span,
	 "memory from pfn 0 to 0x100004000 spans more than the 2^32 - 2 frames one instance can: "
	 "make several instances"},
	{"many nodes", many_nodes, "nr_nodes is 65: at most 64 nodes are possible"},
	{"unknown initiator", unknown_initiator,
	 "generic_initiators names node 5, but the nodes are 0..1"},
	{"limits decrease", limits_decrease,
	 "zone limit dma32_end, pfn 0x1000, is below dma_end, pfn 0x2000: limits must not "
	 "decrease"},
	{"limits with a gap", limits_with_a_gap,
	 "zone limit dma32_end, pfn 0, is below dma_end, pfn 0x1000: limits must not decrease"},
	{"limits misaligned", limits_misaligned,
	 "zone limit dma_end, pfn 0x1001, is misaligned: zones meet at a multiple of 512 pages"},
	{"limits too low", limits_too_low,
	 "range 1 (pfns 0x8000-0x9000, node 1) ends above the last zone limit, normal_end at pfn "
	 "0x8fff: raise it"},
	{"small sections", small_sections,
	 "section_order is 9: a section holds whole pageblocks and blocks of the highest order, "
	 "so it is 10..30"},
	{"large sections", large_sections,
	 "section_order is 31: a section holds whole pageblocks and blocks of the highest order, "
	 "so it is 10..30"},
	{"no CPUs", no_cpus, "nr_cpus is 0: an instance needs at least one CPU"},
	{"many CPUs", many_cpus, "nr_cpus is 4097: at most 4096 CPUs are possible"},
	{"CPU on an unknown node", cpu_unknown_node,
	 "CPU 3 is on node 2, which does not exist: nodes are 0..1"},
	{"CPU on a negative node", cpu_negative_node,
	 "CPU 2 is on node -1, which does not exist: nodes are 0..1"},
	{"distance to itself", distance_to_itself,
	 "the distance of node 1 to itself is 11: it must be 10"},
	{"distance too small", distance_too_small,
	 "the distance of node 1 to node 0 is 9: nothing is nearer than a node to itself, 10"},
	{"distance one way", distance_one_way,
	 "distances contradict each other: node 1 to 0 is 21, node 0 to 1 is 30"},
	{"kernelcore twice", kernelcore_twice,
	 "kernelcore is given both in pages (512) and in percent (20): choose one"},
	{"movablecore twice", movablecore_twice,
	 "movablecore is given both in pages (512) and in percent (20): choose one"},
	{"kernelcore all", kernelcore_all,
	 "kernelcore is 100 percent: it must be 1..99, or 0 for no wish"},
	{"movablecore more than all", movablecore_more_than_all,
	 "movablecore is 150 percent: it must be 1..99, or 0 for no wish"},
	{"unknown option", unknown_option,
	 "options has bits that mean nothing, 0x100000: use QR_OPT_ constants"},
	{"guard order", guard_order, "guard_minorder is 6: it must be 0..5"},
	{"unknown CPU model", unknown_cpu_model,
	 "platform.cpu_model is 3, which is none of SMP, RT and UP"},
	{"UP with CPUs", up_with_cpus, "platform.cpu_model is UP but nr_cpus is 4: it must be 1"},
	{"RT without pin", rt_without_pin,
	 "platform.cpu_model is RT but there is no hook cpu_pin: RT needs one that forbids "
	 "migration"},
	{"pin without unpin", pin_without_unpin,
	 "platform has only one of cpu_pin and cpu_unpin: give both"},
	{"local_trylock alone", trylock_without_fence,
	 "platform has only one of local_trylock and local_fence: give both"},
	{"local_fence alone", fence_without_trylock,
	 "platform has only one of local_trylock and local_fence: give both"},
	{"local_commit alone", commit_without_trylock,
	 "platform has local_commit but not local_trylock: give both"},
	{"UP with local locks", up_with_local_locks,
	 "platform.cpu_model is UP and there is a hook local_trylock: leave it out, one CPU masks "
	 "interrupts instead"},
	{"irq_save without restore", irq_save_without_restore,
	 "platform has only one of irq_save and irq_restore: give both"},
};

/* Refused by both functions, in the same words, and neither has touched anything. */
static void machine_is_refused(struct test_machine *m, const char *name, const char *sentence)
{
	static _Alignas(4096) unsigned char memory[4096];
	struct qr_error_text why = {""};
	struct quire *q = (void *)&why;
	size_t size = 4711;

	memset(memory, 0x5a, sizeof(memory));
	assert_int_equal(qr_metadata_size(&m->config, &size, &why), QR_EINVAL);
	if (strcmp(why.text, sentence))
		fail_msg("%s:\n  says  %s\n  not   %s", name, why.text, sentence);
	assert_int_equal(size, 4711);
	assert_int_equal(qr_metadata_size(&m->config, &size, NULL), QR_EINVAL);

	why.text[0] = '\0';
	assert_int_equal(qr_create(&m->config, memory, sizeof(memory), &q, &why), QR_EINVAL);
	assert_string_equal(why.text, sentence);
	assert_ptr_equal(q, &why);
	for (size_t i = 0; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0x5a);
	assert_int_equal(qr_create(&m->config, memory, sizeof(memory), &q, NULL), QR_EINVAL);
	assert_int_equal(m->log[0], '\0');
}

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_machine *m = good_machine();

		rows[i].spoil(m);
		machine_is_refused(m, rows[i].name, rows[i].sentence);
		/* The longest sentences are whole. */
		assert_true(strlen(rows[i].sentence) < sizeof(((struct qr_error_text *)0)->text));
		test_machine_free(m);
	}
}

/* The list of engines grows, so only the beginning is known. */
static void engine_names_are_told(void **state)
{
	struct test_machine *m = good_machine();
	struct qr_error_text why = {""};
	size_t size;

	(void)state;
	unknown_engine(m);
	assert_int_equal(qr_metadata_size(&m->config, &size, &why), QR_EINVAL);
	assert_memory_equal(why.text, "there is no buddy engine \"slab\": there is ", 42);
	assert_non_null(strstr(why.text, "\"list\""));
	test_machine_free(m);
}

static void the_machine_is_good_otherwise(void **state)
{
	struct test_machine *m = good_machine();

	(void)state;
	test_machine_create(m);
	test_machine_free(m);
}

static void no_configuration(void **state)
{
	struct qr_error_text why = {""};
	struct quire *q;
	size_t size;

	(void)state;
	assert_int_equal(qr_metadata_size(NULL, &size, &why), QR_EINVAL);
	assert_string_equal(why.text, "there is no configuration");
	assert_int_equal(qr_create(NULL, NULL, 0, &q, &why), QR_EINVAL);
}

/* The memory: none, misaligned, too small by a byte; and nothing is written to it. */
static void bad_memory(void **state)
{
	struct test_machine *m = good_machine();
	struct qr_error_text why = {""};
	struct quire *q = NULL;
	unsigned char *memory;
	char expected[192];
	size_t size;

	(void)state;
	assert_int_equal(qr_metadata_size(&m->config, &size, &why), 0);
	assert_int_equal(size % QR_METADATA_ALIGN, 0);
	assert_string_equal(why.text, "");
	memory = aligned_alloc(QR_METADATA_ALIGN, size + QR_METADATA_ALIGN);
	assert_non_null(memory);
	memset(memory, 0x5a, size + QR_METADATA_ALIGN);

	assert_int_equal(qr_create(&m->config, NULL, size, &q, &why), QR_EINVAL);
	snprintf(expected, sizeof(expected), "there is no memory for the metadata: %zu bytes",
		 size);
	assert_string_equal(why.text, expected);

	assert_int_equal(qr_create(&m->config, memory + 64, size, &q, &why), QR_EINVAL);
	snprintf(expected, sizeof(expected),
		 "the metadata's memory at %p is misaligned: align it to 4096 bytes",
		 (void *)(memory + 64));
	assert_string_equal(why.text, expected);

	assert_int_equal(qr_create(&m->config, memory, size - 1, &q, &why), QR_ENOMEM);
	snprintf(expected, sizeof(expected),
		 "the metadata's memory has %zu bytes: this machine needs %zu", size - 1, size);
	assert_string_equal(why.text, expected);

	for (size_t i = 0; i < size + QR_METADATA_ALIGN; i++)
		assert_int_equal(memory[i], 0x5a);
	assert_null(q);

	/* The exact size does, and not a byte behind it is touched. */
	assert_int_equal(qr_create(&m->config, memory, size, &q, &why), 0);
	for (size_t i = size; i < size + QR_METADATA_ALIGN; i++)
		assert_int_equal(memory[i], 0x5a);
	qr_destroy(q);
	free(memory);
	test_machine_free(m);
}

/* What looks odd and is allowed. */
static void odd_but_good(void **state)
{
	struct test_machine *m = good_machine();

	(void)state;
	m->config.distance = NULL;
	m->config.cpu_node = NULL;
	m->config.zone_limits = (struct qr_zone_limits){0};
	m->config.generic_initiators = 2;
	m->config.options = QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_ALLOC | QR_OPT_INIT_ON_FREE;
	m->config.guard_minorder = QR_MAX_PAGE_ORDER / 2;
	m->config.movable.kernelcore_percent = 99;
	m->config.movable.movablecore_pages = 1;
	m->config.engine = "list";
	m->config.seed = 1;
	test_machine_create(m);
	test_machine_free(m);

	m = good_machine();
	test_machine_distance(m, 0, 1, 10); /* nodes that are as near as can be */
	m->config.platform = (struct qr_platform){.cpu_model = QR_CPU_SMP};
	test_machine_create(m);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(engine_names_are_told),
		cmocka_unit_test(the_machine_is_good_otherwise),
		cmocka_unit_test(no_configuration),
		cmocka_unit_test(bad_memory),
		cmocka_unit_test(odd_but_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
