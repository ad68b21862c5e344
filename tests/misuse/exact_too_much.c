/* SPDX-License-Identifier: MIT */
/*
 * exact_too_much.c - an exact free of more than one allocation can have
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_alloc_pages_exact(q, QR_PAGE_SIZE, QR_GFP_KERNEL);
}

static void commit(struct quire *q)
{
	qr_free_pages_exact(q, misuse_page, (size_t)(2 * QR_MAX_ORDER_NR_PAGES * QR_PAGE_SIZE));
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "exact free of 8388608 bytes: more than one allocation can have")
