/* SPDX-License-Identifier: MIT */
/*
 * runs.h - ways to play one recording: what the user chose for each, and how each is called
 *
 * A run is an engine, a number of CPUs and tunables.  The first is the base; others are the base
 * with some differences, as --compare gives them: "engine=bitmap,watermark_scale_factor=200".
 * Among several, a run is called by what it has and not all of them have.
 */
#ifndef QUIRE_TOOLS_RUNS_H
#define QUIRE_TOOLS_RUNS_H

#include "cli.h"
#include "replay/replay.h"

enum { RUNS_MAX = 16 };

struct run {
	const char *engine; /* NULL: not chosen */
	unsigned nr_cpus; /* 0: as recorded */
	struct replay_setting settings[QR_NR_TUNABLES];
	unsigned nr_settings;
};

/* Values of options; each says what is wrong by itself and returns false. */
bool run_take_engine(const struct cli *cli, struct run *run, const char *name);
bool run_take_cpus(const struct cli *cli, struct run *run, const char *number);
bool run_take_setting(const struct cli *cli, struct run *run, const char *setting);
/* "KEY=VALUE,...": engine, cpus or a tunable. */
bool run_take_differences(const struct cli *cli, struct run *run, const char *differences);

/* The only kind of tunable that a replay can set is a number that can also be read back. */
bool run_tunable_usable(const struct cli *cli, enum qr_tunable tunable);

void run_set(struct run *run, enum qr_tunable tunable, int64_t value);
/* Where the differences say something, it holds. */
void run_change(struct run *run, const struct run *differences);

struct replay_config run_config(const struct run *run);

/* Room for a run's name; each result keeps its own. */
void runs_label(const struct run *runs, unsigned nr, unsigned which, char label[REPLAY_LABEL_SIZE]);

#endif /* QUIRE_TOOLS_RUNS_H */
