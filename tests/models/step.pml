/* SPDX-License-Identifier: MIT */
/*
 * step.pml - a free by one step (src/alloc/step.h), in all interleavings
 *
 * One block, a magazine with room for it, the lock of its cache.  The CPU runs two threads by turns:
 * one frees the block by a step, a sequence that looks at the lock, the gate, the mark and the count
 * and stores the mark and, last, the count; it is interrupted anywhere, and then in doubt.  The other
 * takes the block if it finds it in the magazine, by a step as well.  Stores of that CPU reach memory
 * late, in order.  From afar one thread drains the magazine, another fills it again, and a third one
 * opens the gate and takes a reference to the block if it is in use.
 *
 * A state that says that the block is in use does not count while the mark says otherwise.
 *
 * Nobody holds the lock while a step's last store happens, the block is in one place, and to what is
 * marked as plain there is one reference.
 *
 * holds:
 * fails: NO_LOOK	steps that do not look at the lock
 * fails: NO_FENCE	claims that do not wait for a fence
 * fails: EARLY_GATE	a gate that is looked at before the sequence begins
 * fails: NO_GATE	none at all
 * fails: COUNT_FIRST	the count stored before the mark
 * fails: NO_RESTART	sequences that go on when a thread has lost its CPU
 * fails: LOST_DOUBT	in doubt, a block that nobody has is taken for freed
 * fails: BLIND_DOUBT	in doubt, a block is taken for ours without a look at its mark
 * fails: MARK_FIRST	a block is marked as one in use before its state says so
 * fails: NO_SECOND_LOOK	who got a reference does not look whether somebody is just opening the block
 */
#define WORD 0
#define STATE 1 /* references, if the mark says nothing else */
#define MARK 2
#define COUNT 3

/* Values of the mark. */
#define NONE 0 /* the state speaks for itself */
#define ROUTE 1 /* the state says the same: one reference */
#define CACHED 2 /* no reference, whatever the state says */
#define SILENT 3

#define OWNER 0
#define MAGAZINE 1
#define TAKER 2
#define ENGINE 3

byte mem[4];
chan buffer = [4] of { byte, byte }; /* stores of the CPU that are under way */
byte pending[4], newest[4];
bool gate = false;
byte running = 0;
bool in_sequence[2], restart[2];
byte nr_holders = 0, nr_done = 0;
byte place = OWNER; /* where the block really is */
bool dropped = false; /* its owner has let go, but others refer to it */

#define seen(v) (pending[v] -> newest[v] : mem[v])

#ifdef NO_LOOK
#define lock_is_taken false
#else
#define lock_is_taken (seen(WORD) != 0)
#endif

#ifdef NO_GATE
#define gate_is_open false
#else
#ifdef EARLY_GATE
#define gate_is_open was_open
#else
#define gate_is_open gate
#endif
#endif

inline store(v, value)
{
	buffer!v, value;
	pending[v]++;
	newest[v] = value
}

inline move(from, to)
{
	assert(place == from);
	place = to
}

/* One store of a sequence, or doubt. */
inline step_store(self, v, value)
{
	atomic {
		running == self && nfull(buffer);
		if
#ifndef NO_RESTART
		:: restart[self] -> in_sequence[self] = false; goto doubt
#endif
		:: else -> store(v, value)
		fi
	}
}

/* The last one. */
inline step_end(self, value, from, to)
{
	atomic {
		running == self && nfull(buffer);
		in_sequence[self] = false;
		if
#ifndef NO_RESTART
		:: restart[self] -> goto doubt
#endif
		:: else ->
			assert(nr_holders == 0);
			store(COUNT, value);
			move(from, to)
		fi
	}
}

inline flush()
{
	do
	:: len(buffer) > 0 -> buffer?v, value; mem[v] = value; pending[v]--
	:: else -> break
	od
}

/* Drop a reference by an exchange; whoever drops the last one gives the block to the engine. */
inline drop()
{
	atomic {
		flush();
		assert(mem[MARK] <= ROUTE && mem[STATE] > 0);
		mem[STATE] = mem[STATE] - 1;
		mem[MARK] = NONE;
		if
		:: mem[STATE] == 0 -> move(OWNER, ENGINE)
		:: else -> skip
		fi
	}
}

proctype freer()
{
	byte v, value;
	bool was_open;

	atomic { running == 0; was_open = gate };
	atomic {
		running == 0;
		restart[0] = false;
		in_sequence[0] = true
	}
	if
	:: atomic { running == 0 && lock_is_taken -> in_sequence[0] = false; goto longer }
	:: atomic { running == 0 && !lock_is_taken -> skip }
	fi;
	if
	:: atomic { running == 0 && gate_is_open -> in_sequence[0] = false; goto longer }
	:: atomic { running == 0 && !gate_is_open -> skip }
	fi;
	if
	:: atomic { running == 0 && (seen(MARK) != ROUTE || seen(COUNT) != 0) ->
		in_sequence[0] = false; goto longer }
	:: atomic { running == 0 && seen(MARK) == ROUTE && seen(COUNT) == 0 -> skip }
	fi;
#ifdef COUNT_FIRST
	step_store(0, COUNT, 1);
	step_store(0, MARK, CACHED);
	atomic { in_sequence[0] = false; move(OWNER, MAGAZINE) }
#else
	step_store(0, MARK, CACHED);
	step_end(0, 1, OWNER, MAGAZINE);
#endif
	goto done;
doubt:
#ifdef LOST_DOUBT
	goto done;
#endif
	atomic {
		running == 0;
		if
#ifdef BLIND_DOUBT
		:: true ->
#else
		:: seen(MARK) == CACHED ->
#endif
			flush();
			mem[STATE] = 0;
			mem[MARK] = NONE;
			move(OWNER, ENGINE);
			goto done
		:: else -> skip
		fi
	};
longer:
	atomic { running == 0; drop() }
done:
	nr_done++
}

