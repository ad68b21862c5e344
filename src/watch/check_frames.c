/* SPDX-License-Identifier: MIT */
/*
 * watch/check_frames.c - the checker's walk over a zone: records, blocks, pageblocks
 *
 * Locking: all caches of the zone and the zone itself are locked.
 */
#include "../alloc/step.h"
#include "check.h"

#define PFN(pfn) ((unsigned long long)(pfn))

/* Records near a head that are looked at even where not all are: one page of metadata. */
#define NEAR_TAILS (4096 / sizeof(struct qr_page_state))

/* Flags that may be set while the engine has the block. */
#define FLAGS_WHILE_FREE (~QR_PG_CHECK_AT_PREP | QR_PG_REPORTED)

static bool type_is_in_use(enum qr_page_type type)
{
	return type == QR_PT_INUSE || type >= QR_PT_TABLE;
}

void qr__check_suspect_note(struct qr_checker *c, enum qr_invariant invariant, qr_pfn_t pfn)
{
	if (c->nr_suspects == QR_CHECK_MAX_SUSPECTS) {
		c->more_suspects = true;
		return;
	}
	c->suspects[c->nr_suspects++] = (struct qr_suspect){.invariant = invariant, .pfn = pfn};
}

/* Blocks: what must hold at every look ----------------------------------------------------- */

static bool tail_is_blank(uint64_t word)
{
	return qr__word_type(word) == QR_PT_NONE && qr__word_refcount(word) == 0;
}

/* The first frame inside a block whose record says something; end_pfn: none does. */
static qr_pfn_t speaking_tail(const struct qr_checker *c, const struct qr_run *run)
{
	qr_pfn_t end_pfn = run->end_pfn;

	if (!c->thorough && run->order >= QR_PAGEBLOCK_ORDER)
		end_pfn = qr__min(end_pfn, run->head + NEAR_TAILS);
	for (qr_pfn_t pfn = run->head + 1; pfn < end_pfn; pfn++)
		if (!tail_is_blank(qr__pfn_word(c->frames, pfn)))
			return pfn;
	return run->end_pfn;
}

static void block_check_place(struct qr_checker *c, const struct qr_run *run, uint64_t word)
{
	unsigned order = run->state == QR_FRAME_FREE ? run->order : qr__word_order(word);
	qr_pfn_t last = run->head + qr__order_pages(run->order) - 1;

	if (order > QR_MAX_PAGE_ORDER)
		qr__check_broken(c, QR_INV_F2, "the block at pfn %#llx has order %u",
				 PFN(run->head), order);
	else if (!qr__is_aligned(run->head, qr__order_pages(order)))
		qr__check_broken(c, QR_INV_F2, "the block at pfn %#llx is not aligned to order %u",
				 PFN(run->head), order);
	else if (!qr__pfn_in_span(c->frames, last) || qr__pfn_zone(c->frames, last) != c->zone)
		qr__check_broken(c, QR_INV_F2,
				 "the block of order %u at pfn %#llx leaves zone %s of node %d",
				 order, PFN(run->head), qr_zone_type_name(c->zone->type),
				 c->zone->nid);
	else if (qr__word_type(word) != QR_PT_NONE && qr__word_zone_id(word) != c->zone->id)
		qr__check_broken(c, QR_INV_F3,
				 "the record of pfn %#llx says zone id %u, but it lies in %u",
				 PFN(run->head), qr__word_zone_id(word), (unsigned)c->zone->id);
}

/* What the engine or a cache holds, nobody else touches. */
static void block_check_free(struct qr_checker *c, const struct qr_run *run,
			     const struct qr_page *page)
{
	uint32_t flags = qr__page_flags(page) & ~FLAGS_WHILE_FREE;
	qr_pfn_t tail;

	if (qr__page_refcount(c->frames, page) != 0 || qr__page_mapcount(page) != 0)
		qr__check_broken(c, QR_INV_F5,
				 "pfn %#llx is free but has %d references and %d mappings",
				 PFN(run->head), (int)qr__page_refcount(c->frames, page),
				 qr__page_mapcount(page));
	else if (flags)
		qr__check_broken(c, QR_INV_F7, "pfn %#llx is free but has flags %#x",
				 PFN(run->head), (unsigned)flags);

	tail = speaking_tail(c, run);
	if (tail != run->end_pfn)
		qr__check_broken(
			c, QR_INV_F4,
			"the record of pfn %#llx, inside the free block of order %u at %#llx, "
			"says type %d",
			PFN(tail), run->order, PFN(run->head),
			(int)qr__word_type(qr__pfn_word(c->frames, tail)));
}

/* Blocks: what may be in the middle of a change -------------------------------------------- */

