/* SPDX-License-Identifier: MIT */
/*
 * exact_nothing.c - an exact allocation of nothing
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages_exact(q, 0, QR_GFP_KERNEL), "no page");
}

MISUSE(.commit = commit, .line = "exact allocation of 0 bytes: ask for at least 1")
