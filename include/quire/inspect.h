/* SPDX-License-Identifier: MIT */
/*
 * quire/inspect.h - look into an instance: snapshots, walkers, counters, text views, the checker
 *
 * For tools, debuggers and tests.  A snapshot of one zone is taken under that zone's lock and is
 * consistent in itself; two zones are not consistent with each other while others allocate.  The
 * text views print what the kernel's files of the same name print, byte for byte.
 *
 * Text functions work like snprintf: they write at most size bytes including the final 0 (none when
 * size is 0) and return the length the whole text has, so a first call with size 0 tells the room.
 *
 * Context: task, unless a function says otherwise.
 */
#ifndef QUIRE_INSPECT_H
#define QUIRE_INSPECT_H

#include <quire/quire.h>

QR_BEGIN_DECLS

/* Counters --------------------------------------------------------------------------------- */

/* Events, named as in /proc/vmstat; per-zone ones have QR_NR_ZONES consecutive values. */
enum qr_vm_event {
	QR_EV_PGALLOC, /* + zone type: pages handed out */
	QR_EV_ALLOCSTALL = QR_EV_PGALLOC + QR_NR_ZONES, /* + zone type: direct reclaims */
	QR_EV_PGSKIP = QR_EV_ALLOCSTALL + QR_NR_ZONES, /* + zone type */
	QR_EV_PGFREE = QR_EV_PGSKIP + QR_NR_ZONES,
	QR_EV_NUMA_HIT, /* the NUMA counters are printed in their own place */
	QR_EV_NUMA_MISS,
	QR_EV_NUMA_FOREIGN,
	QR_EV_NUMA_INTERLEAVE,
	QR_EV_NUMA_LOCAL,
	QR_EV_NUMA_OTHER,
	QR_EV_PGACTIVATE,
	QR_EV_PGDEACTIVATE,
	QR_EV_PGLAZYFREE,
	QR_EV_PGFAULT,
	QR_EV_PGMAJFAULT,
	QR_EV_PGMIGRATE_SUCCESS,
	QR_EV_PGMIGRATE_FAIL,
	QR_EV_THP_MIGRATION_SUCCESS,
	QR_EV_THP_MIGRATION_FAIL,
	QR_EV_THP_MIGRATION_SPLIT,
	QR_EV_COMPACT_MIGRATE_SCANNED,
	QR_EV_COMPACT_FREE_SCANNED,
	QR_EV_COMPACT_ISOLATED,
	QR_EV_COMPACT_STALL,
	QR_EV_COMPACT_FAIL,
	QR_EV_COMPACT_SUCCESS,
	QR_EV_COMPACT_DAEMON_WAKE,
	QR_EV_COMPACT_DAEMON_MIGRATE_SCANNED,
	QR_EV_COMPACT_DAEMON_FREE_SCANNED,
	QR_EV_HTLB_BUDDY_ALLOC_SUCCESS,
	QR_EV_HTLB_BUDDY_ALLOC_FAIL,
	QR_EV_CMA_ALLOC_SUCCESS,
	QR_EV_CMA_ALLOC_FAIL,
	QR_EV_UNEVICTABLE_PGS_CULLED,
	QR_EV_UNEVICTABLE_PGS_SCANNED,
	QR_EV_UNEVICTABLE_PGS_RESCUED,
	QR_EV_UNEVICTABLE_PGS_MLOCKED,
	QR_EV_UNEVICTABLE_PGS_MUNLOCKED,
	QR_EV_UNEVICTABLE_PGS_CLEARED,
	QR_EV_UNEVICTABLE_PGS_STRANDED,
	QR_EV_NUMA_PTE_UPDATES,
	QR_EV_NUMA_HUGE_PTE_UPDATES,
	QR_EV_NUMA_HINT_FAULTS,
	QR_EV_NUMA_HINT_FAULTS_LOCAL,
	QR_EV_NUMA_PAGES_MIGRATED,
	QR_EV_BALLOON_INFLATE,
	QR_EV_BALLOON_DEFLATE,
	QR_EV_BALLOON_MIGRATE,
	QR_EV_KSWAPD_LOW_WMARK_HIT_QUICKLY,
	QR_EV_KSWAPD_HIGH_WMARK_HIT_QUICKLY,
	QR_EV_PAGEOUTRUN,
	QR_EV_OOM_KILL,
	QR_EV_DROP_PAGECACHE,
	QR_EV_DROP_SLAB,
	QR_NR_VM_EVENTS
};

