/* SPDX-License-Identifier: MIT */
/*
 * buddy_model.c - a buddy engine so simple that it can be believed
 */
#include "buddy_model_inside.h"

#define TAKE_MAX 40

_Noreturn void model_differs(const struct model *model, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: step %llu: ", model->name, (unsigned long long)model->nr_steps);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

static uint32_t draw(struct model *model, uint64_t limit)
{
	return limit ? model->stream->next(model->stream, (uint32_t)limit) : 0;
}

/* Small orders are what matters most. */
static unsigned order_draw(struct model *model)
{
	return (unsigned)qr__min(draw(model, MAX_ORDER + 1), draw(model, MAX_ORDER + 1));
}

/* Arrays of blocks ------------------------------------------------------------------------- */

static void blocks_insert(struct blocks *blocks, size_t at, qr_pfn_t pfn, unsigned order)
{
	if (blocks->nr == blocks->room) {
		blocks->room = blocks->room ? blocks->room * 2 : 16;
		blocks->block = realloc(blocks->block, blocks->room * sizeof(*blocks->block));
		if (!blocks->block)
			abort();
	}
	memmove(&blocks->block[at + 1], &blocks->block[at],
		(blocks->nr - at) * sizeof(*blocks->block));
	blocks->block[at] = (struct qr_block){.pfn = pfn, .order = order};
	blocks->nr++;
}

static struct qr_block blocks_remove(struct blocks *blocks, size_t at)
{
	struct qr_block block = blocks->block[at];

	blocks->nr--;
	memmove(&blocks->block[at], &blocks->block[at + 1],
		(blocks->nr - at) * sizeof(*blocks->block));
	return block;
}

static size_t blocks_find(const struct blocks *blocks, qr_pfn_t pfn)
{
	size_t i = 0;

	while (i < blocks->nr && blocks->block[i].pfn != pfn)
		i++;
	return i;
}

static void blocks_rotate(struct blocks *blocks, size_t first)
{
	for (; first > 0; first--) {
		struct qr_block block = blocks_remove(blocks, 0);

		blocks_insert(blocks, blocks->nr, block.pfn, block.order);
	}
}

/* Frames and pageblocks -------------------------------------------------------------------- */

static enum qr_migratetype stored(const struct model *model, enum qr_migratetype type)
{
	return model->config.mobility_disabled && type < QR_MIGRATE_PCPTYPES ? QR_MIGRATE_UNMOVABLE
									     : type;
}

static void block_mark(struct model *model, qr_pfn_t pfn, unsigned order, enum frame_state state)
{
	for (uint64_t i = 0; i < qr__order_pages(order); i++) {
		struct model_frame *frame = frame_at(model, pfn + i);

		frame->state = (uint8_t)state;
		frame->order = -1;
		frame->reported = false;
	}
	frame_at(model, pfn)->order = (int8_t)order;
}

static bool whole_block(const struct model *model, unsigned zone, qr_pfn_t pfn, unsigned order)
{
	const struct model_frame *frame;

	if (!frame_exists(model, pfn))
		return false;
	frame = frame_at(model, pfn);
	return frame->zone == (int)zone && frame->order == (int)order &&
	       (frame->state == FREE || frame->state == GUARD);
}

/* The free block around pfn, by looking at each frame below. */
static bool block_around(const struct model *model, unsigned zone, qr_pfn_t pfn,
			 struct qr_block *block)
{
	if (!frame_exists(model, pfn) || frame_at(model, pfn)->zone != (int)zone ||
	    frame_at(model, pfn)->state != FREE)
		return false;
	while (frame_at(model, pfn)->order < 0)
		pfn--;
	*block = (struct qr_block){.pfn = pfn, .order = (unsigned)frame_at(model, pfn)->order};
	return true;
}

/* The model's engine ----------------------------------------------------------------------- */

static void list_add(struct model *model, unsigned zone, struct qr_block block,
		     enum qr_migratetype type, bool cold)
{
	struct blocks *list = &model->zones[zone].lists[block.order][type];

	block_mark(model, block.pfn, block.order, FREE);
	blocks_insert(list, cold ? list->nr : 0, block.pfn, block.order);
}

static void list_del(struct model *model, unsigned zone, struct qr_block block,
		     enum qr_migratetype type)
{
	struct blocks *list = &model->zones[zone].lists[block.order][type];
	size_t at = blocks_find(list, block.pfn);

	EXPECT(model, at < list->nr, "the model lost %#llx, order %u, type %u", ull(block.pfn),
	       block.order, (unsigned)type);
	blocks_remove(list, at);
	block_mark(model, block.pfn, block.order, HELD);
}

/* Halve a held block down to order; halves go to the hot ends of type's lists, or become guards. */
static void halve(struct model *model, unsigned zone, struct qr_block block, unsigned order,
		  enum qr_migratetype type)
{
	while (block.order > order) {
		struct qr_block half;

		block.order--;
		half = (struct qr_block){block.pfn + qr__order_pages(block.order), block.order};
		if (half.order < model->config.guard_minorder)
			block_mark(model, half.pfn, half.order, GUARD);
		else
			list_add(model, zone, half, type, false);
	}
	block_mark(model, block.pfn, order, HELD);
}

static void hold(struct model *model, qr_pfn_t pfn, unsigned order)
{
	block_mark(model, pfn, order, HELD);
	blocks_insert(&model->held, model->held.nr, pfn, order);
}

static bool take_one(struct model *model, unsigned zone, unsigned order, enum qr_migratetype type,
		     qr_pfn_t *pfn)
{
	for (unsigned o = order; o <= MAX_ORDER; o++) {
		struct blocks *list = &model->zones[zone].lists[o][type];
		struct qr_block block;

		if (!list->nr)
			continue;
		block = list->block[0];
		list_del(model, zone, block, type);
		halve(model, zone, block, order, type);
		*pfn = block.pfn;
		return true;
	}
	return false;
}

static bool may_mix(enum qr_migratetype a, enum qr_migratetype b)
{
	return a == b || (a < QR_MIGRATE_PCPTYPES && b < QR_MIGRATE_PCPTYPES);
}

/* Join with buddies; the block as it is then, in no list, and its type. */
static struct qr_block join(struct model *model, unsigned zone, struct qr_block block,
			    enum qr_migratetype *type)
{
	for (; block.order < MAX_ORDER; block.order++) {
		struct qr_block buddy = {block.pfn ^ qr__order_pages(block.order), block.order};
		enum qr_migratetype other;

		if (!whole_block(model, zone, buddy.pfn, buddy.order))
			break;
		other = type_of(model, buddy.pfn);
		if (!may_mix(*type, other))
			break;
		if (frame_at(model, buddy.pfn)->state == FREE)
			list_del(model, zone, buddy, other);
		block.pfn = qr__min(block.pfn, buddy.pfn);
		if (other == *type)
			continue;
		*type = stored(model, *type);
		for (uint64_t i = 0; i < 2 * qr__order_pages(block.order); i++)
			model->types[pageblock_of(model, block.pfn + i)] = (uint8_t)*type;
	}
	return block;
}

/* Is the block's parent's buddy free? */
static bool goes_cold(const struct model *model, unsigned zone, struct qr_block block)
{
	qr_pfn_t parent =
		block.pfn / 2 / qr__order_pages(block.order) * 2 * qr__order_pages(block.order);

	return block.order + 2 <= MAX_ORDER &&
	       whole_block(model, zone, parent ^ qr__order_pages(block.order + 1), block.order + 1);
}

/* Steps ------------------------------------------------------------------------------------ */

/* Give a block whose pageblocks have one type, to both. */
static void give_both(struct model *model, struct qr_block block, bool cold)
{
	unsigned zone = (unsigned)frame_at(model, block.pfn)->zone, order;
	struct qr_zone *real = model->zones[zone].zone;
	enum qr_migratetype type = type_of(model, block.pfn);
	struct qr_block first;

	order = real->ops->give(real, block.pfn, block.order, type,
				cold ? QR_END_COLD : QR_END_AUTO);
	block = join(model, zone, block, &type);
	EXPECT(model, order == block.order, "%#llx joined to order %u instead of %u",
	       ull(block.pfn), order, block.order);
	if (!cold && model->config.shuffle && order == MAX_ORDER)
		/* Chance decides: learn how. */
		cold = !real->ops->first(real, order, type, &first) || first.pfn != block.pfn;
	else if (!cold)
		cold = goes_cold(model, zone, block);
	list_add(model, zone, block, type, cold);
}

static bool one_type(const struct model *model, struct qr_block block)
{
	for (uint64_t i = 0; i < qr__order_pages(block.order); i += QR_PAGEBLOCK_NR_PAGES) {
		if (type_of(model, block.pfn + i) != type_of(model, block.pfn))
			return false;
	}
	return true;
}

/* Give any block: in pageblocks, if they are not of one type. */
static void give_parts(struct model *model, struct qr_block block, bool cold)
{
	if (block.order <= QR_PAGEBLOCK_ORDER || one_type(model, block)) {
		give_both(model, block, cold);
		return;
	}
	for (uint64_t i = 0; i < qr__order_pages(block.order); i += QR_PAGEBLOCK_NR_PAGES) {
		struct qr_block part = {block.pfn + i, QR_PAGEBLOCK_ORDER};

		block_mark(model, part.pfn, part.order, HELD);
		give_both(model, part, cold);
	}
}

static void step_take(struct model *model, unsigned zone)
{
	struct qr_zone *real = model->zones[zone].zone;
	unsigned order = order_draw(model), nr = 1 + draw(model, TAKE_MAX), taken;
	enum qr_migratetype type = (enum qr_migratetype)draw(model, QR_MIGRATE_TYPES);
	qr_pfn_t pfns[TAKE_MAX + 1], pfn = 0;

	taken = real->ops->take(real, order, type, nr, pfns);
	EXPECT(model, taken <= nr, "took %u blocks instead of %u", taken, nr);
	for (unsigned i = 0; i < nr; i++) {
		bool taken_here = take_one(model, zone, order, type, &pfn);

		EXPECT(model, taken_here == (i < taken), "took %u blocks of order %u, type %u",
		       taken, order, (unsigned)type);
		if (!taken_here)
			break;
		EXPECT(model, pfns[i] == pfn, "took %#llx instead of %#llx", ull(pfns[i]),
		       ull(pfn));
		hold(model, pfn, order);
	}
}

static void step_give(struct model *model)
{
	bool cold = draw(model, 4) == 0;

	if (model->held.nr)
		give_parts(model, blocks_remove(&model->held, draw(model, model->held.nr)), cold);
}

/* Whoever holds a block may give it back in parts. */
static void step_split_held(struct model *model)
{
	struct qr_block block;
	struct qr_page_state *state;

	if (!model->held.nr)
		return;
	block = blocks_remove(&model->held, draw(model, model->held.nr));
	if (block.order > 0) {
		block.order--;
		state = qr__pfn_state(&model->machine->alloc.frames, block.pfn);
		qr__state_order_set(state, block.order);
		qr__state_head_set(state + qr__order_pages(block.order), qr__state_zone_id(state),
				   QR_PT_PCP, block.order);
		hold(model, block.pfn + qr__order_pages(block.order), block.order);
	}
	hold(model, block.pfn, block.order);
}

/* A free block by chance: of all lists that have one, and then of that list. */
static bool listed_draw(struct model *model, unsigned zone, unsigned min_order,
			struct qr_block *block, enum qr_migratetype *type)
{
	unsigned skip = draw(model, QR_NR_PAGE_ORDERS * QR_MIGRATE_TYPES);

	for (unsigned i = 0; i < QR_NR_PAGE_ORDERS * QR_MIGRATE_TYPES; i++) {
		unsigned at = (i + skip) % (QR_NR_PAGE_ORDERS * QR_MIGRATE_TYPES);
		unsigned order = at / QR_MIGRATE_TYPES;
		const struct blocks *list = &model->zones[zone].lists[order][at % QR_MIGRATE_TYPES];

		if (order < min_order || !list->nr)
			continue;
		*block = list->block[draw(model, list->nr)];
		*type = (enum qr_migratetype)(at % QR_MIGRATE_TYPES);
		return true;
	}
	return false;
}

static void step_take_block(struct model *model, unsigned zone)
{
	struct qr_zone *real = model->zones[zone].zone;
	enum qr_migratetype type;
	struct qr_block block;
	unsigned order;

	if (!listed_draw(model, zone, 0, &block, &type))
		return;
	order = (unsigned)qr__min(order_draw(model), block.order);
	real->ops->take_block(real, block, order, type);
	list_del(model, zone, block, type);
	halve(model, zone, block, order, type);
	hold(model, block.pfn, order);
}

/* Take a block of whole pageblocks, which change their type with that. */
static void step_claim(struct model *model, unsigned zone)
{
	struct qr_zone *real = model->zones[zone].zone;
	enum qr_migratetype type, to = (enum qr_migratetype)draw(model, QR_MIGRATE_PCPTYPES);
	struct qr_block block;
	unsigned order;

	if (!listed_draw(model, zone, QR_PAGEBLOCK_ORDER, &block, &type) ||
	    type >= QR_MIGRATE_PCPTYPES)
		return;
	to = stored(model, to);
	order = (unsigned)qr__min(order_draw(model), block.order);
	real->ops->take_block(real, block, order, to);
	list_del(model, zone, block, type);
	halve(model, zone, block, order, to);
	for (uint64_t i = 0; i < qr__order_pages(block.order); i += QR_PAGEBLOCK_NR_PAGES) {
		qr__pageblock_type_set_locked(real, block.pfn + i, to);
		model->types[pageblock_of(model, block.pfn + i)] = (uint8_t)to;
	}
	hold(model, block.pfn, order);
}

static bool all_free(const struct model *model, unsigned zone, qr_pfn_t pfn, unsigned order)
{
	for (uint64_t i = 0; i < qr__order_pages(order); i++) {
		if (!frame_exists(model, pfn + i) || frame_at(model, pfn + i)->zone != (int)zone ||
		    frame_at(model, pfn + i)->state != FREE)
			return false;
	}
	return true;
}

static void carve(struct model *model, unsigned zone, qr_pfn_t pfn, unsigned order)
{
	struct qr_block block;

	block_around(model, zone, pfn, &block);
	if (block.order < order) {
		for (qr_pfn_t at = pfn; at < pfn + qr__order_pages(order);
		     at += qr__order_pages(block.order)) {
			block_around(model, zone, at, &block);
			list_del(model, zone, block, type_of(model, at));
		}
		return;
	}
	list_del(model, zone, block, type_of(model, block.pfn));
	while (block.order > order) {
		struct qr_block half[2];
		unsigned wanted;

		block.order--;
		half[0] = block;
		half[1] = (struct qr_block){block.pfn + qr__order_pages(block.order), block.order};
		wanted = pfn >= half[1].pfn;
		list_add(model, zone, half[!wanted], type_of(model, half[!wanted].pfn), false);
		block = half[wanted];
	}
}

static void step_carve(struct model *model, unsigned zone)
{
	struct model_zone *z = &model->zones[zone];
	unsigned order = order_draw(model);
	qr_pfn_t pfn = z->start_pfn + draw(model, z->end_pfn - z->start_pfn);
	bool carved;

	pfn = qr__align_down(pfn, qr__order_pages(order));
	carved = z->zone->ops->carve(z->zone, pfn, order);
	EXPECT(model, carved == all_free(model, zone, pfn, order), "carving order %u at %#llx: %u",
	       order, ull(pfn), carved);
	if (carved) {
		carve(model, zone, pfn, order);
		hold(model, pfn, order);
	}
}

/* A pageblock of the zone by chance; false: it does not lie wholly in the zone. */
static bool pageblock_draw(struct model *model, unsigned zone, qr_pfn_t *start_pfn)
{
	const struct model_zone *z = &model->zones[zone];

	*start_pfn = qr__pageblock_start(z->start_pfn + draw(model, z->end_pfn - z->start_pfn));
	if (*start_pfn < z->start_pfn || *start_pfn + QR_PAGEBLOCK_NR_PAGES > z->end_pfn)
		return false;
	for (uint64_t i = 0; i < QR_PAGEBLOCK_NR_PAGES; i++) {
		if (frame_at(model, *start_pfn + i)->zone != (int)zone &&
		    frame_at(model, *start_pfn + i)->zone >= 0)
			return false;
	}
	return true;
}

/* Move the free blocks of a pageblock, in the model; pages moved. */
static uint64_t move(struct model *model, unsigned zone, qr_pfn_t start_pfn,
		     enum qr_migratetype from, enum qr_migratetype to)
{
	uint64_t nr_moved = 0;

	for (qr_pfn_t pfn = start_pfn; pfn < start_pfn + QR_PAGEBLOCK_NR_PAGES; pfn++) {
		const struct model_frame *frame = frame_at(model, pfn);
		struct qr_block block = {pfn, 0};
		bool reported = frame->reported;

		if (frame->state != FREE || frame->order < 0)
			continue;
		block.order = (unsigned)frame->order;
		list_del(model, zone, block, from);
		list_add(model, zone, block, to, true);
		frame_at(model, pfn)->reported = reported;
		nr_moved += qr__order_pages(block.order);
	}
	return nr_moved;
}

static void move_both(struct model *model, unsigned zone, qr_pfn_t start_pfn,
		      enum qr_migratetype from, enum qr_migratetype to)
{
	struct qr_zone *real = model->zones[zone].zone;
	uint64_t nr = real->ops->move(real, start_pfn, start_pfn + QR_PAGEBLOCK_NR_PAGES, from, to);
	uint64_t expected = move(model, zone, start_pfn, from, to);

	EXPECT(model, nr == expected, "moved %llu pages of %#llx instead of %llu", ull(nr),
	       ull(start_pfn), ull(expected));
}

static void step_retype(struct model *model, unsigned zone)
{
	enum qr_migratetype from, to = (enum qr_migratetype)draw(model, QR_MIGRATE_ISOLATE);
	struct qr_block block;
	qr_pfn_t pfn;

	if (!pageblock_draw(model, zone, &pfn) || type_of(model, pfn) == QR_MIGRATE_ISOLATE)
		return;
	if (block_around(model, zone, pfn, &block) && block.order > QR_PAGEBLOCK_ORDER)
		return;
	from = type_of(model, pfn);
	to = stored(model, to);
	qr__pageblock_type_set_locked(model->zones[zone].zone, pfn, to);
	model->types[pageblock_of(model, pfn)] = (uint8_t)to;
	move_both(model, zone, pfn, from, to);
}

static void isolate_set(struct model *model, unsigned zone, qr_pfn_t pfn, bool isolate)
{
	qr__pageblock_isolate_set_locked(model->zones[zone].zone, pfn, isolate);
	model->isolated[pageblock_of(model, pfn)] = isolate;
}

static void step_isolate(struct model *model, unsigned zone)
{
	struct qr_zone *real = model->zones[zone].zone;
	enum qr_migratetype from;
	struct qr_block block;
	bool isolate;
	qr_pfn_t pfn;

	if (!pageblock_draw(model, zone, &pfn))
		return;
	from = type_of(model, pfn);
	isolate = from != QR_MIGRATE_ISOLATE;
	if (block_around(model, zone, pfn, &block) && block.order > QR_PAGEBLOCK_ORDER) {
		real->ops->take_block(real, block, block.order, from);
		list_del(model, zone, block, from);
		isolate_set(model, zone, pfn, isolate);
		give_parts(model, block, false);
		return;
	}
	isolate_set(model, zone, pfn, isolate);
	move_both(model, zone, pfn, from, type_of(model, pfn));
}

static void step_rotate(struct model *model, unsigned zone)
{
	struct qr_zone *real = model->zones[zone].zone;
	enum qr_migratetype type;
	struct qr_block block;
	struct blocks *list;

	if (!listed_draw(model, zone, 0, &block, &type))
		return;
	real->ops->rotate(real, block.order, type, block.pfn);
	list = &model->zones[zone].lists[block.order][type];
	blocks_rotate(list, blocks_find(list, block.pfn));
}

static void step_find(struct model *model, unsigned zone)
{
	struct model_zone *z = &model->zones[zone];
	qr_pfn_t pfn = model->base_pfn + draw(model, model->end_pfn - model->base_pfn + 8) - 4;
	struct qr_block block = {0, 0}, expected = {0, 0};
	bool found = z->zone->ops->find(z->zone, pfn, &block);

	EXPECT(model, found == block_around(model, zone, pfn, &expected), "finding %#llx: %u",
	       ull(pfn), found);
	EXPECT(model, block.pfn == expected.pfn && block.order == expected.order,
	       "%#llx found in order %u at %#llx instead of order %u at %#llx", ull(pfn),
	       block.order, ull(block.pfn), expected.order, ull(expected.pfn));
}

/* The same blocks in another order, which the model takes over. */
static void shuffled_learn(struct model *model, struct qr_zone *real, enum qr_migratetype type,
			   struct blocks *list)
{
	struct blocks learnt = {0};
	qr_pfn_t pfn = QR_PFN_NONE;

	while ((pfn = real->ops->next(real, MAX_ORDER, type, pfn)) != QR_PFN_NONE) {
		size_t at = blocks_find(list, pfn);

		EXPECT(model, at < list->nr, "shuffling made up %#llx", ull(pfn));
		blocks_remove(list, at);
		blocks_insert(&learnt, learnt.nr, pfn, MAX_ORDER);
	}
	EXPECT(model, list->nr == 0, "shuffling lost %zu blocks", list->nr);
	free(list->block);
	*list = learnt;
}

static void step_shuffle(struct model *model, unsigned zone)
{
	struct model_zone *z = &model->zones[zone];

	z->zone->ops->shuffle(z->zone);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		shuffled_learn(model, z->zone, (enum qr_migratetype)type,
			       &z->lists[MAX_ORDER][type]);
}

/* What page reporting does, when it has told the host of a block. */
static void step_report(struct model *model, unsigned zone)
{
	enum qr_migratetype type;
	struct qr_block block;

	if (!listed_draw(model, zone, 0, &block, &type))
		return;
	qr__page_set(&model->machine->alloc.frames, buddy_machine_page(model->machine, block.pfn),
		     QR_PG_REPORTED);
	frame_at(model, block.pfn)->reported = true;
}

static void step_locked(struct model *model, unsigned zone)
{
	switch (draw(model, 16)) {
	case 0:
	case 1:
	case 2:
		step_take(model, zone);
		break;
	case 3:
		step_take_block(model, zone);
		break;
	case 4:
		step_carve(model, zone);
		break;
	case 5:
		step_claim(model, zone);
		break;
	case 6:
		step_isolate(model, zone);
		break;
	case 7:
		step_retype(model, zone);
		break;
	case 8:
		step_rotate(model, zone);
		break;
	case 9:
		step_find(model, zone);
		break;
	case 10:
		step_shuffle(model, zone);
		break;
	case 11:
		step_report(model, zone);
		break;
	case 12:
		step_split_held(model);
		break;
	default:
		for (unsigned i = draw(model, TAKE_MAX); i > 0; i--)
			step_give(model);
	}
}

void model_step(struct model *model)
{
	unsigned zone = draw(model, model->nr_zones);

	model->nr_steps++;
	/* Locks of one rank do not nest, but some steps touch whichever zone a block is of. */
	for (unsigned i = 0; i < model->nr_zones; i++)
		atomic_store(&model->zones[i].zone->lock.taken, 1);
	step_locked(model, zone);
	for (unsigned i = 0; i < model->nr_zones; i++)
		atomic_store(&model->zones[i].zone->lock.taken, 0);
}

/* Making one ------------------------------------------------------------------------------- */

/* In frames, of the parts that machines are put together from. */
#define BLOCK QR_MAX_ORDER_NR_PAGES
#define PAGEBLOCK QR_PAGEBLOCK_NR_PAGES

struct model_span {
	int nid;
	enum qr_zone_type type;
	qr_pfn_t start_pfn, end_pfn;
	qr_pfn_t hole_start_pfn, hole_end_pfn; /* of another zone */
};

static const struct {
	qr_pfn_t base_pfn, end_pfn;
	struct model_span spans[MODEL_MAX_ZONES];
} layouts[MODEL_NR_LAYOUTS] = {
	/* One zone, aligned. */
	{2 * BLOCK, 5 * BLOCK, {{0, QR_ZONE_NORMAL, 2 * BLOCK, 5 * BLOCK, 0, 0}}},
	/* Memory begins at odd pageblocks, zones at odd frames, and there is nothing behind. */
	{3 * PAGEBLOCK,
	 3 * PAGEBLOCK + 3 * BLOCK - 1,
	 {{0, QR_ZONE_DMA, 3 * PAGEBLOCK + 1, 3 * PAGEBLOCK + BLOCK + 1, 0, 0},
	  {0, QR_ZONE_NORMAL, 3 * PAGEBLOCK + BLOCK + 1, 3 * PAGEBLOCK + 3 * BLOCK - 1, 0, 0}}},
	/* One node's memory lies inside the other's. */
	{BLOCK,
	 4 * BLOCK,
	 {{0, QR_ZONE_NORMAL, BLOCK, 4 * BLOCK, 2 * BLOCK + PAGEBLOCK, 3 * BLOCK},
	  {1, QR_ZONE_NORMAL, 2 * BLOCK + PAGEBLOCK, 3 * BLOCK, 0, 0}}},
	/* Zones meet inside what could be one block. */
	{0,
	 3 * BLOCK + 2,
	 {{0, QR_ZONE_DMA, PAGEBLOCK, BLOCK + PAGEBLOCK, 0, 0},
	  {0, QR_ZONE_DMA32, BLOCK + PAGEBLOCK, 3 * BLOCK - PAGEBLOCK, 0, 0},
	  {0, QR_ZONE_NORMAL, 3 * BLOCK - PAGEBLOCK, 3 * BLOCK + 2, 0, 0}}},
};

static void zone_make(struct model *model, const struct model_span *span)
{
	struct model_zone *z = &model->zones[model->nr_zones];

	z->zone = buddy_machine_zone(model->machine, span->nid, span->type, span->start_pfn,
				     span->end_pfn);
	z->start_pfn = span->start_pfn;
	z->end_pfn = span->end_pfn;
	for (qr_pfn_t pfn = span->start_pfn; pfn < span->end_pfn; pfn++) {
		if (pfn >= span->hole_start_pfn && pfn < span->hole_end_pfn)
			continue;
		frame_at(model, pfn)->zone = (int8_t)model->nr_zones;
		frame_at(model, pfn)->state = HELD;
	}
	model->nr_zones++;
}

static void holes_make(struct model *model)
{
	for (unsigned i = 0; i < 4; i++) {
		qr_pfn_t pfn = model->base_pfn + draw(model, model->end_pfn - model->base_pfn);
		qr_pfn_t end_pfn = pfn + 1 + draw(model, PAGEBLOCK + 2);

		for (; pfn < end_pfn && frame_exists(model, pfn); pfn++) {
			frame_at(model, pfn)->zone = -1;
			frame_at(model, pfn)->state = ABSENT;
		}
	}
}

/* Does a zone have all of this block? */
static bool block_fits(const struct model *model, struct qr_block block)
{
	for (uint64_t i = 0; i < qr__order_pages(block.order); i++) {
		if (!frame_exists(model, block.pfn + i) ||
		    frame_at(model, block.pfn + i)->zone != frame_at(model, block.pfn)->zone)
			return false;
	}
	return true;
}

static void frames_release(struct model *model)
{
	qr_pfn_t pfn = model->base_pfn;

	while (pfn < model->end_pfn) {
		struct qr_block block = {pfn, MAX_ORDER};

		if (frame_at(model, pfn)->state == ABSENT) {
			pfn++;
			continue;
		}
		while (!qr__is_aligned(pfn, qr__order_pages(block.order)) ||
		       !block_fits(model, block))
			block.order--;
		give_both(model, block, true);
		pfn += qr__order_pages(block.order);
	}
}

static void model_fill(struct model *model)
{
	for (unsigned i = 0; i < model->nr_zones; i++)
		atomic_store(&model->zones[i].zone->lock.taken, 1);
	frames_release(model);
	for (unsigned i = 0; i < model->nr_zones; i++)
		atomic_store(&model->zones[i].zone->lock.taken, 0);
}

struct model *model_new(const struct model_config *config, struct model_stream *stream)
{
	struct model *model = calloc(1, sizeof(*model));
	struct qr_frames *frames;
	size_t nr_frames, nr_pageblocks;

	if (!model)
		abort();
	model->config = *config;
	model->stream = stream;
	model->base_pfn = layouts[config->layout].base_pfn;
	model->end_pfn = layouts[config->layout].end_pfn;
	nr_frames = (size_t)(model->end_pfn - model->base_pfn);
	nr_pageblocks = pageblock_of(model, model->end_pfn) + 1;
	model->machine = buddy_machine_new(model->base_pfn, model->end_pfn);
	model->machine->ops = &qr__buddy_list;
	frames = &model->machine->alloc.frames;
	frames->guard_minorder = config->guard_minorder;
	frames->shuffle = config->shuffle;
	atomic_store(&frames->mobility_disabled, config->mobility_disabled);
	model->frames = calloc(nr_frames, sizeof(*model->frames));
	model->types = malloc(nr_pageblocks);
	model->isolated = calloc(nr_pageblocks, sizeof(bool));
	if (!model->frames || !model->types || !model->isolated)
		abort();
	memset(model->types, QR_MIGRATE_MOVABLE, nr_pageblocks);
	for (size_t i = 0; i < nr_frames; i++)
		model->frames[i] = (struct model_frame){.zone = -1, .state = ABSENT, .order = -1};
	for (unsigned i = 0; i < MODEL_MAX_ZONES; i++) {
		if (layouts[config->layout].spans[i].end_pfn)
			zone_make(model, &layouts[config->layout].spans[i]);
	}
	if (config->holes)
		holes_make(model);
	model_fill(model);
	return model;
}

void model_name(struct model *model, const char *name)
{
	snprintf(model->name, sizeof(model->name), "%s", name);
}

void model_free(struct model *model)
{
	for (unsigned zone = 0; zone < model->nr_zones; zone++) {
		for (unsigned order = 0; order <= MAX_ORDER; order++) {
			for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
				free(model->zones[zone].lists[order][type].block);
		}
	}
	buddy_machine_free(model->machine);
	free(model->held.block);
	free(model->frames);
	free(model->types);
	free(model->isolated);
	free(model);
}
