/* SPDX-License-Identifier: MIT */
/*
 * Description: CONNECT: at once, after waiting, refused, to a full AF_UNIX listener, and what is
 * no address.
 */
#include "net_helpers.h"

static void check_connect(struct io_uring *ring, int type_flags, unsigned sqe_flags)
{
	int listener = net_listener(0);
	struct sockaddr_in address = net_address_of(listener);
	int client = net_tcp(type_flags);
	int server;

	ops_prep(ring, 4, sqe_flags, connect, client, (struct sockaddr *)&address, sizeof(address));
	harness_submit(ring, 1);
	/* The address is the application's again. */
	memset(&address, 0xee, sizeof(address));
	ops_expect(ring, 4, 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	net_send(client, "hello");
	net_expect(server, "hello");
	assert_int_equal(fcntl(client, F_GETFL) & O_NONBLOCK,
			 type_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	close(client);
	close(server);
	close(listener);
}

static void it_connects(void **state)
{
	struct ops *ops = *state;

	check_connect(&ops->ring, 0, 0);
	check_connect(&ops->ring, SOCK_NONBLOCK, 0);
	check_connect(&ops->ring, 0, IOSQE_ASYNC);
	check_connect(&ops->ring, SOCK_NONBLOCK, IOSQE_ASYNC);
}

static void refused_is_refused_every_time(void **state)
{
	struct ops *ops = *state;
	int listener = net_bound(SOCK_STREAM); /* and not listening */
	struct sockaddr_in address = net_address_of(listener);
	int client = net_tcp(0);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ops_run(&ops->ring, connect, client, (struct sockaddr *)&address,
					 sizeof(address)),
				 -ECONNREFUSED);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, connect, client,
				       (struct sockaddr *)&address, sizeof(address)),
			 -ECONNREFUSED);
	/* The same socket still connects when somebody listens. */
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(
		ops_run(&ops->ring, connect, client, (struct sockaddr *)&address, sizeof(address)),
		0);
	close(client);
	close(listener);
}

static void twice_is_eisconn(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	struct sockaddr_in address = net_address_of(listener);
	int client = net_connect(listener);

	assert_int_equal(
		ops_run(&ops->ring, connect, client, (struct sockaddr *)&address, sizeof(address)),
		-EISCONN);
	close(client);
	close(listener);
}

static void on_datagrams_it_sets_the_peer(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in address = net_address_of(b);

	assert_int_equal(
		ops_run(&ops->ring, connect, a, (struct sockaddr *)&address, sizeof(address)), 0);
	net_send(a, "datagram");
	net_expect(b, "datagram");
	close(a);
	close(b);
}

