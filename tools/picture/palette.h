/* SPDX-License-Identifier: MIT */
/*
 * picture/palette.h - every colour of the pictures, for light and dark
 *
 * Style sheets name colours as var(--NAME).  The page defines these names for both themes; a figure
 * of its own has the colours written out, since few viewers of SVG know variables.
 *
 * What must be told apart, is told apart by more than hue: curves by width and dashes, too, types
 * of pageblocks by letters, orders by their place.  Blue and orange carry the main distinction,
 * as nearly everybody can see it.
 */
#ifndef QUIRE_PICTURE_PALETTE_H
#define QUIRE_PICTURE_PALETTE_H

#include <stdio.h>

enum { PALETTE_RUNS = 8 }; /* curves with a colour of their own: --run0 ... */

/* Rules that define every name, for light, for dark, and for [data-theme] of the root. */
void palette_variables(FILE *out);
/* A style sheet with its colours written out: for light, then again for dark. */
void palette_expand(FILE *out, const char *sheet);

#endif /* QUIRE_PICTURE_PALETTE_H */
