/* SPDX-License-Identifier: MIT */
/*
 * verb_sweep.c - `quire sweep`: what a tunable does, over a range of its values
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "replay_report.h"
#include "sweep.h"
#include "text.h"
#include "verbs.h"

enum { SWEEP_VERSION = 1, NUMBERS_WIDTH = 69, BAR_MAX = 40 };

struct sweep_args {
	const char *path;
	struct run base;
	struct sweep_values values; /* .nr is 0 until --set has told of them */
	const char *engines[SWEEP_MAX_ENGINES];
	unsigned nr_engines;
	uint64_t nr_jobs;
	struct picture_request picture;
	bool has_figure;
	unsigned color;
	bool json, quiet;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static bool is_interrupted(void)
{
	return interrupted != 0;
}

/* Arguments -------------------------------------------------------------------------------- */

static bool set_take(struct cli *cli, void *into, const char *value)
{
	struct sweep_args *args = into;

	if (!sweep_is_range(value))
		return run_take_setting(cli, &args->base, value);
	if (args->values.nr)
		return cli_error(cli, "'%s': only one tunable has several values, and %s has",
				 value, qr_tunable_info(args->values.tunable)->name);
	return sweep_take(cli, &args->values, value);
}

static bool engine_take(struct cli *cli, void *into, const char *value)
{
	struct sweep_args *args = into;
	struct run run;

	if (!run_take_engine(cli, &run, value))
		return false;
	if (args->nr_engines == SWEEP_MAX_ENGINES)
		return cli_error(cli, "at most %d engines", SWEEP_MAX_ENGINES);
	args->engines[args->nr_engines++] = run.engine;
	return true;
}

static bool cpus_take(struct cli *cli, void *into, const char *value)
{
	return run_take_cpus(cli, &((struct sweep_args *)into)->base, value);
}

static bool jobs_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 1, SWEEP_MAX_JOBS, &((struct sweep_args *)into)->nr_jobs);
}

static bool html_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct sweep_args *)into)->picture.html = value;
	return true;
}

static bool svg_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct sweep_args *)into)->picture.svg = value;
	return true;
}

static bool figure_take(struct cli *cli, void *into, const char *value)
{
	struct sweep_args *args = into;

	args->has_figure = true;
	return cli_word(cli, value, picture_sweep_figures, &args->picture.figure);
}

static bool color_take(struct cli *cli, void *into, const char *value)
{
	return cli_word(cli, value, term_when_words, &((struct sweep_args *)into)->color);
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct sweep_args *)into)->json = true;
}

static bool quiet_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct sweep_args *)into)->quiet = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct sweep_args *args = into;

	if (args->path)
		return cli_error(cli, "'%s' is too much: there is one trace at a time", value);
	args->path = value;
	return true;
}

static const struct cli_option options[] = {
	{"set", "TUNABLE=VALUES", set_take,
	 "FROM..TO (8 values, evenly), FROM..TO:STEP,\n"
	 "FROM..TO:xFACTOR, or A,B,C.  Given once more with a\n"
	 "single value: for all replays"},
	{"engine", "NAME", engine_take,
	 "list (Linux's own way, the default) or bitmap; may be\n"
	 "repeated"},
	{"cpus", "N", cpus_take, "CPUs of the model; default as recorded"},
	{"jobs", "N", jobs_take, "replays at once; default one for each CPU of this host"},
	{"html", "FILE", html_take, "draw it all: a page of its own"},
	{"svg", "FILE", svg_take, "draw one figure"},
	{"figure", "NAME", figure_take,
	 "which: huge (free 2 MiB blocks by value, the default),\n"
	 "others (all other measures) or time"},
	{"color", "WHEN", color_take, "auto, always or never"},
	{"json", NULL, json_take, "print JSON; quire-sweep(1) describes it"},
	{"quiet", NULL, quiet_take, "no progress line"},
	{NULL, NULL, NULL, NULL},
};

/* The table -------------------------------------------------------------------------------- */

struct scale {
	uint64_t low, high; /* free 2 MiB blocks */
	unsigned width; /* of bars, in characters */
};

static struct scale scale_of(const struct sweep *sweep, const struct term *term)
{
	struct scale scale = {.low = UINT64_MAX, .width = 10};

