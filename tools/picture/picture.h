/* SPDX-License-Identifier: MIT */
/*
 * picture/picture.h - what became of a machine's memory, drawn: one page, or one figure
 *
 * --html writes one page with everything in it: figures, tables, a map that can be zoomed; nothing
 * is fetched from anywhere.  --svg writes one of the page's figures as a file of its own.  Both
 * show one replay or several.
 *
 *	draw.c		text, escaped; scales; legends: what all figures share
 *	palette.c	every colour, for light and dark
 *	figure_*.c	the figures, each in a wide and a narrow shape, as SVG
 *	cells.c		which pageblock lies where on the map
 *	tables.c	the page's tables
 *	data.c		what the page's script works with, as JSON
 *	page.c		the page: page.html with its gaps filled in
 *	picture.c	both files
 *
 * page.html, page.css, page.js and figure.css are compiled in by scripts/embed.  Whatever comes
 * from a trace or a command line passes through put_text() or JSON with '<' escaped, so that no
 * name in a trace can become markup.
 *
 * How it is used: picture_begin() before the replays, so that a name that cannot be written to is
 * found at once; then picture_finish(), or picture_abort() if it came to nothing.
 */
#ifndef QUIRE_PICTURE_PICTURE_H
#define QUIRE_PICTURE_PICTURE_H

#include "../outfile.h"
#include "../replay/replay.h"

/* What is drawn: one machine and its replays, at least one. */
struct picture {
	const char *file; /* the trace, as the user named it */
	const struct replay_machine *machine;
	const struct replay_result *runs;
	unsigned nr_runs;
};

/* What is to be written; zeros: nothing. */
struct picture_request {
	const char *html, *svg; /* names of files; NULL: not wanted */
	unsigned figure; /* of the SVG: a place in picture_figures[] */
	struct outfile html_file, svg_file; /* private */
};

/* Names of the figures for --figure, ending with NULL; and what each shows. */
extern const char *const picture_figures[];
const char *picture_figure_text(unsigned figure);

/* 0, or a negative errno with a sentence in why; then nothing is left behind. */
int picture_begin(struct picture_request *request, char why[256]);
int picture_finish(struct picture_request *request, const struct picture *p, char why[256]);
/* Give up.  Harmless where nothing was begun, and after picture_finish(). */
void picture_abort(struct picture_request *request);

#endif /* QUIRE_PICTURE_PICTURE_H */
