/* SPDX-License-Identifier: MIT */
/*
 * port/linux/why.c - sentences for failures, and the numbers of the host that belong into them
 */
#include "pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int qr__linux_why(struct qr_error_text *why, int err, const char *fmt, ...)
{
	va_list args;

	if (!why)
		return err;
	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return err;
}

int qr__linux_error(int host_errno)
{
	switch (host_errno) {
	case EPERM:
	case EACCES:
		return QR_EPERM;
	case ENOSYS:
	case EOPNOTSUPP:
		return QR_ENOSYS;
	case EINVAL:
		return QR_EINVAL;
	default: /* ENOMEM, ENOSPC, EFBIG, EMFILE, ENFILE, EAGAIN: something has run out */
		return QR_ENOMEM;
	}
}

uint64_t qr__linux_meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t length = strlen(name);
	uint64_t kbytes = 0;
	char line[128];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) || line[length] != ':')
			continue;
		if (sscanf(line + length + 1, "%" SCNu64, &kbytes) != 1)
			kbytes = 0;
		break;
	}
	fclose(file);
	return kbytes << 10;
}

uint64_t qr__linux_read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}