	if (term->width > NUMBERS_WIDTH + scale.width)
		scale.width = term->width - NUMBERS_WIDTH;
	if (scale.width > BAR_MAX)
		scale.width = BAR_MAX;
	for (unsigned i = 0; i < sweep->nr_rows; i++) {
		uint64_t nr = sweep->rows[i].result.free_2m.model;

		if (!sweep->rows[i].done)
			continue;
		scale.low = nr < scale.low ? nr : scale.low;
		scale.high = nr > scale.high ? nr : scale.high;
	}
	return scale;
}

/* The least has an eighth of a character, the most the whole width. */
static void bar(const struct term *term, const struct scale *scale, uint64_t value)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	uint64_t most = (uint64_t)scale->width * 8, length = most;

	if (scale->high > scale->low)
		length = 1 + (value - scale->low) * (most - 1) / (scale->high - scale->low);
	fputs(term_style(term, TERM_CYAN), stdout);
	for (uint64_t i = 0; i < length / 8; i++)
		fputs(term->utf8 ? "█" : "#", stdout);
	if (term->utf8)
		fputs(eighths[length % 8], stdout);
	printf("%s\n", term_style(term, TERM_PLAIN));
}

static void row_print(const struct term *term, const struct scale *scale,
		      const struct sweep_row *row)
{
	const struct replay_result *r = &row->result;
	char value[24] = "as recorded";

	if (row->has_value)
		snprintf(value, sizeof(value), "%" PRId64, row->value);
	printf("%11s %7s %7s %11s %6s %5.1f%% %7s %5s  ", value,
	       text_grouped(r->free_2m.model).text, text_grouped(replay_least_2m(r)).text,
	       text_grouped(r->free_pages.model).text, text_grouped(r->model_fallbacks).text,
	       replay_hit_rate(r) * 100.0, text_grouped(r->stats.zone_locks).text,
	       text_grouped(r->stats.slowpath).text);
	bar(term, scale, r->free_2m.model);
}

static void head_print(const struct term *term, const char *engine)
{
	printf("\n%sengine %s%s\n", term_style(term, TERM_BOLD), engine,
	       term_style(term, TERM_PLAIN));
	printf("%11s %7s %7s %11s %6s %6s %7s %5s\n", "", "free", "at the", "free", "fall-",
	       "cache", "zone", "slow");
	printf("%11s %7s %7s %11s %6s %6s %7s %5s  %s\n", "value", "2 MiB", "least", "pages",
	       "backs", "hits", "locks", "path", "free 2 MiB");
}

static void table_print(const struct sweep *sweep, const struct sweep_args *args,
			const struct term *term)
{
	const struct replay_machine *m = sweep->m;
	struct scale scale = scale_of(sweep, term);
	const char *engine = "";
	unsigned nr_missing = 0;

	printf("%s%s%s, replaying %s\n", term_style(term, TERM_BOLD),
	       qr_tunable_info(args->values.tunable)->name, term_style(term, TERM_PLAIN),
	       sweep->path);
	for (unsigned i = 0; i < sweep->nr_rows; i++) {
		const struct sweep_row *row = &sweep->rows[i];

		nr_missing += !row->done;
		if (!row->done)
			continue;
		if (strcmp(engine, row->run.engine) != 0)
			head_print(term, row->run.engine);
		engine = row->run.engine;
		row_print(term, &scale, row);
	}
	if (m->has_after && nr_missing < sweep->nr_rows) {
		const struct replay_result *r = NULL;

		for (unsigned i = 0; !r; i++)
			r = sweep->rows[i].done ? &sweep->rows[i].result : NULL;
		printf("\nThe machine itself had %s free 2 MiB blocks and %s free pages.\n",
		       text_grouped(r->free_2m.machine).text,
		       text_grouped(r->free_pages.machine).text);
	}
	if (nr_missing)
		printf("\nInterrupted: %u of %u replays are missing.\n", nr_missing,
		       sweep->nr_rows);
}

/* JSON ------------------------------------------------------------------------------------- */

