/* SPDX-License-Identifier: MIT */
/*
 * The worker pool: which request is carried out by which thread, and when threads come and go.
 *
 * Queues. Each ring has one queue for each kind; those that are not empty stand in pool.pending,
 * from which workers take one request at a time from one ring after the other, so that a ring with
 * a thousand requests does not hold up another with one.
 *
 * Lanes. Requests with REQ_SERIAL (buffered writes of one inode) run one after another, in the
 * order they came. The first holds the lane and is queued like any other; those after it wait in
 * the lane until it ends and are then carried out by the same worker.
 *
 *   request.state   QUEUED  --worker takes it------> RUNNING <--> WAITING (for readiness)
 *                     |                                              |
 *                     '--canceller unlinks it--> SUBMITTER           '--canceller--> TAKEN
 *
 * QUEUED and the queues and lanes: pool.lock. From RUNNING on: worker.lock of the worker whose
 * `current` it is. Only the thread that makes a transition decides the result: a request is
 * cancelled only if it was really taken back (rule 4). One in a system call is interrupted, and
 * whatever the call then answers is its result.
 *
 * Threads. A request finds an idle worker, or starts one while the limit of its kind allows; idle
 * workers leave after IDLE_SECONDS, or all together when the last ring is closed. They block all
 * signals but the one that interrupts them (hazard H6).
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "pool_state.h"

enum { IDLE_SECONDS = 2, STACK_BYTES = 128 * 1024 };

struct pool_state pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.pending = {{&pool.pending[0], &pool.pending[0]}, {&pool.pending[1], &pool.pending[1]}},
	.idle = {{&pool.idle[0], &pool.idle[0]}, {&pool.idle[1], &pool.idle[1]}},
	.workers = {&pool.workers, &pool.workers},
	.left = {&pool.left, &pool.left},
};

__thread struct worker *asyncring__pool_self;

static struct lane *lane_of(uint32_t key)
{
	return &pool.lanes[(key ^ key >> 6 ^ key >> 12) % LANES];
}

/* ---- queues; pool.lock held ---- */

