/* SPDX-License-Identifier: MIT */
/*
 * alloc/gfp.c - what a gfp mask means
 *
 * A mask says three things: where the frames may lie (the low four bits), what their contents
 * are for (MOVABLE, RECLAIMABLE: the migratetype), and how hard to try (all else).  The first two
 * are answered by a table of 32 entries that is made once, because which zones exist is fixed when
 * the instance is made:
 *
 *	DMA, DMA32, HIGHMEM	that zone, or Normal where the machine has none
 *	MOVABLE and HIGHMEM	zone Movable
 *	MOVABLE alone		Normal: "can be moved" does not mean "may lie anywhere"
 *
 * MOVABLE stands twice in the mask, for the zone and for the type; that is why the table's index
 * has five bits, and why MOVABLE with RECLAIMABLE is found illegal by the same look-up as two zone
 * bits.
 */
#include "allocator.h"

#define ZONE_BITS (QR___GFP_DMA | QR___GFP_HIGHMEM | QR___GFP_DMA32)
#define SELECTOR_BITS (QR_GFP_ZONEMASK | QR_GFP_MOVABLE_MASK)

/* What is wrong with a mask; NULL: nothing. */
static const char *gfp_fault(qr_gfp_t gfp)
{
	qr_gfp_t zones = gfp & ZONE_BITS;

	if (gfp & ~QR_GFP_BITS_MASK)
		return "it has a bit that means nothing; use the QR_GFP_ and QR___GFP_ constants";
	if (zones & (zones - 1))
		return "it names two of the zones DMA, DMA32 and HIGHMEM; name at most one";
	if ((gfp & QR_GFP_MOVABLE_MASK) == QR_GFP_MOVABLE_MASK)
		return "it is both MOVABLE and RECLAIMABLE; a page has one migratetype";
	return NULL;
}

bool qr_gfp_valid(qr_gfp_t gfp, const char **why)
{
	const char *fault = gfp_fault(gfp);

	if (why)
		*why = fault ? fault : "";
	return !fault;
}

/* The highest zone for legal zone bits. */
static enum qr_zone_type zone_select(const struct qr_frames *frames, qr_gfp_t gfp)
{
	enum qr_zone_type zone = QR_ZONE_NORMAL;

	if (gfp & QR___GFP_DMA)
		zone = QR_ZONE_DMA;
	else if (gfp & QR___GFP_DMA32)
		zone = QR_ZONE_DMA32;
	else if (gfp & QR___GFP_HIGHMEM)
		zone = gfp & QR___GFP_MOVABLE ? QR_ZONE_MOVABLE : QR_ZONE_HIGHMEM;
	if (zone == QR_ZONE_MOVABLE || frames->have_zone[zone])
		return zone;
	return QR_ZONE_NORMAL;
}

void qr__gfp_init(struct qr_allocator *alloc)
{
	for (qr_gfp_t bits = 0; bits <= SELECTOR_BITS; bits++)
		alloc->gfp_zone[bits] =
			(uint8_t)(gfp_fault(bits) ? QR_NR_ZONES
						  : zone_select(&alloc->frames, bits));
	atomic_init(&alloc->gfp_allowed_mask, QR_GFP_BITS_MASK);
}

enum qr_zone_type qr_gfp_zone(const struct quire *q, qr_gfp_t gfp)
{
	return qr__gfp_zone(qr__allocator_const(q), gfp);
}

enum qr_migratetype qr_gfp_migratetype(const struct quire *q, qr_gfp_t gfp)
{
	if (gfp_fault(gfp))
		return QR_MIGRATE_TYPES;
	return qr__gfp_migratetype(qr__allocator_const(q), gfp);
}

qr_gfp_t qr_gfp_allowed_mask(const struct quire *q)
{
	return atomic_load_explicit(&qr__allocator_const(q)->gfp_allowed_mask,
				    memory_order_relaxed);
}

/* Of several who do this at once, the last to set the detour has seen the mask that stays. */
static void mask_review(struct qr_allocator *alloc)
{
	qr_gfp_t mask;

	do {
		mask = atomic_load_explicit(&alloc->gfp_allowed_mask, memory_order_seq_cst);
		qr__sched_point(qr__alloc_base(alloc), "telling of a mask");
		qr__detour_set(alloc, QR_DETOUR_GFP, mask != QR_GFP_BITS_MASK);
	} while (mask != atomic_load_explicit(&alloc->gfp_allowed_mask, memory_order_seq_cst));
}

void qr_gfp_allowed_mask_set(struct quire *q, qr_gfp_t mask)
{
	struct qr_allocator *alloc = qr__allocator(q);

	atomic_store_explicit(&alloc->gfp_allowed_mask, mask & QR_GFP_BITS_MASK,
			      memory_order_seq_cst);
	mask_review(alloc);
}

/*
 * Cut a request down to what its context allows: the mask of the whole instance, then the scopes of
 * the task.  Scopes belong to the task, so an interrupt that came in between is not bound by them.
 */
qr_gfp_t qr_current_gfp_context(const struct qr_allocator *alloc, const struct qr_task *task,
				qr_gfp_t gfp)
{
	gfp &= atomic_load_explicit(&alloc->gfp_allowed_mask, memory_order_relaxed);
	if (!task || !qr__in_task(task))
		return gfp;
	if (task->flags & QR_TASK_MEMALLOC_NOIO)
		gfp &= ~(QR___GFP_IO | QR___GFP_FS);
	else if (task->flags & QR_TASK_MEMALLOC_NOFS)
		gfp &= ~QR___GFP_FS;
	if (task->flags & QR_TASK_MEMALLOC_PIN)
		gfp &= ~QR___GFP_MOVABLE;
	return gfp;
}
