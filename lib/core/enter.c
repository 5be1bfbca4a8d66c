/* SPDX-License-Identifier: MIT */
/*
 * asyncring_enter(): submit, then wait. Who may call, in what state, with which arguments; the work
 * itself is in submit.c and wait.c.
 */
#include <asyncring.h>

#include "../engine/pool.h"
#include "../engine/sq_thread.h"
#include "../engine/timers.h"
#include "core.h"
#include "driver.h"
#include "region.h"
#include "registered_ring.h"
#include "setup.h"
#include "statistics.h"
#include "wait.h"

enum {
	ENTER_FLAGS = ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_SQ_WAKEUP |
		      ASYNCRING_ENTER_SQ_WAIT | ASYNCRING_ENTER_EXT_ARG |
		      ASYNCRING_ENTER_REGISTERED_RING | ASYNCRING_ENTER_ABS_TIMER |
		      ASYNCRING_ENTER_EXT_ARG_REG | ASYNCRING_ENTER_NO_IOWAIT,
};

uint32_t asyncring__enter_flags(void)
{
	return ENTER_FLAGS;
}

/* The counterpart of a SINGLE_ISSUER ring's promise; an SQPOLL ring takes any submitter. */
static bool owned_by_other(struct ring *ring)
{
	return !ring->sq_thread && ring->owner_thread &&
	       ring->owner_thread != asyncring__thread_number();
}

/* A structure somewhere in the application's memory. */
static int read_extended(const void *arg, size_t size, struct asyncring_getevents_arg *ext,
			 struct wait_arguments *arguments)
{
	int error;

	if (size != sizeof(*ext))
		return -EINVAL;
	error = asyncring__copy_in(ext, (uintptr_t)arg, sizeof(*ext));
	if (!error && ext->ts) {
		error = asyncring__copy_in(&arguments->timeout, ext->ts,
					   sizeof(arguments->timeout));
		arguments->has_timeout = true;
	}
	return error;
}

/* An entry of the registered region; @arg is its offset. */
static int read_registered(const struct ring *ring, const void *arg, size_t size,
			   struct asyncring_getevents_arg *ext, struct wait_arguments *arguments)
{
	struct asyncring_reg_wait wait;
	int error;

	if (size != sizeof(wait))
		return -EINVAL;
	error = asyncring__region_read_wait(ring, (uintptr_t)arg, &wait);
	if (error)
		return error;
	if (wait.flags & ~(uint32_t)ASYNCRING_REG_WAIT_TS)
		return -EINVAL;
	ext->min_wait_usec = wait.min_wait_usec;
	ext->sigmask = wait.sigmask;
	ext->sigmask_sz = wait.sigmask_sz;
	arguments->timeout = wait.ts;
	arguments->has_timeout = wait.flags & ASYNCRING_REG_WAIT_TS;
	return 0;
}

/* Waits sleep by the monotonic clock: the point in time of @timeout there. */
static void from_boottime(struct __kernel_timespec *timeout)
{
	struct timespec here, there;

	clock_gettime(CLOCK_MONOTONIC, &here);
	clock_gettime(CLOCK_BOOTTIME, &there);
	if (__builtin_sub_overflow(timeout->tv_sec, there.tv_sec - here.tv_sec, &timeout->tv_sec))
		timeout->tv_sec = 0;
	if (__builtin_sub_overflow(timeout->tv_nsec, there.tv_nsec - here.tv_nsec,
				   &timeout->tv_nsec))
		timeout->tv_nsec = 0;
}

/* What the kernel reads from its `arg`: a bare signal mask, or with EXT_ARG a structure. */
static int read_arguments(const struct ring *ring, unsigned flags, const void *arg, size_t size,
			  struct wait_arguments *arguments, sigset_t *mask)
{
	struct asyncring_getevents_arg ext;
	uint64_t mask_address = (uintptr_t)arg;
	int error;

	if (flags & ASYNCRING_ENTER_EXT_ARG) {
		if (flags & ASYNCRING_ENTER_EXT_ARG_REG)
			error = read_registered(ring, arg, size, &ext, arguments);
		else
			error = read_extended(arg, size, &ext, arguments);
		if (error)
			return error;
		arguments->min_wait_usec = ext.min_wait_usec;
		mask_address = ext.sigmask;
		size = ext.sigmask_sz;
		arguments->absolute = arguments->has_timeout && flags & ASYNCRING_ENTER_ABS_TIMER;
		/* Relaxed: who changes the clock while others wait cannot tell which they take. */
		if (arguments->absolute &&
		    atomic_load_explicit(&ring->boottime, memory_order_relaxed))
			from_boottime(&arguments->timeout);
	}
	if (!mask_address)
		return 0;
	if (size != _NSIG / 8)
		return -EINVAL;
	arguments->sigmask = mask;
	return asyncring__copy_in(mask, mask_address, _NSIG / 8);
}

