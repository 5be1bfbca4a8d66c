/* SPDX-License-Identifier: MIT */
/* Description: BIND and LISTEN, and a server set up by nothing but requests. */
#include "net_helpers.h"

static void a_bound_socket_has_its_address(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address = net_loopback();
	int fd = net_tcp(0);

	ops_prep(&ops->ring, 1, 0, bind, fd, (struct sockaddr *)&address, sizeof(address));
	harness_submit(&ops->ring, 1);
	memset(&address, 0xee, sizeof(address));
	ops_expect(&ops->ring, 1, 0);
	address = net_address_of(fd);
	assert_int_equal(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_not_equal(address.sin_port, 0);
	close(fd);
}

static void an_address_in_use_is_refused(void **state)
{
	struct ops *ops = *state;
	int holder = net_listener(0);
	struct sockaddr_in address = net_address_of(holder);
	int fd = net_tcp(0);

	assert_int_equal(
		ops_run(&ops->ring, bind, fd, (struct sockaddr *)&address, sizeof(address)),
		-EADDRINUSE);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, bind, fd,
				       (struct sockaddr *)&address, sizeof(address)),
			 -EADDRINUSE);
	close(fd);
	close(holder);
}

/* Sent with links: the address is copied when it is submitted, not when it is used. */
static void a_server_is_set_up_by_requests(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address = net_loopback();
	int fd = net_tcp(0);
	int client, server;
	int results[2];

	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, bind, fd, (struct sockaddr *)&address,
		 sizeof(address));
	ops_prep(&ops->ring, 1, 0, listen, fd, 8);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 0, 0);
	client = net_connect(fd);
	server = ops_run(&ops->ring, accept, fd, NULL, NULL, 0);
	assert_true(server >= 0);
	close(client);
	close(server);
	close(fd);
}

static void a_refused_bind_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address = net_loopback();
	int fd = net_tcp(0);
	int results[2];

	address.sin_family = AF_UNIX;
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, bind, fd, (struct sockaddr *)&address,
		 sizeof(address));
	ops_prep(&ops->ring, 1, 0, listen, fd, 8);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -EAFNOSUPPORT, -ECANCELED);
	close(fd);
}

static void addresses_that_are_none_are_refused(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct sockaddr *given = (struct sockaddr *)&address;
	int fd = net_tcp(0);

	assert_int_equal(ops_run(&ops->ring, bind, fd, ops_bad_address(), 16), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, bind, fd, given, (socklen_t)-1), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, bind, fd, given, sizeof(address) + 1), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, bind, fd, given, 4), -EINVAL);
	close(fd);
}

static void what_is_no_socket_is_refused(void **state)
{
	struct ops *ops = *state;
	struct sockaddr_in address = net_loopback();
	int datagrams = net_bound(SOCK_DGRAM);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(
		ops_run(&ops->ring, bind, fds[0], (struct sockaddr *)&address, sizeof(address)),
		-ENOTSOCK);
	assert_int_equal(ops_run(&ops->ring, listen, fds[0], 1), -ENOTSOCK);
	assert_int_equal(
		ops_run(&ops->ring, bind, -1, (struct sockaddr *)&address, sizeof(address)),
		-EBADF);
	assert_int_equal(ops_run(&ops->ring, listen, -1, 1), -EBADF);
	assert_int_equal(ops_run(&ops->ring, listen, datagrams, 1), -EOPNOTSUPP);
	harness_close_pipe(fds);
	close(datagrams);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_in address = net_loopback();
	int fd = net_tcp(0);

#define bind_prepared ops_prep(ring, 0, 0, bind, fd, (struct sockaddr *)&address, sizeof(address))
	net_assert_refused(ring, bind_prepared, len, 1);
	net_assert_refused(ring, bind_prepared, buf_index, 1);
	net_assert_refused(ring, bind_prepared, rw_flags, 1);
	net_assert_refused(ring, bind_prepared, splice_fd_in, 1);
	net_assert_refused(ring, bind_prepared, ioprio, 1);
#undef bind_prepared
#define listen_prepared ops_prep(ring, 0, 0, listen, fd, 8)
	net_assert_refused(ring, listen_prepared, addr, 1);
	net_assert_refused(ring, listen_prepared, addr2, 1);
	net_assert_refused(ring, listen_prepared, buf_index, 1);
	net_assert_refused(ring, listen_prepared, rw_flags, 1);
	net_assert_refused(ring, listen_prepared, splice_fd_in, 1);
	net_assert_refused(ring, listen_prepared, ioprio, 1);
#undef listen_prepared
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_bound_socket_has_its_address),
		ops_test(an_address_in_use_is_refused),
		ops_test(a_server_is_set_up_by_requests),
		ops_test(a_refused_bind_breaks_the_chain),
		ops_test(addresses_that_are_none_are_refused),
		ops_test(what_is_no_socket_is_refused),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
