/* SPDX-License-Identifier: MIT */
/*
 * test_sim_fibers.c - fibers: determinism, exclusion by pins and masks, locks, deadlocks
 *
 * The toys here pass sched points of their own, so that they work in builds without debug checks,
 * too.
 */
#include "sim_machine.h"

#define NR_SEEDS 40u

static struct toy {
	struct qr_sim *sim;
	struct qr_base *base;
	char trace[4096];
	unsigned nr_trace;
	unsigned counter;
	unsigned steps;
	bool flag[2];
	unsigned inside, most_inside;
	struct qr_spinlock lock;
	struct qr_page *of_handlers[MACHINE_CPUS];
} toy;

static void toy_up_with(enum qr_cpu_model model, unsigned nr_cpus, bool local_locks)
{
	struct qr_sim_config config = {.machine = {.nr_cpus = nr_cpus}, .local_locks = local_locks};

	config.machine.platform.cpu_model = model;
	memset(&toy, 0, sizeof(toy));
	toy.sim = machine_new(&config);
	toy.base = qr__base(qr_sim_quire(toy.sim));
	toy.steps = 20;
	qr__lock_init(&toy.lock, QR_RANK_ZONE);
}

static void toy_up(enum qr_cpu_model model, unsigned nr_cpus)
{
	toy_up_with(model, nr_cpus, false);
}

static void toy_down(void)
{
	qr_sim_free(toy.sim);
}

static void spawn(unsigned cpu, void (*body)(void *arg), const void *arg)
{
	assert_true(qr_sim_spawn(toy.sim, cpu, body, (void *)(uintptr_t)arg) >= 0);
}

/* Wait until *flag, as the core waits for locks. */
static void wait_for(const bool *flag)
{
	for (unsigned spins = 0; !*(const volatile bool *)flag; spins++)
		toy.base->platform.relax(toy.sim, spins);
}

/* Order ------------------------------------------------------------------------------------- */

static void tracer(void *arg)
{
	for (unsigned i = 0; i < toy.steps; i++) {
		toy.trace[toy.nr_trace++] = *(const char *)arg;
		qr_sim_yield(toy.sim);
	}
}

static void run_tracers(uint64_t seed, char *trace, uint64_t *hash)
{
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	spawn(0, tracer, "a");
	spawn(1, tracer, "b");
	spawn(1, tracer, "c");
	assert_int_equal(qr_sim_run(toy.sim, seed), 0);
	assert_int_equal(toy.nr_trace, 3 * toy.steps);
	assert_true(qr_sim_switches(toy.sim) >= 3);
	*hash = qr_sim_switch_hash(toy.sim);
	memcpy(trace, toy.trace, sizeof(toy.trace));
	toy_down();
}

static void test_same_seed_same_order(void **state)
{
	static char first[4096], again[4096], other[4096];
	unsigned differ = 0;

	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		uint64_t hash, hash_again, hash_other;

		run_tracers(seed, first, &hash);
		run_tracers(seed, again, &hash_again);
		assert_string_equal(first, again);
		assert_int_equal(hash, hash_again);
		run_tracers(seed + 1000, other, &hash_other);
		/* The trace is the order of switches, seen from inside. */
		assert_true(strcmp(first, other) == 0 || hash != hash_other);
		differ += strcmp(first, other) != 0;
	}
	assert_true(differ > NR_SEEDS / 2);
}

static uint64_t hash_of_run(uint64_t seed)
{
	spawn(0, tracer, "a");
	spawn(1, tracer, "b");
	assert_int_equal(qr_sim_run(toy.sim, seed), 0);
	return qr_sim_switch_hash(toy.sim);
}

/* What ran before has no say. */
static void test_runs_are_seeded_anew(void **state)
{
	uint64_t hash;

	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	hash = hash_of_run(7);
	assert_int_not_equal(hash_of_run(8), hash);
	assert_int_equal(hash_of_run(7), hash);
	toy_down();
}

