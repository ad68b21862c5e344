/* SPDX-License-Identifier: MIT */
/*
 * fuzz_qtrace.c - any bytes, as a .qtrace file or as a block of events
 *
 * A file begins with its magic, so its first byte is 'Q': all of it is read, with the machine's
 * state.  Checksums keep damage from what lies behind them, so other inputs go there directly: the
 * first byte says how many events the columns that follow shall hold.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/trace/qtrace_format.h"
#include "../../tools/trace/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void read_state(struct qtrace *t, enum qtrace_when when)
{
	struct frame_map map;
	struct state s;
	char why[256];

	if (state_read(&s, t, when) < 0)
		check(s.why[0]);
	state_free(&s);
	if (frame_map_read(&map, t, when, why) < 0)
		check(why[0]);
	frame_map_free(&map);
}

static void read_file(const char *path)
{
	const struct trace_event *events;
	struct qtrace t;
	int nr;

	if (qtrace_open(path, &t) < 0) {
		check(t.why[0]);
		qtrace_close(&t);
		return;
	}
	for (unsigned i = 0; i < t.nr_files; i++) {
		const struct qtrace_file *file = qtrace_file(&t, t.files[i].when, t.files[i].name);

		check(file || t.why[0]);
	}
	while ((nr = qtrace_next_block(&t, &events)) > 0) {
		for (int i = 0; i < nr; i++)
			check(events[i].kind < TRACE_NR_KINDS);
	}
	check(nr == 0 || t.why[0]);
	read_state(&t, QTRACE_BEFORE);
	read_state(&t, QTRACE_AFTER);
	qtrace_close(&t);
}

static void read_bytes(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memfd_create("qtrace", MFD_CLOEXEC);

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_file(path);
	close(fd);
}

/* What is accepted is written again, and says the same. */
static void read_columns(const uint8_t *data, size_t size, unsigned nr)
{
	struct trace_event events[255], back[255];
	struct qtrace_buffer out = {0};
	const char *why = NULL;

	if (qtrace_decode(data, size, events, nr, &why) < 0) {
		check(why && *why);
		return;
	}
	check(qtrace_encode(events, nr, &out) == 0);
	check(qtrace_decode(out.data, out.size, back, nr, &why) == 0);
	for (unsigned i = 0; i < nr; i++)
		check(events[i].time_ns == back[i].time_ns && events[i].pfn == back[i].pfn &&
		      events[i].gfp == back[i].gfp && events[i].order == back[i].order &&
		      events[i].task == back[i].task && events[i].cpu == back[i].cpu);
	free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 'Q')
		read_bytes(data, size);
	else if (size)
		read_columns(data + 1, size - 1, data[0]);
	return 0;
}
