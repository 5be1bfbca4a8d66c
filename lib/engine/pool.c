/* SPDX-License-Identifier: MIT */
/*
 * The worker pool: which request is carried out when, and what a request may ask of the worker that
 * carries it out.
 *
 * Queues. Each ring has one queue for each kind; those that are not empty stand in pool.pending,
 * from which workers take one request at a time from one ring after the other, so that a ring with
 * a thousand requests does not hold up another with one.
 *
 * Lanes. Requests with REQ_SERIAL (buffered writes of one inode) run one after another, in the
 * order they came. The first holds the lane and is queued like any other; those after it wait in
 * the lane until it ends and are then carried out by the same worker; together with it, if they
 * continue what it does (pool_merge.c).
 *
 *   request.state   QUEUED  --worker takes it------> RUNNING <--> WAITING (for readiness)
 *                     |                                              |
 *                     '--canceller unlinks it--> SUBMITTER           '--canceller--> TAKEN
 *
 * QUEUED and the queues and lanes: pool.lock. From RUNNING on: worker.lock of the worker whose
 * `current` it is, or that of its company. Only the thread that makes a transition decides the
 * result: a request is cancelled only if it was really taken back (rule 4). One in a system call is
 * interrupted, and whatever the call then answers is its result.
 *
 * The threads are in pool_worker.c, how many of them run at once in pool_growth.c.
 */
#include "pool_state.h"

struct pool_state pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.pending = {{&pool.pending[0], &pool.pending[0]}, {&pool.pending[1], &pool.pending[1]}},
	.idle = {{&pool.idle[0], &pool.idle[0]}, {&pool.idle[1], &pool.idle[1]}},
	.workers = {&pool.workers, &pool.workers},
	.guests = {&pool.guests, &pool.guests},
	.left = {&pool.left, &pool.left},
};

static struct lane *lane_of(uint32_t key)
{
	return &pool.lanes[(key ^ key >> 6 ^ key >> 12) % LANES];
}

/* ---- queues; pool.lock held ---- */

static void enqueue(struct request *request, bool in_front)
{
	enum pool_kind kind = kind_of(request);
	struct ring_queue *queue = &request->ring->queues[kind];

	if (list_empty(&queue->requests))
		list_append(&pool.pending[kind], &queue->node);
	/* What is appended to a list's first stands before that: the list is a circle. */
	list_append(in_front ? queue->requests.next : &queue->requests, &request->node);
	pool.queued[kind]++;
}

void asyncring__pool_enqueue(struct request *request)
{
	enqueue(request, false);
}

void asyncring__pool_put_back(struct request *request)
{
	enqueue(request, true);
}

void asyncring__pool_unqueue(struct request *request)
{
	enum pool_kind kind = kind_of(request);
	struct ring_queue *queue = &request->ring->queues[kind];

	list_remove(&request->node);
	pool.queued[kind]--;
	if (list_empty(&queue->requests))
		list_remove(&queue->node);
}

struct request *asyncring__pool_take(enum pool_kind kind)
{
	struct list *node = pool.pending[kind].next;
	struct ring_queue *queue;
	struct request *request;

	if (node == &pool.pending[kind])
		return NULL;
	pool.taken[kind]++;
	queue = container_of(node, struct ring_queue, node);
	request = container_of(queue->requests.next, struct request, node);
	asyncring__pool_unqueue(request);
	if (!list_empty(&queue->requests)) {
		list_remove(&queue->node);
		list_append(&pool.pending[kind], &queue->node);
	}
	return request;
}

struct list *asyncring__pool_waiting_in_lane(uint32_t key)
{
	return &lane_of(key)->waiting;
}

void asyncring__pool_prepare_lanes(void)
{
	if (pool.lanes_ready)
		return;
	for (int i = 0; i < LANES; i++)
		list_init(&pool.lanes[i].waiting);
	pool.lanes_ready = true;
}

/* False if the request now waits in its lane. */
static bool enter_lane(struct request *request)
{
	struct lane *lane = lane_of(request->serial_key);

	if (lane->held) {
		list_append(&lane->waiting, &request->node);
		return false;
	}
	lane->held = true;
	return true;
}

