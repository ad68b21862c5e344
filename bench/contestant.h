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
 *		.size = sizeof(struct contestant), .name = "mine", .what = "my allocator",
 *		.open = mine_open, .close = mine_close, .get = mine_get, .put = mine_put,
 *	};
 *
 *	cc -O2 -shared -fPIC -Ibench -o mine.so mine.c
 *	build/qr-bench pair --contestants bitmap,./mine.so
 *
 * Nobody touches the pages: a contestant needs no memory behind them, and one that manages a range
 * of memory can return addresses in a reservation of address space.
 */
#ifndef QUIRE_BENCH_CONTESTANT_H
#define QUIRE_BENCH_CONTESTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields are only ever added at the end; what a shared object does not have yet, counts as 0. */
struct contestant {
	size_t size; /* sizeof(struct contestant); only looked at in shared objects */
	const char *name;
	const char *what; /* one line, for --help */

	/*
	 * Prepare to serve so many bytes to so many threads; NULL: it cannot take part here, and
	 * has told stderr why.
	 */
	void *(*open)(uint64_t bytes, unsigned threads);
	void (*close)(void *pool);

	/* 2^order pages of 4 KiB, aligned to their size; NULL: none left.  Called by any thread. */
	void *(*get)(void *pool, unsigned order);
	void (*put)(void *pool, void *pages, unsigned order);

	/* All that follows may be NULL. */

	/* Each thread calls it before its first get or put; they are numbered from 0. */
	void (*enter)(void *pool, unsigned thread);
	/* Wholly free blocks of 2 MiB; NULL: it cannot tell. */
	uint64_t (*free_huge)(void *pool);
	/* Locks taken so far, and how many had to be waited for; NULL: it cannot tell. */
	void (*locks)(void *pool, uint64_t *taken, uint64_t *waited);
	/* Which version of it runs here. */
	const char *(*version)(void *pool);
	/* Asked at the end: why its numbers do not count; NULL: they do. */
	const char *(*complaint)(void *pool);

	bool no_pool; /* there is nothing to be made: workload init passes it over */
	bool unaligned; /* its blocks are aligned to 4 KiB only */
	bool by_name_only; /* takes part only where it is named */
};

#endif /* QUIRE_BENCH_CONTESTANT_H */
