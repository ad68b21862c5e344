/* SPDX-License-Identifier: MIT */
/*
 * test_watermark.c - marks, reserves, boosts, the test; the formulas against published vectors
 */
#include "support.h"

#include "alloc/pcp.h"
#include "base/bits.h"

static struct test_machine *m;

static struct qr_allocator *alloc(void)
{
	return qr__allocator(m->q);
}

static struct qr_zone *zone(enum qr_zone_type type)
{
	return qr_zone_at(m->q, 0, type);
}

/* The formulas ----------------------------------------------------------------------------- */

static void test_min_free_kbytes(void **state)
{
	static const struct {
		uint64_t lowmem_mib, kbytes;
	} rows[] = {
		{0, 128},          {8, 362},           {16, 512},       {32, 724},
		{64, 1024},        {128, 1448},        {256, 2048},     {512, 2896},
		{1024, 4096},      {2048, 5792},       {4096, 8192},    {8192, 11585},
		{16384, 16384},    {65536, 32768},     {262144, 65536}, {1048576, 131072},
		{4194304, 262144}, {16777216, 262144},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(qr__min_free_kbytes_for(rows[i].lowmem_mib * 1024),
				 rows[i].kbytes);
}

static void test_stat_threshold(void **state)
{
	static const struct {
		uint64_t managed;
		unsigned cpus, threshold;
	} rows[] = {{16384, 2, 4},     {262144, 1, 10},    {262144, 8, 40},
		    {1500000, 16, 70}, {8000000, 64, 125}, {0, 1, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(qr__stat_threshold_for(rows[i].managed, rows[i].cpus),
				 rows[i].threshold);
}

static void test_highatomic_limit(void **state)
{
	static const struct {
		uint64_t managed, limit;
	} rows[] = {{0, 0},        {51199, 0},     {51200, 512},
		    {51300, 1024}, {262144, 3072}, {1500000, 15360}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(qr__highatomic_limit(rows[i].managed), rows[i].limit);
}

/* Machines whose zones say what we want ------------------------------------------------------ */

static uint64_t true_managed[QR_NR_ZONES];

/* A PC that has all of the zones DMA, DMA32, Normal; what they manage is told afterwards. */
static void begin(uint64_t dma, uint64_t dma32, uint64_t normal, uint64_t movable)
{
	const uint64_t told[QR_NR_ZONES] = {
		[QR_ZONE_DMA] = dma,
		[QR_ZONE_DMA32] = dma32,
		[QR_ZONE_NORMAL] = normal,
		[QR_ZONE_MOVABLE] = movable,
	};

	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 20);
	m->config.movable.movablecore_percent = 10;
	test_machine_create(m);
	for (unsigned i = 0; i < QR_NR_ZONES; i++) {
		struct qr_zone *z = zone((enum qr_zone_type)i);

		true_managed[i] = qr__read(&z->managed_pages);
		qr__write(&z->managed_pages, told[i]);
		for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
			qr__write(&z->watermark[mark], 0);
	}
}

static void recompute(void)
{
	qr__lock(qr__alloc_base(alloc()), &alloc()->tunables_lock);
	qr__init_per_zone_wmark_min(alloc());
	qr__unlock(qr__alloc_base(alloc()), &alloc()->tunables_lock);
}

static void end(void)
{
	for (unsigned i = 0; i < QR_NR_ZONES; i++)
		qr__write(&zone((enum qr_zone_type)i)->managed_pages, true_managed[i]);
	recompute();
	test_machine_free(m);
}

static void assert_marks(enum qr_zone_type type, uint64_t min, uint64_t low, uint64_t high,
			 uint64_t promo)
{
	const uint64_t want[QR_NR_WMARK] = {min, low, high, promo};

	for (unsigned mark = 0; mark < QR_NR_WMARK; mark++)
		if (qr_zone_watermark(zone(type), (enum qr_watermark)mark) != want[mark])
			fail_msg("zone %s mark %u: %llu, not %llu", qr_zone_type_name(type), mark,
				 (unsigned long long)qr_zone_watermark(zone(type),
								       (enum qr_watermark)mark),
				 (unsigned long long)want[mark]);
}

static int64_t min_free_kbytes(void)
{
	int64_t value;

	assert_int_equal(qr_tunable_get(m->q, QR_TUNE_MIN_FREE_KBYTES, &value), 0);
	return value;
}

static void test_marks_of_one_zone(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	assert_int_equal(min_free_kbytes(), 4096);
	assert_marks(QR_ZONE_NORMAL, 1024, 1286, 1548, 1810);
	/* What a zone does not have it need not protect. */
	for (unsigned j = 0; j < QR_NR_ZONES; j++)
		assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->lowmem_reserve[j]), 0);
	end();
}

static void test_A29_recomputation_is_not_idempotent(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	recompute();
	assert_int_equal(min_free_kbytes(), 4083);
	assert_marks(QR_ZONE_NORMAL, 1020, 1282, 1544, 1806);
	end();
}

static void test_marks_of_three_zones(void **state)
{
	(void)state;
	begin(3840, 500000, 1500000, 0);
	recompute();
	assert_int_equal(min_free_kbytes(), 11324);
	assert_marks(QR_ZONE_DMA, 5, 8, 11, 14);
	assert_marks(QR_ZONE_DMA32, 706, 1206, 1706, 2206);
	assert_marks(QR_ZONE_NORMAL, 2119, 3619, 5119, 6619);
	assert_marks(QR_ZONE_MOVABLE, 32, 32, 32, 32);
	end();
}

static void test_movable_takes_no_share(void **state)
{
	(void)state;
	begin(3840, 500000, 1500000, 1000000);
	recompute();
	assert_int_equal(min_free_kbytes(), 11324);
	assert_marks(QR_ZONE_NORMAL, 2119, 3619, 5119, 6619);
	assert_marks(QR_ZONE_MOVABLE, 128, 1128, 2128, 3128);
	end();
}

static void assert_reserve(enum qr_zone_type type, const uint64_t want[QR_NR_ZONES])
{
	for (unsigned j = 0; j < QR_NR_ZONES; j++)
		assert_int_equal(qr__read(&zone(type)->lowmem_reserve[j]), want[j]);
}

static void test_A6_reserves_with_an_empty_zone(void **state)
{
	static const uint64_t dma[QR_NR_ZONES] = {0, 1953, 7812, 7812, 7812, 7812};
	static const uint64_t dma32[QR_NR_ZONES] = {0, 0, 5859, 5859, 5859, 5859};
	static const uint64_t none[QR_NR_ZONES] = {0};

	(void)state;
	begin(3840, 500000, 1500000, 0);
	recompute();
	assert_reserve(QR_ZONE_DMA, dma);
	assert_reserve(QR_ZONE_DMA32, dma32);
	assert_reserve(QR_ZONE_NORMAL, none);
	assert_reserve(QR_ZONE_MOVABLE, none);
	end();
}

static void test_reserves_with_movable(void **state)
{
	static const uint64_t dma[QR_NR_ZONES] = {0, 1953, 7812, 7812, 11718, 11718};
	static const uint64_t dma32[QR_NR_ZONES] = {0, 0, 5859, 5859, 9765, 9765};
	static const uint64_t normal[QR_NR_ZONES] = {0, 0, 0, 0, 31250, 31250};

	(void)state;
	begin(3840, 500000, 1500000, 1000000);
	recompute();
	assert_reserve(QR_ZONE_DMA, dma);
	assert_reserve(QR_ZONE_DMA32, dma32);
	assert_reserve(QR_ZONE_NORMAL, normal);
	end();
}

static void test_totalreserve(void **state)
{
	(void)state;
	begin(3840, 500000, 1500000, 0);
	recompute();
	/* DMA would keep 7812 + 11, more than it has. */
	assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->node->totalreserve_pages),
			 3840 + (5859 + 1706) + 5119);
	end();
}

