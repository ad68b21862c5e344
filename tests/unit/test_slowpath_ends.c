/* SPDX-License-Identifier: MIT */
/*
 * test_slowpath_ends.c - how the ladder ends: last resort, NOFAIL, a ground that moves
 */
#include "slow_fixture.h"

/* Last resort ------------------------------------------------------------------------------ */

static void test_oom_frees(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.out_of_memory = fake_oom;
	f->oom_says = true;
	f->oom_frees = 8;
	ops_set(f);
	leave_free(f, mark_min(f));
	request_succeeds(f, QR_GFP_KERNEL, 0, "EKfKfufuOrKf");
	assert_int_equal(f->nr_oom, 1);
	assert_int_equal(qr_vm_event(f->q, QR_EV_OOM_KILL), 1);
	assert_int_equal(alloc_stats(f->q).out_of_memory, 1);
	fixture_free(f);
}

/* It says no: the request fails. */
static void test_oom_refuses(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.out_of_memory = fake_oom;
	ops_set(f);
	leave_free(f, mark_min(f));
	request_fails(f, QR_GFP_KERNEL, 0, "EKfKfufuOX");
	assert_int_equal(f->nr_oom, 1);
	assert_int_equal(qr_vm_event(f->q, QR_EV_OOM_KILL), 0);
	fixture_free(f);
}

/* For whose sake nothing is ended. */
static void test_oom_is_not_for_all(void **state)
{
	static const struct {
		qr_gfp_t gfp;
		unsigned order;
		uint32_t task;
		unsigned oom;
	} cases[] = {
		{QR_GFP_KERNEL, 0, 0, 1},
		{QR_GFP_KERNEL, 3, 0, 1},
		{QR_GFP_KERNEL, 4, 0, 0},
		{QR_GFP_KERNEL | QR___GFP_RETRY_MAYFAIL, 0, 0, 0},
		{QR_GFP_KERNEL | QR___GFP_THISNODE, 0, 0, 0},
		{QR_GFP_KERNEL | QR___GFP_NORETRY, 0, 0, 0},
		{QR_GFP_KERNEL, 0, QR_TASK_DUMPCORE, 0},
		{QR_GFP_KERNEL, 0, QR_TASK_MEMALLOC, 0},
		{QR_GFP_NOFS, 0, 0, 0},
		{QR_GFP_NOWAIT, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < QR_ARRAY_SIZE(cases); i++) {
		struct fixture *f = fixture_new();
		struct qr_task task = {.flags = cases[i].task};

		f->ops.out_of_memory = fake_oom;
		ops_set(f);
		leave_free(f, 0);
		test_task_set(cases[i].task ? &task : NULL);
		assert_null(request(f, cases[i].gfp | QR___GFP_NOWARN, cases[i].order));
		if (f->nr_oom != cases[i].oom)
			fail_msg("case %zu: %u calls", i, f->nr_oom);
		fixture_free(f);
	}
}

/* Requests for low zones do not end anything either. */
static void test_oom_is_not_for_dma(void **state)
{
	struct test_machine *m = test_machine_new();
	struct fixture *f;

	(void)state;
	test_machine_add(m, 0, 32 * QR_MAX_ORDER_NR_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.dma32_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.normal_end = 32 * QR_MAX_ORDER_NR_PAGES};
	f = fixture_machine(m);
	f->ops.out_of_memory = fake_oom;
	ops_set(f);
	hoard_all(&f->hoard, EVERYTHING, 0);
	assert_null(request(f, QR_GFP_KERNEL | QR_GFP_DMA | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 0);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 1);
	fixture_free(f);
}

/* Without FS others are presumed to help, for 16 rounds (decision 0003). */
static void test_nofs_presumes_progress_for_a_while(void **state)
{
	struct fixture *f = fixture_new();
	unsigned relaxes;

	(void)state;
	f->ops.out_of_memory = fake_oom;
	f->oom_says = true;
	ops_set(f);
	leave_free(f, mark_min(f));
	relaxes = f->m->nr_relax;
	assert_null(request(f, QR_GFP_NOFS | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 0);
	assert_int_equal(f->m->nr_relax - relaxes, 16);
	fixture_free(f);
}

/* A victim that may not even use what it is entitled to does not go round and round. */
static void test_oom_victim_ends(void **state)
{
	struct qr_task task = {.flags = QR_TASK_OOM_VICTIM};
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.out_of_memory = fake_oom;
	f->oom_says = true;
	ops_set(f);
	leave_free(f, 0);
	test_task_set(&task);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 1);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOMEMALLOC | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 2);
	fixture_free(f);
}

