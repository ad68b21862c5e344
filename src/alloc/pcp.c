/* SPDX-License-Identifier: MIT */
/*
 * alloc/pcp.c - per-CPU caches of free pages: the way in and out
 *
 * Theory of operation
 * -------------------
 * Most requests are for single pages, and most pages that are freed are wanted again at once.  Each
 * CPU therefore has a cache in front of each zone: lists of free blocks by order and migratetype,
 * from which a request is served without touching anything that other CPUs write.  The zone's lock
 * is taken only when a list is empty (a refill brings a batch) or when the cache holds more than
 * its limit (a drain gives a batch back).
 *
 * A block is freed to the head of its list and allocated from there, so it is likely still in the
 * CPU's data cache.  Refills append to the tail, in the order the zone hands them out, and drains
 * take from the tail, where blocks have waited longest.
 *
 * How much
 * --------
 * Two questions have to be answered all the time, how many pages to fetch and how many to give
 * back, and both answers follow what the CPU is doing:
 *
 *	high		the limit.  It grows with refills and with bursts of frees, up to high_max,
 *				    and
 *			shrinks down to high_min by decay or when the zone is short
 *	alloc_factor	doubles the batch with each refill in a row of allocations; frees halve it
 *	free_count	pages freed in a row; allocations halve it.  A drain gives back that much,
 *								     so
 *			that a CPU which only frees does not take the zone's lock for each batch
 *
 * refill_size() and the drain_...() functions are these rules; sizes, decay and drains from outside
 * are in pcp_tune.c.
 *
 * Types.  The cache does not keep ISOLATE (such a block must be seen by its zone at once), and lets
 * HIGHATOMIC and CMA wait among the movable ones.  What a pageblock's type was when a block came in
 * does not matter when it leaves: the type is read again under the zone's lock, for it may have
 * been isolated meanwhile.
 *
 * Locking
 * -------
 * The cache's lock, rank PCP, is only tried on the way of an allocation or free.  That it may fail
 * is what makes the caches robust: an interrupt that allocates in the middle of a refill, a drain
 * by another CPU, a thread that was preempted and moved (where nothing forbids that), all of them
 * find the lock taken and go to the zone instead.  Those who come from outside (pcp_tune.c) wait.
 *
 * It is a local lock (base/local_lock.c): where the platform has the hooks for it, its CPU takes it
 * and lets it go by plain stores.  Where it has not, an exchange takes it, and what "this CPU"
 * means is up to the platform:
 *
 *	SMP	pinned without preemption; or not pinned at all, and two threads may meet in a cache
 *	RT	pinned to the CPU, but preemptible: the lock's owner may be put to sleep
 *	UP	interrupts are masked while the lock is held
 */
#include "pcp.h"
#include "fast.h"

/* Pages that a zone's lock is held for at most, while a cache is drained into it. */
#define DRAIN_CHUNK_MIN 32

/* Refills come in portions of this many blocks, so that their pfns fit the stack. */
#define REFILL_PORTION 64

QR_INLINE struct qr_base *base_of(const struct qr_zone *zone)
{
	return &zone->frames->base;
}

QR_INLINE uint32_t index_of(const struct qr_zone *zone, const struct qr_page *page)
{
	return qr__page_index(zone->frames, page);
}

QR_INLINE unsigned list_of(unsigned order, enum qr_migratetype type)
{
	if (qr__unlikely(order > QR_PAGE_ALLOC_COSTLY_ORDER))
		return QR_NR_LOWORDER_PCP_LISTS + (type == QR_MIGRATE_MOVABLE);
	return QR_MIGRATE_PCPTYPES * order + (unsigned)type;
}

/* This CPU's cache, or whichever is ours by now, was taken. */
static QR_COLD void contention_count(struct qr_zone *zone)
{
	struct qr_per_cpu_pages *pcp = qr__pcp_of(zone, qr__cpu_racy(base_of(zone)));

	atomic_fetch_add_explicit(&pcp->contended, 1, memory_order_relaxed);
}

QR_INLINE void count_add(struct qr_per_cpu_pages *pcp, int32_t nr)
{
	qr__pcp_write(&pcp->count, qr__pcp_read(&pcp->count) + nr);
}

/* Refill ----------------------------------------------------------------------------------- */

