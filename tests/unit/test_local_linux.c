/* SPDX-License-Identifier: MIT */
/*
 * test_local_linux.c - locks of CPUs by restartable sequences: real threads, more than there are
 * CPUs, moved about, interrupted by signals, while others lock from afar
 */
#include "linux_pool.h"

#include "base/local_lock.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

#define MAX_CPUS 256u
#define NR_OWNERS 6u
#define NR_REMOTE 2u
#define RUN_MS (SANITIZED ? 600 : 400)

/* Where they are to be had ------------------------------------------------------------------ */

static bool kernel_can(void)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return commands > 0 && commands & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
}

static bool local_locks_of(const struct qr_linux_config *config)
{
	struct qr_linux_pool *pool = pool_open(config);
	bool local = qr_linux_local_locks(pool);

	assert_int_equal(hooks_of(pool)->local_trylock != NULL, local);
	assert_int_equal(hooks_of(pool)->local_fence != NULL, local);
#if defined(__x86_64__)
	assert_int_equal(hooks_of(pool)->local_commit != NULL, local);
#endif
	qr_linux_close(pool);
	return local;
}

static void test_where_they_are(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	bool rseq = strcmp(qr_linux_cpu_source(pool), "rseq") == 0;
	unsigned nr_cpus = hooks_of(pool) ? qr__base(qr_linux_quire(pool))->nr_cpus : 0;

	(void)state;
	qr_linux_close(pool);
	assert_int_equal(local_locks_of(&config), rseq && kernel_can() && !TSAN);
	/* More words than CPUs do no harm. */
	config.machine.nr_cpus = nr_cpus + 1;
	assert_int_equal(local_locks_of(&config), rseq && kernel_can() && !TSAN);
	/* Several CPUs to a word would. */
	config.machine.nr_cpus = nr_cpus - 1;
	if (nr_cpus > 1)
		assert_false(local_locks_of(&config));
	config.machine.nr_cpus = 0;
	config.no_local_locks = true;
	assert_false(local_locks_of(&config));
}

/* Commits ----------------------------------------------------------------------------------- */

/* All that a commit names. */
struct place {
	uint32_t word, gate, slot;
	uint64_t count;
	uint8_t mark;
};

static const struct place good_place = {.count = 5, .mark = 3};

static struct qr_local_commit commit_of(struct place *place, bool full)
{
	return (struct qr_local_commit){
		.cpu = (unsigned)sched_getcpu(),
		.word = &place->word,
		.count = &place->count,
		.seen = 5,
		.gate = full ? &place->gate : NULL,
		.mark = &place->mark,
		.mark_is = 3,
		.mark_becomes = 254,
		.slot = &place->slot,
		.number = 88,
	};
}

/* Whoever is interrupted may try again; what comes of the last try is seen in *place. */
static enum qr_local_result commit(const struct qr_platform *p, struct place *place, bool full,
				   unsigned wrong_by)
{
	enum qr_local_result result = QR_LOCAL_IN_DOUBT;
	const struct place before = *place;

	for (unsigned tries = 0; tries < 100 && result != QR_LOCAL_DONE; tries++) {
		struct qr_local_commit c;

		*place = before;
		c = commit_of(place, full);
		c.cpu += wrong_by;
		result = p->local_commit(p->ctx, &c);
	}
	return result;
}

/* That one thing is not as it must be keeps all from being stored. */
static void refused(const struct qr_platform *p, struct place place, bool full, unsigned wrong_by)
{
	const struct place before = place;

	assert_int_equal(commit(p, &place, full, wrong_by), QR_LOCAL_NOT);
	assert_memory_equal(&place, &before, sizeof(place));
}

static void commits_check(const struct qr_platform *p, bool full)
{
	struct place place = good_place;

	assert_int_equal(commit(p, &place, full, 0), QR_LOCAL_DONE);
	assert_int_equal(place.count, 6);
	assert_int_equal(place.mark, full ? 254 : 3);
	assert_int_equal(place.slot, full ? 88 : 0);

	refused(p, good_place, full, 1);
	place = good_place;
	place.word = 1;
	refused(p, place, full, 0);
	place = good_place;
	place.count = 6;
	refused(p, place, full, 0);
}

