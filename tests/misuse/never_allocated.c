/* SPDX-License-Identifier: MIT */
/*
 * never_allocated.c - a page that nobody ever allocated is freed
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_page = qr_pfn_to_page(q, MISUSE_PAGES - 1);
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.commit = commit, .line = "free of page at pfn <pfn>, order 0, refused: it is free already "
				 "(recorded order 0)")
