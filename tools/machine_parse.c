/* SPDX-License-Identifier: MIT */
/*
 * machine_parse.c - read a machine description
 *
 * Theory of operation
 * -------------------
 * A description is read line by line; a line is cut into words, each of which knows its column, and
 * the first word picks a row of the table of statements.  Statements may come in any order, so what
 * depends on several of them (overlaps, the number of nodes, gaps between CPUs) is looked at when
 * all are read.  For that the parser remembers on which line each range, node and CPU was named.
 *
 * The first thing that is wrong ends the reading, with one sentence that begins with
 * FILE:LINE:COLUMN.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "text.h"

enum { MAX_WORDS = 64, MAX_RANGES = 1024, NR_LIMITS = 4 };

struct word {
	const char *text;
	unsigned column; /* from 1 */
};

struct parser {
	struct machine *machine;
	struct machine_error *error;
	const char *path;
	unsigned line;
	struct word words[MAX_WORDS];
	unsigned nr_words, at; /* at: the next word to take */
	unsigned end_column; /* where the line ends */

	unsigned range_line[MAX_RANGES];
	uint64_t limit[NR_LIMITS]; /* DMA..HighMem, in pages; 0: not given */
	bool limit_rest[NR_LIMITS]; /* "rest": up to the end of memory */
	unsigned limit_line[NR_LIMITS];
	int cpu_node[QR_MAX_CPUS]; /* QR_NODE_NONE: not named */
	unsigned nr_cpus, cpu_line;
	unsigned nodes, nodes_line; /* of `nodes` */
	unsigned highest_nid, highest_line, highest_column;
	uint8_t distance[QR_MAX_NODES][QR_MAX_NODES]; /* 0: not given */
	unsigned distance_line; /* the last one; 0: none was given */
	unsigned seed_line, engine_line, cache_line, section_line, guard_line;
	unsigned kernelcore_line, movablecore_line;
};

struct statement {
	const char *name;
	const char *syntax;
	const char *help;
	bool (*take)(struct parser *p, int arg);
	int arg;
};

/* Errors ----------------------------------------------------------------------------------- */

