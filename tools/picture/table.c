/* SPDX-License-Identifier: MIT */
/*
 * picture/table.c - pieces of HTML tables
 */
#include "table.h"

#include "../replay_report.h"

void table_begin(FILE *out, const char *class, const char *caption)
{
	fprintf(out, "<div class=\"scroll\" tabindex=\"0\"><table class=\"%s\">", class);
	if (caption) {
		fputs("<caption>", out);
		put_text(out, caption);
		fputs("</caption>", out);
	}
	fputc('\n', out);
}

void table_end(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

void table_head_runs(FILE *out, const struct picture *p, const char *rows, bool machine)
{
	fputs("<thead><tr><th scope=\"col\">", out);
	put_text(out, rows);
	fputs("</th>", out);
	if (machine)
		fputs("<th scope=\"col\">machine</th>", out);
	for (unsigned n = 0; n < p->nr_runs; n++) {
		fputs("<th scope=\"col\">", out);
		put_text(out, replay_label(&p->runs[n]).text);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
}

void put_head(FILE *out, const char *text)
{
	fputs("<th scope=\"row\">", out);
	put_text(out, text);
	fputs("</th>", out);
}

void put_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	put_text(out, text);
	fputs("</td>", out);
}

void put_count(FILE *out, uint64_t value)
{
	put_cell(out, text_grouped(value).text);
}

void put_unknown(FILE *out)
{
	fputs("<td class=\"unknown\">\xe2\x80\x93</td>", out);
}
