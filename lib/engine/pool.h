/* SPDX-License-Identifier: MIT */
/*
 * The pool of worker threads: one per process, shared by all rings, carrying out what would block
 * a submitter. It starts with the first request handed to it and is gone when idle.
 */
#ifndef ASYNCRING__POOL_H
#define ASYNCRING__POOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel_match;
struct list;
struct request;
struct ring;

/* Bounded: work on regular files, which always ends. Unbounded: what may wait for ever. */
enum pool_kind { POOL_BOUNDED, POOL_UNBOUNDED };

/*
 * Make sure that there is a worker for @request, which is going to be queued. False if there is
 * none and none can be started; then the request must be carried out otherwise. @waits: the caller
 * is going to wait and may carry out the request itself (pool_guest.c), so no thread is started for
 * one that is of that kind.
 */
bool asyncring__pool_reserve(struct request *request, bool waits);

/*
 * Queue @requests, all of one ring and each reserved for. They carry the I/O side's reference with
 * them. Does not block; may start threads. @hold: no worker is told of one that the caller may
 * carry out itself; true if there was such a one, and then the caller is to go on to
 * asyncring__guest_work() or asyncring__pool_announce().
 */
bool asyncring__pool_queue(struct request *const requests[], unsigned count, bool hold);

/*
 * @request, with SQE_ASYNC, is not for the submitter to carry out. But is the submitter about to
 * wait and has nothing better to do (pool_brief.c)? Then it is to be issued as all others are.
 * submit_lock held.
 */
bool asyncring__waiter_tries(struct request *request);

/* Tell workers of what was held back for the caller's own ring. */
void asyncring__pool_announce(struct ring *ring);

/* ---- a thread that would sleep works instead (pool_guest.c) ---- */

/* Its own. Zero but for the ring at first. */
struct guest {
	struct ring *ring;
	uint32_t tail;	   /* of the CQ, waited for */
	bool held;	   /* requests of the ring were queued of which no worker was told */
	bool worked;	   /* has carried out something */
	bool masked;	   /* signals are blocked, and `mask` is what they were before */
	bool limit_signal; /* SIGXFSZ was pending before */
	sigset_t mask;
	const sigset_t *sleeps_with; /* a mask, NULL: the thread's own */
};

/*
 * Before the calling thread sleeps for the ring's completions: carry out something of the ring's
 * that is queued, if that does not keep the thread from what it waits for, and see that somebody
 * carries out the rest. @willing: no other reason speaks against it. False if there was nothing to
 * do: then nothing is held back any more. True: look again at what is waited for. No lock held.
 */
bool asyncring__guest_work(struct guest *guest, bool willing);

/* The wait is over: signals are as they were. */
void asyncring__guest_leave(struct guest *guest);

/* ---- for the request a worker is carrying out, called by that worker ---- */

/* Sleep until the request's file is ready: 0, or -ECANCELED if the request was taken back. */
int asyncring__pool_wait_ready(struct request *request);

/*
 * The same with another way to sleep, whose result this is unless the request was taken back. It
 * must change nothing, because what has come at the last moment is then not for this request; and
 * it is called again when it answers -EINTR.
 */
long asyncring__pool_wait(struct request *request, long (*sleep)(struct request *request));

/* The request is another engine's from now on: the calling worker has none any more. */
void asyncring__pool_let_go(void);

/* Was the request the calling worker carries out asked to stop? */
bool asyncring__pool_interrupted(void);

/* ---- cancellation (core/cancel.c) ---- */

struct pool_cancelled {
	unsigned taken;	  /* will end with -ECANCELED */
	unsigned counted; /* of them those with OP_CANCEL_COUNTED */
	unsigned running; /* were in a system call, which was interrupted */
};

/*
 * Take back matching requests, the first or @all. Those that had not started are put on @unstarted
 * (request.node) and belong to the caller, with the I/O side's reference. No lock of the pool held.
 */
struct pool_cancelled asyncring__pool_cancel(const struct cancel_match *match, bool all,
					     struct list *unstarted);

/* ---- limits ---- */

/*
 * REGISTER_IOWQ_MAX_WORKERS: limits[POOL_BOUNDED], limits[POOL_UNBOUNDED], cut down to
 * RLIMIT_NPROC; a 0 leaves that limit as it is. Receives the old ones.
 */
void asyncring__pool_limits(unsigned limits[2]);

/*
 * REGISTER_IOWQ_AFF: the processors workers run on, now and later; @size bytes of a mask as for
 * sched_setaffinity(2); NULL: all. 0, -EINVAL, -ENOMEM.
 */
int asyncring__pool_affinity(const void *mask, size_t size);

/* The last ring of the process is closed: let all workers go and wait until they are gone. */
void asyncring__pool_retire(void);

#endif
