/* SPDX-License-Identifier: MIT */
/*
 * test_page_alloc.c - the walk over zones, and which block of a zone it takes
 */
#include "alloc/allocator.h"
#include "hoard.h"

#define EVERYTHING (QR___GFP_NOWARN | QR___GFP_MEMALLOC)
#define BLOCK QR_MAX_ORDER_NR_PAGES

/* One node with zones DMA, DMA32, Normal of so many largest blocks. */
static struct test_machine *zones_machine(uint64_t dma, uint64_t dma32, uint64_t normal)
{
	struct test_machine *m = test_machine_new();

	test_machine_add(m, 0, (dma + dma32 + normal) * BLOCK, 0);
	m->config.zone_limits =
		(struct qr_zone_limits){.dma_end = dma * BLOCK,
					.dma32_end = (dma + dma32) * BLOCK,
					.normal_end = (dma + dma32 + normal) * BLOCK};
	return m;
}

static struct test_machine *zones_new(uint64_t dma, uint64_t dma32, uint64_t normal)
{
	struct test_machine *m = zones_machine(dma, dma32, normal);

	test_machine_create(m);
	return m;
}

static enum qr_zone_type zone_of(struct quire *q, struct qr_page *page)
{
	return qr_page_zone_type(q, page);
}

/* Zones ------------------------------------------------------------------------------------ */

/* From the highest zone a mask allows downwards, and each down to its mark plus its reserve. */
static void test_zones_in_order(void **state)
{
	struct test_machine *m = zones_new(32, 32, 32);
	struct hoard hoard = hoard_new(m->q);
	struct qr_zone_snapshot snaps[3];
	enum qr_zone_type last = QR_ZONE_NORMAL;

	(void)state;
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_BOOST_FACTOR, 0), 0);
	for (size_t i = 0;; i++) {
		struct qr_page *page = hoard_take(&hoard, QR___GFP_NOWARN, 0);

		qr_drain_all_pages(m->q, NULL);
		if (!page)
			break;
		assert_true(zone_of(m->q, page) <= last || zone_of(m->q, page) == QR_ZONE_NORMAL);
	}
	for (unsigned z = 0; z < 3; z++) {
		uint64_t expect;

		snaps[z] = zone_snap(m->q, 0, (enum qr_zone_type)z);
		expect = snaps[z].watermark[QR_WMARK_MIN] + snaps[z].lowmem_reserve[QR_ZONE_NORMAL];
		assert_int_equal(snaps[z].nr_free, expect);
	}
	assert_true(snaps[QR_ZONE_DMA].lowmem_reserve[QR_ZONE_NORMAL] > 0);

	/* What is kept from Normal requests, DMA32's and DMA's may have. */
	hoard_all(&hoard, QR___GFP_NOWARN | QR_GFP_DMA32, 0);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_DMA32), snaps[1].watermark[QR_WMARK_MIN]);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_DMA),
			 snaps[0].watermark[QR_WMARK_MIN] + snaps[0].lowmem_reserve[QR_ZONE_DMA32]);
	hoard_all(&hoard, QR___GFP_NOWARN | QR_GFP_DMA, 0);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_DMA), snaps[0].watermark[QR_WMARK_MIN]);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* The fast path obeys the low mark: between low and min lies what only the slow path takes. */
static void test_fast_path_stops_at_low(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	uint64_t low;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	low = qr_zone_watermark(qr_zone_at(m->q, 0, QR_ZONE_NORMAL), QR_WMARK_LOW);
	while (!alloc_stats(m->q).slowpath) {
		assert_non_null(hoard_take(&hoard, QR___GFP_NOWARN, 0));
		qr_drain_all_pages(m->q, NULL);
	}
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), low - 1);
	assert_true(alloc_stats(m->q).wmark_failed[QR_WMARK_LOW] >= 1);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* BELOW_HIGH is set by the first request that finds the zone there. */
