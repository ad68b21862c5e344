/* SPDX-License-Identifier: MIT */
/*
 * replay_compare.c - several replays side by side, on the terminal
 *
 * The numbers of a replay fill a line of 80 columns.  Its name stands in front of them where the
 * terminal is wide enough for all names, and on a line of its own where it is not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay_report.h"
#include "text.h"

enum { NUMBERS_WIDTH = 78 };

struct table {
	const struct term *term;
	int indent; /* of the numbers: room for names; 0: names have lines of their own */
};

static struct table table_for(const struct replay_result *results, unsigned nr,
			      const struct term *term)
{
	struct table table = {.term = term};
	size_t longest = strlen("the machine itself");

	for (unsigned i = 0; i < nr; i++) {
		size_t length = strlen(replay_label(&results[i]).text);

		longest = length > longest ? length : longest;
	}
	if (longest + 2 + NUMBERS_WIDTH <= term->width)
		table.indent = (int)longest + 2;
	return table;
}

static void row_name(const struct table *table, const char *name)
{
	printf("  %s%-*s%s%s", term_style(table->term, TERM_BOLD),
	       table->indent ? table->indent - 2 : 0, name, term_style(table->term, TERM_PLAIN),
	       table->indent ? "" : "\n");
}

static void head(const struct table *table)
{
	printf("%*s%9s %7s %11s %7s %7s %9s %7s %7s %6s\n", table->indent, "", "free", "at the",
	       "free", "fall-", "cache", "zone", "slow", "events", "off");
	printf("%*s%9s %7s %11s %7s %7s %9s %7s %7s %6s\n", table->indent, "", "2 MiB", "least",
	       "pages", "backs", "hits", "locks", "path", "a s", "by");
}

static void off_by(const struct replay_machine *m, const struct replay_result *r)
{
	double model = (double)r->free_2m.model, machine = (double)r->free_2m.machine;

	if (m->has_after && machine > 0)
		printf(" %+5.1f%%\n", (model - machine) * 100.0 / machine);
	else
		printf(" %6s\n", "?");
}

static void row(const struct table *table, const struct replay_machine *m,
		const struct replay_result *r)
{
	row_name(table, replay_label(r).text);
	printf("%9s %7s %11s %7s %6.1f%% %9s %7s %7s", text_grouped(r->free_2m.model).text,
	       text_grouped(replay_least_2m(r)).text, text_grouped(r->free_pages.model).text,
	       text_grouped(r->model_fallbacks).text, replay_hit_rate(r) * 100.0,
	       text_grouped(r->stats.zone_locks).text, text_grouped(r->stats.slowpath).text,
	       text_rounded(replay_speed(r)).text);
	off_by(m, r);
}

void replay_compare_print(const struct replay_machine *m, const struct replay_result *results,
			  unsigned nr, const struct term *term)
{
	struct table table = table_for(results, nr, term);

	printf("\n%sSide by side%s\n", term_style(term, TERM_BOLD), term_style(term, TERM_PLAIN));
	head(&table);
	for (unsigned i = 0; i < nr; i++)
		row(&table, m, &results[i]);
	if (!m->has_after)
		return;
	row_name(&table, "the machine itself");
	printf("%9s %7s %11s %7s\n", text_grouped(results[0].free_2m.machine).text, "",
	       text_grouped(results[0].free_pages.machine).text,
	       text_grouped(results[0].machine_fallbacks).text);
}
