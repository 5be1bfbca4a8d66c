/* SPDX-License-Identifier: MIT */
/*
 * Parked requests that wait for a number of completions on their ring: TIMEOUT with a count.
 *
 * Completions are counted as they are posted, by any thread under cq_lock; those of timeouts are
 * not. Whoever posts looks afterwards whether the nearest number is reached (a hint, without the
 * lock; it reads its own increment) and then releases those requests under submit_lock. A request
 * begins to count under cq_lock: either it has seen a poster's increment, or the poster sees it.
 */
#ifndef ASYNCRING__COUNT_WAIT_H
#define ASYNCRING__COUNT_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct request;
struct ring;

struct count_wait {
	struct list requests; /* request.node, the nearest first; submit_lock */
	/* Written under submit_lock and cq_lock, read without: relaxed. */
	_Atomic bool any;
	_Atomic uint64_t due; /* the nearest, meaningless unless `any` */
	/* Completions posted, without those of timeouts. Written under cq_lock. Relaxed. */
	_Atomic uint64_t posted;
};

void asyncring__count_wait_init(struct count_wait *wait);

/* @count more. cq_lock held. */
static inline void asyncring__count_posted(struct count_wait *wait, unsigned count)
{
	uint64_t posted = atomic_load_explicit(&wait->posted, memory_order_relaxed);

	atomic_store_explicit(&wait->posted, posted + count, memory_order_relaxed);
}

/* @request, which is being parked, is ready after @count more completions. submit_lock held. */
void asyncring__count_add(struct request *request, uint32_t count);
void asyncring__count_remove(struct request *request);

/* Is the number of one of them reached? A hint unless submit_lock is held. */
static inline bool asyncring__count_reached(const struct count_wait *wait)
{
	return atomic_load_explicit(&wait->any, memory_order_relaxed) &&
	       atomic_load_explicit(&wait->posted, memory_order_relaxed) >=
		       atomic_load_explicit(&wait->due, memory_order_relaxed);
}

/* Carry on with those. submit_lock held, within a batch. */
void asyncring__count_release(struct ring *ring);

#endif
