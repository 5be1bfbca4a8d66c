/* SPDX-License-Identifier: MIT */
/*
 * Description: ASYNC_CANCEL and the synchronous cancel of what waits for readiness or for time:
 * polls, timeouts, reads and receives, by every key. Reads alone are in cancel.c.
 */
#include "readiness_helpers.h"

#include <sys/socket.h>

enum {
	ALL = IORING_ASYNC_CANCEL_ALL,
	FD = IORING_ASYNC_CANCEL_FD,
	ANY = IORING_ASYNC_CANCEL_ANY,
	FIXED = IORING_ASYNC_CANCEL_FD_FIXED,
	USER = IORING_ASYNC_CANCEL_USERDATA,
	OP = IORING_ASYNC_CANCEL_OP,
	CANCEL = 1000, /* user_data of cancellations */
};

/* What to cancel; members that the flags do not ask for are ignored. */
struct key {
	unsigned flags;
	uint64_t user_data;
	int fd;
	unsigned opcode;
};

/*
 * Cancel: the answer must be want, and count requests must end with -ECANCELED, those whose
 * user_data are bits of which.
 */
static void cancel_at(struct io_uring *ring, struct key key, int want, unsigned which, int line)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);
	unsigned ended = 0, count = (unsigned)__builtin_popcount(which);
	int answer = 1;

	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = key.fd;
	sqe->addr = key.user_data;
	sqe->len = key.opcode;
	sqe->cancel_flags = key.flags;
	sqe->user_data = CANCEL;
	harness_submit_at(ring, 1, __FILE__, line);
	for (unsigned i = 0; i < count + 1; i++) {
		struct harness_cqe cqe = harness_next_at(ring, __FILE__, line);

		if (cqe.user_data == CANCEL) {
			answer = cqe.res;
			continue;
		}
		_assert_int_equal(cast_to_largest_integral_type(cqe.res),
				  cast_to_largest_integral_type(-ECANCELED), __FILE__, line);
		_assert_int_equal(cqe.flags, 0, __FILE__, line);
		ended |= 1u << cqe.user_data;
	}
	_assert_int_equal(cast_to_largest_integral_type(answer),
			  cast_to_largest_integral_type(want), __FILE__, line);
	_assert_int_equal(ended, which, __FILE__, line);
	harness_assert_empty_at(ring, __FILE__, line);
}

#define cancel(ring, want, which, ...)                                                             \
	cancel_at(ring, (struct key){__VA_ARGS__}, want, which, __LINE__)
#define bit(user_data) (1u << (user_data))

/* One of each kind that waits, user_data as named here. */
enum { POLL = 1, SHOTS, TIME, COUNT, READ, RECV, KINDS };

struct waiting {
	int pair[2];
	char bytes[2];
};

static void start(struct io_uring *ring, struct waiting *waiting)
{
	harness_skip_unless_opcode(IORING_OP_RECV);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, waiting->pair), 0);
	ops_prep(ring, POLL, 0, poll_add, waiting->pair[0], POLLIN);
	ops_prep(ring, SHOTS, 0, poll_multishot, waiting->pair[0], POLLIN);
	ops_prep(ring, TIME, 0, timeout, &never, 0, 0);
	ops_prep(ring, COUNT, 0, timeout, &never, 1000, 0);
	ops_prep(ring, READ, 0, read, waiting->pair[0], &waiting->bytes[0], 1, 0);
	ops_prep(ring, RECV, 0, recv, waiting->pair[0], &waiting->bytes[1], 1, 0);
	harness_submit(ring, KINDS - 1);
	harness_assert_empty(ring);
}

static void finish(struct waiting *waiting)
{
	close(waiting->pair[0]);
	close(waiting->pair[1]);
}

static void by_user_data(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;

	start(ring, &waiting);
	for (unsigned i = 1; i < KINDS; i++) {
		cancel(ring, 0, bit(i), .user_data = i, .flags = i % 2 ? USER : 0);
		cancel(ring, -ENOENT, 0, .user_data = i);
		cancel(ring, 0, 0, .user_data = i, .flags = ALL);
	}
	expect_idle(ring);
	/* None is there to take it. */
	put_byte(waiting.pair[1]);
	expect_idle(ring);
	take_byte(waiting.pair[0]);
	finish(&waiting);
}

