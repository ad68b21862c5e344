/* SPDX-License-Identifier: MIT */
/*
 * replay/model.c - an instance of Quire in the state of a recorded machine
 *
 * Built in this order, because each step needs the one before:
 *
 *	1.	memory: the recorded zones, cut at reserved frames, become ranges of an instance,
 *		all free
 *
 *	2.	every frame that was not free is taken, as the block it will be freed as, if that is
 *		known
 *
 *	3.	pageblocks get their types; only now, since two free neighbours would join and share
 *		one
 *
 *	4.	managed pages and tunables as recorded, then those of this replay
 *
 *	5.	the caches get the recorded limits, and the frames that waited in them are freed
 *		on their CPU, the first to leave last
 *
 * The platform is the replay itself: its CPU is the event's, its clock the trace's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay.h"

__attribute__((format(printf, 3, 4))) static int model_fails(struct model *model, int error,
							     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(model->why, sizeof(model->why), format, args);
	va_end(args);
	return error;
}

/* The platform ----------------------------------------------------------------------------- */

static unsigned model_cpu(void *ctx)
{
	return ((struct model *)ctx)->cpu;
}

static uint64_t model_now(void *ctx)
{
	return ((struct model *)ctx)->now_ns;
}

static void model_run_by(void *ctx, uint64_t time_ns)
{
	struct model *model = ctx;

	if (time_ns < model->run_by_ns)
		model->run_by_ns = time_ns;
}

static void model_log(void *ctx, enum qr_log_level level, const char *line)
{
	struct model *model = ctx;

	if (level > QR_LOG_WARN)
		return;
	model->nr_warnings++;
	snprintf(model->last_warning, sizeof(model->last_warning), "%s", line);
}

void model_clock(struct model *model, uint64_t time_ns)
{
	if (time_ns > model->now_ns)
		model->now_ns = time_ns;
	if (model->now_ns < model->run_by_ns)
		return;
	model->run_by_ns = UINT64_MAX;
	model->run_by_ns = qr_run_pending(model->q);
}

/* 1. Memory -------------------------------------------------------------------------------- */

struct ranges {
	struct qr_range *all;
	unsigned nr, room;
};

static int range_add(struct ranges *r, qr_pfn_t start, qr_pfn_t end, const struct state_zone *zone,
		     enum qr_range_kind kind)
{
	if (r->nr == r->room) {
		unsigned room = r->room ? r->room * 2 : 64;
		struct qr_range *all = realloc(r->all, room * sizeof(*all));

		if (!all)
			return -ENOMEM;
		r->all = all;
		r->room = room;
	}
	r->all[r->nr++] = (struct qr_range){
		.start_pfn = start,
		.nr_pages = end - start,
		.nid = zone->nid,
		.kind = kind,
		.hotpluggable = zone->type == QR_ZONE_MOVABLE,
	};
	return 0;
}

/* Is this frame RAM at all?  Without iomem: whatever has a page. */
bool replay_frame_present(const struct replay_machine *m, qr_pfn_t pfn)
{
	if (pfn >= m->frames.nr || FRAME_CLASS(m->frames.class[pfn]) == FRAME_ABSENT)
		return false;
	if (!m->before.nr_ram)
		return true;
	for (unsigned i = 0; i < m->before.nr_ram; i++) {
		if (pfn >= m->before.ram[i].start && pfn < m->before.ram[i].end)
			return true;
	}
	return false;
}

/* What a frame is to the instance: -1 nothing, else enum qr_range_kind. */
static int frame_kind(const struct replay_machine *m, qr_pfn_t pfn)
{
	if (!replay_frame_present(m, pfn))
		return -1;
	return FRAME_CLASS(m->frames.class[pfn]) == FRAME_RESERVED ? QR_RANGE_RESERVED
								   : QR_RANGE_RAM;
}

static int zone_ranges(const struct replay_machine *m, const struct state_zone *zone,
		       struct ranges *r)
{
	qr_pfn_t end = zone->start_pfn + zone->spanned, start = zone->start_pfn;
	int error = 0;

	while (!error && start < end) {
		int kind = frame_kind(m, start);
		qr_pfn_t stop = start + 1;

		while (stop < end && frame_kind(m, stop) == kind)
			stop++;
		if (kind >= 0)
			error = range_add(r, start, stop, zone, (enum qr_range_kind)kind);
		start = stop;
	}
	return error;
}

