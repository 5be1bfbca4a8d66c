/* SPDX-License-Identifier: MIT */
/*
 * Taking requests back from the pool, wherever they are: out of a queue or a lane, from a worker
 * that waits for readiness; one in a system call is interrupted. pool.c draws the states.
 */
#include "pool_state.h"

struct cancellation {
	const struct cancel_match *match;
	bool all;
	struct list *unstarted;
	struct pool_cancelled result;
};

static bool finished(const struct cancellation *cancellation)
{
	return !cancellation->all && cancellation->result.taken + cancellation->result.running > 0;
}

static void count_taken(struct cancellation *cancellation, const struct request *request)
{
	cancellation->result.taken++;
	if (request->op->properties & OP_CANCEL_COUNTED)
		cancellation->result.counted++;
}

static void take_back(struct cancellation *cancellation, struct request *request)
{
	request->state = STATE_SUBMITTER;
	list_append(cancellation->unstarted, &request->node);
	count_taken(cancellation, request);
}

static bool is_meant(const struct cancellation *cancellation, const struct request *request)
{
	return request->ring == cancellation->match->ring &&
	       asyncring__cancel_matches(cancellation->match, request);
}

static void take_from_queue(struct cancellation *cancellation, struct request *request)
{
	struct request *next = NULL;

	asyncring__pool_unqueue(request);
	if (request->flags & REQ_SERIAL)
		next = asyncring__pool_leave_lane(request->serial_key);
	if (next)
		asyncring__pool_enqueue(next);
	take_back(cancellation, request);
}

static void take_from_lane(struct cancellation *cancellation, struct request *request)
{
	list_remove(&request->node);
	take_back(cancellation, request);
}

/* Lanes first: taking back a lane's holder moves the next one into the queue. */
static void take_all_unstarted(struct cancellation *cancellation)
{
	struct list *node, *following;

	for (int i = 0; i < LANES; i++) {
		list_for_each_safe (node, following, &pool.lanes[i].waiting) {
			struct request *request = container_of(node, struct request, node);

			if (is_meant(cancellation, request))
				take_from_lane(cancellation, request);
		}
	}
	for (int kind = 0; kind < 2; kind++) {
		list_for_each_safe (node, following,
				    &cancellation->match->ring->queues[kind].requests) {
			struct request *request = container_of(node, struct request, node);

			if (is_meant(cancellation, request))
				take_from_queue(cancellation, request);
		}
	}
}

/* The one on @requests that is meant and was handed over before @oldest, if there is any. */
static struct request *find_older(const struct cancellation *cancellation,
				  const struct list *requests, struct request *oldest)
{
	struct list *node;

	list_for_each (node, requests) {
		struct request *request = container_of(node, struct request, node);

		if ((!oldest || (int32_t)(request->pool_order - oldest->pool_order) < 0) &&
		    is_meant(cancellation, request))
			oldest = request;
	}
	return oldest;
}

/* As the kernel: of the bounded ones, lanes included, the oldest; else of the unbounded ones. */
static void take_oldest_unstarted(struct cancellation *cancellation)
{
	struct ring_queue *queues = cancellation->match->ring->queues;
	struct request *queued, *oldest;

	queued = find_older(cancellation, &queues[POOL_BOUNDED].requests, NULL);
	oldest = queued;
	for (int i = 0; i < LANES; i++)
		oldest = find_older(cancellation, &pool.lanes[i].waiting, oldest);
	if (!oldest)
		queued = oldest = find_older(cancellation, &queues[POOL_UNBOUNDED].requests, NULL);
	if (!oldest)
		return;
	if (oldest == queued)
		take_from_queue(cancellation, oldest);
	else
		take_from_lane(cancellation, oldest);
}

/* Those that travel with the current request are in its system call. */
static void cancel_company(struct cancellation *cancellation, struct worker *worker)
{
	struct list *node;

	list_for_each (node, &worker->company) {
		if (finished(cancellation))
			return;
		if (!is_meant(cancellation, container_of(node, struct request, node)))
			continue;
		cancellation->result.running++;
		asyncring__interrupt_start(&worker->timer, worker->tid);
	}
}

static void cancel_running(struct cancellation *cancellation, struct worker *worker)
{
	struct request *request;

	/* A cancelling request that runs on a worker does not mean itself. */
	if (worker == asyncring__pool_self)
		return;
	lock_acquire(&worker->lock);
	request = worker->current;
	if (request && request->state != STATE_TAKEN && is_meant(cancellation, request)) {
		if (request->state == STATE_WAITING) {
			request->state = STATE_TAKEN;
			count_taken(cancellation, request);
		} else
			cancellation->result.running++;
		worker->interrupted = true;
		asyncring__interrupt_start(&worker->timer, worker->tid);
	}
	cancel_company(cancellation, worker);
	lock_release(&worker->lock);
}

static void cancel_running_of(struct cancellation *cancellation, const struct list *workers)
{
	struct list *node;

	list_for_each (node, workers) {
		if (finished(cancellation))
			return;
		cancel_running(cancellation, container_of(node, struct worker, node));
	}
}

struct pool_cancelled asyncring__pool_cancel(const struct cancel_match *match, bool all,
					     struct list *unstarted)
{
	struct cancellation cancellation = {match, all, unstarted, {0, 0, 0}};

	pthread_mutex_lock(&pool.lock);
	asyncring__pool_prepare_lanes();
	if (all)
		take_all_unstarted(&cancellation);
	else
		take_oldest_unstarted(&cancellation);
	cancel_running_of(&cancellation, &pool.workers);
	cancel_running_of(&cancellation, &pool.guests);
	pthread_mutex_unlock(&pool.lock);
	return cancellation.result;
}