struct request *asyncring__pool_leave_lane(uint32_t key)
{
	struct lane *lane = lane_of(key);
	struct list *node = list_take_first(&lane->waiting);

	if (node)
		return container_of(node, struct request, node);
	lane->held = false;
	return NULL;
}

/* ---- handing requests over ---- */

bool asyncring__pool_reserve(struct request *request, bool waits)
{
	enum pool_kind kind = kind_of(request);
	bool have;

	if (waits && asyncring__guest_suits(request))
		return true;
	pthread_mutex_lock(&pool.lock);
	have = pool.count[kind] || asyncring__pool_start_worker(kind);
	if (have) {
		pool.reserved[kind]++;
		request->flags |= REQ_RESERVED;
	}
	pthread_mutex_unlock(&pool.lock);
	return have;
}

bool asyncring__pool_queue(struct request *const requests[], unsigned count, bool hold)
{
	enum { WAKE_MAX = 4 };
	_Atomic uint32_t *wake[WAKE_MAX];
	unsigned wakes = 0;
	bool held = false;

	pthread_mutex_lock(&pool.lock);
	asyncring__pool_prepare_lanes();
	for (unsigned i = 0; i < count; i++) {
		struct request *request = requests[i];
		enum pool_kind kind = kind_of(request);

		if (request->flags & REQ_RESERVED) {
			request->flags &= ~(uint32_t)REQ_RESERVED;
			pool.reserved[kind]--;
		}
		request->state = STATE_QUEUED;
		request->pool_order = pool.order++;
		if (request->flags & REQ_SERIAL && !enter_lane(request))
			continue;
		asyncring__pool_enqueue(request);
		if (hold && !held && asyncring__guest_suits(request)) {
			held = true;
			continue;
		}
		/* The rest are called in by those who have got up (pool_worker.c). */
		if (wakes < WAKE_MAX) {
			wake[wakes] = asyncring__pool_call_in_one(kind);
			if (wake[wakes])
				wakes++;
		}
	}
	pthread_mutex_unlock(&pool.lock);
	for (unsigned i = 0; i < wakes; i++)
		sys_futex_wake(wake[i], 1);
	return held;
}

/* ---- for the request being carried out ---- */

bool asyncring__pool_interrupted(void)
{
	bool interrupted;

	if (!asyncring__pool_self)
		return false;
	lock_acquire(&asyncring__pool_self->lock);
	interrupted = asyncring__pool_self->interrupted;
	lock_release(&asyncring__pool_self->lock);
	return interrupted;
}

/* The request enters the state in which it may be taken; false if it is to stop already. */
static bool begin_waiting(struct request *request)
{
	bool stop;

	lock_acquire(&asyncring__pool_self->lock);
	stop = asyncring__pool_self->interrupted;
	if (!stop)
		request->state = STATE_WAITING;
	lock_release(&asyncring__pool_self->lock);
	return !stop;
}

/* False if it was taken. */
static bool end_waiting(struct request *request)
{
	bool taken;

	lock_acquire(&asyncring__pool_self->lock);
	taken = request->state == STATE_TAKEN;
	request->state = STATE_RUNNING;
	lock_release(&asyncring__pool_self->lock);
	return !taken;
}

long asyncring__pool_wait(struct request *request, long (*sleep)(struct request *request))
{
	for (;;) {
		long result;

		if (!begin_waiting(request))
			return -ECANCELED;
		result = sleep(request);
		if (!end_waiting(request))
			return -ECANCELED;
		if (result != -EINTR)
			return result;
	}
}

static long sleep_in_poll(struct request *request)
{
	struct pollfd poll = {.fd = request_fd(request), .events = (short)request->poll_events};

	return sys_ppoll(&poll, 1, NULL, NULL);
}

int asyncring__pool_wait_ready(struct request *request)
{
	long ready = asyncring__pool_wait(request, sleep_in_poll);

	if (ready != -ECANCELED)
		request->flags |= REQ_READY;
	return ready < 0 ? (int)ready : 0;
}
