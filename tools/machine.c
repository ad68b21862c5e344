/* SPDX-License-Identifier: MIT */
/*
 * machine.c - machines made into instances, written as text, and the one we are on
 */
#include "machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

const struct machine_option machine_options[] = {
	{"poison", QR_OPT_PAGE_POISON, "fill free pages, verify them when allocated"},
	{"init_on_alloc", QR_OPT_INIT_ON_ALLOC, "zero all pages when allocated"},
	{"init_on_free", QR_OPT_INIT_ON_FREE, "zero all pages when freed"},
	{"check_pages", QR_OPT_CHECK_PAGES, "check page records on every allocation and free"},
	{"shuffle", QR_OPT_SHUFFLE, "shuffle the free lists"},
	{"page_owner", QR_OPT_PAGE_OWNER, "remember who allocated each page"},
	{"deferred_init", QR_OPT_DEFERRED_INIT, "initialise page records when they are needed"},
	{"no_huge_pcp", QR_OPT_NO_HUGE_PCP, "no per-CPU lists for huge pages"},
	{NULL, 0, NULL},
};

/* Where machines come from ----------------------------------------------------------------- */

int machine_of_size(struct machine *machine, uint64_t bytes, struct machine_error *error)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(machine, 0, sizeof(*machine));
	snprintf(machine->name, sizeof(machine->name), "a machine of %s", text_size(bytes).text);
	machine->ranges = calloc(1, sizeof(*machine->ranges));
	if (!machine->ranges) {
		snprintf(error->text, sizeof(error->text), "no memory for a machine");
		return EXIT_LACKING;
	}
	machine->ranges[0].nr_pages = bytes >> QR_PAGE_SHIFT;
	machine->config.ranges = machine->ranges;
	machine->config.nr_ranges = 1;
	machine->config.nr_cpus = nr_cpus < 1             ? 1
				  : nr_cpus > QR_MAX_CPUS ? QR_MAX_CPUS
							  : (unsigned)nr_cpus;
	return EXIT_GOOD;
}

int machine_of_host(struct machine *machine, struct machine_error *error)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
	int code;

	memset(machine, 0, sizeof(*machine));
	if (pages <= 0 || page_size <= 0) {
		snprintf(error->text, sizeof(error->text),
			 "this host does not say how much memory it has; name a machine file");
		return EXIT_LACKING;
	}
	code = machine_of_size(machine, (uint64_t)pages * (uint64_t)page_size, error);
	snprintf(machine->name, sizeof(machine->name), "this host");
	return code;
}

void machine_free(struct machine *machine)
{
	free(machine->ranges);
	free(machine->cpu_node);
	free(machine->distance);
	setting_list_free(&machine->settings);
	memset(machine, 0, sizeof(*machine));
}

uint64_t machine_ram(const struct machine *machine)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < machine->config.nr_ranges; i++) {
		if (machine->ranges[i].kind == QR_RANGE_RAM)
			pages += machine->ranges[i].nr_pages;
	}
	return pages << QR_PAGE_SHIFT;
}

qr_pfn_t machine_end_pfn(const struct machine *machine)
{
	qr_pfn_t end = 0;

	for (unsigned i = 0; i < machine->config.nr_ranges; i++) {
		qr_pfn_t range_end = machine->ranges[i].start_pfn + machine->ranges[i].nr_pages;

		if (range_end > end)
			end = range_end;
	}
	return end;
}

/* Instances -------------------------------------------------------------------------------- */

/* A machine that cannot be is the fault of its description; the rest is the host's. */
static int open_failed(const struct machine *machine, int code, const struct qr_error_text *why,
		       struct machine_error *error)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", machine->name,
		 why->text[0] ? why->text : qr_strerror(code));
	return code == QR_EINVAL ? EXIT_INPUT : EXIT_LACKING;
}

int machine_open(const struct machine *machine, const struct qr_linux_config *how,
		 struct qr_linux_pool **pool, struct machine_error *error)
{
	struct qr_linux_config config = *how;
	struct qr_error_text why = {""};
	int code;

	config.machine = machine->config;
	config.machine.options |= how->machine.options;
	code = qr_linux_open(&config, pool, &why);
	if (code < 0)
		return open_failed(machine, code, &why, error);
	for (unsigned i = 0; i < machine->settings.nr; i++) {
		code = setting_apply(&machine->settings.settings[i], qr_linux_quire(*pool), &why);
		if (code < 0) {
			qr_linux_close(*pool);
			*pool = NULL;
			return open_failed(machine, code, &why, error);
		}
	}
	return EXIT_GOOD;
}

/* As text ---------------------------------------------------------------------------------- */

