/* SPDX-License-Identifier: MIT */
/*
 * alloc/free.c - the way back: references, misuse, to the cache or to the zone
 *
 * Theory of operation
 * -------------------
 * A block is in use until its last reference is dropped.  Most blocks have one, and then the free
 * is an exchange of the state's word that also proves that nobody else has a reference, or can get
 * one any more.  Where nobody can take a reference to another's page meanwhile (speculation.c), it
 * need not even be one instruction.  What follows is the block's owner alone:
 *
 *	prepare (prep.c)	checks, uncharge, clean records, poison
 *	type PCP		free, but in nobody's list
 *	qr__pcp_free		to this CPU's cache; or, if that is taken or must be bypassed,
 *	qr_free_one_page	to the zone, where it joins its buddies
 *
 * Whose order counts
 * ------------------
 * The order of a block is in its head's record for as long as it is in use, compound or not.  A
 * caller says the order, too, and if they differ, nothing is freed: one of them is wrong.
 *
 * A plain block (not compound) to which somebody else has a reference, a scanner perhaps that took
 * it in passing, cannot be freed whole.  Its tails can, since nobody refers to them: they are freed
 * at once, and the first page alone by whoever drops the last reference (A25).  For that its record
 * is made to say order 0 by the same exchange that drops the caller's own reference.
 *
 * Misuse
 * ------
 * All that can be told from the record is told, in any build: a free of what is free, of a tail,
 * with the wrong order, of something that is no record at all.  One line says what and which page;
 * nothing is changed.  Only a free of a page that was freed and allocated again cannot be told from
 * a right one; and of two frees in the same few nanoseconds, the second may be told only when the
 * page comes to its zone twice (speculation.c).
 */
#include "../base/text.h"
#include "speculation.h"
#include "step.h"

/* To the zone ------------------------------------------------------------------------------ */

void qr___free_one_page(struct qr_zone *zone, qr_pfn_t pfn, unsigned order,
			enum qr_migratetype type, qr_fpi_t fpi)
{
	const struct qr_alloc_events *events = &qr__zone_allocator(zone)->events;
	enum qr_list_end end = fpi & QR_FPI_FRESH     ? QR_END_FRESH
			       : fpi & QR_FPI_TO_TAIL ? QR_END_COLD
						      : QR_END_AUTO;
	unsigned joined = zone->ops->give(zone, pfn, order, type, end);

	if (qr__unlikely(events->freed) && !(fpi & QR_FPI_SKIP_REPORT_NOTIFY))
		events->freed(zone, joined);
}

/* A part of a free block that is in no list becomes a block of its own. */
static void part_free_locked(struct qr_zone *zone, qr_pfn_t pfn, unsigned order, qr_fpi_t fpi)
	QR_REQUIRES(zone->lock)
{
	qr__page_head_set(zone->frames, qr__pfn_page(zone->frames, pfn), zone->id, QR_PT_PCP,
			  order);
	qr___free_one_page(zone, pfn, order, qr__pageblock_type(zone->frames, pfn), fpi);
}

/* Later parts join with earlier ones again where their types allow it. */
void qr_split_large_buddy(struct qr_zone *zone, qr_pfn_t pfn, unsigned order, qr_fpi_t fpi)
{
	unsigned part = (unsigned)qr__min(order, QR_PAGEBLOCK_ORDER);
	qr_pfn_t end_pfn = pfn + qr__order_pages(order);

	for (; pfn < end_pfn; pfn += qr__order_pages(part))
		part_free_locked(zone, pfn, part, fpi);
}

void qr_free_one_page(struct qr_zone *zone, struct qr_page *page, qr_pfn_t pfn, unsigned order,
		      qr_fpi_t fpi)
{
	unsigned long irqs = qr__zone_lock(zone);

	(void)page;
	qr_split_large_buddy(zone, pfn, order, fpi);
	qr__zone_unlock(zone, irqs);
}

/* Blocks nobody refers to ------------------------------------------------------------------ */

static QR_NOINLINE void zone_free(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
				  qr_fpi_t fpi)
{
	struct qr_zone *zone = qr__page_zone(&alloc->frames, page);
	qr_pfn_t pfn = qr__page_pfn(&alloc->frames, page);

	qr__count(qr__alloc_base(alloc), QR_EV_PGFREE, qr__order_pages(order));
	qr_free_one_page(zone, page, pfn, order, fpi);
}

