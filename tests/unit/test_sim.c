/* SPDX-License-Identifier: MIT */
/*
 * test_sim.c - the simulated platform: clock, CPUs, interrupts, failing hooks, log, panics
 *
 * test_sim_fibers.c has what takes turns.
 */
#include <quire/inspect.h>

#include "sim_machine.h"

static void *sim_up(const struct qr_sim_config *change)
{
	struct qr_sim_config config = change ? *change : (struct qr_sim_config){0};

	return machine_new(&config);
}

static struct qr_platform *hooks_of(struct qr_sim *sim)
{
	return &qr__base(qr_sim_quire(sim))->platform;
}

static void test_impossible_machines(void **state)
{
	struct qr_range range = {.start_pfn = 0, .nr_pages = MACHINE_PAGES};
	struct qr_sim_config config = {.machine = {.ranges = &range, .nr_ranges = 1}};
	struct qr_error_text why = {""};

	(void)state;
	assert_null(qr_sim_new(&config, &why)); /* no CPU */
	assert_true(strlen(why.text) > 10);
	config.machine.nr_cpus = 1;
	config.machine.nr_ranges = 0;
	assert_null(qr_sim_new(&config, NULL));
	qr_sim_free(NULL);
}

/* Clock ------------------------------------------------------------------------------------- */

static struct {
	struct qr_sim *sim;
	uint64_t times[8];
	unsigned nr;
	uint64_t again;
} job;

static void job_run(struct qr_base *base, struct qr_work *work)
{
	job.times[job.nr++] = qr_sim_now(job.sim);
	if (job.nr < 4)
		qr__work_queue(base, work, job.again);
}

static void test_clock(void **state)
{
	struct qr_sim *sim = sim_up(&(struct qr_sim_config){.start_ns = 5000});

	(void)state;
	assert_int_equal(qr_sim_now(sim), 5000);
	assert_int_equal(hooks_of(sim)->clock_ns(sim), 5000);
	qr_sim_advance(sim, 0);
	assert_int_equal(qr_sim_now(sim), 5000);
	qr_sim_advance(sim, 70);
	assert_int_equal(hooks_of(sim)->clock_ns(sim), 5070);
	qr_sim_advance(sim, UINT64_C(10000000000));
	assert_int_equal(qr_sim_now(sim), UINT64_C(10000005070));
	qr_sim_free(sim);
}

static void test_work_runs_when_due(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct qr_base *base = qr__base(qr_sim_quire(sim));
	struct qr_work work;

	(void)state;
	memset(&job, 0, sizeof(job));
	job.sim = sim;
	job.again = 10;
	qr__work_init(&work, job_run);
	qr__work_queue(base, &work, 100);
	assert_true(qr_sim_run_by(sim) <= 100);
	qr_sim_advance(sim, 99);
	assert_int_equal(job.nr, 0);
	qr_sim_advance(sim, 16);
	assert_int_equal(job.nr, 2);
	assert_int_equal(job.times[0], 100);
	assert_int_equal(job.times[1], 110);
	qr_sim_advance(sim, 5); /* to the very moment */
	assert_int_equal(job.nr, 3);
	qr_sim_advance(sim, 1000);
	assert_int_equal(job.nr, 4);
	assert_int_equal(job.times[3], 130);
	assert_int_equal(qr_sim_now(sim), 1120);
	qr_sim_free(sim);
}

static void endless_run(struct qr_base *base, struct qr_work *work)
{
	qr__work_queue(base, work, 0);
}

static void advance_body(void *sim)
{
	qr_sim_advance(sim, 10);
}

static void test_endless_work_panics(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct qr_work work;
	const char *message;

	(void)state;
	qr__work_init(&work, endless_run);
	qr__work_queue(qr__base(qr_sim_quire(sim)), &work, 5);
	assert_true(qr_sim_panics(sim, advance_body, sim, &message));
	assert_non_null(strstr(message, "always more work due"));
	qr_sim_free(sim);
}

/* CPUs and tasks ---------------------------------------------------------------------------- */

