/* SPDX-License-Identifier: MIT */
/*
 * base/random.h - numbers that are random enough to shuffle by, and repeatable from a seed
 */
#ifndef QR_BASE_RANDOM_H
#define QR_BASE_RANDOM_H

#include "base.h"

/* splitmix64: the state only counts, so threads need no lock and a seed repeats on one thread. */
static inline uint64_t qr__random(struct qr_base *base)
{
	uint64_t z = atomic_fetch_add_explicit(&base->random, UINT64_C(0x9e3779b97f4a7c15),
					       memory_order_relaxed) +
		     UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#endif /* QR_BASE_RANDOM_H */
