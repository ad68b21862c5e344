/* SPDX-License-Identifier: MIT */
/*
 * list.c - the buddy engine of Linux: free blocks on lists by order and migratetype
 *
 * Theory of operation
 * -------------------
 * The free frames of a zone are kept as blocks.  A block of order k is 2^k frames that begin at a
 * multiple of 2^k; so there is one block of the same size that it can form a larger one with, its
 * buddy, whose pfn differs in bit k alone.  To take a block of order k, use the smallest free block
 * that will do, and halve it: the upper half goes to the list of its size, the lower half is halved
 * again, until what is left has order k.  Giving back is the reverse: while the buddy is free and
 * whole, take it off its list and go on with the block that both make.  Either way there is one
 * list operation for each order at most, and no search: the order of a block is in the page record
 * of its first frame, and a bitmap of orders for each type tells the smallest that has a block.
 *
 * There is a list for each pair of order and migratetype, because the type of a pageblock is a
 * promise: if all that was allocated from a pageblock can move, the pageblock can be emptied later,
 * and one page that cannot move spoils that for all of it.  Who may break the promise, and at what
 * price, is policy and not decided here.
 *
 * A list's first block is taken next.  What was freed goes there, since its bytes may still be in a
 * cache, but for a block whose neighbour is about to complete it: if the buddy of the larger block
 * that ours would be half of is free already, one more free makes a block four times the size, and
 * ours waits at the other end in the hope of that.
 *
 * Where this departs from Linux 6.12.0: when two blocks of several pageblocks each and of different
 * types join, all pageblocks of the result get one type, not only the first one of the buddy's.
 *
 * Guard blocks.  With a guard order g, halves of order below g that a split leaves over are not
 * listed but marked GUARD: nobody can have them, and what runs over the end of an allocation hits
 * them.  They wait for their buddy, with which they join as if they were free.  No count has them.
 *
 * Invariants
 * ----------
 * They hold whenever zone->lock is free; list_check() verifies them.
 *
 *	B1	A frame lies in at most one free block.
 *	B2	The record of a free block's first frame has type BUDDY, the block's order and the
 *		number of the zone, which spans all of the block; no reference is held to it.  The
 *		records of its other frames have type NONE.
 *	B3	Two free buddies smaller than a pageblock are always joined.  From there on they are
 *		joined when one of them is given back, if B4 allows it; a change of a pageblock's
 *		type alone joins nothing.
 *	B4	A pageblock of type HIGHATOMIC, CMA or ISOLATE keeps to itself: no free block covers
 *		it and a pageblock of another type, and no join changes its type.
 *	B5	A free block is on the list of its pageblock's type; if it covers several
 *		pageblocks, all of them have that type.
 *	B6	Each list is a chain without loop; the counts of blocks, the bitmaps of orders and
 *		the zone's counts of free pages say what is on the lists.
 *
 * Locking
 * -------
 * All functions are called with zone->lock held, but those named _racy: these read single atomic
 * words, each of which was true at some time.  Nothing is locked in here and no hook is called.
 *
 * The doors: only freelist_insert() and freelist_remove() put blocks on lists and take them off,
 * and keep the head's record and all counts with that.  Shuffling and rotating change nothing but
 * the order of blocks on a list.
 *
 * Not here: fallback between types (alloc/fallback.c), caches (alloc/pcp.c), watermarks.
 */
#include "../base/bits.h"
#include "../base/random.h"
#include "engine.h"

/* All the free blocks of one order. */
struct free_area {
	struct qr_list lists[QR_MIGRATE_TYPES]; /* z */
	_Atomic uint64_t nr_type[QR_MIGRATE_TYPES]; /* z: length of each list */
	_Atomic uint64_t nr_free; /* z: of all lists */
};

/* The engine's state, zone->buddy.  Letters as in frames/zone.h. */
struct list_buddy {
	_Atomic uint32_t orders[QR_MIGRATE_TYPES]; /* z: bit k: list of order k is not empty */
	struct free_area areas[QR_NR_PAGE_ORDERS];
};