/* A second request, made out of the callback itself, waits for it only so long. */
static struct fixture *nested;

static bool nesting_oom(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)ctx, (void)req;
	nested->nr_oom++;
	assert_null(qr_alloc_pages(q, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	return false;
}

static void test_oom_does_not_nest(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	nested = f;
	f->ops.out_of_memory = nesting_oom;
	ops_set(f);
	leave_free(f, mark_min(f));
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_oom, 1);
	fixture_free(f);
}

/* The callbacks' own requests use the reserves and do not come back: the task is marked. */
static void test_callbacks_run_as_memalloc(void **state)
{
	struct qr_task task = {.id = 7};
	struct fixture *f = fixture_new();

	(void)state;
	f->task = &task;
	f->ops.direct_reclaim = fake_reclaim;
	f->reclaim_says = f->reclaim_frees = 1;
	ops_set(f);
	leave_free(f, mark_min(f));
	test_task_set(&task);
	hoard_add(&f->hoard, request(f, QR_GFP_KERNEL, 0), 0);
	assert_int_equal(f->task_flags_seen, QR_TASK_MEMALLOC);
	assert_int_equal(task.flags, 0);
	fixture_free(f);
}

/* NOFAIL ----------------------------------------------------------------------------------- */

static void nofail_rescue(struct fixture *f)
{
	/* more than the reserve, or those who keep to the marks would go on for ever */
	if (f->nr_reclaim == 50)
		hoard_give(&f->hoard, mark_min(f) + 20);
}

/* It goes on after everybody else would have failed, and takes half of the reserve meanwhile. */
static void test_nofail_goes_on(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->in_reclaim = nofail_rescue;
	ops_set(f);
	leave_free(f, 0);
	assert_non_null(hoard_take(&f->hoard, QR_GFP_KERNEL | QR___GFP_NOFAIL, 0) ? f : NULL);
	assert_int_equal(f->nr_reclaim, 50);
	fixture_free(f);
}

/* Also where nothing may be ended for its sake: round after round. */
static void test_nofail_goes_round(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->in_reclaim = nofail_rescue;
	ops_set(f);
	leave_free(f, 0);
	hoard_add(&f->hoard,
		  request(f, QR_GFP_KERNEL | QR___GFP_NOFAIL | QR___GFP_RETRY_MAYFAIL, 0), 0);
	assert_non_null(f->hoard.entries[f->hoard.nr - 1].page);
	assert_true(f->nr_reclaim >= 50);
	assert_true(f->m->nr_relax > 0);
	fixture_free(f);
}

static void test_nofail_takes_the_reserve(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t min = mark_min(f);

	(void)state;
	leave_free(f, min - min / 2 + 1);
	request_succeeds(f, QR_GFP_KERNEL | QR___GFP_NOFAIL | QR___GFP_RETRY_MAYFAIL, 0,
			 "EKfKfufuON");
	fixture_free(f);
}

/* Where something could be ended for its sake, all of the reserve. */
static void test_nofail_after_oom(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.out_of_memory = fake_oom;
	ops_set(f);
	leave_free(f, 1);
	request_succeeds(f, QR_GFP_KERNEL | QR___GFP_NOFAIL, 0, "EKfKfufuO");
	assert_int_equal(zone_free(f->q, 0, QR_ZONE_NORMAL), 0);
	fixture_free(f);
}

/* Who cannot wait, fails all the same, and is told. */
static void test_nofail_without_waiting(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	test_log_clear(f->m);
	assert_null(request(f, QR___GFP_NOFAIL, 0));
	assert_string_equal(f->stages, "EffX");
	assert_true(test_log_has(f->m, "NOFAIL without DIRECT_RECLAIM"));
	fixture_free(f);
}

/* A node without memory, and no other will do: not even NOFAIL can wait for that. */
static void test_nofail_impossible(void **state)
{
	struct test_machine *m = test_machine_new();
	struct fixture *f;

	(void)state;
	test_machine_one_zone(m, ZONE_PAGES);
	m->config.nr_nodes = 2;
	f = fixture_machine(m);
	assert_null(qr_alloc_pages_node(f->q, 1,
					QR_GFP_KERNEL | QR___GFP_NOFAIL | QR___GFP_THISNODE, 0));
	assert_true(test_log_has(m, "no zone of the nodes"));
	fixture_free(f);
}

