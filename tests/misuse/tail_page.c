/* SPDX-License-Identifier: MIT */
/*
 * tail_page.c - a tail page of a folio is freed
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = misuse_behind(q, qr_folio_alloc(q, QR_GFP_KERNEL, 2), 1);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 0, refused: it is a tail page of a "
	       "compound page (recorded order 0)")
