/* SPDX-License-Identifier: MIT */
/* Description: SHUTDOWN: what the peer sees, what pending requests see, and what it refuses. */
#include "net_helpers.h"

static void the_peer_sees_the_end(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(&ops->ring, 3, 0, shutdown, fds[0], SHUT_WR);
	harness_submit(&ops->ring, 1);
	net_expect_flags(&ops->ring, 3, 0, 0);
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	/* The other direction is open. */
	net_send(fds[1], "x");
	net_expect(fds[0], "x");
	net_close_pair(fds);
}

static void a_pending_receive_ends(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];
	int results[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 0, 0, recv, fds[0], &byte, 1, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	ops_prep(&ops->ring, 1, 0, shutdown, fds[0], SHUT_RD);
	harness_submit(&ops->ring, 1);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 0, 0);
	net_close_pair(fds);
}

static void afterwards_a_send_is_epipe(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, shutdown, fds[0], SHUT_RDWR), 0);
	assert_int_equal(ops_run(&ops->ring, send, fds[0], "x", 1, 0), -EPIPE);
	net_close_pair(fds);
}

static void what_is_not_connected_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, shutdown, fd, SHUT_WR), -ENOTCONN);
	assert_int_equal(ops_run(&ops->ring, shutdown, fd, 77), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, shutdown, fds[0], SHUT_WR), -ENOTSOCK);
	assert_int_equal(ops_run(&ops->ring, shutdown, -1, SHUT_WR), -EBADF);
	harness_close_pipe(fds);
	close(fd);
}

/* An answer like any other to the chain, except where there is no socket. */
static void its_failure_does_not_break_the_chain(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int fds[2];
	int results[4];

	harness_pipe(fds);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, shutdown, fd, SHUT_WR);
	harness_nop(&ops->ring, 1);
	ops_prep(&ops->ring, 2, IOSQE_IO_LINK, shutdown, fds[0], SHUT_WR);
	harness_nop(&ops->ring, 3);
	harness_submit(&ops->ring, 4);
	ops_collect(&ops->ring, results, 4);
	ops_assert_results(results, -ENOTCONN, 0, -ENOTSOCK, -ECANCELED);
	harness_close_pipe(fds);
	close(fd);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
#define prepared ops_prep(ring, 0, 0, shutdown, fds[0], SHUT_WR)
	net_assert_refused(ring, prepared, off, 1);
	net_assert_refused(ring, prepared, addr, 1);
	net_assert_refused(ring, prepared, rw_flags, 1);
	net_assert_refused(ring, prepared, buf_index, 1);
	net_assert_refused(ring, prepared, splice_fd_in, 1);
	net_assert_refused(ring, prepared, ioprio, 1);
#undef prepared
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(the_peer_sees_the_end),
		ops_test(a_pending_receive_ends),
		ops_test(afterwards_a_send_is_epipe),
		ops_test(what_is_not_connected_is_refused),
		ops_test(its_failure_does_not_break_the_chain),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
