/* SPDX-License-Identifier: MIT */
/*
 * quire/types.h - the words of this library, and the numbers behind them
 *
 * Glossary
 * --------
 *	frame		one base page of physical memory, QR_PAGE_SIZE bytes
 *	pfn		the number of a frame: physical address >> QR_PAGE_SHIFT
 *	page record	struct qr_page, what is known of one frame
 *	order		log2 of a number of frames; a block of order k is 2^k frames that begin at a
 *			multiple of 2^k
 *	pages		always base pages, whatever the order
 *	pageblock	2^QR_PAGEBLOCK_ORDER frames that share one migratetype
 *	migratetype	a promise about a pageblock: what kind of allocation it is meant for
 *	section		2^section_order frames: the unit in which memory is present or not
 *	zone		frames of one node that are good for the same uses
 *	node		memory and CPUs that are near each other
 *	zonelist	the zones an allocation may try, nearest first
 *	range		half-open, [start_pfn, end_pfn)
 *
 * Errors are negative QR_E... values whose numbers are Linux's errno, so they can be printed with
 * strerror() on a hosted system.  0 or a positive result is success.
 */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define QR_BEGIN_DECLS extern "C" {
#define QR_END_DECLS }
#else
#define QR_BEGIN_DECLS
#define QR_END_DECLS
#endif

/* Marks what the shared library exports; everything else stays inside. */
#if defined(__GNUC__)
#define QR_API __attribute__((visibility("default")))
#define QR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define QR_API
#define QR_PRINTF(fmt, args)
#endif

QR_BEGIN_DECLS

/* Geometry ------------------------------------------------------------------------------------- */

/*
 * Fixed when the library is built; a program must be compiled with the same values (pkg-config
 * passes them on).
 */
#ifndef QR_PAGE_SHIFT
#define QR_PAGE_SHIFT 12
#endif
#ifndef QR_PAGEBLOCK_ORDER
#define QR_PAGEBLOCK_ORDER 9
#endif
#ifndef QR_MAX_PAGE_ORDER
#define QR_MAX_PAGE_ORDER 10
#endif

#define QR_PAGE_SIZE (UINT64_C(1) << QR_PAGE_SHIFT)
#define QR_PAGEBLOCK_NR_PAGES (UINT64_C(1) << QR_PAGEBLOCK_ORDER)
#define QR_MAX_ORDER_NR_PAGES (UINT64_C(1) << QR_MAX_PAGE_ORDER)
#define QR_NR_PAGE_ORDERS (QR_MAX_PAGE_ORDER + 1)
#define QR_PAGE_ALLOC_COSTLY_ORDER 3 /* requests above this are allowed to fail */
#define QR_HPAGE_PMD_ORDER QR_PAGEBLOCK_ORDER /* the huge page that the per-CPU caches hold */

#define QR_MAX_NODES 64
#define QR_MAX_CPUS 4096

typedef uint64_t qr_pfn_t;
typedef uint32_t qr_gfp_t;
typedef uint64_t qr_nodemask_t; /* bit n: node n */

#define QR_PFN_NONE (~UINT64_C(0))
#define QR_NODE_NONE (-1)
#define QR_NODEMASK_ALL (~UINT64_C(0))

struct quire; /* an instance; see quire/quire.h */
struct qr_page; /* a page record; see quire/page_alloc.h for what can be asked of one */

/* Errors --------------------------------------------------------------------------------------- */

enum qr_error {
	QR_OK = 0,
	QR_EPERM = -1,
	QR_ENOENT = -2,
	QR_ESRCH = -3,
	QR_EINTR = -4,
	QR_EIO = -5,
	QR_ENXIO = -6,
	QR_EAGAIN = -11,
	QR_ENOMEM = -12,
	QR_EACCES = -13,
	QR_EFAULT = -14,
	QR_EBUSY = -16,
	QR_EEXIST = -17,
	QR_ENODEV = -19,
	QR_EINVAL = -22,
	QR_ENOSPC = -28,
	QR_ERANGE = -34,
	QR_ENOSYS = -38,
	QR_EOPNOTSUPP = -95,
	QR_ETIMEDOUT = -110,
	QR_EHWPOISON = -133,
};

/* A sentence for an error: never NULL, static storage. */
QR_API const char *qr_strerror(int error);

/* Zones, migratetypes, node states ------------------------------------------------------------- */

enum qr_zone_type {
	QR_ZONE_DMA,
	QR_ZONE_DMA32,
	QR_ZONE_NORMAL,
	QR_ZONE_HIGHMEM,
	QR_ZONE_MOVABLE,
	QR_ZONE_DEVICE,
	QR_NR_ZONES
};

enum qr_migratetype {
	QR_MIGRATE_UNMOVABLE,
	QR_MIGRATE_MOVABLE,
	QR_MIGRATE_RECLAIMABLE,
	/* the number of types that per-CPU caches keep and that may merge and mix */
	QR_MIGRATE_PCPTYPES,
	QR_MIGRATE_HIGHATOMIC = QR_MIGRATE_PCPTYPES,
	QR_MIGRATE_CMA,
	QR_MIGRATE_ISOLATE,
	QR_MIGRATE_TYPES
};

enum qr_node_state {
	QR_N_POSSIBLE,
	QR_N_ONLINE,
	QR_N_NORMAL_MEMORY, /* has memory in a zone up to Normal */
	QR_N_HIGH_MEMORY, /* has memory in a zone up to HighMem */
	QR_N_MEMORY, /* has memory, be it only movable */
	QR_N_CPU,
	QR_N_GENERIC_INITIATOR,
	QR_NR_NODE_STATES
};

enum qr_watermark { QR_WMARK_MIN, QR_WMARK_LOW, QR_WMARK_HIGH, QR_WMARK_PROMO, QR_NR_WMARK };

/* "DMA", "DMA32", "Normal", ... and "Unmovable", "Movable", ...: the names the text views use. */
QR_API const char *qr_zone_type_name(enum qr_zone_type type);
QR_API const char *qr_migratetype_name(enum qr_migratetype type);

/* gfp: how an allocation wishes to be served --------------------------------------------------- */

/*
 * Which zone: at most one of DMA, HIGHMEM, DMA32.  MOVABLE with HIGHMEM selects the Movable zone.
 */
#define QR___GFP_DMA ((qr_gfp_t)0x1)
#define QR___GFP_HIGHMEM ((qr_gfp_t)0x2)
#define QR___GFP_DMA32 ((qr_gfp_t)0x4)
/* contents can be moved; at most one of MOVABLE, RECLAIMABLE */
#define QR___GFP_MOVABLE ((qr_gfp_t)0x8)
#define QR___GFP_RECLAIMABLE ((qr_gfp_t)0x10) /* contents can be dropped */
#define QR___GFP_HIGH ((qr_gfp_t)0x20) /* may use half of the reserve below the min watermark */
#define QR___GFP_IO ((qr_gfp_t)0x40) /* reclaim may start I/O */
#define QR___GFP_FS ((qr_gfp_t)0x80) /* reclaim may call into file systems */
#define QR___GFP_ZERO ((qr_gfp_t)0x100) /* contents are zero */
#define QR___GFP_DIRECT_RECLAIM ((qr_gfp_t)0x400) /* the caller may wait and reclaim */
#define QR___GFP_KSWAPD_RECLAIM ((qr_gfp_t)0x800) /* background reclaim may be woken */
#define QR___GFP_WRITE ((qr_gfp_t)0x1000) /* the page will be dirtied soon */
#define QR___GFP_NOWARN ((qr_gfp_t)0x2000) /* failure is not worth a message */
/* try hard, but never invoke the out-of-memory hook */
#define QR___GFP_RETRY_MAYFAIL ((qr_gfp_t)0x4000)
#define QR___GFP_NOFAIL ((qr_gfp_t)0x8000) /* retry for ever; needs DIRECT_RECLAIM */
#define QR___GFP_NORETRY ((qr_gfp_t)0x10000) /* one round of reclaim and compaction */
#define QR___GFP_MEMALLOC ((qr_gfp_t)0x20000) /* all reserves: the caller frees memory soon */
#define QR___GFP_COMP ((qr_gfp_t)0x40000) /* a compound page */
#define QR___GFP_NOMEMALLOC ((qr_gfp_t)0x80000) /* no reserves, whatever else is asked */
#define QR___GFP_HARDWALL ((qr_gfp_t)0x100000) /* obey the task's cpuset strictly */
#define QR___GFP_THISNODE ((qr_gfp_t)0x200000) /* this node or none */
#define QR___GFP_ACCOUNT ((qr_gfp_t)0x400000) /* charge through the charge hook */
#define QR___GFP_ZEROTAGS ((qr_gfp_t)0x800000) /* accepted, without effect */
#define QR_GFP_BITS_MASK ((qr_gfp_t)0xfffdff) /* 0x200 means nothing; it is refused */

#define QR___GFP_RECLAIM (QR___GFP_DIRECT_RECLAIM | QR___GFP_KSWAPD_RECLAIM)
#define QR_GFP_ZONEMASK (QR___GFP_DMA | QR___GFP_HIGHMEM | QR___GFP_DMA32 | QR___GFP_MOVABLE)
#define QR_GFP_MOVABLE_MASK (QR___GFP_MOVABLE | QR___GFP_RECLAIMABLE)

#define QR_GFP_ATOMIC (QR___GFP_HIGH | QR___GFP_KSWAPD_RECLAIM) /* 0x820 */
#define QR_GFP_KERNEL (QR___GFP_RECLAIM | QR___GFP_IO | QR___GFP_FS) /* 0xcc0 */
#define QR_GFP_KERNEL_ACCOUNT (QR_GFP_KERNEL | QR___GFP_ACCOUNT) /* 0x400cc0 */
#define QR_GFP_NOWAIT (QR___GFP_KSWAPD_RECLAIM | QR___GFP_NOWARN) /* 0x2800 */
#define QR_GFP_NOIO (QR___GFP_RECLAIM) /* 0xc00 */
#define QR_GFP_NOFS (QR___GFP_RECLAIM | QR___GFP_IO) /* 0xc40 */
#define QR_GFP_USER (QR_GFP_KERNEL | QR___GFP_HARDWALL) /* 0x100cc0 */
#define QR_GFP_DMA QR___GFP_DMA
#define QR_GFP_DMA32 QR___GFP_DMA32
#define QR_GFP_HIGHUSER (QR_GFP_USER | QR___GFP_HIGHMEM) /* 0x100cc2 */
#define QR_GFP_HIGHUSER_MOVABLE (QR_GFP_HIGHUSER | QR___GFP_MOVABLE) /* 0x100cca */
#define QR_GFP_TRANSHUGE_LIGHT \
	((QR_GFP_HIGHUSER_MOVABLE | QR___GFP_COMP | QR___GFP_NOMEMALLOC | QR___GFP_NOWARN) & \
	 ~QR___GFP_RECLAIM)
#define QR_GFP_TRANSHUGE (QR_GFP_TRANSHUGE_LIGHT | QR___GFP_DIRECT_RECLAIM) /* 0x1c24ca */

QR_END_DECLS

#endif /* QUIRE_TYPES_H */
