/* SPDX-License-Identifier: MIT */
/* Description: REGISTER_CLOCK: the clock by which waits of a ring are timed. */
#include "harness.h"

static int set_clock(struct io_uring *ring, uint32_t clock)
{
	struct io_uring_clock_register reg = {.clockid = clock};

	return io_uring_register(ring->ring_fd, IORING_REGISTER_CLOCK, &reg, 0);
}

/* Wait for one completion until @msec after now, on @clock. */
static int wait_until(struct io_uring *ring, clockid_t clock, int64_t msec)
{
	struct io_uring_getevents_arg arg = {0};
	struct __kernel_timespec until;
	struct timespec now;

	clock_gettime(clock, &now);
	msec += (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	until = (struct __kernel_timespec){msec / 1000, msec % 1000 * 1000000};
	arg.ts = (uintptr_t)&until;
	return io_uring_enter2((unsigned)ring->ring_fd, 0, 1,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
				       IORING_ENTER_ABS_TIMER,
			       (void *)&arg, sizeof(arg));
}

static void two_clocks_are_known(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (uint32_t clock = 0; clock < 16; clock++) {
		bool known = clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;

		assert_int_equal(set_clock(&ring, clock), known ? 0 : -EINVAL);
	}
	io_uring_queue_exit(&ring);
}

static void bad_arguments(void **state)
{
	struct io_uring_clock_register reg = {.clockid = CLOCK_MONOTONIC};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register(ring.ring_fd, IORING_REGISTER_CLOCK, &reg, 1), -EINVAL);
	assert_int_equal(io_uring_register(ring.ring_fd, IORING_REGISTER_CLOCK, NULL, 0), -EINVAL);
	assert_int_equal(io_uring_register(ring.ring_fd, IORING_REGISTER_CLOCK, (void *)8, 0),
			 -EFAULT);
	for (unsigned i = 0; i < 3; i++) {
		reg.__resv[i] = 1;
		assert_int_equal(io_uring_register(ring.ring_fd, IORING_REGISTER_CLOCK, &reg, 0),
				 -EINVAL);
		reg.__resv[i] = 0;
	}
	io_uring_queue_exit(&ring);
}

static void waits_go_by_the_clock(void **state)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t before = harness_now_ns();

		assert_int_equal(set_clock(&ring, (uint32_t)clocks[i]), 0);
		assert_int_equal(wait_until(&ring, clocks[i], 30), -ETIME);
		assert_in_range(harness_now_ns() - before, 20000000, 20000000000);
		assert_int_equal(wait_until(&ring, clocks[i], -1000), -ETIME);
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_clocks_are_known),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(waits_go_by_the_clock),
	};

	return harness_run(tests);
}
