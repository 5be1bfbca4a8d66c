/* SPDX-License-Identifier: MIT */
/*
 * Waiting for completions.
 *
 * A waiter decides to sleep under cq_lock, having seen that its CQEs are not there; whoever posts
 * them holds cq_lock too, so the two cannot miss each other:
 *
 *     waiter                                  poster
 *     lock; not enough CQEs                   lock; write CQEs, tail
 *     waiters++, wake_tail = min(own)         waiters and tail reached wake_tail?
 *     sequence = wake_sequence                   wake_sequence++, waiters = 0
 *     unlock                                  unlock
 *     futex_wait(wake_sequence, sequence)     futex_wake
 *
 * Either the poster comes first and the waiter sees its CQEs, or the waiter comes first and the
 * poster sees it in `waiters`. If the poster's increment falls between the waiter's unlock and its
 * futex_wait, the futex finds another value and does not sleep.
 *
 * A wake-up voids all registrations; each waiter looks again and registers anew if it must. So one
 * futex word serves waiters with different wishes, and a poster wakes nobody whose CQEs are not
 * there yet, but for those woken along with the nearest.
 *
 * A wait with a signal mask must change the mask and sleep in one step, which no futex call can:
 * such a waiter sleeps in ppoll() on an eventfd of its own instead.
 */
#include "wait.h"

#include "core.h"

/* A waiter with a signal mask; in ring->fd_waiters, on its own stack. cq_lock. */
struct fd_waiter {
	struct list node;
	uint32_t tail;
	int fd;
};

/* CQ tail as the waiting side counts it: what a flush would bring is there already. cq_lock. */
static uint32_t reachable_tail(const struct ring *ring)
{
	return ring->cq_tail + atomic_load_explicit(&ring->deferred_count, memory_order_relaxed);
}

static bool reached(const struct ring *ring, uint32_t tail)
{
	return (int32_t)(reachable_tail(ring) - tail) >= 0;
}

struct wake asyncring__wake_prepare(struct ring *ring)
{
	struct ring_control *control = ring->control;
	struct wake wake = {.eventfd_async = ring->eventfd_async};
	struct list *node, *following;

	if (ring->eventfd)
		wake.eventfd = file_get(ring->eventfd);
	if (control->waiters && reached(ring, control->wake_tail)) {
		control->waiters = 0;
		/* Relaxed: the futex call itself orders it against a waiter about to sleep. */
		atomic_fetch_add_explicit(&control->wake_sequence, 1, memory_order_relaxed);
		wake.sleepers = true;
	}
	list_for_each_safe (node, following, &ring->fd_waiters) {
		struct fd_waiter *waiter = container_of(node, struct fd_waiter, node);
		uint64_t one = 1;

		if (!reached(ring, waiter->tail))
			continue;
		/* Under the lock, because the waiter's stack frame is gone once it sees this. */
		list_remove(node);
		sys_write(waiter->fd, &one, sizeof(one));
	}
	return wake;
}

void asyncring__wake(struct ring *ring, const struct wake *wake)
{
	if (wake->sleepers)
		sys_futex_wake(&ring->control->wake_sequence, INT_MAX);
}

void asyncring__wake_all(struct ring *ring)
{
	struct wake wake = {.sleepers = true};
	struct list *node;

	lock_acquire(&ring->control->cq_lock);
	ring->control->waiters = 0;
	atomic_fetch_add_explicit(&ring->control->wake_sequence, 1, memory_order_relaxed);
	while ((node = list_take_first(&ring->fd_waiters))) {
		uint64_t one = 1;

		sys_write(container_of(node, struct fd_waiter, node)->fd, &one, sizeof(one));
	}
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
}

/* ---- time ---- */

