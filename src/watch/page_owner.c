/* SPDX-License-Identifier: MIT */
/*
 * watch/page_owner.c - who allocated each page
 *
 * The allocator tells of each block that is handed out, split or freed, and this file writes it
 * down in the record of the block's first frame: one write for a block of any order.  Allocated
 * records never overlap, so a frame belongs to the one record whose block covers it, and finding
 * that takes as many probes as there are orders.
 *
 * A block may come back in parts: the pages behind a frame that somebody still holds, the surplus
 * of an exact allocation.  Then its record is halved until one of the halves is what was freed;
 * the other halves go on as allocated blocks of their own, with what was known of the whole.
 *
 * No lock: a record is written by whoever owns the block at that moment.  Readers may see a record
 * half old and half new.
 */
#include "page_owner.h"

#include "../base/text.h"

#include "walk.h"

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static struct qr_owner_record *record_at(const struct qr_watch *watch, qr_pfn_t pfn)
{
	return &watch->owner[pfn - watch->alloc.frames.base_pfn];
}

static enum qr_owner_state record_state(const struct qr_owner_record *r)
{
	return (enum qr_owner_state)atomic_load_explicit(&r->state, memory_order_acquire);
}

static void record_state_set(struct qr_owner_record *r, enum qr_owner_state state)
{
	atomic_store_explicit(&r->state, (uint8_t)state, memory_order_release);
}

static void record_copy(struct qr_owner_record *to, const struct qr_owner_record *from,
			unsigned order)
{
	STORE(to->order, (uint8_t)order);
	STORE(to->migrate_reason, LOAD(from->migrate_reason));
	STORE(to->gfp, LOAD(from->gfp));
	STORE(to->task_id, LOAD(from->task_id));
	STORE(to->free_task_id, LOAD(from->free_task_id));
	STORE(to->handle, LOAD(from->handle));
	STORE(to->time_ns, LOAD(from->time_ns));
	STORE(to->free_time_ns, LOAD(from->free_time_ns));
	record_state_set(to, record_state(from));
}

/* Creation --------------------------------------------------------------------------------- */

void qr__owner_rooms(struct qr_layout *layout, struct quire *q_or_null, char *memory)
{
	uint64_t nr = layout->end_pfn - layout->base_pfn;
	struct qr_alloc_events *events;
	size_t offset;

	if (!(layout->config->options & QR_OPT_PAGE_OWNER))
		return;
	offset = qr__layout_room(layout, (size_t)nr * sizeof(struct qr_owner_record), 64);
	if (!q_or_null)
		return;

	qr__watch(q_or_null)->owner = (struct qr_owner_record *)(void *)(memory + offset);
	events = &qr__watch(q_or_null)->alloc.events;
	events->owner_set = qr__owner_set;
	events->owner_reset = qr__owner_reset;
	events->owner_split = qr__owner_split;
	events->owner_text = qr__owner_text;
}

void qr_page_owner_handle_set(struct quire *q, uint64_t (*handle)(void *ctx),
			      size_t (*print_handle)(void *ctx, uint64_t handle, char *buf,
						     size_t size),
			      void *ctx)
{
	struct qr_watch *watch = qr__watch(q);

	watch->owner_handle = handle;
	watch->owner_print_handle = print_handle;
	watch->owner_ctx = ctx;
}

/* Finding ---------------------------------------------------------------------------------- */

/* The record in @state whose block covers pfn; the smallest block, if there are several. */
static struct qr_owner_record *record_covering(const struct qr_watch *watch, qr_pfn_t pfn,
					       enum qr_owner_state state, qr_pfn_t *head)
{
	for (unsigned order = 0; order <= QR_MAX_PAGE_ORDER; order++) {
		qr_pfn_t start = qr__align_down(pfn, qr__order_pages(order));
		struct qr_owner_record *r;

		if (!qr__pfn_in_span(&watch->alloc.frames, start))
			break;
		r = record_at(watch, start);
		if (record_state(r) == state && LOAD(r->order) >= order) {
			*head = start;
			return r;
		}
	}
	return NULL;
}

