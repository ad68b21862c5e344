/* SPDX-License-Identifier: MIT */
/*
 * test_extfrag.c - indices of fragmentation
 */
#include "hoard.h"

#include "watch/extfrag.h"

struct vector {
	const char *name;
	uint64_t nr_blocks[QR_NR_PAGE_ORDERS];
	unsigned order;
	uint64_t nr_free;
	int index, unusable;
	unsigned percent;
};

static const struct vector vectors[] = {
	{"1000 single pages", {1000}, 9, 1000, 998, 1000, 100},
	{"100 of order 3", {0, 0, 0, 100}, 9, 800, 975, 1000, 100},
	{"10 single, 1 of order 9", {10, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 9, 522, -1000, 19, 1},
	{"small ones", {2000, 500, 100}, 4, 3400, 918, 1000, 100},
	{"4 single", {4}, 9, 4, 749, 1000, 100},
	{"1 of order 8", {0, 0, 0, 0, 0, 0, 0, 0, 1}, 9, 256, -500, 1000, 100},
	{"none", {0}, 3, 0, 0, 1000, 0},
	/* By hand: larger blocks count as several, and order 0 is never unusable. */
	{"1 of order 10", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 8, 1024, -1000, 0, 0},
	{"order 0 of anything", {3, 2, 1}, 0, 11, -1000, 0, 0},
	{"half of it", {8, 0, 0, 1}, 3, 16, -1000, 500, 50},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct qr_extfrag frag;

		qr__extfrag_count(v->nr_blocks, v->order, &frag);
		if (frag.nr_free != v->nr_free ||
		    qr__fragmentation_index_for(&frag, v->order) != v->index ||
		    qr__unusable_free_index_for(&frag, v->order) != v->unusable ||
		    qr__extfrag_percent_for(&frag, v->order) != v->percent)
			fail_msg("%s: free %llu, index %d, unusable %d, %u %%", v->name,
				 (unsigned long long)frag.nr_free,
				 qr__fragmentation_index_for(&frag, v->order),
				 qr__unusable_free_index_for(&frag, v->order),
				 qr__extfrag_percent_for(&frag, v->order));
	}
}

static const char *line_of(char *text, size_t size, struct quire *q,
			   size_t (*show)(struct quire *q, char *buf, size_t size))
{
	assert_true(show(q, text, size) < size);
	return text;
}

/* 4096 frames: four blocks of order 10, of which one page is taken. */
static void test_of_an_instance(void **state)
{
	struct test_machine *m = test_machine_new();
	char text[1024];

	(void)state;
	test_machine_one_zone(m, 4096);
	test_machine_create(m);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 10), -1000);
	assert_int_equal(qr_unusable_free_index(m->q, 0, QR_ZONE_NORMAL, 10), 0);
	assert_string_equal(line_of(text, sizeof(text), m->q, qr_show_extfrag_index),
			    "Node 0, zone   Normal -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 "
			    "-1.000 -1.000 -1.000 -1.000 -1.000 \n");
	assert_string_equal(line_of(text, sizeof(text), m->q, qr_show_unusable_index),
			    "Node 0, zone   Normal 0.000 0.000 0.000 0.000 0.000 0.000 0.000 "
			    "0.000 0.000 0.000 0.000 \n");
	test_machine_free(m);
}

/* Every second page of all memory: as fragmented as can be. */
static void test_of_a_fragmented_instance(void **state)
{
	struct test_machine *m = test_machine_new();
	char text[1024];
	struct hoard h;

	(void)state;
	test_machine_one_zone(m, 4096);
	test_machine_create(m);
	h = hoard_new(m->q);
	while (hoard_take(&h, QR_GFP_HIGHUSER_MOVABLE | QR___GFP_MEMALLOC, 0))
		;
	assert_int_equal(h.nr, 4096);
	for (size_t i = 0; i < h.nr; i++)
		if (qr_page_to_pfn(m->q, h.entries[i].page) % 2)
			qr___free_pages(m->q, h.entries[i].page, 0);
	qr_drain_all_pages(m->q, NULL);

	/* 1000 - (1000 + 2048 * 1000 / 2^order) / 2048 */
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 0), -1000);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 1), 500);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 3), 875);
	assert_int_equal(qr_unusable_free_index(m->q, 0, QR_ZONE_NORMAL, 1), 1000);
	assert_int_equal(qr_extfrag_for_order(m->q, 0, QR_ZONE_NORMAL, 1), 100);
	assert_int_equal(qr_extfrag_for_order(m->q, 0, QR_ZONE_NORMAL, 0), 0);
	assert_string_equal(line_of(text, sizeof(text), m->q, qr_show_extfrag_index),
			    "Node 0, zone   Normal -1.000 0.500 0.750 0.875 0.938 0.969 0.984 "
			    "0.992 0.996 0.998 0.999 \n");
	assert_string_equal(line_of(text, sizeof(text), m->q, qr_show_unusable_index),
			    "Node 0, zone   Normal 0.000 1.000 1.000 1.000 1.000 1.000 1.000 "
			    "1.000 1.000 1.000 1.000 \n");

	for (size_t i = 0; i < h.nr; i++)
		if (qr_page_to_pfn(m->q, h.entries[i].page) % 2 == 0)
			qr___free_pages(m->q, h.entries[i].page, 0);
	free(h.entries);
	test_machine_free(m);
}

/* The file's odd numbers: below zero, but not -1. */
static void test_negative_index(void **state)
{
	struct test_machine *m = test_machine_new();
	char text[1024];

	(void)state;
	test_machine_one_zone(m, 256);
	test_machine_create(m);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 9), -500);
	line_of(text, sizeof(text), m->q, qr_show_extfrag_index);
	assert_non_null(strstr(text, " -1.000 0.-500 0.-250 \n"));
	test_machine_free(m);
}

static void test_no_such_zone(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_one_zone(m, 4096);
	test_machine_create(m);
	assert_int_equal(qr_fragmentation_index(m->q, 1, QR_ZONE_NORMAL, 0), 0);
	assert_int_equal(qr_fragmentation_index(m->q, -1, QR_ZONE_NORMAL, 0), 0);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_MOVABLE, 0), 0);
	assert_int_equal(qr_fragmentation_index(m->q, 0, QR_ZONE_NORMAL, 99), 0);
	assert_int_equal(qr_unusable_free_index(m->q, 0, QR_ZONE_HIGHMEM, 0), 1000);
	assert_int_equal(qr_extfrag_for_order(m->q, 0, QR_NR_ZONES, 0), 0);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_of_an_instance),
		cmocka_unit_test(test_of_a_fragmented_instance),
		cmocka_unit_test(test_negative_index),
		cmocka_unit_test(test_no_such_zone),
	};

	return cmocka_run_group_tests_name("extfrag", tests, NULL, NULL);
}
