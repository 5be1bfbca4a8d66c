/* SPDX-License-Identifier: MIT */
/*
 * The poller: requests that wait for the readiness of their files, and timers. Each ring has one of
 * its own, made when it is first needed; it is driven by whoever waits on the ring (core/wait.c)
 * or, while nobody does, by the attendant (attendant.c).
 */
#ifndef ASYNCRING__POLLER_H
#define ASYNCRING__POLLER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "spin.h"
#include "timers.h"

struct request;
struct ring;
struct watch;

enum { WATCHES_PER_BLOCK = 64 };

/* Marks events in the set that are no watch's: they only end the sleep. */
#define POLLER_OWN_EVENT UINT64_MAX

struct poller {
	/* Constant. The epoll set, and in it the eventfd that gets its driver out of a sleep. */
	int epoll_fd, wake_fd;
	/*
	 * With DEFER_TASKRUN: the set is part of the ring's own, so that the ring's descriptor
	 * tells of what there is to ask for. Written under submit_lock, looked at without.
	 */
	_Atomic bool shown;

	/* ---- submit_lock ---- */
	struct watch **blocks; /* a watch is found by its number and never moves */
	unsigned block_count;
	unsigned free_watch; /* number + 1 of the first unused, 0: none; linked */
	struct timers timers;

	/*
	 * Requests armed, timers started, and one for all that the kernel carries out: while it is
	 * 0 nobody needs to drive. Written under submit_lock, looked at without: a hint. Changed
	 * sequentially consistently: who has incremented it looks for somebody who drives
	 * (attended.listed), and who has decremented it to 0 for somebody who need not any more
	 * (attended.adopted).
	 */
	_Atomic uint32_t pending;
	/*
	 * When the next timer expires, INT64_MAX: there is none. Written under submit_lock; a
	 * driver reads it under cq_lock after it has said that it is going to sleep (wait.c).
	 */
	_Atomic int64_t next_expiry;
	/* Looks in a row that found events and completed nothing. */
	_Atomic uint32_t vain;

	/* The driver's, who is one at a time (driver.present, under cq_lock). */
	struct spin spin;
};

/* ---- submit_lock held ---- */

/* The ring's poller, made if there is none yet: NULL with the negative errno in *error. */
struct poller *asyncring__poller_get(struct ring *ring, int *error);

/*
 * @request, which has its file, waits for request->poll_events from now on. 0; -EPERM if its file
 * is one that is always ready; else the errno that says why it cannot wait here.
 */
int asyncring__poller_arm(struct request *request);

/* Take an armed request back; it is the caller's again. */
void asyncring__poller_disarm(struct request *request);

/* Let go of everything at the end of a ring; nothing is armed any more. */
void asyncring__poller_destroy(struct ring *ring);

/* ---- no lock held; by the ring's one driver ---- */

/*
 * Sleep until a file is ready, a timer expires or asyncring__poller_wake(), @timeout_ns (-1: none)
 * at most, under @mask if it is not NULL; then carry on with what has become possible. 0 or -EINTR.
 */
int asyncring__poller_drive(struct ring *ring, int64_t timeout_ns, const sigset_t *mask);

/*
 * Before the driver sleeps again: if all it does is in vain, wait a moment, under @mask if it is
 * not NULL. 0 or -EINTR.
 */
int asyncring__poller_rest(struct poller *poller, const sigset_t *mask);

/* ---- any thread, any lock ---- */

/* Get the driver out of its sleep. */
void asyncring__poller_wake(struct poller *poller);

#endif
