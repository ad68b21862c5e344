/* SPDX-License-Identifier: MIT */
/*
 * test_views.c - the text views, byte for byte
 *
 * Two kinds of tests: whole texts of small machines, worked out by hand from the formulas (the long
 * ones are in tests/data/views); and the shape of each line against excerpts of a Linux host's
 * files, in tests/data/linux.
 */
#include "hoard.h"

#include <ctype.h>

#include "alloc/allocator.h"

typedef size_t show_fn(struct quire *q, char *buf, size_t size);

static char text[1 << 16];

static const char *shown(struct test_machine *m, show_fn *show)
{
	size_t length = show(m->q, text, sizeof(text));

	assert_true(length < sizeof(text));
	assert_int_equal(strlen(text), length);
	return text;
}

static char *data_file(const char *name)
{
	char path[512];
	char *data = calloc(1, 1 << 16);
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/%s", QR_TEST_SOURCE_ROOT, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	assert_non_null(data);
	assert_true(fread(data, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	return data;
}

/* Compare line by line, so that a failure shows the line and not the whole. */
static void lines_equal(const char *is, const char *should_be)
{
	for (unsigned line = 1; *is || *should_be; line++) {
		int is_length = (int)strcspn(is, "\n"), be_length = (int)strcspn(should_be, "\n");

		if (is_length != be_length || strncmp(is, should_be, (size_t)is_length) != 0)
			fail_msg("line %u is\n\"%.*s\", should be\n\"%.*s\"", line, is_length, is,
				 be_length, should_be);
		is += is_length + (is[is_length] == '\n');
		should_be += be_length + (should_be[be_length] == '\n');
	}
}

/*
 * A PC of 32 MiB: frames 0 to 159, a hole up to 1 MiB, RAM up to 32 MiB.  So zone DMA has
 * [0, 160) and [256, 4096), DMA32 [4096, 8192), and Normal, Movable and Device have nothing.
 */
static struct test_machine *small_pc(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_pc(m, 160 + 8192 - 256);
	m->config.nr_cpus = 2;
	test_machine_create(m);
	return m;
}

/* buddyinfo -------------------------------------------------------------------------------- */

static void test_buddyinfo(void **state)
{
	struct test_machine *m = small_pc();
	struct qr_page *page;

	(void)state;
	lines_equal(shown(m, qr_show_buddyinfo),
		    "Node 0, zone      DMA      0      0      0      0      0      1      0      1 "
		    "     1      1      3 \n"
		    "Node 0, zone    DMA32      0      0      0      0      0      0      0      0 "
		    "     0      0      4 \n");

	/* Out of the middle of a block of order 10: a half of each order remains. */
	assert_int_equal(qr_alloc_pages_at(m->q, 4096 + 512, 4, QR_GFP_KERNEL, &page), 0);
	lines_equal(shown(m, qr_show_buddyinfo),
		    "Node 0, zone      DMA      0      0      0      0      0      1      0      1 "
		    "     1      1      3 \n"
		    "Node 0, zone    DMA32      0      0      0      0      1      1      1      1 "
		    "     1      1      3 \n");
	qr___free_pages(m->q, page, 4);
	test_machine_free(m);
}

/* Numbers that need more than their width push the rest to the right. */
static uint64_t many_blocks(const struct qr_zone *zone, unsigned order)
{
	(void)zone;
	return order == 0 ? 12345678 : order;
}

static uint64_t many_blocks_type(const struct qr_zone *zone, unsigned order,
				 enum qr_migratetype type)
{
	static const uint64_t nr[] = {99999, 100000, 12345678};

	(void)zone;
	return type == QR_MIGRATE_MOVABLE && order < 3 ? nr[order] : 0;
}

static void test_large_numbers(void **state)
{
	struct test_machine *m = test_machine_new();
	const struct qr_buddy_ops *real;
	struct qr_buddy_ops ops;
	struct qr_zone *zone;

	(void)state;
	test_machine_one_zone(m, 4096);
	test_machine_create(m);
	zone = qr_zone_at(m->q, 0, QR_ZONE_NORMAL);
	real = zone->ops;
	ops = *real;
	ops.nr_blocks_racy = many_blocks;
	ops.nr_blocks_type_racy = many_blocks_type;
	zone->ops = &ops;
	lines_equal(
		shown(m, qr_show_buddyinfo),
		"Node 0, zone   Normal 12345678      1      2      3      4      5      6      7 "
		"     8      9     10 \n");
	/* Counting of one type's blocks stops at 100000. */
	assert_non_null(
		strstr(shown(m, qr_show_pagetypeinfo),
		       "\nNode    0, zone   Normal, type      Movable  99999 >100000 >100000 "
		       "     0      0 "));
	zone->ops = real;
	test_machine_free(m);
}

/* Each type has its letter. */
static uint64_t one_block_type(const struct qr_zone *zone, unsigned order, enum qr_migratetype type)
{
	(void)zone, (void)order, (void)type;
	return 1;
}

static void test_letters_of_types(void **state)
{
	struct test_machine *m = small_pc();
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_DMA32);
	const struct qr_buddy_ops *real = zone->ops;
	struct qr_buddy_ops ops = *real;

	(void)state;
	ops.nr_blocks_type_racy = one_block_type;
	zone->ops = &ops;
	assert_non_null(strstr(shown(m, qr_show_free_areas), " 4*4096kB (UMEHCI) = 16384kB\n"));
	zone->ops = real;
	test_machine_free(m);
}

static void test_free_areas(void **state)
{
	struct test_machine *m = small_pc();
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_DMA32);
	struct qr_page *page;
	unsigned long irqs;

	(void)state;
	lines_equal(shown(m, qr_show_free_areas),
		    "Node 0 DMA: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 1*128kB (M) 0*256kB 1*512kB (M) "
		    "1*1024kB (M) 1*2048kB (M) 3*4096kB (M) = 16000kB\n"
		    "Node 0 DMA32: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB "
		    "0*1024kB 0*2048kB 4*4096kB (M) = 16384kB\n");

	/* An isolated pageblock's blocks are there, with a letter of their own. */
	assert_int_equal(qr_set_pageblock_migratetype(m->q, 4096 + 1024, QR_MIGRATE_UNMOVABLE), 0);
	assert_int_equal(qr_alloc_pages_at(m->q, 4096 + 2048, 9, QR_GFP_KERNEL, &page), 0);
	irqs = qr__zone_lock(zone);
	assert_true(qr_move_freepages_block_isolate(zone, 4096, true));
	qr__bump(&zone->nr_isolate_pageblock, 1);
	qr__zone_unlock(zone, irqs);
	/* Under the bitmap engine, wholly free pageblocks of plain types are MOVABLE. */
	assert_non_null(strstr(shown(m, qr_show_free_areas),
			       test_engine_is("bitmap")
				       ? "Node 0 DMA32: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB "
					 "0*256kB 0*512kB 0*1024kB 3*2048kB (MI) 2*4096kB (M) = "
					 "14336kB\n"
				       : "Node 0 DMA32: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB "
					 "0*256kB 0*512kB 0*1024kB 3*2048kB (MI) 2*4096kB (UM) = "
					 "14336kB\n"));
	qr___free_pages(m->q, page, 9);
	test_machine_free(m);
}

