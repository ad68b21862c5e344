/* SPDX-License-Identifier: MIT */
/*
 * buddy/bitmap_check.c - the bitmap engine's invariants, executed
 *
 * Everything is counted anew from the bits and compared with what is kept.
 */
#include "bitmap.h"

struct recount {
	struct qr_zone *zone;
	struct bitmap_buddy *buddy;
	struct qr_error_text *why;
	uint64_t nr[QR_MIGRATE_TYPES][QR_NR_PAGE_ORDERS];
	uint64_t pages[QR_MIGRATE_TYPES];
};

static unsigned long long ull(uint64_t x)
{
	return x;
}

static unsigned long long pfn_of(const struct recount *c, uint32_t i)
{
	return bitmap_pfn(c->buddy, i);
}

/* B7: no bit outside the zone, nor for a frame whose record says that it is in use. */
static unsigned frames_check(struct recount *c, uint32_t i)
{
	const struct qr_frames *frames = c->zone->frames;
	bool whole = bitmap_is_whole(c->buddy, i);

	for (unsigned at = 0; at < QR_PAGEBLOCK_NR_PAGES; at++) {
		qr_pfn_t pfn = bitmap_pfn(c->buddy, i) + at;
		uint64_t word;

		if (!whole && !line_test(&c->buddy->lines[i], at))
			continue;
		if (whole && line_test(&c->buddy->lines[i], at)) {
			qr__why(c->why, "B7: frame %#llx has a bit, but its pageblock is whole",
				ull(pfn));
			return 7;
		}
		if (!qr__zone_spans(c->zone, pfn) || !qr__pfn_in_span(frames, pfn)) {
			qr__why(c->why, "B7: frame %#llx is free but outside its zone", ull(pfn));
			return 7;
		}
		word = qr__pfn_word(frames, pfn);
		if (qr__word_type(word) == QR_PT_INUSE || qr__word_refcount(word)) {
			qr__why(c->why,
				"B7: frame %#llx is free but in use (type %u, %d references)",
				ull(pfn), qr__word_type(word), qr__word_refcount(word));
			return 7;
		}
	}
	return 0;
}

/* B8, B9: state and file of one pageblock, against its bits. */
static unsigned part_check(struct recount *c, uint32_t i, unsigned nr_bits, int largest)
{
	const struct bitmap_block *block = &c->buddy->blocks[i];
	enum qr_migratetype type = qr__pageblock_type(c->zone->frames, bitmap_pfn(c->buddy, i));
	struct bitmap_row row;

	if (!block->part) {
		if (!nr_bits)
			return 0;
		qr__why(c->why, "B8: pageblock %#llx is in no container but has %u free pages",
			pfn_of(c, i), nr_bits);
		return 8;
	}
	if (!nr_bits || nr_bits == QR_PAGEBLOCK_NR_PAGES) {
		qr__why(c->why, "B8: pageblock %#llx is filed as a part but has %u free pages",
			pfn_of(c, i), nr_bits);
		return 8;
	}
	if (block->loose) {
		qr__why(c->why, "B14: pageblock %#llx is loose, and its zone locked", pfn_of(c, i));
		return 14;
	}
	if (block->type != type || block->largest != largest ||
	    block->bin > bitmap_bin_for(c->buddy, nr_bits) || block->order != largest) {
		qr__why(c->why,
			"B9: pageblock %#llx of type %u, largest order %d, %u free is filed "
			"under type %u, order %u, bin %u",
			pfn_of(c, i), type, largest, nr_bits, block->type, block->order,
			block->bin);
		return 9;
	}
	row = bitmap_row(c->buddy, bitmap_stripe(c->buddy, i), block->type, block->order);
	if (!(row.filled[block->bin / 64] >> (block->bin % 64) & 1) || !row.bin[block->bin]) {
		qr__why(c->why, "B9: pageblock %#llx is filed in bin %u, which is empty",
			pfn_of(c, i), block->bin);
		return 9;
	}
	return 0;
}

