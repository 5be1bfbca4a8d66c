/* SPDX-License-Identifier: MIT */
/*
 * Description: one receive after the other on the same descriptors, each of which has to wait: what
 * the one before has left behind neither keeps a file nor answers for another.
 */
#include "net_buffers.h"
#include "net_helpers.h"

#include <sys/epoll.h>

enum { ROUNDS = 50 };

static int setup_deferring(void **state)
{
	struct ops *ops = calloc(1, sizeof(*ops));

	assert_non_null(ops);
	ops->dir = -1;
	harness_init(&ops->ring, 64, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	*state = ops;
	return 0;
}

static void begin_to_receive(struct io_uring *ring, uint64_t user_data, int fd, char *byte)
{
	ops_prep(ring, user_data, 0, recv, fd, byte, 1, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
}

static void send_byte(int fd, char byte)
{
	assert_int_equal(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
}

static void receive_byte(struct io_uring *ring, int fd, int peer, char byte)
{
	char got = 0;

	begin_to_receive(ring, 7, fd, &got);
	send_byte(peer, byte);
	ops_expect(ring, 7, 1);
	assert_int_equal(got, byte);
}

/* The descriptor was the last, so the peer is told at once; its number is another socket's next. */
static void a_close_after_receives_closes(void **state)
{
	struct ops *ops = *state;
	char byte;

	for (unsigned round = 0; round < ROUNDS; round++) {
		int fds[2];

		net_pair(SOCK_STREAM, fds);
		for (char c = 'a'; c < 'd'; c++)
			receive_byte(&ops->ring, fds[0], fds[1], c);
		close(fds[0]);
		assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
		close(fds[1]);
	}
}

/* The same by a request, over TCP, where the peer is told by the network. */
static void a_close_request_after_receives_closes(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	char byte;

	for (unsigned round = 0; round < ROUNDS; round++) {
		int client = net_connect(listener);
		int fd = accept(listener, NULL, NULL);

		assert_true(fd >= 0);
		receive_byte(&ops->ring, fd, client, 'a');
		receive_byte(&ops->ring, fd, client, 'b');
		assert_int_equal(ops_run(&ops->ring, close, fd), 0);
		assert_int_equal(recv(client, &byte, 1, 0), 0);
		close(client);
	}
	close(listener);
}

/* A number that stands for another socket now, while the first is still there under another. */
static void a_number_may_change_its_socket(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char first_byte = 0, second_byte = 0;
	int first[2], second[2], other;

	net_pair(SOCK_STREAM, first);
	net_pair(SOCK_STREAM, second);
	receive_byte(ring, first[0], first[1], 'a');
	other = dup(first[0]);
	assert_true(other >= 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		assert_int_equal(dup2(second[0], first[0]), first[0]);
		begin_to_receive(ring, 2, first[0], &second_byte);
		/* Of no concern to it. */
		send_byte(first[1], 'f');
		harness_assert_empty(ring);
		send_byte(second[1], 's');
		ops_expect(ring, 2, 1);
		assert_int_equal(second_byte, 's');
		assert_int_equal(ops_run(ring, recv, other, &first_byte, 1, 0), 1);
		assert_int_equal(first_byte, 'f');
		/* And back again. */
		assert_int_equal(dup2(other, first[0]), first[0]);
		receive_byte(ring, first[0], first[1], 'g');
	}
	close(other);
	net_close_pair(first);
	net_close_pair(second);
}

/* One that waits keeps the socket that the number was; the next one is on what it is by then. */
static void a_reused_number_beside_a_pending_receive(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char old_byte = 0, new_byte = 0;
	int old[2], new[2], number;

	for (unsigned round = 0; round < ROUNDS; round++) {
		net_pair(SOCK_STREAM, old);
		net_pair(SOCK_STREAM, new);
		number = old[0];
		receive_byte(ring, number, old[1], 'a');
		begin_to_receive(ring, 1, number, &old_byte);
		assert_int_equal(dup2(new[0], number), number);
		begin_to_receive(ring, 2, number, &new_byte);
		send_byte(new[1], 'n');
		ops_expect(ring, 2, 1);
		receive_byte(ring, number, new[1], 'm');
		send_byte(old[1], 'o');
		ops_expect(ring, 1, 1);
		assert_int_equal(old_byte, 'o');
		assert_int_equal(new_byte, 'n');
		net_close_pair(old);
		net_close_pair(new);
	}
}

static void several_wait_on_one_socket(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char bytes[4] = "";
	int fds[2], results[4];

	net_pair(SOCK_STREAM, fds);
	for (unsigned round = 0; round < ROUNDS; round++) {
		receive_byte(ring, fds[0], fds[1], 'a');
		for (unsigned i = 0; i < 3; i++)
			ops_prep(ring, i, 0, recv, fds[0], &bytes[i], 1, 0);
		harness_submit(ring, 3);
		begin_to_receive(ring, 3, fds[0], &bytes[3]);
		assert_int_equal(send(fds[1], "wxyz", 4, 0), 4);
		ops_collect(ring, results, 4);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(results[i], 1);
		assert_int_equal(bytes[0] + bytes[1] + bytes[2] + bytes[3], 'w' + 'x' + 'y' + 'z');
	}
	net_close_pair(fds);
}

/* Each piece wakes it, and it waits again until it has all. */
static void pieces_come_one_by_one(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char all[5] = "";
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned round = 0; round < ROUNDS; round++) {
		ops_prep(ring, 1, 0, recv, fds[0], all, 4, MSG_WAITALL);
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 4; i++) {
			harness_assert_empty(ring);
			send_byte(fds[1], (char)('a' + i));
		}
		ops_expect(ring, 1, 4);
		assert_string_equal(all, "abcd");
	}
	net_close_pair(fds);
}

/* Somebody else was faster: it goes on waiting. Only the owner has the receive carried out. */
static void what_is_taken_away_does_not_answer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte = 0, stolen;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned round = 0; round < ROUNDS; round++) {
		begin_to_receive(ring, 1, fds[0], &byte);
		send_byte(fds[1], 'a');
		assert_int_equal(recv(fds[0], &stolen, 1, MSG_DONTWAIT), 1);
		harness_assert_empty(ring);
		send_byte(fds[1], 'b');
		ops_expect(ring, 1, 1);
		assert_int_equal(byte, 'b');
	}
	net_close_pair(fds);
}

