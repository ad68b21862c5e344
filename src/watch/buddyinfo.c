/* SPDX-License-Identifier: MIT */
/*
 * watch/buddyinfo.c - /proc/buddyinfo, and the free lists as printed when an allocation fails
 */
#include "../base/text.h"
#include "../buddy/engine.h"

#include "walk.h"

size_t qr_show_buddyinfo(struct quire *q, char *buf, size_t size)
{
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);
	struct qr_zone *zone;

	qr__for_each_populated_zone(frames, zone)
	{
		qr__buddy_settle(zone);
		qr__text_printf(&text, "Node %d, zone %8s ", zone->nid,
				qr_zone_type_name(zone->type));
		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++)
			qr__text_printf(&text, "%6llu ",
					(unsigned long long)zone->ops->nr_blocks_racy(zone, order));
		qr__text_char(&text, '\n');
	}
	return text.len;
}

/* Free areas ------------------------------------------------------------------------------- */

/* One letter for each type that has blocks of this order: "(UM) ". */
static void type_letters(struct qr_text *text, const struct qr_zone *zone, unsigned order)
{
	static const char letters[QR_MIGRATE_TYPES] = {
		[QR_MIGRATE_UNMOVABLE] = 'U',   [QR_MIGRATE_MOVABLE] = 'M',
		[QR_MIGRATE_RECLAIMABLE] = 'E', [QR_MIGRATE_HIGHATOMIC] = 'H',
		[QR_MIGRATE_CMA] = 'C',         [QR_MIGRATE_ISOLATE] = 'I',
	};

	qr__text_char(text, '(');
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		if (zone->ops->nr_blocks_type_racy(zone, order, (enum qr_migratetype)type))
			qr__text_char(text, letters[type]);
	qr__text_str(text, ") ");
}

size_t qr_show_free_areas(struct quire *q, char *buf, size_t size)
{
	const uint64_t page_kb = QR_PAGE_SIZE / 1024;
	const struct qr_frames *frames = qr__frames(q);
	struct qr_text text = qr__text(buf, size);
	struct qr_zone *zone;

	qr__for_each_populated_zone(frames, zone)
	{
		uint64_t total = 0;

		qr__buddy_settle(zone);
		qr__text_printf(&text, "Node %d %s: ", zone->nid, qr_zone_type_name(zone->type));
		for (unsigned order = 0; order < QR_NR_PAGE_ORDERS; order++) {
			uint64_t nr = zone->ops->nr_blocks_racy(zone, order);

			total += nr << order;
			qr__text_printf(&text, "%llu*%llukB ", (unsigned long long)nr,
					(unsigned long long)(page_kb << order));
			if (nr)
				type_letters(&text, zone, order);
		}
		qr__text_printf(&text, "= %llukB\n", (unsigned long long)(total * page_kb));
	}
	return text.len;
}
