/* SPDX-License-Identifier: MIT */
/*
 * misuse.h - one program for each misuse
 *
 * A program says how to get ready, how to misuse the instance, and the one line that must be logged
 * for it.  The run, on each engine, then holds it to this:
 *
 *	the line is logged, word for word, and no other is
 *	nothing changed: all text views read as before, each page is what it was
 *	qr_check() finds nothing, before and after
 *	the instance works: it can be used up and emptied
 *
 * <pfn> in the line stands for the pfn of misuse_page, <ptr> for misuse_pointer.
 */
#ifndef TESTS_MISUSE_H
#define TESTS_MISUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/inspect.h>
#include <quire/quire.h>

/* Frames 0..63 are reserved, then RAM; behind it a hole to the end of the section. */
#define MISUSE_RESERVED 64
#define MISUSE_PAGES 8192
#define MISUSE_HOLE (MISUSE_PAGES + 5)

struct misuse {
	const char *line;
	/* From the bitmap engine, which keeps no records of free blocks; NULL: the same. */
	const char *line_bitmap;
	void (*prepare)(struct quire *q); /* may be NULL */
	void (*commit)(struct quire *q);
	uint32_t options;
	bool no_bytes; /* a platform without page_address */
};

/* The page and the pointer that the line names. */
extern struct qr_page *misuse_page;
extern const void *misuse_pointer;

int misuse_run(const struct misuse *misuse);
/* Another instance, to take something foreign from. */
struct quire *misuse_other(void);

/* The record of any frame, there or not; and that of the n-th page behind one. */
struct qr_page *misuse_record(struct quire *q, qr_pfn_t pfn);
struct qr_page *misuse_behind(struct quire *q, struct qr_page *page, unsigned n);

/* Stop with a message unless it is so. */
void misuse_expect(bool so, const char *what);

#define MISUSE(...) \
	int main(void) \
	{ \
		return misuse_run(&(const struct misuse){__VA_ARGS__}); \
	}

#endif /* TESTS_MISUSE_H */
