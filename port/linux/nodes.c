/* SPDX-License-Identifier: MIT */
/*
 * port/linux/nodes.c - nodes of the host, through libnuma
 *
 * With host_nodes the instance has the host's nodes, under their numbers, and each range's memory
 * is bound to the node that the range names.  A pool that is given by its size alone is divided
 * between the nodes that have memory, in whole sections.  A host whose kernel knows no nodes is one
 * node, number 0, and nothing needs to be bound there.
 */
#include "pool.h"

#define SECTION_ORDER_DEFAULT 15 /* what section_order 0 stands for */
#define SECTION_ORDER_MAX 40

/* Equal shares in whole sections, the last one smaller; a small pool does not reach all nodes. */
unsigned qr__linux_nodes_divide(uint64_t nr_pages, unsigned section_order, const int *nids,
				unsigned nr_nids, struct qr_range *ranges)
{
	unsigned order = section_order ? section_order : SECTION_ORDER_DEFAULT;
	uint64_t nr_sections, share, start = 0;
	unsigned nr = 0;

	if (order > SECTION_ORDER_MAX)
		order = SECTION_ORDER_MAX; /* the core will refuse it, in words */
	nr_sections = nr_pages >> order;
	if (nr_sections << order != nr_pages)
		nr_sections++;
	share = (nr_sections + nr_nids - 1) / nr_nids << order;
	for (; nr < nr_nids && start < nr_pages; start += share) {
		ranges[nr].start_pfn = start;
		ranges[nr].nr_pages = nr_pages - start < share ? nr_pages - start : share;
		ranges[nr].nid = nids[nr];
		nr++;
	}
	return nr;
}

#if QR_HAVE_NUMA

#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>

/* What a node that does not exist is from all others; the largest distance the tables know. */
#define DISTANCE_NONE 254

static bool host_has_nodes(void)
{
	return numa_available() >= 0;
}

static int distances_describe(struct linux_machine *machine, unsigned nr_nodes)
{
	uint8_t *distance = malloc((size_t)nr_nodes * nr_nodes);

	if (!distance)
		return QR_ENOMEM;
	for (unsigned a = 0; a < nr_nodes; a++) {
		for (unsigned b = 0; b < nr_nodes; b++) {
			int host = numa_distance((int)a, (int)b);

			if (a == b)
				host = 10;
			else if (host == 0 || host > DISTANCE_NONE)
				host = DISTANCE_NONE;
			else if (host <= 10)
				host = 11; /* another node, though firmware says it is not */
			distance[a * nr_nodes + b] = (uint8_t)host;
		}
	}
	machine->own_distance = distance;
	machine->config.distance = distance;
	return 0;
}

static int cpus_describe(struct linux_machine *machine)
{
	unsigned nr_cpus = machine->config.nr_cpus;
	int *cpu_node = malloc(nr_cpus * sizeof(cpu_node[0]));

	if (!cpu_node)
		return QR_ENOMEM;
	for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
		int nid = numa_node_of_cpu((int)cpu);

		cpu_node[cpu] = nid < 0 ? 0 : nid;
	}
	machine->own_cpu_node = cpu_node;
	machine->config.cpu_node = cpu_node;
	return 0;
}

/* At least one. */
static unsigned nodes_with_memory(int nids[QR_MAX_NODES])
{
	unsigned nr = 0;

	for (int nid = 0; nid <= numa_max_node() && nr < QR_MAX_NODES; nid++)
		if (numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)nid) &&
		    numa_node_size64(nid, NULL) > 0)
			nids[nr++] = nid;
	if (!nr)
		nids[nr++] = 0;
	return nr;
}

static int ranges_describe(const struct qr_linux_config *config, struct linux_machine *machine)
{
	int nids[QR_MAX_NODES];
	unsigned nr = nodes_with_memory(nids);

	machine->own_ranges = calloc(nr, sizeof(machine->own_ranges[0]));
	if (!machine->own_ranges)
		return QR_ENOMEM;
	machine->config.ranges = machine->own_ranges;
	machine->config.nr_ranges =
		qr__linux_nodes_divide(config->size >> QR_PAGE_SHIFT, config->machine.section_order,
				       nids, nr, machine->own_ranges);
	return 0;
}

int qr__linux_nodes_describe(const struct qr_linux_config *config, struct linux_machine *machine,
			     struct qr_error_text *why)
{
	unsigned nr_nodes;

	if (!host_has_nodes()) {
		machine->config.nr_nodes = 1;
		return 0;
	}
	nr_nodes = (unsigned)numa_max_node() + 1;
	if (nr_nodes > QR_MAX_NODES)
		return qr__linux_why(why, QR_ENOSYS,
				     "the host has nodes up to %u, and only %u are supported; "
				     "open the pool without host_nodes",
				     nr_nodes - 1, QR_MAX_NODES);
	/* Ranges of nodes that the host lacks are refused by the core, by number. */
	machine->config.nr_nodes = nr_nodes;
	if (distances_describe(machine, nr_nodes) < 0 || cpus_describe(machine) < 0 ||
	    (!machine->config.nr_ranges && ranges_describe(config, machine) < 0))
		return qr__linux_why(why, QR_ENOMEM, "out of memory");
	return 0;
}

static int range_bind(struct qr_linux_pool *pool, const struct qr_range *range,
		      struct qr_error_text *why)
{
	uint64_t start, end;
	unsigned long nodes[QR_MAX_NODES / (8 * sizeof(unsigned long)) + 1] = {0};
	unsigned bits = 8 * sizeof(nodes[0]);

	nodes[(unsigned)range->nid / bits] = 1ul << ((unsigned)range->nid % bits);
	qr__linux_range_extent(pool, range, &start, &end);
	/* The kernel takes one bit less than it is told. */
	if (mbind(pool->base + start, end - start, MPOL_BIND, nodes, QR_MAX_NODES + 1, 0) == 0)
		return 0;
	return qr__linux_why(why, qr__linux_error(errno),
			     "cannot bind [0x%llx, +0x%llx) to node %d: mbind: %s; allow mbind and "
			     "the node to this process, or open without host_nodes",
			     (unsigned long long)range->start_pfn,
			     (unsigned long long)range->nr_pages, range->nid, strerror(errno));
}

int qr__linux_nodes_bind(struct qr_linux_pool *pool, const struct qr_config *machine,
			 struct qr_error_text *why)
{
	if (!host_has_nodes())
		return 0;
	for (unsigned i = 0; i < machine->nr_ranges; i++) {
		int err = range_bind(pool, &machine->ranges[i], why);

		if (err < 0)
			return err;
	}
	return 0;
}

#else /* no libnuma */

int qr__linux_nodes_describe(const struct qr_linux_config *config, struct linux_machine *machine,
			     struct qr_error_text *why)
{
	(void)config, (void)machine;
	return qr__linux_why(why, QR_ENOSYS,
			     "host_nodes: this library was built without libnuma; build it with "
			     "-Dnuma=enabled, or describe the nodes in machine");
}

int qr__linux_nodes_bind(struct qr_linux_pool *pool, const struct qr_config *machine,
			 struct qr_error_text *why)
{
	(void)pool, (void)machine, (void)why;
	return 0;
}

#endif
