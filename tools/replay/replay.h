/* SPDX-License-Identifier: MIT */
/*
 * replay/replay.h - a recorded machine, played again on a model of it
 *
 * The steps, each a file:
 *
 *	scan.c		one pass over the events: what they tell of the time before them (which
 *			frames were in use as blocks of which order, which waited in which CPU's
 *			cache)
 *	types.c		which pageblock was of which migratetype: only the counts are recorded, the
 *			rest is fitted to what is known
 *	told.c		the same, where a file tells it: in the saved end of a replay
 *	caches.c	what else waited in caches
 *	model.c		an instance of Quire in the state of the machine at the first event
 *	play.c		each event on its CPU, in order, at its time
 *	recorder.c	what the recorder took before the first event and gave back after the last
 *	outcome.c	the model's end beside the machine's
 *	maps.c		what each pageblock holds, before and after
 *	books.c		where the difference in free pages comes from
 *	limits.c	what the trace cannot tell
 *
 * A recorded frame and the model's frame for it are two things: the model decides by itself where
 * an allocation goes.  A map from the one to the other turns recorded frees into the model's.
 */
#ifndef QUIRE_REPLAY_REPLAY_H
#define QUIRE_REPLAY_REPLAY_H

#include "../trace/qtrace.h"
#include "../trace/state.h"
#include <quire/inspect.h>

#define REPLAY_ORDERS QR_NR_PAGE_ORDERS
#define REPLAY_LABEL_SIZE 128

/*
 * A replay that names no engine has the one that does as Linux does, whichever is the library's
 * default: only it can be held against the recorded machine.
 */
#define REPLAY_ENGINE "list"

/* Why an event could not be played as it was recorded. */
enum replay_cause {
	REPLAY_FREE_UNKNOWN, /* free of a frame that was free, as far as anybody knows */
	REPLAY_FREE_PARTLY, /* free of a block of which a part was in use: that was freed */
	REPLAY_FREE_OUTSIDE, /* free of a frame outside the machine */
	REPLAY_ALLOC_TWICE, /* allocation of a frame whose free was not recorded: freed first */
	REPLAY_ALLOC_OUTSIDE, /* allocation of a frame outside the machine */
	REPLAY_MODEL_FULL, /* the model had no memory where the machine had */
	REPLAY_BAD_ORDER, /* of an order this build of Quire does not have */
	REPLAY_BAD_GFP, /* a mask that Quire refuses */
	REPLAY_NR_CAUSES
};

/* "free_unknown", ...; and a sentence. */
const char *replay_cause_name(enum replay_cause cause);
const char *replay_cause_text(enum replay_cause cause);

struct replay_setting {
	enum qr_tunable tunable;
	int64_t value;
};

struct model;

struct replay_config {
	const char *engine; /* NULL: REPLAY_ENGINE */
	struct replay_setting settings[QR_NR_TUNABLES];
	unsigned nr_settings;
	unsigned nr_cpus; /* 0: as recorded; fewer: recorded CPUs are folded */
	unsigned nr_samples; /* of the series; 0: 400 */
	/* Called now and then; false ends the replay early. */
	bool (*progress)(void *arg, uint64_t done, uint64_t all);
	void *progress_arg;
	/* Called with the model at its end; what it returns is the replay's error, said in why. */
	int (*at_end)(void *arg, struct model *model, char why[256]);
	void *at_end_arg;
};

/* The recorded machine, read once and used by any number of replays. */
struct replay_machine {
	struct qtrace *trace; /* the caller's */
	struct state before, after;
	bool has_after;
	struct frame_map frames; /* before */
	struct frame_map frames_after;
	bool has_frames_after;
	uint64_t nr_frames; /* frames.nr, rounded up to pageblocks */
	uint8_t *initial_order; /* at the first frame of a block in use at the start: order + 1 */
	uint8_t *fate; /* of each frame, enum replay_fate; only while the machine is read */
	uint8_t *
		/* of each pageblock, enum qr_migratetype; QR_MIGRATE_TYPES: no memory */
		block_type;
	struct replay_cached *cached; /* frames that waited in caches at the start, by first use */
	uint64_t nr_cached;
	uint64_t nr_cached_guessed; /* of these, not told by an event; pages */
	uint64_t nr_cached_placed; /* pages of these that were cached in the snapshot, too */
	uint64_t nr_taken_since; /* frames free in the snapshot, but in use at the first event */
	uint64_t nr_free_snapshot; /* frames, by kpageflags */
	uint64_t recorder_pages; /* see recorder.c */
	uint64_t outside_blocks[REPLAY_ORDERS]; /* taken after the last event; from order 1 */
	unsigned first_cpu; /* of the first event */
	bool first_cpu_known;
	int64_t events_net; /* pages that the events allocate, less those that they free */
	uint64_t type_mismatch; /* pageblocks whose type the counts demanded against the evidence */
	unsigned nr_cpus;
	char why[256];
};

/* What the last event that names a frame says of it. */
enum replay_fate { REPLAY_UNTOUCHED, REPLAY_IN_USE, REPLAY_FREED };

