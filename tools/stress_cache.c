/* SPDX-License-Identifier: MIT */
/*
 * stress_cache.c - the shared cache, and the callbacks that free from it
 *
 * Single pages lie in one list per zone, as a page cache would hold them.  Direct reclaim and the
 * background worker free from it when the instance asks them to, and the out-of-memory callback,
 * when the cache has nothing left, takes blocks away from the worker that holds most.
 */
#include <stdlib.h>

#include "stress.h"

enum { CLUSTER = 32 }; /* pages that one direct reclaim goes for, at least */

static struct cache_shard *shard_of_page(struct stress *stress, const struct qr_page *page)
{
	unsigned nid = qr_page_nid(stress->q, page);

	return &stress->cache[nid * QR_NR_ZONES + qr_page_zone_type(stress->q, page)];
}

static struct cache_shard *shard_of_zone(struct stress *stress, const struct qr_zone *zone)
{
	return &stress->cache[(unsigned)qr_zone_nid(zone) * QR_NR_ZONES + qr_zone_type_of(zone)];
}

bool cache_add(struct stress *stress, const struct holding *holding)
{
	struct cache_shard *shard = shard_of_page(stress, holding->page);
	bool good;

	pthread_mutex_lock(&shard->lock);
	good = holding_put(&shard->list, holding);
	if (good) {
		atomic_fetch_add_explicit(&shard->nr, holding->nr_pages, memory_order_relaxed);
		atomic_fetch_add_explicit(&stress->nr_cached, holding->nr_pages,
					  memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);
	return good;
}

/* Take some off a list; freeing is for when the lock is let go. */
static unsigned shard_take(struct stress *stress, struct cache_shard *shard, uint64_t nr,
			   struct holding out[CLUSTER])
{
	unsigned taken = 0;

	pthread_mutex_lock(&shard->lock);
	while (taken < CLUSTER && taken < nr && shard->list.nr > 0) {
		out[taken] = shard->list.holdings[--shard->list.nr];
		atomic_fetch_sub_explicit(&shard->nr, out[taken].nr_pages, memory_order_relaxed);
		atomic_fetch_sub_explicit(&stress->nr_cached, out[taken].nr_pages,
					  memory_order_relaxed);
		taken++;
	}
	pthread_mutex_unlock(&shard->lock);
	return taken;
}

static uint64_t shard_shrink(struct stress *stress, struct cache_shard *shard, uint64_t nr)
{
	struct holding taken[CLUSTER];
	uint64_t freed = 0;

	while (freed < nr) {
		unsigned nr_taken = shard_take(stress, shard, nr - freed, taken);

		if (nr_taken == 0)
			break;
		for (unsigned i = 0; i < nr_taken; i++) {
			freed += taken[i].nr_pages;
			pages_release(stress, &taken[i]);
		}
		atomic_fetch_add_explicit(&stress->nr_freed_by_others, nr_taken,
					  memory_order_relaxed);
	}
	return freed;
}

/* Callbacks -------------------------------------------------------------------------------- */

static uint64_t direct_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	struct stress *stress = ctx;
	uint64_t wanted = req->order > 5 ? UINT64_C(1) << req->order : CLUSTER;
	uint64_t freed = 0;

	(void)q;
	for (unsigned i = 0; i < STRESS_NR_SHARDS && freed < wanted; i++) {
		if (i % QR_NR_ZONES > req->highest_zoneidx)
			continue;
		if (req->nodemask && !(*req->nodemask >> i / QR_NR_ZONES & 1))
			continue;
		if (atomic_load_explicit(&stress->cache[i].nr, memory_order_relaxed) > 0)
			freed += shard_shrink(stress, &stress->cache[i], wanted - freed);
	}
	atomic_fetch_add_explicit(&stress->nr_reclaimed, freed, memory_order_relaxed);
	return freed;
}

static uint64_t shrink_zone(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
			    unsigned priority)
{
	struct stress *stress = ctx;
	uint64_t freed = shard_shrink(stress, shard_of_zone(stress, zone), nr);

	(void)q;
	(void)priority;
	atomic_fetch_add_explicit(&stress->nr_reclaimed, freed, memory_order_relaxed);
	return freed;
}

static uint64_t reclaimable_pages(void *ctx, struct quire *q, struct qr_zone *zone)
{
	struct stress *stress = ctx;

	(void)q;
	return atomic_load_explicit(&shard_of_zone(stress, zone)->nr, memory_order_relaxed);
}

static bool out_of_memory(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	struct stress *stress = ctx;
	uint64_t freed = workers_kill(stress, req->highest_zoneidx);

	(void)q;
	atomic_fetch_add_explicit(&stress->nr_killed, freed, memory_order_relaxed);
	return freed > 0;
}

/* Requests with __GFP_ACCOUNT; what is charged must have been uncharged in the end. */
static int charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	struct stress *stress = ctx;

	(void)page;
	(void)gfp;
	atomic_fetch_add_explicit(&stress->nr_charged, INT64_C(1) << order, memory_order_relaxed);
	return 0;
}

static void uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	struct stress *stress = ctx;

	(void)page;
	atomic_fetch_sub_explicit(&stress->nr_charged, INT64_C(1) << order, memory_order_relaxed);
}

/* Beginning and end ------------------------------------------------------------------------ */

bool cache_begin(struct stress *stress)
{
	static const struct qr_reclaim_ops reclaim_ops = {
		.direct_reclaim = direct_reclaim,
		.shrink_zone = shrink_zone,
		.reclaimable_pages = reclaimable_pages,
		.out_of_memory = out_of_memory,
	};
	static const struct qr_charge_ops charge_ops = {.charge = charge, .uncharge = uncharge};

	stress->cache = calloc(STRESS_NR_SHARDS, sizeof(*stress->cache));
	if (!stress->cache)
		return false;
	for (unsigned i = 0; i < STRESS_NR_SHARDS; i++)
		pthread_mutex_init(&stress->cache[i].lock, NULL);
	qr_reclaim_ops_set(stress->q, &reclaim_ops, stress);
	qr_charge_ops_set(stress->q, &charge_ops, stress);
	return true;
}

void cache_empty(struct stress *stress)
{
	for (unsigned i = 0; i < STRESS_NR_SHARDS; i++)
		shard_shrink(stress, &stress->cache[i], UINT64_MAX);
}

void cache_end(struct stress *stress)
{
	for (unsigned i = 0; stress->cache && i < STRESS_NR_SHARDS; i++) {
		pthread_mutex_destroy(&stress->cache[i].lock);
		free(stress->cache[i].list.holdings);
	}
	free(stress->cache);
	stress->cache = NULL;
}
