/* SPDX-License-Identifier: MIT */
/*
 * test_pcp_ways.c - per-CPU caches: what may not wait in them, who gets in the way, and the
 * short way
 */
#include "pcp_machine.h"

/* Let the next free take the short way: refills before would send it the long one. */
static void short_way(void)
{
	atomic_store(&pcp()->alloc_factor, 0);
}

/* Types ------------------------------------------------------------------------------------ */

static void isolate(struct qr_page *page, bool on)
{
	unsigned long irqs = qr__zone_lock(zone());
	qr_pfn_t pfn = qr__pageblock_start(qr_page_to_pfn(m->q, page));
	uint64_t nr = qr__read(&zone()->nr_isolate_pageblock);

	assert_true(qr_move_freepages_block_isolate(zone(), pfn, on));
	qr__write(&zone()->nr_isolate_pageblock, on ? nr + 1 : nr - 1);
	qr__zone_unlock(zone(), irqs);
}

static uint64_t isolated_pages(void)
{
	struct qr_zone_snapshot snap;
	uint64_t nr = 0;

	qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &snap);
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
		nr += snap.nr_blocks_type[QR_MIGRATE_ISOLATE][order] << order;
	return nr;
}

/*
 * Freed, then isolated, then drained: the page must land on the list of its pageblock's new type.
 */
static void test_A1_the_type_is_read_again(void **state)
{
	struct qr_page *page;
	uint64_t before, isolated;

	(void)state;
	begin(1);
	page = take(QR_GFP_KERNEL, 0);
	qr_drain_all_pages(m->q, NULL);
	give(page, 0);
	assert_int_equal(count(), 1);
	isolate(page, true);
	before = nr_free();
	isolated = isolated_pages();
	drains_watch(true);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(drained.types[0], QR_MIGRATE_ISOLATE);
	drains_watch(false);
	assert_int_equal(nr_free(), before);
	assert_int_equal(isolated_pages(), isolated + 1);
	test_machine_check(m);
	isolate(page, false);
	end();
}

static void test_isolated_pages_bypass_the_cache(void **state)
{
	struct qr_page *page;
	uint64_t isolated;

	(void)state;
	begin(1);
	page = take(QR_GFP_KERNEL, 0);
	qr_drain_all_pages(m->q, NULL);
	isolate(page, true);
	isolated = isolated_pages();
	short_way();
	give(page, 0);
	assert_int_equal(count(), 0);
	assert_int_equal(isolated_pages(), isolated + 1);
	isolate(page, false);
	end();
}

/* With very small pageblocks a cached block has several, and one of them may be isolated. */
static void test_a_block_over_an_isolated_pageblock_drains_apart(void **state)
{
	const unsigned order = QR_PAGE_ALLOC_COSTLY_ORDER;
	struct qr_page *page;

	(void)state;
	if (QR_PAGEBLOCK_ORDER >= QR_PAGE_ALLOC_COSTLY_ORDER)
		skip();
	for (uint64_t i = 0; i < qr__order_pages(order) / QR_PAGEBLOCK_NR_PAGES; i++) {
		begin(1);
		page = take(QR_GFP_KERNEL, order);
		qr_drain_all_pages(m->q, NULL);
		isolate(page + i * QR_PAGEBLOCK_NR_PAGES, true);
		give(page, order);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(isolated_pages(), QR_PAGEBLOCK_NR_PAGES);
		assert_int_equal(nr_free(), PAGES - QR_PAGEBLOCK_NR_PAGES);
		test_machine_check(m);
		isolate(page + i * QR_PAGEBLOCK_NR_PAGES, false);
		assert_int_equal(nr_free(), PAGES);
		end();
	}
}

/* HIGHATOMIC and CMA wait among the movable ones, and go home to their own lists. */
static void test_odd_types_wait_among_movable(void **state)
{
	static const enum qr_migratetype types[] = {QR_MIGRATE_HIGHATOMIC, QR_MIGRATE_CMA};

	(void)state;
	begin(1);
	for (unsigned i = 0; i < 2; i++) {
		struct qr_page *page = take(QR_GFP_KERNEL, 0);
		qr_pfn_t pfn = qr__pageblock_start(qr_page_to_pfn(m->q, page));
		enum qr_migratetype was = qr_get_pageblock_migratetype(m->q, pfn);
		unsigned long irqs;

		qr_drain_all_pages(m->q, NULL);
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, was, types[i]) >= 0);
		qr__zone_unlock(zone(), irqs);
		short_way();
		give(page, 0);
		assert_int_equal(count(), 1);
		if (test_engine_is("bitmap"))
			assert_int_equal(qr__put_nr(&pcp()->mag, 0), 1);
		else
			assert_false(qr__list_empty(&pcp()->lists[QR_MIGRATE_MOVABLE]));
		drains_watch(true);
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(drained.nr, 1);
		assert_int_equal(drained.types[0], types[i]);
		drains_watch(false);
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, types[i], was) >= 0);
		qr__zone_unlock(zone(), irqs);
	}
	end();
}

