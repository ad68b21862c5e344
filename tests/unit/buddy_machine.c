/* SPDX-License-Identifier: MIT */
/*
 * buddy_machine.c - zones with a buddy engine, and nothing around them
 */
#include "buddy_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"

static void hook_panic(void *ctx, const char *line)
{
	struct buddy_machine *m = ctx;

	if (!m->expect_panic) {
		fprintf(stderr, "panic: %s\n", line);
		abort();
	}
	snprintf(m->panic_line, sizeof(m->panic_line), "%s", line);
	longjmp(m->panic_jump, 1);
}

static void *zeroed(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

/* Memory that ends where its last page ends, with nothing behind and nothing in the page before. */
static void *fenced(struct buddy_machine *m, unsigned which, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
	char *memory;

	memory = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory + page, inner, PROT_READ | PROT_WRITE))
		abort();
	m->mappings[which].memory = memory;
	m->mappings[which].size = inner + 2 * page;
	return memory + page + inner - size;
}

struct buddy_machine *buddy_machine_new(qr_pfn_t base_pfn, qr_pfn_t end_pfn)
{
	struct buddy_machine *m = zeroed(sizeof(*m));
	struct qr_frames *frames = &m->alloc.frames;
	qr_pfn_t last_pageblock = (end_pfn - 1) >> QR_PAGEBLOCK_ORDER;
	size_t nr = (size_t)(end_pfn - base_pfn);

	m->ops = qr__buddy_engine(test_engine());
	frames->base.platform.ctx = m;
	frames->base.platform.panic = hook_panic;
	frames->base.nr_cpus = 1;
	frames->base.events = &m->events;
	frames->base_pfn = base_pfn;
	frames->end_pfn = end_pfn;
	frames->states = fenced(m, 0, nr * sizeof(struct qr_page_state));
	frames->pages = fenced(m, 1, nr * sizeof(struct qr_page));
	frames->pageblocks =
		zeroed((size_t)(last_pageblock - (base_pfn >> QR_PAGEBLOCK_ORDER) + 1) *
		       sizeof(struct qr_pageblock));
	frames->nodes = m->nodes;
	frames->nr_nodes = BUDDY_MACHINE_NODES;
	return m;
}

void buddy_machine_free(struct buddy_machine *m)
{
	for (unsigned i = 0; i < QR_ARRAY_SIZE(m->engines); i++)
		free(m->engines[i]);
	for (unsigned order = 0; order < QR_MARK_ORDERS; order++)
		free(m->marks[order]);
	free(m->alloc.frames.pageblocks);
	for (unsigned i = 0; i < QR_ARRAY_SIZE(m->mappings); i++)
		munmap(m->mappings[i].memory, m->mappings[i].size);
	free(m);
}

void buddy_machine_marks(struct buddy_machine *m)
{
	struct qr_frames *frames = &m->alloc.frames;

	for (unsigned order = 0; order < QR_MARK_ORDERS; order++) {
		size_t nr = (size_t)((frames->end_pfn - frames->base_pfn) >> order) + 1;

		m->marks[order] = zeroed(nr);
		frames->marks[order] = (_Atomic uint8_t *)(void *)m->marks[order];
	}
}

struct qr_zone *buddy_machine_zone(struct buddy_machine *m, int nid, enum qr_zone_type type,
				   qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	struct qr_zone *zone = &m->nodes[nid].zones[type];

	zone->frames = &m->alloc.frames;
	zone->node = &m->nodes[nid];
	zone->nid = nid;
	zone->type = type;
	zone->id = (uint16_t)(nid * QR_NR_ZONES + (int)type);
	zone->ops = m->ops;
	qr__lock_init(&zone->lock, QR_RANK_ZONE);
	qr__write(&zone->start_pfn, start_pfn);
	qr__write(&zone->spanned_pages, end_pfn - start_pfn);
	qr__write(&zone->present_pages, end_pfn - start_pfn);
	qr__write(&zone->managed_pages, end_pfn - start_pfn);
	m->engines[zone->id] =
		malloc(zone->ops->zone_size(start_pfn, end_pfn, m->alloc.frames.base.nr_cpus));
	if (!m->engines[zone->id])
		abort();
	memset(m->engines[zone->id], 0,
	       zone->ops->zone_size(start_pfn, end_pfn, m->alloc.frames.base.nr_cpus));
	zone->ops->zone_init(zone, m->engines[zone->id]);
	return zone;
}

void buddy_machine_release(struct qr_zone *zone, qr_pfn_t start_pfn, qr_pfn_t end_pfn)
{
	unsigned long irqs = qr__zone_lock(zone);

	for (qr_pfn_t pfn = start_pfn; pfn < end_pfn;) {
		unsigned order = QR_MAX_PAGE_ORDER;
		qr_pfn_t pageblock_end = qr__pageblock_start(pfn) + QR_PAGEBLOCK_NR_PAGES;

		/*
		 * Fresh memory is of one type, or a test set types: then pageblocks go one by one.
		 */
		if (pageblock_end < end_pfn &&
		    qr__pageblock_type(zone->frames, pfn) !=
			    qr__pageblock_type(zone->frames, pageblock_end))
			order = QR_PAGEBLOCK_ORDER;
		while (!qr__is_aligned(pfn, qr__order_pages(order)) ||
		       pfn + qr__order_pages(order) > end_pfn)
			order--;
		zone->ops->give(zone, pfn, order, qr__pageblock_type(zone->frames, pfn),
				QR_END_COLD);
		pfn += qr__order_pages(order);
	}
	qr__zone_unlock(zone, irqs);
}

uint64_t buddy_machine_nr_blocks(struct qr_zone *zone, unsigned order, enum qr_migratetype type)
{
	if (zone->ops->settle)
		zone->ops->settle(zone);
	return zone->ops->nr_blocks_type_racy(zone, order, type);
}

void buddy_machine_type(struct qr_zone *zone, qr_pfn_t pfn, enum qr_migratetype type)
{
	unsigned long irqs = qr__zone_lock(zone);

	if (type == QR_MIGRATE_ISOLATE)
		qr__pageblock_isolate_set_locked(zone, pfn, true);
	else
		qr__pageblock_type_set_locked(zone, pfn, type);
	qr__zone_unlock(zone, irqs);
}

void buddy_machine_check(struct qr_zone *zone)
{
	struct qr_error_text why = {{0}};
	unsigned broken;

	if (atomic_load(&zone->loose)) /* then the zone is not locked; who locks it gathers */
		qr__zone_unlock(zone, qr__zone_lock(zone));
	broken = zone->ops->check(zone, &why);
	if (broken) {
		fprintf(stderr, "invariant B%u: %s\n", broken, why.text);
		abort();
	}
}

struct qr_page *buddy_machine_page(struct buddy_machine *m, qr_pfn_t pfn)
{
	return qr__pfn_page(&m->alloc.frames, pfn);
}
