/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring in libuv's event loop, beside a timer of that loop.
 */
#include "foreign_loop.h"

#include <uv.h>

struct libuv_loop {
	uv_loop_t loop;
	uv_poll_t poll;
	uv_timer_t timer;
	struct foreign foreign;
};

static void readable(uv_poll_t *poll, int status, int events)
{
	struct libuv_loop *loop = poll->data;

	assert_int_equal(status, 0);
	assert_true(events & UV_READABLE);
	foreign_ready(&loop->foreign);
	if (!foreign_done(&loop->foreign))
		return;
	uv_close((uv_handle_t *)&loop->poll, NULL);
	uv_close((uv_handle_t *)&loop->timer, NULL);
}

static void tick(uv_timer_t *timer)
{
	struct libuv_loop *loop = timer->data;

	foreign_tick(&loop->foreign);
}

static void libuv_loop(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(foreign_modes); i++) {
		struct libuv_loop loop;

		foreign_begin(&loop.foreign, &foreign_modes[i]);
		assert_int_equal(uv_loop_init(&loop.loop), 0);
		assert_int_equal(uv_poll_init(&loop.loop, &loop.poll, foreign_fd(&loop.foreign)),
				 0);
		assert_int_equal(uv_timer_init(&loop.loop, &loop.timer), 0);
		loop.poll.data = loop.timer.data = &loop;
		assert_int_equal(uv_poll_start(&loop.poll, UV_READABLE, readable), 0);
		assert_int_equal(
			uv_timer_start(&loop.timer, tick, FOREIGN_TICK_MS, FOREIGN_TICK_MS), 0);
		assert_int_equal(uv_run(&loop.loop, UV_RUN_DEFAULT), 0);
		assert_int_equal(uv_loop_close(&loop.loop), 0);
		foreign_end(&loop.foreign);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libuv_loop),
	};

	return harness_run(tests);
}
