/* SPDX-License-Identifier: MIT */
/*
 * watch/check_global.c - the checker's look at what zones have in common: marks, zonelists,
 * nodes, detours
 */
#include "../alloc/step.h"
#include "check.h"

#define ULL(x) ((unsigned long long)(x))

/* Marks and reserves ----------------------------------------------------------------------- */

static void marks_check(struct qr_checker *c, const struct qr_zone *zone)
{
	uint64_t mark[QR_NR_WMARK];

	for (unsigned i = 0; i < QR_NR_WMARK; i++)
		mark[i] = qr__read(&zone->watermark[i]);
	if (mark[QR_WMARK_MIN] > mark[QR_WMARK_LOW] || mark[QR_WMARK_LOW] > mark[QR_WMARK_HIGH] ||
	    mark[QR_WMARK_HIGH] > mark[QR_WMARK_PROMO])
		qr__check_broken(
			c, QR_INV_W1,
			"zone %s of node %d: min %llu, low %llu, high %llu, promo %llu must not "
			"decrease",
			qr_zone_type_name(zone->type), zone->nid, ULL(mark[QR_WMARK_MIN]),
			ULL(mark[QR_WMARK_LOW]), ULL(mark[QR_WMARK_HIGH]),
			ULL(mark[QR_WMARK_PROMO]));
}

static void reserve_check(struct qr_checker *c, const struct qr_zone *zone)
{
	uint64_t below = 0;

	for (unsigned type = 0; type < QR_NR_ZONES; type++) {
		uint64_t reserve = qr__read(&zone->lowmem_reserve[type]);

		if (type <= (unsigned)zone->type ? reserve != 0 : reserve < below) {
			qr__check_broken(
				c, QR_INV_W2,
				"zone %s of node %d keeps %llu pages from requests for zone %s, "
				"%llu below",
				qr_zone_type_name(zone->type), zone->nid, ULL(reserve),
				qr_zone_type_name((enum qr_zone_type)type), ULL(below));
			return;
		}
		below = reserve;
	}
}

static void totalreserve_check(struct qr_checker *c, const struct qr_node *node)
{
	uint64_t managed = 0, reserve = qr__read(&node->totalreserve_pages);

	for (unsigned type = 0; type < QR_NR_ZONES; type++)
		managed += qr__read(&node->zones[type].managed_pages);
	if (reserve > managed)
		qr__check_broken(c, QR_INV_W6, "node %d reserves %llu pages, but manages %llu",
				 node->nid, ULL(reserve), ULL(managed));
}

/*
 * Only try the lock: whoever checks an instance while its caches are disabled holds a lock of a
 * higher rank.  If somebody recomputes marks all the time, they are not looked at.
 */
static bool marks_lock(struct qr_base *base, struct qr_spinlock *lock) QR_TRY_ACQUIRES(true, *lock)
{
	for (unsigned spins = 0; spins < 1000; spins++) {
		if (qr__trylock(base, lock))
			return true;
		qr__relax(base, spins);
	}
	return false;
}

void qr__check_marks(struct qr_checker *c)
{
	struct qr_base *base = &c->frames->base;
	struct qr_zone *zone;

	if (!marks_lock(base, &c->watch->alloc.tunables_lock))
		return;
	qr__for_each_zone(c->frames, zone)
	{
		marks_check(c, zone);
		reserve_check(c, zone);
	}
	for (unsigned nid = 0; nid < c->frames->nr_nodes; nid++)
		totalreserve_check(c, &c->frames->nodes[nid]);
	qr__unlock(base, &c->watch->alloc.tunables_lock);
}

/* Zonelists -------------------------------------------------------------------------------- */

static bool zone_is_listed(const struct qr_zone *zone)
{
	return zone->type != QR_ZONE_DEVICE && qr__zone_populated(zone);
}

/* How many zones a list of this node should have. */
static unsigned nr_to_list(const struct qr_frames *frames, int nid_or_none)
{
	const struct qr_zone *zone;
	unsigned nr = 0;

	qr__for_each_zone(frames, zone)
	{
		if (zone_is_listed(zone) &&
		    (nid_or_none == QR_NODE_NONE || zone->nid == nid_or_none))
			nr++;
	}
	return nr;
}

static bool listed_before(const struct qr_zoneref *list, unsigned i, const struct qr_zone *zone)
{
	while (i--)
		if (atomic_load_explicit(&list[i].zone, memory_order_relaxed) == zone)
			return true;
	return false;
}

