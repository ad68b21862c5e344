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

	snprintf(label.text, sizeof(label.text), "%s", r->label[0] ? r->label : r->engine);
	return label;
}

uint64_t replay_least_2m(const struct replay_result *r)
{
	uint64_t least = r->start_2m.model;

	for (unsigned i = 0; i < r->nr_samples; i++)
		least = r->samples[i].free_2m < least ? r->samples[i].free_2m : least;
	return least;
}

double replay_hit_rate(const struct replay_result *r)
{
	return r->nr_kind[TRACE_ALLOC] ? (double)r->stats.pcp_hits / (double)r->nr_kind[TRACE_ALLOC]
				       : 0.0;
}

double replay_speed(const struct replay_result *r)
{
	return r->seconds > 0 ? (double)r->nr_events / r->seconds : 0.0;
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
	if (nr < 2)
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

static void summary(const struct replay_machine *m, const struct replay_result *r,
		    const struct term *term)
{
	printf("%sreplayed%s %s events in %.2f s (%s events a second) on engine %s\n",
	       term_style(term, TERM_BOLD), term_style(term, TERM_PLAIN),
	       text_grouped(r->nr_events).text, r->seconds, text_rounded(replay_speed(r)).text,
	       r->engine);
	for (unsigned i = 0; i < r->nr_settings; i++)
		printf("  %s = %" PRId64 "\n", qr_tunable_info(r->settings[i].tunable)->name,
		       r->settings[i].value);
	if (r->interrupted)
		printf("  %sinterrupted%s: only %s of %s events were played; what the machine has\n"
		       "  below is from its end\n",
		       term_style(term, TERM_RED), term_style(term, TERM_PLAIN),
		       text_grouped(r->nr_events).text,
		       text_grouped(m->trace->totals.nr_events).text);
	printf("  allocations %s, frees %s; caches served %.1f %% of allocations\n",
	       text_grouped(r->nr_kind[TRACE_ALLOC]).text,
	       text_grouped(r->nr_kind[TRACE_FREE]).text, replay_hit_rate(r) * 100.0);
	printf("  fallbacks %" PRIu64 " (%" PRIu64 " claimed a pageblock); recorded %" PRIu64
	       " (%" PRIu64 ")\n",
	       r->model_fallbacks, r->model_claims, r->machine_fallbacks, r->machine_claims);
	printf("  drained from caches: %s pages; recorded %s\n", text_grouped(r->model_drains).text,
	       text_grouped(r->machine_drains).text);
	printf("  slow path entered %s times; zone locks taken %s times\n",
	       text_grouped(r->stats.slowpath).text, text_grouped(r->stats.zone_locks).text);
	if (r->splits)
		printf("  %s blocks were freed in parts\n", text_grouped(r->splits).text);
}

static void end_row(const char *name, uint64_t model, uint64_t machine, bool known, bool percent)
{
	printf("  %-28s %14s %14s", name, text_grouped(model).text,
	       known ? text_grouped(machine).text : "unknown");
	if (known && percent)
		printf(" %8.2f%%", percent_off(model, machine));
	putchar('\n');
}

static void end_table(const struct replay_machine *m, const struct replay_result *r,
		      const struct term *term)
{
	heading(term, "The end, beside the real machine's");
	printf("  %-28s %14s %14s %9s\n", "", "model", "machine", "off by");
	end_row("free pages", r->free_pages.model, r->free_pages.machine, m->has_after, true);
	end_row("pages in per-CPU caches", r->pcp_pages.model, r->pcp_pages.machine, m->has_after,
		false);
	end_row("free 2 MiB blocks", r->free_2m.model, r->free_2m.machine, m->has_after, true);
	end_row("  of which at the start", r->start_2m.model, r->start_2m.machine, true, false);
}

static void books_row(int64_t pages, const char *text)
{
	uint64_t size = pages < 0 ? (uint64_t)-pages : (uint64_t)pages;

	if (pages)
		printf("  %c%13s  %s\n", pages < 0 ? '-' : '+', text_grouped(size).text, text);
}

/* Why the model ends with another number of free pages than the machine; books.c explains. */
static void books_table(const struct replay_machine *m, const struct replay_result *r,
			const struct term *term)
{
	const struct replay_books *b = &r->books;

	if (!m->has_after || r->interrupted)
		return;
	heading(term, "The books: free pages of the model, less those of the machine");
	books_row(b->difference, "at the end, because");
	books_row(b->waiting, "wait in the machine's caches, but not in the model's");
	books_row(b->unfound, "were in the machine's caches at the start, nobody knows where");
	books_row(b->between, "came and went while the machine's state was read");
	books_row(b->unplaced, "hang on events that could not be played as recorded");
	books_row(b->outside, "came or went where no event tells, by /proc/vmstat");
	books_row(b->rest, b->outside_known ? "are not explained"
					    : "are not explained; there is no /proc/vmstat");
	if (r->recorder_pages)
		printf("  The recorder's buffers, %s pages, were held while the events ran.\n",
		       text_grouped(r->recorder_pages).text);
	if (r->outside_pages)
		printf("  After them %s pages were taken that no event tells of (/proc/vmstat),\n"
		       "  %s of them in large blocks (kpageflags).\n",
		       text_grouped(r->outside_pages).text, text_grouped(r->outside_large).text);
}

/* A table with a column for each order; a column is as wide as its longest number. */
struct order_table {
	int width[REPLAY_ORDERS];
};

static void order_fit(struct order_table *table, const uint64_t *numbers)
{
	for (unsigned o = 0; o < REPLAY_ORDERS; o++) {
		int digits = snprintf(NULL, 0, "%" PRIu64, numbers[o]);

		if (table->width[o] < digits)
			table->width[o] = digits;
		if (table->width[o] < 4)
			table->width[o] = 4;
	}
}

static void order_row(const struct order_table *table, const char *name, const uint64_t *numbers)
{
	printf("  %-12s", name);
	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		printf(" %*" PRIu64, table->width[o], numbers ? numbers[o] : (uint64_t)o);
	putchar('\n');
}

static void zone_orders(const struct replay_machine *m, const struct replay_zone_end *end,
			const struct order_table *table)
{
	char name[32];

	snprintf(name, sizeof(name), "%d %s", end->nid, qr_zone_type_name(end->type));
	order_row(table, name, NULL);
	order_row(table, "  model", end->model_blocks);
	if (m->has_after)
		order_row(table, "  machine", end->machine_blocks);
	if (m->has_frames_after &&
	    memcmp(end->frames_blocks, end->machine_blocks, sizeof(end->frames_blocks)) != 0)
		order_row(table, "  kpageflags", end->frames_blocks);
	printf("    fragmentation index %.3f, unusable index %.3f, of order %u in the model\n",
	       end->fragindex / 1000.0, end->unusable / 1000.0, QR_PAGEBLOCK_ORDER);
}

static void orders_table(const struct replay_machine *m, const struct replay_result *r,
			 const struct term *term)
{
	struct order_table table = {{0}};

	heading(term, "Free blocks at the end, by node, zone and order");
	for (unsigned z = 0; z < r->nr_zones; z++) {
		order_fit(&table, r->zones[z].model_blocks);
		order_fit(&table, r->zones[z].machine_blocks);
		order_fit(&table, r->zones[z].frames_blocks);
	}
	for (unsigned z = 0; z < r->nr_zones; z++)
		zone_orders(m, &r->zones[z], &table);
}

/* One type's blocks over the orders; false: there were none. */
static bool blocks_of_type(const uint64_t blocks[REPLAY_ORDERS][QR_MIGRATE_TYPES], unsigned type,
			   uint64_t numbers[REPLAY_ORDERS])
{
	uint64_t all = 0;

	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		all += numbers[o] = blocks[o][type];
	return all != 0;
}

static void traffic_rows(const struct order_table *table, const char *before,
			 const uint64_t blocks[REPLAY_ORDERS][QR_MIGRATE_TYPES])
{
	uint64_t numbers[REPLAY_ORDERS];
	char name[32];

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		snprintf(name, sizeof(name), "%s%s", before,
			 qr_migratetype_name((enum qr_migratetype)t));
		if (blocks_of_type(blocks, t, numbers))
			order_row(table, name, numbers);
	}
}

