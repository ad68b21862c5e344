/* SPDX-License-Identifier: MIT */
/*
 * picture/figure.h - the figures
 */
#ifndef QUIRE_PICTURE_FIGURE_H
#define QUIRE_PICTURE_FIGURE_H

#include "draw.h"

struct figure {
	const char *name; /* for --figure, and its anchor on the page */
	const char *title; /* @ stands for the size of a pageblock */
	const char *text; /* what it shows: a line of --help */
	const char *how; /* how to read it: a sentence or two below it */
	/* Draws the figure from y = 0 downwards; returns its height. */
	double (*draw)(const struct drawing *d);
};

extern const struct figure figures[];
extern const unsigned nr_figures;

struct label figure_title(const struct figure *f);
const struct figure *figure_find(const char *name);

/* The rules that figures need, with var(--NAME) for colours. */
void figure_rules(FILE *out);

/* A figure for a page, in both shapes. */
void figure_put(FILE *out, const struct figure *f, const struct picture *p);
/* A figure as a file of its own. */
void figure_put_alone(FILE *out, const struct figure *f, const struct picture *p);

/* figure_lines.c, figure_orders.c, figure_blocks.c, figure_map.c */
double draw_huge(const struct drawing *d);
double draw_free(const struct drawing *d);
double draw_cached(const struct drawing *d);
double draw_orders(const struct drawing *d);
double draw_blocks(const struct drawing *d);
double draw_map(const struct drawing *d);

#endif /* QUIRE_PICTURE_FIGURE_H */
