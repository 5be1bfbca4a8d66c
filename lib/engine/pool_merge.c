/* SPDX-License-Identifier: MIT */
/*
 * Merging: what stands in a lane one behind the other and continues where the one before ends is
 * carried out by one system call.
 *
 * The call is a head start and nothing else. Requests that it carried out wholly end with what it
 * gave them; the first that it did not is carried out by itself, from where the call has left it,
 * and finds out why; those behind it go back to the front of the lane, as if they had never been
 * taken out. So each ends with the result, and the errno, that calls of their own would have given,
 * whatever stops the call: a full disk, a limit, a bad buffer, a signal. Which requests go together
 * is the operation's to say (merge() and issue_merged() in ops.h); here it is only seen to that
 * nobody can tell from when they complete: none is in a chain, and all are of one ring.
 *
 * Those that travel with the worker's current request are its company. They count as running, for
 * cancellers too (pool_cancel.c): whoever means one of them interrupts the call. Then it is carried
 * out by itself, or is back in the lane, where it can be taken as before.
 *
 * pool.lock guards the way from the lane into the company and back, so that cancellers find every
 * request in one of them; worker.lock guards the company.
 */
#include "pool_state.h"
#include "../core/statistics.h"

enum { MERGE_MAX = 64 };

/*
 * Each submission has a pin of its own, so what is asked is whether the pins are of one inode;
 * opened differently they would not merge (hint.c). What a registered file was opened for may have
 * changed since it was looked at, therefore it goes with itself only.
 */
static bool same_file(const struct request *first, const struct request *request)
{
	const struct file *one = first->file, *other = request->file;

	if (one == other)
		return true;
	return one->inode == other->inode && one->device == other->device && other->hint.merges &&
	       !first->fixed_file && !request->fixed_file;
}

static bool goes_with(const struct request *first, const struct request *request)
{
	return request->ring == first->ring && same_file(first, request) &&
	       request->op->merge == first->op->merge && request_may_merge(request);
}

/*
 * @requests: the worker's current one and, from the front of its lane, those that continue it.
 * Their number.
 */
static unsigned gather(struct worker *worker, struct request *requests[])
{
	struct request *first = requests[0];
	struct merge merge = {0};
	unsigned count = 1;
	struct list *waiting;

	if (!request_may_merge(first) || !first->op->merge(&merge, first))
		return 1;
	pthread_mutex_lock(&pool.lock);
	waiting = asyncring__pool_waiting_in_lane(first->serial_key);
	lock_acquire(&worker->lock);
	while (count < MERGE_MAX && !list_empty(waiting)) {
		struct request *next = container_of(waiting->next, struct request, node);

		if (!goes_with(first, next) || !first->op->merge(&merge, next))
			break;
		list_remove(&next->node);
		next->state = STATE_RUNNING;
		list_append(&worker->company, &next->node);
		requests[count++] = next;
	}
	lock_release(&worker->lock);
	pthread_mutex_unlock(&pool.lock);
	return count;
}

/*
 * The call is made, and the first @finished have ended. The next one is current, those behind it
 * are in the lane again.
 */
static void part(struct worker *worker, struct request *const requests[], unsigned count,
		 unsigned finished)
{
	struct list *waiting;

	pthread_mutex_lock(&pool.lock);
	waiting = asyncring__pool_waiting_in_lane(requests[0]->serial_key);
	lock_acquire(&worker->lock);
	for (unsigned i = count; i-- > 1;) {
		list_remove(&requests[i]->node);
		if (i <= finished)
			continue;
		requests[i]->state = STATE_QUEUED;
		list_append(waiting->next, &requests[i]->node);
	}
	worker->current = finished < count ? requests[finished] : NULL;
	/* The call was interrupted, perhaps for the company's sake; the first stays so. */
	if (finished || !worker->interrupted) {
		asyncring__interrupt_stop(&worker->timer);
		worker->interrupted = false;
	}
	lock_release(&worker->lock);
	pthread_mutex_unlock(&pool.lock);
}

struct request *asyncring__pool_carry_out_merged(struct worker *worker, struct request *request)
{
	struct request *requests[MERGE_MAX] = {request};
	unsigned count = gather(worker, requests), finished;

	if (count == 1)
		return request;
	finished = request->op->issue_merged(requests, count, 0);
	for (unsigned i = 0; worker->guest && i < finished; i++)
		statistics_count(STATISTIC_WAITERS);
	part(worker, requests, count, finished);
	if (finished)
		asyncring__requests_put_worker(requests, finished);
	return finished < count ? requests[finished] : NULL;
}
