/* SPDX-License-Identifier: MIT */
/*
 * test_step.c - blocks that come and go by steps: when they do, where they go, what is counted, and
 * what marks say (src/alloc/step.h, magazine.h, frames.h)
 */
#include "step_machine.h"

#define ORDERS QR_MAGAZINE_ORDERS

/* By steps --------------------------------------------------------------------------------- */

static void test_blocks_go_by_steps(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_page *first, *second;

		/* Who finds the ring empty fills it, with the lock held. */
		steps_are(0, first = take_kernel(order));
		steps_are(1, second = take_kernel(order));
		assert_int_equal(qr_folio_order(m->q, second), 0);
		assert_int_equal(qr_page_count(m->q, second), 1);
		steps_are(1, give(second, order));
		steps_are(1, give(first, order));
		test_machine_check(m);
	}
	/* Not what a magazine has none of, nor what more has to be done for. */
	steps_are(0, give(take_kernel(QR_PAGEBLOCK_ORDER + 1), QR_PAGEBLOCK_ORDER + 1));
	steps_are(0, give(take(QR_GFP_KERNEL | QR___GFP_COMP, 1), 1));
	steps_are(0, give(take(QR_GFP_KERNEL | QR___GFP_ACCOUNT, 0), 0));
	step_end();
}

/* Each type has its routes, whose numbers are the marks. */
static void test_types(void **state)
{
	static const qr_gfp_t gfps[QR_MIGRATE_PCPTYPES] = {
		[QR_MIGRATE_UNMOVABLE] = QR_GFP_KERNEL,
		[QR_MIGRATE_MOVABLE] = QR_GFP_HIGHUSER_MOVABLE,
		[QR_MIGRATE_RECLAIMABLE] = QR_GFP_KERNEL | QR___GFP_RECLAIMABLE};

	(void)state;
	step_begin(1);
	for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++) {
		struct qr_magazine_ring *own = qr__ring(mag(), (enum qr_migratetype)type, 0);
		struct qr_page *page, *first = take(gfps[type], 0);
		unsigned nr = qr__ring_nr(own);

		steps_are(1, page = take(gfps[type], 0));
		assert_int_equal(qr__ring_nr(own), nr - 1);
		assert_int_equal(mark_of(page), qr__route_of(zone(), type, 0));
		assert_ptr_equal(allocator()->routes[mark_of(page)].ring, own);
		steps_are(1, give(page, 0));
		assert_int_equal(qr__ring_nr(own), nr);
		give(first, 0);
	}
	step_end();
}

/* Nothing has changed. */
static void turns_back(struct qr_page *page, unsigned order)
{
	struct qr_magazines *before = test_malloc(sizeof(*before));
	uint64_t word = qr__page_word(&allocator()->frames, page);
	uint8_t mark = mark_of(page);

	*before = *mag();
	assert_int_equal(qr__step_hook_free(allocator(), page, order), QR_LOCAL_NOT);
	assert_memory_equal(before, mag(), sizeof(*before));
	assert_int_equal(qr__page_word(&allocator()->frames, page), word);
	assert_int_equal(mark_of(page), mark);
	test_free(before);
}

static void test_empty_rings_turn_back(void **state)
{
	struct qr_magazines *before = test_malloc(sizeof(*before));

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		give(step_take(order), order);
		qr_drain_all_pages(m->q, NULL);
		*before = *mag();
		assert_null(qr__step_hook_alloc(allocator(), QR_GFP_KERNEL, order));
		assert_memory_equal(before, mag(), sizeof(*before));
	}
	test_free(before);
	step_end();
}

