/* SPDX-License-Identifier: MIT */
/*
 * sweep.h - one recording, replayed with many values of one tunable
 *
 * Replays know nothing of each other, so several go at once, each in a thread with a reader of its
 * own; what was read of the machine they share.
 */
#ifndef QUIRE_TOOLS_SWEEP_H
#define QUIRE_TOOLS_SWEEP_H

#include "picture/picture.h"
#include "runs.h"
#include "settings.h"
#include "term.h"

enum { SWEEP_MAX_VALUES = 256, SWEEP_MAX_ENGINES = 4, SWEEP_MAX_JOBS = 64, SWEEP_SPREAD = 8 };

/* The values of a tunable: "FROM..TO", "FROM..TO:STEP", "FROM..TO:xFACTOR" or "A,B,C". */
struct sweep_values {
	enum qr_tunable tunable;
	unsigned nr;
	int64_t value[SWEEP_MAX_VALUES];
};

/* Does "TUNABLE=..." tell of more than one value? */
bool sweep_is_range(const char *setting);
/* Says by itself what is wrong; false then. */
bool sweep_take(const struct cli *cli, struct sweep_values *values, const char *setting);

struct sweep_row {
	struct run run;
	bool has_value; /* else as recorded */
	int64_t value;
	bool done; /* .result is that of a whole replay */
	struct replay_result result;
};

struct sweep {
	const struct replay_machine *m;
	const char *path; /* of the recording */
	struct sweep_row *rows;
	unsigned nr_rows;
	unsigned nr_jobs;
	bool (*stop)(void); /* asked often: is it to end now? */
	char why[256]; /* what failed */
};

/* 0, or a negative errno with .why; rows that were not played by then are not done. */
int sweep_run(struct sweep *sweep, struct progress *progress);
void sweep_free(struct sweep *sweep);

/*
 * A sweep of which every row is done, drawn: engine by engine the rows are as recorded, then the
 * values.  0, or a negative errno with a sentence in why.
 */
int sweep_draw(const struct sweep *sweep, const struct sweep_values *values, unsigned nr_engines,
	       struct picture_request *request, char why[256]);

#endif /* QUIRE_TOOLS_SWEEP_H */
