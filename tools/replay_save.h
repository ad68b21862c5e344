/* SPDX-License-Identifier: MIT */
/*
 * replay_save.h - a replay's end as a recording of its own
 *
 * The file has the state of the model's machine, as the library shows it, as the state before, and
 * no events; so whatever reads a recording reads it: `quire show`, `info`, `replay`.  Beside the
 * files that a machine has, it tells the type of each pageblock, which no machine does.
 */
#ifndef QUIRE_TOOLS_REPLAY_SAVE_H
#define QUIRE_TOOLS_REPLAY_SAVE_H

#include "replay/replay.h"

struct replay_save {
	const char *path;
	bool overwrite;
	const char *source; /* the recording that was played */
	const char *label; /* and how */
};

/* For replay_config.at_end; arg is a struct replay_save. */
int replay_save_end(void *arg, struct model *model, char why[256]);

#endif /* QUIRE_TOOLS_REPLAY_SAVE_H */
