/* SPDX-License-Identifier: MIT */
/*
 * Readiness: which requests wait for which files, and what happens when a file is ready.
 *
 * Watches. epoll takes a file under a number once (hazard H4), so all requests of a ring that wait
 * on one struct file share a watch; the set is told the union of what they wait for. A watch stands
 * in the set as long as it has requests, is taken out before their pins are closed (the set would
 * not forget a file that the application still has open), and is level-triggered, so that nothing
 * can be missed between two looks. A request that counts wake-ups rather than levels
 * (REQ_POLL_EDGE) has a watch and a duplicate of the file to itself.
 *
 * Shots. A request that is answered once waits, where it is alone, for one event (EPOLLONESHOT).
 * After that the set is silent about the file, and of a socket whose number is steady the entry is
 * left in the set when the watch is given up: the next request on it need only sharpen it again,
 * at a fifth of what taking it out and in costs. Such an entry is no hidden duplicate. It has no
 * reference to the file, so the socket is closed when its last descriptor is, and the entry goes
 * with it; under the same number another file is another entry. It is left of sockets only, because
 * an entry for an epoll set would still count where the kernel looks for sets that watch each
 * other.
 *
 * Ownership (rule 3). The one word that says who has an armed request is request->state, and
 * submit_lock guards it: arming, an event, an expiring timer and a cancellation each take the lock,
 * look at the state, and whoever finds it ARMED finishes the request. The epoll set itself needs no
 * lock; what it reports names a watch by its number and generation, so that a report that comes
 * after its watch was given up, or given to another file, is recognised and dropped.
 *
 * One thread at a time drives a ring's poller (wait.c says who): so an event is dealt with once.
 */
#include "poller.h"

#include "../clock.h"
#include "../core/core.h"
#include "../core/driver.h"
#include "../core/pending.h"
#include "kernel_aio.h"

/*
 * One struct file that requests of the ring wait on. It has no reference to the file: each of its
 * requests does. submit_lock.
 */
struct watch {
	struct file *file;    /* NULL: unused */
	struct list requests; /* request.node, in the order they were armed */
	uint32_t generation;  /* how often it was given up */
	uint32_t events;      /* what the epoll set is told */
	uint32_t next_free;   /* while unused: the number + 1 of another, 0: none */
	bool spent;	      /* with EPOLLONESHOT: the event has come */
};

enum {
	EVENTS_AT_ONCE = 256,
	CACHE_LINE = 64,
	ARMED_IN_CACHE = 256, /* so many requests may well be, with all that belongs to them */
	ROUNDS_IN_VAIN = 32,  /* in a row, and the driver takes a rest */
	/* What the set reports without being asked. */
	EVENTS_UNASKED = EPOLLERR | EPOLLHUP,
};

/* ---- life ---- */

static int open_set(struct poller *poller)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = POLLER_OWN_EVENT};

	poller->wake_fd = asyncring__file_make(asyncring__make_eventfd, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller->wake_fd < 0)
		return poller->wake_fd;
	poller->epoll_fd = asyncring__file_make(asyncring__make_epoll, EPOLL_CLOEXEC);
	if (poller->epoll_fd < 0)
		return poller->epoll_fd;
	return (int)sys(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_ADD, poller->wake_fd, &event);
}

static void destroy(struct poller *poller)
{
	asyncring__timers_release(&poller->timers);
	if (poller->wake_fd >= 0)
		sys_close(poller->wake_fd);
	if (poller->epoll_fd >= 0)
		sys_close(poller->epoll_fd);
	for (unsigned i = 0; i < poller->block_count; i++)
		asyncring__free(poller->blocks[i]);
	asyncring__free(poller->blocks);
	asyncring__free(poller);
}

/*
 * With DEFER_TASKRUN nothing happens until the owner asks for it, so the ring's descriptor has to
 * tell that there is something to ask for. Best effort: it will ask some time in any case.
 * Whatever is in a ring's set carries the number that duplicates are recognised by (ring_table.c).
 */
