/* SPDX-License-Identifier: MIT */
/*
 * show_trace.h - `quire show` of a recording: the machine's own files, and a map
 */
#ifndef QUIRE_TOOLS_SHOW_TRACE_H
#define QUIRE_TOOLS_SHOW_TRACE_H

#include "cli.h"
#include "show.h"

struct show_trace {
	const char *path;
	const char *view; /* "buddyinfo", ...; "map" */
	bool after; /* the state after the recording, not before it */
	bool json;
	struct term term;
	unsigned nr_per_cell; /* of the map */
};

/* Does this file begin as recordings do? */
bool show_is_trace(const char *path);

/* Returns an exit code; what is wrong has been said. */
int show_trace(const struct cli *cli, const struct show_trace *show);

#endif /* QUIRE_TOOLS_SHOW_TRACE_H */
