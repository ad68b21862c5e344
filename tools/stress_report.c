/* SPDX-License-Identifier: MIT */
/*
 * stress_report.c - what came of a run of `quire stress`
 */
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "stress.h"
#include "term.h"
#include "text.h"

/* The version of the JSON document; see quire-stress(1). */
enum { STRESS_VERSION = 1 };

static uint64_t count_read(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

void stress_sum(const struct stress *stress, struct stress_sums *sums)
{
	*sums = (struct stress_sums){.freed = count_read(&stress->nr_freed_by_others)};
	for (unsigned i = 0; i < stress->nr_workers; i++) {
		const struct stress_counts *counts = &stress->workers[i].counts;

		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
			sums->allocated[order] += count_read(&counts->allocated[order]);
			sums->failed[order] += count_read(&counts->failed[order]);
		}
		sums->freed += count_read(&counts->freed);
		sums->bulk += count_read(&counts->bulk);
		sums->exact += count_read(&counts->exact);
		sums->split += count_read(&counts->split);
		sums->passed_on += count_read(&counts->passed_on);
		sums->verified_bytes += count_read(&counts->verified_bytes);
	}
	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
		sums->allocations += sums->allocated[order];
		sums->failures += sums->failed[order];
	}
	sums->operations = sums->allocations + sums->freed;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

/* As text ---------------------------------------------------------------------------------- */

static void orders_print(const char *name, const uint64_t *counts, unsigned last)
{
	printf("  %-10s", name);
	for (unsigned order = 0; order <= last; order++)
		printf(" %8s", text_rounded((double)counts[order]).text);
	putchar('\n');
}

static void sizes_print(const struct stress *stress, const struct stress_sums *sums)
{
	printf("  order     ");
	for (unsigned order = 0; order <= stress->max_order; order++)
		printf(" %8u", order);
	putchar('\n');
	orders_print("allocated", sums->allocated, stress->max_order);
	orders_print("failed", sums->failed, stress->max_order);
}

static void paths_print(const struct stress *stress, const struct qr_alloc_stats *stats)
{
	printf("  caches     %.1f %% of the requests they got were served at once; %s refills, %s "
	       "drains\n",
	       percent(stats->pcp_hits, stats->pcp_hits + stats->pcp_refills),
	       text_grouped(stats->pcp_refills).text, text_grouped(stats->pcp_drains).text);
	printf("  locks      %s zone locks, %.3f %% had to wait; %s cache locks were taken by "
	       "others\n",
	       text_grouped(stats->zone_locks).text,
	       percent(stats->zone_lock_contended, stats->zone_locks),
	       text_grouped(stats->pcp_contended).text);
	printf("  slow path  %s requests; %s reclaims, %s pages reclaimed, %s times no memory\n",
	       text_grouped(stats->slowpath).text, text_grouped(stats->direct_reclaim).text,
	       text_grouped(atomic_load(&stress->nr_reclaimed)).text,
	       text_grouped(stats->out_of_memory).text);
	printf("  fallbacks  %s, of which %s took over the whole pageblock; %s highatomic blocks\n",
	       text_grouped(stats->fallbacks).text, text_grouped(stats->fallbacks_claimed).text,
	       text_grouped(stats->highatomic_reserved).text);
}

static void verdict_print(const struct stress *stress, const struct stress_report *report)
{
	struct term term = term_of(stdout, TERM_AUTO);
	uint64_t nr_faults = atomic_load(&stress->nr_faults);
	uint64_t nr_warnings = atomic_load(&stress->nr_warnings);

	if (nr_warnings != 0)
		printf("  warnings   %s, the first: %s\n", text_grouped(nr_warnings).text,
		       stress->warning);
	if (nr_faults == 0) {
		printf("  checked    %u times by qr_check(); all %s pages are accounted for\n"
		       "%sno fault found%s%s\n",
		       report->nr_checks, text_grouped(stress->managed).text,
		       term_style(&term, TERM_GREEN), term_style(&term, TERM_PLAIN),
		       report->interrupted ? " (interrupted)" : "");
		return;
	}
	printf("%s%s faults found:%s\n", term_style(&term, TERM_RED), text_grouped(nr_faults).text,
	       term_style(&term, TERM_PLAIN));
	for (unsigned i = 0; i < STRESS_MAX_FAULTS && i < nr_faults; i++)
		printf("  %s\n", stress->faults[i]);
}

