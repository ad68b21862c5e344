/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the files of qr-bench know of each other
 *
 * options.c reads what is wanted, qr_bench.c lets the contestants take turns, runs.c makes the
 * threads of one turn, workloads.c and frag.c are what each of them does, rows.c prints, and
 * verify.c looks at what a contestant gives out.
 */
#ifndef QUIRE_BENCH_H
#define QUIRE_BENCH_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "contestant.h"

enum { MAX_CONTESTANTS = 16, MAX_THREADS = 256, MAX_REPEATS = 100, FRAG_ROUNDS = 100 };

/* Contestants ------------------------------------------------------------------------------ */

extern const struct contestant contestant_list, contestant_bitmap, contestant_list_cpus,
	contestant_bitmap_cpus, contestant_glibc, contestant_jemalloc, contestant_mimalloc,
	contestant_mmap, contestant_nothing;

/* All that are built in; ends with NULL. */
extern const struct contestant *const contestants[];

/* One of them by its name, or one from a shared object by its path; NULL: *why says why not. */
const struct contestant *contestant_find(const char *name, const char **why);

/* The same contestant, with each page that it gives out checked; see verify.c. */
const struct contestant *verify_wrap(const struct contestant *who);
/* How many blocks were checked since it was wrapped. */
uint64_t verify_blocks(void);

/* What is wanted --------------------------------------------------------------------------- */

struct thread;

struct workload {
	const char *name;
	const char *what; /* lines for --help */
	double memory; /* GiB, unless told otherwise */
	unsigned part; /* of all memory that is allocated: 2, half of it */
	bool counts_huge; /* wholly free blocks of 2 MiB */
	void (*body)(struct thread *thread); /* NULL: init, which has no threads */
};

extern const struct workload workload_pair, workload_bulk, workload_rand, workload_frag,
	workload_frag_bulk;
/* All of them; ends with NULL. */
extern const struct workload *const workloads[];
bool workload_is_contention(const struct workload *workload);

struct options {
	const struct workload *workload;
	unsigned threads, order, repeat;
	uint64_t bytes;
	const struct contestant *who[MAX_CONTESTANTS];
	unsigned nr_who;
	bool json, verify;
};

/* Ends the program where the arguments make no sense, or only ask for help. */
void options_take(struct options *o, int argc, char **argv);

/* Runs ------------------------------------------------------------------------------------- */

/* One turn of one contestant. */
struct sample {
	double get_ns, put_ns; /* of one operation, the mean of all threads */
	double operations; /* that were timed; and, of those: */
	double locks, waits; /* negative: the contestant cannot tell */
	uint64_t failed; /* gets that gave nothing */
	uint64_t blocks; /* that were verified */
	uint64_t free_huge[FRAG_ROUNDS + 1]; /* of workload frag */
	const char *complaint;
};

/* Threads meet here; they spin, as sleepers would wake up one after the other. */
struct barrier {
	alignas(128) atomic_uint waiting;
	alignas(128) atomic_uint phase;
	unsigned nr;
};

struct run {
	const struct contestant *who;
	const struct workload *workload;
	void *pool;
	unsigned order, nr_threads;
	void **pages; /* of all threads, one share after the other */
	size_t nr_pages, share; /* blocks: all, and those of a thread */
	uint64_t nr_pairs; /* of each thread */
	uint64_t seed; /* another one in each turn */
	double crowd; /* threads to a CPU; at least 1 */
	struct barrier barrier;
	struct sample *sample;
};

/* Nothing of it lies in a cache line that another thread writes. */
struct thread {
	alignas(128) struct run *run;
	unsigned number;
	pthread_t id;
	void **mine; /* this thread's share of the run's pages */
	uint64_t failed;
	double get_ns, put_ns; /* all together, of: */
	double gets, puts;
};

/* One turn; false: this contestant cannot take part. */
bool run_once(const struct options *o, const struct contestant *who, uint64_t seed,
	      struct sample *sample);

void barrier_wait(struct thread *thread);
/* Around what is timed: the locks taken between them are counted.  All threads meet in both. */
void timed_begin(struct thread *thread);
void timed_end(struct thread *thread);

/* The clock, and what looking at it costs, which is to be subtracted. */
double now_ns(void);
double clock_cost_ns(void);
/* How many CPUs this process may use. */
unsigned cpus_allowed(void);
uint64_t random_next(uint64_t *state);
void shuffle(void **pages, size_t nr, uint64_t *seed);

/* Get a block for each entry, without looking at what is there; put the entries back, last first.
 * What is NULL was not to be had. */
void fill(struct thread *thread, void **pages, size_t nr);
void empty(struct thread *thread, void **pages, size_t nr);

/* Rows ------------------------------------------------------------------------------------- */

struct rows;

struct rows *rows_begin(const struct options *o);
/* pattern: what contention was measured with; else NULL. */
void rows_add(struct rows *rows, const struct options *o, const struct contestant *who,
	      const char *pattern, const struct sample *samples);
/* How many there were. */
unsigned rows_end(struct rows *rows);

#endif /* QUIRE_BENCH_H */
