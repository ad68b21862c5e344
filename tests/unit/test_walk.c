/* SPDX-License-Identifier: MIT */
/*
 * test_walk.c - walkers over frames, pageblocks, free blocks and zonelists
 */
#include "support.h"

#include "alloc/allocator.h"
#include "watch/walk.h"

#define PB QR_PAGEBLOCK_NR_PAGES
#define NR_RAM (16 * QR_MAX_ORDER_NR_PAGES)

/* Reserved frames below NR_RAM / 16, RAM above, a hole, nothing else. */
static struct test_machine *one_zone(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_add(m, 0, QR_MAX_ORDER_NR_PAGES, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, QR_MAX_ORDER_NR_PAGES, NR_RAM - QR_MAX_ORDER_NR_PAGES, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = UINT64_C(1) << 20};
	test_machine_create(m);
	return m;
}

static struct qr_frame_info info_of(struct test_machine *m, qr_pfn_t pfn)
{
	struct qr_frame_info info;

	assert_int_equal(qr_frame_info_racy(m->q, pfn, &info), 0);
	assert_int_equal(info.pfn, pfn);
	return info;
}

static void test_states_of_frames(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_frame_info info;
	struct qr_page *page;
	struct qr_run run;
	qr_pfn_t pfn;

	(void)state;
	assert_int_equal(qr_frame_info_racy(m->q, QR_PFN_NONE, &info), QR_ENOENT);
	assert_int_equal(info_of(m, 5).state, QR_FRAME_RESERVED);

	info = info_of(m, NR_RAM);
	assert_int_equal(info.state, QR_FRAME_HOLE);
	assert_int_equal(info.nid, QR_NODE_NONE);
	assert_int_equal(info.zone, QR_NR_ZONES);

	info = info_of(m, QR_MAX_ORDER_NR_PAGES + 7);
	assert_int_equal(info.state, QR_FRAME_FREE);
	assert_int_equal(info.order, 0); /* not its head */
	assert_int_equal(info.head, QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(info.nid, 0);
	assert_int_equal(info.zone, QR_ZONE_NORMAL);
	assert_int_equal(info.migratetype, QR_MIGRATE_MOVABLE);
	qr__run_look(qr__frames(m->q), QR_MAX_ORDER_NR_PAGES + 7, &run);
	assert_int_equal(run.end_pfn, 2 * QR_MAX_ORDER_NR_PAGES);
	info = info_of(m, QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(info.order, QR_MAX_PAGE_ORDER);
	assert_int_equal(info.refcount, 0);

	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 1);
	pfn = qr_page_to_pfn(m->q, page);
	qr_get_page(m->q, page);
	info = info_of(m, pfn);
	assert_int_equal(info.state, QR_FRAME_ALLOCATED);
	assert_int_equal(info.order, 1);
	assert_int_equal(info.refcount, 2);
	info = info_of(m, pfn + 1);
	assert_int_equal(info.state, QR_FRAME_ALLOCATED);
	assert_int_equal(info.head, pfn);
	assert_false(qr_put_page(m->q, page));
	qr___free_pages(m->q, page, 1);
	assert_int_equal(info_of(m, pfn).state, QR_FRAME_PCP);
	assert_int_equal(info_of(m, pfn + 1).state, QR_FRAME_PCP);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(info_of(m, pfn + 1).state, QR_FRAME_FREE);
	test_machine_free(m);
}

static void test_states_by_type(void **state)
{
	static const struct {
		enum qr_page_type type;
		enum qr_frame_state state;
	} rows[] = {
		{QR_PT_GUARD, QR_FRAME_GUARD},     {QR_PT_LEAKED, QR_FRAME_LEAKED},
		{QR_PT_OFFLINE, QR_FRAME_OFFLINE}, {QR_PT_UNACCEPTED, QR_FRAME_OFFLINE},
		{QR_PT_SLAB, QR_FRAME_ALLOCATED},  {QR_PT_ISOLATED, QR_FRAME_ALLOCATED},
	};
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		qr__page_type_set(qr__frames(m->q), page, rows[i].type);
		assert_int_equal(info_of(m, pfn).state, rows[i].state);
	}
	qr__page_type_set(qr__frames(m->q), page, QR_PT_INUSE);
	qr__page_set(qr__frames(m->q), page, QR_PG_RESERVED | QR_PG_HWPOISON);
	assert_int_equal(info_of(m, pfn).state, QR_FRAME_RESERVED);
	assert_true(info_of(m, pfn).hwpoison);
	qr__page_clear(page, QR_PG_RESERVED | QR_PG_HWPOISON);
	qr__pageblock_skip_set(qr__frames(m->q), pfn, true);
	assert_true(info_of(m, pfn).skip);
	qr__pageblock_skip_set(qr__frames(m->q), pfn, false);
	assert_false(info_of(m, pfn).skip);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_tails_of_a_folio(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_folio_alloc(m->q, QR_GFP_KERNEL, 3);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);
	struct qr_run run;

	(void)state;
	for (qr_pfn_t i = 1; i < 8; i++) {
		assert_int_equal(info_of(m, pfn + i).head, pfn);
		assert_int_equal(info_of(m, pfn + i).refcount, 1);
		qr__run_at(qr__frames(m->q), pfn + i, &run);
		assert_int_equal(run.end_pfn, pfn + 8);
	}
	assert_true(qr_put_page(m->q, page));
	test_machine_free(m);
}

