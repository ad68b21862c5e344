/* SPDX-License-Identifier: MIT */
/*
 * watch/names.c - what things are called, in the words of the kernel's files and traces
 *
 * Tables only.  A number beyond a table's end is called "?", so that a name can be printed without
 * a check; qr_vm_event_name() answers NULL instead, for loops that run until the end.
 */
#include <quire/inspect.h>

#include "../base/bits.h"
#include "../base/text.h"

#define NAME_AT(table, i) ((size_t)(i) < QR_ARRAY_SIZE(table) && (table)[i] ? (table)[i] : "?")

const char *qr_zone_type_name(enum qr_zone_type type)
{
	static const char *const names[QR_NR_ZONES] = {
		[QR_ZONE_DMA] = "DMA",         [QR_ZONE_DMA32] = "DMA32",
		[QR_ZONE_NORMAL] = "Normal",   [QR_ZONE_HIGHMEM] = "HighMem",
		[QR_ZONE_MOVABLE] = "Movable", [QR_ZONE_DEVICE] = "Device",
	};

	return NAME_AT(names, type);
}

const char *qr_migratetype_name(enum qr_migratetype type)
{
	static const char *const names[QR_MIGRATE_TYPES] = {
		[QR_MIGRATE_UNMOVABLE] = "Unmovable",
		[QR_MIGRATE_MOVABLE] = "Movable",
		[QR_MIGRATE_RECLAIMABLE] = "Reclaimable",
		[QR_MIGRATE_HIGHATOMIC] = "HighAtomic",
		[QR_MIGRATE_CMA] = "CMA",
		[QR_MIGRATE_ISOLATE] = "Isolate",
	};

	return NAME_AT(names, type);
}

/* Events ----------------------------------------------------------------------------------- */

#define PER_ZONE(event, word) \
	[(event) + QR_ZONE_DMA] = word "_dma", [(event) + QR_ZONE_DMA32] = word "_dma32", \
		   [(event) + QR_ZONE_NORMAL] = word "_normal", \
		   [(event) + QR_ZONE_HIGHMEM] = word "_high", \
		   [(event) + QR_ZONE_MOVABLE] = word "_movable", \
		   [(event) + QR_ZONE_DEVICE] = word "_device"

