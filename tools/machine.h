/* SPDX-License-Identifier: MIT */
/*
 * machine.h - descriptions of machines: read, written, and made into instances
 *
 * A description is a text file of one statement a line; quire-machine(5) is its manual, and
 * `quire help machine` its short form.  Without a file, the machine is this host: as much memory
 * and as many CPUs.
 */
#ifndef QUIRE_TOOLS_MACHINE_H
#define QUIRE_TOOLS_MACHINE_H

#include <quire/linux.h>
#include <stdio.h>

#include "settings.h"

struct machine {
	char name[256]; /* the file, or "this host" */
	struct qr_config config; /* points into what follows */
	struct qr_range *ranges;
	int *cpu_node;
	uint8_t *distance;
	struct setting_list settings;
	char engine[32];
};

/* "FILE:LINE:COLUMN: what is wrong". */
struct machine_error {
	char text[640];
};

/*
 * Each returns an exit code: EXIT_GOOD, or EXIT_INPUT or EXIT_LACKING with a sentence in *error.
 * machine_free() may be called in either case.
 */
int machine_read(struct machine *machine, const char *path, struct machine_error *error);
int machine_of_host(struct machine *machine, struct machine_error *error);
/* One range of memory of this size, from 0 on, and this host's CPUs. */
int machine_of_size(struct machine *machine, uint64_t bytes, struct machine_error *error);
void machine_free(struct machine *machine);

/*
 * Make an instance of the machine, with its tunables set.  How says all but the machine itself.
 * Returns an exit code, as above.
 */
int machine_open(const struct machine *machine, const struct qr_linux_config *how,
		 struct qr_linux_pool **pool, struct machine_error *error);

/* The description as text that machine_read() takes. */
void machine_write(const struct machine *machine, FILE *out);

uint64_t machine_ram(const struct machine *machine); /* bytes */
qr_pfn_t machine_end_pfn(const struct machine *machine);

/* The words of `option` statements with their bits; the last has no name. */
struct machine_option {
	const char *name;
	uint32_t bit;
	const char *help;
};
extern const struct machine_option machine_options[];

/* The format in short, for `quire help machine`. */
void machine_help(void);

#endif /* QUIRE_TOOLS_MACHINE_H */
