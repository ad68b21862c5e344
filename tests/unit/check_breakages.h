/* SPDX-License-Identifier: MIT */
/*
 * check_breakages.h - ways to break an instance, each with the invariant that must be reported
 */
#ifndef TESTS_UNIT_CHECK_BREAKAGES_H
#define TESTS_UNIT_CHECK_BREAKAGES_H

#include "check_breakages_global.h"

/* What can be broken ----------------------------------------------------------------------- */

static void f1_record_gone(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), taken(m, 9, 0, QR_GFP_KERNEL), QR_PT_NONE);
}

static void f1_block_gone(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), taken(m, MAX_PAGES, 3, QR_GFP_KERNEL), QR_PT_NONE);
}

static void f2_misaligned(struct test_machine *m)
{
	qr__page_order_set(qr__frames(m->q), taken(m, 9, 0, QR_GFP_KERNEL), 1);
}

static void f2_leaves_zone(struct test_machine *m)
{
	qr__page_order_set(qr__frames(m->q), taken(m, TOP, 1, QR_GFP_KERNEL), 2);
}

static void f2_order(struct test_machine *m)
{
	qr__page_order_set(qr__frames(m->q), taken(m, 9, 0, QR_GFP_KERNEL), QR_MAX_PAGE_ORDER + 1);
}

static void f3_zone(struct test_machine *m)
{
	state_of(m, taken(m, 9, 0, QR_GFP_KERNEL))->zone_id++;
}

static void f3_type(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), taken(m, 9, 0, QR_GFP_KERNEL), (enum qr_page_type)200);
}

static void f4_tail_referenced(struct test_machine *m)
{
	state_of(m, page_at(m, MAX_PAGES + 5))->refcount = 1;
}

static void f5_mapped(struct test_machine *m)
{
	qr__page_mapcount_set(qr__frames(m->q), page_at(m, MAX_PAGES), 1);
}

static void f5_cached_referenced(struct test_machine *m)
{
	state_of(m, cached(m))->refcount = 1;
}

static void f6_unreferenced(struct test_machine *m)
{
	state_of(m, taken(m, 9, 0, QR_GFP_KERNEL))->refcount = 0;
}

static void f7_free_dirty(struct test_machine *m)
{
	qr__page_set(qr__frames(m->q), page_at(m, MAX_PAGES), QR_PG_DIRTY);
}

static void f7_cached_reported(struct test_machine *m)
{
	qr__page_set(qr__frames(m->q), cached(m), QR_PG_REPORTED);
}

static void f8_pageblock(struct test_machine *m)
{
	taken(m, 2 * MAX_PAGES, QR_PAGEBLOCK_ORDER, QR_GFP_KERNEL);
	qr__pageblock(qr__frames(m->q), 2 * MAX_PAGES)->bits = QR_PB_TYPE_MASK;
}

static void f8_isolate_as_type(struct test_machine *m)
{
	taken(m, 2 * MAX_PAGES, QR_PAGEBLOCK_ORDER, QR_GFP_KERNEL);
	qr__pageblock(qr__frames(m->q), 2 * MAX_PAGES)->bits =
		QR_MIGRATE_ISOLATE ^ QR_MIGRATE_MOVABLE;
}

static void f9_tail_of_another(struct test_machine *m)
{
	taken(m, 8, 2, QR_GFP_KERNEL | QR___GFP_COMP)[3].link.next += 1;
}

static void f9_tail_lost(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), taken(m, 8, 2, QR_GFP_KERNEL | QR___GFP_COMP) + 2,
			  QR_PT_NONE);
}

static void f9_plain_tail_speaks(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), taken(m, 8, 1, QR_GFP_KERNEL) + 1, QR_PT_INUSE);
}

static void f9_stray_tail(struct test_machine *m)
{
	struct qr_page *page = taken(m, 9, 0, QR_GFP_KERNEL);

	qr__page_type_set(qr__frames(m->q), page, QR_PT_TAIL);
	page->link.next = (uint32_t)MAX_PAGES;
}

