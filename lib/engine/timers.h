/* SPDX-License-Identifier: MIT */
/*
 * Timers of a ring: a heap for each clock, with the earliest on top. Everything here needs
 * the ring's submit_lock.
 */
#ifndef ASYNCRING__TIMERS_H
#define ASYNCRING__TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct ring;

enum timer_clock { TIMER_MONOTONIC, TIMER_BOOTTIME, TIMER_REALTIME, TIMER_CLOCKS };

/* Embedded in what has a timer. */
struct timer {
	int64_t expiry;	   /* ns on its clock */
	uint64_t sequence; /* of those with the same expiry the first started expires first */
	uint32_t place;	   /* in the heap, plus one; 0: not started */
	uint8_t clock;	   /* enum timer_clock */
};

struct timer_slot;

struct timer_heap {
	struct timer_slot *slots;
	uint32_t count, room;
};

struct timers {
	struct timer_heap heaps[TIMER_CLOCKS];
	uint64_t sequence; /* of the timer started last */
	/*
	 * Descriptors that become readable when the clocks that others can set reach the top of
	 * their heaps; -1: not needed yet. The monotonic clock needs one only for rings whose
	 * descriptor has to tell that a timer has expired (asyncring__timers_show).
	 */
	int fds[TIMER_CLOCKS];
	_Atomic int64_t shown; /* what the monotonic one is armed for; INT64_MAX: nothing */
};

/* Start @timer, whose expiry and clock are set. 0 or a negative errno. */
int asyncring__timer_start(struct ring *ring, struct timer *timer);
void asyncring__timer_stop(struct ring *ring, struct timer *timer);

static inline bool timer_started(const struct timer *timer)
{
	return timer->place;
}

/* Has one by the monotonic clock expired? Without the lock: a hint. */
bool asyncring__timer_due(struct ring *ring);

/*
 * One that has expired, stopped, the earliest of its clock; NULL: none. @now is what the clocks
 * say, for a whole round, so that a timer that is started anew each time cannot prolong it for
 * ever; all 0 at first.
 */
struct timer *asyncring__timer_take_expired(struct ring *ring, int64_t now[TIMER_CLOCKS]);

/* Let the poller's set tell of the next expiry by itself: its driver goes away. */
void asyncring__timers_show(struct ring *ring);

int64_t asyncring__timer_now(enum timer_clock clock);

void asyncring__timers_init(struct timers *timers);
void asyncring__timers_release(struct timers *timers);

#endif
