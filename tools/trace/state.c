/* SPDX-License-Identifier: MIT */
/*
 * trace/state.c - reading a machine's saved files
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* A text, line by line; lines are cut out in place. */
struct lines {
	char *next;
	const char *file;
	unsigned number;
};

__attribute__((format(printf, 3, 4))) static int state_fails(struct state *s, int error,
							     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	return error;
}

/* A text is taken apart where it stands. */
static struct lines lines_of(char *text, const char *file)
{
	struct lines lines = {.file = file};

	lines.next = text;
	return lines;
}

static char *line_next(struct lines *lines)
{
	char *line = lines->next, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	lines->next = end ? end + 1 : NULL;
	if (end)
		*end = 0;
	lines->number++;
	return line;
}

/* A copy of a saved file to take apart; NULL: there is none. */
static char *file_copy(struct qtrace *trace, enum qtrace_when when, const char *name)
{
	const struct qtrace_file *file = qtrace_file(trace, when, name);
	char *copy = file ? malloc(file->size + 1) : NULL;

	if (copy)
		memcpy(copy, file->data, file->size + 1);
	return copy;
}

static bool zone_type_of(const char *name, enum qr_zone_type *type)
{
	for (unsigned t = 0; t < QR_NR_ZONES; t++) {
		if (strcmp(name, qr_zone_type_name((enum qr_zone_type)t)) == 0) {
			*type = (enum qr_zone_type)t;
			return true;
		}
	}
	return false;
}

static unsigned migratetype_of(const char *name)
{
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (strcmp(name, qr_migratetype_name((enum qr_migratetype)t)) == 0)
			return t;
	}
	return QR_MIGRATE_TYPES;
}

const struct state_zone *state_zone(const struct state *s, int nid, enum qr_zone_type type)
{
	for (unsigned i = 0; i < s->nr_zones; i++) {
		if (s->zones[i].nid == nid && s->zones[i].type == type)
			return &s->zones[i];
	}
	return NULL;
}

static struct state_zone *zone_add(struct state *s, int nid, enum qr_zone_type type)
{
	struct state_zone *zone = (struct state_zone *)(uintptr_t)state_zone(s, nid, type);

	if (zone || s->nr_zones == STATE_MAX_ZONES)
		return zone;
	zone = &s->zones[s->nr_zones++];
	memset(zone, 0, sizeof(*zone));
	zone->nid = nid;
	zone->type = type;
	return zone;
}

/* "Node 0, zone   Normal" at the start of a line; *rest is what follows the zone's name. */
static bool take_zone(const char *line, int *nid, enum qr_zone_type *type, const char **rest)
{
	char name[16];
	int used = 0;

	if (sscanf(line, "Node %d, zone %15[^ ,\t]%n", nid, name, &used) != 2 || *nid < 0 ||
	    *nid >= QR_MAX_NODES || !zone_type_of(name, type))
		return false;
	*rest = line + used;
	return true;
}

/* The numbers of a line; one may have '>' in front.  Returns how many there were. */
static unsigned take_numbers(const char *text, uint64_t *numbers, unsigned max)
{
	unsigned nr = 0;

	while (nr < max) {
		char *end;

		while (*text == ' ' || *text == '\t' || *text == '>')
			text++;
		numbers[nr] = strtoull(text, &end, 10);
		if (end == text)
			break;
		text = end;
		nr++;
	}
	return nr;
}

/* zoneinfo --------------------------------------------------------------------------------- */

static void zone_number(struct state_zone *zone, const char *name, uint64_t value)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		{"pages free", offsetof(struct state_zone, free)},
		{"boost", offsetof(struct state_zone, boost)},
		{"min", offsetof(struct state_zone, min)},
		{"low", offsetof(struct state_zone, low)},
		{"high", offsetof(struct state_zone, high)},
		{"spanned", offsetof(struct state_zone, spanned)},
		{"present", offsetof(struct state_zone, present)},
		{"managed", offsetof(struct state_zone, managed)},
		{"cma", offsetof(struct state_zone, cma)},
		{"nr_free_cma", offsetof(struct state_zone, nr_free_cma)},
		{"start_pfn:", offsetof(struct state_zone, start_pfn)},
		{"batch:", offsetof(struct state_zone, pcp_batch)},
		{"high_min:", offsetof(struct state_zone, pcp_high_min)},
		{"high_max:", offsetof(struct state_zone, pcp_high_max)},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(name, fields[i].name) == 0)
			*(uint64_t *)(void *)((char *)zone + fields[i].offset) = value;
	}
}

