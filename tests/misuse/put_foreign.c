/* SPDX-License-Identifier: MIT */
/*
 * put_foreign.c - a reference to no page is dropped
 */
#include "misuse.h"

static char no_page[64];

static void commit(struct quire *q)
{
	misuse_pointer = no_page;
	misuse_expect(!qr_put_page(q, (struct qr_page *)(void *)no_page), "nothing was freed");
}

MISUSE(.commit = commit, .line = "put of <ptr>, order 0, refused: it is no page of this instance")