static void test_node_ratios(void **state)
{
	(void)state;
	begin(3840, 500000, 1500000, 0);
	recompute();
	assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->node->min_unmapped_pages), 38 + 5000 + 15000);
	assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->node->min_slab_pages), 192 + 25000 + 75000);
	end();
}

static void test_drift_mark(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	/* One CPU's 10 pages are less than the 262 between LOW and MIN. */
	assert_int_equal(atomic_load(&zone(QR_ZONE_NORMAL)->stat_threshold), 10);
	assert_int_equal(qr__read(&zone(QR_ZONE_NORMAL)->percpu_drift_mark), 0);
	/* In zone DMA 3 pages lie between, and the threshold is 2; in an empty one nothing. */
	assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->percpu_drift_mark), 2);
	end();
}

/* What the user said ------------------------------------------------------------------------ */

static void test_user_min_free_kbytes_stands(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_MIN_FREE_KBYTES, 8192), 0);
	assert_marks(QR_ZONE_NORMAL, 2048, 2560, 3072, 3584);
	recompute();
	assert_int_equal(min_free_kbytes(), 8192);
	assert_true(test_log_has(m, "min_free_kbytes stays at 8192"));
	/* With more memory more is needed than the user asked for. */
	qr__write(&zone(QR_ZONE_NORMAL)->managed_pages, UINT64_C(1) << 22);
	recompute();
	assert_in_range(min_free_kbytes(), 16300, 16384);
	end();
}