unsigned qr_rmqueue_bulk(struct qr_zone *zone, unsigned order, unsigned nr, struct qr_list *list,
			 enum qr_migratetype type, unsigned alloc_flags)
{
	struct qr_links links = qr__page_links(zone->frames);
	qr_pfn_t pfns[REFILL_PORTION];
	unsigned long irqs = qr__zone_lock(zone);
	unsigned filled = 0;

	while (filled < nr) {
		unsigned want = (unsigned)qr__min(nr - filled, REFILL_PORTION);
		unsigned got = qr___rmqueue(zone, order, type, alloc_flags, want, pfns);

		for (unsigned i = 0; i < got; i++)
			qr__list_push_back(list, links,
					   (uint32_t)(pfns[i] - zone->frames->base_pfn));
		filled += got;
		if (got < want)
			break;
	}
	qr__zone_unlock(zone, irqs);
	return filled;
}

/* How many single pages: twice as many each time, as far as the limit leaves room. */
static int32_t single_refill_size(struct qr_per_cpu_pages *pcp, int32_t high, int32_t batch,
				  int32_t nr) QR_REQUIRES(pcp->lock)
{
	uint8_t factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
	int32_t room = high - qr__pcp_read(&pcp->count) - batch;

	if (room < batch)
		room = batch;
	if (nr > room)
		return room;
	if (factor < QR_PCP_BATCH_SCALE_MAX)
		atomic_store_explicit(&pcp->alloc_factor, (uint8_t)(factor + 1),
				      memory_order_relaxed);
	return nr;
}

int32_t qr__pcp_high_raise(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp, int32_t nr)
{
	int32_t min = qr__pcp_read(&pcp->high_min), max = qr__pcp_read(&pcp->high_max);
	int32_t high = qr__pcp_read(&pcp->high);

	if (min != max && !qr__zone_flag(zone, QR_ZONE_BELOW_HIGH)) {
		high = high + nr < max ? high + nr : max;
		qr__pcp_write(&pcp->high, high);
	}
	return high;
}

/* How many blocks to fetch: the kernel's nr_pcp_alloc. */
static unsigned refill_size(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
			    unsigned order) QR_REQUIRES(pcp->lock)
{
	int32_t high = qr__pcp_read(&pcp->high), batch = qr__pcp_read(&pcp->batch);
	int32_t nr = batch;

	if (high < batch)
		return 1;
	if (!order)
		nr <<= atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
	high = qr__pcp_high_raise(zone, pcp, nr);
	if (!order)
		nr = single_refill_size(pcp, high, batch, nr);
	if (nr > 1)
		nr = nr >> order > 2 ? nr >> order : 2;
	return (unsigned)nr;
}

/* An empty list: false if it still is. */
static QR_NOINLINE bool list_refill(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
				    struct qr_list *list, unsigned order, enum qr_migratetype type,
				    unsigned alloc_flags) QR_REQUIRES(pcp->lock)
{
	unsigned nr = refill_size(zone, pcp, order);
	unsigned got = qr_rmqueue_bulk(zone, order, nr, list, type, alloc_flags);

	count_add(pcp, (int32_t)(got << order));
	if (!got)
		return false;
	qr__bump(&pcp->refills, 1);
	return true;
}

/* Out -------------------------------------------------------------------------------------- */

/* The first block of a list, after a refill if need be; QR_LIST_NONE: there is none. */
QR_INLINE uint32_t list_take(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order,
			     enum qr_migratetype type, unsigned alloc_flags) QR_REQUIRES(pcp->lock)
{
	struct qr_list *list = &pcp->lists[list_of(order, type)];

	if (qr__unlikely(qr__list_empty(list)) &&
	    !list_refill(zone, pcp, list, order, type, alloc_flags))
		return QR_LIST_NONE;
	count_add(pcp, -(int32_t)qr__order_pages(order));
	return qr__list_pop_front(list, qr__page_links(zone->frames));
}

/* The first block that is fit for use; with checks on, others are leaked on the way. */
QR_INLINE struct qr_page *block_take(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
				     unsigned order, enum qr_migratetype type, unsigned alloc_flags)
	QR_REQUIRES(pcp->lock)
{
	struct qr_allocator *alloc = qr__zone_allocator(zone);

	for (;;) {
		uint32_t i = pcp->magazines ? qr__magazine_take(zone, pcp, order, type, alloc_flags)
					    : list_take(zone, pcp, order, type, alloc_flags);
		struct qr_page *page = &zone->frames->pages[i];

		if (i == QR_LIST_NONE)
			return NULL;
		if (qr__unlikely(pcp->magazines && qr__fast_is_anothers(zone, pcp, i, order)))
			continue;
		if (qr__likely(!alloc->check_pages) || !qr__check_new_pages(alloc, page, order))
			return page;
		if (pcp->magazines)
			qr__magazine_leaked(&pcp->mag, order);
	}
}

