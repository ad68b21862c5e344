/* SPDX-License-Identifier: MIT */
/*
 * picture/figure_sweep.c - what a tunable does: measures over its values, a curve for each engine
 *
 * The values stand one step apart, whatever lies between them: ranges are mostly made by a factor,
 * and lists have an order of their own.
 */
#include <math.h>
#include <stdlib.h>

#include "../replay_report.h"
#include "figure.h"
#include "measures.h"

enum {
	MARGIN_LEFT = 66,
	MARGIN_RIGHT = 76,
	MARGIN_TOP = 26,
	MARGIN_BOTTOM = 40,
	GAP = 22, /* between panels */
	MOST_POINTS = 64, /* more of them would touch */
};

/* One panel under way. */
struct panel {
	const struct drawing *d;
	const struct sweep_measure *m;
	struct box plot;
	struct scale values;
};

static const char *engine_class(char class[24], const char *what, unsigned engine)
{
	snprintf(class, 24, "%s r%u", what, engine);
	return class;
}

static double legend(const struct drawing *d)
{
	struct legend l = legend_begin(d, 0);
	char class[24], name[64];

	for (unsigned e = 0; e < d->p->sweep->nr_engines; e++) {
		snprintf(name, sizeof(name), "%.40s", sweep_result(d->p, e, 0)->engine);
		legend_entry(&l, name);
		put_line(d, engine_class(class, "curve", e), l.x, l.y, l.x + LEGEND_SAMPLE, l.y);
		legend_name(&l, name);
		snprintf(name, sizeof(name), "%.40s as recorded", sweep_result(d->p, e, 0)->engine);
		legend_entry(&l, name);
		put_line(d, engine_class(class, "recorded", e), l.x, l.y, l.x + LEGEND_SAMPLE, l.y);
		legend_name(&l, name);
	}
	if (d->p->machine->has_after) {
		legend_entry(&l, "the machine itself");
		put_diamond(d, l.x + LEGEND_SAMPLE / 2.0, l.y);
		legend_name(&l, "the machine itself");
	}
	return legend_end(&l);
}

/* Scales ------------------------------------------------------------------------------------- */

static struct scale panel_scale(const struct drawing *d, const struct sweep_measure *m)
{
	const struct picture_sweep *sweep = d->p->sweep;
	double low = INFINITY, high = -INFINITY, machine;
	struct unit unit = {1, m->kind == MEASURE_SHARE ? " %" : ""};

	for (unsigned e = 0; e < sweep->nr_engines; e++) {
		for (unsigned v = 0; v <= sweep->nr_values; v++) {
			double value = m->of(sweep_result(d->p, e, v));

			low = fmin(low, value);
			high = fmax(high, value);
		}
	}
	if (measure_of_machine(m, d->p, &machine))
		low = fmin(low, machine), high = fmax(high, machine);
	if (m->kind == MEASURE_PAGES)
		unit = unit_bytes(fmax(high, 1 << 20));
	return scale_round(low, high, unit, d->narrow ? 4 : 5, m->kind == MEASURE_COUNT);
}

static double place_across(const struct panel *panel, unsigned value)
{
	unsigned nr = panel->d->p->sweep->nr_values;

	return panel->plot.x + (nr > 1 ? value * panel->plot.width / (nr - 1) : 0);
}

static double place_up(const struct panel *panel, double value)
{
	return scale_place(&panel->values, value, panel->plot.y + panel->plot.height,
			   panel->plot.y);
}

/* As many values below the axis as can be read, the first among them. */
static void axis_tunable(const struct panel *panel)
{
	const struct picture_sweep *sweep = panel->d->p->sweep;
	double bottom = panel->plot.y + panel->plot.height;
	unsigned longest = 1, each = 1;
	char text[24];

	for (unsigned v = 0; v < sweep->nr_values; v++) {
		unsigned length =
			(unsigned)snprintf(text, sizeof(text), "%lld", (long long)sweep->values[v]);

		longest = length > longest ? length : longest;
	}
	while (sweep->nr_values > 1 &&
	       each * panel->plot.width / (sweep->nr_values - 1) < longest * 7.0 + 12)
		each++;
	put_line(panel->d, "axis", panel->plot.x, bottom, panel->plot.x + panel->plot.width,
		 bottom);
	for (unsigned v = 0; v < sweep->nr_values; v += each) {
		double x = place_across(panel, v);

		snprintf(text, sizeof(text), "%lld", (long long)sweep->values[v]);
		put_line(panel->d, "axis", x, bottom, x, bottom + 4);
		put_label(panel->d, x, bottom + 18, "tick", "middle", text);
	}
}

/* Curves ------------------------------------------------------------------------------------- */

