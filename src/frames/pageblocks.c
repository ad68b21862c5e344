/* SPDX-License-Identifier: MIT */
/*
 * pageblocks.c - the type of a pageblock, its isolation and its skip hint
 *
 * All three share a word.  Type and isolation change under the zone's lock only; the skip hint
 * changes under no lock at all, so every write is a read-modify-write of its own bits.
 */
#include "frames.h"

static uint32_t bits_of(const struct qr_pageblock *block)
{
	return atomic_load_explicit(&block->bits, memory_order_relaxed);
}

/* Replace the bits of mask. */
static void bits_replace(struct qr_pageblock *block, uint32_t mask, uint32_t value)
{
	uint32_t old = bits_of(block);

	while (!atomic_compare_exchange_weak_explicit(&block->bits, &old, (old & ~mask) | value,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

enum qr_migratetype qr__pageblock_type_beneath(const struct qr_frames *frames, qr_pfn_t pfn)
{
	uint32_t bits = bits_of(qr__pageblock(frames, pfn));

	return (enum qr_migratetype)((bits & QR_PB_TYPE_MASK) ^ QR_MIGRATE_MOVABLE);
}

/*
 * What is in use here was marked by what it was asked for; what it becomes when it is freed is for
 * who looks.  Whoever is about to free by a mark looks once more whether it is there.  That it was
 * freed just now, as its owner may, is not to be overwritten.
 */
static void route_forget(struct qr_frames *frames, _Atomic uint8_t *mark)
{
	uint8_t is = qr__mark(mark);

	if (!is || is >= QR_MARK_CACHED)
		return;
	qr__sched_point(&frames->base, "route seen");
	atomic_compare_exchange_strong_explicit(mark, &is, 0, memory_order_relaxed,
						memory_order_relaxed);
}

static void routes_forget(struct qr_frames *frames, qr_pfn_t pfn)
{
	uint64_t first = qr__max(qr__pageblock_start(pfn), frames->base_pfn) - frames->base_pfn;
	uint64_t end = qr__min(first + QR_PAGEBLOCK_NR_PAGES, frames->nr_frames);

	for (unsigned order = 0; qr__has_marks(frames) && order < QR_MARK_ORDERS; order++)
		for (uint64_t i = first; i < end; i += qr__order_pages(order))
			route_forget(frames, qr__mark_of(frames, i, order));
}

void qr__pageblock_type_set_locked(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype type)
{
	struct qr_frames *frames = zone->frames;

	QR_ASSERT(&frames->base, qr__zone_locked_at(zone, pfn),
		  "pageblock %#llx: its zone is not locked", (unsigned long long)pfn);
	QR_ASSERT(&frames->base, type < QR_MIGRATE_ISOLATE,
		  "pageblock %#llx: %u is no type of its own; isolation is a bit apart",
		  (unsigned long long)pfn, (unsigned)type);
	if (type < QR_MIGRATE_PCPTYPES &&
	    atomic_load_explicit(&frames->mobility_disabled, memory_order_relaxed))
		type = QR_MIGRATE_UNMOVABLE;
	bits_replace(qr__pageblock(frames, pfn), QR_PB_TYPE_MASK,
		     (uint32_t)type ^ QR_MIGRATE_MOVABLE);
	routes_forget(frames, pfn);
}

void qr__pageblock_isolate_set_locked(struct qr_zone *zone, qr_pfn_t pfn, bool isolate)
{
	struct qr_pageblock *block = qr__pageblock(zone->frames, pfn);

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (((bits_of(block) & QR_PB_ISOLATE) != 0) == isolate)
		return;
	bits_replace(block, QR_PB_ISOLATE, isolate ? QR_PB_ISOLATE : 0);
	zone->nr_isolated += isolate ? 1 : UINT64_MAX;
	if (zone->nr_isolated)
		qr__zone_flag_set(zone, QR_ZONE_ISOLATED);
	else
		qr__zone_flag_clear(zone, QR_ZONE_ISOLATED);
	/* after the flag, so that whoever finds a mark here finds the flag as well */
	routes_forget(zone->frames, pfn);
}

bool qr__pageblock_skip(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return (bits_of(qr__pageblock(frames, pfn)) & QR_PB_SKIP) != 0;
}

void qr__pageblock_skip_set(struct qr_frames *frames, qr_pfn_t pfn, bool skip)
{
	bits_replace(qr__pageblock(frames, pfn), QR_PB_SKIP, skip ? QR_PB_SKIP : 0);
}

bool qr__pageblock_in_zone(const struct qr_zone *zone, qr_pfn_t pfn)
{
	qr_pfn_t start = qr__pageblock_start(pfn);

	return qr__zone_spans(zone, start) &&
	       qr__zone_spans(zone, start + QR_PAGEBLOCK_NR_PAGES - 1);
}
