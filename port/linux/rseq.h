/* SPDX-License-Identifier: MIT */
/*
 * port/linux/rseq.h - the kernel's interface of restartable sequences, for assembly
 *
 * What a sequence is, is told in local.c.
 */
#ifndef QUIRE_PORT_LINUX_RSEQ_H
#define QUIRE_PORT_LINUX_RSEQ_H

/* Places in struct rseq, and the signature before an abort handler. */
#define QR_RSEQ_CPU "4"
#define QR_RSEQ_SEQUENCE "8"
#if defined(__x86_64__)
#define QR_RSEQ_SIGNATURE "0x53053053"
#else /* aarch64, little-endian */
#define QR_RSEQ_SIGNATURE "0xd428bc00"
#endif

/*
 * A struct rseq_cs: version and flags, first instruction, length up to and with the last one, abort
 * handler.  Its address in the area is what puts a thread into the sequence.  The area's pointer is
 * cleared at the end: the descriptor may go away with the library that has it.
 *
 * 1 is the first instruction of the sequence, 2 the one after the last, 4 the abort handler.
 */
#define QR_RSEQ_DESCRIPTOR \
	".pushsection __rseq_cs, \"aw\"\n\t" \
	".balign 32\n" \
	"10:\t.long 0, 0\n\t" \
	".quad 1f, 2f - 1f, 4f\n\t" \
	".popsection\n\t"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QR_RSEQ_UNSEEN 1 /* it does not see what a sequence does */
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define QR_RSEQ_UNSEEN 1
#endif

/* Sequences that go to labels of C and have results besides: gcc 11 and clang 11 can. */
#if defined(__x86_64__) && defined(__linux__) && !defined(QR_RSEQ_UNSEEN) && \
	(defined(__clang__) ? __clang_major__ >= 11 : __GNUC__ >= 11)
#define QR_RSEQ_STEPS 1

/* clang-format off */

/* Into the sequence, by way of 0 as often as one likes; rax is lost. */
#define QR_RSEQ_ENTER \
	QR_RSEQ_DESCRIPTOR \
	"0:\tleaq 10b(%%rip), %%rax\n\t" \
	"movq %%rax, %%fs:" QR_RSEQ_SEQUENCE "(%[area])\n" \
	"1:\t"

/* Out of it, after its last instruction; whoever is interrupted before goes on at @aborted. */
#define QR_RSEQ_LEAVE(aborted) \
	"\n2:\tmovq $0, %%fs:" QR_RSEQ_SEQUENCE "(%[area])\n\t" \
	".subsection 1\n\t" \
	".long " QR_RSEQ_SIGNATURE "\n" \
	"4:\tjmp %l[" aborted "]\n\t" \
	".previous\n\t"

/* clang-format on */

/* Out of a sequence that has come to nothing. */
static inline __attribute__((always_inline)) void qr_rseq_leave(uintptr_t area)
{
	__asm__ volatile("movq $0, %%fs:" QR_RSEQ_SEQUENCE "(%[area])"
			 :
			 : [area] "r"(area)
			 : "memory");
}

#endif /* x86-64 */

#endif /* QUIRE_PORT_LINUX_RSEQ_H */
