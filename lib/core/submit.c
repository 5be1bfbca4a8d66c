/* SPDX-License-Identifier: MIT */
/*
 * Submission: SQEs out of the ring, checked, put into chains, and passed on to issue.c.
 *
 * Everything here runs under ring->submit_lock, in the thread that called enter() or in the ring's
 * SQ thread. An SQE is copied out of the ring's memory once and only the copy is looked at: the
 * application may scribble over the original at any time (rule 6).
 */
#include <string.h>

#include "core.h"
#include "credentials.h"
#include "setup.h"
#include "statistics.h"

enum {
	SQE_FLAGS_VALID = ASYNCRING_SQE_FIXED_FILE | ASYNCRING_SQE_IO_DRAIN |
			  ASYNCRING_SQE_IO_LINK | ASYNCRING_SQE_IO_HARDLINK | ASYNCRING_SQE_ASYNC |
			  ASYNCRING_SQE_BUFFER_SELECT | ASYNCRING_SQE_CQE_SKIP_SUCCESS,
	SQE_FLAGS_LINK = ASYNCRING_SQE_IO_LINK | ASYNCRING_SQE_IO_HARDLINK,
	RUN_MAX = 64,
	/* Of a submission; what ends after that many keeps its request until it is posted. */
	RESULTS_MAX = 128,
	EXPECTED = 8, /* entries asked for before they are needed */
};

/* Of no entry: they begin with four bytes. */
#define NO_BEGINNING (1ull << 32)

_Static_assert((uint32_t)OP_POLL_IN == EPOLLIN && (uint32_t)OP_POLL_OUT == EPOLLOUT,
	       "poll_events is taken from the properties");

uint32_t asyncring__sqe_flags(void)
{
	return SQE_FLAGS_VALID;
}

/* New requests that continue each other, to be carried out by one call. */
struct run {
	struct request *requests[RUN_MAX];
	unsigned count; /* 0: there is none */
	struct merge merge;
	/* One of these could not begin a run, and the next need not be asked; NULL: none yet. */
	const struct op *refused;
	int32_t refused_fd;
};

/* Where a submission stands: the entry just taken, and how many more it may take. */
struct cursor {
	union {
		struct asyncring_sqe sqe;
		unsigned char bytes[128];
	} copy;
	uint32_t index; /* of the SQE in the array of SQEs */
	unsigned left;
	const struct op *op; /* of the request before */
	/* Nothing in the ring asks for a second look at each request: look_at_ring. */
	bool plain;
	/* How the last entry that was plain begins: `op` is its operation; else NO_BEGINNING. */
	uint64_t plain_beginning;
	/* With that: the entry's `fd` is a slot. */
	bool plain_slot;
	/* So many more results may be noted. */
	unsigned room;
	struct ahead ahead;
	struct run run;
	struct result results[RESULTS_MAX];
};

static uint32_t sq_head(const struct ring *ring)
{
	/* Relaxed: written under submit_lock only; others just want to know whether to come in. */
	return atomic_load_explicit(&ring->sq_head, memory_order_relaxed);
}

static uint32_t advance_sq_head(struct ring *ring)
{
	uint32_t head = sq_head(ring);

	atomic_store_explicit(&ring->sq_head, head + 1, memory_order_relaxed);
	return head;
}

unsigned asyncring__sq_pending_hint(const struct ring *ring)
{
	/*
	 * Acquire, pairs with the application's release of the tail: the SQEs before it are there.
	 * Sequentially consistent for the SQ thread that is about to sleep (sq_thread.c).
	 */
	uint32_t tail = atomic_load_explicit(&ring->words->sq_tail, memory_order_seq_cst);
	uint32_t pending = tail - sq_head(ring);

	return pending < ring->sq_entries ? pending : ring->sq_entries;
}

/*
 * Entries of an SQPOLL ring were written by another processor, and come from there one after the
 * other if each is waited for. None is asked for that the application may be writing still.
 */
