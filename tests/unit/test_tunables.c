/* SPDX-License-Identifier: MIT */
/*
 * test_tunables.c - the sysctls: names, ranges, refusals, effects
 */
#include "support.h"

#include "alloc/pcp.h"

static struct test_machine *m;

static void begin(void)
{
	m = test_machine_new();
	test_machine_one_zone(m, UINT64_C(1) << 16);
	test_machine_create(m);
}

static void end(void)
{
	test_machine_free(m);
}

static int64_t get(enum qr_tunable which)
{
	int64_t value = -99;

	assert_int_equal(qr_tunable_get(m->q, which, &value), 0);
	return value;
}

static const struct row {
	enum qr_tunable which;
	const char *name;
	int64_t preset, min, max;
} rows[] = {
	{QR_TUNE_MIN_FREE_KBYTES, "min_free_kbytes", -1, 0, INT32_MAX},
	{QR_TUNE_WATERMARK_BOOST_FACTOR, "watermark_boost_factor", 15000, 0, INT32_MAX},
	{QR_TUNE_WATERMARK_SCALE_FACTOR, "watermark_scale_factor", 10, 1, 3000},
	{QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, "percpu_pagelist_high_fraction", 0, 8, INT32_MAX},
	{QR_TUNE_MIN_UNMAPPED_RATIO, "min_unmapped_ratio", 1, 0, 100},
	{QR_TUNE_MIN_SLAB_RATIO, "min_slab_ratio", 5, 0, 100},
	{QR_TUNE_ZONE_RECLAIM_MODE, "zone_reclaim_mode", 0, 0, 7},
	{QR_TUNE_COMPACTION_PROACTIVENESS, "compaction_proactiveness", 20, 0, 100},
	{QR_TUNE_EXTFRAG_THRESHOLD, "extfrag_threshold", 500, 0, 1000},
	{QR_TUNE_COMPACT_UNEVICTABLE_ALLOWED, "compact_unevictable_allowed", 1, 0, 1},
	{QR_TUNE_STAT_INTERVAL, "stat_interval", 1, 1, INT32_MAX / 1000},
	{QR_TUNE_ENABLE_SOFT_OFFLINE, "enable_soft_offline", 1, 0, 1},
};

#define FOR_EACH_ROW(row) \
	for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++)

static void test_defaults(void **state)
{
	(void)state;
	begin();
	FOR_EACH_ROW(row)
	{
		const struct qr_tunable_info *info = qr_tunable_info(row->which);

		assert_string_equal(info->name, row->name);
		assert_int_equal(info->default_value, row->preset);
		assert_int_equal(info->min, row->min);
		assert_int_equal(info->max, row->max);
		assert_true(info->scalar && info->readable && info->writable);
		assert_true(strlen(info->summary) > 10);
		if (row->preset >= 0)
			assert_int_equal(get(row->which), row->preset);
	}
	assert_int_equal(get(QR_TUNE_MIN_FREE_KBYTES), 2048);
	end();
}

static void test_ranges(void **state)
{
	(void)state;
	begin();
	FOR_EACH_ROW(row)
	{
		int64_t before = get(row->which);

		assert_int_equal(qr_tunable_set(m->q, row->which, row->min - 1), QR_EINVAL);
		assert_int_equal(qr_tunable_set(m->q, row->which, row->max + 1), QR_EINVAL);
		assert_int_equal(qr_tunable_set(m->q, row->which, INT64_MIN), QR_EINVAL);
		assert_int_equal(qr_tunable_set(m->q, row->which, INT64_MAX), QR_EINVAL);
		assert_int_equal(get(row->which), before);
		assert_int_equal(qr_tunable_set(m->q, row->which, row->max), 0);
		assert_int_equal(get(row->which), row->max);
		assert_int_equal(qr_tunable_set(m->q, row->which, row->min), 0);
		assert_int_equal(get(row->which), row->min);
	}
	end();
}

/* A refused value changes nothing that depends on it, either. */
static void test_refusal_changes_nothing(void **state)
{
	uint64_t low, high;
	struct qr_zone *zone;

	(void)state;
	begin();
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	low = qr_zone_watermark(zone, QR_WMARK_LOW);
	high = qr_zone_watermark(zone, QR_WMARK_HIGH);
	qr__write(&zone->watermark_boost, 7);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_SCALE_FACTOR, 0), QR_EINVAL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_WATERMARK_SCALE_FACTOR, 3001), QR_EINVAL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_MIN_FREE_KBYTES, -1), QR_EINVAL);
	assert_int_equal(qr_zone_watermark(zone, QR_WMARK_LOW), low + 7);
	assert_int_equal(qr_zone_watermark(zone, QR_WMARK_HIGH), high + 7);
	qr__write(&zone->watermark_boost, 0);
	end();
}

