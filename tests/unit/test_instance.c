/* SPDX-License-Identifier: MIT */
/*
 * test_instance.c - instances are made, live beside each other, and end
 */
#include "support.h"

#include "alloc/pcp.h"
#include "buddy/bitmap.h"

#include "quire/instance.h"

#include <time.h>

#include <sys/mman.h>
#include <sys/resource.h>

#define MIB(n) ((uint64_t)(n) * (1 << 20) / QR_PAGE_SIZE)

/* Is every page of a zone free, or set aside as described? */
static void zone_is_released(struct quire *q, int nid, enum qr_zone_type type)
{
	struct qr_zone_snapshot snap;

	assert_int_equal(qr_zone_snapshot(q, nid, type, &snap), 0);
	assert_int_equal(snap.nr_free, snap.managed);
	assert_int_equal(snap.nr_deferred, 0);
}

static void all_memory_is_free(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_quire_snapshot snap;

	(void)state;
	test_machine_pc(m, MIB(6144));
	test_machine_create(m);
	zone_is_released(m->q, 0, QR_ZONE_DMA);
	zone_is_released(m->q, 0, QR_ZONE_DMA32);
	zone_is_released(m->q, 0, QR_ZONE_NORMAL);
	qr_quire_snapshot(m->q, &snap);
	assert_int_equal(snap.nr_nodes, 1);
	assert_int_equal(snap.nr_cpus, 1);
	assert_int_equal(snap.nr_free, MIB(6144));
	assert_int_equal(snap.managed, MIB(6144));
	assert_int_equal(snap.metadata_size, m->metadata_size);
	assert_true(snap.min_free_kbytes >= 128);
	test_machine_free(m);
}

/* An instance over garbage behaves as one over zeroes. */
static void garbage_or_zeroes(void **state)
{
	qr_pfn_t pfns[2][50];

	(void)state;
	for (unsigned zeroed = 0; zeroed < 2; zeroed++) {
		struct test_machine *m = test_machine_new();

		test_machine_nodes(m, 2, MIB(16));
		test_machine_add(m, MIB(48), MIB(2), 1)->kind = QR_RANGE_RESERVED;
		m->config.zone_limits.normal_end = MIB(64);
		m->config.options = zeroed ? QR_OPT_METADATA_ZEROED : 0;
		test_machine_create(m);
		for (unsigned i = 0; i < 50; i++) {
			struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_KERNEL, i % 5);

			assert_non_null(page);
			pfns[zeroed][i] = qr_page_to_pfn(m->q, page);
		}
		test_machine_check(m);
		for (unsigned i = 0; i < 50; i++)
			qr___free_pages(m->q, qr_pfn_to_page(m->q, pfns[zeroed][i]), i % 5);
		test_machine_free(m);
	}
	assert_memory_equal(pfns[0], pfns[1], sizeof(pfns[0]));
}

/* Two instances never meet: pages of one are foreign to the other. */
static void two_instances(void **state)
{
	struct test_machine *a = test_machine_new(), *b = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_one_zone(a, MIB(16));
	test_machine_one_zone(b, MIB(32));
	test_machine_create(a);
	test_machine_create(b);
	page = qr_alloc_pages(a->q, QR_GFP_KERNEL, 0);
	assert_non_null(page);
	assert_true(qr_page_to_pfn(b->q, page) == QR_PFN_NONE);
	assert_int_equal(b->log[0], '\0');
	qr___free_pages(a->q, page, 0);
	test_machine_destroy(b);
	test_machine_check(a);
	test_machine_free(b);
	test_machine_free(a);
}

/* An instance may be made again where one was before. */
static void again_in_the_same_memory(void **state)
{
	struct test_machine *m = test_machine_new();
	struct quire *q;

	(void)state;
	test_machine_one_zone(m, MIB(16));
	test_machine_create(m);
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(qr_alloc_pages(m->q, QR_GFP_KERNEL, 2));
	qr_destroy(m->q);
	assert_int_equal(qr_create(&m->config, m->metadata, m->metadata_size, &q, NULL), 0);
	assert_ptr_equal(q, m->q);
	zone_is_released(q, 0, QR_ZONE_NORMAL);
	test_machine_free(m);
}

/* The description may be forgotten once the instance is there. */
static void the_description_is_forgotten(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_nodes(m, 3, MIB(16));
	test_machine_distance(m, 0, 2, 77);
	test_machine_create(m);
	memset(m->ranges, 0xff, sizeof(m->ranges));
	memset(m->distance, 0xff, sizeof(m->distance));
	memset(m->cpu_node, 0xff, sizeof(m->cpu_node));
	memset(&m->config, 0xff, sizeof(m->config));
	assert_int_equal(qr_node_distance(m->q, 0, 2), 77);
	test_cpu_set(2);
	assert_int_equal(qr_page_nid(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0)), 2);
	test_machine_free(m);
}