static void pageset_number(struct state_zone *zone, int cpu, const char *name, uint64_t value)
{
	if (cpu < 0 || cpu >= STATE_MAX_CPUS)
		return;
	if (strcmp(name, "count:") == 0) {
		zone->cpu_count[cpu] = (uint32_t)value;
		zone->pcp_count += value;
	} else if (strcmp(name, "high:") == 0) {
		zone->cpu_high[cpu] = (uint32_t)value;
	}
}

static int read_zoneinfo(struct state *s, char *text)
{
	struct lines lines = lines_of(text, "zoneinfo");
	struct state_zone *zone = NULL;
	int cpu = -1;
	char *line;

	while ((line = line_next(&lines))) {
		enum qr_zone_type type;
		const char *rest;
		unsigned long long value;
		char name[64];
		int nid, n;

		if (strncmp(line, "Node", 4) == 0) {
			if (!take_zone(line, &nid, &type, &rest))
				return state_fails(s, -EINVAL, "%s/zoneinfo:%u: no zone in '%.60s'",
						   s->when, lines.number, line);
			zone = zone_add(s, nid, type);
			cpu = -1;
		} else if (zone && sscanf(line, " cpu: %d", &n) == 1) {
			cpu = n;
			if ((unsigned)n + 1 > zone->nr_cpus && n >= 0 && n < STATE_MAX_CPUS)
				zone->nr_cpus = (unsigned)n + 1;
		} else if (zone && sscanf(line, " pages free %llu", &value) == 1) {
			zone_number(zone, "pages free", value);
		} else if (zone && sscanf(line, " %63s %llu", name, &value) == 2) {
			if (cpu >= 0)
				pageset_number(zone, cpu, name, value);
			zone_number(zone, name, value);
		}
	}
	if (!s->nr_zones)
		return state_fails(s, -EINVAL, "%s/zoneinfo: names no zone", s->when);
	return 0;
}

/* buddyinfo, pagetypeinfo ------------------------------------------------------------------ */

static int read_buddyinfo(struct state *s, char *text)
{
	struct lines lines = lines_of(text, "buddyinfo");
	char *line;

	while ((line = line_next(&lines))) {
		enum qr_zone_type type;
		struct state_zone *zone;
		const char *rest;
		int nid;

		if (!*line)
			continue;
		if (!take_zone(line, &nid, &type, &rest))
			return state_fails(s, -EINVAL, "%s/buddyinfo:%u: no zone in '%.60s'",
					   s->when, lines.number, line);
		zone = zone_add(s, nid, type);
		if (!zone)
			return state_fails(s, -EINVAL, "%s/buddyinfo:%u: too many zones", s->when,
					   lines.number);
		zone->nr_orders = take_numbers(rest, zone->blocks, STATE_MAX_ORDERS);
	}
	return 0;
}

static void pagetype_blocks(struct state *s, const char *line)
{
	enum qr_zone_type type;
	struct state_zone *zone;
	const char *rest;
	char name[24];
	unsigned mt;
	int nid, used = 0;

	if (!take_zone(line, &nid, &type, &rest) || !(zone = zone_add(s, nid, type)))
		return;
	if (sscanf(rest, ", type %23s%n", name, &used) != 1)
		return;
	mt = migratetype_of(name);
	if (mt < QR_MIGRATE_TYPES)
		take_numbers(rest + used, zone->type_blocks[mt], STATE_MAX_ORDERS);
}

/* The header of the second table says which column is which type: kernels differ. */
static unsigned pagetype_columns(const char *line, unsigned *columns)
{
	const char *at = line + strlen("Number of blocks type");
	char name[24];
	unsigned nr = 0;
	int used;

	while (nr < 8 && sscanf(at, " %23s%n", name, &used) == 1) {
		columns[nr++] = migratetype_of(name);
		at += used;
	}
	return nr;
}

