/* SPDX-License-Identifier: MIT */
/*
 * watch/check.h - the numbered invariants, and the state of one run of the checker
 *
 * An invariant's number is its group's base plus its place in the group: 0x204 is B4.  Group B is
 * the buddy engine's: its own check numbers the rules and words the sentences.
 *
 * Rules come in two kinds.  What is under the zone's lock and the caches' locks must hold at every
 * look.  What belongs to pages in use may be seen in the middle of a change: such a finding is
 * *soft*, is noted as a suspect, and counts only if the same frame still breaks the same rule after
 * many looks with pauses between them.
 */
#ifndef QR_WATCH_CHECK_H
#define QR_WATCH_CHECK_H

#include "../alloc/pcp.h"

#include "page_owner.h"
#include "walk.h"

#define QR_INV_GROUP 0x100u /* numbers of one group */

enum qr_invariant {
	/* Frames and records. */
	QR_INV_F = 0x100,
	QR_INV_F1, /* soft: a record speaks for each frame of memory that was released */
	QR_INV_F2, /* a block is aligned to its order and lies inside one zone */
	QR_INV_F3, /* the record of a block's head says a known type, and its zone */
	QR_INV_F4, /* the other records of a free block say nothing */
	QR_INV_F5, /* what is free has no references and is not mapped */
	QR_INV_F6, /* soft: what is in use has a reference */
	QR_INV_F7, /* what is free has no flags but HWPOISON, FILLED and REPORTED */
	QR_INV_F8, /* a pageblock's type is one of those there are */
	QR_INV_F9, /* soft: the tails of a compound page name its head, other tails say nothing */
	QR_INV_F10, /* frames that are no memory have no records */
	QR_INV_F11, /* soft: a state notes whatever else its record says */
	QR_INV_F12, /* soft: a mark and the state of its frame do not contradict each other */

	/* The buddy engine's own; it numbers them. */
	QR_INV_B = 0x200,

	/* Counters of a zone. */
	QR_INV_Z = 0x300,
	QR_INV_Z1, /* nr_free_pages: pages on all lists but ISOLATE */
	QR_INV_Z2, /* nr_free_cma: pages on CMA lists */
	QR_INV_Z3, /* nr_free_highatomic: pages on HIGHATOMIC lists */
	QR_INV_Z4, /* the blocks of an order are the sum of its types' blocks */
	QR_INV_Z5, /* nr_isolate_pageblock: isolated pageblocks */
	QR_INV_Z6, /* free pages by their records are the free pages by the lists */
	QR_INV_Z7, /* soft: managed: all memory that is not reserved, and what was added by hand */
	/* nr_reserved_highatomic: at least all HIGHATOMIC pageblocks, at most the zone */
	QR_INV_Z8,
	QR_INV_Z9, /* managed <= present <= spanned, and present is what the ranges say */
	QR_INV_Z10, /* nr_deferred: frames whose records wait */
	QR_INV_Z11, /* cma_pages: pages of CMA pageblocks */
	QR_INV_Z12, /* soft: a zone without SCARCE is well off */
	QR_INV_Z13, /* nr_isolated: isolated pageblocks; ISOLATED: there are some */
	QR_INV_Z14, /* pages on ISOLATE lists: free pages of isolated pageblocks */

	/* Caches. */
	QR_INV_P = 0x400,
	QR_INV_P1, /* a cache's lists are well linked and end */
	QR_INV_P2, /* a cached block says PCP, its list's order and its zone, and is aligned */
	QR_INV_P3, /* a cache's count is the pages on its lists */
	QR_INV_P4, /* a cache's sizes make sense */
	QR_INV_P5, /* soft: a block that says PCP is on a cache's list */
	QR_INV_P6, /* a block is in one place of one magazine */
	QR_INV_P7, /* a cache's lock says ISOLATED as its zone does */

	/* Page owner. */
	QR_INV_O = 0x500,
	QR_INV_O1, /* soft: a block in use has an owner record of its order */
	QR_INV_O2, /* soft: what is free has no owner */