/* The sum over all CPUs; exact only when nobody allocates. */
QR_API uint64_t qr_vm_event(const struct quire *q, enum qr_vm_event event);
/* "pgalloc_normal", "numa_hit", ... as /proc/vmstat spells it; NULL beyond the end. */
QR_API const char *qr_vm_event_name(enum qr_vm_event event);

/*
 * What Linux does not count but users of an allocator ask: how the per-CPU caches and the locks
 * did, and which paths requests took.  Sums over all zones and CPUs.
 */
struct qr_alloc_stats {
	uint64_t pcp_hits; /* allocations served from a cache that had a page */
	uint64_t pcp_refills; /* times a cache was filled from its zone */
	uint64_t pcp_drains; /* times a cache gave a batch, or a full magazine, back */
	uint64_t pcp_contended; /* trylocks of a cache that failed */
	/* acquisitions of zone locks, and of the lock of one part of a zone (engine bitmap) */
	uint64_t zone_locks;
	uint64_t zone_lock_contended; /* of these, how many had to wait */
	uint64_t slowpath; /* allocations that entered the slow path */
	uint64_t direct_reclaim, direct_compact, out_of_memory;
	uint64_t kswapd_wakes;
	uint64_t alloc_failed; /* requests that returned NULL */
	uint64_t fallbacks; /* mm_page_alloc_extfrag events */
	uint64_t fallbacks_claimed; /* of these, whole pageblocks that changed type */
	uint64_t boosts; /* watermark boosts */
	uint64_t highatomic_reserved, highatomic_unreserved; /* pageblocks */
	uint64_t wmark_failed[QR_NR_WMARK]; /* zones passed over for this watermark */
	uint64_t bad_pages; /* misuse reported */
};
QR_API void qr_alloc_stats(const struct quire *q, struct qr_alloc_stats *stats);

/* Snapshots -------------------------------------------------------------------------------- */

struct qr_pcp_snapshot {
	unsigned count, high, batch; /* pages */
	unsigned high_min, high_max;
	unsigned free_count, alloc_factor;
};

struct qr_zone_snapshot {
	int nid;
	enum qr_zone_type type;
	const char *name;
	qr_pfn_t start_pfn, end_pfn; /* equal: the zone is empty */
	uint64_t spanned, present, managed, cma;
	uint64_t nr_free; /* NR_FREE_PAGES: all lists but ISOLATE */
	uint64_t nr_free_cma, nr_free_highatomic, nr_reserved_highatomic;
	uint64_t watermark[QR_NR_WMARK]; /* boost included */
	uint64_t watermark_boost;
	uint64_t lowmem_reserve[QR_NR_ZONES];
	uint64_t nr_isolate_pageblock;
	uint64_t nr_deferred; /* pages whose records wait to be initialised */
	uint64_t nr_blocks[QR_NR_PAGE_ORDERS]; /* as /proc/buddyinfo */
	uint64_t nr_blocks_type[QR_MIGRATE_TYPES][QR_NR_PAGE_ORDERS]; /* as /proc/pagetypeinfo */
	uint64_t nr_pageblocks[QR_MIGRATE_TYPES];
	uint64_t nr_pcp_pages; /* in all CPUs' caches, of all orders they keep; racy */
	unsigned stat_threshold;
	bool below_high, boosted;
};

/* 0, or QR_ENOENT: there is no such zone. */
QR_API int qr_zone_snapshot(struct quire *q, int nid, enum qr_zone_type type,
			    struct qr_zone_snapshot *snap);
/* 0, or QR_ENOENT: no such zone or CPU. */
QR_API int qr_pcp_snapshot(struct quire *q, int nid, enum qr_zone_type type, unsigned cpu,
			   struct qr_pcp_snapshot *snap);

/* The same as numbers of one zone that are asked often. */
QR_API uint64_t qr_zone_free_pages(const struct qr_zone *zone);
QR_API uint64_t qr_zone_watermark(const struct qr_zone *zone, enum qr_watermark mark);
QR_API int qr_zone_nid(const struct qr_zone *zone);
QR_API enum qr_zone_type qr_zone_type_of(const struct qr_zone *zone);

struct qr_quire_snapshot {
	unsigned nr_nodes, nr_cpus;
	qr_pfn_t start_pfn, end_pfn; /* of all memory */
	uint64_t present, managed, nr_free; /* of all zones */
	uint64_t min_free_kbytes;
	size_t metadata_size;
	const char *engine;
	bool mobility_disabled; /* too little memory to group pages by mobility */
	uint32_t options;
};
QR_API void qr_quire_snapshot(struct quire *q, struct qr_quire_snapshot *snap);

