/* SPDX-License-Identifier: MIT */
/*
 * Who fires a timer on a ring that is waited on and left again: a waiter that drives, the attendant
 * that sleeps without a limit where it knows of no timer, and a thread that starts one meanwhile.
 *
 *   here             in the library
 *   attendant        go_round, look_at, unlist_unneeded, next_look, engine/attendant.c
 *   attend           asyncring__attend
 *   attend_release   asyncring__attend_release
 *   hurry            asyncring__driver_hurry, core/driver.c, and asyncring__attend_hurry
 *   drive_now        asyncring__drive_now
 *   leave            asyncring__driver_leave
 *   drive_wanted     asyncring__drive_wanted
 *   waiter           asyncring__wait, sleep_once, core/wait.c; asyncring__driver_sleep
 *   starter          a submission of a timeout and of what the waiter waits for
 *
 * `timer` is poller.next_expiry being a time at all; who sleeps knowing it wakes up by itself. The
 * ring has something armed besides, for which no event comes, or nothing: `pending` counts both.
 * `event` is the poller's eventfd. It stands in the attendant's set, too, while the ring is
 * adopted, but is gone if the driver looks first.
 *
 * Proved: when everything has come to rest no timer is left, and the waiter is gone.
 *
 * BROKEN 1: the attendant does not look, having adopted, whether somebody has begun to drive.
 * BROKEN 2: it takes the ring off the list and does not look once more.
 * BROKEN 3: it reads when the next timer expires before it says that it has adopted.
 * BROKEN 4: who takes the ring out of its set does not rouse it.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

bit submit_lock, cq_lock, attendant_lock
byte pending
bool timer, event, reached
bool present, asleep, waiting
bool listed, adopted, roused

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }

inline attend()
{
	if
	:: listed
	:: else ->
		lock(attendant_lock)
		d_step { listed = true; roused = true }
		unlock(attendant_lock)
	fi
}

inline attend_release()
{
	if
	:: !adopted
	:: else ->
		lock(attendant_lock)
		if
		:: !adopted
		:: else ->
			adopted = false
#if BROKEN != 4
			roused = true
#endif
		fi
		unlock(attendant_lock)
	fi
}

inline leave()
{
	lock(cq_lock)
	d_step { present = false; asleep = false; waits = waiting }
	unlock(cq_lock)
	if
	:: pending == 0
	:: pending > 0 && waits ->
		lock(cq_lock)
		waiting = false
		unlock(cq_lock)
	:: pending > 0 && !waits -> attend()
	fi
	waits = false
}

inline drive()
{
	lock(submit_lock)
	if
	:: atomic { timer -> timer = false }
		pending--
	:: true /* it is not due yet, or there is none */
	fi
	unlock(submit_lock)
}

inline drive_now()
{
	lock(cq_lock)
	claimed = !present
	present = true
	unlock(cq_lock)
	if
	:: claimed -> drive(); leave()
	:: else
	fi
	claimed = false
}

inline drive_wanted()
{
	if
	:: pending == 0 -> attend_release()
	:: pending > 0 ->
		if
		:: listed
		:: else ->
			lock(cq_lock)
			d_step {
				waits = present || waiting
				if
				:: !present -> waiting = false
				:: else
				fi
			}
			unlock(cq_lock)
			if
			:: waits
			:: else -> attend()
			fi
			waits = false
		fi
	fi
}

proctype attendant()
{
	bool seen, knows, by_clock, waits, claimed

	do
	:: lock(attendant_lock)
		d_step { knows = false; by_clock = false }
		if
		:: !listed
		:: else ->
			lock(cq_lock)
			seen = present
			unlock(cq_lock)
			if
			:: pending == 0 ->
#if BROKEN != 2
				listed = false
				if
				:: pending > 0 ->
					lock(cq_lock)
					listed = !present
					unlock(cq_lock)
				:: else
				fi
				by_clock = listed
#else
				listed = false
#endif
				if
				:: !listed -> adopted = false
				:: else
				fi
			:: pending > 0 && seen ->
				adopted = false
				by_clock = true
			:: pending > 0 && !seen ->
#if BROKEN == 3
				knows = timer
#endif
				adopted = true
#if BROKEN != 1
				lock(cq_lock)
				seen = present
				unlock(cq_lock)
#endif
				if
				:: seen ->
					adopted = false
					by_clock = true
				:: else ->
					unlock(attendant_lock)
#if BROKEN != 3
					drive_now()
#endif
					lock(attendant_lock)
#if BROKEN != 3
					knows = timer
#endif
					by_clock = (listed && (!adopted || pending == 0))
				fi
			fi
			seen = false
		fi
		unlock(attendant_lock)
end:		if
		:: by_clock || knows
		:: atomic { roused -> roused = false }
		:: adopted && event
		fi
	od
}

proctype waiter()
{
	bool drives, knows, waits

	do
	:: lock(cq_lock)
		if
		:: reached -> unlock(cq_lock); break
		:: !reached && pending > 0 && (drives || !present) ->
			d_step { present = true; asleep = true; drives = true }
			unlock(cq_lock)
			attend_release()
			knows = timer
			if
			:: knows
			:: atomic { event -> event = false }
			fi
			asleep = false
			drive()
		:: else ->
			d_step {
				if
				:: drives -> present = false
				:: else
				fi
				drives = false
				waiting = true
			}
			unlock(cq_lock)
			!waiting
		fi
	od
	if
	:: drives -> leave()
	:: else
	fi
	drive_wanted()
}

proctype starter()
{
	bool slept, waits

	lock(submit_lock)
	pending++
	timer = true
	lock(cq_lock)
	d_step { slept = asleep; asleep = false }
	unlock(cq_lock)
	if
	:: slept -> event = true
	:: !slept && adopted ->
		lock(attendant_lock)
		roused = true
		unlock(attendant_lock)
	:: else
	fi
	lock(cq_lock)
	d_step { reached = true; waiting = false; slept = asleep; asleep = false }
	unlock(cq_lock)
	if
	:: slept -> event = true
	:: else
	fi
	unlock(submit_lock)
	drive_wanted()
}

init
{
	atomic {
		if
		:: pending = 1
		:: true
		fi
		if
		:: listed = true
		:: true
		fi
		run attendant()
		run waiter()
		run starter()
	}
	timeout
	assert(!timer)
	assert(_nr_pr == 2)
}
