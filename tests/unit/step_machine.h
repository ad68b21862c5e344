/* SPDX-License-Identifier: MIT */
/*
 * step_machine.h - one zone whose caches change by steps, each of which a test can disturb
 */
#ifndef TESTS_UNIT_STEP_MACHINE_H
#define TESTS_UNIT_STEP_MACHINE_H

#include "pcp_machine.h"

#include "alloc/step.h"

#include <limits.h>

/* What the next step comes to. */
enum answer {
	AS_USUAL,
	REFUSED, /* nobody can make steps */
	DOUBT_NOTHING, /* interrupted before anything was stored; and after so many stores */
	DOUBT_SLOT,
	DOUBT_MARK,
	BLIND /* all was looked at before what came between */
};

static struct {
	enum qr_local_result (*plain)(void *ctx, const struct qr_local_commit *c);
	void (*between)(void); /* what comes after all was read, and before the step; once */
	void (*after)(void); /* what comes after a step in doubt; once */
	enum answer answer; /* of the next step; then it is AS_USUAL, REFUSED excepted */
} steps;

static inline void once(void (**what)(void))
{
	void (*body)(void) = *what;

	*what = NULL;
	if (body)
		body();
}

static inline enum qr_local_result doubt(const struct qr_local_commit *c, enum answer answer)
{
	if (answer >= DOUBT_SLOT)
		*c->slot = c->number;
	if (answer >= DOUBT_MARK)
		*c->mark = c->mark_becomes;
	if (answer == BLIND) {
		*c->count = c->seen + 1;
		return QR_LOCAL_DONE;
	}
	once(&steps.after);
	return QR_LOCAL_IN_DOUBT;
}

static inline enum qr_local_result step_commit(void *ctx, const struct qr_local_commit *c)
{
	enum answer answer = steps.answer;

	if (answer == REFUSED)
		return QR_LOCAL_NOT;
	steps.answer = AS_USUAL;
	once(&steps.between);
	return answer == AS_USUAL ? steps.plain(ctx, c) : doubt(c, answer);
}

/* Describe a machine with steps. */
static inline void step_new(void)
{
	memset(&steps, 0, sizeof(steps));
	m = test_machine_new();
	test_platform_steps(&m->config.platform);
	steps.plain = m->config.platform.local_commit;
	m->config.platform.local_commit = step_commit;
}

/* One zone; the cache of CPU 0 has room, and gets batches of 16 pages. */
static inline void step_begin(unsigned nr_cpus)
{
	step_new();
	test_machine_one_zone(m, PAGES);
	m->config.nr_cpus = nr_cpus;
	test_machine_create(m);
	sizes(16, 1 << 20, 1 << 20);
}

static inline void step_end(void)
{
	test_cpu_set(0);
	sizes_end();
	assert_int_equal(nr_free(), PAGES);
	end();
}

static inline struct qr_allocator *allocator(void)
{
	return qr__allocator(m->q);
}

static inline struct qr_magazines *mag(void)
{
	return &pcp()->mag;
}

static inline struct qr_magazine_ring *ring(unsigned order)
{
	return qr__ring(mag(), QR_MIGRATE_UNMOVABLE, order);
}

static inline unsigned nr_ring(unsigned order)
{
	return qr__ring_nr(ring(order));
}

static inline unsigned nr_put(unsigned order)
{
	return qr__put_nr(mag(), order);
}

static inline uint8_t mark_of(const struct qr_page *page)
{
	const struct qr_frames *frames = &allocator()->frames;
	uint64_t i = qr__page_index(frames, page);
	const _Atomic uint8_t *mark =
		qr__mark_by_word(frames, i, qr__state_word(&frames->states[i]));

	return mark ? qr__mark(mark) : 0;
}

static inline uint8_t mark_of_route(unsigned order)
{
	return qr__route_of(zone(), QR_MIGRATE_UNMOVABLE, order);
}

static inline struct qr_page *take_kernel(unsigned order)
{
	return take(QR_GFP_KERNEL, order);
}

/* The statement comes to so many steps. */
#define steps_are(nr, statement) \
	do { \
		unsigned before_ = m->nr_commits; \
		statement; \
		assert_int_equal(m->nr_commits - before_, (nr)); \
	} while (0)

/* A block that came by a step. */
static inline struct qr_page *step_take(unsigned order)
{
	struct qr_page *page;

	while (!nr_ring(order))
		give(take_kernel(order), order);
	steps_are(1, page = take_kernel(order));
	return page;
}

static inline bool same_pageblock(const struct qr_page *a, const struct qr_page *b)
{
	return qr_page_to_pfn(m->q, a) >> QR_PAGEBLOCK_ORDER ==
	       qr_page_to_pfn(m->q, b) >> QR_PAGEBLOCK_ORDER;
}

/* From now on what is freed in this block's pageblock goes straight back. */
static inline void last_set(struct qr_per_cpu_pages *cache, const struct qr_page *page,
			    unsigned order)
{
	atomic_store(&qr__ring(&cache->mag, QR_MIGRATE_UNMOVABLE, order)->last,
		     (uint32_t)(page - allocator()->frames.pages));
}

/* No block that is freed goes straight back. */
static inline void last_set_elsewhere(unsigned order)
{
	atomic_store(&ring(order)->last, UINT32_MAX);
}

#endif /* TESTS_UNIT_STEP_MACHINE_H */
