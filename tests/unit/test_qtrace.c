/* SPDX-License-Identifier: MIT */
/*
 * test_qtrace.c - .qtrace files: what is written is what is read, and what is bad is refused
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/trace/qtrace_format.h"

/* Chance ----------------------------------------------------------------------------------- */

static uint64_t chance;

static uint64_t draw(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

/* QR_TEST_SEED repeats a run. */
static void seed(void)
{
	const char *given = getenv("QR_TEST_SEED");

	chance = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed: QR_TEST_SEED=%llu\n", (unsigned long long)chance);
	chance = chance * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* A number of any size: small ones are as likely as large ones. */
static uint64_t draw_any(void)
{
	return draw() >> draw() % 64;
}

static struct trace_event draw_event(uint64_t unit)
{
	struct trace_event e = {
		.time_ns = draw_any() / unit * unit,
		.pfn = draw() % 50 ? draw_any() : QR_PFN_NONE,
		.gfp = (qr_gfp_t)draw_any(),
		.task = (uint32_t)draw_any(),
		.cpu = (uint16_t)(draw() % 3 ? draw() % 4 : draw()),
		.kind = (uint8_t)(draw() % TRACE_NR_KINDS),
		.order = (uint8_t)draw_any(),
		.migratetype = (uint8_t)draw_any(),
		.fallback_order = (uint8_t)draw_any(),
		.fallback_type = (uint8_t)draw_any(),
		.change_ownership = (uint8_t)(draw() & 1),
	};

	if (e.kind == TRACE_LOST) {
		e.lost = draw_any();
		e.pfn = QR_PFN_NONE;
	}
	return e;
}

static void assert_events_equal(const struct trace_event *a, const struct trace_event *b)
{
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->pfn, b->pfn);
	assert_int_equal(a->lost, b->lost);
	assert_int_equal(a->gfp, b->gfp);
	assert_int_equal(a->task, b->task);
	assert_int_equal(a->cpu, b->cpu);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->order, b->order);
	assert_int_equal(a->migratetype, b->migratetype);
	assert_int_equal(a->fallback_order, b->fallback_order);
	assert_int_equal(a->fallback_type, b->fallback_type);
	assert_int_equal(a->change_ownership, b->change_ownership);
}

/* Columns ---------------------------------------------------------------------------------- */

static void round_trip(unsigned nr, uint64_t unit)
{
	struct trace_event *events = calloc(nr + 1, sizeof(*events));
	struct trace_event *back = calloc(nr + 1, sizeof(*back));
	struct qtrace_buffer out = {0};
	const char *why;

	assert_true(events && back);
	for (unsigned i = 0; i < nr; i++)
		events[i] = draw_event(unit);
	assert_int_equal(qtrace_encode(events, nr, &out), 0);
	assert_int_equal(qtrace_decode(out.data, out.size, back, nr, &why), 0);
	for (unsigned i = 0; i < nr; i++)
		assert_events_equal(&events[i], &back[i]);

	/* One event fewer or more than there are, and a byte fewer, are noticed. */
	if (nr)
		assert_int_equal(qtrace_decode(out.data, out.size, back, nr - 1, &why), -EINVAL);
	assert_int_equal(qtrace_decode(out.data, out.size, back, nr + 1, &why), -EINVAL);
	assert_int_equal(qtrace_decode(out.data, out.size - 1, back, nr, &why), -EINVAL);
	free(out.data);
	free(events);
	free(back);
}

static void columns_give_back_what_they_took(void **state)
{
	(void)state;
	seed();
	for (unsigned turn = 0; turn < 200; turn++)
		round_trip((unsigned)(draw() % 600), turn % 2 ? 1000 : 1);
	round_trip(QTRACE_BLOCK_EVENTS, 1);
}

/* Any bytes: an answer, never a crash; what is accepted can be written again. */
static void damaged_columns_are_refused_or_read(void **state)
{
	struct trace_event events[64], back[64];
	struct qtrace_buffer out = {0}, again = {0};
	const char *why;

	(void)state;
	seed();
	for (unsigned i = 0; i < 64; i++)
		events[i] = draw_event(1);
	assert_int_equal(qtrace_encode(events, 64, &out), 0);
	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t at = draw() % out.size;
		uint8_t was = out.data[at];

		out.data[at] ^= (uint8_t)(1u << draw() % 8);
		if (qtrace_decode(out.data, out.size, back, 64, &why) == 0) {
			again.size = 0;
			assert_int_equal(qtrace_encode(back, 64, &again), 0);
			assert_int_equal(qtrace_decode(again.data, again.size, events, 64, &why),
					 0);
			for (unsigned i = 0; i < 64; i++)
				assert_events_equal(&events[i], &back[i]);
		}
		out.data[at] = was;
	}
	free(out.data);
	free(again.data);
}

