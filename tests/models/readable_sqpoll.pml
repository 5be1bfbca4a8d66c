/* SPDX-License-Identifier: MIT */
/*
 * The lazy readability of the descriptor of a ring with an SQ thread: the thread, which posts, takes
 * the readability back, owes edges and sleeps; a worker, who posts; and an application that waits
 * for edges of the descriptor, takes what it finds, and calls only if it sees that the thread sleeps.
 * What is common to all rings is in readable.pml.
 *
 *   here             in the library
 *   begin_to_raise   begin_to_raise and change, core/notify.c
 *   raise            raise_readable, core/notify.c
 *   take_back        take_back and something_to_see, core/notify.c
 *   look             asyncring__notify_consumed, core/notify.c
 *   sq_thread        serve_until_stopped and sleep_until_woken, engine/sq_thread.c, with
 *                    asyncring__notify_readable, _turn and _rest; how many turns pass is left to
 *                    chance, and so is whether it is woken again while it has something to post
 *   poller           epoll_wait(2), asyncring__fd_readable, asyncring_cq_advance in the application
 *
 * Memory is sequentially consistent here. The two flags are in one word: the application reads them
 * with a read-modify-write, the thread sets the one with another. BROKEN 5 is what would be without.
 *
 * Proved: at rest the CQ is empty, which is to say that the poller was told of every CQE; the
 * descriptor is not readable, and the state and the flag say so.
 *
 * BROKEN 1: the thread does not look for what is to be taken back before it sleeps.
 * BROKEN 2: the thread forgets the edge it owes.
 * BROKEN 3: a worker leaves a readable descriptor as it is.
 * BROKEN 4: a worker leaves no mark while the descriptor is being made readable.
 * BROKEN 5: the application looks at the flags before its head is to be seen.
 * BROKEN 6: the thread does not pay before it sleeps.
 * BROKEN 7: another edge is made by a mere write.
 * BROKEN 8: the thread looks at the CQ before it says that it sleeps.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

mtype = { UNREADABLE, RISING, LOOKED, READABLE, FALLING }

mtype readable = UNREADABLE
byte head, tail
bool event_fd /* its counter is not 0 */
bool edge     /* it has been written, and the poller has not been told yet */
bool fd_readable_flag, need_wakeup_flag

#define CQES (tail != head)

/* `mine` tells whether the change was made. */
inline change(from, to)
{
	atomic { mine = (readable == from) -> readable = (mine -> to : readable) }
}

inline take_back()
{
	fd_readable_flag = false
	event_fd = false
	readable = UNREADABLE
	something = CQES
}

inline write_event_fd() { atomic { event_fd = true; edge = true } }

inline begin_to_raise(again)
{
	do
	:: change(UNREADABLE, RISING)
		if
		:: mine -> break
		:: else
		fi
		if
		:: !again -> break
		:: else
		fi
#if BROKEN != 4
		change(RISING, LOOKED)
		if
		:: mine -> mine = false; break
		:: else
		fi
#endif
#if BROKEN == 7
		if
		:: readable == READABLE -> write_event_fd(); break
		:: else
		fi
#else
		change(READABLE, RISING)
		if
		:: mine -> break
		:: else
		fi
#endif
		seen = readable
		if
		:: seen == LOOKED || seen == FALLING -> break
#if BROKEN == 4
		:: seen == RISING -> break
#endif
		:: else
		fi
	od
}

inline raise(again)
{
	raised = false
	do
	:: begin_to_raise(again)
		if
		:: !mine -> break
		:: else
		fi
		raised = true
		fd_readable_flag = true
		write_event_fd()
		change(RISING, READABLE)
		if
		:: mine -> break
		:: else
		fi
		take_back()
		if
		:: !something -> break
		:: else
		fi
	od
}

/* What does not matter any more is the same everywhere: there is less to search. */
inline forget() { d_step { mine = false; something = false; raised = false; seen = UNREADABLE } }

inline look()
{
	something = CQES
	do
	:: something -> break
	:: else ->
		seen = readable
		if
		:: seen == RISING ->
			change(RISING, LOOKED)
			if
			:: mine -> break
			:: else
			fi
		:: seen == READABLE ->
			change(READABLE, FALLING)
			if
			:: mine ->
				take_back()
				if
				:: something -> raise(false)
				:: else
				fi
				break
			:: else
			fi
		:: else -> break
		fi
	od
}

active proctype sq_thread()
{
	bool mine, something, raised, owed
	byte posts = 2, due
	mtype seen

	do
	:: posts > 0 ->
		posts--
		tail++
		raise(false)
		if
		:: !raised && !(owed && head < due) -> owed = true; due = tail
		:: else
		fi
		forget()
	:: owed ->
		owed = false
		if
#if BROKEN != 2
		:: head < due -> raise(true)
#endif
		:: head >= due && CQES -> owed = true; due = tail
		:: else
		fi
		due = (owed -> due : 0)
		forget()
	:: !CQES -> look(); forget()
	:: true ->
#if BROKEN != 8
		need_wakeup_flag = true
#endif
#if BROKEN != 6
		if
		:: owed && CQES -> raise(true)
		:: else
		fi
#endif
		owed = false
		due = 0
#if BROKEN != 1
		look()
#endif
		forget()
#if BROKEN == 8
		need_wakeup_flag = true
#endif
		if
		:: posts > 0 -> need_wakeup_flag = false
		:: posts == 0 -> break
		fi
	od
}

active proctype worker()
{
	bool mine, something, raised
	mtype seen

	tail++
#if BROKEN == 3
	raise(false)
#else
	raise(true)
#endif
}

active proctype poller()
{
	bool mine, something, raised, call
	byte found
	mtype seen

end:	do
	/* The wait drops an event that is not true any more. */
	:: atomic { edge -> edge = false }
		if
		:: event_fd ->
			do
			:: found = tail
#if BROKEN == 5
				call = fd_readable_flag && need_wakeup_flag
				head = found
#else
				head = found
				call = fd_readable_flag && need_wakeup_flag
#endif
				if
				:: CQES
				:: else ->
					if
					:: call -> look()
					:: else
					fi
					forget()
					call = false
					if
					:: !CQES -> break
					:: else
					fi
				fi
			od
			found = 0
		:: else
		fi
	od
}

active proctype at_rest()
{
	timeout
	assert(!CQES)
	assert(readable == UNREADABLE && !event_fd && !fd_readable_flag)
	assert(need_wakeup_flag)
}
