/* SPDX-License-Identifier: MIT */
/*
 * Description: multishot polls: one completion for each time the file becomes ready, until removed,
 * out of room, or unable to go on.
 */
#include "readiness_helpers.h"

#include <sys/socket.h>

static void one_completion_per_write(void **state)
{
	enum { ROUNDS = 50 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLIN);
	harness_assert_empty(ring);
	for (unsigned i = 0; i < ROUNDS; i++) {
		put_byte(fds[1]);
		expect_flags(ring, 1, POLLIN, MORE);
		harness_assert_empty(ring);
		take_byte(fds[0]);
	}
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

/* Wake-ups are counted, not levels: data that was there before brings nothing, more of it does. */
static void data_that_stays_is_told_again_with_more(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint64_t value = 1;
	int fds[2], pair[2], event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	harness_pipe(fds);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_multishot(ring, 1, fds[0], POLLIN);
	start_multishot(ring, 2, pair[0], POLLIN);
	start_multishot(ring, 3, event, POLLIN);
	for (unsigned i = 0; i < 10; i++) {
		put_byte(fds[1]);
		expect_flags(ring, 1, POLLIN, MORE);
		put_byte(pair[1]);
		expect_flags(ring, 2, POLLIN, MORE);
		assert_int_equal(write(event, &value, sizeof(value)), sizeof(value));
		expect_flags(ring, 3, POLLIN, MORE);
	}
	expect_pending(ring, 3);
	harness_close_pipe(fds);
	close(pair[0]);
	close(pair[1]);
	close(event);
}

/*
 * Writes that follow each other at once: the kernel counts each. Where word of readiness comes from
 * epoll several may be one, but none is lost: the last write is followed by a completion.
 */
static void writes_at_once_are_not_lost(void **state)
{
	enum { WRITES = 8 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned shots = 1, ends = 0;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < WRITES; i++)
		put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	ops_prep(ring, 2, 0, poll_remove, 1);
	harness_submit(ring, 1);
	while (ends < 2) {
		struct harness_cqe cqe = harness_next(ring);

		if (cqe.flags & MORE) {
			harness_assert_cqe(cqe, 1, POLLIN);
			shots++;
			continue;
		}
		assert_int_equal(cqe.res, cqe.user_data == 2 ? 0 : -ECANCELED);
		ends++;
	}
	assert_in_range(shots, 1, WRITES);
	if (harness_kernel())
		assert_int_equal(shots, WRITES);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Ready when it is armed: the first completion is there when submit returns. */
static void armed_when_ready(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	put_byte(fds[1]);
	start_multishot(ring, 1, fds[0], POLLIN);
	expect_flags(ring, 1, POLLIN, MORE);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

static void room_comes_and_goes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char block[4096] = "";
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	start_multishot(ring, 1, fds[1], POLLOUT);
	expect_flags(ring, 1, POLLOUT, MORE);
	for (unsigned i = 0; i < 4; i++) {
		while (write(fds[1], block, sizeof(block)) == sizeof(block))
			;
		harness_assert_empty(ring);
		assert_int_equal(read(fds[0], block, sizeof(block)), sizeof(block));
		expect_flags(ring, 1, POLLOUT, MORE);
	}
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

/* A hang-up is one more event; the poll lives on. */
static void a_hangup_does_not_end_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2], pair[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLIN);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	close(fds[1]);
	expect_flags(ring, 1, POLLIN | POLLHUP, MORE);
	expect_pending(ring, 1);
	close(fds[0]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_multishot(ring, 2, pair[0], POLLIN);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	expect_flags(ring, 2, POLLIN | POLLRDHUP, MORE);
	close(pair[1]);
	expect_flags(ring, 2, POLLIN | POLLRDHUP | POLLHUP, MORE);
	expect_pending(ring, 1);
	close(pair[0]);
}

static void several_on_one_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLIN);
	start_multishot(ring, 2, fds[0], POLLIN);
	start_poll(ring, 3, fds[0], POLLIN);
	put_byte(fds[1]);
	for (unsigned i = 0, seen = 0; i < 3; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, POLLIN);
		assert_int_equal(cqe.flags, cqe.user_data == 3 ? 0 : MORE);
		assert_false(seen & 1u << cqe.user_data);
		seen |= 1u << cqe.user_data;
	}
	put_byte(fds[1]);
	expect_both(ring, 1, POLLIN, 2, POLLIN);
	expect_pending(ring, 2);
	harness_close_pipe(fds);
}

