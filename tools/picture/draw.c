/* SPDX-License-Identifier: MIT */
/*
 * picture/draw.c - what all figures share: text, scales, axes, legends
 */
#include "draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Text --------------------------------------------------------------------------------------- */

/* The length of the UTF-8 character at s that XML allows; 0: there is none. */
static unsigned utf8_length(const unsigned char *s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = length == 1 ? s[0] : s[0] & (0x7fu >> length);

	if (!length || s[0] > 0xf4)
		return 0;
	for (unsigned i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return 0;
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code & 0xfffe) == 0xfffe ? 0
											 : length;
}

void put_text(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned length = utf8_length(at);

		if (*at == '\t' || *at == '\n' || *at == '\r')
			fputc(' ', out);
		else if (!length)
			fputs("\xef\xbf\xbd", out);
		else if (*at == '<')
			fputs("&lt;", out);
		else if (*at == '>')
			fputs("&gt;", out);
		else if (*at == '&')
			fputs("&amp;", out);
		else if (*at == '"')
			fputs("&quot;", out);
		else if (*at == '\'')
			fputs("&#39;", out);
		else
			fwrite(at, 1, length, out);
		at += length ? length : 1;
	}
}

void put_number(FILE *out, double value)
{
	long tenths = lround(value * 10);

	if (tenths < 0)
		fputc('-', out);
	tenths = labs(tenths);
	if (tenths % 10 == 0)
		fprintf(out, "%ld", tenths / 10);
	else if (tenths < 10)
		fprintf(out, ".%ld", tenths);
	else
		fprintf(out, "%ld.%ld", tenths / 10, tenths % 10);
}

void put_label(const struct drawing *d, double x, double y, const char *class, const char *anchor,
	       const char *text)
{
	fprintf(d->out, "<text class=\"%s\" x=\"", class);
	put_number(d->out, x);
	fputs("\" y=\"", d->out);
	put_number(d->out, y);
	if (strcmp(anchor, "start") != 0)
		fprintf(d->out, "\" text-anchor=\"%s", anchor);
	fputs("\">", d->out);
	put_text(d->out, text);
	fputs("</text>\n", d->out);
}

/* Three digits that count, and a binary unit. */
struct label label_bytes(double bytes)
{
	struct unit unit = unit_bytes(bytes);
	double value = bytes / unit.size;
	int digits = value >= 99.95 || value == floor(value) ? 0 : value >= 9.995 ? 1 : 2;
	struct label label;

	snprintf(label.text, sizeof(label.text), "%.*f%s", digits, value, unit.name);
	return label;
}

struct label label_pageblock(void)
{
	return label_bytes(exp2(QR_PAGE_SHIFT + QR_PAGEBLOCK_ORDER));
}

struct label label_order(unsigned order)
{
	struct label label;

	snprintf(label.text, sizeof(label.text), "order %u, %.40s", order,
		 label_bytes(exp2(QR_PAGE_SHIFT + order)).text);
	return label;
}

struct label label_off(uint64_t model, uint64_t machine)
{
	double off = ((double)model - (double)machine) * 100;
	struct label label;

	if (model == machine)
		snprintf(label.text, sizeof(label.text), "exact");
	else if (!machine)
		snprintf(label.text, sizeof(label.text), "+%llu", (unsigned long long)model);
	else
		snprintf(label.text, sizeof(label.text), "%s%.*f %%", off > 0 ? "+" : "\u2212",
			 fabs(off) >= 10.0 * (double)machine ? 0
			 : fabs(off) < 0.1 * (double)machine ? 2
							     : 1,
			 fabs(off) / (double)machine);
	return label;
}

struct label label_zone(int nid, enum qr_zone_type type)
{
	struct label label;

	snprintf(label.text, sizeof(label.text), "node %d %s", nid, qr_zone_type_name(type));
	return label;
}

struct label label_cut(const char *text, size_t columns)
{
	struct label label;
	size_t length = strlen(text), head, tail;