void asyncring__pool_enqueue(struct request *request)
{
	enum pool_kind kind = kind_of(request);
	struct ring_queue *queue = &request->ring->queues[kind];

	if (list_empty(&queue->requests))
		list_append(&pool.pending[kind], &queue->node);
	list_append(&queue->requests, &request->node);
	pool.queued[kind]++;
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

/* The next request of @kind; its ring goes to the end of the line. */
static struct request *take(enum pool_kind kind)
{
	struct list *node = pool.pending[kind].next;
	struct ring_queue *queue;
	struct request *request;

	if (node == &pool.pending[kind])
		return NULL;
	queue = container_of(node, struct ring_queue, node);
	request = container_of(queue->requests.next, struct request, node);
	asyncring__pool_unqueue(request);
	if (!list_empty(&queue->requests)) {
		list_remove(&queue->node);
		list_append(&pool.pending[kind], &queue->node);
	}
	return request;
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

/* The next request in the lane of @key, which takes the lane over, or NULL: the lane is free. */
struct request *asyncring__pool_leave_lane(uint32_t key)
{
	struct lane *lane = lane_of(key);
	struct list *node = list_take_first(&lane->waiting);

	if (node)
		return container_of(node, struct request, node);
	lane->held = false;
	return NULL;
}

/* ---- worker threads ---- */

static _Atomic uint32_t *call_in_one(enum pool_kind kind);

/* What @worker carries out from now on; NULL: nothing. */
static void set_current(struct worker *worker, struct request *request)
{
	lock_acquire(&worker->lock);
	if (worker->interrupted) {
		asyncring__interrupt_stop(&worker->timer);
		worker->interrupted = false;
	}
	worker->current = request;
	if (request)
		request->state = request->flags & (REQ_WAIT_FIRST | REQ_SLEEP_FIRST)
					 ? STATE_WAITING
					 : STATE_RUNNING;
	lock_release(&worker->lock);
}

/* Carry out what follows in a chain; not serialised with other requests of the same inode. */
static void carry_out_chain(struct worker *worker, struct request *request)
{
	while (request) {
		/* Before it is current: cancellers look at the file of what is. */
		bool go_on = asyncring__run_prepare(request);

		/* What may wait for ever must not keep a bounded worker from its files. */
		if (go_on && kind_of(request) != worker->kind && asyncring__pool_reserve(request)) {
			asyncring__pool_queue(&request, 1);
			return;
		}
		set_current(worker, request);
		if (go_on)
			go_on = asyncring__run_blocking(request);
		else
			go_on = true;
		set_current(worker, NULL);
		request = go_on ? asyncring__request_put_worker(request) : NULL;
	}
}

/*
 * The holder of the lane @key is done. The next one in it is the caller's to carry out, and current
 * already; if the caller is @busy with other things it is queued instead. Under pool.lock, so that
 * cancellers find it in the lane, in the queue or with a worker.
 */
static struct request *take_over_lane(struct worker *worker, uint32_t key, bool busy)
{
	_Atomic uint32_t *wake = NULL;
	struct request *following;

	pthread_mutex_lock(&pool.lock);
	following = asyncring__pool_leave_lane(key);
	if (following && busy) {
		asyncring__pool_enqueue(following);
		wake = call_in_one(kind_of(following));
		following = NULL;
	}
	if (following)
		set_current(worker, following);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		sys_futex_wake(wake, 1);
	return following;
}

/* @request is the worker's current one. */
static void carry_out(struct worker *worker, struct request *request)
{
	while (request) {
		bool serial = request->flags & REQ_SERIAL;
		uint32_t key = request->serial_key;
		struct request *next;
		bool over = true;

		if (asyncring__run_prepare(request))
			over = asyncring__run_blocking(request);
		set_current(worker, NULL);
		next = over ? asyncring__request_put_worker(request) : NULL;
		request = serial ? take_over_lane(worker, key, next != NULL) : NULL;
		carry_out_chain(worker, next);
	}
}

/* The last worker of a kind stays while a request on its way to the queue counts on it. */
static bool may_leave(enum pool_kind kind)
{
	return !pool.queued[kind] && (!pool.reserved[kind] || pool.count[kind] > 1);
}

/* pool.lock held; released while asleep. False: leave. */
static bool sleep_until_signalled(struct worker *worker)
{
	const struct timespec idle_time = {.tv_sec = IDLE_SECONDS};
	int error = 0;

	if (pool.retiring && may_leave(worker->kind))
		return false;
	list_append(&pool.idle[worker->kind], &worker->idle_node);
	pthread_mutex_unlock(&pool.lock);
	while (!atomic_load_explicit(&worker->signalled, memory_order_acquire) &&
	       error != -ETIMEDOUT)
		error = sys_futex_wait(&worker->signalled, 0, &idle_time);
	pthread_mutex_lock(&pool.lock);
	if (!atomic_exchange_explicit(&worker->signalled, 0, memory_order_acquire)) {
		/* Nobody took it off the list: it was idle all the time. */
		list_remove(&worker->idle_node);
		return !may_leave(worker->kind);
	}
	return true;
}

/* ---- threads coming and going; pool.lock held ---- */

static void *worker_main(void *argument);

static int create_thread(struct worker *worker)
{
	sigset_t blocked, saved;
	pthread_attr_t attributes;
	int error, saved_errno = errno;

	asyncring__interrupt_mask(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&worker->thread, &attributes, worker_main, worker);
	/* A program with much thread-local storage needs more stack than that. */
	if (error == EINVAL)
		error = pthread_create(&worker->thread, NULL, worker_main, worker);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	/* What pthread_create tries may leave its mark there. */
	errno = saved_errno;
	return error;
}

static bool start_worker(enum pool_kind kind)
{
	struct worker *worker;

	if (pool.count[kind] >= asyncring__pool_limit(kind))
		return false;
	worker = asyncring__alloc_zeroed(1, sizeof(*worker));
	if (!worker)
		return false;
	worker->kind = kind;
	worker->timer.id = -1;
	list_init(&worker->idle_node);
	/* The thread waits for pool.lock before it does anything. */
	if (create_thread(worker)) {
		asyncring__free(worker);
		return false;
	}
	list_append(&pool.workers, &worker->node);
	pool.count[kind]++;
	return true;
}

/* The worker that went to sleep last, taken off the list and told to get up, or NULL. */
static struct worker *rouse(enum pool_kind kind)
{
	struct list *node = pool.idle[kind].prev;
	struct worker *worker;

	if (node == &pool.idle[kind])
		return NULL;
	list_remove(node);
	worker = container_of(node, struct worker, idle_node);
	/* Release, pairs with the acquire in sleep_until_signalled. */
	atomic_store_explicit(&worker->signalled, 1, memory_order_release);
	return worker;
}

/*
 * Get one more thread to work if anything is queued; the futex to wake without the lock, or NULL.
 * A roused worker may have found the queue empty and be gone, its memory freed, before that wake-up
 * is made: nothing is read there, and a futex that has come to lie there wakes for nothing, which
 * every sleep in this library (and elsewhere) has to allow for.
 */
static _Atomic uint32_t *call_in_one(enum pool_kind kind)
{
	struct worker *worker;

	if (!pool.queued[kind])
		return NULL;
	worker = rouse(kind);
	if (worker)
		return &worker->signalled;
	start_worker(kind);
	return NULL;
}

/* Join those that have left before; the caller puts itself on the list or is no worker. */
static void join_all(struct list *workers)
{
	struct list *node;
	int state;

	/* The application's threads join too, and are not to be cancelled here (hazard H6). */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while ((node = list_take_first(workers))) {
		struct worker *worker = container_of(node, struct worker, node);

		pthread_join(worker->thread, NULL);
		asyncring__free(worker);
	}
	pthread_setcancelstate(state, NULL);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct list left;
	char name[16];

	snprintf(name, sizeof(name), "iou-wrk-%d", (int)sys(SYS_getpid));
	sys(SYS_prctl, PR_SET_NAME, name);
	asyncring__pool_self = worker;
	lock_acquire(&worker->lock);
	worker->tid = (int)sys(SYS_gettid);
	lock_release(&worker->lock);
	list_init(&left);
	pthread_mutex_lock(&pool.lock);
	if (pool.affinity)
		asyncring__pool_apply_affinity(0);
	for (;;) {
		struct request *request = take(worker->kind);

		if (request) {
			_Atomic uint32_t *wake = call_in_one(worker->kind);

			set_current(worker, request);
			pthread_mutex_unlock(&pool.lock);
			if (wake)
				sys_futex_wake(wake, 1);
			carry_out(worker, request);
			pthread_mutex_lock(&pool.lock);
		} else if (!sleep_until_signalled(worker))
			break;
	}
	/* Gone for the pool; its memory and thread are the next one's to clear away. */
	list_remove(&worker->node);
	pool.count[worker->kind]--;
	list_move_all(&left, &pool.left);
	list_append(&pool.left, &worker->node);
	atomic_fetch_add_explicit(&pool.gone, 1, memory_order_relaxed);
	pthread_mutex_unlock(&pool.lock);
	sys_futex_wake(&pool.gone, INT_MAX);
	join_all(&left);
	return NULL;
}

/* ---- handing requests over ---- */

bool asyncring__pool_reserve(const struct request *request)
{
	enum pool_kind kind = kind_of(request);
	bool have;

	pthread_mutex_lock(&pool.lock);
	have = pool.count[kind] || start_worker(kind);
	if (have)
		pool.reserved[kind]++;
	pthread_mutex_unlock(&pool.lock);
	return have;
}

void asyncring__pool_queue(struct request *const requests[], unsigned count)
{
	enum { WAKE_MAX = 4 };
	_Atomic uint32_t *wake[WAKE_MAX];
	unsigned wakes = 0;

	pthread_mutex_lock(&pool.lock);
	asyncring__pool_prepare_lanes();
	for (unsigned i = 0; i < count; i++) {
		struct request *request = requests[i];
		enum pool_kind kind = kind_of(request);

		pool.reserved[kind]--;
		request->state = STATE_QUEUED;
		if (request->flags & REQ_SERIAL && !enter_lane(request))
			continue;
		asyncring__pool_enqueue(request);
		/* The rest are called in by those who have got up (call_in_one in worker_main). */
		if (wakes < WAKE_MAX) {
			wake[wakes] = call_in_one(kind);
			if (wake[wakes])
				wakes++;
		}
	}
	pthread_mutex_unlock(&pool.lock);
	for (unsigned i = 0; i < wakes; i++)
		sys_futex_wake(wake[i], 1);
}

/* ---- for the request being carried out ---- */

void asyncring__pool_let_go(void)
{
	set_current(asyncring__pool_self, NULL);
}

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

/* ---- the end ---- */

void asyncring__pool_retire(void)
{
	struct list left;

	list_init(&left);
	pthread_mutex_lock(&pool.lock);
	pool.retiring++;
	for (;;) {
		uint32_t gone = atomic_load_explicit(&pool.gone, memory_order_relaxed);
		struct worker *worker;

		for (int kind = 0; kind < 2; kind++)
			while ((worker = rouse(kind)))
				sys_futex_wake(&worker->signalled, 1);
		list_move_all(&left, &pool.left);
		if (!pool.count[POOL_BOUNDED] && !pool.count[POOL_UNBOUNDED])
			break;
		/* A ring made in the meantime keeps its workers. */
		if (asyncring__rings_live())
			break;
		pthread_mutex_unlock(&pool.lock);
		sys_futex_wait(&pool.gone, gone, NULL);
		pthread_mutex_lock(&pool.lock);
	}
	pool.retiring--;
	pthread_mutex_unlock(&pool.lock);
	join_all(&left);
}
