/* SPDX-License-Identifier: MIT */
/*
 * picture/figure_orders.c - free memory over time, by the size of the blocks it lies in
 *
 * Two panels for each replay: all free memory; and, on a scale of its own, the part that lies in
 * blocks below a pageblock, which no huge page can be made of.  Beside each panel stand two
 * columns: the machine's own memory at the start and at the end.
 */
#include <math.h>
#include <stdlib.h>

#include "../replay_report.h"
#include "figure.h"

enum {
	AXIS_LEFT = 62, /* for the labels of the axis */
	COLUMN = 10, /* the machine's columns, and the gap between them and the plot */
	COLUMN_GAP = 4,
	PANEL_HEIGHT = 230,
	PANEL_BOTTOM = 46
};

static double order_bytes(uint64_t nr, unsigned order)
{
	return (double)nr * exp2(QR_PAGE_SHIFT + order);
}

/* What lies in blocks of orders from .. below end. */
static double blocks_bytes(const uint64_t *blocks, unsigned from, unsigned end)
{
	double sum = 0;

	for (unsigned o = from; o < end; o++)
		sum += order_bytes(blocks[o], o);
	return sum;
}

/* The machine's own blocks, of all zones, at the start or the end. */
static bool machine_blocks(const struct picture *p, bool at_end, uint64_t blocks[REPLAY_ORDERS])
{
	const struct state *s = at_end ? &p->machine->after : &p->machine->before;
	bool known = false;

	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		blocks[o] = 0;
	if (at_end && !p->machine->has_after)
		return false;
	for (unsigned z = 0; z < s->nr_zones; z++) {
		for (unsigned o = 0; o < REPLAY_ORDERS && o < s->zones[z].nr_orders; o++)
			blocks[o] += s->zones[z].blocks[o];
		known |= s->zones[z].nr_orders > 0;
	}
	return known;
}

/* One panel: the orders below end, of one replay. */
struct panel {
	const struct drawing *d;
	const struct replay_result *r;
	unsigned end;
	struct box plot;
	struct scale values, time;
};

static double highest(const struct picture *p, unsigned end)
{
	uint64_t blocks[REPLAY_ORDERS];
	double high = 0;

	for (unsigned n = 0; n < p->nr_runs; n++) {
		for (unsigned i = 0; i < p->runs[n].nr_samples; i++)
			high = fmax(high, blocks_bytes(p->runs[n].samples[i].order_blocks, 0, end));
	}
	for (int at_end = 0; at_end < 2; at_end++) {
		if (machine_blocks(p, at_end, blocks))
			high = fmax(high, blocks_bytes(blocks, 0, end));
	}
	return high;
}

static double panel_y(const struct panel *n, double bytes)
{
	return scale_place(&n->values, bytes, n->plot.y + n->plot.height, n->plot.y);
}

/* From this order's top down to the ground: the larger orders are drawn over it. */
static void draw_area(const struct panel *n, unsigned order, const double *seconds)
{
	struct path path = {.out = n->d->out};
	double right = n->plot.x + n->plot.width, ground = n->plot.y + n->plot.height;

	fprintf(n->d->out, "<path class=\"o%u\" d=\"", order);
	path_to(&path, n->plot.x, ground);
	for (unsigned i = 0; i < n->r->nr_samples; i++)
		path_to(&path, scale_place(&n->time, seconds[i], n->plot.x, right),
			panel_y(n, blocks_bytes(n->r->samples[i].order_blocks, order, n->end)));
	path_to(&path, right, ground);
	fputs("z\"/>\n", n->d->out);
}

