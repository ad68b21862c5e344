/* SPDX-License-Identifier: MIT */
/*
 * port/linux/tasks.c - what is kept for each thread
 *
 * A thread that calls a pool with config.tasks gets a struct qr_task of that pool with its first
 * call, and keeps it until the thread or the pool ends.  The pool that a thread asked about last is
 * remembered in thread-local storage, so that asking again costs a comparison.
 *
 * Pools are told apart by a number that is never used twice, as addresses may be.
 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct linux_task {
	struct qr_task task;
	struct qr_linux_pool *pool;
	struct linux_task *next, **link; /* task_lock */
};

struct last_task {
	uint64_t pool_id; /* 0: none */
	struct qr_task *task;
};

/* Small, so there is always room for it where the fast model of access wants it. */
static _Thread_local struct last_task last_task __attribute__((tls_model("initial-exec")));

static _Thread_local struct qr_lock_ledger lock_ledger;

static _Atomic uint64_t nr_pools;

/* The thread ends. */
static void task_end(void *arg)
{
	struct linux_task *task = arg;
	struct qr_linux_pool *pool = task->pool;

	pthread_mutex_lock(&pool->task_lock);
	*task->link = task->next;
	if (task->next)
		task->next->link = task->link;
	pthread_mutex_unlock(&pool->task_lock);
	last_task.pool_id = 0;
	free(task);
}

static struct linux_task *task_begin(struct qr_linux_pool *pool)
{
	struct linux_task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	if (pthread_setspecific(pool->task_key, task)) {
		free(task);
		return NULL;
	}
	task->pool = pool;
	task->task.id = (uint32_t)gettid();
	pthread_mutex_lock(&pool->task_lock);
	task->link = &pool->first_task;
	task->next = pool->first_task;
	if (task->next)
		task->next->link = &task->next;
	pool->first_task = task;
	pthread_mutex_unlock(&pool->task_lock);
	return task;
}

static __attribute__((noinline)) struct qr_task *task_find(struct qr_linux_pool *pool)
{
	struct linux_task *task = pthread_getspecific(pool->task_key);

	if (!task)
		task = task_begin(pool);
	if (!task)
		return NULL; /* an ordinary task */
	last_task = (struct last_task){.pool_id = pool->id, .task = &task->task};
	return &task->task;
}

struct qr_task *qr__linux_current_task(void *ctx)
{
	struct qr_linux_pool *pool = ctx;

	if (__builtin_expect(last_task.pool_id == pool->id, 1))
		return last_task.task;
	return task_find(pool);
}

struct qr_lock_ledger *qr__linux_lock_ledger(void *ctx)
{
	(void)ctx;
	return &lock_ledger;
}

struct qr_task *qr_linux_task(struct qr_linux_pool *pool)
{
	return pool->tasks ? qr__linux_current_task(pool) : NULL;
}

int qr__linux_tasks_open(struct qr_linux_pool *pool, struct qr_error_text *why)
{
	int err = pthread_key_create(&pool->task_key, task_end);

	if (err)
		return qr__linux_why(
			why, QR_ENOMEM,
			"cannot keep tasks: pthread_key_create: %s; close another pool "
			"with tasks first",
			strerror(err));
	pthread_mutex_init(&pool->task_lock, NULL);
	pool->id = atomic_fetch_add(&nr_pools, 1) + 1;
	pool->tasks = true;
	return 0;
}

void qr__linux_tasks_close(struct qr_linux_pool *pool)
{
	struct linux_task *task, *next;

	if (!pool->tasks)
		return;
	/* From here on threads end without a word to us. */
	pthread_key_delete(pool->task_key);
	for (task = pool->first_task; task; task = next) {
		next = task->next;
		free(task);
	}
	pthread_mutex_destroy(&pool->task_lock);
	pool->tasks = false;
}
