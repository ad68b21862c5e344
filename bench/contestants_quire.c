/* SPDX-License-Identifier: MIT */
/*
 * contestants_quire.c - Quire's two engines, hosted, and on a machine of as many CPUs as threads
 *
 * Neither has memory behind it: what is measured is who gets which page, not the kernel's page
 * faults.  The pool is one zone, as the others' memory is: it has no devices that reach only its
 * low addresses.
 *
 * The hosted port knows the CPUs that are there.  To learn what more of them would contend for,
 * the contestants "...-cpus" bring a platform of their own, on which each thread is a CPU.
 */
#include <quire/inspect.h>
#include <quire/linux.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

struct quire_pool {
	struct quire *q;
	char *pages; /* where they begin */

	uint64_t bytes;
	struct qr_linux_pool *hosted; /* or */
	void *metadata;
	size_t metadata_size;
	void *reserved;
};

/* Addresses ----------------------------------------------------------------------------------- */

/* Addresses for the pages, aligned to the largest block; nothing is behind them. */
static bool pages_reserve(struct quire_pool *pool)
{
	size_t align = QR_PAGE_SIZE << QR_MAX_PAGE_ORDER;

	pool->reserved = mmap(NULL, pool->bytes + align, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->reserved == MAP_FAILED) {
		pool->reserved = NULL;
		return false;
	}
	pool->pages = (char *)(((uintptr_t)pool->reserved + align - 1) & ~(uintptr_t)(align - 1));
	return true;
}

static void *quire_get(void *pool, unsigned order)
{
	const struct quire_pool *p = pool;
	qr_pfn_t pfn = qr_alloc_pfn(p->q, QR_GFP_HIGHUSER_MOVABLE | QR___GFP_NOWARN, order);

	return pfn != QR_PFN_NONE ? p->pages + (pfn << QR_PAGE_SHIFT) : NULL;
}

static void quire_put(void *pool, void *pages, unsigned order)
{
	const struct quire_pool *p = pool;

	qr_free_pfn(p->q, (size_t)((char *)pages - p->pages) >> QR_PAGE_SHIFT, order);
}

/* Making and ending pools --------------------------------------------------------------------- */

static void quire_close(void *pool)
{
	struct quire_pool *p = pool;

	if (p->reserved)
		munmap(p->reserved, p->bytes + (QR_PAGE_SIZE << QR_MAX_PAGE_ORDER));
	if (p->hosted)
		qr_linux_close(p->hosted);
	else if (p->q)
		qr_destroy(p->q);
	if (p->metadata)
		munmap(p->metadata, p->metadata_size);
	free(p);
}

/* The pool once it has its instance; NULL, with a line on stderr, if something was in the way. */
static void *pool_finish(struct quire_pool *pool, const char *engine, const char *why)
{
	if (pool->q && pages_reserve(pool))
		return pool;
	fprintf(stderr, "qr-bench: %s: %s\n", engine, pool->q ? "no addresses for its pages" : why);
	quire_close(pool);
	return NULL;
}

static void *hosted_open(uint64_t bytes, const char *engine)
{
	struct qr_linux_config config = {.size = bytes, .backing = QR_LINUX_NO_MEMORY};
	struct quire_pool *pool = calloc(1, sizeof(*pool));
	struct qr_error_text why = {"out of memory"};

	if (!pool)
		return NULL;
	pool->bytes = bytes;
	config.machine.engine = engine;
	config.machine.zone_limits.normal_end = bytes >> QR_PAGE_SHIFT;
	if (qr_linux_open(&config, &pool->hosted, &why) == 0)
		pool->q = qr_linux_quire(pool->hosted);
	return pool_finish(pool, engine, why.text);
}

static void *list_open(uint64_t bytes, unsigned threads)
{
	(void)threads;
	return hosted_open(bytes, "list");
}

static void *bitmap_open(uint64_t bytes, unsigned threads)
{
	(void)threads;
	return hosted_open(bytes, "bitmap");
}

/* A platform on which each thread is a CPU ----------------------------------------------------- */

static _Thread_local unsigned thread_cpu;

static unsigned cpus_cpu_id(void *ctx)
{
	(void)ctx;
	return thread_cpu;
}

