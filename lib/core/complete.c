/* SPDX-License-Identifier: MIT */
/*
 * Completion, the one place where requests end: when the last reference is put, the request's
 * resources are let go, its CQE is posted, and the next member of its chain is started.
 *
 * It comes in two settings. With the submitter's batch (submit_lock held) finished requests are
 * collected, posted together, and what they release is issued inline. On a worker (no lock held)
 * one request is posted at a time and the worker carries on with the next member itself; those that
 * one call has carried out are posted together.
 *
 * In both, everything that is to be known of the request is read before it is posted: a posted
 * request may be in the backlog and belongs to whoever flushes that.
 */
#include "../engine/pool.h"
#include "core.h"
#include "credentials.h"

/*
 * What is found out and left over while requests are completed. Tagged resources: their tags tell
 * that the last user is gone, so they are put after the users' CQEs. If there are more than fit,
 * the rest goes before.
 */
enum { LATE_MAX = 16 };

struct late {
	struct buffer *buffers[LATE_MAX];
	struct file *files[LATE_MAX];
	unsigned buffer_count, file_count;
	bool silent; /* some of the requests are to end without a CQE: REQ_SKIP_CQE */
};

static void late_init(struct late *late)
{
	late->buffer_count = late->file_count = 0;
	late->silent = false;
}

static void put_late(struct late *late)
{
	while (late->buffer_count)
		asyncring__buffer_put(late->buffers[--late->buffer_count]);
	while (late->file_count)
		asyncring__file_put(late->files[--late->file_count]);
}

static void release_buffer(struct request *request, struct late *late)
{
	struct buffer *buffer = request->buffer;

	request->buffer = NULL;
	if (asyncring__buffer_tagged(buffer) && late->buffer_count < LATE_MAX)
		late->buffers[late->buffer_count++] = buffer;
	else
		asyncring__buffer_put(buffer);
}

static void release_file(struct request *request, struct late *late)
{
	struct file *file = request->file;

	request->file = NULL;
	if (request->flags & REQ_FILE_BORROWED)
		return;
	if (file->tag && late->file_count < LATE_MAX)
		late->files[late->file_count++] = file;
	else
		asyncring__file_put(file);
}

/* Descriptor, buffer and copies go before the CQE can be seen (rule 2). */
static void release(struct request *request, struct late *late)
{
	if (request->flags & REQ_CLEANUP)
		request->op->cleanup(request);
	if (request->async_data) {
		asyncring__free(request->async_data);
		request->async_data = NULL;
	}
	if (request->credentials) {
		asyncring__credentials_put(request->credentials);
		request->credentials = NULL;
	}
	if (request->buffer)
		release_buffer(request, late);
	if (request->file)
		release_file(request, late);
}

static void skip_cqe(struct request *request, struct late *late)
{
	request->flags |= REQ_SKIP_CQE;
	late->silent = true;
}

/*
 * The link timeout behind a request that has ended is not needed any more: it is cancelled, which
 * breaks nothing. What stands behind it in the chain.
 */
static struct request *drop_link_timeout(struct request *timeout, struct list *list,
					 struct late *late, unsigned *inactive)
{
	struct request *next = timeout->link;

	if (timeout->state == STATE_PARKED)
		asyncring__request_unpark(timeout);
	timeout->link = NULL;
	release(timeout, late);
	*inactive += (timeout->flags & REQ_ACTIVE) != 0;
	timeout->completion.res = -ECANCELED;
	if (timeout->flags & ASYNCRING_SQE_CQE_SKIP_SUCCESS)
		skip_cqe(timeout, late);
	list_append(list, &timeout->completion.node);
	return next;
}

static bool bounds_time(const struct request *request)
{
	return request && request->op && request->op->properties & OP_LINK_TIMEOUT &&
	       !(request->flags & REQ_PREP_FAILED);
}

/*
 * Release @request and all members of its chain that fail with it, and put their completions on
 * @list. The member that may start now is returned, or NULL. *inactive counts those that were in
 * ring->active.
 */
