/* SPDX-License-Identifier: MIT */
/*
 * watch/check_zone.c - the checker's arithmetic: a zone's counters, and its caches
 *
 * Locking: all caches of the zone and the zone itself are locked.
 */
#include "check.h"

#define ULL(x) ((unsigned long long)(x))

/* A counter, or what it should be, differs. */
static void differs(struct qr_checker *c, enum qr_invariant invariant, const char *counter,
		    uint64_t is, uint64_t should_be)
{
	if (is != should_be)
		qr__check_broken(c, invariant, "%s of zone %s of node %d is %llu, should be %llu",
				 counter, qr_zone_type_name(c->zone->type), c->zone->nid, ULL(is),
				 ULL(should_be));
}

/* Counters against lists ------------------------------------------------------------------- */

static uint64_t nr_listed(const struct qr_zone *zone, enum qr_migratetype type)
{
	uint64_t nr = 0;

	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
		nr += zone->ops->nr_blocks_type_racy(zone, order, type) << order;
	return nr;
}

static void orders_check(struct qr_checker *c)
{
	const struct qr_zone *zone = c->zone;

	for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
		uint64_t all = zone->ops->nr_blocks_racy(zone, order);
		uint64_t sum = 0;

		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			sum += zone->ops->nr_blocks_type_racy(zone, order,
							      (enum qr_migratetype)type);
		if (all != sum)
			qr__check_broken(
				c, QR_INV_Z4,
				"zone %s of node %d counts %llu free blocks of order %u, its types "
				"%llu",
				qr_zone_type_name(zone->type), zone->nid, ULL(all), order,
				ULL(sum));
	}
}

void qr__check_list_counts_locked(struct qr_checker *c)
{
	struct qr_zone *zone = c->zone;
	uint64_t nr_free = 0;

	qr__buddy_settle_locked(zone);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		if (type != QR_MIGRATE_ISOLATE)
			nr_free += nr_listed(zone, (enum qr_migratetype)type);
	differs(c, QR_INV_Z1, "nr_free_pages", qr__read(&zone->nr_free_pages), nr_free);
	differs(c, QR_INV_Z2, "nr_free_cma", qr__read(&zone->nr_free_cma),
		nr_listed(zone, QR_MIGRATE_CMA));
	differs(c, QR_INV_Z3, "nr_free_highatomic", qr__read(&zone->nr_free_highatomic),
		nr_listed(zone, QR_MIGRATE_HIGHATOMIC));
	orders_check(c);
}

/* Counters against the walk ---------------------------------------------------------------- */

/* Frames of the zone's ranges whose sections are online. */
static uint64_t nr_present(const struct qr_checker *c)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < c->frames->nr_extents; i++) {
		const struct qr_extent *extent = &c->frames->extents[i];
		qr_pfn_t pfn = extent->start_pfn;

		if (extent->nid != c->zone->nid || extent->zone != c->zone->type)
			continue;
		while (pfn < extent->end_pfn) {
			qr_pfn_t end =
				qr__align_up(pfn + 1, qr__order_pages(c->frames->section_order));

			end = qr__min(end, extent->end_pfn);
			if (qr__pfn_online(c->frames, pfn))
				nr += end - pfn;
			pfn = end;
		}
	}
	return nr;
}

static void sizes_check(struct qr_checker *c)
{
	const struct qr_zone *zone = c->zone;
	uint64_t spanned = qr__read(&zone->spanned_pages);
	uint64_t present = qr__read(&zone->present_pages);
	uint64_t managed = qr__read(&zone->managed_pages);

	if (managed > present || present > spanned)
		qr__check_broken(
			c, QR_INV_Z9,
			"zone %s of node %d: spanned %llu, present %llu, managed %llu must not "
			"increase",
			qr_zone_type_name(zone->type), zone->nid, ULL(spanned), ULL(present),
			ULL(managed));
	differs(c, QR_INV_Z9, "present_pages", present, nr_present(c));
}

static uint64_t nr_manageable(const struct qr_checker *c)
{
	uint64_t nr = 0;

	for (unsigned state = 0; state < QR_NR_FRAME_STATES; state++)
		nr += c->nr[state];
	return nr - c->nr_unmanaged + qr__read(&c->zone->adjusted_pages);
}

