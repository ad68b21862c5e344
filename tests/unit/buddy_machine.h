/* SPDX-License-Identifier: MIT */
/*
 * buddy_machine.h - zones with a buddy engine, and nothing around them
 *
 * For tests of the engine and of the policy right above it.  No instance is created: frames, nodes
 * and zones are filled in by hand, so that spans can be as odd as a test wants them, and no record
 * is reachable but those of [base_pfn, end_pfn): what touches a neighbour's dies.
 */
#ifndef TESTS_UNIT_BUDDY_MACHINE_H
#define TESTS_UNIT_BUDDY_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/allocator.h"
#include "engine.h"

#define BUDDY_MACHINE_NODES 2

struct buddy_machine {
	struct qr_allocator alloc;
	struct qr_node nodes[BUDDY_MACHINE_NODES];
	struct qr_event_row events;
	const struct qr_buddy_ops *ops; /* of zones made from now on; at first that of the run */

	bool expect_panic;
	jmp_buf panic_jump;
	char panic_line[512];

	/* Private. */
	struct {
		void *memory;
		size_t size;
	} mappings[2]; /* of states and records */
	void *engines[BUDDY_MACHINE_NODES * QR_NR_ZONES];
	uint8_t *marks[QR_MARK_ORDERS];
};

/* base_pfn is a multiple of a pageblock.  All pageblocks are MOVABLE. */
struct buddy_machine *buddy_machine_new(qr_pfn_t base_pfn, qr_pfn_t end_pfn);
void buddy_machine_free(struct buddy_machine *m);

/* Its frames have marks, as where there are steps; before anything is free. */
void buddy_machine_marks(struct buddy_machine *m);

/* A zone of this span, with nothing in it. */
struct qr_zone *buddy_machine_zone(struct buddy_machine *m, int nid, enum qr_zone_type type,
				   qr_pfn_t start_pfn, qr_pfn_t end_pfn);

/* Give fresh frames to a zone in the largest blocks there are, ascending, all to the cold end. */
void buddy_machine_release(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn);

/* Free blocks of an order and type, exactly: what is counted lazily is counted first.  Locked. */
uint64_t buddy_machine_nr_blocks(struct qr_zone *zone, unsigned order, enum qr_migratetype type);

/* Set a pageblock's type before it has free pages. */
void buddy_machine_type(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype type);

/* The engine's checker, and no sentence but from a broken zone.  Aborts with the sentence. */
void buddy_machine_check(struct qr_zone *zone);

struct qr_page *buddy_machine_page(struct buddy_machine *m, qr_pfn_t pfn);

/* In builds without assertions there is nothing to expect. */
#define buddy_machine_panics(m, text, statement) \
	do { \
		if (QR_DEBUG < 1) \
			break; \
		(m)->expect_panic = true; \
		if (setjmp((m)->panic_jump) == 0) { \
			statement; \
			fail_msg("no panic: %s", #statement); \
		} \
		(m)->expect_panic = false; \
		if (!strstr((m)->panic_line, (text))) \
			fail_msg("panic says \"%s\", not \"%s\"", (m)->panic_line, (text)); \
	} while (0)

#endif /* TESTS_UNIT_BUDDY_MACHINE_H */