/* The last block that a put magazine has room for comes with the lock held, and all of it goes. */
static void test_full_magazines_turn_back(void **state)
{
	struct qr_page *pages[4];
	uint64_t free_before;

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned n = 0; n < 4; n++)
			pages[n] = step_take(order);
		qr_drain_all_pages(m->q, NULL);
		qr__put(mag(), order)->limit = 4;
		ring(order)->limit = 0;
		free_before = nr_free();
		for (unsigned n = 0; n < 3; n++)
			steps_are(1, give(pages[n], order));
		assert_int_equal(nr_put(order), 3);
		turns_back(pages[3], order);
		steps_are(0, give(pages[3], order));
		assert_int_equal(nr_put(order), 0);
		assert_int_equal(nr_free(), free_before + (UINT64_C(4) << order));
		sizes(16, 1 << 20, 1 << 20);
	}
	step_end();
}

/* Straight back ---------------------------------------------------------------------------- */

static void test_straight_back_from_the_last_pageblock(void **state)
{
	struct qr_page *rest[4 * QR_MAGAZINE_ROOM(0)];
	unsigned nr = 0, nr_before, put;

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		struct qr_page *page = step_take(order), *other;

		/* As the last one, or as a neighbour of it. */
		ring(order)->limit = QR_MAGAZINE_ROOM(order);
		nr_before = nr_ring(order);
		put = nr_put(order);
		give(page, order);
		assert_int_equal(nr_ring(order), nr_before + 1);
		assert_int_equal(nr_put(order), put);
		page = step_take(order);
		assert_int_equal(atomic_load(&ring(order)->last), page - allocator()->frames.pages);
		/* From elsewhere: to the engine first. */
		do
			other = rest[nr++] = step_take(order);
		while (same_pageblock(page, other) && nr < QR_ARRAY_SIZE(rest));
		if (same_pageblock(page, other))
			last_set_elsewhere(order);
		nr_before = nr_ring(order);
		put = nr_put(order);
		steps_are(1, give(page, order));
		assert_int_equal(nr_ring(order), nr_before);
		assert_int_equal(nr_put(order), put + 1);
		while (nr)
			give(rest[--nr], order);
		qr_drain_all_pages(m->q, NULL);
	}
	step_end();
}

/* Whole pageblocks lie nowhere in particular. */
static void test_whole_pageblocks_always_go_back(void **state)
{
	const unsigned order = QR_PAGEBLOCK_ORDER;
	struct qr_page *page;
	unsigned nr, put;

	(void)state;
	step_begin(1);
	page = step_take(order);
	put = nr_put(order);
	last_set_elsewhere(order);
	nr = nr_ring(order);
	ring(order)->limit = (uint16_t)(nr + 1);
	steps_are(1, give(page, order));
	assert_int_equal(nr_ring(order), nr + 1);
	assert_int_equal(nr_put(order), put);
	step_end();
}

static void test_rings_have_limits(void **state)
{
	struct qr_page *a, *b;
	unsigned put;

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		a = step_take(order);
		b = step_take(order);
		put = nr_put(order);
		ring(order)->limit = (uint16_t)(nr_ring(order) + 1);
		last_set(pcp(), a, order);
		steps_are(1, give(a, order));
		assert_int_equal(nr_put(order), put);
		assert_int_equal(nr_ring(order), ring(order)->limit);
		last_set(pcp(), b, order);
		steps_are(1, give(b, order));
		assert_int_equal(nr_put(order), put + 1);
		assert_int_equal(nr_ring(order), ring(order)->limit);
		qr_drain_all_pages(m->q, NULL);
	}
	step_end();
}

/* What goes back comes out behind all that waits already, however often the ring goes round. */
static void test_rings_go_round(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		uint64_t rounds = 3 * QR_MAGAZINE_ROOM(order) + 5;
		struct qr_page *page = step_take(order);
		unsigned waiting = nr_ring(order);

		ring(order)->limit = (uint16_t)(waiting + 1);
		for (uint64_t n = 0; n < rounds; n++) {
			struct qr_page *next;

			last_set(pcp(), page, order);
			steps_are(1, give(page, order));
			assert_int_equal(nr_ring(order), waiting + 1);
			if (n % 64 == 7)
				test_machine_check(m);
			for (unsigned k = 0; k < waiting; k++) {
				next = take_kernel(order);
				assert_ptr_not_equal(next, page);
				last_set(pcp(), next, order);
				give(next, order);
			}
			steps_are(1, next = take_kernel(order));
			assert_ptr_equal(next, page);
		}
		assert_true(qr__read(&ring(order)->head) > rounds);
		give(page, order);
		qr_drain_all_pages(m->q, NULL);
	}
	step_end();
}

