/* SPDX-License-Identifier: MIT */
/*
 * contestant.h - what a page allocator must do to take part in qr-bench
 *
 * To add one that is part of this repository, write a file that defines a struct contestant, and
 * name it in contestants.c.  Any other is one file outside of it, that is made a shared object:
 *
 *	#include "contestant.h"
 *	...
 *	const struct contestant contestant_plugin = {
 *		.abi = CONTESTANT_ABI, .name = "mine", .what = "my allocator",
 *		.open = mine_open, .close = mine_close, .get = mine_get, .put = mine_put,
 *	};
 *
 *	cc -O2 -shared -fPIC -Ibench -o mine.so mine.c
 *	build/qr-bench pair --contestants bitmap,./mine.so
 */
#ifndef QUIRE_BENCH_CONTESTANT_H
#define QUIRE_BENCH_CONTESTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts the changes of struct contestant: who was built for another is not run. */
enum { CONTESTANT_ABI = 1 };

struct contestant {
	unsigned abi; /* CONTESTANT_ABI; only looked at in shared objects */
	const char *name;
	const char *what; /* one line, for --help */

	/* Prepare to serve so many bytes to so many threads; NULL: it cannot take part here. */
	void *(*open)(uint64_t bytes, unsigned threads);
	void (*close)(void *pool);

	/* 2^order pages of 4 KiB, aligned to their size; NULL: none left.  Called by any thread. */
	void *(*get)(void *pool, unsigned order);
	void (*put)(void *pool, void *pages, unsigned order);

	/* Wholly free blocks of 2 MiB; NULL: it cannot tell. */
	uint64_t (*free_huge)(void *pool);
	/* Locks taken so far, and how many had to be waited for; NULL: it cannot tell. */
	void (*locks)(void *pool, uint64_t *taken, uint64_t *waited);
};

extern const struct contestant contestant_list, contestant_bitmap, contestant_glibc,
	contestant_jemalloc, contestant_mimalloc, contestant_mmap;

/* All that are built in; ends with NULL. */
extern const struct contestant *const contestants[];

/* One of them by its name, or one from a shared object by its path; NULL: *why says why not. */
const struct contestant *contestant_find(const char *name, const char **why);

/* What a shared object has to define; qr-bench itself does not. */
extern const struct contestant contestant_plugin;

#endif /* QUIRE_BENCH_CONTESTANT_H */
