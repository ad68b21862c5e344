/* SPDX-License-Identifier: MIT */
/*
 * test_linux_port.c - the hosted port in use: real memory, CPUs, the worker, tasks, fork, threads
 */
#include "linux_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Memory ------------------------------------------------------------------------------------ */

static void test_real_memory(void **state)
{
	struct qr_linux_config config = {.size = 64 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	struct quire *q = qr_linux_quire(pool);
	unsigned char *base = qr_linux_base(pool, NULL), byte;
	struct qr_page *pages[256];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		pages[i] = qr_alloc_pages(q, QR_GFP_KERNEL | (i & 1 ? QR___GFP_ZERO : 0), i % 4);
		assert_non_null(pages[i]);
		if (i & 1)
			assert_int_equal(*(unsigned char *)qr_page_address(q, pages[i]), 0);
		memset(qr_page_address(q, pages[i]), (int)i, QR_PAGE_SIZE << i % 4);
	}
	for (unsigned i = 0; i < 256; i++) {
		qr_pfn_t pfn = qr_page_to_pfn(q, pages[i]);
		unsigned char *address = qr_page_address(q, pages[i]);
		unsigned char *last = address + (QR_PAGE_SIZE << i % 4) - 1;

		assert_ptr_equal(address, base + pfn * QR_PAGE_SIZE);
		assert_int_equal(*address, i);
		assert_int_equal(*last, i);
		assert_int_equal(hooks_of(pool)->address_to_pfn(pool, address + 17), pfn);
		/* The file says the same. */
		assert_int_equal(pread(qr_linux_fd(pool), &byte, 1, last - base), 1);
		assert_int_equal(byte, i);
		qr___free_pages(q, pages[i], i % 4);
	}
	assert_true(hooks_of(pool)->address_to_pfn(pool, base - 1) == QR_PFN_NONE);
	assert_true(hooks_of(pool)->address_to_pfn(pool, base + 64 * MIB) == QR_PFN_NONE);
	assert_true(hooks_of(pool)->address_to_pfn(pool, &byte) == QR_PFN_NONE);
	check_clean(pool);
	qr_linux_close(pool);
}

static bool can_be_read(const void *address)
{
	int pipes[2];
	bool can;

	assert_int_equal(pipe(pipes), 0);
	can = write(pipes[1], address, 1) == 1;
	assert_true(can || errno == EFAULT);
	close(pipes[0]);
	close(pipes[1]);
	return can;
}

/* Memory that begins high up and has a hole. */
static void test_ranges_and_holes(void **state)
{
	static const struct qr_range ranges[] = {
		{.start_pfn = 0x50000, .nr_pages = 0x8000},
		{.start_pfn = 0x40000, .nr_pages = 0x8000},
	};
	struct qr_linux_config config = {.machine = {.ranges = ranges, .nr_ranges = 2}};
	struct qr_linux_pool *pool = pool_open(&config);
	unsigned char *base = qr_linux_base(pool, NULL);
	const struct qr_platform *hooks = hooks_of(pool);
	uint64_t length;

	(void)state;
	qr_linux_base(pool, &length);
	assert_int_equal(length, UINT64_C(0x18000) * QR_PAGE_SIZE);
	assert_ptr_equal(hooks->page_address(pool, 0x40000), base);
	assert_ptr_equal(hooks->page_address(pool, 0x50000), base + 0x10000 * QR_PAGE_SIZE);
	assert_int_equal(hooks->address_to_pfn(pool, base), 0x40000);
	assert_true(can_be_read(base));
	assert_true(can_be_read(base + 0x8000 * QR_PAGE_SIZE - 1));
	assert_false(can_be_read(base + 0x8000 * QR_PAGE_SIZE));
	assert_false(can_be_read(base + 0x10000 * QR_PAGE_SIZE - 1));
	assert_true(can_be_read(base + 0x10000 * QR_PAGE_SIZE));
	check_clean(pool);
	qr_linux_close(pool);
}

