/* SPDX-License-Identifier: MIT */
/*
 * hole.c - the record of a frame that does not exist is freed
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(qr_pfn_to_page(q, MISUSE_HOLE) == NULL, "there is no such page");
	misuse_page = misuse_record(q, MISUSE_HOLE);
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.commit = commit,
       .line = "free of page at pfn <pfn>, order 0, refused: it is not the first page "
	       "of a block in use (recorded order 0)")
