/* SPDX-License-Identifier: MIT */
/*
 * test_stats.c - counters: events by way and place, and how the caches did
 */
#include "support.h"

#include "alloc/pcp.h"

static struct test_machine *m;

#define PAGES (UINT64_C(64) * QR_MAX_ORDER_NR_PAGES)

static void begin(void)
{
	m = test_machine_new();
	test_machine_nodes(m, 2, PAGES);
	test_machine_create(m);
}

static void end(void)
{
	test_cpu_set(0);
	test_machine_free(m);
}

static uint64_t event(unsigned e)
{
	return qr_vm_event(m->q, (enum qr_vm_event)e);
}

static struct qr_zone *zone(int nid)
{
	return qr_zone_at(m->q, nid, QR_ZONE_NORMAL);
}

static uint64_t pgalloc(void)
{
	return event(QR_EV_PGALLOC + QR_ZONE_NORMAL);
}

/* Pages, whatever the order and whichever way they went. */
static void test_pages_in_and_out(void **state)
{
	uint64_t out = 0;

	(void)state;
	begin();
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, order);

		assert_non_null(page);
		out += UINT64_C(1) << order;
		assert_int_equal(pgalloc(), out);
		qr___free_pages(m->q, page, order);
		assert_int_equal(event(QR_EV_PGFREE), out);
	}
	/* Refills and drains are not requests. */
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(pgalloc(), out);
	assert_int_equal(event(QR_EV_PGFREE), out);
	assert_int_equal(event(QR_EV_PGALLOC + QR_ZONE_DMA), 0);
	assert_int_equal(event(QR_NR_VM_EVENTS), 0);
	end();
}

struct numa {
	uint64_t hit, miss, foreign, local, other;
};

static struct numa numa_of(const struct qr_zone *z)
{
	return (struct numa){
		.hit = qr__zone_event_sum(z, QR_EV_NUMA_HIT),
		.miss = qr__zone_event_sum(z, QR_EV_NUMA_MISS),
		.foreign = qr__zone_event_sum(z, QR_EV_NUMA_FOREIGN),
		.local = qr__zone_event_sum(z, QR_EV_NUMA_LOCAL),
		.other = qr__zone_event_sum(z, QR_EV_NUMA_OTHER),
	};
}

static void assert_numa(const struct qr_zone *z, uint64_t hit, uint64_t miss, uint64_t foreign,
			uint64_t local, uint64_t other)
{
	struct numa numa = numa_of(z);

	assert_int_equal(numa.hit, hit);
	assert_int_equal(numa.miss, miss);
	assert_int_equal(numa.foreign, foreign);
	assert_int_equal(numa.local, local);
	assert_int_equal(numa.other, other);
}

/* Cached and uncached orders count alike: by request, not by page. */
static void test_placement(void **state)
{
	static const unsigned orders[] = {0, 1, QR_MAX_PAGE_ORDER};

	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *near = qr_alloc_pages(m->q, QR_GFP_KERNEL, orders[i]);
		struct qr_page *far = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, orders[i]);

		assert_int_equal(qr_page_nid(m->q, near), 0);
		assert_int_equal(qr_page_nid(m->q, far), 1);
		assert_numa(zone(0), i + 1, 0, 0, i + 1, 0);
		assert_numa(zone(1), i + 1, 0, 0, 0, i + 1);
		qr___free_pages(m->q, near, orders[i]);
		qr___free_pages(m->q, far, orders[i]);
	}
	assert_int_equal(event(QR_EV_NUMA_HIT), 6);
	assert_int_equal(event(QR_EV_NUMA_LOCAL), 3);
	assert_int_equal(event(QR_EV_NUMA_OTHER), 3);
	/* From the other side. */
	test_cpu_set(1);
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	assert_numa(zone(1), 4, 0, 0, 1, 3);
	end();
}

/* A zone that has nothing to give is missed there, and foreign here. */
static void test_misses(void **state)
{
	static const unsigned orders[] = {0, 1, QR_MAX_PAGE_ORDER};

	(void)state;
	begin();
	qr__write(&zone(0)->watermark_boost, 10 * PAGES);
	qr__zone_scarce_review(zone(0));
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page =
			qr_alloc_pages(m->q, QR_GFP_KERNEL & ~QR___GFP_RECLAIM, orders[i]);

		assert_non_null(page);
		assert_int_equal(qr_page_nid(m->q, page), 1);
		assert_numa(zone(0), 0, 0, i + 1, 0, 0);
		assert_numa(zone(1), 0, i + 1, 0, 0, i + 1);
		qr___free_pages(m->q, page, orders[i]);
	}
	assert_int_equal(event(QR_EV_NUMA_MISS), 3);
	assert_int_equal(event(QR_EV_NUMA_FOREIGN), 3);
	assert_int_equal(event(QR_EV_NUMA_HIT), 0);
	qr__write(&zone(0)->watermark_boost, 0);
	end();
}

