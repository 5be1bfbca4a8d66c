/* SPDX-License-Identifier: MIT */
/* The thread that submits for rings with SETUP_SQPOLL (sq_thread.c). */
#ifndef ASYNCRING__SQ_THREAD_H
#define ASYNCRING__SQ_THREAD_H

#include <stdbool.h>

struct asyncring_params;
struct ring;

/*
 * Give @ring an SQ thread: one of its own, or with SETUP_ATTACH_WQ that of the ring params->wq_fd.
 * Honours sq_thread_idle, SQ_AFF and sq_thread_cpu. 0 or a negative errno.
 */
int asyncring__sq_thread_attach(struct ring *ring, const struct asyncring_params *params);

/* The thread will not touch @ring any more when this returns; the last ring ends the thread. */
void asyncring__sq_thread_detach(struct ring *ring);

/* After detaching, when no call on @ring can be in progress any more: ring->sq_thread goes. */
void asyncring__sq_thread_release(struct ring *ring);

/* What enter() does on such a ring besides waiting: SQ_WAKEUP, SQ_WAIT. The number to report. */
int asyncring__sq_thread_enter(struct ring *ring, unsigned to_submit, unsigned flags);

/* Is the caller the SQ thread of @ring, which it has a reference to or serves? */
bool asyncring__sq_thread_is_self(const struct ring *ring);

/* A ring was enabled: its SQEs may be taken from now on. */
void asyncring__sq_thread_wake(struct ring *ring);

#endif
