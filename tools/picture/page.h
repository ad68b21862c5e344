/* SPDX-License-Identifier: MIT */
/*
 * picture/page.h - the page, and the parts it is made of
 */
#ifndef QUIRE_PICTURE_PAGE_H
#define QUIRE_PICTURE_PAGE_H

#include <stdio.h>

#include "picture.h"

/* All of it.  0 or -ENOMEM; trouble with the stream itself is for its owner to find. */
int page_put(FILE *out, const struct picture *p);

/* tables.c, tables_events.c: sections of the page */
void put_compare(FILE *out, const struct picture *p);
void put_mismatch(FILE *out, const struct picture *p);
void put_traffic(FILE *out, const struct picture *p);
void put_pressure(FILE *out, const struct picture *p);
void put_books(FILE *out, const struct picture *p);
void put_unplaced(FILE *out, const struct picture *p);
void put_limits(FILE *out, const struct picture *p);
void put_settings(FILE *out, const struct picture *p);

/* tables_sweep.c: what a sweep has in their place */
void put_sweep_answer(FILE *out, const struct picture *p);
void put_sweep_table(FILE *out, const struct picture *p);

/* data.c: what the page's script works with */
int put_data(FILE *out, const struct picture *p);

#endif /* QUIRE_PICTURE_PAGE_H */