static QR_NOINLINE void miss_count(struct qr_zone *preferred, const struct qr_zone *zone,
				   struct qr_per_cpu_pages *pcp) QR_REQUIRES(pcp->lock)
{
	qr__bump(&pcp->nr_miss, 1);
	atomic_fetch_add_explicit(&qr__pcp_of(preferred, qr__pcp_cpu(zone, pcp))->nr_foreign, 1,
				  memory_order_relaxed);
}

QR_INLINE void alloc_count(struct qr_zone *preferred, const struct qr_zone *zone,
			   struct qr_per_cpu_pages *pcp, unsigned order) QR_REQUIRES(pcp->lock)
{
	bool hit = qr__likely(preferred == zone || preferred->nid == zone->nid);

	if (!hit)
		miss_count(preferred, zone, pcp);
	if (pcp->magazines)
		return; /* which count by themselves */
	qr__bump(&pcp->nr_alloc, qr__order_pages(order));
	if (hit)
		qr__bump(&pcp->nr_hit, 1);
}

struct qr_page *qr_rmqueue_pcplist(struct qr_zone *preferred, struct qr_zone *zone, unsigned order,
				   enum qr_migratetype type, unsigned alloc_flags)
{
	struct qr_per_cpu_pages *pcp;
	struct qr_page *page = NULL;

	if (qr__likely(qr__pcp_enter(zone, &pcp))) {
		qr__pcp_write(&pcp->free_count, qr__pcp_read(&pcp->free_count) >> 1);
		page = block_take(zone, pcp, order, type, alloc_flags);
		if (qr__likely(page))
			alloc_count(preferred, zone, pcp, order);
		qr__pcp_leave(zone, pcp);
	} else {
		contention_count(zone);
	}
	return page;
}

unsigned qr__pcp_take_bulk(struct qr_zone *preferred, struct qr_zone *zone,
			   enum qr_migratetype type, unsigned alloc_flags, unsigned nr,
			   struct qr_page **pages)
{
	struct qr_per_cpu_pages *pcp;
	unsigned taken = 0;

	if (qr__pcp_enter(zone, &pcp)) {
		while (taken < nr && (pages[taken] = block_take(zone, pcp, 0, type, alloc_flags))) {
			alloc_count(preferred, zone, pcp, 0);
			taken++;
		}
		qr__pcp_leave(zone, pcp);
	} else {
		contention_count(zone);
	}
	return taken;
}

/* Drain ------------------------------------------------------------------------------------ */

/*
 * With pageblocks smaller than what is cached, one of a block's pageblocks may have become another
 * type's, or isolated, while the block was in use.
 */
static void block_drain_locked(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			       enum qr_migratetype type) QR_REQUIRES(zone->lock)
{
	if (QR_PAGEBLOCK_ORDER < QR_PAGE_ALLOC_COSTLY_ORDER && order > QR_PAGEBLOCK_ORDER)
		qr_split_large_buddy(zone, pfn, order, QR_FPI_NONE);
	else
		qr___free_one_page(zone, pfn, order, type, QR_FPI_NONE);
}

/* The blocks of a list's tail, until nr pages are gone, this hold's budget is spent, or all is. */
static int32_t list_drain_locked(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
				 struct qr_list *list, int32_t nr) QR_REQUIRES(zone->lock)
	QR_REQUIRES(pcp->lock)
{
	struct qr_frames *frames = zone->frames;
	struct qr_links links = qr__page_links(frames);
	int32_t gone = 0;

	while (gone < nr && !qr__list_empty(list)) {
		uint32_t i = list->last;
		qr_pfn_t pfn = frames->base_pfn + i;
		unsigned order = qr__state_order(&frames->states[i]);
		enum qr_migratetype type = qr__pageblock_type(frames, pfn);

		qr__list_remove(list, links, i);
		gone += (int32_t)qr__order_pages(order);
		QR_TRACE(&frames->base, QR_TP_MM_PAGE_PCPU_DRAIN, .pfn = pfn, .order = order,
			 .migratetype = type);
		block_drain_locked(zone, pfn, order, type);
	}
	count_add(pcp, -gone);
	return gone;
}

