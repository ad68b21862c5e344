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
 *
 * A file system may take large blocks for a file, whole pageblocks even, which come from other
 * places than single pages do.  kpageflags shows them: blocks that no event left in use, free in
 * the first snapshot if no event names them, on an LRU list in the second.
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

/* Free after the last event, in the page cache or the like in the second snapshot. */
static bool taken_outside(const struct replay_machine *m, qr_pfn_t pfn, bool tail)
{
	bool was_free =
		m->fate[pfn] == REPLAY_FREED || (m->fate[pfn] == REPLAY_UNTOUCHED &&
						 FRAME_CLASS(m->frames.class[pfn]) == FRAME_FREE);

	return was_free && m->frames_after.class[pfn] == (FRAME_MOVABLE | (tail ? FRAME_TAIL : 0));
}

/* Of the block that begins at pfn; a single page has order 0. */
static unsigned outside_order(const struct replay_machine *m, qr_pfn_t pfn, qr_pfn_t end)
{
	qr_pfn_t stop = pfn + 1;
	unsigned order = 0;

	while (stop < end && taken_outside(m, stop, true))
		stop++;
	while (order + 1 < REPLAY_ORDERS && !(pfn >> order & 1) &&
	       pfn + (UINT64_C(2) << order) <= stop)
		order++;
	return order;
}

void replay_outside_blocks(struct replay_machine *m)
{
	qr_pfn_t end = m->frames.nr < m->frames_after.nr ? m->frames.nr : m->frames_after.nr;
	qr_pfn_t pfn = 0;

	while (m->has_frames_after && pfn < end) {
		unsigned order = taken_outside(m, pfn, false) ? outside_order(m, pfn, end) : 0;

		m->outside_blocks[order] += order > 0;
		pfn += UINT64_C(1) << order;
	}
}

/* One block that stays in use; false: there is none to be had. */
static bool take_outside(struct model *model, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(model->q, TAKE_GFP(QR_GFP_HIGHUSER_MOVABLE), order);

	if (page)
		qr_page_movable_set(model->q, page, true);
	return page != NULL;
}

/* Large blocks, as long as they are not more than was taken in all; returns their pages. */
static uint64_t take_outside_large(struct model *model, uint64_t wanted)
{
	uint64_t nr = 0;

	for (unsigned order = REPLAY_ORDERS - 1; order > 0; order--) {
		for (uint64_t i = 0; i < model->machine->outside_blocks[order]; i++) {
			if (nr + (UINT64_C(1) << order) > wanted || !take_outside(model, order))
				break;
			nr += UINT64_C(1) << order;
		}
	}
	return nr;
}

void replay_recorder_end(struct replay_recorder *recorder, struct model *model,
			 struct replay_result *r)
{
	uint64_t wanted = pages_outside(model->machine);

	model->cpu = model->machine->first_cpu % model->nr_cpus;
	r->outside_large = take_outside_large(model, wanted);
	r->outside_pages = r->outside_large;
	while (r->outside_pages < wanted && take_outside(model, 0))
		r->outside_pages++;
	for (uint64_t i = 0; i < recorder->nr; i++)
		qr___free_pages(model->q, recorder->pages[i], 0);
	replay_recorder_free(recorder);
}

void replay_recorder_free(struct replay_recorder *recorder)
{
	free(recorder->pages);
	memset(recorder, 0, sizeof(*recorder));
}
