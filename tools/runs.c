/* SPDX-License-Identifier: MIT */
/*
 * runs.c - ways to play one recording: what the user chose for each, and how each is called
 */
#include "runs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"
#include "text.h"

/* Options ---------------------------------------------------------------------------------- */

bool run_take_engine(const struct cli *cli, struct run *run, const char *name)
{
	const char *names[16] = {NULL};
	unsigned which;

	for (unsigned i = 0; i + 1 < sizeof(names) / sizeof(names[0]) && qr_engine_name(i); i++)
		names[i] = qr_engine_name(i);
	if (!cli_word(cli, name, names, &which))
		return false;
	run->engine = names[which];
	return true;
}

bool run_take_cpus(const struct cli *cli, struct run *run, const char *number)
{
	uint64_t nr;

	if (!cli_number(cli, number, 1, QR_MAX_CPUS, &nr))
		return false;
	run->nr_cpus = (unsigned)nr;
	return true;
}

bool run_tunable_usable(const struct cli *cli, enum qr_tunable tunable)
{
	const struct qr_tunable_info *info = qr_tunable_info(tunable);

	if (info->scalar && info->readable)
		return true;
	return cli_error(cli, "%s cannot be set for a replay", info->name);
}

static bool take_tunable(const struct cli *cli, struct run *run, const char *name,
			 const char *value)
{
	struct setting setting;
	struct qr_error_text why;

	if (setting_parse(&setting, name, value, &why) != SETTING_GOOD)
		return cli_error(cli, "%s", why.text);
	if (!run_tunable_usable(cli, setting.which))
		return false;
	run_set(run, setting.which, setting.value);
	return true;
}

bool run_take_setting(const struct cli *cli, struct run *run, const char *setting)
{
	size_t length = strcspn(setting, "=");
	char name[64];

	if (!setting[length])
		return cli_error(cli, "'%s' is not TUNABLE=VALUE", setting);
	snprintf(name, sizeof(name), "%.*s", (int)length, setting);
	return take_tunable(cli, run, name, setting + length + 1);
}

static bool take_difference(const struct cli *cli, struct run *run, const char *name,
			    const char *value)
{
	static const char *const own[] = {"engine", "cpus", NULL};
	const char *nearest;

	if (strcmp(name, "engine") == 0)
		return run_take_engine(cli, run, value);
	if (strcmp(name, "cpus") == 0)
		return run_take_cpus(cli, run, value);
	nearest = text_nearest(name, own);
	if (nearest && qr_tunable_find(name) == QR_NR_TUNABLES)
		return cli_error(cli, "'%s' is no difference; did you mean '%s'?", name, nearest);
	return take_tunable(cli, run, name, value);
}

bool run_take_differences(const struct cli *cli, struct run *run, const char *differences)
{
	char copy[512], *rest = copy, *one;

	if (strlen(differences) >= sizeof(copy))
		return cli_error(cli, "more than %zu characters", sizeof(copy) - 1);
	snprintf(copy, sizeof(copy), "%s", differences);
	while ((one = strsep(&rest, ",")) != NULL) {
		char *value = strchr(one, '=');

		if (!value)
			return cli_error(cli, "'%s' is not engine=NAME, cpus=N or TUNABLE=VALUE",
					 one);
		*value++ = '\0';
		if (!take_difference(cli, run, one, value))
			return false;
	}
	return true;
}

/* Runs ------------------------------------------------------------------------------------- */

void run_set(struct run *run, enum qr_tunable tunable, int64_t value)
{
	for (unsigned i = 0; i < run->nr_settings; i++) {
		if (run->settings[i].tunable == tunable) {
			run->settings[i].value = value;
			return;
		}
	}
	run->settings[run->nr_settings].tunable = tunable;
	run->settings[run->nr_settings++].value = value;
}

void run_change(struct run *run, const struct run *differences)
{
	if (differences->engine)
		run->engine = differences->engine;
	if (differences->nr_cpus)
		run->nr_cpus = differences->nr_cpus;
	for (unsigned i = 0; i < differences->nr_settings; i++)
		run_set(run, differences->settings[i].tunable, differences->settings[i].value);
}

struct replay_config run_config(const struct run *run)
{
	struct replay_config config = {
		.engine = run->engine,
		.nr_cpus = run->nr_cpus,
		.nr_settings = run->nr_settings,
	};

	memcpy(config.settings, run->settings, sizeof(config.settings));
	return config;
}

/* Names ------------------------------------------------------------------------------------ */

/* NULL: this run does not set it. */
static const int64_t *value_of(const struct run *run, enum qr_tunable tunable)
{
	for (unsigned i = 0; i < run->nr_settings; i++) {
		if (run->settings[i].tunable == tunable)
			return &run->settings[i].value;
	}
	return NULL;
}

static const char *engine_of(const struct run *run)
{
	return run->engine ? run->engine : REPLAY_ENGINE;
}

static bool engines_differ(const struct run *runs, unsigned nr)
{
	for (unsigned i = 1; i < nr; i++) {
		if (strcmp(engine_of(&runs[i]), engine_of(&runs[0])) != 0)
			return true;
	}
	return false;
}

static bool cpus_differ(const struct run *runs, unsigned nr)
{
	for (unsigned i = 1; i < nr; i++) {
		if (runs[i].nr_cpus != runs[0].nr_cpus)
			return true;
	}
	return false;
}

static bool values_differ(const struct run *runs, unsigned nr, enum qr_tunable tunable)
{
	const int64_t *first = value_of(&runs[0], tunable);

	for (unsigned i = 1; i < nr; i++) {
		const int64_t *value = value_of(&runs[i], tunable);

		if (!value != !first || (value && *value != *first))
			return true;
	}
	return false;
}

__attribute__((format(printf, 2, 3))) static void label_add(char label[REPLAY_LABEL_SIZE],
							    const char *format, ...)
{
	size_t used = strlen(label);
	va_list args;

	if (used && used + 3 < REPLAY_LABEL_SIZE) {
		memcpy(label + used, ", ", 3);
		used += 2;
	}
	va_start(args, format);
	vsnprintf(label + used, REPLAY_LABEL_SIZE - used, format, args);
	va_end(args);
}

void runs_label(const struct run *runs, unsigned nr, unsigned which, char label[REPLAY_LABEL_SIZE])
{
	const struct run *run = &runs[which];
	bool alone = nr == 1;

	label[0] = '\0';
	if (alone || engines_differ(runs, nr))
		label_add(label, "%s", engine_of(run));
	if (run->nr_cpus && (alone || cpus_differ(runs, nr)))
		label_add(label, "%u CPU%s", run->nr_cpus, run->nr_cpus == 1 ? "" : "s");
	for (unsigned i = 0; i < run->nr_settings; i++) {
		enum qr_tunable tunable = run->settings[i].tunable;

		if (alone || values_differ(runs, nr, tunable))
			label_add(label, "%s=%" PRId64, qr_tunable_info(tunable)->name,
				  run->settings[i].value);
	}
	if (!label[0])
		label_add(label, "%s",
			  run->nr_settings || run->nr_cpus ? "the base" : "as recorded");
}
