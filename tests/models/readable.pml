/* SPDX-License-Identifier: MIT */
/*
 * The lazy readability of the ring's descriptor: posters, an application that polls the descriptor,
 * takes what it finds and looks once more at an empty CQ, and a second thread that looks, too.
 *
 *   here             in the library
 *   poster           asyncring__cq_post, core/cq.c, then asyncring__notify, core/notify.c
 *   make_readable    asyncring__notify_readable and begin_change, core/notify.c
 *   look             asyncring__notify_consumed and something_to_see, core/notify.c, reached by
 *                    asyncring_enter(GETEVENTS) of an application that saw SQ_FD_READABLE
 *   poller           poll(2), asyncring_peek_cqe, asyncring_cq_advance in the application
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
 */
#ifndef BROKEN
#define BROKEN 0
#endif

#define POSTERS 2

mtype = { UNREADABLE, CHANGING, READABLE }

mtype readable = UNREADABLE
bit cq_lock
byte cqes
bool event_fd /* its counter is not 0 */
bool fd_readable_flag

inline lock(which) { atomic { which == 0 -> which = 1 } }
inline unlock(which) { which = 0 }

/* `mine` tells whether the change is the caller's to make. */
inline begin_change(from)
{
	mine = (readable == from)
	if
	:: mine -> atomic { mine = (readable == from) -> readable = (mine -> CHANGING : readable) }
	:: else
	fi
}

inline make_readable()
{
	begin_change(UNREADABLE)
	if
	:: mine ->
		event_fd = true
		fd_readable_flag = true
		readable = READABLE
	:: else
	fi
}

inline post_cqe()
{
	lock(cq_lock)
	cqes++
	unlock(cq_lock)
}

active [POSTERS] proctype poster()
{
	bool mine
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

inline something_to_see()
{
	lock(cq_lock)
	something = (cqes > 0)
	unlock(cq_lock)
}

inline look()
{
	something_to_see()
	if
	:: something -> goto looked
	:: else
	fi
	begin_change(READABLE)
	if
	:: !mine -> goto looked
	:: else
	fi
	fd_readable_flag = false
#if BROKEN == 3
	readable = UNREADABLE
	event_fd = false
#else
	event_fd = false
	readable = UNREADABLE
#endif
#if BROKEN != 1
	something_to_see()
	if
	:: something -> make_readable()
	:: else
	fi
#endif
looked:	skip
}

active proctype poller()
{
	bool mine, something

end:	do
	/* It would come back for nothing, too; but with nothing to be had it is at rest. */
	:: event_fd && (cqes > 0 || (fd_readable_flag && readable == READABLE)) ->
		cqes = 0
		if
		:: fd_readable_flag -> look()
		:: else
		fi
	od
}

/* Looks when it likes, and takes nothing. */
active proctype passer_by()
{
	bool mine, something
	byte looks

	for (looks : 1 .. 2) {
		if
		:: fd_readable_flag -> look()
		:: true
		fi
	}
}

active proctype at_rest()
{
	timeout
	assert(cqes == 0)
	assert(readable == UNREADABLE && !event_fd && !fd_readable_flag)
}
