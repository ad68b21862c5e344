/* SPDX-License-Identifier: MIT */
/*
 * qr_bench.c - page allocators beside each other
 *
 *	pair	half the memory allocated; then each thread gets and puts, again and again
 *	bulk	each thread allocates its share of half the memory, and frees it in reverse
 *	rand	the same, but what all threads got is shuffled among them before it is freed
 *	frag	all memory as single pages, shuffled, half of it freed; then rounds in which a
 *		tenth of what is left is freed and allocated again, and the wholly free 2 MiB
 *		blocks are counted
 *	init	time to make a pool
 *
 * Contestants take turns, repeat by repeat, so that a noisy moment of the machine hits all;
 * medians and spread are printed.  Threads are pinned.
 */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contestant.h"

enum { MAX_CONTESTANTS = 16, MAX_THREADS = 64, MAX_REPEATS = 100, PAIRS = 1000000 };
enum { FRAG_ROUNDS = 100 };

struct options {
	const char *workload;
	unsigned threads, order, repeat;
	double memory; /* GiB */
	const struct contestant *who[MAX_CONTESTANTS];
	unsigned nr_who;
	bool json;
};

/* One repeat of one contestant. */
struct sample {
	double get_ns, put_ns;
	double locks; /* per operation; negative: unknown */
};

struct run {
	const struct contestant *who;
	const struct options *options;
	void *pool;
	pthread_barrier_t barrier;
	void **pages; /* of all threads, one share after the other */
	size_t share;
	struct sample result[MAX_THREADS];
};