static void cpu_set_9(void *sim)
{
	qr_sim_cpu_set(sim, 9);
}

static void cpu_set_pinned(void *arg)
{
	struct qr_sim *sim = arg;

	hooks_of(sim)->cpu_pin(sim);
	qr_sim_cpu_set(sim, 0); /* where we are: fine */
	qr_sim_cpu_set(sim, 1);
}

static void unpin(void *sim)
{
	hooks_of(sim)->cpu_unpin(sim);
}

static void test_cpus(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct qr_task task = {.id = 7};
	const char *message;

	(void)state;
	assert_int_equal(qr_sim_cpu(sim), 0);
	qr_sim_cpu_set(sim, 3);
	assert_int_equal(hooks_of(sim)->cpu_id(sim), 3);
	assert_int_equal(hooks_of(sim)->cpu_pin(sim), 3);
	hooks_of(sim)->cpu_unpin(sim);
	assert_null(hooks_of(sim)->current_task(sim));
	qr_sim_task_set(sim, &task);
	assert_ptr_equal(hooks_of(sim)->current_task(sim), &task);
	qr_sim_cpu_set(sim, 0);

	assert_true(qr_sim_panics(sim, cpu_set_9, sim, &message));
	assert_string_equal(message, "qr_sim_cpu_set(): there is no CPU 9, only 0 to 3");
	assert_true(qr_sim_panics(sim, cpu_set_pinned, sim, &message));
	assert_string_equal(message, "qr_sim_cpu_set(): cannot leave CPU 0, it is pinned");
	assert_true(qr_sim_panics(sim, unpin, sim, &message));
	assert_non_null(strstr(message, "without cpu_pin()"));
	qr_sim_free(sim);
}

static void test_cpu_model_is_kept(void **state)
{
	struct qr_sim_config config = {.machine.platform.cpu_model = QR_CPU_RT};
	struct qr_sim *sim = sim_up(&config);

	(void)state;
	assert_int_equal(hooks_of(sim)->cpu_model, QR_CPU_RT);
	qr_sim_free(sim);
}

/* Interrupts -------------------------------------------------------------------------------- */

static struct {
	struct qr_sim *sim;
	char order[16];
	unsigned nr;
	bool masked;
	uint32_t task_flags;
} seen;

static void handler(void *arg)
{
	seen.order[seen.nr++] = *(const char *)arg;
	seen.masked = qr_sim_irqs_masked(seen.sim);
	seen.task_flags = hooks_of(seen.sim)->current_task(seen.sim)->flags;
}

static void nesting_handler(void *arg)
{
	qr_sim_interrupt(seen.sim, handler, (void *)(uintptr_t) "n"); /* waits until we are done */
	handler(arg);
}

static void seen_reset(struct qr_sim *sim)
{
	memset(&seen, 0, sizeof(seen));
	seen.sim = sim;
}

static void test_interrupts(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct qr_platform *p = hooks_of(sim);
	unsigned long outer, inner;

	(void)state;
	seen_reset(sim);
	assert_false(qr_sim_irqs_masked(sim));
	qr_sim_interrupt(sim, handler, (void *)(uintptr_t) "a"); /* at once */
	assert_string_equal(seen.order, "a");
	assert_true(seen.masked);
	assert_true(seen.task_flags & QR_TASK_INTERRUPT);
	assert_null(p->current_task(sim));

	outer = p->irq_save(sim);
	assert_true(qr_sim_irqs_masked(sim));
	qr_sim_interrupt(sim, handler, (void *)(uintptr_t) "b");
	inner = p->irq_save(sim);
	qr_sim_interrupt(sim, nesting_handler, (void *)(uintptr_t) "c");
	p->irq_restore(sim, inner);
	assert_string_equal(seen.order, "a"); /* still masked */
	p->irq_restore(sim, outer);
	assert_string_equal(seen.order, "abcn");
	assert_false(qr_sim_irqs_masked(sim));
	qr_sim_free(sim);
}

