/* SPDX-License-Identifier: MIT */
/*
 * Telling those who do not sleep in enter(): the ring's descriptor becomes readable for poll and
 * epoll, and the registered eventfd is signalled.
 *
 * The ring's descriptor is an epoll set with one eventfd inside: it polls as the eventfd does, it
 * survives dup, and read() of it is refused. The application takes CQEs out without a call, so the
 * descriptor cannot be made unreadable at that moment; and a write and a read of the eventfd for
 * each batch would cost more than all the rest of an inline request. So the readability is lazy:
 *
 *   UNREADABLE --post: write the eventfd--> READABLE --empty look at the CQ: read it--> UNREADABLE
 *
 * with RISING and FALLING in between, owned by the thread that makes the change. While it is
 * READABLE, posting costs nothing. Whoever polls the descriptor, is told that it is readable and
 * then finds the CQ empty, has made an "empty look": the application side sees SQ_FD_READABLE and
 * makes one call of enter(GETEVENTS), which takes the readability back. A program that never polls
 * the descriptor pays for one write in the life of the ring.
 *
 * Why no wake-up is lost: a poster publishes its CQEs first and looks at the state afterwards. If
 * it finds READABLE or another poster's RISING, the descriptor is or becomes readable. If it finds
 * FALLING it goes away, but then the taker, who looks at the CQ again after storing UNREADABLE,
 * sees those CQEs and makes the descriptor readable itself. For this every operation on the state
 * is sequentially consistent.
 *
 * Who waits for edges is woken by the write alone, which comes before READABLE is stored, and may
 * make its empty look in between. Would that look be lost, the descriptor stayed readable, and no
 * later CQE would make an edge. So the flag is set before the write, for the application to see it
 * once it is woken; and an empty look that finds RISING leaves the mark LOOKED, with which the
 * poster takes back what it has just done and looks at the CQ itself. tests/models/readable.pml
 *
 * With SETUP_SQPOLL the application makes no call while the SQ thread is awake, and its empty look
 * is nobody's to hear of: the SQ thread looks for it. Once the ring has had nothing to do for some
 * turns and the CQ is empty, and in any case before it sleeps, the thread takes the readability
 * back. (While it sleeps the application calls, as on other rings.) Who spins through busy times
 * is not charged with a write and a read for each batch. So whoever waits for edges may wait while
 * the state is still READABLE, and has to be told by another write:
 *
 *   - Others than the SQ thread write with each post, through RISING like the first time. Who finds
 *     another's RISING leaves the mark LOOKED: that write may have come before this post.
 *   - The SQ thread, which goes on looking anyway, owes that write for a few turns, and does not
 *     make it if by then the application has taken what was posted.
 *
 * tests/models/readable_sqpoll.pml
 */
#include "../engine/poller.h"
#include "../engine/sq_thread.h"
#include "core.h"
#include "wait.h"

enum readable_state { UNREADABLE, RISING, LOOKED, READABLE, FALLING };

static void add_one(int fd)
{
	uint64_t one = 1;

	sys_write(fd, &one, sizeof(one));
}

static bool change(struct ring *ring, uint32_t from, uint32_t to)
{
	/* The plain look first: in the common case nothing is to be done, and nothing is written.
	 */
	return atomic_load_explicit(&ring->readable, memory_order_seq_cst) == from &&
	       atomic_compare_exchange_strong_explicit(&ring->readable, &from, to,
						       memory_order_seq_cst, memory_order_seq_cst);
}

static bool something_to_see(struct ring *ring)
{
	bool something;

	lock_acquire(&ring->control->cq_lock);
	something =
		ring->deferred_slots || !list_empty(&ring->backlog) || asyncring__cq_ready(ring);
	lock_release(&ring->control->cq_lock);
	return something;
}

/* The state is the caller's to change. True if there is something to see again. */
static bool take_back(struct ring *ring)
{
	uint64_t count;

	atomic_fetch_and_explicit(&ring->words->sq_flags, ~ASYNCRING_SQ_FD_READABLE,
				  memory_order_relaxed);
	sys_read(ring->event_fd, &count, sizeof(count));
	atomic_store_explicit(&ring->readable, UNREADABLE, memory_order_seq_cst);
	return something_to_see(ring);
}

