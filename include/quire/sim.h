/* SPDX-License-Identifier: MIT */
/*
 * quire/sim.h - the simulated platform: nothing happens unless it is told to
 *
 * A sim gives an instance a clock that moves when told, CPUs that are switched by hand, memory
 * (or none), and hooks that fail on the n-th call.  Tests, fuzzers and simulations run on it.
 *
 * CPUs can also run as fibers: each is given a function, and qr_sim_run() lets them take turns,
 * switching at the core's sched points (debug builds) and whenever one would wait for a lock, in an
 * order that a seed decides.  The same seed gives the same interleaving, always.
 *
 * A sim and all that runs on it belong to one thread.
 */
#ifndef QUIRE_SIM_H
#define QUIRE_SIM_H

#include <quire/quire.h>

QR_BEGIN_DECLS

struct qr_sim;

/* The hooks of which the n-th call can be made to fail or answer differently. */
enum qr_sim_hook {
	QR_SIM_PAGE_ADDRESS, /* fails: NULL */
	QR_SIM_RECLAIM, /* direct_reclaim, shrink_zone, node_reclaim; fails: nothing reclaimed */
	QR_SIM_COMPACT, /* direct_compact; fails: skipped */
	QR_SIM_OOM, /* out_of_memory; fails: no progress */
	QR_SIM_CHARGE, /* charge; fails: QR_ENOMEM */
	QR_SIM_ALLOC, /* fails: the allocation itself, as by fault injection */
	QR_SIM_NR_HOOKS
};

struct qr_sim_config {
	/*
	 * platform is filled in by the sim, but for platform.cpu_model, and QR_OPT_METADATA_ZEROED
	 * is set or cleared as metadata_fill says.
	 */
	struct qr_config machine;
	bool memory; /* give the frames real bytes */
	/*
	 * Offer local_trylock and local_fence.  Other fibers may come between any two steps of the
	 * sequence, which begins again if one of the same CPU did, or a fence.
	 */
	bool local_locks;
	/*
	 * Offer local_commit, too, whose steps others may come between likewise.  Tasks are not
	 * told apart then.
	 */
	bool local_commits;
	uint64_t start_ns; /* the clock's first time */
	/* Fill the metadata with this before qr_create(), to find reads of what nobody wrote. */
	uint8_t metadata_fill;
	bool verbose; /* print log lines to stderr */
};

/* NULL: no memory, or the machine is impossible (then *why says it).  Free with qr_sim_free(). */
QR_API struct qr_sim *qr_sim_new(const struct qr_sim_config *config, struct qr_error_text *why);
/* Not while its fibers run. */
QR_API void qr_sim_free(struct qr_sim *sim);
QR_API struct quire *qr_sim_quire(struct qr_sim *sim);

/* The clock, and the work that falls due on the way. */
QR_API uint64_t qr_sim_now(const struct qr_sim *sim);
QR_API void qr_sim_advance(struct qr_sim *sim, uint64_t ns);
/* The earliest time the core asked to be run by; UINT64_MAX: none. */
QR_API uint64_t qr_sim_run_by(const struct qr_sim *sim);

/* Which CPU calls come from; inside a fiber, of that fiber. */
QR_API void qr_sim_cpu_set(struct qr_sim *sim, unsigned cpu);
QR_API unsigned qr_sim_cpu(const struct qr_sim *sim);
/* What task calls come from; NULL: an ordinary one.  Each fiber has its own. */
QR_API void qr_sim_task_set(struct qr_sim *sim, struct qr_task *task);

/*
 * Hooks that fail.  Callbacks of reclaim and charging are counted, and made to fail, only if they
 * were registered here instead of with qr_reclaim_ops_set() and qr_charge_ops_set().
 */
QR_API void qr_sim_reclaim_ops_set(struct qr_sim *sim, const struct qr_reclaim_ops *ops, void *ctx);
QR_API void qr_sim_charge_ops_set(struct qr_sim *sim, const struct qr_charge_ops *ops, void *ctx);
/* The nth call (1: the next) of a hook fails, and if @always each one after it; 0: none. */
QR_API void qr_sim_fail(struct qr_sim *sim, enum qr_sim_hook hook, uint64_t nth, bool always);
/*
 * Calls so far; a sweep is past its end when there were fewer than nth.  Allocations, QR_SIM_ALLOC,
 * are counted from the first qr_sim_fail() for them on, which may be one with nth 0.
 */
QR_API uint64_t qr_sim_calls(const struct qr_sim *sim, enum qr_sim_hook hook);

/*
 * The last log line ("" if there was none), how many there were, and how many of those contained a
 * text.  The text of lines more than a MiB ago is forgotten.
 */
QR_API const char *qr_sim_log_last(const struct qr_sim *sim);
QR_API unsigned qr_sim_log_count(const struct qr_sim *sim);
QR_API unsigned qr_sim_log_matches(const struct qr_sim *sim, const char *text);
QR_API void qr_sim_log_clear(struct qr_sim *sim);

/*
 * Run body; true: it ended in a panic, of the core or of the sim, with *message (if given; valid
 * until the next call).  Locks that body held stay held, so do nothing with the instance afterwards
 * but to free the sim.  Without this a panic prints its message and aborts.
 */
QR_API bool qr_sim_panics(struct qr_sim *sim, void (*body)(void *arg), void *arg,
			  const char **message);

/*
 * Interrupts: is the current CPU masked?  handler runs on the current CPU at the next unmasked
 * moment, maybe at once, itself masked and as QR_TASK_INTERRUPT.
 */
QR_API bool qr_sim_irqs_masked(const struct qr_sim *sim);
QR_API void qr_sim_interrupt(struct qr_sim *sim, void (*handler)(void *arg), void *arg);
/* The same at the nth sched point from now (1: the next), on the CPU that comes by; 0: no more. */
QR_API void qr_sim_interrupt_at(struct qr_sim *sim, uint64_t nth, void (*handler)(void *arg),
				void *arg);

/*
 * Fibers: body runs on @cpu when qr_sim_run() is called; several per CPU are allowed.  Those of one
 * CPU never preempt one that has masked interrupts or, unless the CPU model is RT, pinned itself.
 * Returns the fiber's number, from 0, or QR_EINVAL: no such CPU; QR_ENOMEM.
 */
QR_API int qr_sim_spawn(struct qr_sim *sim, unsigned cpu, void (*body)(void *arg), void *arg);
/*
 * Run all fibers to their ends, switching as @seed decides.  0, or QR_EBUSY: all of them wait for
 * each other (a deadlock; the log names the locks).  Then they are abandoned where they stand, and
 * nothing can be done with the instance but to free the sim.
 */
QR_API int qr_sim_run(struct qr_sim *sim, uint64_t seed);
/* A sched point of the test's own. */
QR_API void qr_sim_yield(struct qr_sim *sim);
/* How many switches the last run made, and a hash of them: equal means interleaved alike. */
QR_API uint64_t qr_sim_switches(const struct qr_sim *sim);
QR_API uint64_t qr_sim_switch_hash(const struct qr_sim *sim);
/* Sched points passed so far, in fibers or not. */
QR_API uint64_t qr_sim_sched_points(const struct qr_sim *sim);
/* How often a sequence of local_trylock had to begin again. */
QR_API uint64_t qr_sim_restarts(const struct qr_sim *sim);

QR_END_DECLS

#endif /* QUIRE_SIM_H */
