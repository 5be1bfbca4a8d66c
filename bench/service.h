/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark asks of an interface beyond files: to serve connections, and to keep timers.
 * The work is done inside the engine, the way its interface is meant to be used; network.c and
 * timers.c only time it. One thread. Errors are negative errno.
 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "meter.h"

/* Bytes of a message, and of the buffers: there is room for more, as there is in practice. */
#define MESSAGE_SIZE 64U
#define BUFFER_SIZE  256U

struct latency {
	uint64_t nanoseconds;	     /* all together */
	struct histogram *histogram; /* or NULL */
};

/* Timers number n of which ought to fire at the time earliest + n * step. */
struct lateness {
	uint64_t earliest;
	uint64_t step;
	struct histogram *histogram;
};

struct service_setup {
	/* Connected stream sockets, blocking. What comes in there is sent back. */
	int *connections;
	unsigned count;
	/* If not negative: a listening socket whose connections are accepted and closed at once. */
	int listener;
	/* Where an interface has both: receive once at a time, not until further notice. */
	bool oneshot;
	/*
	 * There are not descriptors enough for anybody who keeps a second one of each connection:
	 * a ring takes them as registered files and closes them.
	 */
	bool registered;
	/* If there: messages are not sent back; each says when it was sent. */
	struct latency *latency;
};

/* Open leaves nothing to be done: turn waits until something comes in. */
struct service {
	int (*open)(void **state, const struct service_setup *setup);
	/* Waits, serves what is there, and returns how many messages or connections these were. */
	int (*turn)(void *state);
	void (*close)(void *state);
};

/* Timers are numbered from 0; each is armed once. */
struct timer_service {
	/* Lateness: a null pointer, or takes how late each is told to have fired. */
	int (*open)(void **state, unsigned count, const struct lateness *lateness);
	/* At this time of the monotonic clock. It may be queued up to the next await. */
	int (*arm)(void *state, unsigned number, uint64_t expiry);
	int (*cancel)(void *state, unsigned number);
	/* Waits until the timers that have ended since open are so many; all have to end well. */
	int (*await)(void *state, unsigned ended);
	void (*close)(void *state);
};

/* A message that says when it was sent has come in. */
static inline void bench_service_note(struct latency *latency, const void *message)
{
	uint64_t sent;

	__builtin_memcpy(&sent, message, sizeof(sent));
	sent = bench_now() - sent;
	latency->nanoseconds += sent;
	if (latency->histogram)
		bench_histogram_add(latency->histogram, sent);
}

static inline void bench_timer_note(const struct lateness *lateness, uint64_t number)
{
	uint64_t expiry = lateness->earliest + number * lateness->step, now = bench_now();

	bench_histogram_add(lateness->histogram, now > expiry ? now - expiry : 0);
}

extern const struct service bench_service_asyncring;
extern const struct service bench_service_epoll;
extern const struct service bench_service_io_uring;
extern const struct service bench_service_libuv;

extern const struct timer_service bench_timers_asyncring;
extern const struct timer_service bench_timers_io_uring;
extern const struct timer_service bench_timers_libuv;

#endif
