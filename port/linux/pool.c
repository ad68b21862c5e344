/* SPDX-License-Identifier: MIT */
/*
 * port/linux/pool.c - a pool: an instance over real memory of this process
 *
 * Opening goes from what may be refused cheaply to what is expensive: description, address space,
 * binding, instance, touching, threads.  Closing undoes as much as there is, so a pool that could
 * only be opened half is closed the same way.
 */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Hooks ------------------------------------------------------------------------------------- */

static void log_hook(void *ctx, enum qr_log_level level, const char *line)
{
	struct qr_linux_pool *pool = ctx;

	if (pool->log)
		pool->log(pool->log_ctx, level, line);
	else if (level <= QR_LOG_WARN)
		fprintf(stderr, "quire: %s\n", line);
}

static void panic_hook(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "quire: panic: %s\n", line);
	abort();
}

/* Before there is memory: how much metadata it takes depends on what the platform can do. */
static void platform_fill(struct qr_linux_pool *pool, const struct qr_linux_config *config,
			  struct qr_platform *platform)
{
	*platform = (struct qr_platform){
		.ctx = pool,
		/* Threads can be preempted anywhere, and several may share a number: never UP. */
		.cpu_model = QR_CPU_SMP,
		.cpu_id = qr__linux_cpu_id(),
		.clock_ns = qr__linux_clock,
		.run_by = config->no_worker ? NULL : qr__linux_run_by,
		.relax = qr__linux_relax,
		.log = log_hook,
		.panic = panic_hook,
		.lock_ledger = qr__linux_lock_ledger,
	};
	if (!config->no_local_locks)
		qr__linux_local_fill(pool, platform);
	pool->local_locks = platform->local_trylock != NULL;
}

/* What depends on what was opened. */
static void platform_complete(const struct qr_linux_pool *pool, struct qr_platform *platform)
{
	platform->page_address = pool->base ? qr__linux_page_address : NULL;
	platform->address_to_pfn = pool->base ? qr__linux_address_to_pfn : NULL;
	platform->current_task = pool->tasks ? qr__linux_current_task : NULL;
}

/* Opening ----------------------------------------------------------------------------------- */

static struct qr_linux_pool *pool_alloc(const struct qr_linux_config *config)
{
	struct qr_linux_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->pid = getpid();
	pool->backing = config->backing;
	pool->fd = -1;
	pool->log = config->log;
	pool->log_ctx = config->log_ctx;
	qr__linux_worker_init(&pool->worker);
	return pool;
}

static int pool_fill(struct qr_linux_pool *pool, const struct qr_linux_config *config,
		     struct qr_config *machine, struct qr_error_text *why)
{
	int err;

	pool->nr_cpus = machine->nr_cpus;
	platform_fill(pool, config, &machine->platform);
	err = qr__linux_memory_open(pool, machine, why);
	if (err == 0 && config->tasks)
		err = qr__linux_tasks_open(pool, why);
	if (err == 0 && config->host_nodes && pool->base)
		err = qr__linux_nodes_bind(pool, machine, why);
	if (err == 0) {
		platform_complete(pool, &machine->platform);
		err = qr_create(machine, pool->metadata, pool->metadata_size, &pool->q, why);
	}
	if (err == 0)
		qr__linux_metadata_in_use(pool);
	if (err == 0 && config->prefault)
		err = qr__linux_memory_prefault(pool, machine, why);
	if (err == 0 && config->usdt)
		qr__linux_probes_start(pool);
	if (err == 0 && !config->no_worker)
		err = qr__linux_worker_start(pool, why);
	return err;
}

int qr_linux_open(const struct qr_linux_config *config, struct qr_linux_pool **poolp,
		  struct qr_error_text *why)
{
	struct linux_machine machine;
	struct qr_linux_pool *pool = NULL;
	int err;

	*poolp = NULL;
	err = qr__linux_machine(config, &machine, why);
	if (err == 0 && config->usdt)
		err = qr__linux_probes_possible(why);
	if (err == 0) {
		pool = pool_alloc(config);
		err = pool ? pool_fill(pool, config, &machine.config, why)
			   : qr__linux_why(why, QR_ENOMEM, "out of memory");
	}
	qr__linux_machine_free(&machine);
	if (err < 0) {
		qr_linux_close(pool);
		return err;
	}
	*poolp = pool;
	return 0;
}

void qr_linux_close(struct qr_linux_pool *pool)
{
	if (!pool)
		return;
	/* A child process has neither the worker nor the metadata. */
	if (pool->pid == getpid()) {
		qr__linux_worker_stop(pool);
		if (pool->q)
			qr_destroy(pool->q);
	}
	qr__linux_tasks_close(pool);
	qr__linux_memory_close(pool);
	free(pool);
}

/* Questions --------------------------------------------------------------------------------- */

struct quire *qr_linux_quire(struct qr_linux_pool *pool)
{
	return pool->q;
}

void *qr_linux_base(struct qr_linux_pool *pool, uint64_t *length)
{
	if (length)
		*length = pool->length;
	return pool->base;
}

int qr_linux_fd(struct qr_linux_pool *pool)
{
	return pool->fd;
}

const char *qr_linux_cpu_source(const struct qr_linux_pool *pool)
{
	(void)pool;
	return qr__linux_cpu_source();
}

bool qr_linux_local_locks(const struct qr_linux_pool *pool)
{
	return pool->local_locks;
}
