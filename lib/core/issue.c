/* SPDX-License-Identifier: MIT */
/*
 * From a prepared request to an engine, and back: the submitter tries it inline; what would block
 * is made independent of the application's memory and descriptors and handed to the worker pool,
 * whose workers come back to run_blocking, to the poller or to the kernel. A request is handed over
 * to the pool in one place (batch_hand_over).
 */
#include "../engine/kernel_aio.h"
#include "../engine/poller.h"
#include "../engine/pool.h"
#include "core.h"
#include "credentials.h"
#include "statistics.h"

#include <linux/aio_abi.h>

#ifdef ASYNCRING_TESTING
_Atomic bool asyncring__merges_nothing;
#endif

void asyncring__activate_chain(struct request *head)
{
	uint32_t count = 0;

	for (struct request *member = head; member; member = member->link) {
		if (member->flags & REQ_ACTIVE)
			continue;
		member->flags |= REQ_ACTIVE;
		count++;
	}
	if (count)
		/* Sequentially consistent: see drain.c. */
		atomic_fetch_add_explicit(&head->ring->active, count, memory_order_seq_cst);
}

/*
 * The registered file of a request, looked up when it starts. @borrow: the table's reference will
 * do, because submit_lock is held until the request is finished.
 */
static int use_fixed_file(struct request *request, bool borrow)
{
	struct file *file = asyncring__file_table_get(request->ring, (unsigned)request->fd);

	if (!file)
		return -EBADF;
	request->file = borrow ? file : file_get(file);
	if (borrow)
		request->flags |= REQ_FILE_BORROWED;
	return 0;
}

/*
 * The batch's pin of the request's descriptor, with a reference for the caller; made if there is
 * none yet. @socket: it is known to be one.
 */
static struct file *pin_in_batch(struct request *request, bool socket, int *error)
{
	struct batch *batch = &request->ring->batch;
	bool position = request->flags & REQ_POSITION;
	int fd = request->fd;
	struct file *file;

	for (unsigned i = 0; i < batch->pin_count; i++)
		if (batch->pins[i].fd == fd && (batch->pins[i].position || !position))
			return file_get(batch->pins[i].file);
	file = socket ? asyncring__file_pin_socket(fd, error)
		      : asyncring__file_pin(fd, position, error);
	if (file && batch->pin_count < BATCH_PINS) {
		batch->pins[batch->pin_count].fd = fd;
		batch->pins[batch->pin_count].position = position;
		batch->pins[batch->pin_count++].file = file_get(file);
	}
	return file;
}

static void drop_pins(struct ring *ring)
{
	struct batch *batch = &ring->batch;

	while (batch->pin_count)
		asyncring__file_put(batch->pins[--batch->pin_count].file);
}

/*
 * Let the request keep its file beyond the submission. @tried: it has found that it must wait. 0 or
 * a negative errno.
 */
static int keep_file(struct request *request, bool tried)
{
	int error = 0;

	if (request->flags & REQ_FILE_BORROWED) {
		request->flags &= ~REQ_FILE_BORROWED;
		file_get(request->file);
	} else if (request->op->properties & OP_FILE && !request->file) {
		if (request->flags & ASYNCRING_SQE_FIXED_FILE)
			return use_fixed_file(request, false);
		request->file = pin_in_batch(request, tried && request->flags & REQ_SOCKET, &error);
	}
	return error;
}

int asyncring__request_stabilise(struct request *request)
{
	if (request->flags & REQ_ARGS_COPIED || !request->op->copy_args)
		return 0;
	request->flags |= REQ_ARGS_COPIED;
	return request->op->copy_args(request);
}

/* The batch's pin of a descriptor that is being closed is of no use to requests after that. */
void asyncring__batch_forget_pin(struct ring *ring, int fd)
{
	struct batch *batch = &ring->batch;

	for (unsigned i = batch->pin_count; i-- > 0;) {
		if (batch->pins[i].fd != fd)
			continue;
		asyncring__file_put(batch->pins[i].file);
		batch->pins[i] = batch->pins[--batch->pin_count];
	}
}

/*
 * Does the request wait for its file rather than for a system call? Not for a readiness that will
 * not come because the file is not open for it: the call says so.
 */