static void test_scale_factor(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_SCALE_FACTOR, 1000), 0);
	assert_marks(QR_ZONE_NORMAL, 1024, 1024 + 26214, 1024 + 2 * 26214, 1024 + 3 * 26214);
	end();
}

/* Boost ------------------------------------------------------------------------------------ */

static bool boost(struct qr_zone *z)
{
	unsigned long irqs = qr__zone_lock(z);
	bool boosted = qr_boost_watermark(z);

	qr__zone_unlock(z, irqs);
	return boosted;
}

static uint64_t boost_of(struct qr_zone *z)
{
	return qr__read(&z->watermark_boost);
}

static void test_boost_goes_in_steps_up_to_a_cap(void **state)
{
	static const uint64_t steps[] = {512, 1024, 1536, 2048, 2322, 2322};
	static const uint64_t caps[][2] = {{100, 512}, {1548, 2322}, {20000, 30000}};
	struct qr_zone *z;

	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	z = zone(QR_ZONE_NORMAL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_true(boost(z));
		assert_int_equal(boost_of(z), steps[i]);
	}
	assert_marks(QR_ZONE_NORMAL, 1024 + 2322, 1286 + 2322, 1548 + 2322, 1810 + 2322);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		qr__write(&z->watermark_boost, 0);
		qr__write(&z->watermark[QR_WMARK_HIGH], caps[i][0]);
		for (unsigned n = 0; n < 100; n++)
			boost(z);
		assert_int_equal(boost_of(z), caps[i][1]);
	}
	end();
}

static void test_A14_small_zones_are_not_boosted(void **state)
{
	(void)state;
	begin(0, 0, 2047, 0);
	recompute();
	assert_false(boost(zone(QR_ZONE_NORMAL)));
	assert_int_equal(boost_of(zone(QR_ZONE_NORMAL)), 0);
	qr__write(&zone(QR_ZONE_NORMAL)->managed_pages, 2048);
	assert_true(boost(zone(QR_ZONE_NORMAL)));
	end();
}

static void test_A15_no_boost_before_marks_are_set(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	assert_false(boost(zone(QR_ZONE_NORMAL)));
	assert_int_equal(boost_of(zone(QR_ZONE_NORMAL)), 0);
	end();
}

static void test_boost_ends_with_new_marks(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	assert_true(boost(zone(QR_ZONE_NORMAL)));
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_SCALE_FACTOR, 10), 0);
	assert_int_equal(boost_of(zone(QR_ZONE_NORMAL)), 0);
	end();
}

