/* SPDX-License-Identifier: MIT */
/*
 * alloc/magazine.c - a CPU's cache as arrays of frames: filling, emptying, counting
 *
 * See magazine.h for the theory.
 */
#include "magazine.h"

#include "pcp.h"

/* Counting --------------------------------------------------------------------------------- */

/* Of all rings, in pages and in blocks: what left, and what came. */
struct rings {
	uint64_t pages_left, blocks_left, pages_came, blocks_came;
};

static struct rings rings_racy(const struct qr_magazines *mag)
{
	struct rings all = {0};

	for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++) {
		for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++) {
			const struct qr_magazine_ring *ring =
				qr__ring(mag, (enum qr_migratetype)type, order);
			uint64_t head = qr__read(&ring->head), tail = qr__read(&ring->tail);

			all.blocks_left += head;
			all.blocks_came += tail;
			all.pages_left += head << order;
			all.pages_came += tail << order;
		}
	}
	return all;
}

static uint64_t pages_put_racy(const struct qr_magazines *mag)
{
	uint64_t pages = 0;

	for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++)
		pages += (uint64_t)qr__put_nr(mag, order) << order;
	return pages;
}

int32_t qr__magazines_pages_racy(const struct qr_magazines *mag)
{
	struct rings all = rings_racy(mag);

	return (int32_t)(all.pages_came - all.pages_left + pages_put_racy(mag));
}

uint64_t qr__magazines_nr_alloc_racy(const struct qr_magazines *mag)
{
	return rings_racy(mag).pages_left - qr__read(&mag->pages_unused);
}

uint64_t qr__magazines_nr_blocks_racy(const struct qr_magazines *mag)
{
	return rings_racy(mag).blocks_left - qr__read(&mag->blocks_unused);
}

/* What came to rings otherwise than by refills came back. */
uint64_t qr__magazines_nr_free_racy(const struct qr_magazines *mag)
{
	return qr__read(&mag->pages_out) + pages_put_racy(mag) + rings_racy(mag).pages_came -
	       qr__read(&mag->pages_in);
}

/* So many pages go round in a ring, and at least so many blocks. */
#define RETURNED_PAGES 128u
#define RETURNED_MIN 4u

/* Sizes ------------------------------------------------------------------------------------ */

/* For an order that is not to be cached it is 0, at which no free takes the short way. */
static uint64_t put_limit(const struct qr_zone *zone, unsigned high, unsigned order)
{
	if (!qr__pcp_order_allowed(qr__zone_allocator(zone), order))
		return 0;
	return qr__clamp(high / 2 >> order, high != 0, QR_MAGAZINE_PUT_ROOM(order));
}

/*
 * What goes round in a ring comes back after all that waits there, so rather few large blocks: of
 * what was used last something may still be in the caches of the CPU.
 */
static uint64_t ring_limit(uint64_t put_limit, unsigned order)
{
	uint64_t few = qr__max(RETURNED_PAGES >> order, RETURNED_MIN);

	return qr__min(put_limit, qr__min(few, QR_MAGAZINE_ROOM(order)));
}

void qr__magazines_resize(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp)
{
	unsigned high = (unsigned)qr__pcp_read(&pcp->high);

	for (unsigned order = 0; pcp->magazines && order < QR_MAGAZINE_ORDERS; order++) {
		uint64_t limit = put_limit(zone, high, order);

		qr__put(&pcp->mag, order)->limit = limit;
		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES; type++)
			qr__ring(&pcp->mag, (enum qr_migratetype)type, order)->limit =
				(uint16_t)ring_limit(limit, order);
	}
}

/* How many blocks to fetch, and how the cache's habits change with it. */
static unsigned refill_size(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
			    unsigned order) QR_REQUIRES(pcp->lock)
{
	uint8_t factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
	int32_t batch = qr__pcp_read(&pcp->batch), nr = batch << factor, high, room;

	if (qr__pcp_read(&pcp->high) < batch)
		return 1;
	high = qr__pcp_high_raise(zone, pcp, nr);
	qr__magazines_resize(zone, pcp);
	room = high - qr__magazines_pages_racy(&pcp->mag) - batch;
	if (nr <= room) {
		if (factor < QR_PCP_BATCH_SCALE_MAX)
			atomic_store_explicit(&pcp->alloc_factor, (uint8_t)(factor + 1),
					      memory_order_relaxed);
	} else {
		nr = room > batch ? room : batch;
	}
	if (order && nr < room)
		nr = room < high / 4 ? room : high / 4; /* rather full than a lock for two blocks */
	return (unsigned)qr__clamp((uint64_t)nr >> order, 1, QR_MAGAZINE_ROOM(order));
}

/* Get -------------------------------------------------------------------------------------- */

static void refill_trace(const struct qr_zone *zone, const uint32_t *frames, unsigned nr,
			 unsigned order, enum qr_migratetype type)
{
	for (unsigned i = 0; i < nr; i++)
		QR_TRACE(&zone->frames->base, QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED,
			 .pfn = zone->frames->base_pfn + frames[i], .order = order,
			 .migratetype = type, .a = true);
}

