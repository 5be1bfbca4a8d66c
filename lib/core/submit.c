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
#include "resources.h"
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
	/* So many more results may be noted; each could be a request instead. */
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

static void set_sq_head(struct ring *ring, uint32_t head)
{
	atomic_store_explicit(&ring->sq_head, head, memory_order_relaxed);
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

/* The place of the SQE at @position of the queue. Out of range if the application says so. */
static inline uint32_t index_of(const struct ring *ring, uint32_t position)
{
	uint32_t index = position & (ring->sq_entries - 1);

	/* Relaxed: ordered by the acquire of the tail, and whatever it says is checked. */
	return ring->sq_array ? __atomic_load_n(&ring->sq_array[index], __ATOMIC_RELAXED) : index;
}

static inline const unsigned char *sqe_at(const struct ring *ring, uint32_t index)
{
	return ring->sqes + ((size_t)index << ring->sqe_shift);
}

/*
 * Entries of an SQPOLL ring were written by another processor, and come from there one after the
 * other if each is waited for. None is asked for that the application may be writing still.
 */
static void expect_sqe(const struct ring *ring, uint32_t position)
{
	__builtin_prefetch(sqe_at(ring, position & (ring->sq_entries - 1)));
}

static void expect_first(const struct ring *ring, unsigned count)
{
	for (unsigned i = 0; i < count && i < EXPECTED; i++)
		expect_sqe(ring, sq_head(ring) + i);
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
	memcpy(cursor->copy.bytes + 64, sqe_at(ring, cursor->index + 1), 64);
	set_sq_head(ring, sq_head(ring) + 1);
	cursor->left--;
	return 0;
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
	if (ring->restrictions.registered &&
	    !asyncring__restrictions_allow(&ring->restrictions, request))
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
 * Does the SQE at @position look as if it continued the one just taken? The application may still
 * change it, so what is taken then is asked again. Every read that could be followed by another
 * comes by here, and most are not: so the offsets are looked at first.
 */
static inline __attribute__((always_inline)) bool
continues_at(const struct ring *ring, const struct cursor *cursor, uint32_t position)
{
	const struct asyncring_sqe *last = &cursor->copy.sqe, *next;

	next = (const void *)sqe_at(ring, index_of(ring, position) & (ring->sq_entries - 1));
	return next->off == last->off + last->len && next->opcode == last->opcode &&
	       next->fd == last->fd && next->flags == last->flags;
}

static bool next_continues(const struct ring *ring, const struct cursor *cursor)
{
	return cursor->left && continues_at(ring, cursor, sq_head(ring));
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
 * So many results may still be noted: what ends behind one that has kept its request keeps it, too,
 * so that all are in order; and it must be possible to make requests of all of them again
 * (asyncring__request_of_result).
 */
static unsigned room_for_results(const struct ring *ring)
{
	const struct batch *batch = &ring->batch;
	unsigned most = ring->free_count < RESULTS_MAX ? ring->free_count : RESULTS_MAX;

	return list_empty(&batch->done) ? most - batch->result_count : 0;
}

/*
 * Most rings are, most of the time: then what an SQE says for itself is all there is to it. Asked
 * again after each request that was not, for those change it. Statistics are counted elsewhere, and
 * results have no second half.
 */
static inline __attribute__((always_inline)) void look_at_ring(const struct ring *ring,
							       struct cursor *cursor)
{
	/* Relaxed: drain_active is written under submit_lock only. */
	cursor->plain = !ring->chain_head && !ring->drain_next && !ring->restrictions.registered &&
			!atomic_load_explicit(&ring->drain_active, memory_order_relaxed) &&
			!(ring->flags & (ASYNCRING_SETUP_IOPOLL | ASYNCRING_SETUP_CQE32)) &&
			!asyncring__statistics.enabled && !cursor->run.count;
	cursor->room = room_for_results(ring);
}

/* The first four bytes of @sqe: opcode, flags and ioprio. Never 0. */
static inline uint64_t beginning_of(const struct asyncring_sqe *sqe)
{
	uint32_t bytes;

	_Static_assert(offsetof(struct asyncring_sqe, fd) == sizeof(bytes), "that is all of it");
	memcpy(&bytes, sqe, sizeof(bytes));
	return (uint64_t)bytes + 1;
}

/* @sqe begins in another way than the last plain one. */
__attribute__((noinline)) static bool begins_plain(struct ring *ring,
						   const struct asyncring_sqe *sqe)
{
	enum { OTHER_FLAGS = 0xff & ~ASYNCRING_SQE_FIXED_FILE };
	const struct op *op = asyncring__op(sqe->opcode);

	if ((sqe->flags & OTHER_FLAGS) | sqe->ioprio || !op ||
	    op->properties & (OP_SQE128 | OP_WORKER))
		return false;
	ring->plain.beginning = beginning_of(sqe);
	ring->plain.op = op;
	ring->plain.slot = sqe->flags & ASYNCRING_SQE_FIXED_FILE && op->properties & OP_FILE;
	return true;
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
	cursor->room--;
	cursor->results[ring->batch.result_count++] = (struct result){
		.user_data = completion->user_data,
		.res = completion->res,
	};
	return true;
}

/*
 * A plain entry becomes @request. *attempt: what was found in the attempt to do without. True if
 * the request has ended and may serve for the next one. *error as submit_one returns it.
 */
static bool submit_plain(struct ring *ring, struct request *request, struct cursor *cursor,
			 const struct attempt *attempt, int *error)
{
	const struct op *op = ring->plain.op;
	enum issue_result result;

	take_turn(cursor, op);
	fill_in(request, &cursor->copy.sqe, op);
	*error = op->prep(request, &cursor->copy.sqe);
	if (*error) {
		*error = submit_prepared(ring, request, *error);
		return false;
	}
	if (ring->plain.slot) {
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

/*
 * Is there nothing to the entry just taken but its operation, which is ring->plain.op then? @left:
 * so many follow, from @position on.
 */
static inline bool is_plain(struct ring *ring, const struct cursor *cursor, unsigned left,
			    uint32_t position)
{
	const struct asyncring_sqe *sqe = &cursor->copy.sqe;

	if (beginning_of(sqe) != ring->plain.beginning && !begins_plain(ring, sqe))
		return false;
	return !sqe->personality && !(ring->plain.op->properties & OP_RUNS && left &&
				      continues_at(ring, cursor, position));
}

static inline bool is_over_at_once(struct ring *ring, const struct asyncring_sqe *sqe,
				   struct attempt *attempt)
{
	const struct op *op = ring->plain.op;
	struct file *file = NULL;

	if (!op->at_once)
		return false;
	if (ring->plain.slot) {
		file = asyncring__file_table_get(ring, (unsigned)sqe->fd);
		if (!file)
			return false;
	}
	return op->at_once(ring, sqe, file, attempt);
}

enum taken { TAKEN_NONE, TAKEN_PLAIN, TAKEN_OTHER };

/*
 * Take entries, and carry out without a request what is over at once. Which one it was that is not:
 * it is in the cursor, copied and not to be looked at again in the ring, with *attempt. None: the
 * submission is at its end, or the index the application wrote is out of range; then the entry is
 * skipped and counted as dropped.
 */
__attribute__((noinline)) static enum taken take_entries(struct ring *ring, struct cursor *cursor,
							 struct attempt *attempt)
{
	struct result *next = cursor->results + ring->batch.result_count;
	unsigned left = cursor->left, room = cursor->room;
	enum taken taken = TAKEN_NONE;
	uint32_t head = sq_head(ring);

	attempt->made = false;
	while (left) {
		uint32_t index = index_of(ring, head);

		if (ring->flags & ASYNCRING_SETUP_SQPOLL && left > EXPECTED)
			expect_sqe(ring, head + EXPECTED);
		head++;
		if (index >= ring->sq_entries) {
			atomic_fetch_add_explicit(&ring->words->sq_dropped, 1,
						  memory_order_relaxed);
			break;
		}
		memcpy(cursor->copy.bytes, sqe_at(ring, index), 64);
		cursor->index = index;
		left--;
		if (!cursor->plain || !is_plain(ring, cursor, left, head)) {
			taken = TAKEN_OTHER;
			break;
		}
		if (!room || !is_over_at_once(ring, &cursor->copy.sqe, attempt)) {
			taken = TAKEN_PLAIN;
			break;
		}
		room--;
		*next++ = (struct result){
			.user_data = cursor->copy.sqe.user_data,
			.res = attempt->result,
		};
	}
	if (taken != TAKEN_NONE && ring->flags & ASYNCRING_SETUP_SQE128)
		memcpy(cursor->copy.bytes + 64, sqe_at(ring, cursor->index) + 64, 64);
	set_sq_head(ring, head);
	cursor->left = left;
	cursor->room = room;
	ring->batch.result_count = (unsigned)(next - cursor->results);
	return taken;
}

/*
 * Nothing but results is in the batch, for everything was done at once: post them. False if there
 * may be more to do after all.
 */
static bool finish_at_once(struct ring *ring)
{
	if (ring->batch.result_count)
		asyncring__cq_post_results(ring);
	batch_forget(&ring->batch);
	return !ring->kernel_aio && !asyncring__count_reached(&ring->count_wait);
}

/*
 * There is no request for the entry just taken: it is for the next submission. Nothing was tried of
 * it, for that is done only with room for a result, and then there is a request as well.
 */
static void put_back(struct ring *ring, struct cursor *cursor)
{
	set_sq_head(ring, sq_head(ring) - 1);
	cursor->left++;
}

/*
 * From @taken, the first entry that is not over at once, to the end of the submission. False if
 * that came because memory is out.
 */
__attribute__((noinline)) static bool submit_others(struct ring *ring, struct cursor *cursor,
						    enum taken taken, struct attempt *attempt)
{
	struct request *request = NULL;
	bool memory = true;

	cursor->op = NULL;
	cursor->ahead.wanted = cursor->left;
	cursor->run.refused = NULL;
	ring->batch.ahead = &cursor->ahead;
	while (taken != TAKEN_NONE) {
		unsigned left = cursor->left;
		int error;

		if (!request) {
			request = asyncring__request_alloc(ring);
			cursor->room = room_for_results(ring);
		}
		if (!request) {
			put_back(ring, cursor);
			memory = false;
			break;
		}
		if (taken == TAKEN_OTHER || !submit_plain(ring, request, cursor, attempt, &error)) {
			if (taken == TAKEN_OTHER)
				error = submit_one(ring, request, cursor);
			request = NULL;
			if (error < 0 && !(ring->flags & ASYNCRING_SETUP_SUBMIT_ALL))
				break;
			look_at_ring(ring, cursor);
		}
		taken = take_entries(ring, cursor, attempt);
		/* As when another operation takes its turn. */
		if (cursor->left + 1 != left)
			cursor->ahead.length = 0;
	}
	if (request)
		asyncring__request_free_locked(request);
	ring->batch.ahead = NULL;
	if (cursor->run.count)
		end_run(&cursor->run);
	if (ring->chain_head) {
		/* A chain ends with the submission that began it. */
		struct request *head = ring->chain_head;

		ring->chain_head = NULL;
		start(head);
	}
	return memory;
}

int asyncring__submit(struct ring *ring, unsigned count)
{
	unsigned pending = asyncring__sq_pending_hint(ring);
	bool over, memory = true;
	struct attempt attempt;
	struct cursor cursor;
	enum taken taken;

	if (count > pending)
		count = pending;
	if (!count)
		return 0;
	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		expect_first(ring, count);
	cursor.left = count;
	cursor.run.count = 0;
	ring->batch.results = cursor.results;
	look_at_ring(ring, &cursor);
	taken = take_entries(ring, &cursor, &attempt);
	over = taken == TAKEN_NONE && cursor.plain;
	if (__builtin_expect(!over, false))
		memory = submit_others(ring, &cursor, taken, &attempt);
	/* Release, pairs with the application's acquire: these slots are its own again. */
	atomic_store_explicit(&ring->words->sq_head, sq_head(ring), memory_order_release);
	if (!over || !finish_at_once(ring))
		asyncring__batch_finish(ring);
	if (!memory && cursor.left == count)
		return -EAGAIN;
	return (int)(count - cursor.left);
}