_Static_assert(QR_MAX_PAGE_ORDER < 32, "a bit for each order");
_Static_assert(QR_PAGEBLOCK_ORDER <= QR_MAX_PAGE_ORDER, "a pageblock is a block");

enum list_end { LIST_HOT, LIST_COLD };

static struct list_buddy *buddy_of(const struct qr_zone *zone)
{
	return zone->buddy;
}

static uint32_t index_of(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return (uint32_t)(pfn - zone->frames->base_pfn);
}

static struct qr_page *page_at(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return qr__pfn_page(zone->frames, pfn);
}

static struct qr_page_state *state_at(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return qr__pfn_state(zone->frames, pfn);
}

static unsigned long long ull(uint64_t x)
{
	return x;
}

/* The doors -------------------------------------------------------------------------------- */

static void orders_mark(struct list_buddy *buddy, unsigned order, enum qr_migratetype type,
			bool filled)
{
	uint32_t orders = atomic_load_explicit(&buddy->orders[type], memory_order_relaxed);
	uint32_t bit = UINT32_C(1) << order;

	orders = filled ? orders | bit : orders & ~bit;
	atomic_store_explicit(&buddy->orders[type], orders, memory_order_relaxed);
}

static void freelist_insert(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			    enum qr_migratetype type, enum list_end end)
{
	struct list_buddy *buddy = buddy_of(zone);
	struct free_area *area = &buddy->areas[order];
	struct qr_links links = qr__page_links(zone->frames);

	qr__state_head_set(state_at(zone, pfn), zone->id, QR_PT_BUDDY, order);
	if (qr__list_empty(&area->lists[type]))
		orders_mark(buddy, order, type, true);
	if (end == LIST_COLD)
		qr__list_push_back(&area->lists[type], links, index_of(zone, pfn));
	else
		qr__list_push_front(&area->lists[type], links, index_of(zone, pfn));
	qr__bump(&area->nr_type[type], 1);
	qr__bump(&area->nr_free, 1);
	qr__zone_account_free(zone, (int64_t)qr__order_pages(order), type);
}

/* Leaves a record that claims nothing; whether it was REPORTED is still to be seen in it. */
static void freelist_remove(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			    enum qr_migratetype type)
{
	struct list_buddy *buddy = buddy_of(zone);
	struct free_area *area = &buddy->areas[order];
	struct qr_page_state *state = state_at(zone, pfn);

	QR_ASSERT(&zone->frames->base,
		  qr__state_type(state) == QR_PT_BUDDY && qr__state_order(state) == order,
		  "B2: no free block of order %u at %#llx", order, ull(pfn));
	qr__list_remove(&area->lists[type], qr__page_links(zone->frames), index_of(zone, pfn));
	if (qr__list_empty(&area->lists[type]))
		orders_mark(buddy, order, type, false);
	qr__bump(&area->nr_type[type], (uint64_t)-1);
	qr__bump(&area->nr_free, (uint64_t)-1);
	qr__zone_account_free(zone, -(int64_t)qr__order_pages(order), type);
	qr__state_type_set(state, QR_PT_NONE);
}

/* Blocks ----------------------------------------------------------------------------------- */

/* May we look at the record of pfn, and might it be ours? */
static bool frame_in_zone(const struct qr_zone *zone, qr_pfn_t pfn)
{
	return qr__zone_spans(zone, pfn) && qr__pfn_in_span(zone->frames, pfn);
}

static bool is_free_head(const struct qr_zone *zone, const struct qr_page_state *state)
{
	return qr__state_type(state) == QR_PT_BUDDY && qr__state_zone_id(state) == zone->id;
}

/* BUDDY or GUARD: pfn heads such a block of this zone and of exactly this order.  Else NONE. */
static enum qr_page_type block_at(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	const struct qr_page_state *state;
	enum qr_page_type type;

	if (!frame_in_zone(zone, pfn))
		return QR_PT_NONE;
	state = state_at(zone, pfn);
	type = qr__state_type(state);
	if (type != QR_PT_BUDDY && type != QR_PT_GUARD)
		return QR_PT_NONE;
	if (qr__state_order(state) != order || qr__state_zone_id(state) != zone->id)
		return QR_PT_NONE;
	return type;
}

