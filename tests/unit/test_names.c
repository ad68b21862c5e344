/* SPDX-License-Identifier: MIT */
/*
 * test_names.c - what things are called
 */
#include "support.h"

#include "watch/check.h"

/* One name for each value, none twice, and a polite answer beyond the end. */
static void names_check(const char *what, unsigned nr, const char *(*name)(unsigned i))
{
	for (unsigned i = 0; i < nr; i++) {
		if (!name(i) || !name(i)[0] || strcmp(name(i), "?") == 0)
			fail_msg("%s %u has no name", what, i);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(name(i), name(j)) == 0)
				fail_msg("%s %u and %u are both called %s", what, i, j, name(i));
	}
}

static const char *zone_name(unsigned i)
{
	return qr_zone_type_name((enum qr_zone_type)i);
}

static const char *type_name(unsigned i)
{
	return qr_migratetype_name((enum qr_migratetype)i);
}

static const char *event_name(unsigned i)
{
	return qr_vm_event_name((enum qr_vm_event)i);
}

static const char *trace_name(unsigned i)
{
	return qr_trace_name((enum qr_trace_id)i);
}

static const char *stage_name(unsigned i)
{
	return qr_slowpath_stage_name((enum qr_slowpath_stage)i);
}

static void test_every_value_has_its_name(void **state)
{
	(void)state;
	names_check("zone type", QR_NR_ZONES, zone_name);
	names_check("migratetype", QR_MIGRATE_TYPES, type_name);
	names_check("event", QR_NR_VM_EVENTS, event_name);
	names_check("trace point", QR_NR_TRACE_POINTS, trace_name);
	names_check("stage", QR_NR_SLOW_STAGES, stage_name);
}

static void test_beyond_the_end(void **state)
{
	(void)state;
	assert_string_equal(zone_name(QR_NR_ZONES), "?");
	assert_string_equal(zone_name(~0u), "?");
	assert_string_equal(type_name(QR_MIGRATE_TYPES), "?");
	assert_string_equal(trace_name(QR_NR_TRACE_POINTS), "?");
	assert_string_equal(stage_name(QR_NR_SLOW_STAGES), "?");
	assert_null(event_name(QR_NR_VM_EVENTS));
	assert_null(event_name(~0u));
}

static void test_names_are_the_kernels(void **state)
{
	(void)state;
	assert_string_equal(qr_zone_type_name(QR_ZONE_DMA32), "DMA32");
	assert_string_equal(qr_zone_type_name(QR_ZONE_HIGHMEM), "HighMem");
	assert_string_equal(qr_migratetype_name(QR_MIGRATE_HIGHATOMIC), "HighAtomic");
	assert_string_equal(qr_migratetype_name(QR_MIGRATE_ISOLATE), "Isolate");
	assert_string_equal(event_name(QR_EV_PGALLOC + QR_ZONE_NORMAL), "pgalloc_normal");
	assert_string_equal(event_name(QR_EV_ALLOCSTALL + QR_ZONE_HIGHMEM), "allocstall_high");
	assert_string_equal(event_name(QR_EV_PGSKIP + QR_ZONE_DEVICE), "pgskip_device");
	assert_string_equal(event_name(QR_EV_NUMA_OTHER), "numa_other");
	assert_string_equal(qr_trace_name(QR_TP_MM_PAGE_ALLOC_EXTFRAG), "mm_page_alloc_extfrag");
}

/* gfp -------------------------------------------------------------------------------------- */

struct gfp_vector {
	qr_gfp_t gfp;
	const char *text;
};

/* The longer ones were seen in traces of a Linux host. */
static const struct gfp_vector gfp_vectors[] = {
	{0, "none"},
	{QR_GFP_KERNEL, "GFP_KERNEL"},
	{QR_GFP_KERNEL | QR___GFP_ZERO, "GFP_KERNEL|__GFP_ZERO"},
	{QR_GFP_KERNEL_ACCOUNT | QR___GFP_ZERO | QR___GFP_COMP,
	 "GFP_KERNEL_ACCOUNT|__GFP_ZERO|__GFP_COMP"},
	{QR_GFP_HIGHUSER_MOVABLE | QR___GFP_ZERO | QR___GFP_COMP,
	 "GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP"},
	{QR_GFP_HIGHUSER_MOVABLE | QR___GFP_WRITE | QR___GFP_NOWARN | QR___GFP_NORETRY |
		 QR___GFP_COMP,
	 "GFP_HIGHUSER_MOVABLE|__GFP_WRITE|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP"},
	{QR_GFP_NOFS | QR___GFP_HIGHMEM | QR___GFP_MOVABLE | QR___GFP_NOWARN | QR___GFP_NORETRY |
		 QR___GFP_COMP | QR___GFP_HARDWALL,
	 "GFP_NOFS|__GFP_HIGHMEM|__GFP_MOVABLE|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|"
	 "__GFP_HARDWALL"},
	{QR___GFP_RECLAIMABLE | QR___GFP_IO | QR___GFP_FS | QR___GFP_NOWARN | QR___GFP_NORETRY |
		 QR___GFP_COMP | QR___GFP_NOMEMALLOC,
	 "__GFP_RECLAIMABLE|__GFP_IO|__GFP_FS|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|"
	 "__GFP_NOMEMALLOC"},
	{QR_GFP_ATOMIC | QR___GFP_NOWARN | QR___GFP_NORETRY | QR___GFP_COMP,
	 "GFP_ATOMIC|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP"},
	{QR_GFP_NOWAIT | QR___GFP_NORETRY | QR___GFP_COMP | QR___GFP_THISNODE,
	 "GFP_NOWAIT|__GFP_NORETRY|__GFP_COMP|__GFP_THISNODE"},
	{QR_GFP_HIGHUSER | QR___GFP_ACCOUNT, "GFP_HIGHUSER|__GFP_ACCOUNT"},
	{QR_GFP_TRANSHUGE, "GFP_TRANSHUGE"},
	{QR_GFP_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"},
	{QR_GFP_USER, "GFP_USER"},
	{QR_GFP_NOIO, "GFP_NOIO"},
	{QR_GFP_KERNEL | QR_GFP_DMA, "GFP_KERNEL|GFP_DMA"},
	{QR_GFP_DMA32, "GFP_DMA32"},
	{QR___GFP_DIRECT_RECLAIM | QR___GFP_MEMALLOC | QR___GFP_RETRY_MAYFAIL | QR___GFP_NOFAIL,
	 "__GFP_DIRECT_RECLAIM|__GFP_RETRY_MAYFAIL|__GFP_NOFAIL|__GFP_MEMALLOC"},
	{QR___GFP_KSWAPD_RECLAIM | QR___GFP_ZEROTAGS, "__GFP_KSWAPD_RECLAIM|__GFP_ZEROTAGS"},
	{QR___GFP_HIGH | 0x200, "__GFP_HIGH|0x200"},
	{0x1000000, "0x1000000"},
};

static void test_gfp_print(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(gfp_vectors) / sizeof(gfp_vectors[0]); i++) {
		const struct gfp_vector *v = &gfp_vectors[i];
		char text[256], cut[9];

		assert_int_equal(qr_gfp_print(v->gfp, NULL, 0), strlen(v->text));
		assert_int_equal(qr_gfp_print(v->gfp, text, sizeof(text)), strlen(v->text));
		assert_string_equal(text, v->text);
		assert_int_equal(qr_gfp_print(v->gfp, cut, sizeof(cut)), strlen(v->text));
		assert_int_equal(strncmp(cut, v->text, sizeof(cut) - 1), 0);
		assert_true(strlen(cut) < sizeof(cut));
	}
}

