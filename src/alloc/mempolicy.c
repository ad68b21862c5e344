/* SPDX-License-Identifier: MIT */
/*
 * alloc/mempolicy.c - which node: policies and cpusets
 *
 * A policy turns into two arguments of an ordinary allocation, a node to begin at and a nodemask:
 *
 *	DEFAULT, LOCAL		the local node		any
 *	PREFERRED		the mask's first node	any
 *	BIND			the local node		the mask
 *	INTERLEAVE		whose turn it is	any
 *	WEIGHTED_INTERLEAVE	whose turn it is	any
 *	PREFERRED_MANY		the local node		the mask; and if that fails, any
 *
 * Whose turn it is, is told by the page's place in an object (il_index), so that the object lies
 * the same way whoever touches it first; or else by the task's own count of turns.
 *
 * A cpuset is the stricter of the two: a BIND mask that has no node in common with the task's
 * cpuset is ignored.  Nodes without memory are no part of any policy.
 */
#include "../base/bits.h"
#include "allocator.h"

/* Cpusets ---------------------------------------------------------------------------------- */

/*
 * Interrupts belong to no task; a victim must be able to end.  Others may leave their cpuset unless
 * the request is HARDWALL, as those made for user space are.
 */
bool qr_cpuset_zone_allowed(const struct qr_task *task, const struct qr_zone *zone, qr_gfp_t gfp)
{
	if (!task || !task->cpuset || !qr__in_task(task))
		return true;
	if (task->mems_allowed >> zone->nid & 1)
		return true;
	return (task->flags & QR_TASK_OOM_VICTIM) || !(gfp & QR___GFP_HARDWALL);
}

/* Turns ------------------------------------------------------------------------------------ */

/* The first node of the mask behind @nid, round and round.  The mask is not empty. */
static int node_after(qr_nodemask_t mask, unsigned nid)
{
	qr_nodemask_t behind = nid >= QR_MAX_NODES - 1 ? 0 : mask & ~UINT64_C(0) << (nid + 1);

	return (int)qr__ctz64(behind ? behind : mask);
}

static unsigned node_weight(const struct qr_mempolicy *policy, unsigned nid)
{
	if (policy->mode != QR_MPOL_WEIGHTED_INTERLEAVE || !policy->weight[nid])
		return 1;
	return policy->weight[nid];
}

/* Where the il_index-th page of an object lies. */
static int node_of_index(const struct qr_mempolicy *policy, qr_nodemask_t mask, uint64_t il_index)
{
	uint64_t total = 0;
	qr_nodemask_t rest;

	for (rest = mask; rest; rest &= rest - 1)
		total += node_weight(policy, qr__ctz64(rest));
	il_index %= total;
	for (rest = mask;; rest &= rest - 1) {
		unsigned weight = node_weight(policy, qr__ctz64(rest));

		if (il_index < weight)
			return (int)qr__ctz64(rest);
		il_index -= weight;
	}
}

/* Whose turn it is by the task's count: a node keeps its turn for as many pages as it weighs. */
static int node_of_turn(struct qr_task *task, const struct qr_mempolicy *policy, qr_nodemask_t mask)
{
	bool stays = task->il_weight && task->il_prev < QR_MAX_NODES && (mask >> task->il_prev & 1);

	if (!stays) {
		task->il_prev = (uint32_t)node_after(mask, task->il_prev);
		task->il_weight = (uint8_t)node_weight(policy, task->il_prev);
	}
	task->il_weight--;
	return (int)task->il_prev;
}

static int node_interleaved(struct qr_allocator *alloc, struct qr_task *task,
			    const struct qr_mempolicy *policy, qr_nodemask_t mask,
			    uint64_t il_index)
{
	if (il_index == QR_NO_INTERLEAVE && task)
		return node_of_turn(task, policy, mask);
	if (il_index == QR_NO_INTERLEAVE)
		il_index = atomic_fetch_add_explicit(&alloc->il_next, 1, memory_order_relaxed);
	return node_of_index(policy, mask, il_index);
}

/* Policies --------------------------------------------------------------------------------- */

/* A policy for one allocation. */
struct choice {
	int nid;
	const qr_nodemask_t *nodemask; /* NULL: any */
	bool interleaved;
};

static bool is_interleave(const struct qr_mempolicy *policy)
{
	return policy->mode == QR_MPOL_INTERLEAVE || policy->mode == QR_MPOL_WEIGHTED_INTERLEAVE;
}

static bool is_local(const struct qr_mempolicy *policy)
{
	return !policy || policy->mode == QR_MPOL_DEFAULT || policy->mode == QR_MPOL_LOCAL;
}

static qr_nodemask_t nodes_with_memory(const struct qr_allocator *alloc,
				       const struct qr_mempolicy *policy)
{
	return policy->nodes &
	       atomic_load_explicit(&alloc->frames.node_states[QR_N_MEMORY], memory_order_relaxed);
}

