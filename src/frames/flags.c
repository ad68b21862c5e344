/* SPDX-License-Identifier: MIT */
/*
 * frames/flags.c - a zone's flags, and what its caches know of them
 *
 * That a zone has flags is a reason for every CPU to go to its cache with the lock held, where they
 * are looked at.  Who goes without the lock looks at one word, beside that lock (local_lock.h), so
 * each cache has a copy of the flags there.
 *
 * A flag is changed in the zone first, and then told.  Of two who change one flag at once, either
 * may be the last to tell; so who has told looks at the zone again, and tells once more if it says
 * something else by now.  All four are sequentially consistent: if the other's telling was overrun
 * by ours, his change came before it, and we see it.  So in the end all copies are as the zone is.
 * In between they may lag behind, for as long as somebody is telling; for flags that are changed
 * under one lock they do not, since nobody touches a flag but who changes it.
 */
#include "../base/local_lock.h"
#include "frames.h"

static void flag_tell(struct qr_zone *zone, uint32_t flag)
{
	struct qr_base *base = &zone->frames->base;
	uint32_t told;

	do {
		told = atomic_load_explicit(&zone->flags, memory_order_seq_cst) & flag;
		qr__sched_point(base, "telling a flag");
		qr__local_close_all(zone->pcp_locks, zone->pcp_stride, base->nr_cpus, told,
				    flag & ~told);
	} while ((atomic_load_explicit(&zone->flags, memory_order_seq_cst) & flag) != told);
}

void qr__zone_flag_change(struct qr_zone *zone, uint32_t flag, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&zone->flags, flag, memory_order_seq_cst);
	else
		atomic_fetch_and_explicit(&zone->flags, ~flag, memory_order_seq_cst);
	if (zone->pcp_locks)
		flag_tell(zone, flag);
}