/* MemAvailable as /proc/meminfo would give it: what can be had without pushing anything out. */
QR_API uint64_t qr_si_mem_available(struct quire *q);

/* Per-zone indices of fragmentation, in thousandths, as under debugfs extfrag/. */
QR_API int qr_fragmentation_index(struct quire *q, int nid, enum qr_zone_type type, unsigned order);
QR_API int qr_unusable_free_index(struct quire *q, int nid, enum qr_zone_type type, unsigned order);
QR_API unsigned qr_extfrag_for_order(struct quire *q, int nid, enum qr_zone_type type,
				     unsigned order); /* percent */

/* Walkers ---------------------------------------------------------------------------------- */

enum qr_frame_state {
	QR_FRAME_HOLE, /* no memory, or its section is offline */
	QR_FRAME_DEFERRED, /* memory whose record is not initialised yet */
	QR_FRAME_RESERVED,
	QR_FRAME_FREE, /* in the buddy engine */
	QR_FRAME_GUARD,
	QR_FRAME_PCP, /* in a CPU's cache */
	QR_FRAME_ALLOCATED,
	QR_FRAME_OFFLINE,
	QR_FRAME_LEAKED, /* misused once, out of circulation */
	QR_NR_FRAME_STATES
};

struct qr_frame_info {
	qr_pfn_t pfn;
	enum qr_frame_state state;
	unsigned order; /* of the free block or folio this frame is the head of; else 0 */
	qr_pfn_t head; /* first frame of the free block or folio */
	int nid;
	enum qr_zone_type zone;
	enum qr_migratetype migratetype; /* of the pageblock */
	int refcount;
	bool hwpoison, reported, skip;
};

/*
 * What is at pfn.  Takes the zone's lock for a moment; what it tells of a page in use may change at
 * once.  0, or QR_ENOENT: no such frame.
 */
QR_API int qr_frame_info_racy(const struct quire *q, qr_pfn_t pfn, struct qr_frame_info *info);

/* What a pageblock holds, for maps. */
struct qr_pageblock_info {
	qr_pfn_t start_pfn;
	enum qr_migratetype migratetype;
	bool isolated, skip;
	/* pages; their sum is whole */
	unsigned nr_free, nr_pcp, nr_allocated, nr_reserved, nr_absent;
};

/* Call visit for each pageblock of a zone until it returns non-zero; returns that, or 0. */
QR_API int qr_for_each_pageblock(struct quire *q, int nid, enum qr_zone_type type,
				 int (*visit)(void *arg, const struct qr_pageblock_info *info),
				 void *arg);

/*
 * Call visit for each free block of a zone, type by type, order by order, in the order of the
 * lists, until it returns non-zero; returns that, or 0.  Under the zone's lock: visit must be brief
 * and not call the instance.
 */
QR_API int qr_for_each_free_block(struct quire *q, int nid, enum qr_zone_type type,
				  int (*visit)(void *arg, qr_pfn_t pfn, unsigned order,
					       enum qr_migratetype migratetype),
				  void *arg);

/* The zones a request from this node would try, in order; returns how many there are. */
struct qr_zoneref_info {
	int nid;
	enum qr_zone_type type;
};
QR_API unsigned qr_zonelist(struct quire *q, int nid, bool thisnode, struct qr_zoneref_info *refs,
			    unsigned max);

/* /proc/kpageflags' word for a frame (bits by the kernel's numbers), and /proc/kpagecount's. */
QR_API uint64_t qr_kpageflags(const struct quire *q, qr_pfn_t pfn);
QR_API uint64_t qr_kpagecount(const struct quire *q, qr_pfn_t pfn);

/* Text views ------------------------------------------------------------------------------- */

QR_API size_t qr_show_buddyinfo(struct quire *q, char *buf, size_t size);
QR_API size_t qr_show_pagetypeinfo(struct quire *q, char *buf, size_t size);
QR_API size_t qr_show_zoneinfo(struct quire *q, char *buf, size_t size);
QR_API size_t qr_show_vmstat(struct quire *q, char *buf, size_t size);
QR_API size_t qr_show_numastat(struct quire *q, int nid, char *buf, size_t size);
QR_API size_t qr_show_extfrag_index(struct quire *q, char *buf, size_t size);
QR_API size_t qr_show_unusable_index(struct quire *q, char *buf, size_t size);
/* What the kernel prints of free memory when an allocation fails. */
QR_API size_t qr_show_free_areas(struct quire *q, char *buf, size_t size);

/* Page owner (QR_OPT_PAGE_OWNER) ----------------------------------------------------------- */

