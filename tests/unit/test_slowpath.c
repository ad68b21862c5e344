/* SPDX-License-Identifier: MIT */
/*
 * test_slowpath.c - the rungs of the ladder: which follows which, and for whom
 */
#include "slow_fixture.h"

#include "alloc/pcp.h"

/* Levels: how deep each kind of request may go --------------------------------------------- */

static uint64_t level_of(qr_gfp_t gfp, uint32_t task_flags)
{
	struct fixture *f = fixture_new();
	struct qr_task task = {.flags = task_flags};
	uint64_t level;

	test_task_set(task_flags ? &task : NULL);
	hoard_all(&f->hoard, gfp | QR___GFP_NOWARN, 0);
	level = zone_free(f->q, 0, QR_ZONE_NORMAL);
	fixture_free(f);
	return level;
}

static void test_levels(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t min = mark_min(f);
	const qr_gfp_t high = QR___GFP_HIGH, wait = QR___GFP_DIRECT_RECLAIM;

	(void)state;
	fixture_free(f);
	assert_true(min >= 16);
	assert_int_equal(level_of(0, 0), min);
	assert_int_equal(level_of(QR_GFP_NOWAIT, 0), min);
	assert_int_equal(level_of(QR_GFP_KERNEL, 0), min);
	assert_int_equal(level_of(QR_GFP_KERNEL | high, 0), min - min / 2);
	assert_int_equal(level_of(QR_GFP_ATOMIC, 0), min - min / 2 - (min - min / 2) / 4);
	assert_int_equal(level_of(QR_GFP_ATOMIC | QR___GFP_NOMEMALLOC, 0), min - min / 2);
	assert_int_equal(level_of(QR___GFP_MEMALLOC, 0), 0);
	assert_int_equal(level_of(QR___GFP_MEMALLOC | QR___GFP_NOMEMALLOC, 0), min);
	/* And by what the task is. */
	assert_int_equal(level_of(wait, QR_TASK_MEMALLOC), 0);
	assert_int_equal(level_of(wait | QR___GFP_NOMEMALLOC, QR_TASK_MEMALLOC), min);
	assert_int_equal(level_of(0, QR_TASK_MEMALLOC | QR_TASK_SOFTIRQ), 0);
	assert_int_equal(level_of(0, QR_TASK_MEMALLOC | QR_TASK_INTERRUPT), min);
	assert_int_equal(level_of(wait, QR_TASK_OOM_VICTIM), min - min / 2);
	assert_int_equal(level_of(0, QR_TASK_OOM_VICTIM | QR_TASK_SOFTIRQ), min);
	assert_int_equal(level_of(wait, QR_TASK_REALTIME), min - min / 2);
	assert_int_equal(level_of(wait, QR_TASK_REALTIME | QR_TASK_INTERRUPT), min);
}

/* Pages that ignored the watermarks say so. */
static void test_pfmemalloc(void **state)
{
	struct fixture *f = fixture_new();
	struct qr_page *page;

	(void)state;
	page = request(f, EVERYTHING, 0);
	assert_false(qr_page_is_pfmemalloc(f->q, page));
	hoard_add(&f->hoard, page, 0);
	leave_free(f, 8);
	page = request(f, EVERYTHING, 0);
	assert_true(qr_page_is_pfmemalloc(f->q, page));
	hoard_add(&f->hoard, page, 0);
	fixture_free(f);
}

/* Rungs ------------------------------------------------------------------------------------ */

static void test_no_wait(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	request_fails(f, 0, 0, "EffX");
	request_fails(f, QR_GFP_NOWAIT, 0, "EKfKfX");
	fixture_free(f);
}

/* Between min and low: the fast path fails, the first try at min succeeds. */
static void test_first_try(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f) + 1);
	request_succeeds(f, QR_GFP_KERNEL, 0, "EKf");
	fixture_free(f);
}

/* Nobody registered anything: one round, and NULL (decision 0003). */
static void test_nobody_helps(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	leave_free(f, mark_min(f));
	request_fails(f, QR_GFP_KERNEL, 0, "EKfKfufuOX");
	assert_int_equal(alloc_stats(f->q).alloc_failed > 0, 1);
	fixture_free(f);
}