/* In the way ------------------------------------------------------------------------------- */

static void test_a_taken_cache_is_passed_by(void **state)
{
	static const unsigned orders[] = {0, 1, 3};
	struct qr_alloc_stats before, after;
	unsigned nr_passed = 0;

	(void)state;
	begin(1);
	qr_alloc_stats(m->q, &before);
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page;
		uint64_t free_before = nr_free();

		/* Magazines end with the pageblock's order; there is nothing to be passed by. */
		if (test_engine_is("list") || orders[i] <= QR_PAGEBLOCK_ORDER)
			nr_passed += 2;

		atomic_store(&pcp()->lock.taken, 1);
		page = take(QR_GFP_KERNEL, orders[i]);
		assert_int_equal(nr_free(), free_before - (1u << orders[i]));
		give(page, orders[i]);
		assert_int_equal(nr_free(), free_before);
		atomic_store(&pcp()->lock.taken, 0);
		assert_int_equal(count(), 0);
	}
	qr_alloc_stats(m->q, &after);
	assert_int_equal(after.pcp_contended - before.pcp_contended, nr_passed);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), 1 + 2 + 8);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), 1 + 2 + 8);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 3);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_LOCAL), 3);
	end();
}

/* An interrupt that allocates and frees in the middle of a refill. */
static struct {
	unsigned long (*irq_save)(void *ctx);
	unsigned due; /* at the so-manieth masking from now */
	unsigned served;
} interrupt;

static unsigned long interrupting_irq_save(void *ctx)
{
	if (interrupt.due && --interrupt.due == 0) {
		struct qr_task task = {.flags = QR_TASK_INTERRUPT};
		struct qr_page *page;

		test_task_set(&task);
		page = qr_alloc_pages(m->q, QR_GFP_ATOMIC, 0);
		assert_non_null(page);
		qr___free_pages(m->q, page, 0);
		test_task_set(NULL);
		interrupt.served++;
	}
	return interrupt.irq_save(ctx);
}

static void test_A23_interrupts_pass_the_cache_by(void **state)
{
	static const enum qr_cpu_model models[] = {QR_CPU_SMP, QR_CPU_RT, QR_CPU_UP};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct qr_page *page;
		struct qr_alloc_stats stats;

		m = test_machine_new();
		test_machine_one_zone(m, PAGES);
		m->config.platform.cpu_model = models[i];
		interrupt.irq_save = m->config.platform.irq_save;
		interrupt.due = interrupt.served = 0;
		m->config.platform.irq_save = interrupting_irq_save;
		test_machine_create(m);
		/* UP masks once for the cache; then, as all do, for the zone that refills it. */
		interrupt.due = models[i] == QR_CPU_UP ? 2 : 1;
		page = take(QR_GFP_KERNEL, 0);
		assert_int_equal(interrupt.served, 1);
		qr_alloc_stats(m->q, &stats);
		assert_int_equal(stats.pcp_contended, 2);
		give(page, 0);
		end();
	}
}

/* UP: nothing comes between, since interrupts are masked while a cache is locked. */
static void test_up_masks_interrupts(void **state)
{
	static const struct {
		enum qr_cpu_model model;
		unsigned depth;
	} rows[] = {{QR_CPU_SMP, 0}, {QR_CPU_RT, 0}, {QR_CPU_UP, 1}};
	/* Lists tell of each block with the zone locked, too; magazines before it is. */
	const unsigned zone_depth = test_engine_is("list");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		m = test_machine_new();
		test_machine_one_zone(m, PAGES);
		m->config.platform.cpu_model = rows[i].model;
		test_machine_create(m);
		for (unsigned order = 0; order < 2; order++) {
			give(take(QR_GFP_KERNEL, order), order);
			drains_watch(true);
			qr_drain_all_pages(m->q, NULL);
			assert_int_equal(drained.irqs, rows[i].depth + zone_depth);
			drains_watch(false);
		}
		assert_int_equal(test_irqs_masked(), 0);
		assert_int_equal(test_pins(), 0);
		end();
	}
}

/* The CPU that pinning names is the one whose cache is used. */
static unsigned pin_to_1(void *ctx)
{
	(void)ctx;
	return 1;
}

static void unpin(void *ctx)
{
	(void)ctx;
}

