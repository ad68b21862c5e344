/* SPDX-License-Identifier: MIT */
/*
 * test_magazine.c - per-CPU caches as arrays of frames, in front of the bitmap engine
 *
 * The promises: what is freed is handed out again only after the engine has seen it; each page is
 * free, cached, or somebody's, and nothing else; and counters that nobody counts are right.
 */
#include "pcp_machine.h"

#define ORDERS QR_MAGAZINE_ORDERS
#define UNMOVABLE QR_MIGRATE_UNMOVABLE
#define MOVABLE QR_MIGRATE_MOVABLE

static struct qr_magazines *mag(void)
{
	return &pcp()->mag;
}

static unsigned nr_get(enum qr_migratetype type, unsigned order)
{
	return qr__ring_nr(qr__ring(mag(), type, order));
}

static unsigned nr_put(unsigned order)
{
	return qr__put_nr(mag(), order);
}

/* Sizes that a test can count with, and a cache that remembers nothing. */
static void mag_sizes(int32_t batch, int32_t min, int32_t max)
{
	qr_drain_all_pages(m->q, NULL);
	sizes(batch, min, max);
	atomic_store(&pcp()->alloc_factor, 0);
	qr__magazines_resize(zone(), pcp());
}

static void begin_sized(int32_t batch, int32_t min, int32_t max)
{
	begin(1);
	mag_sizes(batch, min, max);
}

/* Give back at least so many pages. */
static void drain(int32_t nr)
{
	struct qr_base *base = qr__base(m->q);
	unsigned long irqs = qr__pcp_lock(base, pcp());

	qr_free_pcppages_bulk(zone(), nr, pcp(), 0);
	qr__pcp_unlock(base, pcp(), irqs);
}

/* Room ------------------------------------------------------------------------------------- */

static uint32_t frame_name(unsigned type, unsigned order, unsigned n)
{
	return (type * ORDERS + order) * 1000 + n;
}

/* All magazines full at once, and what is in one is in no other. */
static void test_rooms_do_not_overlap(void **state)
{
	static struct qr_magazines room; /* aligned as it must be */
	struct qr_magazines *all = &room;

	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned n = 0; n < QR_MAGAZINE_PUT_ROOM(order); n++)
			qr__magazine_put(all, frame_name(QR_MIGRATE_PCPTYPES, order, n), order);
		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++) {
			struct qr_magazine_ring *ring = qr__ring(all, type, order);

			assert_in_range((char *)&ring->frames[QR_MAGAZINE_ROOM(order)] -
						all->rings[type],
					1, sizeof(all->rings[type]));
			for (unsigned n = 0; n < QR_MAGAZINE_ROOM(order); n++)
				ring->frames[n] = frame_name(type, order, n);
			qr__write(&ring->tail, QR_MAGAZINE_ROOM(order));
		}
	}
	for (unsigned order = 0; order < ORDERS; order++) {
		const uint32_t *put = qr__put(all, order)->frames;

		assert_true(QR_MAGAZINE_ROOM(order) >= 8);
		assert_in_range((const char *)&put[QR_MAGAZINE_PUT_ROOM(order)] - all->puts, 1,
				sizeof(all->puts));
		for (unsigned n = 0; n < QR_MAGAZINE_PUT_ROOM(order); n++)
			assert_int_equal(put[n], frame_name(QR_MIGRATE_PCPTYPES, order, n));
		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++) {
			for (unsigned n = 0; n < QR_MAGAZINE_ROOM(order); n++)
				assert_int_equal(qr__magazine_get(all, type, order),
						 frame_name(type, order, n));
			assert_int_equal(qr__magazine_get(all, type, order), QR_MAGAZINE_EMPTY);
		}
	}
}

/* Refills ---------------------------------------------------------------------------------- */

/* Take until the magazine is empty, and one more: how many blocks came then. */
static unsigned next_refill(unsigned order)
{
	uint64_t refills = qr__read(&pcp()->refills);

	while (nr_get(UNMOVABLE, order))
		take(QR_GFP_KERNEL, order);
	assert_int_equal(qr__read(&pcp()->refills), refills);
	take(QR_GFP_KERNEL, order);
	assert_int_equal(qr__read(&pcp()->refills), refills + 1);
	return nr_get(UNMOVABLE, order) + 1;
}