struct qr_page_owner {
	uint16_t order;
	int16_t last_migrate_reason; /* -1: never migrated */
	qr_gfp_t gfp;
	uint32_t task_id, free_task_id;
	uint64_t handle; /* what the handle callback said at the time */
	uint64_t time_ns, free_time_ns;
};

/*
 * A value to be kept with each page that the calling CPU allocates from now on: a call site, a
 * stack id.  print_handle turns one into text for the view (returns the length, as snprintf).
 */
QR_API void qr_page_owner_handle_set(struct quire *q, uint64_t (*handle)(void *ctx),
				     size_t (*print_handle)(void *ctx, uint64_t handle, char *buf,
							    size_t size),
				     void *ctx);

/* 0; QR_EINVAL: page owner is off; QR_ENOENT: nobody ever allocated this frame. */
QR_API int qr_page_owner(const struct quire *q, qr_pfn_t pfn, struct qr_page_owner *owner);

/*
 * One record of the kernel's page_owner file, for the first allocated block at or after *pfn, which
 * becomes the place to go on.  Returns the length; 0: no more; QR_ENOMEM: buf is too small for the
 * record; QR_EINVAL: page owner is off.
 */
QR_API int64_t qr_page_owner_read(struct quire *q, qr_pfn_t *pfn, char *buf, size_t size);

/* Checking --------------------------------------------------------------------------------- */

/*
 * Verify every numbered invariant (docs/invariants.md lists them) of the whole instance.  Returns
 * 0, or the number of the first broken one, with a sentence in *why.  Takes each zone's lock in
 * turn and all its caches' locks; exact while others allocate, but slow for them.
 */
QR_API unsigned qr_check(struct quire *q, struct qr_error_text *why);

/* "B4", "F1", ...: how documents and messages cite an invariant. */
QR_API const char *qr_invariant_name(unsigned invariant);

/* Trace points ----------------------------------------------------------------------------- */

enum qr_trace_id {
	QR_TP_MM_PAGE_ALLOC, /* pfn (QR_PFN_NONE: failed), order, gfp, migratetype */
	QR_TP_MM_PAGE_FREE, /* pfn, order */
	QR_TP_MM_PAGE_FREE_BATCHED, /* pfn */
	QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED, /* pfn, order, migratetype, a: percpu_refill */
	QR_TP_MM_PAGE_PCPU_DRAIN, /* pfn, order, migratetype */
	QR_TP_MM_PAGE_ALLOC_EXTFRAG, /* pfn, order, a: fallback order, migratetype,
					b: fallback type, c: change_ownership */
	QR_TP_WATERMARK_BOOST, /* a: zone's node, b: zone type, c: boost in pages */
	QR_TP_KSWAPD_WAKE, /* a: node, order, b: highest zone */
	QR_TP_SLOWPATH_STAGE, /* order, gfp, a: enum qr_slowpath_stage */
	QR_TP_WMARK_FAIL, /* order, a: node, b: zone type, c: watermark index */
	QR_NR_TRACE_POINTS
};

enum qr_slowpath_stage {
	QR_SLOW_ENTER,
	QR_SLOW_KSWAPD,
	QR_SLOW_FREELIST,
	QR_SLOW_COMPACT_ASYNC,
	QR_SLOW_RECLAIM,
	QR_SLOW_UNRESERVE,
	QR_SLOW_COMPACT,
	QR_SLOW_RETRY,
	QR_SLOW_RESTART,
	QR_SLOW_OOM,
	QR_SLOW_NOFAIL,
	QR_SLOW_FAILED,
	QR_NR_SLOW_STAGES
};

struct qr_trace_event {
	enum qr_trace_id id;
	qr_pfn_t pfn;
	unsigned order;
	qr_gfp_t gfp;
	enum qr_migratetype migratetype;
	int64_t a, b, c;
};

/*
 * Call event for each trace point that mask names (bit id) from now on; NULL ends it.
 * The callback runs in whatever context the event happens in, maybe under a zone's lock: it must
 * not wait and not call the instance.
 */
QR_API void qr_trace_set(struct quire *q,
			 void (*event)(void *ctx, const struct qr_trace_event *event), void *ctx,
			 uint64_t mask);
/* "mm_page_alloc", ... */
QR_API const char *qr_trace_name(enum qr_trace_id id);
QR_API const char *qr_slowpath_stage_name(enum qr_slowpath_stage stage);

/* gfp as the kernel's traces print it: "GFP_KERNEL|__GFP_ZERO". */
QR_API size_t qr_gfp_print(qr_gfp_t gfp, char *buf, size_t size);

QR_END_DECLS

#endif /* QUIRE_INSPECT_H */
