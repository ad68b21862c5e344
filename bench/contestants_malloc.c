/* SPDX-License-Identifier: MIT */
/*
 * contestants_malloc.c - what else gives out pages on an ordinary system
 *
 * None of these knows a limit; the workloads keep to theirs.  jemalloc and mimalloc are looked up
 * at run time, for linking with them would replace malloc for everybody.
 */
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

static char no_pool[1];

static void *no_pool_open(uint64_t bytes, unsigned threads)
{
	(void)bytes, (void)threads;
	return no_pool;
}

static void no_pool_close(void *pool)
{
	(void)pool;
}

/* glibc ------------------------------------------------------------------------------------- */

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

static const char *glibc_version(void *pool)
{
	(void)pool;
	return gnu_get_libc_version();
}

const struct contestant contestant_glibc = {
	.name = "glibc",
	.what = "aligned_alloc() of the C library",
	.open = no_pool_open,
	.close = no_pool_close,
	.get = glibc_get,
	.put = glibc_put,
	.version = glibc_version,
	.no_pool = true,
};

/* jemalloc ---------------------------------------------------------------------------------- */

static struct {
	void *(*mallocx)(size_t size, int flags);
	void (*sdallocx)(void *p, size_t size, int flags);
	int (*mallctl)(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
} jemalloc;

/* jemalloc's flag for an alignment is its log2. */
static int jemalloc_flags(unsigned order)
{
	return (int)(12 + order);
}

static uint64_t jemalloc_allocated(void)
{
	uint64_t bytes = 0;
	size_t size = sizeof(bytes);

	return jemalloc.mallctl("thread.allocated", &bytes, &size, NULL, 0) == 0 ? bytes : 0;
}

/* That it is jemalloc which answers shows in its own books. */
static bool jemalloc_is_itself(void)
{
	uint64_t before = jemalloc_allocated();
	void *page = jemalloc.mallocx(4096, jemalloc_flags(0));
	bool grew = page && jemalloc_allocated() >= before + 4096;

	if (page)
		jemalloc.sdallocx(page, 4096, jemalloc_flags(0));
	return grew;
}

static void *jemalloc_open(uint64_t bytes, unsigned threads)
{
	void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "qr-bench: jemalloc: %s\n", dlerror());
		return NULL;
	}
	*(void **)&jemalloc.mallocx = dlsym(library, "mallocx");
	*(void **)&jemalloc.sdallocx = dlsym(library, "sdallocx");
	*(void **)&jemalloc.mallctl = dlsym(library, "mallctl");
	if (jemalloc.mallocx && jemalloc.sdallocx && jemalloc.mallctl && jemalloc_is_itself())
		return no_pool_open(bytes, threads);
	fprintf(stderr, "qr-bench: jemalloc: libjemalloc.so.2 does not answer as jemalloc does\n");
	return NULL;
}

static void *jemalloc_get(void *pool, unsigned order)
{
	(void)pool;
	return jemalloc.mallocx((size_t)4096 << order, jemalloc_flags(order));
}

static void jemalloc_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	jemalloc.sdallocx(pages, (size_t)4096 << order, jemalloc_flags(order));
}

static const char *jemalloc_version(void *pool)
{
	const char *version = NULL;
	size_t size = sizeof(version);

	(void)pool;
	return jemalloc.mallctl("version", &version, &size, NULL, 0) == 0 ? version : NULL;
}

const struct contestant contestant_jemalloc = {
	.name = "jemalloc",
	.what = "mallocx() of jemalloc (Debian: libjemalloc2)",
	.open = jemalloc_open,
	.close = no_pool_close,
	.get = jemalloc_get,
	.put = jemalloc_put,
	.version = jemalloc_version,
	.no_pool = true,
};

/* mimalloc ---------------------------------------------------------------------------------- */

static struct {
	void *(*malloc_aligned)(size_t size, size_t alignment);
	void (*free_size_aligned)(void *p, size_t size, size_t alignment);
	void *(*heap_get_default)(void);
	bool (*heap_contains_block)(void *heap, const void *p);
	int (*version)(void);
} mimalloc;

static bool mimalloc_is_itself(void)
{
	void *page = mimalloc.malloc_aligned(4096, 4096);
	bool its_own = page && mimalloc.heap_contains_block(mimalloc.heap_get_default(), page);

	if (page)
		mimalloc.free_size_aligned(page, 4096, 4096);
	return its_own;
}

