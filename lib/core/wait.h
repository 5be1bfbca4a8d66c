/* SPDX-License-Identifier: MIT */
/* Sleeping until completions are there, and waking those who sleep (wait.c). */
#ifndef ASYNCRING__WAIT_H
#define ASYNCRING__WAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <asyncring/abi.h>

struct file;
struct ring;

struct wait_arguments {
	unsigned min_complete;
	const sigset_t *sigmask; /* NULL: the thread keeps its own */
	bool has_timeout;
	bool absolute;
	struct __kernel_timespec timeout;
	uint32_t min_wait_usec;
};

/*
 * Sleep until the application finds @min_complete CQEs. 0, -ETIME, -EINTR, -EBADF if the ring was
 * closed meanwhile. No lock held. *held: requests are queued that the caller has kept for itself
 * (engine/pool.h); false afterwards.
 */
int asyncring__wait(struct ring *ring, const struct wait_arguments *arguments, bool *held);

/* Whom a batch of completions wakes: worked out under cq_lock, done without it. */
struct wake {
	bool sleepers;
	bool driver;	      /* it sleeps in the poller */
	struct file *eventfd; /* a reference to the one registered under the lock, or NULL */
	bool eventfd_async;
};

/* cq_lock held, after completions were added. What it gives has to go to asyncring__notify(). */
struct wake asyncring__wake_prepare(struct ring *ring);
void asyncring__wake(struct ring *ring, const struct wake *wake);

/* Let go of what waiting has left with the ring, which nobody else knows any more. */
void asyncring__wait_release(struct ring *ring);

/* Does a thread wait that does not drive? cq_lock held. */
bool asyncring__waited_for(const struct ring *ring);

/*
 * Nobody drives the poller, though it has to be: get the waiters up, so that one does. False if
 * there is none. No lock held.
 */
bool asyncring__wake_one_to_drive(struct ring *ring);

/* Wake every waiter, to find that the ring is closing. */
void asyncring__wake_all(struct ring *ring);

/*
 * After completions were added, without locks: make the ring's descriptor readable and signal the
 * registered eventfd (notify.c). @async: not from the ring's own submission.
 */
void asyncring__notify(struct ring *ring, const struct wake *wake, bool async);

/* The ring's descriptor is readable, though nothing was posted: let the application know. */
void asyncring__notify_readable(struct ring *ring);

/* The owner of a ring with DEFER_TASKRUN has something to do: tell it, as far as it asked to be. */
void asyncring__announce(struct ring *ring);

/* The application found the CQ empty: take the readability of the descriptor back. */
void asyncring__notify_consumed(struct ring *ring);

/*
 * The SQ thread has been at @ring once more, and has or has not taken anything. The caller is that
 * thread.
 */
void asyncring__notify_turn(struct ring *ring, bool worked);

/* The SQ thread is going to sleep, and the application knows (SQ_NEED_WAKEUP). As notify_turn. */
void asyncring__notify_rest(struct ring *ring);

/*
 * As notify_consumed for somebody who has found nothing and does not ask for more: what the owner
 * of a ring with DEFER_TASKRUN has been told of and has not looked for stays told.
 */
void asyncring__notify_settle(struct ring *ring);

/*
 * Somebody waits for edges of the ring @fd (EPOLLET): each post is an event from now on. No lock
 * held.
 */
void asyncring__notify_edges(int fd);

#endif
