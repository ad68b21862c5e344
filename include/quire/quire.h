/* SPDX-License-Identifier: MIT */
/*
 * quire/quire.h - an instance: describe a machine, create it, tune it, destroy it
 *
 * The caller describes a machine in a struct qr_config, asks how much room the instance needs,
 * provides it, and owns it:
 *
 *	struct qr_config config = { .ranges = ..., .nr_ranges = 1, .nr_cpus = 4 };
 *	struct qr_error_text why;
 *
 *	if (qr_metadata_size(&config, &size, &why) < 0) ...
 *	if (qr_create(&config, zeroed_memory, size, &q, &why) < 0) ...
 *	page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
 *
 * There are no globals: two instances never meet.  A field of the configuration left at zero
 * expresses no wish.  Fields are only ever added at the end of a struct.
 *
 * Context: qr_create() and qr_destroy() are called while nobody else uses the instance; all other
 * functions may be called from any thread unless they say otherwise.
 */
#ifndef QUIRE_QUIRE_H
#define QUIRE_QUIRE_H

#include <quire/page_alloc.h>
#include <quire/platform.h>
#include <quire/types.h>

QR_BEGIN_DECLS

#define QR_VERSION_MAJOR 0
#define QR_VERSION_MINOR 1
#define QR_VERSION_PATCH 0
#define QR_VERSION_STRING "0.1.0"

/* The version of the library in use, to compare with QR_VERSION_STRING of the headers. */
QR_API const char *qr_version(void);

/* Memory ----------------------------------------------------------------------------------- */

/* What a range of memory is. */
enum qr_range_kind {
	QR_RANGE_RAM, /* handed to the allocator */
	/* present, but in use before the instance began: firmware, kernel image */
	QR_RANGE_RESERVED,
	QR_RANGE_DEVICE /* zone Device: page records, but never allocated */
};

/* Physical memory [start_pfn, start_pfn + nr_pages) of one node. */
struct qr_range {
	qr_pfn_t start_pfn;
	uint64_t nr_pages;
	int nid;
	enum qr_range_kind kind;
	bool mirrored; /* for kernelcore=mirror: mirrored ranges stay kernel memory */
	bool hotpluggable; /* for movable_node: a node all of whose ranges are so is movable */
};

/*
 * The upper ends of the zones DMA, DMA32, Normal and HighMem, as pfns.  0 in all: x86-64's limits,
 * 16 MiB, 4 GiB, everything, no HighMem.  Otherwise a zone whose limit equals that of the zone
 * below does not exist, the limits must not decrease, and the last one that is not 0 is taken as
 * the end of memory.
 */
struct qr_zone_limits {
	qr_pfn_t dma_end;
	qr_pfn_t dma32_end;
	qr_pfn_t normal_end;
	qr_pfn_t highmem_end;
};

/* How much memory is to be zone Movable: at most one of the two sizes, in pages or in percent. */
struct qr_movable_config {
	uint64_t kernelcore_pages; /* "kernelcore=": this much is kept out of zone Movable */
	unsigned kernelcore_percent; /* 1..99; 0: not given */
	uint64_t movablecore_pages; /* "movablecore=": this much goes into zone Movable */
	unsigned movablecore_percent;
	bool kernelcore_mirror; /* "kernelcore=mirror": what is not mirrored is Movable */
	bool movable_node; /* "movable_node": hotpluggable ranges are Movable; overrides the rest */
};

/* Tunables --------------------------------------------------------------------------------- */

