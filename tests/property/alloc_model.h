/* SPDX-License-Identifier: MIT */
/*
 * alloc_model.h - a whole allocator against an oracle that a child can follow
 *
 * A stream of bytes describes a small machine and then a sequence of operations on it.  The oracle
 * is one array with an entry for each frame: who holds it. After each allocation it says whether
 * the
 * block may be what it is (legal zone and node, aligned, inside RAM, not held by anyone, zeroed if
 * asked for), and after a failure whether that was plausible.  Held frames carry a tag in their
 * bytes, so that a frame handed out twice is noticed by its contents as well.  Now and then, and at
 * the end, every page must be accounted for and qr_check() find nothing.
 *
 * Both the property test (bytes from a seed) and the fuzz target (bytes from libFuzzer) run this.
 */
#ifndef TESTS_ALLOC_MODEL_H
#define TESTS_ALLOC_MODEL_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/inspect.h>
#include <quire/sim.h>

#include "unit/steps.h"

#define MODEL_MAX_BLOCKS 4096
#define MODEL_MAX_RANGES 12
#define MODEL_UNIT QR_PAGEBLOCK_NR_PAGES

struct model_block {
	struct qr_page *page;
	unsigned order;
	bool folio;
	bool charged;
	uint64_t tag;
};

struct model {
	const uint8_t *data;
	size_t size, at;

	struct qr_sim *sim;
	struct quire *q;
	struct qr_range ranges[MODEL_MAX_RANGES];
	struct qr_sim_config config;
	uint8_t distance[16];
	int cpu_node[4];
	qr_pfn_t end_pfn;

	uint32_t *held; /* by pfn: number of the block plus 1; 0: nobody */
	struct model_block blocks[MODEL_MAX_BLOCKS];
	unsigned nr_blocks;
	uint64_t nr_held; /* pages */
	uint64_t next_tag;
	int64_t nr_adjusted; /* what managed pages were changed by */
	int64_t nr_charged;
	uint64_t ops;
	bool failing; /* injection is on */
	struct qr_task task;
	struct qr_mempolicy policy;
};

#define MODEL_CHECK(m, cond, ...) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "model: operation %" PRIu64 ", byte %zu: ", (m)->ops, \
				(m)->at); \
			fprintf(stderr, __VA_ARGS__); \
			fprintf(stderr, "\n  (%s)\n  last log line: %s\n", #cond, \
				(m)->sim ? qr_sim_log_last((m)->sim) : ""); \
			abort(); \
		} \
	} while (0)

/* Bytes ------------------------------------------------------------------------------------ */

static inline unsigned model_byte(struct model *m)
{
	return m->at < m->size ? m->data[m->at++] : 0;
}

static inline unsigned model_below(struct model *m, unsigned limit)
{
	unsigned value = model_byte(m);

	if (limit > 256)
		value |= model_byte(m) << 8;
	return value % limit;
}

static inline bool model_done(const struct model *m)
{
	return m->at >= m->size;
}

/* The machine ------------------------------------------------------------------------------ */

static void model_ranges(struct model *m, unsigned nr_nodes)
{
	struct qr_config *config = &m->config.machine;
	unsigned nr = 1 + model_below(m, MODEL_MAX_RANGES - 1);
	qr_pfn_t pfn = model_below(m, 3) * 5;

	for (unsigned i = 0; i < nr; i++) {
		unsigned shape = model_byte(m);
		uint64_t pages = (1 + model_below(m, 10)) * MODEL_UNIT;

		if (shape & 1) /* ragged */
			pages -= model_below(m, (unsigned)MODEL_UNIT);
		m->ranges[i] = (struct qr_range){
			.start_pfn = pfn,
			.nr_pages = pages,
			.nid = (int)(i * nr_nodes / nr),
			.kind = i && (shape & 0x1c) == 0x1c ? QR_RANGE_RESERVED : QR_RANGE_RAM,
		};
		pfn += pages;
		if (shape & 2)
			pfn += model_below(m, (unsigned)(2 * MODEL_UNIT));
		if (shape & 0x20)
			pfn = (pfn + MODEL_UNIT - 1) & ~(MODEL_UNIT - 1);
	}
	config->ranges = m->ranges;
	config->nr_ranges = nr;
	m->end_pfn = pfn;
}

