/* SPDX-License-Identifier: MIT */
/*
 * foreign_address.c - an address outside of all pages is freed
 */
#include "misuse.h"

static char outside[16];

static void commit(struct quire *q)
{
	misuse_pointer = outside;
	qr_free_pages(q, outside, 0);
}

MISUSE(.commit = commit, .line = "free by address: <ptr> is in no page of this instance")
