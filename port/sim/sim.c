/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim.c - the simulated instance: memory, clock, CPUs, interrupts, log and panics
 *
 * Everything here is done by hand and in one thread.  "Current" is the thread of control that
 * runs, a fiber or the context outside of all fibers; the CPU, the interrupt mask, the pins, the
 * task and the list of held locks are its own.
 */
#include "sim_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Nobody else runs while the context outside waits, so waiting this often means for ever. */
#define RELAX_LIMIT 1000000u
/* Work that is due again at once, this often without time passing, never ends. */
#define DUE_LIMIT 1000000u

/* Panics and log ---------------------------------------------------------------------------- */

static _Noreturn void panic_end(struct qr_sim *sim)
{
	sim->broken = true;
	if (!sim->panic_expected) {
		fprintf(stderr, "quire sim: panic: %s\n", sim->panic_text);
		abort();
	}
	sim->panicked = true;
	if (qr__sim_in_fiber(sim))
		qr__sim_fiber_leave(sim);
	siglongjmp(sim->panic_jump, 1);
}

void qr__sim_panic(struct qr_sim *sim, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(sim->panic_text, sizeof(sim->panic_text), fmt, args);
	va_end(args);
	panic_end(sim);
}

static void sim_panic_hook(void *ctx, const char *line)
{
	qr__sim_panic(ctx, "%s", line);
}

bool qr_sim_panics(struct qr_sim *sim, void (*body)(void *arg), void *arg, const char **message)
{
	if (qr__sim_in_fiber(sim))
		qr__sim_panic(sim,
			      "qr_sim_panics() called in a fiber; call it around qr_sim_run()");
	sim->panic_expected = true;
	sim->panicked = false;
	sim->panic_text[0] = 0;
	if (sigsetjmp(sim->panic_jump, 0) == 0)
		body(arg);
	sim->panic_expected = false;
	if (message)
		*message = sim->panic_text;
	if (sim->panicked) {
		sim->outside.irq_depth = sim->outside.pin_depth = 0;
		sim->outside.ledger.nr_held = 0;
		memset(sim->owner, 0, sim->nr_cpus * sizeof(sim->owner[0]));
	}
	return sim->panicked;
}

/* Forget the older half of the lines. */
static void log_shorten(struct qr_sim *sim)
{
	size_t from = sim->log_used / 2;

	while (from < sim->log_used && sim->log[from - 1] != 0)
		from++;
	memmove(sim->log, sim->log + from, sim->log_used - from);
	sim->log_used -= from;
}

static bool log_room_for(struct qr_sim *sim, size_t length)
{
	size_t room = sim->log_room ? sim->log_room : 4096;
	char *log;

	if (sim->log_used + length > SIM_LOG_MAX && sim->log_used > 1)
		log_shorten(sim);
	while (room < sim->log_used + length)
		room *= 2;
	if (room == sim->log_room)
		return true;
	log = realloc(sim->log, room);
	if (!log)
		return false;
	sim->log = log;
	sim->log_room = room;
	return true;
}

static void sim_log_hook(void *ctx, enum qr_log_level level, const char *line)
{
	static const char *const name[] = {"error", "warning", "info", "debug"};
	struct qr_sim *sim = ctx;
	size_t length = strlen(line) + 1;

	sim->log_count++;
	if (sim->verbose)
		fprintf(stderr, "quire sim: %s: %s\n",
			(unsigned)level <= QR_LOG_DEBUG ? name[level] : "?", line);
	if (!log_room_for(sim, length))
		return;
	sim->log_last = sim->log_used;
	memcpy(sim->log + sim->log_used, line, length);
	sim->log_used += length;
}

void qr__sim_log(struct qr_sim *sim, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	sim_log_hook(sim, QR_LOG_ERR, line);
}

const char *qr_sim_log_last(const struct qr_sim *sim)
{
	return sim->log_used ? sim->log + sim->log_last : "";
}

unsigned qr_sim_log_count(const struct qr_sim *sim)
{
	return sim->log_count;
}

unsigned qr_sim_log_matches(const struct qr_sim *sim, const char *text)
{
	unsigned matches = 0;

	for (size_t at = 0; at < sim->log_used; at += strlen(sim->log + at) + 1)
		matches += strstr(sim->log + at, text) != NULL;
	return matches;
}

