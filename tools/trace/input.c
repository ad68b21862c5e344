/* SPDX-License-Identifier: MIT */
/*
 * trace/input.c - bytes of a file or a pipe, unpacked if need be
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { RAW_SIZE = 1 << 17, FRONT_SIZE = 16 };

enum packing { PLAIN, ZSTD, GZIP };

struct input {
	int fd;
	bool plain_file;
	enum packing packing;
	ZSTD_DStream *zstd;
	z_stream gzip;
	bool in_frame; /* what is packed has not come to an end */
	uint8_t *raw; /* as read: raw[at, size) is still to be unpacked */
	size_t at, size;
	bool ended; /* no more can be read */
	uint8_t front[FRONT_SIZE]; /* unpacked already, by a peek */
	size_t front_at, front_size;
};

/* Read on when there is nothing left; 0 or a negative errno. */
static int raw_fill(struct input *in)
{
	ssize_t n;

	if (in->at < in->size || in->ended)
		return 0;
	do
		n = read(in->fd, in->raw, RAW_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	in->at = 0;
	in->size = (size_t)n;
	in->ended = n == 0;
	return 0;
}

static long read_plain(struct input *in, void *buf, size_t size)
{
	int error = raw_fill(in);
	size_t n = in->size - in->at;

	if (error)
		return error;
	n = n < size ? n : size;
	if (!n || !in->raw)
		return 0;
	memcpy(buf, in->raw + in->at, n);
	in->at += n;
	return (long)n;
}

/* One step of unpacking; bytes or -EBADMSG. */
static long step_zstd(struct input *in, void *buf, size_t size)
{
	ZSTD_inBuffer from = {.src = in->raw, .size = in->size, .pos = in->at};
	ZSTD_outBuffer to = {.dst = buf, .size = size};
	size_t left = ZSTD_decompressStream(in->zstd, &to, &from);

	in->at = from.pos;
	if (ZSTD_isError(left))
		return -EBADMSG;
	in->in_frame = left != 0;
	return (long)to.pos;
}

static long step_gzip(struct input *in, void *buf, size_t size)
{
	int code;

	/* another member follows */
	if (!in->in_frame && inflateReset(&in->gzip) != Z_OK)
		return -EBADMSG;
	in->gzip.next_in = in->raw + in->at;
	in->gzip.avail_in = (uInt)(in->size - in->at);
	in->gzip.next_out = buf;
	in->gzip.avail_out = (uInt)(size < RAW_SIZE ? size : RAW_SIZE);
	size = in->gzip.avail_out;
	code = inflate(&in->gzip, Z_NO_FLUSH);
	in->at = in->size - in->gzip.avail_in;
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return -EBADMSG;
	in->in_frame = code != Z_STREAM_END;
	return (long)(size - in->gzip.avail_out);
}

static long read_packed(struct input *in, void *buf, size_t size)
{
	for (;;) {
		int error = raw_fill(in);
		bool dry = in->at == in->size;
		long n;

		if (error)
			return error;
		if (dry && !in->in_frame)
			return 0;
		n = in->packing == ZSTD ? step_zstd(in, buf, size) : step_gzip(in, buf, size);
		if (n)
			return n;
		/* nothing went in, nothing came out, and there is no more */
		if (dry && in->ended)
			return -EBADMSG;
	}
}

static long unpacked_read(struct input *in, void *buf, size_t size)
{
	return in->packing == PLAIN ? read_plain(in, buf, size) : read_packed(in, buf, size);
}

long input_read(void *input, void *buf, size_t size)
{
	struct input *in = input;
	size_t n = in->front_size - in->front_at;

	if (!n)
		return unpacked_read(in, buf, size);
	n = n < size ? n : size;
	memcpy(buf, in->front + in->front_at, n);
	in->front_at += n;
	return (long)n;
}

long input_peek(struct input *in, void *buf, size_t size)
{
	size = size < FRONT_SIZE ? size : FRONT_SIZE;
	while (in->front_size < size) {
		long n = unpacked_read(in, in->front + in->front_size, size - in->front_size);

		if (n < 0)
			return n;
		if (!n)
			break;
		in->front_size += (size_t)n;
	}
	size = size < in->front_size ? size : in->front_size;
	memcpy(buf, in->front, size);
	return (long)size;
}

bool input_is_plain_file(const struct input *in)
{
	return in->plain_file && in->packing == PLAIN;
}

/* By the first bytes, of which a pipe may give one at a time. */
static int find_packing(struct input *in)
{
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd}, gzip[] = {0x1f, 0x8b};

	while (in->size < sizeof(zstd)) {
		ssize_t n = read(in->fd, in->raw + in->size, RAW_SIZE - in->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		in->size += (size_t)n;
	}
	if (in->size >= sizeof(zstd) && memcmp(in->raw, zstd, sizeof(zstd)) == 0)
		in->packing = ZSTD;
	else if (in->size >= sizeof(gzip) && memcmp(in->raw, gzip, sizeof(gzip)) == 0)
		in->packing = GZIP;
	in->in_frame = in->packing != PLAIN;
	return 0;
}

static int input_prepare(struct input *in, const char *path)
{
	struct stat st;
	int error;

	in->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return -errno;
	in->plain_file = path && S_ISREG(st.st_mode);
	in->raw = malloc(RAW_SIZE);
	in->zstd = ZSTD_createDStream();
	/* 32: what gzip writes, and what zlib writes */
	if (!in->raw || !in->zstd || inflateInit2(&in->gzip, 32 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	error = find_packing(in);
	return error;
}

int input_open(struct input **input, const char *path, char why[256])
{
	struct input *in = calloc(1, sizeof(*in));
	int error = in ? input_prepare(in, path) : -ENOMEM;

	if (!error) {
		*input = in;
		return 0;
	}
	snprintf(why, 256, "%.180s: %s", path ? path : "standard input", strerror(-error));
	input_close(in);
	return error;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	ZSTD_freeDStream(in->zstd);
	inflateEnd(&in->gzip);
	free(in->raw);
	free(in);
}

int input_whole(const char *path, char **data, size_t *size)
{
	struct input *in;
	char why[256], *all = NULL;
	size_t used = 0, room = 0;
	long n = input_open(&in, path, why);

	if (n)
		return (int)n;
	do {
		if (room - used < RAW_SIZE + 1) {
			char *larger = realloc(all, room = room ? 2 * room : 4 * RAW_SIZE);

			if (!larger) {
				n = -ENOMEM;
				break;
			}
			all = larger;
		}
		n = input_read(in, all + used, room - used - 1);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	input_close(in);
	if (n < 0) {
		free(all);
		return (int)n;
	}
	all[used] = '\0';
	*data = all;
	*size = used;
	return 0;
}
