/* SPDX-License-Identifier: MIT */
/*
 * The worker threads of the pool: what one does, and when they come and go.
 *
 * A request finds an idle worker, or starts one, while the limit of its kind allows and
 * pool_growth.c finds that one more may run. Idle workers leave after idle_time, at once if the
 * limit has been lowered below their number, and all together when the last ring is closed. They
 * block all signals but the one that interrupts them (hazard H6).
 *
 * While bounded work is queued and no more may run, or need to because others will be back from
 * their rows at once (pool_brief.c), one worker is pool.watcher: it has been told to, has made
 * itself one for want of another, or sleeps for LOOK_NS at a time. So of a queue that
 * is not empty it always holds that somebody who is awake will take from it or watches those who
 * are not; unless there are no more threads to be had than those that run already.
 */
#include <stdio.h>
#include <sys/prctl.h>

#include "pool_state.h"
#include "../core/statistics.h"

enum { STACK_BYTES = 128 * 1024 };

static const struct timespec idle_time = {.tv_sec = 2};
static const struct timespec look_time = {.tv_nsec = LOOK_NS};

__thread struct worker *asyncring__pool_self;

/* ---- carrying out ---- */

void asyncring__pool_set_current(struct worker *worker, struct request *request)
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

void asyncring__pool_let_go(void)
{
	asyncring__pool_set_current(asyncring__pool_self, NULL);
}

/* Carry @request, current, out unless it ended before; what may start now, or NULL. */
static struct request *finish(struct worker *worker, struct request *request, bool ended)
{
	bool over = ended || asyncring__run_blocking(request);

	if (worker->guest)
		statistics_count(STATISTIC_WAITERS);

	asyncring__pool_set_current(worker, NULL);
	return over ? asyncring__request_put_worker(request) : NULL;
}

/* Has @request, with its file, to wait for readiness? */
static bool has_to_wait(const struct request *request)
{
	struct pollfd poll = {.events = (short)request->poll_events};
	const struct timespec at_once = {0};

	if (!(request->flags & REQ_WAIT_FIRST))
		return false;
	poll.fd = request->file->fd;
	return !sys_ppoll(&poll, 1, &at_once, NULL);
}

/*
 * Is @request, the next in a chain, the worker's to carry out? What may wait for ever must not keep
 * a bounded worker from its files. The other way round there is nothing to be gained by a change of
 * threads.
 */
static bool is_for(const struct worker *worker, const struct request *request)
{
	if (worker->guest)
		return asyncring__guest_goes_on(worker, request);
	return kind_of(request) == POOL_BOUNDED || worker->kind == POOL_UNBOUNDED;
}

/* With no other thread to be had; as in issue.c a thread of the application does not do it all. */
static bool carries_out_anything(const struct worker *worker, struct request *request)
{
	if (!worker->guest || (kind_of(request) == POOL_BOUNDED && !request->credentials))
		return true;
	request_set_result(request, -EAGAIN);
	return false;
}

/* Carry out what follows in a chain; not serialised with other requests of the same inode. */
static void carry_out_chain(struct worker *worker, struct request *request)
{
	while (request) {
		/* Before it is current: cancellers look at the file of what is. */
		bool go_on = asyncring__run_prepare(request);

		if (go_on && has_to_wait(request)) {
			asyncring__issue_for_worker(request);
			return;
		}
		if (go_on && !is_for(worker, request)) {
			if (asyncring__pool_reserve(request, false)) {
				asyncring__pool_queue(&request, 1, false);
				return;
			}
			go_on = carries_out_anything(worker, request);
		}
		asyncring__pool_set_current(worker, request);
		request = finish(worker, request, !go_on);
	}
}

/*
 * The holder of the lane @key is done. The next one in it is the caller's to carry out, and current
 * already; if the caller is @busy with other things, or a guest that has had enough, it is queued
 * instead. Under pool.lock, so that
 * cancellers find it in the lane, in the queue or with a worker.
 */
static struct request *take_over_lane(struct worker *worker, uint32_t key, bool busy)
{
	_Atomic uint32_t *wake = NULL;
	struct request *following;

	pthread_mutex_lock(&pool.lock);
	following = asyncring__pool_leave_lane(key);
	if (following && (busy || !asyncring__guest_goes_on(worker, following))) {
		asyncring__pool_enqueue(following);
		wake = asyncring__pool_call_in_one(kind_of(following));
		following = NULL;
	}
	if (following)
		asyncring__pool_set_current(worker, following);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		sys_futex_wake(wake, 1);
	return following;
}

