/* SPDX-License-Identifier: MIT */
/*
 * no_addresses.c - an address is asked for where there are none
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_get_free_pages(q, QR_GFP_KERNEL, 0), "no address");
}

MISUSE(.commit = commit, .no_bytes = true,
       .line = "allocation by address: the platform has no page_address hook")
