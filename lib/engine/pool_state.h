/* SPDX-License-Identifier: MIT */
/*
 * The state of the worker pool, for the files it is made of: pool.c (queues, lanes, threads),
 * pool_cancel.c and pool_control.c (limits, fork). Others use pool.h.
 */
#ifndef ASYNCRING__POOL_STATE_H
#define ASYNCRING__POOL_STATE_H

#include "pool.h"

#include "../core/core.h"
#include "interrupt.h"

enum {
	LANES = 64,
	/*
	 * Enough for the device to see depth: requests the kernel would keep in its own queues
	 * (O_DIRECT, cold reads) each occupy a thread here.
	 */
	BOUNDED_DEFAULT = 64,
	UNBOUNDED_DEFAULT = 1024,
};

struct worker {
	struct list node;      /* in pool.workers: pool.lock */
	struct list idle_node; /* in pool.idle[kind] while it sleeps: pool.lock */
	pthread_t thread;      /* constant */
	int tid;	       /* written by the thread under worker.lock before `current` */
	enum pool_kind kind;   /* constant */
	/* Futex: 1 when there is work. Set under pool.lock by the waker, taken by the worker. */
	_Atomic uint32_t signalled;

	struct lock lock; /* guards what follows; taken by the worker and by cancellers */
	struct request *current;
	bool interrupted; /* a canceller wants `current` to stop */
	struct interrupt_timer timer;
};

struct lane {
	bool held;	     /* pool.lock */
	struct list waiting; /* request.node, pool.lock */
};

struct pool_state {
	pthread_mutex_t lock;
	/* All under lock. */
	struct list pending[2]; /* ring_queue.node */
	struct list idle[2];	/* worker.idle_node, the last to sleep first */
	struct list workers;
	struct list left;     /* threads that have left and are not yet joined */
	unsigned count[2];    /* threads, also those being started */
	unsigned queued[2];   /* requests in the queues */
	unsigned reserved[2]; /* requests on their way to them */
	unsigned limit[2];    /* 0: not yet determined */
	struct lane lanes[LANES];
	bool lanes_ready;
	void *affinity; /* mask for sched_setaffinity, or NULL */
	size_t affinity_size;
	unsigned retiring; /* calls of pool_retire in progress: idle workers leave at once */
	/* Futex: incremented when a thread of a retiring pool is gone. */
	_Atomic uint32_t gone;
};

extern struct pool_state asyncring__pool;
/* Its fields are spoken of as pool.lock and so on everywhere. */
#define pool asyncring__pool

/* The worker the calling thread is; NULL in threads of the application. */
extern __thread struct worker *asyncring__pool_self;

static inline enum pool_kind kind_of(const struct request *request)
{
	return request->flags & REQ_UNBOUNDED ? POOL_UNBOUNDED : POOL_BOUNDED;
}

/* ---- pool.c; pool.lock held ---- */

void asyncring__pool_enqueue(struct request *request);
void asyncring__pool_unqueue(struct request *request);
/* The next request in the lane of @key, which takes the lane over, or NULL: the lane is free. */
struct request *asyncring__pool_leave_lane(uint32_t key);
void asyncring__pool_prepare_lanes(void);

/* ---- pool_control.c; pool.lock held ---- */

unsigned asyncring__pool_limit(enum pool_kind kind);
/* Bind the thread @tid (0: the calling one) to the processors of the pool. */
void asyncring__pool_apply_affinity(int tid);

#endif
