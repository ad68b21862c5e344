/* SPDX-License-Identifier: MIT */
/*
 * test_check.c - the checker finds what is broken, and nothing else
 *
 * Each row of the table breaks one thing in a sound instance, and names the invariant that must be
 * reported.
 */
#include "check_breakages.h"
#include "hoard.h"

#include <pthread.h>
#include <time.h>

/* The breakage is done on purpose: leave without the final check. */
static void machine_drop(struct test_machine *m)
{
	test_machine_destroy(m);
	test_machine_free(m);
}

static void test_each_breakage_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
		const struct breakage *b = &breakages[i];
		struct test_machine *m;
		bool other = b->bitmap_invariant && test_engine_is("bitmap");
		const char *invariant = other ? b->bitmap_invariant : b->invariant;
		const char *says = other ? b->bitmap_says : b->says;
		struct qr_error_text why;
		unsigned broken;

		if (b->only && !test_engine_is(b->only))
			continue;
		m = machine_new();
		b->apply(m);
		broken = qr_check(m->q, &why);
		if (strcmp(broken ? qr_invariant_name(broken) : "", invariant) != 0 ||
		    !strstr(why.text, says))
			fail_msg("row %zu, %s \"%s\": found %s, \"%s\"", i, invariant, says,
				 qr_invariant_name(broken), why.text);
		assert_int_equal(qr_check(m->q, NULL), broken);
		machine_drop(m);
	}
}

/* Each invariant but the engine's is in the table. */
static void test_each_invariant_can_break(void **state)
{
	(void)state;
	for (unsigned i = 0; qr__invariant_at(i); i++) {
		const char *name = qr_invariant_name(qr__invariant_at(i));
		bool found = false;

		for (size_t row = 0; row < sizeof(breakages) / sizeof(breakages[0]); row++)
			found = found || strcmp(breakages[row].invariant, name) == 0;
		if (!found)
			fail_msg("no breakage of %s", name);
	}
}

static void test_sound_instance(void **state)
{
	struct test_machine *m = machine_new();
	struct qr_error_text why;

	(void)state;
	memset(&why, 'x', sizeof(why));
	assert_int_equal(qr_check(m->q, &why), 0);
	assert_string_equal(why.text, "");
	assert_int_equal(qr_check(m->q, NULL), 0);
	assert_int_equal(test_irqs_masked(), 0);
	test_machine_free(m);
}

/* Suspects --------------------------------------------------------------------------------- */

#define NR_SUSPECTS (3 * QR_CHECK_MAX_SUSPECTS)

/* What the relax hook puts right, and when. */
static struct {
	struct qr_page_state *states[NR_SUSPECTS];
	unsigned nr_pages, nr_calls, right_at_call;
	unsigned stays_wrong; /* this one's index; NR_SUSPECTS: none */
} transit;

static void hook_relax(void *ctx, unsigned spins)
{
	(void)ctx, (void)spins;
	if (++transit.nr_calls < transit.right_at_call)
		return;
	for (unsigned i = 0; i < transit.nr_pages; i++)
		if (i != transit.stays_wrong)
			transit.states[i]->refcount = 1;
}

/* Pages in use whose references are gone, as if threads were in the middle of something. */
static struct test_machine *machine_in_transit(unsigned nr)
{
	struct test_machine *m = test_machine_new();

	memset(&transit, 0, sizeof(transit));
	transit.stays_wrong = NR_SUSPECTS;
	m->config.platform.relax = hook_relax;
	test_machine_one_zone(m, 64 * MAX_PAGES);
	test_machine_create(m);
	for (; transit.nr_pages < nr; transit.nr_pages++) {
		struct qr_page *page;

		assert_int_equal(qr_alloc_pages_at(m->q, transit.nr_pages, 0, QR_GFP_KERNEL, &page),
				 0);
		transit.states[transit.nr_pages] = qr__page_state(qr__frames(m->q), page);
		transit.states[transit.nr_pages]->refcount = 0;
	}
	return m;
}

static void test_transit_is_no_breakage(void **state)
{
	struct test_machine *m = machine_in_transit(1);

	(void)state;
	transit.right_at_call = 20;
	assert_int_equal(qr_check(m->q, NULL), 0);
	assert_int_equal(transit.nr_calls, 20);
	test_machine_free(m);
}

static void test_what_stays_wrong_is(void **state)
{
	struct test_machine *m = machine_in_transit(3);
	struct qr_error_text why;

	(void)state;
	transit.right_at_call = 5;
	transit.stays_wrong = 1;
	assert_int_equal(qr_check(m->q, &why), QR_INV_F6);
	assert_string_equal(why.text, "F6: pfn 0x1 is in use but has 0 references");
	assert_int_equal(transit.nr_calls, QR_CHECK_LOOKS);
	machine_drop(m);
}

