/* SPDX-License-Identifier: MIT */
/*
 * support.h - machines for unit tests
 *
 * A test describes a machine, creates an instance of it, uses it, and destroys it:
 *
 *	struct test_machine *m = test_machine_new();
 *
 *	test_machine_one_zone(m, 4096);
 *	m->config.nr_cpus = 4;
 *	test_machine_create(m);
 *	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
 *	...
 *	test_machine_free(m);		also runs qr_check(), looks for masked interrupts, pins
 *
 * The engine is that of the run (engine.h), unless the test sets config.engine before.
 *
 * The platform is a plain one: a clock that only moves when told, the calling thread's CPU number
 * and task as set here, log lines that are kept, panics that can be expected.  Metadata is filled
 * with garbage first and has an inaccessible page behind it.
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/inspect.h>
#include <quire/quire.h>

#include "engine.h"

#define TEST_MAX_RANGES 256
#define TEST_LOG_SIZE 65536

struct test_machine {
	struct qr_config config; /* free to change until it is created */
	struct qr_range ranges[TEST_MAX_RANGES];
	uint8_t distance[QR_MAX_NODES * QR_MAX_NODES];
	int cpu_node[QR_MAX_CPUS];

	struct quire *q;
	size_t metadata_size;

	/* What the hooks know and saw. */
	uint64_t now_ns;
	uint64_t run_by_ns; /* earliest asked for; UINT64_MAX: none */
	qr_pfn_t highmem_pfn; /* page_address() is NULL from here on */
	unsigned nr_relax;
	unsigned nr_commits; /* steps on caches */
	unsigned nr_lines[QR_LOG_DEBUG + 1]; /* log lines by level */
	char last_line[512];
	char log[TEST_LOG_SIZE]; /* all lines, each with its newline, as far as there is room */
	char panic_line[512];
	bool expect_panic;
	jmp_buf panic_jump;

	/* Private. */
	void *metadata;
	size_t metadata_mapped;
	char *bytes;
	qr_pfn_t bytes_pfn;
	size_t bytes_size;
};

/* Machines --------------------------------------------------------------------------------- */

/* One CPU, no memory yet; and the end of it. */
struct test_machine *test_machine_new(void);
void test_machine_free(struct test_machine *m);

/* Memory of node nid; the result may be refined (kind, mirrored...). */
struct qr_range *test_machine_add(struct test_machine *m, qr_pfn_t start_pfn, uint64_t nr_pages,
				  int nid);

/* One node, one zone Normal from pfn 0 on. */
void test_machine_one_zone(struct test_machine *m, uint64_t nr_pages);
/* One node like a PC's: 640 KiB, a hole up to 1 MiB, then RAM with a hole from 3 to 4 GiB. */
void test_machine_pc(struct test_machine *m, uint64_t nr_pages);
/* nr nodes with pages_each of zone Normal and one CPU each. */
void test_machine_nodes(struct test_machine *m, unsigned nr, uint64_t pages_each);
/* Set the distance of two nodes both ways; call after config.nr_nodes is set. */
void test_machine_distance(struct test_machine *m, int a, int b, unsigned distance);
/* Put a CPU on a node; config.nr_cpus must be set. */
void test_machine_cpu_on(struct test_machine *m, unsigned cpu, int nid);
/* Give the frames real bytes, zero at first. */
void test_machine_bytes(struct test_machine *m);

/* Make m->q; the machine must be a good one. */
void test_machine_create(struct test_machine *m);
/* The same, for machines that may be refused. */
int test_machine_try_create(struct test_machine *m, struct qr_error_text *why);
/* Verify all invariants now. */
void test_machine_check(struct test_machine *m);
/* Forget the instance, keep the description. */
void test_machine_destroy(struct test_machine *m);

/* The hooks alone, for tests of layers below the instance. */
struct qr_platform test_machine_platform(struct test_machine *m);
/* Let CPUs change their caches by steps; done for all if test_steps(). */
void test_platform_steps(struct qr_platform *platform);

/* What happens ----------------------------------------------------------------------------- */

/* Who calls from now on, in this thread. */
void test_cpu_set(unsigned cpu);
void test_task_set(struct qr_task *task); /* NULL: an ordinary one */

/* Let time pass, and run what falls due on the way. */
void test_machine_advance(struct test_machine *m, uint64_t ns);

/* Is there such a text in a log line since the machine was made, or since the last clearing? */
bool test_log_has(const struct test_machine *m, const char *text);
void test_log_clear(struct test_machine *m);

/* The statement must panic with a line that contains @text. */
#define test_panics(m, text, statement) \
	do { \
		(m)->expect_panic = true; \
		if (setjmp((m)->panic_jump) == 0) { \
			statement; \
			fail_msg("no panic: %s", #statement); \
		} \
		(m)->expect_panic = false; \
		test_context_reset(); \
		if (!strstr((m)->panic_line, (text))) \
			fail_msg("panic says \"%s\", not \"%s\"", (m)->panic_line, (text)); \
	} while (0)

/* Forget held locks, masked interrupts and pins of this thread. */
void test_context_reset(void);
/* How deep interrupts are masked, how often the thread is pinned. */
unsigned test_irqs_masked(void);
unsigned test_pins(void);

/*
 * A repeatable stream of numbers.  test_seed() is the one of environment variable TEST_SEED, or
 * @fallback; print it when a random test fails.
 */
uint64_t test_seed(uint64_t fallback);
uint64_t test_random(uint64_t *state);
uint64_t test_random_below(uint64_t *state, uint64_t limit);

#endif /* TESTS_UNIT_SUPPORT_H */
