/* SPDX-License-Identifier: MIT */
/*
 * contestants.c - Quire's engines, and what else gives out pages on an ordinary system
 *
 * Quire runs without memory behind it, as the others' pages are never touched either: what is
 * measured is who gets which page, not the kernel's page faults.  jemalloc and mimalloc are
 * looked up at run time, for linking with them would replace malloc for everybody.
 */
#include "contestant.h"

#include <dlfcn.h>
#include <quire/inspect.h>
#include <quire/linux.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Quire ------------------------------------------------------------------------------------ */

static void *quire_open(uint64_t bytes, unsigned threads, const char *engine)
{
	struct qr_linux_config config = {.size = bytes, .backing = QR_LINUX_NO_MEMORY};
	struct qr_linux_pool *pool;
	struct qr_error_text why;

	(void)threads;
	config.machine.engine = engine;
	/* one zone, as the others have: a pool has no devices that reach only its low addresses */
	config.machine.zone_limits.normal_end = bytes >> QR_PAGE_SHIFT;
	if (qr_linux_open(&config, &pool, &why) < 0) {
		fprintf(stderr, "qr-bench: %s: %s\n", engine, why.text);
		return NULL;
	}
	return pool;
}

static void *list_open(uint64_t bytes, unsigned threads)
{
	return quire_open(bytes, threads, "list");
}

static void *bitmap_open(uint64_t bytes, unsigned threads)
{
	return quire_open(bytes, threads, "bitmap");
}

static void quire_close(void *pool)
{
	qr_linux_close(pool);
}

static void *quire_get(void *pool, unsigned order)
{
	return qr_alloc_pages(qr_linux_quire(pool), QR_GFP_HIGHUSER_MOVABLE | QR___GFP_NOWARN,
			      order);
}

static void quire_put(void *pool, void *pages, unsigned order)
{
	qr___free_pages(qr_linux_quire(pool), pages, order);
}

static uint64_t quire_free_huge(void *pool)
{
	struct quire *q = qr_linux_quire(pool);
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

	qr_alloc_stats(qr_linux_quire(pool), &stats);
	*taken = stats.zone_locks;
	*waited = stats.zone_lock_contended;
}

const struct contestant contestant_list = {
	.name = "list",
	.what = "Quire with the list engine",
	.open = list_open,
	.close = quire_close,
	.get = quire_get,
	.put = quire_put,
	.free_huge = quire_free_huge,
	.locks = quire_locks,
};

const struct contestant contestant_bitmap = {
	.name = "bitmap",
	.what = "Quire with the bitmap engine",
	.open = bitmap_open,
	.close = quire_close,
	.get = quire_get,
	.put = quire_put,
	.free_huge = quire_free_huge,
	.locks = quire_locks,
};

/* malloc and its kin ----------------------------------------------------------------------- */

/* None of them knows a limit: whoever asks keeps to it. */
static void *limitless_open(uint64_t bytes, unsigned threads)
{
	static char nothing;

	(void)bytes, (void)threads;
	return &nothing;
}

static void nothing_close(void *pool)
{
	(void)pool;
}

static void *glibc_get(void *pool, unsigned order)
{
	size_t size = (size_t)4096 << order;

	(void)pool;
	return aligned_alloc(size, size);
}

static void glibc_put(void *pool, void *pages, unsigned order)
{
	(void)pool, (void)order;
	free(pages);
}

const struct contestant contestant_glibc = {
	.name = "glibc",
	.what = "aligned_alloc() of the C library",
	.open = limitless_open,
	.close = nothing_close,
	.get = glibc_get,
	.put = glibc_put,
};

static void *(*jemalloc_mallocx)(size_t size, int flags);
static void (*jemalloc_sdallocx)(void *p, size_t size, int flags);

/* jemalloc's flag for an alignment is its log2. */
static int jemalloc_flags(unsigned order)
{
	return (int)(12 + order);
}

