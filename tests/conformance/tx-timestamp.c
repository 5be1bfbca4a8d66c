/* SPDX-License-Identifier: MIT */
/* Description: URING_CMD's TX_TIMESTAMP: the time stamps of what a socket has sent, one by one. */
#include "net_helpers.h"

#include <time.h>
/* Needs struct timespec. */
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

enum {
	TX_TIMESTAMP = 4, /* SOCKET_URING_OP_TX_TIMESTAMP */
	TYPE_SHIFT = 17,
	MIXED = 1u << 18, /* IORING_SETUP_CQE_MIXED */
	F_32 = 1u << 15,
	MORE = IORING_CQE_F_MORE,
};

/* A connected UDP socket that has the time of what it sends noted. */
static int stamped(unsigned more, int *peer)
{
	struct sockaddr_in address;
	unsigned flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
			 SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY | more;
	int fd = net_bound(SOCK_DGRAM);

	*peer = net_bound(SOCK_DGRAM);
	address = net_address_of(*peer);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	return fd;
}

static struct io_uring_sqe *prep(struct io_uring *ring, uint64_t user_data, int fd)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->off = TX_TIMESTAMP;
	sqe->user_data = user_data;
	return sqe;
}

/* A ring for it; skips where the kernel does not know the command yet. */
static void open_ring(struct io_uring *ring, unsigned flags)
{
	int peer, fd = stamped(0, &peer), ret;
	struct io_uring small;

	harness_init(&small, 4, 0);
	prep(&small, 1, fd);
	ret = harness_result(&small);
	io_uring_queue_exit(&small);
	close(fd);
	close(peer);
	if (ret == -EOPNOTSUPP || io_uring_queue_init(16, ring, flags))
		skip();
	assert_int_equal(ret, -EINVAL);
}

static void expect_stamp(struct io_uring *ring, uint64_t user_data, int key, unsigned kind)
{
	struct harness_cqe cqe = harness_next(ring);
	struct timespec now;

	harness_assert_cqe(cqe, user_data, key);
	assert_int_equal(cqe.flags, MORE | kind << TYPE_SHIFT);
	clock_gettime(CLOCK_REALTIME, &now);
	assert_in_range(cqe.extra[0], now.tv_sec - 60, now.tv_sec);
	assert_in_range(cqe.extra[1], 0, 999999999);
}

static void check_stamps(unsigned ring_flags)
{
	struct io_uring ring;
	int peer, fd;

	open_ring(&ring, IORING_SETUP_CQE32 | ring_flags);
	fd = stamped(0, &peer);
	net_send(fd, "before");
	prep(&ring, 1, fd);
	harness_submit(&ring, 1);
	expect_stamp(&ring, 1, 0, SCM_TSTAMP_SND);
	harness_assert_empty(&ring);
	for (int key = 1; key < 5; key++) {
		net_send(fd, "after");
		expect_stamp(&ring, 1, key, SCM_TSTAMP_SND);
	}
	net_send(fd, "two");
	net_send(fd, "at once");
	expect_stamp(&ring, 1, 5, SCM_TSTAMP_SND);
	expect_stamp(&ring, 1, 6, SCM_TSTAMP_SND);
	net_cancel(&ring, 1);
	/* What comes now is for the next. */
	net_send(fd, "later");
	prep(&ring, 2, fd);
	harness_submit(&ring, 1);
	expect_stamp(&ring, 2, 7, SCM_TSTAMP_SND);
	net_cancel(&ring, 2);
	io_uring_queue_exit(&ring);
	close(fd);
	close(peer);
}

static void stamps_come_as_messages_are_sent(void **state)
{
	(void)state;
	check_stamps(0);
	check_stamps(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

static void the_kinds_are_told_apart(void **state)
{
	struct io_uring ring;
	int peer, fd;

	(void)state;
	open_ring(&ring, IORING_SETUP_CQE32);
	fd = stamped(SOF_TIMESTAMPING_TX_SCHED, &peer);
	prep(&ring, 1, fd);
	harness_submit(&ring, 1);
	net_send(fd, "x");
	expect_stamp(&ring, 1, 0, SCM_TSTAMP_SCHED);
	expect_stamp(&ring, 1, 0, SCM_TSTAMP_SND);
	net_cancel(&ring, 1);
	io_uring_queue_exit(&ring);
	close(fd);
	close(peer);
}

static void in_a_mixed_ring_they_are_large(void **state)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct __kernel_timespec limit = harness_deadline();
	int peer, fd;

	(void)state;
	open_ring(&ring, MIXED);
	fd = stamped(0, &peer);
	prep(&ring, 1, fd);
	harness_submit(&ring, 1);
	net_send(fd, "x");
	assert_int_equal(io_uring_wait_cqe_timeout(&ring, &cqe, &limit), 0);
	assert_int_equal(cqe->res, 0);
	assert_int_equal(cqe->flags, MORE | F_32);
	assert_true(((const uint64_t *)(cqe + 1))[0] > 0);
	io_uring_queue_exit(&ring);
	close(fd);
	close(peer);
}

/* Sockets without an error queue wait for ever, and lose nothing by it. */
static void others_only_wait(void **state)
{
	struct io_uring ring;
	int fds[2], file = harness_temp_file(16);

	(void)state;
	open_ring(&ring, IORING_SETUP_CQE32);
	net_pair(SOCK_STREAM, fds);
	net_send(fds[1], "data");
	prep(&ring, 1, fds[0]);
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
	net_cancel(&ring, 1);
	net_expect(fds[0], "data");
	prep(&ring, 2, file);
	assert_int_equal(harness_result(&ring), -EOPNOTSUPP);
	net_assert_refused(&ring, prep(&ring, 3, fds[0]), ioprio, 1);
	net_assert_refused(&ring, prep(&ring, 3, fds[0]), rw_flags, 2);
	io_uring_queue_exit(&ring);
	net_close_pair(fds);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_come_as_messages_are_sent),
		cmocka_unit_test(the_kinds_are_told_apart),
		cmocka_unit_test(in_a_mixed_ring_they_are_large),
		cmocka_unit_test(others_only_wait),
	};

	return harness_run(tests);
}
