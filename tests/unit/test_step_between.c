/* SPDX-License-Identifier: MIT */
/*
 * test_step_between.c - what comes between a step and what was read for it, steps in doubt, and
 * blocks that are freed twice at once (src/alloc/step.h)
 */
#include "step_machine.h"

#include <pthread.h>
#include <semaphore.h>

#define ORDERS QR_MAGAZINE_ORDERS

/* The page that a test is about, and its order. */
static struct qr_page *it;
static unsigned its_order;

static struct qr_per_cpu_pages *cache(unsigned cpu)
{
	return qr__pcp_of(zone(), cpu);
}

static void it_is(unsigned order)
{
	its_order = order;
	it = step_take(order);
}

/* Each page is free, or in a cache, but for so many. */
static void in_use_are(uint64_t nr)
{
	uint64_t free = nr_free();

	for (unsigned cpu = 0; cpu < m->config.nr_cpus; cpu++)
		free += (uint64_t)qr__pcp_count_racy(cache(cpu));
	assert_int_equal(free + nr, PAGES);
	test_machine_check(m);
}

/* As step_begin(1), and this is called wherever somebody can come between. */
static void watched_begin(void (*point)(void *ctx, const char *where))
{
	step_new();
	test_machine_one_zone(m, PAGES);
	m->config.platform.sched_point = point;
	test_machine_create(m);
	sizes(16, 1 << 20, 1 << 20);
}

/* Between ---------------------------------------------------------------------------------- */

static void all_is_drained(void)
{
	qr_drain_all_pages(m->q, NULL);
}

static void another_takes(void)
{
	struct qr_page *page = take_kernel(its_order);

	give(page, its_order);
}

static void thread_moves(void)
{
	test_cpu_set(1);
}

/* Whatever was read does not count any more: another block comes, the longer way. */
static void test_takes_are_overtaken(void **state)
{
	static void (*const events[])(void) = {all_is_drained, another_takes, thread_moves};

	(void)state;
	step_begin(2);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned i = 0; i < QR_ARRAY_SIZE(events); i++) {
			struct qr_page *page;

			its_order = order;
			give(step_take(order), order);
			while (!nr_ring(order))
				give(take_kernel(order), order);
			steps.between = events[i];
			page = take_kernel(order);
			in_use_are(UINT64_C(1) << order);
			give(page, order);
			test_cpu_set(0);
			in_use_are(0);
		}
		all_is_drained();
	}
	step_end();
}

static void speculator_comes(void)
{
	assert_true(qr_get_page_unless_zero(m->q, it));
}

static void owner_gets(void)
{
	qr_get_page(m->q, it);
}

static void test_frees_are_overtaken(void **state)
{
	static void (*const events[])(void) = {all_is_drained, another_takes, thread_moves};

	(void)state;
	step_begin(2);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned i = 0; i < 2 * QR_ARRAY_SIZE(events); i++) {
			it_is(order);
			if (i & 1)
				last_set_elsewhere(order);
			steps.between = events[i / 2];
			give(it, order);
			test_cpu_set(0);
			in_use_are(0);
			all_is_drained();
		}
	}
	step_end();
}

/* Who gets a reference meanwhile keeps the page. */
static void test_frees_are_overtaken_by_references(void **state)
{
	static void (*const events[])(void) = {speculator_comes, owner_gets};

	(void)state;
	for (unsigned i = 0; i < 2 * QR_ARRAY_SIZE(events); i++) {
		step_begin(1);
		it_is(0);
		if (i & 1)
			last_set_elsewhere(0);
		steps.between = events[i / 2];
		steps_are(0, give(it, 0));
		assert_int_equal(qr_page_count(m->q, it), 1);
		in_use_are(1);
		assert_true(qr_put_page(m->q, it));
		in_use_are(0);
		step_end();
	}
}

/* A cache that keeps nothing keeps nothing, whatever was read before. */
static void caches_are_disabled(void)
{
	qr_zone_pcp_disable(zone());
}

