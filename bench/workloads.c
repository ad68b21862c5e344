/* SPDX-License-Identifier: MIT */
/*
 * workloads.c - pair, bulk and rand: what each thread does, and what of it is timed
 *
 * Looking at the clock takes about as long as the fastest allocation, so single operations are not
 * timed, and whatever is timed has what the clock takes subtracted.
 *
 *	pair	The whole of many pairs is timed at once.  What of it is the get and what the put
 *		cannot be seen from outside: their shares are those of gets and puts in short rows
 *		of both, ROW gets and then their ROW puts, each half timed.  So get_ns + put_ns is
 *		what a pair takes, loop included, and only its division rests on the rows.
 *	bulk	All gets of a share are timed at once, and so are all puts.
 *	rand	So too; the pages of all threads are shuffled among them in between.
 *
 * Before, each does the same once without being timed: caches of the allocators are as they will
 * be, and their own memory has been touched, as that of a kernel has been.
 */
#include <string.h>

#include "bench.h"

enum { ROW = 8, PAIRS_TO_ESTIMATE = 4096, MIN_PAIRS = 2048, MAX_PAIRS = 2000000 };
/* How long the pairs of a turn shall take, and how many operations a turn of the others. */
#define PAIRS_NS 40e6
enum { BULK_OPERATIONS = 1 << 17, MAX_ROUNDS = 4096 };

/* Pair -------------------------------------------------------------------------------------- */

static double pairs_time(struct thread *thread, uint64_t nr)
{
	const struct contestant *who = thread->run->who;
	void *pool = thread->run->pool;
	unsigned order = thread->run->order;
	double start = now_ns();

	for (uint64_t i = 0; i < nr; i++) {
		void *pages = who->get(pool, order);

		if (pages)
			who->put(pool, pages, order);
		else
			thread->failed++;
	}
	return now_ns() - start - clock_cost_ns();
}

/* What of a pair is its get, between 0 and 1. */
static double get_share(struct thread *thread, uint64_t nr_rows)
{
	double gets = 0, puts = 0;
	void *row[ROW];

	for (uint64_t i = 0; i < nr_rows; i++) {
		double start = now_ns(), middle, end;

		fill(thread, row, ROW);
		middle = now_ns();
		empty(thread, row, ROW);
		end = now_ns();
		gets += middle - start;
		puts += end - middle;
	}
	gets -= clock_cost_ns() * (double)nr_rows;
	puts -= clock_cost_ns() * (double)nr_rows;
	if (gets <= 0 || puts <= 0)
		return gets > puts ? 1 : 0;
	return gets / (gets + puts);
}

/* As many pairs as take PAIRS_NS, by thread 0's experience. */
static void pairs_estimate(struct thread *thread)
{
	struct run *run = thread->run;
	double ns = pairs_time(thread, PAIRS_TO_ESTIMATE) / PAIRS_TO_ESTIMATE;

	if (thread->number == 0) {
		double nr = PAIRS_NS / (ns > 1 ? ns : 1) / run->crowd;

		run->nr_pairs = nr < MIN_PAIRS   ? MIN_PAIRS
				: nr > MAX_PAIRS ? MAX_PAIRS
						 : (uint64_t)nr;
	}
}

static void pair_body(struct thread *thread)
{
	struct run *run = thread->run;
	uint64_t in_rows;
	double both, share;

	fill(thread, thread->mine, run->share);
	barrier_wait(thread);
	pairs_estimate(thread);
	timed_begin(thread);
	both = pairs_time(thread, run->nr_pairs) / (double)run->nr_pairs;
	barrier_wait(thread);
	in_rows = run->nr_pairs / ROW * ROW;
	share = get_share(thread, in_rows / ROW);
	timed_end(thread);
	thread->gets = thread->puts = (double)(run->nr_pairs + in_rows);
	thread->get_ns = both * share * thread->gets;
	thread->put_ns = both * (1 - share) * thread->puts;
	empty(thread, thread->mine, run->share);
}

const struct workload workload_pair = {
	.name = "pair",
	.what = "half the memory allocated; then each thread gets and puts, again and again",
	.memory = 8,
	.part = 2,
	.body = pair_body,
};

/* Bulk and rand ----------------------------------------------------------------------------- */

static void bulk_round(struct thread *thread, bool mixed, uint64_t *seed)
{
	struct run *run = thread->run;
	double start;

	barrier_wait(thread);
	start = now_ns();
	fill(thread, thread->mine, run->share);
	thread->get_ns += now_ns() - start - clock_cost_ns();
	barrier_wait(thread);
	if (mixed && thread->number == 0)
		shuffle(run->pages, run->share * run->nr_threads, seed);
	barrier_wait(thread);
	start = now_ns();
	empty(thread, thread->mine, run->share);
	thread->put_ns += now_ns() - start - clock_cost_ns();
}

/* Few large blocks take so little time that once is not enough. */
static void bulk_rounds(struct thread *thread, bool mixed)
{
	struct run *run = thread->run;
	size_t blocks = run->share * run->nr_threads;
	size_t rounds = blocks ? BULK_OPERATIONS / blocks : 0;
	uint64_t seed = run->seed;

	rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
	bulk_round(thread, mixed, &seed);
	thread->get_ns = thread->put_ns = 0;
	timed_begin(thread);
	for (size_t i = 0; i < rounds; i++)
		bulk_round(thread, mixed, &seed);
	timed_end(thread);
	thread->gets = thread->puts = (double)(rounds * run->share);
}

static void bulk_body(struct thread *thread)
{
	bulk_rounds(thread, false);
}

static void rand_body(struct thread *thread)
{
	bulk_rounds(thread, true);
}

const struct workload workload_bulk = {
	.name = "bulk",
	.what = "each thread allocates its share of half the memory, and frees it in reverse",
	.memory = 8,
	.part = 2,
	.body = bulk_body,
};

const struct workload workload_rand = {
	.name = "rand",
	.what = "the same, but what all threads got is shuffled among them before it is freed",
	.memory = 8,
	.part = 2,
	.body = rand_body,
};
