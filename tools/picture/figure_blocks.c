/* SPDX-License-Identifier: MIT */
/*
 * picture/figure_blocks.c - how full the pageblocks are: how many are free, and how many are not
 *			     for the sake of a few pages
 */
#include <string.h>

#include "../text.h"
#include "cells.h"
#include "figure.h"

enum { NR_CLASSES = 6, BAR_HEIGHT = 22, ROW_HEIGHT = 34 };

static const char *const classes[NR_CLASSES] = {"b0", "b1", "b2", "b3", "b4", "b5"};

/* The most pages in use of each class but the first and the last. */
static unsigned class_limit(unsigned class)
{
	static const unsigned parts[NR_CLASSES] = {0, 1, 16, 48, 64, 64}; /* of 64 */

	return (unsigned)(QR_PAGEBLOCK_NR_PAGES * parts[class] / 64);
}

static unsigned block_class(const struct replay_block *b)
{
	if (!b->used)
		return 0;
	if (b->used == b->present)
		return NR_CLASSES - 1;
	for (unsigned class = 1; class < NR_CLASSES - 2; class ++) {
		if (b->used <= class_limit(class))
			return class;
	}
	return NR_CLASSES - 2;
}

static struct label class_name(unsigned class)
{
	struct label label;

	if (class == 0)
		snprintf(label.text, sizeof(label.text), "wholly free");
	else if (class == NR_CLASSES - 1)
		snprintf(label.text, sizeof(label.text), "all in use");
	else if (class == NR_CLASSES - 2)
		snprintf(label.text, sizeof(label.text), "more");
	else if (class == 1)
		snprintf(label.text, sizeof(label.text), "up to %u pages in use",
			 class_limit(class));
	else
		snprintf(label.text, sizeof(label.text), "up to %u", class_limit(class));
	return label;
}

static uint64_t count(const struct picture *p, unsigned which, uint64_t nr[NR_CLASSES])
{
	const struct replay_block *map = cells_map(p, which);
	uint64_t all = 0;

	for (unsigned class = 0; class < NR_CLASSES; class ++)
		nr[class] = 0;
	for (uint64_t n = 0; n < p->runs[0].nr_blocks; n++) {
		if (!cells_ours(&map[n]))
			continue;
		nr[block_class(&map[n])]++;
		all++;
	}
	return all;
}

static void put_bar(const struct drawing *d, const struct box *bar, const uint64_t nr[NR_CLASSES],
		    uint64_t all)
{
	double x = bar->x;

	for (unsigned class = 0; class < NR_CLASSES; class ++) {
		struct box part = *bar;
		struct text_number text = text_grouped(nr[class]);

		part.x = x;
		part.width = bar->width * (double)nr[class] / (double)all;
		x += part.width;
		fprintf(d->out, "<g><title>%s of %s: ", text.text, text_grouped(all).text);
		put_text(d->out, class_name(class).text);
		fputs("</title>\n", d->out);
		put_box(d, classes[class], &part);
		if (part.width > 8.0 * (double)strlen(text.text) + 6)
			put_label(d, part.x + part.width / 2, part.y + BAR_HEIGHT / 2.0 + 4,
				  class == 0 || class == 1 ? "on-strong" : "on-pale", "middle",
				  text.text);
		fputs("</g>\n", d->out);
	}
}

static double blocks_legend(const struct drawing *d)
{
	struct legend l = legend_begin(d, 0);

	for (unsigned class = 0; class < NR_CLASSES; class ++) {
		struct label name = class_name(class);

		legend_entry(&l, name.text);
		put_box(d, classes[class], &(struct box){l.x + 6, l.y - 6, LEGEND_SAMPLE - 6, 12});
		legend_name(&l, name.text);
	}
	return legend_end(&l);
}

double draw_blocks(const struct drawing *d)
{
	double y = blocks_legend(d) + 12;
	double left = d->narrow ? 0 : 250;

	for (unsigned i = 0; i < cells_nr_maps(d->p); i++) {
		uint64_t nr[NR_CLASSES], all = count(d->p, i, nr);
		struct box bar = {left, y, d->width - left, BAR_HEIGHT};
		char name[160];
		struct label label = label_cut(cells_map_name(d->p, i, name), d->narrow ? 44 : 33);

		if (d->narrow) {
			put_label(d, 0, y + 11, "name", "start", label.text);
			bar.y = y += 18;
		} else {
			put_label(d, left - 12, y + BAR_HEIGHT / 2.0 + 4, "name", "end",
				  label.text);
		}
		if (all)
			put_bar(d, &bar, nr, all);
		y += ROW_HEIGHT;
	}
	return y;
}