/* Every bit of the mask is spelt, and bit by bit. */
static void test_gfp_print_each_bit(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++) {
		qr_gfp_t gfp = (qr_gfp_t)1 << bit;
		char text[64];

		qr_gfp_print(gfp, text, sizeof(text));
		if (gfp & QR_GFP_BITS_MASK)
			assert_non_null(strstr(text, "GFP_"));
		else
			assert_int_equal(strncmp(text, "0x", 2), 0);
		assert_null(strchr(text, '|'));
	}
}

/* Errors and invariants -------------------------------------------------------------------- */

static void test_strerror(void **state)
{
	static const int errors[] = {
		QR_OK,         QR_EPERM,     QR_ENOENT,    QR_ESRCH,  QR_EINTR,  QR_EIO,
		QR_ENXIO,      QR_EAGAIN,    QR_ENOMEM,    QR_EACCES, QR_EFAULT, QR_EBUSY,
		QR_EEXIST,     QR_ENODEV,    QR_EINVAL,    QR_ENOSPC, QR_ERANGE, QR_ENOSYS,
		QR_EOPNOTSUPP, QR_ETIMEDOUT, QR_EHWPOISON,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_string_not_equal(qr_strerror(errors[i]), "Unknown error");
	assert_string_equal(qr_strerror(-9999), "Unknown error");
	assert_string_equal(qr_strerror(1), "Unknown error");
	assert_string_not_equal(qr_strerror(QR_EBUSY), qr_strerror(QR_EAGAIN));
}

static const char *invariant_name(unsigned i)
{
	return qr_invariant_name(qr__invariant_at(i));
}

static void test_invariants(void **state)
{
	unsigned nr = 0;

	(void)state;
	while (qr__invariant_at(nr))
		nr++;
	assert_int_equal(nr, 44);
	names_check("invariant", nr, invariant_name);
	for (unsigned i = 0; i < nr; i++)
		assert_non_null(qr__invariant_rule(qr__invariant_at(i)));
	assert_string_equal(qr_invariant_name(QR_INV_B + 4), "B4");
	assert_string_equal(qr_invariant_name(QR_INV_F1), "F1");
	assert_string_equal(qr_invariant_name(QR_INV_W6), "W6");
	assert_string_equal(qr_invariant_name(QR_INV_D3), "D3");
	assert_string_equal(qr_invariant_name(QR_INV_B + 99), "B?");
	assert_string_equal(qr_invariant_name(0), "?");
	assert_string_equal(qr_invariant_name(QR_INV_W6 + 1), "?");
	assert_null(qr__invariant_rule(0));
}

/* docs/invariants.md has a row for each, in the checker's own words. */
static void test_invariants_are_documented(void **state)
{
	static char doc[65536];
	FILE *file = fopen(QR_TEST_SOURCE_ROOT "/docs/invariants.md", "r");
	size_t length;

	(void)state;
	assert_non_null(file);
	length = fread(doc, 1, sizeof(doc) - 1, file);
	fclose(file);
	doc[length] = 0;
	for (unsigned i = 0; qr__invariant_at(i); i++) {
		char row[256];

		snprintf(row, sizeof(row), "| **%s** | %s", invariant_name(i),
			 qr__invariant_rule(qr__invariant_at(i)));
		if (!strstr(doc, row))
			fail_msg("docs/invariants.md lacks: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_value_has_its_name),
		cmocka_unit_test(test_beyond_the_end),
		cmocka_unit_test(test_names_are_the_kernels),
		cmocka_unit_test(test_gfp_print),
		cmocka_unit_test(test_gfp_print_each_bit),
		cmocka_unit_test(test_strerror),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_invariants_are_documented),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