static void test_below_high(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zone *zone;
	struct hoard hoard;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	while (qr_zone_free_pages(zone) > qr_zone_watermark(zone, QR_WMARK_HIGH)) {
		assert_false(zone_snap(m->q, 0, QR_ZONE_NORMAL).below_high);
		assert_non_null(hoard_take(&hoard, QR___GFP_NOWARN, 0));
		qr_drain_all_pages(m->q, NULL);
	}
	assert_non_null(hoard_take(&hoard, QR___GFP_NOWARN, 0));
	assert_true(zone_snap(m->q, 0, QR_ZONE_NORMAL).below_high);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Every order comes aligned, in use, and goes back to where it came from. */
static void test_orders(void **state)
{
	struct test_machine *m = test_machine_new();
	uint64_t nr_free;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, order);
		struct qr_page *folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, order);

		assert_non_null(page);
		assert_non_null(folio);
		assert_int_equal(qr_page_to_pfn(m->q, page) & (qr__order_pages(order) - 1), 0);
		assert_int_equal(qr_page_count(m->q, page), 1);
		assert_int_equal(qr_folio_order(m->q, page), 0);
		assert_int_equal(qr_folio_order(m->q, folio), order);
		qr___free_pages(m->q, page, order);
		assert_true(qr_put_page(m->q, folio));
	}
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	test_machine_free(m);
}

/* Counted once, by the cache or by the way round it. */
static void test_events(void **state)
{
	struct test_machine *m = test_machine_new();
	uint64_t expect = 0;

	(void)state;
	test_machine_one_zone(m, 64 * BLOCK);
	test_machine_create(m);
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, order);

		expect += qr__order_pages(order);
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), expect);
		assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), order + 1);
		assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), order + 1);
		qr___free_pages(m->q, page, order);
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), expect);
	}
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_MISS), 0);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_OTHER), 0);
	test_machine_free(m);
}

static struct qr_trace_event last_event;
static unsigned nr_events;

static void event_note(void *ctx, const struct qr_trace_event *event)
{
	if (event->id == *(const enum qr_trace_id *)ctx) {
		last_event = *event;
		nr_events++;
	}
}

static void test_trace_of_an_allocation(void **state)
{
	enum qr_trace_id id = QR_TP_MM_PAGE_ALLOC;
	struct test_machine *m = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	nr_events = 0;
	qr_trace_set(m->q, event_note, &id, UINT64_C(1) << id);
	page = qr_alloc_pages(m->q, QR_GFP_USER | QR___GFP_RECLAIMABLE, 1);
	assert_int_equal(nr_events, 1);
	assert_int_equal(last_event.pfn, qr_page_to_pfn(m->q, page));
	assert_int_equal(last_event.order, 1);
	assert_int_equal(last_event.gfp, QR_GFP_USER | QR___GFP_RECLAIMABLE);
	assert_int_equal(last_event.migratetype, QR_MIGRATE_RECLAIMABLE);
	qr___free_pages(m->q, page, 1);

	/* A block straight from the zone; refills are marked by what they are for. */
	id = QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED;
	nr_events = 0;
	qr_trace_set(m->q, event_note, &id, UINT64_C(1) << id);
	page = qr_alloc_pages(m->q, QR___GFP_MOVABLE, QR_MAX_PAGE_ORDER);
	assert_int_equal(last_event.pfn, qr_page_to_pfn(m->q, page));
	assert_int_equal(last_event.order, QR_MAX_PAGE_ORDER);
	assert_int_equal(last_event.migratetype, QR_MIGRATE_MOVABLE);
	assert_int_equal(last_event.a,
			 QR_MAX_PAGE_ORDER == QR_HPAGE_PMD_ORDER || QR_MAX_PAGE_ORDER <= 3);
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	page = qr_alloc_pages(m->q, QR___GFP_MOVABLE, 2);
	assert_int_equal(last_event.order, 2);
	assert_int_equal(last_event.a, 1);
	qr___free_pages(m->q, page, 2);
	test_machine_free(m);
}