static void put_point(const struct drawing *d, unsigned engine, double x, double y)
{
	fprintf(d->out, "<path class=\"p%u\" d=\"M", engine);
	put_number(d->out, x - 3);
	fputc(' ', d->out);
	put_number(d->out, y);
	fputs("a3 3 0 1 0 6 0a3 3 0 1 0-6 0z\"/>\n", d->out);
}

static void draw_engine(const struct panel *panel, unsigned engine)
{
	const struct drawing *d = panel->d;
	const struct picture_sweep *sweep = d->p->sweep;
	double recorded = place_up(panel, panel->m->of(sweep_result(d->p, engine, 0)));
	struct path path = {.out = d->out};
	char class[24];

	put_line(d, engine_class(class, "recorded", engine), panel->plot.x, recorded,
		 panel->plot.x + panel->plot.width, recorded);
	fprintf(d->out, "<path class=\"%s\" d=\"", engine_class(class, "curve", engine));
	for (unsigned v = 0; v < sweep->nr_values; v++)
		path_to(&path, place_across(panel, v),
			place_up(panel, panel->m->of(sweep_result(d->p, engine, v + 1))));
	fputs("\"/>\n", d->out);
	for (unsigned v = 0; v < sweep->nr_values && sweep->nr_values <= MOST_POINTS; v++)
		put_point(d, engine, place_across(panel, v),
			  place_up(panel, panel->m->of(sweep_result(d->p, engine, v + 1))));
}

static void draw_machine(const struct panel *panel)
{
	double x = panel->plot.x + panel->plot.width, value;

	if (!measure_of_machine(panel->m, panel->d->p, &value))
		return;
	put_diamond(panel->d, x, place_up(panel, value));
	put_label(panel->d, x + 11, place_up(panel, value) + 4, "end own", "start",
		  measure_text(panel->m, value).text);
}

/* Where the page's script finds the values under the pointer. */
static void put_hit(const struct panel *panel)
{
	unsigned nr = panel->d->p->sweep->nr_values;

	fprintf(panel->d->out,
		"<g class=\"plot\" data-sweep=\"\" data-kind=\"%s\" data-low=\"%.10g\" "
		"data-high=\"%.10g\" data-span=\"%u\">",
		panel->m->name, panel->values.low, panel->values.high, nr > 1 ? nr - 1 : 1);
	put_box(panel->d, "hit", &panel->plot);
	fputs("</g>\n", panel->d->out);
}

/* The height of the panel, its axis below included. */
static double draw_panel(const struct drawing *d, const struct sweep_measure *m,
			 const struct box *plot, const char *class)
{
	struct panel panel = {d, m, *plot, panel_scale(d, m)};
	bool zero = panel.values.low <= 0;
	char name[100];

	snprintf(name, sizeof(name), "%s%s", measure_title(m).text, zero ? "" : ", not from zero");
	put_label(d, plot->x - MARGIN_LEFT, plot->y - 14, class, "start", name);
	axis_values(d, plot, &panel.values);
	axis_tunable(&panel);
	for (unsigned e = 0; e < d->p->sweep->nr_engines; e++)
		draw_engine(&panel, e);
	draw_machine(&panel);
	put_hit(&panel);
	return MARGIN_TOP + plot->height + MARGIN_BOTTOM;
}

static void put_tunable(const struct drawing *d, double x, double y)
{
	put_label(d, x, y, "axis-name", "end", d->p->sweep->tunable);
}

/* The figures -------------------------------------------------------------------------------- */

double draw_sweep_huge(const struct drawing *d)
{
	struct box plot = {MARGIN_LEFT, legend(d) + 10 + MARGIN_TOP,
			   d->width - MARGIN_LEFT - MARGIN_RIGHT, d->narrow ? 220 : 290};
	double bottom = plot.y - MARGIN_TOP;

	bottom += draw_panel(d, &sweep_measures[0], &plot, "axis-name");
	put_tunable(d, plot.x + plot.width, bottom - 6);
	return bottom;
}

/* All other measures: two panels beside each other where there is room. */
double draw_sweep_others(const struct drawing *d)
{
	unsigned columns = d->narrow ? 1 : 2;
	double width = (d->width - (columns - 1) * GAP) / columns, top = legend(d) + 10;
	double height = 0;

	for (unsigned i = 1; i < nr_sweep_measures; i++) {
		unsigned column = (i - 1) % columns;
		struct box plot = {column * (width + GAP) + MARGIN_LEFT, top + MARGIN_TOP,
				   width - MARGIN_LEFT - MARGIN_RIGHT, 120};

		height = draw_panel(d, &sweep_measures[i], &plot, "panel");
		put_tunable(d, plot.x + plot.width, top + height - 6);
		if (column == columns - 1 || i == nr_sweep_measures - 1)
			top += height + 8;
	}
	return top;
}
