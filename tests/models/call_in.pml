/* SPDX-License-Identifier: MIT */
/*
 * Who is called in for queued work, where a worker takes a row of brief requests at once, and no
 * other is called while those that are on their way suffice, but to watch while those that are to
 * be back from a row do.
 *
 *   here             in the library
 *   call_in          asyncring__pool_call_in_one, engine/pool_worker.c,
 *                    asyncring__pool_brief_suffice, engine/pool_brief.c
 *   submitter        asyncring__pool_queue, engine/pool.c
 *   worker           worker_main, work, sleep_until_signalled, engine/pool_worker.c
 *   take             asyncring__pool_take, asyncring__pool_gather_brief
 *   part             part, engine/pool_brief.c
 *
 * Each step made under pool.lock is one step here. A row has room for two. A request is brief, or
 * taken to be brief and waits when it is tried, or stands in the attempt, or waits anyway; who waits
 * or stands does so for ever. There is a worker for each request, and all may run: how many do is
 * another matter (pool_growth.c). Who watches takes something at any time after that.
 *
 * Proved: when everything has come to rest nothing is queued, and nobody is counted who is not
 * there.
 *
 * BROKEN 1: nobody watches those who are at a row.
 * BROKEN 2: who has to wait is still counted.
 * BROKEN 3: one who takes calls in nobody for the rest.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define REQUESTS 4
#define WORKERS	 REQUESTS
#define ROW	 2

#define NONE  0
#define BRIEF 1
#define COLD  2 /* taken to be brief */
#define WAITS 3
#define HANGS 4 /* taken to be brief */

#define may_be_brief(request) (request == BRIEF || request == COLD || request == HANGS)
/* asyncring__pool_brief_suffice */
#define suffice(workers)      (queued > 0 && queued <= (workers) * ROW && may_be_brief(queue[0]))

byte queue[REQUESTS]
byte queued, coming, rows, hanging
byte watcher = WORKERS /* who: none */
bool told[WORKERS], idle[WORKERS]

inline call_in()
{
	if
	:: queued <= coming || suffice(coming)
#if BROKEN == 1
	:: queued > coming && !suffice(coming) && suffice(coming + rows)
#else
	:: queued > coming && !suffice(coming) && suffice(coming + rows) && watcher != WORKERS
#endif
	:: else ->
		i = 0
		do
		:: i < WORKERS && idle[i] ->
			idle[i] = false
			told[i] = true
			if
			:: suffice(coming + rows) -> watcher = i
			:: else -> coming++
			fi
			break
		:: i < WORKERS && !idle[i] -> i++
		:: i == WORKERS -> break
		od
	fi
	i = 0
}

/* The first of the queue. */
inline take(request)
{
	request = queue[0]
	queued--
	i = 0
	do
	:: i < queued -> queue[i] = queue[i + 1]; i++
	:: else -> break
	od
	queue[queued] = NONE
	i = 0
}

inline put_back(request)
{
	i = queued
	do
	:: i > 0 -> queue[i] = queue[i - 1]; i--
	:: else -> break
	od
	queue[0] = request
	queued++
}

/* Under pool.lock: the row is over before all of it is done, and @back, if anything, goes back. */
inline part(back)
{
	d_step {
		if
#if BROKEN == 2
		:: skip
#else
		:: rows--
#endif
		fi
		if
		:: back != NONE -> put_back(back); call_in()
		:: else -> call_in()
		fi
		back = NONE
	}
}

proctype submitter()
{
	byte i, count

	for (count : 1 .. REQUESTS) {
		if
		:: d_step { queue[queued] = BRIEF; queued++; call_in() }
		:: d_step { queue[queued] = COLD; queued++; call_in() }
		:: d_step { queue[queued] = WAITS; queued++; call_in() }
		:: d_step { queue[queued] = HANGS; queued++; call_in() }
		:: break
		fi
	}
}

proctype worker(byte me)
{
	byte i, first, second
	bool sleeps, back /* from a row that was all carried out: still counted */

end:	do
	:: d_step {
		told[me] -> told[me] = false
		if
		:: watcher == me -> watcher = WORKERS
		:: else -> coming--
		fi
	   }
		do
		:: d_step {
			if
			:: back -> rows--; back = false
			:: else
			fi
			if
			:: queued == 0 -> idle[me] = true; sleeps = true
			:: else ->
				take(first)
				if
				:: may_be_brief(first) ->
					rows++
					if
					:: queued > 0 && may_be_brief(queue[0]) -> take(second)
					:: else
					fi
				:: else
				fi
#if BROKEN != 3
				call_in()
#endif
			fi
		   }
			if
			:: sleeps -> sleeps = false; break
			:: else
			fi
			if
			:: first == WAITS -> goto stuck
			:: first == COLD -> part(second); goto stuck
			:: first == HANGS -> goto hangs
			:: first == BRIEF && second == NONE -> back = true
			:: first == BRIEF && second == COLD -> second = NONE; part(second); goto stuck
			:: first == BRIEF && second == HANGS -> goto hangs
			:: first == BRIEF && second == BRIEF ->
				if
				:: back = true
				/* The time was over, and it carries that one out by itself. */
				:: second = NONE; part(second)
				fi
			fi
			first = NONE
			second = NONE
		od
	od
hangs:	hanging++
stuck:	skip
}

init
{
	byte i

	atomic {
		for (i : 0 .. WORKERS - 1) {
			idle[i] = true
			run worker(i)
		}
		run submitter()
	}
	timeout
	assert(queued == 0)
	assert(coming == 0)
	assert(rows == hanging)
	assert(watcher == WORKERS)
}
