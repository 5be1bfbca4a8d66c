/* SPDX-License-Identifier: MIT */
/*
 * Description: what goes wrong with SEND, RECV, SENDMSG and RECVMSG: peers that reset or go away at
 * every stage, descriptors that are none or no sockets, wild pointers, fields that must be zero.
 */
#include "net_helpers.h"

static volatile sig_atomic_t broken_pipes;

static void count_signal(int number)
{
	(void)number;
	broken_pipes++;
}

/* ---- the peer ---- */

static void a_peer_that_closes_ends_a_pending_receive(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];

	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		net_tcp_pair(fds);
		ops_prep(&ops->ring, 1, flags, recv, fds[0], &byte, 1, 0);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		close(fds[1]);
		ops_expect(&ops->ring, 1, 0);
		close(fds[0]);
	}
}

static void a_reset_is_seen_by_a_pending_receive(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];

	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		net_tcp_pair(fds);
		ops_prep(&ops->ring, 1, flags, recv, fds[0], &byte, 1, 0);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		net_reset(fds[1]);
		ops_expect(&ops->ring, 1, -ECONNRESET);
		close(fds[0]);
	}
}

static void a_reset_before_the_request_is_seen_once(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];

	net_tcp_pair(fds);
	net_reset(fds[1]);
	assert_true(harness_wait_readable(fds[0]));
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], &byte, 1, 0), -ECONNRESET);
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], &byte, 1, 0), 0);
	assert_int_equal(ops_run(&ops->ring, send, fds[0], "x", 1, 0), -EPIPE);
	close(fds[0]);
}

static void a_reset_ends_a_pending_send(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		net_tcp_pair(fds);
		net_fill(fds[0]);
		ops_prep(&ops->ring, 1, flags, send, fds[0], "x", 1, 0);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		net_reset(fds[1]);
		ops_expect(&ops->ring, 1, -ECONNRESET);
		close(fds[0]);
	}
}

static void a_send_never_raises_sigpipe(void **state)
{
	struct ops *ops = *state;
	struct sigaction action = {.sa_handler = count_signal}, saved;
	struct iovec vector = {"x", 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int fds[2];

	sigaction(SIGPIPE, &action, &saved);
	broken_pipes = 0;
	net_pair(SOCK_STREAM, fds);
	close(fds[1]);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		assert_int_equal(ops_run_flags(&ops->ring, flags, send, fds[0], "x", 1, 0), -EPIPE);
		assert_int_equal(ops_run_flags(&ops->ring, flags, sendmsg, fds[0], &message, 0),
				 -EPIPE);
	}
	assert_int_equal(broken_pipes, 0);
	close(fds[0]);
	sigaction(SIGPIPE, &saved, NULL);
}

/* Nobody listens there any more: the answer to the datagram is the next call's error. */
static void an_unreachable_port_is_refused(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in address = net_address_of(b);
	char byte;

	assert_int_equal(connect(a, (struct sockaddr *)&address, sizeof(address)), 0);
	close(b);
	ops_prep(&ops->ring, 1, 0, recv, a, &byte, 1, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	net_send(a, "x");
	ops_expect(&ops->ring, 1, -ECONNREFUSED);
	close(a);
}

/* ---- descriptors ---- */

static void a_closed_descriptor_is_still_received_from(void **state)
{
	struct ops *ops = *state;
	char byte = 0;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 1, 0, recv, fds[0], &byte, 1, 0);
	harness_submit(&ops->ring, 1);
	close(fds[0]);
	harness_assert_empty(&ops->ring);
	net_send(fds[1], "x");
	ops_expect(&ops->ring, 1, 1);
	assert_int_equal(byte, 'x');
	/* And when the request is over nothing holds it: the peer sees the end. */
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	close(fds[1]);
}

