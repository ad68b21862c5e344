/* SPDX-License-Identifier: MIT */
/*
 * test_allocator_model.c - random small machines, random operations, a simple oracle
 *
 * Each run is named by a seed, which is printed when it fails; MODEL_SEED=<n> runs just that one,
 * and
 * MODEL_RUNS=<n> more of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "alloc_model.h"
#include "seeds.h"
#include "unit/effort.h"

static uint64_t run(uint64_t seed)
{
	static uint8_t bytes[6000];
	uint64_t state = seed;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next(&state);
	fprintf(stderr, "\rMODEL_SEED=%llu ", (unsigned long long)seed);
	return model_run(bytes, sizeof(bytes));
}

static void test_random_operations(void **state)
{
	uint64_t only = from_environment("MODEL_SEED", 0);
	uint64_t runs = from_environment("MODEL_RUNS", test_effort(60, 10));

	uint64_t machines = 0, ops = 0;

	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : runs); seed++) {
		uint64_t nr = run(seed);

		machines += nr != 0;
		ops += nr;
	}
	print_message("%llu machines, %llu operations\n", (unsigned long long)machines,
		      (unsigned long long)ops);
	assert_true(only || machines > runs / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_operations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
