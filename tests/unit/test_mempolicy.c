/* SPDX-License-Identifier: MIT */
/*
 * test_mempolicy.c - policies and cpusets, on four nodes in a row
 *
 * Nodes 0..3 stand in a row: their distances are 10 + 10 * how many steps they are apart.
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define EVERYTHING (QR___GFP_NOWARN | QR___GFP_MEMALLOC)
#define NODE_PAGES (16 * QR_PAGEBLOCK_NR_PAGES)
#define NODE(n) (UINT64_C(1) << (n))

static struct test_machine *nodes_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_nodes(m, 4, NODE_PAGES);
	m->config.nr_nodes = 4;
	for (int a = 0; a < 4; a++)
		for (int b = 0; b < a; b++)
			test_machine_distance(m, a, b, (unsigned)(10 + 10 * (a - b)));
	test_machine_create(m);
	return m;
}

/* Where a page of this policy lies; it is freed again. -1: none. */
static int place(struct test_machine *m, const struct qr_mempolicy *policy, qr_gfp_t gfp,
		 uint64_t il_index)
{
	struct qr_page *page = qr_alloc_pages_mpol(m->q, gfp, 0, policy, il_index);
	int nid;

	if (!page)
		return -1;
	nid = (int)qr_page_nid(m->q, page);
	qr___free_pages(m->q, page, 0);
	return nid;
}

static void node_use_up(struct test_machine *m, struct hoard *hoard, int nid)
{
	struct qr_page *page;

	while ((page = qr_alloc_pages_node(m->q, nid, EVERYTHING | QR___GFP_THISNODE, 0)) != NULL)
		hoard_add(hoard, page, 0);
	qr_drain_all_pages(m->q, NULL);
	while ((page = qr_alloc_pages_node(m->q, nid, EVERYTHING | QR___GFP_THISNODE, 0)) != NULL)
		hoard_add(hoard, page, 0);
	assert_int_equal(zone_free(m->q, nid, QR_ZONE_NORMAL), 0);
}

static void test_default_is_local(void **state)
{
	struct qr_mempolicy local = {.mode = QR_MPOL_LOCAL};
	struct test_machine *m = nodes_new();

	(void)state;
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		test_cpu_set(cpu);
		assert_int_equal(place(m, NULL, QR_GFP_KERNEL, QR_NO_INTERLEAVE), (int)cpu);
		assert_int_equal(place(m, &local, QR_GFP_KERNEL, QR_NO_INTERLEAVE), (int)cpu);
	}
	test_cpu_set(0);
	test_machine_free(m);
}

static void test_preferred(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_PREFERRED, .nodes = NODE(2) | NODE(3)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);

	(void)state;
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 2);
	node_use_up(m, &hoard, 2);
	/* By distance from the preferred node, whether or not in the mask. */
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 3);
	node_use_up(m, &hoard, 3);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 1);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_bind(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_BIND, .nodes = NODE(1) | NODE(3)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);

	(void)state;
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 1);
	test_cpu_set(3);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 3);
	test_cpu_set(0);
	node_use_up(m, &hoard, 1);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 3);
	node_use_up(m, &hoard, 3);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL | QR___GFP_NOWARN, QR_NO_INTERLEAVE), -1);
	/* A request that may use the reserves leaves the policy behind, as in Linux. */
	assert_int_equal(place(m, &policy, EVERYTHING, QR_NO_INTERLEAVE), 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_preferred_many(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_PREFERRED_MANY, .nodes = NODE(2) | NODE(3)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);
	uint64_t failed;

	(void)state;
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 2);
	node_use_up(m, &hoard, 2);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 3);
	node_use_up(m, &hoard, 3);
	failed = alloc_stats(m->q).alloc_failed;
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 0);
	/* The first pass is no failure of the request. */
	assert_int_equal(alloc_stats(m->q).alloc_failed, failed);
	hoard_free(&hoard);
	test_machine_free(m);
}

static unsigned reclaim_calls;

static uint64_t fake_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)ctx, (void)q, (void)req;
	reclaim_calls++;
	return 0;
}