/* A failed allocation is traced, too. */
static void test_trace_of_a_failure(void **state)
{
	enum qr_trace_id id = QR_TP_MM_PAGE_ALLOC;
	struct test_machine *m = test_machine_new();
	struct hoard hoard;

	(void)state;
	test_machine_one_zone(m, 16 * QR_PAGEBLOCK_NR_PAGES);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	hoard_all(&hoard, EVERYTHING, 0);
	qr_trace_set(m->q, event_note, &id, UINT64_C(1) << id);
	assert_null(qr_alloc_pages(m->q, QR___GFP_NOWARN, 0));
	assert_true(last_event.pfn == QR_PFN_NONE);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* No fragmentation -------------------------------------------------------------------------- */

/* Normal has single movable pages only; enough to pass the marks, and none of it unmovable. */
static void normal_fragment(struct hoard *hoard)
{
	struct quire *q = hoard->q;
	uint64_t high = qr_zone_watermark(qr_zone_at(q, 0, QR_ZONE_NORMAL), QR_WMARK_HIGH);
	struct hoard rest = hoard_new(q);
	struct qr_page *page;

	while ((page = qr_alloc_pages(q, QR___GFP_MOVABLE | EVERYTHING, 0)) != NULL) {
		bool odd = qr_page_to_pfn(q, page) & 1;

		hoard_add(zone_of(q, page) != QR_ZONE_NORMAL || odd ? &rest : hoard, page, 0);
	}
	/* DMA32 is empty again, and of Normal the odd pages: no two of them are buddies. */
	hoard_free(&rest);
	assert_true(zone_free(q, 0, QR_ZONE_NORMAL) > 2 * high);
}

/*
 * With a DMA32 zone beside it, an unmovable request goes there rather than into movable pageblocks.
 */
static void test_nofragment(void **state)
{
	struct test_machine *m = zones_new(0, 32, 32);
	struct hoard hoard = hoard_new(m->q);
	struct qr_page *page;

	(void)state;
	normal_fragment(&hoard);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_int_equal(zone_of(m->q, page), QR_ZONE_DMA32);
	hoard_add(&hoard, page, 0);
	/* A movable request finds its own type in Normal. */
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_MOVABLE, 0);
	assert_int_equal(zone_of(m->q, page), QR_ZONE_NORMAL);
	hoard_add(&hoard, page, 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* When DMA32 has nothing to claim either, the walk begins again without the wish. */
static void test_nofragment_gives_up(void **state)
{
	struct test_machine *m = zones_new(0, 32, 32);
	struct hoard hoard = hoard_new(m->q);
	struct qr_page *page;
	uint64_t slow;

	(void)state;
	normal_fragment(&hoard);
	hoard_all(&hoard, QR_GFP_DMA32 | EVERYTHING, 0);
	slow = alloc_stats(m->q).slowpath;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_non_null(page);
	assert_int_equal(alloc_stats(m->q).slowpath, slow);
	assert_int_equal(zone_of(m->q, page), QR_ZONE_NORMAL);
	hoard_add(&hoard, page, 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

static void test_nofragment_flags(void **state)
{
	struct test_machine *m = zones_new(8, 8, 16);
	struct qr_allocator *alloc = qr__allocator(m->q);
	struct qr_zone *normal = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);

	(void)state;
	assert_int_equal(qr_alloc_flags_nofragment(alloc, normal, 0), QR_ALLOC_NOFRAGMENT);
	assert_int_equal(qr_alloc_flags_nofragment(alloc, normal, QR_GFP_KERNEL),
			 QR_ALLOC_NOFRAGMENT | QR_ALLOC_KSWAPD);
	assert_int_equal(qr_alloc_flags_nofragment(alloc, normal - 1, QR_GFP_KERNEL),
			 QR_ALLOC_KSWAPD);
	assert_int_equal(qr_alloc_flags_nofragment(alloc, NULL, 0), 0);
	assert_int_equal(qr_gfp_to_alloc_flags_cma(alloc, QR_GFP_KERNEL, 1), 1);
	assert_int_equal(qr_gfp_to_alloc_flags_cma(alloc, QR_GFP_HIGHUSER_MOVABLE, 1),
			 1 | QR_ALLOC_CMA);
	test_machine_free(m);

	/* One node: a zone DMA32 without memory does not stand in the way. */
	m = test_machine_new();
	test_machine_add(m, 32 * BLOCK, 32 * BLOCK, 0);
	m->config.zone_limits =
		(struct qr_zone_limits){.dma32_end = 16 * BLOCK, .normal_end = 64 * BLOCK};
	test_machine_create(m);
	assert_int_equal(qr_alloc_flags_nofragment(qr__allocator(m->q),
						   qr_zone_at(m->q, 0, QR_ZONE_NORMAL), 0),
			 QR_ALLOC_NOFRAGMENT);
	test_machine_free(m);

	/* No zone DMA32 on the machine at all. */
	m = test_machine_new();
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	assert_int_equal(qr_alloc_flags_nofragment(qr__allocator(m->q),
						   qr_zone_at(m->q, 0, QR_ZONE_NORMAL), 0),
			 0);
	test_machine_free(m);
}

/*
 * Two nodes: only where the preferred node itself has DMA32 memory is there something to compare.
 */
static void test_nofragment_flags_of_nodes(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_allocator *alloc;

	(void)state;
	test_machine_add(m, 0, 16 * BLOCK, 0);
	test_machine_add(m, 16 * BLOCK, 16 * BLOCK, 1);
	m->config.zone_limits = (struct qr_zone_limits){
		.dma_end = 0, .dma32_end = 8 * BLOCK, .normal_end = 32 * BLOCK};
	test_machine_create(m);
	alloc = qr__allocator(m->q);
	assert_int_equal(qr_alloc_flags_nofragment(alloc, qr_zone_at(m->q, 0, QR_ZONE_NORMAL), 0),
			 QR_ALLOC_NOFRAGMENT);
	assert_int_equal(qr_alloc_flags_nofragment(alloc, qr_zone_at(m->q, 1, QR_ZONE_NORMAL), 0),
			 0);
	test_machine_free(m);
}

/* CMA -------------------------------------------------------------------------------------- */

static bool is_cma(struct quire *q, struct qr_page *page)
{
	return qr_get_pageblock_migratetype(q, qr_page_to_pfn(q, page)) == QR_MIGRATE_CMA;
}

/*
 * Movable requests take CMA pages while these are more than half of what is free; others never.
 * One pageblock at the end of a zone is reserved and becomes CMA memory.
 */
static void test_cma_balance(void **state)
{
	const uint64_t cma = 4 * QR_PAGEBLOCK_NR_PAGES, total = 16 * QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	struct qr_zone *zone;

	(void)state;
	test_machine_one_zone(m, total - cma);
	test_machine_add(m, total - cma, cma, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = total};
	test_machine_create(m);
	for (qr_pfn_t pfn = total - cma; pfn < total; pfn += QR_PAGEBLOCK_NR_PAGES)
		assert_int_equal(qr_init_cma_reserved_pageblock(m->q, pfn), 0);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_NORMAL).nr_free_cma, cma);
	hoard = hoard_new(m->q);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);

	/* Unmovable requests get everything but CMA. */
	while (hoard_take(&hoard, EVERYTHING, 0)) {
		assert_false(is_cma(m->q, hoard.entries[hoard.nr - 1].page));
		qr_drain_all_pages(m->q, NULL);
	}
	assert_int_equal(qr_zone_free_pages(zone), cma);
	hoard_free(&hoard);

	/* All movable, then CMA's own and twice as many others come free again. */
	assert_int_equal(hoard_all(&hoard, EVERYTHING | QR___GFP_MOVABLE, 0), total);
	for (qr_pfn_t pfn = 0; pfn < 2 * cma; pfn++) {
		hoard_give_pfn(&hoard, pfn);
		if (pfn < cma)
			hoard_give_pfn(&hoard, total - cma + pfn);
	}
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_zone_free_pages(zone), 3 * cma);

	/* CMA is a third of what is free: own pages first, until it is more than half. */
	for (uint64_t i = 0; i < 2 * cma; i++) {
		struct qr_zone_snapshot snap = zone_snap(m->q, 0, QR_ZONE_NORMAL);
		struct qr_page *page = hoard_take(&hoard, EVERYTHING | QR___GFP_MOVABLE, 0);

		assert_int_equal(is_cma(m->q, page), snap.nr_free_cma > snap.nr_free / 2);
		qr_drain_all_pages(m->q, NULL);
	}
	hoard_free(&hoard);
	assert_int_equal(zone_snap(m->q, 0, QR_ZONE_NORMAL).nr_free_cma, cma);
	test_machine_free(m);
}

