/* SPDX-License-Identifier: MIT */
/*
 * runs.c - one turn of one contestant: its pool, its threads, and what they measure with
 *
 * A turn begins with a fresh pool.  Its threads are pinned to CPUs, one after the other, and each
 * touches its part of the array that will hold the pages, so that no page fault of the bench's own
 * is measured.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

/* The clock --------------------------------------------------------------------------------- */

double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The least of many means: what disturbs can only add. */
static double clock_cost_measure(void)
{
	enum { BATCHES = 200, READS = 64 };
	double least = 1e9;

	for (unsigned i = 0; i < BATCHES; i++) {
		double start = now_ns(), end = start;

		for (unsigned n = 0; n < READS; n++)
			end = now_ns();
		if ((end - start) / READS < least)
			least = (end - start) / READS;
	}
	return least;
}

double clock_cost_ns(void)
{
	static double cost = -1;

	if (cost < 0)
		cost = clock_cost_measure();
	return cost;
}

/* Chance ------------------------------------------------------------------------------------ */

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void shuffle(void **pages, size_t nr, uint64_t *seed)
{
	for (size_t i = nr; i > 1; i--) {
		size_t j = random_next(seed) % i;
		void *page = pages[i - 1];

		pages[i - 1] = pages[j];
		pages[j] = page;
	}
}

/* Threads ----------------------------------------------------------------------------------- */

/*
 * Sleepers would be woken one after the other, and what is measured may take less than that.  But
 * where there are more threads than CPUs, those who wait must let the others run.
 */
void barrier_wait(struct thread *thread)
{
	struct barrier *barrier = &thread->run->barrier;
	unsigned phase = atomic_load(&barrier->phase);

	if (atomic_fetch_add(&barrier->waiting, 1) + 1 == barrier->nr) {
		atomic_store(&barrier->waiting, 0);
		atomic_fetch_add(&barrier->phase, 1);
		return;
	}
	for (unsigned spins = 0; atomic_load(&barrier->phase) == phase; spins++) {
		if (spins >= 4096)
			sched_yield();
	}
}

static void locks_look(struct thread *thread, double sign)
{
	struct run *run = thread->run;
	uint64_t taken = 0, waited = 0;

	if (!run->who->locks)
		return;
	run->who->locks(run->pool, &taken, &waited);
	run->sample->locks += sign * (double)taken;
	run->sample->waits += sign * (double)waited;
}

void timed_begin(struct thread *thread)
{
	barrier_wait(thread);
	if (thread->number == 0)
		locks_look(thread, -1);
	barrier_wait(thread);
}

void timed_end(struct thread *thread)
{
	barrier_wait(thread);
	if (thread->number == 0)
		locks_look(thread, +1);
	barrier_wait(thread);
}

void fill(struct thread *thread, void **pages, size_t nr)
{
	void *(*get)(void *, unsigned) = thread->run->who->get;
	void *pool = thread->run->pool;
	unsigned order = thread->run->order;

	for (size_t i = 0; i < nr; i++)
		pages[i] = get(pool, order);
}

void empty(struct thread *thread, void **pages, size_t nr)
{
	void (*put)(void *, void *, unsigned) = thread->run->who->put;
	void *pool = thread->run->pool;
	unsigned order = thread->run->order;

	for (size_t i = nr; i-- > 0;) {
		if (pages[i])
			put(pool, pages[i], order);
		else
			thread->failed++;
	}
}

unsigned cpus_allowed(void)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof(allowed), &allowed) < 0 ? 1
								   : (unsigned)CPU_COUNT(&allowed);
}

static void pin(unsigned number)
{
	cpu_set_t allowed, one;
	unsigned nth = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	number %= (unsigned)CPU_COUNT(&allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth++ != number)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *thread_main(void *arg)
{
	struct thread *thread = arg;
	struct run *run = thread->run;

	pin(thread->number);
	if (run->who->enter)
		run->who->enter(run->pool, thread->number);
	memset(thread->mine, 0, run->share * sizeof(*thread->mine));
	run->workload->body(thread);
	return NULL;
}

/* Those who have begun wait in their first barrier for the last one. */
static void threads_run(struct run *run, struct thread *threads)
{
	unsigned nr = 0;

	run->barrier.nr = run->nr_threads;
	for (; nr < run->nr_threads; nr++) {
		struct thread *thread = &threads[nr];

		*thread = (struct thread){.run = run, .number = nr};
		thread->mine = run->pages + run->share * nr;
		if (pthread_create(&thread->id, NULL, thread_main, thread) != 0) {
			fprintf(stderr, "qr-bench: cannot make %u threads\n", run->nr_threads);
			exit(1);
		}
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(threads[i].id, NULL);
}

/* Turns ------------------------------------------------------------------------------------- */

static void sample_take(struct run *run, const struct thread *threads)
{
	struct sample *sample = run->sample;

	for (unsigned i = 0; i < run->nr_threads; i++) {
		const struct thread *thread = &threads[i];

		if (thread->gets > 0)
			sample->get_ns += thread->get_ns / thread->gets / run->nr_threads;
		if (thread->puts > 0)
			sample->put_ns += thread->put_ns / thread->puts / run->nr_threads;
		sample->operations += thread->gets + thread->puts;
		sample->failed += thread->failed;
	}
	if (!run->who->locks)
		sample->locks = sample->waits = -1;
}

static bool workload_once(const struct options *o, struct run *run)
{
	struct thread *threads =
		aligned_alloc(alignof(struct thread), o->threads * sizeof(struct thread));
	bool good;

	run->nr_pages = (size_t)(o->bytes >> (12 + o->order));
	run->pages = calloc(run->nr_pages + 1, sizeof(*run->pages));
	if (threads && run->pages)
		run->pool = run->who->open(o->bytes, o->threads);
	else
		fprintf(stderr, "qr-bench: out of memory\n");
	good = run->pool != NULL;
	if (good) {
		threads_run(run, threads);
		sample_take(run, threads);
		if (run->who->complaint)
			run->sample->complaint = run->who->complaint(run->pool);
		run->who->close(run->pool);
	}
	free(threads);
	free(run->pages);
	return good;
}

/* What there is to init is to make the pool, and to end it again. */
static bool init_once(const struct options *o, struct run *run)
{
	double start = now_ns(), made;

	run->pool = run->who->open(o->bytes, o->threads);
	made = now_ns();
	if (!run->pool)
		return false;
	run->who->close(run->pool);
	run->sample->get_ns = made - start - clock_cost_ns();
	run->sample->put_ns = now_ns() - made - clock_cost_ns();
	run->sample->locks = run->sample->waits = -1;
	return true;
}

bool run_once(const struct options *o, const struct contestant *who, uint64_t seed,
	      struct sample *sample)
{
	struct run run = {
		.who = o->verify ? verify_wrap(who) : who,
		.workload = o->workload,
		.order = o->order,
		.nr_threads = o->threads,
		.seed = seed,
		.crowd = (double)o->threads / cpus_allowed(),
		.sample = sample,
	};
	bool good;

	memset(sample, 0, sizeof(*sample));
	if (run.crowd < 1)
		run.crowd = 1;
	run.share = (size_t)(o->bytes >> (12 + o->order)) / run.workload->part / o->threads;
	good = o->workload->body ? workload_once(o, &run) : init_once(o, &run);
	sample->blocks = o->verify ? verify_blocks() : 0;
	return good;
}