static void test_frees_are_overtaken_by_disabling(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned i = 0; i < 2; i++) {
			it_is(order);
			all_is_drained();
			last_set(pcp(), it, order);
			if (i)
				last_set_elsewhere(order);
			steps.between = caches_are_disabled;
			give(it, order);
			assert_int_equal(count(), 0);
			assert_int_equal(nr_free(), PAGES);
			qr_zone_pcp_enable(zone());
			sizes(16, 1 << 20, 1 << 20);
			in_use_are(0);
		}
	}
	step_end();
}

static void pageblock_is_isolated(void)
{
	qr_pfn_t pfn = qr_page_to_pfn(m->q, it);
	unsigned long irqs = qr__zone_lock(zone());

	assert_true(qr_move_freepages_block_isolate(zone(), pfn, true));
	qr__zone_unlock(zone(), irqs);
	qr_drain_all_pages(m->q, NULL);
}

/* It does not go straight back to where it would be handed out again. */
static void test_frees_are_overtaken_by_isolation(void **state)
{
	unsigned long irqs;

	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		it_is(order);
		last_set(pcp(), it, order);
		steps.between = pageblock_is_isolated;
		steps_are(0, give(it, order));
		assert_int_equal(nr_ring(order), 0);
		irqs = qr__zone_lock(zone());
		assert_true(
			qr_move_freepages_block_isolate(zone(), qr_page_to_pfn(m->q, it), false));
		qr__zone_unlock(zone(), irqs);
		in_use_are(0);
	}
	step_end();
}

/* What is another type's by now passes the engine. */
static void test_types_change_under_marks(void **state)
{
	(void)state;
	step_begin(1);
	for (unsigned order = 0; order < ORDERS; order++) {
		unsigned nr;

		it_is(order);
		last_set(pcp(), it, order);
		assert_int_equal(qr_set_pageblock_migratetype(m->q, qr_page_to_pfn(m->q, it),
							      QR_MIGRATE_MOVABLE),
				 0);
		nr = nr_ring(order);
		give(it, order);
		assert_int_equal(nr_ring(order), nr);
		in_use_are(0);
		all_is_drained();
	}
	step_end();
}

static bool route_is_seen;

static void owner_frees(void *ctx, const char *where)
{
	(void)ctx;
	if (!route_is_seen && strcmp(where, "route seen") == 0) {
		route_is_seen = true;
		steps_are(1, give(it, its_order));
	}
}

/* Its owner frees a block, just when its pageblock is about to become another type's. */
static void test_types_change_under_frees(void **state)
{
	(void)state;
	if (!QR_DEBUG)
		skip(); /* nobody can come between there */
	watched_begin(owner_frees);
	for (unsigned order = 0; order < ORDERS; order++) {
		it_is(order);
		route_is_seen = false;
		assert_int_equal(qr_set_pageblock_migratetype(m->q, qr_page_to_pfn(m->q, it),
							      QR_MIGRATE_MOVABLE),
				 0);
		assert_true(route_is_seen);
		assert_int_equal(qr_page_count(m->q, it), 0);
		in_use_are(0);
		all_is_drained();
	}
	step_end();
}

/* In doubt --------------------------------------------------------------------------------- */

static void cache_is_taken(void)
{
	atomic_store(&pcp()->lock.taken, QR_LOCAL_OWN);
}

/* The page is free once, and only once. */
static void doubt_is_resolved(enum answer answer, unsigned order, void (*after)(void))
{
	it_is(order);
	steps.answer = answer;
	steps.after = after;
	steps_are(0, give(it, order));
	atomic_store(&pcp()->lock.taken, QR_LOCAL_FREE);
	test_cpu_set(0);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	assert_int_equal(qr_page_count(m->q, it), 0);
	assert_int_not_equal(mark_of(it), mark_of_route(order));
	in_use_are(0);
	m->now_ns += UINT64_C(120000000000);
	give(it, order);
	assert_true(test_log_has(m, "free already"));
	test_log_clear(m);
	all_is_drained();
	in_use_are(0);
}

