/* SPDX-License-Identifier: MIT */
/*
 * A call that submits holds the ring's submit_lock in place of a reference, while another thread
 * closes the ring (the head of core/ring_table.c).
 *
 *   here             in the library
 *   enterer          ring_get_locked, core/ring_table.c; enter_locked, core/enter.c
 *   caller           ring_get and ring_put, core/ring_table.c: a call that takes a reference first
 *   worker           deactivate, core/complete.c: the end of a request that was handed over
 *   closer           close_name and ring_drop_name, core/ring_table.c; cancel_everything,
 *                    wait_until_alone and destroy, core/setup.c
 *
 * The structure is used again for another ring once it was torn down (`generation`), but under
 * another number, as a descriptor is not in use twice; a number that is used again is the other
 * ring's by right, and the slot says so. `direct`, which an enterer without the lock looks at, too,
 * is set for the next ring before it is in its slot, and is looked at together with that.
 *
 * Proved: nobody touches a ring that is torn down, nor is it torn down with a request or a call in
 * it; each enterer that got in finds the ring of the generation that it asked for.
 *
 * BROKEN 1: the enterer does not look whether the ring is direct, nor at the slot again.
 * BROKEN 2: tear-down does not take the lock between clearing `direct` and waiting.
 * BROKEN 3: the reference of a call that has more to do is taken after the lock is released.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define ENTERERS 2

bit submit_lock
bool slot = true      /* the number stands for the ring */
bool direct = true    /* who enters submits; not if it is closing */
byte references = 1   /* the table's, and one for each call in progress */
byte in_flight        /* requests that were handed over */
byte generation       /* of the structure */
bool destroyed

#define TOUCH assert(!destroyed && generation == 0)

inline acquire() { atomic { submit_lock == 0 -> submit_lock = 1 } }
inline release() { submit_lock = 0 }

proctype worker()
{
	/* The request is what keeps the ring now. */
	TOUCH;
	in_flight--
}

proctype enterer()
{
	bool more;

	/* The pointer that is in the slot; from here on it may be stale. */
	if
	:: !slot -> goto out
	:: slot
	fi;
	if
	:: !direct -> goto out
	:: direct
	fi;
	acquire();
#if BROKEN != 1
	if
	:: !slot || !direct -> release(); goto out
	:: else
	fi;
#endif
	TOUCH;
	/* Submits; some requests go to a worker, and sometimes there is more to do afterwards. */
	if
	:: in_flight++; run worker()
	:: skip
	fi;
	if
	:: more = true
	:: more = false
	fi;
	TOUCH;
#if BROKEN == 3
	release();
	if
	:: more -> references++
	:: else
	fi;
#else
	if
	:: more -> references++
	:: else
	fi;
	release();
#endif
	if
	:: more -> TOUCH; references--
	:: else
	fi;
out:	skip
}

/* A reference first, unless there are none left, then the slot again. */
proctype caller()
{
	if
	:: !slot -> goto out
	:: slot
	fi;
	atomic {
		if
		:: references == 0 -> goto out
		:: else -> references++
		fi
	};
	if
	:: slot -> TOUCH
	:: else
	fi;
	references--;
out:	skip
}

proctype closer()
{
	slot = false;
	direct = false;
#if BROKEN != 2
	/* Cancels what is on its way. */
	acquire();
	TOUCH;
	release();
#endif
	/* The calls first: one that is still in progress may yet submit something. */
	atomic { references == 1 -> references = 0 };
	in_flight == 0;
	assert(references == 0 && in_flight == 0);
	destroyed = true;
	/* Used again: reset, under the lock, then another ring's. */
	acquire();
	generation++;
	release();
	destroyed = false;
	references = 1;
	direct = true
}

init {
	byte i;

	atomic {
		for (i : 1 .. ENTERERS) {
			run enterer()
		}
		run caller();
		run closer()
	}
}
