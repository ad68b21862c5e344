/* SPDX-License-Identifier: MIT */
/*
 * port/linux/pool.h - what the files of the hosted port know of each other
 *
 *	pool.c		open, close, the hooks that are one line
 *	memory.c	the memfd, its direct map, the metadata, what is resident
 *	machine.c	the machine that the pool is an instance of
 *	cpu.c		CPU numbers and waiting
 *	local.c		locks of CPUs, taken by restartable sequences
 *	worker.c	the thread that does the background work
 *	tasks.c		what is kept for each thread
 *	nodes.c		nodes of the host
 *	probes.c	USDT probes
 *	why.c		sentences for failures
 */
#ifndef QR_PORT_LINUX_POOL_H
#define QR_PORT_LINUX_POOL_H

#include <pthread.h>
#include <quire/linux.h>
#include <stdatomic.h>
#include <sys/types.h>

/* What the direct map is aligned to, so that the host can use pages of this size. */
#define LINUX_HUGE_SIZE (UINT64_C(2) << 20)

struct linux_task;

/* The background worker.  All but the atomics is constant while it runs. */
struct linux_worker {
	pthread_t thread;
	bool started;
	_Atomic uint64_t run_by_ns; /* UINT64_MAX: nothing to do */
	_Atomic uint32_t kicks; /* the futex: goes up when there is news */
	_Atomic bool sleeping;
	_Atomic bool stop;
};

struct qr_linux_pool {
	struct quire *q;
	pid_t pid; /* of the process that opened it; a child may do nothing but close it */
	unsigned nr_cpus;

	/* Memory: frame n is at base + (n - start_pfn) * QR_PAGE_SIZE. */
	enum qr_linux_backing backing;
	qr_pfn_t start_pfn,
		end_pfn; /* what the ranges span, start rounded down to LINUX_HUGE_SIZE */
	unsigned char *base; /* NULL: none */
	uint64_t length;
	int fd; /* -1: none */

	void *metadata;
	size_t metadata_size;

	struct linux_worker worker;

	bool local_locks;
	bool tasks;
	uint64_t id; /* of this pool among all there ever were in the process */
	pthread_key_t task_key;
	pthread_mutex_t task_lock;
	struct linux_task *first_task; /* task_lock */

	void (*log)(void *log_ctx, enum qr_log_level level, const char *line);
	void *log_ctx;
};

/* The machine of a pool, with room for what the config left to the host. */
struct linux_machine {
	struct qr_config config;
	struct qr_range *own_ranges;
	uint8_t *own_distance;
	int *own_cpu_node;
};

/* why.c ------------------------------------------------------------------------------------- */

/* Put a sentence into *why (which may be NULL), and return @err. */
int qr__linux_why(struct qr_error_text *why, int err, const char *fmt, ...) QR_PRINTF(3, 4);
/* The QR_E code that linux.h promises for an errno. */
int qr__linux_error(int host_errno);
/* "name: 123 kB" in a file like /proc/meminfo, in bytes; 0: it is not there. */
uint64_t qr__linux_meminfo(const char *name);
/* The number that a file of /proc or /sys consists of; 0: there is none. */
uint64_t qr__linux_read_number(const char *path);

/* machine.c --------------------------------------------------------------------------------- */

int qr__linux_machine(const struct qr_linux_config *config, struct linux_machine *machine,
		      struct qr_error_text *why);
void qr__linux_machine_free(struct linux_machine *machine);

/* nodes.c ----------------------------------------------------------------------------------- */

/* Take what the config leaves open (ranges, distances, CPUs' nodes) from the host. */
int qr__linux_nodes_describe(const struct qr_linux_config *config, struct linux_machine *machine,
			     struct qr_error_text *why);
/* Share nr_pages, from frame 0 on, between nodes; returns how many ranges that took. */
unsigned qr__linux_nodes_divide(uint64_t nr_pages, unsigned section_order, const int *nids,
				unsigned nr_nids, struct qr_range *ranges);
/* Bind each range of the direct map to its node. */
int qr__linux_nodes_bind(struct qr_linux_pool *pool, const struct qr_config *machine,
			 struct qr_error_text *why);

/* memory.c ---------------------------------------------------------------------------------- */

/* Room for the metadata, and for the memory where there is any; not yet touched. */
int qr__linux_memory_open(struct qr_linux_pool *pool, const struct qr_config *machine,
			  struct qr_error_text *why);
/* The instance is there: what of its metadata is touched from now on may lie in huge pages. */
void qr__linux_metadata_in_use(struct qr_linux_pool *pool);
/* Touch all memory, once it has been bound. */
int qr__linux_memory_prefault(struct qr_linux_pool *pool, const struct qr_config *machine,
			      struct qr_error_text *why);
void qr__linux_memory_close(struct qr_linux_pool *pool);

/* The part of the file, in bytes, that a range needs: whole pages of the host. */
void qr__linux_range_extent(const struct qr_linux_pool *pool, const struct qr_range *range,
			    uint64_t *start, uint64_t *end);

void *qr__linux_page_address(void *ctx, qr_pfn_t pfn);
qr_pfn_t qr__linux_address_to_pfn(void *ctx, const void *address);

/* cpu.c ------------------------------------------------------------------------------------- */

/* The cpu_id hook for this process, which depends on whether the C library registered rseq. */
unsigned (*qr__linux_cpu_id(void))(void *ctx);
const char *qr__linux_cpu_source(void);
void qr__linux_relax(void *ctx, unsigned spins);
uint64_t qr__linux_clock(void *ctx);

/* local.c ----------------------------------------------------------------------------------- */

/* The hooks local_trylock and local_fence, where they can be had. */
void qr__linux_local_fill(const struct qr_linux_pool *pool, struct qr_platform *platform);

/* worker.c ---------------------------------------------------------------------------------- */

void qr__linux_worker_init(struct linux_worker *worker);
int qr__linux_worker_start(struct qr_linux_pool *pool, struct qr_error_text *why);
void qr__linux_worker_stop(struct qr_linux_pool *pool);
void qr__linux_run_by(void *ctx, uint64_t time_ns);

/* tasks.c ----------------------------------------------------------------------------------- */

int qr__linux_tasks_open(struct qr_linux_pool *pool, struct qr_error_text *why);
void qr__linux_tasks_close(struct qr_linux_pool *pool);
struct qr_task *qr__linux_current_task(void *ctx);
struct qr_lock_ledger *qr__linux_lock_ledger(void *ctx);

/* probes.c ---------------------------------------------------------------------------------- */

/* 0, or QR_ENOSYS: built without them. */
int qr__linux_probes_possible(struct qr_error_text *why);
void qr__linux_probes_start(struct qr_linux_pool *pool);

#endif /* QR_PORT_LINUX_POOL_H */
