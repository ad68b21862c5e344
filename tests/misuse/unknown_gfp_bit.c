/* SPDX-License-Identifier: MIT */
/*
 * unknown_gfp_bit.c - a gfp mask has a bit that means nothing
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages(q, QR_GFP_KERNEL | 0x200, 0), "no page");
}

MISUSE(.commit = commit,
       .line = "page allocation: gfp mask 0xec0 is illegal: it has a bit that means "
	       "nothing; use the QR_GFP_ and QR___GFP_ constants")
