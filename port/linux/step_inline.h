/* SPDX-License-Identifier: MIT */
/*
 * port/linux/step_inline.h - steps as restartable sequences, for the core to inline
 *
 * The hosted core is built with this as QR_STEP_HEADER: src/alloc/step.h includes it, has the
 * theory and the structures that the sequences read, and says what the functions do.  What a
 * sequence is, is told in local.c.
 *
 * local_area is where the thread pointer's register leads to the thread's rseq area: an offset.
 */
#ifndef QUIRE_PORT_LINUX_STEP_INLINE_H
#define QUIRE_PORT_LINUX_STEP_INLINE_H

#include "rseq.h"

#ifdef QR_RSEQ_STEPS
#define QR_STEPS_HAVE_INLINE 1

/* Where in the structures of steps the sequences look; and how to say so in one. */
#define QR_RING_HEAD 0
#define QR_RING_TAIL 8
#define QR_RING_LAST 16
#define QR_RING_LIMIT 20
#define QR_RING_MARK 22
#define QR_RING_PUT 32
#define QR_RING_LOCK 40
#define QR_RING_FRAMES 64
#define QR_PUT_LIMIT 0
#define QR_PUT_NR QR_RING_TAIL
#define QR_PUT_FRAMES QR_RING_FRAMES
#define QR_CPU_RECENT 0
#define QR_CPU_SHIFT 12
#define QR_ROUTE_RING 8
#define QR_ROUTE_ORDER 24
#define QR_ROUTE_SHIFT 5

#define QR_STEP_TEXT_OF(x) #x
#define QR_STEP_TEXT(x) QR_STEP_TEXT_OF(x)

