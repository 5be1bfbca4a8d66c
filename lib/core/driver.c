/* SPDX-License-Identifier: MIT */
/*
 * The waiting thread is the event loop: a thread that would sleep in enter() while requests are
 * armed or timers run takes on driving the poller, and sleeps there. Others that wait meanwhile
 * sleep on the futex as always (wait.c), and when the driver leaves one of them follows. While
 * nobody waits the attendant drives (engine/attendant.c); not on rings with DEFER_TASKRUN, where
 * completions are the owner's to ask for.
 *
 * The driver's sleep. It says under cq_lock that it is asleep, what tail it waits for, and only
 * then looks when the next timer expires. Whoever brings the tail there, or starts an earlier
 * timer, takes cq_lock afterwards, sees it asleep, and writes the poller's eventfd. Either the
 * other came first and the driver sees what it did, or the driver was first and is woken.
 */
#include "driver.h"

#include "../clock.h"
#include "../engine/attendant.h"
#include "../engine/poller.h"
#include "core.h"
#include "wait.h"

bool asyncring__driver_needed(struct ring *ring)
{
	struct poller *poller = ring_poller(ring);

	/* Sequentially consistent: see attended.listed. */
	return poller && atomic_load_explicit(&poller->pending, memory_order_seq_cst);
}

static void become_driver(struct driver *driver)
{
	driver->present = true;
	driver->rounds++;
}

bool asyncring__driver_begin(struct ring *ring, uint32_t tail, bool *drives)
{
	struct driver *driver = &ring->driver;

	if (!asyncring__driver_needed(ring)) {
		/* It sleeps elsewhere: if something is armed meanwhile somebody else may drive. */
		if (*drives)
			driver->present = false;
		*drives = false;
		return false;
	}
	if (!*drives && driver->present)
		return false;
	if (!*drives)
		become_driver(driver);
	*drives = true;
	atomic_store_explicit(&driver->asleep, true, memory_order_relaxed);
	driver->waits = true;
	driver->tail = tail;
	return true;
}

int asyncring__driver_sleep(struct ring *ring, int64_t until, const sigset_t *mask)
{
	int64_t expiry, end = until, timeout = -1;
	int error;

	asyncring__attend_release(ring);
	error = asyncring__poller_rest(ring_poller(ring), mask);
	if (error) {
		asyncring__driver_awake(ring);
		return error;
	}
	/* Sequentially consistent, as the exchange in timers.c, which looks at `asleep` next. */
	expiry = atomic_load_explicit(&ring_poller(ring)->next_expiry, memory_order_seq_cst);
	if (expiry < end)
		end = expiry;
	if (end != CLOCK_NEVER) {
		timeout = end - clock_now();
		if (timeout < 0)
			timeout = 0;
	}
	error = asyncring__poller_drive(ring, timeout, mask);
	if (!error && until != CLOCK_NEVER && clock_now() >= until)
		return -ETIMEDOUT;
	return error;
}

void asyncring__driver_awake(struct ring *ring)
{
	atomic_store_explicit(&ring->driver.asleep, false, memory_order_relaxed);
}

void asyncring__driver_hurry(struct ring *ring)
{
	bool asleep;

	lock_acquire(&ring->control->cq_lock);
	asleep = driver_rouse(&ring->driver);
	lock_release(&ring->control->cq_lock);
	if (asleep)
		asyncring__poller_wake(ring_poller(ring));
	else
		asyncring__attend_hurry(ring);
}

/* The descriptor of a ring that only its owner drives has to tell of timers by itself. */
static void show_timers(struct ring *ring)
{
	struct poller *poller = ring_poller(ring);

	/* Relaxed: the owner, which is here, or else a worker that has shown it itself. */
	if (atomic_load_explicit(&poller->next_expiry, memory_order_relaxed) ==
	    atomic_load_explicit(&poller->timers.shown, memory_order_relaxed))
		return;
	ring_lock(ring);
	asyncring__timers_show(ring);
	ring_unlock(ring);
}

/* If the ring has to be driven and nobody does: a waiter follows, or the attendant. */
static void find_successor(struct ring *ring)
{
	bool woken;

	if (!asyncring__driver_needed(ring))
		return;
	woken = asyncring__wake_one_to_drive(ring);
	if (!woken)
		asyncring__attend(ring);
}

void asyncring__driver_leave(struct ring *ring)
{
	bool waited_for;

	lock_acquire(&ring->control->cq_lock);
	ring->driver.present = ring->driver.waits = false;
	asyncring__driver_awake(ring);
	waited_for = asyncring__waited_for(ring);
	lock_release(&ring->control->cq_lock);
	if (ring_defers(ring))
		show_timers(ring);
	if (!asyncring__driver_needed(ring))
		return;
	if (waited_for)
		asyncring__wake_all(ring);
	else
		asyncring__attend(ring);
}

/* Become the driver without sleeping, unless there is one. */
static bool claim(struct ring *ring)
{
	bool claimed;

	lock_acquire(&ring->control->cq_lock);
	claimed = !ring->driver.present;
	if (claimed)
		become_driver(&ring->driver);
	lock_release(&ring->control->cq_lock);
	return claimed;
}

void asyncring__drive_now(struct ring *ring)
{
	/* What its descriptor tells of has to be looked at, even if nothing is left of it. */
	bool tells = ring_defers(ring) && ring_poller(ring);

	if ((!tells && !asyncring__driver_needed(ring)) || !claim(ring))
		return;
	asyncring__poller_drive(ring, 0, NULL);
	asyncring__driver_leave(ring);
}

void asyncring__drive_wanted(struct ring *ring)
{
	if (ring_defers(ring) && ring_poller(ring))
		show_timers(ring);
	/* Its owner's alone: that is who has called, so nobody waits. */
	if (!asyncring__driver_needed(ring))
		asyncring__attend_release(ring);
	else if (asyncring__attend_needed(ring))
		find_successor(ring);
}

void asyncring__drive_wanted_locked(struct ring *ring)
{
	if (ring_defers(ring) && ring_poller(ring))
		asyncring__timers_show(ring);
	if (!asyncring__driver_needed(ring))
		asyncring__attend_release(ring);
	else if (!asyncring__attended(ring))
		find_successor(ring);
}