void qr_sim_log_clear(struct qr_sim *sim)
{
	sim->log_used = sim->log_last = 0;
	sim->log_count = 0;
}

/* The clock --------------------------------------------------------------------------------- */

static uint64_t sim_clock(void *ctx)
{
	return ((struct qr_sim *)ctx)->now_ns;
}

static void sim_run_by_hook(void *ctx, uint64_t time_ns)
{
	struct qr_sim *sim = ctx;

	if (time_ns < sim->run_by_ns)
		sim->run_by_ns = time_ns;
}

uint64_t qr_sim_now(const struct qr_sim *sim)
{
	return sim->now_ns;
}

uint64_t qr_sim_run_by(const struct qr_sim *sim)
{
	return sim->run_by_ns;
}

void qr_sim_advance(struct qr_sim *sim, uint64_t ns)
{
	uint64_t target = sim->now_ns + ns < ns ? UINT64_MAX : sim->now_ns + ns;
	unsigned rounds = 0;

	while (sim->run_by_ns <= target && sim->run_by_ns != UINT64_MAX) {
		if (sim->run_by_ns > sim->now_ns) {
			sim->now_ns = sim->run_by_ns;
			rounds = 0;
		}
		if (rounds++ > DUE_LIMIT)
			qr__sim_panic(sim, "at %llu ns there is always more work due",
				      (unsigned long long)sim->now_ns);
		sim->run_by_ns = UINT64_MAX;
		sim_run_by_hook(sim, qr_run_pending(sim->q));
	}
	/* A hook may have moved the clock further meanwhile. */
	if (sim->now_ns < target)
		sim->now_ns = target;
}

/* CPUs and tasks ---------------------------------------------------------------------------- */

/* Fibers of this CPU may or may not come between from now on. */
static void owner_update(struct qr_sim *sim)
{
	struct sim_context *me = sim->current;
	bool mine = me->irq_depth || (me->pin_depth && sim->platform.cpu_model != QR_CPU_RT);

	sim->owner[me->cpu] = mine ? me : NULL;
}

static unsigned sim_cpu_id(void *ctx)
{
	return ((struct qr_sim *)ctx)->current->cpu;
}

static unsigned sim_cpu_pin(void *ctx)
{
	struct qr_sim *sim = ctx;

	sim->current->pin_depth++;
	owner_update(sim);
	return sim->current->cpu;
}

static void sim_cpu_unpin(void *ctx)
{
	struct qr_sim *sim = ctx;

	if (!sim->current->pin_depth)
		qr__sim_panic(sim, "cpu_unpin() on CPU %u without cpu_pin()", sim->current->cpu);
	sim->current->pin_depth--;
	owner_update(sim);
}

void qr_sim_cpu_set(struct qr_sim *sim, unsigned cpu)
{
	struct sim_context *me = sim->current;

	if (cpu >= sim->nr_cpus)
		qr__sim_panic(sim, "qr_sim_cpu_set(): there is no CPU %u, only 0 to %u", cpu,
			      sim->nr_cpus - 1);
	if (cpu != me->cpu && (me->irq_depth || me->pin_depth))
		qr__sim_panic(sim, "qr_sim_cpu_set(): cannot leave CPU %u, %s", me->cpu,
			      me->irq_depth ? "interrupts are masked" : "it is pinned");
	me->cpu = cpu;
	qr__sim_deliver(sim);
}

unsigned qr_sim_cpu(const struct qr_sim *sim)
{
	return sim->current->cpu;
}

static struct qr_task *sim_current_task(void *ctx)
{
	return ((struct qr_sim *)ctx)->current->task;
}

void qr_sim_task_set(struct qr_sim *sim, struct qr_task *task)
{
	sim->current->task = task;
}

static struct qr_lock_ledger *sim_lock_ledger(void *ctx)
{
	return &((struct qr_sim *)ctx)->current->ledger;
}

/* Interrupts -------------------------------------------------------------------------------- */

static unsigned long sim_irq_save(void *ctx)
{
	struct qr_sim *sim = ctx;
	unsigned long before = sim->current->irq_depth++;

	owner_update(sim);
	return before;
}

