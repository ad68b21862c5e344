/* SPDX-License-Identifier: MIT */
/*
 * replay_report.h - what `quire replay` says of one replay or several
 */
#ifndef QUIRE_TOOLS_REPLAY_REPORT_H
#define QUIRE_TOOLS_REPLAY_REPORT_H

#include "json.h"
#include "replay/replay.h"
#include "term.h"

enum { REPLAY_VERSION = 1 }; /* of the JSON; see quire-replay(1) */

/* The terminal's report of one replay; with several, of how they differ. */
void replay_print(const struct replay_machine *m, const struct replay_result *r,
		  const struct term *term);
void replay_compare_print(const struct replay_machine *m, const struct replay_result *results,
			  unsigned nr, const struct term *term);

/* "list", "bitmap, watermark_scale_factor=200": how one replay differs from others. */
struct replay_label {
	char text[REPLAY_LABEL_SIZE];
};
struct replay_label replay_label(const struct replay_result *r);

/* Measures that tables and JSON both have. */
uint64_t replay_least_2m(const struct replay_result *r); /* free 2 MiB blocks, at the worst */
double replay_hit_rate(const struct replay_result *r); /* of the caches, 0 to 1 */
double replay_speed(const struct replay_result *r); /* events a second */

/* One replay as a JSON object. */
json_t *replay_json(const struct replay_machine *m, const struct replay_result *r);

#endif /* QUIRE_TOOLS_REPLAY_REPORT_H */
