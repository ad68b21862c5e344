/* SPDX-License-Identifier: MIT */
/*
 * port/linux/memory.c - the memfd, its direct map, the metadata, and what of them is resident
 *
 * The file spans all frames from the lowest one (rounded down to 2 MiB, so that blocks of that size
 * lie on huge pages of the host) to the highest.  Address space for all of it is reserved first,
 * and then only the ranges are mapped there: a hole costs nothing, not even reserved huge pages,
 * and touching one ends in a fault.
 *
 * Neither the direct map nor the metadata is inherited by a child process.  Two processes that
 * allocate from one pool without knowing of each other would destroy it, and fork() is spared
 * copying the page tables.
 */
#include "pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_FREE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define HUGE_RESERVED "/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages"

#define MINCORE_CHUNK 16384u /* pages asked about at once */

/* Frames and addresses ---------------------------------------------------------------------- */

void *qr__linux_page_address(void *ctx, qr_pfn_t pfn)
{
	struct qr_linux_pool *pool = ctx;

	return pool->base + ((pfn - pool->start_pfn) << QR_PAGE_SHIFT);
}

qr_pfn_t qr__linux_address_to_pfn(void *ctx, const void *address)
{
	struct qr_linux_pool *pool = ctx;
	uint64_t offset = (uintptr_t)address - (uintptr_t)pool->base;

	/* Below the base it wraps, and is far too large. */
	if (offset >= (pool->end_pfn - pool->start_pfn) << QR_PAGE_SHIFT)
		return QR_PFN_NONE;
	return pool->start_pfn + (offset >> QR_PAGE_SHIFT);
}

void qr__linux_range_extent(const struct qr_linux_pool *pool, const struct qr_range *range,
			    uint64_t *start, uint64_t *end)
{
	uint64_t unit = pool->backing == QR_LINUX_HUGETLB ? LINUX_HUGE_SIZE
							  : (uint64_t)sysconf(_SC_PAGESIZE);

	*start = (range->start_pfn - pool->start_pfn) << QR_PAGE_SHIFT;
	*end = *start + (range->nr_pages << QR_PAGE_SHIFT);
	*start &= ~(unit - 1);
	*end = (*end + unit - 1) & ~(unit - 1);
}

static void span_find(struct qr_linux_pool *pool, const struct qr_config *machine)
{
	uint64_t huge_pages = LINUX_HUGE_SIZE >> QR_PAGE_SHIFT;

	pool->start_pfn = QR_PFN_NONE;
	pool->end_pfn = 0;
	for (unsigned i = 0; i < machine->nr_ranges; i++) {
		const struct qr_range *range = &machine->ranges[i];

		if (range->start_pfn < pool->start_pfn)
			pool->start_pfn = range->start_pfn;
		if (range->start_pfn + range->nr_pages > pool->end_pfn)
			pool->end_pfn = range->start_pfn + range->nr_pages;
	}
	if (huge_pages > 1)
		pool->start_pfn &= ~(huge_pages - 1);
	pool->length = (pool->end_pfn - pool->start_pfn) << QR_PAGE_SHIFT;
	pool->length = (pool->length + LINUX_HUGE_SIZE - 1) & ~(LINUX_HUGE_SIZE - 1);
}

/* Opening ----------------------------------------------------------------------------------- */

/* The kernel would not only refuse but send a signal that ends the program. */
static int file_limit_check(const struct qr_linux_pool *pool, struct qr_error_text *why)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
	    pool->length <= limit.rlim_cur)
		return 0;
	return qr__linux_why(
		why, QR_ENOMEM,
		"files of this process are limited to %llu MiB, and the pool needs %llu; "
		"raise ulimit -f",
		(unsigned long long)limit.rlim_cur >> 20, (unsigned long long)(pool->length >> 20));
}

