/* SPDX-License-Identifier: MIT */
/*
 * Who decides a request that was handed to the worker pool: the worker, a canceller, or the close
 * of the ring (rules 3, 4 and 5; hazard H5). The states of enum request_state, core/request.h.
 *
 *   here             in the library
 *   worker           worker_main, set_current, carry_out, engine/pool.c
 *   prepare          asyncring__run_prepare, core/issue.c
 *   issue            asyncring__run_blocking and carry_out, core/issue.c: POLLABLE requests do not
 *                    block but ask for readiness, with WAIT_FIRST (REQ_WAIT_FIRST) before
 *                    anything else; the others sit in a system call
 *   wait_ready       asyncring__pool_wait_ready, begin_waiting, end_waiting, engine/pool.c
 *   cancel           asyncring__pool_cancel, cancel_queued, cancel_running,
 *                    engine/pool_cancel.c
 *   timer            interrupt_start and interrupt_stop, engine/interrupt.c: while it runs, every
 *                    sleep of the worker ends with EINTR sooner or later
 *   closer           asyncring__ring_release_name, cancel_everything, wait_until_alone, core/setup.c
 *   readiness        the world: data arrives at request 0, or never does
 *
 * The canceller means request 0 alone; request 1 is the same worker's next or previous one, its
 * data is there. The ring is closed or not.
 *
 * Proved: each request completes exactly once; what was answered as taken back ends with ECANCELED,
 * and nothing ends so that was neither taken nor interrupted; an interrupted request ends; an
 * interruption never hits another one; a close returns, and nobody touches the ring afterwards.
 *
 * BROKEN 1: the signal is sent once and not until it is acknowledged.
 * BROKEN 2: end_waiting looks and changes the state without the lock.
 * BROKEN 3: a request in a system call is answered as taken back.
 * BROKEN 4: set_current leaves the interruption to the next request.
 * BROKEN 5: the worker touches the ring after it has decremented ring->active.
 * BROKEN 6: begin_waiting does not look whether it is to stop already.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define NONE 2

mtype = { SUBMITTER, QUEUED, RUNNING, WAITING, TAKEN }
mtype = { UNDECIDED, TRUE_RESULT, ECANCELED, EINTR }
mtype = { NOT_ASKED, ANSWER_TAKEN, EALREADY, ENOENT }

bit submit_lock, pool_lock, worker_lock
mtype state[2] = QUEUED
mtype result[2] = UNDECIDED
mtype answer = NOT_ASKED
byte completions[2]
bool ready[2]
bool pollable, wait_first
byte current = NONE
bool interrupted, timer
byte in_flight = 2
bool closing, closed

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }

inline decide(request, how)
{
	d_step { assert(result[request] == UNDECIDED); result[request] = how }
}

inline complete(request)
{
	d_step {
		assert(!closed)
		assert(result[request] != UNDECIDED)
		completions[request]++
		assert(completions[request] == 1)
	}
#if BROKEN == 5
	in_flight--
	assert(!closed)
#else
	d_step { assert(!closed); in_flight-- }
#endif
}

/* Everything the canceller does to one request; pool_lock held. */
inline cancel(request, how)
{
	if
	:: state[request] == QUEUED && completions[request] == 0 ->
		state[request] = SUBMITTER
		how = ANSWER_TAKEN
	:: else ->
		how = ENOENT
		lock(worker_lock)
		if
		:: current == request && state[request] != TAKEN ->
			if
			:: state[request] == WAITING -> state[request] = TAKEN; how = ANSWER_TAKEN
			:: else ->
#if BROKEN == 3
				how = ANSWER_TAKEN
#else
				how = EALREADY
#endif
			fi
			interrupted = true
			timer = true
		:: else
		fi
		unlock(worker_lock)
	fi
}

inline set_current(request)
{
	lock(worker_lock)
#if BROKEN != 4
	timer = false
	interrupted = false
#endif
	current = request
	if
	:: request != NONE -> state[request] = (wait_first -> WAITING : RUNNING)
	:: else
	fi
	unlock(worker_lock)
}

/* A signal that ends a sleep of the worker's. */
inline eintr()
{
	timer
#if BROKEN == 1
	timer = false
#endif
}

