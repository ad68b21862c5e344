/* SPDX-License-Identifier: MIT */
/*
 * test_step_inline.c - each turn that an inline step can take (port/linux/step_inline.h)
 *
 * test_step.c has the same for steps by hook, where whatever comes between can be made to happen;
 * that of inline steps is in test_step_linux.c.
 */
#include "linux_pool.h"

#define QR_STEP_HEADER "linux/step_inline.h" /* as the hosted core has it */
#include "alloc/step.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#define ORDERS QR_MAGAZINE_ORDERS
#define KERNEL QR_GFP_KERNEL
#define MOVABLE QR_GFP_HIGHUSER_MOVABLE

static struct {
	struct qr_linux_pool *pool;
	struct quire *q;
	struct qr_allocator *alloc;
	struct qr_zone *zone;
	struct qr_per_cpu_pages *pcp;
	cpu_set_t before;
	uint64_t pages; /* free and in caches, at first */
} t;

static uint64_t pages_left(void)
{
	struct qr_quire_snapshot now;

	qr_drain_all_pages(t.q, NULL);
	qr_quire_snapshot(t.q, &now);
	return now.nr_free;
}

/* We stay on the CPU that we are on. */
static void stay(void)
{
	unsigned cpu = (unsigned)sched_getcpu();
	cpu_set_t one;

	sched_getaffinity(0, sizeof(t.before), &t.before);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	t.pcp = qr__pcp_of(t.zone, cpu);
	/* so that a refill of whole pageblocks brings several */
	assert_true(qr_zone_pcp_high_set(t.zone, cpu, 1 << 16) >= 4 << QR_PAGEBLOCK_ORDER);
}

/* One zone that begins at a frame other than 0; false: there are no inline steps here. */
static bool begin(void)
{
	const struct qr_range range = {.start_pfn = UINT64_C(1) << 20,
				       .nr_pages = 1024 * MIB / QR_PAGE_SIZE};
	struct qr_linux_config config = {
		.backing = QR_LINUX_NO_MEMORY,
		.no_worker = true,
		.machine = {.engine = "bitmap",
			    .ranges = &range,
			    .nr_ranges = 1,
			    .zone_limits.normal_end = range.start_pfn + range.nr_pages}};

	memset(&t, 0, sizeof(t));
	t.pool = pool_open(&config);
	t.q = qr_linux_quire(t.pool);
	t.alloc = qr__allocator(t.q);
	t.zone = qr_zone_at(t.q, 0, QR_ZONE_NORMAL);
	if (!qr__steps_are_inline(qr__steps(t.alloc))) {
		qr_linux_close(t.pool);
		return false;
	}
	stay();
	t.pages = pages_left();
	return true;
}

static void end(void)
{
	assert_int_equal(pages_left(), t.pages);
	check_clean(t.pool);
	sched_setaffinity(0, sizeof(t.before), &t.before);
	qr_linux_close(t.pool);
}

#define BEGIN_OR_SKIP \
	do { \
		(void)state; \
		if (!begin()) { \
			skip(); \
			return; \
		} \
	} while (0)

static struct qr_magazine_ring *ring(qr_gfp_t gfp, unsigned order)
{
	return qr__ring(&t.pcp->mag, qr__fast_request_type(gfp), order);
}

static uint64_t index_of(const struct qr_page *page)
{
	return qr__page_index(&t.alloc->frames, page);
}

/* A block by a step, or QR_LIST_NONE if it had to go another way. */
static uint64_t step_take(qr_gfp_t gfp, unsigned order)
{
	struct qr_magazine_ring *from;
	uint64_t i;

	if (!qr__step_take(t.alloc, gfp, order, &from, &i))
		return QR_LIST_NONE;
	assert_ptr_equal(from, ring(gfp, order));
	assert_true(qr__step_open(t.alloc, from, i, order));
	return i;
}