static void expect_sqe(const struct ring *ring, uint32_t position)
{
	uint32_t index = position & (ring->sq_entries - 1);

	__builtin_prefetch(ring->sqes + ((size_t)index << ring->sqe_shift));
}

static void expect_first(const struct ring *ring, unsigned count)
{
	for (unsigned i = 0; i < count && i < EXPECTED; i++)
		expect_sqe(ring, sq_head(ring) + i);
}

/*
 * Copy the next SQE and advance. False if the index the application wrote is out of range: then
 * the entry is skipped and counted as dropped.
 */
static bool take_sqe(struct ring *ring, struct cursor *cursor)
{
	uint32_t mask = ring->sq_entries - 1;
	uint32_t index = advance_sq_head(ring) & mask;
	const unsigned char *from;

	if (ring->flags & ASYNCRING_SETUP_SQPOLL && cursor->left > EXPECTED)
		expect_sqe(ring, index + EXPECTED);
	if (ring->sq_array) {
		/* Relaxed: ordered by the acquire of the tail, and whatever it says is checked. */
		index = __atomic_load_n(&ring->sq_array[index], __ATOMIC_RELAXED);
		if (index > mask) {
			atomic_fetch_add_explicit(&ring->words->sq_dropped, 1,
						  memory_order_relaxed);
			return false;
		}
	}
	from = ring->sqes + ((size_t)index << ring->sqe_shift);
	memcpy(cursor->copy.bytes, from, 64);
	if (ring->flags & ASYNCRING_SETUP_SQE128)
		memcpy(cursor->copy.bytes + 64, from + 64, 64);
	cursor->index = index;
	cursor->left--;
	return true;
}

/*
 * An operation with a 128-byte SQE in a ring of mixed sizes: the second half is the SQE next to the
 * first, and consumes an entry of its own.
 */
static int take_second_half(struct ring *ring, struct cursor *cursor)
{
	if (ring->flags & ASYNCRING_SETUP_SQE128)
		return 0;
	if (!(ring->flags & ASYNCRING_SETUP_SQE_MIXED) || !cursor->left ||
	    cursor->index == ring->sq_entries - 1)
		return -EINVAL;
	memcpy(cursor->copy.bytes + 64, ring->sqes + ((size_t)(cursor->index + 1) << 6), 64);
	advance_sq_head(ring);
	cursor->left--;
	return 0;
}

static bool allowed_by_restrictions(const struct ring *ring, const struct request *request)
{
	const struct restrictions *restrictions = &ring->restrictions;
	uint8_t flags = (uint8_t)request->flags;

	if (!(restrictions->sqe_opcodes[request->opcode >> 6] & (1ull << (request->opcode & 63))))
		return false;
	if ((flags & restrictions->sqe_flags_required) != restrictions->sqe_flags_required)
		return false;
	return !(flags & ~(restrictions->sqe_flags_allowed | restrictions->sqe_flags_required));
}

/* A drain anywhere in a chain holds the chain's head back, and what comes after the chain. */
static void begin_drain(struct ring *ring)
{
	/* Sequentially consistent: see drain.c. */
	atomic_store_explicit(&ring->drain_active, true, memory_order_seq_cst);
	if (ring->chain_head) {
		ring->chain_head->flags |= ASYNCRING_SQE_IO_DRAIN;
		ring->drain_next = true;
	}
}

/* What other operations do meanwhile may change the application's memory. */
static inline void take_turn(struct cursor *cursor, const struct op *op)
{
	if (op != cursor->op)
		cursor->ahead.length = 0;
	cursor->op = op;
}

/* @request, which holds nothing, becomes one of @sqe. */
static inline void fill_in(struct request *request, const struct asyncring_sqe *sqe,
			   const struct op *op)
{
	request->flags = sqe->flags;
	request->completion.user_data = sqe->user_data;
	request->completion.res = 0;
	/* opcode, sqe_flags, ioprio and fd */
	memcpy(&request->opcode, &sqe->opcode, 8);
	request->fixed_file = sqe->flags & ASYNCRING_SQE_FIXED_FILE;
	request->buf_index = sqe->buf_index;
	request->op = op;
	request->poll_events = op ? op->properties & (OP_POLL_IN | OP_POLL_OUT) : 0;
}