/* Several blocks in one go obey the balance one by one. */
static void test_cma_balance_of_a_refill(void **state)
{
	const uint64_t cma = 8 * QR_PAGEBLOCK_NR_PAGES, total = 16 * QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = test_machine_new();
	struct qr_zone *zone;
	unsigned long irqs;
	qr_pfn_t pfns[8];
	uint64_t nr_free = total, nr_cma = cma;

	(void)state;
	test_machine_one_zone(m, total - cma);
	test_machine_add(m, total - cma, cma, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = total};
	test_machine_create(m);
	for (qr_pfn_t pfn = total - cma; pfn < total; pfn += QR_PAGEBLOCK_NR_PAGES)
		assert_int_equal(qr_init_cma_reserved_pageblock(m->q, pfn), 0);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	irqs = qr__zone_lock(zone);
	assert_int_equal(qr___rmqueue(zone, 0, QR_MIGRATE_MOVABLE, QR_ALLOC_CMA, 8, pfns), 8);
	qr__zone_unlock(zone, irqs);
	for (unsigned i = 0; i < 8; i++) {
		bool from_cma = pfns[i] >= total - cma;

		assert_int_equal(from_cma, nr_cma > nr_free / 2);
		nr_free--;
		nr_cma -= from_cma;
		qr_free_one_page(zone, qr_pfn_to_page(m->q, pfns[i]), pfns[i], 0, QR_FPI_NONE);
	}
	test_machine_free(m);
}

