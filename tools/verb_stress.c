/* SPDX-License-Identifier: MIT */
/*
 * verb_stress.c - `quire stress`: use real memory hard, and see whether anything goes wrong
 *
 * The main thread leads the workers through phases, from nearly empty to more than there is, and
 * disturbs them: it drains caches, switches the caches of a zone off and on, reads the views and
 * runs qr_check() in the middle of it.  In the end everything is freed, and each page must be
 * where it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cli.h"
#include "stress.h"
#include "term.h"
#include "text.h"
#include "verbs.h"

enum { DEFAULT_SECONDS = 10, MAX_THREADS = 1024, TICK_MS = 20 };

/* Above this many pages a check in the middle would take longer than a phase. */
static const uint64_t check_midway_limit = UINT64_C(1) << 24;

static const struct stress_phase phases[] = {
	{"calm", 200, 100}, {"busy", 600, 200}, {"full", 1100, 400},
	{"busy", 500, 300}, {"low", 20, 0},
};

enum { NR_PHASES = sizeof(phases) / sizeof(phases[0]) };

static const char *const backing_words[] = {"memfd", "hugetlb", "none", NULL};

struct options {
	const char *path; /* NULL: a machine of so much memory */
	const char *engine; /* NULL: the machine's, or the default */
	double seconds;
	uint64_t threads, memory, min_order, max_order, seed;
	unsigned backing; /* enum qr_linux_backing, which has the order of backing_words */
	uint32_t machine_options;
	struct setting_list settings;
	bool json, quiet, usdt;
};

/* Arguments -------------------------------------------------------------------------------- */

static bool seconds_take(struct cli *cli, void *into, const char *value)
{
	return cli_seconds(cli, value, 1e6, &((struct options *)into)->seconds);
}

static bool threads_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 1, MAX_THREADS, &((struct options *)into)->threads);
}

static bool memory_take(struct cli *cli, void *into, const char *value)
{
	struct options *options = into;

	return cli_size(cli, value, UINT64_C(1) << 20, UINT64_C(1) << 50, &options->memory) &&
	       (options->memory % QR_PAGE_SIZE == 0 ||
		cli_error(cli, "'%s' is not a multiple of the page size", value));
}

static bool backing_take(struct cli *cli, void *into, const char *value)
{
	return cli_word(cli, value, backing_words, &((struct options *)into)->backing);
}

static bool orders_take(struct cli *cli, void *into, const char *value)
{
	struct options *options = into;

	return cli_span(cli, value, 0, QR_MAX_PAGE_ORDER, &options->min_order, &options->max_order);
}

static bool seed_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 0, UINT64_MAX, &((struct options *)into)->seed);
}

static bool engine_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct options *)into)->engine = value;
	return true;
}

static bool option_take(struct cli *cli, void *into, const char *value)
{
	const char *words[16];
	unsigned nr = 0, index;

	for (const struct machine_option *option = machine_options; option->name; option++)
		words[nr++] = option->name;
	words[nr] = NULL;
	if (!cli_word(cli, value, words, &index))
		return false;
	((struct options *)into)->machine_options |= machine_options[index].bit;
	return true;
}

static bool poison_take(struct cli *cli, void *into, const char *value)
{
	(void)value;
	return option_take(cli, into, "poison");
}

static bool set_take(struct cli *cli, void *into, const char *value)
{
	return setting_list_take(cli, &((struct options *)into)->settings, value);
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct options *)into)->json = true;
}

static bool quiet_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct options *)into)->quiet = true;
}

static bool usdt_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct options *)into)->usdt = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct options *options = into;

	if (options->path)
		return cli_error(cli, "'%s' is too much: there is one machine at a time", value);
	options->path = value;
	return true;
}

