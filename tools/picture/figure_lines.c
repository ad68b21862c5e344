/* SPDX-License-Identifier: MIT */
/*
 * picture/figure_lines.c - one number over time: a curve for each replay, the machine at both ends
 *
 * The machine's own course is not recorded, only where it began and ended: two diamonds, and no
 * line between them.  The first replay is a broad band, so that others that run the same way can
 * be seen on top of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../replay_report.h"
#include "../text.h"
#include "figure.h"
#include "palette.h"

struct measure {
	const char *name; /* how the page's script calls it */
	double (*of)(const struct replay_sample *s);
	bool memory; /* counted in pages, shown in bytes */
	double each; /* what one of them is on the scale: its bytes, or 1 */
	bool has_start, has_end;
	double start, end; /* the machine's */
};

enum { MARGIN_LEFT = 66, MARGIN_RIGHT = 76, MARGIN_TOP = 18, MARGIN_BOTTOM = 40 };

static struct box plot_box(const struct drawing *d, double y)
{
	return (struct box){
		.x = MARGIN_LEFT,
		.y = y + MARGIN_TOP,
		.width = d->width - MARGIN_LEFT - MARGIN_RIGHT,
		.height = d->narrow ? 220 : 290,
	};
}

static const char *run_class(char class[24], const char *what, unsigned n)
{
	snprintf(class, 24, "%s r%u%s", what, n % PALETTE_RUNS, n >= PALETTE_RUNS ? " again" : "");
	return class;
}

static double lines_legend(const struct drawing *d, const struct measure *m)
{
	struct legend l = legend_begin(d, 0);
	char class[24];

	for (unsigned n = 0; n < d->p->nr_runs; n++) {
		struct replay_label label = replay_label(&d->p->runs[n]);
		struct label name = label_cut(label.text, d->narrow ? 40 : 58);

		legend_entry(&l, name.text);
		put_line(d, run_class(class, n ? "curve" : "curve base", n), l.x, l.y,
			 l.x + LEGEND_SAMPLE, l.y);
		legend_name(&l, name.text);
	}
	if (m->has_start || m->has_end) {
		legend_entry(&l, "the machine itself");
		put_diamond(d, l.x + LEGEND_SAMPLE / 2.0, l.y);
		legend_name(&l, "the machine itself");
	}
	return legend_end(&l);
}

static struct scale lines_scale(const struct drawing *d, const struct measure *m)
{
	double low = INFINITY, high = -INFINITY;
	struct unit one = {1, ""};

	for (unsigned n = 0; n < d->p->nr_runs; n++) {
		for (unsigned i = 0; i < d->p->runs[n].nr_samples; i++) {
			double value = m->of(&d->p->runs[n].samples[i]);

			low = fmin(low, value);
			high = fmax(high, value);
		}
	}
	if (m->has_start)
		low = fmin(low, m->start), high = fmax(high, m->start);
	if (m->has_end)
		low = fmin(low, m->end), high = fmax(high, m->end);
	if (!(low <= high))
		low = high = 0;
	if (!m->memory)
		return scale_round(low, high, one, 5, true);
	return scale_round(low * m->each, high * m->each, unit_bytes(fmax(high * m->each, 1 << 20)),
			   5, false);
}

static double value_place(const struct measure *m, const struct scale *s, const struct box *plot,
			  double value)
{
	return scale_place(s, value * m->each, plot->y + plot->height, plot->y);
}

static void draw_curve(const struct drawing *d, const struct measure *m, unsigned n,
		       const struct box *plot, const struct scale *values, const struct scale *time)
{
	const struct replay_result *r = &d->p->runs[n];
	double *seconds = series_seconds(d->p, r);
	struct path path = {.out = d->out};
	char class[24];

	if (!seconds || !r->nr_samples) {
		free(seconds);
		return;
	}
	fprintf(d->out, "<path class=\"%s\" d=\"", run_class(class, n ? "curve" : "curve base", n));
	for (unsigned i = 0; i < r->nr_samples; i++)
		path_to(&path, scale_place(time, seconds[i], plot->x, plot->x + plot->width),
			value_place(m, values, plot, m->of(&r->samples[i])));
	fputs("\"/>\n", d->out);
	free(seconds);
}

/* Where each curve ends, in numbers, moved apart until they can be read ---------------------- */

struct end_label {
	double y;
	bool machine;
	struct label label;
};

static int by_y(const void *a, const void *b)
{
	double left = ((const struct end_label *)a)->y, right = ((const struct end_label *)b)->y;

	return (left > right) - (left < right);
}

static void end_label_add(struct end_label *ends, unsigned *nr, const struct measure *m, double y,
			  double value, bool machine)
{
	struct end_label *end = &ends[*nr];

	if (m->memory)
		end->label = label_bytes(value * m->each);
	else
		snprintf(end->label.text, sizeof(end->label.text), "%s",
			 text_grouped((uint64_t)value).text);
	end->y = y;
	end->machine = machine;
	for (unsigned i = 0; i < *nr; i++) {
		if (strcmp(ends[i].label.text, end->label.text) == 0 && ends[i].machine == machine)
			return; /* said already */
	}
	++*nr;
}

