/* SPDX-License-Identifier: MIT */
/*
 * test_engines_threads.c - threads do the same to an instance of each engine
 *
 * There is always enough memory for all of them, so that no request may fail on either engine,
 * whatever the others do.  Each frame has an owner, written with an exchange: a frame that is
 * handed out twice, or freed by somebody else's doing, is noticed at once.  Meanwhile one more
 * thread drains and disables caches, turns tunables, and isolates pageblocks and lets them go.  In
 * the end both instances are wholly free, and have counted the same.
 */
#include "unit/support.h"

#include <pthread.h>

#include "alloc/allocator.h"
#include "base/bits.h"

#define NR_THREADS 4
#define NR_CPUS 3
#define NR_HELD 48
#define ROUNDS 20000
#define PAGES (UINT64_C(64) * (QR_MAX_ORDER_NR_PAGES > 256 ? QR_MAX_ORDER_NR_PAGES : 256))

static const char *const engines[2] = {"list", "bitmap"};

static struct test_machine *m[2];
static _Atomic uint32_t *owner[2]; /* by pfn: 0, or the thread plus 1 */
static _Atomic unsigned running;
static _Atomic uint64_t nr_pages; /* that were allocated, of one of them */

struct held {
	struct qr_page *page[2];
	unsigned order;
};

static struct qr_zone *zone(unsigned of)
{
	return qr_zone_at(m[of]->q, 0, QR_ZONE_NORMAL);
}

static void begin(void)
{
	for (unsigned i = 0; i < 2; i++) {
		m[i] = test_machine_new();
		test_machine_one_zone(m[i], PAGES);
		m[i]->config.nr_cpus = NR_CPUS;
		m[i]->config.engine = engines[i];
		test_machine_create(m[i]);
		owner[i] = calloc(PAGES, sizeof(*owner[i]));
		assert_non_null(owner[i]);
	}
	atomic_store(&nr_pages, 0);
	atomic_store(&running, NR_THREADS);
}

/* Take over or let go of all frames of a block; they must have been `from` whom they should. */
static void own(unsigned of, struct qr_page *page, unsigned order, uint32_t from, uint32_t to)
{
	qr_pfn_t pfn = qr_page_to_pfn(m[of]->q, page);

	if (pfn % qr__order_pages(order) || pfn + qr__order_pages(order) > PAGES)
		fail_msg("%s: block of order %u at %#llx", engines[of], order,
			 (unsigned long long)pfn);
	for (uint64_t i = 0; i < qr__order_pages(order); i++) {
		uint32_t was =
			atomic_exchange_explicit(&owner[of][pfn + i], to, memory_order_relaxed);

		if (was != from)
			fail_msg("%s: pfn %#llx has owner %u, not %u", engines[of],
				 (unsigned long long)(pfn + i), was, from);
	}
}

static void take(struct held *held, uint64_t *random, uint32_t self)
{
	static const qr_gfp_t gfps[] = {QR_GFP_KERNEL, QR_GFP_HIGHUSER_MOVABLE,
					QR_GFP_KERNEL | QR___GFP_COMP,
					QR_GFP_KERNEL | QR___GFP_RECLAIMABLE};
	qr_gfp_t gfp = gfps[test_random_below(random, 4)];

	held->order = test_random_below(random, 3) ? 0 : (unsigned)test_random_below(random, 4);
	if (test_random_below(random, 64) == 0)
		held->order = QR_PAGEBLOCK_ORDER;
	for (unsigned i = 0; i < 2; i++) {
		held->page[i] = qr_alloc_pages(m[i]->q, gfp, held->order);
		if (!held->page[i])
			fail_msg("%s: no block of order %u", engines[i], held->order);
		own(i, held->page[i], held->order, 0, self);
	}
	atomic_fetch_add(&nr_pages, qr__order_pages(held->order));
}

static void give(const struct held *held, uint64_t *random, uint32_t self)
{
	bool put = test_random_below(random, 4) == 0;

	for (unsigned i = 0; i < 2; i++) {
		own(i, held->page[i], held->order, self, 0);
		if (put)
			assert_true(qr_put_page(m[i]->q, held->page[i]));
		else
			qr___free_pages(m[i]->q, held->page[i], held->order);
	}
}

