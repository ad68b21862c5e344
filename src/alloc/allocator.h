/* SPDX-License-Identifier: MIT */
/*
 * alloc/allocator.h - the state of the allocator, and the doors between its files
 *
 *	gfp.c		what a gfp mask means: zone, migratetype, scopes, validity
 *	page_alloc.c	entry points; the walk over zones; a block from a zone
 *	slowpath.c	what happens when that walk fails
 *	free.c		the way back: references, checks, to the cache or the zone
 *	speculation.c	references to pages that somebody else may be freeing
 *	prep.c		a page on its way out or in: checks, poison, zeroing, compound
 *	pcp.c		per-CPU caches; pcp_tune.c their sizes, drains and decay
 *	fallback.c	borrowing between migratetypes
 *	highatomic.c	the reserve for atomic high-order requests
 *	watermark.c	how little may be left: marks, reserves, the test
 *	kswapd.c	the background balancer
 *	mempolicy.c	which node: policies, cpusets
 *	bulk.c exact.c page_frag.c	other shapes of requests
 *	hooks.c		what the owner registers: reclaim, charging, injected failures
 *	allocator.c	the rooms of this layer, and its part of creation
 *	release.c	fresh memory: first release, deferred growth, reserved and CMA pages
 *	isolate.c	a free block taken off, put back; pageblocks moved to and from ISOLATE
 *	tunables.c	the sysctls
 *	stats.c		counters
 *
 * Letters: c - constant; t - under QR_RANK_TUNABLES, read by anyone; a - atomic.
 */
#ifndef QR_ALLOC_ALLOCATOR_H
#define QR_ALLOC_ALLOCATOR_H

#include "../base/trace.h"
#include "../buddy/engine.h"
#include "../frames/frames.h"
#include <quire/page_alloc.h>

/* Why a block goes back to its zone; the kernel's fpi_t. */
typedef uint32_t qr_fpi_t;
#define QR_FPI_NONE ((qr_fpi_t)0)
#define QR_FPI_SKIP_REPORT_NOTIFY ((qr_fpi_t)1u << 0) /* it was only borrowed */
#define QR_FPI_TO_TAIL ((qr_fpi_t)1u << 1) /* hand it out last */
#define QR_FPI_FRESH ((qr_fpi_t)1u << 2) /* nobody had it yet: last, and its record says nothing */

/* What upper layers want to be told of; set by quire/ when the instance is made.  NULL: nothing. */
struct qr_alloc_events {
	/* A block of this order came to a free list (page reporting).  Zone locked: be brief. */
	void (*freed)(struct qr_zone *zone, unsigned order);
	/* For page owner records.  Context of the call; pages as a block. */
	void (*owner_set)(struct quire *q, struct qr_page *page, unsigned order, qr_gfp_t gfp);
	void (*owner_reset)(struct quire *q, struct qr_page *page, unsigned order);
	void (*owner_split)(struct quire *q, struct qr_page *page, unsigned order);
	/* Who has, or had, this page, for reports: as snprintf; 0: unknown. */
	size_t (*owner_text)(struct quire *q, const struct qr_page *page, char *buf, size_t size);
};

/* Options that make a page on its way out or in more than a change of its record. */
#define QR_OPT_PREP_EXTRAS \
	(QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_ALLOC | QR_OPT_INIT_ON_FREE | QR_OPT_CHECK_PAGES | \
	 QR_OPT_PAGE_OWNER)

/* The platform is of one CPU, and caches are locked with interrupts masked. */
#define QR_EXTRA_UP (1u << 31)

/* May anybody take references to pages of others?  See speculation.c. */
enum qr_speculation_mode {
	QR_SPECULATION_CLOSED, /* no: only references are dropped without a locked instruction */
	QR_SPECULATION_OPENING,
	QR_SPECULATION_OPEN,
	QR_SPECULATION_CLOSING
};

struct qr_speculation {
	_Alignas(64) _Atomic uint32_t users; /* a: in the middle of one */
	_Atomic bool used; /* a: since the decay last looked */
	_Atomic uint64_t quiet_since_ns; /* a: the decay alone */
	struct qr_spinlock lock; /* rank SPECULATION: changes of the mode */
};

