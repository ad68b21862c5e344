/* SPDX-License-Identifier: MIT */
/*
 * check_machine.h - a sound instance, for tests to break, and what they break it by
 */
#ifndef TESTS_UNIT_CHECK_MACHINE_H
#define TESTS_UNIT_CHECK_MACHINE_H

#include "support.h"

#include "alloc/pcp.h"
#include "watch/check.h"

#define MAX_PAGES QR_MAX_ORDER_NR_PAGES
#define PB QR_PAGEBLOCK_NR_PAGES
#define ZONE_PAGES (16 * MAX_PAGES + 2) /* its end is no end of a block */
#define TOP (ZONE_PAGES - 2)
#define HOLE (ZONE_PAGES + 1)

/*
 * Two nodes.  Node 0 has 16 large blocks and 2 frames, a hole of 2 frames, and some more; node 1
 * has as much as the first part, further up.
 */
static inline struct test_machine *machine_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_add(m, 0, ZONE_PAGES, 0);
	test_machine_add(m, ZONE_PAGES + 2, MAX_PAGES - 4, 0);
	test_machine_add(m, (qr_pfn_t)1 << 15, ZONE_PAGES, 1);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = (qr_pfn_t)1 << 16};
	m->config.nr_cpus = 2;
	test_machine_cpu_on(m, 1, 1);
	m->config.nr_nodes = 2;
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	test_machine_check(m);
	return m;
}

static inline struct qr_zone *zone_of(struct test_machine *m)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static inline struct qr_page *page_at(struct test_machine *m, qr_pfn_t pfn)
{
	return qr__pfn_page(qr__frames(m->q), pfn);
}

static inline struct qr_page_state *state_of(struct test_machine *m, const struct qr_page *page)
{
	return qr__page_state(qr__frames(m->q), page);
}

/* A block in use at this place. */
static inline struct qr_page *taken(struct test_machine *m, qr_pfn_t pfn, unsigned order,
				    qr_gfp_t gfp)
{
	struct qr_page *page;

	assert_int_equal(qr_alloc_pages_at(m->q, pfn, order, gfp, &page), 0);
	test_machine_check(m);
	return page;
}

/* A single page in the cache of CPU 0. */
static inline struct qr_page *cached(struct test_machine *m)
{
	struct qr_page *page = qr_alloc_pages_node(m->q, 0, QR_GFP_KERNEL, 0);

	qr___free_pages(m->q, page, 0);
	assert_int_equal(qr__page_type(qr__frames(m->q), page), QR_PT_PCP);
	test_machine_check(m);
	return page;
}

static inline struct qr_list *list_of(struct test_machine *m, const struct qr_page *page)
{
	struct qr_per_cpu_pages *pcp = qr__pcp_of(zone_of(m), 0);
	uint32_t index = qr__page_index(qr__frames(m->q), page);

	for (unsigned i = 0; i < QR_NR_PCP_LISTS; i++)
		if (pcp->lists[i].first == index)
			return &pcp->lists[i];
	fail_msg("not the first of a list");
	return NULL;
}

#endif /* TESTS_UNIT_CHECK_MACHINE_H */
