/* SPDX-License-Identifier: MIT */
/*
 * test_speculation.c - references to pages that somebody else may be freeing: when it is announced,
 * when that ends, and plain drops against speculations in interleavings that a seed decides
 */
#include "sim_machine.h"

#include "alloc/pcp.h"
#include "alloc/speculation.h"

#define NR_PAGES 3u
#define NR_SEEDS 400u
#define SECOND UINT64_C(1000000000)

static struct {
	struct qr_sim *sim;
	struct qr_allocator *alloc;
	struct quire *q;

	/* Toy pages: their states, and what a test knows of them. */
	struct qr_page_state states[NR_PAGES];
	bool owned[NR_PAGES];
	unsigned holders[NR_PAGES]; /* of references that were got by speculation */

	unsigned plain, exchanged, refused, got, closed, kept_open, resumed;
} t;

static void begin(bool local_locks)
{
	struct qr_sim_config config = {.local_locks = local_locks, .start_ns = 100 * SECOND};

	memset(&t, 0, sizeof(t));
	t.sim = machine_new(&config);
	t.q = qr_sim_quire(t.sim);
	t.alloc = qr__allocator(t.q);
}

static void end(void)
{
	struct qr_error_text why = {""};

	if (qr_check(t.q, &why))
		fail_msg("%s", why.text);
	qr_sim_free(t.sim);
}

static unsigned mode(void)
{
	return atomic_load(&t.alloc->speculation_mode);
}

static struct qr_zone *zone(void)
{
	struct qr_zone *z = NULL, *found = NULL;

	qr__for_each_zone(&t.alloc->frames, z)
	{
		if (z->pcp)
			found = z;
	}
	return found;
}

/* When ------------------------------------------------------------------------------------- */

static void test_opened_by_the_first_speculation(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(true);
	page = qr_alloc_pages(t.q, QR_GFP_KERNEL, 0);
	assert_int_equal(mode(), QR_SPECULATION_CLOSED);
	/* Neither what is free, nor a reference by right, needs an announcement. */
	assert_false(qr_get_page_unless_zero(t.q, page + 64));
	assert_false(qr_get_page_unless_zero(t.q, NULL));
	qr_get_page(t.q, page);
	assert_false(qr_put_page(t.q, page));
	assert_int_equal(mode(), QR_SPECULATION_CLOSED);

	assert_true(qr_get_page_unless_zero(t.q, page));
	assert_int_equal(qr_page_count(t.q, page), 2);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	assert_int_equal(t.alloc->speculation.users, 0);
	qr___free_pages(t.q, page, 0);
	assert_true(qr_put_page(t.q, page));
	end();
}

/* A second or two after the last one; whoever is in the middle of one keeps it open. */
static void test_closed_when_it_is_quiet(void **state)
{
	struct qr_page *page;

	(void)state;
	begin(true);
	page = qr_alloc_pages(t.q, QR_GFP_KERNEL, 0);
	assert_true(qr_get_page_unless_zero(t.q, page));
	qr_sim_advance(t.sim, SECOND + SECOND / 2);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	assert_true(qr_get_page_unless_zero(t.q, page));
	qr_sim_advance(t.sim, SECOND);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	qr_sim_advance(t.sim, SECOND);
	assert_int_equal(mode(), QR_SPECULATION_CLOSED);
	/* The references stay. */
	assert_int_equal(qr_page_count(t.q, page), 3);

	qr__speculation_begin(t.alloc);
	qr__speculation_begin(t.alloc);
	qr__speculation_end(t.alloc);
	qr_sim_advance(t.sim, 10 * SECOND);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	qr__speculation_end(t.alloc);
	qr_sim_advance(t.sim, SECOND);
	assert_int_equal(mode(), QR_SPECULATION_CLOSED);

	assert_false(qr_put_page(t.q, page));
	assert_false(qr_put_page(t.q, page));
	assert_true(qr_put_page(t.q, page));
	end();
}