static void sim_irq_restore(void *ctx, unsigned long state)
{
	struct qr_sim *sim = ctx;
	unsigned depth = sim->current->irq_depth;

	if (!depth)
		qr__sim_panic(sim, "irq_restore() on CPU %u without irq_save()", sim->current->cpu);
	if (state != depth - 1)
		qr__sim_panic(sim,
			      "irq_restore(%lu) on CPU %u where the innermost irq_save() gave %u",
			      state, sim->current->cpu, depth - 1);
	sim->current->irq_depth--;
	owner_update(sim);
	qr__sim_deliver(sim);
}

/* Take the oldest that waits for this CPU out of the queue. */
static bool pending_take(struct qr_sim *sim, unsigned cpu, struct sim_interrupt *interrupt)
{
	for (unsigned i = 0; i < sim->nr_pending; i++) {
		if (sim->pending[i].cpu != cpu)
			continue;
		*interrupt = sim->pending[i];
		sim->nr_pending--;
		memmove(&sim->pending[i], &sim->pending[i + 1],
			(sim->nr_pending - i) * sizeof(sim->pending[0]));
		return true;
	}
	return false;
}

void qr__sim_deliver(struct qr_sim *sim)
{
	struct sim_context *me = sim->current;
	struct sim_interrupt interrupt;

	while (sim->nr_pending && !me->irq_depth && pending_take(sim, me->cpu, &interrupt)) {
		struct qr_task *task = me->task;

		me->task = &sim->interrupt_task;
		me->irq_depth++;
		owner_update(sim);
		interrupt.handler(interrupt.arg);
		me->interrupted = true;
		me->irq_depth--;
		owner_update(sim);
		me->task = task;
	}
}

bool qr_sim_irqs_masked(const struct qr_sim *sim)
{
	return sim->current->irq_depth != 0;
}

void qr_sim_interrupt(struct qr_sim *sim, void (*handler)(void *arg), void *arg)
{
	if (sim->nr_pending == SIM_MAX_INTERRUPTS)
		qr__sim_panic(sim, "more than %u interrupts wait for an unmasked moment",
			      SIM_MAX_INTERRUPTS);
	sim->pending[sim->nr_pending++] =
		(struct sim_interrupt){.cpu = sim->current->cpu, .handler = handler, .arg = arg};
	qr__sim_deliver(sim);
}

void qr_sim_interrupt_at(struct qr_sim *sim, uint64_t nth, void (*handler)(void *arg), void *arg)
{
	sim->at = (struct sim_interrupt){.handler = handler, .arg = arg};
	sim->at_countdown = nth;
}

/* Waiting and sched points ------------------------------------------------------------------ */

static void sim_sched_point(void *ctx, const char *where)
{
	struct qr_sim *sim = ctx;

	sim->sched_points++;
	sim->current->where = where;
	if (sim->at_countdown && --sim->at_countdown == 0)
		qr_sim_interrupt(sim, sim->at.handler, sim->at.arg);
	if (qr__sim_in_fiber(sim))
		qr__sim_fiber_pass(sim);
}

static void sim_relax(void *ctx, unsigned spins)
{
	struct qr_sim *sim = ctx;
	struct sim_context *me = sim->current;

	/* A count that does not go up belongs to a new wait. */
	me->waits = spins > me->spins ? me->waits + 1 : 0;
	me->spins = spins;
	if (qr__sim_in_fiber(sim))
		qr__sim_fiber_relax(sim);
	else if (me->waits >= RELAX_LIMIT)
		qr__sim_panic(sim, "self-deadlock on CPU %u: it waits, and nobody else runs",
			      me->cpu);
}

void qr_sim_yield(struct qr_sim *sim)
{
	sim_sched_point(sim, "qr_sim_yield");
}

uint64_t qr_sim_sched_points(const struct qr_sim *sim)
{
	return sim->sched_points;
}

/* Locks of CPUs ----------------------------------------------------------------------------- */

static void sequence_end(struct sim_context *context, const struct sim_context *next)
{
	if (!next || (context != next && context->cpu == next->cpu))
		context->interrupted = true;
}

void qr__sim_sequences_end(struct qr_sim *sim, const struct sim_context *next)
{
	for (unsigned i = 0; i < sim->nr_fibers; i++)
		sequence_end(sim->fibers[i], next);
	sequence_end(&sim->outside, next);
}

