/* SPDX-License-Identifier: MIT */
/*
 * show.h - the views of `quire show`
 */
#ifndef QUIRE_TOOLS_SHOW_H
#define QUIRE_TOOLS_SHOW_H

#include <jansson.h>
#include <quire/inspect.h>

#include "machine.h"
#include "term.h"

/* The version of all show documents; see quire-show(1). */
enum { SHOW_VERSION = 1 };

/* What can be mapped: zones, and their pageblocks.  An instance is one such thing. */
struct show_zone {
	int nid;
	const char *name;
	qr_pfn_t start_pfn, end_pfn;
	uint64_t managed, nr_free;
	enum qr_zone_type type;
};

typedef void show_zone_visit(void *arg, const struct show_zone *zone);
typedef int show_block_visit(void *arg, const struct qr_pageblock_info *info);

struct show_source {
	void (*each_zone)(const struct show_source *source, show_zone_visit *visit, void *arg);
	void (*each_block)(const struct show_source *source, const struct show_zone *zone,
			   show_block_visit *visit, void *arg);
	void *of;
};

struct show_source show_instance(struct quire *q);

/* The views as JSON documents. */
json_t *show_buddyinfo_json(struct quire *q);
json_t *show_pagetypeinfo_json(struct quire *q);
json_t *show_zoneinfo_json(struct quire *q);
json_t *show_vmstat_json(const char *text);
json_t *show_map_json(const struct show_source *source);
json_t *show_machine_json(const struct machine *machine, struct quire *q);

/* A text view of the library, allocated; NULL: no memory. */
char *show_text(struct quire *q, size_t (*view)(struct quire *q, char *buf, size_t size));

/* The pageblocks of every zone, nr_per_cell of them to a character (0: so many that it fits). */
void show_map(const struct show_source *source, const struct term *term, unsigned nr_per_cell);

/* The description, and what became of it as comments. */
void show_machine(const struct machine *machine, struct quire *q);

/* Call visit for each zone that has memory, node by node. */
void show_each_zone(struct quire *q,
		    void (*visit)(void *arg, struct quire *q, const struct qr_zone_snapshot *zone),
		    void *arg);

#endif /* QUIRE_TOOLS_SHOW_H */