/* Take a block off its list for good: what was reported of it is no longer true. */
static void block_unlist(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			 enum qr_migratetype type)
{
	freelist_remove(zone, pfn, order, type);
	if (qr__unlikely(qr__state_noted(state_at(zone, pfn))))
		qr__page_reported_clear(zone->frames, page_at(zone, pfn));
}

/* A block that is in no list goes to the caller. */
static void block_hand_out(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	qr__state_head_set(state_at(zone, pfn), zone->id, QR_PT_PCP, order);
}

static void guard_set(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	qr__state_head_set(state_at(zone, pfn), zone->id, QR_PT_GUARD, order);
}

/*
 * The lowest @used frames of a block in no list are spoken for: file the rest, as it would lie
 * after halving and halving again.  Small pieces become guards.
 */
static void rest_insert(struct qr_zone *zone, struct qr_block block, uint64_t used,
			enum qr_migratetype type)
{
	while (used < qr__order_pages(block.order)) {
		unsigned order = qr__ctz64(used);

		if (qr__unlikely(order < zone->frames->guard_minorder))
			guard_set(zone, block.pfn + used, order);
		else
			freelist_insert(zone, block.pfn + used, order, type, LIST_HOT);
		used += qr__order_pages(order);
	}
}

/* Taking ----------------------------------------------------------------------------------- */

/*
 * Cut up to @nr blocks of @order off the first block of a list.  No list of the type between both
 * orders has a block, so taking them one by one would come to the same.
 */
static unsigned first_block_take(struct qr_zone *zone, unsigned list_order, unsigned order,
				 enum qr_migratetype type, unsigned nr, qr_pfn_t *pfns)
{
	const struct qr_list *list = &buddy_of(zone)->areas[list_order].lists[type];
	struct qr_block block = {.pfn = zone->frames->base_pfn + list->first, .order = list_order};
	uint64_t nr_blocks = qr__min(nr, qr__order_pages(list_order - order));

	/* Guards lie between: the next block is to come from elsewhere. */
	if (qr__unlikely(zone->frames->guard_minorder))
		nr_blocks = 1;
	block_unlist(zone, block.pfn, block.order, type);
	for (uint64_t i = 0; i < nr_blocks; i++) {
		pfns[i] = block.pfn + (i << order);
		block_hand_out(zone, pfns[i], order);
	}
	rest_insert(zone, block, nr_blocks << order, type);
	return (unsigned)nr_blocks;
}

static unsigned list_take(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			  unsigned nr, qr_pfn_t *pfns)
{
	const struct list_buddy *buddy = buddy_of(zone);
	unsigned taken = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	while (taken < nr) {
		uint32_t orders =
			atomic_load_explicit(&buddy->orders[type], memory_order_relaxed) >> order;

		if (!orders)
			break;
		taken += first_block_take(zone, order + qr__ctz64(orders), order, type, nr - taken,
					  pfns + taken);
	}
	return taken;
}

static void list_take_block(struct qr_zone *zone, struct qr_block block, unsigned order,
			    enum qr_migratetype rest_type)
{
	enum qr_migratetype type = qr__pageblock_type(zone->frames, block.pfn);

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	block_unlist(zone, block.pfn, block.order, type);
	rest_insert(zone, block, qr__order_pages(order), rest_type);
	block_hand_out(zone, block.pfn, order);
}

static bool list_find(const struct qr_zone *zone, qr_pfn_t pfn, struct qr_block *block)
{
	if (!frame_in_zone(zone, pfn))
		return false;
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t head = qr__align_down(pfn, qr__order_pages(order));
		const struct qr_page_state *state;

		if (!frame_in_zone(zone, head))
			return false;
		state = state_at(zone, head);
		if (is_free_head(zone, state) && qr__state_order(state) >= order) {
			*block = (struct qr_block){.pfn = head, .order = qr__state_order(state)};
			return true;
		}
	}
	return false;
}

/* Are all frames from the start of one free block to the end of another in free blocks? */
static bool range_is_free(struct qr_zone *zone, qr_pfn_t pfn, qr_pfn_t end_pfn)
{
	struct qr_block block;

	while (pfn < end_pfn) {
		if (!list_find(zone, pfn, &block))
			return false;
		pfn = block.pfn + qr__order_pages(block.order);
	}
	return true;
}

