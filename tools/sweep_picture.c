/* SPDX-License-Identifier: MIT */
/*
 * sweep_picture.c - a sweep as a picture
 */
#include "sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/*
 * Of one engine's rows (as recorded, then the values) the one for curve c of nr: as recorded, the
 * first value, the last, and others as evenly as they come between them.
 */
static unsigned row_of_curve(unsigned c, unsigned nr, unsigned nr_rows)
{
	if (c < 2 || nr >= nr_rows)
		return c;
	return 1 + (c - 1) * (nr_rows - 2) / (nr - 2);
}

static void curve_name(struct replay_result *curve, const struct sweep_row *row, bool engines)
{
	char value[24] = "as recorded";

	if (row->has_value)
		snprintf(value, sizeof(value), "%" PRId64, row->value);
	snprintf(curve->label, sizeof(curve->label), "%s%s%s", engines ? row->run.engine : "",
		 engines ? ", " : "", value);
}

/* The rows whose course over time is shown: copies that own nothing.  Returns how many. */
static unsigned curves_choose(const struct sweep *sweep, unsigned nr_engines,
			      struct replay_result curves[PICTURE_CURVES])
{
	unsigned nr_rows = sweep->nr_rows / nr_engines, each = PICTURE_CURVES / nr_engines, nr = 0;

	each = each < nr_rows ? each : nr_rows;
	for (unsigned e = 0; e < nr_engines; e++) {
		for (unsigned c = 0; c < each; c++) {
			const struct sweep_row *row =
				&sweep->rows[e * nr_rows + row_of_curve(c, each, nr_rows)];

			curves[nr] = row->result;
			curve_name(&curves[nr++], row, nr_engines > 1);
		}
	}
	return nr;
}

int sweep_draw(const struct sweep *sweep, const struct sweep_values *values, unsigned nr_engines,
	       struct picture_request *request, char why[256])
{
	const struct replay_result **results = calloc(sweep->nr_rows, sizeof(*results));
	struct replay_result *curves = calloc(PICTURE_CURVES, sizeof(*curves));
	struct picture_sweep swept = {
		.tunable = qr_tunable_info(values->tunable)->name,
		.values = values->value,
		.nr_values = values->nr,
		.nr_engines = nr_engines,
		.results = results,
	};
	struct picture picture = {
		.file = sweep->path, .machine = sweep->m, .runs = curves, .sweep = &swept};
	int error = -ENOMEM;

	if (results && curves) {
		for (unsigned i = 0; i < sweep->nr_rows; i++)
			results[i] = &sweep->rows[i].result;
		picture.nr_runs = curves_choose(sweep, nr_engines, curves);
		error = picture_finish(request, &picture, why);
	} else {
		snprintf(why, 256, "no memory to draw the sweep in");
	}
	free(results);
	free(curves);
	return error;
}
