/* SPDX-License-Identifier: MIT */
/* Description: SOCKET: the descriptor it gives, its flags, and what it refuses. */
#include "net_helpers.h"

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &value, &length), 0);
	return value;
}

static void it_makes_what_was_asked_for(void **state)
{
	static const struct {
		int domain, type, protocol;
	} kinds[] = {
		{AF_INET, SOCK_STREAM, 0},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDP},
		{AF_UNIX, SOCK_SEQPACKET, 0},
	};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct harness_cqe cqe;

		ops_prep(&ops->ring, 7, 0, socket, kinds[i].domain, kinds[i].type,
			 kinds[i].protocol, 0);
		harness_submit(&ops->ring, 1);
		assert_true(harness_peek(&ops->ring, &cqe));
		assert_int_equal(cqe.user_data, 7);
		assert_int_equal(cqe.flags, 0);
		assert_true(cqe.res >= 0);
		assert_int_equal(option_of(cqe.res, SO_DOMAIN), kinds[i].domain);
		assert_int_equal(option_of(cqe.res, SO_TYPE), kinds[i].type);
		assert_int_equal(fcntl(cqe.res, F_GETFD), 0);
		assert_int_equal(fcntl(cqe.res, F_GETFL), O_RDWR);
		close(cqe.res);
	}
}

static void flags_come_with_the_type(void **state)
{
	struct ops *ops = *state;
	int fd = ops_run(&ops->ring, socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, 0);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	close(fd);
	fd = ops_run_flags(&ops->ring, IOSQE_ASYNC, socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0,
			   0);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void kinds_that_are_not_there_are_refused(void **state)
{
	struct ops *ops = *state;

	assert_int_equal(ops_run(&ops->ring, socket, 9999, SOCK_STREAM, 0, 0), -EAFNOSUPPORT);
	assert_int_equal(ops_run(&ops->ring, socket, -1, SOCK_STREAM, 0, 0), -EAFNOSUPPORT);
	assert_int_equal(ops_run(&ops->ring, socket, AF_INET, 15, 0, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, socket, AF_INET, SOCK_STREAM, IPPROTO_UDP, 0),
			 -EPROTONOSUPPORT);
	assert_int_equal(ops_run(&ops->ring, socket, AF_INET, SOCK_STREAM | 0x100000, 0, 0),
			 -EINVAL);
}

static void without_a_descriptor_it_is_emfile(void **state)
{
	struct ops *ops = *state;
	struct rlimit saved, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	none = saved;
	none.rlim_cur = 3;
	ops_prep(&ops->ring, 1, 0, socket, AF_INET, SOCK_STREAM, 0, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	harness_submit(&ops->ring, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	ops_expect(&ops->ring, 1, -EMFILE);
}

static void a_failure_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	int results[2];

	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, socket, 9999, SOCK_STREAM, 0, 0);
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -EAFNOSUPPORT, -ECANCELED);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

#define prepared ops_prep(ring, 0, 0, socket, AF_INET, SOCK_STREAM, 0, 0)
	net_assert_refused(ring, prepared, addr, 1);
	net_assert_refused(ring, prepared, rw_flags, 1);
	net_assert_refused(ring, prepared, buf_index, 1);
	net_assert_refused(ring, prepared, ioprio, 1);
#undef prepared
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_makes_what_was_asked_for),
		ops_test(flags_come_with_the_type),
		ops_test(kinds_that_are_not_there_are_refused),
		ops_test(without_a_descriptor_it_is_emfile),
		ops_test(a_failure_breaks_the_chain),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