static void test_refills_double_in_a_row(void **state)
{
	(void)state;
	begin_sized(8, 4096, 4096);
	for (unsigned nr = 8; nr < QR_MAGAZINE_ROOM(0); nr *= 2)
		assert_int_equal(next_refill(0), nr);
	/* No more than there is room for. */
	assert_int_equal(next_refill(0), QR_MAGAZINE_ROOM(0));
	assert_int_equal(next_refill(0), QR_MAGAZINE_ROOM(0));
	test_machine_check(m);
	sizes_end();
	end();
}

/* A batch is so many single pages; of larger blocks a quarter of high, if there is room. */
static void test_refills_of_each_order(void **state)
{
	(void)state;
	begin(1);
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		mag_sizes(16, 1 << 20, 1 << 20);
		assert_int_equal(next_refill(order), order ? QR_MAGAZINE_ROOM(order) : 16);
		qr_drain_all_pages(m->q, NULL);
		mag_sizes(1, 4 << order, 4 << order);
		assert_int_equal(next_refill(order), 1);
		qr_drain_all_pages(m->q, NULL);
		atomic_store(&pcp()->alloc_factor, QR_PCP_BATCH_SCALE_MAX);
		pcp()->batch = 1 << 10;
		mag_sizes(1 << 10, 1 << 20, 1 << 20);
		assert_int_equal(next_refill(order), QR_MAGAZINE_ROOM(order));
	}
	test_machine_check(m);
	sizes_end();
	end();
}

/* The batch of a small zone is a single page, from which refills double, too. */
static void test_refills_double_from_one(void **state)
{
	(void)state;
	begin_sized(1, 64, 64);
	for (unsigned nr = 1; nr <= 1u << QR_PCP_BATCH_SCALE_MAX; nr *= 2)
		assert_int_equal(next_refill(0), nr);
	assert_int_equal(next_refill(0), 1u << QR_PCP_BATCH_SCALE_MAX);
	mag_sizes(1, 64, 64);
	assert_int_equal(next_refill(1), 64 / 4 >> 1);
	sizes_end();
	end();
}

static void test_refills_keep_to_high(void **state)
{
	struct qr_page *pages[7];

	(void)state;
	begin_sized(8, 24, 24);
	assert_int_equal(next_refill(0), 8);
	assert_int_equal(next_refill(0), 16);
	/* 32 would be too many; high less a batch is not. */
	assert_int_equal(next_refill(0), 16);
	assert_int_equal(next_refill(0), 16);
	/* A batch comes, however much waits here already. */
	mag_sizes(8, 16, 16);
	for (unsigned n = 0; n < 7; n++)
		pages[n] = take(QR_GFP_KERNEL, 0);
	for (unsigned n = 0; n < 7; n++)
		give(pages[n], 0);
	atomic_store(&pcp()->alloc_factor, 3);
	assert_int_equal(next_refill(0), 8);
	sizes_end();
	end();
}

/* Each type has magazines of its own, filled from pageblocks of its own. */
static void test_types_do_not_mix(void **state)
{
	struct qr_page *kernel, *user;

	(void)state;
	begin_sized(8, 256, 256);
	kernel = take(QR_GFP_KERNEL, 0);
	assert_int_equal(nr_get(MOVABLE, 0), 0);
	user = take(QR_GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(nr_get(UNMOVABLE, 0), 7);
	assert_true(nr_get(MOVABLE, 0) > 0);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, qr_page_to_pfn(m->q, kernel)),
			 UNMOVABLE);
	assert_int_equal(qr_get_pageblock_migratetype(m->q, qr_page_to_pfn(m->q, user)), MOVABLE);
	/* They come back into one, and go home each to its own pageblock. */
	give(kernel, 0);
	give(user, 0);
	assert_int_equal(nr_put(0), 2);
	drains_watch(true);
	drain(2);
	assert_int_equal(drained.nr, 2);
	assert_int_equal(drained.pfns[0], qr_page_to_pfn(m->q, kernel));
	assert_int_equal(drained.types[0], UNMOVABLE);
	assert_int_equal(drained.types[1], MOVABLE);
	drains_watch(false);
	sizes_end();
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* What is freed is not what comes next, whatever the order, until the engine has seen it. */
static void test_freed_blocks_go_to_the_engine_first(void **state)
{
	(void)state;
	begin_sized(8, 1 << 20, 1 << 20);
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		struct qr_page *page = take(QR_GFP_KERNEL, order);
		uint64_t free_before;

		give(page, order);
		assert_int_equal(nr_put(order), 1);
		for (unsigned n = 0; n < 20; n++)
			assert_ptr_not_equal(take(QR_GFP_KERNEL, order), page);
		free_before = nr_free();
		drain(1 << order);
		assert_int_equal(nr_put(order), 0);
		assert_int_equal(nr_free(), free_before + (UINT64_C(1) << order));
	}
	sizes_end();
	end();
}

