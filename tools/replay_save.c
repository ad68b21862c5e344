/* SPDX-License-Identifier: MIT */
/*
 * replay_save.c - a replay's end as a recording of its own
 */
#include "replay_save.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct save {
	struct qtrace_writer *w;
	struct model *model;
	const struct replay_machine *m;
	char *why;
};

static int save_fails(struct save *s, int error)
{
	snprintf(s->why, 256, "%s", qtrace_writer_why(s->w));
	return error;
}

static int no_memory(struct save *s)
{
	snprintf(s->why, 256, "no memory to save the end");
	return -ENOMEM;
}

static int put(struct save *s, enum qtrace_when when, const char *name, const void *data,
	       size_t size)
{
	int error = qtrace_put_file(s->w, when, name, data, size);

	return error ? save_fails(s, error) : 0;
}

/* About it --------------------------------------------------------------------------------- */

/* A text of the recording that holds for the model as well; without it there is just none. */
static int put_recorded(struct save *s, enum qtrace_when when, const char *name)
{
	const struct qtrace_file *file = qtrace_file(s->m->trace, when, name);

	return file ? put(s, when, name, file->data, file->size) : 0;
}

static int put_sysctls(struct save *s)
{
	char text[4096];
	size_t used = 0;

	for (int t = 0; t < QR_NR_TUNABLES; t++) {
		const struct qr_tunable_info *info = qr_tunable_info((enum qr_tunable)t);
		int64_t value;

		if (info->scalar && info->readable && used < sizeof(text) &&
		    qr_tunable_get(s->model->q, (enum qr_tunable)t, &value) == 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "vm.%s = %" PRId64 "\n", info->name, value);
	}
	return put(s, QTRACE_META, "sysctl", text, used < sizeof(text) ? used : sizeof(text) - 1);
}

static int put_meta(struct save *s, const struct replay_save *how)
{
	char text[512];
	int error = put_sysctls(s);

	snprintf(text, sizeof(text), "end of a replay of %.300s: %s\n", how->source, how->label);
	if (!error)
		error = put(s, QTRACE_META, "origin", text, strlen(text));
	snprintf(text, sizeof(text), "%u\n", s->model->nr_cpus);
	if (!error)
		error = put(s, QTRACE_META, "nproc", text, strlen(text));
	return error ? error : put_recorded(s, QTRACE_META, "uname");
}

/* What the library shows ------------------------------------------------------------------- */

static int put_view(struct save *s, const char *name,
		    size_t (*view)(struct quire *q, char *buf, size_t size))
{
	size_t size = view(s->model->q, NULL, 0);
	char *text = malloc(size + 1);
	int error;

	if (!text)
		return no_memory(s);
	view(s->model->q, text, size + 1);
	error = put(s, QTRACE_BEFORE, name, text, size);
	free(text);
	return error;
}

static int put_views(struct save *s)
{
	static const struct {
		const char *name;
		size_t (*view)(struct quire *q, char *buf, size_t size);
	} views[] = {
		{"buddyinfo", qr_show_buddyinfo},
		{"pagetypeinfo", qr_show_pagetypeinfo},
		{"zoneinfo", qr_show_zoneinfo},
		{"vmstat", qr_show_vmstat},
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(views) / sizeof(views[0]); i++)
		error = put_view(s, views[i].name, views[i].view);
	return error;
}

/* Pageblocks ------------------------------------------------------------------------------- */

/* Neighbours of one type are one line: first frame, number of pageblocks, type. */
struct runs {
	char *text;
	size_t size, room;
	qr_pfn_t start;
	uint64_t nr;
	enum qr_migratetype type;
	bool failed;
};

static void run_end(struct runs *r)
{
	if (r->nr && r->room - r->size < 64) {
		size_t room = r->room ? 2 * r->room : 4096;
		char *text = realloc(r->text, room);

		r->failed = r->failed || !text;
		if (!text)
			return;
		r->text = text;
		r->room = room;
	}
	if (r->nr)
		r->size += (size_t)snprintf(r->text + r->size, r->room - r->size,
					    "%" PRIu64 " %" PRIu64 " %s\n", r->start, r->nr,
					    qr_migratetype_name(r->type));
	r->nr = 0;
}

