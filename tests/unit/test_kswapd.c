/* SPDX-License-Identifier: MIT */
/*
 * test_kswapd.c - the background balancer: when it is woken, what it asks for, when it gives up
 */
#include "support.h"

#include "alloc/pcp.h"
#include "base/bits.h"

static struct test_machine *m;

#define PAGES (UINT64_C(64) * QR_MAX_ORDER_NR_PAGES)
#define DEF_PRIORITY 12

/* Somebody who has pages to give back. */
static struct {
	struct qr_page *pages[PAGES];
	unsigned nr;
	unsigned per_call; /* pages freed at a call at most; UINT_MAX: what was asked for */
	bool lies; /* reports progress and makes none */

	unsigned calls, kcompactd_wakes, kcompactd_order;
	unsigned lowest_priority;
	uint64_t asked;
	struct qr_zone *zone;
	bool active; /* the zone was marked RECLAIM_ACTIVE in every call */
} owner;

static uint64_t shrink_zone(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
			    unsigned priority)
{
	uint64_t done = 0;

	(void)ctx;
	owner.calls++;
	owner.asked += nr;
	owner.zone = zone;
	owner.active = owner.active && qr__zone_flag(zone, QR_ZONE_RECLAIM_ACTIVE);
	if (priority < owner.lowest_priority)
		owner.lowest_priority = priority;
	if (owner.lies)
		return nr;
	while (owner.nr && done < nr && done < owner.per_call) {
		qr___free_pages(q, owner.pages[--owner.nr], 0);
		done++;
	}
	qr_drain_all_pages(q, NULL);
	return done;
}

static void wake_kcompactd(void *ctx, struct quire *q, int nid, unsigned order,
			   enum qr_zone_type highest)
{
	(void)ctx, (void)q, (void)nid, (void)highest;
	owner.kcompactd_wakes++;
	owner.kcompactd_order = order;
}

static const struct qr_reclaim_ops ops = {
	.shrink_zone = shrink_zone,
	.wake_kcompactd = wake_kcompactd,
};

static struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static struct qr_node *node(void)
{
	return zone()->node;
}

static void begin(void)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	test_machine_create(m);
	memset(&owner, 0, sizeof(owner));
	owner.lowest_priority = ~0u;
	owner.per_call = ~0u;
	owner.active = true;
	qr_reclaim_ops_set(m->q, &ops, NULL);
}

static void end(void)
{
	while (owner.nr)
		qr___free_pages(m->q, owner.pages[--owner.nr], 0);
	test_machine_free(m);
}

/* Take pages until only so many are free. */
static void leave(uint64_t nr_free)
{
	qr_drain_all_pages(m->q, NULL);
	while (qr_zone_free_pages(zone()) > nr_free) {
		struct qr_page *page;

		assert_int_equal(
			qr_alloc_pages_at(m->q, PAGES - 1 - owner.nr, 0, QR_GFP_KERNEL, &page), 0);
		owner.pages[owner.nr++] = page;
	}
}

static uint64_t high(void)
{
	return qr_zone_watermark(zone(), QR_WMARK_HIGH);
}

static uint64_t low(void)
{
	return qr_zone_watermark(zone(), QR_WMARK_LOW);
}

static uint64_t wakes(void)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(m->q, &stats);
	return stats.kswapd_wakes;
}

static void wake(qr_gfp_t gfp, unsigned order)
{
	qr_wakeup_kswapd(zone(), gfp, order, QR_ZONE_NORMAL);
}

/* Balance ---------------------------------------------------------------------------------- */

static void test_reclaims_up_to_high(void **state)
{
	(void)state;
	begin();
	leave(low() - 1);
	wake(QR_GFP_KERNEL, 0);
	assert_int_equal(wakes(), 1);
	assert_int_equal(owner.calls, 0);
	qr_run_pending(m->q);
	assert_true(qr_zone_free_pages(zone()) > high());
	assert_true(owner.active);
	assert_false(qr__zone_flag(zone(), QR_ZONE_RECLAIM_ACTIVE));
	assert_int_equal(qr_vm_event(m->q, QR_EV_PAGEOUTRUN), 1);
	assert_int_equal(owner.lowest_priority, DEF_PRIORITY);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 0);
	assert_ptr_equal(owner.zone, zone());
	/* And not again for what was asked for before. */
	qr_run_pending(m->q);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PAGEOUTRUN), 1);
	end();
}