static bool fail_at(struct parser *p, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool fail_at(struct parser *p, unsigned line, unsigned column, const char *format, ...)
{
	char *text = p->error->text;
	size_t size = sizeof(p->error->text);
	size_t used = (size_t)snprintf(text, size, "%s:%u:%u: ", p->path, line, column);
	va_list args;

	va_start(args, format);
	if (used < size)
		vsnprintf(text + used, size - used, format, args);
	va_end(args);
	return false;
}

/* Wrong is the word that was taken last. */
#define fail(p, ...) fail_at(p, (p)->line, (p)->words[(p)->at - 1].column, __VA_ARGS__)

/* Words ------------------------------------------------------------------------------------ */

/* The next word, or NULL after saying that @what is missing. */
static const char *word_take(struct parser *p, const char *what)
{
	if (p->at < p->nr_words)
		return p->words[p->at++].text;
	fail_at(p, p->line, p->end_column, "%s is missing after '%s'", what,
		p->words[p->nr_words - 1].text);
	return NULL;
}

static bool word_is_next(struct parser *p, const char *word)
{
	if (p->at >= p->nr_words || strcmp(p->words[p->at].text, word) != 0)
		return false;
	p->at++;
	return true;
}

static bool number_take(struct parser *p, const char *what, uint64_t min, uint64_t max,
			uint64_t *value)
{
	const char *text = word_take(p, what);

	if (!text)
		return false;
	if (text_to_number(text, value) && *value >= min && *value <= max)
		return true;
	return fail(p, "'%s' is not %s: a number between %" PRIu64 " and %" PRIu64, text, what, min,
		    max);
}

/* A size or an address that is a whole number of pages. */
static bool pages_take(struct parser *p, const char *what, uint64_t *pages)
{
	const char *text = word_take(p, what);
	uint64_t bytes;

	if (!text)
		return false;
	if (!text_to_size(text, &bytes))
		return fail(p, "'%s' is not %s such as 0x100000, 640K or 24GiB", text, what);
	if (bytes % QR_PAGE_SIZE != 0)
		return fail(p, "'%s' is not a multiple of the page size, %" PRIu64, text,
			    QR_PAGE_SIZE);
	*pages = bytes / QR_PAGE_SIZE;
	return true;
}

static bool nid_take(struct parser *p, int *nid)
{
	uint64_t value;

	if (!number_take(p, "a node", 0, QR_MAX_NODES - 1, &value))
		return false;
	*nid = (int)value;
	if (value >= p->highest_nid || p->highest_line == 0) {
		p->highest_nid = (unsigned)value;
		p->highest_line = p->line;
		p->highest_column = p->words[p->at - 1].column;
	}
	return true;
}

/* For statements that may be given only once. */
static bool first_time(struct parser *p, unsigned *line)
{
	if (*line != 0)
		return fail(p, "'%s' was given already, on line %u", p->words[0].text, *line);
	*line = p->line;
	return true;
}

/* Memory ----------------------------------------------------------------------------------- */

static bool range_end_take(struct parser *p, struct qr_range *range, bool is_size)
{
	uint64_t pages = 0;

	if (range->nr_pages != 0)
		return fail(p, "the end of this range was given already");
	if (!pages_take(p, is_size ? "a size" : "an end", &pages))
		return false;
	if (!is_size && pages <= range->start_pfn)
		return fail(p, "the range ends where it starts, or before");
	range->nr_pages = is_size ? pages : pages - range->start_pfn;
	if (range->nr_pages == 0)
		return fail(p, "a range of no size");
	if (range->start_pfn + range->nr_pages > UINT64_MAX >> QR_PAGE_SHIFT)
		return fail(p, "the range goes beyond the last address there is");
	return true;
}

static bool range_word_take(struct parser *p, struct qr_range *range)
{
	if (word_is_next(p, "size"))
		return range_end_take(p, range, true);
	if (word_is_next(p, "end"))
		return range_end_take(p, range, false);
	if (word_is_next(p, "node"))
		return nid_take(p, &range->nid);
	if (word_is_next(p, "mirrored"))
		return range->mirrored = true;
	if (word_is_next(p, "hotpluggable"))
		return range->hotpluggable = true;
	p->at++;
	return fail(p, "'%s' is not one of: size, end, node, mirrored, hotpluggable",
		    p->words[p->at - 1].text);
}

static bool range_take(struct parser *p, int kind)
{
	unsigned nr = p->machine->config.nr_ranges;
	struct qr_range *range = &p->machine->ranges[nr];

	if (nr == MAX_RANGES)
		return fail(p, "more than %d ranges", MAX_RANGES);
	memset(range, 0, sizeof(*range));
	range->kind = (enum qr_range_kind)kind;
	if (!pages_take(p, "a start address", &range->start_pfn))
		return false;
	while (p->at < p->nr_words) {
		if (!range_word_take(p, range))
			return false;
	}
	if (range->nr_pages == 0)
		return fail_at(p, p->line, p->end_column,
			       "the range has no end: add 'size SIZE' or 'end ADDRESS'");
	p->range_line[nr] = p->line;
	p->machine->config.nr_ranges++;
	return true;
}

static bool zone_take(struct parser *p, int arg)
{
	static const char *const names[] = {"dma", "dma32", "normal", "highmem"};
	const char *name = word_take(p, "a zone");
	unsigned zone = 0;

	(void)arg;
	if (!name)
		return false;
	while (zone < NR_LIMITS && strcmp(name, names[zone]) != 0)
		zone++;
	if (zone == NR_LIMITS)
		return fail(p, "'%s' is not a zone with a limit: dma, dma32, normal, highmem",
			    name);
	if (p->limit[zone] || p->limit_rest[zone])
		return fail(p, "the limit of zone %s was given already", name);
	p->limit_line[zone] = p->line;
	if (word_is_next(p, "rest"))
		return p->limit_rest[zone] = true;
	if (!word_is_next(p, "end"))
		return fail(p, "write 'zone %s end ADDRESS' or 'zone %s rest'", name, name);
	if (!pages_take(p, "an address", &p->limit[zone]))
		return false;
	return p->limit[zone] != 0 || fail(p, "a zone cannot end at 0; leave it out");
}

static bool core_take(struct parser *p, int kernel)
{
	struct qr_movable_config *movable = &p->machine->config.movable;
	uint64_t *pages = kernel ? &movable->kernelcore_pages : &movable->movablecore_pages;
	unsigned *percent = kernel ? &movable->kernelcore_percent : &movable->movablecore_percent;
	const char *text;
	char digits[8];
	uint64_t value;
	size_t length;

	if (!first_time(p, kernel ? &p->kernelcore_line : &p->movablecore_line))
		return false;
	if (kernel && word_is_next(p, "mirror"))
		return movable->kernelcore_mirror = true;
	if (p->at >= p->nr_words || !strchr(p->words[p->at].text, '%'))
		return pages_take(p, "a size", pages) &&
		       (*pages > 0 || fail(p, "no size; leave the statement out"));
	text = p->words[p->at++].text;
	length = strlen(text) - 1;
	snprintf(digits, sizeof(digits), "%.*s", (int)length, text);
	if (length >= sizeof(digits) || text[length] != '%' || !text_to_number(digits, &value) ||
	    value < 1 || value > 99)
		return fail(p, "'%s' is not a share between 1%% and 99%%", text);
	*percent = (unsigned)value;
	return true;
}

static bool movable_node_take(struct parser *p, int arg)
{
	(void)arg;
	return p->machine->config.movable.movable_node = true;
}

/* CPUs and nodes --------------------------------------------------------------------------- */

static bool cpu_name(struct parser *p, uint64_t first, uint64_t last, int nid)
{
	for (uint64_t cpu = first; cpu <= last; cpu++) {
		if (p->cpu_node[cpu] != QR_NODE_NONE)
			return fail(p, "CPU %" PRIu64 " was placed already, on node %d", cpu,
				    p->cpu_node[cpu]);
		p->cpu_node[cpu] = nid;
	}
	if (last >= p->nr_cpus)
		p->nr_cpus = (unsigned)last + 1;
	p->cpu_line = p->line;
	return true;
}

static bool cpus_node_take(struct parser *p, int *nid)
{
	*nid = 0;
	if (p->at == p->nr_words)
		return true;
	if (word_is_next(p, "node"))
		return nid_take(p, nid);
	p->at++;
	return fail(p, "'%s' is not 'node'", p->words[p->at - 1].text);
}

static bool cpus_take(struct parser *p, int arg)
{
	uint64_t nr;
	int nid;

	(void)arg;
	if (!number_take(p, "a number of CPUs", 1, QR_MAX_CPUS - p->nr_cpus, &nr) ||
	    !cpus_node_take(p, &nid))
		return false;
	return cpu_name(p, p->nr_cpus, p->nr_cpus + nr - 1, nid);
}

/* "0-15,32-47": what lies between two commas. */
static bool cpu_span_take(struct parser *p, const char *span, int nid)
{
	const char *dash = strchr(span, '-');
	char head[16];
	uint64_t first, last;

	snprintf(head, sizeof(head), "%.*s", dash ? (int)(dash - span) : (int)strlen(span), span);
	if (!text_to_number(head, &first) || !text_to_number(dash ? dash + 1 : head, &last) ||
	    first > last || last >= QR_MAX_CPUS)
		return fail_at(p, p->line, p->words[1].column,
			       "'%s' is not a list of CPUs below %d, such as 0-15,32-47", span,
			       QR_MAX_CPUS);
	return cpu_name(p, first, last, nid);
}

static bool cpu_list_take(struct parser *p, int arg)
{
	const char *list = word_take(p, "a list of CPUs");
	char copy[256], *rest = copy, *span;
	int nid;

	(void)arg;
	if (!list || !cpus_node_take(p, &nid))
		return false;
	if (strlen(list) >= sizeof(copy))
		return fail(p, "a list longer than %zu characters", sizeof(copy) - 1);
	memcpy(copy, list, strlen(list) + 1);
	while ((span = strsep(&rest, ",")) != NULL) {
		if (!cpu_span_take(p, span, nid))
			return false;
	}
	return true;
}

static bool nodes_take(struct parser *p, int arg)
{
	uint64_t nr;

	(void)arg;
	if (!first_time(p, &p->nodes_line) ||
	    !number_take(p, "a number of nodes", 1, QR_MAX_NODES, &nr))
		return false;
	p->nodes = (unsigned)nr;
	return true;
}

static bool initiator_take(struct parser *p, int arg)
{
	int nid;

	(void)arg;
	if (!nid_take(p, &nid))
		return false;
	p->machine->config.generic_initiators |= UINT64_C(1) << nid;
	return true;
}

static bool distance_take(struct parser *p, int arg)
{
	uint64_t value;
	int a, b;

	(void)arg;
	if (!nid_take(p, &a) || !nid_take(p, &b))
		return false;
	if (a == b)
		return fail(p, "the distance of a node to itself is always 10");
	if (p->distance[a][b])
		return fail(p, "the distance between nodes %d and %d was given already: %d", a, b,
			    p->distance[a][b]);
	if (!number_take(p, "a distance", 11, 254, &value))
		return false;
	p->distance[a][b] = p->distance[b][a] = (uint8_t)value;
	p->distance_line = p->line;
	return true;
}

/* Settings --------------------------------------------------------------------------------- */

static bool set_take(struct parser *p, int arg)
{
	const char *name = word_take(p, "a tunable");
	const char *value = name ? word_take(p, "a value") : NULL;
	struct qr_error_text why;
	struct setting setting;
	char values[128] = "";
	unsigned fault;

	(void)arg;
	if (!value)
		return false;
	snprintf(values, sizeof(values), "%s", value);
	while (p->at < p->nr_words) {
		size_t used = strlen(values);

		snprintf(values + used, sizeof(values) - used, " %s", p->words[p->at++].text);
	}
	fault = setting_parse(&setting, name, values, &why);
	if (fault != SETTING_GOOD)
		return fail_at(p, p->line, p->words[fault == SETTING_BAD_NAME ? 1 : 2].column, "%s",
			       why.text);
	return setting_list_add(&p->machine->settings, &setting) || fail(p, "no memory");
}

static bool option_word_take(struct parser *p)
{
	const char *names[16], *text = word_take(p, "an option"), *nearest;
	unsigned nr = 0;

	if (!text)
		return false;
	for (const struct machine_option *option = machine_options; option->name; option++) {
		if (strcmp(option->name, text) == 0) {
			p->machine->config.options |= option->bit;
			return true;
		}
		names[nr++] = option->name;
	}
	names[nr] = NULL;
	nearest = text_nearest(text, names);
	return fail(p, "there is no option '%s'%s%s%s", text, nearest ? "; did you mean '" : "",
		    nearest ? nearest : "; 'quire help machine' lists them", nearest ? "'?" : "");
}

static bool option_take(struct parser *p, int arg)
{
	(void)arg;
	do {
		if (!option_word_take(p))
			return false;
	} while (p->at < p->nr_words);
	return true;
}

static bool engine_take(struct parser *p, int arg)
{
	const char *name;

	(void)arg;
	if (!first_time(p, &p->engine_line))
		return false;
	name = word_take(p, "a name");
	if (!name)
		return false;
	if (strlen(name) >= sizeof(p->machine->engine))
		return fail(p, "'%s' is too long for the name of an engine", name);
	memcpy(p->machine->engine, name, strlen(name) + 1);
	p->machine->config.engine = p->machine->engine;
	return true;
}

static bool seed_take(struct parser *p, int arg)
{
	(void)arg;
	return first_time(p, &p->seed_line) &&
	       number_take(p, "a seed", 0, UINT64_MAX, &p->machine->config.seed);
}

static bool guard_take(struct parser *p, int arg)
{
	uint64_t order;

	(void)arg;
	if (!first_time(p, &p->guard_line) ||
	    !number_take(p, "an order", 0, QR_MAX_PAGE_ORDER / 2, &order))
		return false;
	p->machine->config.guard_minorder = (unsigned)order;
	return true;
}

static bool section_take(struct parser *p, int arg)
{
	uint64_t pages = 0;

	(void)arg;
	if (!first_time(p, &p->section_line) || !pages_take(p, "a size", &pages))
		return false;
	if (pages == 0 || (pages & (pages - 1)) != 0)
		return fail(p, "the size of a section is a power of 2");
	if (pages < QR_MAX_ORDER_NR_PAGES || pages < QR_PAGEBLOCK_NR_PAGES || pages >> 30 > 1)
		return fail(p, "a section holds whole blocks of the highest order, and no more "
			       "than 2^30 pages");
	p->machine->config.section_order = (unsigned)__builtin_ctzll(pages);
	return true;
}

static bool cache_take(struct parser *p, int arg)
{
	const char *text;

	(void)arg;
	if (!first_time(p, &p->cache_line))
		return false;
	text = word_take(p, "a size");
	if (!text)
		return false;
	return text_to_size(text, &p->machine->config.cpu_cache_bytes) ||
	       fail(p, "'%s' is not a size such as 512K or 2M", text);
}

/* The statements --------------------------------------------------------------------------- */

static const struct statement statements[] = {
	{"ram", "ram START size SIZE|end END [node N] [mirrored] [hotpluggable]",
	 "memory for the allocator", range_take, QR_RANGE_RAM},
	{"reserved", "reserved START size SIZE|end END [node N]",
	 "memory that is in use from the start", range_take, QR_RANGE_RESERVED},
	{"device", "device START size SIZE|end END [node N]", "memory in zone Device", range_take,
	 QR_RANGE_DEVICE},
	{"zone", "zone dma|dma32|normal|highmem end END|rest", "where a zone ends", zone_take, 0},
	{"cpus", "cpus COUNT [node N]", "so many more CPUs, on this node", cpus_take, 0},
	{"cpu", "cpu LIST [node N]", "the CPUs with these numbers, such as 0-3,8", cpu_list_take,
	 0},
	{"nodes", "nodes COUNT", "nodes that are possible, if more than are named", nodes_take, 0},
	{"initiator", "initiator N", "a node with devices that start memory accesses",
	 initiator_take, 0},
	{"distance", "distance A B DISTANCE", "between two nodes; 20 if not given", distance_take,
	 0},
	{"kernelcore", "kernelcore SIZE|PERCENT%|mirror", "what is kept out of zone Movable",
	 core_take, 1},
	{"movablecore", "movablecore SIZE|PERCENT%", "what goes into zone Movable", core_take, 0},
	{"movable_node", "movable_node", "hotpluggable ranges are zone Movable", movable_node_take,
	 0},
	{"set", "set TUNABLE VALUE...", "a tunable; 'quire tunables' lists them", set_take, 0},
	{"option", "option WORD...", "see below", option_take, 0},
	{"guard_minorder", "guard_minorder ORDER", "debug_guardpage_minorder", guard_take, 0},
	{"section", "section SIZE", "of a section; 128M if not given", section_take, 0},
	{"cpu_cache", "cpu_cache SIZE", "data cache that one CPU may fill", cache_take, 0},
	{"engine", "engine NAME", "the buddy engine", engine_take, 0},
	{"seed", "seed NUMBER", "of the generator behind shuffling", seed_take, 0},
};

enum { NR_STATEMENTS = sizeof(statements) / sizeof(statements[0]) };

static bool statement_unknown(struct parser *p)
{
	const char *names[NR_STATEMENTS + 1], *nearest;

	for (unsigned i = 0; i < NR_STATEMENTS; i++)
		names[i] = statements[i].name;
	names[NR_STATEMENTS] = NULL;
	nearest = text_nearest(p->words[0].text, names);
	if (nearest)
		return fail(p, "'%s' is not a statement; did you mean '%s'?", p->words[0].text,
			    nearest);
	return fail(p, "'%s' is not a statement; 'quire help machine' lists them",
		    p->words[0].text);
}

static bool statement_take(struct parser *p)
{
	p->at = 1;
	for (unsigned i = 0; i < NR_STATEMENTS; i++) {
		if (strcmp(statements[i].name, p->words[0].text) != 0)
			continue;
		if (!statements[i].take(p, statements[i].arg))
			return false;
		if (p->at == p->nr_words)
			return true;
		p->at++;
		return fail(p, "'%s' is too much; the statement is: %s", p->words[p->at - 1].text,
			    statements[i].syntax);
	}
	return statement_unknown(p);
}

/* Cut a line into words, in place. */
static bool line_split(struct parser *p, char *line)
{
	char *at = line;

	p->nr_words = 0;
	line[strcspn(line, "#\r\n")] = '\0';
	for (;;) {
		at += strspn(at, " \t");
		if (*at == '\0')
			return true;
		if (p->nr_words == MAX_WORDS)
			return fail_at(p, p->line, (unsigned)(at - line) + 1,
				       "more than %d words on one line", MAX_WORDS);
		p->words[p->nr_words++] = (struct word){at, (unsigned)(at - line) + 1};
		at += strcspn(at, " \t");
		p->end_column = (unsigned)(at - line) + 1;
		if (*at != '\0')
			*at++ = '\0';
	}
}

static bool line_is_text(struct parser *p, const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < ' ' && !isspace(c))
			return fail_at(p, p->line, (unsigned)i + 1,
				       "a control character (0x%02x): this is no machine "
				       "description",
				       c);
	}
	return true;
}