/* What makes requests more than a page out of, or into, a cache. */
#define QR_DETOUR_EXTRAS (1u << 0) /* alloc->extras */
#define QR_DETOUR_FAIL (1u << 1) /* some shall fail */
#define QR_DETOUR_MOBILITY (1u << 2) /* types are not told apart */
#define QR_DETOUR_GFP (1u << 3) /* not all bits of a mask are allowed yet */
#define QR_DETOUR_TRACE (1u << 4) /* somebody listens */

struct qr_allocator {
	struct qr_frames frames;

	/* Tunables (t), under their kernel names. */
	struct qr_spinlock tunables_lock; /* rank TUNABLES */
	_Atomic int64_t min_free_kbytes;
	int64_t user_min_free_kbytes; /* -1: never written */
	_Atomic int64_t watermark_boost_factor;
	_Atomic int64_t watermark_scale_factor;
	_Atomic int64_t percpu_pagelist_high_fraction;
	_Atomic int32_t lowmem_reserve_ratio[QR_ZONE_DEVICE];
	_Atomic int64_t min_unmapped_ratio, min_slab_ratio;
	_Atomic int64_t zone_reclaim_mode;
	_Atomic int64_t compaction_proactiveness;
	_Atomic int64_t extfrag_threshold;
	_Atomic int64_t compact_unevictable_allowed;
	_Atomic int64_t stat_interval; /* seconds */
	_Atomic int64_t enable_soft_offline;

	_Atomic uint32_t gfp_allowed_mask; /* a */
	uint32_t options; /* c: QR_OPT_... */
	uint32_t extras; /* c: of these, QR_OPT_PREP_EXTRAS; and QR_EXTRA_UP */
	/*
	 * a: why requests take the long way, QR_DETOUR_...; whoever changes what a bit stands for
	 * sets it, with qr__detour_set()
	 */
	_Atomic uint32_t detours;
	/* a: is there a shortest way, and how is it gone?  QR_STEPS_...; see step.h */
	_Atomic uintptr_t steps;
	struct qr_step_route *routes; /* c: by mark; NULL: no steps here */
	char *step_cpus; /* c: a struct qr_step_cpu every QR_STEP_CPU_SIZE bytes */
	uint32_t pcp_orders; /* c: bit k: the caches keep blocks of order k */
	_Atomic uint32_t speculation_mode; /* a: see speculation.c; each free looks at it */
	bool check_pages; /* c: any option that needs page checks */
	bool has_address; /* c: the platform can reach the bytes of pages */
	_Atomic bool initialised; /* a: the first release of memory is over */
	uint64_t cpu_cache_bytes; /* c */
	/*
	 * c: by the low five bits of gfp, the highest zone; QR_NR_ZONES: these bits exclude each
	 * other
	 */
	uint8_t gfp_zone[32];
	_Atomic uint64_t il_next; /* a: turns of interleaving callers that have no task record */

	struct qr_reclaim_ops reclaim; /* set while no request is under way */
	void *reclaim_ctx;
	struct qr_charge_ops charge;
	void *charge_ctx;
	struct qr_alloc_events events; /* c */

	struct qr_spinlock pcp_batch_high_lock; /* rank PCP_BATCH_HIGH */
	struct qr_spinlock pcpu_drain_lock; /* rank PCPU_DRAIN */
	_Atomic bool oom_under_way; /* a: one out-of-memory upcall at a time */
	struct qr_work decay; /* the vmstat tick: decay of the caches */
	struct qr_work deferred; /* background release of deferred memory */
	_Atomic uint64_t cpu_online[QR_MAX_CPUS / 64]; /* a */

	struct qr_speculation speculation;

	/* Fault injection. */
	struct qr_fail_page_alloc fail;
	_Atomic bool fail_on; /* a */
	_Atomic uint64_t fail_seen, fail_done; /* a */