/* Each step of the sequence can be the last for a while; true: begin again. */
static bool sequence_step(struct qr_sim *sim)
{
	sim_sched_point(sim, "in a sequence");
	sim->restarts += sim->current->interrupted;
	return sim->current->interrupted;
}

static uint32_t *sim_local_trylock(void *ctx, uint32_t *words, size_t stride)
{
	struct qr_sim *sim = ctx;
	struct sim_context *me = sim->current;

	for (;;) {
		uint32_t *word = (uint32_t *)(void *)((char *)words + me->cpu * stride);
		uint32_t seen;

		me->interrupted = false;
		if (sequence_step(sim))
			continue;
		seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		if (sequence_step(sim))
			continue;
		if (seen)
			return NULL;
		__atomic_store_n(word, 1, __ATOMIC_RELAXED);
		return word;
	}
}

/* A commit of more than a count, but for the count; false: somebody came between. */
static bool drop_write(struct qr_sim *sim, const struct qr_local_commit *c)
{
	*c->slot = c->number;
	if (sequence_step(sim))
		return false;
	__atomic_store_n(c->mark, c->mark_becomes, __ATOMIC_RELEASE);
	return !sequence_step(sim);
}

static enum qr_local_result sim_local_commit(void *ctx, const struct qr_local_commit *c)
{
	struct qr_sim *sim = ctx;
	struct sim_context *me = sim->current;

	me->interrupted = false;
	if (sequence_step(sim) || me->cpu != c->cpu || __atomic_load_n(c->word, __ATOMIC_ACQUIRE))
		return QR_LOCAL_NOT;
	if (*c->count != c->seen || (c->gate && (*c->gate || *c->mark != c->mark_is)))
		return QR_LOCAL_NOT;
	if (sequence_step(sim))
		return QR_LOCAL_NOT;
	if (c->gate && !drop_write(sim, c))
		return QR_LOCAL_IN_DOUBT;
	*c->count = c->seen + 1;
	return QR_LOCAL_DONE;
}

static void sim_local_fence(void *ctx)
{
	struct qr_sim *sim = ctx;

	qr__sim_sequences_end(sim, NULL);
}

uint64_t qr_sim_restarts(const struct qr_sim *sim)
{
	return sim->restarts;
}

/* Memory ------------------------------------------------------------------------------------ */

static void *sim_page_address(void *ctx, qr_pfn_t pfn)
{
	struct qr_sim *sim = ctx;

	if (qr__sim_hook_fails(sim, QR_SIM_PAGE_ADDRESS))
		return NULL;
	if (pfn < sim->start_pfn || pfn >= sim->end_pfn)
		qr__sim_panic(sim, "page_address(0x%llx): memory is [0x%llx, 0x%llx)",
			      (unsigned long long)pfn, (unsigned long long)sim->start_pfn,
			      (unsigned long long)sim->end_pfn);
	return sim->memory + ((pfn - sim->start_pfn) << QR_PAGE_SHIFT);
}

static qr_pfn_t sim_address_to_pfn(void *ctx, const void *address)
{
	struct qr_sim *sim = ctx;
	uintptr_t offset = (uintptr_t)address - (uintptr_t)sim->memory;
	qr_pfn_t pfn = sim->start_pfn + (offset >> QR_PAGE_SHIFT);

	if ((uintptr_t)address < (uintptr_t)sim->memory || pfn >= sim->end_pfn)
		return QR_PFN_NONE;
	return pfn;
}

static void *map_lazily(uint64_t size)
{
	void *map;

	if (size > SIZE_MAX / 2)
		return NULL;
	map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return map == MAP_FAILED ? NULL : map;
}

/* What the ranges span; the core has found them sound. */
static void span_find(struct qr_sim *sim, const struct qr_config *machine)
{
	sim->start_pfn = QR_PFN_NONE;
	for (unsigned i = 0; i < machine->nr_ranges; i++) {
		const struct qr_range *range = &machine->ranges[i];

		if (range->start_pfn < sim->start_pfn)
			sim->start_pfn = range->start_pfn;
		if (range->start_pfn + range->nr_pages > sim->end_pfn)
			sim->end_pfn = range->start_pfn + range->nr_pages;
	}
}

