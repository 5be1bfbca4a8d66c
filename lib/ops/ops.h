/* SPDX-License-Identifier: MIT */
/*
 * The table of operations: everything the core and the engines know about an opcode stands in its
 * row. An operation never knows which engine runs it, an engine never which operation it runs.
 *
 * To add one: a row in table.c, its functions in a family file, a test.
 */
#ifndef ASYNCRING__OPS_H
#define ASYNCRING__OPS_H

#include "../core/request.h"

/* What issue() found; the result, if there is one, is in the request. */
enum issue_result {
	ISSUE_DONE,	   /* finished: the result is set */
	ISSUE_NEED_WORKER, /* would block, and no readiness to wait for: run it blocking */
	ISSUE_NEED_POLL,   /* would block until its file is ready as request->poll_events says */
	/*
	 * Waits for something the operation has arranged itself, under submit_lock: a timer, a
	 * number of completions. asyncring__request_ready() calls issue() again, unpark() tells it
	 * to forget about it.
	 */
	ISSUE_PARKED,
	/*
	 * Handed over to an engine of its own (asyncring__request_detach), which completes it: with
	 * this the caller must not touch it any more, but for putting the submitter's reference.
	 */
	ISSUE_PENDING,
};

/* How issue() is called. */
enum issue_flags {
	/* Called by the submitter: must not block; answers NEED_* where it would have to. */
	ISSUE_NONBLOCK = 1,
	/*
	 * ring->submit_lock is held by the caller. Set with ISSUE_NONBLOCK, and without it where
	 * a request must run on the spot because there is no worker or descriptor left for it.
	 */
	ISSUE_LOCKED = 2,
};

enum op_properties {
	OP_FILE = 1 << 3,   /* works on `fd`: -EBADF if there is none; may use FIXED_FILE */
	OP_IOPRIO = 1 << 1, /* reads sqe->ioprio; everywhere else it must be zero */
	OP_WORKER = 1 << 4, /* has no way to run without blocking: straight to a worker */
	/* These two have the values of EPOLLIN and EPOLLOUT. */
	OP_POLL_IN = 1 << 0,	   /* waits for its file to be readable ... */
	OP_POLL_OUT = 1 << 2,	   /* ... or writable: what request->poll_events starts as */
	OP_SERIAL_INODE = 1 << 5,  /* on a regular file, one at a time per inode on workers */
	OP_UNBOUNDED = 1 << 6,	   /* may block for ever although it has no pollable file */
	OP_IOPOLL = 1 << 7,	   /* allowed on a ring with SETUP_IOPOLL */
	OP_BUFFER_SELECT = 1 << 8, /* may take a provided buffer */
	OP_FIXED_BUFFER = 1 << 9,  /* buf_index names a registered buffer */
	OP_SQE128 = 1 << 10,	   /* takes a 128-byte SQE */
	OP_NO_RESTART =
		1 << 11,	/* -EINTR without cancellation is a result, not a reason to retry */
	OP_SUBMITTER = 1 << 12, /* never on a worker, ASYNC or not: it does not block */
	OP_LINK_TIMEOUT = 1 << 13,   /* bounds the time of the request before it in its chain */
	OP_CANCEL_COUNTED = 1 << 14, /* who cancels it is answered 1 and not 0 */
	/* `off` and `len` are a place in a file: those that continue each other are issued together
	 */
	OP_RUNS = 1 << 15,
};

struct iocb;

/* What at_once() has found. */
struct attempt {
	int32_t result;
	bool made; /* false before; true: it has not ended with that, resume() goes on from there */
	uint8_t way; /* the operation's own */
};

/* Requests that are to become one call: where they end, and how much they are. */
struct merge {
	int64_t end;
	uint64_t bytes;
	unsigned vectors; /* 0: there are none yet */
};

