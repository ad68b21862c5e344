/* SPDX-License-Identifier: MIT */
/*
 * verb_show.c - `quire show`: build a machine and print what Linux would print of it
 *
 * The instance has page records but no memory behind them, so a machine of a terabyte is shown as
 * quickly as a small one.  Allocations can be made first, so that there is something to see.  The
 * program stays on one CPU, so that the same command always prints the same.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "gfp.h"
#include "json.h"
#include "show.h"
#include "show_trace.h"
#include "text.h"
#include "verbs.h"

enum { MAX_ALLOCS = 64 };

enum view {
	VIEW_BUDDYINFO,
	VIEW_PAGETYPEINFO,
	VIEW_ZONEINFO,
	VIEW_VMSTAT,
	VIEW_MAP,
	VIEW_MACHINE,
	NR_VIEWS
};

static const char *const view_words[] = {"buddyinfo", "pagetypeinfo", "zoneinfo", "vmstat",
					 "map",       "machine",      NULL};

/* --alloc ORDER:COUNT[:GFP] */
struct alloc_wish {
	const char *text;
	unsigned order;
	uint64_t count; /* UINT64_MAX: all there are */
	qr_gfp_t gfp;
};

struct block {
	struct qr_page *page;
	unsigned order;
};

/* Every n-th block that was allocated, to be freed in the end. */
struct block_list {
	struct block *blocks;
	size_t nr, room;
};

struct show {
	unsigned view;
	const char *path; /* NULL: this host */
	const char *engine; /* NULL: the machine's, or the default */
	struct machine machine;
	struct setting_list settings; /* --set, which come after those of the file */
	struct alloc_wish wishes[MAX_ALLOCS];
	unsigned nr_wishes;
	uint64_t free_every; /* 0: free none */
	uint64_t nr_per_cell;
	unsigned color;
	bool json;
	bool after; /* of a recording */
	const char *machine_only; /* an option that has no meaning for a recording, or NULL */
};

/* Arguments -------------------------------------------------------------------------------- */

static bool set_take(struct cli *cli, void *into, const char *value)
{
	((struct show *)into)->machine_only = cli->option;
	return setting_list_take(cli, &((struct show *)into)->settings, value);
}

static bool engine_take(struct cli *cli, void *into, const char *value)
{
	((struct show *)into)->machine_only = cli->option;
	((struct show *)into)->engine = value;
	return true;
}

static bool alloc_take(struct cli *cli, void *into, const char *value)
{
	struct show *show = into;
	struct alloc_wish *wish = &show->wishes[show->nr_wishes];
	char copy[128], *rest = copy;
	const char *order, *count, *gfp;
	uint64_t number;

	show->machine_only = cli->option;
	if (show->nr_wishes == MAX_ALLOCS)
		return cli_error(cli, "given more than %d times", MAX_ALLOCS);
	snprintf(copy, sizeof(copy), "%s", value);
	order = strsep(&rest, ":");
	count = strsep(&rest, ":");
	gfp = rest;
	if (!count)
		return cli_error(cli, "'%s' is not ORDER:COUNT[:GFP], such as 0:1000:movable",
				 value);
	*wish = (struct alloc_wish){.text = value, .count = UINT64_MAX, .gfp = QR_GFP_KERNEL};
	if (!cli_number(cli, order, 0, QR_MAX_PAGE_ORDER, &number) ||
	    (strcmp(count, "all") != 0 &&
	     !cli_number(cli, count, 1, UINT64_MAX - 1, &wish->count)) ||
	    (gfp && !gfp_take(cli, gfp, &wish->gfp)))
		return false;
	wish->order = (unsigned)number;
	show->nr_wishes++;
	return true;
}

static bool free_every_take(struct cli *cli, void *into, const char *value)
{
	((struct show *)into)->machine_only = cli->option;
	return cli_number(cli, value, 1, UINT64_MAX, &((struct show *)into)->free_every);
}

static bool per_cell_take(struct cli *cli, void *into, const char *value)
{
	return cli_number(cli, value, 1, 1u << 20, &((struct show *)into)->nr_per_cell);
}

static bool color_take(struct cli *cli, void *into, const char *value)
{
	return cli_word(cli, value, term_when_words, &((struct show *)into)->color);
}

static bool after_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct show *)into)->after = true;
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct show *)into)->json = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct show *show = into;

	if (cli->nr_operands == 0)
		return cli_word(cli, value, view_words, &show->view);
	if (cli->nr_operands > 1)
		return cli_error(cli, "'%s' is too much: there is one machine at a time", value);
	show->path = value;
	return true;
}

