/* SPDX-License-Identifier: MIT */
/*
 * stress_pages.c - what pages contain, and who holds them
 *
 * The words of a page are made from its pfn and the key of its block, so that a page whose bytes
 * came from another page, or from an earlier owner, is recognised.  Small blocks are filled and
 * verified to the last byte.  Of large ones only both ends of each page are: the time would go
 * into memory bandwidth, and what an allocator can do wrong shows there as well.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stress.h"

enum { LIGHT_FROM_ORDER = 4, END_WORDS = 8 };
enum { PAGE_WORDS = (1 << QR_PAGE_SHIFT) / 8 };

bool holding_put(struct holding_list *list, const struct holding *holding)
{
	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct holding *holdings = realloc(list->holdings, room * sizeof(*holdings));

		if (!holdings)
			return false;
		list->holdings = holdings;
		list->room = room;
	}
	list->holdings[list->nr++] = *holding;
	return true;
}

/* Contents --------------------------------------------------------------------------------- */

static uint64_t page_base(qr_pfn_t pfn, uint64_t key)
{
	uint64_t x = (pfn ^ key) * UINT64_C(0x9e3779b97f4a7c15);

	return x ^ x >> 29;
}

static void words_fill(uint64_t *words, unsigned from, unsigned to, uint64_t base)
{
	for (unsigned i = from; i < to; i++)
		words[i] = base + i;
}

/* 0 when all words are as they were written; without a branch per word. */
static uint64_t words_differ(const uint64_t *words, unsigned from, unsigned to, uint64_t base)
{
	uint64_t difference = 0;

	for (unsigned i = from; i < to; i++)
		difference |= words[i] ^ (base + i);
	return difference;
}

static uint64_t words_any(const uint64_t *words, unsigned from, unsigned to)
{
	uint64_t any = 0;

	for (unsigned i = from; i < to; i++)
		any |= words[i];
	return any;
}

static void page_fill(uint64_t *words, uint64_t base, bool light)
{
	if (!light) {
		words_fill(words, 0, PAGE_WORDS, base);
		return;
	}
	words_fill(words, 0, END_WORDS, base);
	words_fill(words, PAGE_WORDS - END_WORDS, PAGE_WORDS, base);
}

static bool page_differs(const uint64_t *words, uint64_t base, bool light)
{
	if (!light)
		return words_differ(words, 0, PAGE_WORDS, base) != 0;
	return (words_differ(words, 0, END_WORDS, base) |
		words_differ(words, PAGE_WORDS - END_WORDS, PAGE_WORDS, base)) != 0;
}

static uint64_t *holding_words(const struct stress *stress, const struct holding *holding)
{
	return stress->has_memory ? qr_page_address(stress->q, holding->page) : NULL;
}

/* Tell which word is wrong: that is what one looks for in a core dump. */
static void difference_report(struct stress *stress, const struct holding *holding, qr_pfn_t pfn,
			      const uint64_t *words, uint64_t base)
{
	unsigned at = 0;

	while (at < PAGE_WORDS - 1 &&
	       (words[at] == base + at ||
		(holding->light && at >= END_WORDS && at < PAGE_WORDS - END_WORDS)))
		at++;
	stress_fault(stress,
		     "contents changed: pfn 0x%" PRIx64 " (block of order %u), byte %u: 0x%" PRIx64
		     ", written was 0x%" PRIx64,
		     pfn, holding->order, at * 8, words[at], base + at);
}

void pages_verify(struct stress *stress, const struct holding *holding)
{
	const uint64_t *words = holding_words(stress, holding);
	qr_pfn_t pfn = qr_page_to_pfn(stress->q, holding->page);

	for (uint32_t i = 0; words && i < holding->nr_pages; i++, words += PAGE_WORDS) {
		uint64_t base = page_base(pfn + i, holding->key);

		if (page_differs(words, base, holding->light)) {
			difference_report(stress, holding, pfn + i, words, base);
			return;
		}
	}
}

void pages_verify_zero(struct stress *stress, const struct holding *holding)
{
	const uint64_t *words = holding_words(stress, holding);
	qr_pfn_t pfn = qr_page_to_pfn(stress->q, holding->page);

	for (uint32_t i = 0; words && i < holding->nr_pages; i++, words += PAGE_WORDS) {
		if (words_any(words, 0, PAGE_WORDS) != 0) {
			stress_fault(stress,
				     "not zero: pfn 0x%" PRIx64
				     " (block of order %u), allocated with __GFP_ZERO",
				     pfn + i, holding->order);
			return;
		}
	}
}

/* Owners ----------------------------------------------------------------------------------- */

static void owner_enter(struct worker *worker, qr_pfn_t pfn)
{
	struct stress *stress = worker->stress;
	uint8_t former;

	if (pfn >= stress->end_pfn) {
		stress_fault(stress, "pfn 0x%" PRIx64 " is beyond the end of memory", pfn);
		return;
	}
	former = atomic_exchange_explicit(&stress->owners[pfn], (uint8_t)(1 + worker->id % 255),
					  memory_order_relaxed);
	if (former != 0)
		stress_fault(stress,
			     "pfn 0x%" PRIx64 " was handed to thread %u while thread %u holds it",
			     pfn, worker->id, former - 1);
}

static void owner_leave(struct stress *stress, qr_pfn_t pfn)
{
	if (pfn < stress->end_pfn &&
	    atomic_exchange_explicit(&stress->owners[pfn], 0, memory_order_relaxed) == 0)
		stress_fault(stress, "pfn 0x%" PRIx64 " is about to be freed, but nobody holds it",
			     pfn);
}

void pages_claim(struct worker *worker, struct holding *holding)
{
	uint64_t *words = holding_words(worker->stress, holding);
	qr_pfn_t pfn = qr_page_to_pfn(worker->stress->q, holding->page);

	holding->light = holding->nr_pages >= 1u << LIGHT_FROM_ORDER;
	for (uint32_t i = 0; i < holding->nr_pages; i++) {
		owner_enter(worker, pfn + i);
		if (words)
			page_fill(words + (size_t)i * PAGE_WORDS, page_base(pfn + i, holding->key),
				  holding->light);
	}
}

static void holding_free(struct quire *q, const struct holding *holding)
{
	switch ((enum holding_kind)holding->kind) {
	case HOLD_BLOCK:
		qr___free_pages(q, holding->page, holding->order);
		break;
	case HOLD_FOLIO:
		qr_put_page(q, holding->page);
		break;
	case HOLD_EXACT:
		qr_free_pages_exact(q, holding->page, (size_t)holding->nr_pages << QR_PAGE_SHIFT);
		break;
	}
}

uint64_t pages_release(struct stress *stress, const struct holding *holding)
{
	qr_pfn_t pfn = qr_page_to_pfn(stress->q, holding->page);

	pages_verify(stress, holding);
	for (uint32_t i = 0; i < holding->nr_pages; i++)
		owner_leave(stress, pfn + i);
	holding_free(stress->q, holding);
	if (!stress->has_memory)
		return 0;
	return holding->nr_pages * (holding->light ? UINT64_C(16) * END_WORDS : QR_PAGE_SIZE);
}