/* Messages --------------------------------------------------------------------------------- */

static void test_failure_message_is_rate_limited(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	test_log_clear(f->m);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_string_equal(f->m->log, "");
	assert_null(request(f, QR_GFP_KERNEL, 0));
	assert_true(test_log_has(f->m, "page allocation failure: order:0, mode:0xcc0"));
	test_log_clear(f->m);
	assert_null(request(f, QR_GFP_KERNEL, 0));
	f->m->now_ns += UINT64_C(9999999999);
	assert_null(request(f, QR_GFP_KERNEL, 0));
	assert_string_equal(f->m->log, "");
	f->m->now_ns += 1;
	assert_null(request(f, QR_GFP_KERNEL, 0));
	assert_true(test_log_has(f->m, "page allocation failure"));
	fixture_free(f);
}

/* That a machine has no DMA memory is no news. */
static void test_failure_message_of_dma_requests(void **state)
{
	const qr_gfp_t gfp = QR_GFP_KERNEL | QR_GFP_DMA;
	struct test_machine *m = test_machine_new();
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	test_log_clear(f->m);
	assert_null(request(f, gfp, 0));
	assert_string_equal(f->m->log, "");
	fixture_free(f);

	test_machine_add(m, 0, 32 * QR_MAX_ORDER_NR_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.dma32_end = 16 * QR_MAX_ORDER_NR_PAGES,
							.normal_end = 32 * QR_MAX_ORDER_NR_PAGES};
	f = fixture_machine(m);
	hoard_all(&f->hoard, EVERYTHING, 0);
	assert_null(request(f, gfp, 0));
	assert_true(test_log_has(m, "highest zone:DMA"));
	fixture_free(f);
}

static void nofail_says(qr_gfp_t gfp, unsigned order, uint32_t task_flags, const char *text)
{
	struct qr_task task = {.flags = task_flags};
	struct fixture *f = fixture_new();

	f->ops.direct_reclaim = fake_reclaim;
	f->reclaim_says = 1;
	f->reclaim_frees = 16;
	ops_set(f);
	leave_free(f, 0);
	test_log_clear(f->m);
	test_task_set(&task);
	if (task_flags)
		hoard_give(&f->hoard, mark_min(f) / 2 + 1);
	hoard_take(&f->hoard, gfp | QR___GFP_NOFAIL, order);
	assert_true(test_log_has(f->m, text));
	fixture_free(f);
}

/* NOFAIL where it is asking for trouble. */
static void test_nofail_messages(void **state)
{
	(void)state;
	nofail_says(QR_GFP_ATOMIC, 0, 0, "without DIRECT_RECLAIM");
	nofail_says(QR_GFP_KERNEL, 2, 0, "order above 1");
	nofail_says(QR_GFP_KERNEL, 0, QR_TASK_MEMALLOC, "cannot be helped by reclaim");
}

/* The ground moves ------------------------------------------------------------------------- */

static void ground_move(struct fixture *f)
{
	if (f->nr_reclaim == 1)
		qr__zonelists_rebuild(qr__frames(f->q));
}

static void test_zonelists_rebuilt_meanwhile(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->in_reclaim = ground_move;
	ops_set(f);
	leave_free(f, mark_min(f));
	request_fails(f, QR_GFP_KERNEL, 0, "EKfKfRSKfKfRuOX");
	fixture_free(f);
}

/* While the rebuilding lasts: who waits starts over, who cannot wait fails (A32). */
static struct qr_frames *rebuilding;

static void rebuild_end(void *ctx, unsigned spins)
{
	(void)ctx;
	if (spins == 2)
		atomic_fetch_add(&rebuilding->zonelist_seq, 1);
}

static void test_zonelists_being_rebuilt(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	rebuilding = qr__frames(f->q);
	rebuilding->base.platform.relax = rebuild_end;
	atomic_fetch_add(&rebuilding->zonelist_seq, 1);
	request_fails(f, QR_GFP_NOWAIT, 0, "EKfKfX");
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_non_null(strstr(f->stages, "S"));
	assert_int_equal(qr__zonelist_seq(rebuilding) & 1, 0);
	fixture_free(f);
}