/* Does the free of this page come to more than a change of its record? */
QR_INLINE bool free_is_unusual(const struct qr_allocator *alloc, uint64_t word)
{
	return qr__word_noted(word) || alloc->extras ||
	       qr__trace_on(&alloc->frames.base, QR_TP_MM_PAGE_FREE);
}

/* A block that nobody has and whose state says so, but that is in no cache yet. */
static void cached_free(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	struct qr_zone *zone = qr__page_zone(&alloc->frames, page);

	if (qr__unlikely(!qr__pcp_order_allowed(alloc, order)) ||
	    qr__unlikely(!qr__pcp_free(zone, page, order)))
		zone_free(alloc, page, order, QR_FPI_NONE);
}

static QR_NOINLINE void unref_page_free(struct qr_allocator *alloc, struct qr_page *page,
					unsigned order)
{
	if (free_is_unusual(alloc, qr__page_word(&alloc->frames, page)) &&
	    !qr_free_pages_prepare(alloc, page, order))
		return;
	qr__page_block_set(&alloc->frames, page, QR_PT_PCP, order);
	cached_free(alloc, page, order);
}

void qr__free_unref_page(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	unref_page_free(alloc, page, order);
}

void qr___free_pages_ok(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
			qr_fpi_t fpi)
{
	if (!qr_free_pages_prepare(alloc, page, order))
		return;
	qr__page_block_set(&alloc->frames, page, QR_PT_PCP, order);
	zone_free(alloc, page, order, fpi);
}

/* Misuse ----------------------------------------------------------------------------------- */

static bool type_in_use(enum qr_page_type type)
{
	return type == QR_PT_INUSE || type >= QR_PT_TABLE;
}

/* Does it lie in a free block, whose first record, if any, speaks for it? */
static bool lies_free(const struct qr_allocator *alloc, const struct qr_page *page)
{
	qr_pfn_t pfn = qr__page_pfn(&alloc->frames, page);
	struct qr_zone *zone = qr__pfn_zone(&alloc->frames, pfn);
	struct qr_block block;
	unsigned long irqs;
	bool found;

	if (!zone)
		return false;
	irqs = qr__zone_lock(zone);
	found = zone->ops->find(zone, pfn, &block);
	qr__zone_unlock(zone, irqs);
	return found;
}

/* Why this record does not speak for a block in use; NULL: it does. */
static const char *fault_of(const struct qr_allocator *alloc, const struct qr_page *page)
{
	uint64_t word = qr__page_word(&alloc->frames, page);

	switch (qr__word_type(word)) {
	case QR_PT_NONE:
		return lies_free(alloc, page) ? "it is free already"
					      : "it is not the first page of a block in use";
	case QR_PT_BUDDY:
	case QR_PT_PCP:
	case QR_PT_GUARD:
	case QR_PT_ISOLATED:
		return "it is free already";
	case QR_PT_TAIL:
		return "it is a tail page of a compound page";
	case QR_PT_LEAKED:
		return "it was misused before and is out of circulation";
	case QR_PT_OFFLINE:
	case QR_PT_UNACCEPTED:
		return "it is offline";
	default:
		return qr__word_refcount(word) > 0 ? NULL : "nobody has a reference to it";
	}
}

/* "; task 3, order 2, ..." if page owner knows. */
static void owner_say(struct qr_allocator *alloc, const struct qr_page *page, struct qr_text *text)
{
	char owner[96];

	if (alloc->events.owner_text &&
	    alloc->events.owner_text(qr__allocator_quire(alloc), page, owner, sizeof(owner)))
		qr__text_printf(text, "; owner: %s", owner);
}

static QR_COLD void misuse_report(struct qr_allocator *alloc, const char *what,
				  const struct qr_page *page, unsigned order, const char *why)
{
	struct qr_base *base = qr__alloc_base(alloc);
	char line[224];
	struct qr_text text = qr__text(line, sizeof(line));

	if (!qr__bad_page_ratelimit(alloc))
		return;
	if (!qr__page_validate(&alloc->frames, page)) {
		qr__log(base, QR_LOG_ERR, "%s of %p, order %u, refused: %s", what,
			(const void *)page, order, why);
		return;
	}
	qr__text_printf(&text, "%s of page at pfn %#llx, order %u, refused: %s (recorded order %u",
			what, (unsigned long long)qr__page_pfn(&alloc->frames, page), order, why,
			qr__page_order(&alloc->frames, page));
	owner_say(alloc, page, &text);
	qr__log(base, QR_LOG_ERR, "%s)", line);
}

#define NOT_OURS "it is no page of this instance"