/* What every opcode has in common; 0 or the errno with which the request is refused. */
static int prepare(struct ring *ring, struct request *request, struct cursor *cursor)
{
	const struct asyncring_sqe *sqe = &cursor->copy.sqe;
	const struct op *op = asyncring__op(sqe->opcode);

	fill_in(request, sqe, op);
	if (!op)
		return -EINVAL;
	take_turn(cursor, op);
	if (op->properties & OP_SQE128) {
		int error = take_second_half(ring, cursor);

		if (error)
			return error;
	}
	if (sqe->flags) {
		if (sqe->flags & ~SQE_FLAGS_VALID)
			return -EINVAL;
		if (sqe->flags & ASYNCRING_SQE_BUFFER_SELECT &&
		    !(op->properties & OP_BUFFER_SELECT))
			return -EOPNOTSUPP;
		if (sqe->flags & ASYNCRING_SQE_CQE_SKIP_SUCCESS)
			ring->drain_disabled = true;
		if (sqe->flags & ASYNCRING_SQE_IO_DRAIN) {
			if (ring->drain_disabled)
				return -EOPNOTSUPP;
			begin_drain(ring);
		}
	}
	if (ring->restrictions.registered && !allowed_by_restrictions(ring, request))
		return -EACCES;
	if (ring->drain_next && !ring->chain_head) {
		ring->drain_next = false;
		atomic_store_explicit(&ring->drain_active, true, memory_order_seq_cst);
		request->flags |= ASYNCRING_SQE_IO_DRAIN;
	}
	if (sqe->ioprio && !(op->properties & OP_IOPRIO))
		return -EINVAL;
	if (ring->flags & ASYNCRING_SETUP_IOPOLL && !(op->properties & OP_IOPOLL))
		return -EINVAL;
	if (sqe->personality) {
		request->credentials = asyncring__credentials_get(ring, sqe->personality);
		if (!request->credentials)
			return -EINVAL;
	}
	return op->prep(request, sqe);
}

/* Fail @request, and with it the chain it belongs to. */
static void refuse(struct ring *ring, struct request *request, int error)
{
	struct request *head = ring->chain_head;

	request_set_result(request, error);
	request->flags |= REQ_PREP_FAILED;
	if (head && !(head->flags & REQ_PREP_FAILED)) {
		request_set_result(head, -ECANCELED);
		head->flags |= REQ_PREP_FAILED;
	}
}

/*
 * A complete chain, or a lone request. The error that only came to light on the way, if it is one
 * that preparation would have found, else 0.
 */
static int start(struct request *head)
{
	if (head->flags & REQ_PREP_FAILED) {
		/* Nothing of it runs, hard links or not. */
		for (struct request *member = head; member; member = member->link)
			member->flags &= ~ASYNCRING_SQE_IO_HARDLINK;
		asyncring__request_done(head);
		return 0;
	}
	if (asyncring__drain_hold(head))
		return 0;
	if (asyncring__issue_inline(head) && head->flags & REQ_PREP_FAILED)
		return head->completion.res;
	return 0;
}

/*
 * @request, prepared with @error, goes its way. 0, or the error that ends the batch unless
 * SUBMIT_ALL is set.
 */
static int submit_prepared(struct ring *ring, struct request *request, int error)
{
	bool links_on = request->flags & SQE_FLAGS_LINK;
	struct request *head = ring->chain_head;

	/*
	 * What starts some time later must be stable now; for a request that starts right away
	 * issue.c sees to that if it has to wait. Relaxed: written under submit_lock only.
	 */
	if (!error &&
	    (head || links_on || atomic_load_explicit(&ring->drain_active, memory_order_relaxed)))
		error = asyncring__request_stabilise(request);
	if (error)
		refuse(ring, request, error);
	else
		statistics_count_operation(request->opcode);
	if (!head && !links_on) {
		int late = start(request);

		return error ? error : late;
	}
	if (head)
		ring->chain_tail->link = request;
	else
		ring->chain_head = request;
	ring->chain_tail = request;
	if (links_on)
		return 0;
	head = ring->chain_head;
	ring->chain_head = NULL;
	start(head);
	return error;
}