static void f9_tail_behind_folio(struct test_machine *m)
{
	struct qr_page *folio = taken(m, 8, 1, QR_GFP_KERNEL | QR___GFP_COMP);
	struct qr_page *page = taken(m, 10, 0, QR_GFP_KERNEL);

	qr__page_type_set(qr__frames(m->q), page, QR_PT_TAIL);
	page->link.next = qr__page_index(qr__frames(m->q), folio);
}

static void f10_record_in_hole(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), page_at(m, HOLE), QR_PT_INUSE);
}

static void f11_free_unnoted(struct test_machine *m)
{
	page_at(m, MAX_PAGES)->mapping = 1;
}

static void f11_cached_unnoted(struct test_machine *m)
{
	struct qr_page *page = cached(m);

	qr__page_set(qr__frames(m->q), page, QR_PG_FILLED);
	state_of(m, page)->zone_id &= (uint16_t)~QR_STATE_NOTED;
}

static void f11_unnoted(struct test_machine *m)
{
	taken(m, 9, 0, QR_GFP_KERNEL)->flags = QR_PG_LRU;
}

static void f11_tail_unnoted(struct test_machine *m)
{
	taken(m, 8, 2, QR_GFP_KERNEL)[3].mapcount = 1;
}

/* On a machine whose caches change by steps, for no other has marks. */
static void f12_machine(struct test_machine *m)
{
	test_machine_destroy(m);
	m->config.options = 0;
	test_platform_steps(&m->config.platform);
	test_machine_create(m);
}

static void f12_free_marked(struct test_machine *m)
{
	f12_machine(m);
	qr__mark_set(qr__mark_of(qr__frames(m->q), 9, 0), 1);
}

/* What waits in a cache, or is free, is told by the mark of the order that its state says. */
static void f12_other_order(struct test_machine *m)
{
	f12_machine(m);
	qr__mark_set(qr__mark_of(qr__frames(m->q), 8, 1), QR_MARK_CACHED);
}

static void f12_other_zone(struct test_machine *m)
{
	f12_machine(m);
	qr__mark_set(qr__mark_of(qr__frames(m->q), 9, 0), QR_MARK_SILENT);
	qr__frames(m->q)->states[9].zone_id = 1;
}

static void f12_shared_marked(struct test_machine *m)
{
	_Atomic uint8_t *mark;
	struct qr_page *page;
	uint8_t is;

	f12_machine(m);
	qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	page = qr_alloc_pages(m->q, QR_GFP_KERNEL, 0);
	mark = qr__mark_of(qr__frames(m->q), qr__page_index(qr__frames(m->q), page), 0);
	is = qr__mark(mark);
	assert_int_not_equal(is, 0);
	qr_get_page(m->q, page);
	qr__mark_set(mark, is);
}

static void b2_head(struct test_machine *m)
{
	qr__page_type_set(qr__frames(m->q), page_at(m, MAX_PAGES), QR_PT_INUSE);
}

static void b2_referenced(struct test_machine *m)
{
	state_of(m, page_at(m, MAX_PAGES))->refcount = 1;
}

static void b2_order(struct test_machine *m)
{
	qr__page_order_set(qr__frames(m->q), page_at(m, MAX_PAGES), QR_MAX_PAGE_ORDER - 1);
}

static void b4_cma(struct test_machine *m)
{
	qr__pageblock(qr__frames(m->q), MAX_PAGES)->bits = QR_MIGRATE_CMA ^ QR_MIGRATE_MOVABLE;
}

static void b4_isolated(struct test_machine *m)
{
	qr__pageblock(qr__frames(m->q), MAX_PAGES)->bits |= QR_PB_ISOLATE;
}

static void b5_retyped(struct test_machine *m)
{
	qr__pageblock(qr__frames(m->q), MAX_PAGES)->bits =
		QR_MIGRATE_RECLAIMABLE ^ QR_MIGRATE_MOVABLE;
}

static void z1_too_many(struct test_machine *m)
{
	qr__bump(&zone_of(m)->nr_free_pages, 1);
}

