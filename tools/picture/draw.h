/* SPDX-License-Identifier: MIT */
/*
 * picture/draw.h - what all figures share: text, scales, axes, legends
 *
 * Figures are written as SVG to a stream in memory, in units of CSS pixels.  A figure is drawn
 * twice for a page, wide and narrow, since text must not shrink with the screen.
 */
#ifndef QUIRE_PICTURE_DRAW_H
#define QUIRE_PICTURE_DRAW_H

#include <stdio.h>

#include "picture.h"

/* A figure under way. */
struct drawing {
	FILE *out;
	const struct picture *p;
	double width;
	bool narrow;
};

struct box {
	double x, y, width, height;
};

/* Text --------------------------------------------------------------------------------------- */

/* As text or as the value of an attribute: markup escaped, what is no UTF-8 replaced. */
void put_text(FILE *out, const char *text);
/* A coordinate, to a tenth of a pixel and no longer than it needs to be. */
void put_number(FILE *out, double value);
/* SVG text; anchor is "start", "middle" or "end". */
void put_label(const struct drawing *d, double x, double y, const char *class, const char *anchor,
	       const char *text);

/* A short text made of numbers. */
struct label {
	char text[64];
};

struct label label_bytes(double bytes); /* "6.64 GiB", three digits */
struct label label_pageblock(void); /* "2 MiB" */
struct label label_order(unsigned order); /* "order 3, 32 KiB" */
struct label label_off(uint64_t model, uint64_t machine); /* "+2.8 %"; "exact" */
struct label label_zone(int nid, enum qr_zone_type type); /* "node 0 Normal" */
/* A name cut to so many columns, in its middle: names often differ in their ends. */
struct label label_cut(const char *text, size_t columns);

/* Series ------------------------------------------------------------------------------------- */

/* Seconds from the first event to each sample, never falling; NULL: no memory. */
double *series_seconds(const struct picture *p, const struct replay_result *r);
/* The longest of all replays, at least a little more than nothing. */
double series_span(const struct picture *p);

/* Scales ------------------------------------------------------------------------------------- */

/* What one number on an axis stands for, and how it is written. */
struct unit {
	double size; /* in the quantity's own unit */
	const char *name; /* " s", " GiB", or "" */
};

struct unit unit_time(double seconds);
struct unit unit_bytes(double bytes);

struct scale {
	double low, high; /* what the ends of the axis stand for */
	double step, first; /* between ticks; the lowest of them */
	struct unit unit;
	int digits; /* after the point */
};

/* A scale from low to high with about nr round ticks; whole: only whole numbers. */
struct scale scale_of(double low, double high, struct unit unit, unsigned nr, bool whole);
/* The same with its ends moved outwards to ticks. */
struct scale scale_round(double low, double high, struct unit unit, unsigned nr, bool whole);
double scale_place(const struct scale *s, double value, double from, double to);

/* Grid lines and labels of the vertical and the horizontal axis around a plot. */
void axis_values(const struct drawing *d, const struct box *plot, const struct scale *s);
void axis_time(const struct drawing *d, const struct box *plot, const struct scale *s);

/* Legends ------------------------------------------------------------------------------------ */

/* A row of samples with names, broken into lines as the width demands. */
struct legend {
	const struct drawing *d;
	double x, y; /* where the next entry goes: the middle of its line */
};

enum { LEGEND_LINE = 20, LEGEND_SAMPLE = 22 };

struct legend legend_begin(const struct drawing *d, double y);
/* Make room for an entry of this name: its sample goes to x, y. */
void legend_entry(struct legend *l, const char *name);
void legend_name(struct legend *l, const char *name);
double legend_end(const struct legend *l); /* the bottom */

/* Shapes ------------------------------------------------------------------------------------- */

/* The d of a path, point by point, each relative to the one before. */
struct path {
	FILE *out;
	long x, y; /* tenths of a pixel */
	bool begun;
};

void path_to(struct path *p, double x, double y);
void put_line(const struct drawing *d, const char *class, double x1, double y1, double x2,
	      double y2);
void put_box(const struct drawing *d, const char *class, const struct box *b);
/* The mark of what the machine itself had. */
void put_diamond(const struct drawing *d, double x, double y);

#endif /* QUIRE_PICTURE_DRAW_H */