/* Counters --------------------------------------------------------------------------------- */

static struct counts {
	uint64_t allocated, blocks, freed; /* pages and blocks that were, and pages */
	uint64_t held; /* pages */
} counts;

static void counts_are_right(void)
{
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), counts.allocated);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), counts.blocks);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), counts.freed);
	assert_int_equal(qr__pcp_nr_alloc_racy(pcp()), counts.allocated);
	assert_int_equal(qr__pcp_nr_free_racy(pcp()), counts.freed);
	assert_int_equal((uint64_t)count() + nr_free() + counts.held, PAGES);
}

static struct qr_page *counted_take(unsigned order)
{
	struct qr_page *page = take_kernel(order);

	counts.allocated += UINT64_C(1) << order;
	counts.held += UINT64_C(1) << order;
	counts.blocks++;
	counts_are_right();
	return page;
}

static void counted_give(struct qr_page *page, unsigned order)
{
	give(page, order);
	counts.freed += UINT64_C(1) << order;
	counts.held -= UINT64_C(1) << order;
	counts_are_right();
}

static void test_counters(void **state)
{
	struct qr_page *pages[24];

	(void)state;
	memset(&counts, 0, sizeof(counts));
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned n = 0; n < 24; n++)
			pages[n] = counted_take(order);
		for (unsigned n = 0; n < 8; n++)
			counted_give(pages[n], order);
		last_set_elsewhere(order);
		for (unsigned n = 8; n < 24; n++)
			counted_give(pages[n], order);
		for (unsigned n = 0; n < 3; n++)
			pages[n] = counted_take(order);
		qr_drain_all_pages(m->q, NULL);
		counts_are_right();
		for (unsigned n = 0; n < 3; n++)
			counted_give(pages[n], order);
		test_machine_check(m);
	}
	qr_drain_all_pages(m->q, NULL);
	counts_are_right();
	step_end();
}

/* So that what is fetched stands in a row; the places that are passed by are no blocks. */
static void test_refills_begin_at_place_0(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned places = 1; places < 4; places++) {
			struct qr_page *page = counted_take(order), *next;

			assert_int_equal(
				(qr__read(&ring(order)->head) - 1) % QR_MAGAZINE_ROOM(order), 0);
			while (nr_ring(order) && qr__read(&ring(order)->tail) % 7 != places) {
				last_set(pcp(), page, order);
				counted_give(page, order);
				next = counted_take(order);
				page = next;
			}
			counted_give(page, order);
			qr_drain_all_pages(m->q, NULL);
			counts_are_right();
			test_machine_check(m);
		}
	}
	step_end();
}

/* Marks ------------------------------------------------------------------------------------ */

static void test_marks_come_and_go(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_page *page = take_kernel(order); /* with the lock held */

		assert_int_equal(mark_of(page), mark_of_route(order));
		test_machine_check(m);
		give(page, order);
		assert_int_equal(mark_of(page), QR_MARK_CACHED);
		page = step_take(order);
		assert_int_equal(mark_of(page), mark_of_route(order));
		for (unsigned n = 1; n < 1u << order && n < 4; n++)
			assert_int_equal(mark_of(page + n), 0);
		test_machine_check(m);
		give(page, order);
		assert_int_equal(mark_of(page), QR_MARK_CACHED);
		test_machine_check(m);
		/* By the lock alone, too. */
		page = step_take(order);
		steps.answer = REFUSED;
		give(page, order);
		assert_int_equal(mark_of(page), QR_MARK_CACHED);
		page = take_kernel(order);
		assert_int_equal(mark_of(page), mark_of_route(order));
		steps.answer = AS_USUAL;
		steps_are(1, give(page, order));
		test_machine_check(m);
	}
	step_end();
}