/* The first pass over the preferred nodes does not reclaim. */
static void test_preferred_many_is_gentle(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_PREFERRED_MANY, .nodes = NODE(2)};
	struct qr_reclaim_ops ops = {.direct_reclaim = fake_reclaim};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);

	(void)state;
	node_use_up(m, &hoard, 2);
	qr_reclaim_ops_set(m->q, &ops, NULL);
	reclaim_calls = 0;
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL | QR___GFP_NOFAIL, QR_NO_INTERLEAVE), 0);
	assert_int_equal(reclaim_calls, 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Interleave ------------------------------------------------------------------------------- */

static void test_interleave_by_turns(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_INTERLEAVE,
				      .nodes = NODE(0) | NODE(1) | NODE(3)};
	struct qr_task task = {.policy = &policy, .il_prev = QR_MAX_NODES - 1};
	static const int expect[] = {0, 1, 3, 0, 1, 3, 0};
	struct test_machine *m = nodes_new();

	(void)state;
	test_task_set(&task);
	for (size_t i = 0; i < QR_ARRAY_SIZE(expect); i++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);

		assert_int_equal(qr_page_nid(m->q, page), expect[i]);
		assert_int_equal(task.il_prev, expect[i]);
		qr___free_pages(m->q, page, 0);
	}
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_INTERLEAVE), QR_ARRAY_SIZE(expect));
	/* An interrupt takes no turn, nor does a request for this node. */
	task.flags = QR_TASK_INTERRUPT;
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_ATOMIC, 0), 0);
	task.flags = 0;
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_THISNODE, 0), 0);
	assert_int_equal(task.il_prev, 0);
	test_task_set(NULL);
	test_machine_free(m);
}

static void test_interleave_by_index(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_INTERLEAVE,
				      .nodes = NODE(0) | NODE(2) | NODE(3)};
	static const int expect[] = {0, 2, 3};
	struct test_machine *m = nodes_new();

	(void)state;
	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(place(m, &policy, QR_GFP_KERNEL, i), expect[i % 3]);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, UINT64_C(3) << 40), 0);
	test_machine_free(m);
}

/* Somebody of whom nothing is known still gets his pages spread. */
static void test_interleave_without_a_task(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_INTERLEAVE, .nodes = NODE(1) | NODE(2)};
	struct test_machine *m = nodes_new();
	unsigned served[4] = {0};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		served[place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE)]++;
	assert_int_equal(served[1], 5);
	assert_int_equal(served[2], 5);
	test_machine_free(m);
}

static void test_weighted_interleave(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_WEIGHTED_INTERLEAVE,
				      .nodes = NODE(0) | NODE(1) | NODE(2),
				      .weight = {3, 0, 2}};
	struct qr_task task = {.policy = &policy, .il_prev = QR_MAX_NODES - 1};
	static const int expect[] = {0, 0, 0, 1, 2, 2};
	struct test_machine *m = nodes_new();

	(void)state;
	test_task_set(&task);
	for (size_t i = 0; i < 18; i++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);

		assert_int_equal(qr_page_nid(m->q, page), expect[i % 6]);
		qr___free_pages(m->q, page, 0);
	}
	test_task_set(NULL);
	for (uint64_t i = 0; i < 18; i++)
		assert_int_equal(place(m, &policy, QR_GFP_KERNEL, i), expect[i % 6]);
	/* A mask that shrinks in the middle of a turn. */
	task.il_prev = 0;
	task.il_weight = 2;
	policy.nodes = NODE(2) | NODE(3);
	test_task_set(&task);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 2);
	test_task_set(NULL);
	test_machine_free(m);
}

/* A page that came from another node than the one whose turn it was is no interleave hit. */
static void test_interleave_hits(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_INTERLEAVE, .nodes = NODE(1) | NODE(2)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);

	(void)state;
	node_use_up(m, &hoard, 1);
	assert_int_not_equal(place(m, &policy, QR_GFP_KERNEL, 0), 1);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_INTERLEAVE), 0);
	assert_int_equal(place(m, &policy, QR_GFP_KERNEL, 1), 2);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_INTERLEAVE), 1);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Huge pages ------------------------------------------------------------------------------- */

static struct qr_trace_event tries[16];
static unsigned nr_tries;

static void try_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	if (nr_tries < 16)
		tries[nr_tries++] = *event;
}

/* Use a node up in huge pages. */
static void node_use_up_huge(struct test_machine *m, struct hoard *hoard, int nid)
{
	struct qr_page *page;

	while ((page = qr_alloc_pages_node(m->q, nid, EVERYTHING | QR___GFP_THISNODE,
					   QR_HPAGE_PMD_ORDER)) != NULL)
		hoard_add(hoard, page, QR_HPAGE_PMD_ORDER);
}

/*
 * Huge pages for user space (those with an index): this node first; who may wait goes on from
 * there, who may not is refused.
 */
