/* SPDX-License-Identifier: MIT */
/*
 * test_local_lock.c - locks of CPUs: the protocol step by step, and in interleavings that a seed
 * decides
 */
#include "sim_machine.h"
#include "support.h"

#include "base/bits.h"
#include "base/local_lock.h"

#define NR_CPUS 4u
#define NR_SEEDS 300u

struct cell {
	char before[24];
	struct qr_local_lock lock;
	unsigned inside; /* plain: only the lock keeps it right */
	unsigned visits;
};

/* Step by step ----------------------------------------------------------------------------- */

/* The platform's answers, and what its fence does on the nth call. */
static struct {
	struct test_machine *m;
	struct qr_base base;
	struct cell cells[NR_CPUS];
	unsigned cpu;
	unsigned nr_fences;
	void (*at_fence)(unsigned nth);
	void (*at_relax)(void);
} hand;

static uint32_t *hand_trylock(void *ctx, uint32_t *words, size_t stride)
{
	uint32_t *word = (uint32_t *)(void *)((char *)words + hand.cpu * stride);

	(void)ctx;
	if (*word)
		return NULL;
	*word = 1;
	return word;
}

static void hand_fence(void *ctx)
{
	(void)ctx;
	hand.nr_fences++;
	if (hand.at_fence)
		hand.at_fence(hand.nr_fences);
}

static void hand_relax(void *ctx, unsigned spins)
{
	(void)ctx, (void)spins;
	if (hand.at_relax)
		hand.at_relax();
}

static void hand_up(void)
{
	memset(&hand, 0, sizeof(hand));
	hand.m = test_machine_new();
	hand.base.platform = test_machine_platform(hand.m);
	hand.base.platform.local_trylock = hand_trylock;
	hand.base.platform.local_fence = hand_fence;
	hand.base.platform.relax = hand_relax;
	hand.base.nr_cpus = NR_CPUS;
	qr__lock_init(&hand.base.local_all_lock, QR_RANK_LOCAL_ALL);
	for (unsigned i = 0; i < NR_CPUS; i++)
		qr__local_lock_init(&hand.cells[i].lock, QR_RANK_PCP);
}

static void hand_down(void)
{
	qr__assert_no_locks(&hand.base);
	test_machine_free(hand.m);
}

static struct qr_local_lock *hand_try(void)
{
	return qr__local_trylock(&hand.base, &hand.cells[0].lock, sizeof(struct cell));
}

static uint32_t word(unsigned cpu)
{
	return atomic_load(&hand.cells[cpu].lock.taken);
}

static void word_set(unsigned cpu, uint32_t value)
{
	atomic_store(&hand.cells[cpu].lock.taken, value);
}

static void each_cpu_takes_its_own(void **state)
{
	struct qr_local_lock *locks[NR_CPUS];

	(void)state;
	hand_up();
	for (hand.cpu = 0; hand.cpu < NR_CPUS; hand.cpu++) {
		locks[hand.cpu] = hand_try();
		assert_ptr_equal(locks[hand.cpu], &hand.cells[hand.cpu].lock);
		assert_true(qr__local_is_locked(locks[hand.cpu]));
		assert_null(hand_try());
	}
	/* From another CPU than it was taken on. */
	hand.cpu = 0;
	for (unsigned i = 0; i < NR_CPUS; i++) {
		qr__local_unlock(&hand.base, locks[i]);
		assert_int_equal(word(i), 0);
	}
	assert_int_equal(hand.nr_fences, 0);
	hand_down();
}

/* What nobody disputes takes one fence, and shuts the owner out. */
static void taken_from_afar(void **state)
{
	(void)state;
	hand_up();
	qr__local_lock(&hand.base, &hand.cells[0].lock);
	assert_int_equal(hand.nr_fences, 1);
	assert_true(word(0) >= 2);
	assert_null(hand_try());
	qr__local_unlock_remote(&hand.base, &hand.cells[0].lock);
	assert_ptr_equal(hand_try(), &hand.cells[0].lock);
	qr__local_unlock(&hand.base, &hand.cells[0].lock);
	hand_down();
}

/* The owner had seen the 0: his 1 runs the claim over, and he has the lock. */
static void owner_wins_at_fence(unsigned nth)
{
	if (nth == 1) {
		assert_true(word(0) >= 2);
		word_set(0, 1);
	}
}

static unsigned nr_waits;

static void owner_lets_go(void)
{
	assert_int_equal(word(0), 1);
	assert_int_equal(hand.nr_fences, 1);
	if (++nr_waits == 3)
		word_set(0, 0);
}