/* pagetypeinfo ----------------------------------------------------------------------------- */

static void test_pagetypeinfo(void **state)
{
	struct test_machine *m = small_pc();
	char *golden = data_file("views/pagetypeinfo");

	(void)state;
	lines_equal(shown(m, qr_show_pagetypeinfo), golden);
	free(golden);
	test_machine_free(m);
}

/* Each node with memory has a text of its own; a node without has none. */
static void test_pagetypeinfo_of_nodes(void **state)
{
	struct test_machine *m = test_machine_new();
	const char *second;

	(void)state;
	test_machine_nodes(m, 2, 4096);
	m->config.nr_nodes = 3;
	test_machine_create(m);
	shown(m, qr_show_pagetypeinfo);
	second = strstr(text + 1, "Page block order: 9\n");
	assert_non_null(second);
	assert_null(strstr(second + 1, "Page block order"));
	assert_non_null(strstr(second, "Node    1, zone   Normal, type      Movable"));
	assert_null(strstr(second, "Node    0,"));
	assert_non_null(strstr(second, "Node 1, zone   Normal            0            8 "));
	test_machine_free(m);
}

/* zoneinfo --------------------------------------------------------------------------------- */

/*
 * 8096 pages managed: min_free_kbytes = floor(sqrt(32384 * 16)) = 719, 179 pages.  DMA has 4000 of
 * them: min 179 * 4000 / 8096 = 88, and 22 from mark to mark; DMA32 4096: min 90, 22.  DMA keeps
 * 4096 / 256 = 16 pages from requests for higher zones.
 * high_min is half the low mark, as there are two CPUs; a refill lets high grow by the batch.
 */