/* Take the several free blocks that make up a larger one; false: not all of it is free. */
static bool blocks_gather(struct qr_zone *zone, qr_pfn_t pfn, qr_pfn_t end_pfn)
{
	if (!range_is_free(zone, pfn, end_pfn))
		return false;
	while (pfn < end_pfn) {
		unsigned order = qr__state_order(state_at(zone, pfn));

		block_unlist(zone, pfn, order, qr__pageblock_type(zone->frames, pfn));
		pfn += qr__order_pages(order);
	}
	return true;
}

/* Halve a block in no list around the part [pfn, pfn + 2^order), and file all other halves. */
static void surroundings_insert(struct qr_zone *zone, struct qr_block block, qr_pfn_t pfn,
				unsigned order)
{
	while (block.order > order) {
		qr_pfn_t upper, half;

		block.order--;
		upper = block.pfn + qr__order_pages(block.order);
		half = pfn < upper ? upper : block.pfn;
		block.pfn = pfn < upper ? block.pfn : upper;
		freelist_insert(zone, half, block.order, qr__pageblock_type(zone->frames, half),
				LIST_HOT);
	}
}

static bool list_carve(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	struct qr_block block;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	if (!list_find(zone, pfn, &block))
		return false;
	if (block.order >= order) {
		block_unlist(zone, block.pfn, block.order,
			     qr__pageblock_type(zone->frames, block.pfn));
		surroundings_insert(zone, block, pfn, order);
	} else if (!blocks_gather(zone, pfn, pfn + qr__order_pages(order))) {
		return false;
	}
	block_hand_out(zone, pfn, order);
	return true;
}

/* Giving back ------------------------------------------------------------------------------ */

/* B4: may pageblocks of these types be in one free block? */
static bool types_may_join(enum qr_migratetype a, enum qr_migratetype b)
{
	return a == b || (qr__type_mergeable(a) && qr__type_mergeable(b));
}

/*
 * B5: all pageblocks of a block get one type, which is returned.  No lock analysis: operations of
 * an engine are called through pointers, which cannot tell the compiler that the zone is locked.
 */
static enum qr_migratetype pageblocks_unify(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
					    enum qr_migratetype type) QR_NO_LOCK_ANALYSIS
{
	qr_pfn_t end_pfn = pfn + qr__order_pages(order);

	type = qr__type_stored(zone->frames, type);
	for (; pfn < end_pfn; pfn += QR_PAGEBLOCK_NR_PAGES) {
		if (qr__pageblock_type(zone->frames, pfn) != type)
			qr__pageblock_type_set_locked(zone, pfn, type);
	}
	return type;
}

/*
 * A block that could not join its buddy: is the next larger one free that both would join with, so
 * that one more free makes a block four times as large?
 */
static bool join_is_near(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	qr_pfn_t parent = pfn & ~qr__order_pages(order);

	return order + 1 < QR_MAX_PAGE_ORDER &&
	       block_at(zone, parent ^ qr__order_pages(order + 1), order + 1) != QR_PT_NONE;
}

static enum list_end given_end(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			       enum qr_list_end end)
{
	if (end != QR_END_AUTO)
		return LIST_COLD;
	if (order == QR_MAX_PAGE_ORDER && zone->frames->shuffle)
		return qr__random(&zone->frames->base) & 1 ? LIST_COLD : LIST_HOT;
	return join_is_near(zone, pfn, order) ? LIST_COLD : LIST_HOT;
}

/*
 * The loop says: while the buddy is free and whole and may join, take it in.  What is given may so
 * end up in the middle of a block, hence the records of both halves are wiped before they join.
 */
