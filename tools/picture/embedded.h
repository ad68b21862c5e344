/* SPDX-License-Identifier: MIT */
/*
 * picture/embedded.h - the files of this folder that are compiled in, by scripts/embed
 */
#ifndef QUIRE_PICTURE_EMBEDDED_H
#define QUIRE_PICTURE_EMBEDDED_H

extern const char embedded_figure_css[];
extern const char embedded_page_css[];
extern const char embedded_page_html[];
extern const char embedded_page_js[];
extern const char embedded_sweep_html[];

#endif /* QUIRE_PICTURE_EMBEDDED_H */
