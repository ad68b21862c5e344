/* SPDX-License-Identifier: MIT */
/*
 * picture/table.h - pieces of HTML tables
 */
#ifndef QUIRE_PICTURE_TABLE_H
#define QUIRE_PICTURE_TABLE_H

#include "../text.h"
#include "draw.h"

/* A table may be wider than a phone: it scrolls by itself, the page does not. */
void table_begin(FILE *out, const char *class, const char *caption);
void table_end(FILE *out);
/* The heads of columns: what the rows are, "machine" if wanted, then each replay's name. */
void table_head_runs(FILE *out, const struct picture *p, const char *rows, bool machine);

void put_head(FILE *out, const char *text); /* of a row */
void put_cell(FILE *out, const char *text);
void put_count(FILE *out, uint64_t value);
void put_unknown(FILE *out);

#endif /* QUIRE_PICTURE_TABLE_H */
