/* SPDX-License-Identifier: MIT */
/*
 * fuzz_import.c - any text, as the output of perf script
 *
 * The first byte says how many bytes each read() gives, so that lines are cut anywhere.  What was
 * understood is written into a .qtrace and read back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/trace/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const uint8_t *data;
	size_t size, step;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static long text_read(void *arg, void *buf, size_t room)
{
	struct text *text = arg;
	size_t n = text->size < text->step ? text->size : text->step;

	if (n > room)
		n = room;
	if (n)
		memcpy(buf, text->data, n);
	text->data += n;
	text->size -= n;
	return (long)n;
}

static void read_back(const char *path, const struct qtrace_totals *totals)
{
	const struct trace_event *events;
	uint64_t nr_events = 0;
	struct qtrace t;
	int nr;

	check(qtrace_open(path, &t) == 0 && !t.truncated);
	while ((nr = qtrace_next_block(&t, &events)) > 0) {
		for (int i = 0; i < nr; i++)
			nr_events += events[i].kind != TRACE_LOST;
	}
	check(nr == 0 && nr_events == totals->nr_events);
	qtrace_close(&t);
}

static void import(const char *path, struct text *text)
{
	struct import_source source = {.read = text_read, .arg = text, .name = "input"};
	struct qtrace_options how = {.level = 1, .overwrite = true};
	struct import_stats stats = {0};
	struct qtrace_totals totals;
	struct qtrace_writer *w;
	char why[256];

	check(qtrace_create(path, &how, &w, why) == 0);
	check(import_text(&source, w, &stats, NULL, NULL, why) == 0);
	check(qtrace_finish(w, &totals, why) == 0);
	check(totals.nr_lost == stats.nr_lost);
	check(memchr(stats.first_unread, 0, sizeof(stats.first_unread)));
	check(memchr(stats.first_unknown_gfp, 0, sizeof(stats.first_unknown_gfp)));
	read_back(path, &totals);
}

/* An event's print format, as a trace.dat carries it. */
static void map_gfp(const uint8_t *data, size_t size)
{
	char *format = malloc(size + 1);
	struct import_stats stats = {0};
	struct import_gfp_map map;

	check(format);
	if (size)
		memcpy(format, data, size);
	format[size] = 0;
	import_gfp_map_parse(&map, format);
	import_gfp_bits(&map, ~UINT64_C(0), &stats);
	free(format);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	struct text text;

	if (!size)
		return 0;
	text = (struct text){.data = data + 1, .size = size - 1, .step = data[0] + 1u};
	snprintf(path, sizeof(path), "/dev/shm/quire-fuzz-import.%d", getpid());
	import(path, &text);
	unlink(path);
	map_gfp(data, size);
	return 0;
}