/* The first tail of a block in use that does not fit it; end_pfn: all do. */
static qr_pfn_t stray_tail(const struct qr_checker *c, const struct qr_run *run,
			   const struct qr_page *head)
{
	uint32_t index = qr__page_index(c->frames, head);
	bool compound = qr__page_test(head, QR_PG_COMPOUND);

	for (qr_pfn_t pfn = run->head + 1; pfn < run->end_pfn; pfn++) {
		const struct qr_page *tail = qr__pfn_page(c->frames, pfn);

		enum qr_page_type type = qr__page_type(c->frames, tail);

		if (compound ? type != QR_PT_TAIL || qr__page_tail_head_racy(tail) != index
			     : type != QR_PT_NONE)
			return pfn;
	}
	return run->end_pfn;
}

/* The order that the owner records know this block by; -1: not allocated. */
static int owner_order(const struct qr_checker *c, qr_pfn_t pfn)
{
	const struct qr_owner_record *r;
	qr_pfn_t head;

	r = qr__owner_find(c->watch, pfn, &head);
	if (!r)
		return -1;
	return head == pfn ? atomic_load_explicit(&r->order, memory_order_relaxed)
			   : QR_NR_PAGE_ORDERS;
}

static unsigned soft_check_in_use(const struct qr_checker *c, const struct qr_run *run,
				  const struct qr_page *page)
{
	if (qr__page_refcount(c->frames, page) <= 0)
		return QR_INV_F6;
	if (stray_tail(c, run, page) != run->end_pfn)
		return QR_INV_F9;
	if (qr__owner_active(c->watch) && owner_order(c, run->head) != (int)run->order)
		return QR_INV_O1;
	return 0;
}

static unsigned soft_check_free(const struct qr_checker *c, const struct qr_run *run,
				const struct qr_page *page)
{
	if (run->state == QR_FRAME_PCP && !qr__check_is_cached_locked(c, page))
		return QR_INV_P5;
	if (qr__owner_active(c->watch) && owner_order(c, run->head) >= 0)
		return QR_INV_O2;
	return 0;
}

/*
 * The first frame of a block whose cold part has something to say that its state does not note;
 * end_pfn: none has.  Of large blocks only the head, if not all records shall be looked at.
 */
static qr_pfn_t unnoted_frame(const struct qr_checker *c, const struct qr_run *run)
{
	bool all = c->thorough || run->order < QR_PAGEBLOCK_ORDER;
	qr_pfn_t end_pfn = all ? run->end_pfn : run->head + 1;

	for (qr_pfn_t pfn = run->head; pfn < end_pfn; pfn++)
		if (!qr__word_noted(qr__pfn_word(c->frames, pfn)) &&
		    !qr__page_is_clean(qr__pfn_page(c->frames, pfn)))
			return pfn;
	return run->end_pfn;
}

/*
 * Does a mark of this frame say what its state does not, as far as that is to say the same?  A
 * route is all of the word; of what is free or cached zone and order are true.
 */
static bool is_mismarked(const struct qr_checker *c, qr_pfn_t pfn, unsigned order)
{
	uint64_t i = pfn - c->frames->base_pfn, word = qr__state_word(&c->frames->states[i]);
	uint8_t mark = qr__mark(qr__mark_of(c->frames, i, order));

	if (mark >= QR_MARK_CACHED)
		return qr__word_order(word) != order || qr__word_zone_id(word) != c->zone->id;
	return mark && word != qr__allocator_const(c->q)->routes[mark].open;
}

static bool has_wrong_mark(const struct qr_checker *c, qr_pfn_t pfn)
{
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++) {
		if (!qr__is_aligned(pfn, qr__order_pages(order)))
			return false;
		if (is_mismarked(c, pfn, order))
			return true;
	}
	return false;
}

/* The first frame of a block whose mark is wrong; end_pfn: none's is. */
static qr_pfn_t mismarked_frame(const struct qr_checker *c, const struct qr_run *run)
{
	qr_pfn_t end_pfn = qr__has_marks(c->frames) ? run->end_pfn : run->head;

	for (qr_pfn_t pfn = run->head; pfn < end_pfn; pfn++)
		if (has_wrong_mark(c, pfn))
			return pfn;
	return run->end_pfn;
}

/* The soft rule of its state that this block breaks; 0: none. */
static unsigned soft_check_state(const struct qr_checker *c, const struct qr_run *run)
{
	const struct qr_page *page = qr__pfn_page(c->frames, run->head);

	switch (run->state) {
	case QR_FRAME_FREE:
	case QR_FRAME_GUARD:
	case QR_FRAME_PCP:
		return soft_check_free(c, run, page);
	default:
		return type_is_in_use(qr__page_type(c->frames, page))
			       ? soft_check_in_use(c, run, page)
			       : 0;
	}
}

