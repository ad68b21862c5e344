/* SPDX-License-Identifier: MIT */
/*
 * quire/page_alloc.h - allocate and free page frames
 *
 * Pages come in blocks of 2^order frames.  A page that was allocated is in use until its last
 * reference is dropped.  A request says with a gfp mask which zones will do, what the contents are
 * for (migratetype) and how hard to try; see quire/types.h.
 *
 *	free  --qr_alloc_pages-->  in use, 1 reference  --qr___free_pages, qr_put_page-->  free
 *
 * The fast path takes a page from the calling CPU's cache.  The slow path wakes background
 * reclaim, compacts and reclaims through the callbacks registered with qr_reclaim_ops_set(), and
 * ends in the out-of-memory callback.
 *
 * Context: a request without QR___GFP_DIRECT_RECLAIM never waits and may be made in any context but
 * from inside a hook; one with it may call the reclaim callbacks.  Frees may be done in any
 * context.
 *
 * Misuse: a free of a page that is not in use, of the wrong order, of a tail page or of something
 * that is not a page of this instance is reported through the log hook and changes nothing; the
 * page in question stays out of circulation.
 */
#ifndef QUIRE_PAGE_ALLOC_H
#define QUIRE_PAGE_ALLOC_H

#include <quire/types.h>

QR_BEGIN_DECLS

struct qr_zone; /* one zone of one node; see qr_zone_at() */

/* Tasks and policies ----------------------------------------------------------------------- */

enum qr_mempolicy_mode {
	QR_MPOL_DEFAULT, /* the local node first */
	QR_MPOL_PREFERRED, /* the first node of the mask, then by distance from it */
	QR_MPOL_BIND, /* only nodes of the mask */
	QR_MPOL_INTERLEAVE, /* the nodes of the mask in turn */
	QR_MPOL_LOCAL, /* as DEFAULT */
	QR_MPOL_PREFERRED_MANY, /* the nodes of the mask by distance, then any */
	QR_MPOL_WEIGHTED_INTERLEAVE /* the nodes of the mask in turn, weight pages at a time */
};

struct qr_mempolicy {
	enum qr_mempolicy_mode mode;
	qr_nodemask_t nodes; /* not empty unless mode is DEFAULT or LOCAL */
	uint8_t weight[QR_MAX_NODES]; /* WEIGHTED_INTERLEAVE: 0 counts as 1 */
};

/* What a task is at the moment: flags of struct qr_task. */
/* frees memory for others: may use all reserves, never reclaims */
#define QR_TASK_MEMALLOC (1u << 0)
#define QR_TASK_MEMALLOC_NOIO (1u << 1) /* scope: requests lose IO and FS */
#define QR_TASK_MEMALLOC_NOFS (1u << 2) /* scope: requests lose FS */
#define QR_TASK_MEMALLOC_PIN (1u << 3) /* scope: requests lose MOVABLE */
#define QR_TASK_INTERRUPT (1u << 4) /* this is no task at all but an interrupt handler */
#define QR_TASK_SOFTIRQ (1u << 5) /* this is a softirq on top of a task */
#define QR_TASK_REALTIME (1u << 6) /* a task with a deadline: may use half of the min reserve */
#define QR_TASK_OOM_VICTIM (1u << 7) /* is being killed to free memory */
#define QR_TASK_FATAL_SIGNAL (1u << 8) /* is about to end: stop retrying */
#define QR_TASK_DUMPCORE (1u << 9) /* never a reason to kill others */
#define QR_TASK_KTHREAD (1u << 10) /* not slowed down by the reclaim throttle */

/* The calling task, as the current_task hook tells it.  All zero: an ordinary task. */
struct qr_task {
	uint32_t flags; /* QR_TASK_* */
	bool cpuset; /* mems_allowed counts */
	qr_nodemask_t mems_allowed; /* the nodes of the task's cpuset */
	uint32_t mems_seq; /* changes whenever mems_allowed does */
	const struct qr_mempolicy *policy; /* NULL: the default */
	uint32_t il_prev; /* interleave: the node served last; kept by the core */
	uint8_t il_weight; /* weighted interleave: pages left on il_prev; kept by the core */
	uint32_t id; /* a number for page owner records */
};

/* Allocate --------------------------------------------------------------------------------- */

/*
 * Allocate 2^order contiguous, aligned frames, as the calling task's policy says.
 *
 * Returns the first page with one reference, or NULL: nothing free that the request may use, or
 * an illegal request (order above QR_MAX_PAGE_ORDER, two zone bits, MOVABLE with RECLAIMABLE, an
 * unknown bit), which is reported through the log hook unless it has NOWARN.
 */