static void draw_column(const struct panel *n, bool at_end)
{
	uint64_t blocks[REPLAY_ORDERS];
	struct box box = {.width = COLUMN};

	if (!machine_blocks(n->d->p, at_end, blocks))
		return;
	box.x = at_end ? n->plot.x + n->plot.width + COLUMN_GAP : n->plot.x - COLUMN_GAP - COLUMN;
	for (unsigned o = 0; o < n->end; o++) {
		char class[16];

		snprintf(class, sizeof(class), "o%u", o);
		box.y = panel_y(n, blocks_bytes(blocks, o, n->end));
		box.height = n->plot.y + n->plot.height - box.y;
		if (blocks[o])
			put_box(n->d, class, &box);
	}
	put_label(n->d, at_end ? box.x + COLUMN : box.x, n->plot.y + n->plot.height + 34,
		  "axis-name", at_end ? "end" : "start",
		  at_end ? "machine, end" : "machine, start");
}

static void draw_panel(struct panel *n, double x, double y, double width, const char *title)
{
	double *seconds = series_seconds(n->d->p, n->r);
	double span = series_span(n->d->p), high = highest(n->d->p, n->end);
	double side = COLUMN + COLUMN_GAP;
	struct box frame;

	n->plot = (struct box){x + AXIS_LEFT + side, y + 24, width - AXIS_LEFT - 2 * side - 8,
			       PANEL_HEIGHT};
	n->values = scale_round(0, high, unit_bytes(high), 4, false);
	n->time = scale_of(0, span, unit_time(span), n->plot.width < 280 ? 3 : 5, false);
	frame = n->plot;
	frame.x -= side;
	frame.width += 2 * side;
	put_label(n->d, x, y + 10, "axis-name", "start", title);
	axis_values(n->d, &frame, &n->values);
	axis_time(n->d, &n->plot, &n->time);
	for (unsigned o = 0; seconds && n->r->nr_samples && o < n->end; o++)
		draw_area(n, o, seconds);
	draw_column(n, false);
	draw_column(n, true);
	fprintf(n->d->out,
		"<g class=\"plot\" data-kind=\"orders\" data-run=\"%td\" data-low=\"%.10g\" "
		"data-high=\"%.10g\" data-end=\"%u\" data-span=\"%.10g\">",
		n->r - n->d->p->runs, n->values.low, n->values.high, n->end, span);
	put_box(n->d, "hit", &n->plot);
	fputs("</g>\n", n->d->out);
	free(seconds);
}

static double orders_legend(const struct drawing *d)
{
	struct legend l = legend_begin(d, 0);

	for (unsigned o = REPLAY_ORDERS; o-- > 0;) {
		struct label name = label_bytes(exp2(QR_PAGE_SHIFT + o));
		char class[16];

		legend_entry(&l, name.text);
		snprintf(class, sizeof(class), "o%u", o);
		put_box(d, class, &(struct box){l.x + 6, l.y - 6, LEGEND_SAMPLE - 6, 12});
		legend_name(&l, name.text);
	}
	return legend_end(&l);
}

double draw_orders(const struct drawing *d)
{
	double y = orders_legend(d) + 14, gap = 24;
	double half = d->narrow ? d->width : (d->width - gap) / 2;
	char title[80];

	snprintf(title, sizeof(title), "in blocks below %s", label_pageblock().text);
	for (unsigned i = 0; i < d->p->nr_runs; i++) {
		const struct replay_result *r = &d->p->runs[i];
		struct panel all = {.d = d, .r = r, .end = REPLAY_ORDERS};
		struct panel small = {.d = d, .r = r, .end = QR_PAGEBLOCK_ORDER};

		if (d->p->nr_runs > 1) {
			put_label(d, 0, y + 12, "panel", "start",
				  label_cut(replay_label(r).text, d->narrow ? 40 : 60).text);
			y += 22;
		}
		draw_panel(&all, 0, y, half, "all free memory");
		if (d->narrow)
			y += 24 + PANEL_HEIGHT + PANEL_BOTTOM;
		draw_panel(&small, d->narrow ? 0 : half + gap, y, half, title);
		y += 24 + PANEL_HEIGHT + PANEL_BOTTOM;
	}
	return y;
}
