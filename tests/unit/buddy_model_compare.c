/* SPDX-License-Identifier: MIT */
/*
 * buddy_model_compare.c - all that can be seen of a real engine, against the model
 */
#include "buddy_model_inside.h"

static void list_compare(const struct model *model, unsigned zone, unsigned order,
			 enum qr_migratetype type)
{
	struct qr_zone *real = model->zones[zone].zone;
	const struct blocks *list = &model->zones[zone].lists[order][type];
	qr_pfn_t pfn = QR_PFN_NONE;
	struct qr_block first;

	for (size_t i = 0; i < list->nr; i++) {
		pfn = real->ops->next(real, order, type, pfn);
		EXPECT(model, pfn == list->block[i].pfn,
		       "zone %u, order %u, type %u, place %zu: %#llx instead of %#llx", zone, order,
		       (unsigned)type, i, ull(pfn), ull(list->block[i].pfn));
	}
	EXPECT(model, real->ops->next(real, order, type, pfn) == QR_PFN_NONE,
	       "zone %u, order %u, type %u: too long", zone, order, (unsigned)type);
	EXPECT(model, real->ops->nr_blocks_type_racy(real, order, type) == list->nr,
	       "zone %u, order %u, type %u: count", zone, order, (unsigned)type);
	EXPECT(model,
	       real->ops->first(real, order, type, &first) == (list->nr != 0) &&
		       (!list->nr || (first.pfn == list->block[0].pfn && first.order == order)),
	       "zone %u, order %u, type %u: first", zone, order, (unsigned)type);
}

static bool has_block(const struct model_zone *z, unsigned order, unsigned types)
{
	for (; order <= MAX_ORDER; order++) {
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
			if ((types & QR_TYPE_BIT(type)) && z->lists[order][type].nr)
				return true;
		}
	}
	return false;
}

static void area_compare(const struct model *model, unsigned zone, unsigned order)
{
	const struct model_zone *z = &model->zones[zone];
	uint64_t nr = 0;

	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		list_compare(model, zone, order, (enum qr_migratetype)type);
		nr += z->lists[order][type].nr;
	}
	EXPECT(model, z->zone->ops->nr_blocks_racy(z->zone, order) == nr,
	       "zone %u, order %u: count of all types", zone, order);
	for (unsigned types = 0; types < QR_TYPE_BIT(QR_MIGRATE_TYPES); types++)
		EXPECT(model,
		       z->zone->ops->has_racy(z->zone, order, types) == has_block(z, order, types),
		       "zone %u, order %u: has one of types %#x", zone, order, types);
}

static void counts_compare(const struct model *model, unsigned zone)
{
	const struct model_zone *z = &model->zones[zone];
	uint64_t nr[QR_MIGRATE_TYPES] = {0}, nr_free = 0;

	for (qr_pfn_t pfn = z->start_pfn; pfn < z->end_pfn; pfn++) {
		if (frame_at(model, pfn)->zone == (int)zone && frame_at(model, pfn)->state == FREE)
			nr[type_of(model, pfn)]++;
	}
	for (unsigned type = 0; type < QR_MIGRATE_ISOLATE; type++)
		nr_free += nr[type];
	EXPECT(model, qr__read(&z->zone->nr_free_pages) == nr_free,
	       "zone %u: nr_free_pages %llu instead of %llu", zone,
	       ull(qr__read(&z->zone->nr_free_pages)), ull(nr_free));
	EXPECT(model, qr__read(&z->zone->nr_free_cma) == nr[QR_MIGRATE_CMA], "zone %u: nr_free_cma",
	       zone);
	EXPECT(model, qr__read(&z->zone->nr_free_highatomic) == nr[QR_MIGRATE_HIGHATOMIC],
	       "zone %u: nr_free_highatomic", zone);
}

static void record_compare(const struct model *model, qr_pfn_t pfn)
{
	static const enum qr_page_type types[] = {QR_PT_NONE, QR_PT_BUDDY, QR_PT_GUARD, QR_PT_PCP};
	const struct model_frame *frame = frame_at(model, pfn);
	const struct qr_page *page = buddy_machine_page(model->machine, pfn);
	uint64_t word = qr__pfn_word(&model->machine->alloc.frames, pfn);
	enum qr_page_type type = frame->order < 0 ? QR_PT_NONE : types[frame->state];

	EXPECT(model, qr__word_type(word) == type, "the record of %#llx says %u instead of %u",
	       ull(pfn), (unsigned)qr__word_type(word), (unsigned)type);
	EXPECT(model, qr__page_test(page, QR_PG_REPORTED) == frame->reported,
	       "%#llx: REPORTED should be %u", ull(pfn), frame->reported);
	EXPECT(model, qr__word_noted(word) == frame->reported, "%#llx: NOTED should be %u",
	       ull(pfn), frame->reported);
	if (frame->order < 0)
		return;
	EXPECT(model, qr__word_order(word) == (unsigned)frame->order, "%#llx has order %u, not %d",
	       ull(pfn), qr__word_order(word), frame->order);
	EXPECT(model, qr__word_zone_id(word) == model->zones[frame->zone].zone->id,
	       "%#llx is in zone %u", ull(pfn), qr__word_zone_id(word));
}

void model_compare(struct model *model)
{
	for (unsigned zone = 0; zone < model->nr_zones; zone++) {
		struct qr_error_text why = {{0}};
		unsigned broken =
			model->zones[zone].zone->ops->check(model->zones[zone].zone, &why);

		EXPECT(model, broken == 0, "zone %u: B%u: %s", zone, broken, why.text);
		for (unsigned order = 0; order <= MAX_ORDER; order++)
			area_compare(model, zone, order);
		counts_compare(model, zone);
	}
	for (qr_pfn_t pfn = model->base_pfn; pfn < model->end_pfn; pfn++) {
		EXPECT(model,
		       qr__pageblock_type(&model->machine->alloc.frames, pfn) ==
			       type_of(model, pfn),
		       "pageblock of %#llx has type %u instead of %u", ull(pfn),
		       (unsigned)qr__pageblock_type(&model->machine->alloc.frames, pfn),
		       (unsigned)type_of(model, pfn));
		record_compare(model, pfn);
	}
}