/* Free pages in another CPU's cache are found without any callback. */
static void test_strays_are_collected(void **state)
{
	struct test_machine *m = test_machine_new();
	struct fixture *f;
	struct qr_page *page;
	uint64_t nr;

	(void)state;
	m->config.nr_cpus = 2;
	test_machine_one_zone(m, ZONE_PAGES);
	f = fixture_machine(m);
	leave_free(f, mark_min(f));
	/* With the batch of so small a zone, magazines would keep nothing while it is short. */
	qr__pcp_write(&qr__pcp_of(qr_zone_at(f->q, 0, QR_ZONE_NORMAL), 1)->batch, 4);
	test_cpu_set(1);
	page = f->hoard.entries[--f->hoard.nr].page;
	qr___free_pages(f->q, page, 0);
	nr = zone_free(f->q, 0, QR_ZONE_NORMAL);
	test_cpu_set(0);
	assert_int_equal(nr, mark_min(f)); /* it waits in the cache of CPU 1 */
	request_succeeds(f, QR_GFP_KERNEL, 0, "EKfKfuf");
	fixture_free(f);
}

static void test_reclaim_succeeds(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->reclaim_says = f->reclaim_frees = 4;
	ops_set(f);
	leave_free(f, mark_min(f));
	request_succeeds(f, QR_GFP_KERNEL, 0, "EKfKfRf");
	assert_int_equal(f->nr_reclaim, 1);
	assert_int_equal(f->last.gfp, QR_GFP_KERNEL | QR___GFP_NOWARN);
	assert_int_equal(f->last.order, 0);
	assert_int_equal(f->last.highest_zoneidx, QR_ZONE_NORMAL);
	assert_int_equal(f->last.preferred_nid, 0);
	assert_int_equal(qr_vm_event(f->q, QR_EV_ALLOCSTALL + QR_ZONE_NORMAL), 1);
	assert_int_equal(alloc_stats(f->q).direct_reclaim, 1);
	fixture_free(f);
}

/* NORETRY: one round of reclaim, whatever it says. */
static void test_noretry(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.out_of_memory = fake_oom;
	f->reclaim_says = 1;
	f->oom_says = true;
	ops_set(f);
	leave_free(f, mark_min(f));
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, 0, "EKfKfRfufX");
	assert_int_equal(f->nr_oom, 0);
	fixture_free(f);
}

/* Reclaim that frees nothing is given 16 rounds if something is reclaimable, then comes the end. */
static void test_reclaim_without_progress_is_bounded(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.reclaimable_pages = fake_reclaimable;
	f->reclaimable = 1000;
	ops_set(f);
	leave_free(f, mark_min(f));
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_reclaim, 17);
	/* Nothing reclaimable: no second round. */
	f->nr_reclaim = 0;
	f->reclaimable = 0;
	request_fails(f, QR_GFP_KERNEL, 0, "EKfKfRuOX");
	assert_int_equal(f->nr_reclaim, 1);
	fixture_free(f);
}

/* Who opened the reserves still wakes kswapd in each round. */
static void test_reserves_do_not_silence_kswapd(void **state)
{
	struct fixture *f = fixture_new();
	unsigned nr_wakes = 0;

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.reclaimable_pages = fake_reclaimable;
	f->reclaimable = 1000;
	ops_set(f);
	leave_free(f, 0);
	assert_null(request(f, QR_GFP_KERNEL | EVERYTHING, 0));
	for (const char *stage = f->stages; *stage; stage++)
		nr_wakes += *stage == 'K';
	assert_int_equal(f->nr_reclaim, 17);
	assert_int_equal(nr_wakes, 1 + 17);
	fixture_free(f);
}

/* Progress resets the count of fruitless rounds; but not for costly orders. */
static void test_progress_keeps_small_requests_going(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.reclaimable_pages = fake_reclaimable;
	f->reclaimable = 1000;
	f->reclaim_says = 1;
	f->reclaim_stops_after = 40;
	ops_set(f);
	leave_free(f, mark_min(f));
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 0));
	assert_int_equal(f->nr_reclaim, 40 + 17);
	fixture_free(f);
}