static void test_zoneinfo(void **state)
{
	struct test_machine *m = small_pc();
	char *golden = data_file("views/zoneinfo");
	struct qr_page *page;

	(void)state;
	test_cpu_set(1);
	page = qr_alloc_pages(m->q, QR_GFP_DMA | QR___GFP_MOVABLE, 0);
	assert_non_null(page);
	qr___free_pages(m->q, page, 0);
	test_cpu_set(0);
	lines_equal(shown(m, qr_show_zoneinfo), golden);
	free(golden);
	test_machine_free(m);
}

static void test_zoneinfo_changes(void **state)
{
	struct test_machine *m = small_pc();
	struct qr_zone *zone = qr_zone_at(m->q, 0, QR_ZONE_DMA);

	(void)state;
	qr__write(&zone->watermark_boost, 512);
	zone->node->kswapd_failures = 15;
	shown(m, qr_show_zoneinfo);
	assert_non_null(strstr(text, "  pages free     4000\n"
				     "        boost    512\n"
				     "        min      600\n"
				     "        low      622\n"
				     "        high     644\n"
				     "        promo    666\n"));
	assert_non_null(strstr(text, "\n  node_unreclaimable:  0\n"));
	zone->node->kswapd_failures = 16;
	shown(m, qr_show_zoneinfo);
	assert_null(strstr(text, "\n  node_unreclaimable:  0\n"));
	assert_non_null(strstr(text, "\n  node_unreclaimable:  1\n"));
	qr__write(&zone->watermark_boost, 0);
	test_machine_free(m);
}

static void test_zoneinfo_without_a_cpu(void **state)
{
	struct test_machine *m = small_pc();

	(void)state;
	assert_int_equal(qr_cpu_dead(m->q, 1), 0);
	shown(m, qr_show_zoneinfo);
	assert_non_null(strstr(text, "    cpu: 0\n"));
	assert_null(strstr(text, "    cpu: 1\n"));
	assert_int_equal(qr_cpu_online(m->q, 1), 0);
	assert_non_null(strstr(shown(m, qr_show_zoneinfo), "    cpu: 1\n"));
	test_machine_free(m);
}

/* Zones of the machine, and the node's statistics where its first memory is. */
static void test_zoneinfo_of_highmem(void **state)
{
	struct test_machine *m = test_machine_new();
	const char *second;

	(void)state;
	test_machine_add(m, 0, 8192, 0);
	test_machine_add(m, (qr_pfn_t)1 << 15, 8192, 1);
	m->config.zone_limits = (struct qr_zone_limits){.dma_end = 1024,
							.dma32_end = 1024,
							.normal_end = (qr_pfn_t)1 << 15,
							.highmem_end = (qr_pfn_t)1 << 16};
	test_machine_create(m);
	shown(m, qr_show_zoneinfo);
	assert_null(strstr(text, "DMA32"));
	second = strstr(text, "Node 1, zone      DMA\n");
	assert_non_null(second);
	assert_null(strstr(text, "Node 1, zone   Normal\n  per-node stats"));
	assert_non_null(strstr(second, "Node 1, zone  HighMem\n  per-node stats"));
	assert_non_null(strstr(text, "Node 0, zone      DMA\n  per-node stats"));
	/* DMA, Normal, HighMem, Movable, Device */
	assert_non_null(strstr(text, "        protection: (0, 28, "));
	test_machine_free(m);
}

/* vmstat ----------------------------------------------------------------------------------- */

static uint64_t vmstat_of(struct test_machine *m, const char *name)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	shown(m, qr_show_vmstat);
	at = strstr(text, line);
	if (!at)
		fail_msg("no line %s", name);
	return strtoull(at + strlen(line), NULL, 10);
}

