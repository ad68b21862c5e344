/* SPDX-License-Identifier: MIT */
/*
 * split_wrong_order.c - a block is split as a larger one
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 1);
}

static void commit(struct quire *q)
{
	misuse_expect(qr_split_page(q, misuse_page, 2) == QR_EINVAL, "refused");
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "split of page at pfn <pfn>, order 2, refused: it was allocated with "
	       "another order")
