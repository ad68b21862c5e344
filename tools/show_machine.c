/* SPDX-License-Identifier: MIT */
/*
 * show_machine.c - `quire show machine`: the description, and what became of it
 *
 * What is printed is itself a description: all that the instance adds is comment.
 */
#include <inttypes.h>

#include "show.h"
#include "text.h"

static void zone_print(void *arg, struct quire *q, const struct qr_zone_snapshot *zone)
{
	(void)arg;
	(void)q;
	printf("#   %4d  %-8s %9s at 0x%-12" PRIx64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64
	       " %8" PRIu64 " %8" PRIu64 "\n",
	       zone->nid, zone->name, text_size(zone->spanned << QR_PAGE_SHIFT).text,
	       zone->start_pfn << QR_PAGE_SHIFT, zone->present, zone->managed,
	       zone->watermark[QR_WMARK_MIN], zone->watermark[QR_WMARK_LOW],
	       zone->watermark[QR_WMARK_HIGH]);
}

static void zonelist_print(struct quire *q, unsigned nid)
{
	struct qr_zoneref_info refs[QR_MAX_NODES * QR_NR_ZONES];
	unsigned nr = qr_zonelist(q, (int)nid, false, refs, QR_MAX_NODES * QR_NR_ZONES);
	int last = QR_NODE_NONE;

	printf("#   %4u ", nid);
	for (unsigned i = 0; i < nr; i++) {
		if (refs[i].nid != last)
			printf(" node %d:", refs[i].nid);
		printf(" %s", qr_zone_type_name(refs[i].type));
		last = refs[i].nid;
	}
	putchar('\n');
}

void show_machine(const struct machine *machine, struct quire *q)
{
	struct qr_quire_snapshot whole;

	qr_quire_snapshot(q, &whole);
	printf("# %s\n", machine->name);
	machine_write(machine, stdout);
	printf("\n# %u CPUs, %u node%s, engine %s, %zu bytes of metadata, min_free_kbytes %" PRIu64
	       "\n",
	       whole.nr_cpus, whole.nr_nodes, whole.nr_nodes == 1 ? "" : "s", whole.engine,
	       whole.metadata_size, whole.min_free_kbytes);
	if (whole.mobility_disabled)
		printf("# too little memory to group pages by mobility\n");
	printf("#\n#   node  %-8s %9s    %-14s %10s %10s %8s %8s %8s\n", "zone", "spans", "from",
	       "present", "managed", "min", "low", "high");
	show_each_zone(q, zone_print, NULL);
	printf("#\n#   node  zones in the order they are tried\n");
	for (unsigned nid = 0; nid < whole.nr_nodes; nid++) {
		if (qr_node_state(q, (int)nid, QR_N_ONLINE))
			zonelist_print(q, nid);
	}
}
