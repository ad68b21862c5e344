/* SPDX-License-Identifier: MIT */
/*
 * verify.c - does a contestant give out what is somebody else's?
 *
 * Each page of a block is marked when it is given out, and unmarked before it is put back.  The
 * marks lie in an array over all addresses that a process can have, of which only what is used
 * gets memory: so contestants with no memory behind their pages can be checked like all others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

enum { ADDRESS_BITS = 47, PAGE_BITS = 12 };

static const struct contestant *inner;
/* of each page the order of its block, plus 1; 0: nobody has it */
static _Atomic(unsigned char) *marks;
static atomic_uint_least64_t nr_blocks, nr_taken;

static _Noreturn void blame(const char *what, const void *page, unsigned order)
{
	fprintf(stderr, "qr-bench: %s: %s: %p, order %u\n", inner->name, what, page, order);
	/* other threads are at work: nothing but to stop */
	_exit(1);
}

static void block_check(const char *block, unsigned order)
{
	uintptr_t at = (uintptr_t)block, size = (uintptr_t)4096 << order;

	if (at % (inner->unaligned ? 4096 : size))
		blame("not aligned to its size", block, order);
	if (at >> ADDRESS_BITS || (at + size - 1) >> ADDRESS_BITS)
		blame("beyond all addresses", block, order);
}

static void *verify_get(void *pool, unsigned order)
{
	char *block = inner->get(pool, order);

	if (!block)
		return NULL;
	block_check(block, order);
	for (uintptr_t i = 0; i < (uintptr_t)1 << order; i++) {
		uintptr_t page = ((uintptr_t)block >> PAGE_BITS) + i;

		if (atomic_exchange(&marks[page], (unsigned char)(order + 1)) != 0)
			blame("given out twice", block + (i << PAGE_BITS), order);
	}
	atomic_fetch_add(&nr_blocks, 1);
	atomic_fetch_add(&nr_taken, 1);
	return block;
}

static void verify_put(void *pool, void *pages, unsigned order)
{
	for (uintptr_t i = 0; i < (uintptr_t)1 << order; i++) {
		uintptr_t page = ((uintptr_t)pages >> PAGE_BITS) + i;

		if (atomic_exchange(&marks[page], 0) != order + 1)
			blame("put back by who does not have it", pages, order);
	}
	atomic_fetch_sub(&nr_taken, 1);
	inner->put(pool, pages, order);
}

static void verify_close(void *pool)
{
	if (atomic_load(&nr_taken)) {
		fprintf(stderr, "qr-bench: %s: %llu blocks were not put back\n", inner->name,
			(unsigned long long)atomic_load(&nr_taken));
		exit(1);
	}
	inner->close(pool);
}

const struct contestant *verify_wrap(const struct contestant *who)
{
	static struct contestant wrapped;

	if (!marks) {
		void *area =
			mmap(NULL, (size_t)1 << (ADDRESS_BITS - PAGE_BITS), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (area == MAP_FAILED) {
			perror("qr-bench: --verify: no room for 32 GiB of addresses");
			exit(1);
		}
		marks = area;
	}
	inner = who;
	wrapped = *who;
	wrapped.get = verify_get;
	wrapped.put = verify_put;
	wrapped.close = verify_close;
	atomic_store(&nr_blocks, 0);
	atomic_store(&nr_taken, 0);
	return &wrapped;
}

uint64_t verify_blocks(void)
{
	return atomic_load(&nr_blocks);
}
