/* SPDX-License-Identifier: MIT */
/*
 * text.c - numbers and sizes as people write them, and the reverse
 */
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGTP";

/* Reading ---------------------------------------------------------------------------------- */

static int digit_value(char c, unsigned base)
{
	int value;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	else
		return -1;
	return value < (int)base ? value : -1;
}

/* Read digits as far as they go; false when there is none or too many. */
static bool digits_read(const char **text, unsigned base, uint64_t *value)
{
	const char *start = *text;
	uint64_t sum = 0;
	int digit;

	while ((digit = digit_value(**text, base)) >= 0) {
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return false;
		(*text)++;
	}
	*value = sum;
	return *text != start;
}

static bool number_read(const char **text, uint64_t *value)
{
	if ((*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X')) {
		*text += 2;
		return digits_read(text, 16, value);
	}
	return digits_read(text, 10, value);
}

bool text_to_number(const char *text, uint64_t *value)
{
	return number_read(&text, value) && *text == '\0';
}

bool text_to_signed(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	uint64_t magnitude;

	if (negative)
		text++;
	if (!text_to_number(text, &magnitude) || magnitude > INT64_MAX)
		return false;
	*value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return true;
}

/* The shift a unit stands for; -1: there is no such unit. */
static int unit_shift(const char *text)
{
	const char *unit;

	if (*text == '\0' || strcasecmp(text, "B") == 0)
		return 0;
	unit = strchr(units, toupper((unsigned char)*text));
	if (!unit)
		return -1;
	text++;
	if (*text != '\0' && strcasecmp(text, "B") != 0 && strcasecmp(text, "iB") != 0)
		return -1;
	return 10 * (int)(unit - units + 1);
}

/* The digits behind a decimal point, as a part of 2^shift, rounded down. */
static uint64_t fraction_read(const char **text, int shift)
{
	uint64_t numerator = 0, denominator = 1;

	for (; isdigit((unsigned char)**text); (*text)++) {
		if (denominator >= 1000000000)
			continue;
		numerator = numerator * 10 + (uint64_t)(**text - '0');
		denominator *= 10;
	}
	return (uint64_t)((long double)numerator / (long double)denominator *
			  (long double)(UINT64_C(1) << shift));
}

bool text_to_size(const char *text, uint64_t *bytes)
{
	const char *point = NULL;
	uint64_t whole, part = 0;
	int shift;

	if (!number_read(&text, &whole))
		return false;
	if (*text == '.' && isdigit((unsigned char)text[1])) {
		point = text + 1;
		text += 1 + strspn(text + 1, "0123456789");
	}
	shift = unit_shift(text);
	if (shift < 0 || (shift == 0 && point))
		return false;
	if (point)
		part = fraction_read(&point, shift);
	return !__builtin_mul_overflow(whole, UINT64_C(1) << shift, &whole) &&
	       !__builtin_add_overflow(whole, part, bytes);
}

/* Writing ---------------------------------------------------------------------------------- */

struct text_number text_size(uint64_t bytes)
{
	struct text_number number;
	unsigned unit = 0;

	while (bytes != 0 && (bytes & 1023) == 0 && unit < sizeof(units) - 1) {
		bytes >>= 10;
		unit++;
	}
	if (unit == 0)
		snprintf(number.text, sizeof(number.text), "%llu", (unsigned long long)bytes);
	else
		snprintf(number.text, sizeof(number.text), "%llu%c", (unsigned long long)bytes,
			 units[unit - 1]);
	return number;
}

struct text_number text_grouped(uint64_t value)
{
	struct text_number number;
	char digits[24];
	size_t length, out = 0;

	length = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			number.text[out++] = ' ';
		number.text[out++] = digits[i];
	}
	number.text[out] = '\0';
	return number;
}

struct text_number text_rounded(double value)
{
	static const char *const names[] = {"", " k", " M", " G", " T"};
	struct text_number number;
	unsigned unit = 0;

	while (value >= 999.5 && unit < 4) {
		value /= 1000;
		unit++;
	}
	snprintf(number.text, sizeof(number.text), "%.*f%s", unit > 0 && value < 99.95 ? 1 : 0,
		 value, names[unit]);
	return number;
}

/* Guessing --------------------------------------------------------------------------------- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* How many letters must be added, dropped or changed to make b of a. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t length = strlen(b);

	if (length >= 63)
		return 64;
	for (unsigned j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= length; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[length];
}

const char *text_nearest(const char *text, const char *const *words)
{
	const char *nearest = NULL;
	unsigned least = 3;

	for (; *words; words++) {
		unsigned distance = edit_distance(text, *words);

		if (distance < least && distance < strlen(*words)) {
			least = distance;
			nearest = *words;
		}
	}
	return nearest;
}
