/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait on futexes, without a worker for each (futex_waiter.c, futex_thread.c).
 */
#ifndef ASYNCRING__FUTEX_WAITER_H
#define ASYNCRING__FUTEX_WAITER_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/list.h"

struct cancel_match;
struct futex_thread;
struct request;

/* Flags of the futex2 calls, as in SQEs and in struct futex_waitv. */
enum { FUTEX_SIZE_32 = 0x02, FUTEX_IS_PRIVATE = 0x80 };

enum futex_wait_kind {
	FUTEX_WAIT_ONE,	   /* one word: the request answers 0 */
	FUTEX_WAIT_VECTOR, /* several: it answers the index of the one that was woken */
};

/* One request; the request's async_data. Everything but the request's own part: futex.lock. */
struct futex_waiter {
	struct list node;  /* in futex.waiters: the first to come is the first to be woken */
	struct list place; /* in thread->waiters, or when it is over in thread->done */
	struct futex_thread *thread;
	bool armed; /* the thread has it in the system call it makes, goes to or comes from */
	bool over;  /* has its result */

	/* Constant once it is started. */
	struct request *request;
	enum futex_wait_kind kind;
	uint32_t mask; /* of a single word; vectors have all bits */
	unsigned count;
	struct futex_waitv words[];
};

/*
 * Would the wait be over at once? -ETIMEDOUT: no. Else the result: 0 or an index (it was woken), or
 * the errno that refuses it. Takes no lock.
 */
int asyncring__futex_probe(const struct futex_waiter *waiter);

/*
 * Begin to wait; called from issue() with its flags. The I/O side's reference to waiter->request is
 * the engine's from now on. When this returns to a submitter the wait can be seen by any futex(2),
 * or it is over. False: no thread can be had, and nothing has happened.
 */
bool asyncring__futex_wait(struct futex_waiter *waiter, unsigned issue_flags);

/*
 * Wake @count waiters, requests and others, of the word whose mask meets @mask: their number or an
 * errno.
 */
int asyncring__futex_wake(uint64_t address, bool private, uint32_t count, uint32_t mask);

/*
 * Take back matching requests, the first or @all: their number. They are put on @taken
 * (request.node) and belong to the caller, with the I/O side's reference.
 */
unsigned asyncring__futex_cancel(const struct cancel_match *match, bool all, struct list *taken);

/* The last ring of the process is closed: let all threads go and wait until they are gone. */
void asyncring__futex_retire(void);

void asyncring__futex_before_fork(void);
void asyncring__futex_after_fork_parent(void);
void asyncring__futex_after_fork_child(void);

#endif
