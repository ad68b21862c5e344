/* SPDX-License-Identifier: MIT */
/*
 * two_zones.c - a gfp mask names two zones
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages(q, QR_GFP_KERNEL | QR_GFP_DMA | QR_GFP_DMA32, 0), "no page");
}

MISUSE(.commit = commit,
       .line = "page allocation: gfp mask 0xcc5 is illegal: it names two of the zones "
	       "DMA, DMA32 and HIGHMEM; name at most one")