/* Where in its list a cached block lay: lists lose blocks from the cold end, and to requests from
 * the warm one. */
enum replay_heat {
	REPLAY_COLD, /* it left by a drain */
	REPLAY_LUKEWARM, /* it never left */
	REPLAY_WARM, /* it was allocated */
};

struct replay_cached {
	qr_pfn_t pfn;
	uint16_t cpu;
	uint8_t order;
	uint8_t heat; /* enum replay_heat */
};

struct replay_sample {
	uint64_t time_ns;
	uint64_t nr_events;
	uint64_t free_pages;
	uint64_t free_2m; /* wholly free pageblocks */
	uint64_t order_blocks[REPLAY_ORDERS]; /* of all zones */
	uint64_t pcp_pages;
};

struct replay_zone_end {
	int nid;
	enum qr_zone_type type;
	uint64_t model_free, machine_free;
	uint64_t start_model_free, start_machine_free; /* before the first event */
	uint64_t model_pcp, machine_pcp;
	uint64_t model_2m, machine_2m;
	uint64_t start_2m;
	uint64_t model_blocks[REPLAY_ORDERS], machine_blocks[REPLAY_ORDERS];
	uint64_t frames_blocks[REPLAY_ORDERS]; /* the machine's by kpageflags, a moment later */
	uint64_t start_blocks[REPLAY_ORDERS]; /* the model's */
	uint64_t model_types[QR_MIGRATE_TYPES], machine_types[QR_MIGRATE_TYPES];
	int fragindex, unusable; /* of order 9, the model's; thousandths */
	uint64_t managed;
};

/* Free pages at the end, the model's less the machine's, and why; see books.c. */
struct replay_books {
	int64_t difference;
	int64_t waiting, unfound, between, unplaced, outside, rest;
	bool outside_known; /* else what would be there is in the rest */
};

/* What a pageblock held, for the maps. */
struct replay_block {
	uint8_t type; /* enum qr_migratetype; QR_MIGRATE_TYPES: no memory */
	uint32_t present; /* pages */
	uint32_t used; /* of these: not in a free block, so in use or in a cache */
	uint32_t reserved; /* of these: never the allocator's, or taken away by a balloon */
};

/* An event, to be looked up. */
struct replay_place {
	uint64_t event; /* from 1 on */
	uint64_t time_ns;
	qr_pfn_t pfn;
};

struct replay_result {
	char label[REPLAY_LABEL_SIZE]; /* the caller's name for this replay */
	char engine[16];
	unsigned nr_cpus; /* of the model */
	struct replay_setting settings[QR_NR_TUNABLES];
	unsigned nr_settings;
	bool interrupted;

	uint64_t nr_events, nr_played;
	double seconds; /* of real time, for the events alone */
	uint64_t nr_kind[TRACE_NR_KINDS];
	uint64_t unplaced[REPLAY_NR_CAUSES];
	struct replay_place first_unplaced[REPLAY_NR_CAUSES]; /* where there are any */
	uint64_t nr_backward; /* events before the latest time so far: the clock stood still */
	uint64_t nr_unknown_cpus; /* events of CPUs that the state does not have: folded */
	int64_t unplaced_pages; /* how many more are free for it */
	uint64_t nr_lost;
	uint64_t recorder_pages, outside_pages; /* taken by recorder.c */
	uint64_t outside_large; /* of the latter, pages in blocks of several */
	uint64_t allocs[REPLAY_ORDERS][QR_MIGRATE_TYPES]; /* by order and type */
	uint64_t frees[REPLAY_ORDERS];
	uint64_t freed[REPLAY_ORDERS][QR_MIGRATE_TYPES]; /* in the model, by the pageblock's type */
	uint64_t zone_allocs[QR_NR_ZONES]; /* pages, as pgalloc counts them */
	uint64_t zone_frees[QR_NR_ZONES]; /* pages of .freed */
	uint64_t frames_differ; /* allocations the model placed elsewhere than the machine */
	uint64_t splits; /* blocks freed in parts */

	uint64_t machine_fallbacks, machine_claims; /* recorded mm_page_alloc_extfrag */
	uint64_t model_fallbacks, model_claims;
	uint64_t machine_drains, model_drains; /* pages */
	struct qr_alloc_stats stats; /* of the model, from the first event on */
	uint64_t stages[QR_NR_SLOW_STAGES];

	struct replay_sample *samples;
	unsigned nr_samples;
	struct replay_zone_end *zones;
	unsigned nr_zones;
	struct replay_block *map_before, *map_after,
		*map_machine; /* by pageblock; the last may be NULL */
	uint64_t nr_blocks;

	struct {
		uint64_t model, machine;
	} free_pages, free_2m, pcp_pages, start_free_pages, start_2m;
	struct replay_books books;
	uint64_t model_bytes; /* resident, beyond the page records */
	unsigned check; /* what qr_check() said at the end; 0: clean */
	char check_why[192];
	char why[256];
};