	/* Bad-page reports: bursts of 60, then silence until a minute has passed. */
	_Atomic uint64_t bad_window_ns, bad_in_window, bad_suppressed; /* a */
	_Atomic uint64_t warn_window_ns, warn_in_window; /* a: allocation failures, 10 in 10 s */
	_Atomic uint64_t poison_window_ns, poison_in_window; /* a */

	/* What qr_alloc_stats() tells and nobody counts under a lock. */
	_Atomic uint64_t stat[32]; /* a: enum qr_alloc_stat */
};

enum qr_alloc_stat {
	QR_STAT_SLOWPATH,
	QR_STAT_DIRECT_RECLAIM,
	QR_STAT_DIRECT_COMPACT,
	QR_STAT_OOM,
	QR_STAT_KSWAPD_WAKES,
	QR_STAT_ALLOC_FAILED,
	QR_STAT_FALLBACKS,
	QR_STAT_FALLBACKS_CLAIMED,
	QR_STAT_BOOSTS,
	QR_STAT_HIGHATOMIC_RESERVED,
	QR_STAT_HIGHATOMIC_UNRESERVED,
	QR_STAT_BAD_PAGES,
	QR_STAT_WMARK_FAILED /* + enum qr_watermark */
};

static inline struct qr_allocator *qr__allocator(struct quire *q)
{
	return (struct qr_allocator *)(void *)q;
}

static inline const struct qr_allocator *qr__allocator_const(const struct quire *q)
{
	return (const struct qr_allocator *)(const void *)q;
}

static inline struct quire *qr__allocator_quire(struct qr_allocator *alloc)
{
	return (struct quire *)(void *)alloc;
}

static inline struct qr_allocator *qr__zone_allocator(const struct qr_zone *zone)
{
	return (struct qr_allocator *)(void *)zone->frames;
}

static inline struct qr_base *qr__alloc_base(struct qr_allocator *alloc)
{
	return &alloc->frames.base;
}

QR_INLINE void qr__stat(struct qr_allocator *alloc, unsigned stat, uint64_t nr)
{
	atomic_fetch_add_explicit(&alloc->stat[stat], nr, memory_order_relaxed);
}

/* step.c: a reason for the long way comes or goes. */
void qr__detour_set(struct qr_allocator *alloc, uint32_t why, bool on);

QR_INLINE uint32_t qr__detours(const struct qr_allocator *alloc)
{
	return atomic_load_explicit(&alloc->detours, memory_order_relaxed);
}

/* One request on its way through zones. */
struct qr_alloc_context {
	struct qr_zoneref *zonelist;
	const qr_nodemask_t *nodemask; /* NULL: any */
	/* where the walk begins; its zone may be NULL: no zone fits */
	struct qr_zoneref *preferred;
	enum qr_migratetype migratetype;
	enum qr_zone_type highest_zoneidx;
	bool spread_dirty_pages;
	struct qr_task *task; /* NULL: an ordinary one */
	int preferred_nid;
};

/* gfp.c ------------------------------------------------------------------------------------ */

qr_gfp_t qr_current_gfp_context(const struct qr_allocator *alloc, const struct qr_task *task,
				qr_gfp_t gfp);
void qr__gfp_init(struct qr_allocator *alloc);

/* QR_NR_ZONES: an illegal mask. */
QR_INLINE enum qr_zone_type qr__gfp_zone(const struct qr_allocator *alloc, qr_gfp_t gfp)
{
	/* NOLINTNEXTLINE(misc-redundant-expression): both masks have MOVABLE */
	return (enum qr_zone_type)alloc->gfp_zone[gfp & (QR_GFP_ZONEMASK | QR_GFP_MOVABLE_MASK)];
}

QR_INLINE enum qr_migratetype qr__gfp_migratetype(const struct qr_allocator *alloc, qr_gfp_t gfp)
{
	if (qr__unlikely(
		    atomic_load_explicit(&alloc->frames.mobility_disabled, memory_order_relaxed)))
		return QR_MIGRATE_UNMOVABLE;
	return (enum qr_migratetype)((gfp & QR_GFP_MOVABLE_MASK) >> 3);
}