/* The fast path knows of CMA as well. */
static void test_cma_in_the_fast_path(void **state)
{
	const uint64_t total = 64 * QR_PAGEBLOCK_NR_PAGES, cma = total / 4 * 3;
	struct test_machine *m = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_one_zone(m, total - cma);
	test_machine_add(m, total - cma, cma, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = total};
	test_machine_create(m);
	for (qr_pfn_t pfn = total - cma; pfn < total; pfn += QR_PAGEBLOCK_NR_PAGES)
		assert_int_equal(qr_init_cma_reserved_pageblock(m->q, pfn), 0);
	for (unsigned order = 0; order < 3; order++) {
		page = qr_alloc_pages(m->q, QR___GFP_MOVABLE, order);
		assert_true(is_cma(m->q, page));
		qr___free_pages(m->q, page, order);
	}
	assert_int_equal(alloc_stats(m->q).slowpath, 0);
	test_machine_free(m);
}

/* When all else is gone, movable requests get the rest of CMA. */
static void test_cma_is_taken_last(void **state)
{
	const uint64_t total = 16 * QR_PAGEBLOCK_NR_PAGES;
	struct test_machine *m = test_machine_new();
	struct hoard hoard;

	(void)state;
	test_machine_one_zone(m, total - QR_PAGEBLOCK_NR_PAGES);
	test_machine_add(m, total - QR_PAGEBLOCK_NR_PAGES, QR_PAGEBLOCK_NR_PAGES, 0)->kind =
		QR_RANGE_RESERVED;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = total};
	test_machine_create(m);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, total - QR_PAGEBLOCK_NR_PAGES), 0);
	hoard = hoard_new(m->q);
	assert_int_equal(hoard_all(&hoard, EVERYTHING | QR___GFP_MOVABLE, 0), total);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Callbacks of the walk -------------------------------------------------------------------- */

