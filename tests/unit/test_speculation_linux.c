/* SPDX-License-Identifier: MIT */
/*
 * test_speculation_linux.c - plain drops against speculations in real threads, while it is opened
 * and closed all the time
 */
#include "linux_pool.h"

#include "alloc/pcp.h"
#include "alloc/speculation.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define NR_OWNERS 3u
#define NR_SPECULATORS 2u
#define PAGES_EACH 4u
#define NR_PAGES (NR_OWNERS * PAGES_EACH)
#define NR_CLOSED 300u
#define PATIENCE_S 60u

static struct {
	struct qr_allocator *alloc;
	struct qr_zone *zone;
	struct qr_page_state states[NR_PAGES];
	/* Of references got by speculation; who frees a page must find none. */
	_Atomic int holders[NR_PAGES];
	_Atomic bool stop;
	_Atomic unsigned crashes, got, plain, exchanged;
} t;

static const uint64_t in_use = QR_STATE_TYPE(QR_PT_INUSE) | QR_STATE_REFS(1);
static const uint64_t cached = QR_STATE_TYPE(QR_PT_PCP);

static void freed(unsigned i)
{
	if (atomic_load_explicit(&t.holders[i], memory_order_relaxed))
		atomic_fetch_add(&t.crashes, 1);
}

static void drop_long(unsigned i)
{
	uint64_t word = qr__state_word(&t.states[i]);
	bool last;

	do {
		last = qr__word_refcount(word) == 1;
		if (qr__word_refcount(word) <= 0) {
			atomic_fetch_add(&t.crashes, 1);
			return;
		}
	} while (!qr__state_exchange(&t.states[i], &word, last ? cached : word - QR_STATE_REFS(1)));
	if (last)
		freed(i);
}

static bool drop_short(unsigned i)
{
	struct qr_per_cpu_pages *pcp;
	bool plain, done;

	if (!qr__pcp_enter(t.zone, &pcp))
		return false;
	plain = atomic_load_explicit(&t.alloc->speculation_mode, memory_order_relaxed) ==
		QR_SPECULATION_CLOSED;
	done = qr__only_holder_exchange(t.alloc, &t.states[i], in_use, cached);
	if (done)
		freed(i);
	qr__pcp_leave(t.zone, pcp);
	if (done)
		atomic_fetch_add_explicit(plain ? &t.plain : &t.exchanged, 1, memory_order_relaxed);
	return done;
}

static void *owner(void *arg)
{
	unsigned first = (unsigned)(uintptr_t)arg * PAGES_EACH;

	for (unsigned round = 0; !atomic_load(&t.stop); round++) {
		unsigned i = first + round % PAGES_EACH;

		if (qr__state_refcount(&t.states[i]))
			continue; /* somebody still holds it */
		atomic_store_explicit(&t.states[i].word, in_use, memory_order_release);
		if (round % 64 == 0)
			sched_yield();
		if (!drop_short(i))
			drop_long(i);
	}
	return NULL;
}

static bool take(unsigned i)
{
	bool got = false;
	uint64_t word;

	qr__speculation_begin(t.alloc);
	word = qr__state_word(&t.states[i]);
	while (!got && qr__word_refcount(word) > 0)
		got = qr__state_exchange(&t.states[i], &word, word + QR_STATE_REFS(1));
	if (got)
		atomic_fetch_add(&t.holders[i], 1);
	qr__speculation_end(t.alloc);
	return got;
}

static void *speculator(void *arg)
{
	for (unsigned round = (unsigned)(uintptr_t)arg; !atomic_load(&t.stop); round++) {
		unsigned i = round % NR_PAGES;

		if (!take(i))
			continue;
		atomic_fetch_add_explicit(&t.got, 1, memory_order_relaxed);
		for (unsigned look = 0; look < 20; look++)
			if (qr__state_type(&t.states[i]) != QR_PT_INUSE ||
			    qr__state_refcount(&t.states[i]) <= 0)
				atomic_fetch_add(&t.crashes, 1);
		atomic_fetch_sub(&t.holders[i], 1);
		drop_long(i);
		if (round % 8 == 0)
			sched_yield();
	}
	return NULL;
}

static bool all_has_happened(unsigned closed)
{
	return closed >= NR_CLOSED && atomic_load(&t.got) >= NR_CLOSED &&
	       atomic_load(&t.plain) >= NR_CLOSED && atomic_load(&t.exchanged) >= NR_CLOSED;
}

/* Until it is enough; who is never scheduled beside the others needs a while for that. */
static void close_often(void)
{
	struct qr_speculation *s = &t.alloc->speculation;
	time_t start = time(NULL);
	unsigned closed = 0;

	for (unsigned turn = 0; !all_has_happened(closed); turn++) {
		unsigned before = atomic_load(&t.alloc->speculation_mode);

		atomic_store(&s->used, false);
		atomic_store(&s->quiet_since_ns, 0);
		qr__speculation_decay(t.alloc);
		closed += before == QR_SPECULATION_OPEN &&
			  atomic_load(&t.alloc->speculation_mode) == QR_SPECULATION_CLOSED;
		/* So that others come to their turn while it is open, too. */
		for (unsigned i = 0; i <= turn % 8; i++)
			sched_yield();
		if (time(NULL) - start > PATIENCE_S)
			fail_msg("in %u s: %u closed, %u got, %u plain, %u exchanged", PATIENCE_S,
				 closed, t.got, t.plain, t.exchanged);
	}
}

static void run(bool no_local_locks)
{
	struct qr_linux_config config = {.size = 64 * MIB,
					 .backing = QR_LINUX_NO_MEMORY,
					 .no_worker = true,
					 .no_local_locks = no_local_locks};
	struct qr_linux_pool *pool = pool_open(&config);
	pthread_t threads[NR_OWNERS + NR_SPECULATORS];

	memset(&t, 0, sizeof(t));
	t.alloc = qr__allocator(qr_linux_quire(pool));
	qr__for_each_zone(&t.alloc->frames, t.zone)
	{
		if (t.zone->pcp)
			break;
	}
	for (uintptr_t i = 0; i < NR_OWNERS + NR_SPECULATORS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < NR_OWNERS ? owner : speculator, (void *)i),
				 0);
	close_often();
	atomic_store(&t.stop, true);
	for (unsigned i = 0; i < NR_OWNERS + NR_SPECULATORS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(t.crashes, 0);
	check_clean(pool);
	qr_linux_close(pool);
}

static void test_speculation(void **state)
{
	(void)state;
	run(false);
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_speculation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