static void traffic_zones(const char *what, const uint64_t pages[QR_NR_ZONES])
{
	bool any = false;

	printf("  pages %s:", what);
	for (unsigned t = 0; t < QR_NR_ZONES; t++) {
		if (pages[t])
			printf(" %s %s", qr_zone_type_name((enum qr_zone_type)t),
			       text_grouped(pages[t]).text);
		any = any || pages[t];
	}
	puts(any ? "" : " none");
}

static void traffic_table(const struct replay_result *r, const struct term *term)
{
	uint64_t numbers[REPLAY_ORDERS];
	struct order_table table = {{0}};

	heading(term,
		"Allocations by migratetype, and frees by that of their pageblocks, by order");
	order_fit(&table, r->frees);
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		blocks_of_type(r->allocs, t, numbers);
		order_fit(&table, numbers);
		blocks_of_type(r->freed, t, numbers);
		order_fit(&table, numbers);
	}
	order_row(&table, "", NULL);
	traffic_rows(&table, "", r->allocs);
	order_row(&table, "frees", r->frees);
	traffic_rows(&table, " ", r->freed);
	traffic_zones("taken from zones", r->zone_allocs);
	traffic_zones("given back to zones", r->zone_frees);
}

/* How often zones were too full for a request, and what was done about it. */
static void watermark_table(const struct replay_result *r, const struct term *term)
{
	const uint64_t *failed = r->stats.wmark_failed;

	if (!r->stats.slowpath && !failed[QR_WMARK_MIN] && !failed[QR_WMARK_LOW] &&
	    !failed[QR_WMARK_HIGH])
		return;
	heading(term, "Watermarks");
	printf("  zones passed over: below high %s, below low %s, below min %s times\n",
	       text_grouped(failed[QR_WMARK_HIGH]).text, text_grouped(failed[QR_WMARK_LOW]).text,
	       text_grouped(failed[QR_WMARK_MIN]).text);
	for (unsigned s = 0; s < QR_NR_SLOW_STAGES; s++) {
		if (r->stages[s])
			printf("  slow path, %-20s %s\n",
			       qr_slowpath_stage_name((enum qr_slowpath_stage)s),
			       text_grouped(r->stages[s]).text);
	}
}