static void test_interrupt_at(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	uint64_t before = qr_sim_sched_points(sim);

	(void)state;
	seen_reset(sim);
	qr_sim_interrupt_at(sim, 3, handler, (void *)(uintptr_t) "x");
	qr_sim_yield(sim);
	qr_sim_yield(sim);
	assert_int_equal(seen.nr, 0);
	qr_sim_yield(sim);
	assert_int_equal(seen.nr, 1);
	qr_sim_yield(sim);
	assert_int_equal(seen.nr, 1);
	qr_sim_interrupt_at(sim, 1, handler, (void *)(uintptr_t) "x");
	qr_sim_interrupt_at(sim, 0, NULL, NULL); /* taken back */
	qr_sim_yield(sim);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(qr_sim_sched_points(sim), before + 5);
	qr_sim_free(sim);
}

static void restore_alone(void *sim)
{
	hooks_of(sim)->irq_restore(sim, 0);
}

static void restore_crossed(void *arg)
{
	struct qr_sim *sim = arg;
	unsigned long outer = hooks_of(sim)->irq_save(sim);

	hooks_of(sim)->irq_save(sim);
	hooks_of(sim)->irq_restore(sim, outer);
}

static void test_irq_nesting_is_checked(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	const char *message;

	(void)state;
	assert_true(qr_sim_panics(sim, restore_alone, sim, &message));
	assert_string_equal(message, "irq_restore() on CPU 0 without irq_save()");
	assert_true(qr_sim_panics(sim, restore_crossed, sim, &message));
	assert_string_equal(message,
			    "irq_restore(0) on CPU 0 where the innermost irq_save() gave 1");
	assert_false(qr_sim_irqs_masked(sim)); /* a panic caught leaves no mask behind */
	qr_sim_free(sim);
}

/* Log and panics ---------------------------------------------------------------------------- */

static void test_log(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	const struct qr_base *base = qr__base(qr_sim_quire(sim));

	(void)state;
	qr_sim_log_clear(sim);
	assert_string_equal(qr_sim_log_last(sim), "");
	qr__log(base, QR_LOG_ERR, "pfn %u is bad", 17u);
	qr__log(base, QR_LOG_WARN, "pfn %u is good", 18u);
	assert_int_equal(qr_sim_log_count(sim), 2);
	assert_string_equal(qr_sim_log_last(sim), "pfn 18 is good");
	assert_int_equal(qr_sim_log_matches(sim, "pfn"), 2);
	assert_int_equal(qr_sim_log_matches(sim, "is bad"), 1);
	assert_int_equal(qr_sim_log_matches(sim, "badpfn"), 0); /* lines do not run together */
	qr_sim_log_clear(sim);
	assert_int_equal(qr_sim_log_count(sim), 0);
	assert_int_equal(qr_sim_log_matches(sim, "pfn"), 0);
	qr_sim_free(sim);
}

static void test_log_forgets_the_oldest(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	unsigned total = 40000, kept;

	(void)state;
	qr_sim_log_clear(sim);
	for (unsigned i = 0; i < total; i++)
		hooks_of(sim)->log(sim, QR_LOG_INFO,
				   i ? "a line of forty characters, more or less" : "the first");
	assert_int_equal(qr_sim_log_count(sim), total);
	assert_int_equal(qr_sim_log_matches(sim, "the first"), 0);
	kept = qr_sim_log_matches(sim, "a line of forty characters, more or less");
	assert_true(kept > 10000 && kept < total);
	assert_string_equal(qr_sim_log_last(sim), "a line of forty characters, more or less");
	qr_sim_free(sim);
}

static void panic_body(void *sim)
{
	qr__panic(qr__base(qr_sim_quire(sim)), "B%d is broken", 4);
}

static void quiet_body(void *sim)
{
	qr_sim_advance(sim, 1);
}

static void relax_body(void *sim)
{
	for (unsigned spins = 0;; spins++)
		hooks_of(sim)->relax(sim, spins);
}

