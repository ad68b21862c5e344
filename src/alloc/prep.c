/* SPDX-License-Identifier: MIT */
/*
 * alloc/prep.c - a block on its way out or in: checks, contents, records
 *
 * Theory of operation
 * -------------------
 * In the common case there is nearly nothing to do: a free block's record is clean, so making it a
 * block in use is to set a type and a reference count, and the reverse is to set a type.  All else
 * is asked for by an option (poison, zeroing, checks, page owner), by the request (ZERO, COMP), or
 * by flags that the page gathered in use; one test of all these together decides, and the rest is
 * out of line.
 *
 * Contents
 * --------
 *	PAGE_POISON	freed frames are filled with 0xaa, and allocated ones verified: a write to
 *			memory that was free is found
 *	INIT_ON_FREE	freed frames are zeroed
 *	INIT_ON_ALLOC	allocated frames are zeroed, as with ZERO
 *
 * Memory that was never freed was never filled.  So each frame's own record has a flag, FILLED,
 * while the frame is free and holds what the options say.  Poison is verified before a frame is
 * zeroed (A27), and only zeroed memory need not be zeroed again.
 *
 * Checks (CHECK_PAGES, and with any of the above): a record that a free block should have left
 * clean and that is not, or a page that is freed while something still clings to it, is reported
 * and leaked: out of circulation for good, since nobody knows who else believes he owns it.  A
 * poisoned frame (HWPOISON) is leaked without a word: that is what should happen to it.
 */
#include "allocator.h"

#define POISON_BYTE 0xaa
#define POISON_WORD UINT64_C(0xaaaaaaaaaaaaaaaa)

/* Reports: 60, then silence until a minute after the first; poison: 10 in 5 seconds. */
#define BAD_BURST 60
#define BAD_WINDOW_NS UINT64_C(60000000000)
#define POISON_BURST 10
#define POISON_WINDOW_NS UINT64_C(5000000000)

/* Reports ---------------------------------------------------------------------------------- */

/*
 * One more of at most @burst in a window.  *again: a new window begins.  Threads that meet here may
 * let one too many pass.
 */
static bool ratelimit(struct qr_base *base, _Atomic uint64_t *window_ns,
		      _Atomic uint64_t *in_window, uint64_t burst, uint64_t length_ns, bool *again)
{
	uint64_t now = qr__now(base);
	uint64_t begin = qr__read(window_ns);

	*again = qr__read(in_window) && now - begin >= length_ns;
	if (!qr__read(in_window) || *again) {
		qr__write(window_ns, now);
		qr__write(in_window, 0);
	}
	return atomic_fetch_add_explicit(in_window, 1, memory_order_relaxed) < burst;
}

bool qr__bad_page_ratelimit(struct qr_allocator *alloc)
{
	struct qr_base *base = qr__alloc_base(alloc);
	uint64_t suppressed;
	bool again;
	bool pass = ratelimit(base, &alloc->bad_window_ns, &alloc->bad_in_window, BAD_BURST,
			      BAD_WINDOW_NS, &again);

	qr__stat(alloc, QR_STAT_BAD_PAGES, 1);
	if (!pass)
		atomic_fetch_add_explicit(&alloc->bad_suppressed, 1, memory_order_relaxed);
	if (!again)
		return pass;
	suppressed = atomic_exchange_explicit(&alloc->bad_suppressed, 0, memory_order_relaxed);
	if (suppressed)
		qr__log(base, QR_LOG_ERR, "BUG: Bad page state: %llu messages suppressed",
			(unsigned long long)suppressed);
	return pass;
}

static QR_COLD void bad_page_report(struct qr_allocator *alloc, const struct qr_page *page,
				    const char *reason)
{
	struct qr_base *base = qr__alloc_base(alloc);
	uint64_t word = qr__page_word(&alloc->frames, page);
	const struct qr_task *task = qr__current_task(base);

	if (!qr__bad_page_ratelimit(alloc))
		return;
	qr__log(base, QR_LOG_ERR, "BUG: Bad page state in process %u  pfn:%05llx",
		task ? task->id : 0, (unsigned long long)qr__page_pfn(&alloc->frames, page));
	qr__log(base, QR_LOG_ERR,
		"page: refcount:%d mapcount:%d mapping:%#x index:%#x flags:%#x type:%u order:%u",
		qr__word_refcount(word), qr__page_mapcount(page), qr__page_mapping(page),
		qr__page_place(page), qr__page_flags(page), (unsigned)qr__word_type(word),
		qr__word_order(word));
	qr__log(base, QR_LOG_ERR, "page dumped because: %s", reason);
}

