/* SPDX-License-Identifier: MIT */
/*
 * Description: LINK_TIMEOUT: the limit on the time of the request before it in the chain.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

#include <sys/socket.h>

/* Any pending request on the pipe's reading end, and its limit behind it: user_data 1 and 2. */
static void queue_limited(struct io_uring *ring, int fd, struct __kernel_timespec *limit,
			  unsigned more_flags)
{
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fd, POLLIN);
	ops_prep(ring, 2, more_flags, link_timeout, limit, 0);
}

/* Who was late is told first, then who was stopped. */
static void it_stops_its_target(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(10);
	uint64_t start = harness_now_ns();
	int fds[2];

	harness_pipe(fds);
	queue_limited(ring, fds[0], &soon, 0);
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	expect(ring, 2, -ETIME);
	expect(ring, 1, -ECANCELED);
	assert_true(harness_now_ns() - start >= 10 * MSEC);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Whatever its target is that waits. */
static void targets_of_all_kinds(void **state)
{
	enum { KINDS = 7 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte;
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int pair[2];

	harness_skip_unless_opcode(IORING_OP_RECVMSG);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct io_uring_sqe *sqe = harness_sqe(ring);

		switch (kind) {
		case 0:
			io_uring_prep_poll_add(sqe, pair[0], POLLIN);
			break;
		case 1:
			io_uring_prep_poll_multishot(sqe, pair[0], POLLIN);
			break;
		case 2:
			io_uring_prep_read(sqe, pair[0], &byte, 1, 0);
			break;
		case 3:
			io_uring_prep_readv(sqe, pair[0], &vector, 1, 0);
			break;
		case 4:
			io_uring_prep_recv(sqe, pair[0], &byte, 1, 0);
			break;
		case 5:
			io_uring_prep_recvmsg(sqe, pair[0], &message, 0);
			break;
		default:
			io_uring_prep_timeout(sqe, &never, 0, 0);
			break;
		}
		sqe->flags |= IOSQE_IO_LINK;
		sqe->user_data = 1;
		ops_prep(ring, 2, 0, link_timeout, &at_once, 0);
		harness_submit(ring, 2);
		expect(ring, 2, -ETIME);
		expect(ring, 1, -ECANCELED);
	}
	/* None of them is still there to take it. */
	put_byte(pair[1]);
	expect_idle(ring);
	take_byte(pair[0]);
	close(pair[0]);
	close(pair[1]);
}

static void it_goes_with_its_target(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	queue_limited(ring, fds[0], &never, 0);
	harness_submit(ring, 2);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ECANCELED);
	/* Done in submit already: both are there. */
	queue_limited(ring, fds[0], &never, 0);
	harness_submit(ring, 2);
	assert_int_equal(io_uring_cq_ready(ring), 2);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ECANCELED);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* A target that is done at once is, however short its time; the timer may find nothing to stop. */
static void a_quick_target_is_not_stopped(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < 20; i++) {
		struct harness_cqe cqe;

		ops_prep(ring, 1, IOSQE_IO_LINK, nop);
		ops_prep(ring, 2, 0, link_timeout, &at_once, 0);
		harness_submit(ring, 2);
		expect(ring, 1, 0);
		cqe = harness_next(ring);
		assert_int_equal(cqe.user_data, 2);
		assert_true(cqe.res == -ECANCELED || cqe.res == -ENOENT);
	}
}

static void it_goes_with_a_target_that_is_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 3; i++) {
		queue_limited(ring, fds[0], &never, 0);
		harness_submit(ring, 2);
		if (i == 0)
			ops_prep(ring, 3, 0, poll_remove, 1);
		else if (i == 1)
			ops_prep(ring, 3, 0, cancel64, 1, 0);
		else
			ops_prep(ring, 3, 0, cancel_fd, fds[0], 0);
		harness_submit(ring, 1);
		for (unsigned k = 0; k < 3; k++) {
			struct harness_cqe cqe = harness_next(ring);

			assert_int_equal(cqe.res, cqe.user_data == 3 ? 0 : -ECANCELED);
		}
	}
	/* It cannot be cancelled itself, nor removed. */
	queue_limited(ring, fds[0], &never, 0);
	harness_submit(ring, 2);
	ops_prep(ring, 3, 0, cancel64, 2, 0);
	ops_prep(ring, 4, 0, timeout_remove, 2, 0);
	harness_submit(ring, 2);
	expect(ring, 3, -ENOENT);
	expect(ring, 4, -ENOENT);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ECANCELED);
	harness_close_pipe(fds);
}