/* Some pages in one call, as many as it gives. */
static void bulk(uint64_t *random, uint32_t self)
{
	unsigned nr = 1 + (unsigned)test_random_below(random, 24);

	for (unsigned i = 0; i < 2; i++) {
		struct qr_page *pages[24] = {NULL};
		unsigned got = qr_alloc_pages_bulk(m[i]->q, QR_GFP_KERNEL, 0, NULL, nr, pages);

		assert_int_not_equal(got, 0);
		for (unsigned k = 0; k < got; k++) {
			own(i, pages[k], 0, 0, self);
			own(i, pages[k], 0, self, 0);
		}
		qr_free_pages_bulk(m[i]->q, pages, got);
	}
}

static void *work(void *arg)
{
	uint32_t self = (uint32_t)(uintptr_t)arg + 1;
	uint64_t random = test_seed(20250101) + self;
	struct held held[NR_HELD];
	unsigned nr = 0;

	test_cpu_set(self % NR_CPUS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (nr < NR_HELD && test_random_below(&random, NR_HELD) >= nr) {
			take(&held[nr++], &random, self);
		} else {
			unsigned victim = (unsigned)test_random_below(&random, nr);

			give(&held[victim], &random, self);
			held[victim] = held[--nr];
		}
		if (i % 64 == 0)
			bulk(&random, self);
		if (i % 100 == 0)
			test_cpu_set((unsigned)test_random_below(&random, NR_CPUS));
	}
	while (nr--)
		give(&held[nr], &random, self);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static bool isolate(unsigned of, qr_pfn_t pfn, bool isolated)
{
	unsigned long irqs = qr__zone_lock(zone(of));
	bool done = qr_move_freepages_block_isolate(zone(of), pfn, isolated);

	if (done)
		qr__bump(&zone(of)->nr_isolate_pageblock, isolated ? 1 : UINT64_MAX);
	qr__zone_unlock(zone(of), irqs);
	return done;
}

static void *disturb(void *arg)
{
	uint64_t random = 5;

	(void)arg;
	while (atomic_load(&running)) {
		qr_pfn_t pfn = qr__pageblock_start(test_random_below(&random, PAGES));

		for (unsigned i = 0; i < 2; i++) {
			qr_drain_all_pages(m[i]->q, NULL);
			assert_true(isolate(i, pfn, true));
			qr_zone_pcp_disable(zone(i));
			qr_zone_pcp_enable(zone(i));
			qr_tunable_set(m[i]->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION,
				       8 + (int64_t)test_random_below(&random, 100));
			assert_true(isolate(i, pfn, false));
			qr_tunable_set(m[i]->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 0);
		}
	}
	return NULL;
}

/* Wholly free; only pageblocks that were isolated may lie side by side without being joined. */
static void end(unsigned of)
{
	struct qr_zone_snapshot snap;
	struct qr_alloc_stats stats;

	qr_drain_all_pages(m[of]->q, NULL);
	assert_int_equal(qr_zone_snapshot(m[of]->q, 0, QR_ZONE_NORMAL, &snap), 0);
	assert_int_equal(snap.nr_free, PAGES);
	assert_int_equal(snap.nr_pcp_pages, 0);
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++)
		assert_int_equal(snap.nr_blocks[order], 0);
	qr_alloc_stats(m[of]->q, &stats);
	assert_int_equal(stats.bad_pages, 0);
	assert_int_equal(m[of]->nr_lines[QR_LOG_ERR], 0);
	assert_int_equal(qr_vm_event(m[of]->q, QR_EV_PGALLOC + QR_ZONE_NORMAL),
			 qr_vm_event(m[of]->q, QR_EV_PGFREE));
	/* What came in bulk is not in our own count, since it may be any number. */
	assert_true(qr_vm_event(m[of]->q, QR_EV_PGFREE) >= atomic_load(&nr_pages));
	for (qr_pfn_t pfn = 0; pfn < PAGES; pfn++)
		assert_int_equal(atomic_load(&owner[of][pfn]), 0);
	test_machine_free(m[of]);
	free(owner[of]);
}

static void test_threads_on_both_engines(void **state)
{
	pthread_t thread[NR_THREADS + 1];

	(void)state;
	begin();
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)i), 0);
	assert_int_equal(pthread_create(&thread[NR_THREADS], NULL, disturb, NULL), 0);
	for (unsigned i = 0; i <= NR_THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		end(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_on_both_engines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
