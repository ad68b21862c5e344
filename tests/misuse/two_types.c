/* SPDX-License-Identifier: MIT */
/*
 * two_types.c - a gfp mask is both MOVABLE and RECLAIMABLE
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages(q, QR_GFP_KERNEL | QR_GFP_MOVABLE_MASK, 0), "no page");
}

MISUSE(.commit = commit,
       .line = "page allocation: gfp mask 0xcd8 is illegal: it is both MOVABLE and "
	       "RECLAIMABLE; a page has one migratetype")