/* The sysctls of Linux under their own names; see qr_tunable_set() for the ranges. */
enum qr_tunable {
	QR_TUNE_MIN_FREE_KBYTES,
	QR_TUNE_WATERMARK_BOOST_FACTOR,
	QR_TUNE_WATERMARK_SCALE_FACTOR,
	QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION,
	/* an array over the zones; see qr_lowmem_reserve_ratio_set() */
	QR_TUNE_LOWMEM_RESERVE_RATIO,
	QR_TUNE_NUMA_ZONELIST_ORDER, /* a word; see qr_numa_zonelist_order_set() */
	QR_TUNE_MIN_UNMAPPED_RATIO,
	QR_TUNE_MIN_SLAB_RATIO,
	QR_TUNE_ZONE_RECLAIM_MODE,
	QR_TUNE_COMPACT_MEMORY, /* write-only */
	QR_TUNE_COMPACTION_PROACTIVENESS,
	QR_TUNE_EXTFRAG_THRESHOLD,
	QR_TUNE_COMPACT_UNEVICTABLE_ALLOWED,
	QR_TUNE_STAT_INTERVAL, /* seconds */
	QR_TUNE_ENABLE_SOFT_OFFLINE,
	QR_NR_TUNABLES
};

/* One tunable, as a table row: what it is called and which values it takes. */
struct qr_tunable_info {
	const char *name; /* as under /proc/sys/vm */
	const char *summary; /* one line, for help texts */
	int64_t min, max; /* the values it takes; for PERCPU_PAGELIST_HIGH_FRACTION also 0 */
	int64_t default_value; /* -1: computed */
	bool scalar; /* false: an array or a word, with functions of its own */
	bool writable, readable;
};

QR_API const struct qr_tunable_info *qr_tunable_info(enum qr_tunable which);

/* Find a tunable by name; QR_NR_TUNABLES if there is none. */
QR_API enum qr_tunable qr_tunable_find(const char *name);

/*
 * Set or read one scalar tunable.  What depends on it (watermarks, batch sizes) is recomputed
 * before the call returns.
 *
 * Returns 0, or, with nothing changed,
 *	QR_EINVAL	the value is outside the range of qr_tunable_info(), there is no such
 *			tunable, or it is not a scalar;
 *	QR_EPERM	it cannot be written, or cannot be read.
 *
 * Context: task.
 */
QR_API int qr_tunable_set(struct quire *q, enum qr_tunable which, int64_t value);
QR_API int qr_tunable_get(struct quire *q, enum qr_tunable which, int64_t *value);

/*
 * lowmem_reserve_ratio: one value for each zone DMA..Movable (nr <= 5, the rest keeps its value).
 * As in Linux, a value below 1 becomes 0, "no reserve"; there is nothing that is refused but
 * nr > 5 (QR_EINVAL).
 */
QR_API int qr_lowmem_reserve_ratio_set(struct quire *q, const int32_t *ratio, unsigned nr);
QR_API int qr_lowmem_reserve_ratio_get(struct quire *q, int32_t ratio[5]);

/*
 * numa_zonelist_order: accepts a word that begins with d, D, n or N, without effect; else
 * QR_EINVAL.
 */
QR_API int qr_numa_zonelist_order_set(struct quire *q, const char *order);
QR_API const char *qr_numa_zonelist_order_get(struct quire *q); /* "Node" */

/* The machine ------------------------------------------------------------------------------ */

/* Options that are fixed for the life of an instance. */
#define QR_OPT_PAGE_POISON (1u << 0) /* fill freed pages with 0xaa, verify when allocated */
#define QR_OPT_INIT_ON_ALLOC (1u << 1) /* zero all pages when allocated */
#define QR_OPT_INIT_ON_FREE (1u << 2) /* zero all pages when freed */
#define QR_OPT_CHECK_PAGES (1u << 3) /* check page records on every allocation and free */
#define QR_OPT_SHUFFLE (1u << 4) /* shuffle the free lists at the start, and at the highest order */
#define QR_OPT_PAGE_OWNER (1u << 5) /* remember who allocated each page */
#define QR_OPT_DEFERRED_INIT (1u << 6) /* initialise page records only when they are needed */
#define QR_OPT_NO_HUGE_PCP (1u << 7) /* no huge pages in per-CPU caches */
#define QR_OPT_METADATA_ZEROED (1u << 8) /* the memory given to qr_create() is known to be zero */

struct qr_config {
	const struct qr_range *ranges; /* sorted or not; they may not overlap */
	unsigned nr_ranges; /* at least 1 */
	struct qr_zone_limits zone_limits;
	struct qr_movable_config movable;
	unsigned section_order; /* a section is 2^this pages; 0: 15 (128 MiB of 4 KiB pages) */

