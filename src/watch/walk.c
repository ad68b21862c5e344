/* SPDX-License-Identifier: MIT */
/*
 * watch/walk.c - walkers over frames, pageblocks, free blocks and zonelists
 *
 * Most frames have no record of their own to speak for them; the record of their block's first
 * frame does.  So a walk goes from block to block, and a question about any frame first looks for
 * the head: the frame itself, then the frames with one more low bit cleared, up to the largest
 * order.  Blocks never overlap, so at most one of these heads covers the frame.  What is free the
 * buddy engine is asked first, since it need not leave a word of it in the records.
 */
#include "walk.h"

#include "../alloc/allocator.h"

/* What is at a frame ----------------------------------------------------------------------- */

/* Not for the eyes of race detectors: see walk.h. */
#define BENIGN_RACE __attribute__((no_sanitize("thread"), noinline))

BENIGN_RACE uint32_t qr__page_tail_head_racy(const struct qr_page *tail)
{
	return *(const volatile uint32_t *)&tail->link.next;
}

/* Does a block of page's order, that begins @distance frames before, reach us? */
static bool page_covers(uint64_t word, qr_pfn_t distance)
{
	enum qr_page_type type = qr__word_type(word);
	unsigned order = qr__word_order(word);

	if (type == QR_PT_NONE || type == QR_PT_TAIL)
		return false;
	return distance == 0 || (order <= QR_MAX_PAGE_ORDER && distance < qr__order_pages(order));
}

/* A tail names its head; but it is believed only if that head is one, and its block reaches us. */
static struct qr_page *tail_head(const struct qr_frames *frames, struct qr_page *tail)
{
	uint32_t index = qr__page_tail_head_racy(tail), own = qr__page_index(frames, tail);
	struct qr_page *head;

	if (index >= own)
		return tail;
	head = &frames->pages[index];
	if (!qr__page_test(head, QR_PG_COMPOUND) ||
	    !page_covers(qr__frame_word(frames, index), own - index))
		return tail;
	return head;
}

struct qr_page *qr__page_speaking(const struct qr_frames *frames, qr_pfn_t pfn)
{
	if (qr__word_type(qr__pfn_word(frames, pfn)) == QR_PT_TAIL)
		return tail_head(frames, qr__pfn_page(frames, pfn));
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t start = qr__align_down(pfn, qr__order_pages(order));

		if (!qr__pfn_in_span(frames, start))
			break;
		if (page_covers(qr__pfn_word(frames, start), pfn - start))
			return qr__pfn_page(frames, start);
	}
	return NULL;
}

enum qr_frame_state qr__frame_state_of(const struct qr_frames *frames, const struct qr_page *page)
{
	switch (qr__page_type(frames, page)) {
	case QR_PT_BUDDY:
		return QR_FRAME_FREE;
	case QR_PT_PCP:
		return QR_FRAME_PCP;
	case QR_PT_GUARD:
		return QR_FRAME_GUARD;
	case QR_PT_LEAKED:
		return QR_FRAME_LEAKED;
	case QR_PT_OFFLINE:
	case QR_PT_UNACCEPTED:
		return QR_FRAME_OFFLINE;
	default:
		return qr__page_test(page, QR_PG_RESERVED) ? QR_FRAME_RESERVED : QR_FRAME_ALLOCATED;
	}
}

/* A frame that no record speaks for, in a range of this kind. */
static void run_unspoken(const struct qr_frames *frames, const struct qr_extent *extent,
			 struct qr_run *run)
{
	const struct qr_zone *zone = qr__pfn_zone(frames, run->start_pfn);

	if (extent->kind != QR_RANGE_RAM) {
		run->state = QR_FRAME_RESERVED;
		return;
	}
	if (zone && run->start_pfn >= qr__read(&zone->deferred_pfn)) {
		run->state = QR_FRAME_DEFERRED;
		run->end_pfn = extent->end_pfn;
		return;
	}
	run->state = QR_FRAME_LEAKED;
	run->lost = true;
}

/* What the engine has, it alone knows; its blocks' records need not say so. */
static bool run_free(const struct qr_zone *zone, struct qr_run *run)
{
	struct qr_block block;

	if (!zone->ops->find(zone, run->start_pfn, &block))
		return false;
	run->state = QR_FRAME_FREE;
	run->head = block.pfn;
	run->order = block.order;
	run->end_pfn = block.pfn + qr__order_pages(block.order);
	return true;
}