/* A frame that nobody speaks for is not taken for part of a block that ends before it. */
static void test_lost_frame(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 1);
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	(void)state;
	assert_int_equal(qr_split_page(m->q, page, 1), 0);
	qr__page_type_set(qr__frames(m->q), page + 1, QR_PT_NONE);
	assert_int_equal(info_of(m, pfn).state, QR_FRAME_ALLOCATED);
	assert_int_equal(info_of(m, pfn + 1).state, QR_FRAME_LEAKED);
	assert_int_equal(info_of(m, pfn + 1).head, pfn + 1);
	qr__page_type_set(qr__frames(m->q), page + 1, QR_PT_INUSE);
	qr___free_pages(m->q, page, 0);
	qr___free_pages(m->q, page + 1, 0);
	test_machine_free(m);
}

/* A tail that names a head outside of everything is taken for its own. */
static void test_tail_with_a_wild_head(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_folio_alloc(m->q, QR_GFP_KERNEL, 1);
	uint32_t head = page[1].link.next;

	(void)state;
	page[1].link.next = 0xfffffff0;
	assert_int_equal(info_of(m, qr_page_to_pfn(m->q, page + 1)).head,
			 qr_page_to_pfn(m->q, page + 1));
	page[1].link.next = head;
	assert_true(qr_put_page(m->q, page));
	test_machine_free(m);
}

static void test_deferred_frames(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_run run;

	(void)state;
	test_machine_one_zone(m, UINT64_C(4) << 15);
	m->config.options |= QR_OPT_DEFERRED_INIT;
	test_machine_create(m);
	assert_int_equal(info_of(m, 0).state, QR_FRAME_FREE);
	assert_int_equal(info_of(m, (qr_pfn_t)3 << 15).state, QR_FRAME_DEFERRED);
	qr__run_at(qr__frames(m->q), (qr_pfn_t)1 << 15, &run);
	assert_int_equal(run.state, QR_FRAME_DEFERRED);
	assert_int_equal(run.end_pfn, (qr_pfn_t)4 << 15);
	test_machine_free(m);
}

/* Pageblocks ------------------------------------------------------------------------------- */

struct pageblock_sums {
	unsigned nr_visits, stop_after;
	uint64_t nr_free, nr_pcp, nr_allocated, nr_reserved, nr_absent;
	unsigned nr_isolated, nr_type[QR_MIGRATE_TYPES];
	qr_pfn_t next;
};

