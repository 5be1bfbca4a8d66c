/* SPDX-License-Identifier: MIT */
/*
 * The state of those who wait on futexes, for the two files it is made of: futex_waiter.c (requests
 * that wait, wake, are taken back) and futex_thread.c (who sleeps for them). Others use
 * futex_waiter.h.
 */
#ifndef ASYNCRING__FUTEX_STATE_H
#define ASYNCRING__FUTEX_STATE_H

#include <pthread.h>

#include "futex_waiter.h"

#include "../core/core.h"
#include "interrupt.h"

enum {
	VECTOR_MAX = 128,
	ROOM = VECTOR_MAX - 2, /* without control and proof */
	SHARED_FROM = 16,      /* as many threads before any two requests share one */
	IDLE_SECONDS = 2,
	STACK_BYTES = 64 * 1024,
};

struct futex_thread {
	struct list node; /* in futex.threads, or futex.left */
	pthread_t handle; /* constant */
	/* Futexes. Control changes under the lock whenever the thread is to look around. */
	_Atomic uint32_t control, proof;

	/* ---- futex.lock ---- */
	struct list waiters; /* futex_waiter.place, in the order they came */
	struct list done;    /* over, to be completed by the thread */
	unsigned words;	     /* of all its waiters */
	bool single;	     /* its one waiter is waited for in a plain call */
	bool armed;	     /* goes to, is in or comes from the system call */
	bool completing;
	unsigned recalls; /* it must not go to sleep: somebody looks at its waiters */
	int tid;
	struct interrupt_timer timer;
	/* While armed: whose word each entry of the vector is, NULL for control and proof. */
	struct futex_waiter *owners[VECTOR_MAX];
	struct futex_waitv vector[VECTOR_MAX];
	unsigned entries;
};

struct futex_state {
	pthread_mutex_t lock;
	/* All under lock. */
	struct list waiters; /* futex_waiter.node */
	struct list threads;
	struct list left; /* threads that have left and are not yet joined */
	unsigned count;
	unsigned retiring;
	_Atomic uint32_t gone; /* futex: incremented when a thread is gone */
};

extern struct futex_state asyncring__futex;
/* Its fields are spoken of as futex.lock and so on everywhere. */
#define futex asyncring__futex

static inline void lock(void)
{
	pthread_mutex_lock(&futex.lock);
}

static inline void unlock(void)
{
	pthread_mutex_unlock(&futex.lock);
}

/* ---- words ---- */

static inline int operation(int command, bool private)
{
	return command | (private ? FUTEX_PRIVATE_FLAG : 0);
}

static inline bool is_private(const struct futex_waitv *word)
{
	return word->flags & FUTEX_IS_PRIVATE;
}

static inline bool same_word(const struct futex_waitv *one, const struct futex_waitv *other)
{
	return one->uaddr == other->uaddr && is_private(one) == is_private(other);
}

/* The word of @waiter that is meant, or -1. */
static inline int find_word(const struct futex_waiter *waiter, const struct futex_waitv *word)
{
	for (unsigned i = 0; i < waiter->count; i++)
		if (same_word(&waiter->words[i], word))
			return (int)i;
	return -1;
}

/* ---- futex_thread.c; futex.lock held ---- */

/* A new thread, or NULL; it waits for the lock before it does anything. */
struct futex_thread *asyncring__futex_start_thread(void);
/* @thread is to look around. */
void asyncring__futex_call(struct futex_thread *thread);
/* @waiter is over; its thread completes it. */
void asyncring__futex_finish(struct futex_waiter *waiter, int result);
/* Does the armed @thread sleep in the kernel, in the queues of all its words? */
bool asyncring__futex_asleep(const struct futex_thread *thread);
/* For those who wait for a thread on its way in or out of the kernel: a little, without the lock.
 */
void asyncring__futex_pause(unsigned round);

/* ---- futex_thread.c; no lock ---- */

/* Is there futex_waitv(2)? Kernels before 5.16, emulators and sandboxes lack it. */
bool asyncring__futex_vectors_work(void);
/* Wait for threads that have left, or are about to, and free them. */
void asyncring__futex_join(struct list *threads);

#endif