/* The zones' upper ends, from where the recorded ones end. */
static struct qr_zone_limits limits_of(const struct replay_machine *m)
{
	qr_pfn_t end[QR_ZONE_HIGHMEM + 1] = {0};
	struct qr_zone_limits limits;

	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];
		qr_pfn_t zone_end = zone->start_pfn + zone->spanned;

		if (zone->present && zone->type <= QR_ZONE_HIGHMEM && zone_end > end[zone->type])
			end[zone->type] = zone_end;
		/* zone Movable was carved from the top of the highest zone */
		if (zone->present && zone->type == QR_ZONE_MOVABLE &&
		    zone_end > end[QR_ZONE_NORMAL])
			end[QR_ZONE_NORMAL] = zone_end;
	}
	for (unsigned t = 1; t <= QR_ZONE_HIGHMEM; t++) {
		if (end[t] < end[t - 1])
			end[t] = end[t - 1];
	}
	limits.dma_end = end[QR_ZONE_DMA];
	limits.dma32_end = end[QR_ZONE_DMA32];
	limits.normal_end = end[QR_ZONE_NORMAL];
	limits.highmem_end = end[QR_ZONE_HIGHMEM];
	return limits;
}

static int model_create(struct model *model, struct qr_config *config)
{
	struct qr_error_text why;

	if (qr_metadata_size(config, &model->memory_size, &why) < 0)
		return model_fails(model, -EINVAL, "the recorded machine cannot be built: %.180s",
				   why.text);
	model->memory = mmap(NULL, model->memory_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (model->memory == MAP_FAILED) {
		model->memory = NULL;
		return model_fails(model, -ENOMEM, "no memory for a model of %llu frames",
				   (unsigned long long)model->machine->frames.nr);
	}
	if (qr_create(config, model->memory, model->memory_size, &model->q, &why) < 0)
		return model_fails(model, -EINVAL, "the recorded machine cannot be built: %.180s",
				   why.text);
	return 0;
}

static int build_memory(struct model *model, const struct replay_config *rc)
{
	const struct replay_machine *m = model->machine;
	struct ranges ranges = {0};
	struct qr_config config = {
		.zone_limits = limits_of(m),
		.nr_cpus = model->nr_cpus,
		.engine = rc->engine ? rc->engine : REPLAY_ENGINE,
		.options = QR_OPT_METADATA_ZEROED,
		.platform = {.ctx = model,
			     .cpu_id = model_cpu,
			     .clock_ns = model_now,
			     .run_by = model_run_by,
			     .log = model_log},
	};
	int error = 0;

	for (unsigned z = 0; !error && z < m->before.nr_zones; z++) {
		if (m->before.zones[z].present && m->before.zones[z].type != QR_ZONE_DEVICE)
			error = zone_ranges(m, &m->before.zones[z], &ranges);
		if (m->before.zones[z].present && m->before.zones[z].type == QR_ZONE_MOVABLE)
			config.movable.movable_node = true;
	}
	config.ranges = ranges.all;
	config.nr_ranges = ranges.nr;
	if (!error)
		error = model_create(model, &config);
	else
		model_fails(model, error, "no memory for the list of ranges");
	free(ranges.all);
	return error;
}

/* 2. Frames in use ------------------------------------------------------------------------- */

static bool in_use(const struct replay_machine *m, qr_pfn_t pfn)
{
	return frame_kind(m, pfn) == QR_RANGE_RAM &&
	       FRAME_CLASS(m->frames.class[pfn]) != FRAME_FREE;
}

/* The block to take at pfn: as it will be freed, or as large as fits what will not be. */
static unsigned block_order(const struct replay_machine *m, qr_pfn_t pfn, qr_pfn_t end)
{
	unsigned order = 0;

	if (m->initial_order[pfn])
		return m->initial_order[pfn] - 1u;
	while (order < QR_PAGEBLOCK_ORDER && !(pfn >> order & 1)) {
		qr_pfn_t stop = pfn + (UINT64_C(2) << order), half = pfn + (UINT64_C(1) << order);

		if (stop > end)
			break;
		for (; half < stop; half++) {
			if (m->initial_order[half] || !in_use(m, half) ||
			    m->frames.class[half] != m->frames.class[pfn])
				return order;
		}
		order++;
	}
	return order;
}

static qr_gfp_t gfp_of_class(enum frame_class class)
{
	switch (class) {
	case FRAME_MOVABLE:
		return QR_GFP_HIGHUSER_MOVABLE;
	case FRAME_SLAB:
		return QR_GFP_KERNEL | QR___GFP_RECLAIMABLE;
	default:
		return QR_GFP_KERNEL;
	}
}

static int take_block(struct model *model, qr_pfn_t pfn, unsigned order)
{
	const struct replay_machine *m = model->machine;
	enum frame_class class = FRAME_CLASS(m->frames.class[pfn]);
	struct qr_page *page;
	int error = qr_alloc_pages_at(model->q, pfn, order, gfp_of_class(class), &page);

	if (error)
		return error;
	if (class == FRAME_MOVABLE)
		qr_page_movable_set(model->q, page, true);
	model->frame[pfn] = (uint32_t)pfn;
	model->order[pfn] = (uint8_t)order;
	return 0;
}

static int take_frames(struct model *model)
{
	const struct replay_machine *m = model->machine;
	qr_pfn_t pfn = 0;

	while (pfn < m->frames.nr) {
		unsigned order;

		if (!in_use(m, pfn)) {
			pfn++;
			continue;
		}
		order = block_order(m, pfn, m->frames.nr);
		/* Where the events and the snapshot disagree, frame by frame. */
		if (take_block(model, pfn, order) == 0) {
			pfn += UINT64_C(1) << order;
			continue;
		}
		if (order && take_block(model, pfn, 0) == 0) {
			pfn++;
			continue;
		}
		return model_fails(model, -EINVAL,
				   "frame %#llx was in use, but the model cannot take it",
				   (unsigned long long)pfn);
	}
	return 0;
}

/* 3. Types --------------------------------------------------------------------------------- */

static void set_types(struct model *model)
{
	const struct replay_machine *m = model->machine;

	for (uint64_t n = 0; n < m->nr_frames >> QR_PAGEBLOCK_ORDER; n++) {
		if (m->block_type[n] >= QR_MIGRATE_PCPTYPES ||
		    m->block_type[n] == QR_MIGRATE_MOVABLE)
			continue;
		for (qr_pfn_t pfn = n << QR_PAGEBLOCK_ORDER; pfn < (n + 1) << QR_PAGEBLOCK_ORDER;
		     pfn++) {
			/* the first frame of it that exists */
			if (frame_kind(m, pfn) >= 0) {
				qr_set_pageblock_migratetype(model->q, pfn,
							     (enum qr_migratetype)m->block_type[n]);
				break;
			}
		}
	}
}

/* 4. Sizes and tunables -------------------------------------------------------------------- */

/* Any page of a zone, to name the zone by; NULL: it has none. */
static struct qr_page *page_of_zone(struct model *model, const struct state_zone *zone)
{
	for (qr_pfn_t pfn = zone->start_pfn; pfn < zone->start_pfn + zone->spanned; pfn++) {
		if (model->frame[pfn] == pfn)
			return qr_pfn_to_page(model->q, pfn);
	}
	return NULL;
}

/* A balloon, or memory the kernel never gave to its allocator: present but not managed. */
static void fit_managed(struct model *model)
{
	const struct replay_machine *m = model->machine;

	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];
		struct qr_zone_snapshot snap;
		struct qr_page *page;

		if (!zone->present)
			continue;
		page = page_of_zone(model, zone);
		if (page && qr_zone_snapshot(model->q, zone->nid, zone->type, &snap) == 0)
			qr_adjust_managed_page_count(model->q, page,
						     (int64_t)(zone->managed - snap.managed));
	}
}