/*
 * Does the next SQE look as if it continued the one just taken? The application may still change
 * it, so what is taken then is asked again. Every read that could be followed by another comes by
 * here, and most are not: so the offsets are looked at first.
 */
static inline __attribute__((always_inline)) bool next_continues(const struct ring *ring,
								 const struct cursor *cursor)
{
	const struct asyncring_sqe *last = &cursor->copy.sqe, *next;
	uint32_t mask = ring->sq_entries - 1, index = sq_head(ring) & mask;

	if (!cursor->left)
		return false;
	if (ring->sq_array)
		/* Relaxed: as in take_sqe. */
		index = __atomic_load_n(&ring->sq_array[index], __ATOMIC_RELAXED) & mask;
	next = (const void *)(ring->sqes + ((size_t)index << ring->sqe_shift));
	return next->off == last->off + last->len && next->opcode == last->opcode &&
	       next->fd == last->fd && next->flags == last->flags;
}

static bool continues(struct merge *merge, const struct request *first,
		      const struct request *request)
{
	return request->op == first->op && request->fd == first->fd &&
	       (uint8_t)request->flags == (uint8_t)first->flags && request_may_merge(request) &&
	       request->op->merge(merge, request);
}

/* Does @request, the entry just taken, or what is behind it belong to a run? */
static inline bool may_run(const struct ring *ring, const struct cursor *cursor,
			   const struct request *request)
{
	enum { OTHER_FLAGS = 0xff & ~ASYNCRING_SQE_FIXED_FILE };

	if (!(request->op->properties & OP_RUNS) || !next_continues(ring, cursor))
		return false;
	if (request->op == cursor->run.refused && request->fd == cursor->run.refused_fd)
		return false;
	/* Relaxed: drain_active is written under submit_lock only. */
	return !(request->flags & OTHER_FLAGS) && !ring->chain_head &&
	       !atomic_load_explicit(&ring->drain_active, memory_order_relaxed);
}

/* The run is carried out by one call, as far as that goes; what it leaves goes one by one. */
static void end_run(struct run *run)
{
	unsigned count = run->count, done = 0;

	if (count > 1)
		done = asyncring__issue_merged(run->requests, count);
	run->count = 0;
	for (unsigned i = 0; i < count; i++) {
		statistics_count_operation(run->requests[i]->opcode);
		if (i >= done)
			start(run->requests[i]);
	}
}

/*
 * @request, prepared with @error, begins the run or goes on with it, as long as another one seems
 * to be behind it; false if it is none of it. Either way the run ends before an SQE is prepared
 * that does not look like a part of it.
 */
__attribute__((noinline)) static bool join_run(struct ring *ring, struct cursor *cursor,
					       struct request *request, int error)
{
	struct run *run = &cursor->run;
	bool joined;

	if (!run->count)
		memset(&run->merge, 0, sizeof(run->merge));
	joined = !error && continues(&run->merge, run->count ? run->requests[0] : request, request);
	if (joined) {
		run->requests[run->count++] = request;
	} else if (!run->count) {
		run->refused = request->op;
		run->refused_fd = request->fd;
	}
	if (!joined || run->count == RUN_MAX || !next_continues(ring, cursor))
		end_run(run);
	return joined;
}

/* 0, or the error that ends the batch unless SUBMIT_ALL is set. */
static int submit_one(struct ring *ring, struct request *request, struct cursor *cursor)
{
	int error = prepare(ring, request, cursor);

	if (__builtin_expect(cursor->run.count || (!error && may_run(ring, cursor, request)),
			     false) &&
	    join_run(ring, cursor, request, error))
		return 0;
	return submit_prepared(ring, request, error);
}