static bool lines_take(struct parser *p, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool good = true;

	while (good && (length = getline(&line, &room, file)) >= 0) {
		p->line++;
		good = line_is_text(p, line, (size_t)length) && line_split(p, line) &&
		       (p->nr_words == 0 || statement_take(p));
	}
	if (good && ferror(file))
		good = fail_at(p, p->line + 1, 1, "%s", strerror(errno));
	free(line);
	return good;
}

/* When all is read ------------------------------------------------------------------------- */

static bool ranges_finish(struct parser *p)
{
	const struct qr_range *ranges = p->machine->ranges;
	unsigned nr = p->machine->config.nr_ranges;

	if (machine_ram(p->machine) == 0)
		return fail_at(p, p->line, 1, "no memory: there must be a 'ram' statement");
	for (unsigned i = 1; i < nr; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (ranges[i].start_pfn < ranges[j].start_pfn + ranges[j].nr_pages &&
			    ranges[j].start_pfn < ranges[i].start_pfn + ranges[i].nr_pages)
				return fail_at(p, p->range_line[i], 1,
					       "this range overlaps the one of line %u",
					       p->range_line[j]);
		}
	}
	return true;
}

/* The limits in order, with `rest` replaced by what it stands for; *last: the highest one given. */
static bool limits_resolve(struct parser *p, int *last)
{
	qr_pfn_t end = machine_end_pfn(p->machine), below = 0;

	*last = -1;
	for (int i = 0; i < NR_LIMITS; i++) {
		if (p->limit_rest[i])
			p->limit[i] = end > below ? end : below;
		if (p->limit[i] == 0)
			continue;
		if (p->limit[i] < below)
			return fail_at(p, p->limit_line[i], 1,
				       "the limits of the zones must grow from dma to highmem");
		below = p->limit[i];
		*last = i;
	}
	for (int i = 0; i < *last; i++) {
		if (p->limit[i] % QR_PAGEBLOCK_NR_PAGES != 0 && p->limit[i] < below)
			return fail_at(p, p->limit_line[i], 1,
				       "where two zones meet must be a multiple of a pageblock, "
				       "%s",
				       text_size(QR_PAGEBLOCK_NR_PAGES * QR_PAGE_SIZE).text);
	}
	return true;
}

