/* SPDX-License-Identifier: MIT */
/*
 * Description: FSYNC and SYNC_FILE_RANGE: what they accept, on what files, and the order behind
 * writes.
 */
#include "ops_helpers.h"

static int fsync_range(struct io_uring *ring, int fd, int64_t offset, unsigned length,
		       unsigned flags)
{
	struct io_uring_sqe *sqe = ops_prep(ring, 0, 0, fsync, fd, flags);

	sqe->off = (uint64_t)offset;
	sqe->len = length;
	return harness_result(ring);
}

static int sync_range(struct io_uring *ring, int fd, int64_t offset, unsigned length,
		      unsigned flags)
{
	return ops_run(ring, sync_file_range, fd, length, (uint64_t)offset, (int)flags);
}

static void fsync_gives_zero(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(10000);

	assert_int_equal(ops_run(&ops->ring, fsync, fd, 0), 0);
	assert_int_equal(ops_run(&ops->ring, fsync, fd, IORING_FSYNC_DATASYNC), 0);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, fsync, fd, 0), 0);
	close(fd);
}

static void fsync_takes_a_range(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(10000);

	assert_int_equal(fsync_range(&ops->ring, fd, 4096, 4096, 0), 0);
	assert_int_equal(fsync_range(&ops->ring, fd, 4096, 0, 0), 0);
	assert_int_equal(fsync_range(&ops->ring, fd, 1 << 30, 10, IORING_FSYNC_DATASYNC), 0);
	assert_int_equal(fsync_range(&ops->ring, fd, -1, 0, 0), -EINVAL);
	assert_int_equal(fsync_range(&ops->ring, fd, LLONG_MAX, 10, 0), 0);
	close(fd);
}

static void fsync_flags_are_checked(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);

	for (unsigned bit = 1; bit < 32; bit++)
		assert_int_equal(ops_run(&ops->ring, fsync, fd, 1u << bit), -EINVAL);
	close(fd);
}

static void fsync_needs_a_file_that_can_be_synced(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "file", "data");
	int only_read = openat(ops->dir, "file", O_RDONLY | O_CLOEXEC);
	int path = openat(ops->dir, "file", O_PATH | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, fsync, -1, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, fsync, path, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, fsync, only_read, 0), 0);
	assert_int_equal(ops_run(&ops->ring, fsync, ops->dir, 0), 0);
	assert_int_equal(ops_run(&ops->ring, fsync, fds[1], 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, fsync, event, 0), -EINVAL);
	harness_close_pipe(fds);
	close(event);
	close(path);
	close(only_read);
	close(fd);
}

static void fsync_follows_its_writes_in_a_chain(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(0);
	int results[5];

	for (unsigned i = 0; i < 4; i++)
		ops_prep(&ops->ring, i, IOSQE_IO_LINK, write, fd, "data", 4, 4096 * i);
	ops_prep(&ops->ring, 4, 0, fsync, fd, 0);
	harness_submit(&ops->ring, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct harness_cqe cqe = harness_next(&ops->ring);

		assert_int_equal(cqe.user_data, i);
		results[i] = cqe.res;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(results[i], 4);
	assert_int_equal(results[4], 0);
	close(fd);
}

static void sync_file_range_gives_zero(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(10000);
	unsigned all =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	assert_int_equal(sync_range(&ops->ring, fd, 0, 4096, all), 0);
	assert_int_equal(sync_range(&ops->ring, fd, 100, 0, SYNC_FILE_RANGE_WRITE), 0);
	assert_int_equal(sync_range(&ops->ring, fd, 0, 0, 0), 0);
	assert_int_equal(sync_range(&ops->ring, fd, 1 << 30, 10, all), 0);
	close(fd);
}

static void sync_file_range_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	int fds[2];

	harness_pipe(fds);
	for (unsigned bit = 3; bit < 32; bit++)
		assert_int_equal(sync_range(&ops->ring, fd, 0, 0, 1u << bit), -EINVAL);
	assert_int_equal(sync_range(&ops->ring, fd, -1, 10, 0), -EINVAL);
	assert_int_equal(sync_range(&ops->ring, fd, LLONG_MAX, 10, 0), -EINVAL);
	assert_int_equal(sync_range(&ops->ring, fds[1], 0, 10, 0), -ESPIPE);
	assert_int_equal(sync_range(&ops->ring, -1, 0, 10, 0), -EBADF);
	harness_close_pipe(fds);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(fsync_gives_zero),
		ops_test(fsync_takes_a_range),
		ops_test(fsync_flags_are_checked),
		ops_dir_test(fsync_needs_a_file_that_can_be_synced),
		ops_test(fsync_follows_its_writes_in_a_chain),
		ops_test(sync_file_range_gives_zero),
		ops_test(sync_file_range_arguments_are_checked),
	};

	return harness_run(tests);
}