/* Who gives less than was asked for is asked harder. */
static void test_priority_rises(void **state)
{
	(void)state;
	begin();
	leave(4);
	owner.per_call = 1;
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(owner.lowest_priority, 1);
	assert_int_equal(owner.calls, DEF_PRIORITY);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 0);
	end();
}

/* It goes on in further runs as long as there is progress. */
static void test_goes_on_until_balanced(void **state)
{
	unsigned runs = 0;

	(void)state;
	begin();
	leave(4);
	owner.per_call = 1;
	wake(QR_GFP_KERNEL, 0);
	while (qr_zone_free_pages(zone()) <= high() && runs++ < 1000)
		qr_run_pending(m->q);
	assert_in_range(runs, 2, 999);
	assert_int_equal(wakes(), 1);
	end();
}

static void test_one_wake_is_enough(void **state)
{
	(void)state;
	begin();
	leave(low() - 1);
	wake(QR_GFP_KERNEL, 0);
	wake(QR_GFP_KERNEL, 3);
	wake(QR_GFP_KERNEL, 1);
	assert_int_equal(wakes(), 1);
	assert_int_equal(atomic_load(&node()->kswapd_order), 3);
	assert_int_equal(atomic_load(&node()->kswapd_highest_zoneidx), QR_ZONE_NORMAL);
	qr_run_pending(m->q);
	assert_int_equal(atomic_load(&node()->kswapd_order), -1);
	assert_int_equal(atomic_load(&node()->kswapd_highest_zoneidx), -1);
	leave(low() - 1);
	wake(QR_GFP_KERNEL, 0);
	assert_int_equal(wakes(), 2);
	end();
}

static struct {
	unsigned calls;
	unsigned order;
	int64_t nid, highest;
} traced;

static void trace_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	traced.calls++;
	traced.order = event->order;
	traced.nid = event->a;
	traced.highest = event->b;
}

static void test_wakes_are_traced(void **state)
{
	(void)state;
	begin();
	leave(low() - 1);
	qr_trace_set(m->q, trace_note, NULL, 1u << QR_TP_KSWAPD_WAKE);
	memset(&traced, 0, sizeof(traced));
	wake(QR_GFP_KERNEL, 2);
	assert_int_equal(traced.calls, 1);
	assert_int_equal(traced.order, 2);
	assert_int_equal(traced.nid, 0);
	assert_int_equal(traced.highest, QR_ZONE_NORMAL);
	qr_trace_set(m->q, NULL, NULL, 0);
	end();
}

/* Through the front door: a request that finds the zone below its low mark. */
static void test_requests_wake_it(void **state)
{
	struct qr_page *page;

	(void)state;
	begin();
	leave(low() - 1);
	page = qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0);
	assert_non_null(page);
	assert_int_equal(wakes(), 1);
	qr_run_pending(m->q);
	assert_true(qr_zone_free_pages(zone()) > high());
	qr___free_pages(m->q, page, 0);
	end();
}

/* Nothing to do ---------------------------------------------------------------------------- */

static void test_a_balanced_node_is_left_alone(void **state)
{
	(void)state;
	begin();
	wake(QR_GFP_KERNEL, 0);
	assert_int_equal(wakes(), 0);
	assert_int_equal(owner.kcompactd_wakes, 0);
	/* Who cannot compact himself has the compactor woken for him. */
	wake(QR_GFP_NOWAIT, 3);
	assert_int_equal(wakes(), 0);
	assert_int_equal(owner.kcompactd_wakes, 1);
	assert_int_equal(owner.kcompactd_order, 3);
	qr_run_pending(m->q);
	assert_int_equal(owner.calls, 0);
	end();
}

static void test_an_empty_zone_wakes_nobody(void **state)
{
	(void)state;
	begin();
	qr_wakeup_kswapd(qr_zone_at(m->q, 0, QR_ZONE_MOVABLE), QR_GFP_NOWAIT, 0, QR_ZONE_MOVABLE);
	assert_int_equal(owner.kcompactd_wakes, 0);
	assert_int_equal(atomic_load(&node()->kswapd_highest_zoneidx), -1);
	end();
}

/* Giving up -------------------------------------------------------------------------------- */

