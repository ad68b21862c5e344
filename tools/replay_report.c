/* SPDX-License-Identifier: MIT */
/*
 * replay_report.c - a replay on the terminal: numbers, small charts, and what a trace cannot tell
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay_report.h"
#include "text.h"

enum { CHART_ROWS = 6, CHART_MARGIN = 12, CHART_MAX = 120 };

static void heading(const struct term *term, const char *text)
{
	printf("\n%s%s%s\n", term_style(term, TERM_BOLD), text, term_style(term, TERM_PLAIN));
}

static double percent_off(uint64_t model, uint64_t machine)
{
	return machine ? ((double)model - (double)machine) * 100.0 / (double)machine : 0.0;
}

struct replay_label replay_label(const struct replay_result *r)
{
	struct replay_label label;
	size_t used = (size_t)snprintf(label.text, sizeof(label.text), "%s", r->engine);

	for (unsigned i = 0; i < r->nr_settings && used < sizeof(label.text); i++)
		used += (size_t)snprintf(
			label.text + used, sizeof(label.text) - used, " %s=%" PRId64,
			qr_tunable_info(r->settings[i].tunable)->name, r->settings[i].value);
	return label;
}

/* Charts ----------------------------------------------------------------------------------- */

static uint64_t sample_free(const struct replay_sample *s)
{
	return s->free_pages;
}

static uint64_t sample_huge(const struct replay_sample *s)
{
	return s->free_2m;
}

/* The height of one column in eighths of a row. */
static unsigned column_height(uint64_t value, uint64_t low, uint64_t high)
{
	if (high == low)
		return CHART_ROWS * 4;
	return (unsigned)((value - low) * (CHART_ROWS * 8 - 1) / (high - low)) + 1;
}

static void chart_row(const struct term *term, const unsigned *heights, unsigned nr, unsigned row)
{
	/* an eighth of a cell, two, three, ... */
	static const char *const blocks[] = {
		" ", "▁", "▂", "▃", "▄", /* half */
		"▅", "▆", "▇", "█",
	};

	for (unsigned c = 0; c < nr; c++) {
		unsigned base = (CHART_ROWS - 1 - row) * 8;
		unsigned fill = heights[c] > base ? heights[c] - base : 0;

		if (fill > 8)
			fill = 8;
		fputs(term->utf8 ? blocks[fill] : fill > 4 ? "#" : fill ? "." : " ", stdout);
	}
	putchar('\n');
}

static void chart(const struct term *term, const struct replay_result *r, const char *title,
		  uint64_t (*of)(const struct replay_sample *s))
{
	unsigned heights[CHART_MAX],
		nr = term->width > CHART_MARGIN + 20 ? term->width - CHART_MARGIN : 60;
	uint64_t low = UINT64_MAX, high = 0;

	if (nr > CHART_MAX)
		nr = CHART_MAX;
	if (nr > r->nr_samples)
		nr = r->nr_samples;
	if (!nr)
		return;
	for (unsigned i = 0; i < r->nr_samples; i++) {
		uint64_t value = of(&r->samples[i]);

		low = value < low ? value : low;
		high = value > high ? value : high;
	}
	for (unsigned c = 0; c < nr; c++)
		heights[c] = column_height(
			of(&r->samples[c * (r->nr_samples - 1) / (nr > 1 ? nr - 1 : 1)]), low,
			high);
	heading(term, title);
	for (unsigned row = 0; row < CHART_ROWS; row++) {
		if (row == 0 || row == CHART_ROWS - 1)
			printf("%10" PRIu64 " ", row ? low : high);
		else
			printf("%11s", "");
		fputs(term_style(term, TERM_CYAN), stdout);
		chart_row(term, heights, nr, row);
		fputs(term_style(term, TERM_PLAIN), stdout);
	}
	printf("%11s0 s%*s%.1f s\n", "", (int)nr - 8 > 0 ? (int)nr - 8 : 1, "",
	       (double)(r->samples[r->nr_samples - 1].time_ns - r->samples[0].time_ns) / 1e9);
}

/* Tables ----------------------------------------------------------------------------------- */

static void summary(const struct replay_result *r, const struct term *term)
{
	printf("%sreplayed%s %s events in %.2f s (%s events a second) on engine %s\n",
	       term_style(term, TERM_BOLD), term_style(term, TERM_PLAIN),
	       text_grouped(r->nr_events).text, r->seconds,
	       text_rounded((double)r->nr_events / (r->seconds > 0 ? r->seconds : 1)).text,
	       replay_label(r).text);
	printf("  allocations %s, frees %s; the caches served %.1f %% of the allocations\n",
	       text_grouped(r->nr_kind[TRACE_ALLOC]).text,
	       text_grouped(r->nr_kind[TRACE_FREE]).text,
	       r->nr_kind[TRACE_ALLOC]
		       ? (double)r->stats.pcp_hits * 100.0 / (double)r->nr_kind[TRACE_ALLOC]
		       : 0.0);
	printf("  fallbacks %" PRIu64 " (%" PRIu64 " claimed a pageblock); recorded %" PRIu64
	       " (%" PRIu64 ")\n",
	       r->model_fallbacks, r->model_claims, r->machine_fallbacks, r->machine_claims);
	printf("  drained from caches: %s pages; recorded %s\n", text_grouped(r->model_drains).text,
	       text_grouped(r->machine_drains).text);
	printf("  slow path entered %" PRIu64 " times; zone locks taken %s times, waited for %s\n",
	       r->stats.slowpath, text_grouped(r->stats.zone_locks).text,
	       text_grouped(r->stats.zone_lock_contended).text);
	if (r->splits)
		printf("  %s blocks were freed in parts\n", text_grouped(r->splits).text);
}

