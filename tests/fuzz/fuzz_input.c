/* SPDX-License-Identifier: MIT */
/*
 * fuzz_input.c - any bytes, as a file that may be packed
 *
 * The first byte says how many bytes are asked for at a time.  What a peek shows comes next, and
 * whatever the bytes are, reading comes to an end.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/trace/input.h"

/* A few bytes can be packed that unpack to gigabytes. */
#define ENOUGH (1u << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void read_all(struct input *input, size_t step)
{
	char front[16], buf[4096];
	long peeked = input_peek(input, front, sizeof(front)), n;
	size_t seen = 0;

	check(peeked >= 0 || peeked == -EBADMSG);
	while ((n = input_read(input, buf, step)) > 0 && seen < ENOUGH) {
		check((size_t)n <= step);
		for (long i = 0; i < n && seen + (size_t)i < (size_t)(peeked > 0 ? peeked : 0); i++)
			check(buf[i] == front[seen + (size_t)i]);
		seen += (size_t)n;
	}
	check(n >= 0 || n == -EBADMSG);
	check(n > 0 || peeked <= 0 || seen >= (size_t)peeked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input *input;
	char path[64], why[256];
	int fd;

	if (!size)
		return 0;
	fd = memfd_create("input", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(input_open(&input, path, why) == 0);
	read_all(input, data[0] * 16u + 1);
	input_close(input);
	close(fd);
	return 0;
}