/* Was another zone of this zone's node listed, but not just before? */
static bool node_comes_back(const struct qr_zoneref *list, unsigned i, const struct qr_zone *zone)
{
	const struct qr_zone *before;

	if (i == 0)
		return false;
	before = atomic_load_explicit(&list[i - 1].zone, memory_order_relaxed);
	if (before->nid == zone->nid)
		return before->type <= zone->type;
	while (i--)
		if (atomic_load_explicit(&list[i].zone, memory_order_relaxed)->nid == zone->nid)
			return true;
	return false;
}

static void zoneref_check(struct qr_checker *c, const struct qr_node *node, bool thisnode,
			  unsigned i)
{
	const struct qr_zoneref *list = thisnode ? node->zonelist_thisnode : node->zonelist;
	const struct qr_zone *zone = atomic_load_explicit(&list[i].zone, memory_order_relaxed);
	uint32_t idx = atomic_load_explicit(&list[i].zone_idx, memory_order_relaxed);
	bool own_first = nr_to_list(c->frames, node->nid) != 0;

	if (!zone_is_listed(zone) || idx != zone->type || (thisnode && zone->nid != node->nid) ||
	    listed_before(list, i, zone))
		qr__check_broken(
			c, QR_INV_W3,
			"place %u of the zonelist of node %d: zone %s of node %d does not belong "
			"there",
			i, node->nid, qr_zone_type_name(zone->type), zone->nid);
	else if (node_comes_back(list, i, zone) || (i == 0 && own_first && zone->nid != node->nid))
		qr__check_broken(
			c, QR_INV_W4,
			"place %u of the zonelist of node %d: zone %s of node %d is out of order",
			i, node->nid, qr_zone_type_name(zone->type), zone->nid);
}

static void zonelist_check(struct qr_checker *c, const struct qr_node *node, bool thisnode)
{
	const struct qr_zoneref *list = thisnode ? node->zonelist_thisnode : node->zonelist;
	unsigned should_be = nr_to_list(c->frames, thisnode ? node->nid : QR_NODE_NONE);
	unsigned i = 0;

	while (i <= should_be && atomic_load_explicit(&list[i].zone, memory_order_relaxed) &&
	       !c->broken)
		zoneref_check(c, node, thisnode, i++);
	if (i != should_be)
		qr__check_broken(c, QR_INV_W3,
				 "the zonelist of node %d has %s%u zones, should be %u", node->nid,
				 i > should_be ? "at least " : "", i, should_be);
}

/* Node states ------------------------------------------------------------------------------ */

static bool node_has_memory(const struct qr_node *node, enum qr_zone_type highest)
{
	for (unsigned type = 0; type <= (unsigned)highest; type++)
		if (zone_is_listed(&node->zones[type]))
			return true;
	return false;
}

static bool node_has_cpu(const struct qr_checker *c, int nid)
{
	for (unsigned cpu = 0; cpu < c->frames->base.nr_cpus; cpu++)
		if (c->frames->cpu_node[cpu] == nid &&
		    qr__bit_test(c->watch->alloc.cpu_online, cpu))
			return true;
	return false;
}

static void node_states_check(struct qr_checker *c, const struct qr_node *node)
{
	const struct {
		enum qr_node_state state;
		const char *name;
		bool should_be;
	} rows[] = {
		{QR_N_POSSIBLE, "possible", true},
		{QR_N_NORMAL_MEMORY, "normal memory", node_has_memory(node, QR_ZONE_NORMAL)},
		{QR_N_HIGH_MEMORY, "high memory", node_has_memory(node, QR_ZONE_HIGHMEM)},
		{QR_N_MEMORY, "memory", node_has_memory(node, QR_ZONE_MOVABLE)},
		{QR_N_CPU, "cpu", node_has_cpu(c, node->nid)},
	};

	for (size_t i = 0; i < QR_ARRAY_SIZE(rows); i++)
		if (qr__node_is(c->frames, node->nid, rows[i].state) != rows[i].should_be)
			qr__check_broken(
				c, QR_INV_W5, "state \"%s\" of node %d is %d, should be %d",
				rows[i].name, node->nid, !rows[i].should_be, rows[i].should_be);
	if (qr__node_is(c->frames, node->nid, QR_N_MEMORY) &&
	    !qr__node_is(c->frames, node->nid, QR_N_ONLINE))
		qr__check_broken(c, QR_INV_W5, "node %d has memory, but is not online", node->nid);
}

