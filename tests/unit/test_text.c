/* SPDX-License-Identifier: MIT */
/*
 * test_text.c - text without a libc, against the libc's
 */
#include "support.h"

#include "base/base.h"
#include "base/text.h"

/* Formats are what is tested here, odd ones too. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wformat-overflow"
#endif

/* The same through both; every buffer size from 0 to a few. */
#define same(...) \
	do { \
		char expected[512], buf[512]; \
		int length = snprintf(expected, sizeof(expected), __VA_ARGS__); \
		struct qr_text text = qr__text(buf, sizeof(buf)); \
		qr__text_printf(&text, __VA_ARGS__); \
		assert_string_equal(buf, expected); \
		assert_int_equal(text.len, length); \
	} while (0)

static void conversions(void **state)
{
	(void)state;
	same("plain, 100%% so");
	same("%c%c", 'a', 'b');
	same("[%3c|%-3c]", 'x', 'y');
	same("%s [%5s] [%-5s] [%.2s] [%5.1s] [%.*s] [%*s] [%-*s]", "one", "two", "thr", "four",
	     "five", 2, "six", 6, "seven", 7, "eight");
	same("%.3s", "abcdef");
	same("%d %i %u", -1, 0, 4294967295u);
	same("%d %d", INT32_MIN, INT32_MAX);
	same("%lld %llu", (long long)INT64_MIN, (unsigned long long)UINT64_MAX);
	same("%ld %lu %lx", -5L, 5UL, 255UL);
	same("%zu %zx", (size_t)12345, (size_t)SIZE_MAX);
	same("[%5d] [%-5d] [%05d] [%5d] [%05d]", 42, 42, 42, -42, -42);
	same("%x %X %#x %#X %#x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0u);
	same("[%#10x] [%#010x] [%-#10x]", 0xbeu, 0xbeu, 0xbeu);
	same("[%08llx]", 0x1234ULL);
	same("[%*d] [%-*d] [%*d]", 6, 7, 6, 7, -6, 7);
	same("[%-05d]", 3);
	same("%p", (void *)(uintptr_t)0xdeadbee0);
}

/* A random conversion in fmt; returns the kind of argument it takes. */
enum kind { KIND_INT, KIND_LONG, KIND_LLONG, KIND_SIZE, KIND_STRING, KIND_CHAR };

static enum kind random_format(char *fmt, uint64_t *random)
{
	static const char numbers[] = {'d', 'i', 'u', 'x', 'X'};
	static const char *const lengths[] = {"", "l", "ll", "z"};
	enum kind kind = (enum kind)test_random_below(random, 6);
	bool number = kind < KIND_STRING;
	bool zero = number && test_random_below(random, 2);
	char letter = numbers[test_random_below(random, 5)];
	char *p = fmt;

	p += sprintf(p, "<%%");
	if (test_random_below(random, 3) == 0)
		*p++ = '-', zero = false; /* the compiler's own printf warns of both */
	if (zero)
		*p++ = '0';
	if (number && (letter == 'x' || letter == 'X') && test_random_below(random, 2))
		*p++ = '#';
	if (test_random_below(random, 2))
		p += sprintf(p, "%u", 1 + (unsigned)test_random_below(random, 30));
	if (kind == KIND_STRING && test_random_below(random, 2))
		p += sprintf(p, ".%u", (unsigned)test_random_below(random, 12));
	if (number)
		sprintf(p, "%s%c>", lengths[kind], letter);
	else
		sprintf(p, "%c>", kind == KIND_STRING ? 's' : 'c');
	return kind;
}

/* Small numbers, large ones, and those about the ends. */
static uint64_t random_value(uint64_t *random)
{
	uint64_t value = test_random(random) >> test_random_below(random, 64);

	switch (test_random_below(random, 4)) {
	case 0:
		return 0 - value;
	case 1:
		return test_random_below(random, 3) - 1;
	default:
		return value;
	}
}

static void random_conversions(void **state)
{
	uint64_t seed = test_seed(21), random = seed;

	(void)state;
	print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 50000; round++) {
		uint64_t value = random_value(&random);
		char fmt[64], string[16];

		snprintf(string, sizeof(string), "%llu", (unsigned long long)value);
		switch (random_format(fmt, &random)) {
		case KIND_INT:
			same(fmt, (int)value);
			break;
		case KIND_LONG:
			same(fmt, (long)value);
			break;
		case KIND_LLONG:
			same(fmt, (long long)value);
			break;
		case KIND_SIZE:
			same(fmt, (size_t)value);
			break;
		case KIND_STRING:
			same(fmt, string);
			break;
		default:
			same(fmt, 'a' + (int)(value % 26));
			break;
		}
	}
}

