/* SPDX-License-Identifier: MIT */
/*
 * text.h - numbers and sizes as people write them, and the reverse
 *
 * A size is a number with an optional unit: K, M, G, T or P, each also with "iB" or "B" behind it
 * and in either case, always powers of 1024: 512M, 24GiB, 1.5g, 4096.  A number is decimal, or
 * hexadecimal after 0x.
 */
#ifndef QUIRE_TOOLS_TEXT_H
#define QUIRE_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer for one number, so that several can be formatted in one printf(). */
struct text_number {
	char text[32];
};

/* False: that is no number, or one that does not fit. */
bool text_to_number(const char *text, uint64_t *value);
bool text_to_signed(const char *text, int64_t *value);
bool text_to_size(const char *text, uint64_t *bytes);

/* 268435456 as "256M", 1610612736 as "1536M": exact, and so fit to be read back. */
struct text_number text_size(uint64_t bytes);
/* 12345678 as "12 345 678". */
struct text_number text_grouped(uint64_t value);
/* 617282 as "617 k", 12345678 as "12.3 M": for people in a hurry. */
struct text_number text_rounded(double value);

/* The word of a list (it ends with NULL) that was probably meant; NULL: none is near. */
const char *text_nearest(const char *text, const char *const *words);

#endif /* QUIRE_TOOLS_TEXT_H */
