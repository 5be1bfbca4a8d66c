/* SPDX-License-Identifier: MIT */
/*
 * The attendant of unattended rings.
 *
 * A ring whose poller is needed and which is left by its driver is put on the list, once. As long
 * as it is driven on and off - a server that goes round its loop - being on the list costs its
 * threads nothing: the attendant looks at the list each millisecond, sees that somebody has driven
 * since, and goes to sleep again. Only if nobody has, it adopts the ring: puts the poller's epoll
 * set into its own, and from then on is woken by events as a driver would be. A thread that comes
 * back to wait takes the ring out again. A ring with nothing armed any more, or with a driver at
 * many looks in a row, leaves the list; with the last one the thread ends, after a while. As long
 * as all that are left are adopted the thread sleeps until there is something to do.
 *
 * A ring with DEFER_TASKRUN is the owner's alone to drive. If its owner cannot see by itself that
 * there is something to do (a registered eventfd, SETUP_TASKRUN_FLAG), it is told.
 *
 * Nobody may rely on the attendant without its knowing: whoever shortens its sleep - a ring taken
 * out of its set or off the list, an owner that came when told, a timer that expires earlier than
 * all others - rouses it, and a ring leaves the list only if it is still not needed after everybody
 * could see that it is not listed.
 *
 * Lock order: attendant.lock comes after submit_lock, whose holders arm, and before cq_lock; it is
 * never held while driving, and nothing takes a submit_lock under it.
 */
#include "attendant.h"

#include <pthread.h>

#include "../clock.h"
#include "../core/core.h"
#include "../core/driver.h"
#include "../core/fork.h"
#include "../core/wait.h"
#include "poller.h"
#include "thread.h"

enum {
	LOOK_NS = 1000000,     /* how long a ring may stay unattended */
	LINGER_NS = 100000000, /* how long the thread stays for nothing */
	LOOKS_DRIVEN = 100,    /* a ring driven for so long is in good hands */
	EVENTS_AT_ONCE = 16,
};

static struct {
	pthread_mutex_t lock;
	struct list rings; /* attended.node */
	bool running, stopping;
	bool left; /* it has ended by itself and is not joined yet */
	pthread_t thread;
	int epoll_fd, wake_fd; /* while running */
} attendant = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.rings = {&attendant.rings, &attendant.rings},
};

static struct ring *ring_of(struct list *node)
{
	return container_of(node, struct ring, attended.node);
}

/* Sequentially consistent, both: whoever does without the lock has changed something before. */
static bool listed(const struct ring *ring)
{
	return atomic_load_explicit(&ring->attended.listed, memory_order_seq_cst);
}

static bool adopted(const struct ring *ring)
{
	return atomic_load_explicit(&ring->attended.adopted, memory_order_seq_cst);
}

/* ---- attendant.lock held ---- */

/* Is the owner of the ring to be told, instead of the work being done? */
static bool announces(const struct ring *ring)
{
	return ring_defers(ring);
}

static void adopt(struct ring *ring)
{
	struct epoll_event event = {
		.events = EPOLLIN | (announces(ring) ? EPOLLET : 0),
		.data.ptr = ring,
	};

	if (!sys(SYS_epoll_ctl, attendant.epoll_fd, EPOLL_CTL_ADD, ring_poller(ring)->epoll_fd,
		 &event))
		/* Pairs with the look of attend_hurry: next_expiry is read after this. */
		atomic_store_explicit(&ring->attended.adopted, true, memory_order_seq_cst);
}

static void let_go(struct ring *ring)
{
	if (!adopted(ring))
		return;
	atomic_store_explicit(&ring->attended.adopted, false, memory_order_seq_cst);
	sys(SYS_epoll_ctl, attendant.epoll_fd, EPOLL_CTL_DEL, ring_poller(ring)->epoll_fd, NULL);
}

static void unlist(struct ring *ring)
{
	let_go(ring);
	list_remove(&ring->attended.node);
	atomic_store_explicit(&ring->attended.listed, false, memory_order_seq_cst);
}

static bool driven(struct ring *ring)
{
	bool present;

	lock_acquire(&ring->control->cq_lock);
	present = ring->driver.present;
	lock_release(&ring->control->cq_lock);
	return present;
}

