/* SPDX-License-Identifier: MIT */
/*
 * watch/vmstat.c - /proc/vmstat and a node's numastat, and the tables of statistics behind them
 *
 * The lines and their order are those of Linux 6.12 with all options that matter here: CMA, NUMA,
 * transparent huge pages, compaction, migration, ballooning, swap.
 */
#include "../base/text.h"

#include "stats.h"
#include "walk.h"

/* Zone statistics -------------------------------------------------------------------------- */

static const char *const zone_stats[] = {
	"nr_free_pages",
	"nr_zone_inactive_anon",
	"nr_zone_active_anon",
	"nr_zone_inactive_file",
	"nr_zone_active_file",
	"nr_zone_unevictable",
	"nr_zone_write_pending",
	"nr_mlock",
	"nr_bounce",
	"nr_zspages",
	"nr_free_cma",
	"nr_unaccepted",
};

#define ZONE_STAT_FREE_PAGES 0
#define ZONE_STAT_FREE_CMA 10

const char *qr__zone_stat_name(unsigned i)
{
	return i < QR_ARRAY_SIZE(zone_stats) ? zone_stats[i] : NULL;
}

uint64_t qr__zone_stat(const struct qr_zone *zone, unsigned i)
{
	switch (i) {
	case ZONE_STAT_FREE_PAGES:
		return qr__read(&zone->nr_free_pages);
	case ZONE_STAT_FREE_CMA:
		return qr__read(&zone->nr_free_cma);
	default:
		return 0;
	}
}

/* NUMA statistics -------------------------------------------------------------------------- */

const char *qr__numa_stat_name(unsigned i)
{
	return i <= QR_EV_NUMA_OTHER - QR_EV_NUMA_HIT
		       ? qr_vm_event_name((enum qr_vm_event)(QR_EV_NUMA_HIT + i))
		       : NULL;
}

uint64_t qr__zone_numa_stat(const struct qr_zone *zone, unsigned i)
{
	return qr__zone_event_sum(zone, QR_EV_NUMA_HIT + i);
}

/* Node statistics -------------------------------------------------------------------------- */

static const char *const node_stats[] = {
	"nr_inactive_anon",
	"nr_active_anon",
	"nr_inactive_file",
	"nr_active_file",
	"nr_unevictable",
	"nr_slab_reclaimable",
	"nr_slab_unreclaimable",
	"nr_isolated_anon",
	"nr_isolated_file",
	"workingset_nodes",
	"workingset_refault_anon",
	"workingset_refault_file",
	"workingset_activate_anon",
	"workingset_activate_file",
	"workingset_restore_anon",
	"workingset_restore_file",
	"workingset_nodereclaim",
	"nr_anon_pages",
	"nr_mapped",
	"nr_file_pages",
	"nr_dirty",
	"nr_writeback",
	"nr_writeback_temp",
	"nr_shmem",
	"nr_shmem_hugepages",
	"nr_shmem_pmdmapped",
	"nr_file_hugepages",
	"nr_file_pmdmapped",
	"nr_anon_transparent_hugepages",
	"nr_vmscan_write",
	"nr_vmscan_immediate_reclaim",
	"nr_dirtied",
	"nr_written",
	"nr_throttled_written",
	"nr_kernel_misc_reclaimable",
	"nr_foll_pin_acquired",
	"nr_foll_pin_released",
	"nr_kernel_stack",
	"nr_page_table_pages",
	"nr_sec_page_table_pages",
	"nr_iommu_pages",
	"nr_swapcached",
	"pgpromote_success",
	"pgpromote_candidate",
	"pgdemote_kswapd",
	"pgdemote_direct",
	"pgdemote_khugepaged",
};

const char *qr__node_stat_name(unsigned i)
{
	return i < QR_ARRAY_SIZE(node_stats) ? node_stats[i] : NULL;
}

/* Nothing keeps pages of these kinds yet. */
uint64_t qr__node_stat(const struct qr_node *node, unsigned i)
{
	(void)node, (void)i;
	return 0;
}

/* /proc/vmstat ----------------------------------------------------------------------------- */

static const char *const system_stats[] = {
	"nr_dirty_threshold",
	"nr_dirty_background_threshold",
	"nr_memmap_pages",
	"nr_memmap_boot_pages",
};

/* A line of events: ours, or a name whose events do not happen here. */
struct event_row {
	const char *absent; /* NULL: event counts */
	enum qr_vm_event event;
	bool per_zone; /* one line for each zone type */
};

#define EVENT(e) \
	{ \
		.event = (e) \
	}
#define ZONED(e) \
	{ \
		.event = (e), .per_zone = true \
	}