static void test_doubts(void **state)
{
	static void (*const events[])(void) = {NULL, all_is_drained, thread_moves, cache_is_taken};

	(void)state;
	step_begin(2);
	for (enum answer answer = DOUBT_NOTHING; answer <= DOUBT_MARK; answer++)
		for (unsigned i = 0; i < QR_ARRAY_SIZE(events); i++)
			for (unsigned order = 0; order < ORDERS; order++)
				doubt_is_resolved(answer, order, events[i]);
	step_end();
}

/* If nothing was written, a speculator may have come. */
static void test_doubts_and_references(void **state)
{
	(void)state;
	for (enum answer answer = DOUBT_NOTHING; answer <= DOUBT_SLOT; answer++) {
		step_begin(1);
		it_is(0);
		steps.answer = answer;
		steps.after = speculator_comes;
		give(it, 0);
		assert_int_equal(qr_page_count(m->q, it), 1);
		in_use_are(1);
		assert_true(qr_put_page(m->q, it));
		in_use_are(0);
		step_end();
	}
}

/* A put says whether the page was freed by it, in doubt, too. */
static void test_puts_in_doubt(void **state)
{
	(void)state;
	step_begin(1);
	for (enum answer answer = DOUBT_NOTHING; answer <= DOUBT_MARK; answer++) {
		it_is(0);
		steps.answer = answer;
		assert_true(qr_put_page(m->q, it));
		assert_int_equal(qr_page_count(m->q, it), 0);
		in_use_are(0);
	}
	it_is(0);
	steps.answer = DOUBT_SLOT;
	steps.after = speculator_comes;
	assert_false(qr_put_page(m->q, it));
	assert_int_equal(qr_page_count(m->q, it), 1);
	assert_true(qr_put_page(m->q, it));
	in_use_are(0);
	step_end();
}

/* Freed twice at once ---------------------------------------------------------------------- */

static void other_frees(void)
{
	test_cpu_set(1);
	give(it, its_order);
	test_cpu_set(0);
}

/* Copies of one block: first in the ring or put magazine of CPU 1, and of CPU 0. */
static void copies_make(unsigned order, bool rings)
{
	step_begin(2);
	test_cpu_set(1);
	give(take_kernel(order), order);
	test_cpu_set(0);
	it_is(order);
	all_is_drained();
	for (unsigned cpu = 0; cpu < 2; cpu++)
		last_set(cache(cpu), rings ? it : it + QR_MAX_ORDER_NR_PAGES, order);
	steps.between = other_frees;
	steps.answer = BLIND;
	give(it, order);
	if (rings)
		assert_int_equal(nr_ring(order), 1);
	assert_int_equal(count(), 1 << order);
	assert_int_equal(qr__pcp_count_racy(cache(1)), 1 << order);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
}

/* It was reported once, and nothing is lost or there twice. */
static void copies_end(void)
{
	struct qr_alloc_stats stats;

	test_cpu_set(0);
	all_is_drained();
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 1);
	assert_true(test_log_has(m, "twice at the same moment"));
	qr_alloc_stats(m->q, &stats);
	assert_int_equal(stats.bad_pages, 1);
	in_use_are(0);
	step_end();
}

static void test_copies_are_found_by_drains(void **state)
{
	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned rings = order == QR_PAGEBLOCK_ORDER; rings < 2; rings++) {
			copies_make(order, rings);
			all_is_drained();
			copies_end();
		}
	}
}

/* Both in one cache, and so in one drain. */
static void test_copies_in_one_drain(void **state)
{
	(void)state;
	copies_make(0, false);
	qr__put(&cache(1)->mag, 0)->nr = 0;
	qr__put(mag(), 0)->frames[1] = qr__put(mag(), 0)->frames[0];
	qr__write(&qr__put(mag(), 0)->nr, 2);
	assert_int_equal(count(), 2);
	copies_end();
}

