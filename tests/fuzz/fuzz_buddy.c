/* SPDX-License-Identifier: MIT */
/*
 * fuzz_buddy.c - any stream of operations on the list engine does what the model does
 *
 * The first bytes choose the machine, all others the operations and their arguments.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/buddy_model.h"

/* Each step may cost as much as a look at every frame. */
#define MAX_STEPS 2000

struct byte_stream {
	struct model_stream stream;
	const uint8_t *data;
	size_t size;
};

static uint32_t byte_next(struct model_stream *stream, uint32_t limit)
{
	struct byte_stream *bytes = (struct byte_stream *)stream;
	uint32_t value = 0;

	for (uint32_t reach = 1; reach < limit && bytes->size; reach *= 256) {
		value = value << 8 | *bytes->data++;
		bytes->size--;
		if (reach >= UINT32_C(1) << 24)
			break;
	}
	return value % limit;
}

static bool byte_done(const struct model_stream *stream)
{
	return ((const struct byte_stream *)stream)->size == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct byte_stream bytes = {{byte_next, byte_done}, data, size};
	struct model_stream *stream = &bytes.stream;
	struct model_config config = {
		.layout = stream->next(stream, MODEL_NR_LAYOUTS),
		.guard_minorder = stream->next(stream, QR_MAX_PAGE_ORDER / 2 + 1),
		.shuffle = stream->next(stream, 2),
		.mobility_disabled = stream->next(stream, 2),
		.holes = stream->next(stream, 2),
	};
	struct model *model = model_new(&config, stream);

	model_name(model, "fuzz");
	for (unsigned i = 1; i < MAX_STEPS && !stream->done(stream); i++) {
		model_step(model);
		if (i % 8 == 0)
			model_compare(model);
	}
	model_compare(model);
	model_free(model);
	return 0;
}