struct thread {
	struct run *run;
	unsigned number;
	pthread_t id;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void shuffle(void **pages, size_t nr, uint64_t seed)
{
	for (size_t i = nr; i > 1; i--) {
		size_t j = random_next(&seed) % i;
		void *page = pages[i - 1];

		pages[i - 1] = pages[j];
		pages[j] = page;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, unsigned nr)
{
	qsort(values, nr, sizeof(*values), by_value);
	return nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

/* Workloads -------------------------------------------------------------------------------- */

static void fill(struct run *run, void **pages, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		pages[i] = run->who->get(run->pool, run->options->order);
}

static void empty(struct run *run, void **pages, size_t nr)
{
	for (size_t i = nr; i-- > 0;) {
		if (pages[i])
			run->who->put(run->pool, pages[i], run->options->order);
	}
}

/* A pair is too short to be timed in halves: what a get takes is measured in short rows of both. */
static void pairs(struct run *run, struct sample *sample)
{
	const struct contestant *who = run->who;
	unsigned order = run->options->order;
	enum { ROW = 16 };
	void *row[ROW];
	double start = now_ns(), both, gets = 0, puts = 0;

	for (unsigned i = 0; i < PAIRS; i++)
		who->put(run->pool, who->get(run->pool, order), order);
	both = (now_ns() - start) / PAIRS;
	for (unsigned i = 0; i < PAIRS / ROW; i++) {
		double a = now_ns(), b;

		fill(run, row, ROW);
		b = now_ns();
		empty(run, row, ROW);
		gets += b - a;
		puts += now_ns() - b;
	}
	/* the share of each in rows, of the time that a pair takes */
	sample->get_ns = both * gets / (gets + puts);
	sample->put_ns = both * puts / (gets + puts);
}

static void bulk(struct run *run, struct thread *thread, struct sample *sample, bool mixed)
{
	void **mine = run->pages + run->share * thread->number;
	double start = now_ns();

	fill(run, mine, run->share);
	sample->get_ns = (now_ns() - start) / (double)run->share;
	pthread_barrier_wait(&run->barrier);
	if (mixed && thread->number == 0)
		shuffle(run->pages, run->share * run->options->threads, 42);
	pthread_barrier_wait(&run->barrier);
	start = now_ns();
	empty(run, mine, run->share);
	sample->put_ns = (now_ns() - start) / (double)run->share;
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
	struct sample *sample = &run->result[thread->number];
	void **mine = run->pages + run->share * thread->number;

	pin(thread->number);
	if (strcmp(run->options->workload, "pair") == 0)
		fill(run, mine, run->share);
	pthread_barrier_wait(&run->barrier);
	if (strcmp(run->options->workload, "pair") == 0) {
		pairs(run, sample);
		pthread_barrier_wait(&run->barrier);
		empty(run, mine, run->share);
	} else {
		bulk(run, thread, sample, strcmp(run->options->workload, "rand") == 0);
	}
	return NULL;
}

static struct sample threads_run(struct run *run)
{
	unsigned nr = run->options->threads;
	struct thread threads[MAX_THREADS];
	struct sample mean = {0, 0, -1};
	uint64_t before = 0, after = 0, waited;
	double operations = 2.0 * (double)run->share * nr;

	if (run->who->locks)
		run->who->locks(run->pool, &before, &waited);
	pthread_barrier_init(&run->barrier, NULL, nr);
	for (unsigned i = 0; i < nr; i++) {
		threads[i] = (struct thread){.run = run, .number = i};
		pthread_create(&threads[i].id, NULL, thread_main, &threads[i]);
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(threads[i].id, NULL);
	pthread_barrier_destroy(&run->barrier);
	for (unsigned i = 0; i < nr; i++) {
		mean.get_ns += run->result[i].get_ns / nr;
		mean.put_ns += run->result[i].put_ns / nr;
	}
	if (strcmp(run->options->workload, "pair") == 0)
		operations += 4.0 * PAIRS * nr;
	if (run->who->locks) {
		run->who->locks(run->pool, &after, &waited);
		mean.locks = (double)(after - before) / operations;
	}
	return mean;
}

static uint64_t memory_bytes(const struct options *o)
{
	return (uint64_t)(o->memory * (double)(1 << 30));
}

/* False: this contestant cannot take part. */
static bool repeat_once(const struct options *o, const struct contestant *who,
			struct sample *sample)
{
	struct run run = {.who = who, .options = o};
	size_t nr = (size_t)(memory_bytes(o) / 2 >> (12 + o->order));

	run.share = nr / o->threads;
	run.pages = calloc(run.share * o->threads + 1, sizeof(*run.pages));
	run.pool = run.pages ? who->open(memory_bytes(o), o->threads) : NULL;
	if (!run.pool) {
		free(run.pages);
		return false;
	}
	*sample = threads_run(&run);
	who->close(run.pool);
	free(run.pages);
	return true;
}

static bool init_once(const struct options *o, const struct contestant *who, struct sample *sample)
{
	double start = now_ns();
	void *pool = who->open(memory_bytes(o), o->threads);

	*sample = (struct sample){.get_ns = now_ns() - start, .locks = -1};
	if (!pool)
		return false;
	who->close(pool);
	return true;
}

/* Rows ------------------------------------------------------------------------------------- */

static void row_print(const struct options *o, const char *name, struct sample *samples,
		      json_t *rows)
{
	double get[MAX_REPEATS], put[MAX_REPEATS], spread;
	bool init = strcmp(o->workload, "init") == 0;
	json_t *row;

	for (unsigned i = 0; i < o->repeat; i++) {
		get[i] = samples[i].get_ns;
		put[i] = samples[i].put_ns;
	}
	median(put, o->repeat);
	median(get, o->repeat);
	spread = get[o->repeat - 1] - get[0] + put[o->repeat - 1] - put[0];
	if (!rows && init)
		printf("init  %-10s %12.3f ms\n", name, median(get, o->repeat) / 1e6);
	else if (!rows)
		printf("%-5s %-10s order %2u threads %2u   get %8.1f ns   put %8.1f ns   spread "
		       "%8.1f   locks/op %s%.4f\n",
		       o->workload, name, o->order, o->threads, median(get, o->repeat),
		       median(put, o->repeat), spread, samples[0].locks < 0 ? "?" : "",
		       samples[0].locks < 0 ? 0 : samples[0].locks);
	if (!rows)
		return;
	row = json_pack("{s:s,s:s,s:i,s:i,s:f,s:f,s:f}", "workload", o->workload, "contestant",
			name, "order", (int)o->order, "threads", (int)o->threads, "get_ns",
			median(get, o->repeat), "put_ns", median(put, o->repeat), "spread_ns",
			spread);
	if (samples[0].locks >= 0)
		json_object_set_new(row, "locks_per_operation", json_real(samples[0].locks));
	json_array_append_new(rows, row);
}

static void contestants_run(const struct options *o, json_t *rows)
{
	static struct sample samples[MAX_CONTESTANTS][MAX_REPEATS];
	bool takes_part[MAX_CONTESTANTS] = {false};
	bool init = strcmp(o->workload, "init") == 0;

	for (unsigned w = 0; w < o->nr_who; w++)
		takes_part[w] = true;
	for (unsigned i = 0; i < o->repeat; i++) {
		for (unsigned w = 0; w < o->nr_who; w++) {
			struct sample *sample = &samples[w][i];

			if (takes_part[w])
				takes_part[w] = init ? init_once(o, o->who[w], sample)
						     : repeat_once(o, o->who[w], sample);
		}
	}
	for (unsigned w = 0; w < o->nr_who; w++) {
		if (takes_part[w])
			row_print(o, o->who[w]->name, samples[w], rows);
		else
			fprintf(stderr, "qr-bench: %s cannot take part here\n", o->who[w]->name);
	}
}

/* Fragmentation ---------------------------------------------------------------------------- */

static void frag_round(const struct contestant *who, void *pool, void **pages, size_t nr,
		       uint64_t *seed)
{
	size_t tenth = nr / 10;

	for (size_t i = 0; i < tenth; i++) {
		size_t j = i + random_next(seed) % (nr - i);
		void *page = pages[i];

		pages[i] = pages[j];
		pages[j] = page;
		if (pages[i])
			who->put(pool, pages[i], 0);
	}
	for (size_t i = 0; i < tenth; i++)
		pages[i] = who->get(pool, 0);
}

static void frag_run(const struct options *o, const struct contestant *who, json_t *rows)
{
	size_t all = (size_t)(memory_bytes(o) >> 12), nr = 0;
	void **pages = calloc(all + 1, sizeof(*pages));
	void *pool = pages && who->free_huge ? who->open(memory_bytes(o), 1) : NULL;
	json_t *counts = json_array();
	uint64_t seed = 42;

	if (!pool) {
		fprintf(stderr, "qr-bench: %s cannot count 2 MiB blocks\n", who->name);
		free(pages);
		json_decref(counts);
		return;
	}
	while (nr < all && (pages[nr] = who->get(pool, 0)))
		nr++;
	shuffle(pages, nr, 7);
	for (size_t i = nr / 2; i < nr; i++)
		who->put(pool, pages[i], 0);
	nr /= 2;
	for (unsigned round = 0; round <= FRAG_ROUNDS; round++) {
		if (round)
			frag_round(who, pool, pages, nr, &seed);
		json_array_append_new(counts, json_integer((json_int_t)who->free_huge(pool)));
		if (!rows && round % 10 == 0)
			printf("frag  %-10s round %3u  free 2 MiB blocks %6llu of %llu\n",
			       who->name, round, (unsigned long long)who->free_huge(pool),
			       (unsigned long long)(all / 512 / 2));
	}
	if (rows)
		json_array_append_new(rows, json_pack("{s:s,s:s,s:i,s:i,s:O}", "workload", "frag",
						      "contestant", who->name, "order", 0,
						      "threads", 1, "free_huge", counts));
	json_decref(counts);
	who->close(pool);
	free(pages);
}

/* Arguments -------------------------------------------------------------------------------- */

static const char usage[] =
	"Usage: qr-bench pair|bulk|rand|frag|init [OPTION...]\n\n"
	"  --threads N          threads, pinned; default 1\n"
	"  --order N            of the blocks; default 0\n"
	"  --memory GIB         of the pool; default 8\n"
	"  --repeat N           runs of each contestant, of which the median counts; default 5\n"
	"  --contestants LIST   with commas, names or paths of shared objects that define a\n"
	"                       contestant_plugin, see bench/contestant.h; default all built in\n"
	"  --json               an array of one object a row: workload, contestant, order, "
	"threads,\n"
	"                       get_ns, put_ns (medians), spread_ns, locks_per_operation; frag "
	"rows\n"
	"                       have free_huge, an array of one number a round\n\n"
	"Contestants:\n";

static _Noreturn void usage_exit(int code)
{
	FILE *out = code ? stderr : stdout;

	fputs(usage, out);
	for (unsigned i = 0; contestants[i]; i++)
		fprintf(out, "  %-10s %s\n", contestants[i]->name, contestants[i]->what);
	exit(code);
}

static _Noreturn void wrong(const char *what, const char *value)
{
	fprintf(stderr, "qr-bench: %s: '%s' makes no sense; qr-bench --help tells what does\n",
		what, value);
	exit(2);
}

static void contestants_take(struct options *o, char *list)
{
	const char *why;

	o->nr_who = 0;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (o->nr_who == MAX_CONTESTANTS)
			wrong("--contestants: too many", name);
		o->who[o->nr_who] = contestant_find(name, &why);
		if (!o->who[o->nr_who++]) {
			fprintf(stderr, "qr-bench: contestant '%s': %s\n", name, why);
			exit(2);
		}
	}
	if (o->nr_who == 0)
		wrong("--contestants", "");
}

static unsigned number(const char *what, const char *value, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*end || end == value || n < min || n > max)
		wrong(what, value);
	return (unsigned)n;
}

static void option_take(struct options *o, const char *name, char *value)
{
	if (strcmp(name, "--threads") == 0)
		o->threads = number(name, value, 1, MAX_THREADS);
	else if (strcmp(name, "--order") == 0)
		o->order = number(name, value, 0, 10);
	else if (strcmp(name, "--repeat") == 0)
		o->repeat = number(name, value, 1, MAX_REPEATS);
	else if (strcmp(name, "--memory") == 0 && atof(value) >= 0.015625 && atof(value) <= 4096)
		o->memory = atof(value);
	else if (strcmp(name, "--contestants") == 0)
		contestants_take(o, value);
	else
		wrong(name, value);
}

static void options_take(struct options *o, int argc, char **argv)
{
	static const char *const workloads[] = {"pair", "bulk", "rand", "frag", "init"};
	unsigned i;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		usage_exit(argc < 2 ? 2 : 0);
	for (i = 0; i < 5 && strcmp(argv[1], workloads[i]) != 0;)
		i++;
	if (i == 5)
		wrong("workload", argv[1]);
	o->workload = argv[1];
	for (int at = 2; at < argc; at++) {
		if (strcmp(argv[at], "--json") == 0) {
			o->json = true;
			continue;
		}
		if (at + 1 == argc)
			wrong(argv[at], "");
		option_take(o, argv[at], argv[at + 1]);
		at++;
	}
}

int main(int argc, char **argv)
{
	struct options o = {.threads = 1, .repeat = 5, .memory = 8};
	json_t *rows = NULL;

	while (contestants[o.nr_who]) {
		o.who[o.nr_who] = contestants[o.nr_who];
		o.nr_who++;
	}
	options_take(&o, argc, argv);
	if (o.json)
		rows = json_array();
	if (strcmp(o.workload, "frag") == 0) {
		for (unsigned w = 0; w < o.nr_who; w++)
			frag_run(&o, o.who[w], rows);
	} else {
		contestants_run(&o, rows);
	}
	if (rows) {
		json_dumpf(rows, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(rows);
	}
	return 0;
}