static bool waits_for_file(const struct request *request)
{
	const struct file *file = request->file;
	unsigned properties = request->op->properties;

	return file && file->hint.kind == FILE_POLLABLE && !(request->flags & REQ_NOWAIT) &&
	       ((properties & OP_POLL_IN && file->readable) ||
		(properties & OP_POLL_OUT && file->writable));
}

/*
 * Is it for somebody with other credentials than the thread that issues it? Those that are a matter
 * of the ring alone need none.
 */
static bool needs_credentials(const struct request *request)
{
	return request->credentials && !(request->op->properties & OP_SUBMITTER);
}

/*
 * May it wait for its file before the first attempt? With credentials, which a worker has to take
 * on, it had better: what is ready is told of at once, and what is not needs no worker meanwhile.
 */
static bool waits_for_credentials(const struct request *request)
{
	const struct file *file = request->file;

	return needs_credentials(request) && request->poll_events && file &&
	       file->hint.kind == FILE_POLLABLE && !(request->flags & REQ_NOWAIT);
}

/* On a stream a worker waits before it tries: so a canceller can take it back from the start. */
static void decide_to_wait(struct request *request)
{
	if (waits_for_file(request))
		request->flags |= REQ_WAIT_FIRST | REQ_UNBOUNDED;
}

/* Which workers may take it. */
static void choose_workers(struct request *request)
{
	const struct file *file = request->file;

	if (request->op->properties & OP_UNBOUNDED || (file && file->hint.kind == FILE_POLLABLE))
		request->flags |= REQ_UNBOUNDED;
	decide_to_wait(request);
}

/* Behind which others it has to wait. */
static void choose_lane(struct request *request)
{
	const struct file *file = request->file;

	if (file && file->regular && request->op->properties & OP_SERIAL_INODE &&
	    file->hint.kind != FILE_DIRECT) {
		request->flags |= REQ_SERIAL;
		request->serial_key = (uint32_t)(file->inode ^ file->device);
	}
}

void asyncring__batch_hand_over(struct ring *ring)
{
	struct batch *batch = &ring->batch;
	unsigned count = batch->punted_count;
	struct request *punted[BATCH_PUNTED];

	if (!count)
		return;

	for (unsigned i = 0; i < count; i++)
		punted[i] = batch->punted[i];
	batch->punted_count = 0;
	if (asyncring__pool_queue(punted, count, batch->waits && !batch->held))
		batch->held = true;
	for (unsigned i = 0; i < count; i++)
		asyncring__request_put_submitter(punted[i]);
}

/*
 * Preparation does not copy arguments that nobody may need any more when the request has been
 * issued. One that fails at once may have failed before they were looked at: if preparation would
 * have refused them, the request ends as if it had.
 */
static bool end(struct request *request)
{
	int error = request->completion.res < 0 ? asyncring__request_stabilise(request) : 0;

	if (error) {
		request_set_result(request, error);
		request->flags |= REQ_PREP_FAILED;
	}
	asyncring__request_done(request);
	return true;
}

static bool end_with(struct request *request, int error)
{
	request_set_result(request, error);
	return end(request);
}

/*
 * No descriptor for a pin, or no thread to be had: rather than fail the request, run it on the spot
 * (H2). True if that finished it; otherwise it would have to wait for its descriptor's readiness,
 * might wait for ever with submit_lock held, or needs credentials that the application's thread
 * does not have.
 */
static bool run_on_the_spot(struct request *request)
{
	if (request->credentials || request->op->properties & OP_UNBOUNDED ||
	    request->op->issue(request, ISSUE_LOCKED) != ISSUE_DONE) {
		request->flags |= REQ_FILE_PLAIN | REQ_UNBOUNDED;
		return false;
	}
	asyncring__request_done(request);
	return true;
}

static void park(struct request *request);

/*
 * @request does not end at once: it and what is behind it in its chain are active from now on, and
 * the time of a link timeout begins. One that could not be started does not bound anything.
 */
static void begin_to_wait(struct request *request)
{
	struct request *bound = request->flags & REQ_TIMED ? request->link : NULL;

	asyncring__activate_chain(request);
	if (!bound || bound->state == STATE_PARKED || !(bound->op->properties & OP_LINK_TIMEOUT))
		return;
	bound->timed = request;
	if (bound->op->issue(bound, ISSUE_NONBLOCK | ISSUE_LOCKED) == ISSUE_PARKED)
		park(bound);
}