/*
 * Is it the caller's to write the eventfd? With @again also if the descriptor is readable, so that
 * there is an edge after what was posted.
 */
static bool begin_to_raise(struct ring *ring, bool again)
{
	uint32_t state;

	do {
		if (change(ring, UNREADABLE, RISING))
			return true;
		if (!again || change(ring, RISING, LOOKED))
			return false;
		if (change(ring, READABLE, RISING))
			return true;
		/* With these two somebody is going to look at the CQ, and raises it if need be. */
		state = atomic_load_explicit(&ring->readable, memory_order_seq_cst);
	} while (state != LOOKED && state != FALLING);
	return false;
}

static bool raise_readable(struct ring *ring, bool again)
{
	bool raised = false;

	while (begin_to_raise(ring, again)) {
		raised = true;
		atomic_fetch_or_explicit(&ring->words->sq_flags, ASYNCRING_SQ_FD_READABLE,
					 memory_order_relaxed);
		add_one(ring->event_fd);
		if (change(ring, RISING, READABLE) || !take_back(ring))
			break;
	}
	return raised;
}

/* ---- with an SQ thread ---- */

/*
 * In turns of the SQ thread: a batch, or about two microseconds in which nothing comes (less if it
 * has several rings).
 */
enum { TURNS_OWED = 4, TURNS_READABLE = 8 };

static void owe_edge(struct ring *ring)
{
	struct sq_turns *turns = &ring->sq_turns;
	/* Relaxed: the application's head does no more than spare a write. */
	uint32_t head = atomic_load_explicit(&ring->words->cq_head, memory_order_relaxed);

	if (turns->owed && (int32_t)(head - turns->due) < 0)
		return;
	turns->due = atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed);
	turns->owed = 1;
}

static void pay_edge(struct ring *ring)
{
	struct sq_turns *turns = &ring->sq_turns;
	uint32_t head = atomic_load_explicit(&ring->words->cq_head, memory_order_relaxed);

	turns->owed = 0;
	if ((int32_t)(head - turns->due) < 0)
		raise_readable(ring, true);
	else if (asyncring__cq_ready(ring))
		/* What has come meanwhile, of which some may be owed, too. */
		owe_edge(ring);
}

void asyncring__notify_turn(struct ring *ring, bool worked)
{
	struct sq_turns *turns = &ring->sq_turns;

	if (turns->owed && ++turns->owed > TURNS_OWED)
		pay_edge(ring);
	if (worked)
		turns->idle = 0;
	else if (++turns->idle % TURNS_READABLE == 0)
		asyncring__notify_consumed(ring);
}

void asyncring__notify_rest(struct ring *ring)
{
	if (ring->sq_turns.owed && asyncring__cq_ready(ring))
		raise_readable(ring, true);
	ring->sq_turns.owed = 0;
	asyncring__notify_consumed(ring);
}

/* It is not readable, somebody waits for edges, or there is an SQ thread. */
__attribute__((noinline)) static void become_readable(struct ring *ring)
{
	bool serving = asyncring__sq_thread_is_self(ring);
	/* Relaxed: whoever is told of edges has asked for it before there was one to tell of. */
	bool again = atomic_load_explicit(&ring->edges, memory_order_relaxed) ||
		     (ring->flags & ASYNCRING_SETUP_SQPOLL && !serving);

	if (!raise_readable(ring, again) && serving && !again)
		owe_edge(ring);
}

void asyncring__notify_readable(struct ring *ring)
{
	/* Relaxed: as in become_readable. */
	if (ring->flags & ASYNCRING_SETUP_SQPOLL ||
	    atomic_load_explicit(&ring->readable, memory_order_seq_cst) != READABLE ||
	    atomic_load_explicit(&ring->edges, memory_order_relaxed))
		become_readable(ring);
}

