/* SPDX-License-Identifier: MIT */
/*
 * test_free.c - references, the way back to the zone, misuse
 */
#include "support.h"

#include "alloc/pcp.h"
#include "base/bits.h"

static struct test_machine *m;

#define PAGES (UINT64_C(64) * QR_MAX_ORDER_NR_PAGES)

static void begin(void)
{
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	test_machine_create(m);
}

static void end(void)
{
	test_machine_free(m);
}

static struct qr_zone *zone(void)
{
	return qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
}

static struct qr_allocator *alloc(void)
{
	return qr__allocator(m->q);
}

/* Free pages, with all caches empty. */
static uint64_t nr_free(void)
{
	qr_drain_all_pages(m->q, NULL);
	return qr_zone_free_pages(zone());
}

static struct qr_page *take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(m->q, gfp, order);

	assert_non_null(page);
	/* Or refills would send all frees the long way. */
	atomic_store(&zone()->pcp->alloc_factor, 0);
	return page;
}

/* References ------------------------------------------------------------------------------- */

static void test_last_reference_frees(void **state)
{
	static const qr_gfp_t gfps[] = {QR_GFP_KERNEL, QR_GFP_KERNEL | QR___GFP_COMP};

	(void)state;
	begin();
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
			uint64_t before = nr_free();
			struct qr_page *page = take(gfps[i], order);

			assert_int_equal(qr_page_count(m->q, page), 1);
			assert_int_equal(nr_free(), before - (UINT64_C(1) << order));
			qr___free_pages(m->q, page, order);
			assert_int_equal(nr_free(), before);
			assert_int_equal(qr_page_count(m->q, page), 0);
		}
	}
	end();
}

static void test_put_frees_singles_and_folios(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin();
	before = nr_free();
	page = take(QR_GFP_KERNEL, 0);
	qr_get_page(m->q, page);
	assert_int_equal(qr_page_count(m->q, page), 2);
	assert_false(qr_put_page(m->q, page));
	assert_true(qr_put_page(m->q, page));
	assert_int_equal(nr_free(), before);

	/* Through a tail, which stands for the whole. */
	page = qr_folio_alloc(m->q, QR_GFP_KERNEL, 2);
	qr_get_page(m->q, page + 3);
	assert_int_equal(qr_page_count(m->q, page), 2);
	assert_int_equal(qr_page_count(m->q, page + 1), 2);
	assert_false(qr_put_page(m->q, page + 2));
	assert_int_equal(nr_free(), before - 4);
	assert_true(qr_put_page(m->q, page + 1));
	assert_int_equal(nr_free(), before);

	/* A plain block goes whole: its record knows its order. */
	page = take(QR_GFP_KERNEL, 2);
	assert_true(qr_put_page(m->q, page));
	assert_int_equal(nr_free(), before);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	end();
}

static void test_shared_folios_are_freed_by_the_last(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin();
	before = nr_free();
	page = qr_folio_alloc(m->q, QR_GFP_KERNEL, 3);
	qr_get_page(m->q, page);
	qr___free_pages(m->q, page, 3);
	assert_int_equal(nr_free(), before - 8);
	assert_int_equal(qr_folio_order(m->q, page), 3);
	qr___free_pages(m->q, page, 3);
	assert_int_equal(nr_free(), before);
	end();
}

static void test_get_unless_zero(void **state)
{
	struct qr_page *page, *folio;

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	assert_true(qr_get_page_unless_zero(m->q, page));
	assert_int_equal(qr_page_count(m->q, page), 2);
	qr_put_page(m->q, page);
	qr_put_page(m->q, page);
	assert_false(qr_get_page_unless_zero(m->q, page));
	assert_int_equal(qr_page_count(m->q, page), 0);
	folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, 1);
	assert_true(qr_get_page_unless_zero(m->q, folio + 1));
	assert_int_equal(qr_page_count(m->q, folio), 2);
	qr_put_page(m->q, folio);
	qr_put_page(m->q, folio);
	assert_false(qr_get_page_unless_zero(m->q, NULL));
	assert_int_equal(qr_page_count(m->q, NULL), 0);
	end();
}

/* The only other user is late: the tails are free at once, the first page when he is done. */
static void test_A25_speculative_reference(void **state)
{
	(void)state;
	begin();
	for (unsigned order = 1; order <= QR_MAX_PAGE_ORDER; order++) {
		uint64_t before = nr_free();
		struct qr_page *page = take(QR_GFP_KERNEL, order);

		assert_true(qr_get_page_unless_zero(m->q, page));
		qr___free_pages(m->q, page, order);
		assert_int_equal(nr_free(), before - 1);
		assert_int_equal(qr_page_count(m->q, page), 1);
		test_machine_check(m);
		assert_true(qr_put_page(m->q, page));
		assert_int_equal(nr_free(), before);
		test_machine_check(m);
	}
	end();
}