enum { NSEC_PER_SEC = 1000000000 };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static int64_t add_saturating(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* A time too far away to be told in nanoseconds is for ever; one before all others is over. */
static int64_t to_ns(const struct __kernel_timespec *time)
{
	int64_t ns;

	if (time->tv_sec < 0 || time->tv_nsec < 0)
		return 0;
	if (__builtin_mul_overflow(time->tv_sec, (int64_t)NSEC_PER_SEC, &ns))
		return INT64_MAX;
	return add_saturating(ns, time->tv_nsec);
}

/* ---- sleeping ---- */

struct waiter {
	struct ring *ring;
	const struct wait_arguments *arguments;
	uint32_t target;       /* the CQ tail waited for */
	bool flushed;	       /* the backlog has been, since the target was worked out */
	int64_t deadline;      /* monotonic ns, INT64_MAX: none */
	int64_t min_wait_over; /* from then on one CQE is enough; INT64_MAX: no such time */
};

static bool closing(const struct ring *ring)
{
	/* Relaxed: set before the wake-up that makes this be looked at, or before the ring was got.
	 */
	return atomic_load_explicit(&ring->closing, memory_order_relaxed);
}

/* 0 woken, -ETIMEDOUT, -EINTR. */
static int sleep_on_futex(struct waiter *waiter, uint32_t sequence, const struct timespec *timeout)
{
	/*
	 * Not without any timeout: after a handler with SA_RESTART the kernel would go on with the
	 * call, and the caller is to be told of the signal all the same.
	 */
	static const struct timespec ages = {.tv_sec = 1 << 30};
	struct ring_control *control = waiter->ring->control;
	int error = sys_futex_wait(&control->wake_sequence, sequence, timeout ? timeout : &ages);

	if (error == -ETIMEDOUT || error == -EINTR) {
		lock_acquire(&control->cq_lock);
		/* Unless a wake-up has voided it, the registration is still counted. */
		if (atomic_load_explicit(&control->wake_sequence, memory_order_relaxed) == sequence)
			control->waiters--;
		lock_release(&control->cq_lock);
		return error;
	}
	return 0;
}

static int sleep_on_fd(struct waiter *waiter, struct fd_waiter *self,
		       const struct timespec *timeout)
{
	struct pollfd poll = {.fd = self->fd, .events = POLLIN};
	uint64_t drained;
	int ready = sys_ppoll(&poll, 1, timeout, waiter->arguments->sigmask);

	lock_acquire(&waiter->ring->control->cq_lock);
	list_remove(&self->node);
	lock_release(&waiter->ring->control->cq_lock);
	sys_read(self->fd, &drained, sizeof(drained));
	if (ready < 0)
		return ready;
	return ready ? 0 : -ETIMEDOUT;
}

/*
 * One round: 1 if the CQEs are there, 0 to look again, else the errno that ended the sleep.
 * @self: NULL without a signal mask.
 */
static int sleep_once(struct waiter *waiter, struct fd_waiter *self, int64_t until)
{
	struct ring *ring = waiter->ring;
	struct ring_control *control = ring->control;
	struct timespec timeout, *timeout_pointer = NULL;
	uint32_t sequence;

	if (until != INT64_MAX) {
		int64_t left = until - now_ns();

		if (left < 0)
			left = 0;
		timeout.tv_sec = left / NSEC_PER_SEC;
		timeout.tv_nsec = left % NSEC_PER_SEC;
		timeout_pointer = &timeout;
	}
	lock_acquire(&control->cq_lock);
	if (reached(ring, waiter->target) || closing(ring)) {
		lock_release(&control->cq_lock);
		return 1;
	}
	/*
	 * Another thread may have made room after the CQ had overflowed and before the target was
	 * worked out. Then the tail never gets there, for new completions join the backlog. Once
	 * it is flushed it grows again only when the CQ is full, which is as many as can be asked
	 * for.
	 */
	if (!waiter->flushed && !list_empty(&ring->backlog)) {
		lock_release(&control->cq_lock);
		asyncring__cq_flush(ring, true);
		waiter->flushed = true;
		return 0;
	}
	sequence = atomic_load_explicit(&control->wake_sequence, memory_order_relaxed);
	if (self) {
		self->tail = waiter->target;
		list_append(&ring->fd_waiters, &self->node);
	} else {
		if (!control->waiters++ || (int32_t)(waiter->target - control->wake_tail) < 0)
			control->wake_tail = waiter->target;
	}
	lock_release(&control->cq_lock);
	return self ? sleep_on_fd(waiter, self, timeout_pointer)
		    : sleep_on_futex(waiter, sequence, timeout_pointer);
}

static int wait_loop(struct waiter *waiter, struct fd_waiter *self)
{
	for (;;) {
		int64_t until = waiter->deadline;
		int result;

		if (waiter->min_wait_over < until)
			until = waiter->min_wait_over;
		result = sleep_once(waiter, self, until);
		if (result == 1)
			return 0;
		if (result == -ETIMEDOUT && until == waiter->min_wait_over &&
		    until != waiter->deadline) {
			/* The time for collecting is over: from now on the first one will do. */
			uint32_t head = atomic_load_explicit(&waiter->ring->words->cq_head,
							     memory_order_acquire);

			waiter->target = head + 1;
			waiter->flushed = false;
			waiter->min_wait_over = INT64_MAX;
			continue;
		}
		if (result == -ETIMEDOUT)
			return -ETIME;
		/* The kernel's own ppoll and futex errors are not the application's to see. */
		if (result == -EINTR)
			return -EINTR;
		if (result < 0)
			return result;
	}
}

int asyncring__wait(struct ring *ring, const struct wait_arguments *arguments)
{
	struct waiter waiter = {.ring = ring,
				.arguments = arguments,
				.deadline = INT64_MAX,
				.min_wait_over = INT64_MAX};
	struct fd_waiter self;
	uint32_t wanted = arguments->min_complete;
	int result;

	if (wanted > ring->cq_entries)
		wanted = ring->cq_entries;
	/* Acquire: as in cq.c. */
	waiter.target = atomic_load_explicit(&ring->words->cq_head, memory_order_acquire) + wanted;
	if (arguments->has_timeout) {
		int64_t start = arguments->absolute ? 0 : now_ns();

		waiter.deadline = add_saturating(start, to_ns(&arguments->timeout));
	}
	if (arguments->min_wait_usec)
		waiter.min_wait_over = now_ns() + (int64_t)arguments->min_wait_usec * 1000;
	if (!arguments->sigmask)
		result = wait_loop(&waiter, NULL);
	else {
		self.fd = (int)sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (self.fd < 0)
			return self.fd;
		list_init(&self.node);
		result = wait_loop(&waiter, &self);
		sys_close(self.fd);
	}
	return closing(ring) ? -EBADF : result;
}
