/* SPDX-License-Identifier: MIT */
/*
 * settings.h - tunables by name and value, as --set and machine files give them
 */
#ifndef QUIRE_TOOLS_SETTINGS_H
#define QUIRE_TOOLS_SETTINGS_H

#include <quire/quire.h>

enum { SETTING_NR_RATIOS = 5 };

struct setting {
	enum qr_tunable which;
	int64_t value; /* of a scalar */
	int32_t ratio[SETTING_NR_RATIOS]; /* lowmem_reserve_ratio */
	unsigned nr_ratios;
	char word[16]; /* numa_zonelist_order */
};

/* Settings in the order they were given. */
struct setting_list {
	struct setting *settings;
	unsigned nr;
};

struct cli;

enum setting_fault { SETTING_GOOD, SETTING_BAD_NAME, SETTING_BAD_VALUE };

/* Which of the two is wrong, with a sentence in *why. */
enum setting_fault setting_parse(struct setting *setting, const char *name, const char *value,
				 struct qr_error_text *why);

/* 0, or a negative error with a sentence in *why. */
int setting_apply(const struct setting *setting, struct quire *q, struct qr_error_text *why);

/* The value as it would be written in a machine file, and what a tunable's is now. */
void setting_format(const struct setting *setting, char *buf, size_t size);
/* False: it can only be written. */
bool setting_current(struct quire *q, enum qr_tunable which, struct setting *setting);

/* False: no memory. */
bool setting_list_add(struct setting_list *list, const struct setting *setting);
bool setting_list_append(struct setting_list *list, const struct setting_list *more);
void setting_list_free(struct setting_list *list);
/* The value of an option --set: TUNABLE=VALUE.  Says by itself what is wrong; false then. */
bool setting_list_take(const struct cli *cli, struct setting_list *list, const char *text);

#endif /* QUIRE_TOOLS_SETTINGS_H */