/* ---- chains -------------------------------------------------------------------------------- */

static void the_rest_of_the_chain(void **state)
{
	static const unsigned links[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned hard = 0; hard < 2; hard++) {
		/* Stopped: a soft chain is over. */
		ops_prep(ring, 1, links[hard], poll_add, fds[0], POLLIN);
		ops_prep(ring, 2, links[hard], link_timeout, &at_once, 0);
		ops_prep(ring, 3, 0, nop);
		harness_submit(ring, 3);
		expect(ring, 2, -ETIME);
		expect(ring, 1, -ECANCELED);
		expect(ring, 3, hard ? 0 : -ECANCELED);
		/* Not stopped: the timeout's end does not break it. */
		ops_prep(ring, 1, links[hard], poll_add, fds[0], POLLIN);
		ops_prep(ring, 2, links[hard], link_timeout, &never, 0);
		ops_prep(ring, 3, 0, nop);
		harness_submit(ring, 3);
		put_byte(fds[1]);
		expect(ring, 1, POLLIN);
		expect(ring, 2, -ECANCELED);
		expect(ring, 3, 0);
		take_byte(fds[0]);
	}
	harness_close_pipe(fds);
}

/* The clock of each starts with its target. */
static void one_for_each_member(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_IO_LINK, link_timeout, &never, 0);
	ops_prep(ring, 3, IOSQE_IO_LINK, poll_add, fds[0], POLLPRI);
	ops_prep(ring, 4, IOSQE_IO_LINK, link_timeout, &at_once, 0);
	ops_prep(ring, 5, 0, nop);
	harness_submit(ring, 5);
	ops_prep(ring, 6, 0, timeout, &at_once, 0, 0);
	harness_submit(ring, 1);
	expect(ring, 6, -ETIME);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ECANCELED);
	expect(ring, 4, -ETIME);
	expect(ring, 3, -ECANCELED);
	expect(ring, 5, -ECANCELED);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* A target that fails by itself, or has never started. */
static void a_failed_target(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, -1, POLLIN);
	ops_prep(ring, 2, IOSQE_IO_LINK, link_timeout, &at_once, 0);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 1, -EBADF);
	expect(ring, 2, -ECANCELED);
	expect(ring, 3, -ECANCELED);
	ops_nop(ring, 1, IOSQE_IO_LINK, -EIO);
	ops_prep(ring, 2, IOSQE_IO_LINK, nop);
	ops_prep(ring, 3, 0, link_timeout, &at_once, 0);
	harness_submit(ring, 3);
	expect(ring, 1, -EIO);
	expect(ring, 2, -ECANCELED);
	expect(ring, 3, -ECANCELED);
}

static void a_worker_is_interrupted(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(20);
	int results[2];
	char byte;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 0, IOSQE_IO_LINK | IOSQE_ASYNC, read, fds[0], &byte, 1, 0);
	ops_prep(ring, 1, 0, link_timeout, &soon, 0);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	/* -EALREADY: it runs and has been told to stop. */
	assert_true(results[1] == -ETIME || results[1] == -EALREADY);
	assert_true(results[0] == -ECANCELED || results[0] == -EINTR);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* ---- silence ------------------------------------------------------------------------------- */

/* With the flag it is never seen, whether it runs out or not. */
static void a_silent_timeout(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned skip = IOSQE_CQE_SKIP_SUCCESS;
	int fds[2];

	harness_pipe(fds);
	queue_limited(ring, fds[0], &at_once, skip);
	harness_submit(ring, 2);
	expect(ring, 1, -ECANCELED);
	expect_idle(ring);
	queue_limited(ring, fds[0], &never, skip);
	harness_submit(ring, 2);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect_idle(ring);
	/* A silent target with a timeout that is not. */
	ops_prep(ring, 1, IOSQE_IO_LINK | skip, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, link_timeout, &never, 0);
	harness_submit(ring, 2);
	expect(ring, 2, -ECANCELED);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* ---- bad requests -------------------------------------------------------------------------- */

static void it_must_follow_something(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, link_timeout, &at_once, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -EINVAL);
	/* As the head of a chain it takes the chain with it. */
	ops_prep(ring, 1, IOSQE_IO_LINK, link_timeout, &at_once, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -EINVAL);
	expect(ring, 2, -ECANCELED);
	/* A request that is not linked is nothing to follow. */
	ops_prep(ring, 1, 0, nop);
	ops_prep(ring, 2, 0, link_timeout, &at_once, 0);
	harness_submit(ring, 2);
	expect(ring, 1, 0);
	expect(ring, 2, -EINVAL);
}

