/* SPDX-License-Identifier: MIT */
/*
 * base/compiler.h - what we ask of the compiler beyond C11
 */
#ifndef QR_BASE_COMPILER_H
#define QR_BASE_COMPILER_H

#ifndef QR_DEBUG
#define QR_DEBUG 0 /* 0: checks only; 1: assertions and lock ranks; 2: assertions that walk, too */
#endif

#define qr__likely(x) __builtin_expect(!!(x), 1)
#define qr__unlikely(x) __builtin_expect(!!(x), 0)
#define QR_INLINE static inline __attribute__((always_inline))
#define QR_NOINLINE __attribute__((noinline))
#define QR_UNUSED __attribute__((unused))
#define QR_COLD __attribute__((cold, noinline))
#define QR_ASSUME(x) ((x) ? (void)0 : __builtin_unreachable()) /* whoever calls sees to it */
#define QR_PREFETCH_WRITE(p) __builtin_prefetch((p), 1)
/* Before a loop of a few rounds, whose number is a constant: all of them one after the other. */
#if defined(__clang__)
#define QR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define QR_UNROLL _Pragma("GCC unroll 8")
#endif

/* From a pointer to a member to the struct around it. */
#define QR_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * Clang's thread-safety analysis: locks are capabilities, and a function says which it takes, needs
 * or lets go.  Other compilers see nothing.
 */
#if defined(__clang__)
#define QR_CAPABILITY(name) __attribute__((capability(name)))
#define QR_ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define QR_TRY_ACQUIRES(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define QR_RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define QR_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define QR_EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define QR_NO_LOCK_ANALYSIS __attribute__((no_thread_safety_analysis)) /* say why */
#else
#define QR_CAPABILITY(name)
#define QR_ACQUIRES(...)
#define QR_TRY_ACQUIRES(...)
#define QR_RELEASES(...)
#define QR_REQUIRES(...)
#define QR_EXCLUDES(...)
#define QR_NO_LOCK_ANALYSIS
#endif

#endif /* QR_BASE_COMPILER_H */