#define ABSENT(name) \
	{ \
		.absent = (name) \
	}

static const struct event_row event_rows[] = {
	ABSENT("pgpgin"),
	ABSENT("pgpgout"),
	ABSENT("pswpin"),
	ABSENT("pswpout"),
	ZONED(QR_EV_PGALLOC),
	ZONED(QR_EV_ALLOCSTALL),
	ZONED(QR_EV_PGSKIP),
	EVENT(QR_EV_PGFREE),
	EVENT(QR_EV_PGACTIVATE),
	EVENT(QR_EV_PGDEACTIVATE),
	EVENT(QR_EV_PGLAZYFREE),
	EVENT(QR_EV_PGFAULT),
	EVENT(QR_EV_PGMAJFAULT),
	ABSENT("pglazyfreed"),
	ABSENT("pgrefill"),
	ABSENT("pgreuse"),
	ABSENT("pgsteal_kswapd"),
	ABSENT("pgsteal_direct"),
	ABSENT("pgsteal_khugepaged"),
	ABSENT("pgscan_kswapd"),
	ABSENT("pgscan_direct"),
	ABSENT("pgscan_khugepaged"),
	ABSENT("pgscan_direct_throttle"),
	ABSENT("pgscan_anon"),
	ABSENT("pgscan_file"),
	ABSENT("pgsteal_anon"),
	ABSENT("pgsteal_file"),
	ABSENT("zone_reclaim_failed"),
	ABSENT("pginodesteal"),
	ABSENT("slabs_scanned"),
	ABSENT("kswapd_inodesteal"),
	EVENT(QR_EV_KSWAPD_LOW_WMARK_HIT_QUICKLY),
	EVENT(QR_EV_KSWAPD_HIGH_WMARK_HIT_QUICKLY),
	EVENT(QR_EV_PAGEOUTRUN),
	ABSENT("pgrotated"),
	EVENT(QR_EV_DROP_PAGECACHE),
	EVENT(QR_EV_DROP_SLAB),
	EVENT(QR_EV_OOM_KILL),
	EVENT(QR_EV_NUMA_PTE_UPDATES),
	EVENT(QR_EV_NUMA_HUGE_PTE_UPDATES),
	EVENT(QR_EV_NUMA_HINT_FAULTS),
	EVENT(QR_EV_NUMA_HINT_FAULTS_LOCAL),
	EVENT(QR_EV_NUMA_PAGES_MIGRATED),
	EVENT(QR_EV_PGMIGRATE_SUCCESS),
	EVENT(QR_EV_PGMIGRATE_FAIL),
	EVENT(QR_EV_THP_MIGRATION_SUCCESS),
	EVENT(QR_EV_THP_MIGRATION_FAIL),
	EVENT(QR_EV_THP_MIGRATION_SPLIT),
	EVENT(QR_EV_COMPACT_MIGRATE_SCANNED),
	EVENT(QR_EV_COMPACT_FREE_SCANNED),
	EVENT(QR_EV_COMPACT_ISOLATED),
	EVENT(QR_EV_COMPACT_STALL),
	EVENT(QR_EV_COMPACT_FAIL),
	EVENT(QR_EV_COMPACT_SUCCESS),
	EVENT(QR_EV_COMPACT_DAEMON_WAKE),
	EVENT(QR_EV_COMPACT_DAEMON_MIGRATE_SCANNED),
	EVENT(QR_EV_COMPACT_DAEMON_FREE_SCANNED),
	EVENT(QR_EV_HTLB_BUDDY_ALLOC_SUCCESS),
	EVENT(QR_EV_HTLB_BUDDY_ALLOC_FAIL),
	EVENT(QR_EV_CMA_ALLOC_SUCCESS),
	EVENT(QR_EV_CMA_ALLOC_FAIL),
	EVENT(QR_EV_UNEVICTABLE_PGS_CULLED),
	EVENT(QR_EV_UNEVICTABLE_PGS_SCANNED),
	EVENT(QR_EV_UNEVICTABLE_PGS_RESCUED),
	EVENT(QR_EV_UNEVICTABLE_PGS_MLOCKED),
	EVENT(QR_EV_UNEVICTABLE_PGS_MUNLOCKED),
	EVENT(QR_EV_UNEVICTABLE_PGS_CLEARED),
	EVENT(QR_EV_UNEVICTABLE_PGS_STRANDED),
	ABSENT("thp_fault_alloc"),
	ABSENT("thp_fault_fallback"),
	ABSENT("thp_fault_fallback_charge"),
	ABSENT("thp_collapse_alloc"),
	ABSENT("thp_collapse_alloc_failed"),
	ABSENT("thp_file_alloc"),
	ABSENT("thp_file_fallback"),
	ABSENT("thp_file_fallback_charge"),
	ABSENT("thp_file_mapped"),
	ABSENT("thp_split_page"),
	ABSENT("thp_split_page_failed"),
	ABSENT("thp_deferred_split_page"),
	ABSENT("thp_underused_split_page"),
	ABSENT("thp_split_pmd"),
	ABSENT("thp_scan_exceed_none_pte"),
	ABSENT("thp_scan_exceed_swap_pte"),
	ABSENT("thp_scan_exceed_share_pte"),
	ABSENT("thp_split_pud"),
	ABSENT("thp_zero_page_alloc"),
	ABSENT("thp_zero_page_alloc_failed"),
	ABSENT("thp_swpout"),
	ABSENT("thp_swpout_fallback"),
	EVENT(QR_EV_BALLOON_INFLATE),
	EVENT(QR_EV_BALLOON_DEFLATE),
	EVENT(QR_EV_BALLOON_MIGRATE),
	ABSENT("swap_ra"),
	ABSENT("swap_ra_hit"),
	ABSENT("swpin_zero"),
	ABSENT("swpout_zero"),
	ABSENT("ksm_swpin_copy"),
	ABSENT("cow_ksm"),
	ABSENT("zswpin"),
	ABSENT("zswpout"),
	ABSENT("zswpwb"),
	ABSENT("direct_map_level2_splits"),
	ABSENT("direct_map_level3_splits"),
};

