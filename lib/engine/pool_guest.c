/* SPDX-License-Identifier: MIT */
/*
 * The waiting thread works: one that would sleep for completions carries out what is queued of its
 * ring first, as a worker for that time, a guest in the pool. So a lone cold read, or a row of
 * writes that have to follow each other anyway, costs no change of threads, of which each takes as
 * long as an access to the device.
 *
 * What. Transfers of up to 1 MiB and syncs, on regular files of local file systems: what is over
 * within about one access to the device, and cannot hang. Not what a path leads to, which nobody
 * knows beforehand; not what somebody else's credentials are for; not what the application asked to
 * be carried out by another thread (SQE_ASYNC), unless it may be brief (pool_brief.c); and nothing
 * while RLIMIT_FSIZE is set.
 *
 * When. If the other active requests of the ring cannot be what the thread waits for, because they
 * are too few: one read of one, or of two if both are waited for. Of a lane, all that stand behind
 * its holder are the guest's own; but when enough of them are done it leaves, and what is left of
 * the lane is the workers'. So a waiter is never late by more than the one call it is in, and
 * requests that a device could serve at once have threads of their own.
 *
 * Who is told. A submission by a thread that is about to wait holds back the first such request:
 * it is queued, but no worker is called in for it. The thread then decides, under pool.lock:
 * either it takes the request out, or workers are called in. It decides before it sleeps, and on
 * every way out of enter() that does not come to sleeping (asyncring__pool_announce). Until then
 * what is held back is in the queue as anything else: a worker that is awake, or on its way for
 * other things, may take it, and a canceller finds it.
 *
 * No threads. For what is held back no worker is started. If it turns out that one is needed and
 * none is to be had, the thread carries it out itself, whatever else speaks against it (H2).
 *
 * Signals. As in any worker, all are blocked but the one that interrupts it. When one has come that
 * the sleep would let in, nothing more is begun: the waiter sleeps, with the mask it had, which
 * ends at once. So a signal is never late by more than one call either, however long the row is.
 */
#include <string.h>

#include "pool_state.h"
#include "../core/statistics.h"

#ifdef ASYNCRING_TESTING
_Atomic bool asyncring__waiters_only_wait;
#endif

/* More than so many need not be counted. */
enum { COUNT_MAX = 256 };

bool asyncring__guest_suits(const struct request *request)
{
	const struct file *file = request->file;

	if (!asyncring__waiters_work())
		return false;
	if (request->flags &
	    (ASYNCRING_SQE_ASYNC | REQ_TIMED | REQ_UNBOUNDED | REQ_WAIT_FIRST | REQ_SLEEP_FIRST))
		return false;
	if (!file || !file->regular || !file->hint.local || request->credentials || request->ioprio)
		return false;
	return request->op->ends_soon && request->op->ends_soon(request);
}

/* CQEs that are missing, at most 0 if there are enough. */
static int32_t missing(const struct guest *guest)
{
	const struct ring *ring = guest->ring;
	/* Relaxed: what it has posted itself it sees, and others wake nobody who is awake. */
	uint32_t tail = atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed);

	if (atomic_load_explicit(&ring->backlogged, memory_order_relaxed) ||
	    atomic_load_explicit(&ring->closing, memory_order_relaxed))
		return 0;
	tail += atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed);
	return (int32_t)(guest->tail - tail);
}

/* Has a signal come that ends the sleep? */
static bool signal_waits(const struct guest *guest)
{
	uint64_t pending = 0, blocked;

	/* To the thread's own mask it would have been delivered. */
	if (!guest->sleeps_with && !guest->masked)
		return false;
	memcpy(&blocked, guest->sleeps_with ? guest->sleeps_with : &guest->mask, sizeof(blocked));
	sys(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending & ~blocked;
}

bool asyncring__guest_goes_on(const struct worker *worker, const struct request *request)
{
	const struct guest *guest = worker->guest;

	return !guest || (request->ring == guest->ring && missing(guest) > 0 &&
			  asyncring__guest_suits(request) && !signal_waits(guest));
}

/* ---- choosing; pool.lock held ---- */

static int64_t length_of_chain(const struct request *request)
{
	int64_t length = 0;

	for (; request; request = request->link)
		length++;
	return length;
}

/* Requests that end, or may begin, only if @request, queued, is carried out; @most will do. */
static int64_t depend_on(const struct request *request, int64_t most)
{
	int64_t count = length_of_chain(request);
	struct list *waiting, *node;

	if (!(request->flags & REQ_SERIAL))
		return count;
	waiting = asyncring__pool_waiting_in_lane(request->serial_key);
	list_for_each (node, waiting) {
		const struct request *next = container_of(node, struct request, node);

		if (count >= most || next->ring != request->ring || !asyncring__guest_suits(next))
			break;
		count += length_of_chain(next);
	}
	return count;
}

static bool file_size_unlimited(void)
{
	struct rlimit limit;

	return !sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) &&
	       limit.rlim_cur == RLIM_INFINITY;
}

