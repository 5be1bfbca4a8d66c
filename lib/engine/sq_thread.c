/* SPDX-License-Identifier: MIT */
/*
 * SETUP_SQPOLL: a thread that watches submission queues, so that the application makes no call to
 * submit. Rings that name each other with ATTACH_WQ share one thread.
 *
 * Without work for the idle time the thread goes to sleep and says so in each ring's SQ flags. The
 * sleep must not miss an SQE, nor the application the flag:
 *
 *     application                              SQ thread
 *     write SQE, store the tail                set SQ_NEED_WAKEUP
 *     full barrier                             full barrier (sequentially consistent or)
 *     SQ_NEED_WAKEUP set? enter(SQ_WAKEUP)     tail moved? then do not sleep
 *
 * At least one of the two sees what the other has written. The wake-up itself cannot be lost: the
 * thread sleeps on a sequence it has read before setting the flag.
 */
#include "sq_thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "../clock.h"
#include "../core/core.h"
#include "../core/statistics.h"
#include "../core/wait.h"
#include "interrupt.h"

/*
 * In a round over its rings the thread looks about LOOKS / 2 times for entries before it lets
 * others run and asks for the time: what comes meanwhile is taken at once.
 */
enum { IDLE_DEFAULT_MS = 1000, SHARED_BATCH = 8, LOOKS = 64 };

struct sq_thread {
	/*
	 * One of each ring that has it as its sq_thread, from attach to release: a detached ring's
	 * calls in progress still come here. The last put frees (acquire-release).
	 */
	_Atomic uint32_t references;
	pthread_mutex_t lock;
	pthread_cond_t released; /* `current` has been let go; lock */
	pthread_t thread;	 /* constant */
	_Atomic uint64_t number; /* its thread number; written by itself, relaxed */
	cpu_set_t cpus;		 /* constant: where it runs, if it is `bound` */
	bool bound;
	struct list rings;    /* ring.sq_node; lock */
	unsigned ring_count;  /* lock */
	struct ring *current; /* being served, without the lock; lock */
	int64_t idle_ns;      /* the longest of its rings'; lock */
	bool stopping;	      /* lock */
	/* Futex: incremented to wake the thread. */
	_Atomic uint32_t wake_sequence;
	/* Futex: incremented when entries were taken, if somebody waits for that. */
	_Atomic uint32_t space_sequence;
	_Atomic uint32_t space_waiters;
};

static void wake(struct sq_thread *sq)
{
	/* Pairs with the read before the flag is set in sleep_until_woken. */
	atomic_fetch_add_explicit(&sq->wake_sequence, 1, memory_order_seq_cst);
	sys_futex_wake(&sq->wake_sequence, 1);
}

/* ---- the thread ---- */

