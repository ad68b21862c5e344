/* SPDX-License-Identifier: MIT */
/*
 * frag_align.c - a page fragment aligned to 3
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	struct qr_page_frag_cache cache = {.page = NULL};

	misuse_expect(!qr_page_frag_alloc(q, &cache, 64, 3, QR_GFP_KERNEL), "no piece");
}

MISUSE(.commit = commit,
       .line = "page fragment of 64 bytes aligned to 3: size must not be 0, align must "
	       "be a power of 2")
