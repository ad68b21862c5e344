/* SPDX-License-Identifier: MIT */
/*
 * test_pcp_tune.c - sizes of the per-CPU caches, drains, decay, caches that are disabled
 */
#include "support.h"

#include "alloc/pcp.h"

#define SECOND UINT64_C(1000000000)

static struct test_machine *m;

static void begin(unsigned nr_cpus, uint64_t nr_pages)
{
	m = test_machine_new();
	test_machine_one_zone(m, nr_pages);
	m->config.nr_cpus = nr_cpus;
	test_machine_create(m);
}

static void end(void)
{
	test_cpu_set(0);
	test_machine_free(m);
}

static struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static struct qr_pcp_snapshot cache_on(int nid, unsigned cpu)
{
	struct qr_pcp_snapshot snap;

	assert_int_equal(qr_pcp_snapshot(m->q, nid, QR_ZONE_NORMAL, cpu, &snap), 0);
	return snap;
}

static struct qr_pcp_snapshot cache(unsigned cpu)
{
	return cache_on(0, cpu);
}

/* Pages on the side that allocations come from: drains take those that were freed first. */
static unsigned nr_to_get(int nid, unsigned cpu)
{
	struct qr_magazines *mag = &qr__pcp_of(qr_zone_at(m->q, nid, QR_ZONE_NORMAL), cpu)->mag;

	return qr__ring_nr(qr__ring(mag, QR_MIGRATE_UNMOVABLE, 0));
}

/* Leave nr pages in a CPU's cache; a way of its own for each CPU. */
static void fill(unsigned cpu, unsigned nr)
{
	struct qr_page *pages[512];

	assert_in_range(nr, 1, 512);
	test_cpu_set(cpu);
	for (unsigned i = 0; i < nr; i++) {
		pages[i] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
		assert_non_null(pages[i]);
	}
	for (unsigned i = 0; i < nr; i++)
		qr___free_pages(m->q, pages[i], 0);
	test_cpu_set(0);
}

/* Sizes ------------------------------------------------------------------------------------ */

static void test_batch(void **state)
{
	static const struct {
		uint64_t managed;
		int batch;
	} rows[] = {{0, 1},       {256, 1},     {8192, 1},    {12287, 1},   {12288, 3},
		    {16384, 3},   {32768, 7},   {65536, 15},  {131072, 31}, {176127, 31},
		    {176128, 63}, {196608, 63}, {262144, 63}, {1 << 24, 63}};

	(void)state;
	begin(1, 1024);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		qr__write(&zone()->managed_pages, rows[i].managed);
		assert_int_equal(qr_zone_batchsize(zone()), rows[i].batch);
	}
	qr__write(&zone()->managed_pages, 1024);
	end();
}

static void test_high(void **state)
{
	static const struct {
		unsigned cpus, min, max;
	} rows[] = {{1, 1286, 32768}, {4, 321, 8192}, {16, 252, 2048}, {64, 252, 512}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(rows[i].cpus, 262144);
		for (unsigned cpu = 0; cpu < rows[i].cpus; cpu++) {
			struct qr_pcp_snapshot snap = cache(cpu);

			assert_int_equal(snap.batch, 63);
			assert_int_equal(snap.high_min, rows[i].min);
			assert_int_equal(snap.high_max, rows[i].max);
			assert_int_equal(snap.high, rows[i].min);
			assert_int_equal(snap.count, 0);
		}
		end();
	}
}

static void test_high_of_one_more_cpu(void **state)
{
	(void)state;
	begin(3, 262144);
	assert_int_equal(qr_zone_highsize(zone(), 63, 0, 0), 1286 / 3);
	assert_int_equal(qr_zone_highsize(zone(), 63, 0, 1), 1286 / 4);
	assert_int_equal(qr_zone_highsize(zone(), 63, 8, 0), 32768 / 3);
	end();
}

/* The low mark includes the boost. */
static void test_high_follows_the_boosted_mark(void **state)
{
	(void)state;
	begin(1, 262144);
	qr__write(&zone()->watermark_boost, 512);
	assert_int_equal(qr_zone_highsize(zone(), 63, 0, 0), 1286 + 512);
	qr__write(&zone()->watermark_boost, 0);
	end();
}