/* What the guest carries out, or NULL. */
static struct request *choose(const struct guest *guest)
{
	struct list *queue = &guest->ring->queues[POOL_BOUNDED].requests;
	int64_t wanted = missing(guest), spare;
	struct request *request;

	if (list_empty(queue) || wanted <= 0)
		return NULL;
	request = container_of(queue->next, struct request, node);
	if (asyncring__pool_takes_brief(request) && asyncring__waiters_work())
		return signal_waits(guest) ? NULL : request;
	/* Relaxed: one that has just been completed may still be counted, and is one too many. */
	spare = atomic_load_explicit(&guest->ring->active, memory_order_relaxed) - wanted;
	if (spare >= COUNT_MAX || !asyncring__guest_suits(request) ||
	    depend_on(request, spare + 1) <= spare)
		return NULL;
	return !signal_waits(guest) && file_size_unlimited() ? request : NULL;
}

/* So many are told as can be without the lock afterwards; the rest they call in themselves. */
enum { WAKE_MAX = 4 };

static unsigned call_in(_Atomic uint32_t *wake[WAKE_MAX])
{
	unsigned count = 0;

	for (int i = 0; i < WAKE_MAX; i++) {
		wake[count] = asyncring__pool_call_in_one(POOL_BOUNDED);
		if (wake[count])
			count++;
	}
	return count;
}

/* ---- working ---- */

static void block_signals(struct guest *guest)
{
	sigset_t mask, pending;

	if (guest->masked)
		return;
	asyncring__interrupt_mask(&mask);
	sigemptyset(&guest->mask);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &guest->mask, _NSIG / 8);
	guest->masked = true;
	if (sigismember(&guest->mask, SIGXFSZ)) {
		sigemptyset(&pending);
		sys(SYS_rt_sigpending, &pending, _NSIG / 8);
		guest->limit_signal = sigismember(&pending, SIGXFSZ);
	}
}

/* A write may have met a limit: that is in its result, and no affair of the thread's. */
static void take_limit_signal(const struct guest *guest)
{
	const struct timespec at_once = {0};
	sigset_t limit;

	if (guest->limit_signal)
		return;
	sigemptyset(&limit);
	sigaddset(&limit, SIGXFSZ);
	sys(SYS_rt_sigtimedwait, &limit, NULL, &at_once, _NSIG / 8);
}

/* pool.lock held: cancellers find it. */
static void begin(struct worker *self, struct guest *guest, struct request *request)
{
	block_signals(guest);
	self->guest = guest;
	self->kind = POOL_BOUNDED;
	self->tid = (int)sys(SYS_gettid);
	self->timer.id = -1;
	list_init(&self->company);
	list_append(&pool.guests, &self->node);
	asyncring__pool_set_current(self, request);
	asyncring__pool_self = self;
	guest->worked = true;
}

static void end(struct worker *self)
{
	asyncring__pool_self = NULL;
	pthread_mutex_lock(&pool.lock);
	list_remove(&self->node);
	pthread_mutex_unlock(&pool.lock);
}

bool asyncring__guest_work(struct guest *guest, bool willing)
{
	bool concerned = guest->held || guest->worked;
	struct request *requests[BRIEF_MAX], *request;
	_Atomic uint32_t *wake[WAKE_MAX];
	unsigned wakes = 0, brief = 0;
	struct worker self = {0};

	if (!concerned && !willing)
		return false;
	pthread_mutex_lock(&pool.lock);
	request = willing ? choose(guest) : NULL;
	if (request)
		asyncring__pool_unqueue(request);
	if (guest->held)
		wakes = call_in(wake);
	guest->held = false;
	/* What no thread is to be had for, whosever it is: it may have come out of a lane. */
	if (!request && concerned && !pool.count[POOL_BOUNDED])
		request = asyncring__pool_take(POOL_BOUNDED);
	if (request) {
		begin(&self, guest, request);
		requests[0] = request;
		brief = asyncring__pool_gather_brief(&self, requests);
	}
	pthread_mutex_unlock(&pool.lock);
	while (wakes)
		sys_futex_wake(wake[--wakes], 1);
	if (!request)
		return false;
	if (brief)
		asyncring__pool_carry_out_brief(&self, requests, brief);
	else
		asyncring__pool_carry_out(&self, request);
	end(&self);
	take_limit_signal(guest);
	return true;
}

void asyncring__guest_leave(struct guest *guest)
{
	/* What it has left behind, or never begun, may have found nobody. */
	while ((guest->held || guest->worked) && asyncring__guest_work(guest, false))
		;
	if (guest->masked)
		sys(SYS_rt_sigprocmask, SIG_SETMASK, &guest->mask, NULL, _NSIG / 8);
	guest->masked = false;
}

void asyncring__pool_announce(struct ring *ring)
{
	struct guest guest = {
		.ring = ring,
		.held = true,
		.tail = atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed)};

	asyncring__guest_leave(&guest);
}