/* The soft rule that this block or frame breaks; 0: none. */
static unsigned soft_check(const struct qr_checker *c, const struct qr_run *run)
{
	unsigned broken = run->lost ? QR_INV_F1 : soft_check_state(c, run);

	if (!broken && unnoted_frame(c, run) != run->end_pfn)
		broken = QR_INV_F11;
	if (!broken && mismarked_frame(c, run) != run->end_pfn)
		broken = QR_INV_F12;
	return broken;
}

static void suspect_say(struct qr_checker *c, unsigned invariant, const struct qr_run *run)
{
	const struct qr_page *page = qr__pfn_page(c->frames, run->head);

	switch (invariant) {
	case QR_INV_F1:
		qr__check_broken(c, invariant,
				 "no record speaks for pfn %#llx: neither free nor in use",
				 PFN(run->start_pfn));
		break;
	case QR_INV_F6:
		qr__check_broken(c, invariant, "pfn %#llx is in use but has %d references",
				 PFN(run->head), (int)qr__page_refcount(c->frames, page));
		break;
	case QR_INV_F9:
		qr__check_broken(c, invariant,
				 "pfn %#llx does not fit the block in use of order %u at %#llx",
				 PFN(stray_tail(c, run, page)), run->order, PFN(run->head));
		break;
	case QR_INV_F11:
		qr__check_broken(
			c, invariant,
			"the state of pfn %#llx does not note what its record says (flags %#x)",
			PFN(unnoted_frame(c, run)),
			(unsigned)qr__page_flags(qr__pfn_page(c->frames, unnoted_frame(c, run))));
		break;
	case QR_INV_F12:
		qr__check_broken(c, invariant, "the mark of pfn %#llx says what its state does not",
				 PFN(mismarked_frame(c, run)));
		break;
	case QR_INV_P5:
		qr__check_broken(
			c, invariant,
			"the block of order %u at pfn %#llx says PCP, but is on no cache's list",
			run->order, PFN(run->head));
		break;
	case QR_INV_O1:
		qr__check_broken(c, invariant,
				 "pfn %#llx is in use with order %u, but its owner record says %d",
				 PFN(run->head), run->order, owner_order(c, run->head));
		break;
	default:
		qr__check_broken(c, invariant, "pfn %#llx is free, but has an owner record",
				 PFN(run->head));
		break;
	}
}

/* Does the frame still say it is a tail of a compound page that does not reach it? */
static bool stray_look(struct qr_checker *c, qr_pfn_t pfn, bool speak)
{
	const struct qr_page *page = qr__page_speaking(c->frames, pfn);

	if (!page || qr__page_type(c->frames, page) != QR_PT_TAIL)
		return false;
	if (speak)
		qr__check_broken(c, QR_INV_F9,
				 "pfn %#llx says it is a tail, but no compound page reaches it",
				 PFN(pfn));
	return true;
}

bool qr__check_suspect_locked(struct qr_checker *c, const struct qr_suspect *suspect, bool speak)
{
	struct qr_run run;

	if (suspect->invariant == QR_INV_Z7)
		return qr__check_managed_look(c, speak);
	if (suspect->invariant == QR_INV_Z12)
		return qr__check_scarce_look(c, speak);
	if (suspect->invariant == QR_INV_F9 && stray_look(c, suspect->pfn, speak))
		return true;
	qr__run_at(c->frames, suspect->pfn, &run);
	if (run.head != suspect->pfn || soft_check(c, &run) != suspect->invariant)
		return false;
	if (speak)
		suspect_say(c, suspect->invariant, &run);
	return true;
}

/* The walk --------------------------------------------------------------------------------- */

static void block_check(struct qr_checker *c, const struct qr_run *run)
{
	uint64_t word = qr__pfn_word(c->frames, run->head);
	unsigned broken;

	if ((unsigned)qr__word_type(word) >= QR_NR_PAGE_TYPES) {
		qr__check_broken(c, QR_INV_F3, "the record of pfn %#llx says type %d",
				 PFN(run->head), (int)qr__word_type(word));
		return;
	}
	block_check_place(c, run, word);
	if (run->state == QR_FRAME_FREE || run->state == QR_FRAME_GUARD)
		block_check_free(c, run, qr__pfn_page(c->frames, run->head));
	broken = soft_check(c, run);
	if (broken)
		qr__check_suspect_note(c, (enum qr_invariant)broken, run->head);
}

/* A frame that is no memory; the next one to look at. */
static qr_pfn_t hole_check(struct qr_checker *c, const struct qr_run *run)
{
	enum qr_page_type type = qr__word_type(qr__pfn_word(c->frames, run->start_pfn));

	if (type != QR_PT_NONE)
		qr__check_broken(c, QR_INV_F10,
				 "pfn %#llx is no memory, but its record says type %d",
				 PFN(run->start_pfn), (int)type);
	return run->end_pfn;
}

