/* SPDX-License-Identifier: MIT */
/*
 * trace/import_text.c - traces as text: perf script, and ftrace's own
 *
 * Both print a line an event, in this order, with other things in between that differ from version
 * to version:
 *
 *	COMM PID [CPU] ... SECONDS.FRACTION: [SYSTEM:]EVENT: key=value key=value ...
 *
 * A comm may contain blanks and brackets, so the line is read from the one thing that cannot be
 * mistaken, "[digits]" followed by a time and an event of ours.  Fields are found by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"

#define READ_SIZE (1u << 20)
#define LINE_MAX_BYTES (1u << 16)

struct importer {
	struct qtrace_writer *w;
	struct import_stats *stats;
	/* The last gfp text and its meaning: they repeat. */
	char gfp_text[192];
	size_t gfp_length;
	qr_gfp_t gfp;
};

/* A piece of the line. */
struct span {
	const char *at, *end;
};

static bool word_is(const char *word, size_t length, const char *name)
{
	/* Not strncmp(): a damaged line may hold zeros. */
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct span skip_blanks(struct span s)
{
	while (s.at < s.end && (*s.at == ' ' || *s.at == '\t'))
		s.at++;
	return s;
}

static bool take_decimal(struct span *s, uint64_t *value)
{
	const char *start = s->at;
	uint64_t v = 0;

	while (s->at < s->end && is_digit(*s->at) && s->at - start < 19)
		v = v * 10 + (uint64_t)(*s->at++ - '0');
	*value = v;
	return s->at > start;
}

/* "3217.938539" as nanoseconds, whatever the number of digits. */
static bool take_time(struct span *s, uint64_t *ns)
{
	uint64_t seconds, unit = UINT64_C(100000000), fraction = 0;

	if (!take_decimal(s, &seconds) || s->at == s->end || *s->at != '.' ||
	    seconds > UINT64_MAX / UINT64_C(2000000000))
		return false;
	for (s->at++; s->at < s->end && is_digit(*s->at); s->at++) {
		fraction += (uint64_t)(*s->at - '0') * unit;
		unit /= 10;
	}
	*ns = seconds * UINT64_C(1000000000) + fraction;
	return s->at < s->end && *s->at++ == ':';
}

/* Behind "[CPU]": the time, maybe after a word of flags as ftrace prints it. */
static bool take_cpu_and_time(struct span *s, struct trace_event *e)
{
	struct span plain;
	uint64_t cpu;

	s->at++;
	if (!take_decimal(s, &cpu) || s->at == s->end || *s->at != ']' || cpu > UINT16_MAX)
		return false;
	s->at++;
	*s = skip_blanks(*s);
	e->cpu = (uint16_t)cpu;
	plain = *s;
	if (take_time(&plain, &e->time_ns)) {
		*s = plain;
		return true;
	}
	while (s->at < s->end && *s->at != ' ')
		s->at++;
	*s = skip_blanks(*s);
	return take_time(s, &e->time_ns);
}

/* The brackets that begin the fixed part; leaves s behind the time. */
static bool find_fixed_part(struct span line, struct span *s, const char **bracket,
			    struct trace_event *e)
{
	const char *at = line.at;

	while ((at = memchr(at, '[', (size_t)(line.end - at)))) {
		struct span rest = {at, line.end};

		if (take_cpu_and_time(&rest, e)) {
			*bracket = at;
			*s = skip_blanks(rest);
			return true;
		}
		at++;
	}
	return false;
}

/* "COMM PID" or "COMM-PID", in front of the brackets. */
static void take_task(struct importer *im, const char *start, const char *bracket,
		      struct trace_event *e)
{
	const char *pid_end = bracket, *pid;
	uint64_t value = 0;
	struct span digits;

	while (start < bracket && *start == ' ')
		start++;
	while (pid_end > start && !is_digit(pid_end[-1]))
		pid_end--;
	for (pid = pid_end; pid > start && is_digit(pid[-1]);)
		pid--;
	digits = (struct span){pid, pid_end};
	take_decimal(&digits, &value);
	while (pid > start && (pid[-1] == ' ' || pid[-1] == '-'))
		pid--;
	e->task = qtrace_task(im->w, (int32_t)value, start, (size_t)(pid - start));
}

/* Which of our events; TRACE_NR_KINDS: none.  Leaves s behind the colon. */
static enum trace_kind take_event_name(struct span *s, bool *is_event)
{
	const char *colon = s->at, *name = s->at;
	size_t length;

	while (colon < s->end && *colon != ' ' && *colon != '=')
		colon++;
	*is_event = colon > name && colon[-1] == ':';
	if (!*is_event)
		return TRACE_NR_KINDS;
	s->at = colon;
	colon--;
	for (const char *c = name; c < colon; c++) {
		if (*c == ':')
			name = c + 1;
	}
	length = (size_t)(colon - name);
	for (unsigned kind = 0; kind < TRACE_LOST; kind++) {
		if (word_is(name, length, trace_kind_name(kind)))
			return kind;
	}
	return TRACE_NR_KINDS;
}

static qr_gfp_t gfp_of(struct importer *im, const char *text, size_t length)
{
	if (length == im->gfp_length && memcmp(text, im->gfp_text, length) == 0)
		return im->gfp;
	im->gfp_length = 0;
	im->gfp = import_gfp(text, length, im->stats);
	if (length < sizeof(im->gfp_text)) {
		memcpy(im->gfp_text, text, length);
		im->gfp_length = length;
	}
	return im->gfp;
}

static bool number_of(const char *text, size_t length, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (length > 2 && text[0] == '0' && text[1] == 'x') {
		text += 2;
		length -= 2;
		base = 16;
	}
	if (!length || length > 18)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = is_digit(text[i])                  ? (unsigned)(text[i] - '0')
				 : text[i] >= 'a' && text[i] <= 'f' ? (unsigned)(text[i] - 'a') + 10
								    : 99;

		if (digit >= base)
			return false;
		v = v * base + digit;
	}
	*value = v;
	return true;
}