static struct {
	unsigned dirty_calls, reclaim_calls;
	int last_nid;
	enum qr_node_reclaim_result says;
	struct hoard *frees;
} walk;

static bool node_0_is_dirty(void *ctx, struct quire *q, int nid)
{
	(void)ctx, (void)q;
	walk.dirty_calls++;
	return nid != 0;
}

/* Requests for pages that will be dirtied pass over nodes that have too many, in the fast path. */
static void test_dirty_limit(void **state)
{
	struct qr_reclaim_ops ops = {.node_dirty_ok = node_0_is_dirty};
	struct test_machine *m = test_machine_new();
	struct hoard hoard;
	struct qr_page *page;

	(void)state;
	/* Node 0 has two zones, and is asked about once. */
	test_machine_add(m, 0, 32 * BLOCK, 0);
	test_machine_add(m, 32 * BLOCK, 16 * BLOCK, 1);
	m->config.zone_limits =
		(struct qr_zone_limits){.dma32_end = 16 * BLOCK, .normal_end = 48 * BLOCK};
	test_machine_create(m);
	hoard = hoard_new(m->q);
	qr_reclaim_ops_set(m->q, &ops, NULL);
	walk.dirty_calls = 0;
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	assert_int_equal(qr_page_nid(m->q, page), 0);
	assert_int_equal(walk.dirty_calls, 0);
	hoard_add(&hoard, page, 0);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_WRITE, 0);
	assert_int_equal(qr_page_nid(m->q, page), 1);
	/* Twice each: the walk that would not fragment a pageblock began again. */
	assert_int_equal(walk.dirty_calls, 4);
	hoard_add(&hoard, page, 0);
	/* No other node will do: the slow path does not ask. */
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL | QR___GFP_WRITE | QR___GFP_THISNODE, 0);
	assert_int_equal(qr_page_nid(m->q, page), 0);
	hoard_add(&hoard, page, 0);
	hoard_free(&hoard);
	test_machine_free(m);
}

static enum qr_node_reclaim_result fake_node_reclaim(void *ctx, struct quire *q, int nid,
						     const struct qr_reclaim_request *req)
{
	(void)ctx, (void)q, (void)req;
	walk.reclaim_calls++;
	walk.last_nid = nid;
	if (walk.frees)
		hoard_give(walk.frees, 4);
	return walk.says;
}

/* Two nodes at this distance, the first one used up to its low mark. */
static struct test_machine *reclaim_machine(unsigned distance, struct hoard *hoard)
{
	struct qr_reclaim_ops ops = {.node_reclaim = fake_node_reclaim};
	struct test_machine *m = test_machine_new();
	struct qr_zone *zone;

	test_machine_nodes(m, 2, 16 * BLOCK);
	m->config.nr_nodes = 2;
	test_machine_distance(m, 0, 1, distance);
	test_machine_create(m);
	*hoard = hoard_new(m->q);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	while (qr_zone_free_pages(zone) > qr_zone_watermark(zone, QR_WMARK_LOW)) {
		assert_non_null(hoard_take(hoard, QR___GFP_NOWARN, 0));
		qr_drain_all_pages(m->q, NULL);
	}
	qr_reclaim_ops_set(m->q, &ops, NULL);
	memset(&walk, 0, sizeof(walk));
	walk.last_nid = -1;
	return m;
}

/* Use node 0 up to its low mark, without waiting. */
static bool zone_use_to_low(struct test_machine *m, struct hoard *hoard)
{
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);

	while (qr_zone_free_pages(zone) > qr_zone_watermark(zone, QR_WMARK_LOW)) {
		if (!hoard_take(hoard, QR___GFP_NOWARN, 0))
			return false;
		qr_drain_all_pages(m->q, NULL);
	}
	return true;
}

