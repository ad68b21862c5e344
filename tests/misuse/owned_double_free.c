/* SPDX-License-Identifier: MIT */
/*
 * owned_double_free.c - with page owner on, the report says who had the page
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 1);
	qr___free_pages(q, misuse_page, 1);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 1);
}

MISUSE(.prepare = prepare, .commit = commit, .options = QR_OPT_PAGE_OWNER,
       .line = "free of page at pfn <pfn>, order 1, refused: it is free already "
	       "(recorded order 10; owner: task 0, order 1, gfp 0xcc0, freed by task 0)",
       .line_bitmap = "free of page at pfn <pfn>, order 1, refused: it is free already "
		      "(recorded order 1; owner: task 0, order 1, gfp 0xcc0, freed by task 0)")
