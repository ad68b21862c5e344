/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - one recording, replayed with many values of one tunable
 */
#include "sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

/* Values ----------------------------------------------------------------------------------- */

bool sweep_is_range(const char *setting)
{
	const char *value = strchr(setting, '=');

	return value && (strstr(value, "..") || strchr(value, ','));
}

static bool add(const struct cli *cli, struct sweep_values *values, int64_t value)
{
	const char *name = qr_tunable_info(values->tunable)->name;
	struct setting setting;
	struct qr_error_text why;
	char text[24];

	if (values->nr == SWEEP_MAX_VALUES)
		return cli_error(cli, "at most %d values of %s", SWEEP_MAX_VALUES, name);
	snprintf(text, sizeof(text), "%" PRId64, value);
	if (setting_parse(&setting, name, text, &why) != SETTING_GOOD)
		return cli_error(cli, "%s", why.text);
	values->value[values->nr++] = value;
	return true;
}

static bool number(const struct cli *cli, const char *text, int64_t *value)
{
	/* nothing that is tuned comes near the ends, and so nothing here can overflow */
	if (text_to_signed(text, value) && *value >= INT32_MIN && *value <= INT32_MAX)
		return true;
	return cli_error(cli, "'%s' is not a number that a tunable can have", text);
}

static bool take_list(const struct cli *cli, struct sweep_values *values, char *text)
{
	char *rest = text, *one;

	while ((one = strsep(&rest, ",")) != NULL) {
		int64_t value;

		if (!number(cli, one, &value) || !add(cli, values, value))
			return false;
	}
	return true;
}

/* Without a step: so many values, as evenly as they come. */
static bool take_spread(const struct cli *cli, struct sweep_values *values, int64_t from,
			int64_t to)
{
	int64_t last = from - 1;

	for (int i = 0; i < SWEEP_SPREAD; i++) {
		int64_t value = from + (to - from) * i / (SWEEP_SPREAD - 1);

		if (value != last && !add(cli, values, value))
			return false;
		last = value;
	}
	return true;
}

static bool take_steps(const struct cli *cli, struct sweep_values *values, int64_t from, int64_t to,
		       const char *step)
{
	int64_t by = 0;
	double factor = 0;
	char *end;

	if (*step == 'x') {
		factor = strtod(step + 1, &end);
		if (end == step + 1 || *end || !(factor > 1) || factor > 1e6)
			return cli_error(cli, "'%s' is not a factor above 1, such as x2", step);
	} else if (!text_to_signed(step, &by) || by < 1 || by > INT32_MAX) {
		return cli_error(cli, "'%s' is not a step such as 10, nor a factor such as x2",
				 step);
	}
	for (int64_t value = from, next; value <= to; value = next) {
		if (!add(cli, values, value))
			return false;
		next = by ? value + by : (int64_t)((double)value * factor + 0.5);
		if (next <= value)
			next = value + 1;
	}
	return true;
}

static bool take_range(const struct cli *cli, struct sweep_values *values, char *text)
{
	char *dots = strstr(text, ".."), *to = dots + 2, *step = strchr(to, ':');
	int64_t first, last;

	*dots = '\0';
	if (step)
		*step++ = '\0';
	if (!number(cli, text, &first) || !number(cli, to, &last))
		return false;
	if (first > last)
		return cli_error(cli, "%s..%s runs backwards", text, to);
	return step ? take_steps(cli, values, first, last, step)
		    : take_spread(cli, values, first, last);
}

bool sweep_take(const struct cli *cli, struct sweep_values *values, const char *setting)
{
	const char *equals = strchr(setting, '=');
	struct setting probe;
	struct qr_error_text why;
	char name[64], copy[2048];

	snprintf(name, sizeof(name), "%.*s", (int)(equals - setting), setting);
	if (strlen(equals) >= sizeof(copy))
		return cli_error(cli, "more than %zu characters", sizeof(copy));
	if (setting_parse(&probe, name, "", &why) == SETTING_BAD_NAME)
		return cli_error(cli, "%s", why.text);
	if (!run_tunable_usable(cli, probe.which))
		return false;
	values->tunable = probe.which;
	values->nr = 0;
	snprintf(copy, sizeof(copy), "%s", equals + 1);
	return strstr(copy, "..") ? take_range(cli, values, copy) : take_list(cli, values, copy);
}

/* Replays ---------------------------------------------------------------------------------- */