static void model_zones(struct model *m)
{
	struct qr_config *config = &m->config.machine;
	unsigned shape = model_byte(m);
	qr_pfn_t step = m->end_pfn / 4 & ~(QR_MAX_ORDER_NR_PAGES - 1);

	config->zone_limits = (struct qr_zone_limits){
		.dma_end = shape & 1 ? step : 0,
		.dma32_end = shape & 2   ? 2 * step
			     : shape & 1 ? step
					 : 0,
		.normal_end = shape & 4 && step ? 3 * step : m->end_pfn,
		.highmem_end = shape & 4 && step ? m->end_pfn : 0,
	};
	if (shape & 8)
		config->movable.movablecore_percent = 30;
}

static void model_nodes(struct model *m, unsigned nr_nodes)
{
	struct qr_config *config = &m->config.machine;

	config->nr_nodes = nr_nodes;
	for (unsigned a = 0; a < nr_nodes; a++)
		for (unsigned b = 0; b < nr_nodes; b++)
			m->distance[a * nr_nodes + b] =
				(uint8_t)(a == b ? 10 : 10 + 10 * (a > b ? a - b : b - a));
	config->distance = m->distance;
	config->nr_cpus = 1 + model_below(m, 4);
	for (unsigned cpu = 0; cpu < config->nr_cpus; cpu++)
		m->cpu_node[cpu] = (int)model_below(m, nr_nodes);
	config->cpu_node = m->cpu_node;
}

/* Poisoning says no to zeroing; all else goes together. */
static uint32_t model_options(struct model *m)
{
	static const uint32_t bits[] = {
		QR_OPT_PAGE_POISON, QR_OPT_INIT_ON_ALLOC, QR_OPT_INIT_ON_FREE,  QR_OPT_CHECK_PAGES,
		QR_OPT_SHUFFLE,     QR_OPT_PAGE_OWNER,    QR_OPT_DEFERRED_INIT, QR_OPT_NO_HUGE_PCP};
	unsigned chosen = model_byte(m) & model_byte(m);
	uint32_t options = 0;

	for (unsigned i = 0; i < 8; i++)
		if (chosen >> i & 1)
			options |= bits[i];
	if (options & QR_OPT_PAGE_POISON)
		options &= ~(QR_OPT_INIT_ON_ALLOC | QR_OPT_INIT_ON_FREE);
	return options;
}

/* Either engine; QR_TEST_ENGINE=<name> insists on one. */
static const char *model_engine(struct model *m)
{
	const char *name = getenv("QR_TEST_ENGINE");
	bool list = model_byte(m) & 1;

	return name ? name : list ? "list" : "bitmap";
}

static int model_charge(void *ctx, struct qr_page *page, unsigned order, qr_gfp_t gfp)
{
	struct model *m = ctx;

	(void)page, (void)gfp;
	if (m->nr_charged > 100)
		return QR_ENOMEM;
	m->nr_charged += (int64_t)1 << order;
	return 0;
}

static void model_uncharge(void *ctx, struct qr_page *page, unsigned order)
{
	(void)page;
	((struct model *)ctx)->nr_charged -= (int64_t)1 << order;
}

/* False: the bytes describe no machine that can be. */
static bool model_create(struct model *m)
{
	static const struct qr_charge_ops charge = {model_charge, model_uncharge};
	unsigned nr_nodes = 1 + model_below(m, 3);
	struct qr_error_text why;

	model_ranges(m, nr_nodes);
	model_zones(m);
	model_nodes(m, nr_nodes);
	m->config.machine.options = model_options(m);
	m->config.machine.seed = 1 + model_byte(m);
	m->config.machine.engine = model_engine(m);
	m->config.machine.section_order = QR_MAX_PAGE_ORDER + model_below(m, 2);
	m->config.memory = model_byte(m) & 1;
	m->config.metadata_fill = 0xa5;
	m->config.local_locks = m->config.local_commits = test_steps();
	m->sim = qr_sim_new(&m->config, &why);
	if (!m->sim)
		return false;
	m->q = qr_sim_quire(m->sim);
	m->held = calloc(m->end_pfn, sizeof(*m->held));
	MODEL_CHECK(m, m->held, "no memory for the model");
	qr_charge_ops_set(m->q, &charge, m);
	return true;
}