QR_API struct qr_page *qr_alloc_pages(struct quire *q, qr_gfp_t gfp, unsigned order);

/*
 * The same by number: the first frame of the block, QR_PFN_NONE instead of NULL.  For whoever keeps
 * frames by their numbers or addresses and has no use for records: it saves the way from one to the
 * other, a few nanoseconds.  Everything that takes a page takes qr_pfn_to_page() of the number.
 */
QR_API qr_pfn_t qr_alloc_pfn(struct quire *q, qr_gfp_t gfp, unsigned order);

/* As qr_alloc_pages(), near node nid (QR_NODE_NONE: the local one), without regard to policies. */
QR_API struct qr_page *qr_alloc_pages_node(struct quire *q, int nid, qr_gfp_t gfp, unsigned order);

/* The heart of all others: near preferred_nid, from nodes of *nodemask (NULL: any). */
QR_API struct qr_page *qr___alloc_pages(struct quire *q, qr_gfp_t gfp, unsigned order,
					int preferred_nid, const qr_nodemask_t *nodemask);

/*
 * Under a given policy.  il_index: the page's place in an interleaved object, or QR_NO_INTERLEAVE.
 */
#define QR_NO_INTERLEAVE (~UINT64_C(0))
QR_API struct qr_page *qr_alloc_pages_mpol(struct quire *q, qr_gfp_t gfp, unsigned order,
					   const struct qr_mempolicy *policy, uint64_t il_index);

/* A compound page, counted and freed as one whatever its order: a folio. */
QR_API struct qr_page *qr_folio_alloc(struct quire *q, qr_gfp_t gfp, unsigned order);

/*
 * Fill the NULL slots of pages[0..nr) with single pages.  Returns how many slots from the start on
 * hold a page afterwards, those that did before included; fewer than nr when memory is short.
 */
QR_API unsigned qr_alloc_pages_bulk(struct quire *q, qr_gfp_t gfp, int preferred_nid,
				    const qr_nodemask_t *nodemask, unsigned nr,
				    struct qr_page **pages);

/*
 * Just enough single pages for size bytes, contiguous; what the block had beyond that is freed at
 * once.  COMP and HIGHMEM make no sense here: they are reported and ignored.  Free with the same
 * size.
 */
QR_API struct qr_page *qr_alloc_pages_exact(struct quire *q, size_t size, qr_gfp_t gfp);
QR_API void qr_free_pages_exact(struct quire *q, struct qr_page *page, size_t size);

/*
 * The same as addresses; need the page_address hook, and address_to_pfn to free.  HIGHMEM is
 * ignored.  NULL on failure.
 */
QR_API void *qr_get_free_pages(struct quire *q, qr_gfp_t gfp, unsigned order);
QR_API void *qr_get_zeroed_page(struct quire *q, qr_gfp_t gfp);
QR_API void qr_free_pages(struct quire *q, void *address, unsigned order);

/* Free ------------------------------------------------------------------------------------- */

/*
 * Drop one reference to a block of 2^order pages.  If it was the last, the block is free.  If not,
 * and the block is not compound, all but its first page are freed now and that one by whoever
 * drops the last reference.
 */
QR_API void qr___free_pages(struct quire *q, struct qr_page *page, unsigned order);

/* The same by number; one that is not of this instance is reported. */
QR_API void qr_free_pfn(struct quire *q, qr_pfn_t pfn, unsigned order);

/* Drop one reference to each of nr folios or single pages. */
QR_API void qr_free_pages_bulk(struct quire *q, struct qr_page **pages, unsigned nr);

/* Take one more reference; the page must be in use. */
QR_API void qr_get_page(struct quire *q, struct qr_page *page);
/*
 * Take a reference unless the page is free; false: it is.  The first call in a while makes all CPUs
 * take notice, which takes some microseconds; from then on, until nobody has done this for a second
 * or two, frees cost a locked instruction more.  Not for interrupt handlers.
 */
QR_API bool qr_get_page_unless_zero(struct quire *q, struct qr_page *page);
/* Drop a reference to a single page or a folio; true: it was the last and the page is free now. */
QR_API bool qr_put_page(struct quire *q, struct qr_page *page);
QR_API int qr_page_count(const struct quire *q, const struct qr_page *page);

/*
 * Make 2^order single pages, each with one reference, of a block that is not compound.
 * Returns 0 or QR_EINVAL: compound, or not in use.
 */
QR_API int qr_split_page(struct quire *q, struct qr_page *page, unsigned order);