static void show(struct ring *ring, struct poller *poller)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = ring->cookie};
	/* Relaxed: still a ring of the process, for a call is in progress on it. */
	int ring_fd = atomic_load_explicit(&ring->fd, memory_order_relaxed);

	if (ring_fd >= 0 && !sys(SYS_epoll_ctl, ring_fd, EPOLL_CTL_ADD, poller->epoll_fd, &event))
		atomic_store_explicit(&poller->shown, true, memory_order_relaxed);
}

/* The set cannot be in the ring's own and have the ring's descriptor in it: the attendant tells. */
static bool unshow(struct ring *ring, struct poller *poller)
{
	if (!atomic_load_explicit(&poller->shown, memory_order_relaxed))
		return false;
	atomic_store_explicit(&poller->shown, false, memory_order_relaxed);
	sys(SYS_epoll_ctl, atomic_load_explicit(&ring->fd, memory_order_relaxed), EPOLL_CTL_DEL,
	    poller->epoll_fd, NULL);
	return true;
}

struct poller *asyncring__poller_get(struct ring *ring, int *error)
{
	struct poller *poller = ring_poller(ring);

	if (poller)
		return poller;
	poller = asyncring__alloc_zeroed(1, sizeof(*poller));
	if (!poller) {
		*error = -ENOMEM;
		return NULL;
	}
	poller->epoll_fd = poller->wake_fd = -1;
	asyncring__timers_init(&poller->timers);
	atomic_store_explicit(&poller->next_expiry, INT64_MAX, memory_order_relaxed);
	*error = open_set(poller);
	if (!*error && ring_defers(ring) && !(ring->flags & ASYNCRING_SETUP_TASKRUN_FLAG))
		show(ring, poller);
	if (*error) {
		destroy(poller);
		return NULL;
	}
	/* Release, pairs with the acquire in ring_poller: waiters look without submit_lock. */
	atomic_store_explicit(&ring->poller, poller, memory_order_release);
	return poller;
}

void asyncring__poller_destroy(struct ring *ring)
{
	struct poller *poller = ring_poller(ring);

	if (!poller)
		return;
	atomic_store_explicit(&ring->poller, NULL, memory_order_relaxed);
	destroy(poller);
}

/* ---- watches ---- */

static struct watch *watch_at(const struct poller *poller, uint32_t number)
{
	return &poller->blocks[number / WATCHES_PER_BLOCK][number % WATCHES_PER_BLOCK];
}

static bool grow(struct poller *poller)
{
	struct watch **blocks = asyncring__alloc((poller->block_count + 1) * sizeof(void *));
	struct watch *block = asyncring__alloc_zeroed(WATCHES_PER_BLOCK, sizeof(*block));
	uint32_t first = poller->block_count * WATCHES_PER_BLOCK;

	if (!blocks || !block) {
		asyncring__free(blocks);
		asyncring__free(block);
		return false;
	}
	for (unsigned i = 0; i < poller->block_count; i++)
		blocks[i] = poller->blocks[i];
	asyncring__free(poller->blocks);
	poller->blocks = blocks;
	blocks[poller->block_count++] = block;
	for (uint32_t i = WATCHES_PER_BLOCK; i-- > 0;) {
		list_init(&block[i].requests);
		block[i].next_free = poller->free_watch;
		poller->free_watch = first + i + 1;
	}
	return true;
}

static int tell(const struct poller *poller, int operation, const struct watch *watch,
		uint32_t number, uint32_t events)
{
	struct epoll_event event = {.events = events,
				    .data.u64 = (uint64_t)watch->generation << 32 | number};

	return (int)sys(SYS_epoll_ctl, poller->epoll_fd, operation, watch->file->fd, &event);
}

/* Is the entry of @file in the set worth keeping? */
static bool keeps(const struct file *file)
{
	return file->socket && file->steady;
}

