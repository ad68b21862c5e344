/* SPDX-License-Identifier: MIT */
/*
 * test_flags_sim.c - a zone's flags, and the mask of all requests, changed by several at once, in
 * interleavings that a seed decides
 */
#include "sim_machine.h"

#include "alloc/pcp.h"

#define NR_SEEDS 400u
#define ROUNDS 6u

static struct {
	struct qr_sim *sim;
	struct qr_zone *zone;
	unsigned overtaken; /* somebody else changed a flag while it was told */
} t;

static void begin(void)
{
	struct qr_sim_config config = {.local_locks = true};
	struct qr_zone *zone;

	t.sim = machine_new(&config);
	qr__for_each_zone(&qr__allocator(qr_sim_quire(t.sim))->frames, zone)
	{
		if (zone->pcp)
			t.zone = zone;
	}
}

/* Sets and clears it by turns. */
static void changer(void *arg)
{
	bool on = (uintptr_t)arg % 2;

	for (unsigned round = 0; round < ROUNDS; round++, on = !on) {
		qr__zone_flag_change(t.zone, QR_ZONE_BELOW_HIGH, on);
		t.overtaken += qr__zone_flag(t.zone, QR_ZONE_BELOW_HIGH) != on;
		qr_sim_yield(t.sim);
	}
}

/* What only this one changes all caches know at once. */
static void alone(void *arg)
{
	(void)arg;
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool on = round % 2 == 0;

		qr__zone_flag_change(t.zone, QR_ZONE_ISOLATED, on);
		for (unsigned cpu = 0; cpu < MACHINE_CPUS; cpu++) {
			uint32_t said = qr__local_closed(&qr__pcp_of(t.zone, cpu)->lock);

			assert_int_equal((said & QR_ZONE_ISOLATED) != 0, on);
		}
		qr_sim_yield(t.sim);
	}
}

static void test_all_know_in_the_end(void **state)
{
	(void)state;
	t.overtaken = 0;
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		begin();
		for (uintptr_t i = 0; i < 3; i++)
			qr_sim_spawn(t.sim, (unsigned)i, changer, (void *)i);
		qr_sim_spawn(t.sim, 3, alone, NULL);
		if (qr_sim_run(t.sim, seed))
			fail_msg("seed %llu: %s", (unsigned long long)seed, qr_sim_log_last(t.sim));
		for (unsigned cpu = 0; cpu < MACHINE_CPUS; cpu++) {
			if (qr__local_closed(&qr__pcp_of(t.zone, cpu)->lock) !=
			    atomic_load(&t.zone->flags))
				fail_msg("seed %llu: CPU %u was told %#x, but it is %#x",
					 (unsigned long long)seed, cpu,
					 qr__local_closed(&qr__pcp_of(t.zone, cpu)->lock),
					 atomic_load(&t.zone->flags));
		}
		qr__zone_flag_clear(t.zone, QR_ZONE_BELOW_HIGH);
		qr_sim_free(t.sim);
	}
	/* Without, it would prove nothing; there are no sched points where nothing is checked. */
	assert_true(!QR_DEBUG || t.overtaken > NR_SEEDS / 10);
}

/* Leaves a mask that lets everything pass, or not, by turns. */
static void masker(void *arg)
{
	struct quire *q = qr_sim_quire(t.sim);
	bool all = (uintptr_t)arg % 2;

	for (unsigned round = 0; round < ROUNDS; round++, all = !all) {
		qr_gfp_t mask = all ? QR_GFP_BITS_MASK : QR_GFP_BITS_MASK & ~QR___GFP_IO;

		qr_gfp_allowed_mask_set(q, mask);
		t.overtaken += qr_gfp_allowed_mask(q) != mask;
		qr_sim_yield(t.sim);
	}
}

/* Who takes the short way does not look at the mask: it is to be closed while there is one. */
static void test_a_mask_closes_the_short_way(void **state)
{
	(void)state;
	t.overtaken = 0;
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		struct quire *q;
		bool closed;

		begin();
		q = qr_sim_quire(t.sim);
		for (uintptr_t i = 0; i < 3; i++)
			qr_sim_spawn(t.sim, (unsigned)i, masker, (void *)i);
		if (qr_sim_run(t.sim, seed))
			fail_msg("seed %llu: %s", (unsigned long long)seed, qr_sim_log_last(t.sim));
		closed = qr__detours(qr__allocator(q)) & QR_DETOUR_GFP;
		if (closed != (qr_gfp_allowed_mask(q) != QR_GFP_BITS_MASK))
			fail_msg("seed %llu: the mask is %#x, and the short way is %s",
				 (unsigned long long)seed, qr_gfp_allowed_mask(q),
				 closed ? "closed" : "open");
		qr_gfp_allowed_mask_set(q, QR_GFP_BITS_MASK);
		qr_sim_free(t.sim);
	}
	assert_true(!QR_DEBUG || t.overtaken > NR_SEEDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_know_in_the_end),
		cmocka_unit_test(test_a_mask_closes_the_short_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
