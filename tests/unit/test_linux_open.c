/* SPDX-License-Identifier: MIT */
/*
 * test_linux_open.c - the hosted port: opening a pool, and each way in which that is refused
 */
#include "linux_pool.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "linux/pool.h"

/* Opening ----------------------------------------------------------------------------------- */

static void test_open_close_leaves_nothing(void **state)
{
	struct qr_linux_config config = {.size = 64 * MIB, .tasks = true};
	unsigned fds, threads;

	(void)state;
	qr_linux_close(pool_open(&config)); /* libraries may keep something the first time */
	fds = entries_of("/proc/self/fd");
	threads = entries_of("/proc/self/task");
	for (unsigned i = 0; i < 10; i++) {
		struct qr_linux_pool *pool = pool_open(&config);
		uint64_t length = 0;

		assert_non_null(qr_linux_quire(pool));
		assert_non_null(qr_linux_base(pool, &length));
		assert_int_equal(length, 64 * MIB);
		assert_int_equal((uintptr_t)qr_linux_base(pool, NULL) % (2 * MIB), 0);
		assert_true(qr_linux_fd(pool) >= 0);
		assert_true(pool_mappings() >= 1);
		assert_int_equal(entries_of("/proc/self/task"), threads + 1);
		check_clean(pool);
		qr_linux_close(pool);
	}
	assert_int_equal(entries_of("/proc/self/fd"), fds);
	assert_int_equal(entries_of("/proc/self/task"), threads);
	assert_int_equal(pool_mappings(), 0);
	qr_linux_close(NULL);
}

static void test_metadata_only(void **state)
{
	struct qr_linux_config config = {.size = UINT64_C(64) << 30, .backing = QR_LINUX_NO_MEMORY};
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_page *page = qr_alloc_pages(qr_linux_quire(pool), QR_GFP_KERNEL, 0);
	uint64_t length = 1;

	(void)state;
	assert_non_null(page);
	assert_null(qr_page_address(qr_linux_quire(pool), page));
	assert_null(qr_linux_base(pool, &length));
	assert_int_equal(length, 0);
	assert_int_equal(qr_linux_fd(pool), -1);
	qr___free_pages(qr_linux_quire(pool), page, 0);
	qr_linux_close(pool);
}

/* Is this among the flags of the mapping at an address, as the kernel names them? */
static bool mapping_has(const void *address, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool here = false, has = false;
	char line[512];

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)address >= start && (uintptr_t)address < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	fclose(smaps);
	return has;
}

/* Not while the instance is created, but afterwards. */
static void test_metadata_may_be_in_huge_pages(void **state)
{
	struct qr_linux_config config = {.size = UINT64_C(8) << 30, .backing = QR_LINUX_NO_MEMORY};
	struct qr_linux_pool *pool = pool_open(&config);

	(void)state;
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0)
		assert_true(mapping_has(pool->metadata, " hg"));
	qr_linux_close(pool);
}

/* Each refusal has its code, its sentence, and leaves no pool behind. */
static void refused(const struct qr_linux_config *config, int err, const char *words)
{
	struct qr_linux_pool *pool = (struct qr_linux_pool *)(uintptr_t)8;
	struct qr_error_text why = {""};
	unsigned fds = entries_of("/proc/self/fd");

	assert_int_equal(qr_linux_open(config, &pool, &why), err);
	if (!strstr(why.text, words))
		fail_msg("\"%s\" does not say \"%s\"", why.text, words);
	assert_null(pool);
	assert_int_equal(qr_linux_open(config, &pool, NULL), err);
	assert_int_equal(entries_of("/proc/self/fd"), fds);
	assert_int_equal(pool_mappings(), 0);
}

