/* SPDX-License-Identifier: MIT */
/*
 * term.c - colour only where it can be seen, and progress that does not fill a log
 */
#include "term.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

const char *const term_when_words[] = {"auto", "always", "never", NULL};

enum { DEFAULT_WIDTH = 80, LEAST_WIDTH = 20 };

/* Seconds between two lines: on a terminal, and where they stay. */
static const double live_interval = 0.2, log_interval = 5.0;

static unsigned width_of(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long given = columns ? strtol(columns, NULL, 10) : 0;

	if (given >= LEAST_WIDTH && given < 10000)
		return (unsigned)given;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= LEAST_WIDTH)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

static bool color_is_welcome(bool terminal)
{
	const char *no_color = getenv("NO_COLOR");
	const char *kind = getenv("TERM");

	return terminal && !(no_color && *no_color) && !(kind && strcmp(kind, "dumb") == 0);
}

struct term term_of(FILE *stream, enum term_when color)
{
	int fd = fileno(stream);
	struct term term = {.terminal = isatty(fd), .width = width_of(fd)};

	term.color = color == TERM_AUTO ? color_is_welcome(term.terminal) : color == TERM_ALWAYS;
	term.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return term;
}

const char *term_style(const struct term *term, enum term_style style)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "\033[0m", [TERM_BOLD] = "\033[1m",     [TERM_DIM] = "\033[2m",
		[TERM_RED] = "\033[31m",  [TERM_GREEN] = "\033[32m",   [TERM_YELLOW] = "\033[33m",
		[TERM_BLUE] = "\033[34m", [TERM_MAGENTA] = "\033[35m", [TERM_CYAN] = "\033[36m",
	};

	return term->color ? codes[style] : "";
}

double term_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct progress progress_begin(FILE *stream, bool off)
{
	struct progress progress = {.stream = stream, .off = off};

	progress.term = term_of(stream, TERM_AUTO);
	progress.next = term_clock() + (progress.term.terminal ? live_interval : log_interval);
	return progress;
}

bool progress_due(struct progress *progress, double now)
{
	if (progress->off || now < progress->next)
		return false;
	progress->next = now + (progress->term.terminal ? live_interval : log_interval);
	return true;
}

void progress_show(struct progress *progress, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!progress->term.terminal) {
		fprintf(progress->stream, "%s\n", line);
		return;
	}
	/* A line that wraps could not be taken back. */
	fprintf(progress->stream, "\r%.*s\033[K", (int)progress->term.width - 1, line);
	fflush(progress->stream);
	progress->shown = true;
}

void progress_clear(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", progress->stream);
	fflush(progress->stream);
	progress->shown = false;
}
