/* SPDX-License-Identifier: MIT */
/*
 * contestants.c - who is there, by name or by path
 */
#include <dlfcn.h>
#include <string.h>

#include "bench.h"

const struct contestant *const contestants[] = {
	&contestant_list,      &contestant_bitmap,
	&contestant_list_cpus, &contestant_bitmap_cpus,
	&contestant_glibc,     &contestant_jemalloc,
	&contestant_mimalloc,  &contestant_mmap,
	&contestant_nothing,   NULL,
};

/* No allocator at all: what remains is the cost of the bench's own loops. */

static char nothing_page[1];

static void *nothing_open(uint64_t bytes, unsigned threads)
{
	(void)bytes, (void)threads;
	return nothing_page;
}

static void nothing_close(void *pool)
{
	(void)pool;
}

static void *nothing_get(void *pool, unsigned order)
{
	(void)order;
	return pool;
}

static void nothing_put(void *pool, void *pages, unsigned order)
{
	(void)pool, (void)pages, (void)order;
}

const struct contestant contestant_nothing = {
	.name = "nothing",
	.what = "gives out one page to all: what the loops themselves cost",
	.open = nothing_open,
	.close = nothing_close,
	.get = nothing_get,
	.put = nothing_put,
	.no_pool = true,
	.by_name_only = true,
};

/* Finding them ----------------------------------------------------------------------------- */

/* What was compiled with an older contestant.h lacks the fields at the end. */
static bool plugin_take(const struct contestant *theirs, struct contestant *who, const char **why)
{
	memset(who, 0, sizeof(*who));
	if (theirs->size < offsetof(struct contestant, enter) || theirs->size > 4096) {
		*why = "the size in its contestant_plugin is not that of a struct contestant";
		return false;
	}
	memcpy(who, theirs, theirs->size < sizeof(*who) ? theirs->size : sizeof(*who));
	if (who->name && who->what && who->open && who->close && who->get && who->put)
		return true;
	*why = "its contestant_plugin lacks a name, a description or a function";
	return false;
}

static const struct contestant *plugin_load(const char *path, const char **why)
{
	static struct contestant plugins[MAX_CONTESTANTS];
	static unsigned nr;
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct contestant *theirs;

	if (!object) {
		*why = dlerror();
		return NULL;
	}
	theirs = dlsym(object, "contestant_plugin");
	if (!theirs)
		*why = "it defines no contestant_plugin";
	else if (nr == MAX_CONTESTANTS)
		*why = "too many shared objects";
	else if (plugin_take(theirs, &plugins[nr], why))
		return &plugins[nr++];
	dlclose(object);
	return NULL;
}

const struct contestant *contestant_find(const char *name, const char **why)
{
	if (strchr(name, '/'))
		return plugin_load(name, why);
	for (unsigned i = 0; contestants[i]; i++) {
		if (strcmp(contestants[i]->name, name) == 0)
			return contestants[i];
	}
	*why = "there is none of this name; the path of a shared object has a '/' in it";
	return NULL;
}
