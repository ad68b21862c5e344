/* SPDX-License-Identifier: MIT */
/*
 * engines.c - which buddy engines there are
 *
 * The first one is what an instance gets that names none.
 */
#include "engine.h"

static const struct qr_buddy_ops *const engines[] = {
	&qr__buddy_bitmap,
	&qr__buddy_list,
};

static bool names_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

void qr__buddy_settle(struct qr_zone *zone)
{
	unsigned long irqs;

	if (!zone->ops->settle)
		return;
	irqs = qr__zone_lock(zone);
	qr__buddy_settle_locked(zone);
	qr__zone_unlock(zone, irqs);
}

const struct qr_buddy_ops *qr__buddy_engine_at(unsigned i)
{
	return i < sizeof(engines) / sizeof(engines[0]) ? engines[i] : NULL;
}

const struct qr_buddy_ops *qr__buddy_engine(const char *name)
{
	const struct qr_buddy_ops *ops;

	if (!name)
		return engines[0];
	for (unsigned i = 0; (ops = qr__buddy_engine_at(i)) != NULL; i++) {
		if (names_equal(ops->name, name))
			return ops;
	}
	return NULL;
}