/* One "key=value"; what we have no use for is passed over. */
static bool take_field(struct importer *im, struct trace_event *e, const char *key,
		       size_t key_length, const char *text, size_t length, unsigned *seen)
{
	static const struct {
		const char *name;
		size_t offset;
		unsigned bit;
	} bytes[] = {
		{"order", offsetof(struct trace_event, order), 2},
		{"alloc_order", offsetof(struct trace_event, order), 2},
		{"migratetype", offsetof(struct trace_event, migratetype), 4},
		{"alloc_migratetype", offsetof(struct trace_event, migratetype), 4},
		{"fallback_order", offsetof(struct trace_event, fallback_order), 8},
		{"fallback_migratetype", offsetof(struct trace_event, fallback_type), 16},
		{"change_ownership", offsetof(struct trace_event, change_ownership), 32},
	};
	uint64_t value;

	if (word_is(key, key_length, "pfn")) {
		if (!number_of(text, length, &e->pfn))
			return false;
		*seen |= 1;
		return true;
	}
	if (word_is(key, key_length, "gfp_flags")) {
		e->gfp = gfp_of(im, text, length);
		return true;
	}
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		if (!word_is(key, key_length, bytes[i].name))
			continue;
		if (!number_of(text, length, &value) || value > UINT8_MAX)
			return false;
		*((uint8_t *)e + bytes[i].offset) = (uint8_t)value;
		*seen |= bytes[i].bit;
		return true;
	}
	return true;
}

/* A NULL pointer, as the printf()s of this world have it. */
static bool is_null(const char *text, size_t length)
{
	if (word_is(text, length, "(nil)") || word_is(text, length, "(null)"))
		return true;
	/*
	 * All zeros; the frame that would stand for is the first of all, which is never
	 * allocated.
	 */
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '0' && !(text[i] == 'x' && i == 1))
			return false;
	}
	return length > 0;
}

static bool take_fields(struct importer *im, struct span s, struct trace_event *e)
{
	static const unsigned needed[TRACE_NR_KINDS] = {
		[TRACE_ALLOC] = 1 | 2 | 4, [TRACE_FREE] = 1 | 2,
		[TRACE_FREE_BATCHED] = 1,  [TRACE_EXTFRAG] = 1 | 2 | 4 | 8 | 16,
		[TRACE_DRAIN] = 1 | 2 | 4,
	};
	bool failed_alloc = false;
	unsigned seen = 0;

	for (s = skip_blanks(s); s.at < s.end; s = skip_blanks(s)) {
		const char *key = s.at, *equals, *text;

		while (s.at < s.end && *s.at != ' ')
			s.at++;
		equals = memchr(key, '=', (size_t)(s.at - key));
		if (!equals)
			continue;
		text = equals + 1;
		if (word_is(key, (size_t)(equals - key), "page"))
			failed_alloc = is_null(text, (size_t)(s.at - text));
		if (!take_field(im, e, key, (size_t)(equals - key), text, (size_t)(s.at - text),
				&seen))
			return false;
	}
	/* A failed allocation has neither page nor, in some versions, a pfn that means anything. */
	if (e->kind == TRACE_ALLOC && failed_alloc) {
		e->pfn = QR_PFN_NONE;
		seen |= 1;
	}
	return (seen & needed[e->kind]) == needed[e->kind];
}

