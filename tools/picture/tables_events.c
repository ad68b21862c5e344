/* SPDX-License-Identifier: MIT */
/*
 * picture/tables_events.c - what was asked for, under what pressure, and what could not be played;
 *			     with which settings, and what nobody knows
 */
#include <string.h>

#include "../replay_report.h"
#include "page.h"
#include "table.h"

/* Traffic ------------------------------------------------------------------------------------ */

static uint64_t allocs_of_type(const struct replay_result *r, unsigned type)
{
	uint64_t sum = 0;

	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		sum += r->allocs[o][type];
	return sum;
}

static uint64_t allocs_of_order(const struct replay_result *r, unsigned order)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++)
		sum += r->allocs[order][t];
	return sum;
}

static uint64_t freed_pages(const struct replay_result *r, unsigned type)
{
	uint64_t sum = 0;

	for (unsigned o = 0; o < REPLAY_ORDERS; o++)
		sum += r->freed[o][type] << o;
	return sum;
}

/* The events are the same for all replays: the first one's counts will do. */
static void traffic_orders(FILE *out, const struct replay_result *r)
{
	uint64_t all = 0, all_frees = 0;

	table_begin(out, "traffic", "Blocks asked for and given back, by order and type");
	fputs("<thead><tr><th scope=\"col\">block</th>", out);
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (allocs_of_type(r, t))
			fprintf(out, "<th scope=\"col\">%s</th>", qr_migratetype_name(t));
	}
	fputs("<th scope=\"col\">allocated</th><th scope=\"col\">freed</th></tr></thead><tbody>\n",
	      out);
	for (unsigned o = 0; o < REPLAY_ORDERS; o++) {
		all += allocs_of_order(r, o);
		all_frees += r->frees[o];
		if (!allocs_of_order(r, o) && !r->frees[o])
			continue;
		fputs("<tr>", out);
		put_head(out, label_order(o).text);
		for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
			if (allocs_of_type(r, t))
				put_count(out, r->allocs[o][t]);
		}
		put_count(out, allocs_of_order(r, o));
		put_count(out, r->frees[o]);
		fputs("</tr>\n", out);
	}
	fputs("<tr class=\"sum\">", out);
	put_head(out, "all");
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		if (allocs_of_type(r, t))
			put_count(out, allocs_of_type(r, t));
	}
	put_count(out, all);
	put_count(out, all_frees);
	fputs("</tr>\n", out);
	table_end(out);
}

/* The model's doing: each replay may free into pageblocks of other types. */
static void traffic_freed(FILE *out, const struct picture *p)
{
	table_begin(out, "traffic", "Pages freed, by the type of the pageblock that they went to");
	table_head_runs(out, p, "type", false);
	for (unsigned t = 0; t < QR_MIGRATE_TYPES; t++) {
		uint64_t any = 0;

		for (unsigned n = 0; n < p->nr_runs; n++)
			any += freed_pages(&p->runs[n], t);
		if (!any)
			continue;
		fputs("<tr>", out);
		put_head(out, qr_migratetype_name((enum qr_migratetype)t));
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_count(out, freed_pages(&p->runs[n], t));
		fputs("</tr>\n", out);
	}
	table_end(out);
}

static void traffic_zones(FILE *out, const struct picture *p)
{
	table_begin(out, "traffic", "Pages taken from zones in the model, and given back to them");
	table_head_runs(out, p, "zone", false);
	for (unsigned t = 0; t < QR_NR_ZONES; t++) {
		uint64_t any = 0;

		for (unsigned n = 0; n < p->nr_runs; n++)
			any += p->runs[n].zone_allocs[t] + p->runs[n].zone_frees[t];
		if (!any)
			continue;
		fprintf(out, "<tr><th scope=\"row\">%s, taken</th>", qr_zone_type_name(t));
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_count(out, p->runs[n].zone_allocs[t]);
		fprintf(out, "</tr>\n<tr><th scope=\"row\">%s, given back</th>",
			qr_zone_type_name(t));
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_count(out, p->runs[n].zone_frees[t]);
		fputs("</tr>\n", out);
	}
	table_end(out);
}

void put_traffic(FILE *out, const struct picture *p)
{
	traffic_orders(out, &p->runs[0]);
	traffic_freed(out, p);
	traffic_zones(out, p);
}

/* Pressure ----------------------------------------------------------------------------------- */

typedef uint64_t number_of(const struct replay_result *r, unsigned which);

static void put_row(FILE *out, const struct picture *p, const char *name, number_of *of,
		    unsigned which)
{
	fputs("<tr>", out);
	put_head(out, name);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_count(out, of(&p->runs[n], which));
	fputs("</tr>\n", out);
}

static uint64_t wmark_failed(const struct replay_result *r, unsigned mark)
{
	return r->stats.wmark_failed[mark];
}