static void destroy_leaves_nothing(void **state)
{
	struct test_machine *m = test_machine_new();
	struct quire *q;

	(void)state;
	qr_destroy(NULL);
	test_machine_one_zone(m, MIB(16));
	test_machine_create(m);
	q = m->q;
	qr_destroy(q);
	for (size_t i = 0; i < sizeof(*q); i++)
		assert_int_equal(((const unsigned char *)q)[i], 0);
	m->q = NULL;
	test_machine_free(m);
}

static void version_and_errors(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d.%d.%d", QR_VERSION_MAJOR, QR_VERSION_MINOR,
		 QR_VERSION_PATCH);
	assert_string_equal(qr_version(), text);
	assert_string_equal(qr_version(), QR_VERSION_STRING);
	for (int error = 10; error > -200; error--) {
		assert_non_null(qr_strerror(error));
		assert_true(strlen(qr_strerror(error)) > 3);
	}
	assert_string_not_equal(qr_strerror(QR_EBUSY), qr_strerror(QR_ENOMEM));
}

/* Fallen due work runs, and qr_run_pending() says when there is more. */
static void pending_work(void **state)
{
	struct test_machine *m = test_machine_new();
	uint64_t next;

	(void)state;
	test_machine_one_zone(m, MIB(64));
	m->config.options = QR_OPT_DEFERRED_INIT;
	m->config.section_order = QR_MAX_PAGE_ORDER;
	test_machine_create(m);
	assert_int_equal(m->run_by_ns, 0);
	for (unsigned i = 0; i < 1000 && (next = qr_run_pending(m->q)) <= m->now_ns; i++)
		;
	assert_true(next > m->now_ns);
	zone_is_released(m->q, 0, QR_ZONE_NORMAL);
	test_machine_free(m);
}

/* The bytes of a page, where there are any. */
static void bytes_of_pages(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *page;

	(void)state;
	test_machine_one_zone(m, MIB(16));
	test_machine_bytes(m);
	m->highmem_pfn = 100;
	test_machine_create(m);
	page = qr_pfn_to_page(m->q, 99);
	assert_ptr_equal(qr_page_address(m->q, page), m->bytes + 99 * QR_PAGE_SIZE);
	assert_null(qr_page_address(m->q, qr_pfn_to_page(m->q, 100)));
	assert_null(qr_page_address(m->q, NULL));
	test_machine_destroy(m);
	m->config.platform.page_address = NULL;
	test_machine_create(m);
	assert_null(qr_page_address(m->q, qr_pfn_to_page(m->q, 99)));
	test_machine_free(m);
}

static void orders_of_folios(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_page *folio, *block;

	(void)state;
	test_machine_one_zone(m, MIB(16));
	test_machine_create(m);
	folio = qr_folio_alloc(m->q, QR_GFP_KERNEL, 3);
	block = qr_alloc_pages(m->q, QR_GFP_KERNEL, 3);
	assert_int_equal(qr_folio_order(m->q, folio), 3);
	assert_int_equal(qr_folio_order(m->q, folio + 5), 3); /* any of its pages will do */
	assert_int_equal(qr_folio_order(m->q, block), 0);
	assert_int_equal(qr_folio_order(m->q, NULL), 0);
	assert_false(qr_page_is_pfmemalloc(m->q, folio));
	assert_false(qr_page_is_pfmemalloc(m->q, NULL));
	qr_put_page(m->q, folio);
	qr___free_pages(m->q, block, 3);
	test_machine_free(m);
}

/* CPUs ------------------------------------------------------------------------------------- */

static unsigned cached_pages(struct quire *q, unsigned cpu)
{
	struct qr_pcp_snapshot snap;

	assert_int_equal(qr_pcp_snapshot(q, 0, QR_ZONE_NORMAL, cpu, &snap), 0);
	return snap.count;
}

static void cpus_come_and_go(void **state)
{
	struct test_machine *m = test_machine_new();
	uint64_t allocated;

	(void)state;
	test_machine_nodes(m, 2, MIB(64));
	test_machine_create(m);
	test_cpu_set(0);
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	assert_int_not_equal(cached_pages(m->q, 0), 0);
	allocated = qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL);
	assert_int_not_equal(allocated, 0);

	assert_int_equal(qr_cpu_dead(m->q, 0), 0);
	assert_int_equal(cached_pages(m->q, 0), 0);
	zone_is_released(m->q, 0, QR_ZONE_NORMAL);
	assert_int_equal(qr_vm_event(m->q, QR_EV_PGALLOC + QR_ZONE_NORMAL), allocated);
	assert_false(qr_node_state(m->q, 0, QR_N_CPU));
	assert_true(qr_node_state(m->q, 0, QR_N_MEMORY));
	assert_true(qr_node_state(m->q, 1, QR_N_CPU));
	assert_int_equal(qr_cpu_dead(m->q, 0), 0); /* is so already */

	assert_int_equal(qr_cpu_dead(m->q, 1), QR_EBUSY);
	assert_true(qr_node_state(m->q, 1, QR_N_CPU));
	assert_int_equal(qr_cpu_online(m->q, 0), 0);
	assert_int_equal(qr_cpu_online(m->q, 0), 0);
	assert_true(qr_node_state(m->q, 0, QR_N_CPU));
	assert_int_equal(qr_cpu_dead(m->q, 2), QR_ENOENT);
	assert_int_equal(qr_cpu_online(m->q, 2), QR_ENOENT);

	/* It works as before. */
	qr___free_pages(m->q, qr_alloc_pages(m->q, QR_GFP_KERNEL, 0), 0);
	assert_int_not_equal(cached_pages(m->q, 0), 0);
	test_machine_free(m);
}

