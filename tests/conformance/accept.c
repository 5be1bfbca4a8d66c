/* SPDX-License-Identifier: MIT */
/*
 * Description: ACCEPT: what it gives, when it waits, its flags, and multishot. (Into the file
 * table: net-direct.c.)
 */
#include "net_helpers.h"

static void a_waiting_connection_is_accepted_at_once(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client = net_connect(listener);
	struct sockaddr_in peer, own = net_address_of(client);
	socklen_t length = sizeof(peer);
	struct harness_cqe cqe;

	ops_prep(&ops->ring, 7, 0, accept, listener, (struct sockaddr *)&peer, &length, 0);
	harness_submit(&ops->ring, 1);
	assert_true(harness_peek(&ops->ring, &cqe));
	assert_int_equal(cqe.user_data, 7);
	assert_true(cqe.res >= 0);
	assert_int_equal(cqe.flags, 0);
	assert_int_equal(length, sizeof(peer));
	assert_int_equal(peer.sin_port, own.sin_port);
	assert_int_equal(fcntl(cqe.res, F_GETFD), 0);
	assert_int_equal(fcntl(cqe.res, F_GETFL) & O_NONBLOCK, 0);
	net_send(client, "hello");
	net_expect(cqe.res, "hello");
	close(cqe.res);
	close(client);
	close(listener);
}