static void z2_cma(struct test_machine *m)
{
	qr__bump(&zone_of(m)->nr_free_cma, 1);
}

static void z3_highatomic(struct test_machine *m)
{
	qr__bump(&zone_of(m)->nr_free_highatomic, UINT64_MAX);
}

static uint64_t one_block_more(const struct qr_zone *zone, unsigned order)
{
	return qr__buddy_engine(test_engine())->nr_blocks_racy(zone, order) + (order == 1);
}

static struct qr_buddy_ops wrong_ops;

static void z4_blocks(struct test_machine *m)
{
	wrong_ops = *zone_of(m)->ops;
	wrong_ops.nr_blocks_racy = one_block_more;
	zone_of(m)->ops = &wrong_ops;
}

static void z5_isolated(struct test_machine *m)
{
	qr__bump(&zone_of(m)->nr_isolate_pageblock, 1);
}

static struct qr_page *page_of_pair(struct test_machine *m)
{
	struct qr_page *page = taken(m, 8, 1, QR_GFP_KERNEL);

	taken(m, 10, 1, QR_GFP_KERNEL); /* its buddy is in use, so it need not be joined */
	return page;
}

static void say_free(struct test_machine *m, struct qr_page *page)
{
	qr__owner_reset(m->q, page, 1);
	state_of(m, page)->refcount = 0;
	qr__page_type_set(qr__frames(m->q), page, QR_PT_BUDDY);
}

static void z6_free_on_no_list(struct test_machine *m)
{
	say_free(m, page_of_pair(m));
}

static void z7_managed(struct test_machine *m)
{
	qr__bump(&zone_of(m)->managed_pages, UINT64_MAX);
}

static void z7_adjusted(struct test_machine *m)
{
	qr__bump(&zone_of(m)->adjusted_pages, 1);
}

static void z8_wrapped(struct test_machine *m)
{
	qr__write(&zone_of(m)->nr_reserved_highatomic, UINT64_MAX - 511);
}

static void z8_unreserved(struct test_machine *m)
{
	taken(m, 2 * MAX_PAGES, QR_PAGEBLOCK_ORDER, QR_GFP_KERNEL);
	qr__pageblock(qr__frames(m->q), 2 * MAX_PAGES)->bits =
		QR_MIGRATE_HIGHATOMIC ^ QR_MIGRATE_MOVABLE;
}

static void z9_managed(struct test_machine *m)
{
	qr__bump(&zone_of(m)->managed_pages, 1);
}

static void z9_present(struct test_machine *m)
{
	qr__bump(&zone_of(m)->spanned_pages, 1);
	qr__bump(&zone_of(m)->present_pages, 1);
}

static void z10_deferred(struct test_machine *m)
{
	qr__bump(&zone_of(m)->nr_deferred, 5);
}

static void z11_cma(struct test_machine *m)
{
	qr__bump(&zone_of(m)->cma_pages, PB);
}

static void z12_scarce(struct test_machine *m)
{
	qr__write(&zone_of(m)->lowmem_reserve_max, qr__read(&zone_of(m)->nr_free_pages));
}

static void z12_boosted(struct test_machine *m)
{
	qr__write(&zone_of(m)->watermark_boost, qr__read(&zone_of(m)->nr_free_pages) - PB);
}

/* As whoever does it should. */
static void isolate(struct test_machine *m, qr_pfn_t pfn)
{
	unsigned long irqs = qr__zone_lock(zone_of(m));

	assert_true(qr_move_freepages_block_isolate(zone_of(m), pfn, true));
	qr__bump(&zone_of(m)->nr_isolate_pageblock, 1);
	qr__zone_unlock(zone_of(m), irqs);
	test_machine_check(m);
}

static void z13_count(struct test_machine *m)
{
	isolate(m, MAX_PAGES);
	zone_of(m)->nr_isolated++;
}