static void all_of_one_name(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 2; i++) {
		ops_prep(ring, 5, 0, poll_add, fds[0], POLLIN);
		ops_prep(ring, 5, 0, timeout, &never, 0, 0);
		ops_prep(ring, 5, 0, read, fds[0], &byte, 1, 0);
	}
	harness_submit(ring, 6);
	ops_prep(ring, CANCEL, 0, cancel64, 5, ALL);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 7; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == CANCEL ? 6 : -ECANCELED);
	}
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Timeouts have no descriptor. */
static void by_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;
	int copy;

	start(ring, &waiting);
	copy = dup(waiting.pair[0]);
	cancel(ring, -ENOENT, 0, .flags = FD, .fd = waiting.pair[1]);
	cancel(ring, 0, 0, .flags = FD | ALL, .fd = waiting.pair[1]);
	cancel(ring, 0, bit(READ), .flags = FD | OP, .fd = copy, .opcode = IORING_OP_READ);
	cancel(ring, 3, bit(POLL) | bit(SHOTS) | bit(RECV), .flags = FD | ALL, .fd = copy);
	cancel(ring, -ENOENT, 0, .flags = FD, .fd = copy);
	expect_pending(ring, 2);
	close(copy);
	finish(&waiting);
}

static void by_direct_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(ring, fds, 1), 0);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, poll_add, 0, POLLIN);
	ops_prep(ring, 2, 0, poll_multishot, fds[0], POLLIN);
	ops_prep(ring, 3, IOSQE_FIXED_FILE, poll_multishot, 0, POLLIN);
	harness_submit(ring, 3);
	cancel(ring, -EBADF, 0, .flags = FD | FIXED, .fd = 1);
	cancel(ring, 3, bit(1) | bit(2) | bit(3), .flags = FD | FIXED | ALL, .fd = 0);
	expect_idle(ring);
	harness_close_pipe(fds);
}

static void by_opcode(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;

	start(ring, &waiting);
	cancel(ring, -ENOENT, 0, .flags = OP, .opcode = IORING_OP_WRITE);
	cancel(ring, -ENOENT, 0, .flags = OP, .opcode = IORING_OP_LINK_TIMEOUT);
	cancel(ring, 2, bit(POLL) | bit(SHOTS), .flags = OP | ALL, .opcode = IORING_OP_POLL_ADD);
	cancel(ring, 2, bit(TIME) | bit(COUNT), .flags = OP | ALL, .opcode = IORING_OP_TIMEOUT);
	cancel(ring, 0, bit(RECV), .flags = OP, .opcode = IORING_OP_RECV);
	cancel(ring, 0, bit(READ), .flags = OP | USER, .opcode = IORING_OP_READ, .user_data = READ);
	expect_idle(ring);
	finish(&waiting);
}

static void keys_are_combined(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;

	start(ring, &waiting);
	cancel(ring, -ENOENT, 0, .flags = OP | USER, .opcode = IORING_OP_POLL_ADD,
	       .user_data = TIME);
	cancel(ring, -ENOENT, 0, .flags = FD | USER, .fd = waiting.pair[0], .user_data = TIME);
	cancel(ring, -ENOENT, 0, .flags = FD | OP, .fd = waiting.pair[0],
	       .opcode = IORING_OP_TIMEOUT);
	cancel(ring, 0, bit(SHOTS), .flags = FD | OP | USER, .fd = waiting.pair[0],
	       .opcode = IORING_OP_POLL_ADD, .user_data = SHOTS);
	cancel(ring, 0, bit(COUNT), .flags = OP | USER, .opcode = IORING_OP_TIMEOUT,
	       .user_data = COUNT);
	expect_pending(ring, KINDS - 3);
	finish(&waiting);
}

static void everything(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;

	for (unsigned i = 0; i < 2; i++) {
		start(ring, &waiting);
		cancel(ring, KINDS - 1, bit(KINDS) - 2, .flags = i ? ANY : ANY | ALL);
		finish(&waiting);
	}
}

