/* SPDX-License-Identifier: MIT */
/*
 * fallback.c - borrowing between migratetypes
 *
 * Theory of operation
 * -------------------
 * When the lists of a request's own type are empty, it may take from another type's.  Each time
 * that mixes two types in one pageblock, one more pageblock may become impossible to empty, and
 * huge pages get scarcer.  So the damage is kept in few places:
 *
 *   - Borrow the largest block there is.  What remains of it serves the next requests of the type,
 *     which then need not break into yet another pageblock.
 *   - If all that is in use in the pageblock would feel as well under the new type, or most of it
 *   is
 *     free, claim it: all its free pages move over and the pageblock changes its type.
 *   - If not, steal a single block, and leave the rest where it was.  A movable request does no
 *     lasting harm, so it steals the smallest block that will do instead of the largest.
 *   - Each time, raise the zone's watermarks for a while, so that kswapd frees memory and
 *     compaction gets room to repair the damage.
 *
 * A request with NOFRAGMENT takes whole pageblocks or nothing.
 *
 * The types that serve a purpose of their own, HIGHATOMIC, CMA and ISOLATE, never lend here, and do
 * not borrow.  From looking for a block to taking it the zone stays locked, so what was found is
 * still there, and of the type it was found under.
 *
 * Locking: zone->lock throughout.
 */
#include "../base/bits.h"
#include "allocator.h"

/* Who is asked, and in which turn. */
static const enum qr_migratetype lenders[QR_MIGRATE_PCPTYPES][QR_MIGRATE_PCPTYPES - 1] = {
	[QR_MIGRATE_UNMOVABLE] = {QR_MIGRATE_RECLAIMABLE, QR_MIGRATE_MOVABLE},
	[QR_MIGRATE_MOVABLE] = {QR_MIGRATE_RECLAIMABLE, QR_MIGRATE_UNMOVABLE},
	[QR_MIGRATE_RECLAIMABLE] = {QR_MIGRATE_UNMOVABLE, QR_MIGRATE_MOVABLE},
};

/* A request that found nothing of its own. */
struct borrower {
	unsigned order;
	enum qr_migratetype type;
	unsigned alloc_flags;
};

/* What it found instead. */
struct loan {
	struct qr_block block;
	enum qr_migratetype lender;
	bool can_steal; /* the whole pageblock may be claimed */
};

static bool grouping_disabled(const struct qr_zone *zone)
{
	return atomic_load_explicit(&zone->frames->mobility_disabled, memory_order_relaxed);
}

/* Looking ---------------------------------------------------------------------------------- */

/*
 * May a request for @type claim the pageblock of a free block of this order?  Large blocks leave
 * little else in their pageblock; and unmovable pages must not be scattered, whatever it costs.
 */
static bool can_steal_fallback(const struct qr_zone *zone, unsigned order, enum qr_migratetype type)
{
	return order + 1 > QR_PAGEBLOCK_ORDER / 2 || type == QR_MIGRATE_RECLAIMABLE ||
	       type == QR_MIGRATE_UNMOVABLE || grouping_disabled(zone);
}

enum qr_migratetype qr_find_suitable_fallback(struct qr_zone *zone, unsigned order,
					      enum qr_migratetype type, bool only_claim,
					      bool *can_steal)
{
	*can_steal = false;
	if (!qr__type_mergeable(type))
		return QR_MIGRATE_TYPES;
	if (only_claim && !can_steal_fallback(zone, order, type))
		return QR_MIGRATE_TYPES;
	for (unsigned i = 0; i < QR_ARRAY_SIZE(lenders[type]); i++) {
		enum qr_migratetype lender = lenders[type][i];

		if (!zone->ops->nr_blocks_type_racy(zone, order, lender))
			continue;
		*can_steal = can_steal_fallback(zone, order, type);
		return lender;
	}
	return QR_MIGRATE_TYPES;
}

/* A block of exactly this order; false: nobody has one. */
static bool loan_of_order(struct qr_zone *zone, const struct borrower *borrower, unsigned order,
			  struct loan *loan)
{
	loan->lender =
		qr_find_suitable_fallback(zone, order, borrower->type, false, &loan->can_steal);
	return loan->lender != QR_MIGRATE_TYPES &&
	       zone->ops->first(zone, order, loan->lender, &loan->block);
}

static bool smallest_loan(struct qr_zone *zone, const struct borrower *borrower, struct loan *loan)
{
	for (unsigned order = borrower->order; order <= QR_MAX_PAGE_ORDER; order++) {
		if (loan_of_order(zone, borrower, order, loan))
			return true;
	}
	return false;
}

/*
 * The largest block that somebody lends.  A movable request that may not claim the pageblock takes
 * the smallest instead: there is no use in breaking a larger one.
 */
