/* SPDX-License-Identifier: MIT */
/*
 * rows.c - what came out, as lines for people or as JSON
 */
#include <jansson.h>
#include <quire/quire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"

struct rows {
	bool json;
	unsigned nr;
	char machine[256];
};

/* Medians ----------------------------------------------------------------------------------- */

struct spread {
	double median, min, max;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static struct spread spread_of(double *values, unsigned nr)
{
	struct spread spread;

	qsort(values, nr, sizeof(*values), by_value);
	spread.min = values[0];
	spread.max = values[nr - 1];
	spread.median = nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
	return spread;
}

/* What a row says of all turns of a contestant. */
struct row {
	const struct options *o;
	const struct contestant *who;
	const char *pattern, *version;
	struct spread get, put;
	double locks, waits; /* of one operation; negative: unknown */
	uint64_t failed, blocks;
	struct spread free_huge[FRAG_ROUNDS + 1];
};

static void row_make(struct row *row, const struct sample *samples, unsigned nr)
{
	double values[MAX_REPEATS], operations = 0, locks = 0, waits = 0;

	for (unsigned i = 0; i < nr; i++) {
		operations += samples[i].operations;
		locks += samples[i].locks;
		waits += samples[i].waits;
		row->failed += samples[i].failed;
		row->blocks += samples[i].blocks;
	}
	row->locks = locks < 0 || operations <= 0 ? -1 : locks / operations;
	row->waits = waits < 0 || operations <= 0 ? -1 : waits / operations;
	for (unsigned i = 0; i < nr; i++)
		values[i] = samples[i].get_ns;
	row->get = spread_of(values, nr);
	for (unsigned i = 0; i < nr; i++)
		values[i] = samples[i].put_ns;
	row->put = spread_of(values, nr);
	for (unsigned round = 0; round <= FRAG_ROUNDS; round++) {
		for (unsigned i = 0; i < nr; i++)
			values[i] = (double)samples[i].free_huge[round];
		row->free_huge[round] = spread_of(values, nr);
	}
}

/* The machine ------------------------------------------------------------------------------- */

static void cpu_model(char *text, size_t size)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(text, size, "unknown processor");
	while (cpuinfo && fgets(line, sizeof(line), cpuinfo)) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) == 0 && value) {
			snprintf(text, size, "%s", value + 1 + strspn(value + 1, " "));
			text[strcspn(text, "\n")] = 0;
			break;
		}
	}
	if (cpuinfo)
		fclose(cpuinfo);
}

static void machine_describe(char *text, size_t size)
{
	struct utsname host = {.release = "?", .machine = "?"};
	char model[128];

	uname(&host);
	cpu_model(model, sizeof(model));
	snprintf(text, size, "%s, %u CPUs, %s, Linux %s; Quire %s, compiled by %s", model,
		 cpus_allowed(), host.machine, host.release, qr_version(),
#if defined(__clang__)
		 "clang " __clang_version__
#else
		 "gcc " __VERSION__
#endif
	);
}

/* Lines ------------------------------------------------------------------------------------- */

static void spread_print(const char *what, struct spread spread, double unit, const char *name)
{
	char range[64];

	snprintf(range, sizeof(range), "(%.*f..%.*f)", unit > 1 ? 3 : 1, spread.min / unit,
		 unit > 1 ? 3 : 1, spread.max / unit);
	printf("  %s %8.*f %s %-18s", what, unit > 1 ? 3 : 1, spread.median / unit, name, range);
}

static void locks_print(const struct row *row)
{
	if (row->locks < 0)
		return;
	printf("  locks/op %.4f", row->locks);
	if (row->locks > 0)
		printf(", waited for %.2f %%", 100 * row->waits / row->locks);
}

static void frag_print(const struct row *row)
{
	for (unsigned round = 0; round <= FRAG_ROUNDS; round += 10)
		printf(" %6.0f", row->free_huge[round].median);
}

static void row_print(const struct rows *rows, const struct row *row)
{
	const struct options *o = row->o;

	if (o->workload->counts_huge && rows->nr == 0) {
		printf("free 2 MiB blocks, of %llu, after round\n%25s",
		       (unsigned long long)(o->bytes >> 22), "");
		for (unsigned round = 0; round <= FRAG_ROUNDS; round += 10)
			printf(" %6u", round);
		putchar('\n');
	}
	if (row->pattern)
		printf("contention ");
	printf("%-9s  %-12s", o->workload->name, row->who->name);
	if (o->workload->counts_huge) {
		printf("  ");
		frag_print(row);
	} else if (!o->workload->body) {
		spread_print("made in", row->get, 1e6, "ms");
		spread_print("ended in", row->put, 1e6, "ms");
	} else {
		printf("  order %2u threads %3u", o->order, o->threads);
		if (!row->pattern) {
			spread_print("get", row->get, 1, "ns");
			spread_print("put", row->put, 1, "ns");
		}
		locks_print(row);
	}
	if (row->failed)
		printf("  %llu gets failed", (unsigned long long)row->failed);
	if (o->verify)
		printf("  %llu blocks verified", (unsigned long long)row->blocks);
	putchar('\n');
	fflush(stdout);
}

