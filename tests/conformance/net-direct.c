/* SPDX-License-Identifier: MIT */
/*
 * Description: sockets in the file table: SOCKET and ACCEPT into slots, every operation on a slot,
 * full and missing tables.
 */
#include "net_helpers.h"

static void sparse_table(struct io_uring *ring, unsigned slots)
{
	assert_int_equal(io_uring_register_files_sparse(ring, slots), 0);
}

/* A conversation in which the client's socket never has a descriptor of the application's. */
static void a_client_lives_in_its_slot(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	struct sockaddr_in address = net_address_of(listener);
	char buffer[8];
	int server;

	sparse_table(ring, 4);
	assert_int_equal(ops_run(ring, socket_direct, AF_INET, SOCK_STREAM, 0, 2, 0), 0);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, connect, 2,
				       (struct sockaddr *)&address, sizeof(address)),
			 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, send, 2, "ping", 4, 0), 4);
	net_expect(server, "ping");
	ops_prep(ring, 1, IOSQE_FIXED_FILE, recv, 2, buffer, 8, 0);
	harness_submit(ring, 1);
	net_send(server, "pong");
	ops_expect(ring, 1, 4);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, shutdown, 2, SHUT_WR), 0);
	assert_int_equal(recv(server, buffer, 1, 0), 0);
	assert_int_equal(ops_run(ring, close_direct, 2), 0);
	close(server);
	close(listener);
}

static void a_server_lives_in_its_slots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int results[3];

	/* An abstract name of this process's own. */
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (unsigned)snprintf(address.sun_path + 1, 64, "asyncring-%d",
						(int)getpid()));
	sparse_table(ring, 4);
	ops_prep(ring, 0, IOSQE_IO_LINK, socket_direct, AF_UNIX, SOCK_STREAM, 0, 0, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK | IOSQE_FIXED_FILE, bind, 0, (struct sockaddr *)&address,
		 length);
	ops_prep(ring, 2, IOSQE_FIXED_FILE, listen, 0, 4);
	harness_submit(ring, 3);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 0, 0, 0);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, accept_direct, 0, NULL, NULL, 0, 3);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
	ops_expect(ring, 1, 0);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, send, 3, "hello", 5, 0), 5);
	net_expect(client, "hello");
	close(client);
}

static void a_free_slot_is_chosen(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	sparse_table(ring, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ops_run(ring, socket_direct_alloc, AF_INET, SOCK_STREAM, 0, 0), i);
	assert_int_equal(ops_run(ring, socket_direct_alloc, AF_INET, SOCK_STREAM, 0, 0), -ENFILE);
	assert_int_equal(ops_run(ring, close_direct, 0), 0);
	assert_int_equal(ops_run(ring, socket_direct_alloc, AF_INET, SOCK_STREAM, 0, 0), 0);
	/* An occupied slot that is asked for is replaced. */
	assert_int_equal(ops_run(ring, socket_direct, AF_UNIX, SOCK_DGRAM, 0, 1, 0), 0);
}

static void slots_that_are_not_there_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	int clients[2] = {net_connect(listener), net_connect(listener)};

	assert_int_equal(ops_run(ring, socket_direct, AF_INET, SOCK_STREAM, 0, 0, 0), -ENXIO);
	assert_int_equal(ops_run(ring, accept_direct, listener, NULL, NULL, 0, 0), -ENXIO);
	sparse_table(ring, 2);
	assert_int_equal(ops_run(ring, socket_direct, AF_INET, SOCK_STREAM, 0, 2, 0), -EINVAL);
	assert_int_equal(ops_run(ring, accept_direct, listener, NULL, NULL, 0, 2), -EINVAL);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, send, 0, "x", 1, 0), -EBADF);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, accept, 7, NULL, NULL, 0), -EBADF);
	net_close_pair(clients);
	close(listener);
}

/* A slot has no flag for exec. */
static void cloexec_is_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);

	sparse_table(ring, 2);
	assert_int_equal(ops_run(ring, socket_direct, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0),
			 -EINVAL);
	assert_int_equal(ops_run(ring, accept_direct, listener, NULL, NULL, SOCK_CLOEXEC, 0),
			 -EINVAL);
	close(listener);
}

static void accepted_into_chosen_and_given_slots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	int clients[2] = {net_connect(listener), net_connect(listener)};

	sparse_table(ring, 4);
	ops_prep(ring, 1, 0, accept_direct, listener, NULL, NULL, 0, 3);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 0, IORING_CQE_F_SOCK_NONEMPTY);
	ops_prep(ring, 2, 0, accept_direct, listener, NULL, NULL, SOCK_NONBLOCK, 0)->file_index =
		IORING_FILE_INDEX_ALLOC;
	harness_submit(ring, 1);
	net_expect_flags(ring, 2, 0, 0);
	net_send(clients[0], "a");
	net_send(clients[1], "b");
	for (unsigned i = 0; i < 2; i++) {
		char byte = 0;

		assert_int_equal(
			ops_run_flags(ring, IOSQE_FIXED_FILE, recv, i ? 0 : 3, &byte, 1, 0), 1);
		assert_int_equal(byte, 'a' + i);
	}
	net_close_pair(clients);
	close(listener);
}

static void multishot_fills_the_table_and_ends(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);
	int clients[3];

	sparse_table(ring, 2);
	ops_prep(ring, 1, 0, multishot_accept_direct, listener, NULL, NULL, 0);
	harness_submit(ring, 1);
	for (int i = 0; i < 2; i++) {
		clients[i] = net_connect(listener);
		net_expect_flags(ring, 1, i, IORING_CQE_F_MORE);
	}
	clients[2] = net_connect(listener);
	net_expect_flags(ring, 1, -ENFILE, 0);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(listener);
}

static void multishot_needs_a_free_choice(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int listener = net_listener(0);

	sparse_table(ring, 2);
	net_assert_refused(ring, ops_prep(ring, 0, 0, multishot_accept, listener, NULL, NULL, 0),
			   file_index, 1);
	close(listener);
}

/* A request that waits holds its socket, whatever becomes of the slot. */
static void a_waiting_request_outlives_its_slot(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte = 0;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(io_uring_register_files(ring, fds, 1), 0);
	close(fds[0]);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, recv, 0, &byte, 1, 0);
	harness_submit(ring, 1);
	assert_int_equal(ops_run(ring, close_direct, 0), 0);
	assert_int_equal(io_uring_unregister_files(ring), 0);
	net_send(fds[1], "x");
	ops_expect(ring, 1, 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_client_lives_in_its_slot),
		ops_test(a_server_lives_in_its_slots),
		ops_test(a_free_slot_is_chosen),
		ops_test(slots_that_are_not_there_are_refused),
		ops_test(cloexec_is_refused),
		ops_test(accepted_into_chosen_and_given_slots),
		ops_test(multishot_fills_the_table_and_ends),
		ops_test(multishot_needs_a_free_choice),
		ops_test(a_waiting_request_outlives_its_slot),
	};

	return harness_run(tests);
}