static void test_cpus_share_their_nodes_zone(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 262144);
	m->config.nr_cpus = 4;
	for (unsigned cpu = 0; cpu < 4; cpu++)
		test_machine_cpu_on(m, cpu, cpu == 3);
	test_machine_create(m);
	/* Three CPUs near node 0, one near node 1, whatever CPU the cache is for. */
	assert_int_equal(cache_on(0, 0).high_max, 32768 / 3);
	assert_int_equal(cache_on(0, 3).high_max, 32768 / 3);
	assert_int_equal(cache_on(1, 0).high_max, 32768);
	end();
}

static void test_a_node_without_cpus_is_shared_by_all(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 262144);
	m->config.nr_cpus = 4;
	for (unsigned cpu = 0; cpu < 4; cpu++)
		test_machine_cpu_on(m, cpu, 0);
	test_machine_create(m);
	assert_int_equal(cache_on(1, 0).high_max, 32768 / 4);
	end();
}

static void test_cpus_come_and_go(void **state)
{
	(void)state;
	begin(4, 262144);
	fill(3, 100);
	assert_true(cache(3).count > 0);
	assert_int_equal(qr_cpu_dead(m->q, 3), 0);
	assert_int_equal(cache(3).count, 0);
	assert_int_equal(cache(0).high_max, 32768 / 3);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), 100);
	assert_int_equal(qr_cpu_dead(m->q, 2), 0);
	assert_int_equal(cache(0).high_max, 32768 / 2);
	assert_int_equal(qr_cpu_online(m->q, 3), 0);
	assert_int_equal(cache(0).high_max, 32768 / 3);
	end();
}

static void test_large_data_caches_keep_a_batch(void **state)
{
	(void)state;
	for (unsigned large = 0; large < 2; large++) {
		struct qr_per_cpu_pages *pcp;

		m = test_machine_new();
		test_machine_one_zone(m, 262144);
		m->config.cpu_cache_bytes = (3 * 63 + large) * QR_PAGE_SIZE;
		test_machine_create(m);
		pcp = zone()->pcp;
		assert_int_equal((pcp->flags & QR_PCPF_FREE_HIGH_BATCH) != 0, large);
		end();
	}
}

/* A zone that is too small for an eighth of it to be more than the low mark. */
static void test_limits_do_not_cross(void **state)
{
	(void)state;
	for (uint64_t nr = 64; nr <= 4096; nr *= 2) {
		begin(1, nr);
		assert_true(cache(0).high_min <= cache(0).high_max);
		end();
	}
}

/* Drains ----------------------------------------------------------------------------------- */

static void test_drain_all(void **state)
{
	uint64_t before;

	(void)state;
	begin(3, 262144);
	before = qr_zone_free_pages(zone());
	for (unsigned cpu = 0; cpu < 3; cpu++)
		fill(cpu, 10 + cpu);
	assert_true(qr_zone_free_pages(zone()) < before);
	qr_drain_all_pages(m->q, NULL);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		assert_int_equal(cache(cpu).count, 0);
	assert_int_equal(qr_zone_free_pages(zone()), before);
	end();
}

static void test_drain_local(void **state)
{
	unsigned count;

	(void)state;
	begin(2, 262144);
	fill(0, 10);
	fill(1, 10);
	count = cache(0).count;
	test_cpu_set(1);
	qr_drain_local_pages(m->q, NULL);
	assert_int_equal(cache(1).count, 0);
	assert_int_equal(cache(0).count, count);
	end();
}

static void test_drain_one_zone(void **state)
{
	struct qr_page *dma;
	struct qr_pcp_snapshot snap;

	(void)state;
	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 18);
	test_machine_create(m);
	dma = qr_alloc_pages(m->q, QR_GFP_DMA | QR_GFP_KERNEL, 0);
	qr___free_pages(m->q, dma, 0);
	dma = qr_alloc_pages(m->q, QR_GFP_DMA32 | QR_GFP_KERNEL, 0);
	qr___free_pages(m->q, dma, 0);
	qr_drain_all_pages(m->q, qr_zone_at(m->q, 0, QR_ZONE_DMA32));
	qr_pcp_snapshot(m->q, 0, QR_ZONE_DMA32, 0, &snap);
	assert_int_equal(snap.count, 0);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_DMA, 0, &snap);
	assert_true(snap.count > 0);
	end();
}

