/* SPDX-License-Identifier: MIT */
/*
 * json.c - what every JSON output of quire has in common
 */
#include "json.h"

#include <quire/quire.h>
#include <stdio.h>

json_t *json_document(const char *schema, int version)
{
	json_t *document = json_object();

	json_put_text(document, "schema", schema);
	json_put(document, "version", json_integer(version));
	json_put_text(document, "quire", qr_version());
	return document;
}

void json_put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

void json_put_number(json_t *object, const char *key, uint64_t value)
{
	json_put(object, key, json_integer((json_int_t)value));
}

void json_put_real(json_t *object, const char *key, double value)
{
	json_put(object, key, json_real(value));
}

void json_put_text(json_t *object, const char *key, const char *value)
{
	json_put(object, key, value ? json_string(value) : json_null());
}

void json_put_flag(json_t *object, const char *key, bool value)
{
	json_put(object, key, json_boolean(value));
}

json_t *json_numbers(const uint64_t *values, unsigned nr)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < nr; i++)
		json_array_append_new(array, json_integer((json_int_t)values[i]));
	return array;
}

bool json_finish(json_t *document)
{
	int failed = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

	json_decref(document);
	return !failed && putchar('\n') != EOF && fflush(stdout) == 0;
}
