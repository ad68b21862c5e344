/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the buddy engine a run of a test is about
 *
 * Each test of allocator behaviour is run once for each engine; QR_TEST_ENGINE says which one it is
 * this time.  Machines get it unless a test names an engine itself.  What only one engine promises
 * (the list engine's order of blocks, say) is tested by entries that name it:
 *
 *	const struct CMUnitTest tests[] = {
 *		cmocka_unit_test(test_for_both),
 *		list_unit_test(test_of_placement),
 *	};
 *
 *	return test_group_run("name", tests);
 */
#ifndef TESTS_UNIT_ENGINE_H
#define TESTS_UNIT_ENGINE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Never that of the library's own choice: no result may depend on which engine is the default. */
static inline const char *test_engine(void)
{
	const char *name = getenv("QR_TEST_ENGINE");

	return name ? name : "list";
}

static inline bool test_engine_is(const char *name)
{
	return strcmp(test_engine(), name) == 0;
}

#define engine_unit_test(test, engine) \
	{ \
		.name = #test, .test_func = test, .initial_state = (void *)(uintptr_t)(engine) \
	}
#define list_unit_test(test) engine_unit_test(test, "list")
#define bitmap_unit_test(test) engine_unit_test(test, "bitmap")

/* Run those that are for all engines or for this one. */
#define test_group_run(name, tests) \
	test_group_run_of((name), (tests), sizeof(tests) / sizeof((tests)[0]))

static inline int test_group_run_of(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	struct CMUnitTest *chosen = calloc(nr, sizeof(*chosen));
	size_t nr_chosen = 0;
	int failed;

	for (size_t i = 0; i < nr; i++) {
		if (tests[i].initial_state && !test_engine_is(tests[i].initial_state))
			continue;
		chosen[nr_chosen] = tests[i];
		chosen[nr_chosen++].initial_state = NULL;
	}
	failed = _cmocka_run_group_tests(name, chosen, nr_chosen, NULL, NULL);
	free(chosen);
	return failed;
}

#endif /* TESTS_UNIT_ENGINE_H */
