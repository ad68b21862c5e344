/* SPDX-License-Identifier: MIT */
/*
 * picture/picture.h - what became of a machine's memory, drawn: one page, or one figure
 *
 * --html writes one page with everything in it: figures, tables, a map that can be zoomed; nothing
 * is fetched from anywhere.  --svg writes one of the page's figures as a file of its own.  Both
 * show one replay or several, or a sweep over a tunable's values.
 *
 *	draw.c		text, escaped; scales; legends: what all figures share
 *	palette.c	every colour, for light and dark
 *	figure_*.c	the figures, each in a wide and a narrow shape, as SVG
 *	cells.c		which pageblock lies where on the map
 *	measures.c	what is measured of each replay of a sweep
 *	tables*.c	the page's tables
 *	data.c		what the page's script works with, as JSON
 *	page.c		the page: page.html or sweep.html with its gaps filled in
 *	picture.c	both files
 *
 * page.html, sweep.html, page.css, page.js and figure.css are compiled in by scripts/embed.
 * Whatever comes from a trace or a command line passes through put_text() or JSON with '<' escaped,
 * so that no name in a trace can become markup.
 *
 * How it is used: picture_begin() before the replays, so that a name that cannot be written to is
 * found at once; then picture_finish(), or picture_abort() if it came to nothing.
 */
#ifndef QUIRE_PICTURE_PICTURE_H
#define QUIRE_PICTURE_PICTURE_H

#include "../outfile.h"
#include "../replay/replay.h"

/* A sweep: with each engine one replay as recorded, and one with each value of a tunable. */
struct picture_sweep {
	const char *tunable;
	const int64_t *values;
	unsigned nr_values, nr_engines;
	/* engine by engine: as recorded, then the values in their order */
	const struct replay_result *const *results;
};

/* What is drawn: one machine and its replays, at least one. */
struct picture {
	const char *file; /* the trace, as the user named it */
	const struct replay_machine *machine;
	const struct replay_result *runs; /* of a sweep: those whose course over time is drawn */
	unsigned nr_runs;
	const struct picture_sweep *sweep; /* NULL: the replays are laid side by side */
};

/* What is to be written; zeros: nothing. */
struct picture_request {
	const char *html, *svg; /* names of files; NULL: not wanted */
	unsigned figure; /* of the SVG: a place in the list of names below */
	struct outfile html_file, svg_file; /* private */
};

/* Names of the figures for --figure, ending with NULL: of replays, and of a sweep. */
extern const char *const picture_figures[], *const picture_sweep_figures[];
/* As many curves can be told apart: what a sweep should have in .runs at most. */
enum { PICTURE_CURVES = 8 };

/* 0, or a negative errno with a sentence in why; then nothing is left behind. */
int picture_begin(struct picture_request *request, char why[256]);
int picture_finish(struct picture_request *request, const struct picture *p, char why[256]);
/* Says on the terminal where what was written is. */
void picture_tell(const struct picture_request *request);
/* Give up.  Harmless where nothing was begun, and after picture_finish(). */
void picture_abort(struct picture_request *request);

#endif /* QUIRE_PICTURE_PICTURE_H */