static unsigned list_give(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			  enum qr_migratetype type, enum qr_list_end end)
{
	struct qr_page_state *state = state_at(zone, pfn);

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	QR_ASSERT(&zone->frames->base, qr__state_type(state) != QR_PT_BUDDY,
		  "B1: block of order %u at %#llx is free already", order, ull(pfn));
	if (end == QR_END_FRESH)
		qr__state_head_set(state, zone->id, QR_PT_NONE, order);
	else
		qr__state_type_set(state, QR_PT_NONE);
	for (; order < QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t buddy = pfn ^ qr__order_pages(order);
		enum qr_page_type what = block_at(zone, buddy, order);
		enum qr_migratetype buddy_type = type;

		if (what == QR_PT_NONE)
			break;
		/* Smaller buddies lie in one pageblock.  From here on, joining covers several. */
		if (order >= QR_PAGEBLOCK_ORDER) {
			buddy_type = qr__pageblock_type(zone->frames, buddy);
			if (!types_may_join(type, buddy_type))
				break;
		}
		if (what == QR_PT_GUARD)
			qr__state_type_set(state_at(zone, buddy), QR_PT_NONE);
		else
			block_unlist(zone, buddy, order, buddy_type);
		pfn &= buddy;
		if (buddy_type != type)
			type = pageblocks_unify(zone, pfn, order + 1, type);
	}
	freelist_insert(zone, pfn, order, type, given_end(zone, pfn, order, end));
	return order;
}

/* Looking and moving ----------------------------------------------------------------------- */

static bool list_first(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		       struct qr_block *block)
{
	const struct qr_list *list = &buddy_of(zone)->areas[order].lists[type];

	if (qr__list_empty(list))
		return false;
	*block = (struct qr_block){.pfn = zone->frames->base_pfn + list->first, .order = order};
	return true;
}

/*
 * Looks at every record that may head a block: nothing is assumed of those that do not say BUDDY,
 * as their owners do not need our lock to change them.
 */
static uint64_t list_move(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			  enum qr_migratetype from, enum qr_migratetype to)
{
	uint64_t nr_moved = 0;

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	for (qr_pfn_t pfn = start_pfn; pfn < end_pfn;) {
		const struct qr_page_state *state = state_at(zone, pfn);
		unsigned order;

		if (!is_free_head(zone, state)) {
			pfn++;
			continue;
		}
		order = qr__state_order(state);
		freelist_remove(zone, pfn, order, from);
		freelist_insert(zone, pfn, order, to, LIST_COLD);
		nr_moved += qr__order_pages(order);
		pfn += qr__order_pages(order);
	}
	return nr_moved;
}

static qr_pfn_t list_next(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			  qr_pfn_t after)
{
	uint32_t next;

	if (after == QR_PFN_NONE)
		next = buddy_of(zone)->areas[order].lists[type].first;
	else
		next = page_at(zone, after)->link.next;
	return next == QR_LIST_NONE ? QR_PFN_NONE : zone->frames->base_pfn + next;
}

static void list_rotate(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			qr_pfn_t pfn)
{
	qr__list_rotate_to(&buddy_of(zone)->areas[order].lists[type], qr__page_links(zone->frames),
			   index_of(zone, pfn));
}

static uint64_t list_nr_blocks_type_racy(const struct qr_zone *zone, unsigned order,
					 enum qr_migratetype type)
{
	return qr__read(&buddy_of(zone)->areas[order].nr_type[type]);
}

static uint64_t list_nr_blocks_racy(const struct qr_zone *zone, unsigned order)
{
	return qr__read(&buddy_of(zone)->areas[order].nr_free);
}

/* A pageblock inside a larger free block is all free; else its own blocks are counted. */
static uint64_t list_nr_free_in(const struct qr_zone *zone, qr_pfn_t pfn)
{
	qr_pfn_t start_pfn = qr__pageblock_start(pfn), end_pfn = start_pfn + QR_PAGEBLOCK_NR_PAGES;
	uint64_t nr_free = 0;
	struct qr_block block;

	if (list_find(zone, start_pfn, &block) && block.order >= QR_PAGEBLOCK_ORDER)
		return QR_PAGEBLOCK_NR_PAGES;
	for (pfn = start_pfn; pfn < end_pfn;) {
		const struct qr_page_state *state = state_at(zone, pfn);
		uint64_t nr = 1;

		if (frame_in_zone(zone, pfn) && is_free_head(zone, state)) {
			nr = qr__order_pages(qr__state_order(state));
			nr_free += nr;
		}
		pfn += nr;
	}
	return nr_free;
}