enum punt_to { TO_POLLER, TO_EITHER, TO_WORKER, TO_NOBODY };

/*
 * With SQE_ASYNC a request is not for the submitter to carry out. But one that can wait for its
 * file is tried before it does, because it may not have to; not a multishot one, which begins to
 * wait.
 */
static bool is_tried_first(const struct request *request)
{
	return request->flags & ASYNCRING_SQE_ASYNC && !(request->flags & REQ_MULTISHOT) &&
	       !needs_credentials(request) && waits_for_file(request);
}

/* Where it is to go then; to nobody if it has ended. */
static enum punt_to try_first(struct request *request)
{
	request->flags |= REQ_DEFERRED;
	switch (request->op->issue(request, ISSUE_NONBLOCK | ISSUE_LOCKED)) {
	case ISSUE_DONE:
		return TO_NOBODY;
	case ISSUE_NEED_POLL:
		return TO_POLLER;
	default:
		return TO_WORKER;
	}
}

/*
 * A request that can only wait in the poller, and its file is not one to wait for: what such a file
 * is always ready for comes once, and what it is not never.
 */
static bool end_unarmed(struct request *request)
{
	request->flags &= ~REQ_MULTISHOT;
	if (request->op->issue(request, ISSUE_NONBLOCK | ISSUE_LOCKED) != ISSUE_DONE)
		return end_with(request, -EINVAL);
	return end(request);
}

/*
 * Can the kernel carry it out by itself? Not what polls for its completions, nor for somebody with
 * other credentials.
 */
static bool is_for_kernel(struct request *request)
{
	const struct op *op = request->op;
	struct iocb iocb;

	return op->describe && request->file && !needs_credentials(request) &&
	       !(request->ring->flags & ASYNCRING_SETUP_IOPOLL) && op->describe(request, &iocb) &&
	       asyncring__kernel_aio_ready(request->ring);
}

/*
 * Put @request on its way: to the poller, if that is wanted and possible, or to the kernel, or else
 * to a worker. True if it ended here instead.
 */
static bool punt(struct request *request, enum punt_to to)
{
	struct batch *batch = &request->ring->batch;
	int error = asyncring__request_stabilise(request);
	bool no_descriptor;

	if (error) {
		request->flags |= REQ_PREP_FAILED;
		return end_with(request, error);
	}
	error = keep_file(request, to == TO_POLLER && !(request->flags & REQ_POLL_FIRST));
	no_descriptor = error == -EMFILE || error == -ENFILE;
	if (error && !no_descriptor)
		return end_with(request, error);
	if (!error && to == TO_EITHER && is_tried_first(request)) {
		to = try_first(request);
		if (to == TO_NOBODY)
			return end(request);
	}
	if (!error && (to == TO_POLLER || (to == TO_EITHER && (waits_for_file(request) ||
							       waits_for_credentials(request))))) {
		error = asyncring__poller_arm(request);
		if (!error) {
			statistics_count(STATISTIC_POLLED);
			if (request->file->presumed)
				request->file->presumed = false;
			begin_to_wait(request);
			return false;
		}
		/* Perhaps not a socket after all. Nobody else has got it yet. */
		if (request->file->presumed)
			asyncring__file_look(request->file);
		if (request->op->properties & OP_SUBMITTER && error == -EPERM)
			return end_unarmed(request);
	}
	if (!error && to == TO_EITHER && is_for_kernel(request)) {
		begin_to_wait(request);
		asyncring__kernel_aio_queue(request);
		return false;
	}
	/* A worker sees what a file is ready for, not how often it became so. */
	if (request->flags & REQ_POLL_EDGE)
		request->flags &= ~(uint32_t)(REQ_POLL_EDGE | REQ_MULTISHOT);
	choose_workers(request);
	choose_lane(request);
	if (no_descriptor && run_on_the_spot(request))
		return true;
	if (!asyncring__pool_reserve(request, batch->waits)) {
		if (no_descriptor || !run_on_the_spot(request))
			return end_with(request, -EAGAIN);
		return true;
	}
	statistics_count(STATISTIC_PUNTED);
	begin_to_wait(request);
	/* Relaxed: the hand-over in the pool, under its lock, publishes it. */
	atomic_store_explicit(&request->references, 2, memory_order_relaxed);
	batch->punted[batch->punted_count++] = request;
	if (batch->punted_count == BATCH_PUNTED)
		asyncring__batch_hand_over(request->ring);
	return false;
}