static void test_more_suspects_than_fit(void **state)
{
	struct test_machine *m = machine_in_transit(NR_SUSPECTS);

	(void)state;
	transit.right_at_call = 2;
	assert_int_equal(qr_check(m->q, NULL), 0);
	test_machine_free(m);

	/* The last one is beyond the room of the first pass. */
	m = machine_in_transit(NR_SUSPECTS);
	transit.right_at_call = 2;
	transit.stays_wrong = NR_SUSPECTS - 1;
	assert_int_equal(qr_check(m->q, NULL), QR_INV_F6);
	machine_drop(m);
}

static void hook_relax_managed(void *ctx, unsigned spins)
{
	struct test_machine *m = ctx;

	(void)spins;
	qr__write(&qr_zone_at(m->q, 0, QR_ZONE_NORMAL)->managed_pages, 16 * MAX_PAGES);
}

/* The counter is corrected after the pages joined: between the two they differ. */
static void test_managed_may_lag(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	m->config.platform.relax = hook_relax_managed;
	test_machine_one_zone(m, 16 * MAX_PAGES);
	test_machine_create(m);
	qr__bump(&zone_of(m)->managed_pages, UINT64_MAX);
	assert_int_equal(qr_check(m->q, NULL), 0);
	test_machine_free(m);
}

static void hook_relax_detours(void *ctx, unsigned spins)
{
	struct test_machine *m = ctx;

	(void)spins;
	qr__detour_set(qr__allocator(m->q), QR_DETOUR_TRACE, false);
}

/* A detour is there before its reason, and a while longer. */
static void test_detours_may_lag(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	m->config.platform.relax = hook_relax_detours;
	test_machine_one_zone(m, 16 * MAX_PAGES);
	test_machine_create(m);
	qr__detour_set(qr__allocator(m->q), QR_DETOUR_TRACE, true);
	assert_int_equal(qr_check(m->q, NULL), 0);
	test_machine_free(m);
}

/* Breakages of other machines ------------------------------------------------------------- */

static void test_lost_behind_reserved(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_add(m, 0, 16, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, 16, 16 * MAX_PAGES - 16, 0);
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = 16 * MAX_PAGES};
	test_machine_create(m);
	assert_int_equal(qr_alloc_pages_at(m->q, 16, 0, QR_GFP_KERNEL, &page), 0);
	qr__page_type_set(qr__frames(m->q), page, QR_PT_NONE);
	assert_int_equal(qr_check(m->q, NULL), QR_INV_F1);
	machine_drop(m);
}

/* Low zones before high ones: all low memory would go first. */
static void test_zones_in_wrong_order(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_zoneref *list;

	(void)state;
	test_machine_pc(m, 16384);
	test_machine_create(m);
	list = qr__node(qr__frames(m->q), 0)->zonelist;
	list[0].zone = qr_zone_at(m->q, 0, QR_ZONE_DMA);
	list[0].zone_idx = QR_ZONE_DMA;
	list[1].zone = qr_zone_at(m->q, 0, QR_ZONE_DMA32);
	list[1].zone_idx = QR_ZONE_DMA32;
	assert_int_equal(qr_check(m->q, NULL), QR_INV_W4);
	machine_drop(m);
}

/* What is unusual but sound ---------------------------------------------------------------- */

static void test_reserved_that_joined(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_add(m, 0, 2 * PB, 0)->kind = QR_RANGE_RESERVED;
	test_machine_add(m, 2 * PB, 16 * MAX_PAGES, 0);
	test_machine_add(m, (qr_pfn_t)1 << 16, 64, 0)->kind = QR_RANGE_DEVICE;
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = (qr_pfn_t)1 << 15};
	test_machine_create(m);
	test_machine_check(m);
	assert_int_equal(qr_free_reserved_page(m->q, 1), 0);
	test_machine_check(m);
	assert_int_equal(qr_init_cma_reserved_pageblock(m->q, PB), 0);
	test_machine_check(m);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page_at(m, 2 * PB), -10), 0);
	test_machine_check(m);
	assert_int_equal(qr_adjust_managed_page_count(m->q, page_at(m, 2 * PB), 10), 0);
	test_machine_free(m);
}