static int memory_map(struct qr_sim *sim, const struct qr_config *machine, bool memory,
		      struct qr_error_text *why)
{
	int err = qr_metadata_size(machine, &sim->metadata_size, why);

	if (err < 0)
		return err;
	sim->metadata = map_lazily(sim->metadata_size);
	if (sim->metadata && memory) {
		span_find(sim, machine);
		sim->memory = map_lazily((sim->end_pfn - sim->start_pfn) << QR_PAGE_SHIFT);
	}
	if (sim->metadata && (!memory || sim->memory))
		return 0;
	if (why)
		snprintf(why->text, sizeof(why->text),
			 "no address space for %zu bytes of metadata%s", sim->metadata_size,
			 memory ? " and the memory" : "");
	return QR_ENOMEM;
}

/* The instance ------------------------------------------------------------------------------ */

static void platform_fill(struct qr_sim *sim, const struct qr_sim_config *config)
{
	bool memory = config->memory;

	sim->platform = (struct qr_platform){
		.ctx = sim,
		.cpu_model = config->machine.platform.cpu_model,
		.cpu_id = sim_cpu_id,
		.cpu_pin = sim_cpu_pin,
		.cpu_unpin = sim_cpu_unpin,
		.local_trylock = config->local_locks ? sim_local_trylock : NULL,
		.local_fence = config->local_locks ? sim_local_fence : NULL,
		.local_commit = config->local_commits ? sim_local_commit : NULL,
		.irq_save = sim_irq_save,
		.irq_restore = sim_irq_restore,
		.page_address = memory ? sim_page_address : NULL,
		.address_to_pfn = memory ? sim_address_to_pfn : NULL,
		.clock_ns = sim_clock,
		.run_by = sim_run_by_hook,
		.relax = sim_relax,
		.log = sim_log_hook,
		.panic = sim_panic_hook,
		.current_task = config->local_commits ? NULL : sim_current_task,
		.sched_point = sim_sched_point,
		.lock_ledger = sim_lock_ledger,
	};
}

static int instance_create(struct qr_sim *sim, const struct qr_sim_config *config,
			   struct qr_error_text *why)
{
	struct qr_config machine = config->machine;
	int err;

	platform_fill(sim, config);
	machine.platform = sim->platform;
	machine.options |= QR_OPT_METADATA_ZEROED;
	if (config->metadata_fill)
		machine.options &= ~QR_OPT_METADATA_ZEROED;
	err = memory_map(sim, &machine, config->memory, why);
	if (err < 0)
		return err;
	/* Not before: there may be no CPUs to have owners. */
	sim->owner = calloc(machine.nr_cpus, sizeof(sim->owner[0]));
	if (!sim->owner)
		return QR_ENOMEM;
	if (config->metadata_fill)
		memset(sim->metadata, config->metadata_fill, sim->metadata_size);
	return qr_create(&machine, sim->metadata, sim->metadata_size, &sim->q, why);
}

struct qr_sim *qr_sim_new(const struct qr_sim_config *config, struct qr_error_text *why)
{
	struct qr_sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return NULL;
	sim->nr_cpus = config->machine.nr_cpus;
	sim->verbose = config->verbose;
	sim->now_ns = config->start_ns;
	sim->run_by_ns = UINT64_MAX;
	sim->current = &sim->outside;
	sim->interrupt_task.flags = QR_TASK_INTERRUPT;
	if (instance_create(sim, config, why) < 0) {
		qr_sim_free(sim);
		return NULL;
	}
	return sim;
}

void qr_sim_free(struct qr_sim *sim)
{
	if (!sim)
		return;
	/* Abandoned locks would be waited for. */
	if (sim->q && !sim->broken)
		qr_destroy(sim->q);
	qr__sim_fibers_free(sim);
	if (sim->metadata)
		munmap(sim->metadata, sim->metadata_size);
	if (sim->memory)
		munmap(sim->memory, (size_t)((sim->end_pfn - sim->start_pfn) << QR_PAGE_SHIFT));
	free(sim->owner);
	free(sim->log);
	free(sim);
}

struct quire *qr_sim_quire(struct qr_sim *sim)
{
	return sim->q;
}