static void test_vmstat_counts(void **state)
{
	struct test_machine *m = small_pc();
	struct qr_page *page = qr_alloc_pages(m->q, QR_GFP_DMA, 4);
	struct qr_page *single = qr_alloc_pages(m->q, QR_GFP_DMA32, 0);

	(void)state;
	shown(m, qr_show_vmstat);
	assert_int_equal(strncmp(text, "nr_free_pages ", 14), 0);
	assert_int_equal(vmstat_of(m, "nr_zone_inactive_anon"), 0);
	assert_int_equal(vmstat_of(m, "pgalloc_dma"), 16);
	assert_int_equal(vmstat_of(m, "pgalloc_dma32"), 1);
	assert_int_equal(vmstat_of(m, "pgalloc_normal"), 0);
	assert_int_equal(vmstat_of(m, "pgfree"), 0);
	assert_int_equal(vmstat_of(m, "numa_hit"), 2);
	assert_int_equal(vmstat_of(m, "numa_local"), 2);
	assert_null(strstr(text, "pgalloc_high"));
	qr___free_pages(m->q, page, 4);
	qr___free_pages(m->q, single, 0);
	assert_int_equal(vmstat_of(m, "pgfree"), 17);
	shown(m, qr_show_vmstat);
	assert_string_equal(text + strlen(text) - strlen("\nnr_unstable 0\n"), "\nnr_unstable 0\n");
	test_machine_free(m);
}

static void test_vmstat_sums_zones(void **state)
{
	struct test_machine *m = test_machine_new();

	(void)state;
	test_machine_nodes(m, 2, 4096);
	test_machine_create(m);
	shown(m, qr_show_vmstat);
	assert_int_equal(strncmp(text, "nr_free_pages 8192\n", 19), 0);
	test_machine_free(m);
}

/* Two nodes; CPU 0 is on node 0, and asks for memory of both. */
static void test_numastat(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard h;

	(void)state;
	test_machine_nodes(m, 2, 4096);
	test_machine_create(m);
	h = hoard_new(m->q);
	for (unsigned i = 0; i < 3; i++)
		hoard_add(&h, qr_alloc_pages_node(m->q, 0, QR_GFP_KERNEL, i), i);
	hoard_add(&h, qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, 0), 0);
	hoard_add(&h, qr_alloc_pages_node(m->q, 1, QR_GFP_KERNEL, 5), 5);

	qr_show_numastat(m->q, 0, text, sizeof(text));
	lines_equal(text, "numa_hit 3\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
			  "local_node 3\nother_node 0\n");
	qr_show_numastat(m->q, 1, text, sizeof(text));
	lines_equal(text, "numa_hit 2\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
			  "local_node 0\nother_node 2\n");
	assert_int_equal(qr_show_numastat(m->q, 2, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(qr_show_numastat(m->q, -1, text, sizeof(text)), 0);
	for (size_t i = 0; i < h.nr; i++)
		qr___free_pages(m->q, h.entries[i].page, h.entries[i].order);
	free(h.entries);
	test_machine_free(m);
}

/* Memory meant for a full node comes from the other: a miss there, foreign here. */
static void test_numastat_of_a_miss(void **state)
{
	struct test_machine *m = test_machine_new();
	struct hoard h;
	const char *line;
	unsigned nr_missed = 0;

	(void)state;
	test_machine_nodes(m, 2, 4096);
	test_machine_create(m);
	h = hoard_new(m->q);
	while (nr_missed < 6) {
		struct qr_page *page = qr_alloc_pages_node(m->q, 0, QR_GFP_KERNEL, 4);

		hoard_add(&h, page, 4);
		nr_missed += qr_page_to_pfn(m->q, page) >= 4096;
	}
	qr_show_numastat(m->q, 1, text, sizeof(text));
	line = strstr(text, "numa_miss ");
	assert_non_null(line);
	assert_int_equal(strtoul(line + 10, NULL, 10), 6);
	qr_show_numastat(m->q, 0, text, sizeof(text));
	assert_non_null(strstr(text, "numa_miss 0\nnuma_foreign 6\n"));
	assert_int_equal(vmstat_of(m, "numa_miss"), 6);
	assert_int_equal(vmstat_of(m, "numa_foreign"), 6);
	for (size_t i = 0; i < h.nr; i++)
		qr___free_pages(m->q, h.entries[i].page, h.entries[i].order);
	free(h.entries);
	test_machine_free(m);
}

/* Buffers of any size ---------------------------------------------------------------------- */

static void test_sizes_of_buffers(void **state)
{
	static show_fn *const views[] = {
		qr_show_buddyinfo,     qr_show_pagetypeinfo,   qr_show_zoneinfo,   qr_show_vmstat,
		qr_show_extfrag_index, qr_show_unusable_index, qr_show_free_areas,
	};
	struct test_machine *m = small_pc();
	char cut[100];

	(void)state;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		size_t length = views[i](m->q, NULL, 0);

		assert_true(length > 0);
		shown(m, views[i]);
		assert_int_equal(strlen(text), length);
		memset(cut, 'x', sizeof(cut));
		assert_int_equal(views[i](m->q, cut, sizeof(cut) - 1), length);
		assert_int_equal(strlen(cut), sizeof(cut) - 2);
		assert_int_equal(cut[sizeof(cut) - 1], 'x');
		assert_int_equal(strncmp(cut, text, sizeof(cut) - 2), 0);
	}
	test_machine_free(m);
}