static unsigned block_check(struct recount *c, uint32_t i)
{
	const struct bitmap_block *block = &c->buddy->blocks[i];
	struct bits bits = line_load(&c->buddy->lines[i]);
	int64_t nr[QR_PAGEBLOCK_ORDER + 1] = {0};
	unsigned nr_bits = 0, broken;
	struct heads heads;
	int largest;

	for (unsigned w = 0; w < LINE_WORDS; w++)
		nr_bits += qr__popcount64(bits.word[w]);
	heads_of(&bits, &heads);
	largest = heads_count(&heads, nr, 1);
	if (nr_bits != block->nr_free) {
		qr__why(c->why, "B8: pageblock %#llx has %u free pages but counts %u", pfn_of(c, i),
			nr_bits, block->nr_free);
		return 8;
	}
	broken = frames_check(c, i);
	if (broken)
		return broken;
	broken = part_check(c, i, nr_bits, largest);
	if (broken || !nr_bits)
		return broken;
	if (!block->counted && !qr__bit_test(c->buddy->stale, i)) {
		qr__why(c->why, "B12: pageblock %#llx is a part that nobody will count",
			pfn_of(c, i));
		return 12;
	}
	for (unsigned k = 0; block->counted && k < NR_PART_ORDERS; k++)
		c->nr[block->type][k] += (uint64_t)nr[k];
	c->pages[block->type] += nr_bits;
	return 0;
}

/* B12: what was counted, against what is kept. */
static unsigned counts_check(struct recount *c)
{
	uint64_t all = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		for (unsigned k = 0; k < QR_NR_PAGE_ORDERS; k++) {
			uint64_t kept = qr__bitmap_nr_blocks_type_racy(c->zone, k,
								       (enum qr_migratetype)type);

			if (kept == c->nr[type][k])
				continue;
			qr__why(c->why,
				"B12: %llu free blocks of type %u, order %u, but %llu are counted",
				ull(c->nr[type][k]), type, k, ull(kept));
			return 12;
		}
		if (type != QR_MIGRATE_ISOLATE)
			all += c->pages[type];
	}
	if (all != qr__read(&c->zone->nr_free_pages) ||
	    c->pages[QR_MIGRATE_CMA] != qr__read(&c->zone->nr_free_cma) ||
	    c->pages[QR_MIGRATE_HIGHATOMIC] != qr__read(&c->zone->nr_free_highatomic)) {
		qr__why(c->why,
			"B12: %llu pages are free (%llu CMA, %llu HIGHATOMIC) but %llu (%llu, "
			"%llu) counted",
			ull(all), ull(c->pages[QR_MIGRATE_CMA]),
			ull(c->pages[QR_MIGRATE_HIGHATOMIC]),
			ull(qr__read(&c->zone->nr_free_pages)),
			ull(qr__read(&c->zone->nr_free_cma)),
			ull(qr__read(&c->zone->nr_free_highatomic)));
		return 12;
	}
	return 0;
}

/* B9, B13: one bin holds only what is filed in it.  Adds up its pageblocks and their pages. */
static unsigned bin_check(struct recount *c, unsigned s, const struct bitmap_row *row, unsigned bin,
			  uint32_t *nr, uint64_t *pages)
{
	uint32_t i = row->bin[bin] - 1, prev = QR_LIST_NONE;

	if ((row->filled[bin / 64] >> (bin % 64) & 1) != (i != QR_LIST_NONE)) {
		qr__why(c->why, "B9: the bitmap of bins is wrong about bin %u", bin);
		return 9;
	}
	for (; i != QR_LIST_NONE && *nr <= c->buddy->nr_blocks; (*nr)++) {
		const struct bitmap_block *block = &c->buddy->blocks[i];

		if (i >= c->buddy->nr_blocks || bitmap_stripe_of(c->buddy, i) != s) {
			qr__why(c->why, "B13: stripe %u, bin %u holds another stripe's pageblock",
				s, bin);
			return 13;
		}
		if (!block->part || block->bin != bin || block->link.prev != prev) {
			qr__why(c->why, "B9: pageblock %#llx is on the list of bin %u by mistake",
				pfn_of(c, i), bin);
			return 9;
		}
		*pages += block->nr_free;
		prev = i;
		i = block->link.next;
	}
	return 0;
}

static unsigned row_check(struct recount *c, unsigned s, const struct bitmap_row *row, uint32_t *nr,
			  uint64_t *pages)
{
	unsigned broken = 0;

	for (unsigned bin = 0; !broken && bin < c->buddy->nr_bins; bin++)
		broken = bin_check(c, s, row, bin, nr, pages);
	return broken;
}