static void end_labels_put(const struct drawing *d, struct end_label *ends, unsigned nr,
			   const struct box *plot)
{
	enum { APART = 14 };

	qsort(ends, nr, sizeof(*ends), by_y);
	for (unsigned i = 1; i < nr; i++)
		ends[i].y = fmax(ends[i].y, ends[i - 1].y + APART);
	if (nr)
		ends[nr - 1].y = fmin(ends[nr - 1].y, plot->y + plot->height);
	for (unsigned i = nr; i-- > 1;)
		ends[i - 1].y = fmin(ends[i - 1].y, ends[i].y - APART);
	for (unsigned i = 0; i < nr; i++)
		put_label(d, plot->x + plot->width + 11, ends[i].y + 4,
			  ends[i].machine ? "end own" : "end", "start", ends[i].label.text);
}

static void draw_ends(const struct drawing *d, const struct measure *m, const struct box *plot,
		      const struct scale *values)
{
	struct end_label *ends = calloc(d->p->nr_runs + 1, sizeof(*ends));
	unsigned nr = 0;

	for (unsigned n = 0; ends && n < d->p->nr_runs; n++) {
		const struct replay_result *r = &d->p->runs[n];
		double value = r->nr_samples ? m->of(&r->samples[r->nr_samples - 1]) : 0;

		end_label_add(ends, &nr, m, value_place(m, values, plot, value), value, false);
	}
	if (m->has_start)
		put_diamond(d, plot->x, value_place(m, values, plot, m->start));
	if (m->has_end) {
		double y = value_place(m, values, plot, m->end);

		put_diamond(d, plot->x + plot->width, y);
		if (ends)
			end_label_add(ends, &nr, m, y, m->end, true);
	}
	if (ends)
		end_labels_put(d, ends, nr, plot);
	free(ends);
}

/* The figure --------------------------------------------------------------------------------- */

static double draw_lines(const struct drawing *d, const struct measure *m, const char *axis)
{
	struct box plot = plot_box(d, lines_legend(d, m) + 10);
	struct scale values = lines_scale(d, m);
	double span = series_span(d->p);
	char name[80];
	struct scale time = scale_of(0, span, unit_time(span), d->narrow ? 4 : 8, false);

	snprintf(name, sizeof(name), "%.60s%s", axis, values.low > 0 ? ", not from zero" : "");
	put_label(d, 0, plot.y - 10, "axis-name", "start", name);
	axis_values(d, &plot, &values);
	axis_time(d, &plot, &time);
	put_label(d, plot.x + plot.width, plot.y + plot.height + 34, "axis-name", "end",
		  "since the first event");
	for (unsigned n = 0; n < d->p->nr_runs; n++)
		draw_curve(d, m, n, &plot, &values, &time);
	draw_ends(d, m, &plot, &values);
	fprintf(d->out,
		"<g class=\"plot\" data-kind=\"%s\" data-low=\"%.10g\" data-high=\"%.10g\" "
		"data-span=\"%.10g\">",
		m->name, values.low / m->each, values.high / m->each, span);
	put_box(d, "hit", &plot);
	fputs("</g>\n", d->out);
	return plot.y + plot.height + MARGIN_BOTTOM;
}

static double sample_huge(const struct replay_sample *s)
{
	return (double)s->free_2m;
}

static double sample_free(const struct replay_sample *s)
{
	return (double)s->free_pages;
}

static double sample_cached(const struct replay_sample *s)
{
	return (double)s->pcp_pages;
}

double draw_huge(const struct drawing *d)
{
	const struct replay_result *r = &d->p->runs[0];
	struct measure m = {
		.name = "huge",
		.of = sample_huge,
		.each = 1,
		.has_start = true,
		.start = (double)r->start_2m.machine,
		.has_end = d->p->machine->has_after,
		.end = (double)r->free_2m.machine,
	};
	char axis[80];

	snprintf(axis, sizeof(axis), "free %s blocks", label_pageblock().text);
	return draw_lines(d, &m, axis);
}

double draw_free(const struct drawing *d)
{
	const struct replay_result *r = &d->p->runs[0];
	struct measure m = {
		.name = "free",
		.of = sample_free,
		.memory = true,
		.each = 1u << QR_PAGE_SHIFT,
		.has_start = true,
		.start = (double)r->start_free_pages.machine,
		.has_end = d->p->machine->has_after,
		.end = (double)r->free_pages.machine,
	};

	return draw_lines(d, &m, "free memory");
}

double draw_cached(const struct drawing *d)
{
	const struct replay_machine *machine = d->p->machine;
	struct measure m = {
		.name = "cached",
		.of = sample_cached,
		.memory = true,
		.each = 1u << QR_PAGE_SHIFT,
		.has_start = true,
		.has_end = machine->has_after,
		.end = (double)d->p->runs[0].pcp_pages.machine,
	};

	for (unsigned z = 0; z < machine->before.nr_zones; z++)
		m.start += (double)machine->before.zones[z].pcp_count;
	return draw_lines(d, &m, "free memory in per-CPU caches");
}
