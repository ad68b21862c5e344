/* SPDX-License-Identifier: MIT */
/*
 * replay/told.c - pageblock types that a file tells, so that they need not be inferred
 *
 * No machine has such a file; the saved end of a replay has one: lines of first frame, number of
 * pageblocks and migratetype.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static unsigned type_of(const char *name)
{
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (strcmp(name, qr_migratetype_name((enum qr_migratetype)t)) == 0)
			return t;
	}
	return QR_MIGRATE_TYPES;
}

/* One line; false: it makes no sense for this machine. */
static bool take_line(struct replay_machine *m, const char *line)
{
	uint64_t all = m->nr_frames >> QR_PAGEBLOCK_ORDER, pfn, nr;
	char name[24];
	unsigned type;

	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %23s", &pfn, &nr, name) != 3)
		return false;
	type = type_of(name);
	if (type == QR_MIGRATE_TYPES || pfn % QR_PAGEBLOCK_NR_PAGES ||
	    pfn >> QR_PAGEBLOCK_ORDER > all || nr > all - (pfn >> QR_PAGEBLOCK_ORDER))
		return false;
	for (uint64_t n = pfn >> QR_PAGEBLOCK_ORDER; nr; n++, nr--) {
		if (m->block_type[n] != QR_MIGRATE_TYPES)
			m->block_type[n] = (uint8_t)type;
	}
	return true;
}

int replay_told_types(struct replay_machine *m, enum qtrace_when when)
{
	const struct qtrace_file *file = qtrace_file(m->trace, when, "pageblocks");
	char *copy = file ? strdup(file->data) : NULL, *rest = copy, *line;
	unsigned number = 0;
	int error = 0;

	if (file && !copy) {
		snprintf(m->why, sizeof(m->why), "no memory for the pageblocks");
		return -ENOMEM;
	}
	while (!error && (line = strsep(&rest, "\n")) != NULL) {
		number++;
		if (!*line || take_line(m, line))
			continue;
		snprintf(m->why, sizeof(m->why), "%s/pageblocks:%u: no pageblocks in '%.60s'",
			 when == QTRACE_BEFORE ? "before" : "after", number, line);
		error = -EINVAL;
	}
	free(copy);
	return error;
}
