/* SPDX-License-Identifier: MIT */
/*
 * lock.c - spin locks, and the check of their ranks
 *
 * Theory of operation
 * -------------------
 * A lock is one word: 0 or 1.  Whoever exchanges a 1 for a 0 has it.  A waiter only reads until
 * the word looks free, so the line stays shared; it pauses the processor for a while and then asks
 * the platform's relax hook, which may yield to the holder.
 *
 * The rank check is a matter of debug builds.  Each thread has a ledger of the locks it holds, kept
 * by the platform.  A lock that may be waited for must have a higher rank than all in the ledger;
 * this is checked before waiting, so that a violation is a message and not a hang.  A lock that is
 * only tried cannot close a circle of waiters: it is exempt, but recorded, for locks to come are
 * measured by it.
 *
 * A ledger has few slots.  Only the checker ever holds more locks than that (all caches of a zone);
 * those beyond are counted and not checked.
 */
#include "base.h"
#include "bits.h"

#define PAUSES_BEFORE_RELAX 64 /* a few hundred nanoseconds: longer than most critical sections */

void qr__lock_init(struct qr_spinlock *lock, enum qr_lock_rank rank)
{
	atomic_init(&lock->taken, 0);
	lock->rank = (uint32_t)rank;
}

static inline void processor_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

void qr__relax(struct qr_base *base, unsigned spins)
{
	const struct qr_platform *p = &base->platform;

	if (spins < PAUSES_BEFORE_RELAX || !p->relax)
		processor_pause();
	else
		p->relax(p->ctx, spins - PAUSES_BEFORE_RELAX);
}

unsigned long qr__irq_save(struct qr_base *base)
{
	const struct qr_platform *p = &base->platform;

	return p->irq_save ? p->irq_save(p->ctx) : 0;
}

void qr__irq_restore(struct qr_base *base, unsigned long state)
{
	const struct qr_platform *p = &base->platform;

	if (p->irq_restore)
		p->irq_restore(p->ctx, state);
}

/* The rank check --------------------------------------------------------------------------- */

#if QR_DEBUG

#define LEDGER_SLOTS ((unsigned)QR_ARRAY_SIZE(((struct qr_lock_ledger *)0)->held))

static const char *const rank_names[QR_NR_RANKS] = {
	[0] = "none",
	[QR_RANK_TUNABLES] = "TUNABLES",
	[QR_RANK_PCP_BATCH_HIGH] = "PCP_BATCH_HIGH",
	[QR_RANK_PCPU_DRAIN] = "PCPU_DRAIN",
	[QR_RANK_ZONELISTS] = "ZONELISTS",
	[QR_RANK_SPECULATION] = "SPECULATION",
	[QR_RANK_LOCAL_ALL] = "LOCAL_ALL",
	[QR_RANK_PCP] = "PCP",
	[QR_RANK_ZONE] = "ZONE",
	[QR_RANK_WORK] = "WORK",
};

static const char *rank_name(unsigned rank)
{
	return rank < QR_NR_RANKS ? rank_names[rank] : "unknown";
}

/* The caller's ledger; NULL: nobody keeps one. */
static struct qr_lock_ledger *ledger_of(struct qr_base *base)
{
	const struct qr_platform *p = &base->platform;

	if (p->lock_ledger)
		return p->lock_ledger(p->ctx);
	return base->nr_cpus == 1 ? &base->ledger : NULL;
}

static unsigned ledger_used(const struct qr_lock_ledger *ledger)
{
	return ledger->nr_held < LEDGER_SLOTS ? ledger->nr_held : LEDGER_SLOTS;
}

/* We are about to wait for this lock: may we? */
void qr__lock_rank_check(struct qr_base *base, const void *lock, unsigned rank)
{
	const struct qr_lock_ledger *ledger = ledger_of(base);

	if (!ledger)
		return;
	for (unsigned i = 0; i < ledger_used(ledger); i++) {
		if (ledger->held[i].lock == lock)
			qr__panic(base, "lock of rank %s (%u) taken twice by one thread",
				  rank_name(rank), rank);
		if (ledger->held[i].rank >= rank)
			qr__panic(base, "lock of rank %s (%u) wanted while rank %s (%u) is held",
				  rank_name(rank), rank, rank_name(ledger->held[i].rank),
				  ledger->held[i].rank);
	}
}

