/* SPDX-License-Identifier: MIT */
/*
 * test_step_linux.c - steps by restartable sequences in real threads, more than there are CPUs,
 * interrupted by signals and moved about, against drains, disabled caches and speculators
 *
 * Where there are no sequences, with a sanitizer of threads or under valgrind, all goes by locks.
 */
#include "linux_pool.h"

#include "alloc/pcp.h"
#include "alloc/step.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#define NR_THREADS 6u
#define HELD 48u
#define ROUNDS (SANITIZED ? 20000u : 250000u)
#define PAGES (64 * MIB / QR_PAGE_SIZE)
#define NR_SEEN 64u

static struct {
	struct quire *q;
	struct qr_zone *zone;
	unsigned nr_cpus;
	_Atomic uint8_t owned[PAGES]; /* by frame of the pool */
	qr_pfn_t first_pfn;
	struct qr_page *_Atomic seen[NR_SEEN];
	_Atomic unsigned running, crashes, signals, got;
} t;

static void own(const struct qr_page *page, unsigned order, uint8_t by)
{
	qr_pfn_t pfn = qr_page_to_pfn(t.q, page) - t.first_pfn;

	for (uint64_t n = 0; n < UINT64_C(1) << order; n++)
		if (atomic_exchange_explicit(&t.owned[pfn + n], by, memory_order_relaxed) == by)
			atomic_fetch_add(&t.crashes, 1);
}

static uint64_t next(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *random >> 33;
}

static void move_to(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	/* It may be off, or not ours. */
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void give(struct qr_page *page, unsigned order)
{
	own(page, order, 0);
	qr___free_pages(t.q, page, order);
}

static void *customer(void *arg)
{
	struct qr_page *held[HELD] = {NULL};
	unsigned order[HELD] = {0};
	uint64_t random = (uintptr_t)arg + 7;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned slot = (unsigned)next(&random) % HELD;

		if (i % 1000 == 0)
			move_to((unsigned)next(&random) % t.nr_cpus);
		if (held[slot]) {
			give(held[slot], order[slot]);
			held[slot] = NULL;
			continue;
		}
		order[slot] = next(&random) % 4 ? 0 : (unsigned)next(&random) % 4;
		held[slot] = qr_alloc_pages(t.q, QR_GFP_KERNEL, order[slot]);
		if (!held[slot])
			continue;
		own(held[slot], order[slot], 1);
		atomic_store_explicit(&t.seen[next(&random) % NR_SEEN], held[slot],
				      memory_order_relaxed);
	}
	for (unsigned slot = 0; slot < HELD; slot++)
		if (held[slot])
			give(held[slot], order[slot]);
	atomic_fetch_sub(&t.running, 1);
	return NULL;
}

/* Looks at what others have, now and then: in between nobody speculates. */
static void speculate(uint64_t *random)
{
	struct qr_page *page = atomic_load(&t.seen[next(random) % NR_SEEN]);

	if (!page || !qr_get_page_unless_zero(t.q, page))
		return;
	atomic_fetch_add(&t.got, 1);
	if (qr_page_count(t.q, page) <= 0)
		atomic_fetch_add(&t.crashes, 1);
	qr_put_page(t.q, page);
}

static void speculation_close(void)
{
	struct qr_allocator *alloc = qr__allocator(t.q);

	atomic_store(&alloc->speculation.used, false);
	atomic_store(&alloc->speculation.quiet_since_ns, 0);
	qr__speculation_decay(alloc);
}

/* The kernel delivers it to whichever thread runs: its sequence begins again, or is in doubt. */
static void signal_handler(int number)
{
	(void)number;
	atomic_fetch_add_explicit(&t.signals, 1, memory_order_relaxed);
}

static void signals_begin(struct sigaction *before)
{
	const struct sigaction action = {.sa_handler = signal_handler, .sa_flags = SA_RESTART};
	const struct itimerval often = {{.tv_usec = 100}, {.tv_usec = 100}};

	assert_int_equal(sigaction(SIGPROF, &action, before), 0);
	assert_int_equal(setitimer(ITIMER_PROF, &often, NULL), 0);
}