static void short_buffers(void **state)
{
	const char *fmt = "pfn %#llx of node %d";
	char expected[64], buf[64];
	int length = snprintf(expected, sizeof(expected), fmt, 0x1234ULL, 7);

	(void)state;
	for (size_t size = 0; size <= (size_t)length + 2; size++) {
		struct qr_text text;

		memset(buf, '#', sizeof(buf));
		text = qr__text(buf, size);
		qr__text_printf(&text, fmt, 0x1234ULL, 7);
		assert_int_equal(text.len, length);
		snprintf(expected, size, fmt, 0x1234ULL, 7);
		if (size)
			assert_string_equal(buf, expected);
		assert_int_equal(buf[size], '#');
	}
}

/* What is none of ours stays visible, and takes no argument. */
static void unknown_conversions(void **state)
{
	char buf[64];
	struct qr_text text = qr__text(buf, sizeof(buf));
	const char *fmts[] = {"%q and %d", "%5.2f %d"};

	(void)state;
	qr__text_printf(&text, fmts[0], 5);
	assert_string_equal(buf, "%q and 5");
	text = qr__text(buf, sizeof(buf));
	qr__text_printf(&text, fmts[1], 5);
	assert_string_equal(buf, "%5.2f 5");
	text = qr__text(buf, sizeof(buf));
	qr__text_str(&text, "50");
	qr__text_printf(&text, "%s", "%");
	qr__text_printf(&text, "%-4");
	assert_string_equal(buf, "50%%-4");
	text = qr__text(buf, sizeof(buf));
	qr__text_printf(&text, "%s", (const char *)NULL);
	assert_string_equal(buf, "(null)");
}

static void equal_strings(void **state)
{
	(void)state;
	assert_true(qr__streq("", ""));
	assert_true(qr__streq("list", "list"));
	assert_false(qr__streq("list", "lis"));
	assert_false(qr__streq("lis", "list"));
	assert_false(qr__streq("a", "b"));
}

/* Lines, sentences and last words. */
static void messages(void **state)
{
	struct test_machine *m = test_machine_new();
	struct qr_base base = {.platform = m->config.platform, .nr_cpus = 1};
	struct qr_error_text why = {""};
	char wide[600];

	(void)state;
	qr__log(&base, QR_LOG_WARN, "pfn %#llx is %s", 16ULL, "odd");
	assert_string_equal(m->last_line, "pfn 0x10 is odd");
	assert_int_equal(m->nr_lines[QR_LOG_WARN], 1);

	memset(wide, 'w', sizeof(wide));
	wide[sizeof(wide) - 1] = '\0';
	qr__log(&base, QR_LOG_INFO, "%s", wide);
	assert_int_equal(strlen(m->last_line), 255);
	qr__why(&why, "%s", wide);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	qr__why(NULL, "%s", wide);

	test_panics(m, "block 3 is lost", qr__panic(&base, "block %d is lost", 3));
	base.platform.log = NULL;
	qr__log(&base, QR_LOG_ERR, "nobody hears this");
	assert_int_equal(m->nr_lines[QR_LOG_ERR], 0);
	test_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions),   cmocka_unit_test(random_conversions),
		cmocka_unit_test(short_buffers), cmocka_unit_test(unknown_conversions),
		cmocka_unit_test(equal_strings), cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
