/* SPDX-License-Identifier: MIT */
/*
 * pcp_machine.h - one zone whose cache of CPU 0 is looked at closely
 */
#ifndef TESTS_UNIT_PCP_MACHINE_H
#define TESTS_UNIT_PCP_MACHINE_H

#include "support.h"

#include "alloc/pcp.h"
#include "base/bits.h"

static struct test_machine *m;

#define PAGES (UINT64_C(512) * QR_MAX_ORDER_NR_PAGES)

static inline void begin(unsigned nr_cpus)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = nr_cpus;
	test_machine_create(m);
}

static inline void end(void)
{
	test_cpu_set(0);
	test_machine_free(m);
}

static inline struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static inline struct qr_per_cpu_pages *pcp(void)
{
	return qr__pcp_of(zone(), 0);
}

static inline int32_t count(void)
{
	return qr__pcp_count_racy(pcp());
}

static inline uint64_t nr_free(void)
{
	return qr_zone_free_pages(zone());
}

static inline struct qr_page *take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	assert_non_null(page);
	return page;
}

static inline void give(struct qr_page *page, unsigned order)
{
	qr___free_pages(m->q, page, order);
}

/* Sizes that a test can count with; the limits stay as they are when min is 0. */
static inline void sizes(int32_t batch, int32_t min, int32_t max)
{
	qr__pcp_write(&pcp()->batch, batch);
	qr__pcp_write(&pcp()->high_min, min);
	qr__pcp_write(&pcp()->high_max, max);
	qr__pcp_write(&pcp()->high, min);
	qr__magazines_resize(zone(), pcp());
}

/* Undo sizes(): as a change of a tunable would. */
static inline void sizes_end(void)
{
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 0), 0);
}

/* What drains give back, in their order. */
static struct {
	qr_pfn_t pfns[64];
	enum qr_migratetype types[64];
	unsigned nr, irqs;
} drained;

static inline void drain_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	if (drained.nr < 64) {
		drained.pfns[drained.nr] = event->pfn;
		drained.types[drained.nr++] = event->migratetype;
	}
	drained.irqs = test_irqs_masked();
}

static inline void drains_watch(bool on)
{
	memset(&drained, 0, sizeof(drained));
	qr_trace_set(m->q, on ? drain_note : NULL, NULL, 1u << QR_TP_MM_PAGE_PCPU_DRAIN);
}

#endif /* TESTS_UNIT_PCP_MACHINE_H */
