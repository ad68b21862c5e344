/* SPDX-License-Identifier: MIT */
/*
 * alloc/magazine.h - a CPU's cache as arrays of frames, for engines that fill and empty them whole
 *
 * Theory of operation
 * -------------------
 * A cache in front of the list engine is a set of lists, and what was freed last is handed out
 * first (pcp.c).  In front of an engine that decides by itself which page is best handed out, that
 * would hide what was freed from its choice: the same pages would go round and round, and memory
 * that is in pieces would stay in pieces.  There a cache has two sides instead:
 *
 *	get	a magazine for each order and type, filled by the engine (its refill), from which
 *		blocks are handed out in the order in which it gave them
 *	put	a magazine for each order, into which blocks are freed whatever their type, and
 *		which goes back to the engine whole (its drain) when it is full
 *
 * So a freed page is handed out again only after the engine has seen it; but for whole pageblocks,
 * which are all alike and go straight back to the get side.  A magazine is a small
 * array of frame indices: no page record is touched but the state of the page that comes or goes,
 * and to fill or empty one takes one lock for as many blocks as it holds.
 *
 * All orders up to the pageblock's have magazines, not only those that Linux caches: the engine's
 * price for a single block is a lock and a look at a line, many times what the block costs in a
 * batch.  See QR_MAGAZINE_ROOM().
 *
 * How much
 * --------
 * Sizes follow pcp.c's batch, high and alloc_factor: a refill brings a batch, doubled with each
 * refill in a row, as far as high allows and the magazine has room; a put magazine is full when it
 * holds half of high.  Where the zone is short of pages it is full with a batch, and a cache that
 * is disabled passes everything through.
 *
 * Counters
 * --------
 * Nothing is counted by an allocation or free: what has come by refills, less what is still
 * there, was allocated; what went by drains, and what is there, was freed.  pages(), nr_alloc()
 * and their kin do that sum, for whoever looks on.
 *
 * Locking: all of it under the cache's lock; the counts may be read by anyone.
 */
#ifndef QR_ALLOC_MAGAZINE_H
#define QR_ALLOC_MAGAZINE_H

#include "../base/bits.h"
#include "allocator.h"

struct qr_per_cpu_pages;

#define QR_MAGAZINE_ORDERS (QR_PAGEBLOCK_ORDER + 1)

/*
 * Room for so many blocks.  From order 3 on they fill whole pageblocks, so what is fetched leaves
 * nothing of its pageblocks behind, and what goes back together makes them whole again.
 */
#define QR_MAGAZINE_ROOM(order) ((order) ? 64u : 128u)
/* Where the magazine of an order ends, behind those of all smaller ones. */
#define QR_MAGAZINE_END(order) (128u + 64u * (order))
/*
 * The other side has eight times the room for single pages.  They come back in any order, and a
 * drain takes a lock for each stripe that they lie in: the more of them there are, the less each
 * pays.
 */
#define QR_MAGAZINE_PUT_ROOM(order) ((order) ? QR_MAGAZINE_ROOM(order) : 1024u)
#define QR_MAGAZINE_PUT_END(order) (1024u - 128u + QR_MAGAZINE_END(order))

struct qr_magazines {
	/* P: blocks in each; a get magazine's lie at its end */
	_Atomic uint16_t nr_get[QR_MIGRATE_PCPTYPES][QR_MAGAZINE_ORDERS];
	_Atomic uint16_t nr_put[QR_MAGAZINE_ORDERS];
	uint16_t put_limit[QR_MAGAZINE_ORDERS]; /* p: with so many a put magazine is full */

	_Atomic uint64_t pages_in, blocks_in; /* P: refills brought, less what went back unused */
	_Atomic uint64_t pages_out; /* P: freed, and given back by now */

	uint32_t get[QR_MIGRATE_PCPTYPES][QR_MAGAZINE_END(QR_PAGEBLOCK_ORDER)]; /* p: frames */
	uint32_t put[QR_MAGAZINE_PUT_END(QR_PAGEBLOCK_ORDER)]; /* p: frames */
};

#define QR_MAGAZINE_EMPTY UINT32_MAX

QR_INLINE unsigned qr__magazine_nr(const _Atomic uint16_t *nr)
{
	return atomic_load_explicit(nr, memory_order_relaxed);
}

QR_INLINE void qr__magazine_nr_set(_Atomic uint16_t *nr, unsigned value)
{
	atomic_store_explicit(nr, (uint16_t)value, memory_order_relaxed);
}

/* A get magazine's frames lie before its end, a put magazine's from its start on. */
QR_INLINE uint32_t *qr__magazine_end(struct qr_magazines *mag, enum qr_migratetype type,
				     unsigned order)
{
	return &mag->get[type][QR_MAGAZINE_END(order)];
}

QR_INLINE uint32_t *qr__magazine_start(struct qr_magazines *mag, unsigned order)
{
	return &mag->put[QR_MAGAZINE_PUT_END(order) - QR_MAGAZINE_PUT_ROOM(order)];
}

/* The next block; QR_MAGAZINE_EMPTY: there is none. */
QR_INLINE uint32_t qr__magazine_get(struct qr_magazines *mag, enum qr_migratetype type,
				    unsigned order)
{
	unsigned nr = qr__magazine_nr(&mag->nr_get[type][order]);

	if (qr__unlikely(!nr))
		return QR_MAGAZINE_EMPTY;
	qr__magazine_nr_set(&mag->nr_get[type][order], nr - 1);
	return *(qr__magazine_end(mag, type, order) - nr);
}

/*
 * There is always room, for a magazine that is full is emptied at once.  Returns how many there are
 * now: with put_limit it is full.
 */
QR_INLINE unsigned qr__magazine_put(struct qr_magazines *mag, uint32_t frame, unsigned order)
{
	unsigned nr = qr__magazine_nr(&mag->nr_put[order]);

	qr__magazine_start(mag, order)[nr] = frame;
	qr__magazine_nr_set(&mag->nr_put[order], nr + 1);
	return nr + 1;
}

/*
 * A whole pageblock is as good as any other: there is nothing that the engine could do better with
 * it than hand it out again.  So it may go straight to the other side; false: that is full.
 */
QR_INLINE bool qr__magazine_return(struct qr_magazines *mag, uint32_t frame,
				   enum qr_migratetype type)
{
	const unsigned order = QR_PAGEBLOCK_ORDER;
	unsigned nr = qr__magazine_nr(&mag->nr_get[type][order]) + 1;

	if (qr__unlikely(nr > QR_MAGAZINE_ROOM(order) || nr > mag->put_limit[order]))
		return false;
	*(qr__magazine_end(mag, type, order) - nr) = frame;
	qr__magazine_nr_set(&mag->nr_get[type][order], nr);
	/* it was freed and fetched again */
	qr__bump(&mag->pages_out, QR_PAGEBLOCK_NR_PAGES);
	qr__bump(&mag->pages_in, QR_PAGEBLOCK_NR_PAGES);
	qr__bump(&mag->blocks_in, 1);
	return true;
}

/* magazine.c; what fills and empties them is in pcp.h, since it needs all of the cache. */

int32_t qr__magazines_pages_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_alloc_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_blocks_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_free_racy(const struct qr_magazines *mag);

#endif /* QR_ALLOC_MAGAZINE_H */