static void test_huge_pages_prefer_their_node(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_PREFERRED, .nodes = NODE(1)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);
	struct qr_page *page;

	(void)state;
	qr_trace_set(m->q, try_note, NULL, UINT64_C(1) << QR_TP_MM_PAGE_ALLOC);
	nr_tries = 0;
	page = qr_alloc_pages_mpol(m->q, QR_GFP_TRANSHUGE, QR_HPAGE_PMD_ORDER, &policy, 0);
	assert_int_equal(qr_page_nid(m->q, page), 1);
	hoard_add(&hoard, page, QR_HPAGE_PMD_ORDER);
	assert_int_equal(nr_tries, 1);
	assert_int_equal(tries[0].gfp, QR_GFP_TRANSHUGE | QR___GFP_THISNODE | QR___GFP_NORETRY);

	node_use_up_huge(m, &hoard, 1);
	assert_null(
		qr_alloc_pages_mpol(m->q, QR_GFP_TRANSHUGE_LIGHT, QR_HPAGE_PMD_ORDER, &policy, 0));
	page = qr_alloc_pages_mpol(m->q, QR_GFP_TRANSHUGE, QR_HPAGE_PMD_ORDER, &policy, 0);
	assert_non_null(page);
	assert_int_not_equal(qr_page_nid(m->q, page), 1);
	hoard_add(&hoard, page, QR_HPAGE_PMD_ORDER);
	/* An ordinary allocation of that order does not insist. */
	page = qr_alloc_pages_mpol(m->q, QR_GFP_TRANSHUGE_LIGHT, QR_HPAGE_PMD_ORDER, &policy,
				   QR_NO_INTERLEAVE);
	assert_non_null(page);
	hoard_add(&hoard, page, QR_HPAGE_PMD_ORDER);
	/* Nor does interleaving. */
	policy.mode = QR_MPOL_INTERLEAVE;
	page = qr_alloc_pages_mpol(m->q, QR_GFP_TRANSHUGE_LIGHT, QR_HPAGE_PMD_ORDER, &policy, 0);
	assert_non_null(page);
	hoard_add(&hoard, page, QR_HPAGE_PMD_ORDER);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Cpusets ---------------------------------------------------------------------------------- */