/* The page i frames on: records are opaque here. */
static struct qr_page *model_page(struct model *m, struct qr_page *page, uint64_t i)
{
	return qr_pfn_to_page(m->q, qr_page_to_pfn(m->q, page) + i);
}

/* What must hold --------------------------------------------------------------------------- */

static bool model_is_memory(const struct model *m, qr_pfn_t pfn)
{
	for (unsigned i = 0; i < m->config.machine.nr_ranges; i++)
		if (pfn - m->ranges[i].start_pfn < m->ranges[i].nr_pages)
			return true;
	return false;
}

static void model_tag(struct model *m, const struct model_block *block)
{
	for (uint64_t i = 0; i < UINT64_C(1) << block->order; i++) {
		uint64_t *bytes = qr_page_address(m->q, model_page(m, block->page, i));

		if (bytes)
			bytes[0] = bytes[QR_PAGE_SIZE / 8 - 1] = block->tag + i;
	}
}

static void model_tag_check(struct model *m, const struct model_block *block)
{
	for (uint64_t i = 0; i < UINT64_C(1) << block->order; i++) {
		const uint64_t *bytes = qr_page_address(m->q, model_page(m, block->page, i));

		if (bytes)
			MODEL_CHECK(m,
				    bytes[0] == block->tag + i &&
					    bytes[QR_PAGE_SIZE / 8 - 1] == block->tag + i,
				    "page %" PRIu64 " of a held block was written to", i);
	}
}

static void model_zero_check(struct model *m, struct qr_page *page, unsigned order)
{
	for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
		const uint64_t *bytes = qr_page_address(m->q, model_page(m, page, i));

		for (size_t word = 0; bytes && word < QR_PAGE_SIZE / 8; word += 7)
			MODEL_CHECK(m, !bytes[word], "a page that should be zero is not");
	}
}

/* Every page is somewhere: free, waiting, held.  Caches are emptied for it. */
static void model_account(struct model *m)
{
	struct qr_quire_snapshot all;
	struct qr_error_text why = {""};
	uint64_t deferred = 0;
	unsigned broken;

	qr_drain_all_pages(m->q, NULL);
	qr_quire_snapshot(m->q, &all);
	for (int nid = 0; nid < (int)all.nr_nodes; nid++) {
		for (unsigned type = 0; type < QR_NR_ZONES; type++) {
			struct qr_zone_snapshot snap;

			if (qr_zone_snapshot(m->q, nid, (enum qr_zone_type)type, &snap) == 0)
				deferred += snap.nr_deferred;
		}
	}
	MODEL_CHECK(m,
		    (int64_t)(all.nr_free + deferred + m->nr_held) ==
			    (int64_t)all.managed - m->nr_adjusted,
		    "free %" PRIu64 " + waiting %" PRIu64 " + held %" PRIu64
		    " is not managed %" PRIu64 " - adjusted %" PRId64,
		    all.nr_free, deferred, m->nr_held, all.managed, m->nr_adjusted);
	broken = qr_check(m->q, &why);
	MODEL_CHECK(m, !broken, "%s", why.text);
}

/* Allocate --------------------------------------------------------------------------------- */

struct model_request {
	qr_gfp_t gfp;
	unsigned order;
	bool strict; /* the mask holds for it */
	qr_nodemask_t nodes; /* legal ones */
};