/* A17: what compaction said before a restart does not count after it. */
static unsigned a17_calls;

static enum qr_compact_result a17_compact(void *ctx, struct quire *q,
					  const struct qr_reclaim_request *req,
					  enum qr_compact_priority priority,
					  struct qr_page **captured)
{
	(void)ctx, (void)req, (void)priority, (void)captured;
	if (++a17_calls == 1) {
		/* After this NORETRY would give up; but the ground moves. */
		qr__zonelists_rebuild(qr__frames(q));
		return QR_COMPACT_DEFERRED;
	}
	return QR_COMPACT_COMPLETE;
}

static void test_a17_compaction_result_after_restart(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_compact = a17_compact;
	ops_set(f);
	leave_singles(f);
	a17_calls = 0;
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, 4, "EKfafSKfafKfufCfX");
	fixture_free(f);
}

/* A18: a cpuset that changes while reclaim goes on with progress. */
static void a18_move(struct fixture *f)
{
	if (f->nr_reclaim == 5) {
		f->task->mems_allowed = 2;
		f->task->mems_seq++;
	}
	assert_true(f->nr_reclaim < 100);
}

static void test_a18_cpuset_changes_during_reclaim(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_task task = {.cpuset = true, .mems_allowed = 1};
	struct fixture *f;
	struct qr_page *page;

	(void)state;
	test_machine_nodes(m, 2, ZONE_PAGES);
	f = fixture_machine(m);
	while (zone_free(f->q, 0, QR_ZONE_NORMAL)) {
		page = qr_alloc_pages_node(f->q, 0, EVERYTHING | QR___GFP_THISNODE, 0);
		if (page)
			hoard_add(&f->hoard, page, 0);
		qr_drain_all_pages(f->q, NULL);
	}
	f->task = &task;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.reclaimable_pages = fake_reclaimable;
	f->reclaimable = 1000;
	f->reclaim_says = 1; /* progress, for ever */
	f->in_reclaim = a18_move;
	ops_set(f);
	test_task_set(&task);
	page = request(f, QR_GFP_USER, 0);
	assert_non_null(page);
	assert_int_equal(qr_page_nid(f->q, page), 1);
	assert_int_equal(f->nr_reclaim, 5);
	hoard_add(&f->hoard, page, 0);
	fixture_free(f);
}

static void cpuset_touch(struct fixture *f)
{
	if (f->nr_reclaim == 1)
		f->task->mems_seq++;
}

/* Whether or not the change helps, it is a reason to begin again. */
static void test_cpuset_touched_meanwhile(void **state)
{
	struct qr_task task = {.cpuset = true, .mems_allowed = 1};
	struct fixture *f = fixture_new();

	(void)state;
	f->task = &task;
	f->ops.direct_reclaim = fake_reclaim;
	f->in_reclaim = cpuset_touch;
	ops_set(f);
	leave_free(f, mark_min(f));
	test_task_set(&task);
	request_fails(f, QR_GFP_KERNEL, 0, "EKfKfRSKfKfRuOX");
	fixture_free(f);
}

/* Nothing is even tried for a task whose cpuset has no memory at all. */
static void test_insane_cpuset(void **state)
{
	struct qr_task task = {.cpuset = true, .mems_allowed = 2};
	struct fixture *f = fixture_new();

	(void)state;
	test_task_set(&task);
	request_fails(f, QR_GFP_USER, 0, "EX");
	fixture_free(f);
}

/* Highatomic ------------------------------------------------------------------------------- */

/* A zone large enough to have a reserve, with its reserve filled by an atomic request. */
static struct fixture *reserve_new(qr_gfp_t gfp)
{
	struct test_machine *m = test_machine_new();
	struct fixture *f;
	uint64_t low;

	test_machine_one_zone(m, 128 * QR_PAGEBLOCK_NR_PAGES);
	f = fixture_machine(m);
	low = qr_zone_watermark(qr_zone_at(f->q, 0, QR_ZONE_NORMAL), QR_WMARK_LOW);
	while (zone_free(f->q, 0, QR_ZONE_NORMAL) > low) {
		assert_non_null(hoard_take(&f->hoard, QR___GFP_NOWARN, 2));
		qr_drain_all_pages(f->q, NULL);
	}
	/* Now the fast path fails, and the slow path succeeds. */
	assert_non_null(hoard_take(&f->hoard, gfp, 2));
	return f;
}

