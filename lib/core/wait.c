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
 * Once there is a backlog the CQ is, or has been, too full for what comes next, and the tail may
 * never get where it was to get: if the application has made room without a call, or if the next
 * completion takes two slots and only one is free. So the backlog wakes every waiter, and nobody
 * sleeps while there is one: the waiter flushes it, and what then remains means a CQ as full as it
 * can be, which is as many as can be asked for.
 *
 * While requests are armed or timers run, one of the waiters sleeps in the poller instead and
 * drives it (driver.c); for the others nothing changes.
 *
 * A wait with a signal mask must change the mask and sleep in one step, which no futex call can:
 * such a waiter sleeps in ppoll() on an eventfd instead. The ring keeps one for the next such wait,
 * out of the way of low numbers; a second waiter at the same time makes its own. With no descriptor
 * to be had the wait still works, looking again each millisecond (hazard H2).
 */
#include "wait.h"

#include "../clock.h"
#include "../engine/poller.h"
#include "../engine/pool.h"
#include "core.h"

/* Who has to be back before this does not begin with anything that may take a moment. */
enum { HASTE_NS = 100 * 1000 * 1000 };

/* A waiter with a signal mask; in ring->fd_waiters, on its own stack. cq_lock. */
struct fd_waiter {
	struct list node;
	uint32_t tail;
	int fd; /* negative: none was to be had */
};

static bool reached(const struct ring *ring, uint32_t tail)
{
	return (int32_t)(atomic_load_explicit(&ring->cq_tail, memory_order_relaxed) - tail) >= 0;
}

/* May a flush be what brings the CQEs up to @tail? Whom this wakes flushes and counts. cq_lock. */
static bool within_reach(const struct ring *ring, uint32_t tail)
{
	/* Relaxed: written under cq_lock. */
	return !list_empty(&ring->backlog) ||
	       reached(ring,
		       tail - atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed));
}

/* cq_lock held, because the waiter is gone, and its descriptor with it, once it sees this. */
static void wake_fd_waiter(struct fd_waiter *waiter)
{
	uint64_t one = 1;

	list_remove(&waiter->node);
	if (waiter->fd >= 0)
		sys_write(waiter->fd, &one, sizeof(one));
}

/* A timeout's completion ends every wait. cq_lock. */
static bool timeout_news(struct ring *ring)
{
	bool news = ring->timeouts != ring->timeouts_told;

	ring->timeouts_told = ring->timeouts;
	return news;
}

struct wake asyncring__wake_prepare(struct ring *ring)
{
	struct ring_control *control = ring->control;
	struct driver *driver = &ring->driver;
	bool everyone = timeout_news(ring);
	struct wake wake = {.eventfd_async = ring->eventfd_async};
	struct list *node, *following;

	if (ring->eventfd)
		wake.eventfd = file_get(ring->eventfd);
	if (driver->waits && (everyone || within_reach(ring, driver->tail)))
		wake.driver = driver_rouse(driver);
	if (control->waiters && (everyone || within_reach(ring, control->wake_tail))) {
		control->waiters = 0;
		/* Relaxed: the futex call itself orders it against a waiter about to sleep. */
		atomic_fetch_add_explicit(&control->wake_sequence, 1, memory_order_relaxed);
		wake.sleepers = true;
	}
	list_for_each_safe (node, following, &ring->fd_waiters) {
		struct fd_waiter *waiter = container_of(node, struct fd_waiter, node);

		if (everyone || within_reach(ring, waiter->tail))
			wake_fd_waiter(waiter);
	}
	return wake;
}

void asyncring__wake(struct ring *ring, const struct wake *wake)
{
	if (wake->sleepers)
		sys_futex_wake(&ring->control->wake_sequence, INT_MAX);
	if (wake->driver)
		asyncring__poller_wake(ring_poller(ring));
}

void asyncring__wake_all(struct ring *ring)
{
	struct wake wake = {0};
	struct list *node, *following;

	lock_acquire(&ring->control->cq_lock);
	wake.sleepers = ring->control->waiters;
	wake.driver = driver_rouse(&ring->driver);
	ring->control->waiters = 0;
	atomic_fetch_add_explicit(&ring->control->wake_sequence, 1, memory_order_relaxed);
	list_for_each_safe (node, following, &ring->fd_waiters)
		wake_fd_waiter(container_of(node, struct fd_waiter, node));
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
}