/* Out of circulation, as a block. */
static void block_leak(struct qr_allocator *alloc, struct qr_page *head, unsigned order)
{
	qr__page_block_set(&alloc->frames, head, QR_PT_LEAKED, order);
}

void qr__bad_page(struct qr_allocator *alloc, struct qr_page *page, const char *reason)
{
	bad_page_report(alloc, page, reason);
	block_leak(alloc, page, qr__page_order(&alloc->frames, page));
}

/* Checks ----------------------------------------------------------------------------------- */

/* What is wrong with a record that should be clean but for @flags; of several, the last counts. */
static const char *record_fault(const struct qr_allocator *alloc, const struct qr_page *page,
				uint32_t flags, const char *flags_fault)
{
	const char *fault = NULL;

	if (qr__page_mapcount(page))
		fault = "nonzero mapcount";
	if (qr__page_mapping(page))
		fault = "non-NULL mapping";
	if (qr__page_refcount(&alloc->frames, page))
		fault = "nonzero _refcount";
	if (qr__page_test(page, flags))
		fault = flags_fault;
	if (qr__page_test(page, QR_PG_CHARGED))
		fault = "page still charged to cgroup";
	return fault;
}

/* True: bad. */
static bool new_page_check(struct qr_allocator *alloc, const struct qr_page *page)
{
	const char *fault;

	if (qr__page_test(page, QR_PG_HWPOISON))
		return true;
	fault = record_fault(alloc, page, QR_PG_CHECK_AT_PREP, "PAGE_FLAGS_CHECK_AT_PREP flag set");
	if (fault)
		bad_page_report(alloc, page, fault);
	return fault != NULL;
}

bool qr__check_new_pages(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	bool bad = false;

	if (!alloc->check_pages)
		return false;
	for (uint64_t i = 0; i < qr__order_pages(order); i++)
		bad |= new_page_check(alloc, page + i);
	if (bad)
		block_leak(alloc, page, order);
	return bad;
}

/* Contents --------------------------------------------------------------------------------- */

/* The bytes of a block; NULL: they cannot be reached. */
static uint8_t *block_bytes(const struct qr_allocator *alloc, const struct qr_page *page)
{
	const struct qr_platform *platform = &alloc->frames.base.platform;

	if (!alloc->has_address)
		return NULL;
	return platform->page_address(platform->ctx, qr__page_pfn(&alloc->frames, page));
}

/* After a free: fill it as the options say, and remember that in each frame's record. */
static void block_fill(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	uint8_t *bytes = block_bytes(alloc, page);
	int value = alloc->options & QR_OPT_PAGE_POISON ? POISON_BYTE : 0;

	if (!bytes)
		return;
	__builtin_memset(bytes, value, (size_t)(QR_PAGE_SIZE << order));
	for (uint64_t i = 0; i < qr__order_pages(order); i++)
		qr__page_set(&alloc->frames, page + i, QR_PG_FILLED);
}

/* A frame that leaves is no longer filled; true: it was. */
static bool frame_unmark(struct qr_frames *frames, struct qr_page *page)
{
	uint32_t flags = qr__page_flags(page);

	if (!(flags & QR_PG_FILLED))
		return false;
	qr__page_flags_set(frames, page, flags & ~QR_PG_FILLED);
	qr__page_review(frames, page);
	return true;
}

static size_t first_difference(const uint8_t *bytes)
{
	const uint64_t *words = (const uint64_t *)(const void *)bytes;
	size_t i = 0;

	while (i < QR_PAGE_SIZE / sizeof(uint64_t) && words[i] == POISON_WORD)
		i++;
	i *= sizeof(uint64_t);
	while (i < QR_PAGE_SIZE && bytes[i] == POISON_BYTE)
		i++;
	return i;
}

static size_t last_difference(const uint8_t *bytes)
{
	size_t i = QR_PAGE_SIZE - 1;

	while (bytes[i] == POISON_BYTE)
		i--;
	return i;
}

