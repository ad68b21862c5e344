/* SPDX-License-Identifier: MIT */
/*
 * quire/platform.h - everything the core asks of the ground it stands on
 *
 * A port fills in one struct qr_platform.  Every hook may be NULL but those marked "required"; the
 * comment says what the core does without it.  Each hook's contract answers four questions: what it
 * does, what it receives, what it may return, and in which context it is called.  ctx is the ctx
 * field of the struct, unless another is named.
 *
 * Contexts, from the freest to the strictest:
 *
 *	task	no lock of the core is held; the hook may wait
 *	pinned	the calling thread is on the CPU that cpu_pin() named, a per-CPU cache may be
 *		locked: do not wait, do not call back into the instance
 *	locked	a zone may be locked and interrupts masked: be brief, do not wait, do not call back
 *		into the instance
 */
#ifndef QUIRE_PLATFORM_H
#define QUIRE_PLATFORM_H

#include <quire/types.h>

QR_BEGIN_DECLS

struct qr_task; /* what is known of a calling task; see quire/page_alloc.h */

enum qr_log_level { QR_LOG_ERR, QR_LOG_WARN, QR_LOG_INFO, QR_LOG_DEBUG };

/* What keeps two threads from using one CPU's cache at once. */
enum qr_cpu_model {
	/* pinning forbids preemption, or is absent and the cache's trylock sorts it out */
	QR_CPU_SMP,
	/* pinning forbids only migration to another CPU: the owner of a cache can be preempted */
	QR_CPU_RT,
	/*
	 * one CPU: trylocks mask interrupts instead, since nothing but an interrupt can come
	 * between
	 */
	QR_CPU_UP
};

/* Room for the locks one thread may hold at once; only the core looks inside. */
struct qr_lock_ledger {
	unsigned nr_held;
	struct {
		const void *lock;
		unsigned rank;
	} held[8];
};

/* A few conditions and stores that are to be one step on a CPU: see local_commit. */
struct qr_local_commit {
	unsigned cpu; /* the CPU this is meant for; of it are: */
	const uint32_t *word; /* must be 0: the CPU's lock is free */
	uint64_t *count, seen; /* must be this, and becomes one more; stored last */

	/* The rest only if gate is not NULL. */
	const uint32_t *gate; /* must be 0 */
	uint32_t *slot, number; /* becomes this */
	uint8_t *mark, mark_is, mark_becomes; /* must be the one, and becomes the other */
};

enum qr_local_result {
	QR_LOCAL_NOT, /* nothing was written */
	QR_LOCAL_DONE,
	QR_LOCAL_IN_DOUBT /* all but the count may have been written, or some, or nothing */
};

struct qr_platform {
	/* Handed to every hook as its first argument. */
	void *ctx;

	enum qr_cpu_model cpu_model;

	/*
	 * The number of the CPU the caller runs on, 0 <= n < the configured number.  NULL: always
	 * 0.
	 * Context: any; called on every allocation and free, so it should cost a nanosecond.  The
	 * answer may be stale by the time it is used unless cpu_pin is given.
	 */
	unsigned (*cpu_id)(void *ctx);

	/*
	 * Keep the caller on its CPU until cpu_unpin, and return the number of that CPU.  SMP: no
	 * preemption; RT: no migration.  NULL: cpu_id is used and nothing is pinned.  Pins nest.
	 * Context: any.
	 */
	unsigned (*cpu_pin)(void *ctx);
	void (*cpu_unpin)(void *ctx);

	/*
	 * Take a lock of the CPU the caller runs on, without a locked instruction: if the word of
	 * that CPU n, at (char *)words + n * stride, is 0, make it 1.  The steps (which CPU, is it
	 * 0, make it 1) must be as one to all else that runs on this CPU: who is interrupted or
	 * moved between them begins again, unless all that came between has let go again.
	 * Receives the word of CPU 0, and the distance in bytes of one word from the next.
	 * Returns the word that was made 1; NULL: it was not 0, or the caller's CPU has none.
	 * Order: reading the 0 is an acquire.
	 * A kernel forbids preemption around plain loads and a store; a process uses a restartable
	 * sequence.  The lock is not tied to the CPU once it is taken, so cpu_pin is not called.
	 * Two CPUs must never answer to one number.  NULL: cpu_pin, and an atomic exchange.
	 * Context: any but a handler of interrupts that nothing masks; on every allocation and
	 * free.  Not with QR_CPU_UP; only together with local_fence.
	 */
	uint32_t *(*local_trylock)(void *ctx, uint32_t *words, size_t stride);