struct qr_owner_record *qr__owner_find(const struct qr_watch *watch, qr_pfn_t pfn, qr_pfn_t *head)
{
	return record_covering(watch, pfn, QR_OWNER_ALLOCATED, head);
}

/* Events ----------------------------------------------------------------------------------- */

static uint32_t current_task_id(const struct qr_watch *watch)
{
	const struct qr_task *task = qr__current_task(&watch->alloc.frames.base);

	return task ? task->id : 0;
}

void qr__owner_set(struct quire *q, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	struct qr_watch *watch = qr__watch(q);
	struct qr_owner_record *r = record_at(watch, qr__page_pfn(&watch->alloc.frames, page));

	STORE(r->order, (uint8_t)order);
	STORE(r->migrate_reason, (int16_t)-1);
	STORE(r->gfp, gfp);
	STORE(r->task_id, current_task_id(watch));
	STORE(r->handle, watch->owner_handle ? watch->owner_handle(watch->owner_ctx) : 0);
	STORE(r->time_ns, qr__now(&watch->alloc.frames.base));
	record_state_set(r, QR_OWNER_ALLOCATED);
}

/*
 * Halve the record at head until [pfn, pfn + 2^order), which lies in its block, has one of its own;
 * returns that.
 */
static struct qr_owner_record *record_cut(struct qr_watch *watch, qr_pfn_t head, qr_pfn_t pfn,
					  unsigned order)
{
	struct qr_owner_record *r = record_at(watch, head);

	for (unsigned o = LOAD(r->order); o > order; o--) {
		qr_pfn_t half = head + qr__order_pages(o - 1);

		record_copy(record_at(watch, half), r, o - 1);
		STORE(r->order, (uint8_t)(o - 1));
		if (pfn >= half) {
			head = half;
			r = record_at(watch, half);
		}
	}
	return r;
}

void qr__owner_reset(struct quire *q, struct qr_page *page, unsigned order)
{
	struct qr_watch *watch = qr__watch(q);
	qr_pfn_t pfn = qr__page_pfn(&watch->alloc.frames, page);
	qr_pfn_t end_pfn = pfn + qr__order_pages(order);

	while (pfn < end_pfn) {
		qr_pfn_t head;
		struct qr_owner_record *r = qr__owner_find(watch, pfn, &head);

		/* Never told of: memory that was reserved from the start. */
		if (!r) {
			pfn++;
			continue;
		}
		if (LOAD(r->order) > order)
			r = record_cut(watch, head, pfn, order);
		STORE(r->free_task_id, current_task_id(watch));
		STORE(r->free_time_ns, qr__now(&watch->alloc.frames.base));
		record_state_set(r, QR_OWNER_FREED);
		pfn += qr__order_pages(LOAD(r->order));
	}
}

void qr__owner_split(struct quire *q, struct qr_page *page, unsigned order)
{
	struct qr_watch *watch = qr__watch(q);
	qr_pfn_t pfn = qr__page_pfn(&watch->alloc.frames, page);
	struct qr_owner_record *r = record_at(watch, pfn);

	if (record_state(r) != QR_OWNER_ALLOCATED)
		return;
	for (qr_pfn_t i = 1; i < qr__order_pages(order); i++)
		record_copy(record_at(watch, pfn + i), r, 0);
	STORE(r->order, (uint8_t)0);
}

/* Reading ---------------------------------------------------------------------------------- */