void asyncring__pool_carry_out(struct worker *worker, struct request *request)
{
	while (request) {
		bool serial = request->flags & REQ_SERIAL;
		uint32_t key = request->serial_key;
		bool go_on = asyncring__run_prepare(request);
		struct request *next = NULL;

		if (serial && go_on)
			request = asyncring__pool_carry_out_merged(worker, request);
		if (request)
			next = finish(worker, request, !go_on);
		request = serial ? take_over_lane(worker, key, next != NULL) : NULL;
		carry_out_chain(worker, next);
	}
}

/* ---- sleeping ---- */

/* The last worker of a kind stays while a request on its way to the queue counts on it. */
static bool may_leave(enum pool_kind kind)
{
	return !pool.queued[kind] && (!pool.reserved[kind] || pool.count[kind] > 1);
}

/* Threads of @kind there may be: a watcher comes on top of a limit that nobody has asked for. */
static unsigned most(enum pool_kind kind, bool watcher)
{
	return asyncring__pool_room(kind) +
	       (watcher && kind == POOL_BOUNDED && !pool.bounded_limit_set);
}

/* @worker, just started or told to get up, has the lock. */
static void get_up(struct worker *worker)
{
	if (worker->coming) {
		worker->coming = false;
		pool.coming[worker->kind]--;
	}
	/* Who watches those that are at a row does not join them while they take from the queue. */
	worker->only_watches =
		pool.watcher == worker &&
		asyncring__pool_brief_suffice(worker->kind, pool.coming[worker->kind] + pool.brief);
	if (pool.watcher == worker)
		pool.watcher = NULL;
	asyncring__pool_set_running(worker, true);
}

/* Until it is told to get up, or the time is over. True if it was told. */
static bool sleep_for(struct worker *worker, const struct timespec *timeout)
{
	int error = 0;

	pthread_mutex_unlock(&pool.lock);
	while (!atomic_load_explicit(&worker->signalled, memory_order_acquire) &&
	       error != -ETIMEDOUT)
		error = sys_futex_wait(&worker->signalled, 0, timeout);
	if (error == -ETIMEDOUT && timeout == &idle_time)
		asyncring__files_sweep();
	pthread_mutex_lock(&pool.lock);
	if (atomic_exchange_explicit(&worker->signalled, 0, memory_order_acquire))
		return true;
	/* Nobody took it off the list: it was idle all the time. */
	list_remove(&worker->idle_node);
	return false;
}

/* pool.lock held; released while asleep. False: leave. */
static bool sleep_until_signalled(struct worker *worker)
{
	enum pool_kind kind = worker->kind;
	/* Then it may not run, or is not to, or it would have taken something. */
	bool watch = pool.queued[kind] && !pool.watcher, told;

	if (pool.retiring && may_leave(kind))
		return false;
	asyncring__pool_set_running(worker, false);
	if (watch)
		asyncring__pool_begin_watch(worker);
	/* The last one is roused first, the watcher, in front, when there is no other. */
	list_append(watch ? pool.idle[kind].next : &pool.idle[kind], &worker->idle_node);
	told = sleep_for(worker, watch ? &look_time : &idle_time);
	if (!told && watch) {
		/* While others take from the queue it may go on watching. */
		bool moves = pool.taken_before_watch != pool.taken[POOL_BOUNDED];

		asyncring__pool_look();
		if (!moves)
			pool.watcher = NULL;
	}
	get_up(worker);
	return told || watch || !may_leave(kind);
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
	if (!error)
		statistics_count(STATISTIC_THREADS);
	return error;
}

/* @worker, idle or just made, is going to take from its queue, or to watch. */
static void give_task(struct worker *worker, bool watch)
{
	if (watch) {
		asyncring__pool_begin_watch(worker);
		return;
	}
	asyncring__pool_set_running(worker, true);
	worker->coming = true;
	pool.coming[worker->kind]++;
}

static bool start_worker(enum pool_kind kind, bool watch)
{
	struct worker *worker;

	if (pool.count[kind] >= most(kind, watch))
		return false;
	worker = asyncring__alloc_zeroed(1, sizeof(*worker));
	if (!worker)
		return false;
	worker->kind = kind;
	worker->timer.id = -1;
	list_init(&worker->idle_node);
	list_init(&worker->company);
	/* The thread waits for pool.lock before it does anything. */
	if (create_thread(worker)) {
		asyncring__free(worker);
		return false;
	}
	pool.count[kind]++;
	if (!pool.processors)
		asyncring__pool_count_processors(0);
	list_append(&pool.workers, &worker->node);
	give_task(worker, watch);
	return true;
}

bool asyncring__pool_start_worker(enum pool_kind kind)
{
	return start_worker(kind, false);
}

/* The worker that went to sleep last, taken off the list and told to get up, or NULL. */
static struct worker *rouse(enum pool_kind kind, bool watch)
{
	struct list *node = pool.idle[kind].prev;
	struct worker *worker;