static json_t *row_json(const struct sweep_row *row)
{
	const struct replay_result *r = &row->result;
	json_t *object = json_object();
	uint64_t unplaced = 0;

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		unplaced += r->unplaced[c];
	json_put_text(object, "engine", r->engine);
	json_put(object, "value", row->has_value ? json_integer(row->value) : json_null());
	json_put_number(object, "cpus", r->nr_cpus);
	json_put_number(object, "events", r->nr_events);
	json_put_number(object, "unplaced", unplaced);
	json_put_real(object, "seconds", r->seconds);
	json_put_number(object, "free_2m", r->free_2m.model);
	json_put_number(object, "least_free_2m", replay_least_2m(r));
	json_put_number(object, "free_pages", r->free_pages.model);
	json_put_number(object, "pcp_pages", r->pcp_pages.model);
	json_put_number(object, "fallbacks", r->model_fallbacks);
	json_put_number(object, "claims", r->model_claims);
	json_put_real(object, "pcp_hit_rate", replay_hit_rate(r));
	json_put_number(object, "zone_locks", r->stats.zone_locks);
	json_put_number(object, "slowpath", r->stats.slowpath);
	return object;
}

static json_t *settings_json(const struct run *run)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < run->nr_settings; i++)
		json_put(object, qr_tunable_info(run->settings[i].tunable)->name,
			 json_integer(run->settings[i].value));
	return object;
}

static bool json_print(const struct sweep *sweep, const struct sweep_args *args)
{
	json_t *document = json_document("quire-sweep", SWEEP_VERSION), *rows = json_array();
	json_t *machine = json_null();

	json_put_text(document, "file", sweep->path);
	json_put_text(document, "tunable", qr_tunable_info(args->values.tunable)->name);
	json_put(document, "settings", settings_json(&args->base));
	json_put_number(document, "jobs", sweep->nr_jobs);
	json_put_flag(document, "interrupted", is_interrupted());
	for (unsigned i = 0; i < sweep->nr_rows; i++) {
		const struct replay_result *r = &sweep->rows[i].result;

		if (!sweep->rows[i].done)
			continue;
		json_array_append_new(rows, row_json(&sweep->rows[i]));
		if (!sweep->m->has_after || json_is_object(machine))
			continue;
		machine = json_object();
		json_put_number(machine, "free_2m", r->free_2m.machine);
		json_put_number(machine, "free_pages", r->free_pages.machine);
		json_put_number(machine, "fallbacks", r->machine_fallbacks);
	}
	json_put(document, "machine", machine);
	json_put(document, "rows", rows);
	return json_finish(document);
}

/* The verb --------------------------------------------------------------------------------- */

static unsigned cpus_of_host(void)
{
	cpu_set_t allowed;
	int nr = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;

	return nr < 1 ? 1 : nr > SWEEP_MAX_JOBS ? SWEEP_MAX_JOBS : (unsigned)nr;
}

/* For each engine: as recorded, then every value. */
static bool rows_make(struct sweep *sweep, struct sweep_args *args)
{
	unsigned nr_engines = args->nr_engines ? args->nr_engines : 1;

	sweep->nr_rows = nr_engines * (args->values.nr + 1);
	sweep->rows = calloc(sweep->nr_rows, sizeof(*sweep->rows));
	if (!sweep->rows) {
		sweep->nr_rows = 0;
		return false;
	}
	for (unsigned i = 0; i < sweep->nr_rows; i++) {
		struct sweep_row *row = &sweep->rows[i];
		unsigned v = i % (args->values.nr + 1);

		row->run = args->base;
		row->run.engine =
			args->nr_engines ? args->engines[i / (args->values.nr + 1)] : REPLAY_ENGINE;
		row->has_value = v > 0;
		if (!row->has_value)
			continue;
		row->value = args->values.value[v - 1];
		run_set(&row->run, args->values.tunable, row->value);
	}
	return true;
}

static int rows_check(struct cli *cli, const struct sweep *sweep)
{
	for (unsigned i = 0; i < sweep->nr_rows; i++) {
		const struct sweep_row *row = &sweep->rows[i];

		if (!row->done || !row->result.check)
			continue;
		cli_error(cli, "engine %s: the model broke an invariant: %s", row->run.engine,
			  row->result.check_why);
		return EXIT_FAILED;
	}
	return EXIT_GOOD;
}

static int print_all(struct cli *cli, const struct sweep *sweep, const struct sweep_args *args)
{
	struct term term = term_of(stdout, (enum term_when)args->color);

	if (!args->json)
		table_print(sweep, args, &term);
	else if (!json_print(sweep, args))
		return EXIT_FAILED;
	return interrupted ? EXIT_INTERRUPTED : rows_check(cli, sweep);
}

