/* SPDX-License-Identifier: MIT */
/*
 * Heaps of timers. The earliest monotonic expiry is what a driver sleeps for (poller.c). The other
 * clocks can be set, or go on while the machine is suspended, so for each of them that has timers a
 * timerfd in the poller's set is armed for the earliest: it gets the driver up.
 */
#include <string.h>
#include <sys/timerfd.h>

#include "../clock.h"
#include "../core/core.h"
#include "../core/driver.h"
#include "poller.h"

static const clockid_t clock_ids[TIMER_CLOCKS] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};

enum { FIRST_ROOM = 64 };

int64_t asyncring__timer_now(enum timer_clock clock)
{
	return clock_now_of(clock_ids[clock]);
}

/*
 * Of a timer, in the heap: when it expires stands beside it, and each place has four below it
 * that lie next to each other, so that a way through a heap of many misses the cache but seldom.
 */
struct timer_slot {
	int64_t expiry;
	struct timer *timer;
};

enum { BELOW = 4 };

static bool earlier(const struct timer_slot *a, const struct timer_slot *b)
{
	return a->expiry != b->expiry ? a->expiry < b->expiry
				      : a->timer->sequence < b->timer->sequence;
}

static void place(struct timer_heap *heap, uint32_t place, struct timer_slot slot)
{
	heap->slots[place] = slot;
	slot.timer->place = place + 1;
}

static void sift_up(struct timer_heap *heap, uint32_t at, struct timer_slot slot)
{
	while (at && earlier(&slot, &heap->slots[(at - 1) / BELOW])) {
		place(heap, at, heap->slots[(at - 1) / BELOW]);
		at = (at - 1) / BELOW;
	}
	place(heap, at, slot);
}

/* The earliest of those below @at; heap->count or more: there are none. */
static uint32_t earliest_below(const struct timer_heap *heap, uint32_t at)
{
	uint32_t first = BELOW * at + 1, end = first + BELOW, earliest = first;

	if (end > heap->count)
		end = heap->count;
	for (uint32_t i = first + 1; i < end; i++)
		if (earlier(&heap->slots[i], &heap->slots[earliest]))
			earliest = i;
	return earliest;
}

static void sift_down(struct timer_heap *heap, uint32_t at, struct timer_slot slot)
{
	for (;;) {
		uint32_t below = earliest_below(heap, at);

		if (below >= heap->count || !earlier(&heap->slots[below], &slot))
			break;
		place(heap, at, heap->slots[below]);
		at = below;
	}
	place(heap, at, slot);
}

static bool grow(struct timer_heap *heap)
{
	uint32_t room = heap->room ? heap->room + heap->room / 2 : FIRST_ROOM;
	struct timer_slot *slots = asyncring__alloc(room * sizeof(*slots));

	if (!slots)
		return false;
	if (heap->count)
		memcpy(slots, heap->slots, heap->count * sizeof(*slots));
	asyncring__free(heap->slots);
	heap->slots = slots;
	heap->room = room;
	return true;
}

static int make_timerfd(int clock_id)
{
	return (int)sys(SYS_timerfd_create, clock_id, TFD_CLOEXEC | TFD_NONBLOCK);
}

/* The timerfd for a clock that can be set, in the poller's epoll set. 0 or a negative errno. */
static int open_fd(struct poller *poller, enum timer_clock clock)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = POLLER_OWN_EVENT};
	int error, fd = asyncring__file_make(make_timerfd, (int)clock_ids[clock]);

	if (fd < 0)
		return fd;
	error = (int)sys(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	if (error)
		sys_close(fd);
	else
		poller->timers.fds[clock] = fd;
	return error;
}

static void arm_fd(const struct poller *poller, enum timer_clock clock, int64_t expiry)
{
	struct itimerspec when = {0};

	if (expiry != INT64_MAX) {
		/* A time of 0 would disarm it. */
		when.it_value.tv_sec = expiry / NSEC_PER_SEC;
		when.it_value.tv_nsec = expiry % NSEC_PER_SEC + (expiry == 0);
	}
	sys(SYS_timerfd_settime, poller->timers.fds[clock], TFD_TIMER_ABSTIME, &when, NULL);
}