static void test_panics(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	const char *message;

	(void)state;
	assert_false(qr_sim_panics(sim, quiet_body, sim, &message));
	assert_string_equal(message, "");
	assert_true(qr_sim_panics(sim, panic_body, sim, &message));
	assert_string_equal(message, "B4 is broken");
	assert_true(qr_sim_panics(sim, panic_body, sim, NULL));
	qr_sim_free(sim);
}

static void test_self_deadlock(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	const char *message;

	(void)state;
	/* Many short waits are no deadlock. */
	for (unsigned i = 0; i < 3000; i++)
		for (unsigned spins = 0; spins < 1000; spins++)
			hooks_of(sim)->relax(sim, spins);
	assert_true(qr_sim_panics(sim, relax_body, sim, &message));
	assert_non_null(strstr(message, "self-deadlock on CPU 0"));
	qr_sim_free(sim);
}

/* Memory ------------------------------------------------------------------------------------ */

static void page_address_beyond(void *sim)
{
	hooks_of(sim)->page_address(sim, MACHINE_PAGES);
}

static void test_memory(void **state)
{
	struct qr_sim *sim = sim_up(&(struct qr_sim_config){.memory = true});
	struct qr_platform *p = hooks_of(sim);
	unsigned char *first = p->page_address(sim, 0), *last;
	const char *message;

	(void)state;
	last = p->page_address(sim, MACHINE_PAGES - 1);
	assert_ptr_equal(last, first + (MACHINE_PAGES - 1) * QR_PAGE_SIZE);
	memset(last, 0x5a, QR_PAGE_SIZE);
	assert_int_equal(p->address_to_pfn(sim, first), 0);
	assert_int_equal(p->address_to_pfn(sim, last + QR_PAGE_SIZE - 1), MACHINE_PAGES - 1);
	assert_true(p->address_to_pfn(sim, last + QR_PAGE_SIZE) == QR_PFN_NONE);
	assert_true(p->address_to_pfn(sim, first - 1) == QR_PFN_NONE);
	assert_true(p->address_to_pfn(sim, NULL) == QR_PFN_NONE);
	assert_true(qr_sim_panics(sim, page_address_beyond, sim, &message));
	qr_sim_free(sim);

	sim = sim_up(NULL);
	assert_null(hooks_of(sim)->page_address);
	assert_null(hooks_of(sim)->address_to_pfn);
	qr_sim_free(sim);
}

/* What the core does not initialise must not matter. */
static void test_metadata_fill(void **state)
{
	struct qr_sim *sim = sim_up(&(struct qr_sim_config){.metadata_fill = 0xa5});
	struct quire *q = qr_sim_quire(sim);
	struct qr_error_text why = {""};
	struct qr_page *page;

	(void)state;
	assert_int_equal(qr_check(q, &why), 0);
	page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	assert_non_null(page);
	qr___free_pages(q, page, 0);
	assert_int_equal(qr_check(q, &why), 0);
	qr_sim_free(sim);
}

/* Hooks that fail --------------------------------------------------------------------------- */

static void test_page_address_fails(void **state)
{
	struct qr_sim *sim = sim_up(&(struct qr_sim_config){.memory = true});
	struct qr_platform *p = hooks_of(sim);
	uint64_t before = qr_sim_calls(sim, QR_SIM_PAGE_ADDRESS);

	(void)state;
	qr_sim_fail(sim, QR_SIM_PAGE_ADDRESS, 2, false);
	assert_non_null(p->page_address(sim, 0));
	assert_null(p->page_address(sim, 0));
	assert_non_null(p->page_address(sim, 0));
	qr_sim_fail(sim, QR_SIM_PAGE_ADDRESS, 1, true);
	assert_null(p->page_address(sim, 0));
	assert_null(p->page_address(sim, 0));
	qr_sim_fail(sim, QR_SIM_PAGE_ADDRESS, 0, true);
	assert_non_null(p->page_address(sim, 0));
	assert_int_equal(qr_sim_calls(sim, QR_SIM_PAGE_ADDRESS), before + 6);
	qr_sim_free(sim);
}