static void signals_end(const struct sigaction *before)
{
	const struct itimerval never = {{0}, {0}};

	assert_int_equal(setitimer(ITIMER_PROF, &never, NULL), 0);
	assert_int_equal(sigaction(SIGPROF, before, NULL), 0);
}

static void check(void)
{
	struct qr_error_text why = {""};

	if (qr_check(t.q, &why))
		fail_msg("%s", why.text);
}

/* While they are disabled nothing waits in a cache. */
static void disable(void)
{
	qr_zone_pcp_disable(t.zone);
	for (unsigned cpu = 0; cpu < t.nr_cpus; cpu++) {
		struct qr_per_cpu_pages *pcp = qr__pcp_of(t.zone, cpu);
		unsigned long irqs = qr__pcp_lock(qr__base(t.q), pcp);

		if (qr__pcp_count_racy(pcp))
			atomic_fetch_add(&t.crashes, 1);
		qr__pcp_unlock(qr__base(t.q), pcp, irqs);
	}
	qr_zone_pcp_enable(t.zone);
}

static void disturb(bool speculators)
{
	uint64_t random = 1;

	for (unsigned i = 0; atomic_load(&t.running); i++) {
		qr_drain_all_pages(t.q, NULL);
		if (i % 8 == 0)
			check();
		if (i % 4 == 1)
			disable();
		for (unsigned n = 0; speculators && n < 16; n++)
			speculate(&random);
		speculation_close();
		sched_yield();
	}
}

/* Only steps bring single pages back to where they came from. */
static bool some_went_straight_back(void)
{
	uint64_t pages = 0;

	for (unsigned cpu = 0; cpu < t.nr_cpus; cpu++) {
		const struct qr_magazines *mag = &qr__pcp_of(t.zone, cpu)->mag;

		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++)
			for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++)
				pages += qr__read(&qr__ring(mag, (enum qr_migratetype)type, order)
							   ->tail)
					 << order;
		pages -= qr__read(&mag->pages_in);
	}
	return pages > 0;
}

static void shop_open(struct qr_linux_pool *pool)
{
	struct qr_zone *zone;

	memset(&t, 0, sizeof(t));
	t.q = qr_linux_quire(pool);
	t.nr_cpus = qr__base(t.q)->nr_cpus;
	t.first_pfn = qr__frames(t.q)->base_pfn;
	qr__for_each_zone(qr__frames(t.q), zone)
	{
		if (zone->pcp)
			t.zone = zone;
	}
	if (qr__base(t.q)->platform.local_commit)
		assert_true(qr__steps(qr__allocator(t.q)) != QR_STEPS_NONE);
	else
		assert_int_equal(qr__steps(qr__allocator(t.q)), QR_STEPS_NONE);
}

static void run(bool no_local_locks, bool speculators)
{
	struct qr_linux_config config = {.size = 64 * MIB,
					 .backing = QR_LINUX_NO_MEMORY,
					 .no_worker = true,
					 .no_local_locks = no_local_locks,
					 .machine.engine = "bitmap"};
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_quire_snapshot before, after;
	pthread_t threads[NR_THREADS];
	struct sigaction action;

	shop_open(pool);
	qr_quire_snapshot(t.q, &before);
	atomic_store(&t.running, NR_THREADS);
	signals_begin(&action);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, customer, (void *)i), 0);
	disturb(speculators);
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	signals_end(&action);
	assert_int_equal(t.crashes, 0);
	assert_true(t.signals > 0);
	assert_int_equal(t.got > 0, speculators);
	if (qr__base(t.q)->platform.local_commit)
		assert_true(some_went_straight_back());
	qr_drain_all_pages(t.q, NULL);
	qr_quire_snapshot(t.q, &after);
	assert_int_equal(after.nr_free, before.nr_free);
	check();
	qr_linux_close(pool);
}

static void test_steps(void **state)
{
	(void)state;
	run(false, false);
	run(false, true);
}

static void test_locks(void **state)
{
	(void)state;
	run(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps),
					   cmocka_unit_test(test_locks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