/*
 * Whole pageblocks are all alike: one that is freed waits with those of its type, if they are few,
 * and is handed out when all of these were.
 */
static void test_whole_pageblocks_come_back(void **state)
{
	struct qr_page *rest[QR_MAGAZINE_ROOM(QR_PAGEBLOCK_ORDER)];
	uint64_t allocated, freed, hits;
	struct qr_page *page, *other;
	unsigned nr = 0;

	(void)state;
	begin_sized(8, 1 << 20, 1 << 20);
	page = take(QR_GFP_KERNEL, QR_PAGEBLOCK_ORDER);
	while (nr_get(UNMOVABLE, QR_PAGEBLOCK_ORDER) >= 4)
		rest[nr++] = take(QR_GFP_KERNEL, QR_PAGEBLOCK_ORDER);
	allocated = qr__pcp_nr_alloc_racy(pcp());
	freed = qr__pcp_nr_free_racy(pcp());
	hits = qr__pcp_nr_hit_racy(pcp());
	give(page, QR_PAGEBLOCK_ORDER);
	assert_int_equal(nr_put(QR_PAGEBLOCK_ORDER), 0);
	assert_int_equal(qr__pcp_nr_alloc_racy(pcp()), allocated);
	assert_int_equal(qr__pcp_nr_free_racy(pcp()), freed + QR_PAGEBLOCK_NR_PAGES);
	other = take(QR_GFP_HIGHUSER_MOVABLE, QR_PAGEBLOCK_ORDER);
	assert_ptr_not_equal(other, page);
	assert_int_equal(qr__pcp_nr_hit_racy(pcp()), hits + 1);
	while (nr_get(UNMOVABLE, QR_PAGEBLOCK_ORDER) > 1)
		rest[nr++] = take(QR_GFP_KERNEL, QR_PAGEBLOCK_ORDER);
	assert_ptr_equal(take(QR_GFP_KERNEL, QR_PAGEBLOCK_ORDER), page);
	while (nr)
		give(rest[--nr], QR_PAGEBLOCK_ORDER);
	give(page, QR_PAGEBLOCK_ORDER);
	give(other, QR_PAGEBLOCK_ORDER);
	test_machine_check(m);
	sizes_end();
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* Frees ------------------------------------------------------------------------------------ */

/* So many frees empty the put magazine, and not one less. */
static void put_limit_is(unsigned order, unsigned limit)
{
	struct qr_page *pages[1024];
	uint64_t free_before, drains;

	for (unsigned n = 0; n < limit; n++)
		pages[n] = take(QR_GFP_KERNEL, order);
	free_before = nr_free();
	drains = qr__read(&pcp()->drains);
	for (unsigned n = 0; n < limit; n++) {
		assert_int_equal(nr_put(order), n);
		assert_int_equal(nr_free(), free_before);
		give(pages[n], order);
	}
	assert_int_equal(nr_put(order), 0);
	assert_int_equal(qr__read(&pcp()->drains), drains + 1);
	assert_int_equal(nr_free(), free_before + ((uint64_t)limit << order));
}

static unsigned freed_order, nr_freed;

static void freed_note(struct qr_zone *it, unsigned order)
{
	assert_ptr_equal(it, zone());
	freed_order = order > freed_order ? order : freed_order;
	nr_freed++;
}

/* Who wants to know what became of what was freed is told by drains, too. */
static void test_a_drain_tells_what_became_of_it(void **state)
{
	struct qr_page *page;

	(void)state;
	begin_sized(16, 64, 64);
	page = take(QR_GFP_KERNEL, QR_PAGEBLOCK_ORDER - 1);
	qr_drain_all_pages(m->q, NULL);
	qr__zone_allocator(zone())->events.freed = freed_note;
	freed_order = nr_freed = 0;
	give(page, QR_PAGEBLOCK_ORDER - 1);
	qr_drain_all_pages(m->q, NULL);
	qr__zone_allocator(zone())->events.freed = NULL;
	assert_int_equal(nr_freed, 1);
	assert_int_equal(freed_order, QR_MAX_PAGE_ORDER);
	end();
}

static void test_put_limit(void **state)
{
	(void)state;
	begin(1);
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		unsigned room = QR_MAGAZINE_PUT_ROOM(order);

		/* Half of high, but one block at least, and never more than there is room for. */
		mag_sizes(8, 64, 64);
		put_limit_is(order, (unsigned)qr__clamp(32u >> order, 1, room));
		mag_sizes(8, (int32_t)(2 * room << order) - 2, (int32_t)(2 * room << order) - 2);
		put_limit_is(order, room - 1);
		mag_sizes(8, 1 << 20, 1 << 20);
		put_limit_is(order, room);
	}
	sizes_end();
	end();
}