static void unit_of_zero_and_unknown_kind_are_named(void **state)
{
	struct trace_event e = draw_event(1), back;
	struct qtrace_buffer out = {0};
	const char *why;

	(void)state;
	e.time_ns = 1; /* so that the unit is 1, too, and fits a byte */
	e.kind = TRACE_FREE;
	assert_int_equal(qtrace_encode(&e, 1, &out), 0);
	assert_int_equal(out.data[0], 1); /* the column HEAD has one byte */
	out.data[1] = 0;
	assert_int_equal(qtrace_decode(out.data, out.size, &back, 1, &why), -EINVAL);
	assert_non_null(strstr(why, "unit of time"));
	out.data[1] = 1;
	assert_int_equal(qtrace_decode(out.data, out.size, &back, 1, &why), 0);
	out.data[3] = TRACE_NR_KINDS; /* behind the size of the column KIND */
	assert_int_equal(qtrace_decode(out.data, out.size, &back, 1, &why), -EINVAL);
	assert_non_null(strstr(why, "kind of event"));
	free(out.data);
}

/* Files ------------------------------------------------------------------------------------ */

struct place {
	char directory[64];
	char path[96];
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	strcpy(place->directory, "/dev/shm/quire-qtrace.XXXXXX");
	if (!mkdtemp(place->directory))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/t.qtrace", place->directory);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	/* Fails, and the test with it, if something half-written was left. */
	if (rmdir(place->directory) < 0)
		return -1;
	free(place);
	return 0;
}

static struct qtrace_writer *begin(const struct place *place)
{
	struct qtrace_options how = {.level = 1, .overwrite = true};
	struct qtrace_writer *w;
	char why[256];

	assert_int_equal(qtrace_create(place->path, &how, &w, why), 0);
	return w;
}

static void finish(struct qtrace_writer *w, struct qtrace_totals *totals)
{
	char why[256];

	assert_int_equal(qtrace_finish(w, totals, why), 0);
}

/* A file larger than one part, by a bit. */
#define LARGE (QTRACE_FILE_PART + 12345u)

static uint8_t *large_data(void)
{
	uint8_t *data = malloc(LARGE);

	assert_non_null(data);
	for (uint32_t i = 0; i < LARGE; i++)
		data[i] = (uint8_t)((i >> 12) * 7);
	return data;
}

static void files_come_back(void **state)
{
	struct place *place = *state;
	struct qtrace_writer *w = begin(place);
	uint8_t *large = large_data();
	const struct qtrace_file *file;
	struct qtrace t;

	assert_int_equal(qtrace_put_file(w, QTRACE_BEFORE, "kpageflags", large, LARGE), 0);
	assert_int_equal(qtrace_put_file(w, QTRACE_BEFORE, "empty", NULL, 0), 0);
	assert_int_equal(qtrace_put_file(w, QTRACE_AFTER, "kpageflags", "abc", 3), 0);
	assert_int_equal(qtrace_put_text(w, "uname", "6.12"), 0);
	finish(w, NULL);

	assert_int_equal(qtrace_open(place->path, &t), 0);
	assert_false(t.truncated);
	assert_int_equal(t.nr_files, 4);
	file = qtrace_file(&t, QTRACE_BEFORE, "kpageflags");
	assert_non_null(file);
	assert_int_equal(file->size, LARGE);
	assert_memory_equal(file->data, large, LARGE);
	qtrace_file_drop(&t, file);
	assert_null(t.files[0].data);
	file = qtrace_file(&t, QTRACE_BEFORE, "kpageflags"); /* and once more */
	assert_non_null(file);
	assert_int_equal(file->data[LARGE], 0);
	assert_string_equal(qtrace_file(&t, QTRACE_AFTER, "kpageflags")->data, "abc");
	assert_string_equal(qtrace_file(&t, QTRACE_META, "uname")->data, "6.12");
	assert_int_equal(qtrace_file(&t, QTRACE_BEFORE, "empty")->size, 0);
	assert_null(qtrace_file(&t, QTRACE_META, "kpageflags"));
	assert_string_equal(t.why, "");
	qtrace_close(&t);
	free(large);
}