/* The other CPUs' caches may grow when one is gone. */
static void caches_are_sized_by_cpus(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_pcp_snapshot of_four, of_one;
	struct qr_zone_snapshot zone;

	(void)state;
	test_machine_one_zone(m, MIB(4096));
	m->config.nr_cpus = 4;
	test_machine_create(m);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 3, &of_four);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		assert_int_equal(qr_cpu_dead(m->q, cpu), 0);
	assert_true(qr_node_state(m->q, 0, QR_N_CPU));
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 3, &of_one);
	assert_true(of_one.high_min > of_four.high_min);
	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &zone), 0);
	assert_int_equal(zone.stat_threshold, 2 * 1 * (1 + 6)); /* 2^20 frames: 2^5 units */
	for (unsigned cpu = 0; cpu < 3; cpu++)
		assert_int_equal(qr_cpu_online(m->q, cpu), 0);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 3, &of_one);
	assert_int_equal(of_one.high_min, of_four.high_min);
	assert_int_equal(qr_zone_snapshot(m->q, 0, QR_ZONE_NORMAL, &zone), 0);
	assert_int_equal(zone.stat_threshold, 2 * 3 * (1 + 6));
	test_machine_free(m);
}

/* Size and speed --------------------------------------------------------------------------- */

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* 1 TiB, of which only what is released at creation is touched. */
static void a_large_machine(void **state)
{
	const uint64_t pages = UINT64_C(1) << (40 - QR_PAGE_SHIFT);
	struct test_machine *m = test_machine_new();
	struct rusage before, after;
	double start, ms;

	(void)state;
	test_machine_one_zone(m, pages);
	m->config.nr_cpus = 64;
	m->config.options = QR_OPT_DEFERRED_INIT | QR_OPT_METADATA_ZEROED;
	getrusage(RUSAGE_SELF, &before);
	start = now_ms();
	test_machine_create(m);
	ms = now_ms() - start;
	getrusage(RUSAGE_SELF, &after);
	print_message("1 TiB: %.2f ms, %ld KiB touched, %.4f bytes a frame\n", ms,
		      (after.ru_minflt - before.ru_minflt) * 4,
		      (double)m->metadata_size / (double)pages);
	assert_true(ms < 100);
#if QR_PAGEBLOCK_ORDER >= 8 /* smaller pageblocks have more records of their own */
	/*
	 * With bitmaps, beside each frame's record a bit of it and 24 bytes of its pageblock; and
	 * beside all of them each CPU's magazines and the bins of two stripes for each.  With
	 * steps, a byte of each frame, its mark.
	 */
	const bool bitmaps = test_engine_is("bitmap");
	const double marks = m->config.platform.local_commit ? 1 : 0;
	const double beside = bitmaps ? 1.0 / 8 + 24.0 / QR_PAGEBLOCK_NR_PAGES + marks : 0;
	const double once = bitmaps ? 64.0 * QR_NR_ZONES * sizeof(struct qr_per_cpu_pages) +
					      QR_MAX_STRIPES * sizeof(struct bitmap_stripe)
				    : 0;

	assert_true((double)m->metadata_size <= (32.0 + beside) * (double)pages * 1.001 + once);
#endif
	assert_non_null(qr_alloc_pages(m->q, QR_GFP_KERNEL, QR_MAX_PAGE_ORDER));
	test_machine_destroy(m);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_memory_is_free),
		cmocka_unit_test(garbage_or_zeroes),
		cmocka_unit_test(two_instances),
		cmocka_unit_test(again_in_the_same_memory),
		cmocka_unit_test(the_description_is_forgotten),
		cmocka_unit_test(destroy_leaves_nothing),
		cmocka_unit_test(version_and_errors),
		cmocka_unit_test(pending_work),
		cmocka_unit_test(bytes_of_pages),
		cmocka_unit_test(orders_of_folios),
		cmocka_unit_test(cpus_come_and_go),
		cmocka_unit_test(caches_are_sized_by_cpus),
		cmocka_unit_test(a_large_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
