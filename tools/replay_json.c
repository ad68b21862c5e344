/* SPDX-License-Identifier: MIT */
/*
 * replay_json.c - a replay as JSON; quire-replay(1) documents the fields
 */
#include "replay_report.h"

static json_t *pair(uint64_t model, uint64_t machine, bool known)
{
	json_t *object = json_object();

	json_put_number(object, "model", model);
	json_put(object, "machine", known ? json_integer((json_int_t)machine) : json_null());
	return object;
}

static json_t *orders(const struct replay_machine *m, const struct replay_result *r)
{
	json_t *rows = json_array();

	for (unsigned z = 0; z < r->nr_zones; z++) {
		for (unsigned o = 0; o < REPLAY_ORDERS; o++) {
			json_t *row = pair(r->zones[z].model_blocks[o],
					   r->zones[z].machine_blocks[o], m->has_after);
			uint64_t frames = r->zones[z].frames_blocks[o];

			json_put(row, "node", json_integer(r->zones[z].nid));
			json_put_text(row, "zone", qr_zone_type_name(r->zones[z].type));
			json_put_number(row, "order", o);
			json_put(row, "kpageflags",
				 m->has_frames_after ? json_integer((json_int_t)frames)
						     : json_null());
			json_array_append_new(rows, row);
		}
	}
	return rows;
}

static json_t *types(const uint64_t *model, const uint64_t *machine, bool known)
{
	json_t *object = json_object();

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (model[t] || machine[t])
			json_put(object, qr_migratetype_name((enum qr_migratetype)t),
				 pair(model[t], machine[t], known));
	}
	return object;
}

static json_t *zones(const struct replay_result *r, bool known)
{
	json_t *rows = json_array();

	for (unsigned z = 0; z < r->nr_zones; z++) {
		const struct replay_zone_end *end = &r->zones[z];
		json_t *row = json_object();

		json_put(row, "node", json_integer(end->nid));
		json_put_text(row, "zone", qr_zone_type_name(end->type));
		json_put_number(row, "managed", end->managed);
		json_put(row, "free_pages", pair(end->model_free, end->machine_free, known));
		json_put(row, "free_2m", pair(end->model_2m, end->machine_2m, known));
		json_put(row, "pcp_pages", pair(end->model_pcp, end->machine_pcp, known));
		json_put(row, "pageblocks", types(end->model_types, end->machine_types, known));
		json_put_real(row, "fragmentation_index", end->fragindex / 1000.0);
		json_put_real(row, "unusable_index", end->unusable / 1000.0);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *end(const struct replay_machine *m, const struct replay_result *r)
{
	json_t *object = json_object();

	json_put(object, "free_pages",
		 pair(r->free_pages.model, r->free_pages.machine, m->has_after));
	json_put(object, "free_2m", pair(r->free_2m.model, r->free_2m.machine, m->has_after));
	json_put(object, "pcp_pages", pair(r->pcp_pages.model, r->pcp_pages.machine, m->has_after));
	json_put(object, "orders", orders(m, r));
	json_put(object, "zones", zones(r, m->has_after));
	return object;
}

/* Why free pages differ at the end; quire-replay(1) names the rows. */
static json_t *books(const struct replay_machine *m, const struct replay_result *r)
{
	const struct replay_books *b = &r->books;
	json_t *object;

	if (!m->has_after || r->interrupted)
		return json_null();
	object = json_object();
	json_put(object, "difference", json_integer(b->difference));
	json_put(object, "waiting", json_integer(b->waiting));
	json_put(object, "unfound", json_integer(b->unfound));
	json_put(object, "between", json_integer(b->between));
	json_put(object, "unplaced", json_integer(b->unplaced));
	json_put(object, "outside", json_integer(b->outside));
	json_put(object, "rest", json_integer(b->rest));
	json_put_flag(object, "outside_known", b->outside_known);
	return object;
}

static json_t *recorder(const struct replay_machine *m, const struct replay_result *r)
{
	json_t *object = json_object();

	json_put_number(object, "buffer_pages", r->recorder_pages);
	json_put_number(object, "outside_pages", r->outside_pages);
	json_put_number(object, "outside_large", r->outside_large);
	json_put_number(object, "passing_pages", replay_pages_passing(m, r));
	return object;
}

static json_t *cached(const struct replay_machine *m, const struct replay_result *r)
{
	struct replay_limits l = replay_limits(m, r);
	json_t *object = json_object();

	json_put_number(object, "machine", l.cached);
	json_put_number(object, "known", l.cached_known);
	json_put_number(object, "guessed", l.cached_guessed);
	json_put_number(object, "no_room", l.no_room);
	return object;
}

static json_t *start(const struct replay_machine *m, const struct replay_result *r)
{
	json_t *object = json_object();

	json_put(object, "free_pages",
		 pair(r->start_free_pages.model, r->start_free_pages.machine, true));
	json_put(object, "free_2m", pair(r->start_2m.model, r->start_2m.machine, true));
	json_put(object, "cached", cached(m, r));
	return object;
}

static json_t *series(const struct replay_result *r)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < r->nr_samples; i++) {
		const struct replay_sample *s = &r->samples[i];
		json_t *row = json_object();

		json_put_real(row, "time", (double)(s->time_ns - r->samples[0].time_ns) / 1e9);
		json_put_number(row, "events", s->nr_events);
		json_put_number(row, "free_pages", s->free_pages);
		json_put_number(row, "free_2m", s->free_2m);
		json_put_number(row, "pcp_pages", s->pcp_pages);
		json_put(row, "orders", json_numbers(s->order_blocks, REPLAY_ORDERS));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *unplaced(const struct replay_result *r)
{
	json_t *object = json_object();

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		json_put_number(object, replay_cause_name(c), r->unplaced[c]);
	return object;
}

static json_t *settings(const struct replay_result *r)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < r->nr_settings; i++)
		json_put(object, qr_tunable_info(r->settings[i].tunable)->name,
			 json_integer((json_int_t)r->settings[i].value));
	return object;
}