static void test_gives_up_after_16_failures(void **state)
{
	unsigned calls;

	(void)state;
	begin();
	leave(4);
	owner.per_call = 0;
	wake(QR_GFP_KERNEL, 0);
	for (unsigned i = 1; i <= 16; i++) {
		qr_run_pending(m->q);
		assert_int_equal(atomic_load(&node()->kswapd_failures), i);
		assert_int_equal(owner.calls, i * DEF_PRIORITY);
	}
	calls = owner.calls;
	qr_run_pending(m->q);
	assert_int_equal(owner.calls, calls);
	/* Hopeless: no wake any more, but of the compactor for those who do not reclaim. */
	wake(QR_GFP_KERNEL, 0);
	assert_int_equal(wakes(), 1);
	assert_int_equal(owner.kcompactd_wakes, 0);
	wake(QR_GFP_NOWAIT, 0);
	assert_int_equal(owner.kcompactd_wakes, 1);
	/* Until there is hope. */
	atomic_store(&node()->kswapd_failures, 15);
	owner.per_call = ~0u;
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 0);
	assert_true(qr_zone_free_pages(zone()) > high());
	end();
}

static void test_nobody_to_ask(void **state)
{
	(void)state;
	begin();
	qr_reclaim_ops_set(m->q, NULL, NULL);
	leave(4);
	wake(QR_GFP_KERNEL, 0);
	for (unsigned i = 0; i < 20; i++)
		qr_run_pending(m->q);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 16);
	end();
}

/* Progress that is only claimed must not keep the caller for ever. */
static void test_a_liar_does_not_hang_it(void **state)
{
	(void)state;
	begin();
	leave(4);
	owner.lies = true;
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_in_range(owner.calls, 1, 64);
	end();
}

/* Order ------------------------------------------------------------------------------------ */

/* Every second page is free: no order 1 comes of reclaiming, compaction has to make it. */
static void test_large_orders_become_the_compactors_job(void **state)
{
	unsigned kept = 0;

	(void)state;
	begin();
	leave(0);
	for (unsigned i = 0; i < owner.nr; i++) {
		if (qr_page_to_pfn(m->q, owner.pages[i]) % 2 && kept < owner.nr &&
		    qr_zone_free_pages(zone()) <= high() + 100) {
			qr___free_pages(m->q, owner.pages[i], 0);
			owner.pages[i] = owner.pages[--owner.nr];
			qr_drain_all_pages(m->q, NULL);
		} else {
			kept++;
		}
	}
	owner.lies = true;
	wake(QR_GFP_KERNEL, 1);
	assert_int_equal(wakes(), 1);
	qr_run_pending(m->q);
	assert_int_equal(owner.kcompactd_wakes, 1);
	assert_int_equal(owner.kcompactd_order, 1);
	/* Single pages there are enough, so this was all. */
	qr_run_pending(m->q);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PAGEOUTRUN), 1);
	end();
}

/* Boosts ----------------------------------------------------------------------------------- */

static void test_boosts_are_reclaimed_and_taken_back(void **state)
{
	(void)state;
	begin();
	leave(high() + 300);
	qr__write(&zone()->watermark_boost, 100);
	wake(QR_GFP_KERNEL, 0);
	assert_int_equal(wakes(), 1);
	qr_run_pending(m->q);
	assert_int_equal(owner.asked, 100);
	assert_int_equal(qr__read(&zone()->watermark_boost), 0);
	assert_int_equal(owner.kcompactd_wakes, 1);
	assert_int_equal(owner.kcompactd_order, QR_PAGEBLOCK_ORDER);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 0);
	end();
}

/* For a boost nobody is pressed hard. */
static void test_boosts_are_reclaimed_gently(void **state)
{
	(void)state;
	begin();
	leave(high() + 300);
	qr__write(&zone()->watermark_boost, 100);
	owner.per_call = 0;
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(owner.lowest_priority, DEF_PRIORITY - 2);
	assert_int_equal(owner.calls, 3);
	assert_int_equal(qr__read(&zone()->watermark_boost), 0);
	assert_int_equal(atomic_load(&node()->kswapd_failures), 0);
	end();
}

/* A boost is forgotten where there is worse to do. */
static void test_need_goes_before_boosts(void **state)
{
	(void)state;
	begin();
	leave(4);
	qr__write(&zone()->watermark_boost, 100);
	owner.per_call = 1;
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(owner.lowest_priority, 1);
	assert_int_equal(qr__read(&zone()->watermark_boost), 0);
	end();
}

