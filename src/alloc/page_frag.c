/* SPDX-License-Identifier: MIT */
/*
 * alloc/page_frag.c - small pieces of pages
 *
 * A cache holds one block and carves pieces off its end, downwards, so that the next piece's place
 * is a subtraction.  Each piece is a reference to the block; the block is free when the last piece
 * is.  To spare the locked instruction for each piece, the cache takes many references at once (its
 * bias) and hands them out; what is left of them is given back when the block is used up.  If all
 * pieces have come back by then, the block is used again.
 *
 * A cache belongs to its caller, who keeps others away; pieces may be freed from anywhere.
 */
#include "allocator.h"

#define FRAG_BLOCK_SIZE 32768u
#define FRAG_BIAS ((int32_t)FRAG_BLOCK_SIZE + 1)

static unsigned frag_order(void)
{
	return FRAG_BLOCK_SIZE > QR_PAGE_SIZE ? qr__order_for(FRAG_BLOCK_SIZE / QR_PAGE_SIZE) : 0;
}

/* A large block if that costs nothing, else a page. */
static struct qr_page *frag_block(struct quire *q, qr_gfp_t gfp)
{
	qr_gfp_t light = (gfp & ~QR___GFP_DIRECT_RECLAIM) | QR___GFP_COMP | QR___GFP_NOWARN |
			 QR___GFP_NORETRY | QR___GFP_NOMEMALLOC;
	struct qr_page *page = NULL;

	if (frag_order() && frag_order() <= QR_MAX_PAGE_ORDER)
		page = qr_alloc_pages(q, light, frag_order());
	return page ? page : qr_alloc_pages(q, gfp, 0);
}

/* The references of a block that nobody else holds: all in the cache's hand. */
static void cache_recharge(struct qr_page_frag_cache *cache)
{
	cache->bias = FRAG_BIAS;
	cache->offset = cache->size;
}

static bool cache_refill(struct quire *q, struct qr_page_frag_cache *cache, qr_gfp_t gfp)
{
	struct qr_page *page = frag_block(q, gfp);
	struct qr_page_state *state;

	cache->page = page;
	if (!page)
		return false;
	state = qr__page_state(qr__frames(q), page);
	qr__page_settle(qr__frames(q), page);
	qr__state_refs_add(state, FRAG_BIAS - 1);
	cache->size = (unsigned)(QR_PAGE_SIZE << qr__state_order(state));
	cache->pfmemalloc = qr__page_test(page, QR_PG_PFMEMALLOC);
	cache_recharge(cache);
	return true;
}

/* Drop the cache's own references; true: they were the last, and the block is the caller's. */
static bool cache_unbias(struct qr_page_state *state, const struct qr_page_frag_cache *cache)
{
	return qr__state_refs_drop(state, cache->bias) == cache->bias;
}

static void cache_release(struct quire *q, struct qr_page_frag_cache *cache)
{
	struct qr_page_state *state = qr__page_state(qr__frames(q), cache->page);

	if (cache_unbias(state, cache))
		qr__free_unref_page(qr__allocator(q), cache->page, qr__state_order(state));
	cache->page = NULL;
}

/* The block is used up: begin it anew if all its pieces are back, else another one. */
static bool cache_renew(struct quire *q, struct qr_page_frag_cache *cache, qr_gfp_t gfp)
{
	struct qr_page *page = cache->page;
	struct qr_page_state *state = page ? qr__page_state(qr__frames(q), page) : NULL;

	if (state && cache_unbias(state, cache)) {
		if (!cache->pfmemalloc) {
			qr__state_refs_add(state, FRAG_BIAS);
			cache_recharge(cache);
			return true;
		}
		/* Memory of the reserves is not kept for ordinary use. */
		qr__free_unref_page(qr__allocator(q), page, qr__state_order(state));
	}
	return cache_refill(q, cache, gfp);
}

static bool frag_legal(struct qr_allocator *alloc, unsigned size, unsigned align)
{
	return QR_CHECK(qr__alloc_base(alloc), alloc->has_address,
			"page fragment: the platform has no page_address hook") &&
	       QR_CHECK(qr__alloc_base(alloc), size && align && !(align & (align - 1)),
			"page fragment of %u bytes aligned to %u: size must not be 0, align "
			"must be a power of 2",
			size, align);
}

void *qr_page_frag_alloc(struct quire *q, struct qr_page_frag_cache *cache, unsigned size,
			 unsigned align, qr_gfp_t gfp)
{
	char *address;

	if (!frag_legal(qr__allocator(q), size, align))
		return NULL;
	if ((!cache->page || cache->offset < size) && !cache_renew(q, cache, gfp))
		return NULL;
	if (cache->offset < size)
		return NULL; /* larger than a page, and there was no more than a page */
	address = qr_page_address(q, cache->page);
	if (!address)
		return NULL;
	cache->offset = (cache->offset - size) & ~(align - 1);
	cache->bias--;
	return address + cache->offset;
}

void qr_page_frag_free(struct quire *q, void *piece)
{
	struct qr_allocator *alloc = qr__allocator(q);
	const struct qr_platform *platform = &qr__alloc_base(alloc)->platform;
	qr_pfn_t pfn = QR_PFN_NONE;
	struct qr_page *page;

	if (!piece)
		return;
	if (platform->address_to_pfn)
		pfn = platform->address_to_pfn(platform->ctx, piece);
	page = pfn == QR_PFN_NONE ? NULL : qr_pfn_to_page(q, pfn);
	if (!QR_CHECK(qr__alloc_base(alloc), page,
		      "page fragment: %p is in no page of this instance", piece))
		return;
	qr_put_page(q, qr__compound_head(&alloc->frames, page));
}

void qr_page_frag_cache_drain(struct quire *q, struct qr_page_frag_cache *cache)
{
	if (cache->page)
		cache_release(q, cache);
}