	if (columns > sizeof(label.text) - 4)
		columns = sizeof(label.text) - 4;
	if (length <= columns || columns < 8) {
		snprintf(label.text, sizeof(label.text), "%.*s", (int)sizeof(label.text) - 1, text);
		return label;
	}
	head = columns / 3;
	tail = length - (columns - head - 1);
	/* not in the middle of a character */
	while (head && ((unsigned char)text[head] & 0xc0) == 0x80)
		head--;
	while (tail < length && ((unsigned char)text[tail] & 0xc0) == 0x80)
		tail++;
	snprintf(label.text, sizeof(label.text), "%.*s\u2026%s", (int)head, text, text + tail);
	return label;
}

/* Series ------------------------------------------------------------------------------------- */

double *series_seconds(const struct picture *p, const struct replay_result *r)
{
	double *seconds = calloc(r->nr_samples + 1, sizeof(*seconds));
	uint64_t last = p->machine->trace->totals.first_ns;

	for (unsigned i = 0; seconds && i < r->nr_samples; i++) {
		if (r->samples[i].time_ns > last)
			last = r->samples[i].time_ns;
		seconds[i] = (double)(last - p->machine->trace->totals.first_ns) / 1e9;
	}
	return seconds;
}

double series_span(const struct picture *p)
{
	uint64_t first = p->machine->trace->totals.first_ns, last = first;

	for (unsigned n = 0; n < p->nr_runs; n++) {
		for (unsigned i = 0; i < p->runs[n].nr_samples; i++) {
			if (p->runs[n].samples[i].time_ns > last)
				last = p->runs[n].samples[i].time_ns;
		}
	}
	return last > first ? (double)(last - first) / 1e9 : 1e-6;
}

/* Scales ------------------------------------------------------------------------------------- */

struct unit unit_time(double seconds)
{
	static const struct {
		double from;
		struct unit unit;
	} units[] = {
		{2 * 86400, {86400, " d"}}, {2 * 3600, {3600, " h"}}, {180, {60, " min"}},
		{0.5, {1, " s"}},           {0.5e-3, {1e-3, " ms"}},
	};

	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (seconds >= units[i].from)
			return units[i].unit;
	}
	return (struct unit){1e-6, " \u00b5s"};
}

struct unit unit_bytes(double bytes)
{
	static const char *const names[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
	unsigned i = 0;
	double size = 1;

	while (i < 5 && bytes >= 1024 * size) {
		size *= 1024;
		i++;
	}
	return (struct unit){size, names[i]};
}

/* 1, 2 or 5 times a power of ten. */
static double round_step(double about)
{
	double power = pow(10, floor(log10(about)));
	double lead = about / power;

	return power * (lead > 5.001 ? 10 : lead > 2.001 ? 5 : lead > 1.001 ? 2 : 1);
}

struct scale scale_of(double low, double high, struct unit unit, unsigned nr, bool whole)
{
	struct scale s = {.low = low, .high = high, .unit = unit};
	double step;

	if (!(s.high > s.low)) {
		s.low = low >= unit.size ? low - unit.size : 0;
		s.high = s.low + 2 * unit.size;
	}
	step = round_step((s.high - s.low) / unit.size / nr);
	if (whole && step < 1)
		step = 1;
	s.digits = step < 0.999 ? (int)ceil(-log10(step) - 1e-9) : 0;
	s.step = step * unit.size;
	s.first = ceil(s.low / s.step - 1e-9) * s.step;
	return s;
}

struct scale scale_round(double low, double high, struct unit unit, unsigned nr, bool whole)
{
	struct scale s = scale_of(low, high, unit, nr, whole);

	s.low = floor(s.low / s.step + 1e-9) * s.step;
	s.high = ceil(s.high / s.step - 1e-9) * s.step;
	s.first = s.low;
	return s;
}

double scale_place(const struct scale *s, double value, double from, double to)
{
	return from + (value - s->low) / (s->high - s->low) * (to - from);
}

static unsigned nr_ticks(const struct scale *s)
{
	return (unsigned)(floor((s->high - s->first) / s->step + 1e-6) + 1);
}

/* Thousands apart, as everywhere. */
static struct label tick_text(const struct scale *s, double value)
{
	struct label plain, label;
	size_t length, whole, at = 0;

