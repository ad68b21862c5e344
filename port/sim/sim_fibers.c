/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim_fibers.c - threads of control that take turns as a seed decides
 *
 * Theory of operation
 * -------------------
 * A fiber has a stack of its own, and runs until it passes a sched point or waits in relax().
 * There a generator, seeded anew by each run, decides whether to go on and with whom.  Nothing else
 * decides anything, so a seed stands for one interleaving.
 *
 * How often a sched point leads to a switch is drawn from the seed as well: one run switches
 * nearly everywhere, another lets each fiber go far.  Different bugs show at different rates.
 *
 * A fiber may run unless another of the same CPU owns it, by masked interrupts or, where that
 * forbids preemption, by a pin.  So what a handler or a preempting task could never see on a real
 * machine cannot happen here.
 *
 * Deadlock: a fiber is stuck if it was switched away from in relax() and has waited there, for one
 * thing, many more times than there are fibers.  When all that may run are stuck, chance alone
 * could not have kept the one who would let go from running, so there is none.  Waiting does not
 * always look so clean (a lock's loop may pass sched points, a retry loop may take locks between
 * its waits), hence there is also a bound on all waits between the ends of two fibers.
 */
#include "sim_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if SIM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/*
 * Backed when touched, so only address space is spent.  Valgrind takes a change of the stack
 * pointer by more than 2 MB for a change of stacks.
 */
#define STACK_SIZE (4u << 20)
#define GUARD_SIZE 65536u

#define STUCK_BASE 1000u
#define STUCK_PER_FIBER 100u
#define RELAXES_MAX 4000000u

/* The generator ----------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t random_next(struct qr_sim *sim)
{
	uint64_t x = sim->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static unsigned random_below(struct qr_sim *sim, unsigned limit)
{
	return (unsigned)((random_next(sim) >> 32) * limit >> 32);
}

/* Switching --------------------------------------------------------------------------------- */

/* The first thing to do whenever a context runs again. */
static void switch_arrived(struct qr_sim *sim)
{
#if SIM_ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(sim->current->fake_stack, &bottom, &size);
	if (sim->came_from == &sim->outside) {
		sim->outside.stack_bottom = bottom;
		sim->outside.stack_size = size;
	}
#else
	(void)sim;
#endif
}

/* To whom, and when: what tells one interleaving from another. */
static void hash_add(struct qr_sim *sim, uint64_t value)
{
	sim->switch_hash = (sim->switch_hash ^ value) * UINT64_C(0x100000001b3);
}

static void switch_to(struct qr_sim *sim, struct sim_context *to, bool for_good)
{
	struct sim_context *from = sim->current;

	sim->switches++;
	hash_add(sim, to->number);
	hash_add(sim, sim->sched_points - sim->first_point);
	qr__sim_sequences_end(sim, to);
	sim->came_from = from;
	sim->current = to;
#if SIM_ASAN
	__sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->stack_bottom,
				       to->stack_size);
#else
	(void)for_good;
#endif
#if SIM_TSAN
	__tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
	swapcontext(&from->machine, &to->machine);
	switch_arrived(sim);
}

void qr__sim_fiber_leave(struct qr_sim *sim)
{
	switch_to(sim, &sim->outside, true);
	abort(); /* nobody comes back here */
}

/* Choosing ---------------------------------------------------------------------------------- */

static bool fiber_may_run(const struct qr_sim *sim, const struct sim_context *fiber)
{
	const struct sim_context *owner = sim->owner[fiber->cpu];

	return !fiber->done && (!owner || owner == fiber);
}

/* Any that may run but not the current one; NULL if there is none. */
static struct sim_context *fiber_choose(struct qr_sim *sim)
{
	struct sim_context *chosen = NULL;
	unsigned nr = 0, nth;

	for (unsigned i = 0; i < sim->nr_fibers; i++)
		nr += sim->fibers[i] != sim->current && fiber_may_run(sim, sim->fibers[i]);
	if (!nr)
		return NULL;
	nth = random_below(sim, nr);
	for (unsigned i = 0; i < sim->nr_fibers; i++) {
		if (sim->fibers[i] == sim->current || !fiber_may_run(sim, sim->fibers[i]))
			continue;
		chosen = sim->fibers[i];
		if (!nth--)
			break;
	}
	return chosen;
}

