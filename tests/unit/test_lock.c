/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c - spin locks exclude, and their ranks are checked
 */
#include "support.h"

#include "base/base.h"

#include <pthread.h>

static struct qr_base *base_new(struct test_machine *m, unsigned nr_cpus)
{
	struct qr_base *base = calloc(1, sizeof(*base));

	assert_non_null(base);
	base->platform = m->config.platform;
	base->nr_cpus = nr_cpus;
	return base;
}

static void take_and_release(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock lock;

	(void)state;
	qr__lock_init(&lock, QR_RANK_ZONE);
	assert_false(qr__is_locked(&lock));
	qr__lock(base, &lock);
	assert_true(qr__is_locked(&lock));
	assert_false(qr__trylock(base, &lock));
	qr__unlock(base, &lock);
	assert_false(qr__lock_contended(base, &lock));
	qr__unlock(base, &lock);
	assert_true(qr__trylock(base, &lock));
	qr__unlock(base, &lock);
	assert_false(qr__is_locked(&lock));
	free(base);
	test_machine_free(m);
}

static void interrupts(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 1);
	unsigned long outer = qr__irq_save(base), inner = qr__irq_save(base);

	(void)state;
	assert_int_equal(test_irqs_masked(), 2);
	qr__irq_restore(base, inner);
	qr__irq_restore(base, outer);
	assert_int_equal(test_irqs_masked(), 0);

	base->platform.irq_save = NULL;
	base->platform.irq_restore = NULL;
	outer = qr__irq_save(base);
	assert_int_equal(outer, 0);
	qr__irq_restore(base, outer);
	free(base);
	test_machine_free(m);
}

/* Threads ---------------------------------------------------------------------------------- */

struct contest {
	struct qr_base *base;
	struct qr_spinlock lock;
	unsigned counter; /* plain: only the lock keeps it right */
	unsigned waited;
};

#define ROUNDS 20000

static void *contestant(void *arg)
{
	struct contest *c = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 3 == 0) {
			bool waited = qr__lock_contended(c->base, &c->lock);

			c->waited += waited;
		} else {
			while (!qr__trylock_fast(c->base, &c->lock))
				qr__relax(c->base, 1000);
		}
		c->counter++;
		qr__unlock_fast(c->base, &c->lock);
	}
	return NULL;
}

static void threads_exclude_each_other(void **state)
{
	struct test_machine *m = test_machine_new();
	struct contest c = {.base = base_new(m, 4)};
	pthread_t threads[4];

	(void)state;
	qr__lock_init(&c.lock, QR_RANK_ZONE);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contestant, &c), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c.counter, 4 * ROUNDS);
	free(c.base);
	test_machine_free(m);
}

static void *late_unlocker(void *arg)
{
	struct contest *c = arg;

	qr__lock(c->base, &c->lock);
	__atomic_store_n(&c->counter, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&((struct test_machine *)c->base->platform.ctx)->nr_relax,
			       __ATOMIC_RELAXED) == 0)
		;
	qr__unlock(c->base, &c->lock);
	return NULL;
}

/* A waiter asks the platform to relax, and is told that it waited. */
static void waiting_relaxes(void **state)
{
	struct test_machine *m = test_machine_new();
	struct contest c = {.base = base_new(m, 2)};
	pthread_t thread;

	(void)state;
	qr__lock_init(&c.lock, QR_RANK_ZONE);
	assert_int_equal(pthread_create(&thread, NULL, late_unlocker, &c), 0);
	while (!__atomic_load_n(&c.counter, __ATOMIC_ACQUIRE))
		;
	assert_true(qr__lock_contended(c.base, &c.lock));
	qr__unlock(c.base, &c.lock);
	pthread_join(thread, NULL);
	assert_int_not_equal(m->nr_relax, 0);
	free(c.base);
	test_machine_free(m);
}

/* Ranks ------------------------------------------------------------------------------------ */

#if QR_DEBUG

static void ranks_upwards_are_fine(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock locks[QR_NR_RANKS];

	(void)state;
	for (unsigned rank = 1; rank < QR_NR_RANKS; rank++) {
		qr__lock_init(&locks[rank], (enum qr_lock_rank)rank);
		qr__lock(base, &locks[rank]);
	}
	/* In any order. */
	for (unsigned rank = 1; rank < QR_NR_RANKS; rank++)
		qr__unlock(base, &locks[rank]);
	qr__assert_no_locks(base);
	free(base);
	test_machine_free(m);
}

