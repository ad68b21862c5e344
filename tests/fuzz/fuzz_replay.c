/* SPDX-License-Identifier: MIT */
/*
 * fuzz_replay.c - any state and any events, replayed
 *
 * The input is a small machine: zoneinfo, buddyinfo, pagetypeinfo, iomem and pageblocks as texts,
 * each ended by the byte 0xff; then frames, ended likewise; then how many events, and their
 * columns.  A byte of the frames is a run: what they are used for, and how many there are of them.
 * Whatever contradicts itself or the rest is refused with a sentence, and whatever is replayed
 * leaves a model that holds its invariants.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/replay/replay.h"
#include "../../tools/trace/qtrace_format.h"

#define MAX_FRAMES (1u << 15)
#define END_OF_PART 0xffu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *data;
	size_t size;
};

static void check(bool good)
{
	if (!good)
		abort();
}

/* Up to the end of this part. */
static struct bytes take_part(struct bytes *rest)
{
	const uint8_t *end = rest->size ? memchr(rest->data, END_OF_PART, rest->size) : NULL;
	struct bytes part = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
	size_t used = part.size + (end ? 1 : 0);

	rest->data += used;
	rest->size -= used;
	return part;
}

static void put_frames(struct qtrace_writer *w, enum qtrace_when when, struct bytes runs)
{
	static const uint64_t words[] = {KPF_BUDDY,
					 KPF_LRU,
					 0,
					 KPF_SLAB,
					 KPF_RESERVED,
					 KPF_NOPAGE,
					 KPF_PGTABLE,
					 KPF_OFFLINE,
					 KPF_HUGE | KPF_COMPOUND_HEAD,
					 KPF_LRU | KPF_COMPOUND_TAIL};
	uint64_t *frames = calloc(MAX_FRAMES, sizeof(*frames)), nr = 0;

	check(frames);
	for (size_t i = 0; i < runs.size; i++) {
		uint64_t length = UINT64_C(1) << (runs.data[i] / 10 % 12);

		for (; length && nr < MAX_FRAMES; length--)
			frames[nr++] = words[runs.data[i] % 10];
	}
	check(qtrace_put_file(w, when, "kpageflags", frames, nr * sizeof(*frames)) == 0);
	free(frames);
}

static void put_events(struct qtrace_writer *w, struct bytes rest)
{
	struct trace_event events[255];
	const char *why;

	qtrace_task(w, 1, "task", 4);
	if (!rest.size ||
	    qtrace_decode(rest.data + 1, rest.size - 1, events, rest.data[0], &why) < 0)
		return;
	for (unsigned i = 0; i < rest.data[0]; i++) {
		events[i].task = 0;
		check(qtrace_put_event(w, &events[i]) == 0);
	}
}

static void write_recording(const char *path, struct bytes rest)
{
	static const char *const names[] = {"zoneinfo", "buddyinfo", "pagetypeinfo", "iomem",
					    "pageblocks"};
	const struct qtrace_options how = {.level = 1, .overwrite = true};
	struct qtrace_writer *w;
	struct bytes frames;
	char why[256];

	check(qtrace_create(path, &how, &w, why) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bytes part = take_part(&rest);

		if (!part.size)
			continue;
		check(qtrace_put_file(w, QTRACE_BEFORE, names[i], part.data, part.size) == 0);
		check(qtrace_put_file(w, QTRACE_AFTER, names[i], part.data, part.size) == 0);
	}
	frames = take_part(&rest);
	put_frames(w, QTRACE_BEFORE, frames);
	put_frames(w, QTRACE_AFTER, frames);
	put_events(w, rest);
	check(qtrace_finish(w, NULL, why) == 0);
}

static void replay(const struct replay_machine *m, const char *engine)
{
	const struct replay_config config = {.engine = engine, .nr_samples = 10};
	struct replay_result result;

	if (replay_run(m, &config, &result) < 0)
		check(result.why[0]);
	else
		check(result.check == 0);
	replay_result_free(&result);
}

static void replay_recording(const char *path)
{
	struct replay_machine machine = {0};
	struct qtrace trace;

	check(qtrace_open(path, &trace) == 0);
	if (replay_machine_read(&machine, &trace) < 0) {
		check(machine.why[0]);
	} else {
		replay(&machine, "list");
		replay(&machine, "bitmap");
	}
	replay_machine_free(&machine);
	if (replay_moment_read(&machine, &trace, QTRACE_AFTER) < 0)
		check(machine.why[0]);
	replay_machine_free(&machine);
	qtrace_close(&trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/quire-fuzz-replay.%d", getpid());
	write_recording(path, (struct bytes){data, size});
	replay_recording(path);
	unlink(path);
	return 0;
}