static const struct cli_option options[] = {
	{"set", "TUNABLE=VALUE", set_take,
	 "set a tunable ('quire tunables' lists them); may be\n"
	 "repeated"},
	{"alloc", "ORDER:COUNT[:GFP]", alloc_take,
	 "first allocate COUNT (or 'all') blocks of 2^ORDER pages\n"
	 "with this gfp mask, GFP_KERNEL if none is given; may be\n"
	 "repeated"},
	{"engine", "NAME", engine_take, "which engine keeps the free blocks: list or bitmap"},
	{"free-every", "N", free_every_take, "then free every N-th of these blocks"},
	{"after", NULL, after_take, "a recording: the state after it, not the one before it"},
	{"blocks-per-char", "N", per_cell_take, "map: so many pageblocks to a character"},
	{"color", "WHEN", color_take, "map: auto, always or never"},
	{"json", NULL, json_take, "print JSON; quire-show(1) describes it"},
	{NULL, NULL, NULL, NULL},
};

/* Allocations ------------------------------------------------------------------------------ */

static bool block_keep(struct block_list *list, struct qr_page *page, unsigned order)
{
	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;
		struct block *blocks = realloc(list->blocks, room * sizeof(*blocks));

		if (!blocks)
			return false;
		list->blocks = blocks;
		list->room = room;
	}
	list->blocks[list->nr++] = (struct block){page, order};
	return true;
}

/* Returns how many blocks there were to be had. */
static uint64_t wish_fulfil(const struct show *show, struct quire *q, const struct alloc_wish *wish,
			    struct block_list *to_free)
{
	for (uint64_t i = 0; i < wish->count; i++) {
		struct qr_page *page = qr_alloc_pages(q, wish->gfp | QR___GFP_NOWARN, wish->order);

		if (!page)
			return i;
		if (show->free_every && (i + 1) % show->free_every == 0 &&
		    !block_keep(to_free, page, wish->order))
			return i;
	}
	return wish->count;
}

static int wishes_fulfil(struct cli *cli, const struct show *show, struct quire *q)
{
	struct block_list to_free = {NULL, 0, 0};
	int code = EXIT_GOOD;

	for (unsigned i = 0; i < show->nr_wishes; i++) {
		const struct alloc_wish *wish = &show->wishes[i];
		uint64_t nr = wish_fulfil(show, q, wish, &to_free);

		if (nr == wish->count || wish->count == UINT64_MAX)
			continue;
		cli_error(cli, "--alloc %s: there were only %llu blocks of order %u", wish->text,
			  (unsigned long long)nr, wish->order);
		code = EXIT_FAILED;
	}
	for (size_t i = 0; i < to_free.nr; i++)
		qr___free_pages(q, to_free.blocks[i].page, to_free.blocks[i].order);
	free(to_free.blocks);
	return code;
}

/* Views ------------------------------------------------------------------------------------ */

char *show_text(struct quire *q, size_t (*view)(struct quire *q, char *buf, size_t size))
{
	size_t length = view(q, NULL, 0);
	char *text = malloc(length + 1);

	if (text)
		view(q, text, length + 1);
	return text;
}

static json_t *vmstat_json(struct quire *q)
{
	char *text = show_text(q, qr_show_vmstat);
	json_t *document = show_vmstat_json(text);

	free(text);
	return document;
}

static json_t *view_json(const struct show *show, struct quire *q)
{
	struct show_source source = show_instance(q);

	switch ((enum view)show->view) {
	case VIEW_BUDDYINFO:
		return show_buddyinfo_json(q);
	case VIEW_PAGETYPEINFO:
		return show_pagetypeinfo_json(q);
	case VIEW_ZONEINFO:
		return show_zoneinfo_json(q);
	case VIEW_VMSTAT:
		return vmstat_json(q);
	case VIEW_MAP:
		return show_map_json(&source);
	default:
		return show_machine_json(&show->machine, q);
	}
}

static void view_text(const struct show *show, struct quire *q)
{
	static size_t (*const views[])(struct quire * q, char *buf, size_t size) = {
		[VIEW_BUDDYINFO] = qr_show_buddyinfo,
		[VIEW_PAGETYPEINFO] = qr_show_pagetypeinfo,
		[VIEW_ZONEINFO] = qr_show_zoneinfo,
		[VIEW_VMSTAT] = qr_show_vmstat,
	};
	struct term term = term_of(stdout, (enum term_when)show->color);
	struct show_source source = show_instance(q);
	char *text;

	if (show->view == VIEW_MAP) {
		show_map(&source, &term, (unsigned)show->nr_per_cell);
	} else if (show->view == VIEW_MACHINE) {
		show_machine(&show->machine, q);
	} else {
		text = show_text(q, views[show->view]);
		fputs(text ? text : "", stdout);
		free(text);
	}
}