/* A block that came by a step: whoever finds the ring empty fills it. */
static uint64_t take(qr_gfp_t gfp, unsigned order)
{
	struct qr_page *others[16];
	unsigned nr = 0;
	uint64_t i;

	while ((i = step_take(gfp, order)) == QR_LIST_NONE) {
		assert_true(nr < QR_ARRAY_SIZE(others));
		others[nr++] = qr_alloc_pages(t.q, gfp, order);
	}
	while (nr)
		qr___free_pages(t.q, others[--nr], order);
	return i;
}

static void give(uint64_t i, unsigned order)
{
	qr___free_pages(t.q, &t.alloc->frames.pages[i], order);
}

static enum qr_local_result step_give(uint64_t i, unsigned order)
{
	return qr__step_free(t.alloc, i, order);
}

/* As if another pageblock were used up now. */
static void last_elsewhere(qr_gfp_t gfp, unsigned order, uint64_t i)
{
	atomic_store(&ring(gfp, order)->last, (uint32_t)(i ^ QR_PAGEBLOCK_NR_PAGES));
}

static uint8_t mark(uint64_t i, unsigned order)
{
	return qr__mark(qr__mark_of(&t.alloc->frames, i, order));
}

/* Out -------------------------------------------------------------------------------------- */

static void test_takes_come_in_order(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *from = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order), next, head = qr__read(&from->head);

		next = from->frames[qr__ring_place(head, order)];
		assert_int_equal(step_take(KERNEL, order), next);
		assert_int_equal(qr__read(&from->head), head + 1);
		assert_int_equal(atomic_load(&from->last), next);
		assert_ptr_equal(qr__step_cpu(t.alloc, (unsigned)sched_getcpu())->recent[order],
				 from);
		assert_int_equal(mark(next, order), from->mark);
		assert_int_equal(qr_page_count(t.q, &t.alloc->frames.pages[next]), 1);
		give(i, order);
		give(next, order);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

static void test_empty_rings_give_nothing(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		pages_left();
		assert_int_equal(step_take(KERNEL, order), QR_LIST_NONE);
		assert_int_equal(qr__ring_nr(ring(KERNEL, order)), 0);
	}
	end();
}

static void test_requests_without_a_way(void **state)
{
	BEGIN_OR_SKIP;
	give(take(KERNEL, 0), 0);
	/* there is no movable zone, and two zones at once are none */
	assert_int_equal(step_take(QR_GFP_KERNEL | QR___GFP_DMA | QR___GFP_DMA32, 0), QR_LIST_NONE);
	assert_int_equal(step_take(QR_GFP_KERNEL | QR___GFP_ZERO, 0), QR_LIST_NONE);
	end();
}

/* What a block's mark does not say, its state does: it goes to the caller as well. */
static void test_blocks_that_wait_by_their_state(void **state)
{
	struct qr_frames *frames;

	BEGIN_OR_SKIP;
	frames = &t.alloc->frames;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *from = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order), next, after;

		next = from->frames[qr__ring_place(qr__read(&from->head), order)];
		after = from->frames[qr__ring_place(qr__read(&from->head) + 1, order)];
		assert_true(qr__ring_nr(from) >= 2);
		qr__frame_settle(frames, next);
		qr__frame_settle(frames, after);
		assert_int_equal(index_of(qr_alloc_pages(t.q, KERNEL, order)), next);
		assert_int_equal(qr_alloc_pfn(t.q, KERNEL, order) - frames->base_pfn, after);
		assert_int_equal(mark(next, order), from->mark);
		give(i, order);
		give(next, order);
		give(after, order);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

/* In --------------------------------------------------------------------------------------- */

static void test_gives_go_straight_back(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *to = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order), tail = qr__read(&to->tail);

		to->limit = (uint16_t)(qr__ring_nr(to) + 1);
		assert_int_equal(step_give(i, order), QR_LOCAL_DONE);
		assert_int_equal(qr__read(&to->tail), tail + 1);
		assert_int_equal(to->frames[qr__ring_place(tail, order)], i);
		assert_int_equal(mark(i, order), QR_MARK_CACHED);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

