/* SPDX-License-Identifier: MIT */
/*
 * The core's own calls from one file to another, and those that operations and engines may use.
 * What holds for a request stands in request.h, for a ring in ring.h.
 */
#ifndef ASYNCRING__CORE_H
#define ASYNCRING__CORE_H

#include "file.h"
#include "file_table.h"
#include "request.h"
#include "ring.h"
#include "../ops/ops.h"

/*
 * The descriptor to use for @request: its pin's or registered file's, else the application's own.
 * An operation asks again for each system call it makes.
 */
static inline int request_fd(const struct request *request)
{
	return request->file ? request->file->fd : request->fd;
}

/*
 * Around changes to a ring's registered resources from issue(): take submit_lock, unless the
 * caller of issue() holds it already.
 */
static inline void issue_lock(struct ring *ring, unsigned issue_flags)
{
	if (!(issue_flags & ISSUE_LOCKED))
		ring_lock(ring);
}

static inline void issue_unlock(struct ring *ring, unsigned issue_flags)
{
	if (!(issue_flags & ISSUE_LOCKED))
		ring_unlock(ring);
}

#ifdef ASYNCRING_TESTING
/* Nothing is merged, for comparison. Relaxed. */
extern _Atomic bool asyncring__merges_nothing;
#endif

/* May @request be carried out together with others, as far as the core is concerned? */
static inline bool request_may_merge(const struct request *request)
{
#ifdef ASYNCRING_TESTING
	if (atomic_load_explicit(&asyncring__merges_nothing, memory_order_relaxed))
		return false;
#endif
	return request->op->merge && !request->link && !request->credentials && !request->ioprio;
}

/* ---- submit.c ---- */

/*
 * Take up to @count SQEs and carry them out as far as they go without blocking. The number
 * consumed, or a negative errno. submit_lock held.
 */
int asyncring__submit(struct ring *ring, unsigned count);

/*
 * SQEs the application has published and the library not yet taken. A hint unless submit_lock is
 * held.
 */
unsigned asyncring__sq_pending_hint(const struct ring *ring);

/* ---- issue.c: from a prepared request to an engine ---- */

/*
 * Carry out @request as the submitter: inline if it can be done without blocking, otherwise it
 * goes into the batch for the pool. True if it was finished: then it stands in the batch's list of
 * those to complete. submit_lock held, within a batch.
 */
bool asyncring__issue_inline(struct request *request);

/* The rest of that for a caller that has called issue() as the submitter, with @result. */
bool asyncring__issued(struct request *request, enum issue_result result);

/*
 * Carry out @requests, new ones of one operation and file that continue each other, by one call
 * that does not block. The number of those, from the front, that are finished: they stand in the
 * batch's list. For the others it is as if nothing had been tried. submit_lock held, within a
 * batch.
 */
unsigned asyncring__issue_merged(struct request *const requests[], unsigned count);

/*
 * An armed request's file is ready for @events, or what a parked one waits for has come: carry on
 * with it. submit_lock held, within a batch.
 */
void asyncring__request_ready(struct request *request, uint32_t events);

/*
 * The kernel has carried @request out with @result, or not taken it because of @error: carry on
 * with it. submit_lock held, within a batch.
 */
void asyncring__request_transferred(struct request *request, int64_t result);
void asyncring__request_not_taken(struct request *request, int error);

/* Take a parked request back; it is the caller's again. submit_lock held. */
void asyncring__request_unpark(struct request *request);

/*
 * Copy what the SQE points to, data buffers excepted, unless that is done already. 0 or a negative
 * errno.
 */
int asyncring__request_stabilise(struct request *request);

/* Finish a batch: post its completions, start what they released, hand over the rest. */
void asyncring__batch_finish(struct ring *ring);

/* Give what the batch has for workers to the pool, then let go of it. submit_lock held. */
void asyncring__batch_hand_over(struct ring *ring);

/* @fd is about to be closed or to stand for another file. submit_lock held, within a batch. */
void asyncring__batch_forget_pin(struct ring *ring, int fd);

/* Count @head and the members of its chain in ring->active. submit_lock held. */
void asyncring__activate_chain(struct request *head);

/*
 * An engine other than the pool is about to take over @request, from within issue() with @flags:
 * the I/O side's reference is the engine's from now on, which puts it as a worker does.
 */