/* So many blocks at most are fetched with the whole zone locked. */
#define ANYWHERE_MAX 16u

/* From wherever a request may be served: CMA's share, other types' pageblocks. */
static unsigned fetch_anywhere(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			       unsigned alloc_flags, unsigned nr, uint32_t *frames)
{
	unsigned long irqs = qr__zone_lock(zone);
	qr_pfn_t pfns[ANYWHERE_MAX];
	unsigned got = qr___rmqueue(zone, order, type, alloc_flags,
				    (unsigned)qr__min(nr, ANYWHERE_MAX), pfns);

	qr__zone_unlock(zone, irqs);
	for (unsigned n = 0; n < got; n++)
		frames[n] = (uint32_t)(pfns[n] - zone->frames->base_pfn);
	return got;
}

/*
 * Where CMA has free pages, whose turn it is is decided page by page (qr___rmqueue); else the
 * engine fills the magazine from the request's own type by itself.
 */
static unsigned fetch_own(struct qr_zone *zone, unsigned cpu, unsigned order,
			  enum qr_migratetype type, bool cma, unsigned nr, uint32_t *frames)
{
	unsigned got;

	if (cma && qr__read(&zone->nr_free_cma))
		return 0;
	got = zone->ops->refill(zone, cpu, order, type, nr, frames);
	if (qr__unlikely(qr__trace_on(&zone->frames->base, QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED)))
		refill_trace(zone, frames, got, order, type);
	return got;
}

/*
 * Where a refill of an empty ring goes: to place 0, so that all of it stands in a row.  As many
 * blocks as there are places to pass by come and leave, unused.
 */
static uint32_t *ring_begin(struct qr_magazines *mag, enum qr_migratetype type, unsigned order)
{
	struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	uint64_t pass = -qr__read(&ring->tail) % QR_MAGAZINE_ROOM(order);

	qr__bump(&ring->head, pass);
	qr__bump(&ring->tail, pass);
	qr__bump(&mag->pages_in, pass << order);
	qr__bump(&mag->pages_unused, pass << order);
	qr__bump(&mag->blocks_unused, pass);
	return ring->frames;
}

/* So many blocks stand behind a ring's last. */
static void magazine_filled(struct qr_per_cpu_pages *pcp, unsigned order, enum qr_migratetype type,
			    unsigned got) QR_REQUIRES(pcp->lock)
{
	struct qr_magazines *mag = &pcp->mag;
	struct qr_magazine_ring *ring = qr__ring(mag, type, order);

	/* after the blocks: a step reads them without the lock */
	atomic_store_explicit(&ring->tail, qr__read(&ring->tail) + got, memory_order_release);
	qr__bump(&mag->pages_in, (uint64_t)got << order);
	qr__bump(&pcp->refills, 1);
}

static unsigned cpu_of(const struct qr_zone *zone, const struct qr_per_cpu_pages *pcp)
{
	return qr__pcp_cpu(zone, pcp);
}

QR_NOINLINE uint32_t qr__magazine_take_own(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
					   unsigned order, enum qr_migratetype type)
{
	uint8_t factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);
	int32_t high = qr__pcp_read(&pcp->high);
	unsigned nr, got;

	if (!qr__pcp_order_allowed(qr__zone_allocator(zone), order))
		return QR_MAGAZINE_EMPTY;
	nr = refill_size(zone, pcp, order);
	got = fetch_own(zone, cpu_of(zone, pcp), order, type, type == QR_MIGRATE_MOVABLE, nr,
			ring_begin(&pcp->mag, type, order));
	if (!got) {
		/* The long way is to find everything as it was. */
		atomic_store_explicit(&pcp->alloc_factor, factor, memory_order_relaxed);
		qr__pcp_write(&pcp->high, high);
		qr__magazines_resize(zone, pcp);
		return QR_MAGAZINE_EMPTY;
	}
	magazine_filled(pcp, order, type, got);
	return qr__magazine_get(&pcp->mag, type, order);
}

uint32_t qr__magazine_take(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order,
			   enum qr_migratetype type, unsigned alloc_flags)
{
	uint32_t frame = qr__magazine_get(&pcp->mag, type, order), *frames;
	unsigned nr, got;

	if (frame != QR_MAGAZINE_EMPTY)
		return frame;
	nr = refill_size(zone, pcp, order);
	frames = ring_begin(&pcp->mag, type, order);
	got = fetch_own(zone, cpu_of(zone, pcp), order, type, alloc_flags & QR_ALLOC_CMA, nr,
			frames);
	if (!got)
		got = fetch_anywhere(zone, order, type, alloc_flags, nr, frames);
	if (got)
		magazine_filled(pcp, order, type, got);
	return qr__magazine_get(&pcp->mag, type, order);
}

void qr__magazine_leaked(struct qr_magazines *mag, unsigned order)
{
	qr__bump(&mag->pages_unused, qr__order_pages(order));
	qr__bump(&mag->blocks_unused, 1);
}

/* Put -------------------------------------------------------------------------------------- */