static int pageblock_visit(void *arg, const struct qr_pageblock_info *info)
{
	struct pageblock_sums *sums = arg;

	assert_int_equal(info->nr_free + info->nr_pcp + info->nr_allocated + info->nr_reserved +
				 info->nr_absent,
			 PB);
	assert_int_equal(info->start_pfn, sums->next);
	sums->next += PB;
	sums->nr_free += info->nr_free;
	sums->nr_pcp += info->nr_pcp;
	sums->nr_allocated += info->nr_allocated;
	sums->nr_reserved += info->nr_reserved;
	sums->nr_absent += info->nr_absent;
	sums->nr_isolated += info->isolated;
	sums->nr_type[info->migratetype]++;
	return ++sums->nr_visits == sums->stop_after ? 42 : 0;
}

static void test_pageblocks(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	struct pageblock_sums sums = {0};
	struct qr_page *held = qr_alloc_pages(m->q, QR_GFP_KERNEL, 4);
	unsigned long irqs;

	(void)state;
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	irqs = qr__zone_lock(zone);
	assert_true(qr_move_freepages_block_isolate(zone, NR_RAM - PB, true));
	qr__bump(&zone->nr_isolate_pageblock, 1);
	qr__zone_unlock(zone, irqs);

	assert_int_equal(qr_for_each_pageblock(m->q, 0, QR_ZONE_NORMAL, pageblock_visit, &sums), 0);
	assert_int_equal(sums.nr_visits, NR_RAM / PB);
	assert_int_equal(sums.nr_reserved, QR_MAX_ORDER_NR_PAGES);
	assert_int_equal(sums.nr_allocated, 16);
	assert_int_not_equal(sums.nr_pcp, 0);
	assert_int_equal(sums.nr_free, NR_RAM - QR_MAX_ORDER_NR_PAGES - 16 - sums.nr_pcp);
	assert_int_equal(sums.nr_absent, 0);
	assert_int_equal(sums.nr_isolated, 1);
	assert_int_equal(sums.nr_type[QR_MIGRATE_ISOLATE], 0); /* the type beneath is told */

	sums = (struct pageblock_sums){.stop_after = 3};
	assert_int_equal(qr_for_each_pageblock(m->q, 0, QR_ZONE_NORMAL, pageblock_visit, &sums),
			 42);
	assert_int_equal(sums.nr_visits, 3);

	sums = (struct pageblock_sums){0};
	assert_int_equal(qr_for_each_pageblock(m->q, 0, QR_ZONE_MOVABLE, pageblock_visit, &sums),
			 0);
	assert_int_equal(qr_for_each_pageblock(m->q, 7, QR_ZONE_NORMAL, pageblock_visit, &sums), 0);
	assert_int_equal(sums.nr_visits, 0);
	qr___free_pages(m->q, held, 4);
	test_machine_free(m);
}

/* A zone that begins and ends inside a pageblock, with a hole in between. */
static void test_ragged_pageblocks(void **state)
{
	struct test_machine *m = test_machine_new();
	struct pageblock_sums sums = {0};

	(void)state;
	test_machine_add(m, 3, PB - 3, 0);
	test_machine_add(m, PB + 1, PB, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = UINT64_C(1) << 20};
	test_machine_create(m);
	assert_int_equal(qr_for_each_pageblock(m->q, 0, QR_ZONE_NORMAL, pageblock_visit, &sums), 0);
	assert_int_equal(sums.nr_visits, 3);
	assert_int_equal(sums.nr_free, 2 * PB - 3);
	assert_int_equal(sums.nr_absent, 3 * PB - (2 * PB - 3));
	test_machine_free(m);
}

/* Frames of another zone in the same span do not count. */
static void test_interleaved_nodes(void **state)
{
	struct test_machine *m = test_machine_new();
	struct pageblock_sums sums = {0};

	(void)state;
	test_machine_add(m, 0, 4 * PB, 0);
	test_machine_add(m, 4 * PB, 4 * PB, 1);
	test_machine_add(m, 8 * PB, 4 * PB, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = UINT64_C(1) << 20};
	m->config.nr_nodes = 2;
	test_machine_create(m);
	assert_int_equal(qr_for_each_pageblock(m->q, 0, QR_ZONE_NORMAL, pageblock_visit, &sums), 0);
	assert_int_equal(sums.nr_visits, 12);
	assert_int_equal(sums.nr_free, 8 * PB);
	assert_int_equal(sums.nr_absent, 4 * PB);
	test_machine_free(m);
}