/* The earliest timer of @clock is another one than before. */
static void top_changed(struct ring *ring, enum timer_clock clock)
{
	struct poller *poller = ring->poller;
	const struct timer_heap *heap = &poller->timers.heaps[clock];
	int64_t expiry = heap->count ? heap->slots[0].expiry : INT64_MAX;

	if (clock == TIMER_MONOTONIC) {
		/* Whoever drives sleeps for it; see also asyncring__timers_show. */
		int64_t before = atomic_exchange_explicit(&poller->next_expiry, expiry,
							  memory_order_seq_cst);

		if (expiry < before)
			asyncring__driver_hurry(ring);
		return;
	}
	arm_fd(poller, clock, expiry);
}

void asyncring__timers_show(struct ring *ring)
{
	struct poller *poller = ring->poller;
	struct timers *timers = &poller->timers;
	int64_t expiry = atomic_load_explicit(&poller->next_expiry, memory_order_relaxed);

	if (expiry == atomic_load_explicit(&timers->shown, memory_order_relaxed))
		return;
	if (timers->fds[TIMER_MONOTONIC] < 0 && open_fd(poller, TIMER_MONOTONIC))
		return;
	atomic_store_explicit(&timers->shown, expiry, memory_order_relaxed);
	arm_fd(poller, TIMER_MONOTONIC, expiry);
}

int asyncring__timer_start(struct ring *ring, struct timer *timer)
{
	int error = 0;
	struct poller *poller = asyncring__poller_get(ring, &error);
	struct timer_heap *heap;

	if (!poller)
		return error;
	heap = &poller->timers.heaps[timer->clock];
	if (timer->clock != TIMER_MONOTONIC && poller->timers.fds[timer->clock] < 0)
		error = open_fd(poller, timer->clock);
	if (error)
		return error;
	if (heap->count == heap->room && !grow(heap))
		return -ENOMEM;
	timer->sequence = ++poller->timers.sequence;
	sift_up(heap, heap->count++, (struct timer_slot){timer->expiry, timer});
	atomic_fetch_add_explicit(&poller->pending, 1, memory_order_seq_cst);
	if (timer->place == 1)
		top_changed(ring, timer->clock);
	return 0;
}

static void remove_slot(struct timer_heap *heap, uint32_t slot)
{
	struct timer_slot last = heap->slots[--heap->count];

	if (slot == heap->count)
		return;
	if (slot && earlier(&last, &heap->slots[(slot - 1) / BELOW]))
		sift_up(heap, slot, last);
	else
		sift_down(heap, slot, last);
}

void asyncring__timer_stop(struct ring *ring, struct timer *timer)
{
	uint32_t slot = timer->place - 1;

	if (!timer->place)
		return;
	remove_slot(&ring->poller->timers.heaps[timer->clock], slot);
	timer->place = 0;
	atomic_fetch_sub_explicit(&ring->poller->pending, 1, memory_order_seq_cst);
	if (!slot)
		top_changed(ring, timer->clock);
}

bool asyncring__timer_due(struct ring *ring)
{
	struct poller *poller = ring_poller(ring);
	int64_t expiry = poller ? atomic_load_explicit(&poller->next_expiry, memory_order_relaxed)
				: INT64_MAX;

	return expiry != INT64_MAX && expiry <= clock_now();
}

struct timer *asyncring__timer_take_expired(struct ring *ring, int64_t now[TIMER_CLOCKS])
{
	struct timers *timers = &ring->poller->timers;

	for (int clock = 0; clock < TIMER_CLOCKS; clock++) {
		struct timer_heap *heap = &timers->heaps[clock];
		struct timer *first;

		if (!heap->count)
			continue;
		if (!now[clock])
			now[clock] = asyncring__timer_now((enum timer_clock)clock);
		if (heap->slots[0].expiry > now[clock])
			continue;
		first = heap->slots[0].timer;
		asyncring__timer_stop(ring, first);
		return first;
	}
	return NULL;
}

void asyncring__timers_init(struct timers *timers)
{
	*timers = (struct timers){.fds = {-1, -1, -1}};
	atomic_store_explicit(&timers->shown, INT64_MAX, memory_order_relaxed);
}

void asyncring__timers_release(struct timers *timers)
{
	for (int clock = 0; clock < TIMER_CLOCKS; clock++) {
		asyncring__free(timers->heaps[clock].slots);
		if (timers->fds[clock] >= 0)
			sys_close(timers->fds[clock]);
	}
}
