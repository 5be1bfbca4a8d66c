/* SPDX-License-Identifier: MIT */
/*
 * The SQ thread: falling asleep and being woken, a second ring that comes to share it, and the end
 * of it when both rings are closed at once while calls are in progress.
 *
 *   here             in the library
 *   sq_thread        sq_thread_main, serve_all, sleep_until_woken, engine/sq_thread.c; that its
 *                    idle time is over is left to chance
 *   submit           asyncring__flush_sq and asyncring__sq_needs_enter, user/submit.c
 *   enter            asyncring_enter2, core/enter.c, and asyncring__sq_thread_enter
 *   share            asyncring__sq_thread_attach with ATTACH_WQ
 *   close            asyncring__ring_release_name and destroy, core/setup.c, with
 *                    asyncring__sq_thread_detach and asyncring__sq_thread_release
 *
 * Ring 0 makes the thread, ring 1 joins it if ring 0 is still there. Each is closed or not.
 * The futex wait is "until the word has changed": every wake-up changes it first.
 *
 * Proved: at rest no SQE of an open ring waits, and every close has returned; nobody touches a ring
 * that is destroyed or the thread's structure once it is freed.
 *
 * BROKEN 1: the thread does not look at the queues again after it has set the flag.
 * BROKEN 2: the thread reads the sequence it sleeps on after that look.
 * BROKEN 3: the application looks at the flag before it publishes the tail.
 * BROKEN 4: the last ring to detach frees the structure, whoever still holds it.
 * BROKEN 5: a ring may join a thread that is about to stop.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define NONE 2

bit lock_word
bool listed[2]
byte ring_count
byte current = NONE
bool stopping, exited
byte wake_sequence

byte pending[2]
bool need_wakeup[2]
bool attached[2]
byte calls[2] /* ring.references but the table's */
bool unpublished[2], closing[2], destroyed[2]

byte references /* of the thread's structure: a ring's each */
bool freed

inline lock() { atomic { lock_word == 0 -> lock_word = 1 } }
inline unlock() { lock_word = 0 }
inline touch() { assert(!freed) }

inline wake()
{
	d_step { touch(); wake_sequence++ }
}

inline flag_all(on)
{
	d_step {
		if
		:: listed[0] -> assert(!destroyed[0]); need_wakeup[0] = on
		:: else
		fi
		if
		:: listed[1] -> assert(!destroyed[1]); need_wakeup[1] = on
		:: else
		fi
	}
}

active proctype sq_thread()
{
	byte sequence, i
	bool worked

	lock()
	do
	:: stopping -> break
	:: !stopping ->
		worked = false
		i = 0
		do
		:: i < 2 && listed[i] ->
			current = i
			unlock()
			assert(!destroyed[i])
			if
			:: pending[i] > 0 -> pending[i] = 0; worked = true
			:: else
			fi
			assert(!destroyed[i])
			lock()
			current = NONE
			i++
		:: i < 2 && !listed[i] -> i++
		:: i == 2 -> break
		od
		if
		:: worked
		:: !worked ->
			/* Not idle for long enough. */
			unlock()
			lock()
		:: !worked ->
#if BROKEN != 2
			sequence = wake_sequence
#endif
			flag_all(true)
			if
#if BROKEN != 1
			:: (listed[0] && pending[0] > 0) || (listed[1] && pending[1] > 0)
			:: else ->
#else
			:: true ->
#endif
				unlock()
#if BROKEN == 2
				sequence = wake_sequence
#endif
end:				wake_sequence != sequence
				lock()
			fi
			flag_all(false)
		fi
	od
	unlock()
	exited = true
}

inline ring_get(ring, got)
{
	d_step {
		got = !unpublished[ring]
		if
		:: got -> calls[ring]++
		:: else
		fi
	}
}

inline submit(ring)
{
#if BROKEN == 3
	flag = need_wakeup[ring]
	pending[ring]++
#else
	pending[ring]++
	flag = need_wakeup[ring]
#endif
	if
	:: flag ->
		ring_get(ring, got)
		if
		:: got ->
			if
			:: !closing[ring] -> wake()
			:: else
			fi
			calls[ring]--
		:: else
		fi
	:: else
	fi
}

inline detach(ring)
{
	lock()
	touch()
	listed[ring] = false
	unlock()
	atomic { lock_word == 0 && current != ring -> lock_word = 1 }
	ring_count--
	last = (ring_count == 0)
	if
	:: last -> stopping = true
	:: else
	fi
	unlock()
	/* Those who wait for space. */
	touch()
	if
	:: last ->
		wake()
		exited
#if BROKEN == 4
		freed = true
#endif
	:: else
	fi
}

inline close(ring)
{
	unpublished[ring] = true
	closing[ring] = true
	if
	:: attached[ring] -> detach(ring)
	:: else
	fi
	calls[ring] == 0
	destroyed[ring] = true
#if BROKEN != 4
	if
	:: attached[ring] ->
		d_step {
			touch()
			references--
			if
			:: references == 0 -> freed = true
			:: else
			fi
		}
	:: else
	fi
#endif
}

proctype application()
{
	bool flag, got

	submit(0)
}

proctype closer()
{
	bool last

	if
	:: close(0)
	:: true
	fi
}

proctype companion()
{
	bool flag, got, last

	ring_get(0, got)
	if
	:: got && !closing[0] ->
		lock()
		touch()
		if
#if BROKEN != 5
		:: stopping -> unlock()
		:: !stopping ->
#else
		:: true ->
#endif
			d_step {
				listed[1] = true
				ring_count++
				references++
				attached[1] = true
			}
			unlock()
			wake()
		fi
		calls[0]--
	:: got && closing[0] -> calls[0]--
	:: !got
	fi
	if
	:: attached[1] -> submit(1)
	:: else
	fi
	if
	:: close(1)
	:: !attached[1]
	:: true
	fi
}

init
{
	d_step {
		listed[0] = true
		attached[0] = true
		ring_count = 1
		references = 1
	}
	atomic { run application(); run closer(); run companion() }
	timeout
	assert(!closing[0] || destroyed[0])
	assert(!closing[1] || destroyed[1])
	assert(closing[0] || pending[0] == 0)
	assert(closing[1] || pending[1] == 0)
	assert(freed == (destroyed[0] && (destroyed[1] || !attached[1])))
	assert(exited == freed)
}
