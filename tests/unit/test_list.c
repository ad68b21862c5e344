/* SPDX-License-Identifier: MIT */
/*
 * test_list.c - lists by index, bitmaps and small arithmetic, each against the obvious way
 */
#include "support.h"

#include "base/bitmap.h"
#include "base/list.h"

#define NR 24

struct element {
	unsigned before; /* links need not lie at the start of an element */
	struct qr_link link;
};

static struct element elements[NR];

static struct qr_links links_of(void)
{
	return (struct qr_links){.base = &elements[0].link, .stride = sizeof(elements[0])};
}

/* What a list should be: an array. */
struct model {
	uint32_t at[NR];
	unsigned nr;
};

static void model_insert(struct model *model, unsigned place, uint32_t i)
{
	memmove(&model->at[place + 1], &model->at[place],
		(model->nr - place) * sizeof(model->at[0]));
	model->at[place] = i;
	model->nr++;
}

static void model_remove(struct model *model, unsigned place)
{
	model->nr--;
	memmove(&model->at[place], &model->at[place + 1],
		(model->nr - place) * sizeof(model->at[0]));
}

static void model_rotate(struct model *model, unsigned place)
{
	struct model old = *model;

	for (unsigned k = 0; k < old.nr; k++)
		model->at[k] = old.at[(place + k) % old.nr];
}

/* Forwards and backwards, the list is the array. */
static void compare(const struct qr_list *list, const struct model *model)
{
	uint32_t i = list->first, previous = QR_LIST_NONE;

	for (unsigned k = 0; k < model->nr; k++) {
		assert_int_equal(i, model->at[k]);
		assert_int_equal(elements[i].link.prev, previous);
		previous = i;
		i = elements[i].link.next;
	}
	assert_int_equal(i, QR_LIST_NONE);
	assert_int_equal(list->last, previous);
	assert_int_equal(qr__list_empty(list), model->nr == 0);
}

static void list_step(struct qr_list *list, struct model *model, uint64_t *random)
{
	uint32_t i = (uint32_t)test_random_below(random, NR);
	unsigned place = 0;

	while (place < model->nr && model->at[place] != i)
		place++;
	if (place == model->nr) {
		bool front = test_random(random) >> 63;

		if (front)
			qr__list_push_front(list, links_of(), i);
		else
			qr__list_push_back(list, links_of(), i);
		model_insert(model, front ? 0 : model->nr, i);
		return;
	}
	switch (test_random_below(random, 3)) {
	case 0:
		qr__list_remove(list, links_of(), i);
		model_remove(model, place);
		break;
	case 1:
		assert_int_equal(qr__list_pop_front(list, links_of()), model->at[0]);
		model_remove(model, 0);
		break;
	default:
		qr__list_rotate_to(list, links_of(), i);
		model_rotate(model, place);
		break;
	}
}

static void list_is_the_array(void **state)
{
	uint64_t seed = test_seed(11), random = seed;
	struct model model = {.nr = 0};
	struct qr_list list;

	(void)state;
	print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
	memset(elements, 0xee, sizeof(elements));
	qr__list_init(&list);
	for (unsigned step = 0; step < 20000; step++) {
		list_step(&list, &model, &random);
		compare(&list, &model);
	}
	for (unsigned i = 0; i < NR; i++)
		assert_int_equal(elements[i].before, 0xeeeeeeee);
}

static void bitmap_is_an_array_of_flags(void **state)
{
	enum { BITS = 200 };
	_Atomic uint64_t map[QR_BITMAP_WORDS(BITS)] = {0};
	bool model[BITS] = {false};
	uint64_t random = test_seed(12);

	(void)state;
	assert_int_equal(QR_BITMAP_WORDS(64), 1);
	assert_int_equal(QR_BITMAP_WORDS(65), 2);
	for (unsigned step = 0; step < 3000; step++) {
		size_t bit = (size_t)test_random_below(&random, BITS), next;

		model[bit] = test_random(&random) % 5 == 0;
		if (model[bit])
			qr__bit_set(map, bit);
		else
			qr__bit_clear(map, bit);
		assert_int_equal(qr__bit_test(map, bit), model[bit]);

		bit = (size_t)test_random_below(&random, BITS);
		for (next = bit; next < BITS && !model[next]; next++)
			;
		assert_int_equal(qr__bit_next(map, bit, BITS), next);
	}
	/* A set bit beyond the end is not found. */
	qr__bit_set(map, 70);
	assert_int_equal(qr__bit_next(map, 65, 70) <= 70, true);
}

static void arithmetic(void **state)
{
	(void)state;
	assert_int_equal(qr__fls64(0), 0);
	assert_int_equal(qr__fls64(1), 1);
	assert_int_equal(qr__fls64(UINT64_MAX), 64);
	assert_int_equal(qr__order_for(1), 0);
	assert_int_equal(qr__order_for(2), 1);
	assert_int_equal(qr__order_for(3), 2);
	assert_int_equal(qr__order_for(1025), 11);
	assert_int_equal(qr__rounddown_pow2(1023), 512);
	assert_int_equal(qr__rounddown_pow2(1024), 1024);
	assert_int_equal(qr__align_up(4097, 4096), 8192);
	assert_int_equal(qr__align_up(4096, 4096), 4096);
	assert_int_equal(qr__align_down(4097, 4096), 4096);
	assert_int_equal(qr__clamp(5, 7, 9), 7);
	assert_int_equal(qr__clamp(10, 7, 9), 9);
	for (uint64_t root = 0; root < 3000; root++) {
		assert_int_equal(qr__isqrt(root * root), root);
		assert_int_equal(qr__isqrt(root * root + 2 * root), root);
	}
	assert_int_equal(qr__isqrt(UINT64_MAX), UINT32_MAX);
	for (unsigned bit = 0; bit < 64; bit++) {
		assert_int_equal(qr__popcount64(UINT64_C(1) << bit), 1);
		assert_int_equal(qr__popcount64(~UINT64_C(0) >> bit), 64 - bit);
		assert_int_equal(qr__ctz64(~UINT64_C(0) << bit), bit);
	}
	assert_int_equal(qr__popcount64(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_the_array),
		cmocka_unit_test(bitmap_is_an_array_of_flags),
		cmocka_unit_test(arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
