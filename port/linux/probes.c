/* SPDX-License-Identifier: MIT */
/*
 * port/linux/probes.c - USDT probes under the names of the kernel's events
 *
 * A probe is one nop in this file and a note in the library that says where it is; tools like
 * bpftrace and perf put a breakpoint there.  <quire/linux.h> lists the arguments.
 */
#include "pool.h"

#include <quire/inspect.h>

#if QR_HAVE_SDT

#include <sys/sdt.h>

/* Its macros leave out the variable arguments of others, which C11 does not know. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

/* One nop for each event, so one switch; nothing is computed that a probe does not show. */
static void probes_fire(void *ctx, const struct qr_trace_event *e)
{
	(void)ctx;
	switch (e->id) {
	case QR_TP_MM_PAGE_ALLOC:
		DTRACE_PROBE4(quire, mm_page_alloc, e->pfn, e->order, e->gfp, (int)e->migratetype);
		break;
	case QR_TP_MM_PAGE_FREE:
		DTRACE_PROBE2(quire, mm_page_free, e->pfn, e->order);
		break;
	case QR_TP_MM_PAGE_FREE_BATCHED:
		DTRACE_PROBE1(quire, mm_page_free_batched, e->pfn);
		break;
	case QR_TP_MM_PAGE_ALLOC_ZONE_LOCKED:
		DTRACE_PROBE4(quire, mm_page_alloc_zone_locked, e->pfn, e->order,
			      (int)e->migratetype, e->a);
		break;
	case QR_TP_MM_PAGE_PCPU_DRAIN:
		DTRACE_PROBE3(quire, mm_page_pcpu_drain, e->pfn, e->order, (int)e->migratetype);
		break;
	case QR_TP_MM_PAGE_ALLOC_EXTFRAG:
		DTRACE_PROBE6(quire, mm_page_alloc_extfrag, e->pfn, e->order, e->a,
			      (int)e->migratetype, e->b, e->c);
		break;
	case QR_TP_WATERMARK_BOOST:
		DTRACE_PROBE3(quire, watermark_boost, e->a, e->b, e->c);
		break;
	case QR_TP_KSWAPD_WAKE:
		DTRACE_PROBE3(quire, mm_vmscan_wakeup_kswapd, e->a, e->b, e->order);
		break;
	case QR_TP_SLOWPATH_STAGE:
		DTRACE_PROBE3(quire, slowpath_stage, e->order, e->gfp, e->a);
		break;
	case QR_TP_WMARK_FAIL:
		DTRACE_PROBE4(quire, wmark_fail, e->order, e->a, e->b, e->c);
		break;
	case QR_NR_TRACE_POINTS:
		break;
	}
}

int qr__linux_probes_possible(struct qr_error_text *why)
{
	(void)why;
	return 0;
}

void qr__linux_probes_start(struct qr_linux_pool *pool)
{
	qr_trace_set(pool->q, probes_fire, NULL, (UINT64_C(1) << QR_NR_TRACE_POINTS) - 1);
}

#else /* no sys/sdt.h */

int qr__linux_probes_possible(struct qr_error_text *why)
{
	return qr__linux_why(why, QR_ENOSYS,
			     "usdt: this library was built without <sys/sdt.h>; install it "
			     "(systemtap-sdt-dev) and build with -Dusdt=enabled");
}

void qr__linux_probes_start(struct qr_linux_pool *pool)
{
	(void)pool;
}

#endif