static void a_cancelled_one_leaves_nothing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int results[2], fds[2];
	char byte;

	for (unsigned round = 0; round < ROUNDS; round++) {
		net_pair(SOCK_STREAM, fds);
		receive_byte(ring, fds[0], fds[1], 'a');
		begin_to_receive(ring, 0, fds[0], &byte);
		ops_prep(ring, 1, 0, cancel64, 0, 0);
		harness_submit(ring, 1);
		ops_collect(ring, results, 2);
		assert_int_equal(results[0], -ECANCELED);
		assert_int_equal(results[1], 0);
		receive_byte(ring, fds[0], fds[1], 'b');
		close(fds[0]);
		assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
		close(fds[1]);
	}
}

/* Polls and receives once and again and again, in turn. */
static void other_requests_take_their_turn(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sqe *sqe;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, 1, 8, 64, 8);
	for (unsigned round = 0; round < ROUNDS; round++) {
		receive_byte(ring, fds[0], fds[1], 'a');
		sqe = ops_prep(ring, 1, IOSQE_BUFFER_SELECT, recv_multishot, fds[0], NULL, 0, 0);
		sqe->buf_group = 1;
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 3; i++) {
			send_byte(fds[1], 'b');
			cqe = harness_next(ring);
			assert_int_equal(cqe.user_data, 1);
			assert_int_equal(cqe.res, 1);
			assert_true(cqe.flags & IORING_CQE_F_MORE);
			net_provide(&buffers, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
		}
		ops_prep(ring, 2, 0, cancel64, 1, 0);
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 2; i++) {
			cqe = harness_next(ring);
			assert_int_equal(cqe.res, cqe.user_data == 1 ? -ECANCELED : 0);
		}
		receive_byte(ring, fds[0], fds[1], 'c');
		ops_prep(ring, 3, 0, poll_add, fds[0], POLLIN);
		harness_submit(ring, 1);
		harness_assert_empty(ring);
		send_byte(fds[1], 'd');
		ops_expect(ring, 3, POLLIN);
		assert_int_equal(recv(fds[0], &(char){0}, 1, 0), 1);
	}
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_registered_socket_lasts_as_long_as_it_is_registered(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	char byte;

	for (unsigned round = 0; round < ROUNDS; round++) {
		net_pair(SOCK_STREAM, fds);
		assert_int_equal(io_uring_register_files(ring, fds, 1), 0);
		close(fds[0]);
		for (unsigned i = 0; i < 3; i++) {
			ops_prep(ring, 1, IOSQE_FIXED_FILE, recv, 0, &byte, 1, 0);
			harness_submit(ring, 1);
			harness_assert_empty(ring);
			send_byte(fds[1], 'a');
			ops_expect(ring, 1, 1);
		}
		assert_int_equal(io_uring_unregister_files(ring), 0);
		assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
		close(fds[1]);
	}
}

/* A set that was polled, and is not any more, may have the ring in it. */
static void nothing_stands_between_a_ring_and_a_set(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int set = epoll_create1(EPOLL_CLOEXEC), fds[2];
	struct epoll_event event = {.events = EPOLLIN};

	assert_true(set >= 0);
	net_pair(SOCK_STREAM, fds);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event), 0);
	ops_prep(ring, 1, 0, poll_add, set, POLLIN);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	send_byte(fds[1], 'a');
	ops_expect(ring, 1, POLLIN);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring->ring_fd, &event), 0);
	close(set);
	net_close_pair(fds);
}

#define BOTH(test)                                                                                 \
	ops_test(test), cmocka_unit_test_setup_teardown(test, setup_deferring, ops_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_close_after_receives_closes),
		BOTH(a_close_request_after_receives_closes),
		BOTH(a_number_may_change_its_socket),
		BOTH(a_reused_number_beside_a_pending_receive),
		BOTH(several_wait_on_one_socket),
		BOTH(pieces_come_one_by_one),
		cmocka_unit_test_setup_teardown(what_is_taken_away_does_not_answer, setup_deferring,
						ops_teardown),
		BOTH(a_cancelled_one_leaves_nothing),
		BOTH(other_requests_take_their_turn),
		BOTH(a_registered_socket_lasts_as_long_as_it_is_registered),
		BOTH(nothing_stands_between_a_ring_and_a_set),
	};

	return harness_run(tests);
}