bool qr__check_managed_look(struct qr_checker *c, bool speak)
{
	if (qr__read(&c->zone->managed_pages) == nr_manageable(c))
		return false;
	/* A reserved page may have been freed since the walk: before we complain, walk again. */
	if (speak) {
		qr__check_frames_locked(c);
		differs(c, QR_INV_Z7, "managed_pages", qr__read(&c->zone->managed_pages),
			nr_manageable(c));
	}
	return true;
}

/* Marks change without the zone's lock, and the flag follows. */
bool qr__check_scarce_look(struct qr_checker *c, bool speak)
{
	const struct qr_zone *zone = c->zone;

	if (qr__zone_flag(zone, QR_ZONE_SCARCE) || !qr__zone_is_scarce(zone))
		return false;
	if (speak)
		qr__check_broken(c, QR_INV_Z12,
				 "zone %s of node %d has %llu free pages, high mark %llu, but does "
				 "not say that it is scarce",
				 qr_zone_type_name(zone->type), zone->nid,
				 ULL(qr__read(&zone->nr_free_pages)),
				 ULL(qr__wmark_pages(zone, QR_WMARK_HIGH)));
	return true;
}

static void highatomic_check(struct qr_checker *c)
{
	const struct qr_zone *zone = c->zone;
	uint64_t reserved = qr__read(&zone->nr_reserved_highatomic);
	uint64_t blocks = c->nr_pageblocks[QR_MIGRATE_HIGHATOMIC];
	uint64_t limit = qr__read(&zone->spanned_pages) + QR_MAX_ORDER_NR_PAGES;

	if (reserved < blocks * QR_PAGEBLOCK_NR_PAGES || reserved > limit)
		qr__check_broken(
			c, QR_INV_Z8,
			"zone %s of node %d reserves %llu highatomic pages, but has %llu such "
			"pageblocks",
			qr_zone_type_name(zone->type), zone->nid, ULL(reserved), ULL(blocks));
}

/* Whoever isolates counts for himself (Z5); what frees and engines go by follows from the bits. */
static void isolation_check(struct qr_checker *c)
{
	const struct qr_zone *zone = c->zone;
	bool says = qr__zone_flag(zone, QR_ZONE_ISOLATED);

	differs(c, QR_INV_Z5, "nr_isolate_pageblock", qr__read(&zone->nr_isolate_pageblock),
		c->nr_isolated_pageblocks);
	differs(c, QR_INV_Z13, "nr_isolated", zone->nr_isolated, c->nr_isolated_pageblocks);
	if (says != (zone->nr_isolated != 0))
		qr__check_broken(c, QR_INV_Z13,
				 "zone %s of node %d has %llu isolated pageblocks, but %s",
				 qr_zone_type_name(zone->type), zone->nid, ULL(zone->nr_isolated),
				 says ? "says that there are some" : "does not say so");
	differs(c, QR_INV_Z14, "pages on ISOLATE lists", nr_listed(zone, QR_MIGRATE_ISOLATE),
		c->nr_free_isolated);
}

void qr__check_counters_locked(struct qr_checker *c)
{
	const struct qr_zone *zone = c->zone;

	sizes_check(c);
	isolation_check(c);
	differs(c, QR_INV_Z6, "nr_free_pages", qr__read(&zone->nr_free_pages),
		c->nr[QR_FRAME_FREE] - c->nr_free_isolated);
	highatomic_check(c);
	differs(c, QR_INV_Z10, "nr_deferred", qr__read(&zone->nr_deferred),
		c->nr[QR_FRAME_DEFERRED]);
	differs(c, QR_INV_Z11, "cma_pages", qr__read(&zone->cma_pages),
		c->nr_pageblocks[QR_MIGRATE_CMA] * QR_PAGEBLOCK_NR_PAGES);
	if (!c->broken && qr__check_managed_look(c, false))
		qr__check_suspect_note(c, QR_INV_Z7, 0);
	if (!c->broken && qr__check_scarce_look(c, false))
		qr__check_suspect_note(c, QR_INV_Z12, 0);
}