static bool list_has_racy(struct qr_zone *zone, unsigned order, unsigned types)
{
	const struct list_buddy *buddy = buddy_of(zone);
	uint32_t orders = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		if (types & QR_TYPE_BIT(type))
			orders |= atomic_load_explicit(&buddy->orders[type], memory_order_relaxed);
	}
	return orders >> order != 0;
}

/* Shuffling -------------------------------------------------------------------------------- */

#define SHUFFLE_TRIES 10

/* The neighbours of i, or the ends of the list, learn that i is between them. */
static void neighbours_relink(struct qr_list *list, struct qr_links links, uint32_t i)
{
	const struct qr_link *link = qr__link(links, i);

	if (link->prev == QR_LIST_NONE)
		list->first = i;
	else
		qr__link(links, link->prev)->next = i;
	if (link->next == QR_LIST_NONE)
		list->last = i;
	else
		qr__link(links, link->next)->prev = i;
}

/* Two elements of one list change places. */
static void places_swap(struct qr_list *list, struct qr_links links, uint32_t a, uint32_t b)
{
	struct qr_link *link_a, *link_b, old_a, old_b;

	if (qr__link(links, b)->next == a) {
		uint32_t first = b;

		b = a;
		a = first;
	}
	link_a = qr__link(links, a);
	link_b = qr__link(links, b);
	old_a = *link_a;
	old_b = *link_b;
	*link_a = old_b;
	*link_b = old_a;
	if (old_a.next == b) {
		link_a->prev = b;
		link_b->next = a;
	}
	neighbours_relink(list, links, a);
	neighbours_relink(list, links, b);
}

/* Another free block of the highest order and of this type, by chance; QR_PFN_NONE: no luck. */
static qr_pfn_t partner_draw(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype type)
{
	for (unsigned i = 0; i < SHUFFLE_TRIES; i++) {
		uint64_t offset = qr__random(&zone->frames->base) % qr__read(&zone->spanned_pages);
		qr_pfn_t other =
			qr__align_down(qr__zone_start(zone) + offset, QR_MAX_ORDER_NR_PAGES);

		if (other != pfn && block_at(zone, other, QR_MAX_PAGE_ORDER) == QR_PT_BUDDY &&
		    qr__pageblock_type(zone->frames, other) == type)
			return other;
	}
	return QR_PFN_NONE;
}

static void list_shuffle(struct qr_zone *zone)
{
	struct free_area *area = &buddy_of(zone)->areas[QR_MAX_PAGE_ORDER];
	qr_pfn_t pfn = qr__align_up(qr__zone_start(zone), QR_MAX_ORDER_NR_PAGES);

	QR_ASSERT_LOCKED(&zone->frames->base, &zone->lock);
	for (; pfn < qr__zone_end(zone); pfn += QR_MAX_ORDER_NR_PAGES) {
		enum qr_migratetype type;
		qr_pfn_t other;

		if (block_at(zone, pfn, QR_MAX_PAGE_ORDER) != QR_PT_BUDDY)
			continue;
		type = qr__pageblock_type(zone->frames, pfn);
		other = partner_draw(zone, pfn, type);
		if (other != QR_PFN_NONE)
			places_swap(&area->lists[type], qr__page_links(zone->frames),
				    index_of(zone, pfn), index_of(zone, other));
	}
}

/* Checking --------------------------------------------------------------------------------- */

/* B2: the head's record. */
static bool head_is_sound(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	return qr__is_aligned(pfn, qr__order_pages(order)) &&
	       frame_in_zone(zone, pfn + qr__order_pages(order) - 1) &&
	       block_at(zone, pfn, order) == QR_PT_BUDDY &&
	       qr__state_refcount(state_at(zone, pfn)) == 0;
}