/* By turns on the same CPU; what it takes it keeps. */
proctype taker()
{
	byte v, value, tries;

	for (tries : 1 .. 2) {
		atomic {
			running == 1;
			restart[1] = false;
			in_sequence[1] = true
		}
		if
		:: atomic { running == 1 && (seen(WORD) != 0 || seen(COUNT) == 0) ->
			in_sequence[1] = false; goto doubt }
		:: atomic { running == 1 && seen(WORD) == 0 && seen(COUNT) != 0 -> skip }
		fi;
		step_end(1, 0, MAGAZINE, TAKER);
		atomic { running == 1 && nfull(buffer); assert(seen(MARK) == CACHED) }
#ifdef MARK_FIRST
		atomic { running == 1 && nfull(buffer); store(MARK, ROUTE) }
		atomic { running == 1 && nfull(buffer); store(STATE, 1) }
#else
		atomic { running == 1 && nfull(buffer); store(STATE, 1) }
		atomic { running == 1 && nfull(buffer); store(MARK, ROUTE) }
#endif
		break;
doubt:
		skip
	}
	nr_done++
}

/* The scheduler of the CPU, and its stores on their way to memory. */
proctype cpu()
{
	byte v, value;

end:
	do
	:: atomic {
		restart[running] = in_sequence[running];
		running = 1 - running
	   }
	:: atomic { buffer?v, value; mem[v] = value; pending[v]-- }
	od
}

inline fence()
{
	atomic {
		flush();
		restart[0] = restart[0] || in_sequence[0];
		restart[1] = restart[1] || in_sequence[1]
	}
}

inline lock(number)
{
	/* no owner takes the lock here, so a claim is never run over: local_lock.pml */
	atomic { mem[WORD] == 0 -> mem[WORD] = number };
#ifndef NO_FENCE
	fence();
#endif
	nr_holders++;
	assert(nr_holders == 1)
}

inline unlock()
{
	atomic { nr_holders--; mem[WORD] = 0 }
}

proctype drainer()
{
	byte v, value;

	lock(2);
	if
	:: mem[COUNT] != 0 ->
		assert(mem[MARK] == CACHED);
		mem[MARK] = SILENT;
		atomic { mem[COUNT] = 0; move(MAGAZINE, ENGINE) }
	:: else -> skip
	fi;
	unlock();
	nr_done++
}

/* What the engine has is handed out again. */
proctype filler()
{
	byte v, value;

	lock(4);
	if
	:: place == ENGINE && mem[COUNT] == 0 ->
		if
		:: mem[MARK] != SILENT -> assert(mem[STATE] == 0)
		:: else -> skip
		fi;
		mem[MARK] = CACHED;
		atomic { mem[COUNT] = 1; move(ENGINE, MAGAZINE) }
	:: else -> skip
	fi;
	unlock();
	nr_done++
}

proctype speculator()
{
	byte v, value, refs;

	gate = true;
	lock(3);
	unlock();
	refs = mem[STATE];
	if
	:: mem[MARK] >= CACHED -> refs = 0
	:: else -> skip
	fi;
	do
	:: refs == 0 -> break
	:: else ->
		atomic {
			if
			:: mem[STATE] == refs -> mem[STATE] = refs + 1; goto got
			:: else -> refs = mem[STATE] /* as a failed exchange tells */
			fi
		}
	od;
	goto done;
got:
	assert(mem[STATE] > 0 && (place == OWNER || place == TAKER));
#ifndef NO_SECOND_LOOK
	if
	:: mem[MARK] >= CACHED -> goto let_go
	:: else -> skip
	fi;
#endif
	mem[MARK] = NONE;
	/* to be kept for as long as one likes */
	assert(mem[MARK] == NONE && mem[STATE] > 0);
	atomic { len(buffer) == 0; assert(mem[MARK] != ROUTE) };
let_go:
	atomic {
		mem[STATE] > 0;
		mem[STATE] = mem[STATE] - 1;
		if
		:: mem[STATE] == 0 -> mem[MARK] = NONE; move(OWNER, ENGINE)
		:: else -> skip
		fi
	};
done:
	nr_done++
}

init {
	atomic {
		mem[STATE] = 1;
		mem[MARK] = ROUTE;
		run cpu();
		run freer();
		run taker();
		run drainer();
		run filler();
		run speculator()
	}
	nr_done == 5 && len(buffer) == 0;
	assert(mem[WORD] == 0 && nr_holders == 0);
	assert(place != OWNER);
	assert((mem[COUNT] != 0) == (place == MAGAZINE));
	assert((mem[MARK] <= ROUTE && mem[STATE] != 0) == (place == TAKER));
	assert(mem[MARK] != ROUTE || mem[STATE] == 1)
}
