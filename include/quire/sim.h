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
 */
#ifndef QUIRE_SIM_H
#define QUIRE_SIM_H

#include <quire/quire.h>

QR_BEGIN_DECLS

struct qr_sim;

/* The hooks of which the n-th call can be made to fail or answer differently. */
enum qr_sim_hook {
	QR_SIM_PAGE_ADDRESS, /* fails: NULL */
	QR_SIM_RECLAIM, /* fails: nothing reclaimed */
	QR_SIM_COMPACT, /* fails: skipped */
	QR_SIM_OOM, /* fails: no progress */
	QR_SIM_CHARGE, /* fails: QR_ENOMEM */
	QR_SIM_ALLOC, /* fails: the allocation itself, as by fault injection */
	QR_SIM_NR_HOOKS
};

struct qr_sim_config {
	struct qr_config machine; /* platform is filled in by the sim */
	bool memory; /* give the frames real bytes */
	uint64_t start_ns; /* the clock's first time */
	/* Fill the metadata with this before qr_create(), to find reads of what nobody wrote. */
	uint8_t metadata_fill;
	bool verbose; /* print log lines to stderr */
};

/* NULL: no memory, or the machine is impossible (then *why says it).  Free with qr_sim_free(). */
QR_API struct qr_sim *qr_sim_new(const struct qr_sim_config *config, struct qr_error_text *why);
QR_API void qr_sim_free(struct qr_sim *sim);
QR_API struct quire *qr_sim_quire(struct qr_sim *sim);

/* The clock, and the work that falls due on the way. */
QR_API uint64_t qr_sim_now(const struct qr_sim *sim);
QR_API void qr_sim_advance(struct qr_sim *sim, uint64_t ns);
/* The earliest time the core asked to be run by; UINT64_MAX: none. */
QR_API uint64_t qr_sim_run_by(const struct qr_sim *sim);

/* Which CPU calls come from. */
QR_API void qr_sim_cpu_set(struct qr_sim *sim, unsigned cpu);
QR_API unsigned qr_sim_cpu(const struct qr_sim *sim);
/* What task calls come from; NULL: an ordinary one. */
QR_API void qr_sim_task_set(struct qr_sim *sim, struct qr_task *task);

/* The nth call (1: the next) of a hook fails, and if @always each one after it; 0: none. */
QR_API void qr_sim_fail(struct qr_sim *sim, enum qr_sim_hook hook, uint64_t nth, bool always);
QR_API uint64_t qr_sim_calls(const struct qr_sim *sim, enum qr_sim_hook hook);

/* The last log line, how many there were, and how many contained a text. */
QR_API const char *qr_sim_log_last(const struct qr_sim *sim);
QR_API unsigned qr_sim_log_count(const struct qr_sim *sim);
QR_API unsigned qr_sim_log_matches(const struct qr_sim *sim, const char *text);
QR_API void qr_sim_log_clear(struct qr_sim *sim);

/* Interrupts: is the current CPU masked?  handler runs at the next unmasked moment. */
QR_API bool qr_sim_irqs_masked(const struct qr_sim *sim);
QR_API void qr_sim_interrupt(struct qr_sim *sim, void (*handler)(void *arg), void *arg);

/* Fibers: body runs on @cpu when qr_sim_run() is called; several per CPU are allowed. */
QR_API int qr_sim_spawn(struct qr_sim *sim, unsigned cpu, void (*body)(void *arg), void *arg);
/*
 * Run all fibers to their ends, switching as @seed decides.  0, or QR_EBUSY: all of them wait for
 * each other (a deadlock; the log names the locks).
 */
QR_API int qr_sim_run(struct qr_sim *sim, uint64_t seed);
/* How many switches the last run made. */
QR_API uint64_t qr_sim_switches(const struct qr_sim *sim);

QR_END_DECLS

#endif /* QUIRE_SIM_H */