static void by_get(struct qr_page *page)
{
	qr_get_page(m->q, page);
}

static void by_get_and_put(struct qr_page *page)
{
	qr_get_page(m->q, page);
	assert_false(qr_put_page(m->q, page));
}

static void by_speculation(struct qr_page *page)
{
	assert_true(qr_get_page_unless_zero(m->q, page));
}

static void by_movable(struct qr_page *page)
{
	qr_page_movable_set(m->q, page, true);
}

static void by_flag(struct qr_page *page)
{
	qr__page_set(&allocator()->frames, page, QR_PG_CHARGED);
	qr__page_flags_set(&allocator()->frames, page, 0);
}

static void by_flags(struct qr_page *page)
{
	qr__page_flags_set(&allocator()->frames, page, QR_PG_CHARGED);
	qr__page_flags_set(&allocator()->frames, page, 0);
}

static void by_mapcount(struct qr_page *page)
{
	qr__page_mapcount_set(&allocator()->frames, page, 1);
	qr__page_mapcount_set(&allocator()->frames, page, 0);
}

static void by_mapping(struct qr_page *page)
{
	qr__page_mapping_set(&allocator()->frames, page, 1);
	qr__page_mapping_set(&allocator()->frames, page, 0);
}

static void by_private(struct qr_page *page)
{
	qr__page_private_set(&allocator()->frames, page, 1);
	qr__page_private_set(&allocator()->frames, page, 0);
}

static void by_type(struct qr_page *page)
{
	qr__page_type_set(&allocator()->frames, page, QR_PT_TABLE);
	qr__page_type_set(&allocator()->frames, page, QR_PT_INUSE);
}

static void by_order(struct qr_page *page)
{
	qr__page_order_set(&allocator()->frames, page, 0);
}

static void by_split(struct qr_page *page)
{
	assert_int_equal(qr_split_page(m->q, page, 0), 0);
}

/* Whatever makes more of it than a plain block: it goes the longer way, and is marked again. */
static void test_changes_clear_marks(void **state)
{
	static void (*const changes[])(struct qr_page * page) = {
		by_get,      by_get_and_put, by_speculation, by_movable, by_flag,  by_flags,
		by_mapcount, by_mapping,     by_private,     by_type,    by_order, by_split};

	(void)state;
	step_begin(1);
	for (unsigned i = 0; i < QR_ARRAY_SIZE(changes); i++) {
		struct qr_page *page = step_take(0);

		assert_int_not_equal(mark_of(page), 0);
		changes[i](page);
		if (mark_of(page))
			fail_msg("change %u leaves a mark", i);
		test_machine_check(m);
		while (qr_page_count(m->q, page) > 1)
			assert_false(qr_put_page(m->q, page));
		steps_are(0, give(page, 0));
		test_machine_check(m);
		/* A second or two later nobody speculates any more. */
		test_machine_advance(m, UINT64_C(5000000000));
		sizes(16, 1 << 20, 1 << 20);
		page = step_take(0);
		steps_are(1, give(page, 0));
	}
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	step_end();
}

/* Blocks that are cut: each part is one of its own, freed by the longer way. */
static void test_split_blocks(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 1; order < ORDERS; order++) {
		struct qr_page *page = step_take(order);

		assert_int_equal(qr_split_page(m->q, page, order), 0);
		assert_int_equal(mark_of(page), 0);
		test_machine_check(m);
		for (unsigned n = 0; n < 1u << order; n++)
			give(page + n, 0);
		test_machine_check(m);
		qr_drain_all_pages(m->q, NULL);
		page = qr_alloc_pages_exact(m->q, 3 * QR_PAGE_SIZE, QR_GFP_KERNEL);
		assert_int_equal(mark_of(page), 0);
		test_machine_check(m);
		qr_free_pages_exact(m->q, page, 3 * QR_PAGE_SIZE);
		qr_drain_all_pages(m->q, NULL);
	}
	step_end();
}