static bool best_loan(struct qr_zone *zone, const struct borrower *borrower, struct loan *loan)
{
	unsigned min_order = borrower->order;

	qr__buddy_settle_locked(zone);
	if (min_order < QR_PAGEBLOCK_ORDER && (borrower->alloc_flags & QR_ALLOC_NOFRAGMENT))
		min_order = QR_PAGEBLOCK_ORDER;
	for (unsigned order = QR_MAX_PAGE_ORDER + 1; order-- > min_order;) {
		if (!loan_of_order(zone, borrower, order, loan))
			continue;
		if (!loan->can_steal && borrower->type == QR_MIGRATE_MOVABLE &&
		    order > borrower->order)
			return smallest_loan(zone, borrower, loan);
		return true;
	}
	return false;
}

/* Counting and moving pageblocks ----------------------------------------------------------- */

/*
 * The block in use that reaches into the pageblock at start_pfn from below; false: there is none.
 * Its head is found by trying, since the links of tails belong to whoever holds the page.
 */
static bool reaching_head(const struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t *head_pfn)
{
	for (unsigned order = QR_PAGEBLOCK_ORDER + 1; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t pfn = qr__align_down(start_pfn, qr__order_pages(order));
		uint64_t word;

		if (!qr__zone_spans(zone, pfn))
			break;
		word = qr__pfn_word(zone->frames, pfn);
		if (pfn != start_pfn && qr__word_type(word) == QR_PT_INUSE &&
		    qr__word_order(word) >= order) {
			*head_pfn = pfn;
			return true;
		}
	}
	return false;
}

static bool page_is_movable(const struct qr_frames *frames, qr_pfn_t pfn)
{
	uint64_t word = qr__pfn_word(frames, pfn);

	return qr__word_type(word) == QR_PT_INUSE && qr__word_noted(word) &&
	       qr__page_test(qr__pfn_page(frames, pfn), QR_PG_LRU | QR_PG_MOVABLE_OPS);
}

/* How many frames from a head on its record speaks for, as far as that is certain. */
static uint64_t head_pages(uint64_t word)
{
	switch (qr__word_type(word)) {
	case QR_PT_BUDDY:
	case QR_PT_GUARD:
	case QR_PT_PCP:
	case QR_PT_INUSE:
		return qr__order_pages(qr__word_order(word));
	default:
		return 1;
	}
}

/*
 * Pages in use may change while we look; then the counts are a little wrong, which is good enough
 * to decide by.
 */
static void pageblock_count(const struct qr_zone *zone, qr_pfn_t start_pfn, uint64_t *nr_free,
			    uint64_t *nr_movable)
{
	qr_pfn_t pfn = start_pfn, end_pfn = start_pfn + QR_PAGEBLOCK_NR_PAGES, head_pfn;

	*nr_free = zone->ops->nr_free_in(zone, start_pfn);
	*nr_movable = 0;
	if (reaching_head(zone, start_pfn, &head_pfn))
		pfn = head_pfn;
	while (pfn < end_pfn) {
		qr_pfn_t next_pfn = pfn + head_pages(qr__pfn_word(zone->frames, pfn));
		uint64_t inside = qr__min(next_pfn, end_pfn) - qr__max(pfn, start_pfn);

		if (page_is_movable(zone->frames, pfn))
			*nr_movable += inside;
		pfn = next_pfn;
	}
}

bool qr_prep_move_freepages_block(struct qr_zone *zone, qr_pfn_t pfn, qr_pfn_t *start_pfn,
				  uint64_t *nr_free, uint64_t *nr_movable)
{
	if (!qr__pageblock_in_zone(zone, pfn))
		return false;
	*start_pfn = qr__pageblock_start(pfn);
	if (nr_free && nr_movable)
		pageblock_count(zone, *start_pfn, nr_free, nr_movable);
	return true;
}

int64_t qr_move_freepages_block(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype from,
				enum qr_migratetype to)
{
	qr_pfn_t start_pfn;

	if (!qr_prep_move_freepages_block(zone, pfn, &start_pfn, NULL, NULL))
		return -1;
	qr__pageblock_type_set_locked(zone, start_pfn, to);
	return (int64_t)zone->ops->move(zone, start_pfn, start_pfn + QR_PAGEBLOCK_NR_PAGES, from,
					qr__type_stored(zone->frames, to));
}

/* Boosting --------------------------------------------------------------------------------- */

/*
 * Raise the watermarks by a pageblock, up to a share of the high one.  Not in zones of a few
 * pageblocks, which would be all boost, nor before there are watermarks.
 */