const char *qr_vm_event_name(enum qr_vm_event event)
{
	static const char *const names[QR_NR_VM_EVENTS] = {
		PER_ZONE(QR_EV_PGALLOC, "pgalloc"),
		PER_ZONE(QR_EV_ALLOCSTALL, "allocstall"),
		PER_ZONE(QR_EV_PGSKIP, "pgskip"),
		[QR_EV_PGFREE] = "pgfree",
		[QR_EV_NUMA_HIT] = "numa_hit",
		[QR_EV_NUMA_MISS] = "numa_miss",
		[QR_EV_NUMA_FOREIGN] = "numa_foreign",
		[QR_EV_NUMA_INTERLEAVE] = "numa_interleave",
		[QR_EV_NUMA_LOCAL] = "numa_local",
		[QR_EV_NUMA_OTHER] = "numa_other",
		[QR_EV_PGACTIVATE] = "pgactivate",
		[QR_EV_PGDEACTIVATE] = "pgdeactivate",
		[QR_EV_PGLAZYFREE] = "pglazyfree",
		[QR_EV_PGFAULT] = "pgfault",
		[QR_EV_PGMAJFAULT] = "pgmajfault",
		[QR_EV_PGMIGRATE_SUCCESS] = "pgmigrate_success",
		[QR_EV_PGMIGRATE_FAIL] = "pgmigrate_fail",
		[QR_EV_THP_MIGRATION_SUCCESS] = "thp_migration_success",
		[QR_EV_THP_MIGRATION_FAIL] = "thp_migration_fail",
		[QR_EV_THP_MIGRATION_SPLIT] = "thp_migration_split",
		[QR_EV_COMPACT_MIGRATE_SCANNED] = "compact_migrate_scanned",
		[QR_EV_COMPACT_FREE_SCANNED] = "compact_free_scanned",
		[QR_EV_COMPACT_ISOLATED] = "compact_isolated",
		[QR_EV_COMPACT_STALL] = "compact_stall",
		[QR_EV_COMPACT_FAIL] = "compact_fail",
		[QR_EV_COMPACT_SUCCESS] = "compact_success",
		[QR_EV_COMPACT_DAEMON_WAKE] = "compact_daemon_wake",
		[QR_EV_COMPACT_DAEMON_MIGRATE_SCANNED] = "compact_daemon_migrate_scanned",
		[QR_EV_COMPACT_DAEMON_FREE_SCANNED] = "compact_daemon_free_scanned",
		[QR_EV_HTLB_BUDDY_ALLOC_SUCCESS] = "htlb_buddy_alloc_success",
		[QR_EV_HTLB_BUDDY_ALLOC_FAIL] = "htlb_buddy_alloc_fail",
		[QR_EV_CMA_ALLOC_SUCCESS] = "cma_alloc_success",
		[QR_EV_CMA_ALLOC_FAIL] = "cma_alloc_fail",
		[QR_EV_UNEVICTABLE_PGS_CULLED] = "unevictable_pgs_culled",
		[QR_EV_UNEVICTABLE_PGS_SCANNED] = "unevictable_pgs_scanned",
		[QR_EV_UNEVICTABLE_PGS_RESCUED] = "unevictable_pgs_rescued",
		[QR_EV_UNEVICTABLE_PGS_MLOCKED] = "unevictable_pgs_mlocked",
		[QR_EV_UNEVICTABLE_PGS_MUNLOCKED] = "unevictable_pgs_munlocked",
		[QR_EV_UNEVICTABLE_PGS_CLEARED] = "unevictable_pgs_cleared",
		[QR_EV_UNEVICTABLE_PGS_STRANDED] = "unevictable_pgs_stranded",
		[QR_EV_NUMA_PTE_UPDATES] = "numa_pte_updates",
		[QR_EV_NUMA_HUGE_PTE_UPDATES] = "numa_huge_pte_updates",
		[QR_EV_NUMA_HINT_FAULTS] = "numa_hint_faults",
		[QR_EV_NUMA_HINT_FAULTS_LOCAL] = "numa_hint_faults_local",
		[QR_EV_NUMA_PAGES_MIGRATED] = "numa_pages_migrated",
		[QR_EV_BALLOON_INFLATE] = "balloon_inflate",
		[QR_EV_BALLOON_DEFLATE] = "balloon_deflate",
		[QR_EV_BALLOON_MIGRATE] = "balloon_migrate",
		[QR_EV_KSWAPD_LOW_WMARK_HIT_QUICKLY] = "kswapd_low_wmark_hit_quickly",
		[QR_EV_KSWAPD_HIGH_WMARK_HIT_QUICKLY] = "kswapd_high_wmark_hit_quickly",
		[QR_EV_PAGEOUTRUN] = "pageoutrun",
		[QR_EV_OOM_KILL] = "oom_kill",
		[QR_EV_DROP_PAGECACHE] = "drop_pagecache",
		[QR_EV_DROP_SLAB] = "drop_slab",
	};

	return (size_t)event < QR_NR_VM_EVENTS ? names[event] : NULL;
}

/* Trace points ----------------------------------------------------------------------------- */

const char *qr_trace_name(enum qr_trace_id id)
{
	static const char *const names[QR_NR_TRACE_POINTS] = {
		[QR_TP_MM_PAGE_ALLOC] = "mm_page_alloc",
		[QR_TP_MM_PAGE_FREE] = "mm_page_free",
		[QR_TP_MM_PAGE_FREE_BATCHED] = "mm_page_free_batched",
		[QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED] = "mm_page_alloc_zone_locked",
		[QR_TP_MM_PAGE_PCPU_DRAIN] = "mm_page_pcpu_drain",
		[QR_TP_MM_PAGE_ALLOC_EXTFRAG] = "mm_page_alloc_extfrag",
		[QR_TP_WATERMARK_BOOST] = "watermark_boost",
		[QR_TP_KSWAPD_WAKE] = "kswapd_wake",
		[QR_TP_SLOWPATH_STAGE] = "slowpath_stage",
		[QR_TP_WMARK_FAIL] = "wmark_fail",
	};

	return NAME_AT(names, id);
}

const char *qr_slowpath_stage_name(enum qr_slowpath_stage stage)
{
	static const char *const names[QR_NR_SLOW_STAGES] = {
		[QR_SLOW_ENTER] = "enter",       [QR_SLOW_KSWAPD] = "kswapd",
		[QR_SLOW_FREELIST] = "freelist", [QR_SLOW_COMPACT_ASYNC] = "compact_async",
		[QR_SLOW_RECLAIM] = "reclaim",   [QR_SLOW_UNRESERVE] = "unreserve",
		[QR_SLOW_COMPACT] = "compact",   [QR_SLOW_RETRY] = "retry",
		[QR_SLOW_RESTART] = "restart",   [QR_SLOW_OOM] = "oom",
		[QR_SLOW_NOFAIL] = "nofail",     [QR_SLOW_FAILED] = "failed",
	};

	return NAME_AT(names, stage);
}

/* gfp -------------------------------------------------------------------------------------- */

struct gfp_word {
	qr_gfp_t mask;
	const char *name;
};