int qr_page_owner(const struct quire *q, qr_pfn_t pfn, struct qr_page_owner *owner)
{
	const struct qr_watch *watch = qr__watch_const(q);
	struct qr_owner_record *r;
	qr_pfn_t head;

	if (!qr__owner_active(watch))
		return QR_EINVAL;
	if (!qr__pfn_in_span(&watch->alloc.frames, pfn))
		return QR_ENOENT;
	r = record_covering(watch, pfn, QR_OWNER_ALLOCATED, &head);
	if (!r)
		r = record_covering(watch, pfn, QR_OWNER_FREED, &head);
	if (!r)
		return QR_ENOENT;

	*owner = (struct qr_page_owner){
		.order = LOAD(r->order),
		.last_migrate_reason = LOAD(r->migrate_reason),
		.gfp = LOAD(r->gfp),
		.task_id = LOAD(r->task_id),
		.free_task_id = LOAD(r->free_task_id),
		.handle = LOAD(r->handle),
		.time_ns = LOAD(r->time_ns),
		.free_time_ns = LOAD(r->free_time_ns),
	};
	return 0;
}

/* For reports of misuse: who has this page, or had it last. */
size_t qr__owner_text(struct quire *q, const struct qr_page *page, char *buf, size_t size)
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);
	struct qr_page_owner owner;
	qr_pfn_t pfn = qr__page_pfn(frames, page), head;

	if (qr_page_owner(q, pfn, &owner) < 0)
		return 0;
	qr__text_printf(&text, "task %u, order %u, gfp %#x", (unsigned)owner.task_id,
			(unsigned)owner.order, (unsigned)owner.gfp);
	if (owner.handle)
		qr__text_printf(&text, ", handle %#llx", (unsigned long long)owner.handle);
	if (!qr__owner_find(qr__watch(q), pfn, &head))
		qr__text_printf(&text, ", freed by task %u", (unsigned)owner.free_task_id);
	return text.len;
}

/* How far a search for allocated blocks can go on from pfn, where none begins. */
static uint64_t pages_to_skip_racy(const struct qr_frames *frames, qr_pfn_t pfn)
{
	struct qr_run run;

	qr__run_look(frames, pfn, &run);
	switch (run.state) {
	case QR_FRAME_HOLE:
	case QR_FRAME_DEFERRED:
	case QR_FRAME_FREE:
		return run.end_pfn - pfn;
	default:
		return 1;
	}
}

/* The first allocated block that begins at or after pfn; QR_PFN_NONE: there is none. */
static qr_pfn_t next_allocated_racy(const struct qr_watch *watch, qr_pfn_t pfn)
{
	const struct qr_frames *frames = &watch->alloc.frames;

	if (pfn < frames->base_pfn)
		pfn = frames->base_pfn;
	while (qr__pfn_in_span(frames, pfn)) {
		if (record_state(record_at(watch, pfn)) == QR_OWNER_ALLOCATED)
			return pfn;
		pfn += pages_to_skip_racy(frames, pfn);
	}
	return QR_PFN_NONE;
}

/* The words of a page's flags, low bits first, and where it lies. */
static void flags_print(struct qr_text *text, const struct qr_page *page, unsigned zone_id)
{
	static const char *const words[] = {
		"locked",      "referenced", "uptodate", "dirty",      "lru",         "active",
		"workingset",  "checked",    "reserved", "private",    "private_2",   "writeback",
		"head",        "owner_2",    "reclaim",  "swapbacked", "unevictable", "mlocked",
		"hwpoison",    "young",      "idle",     "swapcache",  "pfmemalloc",  "charged",
		"movable_ops", "anon",       "ksm",
	};
	uint32_t flags = qr__page_flags(page);

	qr__text_printf(text, "0x%x(", (unsigned)flags);
	for (unsigned i = 0; i < QR_ARRAY_SIZE(words); i++)
		if (flags >> i & 1)
			qr__text_printf(text, "%s|", words[i]);
	qr__text_printf(text, "node=%d|zone=%d)", (int)(zone_id / QR_NR_ZONES),
			(int)(zone_id % QR_NR_ZONES));
}

