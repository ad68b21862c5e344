/* SPDX-License-Identifier: MIT */
/*
 * cli.c - verbs, their options, and one manner of saying that something is wrong
 */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

bool cli_error(const struct cli *cli, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "quire%s%s: ", cli->verb ? " " : "", cli->verb ? cli->verb->name : "");
	if (cli->option)
		fprintf(stderr, "--%s: ", cli->option);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

bool cli_error_in(const struct cli *cli, const char *path, const char *why)
{
	size_t length = strlen(path);

	if (strncmp(why, path, length) == 0 && why[length] == ':')
		return cli_error(cli, "%s", why);
	return cli_error(cli, "%s: %s", path, why);
}

/* Help ------------------------------------------------------------------------------------- */

enum { HELP_COLUMN = 25 };

/* An option's name and value, then its help text in a column of its own. */
static void option_print(const char *name, const char *value, const char *help)
{
	int width = printf("  --%s%s%s", name, value ? " " : "", value ? value : "");
	const char *end;

	if (width > HELP_COLUMN - 2) {
		putchar('\n');
		width = 0;
	}
	for (; (end = strchr(help, '\n')) != NULL; help = end + 1) {
		printf("%*s%.*s\n", HELP_COLUMN - width, "", (int)(end - help), help);
		width = 0;
	}
	printf("%*s%s\n", HELP_COLUMN - width, "", help);
}

void cli_help(const struct verb *verb)
{
	printf("Usage: quire %s [OPTION...]%s%s\n\n%s\n", verb->name, verb->operands ? " " : "",
	       verb->operands ? verb->operands : "", verb->description);
	printf("\nOptions:\n");
	for (const struct cli_option *option = verb->options; option->name; option++)
		option_print(option->name, option->value, option->help);
	option_print("help", NULL, "print this text");
	if (verb->examples)
		printf("\nExamples:\n%s\n", verb->examples);
	printf("\nExit status: 0 all is well, 1 the job failed or found a problem, 2 wrong usage,\n"
	       "3 a bad input file, 4 the host lacks something, 130 interrupted.\n"
	       "The manual page quire-%s(1) says more.\n",
	       verb->name);
}

/* Options and operands --------------------------------------------------------------------- */

enum { MAX_OPTIONS = 64 };

static bool option_unknown(struct cli *cli, const char *name, size_t length)
{
	const char *names[MAX_OPTIONS + 2];
	char given[64];
	const char *nearest;
	unsigned nr = 0;

	for (const struct cli_option *o = cli->verb->options; o->name && nr < MAX_OPTIONS; o++)
		names[nr++] = o->name;
	names[nr++] = "help";
	names[nr] = NULL;
	snprintf(given, sizeof(given), "%.*s", (int)length, name);
	nearest = text_nearest(given, names);
	if (nearest)
		return cli_error(cli, "there is no option --%s; did you mean --%s?", given,
				 nearest);
	return cli_error(cli, "there is no option --%s; 'quire help %s' lists them", given,
			 cli->verb->name);
}

static const struct cli_option *option_find(const struct verb *verb, const char *name,
					    size_t length)
{
	for (const struct cli_option *o = verb->options; o->name; o++) {
		if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	}
	return NULL;
}

/* "-o" is the one option that begins with an o; NULL: there is none, or there are several. */
static const struct cli_option *option_of_letter(const struct verb *verb, const char *word)
{
	const struct cli_option *found = NULL;

	if (word[0] != '-' || !word[1] || word[2])
		return NULL;
	for (const struct cli_option *o = verb->options; o->name; o++) {
		if (o->name[0] != word[1])
			continue;
		if (found)
			return NULL;
		found = o;
	}
	return found;
}

/* Take an option, and the word behind it if it wants a value and has none yet. */
static bool option_take(struct cli *cli, void *into, const struct cli_option *option,
			const char *value, int *at)
{
	bool good;

	cli->option = option->name;
	if (!option->value && value)
		return cli_error(cli, "takes no value, and '%s' was given", value);
	if (option->value && !value) {
		if (*at + 1 >= cli->argc)
			return cli_error(cli, "wants a value: --%s %s", option->name,
					 option->value);
		value = cli->argv[++*at];
	}
	good = option->take(cli, into, value);
	cli->option = NULL;
	return good;
}