static void set_ratios(struct model *model, const char *text)
{
	int32_t ratio[5];
	int n = sscanf(text, "%d %d %d %d %d", &ratio[0], &ratio[1], &ratio[2], &ratio[3],
		       &ratio[4]);

	if (n > 0)
		qr_lowmem_reserve_ratio_set(model->q, ratio, (unsigned)n);
}

static int set_tunables(struct model *model, const struct replay_config *rc)
{
	const struct state *before = &model->machine->before;

	for (unsigned i = 0; i < before->nr_sysctls; i++) {
		const struct state_sysctl *s = &before->sysctls[i];
		enum qr_tunable t = qr_tunable_find(s->name);

		if (t == QR_TUNE_LOWMEM_RESERVE_RATIO)
			set_ratios(model, s->value);
		else if (t != QR_NR_TUNABLES && qr_tunable_info(t)->scalar)
			qr_tunable_set(model->q, t, strtoll(s->value, NULL, 10));
	}
	for (unsigned i = 0; i < rc->nr_settings; i++) {
		if (qr_tunable_set(model->q, rc->settings[i].tunable, rc->settings[i].value) < 0)
			return model_fails(model, -EINVAL, "%s cannot be set to %lld",
					   qr_tunable_info(rc->settings[i].tunable)->name,
					   (long long)rc->settings[i].value);
	}
	return 0;
}

