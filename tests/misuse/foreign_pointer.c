/* SPDX-License-Identifier: MIT */
/*
 * foreign_pointer.c - something that is no page record is freed
 */
#include "misuse.h"

static uint64_t no_page[8];

static void commit(struct quire *q)
{
	misuse_pointer = no_page;
	qr___free_pages(q, (struct qr_page *)(void *)no_page, 0);
}

MISUSE(.commit = commit, .line = "free of <ptr>, order 0, refused: it is no page of this instance")
