/* SPDX-License-Identifier: MIT */
/*
 * Description: the features that have no test of their own elsewhere. FEAT_NATIVE_WORKERS: what a
 * worker does is done by the process, in its directory and with its mask. FEAT_NO_IOWAIT: a wait
 * may be said not to count as one for I/O, and is a wait all the same.
 */
#include "ops_helpers.h"

#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif
#define NO_IOWAIT (1U << 7) /* IORING_ENTER_NO_IOWAIT */

static void workers_are_of_the_process(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	mode_t mask = umask(027);
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	char text[32] = "";
	struct stat status;

	assert_true(ring->features & IORING_FEAT_NATIVE_WORKERS);
	fd = ops_run_flags(ring, IOSQE_ASYNC, openat, AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(strtol(text, NULL, 10), getpid());
	close(fd);
	/* Workers that are there already learn of a change. */
	assert_int_equal(fchdir(ops->dir), 0);
	fd = ops_run_flags(ring, IOSQE_ASYNC, openat, AT_FDCWD, "here",
			   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	assert_int_equal(fchdir(before), 0);
	umask(mask);
	close(before);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	close(fd);
	assert_int_equal(unlinkat(ops->dir, "here", 0), 0);
}

static void waits_that_do_not_count(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = {.tv_nsec = 1000000};
	unsigned fd = (unsigned)ring->ring_fd;

	if (!(ring->features & IORING_FEAT_NO_IOWAIT))
		skip();
	ops_prep(ring, 1, 0, timeout, &soon, 0, 0);
	harness_submit(ring, 1);
	assert_int_equal(io_uring_enter(fd, 0, 1, IORING_ENTER_GETEVENTS | NO_IOWAIT, NULL), 0);
	assert_int_equal(io_uring_cq_ready(ring), 1);
	ops_expect(ring, 1, -ETIME);
	assert_int_equal(io_uring_enter(fd, 0, 0, NO_IOWAIT << 1, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(workers_are_of_the_process),
		ops_test(waits_that_do_not_count),
	};

	return harness_run(tests);
}