static void test_a10_nowait_does_not_grow_the_reserve(void **state)
{
	struct fixture *f = reserve_new(QR_GFP_NOWAIT);

	(void)state;
	assert_int_equal(zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_reserved_highatomic, 0);
	fixture_free(f);
	f = reserve_new(QR_GFP_ATOMIC);
	assert_int_equal(zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_reserved_highatomic,
			 QR_PAGEBLOCK_NR_PAGES);
	assert_true(strchr(f->stages, 'E') != NULL);
	fixture_free(f);
}

static qr_pfn_t reserved_pageblock(struct fixture *f)
{
	qr_pfn_t reserved = QR_PFN_NONE;

	for (qr_pfn_t pfn = 0; pfn < 128 * QR_PAGEBLOCK_NR_PAGES; pfn += QR_PAGEBLOCK_NR_PAGES)
		if (qr_get_pageblock_migratetype(f->q, pfn) == QR_MIGRATE_HIGHATOMIC)
			reserved = pfn;
	assert_true(reserved != QR_PFN_NONE);
	return reserved;
}

/* Give back what of the hoard lies in these frames. */
static void give_range(struct fixture *f, qr_pfn_t pfn, qr_pfn_t end_pfn)
{
	for (; pfn < end_pfn; pfn++)
		hoard_give_pfn(&f->hoard, pfn);
	qr_drain_all_pages(f->q, NULL);
}

static bool from_reserve(struct fixture *f, qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(f->q, gfp, order);
	bool reserved;

	assert_non_null(page);
	reserved = qr_get_pageblock_migratetype(f->q, qr_page_to_pfn(f->q, page)) ==
		   QR_MIGRATE_HIGHATOMIC;
	hoard_add(&f->hoard, page, order);
	qr_drain_all_pages(f->q, NULL);
	return reserved;
}

/*
 * Give back what of the hoard lies in the reserved pageblock.  True: it is all that is free; false:
 * this geometry's pageblocks are too small for that.
 */
static bool leave_the_reserve(struct fixture *f)
{
	struct qr_zone_snapshot snap;
	qr_pfn_t reserved;

	hoard_all(&f->hoard, EVERYTHING | QR___GFP_HIGH, 0);
	reserved = reserved_pageblock(f);
	give_range(f, reserved, reserved + QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(qr_tunable_set(f->q, QR_TUNE_MIN_FREE_KBYTES, 128), 0);
	snap = zone_snap(f->q, 0, QR_ZONE_NORMAL);
	assert_int_equal(snap.nr_free, snap.nr_free_highatomic);
	return snap.nr_free > snap.watermark[QR_WMARK_HIGH];
}

/*
 * The reserve is first for those it is meant for, last for others who cannot wait, not for the
 * rest.
 */
static void test_who_gets_the_reserve(void **state)
{
	const unsigned high_order = QR_PAGEBLOCK_ORDER > 4 ? 4 : QR_PAGEBLOCK_ORDER;
	struct fixture *f = reserve_new(QR_GFP_ATOMIC);

	(void)state;
	if (high_order == 4) {
		/* An order whose requests for the reserve no cache serves. */
		uint64_t nr_reserved = zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_reserved_highatomic;
		qr_pfn_t reserved = reserved_pageblock(f);

		give_range(f, reserved + QR_PAGEBLOCK_NR_PAGES / 2,
			   reserved + QR_PAGEBLOCK_NR_PAGES);
		assert_true(zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_free_highatomic >= 32);
		assert_false(from_reserve(f, QR_GFP_NOWAIT, high_order));
		assert_true(from_reserve(f, QR_GFP_ATOMIC, high_order));
		assert_true(from_reserve(f, QR_GFP_ATOMIC, high_order));
		assert_int_equal(zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_reserved_highatomic,
				 nr_reserved);
	}
	if (leave_the_reserve(f)) {
		assert_null(qr_alloc_pages(f->q, QR_GFP_KERNEL | QR___GFP_NORETRY | QR___GFP_NOWARN,
					   0));
		assert_true(from_reserve(f, QR_GFP_ATOMIC, 0));
		assert_true(from_reserve(f, QR_GFP_NOWAIT, 0));
	}
	fixture_free(f);
}

/* A9: all that is free is in the reserve: it is given up before anything is ended. */
static void test_a9_reserve_is_given_up_before_oom(void **state)
{
	struct fixture *f = reserve_new(QR_GFP_ATOMIC);

	(void)state;
	if (!leave_the_reserve(f)) {
		fixture_free(f);
		skip();
	}
	f->ops.out_of_memory = fake_oom;
	ops_set(f);
	hoard_add(&f->hoard, request(f, QR_GFP_KERNEL, 0), 0);
	assert_non_null(f->hoard.entries[f->hoard.nr - 1].page);
	assert_int_equal(f->nr_oom, 0);
	assert_non_null(strchr(f->stages, 'u'));
	assert_int_equal(zone_snap(f->q, 0, QR_ZONE_NORMAL).nr_reserved_highatomic, 0);
	fixture_free(f);
}

/* Throttle --------------------------------------------------------------------------------- */

static uint64_t fake_shrink(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
			    unsigned priority)
{
	(void)ctx, (void)q, (void)zone, (void)nr, (void)priority;
	return 0;
}

static unsigned throttle_relaxes(uint64_t free_pages, uint32_t task_flags, uint64_t reclaimable,
				 bool shrinks)
{
	struct qr_task task = {.flags = task_flags};
	struct fixture *f = fixture_new();
	unsigned relaxes;

	f->ops.direct_reclaim = fake_reclaim;
	f->ops.reclaimable_pages = fake_reclaimable;
	f->ops.shrink_zone = shrinks ? fake_shrink : NULL;
	f->reclaimable = reclaimable;
	ops_set(f);
	leave_free(f, free_pages);
	test_task_set(&task);
	relaxes = f->m->nr_relax;
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NORETRY | QR___GFP_NOWARN, 0));
	relaxes = f->m->nr_relax - relaxes;
	fixture_free(f);
	return relaxes;
}

