/* SPDX-License-Identifier: MIT */
/*
 * bulk_twice.c - a page stands twice in a list of pages to free
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	struct qr_page *pages[1];

	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	pages[0] = misuse_page;
	qr_free_pages_bulk(q, pages, 1);
}

static void commit(struct quire *q)
{
	qr_free_pages_bulk(q, &misuse_page, 1);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "put of page at pfn <pfn>, order 0, refused: it is free already "
	       "(recorded order 0)")