static void z13_flag_lost(struct test_machine *m)
{
	isolate(m, MAX_PAGES);
	qr__zone_flag_clear(zone_of(m), QR_ZONE_ISOLATED);
}

static void z13_flag_left(struct test_machine *m)
{
	qr__zone_flag_set(zone_of(m), QR_ZONE_ISOLATED);
}

static void z14_listed_apart(struct test_machine *m)
{
	struct qr_page *page = page_of_pair(m);

	isolate(m, 8);
	say_free(m, page);
}

static uint64_t one_isolated_more(const struct qr_zone *zone, unsigned order,
				  enum qr_migratetype type)
{
	return qr__buddy_engine(test_engine())->nr_blocks_type_racy(zone, order, type) +
	       (order == 1 && type == QR_MIGRATE_ISOLATE);
}

static void z14_listed_by_mistake(struct test_machine *m)
{
	z4_blocks(m);
	wrong_ops.nr_blocks_type_racy = one_isolated_more;
}

static void p1_link(struct test_machine *m)
{
	cached(m)->link.next = 0x7fffffff;
}

static void p1_prev(struct test_machine *m)
{
	cached(m)->link.prev = 1;
}

static void p1_last(struct test_machine *m)
{
	list_of(m, cached(m))->last = 1;
}

static void p1_loop(struct test_machine *m)
{
	struct qr_page *page = cached(m);

	page->link.next = qr__page_index(qr__frames(m->q), page);
}

static void p2_type(struct test_machine *m)
{
	struct qr_page *page = cached(m);

	qr__owner_set(m->q, page, 0, QR_GFP_KERNEL);
	state_of(m, page)->refcount = 1;
	qr__page_type_set(qr__frames(m->q), page, QR_PT_INUSE);
}

static void p2_order(struct test_machine *m)
{
	struct qr_page *page = cached(m);
	struct qr_list *list = list_of(m, page);

	/* The list of order 1 of the same type has it now. */
	list[QR_MIGRATE_PCPTYPES] = *list;
	qr__list_init(list);
}

static void p3_count(struct test_machine *m)
{
	cached(m);
	qr__pcp_of(zone_of(m), 0)->count++;
}

static void p3_negative(struct test_machine *m)
{
	qr__pcp_of(zone_of(m), 1)->count = -1;
}

static void p7_not_told(struct test_machine *m)
{
	isolate(m, MAX_PAGES);
	atomic_store(&qr__pcp_of(zone_of(m), 1)->lock.closed, 0);
}

static void p7_not_taken_back(struct test_machine *m)
{
	atomic_store(&qr__pcp_of(zone_of(m), 0)->lock.closed, QR_ZONE_ISOLATED);
}

static void p4_batch(struct test_machine *m)
{
	qr__pcp_of(zone_of(m), 1)->batch = 0;
}

static void p4_high(struct test_machine *m)
{
	qr__pcp_of(zone_of(m), 1)->high_max = -5;
}

static void p5_lost(struct test_machine *m)
{
	struct qr_page *page = taken(m, 9, 0, QR_GFP_KERNEL);

	qr__owner_reset(m->q, page, 0);
	state_of(m, page)->refcount = 0;
	page->link = (struct qr_link){QR_LIST_NONE, QR_LIST_NONE};
	qr__page_type_set(qr__frames(m->q), page, QR_PT_PCP);
}

static void p5_stale_link(struct test_machine *m)
{
	struct qr_page *neighbour = cached(m);

	p5_lost(m);
	page_at(m, 9)->link.prev = qr__page_index(qr__frames(m->q), neighbour);
}

static void o1_no_record(struct test_machine *m)
{
	qr__owner_reset(m->q, taken(m, 8, 2, QR_GFP_KERNEL), 2);
}

static void o1_other_order(struct test_machine *m)
{
	qr__owner_set(m->q, taken(m, 8, 2, QR_GFP_KERNEL), 3, QR_GFP_KERNEL);
}

static void o2_free_owned(struct test_machine *m)
{
	qr__owner_set(m->q, page_at(m, MAX_PAGES), 0, QR_GFP_KERNEL);
}

