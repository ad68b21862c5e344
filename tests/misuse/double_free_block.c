/* SPDX-License-Identifier: MIT */
/*
 * double_free_block.c - a block is freed twice, and has joined its buddies at the second time
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 4);
	qr___free_pages(q, misuse_page, 4);
	qr_drain_all_pages(q, NULL);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 4);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 4, refused: it is free already "
	       "(recorded order 10)",
       .line_bitmap = "free of page at pfn <pfn>, order 4, refused: it is free already "
		      "(recorded order 4)")