/*
 * Most rings are, most of the time: then what an SQE says for itself is all there is to it. Asked
 * again after each request that was not, for those change it. Statistics are counted elsewhere, and
 * results have no second half.
 */
static void look_at_ring(const struct ring *ring, struct cursor *cursor)
{
	const struct batch *batch = &ring->batch;

	/* Relaxed: drain_active is written under submit_lock only. */
	cursor->plain = !ring->chain_head && !ring->drain_next && !ring->restrictions.registered &&
			!atomic_load_explicit(&ring->drain_active, memory_order_relaxed) &&
			!(ring->flags & (ASYNCRING_SETUP_IOPOLL | ASYNCRING_SETUP_CQE32)) &&
			!asyncring__statistics.enabled && !batch->on_worker && !cursor->run.count;
	cursor->plain_beginning = NO_BEGINNING;
	/*
	 * What ends behind one that has kept its request keeps it, too: so all are in order. And it
	 * must be possible to make requests of all of them again: asyncring__request_of_result.
	 */
	cursor->room = 0;
	if (list_empty(&batch->done))
		cursor->room = (ring->free_count < RESULTS_MAX ? ring->free_count : RESULTS_MAX) -
			       batch->result_count;
}

/* An entry begins in another way than the one before, or is the first since look_at_ring. */
__attribute__((noinline)) static bool look_at_beginning(struct cursor *cursor, uint32_t beginning)
{
	enum { OTHER_FLAGS = 0xff & ~ASYNCRING_SQE_FIXED_FILE };
	const struct asyncring_sqe *sqe = &cursor->copy.sqe;
	const struct op *op = asyncring__op(sqe->opcode);

	if (!cursor->plain || (sqe->flags & OTHER_FLAGS) | sqe->ioprio || !op ||
	    op->properties & (OP_SQE128 | OP_WORKER))
		return false;
	take_turn(cursor, op);
	cursor->plain_beginning = beginning;
	cursor->plain_slot = sqe->flags & ASYNCRING_SQE_FIXED_FILE && op->properties & OP_FILE;
	return true;
}

/* Is there nothing to the entry just taken but its operation? That is cursor->op then. */
static inline bool is_plain(const struct ring *ring, struct cursor *cursor)
{
	const struct asyncring_sqe *sqe = &cursor->copy.sqe;
	uint32_t beginning;

	_Static_assert(offsetof(struct asyncring_sqe, fd) == sizeof(beginning),
		       "opcode, flags and ioprio");
	memcpy(&beginning, sqe, sizeof(beginning));
	if (beginning != cursor->plain_beginning && !look_at_beginning(cursor, beginning))
		return false;
	return !sqe->personality &&
	       !(cursor->op->properties & OP_RUNS && next_continues(ring, cursor));
}

static inline void note_result(struct ring *ring, struct cursor *cursor, int32_t res)
{
	cursor->room--;
	cursor->results[ring->batch.result_count++] = (struct result){
		.user_data = cursor->copy.sqe.user_data,
		.res = res,
	};
}

/*
 * @request has been carried out inline and succeeded. Has it left nothing but its CQE? Then its
 * result is noted, and it is as it was before: it may serve for the next entry.
 */
static inline bool leave_result(struct ring *ring, struct request *request, struct cursor *cursor)
{
	enum {
		NO_MATTER = ASYNCRING_SQE_FIXED_FILE | REQ_FAILED | REQ_POSITION | REQ_NOWAIT |
			    REQ_FILE_BORROWED | REQ_SOCKET,
	};
	const struct completion *completion = &request->completion;

	if (request->flags & ~(uint32_t)NO_MATTER || completion->flags || completion->large ||
	    completion->extended || completion->timeout || request->buffer || request->async_data)
		return false;
	if (!cursor->room || !list_empty(&ring->batch.done))
		return false;
	if (request->file) {
		if (!(request->flags & REQ_FILE_BORROWED))
			return false;
		request->file = NULL;
	}
	note_result(ring, cursor, completion->res);
	return true;
}