static void test_boost_factor_0(void **state)
{
	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_BOOST_FACTOR, 0), 0);
	assert_false(boost(zone(QR_ZONE_NORMAL)));
	end();
}

/* The test --------------------------------------------------------------------------------- */

/* The lowest number of free pages that passes. */
static int64_t limit_of(unsigned order, uint64_t mark, unsigned flags)
{
	for (int64_t nr = 0;; nr++)
		if (qr___zone_watermark_ok(zone(QR_ZONE_NORMAL), order, mark, QR_ZONE_NORMAL, flags,
					   nr))
			return nr;
}

static void test_how_deep_requests_may_go(void **state)
{
	static const struct {
		unsigned order, flags;
		int64_t limit;
	} rows[] = {
		{0, 0, 1024},
		{0, QR_ALLOC_NON_BLOCK, 1024},
		{0, QR_ALLOC_MIN_RESERVE, 512},
		{0, QR_ALLOC_MIN_RESERVE | QR_ALLOC_NON_BLOCK, 384},
		{0, QR_ALLOC_OOM, 512},
		{0, QR_ALLOC_MIN_RESERVE | QR_ALLOC_NON_BLOCK | QR_ALLOC_OOM, 192},
		{0, QR_ALLOC_HIGHATOMIC, 1024},
		{3, 0, 1024 + 7},
		{3, QR_ALLOC_MIN_RESERVE, 512 + 7},
	};

	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(limit_of(rows[i].order, 1024, rows[i].flags), rows[i].limit + 1);
	assert_true(qr___zone_watermark_ok(zone(QR_ZONE_NORMAL), 0, 1024, QR_ZONE_NORMAL, 0, 1030));
	assert_false(
		qr___zone_watermark_ok(zone(QR_ZONE_NORMAL), 3, 1024, QR_ZONE_NORMAL, 0, 1030));
	end();
}

static void test_lowmem_reserve_counts(void **state)
{
	struct qr_zone *dma32;

	(void)state;
	begin(3840, 500000, 1500000, 0);
	recompute();
	dma32 = zone(QR_ZONE_DMA32);
	assert_true(qr___zone_watermark_ok(dma32, 0, 706, QR_ZONE_DMA32, 0, 707));
	assert_false(qr___zone_watermark_ok(dma32, 0, 706, QR_ZONE_NORMAL, 0, 706 + 5859));
	assert_true(qr___zone_watermark_ok(dma32, 0, 706, QR_ZONE_NORMAL, 0, 707 + 5859));
	/* An empty zone on top changes nothing. */
	assert_false(qr___zone_watermark_ok(dma32, 0, 706, QR_ZONE_MOVABLE, 0, 706 + 5859));
	end();
}

static void test_A8_only_free_highatomic_pages_count(void **state)
{
	struct qr_zone *z;

	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	z = zone(QR_ZONE_NORMAL);
	qr__write(&z->nr_reserved_highatomic, 2048);
	assert_int_equal(limit_of(0, 1024, 0), 1025);
	qr__write(&z->nr_free_highatomic, 100);
	assert_int_equal(limit_of(0, 1024, 0), 1125);
	assert_int_equal(limit_of(0, 1024, QR_ALLOC_MIN_RESERVE), 513);
	assert_true(qr_zone_watermark_fast(z, 0, qr__read(&z->nr_free_pages) - 101, QR_ZONE_NORMAL,
					   0, 0));
	assert_false(qr_zone_watermark_fast(z, 0, qr__read(&z->nr_free_pages) - 100, QR_ZONE_NORMAL,
					    0, 0));
	qr__write(&z->nr_free_highatomic, 0);
	qr__write(&z->nr_reserved_highatomic, 0);
	end();
}