static void test_bad_descriptions(void **state)
{
	static const struct qr_range range = {.start_pfn = 0, .nr_pages = 32768};
	static const struct qr_range empty = {.start_pfn = 0, .nr_pages = 0};
	static const int cpu_node[] = {0};
	static const uint8_t distance[] = {10};
	const struct {
		struct qr_linux_config config;
		const char *words;
	} cases[] = {
		{{.size = 0}, "no memory is described"},
		{{.size = 5000}, "size 5000 is not a multiple of the page size, 4096"},
		{{.size = MIB, .machine = {.ranges = &range, .nr_ranges = 1}}, "both size and"},
		{{.machine = {.nr_ranges = 1}}, "no memory is described"},
		{{.size = MIB, .backing = (enum qr_linux_backing)7}, "backing 7"},
		{{.size = MIB, .backing = QR_LINUX_NO_MEMORY, .prefault = true},
		 "nothing to touch"},
		{{.size = MIB, .machine = {.cpu_node = cpu_node}}, "machine.nr_cpus"},
		{{.size = MIB, .host_nodes = true, .machine = {.distance = distance}},
		 "host_nodes"},
		{{.machine = {.ranges = &empty, .nr_ranges = 1}}, ""}, /* the core's own words */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(&cases[i].config, QR_EINVAL, cases[i].words);
}

static void test_too_large(void **state)
{
	struct qr_linux_config config = {.size = UINT64_C(1) << 50};
	struct qr_linux_pool *pool;
	struct qr_error_text why = {""};
	int err;

	(void)state;
	err = qr_linux_open(&config, &pool, &why);
	assert_true(err == QR_ENOMEM || err == QR_EINVAL);
	assert_true(strlen(why.text) > 20);
	assert_null(pool);

	/* Twice what is there: refused before anything is touched. */
	config.size = (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096 * 2;
	config.prefault = true;
	refused(&config, QR_ENOMEM, "are available; make the pool smaller");
}

static void test_limits(void **state)
{
	struct qr_linux_config config = {.size = 64 * MIB};
	struct rlimit before, low;
	struct qr_linux_pool *pool;
	struct qr_error_text why = {""};
	int err;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	err = qr_linux_open(&config, &pool, &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(err, QR_ENOMEM);
	assert_non_null(
		strstr(why.text, "limited to 1 MiB, and the pool needs 64; raise ulimit -f"));

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	err = qr_linux_open(&config, &pool, &why);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(err, QR_ENOMEM);
	assert_non_null(strstr(why.text, "memfd_create: Too many open files"));
	assert_null(pool);
}

static void test_address_space_limit(void **state)
{
	struct qr_linux_config config = {.size = UINT64_C(1) << 40};
	struct rlimit before, low;
	struct qr_linux_pool *pool;
	struct qr_error_text why = {""};
	int err;

	(void)state;
	if (SANITIZED)
		skip(); /* sanitizers live on address space */
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	low = before;
	low.rlim_cur = UINT64_C(100) << 30; /* the metadata fits, the memory does not */
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	err = qr_linux_open(&config, &pool, &why);
	low.rlim_cur = UINT64_C(4) << 30;
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	assert_int_equal(err, QR_ENOMEM);
	assert_non_null(strstr(why.text, "no address space for 1048576 MiB of memory"));
	err = qr_linux_open(&config, &pool, &why);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(err, QR_ENOMEM);
	assert_non_null(strstr(why.text, "MiB of metadata: mmap: Cannot allocate memory"));
}

static uint64_t number_in(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long number = 0;

	if (!file || fscanf(file, "%llu", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

#define HUGE_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static void test_hugetlb(void **state)
{
	uint64_t free = number_in(HUGE_DIR "free_hugepages") - number_in(HUGE_DIR "resv_hugepages");
	struct qr_linux_config config = {.size = (free + 4) * 2 * MIB, .backing = QR_LINUX_HUGETLB};
	struct qr_linux_pool *pool;
	struct qr_page *page;
	char words[96];

	(void)state;
	if (access(HUGE_DIR, F_OK) < 0) {
		refused(&config, QR_ENOSYS, "huge pages of 2 MiB");
		return;
	}
	snprintf(words, sizeof(words), "only %llu of %llu huge pages are free",
		 (unsigned long long)free, (unsigned long long)free + 4);
	refused(&config, QR_ENOMEM, words);
	refused(&config, QR_ENOMEM, "raise /proc/sys/vm/nr_hugepages");
	if (free < 8)
		return;
	config.size = 16 * MIB;
	pool = pool_open(&config);
	page = qr_alloc_pages(qr_linux_quire(pool), QR_GFP_KERNEL, 0);
	memset(qr_page_address(qr_linux_quire(pool), page), 0x77, QR_PAGE_SIZE);
	qr_linux_close(pool);
	assert_int_equal(number_in(HUGE_DIR "free_hugepages"), free);
}

static bool file_has(const char *path, const char *bytes, size_t length)
{
	FILE *file = fopen(path, "r");
	static char chunk[1 << 20];
	size_t kept = 0, got;
	bool found = false;

	assert_non_null(file);
	while (!found && (got = fread(chunk + kept, 1, sizeof(chunk) - kept, file)) > 0) {
		size_t filled = kept + got;

		found = memmem(chunk, filled, bytes, length) != NULL;
		kept = filled < length ? filled : length;
		memmove(chunk, chunk + filled - kept, kept);
	}
	fclose(file);
	return found;
}

static void test_usdt(void **state)
{
	static const char note[] = "quire\0mm_page_alloc_extfrag"; /* provider, name */
	struct qr_linux_config config = {.size = 16 * MIB, .usdt = true};
	struct qr_linux_pool *pool;
	struct qr_error_text why;

	(void)state;
	if (qr_linux_open(&config, &pool, &why) == QR_ENOSYS) {
		assert_non_null(strstr(why.text, "built without <sys/sdt.h>"));
		return;
	}
	assert_non_null(pool);
	assert_true(file_has("/proc/self/exe", note, sizeof(note)));
	/* The probes listen to all there is. */
	for (unsigned id = 0; id < QR_NR_TRACE_POINTS; id++)
		assert_true(atomic_load(&qr__base(qr_linux_quire(pool))->trace_mask) >> id & 1);
	qr___free_pages(qr_linux_quire(pool),
			qr_alloc_pages(qr_linux_quire(pool), QR_GFP_KERNEL, 0), 0);
	check_clean(pool);
	qr_linux_close(pool);
}

static void test_host_nodes(void **state)
{
	struct qr_range range = {.start_pfn = 0, .nr_pages = 32768, .nid = QR_MAX_NODES - 1};
	struct qr_linux_config config = {.size = 256 * MIB, .host_nodes = true};
	struct qr_linux_pool *pool;
	struct qr_error_text why = {""};
	struct qr_page *page;
	int err = qr_linux_open(&config, &pool, &why);

	(void)state;
	if (err == QR_ENOSYS) {
		assert_non_null(strstr(why.text, "built without libnuma"));
		return;
	}
	if (err < 0)
		fail_msg("%s", why.text);
	page = qr_alloc_pages(qr_linux_quire(pool), QR_GFP_KERNEL | QR___GFP_ZERO, 2);
	assert_non_null(page);
	memset(qr_page_address(qr_linux_quire(pool), page), 0x11, 4 * QR_PAGE_SIZE);
	assert_int_equal(qr_node_distance(qr_linux_quire(pool), 0, 0), 10);
	assert_true(qr_node_state(qr_linux_quire(pool), 0, QR_N_CPU));
	check_clean(pool);
	qr_linux_close(pool);

	/* No machine that runs this has so many. */
	config.size = 0;
	config.machine.ranges = &range;
	config.machine.nr_ranges = 1;
	refused(&config, QR_EINVAL, "63");
}

static void test_division_between_nodes(void **state)
{
	static const int nids[] = {0, 2, 5};
	struct qr_range r[3] = {{0}};

	(void)state;
	/* 10 sections of 2^15 pages and a bit: 4, 4 and the rest. */
	assert_int_equal(qr__linux_nodes_divide(10 * 32768 + 7, 0, nids, 3, r), 3);
	assert_int_equal(r[0].start_pfn, 0);
	assert_int_equal(r[0].nr_pages, 4 * 32768);
	assert_int_equal(r[1].start_pfn, 4 * 32768);
	assert_int_equal(r[1].nr_pages, 4 * 32768);
	assert_int_equal(r[1].nid, 2);
	assert_int_equal(r[2].start_pfn, 8 * 32768);
	assert_int_equal(r[2].nr_pages, 2 * 32768 + 7);
	assert_int_equal(r[2].nid, 5);
	/* Less than a section: one node has it all. */
	assert_int_equal(qr__linux_nodes_divide(100, 15, nids, 3, r), 1);
	assert_int_equal(r[0].nr_pages, 100);
	/* Four sections for three nodes: two each, and the third has none. */
	assert_int_equal(qr__linux_nodes_divide(4 * 1024, 10, nids, 3, r), 2);
	assert_int_equal(r[1].nr_pages, 2 * 1024);
	assert_int_equal(qr__linux_nodes_divide(4 * 1024, 63, nids, 3, r), 1);
	assert_int_equal(r[0].nr_pages, 4 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_close_leaves_nothing),
		cmocka_unit_test(test_metadata_only),
		cmocka_unit_test(test_metadata_may_be_in_huge_pages),
		cmocka_unit_test(test_bad_descriptions),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_address_space_limit),
		cmocka_unit_test(test_hugetlb),
		cmocka_unit_test(test_usdt),
		cmocka_unit_test(test_host_nodes),
		cmocka_unit_test(test_division_between_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