static int draw_all(struct cli *cli, const struct sweep *sweep, struct sweep_args *args)
{
	char why[256];

	if (sweep_draw(sweep, &args->values, args->nr_engines ? args->nr_engines : 1,
		       &args->picture, why) < 0) {
		cli_error(cli, "%s", why);
		return EXIT_LACKING;
	}
	if (!args->json)
		picture_tell(&args->picture);
	return EXIT_GOOD;
}

static int sweep_machine(struct cli *cli, struct sweep_args *args, struct replay_machine *m)
{
	struct sweep sweep = {
		.m = m,
		.path = args->path,
		.nr_jobs = args->nr_jobs ? (unsigned)args->nr_jobs : cpus_of_host(),
		.stop = is_interrupted,
	};
	struct progress progress = progress_begin(stderr, args->quiet);
	int code = EXIT_LACKING;

	if (!rows_make(&sweep, args)) {
		cli_error(cli, "no memory for so many replays");
	} else {
		int error = sweep_run(&sweep, &progress);

		if (error) {
			cli_error(cli, "%s", sweep.why);
			code = error == -EINVAL ? EXIT_INPUT : EXIT_LACKING;
		} else {
			code = print_all(cli, &sweep, args);
			if (code == EXIT_GOOD)
				code = draw_all(cli, &sweep, args);
		}
	}
	sweep_free(&sweep);
	return code;
}

static int sweep_file(struct cli *cli, struct sweep_args *args)
{
	struct replay_machine machine = {0};
	struct qtrace trace;
	int code = EXIT_INPUT;

	if (qtrace_open(args->path, &trace) < 0) {
		cli_error(cli, "%s", trace.why);
	} else {
		if (trace.truncated)
			fprintf(stderr, "quire sweep: warning: %s\n", trace.why);
		if (replay_machine_read(&machine, &trace) < 0)
			cli_error_in(cli, args->path, machine.why);
		else
			code = sweep_machine(cli, args, &machine);
		replay_machine_free(&machine);
	}
	qtrace_close(&trace);
	return code;
}

static int run(struct cli *cli)
{
	struct sweep_args *args = calloc(1, sizeof(*args));
	struct sigaction action = {.sa_handler = on_signal};
	char why[256];
	int code;

	if (!args) {
		cli_error(cli, "no memory");
		return EXIT_LACKING;
	}
	code = cli_parse(cli, args);
	if (code < 0 && !args->path) {
		cli_error(cli, "which .qtrace?  make one with quire record or quire import");
		code = EXIT_USAGE;
	} else if (code < 0 && !args->values.nr) {
		cli_error(cli, "over which values?  say --set TUNABLE=FROM..TO, such as "
			       "--set watermark_scale_factor=10..1000:x2");
		code = EXIT_USAGE;
	}
	if (code < 0 && args->has_figure && !args->picture.svg) {
		cli_error(cli, "--figure says which one --svg FILE writes, and there is no --svg");
		code = EXIT_USAGE;
	}
	if (code < 0)
		sigaction(SIGINT, &action, NULL);
	if (code < 0 && picture_begin(&args->picture, why) < 0) {
		cli_error(cli, "%s", why);
		code = EXIT_LACKING;
	}
	if (code < 0)
		code = sweep_file(cli, args);
	picture_abort(&args->picture);
	free(args);
	return code;
}

const struct verb verb_sweep = {
	.name = "sweep",
	.summary = "replay a recording over a range of a tunable's values",
	.operands = "FILE",
	.description =
		"Replays the recording once as it was recorded and once with each value of a\n"
		"tunable, several replays at a time, and prints a row for each: free 2 MiB blocks\n"
		"at the end and at the worst, free pages, fallbacks, how the caches did.  Ctrl-C\n"
		"ends it and prints what there is.",
	.examples = "  quire sweep --set watermark_scale_factor=10..1000:x2 my.qtrace\n"
		    "  quire sweep --set percpu_pagelist_high_fraction=0,8,16,64 my.qtrace\n"
		    "  quire sweep --set min_free_kbytes=10000..100000:10000 \\\n"
		    "        --engine list --engine bitmap --html swept.html my.qtrace",
	.options = options,
	.operand = operand_take,
	.run = run,
};
