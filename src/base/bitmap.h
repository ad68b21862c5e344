/* SPDX-License-Identifier: MIT */
/*
 * base/bitmap.h - arrays of bits in 64-bit words
 */
#ifndef QR_BASE_BITMAP_H
#define QR_BASE_BITMAP_H

#include "bits.h"
#include <stdatomic.h>

#define QR_BITMAP_WORDS(nr) (((size_t)(nr) + 63) / 64)

static inline bool qr__bit_test(const _Atomic uint64_t *map, size_t bit)
{
	return atomic_load_explicit(&map[bit / 64], memory_order_acquire) >> (bit % 64) & 1;
}

static inline void qr__bit_set(_Atomic uint64_t *map, size_t bit)
{
	atomic_fetch_or_explicit(&map[bit / 64], UINT64_C(1) << (bit % 64), memory_order_release);
}

static inline void qr__bit_clear(_Atomic uint64_t *map, size_t bit)
{
	atomic_fetch_and_explicit(&map[bit / 64], ~(UINT64_C(1) << (bit % 64)),
				  memory_order_release);
}

/* The first set bit at or after from, or nr if there is none. */
static inline size_t qr__bit_next(const _Atomic uint64_t *map, size_t from, size_t nr)
{
	for (size_t word = from / 64; word * 64 < nr; word++) {
		uint64_t bits = atomic_load_explicit(&map[word], memory_order_acquire);

		if (word == from / 64)
			bits &= ~UINT64_C(0) << (from % 64);
		if (bits) {
			size_t bit = word * 64 + qr__ctz64(bits);

			return bit < nr ? bit : nr;
		}
	}
	return nr;
}

#endif /* QR_BASE_BITMAP_H */