/* A zone that was left out ends where the one below it ends, and so does not exist. */
static bool zones_finish(struct parser *p)
{
	struct qr_config *config = &p->machine->config;
	qr_pfn_t *out[] = {&config->zone_limits.dma_end, &config->zone_limits.dma32_end,
			   &config->zone_limits.normal_end, &config->zone_limits.highmem_end};
	qr_pfn_t below = 0;
	int last;

	if (!limits_resolve(p, &last))
		return false;
	for (int i = 0; i <= last; i++) {
		below = p->limit[i] ? p->limit[i] : below;
		*out[i] = below;
	}
	for (unsigned i = 0; last >= 0 && i < config->nr_ranges; i++) {
		const struct qr_range *range = &p->machine->ranges[i];

		if (range->kind != QR_RANGE_DEVICE && range->start_pfn + range->nr_pages > below)
			return fail_at(p, p->range_line[i], 1,
				       "this range goes beyond the last zone, which line %u ends "
				       "at %s",
				       p->limit_line[last], text_size(below * QR_PAGE_SIZE).text);
	}
	return true;
}

static bool cpus_finish(struct parser *p)
{
	struct machine *machine = p->machine;

	if (p->nr_cpus == 0)
		return fail_at(p, p->line, 1, "no CPUs: there must be a 'cpus' statement");
	for (unsigned cpu = 0; cpu < p->nr_cpus; cpu++) {
		if (p->cpu_node[cpu] == QR_NODE_NONE)
			return fail_at(p, p->cpu_line, 1,
				       "CPU %u is on no node; there are CPUs up to %u", cpu,
				       p->nr_cpus - 1);
	}
	machine->cpu_node = malloc(p->nr_cpus * sizeof(*machine->cpu_node));
	if (!machine->cpu_node)
		return fail_at(p, p->line, 1, "no memory");
	memcpy(machine->cpu_node, p->cpu_node, p->nr_cpus * sizeof(*machine->cpu_node));
	machine->config.nr_cpus = p->nr_cpus;
	machine->config.cpu_node = machine->cpu_node;
	return true;
}