/* The request has arranged for issue() to be called again. */
static void park(struct request *request)
{
	if (request->state == STATE_PARKED)
		return;
	statistics_count(STATISTIC_PARKED);
	request->state = STATE_PARKED;
	asyncring__pending_add(request);
	begin_to_wait(request);
}

void asyncring__request_unpark(struct request *request)
{
	request->op->unpark(request);
	asyncring__pending_remove(request);
	request->state = STATE_SUBMITTER;
}

/* One that was armed or parked has ended, or goes on in another way. */
static void leave_pending(struct request *request)
{
	if (request->state == STATE_ARMED)
		asyncring__poller_disarm(request);
	else if (request->state == STATE_PARKED)
		asyncring__request_unpark(request);
}

void asyncring__request_ready(struct request *request, uint32_t events)
{
	request->ready_events = events;
	if (needs_credentials(request)) {
		leave_pending(request);
		punt(request, TO_WORKER);
		return;
	}
	switch (request->op->issue(request, ISSUE_NONBLOCK | ISSUE_LOCKED)) {
	case ISSUE_DONE:
		leave_pending(request);
		end(request);
		break;
	case ISSUE_NEED_POLL:
		if (request->state != STATE_ARMED) {
			leave_pending(request);
			punt(request, TO_POLLER);
		}
		break;
	case ISSUE_NEED_WORKER:
		leave_pending(request);
		punt(request, TO_WORKER);
		break;
	case ISSUE_PARKED:
		if (request->state == STATE_ARMED)
			asyncring__poller_disarm(request);
		park(request);
		break;
	case ISSUE_PENDING:
		/* Only what was never armed or parked is handed over. */
		break;
	}
}

void asyncring__request_transferred(struct request *request, int64_t result)
{
	request->state = STATE_SUBMITTER;
	if (request->op->transferred(request, result) == ISSUE_DONE)
		end(request);
	else
		punt(request, TO_WORKER);
}

void asyncring__request_not_taken(struct request *request, int error)
{
	request->state = STATE_SUBMITTER;
	/* That may be said of its file for good; of all else a worker hears once more. */
	if (error == -EOPNOTSUPP)
		request->op->transferred(request, error);
	punt(request, TO_WORKER);
}

void asyncring__request_detach(struct request *request, unsigned flags)
{
	if (flags & ISSUE_NONBLOCK) {
		begin_to_wait(request);
		/* Relaxed: the engine's own lock publishes it. */
		atomic_store_explicit(&request->references, 2, memory_order_relaxed);
	} else
		asyncring__pool_let_go();
}

bool asyncring__issued(struct request *request, enum issue_result result)
{
	switch (result) {
	case ISSUE_DONE:
		statistics_count(STATISTIC_INLINE);
		break;
	case ISSUE_NEED_WORKER:
		return punt(request, TO_EITHER);
	case ISSUE_NEED_POLL:
		return punt(request, TO_POLLER);
	case ISSUE_PARKED:
		park(request);
		return false;
	case ISSUE_PENDING:
		asyncring__request_put_submitter(request);
		return false;
	}
	return end(request);
}

bool asyncring__issue_inline(struct request *request)
{
	const struct op *op = request->op;

	if (op->properties & OP_WORKER)
		return punt(request, TO_WORKER);
	if (needs_credentials(request))
		return punt(request, TO_EITHER);
	if (request->flags & ASYNCRING_SQE_ASYNC && !(op->properties & OP_SUBMITTER) &&
	    !asyncring__waiter_tries(request))
		return punt(request, TO_EITHER);
	if (op->properties & OP_FILE && request->flags & ASYNCRING_SQE_FIXED_FILE) {
		int error = use_fixed_file(request, true);

		if (error)
			return end_with(request, error);
	}
	return asyncring__issued(request, op->issue(request, ISSUE_NONBLOCK | ISSUE_LOCKED));
}

