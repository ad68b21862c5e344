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
	const char *how; /* how to read it: a sentence or two below it */
	/* Draws the figure from y = 0 downwards; returns its height. */
	double (*draw)(const struct drawing *d);
};

struct label figure_title(const struct figure *f);
/* Of replays, or of a sweep: whichever the picture shows.  NULL: there is none of that name. */
const struct figure *figure_find(const struct picture *p, const char *name);
const struct figure *figure_number(const struct picture *p, unsigned which);

/* The rules that figures need, with var(--NAME) for colours. */
void figure_rules(FILE *out);

/* A figure for a page, in both shapes. */
void figure_put(FILE *out, const struct figure *f, const struct picture *p);
/* A figure as a file of its own. */
void figure_put_alone(FILE *out, const struct figure *f, const struct picture *p);

/* figure_lines.c, figure_orders.c, figure_blocks.c, figure_map.c, figure_sweep.c */
double draw_huge(const struct drawing *d);
double draw_free(const struct drawing *d);
double draw_cached(const struct drawing *d);
double draw_orders(const struct drawing *d);
double draw_blocks(const struct drawing *d);
double draw_map(const struct drawing *d);
double draw_sweep_huge(const struct drawing *d);
double draw_sweep_others(const struct drawing *d);

#endif /* QUIRE_PICTURE_FIGURE_H */
