/* SPDX-License-Identifier: MIT */
/*
 * replay/outcome.c - the model's end beside the machine's
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static uint64_t huge_blocks(const uint64_t *blocks)
{
	uint64_t nr = 0;

	for (unsigned o = QR_PAGEBLOCK_ORDER; o < REPLAY_ORDERS; o++)
		nr += blocks[o] << (o - QR_PAGEBLOCK_ORDER);
	return nr;
}

/* Start -------------------------------------------------------------------------------------- */

static int result_zones(const struct replay_machine *m, struct replay_result *r)
{
	r->zones = calloc(m->before.nr_zones + 1, sizeof(*r->zones));
	if (!r->zones)
		return -ENOMEM;
	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];

		if (!zone->present || zone->type == QR_ZONE_DEVICE)
			continue;
		r->zones[r->nr_zones].nid = zone->nid;
		r->zones[r->nr_zones].type = zone->type;
		r->zones[r->nr_zones].managed = zone->managed;
		r->zones[r->nr_zones].start_machine_free = zone->free;
		r->start_2m.machine += huge_blocks(zone->blocks);
		r->nr_zones++;
	}
	return 0;
}

int replay_start(const struct replay_machine *m, struct model *model, struct replay_result *r)
{
	if (result_zones(m, r) < 0)
		return -ENOMEM;
	r->nr_blocks = m->nr_frames >> QR_PAGEBLOCK_ORDER;
	r->map_before = replay_map_model(model, r);
	if (!r->map_before)
		return -ENOMEM;
	for (unsigned z = 0; z < r->nr_zones; z++) {
		struct replay_zone_end *end = &r->zones[z];
		struct qr_zone_snapshot snap;

		if (qr_zone_snapshot(model->q, end->nid, end->type, &snap) < 0)
			continue;
		end->start_model_free = snap.nr_free;
		memcpy(end->start_blocks, snap.nr_blocks, sizeof(end->start_blocks));
		end->start_2m = huge_blocks(snap.nr_blocks);
		r->start_free_pages.model += snap.nr_free;
		r->start_free_pages.machine += end->start_machine_free;
		r->start_2m.model += end->start_2m;
	}
	return 0;
}

/* End ---------------------------------------------------------------------------------------- */

static void zone_machine_end(const struct replay_machine *m, struct replay_zone_end *end)
{
	const struct state_zone *zone =
		m->has_after ? state_zone(&m->after, end->nid, end->type) : NULL;

	if (!zone)
		return;
	/* buddyinfo and zoneinfo were read one after the other; the blocks are what is compared */
	for (unsigned o = 0; o < REPLAY_ORDERS && o < zone->nr_orders; o++) {
		end->machine_blocks[o] = zone->blocks[o];
		end->machine_free += zone->blocks[o] << o;
	}
	end->machine_pcp = zone->pcp_count;
	end->machine_2m = huge_blocks(end->machine_blocks);
	memcpy(end->machine_types, zone->pageblocks, sizeof(end->machine_types));
}

/* A run of free frames is what the buddy system made of it: blocks as large as alignment allows. */
static void count_run(uint64_t *blocks, qr_pfn_t start, qr_pfn_t end)
{
	while (start < end) {
		unsigned order = 0;

		while (order + 1 < REPLAY_ORDERS && !(start >> order & 1) &&
		       (UINT64_C(2) << order) <= end - start)
			order++;
		blocks[order]++;
		start += UINT64_C(1) << order;
	}
}

void replay_count_free(const struct frame_map *frames, const struct state_zone *zone,
		       uint64_t *blocks)
{
	qr_pfn_t stop = zone->start_pfn + zone->spanned;
	qr_pfn_t pfn, free_from;

	if (stop > frames->nr)
		stop = frames->nr;
	for (pfn = free_from = zone->start_pfn; pfn < stop; pfn++) {
		if (FRAME_CLASS(frames->class[pfn]) == FRAME_FREE)
			continue;
		count_run(blocks, free_from, pfn);
		free_from = pfn + 1;
	}
	if (pfn == stop)
		count_run(blocks, free_from, stop);
}

static void zone_frames_end(const struct replay_machine *m, struct replay_zone_end *end)
{
	const struct state_zone *zone = state_zone(&m->before, end->nid, end->type);

	if (m->has_frames_after && zone)
		replay_count_free(&m->frames_after, zone, end->frames_blocks);
}

static void zone_model_end(struct model *model, struct replay_zone_end *end)
{
	struct qr_zone_snapshot snap;

	if (qr_zone_snapshot(model->q, end->nid, end->type, &snap) < 0)
		return;
	end->model_free = snap.nr_free;
	end->model_pcp = snap.nr_pcp_pages;
	memcpy(end->model_blocks, snap.nr_blocks, sizeof(end->model_blocks));
	end->model_2m = huge_blocks(snap.nr_blocks);
	memcpy(end->model_types, snap.nr_pageblocks, sizeof(end->model_types));
	end->fragindex = qr_fragmentation_index(model->q, end->nid, end->type, QR_PAGEBLOCK_ORDER);
	end->unusable = qr_unusable_free_index(model->q, end->nid, end->type, QR_PAGEBLOCK_ORDER);
}

int replay_outcome(const struct replay_machine *m, struct model *model, struct replay_result *r)
{
	struct qr_error_text why = {{0}};

	for (unsigned z = 0; z < r->nr_zones; z++) {
		struct replay_zone_end *end = &r->zones[z];

		zone_model_end(model, end);
		zone_machine_end(m, end);
		zone_frames_end(m, end);
		r->free_pages.model += end->model_free;
		r->free_pages.machine += end->machine_free;
		r->free_2m.model += end->model_2m;
		r->free_2m.machine += end->machine_2m;
		r->pcp_pages.model += end->model_pcp;
		r->pcp_pages.machine += end->machine_pcp;
	}
	r->check = qr_check(model->q, &why);
	snprintf(r->check_why, sizeof(r->check_why), "%s", why.text);
	if (replay_maps(m, model, r) < 0) {
		snprintf(r->why, sizeof(r->why), "no memory for the maps");
		return -ENOMEM;
	}
	return 0;
}