static void note_unread(struct importer *im, struct span line)
{
	struct import_stats *st = im->stats;
	size_t length = (size_t)(line.end - line.at);

	if (st->nr_unread++)
		return;
	if (length >= sizeof(st->first_unread))
		length = sizeof(st->first_unread) - 1;
	memcpy(st->first_unread, line.at, length);
	st->first_unread[length] = 0;
	st->first_unread_line = st->nr_lines;
}

/*
 * perf: "PERF_RECORD_LOST lost 12"; ftrace: "CPU:1 [LOST 12 EVENTS]"; trace-cmd: "CPU:1 [12 EVENTS
 * DROPPED]".
 */
static bool take_lost(struct importer *im, struct span line, int *error)
{
	struct trace_event e = {.kind = TRACE_LOST, .pfn = QR_PFN_NONE};
	const struct qtrace_totals *totals = qtrace_writer_totals(im->w);
	char text[256];
	const char *at;
	struct span s;

	if ((size_t)(line.end - line.at) >= sizeof(text))
		return false;
	memcpy(text, line.at, (size_t)(line.end - line.at));
	text[line.end - line.at] = 0;
	at = strstr(text, "LOST ");
	if (at)
		at += strncmp(at, "LOST lost ", 10) == 0 ? 10 : 5;
	else if (strstr(text, "EVENTS DROPPED") && (at = strrchr(text, '[')))
		at++;
	if (!at)
		return false;
	s = (struct span){at, text + strlen(text)};
	if (!take_decimal(&s, &e.lost))
		return false;
	e.time_ns = totals->last_ns;
	im->stats->nr_lost += e.lost;
	*error = qtrace_put_event(im->w, &e);
	return true;
}

static int import_line(struct importer *im, struct span line)
{
	struct trace_event e = {0};
	struct span s = skip_blanks(line);
	const char *bracket;
	bool is_event;
	enum trace_kind kind;
	int error = 0;

	im->stats->nr_lines++;
	if (s.at == s.end || *s.at == '#') {
		im->stats->nr_skipped++;
		return 0;
	}
	if (!find_fixed_part(line, &s, &bracket, &e)) {
		if (!take_lost(im, line, &error))
			note_unread(im, line);
		return error;
	}
	kind = take_event_name(&s, &is_event);
	if (kind == TRACE_NR_KINDS && is_event) {
		im->stats->nr_skipped++;
		return 0;
	}
	e.kind = (uint8_t)kind;
	if (!is_event && take_lost(im, line, &error))
		return error;
	if (!is_event || !take_fields(im, s, &e)) {
		note_unread(im, line);
		return 0;
	}
	take_task(im, line.at, bracket, &e);
	return qtrace_put_event(im->w, &e);
}

/* The lines of a buffer; returns how many bytes they took. */
static size_t import_lines(struct importer *im, const char *buf, size_t size, bool last, int *error)
{
	const char *at = buf, *end = buf + size;

	while (at < end && !*error) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		if (!newline && !last)
			break;
		if (stop > at && stop[-1] == '\r')
			stop--;
		*error = import_line(im, (struct span){at, stop});
		at = newline ? newline + 1 : end;
	}
	return (size_t)(at - buf);
}

static int read_error(const struct import_source *source, long n, char why[256])
{
	snprintf(why, 256, "%s: cannot be read: %s", source->name, strerror((int)-n));
	return (int)n;
}

int import_text(struct import_source *source, struct qtrace_writer *w, struct import_stats *stats,
		import_progress *progress, void *progress_arg, char why[256])
{
	struct importer im = {.w = w, .stats = stats};
	char *buf = malloc(READ_SIZE + LINE_MAX_BYTES);
	size_t held = 0;
	int error = 0;

	if (!buf) {
		snprintf(why, 256, "%s: no memory to read it", source->name);
		return -ENOMEM;
	}
	while (!error) {
		long n = source->read(source->arg, buf + held, READ_SIZE + LINE_MAX_BYTES - held);
		size_t used;

		if (n < 0) {
			error = read_error(source, n, why);
			break;
		}
		held += (size_t)n;
		used = import_lines(&im, buf, held, n == 0, &error);
		if (!used && held == READ_SIZE + LINE_MAX_BYTES) {
			/* A line longer than any: it is none of ours. */
			note_unread(&im, (struct span){buf, buf + 80});
			used = held;
		}
		memmove(buf, buf + used, held - used);
		held -= used;
		if (error)
			snprintf(why, 256, "%s", qtrace_writer_why(w));
		if (progress)
			progress(progress_arg, stats);
		if (n == 0)
			break;
	}
	free(buf);
	return error;
}
