/* SPDX-License-Identifier: MIT */
/*
 * test_step_sim.c - steps of caches, interrupted between any two stores, in interleavings that a
 * seed decides: against drains, disabled caches, speculators, and sizes that change
 */
#include "sim_machine.h"

#include "alloc/pcp.h"
#include "alloc/step.h"

#define NR_SEEDS 60u
#define HELD 10u
#define ROUNDS 60u

static struct {
	struct qr_sim *sim;
	struct quire *q;
	struct qr_zone *zone;
	enum qr_local_result (*commit)(void *ctx, const struct qr_local_commit *c);
	uint8_t owned[MACHINE_PAGES]; /* by frame: how many think that it is theirs */
	uint8_t passing[MACHINE_PAGES]; /* references of speculators */
	struct qr_page *seen[64]; /* what was in somebody's hands lately */
	struct qr_page *of_handlers[MACHINE_CPUS];
	unsigned nr_cpus;
	uint64_t done, refused, in_doubt, restarts, got, disabled;
} t;

static enum qr_local_result counting_commit(void *ctx, const struct qr_local_commit *c)
{
	enum qr_local_result result = t.commit(ctx, c);

	t.done += result == QR_LOCAL_DONE;
	t.refused += result == QR_LOCAL_NOT;
	t.in_doubt += result == QR_LOCAL_IN_DOUBT;
	return result;
}

static uint64_t next(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *random >> 33;
}

/* The frames of a block change hands. */
static void own(const struct qr_page *page, unsigned order, int by)
{
	qr_pfn_t pfn = qr_page_to_pfn(t.q, page);

	if (by > 0)
		assert_int_equal(t.passing[pfn], 0);
	for (uint64_t n = 0; n < UINT64_C(1) << order; n++) {
		t.owned[pfn + n] = (uint8_t)(t.owned[pfn + n] + by);
		assert_int_equal(t.owned[pfn + n], by > 0);
	}
}

static struct qr_page *taken(struct qr_page *page, unsigned order)
{
	if (page)
		own(page, order, 1);
	return page;
}

static void given(struct qr_page *page, unsigned order)
{
	own(page, order, -1);
	t.seen[0] = page;
	qr___free_pages(t.q, page, order);
}

static void handler(void *arg)
{
	struct qr_page **page = &t.of_handlers[qr_sim_cpu(t.sim)];

	(void)arg;
	if (*page)
		given(*page, 0);
	*page = *page ? NULL : taken(qr_alloc_pages(t.q, QR_GFP_ATOMIC | QR___GFP_NOWARN, 0), 0);
}

static void allocator(void *arg)
{
	const unsigned orders = QR_MAGAZINE_ORDERS < 4 ? QR_MAGAZINE_ORDERS : 4;
	uint64_t random = 99 + (uintptr_t)arg;
	struct qr_page *held[HELD] = {NULL};
	unsigned order[HELD] = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned slot = (unsigned)next(&random) % HELD;

		if (i % 8 == 3)
			qr_sim_interrupt_at(t.sim, 1 + next(&random) % 12, handler, NULL);
		if (held[slot]) {
			given(held[slot], order[slot]);
			held[slot] = NULL;
			continue;
		}
		order[slot] = next(&random) % 3 ? 0 : (unsigned)next(&random) % orders;
		held[slot] = taken(qr_alloc_pages(t.q, QR_GFP_KERNEL, order[slot]), order[slot]);
		assert_non_null(held[slot]);
		if (order[slot] == 0)
			t.seen[next(&random) % 64] = held[slot];
	}
	for (unsigned slot = 0; slot < HELD; slot++)
		if (held[slot])
			given(held[slot], order[slot]);
}

static void drainer(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 8; i++) {
		qr_drain_all_pages(t.q, NULL);
		for (unsigned n = 0; n < 4; n++)
			qr_sim_yield(t.sim);
	}
}

/* While they are disabled, caches are empty. */
static void disabler(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 4; i++) {
		qr_zone_pcp_disable(t.zone);
		for (unsigned n = 0; n < 6; n++) {
			qr_sim_yield(t.sim);
			for (unsigned cpu = 0; cpu < t.nr_cpus; cpu++) {
				struct qr_per_cpu_pages *pcp = qr__pcp_of(t.zone, cpu);
				unsigned long irqs = qr__pcp_lock(qr__base(t.q), pcp);

				assert_int_equal(qr__pcp_count_racy(pcp), 0);
				qr__pcp_unlock(qr__base(t.q), pcp, irqs);
			}
			t.disabled++;
		}
		qr_zone_pcp_enable(t.zone);
		for (unsigned n = 0; n < 8; n++)
			qr_sim_yield(t.sim);
	}
}

static void speculator(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	for (unsigned i = 0; i < 24; i++) {
		/* Rather what is being freed just now. */
		struct qr_page *page = t.seen[i % 4 ? 0 : next(&random) % 64];
		qr_pfn_t pfn;

		qr_sim_yield(t.sim);
		if (!page || !qr_get_page_unless_zero(t.q, page))
			continue;
		pfn = qr_page_to_pfn(t.q, page);
		t.passing[pfn]++;
		t.got++;
		qr_sim_yield(t.sim);
		assert_true(qr_page_count(t.q, page) > 0);
		t.passing[pfn]--;
		qr_put_page(t.q, page);
		if (i % 4 == 3)
			qr_sim_advance(t.sim, UINT64_C(5000000000));
	}
}