static bool enabled(const struct ring *ring)
{
	return !(atomic_load_explicit(&ring->disabled, memory_order_acquire));
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Does @ring offer anything, if looked at so many times? */
static bool offers(const struct ring *ring, unsigned looks)
{
	if (!enabled(ring))
		return false;
	while (!asyncring__sq_pending_hint(ring)) {
		if (--looks == 0)
			return false;
		relax();
	}
	return true;
}

/* Take what @ring offers, at most @count entries; false if nothing came of it. */
static bool take(struct sq_thread *sq, struct ring *ring, unsigned count)
{
	int taken;

	ring_lock(ring);
	taken = asyncring__submit(ring, count);
	ring_unlock(ring);
	asyncring__drive_wanted(ring);
	/*
	 * Also if nothing was taken: what is dropped makes room, too. A read-modify-write, not a
	 * load: it and the increment in wait_for_space come one after the other, so that either
	 * the waiter sees the new head or this sees the waiter.
	 */
	if (atomic_fetch_add_explicit(&sq->space_waiters, 0, memory_order_seq_cst)) {
		atomic_fetch_add_explicit(&sq->space_sequence, 1, memory_order_seq_cst);
		sys_futex_wake(&sq->space_sequence, INT_MAX);
	}
	/* Out of memory is no work done: the thread yields before it tries again. */
	return taken > 0;
}

static bool serve(struct sq_thread *sq, struct ring *ring, unsigned count, unsigned looks)
{
	bool worked = offers(ring, looks) && take(sq, ring, count);

	asyncring__notify_turn(ring, worked);
	return worked;
}

/* One round over all rings; lock held, released while a ring is served. */
static bool serve_all(struct sq_thread *sq)
{
	unsigned rounds = sq->ring_count;
	unsigned count = rounds > 1 ? SHARED_BATCH : RING_SQ_ENTRIES_MAX;
	unsigned looks = 1 + LOOKS / (1 + rounds);
	bool worked = false;

	/* Each ring goes to the end of the line once it is served; detaching may happen meanwhile.
	 */
	while (rounds-- && !list_empty(&sq->rings)) {
		struct list *node = list_take_first(&sq->rings);

		list_append(&sq->rings, node);
		sq->current = container_of(node, struct ring, sq_node);
		pthread_mutex_unlock(&sq->lock);
		worked |= serve(sq, sq->current, count, looks);
		pthread_mutex_lock(&sq->lock);
		sq->current = NULL;
		pthread_cond_broadcast(&sq->released);
	}
	return worked;
}

static void flag_all(struct sq_thread *sq, bool on)
{
	struct list *node;

	list_for_each (node, &sq->rings) {
		struct ring *ring = container_of(node, struct ring, sq_node);

		if (on)
			atomic_fetch_or_explicit(&ring->words->sq_flags, ASYNCRING_SQ_NEED_WAKEUP,
						 memory_order_seq_cst);
		else
			atomic_fetch_and_explicit(&ring->words->sq_flags, ~ASYNCRING_SQ_NEED_WAKEUP,
						  memory_order_seq_cst);
	}
}

static bool anything_pending(struct sq_thread *sq)
{
	struct list *node;

	list_for_each (node, &sq->rings) {
		struct ring *ring = container_of(node, struct ring, sq_node);

		if (enabled(ring) && asyncring__sq_pending_hint(ring))
			return true;
	}
	return false;
}

/* lock held. From the flag on the application takes the readability back itself. */
static void notify_all(struct sq_thread *sq)
{
	struct list *node;

	list_for_each (node, &sq->rings)
		asyncring__notify_rest(container_of(node, struct ring, sq_node));
}

/* lock held; released while asleep. */
static void sleep_until_woken(struct sq_thread *sq)
{
	uint32_t sequence = atomic_load_explicit(&sq->wake_sequence, memory_order_seq_cst);

	flag_all(sq, true);
	if (!anything_pending(sq)) {
		notify_all(sq);
		pthread_mutex_unlock(&sq->lock);
		sys_futex_wait(&sq->wake_sequence, sequence, NULL);
		pthread_mutex_lock(&sq->lock);
	}
	flag_all(sq, false);
}

/* lock held; released while a ring is served, and while the thread rests. */
static void serve_until_stopped(struct sq_thread *sq)
{
	int64_t idle_since = CLOCK_NEVER;

	while (!sq->stopping) {
		int64_t now;

		if (serve_all(sq)) {
			idle_since = CLOCK_NEVER;
			continue;
		}
		now = clock_now();
		if (idle_since == CLOCK_NEVER)
			idle_since = now;
		if (now - idle_since >= sq->idle_ns) {
			sleep_until_woken(sq);
			idle_since = CLOCK_NEVER;
		} else {
			pthread_mutex_unlock(&sq->lock);
			sys(SYS_sched_yield);
			pthread_mutex_lock(&sq->lock);
		}
	}
}

static void *sq_thread_main(void *argument)
{
	struct sq_thread *sq = argument;
	char name[16];

	atomic_store_explicit(&sq->number, asyncring__thread_number(), memory_order_relaxed);
	snprintf(name, sizeof(name), "iou-sqp-%d", (int)sys(SYS_getpid));
	sys(SYS_prctl, PR_SET_NAME, name);
	if (sq->bound)
		sys(SYS_sched_setaffinity, 0, sizeof(sq->cpus), &sq->cpus);
	pthread_mutex_lock(&sq->lock);
	serve_until_stopped(sq);
	pthread_mutex_unlock(&sq->lock);
	return NULL;
}

/* ---- coming and going ---- */

static int64_t idle_time(const struct asyncring_params *params)
{
	int64_t ms = params->sq_thread_idle ? params->sq_thread_idle : IDLE_DEFAULT_MS;

	return ms * NSEC_PER_MSEC;
}

/* False if the thread is about to end: its last ring was closed. */
static bool add_ring(struct sq_thread *sq, struct ring *ring, const struct asyncring_params *params)
{
	bool stopping;

	pthread_mutex_lock(&sq->lock);
	stopping = sq->stopping;
	if (!stopping) {
		/* Relaxed: whoever brings the ring here holds a reference already. */
		atomic_fetch_add_explicit(&sq->references, 1, memory_order_relaxed);
		ring->sq_thread = sq;
		list_append(&sq->rings, &ring->sq_node);
		sq->ring_count++;
		if (sq->idle_ns < idle_time(params))
			sq->idle_ns = idle_time(params);
	}
	pthread_mutex_unlock(&sq->lock);
	if (!stopping)
		wake(sq);
	return !stopping;
}

static int share(struct ring *ring, const struct asyncring_params *params)
{
	struct ring *other;
	int error = 0;

	other = asyncring__ring_get(params->wq_fd, &error);
	if (!other)
		return error == -EBADF ? -ENXIO : -EINVAL;
	/* The reference keeps it from releasing its sq_thread, though not from detaching. */
	if (!other->sq_thread || !add_ring(other->sq_thread, ring, params))
		error = -EINVAL;
	asyncring__ring_put(other);
	return error;
}

static int check_cpu(const struct asyncring_params *params, cpu_set_t *mask)
{
	cpu_set_t allowed;

	/* The kernel writes as much as it has CPUs. */
	CPU_ZERO(&allowed);
	CPU_ZERO(mask);
	if (params->sq_thread_cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_SET(params->sq_thread_cpu, mask);
	if (sys(SYS_sched_getaffinity, 0, sizeof(allowed), &allowed) > 0 &&
	    !CPU_ISSET(params->sq_thread_cpu, &allowed))
		return -EINVAL;
	return 0;
}

static int create_thread(struct sq_thread *sq, const cpu_set_t *mask)
{
	sigset_t blocked, saved;
	int error, saved_errno = errno;

	sq->bound = mask;
	if (mask)
		sq->cpus = *mask;
	asyncring__interrupt_mask(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	error = -pthread_create(&sq->thread, NULL, sq_thread_main, sq);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	/* What pthread_create tries may leave its mark there. */
	errno = saved_errno;
	if (!error)
		statistics_count(STATISTIC_THREADS);
	return error;
}

int asyncring__sq_thread_attach(struct ring *ring, const struct asyncring_params *params)
{
	bool bound = params->flags & ASYNCRING_SETUP_SQ_AFF;
	struct sq_thread *sq;
	cpu_set_t mask;
	int error;

	if (bound) {
		error = check_cpu(params, &mask);
		if (error)
			return error;
	}
	if (params->flags & ASYNCRING_SETUP_ATTACH_WQ)
		return share(ring, params);
	sq = asyncring__alloc_zeroed(1, sizeof(*sq));
	if (!sq)
		return -ENOMEM;
	pthread_mutex_init(&sq->lock, NULL);
	pthread_cond_init(&sq->released, NULL);
	list_init(&sq->rings);
	error = create_thread(sq, bound ? &mask : NULL);
	if (error) {
		pthread_cond_destroy(&sq->released);
		pthread_mutex_destroy(&sq->lock);
		asyncring__free(sq);
		return error;
	}
	add_ring(sq, ring, params);
	return 0;
}

void asyncring__sq_thread_release(struct ring *ring)
{
	struct sq_thread *sq = ring->sq_thread;

	ring->sq_thread = NULL;
	if (atomic_fetch_sub_explicit(&sq->references, 1, memory_order_acq_rel) != 1)
		return;
	pthread_cond_destroy(&sq->released);
	pthread_mutex_destroy(&sq->lock);
	asyncring__free(sq);
}

void asyncring__sq_thread_detach(struct ring *ring)
{
	struct sq_thread *sq = ring->sq_thread;
	bool last;
	int state;

	/* Waiting and joining are cancellation points, which a close must not be (hazard H6). */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&sq->lock);
	list_remove(&ring->sq_node);
	while (sq->current == ring)
		pthread_cond_wait(&sq->released, &sq->lock);
	last = --sq->ring_count == 0;
	if (last)
		sq->stopping = true;
	pthread_mutex_unlock(&sq->lock);
	/* Those who wait for space find the ring closing. */
	atomic_fetch_add_explicit(&sq->space_sequence, 1, memory_order_seq_cst);
	sys_futex_wake(&sq->space_sequence, INT_MAX);
	if (last) {
		wake(sq);
		pthread_join(sq->thread, NULL);
	}
	pthread_setcancelstate(state, NULL);
}

bool asyncring__sq_thread_is_self(const struct ring *ring)
{
	const struct sq_thread *sq = ring->sq_thread;

	/* Relaxed: only the thread itself finds its own number there. */
	return sq && atomic_load_explicit(&sq->number, memory_order_relaxed) ==
			     asyncring__thread_number();
}

void asyncring__sq_thread_wake(struct ring *ring)
{
	wake(ring->sq_thread);
}

/* ---- enter() ---- */

/*
 * Full is what the application sees. The head in its memory moves only when a submission is
 * through, later than the library's own: who went by that would send it away to find no room.
 */
static bool sq_full(const struct ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->words->sq_tail, memory_order_seq_cst);
	/* Pairs with the release in asyncring__submit, directly or through space_sequence. */
	uint32_t head = atomic_load_explicit(&ring->words->sq_head, memory_order_seq_cst);

	return tail - head == ring->sq_entries;
}

/* Until there is room, the ring closes, or a signal comes, which is no error here. */
static void wait_for_space(struct ring *ring)
{
	struct sq_thread *sq = ring->sq_thread;

	atomic_fetch_add_explicit(&sq->space_waiters, 1, memory_order_seq_cst);
	for (;;) {
		uint32_t sequence = atomic_load_explicit(&sq->space_sequence, memory_order_seq_cst);

		if (!sq_full(ring) || atomic_load_explicit(&ring->closing, memory_order_seq_cst))
			break;
		if (sys_futex_wait_interruptible(&sq->space_sequence, sequence, NULL) == -EINTR)
			break;
	}
	atomic_fetch_sub_explicit(&sq->space_waiters, 1, memory_order_seq_cst);
}

int asyncring__sq_thread_enter(struct ring *ring, unsigned to_submit, unsigned flags)
{
	if (atomic_load_explicit(&ring->closing, memory_order_seq_cst))
		return -EBADF;
	if (flags & ASYNCRING_ENTER_SQ_WAKEUP)
		wake(ring->sq_thread);
	if (flags & ASYNCRING_ENTER_SQ_WAIT)
		wait_for_space(ring);
	return (int)to_submit;
}