static void test_costly(void **state)
{
	const unsigned costly = QR_PAGE_ALLOC_COSTLY_ORDER + 1;
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.direct_compact = fake_compact;
	f->ops.out_of_memory = fake_oom;
	f->reclaim_says = 1;
	f->oom_says = true;
	f->compact_says = QR_COMPACT_COMPLETE;
	ops_set(f);
	leave_singles(f);
	/* A costly default request ends after one round of everything. */
	request_fails(f, QR_GFP_KERNEL, costly, "EKfafKfRfufCfX");
	assert_int_equal(f->nr_oom, 0);
	assert_int_equal(f->priorities[0], QR_COMPACT_PRIO_ASYNC);
	assert_int_equal(f->priorities[1], QR_COMPACT_PRIO_SYNC_LIGHT);

	/* With NORETRY it ends at once where compaction does not even begin... */
	f->nr_compact = f->nr_reclaim = 0;
	f->compact_says = QR_COMPACT_DEFERRED;
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, costly, "EKfafX");
	f->compact_says = QR_COMPACT_SKIPPED;
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, costly, "EKfaX");
	assert_int_equal(f->nr_reclaim, 0);
	/* ... and otherwise stays with compaction that does not wait. */
	f->nr_compact = 0;
	f->compact_says = QR_COMPACT_COMPLETE;
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, costly, "EKfafKfRfufCfX");
	assert_int_equal(f->priorities[1], QR_COMPACT_PRIO_ASYNC);
	fixture_free(f);
}

/* Who asks for compaction before reclaim: large blocks, and blocks that are not movable. */
static void test_early_compaction(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_compact = fake_compact;
	f->compact_says = QR_COMPACT_COMPLETE;
	ops_set(f);
	leave_singles(f);
	request_fails(f, QR_GFP_KERNEL | QR___GFP_NORETRY, 1, "EKfafKfufCfX");
	request_fails(f, QR_GFP_KERNEL | QR___GFP_MOVABLE | QR___GFP_NORETRY, 1, "EKfKfufCfX");
	/* Not without IO before reclaim, not for those entitled to reserves, not for order 0. */
	request_fails(f, QR_GFP_NOIO | QR___GFP_NORETRY, 1, "EKfKfufCfX");
	request_fails(f, QR_GFP_KERNEL | QR___GFP_MEMALLOC | QR___GFP_NORETRY, 1, "EKfKfufCfX");
	assert_int_equal(qr_vm_event(f->q, QR_EV_COMPACT_STALL), 5);
	assert_int_equal(qr_vm_event(f->q, QR_EV_COMPACT_FAIL), 5);
	assert_int_equal(qr_vm_event(f->q, QR_EV_COMPACT_SUCCESS), 0);
	assert_int_equal(alloc_stats(f->q).direct_compact, 5);
	fixture_free(f);
}

static void test_compaction_succeeds(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_compact = fake_compact;
	f->compact_says = QR_COMPACT_SUCCESS;
	f->compact_frees_at = 2;
	ops_set(f);
	leave_singles(f);
	request_succeeds(f, QR_GFP_KERNEL, 2, "EKfafKfufCf");
	assert_int_equal(qr_vm_event(f->q, QR_EV_COMPACT_SUCCESS), 1);
	fixture_free(f);
}

/* Compaction's priority is stepped up, each with fresh retries, until there is none left. */
static void test_compaction_retries(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.direct_compact = fake_compact;
	f->reclaim_says = 1;
	f->compact_says = QR_COMPACT_COMPLETE;
	ops_set(f);
	leave_singles(f);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 2));
	assert_int_equal(f->nr_compact, 3);
	assert_int_equal(f->priorities[0], QR_COMPACT_PRIO_ASYNC);
	assert_int_equal(f->priorities[1], QR_COMPACT_PRIO_SYNC_LIGHT);
	assert_int_equal(f->priorities[2], QR_COMPACT_PRIO_SYNC_FULL);

	/* It reports success, and yet there is no block: 16 more at each priority. */
	f->nr_compact = 0;
	f->compact_says = QR_COMPACT_SUCCESS;
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 2));
	assert_int_equal(f->nr_compact, 1 + 17 + 17);

	/* Costly: 4, and never full. */
	f->nr_compact = 0;
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_RETRY_MAYFAIL | QR___GFP_NOWARN, 4));
	assert_int_equal(f->nr_compact, 1 + 5);
	assert_int_equal(f->priorities[5], QR_COMPACT_PRIO_SYNC_LIGHT);

	/* Skipped for want of memory: on as long as reclaim might help, if anybody can tell. */
	f->nr_compact = 0;
	f->compact_says = QR_COMPACT_SKIPPED;
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 2));
	assert_int_equal(f->nr_compact, 1 + 1);
	f->nr_compact = 0;
	f->ops.compaction_suitable = fake_suitable;
	f->suitable = true;
	ops_set(f);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 2));
	assert_int_equal(f->nr_suitable, 5);
	assert_int_equal(f->nr_compact, 1 + 5);
	fixture_free(f);
}