/* Whoever wants everything drained is content with a drain that is under way. */
static void test_drain_all_does_not_queue_up(void **state)
{
	struct qr_spinlock *lock;

	(void)state;
	begin(1, 262144);
	fill(0, 10);
	lock = &qr__allocator(m->q)->pcpu_drain_lock;
	assert_true(qr__trylock(qr__base(m->q), lock));
	qr_drain_all_pages(m->q, NULL);
	assert_true(cache(0).count > 0);
	qr__unlock(qr__base(m->q), lock);
	end();
}

/* Long drains let others have the lock, and the cache, in between. */
static void test_A20_drains_are_chunked(void **state)
{
	struct qr_alloc_stats before, after;

	(void)state;
	begin(1, 262144);
	fill(0, 500);
	assert_true(cache(0).count >= 500);
	qr_alloc_stats(m->q, &before);
	qr_drain_all_pages(m->q, NULL);
	qr_alloc_stats(m->q, &after);
	assert_true(after.zone_locks - before.zone_locks >= 500 / 63);
	end();
}

/* Disabled --------------------------------------------------------------------------------- */

static void test_A22_disable_reaches_every_cpu(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin(3, 262144);
	before = qr_zone_free_pages(zone());
	fill(1, 10);
	/* The racy count says that there is nothing. */
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	fill(2, 10);
	qr_zone_pcp_disable(zone());
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		assert_int_equal(cache(cpu).count, 0);
		assert_int_equal(cache(cpu).high, 0);
		assert_int_equal(cache(cpu).high_max, 0);
		assert_int_equal(cache(cpu).batch, 1);
	}
	assert_int_equal(qr_zone_free_pages(zone()), before - 1);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr_zone_free_pages(zone()), before);
	qr_zone_pcp_enable(zone());
	assert_int_equal(cache(0).batch, 63);
	assert_int_equal(cache(0).high_max, 32768 / 3);
	assert_int_equal(cache(0).high, cache(0).high_min);
	end();
}

static void test_disabled_caches_pass_everything_through(void **state)
{
	static const unsigned orders[] = {0, 1, 2, 3, QR_PAGEBLOCK_ORDER, 4};
	uint64_t before;

	(void)state;
	begin(1, 262144);
	before = qr_zone_free_pages(zone());
	qr_zone_pcp_disable(zone());
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, orders[i]);

		assert_non_null(page);
		assert_int_equal(cache(0).count, 0);
		assert_int_equal(qr_zone_free_pages(zone()), before - (1u << orders[i]));
		qr___free_pages(m->q, page, orders[i]);
		assert_int_equal(qr_zone_free_pages(zone()), before);
	}
	qr_zone_pcp_enable(zone());
	end();
}

/* Whoever changes sizes meanwhile waits for the enabling. */
static void test_disabling_keeps_the_lock(void **state)
{
	struct qr_spinlock *lock;

	(void)state;
	begin(1, 262144);
	lock = &qr__allocator(m->q)->pcp_batch_high_lock;
	qr_zone_pcp_disable(zone());
	assert_true(qr__is_locked(lock));
	qr_zone_pcp_enable(zone());
	assert_false(qr__is_locked(lock));
	end();
}

/* Decay ------------------------------------------------------------------------------------ */

static void tick(void)
{
	qr__pcp_decay(qr__allocator(m->q));
}

static void test_decay_shrinks_high(void **state)
{
	struct qr_per_cpu_pages *pcp;

	(void)state;
	begin(1, 262144);
	pcp = zone()->pcp;
	qr__pcp_write(&pcp->high, 4000);
	tick();
	assert_int_equal(cache(0).high, 3500);
	tick();
	assert_int_equal(cache(0).high, 3500 - 437);
	for (unsigned i = 0; i < 30; i++)
		tick();
	assert_int_equal(cache(0).high, cache(0).high_min);
	end();
}

static void test_decay_drains_what_exceeds_high(void **state)
{
	struct qr_per_cpu_pages *pcp;
	unsigned before;

	(void)state;
	begin(1, 262144);
	fill(0, 500);
	pcp = zone()->pcp;
	before = cache(0).count;
	qr__pcp_write(&pcp->high_min, 100);
	qr__pcp_write(&pcp->high, 200);
	assert_true(before > 200);
	tick();
	assert_int_equal(cache(0).high, 175);
	/* Lists give back what exceeds it; magazines go back whole, and here one is enough. */
	if (test_engine_is("bitmap")) {
		assert_true(nr_to_get(0, 0) > 0 && nr_to_get(0, 0) < 175);
		assert_int_equal(cache(0).count, nr_to_get(0, 0));
	} else {
		assert_int_equal(cache(0).count, 175);
	}
	qr__pcp_write(&pcp->high_min, qr__pcp_read(&zone()->pcp_high_min));
	end();
}

