/* SPDX-License-Identifier: MIT */
/*
 * buddy_model_inside.h - what the model knows; for its own files
 */
#ifndef TESTS_UNIT_BUDDY_MODEL_INSIDE_H
#define TESTS_UNIT_BUDDY_MODEL_INSIDE_H

#include "buddy_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define MAX_ORDER QR_MAX_PAGE_ORDER

enum frame_state { ABSENT, FREE, GUARD, HELD };

struct model_frame {
	int8_t zone; /* whose it is; -1: no memory */
	uint8_t state; /* enum frame_state */
	int8_t order; /* of the block that begins here; -1: none does */
	bool reported;
};

/* Blocks in order. */
struct blocks {
	struct qr_block *block;
	size_t nr, room;
};

struct model_zone {
	struct qr_zone *zone;
	qr_pfn_t start_pfn, end_pfn;
	struct blocks lists[QR_NR_PAGE_ORDERS][QR_MIGRATE_TYPES];
};

struct model {
	struct model_config config;
	struct model_stream *stream;
	struct buddy_machine *machine;
	char name[64];
	uint64_t nr_steps;
	qr_pfn_t base_pfn, end_pfn;
	struct model_frame *frames;
	uint8_t *types; /* of each pageblock, beneath an isolation */
	bool *isolated;
	struct model_zone zones[MODEL_MAX_ZONES];
	unsigned nr_zones;
	struct blocks held;
};

/* The engine and the model disagree: say where, and stop. */
_Noreturn void model_differs(const struct model *model, const char *fmt, ...);

#define EXPECT(model, cond, ...) \
	do { \
		if (!(cond)) \
			model_differs((model), __VA_ARGS__); \
	} while (0)

static inline unsigned long long ull(uint64_t x)
{
	return x;
}

static inline struct model_frame *frame_at(const struct model *model, qr_pfn_t pfn)
{
	return &model->frames[pfn - model->base_pfn];
}

static inline bool frame_exists(const struct model *model, qr_pfn_t pfn)
{
	return pfn >= model->base_pfn && pfn < model->end_pfn;
}

static inline size_t pageblock_of(const struct model *model, qr_pfn_t pfn)
{
	return (size_t)((pfn >> QR_PAGEBLOCK_ORDER) - (model->base_pfn >> QR_PAGEBLOCK_ORDER));
}

static inline enum qr_migratetype type_of(const struct model *model, qr_pfn_t pfn)
{
	size_t i = pageblock_of(model, pfn);

	return model->isolated[i] ? QR_MIGRATE_ISOLATE : (enum qr_migratetype)model->types[i];
}

#endif /* TESTS_UNIT_BUDDY_MODEL_INSIDE_H */