void qr__sim_fiber_pass(struct qr_sim *sim)
{
	struct sim_context *next;

	if (random_below(sim, sim->switch_one_in))
		return;
	next = fiber_choose(sim);
	if (!next)
		return;
	switch_to(sim, next, false);
	qr__sim_deliver(sim);
}

/* Waiting ----------------------------------------------------------------------------------- */

static bool all_stuck(const struct qr_sim *sim)
{
	uint64_t limit = STUCK_BASE + (uint64_t)STUCK_PER_FIBER * sim->nr_fibers;

	if (sim->relaxes_since_end > RELAXES_MAX)
		return true;
	for (unsigned i = 0; i < sim->nr_fibers; i++) {
		const struct sim_context *fiber = sim->fibers[i];

		if (fiber_may_run(sim, fiber) && (!fiber->relaxing || fiber->waits < limit))
			return false;
	}
	return true;
}

static void locks_report(struct qr_sim *sim, const struct sim_context *fiber)
{
	unsigned slots = sizeof(fiber->ledger.held) / sizeof(fiber->ledger.held[0]);

	for (unsigned i = 0; i < fiber->ledger.nr_held && i < slots; i++)
		qr__sim_log(sim, "fiber %u holds the lock of rank %u at %p", fiber->number,
			    fiber->ledger.held[i].rank, fiber->ledger.held[i].lock);
}

static void deadlock_report(struct qr_sim *sim)
{
	qr__sim_log(sim, "deadlock: every fiber waits");
	for (unsigned i = 0; i < sim->nr_fibers; i++) {
		const struct sim_context *fiber = sim->fibers[i];

		if (fiber->done)
			continue;
		qr__sim_log(sim, "fiber %u on CPU %u waits, last seen at '%s'; it holds %u locks%s",
			    fiber->number, fiber->cpu, fiber->where ? fiber->where : "nowhere",
			    fiber->ledger.nr_held,
			    fiber_may_run(sim, fiber) ? "" : ", and its CPU is taken");
		locks_report(sim, fiber);
	}
}

void qr__sim_fiber_relax(struct qr_sim *sim)
{
	struct sim_context *me = sim->current;
	struct sim_context *next;

	me->relaxing = true;
	sim->relaxes_since_end++;
	if (all_stuck(sim)) {
		sim->deadlocked = true;
		deadlock_report(sim);
		qr__sim_fiber_leave(sim);
	}
	next = fiber_choose(sim);
	if (next)
		switch_to(sim, next, false);
	me->relaxing = false;
	qr__sim_deliver(sim);
}

/* Lives ------------------------------------------------------------------------------------- */

static void fiber_end(struct qr_sim *sim)
{
	struct sim_context *me = sim->current;
	struct sim_context *next;

	if (me->irq_depth || me->pin_depth)
		qr__sim_panic(sim, "fiber %u ended with %u pins and %u masks of interrupts",
			      me->number, me->pin_depth, me->irq_depth);
	me->done = true;
	sim->relaxes_since_end = 0;
	next = fiber_choose(sim);
	switch_to(sim, next ? next : &sim->outside, true);
	abort(); /* nobody comes back here */
}

/* makecontext() passes only ints. */
static void fiber_entry(unsigned high, unsigned low)
{
	struct qr_sim *sim = (struct qr_sim *)((uintptr_t)high << 32 | low);

	switch_arrived(sim);
	/* ASan's swapcontext() would forget all it knows of this stack with each switch to it. */
	sim->current->machine.uc_stack.ss_size = 0;
	qr__sim_deliver(sim);
	sim->current->body(sim->current->arg);
	fiber_end(sim);
}

static bool stack_map(struct sim_context *fiber)
{
	void *map = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return false;
	/* What overruns the stack shall meet nothing. */
	mprotect(map, GUARD_SIZE, PROT_NONE);
	fiber->stack_map = map;
	fiber->stack_bottom = (char *)map + GUARD_SIZE;
	fiber->stack_size = STACK_SIZE - GUARD_SIZE;
	return true;
}