static uint64_t stage(const struct replay_result *r, unsigned which)
{
	return r->stages[which];
}

static uint64_t stat(const struct replay_result *r, unsigned which)
{
	const struct qr_alloc_stats *s = &r->stats;
	const uint64_t all[] = {s->slowpath,
				s->kswapd_wakes,
				s->boosts,
				s->highatomic_reserved,
				s->highatomic_unreserved,
				s->alloc_failed};

	return all[which];
}

static bool any_stage(const struct picture *p, unsigned which)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		if (p->runs[n].stages[which])
			return true;
	}
	return false;
}

void put_pressure(FILE *out, const struct picture *p)
{
	static const char *const marks[QR_NR_WMARK] = {
		[QR_WMARK_MIN] = "zones passed over for the min mark",
		[QR_WMARK_LOW] = "zones passed over for the low mark",
		[QR_WMARK_HIGH] = "zones passed over for the high mark",
		[QR_WMARK_PROMO] = "zones passed over for the promo mark",
	};
	static const char *const stats[] = {
		"allocations that entered the slow path",
		"times kswapd was woken",
		"watermark boosts",
		"pageblocks reserved for high-order atomic requests",
		"such reserves given up",
		"allocations that failed",
	};

	table_begin(out, "pressure", NULL);
	table_head_runs(out, p, "", false);
	for (unsigned i = 0; i < QR_NR_WMARK; i++)
		put_row(out, p, marks[i], wmark_failed, i);
	for (unsigned i = 0; i < sizeof(stats) / sizeof(*stats); i++)
		put_row(out, p, stats[i], stat, i);
	for (unsigned i = 0; i < QR_NR_SLOW_STAGES; i++) {
		char name[80];

		snprintf(name, sizeof(name), "slow path, stage %s",
			 qr_slowpath_stage_name((enum qr_slowpath_stage)i));
		if (any_stage(p, i))
			put_row(out, p, name, stage, i);
	}
	table_end(out);
}

/* What could not be played ------------------------------------------------------------------- */

static uint64_t unplaced(const struct replay_result *r, unsigned cause)
{
	return r->unplaced[cause];
}

static uint64_t lost(const struct replay_result *r, unsigned which)
{
	(void)which;
	return r->nr_lost;
}

void put_unplaced(FILE *out, const struct picture *p)
{
	table_begin(out, "unplaced", NULL);
	table_head_runs(out, p, "cause", false);
	for (unsigned c = 0; c < REPLAY_NR_CAUSES; c++)
		put_row(out, p, replay_cause_text(c), unplaced, c);
	put_row(out, p, "events that the recorder itself lost", lost, 0);
	table_end(out);
}

/* The books ---------------------------------------------------------------------------------- */

static int64_t book(const struct replay_result *r, unsigned which)
{
	const struct replay_books *b = &r->books;
	const int64_t all[] = {b->difference, b->waiting, b->unfound, b->between,
			       b->unplaced,   b->outside, b->rest};

	return all[which];
}

static void put_signed(FILE *out, int64_t value)
{
	uint64_t size = value < 0 ? (uint64_t)-value : (uint64_t)value;

	fprintf(out, "<td>%s%s</td>",
		value < 0   ? "\xe2\x88\x92"
		: value > 0 ? "+"
			    : "",
		text_grouped(size).text);
}

/* Why the model ends with another number of free pages than the machine; replay/books.c. */
void put_books(FILE *out, const struct picture *p)
{
	static const char *const names[] = {
		"free pages at the end, the model\xe2\x80\x99s less the machine\xe2\x80\x99s",
		"wait in the machine\xe2\x80\x99s caches, but not in the model\xe2\x80\x99s",
		"were in the machine\xe2\x80\x99s caches at the start, nobody knows where",
		"came and went while the machine\xe2\x80\x99s state was read",
		"hang on events that could not be played as recorded",
		"came or went where no event tells, by /proc/vmstat",
		"are not explained",
	};

	if (!p->machine->has_after)
		return;
	table_begin(out, "books", "The books of free pages");
	table_head_runs(out, p, "pages", false);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		fputs(i ? "<tr class=\"detail\">" : "<tr>", out);
		put_head(out, names[i]);
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_signed(out, book(&p->runs[n], i));
		fputs("</tr>\n", out);
	}
	table_end(out);
}

/* What nobody knows -------------------------------------------------------------------------- */

static void put_limit(FILE *out, const char *format, uint64_t a, uint64_t b)
	__attribute__((format(printf, 2, 0)));

static void put_limit(FILE *out, const char *format, uint64_t a, uint64_t b)
{
	fputs("<li>", out);
	fprintf(out, format, text_grouped(a).text, text_grouped(b).text);
	fputs("</li>\n", out);
}