static void test_A25_freed_by_the_other_with_order_0(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	begin();
	before = nr_free();
	page = take(QR_GFP_KERNEL, 2);
	qr_get_page(m->q, page);
	qr___free_pages(m->q, page, 2);
	qr___free_pages(m->q, page, 2);
	assert_true(test_log_has(m, "allocated with another order"));
	assert_int_equal(nr_free(), before - 1);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(nr_free(), before);
	end();
}

static void test_bulk_put(void **state)
{
	struct qr_page *pages[5];
	uint64_t before;

	(void)state;
	begin();
	before = nr_free();
	for (unsigned i = 0; i < 4; i++)
		pages[i] = take(QR_GFP_KERNEL, 0);
	pages[4] = qr_folio_alloc(m->q, QR_GFP_KERNEL, 2);
	qr_get_page(m->q, pages[1]);
	qr_free_pages_bulk(m->q, pages, 5);
	assert_int_equal(nr_free(), before - 1);
	qr_put_page(m->q, pages[1]);
	assert_int_equal(nr_free(), before);
	qr_free_pages_bulk(m->q, pages, 0);
	end();
}

static unsigned nr_batched;

static void batched_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	assert_int_equal(event->id, QR_TP_MM_PAGE_FREE_BATCHED);
	assert_int_equal(event->pfn, nr_batched);
	nr_batched++;
}

static void test_bulk_put_is_traced(void **state)
{
	struct qr_page *pages[3];

	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(qr_alloc_pages_at(m->q, i, 0, QR_GFP_KERNEL, &pages[i]), 0);
	nr_batched = 0;
	qr_trace_set(m->q, batched_note, NULL, 1u << QR_TP_MM_PAGE_FREE_BATCHED);
	qr_free_pages_bulk(m->q, pages, 3);
	assert_int_equal(nr_batched, 3);
	qr_trace_set(m->q, NULL, NULL, 0);
	end();
}

/* A block that is found bad on its way is leaked, whoever frees it. */
static void test_bad_blocks_do_not_reach_the_zone(void **state)
{
	struct qr_page *page;
	uint64_t before;

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	before = nr_free();
	qr__page_set(&alloc()->frames, page, QR_PG_HWPOISON);
	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 0);
	qr___free_pages_ok(alloc(), page, 0, QR_FPI_NONE);
	assert_int_equal(nr_free(), before);
	assert_int_equal(qr__page_type(&alloc()->frames, page), QR_PT_LEAKED);
	end();
}

/* To the zone ------------------------------------------------------------------------------ */

static struct {
	unsigned calls, order;
} freed;

static void freed_note(struct qr_zone *z, unsigned order)
{
	assert_true(qr__is_locked(&z->lock));
	freed.calls++;
	freed.order = order;
}

static struct qr_page *cold_block(unsigned order)
{
	struct qr_page *page = take(QR_GFP_HIGHUSER_MOVABLE, order);

	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 0);
	return page;
}

static void test_fpi_flags(void **state)
{
	static const struct {
		qr_fpi_t fpi;
		unsigned calls;
	} rows[] = {{QR_FPI_NONE, 1},
		    {QR_FPI_TO_TAIL, 1},
		    {QR_FPI_SKIP_REPORT_NOTIFY, 0},
		    {QR_FPI_SKIP_REPORT_NOTIFY | QR_FPI_TO_TAIL, 0}};

	(void)state;
	begin();
	alloc()->events.freed = freed_note;
	for (unsigned i = 0; i < 4; i++) {
		struct qr_page *page = cold_block(QR_MAX_PAGE_ORDER);
		uint64_t pgfree = qr_vm_event(m->q, QR_EV_PGFREE);
		struct qr_block first;
		unsigned long irqs;

		memset(&freed, 0, sizeof(freed));
		qr___free_pages_ok(alloc(), page, QR_MAX_PAGE_ORDER, rows[i].fpi);
		/* Cut at pageblocks, the parts join again; the last one is the whole. */
		assert_int_equal(freed.calls,
				 rows[i].calls * (QR_MAX_ORDER_NR_PAGES >> QR_PAGEBLOCK_ORDER));
		if (rows[i].calls)
			assert_int_equal(freed.order, QR_MAX_PAGE_ORDER);
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE) - pgfree, QR_MAX_ORDER_NR_PAGES);
		irqs = qr__zone_lock(zone());
		assert_true(zone()->ops->first(
			zone(), QR_MAX_PAGE_ORDER,
			qr_get_pageblock_migratetype(m->q, qr_page_to_pfn(m->q, page)), &first));
		qr__zone_unlock(zone(), irqs);
		if (!strcmp(zone()->ops->name, "list"))
			assert_int_equal(first.pfn == qr_page_to_pfn(m->q, page),
					 !(rows[i].fpi & QR_FPI_TO_TAIL));
	}
	alloc()->events.freed = NULL;
	end();
}