static void test_pinning_names_the_cache(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = 2;
	m->config.platform.cpu_model = QR_CPU_RT;
	m->config.platform.cpu_pin = pin_to_1;
	m->config.platform.cpu_unpin = unpin;
	test_machine_create(m);
	give(take(QR_GFP_KERNEL, 0), 0);
	give(take(QR_GFP_KERNEL, 1), 1);
	assert_int_equal(qr__pcp_count_racy(qr__pcp_of(zone(), 0)), 0);
	assert_true(qr__pcp_count_racy(qr__pcp_of(zone(), 1)) > 0);
	end();
}

/* A CPU number beyond what was configured is folded, not believed. */
static unsigned wild_cpu(void *ctx)
{
	(void)ctx;
	return 1000001;
}

static void test_wild_cpu_numbers(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = 2;
	m->config.platform.cpu_pin = NULL;
	m->config.platform.cpu_unpin = NULL;
	m->config.platform.cpu_id = wild_cpu;
	test_machine_create(m);
	give(take(QR_GFP_KERNEL, 0), 0);
	assert_true(qr__pcp_count_racy(qr__pcp_of(zone(), 1)) > 0);
	end();
}

/* Bulk ------------------------------------------------------------------------------------- */

static void test_take_bulk(void **state)
{
	struct qr_page *pages[100];
	unsigned got;

	(void)state;
	begin(1);
	sizes(15, 100, 100);
	got = qr__pcp_take_bulk(zone(), zone(), QR_MIGRATE_UNMOVABLE, 0, 100, pages);
	assert_int_equal(got, 100);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), 100);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), 100);
	for (unsigned i = 0; i < got; i++) {
		qr_prep_new_page(qr__allocator(m->q), pages[i], 0, QR_GFP_KERNEL, 0);
		give(pages[i], 0);
	}
	atomic_store(&pcp()->lock.taken, 1);
	assert_int_equal(qr__pcp_take_bulk(zone(), zone(), QR_MIGRATE_UNMOVABLE, 0, 5, pages), 0);
	atomic_store(&pcp()->lock.taken, 0);
	sizes_end();
	end();
}

/* The short way ---------------------------------------------------------------------------- */

/* A page that waited in the cache; lists hand out first what was freed last. */
static struct qr_page *take_cached(qr_gfp_t gfp, const struct qr_page *last)
{
	int32_t before = count();
	struct qr_page *page = take(gfp, 0);

	assert_int_equal(count(), before - 1);
	if (test_engine_is("list"))
		assert_ptr_equal(page, last);
	return page;
}

/* Set what a zone keeps back, or how much of it is free for some only. */
static void keep(_Atomic uint64_t *what, uint64_t nr)
{
	qr__write(what, nr);
	qr__zone_scarce_review(zone());
}

/* Whatever the long way would refuse, or do besides, a full cache must not hide. */
static void test_a_full_cache_opens_no_closed_zone(void **state)
{
	const qr_gfp_t movable = QR_GFP_HIGHUSER_MOVABLE & ~QR___GFP_RECLAIM;
	struct qr_page *pages[2];

	(void)state;
	begin(1);
	sizes(15, 100, 100);
	pages[0] = take(QR_GFP_KERNEL, 0);
	pages[1] = take(movable, 0);
	give(pages[0], 0);
	give(pages[1], 0);
	/* Free pages that only movable requests may have. */
	keep(&zone()->nr_free_cma, nr_free());
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	pages[1] = take_cached(movable, pages[1]);
	keep(&zone()->nr_free_cma, 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* Pages kept from those who may use a higher zone. */
	qr__write(&zone()->lowmem_reserve[QR_ZONE_NORMAL], PAGES);
	keep(&zone()->lowmem_reserve_max, PAGES);
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	qr__write(&zone()->lowmem_reserve[QR_ZONE_NORMAL], 0);
	keep(&zone()->lowmem_reserve_max, 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* The reserve. */
	keep(&zone()->nr_free_highatomic, nr_free());
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT | QR___GFP_NOMEMALLOC, 0));
	keep(&zone()->nr_free_highatomic, 0);
	/* The mark; and that it was passed by is remembered. */
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	keep(&zone()->watermark_boost, PAGES);
	assert_null(qr_alloc_pages(m->q, QR_GFP_NOWAIT, 0));
	assert_true(qr__zone_flag(zone(), QR_ZONE_BELOW_HIGH));
	keep(&zone()->watermark_boost, 0);
	qr__zone_flag_clear(zone(), QR_ZONE_BELOW_HIGH);
	/* A boost that nobody has told kswapd of. */
	qr__zone_flag_set(zone(), QR_ZONE_BOOSTED_WATERMARK);
	pages[0] = take_cached(QR_GFP_KERNEL, pages[0]);
	assert_false(qr__zone_flag(zone(), QR_ZONE_BOOSTED_WATERMARK));
	give(pages[0], 0);
	give(pages[1], 0);
	sizes_end();
	end();
}