static const struct cli_option verb_options[] = {
	{"seconds", "N", seconds_take, "how long; 10 if not given"},
	{"threads", "N", threads_take, "how many threads; as many as there are CPUs, at least 2"},
	{"memory", "SIZE", memory_take,
	 "how much memory, where no machine file says so; 1G, or\n"
	 "a quarter of what is available if that is less"},
	{"backing", "KIND", backing_take,
	 "memfd: ordinary pages of the host; hugetlb: its huge\n"
	 "pages; none: page records only, no contents"},
	{"orders", "FIRST-LAST", orders_take,
	 "sizes of allocations, as orders; most are of the first"},
	{"seed", "NUMBER", seed_take, "of the random numbers"},
	{"engine", "NAME", engine_take, "which engine keeps the free blocks: list or bitmap"},
	{"poison", NULL, poison_take, "fill free pages, verify them when allocated"},
	{"option", "WORD", option_take, "an option of machine files: poison, shuffle, ..."},
	{"set", "TUNABLE=VALUE", set_take,
	 "set a tunable ('quire tunables' lists them); may be\n"
	 "repeated"},
	{"usdt", NULL, usdt_take, "fire the USDT probes, for bpftrace or perf"},
	{"quiet", NULL, quiet_take, "no progress on stderr"},
	{"json", NULL, json_take, "print the summary as JSON; quire-stress(1) describes it"},
	{NULL, NULL, NULL, NULL},
};

/* Interruption ----------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt_note(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* The first Ctrl-C ends the run in good order, the second one at once. */
static void interrupts_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt_note, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* What is wrong ---------------------------------------------------------------------------- */

void stress_fault(struct stress *stress, const char *format, ...)
{
	uint64_t nr = atomic_fetch_add(&stress->nr_faults, 1);
	va_list args;

	atomic_store(&stress->stop, true);
	if (nr >= STRESS_MAX_FAULTS)
		return;
	pthread_mutex_lock(&stress->fault_lock);
	va_start(args, format);
	vsnprintf(stress->faults[nr], sizeof(stress->faults[nr]), format, args);
	va_end(args);
	pthread_mutex_unlock(&stress->fault_lock);
}

/* Lines of the library: errors are faults, the first warning is shown in the summary. */
static void library_log(void *ctx, enum qr_log_level level, const char *line)
{
	struct stress *stress = ctx;

	if (level == QR_LOG_ERR) {
		stress_fault(stress, "the library reported: %s", line);
	} else if (level == QR_LOG_WARN && atomic_fetch_add(&stress->nr_warnings, 1) == 0) {
		pthread_mutex_lock(&stress->fault_lock);
		snprintf(stress->warning, sizeof(stress->warning), "%s", line);
		pthread_mutex_unlock(&stress->fault_lock);
	}
}

static void check(struct stress *stress, struct stress_report *report, const char *when)
{
	struct qr_error_text why = {""};
	unsigned broken = qr_check(stress->q, &why);

	report->nr_checks++;
	if (broken != 0)
		stress_fault(stress, "%s, an invariant is broken: %s", when, why.text);
}

/* Leading ---------------------------------------------------------------------------------- */

/* The n-th zone that has memory, counting round and round. */
static struct qr_zone *zone_choose(struct quire *q, unsigned n)
{
	struct qr_zone *zones[STRESS_NR_SHARDS];
	struct qr_quire_snapshot whole;
	struct qr_zone_snapshot snap;
	unsigned nr = 0;

	qr_quire_snapshot(q, &whole);
	for (unsigned i = 0; i < whole.nr_nodes * QR_NR_ZONES; i++) {
		int nid = (int)(i / QR_NR_ZONES);
		enum qr_zone_type type = (enum qr_zone_type)(i % QR_NR_ZONES);

		if (qr_zone_snapshot(q, nid, type, &snap) == 0 && snap.managed > 0)
			zones[nr++] = qr_zone_at(q, nid, type);
	}
	return nr ? zones[n % nr] : NULL;
}

static void views_read(struct quire *q)
{
	static size_t (*const views[])(struct quire * q, char *buf, size_t size) = {
		qr_show_buddyinfo, qr_show_pagetypeinfo, qr_show_zoneinfo, qr_show_vmstat};
	char buf[4096];

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		views[i](q, buf, sizeof(buf));
}

static void sleep_ms(unsigned ms)
{
	const struct timespec time = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&time, NULL);
}

