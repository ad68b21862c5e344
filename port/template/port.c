/* SPDX-License-Identifier: MIT */
/*
 * port/template/port.c - a port that does nothing: copy this folder to start one
 *
 * It compiles, and an instance on it works as far as one can without memory, time and interrupts.
 * With cpu_id, page_address and address_to_pfn filled in you can allocate real memory; with
 * clock_ns and run_by background work is done; with the masks and pins the instance may be used by
 * interrupt handlers and preempted tasks.  A hook you do not need is better NULL than empty: the
 * core then leaves out what belongs to it.
 *
 * Each comment answers four questions: what the hook does, what it receives, what it may return,
 * and in which context it is called.  The binding answers are those in <quire/platform.h>.
 */
#include "port.h"

/*
 * Does: says on which CPU the caller runs.
 * Receives: your struct.
 * Returns: a number below the configured number of CPUs.  It may be stale at once.
 * Context: any, and on every allocation and free: a load from a per-CPU register, not a call.
 */
static unsigned template_cpu_id(void *ctx)
{
	(void)ctx;
	return 0;
}

/*
 * Does: keeps the caller on its CPU; forbid preemption (QR_CPU_SMP) or migration (QR_CPU_RT).
 * Receives: your struct.
 * Returns: the CPU's number.
 * Context: any.  Pins nest, so count them.
 */
static unsigned template_cpu_pin(void *ctx)
{
	return template_cpu_id(ctx);
}

/* Does: ends the innermost pin.  Context: as cpu_pin. */
static void template_cpu_unpin(void *ctx)
{
	(void)ctx;
}

/*
 * Does: takes this CPU's lock, if it is free, with plain loads and a store.  Nobody else of this
 * CPU may come between them, other than an interrupt handler, which lets go of what it takes.
 * Receives: your struct, the word of CPU 0, and how many bytes after it the next CPU's is.
 * Returns: the word it made 1; NULL: it was not 0.
 * Context: any, and on every allocation and free.
 */
static uint32_t *template_local_trylock(void *ctx, uint32_t *words, size_t stride)
{
	unsigned cpu = template_cpu_pin(ctx);
	uint32_t *word = (uint32_t *)(void *)((char *)words + cpu * stride);
	bool free = __atomic_load_n(word, __ATOMIC_ACQUIRE) == 0;

	if (free)
		__atomic_store_n(word, 1, __ATOMIC_RELAXED);
	template_cpu_unpin(ctx);
	return free ? word : NULL;
}

/*
 * Does: what the commit says, if all it names is as it must be, the count last.  Here nobody comes
 * between, so it is never in doubt.  With preemption forbidden only an interrupt handler can do
 * so; mask interrupts here if handlers allocate or free.
 * Receives: your struct, and the commit.
 * Returns: QR_LOCAL_DONE, or QR_LOCAL_NOT.
 * Context: any, and on every allocation and free.
 */
static enum qr_local_result template_local_commit(void *ctx, const struct qr_local_commit *commit)
{
	bool good = template_cpu_pin(ctx) == commit->cpu &&
		    __atomic_load_n(commit->word, __ATOMIC_ACQUIRE) == 0 &&
		    *commit->count == commit->seen;

	if (good && commit->gate)
		good = *commit->gate == 0 && *commit->mark == commit->mark_is;
	if (good && commit->gate) {
		*commit->slot = commit->number;
		__atomic_store_n(commit->mark, commit->mark_becomes, __ATOMIC_RELEASE);
	}
	if (good)
		*commit->count = commit->seen + 1;
	template_cpu_unpin(ctx);
	return good ? QR_LOCAL_DONE : QR_LOCAL_NOT;
}

/*
 * Does: interrupts all other CPUs, each of which executes a full barrier, and waits until all have
 * done so; then executes one itself.
 * Receives: your struct.
 * Returns: nothing.
 * Context: task; locks may be held, but no zone's.  Here is only one CPU.
 */
