/* SPDX-License-Identifier: MIT */
/*
 * effort.h - how much of what goes on at random is to be done this time
 *
 * Tests that repeat the same with other seeds do so as often as they should where programs run at
 * full speed.  QR_TEST_EFFORT=<percent> is for builds in which each run takes many times as long
 * and is to show something else than a rare sequence: which lines are reached, say.
 */
#ifndef TESTS_UNIT_EFFORT_H
#define TESTS_UNIT_EFFORT_H

#include <stdint.h>
#include <stdlib.h>

/* So much of `nr`, but no less than `least`, below which the test would not mean what it says. */
static inline uint64_t test_effort(uint64_t nr, uint64_t least)
{
	const char *percent = getenv("QR_TEST_EFFORT");
	uint64_t some = percent ? nr * strtoull(percent, NULL, 10) / 100 : nr;

	return some > least ? some : least;
}

#endif /* TESTS_UNIT_EFFORT_H */
