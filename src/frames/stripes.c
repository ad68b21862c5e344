/* SPDX-License-Identifier: MIT */
/*
 * frames/stripes.c - a zone's lock, divided
 *
 * The engine may divide a zone into stripes, and lock one of them alone for what concerns only it:
 * filling and emptying caches.  Everything else is done with the whole zone locked, which is to
 * hold zone->lock and after it the lock of every stripe, in ascending order.  Who has one stripe
 * never waits for another or for the zone, so nobody can wait in a circle; and whoever locks the
 * whole zone waits for each stripe only as long as one refill or drain takes.
 *
 * To the rank check the locks of all stripes are one with the zone's, and it is that one which is
 * noted.
 */
#include "frames.h"

/* A zone of one stripe is as good as undivided; @gather is called for it, too. */
void qr__zone_stripes_init(struct qr_zone *zone, qr_pfn_t start_pfn, unsigned stripe_order,
			   unsigned nr_stripes, void (*gather)(struct qr_zone *zone))
{
	zone->gather = gather;
	zone->nr_stripes = nr_stripes > 1 ? nr_stripes : 0;
	zone->stripe_start = start_pfn;
	zone->stripe_order = nr_stripes > 1 ? stripe_order : 63;
	for (unsigned s = 0; s < zone->nr_stripes; s++)
		qr__lock_init(&zone->stripes[s].lock, QR_RANK_ZONE);
}

void qr__zone_stripes_lock(struct qr_zone *zone)
{
	for (unsigned s = 0; s < zone->nr_stripes; s++)
		qr__lock_unranked(&zone->frames->base, &zone->stripes[s].lock);
}

void qr__zone_stripes_unlock(struct qr_zone *zone)
{
	for (unsigned s = zone->nr_stripes; s-- > 0;)
		qr__unlock_unranked(&zone->stripes[s].lock);
}