static qr_gfp_t model_gfp(struct model *m)
{
	static const qr_gfp_t gfps[] = {
		QR_GFP_KERNEL,
		QR_GFP_ATOMIC,
		QR_GFP_NOWAIT,
		QR_GFP_HIGHUSER_MOVABLE,
		QR_GFP_HIGHUSER,
		QR_GFP_USER,
		QR_GFP_KERNEL | QR___GFP_RECLAIMABLE,
		QR_GFP_KERNEL | QR_GFP_DMA,
		QR_GFP_KERNEL | QR_GFP_DMA32,
		QR_GFP_NOFS,
		QR_GFP_TRANSHUGE,
		QR_GFP_TRANSHUGE_LIGHT,
		QR___GFP_MEMALLOC,
		QR___GFP_MEMALLOC | QR___GFP_MOVABLE | QR___GFP_HIGHMEM,
		QR_GFP_KERNEL | QR___GFP_NORETRY,
		QR_GFP_KERNEL | QR___GFP_RETRY_MAYFAIL,
		QR_GFP_KERNEL_ACCOUNT,
		QR_GFP_KERNEL | QR___GFP_DMA | QR___GFP_HIGHMEM, /* illegal */
		QR_GFP_KERNEL | QR___GFP_WRITE,
	};
	qr_gfp_t gfp = gfps[model_below(m, sizeof(gfps) / sizeof(gfps[0]))] | QR___GFP_NOWARN;
	unsigned more = model_byte(m);

	if ((more & 7) == 1)
		gfp |= QR___GFP_ZERO;
	if ((more & 0x18) == 0x18)
		gfp |= QR___GFP_COMP;
	return gfp;
}

/* Small orders mostly. */
static unsigned model_order(struct model *m)
{
	unsigned value = model_byte(m);

	if (value < 160)
		return 0;
	if (value < 240)
		return 1 + value % 3;
	return value % (QR_MAX_PAGE_ORDER + 2);
}

/* A request may leave its nodemask behind if it is entitled to reserves or cannot wait. */
static bool model_is_strict(qr_gfp_t gfp)
{
	if (gfp & QR___GFP_MEMALLOC)
		return false;
	return (gfp & QR___GFP_DIRECT_RECLAIM) || !(gfp & QR___GFP_HIGH);
}

static void model_legal_check(struct model *m, const struct model_request *req,
			      struct qr_page *page)
{
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);
	unsigned nid = qr_page_nid(m->q, page);
	uint64_t nr = UINT64_C(1) << req->order;

	MODEL_CHECK(m, qr_gfp_valid(req->gfp, NULL) && req->order <= QR_MAX_PAGE_ORDER,
		    "an illegal request was served");
	MODEL_CHECK(m, !(pfn & (nr - 1)), "pfn %#" PRIx64 " of order %u is misaligned", pfn,
		    req->order);
	MODEL_CHECK(m, qr_page_zone_type(m->q, page) <= qr_gfp_zone(m->q, req->gfp),
		    "zone %u for gfp %#x", (unsigned)qr_page_zone_type(m->q, page), req->gfp);
	if (req->strict)
		MODEL_CHECK(m, req->nodes >> nid & 1, "node %u is not in mask %#" PRIx64, nid,
			    req->nodes);
	MODEL_CHECK(m, qr_page_count(m->q, page) == 1, "a fresh page has %d references",
		    qr_page_count(m->q, page));
	for (uint64_t i = 0; i < nr; i++) {
		MODEL_CHECK(m, pfn + i < m->end_pfn && model_is_memory(m, pfn + i),
			    "pfn %#" PRIx64 " is no memory", pfn + i);
		MODEL_CHECK(m, !m->held[pfn + i], "pfn %#" PRIx64 " is held already", pfn + i);
	}
}

static void model_hold(struct model *m, struct qr_page *page, unsigned order, bool folio)
{
	struct model_block *block;
	qr_pfn_t pfn = qr_page_to_pfn(m->q, page);

	MODEL_CHECK(m, m->nr_blocks < MODEL_MAX_BLOCKS, "the model is too small");
	block = &m->blocks[m->nr_blocks++];
	*block = (struct model_block){
		.page = page, .order = order, .folio = folio, .tag = m->next_tag};
	m->next_tag += UINT64_C(1) << order;
	for (uint64_t i = 0; i < UINT64_C(1) << order; i++)
		m->held[pfn + i] = m->nr_blocks;
	m->nr_held += UINT64_C(1) << order;
	model_tag(m, block);
}

