/* SPDX-License-Identifier: MIT */
/*
 * test_engines_agree.c - both engines are given the same to do, and compared after every step
 *
 * Each run is named by a seed, which is printed; TWINS_SEED=<n> runs just that one, and
 * TWINS_RUNS=<n> more of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "seeds.h"
#include "twins_ops.h"
#include "unit/effort.h"

#define NR_MACHINES 8 /* that differ in shape, or in having caches */

static uint64_t run(uint64_t seed)
{
	static uint8_t bytes[8000];
	uint64_t state = seed;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next(&state);
	/* All machines, with and without caches, in turn. */
	bytes[0] = (uint8_t)seed;
	bytes[1] = (uint8_t)(bytes[1] & ~1u) | (seed >> 2 & 1);
	fprintf(stderr, "\rTWINS_SEED=%llu ", (unsigned long long)seed);
	return twins_run(bytes, sizeof(bytes));
}

static void test_same_stream_same_answers(void **state)
{
	uint64_t only = from_environment("TWINS_SEED", 0);
	uint64_t runs = from_environment("TWINS_RUNS", test_effort(32, NR_MACHINES));
	uint64_t steps = 0;

	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : runs); seed++)
		steps += run(seed);
	print_message("%llu steps\n", (unsigned long long)steps);
	assert_true(only || steps > 1000 * runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_stream_same_answers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