/* May a reference to a block of this order be dropped?  If not, that is said. */
static QR_COLD bool free_legal(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	const char *why;

	if (!qr__page_validate(&alloc->frames, page))
		why = NOT_OURS;
	else
		why = fault_of(alloc, page);
	if (!why && qr__page_order(&alloc->frames, page) != order)
		why = "it was allocated with another order";
	if (why)
		misuse_report(alloc, "free", page, order, why);
	return !why;
}

/* References ------------------------------------------------------------------------------- */

/*
 * The tails of a plain block, each half of what is left as a block.  They inherit that the block
 * was charged, for each part is uncharged by itself.
 */
static void tails_free(struct qr_allocator *alloc, struct qr_page *head, unsigned order)
{
	struct qr_frames *frames = &alloc->frames;
	unsigned zone_id = qr__state_zone_id(qr__page_state(frames, head));
	uint32_t charged = qr__page_flags(head) & QR_PG_CHARGED;

	while (order-- > 0) {
		struct qr_page *part = head + qr__order_pages(order);

		qr__page_flags_set(frames, part, charged);
		qr__page_head_set(frames, part, zone_id, QR_PT_PCP, order);
		qr__free_unref_page(alloc, part, order);
	}
}

/* Was ours the only reference, and is it gone now? */
QR_INLINE bool only_reference_drop(struct qr_frames *frames, struct qr_page *page)
{
	uint64_t word = qr__page_word(frames, page);

	/* in any case: if it is shared, its order changes, by which its mark would be found */
	qr__page_settle(frames, page);
	return qr__word_refcount(word) == 1 &&
	       qr__state_exchange(qr__page_state(frames, page), &word, word - QR_STATE_REFS(1));
}

/*
 * Drop one of several references to a block; returns how many there were.  Whoever drops the last
 * one of a plain block shall see that only the first page is left to him: that is written with it.
 * Where there is no reference to drop, the record is somebody else's, and nothing may be written.
 */
static int32_t shared_reference_drop(struct qr_frames *frames, struct qr_page *page, bool plain)
{
	struct qr_page_state *state = qr__page_state(frames, page);
	uint64_t word = qr__page_word(frames, page);

	while (qr__word_refcount(word) > 0) {
		uint64_t less = word - QR_STATE_REFS(1);

		if (plain && qr__word_refcount(word) > 1)
			less &= ~QR_STATE_ORDER_MASK;
		if (qr__state_exchange(state, &word, less))
			break;
	}
	return qr__word_refcount(word);
}

/* Others have references, too; or nobody has. */
static QR_NOINLINE void shared_free(struct qr_allocator *alloc, struct qr_page *page,
				    unsigned order)
{
	bool plain = order && !qr__page_test(page, QR_PG_COMPOUND);
	int32_t before = shared_reference_drop(&alloc->frames, page, plain);

	if (before == 1)
		qr__free_unref_page(alloc, page, order);
	else if (before <= 0)
		misuse_report(alloc, "free", page, order, "nobody has a reference to it");
	else if (plain)
		tails_free(alloc, page, order);
}

/* By arithmetic and one cache line: is this a block in use, of this order? */
QR_INLINE bool free_looks_legal(const struct qr_allocator *alloc, const struct qr_page *page,
				unsigned order)
{
	uint64_t word;

	if (!qr__page_is_ours(&alloc->frames, page))
		return false;
	word = qr__page_word(&alloc->frames, page);
	return qr__word_type(word) == QR_PT_INUSE && qr__word_order(word) == order;
}

static QR_NOINLINE void checked_free(struct qr_allocator *alloc, struct qr_page *page,
				     unsigned order)
{
	if (!free_looks_legal(alloc, page, order) && !free_legal(alloc, page, order))
		return;
	if (qr__likely(only_reference_drop(&alloc->frames, page)))
		unref_page_free(alloc, page, order);
	else
		shared_free(alloc, page, order);
}

/*
 * Somebody came between: was the block half way to the cache?  Then it gets there.  False: it is
 * marked as one in use still.
 */
static QR_COLD bool doubt_resolve(struct qr_allocator *alloc, struct qr_page *page, unsigned order)
{
	if (qr__page_type(&alloc->frames, page) != QR_PT_PCP)
		return false;
	cached_free(alloc, page, order);
	return true;
}

/* By a step of the hook, where that is how they are gone; false: go the longer way. */
QR_INLINE bool step_retry(struct qr_allocator *alloc, struct qr_page *page, unsigned order,
			  enum qr_local_result step)
{
	if (step == QR_LOCAL_NOT && qr__steps(alloc) == QR_STEPS_BY_HOOK)
		step = qr__step_hook_free(alloc, page, order);
	if (qr__unlikely(step == QR_LOCAL_IN_DOUBT))
		return doubt_resolve(alloc, page, order);
	return step == QR_LOCAL_DONE;
}