/* Where the first copy was taken already, the second is found by whoever takes it. */
static void copies_taken(unsigned order, enum answer answer, bool traced)
{
	struct qr_page *mine, *others;
	uint64_t allocated;

	copies_make(order, true);
	mine = take_kernel(order);
	assert_ptr_equal(mine, it);
	test_cpu_set(1);
	allocated = qr__pcp_nr_alloc_racy(cache(1));
	steps.answer = answer;
	drains_watch(traced);
	others = take_kernel(order);
	drains_watch(false);
	steps.answer = AS_USUAL;
	assert_ptr_not_equal(others, it);
	assert_int_equal(qr__pcp_nr_alloc_racy(cache(1)), allocated + (UINT64_C(1) << order));
	assert_int_equal(qr_page_count(m->q, mine), 1);
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 1);
	in_use_are(UINT64_C(2) << order);
	give(others, order);
	test_cpu_set(0);
	steps_are(1, give(mine, order));
	copies_end();
}

static void test_copies_are_found_by_who_takes_them(void **state)
{
	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		copies_taken(order, AS_USUAL, false);
		copies_taken(order, REFUSED, false);
		copies_taken(order, AS_USUAL, true);
	}
}

/* Where the first copy is in use again, the engine must not get the second. */
static void test_copies_of_what_is_in_use(void **state)
{
	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_page *mine;

		copies_make(order, true);
		mine = take_kernel(order);
		assert_ptr_equal(mine, it);
		all_is_drained();
		assert_int_equal(m->nr_lines[QR_LOG_ERR], 1);
		assert_int_equal(qr_page_count(m->q, mine), 1);
		in_use_are(UINT64_C(1) << order);
		give(mine, order);
		copies_end();
	}
}

/* A copy of what is of another order by now is none of this ring's blocks. */
static void test_copies_of_another_order(void **state)
{
	struct qr_page *larger, *page;

	(void)state;
	copies_make(0, true);
	qr__pcp_drain_cpu(allocator(), 0, NULL);
	/* The first copy went home, and its frame heads a larger block now, which waits here. */
	assert_int_equal(qr_alloc_pages_at(m->q, qr_page_to_pfn(m->q, it) & ~UINT64_C(1), 1,
					   QR_GFP_KERNEL, &larger),
			 0);
	last_set(pcp(), larger, 1);
	give(larger, 1);
	if (larger == it) {
		test_cpu_set(1);
		page = take_kernel(0);
		assert_ptr_not_equal(page, it);
		give(page, 0);
	}
	copies_end();
}

/* Blocks that become somebody's ------------------------------------------------------------ */

/* Somebody takes a reference to a page, and gets no further than to a look until he shall. */
static struct {
	pthread_t thread;
	sem_t has_looked, shall_go_on, has_grasped, shall_let_go;
	bool is_to_come; /* when the next block is given out */
	bool lingers; /* once he has a reference, until he shall look once more */
	bool got;
} passer;

static _Thread_local bool passes;

static void passer_point(void *ctx, const char *where)
{
	(void)ctx;
	if (passes && strcmp(where, "looked at") == 0) {
		sem_post(&passer.has_looked);
		sem_wait(&passer.shall_go_on);
	} else if (passes && passer.lingers && strcmp(where, "grasped") == 0) {
		sem_post(&passer.has_grasped);
		sem_wait(&passer.shall_let_go);
	} else if (passer.is_to_come && strcmp(where, "opening") == 0) {
		passer.is_to_come = false;
		assert_int_equal(qr_page_count(m->q, it), 0); /* it is nobody's yet */
		sem_post(&passer.shall_go_on);
		if (passer.lingers)
			sem_wait(&passer.has_grasped);
		else
			pthread_join(passer.thread, NULL);
	}
}

static void *pass(void *arg)
{
	(void)arg;
	passes = true;
	passer.got = qr_get_page_unless_zero(m->q, it);
	return NULL;
}

static void passer_begin(bool lingers)
{
	sem_init(&passer.has_looked, 0, 0);
	sem_init(&passer.shall_go_on, 0, 0);
	sem_init(&passer.has_grasped, 0, 0);
	sem_init(&passer.shall_let_go, 0, 0);
	passer.lingers = lingers;
	assert_int_equal(pthread_create(&passer.thread, NULL, pass, NULL), 0);
	sem_wait(&passer.has_looked);
	passer.is_to_come = true;
}