static void *mimalloc_open(uint64_t bytes, unsigned threads)
{
	void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "qr-bench: mimalloc: %s\n", dlerror());
		return NULL;
	}
	*(void **)&mimalloc.malloc_aligned = dlsym(library, "mi_malloc_aligned");
	*(void **)&mimalloc.free_size_aligned = dlsym(library, "mi_free_size_aligned");
	*(void **)&mimalloc.heap_get_default = dlsym(library, "mi_heap_get_default");
	*(void **)&mimalloc.heap_contains_block = dlsym(library, "mi_heap_contains_block");
	*(void **)&mimalloc.version = dlsym(library, "mi_version");
	if (mimalloc.malloc_aligned && mimalloc.free_size_aligned && mimalloc.heap_get_default &&
	    mimalloc.heap_contains_block && mimalloc.version && mimalloc_is_itself())
		return no_pool_open(bytes, threads);
	fprintf(stderr, "qr-bench: mimalloc: libmimalloc.so.2 does not answer as mimalloc does\n");
	return NULL;
}

static void *mimalloc_get(void *pool, unsigned order)
{
	(void)pool;
	return mimalloc.malloc_aligned((size_t)4096 << order, (size_t)4096 << order);
}

static void mimalloc_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	mimalloc.free_size_aligned(pages, (size_t)4096 << order, (size_t)4096 << order);
}

/* 209 is 2.0.9. */
static const char *mimalloc_version(void *pool)
{
	static char text[32];
	int number = mimalloc.version();

	(void)pool;
	snprintf(text, sizeof(text), "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
	return text;
}

const struct contestant contestant_mimalloc = {
	.name = "mimalloc",
	.what = "mi_malloc_aligned() of mimalloc (Debian: libmimalloc2.0)",
	.open = mimalloc_open,
	.close = no_pool_close,
	.get = mimalloc_get,
	.put = mimalloc_put,
	.version = mimalloc_version,
	.no_pool = true,
};

/* mmap -------------------------------------------------------------------------------------- */

/*
 * Neighbours become one mapping, and a page taken out of the middle makes two of it.  There is a
 * limit to how many a process may have (vm.max_map_count): what cannot be unmapped because of it
 * is unmapped at the end, when there are fewer.
 */
struct mmap_leftover {
	struct mmap_leftover *next;
	size_t size;
};

static _Atomic(struct mmap_leftover *) mmap_leftovers;

static void *mmap_open(uint64_t bytes, unsigned threads)
{
	atomic_store(&mmap_leftovers, NULL);
	return no_pool_open(bytes, threads);
}

static void *mmap_get(void *pool, unsigned order)
{
	void *pages = mmap(NULL, (size_t)4096 << order, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)pool;
	return pages == MAP_FAILED ? NULL : pages;
}

static void leftover_keep(struct mmap_leftover *left, size_t size)
{
	left->size = size;
	left->next = atomic_load(&mmap_leftovers);
	while (!atomic_compare_exchange_weak(&mmap_leftovers, &left->next, left))
		;
}

static void mmap_put(void *pool, void *pages, unsigned order)
{
	(void)pool;
	if (munmap(pages, (size_t)4096 << order) < 0)
		leftover_keep(pages, (size_t)4096 << order);
}

static const char *mmap_complaint(void *pool)
{
	(void)pool;
	return atomic_load(&mmap_leftovers)
		       ? "munmap() failed: more mappings than vm.max_map_count allows"
		       : NULL;
}

static void mmap_close(void *pool)
{
	(void)pool;
	/* each round makes room for the next, as single pages can always be unmapped */
	for (unsigned rounds = 0; rounds < 1000 && atomic_load(&mmap_leftovers); rounds++) {
		struct mmap_leftover *left = atomic_exchange(&mmap_leftovers, NULL), *next;

		for (; left; left = next) {
			size_t size = left->size;

			next = left->next;
			if (munmap(left, size) < 0)
				leftover_keep(left, size);
		}
	}
}

const struct contestant contestant_mmap = {
	.name = "mmap",
	.what = "mmap() and munmap(), aligned to 4 KiB only",
	.open = mmap_open,
	.close = mmap_close,
	.get = mmap_get,
	.put = mmap_put,
	.complaint = mmap_complaint,
	.no_pool = true,
	.unaligned = true,
};