void qr__lock_note_taken(struct qr_base *base, const void *lock, unsigned rank)
{
	struct qr_lock_ledger *ledger = ledger_of(base);

	if (!ledger)
		return;
	if (ledger->nr_held < LEDGER_SLOTS) {
		ledger->held[ledger->nr_held].lock = lock;
		ledger->held[ledger->nr_held].rank = rank;
	}
	ledger->nr_held++;
}

/* The slot that names @lock, or ledger_used(). */
static unsigned ledger_find(const struct qr_lock_ledger *ledger, const void *lock)
{
	unsigned i = 0;

	while (i < ledger_used(ledger) && ledger->held[i].lock != lock)
		i++;
	return i;
}

void qr__lock_note_released(struct qr_base *base, const void *lock, unsigned rank)
{
	struct qr_lock_ledger *ledger = ledger_of(base);
	unsigned i;

	if (!ledger)
		return;
	i = ledger_find(ledger, lock);
	if (ledger->nr_held > LEDGER_SLOTS) {
		/* Locks without a slot remain: the slot stands for one of them from now on. */
		if (i < LEDGER_SLOTS) {
			ledger->held[i].lock = NULL;
			ledger->held[i].rank = 0;
		}
		ledger->nr_held--;
		return;
	}
	if (i == ledger->nr_held)
		i = ledger_find(ledger, NULL);
	if (i == ledger->nr_held)
		qr__panic(base, "lock of rank %s (%u) released by a thread that does not hold it",
			  rank_name(rank), rank);
	ledger->held[i] = ledger->held[--ledger->nr_held];
}

/* PCP_BATCH_HIGH does not count: who disabled the caches of a zone goes on to reclaim and wait. */
void qr__assert_no_locks(struct qr_base *base)
{
	const struct qr_lock_ledger *ledger = ledger_of(base);

	if (!ledger)
		return;
	for (unsigned i = 0; i < ledger_used(ledger); i++)
		if (ledger->held[i].rank != QR_RANK_PCP_BATCH_HIGH)
			qr__panic(base, "lock of rank %s (%u) is held where none may be",
				  rank_name(ledger->held[i].rank), ledger->held[i].rank);
}

void qr__sched_point(struct qr_base *base, const char *where)
{
	const struct qr_platform *p = &base->platform;

	if (p->sched_point)
		p->sched_point(p->ctx, where);
}

#endif /* QR_DEBUG */

/* Taking and releasing --------------------------------------------------------------------- */

static bool lock_wait(struct qr_base *base, struct qr_spinlock *lock)
{
	bool waited = false;

	qr__sched_point(base, "lock");
	while (atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire)) {
		waited = true;
		for (unsigned spins = 0; qr__is_locked(lock); spins++)
			qr__relax(base, spins);
	}
	return waited;
}

/* These are what the annotations promise, so their bodies cannot be analysed by them. */

bool qr__lock_contended(struct qr_base *base, struct qr_spinlock *lock) QR_NO_LOCK_ANALYSIS
{
	bool waited;

	qr__lock_rank_check(base, lock, lock->rank);
	waited = lock_wait(base, lock);
	qr__lock_note_taken(base, lock, lock->rank);
	return waited;
}

void qr__lock_unranked(struct qr_base *base, struct qr_spinlock *lock)
{
	lock_wait(base, lock);
}

void qr__unlock_unranked(struct qr_spinlock *lock)
{
	atomic_store_explicit(&lock->taken, 0, memory_order_release);
}

void qr__lock(struct qr_base *base, struct qr_spinlock *lock) QR_NO_LOCK_ANALYSIS
{
	qr__lock_contended(base, lock);
}

bool qr__trylock(struct qr_base *base, struct qr_spinlock *lock) QR_NO_LOCK_ANALYSIS
{
	return qr__trylock_fast(base, lock);
}

void qr__unlock(struct qr_base *base, struct qr_spinlock *lock) QR_NO_LOCK_ANALYSIS
{
	qr__unlock_fast(base, lock);
}
