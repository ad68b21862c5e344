/* SPDX-License-Identifier: MIT */
/*
 * quire/linux.h - the hosted port: an instance over real memory of a Linux process
 *
 * A pool is a memfd (of ordinary or huge pages) with a direct map of all of it; frame n of the
 * pool is at offset (n - m) * QR_PAGE_SIZE of both, where m is the lowest frame, rounded down to
 * 2 MiB.  Page records are backed lazily, CPU numbers come from rseq (or getcpu), a worker thread
 * does the background work, and where the machine has nodes the pool's ranges are bound to them.
 *
 *	struct qr_linux_config config = { .size = 1 << 30 };
 *	struct qr_linux_pool *pool;
 *
 *	if (qr_linux_open(&config, &pool, &why) < 0) ...
 *	q = qr_linux_quire(pool);
 *
 * Threads: all of them may use a pool.  One that ends must have ended before the pool is closed.
 *
 * fork(): a pool belongs to the process that opened it.  A child has neither the direct map nor
 * the metadata nor the worker; all it may do with the pool is to close it, which leaves the
 * parent's alone, or to execute another program.
 *
 * USDT: with config.usdt these probes fire, named like the kernel's events where it has them.  They
 * take the place of the callback of qr_trace_set().  pfn is all ones where there is no page.
 *
 *	quire:mm_page_alloc		pfn, order, gfp, migratetype
 *	quire:mm_page_free		pfn, order
 *	quire:mm_page_free_batched	pfn
 *	quire:mm_page_alloc_zone_locked	pfn, order, migratetype, percpu_refill
 *	quire:mm_page_pcpu_drain	pfn, order, migratetype
 *	quire:mm_page_alloc_extfrag	pfn, order, fallback_order, migratetype,
 *					fallback_migratetype, change_ownership
 *	quire:mm_vmscan_wakeup_kswapd	node, highest zone, order
 *	quire:watermark_boost		node, zone, pages
 *	quire:slowpath_stage		order, gfp, enum qr_slowpath_stage
 *	quire:wmark_fail		order, node, zone, enum qr_watermark
 */
#ifndef QUIRE_LINUX_H
#define QUIRE_LINUX_H

#include <quire/quire.h>

QR_BEGIN_DECLS

struct qr_linux_pool;

enum qr_linux_backing {
	QR_LINUX_MEMFD, /* ordinary pages, filled in when touched */
	QR_LINUX_HUGETLB, /* 2 MiB pages from the host's pool; they must be there */
	QR_LINUX_NO_MEMORY /* metadata only */
};

struct qr_linux_config {
	uint64_t size; /* bytes of one range at pfn 0; 0: machine.ranges describes the memory */
	enum qr_linux_backing backing;
	bool prefault; /* touch all memory now */
	bool no_worker; /* no thread: the caller calls qr_run_pending() */
	bool usdt; /* fire the USDT probes quire:mm_page_alloc, ... */
	/*
	 * Take nodes, distances and CPUs' nodes from the host (libnuma), and bind each range to its
	 * node.  A pool given by size is divided between the nodes.
	 */
	bool host_nodes;
	/*
	 * Lock the caches of CPUs by atomic instructions even where restartable sequences and
	 * membarrier() are to be had; for a process that will forbid itself the latter (seccomp).
	 */
	bool no_local_locks;
	bool tasks; /* keep a struct qr_task per thread; see qr_linux_task() */
	/*
	 * The rest of the machine.  platform is filled in; nr_cpus and cpu_cache_bytes, where 0,
	 * are the host's.  With fewer CPUs than the host has, several of the host's count as one.
	 */
	struct qr_config machine;
	/* Lines of the core; NULL: stderr from warnings up. */
	void (*log)(void *log_ctx, enum qr_log_level level, const char *line);
	void *log_ctx;
};

/*
 * Returns 0, or with a sentence in *why
 *	QR_EINVAL	an impossible machine;
 *	QR_ENOMEM	not enough address space, memory or huge pages;
 *	QR_EPERM	memfd or node binding is not permitted;
 *	QR_ENOSYS	the kernel lacks something; the sentence says what.
 */
QR_API int qr_linux_open(const struct qr_linux_config *config, struct qr_linux_pool **pool,
			 struct qr_error_text *why);
/* Ends the worker, the instance and the memory.  No other thread may still use them. */
QR_API void qr_linux_close(struct qr_linux_pool *pool);

QR_API struct quire *qr_linux_quire(struct qr_linux_pool *pool);
/* The direct map and its length in bytes; NULL and 0 for metadata only. */
QR_API void *qr_linux_base(struct qr_linux_pool *pool, uint64_t *length);
/* The memfd behind it; -1 for metadata only. */
QR_API int qr_linux_fd(struct qr_linux_pool *pool);
/* The calling thread's task record, to set scopes and policies; NULL without config.tasks. */
QR_API struct qr_task *qr_linux_task(struct qr_linux_pool *pool);
/*
 * Bytes of metadata that are resident, and bytes of pool memory that the host has given (those it
 * has swapped out included), right now.  Either may be NULL.  0, or an error of the host's.
 * Metadata comes in the host's huge pages where it has them: the first block of each GiB or so that
 * is used brings 2 MiB at once.
 */
QR_API int qr_linux_resident(struct qr_linux_pool *pool, uint64_t *metadata, uint64_t *memory);
/* Where CPU numbers come from on this host: "rseq" or "getcpu". */
QR_API const char *qr_linux_cpu_source(const struct qr_linux_pool *pool);
/*
 * Does a CPU lock its caches without atomic instructions?  So it is where the C library has rseq
 * (glibc 2.35), the kernel membarrier (5.10), and the machine as many CPUs as the host.
 */
QR_API bool qr_linux_local_locks(const struct qr_linux_pool *pool);

QR_END_DECLS

#endif /* QUIRE_LINUX_H */