static int view_print(const struct show *show, struct quire *q)
{
	if (show->json)
		return json_finish(view_json(show, q)) ? EXIT_GOOD : EXIT_FAILED;
	view_text(show, q);
	return EXIT_GOOD;
}

/* The verb --------------------------------------------------------------------------------- */

/* Which CPU's caches serve must not depend on where we happen to run. */
static void first_cpu_bind(void)
{
	cpu_set_t allowed, first;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&first);
		CPU_SET(cpu, &first);
		/* Where it is not permitted, the output may vary a little. */
		(void)sched_setaffinity(0, sizeof(first), &first);
		return;
	}
}

static int machine_prepare(struct show *show, struct machine_error *error)
{
	int code = show->path ? machine_read(&show->machine, show->path, error)
			      : machine_of_host(&show->machine, error);

	if (code == EXIT_GOOD && !setting_list_append(&show->machine.settings, &show->settings)) {
		snprintf(error->text, sizeof(error->text), "no memory");
		code = EXIT_LACKING;
	}
	if (show->engine)
		show->machine.config.engine = show->engine;
	return code;
}

static int recording_show(struct cli *cli, const struct show *show)
{
	const struct show_trace trace = {
		.path = show->path,
		.view = view_words[show->view],
		.after = show->after,
		.json = show->json,
		.term = term_of(stdout, (enum term_when)show->color),
		.nr_per_cell = (unsigned)show->nr_per_cell,
	};

	if (show->view == VIEW_MACHINE) {
		cli_error(cli, "%s is a recording; 'quire info' tells of its machine", show->path);
		return EXIT_USAGE;
	}
	if (show->machine_only) {
		cli_error(cli, "--%s: %s is a recording, which is shown as it is",
			  show->machine_only, show->path);
		return EXIT_USAGE;
	}
	return show_trace(cli, &trace);
}

static int show_run(struct cli *cli, struct show *show)
{
	struct qr_linux_config how = {.backing = QR_LINUX_NO_MEMORY, .no_worker = true};
	struct qr_linux_pool *pool;
	struct machine_error error;
	int code, shown;

	if (show->path && show_is_trace(show->path))
		return recording_show(cli, show);
	if (show->after) {
		cli_error(cli, "--after: only a recording has a state after it");
		return EXIT_USAGE;
	}
	first_cpu_bind();
	code = machine_prepare(show, &error);
	if (code == EXIT_GOOD) {
		code = machine_open(&show->machine, &how, &pool, &error);
		/* A machine that was read is possible: what cannot be came from options. */
		if (code == EXIT_INPUT)
			code = EXIT_USAGE;
	}
	if (code != EXIT_GOOD) {
		cli_error(cli, "%s", error.text);
		return code;
	}
	code = wishes_fulfil(cli, show, qr_linux_quire(pool));
	shown = view_print(show, qr_linux_quire(pool));
	qr_linux_close(pool);
	return code == EXIT_GOOD ? shown : code;
}

static int run(struct cli *cli)
{
	struct show *show = calloc(1, sizeof(*show));
	int code;

	if (!show) {
		cli_error(cli, "no memory");
		return EXIT_LACKING;
	}
	code = cli_parse(cli, show);
	if (code < 0 && cli->nr_operands == 0) {
		cli_error(cli, "show what? buddyinfo, pagetypeinfo, zoneinfo, vmstat, map or "
			       "machine");
		code = EXIT_USAGE;
	}
	if (code < 0)
		code = show_run(cli, show);
	machine_free(&show->machine);
	setting_list_free(&show->settings);
	free(show);
	return code;
}

const struct verb verb_show = {
	.name = "show",
	.summary = "print what Linux would print of a machine's memory",
	.operands = "VIEW [FILE]",
	.description =
		"VIEW is buddyinfo, pagetypeinfo, zoneinfo or vmstat, printed as the kernel's\n"
		"file of that name reads; map, of all pageblocks; or machine, a description.\n"
		"FILE is one of two things.\n\n"
		"A recording of quire record or import, or what quire replay --save-end wrote:\n"
		"its files are printed as they were recorded, before the recording or --after it.\n"
		"\n"
		"A description of a machine (-: from standard input; without one: a machine with\n"
		"as much memory and as many CPUs as this host).  It is built, with page records\n"
		"but no memory behind them, so that a terabyte takes no longer than a megabyte.",
	.examples = "  quire show buddyinfo\n"
		    "  quire show zoneinfo examples/machines/server-2-nodes.machine \\\n"
		    "        --set watermark_scale_factor=100\n"
		    "  quire show map examples/machines/tiny.machine --alloc 0:2000:movable \\\n"
		    "        --alloc 3:50 --free-every 2\n"
		    "  quire show map --after my.qtrace",
	.options = options,
	.operand = operand_take,
	.run = run,
};
