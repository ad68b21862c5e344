/* SPDX-License-Identifier: MIT */
/*
 * gfp.h - gfp masks as people write them
 *
 * "GFP_KERNEL", "kernel", "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "0x820", in either case; parts are
 * joined by | or +.  The three words unmovable, movable and reclaimable stand for an ordinary
 * request of that migratetype.
 */
#ifndef QUIRE_TOOLS_GFP_H
#define QUIRE_TOOLS_GFP_H

#include <quire/types.h>

struct cli;

/* Says by itself what is wrong; false then. */
bool gfp_take(const struct cli *cli, const char *text, qr_gfp_t *gfp);

#endif /* QUIRE_TOOLS_GFP_H */