static void run_count(struct qr_checker *c, const struct qr_run *run, qr_pfn_t end_pfn)
{
	uint64_t nr = end_pfn - run->start_pfn;

	c->nr[run->state] += nr;
	if (run->state == QR_FRAME_FREE &&
	    qr__pageblock_type(c->frames, run->head) == QR_MIGRATE_ISOLATE)
		c->nr_free_isolated += nr;
}

/*
 * A frame that no record speaks for; the next one to look at.  Of several that are lost in a row,
 * one is enough to look at again.  A reserved range is passed over at once where none of the
 * zone's reserved pages ever joined the allocator.
 */
static qr_pfn_t unspoken_check(struct qr_checker *c, const struct qr_run *run,
			       const struct qr_extent *extent, bool *after_lost)
{
	qr_pfn_t end_pfn = run->end_pfn;

	if (run->lost && !*after_lost)
		qr__check_suspect_note(c, QR_INV_F1, run->start_pfn);
	*after_lost = run->lost;
	if (extent->kind != QR_RANGE_RAM) {
		if (!c->reserved_joined || extent->kind == QR_RANGE_DEVICE)
			end_pfn = extent->end_pfn;
		c->nr_unmanaged += end_pfn - run->start_pfn;
	}
	run_count(c, run, end_pfn);
	return end_pfn;
}

/* One step of the walk: what is at pfn; the next frame to look at. */
static qr_pfn_t frame_check(struct qr_checker *c, qr_pfn_t pfn, bool *after_lost)
{
	const struct qr_extent *extent = qr__extent_of(c->frames, pfn);
	struct qr_run run;

	qr__run_at(c->frames, pfn, &run);
	if (run.state == QR_FRAME_HOLE)
		return hole_check(c, &run);
	if (extent->nid != c->zone->nid || extent->zone != c->zone->type)
		return extent->end_pfn;
	if (!qr__page_speaking(c->frames, pfn) && run.state != QR_FRAME_FREE)
		return unspoken_check(c, &run, extent, after_lost);

	*after_lost = false;
	if (qr__word_type(qr__pfn_word(c->frames, pfn)) == QR_PT_TAIL)
		qr__check_suspect_note(c, QR_INV_F9, pfn);
	else
		block_check(c, &run);
	run_count(c, &run, run.end_pfn);
	return run.end_pfn;
}

/* Did frames of reserved ranges join the allocator?  Then managed is more than the RAM. */
static bool reserved_joined(const struct qr_checker *c)
{
	uint64_t nr_ram = 0;

	for (unsigned i = 0; i < c->frames->nr_extents; i++) {
		const struct qr_extent *extent = &c->frames->extents[i];

		if (extent->nid == c->zone->nid && extent->zone == c->zone->type &&
		    extent->kind == QR_RANGE_RAM)
			nr_ram += extent->end_pfn - extent->start_pfn;
	}
	return qr__read(&c->zone->managed_pages) - qr__read(&c->zone->adjusted_pages) != nr_ram;
}

static void blocks_walk(struct qr_checker *c)
{
	qr_pfn_t end_pfn = qr__zone_end(c->zone);
	bool after_lost = false;

	for (unsigned state = 0; state < QR_NR_FRAME_STATES; state++)
		c->nr[state] = 0;
	c->nr_free_isolated = c->nr_unmanaged = 0;
	c->reserved_joined = reserved_joined(c);
	for (qr_pfn_t pfn = qr__zone_start(c->zone); pfn < end_pfn && !c->broken;)
		pfn = frame_check(c, pfn, &after_lost);
}

/* Pageblocks ------------------------------------------------------------------------------- */

static void pageblock_check(struct qr_checker *c, qr_pfn_t pfn)
{
	uint32_t bits =
		atomic_load_explicit(&qr__pageblock(c->frames, pfn)->bits, memory_order_relaxed);
	unsigned type = (bits & QR_PB_TYPE_MASK) ^ QR_MIGRATE_MOVABLE;

	if (type >= QR_MIGRATE_ISOLATE) {
		qr__check_broken(c, QR_INV_F8, "the pageblock at pfn %#llx has type %u",
				 PFN(qr__pageblock_start(pfn)), type);
		return;
	}
	c->nr_pageblocks[type]++;
	if (bits & QR_PB_ISOLATE)
		c->nr_isolated_pageblocks++;
}

static void pageblocks_walk(struct qr_checker *c)
{
	qr_pfn_t start_pfn = 0, end_pfn;

	for (; qr__zone_next_pageblock(c->zone, &start_pfn, &end_pfn); start_pfn = end_pfn)
		if (qr__pageblock_counts(c->zone, start_pfn))
			pageblock_check(c, start_pfn);
}

void qr__check_frames_locked(struct qr_checker *c)
{
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		c->nr_pageblocks[type] = 0;
	c->nr_isolated_pageblocks = 0;
	pageblocks_walk(c);
	if (!c->broken)
		blocks_walk(c);
}
