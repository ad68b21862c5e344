/* SPDX-License-Identifier: MIT */
/*
 * port/linux/machine.c - the machine that a pool is an instance of
 *
 * Starts from the caller's description, and completes what it leaves to the port: one range for a
 * pool given by its size alone, the number of CPUs, their caches, and, if asked, the host's nodes.
 * Whether the result is a sound machine is for the core to say.
 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int request_check(const struct qr_linux_config *config, struct qr_error_text *why)
{
	if (config->size && config->machine.nr_ranges)
		return qr__linux_why(
			why, QR_EINVAL,
			"both size and machine.ranges describe the memory; give one of them");
	if (!config->size && (!config->machine.nr_ranges || !config->machine.ranges))
		return qr__linux_why(why, QR_EINVAL,
				     "no memory is described; give size or machine.ranges");
	if (config->size % QR_PAGE_SIZE)
		return qr__linux_why(
			why, QR_EINVAL, "size %llu is not a multiple of the page size, %llu",
			(unsigned long long)config->size, (unsigned long long)QR_PAGE_SIZE);
	if ((unsigned)config->backing > QR_LINUX_NO_MEMORY)
		return qr__linux_why(why, QR_EINVAL, "backing %u is none of enum qr_linux_backing",
				     (unsigned)config->backing);
	if (config->backing == QR_LINUX_NO_MEMORY && config->prefault)
		return qr__linux_why(why, QR_EINVAL,
				     "prefault with QR_LINUX_NO_MEMORY: there is nothing to touch");
	if (config->machine.cpu_node && (!config->machine.nr_cpus || config->host_nodes))
		return qr__linux_why(why, QR_EINVAL,
				     "machine.cpu_node goes with machine.nr_cpus, and not with "
				     "host_nodes, which takes the nodes of CPUs from the host");
	if (config->host_nodes && config->machine.distance)
		return qr__linux_why(why, QR_EINVAL,
				     "both host_nodes and machine.distance tell distances; "
				     "give one of them");
	return 0;
}

static unsigned host_cpus(void)
{
	long nr = sysconf(_SC_NPROCESSORS_CONF);

	if (nr < 1)
		return 1;
	return nr > QR_MAX_CPUS ? QR_MAX_CPUS : (unsigned)nr;
}

/* A CPU has its L2 for itself, and shares the L3 with all others. */
static uint64_t host_cpu_cache(void)
{
	long level2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	long level3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
	uint64_t bytes = level2 > 0 ? (uint64_t)level2 : 0;

	if (level3 > 0)
		bytes += (uint64_t)level3 / host_cpus();
	return bytes;
}

int qr__linux_machine(const struct qr_linux_config *config, struct linux_machine *machine,
		      struct qr_error_text *why)
{
	int err = request_check(config, why);

	memset(machine, 0, sizeof(*machine));
	if (err < 0)
		return err;
	machine->config = config->machine;
	machine->config.platform = (struct qr_platform){0}; /* ours is filled in later */
	machine->config.options |= QR_OPT_METADATA_ZEROED;
	if (!machine->config.nr_cpus)
		machine->config.nr_cpus = host_cpus();
	if (!machine->config.cpu_cache_bytes)
		machine->config.cpu_cache_bytes = host_cpu_cache();
	if (config->host_nodes) {
		err = qr__linux_nodes_describe(config, machine, why);
		if (err < 0)
			return err;
	}
	if (machine->config.nr_ranges)
		return 0;
	machine->own_ranges = calloc(1, sizeof(machine->own_ranges[0]));
	if (!machine->own_ranges)
		return qr__linux_why(why, QR_ENOMEM, "out of memory");
	machine->own_ranges[0].nr_pages = config->size >> QR_PAGE_SHIFT;
	machine->config.ranges = machine->own_ranges;
	machine->config.nr_ranges = 1;
	return 0;
}

void qr__linux_machine_free(struct linux_machine *machine)
{
	free(machine->own_ranges);
	free(machine->own_distance);
	free(machine->own_cpu_node);
}
