/* SPDX-License-Identifier: MIT */
/*
 * unknown_node.c - memory of a node is asked for that does not exist
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_expect(!qr_alloc_pages_node(q, 7, QR_GFP_KERNEL, 0), "no page");
}

MISUSE(.commit = commit, .line = "page allocation: there is no node 7; nodes are 0 to 0")
