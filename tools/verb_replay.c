/* SPDX-License-Identifier: MIT */
/*
 * verb_replay.c - `quire replay`: a recorded machine, under the same or other settings
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "picture/picture.h"
#include "replay_report.h"
#include "replay_save.h"
#include "runs.h"
#include "term.h"
#include "text.h"
#include "verbs.h"

struct replay {
	const char *path;
	struct run base; /* what --set and --cpus say; its engine is the first one */
	const char *engines[RUNS_MAX];
	unsigned nr_engines;
	struct run differences[RUNS_MAX]; /* --compare */
	unsigned nr_differences;
	struct run runs[RUNS_MAX];
	unsigned nr_runs;
	struct picture_request picture;
	bool has_figure;
	unsigned color;
	const char *save_end; /* NULL: nowhere */
	bool force, json, quiet;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static bool has_room(const struct cli *cli, const struct replay *replay)
{
	if (replay->nr_engines + replay->nr_differences < RUNS_MAX)
		return true;
	return cli_error(cli, "at most %d replays can be compared", RUNS_MAX);
}

static bool engine_take(struct cli *cli, void *into, const char *value)
{
	struct replay *replay = into;
	struct run run;

	if (!run_take_engine(cli, &run, value) || !has_room(cli, replay))
		return false;
	replay->engines[replay->nr_engines++] = run.engine;
	return true;
}

static bool set_take(struct cli *cli, void *into, const char *value)
{
	return run_take_setting(cli, &((struct replay *)into)->base, value);
}

static bool cpus_take(struct cli *cli, void *into, const char *value)
{
	return run_take_cpus(cli, &((struct replay *)into)->base, value);
}

static bool compare_take(struct cli *cli, void *into, const char *value)
{
	struct replay *replay = into;

	if (!has_room(cli, replay))
		return false;
	return run_take_differences(cli, &replay->differences[replay->nr_differences++], value);
}

static bool save_end_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct replay *)into)->save_end = value;
	return true;
}

static bool force_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct replay *)into)->force = true;
}

static bool html_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct replay *)into)->picture.html = value;
	return true;
}

static bool svg_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct replay *)into)->picture.svg = value;
	return true;
}

static bool figure_take(struct cli *cli, void *into, const char *value)
{
	struct replay *replay = into;

	replay->has_figure = true;
	return cli_word(cli, value, picture_figures, &replay->picture.figure);
}

static bool color_take(struct cli *cli, void *into, const char *value)
{
	return cli_word(cli, value, term_when_words, &((struct replay *)into)->color);
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct replay *)into)->json = true;
}

static bool quiet_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct replay *)into)->quiet = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct replay *replay = into;

	if (replay->path)
		return cli_error(cli, "'%s' is too much: there is one trace at a time", value);
	replay->path = value;
	return true;
}

static const struct cli_option options[] = {
	{"engine", "NAME", engine_take,
	 "list (Linux's own way, the default) or bitmap; given\n"
	 "several times, the replays are compared"},
	{"set", "TUNABLE=VALUE", set_take, "after the recorded sysctls; any number of times"},
	{"cpus", "N", cpus_take, "CPUs of the model; default as recorded"},
	{"compare", "KEY=VALUE,...", compare_take,
	 "play it once more, with these differences, and lay\n"
	 "all replays side by side.  KEY is engine, cpus or a\n"
	 "tunable; any number of times"},
	{"save-end", "FILE.qtrace", save_end_take,
	 "write the state at the end, for quire show, info and\n"
	 "replay; of several replays that of the first"},
	{"force", NULL, force_take, "replace an existing file"},
	{"html", "FILE", html_take, "draw it all: a page of its own, with a map to zoom"},
	{"svg", "FILE", svg_take, "draw one figure"},
	{"figure", "NAME", figure_take,
	 "which: huge (free 2 MiB blocks, the default), orders,\n"
	 "free, cached, blocks or map"},
	{"color", "WHEN", color_take, "auto, always or never"},
	{"json", NULL, json_take, "print JSON; quire-replay(1) describes it"},
	{"quiet", NULL, quiet_take, "no progress line"},
	{NULL, NULL, NULL, NULL},
};

static bool on_progress(void *arg, uint64_t done, uint64_t all)
{
	struct progress *progress = arg;

	if (progress_due(progress, term_clock()))
		progress_show(progress, "%s of %s events", text_grouped(done).text,
			      text_grouped(all).text);
	return !interrupted;
}

/* The base with each engine, then the base with each of the differences. */
static void runs_make(struct replay *replay)
{
	if (replay->nr_engines)
		replay->base.engine = replay->engines[0];
	replay->runs[replay->nr_runs++] = replay->base;
	for (unsigned i = 1; i < replay->nr_engines; i++) {
		replay->runs[replay->nr_runs] = replay->base;
		replay->runs[replay->nr_runs++].engine = replay->engines[i];
	}
	for (unsigned i = 0; i < replay->nr_differences && replay->nr_runs < RUNS_MAX; i++) {
		replay->runs[replay->nr_runs] = replay->base;
		run_change(&replay->runs[replay->nr_runs++], &replay->differences[i]);
	}
}

static int run_one(const struct replay *replay, const struct replay_machine *m, unsigned which,
		   struct replay_result *result)
{
	struct progress progress = progress_begin(stderr, replay->quiet);
	struct replay_config config = run_config(&replay->runs[which]);
	char label[REPLAY_LABEL_SIZE];
	struct replay_save save = {
		.path = replay->save_end,
		.overwrite = replay->force,
		.source = replay->path,
		.label = label,
	};
	int error;

