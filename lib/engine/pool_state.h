/* SPDX-License-Identifier: MIT */
/*
 * The state of the worker pool, for the files it is made of: pool.c (queues, lanes), pool_worker.c
 * (threads), pool_growth.c (how many run), pool_merge.c (one call for several requests),
 * pool_guest.c (those who wait, working), pool_cancel.c and pool_control.c (limits, fork). Others
 * use pool.h.
 */
#ifndef ASYNCRING__POOL_STATE_H
#define ASYNCRING__POOL_STATE_H

#include <pthread.h>

#include "pool.h"

#include "../core/core.h"
#include "interrupt.h"

enum {
	LANES = 64,
	/*
	 * Enough for the device to see depth: cold reads, which the kernel would keep in its own
	 * queues, each occupy a thread here.
	 */
	BOUNDED_DEFAULT = 64,
	UNBOUNDED_DEFAULT = 1024,
	/* How long queued work may stand still before it is asked why. */
	LOOK_NS = 1000000,
};

struct worker {
	struct list node;      /* in pool.workers, or pool.guests: pool.lock */
	struct list idle_node; /* in pool.idle[kind] while it sleeps: pool.lock */
	pthread_t thread;      /* constant */
	int tid;	       /* written by the thread under worker.lock before `current` */
	enum pool_kind kind;   /* constant */
	/* Constant. Of a thread of the application that waits (pool_guest.c); else NULL. */
	const struct guest *guest;
	/* Futex: 1 when there is work. Set under pool.lock by the waker, taken by the worker. */
	_Atomic uint32_t signalled;

	/* ---- pool.lock ---- */
	bool coming;	   /* counted in pool.coming: started or told to get up, not yet there */
	bool running;	   /* counted in pool.running */
	bool only_watches; /* takes nothing before it has been pool.watcher for once */
	/* The rest is pool_growth.c's. */
	bool lent;	       /* counted in pool.lent: stuck in a request */
	bool came_back;	       /* has finished a request since the last look */
	unsigned looks_asleep; /* in a row */
	unsigned votes_to_skip;
	uint64_t cpu_time; /* when last looked at, ns */

	long sleeps; /* the worker's own: before the request it votes on */

	struct lock lock; /* guards what follows; taken by the worker and by cancellers */
	struct request *current;
	struct list company; /* request.node: carried out together with `current` (pool_merge.c) */
	bool interrupted;    /* a canceller wants `current` to stop */
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
	struct list guests;
	struct list left;	/* threads that have left and are not yet joined */
	unsigned count[2];	/* threads, also those being started */
	unsigned queued[2];	/* requests in the queues */
	unsigned reserved[2];	/* requests on their way to them */
	unsigned coming[2];	/* workers that will look into the queues without being told */
	unsigned taken[2];	/* requests that workers took from the queues, ever */
	unsigned limit[2];	/* 0: not yet determined */
	bool bounded_limit_set; /* by the application */
	uint32_t order;		/* of the next request: request.pool_order */

	/* Bounded workers, see pool_growth.c. */
	unsigned running;    /* not idle, not watching, not lent */
	unsigned extra;	     /* may run beyond one per processor */
	unsigned lent;	     /* stuck, and do not count */
	unsigned brief;	     /* carrying out a row of brief requests (pool_brief.c) */
	unsigned processors; /* a worker may run on; 0: not yet known */
	struct worker *watcher;
	unsigned taken_before_watch;

	struct lane lanes[LANES];
	bool lanes_ready;
	void *affinity; /* mask for sched_setaffinity, or NULL */
	size_t affinity_size;
	unsigned retiring; /* calls of pool_retire in progress: idle workers leave at once */
	/* Futex: incremented when a thread of a retiring pool is gone. */
	_Atomic uint32_t gone;
};

#ifdef ASYNCRING_TESTING
extern _Atomic bool asyncring__waiters_only_wait;
#endif

/* Do threads that are going to wait carry out anything? Some tests do not want it. */
static inline bool asyncring__waiters_work(void)
{
#ifdef ASYNCRING_TESTING
	return !atomic_load_explicit(&asyncring__waiters_only_wait, memory_order_relaxed);
#else
	return true;
#endif
}

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
/* In front: @request had been taken from the queue. */
void asyncring__pool_put_back(struct request *request);
void asyncring__pool_unqueue(struct request *request);
/* The next request of @kind or NULL; its ring goes to the end of the line. */
struct request *asyncring__pool_take(enum pool_kind kind);
/* The next request in the lane of @key, which takes the lane over, or NULL: the lane is free. */
struct request *asyncring__pool_leave_lane(uint32_t key);
/* Those behind the holder of the lane of @key (request.node), the next one in front. */
struct list *asyncring__pool_waiting_in_lane(uint32_t key);
void asyncring__pool_prepare_lanes(void);

