/* SPDX-License-Identifier: MIT */
/*
 * alloc/exact.c - blocks cut to size, blocks cut apart, and blocks by address
 *
 * Frames come in powers of two.  An exact allocation takes the next larger block, makes single
 * pages of the part that was asked for and frees the surplus at once, to the cold ends of the
 * lists: it is what is left of a block that was just broken, and likely to be joined again.
 */
#include "allocator.h"

/* Cutting apart ---------------------------------------------------------------------------- */

/* What a part inherits from the block: who pays for it, and that it came from the reserves. */
#define SPLIT_KEEPS (QR_PG_CHARGED | QR_PG_PFMEMALLOC)

/* A block of its own out of the middle of one in use. */
static void part_init(struct qr_frames *frames, struct qr_page *part, const struct qr_page *head,
		      unsigned order, int32_t refcount)
{
	unsigned zone_id = qr__state_zone_id(qr__page_state(frames, head));

	qr__page_mapcount_set(frames, part, 0);
	qr__page_private_set(frames, part, 0);
	qr__page_flags_set(frames, part, qr__page_flags(head) & SPLIT_KEEPS);
	qr__page_review(frames, part);
	qr__page_head_set(frames, part, zone_id, QR_PT_INUSE, order);
	qr__state_refs_set(qr__page_state(frames, part), refcount);
}

/* Single pages of the first nr frames of a block that the caller owns alone. */
static void head_split(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
		       uint64_t nr)
{
	for (uint64_t i = 1; i < nr; i++)
		part_init(&alloc->frames, page + i, page, 0, 1);
	if (alloc->events.owner_split)
		alloc->events.owner_split(qr__allocator_quire(alloc), page, order);
	qr__page_order_set(&alloc->frames, page, 0);
}

int qr_split_page(struct quire *q, struct qr_page *page, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_frames *frames = &alloc->frames;
	const char *why = NULL;

	page = qr__page_validate(frames, page);
	if (!page)
		why = "it is no page of this instance";
	else if (qr__page_type(frames, page) != QR_PT_INUSE || qr__page_refcount(frames, page) <= 0)
		why = "it is not the first page of a block in use";
	else if (qr__page_test(page, QR_PG_COMPOUND))
		why = "it is a compound page";
	else if (qr__page_order(frames, page) != order)
		why = "it was allocated with another order";
	if (why) {
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"split of page at pfn %#llx, order %u, refused: %s",
			page ? (unsigned long long)qr__page_pfn(frames, page) : 0ULL, order, why);
		return QR_EINVAL;
	}
	head_split(alloc, page, order, qr__order_pages(order));
	return QR_OK;
}

/* Exact sizes ------------------------------------------------------------------------------ */

static uint64_t pages_for(size_t size)
{
	return ((uint64_t)size - 1) / QR_PAGE_SIZE + 1;
}

/* Free [from, 2^order) of a block in use, in the largest aligned pieces. */
static void surplus_free(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
			 uint64_t from)
{
	while (from < qr__order_pages(order)) {
		unsigned piece = qr__ctz64(from);

		part_init(&alloc->frames, page + from, page, piece, 0);
		qr___free_pages_ok(alloc, page + from, piece, QR_FPI_TO_TAIL);
		from += qr__order_pages(piece);
	}
}

struct qr_page *qr_alloc_pages_exact(struct quire *q, size_t size, qr_gfp_t gfp)
{
	struct qr_allocator *alloc = qr__allocator(q);
	const qr_gfp_t senseless = QR___GFP_COMP | QR___GFP_HIGHMEM;
	struct qr_page *page;
	uint64_t nr;
	unsigned order;

	if (!QR_CHECK(qr__alloc_base(alloc), size,
		      "exact allocation of 0 bytes: ask for at least 1"))
		return NULL;
	if (!QR_CHECK(qr__alloc_base(alloc), !(gfp & senseless),
		      "exact allocation: COMP and HIGHMEM make no sense here; ignored"))
		gfp &= ~senseless;
	nr = pages_for(size);
	order = qr__order_for(nr);
	page = qr_alloc_pages(q, gfp, order);
	if (!page)
		return NULL;
	head_split(alloc, page, order, nr);
	surplus_free(alloc, page, order, nr);
	return page;
}

void qr_free_pages_exact(struct quire *q, struct qr_page *page, size_t size)
{
	struct qr_allocator *alloc = qr__allocator(q);

	if (!page || !size)
		return;
	if (!QR_CHECK(qr__alloc_base(alloc), pages_for(size) <= QR_MAX_ORDER_NR_PAGES,
		      "exact free of %llu bytes: more than one allocation can have",
		      (unsigned long long)size))
		return;
	for (uint64_t i = 0, nr = pages_for(size); i < nr; i++)
		qr___free_pages(q, page + i, 0);
}

/* By address ------------------------------------------------------------------------------- */

void *qr_get_free_pages(struct quire *q, qr_gfp_t gfp, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_page *page;
	void *address;

	if (!QR_CHECK(qr__alloc_base(alloc), alloc->has_address,
		      "allocation by address: the platform has no page_address hook"))
		return NULL;
	page = qr_alloc_pages(q, gfp & ~QR___GFP_HIGHMEM, order);
	if (!page)
		return NULL;
	address = qr_page_address(q, page);
	if (!address)
		qr___free_pages(q, page, order);
	return address;
}

void *qr_get_zeroed_page(struct quire *q, qr_gfp_t gfp)
{
	return qr_get_free_pages(q, gfp | QR___GFP_ZERO, 0);
}

/* The record of the frame that holds this byte; NULL, with a word in the log: there is none. */
static struct qr_page *page_at_address(struct qr_allocator *alloc, const void *address)
{
	const struct qr_platform *platform = &qr__alloc_base(alloc)->platform;
	qr_pfn_t pfn = QR_PFN_NONE;

	if (platform->address_to_pfn)
		pfn = platform->address_to_pfn(platform->ctx, address);
	if (QR_CHECK(qr__alloc_base(alloc), pfn != QR_PFN_NONE,
		     "free by address: %p is in no page of this instance", address))
		return qr_pfn_to_page(qr__allocator_quire(alloc), pfn);
	return NULL;
}

void qr_free_pages(struct quire *q, void *address, unsigned order)
{
	struct qr_page *page;

	if (!address)
		return;
	page = page_at_address(qr__allocator(q), address);
	if (page)
		qr___free_pages(q, page, order);
}
