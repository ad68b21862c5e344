/* SPDX-License-Identifier: MIT */
/*
 * test_buddy_model.c - random operations on the buddy engine, compared with the model
 *
 * QR_TEST_SEED=n runs a single seed in all configurations; the seed is printed when something
 * differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy_model.h"
#include "effort.h"

/* Comparing looks at every frame; the larger the machine, the less of it. */
#define NR_FRAMES (3 * QR_MAX_ORDER_NR_PAGES)
#define NR_COMPARES (NR_FRAMES > 100000 ? 4 : NR_FRAMES > 1000 ? 40 : 400)
#define NR_STEPS (NR_FRAMES > 100000 ? 60 : NR_FRAMES > 1000 ? 25 : 10) /* between two */
#define NR_SEEDS (NR_FRAMES > 100000 ? 2 : NR_FRAMES > 1000 ? 20 : 12)

struct random_stream {
	struct model_stream stream;
	uint64_t state;
};

static uint32_t random_next(struct model_stream *stream, uint32_t limit)
{
	struct random_stream *random = (struct random_stream *)stream;
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 32) % limit;
}

static bool random_done(const struct model_stream *stream)
{
	(void)stream;
	return false;
}

static void seed_run(const struct model_config *config, uint64_t seed)
{
	struct random_stream random = {{random_next, random_done}, seed};
	struct model *model = model_new(config, &random.stream);
	char name[64];

	snprintf(name, sizeof(name), "QR_TEST_SEED=%llu, layout %u", (unsigned long long)seed,
		 config->layout);
	model_name(model, name);
	model_compare(model);
	for (unsigned i = 0; i < NR_COMPARES; i++) {
		for (unsigned k = 0; k < NR_STEPS; k++)
			model_step(model);
		model_compare(model);
	}
	model_free(model);
}

static void config_run(struct model_config config)
{
	const char *only = getenv("QR_TEST_SEED");

	for (config.layout = 0; config.layout < MODEL_NR_LAYOUTS; config.layout++) {
		if (only) {
			seed_run(&config, strtoull(only, NULL, 0));
			continue;
		}
		for (uint64_t seed = 1; seed <= test_effort(NR_SEEDS, 2); seed++)
			seed_run(&config, seed);
	}
}

static void test_plain(void **state)
{
	(void)state;
	config_run((struct model_config){0});
}

static void test_holes(void **state)
{
	(void)state;
	config_run((struct model_config){.holes = true});
}

static void test_guard_pages(void **state)
{
	(void)state;
	config_run((struct model_config){.guard_minorder = QR_MAX_PAGE_ORDER / 2});
}

static void test_shuffled(void **state)
{
	(void)state;
	config_run((struct model_config){.shuffle = true, .holes = true});
}

static void test_no_grouping(void **state)
{
	(void)state;
	config_run((struct model_config){.mobility_disabled = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),       cmocka_unit_test(test_holes),
		cmocka_unit_test(test_guard_pages), cmocka_unit_test(test_shuffled),
		cmocka_unit_test(test_no_grouping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
