/* SPDX-License-Identifier: MIT */
/* Description: URING_CMD on sockets: SIOCINQ, SIOCOUTQ, GETSOCKOPT, SETSOCKOPT, and the others. */
#include "net_helpers.h"

static void the_bytes_waiting_are_counted(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	net_tcp_pair(fds);
	net_send(fds[1], "hello");
	assert_true(harness_wait_readable(fds[0]));
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		assert_int_equal(ops_run_flags(&ops->ring, flags, cmd_sock, SOCKET_URING_OP_SIOCINQ,
					       fds[0], 0, 0, NULL, 0),
				 5);
		assert_int_equal(ops_run_flags(&ops->ring, flags, cmd_sock,
					       SOCKET_URING_OP_SIOCOUTQ, fds[0], 0, 0, NULL, 0),
				 0);
	}
	net_drain(fds[0], 5);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, fds[0], 0, 0, NULL, 0), 0);
	net_close_pair(fds);
}

static void what_has_no_such_count_is_refused(void **state)
{
	struct ops *ops = *state;
	int listener = net_listener(0);
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, fds[0], 0, 0, NULL, 0),
		-EOPNOTSUPP);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCOUTQ, fds[0], 0, 0, NULL, 0),
		-EOPNOTSUPP);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, listener, 0, 0, NULL, 0),
		-EINVAL);
	close(listener);
	net_close_pair(fds);
}

static void options_are_read(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int value = -1;
	char wide[16];

	ops_prep(&ops->ring, 3, 0, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET, SO_TYPE,
		 &value, sizeof(value));
	harness_submit(&ops->ring, 1);
	net_expect_flags(&ops->ring, 3, sizeof(int), 0);
	assert_int_equal(value, SOCK_STREAM);
	/* The length that comes back is the option's. */
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET,
				 SO_TYPE, wide, sizeof(wide)),
			 sizeof(int));
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET,
				 SO_TYPE, wide, 2),
			 2);
	close(fd);
}

static void reading_other_levels_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int value;

	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, IPPROTO_TCP,
				 TCP_NODELAY, &value, sizeof(value)),
			 -EOPNOTSUPP);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET,
				 12345, &value, sizeof(value)),
			 -ENOPROTOOPT);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET,
				 SO_TYPE, &value, -1),
			 -EINVAL);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET,
				 SO_TYPE, ops_bad_address(), sizeof(value)),
			 -EFAULT);
	close(fd);
}

static void options_are_set(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int on = 1, value = 0;
	socklen_t length = sizeof(value);

	ops_prep(&ops->ring, 4, 0, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
		 SO_REUSEADDR, &on, sizeof(on));
	harness_submit(&ops->ring, 1);
	net_expect_flags(&ops->ring, 4, 0, 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &length), 0);
	assert_int_equal(value, 1);
	/* Any level will do. */
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, cmd_sock,
				       SOCKET_URING_OP_SETSOCKOPT, fd, IPPROTO_TCP, TCP_NODELAY,
				       &on, sizeof(on)),
			 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
	assert_int_equal(value, 1);
	close(fd);
}

static void bad_options_are_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int on = 1;

	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
				 12345, &on, sizeof(on)),
			 -ENOPROTOOPT);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
				 SO_REUSEADDR, &on, 1),
			 -EINVAL);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
				 SO_REUSEADDR, &on, -1),
			 -EINVAL);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
				 SO_REUSEADDR, ops_bad_address(), sizeof(on)),
			 -EFAULT);
	close(fd);
}

static void a_failure_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int on = 1;
	int results[2];

	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, cmd_sock, SOCKET_URING_OP_SETSOCKOPT, fd, SOL_SOCKET,
		 12345, &on, sizeof(on));
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -ENOPROTOOPT, -ECANCELED);
	close(fd);
}

static void what_knows_no_commands_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int file = harness_temp_file(16);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, 999, fd, 0, 0, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, fds[0], 0, 0, NULL, 0),
		-EOPNOTSUPP);
	assert_int_equal(
		ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, file, 0, 0, NULL, 0),
		-EOPNOTSUPP);
	assert_int_equal(ops_run(&ops->ring, cmd_sock, SOCKET_URING_OP_SIOCINQ, -1, 0, 0, NULL, 0),
			 -EBADF);
	harness_close_pipe(fds);
	close(file);
	close(fd);
}

static void registered_sockets_take_commands(void **state)
{
	struct ops *ops = *state;
	int fd = net_tcp(0);
	int value = -1;

	assert_int_equal(io_uring_register_files(&ops->ring, &fd, 1), 0);
	close(fd);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_FIXED_FILE, cmd_sock,
				       SOCKET_URING_OP_GETSOCKOPT, 0, SOL_SOCKET, SO_TYPE, &value,
				       sizeof(value)),
			 sizeof(int));
	assert_int_equal(value, SOCK_STREAM);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = net_tcp(0);
	int value;

#define prepared                                                                                   \
	ops_prep(ring, 0, 0, cmd_sock, SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET, SO_TYPE,        \
		 &value, sizeof(value))
	net_assert_refused(ring, prepared, __pad1, 1);
	net_assert_refused(ring, prepared, rw_flags, 1 << 5);
	net_assert_refused(ring, prepared, ioprio, 1);
#undef prepared
	close(fd);
}

/* Of Linux 6.19: older ones know no such command. */
static struct io_uring_sqe *prep_name(struct io_uring *ring, int fd, void *address, void *length,
				      unsigned peer)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->off = 5; /* SOCKET_URING_OP_GETSOCKNAME */
	sqe->addr = (uintptr_t)address;
	sqe->addr3 = (uintptr_t)length;
	sqe->file_index = peer;
	return sqe;
}

static void names_are_asked_for(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_in name, own, peer;
	socklen_t length = sizeof(name);
	int fds[2], ret;

	net_tcp_pair(fds);
	own = net_address_of(fds[0]);
	peer = net_address_of(fds[1]);
	prep_name(ring, fds[0], &name, &length, 0);
	ret = harness_result(ring);
	if (ret == -EOPNOTSUPP) {
		net_close_pair(fds);
		skip();
	}
	assert_int_equal(ret, 0);
	assert_int_equal(length, sizeof(name));
	assert_memory_equal(&name, &own, sizeof(name));
	prep_name(ring, fds[0], &name, &length, 1);
	assert_int_equal(harness_result(ring), 0);
	assert_memory_equal(&name, &peer, sizeof(name));
	prep_name(ring, fds[0], &name, &length, 2);
	assert_int_equal(harness_result(ring), -EINVAL);
	net_assert_refused(ring, prep_name(ring, fds[0], &name, &length, 0), len, 1);
	prep_name(ring, fds[0], &name, ops_bad_address(), 0);
	assert_int_equal(harness_result(ring), -EFAULT);
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(the_bytes_waiting_are_counted),
		ops_test(what_has_no_such_count_is_refused),
		ops_test(options_are_read),
		ops_test(reading_other_levels_is_refused),
		ops_test(options_are_set),
		ops_test(bad_options_are_refused),
		ops_test(a_failure_breaks_the_chain),
		ops_test(what_knows_no_commands_is_refused),
		ops_test(registered_sockets_take_commands),
		ops_test(stray_fields_are_refused),
		ops_test(names_are_asked_for),
	};

	return harness_run(tests);
}
