/* SPDX-License-Identifier: MIT */
/*
 * The two references of a request (rules 1 and 2): the submitter's and the I/O side's, put in any
 * order by submitter, workers and a canceller.
 *
 *   here             in the library
 *   hand_over        batch_hand_over, core/issue.c: pool_queue, then request_put_submitter
 *   worker           worker_main and carry_out, engine/pool.c; run_blocking, core/issue.c
 *   canceller        asyncring__cancel, core/cancel.c; cancel_queued, engine/pool_cancel.c
 *   put              the decrement in request_put_submitter and request_put_worker, core/complete.c
 *   complete         unravel, cq_post and recycle_posted, core/complete.c
 *
 * Request 0 is the head of a chain whose second member, request 2, is the worker's alone and
 * starts when 0 is complete; request 1 goes by itself.
 *
 * Proved: each request completes exactly once, with a result that exactly one party has decided;
 * nobody touches a request whose completion was posted; nothing is left over.
 *
 * BROKEN 1: the decrement is a load and a store.
 * BROKEN 2: the submitter hands its own reference over and still looks at the request.
 * BROKEN 3: a canceller decides a queued request without taking it out of the queue.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define REQUESTS 3
#define QUEUED_AT_FIRST 2
#define NONE 99

#define UNDECIDED 0
#define DONE 1
#define CANCELED 2

bit submit_lock, pool_lock
byte references[REQUESTS]
bool queued[REQUESTS]
byte result[REQUESTS]
byte completions[REQUESTS]
bool gone[REQUESTS] /* posted and recycled: the next request's memory */

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }
inline touch(request) { assert(!gone[request]) }

inline decide(request, how)
{
	touch(request)
	assert(result[request] == UNDECIDED)
	result[request] = how
}

inline put(request, last)
{
	touch(request)
#if BROKEN == 1
	seen = references[request]
	references[request] = seen - 1
	last = (seen == 1)
#else
	d_step { references[request]--; last = (references[request] == 0) }
#endif
}

inline complete(request)
{
	d_step {
		touch(request)
		assert(result[request] != UNDECIDED)
		completions[request]++
		assert(completions[request] == 1)
		gone[request] = true
	}
}

/* The last put of a request; with the submitter's batch the chain goes on there. */
inline put_submitter(request)
{
	put(request, last)
	if
	:: last && request == 0 && result[0] == DONE -> complete(0); next = 2
	:: last && request == 0 && result[0] == CANCELED ->
		complete(0)
		decide(2, CANCELED)
		complete(2)
	:: last && request != 0 -> complete(request)
	:: else
	fi
}

/* What completing a head in the batch has released: issued inline. */
inline issue_released()
{
	if
	:: next != NONE -> decide(next, DONE); complete(next); next = NONE
	:: else
	fi
}

active proctype submitter()
{
	byte i, seen, next = NONE
	bool last

	lock(submit_lock)
	d_step { references[0] = 2; references[1] = 2; references[2] = 1 }
#if BROKEN == 2
	d_step { references[0] = 1; references[1] = 1 }
#endif
	lock(pool_lock)
	d_step { queued[0] = true; queued[1] = true }
	unlock(pool_lock)
	i = 0
	do
	:: i < QUEUED_AT_FIRST ->
#if BROKEN == 2
		touch(i)
#else
		put_submitter(i)
		issue_released()
#endif
		i++
	:: else -> break
	od
	unlock(submit_lock)
}

active [2] proctype worker()
{
	byte current, seen
	bool last

end:	do
	:: atomic { pool_lock == 0 && (queued[0] || queued[1]) -> pool_lock = 1 }
		if
		:: queued[0] -> current = 0
		:: queued[1] -> current = 1
		fi
		queued[current] = false
		unlock(pool_lock)
		decide(current, DONE)
		put(current, last)
		if
		:: last && current == 0 ->
			complete(0)
			references[2] = 1
			decide(2, DONE)
			put(2, last)
			assert(last)
			complete(2)
		:: last && current != 0 -> complete(current)
		:: else
		fi
	od
}

active proctype canceller()
{
	byte target, seen, next = NONE
	bool last, taken

	select(target : 0 .. 1)
	lock(submit_lock)
	lock(pool_lock)
	taken = queued[target]
#if BROKEN != 3
	queued[target] = false
#endif
	unlock(pool_lock)
	if
	:: taken ->
		decide(target, CANCELED)
		put_submitter(target)
		issue_released()
	:: else
	fi
	unlock(submit_lock)
}

active proctype at_rest()
{
	byte i

	timeout
	for (i : 0 .. REQUESTS - 1) { assert(completions[i] == 1) }
}
