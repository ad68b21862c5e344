/* SPDX-License-Identifier: MIT */
/*
 * contestant.h - what a page allocator must do to take part in qr-bench
 *
 * To add one, write a file that defines a struct contestant, and name it in contestants.c; an
 * allocator that may not be part of this repository is added in the same way to a copy of the
 * folder.
 */
#ifndef QUIRE_BENCH_CONTESTANT_H
#define QUIRE_BENCH_CONTESTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct contestant {
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

/* All of them; ends with NULL. */
extern const struct contestant *const contestants[];

#endif /* QUIRE_BENCH_CONTESTANT_H */