/* A reserved page that is no longer needed (boot data) joins the allocator. */
QR_API int qr_free_reserved_page(struct quire *q, qr_pfn_t pfn);
/*
 * A balloon or such takes pages out of what the watermarks are computed from, or brings back what
 * it took.  0, or QR_EINVAL: not a page of this instance, or more than there is, or was taken.
 */
QR_API int qr_adjust_managed_page_count(struct quire *q, struct qr_page *page, int64_t delta);
/* A reserved, pageblock-aligned pageblock becomes CMA memory: lent to movable allocations. */
QR_API int qr_init_cma_reserved_pageblock(struct quire *q, qr_pfn_t pfn);

/* Exact frames ----------------------------------------------------------------------------- */

/*
 * Take exactly the frames [pfn, pfn + 2^order), as a plain block with one reference: for whoever
 * takes over a machine whose frames are in use already, or must have a certain place.  Watermarks
 * do not count.  gfp may say ZERO or COMP; the rest of it is only remembered by page owner.
 *
 * Returns 0 and sets *page, or
 *	QR_EINVAL	pfn is not a multiple of 2^order, or not all of it is memory of one zone;
 *	QR_EBUSY	a frame of it is not free, or waits in a per-CPU cache: drain and try again.
 */
QR_API int qr_alloc_pages_at(struct quire *q, qr_pfn_t pfn, unsigned order, qr_gfp_t gfp,
			     struct qr_page **page);

/*
 * Give the pageblock around pfn another type, and its free pages with it.  If it lies inside a
 * larger free block, the other pageblocks of that block change with it.
 *
 * Returns 0, or QR_EINVAL: no such pageblock, or a type that is not one of UNMOVABLE, MOVABLE,
 * RECLAIMABLE; QR_EBUSY: it is isolated, CMA or HIGHATOMIC, which only their own calls undo, or
 * it does not lie wholly in its zone.
 */
QR_API int qr_set_pageblock_migratetype(struct quire *q, qr_pfn_t pfn, enum qr_migratetype type);

/* Page fragments --------------------------------------------------------------------------- */

/* Carves small pieces, downwards, out of a page that lives as long as any of its pieces. */
struct qr_page_frag_cache {
	struct qr_page *page;
	unsigned offset;
	unsigned size;
	int bias;
	bool pfmemalloc;
};

/* A piece of size bytes aligned to align (a power of 2); needs page_address.  NULL: no memory. */
QR_API void *qr_page_frag_alloc(struct quire *q, struct qr_page_frag_cache *cache, unsigned size,
				unsigned align, qr_gfp_t gfp);
QR_API void qr_page_frag_free(struct quire *q, void *piece);
/* Let go of what the cache itself holds. */
QR_API void qr_page_frag_cache_drain(struct quire *q, struct qr_page_frag_cache *cache);

/* Pages ------------------------------------------------------------------------------------ */

QR_API qr_pfn_t qr_page_to_pfn(const struct quire *q, const struct qr_page *page);
/* NULL: there is no such frame in this instance, or its section is not online. */
QR_API struct qr_page *qr_pfn_to_page(const struct quire *q, qr_pfn_t pfn);
/* The bytes of a page; NULL where the platform has none. */
QR_API void *qr_page_address(const struct quire *q, const struct qr_page *page);
QR_API unsigned qr_page_nid(const struct quire *q, const struct qr_page *page);
QR_API enum qr_zone_type qr_page_zone_type(const struct quire *q, const struct qr_page *page);
/* The order of a folio; 0 for a single page. */
QR_API unsigned qr_folio_order(const struct quire *q, const struct qr_page *page);
/* Was this page allocated from reserves that are meant for freeing memory? */
QR_API bool qr_page_is_pfmemalloc(const struct quire *q, const struct qr_page *page);
/*
 * The owner of a page in use says whether its contents can be moved elsewhere.  Pages that can
 * count in favour of the movable type when a pageblock is to change hands (see fallback.c).
 */
QR_API void qr_page_movable_set(struct quire *q, struct qr_page *page, bool movable);
/* The type of the pageblock around pfn; QR_MIGRATE_TYPES if there is none. */
QR_API enum qr_migratetype qr_get_pageblock_migratetype(const struct quire *q, qr_pfn_t pfn);

/* Zones, nodes, gfp ------------------------------------------------------------------------ */

/* NULL: no such node. */
QR_API struct qr_zone *qr_zone_at(struct quire *q, int nid, enum qr_zone_type type);

QR_API bool qr_node_state(const struct quire *q, int nid, enum qr_node_state state);
QR_API int qr_node_distance(const struct quire *q, int from, int to);

