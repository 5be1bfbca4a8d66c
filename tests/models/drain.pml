/* SPDX-License-Identifier: MIT */
/*
 * IOSQE_IO_DRAIN: the submitter's drain_active against the workers' ring->active (Dekker).
 *
 *   here             in the library
 *   submitter        asyncring__submit and start, core/submit.c, one or two submissions
 *   worker           asyncring__request_put_worker and deactivate, core/complete.c
 *   batch_finish     asyncring__batch_finish, core/issue.c
 *   drain_resume     asyncring__drain_resume and all_others_complete, core/drain.c
 *   issue            asyncring__issue_inline: done at once, or handed to a worker, as chance has it
 *
 * In order of submission: request 0 goes to a worker, 1 is finished inline but its CQE is not yet
 * posted, 2 asks for a drain, 3 perhaps follows in the same submission, 4 in the next.
 *
 * Memory is sequentially consistent here, as these two words are in the library.
 *
 * Proved: the drain starts when 0 and 1 are complete, 3 and 4 start when the drain is complete; at
 * rest everything is complete and no drain is going on.
 *
 * BROKEN 1: the worker looks for a drain before it decrements.
 * BROKEN 2: the submitter counts before it announces the drain.
 * BROKEN 3: the drain is over when the list is empty.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define REQUESTS 5
#define DRAIN 2

bool submitted[REQUESTS] = true
bit submit_lock
bool drain_active
byte in_flight /* ring->active */
byte drained_count
bool drained[REQUESTS] /* kept in order by the numbers */
bool queued[REQUESTS]
bool done[REQUESTS] /* in ring->batch.done */
bool counted[REQUESTS] /* REQ_ACTIVE */
bool complete[REQUESTS]

inline lock() { atomic { submit_lock == 0 -> submit_lock = 1 } }
inline unlock() { submit_lock = 0 }

#define ANY_DONE (done[0] || done[1] || done[2] || done[3] || done[4])

inline issue(request)
{
	d_step {
		assert(request != DRAIN || (complete[0] && complete[1]))
		assert(request <= DRAIN || complete[DRAIN])
	}
	if
	:: request != 0 -> done[request] = true
	:: request != 1 ->
		atomic {
			if
			:: !counted[request] -> counted[request] = true; in_flight++
			:: else
			fi
			queued[request] = true
		}
	fi
}

inline others_complete(all)
{
	all = (in_flight == drained_count && !ANY_DONE)
}

inline drain_resume()
{
	request = DRAIN
	do
	:: request < REQUESTS && drained[request] ->
		/* The drain is the first of the list: all that follow wait as it does. */
		others_complete(all)
		if
		:: !all -> goto not_yet
		:: else
		fi
		d_step { drained[request] = false; drained_count-- }
		issue(request)
		request++
	:: request < REQUESTS && !drained[request] -> request++
	:: request == REQUESTS -> break
	od
	others_complete(all)
	if
#if BROKEN == 3
	:: true -> drain_active = false
#else
	:: all -> drain_active = false
	:: else
#endif
	fi
not_yet:
	skip
}

inline batch_finish()
{
	do
	:: ANY_DONE ->
		d_step {
			request = 0
			do
			:: request < REQUESTS ->
				if
				:: done[request] ->
					done[request] = false
					complete[request] = true
					if
					:: counted[request] -> in_flight--
					:: else
					fi
				:: else
				fi
				request++
			:: else -> break
			od
		}
	:: !ANY_DONE && drain_active ->
		drain_resume()
		if
		:: !ANY_DONE -> break
		:: else
		fi
	:: !ANY_DONE && !drain_active -> break
	od
}

inline hold(held)
{
	d_step {
		drained[held] = true
		drained_count++
		counted[held] = true
		in_flight++
	}
}

active proctype submitter()
{
	byte request
	bool all

	d_step { submitted[3] = false; submitted[4] = false }
	lock()
	issue(0)
	issue(1)
#if BROKEN == 2
	batch_finish()
	others_complete(all)
	drain_active = true
	hold(DRAIN)
	if
	:: submitted[3] = true; hold(3)
	:: true
	fi
	if
	:: all -> batch_finish()
	:: else
	fi
#else
	drain_active = true
	hold(DRAIN)
	if
	:: submitted[3] = true; hold(3)
	:: true
	fi
	batch_finish()
#endif
	unlock()
	if
	:: true -> skip
	:: true ->
		submitted[4] = true
		lock()
		if
		:: drain_active -> hold(4)
		:: else -> issue(4)
		fi
		batch_finish()
		unlock()
	fi
}

active [2] proctype worker()
{
	byte request, mine
	bool all, look

end:	do
	:: atomic {
			queued[0] || queued[2] || queued[3] || queued[4]
			if
			:: queued[0] -> mine = 0
			:: queued[2] -> mine = 2
			:: queued[3] -> mine = 3
			:: queued[4] -> mine = 4
			fi
			queued[mine] = false
		}
		complete[mine] = true
#if BROKEN == 1
		look = drain_active
		in_flight--
#else
		in_flight--
		look = drain_active
#endif
		if
		:: look -> lock(); batch_finish(); unlock()
		:: else
		fi
	od
}

active proctype at_rest()
{
	byte request

	timeout
	for (request : 0 .. REQUESTS - 1) { assert(complete[request] == submitted[request]) }
	assert(!drain_active && in_flight == 0)
}