/* All free pages that a request for everything could have had; caches not counted. */
static uint64_t model_had(struct model *m, qr_gfp_t gfp)
{
	struct qr_quire_snapshot all;
	uint64_t had = 0;

	qr_quire_snapshot(m->q, &all);
	for (int nid = 0; nid < (int)all.nr_nodes; nid++) {
		for (unsigned type = 0; type <= qr_gfp_zone(m->q, gfp); type++) {
			struct qr_zone_snapshot snap;

			if (qr_zone_snapshot(m->q, nid, (enum qr_zone_type)type, &snap))
				continue;
			had += snap.nr_free + snap.nr_deferred - snap.nr_free_highatomic;
			if (qr_gfp_migratetype(m->q, gfp) != QR_MIGRATE_MOVABLE)
				had -= snap.nr_free_cma;
		}
	}
	return had;
}

/* A request that no watermark stops failed: was there really nothing? */
static void model_failure_check(struct model *m, const struct model_request *req)
{
	if (!qr_gfp_valid(req->gfp, NULL) || req->order || m->failing ||
	    req->nodes != QR_NODEMASK_ALL)
		return;
	if ((req->gfp & (QR___GFP_MEMALLOC | QR___GFP_THISNODE | QR___GFP_ACCOUNT)) !=
	    QR___GFP_MEMALLOC)
		return;
	MODEL_CHECK(m, !model_had(m, req->gfp), "gfp %#x failed with %" PRIu64 " pages free",
		    req->gfp, model_had(m, req->gfp));
}

static struct qr_page *model_call(struct model *m, struct model_request *req)
{
	unsigned how = model_byte(m);
	unsigned nr_nodes = m->config.machine.nr_nodes;
	int nid = (int)model_below(m, nr_nodes);

	req->nodes = QR_NODEMASK_ALL;
	req->strict = model_is_strict(req->gfp);
	switch (how % 6) {
	case 0:
		req->nodes = 1 + model_below(m, (1u << nr_nodes) - 1);
		return qr___alloc_pages(m->q, req->gfp, req->order, nid, &req->nodes);
	case 1:
		req->gfp |= QR___GFP_THISNODE;
		req->nodes = UINT64_C(1) << nid;
		req->strict = true;
		return qr_alloc_pages_node(m->q, nid, req->gfp, req->order);
	case 2:
		req->gfp |= QR___GFP_COMP;
		return qr_folio_alloc(m->q, req->gfp, req->order);
	case 3:
		m->policy.mode = (enum qr_mempolicy_mode)model_below(m, 7);
		m->policy.nodes = 1 + model_below(m, (1u << nr_nodes) - 1);
		return qr_alloc_pages_mpol(m->q, req->gfp, req->order, &m->policy,
					   how & 8 ? how : QR_NO_INTERLEAVE);
	default:
		return qr_alloc_pages(m->q, req->gfp, req->order);
	}
}

static void model_alloc(struct model *m)
{
	struct model_request req = {.gfp = model_gfp(m), .order = model_order(m)};
	struct qr_page *page;

	if (m->nr_blocks == MODEL_MAX_BLOCKS)
		return;
	page = model_call(m, &req);
	if (!page) {
		if (!m->policy.nodes)
			model_failure_check(m, &req);
		m->policy.nodes = 0;
		return;
	}
	m->policy.nodes = 0;
	model_legal_check(m, &req, page);
	if (req.gfp & QR___GFP_ZERO)
		model_zero_check(m, page, req.order);
	model_hold(m, page, req.order, (req.gfp & QR___GFP_COMP) && req.order);
}

/* Many at once: until something fails. */
static void model_alloc_run(struct model *m)
{
	struct model_request req = {
		.gfp = model_gfp(m), .order = model_order(m), .nodes = QR_NODEMASK_ALL};

	for (unsigned nr = 4 * model_byte(m); nr && m->nr_blocks < MODEL_MAX_BLOCKS; nr--) {
		struct qr_page *page = qr_alloc_pages(m->q, req.gfp, req.order);

		if (!page) {
			model_failure_check(m, &req);
			return;
		}
		model_legal_check(m, &req, page);
		model_hold(m, page, req.order, (req.gfp & QR___GFP_COMP) && req.order);
	}
}

