/* SPDX-License-Identifier: MIT */
/*
 * wrong_order.c - a block is freed as a smaller one
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 3);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 2);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 2, refused: it was allocated with "
	       "another order (recorded order 3)")
