/* SPDX-License-Identifier: MIT */
/*
 * references.pml - the last reference to a plain block, in all interleavings (src/alloc/free.c)
 *
 * A plain block of two frames.  Its owner frees it whole, while two others take references to its
 * first frame in passing and drop them again: then the second frame is freed at once and the first
 * alone by whoever drops the last reference.  What is free is allocated again, the block whole or its
 * first frame alone, and freed again.  No frame may be freed twice, nor be lost.
 *
 * holds:
 * holds: APART	the order is a field of its own, written before the reference is dropped
 * fails: APART LATE	written after it
 * fails: NO_ORDER	not written at all
 * fails: BLIND_GET	a reference is taken without a look whether there is one
 * fails: BLIND_DROP	the only reference is dropped by a look and a store
 */
byte refs = 1, order = 1; /* of the first frame */
bool is_free[2];
byte nr_done = 0;

inline frame_free(i)
{
	assert(!is_free[i]);
	is_free[i] = true
}

/* With the order the record says, or the caller. */
inline block_free(of_order)
{
	atomic {
		if
		:: of_order == 1 -> frame_free(1)
		:: else -> skip
		fi;
		frame_free(0)
	}
}

/* before = what qr__only_reference_drop() and shared_reference_drop() found; 1: it was the last. */
inline drop(plain)
{
#ifdef BLIND_DROP
	if
	:: refs == 1 -> refs = 0; before = 1; goto dropped
	:: else -> skip
	fi;
#else
	atomic {
		if
		:: refs == 1 -> refs = 0; before = 1; goto dropped
		:: else -> skip
		fi
	}
#endif
	do
	:: before = refs;
		assert(before > 0);
#ifdef APART
#ifndef LATE
		if
		:: plain && before > 1 -> order = 0
		:: else -> skip
		fi;
#endif
#endif
		atomic {
			if
			:: refs == before ->
				refs--;
#ifndef APART
#ifndef NO_ORDER
				if
				:: plain && before > 1 -> order = 0
				:: else -> skip
				fi;
#endif
#endif
				break
			:: else -> skip /* it changed: look again */
			fi
		}
	od;
#ifdef LATE
	if
	:: plain && before > 1 -> order = 0
	:: else -> skip
	fi;
#endif
dropped:
	skip
}

/* Frees the block that it allocated with this order; then allocates and frees what it finds. */
proctype owner()
{
	byte before, mine = 1, round = 0;

	do
	:: drop(mine == 1);
		if
		:: before == 1 -> block_free(mine)
		:: before > 1 && mine == 1 -> atomic { frame_free(1) }
		:: else -> skip
		fi;
		round++;
		if
		:: round == 3 -> break
		:: else -> skip
		fi;
		/* the order first, the reference last of all */
		if
		:: atomic { is_free[0] && is_free[1] -> is_free[0] = false; is_free[1] = false;
			mine = 1 }
		:: atomic { is_free[0] -> is_free[0] = false; mine = 0 }
		fi;
		order = mine;
		refs = 1
	od;
	nr_done++
}

proctype passer_by()
{
	byte before, seen, round;

	for (round : 1 .. 2) {
#ifdef BLIND_GET
		refs++;
		seen = 1;
#else
		do
		:: seen = refs;
			if
			:: seen == 0 -> break
			:: else ->
				atomic {
					if
					:: refs == seen -> refs++; break
					:: else -> skip
					fi
				}
			fi
		od;
#endif
		if
		:: seen > 0 ->
			drop(false);
			if
			:: before == 1 -> seen = order; block_free(seen)
			:: else -> skip
			fi
		:: else -> skip
		fi
	}
	nr_done++
}

init {
	atomic {
		run owner();
		run passer_by();
		run passer_by()
	}
	nr_done == 3;
	assert(refs == 0 && is_free[0])
	/* The second frame stays behind only where the first was taken alone, and never in use. */
	assert(is_free[1])
}