/*
 * Lists in turn, each to its end before the next.  The zone's lock is let go after each chunk, for
 * others are waiting for it while a large cache is drained (A20).
 */
void qr_free_pcppages_bulk(struct qr_zone *zone, int32_t nr, struct qr_per_cpu_pages *pcp,
			   unsigned first_list)
{
	int32_t chunk = qr__pcp_read(&pcp->batch);
	unsigned list = first_list;

	if (pcp->magazines) {
		qr__magazines_drain(zone, pcp, nr);
		return;
	}
	if (chunk < DRAIN_CHUNK_MIN)
		chunk = DRAIN_CHUNK_MIN;
	if (nr > qr__pcp_read(&pcp->count))
		nr = qr__pcp_read(&pcp->count);
	if (nr <= 0)
		return;
	qr__bump(&pcp->drains, 1);
	while (nr > 0) {
		unsigned long irqs = qr__zone_lock(zone);

		for (int32_t budget = nr < chunk ? nr : chunk; budget > 0;) {
			int32_t gone = list_drain_locked(zone, pcp, &pcp->lists[list], budget);

			budget -= gone;
			nr -= gone;
			if (budget > 0)
				list = (list + 1) % QR_NR_PCP_LISTS;
		}
		qr__zone_unlock(zone, irqs);
	}
}

/* In --------------------------------------------------------------------------------------- */

static int32_t at_least(int32_t value, int32_t min)
{
	return value > min ? value : min;
}

static int32_t at_most(int32_t value, int32_t max)
{
	return value < max ? value : max;
}

/* The zone is short: let go of what this CPU freed lately, and stay lower from now on. */
int32_t qr__pcp_high_lower(struct qr_per_cpu_pages *pcp, int32_t by)
{
	int32_t high = at_least(qr__pcp_read(&pcp->high) - by, qr__pcp_read(&pcp->high_min));

	qr__pcp_write(&pcp->high, high);
	return high;
}

/* From how many pages on something is given back, and how high will change: nr_pcp_high. */
static int32_t drain_limit(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp, bool free_high)
	QR_REQUIRES(pcp->lock)
{
	int32_t min = qr__pcp_read(&pcp->high_min), max = qr__pcp_read(&pcp->high_max);
	int32_t high = qr__pcp_read(&pcp->high), batch = qr__pcp_read(&pcp->batch);
	int32_t count = qr__pcp_read(&pcp->count);
	int32_t free_count = qr__pcp_read(&pcp->free_count);

	if (free_high) {
		qr__pcp_high_lower(pcp, batch << QR_PCP_BATCH_SCALE_MAX);
		return 0;
	}
	if (qr__zone_flag(zone, QR_ZONE_RECLAIM_ACTIVE))
		return at_most(batch << 2, qr__pcp_high_lower(pcp, at_least(free_count, batch)));
	if (min == max)
		return high;
	if (qr__zone_flag(zone, QR_ZONE_BELOW_HIGH)) {
		qr__pcp_high_lower(pcp, at_least(free_count, batch));
		return at_least(count, min);
	}
	if (count >= high && high < free_count + batch)
		qr__pcp_write(&pcp->high, at_most(at_least(free_count + batch, min), max));
	return high;
}

/* How many pages: nr_pcp_free.  A batch is left, so that the next allocation finds something. */
static int32_t drain_size(const struct qr_per_cpu_pages *pcp, int32_t limit, bool free_high)
	QR_REQUIRES(pcp->lock)
{
	int32_t batch = qr__pcp_read(&pcp->batch);

	if (free_high)
		return at_most(qr__pcp_read(&pcp->count), batch << QR_PCP_BATCH_SCALE_MAX);
	if (limit < batch)
		return 1;
	return at_most(at_least(qr__pcp_read(&pcp->free_count), batch), limit - batch);
}

/* If the zone has recovered, caches may grow again, and kswapd may hope again. */
void qr__pcp_below_high_review(struct qr_zone *zone)
{
	if (!qr__zone_flag(zone, QR_ZONE_BELOW_HIGH) ||
	    !qr_zone_watermark_ok(zone, 0, qr__wmark_pages(zone, QR_WMARK_HIGH), QR_ZONE_MOVABLE,
				  0))
		return;
	qr__zone_flag_clear(zone, QR_ZONE_BELOW_HIGH);
	atomic_store_explicit(&zone->node->kswapd_failures, 0, memory_order_relaxed);
}

