/* SPDX-License-Identifier: MIT */
/*
 * Description: the clocks of timeouts, and points in time instead of lengths of it.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

static const struct {
	clockid_t clock;
	unsigned flag;
} clocks[] = {
	{CLOCK_MONOTONIC, 0},
	{CLOCK_BOOTTIME, IORING_TIMEOUT_BOOTTIME},
	{CLOCK_REALTIME, IORING_TIMEOUT_REALTIME},
};

/* This clock's time in msec from now on. */
static struct __kernel_timespec point(clockid_t clock, int msec)
{
	struct timespec now;
	int64_t nsec;

	clock_gettime(clock, &now);
	nsec = now.tv_nsec + msec * (int64_t)MSEC;
	return (struct __kernel_timespec){
		.tv_sec = now.tv_sec + nsec / 1000000000 - (nsec < 0),
		.tv_nsec = nsec % 1000000000 + (nsec < 0 ? 1000000000 : 0),
	};
}

static int64_t nanoseconds(const struct __kernel_timespec *time)
{
	return time->tv_sec * 1000000000 + time->tv_nsec;
}

static void a_length_of_time(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(10);

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t start = harness_now_ns();

		ops_prep(ring, 1, 0, timeout, &soon, 0, clocks[i].flag);
		harness_submit(ring, 1);
		expect(ring, 1, -ETIME);
		assert_true(harness_now_ns() - start >= 10 * MSEC);
		ops_prep(ring, 2, 0, timeout, &never, 0, clocks[i].flag);
		harness_submit(ring, 1);
		expect_pending(ring, 1);
	}
}

static void a_point_in_time(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct __kernel_timespec when = point(clocks[i].clock, 10), then;

		ops_prep(ring, 1, 0, timeout, &when, 0, clocks[i].flag | IORING_TIMEOUT_ABS);
		harness_submit(ring, 1);
		expect(ring, 1, -ETIME);
		then = point(clocks[i].clock, 0);
		assert_true(nanoseconds(&then) >= nanoseconds(&when));
		when = point(clocks[i].clock, 100000000);
		ops_prep(ring, 2, 0, timeout, &when, 0, clocks[i].flag | IORING_TIMEOUT_ABS);
		harness_submit(ring, 1);
		expect_pending(ring, 1);
	}
}

static void a_point_in_the_past(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct __kernel_timespec past[] = {
			{.tv_sec = 0}, {.tv_nsec = 1}, point(clocks[i].clock, -1)};

		for (unsigned k = 0; k < ARRAY_SIZE(past); k++) {
			ops_prep(ring, 1, 0, timeout, &past[k], 0,
				 clocks[i].flag | IORING_TIMEOUT_ABS);
			harness_submit(ring, 1);
			expect(ring, 1, -ETIME);
		}
	}
}

/* The real time, taken for a point on the monotonic clock, is ages away. */
static void clocks_are_told_apart(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec real = point(CLOCK_REALTIME, 0);

	ops_prep(ring, 1, 0, timeout, &real, 0, IORING_TIMEOUT_ABS);
	ops_prep(ring, 2, 0, timeout, &real, 0, IORING_TIMEOUT_ABS | IORING_TIMEOUT_BOOTTIME);
	ops_prep(ring, 3, 0, timeout, &real, 0, IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME);
	harness_submit(ring, 3);
	expect(ring, 3, -ETIME);
	expect_pending(ring, 2);
}

/* Whatever the clock, they run out in the order of time. */
static void clocks_run_out_in_order(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec times[2 * ARRAY_SIZE(clocks)];
	unsigned count = ARRAY_SIZE(times);

	for (unsigned i = count; i-- > 0;) {
		unsigned msec = 20 + 15 * i, clock = i / 2;
		bool absolute = i & 1;

		times[i] = absolute ? point(clocks[clock].clock, (int)msec) : harness_msec(msec);
		ops_prep(ring, i, 0, timeout, &times[i], 0,
			 clocks[clock].flag | (absolute ? IORING_TIMEOUT_ABS : 0));
	}
	harness_submit(ring, count);
	for (unsigned i = 0; i < count; i++)
		expect(ring, i, -ETIME);
}

/* Beyond the end of the clock is as far away as it gets. */
static void beyond_the_end(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec ends[] = {
		{.tv_sec = INT64_MAX},
		{.tv_sec = INT64_MAX, .tv_nsec = INT64_MAX},
		{.tv_sec = INT64_MAX / 1000000000},
		{.tv_sec = INT64_MAX / 1000000000 + 1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(ends); k++) {
			for (unsigned absolute = 0; absolute <= IORING_TIMEOUT_ABS; absolute++) {
				ops_prep(ring, 1, 0, timeout, &ends[k], 0,
					 clocks[i].flag | absolute);
				harness_submit(ring, 1);
				expect_pending(ring, 1);
			}
		}
	}
}

static void a_link_timeout_has_them_too(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (unsigned absolute = 0; absolute <= IORING_TIMEOUT_ABS; absolute++) {
			struct __kernel_timespec when =
				absolute ? point(clocks[i].clock, 5) : harness_msec(5);
			uint64_t start = harness_now_ns();

			ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
			ops_prep(ring, 2, 0, link_timeout, &when, clocks[i].flag | absolute);
			harness_submit(ring, 2);
			expect_both(ring, 2, -ETIME, 1, -ECANCELED);
			assert_true(absolute || harness_now_ns() - start >= 5 * MSEC);
		}
	}
	harness_close_pipe(fds);
}

/* An update keeps the clock that the timeout has, and cannot name another. */
static void an_update_keeps_the_clock(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct __kernel_timespec when = point(clocks[i].clock, 5), then;

		ops_prep(ring, 1, 0, timeout, &never, 0, clocks[i].flag);
		harness_submit(ring, 1);
		ops_prep(ring, 2, 0, timeout_update, &when, 1,
			 IORING_TIMEOUT_ABS | IORING_TIMEOUT_BOOTTIME);
		harness_submit(ring, 1);
		expect(ring, 2, -EINVAL);
		ops_prep(ring, 2, 0, timeout_update, &when, 1, IORING_TIMEOUT_ABS);
		harness_submit(ring, 1);
		expect(ring, 2, 0);
		expect(ring, 1, -ETIME);
		then = point(clocks[i].clock, 0);
		assert_true(nanoseconds(&then) >= nanoseconds(&when));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_length_of_time),
		ops_test(a_point_in_time),
		ops_test(a_point_in_the_past),
		ops_test(clocks_are_told_apart),
		ops_test(clocks_run_out_in_order),
		ops_test(beyond_the_end),
		ops_test(a_link_timeout_has_them_too),
		ops_test(an_update_keeps_the_clock),
	};

	return harness_run(tests);
}