	/* Watermarks, zonelists, nodes. */
	QR_INV_W = 0x600,
	QR_INV_W1, /* min <= low <= high <= promo */
	QR_INV_W2, /* lowmem_reserve: nothing for zones up to its own, not less for higher ones */
	QR_INV_W3, /* a zonelist ends and names each populated zone exactly once */
	QR_INV_W4, /* a zonelist goes node by node, own node first, from high zones to low */
	QR_INV_W5, /* node states are what the zones and CPUs say */
	QR_INV_W6, /* totalreserve_pages is not more than the node manages */

	/* Detours. */
	QR_INV_D = 0x700,
	QR_INV_D1, /* soft: a bit of detours is set if what it stands for is on, and only then */
	QR_INV_D2, /* soft: steps says how they are gone, or that they are not */
	QR_INV_D3, /* extras: what options, listeners and the CPUs ask for */
};

#define QR_CHECK_MAX_SUSPECTS 64
#define QR_CHECK_LOOKS 400 /* at a suspect, before it is believed */

struct qr_suspect {
	enum qr_invariant invariant;
	qr_pfn_t pfn;
};

struct qr_checker {
	struct quire *q;
	struct qr_watch *watch;
	struct qr_frames *frames;
	struct qr_zone *zone; /* being checked, with all its locks held */
	struct qr_error_text *why; /* may be NULL */
	unsigned broken; /* the first broken invariant; 0: none yet */

	struct qr_suspect suspects[QR_CHECK_MAX_SUSPECTS];
	unsigned nr_suspects;
	bool more_suspects; /* than there was room for */

	/* What the walk over the zone's frames counted, in pages. */
	uint64_t nr[QR_NR_FRAME_STATES];
	uint64_t nr_free_isolated;
	uint64_t nr_unmanaged; /* reserved from the start, and never joined */
	bool reserved_joined; /* some that were reserved did join */
	uint64_t nr_pageblocks[QR_MIGRATE_TYPES]; /* by the type beneath isolation */
	uint64_t nr_isolated_pageblocks;
	bool thorough; /* small enough to look at each record */
	uint32_t nr_numbered; /* places in magazines so far */
};

/* Let others get on, who may be in the middle of a change: @look was one in vain. */
void qr__check_pause(struct qr_checker *c, unsigned look);

/* Note the first broken invariant with a sentence. */
void qr__check_broken(struct qr_checker *c, unsigned invariant, const char *fmt, ...)
	QR_PRINTF(3, 4);

/* What the number means, as a rule; NULL: there is no such number. */
const char *qr__invariant_rule(unsigned invariant);
/* All of them but B's, in turn; 0: no more. */
unsigned qr__invariant_at(unsigned i);

/* check_frames.c: records of a zone, pageblocks; counts what the counters are held against. */
void qr__check_frames_locked(struct qr_checker *c);
void qr__check_suspect_note(struct qr_checker *c, enum qr_invariant invariant, qr_pfn_t pfn);
/* Does the frame still break this soft rule?  Says the sentence if @speak. */
bool qr__check_suspect_locked(struct qr_checker *c, const struct qr_suspect *suspect, bool speak);

/* check_zone.c: counters against lists, counters against the walk, caches. */
void qr__check_list_counts_locked(struct qr_checker *c);
void qr__check_counters_locked(struct qr_checker *c);
/* Is managed still not what was counted? */
bool qr__check_managed_look(struct qr_checker *c, bool speak);
/* Is the zone still short of pages, without saying so? */
bool qr__check_scarce_look(struct qr_checker *c, bool speak);
void qr__check_caches_locked(struct qr_checker *c);
/* Is this block, which says PCP, linked into one of its zone's caches? */
bool qr__check_is_cached_locked(const struct qr_checker *c, const struct qr_page *page);

/* check_global.c: watermarks, zonelists, node states, detours. */
void qr__check_marks(struct qr_checker *c);
void qr__check_zonelists(struct qr_checker *c);
void qr__check_detours(struct qr_checker *c);

#endif /* QR_WATCH_CHECK_H */