inline wait_ready(request)
{
	do
	:: lock(worker_lock)
		stop = interrupted
#if BROKEN == 6
		stop = false
#endif
		if
		:: !stop -> state[request] = WAITING
		:: else
		fi
		unlock(worker_lock)
		if
		:: stop -> break
		:: else
		fi
asleep:		if
		:: atomic { ready[request] -> woken = true }
		:: atomic { eintr() -> woken = false }
		fi
#if BROKEN == 2
		stop = (state[request] == TAKEN)
		state[request] = RUNNING
#else
		lock(worker_lock)
		stop = (state[request] == TAKEN)
		state[request] = RUNNING
		unlock(worker_lock)
#endif
		if
		:: stop || woken -> break
		:: else
		fi
	od
}

inline issue(request)
{
	wait = wait_first
	do
	:: pollable && !wait && ready[request] -> decide(request, TRUE_RESULT); break
	:: pollable && (wait || !ready[request]) ->
		wait = false
		wait_ready(request)
		if
		:: stop -> decide(request, ECANCELED); break
		:: else
		fi
	:: !pollable ->
		/* On its way into the call: a signal here is lost. */
		if
		:: timer ->
#if BROKEN == 1
			timer = false
#endif
			skip
		:: true
		fi
		if
		:: atomic { ready[request] -> woken = true }
		:: atomic { eintr() -> woken = false }
		fi
		lock(worker_lock)
		stop = interrupted
		unlock(worker_lock)
		if
		:: woken -> decide(request, TRUE_RESULT); break
		:: !woken && stop -> decide(request, EINTR); break
		:: else
		fi
	od
}

proctype worker()
{
	byte request
	bool stop, woken, wait

end:	do
	:: atomic { pool_lock == 0 && (state[0] == QUEUED || state[1] == QUEUED) -> pool_lock = 1 }
		if
		:: state[0] == QUEUED -> request = 0
		:: state[1] == QUEUED -> request = 1
		fi
		set_current(request)
		unlock(pool_lock)
		if
		:: closing -> decide(request, ECANCELED)
		:: !closing -> issue(request)
		fi
		set_current(NONE)
		complete(request)
	od
}

proctype canceller()
{
	lock(submit_lock)
	if
	:: closing -> skip
	:: else ->
		lock(pool_lock)
		cancel(0, answer)
		unlock(pool_lock)
		if
		:: state[0] == SUBMITTER && result[0] == UNDECIDED ->
			decide(0, ECANCELED)
			complete(0)
		:: else
		fi
	fi
	unlock(submit_lock)
}

proctype closer()
{
	byte i
	mtype ignored

	if
	:: true ->
		closing = true
		lock(submit_lock)
		lock(pool_lock)
		i = 0
		do
		:: i < 2 ->
			cancel(i, ignored)
			i++
		:: else -> break
		od
		unlock(pool_lock)
		i = 0
		do
		:: i < 2 ->
			if
			:: state[i] == SUBMITTER && result[i] == UNDECIDED ->
				decide(i, ECANCELED)
				complete(i)
			:: else
			fi
			i++
		:: else -> break
		od
		unlock(submit_lock)
		in_flight == 0
		closed = true
	:: true
	fi
}

proctype readiness()
{
	ready[1] = true
	if
	:: ready[0] = true
	:: true
	fi
}

init
{
	byte i

	if
	:: pollable = true
	:: pollable = true; wait_first = true
	:: pollable = false
	fi
	atomic { run worker(); run canceller(); run closer(); run readiness() }
	timeout
	assert(!closing || closed)
	/* Interrupted, taken, or with its data there: it has ended. */
	assert(completions[1] == 1 || !ready[0])
	assert(completions[0] == 1 || (!ready[0] && !closing && answer != ANSWER_TAKEN &&
				       answer != EALREADY))
	assert(answer != ANSWER_TAKEN || result[0] == ECANCELED)
	assert(closing || result[0] != ECANCELED || answer == ANSWER_TAKEN || answer == EALREADY)
	assert(closing || result[0] != EINTR || answer == EALREADY)
	assert(closing || completions[1] == 0 || result[1] == TRUE_RESULT)
	/* Without a close nothing is left behind with an interruption pending. */
	for (i : 0 .. 1) { assert(completions[i] <= 1) }
	assert(closing || current != NONE || !timer)
}