static bool alloc_free(struct quire *q, qr_gfp_t gfp)
{
	struct qr_page *page = qr_alloc_pages(q, gfp, 0);

	if (!page)
		return false;
	qr___free_pages(q, page, 0);
	return true;
}

static void test_alloc_fails(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct quire *q = qr_sim_quire(sim);
	qr_gfp_t gfp = QR_GFP_KERNEL | QR___GFP_NOWARN;

	(void)state;
	assert_true(alloc_free(q, gfp));
	assert_int_equal(qr_sim_calls(sim, QR_SIM_ALLOC), 0); /* not counted yet */
	qr_sim_fail(sim, QR_SIM_ALLOC, 0, false);
	assert_true(alloc_free(q, gfp));
	assert_int_equal(qr_sim_calls(sim, QR_SIM_ALLOC), 1);
	qr_sim_fail(sim, QR_SIM_ALLOC, 3, false);
	assert_true(alloc_free(q, gfp));
	assert_true(alloc_free(q, gfp));
	assert_false(alloc_free(q, gfp));
	assert_true(alloc_free(q, gfp));
	qr_sim_fail(sim, QR_SIM_ALLOC, 2, true);
	assert_true(alloc_free(q, gfp));
	assert_false(alloc_free(q, gfp));
	assert_false(alloc_free(q, gfp));
	assert_int_equal(qr_sim_calls(sim, QR_SIM_ALLOC), 8);
	qr_sim_fail(sim, QR_SIM_ALLOC, 0, false);
	assert_true(alloc_free(q, gfp));
	qr_sim_free(sim);
}

static struct {
	unsigned charged, uncharged, reclaimed, killed, compacted, others;
} calls;

static int count_charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	(void)page, (void)order, (void)gfp;
	assert_ptr_equal(ctx, &calls);
	calls.charged++;
	return 0;
}

static void count_uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	(void)page, (void)order;
	assert_ptr_equal(ctx, &calls);
	calls.uncharged++;
}

static void test_charge_fails(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct quire *q = qr_sim_quire(sim);
	struct qr_charge_ops ops = {.charge = count_charge, .uncharge = count_uncharge};

	(void)state;
	memset(&calls, 0, sizeof(calls));
	qr_sim_charge_ops_set(sim, &ops, &calls);
	qr_sim_fail(sim, QR_SIM_CHARGE, 2, false);
	assert_true(alloc_free(q, QR_GFP_KERNEL_ACCOUNT));
	assert_true(alloc_free(q, QR_GFP_KERNEL));
	assert_false(alloc_free(q, QR_GFP_KERNEL_ACCOUNT));
	assert_true(alloc_free(q, QR_GFP_KERNEL_ACCOUNT));
	assert_int_equal(calls.charged, 2);
	assert_int_equal(calls.uncharged, 2);
	assert_int_equal(qr_sim_calls(sim, QR_SIM_CHARGE), 3);
	qr_sim_charge_ops_set(sim, NULL, NULL);
	assert_true(alloc_free(q, QR_GFP_KERNEL_ACCOUNT));
	assert_int_equal(calls.charged, 2);
	qr_sim_free(sim);
}

static uint64_t count_reclaim(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)q, (void)req;
	assert_ptr_equal(ctx, &calls);
	calls.reclaimed++;
	return 0;
}

static enum qr_compact_result count_compact(void *ctx, struct quire *q,
					    const struct qr_reclaim_request *req,
					    enum qr_compact_priority priority,
					    struct qr_page **captured)
{
	(void)q, (void)req, (void)priority, (void)captured;
	assert_ptr_equal(ctx, &calls);
	calls.compacted++;
	return QR_COMPACT_COMPLETE;
}

static uint64_t count_reclaimable(void *ctx, struct quire *q, struct qr_zone *zone)
{
	(void)q, (void)zone;
	assert_ptr_equal(ctx, &calls);
	calls.others++;
	return 0;
}

static bool count_suitable(void *ctx, struct quire *q, struct qr_zone *zone, unsigned order,
			   uint64_t nr_free)
{
	(void)q, (void)zone, (void)order, (void)nr_free;
	assert_ptr_equal(ctx, &calls);
	return true;
}

