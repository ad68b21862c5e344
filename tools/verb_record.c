/* SPDX-License-Identifier: MIT */
/*
 * verb_record.c - `quire record`: page traffic of this machine
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "json.h"
#include "term.h"
#include "text.h"
#include "trace/record.h"
#include "verbs.h"

enum { RECORD_VERSION = 1, MAX_WORDS = 256, POLL_MS = 50 };

struct record {
	const char *output;
	double seconds; /* 0: until the command ends, or Ctrl-C */
	uint64_t buffer;
	bool force, json, quiet;
	char *command[MAX_WORDS + 1];
	unsigned nr_words;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static bool output_take(struct cli *cli, void *into, const char *value)
{
	(void)cli;
	((struct record *)into)->output = value;
	return true;
}

static bool seconds_take(struct cli *cli, void *into, const char *value)
{
	return cli_seconds(cli, value, 1e6, &((struct record *)into)->seconds);
}

static bool buffer_take(struct cli *cli, void *into, const char *value)
{
	return cli_size(cli, value, 1 << 16, UINT64_C(1) << 34, &((struct record *)into)->buffer);
}

static bool force_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct record *)into)->force = true;
}

static bool json_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct record *)into)->json = true;
}

static bool quiet_take(struct cli *cli, void *into, const char *value)
{
	(void)cli, (void)value;
	return ((struct record *)into)->quiet = true;
}

static bool operand_take(struct cli *cli, void *into, const char *value)
{
	struct record *record = into;

	if (record->nr_words == MAX_WORDS)
		return cli_error(cli, "the command has more than %d words", MAX_WORDS);
	record->command[record->nr_words++] = (char *)(uintptr_t)value;
	return true;
}

static const struct cli_option options[] = {
	{"output", "FILE", output_take, "the .qtrace to write (also -o); default machine.qtrace"},
	{"seconds", "N", seconds_take, "record so long; without it and a command: until Ctrl-C"},
	{"buffer", "SIZE", buffer_take, "the kernel's buffer for each CPU; default 16M"},
	{"force", NULL, force_take, "replace an existing file"},
	{"json", NULL, json_take, "print JSON; quire-record(1) describes it"},
	{"quiet", NULL, quiet_take, "no progress line"},
	{NULL, NULL, NULL, NULL},
};

/* The recorded command --------------------------------------------------------------------- */