static struct request *unravel(struct request *request, struct list *list, struct late *late,
			       unsigned *inactive)
{
	struct request *next = NULL;

	for (struct request *member = request; member; member = next) {
		bool failed = member->flags & REQ_FAILED;
		bool skip = member->flags & ASYNCRING_SQE_CQE_SKIP_SUCCESS;

		next = member->link;
		member->link = NULL;
		if (member->async_data || member->buffer || member->file || member->credentials ||
		    member->flags & REQ_CLEANUP)
			release(member, late);
		if (member->flags & REQ_ACTIVE)
			++*inactive;
		if (member != request) {
			/* Whether the cancelled members are silent, the failed one has decided. */
			if (!(member->flags & REQ_PREP_FAILED))
				member->completion.res = -ECANCELED;
			skip = request->flags & REQ_SKIP_LINKS;
		} else if (failed && skip) {
			request->flags |= REQ_SKIP_LINKS;
			skip = false;
		}
		if (skip)
			skip_cqe(member, late);
		list_append(list, &member->completion.node);
		if (bounds_time(next))
			next = drop_link_timeout(next, list, late, inactive);
		if (member == request && (!failed || request->flags & ASYNCRING_SQE_IO_HARDLINK))
			break;
	}
	return next;
}

/* Take those off @list that are to end without a CQE, and give them back. */
static void recycle_silent(struct list *list, bool locked)
{
	struct list *node, *following;

	list_for_each_safe (node, following, list) {
		struct request *request =
			request_of_completion(container_of(node, struct completion, node));

		if (!(request->flags & REQ_SKIP_CQE))
			continue;
		list_remove(node);
		if (locked)
			asyncring__request_free_locked(request);
		else
			asyncring__request_free(request);
	}
}

static void recycle_posted(struct list *list, bool locked)
{
	struct list *node, *following;

	for (node = list->next; node != list; node = following) {
		struct request *request =
			request_of_completion(container_of(node, struct completion, node));

		following = node->next;
		if (locked)
			asyncring__request_free_locked(request);
		else
			asyncring__request_free(request);
	}
}

/*
 * The batch of a worker, whose completions are not the submitter's own. submit_lock held: a ring
 * that is not closing now stays until it is released.
 */
static void finish_on_worker(struct ring *ring)
{
	ring->batch.on_worker = true;
	asyncring__batch_finish(ring);
	ring->batch.on_worker = false;
	if (!atomic_load_explicit(&ring->closing, memory_order_seq_cst))
		asyncring__drive_wanted_locked(ring);
}

/* The requests are gone: the very last touch of the ring on their behalf. */
static void deactivate(struct ring *ring, unsigned count)
{
	/* While the ring cannot go away: those that the posted completions were counted for. */
	if (asyncring__count_reached(&ring->count_wait)) {
		ring_lock(ring);
		finish_on_worker(ring);
		ring_unlock(ring);
	}
	/* Sequentially consistent: see drain.c. Also the release that a closing thread acquires. */
	atomic_fetch_sub_explicit(&ring->active, count, memory_order_seq_cst);
	/* Ring structures are never unmapped, so looking on is safe even if it is closed now. */
	if (atomic_load_explicit(&ring->drain_active, memory_order_seq_cst)) {
		ring_lock(ring);
		finish_on_worker(ring);
		ring_unlock(ring);
	}
	if (atomic_load_explicit(&ring->closing, memory_order_seq_cst)) {
		atomic_fetch_add_explicit(&ring->active_sequence, 1, memory_order_seq_cst);
		sys_futex_wake(&ring->active_sequence, 1);
	}
}

void asyncring__request_done(struct request *request)
{
	list_append(&request->ring->batch.done, &request->completion.node);
}

void asyncring__request_abandon(struct request *request, int res)
{
	request_set_result(request, res);
	/* What is behind it fails with it, even across a hard link: the chain is taken back whole.
	 */
	request->flags &= ~ASYNCRING_SQE_IO_HARDLINK;
	asyncring__request_done(request);
}

void asyncring__batch_post(struct ring *ring)
{
	struct list posted, deferred, *node;
	struct late late;
	unsigned inactive = 0;

	late_init(&late);
	list_init(&posted);
	list_init(&deferred);
	while ((node = list_take_first(&ring->batch.done))) {
		struct request *request =
			request_of_completion(container_of(node, struct completion, node));
		bool defer = request->flags & REQ_DEFERRED || ring->batch.on_worker;
		struct request *next =
			unravel(request, defer ? &deferred : &posted, &late, &inactive);

		if (next) {
			/* What follows one that the owner has not seen must not be seen first. */
			if (defer && ring_defers(ring))
				next->flags |= REQ_DEFERRED;
			list_append(&ring->batch.released, &next->node);
		}
	}
	if (late.silent) {
		recycle_silent(&posted, true);
		recycle_silent(&deferred, true);
	}
	if (!list_empty(&posted)) {
		asyncring__cq_post_batch(ring, &posted);
		recycle_posted(&posted, true);
	} else if (ring->batch.result_count)
		asyncring__cq_post_results(ring);
	if (!list_empty(&deferred)) {
		asyncring__cq_post(ring, &deferred, true);
		recycle_posted(&deferred, true);
	}
	put_late(&late);
	if (inactive)
		/* No need to look for a drain: the batch does, before it is finished. */
		atomic_fetch_sub_explicit(&ring->active, inactive, memory_order_seq_cst);
}

