/* SPDX-License-Identifier: MIT */
/*
 * term.h - colour only where it can be seen, and progress that does not fill a log
 *
 * Colour is used when the stream is a terminal and NO_COLOR is not set in the environment, unless
 * the user decides.  A progress line rewrites itself on a terminal; elsewhere it is a plain line
 * now and then.
 */
#ifndef QUIRE_TOOLS_TERM_H
#define QUIRE_TOOLS_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum term_when { TERM_AUTO, TERM_ALWAYS, TERM_NEVER };

/* The words for enum term_when, for cli_word(). */
extern const char *const term_when_words[];

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_RED,
	TERM_GREEN,
	TERM_YELLOW,
	TERM_BLUE,
	TERM_MAGENTA,
	TERM_CYAN
};

struct term {
	bool terminal;
	bool color;
	bool utf8; /* the locale can show block characters */
	unsigned width; /* columns */
};

struct term term_of(FILE *stream, enum term_when color);

/* What switches a style on; "" without colour. */
const char *term_style(const struct term *term, enum term_style style);

/* Seconds since some fixed moment. */
double term_clock(void);

struct progress {
	FILE *stream;
	struct term term;
	double next; /* when the line is due again */
	bool shown; /* an unfinished line stands on the terminal */
	bool off;
};

struct progress progress_begin(FILE *stream, bool off);
/* Is it time for another line? */
bool progress_due(struct progress *progress, double now);
void progress_show(struct progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Take the line away before anything else is printed. */
void progress_clear(struct progress *progress);

#endif /* QUIRE_TOOLS_TERM_H */
