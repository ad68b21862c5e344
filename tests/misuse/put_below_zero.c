/* SPDX-License-Identifier: MIT */
/*
 * put_below_zero.c - one more reference is dropped than there was
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);
	qr_get_page(q, misuse_page);
	misuse_expect(!qr_put_page(q, misuse_page), "one is left");
	misuse_expect(qr_put_page(q, misuse_page), "that was the last");
}

static void commit(struct quire *q)
{
	misuse_expect(!qr_put_page(q, misuse_page), "nothing was freed");
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "put of page at pfn <pfn>, order 0, refused: it is free already "
	       "(recorded order 0)")