/* Against a Linux host ---------------------------------------------------------------------- */

/*
 * The shape of a line: a number becomes #, with as many of them as the field is wide, the blanks
 * before it included, if it is one of a table; a single # if it stands at the end of "name value".
 */
static void shape_of(const char *line, size_t length, bool table, char *shape)
{
	for (size_t i = 0; i < length; i++) {
		size_t blanks = table ? strspn(line + i, " ") : 0;
		size_t digits = strspn(line + i + blanks, "0123456789");
		bool word =
			!blanks && i && (line[i - 1] == '_' || isalnum((unsigned char)line[i - 1]));

		if (!digits || word) {
			*shape++ = line[i];
			continue;
		}
		for (size_t n = 0; n < (table ? blanks + digits : 1); n++)
			*shape++ = '#';
		i += blanks + digits - 1;
	}
	*shape = 0;
}

static bool has_shape(const char *whole, const char *shape, bool table)
{
	char other[512];

	for (; *whole; whole += strcspn(whole, "\n") + 1) {
		shape_of(whole, strcspn(whole, "\n"), table, other);
		if (strcmp(other, shape) == 0)
			return true;
	}
	return false;
}

/* Each line of the host's file has a line of its shape in ours. */
static void shapes_check(const char *theirs, const char *ours, bool table)
{
	for (; *theirs; theirs += strcspn(theirs, "\n") + 1) {
		char shape[512];

		shape_of(theirs, strcspn(theirs, "\n"), table, shape);
		if (!has_shape(ours, shape, table))
			fail_msg("no line like \"%.*s\" (%s)", (int)strcspn(theirs, "\n"), theirs,
				 shape);
	}
}

/* As the host: 24 GiB, 2 CPUs. */
static struct test_machine *host_like(void)
{
	struct test_machine *m = test_machine_new();

	test_machine_pc(m, UINT64_C(24) << 18);
	m->config.nr_cpus = 2;
	m->config.options |= QR_OPT_METADATA_ZEROED;
	test_machine_create(m);
	return m;
}

