/* SPDX-License-Identifier: MIT */
/*
 * managed_too_many.c - a balloon gives back more than it took
 */
#include "misuse.h"

static void commit(struct quire *q)
{
	struct qr_page *page = qr_pfn_to_page(q, MISUSE_RESERVED);

	misuse_expect(qr_adjust_managed_page_count(q, page, MISUSE_PAGES) == QR_EINVAL, "refused");
}

MISUSE(.commit = commit,
       .line = "managed pages of zone Normal of node 0 cannot change by 8192: 8128 are "
	       "managed, and 0 were taken out")