/* B1: a larger block that covers pfn; QR_PFN_NONE: there is none. */
static qr_pfn_t block_above(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	while (++order <= QR_MAX_PAGE_ORDER) {
		qr_pfn_t head = qr__align_down(pfn, qr__order_pages(order));
		const struct qr_page_state *state;

		if (!frame_in_zone(zone, head))
			break;
		state = state_at(zone, head);
		if (head != pfn && is_free_head(zone, state) && qr__state_order(state) >= order)
			return head;
	}
	return QR_PFN_NONE;
}

/*
 * B2: a frame inside the block whose record speaks; QR_PFN_NONE: all are silent.  Of larger blocks
 * only the starts of pageblocks are looked at in release builds, since their records may never have
 * been touched, and looking would cost memory.
 */
static qr_pfn_t inside_speaker(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
{
	uint64_t step = order <= QR_PAGEBLOCK_ORDER || QR_DEBUG > 0 ? 1 : QR_PAGEBLOCK_NR_PAGES;
	qr_pfn_t end_pfn = pfn + qr__order_pages(order);

	for (pfn += step; pfn < end_pfn; pfn += step) {
		if (qr__state_type(state_at(zone, pfn)) != QR_PT_NONE)
			return pfn;
	}
	return QR_PFN_NONE;
}

/* B4, B5: the types of the block's pageblocks. */
static unsigned types_check(const struct qr_zone *zone, qr_pfn_t head, unsigned order,
			    enum qr_migratetype type, struct qr_error_text *why)
{
	qr_pfn_t end_pfn = head + qr__order_pages(order);

	for (qr_pfn_t pfn = head; pfn < end_pfn; pfn += QR_PAGEBLOCK_NR_PAGES) {
		enum qr_migratetype other = qr__pageblock_type(zone->frames, pfn);

		if (other == type)
			continue;
		qr__why(why,
			"%s: free block of order %u at %#llx is on a list of type %u, but the "
			"pageblock of %#llx has type %u",
			types_may_join(type, other) ? "B5" : "B4", order, ull(head), (unsigned)type,
			ull(pfn), (unsigned)other);
		return types_may_join(type, other) ? 5 : 4;
	}
	return 0;
}

static unsigned block_check(const struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			    enum qr_migratetype type, struct qr_error_text *why)
{
	qr_pfn_t other;

	if (!frame_in_zone(zone, pfn) || !head_is_sound(zone, pfn, order)) {
		qr__why(why,
			"B2: what is listed at %#llx is no free block of order %u of this zone",
			ull(pfn), order);
		return 2;
	}
	other = block_above(zone, pfn, order);
	if (other != QR_PFN_NONE) {
		qr__why(why, "B1: free block of order %u at %#llx lies inside the one at %#llx",
			order, ull(pfn), ull(other));
		return 1;
	}
	other = inside_speaker(zone, pfn, order);
	if (other != QR_PFN_NONE) {
		qr__why(why,
			"B2: the record of %#llx says %u inside the free block of order %u at "
			"%#llx",
			ull(other), (unsigned)qr__state_type(state_at(zone, other)), order,
			ull(pfn));
		return 2;
	}
	other = pfn ^ qr__order_pages(order);
	if (order < QR_PAGEBLOCK_ORDER && block_at(zone, other, order) != QR_PT_NONE) {
		qr__why(why, "B3: free blocks of order %u at %#llx and %#llx are not joined", order,
			ull(pfn), ull(other));
		return 3;
	}
	return types_check(zone, pfn, order, type, why);
}

/* One list: each block on it, and that it is as long as it says. */
static unsigned freelist_check(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			       struct qr_error_text *why)
{
	const struct list_buddy *buddy = buddy_of(zone);
	const struct qr_list *list = &buddy->areas[order].lists[type];
	uint64_t nr = qr__read(&buddy->areas[order].nr_type[type]), seen = 0;
	uint32_t last = QR_LIST_NONE;
	bool marked = atomic_load_explicit(&buddy->orders[type], memory_order_relaxed) >> order & 1;
	bool whole = true;

	for (uint32_t i = list->first; i != QR_LIST_NONE && whole; seen++) {
		qr_pfn_t pfn = zone->frames->base_pfn + i;
		unsigned broken = block_check(zone, pfn, order, type, why);

		if (broken)
			return broken;
		whole = page_at(zone, pfn)->link.prev == last && seen < nr;
		last = i;
		i = page_at(zone, pfn)->link.next;
	}
	if (!whole || seen != nr || list->last != last || marked != (nr != 0)) {
		qr__why(why,
			"B6: list of order %u, type %u: count %llu, but at least %llu blocks, or a "
			"torn chain, or its bit is wrong",
			order, (unsigned)type, ull(nr), ull(seen));
		return 6;
	}
	return 0;
}

/* Free pages of some types, by the lists' lengths. */
static uint64_t lists_sum(const struct qr_zone *zone, unsigned types)
{
	uint64_t sum = 0;

	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
			if (types & QR_TYPE_BIT(type))
				sum += qr__read(&buddy_of(zone)->areas[order].nr_type[type])
				       << order;
		}
	}
	return sum;
}