/* Caches ----------------------------------------------------------------------------------- */

/* A cache's list or magazine, as sentences name it. */
struct cache_list {
	unsigned cpu, list, order;
	const char *kind;
	const struct qr_list *head; /* of a list */
};

static unsigned list_order(unsigned list)
{
	return list < QR_NR_LOWORDER_PCP_LISTS ? list / QR_MIGRATE_PCPTYPES : QR_HPAGE_PMD_ORDER;
}

static bool index_is_sane(const struct qr_checker *c, uint32_t index)
{
	return index < c->frames->end_pfn - c->frames->base_pfn;
}

static void cached_check(struct qr_checker *c, const struct cache_list *list, uint32_t index)
{
	const struct qr_page *page = &c->frames->pages[index];
	uint64_t word = qr__frame_word(c->frames, index);
	qr_pfn_t pfn = qr__page_pfn(c->frames, page);
	const char *what = NULL;

	if (qr__word_type(word) != QR_PT_PCP)
		what = "does not say PCP";
	else if (qr__word_order(word) != list->order)
		what = "has another order";
	else if (qr__word_zone_id(word) != c->zone->id)
		what = "is another zone's";
	else if (!qr__is_aligned(pfn, qr__order_pages(list->order)))
		what = "is not aligned";
	if (what)
		qr__check_broken(c, QR_INV_P2,
				 "CPU %u, %s %u of order %u: the block at pfn %#llx %s", list->cpu,
				 list->kind, list->list, list->order, ULL(pfn), what);
	else if (qr__word_refcount(word) != 0)
		qr__check_broken(c, QR_INV_F5, "pfn %#llx is cached but has %d references",
				 ULL(pfn), (int)qr__word_refcount(word));
	else if (qr__page_flags(page) & QR_PG_CHECK_AT_PREP)
		qr__check_broken(c, QR_INV_F7, "pfn %#llx is cached but has flags %#x", ULL(pfn),
				 (unsigned)qr__page_flags(page));
}

/* Pages on one list; the walk ends at the first link that makes no sense, or after all frames. */
static uint64_t list_check(struct qr_checker *c, const struct cache_list *list)
{
	uint32_t index = list->head->first, prev = QR_LIST_NONE;
	uint64_t nr = 0, limit = qr__read(&c->zone->spanned_pages);

	while (index != QR_LIST_NONE && !c->broken) {
		if (!index_is_sane(c, index) || c->frames->pages[index].link.prev != prev ||
		    nr > limit) {
			qr__check_broken(c, QR_INV_P1,
					 "CPU %u, list %u: the link to index %u is broken",
					 list->cpu, list->list, index);
			break;
		}
		cached_check(c, list, index);
		nr += qr__order_pages(list->order);
		prev = index;
		index = c->frames->pages[index].link.next;
	}
	if (!c->broken && list->head->last != prev)
		qr__check_broken(c, QR_INV_P1,
				 "CPU %u, list %u ends at index %u, but says its last is %u",
				 list->cpu, list->list, prev, list->head->last);
	return nr;
}

/*
 * What is to be done with each block in the magazines: look at it, and leave the number of its
 * place in its record; and then, see whether that is still there.  A cached block's link is the
 * cache's, and magazines do not use it.
 */
typedef void magazine_visit(struct qr_checker *c, const struct cache_list *magazine,
			    uint32_t index);

static void place_number(struct qr_checker *c, const struct cache_list *magazine, uint32_t index)
{
	if (!index_is_sane(c, index)) {
		qr__check_broken(c, QR_INV_P1, "CPU %u, %s %u: index %u is no frame's",
				 magazine->cpu, magazine->kind, magazine->list, index);
		return;
	}
	cached_check(c, magazine, index);
	if (!c->broken)
		qr__link_next_set(&c->frames->pages[index].link, c->nr_numbered++);
}

