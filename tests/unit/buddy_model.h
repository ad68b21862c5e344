/* SPDX-License-Identifier: MIT */
/*
 * buddy_model.h - a buddy engine so simple that it can be believed, to compare real ones with
 *
 * The model keeps what it knows in plain arrays, one entry for each frame, and its lists as arrays
 * in order.  It takes blocks one by one, joins by looking, and has its own record of pageblock
 * types and of what is isolated.  Each step does the same to a real engine and to the model, and
 * compares what they answer; model_compare() compares all that can be seen.
 *
 * Steps are chosen by a stream of numbers: random ones, or a fuzzer's bytes.
 */
#ifndef TESTS_UNIT_BUDDY_MODEL_H
#define TESTS_UNIT_BUDDY_MODEL_H

#include "buddy_machine.h"

#define MODEL_MAX_ZONES 3

/* What a run is like. */
struct model_config {
	unsigned layout; /* below MODEL_NR_LAYOUTS: which zones, and where they begin and end */
	unsigned guard_minorder;
	bool shuffle;
	bool mobility_disabled;
	bool holes; /* frames here and there that are no memory */
};

#define MODEL_NR_LAYOUTS 4

/* The next number below @limit; the stream is at its end when done() says so. */
struct model_stream {
	uint32_t (*next)(struct model_stream *stream, uint32_t limit);
	bool (*done)(const struct model_stream *stream);
};

struct model;

struct model *model_new(const struct model_config *config, struct model_stream *stream);
void model_free(struct model *model);
/* Printed when something differs, so that the run can be repeated. */
void model_name(struct model *model, const char *name);

/* One operation, chosen by the stream. */
void model_step(struct model *model);
/* Compare everything; aborts with a sentence. */
void model_compare(struct model *model);

#endif /* TESTS_UNIT_BUDDY_MODEL_H */
