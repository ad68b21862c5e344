/* SPDX-License-Identifier: MIT */
/*
 * picture/tables.c - the replays side by side, and how far each ends from the machine
 */
#include <math.h>

#include "../replay_report.h"
#include "page.h"
#include "table.h"

/* Side by side ------------------------------------------------------------------------------- */

/* One measure of a replay (of the machine: r is the first one); false: it is not known. */
struct measure {
	const char *name;
	bool detail; /* of the measure above it */
	bool (*of)(const struct replay_machine *m, const struct replay_result *r, bool machine,
		   struct label *label);
};

static bool grouped(struct label *label, uint64_t value)
{
	snprintf(label->text, sizeof(label->text), "%s", text_grouped(value).text);
	return true;
}

static bool bytes(struct label *label, uint64_t pages)
{
	*label = label_bytes((double)pages * (1u << QR_PAGE_SHIFT));
	return true;
}

static bool of_huge(const struct replay_machine *m, const struct replay_result *r, bool machine,
		    struct label *label)
{
	grouped(label, machine ? r->free_2m.machine : r->free_2m.model);
	return !machine || m->has_after;
}

static bool of_huge_off(const struct replay_machine *m, const struct replay_result *r, bool machine,
			struct label *label)
{
	*label = label_off(r->free_2m.model, r->free_2m.machine);
	return !machine && m->has_after;
}

static bool of_huge_start(const struct replay_machine *m, const struct replay_result *r,
			  bool machine, struct label *label)
{
	(void)m;
	return grouped(label, machine ? r->start_2m.machine : r->start_2m.model);
}

static bool of_huge_least(const struct replay_machine *m, const struct replay_result *r,
			  bool machine, struct label *label)
{
	(void)m;
	return grouped(label, replay_least_2m(r)) && !machine;
}

static bool of_free(const struct replay_machine *m, const struct replay_result *r, bool machine,
		    struct label *label)
{
	return bytes(label, machine ? r->free_pages.machine : r->free_pages.model) &&
	       (!machine || m->has_after);
}

static bool of_free_off(const struct replay_machine *m, const struct replay_result *r, bool machine,
			struct label *label)
{
	*label = label_off(r->free_pages.model, r->free_pages.machine);
	return !machine && m->has_after;
}

static bool of_free_pages(const struct replay_machine *m, const struct replay_result *r,
			  bool machine, struct label *label)
{
	return grouped(label, machine ? r->free_pages.machine : r->free_pages.model) &&
	       (!machine || m->has_after);
}

static bool of_cached_pages(const struct replay_machine *m, const struct replay_result *r,
			    bool machine, struct label *label)
{
	return grouped(label, machine ? r->pcp_pages.machine : r->pcp_pages.model) &&
	       (!machine || m->has_after);
}

static bool of_cached(const struct replay_machine *m, const struct replay_result *r, bool machine,
		      struct label *label)
{
	return bytes(label, machine ? r->pcp_pages.machine : r->pcp_pages.model) &&
	       (!machine || m->has_after);
}

static bool of_hits(const struct replay_machine *m, const struct replay_result *r, bool machine,
		    struct label *label)
{
	(void)m;
	snprintf(label->text, sizeof(label->text), "%.1f %%", replay_hit_rate(r) * 100);
	return !machine;
}

static bool of_drained(const struct replay_machine *m, const struct replay_result *r, bool machine,
		       struct label *label)
{
	(void)m;
	return bytes(label, machine ? r->machine_drains : r->model_drains);
}

static bool of_fallbacks(const struct replay_machine *m, const struct replay_result *r,
			 bool machine, struct label *label)
{
	(void)m;
	return grouped(label, machine ? r->machine_fallbacks : r->model_fallbacks);
}

static bool of_claims(const struct replay_machine *m, const struct replay_result *r, bool machine,
		      struct label *label)
{
	(void)m;
	return grouped(label, machine ? r->machine_claims : r->model_claims);
}

static bool of_slowpath(const struct replay_machine *m, const struct replay_result *r, bool machine,
			struct label *label)
{
	(void)m;
	return grouped(label, r->stats.slowpath) && !machine;
}

static bool of_speed(const struct replay_machine *m, const struct replay_result *r, bool machine,
		     struct label *label)
{
	(void)m;
	snprintf(label->text, sizeof(label->text), "%s", text_rounded(replay_speed(r)).text);
	return !machine;
}

