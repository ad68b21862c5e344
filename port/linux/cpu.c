/* SPDX-License-Identifier: MIT */
/*
 * port/linux/cpu.c - CPU numbers, time, and waiting
 *
 * Since glibc 2.35 each thread has an rseq area that the kernel keeps up to date with the number of
 * the CPU the thread runs on, so asking is one load.  Where there is none (another C library, an
 * old kernel, a debugger in between) the getcpu call of the vDSO does, at three times the price.
 *
 * A number may be larger than the machine's last CPU, if the machine was described with fewer CPUs
 * than the host has; then several CPUs share one cache.  The number may be stale as soon as it is
 * known, and the core's trylocks sort that out.
 */
#include "pool.h"

#include <sched.h>
#include <time.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#endif

#if defined(RSEQ_SIG) && defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
#define HAVE_RSEQ 1
#else
#define HAVE_RSEQ 0
#endif

/* relax(): pauses, in case the holder runs; then our turn for it, in case it does not; sleep. */
#define RELAX_PAUSES 8u
#define RELAX_YIELDS 64u
#define RELAX_SLEEP_MIN_NS 1000u
#define RELAX_SLEEP_MAX_NS 1000000u

static unsigned cpu_getcpu(void *ctx)
{
	const struct qr_linux_pool *pool = ctx;
	int cpu = sched_getcpu();

	return cpu < 0 ? 0 : (unsigned)cpu % pool->nr_cpus;
}

#if HAVE_RSEQ
static unsigned cpu_rseq(void *ctx)
{
	const struct qr_linux_pool *pool = ctx;
	const struct rseq *area =
		(const struct rseq *)(void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	uint32_t cpu = __atomic_load_n(&area->cpu_id, __ATOMIC_RELAXED);

	if (__builtin_expect(cpu < pool->nr_cpus, 1))
		return cpu;
	/* Negative numbers mean that this thread is not registered. */
	return cpu <= INT32_MAX ? cpu % pool->nr_cpus : cpu_getcpu(ctx);
}
#endif

unsigned (*qr__linux_cpu_id(void))(void *ctx)
{
#if HAVE_RSEQ
	if (__rseq_size)
		return cpu_rseq;
#endif
	return cpu_getcpu;
}

const char *qr__linux_cpu_source(void)
{
	return qr__linux_cpu_id() == cpu_getcpu ? "getcpu" : "rseq";
}

uint64_t qr__linux_clock(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

static void sleep_ns(unsigned ns)
{
	struct timespec time = {.tv_nsec = (long)ns};

	nanosleep(&time, NULL);
}

void qr__linux_relax(void *ctx, unsigned spins)
{
	unsigned ns;

	(void)ctx;
	if (spins < RELAX_PAUSES) {
		for (unsigned i = 0; i < 1u << spins; i++)
			pause_briefly();
		return;
	}
	if (spins < RELAX_YIELDS) {
		sched_yield();
		return;
	}
	ns = RELAX_SLEEP_MIN_NS;
	for (unsigned i = RELAX_YIELDS; i < spins && ns < RELAX_SLEEP_MAX_NS; i += 8)
		ns *= 2;
	sleep_ns(ns < RELAX_SLEEP_MAX_NS ? ns : RELAX_SLEEP_MAX_NS);
}