static void all_this_where_deferred(void **state)
{
	struct waiting waiting;
	struct io_uring ring;

	(void)state;
	harness_skip_unless_opcode(IORING_OP_RECV);
	harness_init(&ring, 16, DEFER);
	start(&ring, &waiting);
	cancel(&ring, 0, bit(TIME), .user_data = TIME);
	cancel(&ring, 0, bit(SHOTS), .user_data = SHOTS);
	cancel(&ring, 3, bit(POLL) | bit(READ) | bit(RECV), .flags = FD | ALL,
	       .fd = waiting.pair[0]);
	cancel(&ring, 1, bit(COUNT), .flags = ANY);
	finish(&waiting);
	io_uring_queue_exit(&ring);
}

/* ---- chains -------------------------------------------------------------------------------- */

static void chains_end_with_their_member(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_IO_LINK, link_timeout, &never, 0);
	ops_prep(ring, 3, IOSQE_IO_LINK, timeout, &never, 0, 0);
	ops_prep(ring, 4, 0, nop);
	harness_submit(ring, 4);
	cancel(ring, -ENOENT, 0, .user_data = 2);
	cancel(ring, -ENOENT, 0, .user_data = 3);
	cancel(ring, -ENOENT, 0, .flags = OP, .opcode = IORING_OP_TIMEOUT);
	cancel(ring, 0, bit(1) | bit(2) | bit(3) | bit(4), .user_data = 1);
	/* The timeout's turn: a hard link goes on behind it. */
	ops_prep(ring, 1, IOSQE_IO_LINK, nop);
	ops_prep(ring, 2, IOSQE_IO_HARDLINK, timeout, &never, 0, 0);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 1, 0);
	ops_prep(ring, CANCEL, 0, cancel64, 2, 0);
	harness_submit(ring, 1);
	expect_both(ring, CANCEL, 0, 2, -ECANCELED);
	expect(ring, 3, 0);
	harness_close_pipe(fds);
}

/* What is told to be silent is not about its cancellation. */
static void silent_ones(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_CQE_SKIP_SUCCESS, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_CQE_SKIP_SUCCESS, timeout, &never, 0, 0);
	harness_submit(ring, 2);
	cancel(ring, 2, bit(1) | bit(2), .flags = ANY);
	/* And a silent cancellation says nothing but that it found nothing. */
	start_poll(ring, 1, fds[0], POLLIN);
	ops_prep(ring, 3, IOSQE_CQE_SKIP_SUCCESS, cancel64, 1, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -ECANCELED);
	ops_prep(ring, 3, IOSQE_CQE_SKIP_SUCCESS, cancel64, 1, 0);
	harness_submit(ring, 1);
	expect(ring, 3, -ENOENT);
	harness_close_pipe(fds);
}

/* ---- the synchronous cancel ---------------------------------------------------------------- */

static int sync_cancel(struct io_uring *ring, struct key key)
{
	struct io_uring_sync_cancel_reg reg = {
		.addr = key.user_data,
		.fd = key.fd,
		.flags = key.flags,
		.timeout = {-1, -1},
	};

	return io_uring_register_sync_cancel(ring, &reg);
}

static void in_a_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiting waiting;

	start(ring, &waiting);
	for (uint64_t i = 1; i < KINDS; i++) {
		assert_int_equal(sync_cancel(ring, (struct key){.user_data = i}), 0);
		expect(ring, i, -ECANCELED);
		assert_int_equal(sync_cancel(ring, (struct key){.user_data = i}), -ENOENT);
	}
	finish(&waiting);
	start(ring, &waiting);
	assert_int_equal(sync_cancel(ring, (struct key){.flags = FD | ALL, .fd = waiting.pair[0]}),
			 4);
	harness_reap(ring, NULL, 4);
	expect_pending(ring, 2);
	finish(&waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(by_user_data),
		ops_test(all_of_one_name),
		ops_test(by_descriptor),
		ops_test(by_direct_descriptor),
		ops_test(by_opcode),
		ops_test(keys_are_combined),
		ops_test(everything),
		cmocka_unit_test(all_this_where_deferred),
		ops_test(chains_end_with_their_member),
		ops_test(silent_ones),
		ops_test(in_a_call),
	};

	return harness_run(tests);
}
