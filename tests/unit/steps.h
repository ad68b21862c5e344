/* SPDX-License-Identifier: MIT */
/*
 * steps.h - is this the run of a test in which caches change by steps (src/alloc/step.h)?
 *
 * What a test promises holds with them and without.  Machines that have a use for it ask here, and
 * make their steps of plain_commit().
 */
#ifndef TESTS_UNIT_STEPS_H
#define TESTS_UNIT_STEPS_H

#include <quire/platform.h>
#include <stdbool.h>
#include <stdlib.h>

static inline bool test_steps(void)
{
	return getenv("QR_TEST_STEPS") != NULL;
}

/*
 * What a local_commit on this CPU comes to where nobody can come between; false: something is not
 * as it must be, and nothing was written.
 */
static inline bool plain_commit(const struct qr_local_commit *c, unsigned cpu)
{
	if (c->cpu != cpu || *c->word || *c->count != c->seen)
		return false;
	if (c->gate && (*c->gate || *c->mark != c->mark_is))
		return false;
	if (c->gate) {
		*c->slot = c->number;
		*c->mark = c->mark_becomes;
	}
	*c->count = c->seen + 1;
	return true;
}

#endif /* TESTS_UNIT_STEPS_H */
