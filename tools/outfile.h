/* SPDX-License-Identifier: MIT */
/*
 * outfile.h - files that are there whole, or not at all
 *
 * What is written goes to a file without a name, or with a temporary one where the file system
 * knows no others, which gets its own name when all of it is there.  So a full disk or an
 * interruption never leaves half a file under the final name, nor destroys what stood there.
 *
 * Each function that can fail returns 0 or a negative errno, with a sentence in why.  After a
 * failure nothing is left to write to; outfile_abort() cleans up, and is harmless at any time.
 */
#ifndef QUIRE_TOOLS_OUTFILE_H
#define QUIRE_TOOLS_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

struct outfile {
	char *path, *temporary;
	int fd; /* valid while .temporary is set */
	bool nameless, overwrite;
};

/* Only a regular file can be replaced, and only where overwrite is set (else: -EEXIST). */
int outfile_open(struct outfile *o, const char *path, bool overwrite, char why[256]);
int outfile_write(struct outfile *o, const void *data, size_t size, char why[256]);
/* All of it is there: give the file its name. */
int outfile_publish(struct outfile *o, char why[256]);
/* Give up, leaving nothing behind. */
void outfile_abort(struct outfile *o);

#endif /* QUIRE_TOOLS_OUTFILE_H */