/* What lies in several pageblocks goes home to each one's type. */
static void test_large_blocks_are_cut_at_pageblocks(void **state)
{
	struct qr_page *page;
	struct qr_zone_snapshot snap;
	qr_pfn_t pfn;
	unsigned long irqs;

	(void)state;
	if (QR_PAGEBLOCK_ORDER == QR_MAX_PAGE_ORDER)
		return;
	begin();
	page = take(QR_GFP_KERNEL, QR_MAX_PAGE_ORDER);
	pfn = qr_page_to_pfn(m->q, page);
	irqs = qr__zone_lock(zone());
	qr__pageblock_type_set_locked(zone(), pfn, QR_MIGRATE_CMA);
	qr__write(&zone()->cma_pages, QR_PAGEBLOCK_NR_PAGES);
	qr__zone_unlock(zone(), irqs);
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &snap);
	assert_int_equal(snap.nr_free_cma, QR_PAGEBLOCK_NR_PAGES);
	assert_int_equal(snap.nr_blocks_type[QR_MIGRATE_CMA][QR_PAGEBLOCK_ORDER], 1);
	assert_int_equal(snap.nr_free, PAGES);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, pfn), QR_MIGRATE_CMA);
	test_machine_check(m);
	irqs = qr__zone_lock(zone());
	assert_true(qr_move_freepages_block(zone(), pfn, QR_MIGRATE_CMA, QR_MIGRATE_MOVABLE) >= 0);
	qr__write(&zone()->cma_pages, 0);
	qr__zone_unlock(zone(), irqs);
	end();
}

/* The last block of memory: nothing behind it may be looked at (the metadata ends there). */
static void test_A5_last_block_of_memory(void **state)
{
	struct qr_page *page;

	(void)state;
	begin();
	assert_int_equal(qr_alloc_pages_at(m->q, PAGES - QR_MAX_ORDER_NR_PAGES, QR_MAX_PAGE_ORDER,
					   QR_GFP_KERNEL, &page),
			 0);
	qr___free_pages(m->q, page, QR_MAX_PAGE_ORDER);
	assert_int_equal(qr_zone_free_pages(zone()), PAGES);
	end();
}

/* Charges ---------------------------------------------------------------------------------- */

struct account {
	uint64_t charged;
	unsigned calls;
};

static int charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	struct account *account = ctx;

	(void)page, (void)gfp;
	account->charged += UINT64_C(1) << order;
	return 0;
}

static void uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	struct account *account = ctx;

	(void)page;
	account->charged -= UINT64_C(1) << order;
	account->calls++;
}

static void test_uncharge(void **state)
{
	const struct qr_charge_ops ops = {.charge = charge, .uncharge = uncharge};
	struct account account = {0};
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_CHECK_PAGES; /* would report a charge that is left */
	test_machine_create(m);
	qr_charge_ops_set(m->q, &ops, &account);
	for (unsigned order = 0; order < 3; order++) {
		page = take(QR_GFP_KERNEL_ACCOUNT, order);
		assert_int_equal(account.charged, 1u << order);
		qr___free_pages(m->q, page, order);
		assert_int_equal(account.charged, 0);
	}
	/* Not again by the next user, who was not charged. */
	account.calls = 0;
	page = take(QR_GFP_KERNEL, 0);
	qr___free_pages(m->q, page, 0);
	assert_int_equal(account.calls, 0);
	/* In parts, if the parts are freed apart. */
	page = take(QR_GFP_KERNEL_ACCOUNT, 3);
	qr_get_page(m->q, page);
	qr___free_pages(m->q, page, 3);
	assert_int_equal(account.charged, 1);
	qr_put_page(m->q, page);
	assert_int_equal(account.charged, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	end();
}

/* Misuse ----------------------------------------------------------------------------------- */

static uint64_t bad_pages(void)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(m->q, &stats);
	return stats.bad_pages;
}