	snprintf(plain.text, sizeof(plain.text), "%.*f", s->digits, fabs(value / s->unit.size));
	length = strlen(plain.text);
	whole = strcspn(plain.text, ".");
	for (size_t i = 0; i < length && at < sizeof(label.text) - 16; i++) {
		if (i && i < whole && (whole - i) % 3 == 0)
			label.text[at++] = ' ';
		label.text[at++] = plain.text[i];
	}
	snprintf(label.text + at, sizeof(label.text) - at, "%s", s->unit.name);
	return label;
}

void put_line(const struct drawing *d, const char *class, double x1, double y1, double x2,
	      double y2)
{
	fprintf(d->out, "<path class=\"%s\" d=\"M", class);
	put_number(d->out, x1);
	fputc(' ', d->out);
	put_number(d->out, y1);
	fputc('L', d->out);
	put_number(d->out, x2);
	fputc(' ', d->out);
	put_number(d->out, y2);
	fputs("\"/>\n", d->out);
}

void axis_values(const struct drawing *d, const struct box *plot, const struct scale *s)
{
	for (unsigned i = 0; i < nr_ticks(s); i++) {
		double v = s->first + i * s->step;
		double y = scale_place(s, v, plot->y + plot->height, plot->y);

		put_line(d, i || s->first > s->low ? "grid" : "axis", plot->x, y,
			 plot->x + plot->width, y);
		put_label(d, plot->x - 8, y + 4, "tick", "end", tick_text(s, v).text);
	}
}

void axis_time(const struct drawing *d, const struct box *plot, const struct scale *s)
{
	double bottom = plot->y + plot->height;

	put_line(d, "axis", plot->x, bottom, plot->x + plot->width, bottom);
	for (unsigned i = 0; i < nr_ticks(s); i++) {
		double v = s->first + i * s->step;
		double x = scale_place(s, v, plot->x, plot->x + plot->width);

		put_line(d, "axis", x, bottom, x, bottom + 4);
		put_label(d, x, bottom + 18, "tick", "middle", tick_text(s, v).text);
	}
}

/* Legends ------------------------------------------------------------------------------------ */

/* Text cannot be measured here; a system font of 13 pixels is about so wide. */
static double text_width(const char *text)
{
	double width = 0;

	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80)
			width += strchr("ilj.,:; |'", *text) ? 4.0
				 : strchr("mwMW%", *text)    ? 10.5
							     : 7.3;
	}
	return width;
}

struct legend legend_begin(const struct drawing *d, double y)
{
	return (struct legend){.d = d, .y = y + LEGEND_LINE / 2.0};
}

void legend_entry(struct legend *l, const char *name)
{
	double width = LEGEND_SAMPLE + 6 + text_width(name);

	if (l->x > 0 && l->x + width > l->d->width) {
		l->x = 0;
		l->y += LEGEND_LINE;
	}
}

void legend_name(struct legend *l, const char *name)
{
	put_label(l->d, l->x + LEGEND_SAMPLE + 6, l->y + 4, "name", "start", name);
	l->x += LEGEND_SAMPLE + 18 + text_width(name);
}

double legend_end(const struct legend *l)
{
	return l->y + LEGEND_LINE / 2.0;
}

/* Shapes ------------------------------------------------------------------------------------- */

void path_to(struct path *p, double x, double y)
{
	long tx = lround(x * 10), ty = lround(y * 10);

	fputs(p->begun ? " " : "M", p->out);
	put_number(p->out, (double)(tx - p->x) / 10);
	fputc(' ', p->out);
	put_number(p->out, (double)(ty - p->y) / 10);
	if (!p->begun)
		fputc('l', p->out);
	p->begun = true;
	p->x = tx;
	p->y = ty;
}

void put_box(const struct drawing *d, const char *class, const struct box *b)
{
	fprintf(d->out, "<rect class=\"%s\" x=\"", class);
	put_number(d->out, b->x);
	fputs("\" y=\"", d->out);
	put_number(d->out, b->y);
	fputs("\" width=\"", d->out);
	put_number(d->out, b->width);
	fputs("\" height=\"", d->out);
	put_number(d->out, b->height);
	fputs("\"/>\n", d->out);
}

void put_diamond(const struct drawing *d, double x, double y)
{
	fputs("<path class=\"machine\" d=\"M", d->out);
	put_number(d->out, x);
	fputc(' ', d->out);
	put_number(d->out, y - 6);
	fputs("l6 6-6 6-6-6z\"/>\n", d->out);
}