static int run_block(void *arg, const struct qr_pageblock_info *info)
{
	struct runs *r = arg;

	if (info->nr_absent >= QR_PAGEBLOCK_NR_PAGES)
		return 0;
	if (r->nr && (info->migratetype != r->type ||
		      info->start_pfn != r->start + (r->nr << QR_PAGEBLOCK_ORDER)))
		run_end(r);
	if (!r->nr) {
		r->start = info->start_pfn;
		r->type = info->migratetype;
	}
	r->nr++;
	return r->failed;
}

static int put_pageblocks(struct save *s)
{
	const struct state *before = &s->m->before;
	struct runs r = {0};
	int error;

	for (unsigned z = 0; z < before->nr_zones; z++) {
		qr_for_each_pageblock(s->model->q, before->zones[z].nid, before->zones[z].type,
				      run_block, &r);
		run_end(&r);
	}
	error = r.failed ? no_memory(s) : put(s, QTRACE_BEFORE, "pageblocks", r.text, r.size);
	free(r.text);
	return error;
}

/* kpageflags ------------------------------------------------------------------------------- */

/*
 * What each recorded frame is used for at the end: what it was at the start, or what the last
 * allocation asked for.  The library keeps no such notes on pages in use.
 */
static int last_classes(struct save *s, uint8_t *class)
{
	const struct trace_event *events;
	int nr;

	memcpy(class, s->m->frames.class, s->m->frames.nr);
	qtrace_rewind(s->m->trace);
	while ((nr = qtrace_next_block(s->m->trace, &events)) > 0) {
		for (int i = 0; i < nr; i++) {
			const struct trace_event *e = &events[i];

			if (e->kind != TRACE_ALLOC || e->pfn >= s->m->frames.nr)
				continue;
			class[e->pfn] = e->migratetype == QR_MIGRATE_MOVABLE       ? FRAME_MOVABLE
					: e->migratetype == QR_MIGRATE_RECLAIMABLE ? FRAME_SLAB
										   : FRAME_OTHER;
		}
	}
	if (nr < 0)
		snprintf(s->why, 256, "%s", s->m->trace->why);
	return nr;
}

static uint64_t flags_of_class(enum frame_class class)
{
	switch (class) {
	case FRAME_MOVABLE:
		return KPF_LRU;
	case FRAME_SLAB:
		return KPF_SLAB;
	case FRAME_PGTABLE:
		return KPF_PGTABLE;
	case FRAME_HUGE:
		return KPF_HUGE;
	case FRAME_OFFLINE:
		return KPF_OFFLINE;
	default:
		return 0;
	}
}

static void add_uses(const struct save *s, const uint8_t *class, uint64_t *words)
{
	for (qr_pfn_t pfn = 0; pfn < s->m->frames.nr; pfn++) {
		uint64_t mine = s->model->frame[pfn], nr = UINT64_C(1) << s->model->order[pfn];

		if (mine == MODEL_NONE)
			continue;
		for (uint64_t i = mine; i < mine + nr && i < s->m->frames.nr; i++)
			words[i] |= flags_of_class(FRAME_CLASS(class[pfn]));
	}
}

static int put_kpageflags(struct save *s)
{
	uint64_t nr = s->m->frames.nr, *words = calloc(nr + 1, sizeof(*words));
	uint8_t *class = malloc(nr + 1);
	int error = words && class ? last_classes(s, class) : no_memory(s);

	for (qr_pfn_t pfn = 0; !error && pfn < nr; pfn++)
		words[pfn] = FRAME_CLASS(s->m->frames.class[pfn]) == FRAME_ABSENT
				     ? KPF_NOPAGE
				     : qr_kpageflags(s->model->q, pfn);
	if (!error) {
		add_uses(s, class, words);
		error = put(s, QTRACE_BEFORE, "kpageflags", words, nr * sizeof(*words));
	}
	free(class);
	free(words);
	return error;
}

/* All of it -------------------------------------------------------------------------------- */

int replay_save_end(void *arg, struct model *model, char why[256])
{
	const struct replay_save *how = arg;
	const struct qtrace_options options = {.overwrite = how->overwrite};
	struct save s = {.model = model, .m = model->machine, .why = why};
	int error = qtrace_create(how->path, &options, &s.w, why);

	if (error)
		return error;
	error = put_meta(&s, how);
	if (!error)
		error = put_views(&s);
	if (!error)
		error = put_recorded(&s, QTRACE_BEFORE, "iomem");
	if (!error)
		error = put_pageblocks(&s);
	if (!error)
		error = put_kpageflags(&s);
	if (!error)
		return qtrace_finish(s.w, NULL, why);
	qtrace_abort(s.w);
	return error;
}