/* Put @watch into the set, or sharpen the entry that is there still. 0 or a negative errno. */
static int enter_set(const struct poller *poller, const struct watch *watch, uint32_t number,
		     uint32_t events)
{
	int first = keeps(watch->file) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int error = tell(poller, first, watch, number, events);

	if (error == -ENOENT)
		return tell(poller, EPOLL_CTL_ADD, watch, number, events);
	/* Left when the number was a steady one. */
	if (error == -EEXIST)
		return tell(poller, EPOLL_CTL_MOD, watch, number, events);
	return error;
}

/* Give @file a watch of its own, waiting for @events: its number, or a negative errno. */
static int64_t open_watch(struct poller *poller, struct file *file, uint32_t events)
{
	struct watch *watch;
	uint32_t number;
	int error;

	if (!poller->free_watch && !grow(poller))
		return -ENOMEM;
	number = poller->free_watch - 1;
	watch = watch_at(poller, number);
	watch->file = file;
	error = enter_set(poller, watch, number, events);
	if (error) {
		watch->file = NULL;
		return error;
	}
	watch->events = events;
	watch->spent = false;
	poller->free_watch = watch->next_free;
	return number;
}

static void close_watch(struct poller *poller, uint32_t number)
{
	struct watch *watch = watch_at(poller, number);

	if (!watch->spent || !keeps(watch->file))
		tell(poller, EPOLL_CTL_DEL, watch, number, 0);
	/* Relaxed: the claim itself guards nothing but the right to make it again. */
	atomic_store_explicit(&watch->file->watcher, NULL, memory_order_relaxed);
	watch->file = NULL;
	watch->generation++;
	watch->next_free = poller->free_watch;
	poller->free_watch = number + 1;
}

/* What the requests of @watch wait for, all together. */
static uint32_t wanted(const struct watch *watch)
{
	uint32_t events = 0;
	struct list *node;

	list_for_each (node, &watch->requests) {
		const struct request *request = container_of(node, struct request, node);

		events |= request->poll_events;
		if (request->flags & REQ_POLL_EDGE)
			events |= EPOLLET;
		/* Thousands may wait for the same. */
		if (events == watch->events)
			break;
	}
	return events;
}

/* ---- arming ---- */

/* Is @file this ring's to watch? Then its watch, if it has one already, is file->watch. */
static bool claim(struct ring *ring, struct file *file, bool *watched)
{
	struct ring *nobody = NULL;

	*watched = atomic_load_explicit(&file->watcher, memory_order_relaxed) == ring;
	return *watched ||
	       atomic_compare_exchange_strong_explicit(&file->watcher, &nobody, ring,
						       memory_order_relaxed, memory_order_relaxed);
}

/* Replace the request's reference by one to a duplicate of its own. 0 or a negative errno. */
static int take_duplicate(struct request *request)
{
	int error = 0;
	struct file *copy =
		asyncring__file_pin_again(request->file, request->flags & REQ_POSITION, &error);

	if (!copy)
		return error;
	asyncring__file_put(request->file);
	request->file = copy;
	return 0;
}

static int join(struct poller *poller, struct request *request)
{
	uint32_t number = request->file->watch;
	struct watch *watch = watch_at(poller, number);
	uint32_t events = (watch->events & ~(uint32_t)EPOLLONESHOT) | request->poll_events;
	int error = 0;

	if (events != watch->events)
		error = tell(poller, EPOLL_CTL_MOD, watch, number, events);
	if (!error)
		watch->events = events;
	return error;
}

/* What the set is told for a request that is alone. */
static uint32_t events_alone(const struct request *request)
{
	uint32_t events = request->poll_events;

	if (request->flags & REQ_POLL_EDGE)
		events |= EPOLLET;
	else if (!(request->flags & REQ_MULTISHOT) && keeps(request->file))
		events |= EPOLLONESHOT;
	return events;
}

