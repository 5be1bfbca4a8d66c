/* SPDX-License-Identifier: MIT */
/*
 * Description: network operations in chains, behind drains, with CQE_SKIP_SUCCESS, cancelled, and
 * left behind when the ring goes.
 */
#include "net_helpers.h"

/* Reply to what came, written before it came. */
static void a_receive_and_its_reply_in_one_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char buffer[4];
	int results[3];
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 4, MSG_WAITALL);
	ops_prep(ring, 1, IOSQE_IO_LINK, send, fds[0], buffer, 4, 0);
	ops_prep(ring, 2, 0, shutdown, fds[0], SHUT_WR);
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	net_send(fds[1], "ab");
	net_send(fds[1], "cd");
	ops_collect(ring, results, 3);
	ops_assert_results(results, 4, 4, 0);
	net_expect(fds[1], "abcd");
	assert_int_equal(recv(fds[1], buffer, 1, 0), 0);
	net_close_pair(fds);
}

static void a_failed_connect_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int holder = net_bound(SOCK_STREAM);
	struct sockaddr_in address = net_address_of(holder);
	int client = net_tcp(0);
	int results[3];

	ops_prep(ring, 0, IOSQE_IO_LINK, connect, client, (struct sockaddr *)&address,
		 sizeof(address));
	ops_prep(ring, 1, IOSQE_IO_LINK, send, client, "x", 1, 0);
	harness_nop(ring, 2);
	harness_submit(ring, 3);
	ops_collect(ring, results, 3);
	ops_assert_results(results, -ECONNREFUSED, -ECANCELED, -ECANCELED);
	ops_prep(ring, 0, IOSQE_IO_HARDLINK, connect, client, (struct sockaddr *)&address,
		 sizeof(address));
	harness_nop(ring, 1);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECONNREFUSED, 0);
	close(client);
	close(holder);
}

static void an_accept_starts_what_is_linked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	int client;
	int results[2];

	ops_prep(ring, 0, IOSQE_IO_LINK, accept, listener, NULL, NULL, 0);
	harness_nop(ring, 1);
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	client = net_connect(listener);
	ops_collect(ring, results, 2);
	assert_true(results[0] >= 0);
	assert_int_equal(results[1], 0);
	close(results[0]);
	close(client);
	close(listener);
}

static void a_drain_waits_for_a_pending_receive(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(ring, 1, 0, recv, fds[0], &byte, 1, 0);
	harness_nop_flags(ring, 2, IOSQE_IO_DRAIN);
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	net_send(fds[1], "x");
	ops_expect(ring, 1, 1);
	ops_expect(ring, 2, 0);
	net_close_pair(fds);
}

static void a_drain_waits_for_the_end_of_a_multishot(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	struct harness_cqe cqe;
	int client;

	ops_prep(ring, 1, 0, multishot_accept, listener, NULL, NULL, 0);
	harness_nop_flags(ring, 2, IOSQE_IO_DRAIN);
	harness_submit(ring, 2);
	client = net_connect(listener);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, 1);
	assert_int_equal(cqe.flags, IORING_CQE_F_MORE);
	close(cqe.res);
	harness_assert_empty(ring);
	assert_int_equal(shutdown(listener, SHUT_RDWR), 0);
	ops_expect(ring, 1, -EINVAL);
	ops_expect(ring, 2, 0);
	close(client);
	close(listener);
}

static void success_can_be_silent(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(ring, 1, IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK, send, fds[0], "x", 1, 0);
	ops_prep(ring, 2, IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK, recv, fds[1], &byte, 1, 0);
	ops_prep(ring, 3, IOSQE_CQE_SKIP_SUCCESS, recv, fds[0], &byte, 1, MSG_DONTWAIT);
	harness_submit(ring, 3);
	ops_expect(ring, 3, -EAGAIN);
	harness_assert_empty(ring);
	net_close_pair(fds);
}

static void pending_ones_are_cancelled_by_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqes[5];
	unsigned cancelled = 0;
	char bytes[4];
	int listener = net_listener(0);
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned i = 0; i < 4; i++)
		ops_prep(ring, 1, 0, recv, fds[0], bytes + i, 1, 0);
	ops_prep(ring, 2, 0, accept, listener, NULL, NULL, 0);
	harness_submit(ring, 5);
	ops_prep(ring, 3, 0, cancel_fd, fds[0], IORING_ASYNC_CANCEL_ALL);
	harness_submit(ring, 1);
	harness_reap(ring, cqes, 5);
	for (unsigned i = 0; i < 5; i++) {
		if (cqes[i].user_data == 3) {
			assert_int_equal(cqes[i].res, 4);
		} else {
			harness_assert_cqe(cqes[i], 1, -ECANCELED);
			cancelled++;
		}
	}
	assert_int_equal(cancelled, 4);
	net_cancel(ring, 2);
	close(listener);
	net_close_pair(fds);
}

