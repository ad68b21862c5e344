/* SPDX-License-Identifier: MIT */
/*
 * alloc/bulk.c - many single pages at once
 *
 * A bulk request takes its pages from one zone, through one hold of this CPU's cache for each
 * handful, so that the cost of looking for a zone is paid once.  It is a help, not a promise: it
 * never waits, and stops when the zone runs short.  What makes it certain that callers get on at
 * all is the fallback to exactly one ordinary allocation, whenever the quick way yields nothing.
 *
 * pages[] may hold pages already; only its NULL slots are filled.  The result counts how many slots
 * from the start on hold a page: a caller who needs more goes on from there.
 */
#include "allocator.h"
#include "pcp.h"

#define HANDFUL 32 /* pages on the stack between the cache and the caller's slots */

static unsigned slots_filled(struct qr_page *const *pages, unsigned from, unsigned nr)
{
	while (from < nr && pages[from])
		from++;
	return from;
}

static unsigned slots_empty(struct qr_page *const *pages, unsigned from, unsigned nr)
{
	unsigned empty = 0;

	for (; from < nr; from++)
		empty += !pages[from];
	return empty;
}

/* Where each page needs care of its own, or there is but one to get, the quick way is none. */
static bool bulk_pays(const struct qr_allocator *alloc, qr_gfp_t gfp, unsigned wanted)
{
	if ((gfp & QR___GFP_ACCOUNT) && alloc->charge.charge)
		return false;
	return wanted > 1 && !(alloc->options & QR_OPT_PAGE_OWNER);
}

/* The first zone that has room for them all; NULL: none has, or only one on another node. */
static struct qr_zone *bulk_zone(qr_gfp_t gfp, unsigned alloc_flags, unsigned wanted,
				 struct qr_alloc_context *ac, struct qr_zone **preferred)
{
	struct qr_zoneref *ref;
	struct qr_zone *zone;

	*preferred = NULL;
	qr__for_each_zone_zonelist(ref, zone, ac->preferred, ac->highest_zoneidx, ac->nodemask)
	{
		uint64_t mark = qr__wmark_pages(zone, alloc_flags & QR_ALLOC_WMARK_MASK) + wanted;

		if (!*preferred)
			*preferred = zone;
		if ((alloc_flags & QR_ALLOC_CPUSET) && !qr_cpuset_zone_allowed(ac->task, zone, gfp))
			continue;
		if (zone->nid != (*preferred)->nid)
			return NULL;
		if (qr_zone_watermark_fast(zone, 0, mark, ac->highest_zoneidx, alloc_flags, gfp))
			return zone;
	}
	return NULL;
}

/* Fill empty slots from the cache; how many. */
static unsigned bulk_fill(struct qr_allocator *alloc, struct qr_zone *preferred,
			  struct qr_zone *zone, qr_gfp_t gfp, unsigned alloc_flags,
			  enum qr_migratetype type, unsigned wanted, struct qr_page **pages)
{
	struct qr_page *handful[HANDFUL];
	unsigned filled = 0, slot = 0;

	while (filled < wanted) {
		unsigned want = wanted - filled < HANDFUL ? wanted - filled : HANDFUL;
		unsigned got = qr__pcp_take_bulk(preferred, zone, type, alloc_flags, want, handful);

		for (unsigned i = 0; i < got; i++) {
			while (pages[slot])
				slot++;
			qr_prep_new_page(alloc, handful[i], 0, gfp, 0);
			pages[slot] = handful[i];
			QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_ALLOC,
				 .pfn = qr__page_pfn(&alloc->frames, handful[i]), .gfp = gfp,
				 .migratetype = type);
		}
		filled += got;
		if (got < want)
			break;
	}
	return filled;
}

/* The quick way, for legal requests; how many pages it got. */
static unsigned bulk_try(struct qr_allocator *alloc, qr_gfp_t gfp, int nid,
			 const qr_nodemask_t *nodemask, struct qr_task *task, unsigned wanted,
			 struct qr_page **pages, bool *refused)
{
	struct qr_alloc_context ac = {.task = task};
	unsigned alloc_flags = QR_ALLOC_WMARK_LOW;
	qr_gfp_t alloc_gfp;
	struct qr_zone *preferred, *zone;

	gfp = alloc_gfp = qr_current_gfp_context(alloc, task, gfp);
	if (!qr_prepare_alloc_pages(alloc, gfp, 0, nid, nodemask, &ac, &alloc_gfp, &alloc_flags)) {
		*refused = true;
		return 0;
	}
	zone = bulk_zone(alloc_gfp, alloc_flags, wanted, &ac, &preferred);
	if (!zone)
		return 0;
	return bulk_fill(alloc, preferred, zone, alloc_gfp, alloc_flags, ac.migratetype, wanted,
			 pages);
}

unsigned qr_alloc_pages_bulk(struct quire *q, qr_gfp_t gfp, int preferred_nid,
			     const qr_nodemask_t *nodemask, unsigned nr, struct qr_page **pages)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_task *task = qr__current_task(qr__alloc_base(alloc));
	int nid = preferred_nid == QR_NODE_NONE ? qr__numa_node(&alloc->frames) : preferred_nid;
	unsigned first = slots_filled(pages, 0, nr);
	unsigned wanted = slots_empty(pages, first, nr);
	unsigned got = 0;
	bool refused = false;

	if (!wanted)
		return first;
	if (qr_gfp_valid(gfp, NULL) && (unsigned)nid < alloc->frames.nr_nodes &&
	    bulk_pays(alloc, gfp, wanted))
		got = bulk_try(alloc, gfp, nid, nodemask, task, wanted, pages + first, &refused);
	if (!got && !refused)
		pages[first] = qr__alloc_finally(alloc, gfp, 0, nid, nodemask, task);
	return slots_filled(pages, first, nr);
}