static void passer_end(void)
{
	assert_false(passer.is_to_come);
	sem_destroy(&passer.has_looked);
	sem_destroy(&passer.shall_go_on);
	sem_destroy(&passer.has_grasped);
	sem_destroy(&passer.shall_let_go);
}

/*
 * He looked while somebody had the page, and grasps it when it is the next one's, whose mark does
 * not say so yet.  He must let go, or it would be marked as if he had not been there.
 */
static void test_references_to_what_is_opened(void **state)
{
	struct qr_page *first;

	(void)state;
	if (!QR_DEBUG)
		skip(); /* nobody can come between there */
	watched_begin(passer_point);

	first = take_kernel(0); /* with the lock held, for the magazine is empty */
	it_is(0);
	passer_begin(false);
	give(it, 0);
	give(first, 0);
	all_is_drained();
	assert_ptr_equal(take_kernel(0), first);
	steps_are(1, assert_ptr_equal(take_kernel(0), it));
	passer_end();

	assert_false(passer.got);
	assert_int_equal(qr_page_count(m->q, it), 1);
	in_use_are(2);
	give(it, 0);
	give(first, 0);
	step_end();
}

/* And if the next one has freed it meanwhile: the tails are gone, and the head is his to free. */
static void test_references_to_what_is_opened_and_freed(void **state)
{
	struct qr_page *first;

	(void)state;
	if (!QR_DEBUG)
		skip(); /* nobody can come between there */
	watched_begin(passer_point);
	first = take_kernel(1);
	it_is(1);
	passer_begin(true);
	give(it, 1);
	give(first, 1);
	all_is_drained();
	assert_ptr_equal(take_kernel(1), first);
	steps_are(1, assert_ptr_equal(take_kernel(1), it));
	give(it, 1);
	sem_post(&passer.shall_let_go);
	pthread_join(passer.thread, NULL);
	passer_end();

	test_machine_check(m);
	if (passer.got)
		assert_true(qr_put_page(m->q, it));
	in_use_are(2);
	give(first, 1);
	step_end();
}

static void nobody_has_it(void *ctx, const char *where)
{
	(void)ctx;
	if (passer.is_to_come && strcmp(where, "opening") == 0)
		assert_int_equal(qr_page_count(m->q, it), 0);
}

/* What the state says of the one who had a block before does not count for the next one. */
static void test_nobody_has_what_is_opened(void **state)
{
	struct qr_page *others[PAGES];

	(void)state;
	if (!QR_DEBUG)
		skip(); /* nobody can look there */
	watched_begin(nobody_has_it);
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_page *page;
		unsigned nr = 0;

		it_is(order);
		steps_are(1, give(it, order));
		passer.is_to_come = true;
		while ((page = take_kernel(order)) != it)
			others[nr++] = page;
		passer.is_to_come = false;
		assert_int_equal(qr_page_count(m->q, it), 1);
		give(it, order);
		while (nr)
			give(others[--nr], order);
	}
	step_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_are_overtaken),
		cmocka_unit_test(test_frees_are_overtaken),
		cmocka_unit_test(test_frees_are_overtaken_by_references),
		cmocka_unit_test(test_frees_are_overtaken_by_disabling),
		cmocka_unit_test(test_frees_are_overtaken_by_isolation),
		cmocka_unit_test(test_types_change_under_marks),
		cmocka_unit_test(test_types_change_under_frees),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_doubts_and_references),
		cmocka_unit_test(test_puts_in_doubt),
		cmocka_unit_test(test_copies_are_found_by_drains),
		cmocka_unit_test(test_copies_in_one_drain),
		cmocka_unit_test(test_copies_are_found_by_who_takes_them),
		cmocka_unit_test(test_copies_of_what_is_in_use),
		cmocka_unit_test(test_copies_of_another_order),
		cmocka_unit_test(test_references_to_what_is_opened),
		cmocka_unit_test(test_references_to_what_is_opened_and_freed),
		cmocka_unit_test(test_nobody_has_what_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