static bool count_kill(void *ctx, struct quire *q, const struct qr_reclaim_request *req)
{
	(void)q, (void)req;
	assert_ptr_equal(ctx, &calls);
	calls.killed++;
	return false;
}

static const struct qr_reclaim_ops counting_ops = {
	.direct_reclaim = count_reclaim,
	.direct_compact = count_compact,
	.reclaimable_pages = count_reclaimable,
	.compaction_suitable = count_suitable,
	.out_of_memory = count_kill,
};

static void exhaust(struct quire *q)
{
	/* With the reserves. */
	while (qr_alloc_pages(q, QR_GFP_NOWAIT | QR___GFP_MEMALLOC, 0))
		;
}

static void test_reclaim_fails(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct quire *q = qr_sim_quire(sim);
	unsigned reclaimed, killed;

	(void)state;
	memset(&calls, 0, sizeof(calls));
	qr_sim_reclaim_ops_set(sim, &counting_ops, &calls);
	exhaust(q);
	assert_false(alloc_free(q, QR_GFP_KERNEL | QR___GFP_NOWARN));
	reclaimed = calls.reclaimed;
	killed = calls.killed;
	assert_true(reclaimed > 0 && killed > 0 && calls.others > 0);
	assert_int_equal(qr_sim_calls(sim, QR_SIM_RECLAIM), reclaimed);
	assert_int_equal(qr_sim_calls(sim, QR_SIM_OOM), killed);

	qr_sim_fail(sim, QR_SIM_RECLAIM, 1, true);
	qr_sim_fail(sim, QR_SIM_OOM, 1, true);
	assert_false(alloc_free(q, QR_GFP_KERNEL | QR___GFP_NOWARN));
	assert_int_equal(calls.reclaimed, reclaimed);
	assert_int_equal(calls.killed, killed);
	assert_true(qr_sim_calls(sim, QR_SIM_RECLAIM) > reclaimed);
	assert_true(qr_sim_calls(sim, QR_SIM_OOM) > killed);
	qr_sim_free(sim);
}

static void test_compaction_fails(void **state)
{
	struct qr_sim *sim = sim_up(NULL);
	struct quire *q = qr_sim_quire(sim);
	qr_gfp_t gfp = QR_GFP_KERNEL | QR___GFP_NOWARN | QR___GFP_NORETRY;
	unsigned compacted;

	(void)state;
	memset(&calls, 0, sizeof(calls));
	qr_sim_reclaim_ops_set(sim, &counting_ops, &calls);
	exhaust(q);
	assert_null(qr_alloc_pages(q, gfp, 1));
	compacted = calls.compacted;
	assert_true(compacted > 0);
	assert_int_equal(qr_sim_calls(sim, QR_SIM_COMPACT), compacted);
	qr_sim_fail(sim, QR_SIM_COMPACT, 1, true);
	assert_null(qr_alloc_pages(q, gfp, 1));
	assert_int_equal(calls.compacted, compacted);
	assert_true(qr_sim_calls(sim, QR_SIM_COMPACT) > compacted);
	qr_sim_reclaim_ops_set(sim, NULL, NULL);
	assert_null(qr_alloc_pages(q, gfp, 1));
	assert_int_equal(calls.compacted, compacted);
	qr_sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_impossible_machines),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_work_runs_when_due),
		cmocka_unit_test(test_endless_work_panics),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_cpu_model_is_kept),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_interrupt_at),
		cmocka_unit_test(test_irq_nesting_is_checked),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_forgets_the_oldest),
		cmocka_unit_test(test_panics),
		cmocka_unit_test(test_self_deadlock),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_metadata_fill),
		cmocka_unit_test(test_page_address_fails),
		cmocka_unit_test(test_alloc_fails),
		cmocka_unit_test(test_charge_fails),
		cmocka_unit_test(test_reclaim_fails),
		cmocka_unit_test(test_compaction_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
