/* SPDX-License-Identifier: MIT */
/*
 * foreign_pfn.c - the number of a frame that the instance does not have is freed
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	qr_free_pfn(q, UINT64_C(1) << 40, 0);
}

MISUSE(.commit = commit,
       .line = "free of pfn 0x10000000000, order 0, refused: it is no page of this "
	       "instance")
