/* SPDX-License-Identifier: MIT */
/*
 * test_gfp.c - what gfp masks mean
 */
#include "alloc/allocator.h"
#include "hoard.h"

/* A PC with all zones but HighMem, and zone Movable. */
static struct test_machine *pc_new(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_pc(m, UINT64_C(6) << 18);
	m->config.movable.movablecore_pages = UINT64_C(1) << 17;
	test_machine_create(m);
	return m;
}

struct vector {
	const char *name;
	qr_gfp_t gfp;
	enum qr_zone_type zone;
	enum qr_migratetype type;
};

static const struct vector pc_vectors[] = {
	{"KERNEL", QR_GFP_KERNEL, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
	{"USER", QR_GFP_USER, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
	{"HIGHUSER", QR_GFP_HIGHUSER, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
	{"HIGHUSER_MOVABLE", QR_GFP_HIGHUSER_MOVABLE, QR_ZONE_MOVABLE, QR_MIGRATE_MOVABLE},
	{"TRANSHUGE", QR_GFP_TRANSHUGE, QR_ZONE_MOVABLE, QR_MIGRATE_MOVABLE},
	{"MOVABLE", QR___GFP_MOVABLE, QR_ZONE_NORMAL, QR_MIGRATE_MOVABLE},
	{"KERNEL|RECLAIMABLE", QR_GFP_KERNEL | QR___GFP_RECLAIMABLE, QR_ZONE_NORMAL,
	 QR_MIGRATE_RECLAIMABLE},
	{"DMA", QR_GFP_DMA, QR_ZONE_DMA, QR_MIGRATE_UNMOVABLE},
	{"DMA|MOVABLE", QR_GFP_DMA | QR___GFP_MOVABLE, QR_ZONE_DMA, QR_MIGRATE_MOVABLE},
	{"DMA32", QR_GFP_DMA32, QR_ZONE_DMA32, QR_MIGRATE_UNMOVABLE},
	{"DMA32|MOVABLE", QR_GFP_DMA32 | QR___GFP_MOVABLE, QR_ZONE_DMA32, QR_MIGRATE_MOVABLE},
	{"DMA32|RECLAIMABLE", QR_GFP_DMA32 | QR___GFP_RECLAIMABLE, QR_ZONE_DMA32,
	 QR_MIGRATE_RECLAIMABLE},
	{"HIGHMEM|RECLAIMABLE", QR___GFP_HIGHMEM | QR___GFP_RECLAIMABLE, QR_ZONE_NORMAL,
	 QR_MIGRATE_RECLAIMABLE},
};

static void vectors_check(struct quire *q, const struct vector *vectors, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct vector *v = &vectors[i];

		if (qr_gfp_zone(q, v->gfp) != v->zone)
			fail_msg("%s: zone %s", v->name, qr_zone_type_name(qr_gfp_zone(q, v->gfp)));
		if (qr_gfp_migratetype(q, v->gfp) != v->type)
			fail_msg("%s: type %s", v->name,
				 qr_migratetype_name(qr_gfp_migratetype(q, v->gfp)));
	}
}

static void test_zones_and_types_of_a_pc(void **state)
{
	struct test_machine *m = pc_new();

	(void)state;
	vectors_check(m->q, pc_vectors, QR_ARRAY_SIZE(pc_vectors));
	test_machine_free(m);
}

/* Zones that are not there: everything falls to Normal, and MOVABLE|HIGHMEM still to Movable. */
static void test_zones_that_are_not_there(void **state)
{
	static const struct vector vectors[] = {
		{"DMA", QR_GFP_DMA, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
		{"DMA32", QR_GFP_DMA32, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
		{"HIGHMEM", QR___GFP_HIGHMEM, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
		{"HIGHUSER_MOVABLE", QR_GFP_HIGHUSER_MOVABLE, QR_ZONE_MOVABLE, QR_MIGRATE_MOVABLE},
	};
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_one_zone(m, 16 * QR_PAGEBLOCK_NR_PAGES);
	test_machine_create(m);
	vectors_check(m->q, vectors, QR_ARRAY_SIZE(vectors));
	test_machine_free(m);
}

static void test_highmem(void **state)
{
	static const struct vector vectors[] = {
		{"HIGHMEM", QR___GFP_HIGHMEM, QR_ZONE_HIGHMEM, QR_MIGRATE_UNMOVABLE},
		{"KERNEL", QR_GFP_KERNEL, QR_ZONE_NORMAL, QR_MIGRATE_UNMOVABLE},
		{"HIGHUSER_MOVABLE", QR_GFP_HIGHUSER_MOVABLE, QR_ZONE_MOVABLE, QR_MIGRATE_MOVABLE},
	};
	struct test_machine *m = test_machine_new();
	qr_pfn_t half = 32 * QR_MAX_ORDER_NR_PAGES;
	struct qr_page *page;

	(void)state;
	test_machine_add(m, 0, 2 * half, 0);
	m->config.zone_limits =
		(struct qr_zone_limits){.normal_end = half, .highmem_end = 2 * half};
	test_machine_create(m);
	vectors_check(m->q, vectors, QR_ARRAY_SIZE(vectors));
	page = qr_alloc_pages(m->q, QR_GFP_HIGHUSER, 0);
	assert_int_equal(qr_page_zone_type(m->q, page), QR_ZONE_HIGHMEM);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_composites(void **state)
{
	(void)state;
	assert_int_equal(QR_GFP_KERNEL, 0xcc0);
	assert_int_equal(QR_GFP_KERNEL_ACCOUNT, 0x400cc0);
	assert_int_equal(QR_GFP_ATOMIC, 0x820);
	assert_int_equal(QR_GFP_NOWAIT, 0x2800);
	assert_int_equal(QR_GFP_NOIO, 0xc00);
	assert_int_equal(QR_GFP_NOFS, 0xc40);
	assert_int_equal(QR_GFP_USER, 0x100cc0);
	assert_int_equal(QR_GFP_HIGHUSER, 0x100cc2);
	assert_int_equal(QR_GFP_HIGHUSER_MOVABLE, 0x100cca);
	assert_int_equal(QR_GFP_TRANSHUGE_LIGHT, 0x1c20ca);
	assert_int_equal(QR_GFP_TRANSHUGE, 0x1c24ca);
}

/* Every mask of low bits: legal unless it has two zones or two types. */
static void test_validity(void **state)
{
	const char *why;

	(void)state;
	for (qr_gfp_t bits = 0; bits < 32; bits++) {
		unsigned zones = (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1);
		bool legal = zones <= 1 && (bits & 0x18) != 0x18;

		assert_int_equal(qr_gfp_valid(bits, &why), legal);
		assert_int_equal(*why == '\0', legal);
		assert_int_equal(qr_gfp_valid(bits | QR_GFP_KERNEL, NULL), legal);
	}
	assert_false(qr_gfp_valid(0x200, &why));
	assert_non_null(strstr(why, "bit"));
	assert_false(qr_gfp_valid(0x1000000, &why));
	assert_true(qr_gfp_valid(QR_GFP_BITS_MASK & ~(qr_gfp_t)0x16, &why));
	assert_false(qr_gfp_valid(QR___GFP_DMA | QR___GFP_HIGHMEM, &why));
	assert_non_null(strstr(why, "DMA"));
	assert_false(qr_gfp_valid(QR_GFP_MOVABLE_MASK, &why));
	assert_non_null(strstr(why, "RECLAIMABLE"));
}

/* An illegal request fails with one sentence, or silently if it has NOWARN; nothing changes. */
static void test_illegal_requests_are_refused(void **state)
{
	static const struct {
		qr_gfp_t gfp;
		unsigned order;
		int nid;
		const char *says;
	} bad[] = {
		{QR_GFP_KERNEL | 0x200, 0, 0, "0xec0"},
		{QR_GFP_KERNEL | 0x80000000, 0, 0, "illegal"},
		{QR___GFP_DMA | QR___GFP_DMA32, 0, 0, "two of the zones"},
		{QR___GFP_MOVABLE | QR___GFP_RECLAIMABLE, 0, 0, "migratetype"},
		{QR_GFP_KERNEL, QR_MAX_PAGE_ORDER + 1, 0, "above the largest"},
		{QR_GFP_KERNEL, ~0u, 0, "4294967295"},
		{QR_GFP_KERNEL, 0, 1, "no node 1"},
		{QR_GFP_KERNEL, 0, -2, "no node -2"},
	};
	struct test_machine *m = test_machine_new();
	uint64_t nr_free;

	(void)state;
	test_machine_one_zone(m, 16 * QR_PAGEBLOCK_NR_PAGES);
	test_machine_create(m);
	nr_free = zone_free(m->q, 0, QR_ZONE_NORMAL);
	for (size_t i = 0; i < QR_ARRAY_SIZE(bad); i++) {
		struct qr_page *slot = NULL;

		test_log_clear(m);
		assert_null(qr___alloc_pages(m->q, bad[i].gfp, bad[i].order, bad[i].nid, NULL));
		if (!test_log_has(m, bad[i].says))
			fail_msg("%zu: no \"%s\" in \"%s\"", i, bad[i].says, m->log);
		test_log_clear(m);
		assert_null(qr___alloc_pages(m->q, bad[i].gfp | QR___GFP_NOWARN, bad[i].order,
					     bad[i].nid, NULL));
		assert_string_equal(m->log, "");
		if (bad[i].order == 0) {
			assert_int_equal(
				qr_alloc_pages_bulk(m->q, bad[i].gfp, bad[i].nid, NULL, 1, &slot),
				0);
			assert_null(slot);
			assert_true(test_log_has(m, bad[i].says));
		}
	}
	assert_int_equal(zone_free(m->q, 0, QR_ZONE_NORMAL), nr_free);
	assert_true(alloc_stats(m->q).alloc_failed >= 2 * QR_ARRAY_SIZE(bad));
	test_machine_free(m);
}

/* Too little memory to group by mobility: every request is UNMOVABLE. */
static void test_no_mobility_grouping(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_one_zone(m, (QR_MIGRATE_TYPES - 1) * QR_PAGEBLOCK_NR_PAGES);
	test_machine_create(m);
	assert_int_equal(qr_gfp_migratetype(m->q, QR_GFP_HIGHUSER_MOVABLE), QR_MIGRATE_UNMOVABLE);
	assert_int_equal(qr_gfp_migratetype(m->q, QR___GFP_RECLAIMABLE), QR_MIGRATE_UNMOVABLE);
	/* Grouping or not, what is illegal stays illegal. */
	assert_int_equal(qr_gfp_migratetype(m->q, QR_GFP_MOVABLE_MASK), QR_MIGRATE_TYPES);
	test_machine_free(m);
}

/* Scopes ----------------------------------------------------------------------------------- */

static qr_gfp_t seen_gfp;

static void gfp_note(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx;
	if (event->id == QR_TP_MM_PAGE_ALLOC)
		seen_gfp = event->gfp;
}

static qr_gfp_t gfp_as_served(struct quire *q, qr_gfp_t gfp, uint32_t task_flags)
{
	struct qr_task task = {.flags = task_flags};
	struct qr_page *page;

	test_task_set(&task);
	page = qr_alloc_pages(q, gfp, 0);
	test_task_set(NULL);
	assert_non_null(page);
	qr___free_pages(q, page, 0);
	return seen_gfp;
}

static void test_scopes(void **state)
{
	const uint32_t noio = QR_TASK_MEMALLOC_NOIO, nofs = QR_TASK_MEMALLOC_NOFS;
	const qr_gfp_t movable = QR_GFP_HIGHUSER_MOVABLE;
	struct test_machine *m = pc_new();
	struct quire *q = m->q;

	(void)state;
	qr_trace_set(q, gfp_note, NULL, UINT64_C(1) << QR_TP_MM_PAGE_ALLOC);
	assert_int_equal(gfp_as_served(q, QR_GFP_KERNEL, 0), QR_GFP_KERNEL);
	assert_int_equal(gfp_as_served(q, QR_GFP_KERNEL, noio), QR_GFP_NOIO);
	assert_int_equal(gfp_as_served(q, QR_GFP_KERNEL, nofs), QR_GFP_NOFS);
	assert_int_equal(gfp_as_served(q, QR_GFP_KERNEL, noio | nofs), QR_GFP_NOIO);
	assert_int_equal(gfp_as_served(q, movable, QR_TASK_MEMALLOC_PIN), QR_GFP_HIGHUSER);
	/* An interrupt is not bound by the scope of the task it interrupts. */
	assert_int_equal(gfp_as_served(q, QR_GFP_ATOMIC | QR___GFP_IO, noio | QR_TASK_INTERRUPT),
			 QR_GFP_ATOMIC | QR___GFP_IO);
	test_machine_free(m);
}

/* PIN moves a request out of zone Movable. */
static void test_pin_scope_leaves_movable(void **state)
{
	struct qr_task task = {.flags = QR_TASK_MEMALLOC_PIN};
	struct test_machine *m = pc_new();
	struct qr_page *page;

	(void)state;
	page = qr_alloc_pages(m->q, QR_GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(qr_page_zone_type(m->q, page), QR_ZONE_MOVABLE);
	qr___free_pages(m->q, page, 0);
	test_task_set(&task);
	page = qr_alloc_pages(m->q, QR_GFP_HIGHUSER_MOVABLE, 0);
	test_task_set(NULL);
	assert_int_equal(qr_page_zone_type(m->q, page), QR_ZONE_NORMAL);
	qr___free_pages(m->q, page, 0);
	test_machine_free(m);
}

static void test_allowed_mask(void **state)
{
	const qr_gfp_t boot = ~(QR___GFP_RECLAIM | QR___GFP_IO | QR___GFP_FS);
	struct test_machine *m = pc_new();

	(void)state;
	assert_int_equal(qr_gfp_allowed_mask(m->q), QR_GFP_BITS_MASK);
	qr_gfp_allowed_mask_set(m->q, boot);
	assert_int_equal(qr_gfp_allowed_mask(m->q), boot & QR_GFP_BITS_MASK);
	qr_trace_set(m->q, gfp_note, NULL, UINT64_C(1) << QR_TP_MM_PAGE_ALLOC);
	assert_int_equal(gfp_as_served(m->q, QR_GFP_USER, 0), QR___GFP_HARDWALL);
	/* What is illegal is so before it is cut down. */
	qr_gfp_allowed_mask_set(m->q, QR_GFP_BITS_MASK & ~QR___GFP_DMA);
	assert_null(qr_alloc_pages(m->q, QR___GFP_DMA | QR___GFP_DMA32, 0));
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones_and_types_of_a_pc),
		cmocka_unit_test(test_zones_that_are_not_there),
		cmocka_unit_test(test_highmem),
		cmocka_unit_test(test_composites),
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_illegal_requests_are_refused),
		cmocka_unit_test(test_no_mobility_grouping),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_pin_scope_leaves_movable),
		cmocka_unit_test(test_allowed_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
