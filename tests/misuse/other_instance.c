/* SPDX-License-Identifier: MIT */
/*
 * other_instance.c - a page of one instance is freed into another
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	(void)q;
	misuse_pointer = qr_alloc_pages(misuse_other(), QR_GFP_KERNEL, 0);
}

static void commit(struct quire *q)
{
	qr___free_pages(q, (struct qr_page *)(uintptr_t)misuse_pointer, 0);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of <ptr>, order 0, refused: it is no page of this instance")
