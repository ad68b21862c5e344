/* SPDX-License-Identifier: MIT */
/*
 * test_work.c - delayed work: when, in which order, how often
 */
#include "support.h"

#include "base/base.h"
#include "base/random.h"
#include "base/trace.h"

#include <pthread.h>

#define NR_JOBS 8

/* Work that notes that it ran, and may do something else. */
struct job {
	struct qr_work work;
	unsigned runs;
	uint64_t again_in; /* queue itself again with this delay; UINT64_MAX: do not */
	struct job *queues; /* queue this one without delay */
	bool slow; /* run until told otherwise */
};

static struct test_machine *m;
static struct qr_base *base;
static struct job jobs[NR_JOBS];
static struct job *order[64];
static unsigned nr_order;
static unsigned slow_phase; /* 1: the slow job runs, 2: it may end */

static void job_run(struct qr_base *b, struct qr_work *work)
{
	struct job *job = QR_CONTAINER(work, struct job, work);

	assert_ptr_equal(b, base);
	assert_int_equal(test_irqs_masked(), 0);
	job->runs++;
	if (nr_order < 64)
		order[nr_order++] = job;
	if (job->again_in != UINT64_MAX)
		qr__work_queue(b, work, job->again_in);
	if (job->queues)
		qr__work_queue(b, &job->queues->work, 0);
	if (job->slow) {
		__atomic_store_n(&slow_phase, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&slow_phase, __ATOMIC_ACQUIRE) != 2)
			;
	}
}

static int setup(void **state)
{
	(void)state;
	m = test_machine_new();
	base = calloc(1, sizeof(*base));
	base->platform = m->config.platform;
	base->nr_cpus = 2;
	qr__workqueue_init(base);
	memset(jobs, 0, sizeof(jobs));
	for (unsigned i = 0; i < NR_JOBS; i++) {
		qr__work_init(&jobs[i].work, job_run);
		jobs[i].again_in = UINT64_MAX;
	}
	nr_order = 0;
	slow_phase = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(base);
	test_machine_free(m);
	return 0;
}

static void by_time_then_by_turn(void **state)
{
	(void)state;
	qr__work_queue(base, &jobs[0].work, 30);
	qr__work_queue(base, &jobs[1].work, 10);
	qr__work_queue(base, &jobs[2].work, 20);
	qr__work_queue(base, &jobs[3].work, 10);
	assert_int_equal(m->run_by_ns, 10);
	assert_int_equal(qr__work_run_due(base), 10);
	assert_int_equal(nr_order, 0);

	m->now_ns = 20;
	assert_int_equal(qr__work_run_due(base), 30);
	assert_int_equal(nr_order, 3);
	assert_ptr_equal(order[0], &jobs[1]);
	assert_ptr_equal(order[1], &jobs[3]);
	assert_ptr_equal(order[2], &jobs[2]);

	m->now_ns = 30;
	assert_true(qr__work_run_due(base) == UINT64_MAX);
	assert_ptr_equal(order[3], &jobs[0]);
	assert_true(qr__work_run_due(base) == UINT64_MAX);
	assert_int_equal(nr_order, 4);
}

static void the_earlier_time_counts(void **state)
{
	(void)state;
	qr__work_queue(base, &jobs[0].work, 100);
	m->run_by_ns = UINT64_MAX;
	qr__work_queue(base, &jobs[0].work, 200);
	assert_true(m->run_by_ns == UINT64_MAX); /* nothing new to tell */
	qr__work_queue(base, &jobs[0].work, 50);
	assert_int_equal(m->run_by_ns, 50);
	m->run_by_ns = UINT64_MAX;
	qr__work_queue(base, &jobs[1].work, 600);
	assert_true(m->run_by_ns == UINT64_MAX); /* something earlier was told already */
	m->now_ns = 50;
	assert_int_equal(qr__work_run_due(base), 600);
	assert_int_equal(jobs[0].runs, 1);
	m->now_ns = 500;
	qr__work_run_due(base);
	assert_int_equal(jobs[0].runs, 1);
}