/* A full magazine is a sign that allocations are not in a row any more. */
static void test_full_magazines_halve_the_factor(void **state)
{
	(void)state;
	begin_sized(8, 64, 64);
	/* as if refills had been in a row */
	atomic_store(&pcp()->alloc_factor, 4);
	put_limit_is(1, 16);
	assert_true(atomic_load(&pcp()->alloc_factor) <= 2);
	sizes_end();
	end();
}

/* Where the zone is short, a batch is full, and high falls by it. */
static void test_short_zones_get_batches_back(void **state)
{
	struct qr_page *pages[8];
	uint64_t free_before;

	(void)state;
	begin_sized(8, 64, 128);
	for (unsigned n = 0; n < 8; n++)
		pages[n] = take(QR_GFP_KERNEL, 0);
	qr__pcp_write(&pcp()->high, 100);
	free_before = nr_free();
	qr__zone_flag_set(zone(), QR_ZONE_RECLAIM_ACTIVE);
	for (unsigned n = 0; n < 8; n++) {
		assert_int_equal(nr_put(0), n);
		give(pages[n], 0);
	}
	assert_int_equal(nr_put(0), 0);
	assert_int_equal(nr_free(), free_before + 8);
	assert_int_equal(qr__pcp_read(&pcp()->high), 92);
	assert_int_equal(qr__put(mag(), 0)->limit, 46);
	qr__zone_flag_clear(zone(), QR_ZONE_RECLAIM_ACTIVE);
	sizes_end();
	end();
}

/* What is reserved, or CMA's, must not serve others: only the engine may hand it out again. */
static void test_odd_pageblocks_go_to_the_engine(void **state)
{
	static const enum qr_migratetype types[] = {QR_MIGRATE_CMA, QR_MIGRATE_HIGHATOMIC};
	const int32_t much = 64 * (int32_t)QR_PAGEBLOCK_NR_PAGES;

	(void)state;
	begin(1);
	for (unsigned i = 0; i < 4; i++) {
		struct qr_page *page = take(QR_GFP_HIGHUSER_MOVABLE, QR_PAGEBLOCK_ORDER);
		qr_pfn_t pfn = qr_page_to_pfn(m->q, page);
		unsigned long irqs;

		qr_drain_all_pages(m->q, NULL);
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, QR_MIGRATE_MOVABLE,
						    types[i % 2]) >= 0);
		qr__zone_unlock(zone(), irqs);
		sizes(4, much, much);
		if (i < 2) /* the long way */
			qr_trace_set(m->q, drain_note, NULL, 1u << QR_TP_MM_PAGE_FREE);
		give(page, QR_PAGEBLOCK_ORDER);
		qr_trace_set(m->q, NULL, NULL, 0);
		assert_int_equal(nr_get(QR_MIGRATE_MOVABLE, QR_PAGEBLOCK_ORDER), 0);
		assert_int_equal(nr_put(QR_PAGEBLOCK_ORDER), 1);
		sizes_end();
		irqs = qr__zone_lock(zone());
		assert_true(qr_move_freepages_block(zone(), pfn, types[i % 2],
						    QR_MIGRATE_MOVABLE) >= 0);
		qr__zone_unlock(zone(), irqs);
	}
	end();
}

