/* SPDX-License-Identifier: MIT */
/*
 * trace/gfp_names.c - gfp flags as kernels print them, in Quire's bits
 *
 * The values of flags differ between kernel versions and configurations; their names do not.  So a
 * trace's flags are read by name, and a mask in numbers by the table of names and values that the
 * kernel's own event description carries.
 */
#include <stdlib.h>
#include <string.h>

#include "import.h"

static const struct {
	const char *name;
	qr_gfp_t gfp;
} gfp_names[] = {
	{"GFP_TRANSHUGE", QR_GFP_TRANSHUGE},
	{"GFP_TRANSHUGE_LIGHT", QR_GFP_TRANSHUGE_LIGHT},
	{"GFP_HIGHUSER_MOVABLE", QR_GFP_HIGHUSER_MOVABLE},
	{"GFP_HIGHUSER", QR_GFP_HIGHUSER},
	{"GFP_USER", QR_GFP_USER},
	{"GFP_KERNEL_ACCOUNT", QR_GFP_KERNEL_ACCOUNT},
	{"GFP_KERNEL", QR_GFP_KERNEL},
	{"GFP_NOFS", QR_GFP_NOFS},
	{"GFP_ATOMIC", QR_GFP_ATOMIC},
	{"GFP_NOIO", QR_GFP_NOIO},
	{"GFP_NOWAIT", QR_GFP_NOWAIT},
	{"GFP_DMA", QR_GFP_DMA},
	{"GFP_DMA32", QR_GFP_DMA32},
	{"__GFP_DMA", QR___GFP_DMA},
	{"__GFP_HIGHMEM", QR___GFP_HIGHMEM},
	{"__GFP_DMA32", QR___GFP_DMA32},
	{"__GFP_MOVABLE", QR___GFP_MOVABLE},
	{"__GFP_RECLAIMABLE", QR___GFP_RECLAIMABLE},
	{"__GFP_HIGH", QR___GFP_HIGH},
	{"__GFP_IO", QR___GFP_IO},
	{"__GFP_FS", QR___GFP_FS},
	{"__GFP_ZERO", QR___GFP_ZERO},
	{"__GFP_RECLAIM", QR___GFP_RECLAIM},
	{"__GFP_DIRECT_RECLAIM", QR___GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", QR___GFP_KSWAPD_RECLAIM},
	{"__GFP_WRITE", QR___GFP_WRITE},
	{"__GFP_NOWARN", QR___GFP_NOWARN},
	{"__GFP_RETRY_MAYFAIL", QR___GFP_RETRY_MAYFAIL},
	{"__GFP_NOFAIL", QR___GFP_NOFAIL},
	{"__GFP_NORETRY", QR___GFP_NORETRY},
	{"__GFP_MEMALLOC", QR___GFP_MEMALLOC},
	{"__GFP_COMP", QR___GFP_COMP},
	{"__GFP_NOMEMALLOC", QR___GFP_NOMEMALLOC},
	{"__GFP_HARDWALL", QR___GFP_HARDWALL},
	{"__GFP_THISNODE", QR___GFP_THISNODE},
	{"__GFP_ACCOUNT", QR___GFP_ACCOUNT},
	{"__GFP_ZEROTAGS", QR___GFP_ZEROTAGS},
	/* Known, and without a meaning here. */
	{"__GFP_ATOMIC", 0},
	{"__GFP_NOLOCKDEP", 0},
	{"__GFP_SKIP_ZERO", 0},
	{"__GFP_SKIP_KASAN", 0},
	{"__GFP_SKIP_KASAN_UNPOISON", 0},
	{"__GFP_SKIP_KASAN_POISON", 0},
	{"__GFP_NO_OBJ_EXT", 0},
	{"none", 0},
};

/* The bits of one name; false: nobody knows it. */
static bool name_bits(const char *name, size_t length, qr_gfp_t *gfp)
{
	for (size_t i = 0; i < sizeof(gfp_names) / sizeof(gfp_names[0]); i++) {
		if (strlen(gfp_names[i].name) == length &&
		    memcmp(gfp_names[i].name, name, length) == 0) {
			*gfp = gfp_names[i].gfp;
			return true;
		}
	}
	return false;
}

static void note_unknown(struct import_stats *stats, const char *name, size_t length)
{
	if (!stats->nr_unknown_gfp++ && length < sizeof(stats->first_unknown_gfp)) {
		memcpy(stats->first_unknown_gfp, name, length);
		stats->first_unknown_gfp[length] = 0;
	}
}

qr_gfp_t import_gfp(const char *text, size_t length, struct import_stats *stats)
{
	const char *end = text + length;
	qr_gfp_t all = 0;

	while (text < end) {
		const char *bar = memchr(text, '|', (size_t)(end - text));
		size_t n = (size_t)((bar ? bar : end) - text);
		qr_gfp_t bits = 0;

		/* A bare number is what the kernel itself had no name for. */
		if (n && !name_bits(text, n, &bits))
			note_unknown(stats, text, n);
		all |= bits;
		text += n + 1;
	}
	return all;
}

static void map_add(struct import_gfp_map *map, uint64_t kernel, qr_gfp_t quire)
{
	if (kernel && map->nr < sizeof(map->entry) / sizeof(map->entry[0])) {
		map->entry[map->nr].kernel = kernel;
		map->entry[map->nr].quire = quire;
		map->nr++;
	}
}

/* The value in front of ", \"NAME\"" in a print format: digits between '{' or '(' and ','. */
static uint64_t value_before(const char *format, const char *quote)
{
	const char *brace = quote;

	while (brace > format && *brace != '{')
		brace--;
	while (*brace && (*brace < '0' || *brace > '9'))
		brace++;
	return brace < quote ? strtoull(brace, NULL, 0) : 0;
}

void import_gfp_map_parse(struct import_gfp_map *map, const char *format)
{
	const char *quote = format ? strchr(format, '"') : NULL;

	map->nr = 0;
	/* The first text in quotes is the format itself. */
	if (quote)
		quote = strchr(quote + 1, '"');
	for (quote = quote ? strchr(quote + 1, '"') : NULL; quote; quote = strchr(quote, '"')) {
		const char *end = strchr(quote + 1, '"');
		qr_gfp_t bits;

		if (!end)
			break;
		if (name_bits(quote + 1, (size_t)(end - quote - 1), &bits) && quote[1] == '_')
			map_add(map, value_before(format, quote), bits);
		quote = end + 1;
	}
	if (map->nr)
		return;
	for (unsigned bit = 0; bit < 24; bit++)
		map_add(map, UINT64_C(1) << bit, (1u << bit) & QR_GFP_BITS_MASK);
}

qr_gfp_t import_gfp_bits(const struct import_gfp_map *map, uint64_t kernel,
			 struct import_stats *stats)
{
	uint64_t known = 0;
	qr_gfp_t all = 0;

	for (unsigned i = 0; i < map->nr; i++) {
		if ((kernel & map->entry[i].kernel) == map->entry[i].kernel) {
			all |= map->entry[i].quire;
			known |= map->entry[i].kernel;
		}
	}
	if (kernel & ~known) {
		char text[24];

		note_unknown(stats, text,
			     (size_t)snprintf(text, sizeof(text), "%#llx",
					      (unsigned long long)(kernel & ~known)));
	}
	return all;
}