static void test_free_cma_counts_for_those_who_may(void **state)
{
	struct qr_zone *z;

	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	z = zone(QR_ZONE_NORMAL);
	qr__write(&z->nr_free_cma, 50);
	assert_int_equal(limit_of(0, 1024, 0), 1075);
	assert_int_equal(limit_of(0, 1024, QR_ALLOC_CMA), 1025);
	assert_true(qr_zone_watermark_fast(z, 0, qr__read(&z->nr_free_pages) - 1, QR_ZONE_NORMAL,
					   QR_ALLOC_CMA, 0));
	assert_false(qr_zone_watermark_fast(z, 0, qr__read(&z->nr_free_pages) - 1, QR_ZONE_NORMAL,
					    0, 0));
	qr__write(&z->nr_free_cma, 0);
	end();
}

static void test_A16_boost_does_not_stop_the_privileged(void **state)
{
	const unsigned atomic = QR_ALLOC_WMARK_MIN | QR_ALLOC_MIN_RESERVE;
	struct qr_zone *z;
	uint64_t nr_free, mark;

	(void)state;
	begin(0, 0, 262144, 0);
	recompute();
	z = zone(QR_ZONE_NORMAL);
	nr_free = qr__read(&z->nr_free_pages);
	/* Free pages lie between half of MIN and half of MIN with the boost. */
	qr__write(&z->watermark_boost, 4 * nr_free);
	mark = qr__wmark_pages(z, QR_WMARK_MIN);
	assert_true(qr_zone_watermark_fast(z, 0, mark, QR_ZONE_NORMAL, atomic, 0));
	assert_false(qr_zone_watermark_fast(z, 0, mark, QR_ZONE_NORMAL, QR_ALLOC_WMARK_MIN, 0));
	assert_false(qr_zone_watermark_fast(z, 1, mark, QR_ZONE_NORMAL, atomic, 0));
	assert_false(qr_zone_watermark_fast(z, 0, qr__wmark_pages(z, QR_WMARK_LOW), QR_ZONE_NORMAL,
					    QR_ALLOC_WMARK_LOW | QR_ALLOC_MIN_RESERVE, 0));
	/* Without a boost the plain mark is not tried again. */
	qr__write(&z->watermark_boost, 0);
	qr__write(&z->watermark[QR_WMARK_MIN], 0);
	assert_false(qr_zone_watermark_fast(z, 0, 4 * nr_free, QR_ZONE_NORMAL, atomic, 0));
	end();
}

static void test_blocks_must_exist(void **state)
{
	struct qr_zone *z;

	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, 8 * QR_MAX_ORDER_NR_PAGES);
	test_machine_create(m);
	z = zone(QR_ZONE_NORMAL);
	assert_true(qr_zone_watermark_ok(z, QR_MAX_PAGE_ORDER, 0, QR_ZONE_NORMAL, 0));
	assert_false(qr_zone_watermark_ok(z, QR_MAX_PAGE_ORDER + 1, 0, QR_ZONE_NORMAL, 0));
	/* All that is free is in the reserve: for those alone who may use it. */
	for (unsigned i = 0; i < 8; i++) {
		unsigned long irqs = qr__zone_lock(z);
		struct qr_block block;

		assert_true(z->ops->first(z, QR_MAX_PAGE_ORDER, QR_MIGRATE_MOVABLE, &block));
		z->ops->take_block(z, block, block.order, QR_MIGRATE_MOVABLE);
		for (qr_pfn_t pfn = 0; pfn < QR_MAX_ORDER_NR_PAGES; pfn += QR_PAGEBLOCK_NR_PAGES)
			qr__pageblock_type_set_locked(z, block.pfn + pfn, QR_MIGRATE_HIGHATOMIC);
		z->ops->give(z, block.pfn, block.order, QR_MIGRATE_HIGHATOMIC, QR_END_COLD);
		qr__write(&z->nr_reserved_highatomic,
			  qr__read(&z->nr_reserved_highatomic) + QR_MAX_ORDER_NR_PAGES);
		qr__zone_unlock(z, irqs);
	}
	assert_false(qr___zone_watermark_ok(z, 1, 0, QR_ZONE_NORMAL, QR_ALLOC_MIN_RESERVE, 9000));
	assert_false(qr___zone_watermark_ok(z, 1, 0, QR_ZONE_NORMAL, QR_ALLOC_NON_BLOCK, 9000));
	assert_true(qr___zone_watermark_ok(z, 1, 0, QR_ZONE_NORMAL, QR_ALLOC_HIGHATOMIC, 9000));
	assert_true(qr___zone_watermark_ok(z, 1, 0, QR_ZONE_NORMAL, QR_ALLOC_OOM, 9000));
	test_machine_free(m);
}