static void a_claim_is_run_over(void **state)
{
	(void)state;
	hand_up();
	nr_waits = 0;
	hand.at_fence = owner_wins_at_fence;
	hand.at_relax = owner_lets_go;
	/* So that the pauses of the processor are over soon. */
	qr__local_lock(&hand.base, &hand.cells[0].lock);
	assert_int_equal(nr_waits, 3);
	assert_int_equal(hand.nr_fences, 2);
	qr__local_unlock_remote(&hand.base, &hand.cells[0].lock);
	hand_down();
}

/* The same, but he has let go already. */
static void owner_was_quick(unsigned nth)
{
	if (nth < 3)
		word_set(0, 0);
}

static void a_claim_is_run_over_and_gone(void **state)
{
	(void)state;
	hand_up();
	hand.at_fence = owner_was_quick;
	qr__local_lock(&hand.base, &hand.cells[0].lock);
	assert_int_equal(hand.nr_fences, 3);
	assert_true(word(0) >= 2);
	qr__local_unlock_remote(&hand.base, &hand.cells[0].lock);
	hand_down();
}

/* After the owner another from afar came: what stands there is his claim, not ours. */
static uint32_t others_claim;

static void another_claims(unsigned nth)
{
	if (nth > 1)
		return;
	hand.at_fence = NULL;
	qr__local_lock(&hand.base, &hand.cells[1].lock); /* whatever number he would get */
	others_claim = word(1);
	qr__local_unlock_remote(&hand.base, &hand.cells[1].lock);
	word_set(0, others_claim);
}

static void other_lets_go(void)
{
	assert_int_equal(word(0), others_claim);
	nr_waits++;
	word_set(0, 0);
}

static void claims_are_told_apart(void **state)
{
	(void)state;
	hand_up();
	nr_waits = 0;
	hand.at_fence = another_claims;
	hand.at_relax = other_lets_go;
	qr__local_lock(&hand.base, &hand.cells[0].lock);
	assert_int_equal(nr_waits, 1);
	assert_int_not_equal(word(0), others_claim);
	qr__local_unlock_remote(&hand.base, &hand.cells[0].lock);
	hand_down();
}

/* No claim looks like an owner's, or like nobody's, however many there were. */
static void claims_are_numbers_of_their_own(void **state)
{
	static const uint32_t nrs[] = {
		0, 1, 0x7ffffffe, 0x7fffffff, 0x80000000, UINT32_MAX - 1, UINT32_MAX};

	(void)state;
	hand_up();
	for (unsigned i = 0; i < QR_ARRAY_SIZE(nrs); i++) {
		uint32_t first;

		atomic_store(&hand.base.nr_claims, nrs[i]);
		qr__local_lock(&hand.base, &hand.cells[2].lock);
		first = word(2);
		assert_true(first >= 2);
		qr__local_unlock_remote(&hand.base, &hand.cells[2].lock);
		qr__local_lock(&hand.base, &hand.cells[2].lock);
		assert_true(word(2) >= 2 && word(2) != first);
		qr__local_unlock_remote(&hand.base, &hand.cells[2].lock);
	}
	hand_down();
}

/* All with one fence; those that were run over with one more. */
static void owners_win_two(unsigned nth)
{
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		assert_true(word(cpu) >= 2);
	if (nth == 1) {
		word_set(1, 1);
		word_set(3, 0);
	}
}

static void the_second_lets_go(void)
{
	assert_true(word(0) >= 2 && word(2) >= 2);
	if (word(1) == 1)
		word_set(1, 0);
}

static void all_at_once(void **state)
{
	(void)state;
	hand_up();
	qr__local_lock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	assert_int_equal(hand.nr_fences, 1);
	qr__local_unlock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(word(cpu), 0);

	hand.nr_fences = 0;
	hand.at_fence = owners_win_two;
	hand.at_relax = the_second_lets_go;
	qr__local_lock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	assert_int_equal(hand.nr_fences, 2);
	for (hand.cpu = 0; hand.cpu < NR_CPUS; hand.cpu++)
		assert_null(hand_try());
	qr__local_unlock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	hand_down();
}

#if QR_DEBUG

static void ranks(void **state)
{
	struct qr_spinlock zone;

	(void)state;
	hand_up();
	qr__lock_init(&zone, QR_RANK_ZONE);
	qr__lock(&hand.base, &zone);
	test_panics(hand.m, "rank PCP (7) wanted while rank ZONE (8) is held",
		    qr__local_lock(&hand.base, &hand.cells[0].lock));
	assert_int_equal(word(0), 0); /* found out before it was claimed */

	/* Trying is exempt, but what comes after is measured by it. */
	assert_non_null(hand_try());
	test_panics(hand.m, "rank PCP (7) taken twice by one thread",
		    qr__local_lock(&hand.base, &hand.cells[0].lock));
	assert_int_equal(word(0), 1);
	word_set(0, 0);
	assert_non_null(hand_try());
	test_panics(
		hand.m, "rank LOCAL_ALL (6) wanted while rank PCP (7) is held",
		qr__local_lock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS));
	word_set(0, 0);
	qr__local_lock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	qr__local_unlock_all(&hand.base, &hand.cells[0].lock, sizeof(struct cell), NR_CPUS);
	test_panics(hand.m, "rank PCP (7) released by a thread that does not hold it",
		    qr__local_unlock(&hand.base, &hand.cells[0].lock));
	hand_down();
}