static void what_is_no_socket_is_refused(void **state)
{
	struct ops *ops = *state;
	struct iovec vector = {&(char){'x'}, 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int results[12];
	int fds[2];
	int file = harness_temp_file(16);
	unsigned data = 0;

	harness_pipe(fds);
	for (unsigned i = 0; i < 3; i++) {
		int fd = i == 0 ? fds[0] : i == 1 ? file : -1;

		ops_prep(&ops->ring, data++, 0, send, fd, "x", 1, 0);
		ops_prep(&ops->ring, data++, 0, recv, fd, vector.iov_base, 1, 0);
		ops_prep(&ops->ring, data++, 0, sendmsg, fd, &message, 0);
		ops_prep(&ops->ring, data++, 0, recvmsg, fd, &message, 0);
	}
	harness_submit(&ops->ring, data);
	ops_collect(&ops->ring, results, data);
	for (unsigned i = 0; i < data; i++)
		assert_int_equal(results[i], i < 8 ? -ENOTSOCK : -EBADF);
	harness_close_pipe(fds);
	close(file);
}

static void what_is_not_connected_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	char byte;

	assert_int_equal(ops_run(&ops->ring, recv, fd, &byte, 1, 0), -ENOTCONN);
	assert_int_equal(ops_run(&ops->ring, send, fd, "x", 1, 0), -EPIPE);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, recv, fd, &byte, 1, 0), -ENOTCONN);
	close(fd);
}

/* ---- memory ---- */

static void wild_buffers_are_faults(void **state)
{
	struct ops *ops = *state;
	void *bad = ops_bad_address();
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_send(fds[1], "data");
	assert_int_equal(ops_run(&ops->ring, send, fds[0], bad, 8, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], bad, 8, 0), -EFAULT);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, send, fds[0], bad, 8, 0), -EFAULT);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, recv, fds[0], bad, 8, 0), -EFAULT);
	net_close_pair(fds);
}

static void wild_messages_are_faults(void **state)
{
	struct ops *ops = *state;
	void *bad = ops_bad_address();
	char buffer[8];
	struct iovec vector = {buffer, 8};
	struct msghdr wild_vector = {.msg_iov = bad, .msg_iovlen = 1};
	struct msghdr wild_name = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_name = bad, .msg_namelen = 16};
	struct msghdr wild_control = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = bad, .msg_controllen = 64};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		assert_int_equal(ops_run_flags(&ops->ring, flags, sendmsg, fds[0], bad, 0),
				 -EFAULT);
		assert_int_equal(ops_run_flags(&ops->ring, flags, recvmsg, fds[0], bad, 0),
				 -EFAULT);
		assert_int_equal(ops_run_flags(&ops->ring, flags, sendmsg, fds[0], &wild_vector, 0),
				 -EFAULT);
		assert_int_equal(ops_run_flags(&ops->ring, flags, recvmsg, fds[0], &wild_vector, 0),
				 -EFAULT);
		assert_int_equal(ops_run_flags(&ops->ring, flags, sendmsg, fds[0], &wild_name, 0),
				 -EFAULT);
		assert_int_equal(
			ops_run_flags(&ops->ring, flags, sendmsg, fds[0], &wild_control, 0),
			-EFAULT);
	}
	/* Without a file, too: what the message points to is looked at first. */
	assert_int_equal(ops_run(&ops->ring, sendmsg, -1, bad, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, recvmsg, -1, &wild_vector, 0), -EFAULT);
	net_close_pair(fds);
}

static void wild_messages_are_refused_by_preparation(void **state)
{
	struct ops *ops = *state;
	struct msghdr message = {.msg_iov = ops_bad_address(), .msg_iovlen = 1};
	int results[3];
	int fds[2];

	/* So the whole chain falls, members before included, and the rest is not submitted. */
	net_pair(SOCK_STREAM, fds);
	harness_nop_flags(&ops->ring, 0, IOSQE_IO_LINK);
	ops_prep(&ops->ring, 1, 0, sendmsg, fds[0], &message, 0);
	harness_nop(&ops->ring, 2);
	assert_int_equal(io_uring_submit(&ops->ring), 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -ECANCELED, -EFAULT);
	assert_int_equal(io_uring_submit(&ops->ring), 1);
	harness_assert_cqe(harness_next(&ops->ring), 2, 0);
	net_close_pair(fds);
}