void qr__check_zonelists(struct qr_checker *c)
{
	struct qr_base *base = &c->frames->base;

	qr__lock(base, &c->frames->zonelists_lock);
	for (unsigned nid = 0; nid < c->frames->nr_nodes && !c->broken; nid++) {
		const struct qr_node *node = &c->frames->nodes[nid];

		node_states_check(c, node);
		if (!qr__node_is(c->frames, node->nid, QR_N_ONLINE))
			continue;
		zonelist_check(c, node, false);
		zonelist_check(c, node, true);
	}
	qr__unlock(base, &c->frames->zonelists_lock);
}

/* Detours ---------------------------------------------------------------------------------- */

/* From where each comes, page owner by who listens and not by its option. */
static uint32_t extras_due(const struct qr_allocator *alloc)
{
	uint32_t due = alloc->options & QR_OPT_PREP_EXTRAS & ~QR_OPT_PAGE_OWNER;

	if (alloc->events.owner_set || alloc->events.owner_reset)
		due |= QR_OPT_PAGE_OWNER;
	if (alloc->frames.base.platform.cpu_model == QR_CPU_UP)
		due |= QR_EXTRA_UP;
	return due;
}

static void extras_check(struct qr_checker *c)
{
	uint32_t extras = c->watch->alloc.extras, due = extras_due(&c->watch->alloc);

	if (extras != due)
		qr__check_broken(c, QR_INV_D3, "extras are %#x, should be %#x", (unsigned)extras,
				 (unsigned)due);
}

static bool detours_look(struct qr_checker *c, bool speak)
{
	const struct qr_allocator *alloc = &c->watch->alloc;
	const uint32_t known = QR_DETOUR_EXTRAS | QR_DETOUR_FAIL | QR_DETOUR_MOBILITY |
			       QR_DETOUR_GFP | QR_DETOUR_TRACE;
	const struct {
		uint32_t bits;
		const char *name;
		bool should_be;
	} rows[] = {
		{QR_DETOUR_EXTRAS, "extras", alloc->extras != 0},
		{QR_DETOUR_FAIL, "fail",
		 atomic_load_explicit(&alloc->fail_on, memory_order_relaxed)},
		{QR_DETOUR_MOBILITY, "mobility",
		 atomic_load_explicit(&c->frames->mobility_disabled, memory_order_relaxed)},
		{QR_DETOUR_GFP, "gfp", qr_gfp_allowed_mask(c->q) != QR_GFP_BITS_MASK},
		{QR_DETOUR_TRACE, "trace",
		 atomic_load_explicit(&c->frames->base.trace_mask, memory_order_relaxed) != 0},
		{~known, "unknown", false},
	};
	uint32_t detours = qr__detours(alloc);

	for (size_t i = 0; i < QR_ARRAY_SIZE(rows); i++) {
		if (((detours & rows[i].bits) != 0) == rows[i].should_be)
			continue;
		if (speak)
			qr__check_broken(c, QR_INV_D1, "detour \"%s\" is %d, should be %d",
					 rows[i].name, !rows[i].should_be, rows[i].should_be);
		return true;
	}
	return false;
}

static bool any_route(const struct qr_frames *frames)
{
	const struct qr_zone *zone;

	qr__for_each_zone(frames, zone)
	{
		if (zone->route)
			return true;
	}
	return false;
}

static uintptr_t steps_due(const struct qr_allocator *alloc)
{
	const struct qr_platform *p = &alloc->frames.base.platform;

	if (qr__detours(alloc) || !any_route(&alloc->frames) || p->current_task)
		return QR_STEPS_NONE;
	return QR_STEPS_HAVE_INLINE && p->local_area ? p->local_area : QR_STEPS_BY_HOOK;
}

static bool steps_look(struct qr_checker *c, bool speak)
{
	const struct qr_allocator *alloc = &c->watch->alloc;
	uintptr_t steps = qr__steps(alloc), due = steps_due(alloc);

	if (steps == due)
		return false;
	if (speak)
		qr__check_broken(c, QR_INV_D2, "steps are %#llx, should be %#llx", ULL(steps),
				 ULL(due));
	return true;
}

/* Whoever changes a reason, its bit and what follows from that does so one after the other. */
static void soft_check(struct qr_checker *c, bool (*look)(struct qr_checker *c, bool speak))
{
	unsigned nr = 0;

	while (!c->broken && look(c, nr == QR_CHECK_LOOKS) && nr++ < QR_CHECK_LOOKS)
		qr__check_pause(c, nr);
}

void qr__check_detours(struct qr_checker *c)
{
	extras_check(c);
	soft_check(c, detours_look);
	soft_check(c, steps_look);
}