#endif

/* Interleaved ------------------------------------------------------------------------------ */

static struct {
	struct qr_sim *sim;
	struct qr_base *base;
	struct cell cells[NR_CPUS];
	unsigned owned, refused, from_afar, all;
} crowd;

static void visit(struct cell *cell)
{
	assert_int_equal(cell->inside++, 0);
	qr_sim_yield(crowd.sim);
	cell->visits++;
	qr_sim_yield(crowd.sim);
	assert_int_equal(--cell->inside, 0);
}

static void owner_visits(void *arg)
{
	struct qr_local_lock *lock =
		qr__local_trylock(crowd.base, &crowd.cells[0].lock, sizeof(struct cell));

	(void)arg;
	if (!lock) {
		crowd.refused++;
		return;
	}
	visit(QR_CONTAINER(lock, struct cell, lock));
	crowd.owned++;
	qr__local_unlock(crowd.base, lock);
}

static void owner(void *arg)
{
	for (unsigned i = 0; i < 12; i++) {
		if (i % 4 == 1)
			qr_sim_interrupt_at(crowd.sim, 1 + i % 3, owner_visits, NULL);
		owner_visits(arg);
		qr_sim_yield(crowd.sim);
	}
}

static void from_afar(void *arg)
{
	for (unsigned i = 0; i < 6; i++) {
		struct cell *cell = &crowd.cells[(i + (uintptr_t)arg) % NR_CPUS];

		qr__local_lock(crowd.base, &cell->lock);
		visit(cell);
		crowd.from_afar++;
		qr__local_unlock_remote(crowd.base, &cell->lock);
	}
}

static void all_of_them(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 3; i++) {
		qr__local_lock_all(crowd.base, &crowd.cells[0].lock, sizeof(struct cell), NR_CPUS);
		for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
			visit(&crowd.cells[cpu]);
		crowd.all++;
		qr__local_unlock_all(crowd.base, &crowd.cells[0].lock, sizeof(struct cell),
				     NR_CPUS);
	}
}

static uint64_t run_crowd(bool local_locks, uint64_t seed)
{
	struct qr_sim_config config = {.local_locks = local_locks};
	unsigned visits = 0;
	uint64_t restarts;

	memset(&crowd, 0, sizeof(crowd));
	crowd.sim = machine_new(&config);
	crowd.base = qr__base(qr_sim_quire(crowd.sim));
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
		qr__local_lock_init(&crowd.cells[cpu].lock, QR_RANK_PCP);
		qr_sim_spawn(crowd.sim, cpu, owner, NULL);
		qr_sim_spawn(crowd.sim, cpu / 2, owner, NULL);
	}
	for (uintptr_t i = 0; i < 2; i++) {
		qr_sim_spawn(crowd.sim, (unsigned)i, from_afar, (void *)i);
		qr_sim_spawn(crowd.sim, 3, all_of_them, NULL);
	}
	if (qr_sim_run(crowd.sim, seed))
		fail_msg("seed %llu: %s", (unsigned long long)seed, qr_sim_log_last(crowd.sim));
	restarts = qr_sim_restarts(crowd.sim);
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
		assert_false(qr__local_is_locked(&crowd.cells[cpu].lock));
		visits += crowd.cells[cpu].visits;
	}
	assert_int_equal(visits, crowd.owned + crowd.from_afar + NR_CPUS * crowd.all);
	assert_int_equal(crowd.from_afar, 12);
	assert_int_equal(crowd.all, 6);
	qr_sim_free(crowd.sim);
	return restarts;
}

static void crowds(void **state)
{
	unsigned owned = 0, refused = 0;
	uint64_t restarts = 0;

	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		restarts += run_crowd(true, seed);
		owned += crowd.owned;
		refused += crowd.refused;
	}
	/* All of it has happened, and often. */
	assert_true(owned > 10 * NR_SEEDS && refused > NR_SEEDS && restarts > NR_SEEDS);
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++)
		assert_int_equal(run_crowd(false, seed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cpu_takes_its_own),
		cmocka_unit_test(taken_from_afar),
		cmocka_unit_test(a_claim_is_run_over),
		cmocka_unit_test(a_claim_is_run_over_and_gone),
		cmocka_unit_test(claims_are_told_apart),
		cmocka_unit_test(claims_are_numbers_of_their_own),
		cmocka_unit_test(all_at_once),
#if QR_DEBUG
		cmocka_unit_test(ranks),
#endif
		cmocka_unit_test(crowds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