static bool nodes_finish(struct parser *p)
{
	struct machine *machine = p->machine;
	unsigned nr = p->nodes ? p->nodes : p->highest_nid + 1;

	if (p->highest_nid >= nr)
		return fail_at(p, p->highest_line, p->highest_column,
			       "node %u does not exist: line %u says there are %u, from 0 on",
			       p->highest_nid, p->nodes_line, nr);
	machine->config.nr_nodes = nr;
	if (p->distance_line == 0)
		return true;
	machine->distance = malloc((size_t)nr * nr);
	if (!machine->distance)
		return fail_at(p, p->line, 1, "no memory");
	for (unsigned a = 0; a < nr; a++) {
		for (unsigned b = 0; b < nr; b++)
			machine->distance[a * nr + b] = a == b              ? 10
							: p->distance[a][b] ? p->distance[a][b]
									    : 20;
	}
	machine->config.distance = machine->distance;
	return true;
}

static bool parse(struct parser *p, FILE *file)
{
	return lines_take(p, file) && ranges_finish(p) && zones_finish(p) && cpus_finish(p) &&
	       nodes_finish(p);
}

/* What only the core can judge (sections across nodes, engines, ...) is its to refuse. */
static bool machine_is_possible(struct parser *p)
{
	struct qr_error_text why = {""};
	size_t size;
	int code = qr_metadata_size(&p->machine->config, &size, &why);

	if (code >= 0)
		return true;
	snprintf(p->error->text, sizeof(p->error->text), "%s: %s", p->path,
		 why.text[0] ? why.text : qr_strerror(code));
	return false;
}