	if (node == &pool.idle[kind])
		return NULL;
	list_remove(node);
	worker = container_of(node, struct worker, idle_node);
	if (pool.watcher == worker)
		pool.watcher = NULL;
	give_task(worker, watch);
	/* Release, pairs with the acquire in sleep_for. */
	atomic_store_explicit(&worker->signalled, 1, memory_order_release);
	return worker;
}

/*
 * A roused worker may have found the queue empty and be gone, its memory freed, before the wake-up
 * is made: nothing is read there, and a futex that has come to lie there wakes for nothing, which
 * every sleep in this library (and elsewhere) has to allow for.
 */
_Atomic uint32_t *asyncring__pool_call_in_one(enum pool_kind kind)
{
	struct worker *worker;
	bool watch;

	/* Those on their way take one each, or a row. */
	if (pool.queued[kind] <= pool.coming[kind] ||
	    asyncring__pool_brief_suffice(kind, pool.coming[kind]))
		return NULL;
	/* Who is at a row will be back at once; but what is read into may be slow memory. */
	watch = !asyncring__pool_may_run(kind) ||
		asyncring__pool_brief_suffice(kind, pool.coming[kind] + pool.brief);
	if (watch && pool.watcher)
		return NULL;
	worker = rouse(kind, watch);
	if (worker)
		return &worker->signalled;
	start_worker(kind, watch);
	return NULL;
}

void asyncring__pool_rouse_all(void)
{
	for (int kind = 0; kind < 2; kind++) {
		/* Not for as long as there are any: some go back to sleep. */
		for (unsigned count = pool.count[kind]; count; count--) {
			struct worker *worker = rouse(kind, false);

			if (!worker)
				break;
			pthread_mutex_unlock(&pool.lock);
			sys_futex_wake(&worker->signalled, 1);
			pthread_mutex_lock(&pool.lock);
		}
	}
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

/* pool.lock held; released while the request is carried out. */
static void work(struct worker *worker, struct request *request)
{
	struct request *requests[BRIEF_MAX] = {request};
	bool votes = asyncring__pool_will_vote(worker), slept = false, back_from_row = false;
	unsigned brief = asyncring__pool_gather_brief(worker, requests);
	_Atomic uint32_t *wake = asyncring__pool_call_in_one(worker->kind);

	asyncring__pool_set_current(worker, request);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		sys_futex_wake(wake, 1);
	if (votes)
		asyncring__pool_before_request(worker);
	if (brief)
		request = asyncring__pool_carry_out_brief(worker, requests, brief);
	if (request)
		asyncring__pool_carry_out(worker, request);
	else
		back_from_row = true;
	if (votes)
		slept = asyncring__pool_slept_in_request(worker);
	pthread_mutex_lock(&pool.lock);
	pool.brief -= back_from_row;
	asyncring__pool_is_back(worker);
	if (votes)
		asyncring__pool_vote(worker, slept);
}

static void introduce(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof(name), "iou-wrk-%d", (int)sys(SYS_getpid));
	sys(SYS_prctl, PR_SET_NAME, name);
	asyncring__pool_self = worker;
	lock_acquire(&worker->lock);
	worker->tid = (int)sys(SYS_gettid);
	lock_release(&worker->lock);
}

/*
 * Gone for the pool, whose lock is held and let go of; the memory and the thread are the next one's
 * to clear away.
 */
static void leave(struct worker *worker)
{
	_Atomic uint32_t *wake;
	struct list left;

	list_init(&left);
	asyncring__pool_set_running(worker, false);
	list_remove(&worker->node);
	pool.count[worker->kind]--;
	list_move_all(&left, &pool.left);
	list_append(&pool.left, &worker->node);
	/* It may have been called in. */
	wake = asyncring__pool_call_in_one(worker->kind);
	atomic_fetch_add_explicit(&pool.gone, 1, memory_order_relaxed);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		sys_futex_wake(wake, 1);
	sys_futex_wake(&pool.gone, INT_MAX);
	join_all(&left);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	introduce(worker);
	pthread_mutex_lock(&pool.lock);
	if (pool.affinity) {
		asyncring__pool_apply_affinity(0);
		asyncring__pool_count_processors(0);
	}
	get_up(worker);
	while (pool.count[worker->kind] <= most(worker->kind, true)) {
		struct request *request = NULL;

		if (!worker->only_watches && !asyncring__pool_too_many_run(worker->kind))
			request = asyncring__pool_take(worker->kind);
		if (request)
			work(worker, request);
		else if (!sleep_until_signalled(worker))
			break;
	}
	leave(worker);
	return NULL;
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

		asyncring__pool_rouse_all();
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