/* Things that happen to an allocator from the side. */
static void disturb(struct stress *stress, unsigned tick)
{
	struct qr_zone *zone = zone_choose(stress->q, tick / 5);

	if (tick % 5 == 0)
		qr_drain_all_pages(stress->q, zone);
	if (tick % 7 == 0)
		views_read(stress->q);
	if (tick % 13 == 0 && zone) {
		qr_zone_pcp_disable(zone);
		sleep_ms(1);
		qr_zone_pcp_enable(zone);
	}
}

static uint64_t pages_free(struct stress *stress)
{
	struct qr_quire_snapshot whole;

	qr_quire_snapshot(stress->q, &whole);
	return whole.nr_free;
}

static void progress_tell(struct progress *progress, struct stress *stress, double elapsed,
			  double seconds, double *last_elapsed, uint64_t *last_operations)
{
	struct stress_sums sums;
	double rate;

	stress_sum(stress, &sums);
	rate = (double)(sums.operations - *last_operations) / (elapsed - *last_elapsed);
	*last_operations = sums.operations;
	*last_elapsed = elapsed;
	progress_show(progress, "%.0f of %.0f s  %-4s  %s operations/s  %3.0f %% free  %u threads",
		      elapsed, seconds, atomic_load(&stress->phase)->name, text_rounded(rate).text,
		      100 * (double)pages_free(stress) / (double)stress->managed,
		      stress->nr_started);
}

static double phase_length(double seconds)
{
	double length = seconds / NR_PHASES;

	return length < 0.1 ? 0.1 : length > 4 ? 4 : length;
}

static void phase_begin(struct stress *stress, struct stress_report *report, unsigned n)
{
	const struct stress_phase *phase = &phases[n % NR_PHASES];

	atomic_store(&stress->phase, phase);
	if (phase->cached == 0)
		cache_empty(stress);
	if (n > 0 && stress->managed <= check_midway_limit)
		check(stress, report, "while threads allocate");
}

/* Until the time is over, somebody interrupts or something is wrong. */
static void lead(struct stress *stress, const struct options *options, struct stress_report *report)
{
	struct progress progress = progress_begin(stderr, options->quiet);
	double start = term_clock(), now = start, length = phase_length(options->seconds);
	double last_elapsed = 0;
	uint64_t last_operations = 0;
	unsigned phase = 0;

	for (unsigned tick = 1; now - start < options->seconds; tick++) {
		if (interrupted || atomic_load(&stress->stop))
			break;
		sleep_ms(TICK_MS);
		disturb(stress, tick);
		now = term_clock();
		if (now - start >= length * (phase + 1))
			phase_begin(stress, report, ++phase);
		if (progress_due(&progress, now))
			progress_tell(&progress, stress, now - start, options->seconds,
				      &last_elapsed, &last_operations);
	}
	report->seconds = now - start;
	report->interrupted = interrupted != 0;
	progress_clear(&progress);
}

/* The end ---------------------------------------------------------------------------------- */

static void zones_account(struct stress *stress)
{
	struct qr_quire_snapshot whole;
	struct qr_zone_snapshot zone;

	qr_quire_snapshot(stress->q, &whole);
	for (unsigned i = 0; i < whole.nr_nodes * QR_NR_ZONES; i++) {
		if (qr_zone_snapshot(stress->q, (int)(i / QR_NR_ZONES),
				     (enum qr_zone_type)(i % QR_NR_ZONES), &zone) != 0)
			continue;
		if (zone.nr_free + zone.nr_pcp_pages != zone.managed)
			stress_fault(stress,
				     "node %d, zone %s: all was freed, but of %" PRIu64
				     " pages %" PRIu64 " are free and %" PRIu64 " in caches",
				     zone.nid, zone.name, zone.managed, zone.nr_free,
				     zone.nr_pcp_pages);
	}
}

/* All has been freed: is all where it was? */
static void account(struct stress *stress, struct stress_report *report)
{
	int64_t charged;

	qr_drain_all_pages(stress->q, NULL);
	qr_page_alloc_init_late(stress->q);
	check(stress, report, "after all was freed");
	zones_account(stress);
	charged = atomic_load(&stress->nr_charged);
	if (charged != 0)
		stress_fault(stress, "%" PRId64 " pages were charged and never uncharged", charged);
	qr_alloc_stats(stress->q, &report->stats);
	if (report->stats.bad_pages != 0)
		stress_fault(stress, "%" PRIu64 " bad pages were reported",
			     report->stats.bad_pages);
}

