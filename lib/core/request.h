/* SPDX-License-Identifier: MIT */
/*
 * A request: one SQE from the moment it is taken out of the submission queue to its completion.
 *
 * Life.  A request is born with two references: one of the submission side, which keeps it until
 * the submission path has wholly let go of it, and one of the side that carries it out. It
 * completes - its resources go, its CQE appears, the next member of its chain starts - when the
 * last of them is put, whoever puts it (complete.c). While only the submitting thread knows the
 * request both references are in one hand and no atomic operation is made: the purely inline path.
 *
 * Ownership.  Between hand-over to an engine and completion exactly one party may decide the
 * request's result: `state` below says which, and only its owner writes the result.
 */
#ifndef ASYNCRING__REQUEST_H
#define ASYNCRING__REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <asyncring/abi.h>

#include "list.h"

struct batch;
struct buffer;
struct credentials;
struct file;
struct op;
struct ring;

/* What a CQE will say, and its place in the queue of those that did not fit (cq.c). */
struct completion {
	struct list node; /* ring->batch, ring->deferred or ring->backlog; see there for the lock */
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	bool of_request; /* embedded in a request; otherwise allocated by itself */
	bool extended;	 /* in a CQE_MIXED ring: takes two slots */
	bool large;	 /* the second half of a 32-byte CQE is not 0 but `extra` */
	bool timeout;	 /* ends every wait, whatever it waits for */
};

/* One that is large; of a request `extra` is elsewhere, request_extra(). */
struct large_completion {
	struct completion completion;
	uint64_t extra[2];
};

/* What is left of a request that has ended and left nothing else: its CQE, bit for bit. */
struct result {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

_Static_assert(sizeof(struct result) == sizeof(struct asyncring_cqe), "copied into the CQ");

/* request.flags: the low byte is the SQE's own flags (ASYNCRING_SQE_*). */
enum request_flags {
	REQ_SKIP_CQE = 1 << 8,	   /* successful and CQE_SKIP_SUCCESS, or cancelled silently */
	REQ_FAILED = 1 << 9,	   /* breaks a soft link: a failure or a short transfer */
	REQ_PREP_FAILED = 1 << 10, /* refused by preparation: never issued, result is set */
	REQ_ARGS_COPIED = 1 << 11, /* nothing but data buffers is read from the application */
	REQ_NOWAIT = 1 << 12,	   /* the application asked for -EAGAIN rather than waiting */
	REQ_POSITION = 1 << 13,	   /* offset -1: the file's own position */
	REQ_READY = 1 << 14,	   /* the descriptor was reported ready: try without NOWAIT */
	REQ_FILE_PLAIN = 1 << 15,  /* not pinned for want of descriptors: uses `fd` as it is */
	REQ_POLL_EDGE = 1 << 16,   /* counts wake-ups of its file, not levels */
	REQ_TIMED = 1 << 17,	   /* a link timeout is behind it: it completes under submit_lock */
	REQ_SERIAL = 1 << 18,	   /* holds, or waits in, the lane of its inode */
	REQ_UNBOUNDED = 1 << 19,   /* may block for ever: counted with the unbounded workers */
	REQ_ACTIVE = 1 << 20,	   /* counted in ring->active */
	REQ_SOCKET = 1 << 21,	   /* fails unless its file is a socket */
	REQ_WAIT_FIRST = 1 << 22,  /* a worker begins with waiting for readiness */
	REQ_SKIP_LINKS =
		1 << 23,	/* failed with CQE_SKIP_SUCCESS: the members after it are silent */
	REQ_RESERVED = 1 << 24, /* counted in pool.reserved */
	REQ_FILE_BORROWED = 1 << 25, /* `file` is the table's reference: inline execution only */
	REQ_DEFERRED = 1 << 26,	     /* completes as if it had been asynchronous */
	REQ_CLEANUP = 1 << 27,	     /* the operation's cleanup() has something to let go of */
	REQ_POLL_FIRST = 1 << 28,    /* sockets: wait for readiness before the first attempt */
	REQ_MULTISHOT = 1 << 29,     /* stays after it has posted a CQE (asyncring__request_post) */
	REQ_SLEEP_FIRST = 1 << 30,   /* a worker begins with asyncring__pool_wait */
};

/*
 * Who owns a request that was handed to the worker pool. Into and out of QUEUED it is changed with
 * pool.lock held, while a worker carries it out with that worker's lock (pool.c has the diagram).
 */
enum request_state {
	STATE_SUBMITTER, /* not handed over; or linked behind another; or drained */
	STATE_QUEUED,	 /* in a queue of the pool: whoever unlinks it owns it */
	STATE_RUNNING,	 /* a worker is carrying it out */
	STATE_WAITING, /* a worker waits for the descriptor's readiness: may be taken by a canceller
			*/
	STATE_TAKEN,   /* a canceller took it from a waiting worker */
	/* These three, and the way back to SUBMITTER: ring->submit_lock. */
	STATE_ARMED,  /* in the poller: whoever disarms it owns it */
	STATE_PARKED, /* waits for what its operation has arranged: whoever unparks it owns it */
	/* Given to the kernel (engine/kernel_aio.c), or in line for that: ended by its event. */
	STATE_IN_KERNEL,
};

/* Room for an operation's own arguments; each family casts it to a struct of its own. */
#define REQUEST_DATA_SIZE 64

/*
 * What an inline request touches stands at the beginning and the end; what is for requests that
 * wait, are linked or handed over, and for the free list, between.
 */
struct request {
	union {
		/* Owner: whoever may decide the result (see the head of this file). */
		struct completion completion;
		/*
		 * completion.node, of one that has not ended yet. Queued, state QUEUED: pool.lock.
		 * Waiting for a drain, armed (in its watch), or in line for the kernel:
		 * ring->submit_lock. Parked: the operation's, under submit_lock.
		 */
		struct list node;
	};
	uint32_t flags;
	/* Constant from preparation to completion. */
	uint16_t buf_index;
	bool fixed_file; /* `fd` is a slot */
	/* Guarded as enum request_state says. */
	uint8_t state;

