/* SPDX-License-Identifier: MIT */
/*
 * trace/qtrace_write.c - writing .qtrace files
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "../outfile.h"
#include "qtrace_format.h"

/* Ratio and speed on real traffic: docs/qtrace.md has the measurement. */
#define DEFAULT_LEVEL 9

struct qtrace_writer {
	const char *path; /* the file's */
	struct outfile file;
	ZSTD_CCtx *zstd;
	struct trace_event *events;
	unsigned nr_events;
	struct qtrace_buffer raw, packed;
	struct qtrace_task *tasks;
	unsigned nr_tasks, room_tasks;
	uint32_t *task_hash; /* number + 1 of a task; 0: empty */
	unsigned hash_size; /* a power of 2 */
	uint32_t last_task;
	struct qtrace_totals totals;
	char why[256];
};

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[TRACE_NR_KINDS] = {
		[TRACE_ALLOC] = "mm_page_alloc",
		[TRACE_FREE] = "mm_page_free",
		[TRACE_FREE_BATCHED] = "mm_page_free_batched",
		[TRACE_EXTFRAG] = "mm_page_alloc_extfrag",
		[TRACE_DRAIN] = "mm_page_pcpu_drain",
		[TRACE_LOST] = "lost",
	};

	return kind < TRACE_NR_KINDS ? names[kind] : "unknown";
}

uint32_t qtrace_crc(const void *data, size_t size)
{
	return (uint32_t)crc32(0, data, (uInt)size);
}

__attribute__((format(printf, 3, 4))) static int writer_fails(struct qtrace_writer *w, int error,
							      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->why, sizeof(w->why), format, args);
	va_end(args);
	return error;
}

static int write_all(struct qtrace_writer *w, const void *data, size_t size)
{
	int error = outfile_write(&w->file, data, size, w->why);

	if (!error)
		w->totals.bytes += size;
	return error;
}