static int read_pagetypeinfo(struct state *s, char *text)
{
	struct lines lines = lines_of(text, "pagetypeinfo");
	unsigned columns[8], nr_columns = 0;
	char *line;

	while ((line = line_next(&lines))) {
		enum qr_zone_type type;
		struct state_zone *zone;
		uint64_t numbers[8];
		const char *rest;
		int nid;

		if (sscanf(line, "Page block order: %u", &s->pageblock_order) == 1)
			continue;
		if (strncmp(line, "Number of mixed", 15) == 0)
			break;
		if (strncmp(line, "Number of blocks type", 21) == 0) {
			nr_columns = pagetype_columns(line, columns);
			continue;
		}
		if (!nr_columns) {
			pagetype_blocks(s, line);
			continue;
		}
		if (!take_zone(line, &nid, &type, &rest) || !(zone = zone_add(s, nid, type)))
			continue;
		if (take_numbers(rest, numbers, nr_columns) != nr_columns)
			return state_fails(s, -EINVAL,
					   "%s/pagetypeinfo:%u: has fewer than %u counts", s->when,
					   lines.number, nr_columns);
		zone->has_pageblocks = true;
		for (unsigned i = 0; i < nr_columns; i++) {
			if (columns[i] < QR_MIGRATE_TYPES)
				zone->pageblocks[columns[i]] = numbers[i];
		}
	}
	return 0;
}

/* iomem, sysctls, vmstat ------------------------------------------------------------------- */

static int read_iomem(struct state *s, char *text)
{
	struct lines lines = lines_of(text, "iomem");
	char *line;

	while ((line = line_next(&lines))) {
		unsigned long long start, last;
		char what[32];
		void *ram;

		if (line[0] == ' ' ||
		    sscanf(line, "%llx-%llx : %31[^\n]", &start, &last, what) != 3 ||
		    strcmp(what, "System RAM") != 0 || last <= start)
			continue;
		ram = realloc(s->ram, (s->nr_ram + 1) * sizeof(*s->ram));
		if (!ram)
			return state_fails(s, -ENOMEM, "%s/iomem: no memory to read it", s->when);
		s->ram = ram;
		/* Only frames that are all RAM count. */
		s->ram[s->nr_ram].start = (start + QR_PAGE_SIZE - 1) >> QR_PAGE_SHIFT;
		s->ram[s->nr_ram].end = (last + 1) >> QR_PAGE_SHIFT;
		s->nr_ram++;
	}
	return 0;
}

static int read_sysctls(struct state *s, char *text)
{
	struct lines lines = lines_of(text, "sysctl");
	char *line;

	while ((line = line_next(&lines))) {
		struct state_sysctl one = {{0}, {0}};
		void *all;

		if (sscanf(line, "vm.%47[^ =] = %79[^\n]", one.name, one.value) != 2)
			continue;
		all = realloc(s->sysctls, (s->nr_sysctls + 1) * sizeof(one));
		if (!all)
			return state_fails(s, -ENOMEM, "%s/sysctl: no memory to read it", s->when);
		s->sysctls = all;
		s->sysctls[s->nr_sysctls++] = one;
	}
	return 0;
}