static void resizer(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	for (unsigned i = 0; i < 12; i++) {
		unsigned cpu = (unsigned)next(&random) % t.nr_cpus;

		assert_true(qr_zone_pcp_high_set(t.zone, cpu, (unsigned)next(&random) % 600) >= 0);
		for (unsigned n = 0; n < 4; n++)
			qr_sim_yield(t.sim);
	}
}

static void sim_begin(unsigned nr_cpus)
{
	struct qr_sim_config config = {
		.machine = {.nr_cpus = nr_cpus, .engine = "bitmap"},
		.local_locks = true,
		.local_commits = true,
		.start_ns = UINT64_C(1000000000000),
	};
	struct qr_zone *zone;

	t.sim = machine_new(&config);
	t.q = qr_sim_quire(t.sim);
	t.nr_cpus = nr_cpus;
	t.commit = qr__base(t.q)->platform.local_commit;
	qr__base(t.q)->platform.local_commit = counting_commit;
	memset(t.owned, 0, sizeof(t.owned));
	memset(t.passing, 0, sizeof(t.passing));
	memset(t.seen, 0, sizeof(t.seen));
	memset(t.of_handlers, 0, sizeof(t.of_handlers));
	qr__for_each_zone(qr__frames(t.q), zone)
	{
		if (zone->pcp)
			t.zone = zone;
	}
}

static void sim_end(uint64_t seed, uint64_t nr_free)
{
	struct qr_quire_snapshot after;
	struct qr_error_text why = {""};

	qr_sim_interrupt_at(t.sim, 0, NULL, NULL);
	for (unsigned cpu = 0; cpu < MACHINE_CPUS; cpu++)
		if (t.of_handlers[cpu])
			given(t.of_handlers[cpu], 0);
	if (qr_check(t.q, &why))
		fail_msg("seed %u: %s", (unsigned)seed, why.text);
	qr_drain_all_pages(t.q, NULL);
	qr_quire_snapshot(t.q, &after);
	assert_int_equal(after.nr_free, nr_free);
	if (qr_check(t.q, &why))
		fail_msg("seed %u, drained: %s", (unsigned)seed, why.text);
	if (qr_sim_log_count(t.sim))
		fail_msg("seed %u: %s", (unsigned)seed, qr_sim_log_last(t.sim));
	t.restarts += qr_sim_restarts(t.sim);
	qr_sim_free(t.sim);
}

/* Two allocators on a CPU, and these besides. */
static void run(unsigned nr_cpus, void (*const *others)(void *arg), unsigned nr, uint64_t seed)
{
	struct qr_quire_snapshot before;

	sim_begin(nr_cpus);
	qr_quire_snapshot(t.q, &before);
	for (unsigned i = 0; i < 4; i++)
		qr_sim_spawn(t.sim, i / 2 % nr_cpus, allocator, (void *)(uintptr_t)(i + 10 * seed));
	for (unsigned i = 0; i < nr; i++)
		qr_sim_spawn(t.sim, (i + 1) % nr_cpus, others[i], (void *)(uintptr_t)(i + seed));
	if (qr_sim_run(t.sim, seed))
		fail_msg("seed %u: %s", (unsigned)seed, qr_sim_log_last(t.sim));
	sim_end(seed, before.nr_free);
}

static void run_all(void (*const *others)(void *arg), unsigned nr)
{
	memset(&t, 0, sizeof(t));
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		run(MACHINE_CPUS, others, nr, seed);
		run(1, others, nr, seed);
	}
	/* All of it has happened, and often. */
	assert_true(t.done > 20 * NR_SEEDS && t.refused > NR_SEEDS);
	assert_true(t.in_doubt > NR_SEEDS / 2 && t.restarts > NR_SEEDS);
}

static void test_alone(void **state)
{
	(void)state;
	run_all(NULL, 0);
}

static void test_drains(void **state)
{
	static void (*const others[])(void *arg) = {drainer, drainer};

	(void)state;
	run_all(others, 2);
}

static void test_disabled(void **state)
{
	static void (*const others[])(void *arg) = {disabler};

	(void)state;
	run_all(others, 1);
	assert_true(t.disabled > NR_SEEDS);
}

static void test_speculators(void **state)
{
	static void (*const others[])(void *arg) = {speculator, speculator};

	(void)state;
	run_all(others, 2);
	assert_true(t.got > NR_SEEDS);
}

static void test_sizes(void **state)
{
	static void (*const others[])(void *arg) = {resizer};

	(void)state;
	run_all(others, 1);
}

static void test_everything(void **state)
{
	static void (*const others[])(void *arg) = {drainer, disabler, speculator, resizer};

	(void)state;
	run_all(others, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),    cmocka_unit_test(test_drains),
		cmocka_unit_test(test_disabled), cmocka_unit_test(test_speculators),
		cmocka_unit_test(test_sizes),    cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