static void o2_cached_owned(struct test_machine *m)
{
	qr__owner_set(m->q, cached(m), 0, QR_GFP_KERNEL);
}

/* Magazines: CPU 0 has a page in that for frees of single pages, the first there. */
static struct qr_magazines *magazines_of(struct test_machine *m)
{
	return &qr__pcp_of(zone_of(m), 0)->mag;
}

static uint32_t *cached_index(struct test_machine *m)
{
	struct qr_page *page = cached(m);
	uint32_t *first = qr__put(magazines_of(m), 0)->frames;

	assert_int_equal(*first, qr__page_index(qr__frames(m->q), page));
	return first;
}

static void p1_wild_index(struct test_machine *m)
{
	*cached_index(m) = 0x7fffffff;
}

static void p1_overfull(struct test_machine *m)
{
	qr__write(&qr__put(magazines_of(m), 0)->nr, QR_MAGAZINE_PUT_ROOM(0) + 1);
}

static void p1_overfull_get(struct test_machine *m)
{
	struct qr_magazine_ring *ring = qr__ring(magazines_of(m), QR_MIGRATE_RECLAIMABLE, 1);

	qr__write(&ring->tail, qr__read(&ring->head) + QR_MAGAZINE_ROOM(1) + 1);
}

static void p2_magazine_of_used(struct test_machine *m)
{
	uint32_t *first = cached_index(m);

	*first = qr__page_index(qr__frames(m->q), taken(m, 9, 0, QR_GFP_KERNEL));
}

static void p2_magazine_order(struct test_machine *m)
{
	uint32_t index = *cached_index(m);

	/* The magazine of order 1 has it now. */
	qr__write(&qr__put(magazines_of(m), 0)->nr, 0);
	*qr__put(magazines_of(m), 1)->frames = index;
	qr__write(&qr__put(magazines_of(m), 1)->nr, 1);
}

/* Cached by its record, and in no magazine. */
static void p5_magazine_lost_it(struct test_machine *m)
{
	cached_index(m);
	qr__write(&qr__put(magazines_of(m), 0)->nr, 0);
}

/* In another magazine of the same CPU, in the same one, and in another CPU's. */
static void p6_fetched_and_freed(struct test_machine *m)
{
	uint32_t index = *cached_index(m);
	struct qr_magazine_ring *ring = qr__ring(magazines_of(m), QR_MIGRATE_RECLAIMABLE, 0);

	assert_int_equal(qr__ring_nr(ring), 0);
	qr__ring(magazines_of(m), QR_MIGRATE_RECLAIMABLE, 0)->frames[0] = index;
	qr__write(&ring->tail, 1);
}

static void p6_freed_twice(struct test_machine *m)
{
	qr__magazine_put(magazines_of(m), *cached_index(m), 0);
}

static void p6_freed_by_two(struct test_machine *m)
{
	qr__magazine_put(&qr__pcp_of(zone_of(m), 1)->mag, *cached_index(m), 0);
}

struct breakage {
	const char *invariant;
	void (*apply)(struct test_machine *m);
	const char *says; /* part of the sentence */
	/* What the bitmap engine calls it; NULL: the same.  "": it is no breakage there. */
	const char *bitmap_invariant, *bitmap_says;
	const char *only; /* the one engine that has such a thing to break; NULL: all */
};

#define BREAK(name, fn, says) \
	{ \
		(name), (fn), (says), NULL, NULL, NULL \
	}
#define BREAK_BITMAP(name, fn, says, bitmap_name, bitmap_says) \
	{ \
		(name), (fn), (says), (bitmap_name), (bitmap_says), NULL \
	}
#define BREAK_ONLY(engine, name, fn, says) \
	{ \
		(name), (fn), (says), NULL, NULL, (engine) \
	}
/* Of what only the list engine keeps: orders in the records of free blocks, types of whole ones. */
#define BREAK_LIST(name, fn, says) BREAK_BITMAP(name, fn, says, "", "")

