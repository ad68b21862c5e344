/* SPDX-License-Identifier: MIT */
/*
 * instance.h - the instance: the outermost shell of the onion
 */
#ifndef QR_QUIRE_INSTANCE_H
#define QR_QUIRE_INSTANCE_H

#include "../watch/page_owner.h"

struct quire {
	struct qr_watch watch;
};

/* The casts from the user's pointer to a layer's state rest on this. */
_Static_assert(offsetof(struct quire, watch) == 0, "the onion begins with its inside");
_Static_assert(offsetof(struct qr_watch, alloc) == 0, "the onion begins with its inside");
_Static_assert(offsetof(struct qr_allocator, frames) == 0, "the onion begins with its inside");
_Static_assert(offsetof(struct qr_frames, base) == 0, "the onion begins with its inside");

#endif /* QR_QUIRE_INSTANCE_H */