static int file_open(struct qr_linux_pool *pool, struct qr_error_text *why)
{
	bool huge = pool->backing == QR_LINUX_HUGETLB;
	unsigned flags = MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);

	pool->fd = memfd_create("quire", flags);
	if (pool->fd < 0 && huge && (errno == EINVAL || errno == ENODEV || errno == ENOENT))
		return qr__linux_why(why, QR_ENOSYS,
				     "this kernel has no huge pages of 2 MiB: memfd_create: %s; "
				     "use QR_LINUX_MEMFD",
				     strerror(errno));
	if (pool->fd < 0)
		return qr__linux_why(why, qr__linux_error(errno),
				     "cannot make a memfd%s: memfd_create: %s",
				     huge ? " of huge pages" : "", strerror(errno));
	if (ftruncate(pool->fd, (off_t)pool->length) < 0)
		return qr__linux_why(why, QR_ENOMEM,
				     "cannot give the memfd %llu MiB: ftruncate: %s; make the pool "
				     "smaller",
				     (unsigned long long)(pool->length >> 20), strerror(errno));
	return 0;
}

/* Address space, aligned for huge pages, in which nothing can be touched yet. */
static int space_reserve(struct qr_linux_pool *pool, struct qr_error_text *why)
{
	uint64_t room = pool->length + LINUX_HUGE_SIZE, skip;
	unsigned char *map;

	map = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return qr__linux_why(
			why, QR_ENOMEM,
			"no address space for %llu MiB of memory: mmap: %s; see ulimit -v",
			(unsigned long long)(pool->length >> 20), strerror(errno));
	skip = -(uintptr_t)map & (LINUX_HUGE_SIZE - 1);
	if (skip)
		munmap(map, skip);
	munmap(map + skip + pool->length, LINUX_HUGE_SIZE - skip);
	pool->base = map + skip;
	return 0;
}

static int huge_shortage(uint64_t bytes, int host_errno, struct qr_error_text *why)
{
	uint64_t free = qr__linux_read_number(HUGE_FREE),
		 reserved = qr__linux_read_number(HUGE_RESERVED);

	return qr__linux_why(why, qr__linux_error(host_errno),
			     "only %llu of %llu huge pages are free (mmap: %s); raise "
			     "/proc/sys/vm/nr_hugepages, or use QR_LINUX_MEMFD",
			     (unsigned long long)(free > reserved ? free - reserved : 0),
			     (unsigned long long)(bytes / LINUX_HUGE_SIZE), strerror(host_errno));
}

static int range_map(struct qr_linux_pool *pool, const struct qr_range *range,
		     struct qr_error_text *why)
{
	uint64_t start, end;
	void *map;

	qr__linux_range_extent(pool, range, &start, &end);
	map = mmap(pool->base + start, end - start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   pool->fd, (off_t)start);
	if (map != MAP_FAILED)
		return 0;
	if (pool->backing == QR_LINUX_HUGETLB)
		return huge_shortage(end - start, errno, why);
	return qr__linux_why(why, qr__linux_error(errno),
			     "cannot map %llu MiB of the memfd: mmap: %s",
			     (unsigned long long)((end - start) >> 20), strerror(errno));
}

static int metadata_open(struct qr_linux_pool *pool, struct qr_error_text *why)
{
	void *map = mmap(NULL, pool->metadata_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return qr__linux_why(why, QR_ENOMEM,
				     "cannot map %zu MiB of metadata: mmap: %s; see ulimit -v and "
				     "/proc/sys/vm/overcommit_memory",
				     pool->metadata_size >> 20, strerror(errno));
	pool->metadata = map;
	/*
	 * Creating an instance touches one record in each block of the highest order, here and
	 * there.  Where the host gives huge pages unasked, that would bring in all of the metadata:
	 * for 1 TiB of memory, 8 GiB in 10 s instead of 1 GiB in 1 s.  Afterwards they are welcome.
	 */
	madvise(map, pool->metadata_size, MADV_NOHUGEPAGE);
	madvise(map, pool->metadata_size, MADV_DONTFORK);
	return 0;
}

/*
 * What large blocks have in states and records lies a page of the host apart: each get of such a
 * block would look for the place of another page.
 */
void qr__linux_metadata_in_use(struct qr_linux_pool *pool)
{
	madvise(pool->metadata, pool->metadata_size, MADV_HUGEPAGE);
}

int qr__linux_memory_open(struct qr_linux_pool *pool, const struct qr_config *machine,
			  struct qr_error_text *why)
{
	int err = qr_metadata_size(machine, &pool->metadata_size, why);

	if (err == 0)
		err = metadata_open(pool, why);
	if (err < 0 || pool->backing == QR_LINUX_NO_MEMORY)
		return err;
	span_find(pool, machine);
	err = file_limit_check(pool, why);
	if (err == 0)
		err = file_open(pool, why);
	if (err == 0)
		err = space_reserve(pool, why);
	for (unsigned i = 0; err == 0 && i < machine->nr_ranges; i++)
		err = range_map(pool, &machine->ranges[i], why);
	if (err == 0)
		madvise(pool->base, pool->length, MADV_DONTFORK);
	return err;
}

/* Touch each page, for kernels before 5.14.  May be killed where memory ends. */
static void range_touch(unsigned char *start, uint64_t length)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (uint64_t at = 0; at < length; at += page)
		((volatile unsigned char *)start)[at] = 0;
}