int asyncring__poller_arm(struct request *request)
{
	struct ring *ring = request->ring;
	bool edge = request->flags & REQ_POLL_EDGE, watched = false;
	int error = 0;
	struct poller *poller = asyncring__poller_get(ring, &error);
	int64_t number;

	if (!poller)
		return error;
	if (!claim(ring, request->file, &watched) ||
	    (watched && (edge || watch_at(poller, request->file->watch)->events & EPOLLET))) {
		error = take_duplicate(request);
		if (error)
			return error;
		claim(ring, request->file, &watched);
	}
	if (watched) {
		error = join(poller, request);
		if (error)
			return error;
	} else {
		uint32_t events = events_alone(request);

		number = open_watch(poller, request->file, events);
		if (number == -ELOOP && unshow(ring, poller))
			number = open_watch(poller, request->file, events);
		if (number < 0) {
			atomic_store_explicit(&request->file->watcher, NULL, memory_order_relaxed);
			return (int)number;
		}
		request->file->watch = (uint32_t)number;
		ring->batch.look_again |= edge;
	}
	list_append(&watch_at(poller, request->file->watch)->requests, &request->node);
	request->state = STATE_ARMED;
	asyncring__pending_add(request);
	atomic_fetch_add_explicit(&poller->pending, 1, memory_order_seq_cst);
	return 0;
}

void asyncring__poller_disarm(struct request *request)
{
	struct poller *poller = ring_poller(request->ring);
	uint32_t number = request->file->watch;
	struct watch *watch = watch_at(poller, number);
	uint32_t events;

	list_remove(&request->node);
	asyncring__pending_remove(request);
	request->state = STATE_SUBMITTER;
	atomic_fetch_sub_explicit(&poller->pending, 1, memory_order_seq_cst);
	if (list_empty(&watch->requests)) {
		close_watch(poller, number);
		return;
	}
	events = wanted(watch);
	/* It can only become less; should the set not hear of it, events are looked at in vain. */
	if (events != watch->events && !tell(poller, EPOLL_CTL_MOD, watch, number, events))
		watch->events = events;
}

/* ---- driving ---- */

static void watch_ready(struct poller *poller, const struct epoll_event *event)
{
	uint32_t number = (uint32_t)event->data.u64;
	struct watch *watch = watch_at(poller, number);
	struct list *node, *following;

	/* Given up since, and perhaps somebody else's. */
	if (!watch->file || watch->generation != event->data.u64 >> 32)
		return;
	watch->spent = watch->events & EPOLLONESHOT;
	list_for_each_safe (node, following, &watch->requests) {
		struct request *request = container_of(node, struct request, node);

		if (event->events & (request->poll_events | EVENTS_UNASKED))
			asyncring__request_ready(request, event->events);
	}
	/* The event was not what the request waits for. */
	if (watch->spent && !list_empty(&watch->requests)) {
		watch->spent = false;
		tell(poller, EPOLL_CTL_MOD, watch, number, watch->events);
	}
}

/*
 * Where thousands wait, nothing of a request is in the cache any more when its event comes. So
 * while one is dealt with, which takes a system call, the next one is fetched, and the watch of the
 * one after that. (In line, because compilers do away with calls of functions that only fetch.)
 */
static inline __attribute__((always_inline)) void
fetch_ahead(const struct poller *poller, const struct epoll_event *event, int left)
{
	if (left > 2 && event[2].data.u64 != POLLER_OWN_EVENT)
		__builtin_prefetch(watch_at(poller, (uint32_t)event[2].data.u64));
	if (left > 1 && event[1].data.u64 != POLLER_OWN_EVENT) {
		const struct watch *watch = watch_at(poller, (uint32_t)event[1].data.u64);
		const char *request =
			(const char *)container_of(watch->requests.next, struct request, node);

		for (size_t at = 0; at < sizeof(struct request); at += CACHE_LINE)
			__builtin_prefetch(request + at);
		__builtin_prefetch(watch->file);
	}
}

static void expire_timers(struct ring *ring)
{
	int64_t now[TIMER_CLOCKS] = {0};
	struct timer *timer;

	while ((timer = asyncring__timer_take_expired(ring, now)))
		asyncring__request_ready(request_of_data(timer), 0);
}

