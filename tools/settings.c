/* SPDX-License-Identifier: MIT */
/*
 * settings.c - tunables by name and value, as --set and machine files give them
 */
#include "settings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "text.h"

static void why_set(struct qr_error_text *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void why_set(struct qr_error_text *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

static enum setting_fault name_unknown(const char *name, struct qr_error_text *why)
{
	const char *names[QR_NR_TUNABLES + 1];
	const char *nearest;

	for (int i = 0; i < QR_NR_TUNABLES; i++)
		names[i] = qr_tunable_info((enum qr_tunable)i)->name;
	names[QR_NR_TUNABLES] = NULL;
	nearest = text_nearest(name, names);
	if (nearest)
		why_set(why, "there is no tunable '%s'; did you mean '%s'?", name, nearest);
	else
		why_set(why, "there is no tunable '%s'; 'quire tunables' lists them", name);
	return SETTING_BAD_NAME;
}

static enum setting_fault scalar_parse(struct setting *setting, const struct qr_tunable_info *info,
				       const char *text, struct qr_error_text *why)
{
	bool zero_too = setting->which == QR_TUNE_PERCPU_PAGELIST_HIGH_FRACTION;

	if (text_to_signed(text, &setting->value) &&
	    ((setting->value >= info->min && setting->value <= info->max) ||
	     (zero_too && setting->value == 0)))
		return SETTING_GOOD;
	why_set(why, "'%s' will not do: %s takes %s%" PRId64 " to %" PRId64, text, info->name,
		zero_too ? "0 or " : "", info->min, info->max);
	return SETTING_BAD_VALUE;
}

static enum setting_fault ratios_parse(struct setting *setting, const char *text,
				       struct qr_error_text *why)
{
	char copy[128];
	char *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strtok_r(rest, " \t,", &rest)) != NULL) {
		int64_t value;

		if (setting->nr_ratios == SETTING_NR_RATIOS || !text_to_signed(word, &value) ||
		    value > INT32_MAX || value < INT32_MIN)
			break;
		setting->ratio[setting->nr_ratios++] = (int32_t)value;
	}
	if (!word && setting->nr_ratios > 0)
		return SETTING_GOOD;
	why_set(why,
		"'%s' will not do: lowmem_reserve_ratio takes up to 5 numbers, for the zones DMA, "
		"DMA32, Normal, HighMem and Movable",
		text);
	return SETTING_BAD_VALUE;
}

static enum setting_fault order_parse(struct setting *setting, const char *text,
				      struct qr_error_text *why)
{
	if (*text && strchr("dDnN", *text) && strlen(text) < sizeof(setting->word)) {
		snprintf(setting->word, sizeof(setting->word), "%s", text);
		return SETTING_GOOD;
	}
	why_set(why, "'%s' will not do: numa_zonelist_order takes Node or Default", text);
	return SETTING_BAD_VALUE;
}

enum setting_fault setting_parse(struct setting *setting, const char *name, const char *value,
				 struct qr_error_text *why)
{
	const struct qr_tunable_info *info;

	memset(setting, 0, sizeof(*setting));
	setting->which = qr_tunable_find(name);
	if (setting->which == QR_NR_TUNABLES)
		return name_unknown(name, why);
	info = qr_tunable_info(setting->which);
	if (!info->writable) {
		why_set(why, "%s cannot be set", name);
		return SETTING_BAD_NAME;
	}
	if (info->scalar)
		return scalar_parse(setting, info, value, why);
	if (setting->which == QR_TUNE_LOWMEM_RESERVE_RATIO)
		return ratios_parse(setting, value, why);
	return order_parse(setting, value, why);
}

int setting_apply(const struct setting *setting, struct quire *q, struct qr_error_text *why)
{
	char value[96];
	int error;

	if (setting->which == QR_TUNE_LOWMEM_RESERVE_RATIO)
		error = qr_lowmem_reserve_ratio_set(q, setting->ratio, setting->nr_ratios);
	else if (setting->which == QR_TUNE_NUMA_ZONELIST_ORDER)
		error = qr_numa_zonelist_order_set(q, setting->word);
	else
		error = qr_tunable_set(q, setting->which, setting->value);
	if (error < 0) {
		setting_format(setting, value, sizeof(value));
		why_set(why, "%s cannot be set to %s: %s", qr_tunable_info(setting->which)->name,
			value, qr_strerror(error));
	}
	return error;
}

void setting_format(const struct setting *setting, char *buf, size_t size)
{
	size_t used = 0;

	if (setting->which == QR_TUNE_NUMA_ZONELIST_ORDER) {
		snprintf(buf, size, "%s", setting->word);
		return;
	}
	if (setting->which != QR_TUNE_LOWMEM_RESERVE_RATIO) {
		snprintf(buf, size, "%" PRId64, setting->value);
		return;
	}
	buf[0] = '\0';
	for (unsigned i = 0; i < setting->nr_ratios && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%d", i ? " " : "",
					 setting->ratio[i]);
}

bool setting_current(struct quire *q, enum qr_tunable which, struct setting *setting)
{
	memset(setting, 0, sizeof(*setting));
	setting->which = which;
	if (which == QR_TUNE_LOWMEM_RESERVE_RATIO) {
		setting->nr_ratios = SETTING_NR_RATIOS;
		return qr_lowmem_reserve_ratio_get(q, setting->ratio) >= 0;
	}
	if (which == QR_TUNE_NUMA_ZONELIST_ORDER) {
		snprintf(setting->word, sizeof(setting->word), "%s", qr_numa_zonelist_order_get(q));
		return true;
	}
	return qr_tunable_get(q, which, &setting->value) >= 0;
}

/* Lists ------------------------------------------------------------------------------------ */

bool setting_list_add(struct setting_list *list, const struct setting *setting)
{
	size_t nr = list->nr + 1;
	struct setting *settings = realloc(list->settings, nr * sizeof(*settings));

	if (!settings)
		return false;
	settings[nr - 1] = *setting;
	list->settings = settings;
	list->nr = (unsigned)nr;
	return true;
}

bool setting_list_append(struct setting_list *list, const struct setting_list *more)
{
	for (unsigned i = 0; i < more->nr; i++) {
		if (!setting_list_add(list, &more->settings[i]))
			return false;
	}
	return true;
}

void setting_list_free(struct setting_list *list)
{
	free(list->settings);
	*list = (struct setting_list){NULL, 0};
}

bool setting_list_take(const struct cli *cli, struct setting_list *list, const char *text)
{
	struct setting setting;
	struct qr_error_text why;
	size_t length = strcspn(text, "=");
	char name[64];

	if (text[length] != '=')
		return cli_error(cli, "'%s' is not TUNABLE=VALUE", text);
	snprintf(name, sizeof(name), "%.*s", (int)length, text);
	if (setting_parse(&setting, name, text + length + 1, &why) != SETTING_GOOD)
		return cli_error(cli, "%s", why.text);
	return setting_list_add(list, &setting) || cli_error(cli, "no memory");
}