static void pack32(uint8_t *at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static void pack64(uint8_t *at, uint64_t v)
{
	pack32(at, (uint32_t)v);
	pack32(at + 4, (uint32_t)(v >> 32));
}

static int packed_room(struct qtrace_writer *w, size_t room)
{
	uint8_t *data;

	if (w->packed.room >= room)
		return 0;
	data = realloc(w->packed.data, room);
	if (!data)
		return writer_fails(w, -ENOMEM, "%s: no memory for a chunk", w->path);
	w->packed.data = data;
	w->packed.room = room;
	return 0;
}

static int put_chunk(struct qtrace_writer *w, uint32_t tag, uint32_t extra, const void *raw,
		     size_t raw_size)
{
	uint8_t head[QTRACE_CHUNK_BYTES] = {0};
	size_t stored;
	int error = packed_room(w, ZSTD_compressBound(raw_size));

	if (error)
		return error;
	stored = ZSTD_compress2(w->zstd, w->packed.data, w->packed.room, raw, raw_size);
	if (ZSTD_isError(stored))
		return writer_fails(w, -EIO, "%s: zstd: %s", w->path, ZSTD_getErrorName(stored));
	pack32(head, tag);
	pack32(head + 4, extra);
	pack32(head + 8, (uint32_t)raw_size);
	pack32(head + 12, (uint32_t)stored);
	pack32(head + 16, qtrace_crc(head, 16));
	error = write_all(w, head, sizeof(head));
	if (!error)
		error = write_all(w, w->packed.data, stored);
	if (!error && tag == QTRACE_TAG_EVENTS)
		w->totals.event_bytes += sizeof(head) + stored;
	return error;
}

static int put_head(struct qtrace_writer *w)
{
	uint8_t head[QTRACE_HEAD_BYTES] = {0};

	memcpy(head, QTRACE_MAGIC, 8);
	head[8] = QTRACE_VERSION_MAJOR;
	head[10] = QTRACE_VERSION_MINOR;
	return write_all(w, head, sizeof(head));
}

static void writer_free(struct qtrace_writer *w)
{
	ZSTD_freeCCtx(w->zstd);
	free(w->events);
	free(w->raw.data);
	free(w->packed.data);
	free(w->tasks);
	free(w->task_hash);
	free(w);
}

static int writer_memory(struct qtrace_writer *w, int level)
{
	w->hash_size = 1024;
	w->events = malloc(QTRACE_BLOCK_EVENTS * sizeof(*w->events));
	w->task_hash = calloc(w->hash_size, sizeof(*w->task_hash));
	w->zstd = ZSTD_createCCtx();
	if (!w->events || !w->task_hash || !w->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int writer_open(struct qtrace_writer *w, const char *path, bool overwrite)
{
	int error = outfile_open(&w->file, path, overwrite, w->why);

	w->path = w->file.path;
	return error ? error : put_head(w);
}

int qtrace_create(const char *path, const struct qtrace_options *options,
		  struct qtrace_writer **writer, char why[256])
{
	struct qtrace_writer *w = calloc(1, sizeof(*w));
	int error = -ENOMEM;

	snprintf(why, 256, "%s: no memory to begin", path);
	if (!w)
		return error;
	error = writer_memory(w, options->level ? options->level : DEFAULT_LEVEL);
	if (!error)
		error = writer_open(w, path, options->overwrite);
	if (error) {
		if (w->why[0])
			snprintf(why, 256, "%s", w->why);
		qtrace_abort(w);
		return error;
	}
	*writer = w;
	return 0;
}

void qtrace_abort(struct qtrace_writer *w)
{
	outfile_abort(&w->file);
	writer_free(w);
}

const char *qtrace_writer_why(const struct qtrace_writer *w)
{
	return w->why;
}

const struct qtrace_totals *qtrace_writer_totals(const struct qtrace_writer *w)
{
	return &w->totals;
}

/* Files ------------------------------------------------------------------------------------ */

static int put_file_part(struct qtrace_writer *w, enum qtrace_when when, const char *name,
			 const uint8_t *data, size_t size)
{
	uint8_t *part = calloc(1, QTRACE_FILE_HEAD + size);
	int error;

	if (!part)
		return writer_fails(w, -ENOMEM, "%s: no memory for the file %s", w->path, name);
	part[0] = (uint8_t)when;
	snprintf((char *)part + 8, 48, "%s", name);
	if (size)
		memcpy(part + QTRACE_FILE_HEAD, data, size);
	error = put_chunk(w, QTRACE_TAG_FILE, 0, part, QTRACE_FILE_HEAD + size);
	free(part);
	return error;
}

int qtrace_put_file(struct qtrace_writer *w, enum qtrace_when when, const char *name,
		    const void *data, size_t size)
{
	const uint8_t *at = data ? data : (const uint8_t *)"";

	do {
		size_t part = size < QTRACE_FILE_PART ? size : QTRACE_FILE_PART;
		int error = put_file_part(w, when, name, at, part);

		if (error)
			return error;
		at += part;
		size -= part;
	} while (size);
	return 0;
}

int qtrace_put_text(struct qtrace_writer *w, const char *name, const char *text)
{
	return qtrace_put_file(w, QTRACE_META, name, text, strlen(text));
}

/* Tasks ------------------------------------------------------------------------------------ */

static bool task_is(const struct qtrace_task *task, int32_t pid, const char *comm, size_t comm_len)
{
	return task->pid == pid && strncmp(task->comm, comm, comm_len) == 0 &&
	       task->comm[comm_len] == 0;
}

static uint32_t *task_slot(struct qtrace_writer *w, int32_t pid, const char *comm, size_t comm_len)
{
	uint32_t hash = (uint32_t)pid * 2654435761u ^ qtrace_crc(comm, comm_len);

	for (;; hash++) {
		uint32_t *slot = &w->task_hash[hash & (w->hash_size - 1)];

		if (!*slot || task_is(&w->tasks[*slot - 1], pid, comm, comm_len))
			return slot;
	}
}

static bool tasks_grow(struct qtrace_writer *w)
{
	unsigned room = w->room_tasks ? w->room_tasks * 2 : 256;
	struct qtrace_task *tasks = realloc(w->tasks, room * sizeof(*tasks));
	uint32_t *hash = calloc((size_t)room * 4, sizeof(*hash));

	if (tasks)
		w->tasks = tasks;
	if (!tasks || !hash) {
		free(hash);
		return false;
	}
	free(w->task_hash);
	w->task_hash = hash;
	w->hash_size = room * 4;
	w->room_tasks = room;
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		const struct qtrace_task *t = &w->tasks[i];

		*task_slot(w, t->pid, t->comm, strlen(t->comm)) = i + 1;
	}
	return true;
}

uint32_t qtrace_task(struct qtrace_writer *w, int32_t pid, const char *comm, size_t comm_len)
{
	struct qtrace_task *task;
	uint32_t *slot;

	if (comm_len >= sizeof(task->comm))
		comm_len = sizeof(task->comm) - 1;
	if (w->last_task < w->nr_tasks && task_is(&w->tasks[w->last_task], pid, comm, comm_len))
		return w->last_task;
	if (w->nr_tasks == w->room_tasks && !tasks_grow(w))
		return 0; /* a wrong name is better than a lost event */
	slot = task_slot(w, pid, comm, comm_len);
	if (!*slot) {
		task = &w->tasks[w->nr_tasks++];
		memset(task, 0, sizeof(*task));
		task->pid = pid;
		memcpy(task->comm, comm, comm_len);
		*slot = w->nr_tasks;
	}
	w->last_task = *slot - 1;
	return w->last_task;
}

static int put_tasks(struct qtrace_writer *w)
{
	size_t size = (size_t)w->nr_tasks * 24;
	uint8_t *rows = calloc(1, size + 1);
	int error;

	if (!rows)
		return writer_fails(w, -ENOMEM, "%s: no memory for the tasks", w->path);
	for (unsigned i = 0; i < w->nr_tasks; i++) {
		pack32(rows + (size_t)i * 24, (uint32_t)w->tasks[i].pid);
		memcpy(rows + (size_t)i * 24 + 4, w->tasks[i].comm, 20);
	}
	error = put_chunk(w, QTRACE_TAG_TASKS, w->nr_tasks, rows, size);
	free(rows);
	return error;
}

/* Events ----------------------------------------------------------------------------------- */

static int put_block(struct qtrace_writer *w)
{
	int error;

	if (!w->nr_events)
		return 0;
	w->raw.size = 0;
	error = qtrace_encode(w->events, w->nr_events, &w->raw);
	if (error)
		return writer_fails(w, error, "%s: no memory for a block of events", w->path);
	error = put_chunk(w, QTRACE_TAG_EVENTS, w->nr_events, w->raw.data, w->raw.size);
	w->nr_events = 0;
	w->totals.nr_blocks++;
	return error;
}

int qtrace_put_event(struct qtrace_writer *w, const struct trace_event *event)
{
	struct qtrace_totals *t = &w->totals;

	w->events[w->nr_events++] = *event;
	t->nr_kind[event->kind]++;
	if (event->kind == TRACE_LOST)
		t->nr_lost += event->lost;
	else
		t->nr_events++;
	if (t->nr_events == 1 && event->kind != TRACE_LOST)
		t->first_ns = t->last_ns = event->time_ns;
	if (event->time_ns < t->last_ns)
		t->nr_backward++;
	t->last_ns = event->time_ns;
	return w->nr_events == QTRACE_BLOCK_EVENTS ? put_block(w) : 0;
}

static int put_end(struct qtrace_writer *w)
{
	const struct qtrace_totals *t = &w->totals;
	const uint64_t words[QTRACE_END_WORDS] = {
		t->nr_events,
		t->nr_lost,
		t->first_ns,
		t->last_ns,
		t->nr_backward,
		t->nr_blocks,
		t->event_bytes,
		t->nr_kind[TRACE_ALLOC],
		t->nr_kind[TRACE_FREE],
		t->nr_kind[TRACE_FREE_BATCHED],
		t->nr_kind[TRACE_EXTFRAG],
		t->nr_kind[TRACE_DRAIN],
		t->nr_kind[TRACE_LOST],
	};
	uint8_t bytes[QTRACE_END_WORDS * 8];

	for (unsigned i = 0; i < QTRACE_END_WORDS; i++)
		pack64(bytes + 8 * (size_t)i, words[i]);
	return put_chunk(w, QTRACE_TAG_END, 0, bytes, sizeof(bytes));
}

int qtrace_finish(struct qtrace_writer *w, struct qtrace_totals *totals, char why[256])
{
	int error = put_block(w);

	if (!error)
		error = put_tasks(w);
	if (!error)
		error = put_end(w);
	if (!error)
		error = outfile_publish(&w->file, w->why);
	if (error) {
		snprintf(why, 256, "%s", w->why);
		qtrace_abort(w);
		return error;
	}
	if (totals)
		*totals = w->totals;
	writer_free(w);
	return 0;
}