static void test_commits(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	const struct qr_platform *p = hooks_of(pool);
	struct place place = good_place;

	(void)state;
	if (!p->local_commit) {
		qr_linux_close(pool);
		skip();
	}
	commits_check(p, false);
	commits_check(p, true);
	place.gate = 1;
	refused(p, place, true, 0);
	assert_int_equal(commit(p, &place, false, 0), QR_LOCAL_DONE); /* it is not asked */
	place = good_place;
	place.mark = 0;
	refused(p, place, true, 0);
	place.mark = 4;
	refused(p, place, true, 0);
	qr_linux_close(pool);
}

/* Exclusion --------------------------------------------------------------------------------- */

struct cell {
	struct qr_local_lock lock;
	unsigned inside; /* plain, both: only the lock keeps them right */
	uint64_t visits;
	char rest[108]; /* a stride that is no power of two */
};

static struct {
	struct qr_base *base;
	struct cell cells[MAX_CPUS];
	unsigned nr_cpus;
	_Atomic bool stop;
	_Atomic uint64_t visits, refused, crashes;
	_Atomic uint64_t by_signal;
} arena;

static void visit(struct cell *cell)
{
	if (cell->inside++)
		atomic_fetch_add(&arena.crashes, 1);
	cell->visits++;
	if (--cell->inside)
		atomic_fetch_add(&arena.crashes, 1);
}

static bool owner_visits(void)
{
	struct qr_local_lock *lock =
		qr__local_trylock(arena.base, &arena.cells[0].lock, sizeof(struct cell));

	if (!lock)
		return false;
	visit(QR_CONTAINER(lock, struct cell, lock));
	qr__local_unlock(arena.base, lock);
	return true;
}

/* In the middle of whatever the thread was doing, a sequence perhaps. */
static void signal_handler(int number)
{
	(void)number;
	if (owner_visits())
		atomic_fetch_add(&arena.by_signal, 1);
}

static void move_to(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	/* It may be off, or not ours. */
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void *owner(void *arg)
{
	unsigned turn = (unsigned)(uintptr_t)arg;
	uint64_t visits = 0, refused = 0;

	for (unsigned i = 0; !atomic_load_explicit(&arena.stop, memory_order_relaxed); i++) {
		if (owner_visits())
			visits++;
		else
			refused++;
		if (i % 4096 == 0)
			move_to(turn++ % arena.nr_cpus);
	}
	atomic_fetch_add(&arena.visits, visits);
	atomic_fetch_add(&arena.refused, refused);
	return NULL;
}

static void *from_afar(void *arg)
{
	uint64_t visits = 0;

	for (unsigned i = (unsigned)(uintptr_t)arg; !atomic_load(&arena.stop); i++) {
		struct cell *cell = &arena.cells[i % arena.nr_cpus];

		qr__local_lock(arena.base, &cell->lock);
		visit(cell);
		qr__local_unlock_remote(arena.base, &cell->lock);
		visits++;
	}
	atomic_fetch_add(&arena.visits, visits);
	return NULL;
}

static void *all_of_them(void *arg)
{
	uint64_t visits = 0;

	(void)arg;
	while (!atomic_load(&arena.stop)) {
		qr__local_lock_all(arena.base, &arena.cells[0].lock, sizeof(struct cell),
				   arena.nr_cpus);
		for (unsigned cpu = 0; cpu < arena.nr_cpus; cpu++)
			visit(&arena.cells[cpu]);
		qr__local_unlock_all(arena.base, &arena.cells[0].lock, sizeof(struct cell),
				     arena.nr_cpus);
		visits += arena.nr_cpus;
		sched_yield();
	}
	atomic_fetch_add(&arena.visits, visits);
	return NULL;
}

static void begin(pthread_t *thread, void *(*body)(void *arg), uintptr_t arg)
{
	assert_int_equal(pthread_create(thread, NULL, body, (void *)arg), 0);
}

/* For a while; the signals go to one owner after the other. */
static void arena_run(void)
{
	pthread_t owners[NR_OWNERS], others[NR_REMOTE + 2];
	struct timespec start, now;
	unsigned nth = 0;

	for (uintptr_t i = 0; i < NR_OWNERS; i++)
		begin(&owners[i], owner, i);
	for (uintptr_t i = 0; i < NR_REMOTE; i++)
		begin(&others[i], from_afar, i);
	/* Two, that might take from each other what both need. */
	begin(&others[NR_REMOTE], all_of_them, 0);
	begin(&others[NR_REMOTE + 1], all_of_them, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		pthread_kill(owners[nth++ % NR_OWNERS], SIGUSR1);
		if (nth % 64 == 0)
			sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
		 RUN_MS);
	atomic_store(&arena.stop, true);
	for (unsigned i = 0; i < NR_OWNERS; i++)
		pthread_join(owners[i], NULL);
	for (unsigned i = 0; i < NR_REMOTE + 2; i++)
		pthread_join(others[i], NULL);
}

static void exclusion(bool no_local_locks)
{
	struct qr_linux_config config = {.size = 16 * MIB, .no_local_locks = no_local_locks};
	struct sigaction action = {.sa_handler = signal_handler, .sa_flags = SA_RESTART}, before;
	struct qr_linux_pool *pool = pool_open(&config);
	uint64_t visits = 0;

	memset(&arena, 0, sizeof(arena));
	arena.base = qr__base(qr_linux_quire(pool));
	arena.nr_cpus = arena.base->nr_cpus < MAX_CPUS ? arena.base->nr_cpus : MAX_CPUS;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		qr__local_lock_init(&arena.cells[cpu].lock, QR_RANK_PCP);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	arena_run();
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		assert_false(qr__local_is_locked(&arena.cells[cpu].lock));
		assert_int_equal(arena.cells[cpu].inside, 0);
		visits += arena.cells[cpu].visits;
	}
	assert_int_equal(arena.crashes, 0);
	assert_int_equal(visits, arena.visits + arena.by_signal);
	assert_true(arena.visits > 10000 && arena.by_signal > 0);
	qr_linux_close(pool);
}

