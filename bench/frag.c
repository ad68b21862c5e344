/* SPDX-License-Identifier: MIT */
/*
 * frag.c - does memory heal?
 *
 * All memory is allocated as single pages and a random half of it freed, which leaves hardly a
 * block of 2 MiB wholly free.  Then there are rounds in which every thread replaces a random tenth
 * of what it holds, and the wholly free blocks are counted.  How many of them come back depends
 * only on which pages the allocator chooses.
 *
 * In frag, as in LLFree's own benchmark, each page is freed and another one allocated at once: an
 * allocator that gives back the page that it was given last changes nothing at all.  In frag-bulk
 * the tenth is freed first and then allocated.
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

/* Single operations are timed here, so these times are rough. */
static void replace_in_turn(struct thread *thread, uint64_t *seed)
{
	const struct contestant *who = thread->run->who;
	void *pool = thread->run->pool;
	size_t nr = thread->run->share;

	for (size_t i = 0; i < nr / 10; i++) {
		void **page = &thread->mine[random_next(seed) % nr];
		double start = now_ns(), middle;

		if (*page)
			who->put(pool, *page, 0);
		middle = now_ns();
		*page = who->get(pool, 0);
		thread->get_ns += now_ns() - middle - clock_cost_ns();
		thread->put_ns += middle - start - clock_cost_ns();
		thread->failed += *page == NULL;
	}
}

static void replace_in_bulk(struct thread *thread, uint64_t *seed)
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
	thread->get_ns += now_ns() - middle - clock_cost_ns();
	thread->put_ns += middle - start - clock_cost_ns();
}

static void frag_rounds(struct thread *thread,
			void (*replace)(struct thread *thread, uint64_t *seed))
{
	struct run *run = thread->run;
	size_t replaced;
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
			replace(thread, &seed);
		barrier_wait(thread);
		if (thread->number == 0)
			run->sample->free_huge[round] = run->who->free_huge(run->pool);
		barrier_wait(thread);
	}
	timed_end(thread);
	replaced = run->share / 10 * FRAG_ROUNDS;
	thread->gets = thread->puts = (double)replaced;
	empty(thread, thread->mine, run->share);
}

static void frag_body(struct thread *thread)
{
	frag_rounds(thread, replace_in_turn);
}

static void frag_bulk_body(struct thread *thread)
{
	frag_rounds(thread, replace_in_bulk);
}

const struct workload workload_frag = {
	.name = "frag",
	.what = "all memory as single pages, a random half of it freed; then 100 rounds in\n"
		"\t\twhich a random tenth of what is left is replaced, page after page, and the\n"
		"\t\twholly free 2 MiB blocks are counted",
	.memory = 4,
	.part = 1,
	.counts_huge = true,
	.body = frag_body,
};

const struct workload workload_frag_bulk = {
	.name = "frag-bulk",
	.what = "the same, but the whole tenth is freed before as much is allocated",
	.memory = 4,
	.part = 1,
	.counts_huge = true,
	.body = frag_bulk_body,
};
