/* SPDX-License-Identifier: MIT */
/* Getting a worker out of a blocking system call (interrupt.c). */
#ifndef ASYNCRING__INTERRUPT_H
#define ASYNCRING__INTERRUPT_H

#include <signal.h>

/*
 * The signal mask of the library's threads: everything blocked but the signal used to interrupt
 * them, which is chosen and its handler installed by the first call.
 */
void asyncring__interrupt_mask(sigset_t *mask);

/* A timer that interrupts one thread again and again while it is armed. */
struct interrupt_timer {
	int id; /* of timer_create(2), or -1 */
};

/*
 * Begin to interrupt the thread @tid, and do so once a millisecond until interrupt_stop(). The
 * caller makes sure that the thread lives and that start and stop do not overlap.
 */
void asyncring__interrupt_start(struct interrupt_timer *timer, int tid);
void asyncring__interrupt_stop(struct interrupt_timer *timer);

#endif
