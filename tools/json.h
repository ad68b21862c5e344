/* SPDX-License-Identifier: MIT */
/*
 * json.h - what every JSON output of quire has in common
 *
 * Each document is one object that begins with "schema", which names its form, "version", a number
 * that grows when a field changes its meaning or goes away (not when one is added), and "quire",
 * the version of the program.
 */
#ifndef QUIRE_TOOLS_JSON_H
#define QUIRE_TOOLS_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *json_document(const char *schema, int version);

void json_put(json_t *object, const char *key, json_t *value);
void json_put_number(json_t *object, const char *key, uint64_t value);
void json_put_real(json_t *object, const char *key, double value);
void json_put_text(json_t *object, const char *key, const char *value);
void json_put_flag(json_t *object, const char *key, bool value);

/* An array of numbers. */
json_t *json_numbers(const uint64_t *values, unsigned nr);

/* Write a document to stdout and drop it; false: it could not be written. */
bool json_finish(json_t *document);

#endif /* QUIRE_TOOLS_JSON_H */
