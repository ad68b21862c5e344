/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - run a misuse, and see that nothing comes of it
 */
#include "misuse.h"

#include "unit/steps.h"

#define VIEW_SIZE 65536

struct qr_page *misuse_page;
const void *misuse_pointer;

struct machine {
	struct quire *q;
	void *metadata;
	char *bytes;
	unsigned nr_lines;
	char line[512]; /* the first one */
};

void misuse_expect(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "misuse: not so: %s\n", what);
	exit(1);
}

struct qr_page *misuse_record(struct quire *q, qr_pfn_t pfn)
{
	char *first = (char *)qr_pfn_to_page(q, 0);

	return (struct qr_page *)(void *)(first +
					  (ptrdiff_t)pfn * ((char *)qr_pfn_to_page(q, 1) - first));
}

struct qr_page *misuse_behind(struct quire *q, struct qr_page *page, unsigned n)
{
	return misuse_record(q, qr_page_to_pfn(q, page) + n);
}

/* The machine ------------------------------------------------------------------------------ */

static void hook_log(void *ctx, enum qr_log_level level, const char *line)
{
	struct machine *m = ctx;

	(void)level;
	if (m->nr_lines++ == 0)
		snprintf(m->line, sizeof(m->line), "%s", line);
}

static void *hook_page_address(void *ctx, qr_pfn_t pfn)
{
	struct machine *m = ctx;

	return m->bytes + pfn * QR_PAGE_SIZE;
}

static qr_pfn_t hook_address_to_pfn(void *ctx, const void *address)
{
	struct machine *m = ctx;
	uintptr_t offset = (uintptr_t)address - (uintptr_t)m->bytes;

	return offset < MISUSE_PAGES * QR_PAGE_SIZE ? offset / QR_PAGE_SIZE : QR_PFN_NONE;
}

/* Steps of the one CPU's caches: nobody comes between. */
static uint32_t *hook_local_trylock(void *ctx, uint32_t *words, size_t stride)
{
	(void)ctx, (void)stride;
	if (*words)
		return NULL;
	*words = 1;
	return words;
}

static void hook_local_fence(void *ctx)
{
	(void)ctx;
}

static enum qr_local_result hook_local_commit(void *ctx, const struct qr_local_commit *c)
{
	(void)ctx;
	return plain_commit(c, 0) ? QR_LOCAL_DONE : QR_LOCAL_NOT;
}

static void machine_create(struct machine *m, const char *engine, const struct misuse *misuse)
{
	static const struct qr_range ranges[] = {
		{.start_pfn = 0, .nr_pages = MISUSE_RESERVED, .kind = QR_RANGE_RESERVED},
		{.start_pfn = MISUSE_RESERVED, .nr_pages = MISUSE_PAGES - MISUSE_RESERVED},
	};
	struct qr_config config = {
		.ranges = ranges,
		.nr_ranges = 2,
		.nr_cpus = 1,
		.zone_limits = {.normal_end = MISUSE_PAGES},
		.engine = engine,
		.options = misuse ? misuse->options : 0,
		.platform = {.ctx = m, .log = hook_log},
	};
	size_t size = 0;

	*m = (struct machine){.q = NULL};
	if (!misuse || !misuse->no_bytes) {
		config.platform.page_address = hook_page_address;
		config.platform.address_to_pfn = hook_address_to_pfn;
	}
	if (test_steps()) {
		config.platform.local_trylock = hook_local_trylock;
		config.platform.local_fence = hook_local_fence;
		config.platform.local_commit = hook_local_commit;
	}
	m->bytes = aligned_alloc(QR_PAGE_SIZE, MISUSE_PAGES * QR_PAGE_SIZE);
	misuse_expect(m->bytes && qr_metadata_size(&config, &size, NULL) == 0, "a sound machine");
	m->metadata = aligned_alloc(QR_METADATA_ALIGN, size);
	misuse_expect(m->metadata && qr_create(&config, m->metadata, size, &m->q, NULL) == 0,
		      "an instance");
}

static void machine_free(struct machine *m)
{
	qr_destroy(m->q);
	free(m->metadata);
	free(m->bytes);
}

static struct machine other;

struct quire *misuse_other(void)
{
	if (!other.q)
		machine_create(&other, "list", NULL);
	return other.q;
}

/* What must not change --------------------------------------------------------------------- */

struct picture {
	char buddyinfo[VIEW_SIZE], pagetypeinfo[VIEW_SIZE], zoneinfo[VIEW_SIZE], owner[VIEW_SIZE];
	struct qr_frame_info frames[MISUSE_PAGES];
};

static void owners_append(struct quire *q, char *text)
{
	qr_pfn_t pfn = 0;
	size_t used = 0;
	int64_t length;

	while ((length = qr_page_owner_read(q, &pfn, text + used, VIEW_SIZE - used)) > 0)
		used += (size_t)length;
}