/* The machine ------------------------------------------------------------------------------ */

/* MemAvailable of this host in bytes; UINT64_MAX: it does not say. */
static uint64_t host_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kbytes = UINT64_MAX >> 10;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "MemAvailable:", 13) == 0)
			kbytes = strtoull(line + 13, NULL, 10);
	}
	if (file)
		fclose(file);
	return kbytes << 10;
}

static uint64_t memory_default(void)
{
	uint64_t quarter = host_available() / 4 / QR_PAGE_SIZE * QR_PAGE_SIZE;

	return quarter < UINT64_C(1) << 30 ? quarter : UINT64_C(1) << 30;
}

/* Better to say so than to be killed half-way. */
static int memory_is_there(const struct options *options, const struct machine *machine,
			   struct machine_error *error)
{
	uint64_t needed = machine_ram(machine), available = host_available();

	if (options->backing != QR_LINUX_MEMFD || needed <= available / 10 * 9)
		return EXIT_GOOD;
	snprintf(error->text, sizeof(error->text),
		 "%s needs %s bytes of real memory and this host has %s to spare; try less with "
		 "--memory, or --backing none",
		 machine->name, text_grouped(needed).text, text_grouped(available).text);
	return EXIT_LACKING;
}

static int machine_prepare(const struct options *options, struct machine *machine,
			   struct machine_error *error)
{
	uint64_t memory = options->memory ? options->memory : memory_default();
	int code = options->path ? machine_read(machine, options->path, error)
				 : machine_of_size(machine, memory, error);

	if (code == EXIT_GOOD && !setting_list_append(&machine->settings, &options->settings)) {
		snprintf(error->text, sizeof(error->text), "no memory");
		code = EXIT_LACKING;
	}
	if (options->engine)
		machine->config.engine = options->engine;
	return code == EXIT_GOOD ? memory_is_there(options, machine, error) : code;
}