static int nid_served(struct test_machine *m, struct hoard *hoard, qr_gfp_t gfp)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, 0);

	assert_non_null(page);
	hoard_add(hoard, page, 0);
	qr_drain_all_pages(m->q, NULL);
	return (int)qr_page_nid(m->q, page);
}

static void test_node_reclaim(void **state)
{
	struct hoard hoard;
	struct test_machine *m = reclaim_machine(20, &hoard);

	(void)state;
	/* Mode 0: never asked. */
	assert_int_equal(nid_served(m, &hoard, QR_GFP_KERNEL), 1);
	assert_int_equal(walk.reclaim_calls, 0);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_ZONE_RECLAIM_MODE, 1), 0);
	/* Nothing to be had, or not worth scanning: on to the next node. */
	walk.says = QR_NODE_RECLAIM_FULL;
	assert_int_equal(nid_served(m, &hoard, QR_GFP_KERNEL), 1);
	assert_int_equal(walk.reclaim_calls, 1);
	assert_int_equal(walk.last_nid, 0);
	/* Something was freed, but not enough: the mark is tested again. */
	walk.says = QR_NODE_RECLAIM_SUCCESS;
	assert_int_equal(nid_served(m, &hoard, QR_GFP_KERNEL), 1);
	walk.frees = &hoard;
	assert_int_equal(nid_served(m, &hoard, QR_GFP_KERNEL), 0);
	walk.says = QR_NODE_RECLAIM_SOME;
	assert_true(zone_use_to_low(m, &hoard));
	assert_int_equal(nid_served(m, &hoard, QR_GFP_KERNEL), 0);
	walk.frees = NULL;
	/* Those who cannot wait, and those who reclaim, are not bothered. */
	walk.reclaim_calls = 0;
	while (zone_free(m->q, 0, QR_ZONE_NORMAL) >
	       qr_zone_watermark(qr_zone_at(m->q, 0, QR_ZONE_NORMAL), QR_WMARK_LOW))
		nid_served(m, &hoard, QR_GFP_NOWAIT);
	assert_int_equal(nid_served(m, &hoard, QR_GFP_NOWAIT), 1);
	assert_int_equal(walk.reclaim_calls, 0);
	/* A node with CPUs of its own minds itself: CPU 1 asks for node 0. */
	test_cpu_set(1);
	hoard_add(&hoard, qr_alloc_pages_node(m->q, 0, QR_GFP_KERNEL, 0), 0);
	assert_int_equal(walk.reclaim_calls, 0);
	test_cpu_set(0);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* A remote node is reclaimed only if it is not farther than 30. */
static void test_node_reclaim_distance(void **state)
{
	static const struct {
		unsigned distance, calls;
	} cases[] = {{30, 1}, {31, 0}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct hoard hoard;
		struct test_machine *m = reclaim_machine(cases[i].distance, &hoard);
		struct qr_page *page;

		/* Node 1 is used up as well, and has no CPU; CPU 0 wants memory near node 0. */
		while ((page = qr_alloc_pages_node(m->q, 1, QR___GFP_NOWARN | QR___GFP_THISNODE,
						   0)) != NULL) {
			hoard_add(&hoard, page, 0);
			qr_drain_all_pages(m->q, NULL);
		}
		qr__frames(m->q)->node_states[QR_N_CPU] = 0;
		assert_int_equal(qr_tunable_set(m->q, QR_TUNE_ZONE_RECLAIM_MODE, 1), 0);
		walk.says = QR_NODE_RECLAIM_FULL;
		page = qr_alloc_pages(
			m->q, QR___GFP_DIRECT_RECLAIM | QR___GFP_NORETRY | QR___GFP_NOWARN, 0);
		if (page)
			hoard_add(&hoard, page, 0);
		assert_int_equal(walk.last_nid == 1, cases[i].calls);
		qr__frames(m->q)->node_states[QR_N_CPU] = 3;
		hoard_free(&hoard);
		test_machine_free(m);
	}
}

