/* SPDX-License-Identifier: MIT */
/*
 * base/bits.h - small integer arithmetic
 */
#ifndef QR_BASE_BITS_H
#define QR_BASE_BITS_H

#include <quire/types.h>

#define QR_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Number of the highest set bit, counted from 1; 0 for 0. */
static inline unsigned qr__fls64(uint64_t x)
{
	return x ? 64u - (unsigned)__builtin_clzll(x) : 0;
}

/* Number of the lowest set bit, counted from 0; x is not 0. */
static inline unsigned qr__ctz64(uint64_t x)
{
	return (unsigned)__builtin_ctzll(x);
}

/* Number of set bits.  Without an instruction for it the compiler would call a library. */
static inline unsigned qr__popcount64(uint64_t x)
{
#ifdef __POPCNT__
	return (unsigned)__builtin_popcountll(x);
#else
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
#endif
}

static inline uint64_t qr__min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t qr__max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t qr__clamp(uint64_t x, uint64_t lo, uint64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static inline uint64_t qr__order_pages(unsigned order)
{
	return UINT64_C(1) << order;
}

/* align is a power of 2. */
static inline uint64_t qr__align_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

static inline uint64_t qr__align_up(uint64_t x, uint64_t align)
{
	return qr__align_down(x + align - 1, align);
}

static inline bool qr__is_aligned(uint64_t x, uint64_t align)
{
	return (x & (align - 1)) == 0;
}

static inline uint64_t qr__rounddown_pow2(uint64_t x)
{
	return UINT64_C(1) << (qr__fls64(x) - 1);
}

/* The smallest order whose blocks hold nr pages; nr is not 0. */
static inline unsigned qr__order_for(uint64_t nr)
{
	return qr__fls64(nr - 1);
}

/* Floor of the square root. */
static inline uint64_t qr__isqrt(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
		uint64_t trial = root + bit;

		if (trial <= x / trial)
			root = trial;
	}
	return root;
}

#endif /* QR_BASE_BITS_H */