/* The differing span in hexadecimal, a line for each 16 bytes, and not more than a few. */
static void span_dump(struct qr_base *base, const uint8_t *bytes, size_t first, size_t last)
{
	enum { PER_LINE = 16, MAX_LINES = 8 };
	static const char digits[] = "0123456789abcdef";

	for (unsigned n = 0; n < MAX_LINES && first <= last; n++, first += PER_LINE) {
		char hex[3 * PER_LINE + 1];
		unsigned len = 0;

		for (size_t i = first; i <= last && i < first + PER_LINE; i++) {
			hex[len++] = ' ';
			hex[len++] = digits[bytes[i] >> 4];
			hex[len++] = digits[bytes[i] & 0xf];
		}
		hex[len] = '\0';
		qr__log(base, QR_LOG_ERR, "%03zx:%s", first, hex);
	}
}

static QR_COLD void corruption_report(struct qr_allocator *alloc, const struct qr_page *page,
				      const uint8_t *bytes, size_t first)
{
	struct qr_base *base = qr__alloc_base(alloc);
	size_t last = last_difference(bytes);
	uint8_t bits = bytes[first] ^ POISON_BYTE;
	bool single = first == last && !(bits & (bits - 1));
	bool again;

	if (!ratelimit(base, &alloc->poison_window_ns, &alloc->poison_in_window, POISON_BURST,
		       POISON_WINDOW_NS, &again))
		return;
	qr__log(base, QR_LOG_ERR,
		"pagealloc: %s: pfn %#llx was written to while it was free, bytes %zu to %zu",
		single ? "single bit error" : "memory corruption",
		(unsigned long long)qr__page_pfn(&alloc->frames, page), first, last);
	span_dump(base, bytes, first, last);
}

static void frame_verify(struct qr_allocator *alloc, const struct qr_page *page,
			 const uint8_t *bytes)
{
	size_t first = first_difference(bytes);

	if (first < QR_PAGE_SIZE)
		corruption_report(alloc, page, bytes, first);
}

/* On the way out: verify what was poisoned, zero what shall be and is not. */
static void block_open(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
		       qr_gfp_t gfp)
{
	bool zero = (gfp & QR___GFP_ZERO) || (alloc->options & QR_OPT_INIT_ON_ALLOC);
	bool marked = (alloc->options & (QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_FREE)) != 0;
	bool poison = (alloc->options & QR_OPT_PAGE_POISON) != 0;
	uint8_t *bytes = zero || marked ? block_bytes(alloc, page) : NULL;

	if (!bytes)
		return;
	if (!marked) {
		__builtin_memset(bytes, 0, (size_t)(QR_PAGE_SIZE << order));
		return;
	}
	for (uint64_t i = 0; i < qr__order_pages(order); i++, bytes += QR_PAGE_SIZE) {
		bool filled = frame_unmark(&alloc->frames, page + i);

		if (filled && poison)
			frame_verify(alloc, page + i, bytes);
		if (zero && (poison || !filled))
			__builtin_memset(bytes, 0, QR_PAGE_SIZE);
	}
}

/* Out -------------------------------------------------------------------------------------- */

void qr__prep_compound_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	uint32_t head = qr__page_index(&alloc->frames, page);
	unsigned zone_id = qr__state_zone_id(qr__page_state(&alloc->frames, page));

	for (uint64_t i = 1; i < qr__order_pages(order); i++) {
		qr__link_next_set(&page[i].link, head);
		qr__page_head_set(&alloc->frames, &page[i], zone_id, QR_PT_TAIL, 0);
	}
	qr__page_set(&alloc->frames, page, QR_PG_COMPOUND);
}

static QR_NOINLINE void new_page_prep_extras(struct qr_allocator *alloc, struct qr_page *page,
					     unsigned order, qr_gfp_t gfp, unsigned alloc_flags)
{
	block_open(alloc, page, order, gfp);
	if (alloc->events.owner_set)
		alloc->events.owner_set(qr__allocator_quire(alloc), page, order, gfp);
	if (order && (gfp & QR___GFP_COMP))
		qr__prep_compound_page(alloc, page, order);
	if (alloc_flags & QR_ALLOC_NO_WATERMARKS)
		qr__page_set(&alloc->frames, page, QR_PG_PFMEMALLOC);
	qr__page_open(&alloc->frames, page);
}

