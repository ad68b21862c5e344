/* SPDX-License-Identifier: MIT */
/* hello.c - take pages from a pool of real memory, use them, look at the pool, give them back */
#include <quire/inspect.h>
#include <quire/linux.h>
#include <stdio.h>

int main(void)
{
	struct qr_linux_config config = {.size = 256 << 20}; /* 256 MiB at frame 0 */
	struct qr_linux_pool *pool;
	struct qr_error_text why;
	char text[512];

	if (qr_linux_open(&config, &pool, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}

	struct quire *q = qr_linux_quire(pool);
	struct qr_page *page = qr_alloc_pages(q, QR_GFP_KERNEL | QR___GFP_ZERO, 3); /* 2^3 pages */

	if (!page)
		return 1;

	char *bytes = qr_page_address(q, page);

	sprintf(bytes, "Hello from zone %s", qr_zone_type_name(qr_page_zone_type(q, page)));
	puts(bytes);

	qr_drain_all_pages(q, NULL); /* what this CPU keeps for itself */
	qr_show_buddyinfo(q, text, sizeof(text)); /* as /proc/buddyinfo would show it */
	fputs(text, stdout);

	qr___free_pages(q, page, 3);
	qr_linux_close(pool);
	return 0;
}
