/* SPDX-License-Identifier: MIT */
/*
 * The attendant: a thread of the process that drives the pollers of those rings on which nobody
 * waits. It starts when there is one, and is gone when there is none.
 */
#ifndef ASYNCRING__ATTENDANT_H
#define ASYNCRING__ATTENDANT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/list.h"

struct ring;

/* A ring's part of it. Guarded by the attendant's lock, but for what is atomic. */
struct attended {
	struct list node;
	/*
	 * On the attendant's list. Written under its lock. Sequentially consistent, as are
	 * poller.pending and the end of driving: who adds to that and finds the ring listed may
	 * leave it to the attendant.
	 */
	_Atomic bool listed;
	/* The attendant sleeps on the ring's poller. As `listed`. */
	_Atomic bool adopted;
	uint32_t rounds_seen; /* driver.rounds, at the last look */
	unsigned driven;      /* looks in a row that found somebody driving */
	bool told;	      /* the owner was, and has not come since (DEFER_TASKRUN) */
};

/* Look after @ring, which has no driver now, until it needs none any more. No lock held. */
void asyncring__attend(struct ring *ring);

/* Does the attendant look after @ring already? */
bool asyncring__attended(const struct ring *ring);
/* Would it, if the ring were left? Not if it does already, or if the owner sees by itself. */
bool asyncring__attend_needed(struct ring *ring);

/* Somebody else drives @ring from now on, or nobody has to. submit_lock may be held. */
void asyncring__attend_release(struct ring *ring);

/* @ring's next timer expires earlier than the attendant may think. submit_lock may be held. */
void asyncring__attend_hurry(struct ring *ring);

/* @ring is going away. When this returns the attendant does not know it any more. */
void asyncring__attend_forget(struct ring *ring);

/* The last ring of the process is gone: end the thread and wait for that. */
void asyncring__attendant_retire(void);

#endif