/* All kinds of blocks at once. */
static void test_all_kinds_of_blocks(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard h;

	(void)state;
	test_machine_one_zone(m, 32 * MAX_PAGES);
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	h = hoard_new(m->q);
	for (unsigned n = 0; n < 200; n++) {
		qr_gfp_t gfp = n % 3 ? QR_GFP_KERNEL : QR_GFP_HIGHUSER_MOVABLE;

		if (n % 2)
			gfp |= QR___GFP_COMP;
		hoard_take(&h, gfp, n % 5 % (QR_MAX_PAGE_ORDER + 1));
	}
	assert_true(h.nr > 50);
	test_machine_check(m);
	for (size_t n = 0; n < h.nr; n += 2)
		qr___free_pages(m->q, h.entries[n].page, h.entries[n].order);
	test_machine_check(m);
	qr_drain_all_pages(m->q, NULL);
	test_machine_check(m);
	for (size_t n = 1; n < h.nr; n += 2)
		qr___free_pages(m->q, h.entries[n].page, h.entries[n].order);
	free(h.entries);
	test_machine_free(m);
}

/* Threads allocate and free while the checker looks: it may find nothing. */
static void *churn(void *arg)
{
	struct test_machine *m = ((void **)arg)[0];
	uint64_t random = (uint64_t)(uintptr_t)((void **)arg)[1] + 1;
	struct qr_page *held[32] = {NULL};
	unsigned orders[32] = {0};

	test_cpu_set((unsigned)random % 2);
	for (unsigned n = 0; n < 20000; n++) {
		unsigned i = (unsigned)test_random_below(&random, 32);

		if (held[i]) {
			qr___free_pages(m->q, held[i], orders[i]);
			held[i] = NULL;
			continue;
		}
		orders[i] = (unsigned)test_random_below(&random, 4) % (QR_MAX_PAGE_ORDER + 1);
		held[i] = qr_alloc_pages(
			m->q, n % 3 ? QR_GFP_KERNEL | QR___GFP_COMP : QR_GFP_NOWAIT, orders[i]);
	}
	for (unsigned i = 0; i < 32; i++)
		if (held[i])
			qr___free_pages(m->q, held[i], orders[i]);
	return NULL;
}

static void test_while_others_allocate(void **state)
{
	struct test_machine *m = test_machine_new();
	pthread_t threads[3];
	void *args[3][2];

	(void)state;
	test_machine_one_zone(m, 32 * MAX_PAGES);
	m->config.nr_cpus = 2;
	m->config.options |= QR_OPT_PAGE_OWNER;
	test_machine_create(m);
	for (unsigned i = 0; i < 3; i++) {
		args[i][0] = m;
		args[i][1] = (void *)(uintptr_t)i;
		assert_int_equal(pthread_create(&threads[i], NULL, churn, args[i]), 0);
	}
	for (unsigned i = 0; i < 20; i++)
		test_machine_check(m);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	test_machine_free(m);
}

static void test_disabled_caches(void **state)
{
	struct test_machine *m = machine_new();

	(void)state;
	cached(m);
	qr_zone_pcp_disable(zone_of(m));
	test_machine_check(m);
	qr_zone_pcp_enable(zone_of(m));
	test_machine_free(m);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 1 TiB of which little was ever touched takes a moment, and stays untouched. */
static void test_large_untouched_instance(void **state)
{
	struct test_machine *m;
	double start;

	(void)state;
	if (QR_PAGEBLOCK_ORDER < 8)
		skip(); /* that would be 64 million pageblocks */
	m = test_machine_new();
	test_machine_pc(m, (UINT64_C(1) << 40) / QR_PAGE_SIZE);
	m->config.options |= QR_OPT_DEFERRED_INIT | QR_OPT_METADATA_ZEROED;
	test_machine_create(m);
	start = seconds_now();
	test_machine_check(m);
	if (seconds_now() - start > 10)
		fail_msg("%.1f seconds", seconds_now() - start);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_instance),
		cmocka_unit_test(test_each_breakage_is_found),
		cmocka_unit_test(test_each_invariant_can_break),
		cmocka_unit_test(test_transit_is_no_breakage),
		cmocka_unit_test(test_what_stays_wrong_is),
		cmocka_unit_test(test_more_suspects_than_fit),
		cmocka_unit_test(test_managed_may_lag),
		cmocka_unit_test(test_detours_may_lag),
		cmocka_unit_test(test_lost_behind_reserved),
		cmocka_unit_test(test_zones_in_wrong_order),
		cmocka_unit_test(test_reserved_that_joined),
		cmocka_unit_test(test_all_kinds_of_blocks),
		cmocka_unit_test(test_while_others_allocate),
		cmocka_unit_test(test_disabled_caches),
		cmocka_unit_test(test_large_untouched_instance),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
