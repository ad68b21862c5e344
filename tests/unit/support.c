/* SPDX-License-Identifier: MIT */
/*
 * support.c - machines for unit tests
 */
#include "support.h"

#include "steps.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define GARBAGE_LIMIT ((size_t)64 << 20) /* larger metadata is left as mmap() gives it: zero */

/* The calling thread. */
static _Thread_local unsigned this_cpu;
static _Thread_local struct qr_task *this_task;
static _Thread_local struct qr_lock_ledger this_ledger;
static _Thread_local unsigned irqs_masked;
static _Thread_local unsigned pins;

/* Hooks ------------------------------------------------------------------------------------ */

static unsigned hook_cpu_id(void *ctx)
{
	(void)ctx;
	return this_cpu;
}

static unsigned hook_cpu_pin(void *ctx)
{
	pins++;
	return hook_cpu_id(ctx);
}

static void hook_cpu_unpin(void *ctx)
{
	(void)ctx;
	assert_int_not_equal(pins, 0);
	pins--;
}

static unsigned long hook_irq_save(void *ctx)
{
	(void)ctx;
	return irqs_masked++;
}

static void hook_irq_restore(void *ctx, unsigned long state)
{
	(void)ctx;
	if (irqs_masked != state + 1)
		fail_msg("interrupts restored to depth %lu at depth %u", state, irqs_masked);
	irqs_masked = (unsigned)state;
}

static void *hook_page_address(void *ctx, qr_pfn_t pfn)
{
	struct test_machine *m = ctx;

	if (pfn >= m->highmem_pfn)
		return NULL;
	assert_true(pfn >= m->bytes_pfn);
	assert_true((pfn - m->bytes_pfn) * QR_PAGE_SIZE < m->bytes_size);
	return m->bytes + (pfn - m->bytes_pfn) * QR_PAGE_SIZE;
}

static qr_pfn_t hook_address_to_pfn(void *ctx, const void *address)
{
	struct test_machine *m = ctx;
	uintptr_t offset = (uintptr_t)address - (uintptr_t)m->bytes;

	return offset < m->bytes_size ? m->bytes_pfn + offset / QR_PAGE_SIZE : QR_PFN_NONE;
}

static uint64_t hook_clock_ns(void *ctx)
{
	struct test_machine *m = ctx;

	return __atomic_load_n(&m->now_ns, __ATOMIC_RELAXED);
}