static bool owners_begin(struct stress *stress, const struct machine *machine)
{
	void *owners;

	stress->end_pfn = machine_end_pfn(machine);
	owners = mmap(NULL, stress->end_pfn, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (owners == MAP_FAILED)
		return false;
	stress->owners = owners;
	return true;
}

/* The run ---------------------------------------------------------------------------------- */

static int run_workers(struct stress *stress, const struct options *options,
		       struct stress_report *report, struct machine_error *error)
{
	int code = EXIT_GOOD;

	interrupts_catch();
	phase_begin(stress, report, 0);
	if (workers_start(stress)) {
		lead(stress, options, report);
	} else {
		snprintf(error->text, sizeof(error->text),
			 "this host gives no more than %u threads; try less with --threads",
			 stress->nr_started);
		code = EXIT_LACKING;
	}
	workers_join(stress);
	cache_empty(stress);
	account(stress, report);
	return code;
}

static int summarise(const struct stress *stress, const struct options *options,
		     const struct stress_report *report)
{
	bool written = true;

	if (options->json)
		written = stress_print_json(stress, report);
	else
		stress_print(stress, report);
	if (atomic_load(&stress->nr_faults) != 0 || !written || fflush(stdout) != 0)
		return EXIT_FAILED;
	return report->interrupted ? EXIT_INTERRUPTED : EXIT_GOOD;
}

static unsigned threads_default(void)
{
	struct machine_error error;
	struct machine host;
	unsigned nr = 2;

	if (machine_of_host(&host, &error) == EXIT_GOOD && host.config.nr_cpus > nr)
		nr = host.config.nr_cpus;
	machine_free(&host);
	return nr;
}

/* With the instance there: everything around it, then the run. */
static int stress_instance(struct stress *stress, const struct options *options,
			   const struct machine *machine, struct machine_error *error)
{
	struct stress_report report = {
		.machine = machine->name,
		.backing = backing_words[options->backing],
		.seed = options->seed,
		.memory = machine_ram(machine),
	};
	unsigned nr = options->threads ? (unsigned)options->threads : threads_default();
	struct qr_quire_snapshot whole;
	int code;

	stress->q = qr_linux_quire(stress->pool);
	stress->has_memory = options->backing != QR_LINUX_NO_MEMORY;
	stress->min_order = (unsigned)options->min_order;
	stress->max_order = (unsigned)options->max_order;
	qr_quire_snapshot(stress->q, &whole);
	stress->managed = whole.managed;
	stress->nofail = whole.managed / 4 > (whole.min_free_kbytes << 10) / QR_PAGE_SIZE;
	if (!owners_begin(stress, machine) || !cache_begin(stress) ||
	    !workers_begin(stress, nr, options->seed)) {
		snprintf(error->text, sizeof(error->text), "no memory for %u threads", nr);
		return EXIT_LACKING;
	}
	code = run_workers(stress, options, &report, error);
	return code == EXIT_GOOD ? summarise(stress, options, &report) : code;
}

static int stress_machine(const struct options *options, const struct machine *machine,
			  struct machine_error *error)
{
	struct stress *stress = calloc(1, sizeof(*stress));
	struct qr_linux_config how = {
		.backing = (enum qr_linux_backing)options->backing,
		.usdt = options->usdt,
		.log = library_log,
		.log_ctx = stress,
		.machine = {.options = options->machine_options},
	};
	int code;

	if (!stress) {
		snprintf(error->text, sizeof(error->text), "no memory");
		return EXIT_LACKING;
	}
	pthread_mutex_init(&stress->fault_lock, NULL);
	atomic_store(&stress->phase, &phases[0]);
	code = machine_open(machine, &how, &stress->pool, error);
	if (code == EXIT_GOOD)
		code = stress_instance(stress, options, machine, error);
	workers_end(stress);
	if (stress->pool)
		qr_linux_close(stress->pool);
	cache_end(stress);
	if (stress->owners)
		munmap((void *)stress->owners, stress->end_pfn);
	pthread_mutex_destroy(&stress->fault_lock);
	free(stress);
	return code;
}

static int run(struct cli *cli)
{
	struct options options = {
		.seconds = DEFAULT_SECONDS,
		.max_order = QR_PAGEBLOCK_ORDER < QR_MAX_PAGE_ORDER ? QR_PAGEBLOCK_ORDER
								    : QR_MAX_PAGE_ORDER,
		.seed = (uint64_t)time(NULL) % 1000000,
	};
	struct machine_error error = {""};
	struct machine machine = {0};
	int code = cli_parse(cli, &options);

	if (code < 0 && options.path && options.memory) {
		cli_error(cli, "%s says how much memory there is; --memory cannot be given as well",
			  options.path);
		code = EXIT_USAGE;
	}
	if (code < 0) {
		code = machine_prepare(&options, &machine, &error);
		if (code == EXIT_GOOD)
			code = stress_machine(&options, &machine, &error);
	}
	if (error.text[0])
		cli_error(cli, "%s", error.text);
	/* A machine that was read is possible: what cannot be was asked for with options. */
	if (code == EXIT_INPUT && (!options.path || machine.config.nr_cpus != 0))
		code = EXIT_USAGE;
	machine_free(&machine);
	setting_list_free(&options.settings);
	return code;
}

const struct verb verb_stress = {
	.name = "stress",
	.summary = "use real memory hard, and see whether anything goes wrong",
	.operands = "[MACHINE-FILE]",
	.description =
		"Threads allocate pages of all sizes and types from a pool of real memory, fill\n"
		"them, pass them to each other, verify and free them, from nearly empty to more\n"
		"than there is, while caches are drained and switched off and on.  In the end all\n"
		"is freed, the structures are checked and every page must be accounted for.\n"
		"Ctrl-C ends the run early, with the summary.",
	.examples = "  quire stress --seconds 60 --threads 8 --memory 4G\n"
		    "  quire stress --backing none examples/machines/server-2-nodes.machine\n"
		    "  quire stress --orders 0 --poison --json",
	.options = verb_options,
	.operand = operand_take,
	.run = run,
};
