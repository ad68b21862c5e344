/* SPDX-License-Identifier: MIT */
/*
 * double_free.c - a page is freed twice, and waits in a cache at the second time
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	qr___free_pages(q, misuse_page, 0);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 0, refused: it is free already "
	       "(recorded order 0)")