static void test_A30_high_fraction(void **state)
{
	struct qr_pcp_snapshot before, after;

	(void)state;
	begin();
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 16), 0);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &before);
	for (int64_t value = -1; value < 8; value++) {
		if (value == 0)
			continue;
		assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, value),
				 QR_EINVAL);
		assert_int_equal(get(QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION), 16);
	}
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(after.high_min, 65536 / 16);
	assert_int_equal(after.high_max, 65536 / 16);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION, 0), 0);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &after);
	assert_int_equal(after.high_max, 65536 / 8);
	assert_true(after.high_min < after.high_max);
	end();
}

static void test_marks_change_the_caches(void **state)
{
	struct qr_pcp_snapshot pcp;

	(void)state;
	begin();
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_MIN_FREE_KBYTES, 16384), 0);
	qr_pcp_snapshot(m->q, 0, QR_ZONE_NORMAL, 0, &pcp);
	assert_int_equal(pcp.high_min,
			 qr_zone_watermark(qr_zone_at(m->q, 0, QR_ZONE_NORMAL), QR_WMARK_LOW));
	assert_int_equal(pcp.high_min, 4096 + 1024);
	end();
}

static void test_what_is_no_scalar(void **state)
{
	int64_t value = 5;

	(void)state;
	begin();
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_LOWMEM_RESERVE_RATIO, 1), QR_EINVAL);
	assert_int_equal(qr_tunable_get(m->q, QR_TUNE_LOWMEM_RESERVE_RATIO, &value), QR_EINVAL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_NUMA_ZONELIST_ORDER, 1), QR_EINVAL);
	assert_int_equal(qr_tunable_set(m->q, QR_NR_TUNABLES, 1), QR_EINVAL);
	assert_int_equal(qr_tunable_get(m->q, (enum qr_tunable) - 1, &value), QR_EINVAL);
	assert_int_equal(value, 5);
	assert_null(qr_tunable_info(QR_NR_TUNABLES));
	end();
}

struct kcompactd {
	unsigned wakes;
	unsigned order;
	int nid;
};

static void kcompactd_wake(void *ctx, struct quire *q, int nid, unsigned order,
			   enum qr_zone_type highest)
{
	struct kcompactd *k = ctx;

	(void)q, (void)highest;
	k->wakes++;
	k->order = order;
	k->nid = nid;
}

static void test_compact_memory(void **state)
{
	const struct qr_reclaim_ops ops = {.wake_kcompactd = kcompactd_wake};
	struct kcompactd k = {0};
	int64_t value = 5;

	(void)state;
	begin();
	assert_int_equal(qr_tunable_get(m->q, QR_TUNE_COMPACT_MEMORY, &value), QR_EPERM);
	assert_int_equal(value, 5);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_COMPACT_MEMORY, 1), 0);
	qr_reclaim_ops_set(m->q, &ops, &k);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_COMPACT_MEMORY, 0), QR_EINVAL);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_COMPACT_MEMORY, 2), QR_EINVAL);
	assert_int_equal(k.wakes, 0);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_COMPACT_MEMORY, 1), 0);
	assert_int_equal(k.wakes, 1);
	assert_int_equal(k.nid, 0);
	assert_int_equal(k.order, QR_PAGEBLOCK_ORDER);
	end();
}

static void test_find(void **state)
{
	(void)state;
	for (unsigned i = 0; i < QR_NR_TUNABLES; i++)
		assert_int_equal(qr_tunable_find(qr_tunable_info((enum qr_tunable)i)->name), i);
	assert_int_equal(qr_tunable_find("swappiness"), QR_NR_TUNABLES);
	assert_int_equal(qr_tunable_find(""), QR_NR_TUNABLES);
}