unsigned asyncring__issue_merged(struct request *const requests[], unsigned count)
{
	struct request *first = requests[0];
	unsigned finished;

	/* The others need theirs only if they are issued by themselves. */
	if (first->fixed_file && use_fixed_file(first, true))
		return 0;
	finished = first->op->issue_merged(requests, count, ISSUE_NONBLOCK | ISSUE_LOCKED);
	for (unsigned i = 0; i < finished; i++) {
		statistics_count(STATISTIC_INLINE);
		asyncring__request_done(requests[i]);
	}
	return finished;
}

/* Those taken back in the batch end now; where completions are deferred, so are theirs. */
static void complete_cancelled(struct ring *ring)
{
	struct list *node;

	while ((node = list_take_first(&ring->batch.cancelled))) {
		struct request *request =
			request_of_completion(container_of(node, struct completion, node));

		if (ring_defers(ring))
			request->flags |= REQ_DEFERRED;
		/* The operation may have something to post on the way. */
		if (request->flags & REQ_CLEANUP)
			asyncring__batch_post(ring);
		asyncring__request_done(request);
	}
}

void asyncring__batch_finish(struct ring *ring)
{
	struct batch *batch = &ring->batch;

	for (;;) {
		if (!batch_ended_none(batch) || !list_empty(&batch->released))
			asyncring__batch_complete(ring);
		else if (!list_empty(&batch->cancelled))
			complete_cancelled(ring);
		else if (asyncring__count_reached(&ring->count_wait))
			asyncring__count_release(ring);
		else if (asyncring__kernel_aio_waiting(ring))
			asyncring__kernel_aio_submit(ring);
		else if (batch->punted_count)
			asyncring__batch_hand_over(ring);
		/* Relaxed: written under submit_lock only. */
		else if (atomic_load_explicit(&ring->drain_active, memory_order_relaxed)) {
			asyncring__drain_resume(ring);
			if (batch_ended_none(batch) && list_empty(&batch->released) &&
			    !batch->punted_count && !asyncring__kernel_aio_waiting(ring))
				break;
		} else
			break;
	}
	if (batch->announce)
		asyncring__cq_announce(ring);
	batch->announce = false;
	drop_pins(ring);
	batch_forget(batch);
}

/*
 * A member of a chain starts on a worker: its registered file is looked up now, an ordinary
 * descriptor is pinned now.
 */
static int take_file(struct request *request)
{
	int error = 0;

	if (!(request->op->properties & OP_FILE) || request->file ||
	    request->flags & REQ_FILE_PLAIN)
		return 0;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE) {
		ring_lock(request->ring);
		error = use_fixed_file(request, false);
		ring_unlock(request->ring);
		return error;
	}
	request->file = asyncring__file_pin(request->fd, request->flags & REQ_POSITION, &error);
	/* Without a pin the descriptor itself has to do, as for a plain system call. */
	return error == -EMFILE || error == -ENFILE ? 0 : error;
}

/* False: it is another engine's now. */
static bool carry_out(struct request *request)
{
	const struct op *op = request->op;
	bool wait = request->flags & REQ_WAIT_FIRST;

	for (;;) {
		enum issue_result result;
		int error = wait ? asyncring__pool_wait_ready(request) : 0;

		if (error) {
			request_set_result(request, error);
			return true;
		}
		result = op->issue(request, 0);
		if (result == ISSUE_PENDING)
			return false;
		wait = result == ISSUE_NEED_POLL;
		if (wait)
			continue;
		if (request->completion.res != -EINTR || op->properties & OP_NO_RESTART ||
		    asyncring__pool_interrupted())
			return true;
		request->completion.res = 0;
		request->flags &= ~REQ_FAILED;
	}
}

bool asyncring__run_prepare(struct request *request)
{
	int error;

	/* Relaxed: whoever closes the ring also cancels, under the locks of the pool. */
	if (atomic_load_explicit(&request->ring->closing, memory_order_relaxed))
		error = -ECANCELED;
	else
		error = take_file(request);
	if (error)
		request_set_result(request, error);
	else
		choose_workers(request);
	return !error;
}

bool asyncring__run_blocking(struct request *request)
{
	struct disguise *disguise;
	bool over;
	int error;

	if (!request->credentials)
		return carry_out(request);
	error = asyncring__credentials_assume(request->credentials, &disguise);
	if (error) {
		request_set_result(request, error);
		return true;
	}
	over = carry_out(request);
	asyncring__credentials_drop(disguise);
	return over;
}
