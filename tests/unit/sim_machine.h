/* SPDX-License-Identifier: MIT */
/*
 * sim_machine.h - the machine on which the tests of the simulated platform run
 *
 * Four CPUs and 128 MiB, one section, at frame 0.
 */
#ifndef QR_TESTS_SIM_MACHINE_H
#define QR_TESTS_SIM_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <quire/sim.h>

#include "base/base.h"
#include "engine.h"

#define MACHINE_PAGES 32768u
#define MACHINE_CPUS 4u

static inline struct qr_sim *machine_new(struct qr_sim_config *config)
{
	static const struct qr_range range = {.start_pfn = 0, .nr_pages = MACHINE_PAGES};
	struct qr_error_text why = {""};
	struct qr_sim *sim;

	config->machine.ranges = &range;
	config->machine.nr_ranges = 1;
	if (!config->machine.engine)
		config->machine.engine = test_engine();
	if (!config->machine.nr_cpus)
		config->machine.nr_cpus = MACHINE_CPUS;
	sim = qr_sim_new(config, &why);
	if (!sim)
		fail_msg("%s", why.text);
	return sim;
}

#endif /* QR_TESTS_SIM_MACHINE_H */