static void place_check(struct qr_checker *c, const struct cache_list *magazine, uint32_t index)
{
	const struct qr_page *page = &c->frames->pages[index];

	if (page->link.next != c->nr_numbered++)
		qr__check_broken(
			c, QR_INV_P6,
			"CPU %u, %s %u of order %u: the block at pfn %#llx is cached twice",
			magazine->cpu, magazine->kind, magazine->list, magazine->order,
			ULL(qr__page_pfn(c->frames, page)));
}

static void magazine_check(struct qr_checker *c, const struct cache_list *magazine,
			   const uint32_t *frames, unsigned nr, unsigned room,
			   magazine_visit *visit)
{
	if (nr > room) {
		qr__check_broken(c, QR_INV_P1,
				 "CPU %u, %s %u of order %u holds %u blocks, has room "
				 "for %u",
				 magazine->cpu, magazine->kind, magazine->list, magazine->order, nr,
				 room);
		return;
	}
	for (unsigned i = 0; i < nr && !c->broken; i++)
		visit(c, magazine, frames[i]);
}

/* A ring's blocks stand in two rows at most; the second begins at place 0. */
static void ring_check(struct qr_checker *c, const struct cache_list *magazine,
		       struct qr_magazines *mag, magazine_visit *visit)
{
	const unsigned order = magazine->order, room = QR_MAGAZINE_ROOM(order);
	const enum qr_migratetype type = (enum qr_migratetype)magazine->list;
	const struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	const uint32_t *frames = ring->frames;
	unsigned first = (unsigned)qr__ring_place(qr__read(&ring->head), order);
	unsigned nr = qr__ring_nr(ring), row = (unsigned)qr__min(nr, room - first);

	magazine_check(c, magazine, frames + first, nr > room ? nr : row, room, visit);
	if (row < nr && !c->broken)
		magazine_check(c, magazine, frames, nr - row, room, visit);
}

static void magazines_check(struct qr_checker *c, unsigned cpu, magazine_visit *visit)
{
	struct qr_magazines *mag = &qr__pcp_of(c->zone, cpu)->mag;

	for (unsigned order = 0; order < QR_MAGAZINE_ORDERS && !c->broken; order++) {
		struct cache_list magazine = {
			.cpu = cpu, .order = order, .kind = "magazine for frees,"};

		magazine_check(c, &magazine, qr__put(mag, order)->frames, qr__put_nr(mag, order),
			       QR_MAGAZINE_PUT_ROOM(order), visit);
		magazine.kind = "magazine of type";
		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES && !c->broken; type++) {
			magazine.list = type;
			ring_check(c, &magazine, mag, visit);
		}
	}
}

/* P6: what is cached twice has the number of only one of its places. */
static void all_magazines_check(struct qr_checker *c)
{
	static magazine_visit *const visits[] = {place_number, place_check};

	for (size_t pass = 0; pass < QR_ARRAY_SIZE(visits); pass++) {
		c->nr_numbered = 0;
		for (unsigned cpu = 0; cpu < c->frames->base.nr_cpus && !c->broken; cpu++)
			magazines_check(c, cpu, visits[pass]);
	}
}

static void sizes_of_cache_check(struct qr_checker *c, unsigned cpu)
{
	const struct qr_per_cpu_pages *pcp = qr__pcp_of(c->zone, cpu);
	int32_t batch = atomic_load_explicit(&pcp->batch, memory_order_relaxed);
	int32_t high = atomic_load_explicit(&pcp->high, memory_order_relaxed);
	int32_t low = atomic_load_explicit(&pcp->high_min, memory_order_relaxed);
	int32_t top = atomic_load_explicit(&pcp->high_max, memory_order_relaxed);

	if (batch < 1 || high < 0 || low < 0 || top < 0)
		qr__check_broken(c, QR_INV_P4,
				 "CPU %u, zone %s: batch %d, high %d, high_min %d, high_max %d",
				 cpu, qr_zone_type_name(c->zone->type), (int)batch, (int)high,
				 (int)low, (int)top);
}

/* Of flags, the one that only changes with the zone locked. */
static void told_check(struct qr_checker *c, unsigned cpu)
{
	bool told = qr__local_closed(&qr__pcp_of(c->zone, cpu)->lock) & QR_ZONE_ISOLATED;

	if (told != qr__zone_flag(c->zone, QR_ZONE_ISOLATED))
		qr__check_broken(c, QR_INV_P7,
				 "CPU %u, zone %s: the cache's lock says that %s is isolated", cpu,
				 qr_zone_type_name(c->zone->type), told ? "something" : "nothing");
}