static void cut_out(char *whole, const char *part)
{
	char *at;

	while ((at = strstr(whole, part)) != NULL)
		memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

static void test_shape_of_buddyinfo(void **state)
{
	struct test_machine *m = host_like();
	char *theirs = data_file("linux/buddyinfo");

	(void)state;
	shapes_check(theirs, shown(m, qr_show_buddyinfo), true);
	free(theirs);
	test_machine_free(m);
}

/* That kernel was built without CMA: it has no such column. */
static void test_shape_of_pagetypeinfo(void **state)
{
	struct test_machine *m = host_like();
	char *theirs = data_file("linux/pagetypeinfo");
	char *column;

	(void)state;
	shown(m, qr_show_pagetypeinfo);
	column = strstr(text, "         CMA      Isolate \n");
	assert_non_null(column);
	for (char *line = column; line; line = strchr(line + 1, '\n')) {
		size_t place = line == column ? 0 : 1 + strcspn(line + 1, "\n") - 26;

		if (strncmp(line + 1, "Node", 4) == 0 || line == column)
			memmove(line + place, line + place + 13, strlen(line + place + 13) + 1);
	}
	shapes_check(theirs, text, true);
	free(theirs);
	test_machine_free(m);
}

/* Lines of newer kernels. */
static const char *const newer_zoneinfo[] = {
	"      nr_free_pages_blocks 3584\n", "      pgpromote_candidate_nrl 0\n",
	"      pgdemote_proactive 0\n",      "      nr_hugetlb   0\n",
	"      nr_balloon_pages 0\n",        "      nr_kernel_file_pages 0\n",
	"              high_min: 20\n",      "              high_max: 240\n",
};

static void test_shape_of_zoneinfo(void **state)
{
	struct test_machine *m = host_like();
	char *theirs = data_file("linux/zoneinfo");

	(void)state;
	for (size_t i = 0; i < sizeof(newer_zoneinfo) / sizeof(newer_zoneinfo[0]); i++) {
		assert_non_null(strstr(theirs, newer_zoneinfo[i]));
		cut_out(theirs, newer_zoneinfo[i]);
	}
	shapes_check(theirs, shown(m, qr_show_zoneinfo), false);
	free(theirs);
	test_machine_free(m);
}

static const char *const newer_vmstat[] = {
	"nr_free_pages_blocks",
	"pgpromote_candidate_nrl",
	"pgdemote_proactive",
	"nr_hugetlb",
	"nr_balloon_pages",
	"nr_kernel_file_pages",
	"pgsteal_proactive",
	"pgscan_proactive",
	"zone_reclaim_success",
	"direct_map_level2_collapses",
	"direct_map_level3_collapses",
};

static bool is_newer(const char *name)
{
	for (size_t i = 0; i < sizeof(newer_vmstat) / sizeof(newer_vmstat[0]); i++)
		if (strcmp(newer_vmstat[i], name) == 0)
			return true;
	return false;
}

/* The host's lines are all there, in the host's order; ours that it lacks are named here. */
static void test_order_of_vmstat(void **state)
{
	static const char *const ours_only[] = {
		"nr_bounce",         "nr_unaccepted",  "nr_writeback_temp",
		"cma_alloc_success", "cma_alloc_fail",
	};
	struct test_machine *m = host_like();
	char *theirs = data_file("linux/vmstat-names"), *name, *rest;
	const char *at = shown(m, qr_show_vmstat);
	unsigned nr_theirs = 0, nr_ours = 0;

	(void)state;
	for (const char *p = at; *p; p++)
		nr_ours += *p == '\n';
	for (name = strtok_r(theirs, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		size_t length = strlen(name);

		if (is_newer(name))
			continue;
		nr_theirs++;
		while (*at && !(strncmp(at, name, length) == 0 && at[length] == ' '))
			at += strcspn(at, "\n") + 1;
		if (!*at)
			fail_msg("%s is missing, or out of order", name);
	}
	assert_int_equal(nr_ours, nr_theirs + sizeof(ours_only) / sizeof(ours_only[0]));
	for (size_t i = 0; i < sizeof(ours_only) / sizeof(ours_only[0]); i++)
		assert_int_equal(vmstat_of(m, ours_only[i]), 0);
	free(theirs);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buddyinfo),
		cmocka_unit_test(test_large_numbers),
		cmocka_unit_test(test_letters_of_types),
		cmocka_unit_test(test_free_areas),
		cmocka_unit_test(test_pagetypeinfo),
		cmocka_unit_test(test_pagetypeinfo_of_nodes),
		cmocka_unit_test(test_zoneinfo),
		cmocka_unit_test(test_zoneinfo_changes),
		cmocka_unit_test(test_zoneinfo_without_a_cpu),
		cmocka_unit_test(test_zoneinfo_of_highmem),
		cmocka_unit_test(test_vmstat_counts),
		cmocka_unit_test(test_vmstat_sums_zones),
		cmocka_unit_test(test_numastat),
		cmocka_unit_test(test_numastat_of_a_miss),
		cmocka_unit_test(test_sizes_of_buffers),
		cmocka_unit_test(test_shape_of_buddyinfo),
		cmocka_unit_test(test_shape_of_pagetypeinfo),
		cmocka_unit_test(test_shape_of_zoneinfo),
		cmocka_unit_test(test_order_of_vmstat),
	};

	return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
