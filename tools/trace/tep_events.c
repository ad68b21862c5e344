/* SPDX-License-Identifier: MIT */
/*
 * trace/tep_events.c - raw kernel events, decoded with libtraceevent
 */
#include <string.h>

#include "tep_events.h"

static struct tep_format_field *field(struct tep_event *event, const char *name, const char *other)
{
	struct tep_format_field *f = tep_find_any_field(event, name);

	return f || !other ? f : tep_find_any_field(event, other);
}

static void find_fields(struct tep_layout *l)
{
	l->pfn = field(l->event, "pfn", NULL);
	l->order = field(l->event, "order", "alloc_order");
	l->migratetype = field(l->event, "migratetype", "alloc_migratetype");
	l->gfp = field(l->event, "gfp_flags", NULL);
	l->fallback_order = field(l->event, "fallback_order", NULL);
	l->fallback_type = field(l->event, "fallback_migratetype", NULL);
	l->change_ownership = field(l->event, "change_ownership", NULL);
}

bool tep_events_find(struct tep_events *te, struct tep_handle *tep)
{
	memset(te, 0, sizeof(*te));
	te->tep = tep;
	for (unsigned kind = 0; kind < TRACE_LOST; kind++) {
		struct tep_layout *l = &te->layout[kind];

		l->event = tep_find_event_by_name(tep, "kmem", trace_kind_name(kind));
		if (l->event)
			find_fields(l);
	}
	if (!te->layout[TRACE_ALLOC].event || !te->layout[TRACE_FREE].event)
		return false;
	import_gfp_map_parse(&te->gfp_map, te->layout[TRACE_ALLOC].event->print_fmt.format);
	return true;
}

static uint64_t value(struct tep_format_field *f, const void *data)
{
	unsigned long long v = 0;

	return f && tep_read_number_field(f, data, &v) == 0 ? v : 0;
}

static const struct tep_layout *layout_of(const struct tep_events *te, int id,
					  enum trace_kind *kind)
{
	for (unsigned k = 0; k < TRACE_LOST; k++) {
		if (te->layout[k].event && te->layout[k].event->id == id) {
			*kind = k;
			return &te->layout[k];
		}
	}
	return NULL;
}

bool tep_events_decode(const struct tep_events *te, void *data, int size,
		       struct import_stats *stats, struct trace_event *e, int *pid,
		       const char **comm)
{
	struct tep_record record = {.data = data, .size = size};
	enum trace_kind kind;
	const struct tep_layout *l = layout_of(te, tep_data_type(te->tep, &record), &kind);

	if (!l)
		return false;
	*pid = tep_data_pid(te->tep, &record);
	*comm = tep_data_comm_from_pid(te->tep, *pid);
	if (!*comm)
		*comm = "";
	e->kind = (uint8_t)kind;
	e->pfn = value(l->pfn, data);
	/* -1: the allocation failed */
	if (kind == TRACE_ALLOC && e->pfn == UINT64_MAX)
		e->pfn = QR_PFN_NONE;
	e->order = (uint8_t)value(l->order, data);
	e->migratetype = (uint8_t)value(l->migratetype, data);
	e->gfp = import_gfp_bits(&te->gfp_map, value(l->gfp, data), stats);
	e->fallback_order = (uint8_t)value(l->fallback_order, data);
	e->fallback_type = (uint8_t)value(l->fallback_type, data);
	e->change_ownership = (uint8_t)value(l->change_ownership, data);
	return true;
}
