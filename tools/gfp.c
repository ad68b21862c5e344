/* SPDX-License-Identifier: MIT */
/*
 * gfp.c - gfp masks as people write them
 */
#include "gfp.h"

#include <quire/page_alloc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "text.h"

struct gfp_name {
	const char *name;
	qr_gfp_t gfp;
};

static const struct gfp_name names[] = {
	{"unmovable", QR_GFP_KERNEL},
	{"movable", QR_GFP_HIGHUSER_MOVABLE},
	{"reclaimable", QR_GFP_KERNEL | QR___GFP_RECLAIMABLE},
	{"GFP_ATOMIC", QR_GFP_ATOMIC},
	{"GFP_KERNEL", QR_GFP_KERNEL},
	{"GFP_KERNEL_ACCOUNT", QR_GFP_KERNEL_ACCOUNT},
	{"GFP_NOWAIT", QR_GFP_NOWAIT},
	{"GFP_NOIO", QR_GFP_NOIO},
	{"GFP_NOFS", QR_GFP_NOFS},
	{"GFP_USER", QR_GFP_USER},
	{"GFP_DMA", QR_GFP_DMA},
	{"GFP_DMA32", QR_GFP_DMA32},
	{"GFP_HIGHUSER", QR_GFP_HIGHUSER},
	{"GFP_HIGHUSER_MOVABLE", QR_GFP_HIGHUSER_MOVABLE},
	{"GFP_TRANSHUGE_LIGHT", QR_GFP_TRANSHUGE_LIGHT},
	{"GFP_TRANSHUGE", QR_GFP_TRANSHUGE},
	{"__GFP_DMA", QR___GFP_DMA},
	{"__GFP_HIGHMEM", QR___GFP_HIGHMEM},
	{"__GFP_DMA32", QR___GFP_DMA32},
	{"__GFP_MOVABLE", QR___GFP_MOVABLE},
	{"__GFP_RECLAIMABLE", QR___GFP_RECLAIMABLE},
	{"__GFP_HIGH", QR___GFP_HIGH},
	{"__GFP_IO", QR___GFP_IO},
	{"__GFP_FS", QR___GFP_FS},
	{"__GFP_ZERO", QR___GFP_ZERO},
	{"__GFP_DIRECT_RECLAIM", QR___GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", QR___GFP_KSWAPD_RECLAIM},
	{"__GFP_RECLAIM", QR___GFP_RECLAIM},
	{"__GFP_WRITE", QR___GFP_WRITE},
	{"__GFP_NOWARN", QR___GFP_NOWARN},
	{"__GFP_RETRY_MAYFAIL", QR___GFP_RETRY_MAYFAIL},
	{"__GFP_NORETRY", QR___GFP_NORETRY},
	{"__GFP_MEMALLOC", QR___GFP_MEMALLOC},
	{"__GFP_COMP", QR___GFP_COMP},
	{"__GFP_NOMEMALLOC", QR___GFP_NOMEMALLOC},
	{"__GFP_HARDWALL", QR___GFP_HARDWALL},
	{"__GFP_THISNODE", QR___GFP_THISNODE},
	{"__GFP_ACCOUNT", QR___GFP_ACCOUNT},
};

/* Composites may be written without their GFP_. */
static bool name_matches(const char *name, const char *word)
{
	return strcasecmp(name, word) == 0 ||
	       (strncmp(name, "GFP_", 4) == 0 && strcasecmp(name + 4, word) == 0);
}

static bool word_to_gfp(const char *word, qr_gfp_t *gfp)
{
	uint64_t number;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (name_matches(names[i].name, word)) {
			*gfp = names[i].gfp;
			return true;
		}
	}
	if (!text_to_number(word, &number) || number > UINT32_MAX)
		return false;
	*gfp = (qr_gfp_t)number;
	return true;
}

bool gfp_take(const struct cli *cli, const char *text, qr_gfp_t *gfp)
{
	const char *why;

	*gfp = 0;
	for (const char *part = text;;) {
		size_t length = strcspn(part, "|+");
		char word[48];
		qr_gfp_t bits;

		snprintf(word, sizeof(word), "%.*s", (int)length, part);
		if (!word_to_gfp(word, &bits))
			return cli_error(cli,
					 "'%s' is not a gfp flag; write movable, unmovable, "
					 "reclaimable, GFP_KERNEL, __GFP_ZERO, ...",
					 word);
		*gfp |= bits;
		if (part[length] == '\0')
			break;
		part += length + 1;
	}
	if (qr_gfp_valid(*gfp, &why))
		return true;
	return cli_error(cli, "'%s' cannot be asked for: %s", text, why);
}
