/* SPDX-License-Identifier: MIT */
/*
 * Description: FIXED_FD_INSTALL: an ordinary descriptor made from a slot of the registered table.
 */
#include "ops_helpers.h"

static void register_pipe_end(struct io_uring *ring, int fd)
{
	int files[] = {-1, fd};

	assert_int_equal(io_uring_register_files(ring, files, 2), 0);
}

static void a_descriptor_is_made(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char byte;
	int fd;

	harness_pipe(fds);
	register_pipe_end(&ops->ring, fds[1]);
	close(fds[1]);
	fd = ops_run(&ops->ring, fixed_fd_install, 1, 0);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	/* It is a reference of its own. */
	assert_int_equal(io_uring_unregister_files(&ops->ring), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

static void close_on_exec_is_the_default(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	int closing, staying;

	harness_pipe(fds);
	register_pipe_end(&ops->ring, fds[1]);
	closing = ops_run(&ops->ring, fixed_fd_install, 1, 0);
	staying = ops_run(&ops->ring, fixed_fd_install, 1, IORING_FIXED_FD_NO_CLOEXEC);
	assert_true(closing >= 0 && staying >= 0);
	assert_int_equal(fcntl(closing, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(staying, F_GETFD), 0);
	close(closing);
	close(staying);
	harness_close_pipe(fds);
}

static void the_lowest_free_number_is_given(void **state)
{
	struct ops *ops = *state;
	int low = harness_temp_file(0);
	int fds[2];

	harness_pipe(fds);
	register_pipe_end(&ops->ring, fds[1]);
	close(low);
	assert_int_equal(ops_run(&ops->ring, fixed_fd_install, 1, 0), low);
	close(low);
	harness_close_pipe(fds);
}

static void arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring_sqe *sqe;
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, fixed_fd_install, 0, 0), -EBADF);
	register_pipe_end(&ops->ring, fds[1]);
	assert_int_equal(ops_run(&ops->ring, fixed_fd_install, 0, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, fixed_fd_install, 2, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, fixed_fd_install, -1, 0), -EBADF);
	for (unsigned bit = 1; bit < 32; bit++)
		assert_int_equal(ops_run(&ops->ring, fixed_fd_install, 1, 1u << bit), -EINVAL);
	/* The flag IOSQE_FIXED_FILE must be there. */
	sqe = ops_prep(&ops->ring, 0, 0, fixed_fd_install, 1, 0);
	sqe->flags = 0;
	sqe->fd = fds[1];
	assert_int_equal(harness_result(&ops->ring), -EBADF);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_descriptor_is_made),
		ops_test(close_on_exec_is_the_default),
		ops_test(the_lowest_free_number_is_given),
		ops_test(arguments_are_checked),
	};

	return harness_run(tests);
}
