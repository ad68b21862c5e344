/* SPDX-License-Identifier: MIT */
/*
 * test_step_closed.c - what closes the way of steps, and what opens it again (src/alloc/step.h)
 */
#include "step_machine.h"

static void event_ignore(void *ctx, const struct qr_trace_event *event)
{
	(void)ctx, (void)event;
}

static void detour_trace(bool on)
{
	qr_trace_set(m->q, on ? event_ignore : NULL, NULL, on ? 1u << QR_TP_MM_PAGE_ALLOC : 0);
}

static void detour_trace_of_nothing(bool on)
{
	detour_trace(on);
	if (!on) {
		detour_trace(true);
		qr_trace_set(m->q, event_ignore, NULL, 0);
	}
}

static void detour_fail(bool on)
{
	const struct qr_fail_page_alloc some = {.interval = on ? 1000 : 0};

	qr_fail_page_alloc_set(m->q, &some);
}

static void detour_gfp(bool on)
{
	static qr_gfp_t all;

	if (on)
		all = qr_gfp_allowed_mask(m->q);
	qr_gfp_allowed_mask_set(m->q, on ? all & ~QR___GFP_IO : all);
}

static void detour_flag(bool on, uint32_t flag)
{
	if (on)
		qr__zone_flag_set(zone(), flag);
	else
		qr__zone_flag_clear(zone(), flag);
}

static void zone_is_scarce(bool on)
{
	detour_flag(on, QR_ZONE_SCARCE);
}

static void zone_is_reclaimed(bool on)
{
	detour_flag(on, QR_ZONE_RECLAIM_ACTIVE);
}

static void zone_is_below_high(bool on)
{
	detour_flag(on, QR_ZONE_BELOW_HIGH);
}

static void zone_has_isolated(bool on)
{
	detour_flag(on, QR_ZONE_ISOLATED);
}

static void zone_is_boosted(bool on)
{
	detour_flag(on, QR_ZONE_BOOSTED_WATERMARK);
}

static void cache_is_taken(bool on)
{
	atomic_store(&pcp()->lock.taken, on ? QR_LOCAL_OWN : QR_LOCAL_FREE);
}

/* While it is so, pages go by no step; before and after they do. */
static void test_closed_while(void **state)
{
	static void (*const reasons[])(bool on) = {
		detour_trace,    detour_trace_of_nothing, detour_fail,        detour_gfp,
		zone_is_scarce,  zone_is_reclaimed,       zone_is_below_high, zone_has_isolated,
		zone_is_boosted, cache_is_taken};

	(void)state;
	step_begin(1);
	for (unsigned i = 0; i < QR_ARRAY_SIZE(reasons); i++) {
		struct qr_page *before = step_take(0), *during;

		reasons[i](true);
		steps_are(0, give(before, 0));
		steps_are(0, during = take_kernel(0));
		reasons[i](false);
		sizes(16, 1 << 20, 1 << 20);
		give(during, 0);
		before = step_take(0);
		steps_are(1, give(before, 0));
		test_machine_check(m);
	}
	step_end();
}

/* Speculators close frees alone: they change what is in use. */
static void test_closed_to_frees_while_there_are_speculators(void **state)
{
	struct qr_page *a, *b;

	(void)state;
	step_begin(1);
	a = step_take(0);
	b = step_take(0);
	qr__speculation_begin(allocator());
	steps_are(0, give(a, 0));
	qr__speculation_end(allocator());
	steps_are(0, give(b, 0));
	a = step_take(0);
	test_machine_advance(m, UINT64_C(5000000000));
	steps_are(1, give(a, 0));
	step_end();
}

static void disable_and_enable(void)
{
	qr_zone_pcp_disable(zone());
	qr_zone_pcp_enable(zone());
	sizes(16, 1 << 20, 1 << 20);
}

