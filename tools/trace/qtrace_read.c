/* SPDX-License-Identifier: MIT */
/*
 * trace/qtrace_read.c - reading .qtrace files
 *
 * The file is mapped and its chunks are found from their headers, each of which has a checksum.
 * Opening therefore costs a walk over a few hundred headers; contents are unpacked when asked for,
 * and zstd checks them then.  No number from the file is believed before it was compared with the
 * bytes that are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "qtrace_format.h"

/* Where a chunk lies, its header checked. */
struct chunk_ref {
	struct qtrace_chunk head;
	size_t offset; /* of what is stored */
};

struct qtrace_input {
	char *path;
	const uint8_t *map;
	size_t size;
	struct chunk_ref *chunks;
	size_t nr_chunks, room_chunks;
	size_t next_block; /* chunk to go on from */
	ZSTD_DCtx *zstd;
	struct trace_event *events;
	uint8_t *raw;
	size_t raw_room;
};

__attribute__((format(printf, 3, 4))) static int read_fails(struct qtrace *t, int error,
							    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->why, sizeof(t->why), format, args);
	va_end(args);
	return error;
}

static uint32_t unpack32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static uint64_t unpack64(const uint8_t *at)
{
	return unpack32(at) | (uint64_t)unpack32(at + 4) << 32;
}

/* Opening ---------------------------------------------------------------------------------- */