static int file_open(const char *path, FILE **file, struct machine_error *error)
{
	*file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (*file)
		return EXIT_GOOD;
	snprintf(error->text, sizeof(error->text), "%s: %s", path, strerror(errno));
	return EXIT_INPUT;
}

int machine_read(struct machine *machine, const char *path, struct machine_error *error)
{
	struct parser *p = calloc(1, sizeof(*p));
	FILE *file = NULL;
	bool good = false;

	memset(machine, 0, sizeof(*machine));
	error->text[0] = '\0';
	machine->ranges = calloc(MAX_RANGES, sizeof(*machine->ranges));
	if (!p || !machine->ranges) {
		snprintf(error->text, sizeof(error->text), "%s: no memory", path);
	} else if (file_open(path, &file, error) == EXIT_GOOD) {
		snprintf(machine->name, sizeof(machine->name), "%s", path);
		machine->config.ranges = machine->ranges;
		p->machine = machine;
		p->error = error;
		p->path = strcmp(path, "-") == 0 ? "stdin" : path;
		for (unsigned cpu = 0; cpu < QR_MAX_CPUS; cpu++)
			p->cpu_node[cpu] = QR_NODE_NONE;
		good = parse(p, file) && machine_is_possible(p);
	}
	if (file && file != stdin)
		fclose(file);
	free(p);
	return good ? EXIT_GOOD : EXIT_INPUT;
}

void machine_help(void)
{
	printf("A machine is described by a text file, one statement a line; # begins a comment.\n"
	       "Addresses and sizes are bytes: 0x100000, 640K, 1.5G, 24GiB.  Nodes count from 0.\n"
	       "\nStatements:\n");
	for (unsigned i = 0; i < NR_STATEMENTS; i++)
		printf("  %s\n        %s\n", statements[i].syntax, statements[i].help);
	printf("\nOptions:\n");
	for (const struct machine_option *option = machine_options; option->name; option++)
		printf("  %-15s %s\n", option->name, option->help);
	printf("\nThe manual page quire-machine(5) says more; examples are in examples/machines/,\n"
	       "and 'quire show machine' writes the description of this host.\n");
}
