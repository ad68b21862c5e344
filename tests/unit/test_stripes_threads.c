/* SPDX-License-Identifier: MIT */
/*
 * test_stripes_threads.c - CPUs on different stripes at the same time
 */
#include "support.h"

#include "alloc/allocator.h"
#include "buddy/bitmap.h"

#include <pthread.h>
#include <time.h>

#define NR_CPUS 4u
#define BATCH 64u
#define SMALLEST qr__max(4 * QR_MAX_ORDER_NR_PAGES, (uint64_t)QR_STRIPE_MIN_PAGES)
#define PAGES (2 * NR_CPUS << qr__order_for(SMALLEST))

static struct test_machine *m;
static _Atomic unsigned running;
static _Atomic bool done;

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
	assert_int_equal(zone()->nr_stripes, 2 * NR_CPUS);
	atomic_store(&running, 0);
	atomic_store(&done, false);
}

static void end(void)
{
	assert_int_equal(qr_zone_free_pages(zone()), PAGES);
	test_machine_free(m);
}

/* Fill and empty, batches of all sizes and orders; what one CPU took another one may give back. */
static _Atomic uint32_t exchanged[BATCH];

static void *churn(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg + 1;
	unsigned cpu = (unsigned)(uintptr_t)arg;

	test_cpu_set(cpu);
	for (unsigned n = 0; n < 4000; n++) {
		static const enum qr_migratetype types[] = {
			QR_MIGRATE_UNMOVABLE, QR_MIGRATE_MOVABLE, QR_MIGRATE_RECLAIMABLE};
		unsigned order =
			(unsigned)(test_random_below(&random, 2)
					   ? test_random_below(&random, 3)
					   : test_random_below(&random, QR_PAGEBLOCK_ORDER + 1));
		enum qr_migratetype type = types[test_random_below(&random, 3)];
		uint32_t frames[BATCH];
		unsigned got = zone()->ops->refill(zone(), cpu, order, type,
						   1 + (unsigned)test_random_below(&random, BATCH),
						   frames);

		for (unsigned i = 0; !order && i < got; i++) {
			uint32_t other = atomic_exchange(&exchanged[i], frames[i] + 1);

			/* nothing was there before: this one's own stays for others */
			frames[i] = other ? other - 1 : frames[--got];
		}
		if (got)
			zone()->ops->drain(zone(), order, frames, got, n % 16 == 0);
		if (n % 8 == 0)
			zone()->ops->has_racy(zone(), QR_PAGEBLOCK_ORDER, 1u << types[n % 3]);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* Under the whole zone's lock the counts are exact, and nobody else is at it. */
static void look(void)
{
	unsigned long irqs = qr__zone_lock(zone());
	const struct bitmap_buddy *buddy = bitmap_of(zone());
	uint64_t before = qr__read(&zone()->nr_free_pages), sum = 0;
	struct qr_error_text why = {{0}};

	for (uint32_t i = 0; i < buddy->nr_blocks; i++)
		sum += zone()->ops->nr_free_in(zone(), bitmap_pfn(buddy, i));
	zone()->ops->settle(zone());
	if (zone()->ops->check(zone(), &why))
		fail_msg("%s", why.text);
	assert_int_equal(sum, before);
	assert_int_equal(qr__read(&zone()->nr_free_pages), before);
	qr__zone_unlock(zone(), irqs);
}

static void test_counts_are_exact(void **state)
{
	pthread_t threads[NR_CPUS];
	uint32_t frame;
	unsigned nr = 0;

	(void)state;
	begin();
	atomic_store(&running, NR_CPUS);
	for (uintptr_t cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(pthread_create(&threads[cpu], NULL, churn, (void *)cpu), 0);
	while (atomic_load(&running) && nr++ < 200)
		look();
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		pthread_join(threads[cpu], NULL);
	for (unsigned i = 0; i < BATCH; i++) {
		frame = atomic_exchange(&exchanged[i], 0);
		if (frame--)
			zone()->ops->drain(zone(), 0, &frame, 1, false);
	}
	look();
	end();
}

/* Who waits for whom ----------------------------------------------------------------------- */

static void *refill_and_drain(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg, got;
	uint32_t frames[8];

	test_cpu_set(cpu);
	got = zone()->ops->refill(zone(), cpu, 0, QR_MIGRATE_MOVABLE, 8, frames);
	assert_int_equal(got, 8);
	zone()->ops->drain(zone(), 0, frames, got, false);
	atomic_store(&done, true);
	return NULL;
}

static void *lock_all(void *arg)
{
	(void)arg;
	qr__zone_unlock(zone(), qr__zone_lock(zone()));
	atomic_store(&done, true);
	return NULL;
}

static void moment(void)
{
	const struct timespec t = {.tv_nsec = 20 * 1000 * 1000};

	nanosleep(&t, NULL);
}

static void test_the_whole_zone_is_all_of_its_stripes(void **state)
{
	(void)state;
	begin();
	for (uintptr_t cpu = 0; cpu < NR_CPUS; cpu++) {
		unsigned long irqs = qr__zone_lock(zone());
		pthread_t thread;

		atomic_store(&done, false);
		assert_int_equal(pthread_create(&thread, NULL, refill_and_drain, (void *)cpu), 0);
		moment();
		assert_false(atomic_load(&done));
		assert_int_equal(qr__read(&zone()->nr_free_pages), PAGES);
		qr__zone_unlock(zone(), irqs);
		pthread_join(thread, NULL);
		assert_true(atomic_load(&done));
	}
	end();
}

static void test_a_stripe_stops_only_who_needs_it(void **state)
{
	unsigned long irqs;
	pthread_t thread;

	(void)state;
	begin();
	irqs = qr__stripe_lock(zone(), 2); /* CPU 1's home */
	for (uintptr_t cpu = 0; cpu < NR_CPUS; cpu++) {
		if (cpu == 1)
			continue;
		assert_int_equal(pthread_create(&thread, NULL, refill_and_drain, (void *)cpu), 0);
		pthread_join(thread, NULL); /* it does not wait */
	}
	atomic_store(&done, false);
	assert_int_equal(pthread_create(&thread, NULL, lock_all, NULL), 0);
	moment();
	assert_false(atomic_load(&done));
	qr__stripe_unlock(zone(), 2, irqs);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&done));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_exact),
		cmocka_unit_test(test_the_whole_zone_is_all_of_its_stripes),
		cmocka_unit_test(test_a_stripe_stops_only_who_needs_it),
	};

	return cmocka_run_group_tests_name("stripes_threads", tests, NULL, NULL);
}