static void test_fragments(void **state)
{
	struct qr_page_frag_cache frags = {0};
	void *piece;

	(void)state;
	step_new();
	test_machine_one_zone(m, PAGES);
	test_machine_bytes(m);
	test_machine_create(m);
	give(step_take(0), 0);
	for (unsigned n = 0; n < 20; n++) {
		piece = qr_page_frag_alloc(m->q, &frags, 1024, 8, QR_GFP_KERNEL);
		assert_non_null(piece);
		assert_int_equal(mark_of(frags.page), 0);
		test_machine_check(m);
		qr_page_frag_free(m->q, piece);
	}
	qr_page_frag_cache_drain(m->q, &frags);
	test_machine_check(m);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* Whoever drops one of two references frees nothing. */
static void test_references(void **state)
{
	uint64_t freed;

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < 2; order++) {
		struct qr_page *page = step_take(order);

		freed = qr_vm_event(m->q, QR_EV_PGFREE);
		qr_get_page(m->q, page);
		steps_are(0, give(page, order));
		assert_int_equal(qr_page_count(m->q, page), 1);
		/* of a plain block, the tails are gone */
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE) - freed, order);
		test_machine_check(m);
		assert_true(qr_put_page(m->q, page));
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE) - freed, 1 + order);
		test_machine_check(m);
	}
	step_end();
}

/* A put of a single page is a free, if nobody else has a reference; of others it need not be. */
static void test_puts(void **state)
{
	struct qr_page *page, *block;
	bool last = false;

	(void)state;
	step_begin(1);
	page = step_take(0);
	steps_are(1, last = qr_put_page(m->q, page));
	assert_true(last);
	assert_int_equal(mark_of(page), QR_MARK_CACHED);
	block = step_take(1);
	steps_are(0, last = qr_put_page(m->q, block));
	assert_true(last);
	page = step_take(0);
	qr_get_page(m->q, page);
	steps_are(0, last = qr_put_page(m->q, page));
	assert_false(last);
	assert_int_equal(qr_page_count(m->q, page), 1);
	steps_are(0, last = qr_put_page(m->q, page)); /* it lost its mark */
	assert_true(last);
	test_machine_check(m);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	steps_are(0, last = qr_put_page(m->q, page));
	assert_false(last);
	assert_true(test_log_has(m, "put of page") && test_log_has(m, "it is free already"));
	test_log_clear(m);
	step_end();
}

/* Misuse ----------------------------------------------------------------------------------- */

/* One line says what is wrong, at once, and nothing changes. */
static void refused(struct qr_page *page, unsigned order, const char *why)
{
	struct qr_magazines *before = test_malloc(sizeof(*before));

	*before = *mag();
	test_log_clear(m);
	m->now_ns += UINT64_C(120000000000); /* or so many lines would not all be logged */
	steps_are(0, give(page, order));
	if (m->nr_lines[QR_LOG_ERR] != 1 || !test_log_has(m, "refused") || !test_log_has(m, why))
		fail_msg("order %u: %s: %s", order, why, m->log);
	assert_memory_equal(before, mag(), sizeof(*before));
	test_log_clear(m);
	test_free(before);
}

static void test_wrong_orders_are_refused(void **state)
{
	const unsigned wrong[] = {QR_MAGAZINE_ORDERS,
				  QR_MAX_PAGE_ORDER,
				  QR_NR_PAGE_ORDERS,
				  QR_NR_PAGE_ORDERS + 1,
				  64,
				  255,
				  256,
				  256 + 1,
				  UINT_MAX};

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_page *page = step_take(order);

		for (unsigned other = 0; other < ORDERS; other++)
			if (other != order)
				refused(page, other, "allocated with another order");
		for (unsigned i = 0; i < QR_ARRAY_SIZE(wrong); i++)
			refused(page, wrong[i], "allocated with another order");
		test_machine_check(m);
		give(page, order);
		for (unsigned i = 0; i < QR_ARRAY_SIZE(wrong); i++)
			refused(page, wrong[i], "free already");
	}
	step_end();
}

