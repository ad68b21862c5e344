/* SPDX-License-Identifier: MIT */
/*
 * quire.c - the program: finds the verb and runs it
 */
#include <locale.h>
#include <quire/quire.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "text.h"
#include "verbs.h"

static const struct verb *const verbs[] = {
	&verb_record, &verb_import, &verb_info,   &verb_replay,
	&verb_sweep,  &verb_show,   &verb_stress, &verb_tunables,
};

enum { NR_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct verb *verb_find(const char *name)
{
	for (unsigned i = 0; i < NR_VERBS; i++) {
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	}
	return NULL;
}

static void verbs_list(FILE *out)
{
	fprintf(out, "Usage: quire VERB [ARGUMENT...]\n\nVerbs:\n");
	for (unsigned i = 0; i < NR_VERBS; i++)
		fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(out, "  %-10s %s\n", "help",
		"help VERB: how a verb is used; help machine: the format of machine files");
	fprintf(out,
		"\nquire --version prints the version.  Every verb knows --help, and --json for\n"
		"programs.  Exit status: 0 all is well, 1 the job failed or found a problem,\n"
		"2 wrong usage, 3 bad input file, 4 the host lacks something, 130 interrupted.\n");
}

static int verb_unknown(const char *name)
{
	const struct cli cli = {0};
	const char *names[NR_VERBS + 2], *nearest;

	for (unsigned i = 0; i < NR_VERBS; i++)
		names[i] = verbs[i]->name;
	names[NR_VERBS] = "help";
	names[NR_VERBS + 1] = NULL;
	nearest = text_nearest(name, names);
	if (nearest)
		cli_error(&cli, "there is no verb '%s'; did you mean '%s'?", name, nearest);
	else
		cli_error(&cli, "there is no verb '%s'; 'quire help' lists them", name);
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc == 0 || strcmp(argv[0], "--help") == 0) {
		verbs_list(stdout);
		return EXIT_GOOD;
	}
	if (strcmp(argv[0], "machine") == 0) {
		machine_help();
		return EXIT_GOOD;
	}
	verb = verb_find(argv[0]);
	if (!verb)
		return verb_unknown(argv[0]);
	cli_help(verb);
	return EXIT_GOOD;
}

static int version(void)
{
	printf("quire %s\n", QUIRE_VERSION);
	if (strcmp(qr_version(), QUIRE_VERSION) == 0)
		return EXIT_GOOD;
	fprintf(stderr, "quire: the library is version %s\n", qr_version());
	return EXIT_FAILED;
}

static int dispatch(int argc, char **argv)
{
	struct cli cli = {.argc = argc - 2, .argv = argv + 2};

	if (argc < 2) {
		verbs_list(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(0, NULL);
	if (strcmp(argv[1], "help") == 0)
		return help(argc - 2, argv + 2);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return version();
	cli.verb = verb_find(argv[1]);
	if (!cli.verb)
		return verb_unknown(argv[1]);
	return cli.verb->run(&cli);
}

/* Whatever a verb printed: it counts only if it came through. */
static int output_check(const char *verb, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "quire %s: the output could not be written\n", verb);
	return code == EXIT_GOOD ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
	/* Only for what the terminal can show: numbers are the same everywhere. */
	setlocale(LC_CTYPE, "");
	return output_check(argc > 1 ? argv[1] : "", dispatch(argc, argv));
}
