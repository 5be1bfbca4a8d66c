/* SPDX-License-Identifier: MIT */
/*
 * Description: TIMEOUT with a count of completions: what counts, from when on, and where in the CQ
 * its own completion stands.
 */
#include "readiness_helpers.h"

static void start_count(struct io_uring *ring, uint64_t user_data, unsigned count)
{
	ops_prep(ring, user_data, 0, timeout, &never, count, 0);
	harness_submit(ring, 1);
}

static void nops(struct io_uring *ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ops_prep(ring, 7, 0, nop);
	harness_submit(ring, count);
}

static void it_completes_when_the_count_is_reached(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_count(ring, 1, 3);
	nops(ring, 2);
	expect(ring, 7, 0);
	expect(ring, 7, 0);
	harness_assert_empty(ring);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 1, 0);
	expect_idle(ring);
}

/* Not after all that came with it, but as soon as the batch that reached it has been posted. */
static void where_it_stands(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned position = 0, seen = 0;

	start_count(ring, 1, 2);
	nops(ring, 4);
	for (unsigned i = 0; i < 5; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, 0);
		if (cqe.user_data == 1)
			position = i;
		else
			seen++;
	}
	assert_int_equal(seen, 4);
	/* Completions of one submission are posted together. */
	assert_in_range(position, 2, 4);
	if (harness_kernel())
		assert_int_equal(position, 4);
	expect_idle(ring);
}

static void in_the_same_batch(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, &never, 2, 0);
	ops_prep(ring, 2, 0, nop);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 2, 0);
	expect(ring, 3, 0);
	expect(ring, 1, 0);
	expect_idle(ring);
}

/* What was completed before it was submitted does not count, seen or not. */
static void what_was_before_does_not_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	nops(ring, 3);
	start_count(ring, 1, 1);
	for (unsigned i = 0; i < 3; i++)
		expect(ring, 7, 0);
	harness_assert_empty(ring);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 1, 0);
}

/* Failures count as well, and each shot. */
static void completions_of_all_kinds_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_count(ring, 1, 3);
	ops_prep(ring, 2, 0, poll_add, -1, POLLIN);
	harness_submit(ring, 1);
	expect(ring, 2, -EBADF);
	start_multishot(ring, 4, fds[0], POLLIN);
	put_byte(fds[1]);
	expect_flags(ring, 4, POLLIN, MORE);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect_flags(ring, 4, POLLIN, MORE);
	expect(ring, 1, 0);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

/* Timeouts that run out, or reach their counts, are not completions that others count. */
static void timeouts_run_out_do_not_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(5);

	start_count(ring, 1, 2);
	for (unsigned i = 0; i < 3; i++) {
		ops_prep(ring, 3, 0, timeout, &at_once, 4 * i, 0);
		harness_submit(ring, 1);
		expect(ring, 3, -ETIME);
	}
	/* Shots that follow each other without a pause would confuse the kernel's bookkeeping. */
	ops_prep(ring, 4, 0, timeout, &soon, 3, IORING_TIMEOUT_MULTISHOT);
	harness_submit(ring, 1);
	expect_flags(ring, 4, -ETIME, MORE);
	expect_flags(ring, 4, -ETIME, MORE);
	expect(ring, 4, -ETIME);
	start_count(ring, 5, 1);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 5, 0);
	harness_assert_empty(ring);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 1, 0);
	expect_idle(ring);
}

/* But what removes them counts, and their end by removal, and a link timeout's by any way. */
static void other_completions_of_timeouts_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 3, 0, timeout, &never, 0, 0);
	harness_submit(ring, 1);
	start_count(ring, 1, 2);
	ops_prep(ring, 2, 0, timeout_remove, 3, 0);
	harness_submit(ring, 1);
	expect_both(ring, 2, 0, 3, -ECANCELED);
	expect(ring, 1, 0);

	start_count(ring, 1, 2);
	ops_prep(ring, 2, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 3, 0, link_timeout, &at_once, 0);
	harness_submit(ring, 2);
	expect_both(ring, 3, -ETIME, 2, -ECANCELED);
	expect(ring, 1, 0);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Silence does not count: it is the CQ that is counted. */
static void skipped_ones_do_not_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_count(ring, 1, 1);
	ops_prep(ring, 2, IOSQE_CQE_SKIP_SUCCESS, nop);
	harness_submit(ring, 1);
	expect_pending(ring, 1);
}

