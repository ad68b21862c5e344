/* SPDX-License-Identifier: MIT */
/*
 * watch/page_owner.h - who allocated each page, and the state of the watching layer
 *
 * With QR_OPT_PAGE_OWNER an instance has one record for each frame beside the page records.  Only
 * the first frame of an allocation is written, and speaks for all 2^order of them; readers find it
 * from any frame by trying the few heads that could cover it.
 *
 *	none  --owner_set-->  allocated  --owner_reset-->  freed  --owner_set-->  allocated ...
 *
 * A freed record stays, so that one can ask who had a frame last.
 *
 * Letters: o - written by whoever owns the page, read by anyone (relaxed); c - constant.
 */
#ifndef QR_WATCH_PAGE_OWNER_H
#define QR_WATCH_PAGE_OWNER_H

#include "../alloc/allocator.h"
#include "../frames/layout.h"

enum qr_owner_state {
	QR_OWNER_NONE, /* never allocated, or part of a block whose first frame speaks */
	QR_OWNER_ALLOCATED,
	QR_OWNER_FREED
};

struct qr_owner_record {
	_Atomic uint8_t state; /* o: enum qr_owner_state */
	_Atomic uint8_t order; /* o */
	_Atomic int16_t migrate_reason; /* o: -1: never migrated */
	_Atomic uint32_t gfp; /* o */
	_Atomic uint32_t task_id, free_task_id; /* o */
	_Atomic uint64_t handle; /* o */
	_Atomic uint64_t time_ns, free_time_ns; /* o */
};

/* The onion's layer of this folder; struct quire begins with it. */
struct qr_watch {
	struct qr_allocator alloc;

	size_t metadata_size; /* c: of the whole instance; creation notes it */

	/* c: record of base_pfn + i at [i]; NULL: page owner is off */
	struct qr_owner_record *owner;

	/* Set while no request is under way. */
	uint64_t (*owner_handle)(void *ctx);
	size_t (*owner_print_handle)(void *ctx, uint64_t handle, char *buf, size_t size);
	void *owner_ctx;
};

static inline struct qr_watch *qr__watch(struct quire *q)
{
	return (struct qr_watch *)(void *)q;
}

static inline const struct qr_watch *qr__watch_const(const struct quire *q)
{
	return (const struct qr_watch *)(const void *)q;
}

/*
 * Reserve the room of the records, none without the option.  With an instance, whose memory is all
 * zero: note where they are, and add the events that keep them to alloc.events.
 */
void qr__owner_rooms(struct qr_layout *layout, struct quire *q_or_null, char *memory);

/* The events, with the signatures of struct qr_alloc_events. */
void qr__owner_set(struct quire *q, struct qr_page *page, unsigned order, qr_gfp_t gfp);
void qr__owner_reset(struct quire *q, struct qr_page *page, unsigned order);
void qr__owner_split(struct quire *q, struct qr_page *page, unsigned order);
size_t qr__owner_text(struct quire *q, const struct qr_page *page, char *buf, size_t size);

static inline bool qr__owner_active(const struct qr_watch *watch)
{
	return watch->owner != NULL;
}

/* The record that speaks for an allocated frame, and its pfn; NULL: it is not allocated. */
struct qr_owner_record *qr__owner_find(const struct qr_watch *watch, qr_pfn_t pfn, qr_pfn_t *head);

/*
 * Is a page in the part of this pageblock that the zone holds, which was allocated as another type
 * than the pageblock's?  For the "mixed blocks" of pagetypeinfo.
 */
bool qr__owner_pageblock_mixed(const struct qr_watch *watch, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			       enum qr_migratetype type);

#endif /* QR_WATCH_PAGE_OWNER_H */
