/* SPDX-License-Identifier: MIT */
/*
 * order_too_large.c - a block is asked for that is larger than any
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages(q, QR_GFP_KERNEL, QR_MAX_PAGE_ORDER + 1), "no page");
}

MISUSE(.commit = commit,
       .line = "page allocation: order 11 is above the largest, 10 (QR_MAX_PAGE_ORDER)")
