/* SPDX-License-Identifier: MIT */
/*
 * test_pcp_threads.c - caches that several threads use at once: more threads than CPUs, drains,
 * decay,
 * disabling, references taken in passing
 */
#include "support.h"

#include "alloc/pcp.h"

#include <pthread.h>
#include <unistd.h>

#define NR_THREADS 4
#define NR_CPUS 2
#define ROUNDS 4000
#define PAGES (UINT64_C(64) * QR_MAX_ORDER_NR_PAGES)

static struct test_machine *m;
static _Atomic unsigned running;

static struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static void begin(void)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = NR_CPUS;
	test_machine_create(m);
}

/* All that was taken is back, and nothing was reported. */
static void end(void)
{
	struct qr_alloc_stats stats;

	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_zone_free_pages(zone()), PAGES);
	qr_alloc_stats(m->q, &stats);
	assert_int_equal(stats.bad_pages, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	test_machine_free(m);
}

static void threads_run(void *(*work)(void *), void *(*side)(void *))
{
	pthread_t thread[NR_THREADS + 1];

	atomic_store(&running, NR_THREADS);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)i), 0);
	assert_int_equal(pthread_create(&thread[NR_THREADS], NULL, side, NULL), 0);
	for (unsigned i = 0; i <= NR_THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

/* Takes and gives at random. */
static void *give_and_take(void *arg)
{
	static const qr_gfp_t gfps[] = {QR_GFP_KERNEL, QR_GFP_HIGHUSER_MOVABLE,
					QR_GFP_KERNEL | QR___GFP_COMP};
	struct {
		struct qr_page *page;
		unsigned order;
	} held[64];
	uint64_t random = 17 + (uintptr_t)arg;
	unsigned nr = 0;

	test_cpu_set((unsigned)(uintptr_t)arg % NR_CPUS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (nr < 64 && test_random_below(&random, 64) >= nr) {
			unsigned kind = (unsigned)test_random_below(&random, 3);

			held[nr].order =
				test_random_below(&random, 4) ? 0 : (unsigned)(random >> 60) % 4;
			held[nr].page = qr_alloc_pages(m->q, gfps[kind], held[nr].order);
			if (held[nr].page)
				nr++;
		} else {
			unsigned victim = (unsigned)test_random_below(&random, nr);

			qr___free_pages(m->q, held[victim].page, held[victim].order);
			held[victim] = held[--nr];
		}
		/* Now and then a thread is moved to another CPU. */
		if (i % 100 == 0)
			test_cpu_set((unsigned)test_random_below(&random, NR_CPUS));
	}
	while (nr--)
		qr___free_pages(m->q, held[nr].page, held[nr].order);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void *drain_and_decay(void *arg)
{
	(void)arg;
	while (atomic_load(&running)) {
		qr_drain_all_pages(m->q, NULL);
		qr__pcp_decay(qr__allocator(m->q));
		qr_drain_all_pages(m->q, zone());
		qr_zone_pcp_disable(zone());
		qr_zone_pcp_enable(zone());
		assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 64),
				 0);
		assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 0), 0);
		assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_MISS), 0);
	}
	return NULL;
}

static void test_caches_under_pressure(void **state)
{
	(void)state;
	begin();
	threads_run(give_and_take, drain_and_decay);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL),
			 qr_vm_event(m->q, QR_EV_PGFREE));
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), qr_vm_event(m->q, QR_EV_NUMA_LOCAL));
	end();
}

static _Atomic int32_t left;

static void *disable(void *arg)
{
	(void)arg;
	qr_zone_pcp_disable(zone());
	atomic_store(&running, 0);
	atomic_store(&left, qr__pcp_read(&qr__pcp_of(zone(), 0)->count));
	qr_zone_pcp_enable(zone());
	return NULL;
}

/* Who disables caches is not content with somebody else's drain. */
static void test_A22_disabling_waits_for_other_drains(void **state)
{
	struct qr_spinlock *lock;
	pthread_t thread;

	(void)state;
	begin();
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	lock = &qr__allocator(m->q)->pcpu_drain_lock;
	assert_true(qr__trylock(qr__base(m->q), lock));
	atomic_store(&running, 1);
	assert_int_equal(pthread_create(&thread, NULL, disable, NULL), 0);
	while (!qr__is_locked(&qr__allocator(m->q)->pcp_batch_high_lock))
		;
	for (unsigned i = 0; i < 20 && atomic_load(&running); i++)
		usleep(1000);
	assert_int_equal(atomic_load(&running), 1);
	qr__unlock(qr__base(m->q), lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&left), 0);
	end();
}

/* A25 in earnest: somebody takes references to whatever he meets. */
static void *scan(void *arg)
{
	uint64_t random = 99;
	struct qr_page *pages = qr_pfn_to_page(m->q, 0);

	(void)arg;
	while (atomic_load(&running)) {
		struct qr_page *page = pages + test_random_below(&random, PAGES);

		if (qr_get_page_unless_zero(m->q, page))
			qr_put_page(m->q, page);
	}
	return NULL;
}

static void *quick_give_and_take(void *arg)
{
	uint64_t random = 31 + (uintptr_t)arg;

	test_cpu_set((unsigned)(uintptr_t)arg % NR_CPUS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned order = (unsigned)test_random_below(&random, 4);
		qr_gfp_t gfp = QR_GFP_KERNEL | (i & 1 ? QR___GFP_COMP : 0);
		struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

		if (page)
			qr___free_pages(m->q, page, order);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void test_A25_references_in_passing(void **state)
{
	(void)state;
	begin();
	threads_run(quick_give_and_take, scan);
	end();
}

/* Of two threads that free one block at once, one is refused. */
static struct {
	struct qr_page *_Atomic page;
	unsigned order;
	bool put;
} victim;

static void *race_free(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 300; i++) {
		struct qr_page *page;

		while (!(page = atomic_load(&victim.page)))
			;
		if (victim.put)
			qr_put_page(m->q, page);
		else
			qr___free_pages(m->q, page, victim.order);
		atomic_fetch_add(&running, 1);
		while (atomic_load(&victim.page) == page)
			;
	}
	return NULL;
}

static void race(unsigned order, bool put)
{
	pthread_t thread[2];
	struct qr_alloc_stats stats;

	begin();
	victim.order = order;
	victim.put = put;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race_free, NULL), 0);
	for (qr_pfn_t i = 0; i < 300; i++) {
		/* Each round another block, so that the last one's stays free. */
		struct qr_page *page;

		assert_int_equal(qr_alloc_pages_at(m->q, i << order, order, QR_GFP_KERNEL, &page),
				 0);
		atomic_store(&running, 0);
		atomic_store(&victim.page, page);
		while (atomic_load(&running) < 2)
			;
		qr_drain_all_pages(m->q, NULL);
		assert_int_equal(qr_zone_free_pages(zone()), PAGES);
		test_machine_check(m);
		atomic_store(&victim.page, NULL);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	qr_alloc_stats(m->q, &stats);
	assert_int_equal(stats.bad_pages, 300);
	test_machine_free(m);
}

static void test_A26_double_free_in_a_race(void **state)
{
	(void)state;
	race(0, false);
	race(2, false);
	race(0, true);
	race(2, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caches_under_pressure),
		cmocka_unit_test(test_A22_disabling_waits_for_other_drains),
		cmocka_unit_test(test_A25_references_in_passing),
		cmocka_unit_test(test_A26_double_free_in_a_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
