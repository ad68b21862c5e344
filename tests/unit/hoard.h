/* SPDX-License-Identifier: MIT */
/*
 * hoard.h - for tests that use memory up
 *
 * A hoard holds what a test allocated, so that it can take all there is and give back chosen parts.
 */
#ifndef TESTS_UNIT_HOARD_H
#define TESTS_UNIT_HOARD_H

#include "support.h"

struct hoard {
	struct quire *q;
	struct {
		struct qr_page *page;
		unsigned order;
	} * entries;
	size_t nr, room;
	size_t last; /* where a block was found by its pfn; the next one is near */
};

static inline struct hoard hoard_new(struct quire *q)
{
	return (struct hoard){.q = q};
}

static inline void hoard_add(struct hoard *h, struct qr_page *page, unsigned order)
{
	if (h->nr == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		h->entries = realloc(h->entries, h->room * sizeof(*h->entries));
		assert_non_null(h->entries);
	}
	h->entries[h->nr].page = page;
	h->entries[h->nr++].order = order;
}

/* One block; NULL if there is none. */
static inline struct qr_page *hoard_take(struct hoard *h, qr_gfp_t gfp, unsigned order)
{
	struct qr_page *page = qr_alloc_pages(h->q, gfp, order);

	if (page)
		hoard_add(h, page, order);
	return page;
}

/*
 * As many blocks as there are; how many.  Caches are emptied after each, so that the watermarks see
 * every free page.
 */
static inline uint64_t hoard_all(struct hoard *h, qr_gfp_t gfp, unsigned order)
{
	uint64_t nr = 0;

	while (hoard_take(h, gfp, order)) {
		qr_drain_all_pages(h->q, NULL);
		nr++;
	}
	qr_drain_all_pages(h->q, NULL);
	return nr;
}

/* Give back the last n blocks. */
static inline void hoard_give(struct hoard *h, uint64_t n)
{
	while (n-- && h->nr) {
		h->nr--;
		qr___free_pages(h->q, h->entries[h->nr].page, h->entries[h->nr].order);
	}
	qr_drain_all_pages(h->q, NULL);
}

/* Give back the block at this pfn; false: it is not in the hoard. */
static inline bool hoard_give_pfn(struct hoard *h, qr_pfn_t pfn)
{
	for (size_t n = 0; n < h->nr; n++) {
		size_t i = (h->last + n) % h->nr;

		if (qr_page_to_pfn(h->q, h->entries[i].page) != pfn)
			continue;
		qr___free_pages(h->q, h->entries[i].page, h->entries[i].order);
		h->entries[i] = h->entries[--h->nr];
		h->last = i;
		return true;
	}
	return false;
}

static inline void hoard_free(struct hoard *h)
{
	hoard_give(h, h->nr);
	free(h->entries);
	*h = (struct hoard){.q = h->q};
}

static inline uint64_t zone_free(struct quire *q, int nid, enum qr_zone_type type)
{
	return qr_zone_free_pages(qr_zone_at(q, nid, type));
}

static inline struct qr_zone_snapshot zone_snap(struct quire *q, int nid, enum qr_zone_type type)
{
	struct qr_zone_snapshot snap;

	assert_int_equal(qr_zone_snapshot(q, nid, type, &snap), 0);
	return snap;
}

static inline struct qr_alloc_stats alloc_stats(const struct quire *q)
{
	struct qr_alloc_stats stats;

	qr_alloc_stats(q, &stats);
	return stats;
}

#endif /* TESTS_UNIT_HOARD_H */
