/* SPDX-License-Identifier: MIT */
/*
 * null_pointer.c - NULL is freed
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	qr___free_pages(q, NULL, 0);
}

MISUSE(.commit = commit, .line = "free of 0x0, order 0, refused: it is no page of this instance")