	/*
	 * If the caller runs on CPU commit->cpu, and all that it names is as it must be, store all
	 * that it says, the count last.  The steps must be as one, as those of local_trylock must;
	 * the lock is not taken.
	 * Returns whether that was done.  If somebody came between, it may have been done but for
	 * the count; then say that it is in doubt, or begin again if nothing was stored.
	 * Order: reading the 0 of the word is an acquire, writing the mark a release.
	 * NULL: the lock is taken instead, which is as right, and slower.
	 * Context: as local_trylock; only together with it.  Whoever has a word of a CPU locked
	 * from afar has called local_fence before.
	 */
	enum qr_local_result (*local_commit)(void *ctx, const struct qr_local_commit *commit);

	/*
	 * What the functions of QR_STEP_HEADER need to know, if the core was built with them: see
	 * src/alloc/step.h.  0: the hook is called.
	 */
	uintptr_t local_area;

	/*
	 * Let all CPUs take notice: on return, each local_trylock and local_commit that was under
	 * way anywhere when this was called either has made its last store, for all to see, or
	 * will see all that the caller wrote before.  Receives nothing more, returns nothing, and
	 * must not fail.
	 * A kernel interrupts all other CPUs and waits until they have answered, each with a full
	 * barrier; Linux offers membarrier().
	 * Context: task, but locks may be held (never a zone's): it may take microseconds.
	 */
	void (*local_fence)(void *ctx);

	/*
	 * Mask interrupts on this CPU and return the former state, which irq_restore takes back.
	 * NULL: there are none.
	 * Context: any; taken around each spin lock that an interrupt handler may want, and around
	 * UP trylocks.
	 */
	unsigned long (*irq_save)(void *ctx);
	void (*irq_restore)(void *ctx, unsigned long state);

	/*
	 * The pointer through which the bytes of frame pfn can be reached, until the next call; the
	 * frames of one block of any order are contiguous from there.  NULL hook: a metadata-only
	 * instance; nothing is zeroed, poisoned or copied.
	 * NULL result: this frame has no mapping (HighMem); it is treated likewise.
	 * Context: task or pinned.
	 */
	void *(*page_address)(void *ctx, qr_pfn_t pfn);

	/*
	 * The reverse of page_address: which frame holds this byte?  QR_PFN_NONE: none of the pool.
	 * NULL hook: functions that take addresses refuse them.
	 * Context: any.
	 */
	qr_pfn_t (*address_to_pfn)(void *ctx, const void *address);

	/*
	 * Nanoseconds since some fixed moment; never goes back.  NULL: time stands still at 0.
	 * Context: any.
	 */
	uint64_t (*clock_ns)(void *ctx);

	/*
	 * "Call qr_run_pending() by this time of clock_ns, from task context."  Later calls may
	 * name an earlier or a later time; the earliest not yet served counts.  NULL: the owner
	 * calls qr_run_pending() now and then by himself.
	 * Context: locked.
	 */
	void (*run_by)(void *ctx, uint64_t time_ns);

	/*
	 * A spinning or retrying thread has nothing to do for now: pause, yield, or sleep for a
	 * moment.  @spins says how often in a row it has asked.  NULL: the processor's pause
	 * instruction.
	 * Context: pinned or locked (another lock may be held), so do not wait for anything but
	 * time.
	 */
	void (*relax)(void *ctx, unsigned spins);

	/*
	 * A line of text without newline, terminated by 0.  NULL: lines are dropped.
	 * Context: locked.
	 */
	void (*log)(void *ctx, enum qr_log_level level, const char *line);

	/*
	 * An assertion or check of the core failed and it cannot go on; must not return.  Only
	 * debug assertions come here; misuse that can be contained is logged instead.  NULL: the
	 * processor's trap instruction.
	 * Context: any.
	 */
	void (*panic)(void *ctx, const char *line);

	/*
	 * What is known of the calling task (scopes, cpuset, policy); NULL result: an ordinary
	 * task.  The struct must stay valid until the call into the core returns.  NULL hook: every
	 * caller is an ordinary task.
	 * Context: any.
	 */
	struct qr_task *(*current_task)(void *ctx);

	/*
	 * Only called where the core is built with QR_DEBUG: a place where another CPU might come
	 * between (before a lock is taken, after it is let go, at lock-free steps).  A simulator
	 * switches to another of its CPUs here.  NULL: nothing.
	 * Context: any; @where is a static string.
	 */
	void (*sched_point)(void *ctx, const char *where);

	/*
	 * Only called where the core is built with QR_DEBUG: the calling thread's list of held
	 * locks, zeroed when the thread began, for the check of lock ranks.  NULL: ranks are
	 * checked only on an instance of one CPU.
	 * Context: any.
	 */
	struct qr_lock_ledger *(*lock_ledger)(void *ctx);
};

QR_END_DECLS

#endif /* QUIRE_PLATFORM_H */
