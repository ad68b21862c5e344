/* SPDX-License-Identifier: MIT */
/*
 * frag.c - does memory heal?
 *
 * All memory is allocated as single pages and a random half of it freed, which leaves hardly a
 * block of 2 MiB wholly free.  Then in each round every thread frees a random tenth of what it
 * holds and allocates as much, and the wholly free blocks are counted.  How many of them come back
 * depends only on which pages the allocator chooses.
 */
#include "bench.h"

/* What all threads got, without gaps and shuffled; half of it goes back, the rest is shared out. */
static void half_free(struct run *run, struct thread *thread)
{
	uint64_t seed = run->seed;
	size_t nr = 0;

	for (size_t i = 0; i < run->share * run->nr_threads; i++) {
		if (run->pages[i])
			run->pages[nr++] = run->pages[i];
	}
	shuffle(run->pages, nr, &seed);
	empty(thread, run->pages + nr / 2, nr - nr / 2);
	run->share = nr / 2 / run->nr_threads;
	empty(thread, run->pages + run->share * run->nr_threads,
	      nr / 2 - run->share * run->nr_threads);
}

static void frag_round(struct thread *thread, uint64_t *seed)
{
	size_t nr = thread->run->share, tenth = nr / 10;
	void **mine = thread->mine;
	double start, middle;

	for (size_t i = 0; i < tenth; i++) {
		size_t j = i + random_next(seed) % (nr - i);
		void *page = mine[i];

		mine[i] = mine[j];
		mine[j] = page;
	}
	start = now_ns();
	empty(thread, mine, tenth);
	middle = now_ns();
	fill(thread, mine, tenth);
	thread->put_ns += middle - start - clock_cost_ns();
	thread->get_ns += now_ns() - middle - clock_cost_ns();
	thread->gets += (double)tenth;
	thread->puts += (double)tenth;
}

static void frag_body(struct thread *thread)
{
	struct run *run = thread->run;
	uint64_t seed;

	fill(thread, thread->mine, run->share);
	barrier_wait(thread);
	if (thread->number == 0)
		half_free(run, thread);
	barrier_wait(thread);
	thread->mine = run->pages + run->share * thread->number;
	seed = run->seed + thread->number + 1;
	timed_begin(thread);
	for (unsigned round = 0; round <= FRAG_ROUNDS; round++) {
		if (round)
			frag_round(thread, &seed);
		barrier_wait(thread);
		if (thread->number == 0)
			run->sample->free_huge[round] = run->who->free_huge(run->pool);
		barrier_wait(thread);
	}
	timed_end(thread);
	empty(thread, thread->mine, run->share);
}

const struct workload workload_frag = {
	.name = "frag",
	.what = "all memory as single pages, a random half of it freed; then 100 rounds in which\n"
		"\t\ta random tenth of what is left is freed and allocated again, and the wholly\n"
		"\t\tfree 2 MiB blocks are counted",
	.memory = 4,
	.part = 1,
	.body = frag_body,
};