static int input_map(struct qtrace *t)
{
	struct qtrace_input *in = t->input;
	struct stat st;
	void *map;
	int fd = open(in->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return read_fails(t, -errno, "%s: %s", in->path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return read_fails(t, -EINVAL, "%s: not a regular file", in->path);
	}
	in->size = (size_t)st.st_size;
	if (in->size < QTRACE_HEAD_BYTES) {
		close(fd);
		return read_fails(t, -EINVAL, "%s: too short to be a .qtrace file (%zu bytes)",
				  in->path, in->size);
	}
	map = mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return read_fails(t, -errno, "%s: cannot be mapped: %s", in->path, strerror(errno));
	in->map = map;
	return 0;
}

static int check_head(struct qtrace *t)
{
	const uint8_t *head = t->input->map;
	unsigned major = head[8] | (unsigned)head[9] << 8;

	if (memcmp(head, "QTRACE\n", 7) == 0)
		return read_fails(
			t, -EINVAL,
			"%s: was transferred as text and is damaged; transfer it as binary",
			t->input->path);
	if (memcmp(head, QTRACE_MAGIC, 8) != 0)
		return read_fails(
			t, -EINVAL,
			"%s: not a .qtrace file; make one with quire record or quire import",
			t->input->path);
	if (major != QTRACE_VERSION_MAJOR)
		return read_fails(t, -EINVAL,
				  "%s: written in version %u of the format, this program reads %u",
				  t->input->path, major, QTRACE_VERSION_MAJOR);
	t->version_minor = head[10] | (unsigned)head[11] << 8;
	return 0;
}

static struct qtrace_chunk chunk_head(const uint8_t *at)
{
	return (struct qtrace_chunk){
		.tag = unpack32(at),
		.extra = unpack32(at + 4),
		.raw_size = unpack32(at + 8),
		.stored_size = unpack32(at + 12),
		.crc = unpack32(at + 16),
	};
}

static int chunk_add(struct qtrace *t, const struct qtrace_chunk *head, size_t offset)
{
	struct qtrace_input *in = t->input;

	if (in->nr_chunks == in->room_chunks) {
		size_t room = in->room_chunks ? in->room_chunks * 2 : 64;
		struct chunk_ref *chunks = realloc(in->chunks, room * sizeof(*chunks));

		if (!chunks)
			return read_fails(t, -ENOMEM, "%s: no memory for its index", in->path);
		in->chunks = chunks;
		in->room_chunks = room;
	}
	in->chunks[in->nr_chunks++] = (struct chunk_ref){.head = *head, .offset = offset};
	return 0;
}

/* The file ends where it should not; everything up to there is good. */
static int cut_off(struct qtrace *t, size_t offset)
{
	t->truncated = true;
	return read_fails(t, 0, "%s: is cut off at byte %zu; what came before is read",
			  t->input->path, offset);
}

static int find_chunks(struct qtrace *t)
{
	struct qtrace_input *in = t->input;
	size_t at = QTRACE_HEAD_BYTES;

	while (at < in->size) {
		struct qtrace_chunk head;
		int error;

		if (in->size - at < QTRACE_CHUNK_BYTES)
			return cut_off(t, at);
		head = chunk_head(in->map + at);
		if (head.crc != qtrace_crc(in->map + at, 16) || head.raw_size > QTRACE_CHUNK_MAX)
			return read_fails(t, -EINVAL, "%s: the chunk at byte %zu is corrupt",
					  in->path, at);
		if (head.stored_size > in->size - at - QTRACE_CHUNK_BYTES)
			return cut_off(t, at);
		error = chunk_add(t, &head, at + QTRACE_CHUNK_BYTES);
		if (error)
			return error;
		at += QTRACE_CHUNK_BYTES + head.stored_size;
		if (head.tag == QTRACE_TAG_END)
			return at == in->size
				       ? 0
				       : read_fails(t, -EINVAL, "%s: has %zu bytes behind its end",
						    in->path, in->size - at);
	}
	return cut_off(t, at);
}

/* Unpack a chunk into a buffer of at least its raw size. */
static int unpack(struct qtrace *t, const struct chunk_ref *chunk, uint8_t *raw)
{
	struct qtrace_input *in = t->input;
	size_t n = ZSTD_decompressDCtx(in->zstd, raw, chunk->head.raw_size, in->map + chunk->offset,
				       chunk->head.stored_size);

	if (ZSTD_isError(n) || n != chunk->head.raw_size)
		return read_fails(t, -EINVAL, "%s: the chunk at byte %zu is corrupt: %s", in->path,
				  chunk->offset - QTRACE_CHUNK_BYTES,
				  ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it is too short");
	return 0;
}

static int raw_room(struct qtrace *t, size_t room)
{
	struct qtrace_input *in = t->input;
	uint8_t *raw;

	if (in->raw_room >= room)
		return 0;
	raw = realloc(in->raw, room);
	if (!raw)
		return read_fails(t, -ENOMEM, "%s: no memory for a chunk of %zu bytes", in->path,
				  room);
	in->raw = raw;
	in->raw_room = room;
	return 0;
}

/* Only the first bytes of a chunk, without unpacking the rest. */
static int unpack_front(struct qtrace *t, const struct chunk_ref *chunk, uint8_t *front,
			size_t size)
{
	struct qtrace_input *in = t->input;
	ZSTD_inBuffer input = {.src = in->map + chunk->offset, .size = chunk->head.stored_size};
	ZSTD_outBuffer output = {.size = size};

	output.dst = front;
	ZSTD_DCtx_reset(in->zstd, ZSTD_reset_session_only);
	while (output.pos < size) {
		size_t left = ZSTD_decompressStream(in->zstd, &output, &input);

		if (ZSTD_isError(left) || (left == 0 && output.pos < size) ||
		    (input.pos == input.size && output.pos < size))
			return read_fails(t, -EINVAL, "%s: the chunk at byte %zu is corrupt",
					  in->path, chunk->offset - QTRACE_CHUNK_BYTES);
	}
	ZSTD_DCtx_reset(in->zstd, ZSTD_reset_session_only);
	return 0;
}

static int note_file(struct qtrace *t, const struct chunk_ref *chunk)
{
	uint8_t front[QTRACE_FILE_HEAD];
	struct qtrace_file *files, *file;
	size_t size;
	int error;

	if (chunk->head.raw_size < QTRACE_FILE_HEAD)
		return read_fails(t, -EINVAL, "%s: the file chunk at byte %zu is too short",
				  t->input->path, chunk->offset - QTRACE_CHUNK_BYTES);
	size = chunk->head.raw_size - QTRACE_FILE_HEAD;
	error = unpack_front(t, chunk, front, sizeof(front));
	if (error)
		return error;
	if (front[0] >= QTRACE_NR_WHEN || front[8] == 0 || front[8 + 47] != 0)
		return read_fails(t, -EINVAL, "%s: the file chunk at byte %zu has no name",
				  t->input->path, chunk->offset - QTRACE_CHUNK_BYTES);
	for (unsigned i = 0; i < t->nr_files; i++) {
		if (t->files[i].when == front[0] &&
		    strcmp(t->files[i].name, (const char *)front + 8) == 0) {
			t->files[i].size += size; /* another part of it */
			return 0;
		}
	}
	files = realloc(t->files, (t->nr_files + 1) * sizeof(*files));
	if (!files)
		return read_fails(t, -ENOMEM, "%s: no memory for its index", t->input->path);
	t->files = files;
	file = &files[t->nr_files++];
	memset(file, 0, sizeof(*file));
	file->when = (enum qtrace_when)front[0];
	memcpy(file->name, front + 8, sizeof(file->name));
	file->size = size;
	return 0;
}

static int read_tasks(struct qtrace *t, const struct chunk_ref *chunk)
{
	unsigned nr = chunk->head.extra;
	int error = raw_room(t, chunk->head.raw_size + 1u);

	if (error)
		return error;
	if ((uint64_t)nr * 24 != chunk->head.raw_size)
		return read_fails(t, -EINVAL, "%s: its table of tasks has the wrong size",
				  t->input->path);
	error = unpack(t, chunk, t->input->raw);
	if (error || !nr)
		return error;
	free(t->tasks);
	t->tasks = calloc(nr, sizeof(*t->tasks));
	if (!t->tasks)
		return read_fails(t, -ENOMEM, "%s: no memory for its tasks", t->input->path);
	t->nr_tasks = nr;
	for (unsigned i = 0; i < nr; i++) {
		const uint8_t *row = t->input->raw + (size_t)i * 24;

		t->tasks[i].pid = (int32_t)unpack32(row);
		memcpy(t->tasks[i].comm, row + 4, sizeof(t->tasks[i].comm));
		t->tasks[i].comm[sizeof(t->tasks[i].comm) - 1] = 0;
	}
	return 0;
}

static int read_end(struct qtrace *t, const struct chunk_ref *chunk)
{
	static const unsigned kinds[] = {TRACE_ALLOC,   TRACE_FREE,  TRACE_FREE_BATCHED,
					 TRACE_EXTFRAG, TRACE_DRAIN, TRACE_LOST};
	uint8_t bytes[QTRACE_END_WORDS * 8];
	struct qtrace_totals *to = &t->totals;
	int error;

	if (chunk->head.raw_size != sizeof(bytes))
		return read_fails(t, -EINVAL, "%s: its last chunk has the wrong size",
				  t->input->path);
	error = unpack(t, chunk, bytes);
	if (error)
		return error;
	if (unpack64(bytes + 40) != to->nr_blocks)
		return read_fails(t, -EINVAL, "%s: lacks blocks that its end counts",
				  t->input->path);
	to->nr_events = unpack64(bytes);
	to->nr_lost = unpack64(bytes + 8);
	to->first_ns = unpack64(bytes + 16);
	to->last_ns = unpack64(bytes + 24);
	to->nr_backward = unpack64(bytes + 32);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		to->nr_kind[kinds[i]] = unpack64(bytes + 56 + 8 * (size_t)i);
	return 0;
}

static int note_chunk(struct qtrace *t, const struct chunk_ref *chunk)
{
	switch (chunk->head.tag) {
	case QTRACE_TAG_FILE:
		return note_file(t, chunk);
	case QTRACE_TAG_TASKS:
		return read_tasks(t, chunk);
	case QTRACE_TAG_EVENTS:
		if (!chunk->head.extra || chunk->head.extra > QTRACE_BLOCK_EVENTS)
			return read_fails(t, -EINVAL, "%s: the block at byte %zu claims %u events",
					  t->input->path, chunk->offset - QTRACE_CHUNK_BYTES,
					  chunk->head.extra);
		t->totals.nr_blocks++;
		t->totals.event_bytes += QTRACE_CHUNK_BYTES + chunk->head.stored_size;
		return 0;
	case QTRACE_TAG_END:
		return read_end(t, chunk);
	default:
		return 0; /* of a later minor version: may be skipped */
	}
}

int qtrace_open(const char *path, struct qtrace *t)
{
	int error;

	memset(t, 0, sizeof(*t));
	t->input = calloc(1, sizeof(*t->input));
	if (!t->input)
		return read_fails(t, -ENOMEM, "%s: no memory to open it", path);
	t->input->path = strdup(path);
	t->input->zstd = ZSTD_createDCtx();
	t->input->events = malloc(QTRACE_BLOCK_EVENTS * sizeof(struct trace_event));
	if (!t->input->path || !t->input->zstd || !t->input->events)
		error = read_fails(t, -ENOMEM, "%s: no memory to open it", path);
	else
		error = input_map(t);
	if (!error)
		error = check_head(t);
	if (!error)
		error = find_chunks(t);
	for (size_t i = 0; !error && i < t->input->nr_chunks; i++)
		error = note_chunk(t, &t->input->chunks[i]);
	t->totals.bytes = t->input->size;
	return error;
}

void qtrace_close(struct qtrace *t)
{
	struct qtrace_input *in = t->input;

	for (unsigned i = 0; i < t->nr_files; i++)
		free(t->files[i].data);
	free(t->files);
	free(t->tasks);
	if (in) {
		if (in->map)
			munmap((void *)(uintptr_t)in->map, in->size);
		ZSTD_freeDCtx(in->zstd);
		free(in->path);
		free(in->chunks);
		free(in->events);
		free(in->raw);
		free(in);
	}
	t->files = NULL;
	t->tasks = NULL;
	t->input = NULL;
	t->nr_files = t->nr_tasks = 0;
}

/* Files ------------------------------------------------------------------------------------ */

static bool chunk_is_part(const uint8_t *raw, const struct qtrace_file *file)
{
	return raw[0] == file->when && strcmp((const char *)raw + 8, file->name) == 0;
}

static int load_file(struct qtrace *t, struct qtrace_file *file)
{
	struct qtrace_input *in = t->input;
	char *data = malloc(file->size + 1);
	size_t at = 0;
	int error = 0;

	if (!data)
		return read_fails(t, -ENOMEM, "%s: no memory for %s (%zu bytes)", in->path,
				  file->name, file->size);
	for (size_t i = 0; !error && i < in->nr_chunks; i++) {
		const struct chunk_ref *chunk = &in->chunks[i];
		uint8_t front[QTRACE_FILE_HEAD];
		size_t size;

		if (chunk->head.tag != QTRACE_TAG_FILE)
			continue;
		error = unpack_front(t, chunk, front, sizeof(front));
		if (error || !chunk_is_part(front, file))
			continue;
		error = raw_room(t, chunk->head.raw_size);
		if (!error)
			error = unpack(t, chunk, in->raw);
		size = chunk->head.raw_size - QTRACE_FILE_HEAD;
		if (!error && size <= file->size - at) {
			memcpy(data + at, in->raw + QTRACE_FILE_HEAD, size);
			at += size;
		}
	}
	if (error || at != file->size) {
		free(data);
		return error ? error
			     : read_fails(t, -EINVAL, "%s: parts of %s are missing", in->path,
					  file->name);
	}
	data[file->size] = 0;
	file->data = data;
	return 0;
}

const struct qtrace_file *qtrace_file(struct qtrace *t, enum qtrace_when when, const char *name)
{
	t->why[0] = 0;
	for (unsigned i = 0; i < t->nr_files; i++) {
		struct qtrace_file *file = &t->files[i];

		if (file->when != when || strcmp(file->name, name) != 0)
			continue;
		if (!file->data && load_file(t, file) < 0)
			return NULL;
		return file;
	}
	return NULL;
}

void qtrace_file_drop(struct qtrace *t, const struct qtrace_file *file)
{
	struct qtrace_file *mine = &t->files[file - t->files];

	free(mine->data);
	mine->data = NULL;
	/* What unpacked it may be just as large. */
	free(t->input->raw);
	t->input->raw = NULL;
	t->input->raw_room = 0;
}

/* Events ----------------------------------------------------------------------------------- */

static bool tasks_known(const struct qtrace *t, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct trace_event *e = &t->input->events[i];

		/* nobody's fault: LOST has no task */
		if (e->kind != TRACE_LOST && e->task >= t->nr_tasks)
			return t->truncated; /* the table stands at the end */
	}
	return true;
}

int qtrace_next_block(struct qtrace *t, const struct trace_event **events)
{
	struct qtrace_input *in = t->input;

	while (in->next_block < in->nr_chunks) {
		const struct chunk_ref *chunk = &in->chunks[in->next_block++];
		const char *why;
		int error;

		if (chunk->head.tag != QTRACE_TAG_EVENTS)
			continue;
		error = raw_room(t, chunk->head.raw_size + 1u);
		if (!error)
			error = unpack(t, chunk, in->raw);
		if (error)
			return error;
		if (qtrace_decode(in->raw, chunk->head.raw_size, in->events, chunk->head.extra,
				  &why) < 0)
			return read_fails(t, -EINVAL, "%s: the block at byte %zu is corrupt: %s",
					  in->path, chunk->offset - QTRACE_CHUNK_BYTES, why);
		if (!tasks_known(t, chunk->head.extra))
			return read_fails(
				t, -EINVAL,
				"%s: the block at byte %zu names a task that is not listed",
				in->path, chunk->offset - QTRACE_CHUNK_BYTES);
		*events = in->events;
		return (int)chunk->head.extra;
	}
	return 0;
}

struct qtrace_chunks qtrace_chunks(const struct qtrace *t)
{
	struct qtrace_chunks all = {0};

	for (size_t i = 0; i < t->input->nr_chunks; i++) {
		const struct qtrace_chunk *head = &t->input->chunks[i].head;
		uint64_t *nr = head->tag == QTRACE_TAG_FILE     ? &all.nr_files
			       : head->tag == QTRACE_TAG_EVENTS ? &all.nr_events
			       : head->tag == QTRACE_TAG_TASKS  ? &all.nr_tasks
			       : head->tag == QTRACE_TAG_END    ? &all.nr_end
								: &all.nr_unknown;

		++*nr;
		all.raw_bytes += head->raw_size;
		all.stored_bytes += QTRACE_CHUNK_BYTES + head->stored_size;
	}
	return all;
}

void qtrace_rewind(struct qtrace *t)
{
	t->input->next_block = 0;
}