/* What waits for room, or for the owner to ask, goes into the CQ now. */
static void flush(struct ring *ring)
{
	/* Relaxed: what comes in at this moment is for the next call. */
	if (atomic_load_explicit(&ring->backlogged, memory_order_relaxed) ||
	    atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed))
		asyncring__cq_flush(ring, true);
}

/* A polling wait is over when nothing is left to poll for. */
static unsigned wanted(struct ring *ring, unsigned min_complete)
{
	unsigned reachable;

	if (!(ring->flags & ASYNCRING_SETUP_IOPOLL))
		return min_complete;
	reachable = asyncring__cq_ready(ring) +
		    atomic_load_explicit(&ring->active, memory_order_seq_cst);
	return min_complete < reachable ? min_complete : reachable;
}

/*
 * Does this call look into the poller before it does anything else? One that is going to sleep
 * there looks then, and one that finds enough completions need not, but not twice in a row, or who
 * always finds some would never hear of the others. A timeout that has expired before the wait does
 * not end it, so it completes before.
 */
static bool looks_first(struct ring *ring, unsigned min_complete)
{
	unsigned ready = asyncring__cq_ready(ring) +
			 atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed);
	bool away;

	if (!min_complete || ring->flags & ASYNCRING_SETUP_IOPOLL || asyncring__timer_due(ring))
		return true;
	/* Relaxed: who of several threads looks is all the same. */
	away = ready >= min_complete &&
	       !atomic_load_explicit(&ring->looked_away, memory_order_relaxed);
	atomic_store_explicit(&ring->looked_away, away, memory_order_relaxed);
	if (ready < min_complete)
		return !asyncring__driver_needed(ring);
	return !away;
}

/* What asyncring_enter2() is called with, but for the ring. */
struct call {
	unsigned to_submit, min_complete, flags;
	const void *arg;
	size_t size;
};

/* *held: as asyncring__wait(). */
static int get_events(struct ring *ring, const struct call *call, bool *held)
{
	unsigned min_complete = call->min_complete;
	struct wait_arguments arguments = {0};
	sigset_t mask;
	int error;

	error = read_arguments(ring, call->flags, call->arg, call->size, &arguments, &mask);
	if (error)
		return error;
	if (ring->flags & ASYNCRING_SETUP_TASKRUN_FLAG)
		atomic_fetch_and_explicit(&ring->words->sq_flags, ~ASYNCRING_SQ_TASKRUN,
					  memory_order_relaxed);
	if (min_complete > ring->cq_entries)
		min_complete = ring->cq_entries;
	if (looks_first(ring, min_complete))
		asyncring__drive_now(ring);
	flush(ring);
	if (!min_complete) {
		asyncring__notify_consumed(ring);
		return 0;
	}
	arguments.min_complete = wanted(ring, min_complete);
	if (asyncring__cq_ready(ring) >= arguments.min_complete)
		return 0;
	error = asyncring__wait(ring, &arguments, held);
	flush(ring);
	/* With CQEs to reap, how the wait ended does not matter. */
	if ((error == -ETIME || error == -EINTR) && asyncring__cq_ready(ring))
		return 0;
	return error;
}

/* What a submission leaves to be done without submit_lock. */
struct rest {
	bool look; /* something may be ready already */
	bool held; /* no worker was told of something that the caller, who waits, may carry out */
};

/* 0, or why nobody, or not the calling thread, may submit that much. */
static inline int check_caller(struct ring *ring, unsigned to_submit)
{
	/* Acquire, pairs with the release in ENABLE_RINGS. */
	if (atomic_load_explicit(&ring->disabled, memory_order_acquire))
		return -EBADFD;
	return to_submit && owned_by_other(ring) ? -EEXIST : 0;
}

/* submit_lock held, and until what it leaves has been taken. */
static inline int submit_locked(struct ring *ring, const struct call *call)
{
	int result;

	ring->batch.waits = call->flags & ASYNCRING_ENTER_GETEVENTS && call->min_complete;
	result = asyncring__submit(ring, call->to_submit);
	ring->batch.waits = false;
	ring->batch.brief_until = 0;
	return result;
}