bool asyncring__waited_for(const struct ring *ring)
{
	return ring->control->waiters || !list_empty(&ring->fd_waiters);
}

bool asyncring__wake_one_to_drive(struct ring *ring)
{
	bool present, waiting;

	lock_acquire(&ring->control->cq_lock);
	present = ring->driver.present;
	waiting = asyncring__waited_for(ring);
	lock_release(&ring->control->cq_lock);
	if (!present && waiting)
		asyncring__wake_all(ring);
	return present || waiting;
}

/* ---- the eventfd of a waiter with a signal mask ---- */

/* The ring's spare one, or a new one; negative: none. Its count is 0. */
static int take_event_fd(struct ring *ring)
{
	/* Acquire, pairs with the release in give_event_fd: its last user has read it empty. */
	int fd = atomic_exchange_explicit(&ring->spare_event_fd, 0, memory_order_acquire);

	if (fd)
		return fd;
	return asyncring__file_move_up((int)sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static void give_event_fd(struct ring *ring, int fd)
{
	int none = 0;

	if (fd < 0)
		return;
	/* Number 0, where nothing else was free, cannot be told from none. */
	if (!fd ||
	    !atomic_compare_exchange_strong_explicit(&ring->spare_event_fd, &none, fd,
						     memory_order_release, memory_order_relaxed))
		sys_close(fd);
}

void asyncring__wait_release(struct ring *ring)
{
	/* Relaxed: nobody waits any more. */
	int fd = atomic_exchange_explicit(&ring->spare_event_fd, 0, memory_order_relaxed);

	if (fd)
		sys_close(fd);
}

/* ---- sleeping ---- */

struct waiter {
	struct ring *ring;
	const sigset_t *mask;  /* to sleep with; NULL: the thread's own */
	struct fd_waiter self; /* used with a mask */
	struct guest guest;    /* what the thread does before it sleeps */
	uint32_t target;       /* the CQ tail waited for */
	uint32_t timeouts;     /* ring->timeouts when the wait began ... */
	bool begun;	       /* ... with the first look */
	bool drives;	       /* this thread is the ring's driver */
	int64_t deadline;      /* monotonic ns, CLOCK_NEVER: none */
	int64_t min_wait_over; /* from then on one CQE is enough; CLOCK_NEVER: no such time */
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
	struct ring_control *control = waiter->ring->control;
	int error = sys_futex_wait_interruptible(&control->wake_sequence, sequence, timeout);

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

/* As sleep_on_futex. */
static int sleep_on_fd(struct waiter *waiter, const struct timespec *timeout)
{
	struct fd_waiter *self = &waiter->self;
	static const struct timespec moment = {.tv_nsec = NSEC_PER_MSEC};
	struct pollfd poll = {.fd = self->fd, .events = POLLIN};
	bool looks_again = false;
	uint64_t drained;
	int ready;

	if (self->fd < 0 && (!timeout || timeout->tv_sec || timeout->tv_nsec > moment.tv_nsec)) {
		looks_again = true;
		timeout = &moment;
	}
	/* A negative descriptor is none to ppoll: then it only sleeps. */
	ready = sys_ppoll(&poll, 1, timeout, waiter->mask);

	lock_acquire(&waiter->ring->control->cq_lock);
	list_remove(&self->node);
	lock_release(&waiter->ring->control->cq_lock);
	/* What was written before it was off the list must not be left to the next user. */
	if (self->fd >= 0)
		sys_read(self->fd, &drained, sizeof(drained));
	if (ready < 0)
		return ready;
	return ready || looks_again ? 0 : -ETIMEDOUT;
}

/*
 * Before it sleeps, the thread carries out what is queued of the ring, as far as that is no longer
 * than what it waits for (engine/pool_guest.c). Who has to be back at a certain time, drives the
 * poller, or may be sent a message by another ring, does not. True if it did and is to look again.
 */
static bool work_first(struct waiter *waiter, int64_t until)
{
	struct ring *ring = waiter->ring;
	struct guest *guest = &waiter->guest;
	/* Relaxed: what others submit at this moment their own submission takes care of. */
	bool willing = atomic_load_explicit(&ring->active, memory_order_relaxed) &&
		       !asyncring__driver_needed(ring) &&
		       !atomic_load_explicit(&ring->messaged, memory_order_relaxed) &&
		       (until == CLOCK_NEVER || until - clock_now() >= HASTE_NS);

	guest->tail = waiter->target;
	guest->sleeps_with = waiter->mask;
	if (!asyncring__guest_work(guest, willing))
		return false;
	/* Signals are blocked from now on, except in sleep. */
	if (!waiter->mask)
		waiter->mask = &guest->mask;
	return true;
}

/* One round: 1 if the CQEs are there, 0 to look again, else the errno that ended the sleep. */
static int sleep_once(struct waiter *waiter, int64_t until)
{
	struct fd_waiter *self = waiter->mask ? &waiter->self : NULL;
	struct ring *ring = waiter->ring;
	struct ring_control *control = ring->control;
	struct timespec timeout, *timeout_pointer = NULL;
	uint32_t sequence;

	/* Without the lock: a driver has posted them itself. */
	if ((int32_t)(atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed) -
		      waiter->target) >= 0)
		return 1;
	if (work_first(waiter, until))
		return 0;
	/* One who is going to drive needs none. */
	if (self && self->fd < 0 && !asyncring__driver_needed(ring))
		self->fd = take_event_fd(ring);
	if (until != CLOCK_NEVER) {
		timeout = clock_left(until);
		timeout_pointer = &timeout;
	}
	lock_acquire(&control->cq_lock);
	if (!waiter->begun)
		waiter->timeouts = ring->timeouts;
	waiter->begun = true;
	if (reached(ring, waiter->target) || ring->timeouts != waiter->timeouts || closing(ring)) {
		lock_release(&control->cq_lock);
		return 1;
	}
	if (within_reach(ring, waiter->target)) {
		lock_release(&control->cq_lock);
		asyncring__cq_flush(ring, true);
		/*
		 * What is left of the backlog found no room. Relaxed: if another thread has changed
		 * that by now, it did so after the flush, and either answer was right.
		 */
		return atomic_load_explicit(&ring->backlogged, memory_order_relaxed);
	}
	if (asyncring__driver_begin(ring, waiter->target, &waiter->drives)) {
		lock_release(&control->cq_lock);
		return asyncring__driver_sleep(ring, until, waiter->mask);
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
	return self ? sleep_on_fd(waiter, timeout_pointer)
		    : sleep_on_futex(waiter, sequence, timeout_pointer);
}

static int wait_loop(struct waiter *waiter)
{
	for (;;) {
		int64_t until = waiter->deadline;
		int result;

		if (waiter->min_wait_over < until)
			until = waiter->min_wait_over;
		result = sleep_once(waiter, until);
		if (result == 1)
			return 0;
		if (result == -ETIMEDOUT && until == waiter->min_wait_over &&
		    until != waiter->deadline) {
			/* The time for collecting is over: from now on the first one will do. */
			uint32_t head = atomic_load_explicit(&waiter->ring->words->cq_head,
							     memory_order_acquire);

			waiter->target = head + 1;
			waiter->min_wait_over = CLOCK_NEVER;
			continue;
		}
		if (result)
			return result == -ETIMEDOUT ? -ETIME : result;
	}
}

int asyncring__wait(struct ring *ring, const struct wait_arguments *arguments, bool *held)
{
	struct waiter waiter = {.ring = ring,
				.mask = arguments->sigmask,
				.self.fd = -1,
				.guest = {.ring = ring, .held = *held},
				.deadline = CLOCK_NEVER,
				.min_wait_over = CLOCK_NEVER};
	uint32_t wanted = arguments->min_complete;
	int result;

	if (wanted > ring->cq_entries)
		wanted = ring->cq_entries;
	/* Acquire: as in cq.c. */
	waiter.target = atomic_load_explicit(&ring->words->cq_head, memory_order_acquire) + wanted;
	if (arguments->has_timeout) {
		int64_t start = arguments->absolute ? 0 : clock_now();

		waiter.deadline = clock_add(start, clock_from_timespec(&arguments->timeout));
	}
	if (arguments->min_wait_usec) {
		int64_t over = clock_now() + arguments->min_wait_usec * NSEC_PER_USEC;

		/* No wait is shorter than that, and one without another limit is not longer. */
		if (!arguments->has_timeout || waiter.deadline <= over)
			waiter.deadline = over;
		else
			waiter.min_wait_over = over;
	}
	list_init(&waiter.self.node);
	result = wait_loop(&waiter);
	give_event_fd(ring, waiter.self.fd);
	if (waiter.drives)
		asyncring__driver_leave(ring);
	asyncring__guest_leave(&waiter.guest);
	*held = false;
	return closing(ring) ? -EBADF : result;
}