/* Free ------------------------------------------------------------------------------------- */

/* Forget block i; the last one takes its place. */
static struct model_block model_unhold(struct model *m, unsigned i)
{
	struct model_block block = m->blocks[i];
	qr_pfn_t pfn = qr_page_to_pfn(m->q, block.page);

	model_tag_check(m, &block);
	for (uint64_t n = 0; n < UINT64_C(1) << block.order; n++)
		m->held[pfn + n] = 0;
	m->nr_held -= UINT64_C(1) << block.order;
	m->blocks[i] = m->blocks[--m->nr_blocks];
	if (i < m->nr_blocks) {
		pfn = qr_page_to_pfn(m->q, m->blocks[i].page);
		for (uint64_t n = 0; n < UINT64_C(1) << m->blocks[i].order; n++)
			m->held[pfn + n] = i + 1;
	}
	return block;
}

static void model_free_one(struct model *m, unsigned i, unsigned how)
{
	struct model_block block = model_unhold(m, i);

	if (how % 4 == 0 && (block.folio || !block.order)) {
		MODEL_CHECK(m, qr_put_page(m->q, block.page), "the last put did not free");
	} else if (how % 4 == 1) {
		/* A reference that outlives the free: the rest is free at once (A25). */
		MODEL_CHECK(m, qr_get_page_unless_zero(m->q, block.page), "held, but no page");
		qr___free_pages(m->q, block.page, block.order);
		MODEL_CHECK(m, qr_put_page(m->q, block.page), "the last put did not free");
	} else {
		qr___free_pages(m->q, block.page, block.order);
	}
}

static void model_free(struct model *m)
{
	unsigned how = model_byte(m), i = model_below(m, MODEL_MAX_BLOCKS);

	if (m->nr_blocks)
		model_free_one(m, i % m->nr_blocks, how);
}

static void model_free_run(struct model *m)
{
	unsigned how = model_byte(m);
	unsigned step = 1 + (how >> 4) % 3;

	for (unsigned nr = 4 * model_byte(m), i = 0; nr && m->nr_blocks; nr--, i += step)
		model_free_one(m, i % m->nr_blocks, how);
}

/* A block cut apart is held as its pages. */
static void model_split(struct model *m)
{
	unsigned i = model_below(m, MODEL_MAX_BLOCKS);
	struct model_block block;

	if (!m->nr_blocks)
		return;
	i %= m->nr_blocks;
	block = m->blocks[i];
	if (block.folio) {
		MODEL_CHECK(m, qr_split_page(m->q, block.page, block.order) == QR_EINVAL,
			    "a folio was split");
		return;
	}
	if (m->nr_blocks + (1u << block.order) > MODEL_MAX_BLOCKS || block.order > 6)
		return;
	model_unhold(m, i);
	MODEL_CHECK(m, qr_split_page(m->q, block.page, block.order) == 0, "no split");
	for (unsigned n = 0; n < 1u << block.order; n++)
		model_hold(m, model_page(m, block.page, n), 0, false);
}

static void model_exact(struct model *m)
{
	size_t nr = 1 + model_below(m, 40);
	struct model_request req = {.gfp = model_gfp(m) & ~(QR___GFP_COMP | QR___GFP_HIGHMEM),
				    .strict = true,
				    .nodes = QR_NODEMASK_ALL};
	struct qr_page *page;

	if (m->nr_blocks + nr > MODEL_MAX_BLOCKS)
		return;
	page = qr_alloc_pages_exact(m->q, nr * QR_PAGE_SIZE, req.gfp);
	for (size_t i = 0; page && i < nr; i++) {
		model_legal_check(m, &req, model_page(m, page, i));
		model_hold(m, model_page(m, page, i), 0, false);
	}
}