/* AF_UNIX has no "in progress": the queue of the listener has room or the request waits. */
static void a_full_unix_listener_makes_it_wait(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_un address;
	socklen_t length;
	int listener = net_unix_listener(0, &address, &length);
	int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int servers[2];

	assert_int_equal(ops_run(&ops->ring, connect, first, (struct sockaddr *)&address, length),
			 0);
	ops_prep(&ops->ring, 2, 0, connect, second, (struct sockaddr *)&address, length);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	servers[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(servers[0] >= 0);
	ops_expect(&ops->ring, 2, 0);
	servers[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(servers[1] >= 0);
	net_send(second, "second");
	net_expect(servers[1], "second");
	net_close_pair(servers);
	close(first);
	close(second);
	close(listener);
}

/*
 * A listener whose queue is full drops what comes, so the connection stays in progress: fill the
 * queue with plain sockets until one does.
 */
static int stuck_listener(struct sockaddr_in *address, int *fillers, unsigned count)
{
	int listener = net_bound(SOCK_STREAM);

	assert_int_equal(listen(listener, 0), 0);
	*address = net_address_of(listener);
	for (unsigned i = 0; i < count; i++) {
		fillers[i] = net_tcp(SOCK_NONBLOCK);
		if (connect(fillers[i], (struct sockaddr *)address, sizeof(*address)) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	return listener;
}

static void one_in_progress_can_be_cancelled(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address;
	int fillers[3];
	int listener = stuck_listener(&address, fillers, 3);
	int client = net_tcp(0);

	ops_prep(&ops->ring, 1, 0, connect, client, (struct sockaddr *)&address, sizeof(address));
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	net_cancel(&ops->ring, 1);
	for (unsigned i = 0; i < 3; i++)
		close(fillers[i]);
	close(client);
	close(listener);
}

static void one_in_progress_is_finished_by_an_accept(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address;
	int fillers[2];
	int listener = stuck_listener(&address, fillers, 2);
	int client = net_tcp(0);
	struct harness_cqe cqe;
	int servers[8];
	unsigned count = 0;

	ops_prep(&ops->ring, 1, 0, connect, client, (struct sockaddr *)&address, sizeof(address));
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	/* The SYN is sent again after a second, and finds room. */
	while (count < 2) {
		servers[count] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(servers[count] >= 0);
		count++;
	}
	cqe = harness_next(&ops->ring);
	harness_assert_cqe(cqe, 1, 0);
	while (count)
		close(servers[--count]);
	for (unsigned i = 0; i < 2; i++)
		close(fillers[i]);
	close(client);
	close(listener);
}

static void shutting_down_ends_one_in_progress(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address;
	int fillers[3];
	int listener = stuck_listener(&address, fillers, 3);
	int client = net_tcp(0);

	ops_prep(&ops->ring, 1, 0, connect, client, (struct sockaddr *)&address, sizeof(address));
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(shutdown(client, SHUT_RDWR), 0);
	ops_expect(&ops->ring, 1, -ECONNRESET);
	for (unsigned i = 0; i < 3; i++)
		close(fillers[i]);
	close(client);
	close(listener);
}

static void bad_addresses_are_refused(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_storage address = {.ss_family = AF_INET};
	int client = net_tcp(0);

	assert_int_equal(
		ops_run(&ops->ring, connect, client, ops_bad_address(), sizeof(struct sockaddr_in)),
		-EFAULT);
	assert_int_equal(
		ops_run(&ops->ring, connect, client, (struct sockaddr *)&address, (socklen_t)-1),
		-EINVAL);
	assert_int_equal(ops_run(&ops->ring, connect, client, (struct sockaddr *)&address,
				 sizeof(address) + 1),
			 -EINVAL);
	assert_int_equal(ops_run(&ops->ring, connect, client, (struct sockaddr *)&address, 4),
			 -EINVAL);
	assert_int_equal(ops_run(&ops->ring, connect, client, NULL, 0), -EINVAL);
	address.ss_family = AF_UNIX;
	assert_int_equal(ops_run(&ops->ring, connect, client, (struct sockaddr *)&address,
				 sizeof(struct sockaddr_in)),
			 -EAFNOSUPPORT);
	close(client);
}

static void what_cannot_connect_is_refused(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address = net_loopback();
	int listener = net_listener(0);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(
		ops_run(&ops->ring, connect, fds[0], (struct sockaddr *)&address, sizeof(address)),
		-ENOTSOCK);
	assert_int_equal(
		ops_run(&ops->ring, connect, -1, (struct sockaddr *)&address, sizeof(address)),
		-EBADF);
	assert_int_equal(ops_run(&ops->ring, connect, listener, (struct sockaddr *)&address,
				 sizeof(address)),
			 -EISCONN);
	/* The address is looked at first. */
	assert_int_equal(ops_run(&ops->ring, connect, -1, ops_bad_address(), sizeof(address)),
			 -EFAULT);
	harness_close_pipe(fds);
	close(listener);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_in address = net_loopback();
	int client = net_tcp(0);

#define prepared ops_prep(ring, 0, 0, connect, client, (struct sockaddr *)&address, sizeof(address))
	net_assert_refused(ring, prepared, len, 1);
	net_assert_refused(ring, prepared, buf_index, 1);
	net_assert_refused(ring, prepared, rw_flags, 1);
	net_assert_refused(ring, prepared, splice_fd_in, 1);
	net_assert_refused(ring, prepared, ioprio, 1);
#undef prepared
	close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_connects),
		ops_test(refused_is_refused_every_time),
		ops_test(twice_is_eisconn),
		ops_test(on_datagrams_it_sets_the_peer),
		ops_test(a_full_unix_listener_makes_it_wait),
		ops_test(one_in_progress_can_be_cancelled),
		ops_test(one_in_progress_is_finished_by_an_accept),
		ops_test(shutting_down_ends_one_in_progress),
		ops_test(bad_addresses_are_refused),
		ops_test(what_cannot_connect_is_refused),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
