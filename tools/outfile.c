/* SPDX-License-Identifier: MIT */
/*
 * outfile.c - files that are there whole, or not at all
 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Long paths are cut at the front: their end tells more. */
static int outfile_fails(const struct outfile *o, int error, const char *what, char why[256])
{
	size_t length = strlen(o->path);
	const char *tail = length > 150 ? o->path + length - 150 : o->path;

	snprintf(why, 256, "%s%s: %s%s%.60s", tail == o->path ? "" : "...", tail, what,
		 error ? ": " : "", error ? strerror(error) : "");
	return error ? -error : -EINVAL;
}

static void outfile_forget(struct outfile *o)
{
	free(o->path);
	free(o->temporary);
	memset(o, 0, sizeof(*o));
}

/* May something get this name? */
static int outfile_check(const struct outfile *o, bool overwrite, char why[256])
{
	struct stat st;

	if (stat(o->path, &st) < 0)
		return 0;
	if (!overwrite) {
		outfile_fails(o, 0, "exists already; name another file or say --force", why);
		return -EEXIST;
	}
	if (!S_ISREG(st.st_mode))
		return outfile_fails(o, 0, "is not a regular file and cannot be replaced", why);
	return 0;
}

/*
 * A file without a name: whatever ends this process, nothing of it is left.  Not all file systems
 * have that; false: it must be a temporary name.
 */
static bool create_nameless(struct outfile *o)
{
	const char *slash = strrchr(o->path, '/');
	char *dir = slash ? strndup(o->path, (size_t)(slash - o->path) + 1) : strdup(".");

	o->fd = dir ? open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;
	free(dir);
	return o->fd >= 0;
}

static int outfile_create(struct outfile *o, char why[256])
{
	size_t length = strlen(o->path);
	mode_t mask;

	o->temporary = malloc(length + 8);
	if (!o->temporary)
		return outfile_fails(o, ENOMEM, "cannot be created", why);
	snprintf(o->temporary, length + 8, "%s.XXXXXX", o->path);
	o->nameless = create_nameless(o);
	if (o->nameless)
		return 0;
	o->fd = mkstemp(o->temporary);
	if (o->fd < 0) {
		free(o->temporary);
		o->temporary = NULL;
		return outfile_fails(o, errno, "cannot be created", why);
	}
	mask = umask(0);
	umask(mask);
	fchmod(o->fd, 0666 & ~mask);
	return 0;
}

/* Give a nameless file this name, where nothing has it; 0 or an errno. */
static int name_it(const struct outfile *o, const char *name)
{
	char self[40];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

/* A name can only be taken from another file by way of a temporary one, which is made up here. */
static int name_over(const struct outfile *o)
{
	char *end = o->temporary + strlen(o->path) + 1;
	int error = EEXIST;

	for (unsigned turn = 0; error == EEXIST && turn < 1000; turn++) {
		snprintf(end, 7, "%06u", ((unsigned)getpid() * 1009u + turn) % 1000000u);
		error = name_it(o, o->temporary);
	}
	if (!error && rename(o->temporary, o->path) < 0) {
		error = errno;
		unlink(o->temporary);
	}
	return error;
}

static int outfile_name(const struct outfile *o)
{
	int error;

	if (!o->nameless)
		return rename(o->temporary, o->path) < 0 ? errno : 0;
	error = name_it(o, o->path);
	return error == EEXIST && o->overwrite ? name_over(o) : error;
}

int outfile_open(struct outfile *o, const char *path, bool overwrite, char why[256])
{
	int error;

	memset(o, 0, sizeof(*o));
	o->path = strdup(path);
	if (!o->path) {
		snprintf(why, 256, "%.200s: no memory to begin", path);
		return -ENOMEM;
	}
	o->overwrite = overwrite;
	error = outfile_check(o, overwrite, why);
	if (!error)
		error = outfile_create(o, why);
	if (error)
		outfile_forget(o);
	return error;
}

int outfile_write(struct outfile *o, const void *data, size_t size, char why[256])
{
	const char *at = data;

	while (size) {
		ssize_t n = write(o->fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return outfile_fails(o, errno, "cannot write", why);
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int outfile_publish(struct outfile *o, char why[256])
{
	int error = 0;

	if (fsync(o->fd) < 0 && errno != EINVAL)
		error = outfile_fails(o, errno, "cannot write", why);
	if (!error) {
		int failed = outfile_name(o);

		if (failed)
			error = outfile_fails(o, failed, "cannot be given its name", why);
	}
	if (error) {
		outfile_abort(o);
		return error;
	}
	close(o->fd);
	outfile_forget(o);
	return 0;
}

void outfile_abort(struct outfile *o)
{
	if (o->temporary) {
		close(o->fd);
		if (!o->nameless)
			unlink(o->temporary);
	}
	outfile_forget(o);
}