/*
 * @ring needs no attendant, as it seems. Who arms or stops driving now does nothing if it finds the
 * ring listed; so it is first said not to be, and then looked at once more: one of the two sees
 * what the other did.
 */
static void unlist_unneeded(struct ring *ring)
{
	atomic_store_explicit(&ring->attended.listed, false, memory_order_seq_cst);
	if (asyncring__driver_needed(ring) && !driven(ring))
		atomic_store_explicit(&ring->attended.listed, true, memory_order_seq_cst);
	else
		unlist(ring);
}

/*
 * What is to be done for @ring without the lock; or it is left to others, or waits for its owner,
 * or for an event: one of those that are adopted costs the others no more than this look.
 */
enum duty { DUTY_NONE, DUTY_NOTHING_YET, DUTY_DRIVE, DUTY_ANNOUNCE };

static enum duty look_at(struct ring *ring, bool reported)
{
	struct attended *state = &ring->attended;
	bool present, waited_for, was_adopted = adopted(ring);
	uint32_t rounds;

	lock_acquire(&ring->control->cq_lock);
	present = ring->driver.present;
	rounds = ring->driver.rounds;
	waited_for = ring->control->waiters;
	lock_release(&ring->control->cq_lock);
	if (!asyncring__driver_needed(ring)) {
		unlist_unneeded(ring);
		return DUTY_NONE;
	}
	if (present) {
		let_go(ring);
		if (++state->driven > LOOKS_DRIVEN)
			unlist_unneeded(ring);
		return DUTY_NONE;
	}
	state->driven = 0;
	/* The owner has come since it was told. */
	if (announces(ring) && rounds != state->rounds_seen)
		state->told = false;
	if (announces(ring))
		state->rounds_seen = rounds;
	else if (!adopted(ring) && (rounds != state->rounds_seen || waited_for)) {
		state->rounds_seen = rounds;
		if (waited_for)
			asyncring__wake_one_to_drive(ring);
		return DUTY_NONE;
	}
	if (!adopted(ring)) {
		adopt(ring);
		/*
		 * Who began to drive before `adopted` was stored has nothing to release, and would
		 * keep to itself when the next timer expires; who begins later sees it.
		 */
		if (driven(ring)) {
			let_go(ring);
			return DUTY_NONE;
		}
	}
	if (!announces(ring))
		return !was_adopted || reported || asyncring__timer_due(ring) ? DUTY_DRIVE
									      : DUTY_NOTHING_YET;
	if (state->told)
		return DUTY_NOTHING_YET;
	/* Before it is: the owner may have come, and gone again, by the time that is known. */
	state->told = true;
	return DUTY_ANNOUNCE;
}

/* ---- the thread ---- */

static bool something_ready(struct ring *ring)
{
	static const struct timespec no_time;
	struct poller *poller = ring_poller(ring);
	struct pollfd poll = {.fd = poller->epoll_fd, .events = POLLIN};

	return atomic_load_explicit(&poller->next_expiry, memory_order_relaxed) <= clock_now() ||
	       sys_ppoll(&poll, 1, &no_time, NULL) > 0;
}

/* True if the owner was told. */
static bool do_duty(struct ring *ring, enum duty duty)
{
	if (duty == DUTY_DRIVE) {
		asyncring__drive_now(ring);
		asyncring__poller_rest(ring_poller(ring), NULL);
	} else if (duty == DUTY_ANNOUNCE && something_ready(ring)) {
		asyncring__announce(ring);
		return true;
	}
	return false;
}

/* When has @ring to be looked at again, if its set does not tell? It is listed; lock held. */
static int64_t next_look(struct ring *ring, enum duty duty)
{
	/* Read after `adopted` was stored: see attend_hurry. */
	int64_t expiry =
		atomic_load_explicit(&ring_poller(ring)->next_expiry, memory_order_seq_cst);

	/* What was done was all there was to do: it leaves the list. */
	if (!asyncring__driver_needed(ring))
		return 0;
	if (ring->attended.told && adopted(ring))
		return CLOCK_NEVER;
	if (duty == DUTY_NONE || !adopted(ring))
		return clock_now() + LOOK_NS;
	return expiry;
}

