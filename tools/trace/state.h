/* SPDX-License-Identifier: MIT */
/*
 * trace/state.h - what a machine's own files said about its memory at one moment
 *
 * Parsed from the saved /proc/{zoneinfo,buddyinfo,pagetypeinfo,vmstat,iomem,kpageflags} and sysctls
 * of a trace.  Lines and fields that are not known are passed over: kernels differ.  What is known
 * but makes no sense is an error that names file and line.
 */
#ifndef QUIRE_TRACE_STATE_H
#define QUIRE_TRACE_STATE_H

#include "qtrace.h"

#define STATE_MAX_ORDERS 20
#define STATE_MAX_CPUS 256
#define STATE_MAX_ZONES (QR_MAX_NODES * QR_NR_ZONES)

struct state_zone {
	int nid;
	enum qr_zone_type type;
	uint64_t start_pfn, spanned, present, managed, cma;
	uint64_t free, boost, min, low, high; /* marks with the boost */
	uint64_t nr_free_cma;
	uint64_t pcp_count; /* of all CPUs */
	uint64_t pcp_high_min, pcp_high_max, pcp_batch;
	unsigned nr_cpus; /* that have a pageset here */
	uint32_t cpu_count[STATE_MAX_CPUS], cpu_high[STATE_MAX_CPUS];
	unsigned nr_orders; /* of the next two; 0: buddyinfo does not list this zone */
	uint64_t blocks[STATE_MAX_ORDERS];
	uint64_t type_blocks[QR_MIGRATE_TYPES][STATE_MAX_ORDERS]; /* from pagetypeinfo */
	uint64_t pageblocks[QR_MIGRATE_TYPES];
	bool has_pageblocks;
};

struct state_sysctl {
	char name[48]; /* without "vm." */
	char value[80];
};

struct state {
	const char *when; /* "before" or "after", for messages */
	struct state_zone *zones;
	unsigned nr_zones;
	unsigned pageblock_order; /* 0: not told */
	struct {
		qr_pfn_t start, end;
	} * ram; /* System RAM of iomem, in pfns */
	unsigned nr_ram;
	struct state_sysctl *sysctls;
	unsigned nr_sysctls;
	char *vmstat; /* the text itself */
	char why[256];
};

/* 0, -ENOENT: the trace has no such state; or a negative errno with a sentence in .why. */
int state_read(struct state *s, struct qtrace *trace, enum qtrace_when when);
void state_free(struct state *s);

const struct state_zone *state_zone(const struct state *s, int nid, enum qr_zone_type type);
/* The zone that spans pfn and has memory; NULL: none. */
const struct state_zone *state_zone_of(const struct state *s, qr_pfn_t pfn);
/* A counter of vmstat; false: it is not there. */
bool state_vmstat(const struct state *s, const char *name, uint64_t *value);
const char *state_sysctl(const struct state *s, const char *name);

/* kpageflags ------------------------------------------------------------------------------- */

#define KPF_LRU (UINT64_C(1) << 5)
#define KPF_SLAB (UINT64_C(1) << 7)
#define KPF_BUDDY (UINT64_C(1) << 10)
#define KPF_MMAP (UINT64_C(1) << 11)
#define KPF_ANON (UINT64_C(1) << 12)
#define KPF_COMPOUND_HEAD (UINT64_C(1) << 15)
#define KPF_COMPOUND_TAIL (UINT64_C(1) << 16)
#define KPF_HUGE (UINT64_C(1) << 17)
#define KPF_UNEVICTABLE (UINT64_C(1) << 18)
#define KPF_HWPOISON (UINT64_C(1) << 19)
#define KPF_NOPAGE (UINT64_C(1) << 20)
#define KPF_KSM (UINT64_C(1) << 21)
#define KPF_THP (UINT64_C(1) << 22)
#define KPF_OFFLINE (UINT64_C(1) << 23)
#define KPF_ZERO_PAGE (UINT64_C(1) << 24)
#define KPF_PGTABLE (UINT64_C(1) << 26)
#define KPF_RESERVED (UINT64_C(1) << 32)

/* kpageflags boiled down to a byte a frame. */
enum frame_class {
	FRAME_ABSENT, /* no page */
	FRAME_FREE, /* in the buddy lists */
	FRAME_RESERVED, /* never the allocator's */
	FRAME_OFFLINE, /* taken by a balloon */
	FRAME_MOVABLE, /* in use, on an LRU list */
	FRAME_SLAB, /* in use by the slab allocator */
	FRAME_PGTABLE,
	FRAME_HUGE,
	FRAME_OTHER, /* in use, or in a per-CPU cache: nothing tells them apart */
	FRAME_NR_CLASSES
};

struct frame_map {
	uint8_t *class; /* enum frame_class; bit 7: tail of a compound page */
	uint64_t nr;
};

#define FRAME_TAIL 0x80u
#define FRAME_CLASS(byte) ((enum frame_class)((byte)&0x7f))

/* As state_read(); frees what it no longer needs of the trace. */
int frame_map_read(struct frame_map *map, struct qtrace *trace, enum qtrace_when when,
		   char why[256]);
void frame_map_free(struct frame_map *map);

#endif /* QUIRE_TRACE_STATE_H */