void asyncring__batch_complete(struct ring *ring)
{
	struct list released, *node;

	if (!batch_ended_none(&ring->batch))
		asyncring__batch_post(ring);
	/* What these release in turn has its turn later: chains are no recursion. */
	list_init(&released);
	list_move_all(&released, &ring->batch.released);
	while ((node = list_take_first(&released)))
		asyncring__issue_inline(container_of(node, struct request, node));
}

void asyncring__request_put_submitter(struct request *request)
{
	/* Pairs with the same decrement in asyncring__request_put_worker. */
	if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) != 1)
		return;
	/* The submitter is only the last to let go: the request was carried out elsewhere. */
	request->flags |= REQ_DEFERRED;
	asyncring__request_done(request);
}

/* A worker does in the submitter's place what needs submit_lock. */
static void complete_as_submitter(struct request *request)
{
	struct ring *ring = request->ring;

	/* Stands for the request until the ring is not touched any more. */
	atomic_fetch_add_explicit(&ring->active, 1, memory_order_seq_cst);
	ring_lock(ring);
	asyncring__request_done(request);
	finish_on_worker(ring);
	ring_unlock(ring);
	deactivate(ring, 1);
}

static void issue_as_submitter(struct request *request)
{
	struct ring *ring = request->ring;

	ring_lock(ring);
	/* It may post something on the way. */
	ring->batch.on_worker = true;
	asyncring__issue_inline(request);
	finish_on_worker(ring);
	ring_unlock(ring);
}

void asyncring__issue_for_worker(struct request *request)
{
	struct ring *ring = request->ring;

	/* Stands for the request until the ring is not touched any more. */
	atomic_fetch_add_explicit(&ring->active, 1, memory_order_seq_cst);
	issue_as_submitter(request);
	deactivate(ring, 1);
}

/*
 * Can a worker carry on with the next member of a chain itself? Not with what never blocks in a
 * call but waits for readiness: that goes to the poller, and the worker on to other things.
 */
static bool worker_may_run(const struct request *next)
{
	const struct op *op = next->op;

	if (next->flags & REQ_TIMED || op->properties & (OP_SUBMITTER | OP_LINK_TIMEOUT))
		return false;
	return !next->poll_events || op->properties & (OP_POLL_IN | OP_POLL_OUT);
}

/* Nobody's batch, no lock held. */
static void post_on_worker(struct ring *ring, struct list *posted, struct late *late)
{
	if (late->silent)
		recycle_silent(posted, false);
	if (!list_empty(posted)) {
		asyncring__cq_post(ring, posted, true);
		recycle_posted(posted, false);
	}
	put_late(late);
}

struct request *asyncring__request_put_worker(struct request *request)
{
	struct ring *ring = request->ring;
	struct request *next;
	struct late late;
	unsigned inactive = 0;
	struct list posted;

	/* Pairs with the same decrement in asyncring__request_put_submitter. */
	if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) != 1)
		return NULL;
	late_init(&late);
	if (request->flags & REQ_TIMED) {
		complete_as_submitter(request);
		return NULL;
	}
	list_init(&posted);
	next = unravel(request, &posted, &late, &inactive);
	post_on_worker(ring, &posted, &late);
	if (next && !worker_may_run(next)) {
		issue_as_submitter(next);
		next = NULL;
	}
	if (next)
		atomic_store_explicit(&next->references, 1, memory_order_relaxed);
	deactivate(ring, inactive);
	return next;
}

void asyncring__requests_put_worker(struct request *const requests[], unsigned count)
{
	struct ring *ring = requests[0]->ring;
	struct late late;
	unsigned inactive = 0;
	struct list posted;

	late_init(&late);
	list_init(&posted);
	for (unsigned i = 0; i < count; i++) {
		/* As in asyncring__request_put_worker. */
		if (atomic_fetch_sub_explicit(&requests[i]->references, 1, memory_order_acq_rel) ==
		    1)
			unravel(requests[i], &posted, &late, &inactive);
	}
	post_on_worker(ring, &posted, &late);
	if (inactive)
		deactivate(ring, inactive);
}
