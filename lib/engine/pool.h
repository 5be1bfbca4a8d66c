/* SPDX-License-Identifier: MIT */
/*
 * The pool of worker threads: one per process, shared by all rings, carrying out what would block
 * a submitter. It starts with the first request handed to it and is gone when idle.
 */
#ifndef ASYNCRING__POOL_H
#define ASYNCRING__POOL_H

#include <stdbool.h>
#include <stddef.h>

struct cancel_match;
struct list;
struct request;

/* Bounded: work on regular files, which always ends. Unbounded: what may wait for ever. */
enum pool_kind { POOL_BOUNDED, POOL_UNBOUNDED };

/*
 * Make sure that there is a worker for @request, which is going to be queued. False if there is
 * none and none can be started; then the request must be carried out otherwise.
 */
bool asyncring__pool_reserve(const struct request *request);

/*
 * Queue @requests, all of one ring and each reserved for. They carry the I/O side's reference with
 * them. Does not block; may start threads.
 */
void asyncring__pool_queue(struct request *const requests[], unsigned count);

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