/* JSON -------------------------------------------------------------------------------------- */

static json_t *rounded(double value)
{
	/* a thousandth of a nanosecond is more than anybody measured */
	return json_real((double)(long long)(value * 1000 + (value < 0 ? -0.5 : 0.5)) / 1000);
}

static void spread_add(json_t *row, const char *what, struct spread spread)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_ns", what);
	json_object_set_new(row, name, rounded(spread.median));
	snprintf(name, sizeof(name), "%s_min_ns", what);
	json_object_set_new(row, name, rounded(spread.min));
	snprintf(name, sizeof(name), "%s_max_ns", what);
	json_object_set_new(row, name, rounded(spread.max));
}

static void frag_add(json_t *json, const struct row *row)
{
	json_t *median = json_array(), *min = json_array(), *max = json_array();

	for (unsigned round = 0; round <= FRAG_ROUNDS; round++) {
		const struct spread *spread = &row->free_huge[round];

		json_array_append_new(median, json_integer((json_int_t)spread->median));
		json_array_append_new(min, json_integer((json_int_t)spread->min));
		json_array_append_new(max, json_integer((json_int_t)spread->max));
	}
	json_object_set_new(json, "free_huge", median);
	json_object_set_new(json, "free_huge_min", min);
	json_object_set_new(json, "free_huge_max", max);
}

static json_t *row_json(const struct rows *rows, const struct row *row)
{
	const struct options *o = row->o;
	json_t *json = json_object();

	json_object_set_new(json, "workload",
			    json_string(row->pattern ? "contention" : o->workload->name));
	if (row->pattern)
		json_object_set_new(json, "pattern", json_string(row->pattern));
	json_object_set_new(json, "contestant", json_string(row->who->name));
	if (row->version)
		json_object_set_new(json, "version", json_string(row->version));
	json_object_set_new(json, "order", json_integer(o->order));
	json_object_set_new(json, "threads", json_integer(o->threads));
	spread_add(json, "get", row->get);
	spread_add(json, "put", row->put);
	if (o->workload->counts_huge)
		frag_add(json, row);
	if (row->locks >= 0) {
		json_object_set_new(json, "locks_per_operation", json_real(row->locks));
		json_object_set_new(json, "waits_per_operation", json_real(row->waits));
	}
	json_object_set_new(json, "failed_gets", json_integer((json_int_t)row->failed));
	if (o->verify)
		json_object_set_new(json, "verified_blocks", json_integer((json_int_t)row->blocks));
	json_object_set_new(json, "memory_gib", json_real((double)o->bytes / (1 << 30)));
	json_object_set_new(json, "repeat", json_integer(o->repeat));
	json_object_set_new(json, "machine", json_string(rows->machine));
	return json;
}

/* The first line opens the array, and the last one closes it: each row has a line to itself. */
static void row_dump(const struct rows *rows, const struct row *row)
{
	json_t *json = row_json(rows, row);

	printf("%s\n", rows->nr ? "," : "[");
	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fflush(stdout);
	json_decref(json);
}

/* All of them ------------------------------------------------------------------------------- */

struct rows *rows_begin(const struct options *o)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (!rows) {
		fprintf(stderr, "qr-bench: out of memory\n");
		exit(1);
	}
	rows->json = o->json;
	machine_describe(rows->machine, sizeof(rows->machine));
	if (!o->json)
		printf("%s\n%.6g GiB, median of %u turns (least..most)\n", rows->machine,
		       (double)o->bytes / (1 << 30), o->repeat);
	return rows;
}

void rows_add(struct rows *rows, const struct options *o, const struct contestant *who,
	      const char *pattern, const struct sample *samples)
{
	struct row row = {.o = o, .who = who, .pattern = pattern};

	if (who->version)
		row.version = who->version(NULL);
	row_make(&row, samples, o->repeat);
	if (rows->json)
		row_dump(rows, &row);
	else
		row_print(rows, &row);
	rows->nr++;
}

unsigned rows_end(struct rows *rows)
{
	unsigned nr = rows->nr;

	if (rows->json)
		printf("%s]\n", nr ? "\n" : "[");
	free(rows);
	return nr;
}
