/* SPDX-License-Identifier: MIT */
/*
 * picture/page.c - the page: page.html or sweep.html with its gaps filled in
 *
 * A gap is written {{name}}; {{figure NAME}} is a figure.
 */
#include "page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../replay_report.h"
#include "../text.h"
#include "embedded.h"
#include "figure.h"
#include "palette.h"

/* Facts -------------------------------------------------------------------------------------- */

/* A file about the recording, without the end of its line. */
static void put_meta(FILE *out, const struct picture *p, const char *before, const char *name)
{
	const struct qtrace_file *file = qtrace_file(p->machine->trace, QTRACE_META, name);
	char text[80];

	if (!file || !file->size)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(file->data, "\r\n"), file->data);
	fputs(before, out);
	put_text(out, text);
}

static uint64_t managed_pages(const struct picture *p)
{
	uint64_t nr = 0;

	for (unsigned z = 0; z < p->runs[0].nr_zones; z++)
		nr += p->runs[0].zones[z].managed;
	return nr;
}

static void put_machine(FILE *out, const struct picture *p)
{
	unsigned nr_nodes = 0;

	for (unsigned z = 0; z < p->runs[0].nr_zones; z++) {
		bool known = false;

		for (unsigned y = 0; y < z; y++)
			known |= p->runs[0].zones[y].nid == p->runs[0].zones[z].nid;
		nr_nodes += !known;
	}
	put_text(out, label_bytes((double)managed_pages(p) * (1u << QR_PAGE_SHIFT)).text);
	fprintf(out, " of memory, %u CPU%s, %u node%s", p->machine->nr_cpus,
		p->machine->nr_cpus == 1 ? "" : "s", nr_nodes, nr_nodes == 1 ? "" : "s");
	put_meta(out, p, ", Linux ", "uname");
	fprintf(out, " \xc2\xb7 %s events in ", text_grouped(p->runs[0].nr_events).text);
	fprintf(out, "%.1f s", series_span(p));
	put_meta(out, p, " \xc2\xb7 ", "command");
}

/* The answer in a sentence or two ------------------------------------------------------------ */

static void put_answer(FILE *out, const struct picture *p)
{
	const struct replay_result *first = &p->runs[0];
	const char *size = p->nr_runs ? "free" : "";

	if (p->machine->has_after)
		fprintf(out, "At the end the machine had <b>%s</b> %s ",
			text_grouped(first->free_2m.machine).text, size);
	else
		fprintf(out, "At the end the model has <b>%s</b> %s ",
			text_grouped(first->free_2m.model).text, size);
	put_text(out, label_pageblock().text);
	fprintf(out, " blocks, of %s at the start.", text_grouped(first->start_2m.machine).text);
	for (unsigned n = 0; p->machine->has_after && n < p->nr_runs && n < 3; n++) {
		fprintf(out, " %s <i>", n ? "With" : "The model has, with");
		put_text(out, replay_label(&p->runs[n]).text);
		fprintf(out, "</i>%s <b>%s</b> (", n ? ":" : ",",
			text_grouped(p->runs[n].free_2m.model).text);
		put_text(out, label_off(p->runs[n].free_2m.model, first->free_2m.machine).text);
		fputs(").", out);
	}
}

/* Gaps --------------------------------------------------------------------------------------- */

static void put_title(FILE *out, const struct picture *p)
{
	const char *slash = strrchr(p->file, '/');

	put_text(out, slash && slash[1] ? slash + 1 : p->file);
}

static void put_version(FILE *out, const struct picture *p)
{
	(void)p;
	put_text(out, qr_version());
}

/* Why the curves do not begin where the machine's snapshot does. */
static void put_recorder(FILE *out, const struct picture *p)
{
	const struct replay_result *r = &p->runs[0];

	if (!r->recorder_pages)
		return;
	fputs(" While the events ran, the recorder\xe2\x80\x99s buffers held ", out);
	put_text(out, label_bytes((double)r->recorder_pages * (1u << QR_PAGE_SHIFT)).text);
	fputs(" of the machine\xe2\x80\x99s memory, and so they do in the model. Its own "
	      "state was saved before they were there, and again when they were gone: so the "
	      "curves begin below the machine\xe2\x80\x99s mark, and rise at the end.",
	      out);
}

static void put_size(FILE *out, const struct picture *p)
{
	(void)p;
	put_text(out, label_pageblock().text);
}

static void put_tunable(FILE *out, const struct picture *p)
{
	put_text(out, p->sweep ? p->sweep->tunable : "");
}

static void put_style(FILE *out, const struct picture *p)
{
	(void)p;
	palette_variables(out);
	fputs(embedded_page_css, out);
	figure_rules(out);
}

static void put_script(FILE *out, const struct picture *p)
{
	(void)p;
	fputs(embedded_page_js, out);
}

static const struct {
	const char *name;
	void (*put)(FILE *out, const struct picture *p);
} gaps[] = {
	{"title", put_title},
	{"machine", put_machine},
	{"answer", put_answer},
	{"compare", put_compare},
	{"books", put_books},
	{"mismatch", put_mismatch},
	{"traffic", put_traffic},
	{"pressure", put_pressure},
	{"unplaced", put_unplaced},
	{"limits", put_limits},
	{"settings", put_settings},
	{"version", put_version},
	{"size", put_size},
	{"style", put_style},
	{"script", put_script},
	{"tunable", put_tunable},
	{"sweep answer", put_sweep_answer},
	{"sweep table", put_sweep_table},
};

static void section_put(FILE *out, const struct figure *f, const struct picture *p)
{
	fprintf(out, "<section id=\"%s\">\n<h2>", f->name);
	put_text(out, figure_title(f).text);
	fputs("</h2>\n<figure>\n", out);
	figure_put(out, f, p);
	fputs("<figcaption>", out);
	put_text(out, f->how);
	if (f->draw == draw_huge)
		put_recorder(out, p);
	fputs("</figcaption>\n</figure>\n</section>\n", out);
}

static int gap_put(FILE *out, const char *name, const struct picture *p)
{
	if (strcmp(name, "data") == 0)
		return put_data(out, p);
	if (strncmp(name, "figure ", 7) == 0 && figure_find(p, name + 7)) {
		section_put(out, figure_find(p, name + 7), p);
		return 0;
	}
	for (unsigned i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
		if (strcmp(gaps[i].name, name) == 0)
			gaps[i].put(out, p);
	}
	return 0;
}

int page_put(FILE *out, const struct picture *p)
{
	const char *at = p->sweep ? embedded_sweep_html : embedded_page_html;
	const char *gap;
	int error = 0;

	while (!error && (gap = strstr(at, "{{")) != NULL) {
		char name[32];
		size_t length = strcspn(gap + 2, "}");

		snprintf(name, sizeof(name), "%.*s", (int)length, gap + 2);
		fwrite(at, 1, (size_t)(gap - at), out);
		error = gap_put(out, name, p);
		at = gap + 2 + length + 2;
	}
	fputs(at, out);
	return error;
}