struct op {
	/*
	 * Check every field of @sqe (a private copy) and keep what is needed in the request.
	 * 0, or the negative errno with which the request is refused.
	 */
	int (*prep)(struct request *request, const struct asyncring_sqe *sqe);
	/*
	 * Carry the request out; see enum issue_flags. @flags is 0 on a worker. After
	 * ISSUE_NEED_POLL it is called again, as the submitter calls it, each time the file has
	 * become ready; so a multishot operation takes what there is, posts it
	 * (asyncring__request_post) and answers ISSUE_NEED_POLL, until it ends with ISSUE_DONE.
	 */
	enum issue_result (*issue)(struct request *request, unsigned flags);
	unsigned properties; /* OP_*; behind the two callbacks that every request needs */
	/*
	 * Carry @sqe, a private copy, out without blocking and without a request: true if that has
	 * succeeded, with attempt->result, and nothing is left but a CQE with that. Else false, and
	 * for a request that is then prepared of @sqe resume() is called, if an attempt was made,
	 * in place of the first issue(). For an SQE without flags (but FIXED_FILE), priority and
	 * personality, on a ring without SETUP_IOPOLL and SETUP_CQE32; @file: with FIXED_FILE, the
	 * table's reference. submit_lock held. NULL: never.
	 */
	bool (*at_once)(struct ring *ring, const struct asyncring_sqe *sqe, struct file *file,
			struct attempt *attempt);
	enum issue_result (*resume)(struct request *request, const struct attempt *attempt);
	/*
	 * Copy whatever the SQE points to, data buffers excepted. Called at most once, before the
	 * submission ends, for requests that are not finished by then; those finished inline never
	 * pay for it. 0 or a negative errno. NULL: nothing to copy.
	 */
	int (*copy_args)(struct request *request);
	/*
	 * Let go of what the operation holds besides request.async_data, which is freed in any
	 * case. Called once, if the operation has set REQ_CLEANUP.
	 */
	void (*cleanup)(struct request *request);
	/*
	 * A parked request is taken back: undo what was arranged. submit_lock held. For operations
	 * that answer ISSUE_PARKED.
	 */
	void (*unpark)(struct request *request);
	/*
	 * Does @request go with those in @merge, which are all of its file, so that one call
	 * carries them out in this order? With none in there yet: can it begin such a call? It is
	 * counted in if so. NULL: never. For operations with OP_SERIAL_INODE (on a worker;
	 * pool.lock may be held) or OP_RUNS (in a submission).
	 */
	bool (*merge)(struct merge *merge, const struct request *request);
	/*
	 * Make that call, with @flags as for issue(). How many of @requests, from the front, it has
	 * carried out wholly: their results are set. issue(), called in the same way, carries the
	 * next one on from where it is then; the others are as they were.
	 */
	unsigned (*issue_merged)(struct request *const requests[], unsigned count, unsigned flags);
	/*
	 * Describe @request as the kernel's own asynchronous I/O takes it (engine/kernel_aio.c),
	 * all but whose it is: in a way that does not block the submitter. False if it is not for
	 * that. Called, perhaps more than once, after issue() has answered ISSUE_NEED_WORKER or
	 * instead of it, when the request has its file. submit_lock held. NULL: never.
	 */
	bool (*describe)(const struct request *request, struct iocb *iocb);
	/*
	 * It has been carried out with @result, or refused. ISSUE_DONE, or ISSUE_NEED_WORKER for
	 * what is left to do. submit_lock held.
	 */
	enum issue_result (*transferred)(struct request *request, int64_t result);
	/*
	 * On a local file system, will it be over within about one access to the device? For a
	 * request that does not end at once, its arguments copied. NULL: that is not known.
	 */
	bool (*ends_soon)(const struct request *request);
	/*
	 * May @request be no more than a small copy? Then with SQE_ASYNC it is tried all the same
	 * by a submitter that is going to wait; and, if it has come to the pool untried, issued
	 * there with ISSUE_NONBLOCK alone, without submit_lock: that answers ISSUE_DONE or
	 * ISSUE_NEED_WORKER. NULL: never.
	 */
	bool (*brief)(const struct request *request);
	const char *name;
};

extern const struct op asyncring__ops[ASYNCRING_OP_LAST];

/* NULL for an opcode that is not served (also for one out of range). */
static inline const struct op *asyncring__op(unsigned opcode)
{
	if (opcode >= ASYNCRING_OP_LAST || !asyncring__ops[opcode].issue)
		return NULL;
	return &asyncring__ops[opcode];
}

/* One more than the highest opcode in the table. */
unsigned asyncring__op_count(void);

#endif