static void put_events(struct qtrace_writer *w, struct trace_event *events, unsigned nr,
		       unsigned nr_tasks)
{
	for (unsigned i = 0; i < nr; i++) {
		char comm[24];
		int pid = (int)(draw() % nr_tasks);

		events[i] = draw_event(1);
		events[i].time_ns = 1000 + i;
		events[i].task =
			qtrace_task(w, pid, comm, (size_t)snprintf(comm, sizeof(comm), "t%d", pid));
		assert_int_equal(qtrace_put_event(w, &events[i]), 0);
	}
}

static void check_totals(const struct qtrace_totals *t, const struct trace_event *events,
			 unsigned nr)
{
	uint64_t kinds[TRACE_NR_KINDS] = {0}, lost = 0;

	for (unsigned i = 0; i < nr; i++) {
		kinds[events[i].kind]++;
		lost += events[i].lost;
	}
	for (unsigned k = 0; k < TRACE_NR_KINDS; k++)
		assert_int_equal(t->nr_kind[k], kinds[k]);
	assert_int_equal(t->nr_events, nr - kinds[TRACE_LOST]);
	assert_int_equal(t->nr_lost, lost);
	assert_int_equal(t->last_ns, events[nr - 1].time_ns);
	assert_int_equal(t->nr_backward, 0);
	assert_int_equal(t->nr_blocks, (nr + QTRACE_BLOCK_EVENTS - 1) / QTRACE_BLOCK_EVENTS);
}

static void events_tasks_and_totals_come_back(void **state)
{
	enum { NR = QTRACE_BLOCK_EVENTS * 2 + 77, NR_TASKS = 3000 };
	struct place *place = *state;
	struct qtrace_writer *w = begin(place);
	struct trace_event *all = calloc(NR, sizeof(*all));
	const struct trace_event *events;
	struct qtrace_totals totals;
	struct stat st;
	struct qtrace t;
	int nr;

	assert_non_null(all);
	seed();
	put_events(w, all, NR, NR_TASKS);
	finish(w, &totals);
	check_totals(&totals, all, NR);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(totals.bytes, st.st_size);

	assert_int_equal(qtrace_open(place->path, &t), 0);
	check_totals(&t.totals, all, NR);
	assert_int_equal(t.totals.bytes, totals.bytes);
	assert_int_equal(t.totals.event_bytes, totals.event_bytes);
	assert_int_equal(t.totals.first_ns, totals.first_ns);
	for (unsigned turn = 0; turn < 2; turn++) {
		unsigned i = 0;

		while ((nr = qtrace_next_block(&t, &events)) > 0) {
			for (int k = 0; k < nr; k++, i++)
				assert_events_equal(&events[k], &all[i]);
		}
		assert_int_equal(nr, 0);
		assert_int_equal(i, NR);
		qtrace_rewind(&t);
	}
	assert_int_equal(t.nr_tasks, NR_TASKS);
	for (unsigned i = 0; i < t.nr_tasks; i++)
		assert_int_equal(atoi(t.tasks[i].comm + 1), t.tasks[i].pid);
	qtrace_close(&t);
	free(all);
}

static void tasks_are_known_by_pid_and_name(void **state)
{
	struct place *place = *state;
	struct qtrace_writer *w = begin(place);
	uint32_t a = qtrace_task(w, 1, "sh", 2), b = qtrace_task(w, 1, "make", 4);
	uint32_t c = qtrace_task(w, 2, "sh", 2);
	struct qtrace t;

	assert_true(a != b && b != c && a != c);
	assert_int_equal(qtrace_task(w, 1, "sh", 2), a);
	assert_int_equal(qtrace_task(w, 3, "a name that is far too long", 27),
			 qtrace_task(w, 3, "a name that is far too long", 27));
	finish(w, NULL);
	assert_int_equal(qtrace_open(place->path, &t), 0);
	assert_string_equal(t.tasks[b].comm, "make");
	assert_int_equal(t.tasks[c].pid, 2);
	assert_int_equal(strlen(t.tasks[3].comm), 19);
	qtrace_close(&t);
}

static void time_running_backwards_is_counted(void **state)
{
	struct place *place = *state;
	struct qtrace_writer *w = begin(place);
	struct trace_event e = {.kind = TRACE_FREE, .time_ns = 50};
	struct qtrace_totals totals;

	qtrace_task(w, 0, "x", 1);
	for (unsigned i = 0; i < 5; i++) {
		e.time_ns = i == 3 ? 10 : 50 + i;
		assert_int_equal(qtrace_put_event(w, &e), 0);
	}
	finish(w, &totals);
	assert_int_equal(totals.nr_backward, 1);
	assert_int_equal(totals.first_ns, 50);
}