static void test_lowmem_reserve_ratio(void **state)
{
	const int32_t preset[5] = {256, 256, 32, 0, 0};
	const int32_t write[3] = {-4, 0, 1};
	int32_t ratio[6] = {9, 9, 9, 9, 9, 9};

	(void)state;
	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 20);
	test_machine_create(m);
	qr_lowmem_reserve_ratio_get(m->q, ratio);
	assert_memory_equal(ratio, preset, sizeof(preset));
	assert_int_equal(ratio[5], 9);
	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, ratio, 6), QR_EINVAL);
	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, write, 3), 0);
	qr_lowmem_reserve_ratio_get(m->q, ratio);
	assert_int_equal(ratio[0], 0);
	assert_int_equal(ratio[1], 0);
	assert_int_equal(ratio[2], 1);
	assert_int_equal(ratio[3], 0);
	for (unsigned j = 0; j < QR_NR_ZONES; j++)
		assert_int_equal(qr__read(&qr_zone_at(m->q, 0, QR_ZONE_DMA)->lowmem_reserve[j]), 0);
	ratio[0] = 1;
	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, ratio, 1), 0);
	assert_int_equal(qr__read(&qr_zone_at(m->q, 0, QR_ZONE_DMA)->lowmem_reserve[QR_ZONE_DMA32]),
			 qr__read(&qr_zone_at(m->q, 0, QR_ZONE_DMA32)->managed_pages));
	qr_lowmem_reserve_ratio_get(m->q, ratio);
	assert_int_equal(ratio[2], 1);
	end();
}

static bool scarce(enum qr_zone_type type)
{
	return qr__zone_flag(qr_zone_at(m->q, 0, type), QR_ZONE_SCARCE);
}

/* Marks and reserves are in force at once, and not with the next page that comes or goes (Z12). */
static void test_what_makes_a_zone_scarce_says_so(void **state)
{
	const int32_t none[2] = {0, 0}, all[2] = {1, 1};

	(void)state;
	m = test_machine_new();
	test_machine_pc(m, UINT64_C(1) << 20);
	test_machine_create(m);
	assert_false(scarce(QR_ZONE_NORMAL));
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_MIN_FREE_KBYTES, INT32_MAX), 0);
	assert_true(scarce(QR_ZONE_NORMAL));
	test_machine_check(m);
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_MIN_FREE_KBYTES, 1024), 0);
	assert_false(scarce(QR_ZONE_NORMAL));

	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, none, 2), 0);
	assert_false(scarce(QR_ZONE_DMA));
	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, all, 2), 0);
	assert_true(scarce(QR_ZONE_DMA));
	test_machine_check(m);
	assert_int_equal(qr_lowmem_reserve_ratio_set(m->q, none, 2), 0);
	assert_false(scarce(QR_ZONE_DMA));
	end();
}

static void test_numa_zonelist_order(void **state)
{
	(void)state;
	begin();
	assert_int_equal(qr_numa_zonelist_order_set(m->q, "Default"), 0);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, "d"), 0);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, "node"), 0);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, "N"), 0);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, "zone"), QR_EINVAL);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, ""), QR_EINVAL);
	assert_int_equal(qr_numa_zonelist_order_set(m->q, NULL), QR_EINVAL);
	assert_string_equal(qr_numa_zonelist_order_get(m->q), "Node");
	end();
}

static void test_realtime_spares_locked_pages(void **state)
{
	(void)state;
	m = test_machine_new();
	test_machine_one_zone(m, UINT64_C(1) << 16);
	m->config.platform.cpu_model = QR_CPU_RT;
	test_machine_create(m);
	assert_int_equal(get(QR_TUNE_COMPACT_UNEVICTABLE_ALLOWED), 0);
	end();
}

static void test_stat_interval_moves_the_decay(void **state)
{
	(void)state;
	begin();
	/* The first tick is due a second after creation; from then on it is every ten. */
	assert_int_equal(qr_run_pending(m->q), UINT64_C(1000000000));
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_STAT_INTERVAL, 10), 0);
	m->now_ns = UINT64_C(1000000000);
	assert_int_equal(qr_run_pending(m->q), UINT64_C(11000000000));
	assert_int_equal(qr_tunable_set(m->q, QR_TUNE_STAT_INTERVAL, 2), 0);
	assert_int_equal(qr_run_pending(m->q), UINT64_C(3000000000));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_refusal_changes_nothing),
		cmocka_unit_test(test_A30_high_fraction),
		cmocka_unit_test(test_marks_change_the_caches),
		cmocka_unit_test(test_what_is_no_scalar),
		cmocka_unit_test(test_compact_memory),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_lowmem_reserve_ratio),
		cmocka_unit_test(test_what_makes_a_zone_scarce_says_so),
		cmocka_unit_test(test_numa_zonelist_order),
		cmocka_unit_test(test_realtime_spares_locked_pages),
		cmocka_unit_test(test_stat_interval_moves_the_decay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
