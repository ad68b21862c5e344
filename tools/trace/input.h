/* SPDX-License-Identifier: MIT */
/*
 * trace/input.h - bytes of a file or a pipe, unpacked if need be
 *
 * What is packed by zstd or gzip is recognised by its first bytes and comes out as it was before,
 * whatever the file is called.
 */
#ifndef QUIRE_TRACE_INPUT_H
#define QUIRE_TRACE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct input;

/* NULL: standard input.  0, or a negative errno with a sentence in why. */
int input_open(struct input **input, const char *path, char why[256]);
/* Bytes, 0 at the end, or a negative errno; -EBADMSG: what is packed is cut off or damaged. */
long input_read(void *input, void *buf, size_t size);
/* Up to 16 of the bytes that are read next, without taking them; as input_read(). */
long input_peek(struct input *input, void *buf, size_t size);
/* A file that was not packed can also be opened by its name. */
bool input_is_plain_file(const struct input *input);
void input_close(struct input *input);

/* All of a small file, a 0 behind it, for the caller to free. */
int input_whole(const char *path, char **data, size_t *size);

#endif /* QUIRE_TRACE_INPUT_H */