bool qr_boost_watermark(struct qr_zone *zone)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	uint64_t factor = (uint64_t)atomic_load_explicit(&alloc->watermark_boost_factor,
							 memory_order_relaxed);
	uint64_t high = qr__read(&zone->watermark[QR_WMARK_HIGH]), max_boost, boost;

	if (!factor || QR_PAGEBLOCK_NR_PAGES * 4 > qr__read(&zone->managed_pages))
		return false;
	max_boost = high / 10000 * factor + high % 10000 * factor / 10000;
	if (!max_boost)
		return false;
	max_boost = qr__max(QR_PAGEBLOCK_NR_PAGES, max_boost);
	boost = qr__min(qr__read(&zone->watermark_boost) + QR_PAGEBLOCK_NR_PAGES, max_boost);
	qr__write(&zone->watermark_boost, boost);
	qr__zone_scarce_review(zone);
	qr__stat(alloc, QR_STAT_BOOSTS, 1);
	QR_TRACE(qr__alloc_base(alloc), QR_TP_WATERMARK_BOOST, .pfn = QR_PFN_NONE, .a = zone->nid,
		 .b = zone->type, .c = (int64_t)boost);
	return true;
}

/* Taking ----------------------------------------------------------------------------------- */

/* The block is made of whole pageblocks: they change hands, and nothing is mixed. */
static void pageblocks_take(struct qr_zone *zone, const struct borrower *borrower,
			    struct qr_block block) QR_REQUIRES(zone->lock)
{
	zone->ops->take_block(zone, block, borrower->order,
			      qr__type_stored(zone->frames, borrower->type));
	for (uint64_t i = 0; i < qr__order_pages(block.order); i += QR_PAGEBLOCK_NR_PAGES)
		qr__pageblock_type_set_locked(zone, block.pfn + i, borrower->type);
}

/* Would half of the pageblock, or more, be free or in use by pages alike to the borrower's? */
static bool worth_claiming(const struct qr_zone *zone, const struct borrower *borrower,
			   enum qr_migratetype lender, uint64_t nr_free, uint64_t nr_movable)
{
	uint64_t nr_alike = 0;

	if (borrower->type == QR_MIGRATE_MOVABLE)
		nr_alike = nr_movable;
	else if (lender == QR_MIGRATE_MOVABLE)
		/*
		 * Unmovable and reclaimable pages cannot be told apart, but are no worse together.
		 */
		nr_alike = QR_PAGEBLOCK_NR_PAGES - nr_free - nr_movable;
	return nr_free + nr_alike >= QR_PAGEBLOCK_NR_PAGES / 2 || grouping_disabled(zone);
}

/* Claim the pageblock around a loan and take a block of the borrower's own; false: not to be. */
static bool pageblock_claim(struct qr_zone *zone, const struct borrower *borrower,
			    const struct loan *loan, qr_pfn_t *pfn) QR_REQUIRES(zone->lock)
{
	enum qr_migratetype type = qr__type_stored(zone->frames, borrower->type);
	uint64_t nr_free, nr_movable;
	qr_pfn_t start_pfn;

	if (!loan->can_steal ||
	    !qr_prep_move_freepages_block(zone, loan->block.pfn, &start_pfn, &nr_free,
					  &nr_movable) ||
	    !worth_claiming(zone, borrower, loan->lender, nr_free, nr_movable))
		return false;
	qr_move_freepages_block(zone, start_pfn, loan->lender, type);
	return zone->ops->take(zone, borrower->order, type, 1, pfn) == 1;
}

static void loan_take(struct qr_zone *zone, const struct borrower *borrower,
		      const struct loan *loan, qr_pfn_t *pfn) QR_REQUIRES(zone->lock)
{
	*pfn = loan->block.pfn;
	if (loan->block.order >= QR_PAGEBLOCK_ORDER) {
		pageblocks_take(zone, borrower, loan->block);
		return;
	}
	/* Types mix from here on, if only by a single page, or a pageblock changes hands in use. */
	if (qr_boost_watermark(zone) && (borrower->alloc_flags & QR_ALLOC_KSWAPD))
		qr__zone_flag_set(zone, QR_ZONE_BOOSTED_WATERMARK);
	if (!pageblock_claim(zone, borrower, loan, pfn))
		zone->ops->take_block(zone, loan->block, borrower->order, loan->lender);
}

bool qr___rmqueue_fallback(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			   unsigned alloc_flags, qr_pfn_t *pfn)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);
	struct borrower borrower = {.order = order, .type = type, .alloc_flags = alloc_flags};
	struct loan loan;
	bool claimed;

	if (!best_loan(zone, &borrower, &loan))
		return false;
	loan_take(zone, &borrower, &loan, pfn);
	claimed = qr__pageblock_type(zone->frames, *pfn) == type;
	qr__stat(alloc, QR_STAT_FALLBACKS, 1);
	if (claimed)
		qr__stat(alloc, QR_STAT_FALLBACKS_CLAIMED, 1);
	QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_ALLOC_EXTFRAG, .pfn = *pfn, .order = order,
		 .migratetype = type, .a = loan.block.order, .b = loan.lender, .c = claimed);
	return true;
}