static const struct breakage breakages[] = {
	BREAK("F1", f1_record_gone, "F1: no record speaks for pfn 0x9"),
	BREAK("F1", f1_block_gone, "no record speaks for pfn "),
	BREAK("F2", f2_misaligned, "F2: the block at pfn 0x9 is not aligned to order 1"),
	BREAK("F2", f2_leaves_zone, "leaves zone Normal of node 0"),
	BREAK("F2", f2_order, "the block at pfn 0x9 has order "),
	BREAK("F3", f3_zone, "F3: the record of pfn 0x9 says zone id 3, but it lies in 2"),
	BREAK("F3", f3_type, "F3: the record of pfn 0x9 says type 200"),
	BREAK_BITMAP("F4", f4_tail_referenced, ", inside the free block of order ", "B7",
		     "is free but in use (type 0, 1 references)"),
	BREAK("F5", f5_mapped, "is free but has 0 references and 1 mappings"),
	BREAK("F5", f5_cached_referenced, "is cached but has 1 references"),
	BREAK("F6", f6_unreferenced, "F6: pfn 0x9 is in use but has 0 references"),
	BREAK("F7", f7_free_dirty, "is free but has flags 0x8"),
	BREAK("F7", f7_cached_reported, "is cached but has flags 0x4"),
	BREAK("F8", f8_pageblock, "has type 6"),
	BREAK("F8", f8_isolate_as_type, "has type 5"),
	BREAK("F9", f9_tail_of_another,
	      "F9: pfn 0xb does not fit the block in use of order 2 at 0x8"),
	BREAK("F9", f9_tail_lost, "F9: pfn 0xa does not fit the block in use of order 2 at 0x8"),
	BREAK("F9", f9_plain_tail_speaks, "F9: pfn 0x9 does not fit the block in use of order 1"),
	BREAK("F9", f9_stray_tail,
	      "F9: pfn 0x9 says it is a tail, but no compound page reaches it"),
	BREAK("F9", f9_tail_behind_folio, "F9: pfn 0xa says it is a tail"),
	BREAK("F10", f10_record_in_hole, "is no memory, but its record says type 1"),
	BREAK("F11", f11_free_unnoted, "does not note what its record says (flags 0)"),
	BREAK("F11", f11_cached_unnoted, "does not note what its record says (flags 0x8000000)"),
	BREAK("F11", f11_unnoted, "F11: the state of pfn 0x9 does not note what"),
	BREAK("F11", f11_tail_unnoted, "F11: the state of pfn 0xb does not note what"),
	BREAK_ONLY("bitmap", "F12", f12_free_marked, "F12: the mark of pfn 0x9 says what its"),
	BREAK_ONLY("bitmap", "F12", f12_other_order, "F12: the mark of pfn 0x8 says what its"),
	BREAK_ONLY("bitmap", "F12", f12_other_zone, "F12: the mark of pfn 0x9 says what its"),
	BREAK_ONLY("bitmap", "F12", f12_shared_marked, "F12: the mark of pfn 0x1 says what its"),
	BREAK_BITMAP("B2", b2_head, "B2: ", "B7", "is free but in use (type 1, 0 references)"),
	BREAK_BITMAP("B2", b2_referenced, "B2: ", "B7",
		     "is free but in use (type 0, 1 references)"),
	BREAK_LIST("B2", b2_order, "B2: "),
	BREAK_BITMAP("B4", b4_cma, "B4: ", "B10", "of type 4 lies in a free block of type 1"),
	BREAK_BITMAP("B4", b4_isolated, "B4: ", "B10", "of type 5 lies in a free block of type 1"),
	BREAK_LIST("B5", b5_retyped, "B5: "),
	BREAK("Z1", z1_too_many, "Z1: nr_free_pages of zone Normal of node 0 is "),
	BREAK("Z2", z2_cma, "Z2: nr_free_cma of zone Normal of node 0 is 1, should be 0"),
	BREAK("Z3", z3_highatomic, "Z3: nr_free_highatomic of zone Normal of node 0 is "),
	BREAK("Z4", z4_blocks, "free blocks of order 1, its types "),
	BREAK("Z5", z5_isolated,
	      "Z5: nr_isolate_pageblock of zone Normal of node 0 is 1, should be 0"),
	BREAK("Z6", z6_free_on_no_list, "Z6: nr_free_pages of zone Normal of node 0 is "),
	BREAK("Z7", z7_managed, "Z7: managed_pages of zone Normal of node 0 is "),
	BREAK("Z7", z7_adjusted, "Z7: managed_pages of zone Normal of node 0 is "),
	BREAK("Z8", z8_wrapped, "but has 0 such pageblocks"),
	BREAK("Z8", z8_unreserved, "reserves 0 highatomic pages, but has 1 such pageblocks"),
	BREAK("Z9", z9_managed, "must not increase"),
	BREAK("Z9", z9_present, "Z9: present_pages of zone Normal of node 0 is "),
	BREAK("Z10", z10_deferred, "Z10: nr_deferred of zone Normal of node 0 is 5, should be 0"),
	BREAK("Z11", z11_cma, "Z11: cma_pages of zone Normal of node 0 is "),
	BREAK("Z12", z12_scarce, "but does not say that it is scarce"),
	BREAK("Z12", z12_boosted, "Z12: zone Normal of node 0 has "),
	BREAK("Z13", z13_count, "Z13: nr_isolated of zone Normal of node 0 is 2, should be 1"),
	BREAK("Z13", z13_flag_lost, "has 1 isolated pageblocks, but does not say so"),
	BREAK("Z13", z13_flag_left, "has 0 isolated pageblocks, but says that there are some"),
	BREAK_ONLY("list", "Z14", z14_listed_apart, "Z14: pages on ISOLATE lists of zone Normal"),
	BREAK("Z14", z14_listed_by_mistake,
	      "Z14: pages on ISOLATE lists of zone Normal of node 0 is 2, should be 0"),
	BREAK_ONLY("list", "P1", p1_link, "the link to index 2147483647 is broken"),
	BREAK_ONLY("list", "P1", p1_prev, "P1: CPU 0, list 0: the link to index "),
	BREAK_ONLY("list", "P1", p1_last, "but says its last is 1"),
	BREAK_ONLY("list", "P1", p1_loop, "P1: CPU 0, list 0: the link to index "),
	BREAK("P2", p2_type, "does not say PCP"),
	BREAK_ONLY("list", "P2", p2_order, "has another order"),
	BREAK_ONLY("list", "P3", p3_count, "P3: CPU 0, zone Normal: the cache counts "),
	BREAK_ONLY("list", "P3", p3_negative,
		   "P3: CPU 1, zone Normal: the cache counts -1 pages, but 0 are on"),
	BREAK_ONLY("bitmap", "P1", p1_wild_index, "index 2147483647 is no frame's"),
	BREAK_ONLY("bitmap", "P1", p1_overfull,
		   "P1: CPU 0, magazine for frees, 0 of order 0 holds 1025"),
	BREAK_ONLY("bitmap", "P1", p1_overfull_get,
		   "magazine of type 2 of order 1 holds 65 blocks"),
	BREAK_ONLY("bitmap", "P2", p2_magazine_of_used, "does not say PCP"),
	BREAK_ONLY("bitmap", "P2", p2_magazine_order, "has another order"),
	BREAK_ONLY("bitmap", "P5", p5_magazine_lost_it, "says PCP"),
	BREAK_ONLY("bitmap", "P6", p6_fetched_and_freed, "P6: CPU 0, magazine "),
	BREAK_ONLY("bitmap", "P6", p6_freed_twice, "is cached twice"),
	BREAK_ONLY("bitmap", "P6", p6_freed_by_two, "is cached twice"),
	BREAK("P7", p7_not_told,
	      "P7: CPU 1, zone Normal: the cache's lock says that nothing is isolated"),
	BREAK("P7", p7_not_taken_back,
	      "P7: CPU 0, zone Normal: the cache's lock says that something is isolated"),
	BREAK("P4", p4_batch, "P4: CPU 1, zone Normal: batch 0, "),
	BREAK("P4", p4_high, "high_max -5"),
	BREAK("P5", p5_lost, "P5: the block of order 0 at pfn 0x9 says PCP"),
	BREAK_ONLY("list", "P5", p5_stale_link, "P5: the block of order 0 at pfn 0x9 says PCP"),
	BREAK("O1", o1_no_record,
	      "O1: pfn 0x8 is in use with order 2, but its owner record says -1"),
	BREAK("O1", o1_other_order,
	      "O1: pfn 0x8 is in use with order 2, but its owner record says 3"),
	BREAK("O2", o2_free_owned, "is free, but has an owner record"),
	BREAK("O2", o2_cached_owned, "is free, but has an owner record"),
	BREAK("W1", w1_marks, "W1: zone Normal of node 0: min "),
	BREAK("W1", w1_promo, "promo 0 must not decrease"),
	BREAK("W2", w2_own,
	      "W2: zone Normal of node 0 keeps 1 pages from requests for zone Normal"),
	BREAK("W2", w2_lower,
	      "W2: zone DMA of node 0 keeps 9 pages from requests for zone Normal, 10"),
	BREAK("W3", w3_short, "W3: the zonelist of node 1 has 1 zones, should be 2"),
	BREAK("W3", w3_long, "place 2 of the zonelist of node 0: zone Movable of node 0 does not"),
	BREAK("W3", w3_twice,
	      "W3: place 1 of the zonelist of node 0: zone Normal of node 0 does not"),
	BREAK("W3", w3_index,
	      "W3: place 1 of the zonelist of node 0: zone Normal of node 1 does not"),
	BREAK("W3", w3_foreign_thisnode,
	      "W3: place 0 of the zonelist of node 0: zone Normal of node 1"),
	BREAK("W4", w4_not_own_first,
	      "W4: place 0 of the zonelist of node 0: zone Normal of node 1"),
	BREAK("W5", w5_memory, "W5: state \"memory\" of node 1 is 0, should be 1"),
	BREAK("W5", w5_normal, "W5: state \"normal memory\" of node 1 is 0, should be 1"),
	BREAK("W5", w5_cpu, "W5: state \"cpu\" of node 1 is 0, should be 1"),
	BREAK("W5", w5_online, "W5: node 1 has memory, but is not online"),
	BREAK("W6", w6_totalreserve, "W6: node 1 reserves "),
	BREAK("D1", d1_extras_forgotten, "D1: detour \"extras\" is 0, should be 1"),
	BREAK("D1", d1_fail, "D1: detour \"fail\" is 0, should be 1"),
	BREAK("D1", d1_mobility, "D1: detour \"mobility\" is 0, should be 1"),
	BREAK("D1", d1_gfp, "D1: detour \"gfp\" is 0, should be 1"),
	BREAK("D1", d1_trace, "D1: detour \"trace\" is 0, should be 1"),
	BREAK("D1", d1_fail_left, "D1: detour \"fail\" is 1, should be 0"),
	BREAK("D1", d1_mobility_left, "D1: detour \"mobility\" is 1, should be 0"),
	BREAK("D1", d1_gfp_left, "D1: detour \"gfp\" is 1, should be 0"),
	BREAK("D1", d1_trace_left, "D1: detour \"trace\" is 1, should be 0"),
	BREAK("D1", d1_unknown, "D1: detour \"unknown\" is 1, should be 0"),
	BREAK("D2", d2_steps, "D2: steps are 0x1, should be 0"),
	BREAK("D3", d3_option_lost, "D3: extras are 0x20, should be 0x28"),
	BREAK("D3", d3_owner_lost, "D3: extras are 0x8, should be 0x28"),
	BREAK("D3", d3_one_cpu, "D3: extras are 0x80000020, should be 0x20"),
};

#endif /* TESTS_UNIT_CHECK_BREAKAGES_H */
