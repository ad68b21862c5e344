/* SPDX-License-Identifier: MIT */
/*
 * text.c - text without a libc
 *
 * A small printf: just what the views and messages of this library need, with the results of the
 * standard's.  A format outside that set is printed as it stands, so that it is seen.
 */
#include "text.h"

#define MAX_DIGITS 20 /* of 2^64 in decimal */

struct qr_text qr__text(char *buf, size_t size)
{
	if (size)
		buf[0] = '\0';
	return (struct qr_text){.buf = buf, .size = size, .len = 0};
}

void qr__text_char(struct qr_text *text, char c)
{
	if (text->len + 1 < text->size) {
		text->buf[text->len] = c;
		text->buf[text->len + 1] = '\0';
	}
	text->len++;
}

void qr__text_str(struct qr_text *text, const char *s)
{
	while (*s)
		qr__text_char(text, *s++);
}

bool qr__streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* A conversion, between its % and its letter. */
struct spec {
	bool left, zero, alternate;
	unsigned width;
	int precision; /* -1: none */
	unsigned longs; /* number of l */
	bool size; /* z */
};

static void text_fill(struct qr_text *text, char c, unsigned nr)
{
	while (nr--)
		qr__text_char(text, c);
}

static void text_padded(struct qr_text *text, const struct spec *spec, const char *s, unsigned len)
{
	unsigned pad = spec->width > len ? spec->width - len : 0;

	if (!spec->left)
		text_fill(text, ' ', pad);
	for (unsigned i = 0; i < len; i++)
		qr__text_char(text, s[i]);
	if (spec->left)
		text_fill(text, ' ', pad);
}

static void text_string(struct qr_text *text, const struct spec *spec, const char *s)
{
	unsigned len = 0;

	if (!s)
		s = "(null)";
	while ((spec->precision < 0 || len < (unsigned)spec->precision) && s[len])
		len++;
	text_padded(text, spec, s, len);
}

/* Zeroes go between prefix and digits, blanks before or behind both. */
static void text_number(struct qr_text *text, const struct spec *spec, uint64_t value,
			unsigned base, bool capitals, const char *prefix)
{
	const char *alphabet = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[MAX_DIGITS];
	unsigned nr = 0, len = 0, pad;

	do {
		digits[nr++] = alphabet[value % base];
		value /= base;
	} while (value);
	while (prefix[len])
		len++;
	pad = spec->width > len + nr ? spec->width - len - nr : 0;
	if (!spec->left && !spec->zero)
		text_fill(text, ' ', pad);
	qr__text_str(text, prefix);
	if (!spec->left && spec->zero)
		text_fill(text, '0', pad);
	while (nr)
		qr__text_char(text, digits[--nr]);
	if (spec->left)
		text_fill(text, ' ', pad);
}

static void text_signed(struct qr_text *text, const struct spec *spec, int64_t value)
{
	if (value < 0)
		text_number(text, spec, 0 - (uint64_t)value, 10, false, "-");
	else
		text_number(text, spec, (uint64_t)value, 10, false, "");
}

static void text_hex(struct qr_text *text, const struct spec *spec, uint64_t value, bool capitals)
{
	const char *prefix = capitals ? "0X" : "0x";

	text_number(text, spec, value, 16, capitals, spec->alternate && value ? prefix : "");
}

static const char *spec_flags(struct spec *spec, const char *fmt)
{
	for (;; fmt++) {
		if (*fmt == '-')
			spec->left = true;
		else if (*fmt == '0')
			spec->zero = true;
		else if (*fmt == '#')
			spec->alternate = true;
		else
			return fmt;
	}
}

/* A va_list passed to a function is not usable behind it; one inside a struct, by pointer, is. */
struct arguments {
	va_list list;
};

/* A number, or a * for the next argument; how many characters it had is told by the result. */
static const char *spec_number(int *number, const char *fmt, struct arguments *args)
{
	*number = 0;
	if (*fmt == '*') {
		*number = va_arg(args->list, int);
		return fmt + 1;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		*number = *number * 10 + (*fmt - '0');
	return fmt;
}

static const char *spec_parse(struct spec *spec, const char *fmt, struct arguments *args)
{
	int number;

	*spec = (struct spec){.precision = -1};
	fmt = spec_flags(spec, fmt);
	fmt = spec_number(&number, fmt, args);
	if (number < 0) {
		spec->left = true;
		number = -number;
	}
	spec->width = (unsigned)number;
	if (*fmt == '.')
		fmt = spec_number(&spec->precision, fmt + 1, args);
	for (; *fmt == 'l'; fmt++)
		spec->longs++;
	if (*fmt == 'z') {
		spec->size = true;
		fmt++;
	}
	return fmt;
}

static uint64_t next_unsigned(const struct spec *spec, struct arguments *args)
{
	if (spec->size)
		return va_arg(args->list, size_t);
	if (spec->longs > 1)
		return va_arg(args->list, unsigned long long);
	if (spec->longs)
		return va_arg(args->list, unsigned long);
	return va_arg(args->list, unsigned);
}

static int64_t next_signed(const struct spec *spec, struct arguments *args)
{
	if (spec->size)
		return va_arg(args->list, ptrdiff_t);
	if (spec->longs > 1)
		return va_arg(args->list, long long);
	if (spec->longs)
		return va_arg(args->list, long);
	return va_arg(args->list, int);
}

/* One conversion by its letter; false: there is no such one, and no argument was taken. */
static bool text_convert(struct qr_text *text, struct spec *spec, char letter,
			 struct arguments *args)
{
	char c;

	switch (letter) {
	case '%':
		qr__text_char(text, '%');
		return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		text_padded(text, spec, &c, 1);
		return true;
	case 's':
		text_string(text, spec, va_arg(args->list, const char *));
		return true;
	case 'd':
	case 'i':
		text_signed(text, spec, next_signed(spec, args));
		return true;
	case 'u':
		text_number(text, spec, next_unsigned(spec, args), 10, false, "");
		return true;
	case 'x':
	case 'X':
		text_hex(text, spec, next_unsigned(spec, args), letter == 'X');
		return true;
	case 'p':
		text_number(text, spec, (uintptr_t)va_arg(args->list, void *), 16, false, "0x");
		return true;
	default:
		return false;
	}
}

void qr__text_vprintf(struct qr_text *text, const char *fmt, va_list list)
{
	struct arguments args;

	va_copy(args.list, list);
	while (*fmt) {
		const char *start = fmt;
		struct spec spec;

		if (*fmt != '%') {
			qr__text_char(text, *fmt++);
			continue;
		}
		fmt = spec_parse(&spec, fmt + 1, &args);
		if (*fmt && text_convert(text, &spec, *fmt, &args))
			fmt++;
		else
			while (start < fmt)
				qr__text_char(text, *start++);
	}
	va_end(args.list);
}

void qr__text_printf(struct qr_text *text, const char *fmt, ...)
{
	va_list list;

	va_start(list, fmt);
	qr__text_vprintf(text, fmt, list);
	va_end(list);
}
