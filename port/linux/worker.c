/* SPDX-License-Identifier: MIT */
/*
 * port/linux/worker.c - the thread that does the background work
 *
 * The core says by when it wants to be run, maybe with a zone locked; so all that the hook does is
 * to lower a time and, if the worker sleeps, wake it through a futex.  No wake-up is lost: the hook
 * lowers the time before it raises the futex's word, and the worker reads the word before the time;
 * so it either sees the new time, or the kernel sees that the word is not what the worker knew and
 * does not let it sleep.
 */
#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NEVER UINT64_MAX

/* Work that is due again at once, this often in a row, gets the worker to make way for others. */
#define BUSY_ROUNDS 64u

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Until the word is no longer @value, or the time has come. */
static void futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t time_ns)
{
	struct timespec time = {
		.tv_sec = (time_t)(time_ns / 1000000000u),
		.tv_nsec = (long)(time_ns % 1000000000u),
	};

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, time_ns == NEVER ? NULL : &time,
		NULL, FUTEX_BITSET_MATCH_ANY);
}

/* True: this is earlier than what was known. */
static bool run_by_lower(struct linux_worker *worker, uint64_t time_ns)
{
	uint64_t old = atomic_load(&worker->run_by_ns);

	while (time_ns < old)
		if (atomic_compare_exchange_weak(&worker->run_by_ns, &old, time_ns))
			return true;
	return false;
}

static void worker_kick(struct linux_worker *worker)
{
	atomic_fetch_add(&worker->kicks, 1);
	if (atomic_load(&worker->sleeping))
		futex_wake(&worker->kicks);
}

void qr__linux_run_by(void *ctx, uint64_t time_ns)
{
	struct qr_linux_pool *pool = ctx;

	if (run_by_lower(&pool->worker, time_ns))
		worker_kick(&pool->worker);
}

static void worker_sleep(struct linux_worker *worker, uint32_t kicks, uint64_t time_ns)
{
	atomic_store(&worker->sleeping, true);
	futex_wait_until(&worker->kicks, kicks, time_ns);
	atomic_store(&worker->sleeping, false);
}

static void *worker_main(void *arg)
{
	struct qr_linux_pool *pool = arg;
	struct linux_worker *worker = &pool->worker;
	unsigned rounds = 0;

	for (;;) {
		uint32_t kicks = atomic_load(&worker->kicks);
		uint64_t due = atomic_load(&worker->run_by_ns);

		if (atomic_load(&worker->stop))
			return NULL;
		if (due > qr__linux_clock(NULL)) {
			worker_sleep(worker, kicks, due);
			rounds = 0;
			continue;
		}
		if (++rounds > BUSY_ROUNDS)
			qr__linux_relax(NULL, rounds);
		atomic_store(&worker->run_by_ns, NEVER);
		run_by_lower(worker, qr_run_pending(pool->q));
	}
}

void qr__linux_worker_init(struct linux_worker *worker)
{
	atomic_init(&worker->run_by_ns, NEVER);
}

int qr__linux_worker_start(struct qr_linux_pool *pool, struct qr_error_text *why)
{
	sigset_t all, before;
	int err;

	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&pool->worker.thread, NULL, worker_main, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return qr__linux_why(why, qr__linux_error(err),
				     "cannot start the worker thread: pthread_create: %s; or set "
				     "no_worker and call qr_run_pending()",
				     strerror(err));
	pool->worker.started = true;
	pthread_setname_np(pool->worker.thread, "quire-worker");
	return 0;
}

void qr__linux_worker_stop(struct qr_linux_pool *pool)
{
	if (!pool->worker.started)
		return;
	atomic_store(&pool->worker.stop, true);
	worker_kick(&pool->worker);
	pthread_join(pool->worker.thread, NULL);
	pool->worker.started = false;
}