/* "free 2 MiB blocks at the end" has the size of a pageblock in it, and so is no constant. */
static const struct measure measures[] = {
	{NULL, false, of_huge},
	{"off by", true, of_huge_off},
	{"at the start", true, of_huge_start},
	{"at the least", true, of_huge_least},
	{"free memory at the end", false, of_free},
	{"in pages", true, of_free_pages},
	{"off by", true, of_free_off},
	{"in per-CPU caches at the end", false, of_cached},
	{"in pages", true, of_cached_pages},
	{"drained from caches", false, of_drained},
	{"allocations served by caches", false, of_hits},
	{"fallbacks to another type", false, of_fallbacks},
	{"of these, pageblocks claimed", true, of_claims},
	{"allocations in the slow path", false, of_slowpath},
	{"events replayed a second", false, of_speed},
};

enum { NR_MEASURES = sizeof(measures) / sizeof(*measures), MAX_ACROSS = 5 };

static void put_measure(FILE *out, const struct measure *measure, const struct picture *p,
			const struct replay_result *r, bool machine)
{
	struct label label;

	if (measure->of(p->machine, r, machine, &label))
		put_cell(out, label.text);
	else
		put_unknown(out);
}

static struct label measure_name(const struct measure *measure)
{
	struct label label;

	if (measure->name)
		snprintf(label.text, sizeof(label.text), "%s", measure->name);
	else
		snprintf(label.text, sizeof(label.text), "free %.20s blocks at the end",
			 label_pageblock().text);
	return label;
}

/* Few replays: measures downwards, which fits a phone. */
static void compare_down(FILE *out, const struct picture *p)
{
	table_begin(out, "compare", NULL);
	table_head_runs(out, p, "", true);
	for (unsigned i = 0; i < NR_MEASURES; i++) {
		fprintf(out, "<tr%s>", measures[i].detail ? " class=\"detail\"" : "");
		put_head(out, measure_name(&measures[i]).text);
		put_measure(out, &measures[i], p, &p->runs[0], true);
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_measure(out, &measures[i], p, &p->runs[n], false);
		fputs("</tr>\n", out);
	}
	table_end(out);
}

