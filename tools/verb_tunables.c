/* SPDX-License-Identifier: MIT */
/*
 * verb_tunables.c - `quire tunables`: what can be tuned, and how it stands on a machine
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "machine.h"
#include "verbs.h"

/* The version of the JSON document; see quire-tunables(1). */
enum { TUNABLES_VERSION = 1 };

struct tunables {
	const char *path; /* NULL: this host */
	bool json;
};

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	(void)value;
	return ((struct tunables *)into)->json = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct tunables *tunables = into;

	if (tunables->path)
		return cli_error(cli, "'%s' is too much: there is one machine at a time", value);
	tunables->path = value;
	return true;
}

static const struct cli_option options[] = {
	{"json", NULL, json_take, "print JSON; quire-tunables(1) describes it"},
	{NULL, NULL, NULL, NULL},
};

/* One row ---------------------------------------------------------------------------------- */

struct row {
	const struct qr_tunable_info *info;
	char value[64], preset[64], range[64];
};

static void range_format(enum qr_tunable which, const struct qr_tunable_info *info, char *buf,
			 size_t size)
{
	bool zero_too = which == QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION;

	if (which == QR_TUNE_LOWMEM_RESERVE_RATIO)
		snprintf(buf, size, "5 numbers");
	else if (!info->scalar)
		snprintf(buf, size, "Node, Default");
	else if (info->max == INT32_MAX || info->max == INT64_MAX)
		snprintf(buf, size, "%s%" PRId64 "..", zero_too ? "0, " : "", info->min);
	else
		snprintf(buf, size, "%s%" PRId64 "..%" PRId64, zero_too ? "0, " : "", info->min,
			 info->max);
}

/* fresh: a machine as it comes, whose arrays and words are the defaults. */
static void row_fill(struct row *row, enum qr_tunable which, struct quire *q, struct quire *fresh)
{
	struct setting setting;

	row->info = qr_tunable_info(which);
	snprintf(row->value, sizeof(row->value), "-");
	if (setting_current(q, which, &setting))
		setting_format(&setting, row->value, sizeof(row->value));
	range_format(which, row->info, row->range, sizeof(row->range));
	if (!row->info->readable)
		snprintf(row->preset, sizeof(row->preset), "-");
	else if (row->info->scalar && row->info->default_value < 0)
		snprintf(row->preset, sizeof(row->preset), "computed");
	else if (row->info->scalar)
		snprintf(row->preset, sizeof(row->preset), "%" PRId64, row->info->default_value);
	else if (setting_current(fresh, which, &setting))
		setting_format(&setting, row->preset, sizeof(row->preset));
}

static void row_print(const struct row *row)
{
	printf("%-29s %-16s %-16s %-13s %s\n", row->info->name, row->value, row->preset, row->range,
	       row->info->summary);
}

static json_t *row_json(const struct row *row)
{
	json_t *object = json_object();

	json_put_text(object, "name", row->info->name);
	json_put_text(object, "value", row->info->readable ? row->value : NULL);
	json_put_text(object, "default", row->info->readable ? row->preset : NULL);
	json_put_text(object, "range", row->range);
	if (row->info->scalar) {
		json_put(object, "min", json_integer(row->info->min));
		json_put(object, "max", json_integer(row->info->max));
	}
	json_put_flag(object, "writable", row->info->writable);
	json_put_flag(object, "readable", row->info->readable);
	json_put_text(object, "summary", row->info->summary);
	return object;
}

/* The table -------------------------------------------------------------------------------- */

static int table_print(const struct tunables *tunables, const char *machine, struct quire *q,
		       struct quire *fresh)
{
	json_t *document = json_document("quire-tunables", TUNABLES_VERSION);
	json_t *rows = json_array();
	struct row row;

	if (!tunables->json)
		printf("%-29s %-16s %-16s %-13s %s\n", "NAME", "VALUE", "DEFAULT", "RANGE",
		       "MEANING");
	for (int i = 0; i < QR_NR_TUNABLES; i++) {
		memset(&row, 0, sizeof(row));
		row_fill(&row, (enum qr_tunable)i, q, fresh);
		if (tunables->json)
			json_array_append_new(rows, row_json(&row));
		else
			row_print(&row);
	}
	json_put_text(document, "machine", machine);
	json_put(document, "tunables", rows);
	if (tunables->json)
		return json_finish(document) ? EXIT_GOOD : EXIT_FAILED;
	json_decref(document);
	return EXIT_GOOD;
}

/* The machine twice: with its settings, and without. */
static int machine_print(const struct tunables *tunables, struct machine *machine,
			 struct machine_error *error)
{
	struct qr_linux_config how = {.backing = QR_LINUX_NO_MEMORY, .no_worker = true};
	struct qr_linux_pool *pool, *fresh;
	int code = machine_open(machine, &how, &pool, error);

	if (code != EXIT_GOOD)
		return code;
	setting_list_free(&machine->settings);
	code = machine_open(machine, &how, &fresh, error);
	if (code == EXIT_GOOD) {
		code = table_print(tunables, machine->name, qr_linux_quire(pool),
				   qr_linux_quire(fresh));
		qr_linux_close(fresh);
	}
	qr_linux_close(pool);
	return code;
}

static int run(struct cli *cli)
{
	struct tunables tunables = {0};
	struct machine_error error = {""};
	struct machine machine;
	int code = cli_parse(cli, &tunables);

	if (code >= 0)
		return code;
	code = tunables.path ? machine_read(&machine, tunables.path, &error)
			     : machine_of_host(&machine, &error);
	if (code == EXIT_GOOD)
		code = machine_print(&tunables, &machine, &error);
	if (error.text[0])
		cli_error(cli, "%s", error.text);
	machine_free(&machine);
	return code;
}

const struct verb verb_tunables = {
	.name = "tunables",
	.summary = "list what can be tuned, with ranges, defaults and values",
	.operands = "[MACHINE-FILE]",
	.description =
		"Prints every tunable with its value on the machine that MACHINE-FILE describes\n"
		"(without one: a machine with as much memory and as many CPUs as this host), its\n"
		"default, the values it takes and what it means.  The names are those under\n"
		"/proc/sys/vm.  'set' in a machine file and --set of other verbs change them.",
	.examples = "  quire tunables\n"
		    "  quire tunables --json examples/machines/server-2-nodes.machine",
	.options = options,
	.operand = operand_take,
	.run = run,
};
