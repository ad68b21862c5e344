/* SPDX-License-Identifier: MIT */
/*
 * oom_reclaim.c - a cache that takes all memory there is, and gives back what others need
 *
 * A pool that is full need not refuse: when the slow path asks for help, the program frees the
 * oldest pages of its cache.  Five times as much is allocated here as the pool has, and nothing
 * fails.
 */
#include <quire/inspect.h>
#include <quire/linux.h>
#include <stdio.h>

enum { POOL_PAGES = 4096, NR_WRITES = 5 * POOL_PAGES };

/* The pages of the cache, oldest first, in a ring. */
struct cache {
	struct qr_page *ring[POOL_PAGES];
	unsigned oldest, nr;
	unsigned long evicted;
};

static void cache_add(struct cache *cache, struct qr_page *page)
{
	cache->ring[(cache->oldest + cache->nr++) % POOL_PAGES] = page;
}

static uint64_t cache_evict(struct cache *cache, struct quire *q, uint64_t nr)
{
	uint64_t freed = 0;

	for (; freed < nr && cache->nr > 0; freed++, cache->nr--) {
		qr___free_pages(q, cache->ring[cache->oldest], 0);
		cache->oldest = (cache->oldest + 1) % POOL_PAGES;
	}
	cache->evicted += freed;
	return freed;
}

/* The slow path has found nothing: free some now, on behalf of the request. */
static uint64_t direct_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)req;
	return cache_evict(ctx, q, 32);
}

/* In the background, from qr_run_pending(): free memory fell below the low watermark. */
static uint64_t shrink_zone(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
			    unsigned priority)
{
	(void)zone;
	(void)priority;
	return cache_evict(ctx, q, nr);
}

/* How much reclaim could free at most: while this is not nothing, the slow path keeps trying. */
static uint64_t reclaimable_pages(void *ctx, struct quire *q, struct qr_zone *zone)
{
	(void)q;
	(void)zone;
	return ((struct cache *)ctx)->nr;
}

static const struct qr_reclaim_ops ops = {
	.direct_reclaim = direct_reclaim,
	.shrink_zone = shrink_zone,
	.reclaimable_pages = reclaimable_pages,
};

/* Returns how many allocations failed. */
static unsigned write_all(struct quire *q, struct cache *cache)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < NR_WRITES; i++) {
		struct qr_page *page = qr_alloc_pages(q, QR_GFP_HIGHUSER_MOVABLE, 0);

		if (page)
			cache_add(cache, page);
		else
			failed++;
	}
	return failed;
}

int main(void)
{
	/* One thread does it all, so the background work is done when memory is short. */
	struct qr_linux_config config = {.size = POOL_PAGES * QR_PAGE_SIZE, .no_worker = true};
	static struct cache cache;
	struct qr_linux_pool *pool;
	struct qr_error_text why;
	unsigned failed;

	if (qr_linux_open(&config, &pool, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	qr_reclaim_ops_set(qr_linux_quire(pool), &ops, &cache);
	failed = write_all(qr_linux_quire(pool), &cache);
	printf("%d pages went through a pool of %d, %u requests failed\n", NR_WRITES, POOL_PAGES,
	       failed);
	printf("pages evicted and pages still there make up all: %s\n",
	       cache.evicted + cache.nr == NR_WRITES ? "yes" : "no");
	cache_evict(&cache, qr_linux_quire(pool), UINT64_MAX);
	qr_linux_close(pool);
	return failed != 0;
}
