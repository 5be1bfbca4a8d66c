/* SPDX-License-Identifier: MIT */
/*
 * Waiting for completions: several waiters with different wishes, one of which may run out of time,
 * several posters, a CQ that overflows, and a thread that takes CQEs out without a call.
 *
 *   here             in the library
 *   post             asyncring__cq_post, post_locked, core/cq.c
 *   wake_prepare     asyncring__wake_prepare, core/wait.c
 *   futex_wake       asyncring__wake, core/wait.c: without the lock, so it may come late and hit
 *                    waiters that have registered since
 *   flush            asyncring__cq_flush, core/cq.c
 *   waiter           asyncring__wait, wait_loop, sleep_once, sleep_on_futex, core/wait.c
 *   reaper           asyncring_cq_advance in a thread of the application
 *
 * Tails are numbers that never wrap here; the futex sleeps only if the word is as expected. All
 * completions take one slot, or all two, so that the odd slot of the CQ is never taken.
 *
 * Proved: when everything has come to rest nobody sleeps whose CQEs are there, nor while there is a
 * backlog, which might be flushed into the room there is.
 *
 * BROKEN 1: the waiter reads wake_sequence after it has let the lock go.
 * BROKEN 2: who runs out of time takes its registration back even if a wake-up has voided it.
 * BROKEN 3: a new registration overwrites wake_tail.
 * BROKEN 4: the backlog is flushed only before the target is worked out.
 * BROKEN 5: a completion that goes to the backlog wakes nobody, for the tail has not moved.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define ENTRIES 3
#define WAITERS 2

bit cq_lock
byte head, tail, backlog, size
byte waiters, wake_tail, wake_sequence
byte target[WAITERS]
bool asleep[WAITERS]

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }

inline wake_prepare()
{
	if
#if BROKEN == 5
	:: waiters > 0 && tail >= wake_tail ->
#else
	:: waiters > 0 && (tail >= wake_tail || backlog > 0) ->
#endif
		waiters = 0
		wake_sequence++
		sleepers = true
	:: else -> sleepers = false
	fi
}

inline futex_wake()
{
	d_step {
		if
		:: sleepers -> asleep[0] = false; asleep[1] = false
		:: else
		fi
		sleepers = false
	}
}

inline post()
{
	lock(cq_lock)
	d_step {
		if
		:: backlog == 0 && tail - head + size <= ENTRIES -> tail = tail + size
		:: else -> backlog++
		fi
		wake_prepare()
	}
	unlock(cq_lock)
	futex_wake()
}

inline flush()
{
	lock(cq_lock)
	d_step {
		do
		:: backlog > 0 && tail - head + size <= ENTRIES -> backlog--; tail = tail + size
		:: else -> break
		od
		wake_prepare()
	}
	unlock(cq_lock)
	futex_wake()
}

proctype poster(byte posts)
{
	bool sleepers

	do
	:: posts > 0 -> post(); posts--
	:: break
	od
}

proctype reaper()
{
	byte i

	for (i : 1 .. 2) {
		if
		:: atomic { head < tail -> head = head + size }
		:: true
		fi
	}
}

proctype waiter(byte me; byte wanted; bool timed)
{
	byte sequence
	bool sleepers

#if BROKEN == 4
	flush()
#endif
	target[me] = head + wanted
	do
	:: lock(cq_lock)
		if
		:: tail >= target[me] -> break
#if BROKEN != 4
		:: tail < target[me] && backlog > 0 ->
			unlock(cq_lock)
			flush()
			if
			:: backlog == 0
			:: backlog > 0 -> goto done
			fi
			goto again
#endif
		:: else
		fi
#if BROKEN != 1
		sequence = wake_sequence
#endif
		d_step {
			if
#if BROKEN == 3
			:: true -> wake_tail = target[me]
#else
			:: waiters == 0 || target[me] < wake_tail -> wake_tail = target[me]
			:: else
#endif
			fi
			waiters++
		}
		unlock(cq_lock)
#if BROKEN == 1
		sequence = wake_sequence
#endif
		d_step { asleep[me] = (wake_sequence == sequence) }
end:		if
		:: !asleep[me]
		:: atomic { timed && asleep[me] -> asleep[me] = false }
			lock(cq_lock)
			if
#if BROKEN == 2
			:: true -> waiters--
#else
			:: wake_sequence == sequence -> waiters--
			:: else
#endif
			fi
			break
		fi
again:		skip
	od
	unlock(cq_lock)
done:	flush()
}

init
{
	byte i
	bool timed

	if
	:: size = 1
	:: size = 2
	fi
	if
	:: timed = true
	:: timed = false
	fi
	atomic {
		run waiter(0, 1, timed)
		run waiter(1, ENTRIES, false)
		run poster(2)
		run poster(1)
		run reaper()
	}
	timeout
	for (i : 0 .. WAITERS - 1) {
		assert(!asleep[i] || tail < target[i])
		assert(!asleep[i] || backlog == 0)
	}
}