static void template_local_fence(void *ctx)
{
	(void)ctx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Does: masks interrupts on this CPU.
 * Receives: your struct.
 * Returns: whatever irq_restore needs to bring the state before back.
 * Context: any, also with interrupts masked already.
 */
static unsigned long template_irq_save(void *ctx)
{
	(void)ctx;
	return 0;
}

/* Does: brings a state back that irq_save returned.  Calls are nested properly. */
static void template_irq_restore(void *ctx, unsigned long state)
{
	(void)ctx;
	(void)state;
}

/*
 * Does: says where the bytes of a frame can be reached.
 * Receives: your struct, and the number of a frame in one of your ranges.
 * Returns: a pointer, good until the next call, behind which the frames of one block lie in a
 * row; NULL for a frame that has no mapping.
 * Context: task or pinned.  Do not wait, do not call the instance.
 */
static void *template_page_address(void *ctx, qr_pfn_t pfn)
{
	const struct template_port *port = ctx;

	if (!port->direct_map)
		return NULL;
	return port->direct_map + (size_t)(pfn << QR_PAGE_SHIFT);
}

/*
 * Does: the reverse of page_address.
 * Receives: your struct, and any address, also one that is not yours.
 * Returns: the number of the frame around it; QR_PFN_NONE if there is none.
 * Context: any.
 */
static qr_pfn_t template_address_to_pfn(void *ctx, const void *address)
{
	const struct template_port *port = ctx;
	uint64_t offset = (uintptr_t)address - (uintptr_t)port->direct_map;

	if (!port->direct_map || offset >> QR_PAGE_SHIFT >= port->end_pfn)
		return QR_PFN_NONE;
	return offset >> QR_PAGE_SHIFT;
}

/*
 * Does: tells the time.
 * Receives: your struct.
 * Returns: nanoseconds since a fixed moment; never less than before, on any CPU.
 * Context: any.
 */
static uint64_t template_clock_ns(void *ctx)
{
	(void)ctx;
	return 0;
}

/*
 * Does: notes that qr_run_pending() is to be called by this time, from task context.
 * Receives: your struct, and a time of clock_ns; it may be in the past, which means now.
 * Returns: nothing.
 * Context: locked: note it and wake somebody, do not call qr_run_pending() from here.
 */
static void template_run_by(void *ctx, uint64_t time_ns)
{
	struct template_port *port = ctx;

	if (time_ns < port->run_by_ns)
		port->run_by_ns = time_ns;
}

/*
 * Does: lets a moment pass for one who waits for another CPU: a pause instruction, a yield, a nap.
 * Receives: your struct, and how often in a row this one has asked.
 * Returns: nothing.
 * Context: pinned or locked: wait for time, and for nothing else.
 */
static void template_relax(void *ctx, unsigned spins)
{
	(void)ctx;
	(void)spins;
}

/*
 * Does: shows a line to whoever looks after the system.
 * Receives: your struct, how bad it is, and a line without newline, ended by 0.
 * Returns: nothing.
 * Context: locked: a buffer that is printed later, or a console that never waits.
 */
static void template_log(void *ctx, enum qr_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

/*
 * Does: stops the system; an assertion of a debug build has failed.
 * Receives: your struct, and the sentence.
 * Returns: never.
 * Context: any.
 */
static void template_panic(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
	for (;;)
		;
}

/*
 * Does: says what is known of the calling task: scopes, cpuset, policy.
 * Receives: your struct.
 * Returns: its record, which stays valid until the call into the core is over; NULL: an ordinary
 * task.
 * Context: any; from an interrupt handler return a record with QR_TASK_INTERRUPT.
 */
static struct qr_task *template_current_task(void *ctx)
{
	(void)ctx;
	return NULL;
}

void template_port_platform(struct template_port *port, struct qr_platform *platform)
{
	port->run_by_ns = UINT64_MAX;
	*platform = (struct qr_platform){
		.ctx = port,
		.cpu_model = QR_CPU_SMP,
		.cpu_id = template_cpu_id,
		.cpu_pin = template_cpu_pin,
		.cpu_unpin = template_cpu_unpin,
		.local_trylock = template_local_trylock,
		.local_fence = template_local_fence,
		.local_commit = template_local_commit,
		.irq_save = template_irq_save,
		.irq_restore = template_irq_restore,
		.page_address = template_page_address,
		.address_to_pfn = template_address_to_pfn,
		.clock_ns = template_clock_ns,
		.run_by = template_run_by,
		.relax = template_relax,
		.log = template_log,
		.panic = template_panic,
		.current_task = template_current_task,
		/* sched_point and lock_ledger: for debug builds; see <quire/platform.h>. */
	};
}

/* Call this from an idle task, or from a timer's task, as often as you like. */
void template_port_poll(struct template_port *port, struct quire *q)
{
	if (template_clock_ns(port) < port->run_by_ns)
		return;
	port->run_by_ns = UINT64_MAX;
	template_run_by(port, qr_run_pending(q));
}