/*
 * A plain entry becomes @request. *attempt: what was found in the attempt to do without. True if
 * the request has ended and may serve for the next one. *error as submit_one returns it.
 */
static bool submit_plain(struct ring *ring, struct request *request, struct cursor *cursor,
			 const struct attempt *attempt, int *error)
{
	const struct op *op = cursor->op;
	enum issue_result result;

	fill_in(request, &cursor->copy.sqe, op);
	*error = op->prep(request, &cursor->copy.sqe);
	if (*error) {
		*error = submit_prepared(ring, request, *error);
		return false;
	}
	if (cursor->plain_slot) {
		/* If there is none that is found out once more, and told. */
		request->file = asyncring__file_table_get(ring, (unsigned)request->fd);
		if (!request->file) {
			*error = start(request);
			return false;
		}
		request->flags |= REQ_FILE_BORROWED;
	}
	if (attempt->made)
		result = op->resume(request, attempt);
	else
		result = op->issue(request, ISSUE_NONBLOCK | ISSUE_LOCKED);
	if (__builtin_expect(result == ISSUE_DONE && request->completion.res >= 0 &&
				     leave_result(ring, request, cursor),
			     true))
		return true;
	if (asyncring__issued(request, result) && request->flags & REQ_PREP_FAILED)
		*error = request->completion.res;
	return false;
}

/* Carry a plain entry out without a request. True if that was all. */
static inline bool submit_at_once(struct ring *ring, struct cursor *cursor, struct attempt *attempt)
{
	const struct op *op = cursor->op;
	struct file *file = NULL;

	attempt->made = false;
	if (!op->at_once || !cursor->room)
		return false;
	if (cursor->plain_slot) {
		file = asyncring__file_table_get(ring, (unsigned)cursor->copy.sqe.fd);
		if (!file)
			return false;
	}
	if (!op->at_once(ring, &cursor->copy.sqe, file, attempt))
		return false;
	note_result(ring, cursor, attempt->result);
	return true;
}

int asyncring__submit(struct ring *ring, unsigned count)
{
	unsigned pending = asyncring__sq_pending_hint(ring);
	struct request *request = ring->spare_request;
	struct cursor cursor;

	if (count > pending)
		count = pending;
	if (!count)
		return 0;
	cursor.left = count;
	cursor.op = NULL;
	cursor.ahead.length = 0;
	cursor.ahead.wanted = count > 1;
	cursor.run.count = 0;
	cursor.run.refused = NULL;
	ring->batch.ahead = &cursor.ahead;
	ring->batch.results = cursor.results;
	if (request)
		look_at_ring(ring, &cursor);
	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		expect_first(ring, count);
	while (cursor.left) {
		struct attempt attempt;
		int error;

		if (!request) {
			request = asyncring__request_alloc(ring);
			if (!request)
				break;
			look_at_ring(ring, &cursor);
		}
		if (!take_sqe(ring, &cursor))
			break;
		if (__builtin_expect(is_plain(ring, &cursor), true)) {
			if (__builtin_expect(submit_at_once(ring, &cursor, &attempt), true) ||
			    submit_plain(ring, request, &cursor, &attempt, &error))
				continue;
		} else
			error = submit_one(ring, request, &cursor);
		request = NULL;
		if (error < 0 && !(ring->flags & ASYNCRING_SETUP_SUBMIT_ALL))
			break;
	}
	ring->spare_request = request;
	ring->batch.ahead = NULL;
	if (cursor.run.count)
		end_run(&cursor.run);
	if (ring->chain_head) {
		/* A chain ends with the submission that began it. */
		struct request *head = ring->chain_head;

		ring->chain_head = NULL;
		start(head);
	}
	/* Release, pairs with the application's acquire: these slots are its own again. */
	atomic_store_explicit(&ring->words->sq_head, sq_head(ring), memory_order_release);
	asyncring__batch_finish(ring);
	if (cursor.left == count && !request)
		return -EAGAIN;
	return (int)(count - cursor.left);
}
