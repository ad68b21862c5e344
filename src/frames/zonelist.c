/* SPDX-License-Identifier: MIT */
/*
 * zonelist.c - which zones a request from each node may try, nearest first
 *
 * Theory of operation
 * -------------------
 * Each node has two lists.  One names the zones of all nodes: the node's own first, then those of
 * the nearest node, and so on; within a node from the highest zone down, to spare the lower ones,
 * of which there is less.  The other names the node's own zones alone, for requests with THISNODE.
 * Only zones that have memory are listed, and zone Device never is.
 *
 * The next node is the one that costs least:
 *
 *	(distance + 1 if its number is lower than ours + 1 if it has CPUs) * nodes possible + load
 *
 * and of equals the one with the lowest number.  The load grows by one for each list in which the
 * node came first of several at the same distance, so the nodes of a symmetric machine fall back
 * on each other in different orders instead of all overrunning the same one.
 *
 * Lists are rebuilt in place while others read them, with zonelist_seq odd.  A reader in between
 * sees old and new entries mixed, but each entry is whole, and every list ends: the last entry of
 * its room is always NULL.  Whoever is about to fail looks at the sequence and tries again.  The
 * writer allocates nothing, logs nothing and has interrupts masked, so nobody ever waits for it who
 * interrupted it.
 */
#include "frames.h"

/* Node states ------------------------------------------------------------------------------ */

static bool node_has_zone_up_to(const struct qr_node *node, enum qr_zone_type highest)
{
	for (unsigned type = QR_ZONE_DMA; type <= (unsigned)highest; type++)
		if (qr__zone_populated(&node->zones[type]))
			return true;
	return false;
}

static qr_nodemask_t nodes_with_zone_up_to(const struct qr_frames *frames,
					   enum qr_zone_type highest)
{
	qr_nodemask_t mask = 0;

	for (unsigned nid = 0; nid < frames->nr_nodes; nid++)
		if (node_has_zone_up_to(&frames->nodes[nid], highest))
			mask |= UINT64_C(1) << nid;
	return mask;
}

/* What follows from the zones.  A node that has memory is online, and stays so when it has none. */
static void states_update(struct qr_frames *frames)
{
	qr_nodemask_t memory = nodes_with_zone_up_to(frames, QR_ZONE_MOVABLE);

	qr__write(&frames->node_states[QR_N_NORMAL_MEMORY],
		  nodes_with_zone_up_to(frames, QR_ZONE_NORMAL));
	qr__write(&frames->node_states[QR_N_HIGH_MEMORY],
		  nodes_with_zone_up_to(frames, QR_ZONE_HIGHMEM));
	qr__write(&frames->node_states[QR_N_MEMORY], memory);
	atomic_fetch_or_explicit(&frames->node_states[QR_N_ONLINE], memory, memory_order_relaxed);
}

/* Order of nodes --------------------------------------------------------------------------- */

struct node_order {
	const struct qr_frames *frames;
	uint32_t load[QR_MAX_NODES];
};

static uint64_t node_cost(const struct node_order *order, int local, int nid)
{
	uint64_t cost = qr__node_distance(order->frames, local, nid);

	cost += nid < local;
	cost += qr__node_is(order->frames, nid, QR_N_CPU);
	return cost * QR_MAX_NODES + order->load[nid];
}

/* The best node with memory that is not in *used, which it joins; QR_NODE_NONE: no more. */
static int node_next(const struct node_order *order, int local, qr_nodemask_t *used)
{
	uint64_t best_cost = UINT64_MAX;
	int best = QR_NODE_NONE;

	for (int nid = 0; nid < (int)order->frames->nr_nodes; nid++) {
		uint64_t cost;

		if (*used >> nid & 1 || !qr__node_is(order->frames, nid, QR_N_MEMORY))
			continue;
		cost = nid == local ? 0 : node_cost(order, local, nid);
		if (cost < best_cost) {
			best_cost = cost;
			best = nid;
		}
	}
	if (best != QR_NODE_NONE)
		*used |= UINT64_C(1) << best;
	return best;
}

/* Lists ------------------------------------------------------------------------------------ */

static struct qr_zoneref *refs_add(struct qr_zoneref *ref, struct qr_node *node)
{
	for (int type = QR_ZONE_MOVABLE; type >= QR_ZONE_DMA; type--) {
		struct qr_zone *zone = &node->zones[type];

		if (!qr__zone_populated(zone))
			continue;
		atomic_store_explicit(&ref->zone_idx, (uint32_t)type, memory_order_relaxed);
		atomic_store_explicit(&ref->zone, zone, memory_order_release);
		ref++;
	}
	return ref;
}

static void refs_end(struct qr_zoneref *ref)
{
	atomic_store_explicit(&ref->zone, NULL, memory_order_release);
}

/* Where the walk of a request begins that may use zone @highest; what most requests come to. */
static void first_zones_set(struct qr_node *node)
{
	for (unsigned highest = 0; highest < QR_NR_ZONES; highest++) {
		struct qr_zone *zone;

		qr__zoneref_next(node->zonelist, (enum qr_zone_type)highest, NULL, &zone);
		atomic_store_explicit(&node->first_zone[highest], zone, memory_order_release);
	}
}

static void lists_build(struct qr_frames *frames, struct node_order *order, int local)
{
	struct qr_node *node = qr__node(frames, local);
	struct qr_zoneref *ref = node->zonelist;
	qr_nodemask_t used = 0;
	int previous = local, nid;

	refs_end(refs_add(node->zonelist_thisnode, node));
	while ((nid = node_next(order, local, &used)) != QR_NODE_NONE) {
		if (qr__node_distance(frames, local, nid) !=
		    qr__node_distance(frames, local, previous))
			order->load[nid]++;
		ref = refs_add(ref, qr__node(frames, nid));
		previous = nid;
	}
	refs_end(ref);
	first_zones_set(node);
}

void qr__zonelists_rebuild(struct qr_frames *frames)
{
	struct node_order order = {.frames = frames};
	unsigned long irqs = qr__irq_save(&frames->base);

	qr__lock(&frames->base, &frames->zonelists_lock);
	atomic_fetch_add(&frames->zonelist_seq, 1);
	states_update(frames);
	for (int nid = 0; nid < (int)frames->nr_nodes; nid++)
		lists_build(frames, &order, nid);
	atomic_fetch_add(&frames->zonelist_seq, 1);
	qr__unlock(&frames->base, &frames->zonelists_lock);
	qr__irq_restore(&frames->base, irqs);
}
