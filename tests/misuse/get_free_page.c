/* SPDX-License-Identifier: MIT */
/*
 * get_free_page.c - a reference is taken to a page that is free
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	qr___free_pages(q, misuse_page, 0);
}

static void commit(struct quire *q)
{
	qr_get_page(q, misuse_page);
	misuse_expect(qr_page_count(q, misuse_page) == 0, "it has no reference");
	misuse_expect(!qr_get_page_unless_zero(q, misuse_page), "nor can have one");
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "get of page at pfn <pfn>, order 0, refused: it is free already "
	       "(recorded order 0)")
