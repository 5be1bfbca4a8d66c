/* SPDX-License-Identifier: MIT */
/*
 * Description: TIMEOUT that runs out again and again: a number of times, or until it is removed.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

enum { MULTISHOT = IORING_TIMEOUT_MULTISHOT };

static void a_number_of_shots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(5);

	for (unsigned count = 1; count < 5; count++) {
		uint64_t start = harness_now_ns();

		ops_prep(ring, 1, 0, timeout, &soon, count, MULTISHOT);
		harness_submit(ring, 1);
		harness_assert_empty(ring);
		for (unsigned i = 1; i <= count; i++) {
			expect_flags(ring, 1, -ETIME, i < count ? MORE : 0);
			assert_true(harness_now_ns() - start >= i * 5 * MSEC);
		}
		expect_idle(ring);
	}
}

/* Remove the multishot that shoots, and take its last completions. */
static void remove_shooting(struct io_uring *ring)
{
	ops_prep(ring, 2, 0, timeout_remove, 1, 0);
	harness_submit(ring, 1);
	for (unsigned ends = 0; ends < 2;) {
		struct harness_cqe cqe = harness_next(ring);

		if (cqe.flags == MORE) {
			harness_assert_cqe(cqe, 1, -ETIME);
			continue;
		}
		/* It may be running out in this very moment, and be missed. */
		if (cqe.user_data == 2 && cqe.res != 0) {
			assert_true(cqe.res == -ENOENT || cqe.res == -EALREADY);
			ops_prep(ring, 2, 0, timeout_remove, 1, 0);
			harness_submit(ring, 1);
			continue;
		}
		assert_int_equal(cqe.flags, 0);
		assert_int_equal(cqe.res, cqe.user_data == 2 ? 0 : -ECANCELED);
		ends++;
	}
	expect_idle(ring);
}

static void until_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(2);

	ops_prep(ring, 1, 0, timeout, &soon, 0, MULTISHOT);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 10; i++)
		expect_flags(ring, 1, -ETIME, MORE);
	remove_shooting(ring);
}

/* Before its first shot. */
static void removed_before_it_shoots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, &never, 0, MULTISHOT);
	ops_prep(ring, 2, 0, timeout, &never, 5, MULTISHOT);
	harness_submit(ring, 2);
	ops_prep(ring, 3, 0, timeout_remove, 1, 0);
	harness_submit(ring, 1);
	expect_both(ring, 3, 0, 1, -ECANCELED);
	expect_pending(ring, 1);
}

/* The number is that of its own shots: completions of others do not count. */
static void others_do_not_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, &never, 1, MULTISHOT);
	ops_prep(ring, 2, 0, nop);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 2, 0);
	expect(ring, 3, 0);
	expect_pending(ring, 1);
}

static void on_every_clock(void **state)
{
	static const unsigned clocks[] = {0, IORING_TIMEOUT_BOOTTIME, IORING_TIMEOUT_REALTIME};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(2);

	for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
		ops_prep(ring, 1, 0, timeout, &soon, 3, MULTISHOT | clocks[i]);
		harness_submit(ring, 1);
		expect_flags(ring, 1, -ETIME, MORE);
		expect_flags(ring, 1, -ETIME, MORE);
		expect(ring, 1, -ETIME);
	}
}

/* Each shot ends a wait for more. */
static void each_shot_ends_a_wait(void **state)
{
	static const unsigned flags[] = {0, DEFER};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct __kernel_timespec soon = harness_msec(5);
		struct io_uring ring;

		harness_init(&ring, 8, flags[i]);
		ops_prep(&ring, 1, 0, timeout, &soon, 3, MULTISHOT);
		assert_int_equal(io_uring_submit_and_wait(&ring, 8), 1);
		expect_flags(&ring, 1, -ETIME, MORE);
		assert_int_equal(
			io_uring_enter((unsigned)ring.ring_fd, 0, 8, IORING_ENTER_GETEVENTS, NULL),
			0);
		expect_flags(&ring, 1, -ETIME, MORE);
		expect(&ring, 1, -ETIME);
		expect_idle(&ring);
		io_uring_queue_exit(&ring);
	}
}

/*
 * An update sets the time of the next shot, and of those behind it. The number of shots is
 * forgotten by it, as any timeout's count is.
 */
static void an_update_changes_the_pace(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(2);

	ops_prep(ring, 1, 0, timeout, &never, 3, MULTISHOT);
	harness_submit(ring, 1);
	ops_prep(ring, 2, 0, timeout_update, &soon, 1, 0);
	harness_submit(ring, 1);
	expect(ring, 2, 0);
	for (unsigned i = 0; i < 10; i++)
		expect_flags(ring, 1, -ETIME, MORE);
	remove_shooting(ring);
}

static void links_and_drains_wait_for_the_last(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(2);
	unsigned success = IORING_TIMEOUT_ETIME_SUCCESS;

	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &soon, 2, MULTISHOT | success);
	ops_prep(ring, 2, 0, nop);
	ops_prep(ring, 3, IOSQE_IO_DRAIN, nop);
	harness_submit(ring, 3);
	expect_flags(ring, 1, -ETIME, MORE);
	harness_assert_empty(ring);
	expect(ring, 1, -ETIME);
	expect(ring, 2, 0);
	expect(ring, 3, 0);
	/* The last one is a failure where the flag does not say otherwise. */
	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &soon, 2, MULTISHOT);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect_flags(ring, 1, -ETIME, MORE);
	expect(ring, 1, -ETIME);
	expect(ring, 2, -ECANCELED);
}

/* Out of room it is over, with the shot that goes to the backlog. */
static void overflow_ends_it(void **state)
{
	struct __kernel_timespec soon = harness_msec(2);
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 2, 0);
	ops_prep(&ring, 1, 0, timeout, &soon, 0, MULTISHOT);
	harness_submit(&ring, 1);
	while (!(__atomic_load_n(ring.sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW)) {
		struct wait_argument wait = {.count = 1};

		assert_true(enter_wait(&ring, &wait) >= 0);
	}
	for (unsigned i = 0; i < 4; i++)
		expect_flags(&ring, 1, -ETIME, MORE);
	expect(&ring, 1, -ETIME);
	expect_idle(&ring);
	io_uring_queue_exit(&ring);
}

static void pending_ones_do_not_hold_up_the_exit(void **state)
{
	static const unsigned flags[] = {0, DEFER};
	struct __kernel_timespec soon = harness_msec(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;

		harness_init(&ring, 8, flags[i]);
		ops_prep(&ring, 1, 0, timeout, &soon, 0, MULTISHOT);
		ops_prep(&ring, 2, 0, timeout, &at_once, 0, MULTISHOT);
		harness_submit(&ring, 2);
		assert_int_equal(harness_next(&ring).flags, MORE);
		io_uring_queue_exit(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_number_of_shots),
		ops_test(until_removed),
		ops_test(removed_before_it_shoots),
		ops_test(others_do_not_count),
		ops_test(on_every_clock),
		cmocka_unit_test(each_shot_ends_a_wait),
		ops_test(an_update_changes_the_pace),
		ops_test(links_and_drains_wait_for_the_last),
		cmocka_unit_test(overflow_ends_it),
		cmocka_unit_test(pending_ones_do_not_hold_up_the_exit),
	};

	return harness_run(tests);
}