static void test_run_without_fibers(void **state)
{
	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	assert_int_equal(qr_sim_run(toy.sim, 1), 0);
	assert_int_equal(qr_sim_switches(toy.sim), 0);
	assert_int_equal(qr_sim_spawn(toy.sim, MACHINE_CPUS, tracer, NULL), QR_EINVAL);
	toy_down();
}

static void spawner(void *arg)
{
	tracer(arg);
	spawn(2, tracer, "s");
	tracer(arg);
}

static void test_fibers_spawn_fibers(void **state)
{
	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	spawn(0, spawner, "m");
	assert_int_equal(qr_sim_run(toy.sim, 3), 0);
	assert_int_equal(toy.nr_trace, 3 * toy.steps);
	assert_non_null(strchr(toy.trace, 's'));
	/* A sim runs again, with new fibers. */
	spawn(0, tracer, "z");
	assert_int_equal(qr_sim_run(toy.sim, 3), 0);
	assert_int_equal(toy.trace[toy.nr_trace - 1], 'z');
	toy_down();
}

static void own_context(void *arg)
{
	unsigned cpu = *(const unsigned *)arg;
	struct qr_task task = {.id = cpu};

	assert_null(toy.base->platform.current_task(toy.sim));
	qr_sim_task_set(toy.sim, &task);
	for (unsigned i = 0; i < toy.steps; i++) {
		assert_int_equal(qr_sim_cpu(toy.sim), cpu);
		assert_int_equal(toy.base->platform.current_task(toy.sim)->id, cpu);
		toy.base->platform.lock_ledger(toy.sim)->nr_held++;
		qr_sim_yield(toy.sim);
	}
	assert_int_equal(toy.base->platform.lock_ledger(toy.sim)->nr_held, toy.steps);
}

static void test_contexts_are_apart(void **state)
{
	static const unsigned cpus[] = {0, 1, 2, 3};

	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	qr_sim_cpu_set(toy.sim, 2);
	for (unsigned i = 0; i < 4; i++)
		spawn(cpus[i], own_context, &cpus[i]);
	assert_int_equal(qr_sim_run(toy.sim, 11), 0);
	assert_int_equal(qr_sim_cpu(toy.sim), 2);
	assert_null(toy.base->platform.current_task(toy.sim));
	toy_down();
}

/* Exclusion --------------------------------------------------------------------------------- */

static void enter(void)
{
	if (++toy.inside > toy.most_inside)
		toy.most_inside = toy.inside;
	qr_sim_yield(toy.sim);
	qr_sim_yield(toy.sim);
	toy.inside--;
}

static void pinned(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < toy.steps; i++) {
		toy.base->platform.cpu_pin(toy.sim);
		toy.base->platform.cpu_pin(toy.sim);
		toy.base->platform.cpu_unpin(toy.sim);
		enter();
		toy.base->platform.cpu_unpin(toy.sim);
		qr_sim_yield(toy.sim);
	}
}

static void masked(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < toy.steps; i++) {
		unsigned long flags = toy.base->platform.irq_save(toy.sim);

		enter();
		toy.base->platform.irq_restore(toy.sim, flags);
		qr_sim_yield(toy.sim);
	}
}

static void locked(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < toy.steps; i++) {
		qr__lock(toy.base, &toy.lock);
		enter();
		qr__unlock(toy.base, &toy.lock);
		qr_sim_yield(toy.sim);
	}
}

static void unlocked(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < toy.steps; i++)
		enter();
}

/* How many were inside at once, at most, over many seeds. */
static unsigned crowd(enum qr_cpu_model model, void (*body)(void *arg), unsigned cpu_a,
		      unsigned cpu_b)
{
	unsigned most = 0;

	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		toy_up(model, MACHINE_CPUS);
		spawn(cpu_a, body, NULL);
		spawn(cpu_b, body, NULL);
		assert_int_equal(qr_sim_run(toy.sim, seed), 0);
		if (toy.most_inside > most)
			most = toy.most_inside;
		toy_down();
	}
	return most;
}