/* A cache that keeps nothing: what comes is handed out, what is freed goes on. */
static void test_disabled_caches_pass_everything(void **state)
{
	struct qr_page *left;

	(void)state;
	begin_sized(8, 256, 256);
	left = take(QR_GFP_KERNEL, 0);
	give(take(QR_GFP_KERNEL, 0), 0);
	assert_true(count() > 1);
	qr_zone_pcp_disable(zone());
	assert_int_equal(count(), 0);
	assert_int_equal(nr_free(), PAGES - 1);
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		struct qr_page *page = take(QR_GFP_KERNEL, order);

		assert_int_equal(count(), 0);
		assert_int_equal(nr_free(), PAGES - 1 - (UINT64_C(1) << order));
		give(page, order);
		assert_int_equal(count(), 0);
		assert_int_equal(nr_free(), PAGES - 1);
	}
	qr_zone_pcp_enable(zone());
	give(left, 0);
	assert_int_equal(nr_put(0), 1);
	end();
}

/* An order that the instance is told not to cache does not slip in by the short way. */
static void test_huge_pages_may_be_kept_out(void **state)
{
	const unsigned huge = QR_PAGEBLOCK_ORDER;
	struct qr_page *page;

	(void)state;
	for (unsigned on = 0; on < 2; on++) {
		m = test_machine_new();
		test_machine_one_zone(m, PAGES);
		if (!on)
			m->config.options |= QR_OPT_NO_HUGE_PCP;
		test_machine_create(m);
		mag_sizes(8, 1 << 20, 1 << 20);
		page = take(QR_GFP_KERNEL, huge);
		assert_int_equal(nr_get(UNMOVABLE, huge) != 0, on);
		give(page, huge);
		assert_in_range(nr_put(huge), 0, on);
		assert_int_equal(nr_get(UNMOVABLE, huge) != 0, on);
		assert_int_equal(nr_free() == PAGES, !on);
		end();
	}
}

/* Drains ----------------------------------------------------------------------------------- */

/* What was freed goes first, small before large; then what was brought for nothing. */
static void test_drains_go_by_kind_and_order(void **state)
{
	struct qr_page *a, *b, *large;
	uint64_t unused;

	(void)state;
	begin_sized(8, 256, 256);
	a = take(QR_GFP_KERNEL, 0);
	b = take(QR_GFP_KERNEL, 0);
	large = take(QR_GFP_KERNEL, 1);
	unused = (uint64_t)count();
	give(large, 1);
	give(a, 0);
	give(b, 0);
	drains_watch(true);
	drain(0);
	assert_int_equal(drained.nr, 0);
	/* All of a magazine goes, though one page was asked for. */
	drain(1);
	assert_int_equal(drained.nr, 2);
	assert_int_equal(drained.pfns[0], qr_page_to_pfn(m->q, a));
	assert_int_equal(drained.pfns[1], qr_page_to_pfn(m->q, b));
	assert_int_equal(count(), unused + 2);
	drain(1);
	assert_int_equal(drained.nr, 3);
	assert_int_equal(drained.pfns[2], qr_page_to_pfn(m->q, large));
	assert_int_equal(count(), unused);
	drain(1);
	assert_int_equal(nr_get(UNMOVABLE, 0), 0);
	assert_true(nr_get(UNMOVABLE, 1) > 0);
	drain(INT32_MAX);
	assert_int_equal(count(), 0);
	assert_int_equal(nr_free(), PAGES);
	drains_watch(false);
	sizes_end();
	end();
}