static void a_delay_for_ever(void **state)
{
	(void)state;
	m->now_ns = 1000;
	qr__work_queue(base, &jobs[0].work, UINT64_MAX);
	assert_true(qr__work_run_due(base) == UINT64_MAX - 1);
	assert_int_equal(jobs[0].runs, 0);
}

/* Work that wants to run all the time does not keep its caller. */
static void once_in_a_pass(void **state)
{
	(void)state;
	jobs[0].again_in = 0;
	jobs[1].queues = &jobs[2];
	qr__work_queue(base, &jobs[0].work, 0);
	qr__work_queue(base, &jobs[1].work, 0);
	assert_int_equal(qr__work_run_due(base), 0);
	assert_int_equal(jobs[0].runs, 1);
	assert_int_equal(jobs[1].runs, 1);
	assert_int_equal(jobs[2].runs, 0); /* was queued in this pass: next time */
	assert_int_equal(qr__work_run_due(base), 0);
	assert_int_equal(jobs[0].runs, 2);
	assert_int_equal(jobs[1].runs, 1);
	assert_int_equal(jobs[2].runs, 1);
}

static void periodic(void **state)
{
	(void)state;
	jobs[0].again_in = 1000;
	qr__work_queue(base, &jobs[0].work, 1000);
	for (unsigned i = 1; i <= 5; i++) {
		m->now_ns = i * 1000;
		assert_int_equal(qr__work_run_due(base), (i + 1) * 1000);
		assert_int_equal(jobs[0].runs, i);
	}
}

static void cancel(void **state)
{
	(void)state;
	assert_false(qr__work_cancel(base, &jobs[0].work));
	qr__work_queue(base, &jobs[0].work, 10);
	qr__work_queue(base, &jobs[1].work, 20);
	qr__work_queue(base, &jobs[2].work, 30);
	assert_true(qr__work_cancel(base, &jobs[1].work));
	assert_false(qr__work_cancel(base, &jobs[1].work));
	assert_true(qr__work_cancel_sync(base, &jobs[2].work));
	assert_false(qr__work_cancel_sync(base, &jobs[2].work));
	m->now_ns = 100;
	qr__work_run_due(base);
	assert_int_equal(nr_order, 1);
	assert_ptr_equal(order[0], &jobs[0]);
}

/* Two threads ------------------------------------------------------------------------------ */

static void *runner(void *arg)
{
	(void)arg;
	qr__work_run_due(base);
	return NULL;
}

static pthread_t start_slow_job(void)
{
	pthread_t thread;

	jobs[0].slow = true;
	qr__work_queue(base, &jobs[0].work, 0);
	assert_int_equal(pthread_create(&thread, NULL, runner, NULL), 0);
	while (__atomic_load_n(&slow_phase, __ATOMIC_ACQUIRE) != 1)
		;
	return thread;
}

/* Work that runs is not run a second time beside itself, but again afterwards. */
static void queued_while_running(void **state)
{
	pthread_t thread = start_slow_job();

	(void)state;
	qr__work_queue(base, &jobs[0].work, 0);
	qr__work_queue(base, &jobs[1].work, 0);
	assert_true(qr__work_run_due(base) == UINT64_MAX); /* not ours to look after */
	assert_int_equal(jobs[0].runs, 1);
	assert_int_equal(jobs[1].runs, 1);
	jobs[0].slow = false;
	__atomic_store_n(&slow_phase, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	qr__work_run_due(base);
	assert_int_equal(jobs[0].runs, 2);
}

static void *ender(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&m->nr_relax, __ATOMIC_RELAXED) == 0)
		;
	__atomic_store_n(&slow_phase, 2, __ATOMIC_RELEASE);
	return NULL;
}