static void several_counts(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_count(ring, 1, 6);
	start_count(ring, 2, 2);
	start_count(ring, 3, 9);
	nops(ring, 1);
	expect(ring, 7, 0);
	harness_assert_empty(ring);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 2, 0);
	/* Its own completion does not count for the others: 2 so far. */
	for (unsigned i = 0; i < 3; i++) {
		nops(ring, 1);
		expect(ring, 7, 0);
		harness_assert_empty(ring);
	}
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 1, 0);
	expect_pending(ring, 1);
}

/* Two that are reached together come in the order of their counts, the same ones in submission's.
 */
static void several_reached_together(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_count(ring, 1, 3);
	start_count(ring, 2, 2);
	start_count(ring, 3, 3);
	nops(ring, 3);
	for (unsigned i = 0; i < 3; i++)
		expect(ring, 7, 0);
	expect(ring, 2, 0);
	expect(ring, 1, 0);
	expect(ring, 3, 0);
	expect_idle(ring);
}

/* Time may run out first, and a cancellation come in between. */
static void other_ends(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, &at_once, 5, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -ETIME);
	start_count(ring, 1, 5);
	ops_prep(ring, 2, 0, timeout_remove, 1, 0);
	harness_submit(ring, 1);
	expect_both(ring, 2, 0, 1, -ECANCELED);
	expect_idle(ring);
}

static void a_link_goes_on(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &never, 1, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	nops(ring, 1);
	expect(ring, 7, 0);
	expect(ring, 1, 0);
	expect(ring, 2, 0);
}

/* What a request that waited has completed with counts like all the rest. */
static void asynchronous_completions_count(void **state)
{
	static const unsigned flags[] = {0, DEFER};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;
		char byte;
		int fds[2];

		harness_pipe(fds);
		harness_init(&ring, 8, flags[i]);
		start_count(&ring, 1, 2);
		start_poll(&ring, 2, fds[0], POLLIN);
		ops_prep(&ring, 3, 0, read, fds[0], &byte, 1, 0);
		harness_submit(&ring, 1);
		put_byte(fds[1]);
		expect_both(&ring, 2, POLLIN, 3, 1);
		expect(&ring, 1, 0);
		expect_idle(&ring);
		io_uring_queue_exit(&ring);
		harness_close_pipe(fds);
	}
}

/* Completions that found no room count as the others. */
static void the_backlog_counts(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 2, 0);
	start_count(&ring, 1, 6);
	for (unsigned i = 0; i < 6; i++)
		nops(&ring, 1);
	for (unsigned i = 0; i < 6; i++)
		expect(&ring, 7, 0);
	expect(&ring, 1, 0);
	expect_idle(&ring);
	io_uring_queue_exit(&ring);
}

/* A count that is never reached is no obstacle. */
static void a_huge_count(void **state)
{
	static const unsigned counts[] = {0x7fffffff, 0x80000000, 0xffffffff};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned n = 0; n < ARRAY_SIZE(counts); n++) {
		start_count(ring, 1, counts[n]);
		start_count(ring, 2, 3);
		nops(ring, 4);
		for (unsigned i = 0; i < 4; i++)
			expect(ring, 7, 0);
		expect(ring, 2, 0);
		expect_pending(ring, 1);
	}
}

/* A message from another ring counts when the next completion makes the ring look. */
static void messages_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring other;

	harness_init(&other, 4, 0);
	start_count(ring, 1, 1);
	ops_prep(&other, 2, 0, msg_ring, ring->ring_fd, 5, 6, 0);
	harness_submit(&other, 1);
	expect(&other, 2, 0);
	expect(ring, 6, 5);
	nops(ring, 1);
	expect_both(ring, 7, 0, 1, 0);
	io_uring_queue_exit(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_completes_when_the_count_is_reached),
		ops_test(where_it_stands),
		ops_test(in_the_same_batch),
		ops_test(what_was_before_does_not_count),
		ops_test(completions_of_all_kinds_count),
		ops_test(timeouts_run_out_do_not_count),
		ops_test(other_completions_of_timeouts_count),
		ops_test(skipped_ones_do_not_count),
		ops_test(several_counts),
		ops_test(several_reached_together),
		ops_test(other_ends),
		ops_test(a_link_goes_on),
		cmocka_unit_test(asynchronous_completions_count),
		cmocka_unit_test(the_backlog_counts),
		ops_test(a_huge_count),
		ops_test(messages_count),
	};

	return harness_run(tests);
}