/* Machine: 0, or a negative errno with .why. */
int replay_machine_read(struct replay_machine *m, struct qtrace *trace);
/* Only its pageblocks, at one of two moments, as .frames and .block_type; not to be replayed. */
int replay_moment_read(struct replay_machine *m, struct qtrace *trace, enum qtrace_when when);
void replay_machine_free(struct replay_machine *m);

/* One replay.  0, or a negative errno with result->why.  The trace is rewound first. */
int replay_run(const struct replay_machine *m, const struct replay_config *config,
	       struct replay_result *result);
void replay_result_free(struct replay_result *result);
/* Only the maps, which are most of it. */
void replay_result_free_maps(struct replay_result *result);

/* A model: an instance in the machine's first state.  Used by replay_run() and by `quire show`. */
struct model {
	struct quire *q;
	void *memory;
	size_t memory_size;
	const struct replay_machine *machine;
	unsigned nr_cpus;
	/* What the platform's hooks answer. */
	unsigned cpu;
	uint64_t now_ns, run_by_ns;
	uint32_t *frame; /* recorded pfn -> the model's; MODEL_NONE: free */
	uint8_t *order; /* of the block that begins at this recorded pfn */
	uint64_t nr_warnings;
	char last_warning[160];
	char why[256];
};

#define MODEL_NONE UINT32_MAX

/* Is this frame RAM at all, as iomem and kpageflags before say? */
bool replay_frame_present(const struct replay_machine *m, qr_pfn_t pfn);

int model_build(struct model *model, const struct replay_machine *m,
		const struct replay_config *rc);
void model_free(struct model *model);
/* Move the clock, and do what falls due. */
void model_clock(struct model *model, uint64_t time_ns);

/* The steps of replay_machine_read(). */
#define REPLAY_TAKEN_SINCE 0x80u /* in initial_order, until the last of them */
int replay_scan(struct replay_machine *m);
int replay_fit_types(struct replay_machine *m);
/* After that: the file "pageblocks", where the trace has one, knows better. */
int replay_told_types(struct replay_machine *m, enum qtrace_when when);
int replay_cached_add(struct replay_machine *m, uint64_t *room, struct replay_cached cached);
int replay_guess_cached(struct replay_machine *m);
void replay_frames_at_start(struct replay_machine *m);

/* recorder.c: pages that the recorder had while the events ran. */
struct replay_recorder {
	struct qr_page **pages;
	uint64_t nr;
};
/* While the machine is read: which blocks were taken after the last event. */
void replay_outside_blocks(struct replay_machine *m);
/* 0 or -ENOMEM. */
int replay_recorder_begin(struct replay_recorder *recorder, struct model *model);
/* Says in the result how many pages it took that stay in use.  The recorder is freed then. */
void replay_recorder_end(struct replay_recorder *recorder, struct model *model,
			 struct replay_result *r);
void replay_recorder_free(struct replay_recorder *recorder);

/* books.c */
void replay_books(const struct replay_machine *m, struct replay_result *r);
/*
 * Pages that the machine took and did not give back between its snapshots, by the kernel's
 * counters, and that no event tells of; negative: it gave back more.  False: the trace has no
 * counters.
 */
bool replay_pages_outside(const struct replay_machine *m, int64_t *outside);
/* Pages given back between the snapshots in no event, the recorder's buffers aside; 0: unknown. */
uint64_t replay_pages_passing(const struct replay_machine *m, const struct replay_result *r);

/* What no replay can know, with the size of it in this trace; pages.  limits.c counts them. */
struct replay_limits {
	uint64_t cached; /* waited in the machine's caches at the start */
	uint64_t cached_known; /* of these, the events betray where they were */
	uint64_t cached_guessed; /* of these, in frames that may have been theirs */
	uint64_t no_room; /* of these, the model's caches did not take: they start as free */
	uint64_t free_buddyinfo, free_kpageflags; /* at the start, by two files, a moment apart */
	uint64_t cached_beyond; /* by the events more waited in caches than zoneinfo counted */
	uint64_t against; /* pageblocks whose type is not that of what is in them */
	bool types_counted; /* pagetypeinfo tells how many pageblocks are of each type */
	uint64_t passing; /* came and went in no event, nobody knows when */
	bool other_engine; /* than the one that is held against the machine */
};
struct replay_limits replay_limits(const struct replay_machine *m, const struct replay_result *r);

/* maps.c: the model's pageblocks now; NULL: no memory.  And all maps of the end. */
struct replay_block *replay_map_model(struct model *model, const struct replay_result *r);
int replay_maps(const struct replay_machine *m, struct model *model, struct replay_result *r);

/* outcome.c: fill in the result's start and end from the model. */
int replay_outcome(const struct replay_machine *m, struct model *model, struct replay_result *r);
int replay_start(const struct replay_machine *m, struct model *model, struct replay_result *r);
/* A zone's free blocks by order, as kpageflags shows them; blocks has REPLAY_ORDERS counts. */
void replay_count_free(const struct frame_map *frames, const struct state_zone *zone,
		       uint64_t *blocks);

#endif /* QUIRE_REPLAY_REPLAY_H */