/* Free blocks ------------------------------------------------------------------------------ */

struct block_sums {
	uint64_t nr_pages, nr_blocks, stop_after;
	int last_type, last_order;
};

static int block_visit(void *arg, qr_pfn_t pfn, unsigned order, enum qr_migratetype type)
{
	struct block_sums *sums = arg;

	assert_int_equal(pfn & (((qr_pfn_t)1 << order) - 1), 0);
	assert_true((int)type > sums->last_type ||
		    ((int)type == sums->last_type && (int)order >= sums->last_order));
	sums->last_type = (int)type;
	sums->last_order = (int)order;
	sums->nr_pages += (uint64_t)1 << order;
	return ++sums->nr_blocks == sums->stop_after ? 7 : 0;
}

static void test_free_blocks(void **state)
{
	struct test_machine *m = one_zone();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, QR_PAGE_ALLOC_COSTLY_ORDER + 1);
	struct block_sums sums = {.last_type = -1};

	(void)state;
	assert_int_equal(qr_for_each_free_block(m->q, 0, QR_ZONE_NORMAL, block_visit, &sums), 0);
	assert_int_equal(sums.nr_pages, qr_zone_free_pages(qr_zone_at(m->q, 0, QR_ZONE_NORMAL)));
	assert_true(sums.nr_blocks >= 14);
	sums = (struct block_sums){.last_type = -1, .stop_after = 2};
	assert_int_equal(qr_for_each_free_block(m->q, 0, QR_ZONE_NORMAL, block_visit, &sums), 7);
	assert_int_equal(sums.nr_blocks, 2);
	assert_int_equal(qr_for_each_free_block(m->q, 0, QR_ZONE_MOVABLE, block_visit, &sums), 0);
	assert_int_equal(qr_for_each_free_block(m->q, -2, QR_ZONE_NORMAL, block_visit, &sums), 0);
	assert_int_equal(sums.nr_blocks, 2);
	qr___free_pages(m->q, page, QR_PAGE_ALLOC_COSTLY_ORDER + 1);
	test_machine_free(m);
}

/* Zonelists -------------------------------------------------------------------------------- */

static void test_zonelists(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zoneref_info refs[4];

	(void)state;
	test_machine_nodes(m, 3, 4096);
	test_machine_create(m);
	assert_int_equal(qr_zonelist(m->q, 1, false, refs, 4), 3);
	assert_int_equal(refs[0].nid, 1);
	assert_int_equal(refs[0].type, QR_ZONE_NORMAL);
	assert_int_equal(refs[1].nid + refs[2].nid, 2);
	assert_int_equal(qr_zonelist(m->q, 2, true, refs, 4), 1);
	assert_int_equal(refs[0].nid, 2);
	/* Counts beyond the room, writes none. */
	refs[1].nid = 99;
	assert_int_equal(qr_zonelist(m->q, 0, false, refs, 1), 3);
	assert_int_equal(refs[0].nid, 0);
	assert_int_equal(refs[1].nid, 99);
	assert_int_equal(qr_zonelist(m->q, 0, false, NULL, 0), 3);
	assert_int_equal(qr_zonelist(m->q, 3, false, refs, 4), 0);
	assert_int_equal(qr_zonelist(m->q, -1, false, refs, 4), 0);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_of_frames),
		cmocka_unit_test(test_states_by_type),
		cmocka_unit_test(test_tails_of_a_folio),
		cmocka_unit_test(test_lost_frame),
		cmocka_unit_test(test_tail_with_a_wild_head),
		cmocka_unit_test(test_deferred_frames),
		cmocka_unit_test(test_pageblocks),
		cmocka_unit_test(test_ragged_pageblocks),
		cmocka_unit_test(test_interleaved_nodes),
		cmocka_unit_test(test_free_blocks),
		cmocka_unit_test(test_zonelists),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