static struct picture *picture_take(struct quire *q)
{
	struct picture *p = calloc(1, sizeof(*p));

	misuse_expect(p != NULL, "memory for a picture");
	/* With page owner on, this one drains the caches: first. */
	qr_show_pagetypeinfo(q, p->pagetypeinfo, VIEW_SIZE);
	qr_show_buddyinfo(q, p->buddyinfo, VIEW_SIZE);
	qr_show_zoneinfo(q, p->zoneinfo, VIEW_SIZE);
	owners_append(q, p->owner);
	for (qr_pfn_t pfn = 0; pfn < MISUSE_PAGES; pfn++)
		misuse_expect(qr_frame_info_racy(q, pfn, &p->frames[pfn]) == 0, "a frame");
	return p;
}

static bool frames_equal(const struct qr_frame_info *a, const struct qr_frame_info *b)
{
	return a->state == b->state && a->order == b->order && a->head == b->head &&
	       a->refcount == b->refcount && a->migratetype == b->migratetype;
}

static void pictures_compare(const struct picture *a, const struct picture *b)
{
	misuse_expect(strcmp(a->buddyinfo, b->buddyinfo) == 0, "buddyinfo is as before");
	misuse_expect(strcmp(a->pagetypeinfo, b->pagetypeinfo) == 0, "pagetypeinfo is as before");
	misuse_expect(strcmp(a->zoneinfo, b->zoneinfo) == 0, "zoneinfo is as before");
	misuse_expect(strcmp(a->owner, b->owner) == 0, "owners are as before");
	for (qr_pfn_t pfn = 0; pfn < MISUSE_PAGES; pfn++)
		misuse_expect(frames_equal(&a->frames[pfn], &b->frames[pfn]),
			      "frames are as before");
}

/* What must be said ------------------------------------------------------------------------ */

static void name_put(char *line, size_t size, const char *name, const char *value)
{
	char *at = strstr(line, name);
	char rest[512];

	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(name));
	snprintf(at, size - (size_t)(at - line), "%s%s", value, rest);
}

static void line_compare(const struct machine *m, const char *line)
{
	char expected[512], value[32];

	snprintf(expected, sizeof(expected), "%s", line);
	snprintf(value, sizeof(value), "%#llx",
		 (unsigned long long)(misuse_page ? qr_page_to_pfn(m->q, misuse_page) : 0));
	name_put(expected, sizeof(expected), "<pfn>", value);
	snprintf(value, sizeof(value), "%p", misuse_pointer);
	name_put(expected, sizeof(expected), "<ptr>", value);
	if (m->nr_lines == 1 && strcmp(m->line, expected) == 0)
		return;
	fprintf(stderr, "misuse: %u lines, the first is\n\"%s\", should be one:\n\"%s\"\n",
		m->nr_lines, m->line, expected);
	exit(1);
}

/* The run ---------------------------------------------------------------------------------- */

static void check(struct quire *q)
{
	struct qr_error_text why;

	if (!qr_check(q, &why))
		return;
	fprintf(stderr, "misuse: %s\n", why.text);
	exit(1);
}

/* All that is free can be had, and comes back. */
static void use_up(struct quire *q)
{
	static struct qr_page *pages[MISUSE_PAGES];
	unsigned nr = 0;

	while (nr < MISUSE_PAGES &&
	       (pages[nr] = qr_alloc_pages(q, QR_GFP_NOWAIT | QR___GFP_MEMALLOC | QR___GFP_MOVABLE,
					   0)) != NULL)
		nr++;
	misuse_expect(nr > MISUSE_PAGES / 2, "memory can be used");
	check(q);
	while (nr)
		qr___free_pages(q, pages[--nr], 0);
	qr_drain_all_pages(q, NULL);
	check(q);
}

static void run_on(const struct misuse *misuse, const char *engine, const char *line)
{
	struct picture *before, *after;
	struct machine m;

	machine_create(&m, engine, misuse);
	misuse_page = NULL;
	misuse_pointer = NULL;
	if (misuse->prepare)
		misuse->prepare(m.q);
	check(m.q);
	before = picture_take(m.q);
	m.nr_lines = 0;

	misuse->commit(m.q);

	line_compare(&m, line);
	check(m.q);
	after = picture_take(m.q);
	pictures_compare(before, after);
	free(before);
	free(after);
	m.nr_lines = 0;
	use_up(m.q);
	misuse_expect(m.nr_lines == 0, "nothing is logged afterwards");
	machine_free(&m);
}

int misuse_run(const struct misuse *misuse)
{
	run_on(misuse, "list", misuse->line);
	run_on(misuse, "bitmap", misuse->line_bitmap ? misuse->line_bitmap : misuse->line);
	if (other.q)
		machine_free(&other);
	return 0;
}