static void test_throttle(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t half = mark_min(f) / 2;

	(void)state;
	fixture_free(f);
	assert_int_equal(throttle_relaxes(half, 0, 100, true), 16);
	assert_int_equal(throttle_relaxes(half + 1, 0, 100, true), 0);
	assert_int_equal(throttle_relaxes(half, QR_TASK_KTHREAD, 100, true), 0);
	assert_int_equal(throttle_relaxes(half, QR_TASK_FATAL_SIGNAL, 100, true), 0);
	assert_int_equal(throttle_relaxes(half, 0, 0, true), 0);
	assert_int_equal(throttle_relaxes(half, 0, 100, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oom_frees),
		cmocka_unit_test(test_oom_refuses),
		cmocka_unit_test(test_oom_is_not_for_all),
		cmocka_unit_test(test_oom_is_not_for_dma),
		cmocka_unit_test(test_nofs_presumes_progress_for_a_while),
		cmocka_unit_test(test_oom_victim_ends),
		cmocka_unit_test(test_oom_does_not_nest),
		cmocka_unit_test(test_callbacks_run_as_memalloc),
		cmocka_unit_test(test_nofail_goes_on),
		cmocka_unit_test(test_nofail_goes_round),
		cmocka_unit_test(test_nofail_takes_the_reserve),
		cmocka_unit_test(test_nofail_after_oom),
		cmocka_unit_test(test_nofail_without_waiting),
		cmocka_unit_test(test_nofail_impossible),
		cmocka_unit_test(test_failure_message_is_rate_limited),
		cmocka_unit_test(test_failure_message_of_dma_requests),
		cmocka_unit_test(test_nofail_messages),
		cmocka_unit_test(test_zonelists_rebuilt_meanwhile),
		cmocka_unit_test(test_zonelists_being_rebuilt),
		cmocka_unit_test(test_a17_compaction_result_after_restart),
		cmocka_unit_test(test_a18_cpuset_changes_during_reclaim),
		cmocka_unit_test(test_cpuset_touched_meanwhile),
		cmocka_unit_test(test_insane_cpuset),
		cmocka_unit_test(test_who_gets_the_reserve),
		cmocka_unit_test(test_a10_nowait_does_not_grow_the_reserve),
		cmocka_unit_test(test_a9_reserve_is_given_up_before_oom),
		cmocka_unit_test(test_throttle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
