/* SPDX-License-Identifier: MIT */
/*
 * base/assert.h - three rungs of checking
 *
 *	QR_CHECK	always: misuse and corruption that can be contained.  Logs the sentence and
 *									      is false;
 *			the caller then refuses, and harms nothing.
 *	QR_ASSERT	debug builds (QR_DEBUG >= 1): what must hold if our code is right.  Stops.
 *	QR_ASSERT_SLOW	QR_DEBUG >= 2: the same, where finding out walks a structure.
 *
 * The sentence carries the values and, where one is broken, the invariant's name: "B4: pageblock
 * 0x1c0 lost its isolation".
 */
#ifndef QR_BASE_ASSERT_H
#define QR_BASE_ASSERT_H

#include "base.h"

#define QR_CHECK(base, cond, ...) \
	(qr__likely(cond) ? true : (qr__log((base), QR_LOG_ERR, __VA_ARGS__), false))

#if QR_DEBUG >= 1
#define QR_ASSERT(base, cond, ...) \
	do { \
		if (qr__unlikely(!(cond))) \
			qr__panic((base), __VA_ARGS__); \
	} while (0)
#else
/* Compiled, so that it does not rot, but never run. */
#define QR_ASSERT(base, cond, ...) \
	do { \
		if (0 && (cond)) \
			qr__panic((base), __VA_ARGS__); \
	} while (0)
#endif

#if QR_DEBUG >= 2
#define QR_ASSERT_SLOW(base, cond, ...) QR_ASSERT(base, cond, __VA_ARGS__)
#else
#define QR_ASSERT_SLOW(base, cond, ...) \
	do { \
		if (0 && (cond)) \
			qr__panic((base), __VA_ARGS__); \
	} while (0)
#endif

#define QR_ASSERT_LOCKED(base, lock) \
	QR_ASSERT(base, qr__is_locked(lock), "%s: lock of rank %u is not held", __func__, \
		  (unsigned)(lock)->rank)

#endif /* QR_BASE_ASSERT_H */