/* What was received in part is the answer to the cancelled request's chain: nothing goes on. */
static void a_partly_filled_receive_is_cancelled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqes[3];
	char buffer[8];
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, recv, fds[0], buffer, 8, MSG_WAITALL);
	harness_nop(ring, 2);
	net_send(fds[1], "abc");
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	ops_prep(ring, 3, 0, cancel64, 1, 0);
	harness_submit(ring, 1);
	harness_reap(ring, cqes, 3);
	for (unsigned i = 0; i < 3; i++) {
		if (cqes[i].user_data == 1)
			assert_int_equal(cqes[i].res, 3);
		else
			assert_int_equal(cqes[i].res, cqes[i].user_data == 2 ? -ECANCELED : 0);
	}
	net_close_pair(fds);
}

static void a_ring_may_go_with_all_of_them_pending(void **state)
{
	struct io_uring ring;
	int listener = net_listener(0);
	struct msghdr message = {0};
	struct iovec vector;
	char bytes[3];
	char byte;
	int fds[2];

	(void)state;
	harness_init(&ring, 16, 0);
	net_pair(SOCK_STREAM, fds);
	vector = (struct iovec){bytes + 1, 1};
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	net_fill(fds[0]);
	ops_prep(&ring, 1, 0, recv, fds[0], bytes, 1, 0);
	ops_prep(&ring, 2, 0, recvmsg, fds[0], &message, 0);
	ops_prep(&ring, 3, 0, send, fds[0], "x", 1, 0);
	ops_prep(&ring, 4, 0, accept, listener, NULL, NULL, 0);
	ops_prep(&ring, 5, 0, multishot_accept, listener, NULL, NULL, 0);
	ops_prep(&ring, 6, IOSQE_ASYNC, recv, fds[0], bytes + 2, 1, 0);
	harness_submit(&ring, 6);
	io_uring_queue_exit(&ring);
#ifndef TEST_ORACLE
	/* Nothing of it is left (the kernel may take a little longer): what comes now is for us. */
	net_send(fds[1], "x");
	assert_int_equal(recv(fds[0], &byte, 1, 0), 1);
#else
	(void)byte;
#endif
	close(listener);
	net_close_pair(fds);
}

#ifndef TEST_ORACLE
/* As many of them as there are chains, with one thread of each kind. (The kernel's threads wait.)
 */
static void a_receive_behind_file_work_needs_no_thread(void **state)
{
	enum { CHAINS = 4 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned limits[2] = {1, 1};
	char buffers[CHAINS][4];
	int fds[CHAINS][2], dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	assert_int_equal(io_uring_register_iowq_max_workers(ring, limits), 0);
	for (unsigned i = 0; i < CHAINS; i++) {
		net_pair(SOCK_STREAM, fds[i]);
		ops_prep(ring, 2 * i, IOSQE_IO_LINK, fsync, dir, 0);
		if (i % 2)
			ops_prep(ring, 2 * i + 1, 0, read, fds[i][0], buffers[i], 4, 0);
		else
			ops_prep(ring, 2 * i + 1, 0, recv, fds[i][0], buffers[i], 4, 0);
	}
	harness_submit(ring, 2 * CHAINS);
	for (unsigned i = 0; i < CHAINS; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.user_data % 2, 0);
		assert_int_equal(cqe.res, 0);
	}
	/* The last first. */
	for (unsigned i = CHAINS; i-- > 0;) {
		net_send(fds[i][1], "abcd");
		ops_expect(ring, 2 * i + 1, 4);
		assert_memory_equal(buffers[i], "abcd", 4);
		net_close_pair(fds[i]);
	}
	assert_int_equal(io_uring_register_iowq_max_workers(ring, limits), 0);
	close(dir);
}

/* And it is cancelled as any other that waits. */
static void a_receive_behind_file_work_is_cancelled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2], dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buffer[4];

	assert_true(dir >= 0);
	net_pair(SOCK_STREAM, fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, fsync, dir, 0);
	ops_prep(ring, 2, IOSQE_IO_LINK, recv, fds[0], buffer, 4, 0);
	harness_nop(ring, 3);
	harness_submit(ring, 3);
	ops_expect(ring, 1, 0);
	for (;;) {
		struct harness_cqe cqe;

		ops_prep(ring, 4, 0, cancel64, 2, 0);
		harness_submit(ring, 1);
		cqe = harness_next(ring);
		/* It may not have begun yet. */
		if (cqe.user_data == 4 && cqe.res == -ENOENT)
			continue;
		harness_assert_cqe(cqe, 4, 0);
		break;
	}
	ops_expect(ring, 2, -ECANCELED);
	ops_expect(ring, 3, -ECANCELED);
	harness_assert_empty(ring);
	net_close_pair(fds);
	close(dir);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_receive_and_its_reply_in_one_chain),
		ops_test(a_failed_connect_breaks_the_chain),
		ops_test(an_accept_starts_what_is_linked),
		ops_test(a_drain_waits_for_a_pending_receive),
		ops_test(a_drain_waits_for_the_end_of_a_multishot),
		ops_test(success_can_be_silent),
		ops_test(pending_ones_are_cancelled_by_descriptor),
		ops_test(a_partly_filled_receive_is_cancelled),
#ifndef TEST_ORACLE
		ops_test(a_receive_behind_file_work_needs_no_thread),
		ops_test(a_receive_behind_file_work_is_cancelled),
#endif
		ops_test(a_ring_may_go_with_all_of_them_pending),
	};

	return harness_run(tests);
}