/* What the set has told of since the last round. */
struct report {
	struct epoll_event events[EVENTS_AT_ONCE];
	long count;
};

static bool tells_of(const struct report *report, const struct ring *ring)
{
	for (long i = 0; i < report->count; i++) {
		if (report->events[i].data.ptr == ring)
			return true;
	}
	return false;
}

/* Look at every ring once. When to look again, monotonic; *alone: no ring is left. */
static int64_t go_round(const struct report *report, bool *alone)
{
	int64_t again = CLOCK_NEVER;
	unsigned rings = 0;
	struct list *node;

	pthread_mutex_lock(&attendant.lock);
	list_for_each (node, &attendant.rings)
		rings++;
	while (rings-- && !list_empty(&attendant.rings)) {
		struct ring *ring = ring_of(attendant.rings.next);
		enum duty duty = look_at(ring, tells_of(report, ring));
		int64_t next;
		bool told;

		if (!listed(ring))
			continue;
		list_remove(&ring->attended.node);
		list_append(&attendant.rings, &ring->attended.node);
		if (duty == DUTY_DRIVE || duty == DUTY_ANNOUNCE) {
			asyncring__ring_hold(ring);
			pthread_mutex_unlock(&attendant.lock);
			told = do_duty(ring, duty);
			pthread_mutex_lock(&attendant.lock);
			if (!told)
				ring->attended.told = false;
			next = next_look(ring, duty);
			asyncring__ring_put(ring);
		} else
			next = next_look(ring, duty);
		if (next < again)
			again = next;
	}
	*alone = list_empty(&attendant.rings);
	pthread_mutex_unlock(&attendant.lock);
	return again;
}

/* The end, unless there is work again. */
static bool leave(bool lingered)
{
	bool end;

	pthread_mutex_lock(&attendant.lock);
	end = attendant.stopping || (lingered && list_empty(&attendant.rings));
	if (end && !attendant.stopping) {
		attendant.left = true;
		attendant.running = false;
		sys_close(attendant.epoll_fd);
		sys_close(attendant.wake_fd);
	}
	pthread_mutex_unlock(&attendant.lock);
	return end;
}

static void *run(void *argument)
{
	struct report report = {.count = 0};
	bool lingered = false;

	(void)argument;
	asyncring__thread_name("iou-poll");
	while (!leave(lingered)) {
		bool alone;
		int64_t again = go_round(&report, &alone);
		struct timespec timeout;
		struct pollfd poll = {.fd = attendant.epoll_fd, .events = POLLIN};
		int ready;

		timeout = clock_left(alone ? clock_now() + LINGER_NS : again);
		ready = sys_ppoll(&poll, 1, alone || again != CLOCK_NEVER ? &timeout : NULL, NULL);
		report.count = 0;
		if (ready > 0)
			report.count = sys(SYS_epoll_pwait, attendant.epoll_fd, report.events,
					   EVENTS_AT_ONCE, 0, NULL, _NSIG / 8);
		lingered = alone && !ready;
	}
	return NULL;
}

/* ---- starting and stopping; attendant.lock held ---- */

static void join_left(void)
{
	if (attendant.left)
		asyncring__thread_join(attendant.thread);
	attendant.left = false;
}

static bool start(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	join_left();
	attendant.wake_fd =
		asyncring__file_make(asyncring__make_eventfd, EFD_CLOEXEC | EFD_NONBLOCK);
	attendant.epoll_fd = asyncring__file_make(asyncring__make_epoll, EPOLL_CLOEXEC);
	if (attendant.wake_fd >= 0 && attendant.epoll_fd >= 0 &&
	    !sys(SYS_epoll_ctl, attendant.epoll_fd, EPOLL_CTL_ADD, attendant.wake_fd, &event) &&
	    !asyncring__thread_start(&attendant.thread, run, NULL)) {
		attendant.running = true;
		return true;
	}
	if (attendant.wake_fd >= 0)
		sys_close(attendant.wake_fd);
	if (attendant.epoll_fd >= 0)
		sys_close(attendant.epoll_fd);
	return false;
}