/* A pageblock borrowed boosts the marks, and the allocation wakes kswapd for it. */
static void test_boost_wakes_kswapd(void **state)
{
	enum qr_trace_id id = QR_TP_KSWAPD_WAKE;
	struct test_machine *m = test_machine_new();
	struct hoard hoard;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	hoard = hoard_new(m->q);
	hoard_all(&hoard, QR___GFP_MOVABLE | EVERYTHING, 0);
	/* Single movable pages all over: an unmovable request must borrow one. */
	for (qr_pfn_t pfn = 1; pfn < 32 * BLOCK; pfn += 2)
		hoard_give_pfn(&hoard, pfn);
	qr_drain_all_pages(m->q, NULL);
	nr_events = 0;
	qr_trace_set(m->q, event_note, &id, UINT64_C(1) << id);
	assert_non_null(hoard_take(&hoard, QR_GFP_KERNEL, 0));
	assert_true(alloc_stats(m->q).boosts >= 1);
	assert_true(nr_events >= 1);
	assert_int_equal(last_event.order, 0);
	assert_false(zone_snap(m->q, 0, QR_ZONE_NORMAL).boosted);
	hoard_free(&hoard);
	test_machine_free(m);
}

/* Charging --------------------------------------------------------------------------------- */

static struct {
	int64_t pages;
	int says;
} charged;

static int fake_charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	(void)ctx, (void)page, (void)gfp;
	if (charged.says == 0)
		charged.pages += (int64_t)qr__order_pages(order);
	return charged.says;
}

static void fake_uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	(void)ctx, (void)page;
	charged.pages -= (int64_t)qr__order_pages(order);
}

static void test_charging(void **state)
{
	const struct qr_charge_ops ops = {fake_charge, fake_uncharge};
	struct test_machine *m = test_machine_new();
	struct qr_page *page;
	uint64_t nr_free;

	(void)state;
	test_machine_one_zone(m, 32 * BLOCK);
	test_machine_create(m);
	memset(&charged, 0, sizeof(charged));
	/* Nobody charges: ACCOUNT means nothing. */
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL_ACCOUNT, 0);
	qr___free_pages(m->q, page, 0);
	qr_charge_ops_set(m->q, &ops, NULL);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 1);
	assert_int_equal(charged.pages, 0);
	qr___free_pages(m->q, page, 1);
	assert_int_equal(charged.pages, 0);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL_ACCOUNT, 2);
	assert_int_equal(charged.pages, 4);
	/* The parts of a split block pay for themselves. */
	assert_int_equal(qr_split_page(m->q, page, 2), 0);
	qr___free_pages(m->q, page + 1, 0);
	assert_int_equal(charged.pages, 3);
	qr___free_pages(m->q, page, 0);
	qr___free_pages(m->q, page + 2, 0);
	qr___free_pages(m->q, page + 3, 0);
	assert_int_equal(charged.pages, 0);
	/* Refused: no page, nothing lost. */
	qr_drain_all_pages(m->q, NULL);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	charged.says = QR_ENOMEM;
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL_ACCOUNT, 3));
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	assert_int_equal(charged.pages, 0);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones_in_order),
		cmocka_unit_test(test_fast_path_stops_at_low),
		cmocka_unit_test(test_below_high),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_trace_of_an_allocation),
		cmocka_unit_test(test_trace_of_a_failure),
		cmocka_unit_test(test_nofragment),
		cmocka_unit_test(test_nofragment_gives_up),
		cmocka_unit_test(test_nofragment_flags),
		cmocka_unit_test(test_nofragment_flags_of_nodes),
		cmocka_unit_test(test_cma_balance),
		cmocka_unit_test(test_cma_balance_of_a_refill),
		cmocka_unit_test(test_cma_in_the_fast_path),
		cmocka_unit_test(test_cma_is_taken_last),
		cmocka_unit_test(test_dirty_limit),
		cmocka_unit_test(test_node_reclaim),
		cmocka_unit_test(test_node_reclaim_distance),
		cmocka_unit_test(test_boost_wakes_kswapd),
		cmocka_unit_test(test_charging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
