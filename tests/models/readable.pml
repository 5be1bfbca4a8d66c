/* SPDX-License-Identifier: MIT */
/*
 * The lazy readability of the ring's descriptor: posters, an application that waits for edges of the
 * descriptor (and now and then is awake for other reasons), takes what it finds and looks once more
 * at an empty CQ, and a second thread that looks, too.
 *
 *   here             in the library
 *   poster           asyncring__cq_post, core/cq.c, then asyncring__notify, core/notify.c
 *   make_readable    asyncring__notify_readable and change, core/notify.c
 *   take_back        take_back, core/notify.c
 *   look             asyncring__notify_consumed and something_to_see, core/notify.c, reached by
 *                    asyncring_enter(GETEVENTS) of an application that saw SQ_FD_READABLE
 *   poller           epoll_wait(2), asyncring_peek_cqe, asyncring_cq_advance in the application
 *
 * Memory is sequentially consistent here. In the library every operation on `readable` is, and the
 * CQ is looked at under cq_lock.
 *
 * Proved: at rest the CQ is empty, which is to say that the poller was told of every CQE; the
 * descriptor is readable if and only if the state says so, and only then the flag is set.
 *
 * BROKEN 1: who has made it unreadable does not look again.
 * BROKEN 2: the poster looks at the state before its CQE is there.
 * BROKEN 3: UNREADABLE is stored before the eventfd is read.
 * BROKEN 4: the flag is set after the eventfd is written.
 * BROKEN 5: an empty look leaves no mark while the descriptor is being made readable.
 * BROKEN 6: the poster who finds the mark does not look at the CQ.
 */
#ifndef BROKEN
#define BROKEN 0
#endif

/* How often the poller is awake without having been told. With 1 it takes a minute: no error. */
#ifndef SPARE
#define SPARE 0
#endif

#define POSTERS 2

mtype = { UNREADABLE, RISING, LOOKED, READABLE, FALLING }

mtype readable = UNREADABLE
bit cq_lock
byte cqes
bool event_fd /* its counter is not 0 */
bool edge     /* it has been written, and the poller has not been told yet */
bool fd_readable_flag

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }

/* `mine` tells whether the change was made. */
inline change(from, to)
{
	mine = (readable == from)
	if
	:: mine -> atomic { mine = (readable == from) -> readable = (mine -> to : readable) }
	:: else
	fi
}

inline something_to_see()
{
	lock(cq_lock)
	something = (cqes > 0)
	unlock(cq_lock)
}

inline take_back()
{
	fd_readable_flag = false
#if BROKEN == 3
	readable = UNREADABLE
	event_fd = false
#else
	event_fd = false
	readable = UNREADABLE
#endif
	something_to_see()
}

inline write_event_fd() { atomic { event_fd = true; edge = true } }

inline make_readable()
{
	do
	:: change(UNREADABLE, RISING)
		if
		:: !mine -> break
		:: else
		fi
#if BROKEN == 4
		write_event_fd()
		fd_readable_flag = true
#else
		fd_readable_flag = true
		write_event_fd()
#endif
		change(RISING, READABLE)
		if
		:: mine -> break
		:: else
		fi
		take_back()
		if
#if BROKEN == 6
		:: true -> break
#else
		:: !something -> break
		:: else
#endif
		fi
	od
}

inline post_cqe()
{
	lock(cq_lock)
	cqes++
	unlock(cq_lock)
}

active [POSTERS] proctype poster()
{
	bool mine, something
	byte posts

	for (posts : 1 .. 2) {
#if BROKEN == 2
		mine = (readable == UNREADABLE)
		post_cqe()
		if
		:: mine -> make_readable()
		:: else
		fi
#else
		post_cqe()
		make_readable()
#endif
	}
}

inline look()
{
	something_to_see()
	if
	:: something -> goto looked
	:: else
	fi
	do
	:: seen = readable
		if
#if BROKEN != 5
		:: seen == RISING ->
			change(RISING, LOOKED)
			if
			:: mine -> goto looked
			:: else
			fi
#endif
		:: seen == READABLE
		:: else -> goto looked
		fi
		change(READABLE, FALLING)
		if
		:: mine -> break
		:: else
		fi
	od
	take_back()
#if BROKEN != 1
	if
	:: something -> make_readable()
	:: else
	fi
#endif
looked:	skip
}

/* Until there is nothing to be had any more. */
inline take_all()
{
	do
	:: cqes = 0
		if
		:: fd_readable_flag -> look()
		:: else
		fi
		if
		:: cqes == 0 -> break
		:: else
		fi
	od
}

active proctype poller()
{
	bool mine, something
	byte spare = SPARE
	mtype seen

end:	do
	/* The wait drops an event that is not true any more. */
	:: atomic { edge -> edge = false }
		if
		:: event_fd -> take_all()
		:: else
		fi
	:: spare > 0 ->
		spare--
		take_all()
	od
}

/* Looks when it likes, and takes nothing. */
active proctype passer_by()
{
	bool mine, something
	mtype seen

	if
	:: fd_readable_flag -> look()
	:: true
	fi
}

active proctype at_rest()
{
	timeout
	assert(cqes == 0)
	assert(readable == UNREADABLE && !event_fd && !fd_readable_flag)
}