/* Whoever calls, all CPUs' caches are emptied, both sides of them. */
static void test_drain_of_all_cpus(void **state)
{
	struct qr_page *kept[3];

	(void)state;
	begin(3);
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		test_cpu_set(cpu);
		kept[cpu] = take(QR_GFP_KERNEL, 0);
		give(take(QR_GFP_HIGHUSER_MOVABLE, 1), 1);
		assert_true(qr__pcp_count_racy(qr__pcp_of(zone(), cpu)) >= 1);
	}
	test_cpu_set(0);
	qr_drain_all_pages(m->q, zone());
	for (unsigned cpu = 0; cpu < 3; cpu++)
		assert_int_equal(qr__pcp_count_racy(qr__pcp_of(zone(), cpu)), 0);
	assert_int_equal(nr_free(), PAGES - 3);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		give(kept[cpu], 0);
	qr_drain_local_pages(m->q, NULL);
	assert_int_equal(count(), 0);
	assert_int_equal(nr_free(), PAGES);
	end();
}

/* Counters --------------------------------------------------------------------------------- */

static void events_are(uint64_t allocated, uint64_t freed, uint64_t hits)
{
	assert_int_equal(qr__pcp_nr_alloc_racy(pcp()), allocated);
	assert_int_equal(qr__pcp_nr_free_racy(pcp()), freed);
	assert_int_equal(qr__pcp_nr_hit_racy(pcp()), hits);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), allocated);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE), freed);
	assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_HIT), hits);
}

/* Refills and drains are no allocations and no frees. */
static void test_counters(void **state)
{
	struct qr_page *pages[10], *block;

	(void)state;
	begin_sized(8, 256, 256);
	events_are(0, 0, 0);
	for (unsigned n = 0; n < 10; n++)
		pages[n] = take(QR_GFP_KERNEL, 0);
	block = take(QR_GFP_HIGHUSER_MOVABLE, 2);
	events_are(14, 0, 11);
	drain(INT32_MAX);
	events_are(14, 0, 11);
	for (unsigned n = 0; n < 10; n++)
		give(pages[n], 0);
	give(block, 2);
	events_are(14, 14, 11);
	drain(4);
	events_are(14, 14, 11);
	take(QR_GFP_KERNEL, 0);
	events_are(15, 14, 12);
	drain(INT32_MAX);
	events_are(15, 14, 12);
	sizes_end();
	end();
}

/* An allocation meant for another node is a miss here, and no hit. */
static void test_misses_are_no_hits(void **state)
{
	const qr_gfp_t all =
		QR_GFP_KERNEL | QR___GFP_THISNODE | QR___GFP_NOWARN | QR___GFP_MEMALLOC;
	struct qr_per_cpu_pages *far;
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_nodes(m, 2, 16 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	far = qr__pcp_of(qr_zone_at(m->q, 1, QR_ZONE_NORMAL), 0);
	while (qr_alloc_pages_node(m->q, 0, all, QR_MAX_PAGE_ORDER))
		;
	assert_int_equal(nr_free(), 0);
	page = take(QR_GFP_KERNEL, 1);
	assert_int_equal(qr_page_nid(m->q, page), 1);
	for (unsigned drained_by_now = 0; drained_by_now < 2; drained_by_now++) {
		assert_int_equal(qr__pcp_nr_alloc_racy(far), 2);
		assert_int_equal(qr__pcp_nr_hit_racy(far), 0);
		assert_int_equal(qr__read(&far->nr_miss), 1);
		assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_MISS), 1);
		assert_int_equal(qr_vm_event(m->q, QR_EV_NUMA_FOREIGN), 1);
		qr_drain_all_pages(m->q, NULL);
	}
	end();
}

/* Each page is free, cached, or somebody's, all the time. */
static void test_conservation(void **state)
{
	uint64_t seed = test_seed(7), held = 0, nr = 0;
	static struct {
		struct qr_page *page;
		unsigned order;
	} mine[200];

	(void)state;
	begin_sized(8, 512, 1024);
	for (unsigned step = 0; step < 5000; step++) {
		unsigned order = (unsigned)test_random_below(&seed, ORDERS);
		bool more = test_random_below(&seed, 2) && nr < 200;

		if (more) {
			mine[nr].page =
				take(step % 3 ? QR_GFP_KERNEL : QR_GFP_HIGHUSER_MOVABLE, order);
			mine[nr++].order = order;
			held += UINT64_C(1) << order;
		} else if (nr) {
			uint64_t i = test_random_below(&seed, nr);

			give(mine[i].page, mine[i].order);
			held -= UINT64_C(1) << mine[i].order;
			mine[i] = mine[--nr];
		}
		if (step % 97 == 0)
			drain((int32_t)test_random_below(&seed, 100));
		assert_int_equal(nr_free() + (uint64_t)count() + held, PAGES);
		if (step % 500 == 0)
			test_machine_check(m);
	}
	sizes_end();
	assert_int_equal(nr_free() + held, PAGES);
	end();
}