/* A task that is being ended does not wait for compaction. */
static void test_fatal_signal_ends_compaction(void **state)
{
	struct qr_task task = {.flags = QR_TASK_FATAL_SIGNAL};
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->ops.direct_compact = fake_compact;
	f->reclaim_says = 1;
	f->compact_says = QR_COMPACT_SUCCESS;
	ops_set(f);
	leave_singles(f);
	test_task_set(&task);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 2));
	assert_int_equal(f->nr_compact, 2);
	fixture_free(f);
}

/* Without compaction, a small block is waited for while reclaim goes on and memory is there. */
static void test_retry_without_compaction(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->ops.direct_reclaim = fake_reclaim;
	f->reclaim_says = 1;
	f->reclaim_stops_after = 30;
	ops_set(f);
	leave_singles(f);
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NOWARN, 1));
	assert_int_equal(f->nr_reclaim, 31);
	fixture_free(f);
}

/* What compaction captured: a block off the lists, or an ordinary allocation. */
static void test_captured(void **state)
{
	struct fixture *f = fixture_new();
	struct qr_allocator *alloc = qr__allocator(f->q);
	struct qr_zone *zone = qr_zone_at(f->q, 0, QR_ZONE_NORMAL);
	unsigned long irqs;
	qr_pfn_t pfn;
	struct qr_page *page;

	(void)state;
	hoard_all(&f->hoard, EVERYTHING, 2);
	hoard_give(&f->hoard, 1);
	irqs = qr__zone_lock(zone);
	assert_int_equal(qr___rmqueue(zone, 2, QR_MIGRATE_UNMOVABLE, 0, 1, &pfn), 1);
	qr__zone_unlock(zone, irqs);
	assert_int_equal(zone_free(f->q, 0, QR_ZONE_NORMAL), 0);
	f->ops.direct_compact = fake_compact;
	f->compact_says = QR_COMPACT_SUCCESS;
	f->captured = qr__pfn_page(&alloc->frames, pfn);
	ops_set(f);
	request_succeeds(f, QR_GFP_KERNEL, 2, "EKfa");
	page = f->hoard.entries[f->hoard.nr - 1].page;
	assert_ptr_equal(page, f->captured);
	assert_int_equal(qr_page_count(f->q, page), 1);

	/* Now as somebody outside can capture: allocated. */
	f->captured = f->hoard.entries[--f->hoard.nr].page;
	assert_null(request(f, QR_GFP_KERNEL | QR___GFP_NORETRY | QR___GFP_NOWARN, 2));
	assert_int_equal(zone_free(f->q, 0, QR_ZONE_NORMAL), 4);
	f->captured = NULL;
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_pfmemalloc),
		cmocka_unit_test(test_no_wait),
		cmocka_unit_test(test_first_try),
		cmocka_unit_test(test_nobody_helps),
		cmocka_unit_test(test_strays_are_collected),
		cmocka_unit_test(test_reclaim_succeeds),
		cmocka_unit_test(test_noretry),
		cmocka_unit_test(test_reclaim_without_progress_is_bounded),
		cmocka_unit_test(test_reserves_do_not_silence_kswapd),
		cmocka_unit_test(test_progress_keeps_small_requests_going),
		cmocka_unit_test(test_costly),
		cmocka_unit_test(test_early_compaction),
		cmocka_unit_test(test_compaction_succeeds),
		cmocka_unit_test(test_compaction_retries),
		cmocka_unit_test(test_fatal_signal_ends_compaction),
		cmocka_unit_test(test_retry_without_compaction),
		cmocka_unit_test(test_captured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
