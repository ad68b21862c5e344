/* SPDX-License-Identifier: MIT */
/*
 * create.c - the beginning and the end of an instance
 *
 * An instance lives in one piece of memory, which its owner provides.  It is cut into rooms from
 * the bottom up: the instance itself, then the rooms of each layer, lowest layer first.  Two walks
 * over the same functions do that: the first adds up sizes (qr_metadata_size), the second also
 * notes where each room is (qr_create).
 *
 * Creation goes the way of a boot: what memory there is, in which order zones are tried, how much
 * of them is to be left alone, and only then is memory handed to the allocator.  All that can be
 * wrong with a description is found before the first byte is written.
 */
#include "../base/text.h"
#include "../frames/layout.h"
#include "instance.h"

#define REFUSE(why, error, ...) (qr__why((why), __VA_ARGS__), (error))

/* What the generator starts from where no seed is given; any number would do. */
#define DEFAULT_SEED UINT64_C(0x7175697265)

/* Checks and sizes ------------------------------------------------------------------------- */

static void engine_names(char *buf, size_t size)
{
	struct qr_text text = qr__text(buf, size);
	const struct qr_buddy_ops *ops;

	for (unsigned i = 0; (ops = qr__buddy_engine_at(i)); i++)
		qr__text_printf(&text, "%s\"%s\"", i ? ", " : "", ops->name);
}

static int engine_check(const struct qr_config *config, struct qr_error_text *why)
{
	char names[64];

	if (config->guard_minorder && qr__buddy_engine(config->engine) &&
	    !qr__buddy_engine(config->engine)->guards)
		return REFUSE(
			why, QR_EINVAL,
			"the \"%s\" engine has no guard pages (guard_minorder %u): use \"list\"",
			config->engine, config->guard_minorder);
	if (qr__buddy_engine(config->engine))
		return 0;
	engine_names(names, sizeof(names));
	return REFUSE(why, QR_EINVAL, "there is no buddy engine \"%s\": there is %s",
		      config->engine, names);
}

static int plan(struct qr_layout *layout, const struct qr_config *config, struct qr_error_text *why)
{
	int error = qr__layout_plan(layout, config, why);

	return error ? error : engine_check(config, why);
}

/* The one order of rooms; without an instance only their sizes are added up. */
static void rooms(struct qr_layout *layout, struct quire *q_or_null, char *memory)
{
	layout->offset = 0;
	qr__layout_room(layout, sizeof(struct quire), _Alignof(struct quire));
	qr__frames_rooms(layout, q_or_null ? qr__frames(q_or_null) : NULL, memory);
	qr__allocator_rooms(layout, q_or_null ? qr__allocator(q_or_null) : NULL, memory);
	qr__owner_rooms(layout, q_or_null, memory);
}

static size_t rooms_size(struct qr_layout *layout)
{
	rooms(layout, NULL, NULL);
	return (size_t)qr__align_up(layout->offset, QR_METADATA_ALIGN);
}

int qr_metadata_size(const struct qr_config *config, size_t *size, struct qr_error_text *why)
{
	struct qr_layout layout;
	int error = plan(&layout, config, why);

	if (!error)
		*size = rooms_size(&layout);
	return error;
}

static int memory_check(const void *memory, size_t size, size_t needed, struct qr_error_text *why)
{
	if (!memory)
		return REFUSE(why, QR_EINVAL, "there is no memory for the metadata: %zu bytes",
			      needed);
	if ((uintptr_t)memory % QR_METADATA_ALIGN)
		return REFUSE(why, QR_EINVAL,
			      "the metadata's memory at %p is misaligned: align it to %u bytes",
			      memory, (unsigned)QR_METADATA_ALIGN);
	if (size < needed)
		return REFUSE(why, QR_ENOMEM,
			      "the metadata's memory has %zu bytes: this machine needs %zu", size,
			      needed);
	return 0;
}

/* Creation --------------------------------------------------------------------------------- */

static void base_init(struct qr_base *base, const struct qr_config *config)
{
	base->platform = config->platform;
	base->nr_cpus = config->nr_cpus;
	qr__lock_init(&base->local_all_lock, QR_RANK_LOCAL_ALL);
	atomic_init(&base->random, config->seed ? config->seed : DEFAULT_SEED);
	qr__workqueue_init(base);
}

static void instance_init(struct quire *q, struct qr_layout *layout, char *memory)
{
	const struct qr_config *config = layout->config;

	base_init(qr__base(q), config);
	rooms(layout, q, memory);
	qr__frames_init(qr__frames(q), layout);
	qr__zonelists_rebuild(qr__frames(q));
	qr__allocator_init(qr__allocator(q), config);
	qr__release_memory(qr__allocator(q));
}

int qr_create(const struct qr_config *config, void *memory, size_t size, struct quire **q,
	      struct qr_error_text *why)
{
	struct qr_layout layout;
	size_t needed;
	int error = plan(&layout, config, why);

	if (error)
		return error;
	needed = rooms_size(&layout);
	error = memory_check(memory, size, needed, why);
	if (error)
		return error;

	if (!(config->options & QR_OPT_METADATA_ZEROED))
		__builtin_memset(memory, 0, needed);
	instance_init(memory, &layout, memory);
	qr__watch(memory)->metadata_size = needed;
	*q = memory;
	return 0;
}

/* What is left behind is zero, so that a late call meets no hooks, no zones and no memory. */
void qr_destroy(struct quire *q)
{
	if (q)
		__builtin_memset(q, 0, sizeof(*q));
}

const char *qr_engine_name(unsigned i)
{
	const struct qr_buddy_ops *ops = qr__buddy_engine_at(i);

	return ops ? ops->name : NULL;
}