void asyncring__request_detach(struct request *request, unsigned flags);

/*
 * A worker is about to carry out @request: give it its file, if it has none yet. False if it ends
 * here instead; then its result is set. No lock held, and no canceller may know the request yet
 * unless it has its file already.
 */
bool asyncring__run_prepare(struct request *request);

/*
 * Carry out @request on a worker, blocking, to its result; the caller has the I/O side's reference
 * and keeps it. False: another engine has taken it over, and the reference with it. No lock held.
 */
bool asyncring__run_blocking(struct request *request);

/* ---- complete.c ---- */

/*
 * Put a worker's reference. The last put completes the request; then the next member of its
 * chain, if one may start now, is returned for the worker to carry out (it is the caller's, in
 * state RUNNING with one reference), else NULL. No lock held.
 */
struct request *asyncring__request_put_worker(struct request *request);

/*
 * The same for @count requests of one ring, complete and none of them in a chain: those that end
 * are posted together, in order.
 */
void asyncring__requests_put_worker(struct request *const requests[], unsigned count);

/*
 * A worker has found that @request, the next member of a chain and known to nobody else yet, waits
 * for readiness: it is issued as the submitter would, so that the poller gets it. No lock held.
 */
void asyncring__issue_for_worker(struct request *request);

/* Put the submitter's reference; the last put completes the request with the batch. */
void asyncring__request_put_submitter(struct request *request);

/*
 * The request is finished and the caller holds every reference: complete it with the batch.
 * submit_lock held.
 */
void asyncring__request_done(struct request *request);

/*
 * Post the batch's completions. What they release is not started yet, so that this may be called
 * while a request is being carried out. submit_lock held.
 */
void asyncring__batch_post(struct ring *ring);

/* The same, and start what they have released. */
void asyncring__batch_complete(struct ring *ring);

/*
 * A request that never started, owned by the caller (unlinked from where it waited), ends with
 * @res, and its chain with it. submit_lock held, within a batch.
 */
void asyncring__request_abandon(struct request *request, int res);

/* ---- drain.c: submit_lock held ---- */

/* Must this chain head wait for a drain? If so it is now in ring->drained. */
bool asyncring__drain_hold(struct request *request);
/* Start the drained requests whose time has come. */
void asyncring__drain_resume(struct ring *ring);

/* ---- cq.c: the completion queue ---- */

/*
 * Post the completions on @list, in order. @async: not from the ring's own submission. Those that
 * are written stay on @list for the caller to recycle; those that have to wait for room are taken
 * off it and belong to the queue.
 */
void asyncring__cq_post(struct ring *ring, struct list *list, bool async);

/* Post the results of the batch. submit_lock held. */
void asyncring__cq_post_results(struct ring *ring);
/*
 * And behind them the completions on @list, all of its own submission. What becomes of these is as
 * above. submit_lock held.
 */
void asyncring__cq_post_batch(struct ring *ring, struct list *list);

/*
 * A request has something to say and goes on: post a CQE with @res and @cqe_flags, to which
 * CQE_F_MORE is added; after those of requests that have ended before it in the batch. False if it
 * does not fit (or older ones still wait for room): nothing was posted, and the request must end
 * with this as its own, final result. @issue_flags: those of issue(), or 0 where there is no batch.
 */
bool asyncring__request_post(struct request *request, unsigned issue_flags, int32_t res,
			     uint32_t cqe_flags);

/* The same with what request->completion says, the second half of a 32-byte CQE included. */
bool asyncring__request_post_large(struct request *request, unsigned issue_flags);

/* Wake and notify whoever waits for what was posted in a batch by the way. */
void asyncring__cq_announce(struct ring *ring);

/*
 * Post a CQE that belongs to no request (messages from other rings): what @from says, its list node
 * excepted. 0 or -ENOMEM.
 */
int asyncring__cq_post_extra(struct ring *ring, const struct completion *from, bool async);

/*
 * The tag of a registered resource is made when it is registered, so that it cannot be lost when it
 * is due. NULL: out of memory. Freed with asyncring__free() unless it is posted.
 */
struct completion *asyncring__tag_new(uint64_t user_data);
/* As post_extra; @completion is the queue's from now on. */
void asyncring__cq_post_owned(struct ring *ring, struct completion *completion, bool async);