/* A cache that holds far more than a full batch keeps that much less only. */
static void test_decay_is_gentle_with_full_caches(void **state)
{
	struct qr_per_cpu_pages *pcp;
	int32_t batch, before;

	(void)state;
	begin(1, 262144);
	pcp = zone()->pcp;
	fill(0, 500);
	before = (int32_t)cache(0).count;
	batch = 2;
	qr__pcp_write(&pcp->batch, batch);
	qr__pcp_write(&pcp->high_min, 10);
	qr__pcp_write(&pcp->high, before - 70);
	/* high less an eighth would be less than the count less 2 << 5. */
	assert_true((before - 70) * 7 / 8 < before - 64 - 1);
	tick();
	assert_int_equal(cache(0).high, before - 64);
	if (test_engine_is("bitmap")) /* a magazine goes back whole */
		assert_int_equal(cache(0).count, nr_to_get(0, 0));
	else
		assert_int_equal(cache(0).count, before - 64);
	end();
}

/* A cache that starts as large as one that has been running: it fills up, and decays from there. */
static void test_high_can_be_given(void **state)
{
	struct qr_pcp_snapshot was, is;

	(void)state;
	begin(2, 1 << 18);
	was = cache(1);
	assert_true(was.high_min + 512 < was.high_max);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 1, was.high_min + 500), was.high_min + 500);
	is = cache(1);
	assert_int_equal(is.high, was.high_min + 500);
	assert_int_equal(is.count, was.count);
	assert_int_equal(is.high_min, was.high_min);
	assert_int_equal(is.high_max, was.high_max);
	assert_int_equal(cache(0).high, was.high_min); /* another's is another's */
	tick();
	assert_in_range(cache(1).high, was.high_min, was.high_min + 499);
	end();
}

/* A row of frees that came before is no reason to give anything back after it. */
static void test_high_that_is_given_forgets_habits(void **state)
{
	struct qr_page *pages[2], *single;

	(void)state;
	begin(1, 1 << 18);
	pages[0] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 2);
	pages[1] = qr_alloc_pages(m->q, QR_GFP_KERNEL, 2);
	fill(0, 500);
	single = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr___free_pages(m->q, pages[0], 2);
	qr__pcp_write(&zone()->pcp->free_count, 2000);
	assert_true(cache(0).free_count > 0);
	qr_zone_pcp_high_set(zone(), 0, cache(0).high);
	assert_int_equal(cache(0).free_count, 0);
	assert_int_equal(cache(0).alloc_factor, 0);
	assert_int_equal(zone()->pcp->flags & QR_PCPF_PREV_FREE_HIGH_ORDER, 0);
	qr___free_pages(m->q, pages[1], 2);
	qr___free_pages(m->q, single, 0);
	end();
}

static void test_high_is_given_within_limits(void **state)
{
	struct qr_pcp_snapshot is;

	(void)state;
	begin(2, 1 << 18);
	is = cache(0);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 0, 0), is.high_min);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 0, is.high_min - 1), is.high_min);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 0, is.high_max + 1), is.high_max);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 0, UINT32_MAX), is.high_max);
	assert_int_equal(cache(0).high, is.high_max);
	assert_int_equal(qr_zone_pcp_high_set(zone(), 2, 1000), QR_ENOENT);
	qr_zone_pcp_disable(zone());
	assert_int_equal(qr_zone_pcp_high_set(zone(), 1, 1000), 0); /* disabled caches stay empty */
	qr_zone_pcp_enable(zone());
	end();
}

static void test_the_tick_comes_by_itself(void **state)
{
	(void)state;
	begin(1, 262144);
	qr__pcp_write(&zone()->pcp->high, 4000);
	test_machine_advance(m, 2 * SECOND);
	assert_int_equal(cache(0).high, 3500 - 437);
	end();
}