/* As the kernel names the reasons why a page was moved. */
static const char *migrate_reason_name(int reason)
{
	static const char *const names[] = {
		"compaction",      "memory_failure", "memory_hotplug", "syscall_or_cpuset",
		"mempolicy_mbind", "numa_misplaced", "contig_range",   "longterm_pin",
		"demotion",        "damon",
	};

	return (size_t)reason < QR_ARRAY_SIZE(names) ? names[reason] : "unknown";
}

static void handle_print(struct qr_text *text, const struct qr_watch *watch, uint64_t handle)
{
	if (!watch->owner_print_handle) {
		qr__text_printf(text, " 0x%llx\n", (unsigned long long)handle);
		return;
	}

	/* What it wrote beyond the end is not there, but counted. */
	text->len += watch->owner_print_handle(
		watch->owner_ctx, handle, text->len < text->size ? text->buf + text->len : NULL,
		text->len < text->size ? text->size - text->len : 0);
	qr__text_str(text, "\n");
}

static void record_print(struct qr_text *text, struct qr_watch *watch, qr_pfn_t pfn)
{
	struct qr_allocator *alloc = &watch->alloc;
	const struct qr_owner_record *r = record_at(watch, pfn);
	qr_gfp_t gfp = LOAD(r->gfp);
	int reason = LOAD(r->migrate_reason);
	char words[512];

	qr_gfp_print(gfp, words, sizeof(words));
	qr__text_printf(text,
			"Page allocated via order %u, mask %#x(%s), pid %u, tgid %u (), ts %llu "
			"ns\n",
			(unsigned)LOAD(r->order), (unsigned)gfp, words, (unsigned)LOAD(r->task_id),
			(unsigned)LOAD(r->task_id), (unsigned long long)LOAD(r->time_ns));
	qr__text_printf(text, "PFN 0x%llx type %s Block %llu type %s Flags ",
			(unsigned long long)pfn,
			qr_migratetype_name(qr__gfp_migratetype(alloc, gfp)),
			(unsigned long long)(pfn >> QR_PAGEBLOCK_ORDER),
			qr_migratetype_name(qr__pageblock_type(&alloc->frames, pfn)));
	flags_print(text, qr__pfn_page(&alloc->frames, pfn),
		    qr__state_zone_id(qr__pfn_state(&alloc->frames, pfn)));
	qr__text_str(text, "\n");
	handle_print(text, watch, LOAD(r->handle));
	if (reason != -1)
		qr__text_printf(text, "Page has been migrated, last migrate reason: %s\n",
				migrate_reason_name(reason));
	qr__text_str(text, "\n");
}

int64_t qr_page_owner_read(struct quire *q, qr_pfn_t *pfn, char *buf, size_t size)
{
	struct qr_watch *watch = qr__watch(q);
	struct qr_text text = qr__text(buf, size);

	if (!qr__owner_active(watch))
		return QR_EINVAL;
	*pfn = next_allocated_racy(watch, *pfn);
	if (*pfn == QR_PFN_NONE)
		return 0;
	record_print(&text, watch, *pfn);
	if (text.len >= size)
		return QR_ENOMEM;
	*pfn += qr__order_pages(LOAD(record_at(watch, *pfn)->order));
	return (int64_t)text.len;
}

/* Mixed pageblocks ------------------------------------------------------------------------- */

bool qr__owner_pageblock_mixed(const struct qr_watch *watch, qr_pfn_t start_pfn, qr_pfn_t end_pfn,
			       enum qr_migratetype type)
{
	const struct qr_frames *frames = &watch->alloc.frames;
	qr_pfn_t pfn = start_pfn;

	while (pfn < end_pfn) {
		qr_pfn_t head;
		const struct qr_owner_record *r = qr__owner_find(watch, pfn, &head);

		if (!r) {
			pfn += pages_to_skip_racy(frames, pfn);
			continue;
		}
		if (qr__gfp_migratetype(&watch->alloc, LOAD(r->gfp)) != type)
			return true;
		pfn = head + qr__order_pages(LOAD(r->order));
	}
	return false;
}
