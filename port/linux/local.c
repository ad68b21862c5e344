/* SPDX-License-Identifier: MIT */
/*
 * port/linux/local.c - taking a CPU's lock by a restartable sequence
 *
 * The kernel keeps two words for each thread in its rseq area: the number of the CPU it runs on,
 * and the sequence it is in.  A thread that is preempted, moved or interrupted by a signal between
 * the sequence's first and last instruction goes on at the sequence's abort handler, which begins
 * again.  The last instruction is the store that takes the lock, so either all of it happens on one
 * CPU, with nothing in between, or none.
 *
 * membarrier(PRIVATE_EXPEDITED_RSEQ) makes all threads of the process that run, or are preempted,
 * inside such a sequence begin again, and is a full barrier on their CPUs: the fence that
 * <quire/platform.h> asks for.
 *
 * There are no such locks where the C library keeps no rseq area, where the kernel lacks the
 * membarrier, under ThreadSanitizer (it does not see what a sequence does), or where the machine
 * was described with fewer CPUs than the host has, so that several of them would share a word.  A
 * CPU that comes later with a number beyond the machine's has no word at all, and a thread without
 * an rseq area neither; both pass the caches by.
 */
#include "pool.h"
#include "rseq.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#endif

#if defined(RSEQ_SIG) && defined(__GLIBC__) && !defined(QR_RSEQ_UNSEEN) && \
	(defined(__x86_64__) || defined(__AARCH64EL__))
#define HAVE_LOCAL 1
#else
#define HAVE_LOCAL 0
#endif

#if HAVE_LOCAL

/*
 * 0 begins; 1 is the first instruction of the sequence, and 2 the one after the last; 3: the lock
 * is not to be had; 4: the kernel says that it was in vain.
 */
#if defined(__x86_64__)
#define SEQUENCE \
	"0:\tleaq 10b(%%rip), %[word]\n\t" \
	"movq %[word], %[sequence]\n" \
	"1:\tmovl %[cpu], %k[word]\n\t" \
	"cmpl %[nr_cpus], %k[word]\n\t" \
	"jae 3f\n\t" \
	"imulq %[stride], %[word]\n\t" \
	"addq %[words], %[word]\n\t" \
	"movl (%[word]), %k[value]\n\t" \
	"testl %k[value], %k[value]\n\t" \
	"jne 3f\n\t" \
	"movl $1, (%[word])\n" \
	"2:\tmovq $0, %[sequence]\n\t"
#define NOT_TAKEN "xorl %k[word], %k[word]\n\tjmp 2b"
#define AGAIN "jmp 0b"
#else
#define SEQUENCE \
	"0:\tadrp %[word], 10b\n\t" \
	"add %[word], %[word], :lo12:10b\n\t" \
	"str %[word], %[sequence]\n" \
	"1:\tldr %w[word], %[cpu]\n\t" \
	"cmp %w[word], %w[nr_cpus]\n\t" \
	"b.hs 3f\n\t" \
	"madd %[word], %[word], %[stride], %[words]\n\t" \
	"ldar %w[value], [%[word]]\n\t" \
	"cbnz %w[value], 3f\n\t" \
	"mov %w[value], #1\n\t" \
	"str %w[value], [%[word]]\n" \
	"2:\tstr xzr, %[sequence]\n\t"
#define NOT_TAKEN "mov %[word], xzr\n\tb 2b"
#define AGAIN "b 0b"
#endif

/* clang-format off */
/* The abort handler has the signature in front of it, and is out of the way like the failure. */
#define ELSEWHERE \
	".subsection 1\n\t" \
	".long " QR_RSEQ_SIGNATURE "\n" \
	"4:\t" AGAIN "\n" \
	"3:\t" NOT_TAKEN "\n\t" \
	".previous\n\t"
/* clang-format on */

/* NOLINTNEXTLINE(readability-non-const-parameter): the sequence writes to one of them */
static uint32_t *local_trylock(void *ctx, uint32_t *words, size_t stride)
{
	const struct qr_linux_pool *pool = ctx;
	char *thread = __builtin_thread_pointer();
	struct rseq *area = (struct rseq *)(void *)(thread + __rseq_offset);
	uint32_t *word;
	uint64_t value;

	__asm__ volatile(QR_RSEQ_DESCRIPTOR SEQUENCE ELSEWHERE
			 : [word] "=&r"(word), [value] "=&r"(value), [sequence] "+m"(area->rseq_cs)
			 : [cpu] "m"(area->cpu_id), [nr_cpus] "r"(pool->nr_cpus),
			   [stride] "r"(stride), [words] "r"(words)
			 : "memory", "cc");
	return word;
}

#ifdef QR_RSEQ_STEPS

/* clang-format off */

