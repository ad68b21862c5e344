/* SPDX-License-Identifier: MIT */
/*
 * local_lock.pml - the lock of src/base/local_lock.c, in all interleavings
 *
 * One lock word.  Its CPU runs two threads by turns; each takes the lock by a sequence of plain
 * instructions (read the word, store 1) that is restarted if the other thread runs in between (S1).
 * Stores of that CPU wait in a buffer and reach memory late, in order.  Two more threads claim the
 * lock from other CPUs: exchange a number for 0, fence, look whether it is still there.
 *
 * holds:
 * fails: NO_FENCE	claims that do not wait for a fence
 * fails: FENCE_WITHOUT_RESTART	a fence that only empties the buffer: S2 is more than a barrier
 * fails: NO_RESTART	sequences that are not restarted when a thread loses its CPU: S1
 * fails: SAME_NUMBER	claims that cannot be told apart
 * fails: NO_LOOK	claims that are taken for granted after the fence
 */
#define ROUNDS 2

byte word = 0; /* in memory */
chan buffer = [3] of { byte }; /* stores of the CPU that are under way */
byte newest = 0; /* the last of them */
byte running = 0; /* which of its threads the CPU runs */
bool in_sequence[2], restart[2];
byte nr_holders = 0, nr_done = 0;

inline holder_enter()
{
	nr_holders++;
	assert(nr_holders == 1)
}

proctype owner(byte self)
{
	byte seen, round;

	for (round : 1 .. ROUNDS) {
again:
		atomic {
			running == self;
			restart[self] = false;
			in_sequence[self] = true;
			if
			:: len(buffer) > 0 -> seen = newest
			:: else -> seen = word
			fi
		}
		if
		:: seen != 0 ->
			in_sequence[self] = false /* taken: go to the zone instead */
		:: else ->
			atomic {
				running == self && nfull(buffer);
				in_sequence[self] = false;
				if
#ifndef NO_RESTART
				:: restart[self] -> goto again
#endif
				:: else ->
					buffer!1;
					newest = 1;
					holder_enter()
				fi
			}
			atomic {
				running == self && nfull(buffer);
				nr_holders--;
				buffer!0;
				newest = 0
			}
		fi
	}
	nr_done++
}

/* The scheduler of the CPU, and its stores on their way to memory. */
proctype cpu()
{
end:
	do
	:: atomic {
		restart[running] = in_sequence[running];
		running = 1 - running
	   }
	:: buffer?word
	od
}

/* local_fence: each sequence under way has stored, for all to see, or begins again. */
inline fence()
{
	atomic {
		do
		:: len(buffer) > 0 -> buffer?word
		:: else -> break
		od;
#ifndef FENCE_WITHOUT_RESTART
		restart[0] = restart[0] || in_sequence[0];
		restart[1] = restart[1] || in_sequence[1]
#endif
	}
}

proctype remote(byte number)
{
	byte round, claim;

	for (round : 1 .. ROUNDS) {
		claim = number + 2 * round;
#ifdef SAME_NUMBER
		claim = 2;
#endif
		do
		:: atomic { word == 0 -> word = claim };
#ifndef NO_FENCE
			fence();
#endif
#ifdef NO_LOOK
			break
#else
			if
			:: word == claim -> break
			:: else -> skip /* run over: claim it again */
			fi
#endif
		od;
		holder_enter();
		atomic { nr_holders--; word = 0 }
	}
	nr_done++
}

init {
	atomic {
		run cpu();
		run owner(0);
		run owner(1);
		run remote(0);
		run remote(1)
	}
	/* Nobody waits for ever, and the lock is not lost. */
	nr_done == 4 && len(buffer) == 0;
	assert(word == 0 && nr_holders == 0)
}