static void test_exclusion(void **state)
{
	(void)state;
	exclusion(false);
	exclusion(true);
}

/* The allocator ------------------------------------------------------------------------------ */

static struct {
	struct quire *q;
	_Atomic unsigned running;
} shop;

static void *customer(void *arg)
{
	struct qr_page *held[32] = {NULL};
	unsigned turn = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 40000; i++) {
		struct qr_page **slot = &held[(i * 7 + i / 5) % 32];

		if (*slot)
			qr___free_pages(shop.q, *slot, 0);
		*slot = *slot ? NULL : qr_alloc_pages(shop.q, QR_GFP_KERNEL, 0);
		if (i % 2000 == 0)
			move_to(turn++ % (unsigned)sysconf(_SC_NPROCESSORS_CONF));
	}
	for (unsigned i = 0; i < 32; i++)
		if (held[i])
			qr___free_pages(shop.q, held[i], 0);
	atomic_fetch_sub(&shop.running, 1);
	return NULL;
}

static void test_allocator(void **state)
{
	struct qr_linux_config config = {.size = 64 * MIB, .backing = QR_LINUX_NO_MEMORY};
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_quire_snapshot before, after;
	pthread_t threads[NR_OWNERS];

	(void)state;
	shop.q = qr_linux_quire(pool);
	qr_quire_snapshot(shop.q, &before);
	atomic_store(&shop.running, NR_OWNERS);
	for (uintptr_t i = 0; i < NR_OWNERS; i++)
		begin(&threads[i], customer, i);
	for (unsigned i = 0; atomic_load(&shop.running); i++) {
		qr_drain_all_pages(shop.q, NULL);
		if (i % 8 == 0)
			check_clean(pool);
		qr_zone_pcp_disable(qr_zone_at(shop.q, 0, QR_ZONE_NORMAL));
		qr_zone_pcp_enable(qr_zone_at(shop.q, 0, QR_ZONE_NORMAL));
		sched_yield();
	}
	for (unsigned i = 0; i < NR_OWNERS; i++)
		pthread_join(threads[i], NULL);
	qr_drain_all_pages(shop.q, NULL);
	qr_quire_snapshot(shop.q, &after);
	assert_int_equal(after.nr_free, before.nr_free);
	check_clean(pool);
	qr_linux_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_they_are),
		cmocka_unit_test(test_commits),
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_allocator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