static void bad_messages_are_refused(void **state)
{
	struct ops *ops = *state;
	char byte = 'x';
	struct iovec vector[1025];
	struct sockaddr_storage name = {.ss_family = AF_UNIX};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = ARRAY_SIZE(vector)};
	int fds[2];

	for (unsigned i = 0; i < ARRAY_SIZE(vector); i++)
		vector[i] = (struct iovec){&byte, 1};
	net_pair(SOCK_STREAM, fds);
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &message, 0), -EMSGSIZE);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &message, 0), -EMSGSIZE);
	message.msg_iovlen = 1;
	vector[0].iov_len = (size_t)-1;
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &message, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &message, 0), -EINVAL);
	vector[0].iov_len = 1;
	message.msg_name = &name;
	message.msg_namelen = (socklen_t)-1;
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &message, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &message, 0), -EINVAL);
	net_close_pair(fds);
}

/* ---- fields ---- */

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte = 'x';
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
#define prepared(op, ...) ops_prep(ring, 0, 0, op, fds[0], __VA_ARGS__)
	net_assert_refused(ring, prepared(send, "x", 1, 0), ioprio, 1 << 6);
	net_assert_refused(ring, prepared(send, "x", 1, 0), ioprio, IORING_RECV_MULTISHOT);
	net_assert_refused(ring, prepared(send, "x", 1, 0), ioprio, IORING_RECVSEND_FIXED_BUF);
	net_assert_refused(ring, prepared(send, "x", 1, 0), ioprio, IORING_SEND_ZC_REPORT_USAGE);
	net_assert_refused(ring, prepared(send, "x", 1, 0), splice_fd_in, 1 << 16);
	net_assert_refused(ring, prepared(send, "x", 1, 0), len, 1u << 31);
	net_assert_refused(ring, prepared(sendmsg, &message, 0), ioprio, 1 << 6);
	net_assert_refused(ring, prepared(sendmsg, &message, 0), ioprio, IORING_RECVSEND_BUNDLE);
	net_assert_refused(ring, prepared(sendmsg, &message, 0), splice_fd_in, 1);
	net_assert_refused(ring, prepared(sendmsg, &message, 0), addr2, 1);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), ioprio, 1 << 6);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), ioprio, IORING_RECV_MULTISHOT);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), ioprio, IORING_RECVSEND_FIXED_BUF);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), addr2, 1);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), splice_fd_in, 1);
	net_assert_refused(ring, prepared(recv, &byte, 1, 0), len, 1u << 31);
	net_assert_refused(ring, prepared(recvmsg, &message, 0), ioprio, IORING_RECVSEND_BUNDLE);
	net_assert_refused(ring, prepared(recvmsg, &message, 0), ioprio, IORING_RECV_MULTISHOT);
	net_assert_refused(ring, prepared(recvmsg, &message, 0), addr2, 1);
	net_assert_refused(ring, prepared(recvmsg, &message, 0), splice_fd_in, 1);
#undef prepared
	net_close_pair(fds);
}

static void sending_messages_takes_no_provided_buffer(void **state)
{
	struct ops *ops = *state;
	char byte = 'x';
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(
		ops_run_flags(&ops->ring, IOSQE_BUFFER_SELECT, sendmsg, fds[0], &message, 0),
		-EOPNOTSUPP);
	assert_int_equal(
		ops_run_flags(&ops->ring, IOSQE_BUFFER_SELECT, accept, fds[0], NULL, NULL, 0),
		-EOPNOTSUPP);
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_peer_that_closes_ends_a_pending_receive),
		ops_test(a_reset_is_seen_by_a_pending_receive),
		ops_test(a_reset_before_the_request_is_seen_once),
		ops_test(a_reset_ends_a_pending_send),
		ops_test(a_send_never_raises_sigpipe),
		ops_test(an_unreachable_port_is_refused),
		ops_test(a_closed_descriptor_is_still_received_from),
		ops_test(what_is_no_socket_is_refused),
		ops_test(what_is_not_connected_is_refused),
		ops_test(wild_buffers_are_faults),
		ops_test(wild_messages_are_faults),
		ops_test(wild_messages_are_refused_by_preparation),
		ops_test(bad_messages_are_refused),
		ops_test(stray_fields_are_refused),
		ops_test(sending_messages_takes_no_provided_buffer),
	};

	return harness_run(tests);
}