static void end_table(const struct replay_machine *m, const struct replay_result *r,
		      const struct term *term)
{
	heading(term, "The end, beside the real machine's");
	printf("  %-28s %14s %14s %9s\n", "", "model", "machine", "off by");
	printf("  %-28s %14s %14s %8.2f%%\n", "free pages", text_grouped(r->free_pages.model).text,
	       m->has_after ? text_grouped(r->free_pages.machine).text : "unknown",
	       percent_off(r->free_pages.model, r->free_pages.machine));
	printf("  %-28s %14s %14s\n", "pages in per-CPU caches",
	       text_grouped(r->pcp_pages.model).text,
	       m->has_after ? text_grouped(r->pcp_pages.machine).text : "unknown");
	printf("  %-28s %14s %14s %8.2f%%\n", "free 2 MiB blocks",
	       text_grouped(r->free_2m.model).text,
	       m->has_after ? text_grouped(r->free_2m.machine).text : "unknown",
	       percent_off(r->free_2m.model, r->free_2m.machine));
	printf("  %-28s %14s %14s\n", "  of which at the start",
	       text_grouped(r->start_2m.model).text, text_grouped(r->start_2m.machine).text);
}

static void orders_table(const struct replay_result *r, const struct term *term)
{
	heading(term, "Free blocks per order (model / machine)");
	for (unsigned z = 0; z < r->nr_zones; z++) {
		const struct replay_zone_end *end = &r->zones[z];

		printf("  node %d %-8s", end->nid, qr_zone_type_name(end->type));
		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			printf(" %7u", o);
		printf("\n  %14s ", "model");
		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			printf(" %7" PRIu64, end->model_blocks[o]);
		printf("\n  %14s ", "machine");
		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			printf(" %7" PRIu64, end->machine_blocks[o]);
		printf("\n  fragmentation index %.3f, unusable index %.3f (order %u)\n",
		       end->fragindex / 1000.0, end->unusable / 1000.0, QR_PAGEBLOCK_ORDER);
	}
}

static void unplaced_table(const struct replay_result *r, const struct term *term)
{
	uint64_t all = 0;

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		all += r->unplaced[c];
	if (!all && !r->nr_lost)
		return;
	heading(term, "Events that could not be played as recorded");
	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++) {
		if (r->unplaced[c])
			printf("  %10s  %s\n", text_grouped(r->unplaced[c]).text,
			       replay_cause_text(c));
	}
	if (r->nr_lost)
		printf("  %10s  events that the recorder itself lost\n",
		       text_grouped(r->nr_lost).text);
}

/* What no replay can know, with the size of it in this trace. */
static void limits(const struct replay_machine *m, const struct replay_result *r,
		   const struct term *term)
{
	struct replay_limits l = replay_limits(m, r);

	heading(term, "What the trace cannot tell");
	printf("  pages in the machine's caches at the start: %s; the events betray where %s of "
	       "them were\n",
	       text_grouped(l.cached).text, text_grouped(l.cached_known).text);
	printf("  buddyinfo counted %s free pages at the start, kpageflags a moment later %s\n",
	       text_grouped(l.free_buddyinfo).text, text_grouped(l.free_kpageflags).text);
	if (l.no_room)
		printf("  of the pages in caches %s found no room in the model's, and start free\n",
		       text_grouped(l.no_room).text);
	printf("  of the pageblocks only the number of each type is recorded; which is which is "
	       "inferred\n");
	if (r->check)
		printf("  %sthe model broke an invariant%s: %s\n", term_style(term, TERM_RED),
		       term_style(term, TERM_PLAIN), r->check_why);
}

void replay_print(const struct replay_machine *m, const struct replay_result *r,
		  const struct term *term)
{
	summary(r, term);
	end_table(m, r, term);
	chart(term, r, "Free 2 MiB blocks over time", sample_huge);
	chart(term, r, "Free pages over time", sample_free);
	orders_table(r, term);
	unplaced_table(r, term);
	limits(m, r, term);
}

void replay_compare_print(const struct replay_result *results, unsigned nr, const struct term *term)
{
	heading(term, "Side by side");
	printf("  %-44s %11s %11s %10s %9s %9s\n", "", "free 2 MiB", "free pages", "fallbacks",
	       "cache hit", "events/s");
	for (unsigned i = 0; i < nr; i++) {
		const struct replay_result *r = &results[i];

		printf("  %-44s %11s %11s %10" PRIu64 " %8.1f%% %9s\n", replay_label(r).text,
		       text_grouped(r->free_2m.model).text, text_grouped(r->free_pages.model).text,
		       r->model_fallbacks,
		       r->nr_kind[TRACE_ALLOC]
			       ? (double)r->stats.pcp_hits * 100.0 / (double)r->nr_kind[TRACE_ALLOC]
			       : 0.0,
		       text_rounded((double)r->nr_events / (r->seconds > 0 ? r->seconds : 1)).text);
	}
	if (nr && results[0].free_2m.machine)
		printf("  %-44s %11s %11s\n", "the machine itself",
		       text_grouped(results[0].free_2m.machine).text,
		       text_grouped(results[0].free_pages.machine).text);
}
