/* SPDX-License-Identifier: MIT */
/*
 * trace/instance.c - a trace instance of one's own, which does not outlive its owner
 *
 * An instance is called quire.PID.  The kernel refuses to remove one while anybody reads it, so
 * that of a recorder which is alive somewhere else, by whatever PID, cannot be taken from it.
 */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = "quire.";

/* The kernel may be a moment late in noticing that nobody reads any more. */
static void remove_directory(const char *path)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (unsigned turn = 0; turn < 200; turn++) {
		if (rmdir(path) == 0 || errno != EBUSY)
			return;
		nanosleep(&pause, NULL);
	}
}

/* Is this the name of an instance whose owner is no more?  One of our own PID is such, too. */
static bool is_abandoned(const char *name)
{
	const char *number = name + sizeof(prefix) - 1;
	char *end;
	long pid;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	pid = strtol(number, &end, 10);
	if (end == number || *end || pid <= 0 || pid != (pid_t)pid)
		return false;
	return pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

static void remove_abandoned(void)
{
	char **names = tracefs_instances(NULL);

	for (unsigned i = 0; names && names[i]; i++) {
		char relative[64], *path;

		if (!is_abandoned(names[i]))
			continue;
		snprintf(relative, sizeof(relative), "instances/%.40s", names[i]);
		path = tracefs_get_tracing_file(relative);
		if (path)
			rmdir(path);
		tracefs_put_tracing_file(path);
	}
	tracefs_list_free(names);
}

/* The child.  In a session of its own it is not reached by what ends its owner's. */
static void watch(int leash, const char *path)
{
	char none;

	setsid();
	dup2(leash, STDIN_FILENO);
	closefrom(STDIN_FILENO + 1);
	while (read(STDIN_FILENO, &none, 1) < 0 && errno == EINTR)
		;
	remove_directory(path);
	_exit(0);
}

/* Without a watcher it is as good as long as nobody kills the owner. */
static void watcher_start(struct instance *instance)
{
	char *path = tracefs_instance_get_dir(instance->of);
	int ends[2];

	if (path && pipe2(ends, O_CLOEXEC) == 0) {
		instance->watcher = fork();
		if (instance->watcher == 0) {
			close(ends[1]);
			watch(ends[0], path);
		}
		close(ends[0]);
		instance->leash = ends[1];
		if (instance->watcher < 0) {
			instance->watcher = 0;
			close(ends[1]);
		}
	}
	tracefs_put_tracing_file(path);
}

int instance_open(struct instance *instance)
{
	char name[32];

	remove_abandoned();
	snprintf(name, sizeof(name), "%s%d", prefix, (int)getpid());
	instance->of = tracefs_instance_create(name);
	if (!instance->of)
		return errno ? -errno : -EACCES;
	tracefs_trace_off(instance->of);
	watcher_start(instance);
	return 0;
}

/* Whatever comes: nothing is traced any more. */
void instance_close(struct instance *instance)
{
	char *path;

	if (!instance->of)
		return;
	tracefs_trace_off(instance->of);
	path = tracefs_instance_get_dir(instance->of);
	if (path)
		remove_directory(path);
	tracefs_put_tracing_file(path);
	tracefs_instance_free(instance->of);
	instance->of = NULL;
	if (!instance->watcher)
		return;
	close(instance->leash);
	waitpid(instance->watcher, NULL, 0);
	instance->watcher = 0;
}