/* Who does not speculate leaves all as it was. */
static void test_plain_drops_stopped(void **state)
{
	(void)state;
	begin(true);
	for (unsigned round = 0; round < 2; round++) {
		qr__plain_drops_stop(t.alloc);
		qr__plain_drops_stop(t.alloc);
		qr_sim_advance(t.sim, 10 * SECOND);
		assert_int_equal(mode(), QR_SPECULATION_OPEN);
		qr__plain_drops_resume(t.alloc);
		assert_int_equal(mode(), QR_SPECULATION_OPEN);
		qr__plain_drops_resume(t.alloc);
		assert_int_equal(mode(), QR_SPECULATION_CLOSED);
	}
	/* Somebody speculates; somebody has. */
	qr__plain_drops_stop(t.alloc);
	qr__speculation_begin(t.alloc);
	qr__plain_drops_resume(t.alloc);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	qr__speculation_end(t.alloc);
	qr__plain_drops_stop(t.alloc);
	qr__plain_drops_resume(t.alloc);
	assert_int_equal(mode(), QR_SPECULATION_OPEN);
	qr_sim_advance(t.sim, 3 * SECOND);
	assert_int_equal(mode(), QR_SPECULATION_CLOSED);
	end();
}

/* One exchange or the other, an unexpected word is left alone. */
static void test_only_holder_exchange(void **state)
{
	struct qr_page_state page = {.word = 7};

	(void)state;
	begin(true);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(qr__only_holder_exchange(t.alloc, &page, 8, 9));
		assert_int_equal(qr__state_word(&page), 7);
		assert_true(qr__only_holder_exchange(t.alloc, &page, 7, 9));
		assert_int_equal(qr__state_word(&page), 9);
		atomic_store(&page.word, 7);
		qr__speculation_begin(t.alloc);
	}
	qr__speculation_end(t.alloc);
	qr__speculation_end(t.alloc);
	end();
}

#if QR_DEBUG

static void begin_under_a_cache(void *arg)
{
	(void)arg;
	qr__speculation_begin(t.alloc);
}

/* Also while it is open, when nothing would have to be waited for. */
static void test_ranks(void **state)
{
	const char *message;

	(void)state;
	begin(true);
	qr__speculation_begin(t.alloc);
	qr__speculation_end(t.alloc);
	qr__pcp_lock(qr__base(t.q), zone()->pcp);
	assert_true(qr_sim_panics(t.sim, begin_under_a_cache, NULL, &message));
	assert_string_equal(message,
			    "lock of rank SPECULATION (5) wanted while rank PCP (7) is held");
	qr_sim_free(t.sim);
}

#endif

/* Interleaved ------------------------------------------------------------------------------ */

static const uint64_t in_use = QR_STATE_TYPE(QR_PT_INUSE) | QR_STATE_REFS(1);
static const uint64_t cached = QR_STATE_TYPE(QR_PT_PCP);

/* Drop a reference as the long way does; true: the page is free. */
static bool drop_long(unsigned i)
{
	uint64_t word = qr__state_word(&t.states[i]);

	for (;;) {
		bool last = qr__word_refcount(word) == 1;

		assert_true(qr__word_refcount(word) > 0);
		if (!qr__state_exchange(&t.states[i], &word,
					last ? cached : word - QR_STATE_REFS(1)))
			continue;
		if (last)
			assert_int_equal(t.holders[i], 0);
		return last;
	}
}

/* Drop the only reference as the short way does. */
static bool drop_short(unsigned i)
{
	struct qr_per_cpu_pages *pcp;
	bool done, plain;

	if (!qr__pcp_enter(zone(), &pcp))
		return false;
	plain = mode() == QR_SPECULATION_CLOSED;
	done = qr__only_holder_exchange(t.alloc, &t.states[i], in_use, cached);
	if (done)
		assert_int_equal(t.holders[i], 0);
	t.plain += done && plain;
	t.exchanged += done && !plain;
	t.refused += !done;
	qr__pcp_leave(zone(), pcp);
	return done;
}

