/* SPDX-License-Identifier: MIT */
/*
 * picture/figure.c - the figures, and the SVG around them
 */
#include "figure.h"

#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "palette.h"

enum { WIDE = 860, NARROW = 358, PADDING = 28, HEAD = 64 };

static const struct figure figures[] = {
	{
		"huge",
		"Free @ blocks over time",
		"A huge page can be had for each of them. The machine's own course is not "
		"recorded, only where it began and ended.",
		draw_huge,
	},
	{
		"orders",
		"Free memory by the size of its blocks",
		"Blue can serve huge pages, orange cannot. The second panel is the orange part "
		"again, on a scale of its own. The columns beside each panel are the machine "
		"itself.",
		draw_orders,
	},
	{
		"free",
		"Free memory over time",
		"Without what waits in per-CPU caches.",
		draw_free,
	},
	{
		"cached",
		"Memory in per-CPU caches over time",
		"Free, but kept for the next allocation on the same CPU; it counts as in use "
		"wherever pageblocks are concerned.",
		draw_cached,
	},
	{
		"blocks",
		"How full the pageblocks are",
		"What is not far from wholly free is what compaction would have to empty; a few "
		"pages that cannot move keep a whole block from becoming a huge page.",
		draw_blocks,
	},
	{
		"map",
		"The map of pageblocks",
		"Row by row as addresses go; rows of which the allocator never had anything are "
		"left out. The types before are inferred, those of the machine after are "
		"guessed from what each block holds.",
		draw_map,
	},
};

static const struct figure sweep_figures[] = {
	{
		"huge",
		"Free @ blocks at the end, by value",
		"A curve for each engine over the values, one step each, and a dotted line for "
		"what it has as recorded. The diamond is the machine itself.",
		draw_sweep_huge,
	},
	{
		"others",
		"What else the values change",
		"Each panel has a scale of its own, which need not begin at zero.",
		draw_sweep_others,
	},
	{
		"time",
		"Free @ blocks over time",
		"As recorded and with some of the values, the first and the last among them. The "
		"machine's own course is not recorded, only where it began and ended.",
		draw_huge,
	},
};

const char *const picture_figures[] = {"huge", "orders", "free", "cached", "blocks", "map", NULL};
const char *const picture_sweep_figures[] = {"huge", "others", "time", NULL};

const struct figure *figure_number(const struct picture *p, unsigned which)
{
	return p->sweep ? &sweep_figures[which] : &figures[which];
}

const struct figure *figure_find(const struct picture *p, const char *name)
{
	const char *const *names = p->sweep ? picture_sweep_figures : picture_figures;

	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(names[i], name) == 0)
			return figure_number(p, i);
	}
	return NULL;
}

struct label figure_title(const struct figure *f)
{
	int before = (int)strcspn(f->title, "@");
	struct label title;

	if (!f->title[before])
		snprintf(title.text, sizeof(title.text), "%s", f->title);
	else
		snprintf(title.text, sizeof(title.text), "%.*s%.20s%s", before, f->title,
			 label_pageblock().text, f->title + before + 1);
	return title;
}

void figure_rules(FILE *out)
{
	fputs(embedded_figure_css, out);
	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		fprintf(out, ".o%u{fill:var(--order%u)}\n", o, o);
	fprintf(out, ".b0{fill:var(--order%u)}\n", REPLAY_ORDERS - 1);
}

/* The figure drawn, and how high it came to be; NULL: no memory. */
static char *drawn(const struct figure *f, const struct picture *p, bool narrow, double *height)
{
	struct drawing d = {.p = p, .width = narrow ? NARROW : WIDE, .narrow = narrow};
	char *text = NULL;
	size_t size;

	d.out = open_memstream(&text, &size);
	if (!d.out)
		return NULL;
	*height = f->draw(&d);
	if (fclose(d.out) == 0)
		return text;
	free(text);
	return NULL;
}

static void put_shape(FILE *out, const struct figure *f, const struct picture *p, bool narrow)
{
	double height;
	char *text = drawn(f, p, narrow, &height);

	fprintf(out, "<svg class=\"figure %s\" viewBox=\"0 -2 %d ", narrow ? "narrow" : "wide",
		narrow ? NARROW : WIDE);
	put_number(out, height + 4);
	fputs("\" role=\"img\" aria-label=\"", out);
	put_text(out, figure_title(f).text);
	fputs("\">\n", out);
	if (text)
		fputs(text, out);
	fputs("</svg>\n", out);
	free(text);
}

void figure_put(FILE *out, const struct figure *f, const struct picture *p)
{
	put_shape(out, f, p, false);
	put_shape(out, f, p, true);
}

/* The style sheet with its colours written out. */
static void put_style(FILE *out)
{
	char *rules = NULL;
	size_t size;
	FILE *sheet = open_memstream(&rules, &size);

	if (!sheet)
		return;
	figure_rules(sheet);
	if (fclose(sheet) == 0) {
		fputs("<style>\n", out);
		palette_expand(out, rules);
		fputs("</style>\n", out);
	}
	free(rules);
}

void figure_put_alone(FILE *out, const struct figure *f, const struct picture *p)
{
	double height = 0;
	char *text = drawn(f, p, false, &height);
	struct drawing head = {.out = out, .p = p, .width = WIDE};
	int all_width = WIDE + 2 * PADDING, all_height = (int)height + HEAD + PADDING;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
		all_width, all_height, all_width, all_height);
	put_text(out, figure_title(f).text);
	fputs("</title>\n", out);
	put_style(out);
	put_box(&head, "paper", &(struct box){0, 0, all_width, all_height});
	fprintf(out, "<g transform=\"translate(%d 0)\">\n", PADDING);
	put_label(&head, 0, 34, "title", "start", figure_title(f).text);
	put_label(&head, WIDE, 34, "axis-name", "end", label_cut(p->file, 60).text);
	fprintf(out, "<g transform=\"translate(0 %d)\">\n%s</g>\n</g>\n</svg>\n", HEAD - 8,
		text ? text : "");
	free(text);
}