static void hook_run_by(void *ctx, uint64_t time_ns)
{
	struct test_machine *m = ctx;
	uint64_t before = __atomic_load_n(&m->run_by_ns, __ATOMIC_RELAXED);

	while (time_ns < before &&
	       !__atomic_compare_exchange_n(&m->run_by_ns, &before, time_ns, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void hook_relax(void *ctx, unsigned spins)
{
	struct test_machine *m = ctx;

	__atomic_fetch_add(&m->nr_relax, 1, __ATOMIC_RELAXED);
	if (spins > 16)
		usleep(50);
}

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void hook_log(void *ctx, enum qr_log_level level, const char *line)
{
	struct test_machine *m = ctx;
	size_t used;

	pthread_mutex_lock(&log_mutex);
	used = strlen(m->log);
	m->nr_lines[level]++;
	snprintf(m->last_line, sizeof(m->last_line), "%s", line);
	snprintf(m->log + used, sizeof(m->log) - used, "%s\n", line);
	pthread_mutex_unlock(&log_mutex);
}

static void hook_panic(void *ctx, const char *line)
{
	struct test_machine *m = ctx;

	if (!m->expect_panic) {
		fprintf(stderr, "panic: %s\n", line);
		abort();
	}
	snprintf(m->panic_line, sizeof(m->panic_line), "%s", line);
	longjmp(m->panic_jump, 1);
}

/* Steps of a CPU's caches, for those who want them: nobody comes between. */
static uint32_t *hook_local_trylock(void *ctx, uint32_t *words, size_t stride)
{
	uint32_t *word = (uint32_t *)(void *)((char *)words + this_cpu * stride);

	(void)ctx;
	if (*word)
		return NULL;
	*word = 1;
	return word;
}

static void hook_local_fence(void *ctx)
{
	(void)ctx;
}

static enum qr_local_result hook_local_commit(void *ctx, const struct qr_local_commit *c)
{
	struct test_machine *m = ctx;

	if (!plain_commit(c, this_cpu))
		return QR_LOCAL_NOT;
	m->nr_commits++;
	return QR_LOCAL_DONE;
}

/* Where there are steps, tasks are not told apart. */
void test_platform_steps(struct qr_platform *platform)
{
	platform->local_trylock = hook_local_trylock;
	platform->local_fence = hook_local_fence;
	platform->local_commit = hook_local_commit;
	platform->current_task = NULL;
}

static struct qr_task *hook_current_task(void *ctx)
{
	(void)ctx;
	return this_task;
}

static struct qr_lock_ledger *hook_lock_ledger(void *ctx)
{
	(void)ctx;
	return &this_ledger;
}

struct qr_platform test_machine_platform(struct test_machine *m)
{
	struct qr_platform platform = {
		.ctx = m,
		.cpu_id = hook_cpu_id,
		.cpu_pin = hook_cpu_pin,
		.cpu_unpin = hook_cpu_unpin,
		.irq_save = hook_irq_save,
		.irq_restore = hook_irq_restore,
		.clock_ns = hook_clock_ns,
		.run_by = hook_run_by,
		.relax = hook_relax,
		.log = hook_log,
		.panic = hook_panic,
		.current_task = hook_current_task,
		.lock_ledger = hook_lock_ledger,
	};

	if (test_steps())
		test_platform_steps(&platform);
	return platform;
}

/* Machines --------------------------------------------------------------------------------- */

struct test_machine *test_machine_new(void)
{
	struct test_machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->config.ranges = m->ranges;
	m->config.nr_cpus = 1;
	m->config.engine = test_engine();
	m->config.platform = test_machine_platform(m);
	m->run_by_ns = UINT64_MAX;
	m->highmem_pfn = QR_PFN_NONE;
	test_context_reset();
	test_cpu_set(0);
	test_task_set(NULL);
	return m;
}

void test_machine_free(struct test_machine *m)
{
	if (m->q)
		test_machine_check(m);
	assert_int_equal(irqs_masked, 0);
	assert_int_equal(pins, 0);
	test_machine_destroy(m);
	if (m->bytes)
		munmap(m->bytes, m->bytes_size);
	free(m);
}

struct qr_range *test_machine_add(struct test_machine *m, qr_pfn_t start_pfn, uint64_t nr_pages,
				  int nid)
{
	struct qr_range *range;

	assert_in_range(m->config.nr_ranges, 0, TEST_MAX_RANGES - 1);
	range = &m->ranges[m->config.nr_ranges++];
	*range = (struct qr_range){.start_pfn = start_pfn, .nr_pages = nr_pages, .nid = nid};
	return range;
}

/* No zone but Normal. */
static void only_normal(struct test_machine *m, qr_pfn_t end_pfn)
{
	m->config.zone_limits = (struct qr_zone_limits){.normal_end = end_pfn};
}

void test_machine_one_zone(struct test_machine *m, uint64_t nr_pages)
{
	test_machine_add(m, 0, nr_pages, 0);
	only_normal(m, nr_pages);
}

void test_machine_pc(struct test_machine *m, uint64_t nr_pages)
{
	const qr_pfn_t mib = ((qr_pfn_t)1 << 20) / QR_PAGE_SIZE;
	const uint64_t ends[3] = {640 * mib / 1024, 3072 * mib, ~UINT64_C(0)};
	const uint64_t starts[3] = {0, mib, 4096 * mib};

	for (int i = 0; i < 3 && nr_pages; i++) {
		uint64_t room = ends[i] - starts[i];
		uint64_t nr = room < nr_pages ? room : nr_pages;

		test_machine_add(m, starts[i], nr, 0);
		nr_pages -= nr;
	}
}

void test_machine_nodes(struct test_machine *m, unsigned nr, uint64_t pages_each)
{
	m->config.nr_cpus = nr;
	for (unsigned nid = 0; nid < nr; nid++) {
		test_machine_add(m, nid * pages_each, pages_each, (int)nid);
		test_machine_cpu_on(m, nid, (int)nid);
	}
	only_normal(m, nr * pages_each);
	m->config.nr_nodes = nr;
}

void test_machine_distance(struct test_machine *m, int a, int b, unsigned distance)
{
	unsigned nr = m->config.nr_nodes;

	assert_int_not_equal(nr, 0);
	if (!m->config.distance) {
		for (unsigned i = 0; i < nr * nr; i++)
			m->distance[i] = i % (nr + 1) == 0 ? 10 : 20;
		m->config.distance = m->distance;
	}
	m->distance[(unsigned)a * nr + (unsigned)b] = (uint8_t)distance;
	m->distance[(unsigned)b * nr + (unsigned)a] = (uint8_t)distance;
}

void test_machine_cpu_on(struct test_machine *m, unsigned cpu, int nid)
{
	assert_in_range(cpu, 0, QR_MAX_CPUS - 1);
	m->cpu_node[cpu] = nid;
	m->config.cpu_node = m->cpu_node;
}

void test_machine_bytes(struct test_machine *m)
{
	qr_pfn_t start = QR_PFN_NONE, end = 0;

	for (unsigned i = 0; i < m->config.nr_ranges; i++) {
		const struct qr_range *range = &m->ranges[i];

		start = range->start_pfn < start ? range->start_pfn : start;
		end = range->start_pfn + range->nr_pages > end ? range->start_pfn + range->nr_pages
							       : end;
	}
	m->bytes_pfn = start;
	m->bytes_size = (size_t)((end - start) * QR_PAGE_SIZE);
	m->bytes = mmap(NULL, m->bytes_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(m->bytes, MAP_FAILED);
	m->config.platform.page_address = hook_page_address;
	m->config.platform.address_to_pfn = hook_address_to_pfn;
}

/* Room for the metadata: it ends where an inaccessible page begins. */
static char *metadata_map(struct test_machine *m)
{
	size_t size = (m->metadata_size + QR_METADATA_ALIGN - 1) & ~(size_t)(QR_METADATA_ALIGN - 1);
	char *map;

	m->metadata_mapped = size + QR_METADATA_ALIGN;
	map = mmap(NULL, m->metadata_mapped, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + size, QR_METADATA_ALIGN, PROT_NONE), 0);
	return map;
}

int test_machine_try_create(struct test_machine *m, struct qr_error_text *why)
{
	int error = qr_metadata_size(&m->config, &m->metadata_size, why);
	uint32_t options = m->config.options;

	assert_null(m->q);
	if (error)
		return error;
	m->metadata = metadata_map(m);
	if (options & QR_OPT_METADATA_ZEROED)
		; /* as it is */
	else if (m->metadata_size <= GARBAGE_LIMIT)
		memset(m->metadata, 0xa5, m->metadata_size);
	else
		m->config.options |= QR_OPT_METADATA_ZEROED;
	error = qr_create(&m->config, m->metadata, m->metadata_size, &m->q, why);
	m->config.options = options;
	if (error)
		test_machine_destroy(m);
	return error;
}

void test_machine_create(struct test_machine *m)
{
	struct qr_error_text why = {""};

	if (test_machine_try_create(m, &why))
		fail_msg("machine refused: %s", why.text);
}

void test_machine_check(struct test_machine *m)
{
	struct qr_error_text why = {""};

	if (qr_check(m->q, &why))
		fail_msg("%s", why.text);
}

void test_machine_destroy(struct test_machine *m)
{
	if (m->q)
		qr_destroy(m->q);
	if (m->metadata)
		munmap(m->metadata, m->metadata_mapped);
	m->q = NULL;
	m->metadata = NULL;
	m->run_by_ns = UINT64_MAX;
}

/* What happens ----------------------------------------------------------------------------- */

void test_cpu_set(unsigned cpu)
{
	this_cpu = cpu;
}

void test_task_set(struct qr_task *task)
{
	this_task = task;
}

void test_machine_advance(struct test_machine *m, uint64_t ns)
{
	uint64_t end = m->now_ns + ns;
	unsigned rounds = 0; /* at one time */

	while (m->run_by_ns <= end) {
		if (m->run_by_ns > m->now_ns) {
			__atomic_store_n(&m->now_ns, m->run_by_ns, __ATOMIC_RELAXED);
			rounds = 0;
		}
		if (rounds++ > 100000)
			fail_msg("background work does not end");
		m->run_by_ns = UINT64_MAX;
		hook_run_by(m, qr_run_pending(m->q));
	}
	__atomic_store_n(&m->now_ns, end, __ATOMIC_RELAXED);
}

bool test_log_has(const struct test_machine *m, const char *text)
{
	return strstr(m->log, text) != NULL;
}

void test_log_clear(struct test_machine *m)
{
	memset(m->nr_lines, 0, sizeof(m->nr_lines));
	m->last_line[0] = '\0';
	m->log[0] = '\0';
}

void test_context_reset(void)
{
	memset(&this_ledger, 0, sizeof(this_ledger));
	irqs_masked = 0;
	pins = 0;
}

unsigned test_irqs_masked(void)
{
	return irqs_masked;
}

unsigned test_pins(void)
{
	return pins;
}

uint64_t test_seed(uint64_t fallback)
{
	const char *text = getenv("TEST_SEED");

	return text ? strtoull(text, NULL, 0) : fallback;
}

/* xorshift64* */
uint64_t test_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t test_random_below(uint64_t *state, uint64_t limit)
{
	return test_random(state) % limit;
}