static void skip_is_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_CQE_SKIP_SUCCESS, poll_multishot, fds[0], POLLIN);
	harness_submit(ring, 1);
	expect(ring, 1, -EINVAL);
	harness_close_pipe(fds);
}

/* A chain goes on when the poll has ended, not with its first shot. */
static void a_link_waits_for_the_end(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_HARDLINK, poll_multishot, fds[0], POLLIN);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	harness_assert_empty(ring);
	ops_prep(ring, 3, 0, poll_remove, 1);
	harness_submit(ring, 1);
	expect_both(ring, 3, 0, 1, -ECANCELED);
	expect(ring, 2, 0);
	harness_close_pipe(fds);
}

static void drain_waits_for_the_end(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sync_cancel_reg reg = {.addr = 1, .timeout = {-1, -1}};
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, 0, poll_multishot, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_IO_DRAIN, nop);
	harness_submit(ring, 2);
	for (unsigned i = 0; i < 3; i++) {
		put_byte(fds[1]);
		expect_flags(ring, 1, POLLIN, MORE);
		harness_assert_empty(ring);
	}
	assert_int_equal(io_uring_register_sync_cancel(ring, &reg), 0);
	expect(ring, 1, -ECANCELED);
	expect(ring, 2, 0);
	harness_close_pipe(fds);
}

/* ---- out of room --------------------------------------------------------------------------- */

static unsigned sq_flags(struct io_uring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_ACQUIRE);
}

static void overflow_ends_it_in(unsigned setup_flags)
{
	enum { ENTRIES = 2, CQ = 4 };
	struct io_uring ring;
	int fds[2];

	harness_pipe(fds);
	harness_init(&ring, ENTRIES, setup_flags);
	start_multishot(&ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < CQ; i++) {
		put_byte(fds[1]);
		/* Nothing is taken, so the wait is for one more than before. */
		assert_true(io_uring_enter((unsigned)ring.ring_fd, 0, i + 1, IORING_ENTER_GETEVENTS,
					   NULL) >= 0);
		assert_int_equal(io_uring_cq_ready(&ring), i + 1);
	}
	put_byte(fds[1]);
	/* The ring stays readable whatever comes; what comes shows in the flag. */
	while (!(sq_flags(&ring) & IORING_SQ_CQ_OVERFLOW))
		io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL);
	put_byte(fds[1]);
	for (unsigned i = 0; i < CQ; i++)
		expect_flags(&ring, 1, POLLIN, MORE);
	expect(&ring, 1, POLLIN);
	expect_idle(&ring);
	assert_false(sq_flags(&ring) & IORING_SQ_CQ_OVERFLOW);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

static void overflow_ends_it(void **state)
{
	(void)state;
	overflow_ends_it_in(0);
}

static void overflow_ends_it_where_deferred(void **state)
{
	(void)state;
	overflow_ends_it_in(DEFER);
}

/* One that is armed when ready, with a CQ that is full, has its only completion in the backlog. */
static void overflow_at_the_first_shot(void **state)
{
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	harness_init(&ring, 2, 0);
	for (unsigned i = 0; i < 4; i++) {
		harness_nop(&ring, 7);
		harness_submit(&ring, 1);
	}
	put_byte(fds[1]);
	start_multishot(&ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < 4; i++)
		expect(&ring, 7, 0);
	expect(&ring, 1, POLLIN);
	put_byte(fds[1]);
	expect_idle(&ring);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(one_completion_per_write),
		ops_test(data_that_stays_is_told_again_with_more),
		ops_test(writes_at_once_are_not_lost),
		ops_test(armed_when_ready),
		ops_test(room_comes_and_goes),
		ops_test(a_hangup_does_not_end_it),
		ops_test(several_on_one_descriptor),
		ops_test(skip_is_refused),
		ops_test(a_link_waits_for_the_end),
		ops_test(drain_waits_for_the_end),
		cmocka_unit_test(overflow_ends_it),
		cmocka_unit_test(overflow_ends_it_where_deferred),
		cmocka_unit_test(overflow_at_the_first_shot),
	};

	return harness_run(tests);
}