static void writer_leaves_nothing_when_it_gives_up(void **state)
{
	struct place *place = *state;
	struct trace_event e = {.kind = TRACE_FREE};
	struct qtrace_writer *w = begin(place);

	assert_int_equal(qtrace_put_event(w, &e), 0);
	assert_int_not_equal(access(place->path, F_OK), 0); /* not before it is finished */
	qtrace_abort(w);
	assert_int_not_equal(access(place->path, F_OK), 0);
}

static void writer_refuses_what_exists_and_what_cannot_be(void **state)
{
	struct place *place = *state;
	struct qtrace_options how = {.level = 1};
	struct qtrace_writer *w;
	char why[256], nowhere[128];

	finish(begin(place), NULL);
	assert_int_equal(qtrace_create(place->path, &how, &w, why), -EEXIST);
	assert_non_null(strstr(why, "--force"));
	snprintf(nowhere, sizeof(nowhere), "%s/no/where", place->directory);
	assert_int_equal(qtrace_create(nowhere, &how, &w, why), -ENOENT);
	assert_non_null(strstr(why, "cannot be created"));
}

/* Bad files -------------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t size;
};

static struct bytes file_bytes(const char *path)
{
	struct bytes b;
	struct stat st;
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	b.size = (size_t)st.st_size;
	b.data = malloc(b.size + 64);
	assert_non_null(b.data);
	assert_int_equal(fread(b.data, 1, b.size, file), b.size);
	fclose(file);
	return b;
}

/* What read_all() found in a file, in one number. */
static uint32_t contents;

/* All of a file is read; 0, or the first error, with its text in why. */
static int read_all(const struct place *place, const void *data, size_t size, bool *truncated,
		    char why[256])
{
	const struct trace_event *events;
	struct qtrace t;
	FILE *file = fopen(place->path, "wb");
	int error;

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	error = qtrace_open(place->path, &t);
	*truncated = t.truncated;
	contents = 0;
	for (unsigned i = 0; !error && i < t.nr_files; i++) {
		const struct qtrace_file *f = qtrace_file(&t, t.files[i].when, t.files[i].name);

		if (f)
			contents = contents * 31 + qtrace_crc(f->data, f->size);
		else
			error = -EINVAL;
	}
	while (!error && (error = qtrace_next_block(&t, &events)) > 0) {
		contents = contents * 31 + qtrace_crc(events, (size_t)error * sizeof(*events));
		error = 0;
	}
	memcpy(why, t.why, 256);
	qtrace_close(&t);
	return error;
}

static void refused(const struct place *place, const void *data, size_t size, const char *text)
{
	bool truncated;
	char why[256];

	assert_int_equal(read_all(place, data, size, &truncated, why), -EINVAL);
	if (!strstr(why, text) || !strstr(why, place->path))
		fail_msg("'%s' does not say '%s' and which file", why, text);
}

static struct bytes small_file(const struct place *place)
{
	struct qtrace_writer *w = begin(place);
	struct trace_event events[100];

	chance = 12345;
	put_events(w, events, 100, 5);
	assert_int_equal(qtrace_put_text(w, "uname", "6.12"), 0);
	assert_int_equal(qtrace_put_file(w, QTRACE_BEFORE, "zoneinfo", "Node 0", 6), 0);
	finish(w, NULL);
	return file_bytes(place->path);
}

static void foreign_files_are_refused(void **state)
{
	struct place *place = *state;
	struct bytes good = small_file(place);
	struct qtrace t;

	refused(place, "", 0, "too short");
	refused(place, QTRACE_MAGIC, 8, "too short");
	refused(place,
		"\x7f"
		"ELF and more of such things",
		28, "not a .qtrace");
	refused(place, "QTRACE\n and what a text transfer makes of it", 40, "as text");
	good.data[8] = 2;
	refused(place, good.data, good.size, "version 2");
	good.data[8] = 1;
	refused(place, good.data, good.size + 3, "behind its end");
	assert_int_equal(qtrace_open(place->directory, &t), -EINVAL);
	assert_non_null(strstr(t.why, "not a regular file"));
	qtrace_close(&t);
	assert_int_equal(qtrace_open("/nowhere/at.all", &t), -ENOENT);
	qtrace_close(&t);
	free(good.data);
}