static struct rest take_rest(struct ring *ring)
{
	struct rest rest = {
		.look = ring->batch.look_again && !ring_defers(ring),
		.held = ring->batch.held,
	};

	ring->batch.look_again = ring->batch.held = false;
	return rest;
}

static int submit(struct ring *ring, const struct call *call, struct rest *rest)
{
	int result;

	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		return asyncring__sq_thread_enter(ring, call->to_submit, call->flags);
	if (!call->to_submit)
		return 0;
	ring_lock(ring);
	result = submit_locked(ring, call);
	*rest = take_rest(ring);
	ring_unlock(ring);
	return result;
}

/* So many were submitted; then the rest of the call. What it answers. */
static int proceed(struct ring *ring, const struct call *call, int submitted, struct rest *rest)
{
	int error = 0;

	/* What is ready already completes before the call returns. */
	if (rest->look)
		asyncring__drive_now(ring);
	if (submitted >= 0 && (unsigned)submitted == call->to_submit &&
	    call->flags & ASYNCRING_ENTER_GETEVENTS) {
		/* Deferred work is the owner's to run, so only the owner may ask for it. */
		if (ring_defers(ring) && owned_by_other(ring))
			error = -EEXIST;
		else
			error = get_events(ring, call, &rest->held);
	}
	if (rest->held)
		asyncring__pool_announce(ring);
	return submitted ? submitted : error;
}

static int enter(struct ring *ring, const struct call *call)
{
	int result = check_caller(ring, call->to_submit);
	struct rest rest = {0};

	if (!result)
		result = proceed(ring, call, submit(ring, call, &rest), &rest);
	asyncring__drive_wanted(ring);
	return result;
}

/*
 * As many as were to be submitted have been: does nothing of the call remain to be done, nor of
 * what whoever leaves the ring does? A ring that has never waited for anything has no poller, and
 * what other threads do to it from now on they see to themselves.
 */
static bool is_over(struct ring *ring, const struct call *call)
{
	unsigned wanted = call->min_complete;

	if (ring_poller(ring) || ring->batch.held)
		return false;
	if (!(call->flags & ASYNCRING_ENTER_GETEVENTS))
		return true;
	if (!wanted || call->arg || call->flags & ASYNCRING_ENTER_EXT_ARG ||
	    ring->flags & (ASYNCRING_SETUP_IOPOLL | ASYNCRING_SETUP_TASKRUN_FLAG))
		return false;
	/* Relaxed: as in flush. */
	if (atomic_load_explicit(&ring->backlogged, memory_order_relaxed) ||
	    atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed))
		return false;
	return asyncring__cq_ready(ring) >= (wanted < ring->cq_entries ? wanted : ring->cq_entries);
}

/*
 * Something is to be submitted, and submit_lock is held in place of a reference. Where all requests
 * end inline that is the whole call, and the lock its only atomic operation but for the CQ's.
 */
static inline int enter_locked(struct ring *ring, const struct call *call)
{
	int result = check_caller(ring, call->to_submit);
	struct rest rest;

	if (result) {
		ring_unlock(ring);
		return result;
	}
	result = submit_locked(ring, call);
	if (__builtin_expect(result == (int)call->to_submit && is_over(ring, call), true)) {
		ring_unlock(ring);
		return result;
	}
	rest = take_rest(ring);
	asyncring__ring_hold(ring);
	ring_unlock(ring);
	result = proceed(ring, call, result, &rest);
	asyncring__drive_wanted(ring);
	asyncring__ring_put(ring);
	return result;
}

int asyncring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		     void *arg, size_t sz)
{
	const struct call call = {to_submit, min_complete, flags, arg, sz};
	bool registered = flags & ASYNCRING_ENTER_REGISTERED_RING;
	struct ring *ring;
	int result = 0;

	statistics_count(STATISTIC_ENTERS);
	if (flags & ~(unsigned)ENTER_FLAGS)
		return -EINVAL;
	if (to_submit) {
		ring = registered ? asyncring__registered_ring_lock(fd)
				  : asyncring__ring_get_locked(fd);
		if (ring)
			return enter_locked(ring, &call);
	}
	ring = registered ? asyncring__registered_ring_get(fd, &result)
			  : asyncring__ring_get(fd, &result);
	if (!ring)
		return result;
	result = enter(ring, &call);
	asyncring__ring_put(ring);
	return result;
}

int asyncring_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		    sigset_t *sig)
{
	return asyncring_enter2(fd, to_submit, min_complete, flags, sig, _NSIG / 8);
}