static void cancel_waits(void **state)
{
	pthread_t thread = start_slow_job(), second;

	(void)state;
	assert_int_equal(pthread_create(&second, NULL, ender, NULL), 0);
	assert_false(qr__work_cancel(base, &jobs[0].work)); /* does not wait */
	assert_int_not_equal(__atomic_load_n(&slow_phase, __ATOMIC_ACQUIRE), 2);
	assert_false(qr__work_cancel_sync(base, &jobs[0].work));
	assert_int_equal(__atomic_load_n(&slow_phase, __ATOMIC_ACQUIRE), 2);
	pthread_join(second, NULL);
	pthread_join(thread, NULL);
}

/* Without a clock, time stands still: what has no delay runs, the rest never does. */
static void without_a_clock(void **state)
{
	(void)state;
	base->platform.clock_ns = NULL;
	base->platform.run_by = NULL;
	qr__work_queue(base, &jobs[0].work, 0);
	qr__work_queue(base, &jobs[1].work, 1);
	assert_int_equal(qr__work_run_due(base), 1);
	assert_int_equal(jobs[0].runs, 1);
	assert_int_equal(jobs[1].runs, 0);
}

/* The rest of the lowest layer ------------------------------------------------------------- */

static struct qr_trace_event traced;
static unsigned nr_traced;

static void trace_event(void *ctx, const struct qr_trace_event *event)
{
	assert_ptr_equal(ctx, m);
	traced = *event;
	nr_traced++;
}

static void trace_points(void **state)
{
	(void)state;
	nr_traced = 0;
	QR_TRACE(base, QR_TP_MM_PAGE_FREE, .pfn = 5, .order = 2);
	qr__trace_listen(base, trace_event, m, 1u << QR_TP_MM_PAGE_FREE);
	QR_TRACE(base, QR_TP_MM_PAGE_ALLOC, .pfn = 6);
	assert_int_equal(nr_traced, 0);
	QR_TRACE(base, QR_TP_MM_PAGE_FREE, .pfn = 7, .order = 3);
	assert_int_equal(nr_traced, 1);
	assert_int_equal(traced.id, QR_TP_MM_PAGE_FREE);
	assert_int_equal(traced.pfn, 7);
	assert_int_equal(traced.order, 3);
	qr__trace_listen(base, NULL, NULL, ~UINT64_C(0));
	QR_TRACE(base, QR_TP_MM_PAGE_FREE, .pfn = 8);
	qr__trace(base, &traced); /* a thread that saw the mask before */
	assert_int_equal(nr_traced, 1);
}

static void random_numbers_repeat(void **state)
{
	uint64_t first[8];
	unsigned ones = 0;

	(void)state;
	atomic_init(&base->random, 42);
	for (unsigned i = 0; i < 8; i++) {
		first[i] = qr__random(base);
		ones += (unsigned)__builtin_popcountll(first[i]);
	}
	assert_in_range(ones, 8 * 32 - 100, 8 * 32 + 100);
	atomic_init(&base->random, 42);
	for (unsigned i = 0; i < 8; i++)
		assert_true(qr__random(base) == first[i]);
}

/* Whatever a hook answers, the number names a CPU. */
static void cpu_numbers_are_folded(void **state)
{
	(void)state;
	test_cpu_set(1);
	assert_int_equal(qr__cpu_racy(base), 1);
	test_cpu_set(5);
	assert_int_equal(qr__cpu_racy(base), 1);
	assert_int_equal(qr__cpu_pin(base), 1);
	assert_int_equal(test_pins(), 1);
	qr__cpu_unpin(base);
	assert_int_equal(test_pins(), 0);
	base->platform.cpu_pin = NULL;
	base->platform.cpu_unpin = NULL;
	assert_int_equal(qr__cpu_pin(base), 1);
	qr__cpu_unpin(base);
	base->platform.cpu_id = NULL;
	assert_int_equal(qr__cpu_pin(base), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(by_time_then_by_turn),
		TEST(the_earlier_time_counts),
		TEST(a_delay_for_ever),
		TEST(once_in_a_pass),
		TEST(periodic),
		TEST(cancel),
		TEST(queued_while_running),
		TEST(cancel_waits),
		TEST(without_a_clock),
		TEST(trace_points),
		TEST(random_numbers_repeat),
		TEST(cpu_numbers_are_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