static void two_in_a_row(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	queue_limited(ring, fds[0], &at_once, IOSQE_IO_LINK);
	ops_prep(ring, 3, 0, link_timeout, &at_once, 0);
	harness_submit(ring, 3);
	expect(ring, 1, -ECANCELED);
	expect(ring, 2, -ECANCELED);
	expect(ring, 3, -EINVAL);
	expect_idle(ring);
	harness_close_pipe(fds);
}

static void fields_are_checked(void **state)
{
	static const struct {
		unsigned offset, value, size;
		int res; /* of the timeout */
	} fields[] = {
		{offsetof(struct io_uring_sqe, ioprio), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, buf_index), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, personality), 77, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, splice_fd_in), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, addr3), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, off), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, len), 0, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, len), 2, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, addr), 8, 8, -EFAULT},
		{offsetof(struct io_uring_sqe, timeout_flags), IORING_TIMEOUT_UPDATE, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, timeout_flags), IORING_LINK_TIMEOUT_UPDATE, 4,
		 -EINVAL},
		{offsetof(struct io_uring_sqe, timeout_flags), IORING_TIMEOUT_CLOCK_MASK, 4,
		 -EINVAL},
		{offsetof(struct io_uring_sqe, timeout_flags), 1u << 8, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, flags), IOSQE_BUFFER_SELECT, 1, -EOPNOTSUPP},
		{offsetof(struct io_uring_sqe, fd), 99999, 4, -ETIME},
		{offsetof(struct io_uring_sqe, flags), IOSQE_ASYNC, 1, -ETIME},
		{offsetof(struct io_uring_sqe, flags), IOSQE_FIXED_FILE, 1, -ETIME},
		{offsetof(struct io_uring_sqe, timeout_flags), IORING_TIMEOUT_ETIME_SUCCESS, 4,
		 -ETIME},
		{offsetof(struct io_uring_sqe, timeout_flags), IORING_TIMEOUT_MULTISHOT, 4, -ETIME},
	};
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		uint64_t value = fields[i].value;
		struct io_uring_sqe *sqe;

		ops_prep(&ops->ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
		sqe = ops_prep(&ops->ring, 2, 0, link_timeout, &at_once, 0);
		memcpy((char *)sqe + fields[i].offset, &value, fields[i].size);
		harness_submit(&ops->ring, 2);
		/* Neither of a chain with a bad member runs. */
		expect_both(&ops->ring, 2, fields[i].res, 1, -ECANCELED);
		expect_idle(&ops->ring);
	}
	harness_close_pipe(fds);
}

static void times_are_checked(void **state)
{
	static struct __kernel_timespec bad[] = {{.tv_sec = -1}, {.tv_nsec = -1}};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		queue_limited(ring, fds[0], &bad[i], 0);
		harness_submit(ring, 2);
		expect(ring, 1, -ECANCELED);
		expect(ring, 2, -EINVAL);
	}
	harness_close_pipe(fds);
}

static void pending_ones_do_not_hold_up_the_exit(void **state)
{
	static const unsigned flags[] = {0, DEFER};
	int fds[2];

	(void)state;
	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;

		harness_init(&ring, 8, flags[i]);
		queue_limited(&ring, fds[0], &never, 0);
		queue_limited(&ring, fds[0], &at_once, 0);
		harness_submit(&ring, 4);
		io_uring_queue_exit(&ring);
	}
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_stops_its_target),
		ops_test(targets_of_all_kinds),
		ops_test(it_goes_with_its_target),
		ops_test(a_quick_target_is_not_stopped),
		ops_test(it_goes_with_a_target_that_is_removed),
		ops_test(the_rest_of_the_chain),
		ops_test(one_for_each_member),
		ops_test(a_failed_target),
		ops_test(a_worker_is_interrupted),
		ops_test(a_silent_timeout),
		ops_test(it_must_follow_something),
		ops_test(two_in_a_row),
		ops_test(fields_are_checked),
		ops_test(times_are_checked),
		cmocka_unit_test(pending_ones_do_not_hold_up_the_exit),
	};

	return harness_run(tests);
}