static void drain_trace(const struct qr_zone *zone, const uint32_t *frames, unsigned nr,
			unsigned order)
{
	for (unsigned i = 0; i < nr; i++) {
		qr_pfn_t pfn = zone->frames->base_pfn + frames[i];

		QR_TRACE(&zone->frames->base, QR_TP_MM_PAGE_PCPU_DRAIN, .pfn = pfn, .order = order,
			 .migratetype = qr__pageblock_type(zone->frames, pfn));
	}
}

static void frames_drain(struct qr_zone *zone, uint32_t *frames, unsigned nr, unsigned order)
{
	const struct qr_alloc_events *events = &qr__zone_allocator(zone)->events;
	bool told = events->freed != NULL;
	unsigned largest;

	if (qr__unlikely(qr__trace_on(&zone->frames->base, QR_TP_MM_PAGE_PCPU_DRAIN)))
		drain_trace(zone, frames, nr, order);
	largest = zone->ops->drain(zone, order, frames, nr, told);
	if (qr__unlikely(told))
		events->freed(zone, largest);
}

/* All of a put magazine; returns its pages. */
static int32_t put_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned order)
	QR_REQUIRES(pcp->lock)
{
	struct qr_magazines *mag = &pcp->mag;
	struct qr_magazine_put *put = qr__put(mag, order);
	unsigned nr = (unsigned)qr__read(&put->nr);

	if (!nr)
		return 0;
	frames_drain(zone, put->frames, nr, order);
	qr__write(&put->nr, 0);
	qr__bump(&mag->pages_out, (uint64_t)nr << order);
	return (int32_t)(nr << order);
}

/* All of a ring: it was brought for nothing, or came back.  It stands in two rows at most. */
static int32_t get_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
			 enum qr_migratetype type, unsigned order) QR_REQUIRES(pcp->lock)
{
	struct qr_magazines *mag = &pcp->mag;
	struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	unsigned nr = qr__ring_nr(ring), first, row;

	if (!nr)
		return 0;
	first = (unsigned)qr__ring_place(qr__read(&ring->head), order);
	row = (unsigned)qr__min(nr, QR_MAGAZINE_ROOM(order) - first);
	frames_drain(zone, ring->frames + first, row, order);
	if (row < nr)
		frames_drain(zone, ring->frames, nr - row, order);
	qr__bump(&ring->head, nr);
	qr__bump(&mag->pages_unused, (uint64_t)nr << order);
	qr__bump(&mag->blocks_unused, nr);
	return (int32_t)(nr << order);
}

QR_NOINLINE void qr__magazine_full_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp,
					 unsigned order)
{
	uint8_t factor = atomic_load_explicit(&pcp->alloc_factor, memory_order_relaxed);

	atomic_store_explicit(&pcp->alloc_factor, (uint8_t)(factor >> 1), memory_order_relaxed);
	put_drain(zone, pcp, order);
	qr__bump(&pcp->drains, 1);
}

/* A zone that is short of pages wants them back by batches, and smaller caches from now on. */
static bool short_and_due(const struct qr_zone *zone, struct qr_per_cpu_pages *pcp, unsigned nr,
			  unsigned order) QR_REQUIRES(pcp->lock)
{
	int32_t batch = qr__pcp_read(&pcp->batch);

	if (!qr__zone_flag(zone, QR_ZONE_RECLAIM_ACTIVE | QR_ZONE_BELOW_HIGH) ||
	    (int32_t)(nr << order) < batch)
		return false;
	qr__pcp_high_lower(pcp, batch);
	qr__magazines_resize(zone, pcp);
	return true;
}

void qr__magazine_give(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, uint32_t frame,
		       unsigned order, enum qr_migratetype type)
{
	struct qr_magazines *mag = &pcp->mag;
	unsigned nr;

	if (order == QR_PAGEBLOCK_ORDER && type < QR_MIGRATE_PCPTYPES &&
	    !qr__zone_flag(zone, QR_ZONE_RECLAIM_ACTIVE | QR_ZONE_BELOW_HIGH) &&
	    qr__magazine_return(mag, frame, type))
		return;
	nr = qr__magazine_put(mag, frame, order);
	if (qr__likely(nr < qr__put(mag, order)->limit) && !short_and_due(zone, pcp, nr, order))
		return;
	qr__magazine_full_drain(zone, pcp, order);
	qr__pcp_below_high_review(zone);
}

void qr__magazines_drain(struct qr_zone *zone, struct qr_per_cpu_pages *pcp, int32_t nr)
{
	if (nr <= 0 || !qr__magazines_pages_racy(&pcp->mag))
		return;
	qr__bump(&pcp->drains, 1);
	for (unsigned order = 0; order < QR_MAGAZINE_ORDERS && nr > 0; order++)
		nr -= put_drain(zone, pcp, order);
	for (unsigned order = 0; order < QR_MAGAZINE_ORDERS; order++) {
		for (unsigned type = 0; type < QR_MIGRATE_PCPTYPES && nr > 0; type++)
			nr -= get_drain(zone, pcp, (enum qr_migratetype)type, order);
	}
}