void stress_print(const struct stress *stress, const struct stress_report *report)
{
	struct stress_sums sums;

	stress_sum(stress, &sums);
	printf("quire stress: %s, %u threads, backing %s, seed %" PRIu64 "\n", report->machine,
	       stress->nr_started, report->backing, report->seed);
	printf("  in %.1f s   %s operations, %s a second; %s allocations, %s failed\n",
	       report->seconds, text_grouped(sums.operations).text,
	       text_grouped((uint64_t)per_second(sums.operations, report->seconds)).text,
	       text_grouped(sums.allocations).text, text_grouped(sums.failures).text);
	printf("  contents   %s bytes written and verified; %s blocks went to another thread\n",
	       text_grouped(sums.verified_bytes).text, text_grouped(sums.passed_on).text);
	sizes_print(stress, &sums);
	paths_print(stress, &report->stats);
	verdict_print(stress, report);
}

/* As JSON ---------------------------------------------------------------------------------- */

static json_t *orders_json(const struct stress *stress, const struct stress_sums *sums)
{
	json_t *array = json_array();

	for (unsigned order = stress->min_order; order <= stress->max_order; order++) {
		json_t *object = json_object();

		json_put_number(object, "order", order);
		json_put_number(object, "allocated", sums->allocated[order]);
		json_put_number(object, "failed", sums->failed[order]);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *stats_json(const struct stress *stress, const struct qr_alloc_stats *stats)
{
	json_t *object = json_object();

	json_put_number(object, "pcp_hits", stats->pcp_hits);
	json_put_number(object, "pcp_refills", stats->pcp_refills);
	json_put_number(object, "pcp_drains", stats->pcp_drains);
	json_put_number(object, "pcp_contended", stats->pcp_contended);
	json_put_number(object, "zone_locks", stats->zone_locks);
	json_put_number(object, "zone_lock_contended", stats->zone_lock_contended);
	json_put_number(object, "slowpath", stats->slowpath);
	json_put_number(object, "direct_reclaim", stats->direct_reclaim);
	json_put_number(object, "pages_reclaimed", atomic_load(&stress->nr_reclaimed));
	json_put_number(object, "out_of_memory", stats->out_of_memory);
	json_put_number(object, "kswapd_wakes", stats->kswapd_wakes);
	json_put_number(object, "fallbacks", stats->fallbacks);
	json_put_number(object, "fallbacks_claimed", stats->fallbacks_claimed);
	json_put_number(object, "boosts", stats->boosts);
	json_put_number(object, "highatomic_reserved", stats->highatomic_reserved);
	json_put_number(object, "bad_pages", stats->bad_pages);
	return object;
}

static json_t *faults_json(const struct stress *stress)
{
	uint64_t nr = atomic_load(&stress->nr_faults);
	json_t *array = json_array();

	for (unsigned i = 0; i < STRESS_MAX_FAULTS && i < nr; i++)
		json_array_append_new(array, json_string(stress->faults[i]));
	return array;
}

bool stress_print_json(const struct stress *stress, const struct stress_report *report)
{
	json_t *document = json_document("quire-stress", STRESS_VERSION);
	struct stress_sums sums;

	stress_sum(stress, &sums);
	json_put_text(document, "machine", report->machine);
	json_put_text(document, "backing", report->backing);
	json_put_number(document, "memory_bytes", report->memory);
	json_put_number(document, "managed_pages", stress->managed);
	json_put_number(document, "threads", stress->nr_started);
	json_put_number(document, "seed", report->seed);
	json_put_real(document, "seconds", report->seconds);
	json_put_flag(document, "interrupted", report->interrupted);
	json_put_number(document, "operations", sums.operations);
	json_put_real(document, "operations_per_second",
		      per_second(sums.operations, report->seconds));
	json_put_number(document, "allocated", sums.allocations);
	json_put_number(document, "failed", sums.failures);
	json_put_number(document, "freed", sums.freed);
	json_put_number(document, "bulk", sums.bulk);
	json_put_number(document, "exact", sums.exact);
	json_put_number(document, "split", sums.split);
	json_put_number(document, "passed_on", sums.passed_on);
	json_put_number(document, "verified_bytes", sums.verified_bytes);
	json_put(document, "orders", orders_json(stress, &sums));
	json_put(document, "allocator", stats_json(stress, &report->stats));
	json_put_number(document, "checks", report->nr_checks);
	json_put_number(document, "warnings", atomic_load(&stress->nr_warnings));
	json_put_number(document, "faults", atomic_load(&stress->nr_faults));
	json_put(document, "fault_texts", faults_json(stress));
	return json_finish(document);
}