/* Ordinary code of a task, and no interrupt or softirq on top of it? */
QR_INLINE bool qr__in_task(const struct qr_task *task)
{
	return !task || !(task->flags & (QR_TASK_INTERRUPT | QR_TASK_SOFTIRQ));
}

/* hooks.c ---------------------------------------------------------------------------------- */

/* Is this allocation one that shall fail?  Only asked while alloc->fail_on. */
bool qr__should_fail_alloc_page(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order);
/* Charge a fresh page to whoever asked; false: refused, and the page is freed again. */
bool qr__charge_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
		     qr_gfp_t gfp);

/* page_alloc.c ----------------------------------------------------------------------------- */

/*
 * A whole allocation, slow path and charging included, near a node that exists; @task is the
 * caller.  A failure is not yet counted: the caller may have another idea.
 */
struct qr_page *qr__alloc_near(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order, int nid,
			       const qr_nodemask_t *nodemask, struct qr_task *task);
/* The same, as the caller's last attempt. */
struct qr_page *qr__alloc_finally(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order, int nid,
				  const qr_nodemask_t *nodemask, struct qr_task *task);
struct qr_page *qr_get_page_from_freelist(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
					  unsigned alloc_flags, struct qr_alloc_context *ac);
struct qr_page *qr_rmqueue(struct qr_zone *preferred, struct qr_zone *zone, unsigned order,
			   qr_gfp_t gfp, unsigned alloc_flags, enum qr_migratetype type);
/*
 * Up to nr blocks by __rmqueue's rules (own type, CMA's share, fallback), zone locked; returns how
 * many.  The buddy path's and the caches' common source.
 */
unsigned qr___rmqueue(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
		      unsigned alloc_flags, unsigned nr, qr_pfn_t *pfns) QR_REQUIRES(zone->lock);
bool qr_prepare_alloc_pages(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
			    int preferred_nid, const qr_nodemask_t *nodemask,
			    struct qr_alloc_context *ac, qr_gfp_t *alloc_gfp,
			    unsigned *alloc_flags);
unsigned qr_alloc_flags_nofragment(const struct qr_allocator *alloc, const struct qr_zone *zone,
				   qr_gfp_t gfp);
/* The request may use CMA memory: adds the flag. */
unsigned qr_gfp_to_alloc_flags_cma(const struct qr_allocator *alloc, qr_gfp_t gfp,
				   unsigned alloc_flags);

/* slowpath.c ------------------------------------------------------------------------------- */

struct qr_page *qr___alloc_pages_slowpath(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
					  struct qr_alloc_context *ac);

/* prep.c ----------------------------------------------------------------------------------- */

/* Checks of pages on the way out; true: bad, leak it. */
bool qr__check_new_pages(struct qr_allocator *alloc, struct qr_page *page, unsigned order);
/* Make it a page in use: reference, poison check, zeroing, compound, owner, order. */
void qr_prep_new_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
		      qr_gfp_t gfp, unsigned alloc_flags);
/* The bare change of a clean record; the reference last: whoever gets one finds a block in use. */
QR_INLINE void qr__page_open(struct qr_frames *frames, struct qr_page *page)
{
	struct qr_page_state *state = qr__page_state(frames, page);

	qr__page_settle(frames, page);
	if (qr__unlikely(qr__state_noted(state)))
		qr__page_private_set(frames, page, 0);
	qr__state_open(state);
}

/* Make it ready to be free: false: bad, it was leaked. */
bool qr_free_pages_prepare(struct qr_allocator *alloc, struct qr_page *page, unsigned order);
/* A page's state makes no sense: say so (rate-limited), mark it LEAKED. */
void qr__bad_page(struct qr_allocator *alloc, struct qr_page *page, const char *reason);
/* May one more misuse or bad page be reported?  Counts it in any case. */
bool qr__bad_page_ratelimit(struct qr_allocator *alloc);
void qr__prep_compound_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order);

/* free.c ----------------------------------------------------------------------------------- */

/* Free a block that nobody references any more, to the cache if it will have it. */
void qr__free_unref_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order);
/* The same straight to the zone, by the kernel's name. */
void qr___free_pages_ok(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
			qr_fpi_t fpi);
