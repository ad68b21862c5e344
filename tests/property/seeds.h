/* SPDX-License-Identifier: MIT */
/*
 * seeds.h - a stream of bytes from a seed, and seeds from the environment
 */
#ifndef QUIRE_TESTS_SEEDS_H
#define QUIRE_TESTS_SEEDS_H

#include <stdint.h>
#include <stdlib.h>

/* splitmix64: a byte stream from a seed. */
static inline uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t from_environment(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : fallback;
}

#endif /* QUIRE_TESTS_SEEDS_H */