static uint64_t cpus_clock_ns(void *ctx)
{
	(void)ctx;
	return (uint64_t)now_ns();
}

/* Whoever is waited for may not be running: there are more threads than CPUs. */
static void cpus_relax(void *ctx, unsigned spins)
{
	(void)ctx;
	if (spins >= 16)
		sched_yield();
}

static void cpus_enter(void *pool, unsigned thread)
{
	(void)pool;
	thread_cpu = thread;
}

static void *cpus_open(uint64_t bytes, unsigned threads, const char *engine)
{
	struct qr_range range = {.nr_pages = bytes >> QR_PAGE_SHIFT};
	struct qr_config config = {
		.ranges = &range,
		.nr_ranges = 1,
		.zone_limits.normal_end = bytes >> QR_PAGE_SHIFT,
		.nr_cpus = threads,
		.cpu_cache_bytes = 2 << 20, /* an L2 of today */
		.options = QR_OPT_METADATA_ZEROED,
		.engine = engine,
		.platform = {.cpu_id = cpus_cpu_id, .clock_ns = cpus_clock_ns, .relax = cpus_relax},
	};
	struct quire_pool *pool = calloc(1, sizeof(*pool));
	struct qr_error_text why = {"out of memory"};

	if (!pool)
		return NULL;
	thread_cpu = 0;
	pool->bytes = bytes;
	if (qr_metadata_size(&config, &pool->metadata_size, &why) == 0)
		pool->metadata = mmap(NULL, pool->metadata_size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->metadata == MAP_FAILED)
		pool->metadata = NULL;
	if (pool->metadata)
		qr_create(&config, pool->metadata, pool->metadata_size, &pool->q, &why);
	return pool_finish(pool, engine, why.text);
}

static void *list_cpus_open(uint64_t bytes, unsigned threads)
{
	return cpus_open(bytes, threads, "list");
}

static void *bitmap_cpus_open(uint64_t bytes, unsigned threads)
{
	return cpus_open(bytes, threads, "bitmap");
}

/* What they can tell -------------------------------------------------------------------------- */

static uint64_t quire_free_huge(void *pool)
{
	struct quire *q = ((struct quire_pool *)pool)->q;
	uint64_t nr = 0;

	for (unsigned type = 0; type < QR_NR_ZONES; type++) {
		struct qr_zone_snapshot snap;

		if (qr_zone_snapshot(q, 0, (enum qr_zone_type)type, &snap) < 0)
			continue;
		for (unsigned o = QR_PAGEBLOCK_ORDER; o < QR_NR_PAGE_ORDERS; o++)
			nr += snap.nr_blocks[o] << (o - QR_PAGEBLOCK_ORDER);
	}
	return nr;
}

static void quire_locks(void *pool, uint64_t *taken, uint64_t *waited)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(((struct quire_pool *)pool)->q, &stats);
	*taken = stats.zone_locks;
	*waited = stats.zone_lock_contended;
}

static const char *quire_version(void *pool)
{
	(void)pool;
	return qr_version();
}

/* What all of them have in common; the rest is in the braces. */
#define QUIRE_CONTESTANT \
	.close = quire_close, .get = quire_get, .put = quire_put, .free_huge = quire_free_huge, \
	.locks = quire_locks, .version = quire_version
#define CPUS_CONTESTANT QUIRE_CONTESTANT, .enter = cpus_enter, .by_name_only = true

const struct contestant contestant_list = {
	.name = "list",
	.what = "Quire with the list engine",
	.open = list_open,
	QUIRE_CONTESTANT,
};

const struct contestant contestant_bitmap = {
	.name = "bitmap",
	.what = "Quire with the bitmap engine",
	.open = bitmap_open,
	QUIRE_CONTESTANT,
};

const struct contestant contestant_list_cpus = {
	.name = "list-cpus",
	.what = "the list engine on a machine where each thread is a CPU",
	.open = list_cpus_open,
	CPUS_CONTESTANT,
};

const struct contestant contestant_bitmap_cpus = {
	.name = "bitmap-cpus",
	.what = "the bitmap engine on a machine where each thread is a CPU",
	.open = bitmap_cpus_open,
	CPUS_CONTESTANT,
};