/* The number of events that are there, or a negative errno. */
static int look_for_events(const struct poller *poller, struct epoll_event *events)
{
	return (int)sys(SYS_epoll_pwait, poller->epoll_fd, events, EVENTS_AT_ONCE, 0, NULL,
			_NSIG / 8);
}

/* As look_for_events, but sleep first if there is none. */
static int sleep_for_events(const struct poller *poller, struct epoll_event *events,
			    int64_t timeout_ns, const sigset_t *mask)
{
	struct timespec timeout = {.tv_sec = timeout_ns / NSEC_PER_SEC,
				   .tv_nsec = timeout_ns % NSEC_PER_SEC};
	struct pollfd poll = {.fd = poller->epoll_fd, .events = POLLIN};
	int count;

#ifdef SYS_epoll_pwait2
	count = (int)sys(SYS_epoll_pwait2, poller->epoll_fd, events, EVENTS_AT_ONCE,
			 timeout_ns < 0 ? NULL : &timeout, mask, _NSIG / 8);
	if (count != -ENOSYS && count != -EPERM)
		return count;
#endif
	count = sys_ppoll(&poll, 1, timeout_ns < 0 ? NULL : &timeout, mask);
	return count <= 0 ? count : look_for_events(poller, events);
}

/* Look again and again: the number of events, 0 if none came soon, or a negative errno. */
static int look_awake(struct poller *poller, struct epoll_event *events)
{
	int64_t end = clock_now() + SPIN_NS;
	int count = 0;

	for (unsigned looks = 0; !count && looks < SPIN_LOOKS_MAX && clock_now() < end; looks++)
		count = look_for_events(poller, events);
	if (count > 0)
		spin_paid(&poller->spin);
	else
		spin_failed(&poller->spin);
	return count;
}

/* Signals that a thread keeps back while it stays awake in a wait. */
struct kept {
	bool any;
	sigset_t own; /* then: the mask they are let in with */
};

/*
 * All but what a thread brings upon itself, which the kernel does not keep back: it kills, and be
 * it for a filter of the application's that traps a call (SIGSYS).
 */
static void keep_signals(struct kept *kept)
{
	static const int at_once[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
	uint64_t mask = UINT64_MAX;

	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++)
		mask &= ~(1ull << (at_once[i] - 1));
	kept->any = !sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &kept->own, _NSIG / 8);
}

/* Is this a wait that what there is in the CQ does not end? */
static bool waits_on(const struct ring *ring)
{
	/* What it waits for only the driver changes. Relaxed: what is posted now wakes it. */
	return ring->driver.waits &&
	       (int32_t)(atomic_load_explicit(&ring->cq_tail, memory_order_relaxed) -
			 ring->driver.tail) < 0;
}

/* True if one of them is to end the wait: one that is handled, where events have not ended it. */
static bool let_signals_in(const struct ring *ring, const struct kept *kept)
{
	static const struct timespec no_time;
	bool interrupted = false;

	if (!kept->any)
		return false;
	/* The only thing that tells of one that is not just ignored is a sleep. */
	if (waits_on(ring))
		interrupted = sys_ppoll(NULL, 0, &no_time, &kept->own) == -EINTR;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &kept->own, NULL, _NSIG / 8);
	return interrupted;
}

/*
 * Wait without sleeping, if what the ring has to wait for comes in quick succession. A signal that
 * comes meanwhile must end the wait as it would end the sleep, so all are kept back.
 */
static int wait_awake(struct poller *poller, struct epoll_event *events, struct kept *kept)
{
	int count = look_for_events(poller, events);

	if (count)
		return count;
	keep_signals(kept);
	return kept->any ? look_awake(poller, events) : 0;
}