static void test_exclusion(void **state)
{
	(void)state;
	assert_int_equal(crowd(QR_CPU_SMP, unlocked, 0, 0), 2);
	assert_int_equal(crowd(QR_CPU_SMP, pinned, 0, 0), 1);
	assert_int_equal(crowd(QR_CPU_SMP, pinned, 0, 1), 2); /* says nothing about another CPU */
	assert_int_equal(crowd(QR_CPU_RT, pinned, 0, 0), 2); /* forbids only migration */
	assert_int_equal(crowd(QR_CPU_SMP, masked, 1, 1), 1);
	assert_int_equal(crowd(QR_CPU_RT, masked, 1, 1), 1);
	assert_int_equal(crowd(QR_CPU_SMP, masked, 0, 1), 2);
	assert_int_equal(crowd(QR_CPU_SMP, locked, 0, 1), 1);
}

static void racy_count(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < toy.steps; i++) {
		unsigned old = toy.counter;

		qr_sim_yield(toy.sim);
		toy.counter = old + 1;
	}
}

/* The very thing fibers are for: an update without a lock is lost under some seed. */
static void test_races_are_found(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, racy_count, NULL);
		spawn(1, racy_count, NULL);
		assert_int_equal(qr_sim_run(toy.sim, seed), 0);
		lost += toy.counter < 2 * toy.steps;
		toy_down();
	}
	assert_true(lost > NR_SEEDS / 2);
}

static void count_handler(void *arg)
{
	*(unsigned *)arg = qr_sim_cpu(toy.sim);
	toy.counter++;
}

static void interrupted(void *arg)
{
	unsigned cpu = 99;
	unsigned long flags = toy.base->platform.irq_save(toy.sim);

	(void)arg;
	qr_sim_interrupt(toy.sim, count_handler, &cpu);
	for (unsigned i = 0; i < toy.steps; i++)
		qr_sim_yield(toy.sim);
	assert_int_equal(cpu, 99);
	toy.base->platform.irq_restore(toy.sim, flags);
	assert_int_equal(cpu, qr_sim_cpu(toy.sim));
}

/* An interrupt waits for its own CPU, whoever runs on the others. */
static void test_interrupts_stay_on_their_cpu(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(1, interrupted, NULL);
		spawn(2, interrupted, NULL);
		spawn(3, tracer, "x");
		assert_int_equal(qr_sim_run(toy.sim, seed), 0);
		assert_int_equal(toy.counter, 2);
		toy_down();
	}
}

/* Waiting ----------------------------------------------------------------------------------- */

static void slow_setter(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 20000; i++)
		qr_sim_yield(toy.sim);
	toy.flag[0] = true;
}

static void waiter(void *arg)
{
	wait_for(&toy.flag[*(const char *)arg - '0']);
	toy.counter++;
}

static void test_long_waits_are_no_deadlock(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, waiter, "0");
		spawn(1, slow_setter, NULL);
		spawn(2, waiter, "0");
		assert_int_equal(qr_sim_run(toy.sim, seed), 0);
		assert_int_equal(toy.counter, 2);
		toy_down();
	}
}

/* Waits long for one thing, and then lets others wait while it works. */
static void waiter_and_setter(void *arg)
{
	waiter(arg);
	for (unsigned i = 0; i < 20000; i++)
		qr_sim_yield(toy.sim);
	toy.flag[1] = true;
}

static void test_who_has_waited_may_work(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, slow_setter, NULL);
		spawn(1, waiter_and_setter, "0");
		spawn(2, waiter, "1");
		assert_int_equal(qr_sim_run(toy.sim, seed), 0);
		assert_int_equal(toy.counter, 2);
		toy_down();
	}
}

static void test_deadlock(void **state)
{
	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	spawn(0, waiter, "0");
	spawn(1, waiter, "1");
	spawn(2, tracer, "x");
	assert_int_equal(qr_sim_run(toy.sim, 5), QR_EBUSY);
	assert_int_equal(toy.nr_trace, toy.steps); /* who could, came to the end */
	assert_int_equal(qr_sim_log_matches(toy.sim, "deadlock: every fiber waits"), 1);
	assert_int_equal(qr_sim_log_matches(toy.sim, "fiber 0 on CPU 0 waits"), 1);
	assert_int_equal(qr_sim_log_matches(toy.sim, "fiber 1 on CPU 1 waits"), 1);
	assert_int_equal(qr_sim_log_matches(toy.sim, "fiber 2"), 0);
	toy_down();
}