/* The third call finds that somebody took nearly all there was; the fourth notes how hard it is. */
static uint64_t robbed_shrink(void *ctx, struct quire *q, struct qr_zone *z, uint64_t nr,
			      unsigned priority)
{
	(void)ctx, (void)q, (void)z, (void)nr;
	if (++owner.calls == 3)
		leave(4);
	if (owner.calls == 4)
		owner.lowest_priority = priority;
	return owner.calls < 4 ? 1 : 0;
}

static void test_need_begins_anew(void **state)
{
	const struct qr_reclaim_ops robbed = {.shrink_zone = robbed_shrink};

	(void)state;
	begin();
	leave(high() + 600);
	qr__write(&zone()->watermark_boost, 100);
	qr_reclaim_ops_set(m->q, &robbed, NULL);
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(owner.lowest_priority, DEF_PRIORITY);
	end();
}

static uint64_t boosting_shrink(void *ctx, struct quire *q, struct qr_zone *z, uint64_t nr,
				unsigned priority)
{
	qr__write(&z->watermark_boost, 150);
	return shrink_zone(ctx, q, z, nr, priority);
}

/* What was boosted during the pass stays for the next. */
static void test_later_boosts_stay(void **state)
{
	const struct qr_reclaim_ops boosting = {.shrink_zone = boosting_shrink};

	(void)state;
	begin();
	leave(high() + 600);
	qr__write(&zone()->watermark_boost, 100);
	qr_reclaim_ops_set(m->q, &boosting, NULL);
	wake(QR_GFP_KERNEL, 0);
	qr_run_pending(m->q);
	assert_int_equal(qr__read(&zone()->watermark_boost), 50);
	end();
}

/* Zones and nodes -------------------------------------------------------------------------- */

/* Only zones that were asked for, and only those that lack something. */
static void test_only_asked_zones(void **state)
{
	struct qr_zone *dma, *dma32;

	(void)state;
	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 20);
	test_machine_create(m);
	memset(&owner, 0, sizeof(owner));
	qr_reclaim_ops_set(m->q, &ops, NULL);
	dma = qr_zone_at(m->q, 0, QR_ZONE_DMA);
	dma32 = qr_zone_at(m->q, 0, QR_ZONE_DMA32);
	qr__bump(&dma->watermark[QR_WMARK_HIGH], UINT64_C(1) << 20);
	qr__bump(&dma32->watermark[QR_WMARK_HIGH], UINT64_C(1) << 20);
	qr_wakeup_kswapd(dma, QR_GFP_KERNEL, 0, QR_ZONE_DMA);
	qr_run_pending(m->q);
	assert_int_equal(owner.calls, DEF_PRIORITY);
	assert_ptr_equal(owner.zone, dma);
	/* With a zone that is well among those asked for, the node is. */
	owner.calls = 0;
	qr_wakeup_kswapd(dma, QR_GFP_KERNEL, 0, QR_ZONE_NORMAL);
	assert_int_equal(wakes(), 1);
	qr__bump(&dma->watermark[QR_WMARK_HIGH], (uint64_t) - (INT64_C(1) << 20));
	qr__bump(&dma32->watermark[QR_WMARK_HIGH], (uint64_t) - (INT64_C(1) << 20));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reclaims_up_to_high),
		cmocka_unit_test(test_priority_rises),
		cmocka_unit_test(test_goes_on_until_balanced),
		cmocka_unit_test(test_one_wake_is_enough),
		cmocka_unit_test(test_wakes_are_traced),
		cmocka_unit_test(test_requests_wake_it),
		cmocka_unit_test(test_a_balanced_node_is_left_alone),
		cmocka_unit_test(test_an_empty_zone_wakes_nobody),
		cmocka_unit_test(test_gives_up_after_16_failures),
		cmocka_unit_test(test_nobody_to_ask),
		cmocka_unit_test(test_a_liar_does_not_hang_it),
		cmocka_unit_test(test_large_orders_become_the_compactors_job),
		cmocka_unit_test(test_boosts_are_reclaimed_and_taken_back),
		cmocka_unit_test(test_boosts_are_reclaimed_gently),
		cmocka_unit_test(test_need_goes_before_boosts),
		cmocka_unit_test(test_need_begins_anew),
		cmocka_unit_test(test_later_boosts_stay),
		cmocka_unit_test(test_only_asked_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
