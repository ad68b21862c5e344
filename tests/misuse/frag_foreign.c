/* SPDX-License-Identifier: MIT */
/*
 * frag_foreign.c - a page fragment is freed that is none
 */
#include "misuse.h"

static char outside[16];

static void commit(struct quire *q)
{
	misuse_pointer = outside;
	qr_page_frag_free(q, outside);
}

MISUSE(.commit = commit, .line = "page fragment: <ptr> is in no page of this instance")
