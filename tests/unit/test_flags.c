/* SPDX-License-Identifier: MIT */
/*
 * test_flags.c - a zone's flags, and what its caches know of them
 */
#include "pcp_machine.h"

#include "alloc/speculation.h"

#include <pthread.h>

#define NR_CPUS 4u
#define OTHERS (UINT32_C(0xa5) << 16) /* reasons of nobody here */

static uint32_t flags(void)
{
	return atomic_load(&zone()->flags);
}

static uint32_t closed(unsigned cpu)
{
	return qr__local_closed(&qr__pcp_of(zone(), cpu)->lock);
}

static void all_say(uint32_t reasons)
{
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(closed(cpu), reasons);
}

static void test_all_caches_are_told(void **state)
{
	(void)state;
	begin(NR_CPUS);
	all_say(flags());
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		atomic_fetch_or(&qr__pcp_of(zone(), cpu)->lock.closed, OTHERS);
	for (uint32_t flag = 1; flag & QR_ZONE_FLAGS; flag <<= 1) {
		uint32_t before = flags();

		assert_int_equal(before & flag, 0);
		qr__zone_flag_set(zone(), flag);
		qr__zone_flag_set(zone(), flag);
		assert_int_equal(flags(), before | flag);
		all_say(OTHERS | before | flag);
		qr__zone_flag_clear(zone(), flag);
		qr__zone_flag_clear(zone(), flag);
		assert_int_equal(flags(), before);
		all_say(OTHERS | before);
	}
	end();
}

/* A zone whose marks are raised is short of pages to all caches, until they are lowered. */
static void test_scarce_by_its_marks(void **state)
{
	uint64_t high;

	(void)state;
	begin(NR_CPUS);
	high = qr__read(&zone()->watermark[QR_WMARK_HIGH]);
	qr__write(&zone()->watermark[QR_WMARK_HIGH], PAGES);
	qr__zone_scarce_review(zone());
	all_say(QR_ZONE_SCARCE);
	qr__write(&zone()->watermark[QR_WMARK_HIGH], high);
	qr__zone_scarce_review(zone());
	all_say(0);
	end();
}

static void test_drops_that_are_not_plain(void **state)
{
	struct qr_allocator *alloc;

	(void)state;
	begin(NR_CPUS);
	alloc = qr__allocator(m->q);
	qr__plain_drops_stop(alloc);
	all_say(QR_STEPS_DROP_NOT);
	qr__zone_flag_set(zone(), QR_ZONE_SCARCE);
	all_say(QR_STEPS_DROP_NOT | QR_ZONE_SCARCE);
	qr__plain_drops_stop(alloc);
	qr__plain_drops_resume(alloc);
	all_say(QR_STEPS_DROP_NOT | QR_ZONE_SCARCE);
	qr__plain_drops_resume(alloc);
	all_say(QR_ZONE_SCARCE);
	qr__zone_scarce_review(zone());
	all_say(0);
	end();
}

/* At once ---------------------------------------------------------------------------------- */

#define ROUNDS 4000u
#define RACED (QR_ZONE_BELOW_HIGH | QR_ZONE_RECLAIM_ACTIVE)

/* Flags of which each may be set and cleared by anybody at any time. */
static void *change(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg;

	for (unsigned n = 0; n < ROUNDS; n++) {
		uint32_t flag =
			test_random_below(&random, 2) ? QR_ZONE_BELOW_HIGH : QR_ZONE_RECLAIM_ACTIVE;

		if (test_random_below(&random, 2))
			qr__zone_flag_set(zone(), flag);
		else
			qr__zone_flag_clear(zone(), flag);
	}
	return NULL;
}

/* One that only one thread changes is known at once, whatever the others are about. */
static void *change_alone(void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < ROUNDS; n++) {
		qr__zone_flag_change(zone(), QR_ZONE_ISOLATED, n % 2 == 0);
		for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
			assert_int_equal(closed(cpu) & QR_ZONE_ISOLATED,
					 n % 2 == 0 ? QR_ZONE_ISOLATED : 0);
	}
	return NULL;
}

static void test_many_change_at_once(void **state)
{
	uintptr_t seed = (uintptr_t)test_seed(7);
	pthread_t threads[4];

	(void)state;
	begin(NR_CPUS);
	for (unsigned round = 0; round < 8; round++) {
		for (uintptr_t i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, change,
							(void *)(seed + 8 * round + i)),
					 0);
		assert_int_equal(pthread_create(&threads[3], NULL, change_alone, NULL), 0);
		for (unsigned i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		all_say(flags());
	}
	qr__zone_flag_clear(zone(), RACED);
	all_say(0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_caches_are_told),
		cmocka_unit_test(test_scarce_by_its_marks),
		cmocka_unit_test(test_drops_that_are_not_plain),
		cmocka_unit_test(test_many_change_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