static void cut_off_files_are_read_as_far_as_they_go(void **state)
{
	struct place *place = *state;
	struct bytes good = small_file(place);
	bool truncated;
	char why[256];

	for (size_t size = QTRACE_HEAD_BYTES; size < good.size; size++) {
		assert_int_equal(read_all(place, good.data, size, &truncated, why), 0);
		assert_true(truncated);
	}
	assert_int_equal(read_all(place, good.data, good.size, &truncated, why), 0);
	assert_false(truncated);
	free(good.data);
}

/* Each bit of the file: it is refused, or nothing that is read differs. */
static void flipped_bits_are_found(void **state)
{
	struct place *place = *state;
	struct bytes good = small_file(place);
	unsigned unnoticed = 0;
	bool truncated;
	char why[256];
	uint32_t right;

	assert_int_equal(read_all(place, good.data, good.size, &truncated, why), 0);
	right = contents;
	for (size_t bit = 0; bit < good.size * 8; bit++) {
		good.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (read_all(place, good.data, good.size, &truncated, why) == 0) {
			assert_int_equal(contents, right);
			unnoticed++;
		}
		good.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* The minor version and the four bytes behind it; the last four of each of the five chunks'
	 * heads; bits of zstd's that mean nothing. */
	assert_in_range(unnoticed, 6 * 8, 6 * 8 + 5 * 32 + 5 * 16);
	free(good.data);
}

/* The chunk at offset at gets a field changed and a checksum that fits. */
static void chunk_forge(struct bytes *b, size_t at, size_t field, uint32_t value)
{
	uint32_t crc;

	for (unsigned i = 0; i < 4; i++)
		b->data[at + field + i] = (uint8_t)(value >> (8 * i));
	crc = qtrace_crc(b->data + at, 16);
	for (unsigned i = 0; i < 4; i++)
		b->data[at + 16 + i] = (uint8_t)(crc >> (8 * i));
}

static size_t chunk_find(const struct bytes *b, const char *tag)
{
	size_t at = QTRACE_HEAD_BYTES;

	while (memcmp(b->data + at, tag, 4) != 0) {
		uint32_t stored;

		memcpy(&stored, b->data + at + 12, 4);
		at += QTRACE_CHUNK_BYTES + stored;
		assert_true(at < b->size);
	}
	return at;
}

static void forged(struct place *place, const char *tag, size_t field, uint32_t value,
		   const char *text)
{
	struct bytes b = small_file(place);

	chunk_forge(&b, chunk_find(&b, tag), field, value);
	refused(place, b.data, b.size, text);
	free(b.data);
}

/* Checksums are right, contents are not: somebody wrote this on purpose. */
static void forged_chunks_are_refused(void **state)
{
	struct place *place = *state;

	forged(place, "EVTS", 4, 0, "claims 0 events");
	forged(place, "EVTS", 4, QTRACE_BLOCK_EVENTS + 1, "claims 65537 events");
	forged(place, "EVTS", 4, 99, "more or less than its events");
	forged(place, "EVTS", 8, QTRACE_CHUNK_MAX + 1, "is corrupt");
	forged(place, "EVTS", 8, 100000, "is corrupt");
	forged(place, "EVTS", 0, QTRACE_TAG_FILE, "has no name");
	forged(place, "EVTS", 0, 0x20212223, "lacks blocks");
	forged(place, "TASK", 4, 7, "table of tasks has the wrong size");
	forged(place, "TASK", 0, 0x20212223, "names a task that is not listed");
	forged(place, "FILE", 8, 10, "too short");
	forged(place, "END ", 8, 100, "wrong size");
	forged(place, "END ", 0, QTRACE_TAG_EVENTS, "claims 0 events");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_give_back_what_they_took),
		cmocka_unit_test(damaged_columns_are_refused_or_read),
		cmocka_unit_test(unit_of_zero_and_unknown_kind_are_named),
		cmocka_unit_test_setup_teardown(files_come_back, place_make, place_remove),
		cmocka_unit_test_setup_teardown(events_tasks_and_totals_come_back, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(tasks_are_known_by_pid_and_name, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(time_running_backwards_is_counted, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(writer_leaves_nothing_when_it_gives_up, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(writer_refuses_what_exists_and_what_cannot_be,
						place_make, place_remove),
		cmocka_unit_test_setup_teardown(foreign_files_are_refused, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(cut_off_files_are_read_as_far_as_they_go,
						place_make, place_remove),
		cmocka_unit_test_setup_teardown(flipped_bits_are_found, place_make, place_remove),
		cmocka_unit_test_setup_teardown(forged_chunks_are_refused, place_make,
						place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
