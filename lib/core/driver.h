/* SPDX-License-Identifier: MIT */
/*
 * Who drives a ring's poller: one thread at a time, at best one that waits on the ring anyway.
 */
#ifndef ASYNCRING__DRIVER_H
#define ASYNCRING__DRIVER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ring;

/* Guarded by the ring's cq_lock. */
struct driver {
	bool present; /* somebody drives */
	/*
	 * And sleeps, or is about to, until it is woken. The driver itself clears it without the
	 * lock, relaxed: who sees that too late wakes it in vain.
	 */
	_Atomic bool asleep;
	bool waits; /* for the CQ tail `tail`; without it only for events */
	uint32_t tail;
	uint32_t rounds; /* how often somebody began to drive */
};

/* Is it asleep? Then the caller wakes it, once the lock is released. cq_lock held. */
static inline bool driver_rouse(struct driver *driver)
{
	/* Relaxed: set under the lock. */
	if (!atomic_load_explicit(&driver->asleep, memory_order_relaxed))
		return false;
	atomic_store_explicit(&driver->asleep, false, memory_order_relaxed);
	return true;
}

/* Has the ring anything to be driven for? A hint. */
bool asyncring__driver_needed(struct ring *ring);

/*
 * A thread that waits for the CQ tail @tail is about to sleep. True if it is, or now becomes, the
 * driver: then it has to go on to driver_sleep(). *drives says whether it is the driver. cq_lock
 * held.
 */
bool asyncring__driver_begin(struct ring *ring, uint32_t tail, bool *drives);

/* ---- no lock held ---- */

/*
 * After driver_begin(): sleep until something happens or the monotonic time is @until (CLOCK_NEVER:
 * no limit), under @mask if it is not NULL, and carry on with what has become possible. 0 to look
 * again, -ETIMEDOUT or -EINTR.
 */
int asyncring__driver_sleep(struct ring *ring, int64_t until, const sigset_t *mask);

/* Stop driving: somebody else who waits takes over. */
void asyncring__driver_leave(struct ring *ring);

/* Carry on with what is possible now, if there is no driver. Does not sleep. */
void asyncring__drive_now(struct ring *ring);

/*
 * The caller may have armed something and goes away: see that somebody drives, a waiter or the
 * attendant.
 */
void asyncring__drive_wanted(struct ring *ring);
/* The same for a worker, with submit_lock held. */
void asyncring__drive_wanted_locked(struct ring *ring);

/* ---- for the poller, submit_lock held or not ---- */

/* The driver has to look again, earlier than it meant to. */
void asyncring__driver_hurry(struct ring *ring);
/* The calling driver is out of its sleep. */
void asyncring__driver_awake(struct ring *ring);

#endif
