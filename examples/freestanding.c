/* SPDX-License-Identifier: MIT */
/*
 * freestanding.c - what a kernel does with Quire: its own memory, its own hooks, no port
 *
 * This links with libquire-core.a alone.  A static array plays the RAM; the loader's memory map
 * says that its first 2 MiB hold the kernel itself.  Everything the core asks of the ground it
 * stands on is in struct qr_platform, and what a platform does not have stays NULL.  printf()
 * stands in for the kernel's console: the core needs no libc.
 */
#include <quire/inspect.h>
#include <quire/page_alloc.h>
#include <quire/quire.h>
#include <stdio.h>

enum { RAM_PAGES = 4096, KERNEL_PAGES = 512 };

static _Alignas(4096) unsigned char ram[RAM_PAGES][QR_PAGE_SIZE];

/* Room for the page records; a kernel would take it from its boot allocator. */
static _Alignas(QR_METADATA_ALIGN) unsigned char metadata[256 << 10];

static void *ram_address(void *ctx, qr_pfn_t pfn)
{
	(void)ctx;
	return ram[pfn];
}

static qr_pfn_t ram_pfn(void *ctx, const void *address)
{
	size_t offset = (size_t)((const unsigned char *)address - ram[0]);

	(void)ctx;
	return offset < sizeof(ram) ? offset / QR_PAGE_SIZE : QR_PFN_NONE;
}

static void console_write(void *ctx, enum qr_log_level level, const char *line)
{
	(void)ctx;
	printf("quire(%d): %s\n", (int)level, line);
}

static const struct qr_range memory_map[] = {
	{.start_pfn = 0, .nr_pages = KERNEL_PAGES, .kind = QR_RANGE_RESERVED},
	{.start_pfn = KERNEL_PAGES, .nr_pages = RAM_PAGES - KERNEL_PAGES, .kind = QR_RANGE_RAM},
};

static const struct qr_config machine = {
	.ranges = memory_map,
	.nr_ranges = 2,
	.section_order = 10, /* 4 MiB: page records are made for whole sections */
	.nr_cpus = 1,
	.options = QR_OPT_METADATA_ZEROED,
	.platform =
		{
			.cpu_model = QR_CPU_UP,
			.page_address = ram_address,
			.address_to_pfn = ram_pfn,
			.log = console_write,
		},
};

/* A page table of two levels, as the first thing a kernel would build. */
static int page_tables_build(struct quire *q)
{
	void **top = qr_get_zeroed_page(q, QR_GFP_KERNEL);
	unsigned nr = 0;

	if (!top)
		return 1;
	for (unsigned i = 0; i < 16; i++) {
		top[i] = qr_get_zeroed_page(q, QR_GFP_KERNEL);
		nr += top[i] != NULL;
	}
	printf("%u tables hang from one page\n", nr);
	for (unsigned i = 0; i < 16; i++)
		qr_free_pages(q, top[i], 0);
	qr_free_pages(q, top, 0);
	return nr != 16;
}

int main(void)
{
	struct qr_error_text why;
	struct qr_zone_snapshot zone;
	struct quire *q;
	unsigned broken;

	if (qr_create(&machine, metadata, sizeof(metadata), &q, &why) < 0) {
		printf("no instance: %s\n", why.text);
		return 1;
	}
	if (page_tables_build(q) != 0)
		return 1;

	qr_drain_all_pages(q, NULL);
	qr_zone_snapshot(q, 0, QR_ZONE_DMA, &zone);
	printf("%llu of %d pages are free, the kernel keeps %llu\n",
	       (unsigned long long)zone.nr_free, RAM_PAGES,
	       (unsigned long long)(zone.present - zone.managed));

	broken = qr_check(q, &why);
	if (broken != 0) {
		printf("invariant %s: %s\n", qr_invariant_name(broken), why.text);
		return 1;
	}
	qr_destroy(q);
	return 0;
}