/* Each kind of request that is more than taking a page gets what it asked for. */
static void test_unusual_requests_are_noticed(void **state)
{
	struct qr_page *page, *movable;
	const struct qr_fail_page_alloc fail = {.interval = 1};

	(void)state;
	begin(1);
	give(take(QR_GFP_KERNEL, 0), 0);
	qr_fail_page_alloc_set(m->q, &fail);
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL, 0));
	qr_fail_page_alloc_set(m->q, NULL);
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | 0x200, 0));
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | QR_GFP_DMA | QR_GFP_DMA32, 0));
	assert_null(qr_alloc_pages(m->q, QR_GFP_KERNEL | QR_GFP_MOVABLE_MASK, 0));
	/* Where types are not kept apart, all is unmovable. */
	movable = take(QR_GFP_HIGHUSER_MOVABLE, 0);
	give(movable, 0);
	atomic_store(&qr__allocator(m->q)->frames.mobility_disabled, true);
	qr__detour_set(qr__allocator(m->q), QR_DETOUR_MOBILITY, true);
	page = take(QR_GFP_HIGHUSER_MOVABLE, 0);
	assert_ptr_not_equal(page, movable);
	atomic_store(&qr__allocator(m->q)->frames.mobility_disabled, false);
	qr__detour_set(qr__allocator(m->q), QR_DETOUR_MOBILITY, false);
	give(page, 0);
	end();
}

/* One stream of requests; what came out of it. */
static uint64_t stream_run(struct quire *q, uint64_t seed)
{
	static struct qr_page *held[1024];
	uint64_t random = seed, hash = 0;
	unsigned nr = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned kind = (unsigned)test_random_below(&random, 4);
		unsigned order = kind == 3 ? (unsigned)test_random_below(&random, 4) : 0;
		qr_gfp_t gfp = kind == 1 ? QR_GFP_HIGHUSER_MOVABLE : QR_GFP_KERNEL;

		if (nr < 1024 && test_random_below(&random, 1024) >= nr) {
			struct qr_page *page = qr_alloc_pages(q, gfp, order);

			assert_non_null(page);
			hash = hash * 31 + qr_page_to_pfn(q, page);
			held[nr++] = page;
		} else {
			unsigned victim = (unsigned)test_random_below(&random, nr);

			qr___free_pages(q, held[victim],
					qr__page_order(qr__frames(q), held[victim]));
			held[victim] = held[--nr];
		}
	}
	while (nr--)
		qr___free_pages(q, held[nr], qr__page_order(qr__frames(q), held[nr]));
	return hash;
}

static void no_listener(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx, (void)event;
}

/* The short way and the long one, which a listener forces, must give out the same pages. */
static void test_the_short_way_decides_the_same(void **state)
{
	uint64_t seed = test_seed(20250101);
	uint64_t hash[2];
	struct qr_pcp_snapshot snap[2];
	uint64_t events[2][QR_NR_VM_EVENTS];

	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		begin(1);
		if (way)
			qr_trace_set(m->q, no_listener, NULL,
				     1u << QR_TP_MM_PAGE_FREE | 1u << QR_TP_MM_PAGE_ALLOC);
		hash[way] = stream_run(m->q, seed);
		qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &snap[way]);
		for (unsigned i = 0; i < QR_NR_VM_EVENTS; i++)
			events[way][i] = qr_vm_event(m->q, (enum qr_vm_event)i);
		qr_trace_set(m->q, NULL, NULL, 0);
		end();
	}
	if (hash[0] != hash[1])
		fail_msg("TEST_SEED=%llu", (unsigned long long)seed);
	assert_memory_equal(&snap[0], &snap[1], sizeof(snap[0]));
	assert_memory_equal(events[0], events[1], sizeof(events[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A1_the_type_is_read_again),
		cmocka_unit_test(test_isolated_pages_bypass_the_cache),
		cmocka_unit_test(test_a_block_over_an_isolated_pageblock_drains_apart),
		cmocka_unit_test(test_odd_types_wait_among_movable),
		cmocka_unit_test(test_a_taken_cache_is_passed_by),
		cmocka_unit_test(test_A23_interrupts_pass_the_cache_by),
		cmocka_unit_test(test_up_masks_interrupts),
		cmocka_unit_test(test_pinning_names_the_cache),
		cmocka_unit_test(test_wild_cpu_numbers),
		cmocka_unit_test(test_take_bulk),
		cmocka_unit_test(test_a_full_cache_opens_no_closed_zone),
		cmocka_unit_test(test_unusual_requests_are_noticed),
		cmocka_unit_test(test_the_short_way_decides_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
