/* SPDX-License-Identifier: MIT */
/*
 * test_healing.c - memory that is in pieces comes together while it goes on being used
 *
 * The workload is qr-bench's frag: all memory is taken as single pages, a random half of it is
 * freed, and in each of 100 rounds a random tenth of what is left is replaced, page after page.  Of
 * 512 pageblocks 256 could be whole.  Nothing here depends on time or chance, so what is asked for
 * is what the bitmap engine reached when this was written, less a little for other choices that are
 * as good.  An allocator that always takes from the fullest pageblock of all, and keeps nothing in
 * caches, comes to 251 to 254 of 256.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <quire/inspect.h>
#include <quire/page_alloc.h>
#include <quire/sim.h>

#include "unit/steps.h"

#define PAGES (UINT64_C(1) << 18) /* 1 GiB */
#define ROUNDS 100u
/* So many pages are replaced by one CPU before it is the next one's turn. */
#define TURN 64u

struct machine {
	struct qr_sim *sim;
	struct quire *q;
	struct qr_page **pages; /* that are in use, in no order */
	uint64_t nr;
	unsigned nr_active; /* CPUs that do something */
	uint64_t random;
};

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static struct machine machine_new(unsigned nr_cpus, unsigned nr_active)
{
	const struct qr_range range = {.nr_pages = PAGES};
	const struct qr_sim_config config = {
		.local_locks = test_steps(),
		.local_commits = test_steps(),
		.machine = {.engine = "bitmap",
			    .ranges = &range,
			    .nr_ranges = 1,
			    .zone_limits.normal_end = PAGES,
			    .nr_cpus = nr_cpus},
	};
	struct machine m = {.nr_active = nr_active, .random = 1};
	struct qr_error_text why = {""};

	m.sim = qr_sim_new(&config, &why);
	m.pages = calloc(PAGES, sizeof(struct qr_page *));
	if (!m.sim || !m.pages)
		fail_msg("%s", why.text);
	m.q = qr_sim_quire(m.sim);
	return m;
}

static struct qr_page *page_get(const struct machine *m)
{
	return qr_alloc_pages(m->q, QR_GFP_HIGHUSER_MOVABLE | QR___GFP_NOWARN, 0);
}

/* All of it, each CPU its share. */
static void all_take(struct machine *m)
{
	for (unsigned cpu = 0; cpu < m->nr_active; cpu++) {
		struct qr_page *page;

		qr_sim_cpu_set(m->sim, cpu);
		while (m->nr < PAGES * (cpu + 1) / m->nr_active && (page = page_get(m)))
			m->pages[m->nr++] = page;
	}
}

static void half_free(struct machine *m)
{
	for (uint64_t i = m->nr; i > 1; i--) {
		uint64_t k = next(&m->random) % i;
		struct qr_page *page = m->pages[i - 1];

		m->pages[i - 1] = m->pages[k];
		m->pages[k] = page;
	}
	qr_sim_cpu_set(m->sim, 0);
	while (m->nr > PAGES / 2)
		qr___free_pages(m->q, m->pages[--m->nr], 0);
}

/* Each CPU replaces pages of its own share. */
static void tenth_replace(struct machine *m)
{
	uint64_t share = m->nr / m->nr_active;

	for (uint64_t i = 0; i < m->nr / 10; i++) {
		unsigned cpu = (unsigned)(i / TURN % m->nr_active);
		struct qr_page **page = &m->pages[cpu * share + next(&m->random) % share];

		qr_sim_cpu_set(m->sim, cpu);
		qr___free_pages(m->q, *page, 0);
		*page = page_get(m);
		assert_non_null(*page);
	}
}

static uint64_t nr_whole(const struct machine *m)
{
	struct qr_zone_snapshot snap;
	uint64_t nr = 0;

	for (unsigned type = 0; type < QR_NR_ZONES; type++) {
		if (qr_zone_snapshot(m->q, 0, (enum qr_zone_type)type, &snap) < 0)
			continue;
		for (unsigned order = QR_PAGEBLOCK_ORDER; order < QR_NR_PAGE_ORDERS; order++)
			nr += snap.nr_blocks[order] << (order - QR_PAGEBLOCK_ORDER);
	}
	return nr;
}

static void machine_free(struct machine *m)
{
	struct qr_error_text why = {""};

	if (qr_check(m->q, &why) != 0)
		fail_msg("%s", why.text);
	qr_sim_free(m->sim);
	free(m->pages);
}

/* What a machine is to have reached after 50, 60, ... 100 rounds. */
static void heals(unsigned nr_cpus, unsigned nr_active, const unsigned reached[6])
{
	struct machine m = machine_new(nr_cpus, nr_active);

	all_take(&m);
	half_free(&m);
	assert_true(nr_whole(&m) < 8);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		tenth_replace(&m);
		if (round < 50 || round % 10)
			continue;
		print_message("%u of %u CPUs, round %u: %llu\n", nr_active, nr_cpus, round,
			      (unsigned long long)nr_whole(&m));
		assert_true(nr_whole(&m) >= reached[round / 10 - 5]);
	}
	machine_free(&m);
}

static void test_one_cpu(void **state)
{
	(void)state;
	heals(1, 1, (const unsigned[]){48, 128, 198, 228, 243, 249});
}

/* Its home is used up, and it takes from the other stripes. */
static void test_one_of_two_cpus(void **state)
{
	(void)state;
	heals(2, 1, (const unsigned[]){48, 125, 198, 229, 243, 246});
}

static void test_two_cpus(void **state)
{
	(void)state;
	heals(2, 2, (const unsigned[]){40, 122, 192, 228, 242, 245});
}

static void test_one_of_four_cpus(void **state)
{
	(void)state;
	heals(4, 1, (const unsigned[]){45, 125, 194, 222, 239, 239});
}

static void test_four_cpus(void **state)
{
	(void)state;
	heals(4, 4, (const unsigned[]){42, 130, 186, 222, 235, 239});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_cpu),   cmocka_unit_test(test_one_of_two_cpus),
		cmocka_unit_test(test_two_cpus),  cmocka_unit_test(test_one_of_four_cpus),
		cmocka_unit_test(test_four_cpus),
	};

	return cmocka_run_group_tests_name("healing", tests, NULL, NULL);
}
