/* SPDX-License-Identifier: MIT */
/*
 * Brief requests: what the application wants carried out by another thread (SQE_ASYNC) although it
 * may be no more than a copy out of the page cache, or nothing at all. A thread that is woken for
 * one completion, submits one request more and sleeps again costs ten times as much as that. So the
 * worker that takes such a request takes those along that stand behind it in the ring's queue, and
 * completes all of them together: the CQ's lock is taken once, and who waits is woken once.
 *
 * A thread that waits does the same before it sleeps, as a guest (pool_guest.c), with what is
 * queued of its ring; and one whose submission goes on to a wait tries its brief requests right
 * there, for as long as a row may take. What would have to wait is left to workers, for which the
 * application has asked, and is not tried again.
 *
 * How long. Nobody's completion is held back for longer than BRIEF_NS and the attempt that is going
 * on then, which is made in the way that does not wait for a device. The first one that would have
 * to wait ends the row: those before it complete, those behind it, as when the time is over, go
 * back to the front of the queue, and the worker carries that one out by itself, as it would have
 * without all this.
 *
 * When. While nothing sleeps: as soon as more workers may run than there are processors, requests
 * have been found to sleep lately (pool_growth.c), and an attempt would be one call more for
 * nothing.
 *
 * Who else. A row is short: so no other worker is called in for brief requests that fit into the
 * next rows of those who are at one, or on their way. One who finds that it has to wait, and one
 * who takes from the queue, calls in another if something is left (tests/models/call_in.pml). But
 * an attempt may take any time: the memory that is read into may have to be fetched, from a device
 * or by a program (userfaultfd). So what counts on those who are at a row is watched meanwhile
 * (pool_worker.c), and one who has seen nothing taken for LOOK_NS takes from the queue itself. Only
 * those that travel in such a row wait for it.
 *
 * Those that travel with the worker's current request are its company, and count as running, as in
 * pool_merge.c. pool.lock guards the way out of the queue and back, worker.lock the company.
 */
#include "../clock.h"
#include "pool_state.h"
#include "../core/statistics.h"

enum { BRIEF_NS = 25 * 1000 };

static bool is_brief(const struct request *request)
{
	/* The last one: it has been tried. */
	const uint32_t against = REQ_SERIAL | REQ_UNBOUNDED | REQ_TIMED | REQ_WAIT_FIRST |
				 REQ_SLEEP_FIRST | ASYNCRING_SQE_BUFFER_SELECT | REQ_DEFERRED;

	return request->flags & ASYNCRING_SQE_ASYNC && !(request->flags & against) &&
	       !request->link && !request->credentials && !request->ioprio && request->op->brief &&
	       request->op->brief(request);
}

bool asyncring__waiter_tries(struct request *request)
{
	struct batch *batch = &request->ring->batch;

	if (!batch->waits || !asyncring__waiters_work() || !is_brief(request))
		return false;
	if (!batch->brief_until)
		batch->brief_until = clock_now() + BRIEF_NS;
	else if (clock_now() >= batch->brief_until)
		return false;
	/* To all who can tell it completes as if somebody else had carried it out. */
	request->flags |= REQ_DEFERRED;
	return true;
}

/* ---- on a worker ---- */

bool asyncring__pool_takes_brief(const struct request *request)
{
	return !pool.extra && is_brief(request);
}

bool asyncring__pool_brief_suffice(enum pool_kind kind, unsigned rows)
{
	const struct list *line = &pool.pending[kind];
	const struct ring_queue *queue;

	if (kind == POOL_UNBOUNDED || !pool.queued[kind] || pool.queued[kind] > rows * BRIEF_MAX)
		return false;
	queue = container_of(line->next, const struct ring_queue, node);
	return asyncring__pool_takes_brief(
		container_of(queue->requests.next, const struct request, node));
}

unsigned asyncring__pool_gather_brief(struct worker *worker, struct request *requests[])
{
	struct request *first = requests[0];
	struct list *queue = &first->ring->queues[POOL_BOUNDED].requests;
	unsigned count = 1;

	if (worker->kind != POOL_BOUNDED || !asyncring__pool_takes_brief(first))
		return 0;
	lock_acquire(&worker->lock);
	while (count < BRIEF_MAX && !list_empty(queue)) {
		struct request *next = container_of(queue->next, struct request, node);

		if (!is_brief(next))
			break;
		asyncring__pool_unqueue(next);
		next->state = STATE_RUNNING;
		list_append(&worker->company, &next->node);
		requests[count++] = next;
	}
	lock_release(&worker->lock);
	if (!worker->guest) {
		pool.taken[POOL_BOUNDED] += count - 1;
		pool.brief++;
	}
	return count;
}

/*
 * The first @finished have ended. Those after them go back, but for the next one, which is current
 * now; of a guest it goes back, too.
 */
static void part(struct worker *worker, struct request *const requests[], unsigned count,
		 unsigned finished)
{
	unsigned kept = worker->guest ? finished : finished + 1;
	bool returns = finished < count;
	_Atomic uint32_t *wake = NULL;

	/* One who has carried out all of them looks into the queue next, and is counted until then.
	 */
	if (returns)
		pthread_mutex_lock(&pool.lock);
	lock_acquire(&worker->lock);
	for (unsigned i = count; i-- > 0;) {
		if (i)
			list_remove(&requests[i]->node);
		if (i < kept)
			continue;
		requests[i]->state = STATE_QUEUED;
		asyncring__pool_put_back(requests[i]);
	}
	worker->current = finished < count && finished < kept ? requests[finished] : NULL;
	/* A canceller meant one of them, perhaps; the first, if it is still current, stays so. */
	if (finished || !worker->interrupted || !worker->current) {
		asyncring__interrupt_stop(&worker->timer);
		worker->interrupted = false;
	}
	lock_release(&worker->lock);
	if (!returns)
		return;
	if (!worker->guest)
		pool.brief--;
	wake = asyncring__pool_call_in_one(POOL_BOUNDED);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		sys_futex_wake(wake, 1);
}

struct request *asyncring__pool_carry_out_brief(struct worker *worker,
						struct request *const requests[], unsigned count)
{
	int64_t end = clock_now() + BRIEF_NS;
	unsigned finished = 0;

	do {
		struct request *request = requests[finished];

		if (asyncring__run_prepare(request) &&
		    request->op->issue(request, ISSUE_NONBLOCK) != ISSUE_DONE) {
			/* It has been tried. */
			request->flags |= REQ_DEFERRED;
			break;
		}
		finished++;
	} while (finished < count && clock_now() < end);
	part(worker, requests, count, finished);
	for (unsigned i = 0; worker->guest && i < finished; i++)
		statistics_count(STATISTIC_WAITERS);
	if (finished)
		asyncring__requests_put_worker(requests, finished);
	return worker->guest || finished == count ? NULL : requests[finished];
}