static json_t *type_names_to_numbers(const uint64_t *numbers)
{
	json_t *object = json_object();

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (numbers[t])
			json_put_number(object, qr_migratetype_name((enum qr_migratetype)t),
					numbers[t]);
	}
	return object;
}

/* Blocks by order and migratetype, pages by zone. */
static json_t *traffic(const uint64_t blocks[REPLAY_ORDERS][QR_MIGRATE_TYPES],
		       const uint64_t pages[QR_NR_ZONES])
{
	json_t *object = json_object(), *rows = json_array(), *zones = json_object();

	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		json_array_append_new(rows, type_names_to_numbers(blocks[o]));
	for (unsigned t = 0; t < QR_NR_ZONES; t++) {
		if (pages[t])
			json_put_number(zones, qr_zone_type_name((enum qr_zone_type)t), pages[t]);
	}
	json_put(object, "orders", rows);
	json_put(object, "zone_pages", zones);
	return object;
}

static json_t *stages(const struct replay_result *r)
{
	json_t *object = json_object();

	for (unsigned s = 0; s < QR_NR_SLOW_STAGES; s++) {
		if (r->stages[s])
			json_put_number(object, qr_slowpath_stage_name((enum qr_slowpath_stage)s),
					r->stages[s]);
	}
	return object;
}

static json_t *watermarks(const struct qr_alloc_stats *stats)
{
	static const char *const names[QR_NR_WMARK] = {
		[QR_WMARK_MIN] = "min",
		[QR_WMARK_LOW] = "low",
		[QR_WMARK_HIGH] = "high",
		[QR_WMARK_PROMO] = "promo",
	};
	json_t *object = json_object();

	for (unsigned w = 0; w < QR_NR_WMARK; w++)
		json_put_number(object, names[w], stats->wmark_failed[w]);
	return object;
}

static json_t *first_unplaced(const struct replay_result *r)
{
	json_t *object = json_object();

	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++) {
		const struct replay_place *place = &r->first_unplaced[c];
		json_t *row;

		if (!r->unplaced[c])
			continue;
		row = json_object();
		json_put_number(row, "event", place->event);
		json_put_real(row, "time",
			      (double)(int64_t)(place->time_ns - r->samples[0].time_ns) / 1e9);
		json_put_number(row, "pfn", place->pfn);
		json_put(object, replay_cause_name(c), row);
	}
	return object;
}

json_t *replay_json(const struct replay_machine *m, const struct replay_result *r)
{
	json_t *object = json_object();

	json_put_text(object, "label", replay_label(r).text);
	json_put_text(object, "engine", r->engine);
	json_put_number(object, "cpus", r->nr_cpus);
	json_put(object, "settings", settings(r));
	json_put_flag(object, "interrupted", r->interrupted);
	json_put_number(object, "events", r->nr_events);
	json_put_real(object, "seconds", r->seconds);
	json_put_real(object, "events_per_second", replay_speed(r));
	json_put_number(object, "lost", r->nr_lost);
	json_put(object, "unplaced", unplaced(r));
	json_put(object, "first_unplaced", first_unplaced(r));
	json_put_number(object, "backward", r->nr_backward);
	json_put_number(object, "unknown_cpus", r->nr_unknown_cpus);
	json_put(object, "fallbacks", pair(r->model_fallbacks, r->machine_fallbacks, true));
	json_put(object, "claims", pair(r->model_claims, r->machine_claims, true));
	json_put(object, "drained_pages", pair(r->model_drains, r->machine_drains, true));
	json_put_number(object, "pcp_hits", r->stats.pcp_hits);
	json_put_real(object, "pcp_hit_rate", replay_hit_rate(r));
	json_put_number(object, "zone_locks", r->stats.zone_locks);
	json_put_number(object, "zone_lock_contended", r->stats.zone_lock_contended);
	json_put_number(object, "slowpath", r->stats.slowpath);
	json_put(object, "slowpath_stages", stages(r));
	json_put(object, "watermark_failed", watermarks(&r->stats));
	json_put(object, "allocations", traffic(r->allocs, r->zone_allocs));
	json_put(object, "freed", traffic(r->freed, r->zone_frees));
	json_put(object, "frees", json_numbers(r->frees, REPLAY_ORDERS));
	json_put_number(object, "least_free_2m", replay_least_2m(r));
	json_put_number(object, "frames_differ", r->frames_differ);
	json_put(object, "recorder", recorder(m, r));
	json_put(object, "start", start(m, r));
	json_put(object, "end", end(m, r));
	json_put(object, "books", books(m, r));
	json_put(object, "series", series(r));
	return object;
}