static void longer_free(struct quire *q, uint64_t i, unsigned order, enum qr_local_result step)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_page *page = &alloc->frames.pages[i];

	if (!step_retry(alloc, page, order, step) && !qr__fast_free(alloc, page, order))
		checked_free(alloc, page, order);
}

/* Single pages have functions of their own, in which the order is no question. */
static QR_NOINLINE void single_free(struct quire *q, uint64_t i, enum qr_local_result step)
{
	longer_free(q, i, 0, step);
}

/* The step of a whole pageblock asks less, and that of all others has constants in common. */
static QR_NOINLINE void pageblock_free(struct quire *q, uint64_t i)
{
	enum qr_local_result step = qr__step_free(qr__allocator(q), i, QR_PAGEBLOCK_ORDER);

	if (qr__unlikely(step != QR_LOCAL_DONE))
		longer_free(q, i, QR_PAGEBLOCK_ORDER, step);
}

static QR_NOINLINE void blocks_free(struct quire *q, uint64_t i, unsigned order)
{
	enum qr_local_result step;

	QR_ASSUME(order && order != QR_PAGEBLOCK_ORDER);
	step = qr__step_free(qr__allocator(q), i, order);
	if (qr__unlikely(step != QR_LOCAL_DONE))
		longer_free(q, i, order, step);
}

/* By its place among the records, of which there is one. */
QR_INLINE void free_at(struct quire *q, uint64_t i, unsigned order)
{
	enum qr_local_result step;

	if (qr__unlikely(order)) {
		if (order == QR_PAGEBLOCK_ORDER)
			pageblock_free(q, i);
		else
			blocks_free(q, i, order);
		return;
	}
	step = qr__step_free(qr__allocator(q), i, 0);
	if (qr__unlikely(step != QR_LOCAL_DONE))
		single_free(q, i, step);
}

void qr___free_pages(struct quire *q, struct qr_page *page, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);

	if (qr__unlikely(i >= alloc->frames.nr_frames))
		misuse_report(alloc, "free", page, order, NOT_OURS);
	else
		free_at(q, i, order);
}

static QR_COLD void pfn_refuse(struct qr_allocator *alloc, qr_pfn_t pfn, unsigned order)
{
	if (qr__bad_page_ratelimit(alloc))
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"free of pfn %#llx, order %u, refused: " NOT_OURS, (unsigned long long)pfn,
			order);
}

void qr_free_pfn(struct quire *q, qr_pfn_t pfn, unsigned order)
{
	struct qr_allocator *alloc = qr__allocator(q);
	uint64_t i = pfn - alloc->frames.base_pfn;

	if (qr__unlikely(i >= alloc->frames.nr_frames))
		pfn_refuse(alloc, pfn, order);
	else
		free_at(q, i, order);
}

/* The head of whatever block this page belongs to; NULL: it is in none, and that was said. */
static struct qr_page *head_in_use(struct qr_allocator *alloc, const char *what,
				   struct qr_page *page)
{
	struct qr_page *head = qr__page_validate(&alloc->frames, page);
	const char *why;
	uint64_t word;

	if (qr__unlikely(!head)) {
		misuse_report(alloc, what, page, 0, NOT_OURS);
		return NULL;
	}
	head = qr__compound_head(&alloc->frames, head);
	word = qr__page_word(&alloc->frames, head);
	if (qr__likely(type_in_use(qr__word_type(word)) && qr__word_refcount(word) > 0))
		return head;
	why = fault_of(alloc, head);
	misuse_report(alloc, what, head, qr__word_order(word), why ? why : "it changed meanwhile");
	return NULL;
}

/* A plain block whose tails nobody freed goes whole: its record has its order. */
static QR_NOINLINE bool longer_put(struct qr_allocator *alloc, struct qr_page *page,
				   enum qr_local_result step)
{
	struct qr_page *head;
	int32_t before;

	if (step_retry(alloc, page, 0, step))
		return true;
	head = head_in_use(alloc, "put", page);
	if (!head)
		return false;
	before = only_reference_drop(&alloc->frames, head)
			 ? 1
			 : shared_reference_drop(&alloc->frames, head, false);
	if (before == 1)
		qr__free_unref_page(alloc, head, qr__page_order(&alloc->frames, head));
	else if (qr__unlikely(before <= 0))
		misuse_report(alloc, "put", head, qr__page_order(&alloc->frames, head),
			      "nobody has a reference to it");
	return before == 1;
}

