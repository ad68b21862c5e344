/* SPDX-License-Identifier: MIT */
/*
 * watch/stats.h - the statistics that /proc/vmstat and /proc/zoneinfo print, by their names
 *
 * Three tables, each in the kernel's order: of a zone, of NUMA placement, of a node.  What Quire
 * does not have (yet) is there and 0, so that a program which looks for a line finds it.
 */
#ifndef QR_WATCH_STATS_H
#define QR_WATCH_STATS_H

#include "../alloc/pcp.h"

/* NULL: beyond the end of the table. */
const char *qr__zone_stat_name(unsigned i);
uint64_t qr__zone_stat(const struct qr_zone *zone, unsigned i);

const char *qr__numa_stat_name(unsigned i);
uint64_t qr__zone_numa_stat(const struct qr_zone *zone, unsigned i);

const char *qr__node_stat_name(unsigned i);
uint64_t qr__node_stat(const struct qr_node *node, unsigned i);

#endif /* QR_WATCH_STATS_H */