static void *jemalloc_open(uint64_t bytes, unsigned threads)
{
	void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "qr-bench: %s; try LD_PRELOAD=libjemalloc.so.2\n", dlerror());
		return NULL;
	}
	*(void **)&jemalloc_mallocx = dlsym(library, "mallocx");
	*(void **)&jemalloc_sdallocx = dlsym(library, "sdallocx");
	return jemalloc_mallocx && jemalloc_sdallocx ? limitless_open(bytes, threads) : NULL;
}

static void *jemalloc_get(void *pool, unsigned order)
{
	(void)pool;
	return jemalloc_mallocx((size_t)4096 << order, jemalloc_flags(order));
}

static void jemalloc_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	jemalloc_sdallocx(pages, (size_t)4096 << order, jemalloc_flags(order));
}

const struct contestant contestant_jemalloc = {
	.name = "jemalloc",
	.what = "mallocx() of jemalloc (Debian: libjemalloc2)",
	.open = jemalloc_open,
	.close = nothing_close,
	.get = jemalloc_get,
	.put = jemalloc_put,
};

static void *(*mimalloc_malloc_aligned)(size_t size, size_t alignment);
static void (*mimalloc_free_size_aligned)(void *p, size_t size, size_t alignment);

static void *mimalloc_open(uint64_t bytes, unsigned threads)
{
	void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		library = dlopen("libmimalloc.so.2.0", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return NULL;
	*(void **)&mimalloc_malloc_aligned = dlsym(library, "mi_malloc_aligned");
	*(void **)&mimalloc_free_size_aligned = dlsym(library, "mi_free_size_aligned");
	return mimalloc_malloc_aligned && mimalloc_free_size_aligned
		       ? limitless_open(bytes, threads)
		       : NULL;
}

static void *mimalloc_get(void *pool, unsigned order)
{
	(void)pool;
	return mimalloc_malloc_aligned((size_t)4096 << order, (size_t)4096 << order);
}

static void mimalloc_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	mimalloc_free_size_aligned(pages, (size_t)4096 << order, (size_t)4096 << order);
}

const struct contestant contestant_mimalloc = {
	.name = "mimalloc",
	.what = "mi_malloc_aligned() of mimalloc (Debian: libmimalloc2.0)",
	.open = mimalloc_open,
	.close = nothing_close,
	.get = mimalloc_get,
	.put = mimalloc_put,
};

static void *mmap_get(void *pool, unsigned order)
{
	void *pages = mmap(NULL, (size_t)4096 << order, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)pool;
	return pages == MAP_FAILED ? NULL : pages;
}

static void mmap_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	munmap(pages, (size_t)4096 << order);
}

const struct contestant contestant_mmap = {
	.name = "mmap",
	.what = "mmap() and munmap(), aligned to 4 KiB only",
	.open = limitless_open,
	.close = nothing_close,
	.get = mmap_get,
	.put = mmap_put,
};

const struct contestant *const contestants[] = {
	&contestant_list,
	&contestant_bitmap,
	&contestant_glibc,
	&contestant_jemalloc,
	&contestant_mimalloc,
	&contestant_mmap,
	NULL,
};

/* Finding them ----------------------------------------------------------------------------- */

static const struct contestant *plugin_load(const char *path, const char **why)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct contestant *who;

	if (!object) {
		*why = dlerror();
		return NULL;
	}
	who = dlsym(object, "contestant_plugin");
	if (!who)
		*why = "it defines no contestant_plugin";
	else if (who->abi != CONTESTANT_ABI)
		*why = "it was built with a contestant.h of another version";
	else if (!who->name || !who->what || !who->open || !who->close || !who->get || !who->put)
		*why = "its contestant_plugin lacks a name, a description or a function";
	else
		return who;
	dlclose(object);
	return NULL;
}

const struct contestant *contestant_find(const char *name, const char **why)
{
	if (strchr(name, '/'))
		return plugin_load(name, why);
	for (unsigned i = 0; contestants[i]; i++) {
		if (strcmp(contestants[i]->name, name) == 0)
			return contestants[i];
	}
	*why = "there is none of this name; the path of a shared object has a '/' in it";
	return NULL;
}
