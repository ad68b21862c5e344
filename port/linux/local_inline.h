/* SPDX-License-Identifier: MIT */
/*
 * port/linux/local_inline.h - local_commit as restartable sequences, for the core to inline
 *
 * The hosted core is built with this as QR_LOCAL_HEADER (src/base/local_commit.h).  What a sequence
 * is, is told in local.c.  A commit of the count alone has one store, so if it is aborted, nothing
 * was done.  One with more stores may be aborted between them: then it is in doubt.
 *
 * local_area is where the thread pointer's register leads to the thread's rseq area: an offset.
 */
#ifndef QUIRE_PORT_LINUX_LOCAL_INLINE_H
#define QUIRE_PORT_LINUX_LOCAL_INLINE_H

#include <quire/platform.h>
#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QR_LOCAL_UNSEEN 1
#endif
#endif

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_THREAD__) && \
	!defined(QR_LOCAL_UNSEEN)
#define QR_LOCAL_HAVE_INLINE 1

/* Places in struct rseq, and the signature before an abort handler: the kernel's interface. */
#define QR_RSEQ_CPU "4"
#define QR_RSEQ_SEQUENCE "8"
#define QR_RSEQ_SIGNATURE "0x53053053"

/* A struct rseq_cs, see local.c; 1 to 2 is the sequence, 4 its abort handler. */
#define QR_RSEQ_DESCRIPTOR \
	".pushsection __rseq_cs, \"aw\"\n\t" \
	".balign 32\n" \
	"10:\t.long 0, 0\n\t" \
	".quad 1f, 2f - 1f, 4f\n\t" \
	".popsection\n\t"

/* The number of the CPU we are on, maybe no longer: the sequences ask again. */
static inline __attribute__((always_inline)) uint32_t qr_local_inline_cpu(uintptr_t area)
{
	uint32_t cpu;

	__asm__ volatile("movl %%fs:" QR_RSEQ_CPU "(%[area]), %[cpu]"
			 : [cpu] "=r"(cpu)
			 : [area] "r"(area));
	return cpu;
}

/* Out of the sequence, which has come to nothing. */
static inline __attribute__((always_inline)) void qr_local_inline_leave(uintptr_t area)
{
	__asm__ volatile("movq $0, %%fs:" QR_RSEQ_SEQUENCE "(%[area])"
			 :
			 : [area] "r"(area)
			 : "memory");
}

/* clang-format off */

/* Into the sequence, if we are still on the CPU and its lock is free; else to back. */
#define QR_RSEQ_ENTER \
	QR_RSEQ_DESCRIPTOR \
	"leaq 10b(%%rip), %%rax\n\t" \
	"movq %%rax, %%fs:" QR_RSEQ_SEQUENCE "(%[area])\n" \
	"1:\tcmpl %[cpu], %%fs:" QR_RSEQ_CPU "(%[area])\n\t" \
	"jne %l[back]\n\t" \
	"cmpl $0, %[word]\n\t" \
	"jne %l[back]\n\t"

/* The last store, of rax to the count, and out; whoever is interrupted before goes to @aborted. */
#define QR_RSEQ_COMMIT(aborted) \
	"movq %%rax, %[count]\n" \
	"2:\tmovq $0, %%fs:" QR_RSEQ_SEQUENCE "(%[area])\n\t" \
	".subsection 1\n\t" \
	".long " QR_RSEQ_SIGNATURE "\n" \
	"4:\tjmp %l[" aborted "]\n\t" \
	".previous\n\t"

/* The count alone; the rest of the commit is not looked at. */
static inline __attribute__((always_inline)) bool
qr_local_inline_count(uintptr_t area, struct qr_local_commit c)
{
	__asm__ goto(
		QR_RSEQ_ENTER
		"cmpq %[seen], %[count]\n\t"
		"jne %l[back]\n\t"
		"leaq 1(%[seen]), %%rax\n\t"
		QR_RSEQ_COMMIT("back")
		:
		: [area] "r"(area), [cpu] "r"(c.cpu), [word] "m"(*c.word), [count] "m"(*c.count),
		  [seen] "r"(c.seen)
		: "rax", "memory", "cc"
		: back);
	return true;
back:
	qr_local_inline_leave(area);
	return false;
}

static inline __attribute__((always_inline)) enum qr_local_result
qr_local_inline_commit(uintptr_t area, struct qr_local_commit c)
{
	enum qr_local_result result = QR_LOCAL_NOT;

	__asm__ goto(
		QR_RSEQ_ENTER
		"cmpl $0, %[gate]\n\t"
		"jne %l[back]\n\t"
		"cmpb %b[is], %[mark]\n\t"
		"jne %l[back]\n\t"
		"cmpq %[seen], %[count]\n\t"
		"jne %l[back]\n\t"
		"leaq 1(%[seen]), %%rax\n\t"
		"movl %[number], %[slot]\n\t"
		"movb %b[becomes], %[mark]\n\t"
		QR_RSEQ_COMMIT("doubt")
		:
		: [area] "r"(area), [cpu] "r"(c.cpu), [word] "m"(*c.word), [gate] "m"(*c.gate),
		  [mark] "m"(*c.mark), [is] "ri"(c.mark_is), [becomes] "ri"(c.mark_becomes),
		  [seen] "r"(c.seen), [count] "m"(*c.count), [number] "r"(c.number),
		  [slot] "m"(*c.slot)
		: "rax", "memory", "cc"
		: back, doubt);
	return QR_LOCAL_DONE;
doubt:
	result = QR_LOCAL_IN_DOUBT;
back:
	qr_local_inline_leave(area);
	return result;
}

/* clang-format on */

#endif /* x86-64 */

#endif /* QUIRE_PORT_LINUX_LOCAL_INLINE_H */
