/* SPDX-License-Identifier: MIT */
/*
 * picture/picture.c - both files: begun before the replays, finished after them
 */
#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "page.h"

static const char html_start[] = "<!doctype html>", svg_start[] = "<svg ";

/*
 * A picture is made again and again, and so may replace an older one: but nothing else.  Whoever
 * writes --html and means --json, or mixes up two names, does not lose a trace.
 */
static int check_existing(const char *path, const char *start, char why[256])
{
	FILE *file = fopen(path, "r");
	char first[32] = "";
	size_t nr;

	if (!file)
		return 0;
	nr = fread(first, 1, strlen(start), file);
	fclose(file);
	if (!nr || (nr == strlen(start) && memcmp(first, start, nr) == 0))
		return 0;
	snprintf(why, 256, "%.150s: exists and is no such picture; name another file", path);
	return -EEXIST;
}

static int begin_file(struct outfile *o, const char *path, const char *start, char why[256])
{
	int error = path ? outfile_open(o, path, true, why) : 0;

	if (!path || error)
		return error;
	error = check_existing(path, start, why);
	if (error)
		outfile_abort(o);
	return error;
}

int picture_begin(struct picture_request *request, char why[256])
{
	int error = 0;

	if (request->html && request->svg && strcmp(request->html, request->svg) == 0) {
		snprintf(why, 256, "%.150s: cannot be both the page and the figure", request->html);
		return -EINVAL;
	}
	error = begin_file(&request->html_file, request->html, html_start, why);
	if (!error)
		error = begin_file(&request->svg_file, request->svg, svg_start, why);
	if (error)
		picture_abort(request);
	return error;
}

void picture_abort(struct picture_request *request)
{
	outfile_abort(&request->html_file);
	outfile_abort(&request->svg_file);
}

/* What is drawn is small: it is put together in memory, and written when it is whole. */
static int finish_file(struct outfile *o, const struct picture *p, const struct figure *figure,
		       char why[256])
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int error = out ? 0 : -ENOMEM;

	if (out && figure)
		figure_put_alone(out, figure, p);
	else if (out)
		error = page_put(out, p);
	if (out && fclose(out) != 0)
		error = -ENOMEM;
	if (error)
		snprintf(why, 256, "%.150s: no memory to draw it in", o->path);
	if (!error)
		error = outfile_write(o, text, size, why);
	if (!error)
		error = outfile_publish(o, why);
	free(text);
	return error;
}

int picture_finish(struct picture_request *request, const struct picture *p, char why[256])
{
	int error = 0;

	if (request->html)
		error = finish_file(&request->html_file, p, NULL, why);
	if (!error && request->svg)
		error = finish_file(&request->svg_file, p, figure_number(p, request->figure), why);
	picture_abort(request);
	return error;
}

void picture_tell(const struct picture_request *request)
{
	if (request->html || request->svg)
		putchar('\n');
	if (request->html)
		printf("The picture of it: %s\n", request->html);
	if (request->svg)
		printf("The figure of it: %s\n", request->svg);
}
