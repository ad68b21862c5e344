/* SPDX-License-Identifier: MIT */
/*
 * picture/palette.c - every colour of the pictures, for light and dark
 */
#include "palette.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../replay/replay.h"

enum theme { LIGHT, DARK };

struct colour {
	const char *name;
	uint32_t light, dark; /* 0xrrggbb */
};

static const struct colour colours[] = {
	{"paper", 0xfbfbf9, 0x15181c},
	{"card", 0xffffff, 0x1c2025},
	{"ink", 0x1c2126, 0xe8eaec},
	{"muted", 0x5a646e, 0x9aa5b0},
	{"line", 0xe4e6e8, 0x2b3138},
	{"axis", 0xa9b1b9, 0x57616b},
	{"link", 0x0b62a8, 0x6db6f2},
	{"warn", 0x9a4a00, 0xffb366},
	/* runs */
	{"run0", 0x0b6bb8, 0x4ea6ee},
	{"run1", 0xc2481a, 0xff8d5c},
	{"run2", 0x0a7a5a, 0x3ecb9c},
	{"run3", 0x8449ab, 0xc79bea},
	{"run4", 0x94690a, 0xe6b83d},
	{"run5", 0x147a89, 0x5ccfdf},
	{"run6", 0xb0407a, 0xf18dbc},
	{"run7", 0x66707a, 0xa9b2bb},
	/* migratetypes */
	{"type0", 0xc84f16, 0xf27b43}, /* Unmovable */
	{"type1", 0x1b6fb5, 0x4c9fe6}, /* Movable */
	{"type2", 0x0f8463, 0x35b98d}, /* Reclaimable */
	{"type3", 0x8d4fb3, 0xbd8ee3}, /* HighAtomic */
	{"type4", 0xb07d00, 0xe0b030}, /* CMA */
	{"type5", 0x66707a, 0x99a3ad}, /* Isolate */
	{"reserved", 0xd5d8db, 0x343b43},
};

enum { NR_COLOURS = sizeof(colours) / sizeof(*colours) };

/*
 * Orders: below a pageblock from deep to pale orange, so that the smallest pieces stand out; whole
 * pageblocks in blue, deeper the larger.
 */
static const struct {
	uint32_t from, to;
} fragments[] = {[LIGHT] = {0x9c3a00, 0xfbd9a8}, [DARK] = {0xffa04d, 0x5a3a1c}},
  wholes[] = {[LIGHT] = {0x8ec1ea, 0x1b6fb5}, [DARK] = {0x2a5f91, 0x5fb0f5}};

static uint32_t blend(uint32_t a, uint32_t b, double t)
{
	uint32_t mixed = 0;

	for (int shift = 0; shift <= 16; shift += 8) {
		double from = a >> shift & 0xff, to = b >> shift & 0xff;

		mixed |= (uint32_t)lround(from + (to - from) * t) << shift;
	}
	return mixed;
}

static uint32_t order_colour(unsigned order, enum theme theme)
{
	unsigned nr_wholes = REPLAY_ORDERS - QR_PAGEBLOCK_ORDER;

	if (order < QR_PAGEBLOCK_ORDER)
		return blend(fragments[theme].from, fragments[theme].to,
			     QR_PAGEBLOCK_ORDER > 1 ? order / (QR_PAGEBLOCK_ORDER - 1.0) : 0);
	return blend(wholes[theme].from, wholes[theme].to,
		     nr_wholes > 1 ? (order - QR_PAGEBLOCK_ORDER) / (nr_wholes - 1.0) : 1);
}

static bool colour_find(const char *name, size_t length, enum theme theme, uint32_t *colour)
{
	for (unsigned i = 0; i < NR_COLOURS; i++) {
		if (strlen(colours[i].name) == length &&
		    memcmp(colours[i].name, name, length) == 0) {
			*colour = theme == DARK ? colours[i].dark : colours[i].light;
			return true;
		}
	}
	if (length < 6 || memcmp(name, "order", 5) != 0)
		return false;
	*colour = order_colour((unsigned)strtoul(name + 5, NULL, 10), theme);
	return true;
}

static void put_variables(FILE *out, enum theme theme)
{
	for (unsigned i = 0; i < NR_COLOURS; i++)
		fprintf(out, "--%s:#%06x;", colours[i].name,
			theme == DARK ? colours[i].dark : colours[i].light);
	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		fprintf(out, "--order%u:#%06x;", o, order_colour(o, theme));
	fprintf(out, "color-scheme:%s", theme == DARK ? "dark" : "light");
}

void palette_variables(FILE *out)
{
	fputs(":root{", out);
	put_variables(out, LIGHT);
	fputs("}\n@media(prefers-color-scheme:dark){:root:not([data-theme=light]){", out);
	put_variables(out, DARK);
	fputs("}}\n:root[data-theme=dark]{", out);
	put_variables(out, DARK);
	fputs("}\n", out);
}

static void put_expanded(FILE *out, const char *sheet, enum theme theme)
{
	static const char start[] = "var(--";

	for (;;) {
		const char *at = strstr(sheet, start);
		const char *end = at ? strchr(at, ')') : NULL;
		uint32_t colour;

		if (!end)
			break;
		fwrite(sheet, 1, (size_t)(at - sheet), out);
		at += sizeof(start) - 1;
		if (colour_find(at, (size_t)(end - at), theme, &colour))
			fprintf(out, "#%06x", colour);
		sheet = end + 1;
	}
	fputs(sheet, out);
}

void palette_expand(FILE *out, const char *sheet)
{
	put_expanded(out, sheet, LIGHT);
	fputs("@media(prefers-color-scheme:dark){\n", out);
	put_expanded(out, sheet, DARK);
	fputs("}\n", out);
}