void qr_prep_new_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
		      qr_gfp_t gfp, unsigned alloc_flags)
{
	if (qr__unlikely((gfp & (QR___GFP_ZERO | QR___GFP_COMP)) |
			 (alloc_flags & QR_ALLOC_NO_WATERMARKS) |
			 (alloc->options & QR_OPT_PREP_EXTRAS)))
		new_page_prep_extras(alloc, page, order, gfp, alloc_flags);
	else
		qr__page_open(&alloc->frames, page);
}

/* In --------------------------------------------------------------------------------------- */

static void uncharge(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	if (alloc->charge.uncharge)
		alloc->charge.uncharge(alloc->charge_ctx, page, order);
	qr__page_clear(page, QR_PG_CHARGED);
}

/* A frame's flags that outlive its use. */
static void flags_wash(struct qr_frames *frames, struct qr_page *page)
{
	if (!qr__word_noted(qr__page_word(frames, page)))
		return;
	qr__page_flags_set(frames, page, qr__page_flags(page) & QR_PG_HWPOISON);
	qr__page_review(frames, page);
}

/* Undo a compound page's tail; false: it is not what it should be. */
static bool tail_undo(struct qr_allocator *alloc, struct qr_page *tail, uint32_t head)
{
	const char *fault = NULL;

	if (qr__page_type(&alloc->frames, tail) != QR_PT_TAIL)
		fault = "tail page lost its mark";
	else if (tail->link.next != head)
		fault = "tail page names another head";
	if (fault)
		bad_page_report(alloc, tail, fault);
	qr__page_type_set(&alloc->frames, tail, QR_PT_NONE);
	return !fault;
}

/* The records behind the head; false: one of them is bad. */
static bool tails_prepare(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	bool compound = qr__page_test(page, QR_PG_COMPOUND);
	uint32_t head = qr__page_index(&alloc->frames, page);
	bool good = true;

	if (!compound && !alloc->check_pages)
		return true;
	for (uint64_t i = 1; i < qr__order_pages(order); i++) {
		const char *fault = NULL;

		if (compound && !tail_undo(alloc, page + i, head))
			good = false;
		if (alloc->check_pages)
			fault = record_fault(alloc, page + i, QR_PG_CHECK_AT_FREE,
					     "PAGE_FLAGS_CHECK_AT_FREE flag(s) set");
		if (fault) {
			bad_page_report(alloc, page + i, fault);
			good = false;
		}
		flags_wash(&alloc->frames, page + i);
	}
	return good;
}

/* False: the head clings to something. */
static bool head_check(struct qr_allocator *alloc, struct qr_page *page)
{
	const char *fault;

	if (qr__page_test(page, QR_PG_ANON | QR_PG_MOVABLE_OPS))
		qr__page_mapping_set(&alloc->frames, page, 0);
	fault = record_fault(alloc, page, QR_PG_CHECK_AT_FREE,
			     "PAGE_FLAGS_CHECK_AT_FREE flag(s) set");
	if (fault)
		bad_page_report(alloc, page, fault);
	return !fault;
}

static void owner_reset(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	if (alloc->events.owner_reset)
		alloc->events.owner_reset(qr__allocator_quire(alloc), page, order);
}

bool qr_free_pages_prepare(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	bool good;

	QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_FREE,
		 .pfn = qr__page_pfn(&alloc->frames, page), .order = order);
	if (qr__page_test(page, QR_PG_CHARGED))
		uncharge(alloc, page, order);
	if (qr__page_test(page, QR_PG_MLOCKED)) {
		qr__page_clear(page, QR_PG_MLOCKED);
		qr__count(qr__alloc_base(alloc), QR_EV_UNEVICTABLE_PGS_CLEARED,
			  qr__order_pages(order));
	}
	if (qr__page_test(page, QR_PG_HWPOISON) && !order) {
		owner_reset(alloc, page, order);
		block_leak(alloc, page, order);
		return false;
	}
	good = tails_prepare(alloc, page, order);
	if (alloc->check_pages)
		good &= head_check(alloc, page);
	if (!good) {
		block_leak(alloc, page, order);
		return false;
	}
	qr__page_private_set(&alloc->frames, page, 0);
	flags_wash(&alloc->frames, page);
	owner_reset(alloc, page, order);
	if (alloc->options & (QR_OPT_PAGE_POISON | QR_OPT_INIT_ON_FREE))
		block_fill(alloc, page, order);
	return true;
}
