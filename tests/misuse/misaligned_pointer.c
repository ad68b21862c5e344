/* SPDX-License-Identifier: MIT */
/*
 * misaligned_pointer.c - a pointer into the middle of a page record is freed
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	struct qr_page *page = qr_alloc_pages(q, QR_GFP_KERNEL, 0);

	misuse_pointer = (char *)page + 8;
}

static void commit(struct quire *q)
{
	qr___free_pages(q, (struct qr_page *)(uintptr_t)misuse_pointer, 0);
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of <ptr>, order 0, refused: it is no page of this instance")