/* What may not wait ------------------------------------------------------------------------ */

static void isolate(qr_pfn_t pfn, bool on)
{
	unsigned long irqs = qr__zone_lock(zone());
	uint64_t nr = qr__read(&zone()->nr_isolate_pageblock);

	assert_true(qr_move_freepages_block_isolate(zone(), pfn, on));
	qr__write(&zone()->nr_isolate_pageblock, on ? nr + 1 : nr - 1);
	qr__zone_unlock(zone(), irqs);
}

static void test_isolated_blocks_go_by(void **state)
{
	(void)state;
	begin_sized(8, 1 << 20, 1 << 20);
	for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
		struct qr_page *page = take(QR_GFP_KERNEL, order);
		qr_pfn_t pfn = qr__pageblock_start(qr_page_to_pfn(m->q, page));
		uint64_t freed;

		drain(INT32_MAX);
		isolate(pfn, true);
		freed = qr_vm_event(m->q, QR_EV_PGFREE);
		give(page, order);
		assert_int_equal(count(), 0);
		assert_int_equal(nr_free(), PAGES - QR_PAGEBLOCK_NR_PAGES);
		assert_int_equal(qr_vm_event(m->q, QR_EV_PGFREE) - freed, 1u << order);
		isolate(pfn, false);
		assert_int_equal(nr_free(), PAGES);
	}
	sizes_end();
	end();
}

/* While CMA has free pages, whose turn it is is decided block by block, and never in advance. */
static void test_cma_balance(void **state)
{
	const uint64_t cma = 16 * QR_MAX_ORDER_NR_PAGES, rest = 8 * QR_MAX_ORDER_NR_PAGES;
	uint64_t nr_cma = cma, nr_all = cma + rest;
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, rest);
	test_machine_add(m, rest, cma, 0)->kind = QR_RANGE_RESERVED;
	m->config.zone_limits.normal_end = rest + cma;
	test_machine_create(m);
	for (qr_pfn_t pfn = rest; pfn < rest + cma; pfn += QR_PAGEBLOCK_NR_PAGES)
		assert_int_equal(qr_init_cma_reserved_pageblock(m->q, pfn), 0);
	mag_sizes(8, 256, 256);
	for (unsigned n = 0; n < 40; n++) {
		bool from_cma = nr_cma > nr_all / 2;

		page = take(QR_GFP_HIGHUSER_MOVABLE, 2);
		assert_int_equal(qr_page_to_pfn(m->q, page) >= rest, from_cma);
		nr_all -= 4;
		nr_cma -= from_cma ? 4 : 0;
		assert_int_equal(nr_free(), nr_all - (uint64_t)count());
		if (!count())
			assert_int_equal(qr__read(&zone()->nr_free_cma), nr_cma);
	}
	/* They come by batches, each decided with what was free when its turn came. */
	assert_in_range(qr__read(&pcp()->refills), 3, 20);
	qr_drain_all_pages(m->q, NULL);
	assert_int_equal(qr__read(&zone()->nr_free_cma), nr_cma);
	/* Others fill their magazines, and never with CMA's. */
	page = take(QR_GFP_KERNEL, 0);
	assert_true(nr_get(UNMOVABLE, 0) > 0);
	assert_true(qr_page_to_pfn(m->q, page) < rest);
	assert_int_equal(qr__read(&zone()->nr_free_cma), nr_cma);
	sizes_end();
	end();
}

