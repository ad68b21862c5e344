/* SPDX-License-Identifier: MIT */
/*
 * huge_order.c - a page is freed with an order that does not exist
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 4000000000u);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 4000000000, refused: it was allocated "
	       "with another order (recorded order 0)")