/* Bulk: an array with holes, some of it held before. */
static void model_bulk(struct model *m)
{
	struct model_request req = {.gfp = model_gfp(m), .strict = true, .nodes = QR_NODEMASK_ALL};
	struct qr_page *pages[64] = {0};
	uint64_t holes = model_byte(m) | (uint64_t)model_byte(m) << 24;
	unsigned nr = 1 + model_below(m, 64), full = 0;

	if (m->nr_blocks + nr > MODEL_MAX_BLOCKS)
		return;
	for (unsigned i = 0; i < nr; i++)
		if (holes >> i & 1 && i < m->nr_blocks)
			pages[i] = m->blocks[i].page;
	full = qr_alloc_pages_bulk(m->q, req.gfp, (int)model_below(m, m->config.machine.nr_nodes),
				   NULL, nr, pages);
	MODEL_CHECK(m, full <= nr, "more than asked for");
	for (unsigned i = 0, known = m->nr_blocks; i < nr; i++) {
		if (holes >> i & 1 && i < known)
			continue;
		MODEL_CHECK(m, !pages[i] == (i >= full), "slot %u of %u full ones", i, full);
		if (!pages[i])
			continue;
		model_legal_check(m, &req, pages[i]);
		model_hold(m, pages[i], 0, false);
	}
}

/* All else --------------------------------------------------------------------------------- */

static void model_tune(struct model *m)
{
	static const int64_t values[] = {0,    1,    7,     8,  10,  100,  500,   1000,
					 3000, 3001, 15000, -1, 128, 2048, 65536, INT64_MAX};
	enum qr_tunable which = (enum qr_tunable)model_below(m, QR_NR_TUNABLES + 1);
	int64_t value = values[model_below(m, 16)], before = 0, after = 0;
	bool readable = qr_tunable_get(m->q, which, &before) == 0;
	int error;

	/* Marks beyond all memory would only make each request fail. */
	if (which == QR_TUNE_MIN_FREE_KBYTES && value > 2048)
		value = 2048;
	error = qr_tunable_set(m->q, which, value);
	if (readable && qr_tunable_get(m->q, which, &after) == 0 && error)
		MODEL_CHECK(m, before == after, "a refused value changed tunable %u",
			    (unsigned)which);
}

static void model_reserve_ratio(struct model *m)
{
	int32_t ratio[5];

	for (unsigned i = 0; i < 5; i++)
		ratio[i] = (int32_t)model_byte(m) - 2;
	qr_lowmem_reserve_ratio_set(m->q, ratio, 5);
}

static void model_inject(struct model *m)
{
	struct qr_fail_page_alloc attr = {.interval = model_byte(m) % 5,
					  .times = model_byte(m) % 7,
					  .min_order = model_byte(m) % 3};

	qr_fail_page_alloc_set(m->q, &attr);
	m->failing = attr.interval != 0;
}

/* Reserved pages join: one by one, or as CMA pageblocks. */
static void model_reserved(struct model *m)
{
	const struct qr_range *range = &m->ranges[model_below(m, m->config.machine.nr_ranges)];
	qr_pfn_t pfn = range->start_pfn + model_below(m, 1024) % range->nr_pages;
	bool ok;

	if (model_byte(m) & 1) {
		pfn = (pfn + QR_PAGEBLOCK_NR_PAGES - 1) & ~(QR_PAGEBLOCK_NR_PAGES - 1);
		ok = qr_init_cma_reserved_pageblock(m->q, pfn) == 0;
	} else {
		ok = qr_free_reserved_page(m->q, pfn) == 0;
	}
	MODEL_CHECK(m,
		    !ok || range->kind == QR_RANGE_RESERVED ||
			    pfn >= range->start_pfn + range->nr_pages,
		    "RAM was freed as if it were reserved");
}

static void model_adjust(struct model *m)
{
	int64_t delta = (int64_t)model_byte(m) - 200;
	struct qr_page *page = m->nr_blocks ? m->blocks[0].page : NULL;

	if (m->nr_adjusted < -400 && delta < 0)
		delta = -m->nr_adjusted;
	if (page && qr_adjust_managed_page_count(m->q, page, delta) == 0)
		m->nr_adjusted += delta;
}