static void rouse(void)
{
	uint64_t one = 1;

	if (attendant.running)
		sys_write(attendant.wake_fd, &one, sizeof(one));
}

/* ---- for the others ---- */

bool asyncring__attended(const struct ring *ring)
{
	return listed(ring);
}

bool asyncring__attend_needed(struct ring *ring)
{
	if (listed(ring))
		return false;
	/* The owner comes when it likes, and sees by itself if it has to, unless it is to be told.
	 */
	return !ring_defers(ring) || ring->eventfd ||
	       !atomic_load_explicit(&ring_poller(ring)->shown, memory_order_relaxed);
}

/* The owner has come, as it was told to, and goes: from now on it is to be told again. */
static void tell_again(struct ring *ring)
{
	pthread_mutex_lock(&attendant.lock);
	if (ring->attended.told)
		rouse();
	ring->attended.told = false;
	pthread_mutex_unlock(&attendant.lock);
}

void asyncring__attend(struct ring *ring)
{
	if (announces(ring) && adopted(ring))
		tell_again(ring);
	if (!asyncring__attend_needed(ring))
		return;
	pthread_mutex_lock(&attendant.lock);
	/* Relaxed: set before the ring is forgotten under the lock. */
	if (!listed(ring) && !atomic_load_explicit(&ring->closing, memory_order_relaxed) &&
	    (attendant.running || start())) {
		list_append(&attendant.rings, &ring->attended.node);
		atomic_store_explicit(&ring->attended.listed, true, memory_order_seq_cst);
		ring->attended.driven = 0;
		ring->attended.told = false;
		rouse();
	}
	pthread_mutex_unlock(&attendant.lock);
}

void asyncring__attend_release(struct ring *ring)
{
	if (!adopted(ring))
		return;
	pthread_mutex_lock(&attendant.lock);
	if (adopted(ring)) {
		let_go(ring);
		/* It has to look by the clock again: the ring will soon be left again. */
		rouse();
	}
	pthread_mutex_unlock(&attendant.lock);
}

void asyncring__attend_hurry(struct ring *ring)
{
	if (!adopted(ring))
		return;
	pthread_mutex_lock(&attendant.lock);
	rouse();
	pthread_mutex_unlock(&attendant.lock);
}

void asyncring__attend_forget(struct ring *ring)
{
	pthread_mutex_lock(&attendant.lock);
	if (listed(ring)) {
		unlist(ring);
		rouse();
	}
	pthread_mutex_unlock(&attendant.lock);
}

void asyncring__attendant_retire(void)
{
	struct list *node;
	pthread_t thread;

	pthread_mutex_lock(&attendant.lock);
	join_left();
	if (!attendant.running || attendant.stopping || !list_empty(&attendant.rings)) {
		pthread_mutex_unlock(&attendant.lock);
		return;
	}
	attendant.stopping = true;
	thread = attendant.thread;
	rouse();
	pthread_mutex_unlock(&attendant.lock);
	asyncring__thread_join(thread);
	pthread_mutex_lock(&attendant.lock);
	attendant.stopping = attendant.running = false;
	/* Rings made in the meantime came too late for that thread. */
	list_for_each (node, &attendant.rings)
		let_go(ring_of(node));
	sys_close(attendant.epoll_fd);
	sys_close(attendant.wake_fd);
	if (!list_empty(&attendant.rings) && !start())
		while (!list_empty(&attendant.rings))
			unlist(ring_of(attendant.rings.next));
	pthread_mutex_unlock(&attendant.lock);
}

/* ---- fork ---- */

void asyncring__attendant_before_fork(void)
{
	pthread_mutex_lock(&attendant.lock);
}

void asyncring__attendant_after_fork_parent(void)
{
	pthread_mutex_unlock(&attendant.lock);
}

/* The thread is not there in the child, and the rings are not its own. */
void asyncring__attendant_after_fork_child(void)
{
	if (attendant.running) {
		sys_close(attendant.epoll_fd);
		sys_close(attendant.wake_fd);
	}
	while (list_take_first(&attendant.rings))
		;
	attendant.running = attendant.stopping = attendant.left = false;
	pthread_mutex_unlock(&attendant.lock);
}