/* A page that was spoilt while it waited is nobody's: leaked, and not counted as allocated. */
static void test_bad_pages_are_leaked(void **state)
{
	struct qr_page *bad, *page;
	uint64_t waiting;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, PAGES);
	m->config.options |= QR_OPT_CHECK_PAGES;
	test_machine_create(m);
	mag_sizes(8, 256, 256);
	take(QR_GFP_KERNEL, 0);
	waiting = (uint64_t)count();
	bad = &qr__frames(m->q)->pages[qr__ring(mag(), UNMOVABLE, 0)->frames[1]];
	qr__page_set(qr__frames(m->q), bad, QR_PG_LRU);
	page = take(QR_GFP_KERNEL, 0);
	assert_ptr_not_equal(page, bad);
	assert_true(test_log_has(m, "Bad page state"));
	assert_int_equal(qr__page_type(qr__frames(m->q), bad), QR_PT_LEAKED);
	assert_int_equal(count(), waiting - 2);
	events_are(2, 0, 2);
	drain(INT32_MAX);
	events_are(2, 0, 2);
	assert_int_equal(nr_free(), PAGES - 3);
	sizes_end();
	end();
}

/* Freed twice ------------------------------------------------------------------------------ */

/* Put a block that waits here into this CPU's magazine once more, as a race of two frees would. */
static void put_twice(unsigned cpu, struct qr_page *page, unsigned order)
{
	struct qr_per_cpu_pages *to = qr__pcp_of(zone(), cpu);
	struct qr_base *base = qr__base(m->q);
	unsigned long irqs = qr__pcp_lock(base, to);

	qr__magazine_put(&to->mag, (uint32_t)qr__page_index(qr__frames(m->q), page), order);
	qr__pcp_unlock(base, to, irqs);
}

/* In one magazine or in two: the engine says so, and is none the worse. */
static void test_freed_twice_in_a_race(void **state)
{
	(void)state;
	for (unsigned other = 0; other < 2; other++) {
		for (unsigned order = 0; order <= QR_PAGEBLOCK_ORDER; order++) {
			struct qr_page *page, *next;
			char line[64];

			begin(2);
			mag_sizes(8, 1 << 20, 1 << 20);
			page = take(QR_GFP_KERNEL, order);
			next = take(QR_GFP_KERNEL, order);
			give(page, order);
			put_twice(other, page, order);
			if (!other)
				give(next, order);
			test_log_clear(m);
			qr_drain_all_pages(m->q, NULL);
			snprintf(line, sizeof(line), "pfn %#llx, order %u, refused",
				 (unsigned long long)qr_page_to_pfn(m->q, page), order);
			assert_true(test_log_has(m, line));
			assert_true(test_log_has(m, "freed twice at the same moment"));
			assert_int_equal(m->nr_lines[QR_LOG_ERR], 1);
			assert_int_equal(nr_free(), PAGES - (other ? 1u << order : 0));
			test_machine_check(m);
			sizes_end();
			end();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rooms_do_not_overlap),
		bitmap_unit_test(test_refills_double_in_a_row),
		bitmap_unit_test(test_refills_of_each_order),
		bitmap_unit_test(test_refills_double_from_one),
		bitmap_unit_test(test_refills_keep_to_high),
		bitmap_unit_test(test_types_do_not_mix),
		bitmap_unit_test(test_freed_blocks_go_to_the_engine_first),
		bitmap_unit_test(test_whole_pageblocks_come_back),
		bitmap_unit_test(test_odd_pageblocks_go_to_the_engine),
		bitmap_unit_test(test_a_drain_tells_what_became_of_it),
		bitmap_unit_test(test_put_limit),
		bitmap_unit_test(test_full_magazines_halve_the_factor),
		bitmap_unit_test(test_short_zones_get_batches_back),
		bitmap_unit_test(test_disabled_caches_pass_everything),
		bitmap_unit_test(test_huge_pages_may_be_kept_out),
		bitmap_unit_test(test_drains_go_by_kind_and_order),
		bitmap_unit_test(test_drain_of_all_cpus),
		bitmap_unit_test(test_counters),
		bitmap_unit_test(test_misses_are_no_hits),
		bitmap_unit_test(test_conservation),
		bitmap_unit_test(test_isolated_blocks_go_by),
		bitmap_unit_test(test_cma_balance),
		bitmap_unit_test(test_bad_pages_are_leaked),
		bitmap_unit_test(test_freed_twice_in_a_race),
	};

	return test_group_run("magazine", tests);
}