/* B9: the lowest bin of a row that is not empty is known without a look at the row. */
static unsigned fullest_check(struct recount *c, unsigned s, unsigned type, unsigned order)
{
	const struct bitmap_stripe *stripe = &c->buddy->stripes[s];
	const struct bitmap_row row = bitmap_row(c->buddy, stripe, type, order);
	unsigned kept = atomic_load_explicit(&stripe->fullest[type][order], memory_order_relaxed);
	unsigned bin = 0;

	while (bin < c->buddy->nr_bins && !row.bin[bin])
		bin++;
	if ((bin < c->buddy->nr_bins ? bin : 0) == kept)
		return 0;
	qr__why(c->why,
		"B9: stripe %u has its fullest part of type %u, largest order %u in bin %u, not "
		"%u",
		s, type, order, bin, kept);
	return 9;
}

/* B9, B12, B13: a stripe's rows of one type. */
static unsigned rows_check(struct recount *c, unsigned s, unsigned type, uint64_t *filed)
{
	const struct bitmap_stripe *stripe = &c->buddy->stripes[s];
	uint32_t orders = atomic_load_explicit(&stripe->orders[type], memory_order_relaxed);
	uint64_t pages = 0;

	for (unsigned k = 0; k < NR_PART_ORDERS; k++) {
		const struct bitmap_row row = bitmap_row(c->buddy, stripe, type, k);
		uint32_t nr = 0;
		unsigned broken = row_check(c, s, &row, &nr, &pages);

		if (!broken)
			broken = fullest_check(c, s, type, k);
		if (broken)
			return broken;
		if ((orders >> k & 1) != (nr != 0)) {
			qr__why(c->why,
				"B12: stripe %u has %u parts of type %u, largest order %u, but "
				"orders %#x",
				s, nr, type, k, orders);
			return 12;
		}
		*filed += nr;
	}
	if (pages != qr__read(&stripe->part_pages[type])) {
		qr__why(c->why, "B13: stripe %u has %llu pages in parts of type %u, counts %llu", s,
			ull(pages), type, ull(qr__read(&stripe->part_pages[type])));
		return 13;
	}
	return 0;
}

/* B11, B10: is this pageblock, which is in a set, the head of such a block?  Counts it. */
static unsigned member_check(struct recount *c, uint32_t i, enum bitmap_class class, unsigned order)
{
	uint32_t nr = 1u << (order - QR_PAGEBLOCK_ORDER);

	for (uint32_t k = 0; k < nr; k++) {
		enum qr_migratetype type;

		if (i % nr || i >= c->buddy->nr_blocks || !bitmap_is_whole(c->buddy, i + k)) {
			qr__why(c->why,
				"B11: pageblock %#llx is in a set of whole blocks by mistake",
				pfn_of(c, i + k));
			return 11;
		}
		type = qr__pageblock_type(c->zone->frames, bitmap_pfn(c->buddy, i + k));
		if (bitmap_class_of(type) != class) {
			qr__why(c->why,
				"B10: pageblock %#llx of type %u lies in a free block of type %u",
				pfn_of(c, i + k), type, bitmap_class_type(class));
			return 10;
		}
	}
	c->nr[bitmap_class_type(class)][order]++;
	c->pages[bitmap_class_type(class)] += qr__order_pages(order);
	return 0;
}

/* B11: does the second floor of a set say of every word that is not 0 that there is one? */
static unsigned floor_check(struct recount *c, unsigned s, unsigned n)
{
	const struct bitmap_buddy *buddy = c->buddy;
	const uint64_t *set = bitmap_set(buddy, &buddy->stripes[s], n);
	const uint64_t *filled = set + buddy->set_words;

	for (uint32_t w = 0; w < buddy->set_words; w++) {
		if (set[w] && !(filled[w / 64] >> (w % 64) & 1)) {
			qr__why(c->why, "B11: stripe %u is wrong about word %u of set %u", s, w, n);
			return 11;
		}
	}
	return 0;
}

/* B11: one set of whole blocks.  Adds them up. */
static unsigned set_check(struct recount *c, unsigned s, unsigned class, unsigned order,
			  uint64_t *nr)
{
	const struct bitmap_buddy *buddy = c->buddy;
	unsigned n = class * NR_WHOLE_ORDERS + order - QR_PAGEBLOCK_ORDER;
	const uint64_t *set = bitmap_set(buddy, &buddy->stripes[s], n);
	uint32_t first = s << buddy->stripe_shift;

	if (floor_check(c, s, n))
		return 11;
	for (uint32_t w = 0; w < buddy->set_words; w++) {
		for (uint64_t word = set[w]; word; word &= word - 1, (*nr)++) {
			unsigned broken = member_check(c, first + w * 64 + qr__ctz64(word),
						       (enum bitmap_class) class, order);

			if (broken)
				return broken;
		}
	}
	return 0;
}