static void lock_and_wait(void *arg)
{
	qr__lock(toy.base, &toy.lock);
	waiter(arg);
	qr__unlock(toy.base, &toy.lock);
}

static void locker(void *arg)
{
	(void)arg;
	qr__lock(toy.base, &toy.lock);
	qr__unlock(toy.base, &toy.lock);
}

static void test_deadlock_names_locks(void **state)
{
	char line[64];

	(void)state;
	snprintf(line, sizeof(line), "fiber 0 holds the lock of rank %u", (unsigned)QR_RANK_ZONE);
	for (uint64_t seed = 0; seed < 5; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, lock_and_wait, "0");
		spawn(1, locker, NULL);
		assert_int_equal(qr_sim_run(toy.sim, seed), QR_EBUSY);
		/* Only debug builds keep ledgers. */
		assert_int_equal(qr_sim_log_matches(toy.sim, line), QR_DEBUG ? 1 : 0);
		toy_down();
	}
}

static void pinned_waiter(void *arg)
{
	toy.base->platform.cpu_pin(toy.sim);
	waiter(arg);
}

/* Who could end the wait may never run, since the waiter has its CPU. */
static void test_deadlock_by_pin(void **state)
{
	unsigned deadlocks = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 6; seed++) {
		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, pinned_waiter, "0");
		spawn(0, slow_setter, NULL);
		if (qr_sim_run(toy.sim, seed) == QR_EBUSY) {
			deadlocks++;
			assert_int_equal(qr_sim_log_matches(toy.sim, "its CPU is taken"), 1);
		}
		toy_down();
	}
	assert_int_equal(deadlocks, 6); /* 20000 steps: always preempted in between */
}

static void restarting_waiter(void *arg)
{
	(void)arg;
	for (;;) {
		qr_sim_yield(toy.sim);
		toy.base->platform.relax(toy.sim, 0);
	}
}

/* Waits that begin anew for ever look like progress; there is a bound on them. */
static void test_livelock(void **state)
{
	(void)state;
	toy_up(QR_CPU_SMP, MACHINE_CPUS);
	spawn(0, restarting_waiter, NULL);
	assert_int_equal(qr_sim_run(toy.sim, 5), QR_EBUSY);
	toy_down();
}

/* Panics ------------------------------------------------------------------------------------ */

static void panicker(void *arg)
{
	tracer(arg);
	qr__panic(toy.base, "%s of all days", "today");
}

static void ends_pinned(void *arg)
{
	(void)arg;
	toy.base->platform.cpu_pin(toy.sim);
}

static void runs_inside(void *arg)
{
	(void)arg;
	qr_sim_run(toy.sim, 1);
}

static void run_body(void *arg)
{
	(void)arg;
	qr_sim_run(toy.sim, 9);
	fail_msg("%s", "the run came to its end");
}

