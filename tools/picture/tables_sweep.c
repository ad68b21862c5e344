/* SPDX-License-Identifier: MIT */
/*
 * picture/tables_sweep.c - a sweep in numbers, and in a sentence
 */
#include "../replay_report.h"
#include "measures.h"
#include "page.h"
#include "table.h"

static struct label value_name(const struct picture *p, unsigned value)
{
	struct label label;

	if (!value)
		snprintf(label.text, sizeof(label.text), "as recorded");
	else
		snprintf(label.text, sizeof(label.text), "%lld",
			 (long long)p->sweep->values[value - 1]);
	return label;
}

static void put_row(FILE *out, const struct picture *p, unsigned engine, unsigned value)
{
	fputs(value ? "<tr>" : "<tr class=\"detail\">", out);
	put_head(out, value_name(p, value).text);
	for (unsigned i = 0; i < nr_sweep_measures; i++)
		put_cell(out, measure_text(&sweep_measures[i],
					   sweep_measures[i].of(sweep_result(p, engine, value)))
				      .text);
	fputs("</tr>\n", out);
}

static void put_machine_row(FILE *out, const struct picture *p)
{
	double value;

	fputs("<tr class=\"sum\">", out);
	put_head(out, "the machine itself");
	for (unsigned i = 0; i < nr_sweep_measures; i++) {
		if (measure_of_machine(&sweep_measures[i], p, &value))
			put_cell(out, measure_text(&sweep_measures[i], value).text);
		else
			put_unknown(out);
	}
	fputs("</tr>\n", out);
}

void put_sweep_table(FILE *out, const struct picture *p)
{
	for (unsigned e = 0; e < p->sweep->nr_engines; e++) {
		char caption[40];

		snprintf(caption, sizeof(caption), "engine %.16s", sweep_result(p, e, 0)->engine);
		table_begin(out, "swept", caption);
		fputs("<thead><tr><th scope=\"col\">", out);
		put_text(out, p->sweep->tunable);
		fputs("</th>", out);
		for (unsigned i = 0; i < nr_sweep_measures; i++) {
			fputs("<th scope=\"col\">", out);
			put_text(out, measure_title(&sweep_measures[i]).text);
			fputs("</th>", out);
		}
		fputs("</tr></thead><tbody>\n", out);
		for (unsigned v = 0; v <= p->sweep->nr_values; v++)
			put_row(out, p, e, v);
		put_machine_row(out, p);
		table_end(out);
	}
}

/* The answer --------------------------------------------------------------------------------- */

/* The first of the values with the fewest, and with the most free pageblocks. */
static void extremes(const struct picture *p, unsigned engine, unsigned *fewest, unsigned *most)
{
	*fewest = *most = 1;
	for (unsigned v = 2; v <= p->sweep->nr_values; v++) {
		uint64_t nr = sweep_result(p, engine, v)->free_2m.model;

		if (nr < sweep_result(p, engine, *fewest)->free_2m.model)
			*fewest = v;
		if (nr > sweep_result(p, engine, *most)->free_2m.model)
			*most = v;
	}
}

static void put_number_of(FILE *out, const struct picture *p, unsigned engine, unsigned value)
{
	fprintf(out, "<b>%s</b> (",
		text_grouped(sweep_result(p, engine, value)->free_2m.model).text);
	put_text(out, value_name(p, value).text);
	fputc(')', out);
}

static void put_engine_answer(FILE *out, const struct picture *p, unsigned engine)
{
	unsigned fewest, most;

	extremes(p, engine, &fewest, &most);
	fputs(engine ? " With <i>" : " The model has, with <i>", out);
	put_text(out, sweep_result(p, engine, 0)->engine);
	fputs(engine ? "</i>: " : "</i>, ", out);
	put_number_of(out, p, engine, 0);
	if (sweep_result(p, engine, fewest)->free_2m.model ==
	    sweep_result(p, engine, most)->free_2m.model) {
		fprintf(out, ", and <b>%s</b> with every value.",
			text_grouped(sweep_result(p, engine, most)->free_2m.model).text);
		return;
	}
	fputs(", between ", out);
	put_number_of(out, p, engine, fewest);
	fputs(" and ", out);
	put_number_of(out, p, engine, most);
	fputs(" over the values.", out);
}

void put_sweep_answer(FILE *out, const struct picture *p)
{
	const struct replay_result *first = &p->runs[0];

	if (p->machine->has_after)
		fprintf(out,
			"At the end the machine had <b>%s</b> free %s blocks, of %s at the "
			"start.",
			text_grouped(first->free_2m.machine).text, label_pageblock().text,
			text_grouped(first->start_2m.machine).text);
	else
		fprintf(out,
			"This is about free %s blocks at the end; at the start there were "
			"<b>%s</b>.",
			label_pageblock().text, text_grouped(first->start_2m.machine).text);
	for (unsigned e = 0; e < p->sweep->nr_engines; e++)
		put_engine_answer(out, p, e);
}
