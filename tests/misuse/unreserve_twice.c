/* SPDX-License-Identifier: MIT */
/*
 * unreserve_twice.c - a reserved page is freed twice
 */
#include "misuse.h"

static void prepare(struct quire *q)
{
	misuse_page = qr_pfn_to_page(q, 9);
	misuse_expect(qr_free_reserved_page(q, 9) == 0, "the first time");
}

static void commit(struct quire *q)
{
	misuse_expect(qr_free_reserved_page(q, 9) == QR_EINVAL, "refused");
}

MISUSE(.prepare = prepare, .commit = commit,
       .line = "free of reserved pfn <pfn>: it is not a reserved page, or no longer one")