	unsigned nr_nodes; /* nodes 0..nr_nodes-1 are possible; 0: highest node named, plus 1 */
	qr_nodemask_t generic_initiators; /* nodes that have devices which start memory accesses */
	/* distance[a * nr_nodes + b]; 10 on the diagonal, more elsewhere; NULL: 20 between nodes */
	const uint8_t *distance;

	unsigned nr_cpus; /* CPUs 0..nr_cpus-1; at least 1 */
	const int *cpu_node; /* the node of each CPU; NULL: all on node 0 */
	/* data cache that one CPU may fill; 0: unknown (see per-CPU caches) */
	uint64_t cpu_cache_bytes;

	uint32_t options; /* QR_OPT_* */
	/*
	 * debug_guardpage_minorder: 0..QR_MAX_PAGE_ORDER/2; only the list engine has guard pages,
	 * and has to be named for them
	 */
	unsigned guard_minorder;
	uint64_t seed; /* of the generator behind shuffling; 0: a fixed one */
	/*
	 * Name of the buddy engine.  "bitmap", which NULL stands for: quick, for many CPUs, and
	 * memory heals while it is used.  "list": hands out the blocks that Linux would, in the
	 * same order; the model for replays.
	 */
	const char *engine;
	struct qr_platform platform;
};

/* Why a call was refused: one sentence that says what was wrong, where, and what to do. */
struct qr_error_text {
	char text[192];
};

/*
 * How many bytes an instance of this machine needs, aligned to QR_METADATA_ALIGN.  Page records
 * make up all but a small part; only those of memory that is used are ever touched, so a port
 * may back the room lazily.
 *
 * Returns 0, or QR_EINVAL with a sentence in *why (which may be NULL) for a machine that cannot
 * be: ranges that overlap, are empty, wrap or are misaligned, nodes and CPUs that do not exist,
 * distances that contradict themselves, options that exclude each other.
 */
QR_API int qr_metadata_size(const struct qr_config *config, size_t *size,
			    struct qr_error_text *why);

#define QR_METADATA_ALIGN 4096

/*
 * Make an instance in @memory, @size bytes of it aligned to QR_METADATA_ALIGN.  The memory belongs
 * to the instance until qr_destroy(); the instance frees nothing.  The configuration and what it
 * points to may be forgotten afterwards, but for platform.ctx.
 *
 * Returns 0 and sets *q, or
 *	QR_EINVAL	as for qr_metadata_size(), or the memory is misaligned;
 *	QR_ENOMEM	the memory is smaller than qr_metadata_size() says.
 */
QR_API int qr_create(const struct qr_config *config, void *memory, size_t size, struct quire **q,
		     struct qr_error_text *why);

/* The engines that config.engine can name, from 0 on; the first is the default.  NULL: no more. */
QR_API const char *qr_engine_name(unsigned i);

/* End an instance.  Pages still allocated are forgotten; the memory may be reused afterwards. */
QR_API void qr_destroy(struct quire *q);

/*
 * Do the background work that is due: deferred initialisation, kswapd, decay of the per-CPU
 * caches.  Call it when the run_by hook asked for it, or now and then.
 *
 * Returns the time (of the clock hook) at which there will be more to do, or UINT64_MAX.
 * Context: task; it may run at the same time as everything else, also twice.
 */
QR_API uint64_t qr_run_pending(struct quire *q);

/* Finish deferred initialisation now, as Linux does before user space starts. */
QR_API void qr_page_alloc_init_late(struct quire *q);

/*
 * A CPU stops to exist: its caches are drained and what it counted is kept.  And begins again.
 * Returns 0 (also if it was so already); QR_ENOENT: there is no such CPU; QR_EBUSY: the last one.
 * Context: task; nothing runs on that CPU.
 */
QR_API int qr_cpu_dead(struct quire *q, unsigned cpu);
QR_API int qr_cpu_online(struct quire *q, unsigned cpu);

QR_END_DECLS

#endif /* QUIRE_QUIRE_H */
