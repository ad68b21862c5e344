/* SPDX-License-Identifier: MIT */
/*
 * log.c - what we have to say: lines, sentences, last words
 *
 * Lines that do not fit are cut.  All room is on the stack: a message must be possible where
 * nothing else is.
 */
#include "base.h"
#include "text.h"

#define LINE_SIZE 256

static void line_format(char *line, size_t size, const char *fmt, va_list args) QR_PRINTF(3, 0);

static void line_format(char *line, size_t size, const char *fmt, va_list args)
{
	struct qr_text text = qr__text(line, size);

	qr__text_vprintf(&text, fmt, args);
}

void qr__log(const struct qr_base *base, enum qr_log_level level, const char *fmt, ...)
{
	const struct qr_platform *p = &base->platform;
	char line[LINE_SIZE];
	va_list args;

	if (!p->log)
		return;
	va_start(args, fmt);
	line_format(line, sizeof(line), fmt, args);
	va_end(args);
	p->log(p->ctx, level, line);
}

void qr__why(struct qr_error_text *why, const char *fmt, ...)
{
	va_list args;

	if (!why)
		return;
	va_start(args, fmt);
	line_format(why->text, sizeof(why->text), fmt, args);
	va_end(args);
}

QR_COLD _Noreturn void qr__panic(const struct qr_base *base, const char *fmt, ...)
{
	const struct qr_platform *p = &base->platform;
	char line[LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	line_format(line, sizeof(line), fmt, args);
	va_end(args);
	if (p->panic)
		p->panic(p->ctx, line);
	__builtin_trap();
}
