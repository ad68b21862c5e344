/* SPDX-License-Identifier: MIT */
/*
 * watch/kpageflags.c - the words of /proc/kpageflags and /proc/kpagecount
 *
 * Bit numbers are the kernel's and never change.  Flags of a compound page are its head's, and the
 * same for all its frames; whether a frame is mapped or poisoned is its own business.
 */
#include "../alloc/allocator.h"

#include "walk.h"

#define KPF(bit) (UINT64_C(1) << (bit))

#define KPF_SLAB KPF(7)
#define KPF_BUDDY KPF(10)
#define KPF_MMAP KPF(11)
#define KPF_ANON KPF(12)
#define KPF_SWAPCACHE KPF(13)
#define KPF_COMPOUND_HEAD KPF(15)
#define KPF_COMPOUND_TAIL KPF(16)
#define KPF_HUGE KPF(17)
#define KPF_HWPOISON KPF(19)
#define KPF_NOPAGE KPF(20)
#define KPF_KSM KPF(21)
#define KPF_THP KPF(22)
#define KPF_OFFLINE KPF(23)
#define KPF_PGTABLE KPF(26)
#define KPF_RESERVED KPF(32)

/* Flags that are copied as they are, from the head. */
static const struct {
	uint32_t flag;
	unsigned bit;
} copied[] = {
	{QR_PG_LOCKED, 0},       {QR_PG_REFERENCED, 2},    {QR_PG_UPTODATE, 3},
	{QR_PG_DIRTY, 4},        {QR_PG_LRU, 5},           {QR_PG_ACTIVE, 6},
	{QR_PG_WRITEBACK, 8},    {QR_PG_RECLAIM, 9},       {QR_PG_SWAPBACKED, 14},
	{QR_PG_UNEVICTABLE, 18}, {QR_PG_IDLE, 25},         {QR_PG_RESERVED, 32},
	{QR_PG_MLOCKED, 33},     {QR_PG_MAPPEDTODISK, 34}, {QR_PG_PRIVATE, 35},
	{QR_PG_PRIVATE_2, 36},   {QR_PG_CHECKED, 37},
};

static uint64_t flags_copied(uint32_t flags)
{
	uint64_t word = 0;

	for (size_t i = 0; i < QR_ARRAY_SIZE(copied); i++)
		if (flags & copied[i].flag)
			word |= KPF(copied[i].bit);
	return word;
}

/* What the page is used as. */
static uint64_t flags_of_use(enum qr_page_type type, uint32_t flags)
{
	uint64_t word = 0;

	switch (type) {
	case QR_PT_SLAB:
		return KPF_SLAB;
	case QR_PT_HUGETLB:
		return KPF_HUGE;
	case QR_PT_TABLE:
		return KPF_PGTABLE;
	case QR_PT_OFFLINE:
		return KPF_OFFLINE;
	default:
		break;
	}
	if (flags & QR_PG_ANON)
		word |= KPF_ANON;
	if (flags & QR_PG_KSM)
		word |= KPF_KSM;
	if ((flags & QR_PG_SWAPBACKED) && (flags & QR_PG_SWAPCACHE))
		word |= KPF_SWAPCACHE;
	/* A compound page that user space can map: it is on an LRU list or anonymous. */
	if ((flags & QR_PG_COMPOUND) && (flags & (QR_PG_LRU | QR_PG_ANON)))
		word |= KPF_THP;
	return word;
}

static uint64_t flags_in_use(const struct qr_frames *frames, const struct qr_page *page,
			     const struct qr_page *head)
{
	enum qr_page_type type = qr__page_type(frames, head);
	uint32_t flags = qr__page_flags(head);
	uint64_t word = flags_copied(flags) | flags_of_use(type, flags);
	bool poisoned = qr__page_test(type == QR_PT_HUGETLB ? head : page, QR_PG_HWPOISON);

	if (qr__page_type(frames, page) == QR_PT_TAIL)
		word |= KPF_COMPOUND_TAIL;
	else if (flags & QR_PG_COMPOUND)
		word |= KPF_COMPOUND_HEAD;
	if (qr__page_mapcount(page) > 0)
		word |= KPF_MMAP;
	return poisoned ? word | KPF_HWPOISON : word;
}

/* The record whose own flags are the frame's: tails of a plain block have none of it. */
static const struct qr_page *page_of_frame(const struct qr_frames *frames, qr_pfn_t pfn,
					   const struct qr_run *run)
{
	const struct qr_page *page = qr__pfn_page(frames, pfn);

	return qr__page_type(frames, page) == QR_PT_TAIL ? qr__pfn_page(frames, run->head) : page;
}

uint64_t qr_kpageflags(const struct quire *q, qr_pfn_t pfn)
{
	const struct qr_frames *frames = &qr__allocator_const(q)->frames;
	const struct qr_page *page;
	struct qr_run run;

	if (!qr__pfn_in_span(frames, pfn) || !qr__pfn_online(frames, pfn))
		return KPF_NOPAGE;
	page = qr__pfn_page(frames, pfn);
	qr__run_look(frames, pfn, &run);
	switch (run.state) {
	case QR_FRAME_HOLE: /* inside an online section */
	case QR_FRAME_RESERVED:
		return KPF_RESERVED;
	case QR_FRAME_FREE:
		return KPF_BUDDY | (qr__page_test(page, QR_PG_HWPOISON) ? KPF_HWPOISON : 0);
	case QR_FRAME_ALLOCATED:
	case QR_FRAME_OFFLINE:
	case QR_FRAME_LEAKED:
		return flags_in_use(frames, page, page_of_frame(frames, pfn, &run));
	default:
		return 0;
	}
}

uint64_t qr_kpagecount(const struct quire *q, qr_pfn_t pfn)
{
	const struct qr_frames *frames = &qr__allocator_const(q)->frames;
	int32_t count;

	if (!qr__pfn_in_span(frames, pfn) || !qr__pfn_online(frames, pfn))
		return 0;
	count = qr__page_mapcount(qr__pfn_page(frames, pfn));
	return count > 0 ? (uint64_t)count : 0;
}
