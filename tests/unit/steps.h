/* SPDX-License-Identifier: MIT */
/*
 * steps.h - is this the run of a test in which caches change by steps (src/alloc/step.h)?
 *
 * What a test promises holds with them and without.  Machines that have a use for it ask here.
 */
#ifndef TESTS_UNIT_STEPS_H
#define TESTS_UNIT_STEPS_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool test_steps(void)
{
	return getenv("QR_TEST_STEPS") != NULL;
}

#endif /* TESTS_UNIT_STEPS_H */