static void model_cpu(struct model *m)
{
	unsigned cpu = model_below(m, m->config.machine.nr_cpus), what = model_byte(m);

	if (what % 8 == 0 && cpu != qr_sim_cpu(m->sim))
		qr_cpu_dead(m->q, cpu);
	else if (what % 8 == 1)
		qr_cpu_online(m->q, cpu);
	else if (qr_cpu_online(m->q, cpu) == 0)
		qr_sim_cpu_set(m->sim, cpu);
}

static void model_zone_disable(struct model *m)
{
	struct qr_zone *zone = qr_zone_at(m->q, (int)model_below(m, m->config.machine.nr_nodes),
					  (enum qr_zone_type)model_below(m, QR_ZONE_DEVICE));

	if (!zone)
		return;
	qr_zone_pcp_disable(zone);
	model_alloc(m);
	model_free(m);
	qr_zone_pcp_enable(zone);
}

static void model_task(struct model *m)
{
	unsigned what = model_byte(m);

	m->task = (struct qr_task){
		.flags = what & (QR_TASK_MEMALLOC_NOIO | QR_TASK_MEMALLOC_NOFS | QR_TASK_REALTIME)};
	qr_sim_task_set(m->sim, what & 1 ? &m->task : NULL);
}

static void model_misc(struct model *m)
{
	switch (model_below(m, 12)) {
	case 0:
		qr_drain_all_pages(m->q, NULL);
		break;
	case 1:
		qr_drain_local_pages(m->q, NULL);
		break;
	case 2:
		qr_sim_advance(m->sim, UINT64_C(1) << model_below(m, 33));
		break;
	case 3:
		model_inject(m);
		break;
	case 4:
		model_reserve_ratio(m);
		break;
	case 5:
		model_reserved(m);
		break;
	case 6:
		model_adjust(m);
		break;
	case 7:
		qr_page_alloc_init_late(m->q);
		break;
	case 8:
		model_zone_disable(m);
		break;
	case 9:
		model_account(m);
		break;
	case 10:
		model_task(m);
		break;
	default:
		qr_run_pending(m->q);
		break;
	}
}

static void model_op(struct model *m)
{
	unsigned op = model_byte(m) % 32;

	m->ops++;
	if (op < 10)
		model_alloc(m);
	else if (op < 18)
		model_free(m);
	else if (op < 20)
		model_alloc_run(m);
	else if (op < 22)
		model_free_run(m);
	else if (op == 22)
		model_split(m);
	else if (op == 23)
		model_exact(m);
	else if (op == 24)
		model_bulk(m);
	else if (op == 25)
		model_tune(m);
	else if (op < 28)
		model_cpu(m);
	else
		model_misc(m);
}

/* Everything goes back, and then everything is there. */
static void model_end(struct model *m)
{
	struct qr_quire_snapshot all;

	qr_sim_task_set(m->sim, NULL);
	while (m->nr_blocks)
		model_free_one(m, m->nr_blocks - 1, m->nr_blocks);
	qr_page_alloc_init_late(m->q);
	model_account(m);
	qr_quire_snapshot(m->q, &all);
	MODEL_CHECK(m, (int64_t)all.nr_free == (int64_t)all.managed - m->nr_adjusted,
		    "at the end %" PRIu64 " of %" PRIu64 " pages are free", all.nr_free,
		    all.managed);
	MODEL_CHECK(m, m->nr_charged == 0, "%" PRId64 " pages are still charged", m->nr_charged);
	MODEL_CHECK(m, !qr_sim_log_matches(m->sim, "BUG"), "a bad page was reported");
}

/* How many operations were run; 0: the bytes describe no machine. */
static inline uint64_t model_run(const uint8_t *data, size_t size)
{
	uint64_t ops = 0;

	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->data = data;
	m->size = size;
	m->next_tag = UINT64_C(0x1000000000000);
	if (model_create(m)) {
		while (!model_done(m)) {
			model_op(m);
			if (m->ops % 64 == 0)
				model_account(m);
		}
		model_end(m);
		ops = m->ops;
		qr_sim_free(m->sim);
	}
	free(m->held);
	free(m);
	return ops;
}

#endif /* TESTS_ALLOC_MODEL_H */
