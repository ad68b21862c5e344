/* SPDX-License-Identifier: MIT */
/*
 * unreserve_ram.c - a page that is not reserved is freed as a reserved one
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	misuse_page = qr_pfn_to_page(q, MISUSE_RESERVED);
	misuse_expect(qr_free_reserved_page(q, MISUSE_RESERVED) == QR_EINVAL, "refused");
}

MISUSE(.commit = commit,
       .line = "free of reserved pfn <pfn>: it is not a reserved page, or no longer one")