static void line(struct qr_text *text, const char *name, uint64_t value)
{
	qr__text_printf(text, "%s %llu\n", name, (unsigned long long)value);
}

static void zone_sums_show(struct qr_text *text, const struct qr_frames *frames,
			   const char *(*name_of)(unsigned i),
			   uint64_t (*value_of)(const struct qr_zone *zone, unsigned i))
{
	const char *name;

	for (unsigned i = 0; (name = name_of(i)) != NULL; i++) {
		const struct qr_zone *zone;
		uint64_t sum = 0;

		qr__for_each_populated_zone(frames, zone)
		{
			sum += value_of(zone, i);
		}
		line(text, name, sum);
	}
}

static void node_sums_show(struct qr_text *text, const struct qr_frames *frames)
{
	const char *name;

	for (unsigned i = 0; (name = qr__node_stat_name(i)) != NULL; i++) {
		uint64_t sum = 0;

		for (unsigned nid = 0; nid < frames->nr_nodes; nid++)
			sum += qr__node_stat(&frames->nodes[nid], i);
		line(text, name, sum);
	}
}

static void event_show(struct qr_text *text, const struct quire *q, const struct qr_frames *frames,
		       const struct event_row *row)
{
	if (row->absent) {
		line(text, row->absent, 0);
		return;
	}
	for (unsigned type = 0; type < (row->per_zone ? QR_NR_ZONES : 1); type++) {
		enum qr_vm_event event = (enum qr_vm_event)(row->event + type);

		if (!row->per_zone || qr__zone_type_exists(frames, (enum qr_zone_type)type))
			line(text, qr_vm_event_name(event), qr_vm_event(q, event));
	}
}

size_t qr_show_vmstat(struct quire *q, char *buf, size_t size)
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);

	zone_sums_show(&text, frames, qr__zone_stat_name, qr__zone_stat);
	zone_sums_show(&text, frames, qr__numa_stat_name, qr__zone_numa_stat);
	node_sums_show(&text, frames);
	for (size_t i = 0; i < QR_ARRAY_SIZE(system_stats); i++)
		line(&text, system_stats[i], 0);
	for (size_t i = 0; i < QR_ARRAY_SIZE(event_rows); i++)
		event_show(&text, q, frames, &event_rows[i]);
	line(&text, "nr_unstable", 0);
	return text.len;
}

/* A node's numastat ------------------------------------------------------------------------ */

size_t qr_show_numastat(struct quire *q, int nid, char *buf, size_t size)
{
	static const char *const names[] = {
		"numa_hit",       "numa_miss",  "numa_foreign",
		"interleave_hit", "local_node", "other_node",
	};
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);

	if (nid < 0 || (unsigned)nid >= frames->nr_nodes)
		return 0;
	for (unsigned i = 0; i < QR_ARRAY_SIZE(names); i++) {
		uint64_t sum = 0;

		for (unsigned type = 0; type < QR_NR_ZONES; type++)
			sum += qr__zone_numa_stat(&qr__node(frames, nid)->zones[type], i);
		line(&text, names[i], sum);
	}
	return text.len;
}