static void test_only_numa_events_are_kept_by_zone(void **state)
{
	(void)state;
	begin();
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	assert_int_equal(qr__zone_event_sum(zone(0), QR_EV_PGFREE), 0);
	assert_int_equal(qr__zone_event_sum(qr_zone_at(m->q, 0, QR_ZONE_DMA), QR_EV_NUMA_HIT), 0);
	end();
}

static void test_how_the_caches_did(void **state)
{
	struct qr_page *pages[300];
	struct qr_alloc_stats stats;
	uint64_t locks;

	(void)state;
	begin();
	qr_alloc_stats(m->q, &stats);
	locks = stats.zone_locks;
	assert_int_equal(stats.pcp_hits, 0);
	for (unsigned i = 0; i < 300; i++)
		pages[i] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_alloc_stats(m->q, &stats);
	assert_in_range(stats.pcp_refills, 3, 300);
	assert_int_equal(stats.pcp_hits, 300 - stats.pcp_refills);
	/* where there are stripes, a refill may go to a second one for the rest */
	if (zone(0)->nr_stripes)
		assert_in_range(stats.zone_locks - locks, stats.pcp_refills, 2 * stats.pcp_refills);
	else
		assert_int_equal(stats.zone_locks - locks, stats.pcp_refills);
	assert_int_equal(stats.zone_lock_contended, 0);
	assert_int_equal(stats.pcp_drains, 0);
	for (unsigned i = 0; i < 300; i++)
		qr___free_pages(m->q, pages[i], 0);
	qr_drain_all_pages(m->q, NULL);
	qr_alloc_stats(m->q, &stats);
	assert_true(stats.pcp_drains > 0);
	end();
}

/* Each counter of requests that nobody keeps under a lock comes out at its own place. */
static void test_each_stat_has_its_place(void **state)
{
	struct qr_alloc_stats stats;
	_Atomic uint64_t *stat;

	(void)state;
	begin();
	stat = qr__allocator(m->q)->stat;
	for (unsigned i = 0; i < QR_STAT_WMARK_FAILED + QR_NR_WMARK; i++)
		qr__stat(qr__allocator(m->q), i, 100 + i - qr__read(&stat[i]));
	qr_alloc_stats(m->q, &stats);
	assert_int_equal(stats.slowpath, 100 + QR_STAT_SLOWPATH);
	assert_int_equal(stats.direct_reclaim, 100 + QR_STAT_DIRECT_RECLAIM);
	assert_int_equal(stats.direct_compact, 100 + QR_STAT_DIRECT_COMPACT);
	assert_int_equal(stats.out_of_memory, 100 + QR_STAT_OOM);
	assert_int_equal(stats.kswapd_wakes, 100 + QR_STAT_KSWAPD_WAKES);
	assert_int_equal(stats.alloc_failed, 100 + QR_STAT_ALLOC_FAILED);
	assert_int_equal(stats.fallbacks, 100 + QR_STAT_FALLBACKS);
	assert_int_equal(stats.fallbacks_claimed, 100 + QR_STAT_FALLBACKS_CLAIMED);
	assert_int_equal(stats.boosts, 100 + QR_STAT_BOOSTS);
	assert_int_equal(stats.highatomic_reserved, 100 + QR_STAT_HIGHATOMIC_RESERVED);
	assert_int_equal(stats.highatomic_unreserved, 100 + QR_STAT_HIGHATOMIC_UNRESERVED);
	assert_int_equal(stats.bad_pages, 100 + QR_STAT_BAD_PAGES);
	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		assert_int_equal(stats.wmark_failed[mark], 100 + QR_STAT_WMARK_FAILED + mark);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_in_and_out),
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_misses),
		cmocka_unit_test(test_only_numa_events_are_kept_by_zone),
		cmocka_unit_test(test_how_the_caches_did),
		cmocka_unit_test(test_each_stat_has_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