	/* Constant from preparation to completion. */
	struct ring *ring;
	const struct op *op;
	/* As the SQE begins. */
	uint8_t opcode;
	uint8_t sqe_flags; /* what `flags` started with */
	uint16_t ioprio;
	int32_t fd; /* a descriptor, or a slot with ASYNCRING_SQE_FIXED_FILE */

	/* A reference to what the request works on, or NULL. Owner. */
	struct file *file;
	struct buffer *buffer;

	/* A reference to the personality's credentials, or NULL: the process's. Owner. */
	struct credentials *credentials;

	/* Owner. Copies of what the SQE points to, one allocation; freed when the request ends. */
	void *async_data;

	/*
	 * The readiness (EPOLL*) waited for after ISSUE_NEED_POLL. Preparation sets it to what the
	 * properties of the operation say; its prep() may set another. Constant afterwards.
	 */
	uint32_t poll_events;
	/* What the file was found to be ready for, when issue() is called again. submit_lock. */
	uint32_t ready_events;

	/* The next member of the chain: submitter while it assembles the chain, then owner. */
	struct request *link;

	union {
		/* Of a link timeout whose time runs: the request it bounds. submit_lock. */
		struct request *timed;
		/* Of one that counts completions: the number of the one it waits for. submit_lock.
		 */
		uint64_t count_due;
		/* State QUEUED: grows from one request to the next. pool.lock. */
		uint32_t pool_order;
	};

	/* Armed or parked: in ring->pending, submit_lock. */
	struct list key_node;

	/*
	 * References. Plain stores while the submitter has both; afterwards request_put's
	 * acquire-release decrement pairs with itself in the other holder.
	 */
	_Atomic uint32_t references;
	uint32_t serial_key; /* constant after hand-over: lane of the inode, with REQ_SERIAL */

	/* Owner. The operation's arguments. */
	_Alignas(8) unsigned char data[REQUEST_DATA_SIZE];
};

/*
 * At most 256 bytes in flight are promised, with a timer (timers.c), what it is found by
 * (pending.c), and what the allocator keeps.
 */
_Static_assert(sizeof(struct request) <= 216, "memory per request in flight is promised");
_Static_assert(offsetof(struct request, fd) - offsetof(struct request, opcode) ==
		       offsetof(struct asyncring_sqe, fd) - offsetof(struct asyncring_sqe, opcode),
	       "copied in one");

static inline struct request *request_of_completion(struct completion *completion)
{
	return container_of(completion, struct request, completion);
}

static inline struct request *request_of_data(void *data)
{
	return container_of(data, struct request, data);
}

/* The operation's own view of request.data. */
#define request_data(request, type)                                                                \
	({                                                                                         \
		_Static_assert(sizeof(type) <= REQUEST_DATA_SIZE, "too large for a request");      \
		(type *)(void *)(request)->data;                                                   \
	})

/* In the last of an operation's data: the extra[2] of its large completion. */
static inline uint64_t *request_extra(struct request *request)
{
	return (uint64_t *)(void *)(request->data + REQUEST_DATA_SIZE) - 2;
}

#define REQUEST_DATA_SIZE_LARGE (REQUEST_DATA_SIZE - 2 * sizeof(uint64_t))

/*
 * One that holds nothing and was not prepared (request.c); the caller holds ring->submit_lock. NULL
 * when memory is out.
 */
struct request *asyncring__request_alloc(struct ring *ring);

/*
 * A request again for @result, the first of those of the batch, which is no longer counted among
 * them. There always is one. submit_lock held.
 */
struct request *asyncring__request_of_result(struct ring *ring, const struct result *result);

/* Back to the free list; any thread. The request is gone after this. */
void asyncring__request_free(struct request *request);

/* As request_free, for a caller that holds ring->submit_lock: no atomic operation. */
void asyncring__request_free_locked(struct request *request);

/* Frees all memory of a ring's requests; none may be in flight. */
void asyncring__request_free_all(struct ring *ring);

/* ---- result, set by the request's owner before it puts its reference ---- */

/* Set the result; negative is a failure, which breaks a soft link. */
static inline void request_set_result(struct request *request, int32_t res)
{
	request->completion.res = res;
	if (res < 0)
		request->flags |= REQ_FAILED;
}

/*
 * For operations whose failure does not break a soft link and is silent with CQE_SKIP_SUCCESS:
 * those that change or ask for names, attributes and sizes. The kernel draws the line there.
 */
static inline void request_set_answer(struct request *request, int32_t res)
{
	request->completion.res = res;
}

/* As request_set_result; fewer bytes than wanted break a soft link as a failure does. */
static inline void request_set_transfer(struct request *request, int64_t res, uint64_t wanted)
{
	request->completion.res = (int32_t)res;
	if (res < 0 || (uint64_t)res != wanted)
		request->flags |= REQ_FAILED;
}

#endif
