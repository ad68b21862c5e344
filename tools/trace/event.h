/* SPDX-License-Identifier: MIT */
/*
 * trace/event.h - one event of a machine's page traffic
 */
#ifndef QUIRE_TRACE_EVENT_H
#define QUIRE_TRACE_EVENT_H

#include <quire/types.h>

enum trace_kind {
	TRACE_ALLOC, /* kmem:mm_page_alloc */
	TRACE_FREE, /* kmem:mm_page_free */
	TRACE_FREE_BATCHED, /* kmem:mm_page_free_batched */
	TRACE_EXTFRAG, /* kmem:mm_page_alloc_extfrag */
	TRACE_DRAIN, /* kmem:mm_page_pcpu_drain */
	TRACE_LOST, /* the recorder lost .lost events here */
	TRACE_NR_KINDS
};

struct trace_event {
	uint64_t time_ns;
	qr_pfn_t pfn; /* QR_PFN_NONE: the allocation failed */
	uint64_t lost; /* LOST only */
	qr_gfp_t gfp; /* ALLOC only, in Quire's bits */
	uint32_t task; /* number of the task in the trace's table */
	uint16_t cpu;
	uint8_t kind; /* enum trace_kind */
	uint8_t order; /* EXTFRAG: that was asked for */
	uint8_t migratetype; /* ALLOC, DRAIN; EXTFRAG: that was asked for */
	uint8_t fallback_order, fallback_type; /* EXTFRAG only */
	uint8_t change_ownership; /* EXTFRAG only */
};

/* "mm_page_alloc", ...; "lost". */
const char *trace_kind_name(enum trace_kind kind);

#endif /* QUIRE_TRACE_EVENT_H */