#define QR_STEP_IS_AT(type, member, where) \
	_Static_assert(offsetof(struct type, member) == (where), #member " of " #type)

QR_STEP_IS_AT(qr_magazine_ring, head, QR_RING_HEAD);
QR_STEP_IS_AT(qr_magazine_ring, tail, QR_RING_TAIL);
QR_STEP_IS_AT(qr_magazine_ring, last, QR_RING_LAST);
QR_STEP_IS_AT(qr_magazine_ring, limit, QR_RING_LIMIT);
QR_STEP_IS_AT(qr_magazine_ring, mark, QR_RING_MARK);
QR_STEP_IS_AT(qr_magazine_ring, put, QR_RING_PUT);
QR_STEP_IS_AT(qr_magazine_ring, lock, QR_RING_LOCK);
QR_STEP_IS_AT(qr_magazine_ring, frames, QR_RING_FRAMES);
QR_STEP_IS_AT(qr_magazine_put, limit, QR_PUT_LIMIT);
QR_STEP_IS_AT(qr_magazine_put, nr, QR_PUT_NR);
QR_STEP_IS_AT(qr_magazine_put, frames, QR_PUT_FRAMES);
QR_STEP_IS_AT(qr_local_lock, taken, 0);
QR_STEP_IS_AT(qr_local_lock, closed, 4);
QR_STEP_IS_AT(qr_step_cpu, recent, QR_CPU_RECENT);
QR_STEP_IS_AT(qr_step_route, ring, QR_ROUTE_RING);
QR_STEP_IS_AT(qr_step_route, order, QR_ROUTE_ORDER);
_Static_assert(QR_STEP_CPU_SHIFT == QR_CPU_SHIFT, "the distance of CPUs' records");
_Static_assert(sizeof(struct qr_step_route) == 1 << QR_ROUTE_SHIFT, "the distance of routes");

/* clang-format off */

/* The CPU we are on, if it has a record; and that, of a number. */
#define QR_STEP_CPU(cpu) \
	"movl %%fs:" QR_RSEQ_CPU "(%[area]), %k[" cpu "]\n\t" \
	"cmpl %k[" cpu "], %[nr_cpus]\n\t" \
	"jbe %l[back]\n\t"
#define QR_STEP_RECORD(of) \
	"shlq $" QR_STEP_TEXT(QR_CPU_SHIFT) ", %[" of "]\n\t" \
	"addq %[cpus], %[" of "]\n\t"

/*
 * The cache's lock is free and nothing speaks against it: one word, and zero.  That drops are not
 * plain, which is its highest bit, is nothing to who takes.
 */
#define QR_STEP_CALM_TO_GIVE \
	"movq " QR_STEP_TEXT(QR_RING_LOCK) "(%[ring]), %%rax\n\t" \
	"cmpq $0, (%%rax)\n\t" \
	"jne %l[back]\n\t"
#define QR_STEP_CALM_TO_TAKE \
	"movq " QR_STEP_TEXT(QR_RING_LOCK) "(%[ring]), %%rax\n\t" \
	"movq (%%rax), %%rax\n\t" \
	"addq %%rax, %%rax\n\t" \
	"jne %l[back]\n\t"

_Static_assert(QR_STEPS_DROP_NOT == UINT32_C(1) << 31, "the highest bit of both");

static inline __attribute__((always_inline)) bool
qr_step_inline_take(uintptr_t area, struct qr_allocator *alloc, uint64_t way, unsigned order,
		    struct qr_magazine_ring **from, uint64_t *i)
{
	struct qr_magazine_ring *ring;
	uint64_t cpu; /* then its record */
	uint64_t head, taken = way;

	__asm__ volatile goto(
		QR_RSEQ_ENTER
		QR_STEP_CPU("cpu")
		QR_STEP_RECORD("cpu")
		"movq %c[ways](%[cpu],%[taken],8), %[ring]\n\t"
		"testq %[ring], %[ring]\n\t"
		"je %l[back]\n\t"
		"cmpq %[ring], " QR_STEP_TEXT(QR_CPU_RECENT) "(%[cpu],%[order],8)\n\t"
		"jne 5f\n\t"
		QR_STEP_CALM_TO_TAKE
		"movq " QR_STEP_TEXT(QR_RING_HEAD) "(%[ring]), %[head]\n\t"
		"cmpq " QR_STEP_TEXT(QR_RING_TAIL) "(%[ring]), %[head]\n\t"
		"je %l[back]\n\t"
		"movl %k[head], %%eax\n\t"
		"andl %[mask], %%eax\n\t"
		"movl " QR_STEP_TEXT(QR_RING_FRAMES) "(%[ring],%%rax,4), %k[taken]\n\t"
		"movl %k[taken], " QR_STEP_TEXT(QR_RING_LAST) "(%[ring])\n\t"
		"incq %[head]\n\t"
		"movq %[head], " QR_STEP_TEXT(QR_RING_HEAD) "(%[ring])"
		QR_RSEQ_LEAVE("back")

		/*
		 * Seldom another ring than before: it is the CPU's, whoever comes between.  To
		 * store it each time would let the next free wait for that store.
		 */
		".subsection 1\n"
		"5:\tmovq %[ring], " QR_STEP_TEXT(QR_CPU_RECENT) "(%[cpu],%[order],8)\n\t"
		"jmp 0b\n\t"
		".previous\n\t"
		: [ring] "=&r"(ring), [cpu] "=&r"(cpu), [head] "=&r"(head), [taken] "+&r"(taken)
		: [area] "r"(area), [order] "r"((uint64_t)order),
		  [nr_cpus] "m"(alloc->frames.base.nr_cpus), [cpus] "m"(alloc->step_cpus),
		  [mask] "ri"(QR_MAGAZINE_ROOM(order) - 1),
		  [ways] "i"(offsetof(struct qr_step_cpu, ways))
		: "rax", "memory", "cc"
		: back);
	*from = ring;
	*i = taken;
	return true;
back:
	qr_rseq_leave(area);
	return false;
}

/* Its place in rax, and in nr what the count becomes: behind those in the ring, if it has room. */
#define QR_STEP_BACK \
	"movq " QR_STEP_TEXT(QR_RING_TAIL) "(%[ring]), %[nr]\n\t" \
	"movq %[nr], %%rax\n\t" \
	"subq " QR_STEP_TEXT(QR_RING_HEAD) "(%[ring]), %%rax\n\t" \
	"cmpw %%ax, " QR_STEP_TEXT(QR_RING_LIMIT) "(%[ring])\n\t" \
	"jbe 6f\n\t" \
	"movl %k[nr], %%eax\n\t" \
	"andl %[mask], %%eax\n\t" \
	"incq %[nr]\n\t" \
	"jmp 7f\n"

/* 5, the ring is another one: that of the mark's route, if there is one.  To 3. */
#define QR_STEP_BY_ROUTE \
	"5:\tmovzbl %[mark], %%eax\n\t" \
	"shll $" QR_STEP_TEXT(QR_ROUTE_SHIFT) ", %%eax\n\t" \
	"addq %[routes], %%rax\n\t" \
	"cmpb %b[order], " QR_STEP_TEXT(QR_ROUTE_ORDER) "(%%rax)\n\t" \
	"jne %l[back]\n\t" \
	"movl %%fs:" QR_RSEQ_CPU "(%[area]), %k[ring]\n\t" \
	"imulq %[stride], %[ring]\n\t" \
	"addq " QR_STEP_TEXT(QR_ROUTE_RING) "(%%rax), %[ring]\n\t" \
	"jmp 3b\n"

/* 6, the same of the put magazine, which is laid out as a ring is, unless it would be full. */
#define QR_STEP_PUT \
	"6:\tmovq " QR_STEP_TEXT(QR_RING_PUT) "(%[ring]), %[ring]\n\t" \
	"movq " QR_STEP_TEXT(QR_PUT_NR) "(%[ring]), %%rax\n\t" \
	"leaq 1(%%rax), %[nr]\n\t" \
	"cmpq " QR_STEP_TEXT(QR_PUT_LIMIT) "(%[ring]), %[nr]\n\t" \
	"jae %l[back]\n"

/* What is near the block that left the ring last goes back there, all else not: to 6. */
#define QR_STEP_IF_NEAR \
	"movl " QR_STEP_TEXT(QR_RING_LAST) "(%[ring]), %%eax\n\t" \
	"xorl %k[i], %%eax\n\t" \
	"testl %[apart], %%eax\n\t" \
	"jne 6f\n\t"

/*
 * The sequence, with the question whether a block is near, or without.  To cpus its order's place
 * is added, so that what lies at recent[0] of a record is recent[order].
 */
#define QR_STEP_GIVE(NAME, NEAR) \
static inline __attribute__((always_inline)) enum qr_local_result \
NAME(uintptr_t area, struct qr_allocator *alloc, _Atomic uint8_t *mark, uint64_t i, \
		    unsigned order) \
{ \
	struct qr_magazine_ring *ring; /* the CPU and its record before; or a put magazine */ \
	uint64_t nr; /* what its count becomes */ \
 \
	__asm__ volatile goto( \
		QR_RSEQ_ENTER \
		QR_STEP_CPU("ring") \
		QR_STEP_RECORD("ring") \
		"movq " QR_STEP_TEXT(QR_CPU_RECENT) "(%[ring]), %[ring]\n\t" \
		"movzbl " QR_STEP_TEXT(QR_RING_MARK) "(%[ring]), %%eax\n\t" \
		"cmpb %%al, %[mark]\n\t" \
		"jne 5f\n" \
		"3:\t" QR_STEP_CALM_TO_GIVE \
		NEAR \
		QR_STEP_BACK \
		QR_STEP_BY_ROUTE \
		QR_STEP_PUT \
		"7:\tmovl %k[i], " QR_STEP_TEXT(QR_RING_FRAMES) "(%[ring],%%rax,4)\n\t" \
		"movb %[cached], %[mark]\n\t" \
		"movq %[nr], " QR_STEP_TEXT(QR_RING_TAIL) "(%[ring])" \
		QR_RSEQ_LEAVE("doubt") \
		: [ring] "=&r"(ring), [nr] "=&r"(nr) \
		: [area] "r"(area), [i] "r"(i), [mark] "m"(*mark), [order] "ri"((uint8_t)order), \
		  [nr_cpus] "m"(alloc->frames.base.nr_cpus), \
		  [cpus] "rm"(alloc->step_cpus + order * sizeof(ring)), \
		  [routes] "m"(alloc->routes), \
		  [apart] "ri"(qr__step_apart(order)), \
		  [mask] "ri"(QR_MAGAZINE_ROOM(order) - 1), \
		  [cached] "i"(QR_MARK_CACHED), [stride] "i"(sizeof(struct qr_per_cpu_pages)) \
		: "rax", "memory", "cc" \
		: back, doubt); \
	return QR_LOCAL_DONE; \
back: \
	qr_rseq_leave(area); \
	return QR_LOCAL_NOT; \
doubt: \
	qr_rseq_leave(area); \
	return QR_LOCAL_IN_DOUBT; \
}

QR_STEP_GIVE(qr_step_give_near, QR_STEP_IF_NEAR)
QR_STEP_GIVE(qr_step_give_anywhere, "")

static inline __attribute__((always_inline)) enum qr_local_result
qr_step_inline_give(uintptr_t area, struct qr_allocator *alloc, _Atomic uint8_t *mark, uint64_t i,
		    unsigned order)
{
	if (qr__step_apart(order))
		return qr_step_give_near(area, alloc, mark, i, order);
	return qr_step_give_anywhere(area, alloc, mark, i, order);
}

/* clang-format on */

#endif /* QR_RSEQ_STEPS */

#endif /* QUIRE_PORT_LINUX_STEP_INLINE_H */