static void lists_check(struct qr_checker *c, unsigned cpu)
{
	const struct qr_per_cpu_pages *pcp = qr__pcp_of(c->zone, cpu);
	int32_t count = atomic_load_explicit(&pcp->count, memory_order_relaxed);
	uint64_t nr = 0;

	for (unsigned i = 0; i < QR_NR_PCP_LISTS && !c->broken; i++) {
		const struct cache_list list = {.cpu = cpu,
						.list = i,
						.order = list_order(i),
						.kind = "list",
						.head = &pcp->lists[i]};

		nr += list_check(c, &list);
	}
	if (count < 0 || (uint64_t)count != nr)
		qr__check_broken(
			c, QR_INV_P3,
			"CPU %u, zone %s: the cache counts %d pages, but %llu are on its lists",
			cpu, qr_zone_type_name(c->zone->type), (int)count, ULL(nr));
}

void qr__check_caches_locked(struct qr_checker *c)
{
	bool magazines = c->zone->pcp && c->zone->pcp->magazines;

	if (!c->zone->pcp)
		return;
	if (magazines)
		all_magazines_check(c);
	for (unsigned cpu = 0; cpu < c->frames->base.nr_cpus && !c->broken; cpu++) {
		if (!magazines)
			lists_check(c, cpu);
		sizes_of_cache_check(c, cpu);
		told_check(c, cpu);
	}
}

/* In a magazine a block is only an index among others: it has to be looked for. */
static bool frame_is_among(const uint32_t *frames, unsigned nr, uint32_t index)
{
	for (unsigned i = 0; i < nr; i++) {
		if (frames[i] == index)
			return true;
	}
	return false;
}

static bool is_in_ring(struct qr_magazines *mag, enum qr_migratetype type, unsigned order,
		       uint32_t index)
{
	const struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	const uint32_t *frames = ring->frames;

	for (uint64_t n = qr__read(&ring->head); n != qr__read(&ring->tail); n++) {
		if (frames[qr__ring_place(n, order)] == index)
			return true;
	}
	return false;
}

static bool is_in_magazines(struct qr_magazines *mag, uint32_t index, unsigned order)
{
	if (order >= QR_MAGAZINE_ORDERS)
		return false;
	for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++) {
		if (is_in_ring(mag, (enum qr_migratetype)type, order, index))
			return true;
	}
	return frame_is_among(qr__put(mag, order)->frames, qr__put_nr(mag, order), index);
}

/*
 * By its own links: the first of a list is named by that list, any other by the one before it.
 * What was taken off a list keeps its old links, but the neighbours no longer agree.
 */
static bool is_on_a_list(const struct qr_checker *c, const struct qr_page *page)
{
	uint32_t index = qr__page_index(c->frames, page);
	uint32_t prev = page->link.prev;

	if (prev != QR_LIST_NONE)
		return index_is_sane(c, prev) &&
		       qr__word_type(qr__frame_word(c->frames, prev)) == QR_PT_PCP &&
		       c->frames->pages[prev].link.next == index;
	for (unsigned cpu = 0; cpu < c->frames->base.nr_cpus; cpu++)
		for (unsigned i = 0; i < QR_NR_PCP_LISTS; i++)
			if (qr__pcp_of(c->zone, cpu)->lists[i].first == index)
				return true;
	return false;
}

bool qr__check_is_cached_locked(const struct qr_checker *c, const struct qr_page *page)
{
	uint32_t index = qr__page_index(c->frames, page);

	if (!c->zone->pcp)
		return false;
	if (!c->zone->pcp->magazines)
		return is_on_a_list(c, page);
	for (unsigned cpu = 0; cpu < c->frames->base.nr_cpus; cpu++) {
		if (is_in_magazines(&qr__pcp_of(c->zone, cpu)->mag, index,
				    qr__page_order(c->frames, page)))
			return true;
	}
	return false;
}