/* Has a page for a while, again and again. */
static void owner(void *arg)
{
	for (unsigned round = 0; round < 10; round++) {
		unsigned i = (unsigned)(round + (uintptr_t)arg) % NR_PAGES;

		qr_sim_yield(t.sim);
		if (t.owned[i] || qr__state_refcount(&t.states[i]))
			continue;
		t.owned[i] = true;
		atomic_store(&t.states[i].word, in_use);
		qr_sim_yield(t.sim);
		if (!drop_short(i))
			drop_long(i);
		t.owned[i] = false;
	}
}

static bool take(unsigned i)
{
	uint64_t word;
	bool got = false;

	qr__speculation_begin(t.alloc);
	qr_sim_yield(t.sim);
	word = qr__state_word(&t.states[i]);
	qr_sim_yield(t.sim);
	while (!got && qr__word_refcount(word) > 0)
		got = qr__state_exchange(&t.states[i], &word, word + QR_STATE_REFS(1));
	t.holders[i] += got;
	qr_sim_yield(t.sim);
	qr__speculation_end(t.alloc);
	return got;
}

static void speculator(void *arg)
{
	for (unsigned round = 0; round < 6; round++) {
		unsigned i = (unsigned)(round + (uintptr_t)arg) % NR_PAGES;

		qr_sim_yield(t.sim);
		if (!qr__state_refcount(&t.states[i]) || !take(i))
			continue;
		t.got++;
		qr_sim_yield(t.sim);
		/* Whatever the owner did meanwhile, it is still in use. */
		assert_int_equal(qr__state_type(&t.states[i]), QR_PT_INUSE);
		assert_true(qr__state_refcount(&t.states[i]) > 0);
		t.holders[i]--;
		drop_long(i);
	}
}

/* Time flies. */
static void closer(void *arg)
{
	(void)arg;
	for (unsigned round = 0; round < 10; round++) {
		atomic_store(&t.alloc->speculation.used, false);
		atomic_store(&t.alloc->speculation.quiet_since_ns, 0);
		qr__speculation_decay(t.alloc);
		t.closed += mode() == QR_SPECULATION_CLOSED;
		t.kept_open += mode() == QR_SPECULATION_OPEN;
		for (unsigned i = 0; i < 3; i++)
			qr_sim_yield(t.sim);
	}
}

/* Wants nobody to drop plainly for a while, as who disables caches does. */
static void stopper(void *arg)
{
	(void)arg;
	for (unsigned round = 0; round < 6; round++) {
		qr__plain_drops_stop(t.alloc);
		for (unsigned i = 0; i < 3; i++) {
			unsigned plain = t.plain;

			qr_sim_yield(t.sim);
			assert_int_equal(t.plain, plain);
		}
		qr__plain_drops_resume(t.alloc);
		t.resumed += mode() == QR_SPECULATION_CLOSED;
		for (unsigned i = 0; i < 3; i++)
			qr_sim_yield(t.sim);
	}
}

static void run_crowd(bool local_locks, uint64_t seed)
{
	unsigned before[] = {t.plain,  t.exchanged, t.refused, t.got,
			     t.closed, t.kept_open, t.resumed};

	begin(local_locks);
	for (uintptr_t i = 0; i < 4; i++)
		qr_sim_spawn(t.sim, (unsigned)i % MACHINE_CPUS, owner, (void *)i);
	for (uintptr_t i = 0; i < 2; i++)
		qr_sim_spawn(t.sim, (unsigned)i, speculator, (void *)i);
	qr_sim_spawn(t.sim, 3, closer, NULL);
	qr_sim_spawn(t.sim, 2, stopper, NULL);
	if (qr_sim_run(t.sim, seed))
		fail_msg("seed %llu: %s", (unsigned long long)seed, qr_sim_log_last(t.sim));
	assert_int_equal(t.alloc->speculation.users, 0);
	for (unsigned i = 0; i < NR_PAGES; i++)
		assert_int_equal(qr__state_refcount(&t.states[i]), 0);
	end();
	t.plain += before[0];
	t.exchanged += before[1];
	t.refused += before[2];
	t.got += before[3];
	t.closed += before[4];
	t.kept_open += before[5];
	t.resumed += before[6];
}