static void check_waiting(struct io_uring *ring, int listener_flags, unsigned sqe_flags)
{
	int listener = net_listener(listener_flags);
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	struct harness_cqe cqe;
	int client;

	ops_prep(ring, 1, sqe_flags, accept, listener, (struct sockaddr *)&peer, &length,
		 SOCK_NONBLOCK | SOCK_CLOEXEC);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	client = net_connect(listener);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, 1);
	assert_true(cqe.res >= 0);
	assert_int_equal(length, sizeof(peer));
	assert_int_equal(peer.sin_port, net_address_of(client).sin_port);
	assert_int_equal(fcntl(cqe.res, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(cqe.res, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	/* The listener is as it was. */
	assert_int_equal(fcntl(listener, F_GETFL) & O_NONBLOCK,
			 listener_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	close(cqe.res);
	close(client);
	close(listener);
}

static void it_waits_for_a_connection(void **state)
{
	struct ops *ops = *state;

	check_waiting(&ops->ring, 0, 0);
	check_waiting(&ops->ring, SOCK_NONBLOCK, 0);
	check_waiting(&ops->ring, 0, IOSQE_ASYNC);
	check_waiting(&ops->ring, SOCK_NONBLOCK, IOSQE_ASYNC);
}

static void a_short_address_is_cut_off(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client = net_connect(listener);
	char peer[4] = {9, 9, 9, 9};
	socklen_t length = 2;
	int fd;

	fd = ops_run(&ops->ring, accept, listener, (struct sockaddr *)(void *)peer, &length, 0);
	assert_true(fd >= 0);
	assert_int_equal(length, sizeof(struct sockaddr_in));
	assert_int_equal(*(sa_family_t *)(void *)peer, AF_INET);
	assert_int_equal(peer[2], 9);
	close(fd);
	close(client);
	close(listener);
}

static void bad_addresses_are_faults(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct sockaddr_in peer;
	socklen_t length = (socklen_t)-1;
	void *bad = ops_bad_address();
	int clients[3];

	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = net_connect(listener);
	assert_int_equal(
		ops_run(&ops->ring, accept, listener, (struct sockaddr *)&peer, &length, 0),
		-EINVAL);
	length = sizeof(peer);
	assert_int_equal(ops_run(&ops->ring, accept, listener, bad, &length, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, accept, listener, (struct sockaddr *)&peer, bad, 0),
			 -EFAULT);
	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	close(listener);
}

static void with_dontwait_nothing_is_eagain(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct harness_cqe cqe;
	int client;

	for (unsigned i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe =
			ops_prep(&ops->ring, i, 0, accept, listener, NULL, NULL, 0);

		sqe->ioprio = IORING_ACCEPT_DONTWAIT;
		if (i)
			sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
		harness_submit(&ops->ring, 1);
		assert_true(harness_peek(&ops->ring, &cqe));
		harness_assert_cqe(cqe, i, -EAGAIN);
		assert_int_equal(cqe.flags, 0);
	}
	client = net_connect(listener);
	ops_prep(&ops->ring, 0, 0, accept, listener, NULL, NULL, 0)->ioprio =
		IORING_ACCEPT_DONTWAIT;
	cqe = harness_complete(&ops->ring);
	assert_true(cqe.res >= 0);
	close(cqe.res);
	close(client);
	close(listener);
}

static void poll_first_finds_what_is_there(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client = net_connect(listener);
	struct harness_cqe cqe;

	ops_prep(&ops->ring, 3, 0, accept, listener, NULL, NULL, 0)->ioprio =
		IORING_ACCEPT_POLL_FIRST;
	cqe = harness_complete(&ops->ring);
	assert_int_equal(cqe.user_data, 3);
	assert_true(cqe.res >= 0);
	close(cqe.res);
	close(client);

	ops_prep(&ops->ring, 3, 0, accept, listener, NULL, NULL, 0)->ioprio =
		IORING_ACCEPT_POLL_FIRST;
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	client = net_connect(listener);
	cqe = harness_next(&ops->ring);
	assert_true(cqe.res >= 0);
	close(cqe.res);
	close(client);
	close(listener);
}

static void the_flag_says_if_more_are_waiting(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int clients[3];

	for (unsigned i = 0; i < 3; i++)
		clients[i] = net_connect(listener);
	for (unsigned i = 0; i < 3; i++) {
		struct harness_cqe cqe;

		ops_prep(&ops->ring, 0, 0, accept, listener, NULL, NULL, 0);
		cqe = harness_complete(&ops->ring);
		assert_true(cqe.res >= 0);
		assert_int_equal(cqe.flags, i < 2 ? IORING_CQE_F_SOCK_NONEMPTY : 0);
		close(cqe.res);
		close(clients[i]);
	}
	close(listener);
}

/* Reap one of a multishot accept, give back whether it goes on. */
static unsigned expect_shot(struct io_uring *ring, uint64_t user_data, unsigned flags)
{
	struct harness_cqe cqe = harness_next(ring);

	assert_int_equal(cqe.user_data, user_data);
	assert_true(cqe.res >= 0);
	assert_int_equal(cqe.flags, flags);
	close(cqe.res);
	return cqe.flags;
}

static void multishot_takes_those_there_and_those_to_come(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int clients[5];

	for (unsigned i = 0; i < 3; i++)
		clients[i] = net_connect(listener);
	ops_prep(&ops->ring, 5, 0, multishot_accept, listener, NULL, NULL, 0);
	harness_submit(&ops->ring, 1);
	expect_shot(&ops->ring, 5, IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	expect_shot(&ops->ring, 5, IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	expect_shot(&ops->ring, 5, IORING_CQE_F_MORE);
	harness_assert_empty(&ops->ring);
	for (unsigned i = 3; i < 5; i++) {
		clients[i] = net_connect(listener);
		expect_shot(&ops->ring, 5, IORING_CQE_F_MORE);
	}
	net_cancel(&ops->ring, 5);
	for (unsigned i = 0; i < 5; i++)
		close(clients[i]);
	close(listener);
}

static void multishot_gives_addresses(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	ops_prep(&ops->ring, 5, 0, multishot_accept, listener, (struct sockaddr *)&peer, &length,
		 0);
	harness_submit(&ops->ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		int client = net_connect(listener);

		expect_shot(&ops->ring, 5, IORING_CQE_F_MORE);
		assert_int_equal(peer.sin_port, net_address_of(client).sin_port);
		close(client);
	}
	net_cancel(&ops->ring, 5);
	close(listener);
}

/* A completion queue that is full ends it, and the last one's descriptor is not lost. */
static void multishot_ends_when_the_queue_is_full(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 2};
	struct io_uring ring;
	int listener = net_listener(0);
	int clients[4];

	(void)state;
	harness_init_params(&ring, 1, &params);
	for (unsigned i = 0; i < 4; i++)
		clients[i] = net_connect(listener);
	ops_prep(&ring, 5, 0, multishot_accept, listener, NULL, NULL, 0);
	harness_submit(&ring, 1);
	expect_shot(&ring, 5, IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	expect_shot(&ring, 5, IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	expect_shot(&ring, 5, IORING_CQE_F_SOCK_NONEMPTY);
	harness_assert_empty(&ring);
	for (unsigned i = 0; i < 4; i++)
		close(clients[i]);
	close(listener);
	io_uring_queue_exit(&ring);
}

static void on_unix_sockets_the_flag_is_not_known(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_un address, peer;
	socklen_t length, peer_length = sizeof(peer);
	int listener = net_unix_listener(8, &address, &length);
	int clients[2];

	for (unsigned i = 0; i < 2; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&address, length), 0);
	}
	ops_prep(&ops->ring, 1, 0, multishot_accept, listener, (struct sockaddr *)&peer,
		 &peer_length, 0);
	harness_submit(&ops->ring, 1);
	expect_shot(&ops->ring, 1, IORING_CQE_F_MORE);
	expect_shot(&ops->ring, 1, IORING_CQE_F_MORE);
	/* A socket without a name. */
	assert_int_equal(peer_length, sizeof(sa_family_t));
	net_cancel(&ops->ring, 1);
	for (unsigned i = 0; i < 2; i++)
		close(clients[i]);
	close(listener);
}

static void a_pending_one_can_be_cancelled(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client, fd;

	ops_prep(&ops->ring, 1, 0, accept, listener, NULL, NULL, 0);
	harness_submit(&ops->ring, 1);
	net_cancel(&ops->ring, 1);
	ops_prep(&ops->ring, 2, IOSQE_ASYNC, accept, listener, NULL, NULL, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	/* The connection is for the next one. */
	client = net_connect(listener);
	fd = harness_next(&ops->ring).res;
	assert_true(fd >= 0);
	close(fd);
	close(client);
	close(listener);
}

static void a_closed_listener_stays_pending(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct sockaddr_in address = net_address_of(listener);
	int client = net_tcp(0);
	struct harness_cqe cqe;

	ops_prep(&ops->ring, 1, 0, accept, listener, NULL, NULL, 0);
	harness_submit(&ops->ring, 1);
	close(listener);
	harness_assert_empty(&ops->ring);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	cqe = harness_next(&ops->ring);
	assert_true(cqe.res >= 0);
	close(cqe.res);
	close(client);
}

static void a_shut_down_listener_ends_it(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);

	ops_prep(&ops->ring, 1, 0, accept, listener, NULL, NULL, 0);
	ops_prep(&ops->ring, 1, 0, multishot_accept, listener, NULL, NULL, 0);
	harness_submit(&ops->ring, 2);
	harness_assert_empty(&ops->ring);
	assert_int_equal(shutdown(listener, SHUT_RDWR), 0);
	for (unsigned i = 0; i < 2; i++)
		net_expect_flags(&ops->ring, 1, -EINVAL, 0);
	close(listener);
}

/* Whether a connection that was reset while it waited is handed out is the kernel's business. */
static void a_reset_connection_is_handed_out(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client = net_connect(listener);
	char byte;
	int fd;

	net_reset(client);
	fd = ops_run(&ops->ring, accept, listener, NULL, NULL, 0);
	assert_true(fd >= 0);
	assert_int_equal(ops_run(&ops->ring, recv, fd, &byte, 1, 0), -ECONNRESET);
	close(fd);
	close(listener);
}

static void without_a_descriptor_the_connection_waits(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int client = net_connect(listener);
	struct rlimit saved, none;
	int fd;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	none = saved;
	none.rlim_cur = 3;
	ops_prep(&ops->ring, 1, 0, accept, listener, NULL, NULL, 0);
	ops_prep(&ops->ring, 1, 0, multishot_accept, listener, NULL, NULL, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	harness_submit(&ops->ring, 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	for (unsigned i = 0; i < 2; i++)
		net_expect_flags(&ops->ring, 1, -EMFILE, 0);
	fd = ops_run(&ops->ring, accept, listener, NULL, NULL, 0);
	assert_true(fd >= 0);
	close(fd);
	close(client);
	close(listener);
}

static void what_does_not_listen_is_refused(void **state)
{
	struct ops *ops = *state;
	int plain = net_tcp(0);
	int datagrams = net_bound(SOCK_DGRAM);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, accept, plain, NULL, NULL, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, accept, datagrams, NULL, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(ops_run(&ops->ring, accept, fds[0], NULL, NULL, 0), -ENOTSOCK);
	assert_int_equal(ops_run(&ops->ring, accept, -1, NULL, NULL, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, multishot_accept, plain, NULL, NULL, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, multishot_accept, fds[0], NULL, NULL, 0), -ENOTSOCK);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, accept, fds[0], NULL, NULL, 0),
			 -ENOTSOCK);
	harness_close_pipe(fds);
	close(plain);
	close(datagrams);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct io_uring *ring = &ops->ring;

#define prepared ops_prep(ring, 0, 0, accept, listener, NULL, NULL, 0)
	net_assert_refused(ring, prepared, len, 1);
	net_assert_refused(ring, prepared, buf_index, 1);
	net_assert_refused(ring, prepared, ioprio, 8);
	net_assert_refused(ring, prepared, accept_flags, 1);
	net_assert_refused(ring, prepared, accept_flags, SOCK_STREAM);
#undef prepared
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_waiting_connection_is_accepted_at_once),
		ops_test(it_waits_for_a_connection),
		ops_test(a_short_address_is_cut_off),
		ops_test(bad_addresses_are_faults),
		ops_test(with_dontwait_nothing_is_eagain),
		ops_test(poll_first_finds_what_is_there),
		ops_test(the_flag_says_if_more_are_waiting),
		ops_test(multishot_takes_those_there_and_those_to_come),
		ops_test(multishot_gives_addresses),
		ops_test(multishot_ends_when_the_queue_is_full),
		ops_test(on_unix_sockets_the_flag_is_not_known),
		ops_test(a_pending_one_can_be_cancelled),
		ops_test(a_closed_listener_stays_pending),
		ops_test(a_shut_down_listener_ends_it),
		ops_test(a_reset_connection_is_handed_out),
		ops_test(without_a_descriptor_the_connection_waits),
		ops_test(what_does_not_listen_is_refused),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