static void put_broken(FILE *out, const struct picture *p)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		if (!p->runs[n].check)
			continue;
		fputs("<li class=\"warning\">The model broke an invariant: ", out);
		put_text(out, p->runs[n].check_why);
		fputs("</li>\n", out);
	}
}

static bool other_engine(const struct picture *p)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		if (replay_limits(p->machine, &p->runs[n]).other_engine)
			return true;
	}
	return false;
}

void put_limits(FILE *out, const struct picture *p)
{
	struct replay_limits l = replay_limits(p->machine, &p->runs[0]);

	fputs("<ul>\n", out);
	put_limit(out,
		  "Where the pages in the machine's per-CPU caches were at the start: of "
		  "<b>%s</b>, events betray <b>%s</b>.",
		  l.cached, l.cached_known);
	put_limit(out,
		  "For <b>%s</b> more of them a likely place was found. <b>%s</b> found no room "
		  "in the model's caches, and start as free.",
		  l.cached_guessed, l.no_room);
	put_limit(out,
		  "What happened between the files of a snapshot: buddyinfo counted <b>%s</b> "
		  "free pages at the start, kpageflags a moment later <b>%s</b>.",
		  l.free_buddyinfo, l.free_kpageflags);
	if (l.cached_beyond)
		put_limit(out,
			  "Which of state and events is wrong: <b>%s</b> pages more came out of "
			  "caches than zoneinfo counted in them.",
			  l.cached_beyond, 0);
	fputs("<li>Which pageblock is of which type: ", out);
	fputs(l.types_counted
		      ? "only the number of each is recorded, the rest is inferred.</li>\n"
		      : "pagetypeinfo does not even tell how many there are of each, all is "
			"inferred.</li>\n",
	      out);
	put_limit(out,
		  "In which order the free lists were: <b>%s</b> of the allocations got another "
		  "frame than on the machine.",
		  p->runs[0].frames_differ, 0);
	if (l.passing)
		put_limit(out,
			  "When <b>%s</b> pages came and went that no event tells of: what is in "
			  "caches at the end hangs on it, and so do blocks that lack such pages.",
			  l.passing, 0);
	if (other_engine(p))
		fputs("<li>What the machine would have had with another engine than "
		      "<b>" REPLAY_ENGINE "</b>: these are the requests it made of its own.</li>\n",
		      out);
	if (p->machine->trace->truncated)
		fputs("<li>The recording was cut off: what came after is not known.</li>\n", out);
	if (!p->machine->has_after)
		fputs("<li>The machine's state after the recording is not in the trace, so there "
		      "is nothing to compare with.</li>\n",
		      out);
	put_broken(out, p);
	fputs("</ul>\n", out);
}

/* Settings ----------------------------------------------------------------------------------- */

static const struct replay_setting *setting_of(const struct replay_result *r, enum qr_tunable which)
{
	for (unsigned i = r->nr_settings; i-- > 0;) {
		if (r->settings[i].tunable == which)
			return &r->settings[i];
	}
	return NULL;
}

static bool any_sets(const struct picture *p, enum qr_tunable which)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		if (setting_of(&p->runs[n], which))
			return true;
	}
	return false;
}

static void settings_runs(FILE *out, const struct picture *p)
{
	table_begin(out, "settings", NULL);
	table_head_runs(out, p, "", false);
	fputs("<tr>", out);
	put_head(out, "engine");
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_cell(out, p->runs[n].engine);
	fputs("</tr>\n<tr>", out);
	put_head(out, "CPUs");
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_count(out, p->runs[n].nr_cpus);
	fputs("</tr>\n", out);
	for (unsigned t = 0; t < QR_NR_TUNABLES; t++) {
		if (!any_sets(p, t))
			continue;
		fputs("<tr>", out);
		put_head(out, qr_tunable_info(t)->name);
		for (unsigned n = 0; n < p->nr_runs; n++) {
			const struct replay_setting *s = setting_of(&p->runs[n], t);
			char value[24];

			snprintf(value, sizeof(value), "%lld", s ? (long long)s->value : 0);
			put_cell(out, s ? value : "as recorded");
		}
		fputs("</tr>\n", out);
	}
	table_end(out);
}

void put_settings(FILE *out, const struct picture *p)
{
	const struct state *s = &p->machine->before;

	settings_runs(out, p);
	if (!s->nr_sysctls)
		return;
	fputs("<details><summary>Settings of the machine, as recorded</summary>\n", out);
	table_begin(out, "settings", NULL);
	fputs("<tbody>\n", out);
	for (unsigned i = 0; i < s->nr_sysctls; i++) {
		fputs("<tr>", out);
		put_head(out, s->sysctls[i].name);
		put_cell(out, s->sysctls[i].value);
		fputs("</tr>\n", out);
	}
	table_end(out);
	fputs("</details>\n", out);
}