/*
 * Signal the application's eventfd. One that is not O_NONBLOCK and whose counter is full would
 * block the poster; it is full, so nobody misses this signal.
 */
static void signal_eventfd(int fd)
{
	const struct timespec no_time = {0};
	struct pollfd poll = {.fd = fd, .events = POLLOUT};

	if (sys_ppoll(&poll, 1, &no_time, NULL) == 1)
		add_one(fd);
}

static bool signals_eventfd(struct ring *ring, const struct wake *wake, bool async)
{
	if (wake->eventfd_async && !async)
		return false;
	/* Relaxed: a switch the application throws when it likes. */
	return !(atomic_load_explicit(&ring->words->cq_flags, memory_order_relaxed) &
		 ASYNCRING_CQ_EVENTFD_DISABLED);
}

void asyncring__notify(struct ring *ring, const struct wake *wake, bool async)
{
	asyncring__notify_readable(ring);
	if (!wake->eventfd)
		return;
	if (signals_eventfd(ring, wake, async)) {
		atomic_fetch_add_explicit(&ring->eventfd_signals, 1, memory_order_relaxed);
		signal_eventfd(wake->eventfd->fd);
	}
	asyncring__file_put(wake->eventfd);
}

void asyncring__announce(struct ring *ring)
{
	struct wake wake = {0};

	if (ring->flags & ASYNCRING_SETUP_TASKRUN_FLAG)
		atomic_fetch_or_explicit(&ring->words->sq_flags, ASYNCRING_SQ_TASKRUN,
					 memory_order_relaxed);
	lock_acquire(&ring->control->cq_lock);
	if (ring->eventfd)
		wake.eventfd = file_get(ring->eventfd);
	wake.eventfd_async = ring->eventfd_async;
	lock_release(&ring->control->cq_lock);
	asyncring__notify(ring, &wake, false);
}

void asyncring__notify_consumed(struct ring *ring)
{
	uint32_t state;

	/* Without the lock first: there may be nothing to take back. */
	if (atomic_load_explicit(&ring->readable, memory_order_seq_cst) == UNREADABLE)
		return;
	if (something_to_see(ring))
		return;
	do {
		state = atomic_load_explicit(&ring->readable, memory_order_seq_cst);
		/* The poster who is about to say READABLE takes note of this look. */
		if (state == RISING && change(ring, RISING, LOOKED))
			return;
		if (state != RISING && state != READABLE)
			return;
	} while (!change(ring, READABLE, FALLING));
	if (take_back(ring))
		asyncring__notify_readable(ring);
}

void asyncring__notify_edges(int fd)
{
	int error;
	struct ring *ring = asyncring__ring_get((unsigned)fd, &error);

	if (!ring)
		return;
	/* Relaxed: as in notify_readable. */
	atomic_store_explicit(&ring->edges, true, memory_order_relaxed);
	asyncring__ring_put(ring);
}

/* With DEFER_TASKRUN a descriptor also tells of what the owner has yet to look for. */
static bool something_to_look_for(struct ring *ring)
{
	const struct timespec no_time = {0};
	const struct poller *poller = ring_defers(ring) ? ring_poller(ring) : NULL;
	struct pollfd poll = {.events = POLLIN};

	if (!poller)
		return false;
	poll.fd = poller->epoll_fd;
	return sys_ppoll(&poll, 1, &no_time, NULL) == 1;
}

void asyncring__notify_settle(struct ring *ring)
{
	if (atomic_load_explicit(&ring->readable, memory_order_seq_cst) != READABLE ||
	    something_to_look_for(ring))
		return;
	/*
	 * Whoever has the lock posts or takes, and may be this very thread, interrupted by a signal
	 * whose handler sleeps for descriptors. Then it stays as it is.
	 */
	if (!lock_try(&ring->control->cq_lock))
		return;
	lock_release(&ring->control->cq_lock);
	asyncring__notify_consumed(ring);
	/* Who came in between may have found the descriptor still readable. */
	if (something_to_look_for(ring))
		asyncring__notify_readable(ring);
}