/* A prepared block to its zone's lists; cut at pageblocks where it spans several. */
void qr_free_one_page(struct qr_zone *zone, struct qr_page *page, qr_pfn_t pfn, unsigned order,
		      qr_fpi_t fpi);
/* The innermost: @type's lists, zone locked; joins and tells the reporter. */
void qr___free_one_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			enum qr_migratetype type, qr_fpi_t fpi) QR_REQUIRES(zone->lock);
/* The cutting: each pageblock's part under that pageblock's type. */
void qr_split_large_buddy(struct qr_zone *zone, qr_pfn_t pfn, unsigned order, qr_fpi_t fpi)
	QR_REQUIRES(zone->lock);

/* fallback.c, highatomic.c ----------------------------------------------------------------- */

/* A block for @type from another type's lists; false: none may be had. */
bool qr___rmqueue_fallback(struct qr_zone *zone, unsigned order, enum qr_migratetype type,
			   unsigned alloc_flags, qr_pfn_t *pfn) QR_REQUIRES(zone->lock);
/*
 * The first fallback type with a block of exactly this order; QR_MIGRATE_TYPES: none.  By the
 * counts of blocks, which the caller has settled.
 */
enum qr_migratetype qr_find_suitable_fallback(struct qr_zone *zone, unsigned order,
					      enum qr_migratetype type, bool only_claim,
					      bool *can_steal);
bool qr_boost_watermark(struct qr_zone *zone) QR_REQUIRES(zone->lock);

/*
 * Count a pageblock that lies wholly in the zone: pages in free blocks, and movable pages in use;
 * false: it does not.
 */
bool qr_prep_move_freepages_block(struct qr_zone *zone, qr_pfn_t pfn, qr_pfn_t *start_pfn,
				  uint64_t *nr_free, uint64_t *nr_movable) QR_REQUIRES(zone->lock);
/* Move a pageblock's free pages to a type's lists and retype it; pages moved, or -1. */
int64_t qr_move_freepages_block(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype from,
				enum qr_migratetype to) QR_REQUIRES(zone->lock);

void qr_reserve_highatomic_pageblock(struct qr_zone *zone, qr_pfn_t pfn, unsigned order);
bool qr_unreserve_highatomic_pageblock(struct qr_allocator *alloc,
				       const struct qr_alloc_context *ac, bool force);

/* isolate.c -------------------------------------------------------------------------------- */

/* Take a free block off for a while: 0 if the watermarks forbid it, else its pages. */
uint64_t qr___isolate_free_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order)
	QR_REQUIRES(zone->lock);
void qr___putback_isolated_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
				enum qr_migratetype type) QR_REQUIRES(zone->lock);
/*
 * Set or clear isolation of a pageblock with all its free pages, splitting a free block that
 * straddles it; false: not wholly inside the zone.  Does not count nr_isolate_pageblock.
 */
bool qr_move_freepages_block_isolate(struct qr_zone *zone, qr_pfn_t pfn, bool isolate)
	QR_REQUIRES(zone->lock);

/* watermark.c ------------------------------------------------------------------------------ */

/* The formulas, free of state, for tests and tools. */
uint64_t qr__min_free_kbytes_for(uint64_t lowmem_kbytes);
unsigned qr__stat_threshold_for(uint64_t managed, unsigned nr_cpus);
uint64_t qr__highatomic_limit(uint64_t managed); /* 0: no reserve at all */

void qr_calculate_min_free_kbytes(struct qr_allocator *alloc);
void qr_setup_per_zone_wmarks(struct qr_allocator *alloc);
void qr_setup_per_zone_lowmem_reserve(struct qr_allocator *alloc);
/* All three, in order: after memory came or went.  Rank TUNABLES is held. */
void qr__init_per_zone_wmark_min(struct qr_allocator *alloc);
/* Thresholds of the counters, by how many CPUs are online.  Rank TUNABLES is held. */
void qr__stat_thresholds_update(struct qr_allocator *alloc);
/* Mobility grouping on or off, by how much memory there is. */
void qr__mobility_evaluate(struct qr_allocator *alloc);

