/* SPDX-License-Identifier: MIT */
/*
 * picture/measures.h - what is measured of each replay of a sweep
 *
 * Figures, the table and the script's data are all made of this one list.
 */
#ifndef QUIRE_PICTURE_MEASURES_H
#define QUIRE_PICTURE_MEASURES_H

#include "draw.h"

enum measure_kind { MEASURE_COUNT, MEASURE_PAGES, MEASURE_SHARE };

struct sweep_measure {
	const char *name; /* how the page's script calls it */
	const char *title; /* @ stands for the size of a pageblock */
	enum measure_kind kind;
	double (*of)(const struct replay_result *r); /* pages are in bytes, a share in percent */
	/* The machine's own; NULL: it has none, or none was recorded. */
	double (*machine)(const struct replay_result *r);
	bool at_end; /* the machine's own is that of its end */
};

/* The first is the one that a sweep is about. */
extern const struct sweep_measure sweep_measures[];
extern const unsigned nr_sweep_measures;

struct label measure_title(const struct sweep_measure *m);
struct label measure_text(const struct sweep_measure *m, double value);
bool measure_of_machine(const struct sweep_measure *m, const struct picture *p, double *value);

/* value 0: as recorded; 1 and more: with that of the sweep's values. */
const struct replay_result *sweep_result(const struct picture *p, unsigned engine, unsigned value);

#endif /* QUIRE_PICTURE_MEASURES_H */
