/* SPDX-License-Identifier: MIT */
/*
 * flags.pml - a zone's flags and what its caches know of them, in all interleavings
 * (src/frames/flags.c)
 *
 * A zone with two flags and two caches.  Two change the one flag as they like, each as often as it
 * takes; a third changes the other one, under a lock of his own as it were, and looks at once if
 * the caches know.  In the end all caches say what the zone says.
 *
 * holds:
 * fails: NO_SECOND_LOOK	who has told does not look again
 * fails: WHOLE_WORD	all flags are told by one store, and not each for itself
 */
#define NR_CACHES 2
#define RACED 1 /* flags */
#define GUARDED 2

byte flags = 0;
byte closed[NR_CACHES];
byte nr_done = 0;

/* closed of one cache says flag as told does. */
inline tell_one(cpu, flag, told)
{
#ifdef WHOLE_WORD
	closed[cpu] = told
#else
	if
	:: told & flag -> closed[cpu] = closed[cpu] | flag
	:: else -> closed[cpu] = closed[cpu] & (3 - flag)
	fi
#endif
}

inline tell(flag)
{
	do
	:: told = flags;
		d_step { tell_one(0, flag, told) };
		d_step { tell_one(1, flag, told) };
#ifdef NO_SECOND_LOOK
		break
#else
		if
		:: (flags & flag) == (told & flag) -> break
		:: else -> skip
		fi
#endif
	od
}

inline change(flag, on)
{
	d_step {
		if
		:: on -> flags = flags | flag
		:: else -> flags = flags & (3 - flag)
		fi
	};
	tell(flag)
}

/* Sets the flag and clears it, or the other way round, or one of the two. */
active [2] proctype changer()
{
	byte told;

	if
	:: change(RACED, true)
	:: skip
	fi;
	if
	:: change(RACED, false)
	:: skip
	fi;
	if
	:: change(RACED, true)
	:: skip
	fi;
	nr_done++
}

active proctype guarded()
{
	byte told;

	change(GUARDED, true);
	assert(closed[0] & GUARDED && closed[1] & GUARDED);
	if
	:: change(GUARDED, false);
		assert(!(closed[0] & GUARDED) && !(closed[1] & GUARDED))
	:: skip
	fi;
	nr_done++
}

active proctype at_last()
{
	nr_done == 3;
	assert(closed[0] == flags && closed[1] == flags)
}
