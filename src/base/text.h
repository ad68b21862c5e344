/* SPDX-License-Identifier: MIT */
/*
 * base/text.h - text without a libc
 *
 * A qr_text collects text in a buffer of fixed size and goes on counting beyond its end, so the
 * length a full text would have is known: the semantics of snprintf.  The buffer is terminated
 * after each call if it has room for a single byte.
 *
 * Formats: %% %c %s %d %i %u %x %X %p with flags - 0 #, width (also *), precision for %s, and the
 * lengths l, ll, z.  Nothing else.
 */
#ifndef QR_BASE_TEXT_H
#define QR_BASE_TEXT_H

#include <quire/types.h>
#include <stdarg.h>

struct qr_text {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, also of what found no room */
};

struct qr_text qr__text(char *buf, size_t size);
void qr__text_char(struct qr_text *text, char c);
void qr__text_str(struct qr_text *text, const char *s);
void qr__text_printf(struct qr_text *text, const char *fmt, ...) QR_PRINTF(2, 3);
void qr__text_vprintf(struct qr_text *text, const char *fmt, va_list list) QR_PRINTF(2, 0);

bool qr__streq(const char *a, const char *b);

#endif /* QR_BASE_TEXT_H */