static int range_prefault(struct qr_linux_pool *pool, const struct qr_range *range,
			  struct qr_error_text *why)
{
	uint64_t start, end;

	qr__linux_range_extent(pool, range, &start, &end);
	if (madvise(pool->base + start, end - start, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno == EINVAL) {
		range_touch(pool->base + start, end - start);
		return 0;
	}
	return qr__linux_why(
		why, QR_ENOMEM,
		"cannot touch all %llu MiB of memory: madvise: %s; there is not enough, "
		"or a cgroup forbids more",
		(unsigned long long)((end - start) >> 20), strerror(errno));
}

int qr__linux_memory_prefault(struct qr_linux_pool *pool, const struct qr_config *machine,
			      struct qr_error_text *why)
{
	uint64_t wanted = 0, available = qr__linux_meminfo("MemAvailable");

	for (unsigned i = 0; i < machine->nr_ranges; i++)
		wanted += machine->ranges[i].nr_pages << QR_PAGE_SHIFT;
	/* Better said now than by the host's out-of-memory killer.  Huge pages are reserved. */
	if (pool->backing == QR_LINUX_MEMFD && available && wanted > available)
		return qr__linux_why(
			why, QR_ENOMEM,
			"prefault would touch %llu MiB, and only %llu MiB are available; "
			"make the pool smaller, or leave prefault out",
			(unsigned long long)(wanted >> 20), (unsigned long long)(available >> 20));
	for (unsigned i = 0; i < machine->nr_ranges; i++) {
		int err = range_prefault(pool, &machine->ranges[i], why);

		if (err < 0)
			return err;
	}
	return 0;
}

void qr__linux_memory_close(struct qr_linux_pool *pool)
{
	/* A child has inherited the file, but no mapping. */
	if (pool->pid == getpid()) {
		if (pool->base)
			munmap(pool->base, pool->length);
		if (pool->metadata)
			munmap(pool->metadata, pool->metadata_size);
	}
	if (pool->fd >= 0)
		close(pool->fd);
}

/* What is resident -------------------------------------------------------------------------- */

static int metadata_resident(struct qr_linux_pool *pool, uint64_t *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), chunk = (size_t)MINCORE_CHUNK * page;
	unsigned char present[MINCORE_CHUNK];
	uint64_t nr = 0;

	for (size_t at = 0; at < pool->metadata_size; at += chunk) {
		size_t length = pool->metadata_size - at < chunk ? pool->metadata_size - at : chunk;

		if (mincore((unsigned char *)pool->metadata + at, length, present) < 0)
			return qr__linux_error(errno);
		for (size_t i = 0; i < (length + page - 1) / page; i++)
			nr += present[i] & 1;
	}
	*bytes = nr * page;
	return 0;
}

int qr_linux_resident(struct qr_linux_pool *pool, uint64_t *metadata, uint64_t *memory)
{
	struct stat file;
	int err = 0;

	if (metadata)
		err = metadata_resident(pool, metadata);
	if (err < 0 || !memory)
		return err;
	*memory = 0;
	if (pool->fd < 0)
		return 0;
	/* mincore() would look at each page; the file knows how many it has. */
	if (fstat(pool->fd, &file) < 0)
		return qr__linux_error(errno);
	*memory = (uint64_t)file.st_blocks * 512;
	return 0;
}