/* Is this a mask that qr_alloc_pages() takes?  If not, *why (if given) says what is wrong. */
QR_API bool qr_gfp_valid(qr_gfp_t gfp, const char **why);
/* The highest zone a request may use, and the type of its pages. */
QR_API enum qr_zone_type qr_gfp_zone(const struct quire *q, qr_gfp_t gfp);
QR_API enum qr_migratetype qr_gfp_migratetype(const struct quire *q, qr_gfp_t gfp);

/*
 * What requests are cut down to, for the time when nobody can reclaim yet.  Several may set it at
 * once, in any context; one of their masks stays.
 */
QR_API qr_gfp_t qr_gfp_allowed_mask(const struct quire *q);
QR_API void qr_gfp_allowed_mask_set(struct quire *q, qr_gfp_t mask);

/* How a request sees the watermarks; the values are Linux's. */
#define QR_ALLOC_WMARK_MIN 0x00u
#define QR_ALLOC_WMARK_LOW 0x01u
#define QR_ALLOC_WMARK_HIGH 0x02u
#define QR_ALLOC_WMARK_MASK 0x03u
#define QR_ALLOC_NO_WATERMARKS 0x04u
#define QR_ALLOC_OOM 0x08u
#define QR_ALLOC_NON_BLOCK 0x10u
#define QR_ALLOC_MIN_RESERVE 0x20u
#define QR_ALLOC_CPUSET 0x40u
#define QR_ALLOC_CMA 0x80u
#define QR_ALLOC_NOFRAGMENT 0x100u
#define QR_ALLOC_HIGHATOMIC 0x200u
#define QR_ALLOC_KSWAPD 0x800u
#define QR_ALLOC_RESERVES \
	(QR_ALLOC_NON_BLOCK | QR_ALLOC_MIN_RESERVE | QR_ALLOC_HIGHATOMIC | QR_ALLOC_OOM)

/* Would the zone, left with nr_free pages, still have @order for a request above @mark? */
QR_API bool qr___zone_watermark_ok(struct qr_zone *zone, unsigned order, uint64_t mark,
				   enum qr_zone_type highest_zoneidx, unsigned alloc_flags,
				   int64_t nr_free);
QR_API bool qr_zone_watermark_ok(struct qr_zone *zone, unsigned order, uint64_t mark,
				 enum qr_zone_type highest_zoneidx, unsigned alloc_flags);

/* Per-CPU caches --------------------------------------------------------------------------- */

/*
 * A CPU's cache of a zone keeps free blocks of orders 0 to 3 and huge pages, as in Linux; where the
 * engine is bitmap, of all orders up to a pageblock's.  What waits there is free for that CPU, and
 * in no count of the zone's free pages.
 */

/* Give the pages that wait in caches back to their zones: of all CPUs, of the calling one. */
QR_API void qr_drain_all_pages(struct quire *q, struct qr_zone *zone_or_null);
QR_API void qr_drain_local_pages(struct quire *q, struct qr_zone *zone_or_null);

/*
 * Drain a zone's caches and keep them empty until enabled again, so that pages freed meanwhile are
 * seen by the zone at once.  Calls nest from different threads by waiting for each other.
 * Context: task; may wait.
 */
QR_API void qr_zone_pcp_disable(struct qr_zone *zone);
QR_API void qr_zone_pcp_enable(struct qr_zone *zone);

/*
 * Let one CPU's cache hold as many pages as it has learned to elsewhere: for whoever rebuilds a
 * machine that has been running for a while, as a replay does.  The number is brought between the
 * cache's smallest and largest limit, and tuning goes on from there, with no memory of what this
 * CPU took and gave lately; no page is moved by the call.  With engine list the limit is that of
 * the whole cache; with bitmap each of its magazines holds at most a share of it.
 * Returns the limit that the cache has now, or QR_ENOENT: there is no such CPU.
 * Context: any.
 */
QR_API int qr_zone_pcp_high_set(struct qr_zone *zone, unsigned cpu, unsigned pages);

/* Upcalls ---------------------------------------------------------------------------------- */

/* How a round of direct compaction went; the order matters, higher is better. */
enum qr_compact_result {
	QR_COMPACT_NOT_SUITABLE_ZONE,
	QR_COMPACT_SKIPPED,
	QR_COMPACT_DEFERRED,
	QR_COMPACT_NO_SUITABLE_PAGE,
	QR_COMPACT_CONTINUE,
	QR_COMPACT_COMPLETE,
	QR_COMPACT_PARTIAL_SKIPPED,
	QR_COMPACT_CONTENDED,
	QR_COMPACT_SUCCESS
};