bool qr_zone_watermark_ok_safe(struct qr_zone *zone, unsigned order, uint64_t mark,
			       enum qr_zone_type highest_zoneidx);

/* The test's slow half, out of line. */
bool qr__zone_watermark_fast_slow(struct qr_zone *zone, unsigned order, uint64_t mark,
				  enum qr_zone_type highest_zoneidx, unsigned alloc_flags,
				  uint64_t nr_free);

/*
 * The quick test on the way of every request: most order-0 requests end at the first comparison.
 */
QR_INLINE bool qr_zone_watermark_fast(struct qr_zone *zone, unsigned order, uint64_t mark,
				      enum qr_zone_type highest_zoneidx, unsigned alloc_flags,
				      qr_gfp_t gfp)
{
	uint64_t nr_free = qr__read(&zone->nr_free_pages);

	(void)gfp;
	if (order == 0) {
		uint64_t unusable = 0;

		if (!(alloc_flags & QR_ALLOC_RESERVES))
			unusable += qr__read(&zone->nr_free_highatomic);
		if (!(alloc_flags & QR_ALLOC_CMA))
			unusable += qr__read(&zone->nr_free_cma);
		if (qr__likely(nr_free > unusable &&
			       nr_free - unusable >
				       mark + qr__read(&zone->lowmem_reserve[highest_zoneidx])))
			return true;
	}
	return qr__zone_watermark_fast_slow(zone, order, mark, highest_zoneidx, alloc_flags,
					    nr_free);
}

/* kswapd.c --------------------------------------------------------------------------------- */

void qr__kswapd_init(struct qr_allocator *alloc);
void qr_wakeup_kswapd(struct qr_zone *zone, qr_gfp_t gfp, unsigned order,
		      enum qr_zone_type highest_zoneidx);

/* Wake the compactors of all nodes with memory, if there is a callback for that. */
void qr__kcompactd_wake_all(struct qr_allocator *alloc);

/* mempolicy.c ------------------------------------------------------------------------------ */

struct qr_page *qr__alloc_pages_policy(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
				       struct qr_task *task, const struct qr_mempolicy *policy,
				       uint64_t il_index);
/* May this request use that zone, as far as its cpuset goes? */
bool qr_cpuset_zone_allowed(const struct qr_task *task, const struct qr_zone *zone, qr_gfp_t gfp);

/* release.c -------------------------------------------------------------------------------- */

/* Nothing is released yet: note where each zone's fresh RAM begins. */
void qr__release_init(struct qr_allocator *alloc);
/* Hand the zones' fresh RAM to the engine: all of it, or only the start where deferral is on. */
void qr__release_memory(struct qr_allocator *alloc);
/* A zone ran short: initialise one more chunk of its deferred memory.  False: none is left. */
bool qr_deferred_grow_zone(struct qr_zone *zone, unsigned order);

/* tunables.c ------------------------------------------------------------------------------- */

void qr__tunables_init(struct qr_allocator *alloc);
/* Each node's shares that node reclaim leaves alone, from managed pages. */
void qr__tunables_node_ratios(struct qr_allocator *alloc);

/* stats.c ---------------------------------------------------------------------------------- */

/* An event's sum over all CPUs, what the caches counted included; qr_vm_event()'s answer. */
uint64_t qr__alloc_event_sum(const struct qr_allocator *alloc, unsigned event);
/* The same of one zone; of the NUMA events and PGALLOC only, others are 0. */
uint64_t qr__zone_event_sum(const struct qr_zone *zone, unsigned event);

/* alloc.c's part of creation ---------------------------------------------------------------- */

struct qr_layout;
/* Reserve this layer's rooms (zones' engine state, caches); with a memory: fill them in. */
void qr__allocator_rooms(struct qr_layout *layout, struct qr_allocator *alloc_or_null,
			 char *memory);
/* Everything up to the release of memory, in the order a boot does it. */
void qr__allocator_init(struct qr_allocator *alloc, const struct qr_config *config);

#endif /* QR_ALLOC_ALLOCATOR_H */
