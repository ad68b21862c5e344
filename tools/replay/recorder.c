/* SPDX-License-Identifier: MIT */
/*
 * replay/recorder.c - what the recorder itself did to the memory that it watched
 *
 * A recorder needs memory, too, and takes it where no event can tell: it has its buffers before the
 * first event, writes its file and lets go of them after the last one.  `quire record` does all
 * that outside of its two snapshots.  perf is started after the first snapshot and has ended
 * before the second, so its doings belong to the end that a replay is compared with; and while the
 * events ran, its buffers were missing from the machine's free memory.  So the model takes
 *
 *	before the first event	as many single unmovable pages as the recording says (`quire import
 *				--recorder-pages`)
 *	after the last one	as many movable pages as the kernel's counters say were taken and
 *				not given back in the time that no event tells of: the recorder's
 *				file in the page cache, above all
 *
 * and then gives back the former, all on the CPU of the first event.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

/* No reclaim, no waiting: either there is a page or there is none. */
#define TAKE_GFP(gfp) (((gfp) & ~QR___GFP_DIRECT_RECLAIM) | QR___GFP_NOWARN)

int replay_recorder_begin(struct replay_recorder *recorder, struct model *model)
{
	const struct replay_machine *m = model->machine;

	memset(recorder, 0, sizeof(*recorder));
	if (!m->recorder_pages)
		return 0;
	recorder->pages = malloc(m->recorder_pages * sizeof(struct qr_page *));
	if (!recorder->pages)
		return -ENOMEM;
	model->cpu = m->first_cpu % model->nr_cpus;
	while (recorder->nr < m->recorder_pages) {
		struct qr_page *page = qr_alloc_pages(model->q, TAKE_GFP(QR_GFP_KERNEL), 0);

		if (!page)
			break;
		recorder->pages[recorder->nr++] = page;
	}
	return 0;
}

/* Pages taken outside of the recorded interval by the kernel's counters; 0: none, or unknown. */
static uint64_t pages_outside(const struct replay_machine *m)
{
	int64_t outside;

	return replay_pages_outside(m, &outside) && outside > 0 ? (uint64_t)outside : 0;
}

uint64_t replay_recorder_end(struct replay_recorder *recorder, struct model *model)
{
	uint64_t wanted = pages_outside(model->machine), nr = 0;

	model->cpu = model->machine->first_cpu % model->nr_cpus;
	while (nr < wanted) {
		struct qr_page *page =
			qr_alloc_pages(model->q, TAKE_GFP(QR_GFP_HIGHUSER_MOVABLE), 0);

		if (!page)
			break;
		qr_page_movable_set(model->q, page, true);
		nr++;
	}
	for (uint64_t i = 0; i < recorder->nr; i++)
		qr___free_pages(model->q, recorder->pages[i], 0);
	replay_recorder_free(recorder);
	return nr;
}

void replay_recorder_free(struct replay_recorder *recorder)
{
	free(recorder->pages);
	memset(recorder, 0, sizeof(*recorder));
}
