/* SPDX-License-Identifier: MIT */
/*
 * double_free_pfn.c - a block is freed twice by its number
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	qr_pfn_t pfn = qr_alloc_pfn(q, QR_GFP_KERNEL, 2);

	misuse_page = qr_pfn_to_page(q, pfn);
	qr_free_pfn(q, pfn, 2);
}

static void commit(struct quire *q)
{
	qr_free_pfn(q, qr_page_to_pfn(q, misuse_page), 2);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of page at pfn <pfn>, order 2, refused: it is free already "
	       "(recorded order 2)")