/* 5. Caches -------------------------------------------------------------------------------- */

/* However full a cache gets, nothing leaves it while it is being filled. */
static void cache_one(struct model *model, const struct replay_cached *c)
{
	const struct state_zone *zone = state_zone_of(&model->machine->before, c->pfn);
	struct qr_zone *mine = zone ? qr_zone_at(model->q, zone->nid, zone->type) : NULL;

	if (!mine || model->frame[c->pfn] != c->pfn || model->order[c->pfn] != c->order)
		return;
	model->cpu = c->cpu % model->nr_cpus;
	model->frame[c->pfn] = MODEL_NONE;
	qr_zone_pcp_high_set(mine, model->cpu, UINT32_MAX);
	qr___free_pages(model->q, qr_pfn_to_page(model->q, c->pfn), c->order);
}

/* The caches had grown, or shrunk, with what the machine did before. */
static void set_limits(struct model *model)
{
	const struct replay_machine *m = model->machine;

	for (unsigned z = 0; z < m->before.nr_zones; z++) {
		const struct state_zone *zone = &m->before.zones[z];
		struct qr_zone *mine = qr_zone_at(model->q, zone->nid, zone->type);

		for (unsigned cpu = 0; mine && cpu < model->nr_cpus; cpu++)
			qr_zone_pcp_high_set(mine, cpu,
					     cpu < zone->nr_cpus ? zone->cpu_high[cpu] : 0);
	}
}

/* What was to leave last goes in last, so that it lies at the warm end. */
static void fill_caches(struct model *model)
{
	const struct replay_machine *m = model->machine;

	for (uint64_t i = 0; i < m->nr_cached; i++) {
		if (m->cached[i].heat == REPLAY_COLD)
			cache_one(model, &m->cached[i]);
	}
	for (uint64_t i = 0; i < m->nr_cached; i++) {
		if (m->cached[i].heat == REPLAY_LUKEWARM)
			cache_one(model, &m->cached[i]);
	}
	for (uint64_t i = m->nr_cached; i-- > 0;) {
		if (m->cached[i].heat == REPLAY_WARM)
			cache_one(model, &m->cached[i]);
	}
	set_limits(model);
}

/* All of it -------------------------------------------------------------------------------- */

static int model_maps(struct model *model)
{
	uint64_t nr = model->machine->nr_frames + 1;

	model->frame = malloc(nr * sizeof(*model->frame));
	model->order = calloc(nr, sizeof(*model->order));
	if (!model->frame || !model->order)
		return model_fails(model, -ENOMEM, "no memory for the map of %llu frames",
				   (unsigned long long)nr);
	memset(model->frame, 0xff, nr * sizeof(*model->frame));
	return 0;
}

int model_build(struct model *model, const struct replay_machine *m, const struct replay_config *rc)
{
	int error;

	memset(model, 0, sizeof(*model));
	model->machine = m;
	model->run_by_ns = UINT64_MAX;
	model->now_ns = m->trace->totals.first_ns;
	model->nr_cpus = rc->nr_cpus ? rc->nr_cpus : m->nr_cpus;
	error = model_maps(model);
	if (!error)
		error = build_memory(model, rc);
	if (!error)
		error = take_frames(model);
	if (error)
		return error;
	set_types(model);
	fit_managed(model);
	error = set_tunables(model, rc);
	if (!error)
		fill_caches(model);
	model->cpu = 0;
	return error;
}

void model_free(struct model *model)
{
	if (model->q)
		qr_destroy(model->q);
	if (model->memory)
		munmap(model->memory, model->memory_size);
	free(model->frame);
	free(model->order);
	model->q = NULL;
	model->memory = NULL;
	model->frame = NULL;
	model->order = NULL;
}