void qr__run_at(const struct qr_frames *frames, qr_pfn_t pfn, struct qr_run *run)
{
	const struct qr_extent *extent;
	const struct qr_page *page;
	uint64_t word;

	*run = (struct qr_run){.start_pfn = pfn, .end_pfn = pfn + 1, .head = pfn};
	if (!qr__pfn_online(frames, pfn)) {
		run->state = QR_FRAME_HOLE;
		run->end_pfn = qr__align_up(pfn + 1, qr__order_pages(frames->section_order));
		return;
	}
	extent = qr__extent_of(frames, pfn);
	if (!extent) {
		run->state = QR_FRAME_HOLE;
		return;
	}
	if (run_free(&qr__node(frames, extent->nid)->zones[extent->zone], run))
		return;
	page = qr__page_speaking(frames, pfn);
	if (!page) {
		run_unspoken(frames, extent, run);
		return;
	}

	word = qr__page_word(frames, page);
	run->state = qr__frame_state_of(frames, page);
	run->head = qr__page_pfn(frames, page);
	if (qr__word_type(word) != QR_PT_TAIL && qr__word_order(word) <= QR_MAX_PAGE_ORDER)
		run->order = qr__word_order(word);
	if (pfn - run->head < qr__order_pages(run->order))
		run->end_pfn = run->head + qr__order_pages(run->order);
}

void qr__run_look(const struct qr_frames *frames, qr_pfn_t pfn, struct qr_run *run)
{
	struct qr_zone *zone = qr__pfn_zone(frames, pfn);
	unsigned long irqs;

	if (!zone) {
		qr__run_at(frames, pfn, run);
		return;
	}
	irqs = qr__zone_lock(zone);
	qr__run_at(frames, pfn, run);
	qr__zone_unlock(zone, irqs);
}

static void frame_info_fill(const struct qr_frames *frames, const struct qr_run *run,
			    struct qr_frame_info *info)
{
	const struct qr_page *own = qr__pfn_page(frames, run->start_pfn);
	const struct qr_page *head = qr__pfn_page(frames, run->head);
	const struct qr_extent *extent = qr__extent_of(frames, run->start_pfn);
	uint32_t bits = atomic_load_explicit(&qr__pageblock(frames, run->start_pfn)->bits,
					     memory_order_relaxed);

	*info = (struct qr_frame_info){
		.pfn = run->start_pfn,
		.state = run->state,
		.order = run->head == run->start_pfn ? run->order : 0,
		.head = run->head,
		.nid = extent ? extent->nid : QR_NODE_NONE,
		.zone = extent ? extent->zone : QR_NR_ZONES,
		.migratetype = qr__pageblock_type(frames, run->start_pfn),
		.refcount = qr__page_refcount(frames, head),
		.hwpoison = qr__page_test(own, QR_PG_HWPOISON),
		.reported = run->state == QR_FRAME_FREE && qr__page_test(head, QR_PG_REPORTED),
		.skip = (bits & QR_PB_SKIP) != 0,
	};
}

int qr_frame_info_racy(const struct quire *q, qr_pfn_t pfn, struct qr_frame_info *info)
{
	const struct qr_frames *frames = &qr__allocator_const(q)->frames;
	struct qr_run run;

	if (!qr__pfn_in_span(frames, pfn))
		return QR_ENOENT;
	qr__run_look(frames, pfn, &run);
	frame_info_fill(frames, &run, info);
	return 0;
}

/* Zones ------------------------------------------------------------------------------------ */

bool qr__zone_type_exists(const struct qr_frames *frames, enum qr_zone_type type)
{
	if ((size_t)type >= QR_NR_ZONES)
		return false;
	return type == QR_ZONE_NORMAL || type == QR_ZONE_MOVABLE || type == QR_ZONE_DEVICE ||
	       frames->have_zone[type];
}

struct qr_zone *qr__zone_find(struct quire *q, int nid, enum qr_zone_type type)
{
	const struct qr_frames *frames = qr__frames(q);

	if (nid < 0 || (unsigned)nid >= frames->nr_nodes || !qr__zone_type_exists(frames, type))
		return NULL;
	return &qr__node(frames, nid)->zones[type];
}

/* Pageblocks ------------------------------------------------------------------------------- */

bool qr__zone_next_pageblock(const struct qr_zone *zone, qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	qr_pfn_t zone_end = qr__zone_end(zone);

	if (*start_pfn < qr__zone_start(zone))
		*start_pfn = qr__zone_start(zone);
	if (*start_pfn >= zone_end)
		return false;
	*end_pfn = qr__min(qr__align_up(*start_pfn + 1, QR_PAGEBLOCK_NR_PAGES), zone_end);
	return true;
}

bool qr__pageblock_counts(const struct qr_zone *zone, qr_pfn_t pfn)
{
	const struct qr_frames *frames = zone->frames;
	const struct qr_extent *extent;

	if (!qr__pfn_online(frames, pfn))
		return false;
	/* A hole inside an online section is filled up by the zone around it. */
	extent = qr__extent_of(frames, pfn);
	return !extent || (extent->nid == zone->nid && extent->zone == zone->type);
}