bool state_vmstat(const struct state *s, const char *name, uint64_t *value)
{
	size_t length = strlen(name);

	for (const char *at = s->vmstat; at && *at; at = strchr(at, '\n')) {
		if (*at == '\n')
			at++;
		if (strncmp(at, name, length) == 0 && at[length] == ' ') {
			*value = strtoull(at + length + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

const char *state_sysctl(const struct state *s, const char *name)
{
	for (unsigned i = 0; i < s->nr_sysctls; i++) {
		if (strcmp(s->sysctls[i].name, name) == 0)
			return s->sysctls[i].value;
	}
	return NULL;
}

/* All of it -------------------------------------------------------------------------------- */

/* A zone may begin and end within a pageblock. */
static int pageblocks_check(struct state *s, const struct state_zone *z)
{
	uint64_t most = (z->spanned >> (s->pageblock_order & 31)) + 2, nr = 0;

	for (unsigned t = 0; t < QR_MIGRATE_TYPES && nr <= most; t++)
		nr = z->pageblocks[t] > most ? z->pageblocks[t] : nr + z->pageblocks[t];
	if (nr <= most)
		return 0;
	return state_fails(s, -EINVAL,
			   "%s/pagetypeinfo contradicts zoneinfo: node %d zone %s has %llu "
			   "pageblocks, but spans only %llu pages",
			   s->when, z->nid, qr_zone_type_name(z->type), (unsigned long long)nr,
			   (unsigned long long)z->spanned);
}

static int state_check(struct state *s)
{
	for (unsigned i = 0; i < s->nr_zones; i++) {
		const struct state_zone *z = &s->zones[i];

		if (pageblocks_check(s, z) < 0)
			return -EINVAL;
		if (z->present > z->spanned || z->managed > z->present || z->free > z->managed)
			return state_fails(
				s, -EINVAL,
				"%s/zoneinfo contradicts itself: node %d zone %s has %llu "
				"spanned, %llu "
				"present, %llu managed, %llu free pages",
				s->when, z->nid, qr_zone_type_name(z->type),
				(unsigned long long)z->spanned, (unsigned long long)z->present,
				(unsigned long long)z->managed, (unsigned long long)z->free);
	}
	return 0;
}

int state_read(struct state *s, struct qtrace *trace, enum qtrace_when when)
{
	static const struct {
		const char *name;
		int (*read)(struct state *s, char *text);
	} files[] = {
		{"zoneinfo", read_zoneinfo},
		{"buddyinfo", read_buddyinfo},
		{"pagetypeinfo", read_pagetypeinfo},
		{"iomem", read_iomem},
	};
	char *text;
	int error = 0;

	memset(s, 0, sizeof(*s));
	s->when = when == QTRACE_BEFORE ? "before" : "after";
	s->zones = calloc(STATE_MAX_ZONES, sizeof(*s->zones));
	if (!s->zones)
		return state_fails(s, -ENOMEM, "no memory for the state of the machine");
	for (size_t i = 0; !error && i < sizeof(files) / sizeof(files[0]); i++) {
		text = file_copy(trace, when, files[i].name);
		if (text)
			error = files[i].read(s, text);
		else if (i == 0)
			error = state_fails(s, -ENOENT, "the trace has no %s/zoneinfo", s->when);
		free(text);
	}
	text = file_copy(trace, QTRACE_META, "sysctl");
	if (!error && text)
		error = read_sysctls(s, text);
	free(text);
	s->vmstat = file_copy(trace, when, "vmstat");
	return error ? error : state_check(s);
}

void state_free(struct state *s)
{
	free(s->zones);
	free(s->ram);
	free(s->sysctls);
	free(s->vmstat);
	memset(s, 0, sizeof(*s));
}

const struct state_zone *state_zone_of(const struct state *s, qr_pfn_t pfn)
{
	for (unsigned i = 0; i < s->nr_zones; i++) {
		const struct state_zone *z = &s->zones[i];

		if (z->present && pfn - z->start_pfn < z->spanned)
			return z;
	}
	return NULL;
}

/* kpageflags ------------------------------------------------------------------------------- */

static enum frame_class classify(uint64_t flags)
{
	if (flags & KPF_NOPAGE)
		return FRAME_ABSENT;
	if (flags & KPF_BUDDY)
		return FRAME_FREE;
	if (flags & KPF_OFFLINE)
		return FRAME_OFFLINE;
	if (flags & KPF_RESERVED)
		return FRAME_RESERVED;
	if (flags & KPF_HUGE)
		return FRAME_HUGE;
	if (flags & (KPF_LRU | KPF_ANON | KPF_THP))
		return FRAME_MOVABLE;
	if (flags & KPF_SLAB)
		return FRAME_SLAB;
	if (flags & KPF_PGTABLE)
		return FRAME_PGTABLE;
	return FRAME_OTHER;
}

int frame_map_read(struct frame_map *map, struct qtrace *trace, enum qtrace_when when,
		   char why[256])
{
	const struct qtrace_file *file = qtrace_file(trace, when, "kpageflags");
	const char *data;

	memset(map, 0, sizeof(*map));
	if (!file) {
		snprintf(why, 256, "%s",
			 trace->why[0]           ? trace->why
			 : when == QTRACE_BEFORE ? "the trace has no before/kpageflags"
						 : "the trace has no after/kpageflags");
		return trace->why[0] ? -EINVAL : -ENOENT;
	}
	if (file->size % 8) {
		snprintf(why, 256, "kpageflags has %zu bytes, which is no multiple of 8",
			 file->size);
		return -EINVAL;
	}
	map->nr = file->size / 8;
	map->class = malloc(map->nr + 1);
	if (!map->class) {
		snprintf(why, 256, "no memory for the map of %zu frames", file->size / 8);
		return -ENOMEM;
	}
	data = file->data;
	for (uint64_t pfn = 0; pfn < map->nr; pfn++) {
		uint64_t flags;

		memcpy(&flags, data + pfn * 8, 8);
		map->class[pfn] = (uint8_t)classify(flags);
		if (flags & KPF_COMPOUND_TAIL)
			map->class[pfn] |= FRAME_TAIL;
	}
	qtrace_file_drop(trace, file);
	return 0;
}

void frame_map_free(struct frame_map *map)
{
	free(map->class);
	memset(map, 0, sizeof(*map));
}