/*
 * Move the backlog, and for the @owner the deferred completions, into the CQ as far as they fit. No
 * lock held.
 */
void asyncring__cq_flush(struct ring *ring, bool owner);

/* CQEs the application has not taken, as the CQ words say; bounded by the CQ's size. */
static inline unsigned asyncring__cq_ready(const struct ring *ring)
{
	/* Relaxed: a hint for the caller, who takes cq_lock to be sure. */
	uint32_t tail = atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&ring->words->cq_head, memory_order_relaxed);
	uint32_t ready = tail - head;

	return ready < ring->cq_entries ? ready : ring->cq_entries;
}

/* Drop what waits for room in a ring that is going away. */
void asyncring__cq_discard(struct ring *ring);

/* ---- cancel.c ---- */

/* What a request must be like to be taken back. */
struct cancel_match {
	struct ring *ring;
	uint64_t user_data;
	int32_t fd;
	uint32_t flags; /* ASYNCRING_ASYNC_CANCEL_*; CANCEL_EVERYTHING */
	uint8_t opcode;
	int file_fd; /* a descriptor of the file that is the key; filled in by asyncring__cancel */
	const struct request *only; /* not NULL: this one is meant, whatever else is said */
};

#define CANCEL_EVERYTHING (1u << 31)
/* With any of these the user data alone does not say where to look. */
#define CANCEL_OTHER_KEYS                                                                          \
	(CANCEL_EVERYTHING | ASYNCRING_ASYNC_CANCEL_ANY | ASYNCRING_ASYNC_CANCEL_FD |              \
	 ASYNCRING_ASYNC_CANCEL_OP)

/* Reads only what is constant in a request that was handed over: any lock of its will do. */
bool asyncring__cancel_matches(const struct cancel_match *match, const struct request *request);

/*
 * Take back what matches: 0 (the number, with CANCEL_ALL or ANY), -ENOENT, or -EALREADY if it was
 * running, which is then interrupted. submit_lock held, within a batch.
 */
int asyncring__cancel(struct cancel_match *match);

/* REGISTER_SYNC_CANCEL; submit_lock not held. */
int asyncring__sync_cancel(struct ring *ring, uint64_t arg);

/* ---- buffer.c: registered buffers; submit_lock held ---- */

/* The registered buffer @index with a reference of the caller's, or NULL. */
struct buffer *asyncring__buffer_get(struct ring *ring, unsigned index);
void asyncring__buffer_put(struct buffer *buffer);
/* Will the last put post a tag? */
bool asyncring__buffer_tagged(const struct buffer *buffer);
/* 0 if [address, address + length) lies within @buffer, else -EFAULT. */
int asyncring__buffer_contains(const struct buffer *buffer, uint64_t address, uint64_t length);

/* ---- usercopy.c: reading and writing the application's memory at addresses it gave ---- */

/* 0 or -EFAULT; never a fault. */
int asyncring__copy_in(void *to, uint64_t from, size_t length);
/* The same where only the kernel is to touch it: part of it may be none of the arguments. */
int asyncring__copy_in_unseen(void *to, uint64_t from, size_t length);
/*
 * The same for what lies close together where several requests of a submission have it: more is
 * copied than is asked for, and what others ask for by then is there. For prep() of operations that
 * write nothing to the application's memory. submit_lock held.
 */
int asyncring__copy_in_ahead(struct ring *ring, void *to, uint64_t from, size_t length);
int asyncring__copy_out(uint64_t to, const void *from, size_t length);
/* A copy of the string at @from in *copy (free with asyncring__free); -EFAULT, -ENAMETOOLONG,
 * -ENOMEM. */
int asyncring__copy_in_string(char **copy, uint64_t from, size_t limit);

/*
 * Is all of [address, address + length) mapped and writable? 0 or -EFAULT. On kernels that cannot
 * tell (before 5.14) what is mapped but not writable passes. @length is not 0.
 */
int asyncring__memory_check(uint64_t address, size_t length);

/* The machine's, which need not be 4096. */
uint64_t asyncring__page_size(void);

/* ---- memory.c: the only allocations of the library besides ring memory ---- */

void *asyncring__alloc(size_t size);
void *asyncring__alloc_zeroed(size_t count, size_t size);
void asyncring__free(void *memory);

#endif
