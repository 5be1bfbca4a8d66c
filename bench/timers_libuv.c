/* SPDX-License-Identifier: MIT */
/*
 * libuv's timers, which count milliseconds; stopping one is a call that has no completion.
 */
#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "service.h"

struct libuv_timers {
	uv_loop_t loop;
	unsigned ended;
	const struct lateness *lateness; /* or NULL */
	uv_timer_t timers[];
};

static int timers_open(void **state, unsigned count, const struct lateness *lateness)
{
	struct libuv_timers *timers = calloc(1, sizeof(*timers) + count * sizeof(uv_timer_t));
	int error;

	if (!timers)
		return -ENOMEM;
	error = uv_loop_init(&timers->loop);
	if (error) {
		free(timers);
		return error;
	}
	timers->loop.data = timers;
	timers->lateness = lateness;
	*state = timers;
	return 0;
}

static void fired(uv_timer_t *timer)
{
	struct libuv_timers *timers = timer->loop->data;

	if (timers->lateness)
		bench_timer_note(timers->lateness, (uint64_t)(timer - timers->timers));
	timers->ended++;
}

static int timers_arm(void *state, unsigned number, uint64_t expiry)
{
	struct libuv_timers *timers = state;
	uint64_t millisecond = NANOSECONDS / 1000;
	uint64_t base = uv_now(&timers->loop), when = (expiry + millisecond - 1) / millisecond;

	uv_timer_init(&timers->loop, &timers->timers[number]);
	return uv_timer_start(&timers->timers[number], fired, when > base ? when - base : 0, 0);
}

static int timers_cancel(void *state, unsigned number)
{
	struct libuv_timers *timers = state;

	timers->ended++;
	return uv_timer_stop(&timers->timers[number]);
}

static int timers_await(void *state, unsigned ended)
{
	struct libuv_timers *timers = state;

	while (timers->ended < ended)
		uv_run(&timers->loop, UV_RUN_ONCE);
	return 0;
}

static void timers_close(void *state)
{
	struct libuv_timers *timers = state;

	uv_loop_close(&timers->loop);
	free(timers);
}

const struct timer_service bench_timers_libuv = {
	.open = timers_open,
	.arm = timers_arm,
	.cancel = timers_cancel,
	.await = timers_await,
	.close = timers_close,
};
