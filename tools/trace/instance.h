/* SPDX-License-Identifier: MIT */
/*
 * trace/instance.h - a trace instance of one's own, which does not outlive its owner
 *
 * The kernel goes on tracing into an instance until somebody removes it, and the machine pays for
 * it.  So a child waits for the owner's end, however it comes, and removes the instance if the
 * owner could not.  Where the child was killed, too, the next one to open an instance cleans up.
 */
#ifndef QUIRE_TRACE_INSTANCE_H
#define QUIRE_TRACE_INSTANCE_H

#include <sys/types.h>
#include <tracefs.h>

struct instance {
	struct tracefs_instance *of;
	pid_t watcher; /* 0: there is none */
	int leash; /* the watcher's pipe: it ends with whoever holds it */
};

/* 0, or a negative errno.  Tracing is off. */
int instance_open(struct instance *instance);
/* Harmless where nothing was opened. */
void instance_close(struct instance *instance);

#endif /* QUIRE_TRACE_INSTANCE_H */
