/* SPDX-License-Identifier: MIT */
/*
 * stress.h - the parts of `quire stress`
 *
 * Each thread is a worker that holds blocks of pages.  It knows what it wrote into them, and a
 * table of owners, one byte for each frame, knows who holds what: a frame that is handed out twice
 * is seen even when there is no memory behind it.  Blocks go from worker to worker through inboxes,
 * so that many are freed on another CPU than they came from.  Some pages lie in a cache that all
 * share, which is what there is to reclaim.
 *
 * Locks: none of the tool's locks is held while the instance is called, so each of its callbacks
 * may take any of them.
 */
#ifndef QUIRE_TOOLS_STRESS_H
#define QUIRE_TOOLS_STRESS_H

#include <pthread.h>
#include <quire/inspect.h>
#include <quire/linux.h>
#include <stdatomic.h>

#include "machine.h"

enum {
	STRESS_INBOX = 64,
	STRESS_MAX_FAULTS = 8, /* so many are told, all are counted */
	STRESS_NR_SHARDS = QR_MAX_NODES * QR_NR_ZONES
};

/* How a block was got decides how it is freed. */
enum holding_kind { HOLD_BLOCK, HOLD_FOLIO, HOLD_EXACT };

/* Pages that somebody holds, and what they contain. */
struct holding {
	struct qr_page *page;
	uint64_t key; /* contents are made from this and the pfn */
	uint32_t nr_pages;
	uint8_t order;
	uint8_t kind; /* enum holding_kind */
	bool light; /* only the ends of each page are filled */
};

struct holding_list {
	struct holding *holdings;
	size_t nr, room;
};

/* Written by one thread, read by others now and then. */
struct stress_counts {
	_Atomic uint64_t allocated[QR_NR_PAGE_ORDERS], failed[QR_NR_PAGE_ORDERS];
	_Atomic uint64_t freed; /* blocks */
	_Atomic uint64_t bulk, exact, split, passed_on, verified_bytes;
};

struct stress;

struct worker {
	struct stress *stress;
	pthread_t thread;
	unsigned id;
	uint64_t random;
	struct stress_counts counts;

	pthread_mutex_t lock; /* held: the out-of-memory callback takes from it as well */
	struct holding_list held;
	_Atomic uint64_t held_pages;

	pthread_mutex_t inbox_lock;
	struct holding inbox[STRESS_INBOX];
	_Atomic unsigned nr_inbox;
};

/* Pages of one zone that nobody would miss. */
struct cache_shard {
	pthread_mutex_t lock;
	struct holding_list list;
	_Atomic uint64_t nr;
};

/* Each phase goes for a share of memory, in thousandths. */
struct stress_phase {
	const char *name;
	unsigned held; /* by workers */
	unsigned cached; /* in the shared cache */
};

struct stress {
	struct qr_linux_pool *pool;
	struct quire *q;
	bool has_memory;
	bool nofail; /* there is enough above the watermarks to wait for */
	unsigned min_order, max_order;
	uint64_t managed; /* pages of the machine */
	unsigned nr_workers, nr_started;
	struct worker *workers;
	const struct stress_phase *_Atomic phase;
	_Atomic bool stop;

	struct cache_shard *cache; /* by nid * QR_NR_ZONES + zone type */
	_Atomic uint64_t nr_cached;
	_Atomic uint64_t nr_reclaimed, nr_killed; /* pages */
	_Atomic uint64_t nr_freed_by_others; /* blocks, not by the workers themselves */
	_Atomic int64_t nr_charged;

	_Atomic uint8_t *owners; /* by pfn; 0: nobody, else 1 + id % 255 */
	qr_pfn_t end_pfn;

	pthread_mutex_t fault_lock;
	_Atomic uint64_t nr_faults, nr_warnings;
	char faults[STRESS_MAX_FAULTS][192];
	char warning[192]; /* the first */
};

/* Something is wrong with the library: it is noted, and the run comes to its end. */
void stress_fault(struct stress *stress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* stress_pages.c: what pages contain, and who holds them. */
bool holding_put(struct holding_list *list, const struct holding *holding);
/* Make freshly allocated pages one's own: enter them as owner, fill them. */
void pages_claim(struct worker *worker, struct holding *holding);
/* Are the contents what was written?  A fault if not. */
void pages_verify(struct stress *stress, const struct holding *holding);
/* Are they zero, as was asked? */
void pages_verify_zero(struct stress *stress, const struct holding *holding);
/* Verify them, leave them and free them; returns how many bytes were looked at. */
uint64_t pages_release(struct stress *stress, const struct holding *holding);

/* stress_cache.c: the shared cache, and the callbacks that free from it. */
bool cache_begin(struct stress *stress);
bool cache_add(struct stress *stress, const struct holding *holding);
void cache_empty(struct stress *stress);
void cache_end(struct stress *stress);

/* stress_worker.c */
bool workers_begin(struct stress *stress, unsigned nr, uint64_t seed);
/* False: the host does not give that many threads; those it gave run. */
bool workers_start(struct stress *stress);
void workers_join(struct stress *stress);
void workers_end(struct stress *stress);
/* Take some blocks away from the worker that holds most; pages in zones up to highest. */
uint64_t workers_kill(struct stress *stress, enum qr_zone_type highest);

/* stress_report.c */
struct stress_report {
	const char *machine, *backing;
	uint64_t seed, memory; /* bytes */
	double seconds;
	unsigned nr_checks; /* runs of qr_check() */
	bool interrupted;
	struct qr_alloc_stats stats;
};

/* The sum over all workers. */
struct stress_sums {
	uint64_t allocated[QR_NR_PAGE_ORDERS], failed[QR_NR_PAGE_ORDERS];
	uint64_t allocations, failures, freed, operations;
	uint64_t bulk, exact, split, passed_on, verified_bytes;
};

void stress_sum(const struct stress *stress, struct stress_sums *sums);
void stress_print(const struct stress *stress, const struct stress_report *report);
bool stress_print_json(const struct stress *stress, const struct stress_report *report);

static inline void count_add(_Atomic uint64_t *count, uint64_t n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#endif /* QUIRE_TOOLS_STRESS_H */