static void range_write(const struct qr_range *range, FILE *out)
{
	static const char *const kinds[] = {"ram", "reserved", "device"};

	fprintf(out, "%-8s 0x%" PRIx64 " size %s node %d%s%s\n", kinds[range->kind],
		range->start_pfn << QR_PAGE_SHIFT, text_size(range->nr_pages << QR_PAGE_SHIFT).text,
		range->nid, range->mirrored ? " mirrored" : "",
		range->hotpluggable ? " hotpluggable" : "");
}

static void zones_write(const struct qr_zone_limits *limits, FILE *out)
{
	const struct {
		const char *name;
		qr_pfn_t end;
	} zones[] = {{"dma", limits->dma_end},
		     {"dma32", limits->dma32_end},
		     {"normal", limits->normal_end},
		     {"highmem", limits->highmem_end}};
	qr_pfn_t below = 0;

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (zones[i].end > below)
			fprintf(out, "zone     %s end %s\n", zones[i].name,
				text_size(zones[i].end << QR_PAGE_SHIFT).text);
		below = zones[i].end > below ? zones[i].end : below;
	}
}

static void movable_write(const struct qr_movable_config *movable, FILE *out)
{
	if (movable->kernelcore_mirror)
		fprintf(out, "kernelcore mirror\n");
	if (movable->kernelcore_pages)
		fprintf(out, "kernelcore %s\n",
			text_size(movable->kernelcore_pages << QR_PAGE_SHIFT).text);
	if (movable->kernelcore_percent)
		fprintf(out, "kernelcore %u%%\n", movable->kernelcore_percent);
	if (movable->movablecore_pages)
		fprintf(out, "movablecore %s\n",
			text_size(movable->movablecore_pages << QR_PAGE_SHIFT).text);
	if (movable->movablecore_percent)
		fprintf(out, "movablecore %u%%\n", movable->movablecore_percent);
	if (movable->movable_node)
		fprintf(out, "movable_node\n");
}

/* Runs of CPUs of one node become one statement. */
static void cpus_write(const struct qr_config *config, FILE *out)
{
	for (unsigned cpu = 0; cpu < config->nr_cpus;) {
		int nid = config->cpu_node ? config->cpu_node[cpu] : 0;
		unsigned first = cpu;

		while (cpu < config->nr_cpus && (!config->cpu_node || config->cpu_node[cpu] == nid))
			cpu++;
		fprintf(out, "cpus     %u node %d\n", cpu - first, nid);
	}
}

static void nodes_write(const struct qr_config *config, FILE *out)
{
	if (config->nr_nodes)
		fprintf(out, "nodes    %u\n", config->nr_nodes);
	for (unsigned nid = 0; nid < QR_MAX_NODES; nid++) {
		if (config->generic_initiators >> nid & 1)
			fprintf(out, "initiator %u\n", nid);
	}
	for (unsigned a = 0; config->distance && a < config->nr_nodes; a++) {
		for (unsigned b = a + 1; b < config->nr_nodes; b++)
			fprintf(out, "distance %u %u %u\n", a, b,
				config->distance[a * config->nr_nodes + b]);
	}
}

static void options_write(const struct machine *machine, FILE *out)
{
	const struct qr_config *config = &machine->config;
	char value[96];

	for (const struct machine_option *option = machine_options; option->name; option++) {
		if (config->options & option->bit)
			fprintf(out, "option   %s\n", option->name);
	}
	if (config->guard_minorder)
		fprintf(out, "guard_minorder %u\n", config->guard_minorder);
	if (config->section_order)
		fprintf(out, "section  %s\n",
			text_size(QR_PAGE_SIZE << config->section_order).text);
	if (config->cpu_cache_bytes)
		fprintf(out, "cpu_cache %s\n", text_size(config->cpu_cache_bytes).text);
	if (config->seed)
		fprintf(out, "seed     %" PRIu64 "\n", config->seed);
	if (config->engine)
		fprintf(out, "engine   %s\n", config->engine);
	for (unsigned i = 0; i < machine->settings.nr; i++) {
		setting_format(&machine->settings.settings[i], value, sizeof(value));
		fprintf(out, "set      %s %s\n",
			qr_tunable_info(machine->settings.settings[i].which)->name, value);
	}
}

void machine_write(const struct machine *machine, FILE *out)
{
	const struct qr_config *config = &machine->config;

	nodes_write(config, out);
	for (unsigned i = 0; i < config->nr_ranges; i++)
		range_write(&config->ranges[i], out);
	zones_write(&config->zone_limits, out);
	movable_write(&config->movable, out);
	cpus_write(config, out);
	options_write(machine, out);
}
