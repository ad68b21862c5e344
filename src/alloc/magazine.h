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
 * which are all alike, and for what lies in the pageblock that is being used up (step.h): these go
 * straight back to the get side.  A magazine is a small array of frame indices: no page record is
 * touched but the state or the mark of the page that comes or goes, and to fill or empty one takes
 * one lock for as many blocks as it holds.
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
 * Nothing is counted by an allocation or free but what it takes to find its block: what left a
 * ring was allocated, but for what was brought for nothing; what came to one and not by refills,
 * what went by drains and what waits for one was freed.  pages(), nr_alloc() and their kin do
 * these sums, for whoever looks on.
 *
 * Locking: all of it under the cache's lock, or by a step of the cache's CPU; the counts may be
 * read by anyone.
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
/*
 * The other side has room for 1024 pages in blocks of each order, and for 64 blocks at least.  They
 * come back in any order, and a drain takes a lock for each stripe that they lie in: the more of
 * them there are, the less each pays.
 */
#define QR_MAGAZINE_PUT_ROOM(order) ((order) < 4 ? 1024u >> (order) : 64u)

/*
 * A get magazine is a ring: block n, counted from the first that ever came to it, is at n modulo
 * its room.  Both counts only grow, so that whoever read one can tell whether anything happened
 * since (step.h).
 *
 * Before its blocks stands, in one cache line, whatever a step has to know of the blocks of one
 * zone, type and order on one CPU.  Where there are no steps, the pointers are NULL.
 */
struct qr_magazine_ring {
	_Alignas(64) _Atomic uint64_t head; /* P: blocks that left it */
	_Atomic uint64_t tail; /* P: and that came */
	_Atomic uint32_t last; /* about: the block that left it last, by a step */
	uint16_t limit; /* p: with so many it takes none back */
	uint8_t mark; /* c: of what left it */
	uint64_t open; /* c: what the state says of that, if it is plain */
	struct qr_magazine_put *put; /* c: where its blocks are freed to, if not back here */
	const struct qr_local_lock *lock; /* c: the cache's */
	_Alignas(64) uint32_t frames[]; /* p: QR_MAGAZINE_ROOM() */
};

/* Laid out as a ring is, for steps that come to one or the other. */
struct qr_magazine_put {
	_Alignas(64) uint64_t limit; /* p: with so many it is full; 0: this order is not cached */
	_Atomic uint64_t nr; /* P: blocks in it */
	_Alignas(64) uint32_t frames[]; /* p: QR_MAGAZINE_PUT_ROOM() */
};

_Static_assert(sizeof(struct qr_magazine_ring) == 64, "all a step reads of a CPU is one line");
_Static_assert(offsetof(struct qr_magazine_ring, tail) == offsetof(struct qr_magazine_put, nr) &&
		       offsetof(struct qr_magazine_ring, frames) ==
			       offsetof(struct qr_magazine_put, frames),
	       "where a block comes to");
_Static_assert(QR_MAGAZINE_ROOM(0) <= UINT16_MAX, "a ring's limit");

/* Where the magazines of an order begin, behind those of all smaller ones, in bytes. */
#define QR_RING_SIZE(order) (sizeof(struct qr_magazine_ring) + 4 * QR_MAGAZINE_ROOM(order))
#define QR_RING_AT(order) ((order) ? QR_RING_SIZE(0) + ((order)-1u) * QR_RING_SIZE(1) : 0)
/* 1024 frames, 512, 256, 128, and from then on 64. */
#define QR_PUT_AT(order) \
	(sizeof(struct qr_magazine_put) * (order) + \
	 4 * ((order) < 4 ? 2048u - (2048u >> (order)) : 1920u + 64u * ((order)-4u)))

struct qr_magazines {
	/* Rings by type, and put magazines: see qr__ring() and qr__put(). */
	_Alignas(64) char rings[QR_MIGRATE_PCPTYPES][QR_RING_AT(QR_MAGAZINE_ORDERS)];
	_Alignas(64) char puts[QR_PUT_AT(QR_MAGAZINE_ORDERS)];

	_Atomic uint64_t pages_in; /* P: that refills brought */
	_Atomic uint64_t pages_unused, blocks_unused; /* P: and that left otherwise than by use */
	_Atomic uint64_t pages_out; /* P: freed to put magazines, and given back by now */
};

#define QR_MAGAZINE_EMPTY UINT32_MAX

_Static_assert((QR_MAGAZINE_ROOM(0) & (QR_MAGAZINE_ROOM(0) - 1)) == 0, "rings go round by a mask");

/* The doors to magazines. */
QR_INLINE struct qr_magazine_ring *qr__ring(const struct qr_magazines *mag,
					    enum qr_migratetype type, unsigned order)
{
	return (struct qr_magazine_ring *)(void *)((uintptr_t)&mag->rings[type] +
						   QR_RING_AT(order));
}

QR_INLINE struct qr_magazine_put *qr__put(const struct qr_magazines *mag, unsigned order)
{
	return (struct qr_magazine_put *)(void *)((uintptr_t)&mag->puts + QR_PUT_AT(order));
}

/* Blocks in a ring. */
QR_INLINE unsigned qr__ring_nr(const struct qr_magazine_ring *ring)
{
	return (unsigned)(qr__read(&ring->tail) - qr__read(&ring->head));
}

QR_INLINE unsigned qr__put_nr(const struct qr_magazines *mag, unsigned order)
{
	return (unsigned)qr__read(&qr__put(mag, order)->nr);
}

/* Where block n of a ring is. */
QR_INLINE uint64_t qr__ring_place(uint64_t n, unsigned order)
{
	return n % QR_MAGAZINE_ROOM(order);
}

/* The next block; QR_MAGAZINE_EMPTY: there is none. */
QR_INLINE uint32_t qr__magazine_get(struct qr_magazines *mag, enum qr_migratetype type,
				    unsigned order)
{
	struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	uint64_t head = qr__read(&ring->head);

	if (qr__unlikely(head == qr__read(&ring->tail)))
		return QR_MAGAZINE_EMPTY;
	qr__write(&ring->head, head + 1);
	return ring->frames[qr__ring_place(head, order)];
}

/*
 * There is always room, for a magazine that is full is emptied at once.  Returns how many there are
 * now: with put_limit it is full.
 */
QR_INLINE unsigned qr__magazine_put(struct qr_magazines *mag, uint32_t frame, unsigned order)
{
	struct qr_magazine_put *put = qr__put(mag, order);
	unsigned nr = (unsigned)qr__read(&put->nr);

	put->frames[nr] = frame;
	qr__write(&put->nr, nr + 1);
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
	struct qr_magazine_ring *ring = qr__ring(mag, type, order);
	uint64_t tail = qr__read(&ring->tail);

	if (qr__unlikely(qr__ring_nr(ring) >= ring->limit))
		return false;
	ring->frames[qr__ring_place(tail, order)] = frame;
	qr__write(&ring->tail, tail + 1);
	return true;
}

/* magazine.c; what fills and empties them is in pcp.h, since it needs all of the cache. */

int32_t qr__magazines_pages_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_alloc_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_blocks_racy(const struct qr_magazines *mag);
uint64_t qr__magazines_nr_free_racy(const struct qr_magazines *mag);

#endif /* QR_ALLOC_MAGAZINE_H */
