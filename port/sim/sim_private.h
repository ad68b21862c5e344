/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim_private.h - what the files of the simulated port know of each other
 *
 *	sim.c		the instance, its memory, clock, CPUs, interrupts, log and panics
 *	sim_hooks.c	hooks that fail on the n-th call
 *	sim_fibers.c	threads of control that take turns
 */
#ifndef QR_PORT_SIM_PRIVATE_H
#define QR_PORT_SIM_PRIVATE_H

#include <quire/sim.h>
#include <setjmp.h>
#include <ucontext.h>

#if defined(__has_feature)
#define SIM_HAS_FEATURE(x) __has_feature(x)
#else
#define SIM_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SIM_HAS_FEATURE(address_sanitizer)
#define SIM_ASAN 1
#else
#define SIM_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || SIM_HAS_FEATURE(thread_sanitizer)
#define SIM_TSAN 1
#else
#define SIM_TSAN 0
#endif

/* A thread of control: a fiber, or the one outside of all fibers. */
struct sim_context {
	unsigned cpu;
	unsigned irq_depth; /* irq_save()s not yet restored */
	unsigned pin_depth;
	struct qr_task *task;
	struct qr_lock_ledger ledger;
	const char *where; /* the sched point passed last */
	unsigned spins; /* what relax() was told last */
	uint64_t waits; /* relax() in a row for one and the same thing */
	bool interrupted; /* a sequence it was in is in vain */

	/* The rest is for fibers only. */
	unsigned number;
	void (*body)(void *arg);
	void *arg;
	bool done;
	bool relaxing; /* switched away from in relax() */

	ucontext_t machine;
	void *stack_map; /* NULL: the thread's own stack */
	const void *stack_bottom;
	size_t stack_size;
	void *fake_stack; /* ASan */
	void *tsan_fiber; /* TSan */
};

struct sim_hook {
	uint64_t calls;
	uint64_t fail_at; /* number of the call that fails; 0: none */
	bool always;
};

struct sim_interrupt {
	unsigned cpu;
	void (*handler)(void *arg);
	void *arg;
};

#define SIM_MAX_INTERRUPTS 64
#define SIM_LOG_MAX (1u << 20)

struct qr_sim {
	struct quire *q;
	struct qr_platform platform;
	unsigned nr_cpus;
	bool verbose;
	bool broken; /* a panic or a deadlock left locks behind */

	void *metadata;
	size_t metadata_size;
	unsigned char *memory; /* NULL: none */
	qr_pfn_t start_pfn, end_pfn; /* what memory spans */

	uint64_t now_ns, run_by_ns;

	struct sim_context outside;
	struct sim_context *current;
	/* By CPU: the context that nobody on this CPU may preempt, or NULL. */
	struct sim_context **owner;

	struct qr_task interrupt_task;
	struct sim_interrupt pending[SIM_MAX_INTERRUPTS];
	unsigned nr_pending;
	uint64_t restarts; /* of sequences */
	struct sim_interrupt at; /* cpu means nothing here */
	uint64_t at_countdown; /* sched points until it comes; 0: none */
	uint64_t sched_points;

	/* Lines, each ended by 0, the oldest first. */
	char *log;
	size_t log_used, log_last, log_room;
	unsigned log_count;

	bool panic_expected, panicked;
	char panic_text[256];
	sigjmp_buf panic_jump;

	struct sim_hook hooks[QR_SIM_NR_HOOKS];
	bool alloc_counted;
	struct qr_reclaim_ops reclaim_ops;
	void *reclaim_ctx;
	struct qr_charge_ops charge_ops;
	void *charge_ctx;

	struct sim_context **fibers;
	unsigned nr_fibers, room_fibers;
	struct sim_context *came_from; /* who switched to the current context */
	bool running, deadlocked;
	uint64_t random;
	unsigned switch_one_in;
	uint64_t switches, switch_hash;
	uint64_t first_point; /* sched_points when the run began */
	uint64_t relaxes_since_end; /* since a fiber came to its end */
};

/* Say a line on stderr and abort, or return to qr_sim_panics(). */
_Noreturn void qr__sim_panic(struct qr_sim *sim, const char *fmt, ...) QR_PRINTF(2, 3);
void qr__sim_log(struct qr_sim *sim, const char *fmt, ...) QR_PRINTF(2, 3);

/* Count one call; true: this one is to fail. */
bool qr__sim_hook_fails(struct qr_sim *sim, enum qr_sim_hook hook);

/* Sequences are in vain: of all others on the CPU where @next runs from now on; NULL: of all. */
void qr__sim_sequences_end(struct qr_sim *sim, const struct sim_context *next);

/* Run what waits for the current CPU, if that is not masked. */
void qr__sim_deliver(struct qr_sim *sim);

static inline bool qr__sim_in_fiber(const struct qr_sim *sim)
{
	return sim->current != &sim->outside;
}

/* A fiber passes a sched point; or waits.  Other fibers may run before these return. */
void qr__sim_fiber_pass(struct qr_sim *sim);
void qr__sim_fiber_relax(struct qr_sim *sim);
/* Leave the current fiber for good, for the context outside. */
_Noreturn void qr__sim_fiber_leave(struct qr_sim *sim);
void qr__sim_fibers_free(struct qr_sim *sim);

#endif /* QR_PORT_SIM_PRIVATE_H */
