/* SPDX-License-Identifier: MIT */
/*
 * test_replay.c - a machine whose end is known to the page: the library itself
 *
 * An instance is the machine.  Its trace points are the recorder, its views are the files under
 * /proc; what came of it is written as a recording, and replayed.  A replay that starts from an
 * empty machine has to do just what the machine did: the same frames, the same fallbacks, drains
 * and free blocks.  One that starts in the middle cannot know the order of the free lists, but it
 * has to account for every page.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/replay/replay.h"
#include "engine.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { NR_FRAMES = 32768, DMA32_END = 8192, NR_RESERVED = 300, NR_CPUS = 3, MAX_BLOCKS = 40000 };

struct block {
	struct qr_page *page;
	unsigned order;
	enum frame_class class;
};

static struct machine {
	struct quire *q;
	void *memory;
	size_t size;
	unsigned cpu;
	uint64_t now, run_by;
	struct block blocks[MAX_BLOCKS];
	unsigned nr_blocks;
	uint64_t nr_used, nr_fallbacks, nr_drained, nr_failed;
	struct qtrace_writer *recorder; /* NULL: nobody records */
	char path[64];
	char why[256];
} m;

/* Chance ----------------------------------------------------------------------------------- */

static uint64_t chance;

static uint64_t draw(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

/* QR_TEST_SEED repeats a run. */
static void seed(void)
{
	const char *given = getenv("QR_TEST_SEED");

	chance = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed: QR_TEST_SEED=%llu\n", (unsigned long long)chance);
	chance = chance * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* The machine ------------------------------------------------------------------------------ */

static unsigned machine_cpu(void *ctx)
{
	(void)ctx;
	return m.cpu;
}

static uint64_t machine_now(void *ctx)
{
	(void)ctx;
	return m.now;
}

static void machine_run_by(void *ctx, uint64_t time)
{
	(void)ctx;
	m.run_by = time < m.run_by ? time : m.run_by;
}

static void machine_clock(uint64_t time)
{
	m.now = time;
	if (m.now < m.run_by)
		return;
	m.run_by = UINT64_MAX;
	m.run_by = qr_run_pending(m.q);
}

static void machine_begin(void)
{
	static const struct qr_range ranges[] = {
		{.start_pfn = 0, .nr_pages = NR_RESERVED, .kind = QR_RANGE_RESERVED},
		{.start_pfn = NR_RESERVED, .nr_pages = DMA32_END - NR_RESERVED},
		{.start_pfn = DMA32_END, .nr_pages = NR_FRAMES - DMA32_END},
	};
	struct qr_config config = {
		.ranges = ranges,
		.nr_ranges = 3,
		.zone_limits = {0, DMA32_END, NR_FRAMES, NR_FRAMES},
		.nr_cpus = NR_CPUS,
		.engine = test_engine(),
		.platform = {.cpu_id = machine_cpu,
			     .clock_ns = machine_now,
			     .run_by = machine_run_by},
	};
	struct qr_error_text why;

	seed();
	memset(&m, 0, sizeof(m));
	m.now = SECOND;
	m.run_by = UINT64_MAX;
	snprintf(m.path, sizeof(m.path), P_tmpdir "/quire-replay-%ld.qtrace", (long)getpid());
	assert_int_equal(qr_metadata_size(&config, &m.size, &why), 0);
	m.memory = mmap(NULL, m.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(m.memory != MAP_FAILED);
	assert_int_equal(qr_create(&config, m.memory, m.size, &m.q, &why), 0);
}

static void machine_end(void)
{
	qr_destroy(m.q);
	munmap(m.memory, m.size);
	unlink(m.path);
}

/* The recorder ----------------------------------------------------------------------------- */

static void on_event(void *ctx, const struct qr_trace_event *event)
{
	struct trace_event e = {.time_ns = m.now,
				.pfn = event->pfn,
				.order = (uint8_t)event->order,
				.gfp = event->gfp,
				.migratetype = (uint8_t)event->migratetype,
				.cpu = (uint16_t)m.cpu};

	(void)ctx;
	switch (event->id) {
	case QR_TP_MM_PAGE_ALLOC:
		e.kind = TRACE_ALLOC;
		break;
	case QR_TP_MM_PAGE_FREE:
		e.kind = TRACE_FREE;
		break;
	case QR_TP_MM_PAGE_PCPU_DRAIN:
		e.kind = TRACE_DRAIN;
		m.nr_drained += UINT64_C(1) << event->order;
		break;
	case QR_TP_MM_PAGE_ALLOC_EXTFRAG:
		e.kind = TRACE_EXTFRAG;
		e.fallback_order = (uint8_t)event->a;
		e.fallback_type = (uint8_t)event->b;
		e.change_ownership = (uint8_t)event->c;
		m.nr_fallbacks++;
		break;
	default:
		return;
	}
	assert_int_equal(qtrace_put_event(m.recorder, &e), 0);
}

static void put_view(enum qtrace_when when, const char *name,
		     size_t (*view)(struct quire *q, char *buf, size_t size))
{
	size_t size = view(m.q, NULL, 0);
	char *text = malloc(size + 1);

	assert_non_null(text);
	view(m.q, text, size + 1);
	assert_int_equal(qtrace_put_file(m.recorder, when, name, text, size), 0);
	free(text);
}

static void put_kpageflags(enum qtrace_when when)
{
	static const uint64_t flags[FRAME_NR_CLASSES] = {
		[FRAME_MOVABLE] = KPF_LRU, [FRAME_SLAB] = KPF_SLAB};
	uint64_t *words = calloc(NR_FRAMES, sizeof(*words));

	assert_non_null(words);
	for (qr_pfn_t pfn = 0; pfn < NR_FRAMES; pfn++)
		words[pfn] = qr_kpageflags(m.q, pfn);
	for (unsigned i = 0; i < m.nr_blocks; i++) {
		qr_pfn_t pfn = qr_page_to_pfn(m.q, m.blocks[i].page);

		for (uint64_t k = 0; k < UINT64_C(1) << m.blocks[i].order; k++)
			words[pfn + k] |= flags[m.blocks[i].class];
	}
	assert_int_equal(
		qtrace_put_file(m.recorder, when, "kpageflags", words, NR_FRAMES * sizeof(*words)),
		0);
	free(words);
}

static void put_state(enum qtrace_when when)
{
	put_view(when, "buddyinfo", qr_show_buddyinfo);
	put_view(when, "pagetypeinfo", qr_show_pagetypeinfo);
	put_view(when, "zoneinfo", qr_show_zoneinfo);
	put_view(when, "vmstat", qr_show_vmstat);
	put_kpageflags(when);
}

static void record_begin(void)
{
	struct qtrace_options options = {.level = 1, .overwrite = true};

	assert_int_equal(qtrace_create(m.path, &options, &m.recorder, m.why), 0);
	assert_int_equal(qtrace_task(m.recorder, 1, "test", 4), 0); /* that of all events */
	put_state(QTRACE_BEFORE);
}

static void record_events(bool on)
{
	qr_trace_set(m.q, on ? on_event : NULL, NULL,
		     UINT64_C(1) << QR_TP_MM_PAGE_ALLOC | UINT64_C(1) << QR_TP_MM_PAGE_FREE |
			     UINT64_C(1) << QR_TP_MM_PAGE_PCPU_DRAIN |
			     UINT64_C(1) << QR_TP_MM_PAGE_ALLOC_EXTFRAG);
}

static void record_end(void)
{
	struct qtrace_totals totals;

	put_state(QTRACE_AFTER);
	assert_int_equal(qtrace_finish(m.recorder, &totals, m.why), 0);
	m.recorder = NULL;
}

/* Traffic ---------------------------------------------------------------------------------- */

static const struct {
	qr_gfp_t gfp;
	enum frame_class class;
} kinds[] = {
	{QR_GFP_HIGHUSER_MOVABLE, FRAME_MOVABLE},
	{QR_GFP_HIGHUSER_MOVABLE, FRAME_MOVABLE},
	{QR_GFP_KERNEL, FRAME_OTHER},
	{QR_GFP_KERNEL | QR___GFP_RECLAIMABLE, FRAME_SLAB},
};

static bool take(qr_gfp_t gfp, unsigned order, enum frame_class class)
{
	struct qr_page *page =
		m.nr_blocks < MAX_BLOCKS ? qr_alloc_pages(m.q, gfp | QR___GFP_NOWARN, order) : NULL;

	if (!page)
		return false;
	if (class == FRAME_MOVABLE)
		qr_page_movable_set(m.q, page, true);
	m.blocks[m.nr_blocks++] = (struct block){.page = page, .order = order, .class = class};
	m.nr_used += UINT64_C(1) << order;
	return true;
}

static void give(unsigned i)
{
	m.nr_used -= UINT64_C(1) << m.blocks[i].order;
	qr___free_pages(m.q, m.blocks[i].page, m.blocks[i].order);
	m.blocks[i] = m.blocks[--m.nr_blocks];
}

static void one_request(uint64_t most)
{
	size_t kind = draw() % (sizeof(kinds) / sizeof(kinds[0]));
	unsigned order = draw() % 4 ? 0 : (unsigned)(draw() % 4);

	/* what fails leaves no trace in a replay, but may leave some in the machine */
	if (draw() % 400 == 0 && m.nr_used < NR_FRAMES / 2)
		order = 9;
	m.cpu = (unsigned)(draw() % NR_CPUS);
	machine_clock(m.now + draw() % (2 * MS));
	if (m.nr_blocks && (m.nr_used > most || draw() % 100 < 35))
		give((unsigned)(draw() % m.nr_blocks));
	else
		m.nr_failed += !take(kinds[kind].gfp, order, kinds[kind].class);
}

static void traffic(unsigned nr, uint64_t most)
{
	for (unsigned i = 0; i < nr; i++)
		one_request(most);
}

/* A process ends: much is freed in a row, by one CPU. */
static void exodus(void)
{
	m.cpu = 1;
	while (m.nr_used > NR_FRAMES / 2)
		give(m.nr_blocks - 1);
}

/* The replay ------------------------------------------------------------------------------- */

static struct qtrace trace;
static struct replay_machine recorded;
static struct replay_result result;

static struct model_end {
	struct qr_zone_snapshot normal;
	struct qr_pcp_snapshot pcp[NR_CPUS];
} model_end;

static int look_at_model(void *arg, struct model *model, char *why)
{
	(void)arg, (void)why;
	assert_int_equal(qr_zone_snapshot(model->q, 0, QR_ZONE_NORMAL, &model_end.normal), 0);
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(
			qr_pcp_snapshot(model->q, 0, QR_ZONE_NORMAL, cpu, &model_end.pcp[cpu]), 0);
	return 0;
}

static void replay(void)
{
	struct replay_config config = {.engine = test_engine(), .at_end = look_at_model};

	assert_int_equal(qtrace_open(m.path, &trace), 0);
	if (replay_machine_read(&recorded, &trace) < 0)
		fail_msg("%s", recorded.why);
	if (replay_run(&recorded, &config, &result) < 0)
		fail_msg("%s", result.why);
	assert_int_equal(result.check, 0);
	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		assert_int_equal(result.unplaced[c], 0);
	assert_int_equal(result.machine_fallbacks, m.nr_fallbacks);
	assert_int_equal(result.machine_drains, m.nr_drained);
}

static void replay_forget(void)
{
	replay_result_free(&result);
	replay_machine_free(&recorded);
	qtrace_close(&trace);
}

/* The model did what the machine did, block by block. */
static void assert_same_end(void)
{
	assert_int_equal(m.nr_failed, 0);
	assert_int_equal(result.frames_differ, 0);
	assert_int_equal(result.model_fallbacks, result.machine_fallbacks);
	assert_int_equal(result.model_drains, result.machine_drains);
	assert_int_equal(result.nr_zones, 2);
	for (unsigned z = 0; z < result.nr_zones; z++) {
		const struct replay_zone_end *end = &result.zones[z];

		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			assert_int_equal(end->model_blocks[o], end->machine_blocks[o]);
		for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++)
			assert_int_equal(end->model_types[t], end->machine_types[t]);
		assert_int_equal(end->model_pcp, end->machine_pcp);
	}
	assert_int_equal(result.free_2m.model, result.free_2m.machine);
	assert_int_equal(result.books.difference, 0);
	assert_int_equal(result.books.rest, 0);
}

/* Tests ------------------------------------------------------------------------------------ */

static void test_from_an_empty_machine(void **state)
{
	(void)state;
	machine_begin();
	record_begin();
	record_events(true);
	assert_true(take(QR_GFP_KERNEL, 0, FRAME_OTHER)); /* the model is made at the first event */
	traffic(40000, NR_FRAMES * 9 / 10);
	exodus();
	traffic(1000, NR_FRAMES);
	record_events(false);
	record_end();
	replay();
	if (strcmp(test_engine(), "list") == 0)
		assert_true(m.nr_fallbacks > 10);
	assert_true(m.nr_drained > 1000);
	assert_same_end();
	replay_forget();
	machine_end();
}

/* Buffers before the events, a file after them, and nobody tells. */
static void test_with_a_recorder_in_it(void **state)
{
	enum { BUFFERS = 3000, FILE_PAGES = 700, LARGE_PAGES = 512 + 512 + 128 };
	static const unsigned large[] = {9, 9, 7};
	static struct qr_page *buffers[BUFFERS];
	char text[64];

	(void)state;
	machine_begin();
	record_begin();
	snprintf(text, sizeof(text), "buffer_pages = %d\n", BUFFERS);
	assert_int_equal(qtrace_put_text(m.recorder, "recorder", text), 0);
	m.cpu = 2;
	for (unsigned i = 0; i < BUFFERS; i++)
		buffers[i] = qr_alloc_pages(m.q, QR_GFP_KERNEL, 0);
	record_events(true);
	assert_true(take(QR_GFP_KERNEL, 0, FRAME_OTHER));
	traffic(20000, NR_FRAMES / 2);
	record_events(false);
	m.cpu = 2;
	for (unsigned i = 0; i < 3; i++)
		assert_true(take(QR_GFP_HIGHUSER_MOVABLE | QR___GFP_COMP, large[i], FRAME_MOVABLE));
	for (unsigned i = 0; i < FILE_PAGES; i++)
		assert_true(take(QR_GFP_HIGHUSER_MOVABLE, 0, FRAME_MOVABLE));
	for (unsigned i = 0; i < BUFFERS; i++)
		qr___free_pages(m.q, buffers[i], 0);
	record_end();
	replay();
	assert_int_equal(result.recorder_pages, BUFFERS);
	assert_int_equal(result.outside_pages, LARGE_PAGES + FILE_PAGES);
	assert_int_equal(result.outside_large, LARGE_PAGES);
	assert_same_end();
	replay_forget();
	machine_end();
}

static uint64_t pages_cached_before(void)
{
	uint64_t nr = 0;

	for (unsigned z = 0; z < recorded.before.nr_zones; z++)
		nr += recorded.before.zones[z].pcp_count;
	return nr;
}

static void assert_same_start(void)
{
	for (unsigned z = 0; z < result.nr_zones; z++) {
		const struct state_zone *before = &recorded.before.zones[z];
		const struct replay_zone_end *end = &result.zones[z];

		assert_int_equal(before->type, end->type);
		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			assert_int_equal(end->start_blocks[o], before->blocks[o]);
	}
	assert_int_equal(result.start_free_pages.model, result.start_free_pages.machine);
}

/* Much is in use, caches are full, pageblocks are of all types. */
static void test_from_the_middle(void **state)
{
	const struct replay_books *b = &result.books;

	(void)state;
	machine_begin();
	traffic(30000, NR_FRAMES * 7 / 10);
	record_begin();
	record_events(true);
	traffic(30000, NR_FRAMES * 7 / 10);
	record_events(false);
	record_end();
	replay();
	/* a cache that held more than its limit, by a huge page, cannot be filled like that */
	if (!replay_limits(&recorded, &result).no_room)
		assert_same_start();
	assert_int_equal(b->between, 0);
	assert_int_equal(b->outside, 0);
	assert_int_equal(b->rest, 0);
	assert_int_equal(b->difference, b->waiting + b->unfound);
	assert_true(b->unfound <= 0); /* cached in pageblocks that are full of pages like these */
	assert_true(b->unfound > -(int64_t)pages_cached_before());
	assert_in_range(result.free_2m.model + 8, result.free_2m.machine,
			result.free_2m.machine + 16);
	replay_forget();
	machine_end();
}

/* What lay where in a cache is told by when it leaves; and how large it may get, by zoneinfo. */
static void test_caches_as_they_were(void **state)
{
	const struct state_zone *zone;

	(void)state;
	machine_begin();
	m.cpu = 1;
	for (unsigned i = 0; i < 600; i++)
		assert_true(take(QR_GFP_HIGHUSER_MOVABLE, 0, FRAME_MOVABLE));
	while (m.nr_blocks)
		give(0);
	m.cpu = 0;
	for (unsigned i = 0; i < 40; i++)
		assert_true(take(kinds[i % 4].gfp, 0, kinds[i % 4].class));
	while (m.nr_blocks)
		give((unsigned)(draw() % m.nr_blocks));
	record_begin();
	record_events(true);
	for (unsigned i = 0; i < 40; i++)
		assert_true(take(kinds[i % 4].gfp, 0, kinds[i % 4].class));
	record_events(false);
	record_end();
	replay();
	assert_int_equal(result.frames_differ, 0);
	zone = state_zone(&recorded.before, 0, QR_ZONE_NORMAL);
	assert_non_null(zone);
	assert_in_range(zone->cpu_high[1], model_end.pcp[1].high_min + 1,
			model_end.pcp[1].high_max - 1);
	for (unsigned cpu = 1; cpu < NR_CPUS; cpu++)
		assert_int_equal(model_end.pcp[cpu].high, zone->cpu_high[cpu]);
	assert_int_equal(result.pcp_pages.model,
			 (int64_t)result.pcp_pages.machine + result.books.unfound);
	replay_forget();
	machine_end();
}

/* Free blocks of several pageblocks, of each type as many as pagetypeinfo counts. */
static void test_types_of_free_pageblocks(void **state)
{
	const struct state_zone *zone;

	(void)state;
	machine_begin();
	m.cpu = 0;
	for (unsigned i = 0; i < 5; i++)
		assert_true(take(i % 2 ? kinds[3].gfp : QR_GFP_KERNEL, 10, FRAME_OTHER));
	while (m.nr_blocks)
		give(0);
	assert_true(take(QR_GFP_HIGHUSER_MOVABLE, 0, FRAME_MOVABLE));
	record_begin();
	record_events(true);
	assert_true(take(QR_GFP_HIGHUSER_MOVABLE, 0, FRAME_MOVABLE));
	record_events(false);
	record_end();
	replay();
	zone = state_zone(&recorded.before, 0, QR_ZONE_NORMAL);
	assert_non_null(zone);
	assert_true(zone->type_blocks[QR_MIGRATE_UNMOVABLE][10] >= 3);
	for (unsigned t = 0; t < QR_MIGRATE_PCPTYPES; t++) {
		assert_int_equal(model_end.normal.nr_pageblocks[t], zone->pageblocks[t]);
		for (unsigned o = QR_PAGEBLOCK_ORDER; o < REPLAY_ORDERS; o++)
			assert_int_equal(model_end.normal.nr_blocks_type[t][o],
					 zone->type_blocks[t][o]);
	}
	replay_forget();
	machine_end();
}

/* What is lost between snapshot and events, and in the events, is in the books to the page. */
static void test_books_without_some_events(void **state)
{
	const struct replay_books *b = &result.books;
	struct replay_config config = {.engine = test_engine()};

	(void)state;
	machine_begin();
	traffic(5000, NR_FRAMES / 2);
	record_begin();
	traffic(200, NR_FRAMES / 2);
	record_events(true);
	traffic(5000, NR_FRAMES / 2);
	record_events(false);
	traffic(300, NR_FRAMES / 2);
	record_events(true);
	traffic(5000, NR_FRAMES / 2);
	record_events(false);
	record_end();
	assert_int_equal(qtrace_open(m.path, &trace), 0);
	assert_int_equal(replay_machine_read(&recorded, &trace), 0);
	assert_int_equal(replay_run(&recorded, &config, &result), 0);
	assert_true(result.unplaced[REPLAY_ALLOC_TWICE] + result.unplaced[REPLAY_FREE_UNKNOWN] > 0);
	assert_true(b->outside_known);
	assert_int_equal(b->rest, 0);
	assert_int_equal(b->difference,
			 b->waiting + b->unfound + b->between + b->unplaced + b->outside);
	replay_forget();
	machine_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_an_empty_machine),
		cmocka_unit_test(test_with_a_recorder_in_it),
		cmocka_unit_test(test_from_the_middle),
		list_unit_test(test_caches_as_they_were),
		list_unit_test(test_types_of_free_pageblocks),
		cmocka_unit_test(test_books_without_some_events),
	};

	return test_group_run("replay", tests);
}