/* Nobody else had a reason: they are open again at once. */
static void test_closed_to_frees_while_caches_are_disabled(void **state)
{
	struct qr_page *page;

	(void)state;
	step_begin(1);
	for (unsigned round = 0; round < 2; round++) {
		page = step_take(0);
		qr_zone_pcp_disable(zone());
		steps_are(0, give(page, 0));
		qr_zone_pcp_enable(zone());
		sizes(16, 1 << 20, 1 << 20);
		page = step_take(0);
		steps_are(1, give(page, 0));
	}
	step_end();
}

static void test_disabled_while_there_are_speculators(void **state)
{
	struct qr_page *page;

	(void)state;
	step_begin(1);
	qr__speculation_begin(allocator());
	disable_and_enable();
	page = step_take(0);
	steps_are(0, give(page, 0));
	qr__speculation_end(allocator());
	/* More may come, as it was not long ago. */
	disable_and_enable();
	page = step_take(0);
	steps_are(0, give(page, 0));
	page = step_take(0);
	test_machine_advance(m, UINT64_C(5000000000));
	steps_are(1, give(page, 0));
	step_end();
}

/* Several reasons at once: each has to go. */
static void test_reasons_add_up(void **state)
{
	struct qr_page *page;

	(void)state;
	step_begin(1);
	detour_trace(true);
	detour_fail(true);
	detour_trace(false);
	steps_are(0, page = take_kernel(0));
	steps_are(0, give(page, 0));
	detour_fail(false);
	page = step_take(0);
	steps_are(1, give(page, 0));
	step_end();
}

static struct qr_task *no_task(void *ctx)
{
	(void)ctx;
	return NULL;
}

/* What an instance is for good. */
static void test_closed_for_good(void **state)
{
	static const uint32_t options[] = {QR_OPT_CHECK_PAGES,   QR_OPT_PAGE_OWNER,
					   QR_OPT_INIT_ON_ALLOC, QR_OPT_INIT_ON_FREE,
					   QR_OPT_PAGE_POISON,   0};

	(void)state;
	for (unsigned i = 0; i < QR_ARRAY_SIZE(options); i++) {
		struct qr_page *pages[4];

		step_new();
		test_machine_one_zone(m, PAGES);
		test_machine_bytes(m);
		m->config.options = options[i];
		if (!options[i]) /* tasks are told apart */
			m->config.platform.current_task = no_task;
		test_machine_create(m);
		for (unsigned n = 0; n < 4; n++)
			steps_are(0, pages[n] = take_kernel(0));
		for (unsigned n = 0; n < 4; n++)
			steps_are(0, give(pages[n], 0));
		end();
	}
}

/* So little memory that types are not told apart. */
static void test_mobility(void **state)
{
	struct qr_page *page;

	(void)state;
	step_begin(1);
	page = step_take(0);
	qr__detour_set(allocator(), QR_DETOUR_MOBILITY, true);
	steps_are(0, give(page, 0));
	qr__detour_set(allocator(), QR_DETOUR_MOBILITY, false);
	step_end();
}

static void found(const char *says)
{
	struct qr_error_text why;

	assert_int_not_equal(qr_check(m->q, &why), 0);
	assert_string_equal(why.text, says);
}

/* Steps that are open on a detour, or closed on none, are found. */
static void test_checked(void **state)
{
	(void)state;
	step_begin(1);
	atomic_store(&allocator()->steps, QR_STEPS_NONE);
	found("D2: steps are 0, should be 0x1");
	detour_trace(true);
	test_machine_check(m);
	atomic_store(&allocator()->steps, QR_STEPS_BY_HOOK);
	found("D2: steps are 0x1, should be 0");
	detour_trace(false);
	test_machine_check(m);
	step_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_while),
		cmocka_unit_test(test_closed_to_frees_while_there_are_speculators),
		cmocka_unit_test(test_closed_to_frees_while_caches_are_disabled),
		cmocka_unit_test(test_disabled_while_there_are_speculators),
		cmocka_unit_test(test_reasons_add_up),
		cmocka_unit_test(test_closed_for_good),
		cmocka_unit_test(test_mobility),
		cmocka_unit_test(test_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
