/* SPDX-License-Identifier: MIT */
/*
 * cli.h - verbs, their options, and one manner of saying that something is wrong
 *
 * A verb is a row: what it is called, what it takes, what it does.  The row is at once the parser's
 * table and the source of --help, so the two cannot disagree.  Everything that is wrong with the
 * arguments is said in one line on stderr that names the verb, the option and what is allowed:
 *
 *	quire stress: --threads: 'x' is not a number between 1 and 1024
 */
#ifndef QUIRE_TOOLS_CLI_H
#define QUIRE_TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program says to whoever started it. */
enum exit_code {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1, /* the job failed, or found what it was looking for */
	EXIT_USAGE = 2, /* the arguments make no sense */
	EXIT_INPUT = 3, /* a file that was given is not right */
	EXIT_LACKING = 4, /* the host lacks something: permission, memory, a kernel feature */
	EXIT_INTERRUPTED = 130 /* ended early by Ctrl-C */
};

struct cli;

/* Take an option's value (NULL: a flag) or an operand; false: it was wrong, and that was said. */
typedef bool cli_take(struct cli *cli, void *into, const char *value);

struct cli_option {
	const char *name; /* without the dashes; NULL ends a table */
	const char *value; /* what stands for the value in help texts; NULL: a flag */
	cli_take *take;
	const char *help; /* lines separated by newlines */
};

struct verb {
	const char *name;
	const char *summary; /* what it does, for the list of verbs */
	const char *operands; /* "[MACHINE-FILE]"; NULL: none are taken */
	const char *description; /* paragraphs for --help */
	const char *examples; /* lines for --help */
	const struct cli_option *options;
	cli_take *operand; /* NULL: none are taken */
	int (*run)(struct cli *cli);
};

/* One command line under way. */
struct cli {
	const struct verb *verb;
	int argc; /* of what follows the verb */
	char **argv;
	const char *option; /* the option whose value is being taken, or NULL */
	unsigned nr_operands; /* taken so far */
};

/*
 * Hand each option and operand to its function, with into.  Returns -1 when all was well, or the
 * code to exit with: EXIT_USAGE when something was wrong, EXIT_GOOD when --help was printed.
 */
int cli_parse(struct cli *cli, void *into);

/* Say what is wrong, after the name of the verb and of the option at hand.  Returns false. */
bool cli_error(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* What is wrong with a file; its name goes in front where the sentence does not begin with it. */
bool cli_error_in(const struct cli *cli, const char *path, const char *why);

/* The usage and help of a verb on stdout, as --help and `quire help` print it. */
void cli_help(const struct verb *verb);

/* Values; each says what is wrong by itself and returns false. */
bool cli_number(const struct cli *cli, const char *text, uint64_t min, uint64_t max,
		uint64_t *value);
bool cli_size(const struct cli *cli, const char *text, uint64_t min, uint64_t max, uint64_t *bytes);
bool cli_seconds(const struct cli *cli, const char *text, double max, double *seconds);
/* "3" or "0-9"; both ends included. */
bool cli_span(const struct cli *cli, const char *text, uint64_t min, uint64_t max, uint64_t *first,
	      uint64_t *last);
/* One of a list of words that ends with NULL; its place in the list. */
bool cli_word(const struct cli *cli, const char *text, const char *const *words, unsigned *index);

#endif /* QUIRE_TOOLS_CLI_H */
