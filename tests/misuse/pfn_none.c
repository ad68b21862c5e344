/* SPDX-License-Identifier: MIT */
/*
 * pfn_none.c - what an allocation by number returned that had failed is freed, of any order
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	qr_free_pfn(q, QR_PFN_NONE, 3);
}

MISUSE(.commit = commit,
       .line = "free of pfn 0xffffffffffffffff, order 3, refused: it is no page of this instance")