	runs_label(replay->runs, 1, 0, label);
	config.progress = on_progress;
	config.progress_arg = &progress;
	if (replay->save_end && which == 0) {
		config.at_end = replay_save_end;
		config.at_end_arg = &save;
	}
	error = replay_run(m, &config, result);
	progress_clear(&progress);
	runs_label(replay->runs, replay->nr_runs, which, result->label);
	return error;
}

static int print_all(const struct replay *replay, const struct replay_machine *m,
		     const struct replay_result *results, unsigned nr)
{
	struct term term = term_of(stdout, (enum term_when)replay->color);
	json_t *document, *runs;

	if (!replay->json) {
		replay_print(m, &results[0], &term);
		if (nr > 1)
			replay_compare_print(m, results, nr, &term);
		return EXIT_GOOD;
	}
	document = json_document("quire-replay", REPLAY_VERSION);
	json_put_text(document, "file", replay->path);
	runs = replay_json(m, &results[0]);
	json_object_update(document, runs);
	json_decref(runs);
	if (nr > 1) {
		runs = json_array();
		for (unsigned i = 0; i < nr; i++)
			json_array_append_new(runs, replay_json(m, &results[i]));
		json_put(document, "runs", runs);
	}
	return json_finish(document) ? EXIT_GOOD : EXIT_FAILED;
}

static int draw_all(const struct cli *cli, struct replay *replay, const struct replay_machine *m,
		    const struct replay_result *results, unsigned nr)
{
	const struct picture picture = {
		.file = replay->path, .machine = m, .runs = results, .nr_runs = nr};
	char why[256];

	if (picture_finish(&replay->picture, &picture, why) < 0) {
		cli_error(cli, "%s", why);
		return EXIT_LACKING;
	}
	if (!replay->json)
		picture_tell(&replay->picture);
	return EXIT_GOOD;
}

static int replay_all(struct cli *cli, struct replay *replay, struct replay_machine *m)
{
	struct replay_result results[RUNS_MAX];
	unsigned nr = 0;
	int code = EXIT_GOOD;

	if (replay->save_end && !replay->force && access(replay->save_end, F_OK) == 0) {
		cli_error(cli, "%s exists already; name another file or say --force",
			  replay->save_end);
		return EXIT_LACKING;
	}
	runs_make(replay);
	while (code == EXIT_GOOD && nr < replay->nr_runs && !interrupted) {
		int error = run_one(replay, m, nr, &results[nr]);

		if (error < 0) {
			cli_error(cli, "%s", results[nr].why);
			code = error == -EINVAL ? EXIT_INPUT : EXIT_LACKING;
		} else if (results[nr].check) {
			code = EXIT_FAILED;
		}
		nr++;
	}
	if (nr && (code == EXIT_GOOD || code == EXIT_FAILED)) {
		int printed = print_all(replay, m, results, nr);
		int drawn = interrupted ? EXIT_GOOD : draw_all(cli, replay, m, results, nr);

		code = code == EXIT_GOOD ? printed : code;
		code = code == EXIT_GOOD ? drawn : code;
	}
	for (unsigned i = 0; i < nr; i++)
		replay_result_free(&results[i]);
	return interrupted ? EXIT_INTERRUPTED : code;
}

static int replay_file(struct cli *cli, struct replay *replay)
{
	struct replay_machine machine = {0};
	struct qtrace trace;
	int code = EXIT_INPUT;

	if (qtrace_open(replay->path, &trace) < 0) {
		cli_error(cli, "%s", trace.why);
	} else {
		if (trace.truncated)
			fprintf(stderr, "quire replay: warning: %s\n", trace.why);
		if (replay_machine_read(&machine, &trace) < 0)
			cli_error_in(cli, replay->path, machine.why);
		else
			code = replay_all(cli, replay, &machine);
		replay_machine_free(&machine);
	}
	qtrace_close(&trace);
	return code;
}

static int run(struct cli *cli)
{
	struct replay replay = {0};
	struct sigaction action = {.sa_handler = on_signal};
	int code = cli_parse(cli, &replay);
	char why[256];

	if (code < 0 && !replay.path) {
		cli_error(cli, "which .qtrace?  make one with quire record or quire import");
		code = EXIT_USAGE;
	}
	if (code < 0 && replay.has_figure && !replay.picture.svg) {
		cli_error(cli, "--figure says which one --svg FILE writes, and there is no --svg");
		code = EXIT_USAGE;
	}
	if (code < 0)
		sigaction(SIGINT, &action, NULL);
	if (code < 0 && picture_begin(&replay.picture, why) < 0) {
		cli_error(cli, "%s", why);
		code = EXIT_LACKING;
	}
	if (code < 0)
		code = replay_file(cli, &replay);
	picture_abort(&replay.picture);
	return code;
}

const struct verb verb_replay = {
	.name = "replay",
	.summary = "play a recorded machine's page traffic again, under other settings too",
	.operands = "FILE",
	.description =
		"Builds the machine of the recording in the state it had, plays every\n"
		"allocation and free on its CPU in order, and tells what became of the memory:\n"
		"free blocks, 2 MiB blocks over time, fallbacks, how the caches did; and how far\n"
		"the end lies from the real machine's.",
	.examples = "  quire replay my.qtrace\n"
		    "  quire replay --engine list --engine bitmap my.qtrace\n"
		    "  quire replay --compare watermark_scale_factor=200 \\\n"
		    "        --compare engine=bitmap,cpus=1 my.qtrace\n"
		    "  quire replay --engine list --engine bitmap --html my.html my.qtrace\n"
		    "  quire replay --svg orders.svg --figure orders my.qtrace\n"
		    "  quire replay --set watermark_scale_factor=200 --json my.qtrace",
	.options = options,
	.operand = operand_take,
	.run = run,
};