static unsigned total_check(const struct qr_zone *zone, unsigned types,
			    const _Atomic uint64_t *count, const char *name,
			    struct qr_error_text *why)
{
	uint64_t sum = lists_sum(zone, types);

	if (qr__read(count) == sum)
		return 0;
	qr__why(why, "B6: %s is %llu, but %llu pages are on the lists", name, ull(qr__read(count)),
		ull(sum));
	return 6;
}

static unsigned totals_check(const struct qr_zone *zone, struct qr_error_text *why)
{
	const unsigned all = (1u << QR_MIGRATE_TYPES) - 1;
	unsigned broken;

	broken = total_check(zone, all & ~QR_TYPE_BIT(QR_MIGRATE_ISOLATE), &zone->nr_free_pages,
			     "nr_free_pages", why);
	if (!broken)
		broken = total_check(zone, QR_TYPE_BIT(QR_MIGRATE_CMA), &zone->nr_free_cma,
				     "nr_free_cma", why);
	if (!broken)
		broken = total_check(zone, QR_TYPE_BIT(QR_MIGRATE_HIGHATOMIC),
				     &zone->nr_free_highatomic, "nr_free_highatomic", why);
	return broken;
}

static unsigned area_check(struct qr_zone *zone, unsigned order, struct qr_error_text *why)
{
	const struct free_area *area = &buddy_of(zone)->areas[order];
	uint64_t sum = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		unsigned broken = freelist_check(zone, order, (enum qr_migratetype)type, why);

		if (broken)
			return broken;
		sum += qr__read(&area->nr_type[type]);
	}
	if (sum != qr__read(&area->nr_free)) {
		qr__why(why, "B6: %llu blocks of order %u, but %llu are on the lists",
			ull(qr__read(&area->nr_free)), order, ull(sum));
		return 6;
	}
	return 0;
}

static unsigned list_check(struct qr_zone *zone, struct qr_error_text *why)
{
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		unsigned broken = area_check(zone, order, why);

		if (broken)
			return broken;
	}
	return totals_check(zone, why);
}

/* The engine ------------------------------------------------------------------------------- */

static size_t list_zone_size(qr_pfn_t start_pfn, qr_pfn_t end_pfn, unsigned nr_cpus)
{
	(void)start_pfn, (void)end_pfn, (void)nr_cpus;
	return sizeof(struct list_buddy);
}

static void list_zone_init(struct qr_zone *zone, void *memory)
{
	struct list_buddy *buddy = memory;

	*buddy = (struct list_buddy){0};
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			qr__list_init(&buddy->areas[order].lists[type]);
	}
	zone->buddy = buddy;
}

const struct qr_buddy_ops qr__buddy_list = {
	.name = "list",
	.guards = true,
	.zone_size = list_zone_size,
	.zone_init = list_zone_init,
	.take = list_take,
	.take_block = list_take_block,
	.carve = list_carve,
	.give = list_give,
	.find = list_find,
	.first = list_first,
	.move = list_move,
	.next = list_next,
	.rotate = list_rotate,
	.nr_blocks_type_racy = list_nr_blocks_type_racy,
	.nr_blocks_racy = list_nr_blocks_racy,
	.nr_free_in = list_nr_free_in,
	.has_racy = list_has_racy,
	.shuffle = list_shuffle,
	.check = list_check,
};