static void test_panic_in_fiber(void **state)
{
	static const struct {
		void (*body)(void *arg);
		const char *message;
	} cases[] = {
		{panicker, "today of all days"},
		{ends_pinned, "fiber 1 ended with 1 pins and 0 masks of interrupts"},
		{runs_inside, "qr_sim_run() called in a fiber"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *message;

		toy_up(QR_CPU_SMP, MACHINE_CPUS);
		spawn(0, tracer, "a");
		spawn(1, cases[i].body, "p");
		assert_true(qr_sim_panics(toy.sim, run_body, NULL, &message));
		assert_string_equal(message, cases[i].message);
		toy_down();
	}
}

/* The allocator itself ----------------------------------------------------------------------- */

#define HELD 12u

/* Interrupt handlers, too: each CPU's own page comes with one interrupt and goes with the next. */
static void alloc_handler(void *arg)
{
	struct quire *q = qr_sim_quire(toy.sim);
	struct qr_page **page = &toy.of_handlers[qr_sim_cpu(toy.sim)];

	(void)arg;
	if (*page) {
		qr___free_pages(q, *page, 0);
		*page = NULL;
	} else {
		*page = qr_alloc_pages(q, QR_GFP_ATOMIC | QR___GFP_NOWARN, 0);
	}
	toy.counter++;
}

static void allocator(void *arg)
{
	struct quire *q = qr_sim_quire(toy.sim);
	uint64_t random = *(const unsigned *)arg;
	struct qr_page *held[HELD] = {NULL};
	unsigned order[HELD] = {0};

	for (unsigned i = 0; i < toy.steps * 8; i++) {
		unsigned slot;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		slot = (unsigned)(random >> 33) % HELD;
		if (i % 16 == 3)
			qr_sim_interrupt_at(toy.sim, 1 + (random >> 40) % 30, alloc_handler, NULL);
		if (i % 64 == 40)
			qr_drain_all_pages(q, NULL);
		if (held[slot]) {
			qr___free_pages(q, held[slot], order[slot]);
			held[slot] = NULL;
			continue;
		}
		order[slot] = (unsigned)(random >> 50) % 4;
		held[slot] = qr_alloc_pages(q, QR_GFP_KERNEL, order[slot]);
		assert_non_null(held[slot]);
	}
	for (unsigned slot = 0; slot < HELD; slot++)
		if (held[slot])
			qr___free_pages(q, held[slot], order[slot]);
}

static void run_allocators(enum qr_cpu_model model, unsigned nr_cpus, bool local_locks,
			   uint64_t seed)
{
	static const unsigned numbers[] = {1, 2, 3, 4};
	struct qr_error_text why = {""};
	struct qr_quire_snapshot before, after;
	struct quire *q;

	toy_up_with(model, nr_cpus, local_locks);
	q = qr_sim_quire(toy.sim);
	qr_quire_snapshot(q, &before);
	for (unsigned i = 0; i < 4; i++)
		spawn(i / 2 % nr_cpus, allocator, &numbers[i]);
	assert_int_equal(qr_sim_run(toy.sim, seed), 0);
	qr_sim_interrupt_at(toy.sim, 0, NULL, NULL);
	assert_true(!QR_DEBUG || toy.counter > 0);
	for (unsigned i = 0; i < MACHINE_CPUS; i++)
		if (toy.of_handlers[i])
			qr___free_pages(q, toy.of_handlers[i], 0);
	if (qr_check(q, &why))
		fail_msg("model %u, seed %u: %s", (unsigned)model, (unsigned)seed, why.text);
	qr_drain_all_pages(q, NULL);
	qr_quire_snapshot(q, &after);
	assert_int_equal(after.nr_free, before.nr_free);
	if (qr_sim_log_count(toy.sim))
		fail_msg("model %u, seed %u: %s", (unsigned)model, (unsigned)seed,
			 qr_sim_log_last(toy.sim));
	toy_down();
}

/* Two fibers on each of two CPUs, or four on one. */
static void test_allocator_interleaved(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS / 3; seed++) {
		run_allocators(QR_CPU_SMP, MACHINE_CPUS, false, seed);
		run_allocators(QR_CPU_RT, MACHINE_CPUS, false, seed);
		run_allocators(QR_CPU_UP, 1, false, seed);
		run_allocators(QR_CPU_SMP, MACHINE_CPUS, true, seed);
		run_allocators(QR_CPU_SMP, 1, true, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_order),
		cmocka_unit_test(test_runs_are_seeded_anew),
		cmocka_unit_test(test_run_without_fibers),
		cmocka_unit_test(test_fibers_spawn_fibers),
		cmocka_unit_test(test_contexts_are_apart),
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_races_are_found),
		cmocka_unit_test(test_interrupts_stay_on_their_cpu),
		cmocka_unit_test(test_long_waits_are_no_deadlock),
		cmocka_unit_test(test_who_has_waited_may_work),
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_deadlock_names_locks),
		cmocka_unit_test(test_deadlock_by_pin),
		cmocka_unit_test(test_livelock),
		cmocka_unit_test(test_panic_in_fiber),
		cmocka_unit_test(test_allocator_interleaved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