static void violations(struct test_machine *m, struct qr_base *base)
{
	struct qr_spinlock zone, pcp, other_zone;

	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock_init(&other_zone, QR_RANK_ZONE);
	qr__lock_init(&pcp, QR_RANK_PCP);

	qr__lock(base, &zone);
	test_panics(m, "lock of rank PCP (7) wanted while rank ZONE (8) is held",
		    qr__lock(base, &pcp));
	memset(&base->ledger, 0, sizeof(base->ledger));
	assert_false(qr__is_locked(&pcp)); /* found out before it was taken */

	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock(base, &zone);
	test_panics(m, "rank ZONE (8) wanted while rank ZONE (8)", qr__lock(base, &other_zone));
	memset(&base->ledger, 0, sizeof(base->ledger));

	/* A hang otherwise. */
	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock(base, &zone);
	test_panics(m, "rank ZONE (8) taken twice by one thread", qr__lock(base, &zone));
	memset(&base->ledger, 0, sizeof(base->ledger));

	test_panics(m, "released by a thread that does not hold it", qr__unlock(base, &zone));
}

static void ranks_downwards_panic(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);

	(void)state;
	violations(m, base);
	free(base);
	test_machine_free(m);
}

/* Without a ledger of the platform's, one CPU has its own, and several have none. */
static void ranks_without_a_ledger(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 1);
	struct qr_spinlock zone, pcp;

	(void)state;
	base->platform.lock_ledger = NULL;
	violations(m, base);

	base->nr_cpus = 2;
	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock_init(&pcp, QR_RANK_PCP);
	qr__lock(base, &zone);
	qr__lock(base, &pcp);
	qr__assert_no_locks(base);
	qr__unlock(base, &zone);
	qr__unlock(base, &pcp);
	free(base);
	test_machine_free(m);
}

/* A lock that is only tried is exempt, but those after it are measured by it. */
static void trying_is_exempt(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock zone, pcp, zonelists;

	(void)state;
	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock_init(&pcp, QR_RANK_PCP);
	qr__lock_init(&zonelists, QR_RANK_ZONELISTS);
	qr__lock(base, &zone);
	assert_true(qr__trylock(base, &pcp));
	qr__unlock(base, &zone);
	test_panics(m, "rank ZONELISTS (4) wanted while rank PCP (7) is held",
		    qr__lock(base, &zonelists));
	free(base);
	test_machine_free(m);
}

/* More locks than the ledger has slots: counted, released in any order, and none is left. */
static void a_full_ledger(void **state)
{
	enum { NR = 20 };
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock locks[NR], work;

	(void)state;
	for (unsigned backwards = 0; backwards < 2; backwards++) {
		for (unsigned i = 0; i < NR; i++) {
			qr__lock_init(&locks[i], QR_RANK_PCP);
			assert_true(qr__trylock(base, &locks[i]));
		}
		for (unsigned i = 0; i < NR; i++)
			qr__unlock(base, &locks[backwards ? NR - 1 - i : i]);
		qr__assert_no_locks(base);
	}
	qr__lock_init(&work, QR_RANK_WORK);
	test_panics(m, "does not hold it", qr__unlock(base, &work));
	free(base);
	test_machine_free(m);
}

static void no_locks_where_one_waits(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock sizes, drain;

	(void)state;
	qr__lock_init(&sizes, QR_RANK_PCP_BATCH_HIGH);
	qr__lock_init(&drain, QR_RANK_PCPU_DRAIN);
	qr__lock(base, &sizes);
	qr__assert_no_locks(base); /* caches may stay disabled while one waits */
	qr__lock(base, &drain);
	test_panics(m, "rank PCPU_DRAIN (3) is held where none may be", qr__assert_no_locks(base));
	free(base);
	test_machine_free(m);
}

static unsigned nr_sched_points;

static void hook_sched_point(void *ctx, const char *where)
{
	(void)ctx;
	assert_true(*where);
	nr_sched_points++;
}

static void sched_points(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base *base = base_new(m, 2);
	struct qr_spinlock lock;

	(void)state;
	qr__lock_init(&lock, QR_RANK_ZONE);
	base->platform.sched_point = hook_sched_point;
	qr__lock(base, &lock);
	assert_int_equal(nr_sched_points, 1);
	qr__unlock(base, &lock);
	assert_int_equal(nr_sched_points, 2);
	assert_true(qr__trylock(base, &lock));
	qr__unlock(base, &lock);
	assert_int_equal(nr_sched_points, 4);
	free(base);
	test_machine_free(m);
}

#endif /* QR_DEBUG */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_and_release),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(threads_exclude_each_other),
		cmocka_unit_test(waiting_relaxes),
#if QR_DEBUG
		cmocka_unit_test(ranks_upwards_are_fine),
		cmocka_unit_test(ranks_downwards_panic),
		cmocka_unit_test(ranks_without_a_ledger),
		cmocka_unit_test(trying_is_exempt),
		cmocka_unit_test(a_full_ledger),
		cmocka_unit_test(no_locks_where_one_waits),
		cmocka_unit_test(sched_points),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