/* Is nothing to be waited for but events and timers, under the thread's own mask, and long? */
static bool may_wait_awake(struct ring *ring, int64_t timeout_ns, const sigset_t *mask)
{
	const struct poller *poller = ring_poller(ring);

	/* Relaxed: hints. What the pool or the kernel carries out comes when it is done. */
	return !mask && (timeout_ns < 0 || timeout_ns > SPIN_SHORT_NS) &&
	       spin_is_worth_it(&poller->spin) &&
	       atomic_load_explicit(&ring->active, memory_order_relaxed) <=
		       atomic_load_explicit(&poller->pending, memory_order_relaxed);
}

/* Wait for events: their number, or a negative errno. Signals may be kept back after it. */
static int wait_for_events(struct ring *ring, struct epoll_event *events, int64_t timeout_ns,
			   const sigset_t *mask, struct kept *kept)
{
	struct poller *poller = ring_poller(ring);
	int64_t begin;
	int count = 0;

	if (!timeout_ns)
		return look_for_events(poller, events);
	if (may_wait_awake(ring, timeout_ns, mask))
		count = wait_awake(poller, events, kept);
	if (!count) {
		begin = clock_now();
		count = sleep_for_events(poller, events, timeout_ns, kept->any ? &kept->own : mask);
		spin_slept(&poller->spin, clock_now() - begin);
	}
	return count;
}

/*
 * Some files are ready without being so: a datagram socket can be written to, but its peer's queue
 * is full; an error queue that nobody reads is an event for ever. Level-triggered as the set is, a
 * driver would go round and round for them.
 */
static void count_vain(struct ring *ring, int events, uint32_t tail, uint32_t pending)
{
	struct poller *poller = ring_poller(ring);
	uint32_t vain = 0;

	/* Relaxed, here and below: hints, for whoever drives. */
	if (events > 0 &&
	    tail == atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed) &&
	    pending == atomic_load_explicit(&poller->pending, memory_order_relaxed))
		vain = atomic_load_explicit(&poller->vain, memory_order_relaxed) + 1;
	atomic_store_explicit(&poller->vain, vain, memory_order_relaxed);
}

int asyncring__poller_rest(struct poller *poller, const sigset_t *mask)
{
	static const struct timespec rest = {.tv_nsec = NSEC_PER_MSEC};

	if (atomic_load_explicit(&poller->vain, memory_order_relaxed) < ROUNDS_IN_VAIN)
		return 0;
	atomic_store_explicit(&poller->vain, 0, memory_order_relaxed);
	return sys_ppoll(NULL, 0, &rest, mask);
}

int asyncring__poller_drive(struct ring *ring, int64_t timeout_ns, const sigset_t *mask)
{
	struct poller *poller = ring_poller(ring);
	struct epoll_event events[EVENTS_AT_ONCE];
	struct kept kept = {0};
	int count = wait_for_events(ring, events, timeout_ns, mask, &kept);
	uint32_t tail, pending;
	bool transferred;

	asyncring__driver_awake(ring);
	if (count < 0 && count != -EINTR)
		count = 0;
	/*
	 * What is deferred may be what these events' requests stood behind in their chains: it was
	 * posted before they were armed, and they are not to overtake it.
	 */
	if (ring_defers(ring) && atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed))
		asyncring__cq_flush(ring, true);
	ring_lock(ring);
	tail = atomic_load_explicit(&ring->words->cq_tail, memory_order_relaxed);
	pending = atomic_load_explicit(&poller->pending, memory_order_relaxed);
	transferred = asyncring__kernel_aio_reap(ring, true);
	for (int i = 0; i < count; i++)
		if (events[i].data.u64 != POLLER_OWN_EVENT) {
			if (pending > ARMED_IN_CACHE)
				fetch_ahead(poller, &events[i], count - i);
			watch_ready(poller, &events[i]);
		}
	expire_timers(ring);
	asyncring__batch_finish(ring);
	count_vain(ring, transferred ? 0 : count, tail, pending);
	ring_unlock(ring);
	if (let_signals_in(ring, &kept))
		return -EINTR;
	return count < 0 ? count : 0;
}

void asyncring__poller_wake(struct poller *poller)
{
	uint64_t one = 1;

	sys_write(poller->wake_fd, &one, sizeof(one));
}