static void test_double_frees_are_refused(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned way = 0; way < 3; way++) {
			struct qr_page *page = step_take(order);

			if (way == 0)
				last_set_elsewhere(order);
			give(page, order); /* to either magazine; or, by now, to its zone */
			if (way == 2)
				qr_drain_all_pages(m->q, NULL);
			refused(page, order, "free already");
			if (order)
				refused(page + 1, 0, way == 2 ? "free already" : "first page");
			test_machine_check(m);
		}
		qr_drain_all_pages(m->q, NULL);
	}
	step_end();
}

static void test_strangers_are_refused(void **state)
{
	struct qr_page *page, *folio;

	(void)state;
	step_begin(1);
	page = step_take(1);
	refused(page + 1, 0, "not the first page");
	refused(page + 1, 1, "not the first page");
	give(page, 1);
	folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, 1);
	refused(folio + 1, 0, "tail page");
	qr_put_page(m->q, folio);
	page = step_take(0);
	refused((struct qr_page *)(void *)((char *)page + 8), 0, "no page of this instance");
	refused(allocator()->frames.pages - 1, 0, "no page of this instance");
	refused(allocator()->frames.pages + allocator()->frames.nr_frames, 0,
		"no page of this instance");
	refused(NULL, 0, "no page of this instance");
	steps_are(1, give(page, 0));
	step_end();
}

/* Zones and CPUs --------------------------------------------------------------------------- */

static struct qr_per_cpu_pages *cache_at(struct qr_zone *of, unsigned cpu)
{
	return qr__pcp_of(of, cpu);
}

/* The first zones with memory have routes; each CPU's way is to its own node. */
static void test_nodes(void **state)
{
	const unsigned nr_nodes = 32;
	unsigned by_steps = 0;

	(void)state;
	step_new();
	test_machine_nodes(m, nr_nodes, UINT64_C(16) * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	for (unsigned cpu = 0; cpu < nr_nodes; cpu++) {
		struct qr_zone *near = qr_zone_at(m->q, (int)cpu, QR_ZONE_NORMAL);
		struct qr_page *pages[16];
		unsigned before = m->nr_commits;

		test_cpu_set(cpu);
		for (unsigned n = 0; n < 16; n++) {
			pages[n] = take_kernel(0);
			assert_int_equal(qr_page_nid(m->q, pages[n]), cpu);
			assert_int_equal(mark_of(pages[n]),
					 qr__route_of(near, QR_MIGRATE_UNMOVABLE, 0));
		}
		/* From whichever CPU it is freed, into its cache of the page's zone. */
		test_cpu_set((cpu + 1) % nr_nodes);
		for (unsigned n = 0; n < 16; n++)
			give(pages[n], 0);
		assert_int_equal(qr__pcp_nr_free_racy(cache_at(near, (cpu + 1) % nr_nodes)), 16);
		assert_int_equal(m->nr_commits > before, near->route != 0);
		by_steps += near->route != 0;
		test_machine_check(m);
	}
	assert_in_range(by_steps, 1, 255 / (QR_MIGRATE_PCPTYPES * ORDERS));
	assert_int_equal(by_steps, qr__min(nr_nodes, 255 / (QR_MIGRATE_PCPTYPES * ORDERS)));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_go_by_steps),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_empty_rings_turn_back),
		cmocka_unit_test(test_full_magazines_turn_back),
		cmocka_unit_test(test_straight_back_from_the_last_pageblock),
		cmocka_unit_test(test_whole_pageblocks_always_go_back),
		cmocka_unit_test(test_rings_have_limits),
		cmocka_unit_test(test_rings_go_round),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_refills_begin_at_place_0),
		cmocka_unit_test(test_marks_come_and_go),
		cmocka_unit_test(test_changes_clear_marks),
		cmocka_unit_test(test_split_blocks),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_puts),
		cmocka_unit_test(test_wrong_orders_are_refused),
		cmocka_unit_test(test_double_frees_are_refused),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