static void test_cpuset_confines(void **state)
{
	struct qr_task task = {.cpuset = true, .mems_allowed = NODE(2) | NODE(3)};
	struct test_machine *m = nodes_new();
	struct hoard hoard = hoard_new(m->q);
	struct qr_page *page;

	(void)state;
	test_task_set(&task);
	assert_int_equal(place(m, NULL, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 2);
	/* Also where a mask is given, in which case the walk looks at each zone. */
	page = qr___alloc_pages(m->q, QR_GFP_KERNEL, 0, 0, &(qr_nodemask_t){NODE(1) | NODE(3)});
	assert_int_equal(qr_page_nid(m->q, page), 3);
	hoard_add(&hoard, page, 0);
	test_task_set(NULL);
	node_use_up(m, &hoard, 2);
	node_use_up(m, &hoard, 3);
	test_task_set(&task);
	/* Requests of user space stay inside and fail; the kernel's spill over. */
	assert_int_equal(place(m, NULL, QR_GFP_USER | QR___GFP_NOWARN, QR_NO_INTERLEAVE), -1);
	assert_int_equal(place(m, NULL, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 0);
	/* Interrupts, atomic requests and victims are not held to it. */
	task.flags = QR_TASK_INTERRUPT;
	assert_int_equal(place(m, NULL, QR_GFP_ATOMIC, QR_NO_INTERLEAVE), 0);
	task.flags = QR_TASK_OOM_VICTIM;
	assert_int_not_equal(place(m, NULL, QR_GFP_USER, QR_NO_INTERLEAVE), -1);
	task.flags = 0;
	assert_int_not_equal(place(m, NULL, QR_GFP_ATOMIC, QR_NO_INTERLEAVE), -1);
	assert_int_not_equal(place(m, NULL, QR_GFP_ATOMIC | QR___GFP_HARDWALL, QR_NO_INTERLEAVE),
			     -1);
	assert_int_equal(place(m, NULL, QR_GFP_NOWAIT | QR___GFP_HARDWALL, QR_NO_INTERLEAVE), -1);
	test_task_set(NULL);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* A cpuset of nodes that have nothing for this request. */
static void test_cpuset_insane(void **state)
{
	struct qr_task task = {.cpuset = true, .mems_allowed = NODE(5)};
	struct test_machine *m = nodes_new();

	(void)state;
	test_task_set(&task);
	assert_int_equal(place(m, NULL, QR_GFP_USER | QR___GFP_NOWARN, QR_NO_INTERLEAVE), -1);
	assert_int_equal(alloc_stats(m->q).direct_reclaim, 0);
	assert_int_equal(place(m, NULL, QR_GFP_KERNEL, QR_NO_INTERLEAVE), 0);
	test_task_set(NULL);
	test_machine_free(m);
}

static void test_cpuset_zone_allowed(void **state)
{
	struct test_machine *m = nodes_new();
	struct qr_zone *zone = qr_zone_at(m->q, 1, QR_ZONE_NORMAL);
	struct qr_task task = {.mems_allowed = NODE(0)};

	(void)state;
	assert_true(qr_cpuset_zone_allowed(NULL, zone, QR_GFP_USER));
	assert_true(qr_cpuset_zone_allowed(&task, zone, QR_GFP_USER));
	task.cpuset = true;
	assert_false(qr_cpuset_zone_allowed(&task, zone, QR_GFP_USER));
	assert_true(qr_cpuset_zone_allowed(&task, zone, QR_GFP_KERNEL));
	task.flags = QR_TASK_SOFTIRQ;
	assert_true(qr_cpuset_zone_allowed(&task, zone, QR_GFP_USER));
	task.flags = QR_TASK_OOM_VICTIM;
	assert_true(qr_cpuset_zone_allowed(&task, zone, QR_GFP_USER));
	task.flags = 0;
	task.mems_allowed = NODE(1);
	assert_true(qr_cpuset_zone_allowed(&task, zone, QR_GFP_USER));
	test_machine_free(m);
}

/* A bind mask outside of the task's cpuset does not count. */
static void test_bind_outside_of_the_cpuset(void **state)
{
	struct qr_mempolicy policy = {.mode = QR_MPOL_BIND, .nodes = NODE(3)};
	struct qr_task task = {.cpuset = true, .mems_allowed = NODE(2), .policy = &policy};
	struct test_machine *m = nodes_new();
	struct qr_page *page;

	(void)state;
	test_task_set(&task);
	page = qr_alloc_pages(m->q, QR_GFP_USER, 0);
	assert_int_equal(qr_page_nid(m->q, page), 2);
	qr___free_pages(m->q, page, 0);
	task.mems_allowed |= NODE(3);
	page = qr_alloc_pages(m->q, QR_GFP_USER, 0);
	assert_int_equal(qr_page_nid(m->q, page), 3);
	qr___free_pages(m->q, page, 0);
	test_task_set(NULL);
	test_machine_free(m);
}

/* Bad policies ----------------------------------------------------------------------------- */

static void test_bad_policies(void **state)
{
	static const struct {
		struct qr_mempolicy policy;
		const char *says;
	} bad[] = {
		{{.mode = QR_MPOL_BIND}, "none of its nodes"},
		{{.mode = QR_MPOL_INTERLEAVE}, "none of its nodes"},
		{{.mode = QR_MPOL_WEIGHTED_INTERLEAVE, .nodes = NODE(9)}, "none of its nodes"},
		{{.mode = QR_MPOL_PREFERRED, .nodes = NODE(63)}, "none of its nodes"},
		{{.mode = (enum qr_mempolicy_mode)7, .nodes = NODE(1)}, "no such mode"},
	};
	struct test_machine *m = nodes_new();

	(void)state;
	for (size_t i = 0; i < QR_ARRAY_SIZE(bad); i++) {
		test_log_clear(m);
		assert_int_equal(place(m, &bad[i].policy, QR_GFP_KERNEL, 0), -1);
		assert_true(test_log_has(m, bad[i].says));
		test_log_clear(m);
		assert_int_equal(place(m, &bad[i].policy, QR_GFP_NOWAIT, 0), -1);
		assert_string_equal(m->log, "");
	}
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_is_local),
		cmocka_unit_test(test_preferred),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_preferred_many),
		cmocka_unit_test(test_preferred_many_is_gentle),
		cmocka_unit_test(test_interleave_by_turns),
		cmocka_unit_test(test_interleave_by_index),
		cmocka_unit_test(test_interleave_without_a_task),
		cmocka_unit_test(test_weighted_interleave),
		cmocka_unit_test(test_interleave_hits),
		cmocka_unit_test(test_huge_pages_prefer_their_node),
		cmocka_unit_test(test_cpuset_confines),
		cmocka_unit_test(test_cpuset_insane),
		cmocka_unit_test(test_cpuset_zone_allowed),
		cmocka_unit_test(test_bind_outside_of_the_cpuset),
		cmocka_unit_test(test_bad_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