static void fiber_free(struct sim_context *fiber)
{
#if SIM_TSAN
	if (fiber->tsan_fiber)
		__tsan_destroy_fiber(fiber->tsan_fiber);
#endif
	if (fiber->stack_map)
		munmap(fiber->stack_map, STACK_SIZE);
	free(fiber);
}

static void fiber_prepare(struct qr_sim *sim, struct sim_context *fiber)
{
	uintptr_t self = (uintptr_t)sim;

	getcontext(&fiber->machine);
	fiber->machine.uc_stack.ss_sp = (char *)fiber->stack_map + GUARD_SIZE;
	fiber->machine.uc_stack.ss_size = fiber->stack_size;
	fiber->machine.uc_link = NULL;
	makecontext(&fiber->machine, (void (*)(void))fiber_entry, 2, (unsigned)(self >> 32),
		    (unsigned)self);
#if SIM_TSAN
	fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static bool fibers_room(struct qr_sim *sim)
{
	unsigned room = sim->room_fibers ? 2 * sim->room_fibers : 8;
	struct sim_context **fibers;

	if (sim->nr_fibers < sim->room_fibers)
		return true;
	fibers = realloc(sim->fibers, room * sizeof(fibers[0]));
	if (!fibers)
		return false;
	sim->fibers = fibers;
	sim->room_fibers = room;
	return true;
}

int qr_sim_spawn(struct qr_sim *sim, unsigned cpu, void (*body)(void *arg), void *arg)
{
	struct sim_context *fiber;

	if (cpu >= sim->nr_cpus)
		return QR_EINVAL;
	if (!fibers_room(sim))
		return QR_ENOMEM;
	fiber = calloc(1, sizeof(*fiber));
	if (!fiber)
		return QR_ENOMEM;
	if (!stack_map(fiber)) {
		free(fiber);
		return QR_ENOMEM;
	}
	fiber->cpu = cpu;
	fiber->body = body;
	fiber->arg = arg;
	fiber->number = sim->nr_fibers;
	fiber_prepare(sim, fiber);
	sim->fibers[sim->nr_fibers++] = fiber;
	return (int)fiber->number;
}

void qr__sim_fibers_free(struct qr_sim *sim)
{
	for (unsigned i = 0; i < sim->nr_fibers; i++)
		fiber_free(sim->fibers[i]);
	free(sim->fibers);
	sim->fibers = NULL;
	sim->nr_fibers = sim->room_fibers = 0;
}

/* Rates from "nearly everywhere" to "now and then". */
static void run_seed(struct qr_sim *sim, uint64_t seed)
{
	sim->random = seed;
	sim->switch_one_in = 1u << (1 + random_below(sim, 5));
	sim->switches = 0;
	sim->first_point = sim->sched_points;
	sim->switch_hash = UINT64_C(0xcbf29ce484222325);
	sim->relaxes_since_end = 0;
	sim->deadlocked = false;
}

int qr_sim_run(struct qr_sim *sim, uint64_t seed)
{
	struct sim_context *first;

	if (qr__sim_in_fiber(sim))
		qr__sim_panic(sim, "qr_sim_run() called in a fiber");
	if (sim->outside.irq_depth || sim->outside.pin_depth)
		qr__sim_panic(sim, "qr_sim_run() called with CPU %u pinned or masked",
			      sim->outside.cpu);
	run_seed(sim, seed);
#if SIM_TSAN
	sim->outside.tsan_fiber = __tsan_get_current_fiber();
#endif
	first = fiber_choose(sim);
	if (first)
		switch_to(sim, first, false);
	qr__sim_fibers_free(sim);
	if (sim->panicked && sim->panic_expected)
		siglongjmp(sim->panic_jump, 1);
	if (!sim->deadlocked)
		return 0;
	memset(sim->owner, 0, sim->nr_cpus * sizeof(sim->owner[0]));
	sim->broken = true;
	return QR_EBUSY;
}

uint64_t qr_sim_switches(const struct qr_sim *sim)
{
	return sim->switches;
}

uint64_t qr_sim_switch_hash(const struct qr_sim *sim)
{
	return sim->switch_hash;
}