static void pageblock_add(struct qr_pageblock_info *info, enum qr_frame_state state, unsigned nr)
{
	switch (state) {
	case QR_FRAME_FREE:
		info->nr_free += nr;
		break;
	case QR_FRAME_PCP:
		info->nr_pcp += nr;
		break;
	case QR_FRAME_ALLOCATED:
		info->nr_allocated += nr;
		break;
	case QR_FRAME_HOLE:
	case QR_FRAME_DEFERRED:
		info->nr_absent += nr;
		break;
	default:
		info->nr_reserved += nr;
		break;
	}
}

static void pageblock_fill(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			   struct qr_pageblock_info *info)
{
	const struct qr_frames *frames = zone->frames;
	uint32_t bits =
		atomic_load_explicit(&qr__pageblock(frames, start_pfn)->bits, memory_order_relaxed);
	qr_pfn_t pfn = start_pfn;

	*info = (struct qr_pageblock_info){
		.start_pfn = qr__pageblock_start(start_pfn),
		.migratetype = qr__pageblock_type_beneath(frames, start_pfn),
		.isolated = (bits & QR_PB_ISOLATE) != 0,
		.skip = (bits & QR_PB_SKIP) != 0,
		.nr_absent = (unsigned)(QR_PAGEBLOCK_NR_PAGES - (end_pfn - start_pfn)),
	};
	while (pfn < end_pfn) {
		struct qr_run run;
		qr_pfn_t end;

		qr__run_at(frames, pfn, &run);
		end = qr__min(run.end_pfn, end_pfn);
		if (run.state != QR_FRAME_HOLE && qr__pfn_zone(frames, pfn) != zone)
			run.state = QR_FRAME_HOLE;
		pageblock_add(info, run.state, (unsigned)(end - pfn));
		pfn = end;
	}
}

int qr_for_each_pageblock(struct quire *q, int nid, enum qr_zone_type type,
			  int (*visit)(void *arg, const struct qr_pageblock_info *info), void *arg)
{
	struct qr_zone *zone = qr__zone_find(q, nid, type);
	qr_pfn_t start_pfn = 0, end_pfn;

	if (!zone)
		return 0;
	for (; qr__zone_next_pageblock(zone, &start_pfn, &end_pfn); start_pfn = end_pfn) {
		struct qr_pageblock_info info;
		unsigned long irqs = qr__zone_lock(zone);
		int ret;

		pageblock_fill(zone, start_pfn, end_pfn, &info);
		qr__zone_unlock(zone, irqs);
		ret = visit(arg, &info);
		if (ret)
			return ret;
	}
	return 0;
}

/* Free blocks ------------------------------------------------------------------------------ */

static int free_list_visit_locked(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
				  int (*visit)(void *arg, qr_pfn_t pfn, unsigned order,
					       enum qr_migratetype migratetype),
				  void *arg) QR_REQUIRES(zone->lock)
{
	qr_pfn_t pfn = QR_PFN_NONE;

	while ((pfn = zone->ops->next(zone, order, type, pfn)) != QR_PFN_NONE) {
		int ret = visit(arg, pfn, order, type);

		if (ret)
			return ret;
	}
	return 0;
}

int qr_for_each_free_block(struct quire *q, int nid, enum qr_zone_type type,
			   int (*visit)(void *arg, qr_pfn_t pfn, unsigned order,
					enum qr_migratetype migratetype),
			   void *arg)
{
	struct qr_zone *zone = qr__zone_find(q, nid, type);
	unsigned long irqs;
	int ret = 0;

	if (!zone || !qr__zone_populated(zone))
		return 0;
	irqs = qr__zone_lock(zone);
	for (unsigned mt = 0; mt < QR_MIGRATE_TYPES && !ret; mt++)
		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS && !ret; order++)
			ret = free_list_visit_locked(zone, order, (enum qr_migratetype)mt, visit,
						     arg);
	qr__zone_unlock(zone, irqs);
	return ret;
}

/* Zonelists -------------------------------------------------------------------------------- */

unsigned qr_zonelist(struct quire *q, int nid, bool thisnode, struct qr_zoneref_info *refs,
		     unsigned max)
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_zoneref *ref;
	struct qr_zone *zone;
	unsigned nr = 0;

	if (nid < 0 || (unsigned)nid >= frames->nr_nodes)
		return 0;
	ref = thisnode ? qr__node(frames, nid)->zonelist_thisnode : qr__node(frames, nid)->zonelist;
	qr__for_each_zone_zonelist(ref, zone, ref, QR_ZONE_DEVICE, NULL)
	{
		if (nr < max)
			refs[nr] = (struct qr_zoneref_info){.nid = zone->nid, .type = zone->type};
		nr++;
	}
	return nr;
}
