/* SPDX-License-Identifier: MIT */
/*
 * test_numa.c - requests on machines of several nodes: order of nodes, THISNODE, statistics
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define EVERYTHING (QR___GFP_NOWARN | QR___GFP_MEMALLOC)
#define NODE_PAGES (16 * QR_PAGEBLOCK_NR_PAGES)

static int nid_of(struct quire *q, struct qr_page *page)
{
	return page ? (int)qr_page_nid(q, page) : -1;
}

/* Nodes are used up in the order of the zonelist. */
static void test_nodes_by_distance(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zoneref_info refs[16];
	struct hoard hoard;
	unsigned nr, at = 0;

	(void)state;
	test_machine_nodes(m, 4, NODE_PAGES);
	m->config.nr_nodes = 4;
	test_machine_distance(m, 0, 1, 40);
	test_machine_distance(m, 0, 2, 15);
	test_machine_distance(m, 0, 3, 25);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	nr = qr_zonelist(m->q, 0, false, refs, 16);
	assert_int_equal(nr, 4);
	assert_int_equal(refs[1].nid, 2);
	assert_int_equal(refs[2].nid, 3);
	assert_int_equal(refs[3].nid, 1);
	for (;;) {
		struct qr_page *page = hoard_take(&hoard, QR___GFP_NOWARN, 0);

		qr_drain_all_pages(m->q, NULL);
		if (!page)
			break;
		/* Below the low marks of all comes the slow path, and begins with the nearest. */
		if (alloc_stats(m->q).slowpath)
			break;
		while (nid_of(m->q, page) != refs[at].nid)
			assert_true(++at < nr);
	}
	assert_int_equal(at, 3);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_thisnode(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	struct qr_page *page;

	(void)state;
	test_machine_nodes(m, 2, NODE_PAGES);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	while ((page = qr_alloc_pages_node(m->q, 1, EVERYTHING | QR___GFP_THISNODE, 0)) != NULL) {
		assert_int_equal(nid_of(m->q, page), 1);
		hoard_add(&hoard, page, 0);
	}
	page = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, 0);
	assert_int_equal(nid_of(m->q, page), 0);
	hoard_add(&hoard, page, 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_nodemask(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *page;
	qr_nodemask_t mask;

	(void)state;
	test_machine_nodes(m, 4, NODE_PAGES);
	test_machine_create(m);
	for (mask = 1; mask < 16; mask++) {
		page = qr___alloc_pages(m->q, QR_GFP_KERNEL, 0, 3, &mask);
		assert_true(mask >> nid_of(m->q, page) & 1);
		if (mask & 8)
			assert_int_equal(nid_of(m->q, page), 3);
		qr___free_pages(m->q, page, 0);
	}
	mask = 0;
	assert_null(qr___alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_NOWARN, 0, 0, &mask));
	mask = UINT64_C(1) << 60;
	assert_null(qr___alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_NOWARN, 0, 0, &mask));
	test_machine_free(m);
}

/* A CPU on a node without memory is served by the nearest node that has some. */
static void test_memoryless_node(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_add(m, 0, NODE_PAGES, 0);
	test_machine_add(m, NODE_PAGES, NODE_PAGES, 2);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = 2 * NODE_PAGES};
	m->config.nr_nodes = 3;
	m->config.nr_cpus = 3;
	for (unsigned cpu = 0; cpu < 3; cpu++)
		test_machine_cpu_on(m, cpu, (int)cpu);
	test_machine_distance(m, 0, 1, 30);
	test_machine_distance(m, 2, 1, 20);
	test_machine_distance(m, 0, 2, 40);
	test_machine_create(m);
	test_cpu_set(1);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_int_equal(nid_of(m->q, page), 2);
	/* The preferred zone is the first of the list: a hit, though not local. */
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_OTHER), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), 0);
	qr___free_pages(m->q, page, 0);
	assert_null(qr_alloc_pages_node(m->q, 1,
					QR_GFP_KERNEL | QR___GFP_THISNODE | QR___GFP_NOWARN, 0));
	page = qr_alloc_pages_node(m->q, QR_NODE_NONE, QR_GFP_KERNEL, QR_MAX_PAGE_ORDER);
	assert_int_equal(nid_of(m->q, page), 2);
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	test_cpu_set(0);
	test_machine_free(m);
}

/* HIT, MISS and FOREIGN; LOCAL and OTHER; by cache and by the way round it. */
static void numa_events(unsigned order)
{
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	struct qr_page *page;

	m->config.options = QR_OPT_NO_HUGE_PCP;
	test_machine_nodes(m, 2, 64 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	page = qr_alloc_pages_node(m->q, 0, QR_GFP_KERNEL, order);
	qr___free_pages(m->q, page, order);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), 1);
	page = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, order);
	qr___free_pages(m->q, page, order);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 2);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_OTHER), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_MISS), 0);
	while ((page = qr_alloc_pages_node(m->q, 1, EVERYTHING | QR___GFP_THISNODE, order)) != NULL)
		hoard_add(&hoard, page, order);
	page = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, order);
	hoard_add(&hoard, page, order);
	assert_int_equal(nid_of(m->q, page), 0);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_MISS), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_FOREIGN), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), 2);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_events(void **state)
{
	(void)state;
	numa_events(0);
	numa_events(QR_MAX_PAGE_ORDER);
}

/* Each node's own protection: a request near one node may not use up another's low zone. */
static void test_lowmem_reserve_on_nodes(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	struct qr_zone_snapshot snap;

	(void)state;
	test_machine_add(m, 0, 32 * QR_MAX_ORDER_NR_PAGES, 0);
	test_machine_add(m, 32 * QR_MAX_ORDER_NR_PAGES, 32 * QR_MAX_ORDER_NR_PAGES, 1);
	m->config.zone_limits = (struct qr_zone_limits){.dma32_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.normal_end = 64 * QR_MAX_ORDER_NR_PAGES};
	m->config.nr_cpus = 2;
	test_machine_cpu_on(m, 0, 0);
	test_machine_cpu_on(m, 1, 1);
	test_machine_create(m);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_BOOST_FACTOR, 0), 0);
	hoard = hoard_new(m->q);
	test_cpu_set(1);
	hoard_all(&hoard, QR___GFP_NOWARN, 0);
	snap = zone_snap(m->q, 0, QR_ZONE_DMA32);
	assert_int_equal(snap.nr_free,
			 snap.watermark[QR_WMARK_MIN] + snap.lowmem_reserve[QR_ZONE_NORMAL]);
	test_cpu_set(0);
	hoard_free(&hoard);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_by_distance),
		cmocka_unit_test(test_thisnode),
		cmocka_unit_test(test_nodemask),
		cmocka_unit_test(test_memoryless_node),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_lowmem_reserve_on_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
