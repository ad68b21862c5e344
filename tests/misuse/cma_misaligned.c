/* SPDX-License-Identifier: MIT */
/*
 * cma_misaligned.c - half a pageblock is to become CMA memory
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_page = qr_pfn_to_page(q, 32);
	misuse_expect(qr_init_cma_reserved_pageblock(q, 32) == QR_EINVAL, "refused");
}

MISUSE(.commit = commit,
       .line = "CMA pageblock at pfn <pfn>: it must be a whole, aligned pageblock of "
	       "reserved pages")