static void put_takes(uint64_t i, unsigned order)
{
	struct qr_magazine_put *put = qr__put(&t.pcp->mag, order);
	uint64_t nr = qr__read(&put->nr);

	assert_int_equal(step_give(i, order), QR_LOCAL_DONE);
	assert_int_equal(qr__read(&put->nr), nr + 1);
	assert_int_equal(put->frames[nr], i);
	assert_int_equal(mark(i, order), QR_MARK_CACHED);
}

static void test_full_rings_take_none_back(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *to = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order);

		to->limit = (uint16_t)qr__ring_nr(to);
		put_takes(i, order);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

static void test_what_lies_elsewhere_goes_to_the_engine(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < QR_PAGEBLOCK_ORDER; order++) {
		uint64_t i = take(KERNEL, order);

		last_elsewhere(KERNEL, order, i);
		put_takes(i, order);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

static void test_whole_pageblocks_lie_nowhere_else(void **state)
{
	const unsigned order = QR_PAGEBLOCK_ORDER;
	struct qr_magazine_ring *to;
	uint64_t i, tail;

	BEGIN_OR_SKIP;
	to = ring(KERNEL, order);
	i = take(KERNEL, order);
	tail = qr__read(&to->tail);
	last_elsewhere(KERNEL, order, i);
	to->limit = (uint16_t)(qr__ring_nr(to) + 1);
	assert_int_equal(step_give(i, order), QR_LOCAL_DONE);
	assert_int_equal(qr__read(&to->tail), tail + 1);
	end();
}

/* Of the last place only who has the lock makes use: he empties the magazine. */
static void test_full_magazines_turn_back(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_put *put = qr__put(&t.pcp->mag, order);
		uint64_t i = take(KERNEL, order), limit = put->limit;

		ring(KERNEL, order)->limit = 0;
		put->limit = qr__read(&put->nr) + 1;
		assert_int_equal(step_give(i, order), QR_LOCAL_NOT);
		assert_int_equal(mark(i, order), ring(KERNEL, order)->mark);
		put->limit++;
		put_takes(i, order);
		put->limit = limit;
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

/* The ring that was foretold is another type's: the mark leads to the right one. */
static void test_other_rings_are_found(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *to = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order), other = take(MOVABLE, order), tail;

		assert_ptr_equal(qr__step_cpu(t.alloc, (unsigned)sched_getcpu())->recent[order],
				 ring(MOVABLE, order));
		to->limit = (uint16_t)(qr__ring_nr(to) + 1);
		tail = qr__read(&to->tail);
		assert_int_equal(step_give(i, order), QR_LOCAL_DONE);
		assert_int_equal(qr__read(&to->tail), tail + 1);
		give(other, order);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

/* No mark, that of a cache, and that of a block of another order lead nowhere. */
static void test_wrong_marks_turn_back(void **state)
{
	uint64_t i;

	BEGIN_OR_SKIP;
	i = take(KERNEL, 1);
	assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
	assert_int_equal(step_give(i, 2), QR_LOCAL_NOT);
	assert_int_equal(step_give(i + 1, 1), QR_LOCAL_NOT);
	assert_int_equal(step_give(i, 1), QR_LOCAL_DONE);
	assert_int_equal(step_give(i, 1), QR_LOCAL_NOT);
	i = take(KERNEL, 0);
	qr__mark_set(qr__mark_of(&t.alloc->frames, i, 0), ring(KERNEL, 1)->mark);
	assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
	qr__mark_set(qr__mark_of(&t.alloc->frames, i, 0), ring(KERNEL, 0)->mark);
	assert_int_equal(step_give(i, 0), QR_LOCAL_DONE);
	assert_int_equal(step_give(0, ORDERS), QR_LOCAL_NOT);
	end();
}

/* Not calm --------------------------------------------------------------------------------- */

/* With *word set, there is no step in either direction. */
static void closed_by(_Atomic uint32_t *word)
{
	uint32_t before = atomic_load(word);
	uint64_t i = take(KERNEL, 0), other = take(MOVABLE, 0);

	atomic_store(word, before | 0x100);
	assert_int_equal(step_take(KERNEL, 0), QR_LIST_NONE);
	assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
	assert_int_equal(step_give(other, 0), QR_LOCAL_NOT);
	atomic_store(word, before);
	assert_int_equal(step_give(i, 0), QR_LOCAL_DONE);
	assert_int_equal(step_give(other, 0), QR_LOCAL_DONE);
}

static void test_locks_and_zones_turn_back(void **state)
{
	BEGIN_OR_SKIP;
	closed_by(&t.pcp->lock.taken);
	closed_by(&t.pcp->lock.closed);
	end();
}

/* What closes steps is a zone's flag, as who has set it sees it. */
static void test_flags_turn_back(void **state)
{
	BEGIN_OR_SKIP;
	for (uint32_t flag = 1; flag & QR_ZONE_FLAGS; flag <<= 1) {
		uint64_t i = take(KERNEL, 0);

		qr__zone_flag_set(t.zone, flag);
		assert_int_equal(step_take(KERNEL, 0), QR_LIST_NONE);
		assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
		qr__zone_flag_clear(t.zone, flag);
		assert_int_equal(step_give(i, 0), QR_LOCAL_DONE);
	}
	end();
}

static void test_drops_that_are_not_plain_turn_back(void **state)
{
	uint64_t i;

	BEGIN_OR_SKIP;
	i = take(KERNEL, 0);
	qr__plain_drops_stop(t.alloc);
	assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
	i = step_take(KERNEL, 0) == QR_LIST_NONE ? QR_LIST_NONE : i;
	assert_int_not_equal(i, QR_LIST_NONE);
	qr__plain_drops_resume(t.alloc);
	give(atomic_load(&ring(KERNEL, 0)->last), 0);
	assert_int_equal(step_give(i, 0), QR_LOCAL_DONE);
	end();
}

static void test_cpus_without_a_record_turn_back(void **state)
{
	unsigned nr_cpus;
	uint64_t i;

	BEGIN_OR_SKIP;
	i = take(KERNEL, 0);
	nr_cpus = t.alloc->frames.base.nr_cpus;
	t.alloc->frames.base.nr_cpus = (unsigned)sched_getcpu();
	assert_int_equal(step_take(KERNEL, 0), QR_LIST_NONE);
	assert_int_equal(step_give(i, 0), QR_LOCAL_NOT);
	t.alloc->frames.base.nr_cpus = nr_cpus;
	assert_int_equal(step_give(i, 0), QR_LOCAL_DONE);
	end();
}

/* In doubt --------------------------------------------------------------------------------- */

#ifdef QR_RSEQ_STEPS

struct descriptor {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

/* All sequences of this program: the linker knows where their descriptors are. */
extern const struct descriptor __start___rseq_cs[], __stop___rseq_cs[];

#define NR_TRAPS 64u
#define BREAKPOINT 0xcc

static struct {
	uint8_t *at[NR_TRAPS], was[NR_TRAPS];
	unsigned nr;
	volatile unsigned sprung;
} traps;

/* A sequence's last instruction, which stores a register where another one points. */
static uint8_t *last_store(const struct descriptor *sequence)
{
	uint8_t *end = (uint8_t *)(uintptr_t)(sequence->start + sequence->length);

	for (unsigned length = 3; length <= 4; length++) {
		uint8_t *at = end - length, rm = at[2] & 7, mod = at[2] >> 6;
		unsigned more = (rm == 4 ? 1u : 0u) + (mod == 1 ? 1u : 0u);

		if ((at[0] & 0xf8) == 0x48 && at[1] == 0x89 && mod <= 1 && length == 3 + more)
			return at;
	}
	return NULL;
}

/* Whoever comes to a trap is interrupted there, once; so no sequence gets by its last store. */
static void traps_set(void)
{
	const struct descriptor *sequence;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	traps.nr = traps.sprung = 0;
	for (sequence = __start___rseq_cs; sequence < __stop___rseq_cs; sequence++) {
		uint8_t *at = last_store(sequence);

		if (!at)
			continue;
		assert_true(traps.nr < NR_TRAPS);
		assert_int_equal(mprotect((void *)((uintptr_t)at & ~(page - 1)), 2 * page,
					  PROT_READ | PROT_WRITE | PROT_EXEC),
				 0);
		traps.was[traps.nr] = *at;
		traps.at[traps.nr++] = at;
		*at = BREAKPOINT;
	}
}

static void traps_clear(int signal)
{
	(void)signal;
	for (unsigned n = 0; n < traps.nr; n++)
		*traps.at[n] = traps.was[n];
	traps.sprung++;
}

static void traps_begin(void)
{
	const struct sigaction action = {.sa_handler = traps_clear};

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
}

#define interrupted(statement) \
	do { \
		traps_set(); \
		statement; \
		assert_int_equal(traps.sprung, 1); \
	} while (0)

static void test_interrupted_takes_come_to_nothing(void **state)
{
	struct qr_magazine_ring *from;
	uint64_t i, head, got;

	BEGIN_OR_SKIP;
	traps_begin();
	from = ring(KERNEL, 0);
	i = take(KERNEL, 0);
	head = qr__read(&from->head);
	interrupted(got = step_take(KERNEL, 0));
	assert_int_equal(got, QR_LIST_NONE);
	assert_int_equal(qr__read(&from->head), head);
	give(i, 0);
	interrupted(give(index_of(qr_alloc_pages(t.q, KERNEL, 0)), 0));
	interrupted(qr_free_pfn(t.q, qr_alloc_pfn(t.q, KERNEL, 3), 3));
	end();
}

static void test_interrupted_gives_are_in_doubt(void **state)
{
	enum qr_local_result result;

	BEGIN_OR_SKIP;
	traps_begin();
	for (unsigned order = 0; order < ORDERS; order++) {
		struct qr_magazine_ring *to = ring(KERNEL, order);
		uint64_t i = take(KERNEL, order), tail = qr__read(&to->tail);
		uint64_t nr = qr__read(&to->put->nr);

		interrupted(result = step_give(i, order));
		assert_int_equal(result, QR_LOCAL_IN_DOUBT);
		assert_int_equal(mark(i, order), QR_MARK_CACHED);
		assert_int_equal(qr__read(&to->tail), tail);
		assert_int_equal(qr__read(&to->put->nr), nr);
		/* as if it had never been tried */
		qr__mark_set(qr__mark_of(&t.alloc->frames, i, order), to->mark);
		interrupted(give(i, order));
		assert_int_equal(qr__page_type(&t.alloc->frames, &t.alloc->frames.pages[i]),
				 QR_PT_PCP);
		qr_drain_all_pages(t.q, NULL);
	}
	end();
}

static void test_whoever_is_interrupted_frees(void **state)
{
	uint64_t i;

	BEGIN_OR_SKIP;
	traps_begin();
	i = take(KERNEL, 0);
	interrupted(assert_true(qr_put_page(t.q, &t.alloc->frames.pages[i])));
	i = take(KERNEL, 0);
	interrupted(qr_free_pfn(t.q, t.alloc->frames.base_pfn + i, 0));
	i = take(MOVABLE, 2);
	interrupted(qr_free_pfn(t.q, t.alloc->frames.base_pfn + i, 2));
	end();
}

/* The hook for those who have no inline steps. */
static void test_interrupted_commits_are_in_doubt(void **state)
{
	uint32_t word = 0, gate = 0, slot = 0;
	uint8_t its_mark = 7;
	uint64_t count = 41;
	struct qr_local_commit commit = {.word = &word, .count = &count, .seen = 41};
	const struct qr_platform *platform;
	enum qr_local_result result;

	BEGIN_OR_SKIP;
	traps_begin();
	platform = hooks_of(t.pool);
	commit.cpu = (unsigned)sched_getcpu();
	interrupted(result = platform->local_commit(platform->ctx, &commit));
	assert_int_equal(result, QR_LOCAL_NOT);
	assert_int_equal(count, 41);
	commit.gate = &gate;
	commit.slot = &slot;
	commit.number = 5;
	commit.mark = &its_mark;
	commit.mark_is = 7;
	commit.mark_becomes = 8;
	interrupted(result = platform->local_commit(platform->ctx, &commit));
	assert_int_equal(result, QR_LOCAL_IN_DOUBT);
	assert_int_equal(slot, 5);
	assert_int_equal(its_mark, 8);
	assert_int_equal(count, 41);
	end();
}

#endif /* QR_RSEQ_STEPS */

/* By number --------------------------------------------------------------------------------- */

static void test_by_number(void **state)
{
	BEGIN_OR_SKIP;
	for (unsigned order = 0; order <= ORDERS; order++) {
		struct qr_magazine_ring *from = order < ORDERS ? ring(KERNEL, order) : NULL;
		qr_pfn_t pfns[3];
		uint64_t head;

		pfns[0] = qr_alloc_pfn(t.q, KERNEL, order);
		head = from ? qr__read(&from->head) : 0;
		for (unsigned n = 1; n < 3; n++)
			pfns[n] = qr_alloc_pfn(t.q, KERNEL, order);
		for (unsigned n = 0; n < 3; n++) {
			struct qr_page *page = qr_pfn_to_page(t.q, pfns[n]);

			assert_int_equal(pfns[n] & (qr__order_pages(order) - 1), 0);
			assert_int_equal(qr_page_count(t.q, page), 1);
			assert_int_equal(qr__page_order(&t.alloc->frames, page), order);
		}
		if (from && qr__ring_nr(from))
			assert_int_equal(qr__read(&from->head), head + 2);
		for (unsigned n = 0; n < 3; n++)
			qr_free_pfn(t.q, pfns[n], order);
		if (from)
			assert_int_equal(mark(index_of(qr_pfn_to_page(t.q, pfns[2])), order),
					 QR_MARK_CACHED);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_come_in_order),
		cmocka_unit_test(test_empty_rings_give_nothing),
		cmocka_unit_test(test_requests_without_a_way),
		cmocka_unit_test(test_blocks_that_wait_by_their_state),
		cmocka_unit_test(test_gives_go_straight_back),
		cmocka_unit_test(test_full_rings_take_none_back),
		cmocka_unit_test(test_what_lies_elsewhere_goes_to_the_engine),
		cmocka_unit_test(test_whole_pageblocks_lie_nowhere_else),
		cmocka_unit_test(test_full_magazines_turn_back),
		cmocka_unit_test(test_other_rings_are_found),
		cmocka_unit_test(test_wrong_marks_turn_back),
		cmocka_unit_test(test_locks_and_zones_turn_back),
		cmocka_unit_test(test_flags_turn_back),
		cmocka_unit_test(test_drops_that_are_not_plain_turn_back),
		cmocka_unit_test(test_cpus_without_a_record_turn_back),
#ifdef QR_RSEQ_STEPS
		cmocka_unit_test(test_interrupted_takes_come_to_nothing),
		cmocka_unit_test(test_interrupted_gives_are_in_doubt),
		cmocka_unit_test(test_whoever_is_interrupted_frees),
		cmocka_unit_test(test_interrupted_commits_are_in_doubt),
#endif
		cmocka_unit_test(test_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
