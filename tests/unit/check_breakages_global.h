/* SPDX-License-Identifier: MIT */
/*
 * check_breakages_global.h - ways to break what is not one zone's: marks, zonelists, detours
 */
#ifndef TESTS_UNIT_CHECK_BREAKAGES_GLOBAL_H
#define TESTS_UNIT_CHECK_BREAKAGES_GLOBAL_H

#include "check_machine.h"

/* Marks, zonelists, nodes ------------------------------------------------------------------ */

static void w1_marks(struct test_machine *m)
{
	qr__write(&zone_of(m)->watermark[QR_WMARK_LOW], 0);
}

static void w1_promo(struct test_machine *m)
{
	qr__write(&zone_of(m)->watermark[QR_WMARK_PROMO], 0);
}

static void w2_own(struct test_machine *m)
{
	qr__write(&zone_of(m)->lowmem_reserve[QR_ZONE_NORMAL], 1);
}

static void w2_lower(struct test_machine *m)
{
	struct qr_zone *dma = qr_zone_at(m->q, 0, QR_ZONE_DMA);

	qr__write(&dma->lowmem_reserve[QR_ZONE_DMA32], 10);
	qr__write(&dma->lowmem_reserve[QR_ZONE_NORMAL], 9);
}

static struct qr_zoneref *refs_of(struct test_machine *m, int nid)
{
	return qr__node(qr__frames(m->q), nid)->zonelist;
}

static void w3_short(struct test_machine *m)
{
	refs_of(m, 1)[1].zone = NULL;
}

static void w3_long(struct test_machine *m)
{
	refs_of(m, 0)[2].zone = qr_zone_at(m->q, 0, QR_ZONE_MOVABLE);
}

static void w3_twice(struct test_machine *m)
{
	refs_of(m, 0)[1].zone = refs_of(m, 0)[0].zone;
}

static void w3_index(struct test_machine *m)
{
	refs_of(m, 0)[1].zone_idx = QR_ZONE_MOVABLE;
}

static void w3_foreign_thisnode(struct test_machine *m)
{
	qr__node(qr__frames(m->q), 0)->zonelist_thisnode[0].zone =
		qr_zone_at(m->q, 1, QR_ZONE_NORMAL);
}

static void w4_not_own_first(struct test_machine *m)
{
	refs_of(m, 0)[0].zone = qr_zone_at(m->q, 1, QR_ZONE_NORMAL);
	refs_of(m, 0)[1].zone = zone_of(m);
}

static void state_flip(struct test_machine *m, enum qr_node_state state)
{
	qr__frames(m->q)->node_states[state] ^= 2;
}

static void w5_memory(struct test_machine *m)
{
	state_flip(m, QR_N_MEMORY);
}

static void w5_normal(struct test_machine *m)
{
	state_flip(m, QR_N_NORMAL_MEMORY);
}

static void w5_cpu(struct test_machine *m)
{
	state_flip(m, QR_N_CPU);
}

static void w5_online(struct test_machine *m)
{
	state_flip(m, QR_N_ONLINE);
}

static void w6_totalreserve(struct test_machine *m)
{
	qr__write(&qr__node(qr__frames(m->q), 1)->totalreserve_pages, ZONE_PAGES + 1);
}

/* Detours ---------------------------------------------------------------------------------- */

static struct qr_allocator *allocator_of(struct test_machine *m)
{
	return qr__allocator(m->q);
}

static void d1_extras_forgotten(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), QR_DETOUR_EXTRAS, false);
}

static void d1_fail(struct test_machine *m)
{
	atomic_store(&allocator_of(m)->fail_on, true);
}

static void d1_mobility(struct test_machine *m)
{
	atomic_store(&qr__frames(m->q)->mobility_disabled, true);
}

static void d1_gfp(struct test_machine *m)
{
	atomic_store(&allocator_of(m)->gfp_allowed_mask, QR_GFP_BITS_MASK & ~QR___GFP_IO);
}

static void d1_trace(struct test_machine *m)
{
	atomic_store(&qr__base(m->q)->trace_mask, 1);
}

static void d1_fail_left(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), QR_DETOUR_FAIL, true);
}

static void d1_mobility_left(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), QR_DETOUR_MOBILITY, true);
}

static void d1_gfp_left(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), QR_DETOUR_GFP, true);
}

static void d1_trace_left(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), QR_DETOUR_TRACE, true);
}

static void d1_unknown(struct test_machine *m)
{
	qr__detour_set(allocator_of(m), UINT32_C(1) << 31, true);
}

/* Where it is a detour for every request already. */
static void d2_steps(struct test_machine *m)
{
	atomic_store(&allocator_of(m)->steps, 1);
}

static void d3_option_lost(struct test_machine *m)
{
	allocator_of(m)->options |= QR_OPT_CHECK_PAGES;
}

/* Page owner listens, whatever the options say. */
static void d3_owner_lost(struct test_machine *m)
{
	allocator_of(m)->extras = QR_OPT_CHECK_PAGES;
	allocator_of(m)->options = QR_OPT_CHECK_PAGES;
}

static void d3_one_cpu(struct test_machine *m)
{
	allocator_of(m)->extras |= QR_EXTRA_UP;
}

#endif /* TESTS_UNIT_CHECK_BREAKAGES_GLOBAL_H */