/* The child: says through the pipe why the command could not be executed. */
static void command_execute(struct record *record, int pipe_end)
{
	int error;

	signal(SIGINT, SIG_DFL);
	execvp(record->command[0], record->command);
	error = errno;
	if (write(pipe_end, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* Its pid, or a negative errno.  The pipe closes itself when the command begins. */
static pid_t command_start(struct record *record)
{
	int ends[2], error = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		command_execute(record, ends[1]);
	if (pid < 0)
		error = errno;
	close(ends[1]);
	if (pid > 0 && read(ends[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
		waitpid(pid, NULL, 0);
	close(ends[0]);
	return error ? -error : pid;
}

/* Has it ended?  Then its status is in *status. */
static bool command_ended(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

/* Recording -------------------------------------------------------------------------------- */

static int record_loop(struct recorder *r, struct record *record, int *status, char why[256])
{
	struct progress progress = progress_begin(stderr, record->quiet);
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	double start = term_clock();
	pid_t pid = record->nr_words ? command_start(record) : 0;
	uint64_t bytes = 0;
	bool ended = false;
	int error = pid < 0 ? pid : 0;

	if (error)
		snprintf(why, 256, "%s cannot be started: %s", record->command[0],
			 strerror(-error));
	while (!error && !interrupted && !ended) {
		double now;

		nanosleep(&pause, NULL);
		error = recorder_poll(r, &bytes, why);
		now = term_clock();
		ended = (pid && command_ended(pid, status)) ||
			(record->seconds > 0 && now - start >= record->seconds);
		if (progress_due(&progress, now))
			progress_show(&progress,
				      "recording: %.0f s, about %s events, %s a second, %s lost",
				      now - start, text_rounded((double)bytes / 44).text,
				      text_rounded((double)bytes / 44 / (now - start)).text,
				      text_grouped(recorder_lost(r)).text);
	}
	progress_clear(&progress);
	return error;
}

static void warn_missing(unsigned missing, const char *first)
{
	if (missing)
		fprintf(stderr,
			"quire record: warning: %u of the machine's files could not be read, "
			"the first "
			"is %s; run as root for a trace that can be replayed\n",
			missing, first);
}

static int report(const struct record *record, const struct qtrace_totals *totals,
		  const struct import_stats *stats)
{
	double seconds = (double)(totals->last_ns - totals->first_ns) / 1e9;
	json_t *document;

	if (stats->nr_lost)
		fprintf(stderr,
			"quire record: warning: %s events were lost; say --buffer with a "
			"larger size\n",
			text_grouped(stats->nr_lost).text);
	if (!record->json) {
		printf("%s: %s events in %.1f s, %s bytes\nNext: quire replay %s\n", record->output,
		       text_grouped(totals->nr_events).text, seconds,
		       text_grouped(totals->bytes).text, record->output);
		return EXIT_GOOD;
	}
	document = json_document("quire-record", RECORD_VERSION);
	json_put_text(document, "file", record->output);
	json_put_number(document, "events", totals->nr_events);
	json_put_number(document, "lost", stats->nr_lost);
	json_put_number(document, "bytes", totals->bytes);
	json_put_real(document, "seconds", seconds);
	return json_finish(document) ? EXIT_GOOD : EXIT_FAILED;
}

/* From a recorder that is ready to a file with its name. */
static int record_into(struct recorder *r, struct record *record, struct qtrace_writer *w,
		       struct import_stats *stats, int *status, char why[256])
{
	unsigned missing = 0;
	char first[96] = "";
	int error = record_state(w, QTRACE_META, &missing, first);

	if (!error)
		error = record_state(w, QTRACE_BEFORE, &missing, first);
	if (error)
		snprintf(why, 256, "%s", qtrace_writer_why(w));
	if (!error)
		error = recorder_start(r, why);
	if (!error)
		error = record_loop(r, record, status, why);
	if (!error)
		error = recorder_stop(r, why);
	if (!error) {
		error = record_state(w, QTRACE_AFTER, &missing, first);
		if (error)
			snprintf(why, 256, "%s", qtrace_writer_why(w));
	}
	if (!error)
		error = recorder_merge(r, w, stats, NULL, NULL, why);
	warn_missing(missing, first);
	return error;
}

static int record_all(struct cli *cli, struct record *record)
{
	struct qtrace_options how = {.overwrite = record->force};
	struct record_options recording = {.buffer_kb = (unsigned)(record->buffer >> 10)};
	struct import_stats stats = {0};
	struct qtrace_totals totals;
	struct qtrace_writer *w = NULL;
	struct recorder *r = NULL;
	char why[256] = "";
	int status = 0, code = EXIT_LACKING;

	if (qtrace_create(record->output, &how, &w, why) < 0 ||
	    recorder_open(&r, &recording, why) < 0 ||
	    record_into(r, record, w, &stats, &status, why) < 0) {
		cli_error(cli, "%s", why);
		if (w)
			qtrace_abort(w);
	} else if (qtrace_finish(w, &totals, why) < 0) {
		cli_error(cli, "%s", why);
	} else {
		code = report(record, &totals, &stats);
		/* without a command or a time, Ctrl-C is how it ends */
		if (code == EXIT_GOOD && interrupted && (record->nr_words || record->seconds > 0))
			code = EXIT_INTERRUPTED;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			fprintf(stderr, "quire record: note: %s ended with status %d\n",
				record->command[0], WEXITSTATUS(status));
	}
	if (r)
		recorder_close(r);
	return code;
}

static int run(struct cli *cli)
{
	struct record record = {.output = "machine.qtrace", .buffer = 16 << 20};
	struct sigaction action = {.sa_handler = on_signal};
	int code = cli_parse(cli, &record);

	if (code >= 0)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	return record_all(cli, &record);
}

const struct verb verb_record = {
	.name = "record",
	.summary = "record this machine's page traffic and its state",
	.operands = "[-- COMMAND [ARGUMENT...]]",
	.description =
		"Saves the state of this machine's memory, then its page allocation events,\n"
		"through tracefs, while COMMAND runs (or for --seconds, or until Ctrl-C), then\n"
		"the state again, all into one file for `quire replay`.  Wants root: events and\n"
		"/proc/kpageflags are not for everybody.  Ctrl-C keeps what was recorded.",
	.examples = "  quire record -o build.qtrace -- make -j8\n"
		    "  quire record -o minute.qtrace --seconds 60",
	.options = options,
	.operand = operand_take,
	.run = run,
};
