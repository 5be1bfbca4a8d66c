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

static void cancel_queued(struct cancellation *cancellation, enum pool_kind kind)
{
	struct list *requests = &cancellation->match->ring->queues[kind].requests;
	struct list *node, *following;

	list_for_each_safe (node, following, requests) {
		struct request *request = container_of(node, struct request, node);
		struct request *next = NULL;

		if (finished(cancellation))
			return;
		if (!asyncring__cancel_matches(cancellation->match, request))
			continue;
		asyncring__pool_unqueue(request);
		if (request->flags & REQ_SERIAL)
			next = asyncring__pool_leave_lane(request->serial_key);
		if (next)
			asyncring__pool_enqueue(next);
		take_back(cancellation, request);
	}
}

static void cancel_in_lane(struct cancellation *cancellation, struct lane *lane)
{
	struct list *node, *following;

	list_for_each_safe (node, following, &lane->waiting) {
		struct request *request = container_of(node, struct request, node);

		if (finished(cancellation))
			return;
		if (request->ring != cancellation->match->ring ||
		    !asyncring__cancel_matches(cancellation->match, request))
			continue;
		list_remove(node);
		take_back(cancellation, request);
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
	if (request && request->ring == cancellation->match->ring &&
	    request->state != STATE_TAKEN &&
	    asyncring__cancel_matches(cancellation->match, request)) {
		if (request->state == STATE_WAITING) {
			request->state = STATE_TAKEN;
			count_taken(cancellation, request);
		} else
			cancellation->result.running++;
		worker->interrupted = true;
		asyncring__interrupt_start(&worker->timer, worker->tid);
	}
	lock_release(&worker->lock);
}

struct pool_cancelled asyncring__pool_cancel(const struct cancel_match *match, bool all,
					     struct list *unstarted)
{
	struct cancellation cancellation = {match, all, unstarted, {0, 0, 0}};
	struct list *node;

	pthread_mutex_lock(&pool.lock);
	asyncring__pool_prepare_lanes();
	/* Lanes first: taking back a lane's holder would move the next one into the queue. */
	for (int i = 0; i < LANES && !finished(&cancellation); i++)
		cancel_in_lane(&cancellation, &pool.lanes[i]);
	for (int kind = 0; kind < 2; kind++)
		cancel_queued(&cancellation, kind);
	list_for_each (node, &pool.workers) {
		if (finished(&cancellation))
			break;
		cancel_running(&cancellation, container_of(node, struct worker, node));
	}
	pthread_mutex_unlock(&pool.lock);
	return cancellation.result;
}