static void compare_across(FILE *out, const struct picture *p)
{
	table_begin(out, "compare across", NULL);
	fputs("<thead><tr><th></th>", out);
	for (unsigned i = 0; i < NR_MEASURES; i++) {
		fputs("<th scope=\"col\">", out);
		put_text(out, measure_name(&measures[i]).text);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (unsigned n = 0; n <= p->nr_runs; n++) {
		const struct replay_result *r = &p->runs[n ? n - 1 : 0];

		fputs("<tr>", out);
		put_head(out, n ? replay_label(r).text : "the machine itself");
		for (unsigned i = 0; i < NR_MEASURES; i++)
			put_measure(out, &measures[i], p, r, n == 0);
		fputs("</tr>\n", out);
	}
	table_end(out);
}

void put_compare(FILE *out, const struct picture *p)
{
	if (p->nr_runs <= MAX_ACROSS)
		compare_down(out, p);
	else
		compare_across(out, p);
}

/* Mismatch ----------------------------------------------------------------------------------- */

/* A difference with a bar as long as its share of the largest one. */
static void put_off(FILE *out, int64_t off, double share)
{
	if (!off) {
		fputs("<td class=\"off same\">exact</td>", out);
		return;
	}
	fprintf(out, "<td class=\"off\" style=\"--off:%.3f\">%s%s</td>", share,
		off > 0 ? "+" : "\xe2\x88\x92",
		text_grouped(off > 0 ? (uint64_t)off : (uint64_t)-off).text);
}

/* The largest difference of a zone in any order, in pages. */
static double largest_off(const struct picture *p, unsigned z)
{
	double largest = 1;

	for (unsigned n = 0; n < p->nr_runs; n++) {
		const struct replay_zone_end *end = &p->runs[n].zones[z];

		for (unsigned o = 0; o < REPLAY_ORDERS; o++)
			largest = fmax(largest, fabs((double)end->model_blocks[o] -
						     (double)end->machine_blocks[o]) *
							exp2(o));
	}
	return largest;
}

static void put_pair(FILE *out, const struct picture *p, uint64_t model, uint64_t machine,
		     double pages, double largest)
{
	put_count(out, model);
	if (p->machine->has_after)
		put_off(out, (int64_t)(model - machine),
			fmax(-1, fmin(1, ((double)model - (double)machine) * pages / largest)));
	else
		put_unknown(out);
}

static void put_machine(FILE *out, const struct picture *p, uint64_t machine)
{
	if (p->machine->has_after)
		put_count(out, machine);
	else
		put_unknown(out);
}

/* Each replay's name over its two columns. */
static void mismatch_head(FILE *out, const struct picture *p)
{
	fputs("<thead><tr><th rowspan=\"2\" scope=\"col\">free blocks</th>"
	      "<th rowspan=\"2\" scope=\"col\">machine</th>",
	      out);
	for (unsigned n = 0; n < p->nr_runs; n++) {
		fputs("<th class=\"run\" scope=\"colgroup\" colspan=\"2\">", out);
		put_text(out, replay_label(&p->runs[n]).text);
		fputs("</th>", out);
	}
	fputs("</tr><tr>", out);
	for (unsigned n = 0; n < p->nr_runs; n++)
		fputs("<th scope=\"col\">model</th><th class=\"off\" scope=\"col\">off by</th>",
		      out);
	fputs("</tr></thead><tbody>\n", out);
}

static void put_order(FILE *out, unsigned order)
{
	fputs("<th scope=\"row\">", out);
	put_text(out, label_bytes(exp2(QR_PAGE_SHIFT + order)).text);
	fprintf(out, " <span>order %u</span></th>", order);
}

static void mismatch_orders(FILE *out, const struct picture *p, unsigned z)
{
	double largest = largest_off(p, z);

	for (unsigned o = REPLAY_ORDERS; o-- > 0;) {
		fputs("<tr>", out);
		put_order(out, o);
		put_machine(out, p, p->runs[0].zones[z].machine_blocks[o]);
		for (unsigned n = 0; n < p->nr_runs; n++)
			put_pair(out, p, p->runs[n].zones[z].model_blocks[o],
				 p->runs[n].zones[z].machine_blocks[o], exp2(o), largest);
		fputs("</tr>\n", out);
	}
}

static void mismatch_sums(FILE *out, const struct picture *p, unsigned z)
{
	char name[48];

	fputs("<tr class=\"sum\">", out);
	put_head(out, "free pages");
	put_machine(out, p, p->runs[0].zones[z].machine_free);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_pair(out, p, p->runs[n].zones[z].model_free, p->runs[n].zones[z].machine_free,
			 0, 1);
	fputs("</tr>\n<tr>", out);
	snprintf(name, sizeof(name), "%.20s blocks", label_pageblock().text);
	put_head(out, name);
	put_machine(out, p, p->runs[0].zones[z].machine_2m);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_pair(out, p, p->runs[n].zones[z].model_2m, p->runs[n].zones[z].machine_2m, 0,
			 1);
	fputs("</tr>\n<tr>", out);
	put_head(out, "pages in caches");
	put_machine(out, p, p->runs[0].zones[z].machine_pcp);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_pair(out, p, p->runs[n].zones[z].model_pcp, p->runs[n].zones[z].machine_pcp, 0,
			 1);
	fputs("</tr>\n", out);
}

/* In thousandths; -1000: it does not apply, since a block of that size is free. */
static void put_index(FILE *out, int thousandths)
{
	fprintf(out, "<td>%s%.3f</td><td></td>", thousandths < 0 ? "\xe2\x88\x92" : "",
		fabs(thousandths / 1000.0));
}

static void mismatch_indices(FILE *out, const struct picture *p, unsigned z)
{
	fputs("<tr>", out);
	put_head(out, "unusable free space index");
	put_unknown(out);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_index(out, p->runs[n].zones[z].unusable);
	fputs("</tr>\n<tr>", out);
	put_head(out, "fragmentation index");
	put_unknown(out);
	for (unsigned n = 0; n < p->nr_runs; n++)
		put_index(out, p->runs[n].zones[z].fragindex);
	fputs("</tr>\n", out);
}

static bool all_exact(const struct picture *p, unsigned z)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		const struct replay_zone_end *end = &p->runs[n].zones[z];

		for (unsigned o = 0; o < REPLAY_ORDERS; o++) {
			if (end->model_blocks[o] != end->machine_blocks[o])
				return false;
		}
	}
	return p->machine->has_after;
}

/* A zone without any mismatch is folded up. */
void put_mismatch(FILE *out, const struct picture *p)
{
	for (unsigned z = 0; z < p->runs[0].nr_zones; z++) {
		const struct replay_zone_end *zone = &p->runs[0].zones[z];
		bool exact = all_exact(p, z);
		char caption[160];

		snprintf(caption, sizeof(caption), "%s, %s", label_zone(zone->nid, zone->type).text,
			 label_bytes((double)zone->managed * (1u << QR_PAGE_SHIFT)).text);
		if (exact) {
			fputs("<details class=\"exact\"><summary>", out);
			put_text(out, caption);
			fputs(": exact in every size</summary>\n", out);
		}
		table_begin(out, "mismatch", exact ? NULL : caption);
		mismatch_head(out, p);
		mismatch_orders(out, p, z);
		mismatch_sums(out, p, z);
		mismatch_indices(out, p, z);
		table_end(out);
		if (exact)
			fputs("</details>\n", out);
	}
}
