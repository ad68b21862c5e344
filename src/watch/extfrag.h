/* SPDX-License-Identifier: MIT */
/*
 * watch/extfrag.h - the indices of fragmentation, as formulas free of state
 */
#ifndef QR_WATCH_EXTFRAG_H
#define QR_WATCH_EXTFRAG_H

#include <quire/inspect.h>

/* What the indices are computed from. */
struct qr_extfrag {
	uint64_t nr_blocks; /* T: free blocks of any order */
	uint64_t nr_free; /* F: pages in them */
	uint64_t nr_suitable; /* S: blocks of the order they could be cut into */
};

void qr__extfrag_count(const uint64_t nr_blocks[QR_NR_PAGE_ORDERS], unsigned order,
		       struct qr_extfrag *frag);
int qr__fragmentation_index_for(const struct qr_extfrag *frag, unsigned order);
int qr__unusable_free_index_for(const struct qr_extfrag *frag, unsigned order);
unsigned qr__extfrag_percent_for(const struct qr_extfrag *frag, unsigned order);

#endif /* QR_WATCH_EXTFRAG_H */