/* The statement is refused with one line that has this text, and frees nothing. */
#define said(text, statement) \
	do { \
		uint64_t free_before = nr_free(), bad_before = bad_pages(); \
		test_log_clear(m); \
		statement; \
		if (!test_log_has(m, (text))) \
			fail_msg("%s: \"%s\", not \"%s\"", #statement, m->last_line, (text)); \
		assert_int_equal(m->nr_lines[QR_LOG_ERR], 1); \
		assert_int_equal(nr_free(), free_before); \
		assert_int_equal(bad_pages(), bad_before + 1); \
	} while (0)

/* The same, where all that was true of the instance before still is. */
#define refused(text, statement) \
	do { \
		said(text, statement); \
		test_machine_check(m); \
	} while (0)

/* How often can this page be had, now that all caches are empty? */
static unsigned nr_times_free(qr_pfn_t pfn)
{
	struct qr_page *page;
	unsigned nr = 0;

	qr_drain_all_pages(m->q, NULL);
	while (!qr_alloc_pages_at(m->q, pfn, 0, QR_GFP_KERNEL, &page))
		nr++;
	return nr;
}

static void test_A26_double_free(void **state)
{
	struct qr_page *page, *block;
	char line[64];

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	qr___free_pages(m->q, page, 0);
	/* Still in the cache. */
	test_log_clear(m);
	qr___free_pages(m->q, page, 0);
	assert_true(test_log_has(m, "it is free already"));
	snprintf(line, sizeof(line), "free of page at pfn %#llx, order 0, refused",
		 (unsigned long long)qr_page_to_pfn(m->q, page));
	assert_true(test_log_has(m, line));
	if (test_engine_is("list")) {
		/* What was freed last is handed out next, once. */
		assert_ptr_equal(take(QR_GFP_KERNEL, 0), page);
		assert_ptr_not_equal(take(QR_GFP_KERNEL, 0), page);
	} else {
		/* Not before the engine has seen it; and then it is free once. */
		assert_ptr_not_equal(take(QR_GFP_KERNEL, 0), page);
		assert_int_equal(nr_free(), PAGES - 1);
		assert_int_equal(nr_times_free(qr_page_to_pfn(m->q, page)), 1);
	}
	test_machine_destroy(m);
	test_machine_create(m);
	/* In the zone. */
	block = take(QR_GFP_KERNEL, QR_MAX_PAGE_ORDER);
	qr___free_pages(m->q, block, QR_MAX_PAGE_ORDER);
	refused("it is free already", qr___free_pages(m->q, block, QR_MAX_PAGE_ORDER));
	refused("it is free already", qr_put_page(m->q, block));
	refused("it is free already", qr_get_page(m->q, block));
	refused("it is free already", qr___free_pages(m->q, block + 1, 0)); /* joined */
	end();
}

static void test_A26_wrong_order(void **state)
{
	struct qr_page *page, *block;

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	block = take(QR_GFP_KERNEL, 3);
	refused("recorded order 0", qr___free_pages(m->q, page, 1));
	refused("recorded order 3", qr___free_pages(m->q, block, 0));
	refused("another order", qr___free_pages(m->q, block, 4));
	refused("another order", qr___free_pages(m->q, block, QR_MAX_PAGE_ORDER + 1));
	refused("another order", qr___free_pages(m->q, page, 1000));
	assert_int_equal(qr_page_count(m->q, block), 1);
	qr___free_pages(m->q, page, 0);
	qr___free_pages(m->q, block, 3);
	assert_int_equal(nr_free(), PAGES);
	end();
}

static void test_tail_pages(void **state)
{
	struct qr_page *block, *folio;

	(void)state;
	begin();
	block = take(QR_GFP_KERNEL, 2);
	folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, 2);
	refused("not the first page of a block in use", qr___free_pages(m->q, block + 1, 0));
	refused("tail page of a compound page", qr___free_pages(m->q, folio + 1, 0));
	refused("tail page of a compound page", qr___free_pages(m->q, folio + 2, 1));
	qr___free_pages(m->q, block, 2);
	qr___free_pages(m->q, folio, 2);
	assert_int_equal(nr_free(), PAGES);
	end();
}

static void test_foreign_pointers(void **state)
{
	struct qr_page *page;

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	refused("no page of this instance", qr___free_pages(m->q, NULL, 0));
	refused("no page of this instance", qr___free_pages(m->q, (struct qr_page *)(void *)m, 0));
	refused("no page of this instance",
		qr___free_pages(m->q, (struct qr_page *)(void *)((char *)page + 8), 0));
	refused("no page of this instance", qr___free_pages(m->q, alloc()->frames.pages - 1, 0));
	refused("no page of this instance",
		qr___free_pages(m->q,
				alloc()->frames.pages +
					(alloc()->frames.end_pfn - alloc()->frames.base_pfn),
				0));
	refused("put of", qr_put_page(m->q, NULL));
	refused("get of", qr_get_page(m->q, (struct qr_page *)(void *)((char *)page + 1)));
	qr___free_pages(m->q, page, 0);
	end();
}