/* Of a single page that is plain, the last reference is the only one, and it can go by a step. */
bool qr_put_page(struct quire *q, struct qr_page *page)
{
	struct qr_allocator *alloc = qr__allocator(q);
	uint64_t i = qr__page_index_of_any(&alloc->frames, page);
	enum qr_local_result step = QR_LOCAL_NOT;

	if (qr__likely(i < alloc->frames.nr_frames))
		step = qr__step_free(alloc, i, 0);
	return qr__likely(step == QR_LOCAL_DONE) || longer_put(alloc, page, step);
}

/* How far ahead the marks of what is freed in bulk are fetched. */
#define BULK_AHEAD 8u

void qr_free_pages_bulk(struct quire *q, struct qr_page **pages, unsigned nr)
{
	struct qr_allocator *alloc = qr__allocator(q);

	for (unsigned i = 0; i < nr; i++) {
		if (i + BULK_AHEAD < nr)
			qr__step_fetch(alloc, pages[i + BULK_AHEAD]);
		if (qr__trace_on(qr__alloc_base(alloc), QR_TP_MM_PAGE_FREE_BATCHED) &&
		    qr__page_validate(&alloc->frames, pages[i]))
			QR_TRACE(qr__alloc_base(alloc), QR_TP_MM_PAGE_FREE_BATCHED,
				 .pfn = qr__page_pfn(&alloc->frames, pages[i]));
		qr_put_page(q, pages[i]);
	}
}

void qr_get_page(struct quire *q, struct qr_page *page)
{
	struct qr_page *head = head_in_use(qr__allocator(q), "get", page);

	if (!head)
		return;
	qr__page_settle(qr__frames(q), head);
	qr__state_refs_add(qr__page_state(qr__frames(q), head), 1);
}

static bool reference_take(struct qr_frames *frames, struct qr_page *page)
{
	struct qr_page_state *state = qr__page_state(frames, page);
	uint64_t word = qr__page_word(frames, page);

	qr__sched_point(&frames->base, "looked at");
	while (qr__word_refcount(word) > 0)
		if (qr__state_exchange(state, &word, word + QR_STATE_REFS(1))) {
			qr__sched_point(&frames->base, "grasped");
			return true;
		}
	return false;
}

/*
 * We looked at its mark while somebody had the page, and at its state when the next one was just
 * about to get it: he will mark it as one to which there are no other references.  So let go; if he
 * has let go meanwhile, too, it is for us to free it.
 */
static QR_COLD void reference_return(struct qr_allocator *alloc, struct qr_page *page)
{
	if (qr__state_refs_drop(qr__page_state(&alloc->frames, page), 1) == 1)
		qr__free_unref_page(alloc, page, qr__page_order(&alloc->frames, page));
}

/* Announced, so that nobody drops an only reference without looking whether another was taken. */
static bool get_page_announced(struct quire *q, struct qr_page *page)
{
	struct qr_allocator *alloc = qr__allocator(q);
	struct qr_frames *frames = &alloc->frames;

	for (;;) {
		struct qr_page *head = qr__compound_head_racy(frames, page);

		if (!reference_take(frames, head))
			return false;
		if (qr__unlikely(qr__frame_is_opening(frames, qr__page_index(frames, head)))) {
			reference_return(alloc, head);
			return false;
		}
		qr__page_settle(frames, head);
		if (qr__compound_head_racy(frames, page) == head)
			return true;
		/* The page changed hands between the look and the grasp: let go, look again. */
		qr_put_page(q, head);
	}
}

/* For whoever walks over memory he does not own: what he finds may be freed under his eyes. */
bool qr_get_page_unless_zero(struct quire *q, struct qr_page *page)
{
	struct qr_allocator *alloc = qr__allocator(q);
	bool got;

	/* What is free needs no announcement. */
	if (qr_page_count(q, page) <= 0)
		return false;
	qr__speculation_begin(alloc);
	got = get_page_announced(q, qr__page_validate(&alloc->frames, page));
	qr__speculation_end(alloc);
	return got;
}

int qr_page_count(const struct quire *q, const struct qr_page *page)
{
	const struct qr_frames *frames = &qr__allocator_const(q)->frames;
	struct qr_page *own = qr__page_validate(frames, page);

	return own ? qr__page_refcount(frames, qr__compound_head_racy(frames, own)) : 0;
}