/* However crooked the first range begins, a block of 2 MiB is a huge page of the host. */
static void test_blocks_lie_on_huge_pages(void **state)
{
	static const struct qr_range range = {.start_pfn = 0x40180, .nr_pages = 0x7e80};
	struct qr_linux_config config = {.machine = {.ranges = &range, .nr_ranges = 1}};
	struct qr_linux_pool *pool = pool_open(&config);
	unsigned char *base = qr_linux_base(pool, NULL), *block;

	(void)state;
	assert_int_equal((uintptr_t)base % (2 * MIB), 0);
	assert_ptr_equal(hooks_of(pool)->page_address(pool, 0x40180), base + 0x180 * QR_PAGE_SIZE);
	block = hooks_of(pool)->page_address(pool, 0x40200);
	assert_int_equal((uintptr_t)block % (2 * MIB), 0);
	assert_false(can_be_read(base)); /* in front of the range */
	assert_true(can_be_read(base + 0x180 * QR_PAGE_SIZE));
	qr_linux_close(pool);
}

static void test_resident(void **state)
{
	struct qr_linux_config config = {.size = 64 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	uint64_t metadata = 0, memory = 1, after = 0;
	struct qr_quire_snapshot snap;
	unsigned char *base = qr_linux_base(pool, NULL);

	(void)state;
	qr_quire_snapshot(qr_linux_quire(pool), &snap);
	assert_int_equal(qr_linux_resident(pool, &metadata, &memory), 0);
	assert_true(metadata > 0 && metadata <= snap.metadata_size + 4096);
	assert_int_equal(memory, 0);
	for (uint64_t at = 0; at < 8 * MIB; at += 4096)
		base[at] = 1;
	assert_int_equal(qr_linux_resident(pool, NULL, &after), 0);
	assert_true(after >= 8 * MIB);
	assert_int_equal(qr_linux_resident(pool, NULL, NULL), 0);
	qr_linux_close(pool);

	config.prefault = true;
	pool = pool_open(&config);
	assert_int_equal(qr_linux_resident(pool, NULL, &memory), 0);
	assert_true(memory >= 64 * MIB);
	qr_linux_close(pool);
}

/* CPUs -------------------------------------------------------------------------------------- */

static void test_cpu_numbers(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	cpu_set_t before, one;
	unsigned tried = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && tried < 8; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		assert_int_equal(hooks_of(pool)->cpu_id(pool),
				 cpu % (unsigned)sysconf(_SC_NPROCESSORS_CONF));
		tried++;
	}
	assert_true(tried > 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_true(strcmp(qr_linux_cpu_source(pool), "rseq") == 0 ||
		    strcmp(qr_linux_cpu_source(pool), "getcpu") == 0);
	qr_linux_close(pool);

	/* All the host's CPUs are one. */
	config.machine.nr_cpus = 1;
	pool = pool_open(&config);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(hooks_of(pool)->cpu_id(pool), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	qr_linux_close(pool);
}

/* This program again, as one where the C library keeps away from rseq. */
static void test_without_rseq(void **state)
{
	char exe[512], *argv[] = {exe, (char *)(uintptr_t) "--without-rseq", NULL};
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int status;
	pid_t pid;

	(void)state;
	assert_true(length > 0);
	exe[length] = 0;
	pid = fork();
	if (pid == 0) {
		assert_non_null(freopen("/dev/null", "w", stdout));
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		execv(exe, argv);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int without_rseq(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cpu_numbers)};
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool;
	bool getcpu;

	if (qr_linux_open(&config, &pool, NULL) < 0)
		return 2;
	getcpu = strcmp(qr_linux_cpu_source(pool), "getcpu") == 0 && !qr_linux_local_locks(pool);
	qr_linux_close(pool);
	if (!getcpu)
		return 3;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Worker ------------------------------------------------------------------------------------ */

static struct {
	_Atomic unsigned nr;
	_Atomic int tid;
} job;

static void job_run(struct qr_base *base, struct qr_work *work)
{
	(void)base, (void)work;
	atomic_store(&job.tid, gettid());
	atomic_fetch_add(&job.nr, 1);
}

static bool job_done_within(unsigned ms, unsigned nr)
{
	for (unsigned waited = 0; waited < ms; waited += 2) {
		if (atomic_load(&job.nr) >= nr)
			return true;
		sleep_ms(2);
	}
	return false;
}

static void test_worker(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_base *base = qr__base(qr_linux_quire(pool));
	struct qr_work soon, late;

	(void)state;
	atomic_store(&job.nr, 0);
	qr__work_init(&soon, job_run);
	qr__work_init(&late, job_run);
	qr__work_queue(base, &late, UINT64_C(3600) * 1000000000);
	/* Asleep for an hour, the worker hears of something sooner, every time. */
	for (unsigned i = 1; i <= 50; i++) {
		qr__work_queue(base, &soon, i % 5 * 200000);
		assert_true(job_done_within(5000, i));
	}
	assert_int_not_equal(atomic_load(&job.tid), gettid());
	sleep_ms(20);
	assert_int_equal(atomic_load(&job.nr), 50);
	assert_true(qr__work_cancel(base, &late));
	qr_linux_close(pool);
}

/* Work that comes just when the worker is about to sleep is not slept over. */
static void test_no_wakeup_is_lost(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_work work;
	unsigned nr_late = 0;

	(void)state;
	atomic_store(&job.nr, 0);
	qr__work_init(&work, job_run);
	for (unsigned i = 1; i <= 20000; i++) {
		/* A little later each time, so that one of them is the worst moment. */
		for (volatile unsigned k = 0; k < i % 500; k++)
			;
		qr__work_queue(qr__base(qr_linux_quire(pool)), &work, 0);
		for (unsigned k = 0; k < 200 && atomic_load(&job.nr) < i; k++)
			sched_yield();
		/* The core's own work, each second, would wake it in the end. */
		if (!job_done_within(200, i)) {
			assert_true(job_done_within(5000, i));
			assert_true(++nr_late <= 3);
		}
	}
	qr_linux_close(pool);
}

static void test_no_worker(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB, .no_worker = true};
	unsigned threads = entries_of("/proc/self/task");
	struct qr_linux_pool *pool = pool_open(&config);
	struct qr_work work;

	(void)state;
	assert_int_equal(entries_of("/proc/self/task"), threads);
	assert_null(hooks_of(pool)->run_by);
	atomic_store(&job.nr, 0);
	qr__work_init(&work, job_run);
	qr__work_queue(qr__base(qr_linux_quire(pool)), &work, 0);
	assert_false(job_done_within(20, 1));
	qr_run_pending(qr_linux_quire(pool));
	assert_int_equal(atomic_load(&job.nr), 1);
	assert_int_equal(atomic_load(&job.tid), gettid());
	qr_linux_close(pool);
}

static void test_clock(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	uint64_t before = hooks_of(pool)->clock_ns(pool), after;

	(void)state;
	sleep_ms(10);
	after = hooks_of(pool)->clock_ns(pool);
	assert_true(after - before >= 10000000 && after - before < UINT64_C(5000000000));
	/* Waiting gets longer, and never long. */
	for (unsigned spins = 0; spins < 100; spins++)
		hooks_of(pool)->relax(pool, spins);
	before = hooks_of(pool)->clock_ns(pool);
	hooks_of(pool)->relax(pool, UINT32_MAX);
	assert_true(hooks_of(pool)->clock_ns(pool) - before >= 1000000);
	qr_linux_close(pool);
}

/* Tasks ------------------------------------------------------------------------------------- */

static struct task_thread {
	struct qr_linux_pool *pools[2];
	struct qr_task *tasks[2];
	pthread_barrier_t *barrier;
} task_threads[3];

static void *task_main(void *arg)
{
	struct task_thread *t = arg;

	for (unsigned i = 0; i < 2; i++)
		t->tasks[i] = qr_linux_task(t->pools[i]);
	for (unsigned i = 0; i < 6; i++)
		assert_ptr_equal(hooks_of(t->pools[i % 2])->current_task(t->pools[i % 2]),
				 t->tasks[i % 2]);
	assert_int_equal(t->tasks[0]->id, gettid());
	assert_int_equal(t->tasks[0]->flags, 0);
	t->tasks[1]->flags = QR_TASK_MEMALLOC_NOIO;
	pthread_barrier_wait(t->barrier);
	return NULL;
}

static void test_tasks(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB, .tasks = true};
	struct qr_linux_pool *pools[2] = {pool_open(&config), pool_open(&config)};
	pthread_t threads[3];
	pthread_barrier_t barrier;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 3);
	for (unsigned i = 0; i < 3; i++) {
		task_threads[i] = (struct task_thread){{pools[0], pools[1]}, {NULL}, &barrier};
		assert_int_equal(pthread_create(&threads[i], NULL, task_main, &task_threads[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(task_threads[i / 2].tasks[i % 2],
					     task_threads[k / 2].tasks[k % 2]);

	/* This thread outlives the first pool, and does not take the next one for it. */
	assert_non_null(qr_linux_task(pools[0]));
	qr_linux_task(pools[0])->flags = QR_TASK_MEMALLOC_PIN;
	qr_linux_close(pools[0]);
	pools[0] = pool_open(&config);
	assert_int_equal(qr_linux_task(pools[0])->flags, 0);
	qr_linux_close(pools[0]);
	qr_linux_close(pools[1]);

	/* A process has few keys for thread-specific data. */
	config.backing = QR_LINUX_NO_MEMORY;
	config.no_worker = true;
	for (unsigned i = 0; i < 1100; i++)
		qr_linux_close(pool_open(&config));

	config.tasks = false;
	pools[0] = pool_open(&config);
	assert_null(qr_linux_task(pools[0]));
	assert_null(hooks_of(pools[0])->current_task);
	qr_linux_close(pools[0]);
}

/* Log, panic, fork -------------------------------------------------------------------------- */

static void keep_line(void *log_ctx, enum qr_log_level level, const char *line)
{
	snprintf(log_ctx, 256, "%u %s", (unsigned)level, line);
}

static void test_log(void **state)
{
	char line[256] = "";
	struct qr_linux_config config = {.size = 16 * MIB, .log = keep_line, .log_ctx = line};
	struct qr_linux_pool *pool = pool_open(&config);

	(void)state;
	qr__log(qr__base(qr_linux_quire(pool)), QR_LOG_INFO, "frame %u", 12u);
	assert_string_equal(line, "2 frame 12");
	qr_linux_close(pool);
}

/* What a child prints on stderr and how it ends. */
static int child_status(void (*body)(void *arg), void *arg, char *said, size_t room)
{
	int pipes[2], status = -1;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		body(arg);
		_exit(0);
	}
	close(pipes[1]);
	got = read(pipes[0], said, room - 1);
	said[got > 0 ? got : 0] = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipes[0]);
	return status;
}

static void close_body(void *pool)
{
	qr_linux_close(pool);
}

/* Without the signal handlers of the test's framework, and without a core file. */
static void die_quietly(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
}

static void touch_body(void *pool)
{
	die_quietly();
	*(volatile unsigned char *)qr_linux_base(pool, NULL) = 1;
}

/* The hooks are copied before fork(): a child has no metadata to look into. */
static struct qr_platform copied_hooks;
static void copied_panic_body(void *pool)
{
	die_quietly();
	copied_hooks.panic(pool, "B4: all is lost");
}

static void copied_warn_body(void *pool)
{
	copied_hooks.log(pool, QR_LOG_INFO, "unheard");
	copied_hooks.log(pool, QR_LOG_WARN, "mind the gap");
}

static void test_stderr_and_panic(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB};
	struct qr_linux_pool *pool = pool_open(&config);
	char said[4096];
	int status;

	(void)state;
	copied_hooks = *hooks_of(pool);
	assert_int_equal(child_status(copied_warn_body, pool, said, sizeof(said)), 0);
	assert_string_equal(said, "quire: mind the gap\n");
	status = child_status(copied_panic_body, pool, said, sizeof(said));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(said, "quire: panic: B4: all is lost\n");
	qr_linux_close(pool);
}

static void test_fork(void **state)
{
	struct qr_linux_config config = {.size = 16 * MIB, .tasks = true};
	struct qr_linux_pool *pool = pool_open(&config);
	struct quire *q = qr_linux_quire(pool);
	struct qr_page *page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	char said[4096];

	(void)state;
	memset(qr_page_address(q, page), 0x42, QR_PAGE_SIZE);
	assert_int_equal(child_status(close_body, pool, said, sizeof(said)), 0);
	assert_int_not_equal(child_status(touch_body, pool, said, sizeof(said)), 0);
	/* The parent's pool has not noticed. */
	assert_int_equal(*(unsigned char *)qr_page_address(q, page), 0x42);
	qr___free_pages(q, page, 0);
	check_clean(pool);
	qr_linux_close(pool);
}

/* Threads ----------------------------------------------------------------------------------- */

#define NR_THREADS 4u
#define NR_HELD 64u
#define NR_ROUNDS 20000u

struct user {
	struct quire *q;
	unsigned number;
	uint64_t random;
	struct qr_page *held[NR_HELD];
	unsigned order[NR_HELD];
	unsigned nr_bad, nr_failed;
};

/* The first and the last word of each page. */
static void stamp(struct user *u, unsigned slot, bool verify)
{
	uint64_t words = QR_PAGE_SIZE / sizeof(uint64_t);

	for (uint64_t i = 0; i < UINT64_C(1) << u->order[slot]; i++) {
		uint64_t *page = qr_page_address(u->q, u->held[slot]);
		uint64_t value = (uint64_t)u->number << 32 | slot;

		page += i * words;
		if (!verify)
			page[0] = page[words - 1] = value;
		else if (page[0] != value || page[words - 1] != value)
			u->nr_bad++;
	}
}

static void drop(struct user *u, unsigned slot)
{
	stamp(u, slot, true);
	qr___free_pages(u->q, u->held[slot], u->order[slot]);
	u->held[slot] = NULL;
}

static void *user_main(void *arg)
{
	struct user *u = arg;

	for (unsigned round = 0; round < NR_ROUNDS; round++) {
		unsigned slot;

		u->random = u->random * UINT64_C(6364136223846793005) + 1442695040888963407;
		slot = (unsigned)(u->random >> 33) % NR_HELD;
		if (u->held[slot]) {
			drop(u, slot);
			continue;
		}
		u->order[slot] =
			(unsigned)(u->random >> 50) % 8 ? 0 : (unsigned)(u->random >> 40) % 6;
		u->held[slot] = qr_alloc_pages(u->q, QR_GFP_KERNEL, u->order[slot]);
		if (u->held[slot])
			stamp(u, slot, false);
		else
			u->nr_failed++;
	}
	for (unsigned slot = 0; slot < NR_HELD; slot++)
		if (u->held[slot])
			drop(u, slot);
	return NULL;
}

static void test_threads(void **state)
{
	struct qr_linux_config config = {.size = 128 * MIB, .tasks = true};
	struct qr_linux_pool *pool = pool_open(&config);
	struct quire *q = qr_linux_quire(pool);
	static struct user users[NR_THREADS];
	struct qr_quire_snapshot before, after;
	pthread_t threads[NR_THREADS];

	(void)state;
	qr_drain_all_pages(q, NULL);
	qr_quire_snapshot(q, &before);
	memset(users, 0, sizeof(users));
	for (unsigned i = 0; i < NR_THREADS; i++) {
		users[i].q = q;
		users[i].number = i + 1;
		users[i].random = i;
		assert_int_equal(pthread_create(&threads[i], NULL, user_main, &users[i]), 0);
	}
	for (unsigned i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].nr_bad, 0);
		assert_int_equal(users[i].nr_failed, 0); /* 64 * 4 blocks always fit */
	}
	check_clean(pool);
	qr_drain_all_pages(q, NULL);
	qr_quire_snapshot(q, &after);
	assert_int_equal(after.nr_free, before.nr_free);
	check_clean(pool);
	qr_linux_close(pool);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_memory),
		cmocka_unit_test(test_ranges_and_holes),
		cmocka_unit_test(test_blocks_lie_on_huge_pages),
		cmocka_unit_test(test_resident),
		cmocka_unit_test(test_cpu_numbers),
		cmocka_unit_test(test_without_rseq),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_no_wakeup_is_lost),
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_stderr_and_panic),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_threads),
	};

	if (argc > 1 && strcmp(argv[1], "--without-rseq") == 0)
		return without_rseq();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