/* mask: the policy's nodes_with_memory(), read once, as nodes come and go meanwhile. */
static bool policy_valid(struct qr_allocator *alloc, const struct qr_mempolicy *policy,
			 qr_nodemask_t mask, qr_gfp_t gfp)
{
	const char *why = NULL;

	if (is_local(policy))
		return true;
	if ((unsigned)policy->mode > QR_MPOL_WEIGHTED_INTERLEAVE)
		why = "there is no such mode";
	else if (!mask)
		why = "none of its nodes has memory";
	if (why && !(gfp & QR___GFP_NOWARN))
		qr__log(qr__alloc_base(alloc), QR_LOG_ERR,
			"page allocation: memory policy %u for nodes %#llx: %s",
			(unsigned)policy->mode, (unsigned long long)policy->nodes, why);
	return !why;
}

/* A bind mask that the task's cpuset leaves nothing of does not count. */
static bool bind_applies(const struct qr_task *task, qr_nodemask_t mask)
{
	return !task || !task->cpuset || !qr__in_task(task) || (mask & task->mems_allowed);
}

static struct choice policy_choose(struct qr_allocator *alloc, struct qr_task *task,
				   const struct qr_mempolicy *policy, const qr_nodemask_t *mask,
				   uint64_t il_index)
{
	struct choice choice = {.nid = qr__numa_node(&alloc->frames)};

	if (is_local(policy))
		return choice;
	if (policy->mode == QR_MPOL_PREFERRED) {
		choice.nid = (int)qr__ctz64(*mask);
	} else if (is_interleave(policy)) {
		choice.nid = node_interleaved(alloc, task, policy, *mask, il_index);
		choice.interleaved = true;
	} else if (policy->mode == QR_MPOL_PREFERRED_MANY || bind_applies(task, *mask)) {
		choice.nodemask = mask;
	}
	return choice;
}

/*
 * Huge pages of an object are worth more near than anywhere: the node itself is tried first, and
 * only callers who are willing to wait go on from there.
 */
static bool wants_local_huge(const struct choice *choice, unsigned order, uint64_t il_index)
{
	return order == QR_HPAGE_PMD_ORDER && il_index != QR_NO_INTERLEAVE &&
	       !choice->interleaved && (!choice->nodemask || *choice->nodemask >> choice->nid & 1);
}

static struct qr_page *alloc_preferred_many(struct qr_allocator *alloc, qr_gfp_t gfp,
					    unsigned order, struct qr_task *task,
					    const struct choice *choice)
{
	qr_gfp_t gently = (gfp | QR___GFP_NOWARN) & ~(QR___GFP_DIRECT_RECLAIM | QR___GFP_NOFAIL);
	struct qr_page *page =
		qr__alloc_near(alloc, gently, order, choice->nid, choice->nodemask, task);

	if (page)
		return page;
	return qr__alloc_finally(alloc, gfp, order, choice->nid, NULL, task);
}

static struct qr_page *alloc_chosen(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
				    struct qr_task *task, const struct choice *choice)
{
	struct qr_page *page =
		qr__alloc_finally(alloc, gfp, order, choice->nid, choice->nodemask, task);

	if (page && choice->interleaved && qr__page_zone(&alloc->frames, page)->nid == choice->nid)
		qr__zone_count_numa(qr__page_zone(&alloc->frames, page), QR_EV_NUMA_INTERLEAVE);
	return page;
}

struct qr_page *qr__alloc_pages_policy(struct qr_allocator *alloc, qr_gfp_t gfp, unsigned order,
				       struct qr_task *task, const struct qr_mempolicy *policy,
				       uint64_t il_index)
{
	qr_nodemask_t mask = is_local(policy) ? 0 : nodes_with_memory(alloc, policy);
	struct choice choice;
	struct qr_page *page;

	if (!policy_valid(alloc, policy, mask, gfp))
		return NULL;
	choice = policy_choose(alloc, task, policy, &mask, il_index);
	if (policy && policy->mode == QR_MPOL_PREFERRED_MANY)
		return alloc_preferred_many(alloc, gfp, order, task, &choice);
	if (wants_local_huge(&choice, order, il_index)) {
		page = qr__alloc_near(alloc, gfp | QR___GFP_THISNODE | QR___GFP_NORETRY, order,
				      choice.nid, NULL, task);
		if (page || !(gfp & QR___GFP_DIRECT_RECLAIM))
			return page;
	}
	return alloc_chosen(alloc, gfp, order, task, &choice);
}

struct qr_page *qr_alloc_pages_mpol(struct quire *q, qr_gfp_t gfp, unsigned order,
				    const struct qr_mempolicy *policy, uint64_t il_index)
{
	struct qr_allocator *alloc = qr__allocator(q);

	return qr__alloc_pages_policy(alloc, gfp, order, qr__current_task(qr__alloc_base(alloc)),
				      policy, il_index);
}