/* We are still on the CPU, and its lock is free; else to back. */
#define STILL_THERE \
	"cmpl %[cpu], %%fs:" QR_RSEQ_CPU "(%[area])\n\t" \
	"jne %l[back]\n\t" \
	"cmpl $0, %[word]\n\t" \
	"jne %l[back]\n\t"

/* The count alone, so there is one store: if it is aborted, nothing was done. */
static enum qr_local_result count_commit(uintptr_t area, const struct qr_local_commit *c)
{
	__asm__ volatile goto(
		QR_RSEQ_ENTER STILL_THERE
		"cmpq %[seen], %[count]\n\t"
		"jne %l[back]\n\t"
		"leaq 1(%[seen]), %%rax\n\t"
		"movq %%rax, %[count]"
		QR_RSEQ_LEAVE("back")
		:
		: [area] "r"(area), [cpu] "r"(c->cpu), [word] "m"(*c->word), [count] "m"(*c->count),
		  [seen] "r"(c->seen)
		: "rax", "memory", "cc"
		: back);
	return QR_LOCAL_DONE;
back:
	qr_rseq_leave(area);
	return QR_LOCAL_NOT;
}

/* With more stores it may be aborted between them. */
static enum qr_local_result whole_commit(uintptr_t area, const struct qr_local_commit *c)
{
	enum qr_local_result result = QR_LOCAL_NOT;

	__asm__ volatile goto(
		QR_RSEQ_ENTER STILL_THERE
		"cmpl $0, %[gate]\n\t"
		"jne %l[back]\n\t"
		"cmpb %b[is], %[mark]\n\t"
		"jne %l[back]\n\t"
		"cmpq %[seen], %[count]\n\t"
		"jne %l[back]\n\t"
		"leaq 1(%[seen]), %%rax\n\t"
		"movl %[number], %[slot]\n\t"
		"movb %b[becomes], %[mark]\n\t"
		"movq %%rax, %[count]"
		QR_RSEQ_LEAVE("doubt")
		:
		: [area] "r"(area), [cpu] "r"(c->cpu), [word] "m"(*c->word), [gate] "m"(*c->gate),
		  [mark] "m"(*c->mark), [is] "r"(c->mark_is), [becomes] "r"(c->mark_becomes),
		  [seen] "r"(c->seen), [count] "m"(*c->count), [number] "r"(c->number),
		  [slot] "m"(*c->slot)
		: "rax", "memory", "cc"
		: back, doubt);
	return QR_LOCAL_DONE;
doubt:
	result = QR_LOCAL_IN_DOUBT;
back:
	qr_rseq_leave(area);
	return result;
}

/* clang-format on */

static enum qr_local_result local_commit(void *ctx, const struct qr_local_commit *commit)
{
	uintptr_t area = (uintptr_t)__rseq_offset;

	(void)ctx;
	return commit->gate ? whole_commit(area, commit) : count_commit(area, commit);
}

static void commit_fill(struct qr_platform *platform)
{
	platform->local_commit = local_commit;
	platform->local_area = (uintptr_t)__rseq_offset;
}

#else

static void commit_fill(struct qr_platform *platform)
{
	(void)platform;
}

#endif /* QR_RSEQ_STEPS */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

/* It cannot fail once it was registered, but for lack of memory, and but for a seccomp filter. */
static void local_fence(void *ctx)
{
	for (unsigned spins = 0; membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) < 0; spins++) {
		if (errno != ENOMEM) {
			fprintf(stderr,
				"quire: panic: membarrier: %s; open pools with "
				"no_local_locks where it is forbidden\n",
				strerror(errno));
			abort();
		}
		qr__linux_relax(ctx, spins);
	}
}

/* The number of the host's last CPU, as "0-1,4-7" says it; 0: unknown. */
static unsigned last_cpu(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/present", "r");
	unsigned last = 0;
	char separator;

	if (!file)
		return 0;
	while (fscanf(file, "%u%c", &last, &separator) == 2)
		;
	fclose(file);
	return last;
}

static bool cpus_have_words(const struct qr_linux_pool *pool)
{
	long configured = sysconf(_SC_NPROCESSORS_CONF);

	return configured <= (long)pool->nr_cpus && last_cpu() < pool->nr_cpus;
}

void qr__linux_local_fill(const struct qr_linux_pool *pool, struct qr_platform *platform)
{
	if (!__rseq_size || !cpus_have_words(pool) ||
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) < 0)
		return;
	platform->local_trylock = local_trylock;
	platform->local_fence = local_fence;
	commit_fill(platform);
}

#else

void qr__linux_local_fill(const struct qr_linux_pool *pool, struct qr_platform *platform)
{
	(void)pool, (void)platform;
}

#endif /* HAVE_LOCAL */