/* Memory comes and goes --------------------------------------------------------------------- */

static void test_A7_managed_pages_move_the_reserves(void **state)
{
	uint64_t before;
	struct qr_page *page;

	(void)state;
	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 20);
	test_machine_create(m);
	before = qr__read(&zone(QR_ZONE_DMA)->lowmem_reserve[QR_ZONE_NORMAL]);
	page = qr_alloc_pages(m->q, QR_GFP_DMA32, 0);
	assert_non_null(page);
	assert_int_equal(qr_page_zone_type(m->q, page), QR_ZONE_DMA32);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page, -25600), 0);
	assert_int_equal(qr__read(&zone(QR_ZONE_DMA)->lowmem_reserve[QR_ZONE_NORMAL]),
			 before - 100);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page, 25600), 0);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_mobility_needs_memory(void **state)
{
	const uint64_t needed = QR_PAGEBLOCK_NR_PAGES * QR_MIGRATE_TYPES;

	(void)state;
	begin(0, 0, needed, 0);
	qr__mobility_evaluate(alloc());
	assert_false(atomic_load(&alloc()->frames.mobility_disabled));
	/* What is set aside does not count. */
	qr__write(&zone(QR_ZONE_NORMAL)->watermark[QR_WMARK_HIGH], 1);
	qr__mobility_evaluate(alloc());
	assert_true(atomic_load(&alloc()->frames.mobility_disabled));
	qr__write(&zone(QR_ZONE_MOVABLE)->managed_pages, 1);
	qr__mobility_evaluate(alloc());
	assert_false(atomic_load(&alloc()->frames.mobility_disabled));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_min_free_kbytes),
		cmocka_unit_test(test_stat_threshold),
		cmocka_unit_test(test_highatomic_limit),
		cmocka_unit_test(test_marks_of_one_zone),
		cmocka_unit_test(test_A29_recomputation_is_not_idempotent),
		cmocka_unit_test(test_marks_of_three_zones),
		cmocka_unit_test(test_movable_takes_no_share),
		cmocka_unit_test(test_A6_reserves_with_an_empty_zone),
		cmocka_unit_test(test_reserves_with_movable),
		cmocka_unit_test(test_totalreserve),
		cmocka_unit_test(test_node_ratios),
		cmocka_unit_test(test_drift_mark),
		cmocka_unit_test(test_user_min_free_kbytes_stands),
		cmocka_unit_test(test_scale_factor),
		cmocka_unit_test(test_boost_goes_in_steps_up_to_a_cap),
		cmocka_unit_test(test_A14_small_zones_are_not_boosted),
		cmocka_unit_test(test_A15_no_boost_before_marks_are_set),
		cmocka_unit_test(test_boost_ends_with_new_marks),
		cmocka_unit_test(test_boost_factor_0),
		cmocka_unit_test(test_how_deep_requests_may_go),
		cmocka_unit_test(test_lowmem_reserve_counts),
		cmocka_unit_test(test_A8_only_free_highatomic_pages_count),
		cmocka_unit_test(test_free_cma_counts_for_those_who_may),
		cmocka_unit_test(test_A16_boost_does_not_stop_the_privileged),
		cmocka_unit_test(test_blocks_must_exist),
		cmocka_unit_test(test_A7_managed_pages_move_the_reserves),
		cmocka_unit_test(test_mobility_needs_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
