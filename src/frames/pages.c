/* SPDX-License-Identifier: MIT */
/*
 * pages.c - from pfns and pointers to records, zones and nodes
 */
#include "frames.h"

static const struct qr_frames *frames_of(const struct quire *q)
{
	return (const struct qr_frames *)(const void *)q;
}

bool qr__pfn_online(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return qr__pfn_in_span(frames, pfn) &&
	       qr__bit_test(frames->section_online,
			    (size_t)((pfn - frames->base_pfn) >> frames->section_order));
}

/* The first extent that ends above pfn; nr_extents: none. */
static unsigned extent_at_or_above(const struct qr_frames *frames, qr_pfn_t pfn)
{
	unsigned low = 0, high = frames->nr_extents;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (frames->extents[middle].end_pfn <= pfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct qr_extent *qr__extent_of(const struct qr_frames *frames, qr_pfn_t pfn)
{
	unsigned i = extent_at_or_above(frames, pfn);

	if (i == frames->nr_extents || frames->extents[i].start_pfn > pfn)
		return NULL;
	return &frames->extents[i];
}

struct qr_zone *qr__pfn_zone(const struct qr_frames *frames, qr_pfn_t pfn)
{
	const struct qr_extent *extent = qr__extent_of(frames, pfn);

	return extent ? &frames->nodes[extent->nid].zones[extent->zone] : NULL;
}

/*
 * By arithmetic alone, since every free asks: a record of a hole passes, but it says nothing and
 * whoever looks at its type finds that out.
 */
struct qr_page *qr__page_validate(const struct qr_frames *frames, const struct qr_page *page)
{
	uint64_t i = qr__page_index_of_any(frames, page);

	return i < frames->end_pfn - frames->base_pfn ? &frames->pages[i] : NULL;
}

bool qr__zone_next_fresh(const struct qr_zone *zone, qr_pfn_t *start_pfn, qr_pfn_t *end_pfn)
{
	const struct qr_frames *frames = zone->frames;
	unsigned i = extent_at_or_above(frames, *start_pfn);

	for (; i < frames->nr_extents; i++) {
		const struct qr_extent *extent = &frames->extents[i];
		qr_pfn_t section_end;

		if (extent->kind != QR_RANGE_RAM || extent->nid != zone->nid ||
		    extent->zone != zone->type)
			continue;
		*start_pfn = qr__max(*start_pfn, extent->start_pfn);
		section_end = qr__align_up(*start_pfn + 1, qr__order_pages(frames->section_order));
		*end_pfn = qr__min(extent->end_pfn, section_end);
		return true;
	}
	return false;
}

/* The public questions --------------------------------------------------------------------- */

qr_pfn_t qr_page_to_pfn(const struct quire *q, const struct qr_page *page)
{
	const struct qr_frames *frames = frames_of(q);

	return qr__page_validate(frames, page) ? qr__page_pfn(frames, page) : QR_PFN_NONE;
}

struct qr_page *qr_pfn_to_page(const struct quire *q, qr_pfn_t pfn)
{
	const struct qr_frames *frames = frames_of(q);

	if (!qr__pfn_online(frames, pfn) || !qr__extent_of(frames, pfn))
		return NULL;
	return qr__pfn_page(frames, pfn);
}

/* The zone of any page, whether its record speaks or not; NULL: it is none of ours, or a hole. */
static const struct qr_zone *zone_of(const struct quire *q, const struct qr_page *page)
{
	const struct qr_frames *frames = frames_of(q);

	if (!qr__page_validate(frames, page))
		return NULL;
	return qr__pfn_zone(frames, qr__page_pfn(frames, page));
}

unsigned qr_page_nid(const struct quire *q, const struct qr_page *page)
{
	const struct qr_zone *zone = zone_of(q, page);

	return zone ? (unsigned)zone->nid : (unsigned)QR_NODE_NONE;
}

enum qr_zone_type qr_page_zone_type(const struct quire *q, const struct qr_page *page)
{
	const struct qr_zone *zone = zone_of(q, page);

	return zone ? zone->type : QR_NR_ZONES;
}

/* The record that speaks for the compound page this one is part of; NULL: it is no page of ours. */
static const struct qr_page *head_of(const struct quire *q, const struct qr_page *page)
{
	const struct qr_frames *frames = frames_of(q);
	struct qr_page *own = qr__page_validate(frames, page);

	return own ? qr__compound_head(frames, own) : NULL;
}

unsigned qr_folio_order(const struct quire *q, const struct qr_page *page)
{
	const struct qr_page *head = head_of(q, page);

	return head && qr__page_test(head, QR_PG_COMPOUND) ? qr__page_order(frames_of(q), head) : 0;
}

bool qr_page_is_pfmemalloc(const struct quire *q, const struct qr_page *page)
{
	const struct qr_page *head = head_of(q, page);

	return head && qr__page_test(head, QR_PG_PFMEMALLOC);
}

enum qr_migratetype qr_get_pageblock_migratetype(const struct quire *q, qr_pfn_t pfn)
{
	const struct qr_frames *frames = frames_of(q);

	return qr__pfn_online(frames, pfn) ? qr__pageblock_type(frames, pfn) : QR_MIGRATE_TYPES;
}

static bool node_exists(const struct qr_frames *frames, int nid)
{
	return nid >= 0 && (unsigned)nid < frames->nr_nodes;
}

struct qr_zone *qr_zone_at(struct quire *q, int nid, enum qr_zone_type type)
{
	struct qr_frames *frames = qr__frames(q);

	if (!node_exists(frames, nid) || (unsigned)type >= QR_NR_ZONES)
		return NULL;
	return &frames->nodes[nid].zones[type];
}

bool qr_node_state(const struct quire *q, int nid, enum qr_node_state state)
{
	const struct qr_frames *frames = frames_of(q);

	return node_exists(frames, nid) && (unsigned)state < QR_NR_NODE_STATES &&
	       qr__node_is(frames, nid, state);
}

int qr_node_distance(const struct quire *q, int from, int to)
{
	const struct qr_frames *frames = frames_of(q);

	if (!node_exists(frames, from) || !node_exists(frames, to))
		return QR_EINVAL;
	return (int)qr__node_distance(frames, from, to);
}

void *qr_page_address(const struct quire *q, const struct qr_page *page)
{
	const struct qr_frames *frames = frames_of(q);
	const struct qr_platform *p = &frames->base.platform;

	if (!p->page_address || !qr__page_validate(frames, page))
		return NULL;
	return p->page_address(p->ctx, qr__page_pfn(frames, page));
}

void qr_page_movable_set(struct quire *q, struct qr_page *page, bool movable)
{
	struct qr_frames *frames = qr__frames(q);
	struct qr_page *mine = qr__page_validate(frames, page);

	if (!QR_CHECK(&frames->base, mine && qr__page_type(frames, mine) == QR_PT_INUSE,
		      "a page that is not in use cannot be movable"))
		return;
	if (movable)
		qr__page_set(frames, mine, QR_PG_MOVABLE_OPS);
	else
		qr__page_clear(mine, QR_PG_MOVABLE_OPS);
}

/* Seen late, when what was freed a second time has come to where it cannot be. */
QR_COLD void qr__freed_twice_report(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	atomic_fetch_add_explicit(&zone->nr_freed_twice, 1, memory_order_relaxed);
	qr__log(&zone->frames->base, QR_LOG_ERR,
		"free of page at pfn %#llx, order %u, refused: it is free already; it was freed "
		"twice at the same moment",
		(unsigned long long)pfn, order);
}