/* Records whose state nothing explains. */
static void test_odd_records(void **state)
{
	static const struct {
		enum qr_page_type type;
		const char *text;
	} rows[] = {{QR_PT_GUARD, "free already"},
		    {QR_PT_ISOLATED, "free already"},
		    {QR_PT_LEAKED, "out of circulation"},
		    {QR_PT_OFFLINE, "offline"},
		    {QR_PT_UNACCEPTED, "offline"}};
	struct qr_page *page, *block;

	(void)state;
	begin();
	page = take(QR_GFP_KERNEL, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		qr__page_type_set(&alloc()->frames, page, rows[i].type);
		test_log_clear(m);
		qr___free_pages(m->q, page, 0);
		assert_true(test_log_has(m, rows[i].text));
		assert_int_equal(qr_page_count(m->q, page), 1);
	}
	qr__page_type_set(&alloc()->frames, page, QR_PT_INUSE);
	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 0);
	said("nobody has a reference", qr___free_pages(m->q, page, 0));
	said("nobody has a reference", qr_put_page(m->q, page));
	assert_int_equal(qr_page_count(m->q, page), 0);
	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, -1);
	said("nobody has a reference", qr___free_pages(m->q, page, 0));
	atomic_store(&qr__page_state(&alloc()->frames, page)->refcount, 1);
	/* Pages in use as something special are in use. */
	qr__page_type_set(&alloc()->frames, page, QR_PT_SLAB);
	qr_get_page(m->q, page);
	assert_int_equal(qr_page_count(m->q, page), 2);
	assert_false(qr_put_page(m->q, page));
	qr___free_pages(m->q, page, 0);
	/* A plain block whose count is lost keeps its order. */
	block = take(QR_GFP_KERNEL, 2);
	atomic_store(&qr__page_state(&alloc()->frames, block)->refcount, 0);
	said("nobody has a reference", qr___free_pages(m->q, block, 2));
	assert_int_equal(qr__page_order(&alloc()->frames, block), 2);
	atomic_store(&qr__page_state(&alloc()->frames, block)->refcount, 1);
	qr___free_pages(m->q, block, 2);
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* 60 reports, then silence for a minute, then how many were kept back. */
static void test_reports_are_limited(void **state)
{
	(void)state;
	begin();
	m->now_ns = 5000;
	for (unsigned i = 0; i < 100; i++)
		qr___free_pages(m->q, NULL, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 60);
	assert_int_equal(bad_pages(), 100);
	m->now_ns += UINT64_C(59999999999);
	qr___free_pages(m->q, NULL, 0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 60);
	m->now_ns += 1;
	qr___free_pages(m->q, NULL, 0);
	assert_true(test_log_has(m, "41 messages suppressed"));
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 62);
	end();
}

/* With page owner on, the line says whose page it was. */
static void test_reports_name_the_owner(void **state)
{
	struct qr_task task = {.id = 77};
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	test_task_set(&task);
	page = take(QR_GFP_KERNEL, 1);
	test_task_set(NULL);
	qr___free_pages(m->q, page, 0);
	assert_true(test_log_has(m, "owner: task 77"));
	qr___free_pages(m->q, page, 1);
	test_log_clear(m);
	qr___free_pages(m->q, page, 1);
	assert_true(test_log_has(m, "owner: task 77"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_reference_frees),
		cmocka_unit_test(test_put_frees_singles_and_folios),
		cmocka_unit_test(test_shared_folios_are_freed_by_the_last),
		cmocka_unit_test(test_get_unless_zero),
		cmocka_unit_test(test_A25_speculative_reference),
		cmocka_unit_test(test_A25_freed_by_the_other_with_order_0),
		cmocka_unit_test(test_bulk_put),
		cmocka_unit_test(test_bulk_put_is_traced),
		cmocka_unit_test(test_bad_blocks_do_not_reach_the_zone),
		cmocka_unit_test(test_fpi_flags),
		cmocka_unit_test(test_large_blocks_are_cut_at_pageblocks),
		cmocka_unit_test(test_A5_last_block_of_memory),
		cmocka_unit_test(test_uncharge),
		cmocka_unit_test(test_A26_double_free),
		cmocka_unit_test(test_A26_wrong_order),
		cmocka_unit_test(test_tail_pages),
		cmocka_unit_test(test_foreign_pointers),
		cmocka_unit_test(test_odd_records),
		cmocka_unit_test(test_reports_are_limited),
		cmocka_unit_test(test_reports_name_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