/*
 * In the order in which the kernel's traces look for them: composites from the largest on, each
 * taken if all its bits are there, then what is left bit by bit.
 */
static const struct gfp_word gfp_words[] = {
	{QR_GFP_TRANSHUGE, "GFP_TRANSHUGE"},
	{QR_GFP_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"},
	{QR_GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"},
	{QR_GFP_HIGHUSER, "GFP_HIGHUSER"},
	{QR_GFP_USER, "GFP_USER"},
	{QR_GFP_KERNEL_ACCOUNT, "GFP_KERNEL_ACCOUNT"},
	{QR_GFP_KERNEL, "GFP_KERNEL"},
	{QR_GFP_NOFS, "GFP_NOFS"},
	{QR_GFP_ATOMIC, "GFP_ATOMIC"},
	{QR_GFP_NOIO, "GFP_NOIO"},
	{QR_GFP_NOWAIT, "GFP_NOWAIT"},
	{QR_GFP_DMA, "GFP_DMA"},
	{QR_GFP_DMA32, "GFP_DMA32"},
	{QR___GFP_HIGHMEM, "__GFP_HIGHMEM"},
	{QR___GFP_MOVABLE, "__GFP_MOVABLE"},
	{QR___GFP_RECLAIMABLE, "__GFP_RECLAIMABLE"},
	{QR___GFP_HIGH, "__GFP_HIGH"},
	{QR___GFP_IO, "__GFP_IO"},
	{QR___GFP_FS, "__GFP_FS"},
	{QR___GFP_ZERO, "__GFP_ZERO"},
	{QR___GFP_DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM"},
	{QR___GFP_KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM"},
	{QR___GFP_WRITE, "__GFP_WRITE"},
	{QR___GFP_NOWARN, "__GFP_NOWARN"},
	{QR___GFP_RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL"},
	{QR___GFP_NOFAIL, "__GFP_NOFAIL"},
	{QR___GFP_NORETRY, "__GFP_NORETRY"},
	{QR___GFP_MEMALLOC, "__GFP_MEMALLOC"},
	{QR___GFP_COMP, "__GFP_COMP"},
	{QR___GFP_NOMEMALLOC, "__GFP_NOMEMALLOC"},
	{QR___GFP_HARDWALL, "__GFP_HARDWALL"},
	{QR___GFP_THISNODE, "__GFP_THISNODE"},
	{QR___GFP_ACCOUNT, "__GFP_ACCOUNT"},
	{QR___GFP_ZEROTAGS, "__GFP_ZEROTAGS"},
};

size_t qr_gfp_print(qr_gfp_t gfp, char *buf, size_t size)
{
	struct qr_text text = qr__text(buf, size);

	if (gfp == 0)
		qr__text_str(&text, "none");
	for (size_t i = 0; i < QR_ARRAY_SIZE(gfp_words); i++) {
		if ((gfp & gfp_words[i].mask) != gfp_words[i].mask)
			continue;
		qr__text_printf(&text, "%s%s", text.len ? "|" : "", gfp_words[i].name);
		gfp &= ~gfp_words[i].mask;
	}
	if (gfp)
		qr__text_printf(&text, "%s0x%x", text.len ? "|" : "", (unsigned)gfp);
	return text.len;
}

/* Errors ----------------------------------------------------------------------------------- */

const char *qr_strerror(int error)
{
	static const struct {
		int error;
		const char *sentence;
	} table[] = {
		{QR_OK, "Success"},
		{QR_EPERM, "Operation not permitted"},
		{QR_ENOENT, "No such zone, node, CPU or page"},
		{QR_ESRCH, "No such process"},
		{QR_EINTR, "Interrupted"},
		{QR_EIO, "Input/output error"},
		{QR_ENXIO, "Position is beyond the end"},
		{QR_EAGAIN, "Try again"},
		{QR_ENOMEM, "Not enough memory"},
		{QR_EACCES, "Permission denied"},
		{QR_EFAULT, "Bad address"},
		{QR_EBUSY, "Busy"},
		{QR_EEXIST, "Exists already"},
		{QR_ENODEV, "No such device"},
		{QR_EINVAL, "Invalid argument"},
		{QR_ENOSPC, "No space left"},
		{QR_ERANGE, "Out of range"},
		{QR_ENOSYS, "Not implemented"},
		{QR_EOPNOTSUPP, "Not supported"},
		{QR_ETIMEDOUT, "Timed out"},
		{QR_EHWPOISON, "Memory page has a hardware error"},
	};

	for (size_t i = 0; i < QR_ARRAY_SIZE(table); i++)
		if (table[i].error == error)
			return table[i].sentence;
	return "Unknown error";
}