static QR_NOINLINE void cache_trim(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
				   unsigned list, bool free_high) QR_REQUIRES(pcp->lock)
{
	int32_t limit = drain_limit(zone, pcp, free_high);

	if (qr__pcp_read(&pcp->count) < limit)
		return;
	qr_free_pcppages_bulk(zone, drain_size(pcp, limit, free_high), pcp, list);
	qr__pcp_below_high_review(zone);
}

/*
 * Blocks of orders 1..3 that come back in a row, as network buffers do, are not wanted again by
 * this CPU soon: give them back before the cache is full.  Half of high_min is the slack that tells
 * a row from the ordinary give and take (A19).
 */
static QR_NOINLINE bool free_high_wanted(struct qr_per_cpu_pages *pcp) QR_REQUIRES(pcp->lock)
{
	int32_t batch = qr__pcp_read(&pcp->batch);
	int32_t row = batch + qr__pcp_read(&pcp->high_min) / 2;
	bool wanted =
		qr__pcp_read(&pcp->free_count) >= row &&
		(pcp->flags & QR_PCPF_PREV_FREE_HIGH_ORDER) &&
		(!(pcp->flags & QR_PCPF_FREE_HIGH_BATCH) || qr__pcp_read(&pcp->count) >= batch);

	pcp->flags |= QR_PCPF_PREV_FREE_HIGH_ORDER;
	return wanted;
}

/* What a free tells about this CPU's habits; true: give blocks of orders 1..3 back. */
QR_INLINE bool free_note(struct qr_per_cpu_pages *pcp, unsigned order) QR_REQUIRES(pcp->lock)
{
	uint8_t factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
	int32_t free_count = qr__pcp_read(&pcp->free_count);
	bool free_high = false;

	if (qr__unlikely(factor))
		atomic_store_explicit(&pcp->alloc_factor, (uint8_t)(factor >> 1),
				      memory_order_relaxed);
	if (qr__unlikely(order && order <= QR_PAGE_ALLOC_COSTLY_ORDER))
		free_high = free_high_wanted(pcp);
	else if (qr__unlikely(pcp->flags & QR_PCPF_PREV_FREE_HIGH_ORDER))
		pcp->flags &= (uint8_t)~QR_PCPF_PREV_FREE_HIGH_ORDER;
	if (qr__likely(free_count < qr__pcp_read(&pcp->batch) << QR_PCP_BATCH_SCALE_MAX))
		qr__pcp_write(&pcp->free_count, free_count + (int32_t)qr__order_pages(order));
	return free_high;
}

QR_INLINE void page_put(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, struct qr_page *page,
			unsigned order, enum qr_migratetype type) QR_REQUIRES(pcp->lock)
{
	const uint32_t short_of_pages = QR_ZONE_RECLAIM_ACTIVE | QR_ZONE_BELOW_HIGH;
	unsigned list = list_of(order, type);
	bool free_high;

	qr__bump(&pcp->nr_free, qr__order_pages(order));
	qr__list_push_front(&pcp->lists[list], qr__page_links(zone->frames), index_of(zone, page));
	count_add(pcp, (int32_t)qr__order_pages(order));
	free_high = free_note(pcp, order);
	if (qr__unlikely(free_high || qr__pcp_read(&pcp->count) >= qr__pcp_read(&pcp->high) ||
			 qr__zone_flag(zone, short_of_pages)))
		cache_trim(zone, pcp, list, free_high);
}

bool qr__pcp_free(struct qr_zone *zone, struct qr_page *page, unsigned order)
{
	enum qr_migratetype type =
		qr__pageblock_type(zone->frames, qr__page_pfn(zone->frames, page));
	struct qr_per_cpu_pages *pcp;

	if (qr__unlikely(type == QR_MIGRATE_ISOLATE))
		return false;
	if (qr__unlikely(!qr__pcp_enter(zone, &pcp))) {
		contention_count(zone);
		return false;
	}
	if (pcp->magazines)
		qr__magazine_give(zone, pcp, index_of(zone, page), order, type);
	else
		page_put(zone, pcp, page, order,
			 qr__likely(type < QR_MIGRATE_PCPTYPES) ? type : QR_MIGRATE_MOVABLE);
	qr__pcp_leave(zone, pcp);
	return true;
}