static void test_interleaved(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		run_crowd(true, seed);
		run_crowd(false, seed);
	}
	/* All of it has happened. */
	assert_true(t.plain > NR_SEEDS && t.exchanged > NR_SEEDS && t.refused > NR_SEEDS / 4);
	assert_true(t.got > NR_SEEDS && t.closed > NR_SEEDS && t.kept_open > NR_SEEDS / 4);
	assert_true(t.resumed > NR_SEEDS / 4);
}

/* Misuse ----------------------------------------------------------------------------------- */

#define NR_AFTER 6u

static struct {
	struct qr_page *page;
	unsigned nr_freed;
	struct qr_page *after[2][NR_AFTER];
} twice;

/* Two do this at once, and go on with what they get. */
static void freer(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;

	qr_sim_yield(t.sim);
	qr___free_pages(t.q, twice.page, 0);
	/* To free it when the other has it again would be another mistake, one that nobody sees. */
	twice.nr_freed++;
	while (twice.nr_freed < 2)
		qr_sim_yield(t.sim);
	for (unsigned i = 0; i < NR_AFTER; i++) {
		qr_sim_yield(t.sim);
		twice.after[who][i] = qr_alloc_pages(t.q, QR_GFP_KERNEL, 0);
	}
}

static unsigned nr_owners_of(const struct qr_page *page)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < 2 * NR_AFTER; i++)
		nr += twice.after[i / NR_AFTER][i % NR_AFTER] == page;
	return nr;
}

static void free_twice(const char *engine, bool local_locks, uint64_t seed)
{
	struct qr_sim_config config = {.local_locks = local_locks, .machine.engine = engine};
	struct qr_quire_snapshot before, after;

	t.sim = machine_new(&config);
	t.q = qr_sim_quire(t.sim);
	t.alloc = qr__allocator(t.q);
	qr_drain_all_pages(t.q, NULL);
	qr_quire_snapshot(t.q, &before);
	twice.page = qr_alloc_pages(t.q, QR_GFP_KERNEL, 0);
	twice.nr_freed = 0;
	qr_sim_spawn(t.sim, 0, freer, (void *)0);
	qr_sim_spawn(t.sim, 1, freer, (void *)1);
	assert_int_equal(qr_sim_run(t.sim, seed), 0);
	for (unsigned i = 0; i < 2 * NR_AFTER; i++)
		assert_int_equal(nr_owners_of(twice.after[i / NR_AFTER][i % NR_AFTER]), 1);
	for (unsigned i = 0; i < 2 * NR_AFTER; i++)
		qr___free_pages(t.q, twice.after[i / NR_AFTER][i % NR_AFTER], 0);
	qr_drain_all_pages(t.q, NULL);
	qr_quire_snapshot(t.q, &after);
	if (after.nr_free != before.nr_free || qr_sim_log_matches(t.sim, "refused") != 1)
		fail_msg("%s, seed %llu: %lld pages more than before, %u reports: %s", engine,
			 (unsigned long long)seed, (long long)(after.nr_free - before.nr_free),
			 qr_sim_log_matches(t.sim, "refused"), qr_sim_log_last(t.sim));
	end();
}

/* Whether it is told at once or when the second copy comes to the zone: nothing is harmed. */
static void test_freed_twice_at_once(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	for (uint64_t seed = 0; seed < NR_SEEDS / 2; seed++) {
		free_twice("list", true, seed);
		free_twice("list", false, seed);
		free_twice("bitmap", true, seed);
		free_twice("bitmap", false, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opened_by_the_first_speculation),
		cmocka_unit_test(test_closed_when_it_is_quiet),
		cmocka_unit_test(test_plain_drops_stopped),
		cmocka_unit_test(test_only_holder_exchange),
#if QR_DEBUG
		cmocka_unit_test(test_ranks),
#endif
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_freed_twice_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