/* Pages of a remote node that nobody touches for three ticks are sent home by batches. */
static void test_remote_caches_expire(void **state)
{
	struct qr_page *page[100];
	unsigned count;

	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 262144);
	test_machine_create(m);
	for (unsigned i = 0; i < 100; i++)
		page[i] = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL | QR___GFP_THISNODE, 0);
	for (unsigned i = 0; i < 100; i++)
		qr___free_pages(m->q, page[i], 0);
	count = cache_on(1, 0).count;
	assert_true(count > 63);
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, count);
	tick();
	assert_int_equal(cache_on(1, 0).count, count - 63);
	/* Being drained is activity, so the rest waits as long again; and so does using it. */
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, count - 63);
	qr___free_pages(m->q, qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL | QR___GFP_THISNODE, 0),
			0);
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, count - 63);
	tick();
	assert_int_equal(cache_on(1, 0).count, count > 126 ? count - 126 : 0);
	end();
}

/* The same with magazines: one goes each time, first that of frees. */
static void test_remote_magazines_expire(void **state)
{
	struct qr_page *page[100];
	unsigned count, left;

	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 262144);
	test_machine_create(m);
	for (unsigned i = 0; i < 100; i++)
		page[i] = qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL | QR___GFP_THISNODE, 0);
	left = nr_to_get(1, 0);
	for (unsigned i = 0; i < 100; i++)
		qr___free_pages(m->q, page[i], 0);
	count = cache_on(1, 0).count;
	assert_int_equal(count, left + 100);
	assert_true(left > 63);
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, count);
	tick();
	assert_int_equal(cache_on(1, 0).count, left);
	/* Being drained is activity, so the rest waits as long again; and so does using it. */
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, left);
	qr___free_pages(m->q, qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL | QR___GFP_THISNODE, 0),
			0);
	tick();
	tick();
	assert_int_equal(cache_on(1, 0).count, left);
	tick();
	assert_int_equal(cache_on(1, 0).count, 0);
	end();
}

static void test_local_caches_do_not_expire(void **state)
{
	unsigned count;

	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 262144);
	test_machine_create(m);
	fill(0, 40);
	count = cache(0).count;
	for (unsigned i = 0; i < 20; i++)
		tick();
	assert_int_equal(cache(0).count, count);
	end();
}

/* Caches that keep lists have no room for magazines. */
static void test_lists_take_no_room_for_magazines(void **state)
{
	size_t of_one, of_many;

	(void)state;
	begin(1, 8192);
	of_one = m->metadata_size;
	end();
	begin(33, 8192);
	of_many = m->metadata_size;
	for (unsigned cpu = 0; cpu < 33; cpu++)
		fill(cpu, 3);
	end();
	assert_true((of_many - of_one) / 32 < sizeof(struct qr_magazines) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_high),
		cmocka_unit_test(test_high_of_one_more_cpu),
		cmocka_unit_test(test_high_follows_the_boosted_mark),
		cmocka_unit_test(test_cpus_share_their_nodes_zone),
		cmocka_unit_test(test_a_node_without_cpus_is_shared_by_all),
		cmocka_unit_test(test_cpus_come_and_go),
		cmocka_unit_test(test_large_data_caches_keep_a_batch),
		cmocka_unit_test(test_limits_do_not_cross),
		cmocka_unit_test(test_drain_all),
		cmocka_unit_test(test_drain_local),
		cmocka_unit_test(test_drain_one_zone),
		cmocka_unit_test(test_drain_all_does_not_queue_up),
		list_unit_test(test_A20_drains_are_chunked),
		cmocka_unit_test(test_A22_disable_reaches_every_cpu),
		cmocka_unit_test(test_disabled_caches_pass_everything_through),
		cmocka_unit_test(test_disabling_keeps_the_lock),
		cmocka_unit_test(test_decay_shrinks_high),
		cmocka_unit_test(test_decay_drains_what_exceeds_high),
		cmocka_unit_test(test_decay_is_gentle_with_full_caches),
		cmocka_unit_test(test_high_can_be_given),
		cmocka_unit_test(test_high_that_is_given_forgets_habits),
		cmocka_unit_test(test_high_is_given_within_limits),
		cmocka_unit_test(test_the_tick_comes_by_itself),
		list_unit_test(test_remote_caches_expire),
		bitmap_unit_test(test_remote_magazines_expire),
		cmocka_unit_test(test_local_caches_do_not_expire),
		list_unit_test(test_lists_take_no_room_for_magazines),
	};

	return test_group_run("pcp_tune", tests);
}