enum qr_compact_priority {
	QR_COMPACT_PRIO_SYNC_FULL,
	QR_COMPACT_PRIO_SYNC_LIGHT,
	QR_COMPACT_PRIO_ASYNC
};

enum qr_node_reclaim_result {
	QR_NODE_RECLAIM_NOSCAN = -2,
	QR_NODE_RECLAIM_FULL = -1,
	QR_NODE_RECLAIM_SOME = 0,
	QR_NODE_RECLAIM_SUCCESS = 1
};

/* The request that needs help. */
struct qr_reclaim_request {
	qr_gfp_t gfp;
	unsigned order;
	unsigned alloc_flags;
	enum qr_zone_type highest_zoneidx;
	const qr_nodemask_t *nodemask; /* NULL: any */
	int preferred_nid;
};

/*
 * Who can make memory free.  Each may be NULL: then that help is not to be had.  All are called in
 * task context with no lock held, and may free pages and allocate with QR_TASK_MEMALLOC.
 */
struct qr_reclaim_ops {
	/* Reclaim for this request; the number of pages that came free. */
	uint64_t (*direct_reclaim)(void *ctx, struct quire *q,
				   const struct qr_reclaim_request *req);

	/*
	 * Compact for this request (order > 0).  May leave in *captured a block of that order for
	 * it:  one allocated in the ordinary way, which is freed so that the request can take it.
	 */
	enum qr_compact_result (*direct_compact)(void *ctx, struct quire *q,
						 const struct qr_reclaim_request *req,
						 enum qr_compact_priority priority,
						 struct qr_page **captured);

	/* In the background: reclaim nr pages of one zone; the number that came free. */
	uint64_t (*shrink_zone)(void *ctx, struct quire *q, struct qr_zone *zone, uint64_t nr,
				unsigned priority);

	/* Reclaim on one node before going to a remote one (zone_reclaim_mode). */
	enum qr_node_reclaim_result (*node_reclaim)(void *ctx, struct quire *q, int nid,
						    const struct qr_reclaim_request *req);

	/* How many pages of this zone reclaim could free at most; for the decision to retry. */
	uint64_t (*reclaimable_pages)(void *ctx, struct quire *q, struct qr_zone *zone);

	/* Would compaction of this zone for @order have a chance with @nr_free pages? */
	bool (*compaction_suitable)(void *ctx, struct quire *q, struct qr_zone *zone,
				    unsigned order, uint64_t nr_free);

	/* A zone lacks pages of @order: wake the background compactor.  May not wait. */
	void (*wake_kcompactd)(void *ctx, struct quire *q, int nid, unsigned order,
			       enum qr_zone_type highest_zoneidx);

	/* Is this node within its share of dirty pages?  For requests with WRITE.  May not wait. */
	bool (*node_dirty_ok)(void *ctx, struct quire *q, int nid);

	/* Nothing is left: end something.  True: memory will come free, try again. */
	bool (*out_of_memory)(void *ctx, struct quire *q, const struct qr_reclaim_request *req);
};

/* ops is copied; NULL takes all away.  Context: task, no allocation under way. */
QR_API void qr_reclaim_ops_set(struct quire *q, const struct qr_reclaim_ops *ops, void *ctx);

/* Charging of requests with ACCOUNT, as memory cgroups do. */
struct qr_charge_ops {
	/* 0, or a negative error: the allocation fails.  Context: as the allocation. */
	int (*charge)(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp);
	/* Context: as the free. */
	void (*uncharge)(void *ctx, struct qr_page *page, unsigned order);
};
QR_API void qr_charge_ops_set(struct quire *q, const struct qr_charge_ops *ops, void *ctx);

/* Let chosen allocations fail, as Linux's fail_page_alloc does. */
struct qr_fail_page_alloc {
	unsigned interval; /* every n-th eligible allocation fails; 0: none does */
	uint64_t times; /* so often at most; 0: without limit */
	unsigned min_order; /* only from this order on */
	bool ignore_gfp_highmem; /* spare requests with HIGHMEM */
	bool ignore_gfp_wait; /* spare requests with DIRECT_RECLAIM */
	/* the first so many eligible allocations are spared; interval counts from there */
	uint64_t skip;
};
QR_API void qr_fail_page_alloc_set(struct quire *q, const struct qr_fail_page_alloc *attr);
/* How many eligible allocations there were since qr_fail_page_alloc_set() gave an interval. */
QR_API uint64_t qr_fail_page_alloc_seen(const struct quire *q);

QR_END_DECLS

#endif /* QUIRE_PAGE_ALLOC_H */
