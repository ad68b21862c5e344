/* SPDX-License-Identifier: MIT */
/*
 * options.c - what is wanted
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct workload workload_init = {
	.name = "init",
	.what = "time to make a pool, as get_ns, and to end it, as put_ns",
	.memory = 8,
	.part = 1,
};

static const struct workload workload_contention = {
	.name = "contention",
	.what = "pair and bulk with 1, 2, 4... threads, N at last: locks taken for each\n"
		"\t\toperation, and how many of them had to be waited for",
	.memory = 8,
	.part = 2,
};

const struct workload *const workloads[] = {
	&workload_pair,      &workload_bulk, &workload_rand,       &workload_frag,
	&workload_frag_bulk, &workload_init, &workload_contention, NULL,
};

bool workload_is_contention(const struct workload *workload)
{
	return workload == &workload_contention;
}

/* Help -------------------------------------------------------------------------------------- */

static const char usage_options[] =
	"\n"
	"  --threads N          threads, pinned to the CPUs in turn; default 1, contention 64\n"
	"  --order N            of the blocks, 0 to 10; default 0\n"
	"  --memory GIB         of the pool; default 8, frag 4\n"
	"  --repeat N           turns of each contestant, the median counts; default 5\n"
	"  --contestants LIST   with commas, names or paths of shared objects that define a\n"
	"                       contestant_plugin, see bench/contestant.h; the default is all\n"
	"                       but those marked *, and for contention all who count locks\n"
	"  --verify             check that nothing is given out twice; the times mean nothing\n"
	"  --json               an array with one object a row: workload, contestant, version,\n"
	"                       order, threads, get_ns, put_ns (medians), get_min_ns,\n"
	"                       get_max_ns, put_min_ns, put_max_ns, failed_gets,\n"
	"                       locks_per_operation, waits_per_operation where they are known,\n"
	"                       memory_gib, repeat, machine; rows of frag have free_huge, an\n"
	"                       array over the rounds, rows of contention pattern, pair or bulk\n"
	"\n"
	"The contestants take turns, turn by turn, so that a noisy moment hits all.  How it is\n"
	"measured, and why, is told in bench/README.md.\n"
	"\n"
	"Contestants:\n";

static _Noreturn void usage_exit(int code)
{
	FILE *out = code ? stderr : stdout;

	fputs("Usage: qr-bench WORKLOAD [OPTION...]\n\n"
	      "Measure page allocators beside each other.\n\n",
	      out);
	for (unsigned i = 0; workloads[i]; i++)
		fprintf(out, "  %-12s\t%s\n", workloads[i]->name, workloads[i]->what);
	fputs(usage_options, out);
	for (unsigned i = 0; contestants[i]; i++)
		fprintf(out, "  %-12s %c %s\n", contestants[i]->name,
			contestants[i]->by_name_only ? '*' : ' ', contestants[i]->what);
	exit(code);
}

static _Noreturn void wrong(const char *what, const char *value, const char *why)
{
	fprintf(stderr, "qr-bench: %s '%s': %s\n", what, value, why);
	exit(2);
}

/* Values ------------------------------------------------------------------------------------ */

static void contestants_take(struct options *o, const char *value)
{
	char *list = strdup(value), *rest = list;
	const char *why;

	o->nr_who = 0;
	for (char *name; list && (name = strsep(&rest, ","));) {
		if (o->nr_who == MAX_CONTESTANTS)
			wrong("--contestants", value, "too many");
		o->who[o->nr_who] = contestant_find(name, &why);
		if (!o->who[o->nr_who++])
			wrong("contestant", name, why);
	}
	free(list);
}

static unsigned number(const char *what, const char *value, unsigned min, unsigned max)
{
	char *end, why[64];
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n < min || n > max) {
		snprintf(why, sizeof(why), "not a number from %u to %u", min, max);
		wrong(what, value, why);
	}
	return (unsigned)n;
}

static uint64_t memory(const char *value)
{
	char *end;
	double gib = strtod(value, &end);

	if (*end || end == value || !(gib >= 1.0 / 64 && gib <= 4096))
		wrong("--memory", value, "not a number of GiB from 0.015625 to 4096");
	/* whole blocks of the largest order, 4 MiB */
	return (uint64_t)(gib * 256) << 22;
}

static void option_take(struct options *o, const char *name, const char *value)
{
	if (strcmp(name, "--threads") == 0)
		o->threads = number(name, value, 1, MAX_THREADS);
	else if (strcmp(name, "--order") == 0)
		o->order = number(name, value, 0, 10);
	else if (strcmp(name, "--repeat") == 0)
		o->repeat = number(name, value, 1, MAX_REPEATS);
	else if (strcmp(name, "--memory") == 0)
		o->bytes = memory(value);
	else if (strcmp(name, "--contestants") == 0)
		contestants_take(o, value);
	else
		wrong("option", name, "there is none of this name; see qr-bench --help");
}

/* What was not said, and what cannot be. */

static void contestants_default(struct options *o)
{
	for (unsigned i = 0; contestants[i]; i++) {
		bool wanted = workload_is_contention(o->workload) ? contestants[i]->locks != NULL
								  : !contestants[i]->by_name_only;

		if (wanted)
			o->who[o->nr_who++] = contestants[i];
	}
}

static void options_complete(struct options *o)
{
	if (!o->threads)
		o->threads = workload_is_contention(o->workload) ? 64 : 1;
	if (!o->bytes)
		o->bytes = (uint64_t)o->workload->memory << 30;
	if (!o->nr_who)
		contestants_default(o);
	if (o->order && o->workload->counts_huge)
		wrong("--order", "of frag", "it is about single pages, order 0");
	if ((o->bytes >> (12 + o->order)) / o->workload->part < o->threads)
		wrong("--memory", "so little", "not one block of this order for each thread");
}

static const struct workload *workload_find(const char *name)
{
	for (unsigned i = 0; workloads[i]; i++) {
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
	}
	wrong("workload", name, "there is none of this name; see qr-bench --help");
}

void options_take(struct options *o, int argc, char **argv)
{
	*o = (struct options){.repeat = 5};
	for (int at = 1; at < argc; at++) {
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			usage_exit(0);
	}
	if (argc < 2)
		usage_exit(2);
	o->workload = workload_find(argv[1]);
	for (int at = 2; at < argc; at++) {
		if (strcmp(argv[at], "--json") == 0) {
			o->json = true;
		} else if (strcmp(argv[at], "--verify") == 0) {
			o->verify = true;
		} else if (argv[at][0] != '-') {
			wrong("argument", argv[at], "not expected here; see qr-bench --help");
		} else if (at + 1 == argc) {
			wrong("option", argv[at], "its value is missing, or there is none");
		} else {
			option_take(o, argv[at], argv[at + 1]);
			at++;
		}
	}
	options_complete(o);
}