static void odd_row(uint64_t nr, const char *what)
{
	if (nr)
		printf("  %10s  %s\n", text_grouped(nr).text, what);
}

static void unplaced_row(const struct replay_result *r, enum replay_cause cause)
{
	const struct replay_place *first = &r->first_unplaced[cause];
	int64_t since = (int64_t)(first->time_ns - r->samples[0].time_ns);

	if (!r->unplaced[cause])
		return;
	odd_row(r->unplaced[cause], replay_cause_text(cause));
	printf("  %10s    the first: event %s, at %.3f s, frame %#" PRIx64 "\n", "",
	       text_grouped(first->event).text, (double)since / 1e9, first->pfn);
}

static void unplaced_table(const struct replay_result *r, const struct term *term)
{
	uint64_t all = r->nr_lost + r->nr_backward + r->nr_unknown_cpus;

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		all += r->unplaced[c];
	if (!all)
		return;
	heading(term, "Events that could not be played as recorded");
	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		unplaced_row(r, (enum replay_cause)c);
	odd_row(r->nr_lost, "events that the recorder itself lost");
	odd_row(r->nr_backward, "events earlier than one in front of them: the clock stood still");
	odd_row(r->nr_unknown_cpus, "events of CPUs that zoneinfo lacks, played on those it has");
}

/* What no replay can know, with the size of it in this trace. */
static void limits(const struct replay_machine *m, const struct replay_result *r,
		   const struct term *term)
{
	struct replay_limits l = replay_limits(m, r);

	heading(term, "What the trace cannot tell");
	printf("  where the pages in caches were at the start: of %s, events betray %s,\n"
	       "    for %s more a likely place was found\n",
	       text_grouped(l.cached).text, text_grouped(l.cached_known).text,
	       text_grouped(l.cached_guessed).text);
	printf("  what happened between the files of a snapshot: buddyinfo counted\n"
	       "    %s free pages at the start, kpageflags a moment later %s\n",
	       text_grouped(l.free_buddyinfo).text, text_grouped(l.free_kpageflags).text);
	if (l.no_room)
		printf("  of the pages in caches %s found no room in the model's, and start free\n",
		       text_grouped(l.no_room).text);
	if (l.cached_beyond)
		printf("  which of state and events is wrong: %s pages more came\n"
		       "    out of caches than zoneinfo counted in them\n",
		       text_grouped(l.cached_beyond).text);
	printf("  which pageblock is of which type: %s\n",
	       l.types_counted ? "only the number of each is recorded,\n    the rest is inferred"
			       : "pagetypeinfo does not even tell how many\n"
				 "    there are of each, all is inferred");
	if (l.against)
		printf("    (for %s of them against what is in them)\n",
		       text_grouped(l.against).text);
	printf("  in which order the free lists were: %s of the allocations\n"
	       "    got another frame than on the machine\n",
	       text_grouped(r->frames_differ).text);
	if (l.passing)
		printf("  when %s pages came and went that no event tells of: what is in\n"
		       "    caches at the end hangs on it, and so do blocks that lack such pages\n",
		       text_grouped(l.passing).text);
	if (l.other_engine)
		printf("  what the machine would have had with engine %s: these are the requests\n"
		       "    it made of its own; %s is the engine that can be held against it\n",
		       r->engine, REPLAY_ENGINE);
	if (r->check)
		printf("  %sthe model broke an invariant%s: %s\n", term_style(term, TERM_RED),
		       term_style(term, TERM_PLAIN), r->check_why);
}

void replay_print(const struct replay_machine *m, const struct replay_result *r,
		  const struct term *term)
{
	summary(m, r, term);
	end_table(m, r, term);
	books_table(m, r, term);
	chart(term, r, "Free 2 MiB blocks over time", sample_huge);
	chart(term, r, "Free pages over time", sample_free);
	orders_table(m, r, term);
	traffic_table(r, term);
	watermark_table(r, term);
	unplaced_table(r, term);
	limits(m, r, term);
}
