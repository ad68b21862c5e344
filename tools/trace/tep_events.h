/* SPDX-License-Identifier: MIT */
/*
 * trace/tep_events.h - raw kernel events, decoded with libtraceevent
 *
 * Where a field lies in a raw event differs between kernels; the kernel's own descriptions say it.
 * They are looked up once, by name.
 */
#ifndef QUIRE_TRACE_TEP_EVENTS_H
#define QUIRE_TRACE_TEP_EVENTS_H

/* Its enum has a value that ISO C finds too large. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <event-parse.h>
#pragma GCC diagnostic pop

#include "import.h"

struct tep_layout {
	struct tep_event *event; /* NULL: this kernel does not have it */
	struct tep_format_field *pfn, *order, *migratetype, *gfp;
	struct tep_format_field *fallback_order, *fallback_type, *change_ownership;
};

struct tep_events {
	struct tep_handle *tep;
	struct tep_layout layout[TRACE_LOST];
	struct import_gfp_map gfp_map;
};

/* False: there is no mm_page_alloc or no mm_page_free, so there is nothing to replay. */
bool tep_events_find(struct tep_events *te, struct tep_handle *tep);

/*
 * Decode one raw event, but not its time and CPU, nor the number of its task, whose pid and name
 * are given; false: it is none of ours.
 */
bool tep_events_decode(const struct tep_events *te, void *data, int size,
		       struct import_stats *stats, struct trace_event *e, int *pid,
		       const char **comm);

#endif /* QUIRE_TRACE_TEP_EVENTS_H */
