/* SPDX-License-Identifier: MIT */
/*
 * qr_bench.c - page allocators beside each other
 *
 * The contestants take turns, all of them in the first round, then all in the second: so that a
 * noisy moment of the machine hits them alike.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* Why a contestant cannot do a workload, as nobody needs to try; NULL: let us see. */
static const char *refusal(const struct options *o, const struct contestant *who)
{
	if (o->workload->counts_huge && !who->free_huge)
		return "cannot count free 2 MiB blocks";
	if (!o->workload->body && who->no_pool)
		return "has no pool to be made";
	return NULL;
}

/* One turn of one contestant; false: that was its last. */
static bool turn(const struct options *o, const struct contestant *who, unsigned round,
		 struct sample *sample)
{
	const char *why = refusal(o, who);

	if (!why && !run_once(o, who, 42 + round, sample))
		why = "cannot take part";
	else if (!why)
		why = sample->complaint;
	if (why)
		fprintf(stderr, "qr-bench: %s: %s: %s\n", o->workload->name, who->name, why);
	return !why;
}

static void contestants_run(const struct options *o, const char *pattern, struct rows *rows)
{
	static struct sample samples[MAX_CONTESTANTS][MAX_REPEATS];
	bool takes_part[MAX_CONTESTANTS];

	memset(takes_part, true, sizeof(takes_part));
	for (unsigned round = 0; round < o->repeat; round++) {
		for (unsigned w = 0; w < o->nr_who; w++)
			takes_part[w] =
				takes_part[w] && turn(o, o->who[w], round, &samples[w][round]);
	}
	for (unsigned w = 0; w < o->nr_who; w++) {
		if (takes_part[w])
			rows_add(rows, o, o->who[w], pattern, samples[w]);
	}
}

/* What do 1, 2, 4... threads contend for? */
static void contention_run(const struct options *all, struct rows *rows)
{
	const struct workload *const patterns[] = {&workload_pair, &workload_bulk};
	struct options o = *all;

	o.nr_who = 0;
	for (unsigned w = 0; w < all->nr_who; w++) {
		if (all->who[w]->locks)
			o.who[o.nr_who++] = all->who[w];
		else
			fprintf(stderr, "qr-bench: contention: %s: does not count locks\n",
				all->who[w]->name);
	}
	for (unsigned i = 0; i < 2; i++) {
		o.workload = patterns[i];
		for (o.threads = 1; o.threads < all->threads; o.threads *= 2)
			contestants_run(&o, o.workload->name, rows);
		o.threads = all->threads;
		contestants_run(&o, o.workload->name, rows);
	}
}

/*
 * jemalloc keeps more thread-local storage than glibc has in reserve for libraries that come later.
 * How large the reserve is, is decided when a process begins: so begin again.
 */
static void static_tls_reserve(const struct options *o, char **argv)
{
	static const char name[] = "glibc.rtld.optional_static_tls";
	const char *old = getenv("GLIBC_TUNABLES");
	char self[PATH_MAX], tunables[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	bool wanted = false;

	for (unsigned w = 0; w < o->nr_who; w++)
		wanted |= o->who[w] == &contestant_jemalloc;
	if (!wanted || length < 0 || (old && strstr(old, name)))
		return;
	self[length] = 0;
	snprintf(tunables, sizeof(tunables), "%s=16384%s%s", name, old ? ":" : "", old ? old : "");
	setenv("GLIBC_TUNABLES", tunables, 1);
	execv(self, argv);
	fprintf(stderr, "qr-bench: cannot start again with %s: %s\n", tunables, strerror(errno));
}

int main(int argc, char **argv)
{
	struct options o;
	struct rows *rows;

	options_take(&o, argc, argv);
	static_tls_reserve(&o, argv);
	rows = rows_begin(&o);
	if (workload_is_contention(o.workload))
		contention_run(&o, rows);
	else
		contestants_run(&o, NULL, rows);
	return rows_end(rows) ? 0 : 1;
}
