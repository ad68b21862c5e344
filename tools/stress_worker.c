/* SPDX-License-Identifier: MIT */
/*
 * stress_worker.c - what a thread of `quire stress` does
 *
 * A worker takes one step after the other: it allocates or frees, whichever brings it nearer to the
 * share of memory that the phase is about, and now and then does something odd.  Which gfp, order
 * and kind of allocation, chance decides; most are single pages.
 */
#include <stdlib.h>
#include <string.h>

#include "stress.h"

enum { BULK_MAX = 32, SPLIT_MAX_ORDER = 5, EXACT_MAX_ORDER = 4, KILL_MAX = 128 };

/* Chance ----------------------------------------------------------------------------------- */

static uint64_t random_next(struct worker *worker)
{
	uint64_t x = worker->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static unsigned random_below(struct worker *worker, unsigned limit)
{
	return (unsigned)((random_next(worker) >> 32) * limit >> 32);
}

static bool one_in(struct worker *worker, unsigned n)
{
	return random_below(worker, n) == 0;
}

/* Half of all are the smallest, and each order above is half as frequent as the one below. */
static unsigned order_choose(struct worker *worker)
{
	const struct stress *stress = worker->stress;
	unsigned order = stress->min_order;

	if (!one_in(worker, 3))
		return order;
	while (order < stress->max_order && !one_in(worker, 2))
		order++;
	/* Or any, so that the large ones come at all. */
	if (one_in(worker, 16))
		order = stress->min_order +
			random_below(worker, stress->max_order - stress->min_order + 1);
	return order;
}

static qr_gfp_t gfp_choose(struct worker *worker, unsigned order)
{
	static const struct {
		qr_gfp_t gfp;
		unsigned weight;
	} choices[] = {
		{QR_GFP_HIGHUSER_MOVABLE, 40},
		{QR_GFP_KERNEL, 28},
		{QR_GFP_KERNEL | QR___GFP_RECLAIMABLE, 12},
		{QR_GFP_USER, 6},
		{QR_GFP_ATOMIC, 5},
		{QR_GFP_KERNEL_ACCOUNT, 3},
		{QR_GFP_NOWAIT, 2},
		{QR_GFP_KERNEL | QR_GFP_DMA32, 2},
		{QR_GFP_NOFS, 1},
		{QR_GFP_KERNEL | QR_GFP_DMA, 1},
	};
	unsigned roll = random_below(worker, 100), i = 0;
	qr_gfp_t gfp;

	while (roll >= choices[i].weight)
		roll -= choices[i++].weight;
	gfp = choices[i].gfp | QR___GFP_NOWARN;
	if (order > QR_PAGE_ALLOC_COSTLY_ORDER && !one_in(worker, 4))
		gfp |= QR___GFP_NORETRY;
	else if (worker->stress->nofail && order == 0 && (gfp & QR___GFP_DIRECT_RECLAIM) &&
		 !(gfp & QR___GFP_DMA) && one_in(worker, 512))
		gfp |= QR___GFP_NOFAIL;
	if (one_in(worker, 16))
		gfp |= QR___GFP_ZERO;
	return gfp;
}

/* Holding ---------------------------------------------------------------------------------- */

static void worker_release(struct worker *worker, const struct holding *holding)
{
	uint64_t bytes = pages_release(worker->stress, holding);

	count_add(&worker->counts.freed, 1);
	count_add(&worker->counts.verified_bytes, bytes);
}

static void hold(struct worker *worker, const struct holding *holding)
{
	bool good;

	pthread_mutex_lock(&worker->lock);
	good = holding_put(&worker->held, holding);
	if (good)
		atomic_fetch_add_explicit(&worker->held_pages, holding->nr_pages,
					  memory_order_relaxed);
	pthread_mutex_unlock(&worker->lock);
	if (!good)
		worker_release(worker, holding);
}

/* Take one of the blocks held, any one; false: there is none. */
static bool held_take(struct worker *worker, struct holding *holding)
{
	struct holding_list *held = &worker->held;
	bool some;

	pthread_mutex_lock(&worker->lock);
	some = held->nr > 0;
	if (some) {
		size_t at = random_next(worker) % held->nr;

		*holding = held->holdings[at];
		held->holdings[at] = held->holdings[--held->nr];
		atomic_fetch_sub_explicit(&worker->held_pages, holding->nr_pages,
					  memory_order_relaxed);
	}
	pthread_mutex_unlock(&worker->lock);
	return some;
}

static bool pass_on(struct worker *worker, const struct holding *holding)
{
	struct stress *stress = worker->stress;
	struct worker *other = &stress->workers[random_below(worker, stress->nr_workers)];
	unsigned nr;

	pthread_mutex_lock(&other->inbox_lock);
	nr = atomic_load_explicit(&other->nr_inbox, memory_order_relaxed);
	if (nr < STRESS_INBOX) {
		other->inbox[nr] = *holding;
		atomic_store_explicit(&other->nr_inbox, nr + 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&other->inbox_lock);
	if (nr >= STRESS_INBOX)
		return false;
	count_add(&worker->counts.passed_on, 1);
	return true;
}

static unsigned inbox_take(struct worker *worker, struct holding out[STRESS_INBOX])
{
	unsigned nr;

	pthread_mutex_lock(&worker->inbox_lock);
	nr = atomic_load_explicit(&worker->nr_inbox, memory_order_relaxed);
	memcpy(out, worker->inbox, nr * sizeof(*out));
	atomic_store_explicit(&worker->nr_inbox, 0, memory_order_relaxed);
	pthread_mutex_unlock(&worker->inbox_lock);
	return nr;
}

static void inbox_free(struct worker *worker)
{
	struct holding taken[STRESS_INBOX];
	unsigned nr;

	if (atomic_load_explicit(&worker->nr_inbox, memory_order_relaxed) == 0)
		return;
	nr = inbox_take(worker, taken);
	for (unsigned i = 0; i < nr; i++)
		worker_release(worker, &taken[i]);
}

/* Allocating ------------------------------------------------------------------------------- */

static void allocation_count(struct worker *worker, unsigned order, bool good)
{
	count_add(good ? &worker->counts.allocated[order] : &worker->counts.failed[order], 1);
}

/* What has been got goes to the cache, to somebody else, or stays here. */
static void settle(struct worker *worker, struct holding *holding)
{
	struct stress *stress = worker->stress;
	const struct stress_phase *phase = atomic_load(&stress->phase);
	uint64_t cached = atomic_load_explicit(&stress->nr_cached, memory_order_relaxed);

	holding->key = random_next(worker);
	pages_claim(worker, holding);
	if (holding->order == 0 && holding->kind != HOLD_EXACT && one_in(worker, 2) &&
	    cached * 1000 < stress->managed * phase->cached && cache_add(stress, holding))
		return;
	if (one_in(worker, 8) && pass_on(worker, holding))
		return;
	hold(worker, holding);
}

/* Memory is short: let go of a few blocks, as a program would that cannot go on. */
static void retreat(struct worker *worker)
{
	struct holding holding;

	for (unsigned i = 0; i < 16 && held_take(worker, &holding); i++)
		worker_release(worker, &holding);
}

static void alloc_block(struct worker *worker, bool folio)
{
	struct quire *q = worker->stress->q;
	unsigned order = order_choose(worker);
	qr_gfp_t gfp = gfp_choose(worker, order);
	struct holding holding = {.order = (uint8_t)order, .nr_pages = 1u << order};

	holding.kind = folio ? HOLD_FOLIO : HOLD_BLOCK;
	holding.page = folio ? qr_folio_alloc(q, gfp, order) : qr_alloc_pages(q, gfp, order);
	allocation_count(worker, order, holding.page != NULL);
	if (!holding.page) {
		/* Large blocks are hard to get even when much is free. */
		if (order <= QR_PAGE_ALLOC_COSTLY_ORDER)
			retreat(worker);
		return;
	}
	if (gfp & QR___GFP_ZERO)
		pages_verify_zero(worker->stress, &holding);
	settle(worker, &holding);
}

static void alloc_bulk(struct worker *worker)
{
	struct qr_page *pages[BULK_MAX] = {NULL};
	unsigned wanted = 1 + random_below(worker, BULK_MAX);
	unsigned nr = qr_alloc_pages_bulk(worker->stress->q, QR_GFP_KERNEL | QR___GFP_NOWARN,
					  QR_NODE_NONE, NULL, wanted, pages);

	count_add(&worker->counts.bulk, 1);
	for (unsigned i = 0; i < nr; i++) {
		struct holding holding = {.page = pages[i], .nr_pages = 1, .kind = HOLD_BLOCK};

		allocation_count(worker, 0, true);
		settle(worker, &holding);
	}
	if (nr < wanted)
		allocation_count(worker, 0, false);
}

static void alloc_exact(struct worker *worker)
{
	uint32_t nr = 1 + random_below(worker, 1u << EXACT_MAX_ORDER);
	struct holding holding = {.nr_pages = nr, .kind = HOLD_EXACT};
	unsigned order = 0;

	while (1u << order < nr)
		order++;
	holding.order = (uint8_t)order;
	holding.page = qr_alloc_pages_exact(worker->stress->q, (size_t)nr << QR_PAGE_SHIFT,
					    QR_GFP_KERNEL | QR___GFP_NOWARN);
	count_add(&worker->counts.exact, 1);
	allocation_count(worker, order, holding.page != NULL);
	if (holding.page)
		settle(worker, &holding);
}

/* A block that becomes single pages, each with a life of its own. */
static void alloc_split(struct worker *worker)
{
	struct quire *q = worker->stress->q;
	unsigned order = 1 + random_below(worker, SPLIT_MAX_ORDER);
	struct qr_page *page =
		qr_alloc_pages(q, QR_GFP_KERNEL | QR___GFP_NOWARN | QR___GFP_NORETRY, order);
	qr_pfn_t pfn;

	allocation_count(worker, order, page != NULL);
	if (!page)
		return;
	pfn = qr_page_to_pfn(q, page);
	if (qr_split_page(q, page, order) != 0)
		stress_fault(worker->stress, "qr_split_page() refused a block of order %u", order);
	count_add(&worker->counts.split, 1);
	for (unsigned i = 0; i < 1u << order; i++) {
		struct holding holding = {.nr_pages = 1, .kind = HOLD_BLOCK};

		holding.page = qr_pfn_to_page(q, pfn + i);
		settle(worker, &holding);
	}
}

static void alloc_step(struct worker *worker)
{
	unsigned roll = random_below(worker, 1000);
	bool singles = worker->stress->min_order == 0;

	if (singles && roll < 20)
		alloc_bulk(worker);
	else if (singles && worker->stress->max_order >= EXACT_MAX_ORDER && roll < 40)
		alloc_exact(worker);
	else if (singles && worker->stress->max_order >= SPLIT_MAX_ORDER && roll < 50)
		alloc_split(worker);
	else
		alloc_block(worker, roll < 250);
}

/* Freeing ---------------------------------------------------------------------------------- */

/* With a second reference, letting go of the first must not free it. */
static void release_late(struct worker *worker, const struct holding *holding)
{
	struct quire *q = worker->stress->q;
	struct holding last = *holding;

	qr_get_page(q, holding->page);
	if (qr_put_page(q, holding->page))
		stress_fault(worker->stress,
			     "qr_put_page() freed a page that has another reference");
	worker_release(worker, &last);
}

static void free_step(struct worker *worker)
{
	struct holding holding;

	if (!held_take(worker, &holding))
		return;
	if (holding.order == 0 && holding.kind != HOLD_EXACT && one_in(worker, 32))
		release_late(worker, &holding);
	else
		worker_release(worker, &holding);
}

static void look_step(struct worker *worker)
{
	struct holding holding;

	if (!held_take(worker, &holding))
		return;
	pages_verify(worker->stress, &holding);
	hold(worker, &holding);
}

static void drain_step(struct worker *worker)
{
	if (one_in(worker, 8))
		qr_drain_all_pages(worker->stress->q, NULL);
	else
		qr_drain_local_pages(worker->stress->q, NULL);
}

/* The thread ------------------------------------------------------------------------------- */

static void worker_step(struct worker *worker)
{
	struct stress *stress = worker->stress;
	const struct stress_phase *phase = atomic_load(&stress->phase);
	uint64_t target = stress->managed * phase->held / 1000 / stress->nr_workers;
	bool below = atomic_load_explicit(&worker->held_pages, memory_order_relaxed) < target;

	inbox_free(worker);
	if (one_in(worker, 4096))
		drain_step(worker);
	else if (one_in(worker, 64))
		look_step(worker);
	else if (below != one_in(worker, 8))
		alloc_step(worker);
	else
		free_step(worker);
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	struct holding holding;

	while (!atomic_load_explicit(&worker->stress->stop, memory_order_relaxed))
		worker_step(worker);
	while (held_take(worker, &holding))
		worker_release(worker, &holding);
	return NULL;
}

/* Out of memory ---------------------------------------------------------------------------- */

static struct worker *worker_fattest(struct stress *stress)
{
	struct worker *fattest = &stress->workers[0];
	uint64_t most = 0;

	for (unsigned i = 0; i < stress->nr_workers; i++) {
		uint64_t pages =
			atomic_load_explicit(&stress->workers[i].held_pages, memory_order_relaxed);

		if (pages > most) {
			most = pages;
			fattest = &stress->workers[i];
		}
	}
	return fattest;
}

/* Free a block; how many of its pages help a request for zones up to highest? */
static uint64_t kill_one(struct stress *stress, const struct holding *holding,
			 enum qr_zone_type highest)
{
	bool helps = qr_page_zone_type(stress->q, holding->page) <= highest;

	atomic_fetch_add_explicit(&stress->nr_freed_by_others, 1, memory_order_relaxed);
	pages_release(stress, holding);
	return helps ? holding->nr_pages : 0;
}

uint64_t workers_kill(struct stress *stress, enum qr_zone_type highest)
{
	struct worker *victim = worker_fattest(stress);
	struct holding taken[KILL_MAX];
	unsigned nr = 0, nr_inbox;
	uint64_t freed = 0;

	pthread_mutex_lock(&victim->lock);
	while (nr < KILL_MAX && victim->held.nr > 0) {
		taken[nr] = victim->held.holdings[--victim->held.nr];
		atomic_fetch_sub_explicit(&victim->held_pages, taken[nr].nr_pages,
					  memory_order_relaxed);
		nr++;
	}
	pthread_mutex_unlock(&victim->lock);
	for (unsigned i = 0; i < nr; i++)
		freed += kill_one(stress, &taken[i], highest);
	for (unsigned w = 0; w < stress->nr_workers; w++) {
		nr_inbox = inbox_take(&stress->workers[w], taken);
		for (unsigned i = 0; i < nr_inbox; i++)
			freed += kill_one(stress, &taken[i], highest);
	}
	return freed;
}

/* All of them ------------------------------------------------------------------------------ */

bool workers_begin(struct stress *stress, unsigned nr, uint64_t seed)
{
	stress->workers = calloc(nr, sizeof(*stress->workers));
	if (!stress->workers)
		return false;
	stress->nr_workers = nr;
	for (unsigned i = 0; i < nr; i++) {
		struct worker *worker = &stress->workers[i];

		worker->stress = stress;
		worker->id = i;
		worker->random = seed + i * UINT64_C(0xd1342543de82ef95);
		pthread_mutex_init(&worker->lock, NULL);
		pthread_mutex_init(&worker->inbox_lock, NULL);
	}
	return true;
}

bool workers_start(struct stress *stress)
{
	unsigned started = 0;

	while (started < stress->nr_workers &&
	       pthread_create(&stress->workers[started].thread, NULL, worker_run,
			      &stress->workers[started]) == 0)
		started++;
	stress->nr_started = started;
	return started == stress->nr_workers;
}

void workers_join(struct stress *stress)
{
	atomic_store(&stress->stop, true);
	for (unsigned i = 0; i < stress->nr_started; i++)
		pthread_join(stress->workers[i].thread, NULL);
	for (unsigned i = 0; i < stress->nr_workers; i++)
		inbox_free(&stress->workers[i]);
}

void workers_end(struct stress *stress)
{
	for (unsigned i = 0; i < stress->nr_workers; i++) {
		pthread_mutex_destroy(&stress->workers[i].lock);
		pthread_mutex_destroy(&stress->workers[i].inbox_lock);
		free(stress->workers[i].held.holdings);
	}
	free(stress->workers);
	stress->workers = NULL;
	stress->nr_workers = 0;
}