/* ---- pool_worker.c; pool.lock held ---- */

/* False: at the limit, or no thread to be had. */
bool asyncring__pool_start_worker(enum pool_kind kind);
/*
 * Let one more thread take from the queue of @kind if that is called for; the futex to wake without
 * the lock, or NULL.
 */
_Atomic uint32_t *asyncring__pool_call_in_one(enum pool_kind kind);
/* Tell all idle workers to look whether they are still wanted. Lets go of the lock meanwhile. */
void asyncring__pool_rouse_all(void);

/* @request, if there is one, is @worker's current one now: carry it out and what it brings. */
void asyncring__pool_carry_out(struct worker *worker, struct request *request);
/* What @worker carries out from now on; NULL: nothing. No lock of a worker held. */
void asyncring__pool_set_current(struct worker *worker, struct request *request);

/* ---- pool_guest.c ---- */

/* Is @request, not started yet, of the kind that one who waits may carry out? No lock needed. */
bool asyncring__guest_suits(const struct request *request);
/* May @worker, if it is a guest, carry out @request after what it has carried out? */
bool asyncring__guest_goes_on(const struct worker *worker, const struct request *request);

/* ---- pool_merge.c; no lock held ---- */

/*
 * @request, @worker's current one, holds its lane: carry it out together with those behind it that
 * continue it, as far as one call goes, and complete what that finishes. The request that is to be
 * carried out by itself now, current, or NULL; the lane is still held.
 */
struct request *asyncring__pool_carry_out_merged(struct worker *worker, struct request *request);

/* ---- pool_brief.c ---- */

enum { BRIEF_MAX = 16 };

/* Is @request, queued, one that those who take it are to try in the company of others? pool.lock.
 */
bool asyncring__pool_takes_brief(const struct request *request);

/* Is what is queued brief, and so little that @rows of those who take from it suffice? pool.lock.
 */
bool asyncring__pool_brief_suffice(enum pool_kind kind, unsigned rows);
/*
 * @requests[0], taken from the queue, is going to be @worker's current one: take those along that
 * can be carried out together with it. Their number, it included; 0: it is not brief. pool.lock
 * held.
 */
unsigned asyncring__pool_gather_brief(struct worker *worker, struct request *requests[]);
/*
 * Carry these out and complete them together. The one that has to be carried out by itself,
 * current, or NULL: a guest does not do that, but gives it back. No lock held.
 */
struct request *asyncring__pool_carry_out_brief(struct worker *worker,
						struct request *const requests[], unsigned count);

/* ---- pool_growth.c; pool.lock held ---- */

/* May one more worker run? */
bool asyncring__pool_may_run(enum pool_kind kind);
/* Do so many run that the caller, which is one of them, is not to take anything more? */
bool asyncring__pool_too_many_run(enum pool_kind kind);
void asyncring__pool_set_running(struct worker *worker, bool running);
/* Threads of @kind there may be, the watcher not counted. */
unsigned asyncring__pool_room(enum pool_kind kind);
/* What the thread @tid (0: the calling one) may run on is taken to hold for all workers. */
void asyncring__pool_count_processors(int tid);

/* Is @worker to vote on the request it is about to carry out? */
bool asyncring__pool_will_vote(struct worker *worker);
/* Around that request, by the worker, without the lock. */
void asyncring__pool_before_request(struct worker *worker);
bool asyncring__pool_slept_in_request(const struct worker *worker);
void asyncring__pool_vote(struct worker *worker, bool slept);

void asyncring__pool_begin_watch(struct worker *worker);
/* LOOK_NS later: if the queue stands still because workers sleep, more may run from now on. */
void asyncring__pool_look(void);
/* @worker has finished a request, perhaps after having been lent. */
void asyncring__pool_is_back(struct worker *worker);

/* ---- pool_control.c; pool.lock held ---- */

unsigned asyncring__pool_limit(enum pool_kind kind);
/* Bind the thread @tid (0: the calling one) to the processors of the pool. */
void asyncring__pool_apply_affinity(int tid);

#endif
