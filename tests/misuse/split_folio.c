/* SPDX-License-Identifier: MIT */
/*
 * split_folio.c - a folio is to be split into single pages
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_folio_alloc(q, QR_GFP_KERNEL, 2);
}

static void commit(struct quire *q)
{
	misuse_expect(qr_split_page(q, misuse_page, 2) == QR_EINVAL, "refused");
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "split of page at pfn <pfn>, order 2, refused: it is a compound page")