/* "--name", "--name=value" at argv[*at]. */
static bool long_option_take(struct cli *cli, void *into, int *at)
{
	const char *name = cli->argv[*at] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct cli_option *option = option_find(cli->verb, name, length);

	if (!option)
		return option_unknown(cli, name, length);
	return option_take(cli, into, option, value, at);
}

static bool operand_take(struct cli *cli, void *into, const char *operand)
{
	if (!cli->verb->operand)
		return cli_error(cli, "'%s' is too much: there are only options here", operand);
	if (!cli->verb->operand(cli, into, operand))
		return false;
	cli->nr_operands++;
	return true;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int cli_parse(struct cli *cli, void *into)
{
	bool only_operands = false;

	for (int at = 0; at < cli->argc; at++) {
		const char *word = cli->argv[at];
		bool good;

		if (!only_operands && is_help(word)) {
			cli_help(cli->verb);
			return EXIT_GOOD;
		}
		if (!only_operands && strcmp(word, "--") == 0) {
			only_operands = true;
			continue;
		}
		if (only_operands || word[0] != '-' || word[1] == '\0')
			good = operand_take(cli, into, word);
		else if (word[1] == '-')
			good = long_option_take(cli, into, &at);
		else if (option_of_letter(cli->verb, word))
			good = option_take(cli, into, option_of_letter(cli->verb, word), NULL, &at);
		else
			good = cli_error(cli, "'%s': options are written out, with two dashes",
					 word);
		if (!good)
			return EXIT_USAGE;
	}
	return -1;
}

/* Values ----------------------------------------------------------------------------------- */

bool cli_number(const struct cli *cli, const char *text, uint64_t min, uint64_t max,
		uint64_t *value)
{
	if (text_to_number(text, value) && *value >= min && *value <= max)
		return true;
	if (max == UINT64_MAX)
		return cli_error(cli, "'%s' is not a number from %llu up", text,
				 (unsigned long long)min);
	return cli_error(cli, "'%s' is not a number between %llu and %llu", text,
			 (unsigned long long)min, (unsigned long long)max);
}

bool cli_size(const struct cli *cli, const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	if (!text_to_size(text, bytes))
		return cli_error(cli, "'%s' is not a size such as 512M or 24GiB", text);
	if (*bytes >= min && *bytes <= max)
		return true;
	return cli_error(cli, "'%s' is not a size between %s and %s", text, text_size(min).text,
			 text_size(max).text);
}

bool cli_seconds(const struct cli *cli, const char *text, double max, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	if (end != text && (*end == '\0' || strcmp(end, "s") == 0) && isfinite(*seconds) &&
	    *seconds > 0 && *seconds <= max)
		return true;
	return cli_error(cli, "'%s' is not a number of seconds above 0, up to %.0f", text, max);
}

bool cli_span(const struct cli *cli, const char *text, uint64_t min, uint64_t max, uint64_t *first,
	      uint64_t *last)
{
	const char *dash = strchr(text, '-');
	char head[24];

	snprintf(head, sizeof(head), "%.*s", dash ? (int)(dash - text) : (int)strlen(text), text);
	if (text_to_number(head, first) && text_to_number(dash ? dash + 1 : head, last) &&
	    *first >= min && *last <= max && *first <= *last)
		return true;
	return cli_error(cli, "'%s' is not a span between %llu and %llu, such as %llu-%llu or %llu",
			 text, (unsigned long long)min, (unsigned long long)max,
			 (unsigned long long)min, (unsigned long long)max, (unsigned long long)min);
}

bool cli_word(const struct cli *cli, const char *text, const char *const *words, unsigned *index)
{
	char list[256] = "";

	for (unsigned i = 0; words[i]; i++) {
		size_t used = strlen(list);

		if (strcmp(text, words[i]) == 0) {
			*index = i;
			return true;
		}
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
	}
	return cli_error(cli, "'%s' is not one of: %s", text, list);
}