/* B11, B12: a stripe's sets of one class. */
static unsigned sets_check(struct recount *c, unsigned s, unsigned class)
{
	enum qr_migratetype type = bitmap_class_type((enum bitmap_class) class);
	uint32_t orders =
		atomic_load_explicit(&c->buddy->stripes[s].orders[type], memory_order_relaxed);

	for (unsigned order = QR_PAGEBLOCK_ORDER; order <= QR_MAX_PAGE_ORDER; order++) {
		uint64_t nr = 0;
		unsigned broken = set_check(c, s, class, order, &nr);

		if (broken)
			return broken;
		if ((orders >> order & 1) != (nr != 0)) {
			qr__why(c->why,
				"B12: stripe %u has %llu whole blocks of type %u, order %u, "
				"but orders %#x",
				s, ull(nr), type, order, orders);
			return 12;
		}
	}
	return 0;
}

/* B11: how many blocks of its stripe's sets has pageblock i? */
static unsigned nr_holders(const struct recount *c, uint32_t i)
{
	const struct bitmap_stripe *stripe = bitmap_stripe(c->buddy, i);
	unsigned nr = 0;

	for (unsigned n = 0; n < NR_CLASSES * NR_WHOLE_ORDERS; n++) {
		uint32_t head = i >> (n % NR_WHOLE_ORDERS) << (n % NR_WHOLE_ORDERS);

		nr += bitmap_set_has(bitmap_set(c->buddy, stripe, n), bitmap_place(c->buddy, head));
	}
	return nr;
}

/* B14: nothing came loose that was not gathered. */
static unsigned loose_check(const struct recount *c, unsigned s)
{
	const struct bitmap_stripe *stripe = &c->buddy->stripes[s];
	uint32_t types = atomic_load_explicit(&stripe->loose, memory_order_relaxed);
	uint64_t any = types;

	for (unsigned n = SET_LOOSE; n < SET_SEEN; n++)
		for (uint32_t word = 0; word < c->buddy->set_words; word++)
			any |= bitmap_set(c->buddy, stripe, n)[word];
	if (!any)
		return 0;
	qr__why(c->why, "B14: stripe %u has something loose, types %#x, and its zone is locked", s,
		types);
	return 14;
}

/* B11: what is whole is in a set. */
static unsigned all_sets_check(struct recount *c)
{
	for (unsigned s = 0; s < c->buddy->nr_stripes; s++) {
		if (loose_check(c, s))
			return 14;
		for (unsigned class = 0; class < NR_CLASSES; class ++) {
			unsigned broken = sets_check(c, s, class);

			if (broken)
				return broken;
		}
	}
	for (uint32_t i = 0; i < c->buddy->nr_blocks; i++) {
		unsigned nr = nr_holders(c, i);

		if (nr == bitmap_is_whole(c->buddy, i))
			continue;
		qr__why(c->why, "B11: pageblock %#llx is whole and lies in %u blocks of sets",
			pfn_of(c, i), nr);
		return 11;
	}
	return 0;
}

/* B9: what is a part is filed. */
static unsigned stripes_check(struct recount *c)
{
	uint64_t filed = 0, parts = 0;

	for (unsigned s = 0; s < c->buddy->nr_stripes; s++) {
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
			unsigned broken = rows_check(c, s, type, &filed);

			if (broken)
				return broken;
		}
	}
	for (uint32_t i = 0; i < c->buddy->nr_blocks; i++)
		parts += c->buddy->blocks[i].part;
	if (parts != filed) {
		qr__why(c->why, "B9: %llu pageblocks are parts, but %llu are filed", ull(parts),
			ull(filed));
		return 9;
	}
	return 0;
}

unsigned qr__bitmap_check(struct qr_zone *zone, struct qr_error_text *why)
{
	struct recount c = {.zone = zone, .buddy = bitmap_of(zone), .why = why};
	unsigned broken = 0;

	for (uint32_t i = 0; !broken && i < c.buddy->nr_blocks; i++)
		broken = block_check(&c, i);
	if (!broken)
		broken = stripes_check(&c);
	if (!broken)
		broken = all_sets_check(&c);
	return broken ? broken : counts_check(&c);
}
