/* SPDX-License-Identifier: MIT */
/*
 * linux_pool.h - what the tests of the hosted port share
 */
#ifndef QR_TESTS_LINUX_POOL_H
#define QR_TESTS_LINUX_POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <quire/inspect.h>
#include <quire/linux.h>

#include "base/base.h"
#include "engine.h"

#define MIB (UINT64_C(1) << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline struct qr_linux_pool *pool_open(const struct qr_linux_config *config)
{
	struct qr_linux_config described = *config;
	struct qr_error_text why = {""};
	struct qr_linux_pool *pool = NULL;

	if (!described.machine.engine)
		described.machine.engine = test_engine();
	if (qr_linux_open(&described, &pool, &why) < 0)
		fail_msg("qr_linux_open: %s", why.text);
	return pool;
}

static inline const struct qr_platform *hooks_of(struct qr_linux_pool *pool)
{
	return &qr__base(qr_linux_quire(pool))->platform;
}

static inline void check_clean(struct qr_linux_pool *pool)
{
	struct qr_error_text why = {""};

	if (qr_check(qr_linux_quire(pool), &why))
		fail_msg("%s", why.text);
}

static inline unsigned entries_of(const char *path)
{
	DIR *dir = opendir(path);
	unsigned nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* How many mappings of pools there are. */
static inline unsigned pool_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned nr = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		nr += strstr(line, "memfd:quire") != NULL;
	fclose(maps);
	return nr;
}

static inline void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

#endif /* QR_TESTS_LINUX_POOL_H */