/* What all threads share; rows are handed out by number. */
struct crew {
	struct sweep *sweep;
	atomic_uint next, nr_done, nr_running;
	atomic_uint_fast64_t nr_events; /* of all rows */
	atomic_bool stop;
	pthread_mutex_t lock; /* of what failed first */
	int error;
};

struct worker {
	struct crew *crew;
	struct qtrace trace;
	struct replay_machine machine; /* the shared one, with this reader */
	pthread_t thread;
	uint64_t told; /* events of this row that are in nr_events */
};

static bool on_progress(void *arg, uint64_t done, uint64_t all)
{
	struct worker *w = arg;

	(void)all;
	atomic_fetch_add(&w->crew->nr_events, done - w->told);
	w->told = done;
	return !atomic_load(&w->crew->stop);
}

static void crew_fails(struct crew *crew, int error, const char *why)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->error) {
		crew->error = error;
		snprintf(crew->sweep->why, sizeof(crew->sweep->why), "%s", why);
	}
	pthread_mutex_unlock(&crew->lock);
	atomic_store(&crew->stop, true);
}

static void play_row(struct worker *w, struct sweep_row *row)
{
	struct replay_config config = run_config(&row->run);
	int error;

	config.progress = on_progress;
	config.progress_arg = w;
	w->told = 0;
	error = replay_run(&w->machine, &config, &row->result);
	if (error)
		crew_fails(w->crew, error, row->result.why);
	row->done = !error && !row->result.interrupted;
	replay_result_free_maps(&row->result);
	if (row->done) {
		atomic_fetch_add(&w->crew->nr_events, row->result.nr_events - w->told);
		atomic_fetch_add(&w->crew->nr_done, 1);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sweep *sweep = w->crew->sweep;
	int error = qtrace_open(sweep->path, &w->trace);

	w->machine = *sweep->m;
	w->machine.trace = &w->trace;
	if (error)
		crew_fails(w->crew, error, w->trace.why);
	while (!atomic_load(&w->crew->stop)) {
		unsigned next = atomic_fetch_add(&w->crew->next, 1);

		if (next >= sweep->nr_rows)
			break;
		play_row(w, &sweep->rows[next]);
	}
	qtrace_close(&w->trace);
	atomic_fetch_sub(&w->crew->nr_running, 1);
	return NULL;
}

/* Until all threads have ended: ask whether to stop, and say how far it is. */
static void watch(struct crew *crew, struct progress *progress)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct sweep *sweep = crew->sweep;
	double all = (double)sweep->m->trace->totals.nr_events * sweep->nr_rows;

	while (atomic_load(&crew->nr_running)) {
		nanosleep(&pause, NULL);
		if (sweep->stop())
			atomic_store(&crew->stop, true);
		if (progress_due(progress, term_clock()))
			progress_show(progress, "%u of %u replays, %.0f %% of all events",
				      atomic_load(&crew->nr_done), sweep->nr_rows,
				      all > 0 ? (double)atomic_load(&crew->nr_events) * 100 / all
					      : 0.0);
	}
	progress_clear(progress);
}

int sweep_run(struct sweep *sweep, struct progress *progress)
{
	struct crew crew = {.sweep = sweep, .lock = PTHREAD_MUTEX_INITIALIZER};
	unsigned nr = sweep->nr_jobs < sweep->nr_rows ? sweep->nr_jobs : sweep->nr_rows;
	struct worker *workers = calloc(nr, sizeof(*workers));
	unsigned nr_started = 0;

	if (!workers) {
		snprintf(sweep->why, sizeof(sweep->why), "no memory for %u replays at once", nr);
		return -ENOMEM;
	}
	for (; nr_started < nr; nr_started++) {
		workers[nr_started].crew = &crew;
		atomic_fetch_add(&crew.nr_running, 1);
		if (pthread_create(&workers[nr_started].thread, NULL, work, &workers[nr_started]) ==
		    0)
			continue;
		atomic_fetch_sub(&crew.nr_running, 1);
		break;
	}
	if (!nr_started)
		crew_fails(&crew, -EAGAIN, "no thread can be started");
	watch(&crew, progress);
	for (unsigned i = 0; i < nr_started; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
	return crew.error;
}

void sweep_free(struct sweep *sweep)
{
	for (unsigned i = 0; i < sweep->nr_rows; i++)
		replay_result_free(&sweep->rows[i].result);
	free(sweep->rows);
	sweep->rows = NULL;
	sweep->nr_rows = 0;
}
