/* SPDX-License-Identifier: MIT */
/*
 * watch/walk.h - what lies at a frame, told from its record or the one that speaks for it
 *
 * Shared by the walkers, the flags of frames, the maps of pageblocks and the checker.
 */
#ifndef QR_WATCH_WALK_H
#define QR_WATCH_WALK_H

#include "../frames/frames.h"

/* The frames from one on that are in the same state because one record, or none, says so. */
struct qr_run {
	qr_pfn_t start_pfn; /* where one asked */
	qr_pfn_t end_pfn; /* behind the block, hole or range; may lie behind the zone's end */
	enum qr_frame_state state;
	qr_pfn_t head; /* first frame of the block; start_pfn where there is no block */
	unsigned order; /* of that block; 0 where there is none */
	bool lost; /* memory that no record speaks for: on its way somewhere, or broken */
};

/*
 * What is at pfn, inside the instance's span.  The frame's zone is locked: it is exact for what is
 * free; pages in use may change meanwhile.
 */
void qr__run_at(const struct qr_frames *frames, qr_pfn_t pfn, struct qr_run *run);
/* The same, locking the zone for a moment. */
void qr__run_look(const struct qr_frames *frames, qr_pfn_t pfn, struct qr_run *run);

/*
 * A field of a page in use, which its owner writes without a lock and without atomics.  The word is
 * read whole; whoever asks knows that it may be about to change.
 */
uint32_t qr__page_tail_head_racy(const struct qr_page *tail);

/* The record that speaks for a frame: its own or its block's head's; NULL: none does. */
struct qr_page *qr__page_speaking(const struct qr_frames *frames, qr_pfn_t pfn);

/* The state that a record's type (and flags) mean. */
enum qr_frame_state qr__frame_state_of(const struct qr_frames *frames, const struct qr_page *page);

/*
 * The next part of a zone, from *start_pfn on, that lies in one pageblock: false: no more.  Sets
 * *end_pfn; parts in offline sections, in holes and of other zones are passed over by whoever asks
 * qr__pageblock_counts().
 */
bool qr__zone_next_pageblock(const struct qr_zone *zone, qr_pfn_t *start_pfn, qr_pfn_t *end_pfn);

/* Does the pageblock whose first frame in the zone is pfn count as the zone's?  As Linux has it. */
bool qr__pageblock_counts(const struct qr_zone *zone, qr_pfn_t pfn);

/* Which zones and nodes there are to show. */

/* NULL: no such node, or no zone of this type on this machine. */
struct qr_zone *qr__zone_find(struct quire *q, int nid, enum qr_zone_type type);

/*
 * Does this machine have such zones at all?  Normal, Movable and Device always, as in any kernel
 * that was built with them; the others if the machine's limits leave room for them.
 */
bool qr__zone_type_exists(const struct qr_frames *frames, enum qr_zone_type type);

/* The zones that have memory, in the order of the text views. */
#define qr__for_each_populated_zone(frames, zone) \
	qr__for_each_zone(frames, zone) if (qr__zone_populated(zone))

#endif /* QR_WATCH_WALK_H */
