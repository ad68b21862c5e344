/* SPDX-License-Identifier: MIT */
/*
 * leaked_page.c - a page that was taken out of circulation is freed again
 */
#include "misuse.h"

#include "frames/frames.h"

/* A page that still belongs to some object is not freed but leaked; that is said in three lines. */
static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	qr__page_mapping_set(qr__frames(q), misuse_page, 1);
	qr___free_pages(q, misuse_page, 0);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, misuse_page, 0);
}

MISUSE(.prepare = prepare, .commit = commit, .options = QR_OPT_CHECK_PAGES,
       .line = "free of page at pfn <pfn>, order 0, refused: it was misused before and "
	       "is out of circulation (recorded order 0)")
