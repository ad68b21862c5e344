/* SPDX-License-Identifier: MIT */
/*
 * inner_page.c - a page in the middle of a plain block is freed
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = misuse_behind(q, qr_alloc_pages(q, QR_GFP_KERNEL, 2), 3);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 0, refused: it is not the first page "
	       "of a block in use (recorded order 0)")
