/* SPDX-License-Identifier: MIT */
/*
 * Description: OPENAT, OPENAT2 and CLOSE with direct descriptors: slots of the registered table
 * instead of numbers of the process.
 */
#include "ops_helpers.h"

#include <linux/openat2.h>

static void register_empty(struct io_uring *ring, unsigned count)
{
	int files[16];

	for (unsigned i = 0; i < 16; i++)
		files[i] = -1;
	assert_int_equal(io_uring_register_files(ring, files, count), 0);
}

/* The first byte of the file in a slot, or the error. */
static int first_byte(struct io_uring *ring, unsigned slot)
{
	unsigned char byte = 0;
	int ret = ops_run_flags(ring, IOSQE_FIXED_FILE, read, (int)slot, &byte, 1, 0);

	return ret == 1 ? byte : ret;
}

/* Not all versions of liburing pass IORING_FILE_INDEX_ALLOC through their prep functions. */
static int open_anywhere(struct ops *ops, const char *name, int flags)
{
	struct io_uring_sqe *sqe = ops_prep(&ops->ring, 0, 0, openat, ops->dir, name, flags, 0);

	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	return harness_result(&ops->ring);
}

static void a_named_slot_is_filled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct open_how how = {.flags = O_RDONLY};

	close(ops_create(ops, "a", "A"));
	close(ops_create(ops, "b", "B"));
	register_empty(ring, 4);
	assert_int_equal(first_byte(ring, 2), -EBADF);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "a", O_RDONLY, 0, 2), 0);
	assert_int_equal(first_byte(ring, 2), 'A');
	assert_int_equal(ops_run(ring, openat2_direct, ops->dir, "b", &how, 3), 0);
	assert_int_equal(first_byte(ring, 3), 'B');
	assert_int_equal(ops_run(ring, close_direct, 2), 0);
	assert_int_equal(first_byte(ring, 2), -EBADF);
	assert_int_equal(first_byte(ring, 3), 'B');
}

static void an_occupied_slot_is_replaced(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	char byte;

	harness_pipe(fds);
	close(ops_create(ops, "b", "B"));
	assert_int_equal(io_uring_register_files(ring, &fds[1], 1), 0);
	close(fds[1]);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "b", O_RDONLY, 0, 0), 0);
	assert_int_equal(first_byte(ring, 0), 'B');
	/* The file that was there is gone: its pipe has no writer any more. */
	assert_int_equal(ops_run(ring, read, fds[0], &byte, 1, 0), 0);
	close(fds[0]);
}

/* A failed open leaves the slot as it was. */
static void a_failed_open_changes_nothing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "a", "A");

	assert_int_equal(io_uring_register_files(ring, &fd, 1), 0);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "none", O_RDONLY, 0, 0), -ENOENT);
	assert_int_equal(first_byte(ring, 0), 'A');
	close(fd);
}

static void slots_are_allocated_until_none_is_left(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	bool taken[4] = {false};

	close(ops_create(ops, "a", "A"));
	register_empty(ring, 4);
	for (unsigned i = 0; i < 4; i++) {
		int slot = open_anywhere(ops, "a", O_RDONLY);

		assert_in_range(slot, 0, 3);
		assert_false(taken[slot]);
		taken[slot] = true;
		assert_int_equal(first_byte(ring, (unsigned)slot), 'A');
	}
	assert_int_equal(open_anywhere(ops, "a", O_RDONLY), -ENFILE);
	assert_int_equal(ops_run(ring, close_direct, 1), 0);
	assert_int_equal(open_anywhere(ops, "a", O_RDONLY), 1);
}

static void slots_are_checked_when_opening(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	close(ops_create(ops, "a", "A"));
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "a", O_RDONLY, 0, 0), -ENXIO);
	assert_int_equal(open_anywhere(ops, "a", O_RDONLY), -ENFILE);
	register_empty(ring, 4);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "a", O_RDONLY, 0, 4), -EINVAL);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "a", O_RDONLY, 0, UINT_MAX - 2),
			 -EINVAL);
	/* The file is opened before the slot is looked at, so the path's error comes first. */
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "none", O_RDONLY, 0, 4), -ENOENT);
}

/* A slot is never inherited, so asking for close-on-exec is a mistake. */
static void close_on_exec_is_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};

	close(ops_create(ops, "a", "A"));
	register_empty(ring, 4);
	assert_int_equal(ops_run(ring, openat_direct, ops->dir, "a", O_RDONLY | O_CLOEXEC, 0, 0),
			 -EINVAL);
	assert_int_equal(ops_run(ring, openat2_direct, ops->dir, "a", &how, 0), -EINVAL);
	assert_int_equal(open_anywhere(ops, "a", O_RDONLY | O_CLOEXEC), -EINVAL);
}

static void slots_are_checked_when_closing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "a", "A");
	struct io_uring_sqe *sqe;

	assert_int_equal(ops_run(ring, close_direct, 0), -ENXIO);
	register_empty(ring, 4);
	assert_int_equal(ops_run(ring, close_direct, 0), -EBADF);
	assert_int_equal(ops_run(ring, close_direct, 4), -EINVAL);
	assert_int_equal(ops_run(ring, close_direct, UINT_MAX - 1), -EINVAL);
	assert_int_equal(io_uring_register_files_update(ring, 0, &fd, 1), 1);
	sqe = ops_prep(ring, 0, 0, close_direct, 0);
	sqe->fd = fd;
	assert_int_equal(harness_result(ring), -EINVAL);
	assert_int_equal(first_byte(ring, 0), 'A');
	close(fd);
}

/* Closing the slot lets the file go although the process still has its own descriptor of it. */
static void a_slot_is_independent_of_the_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "a", "A");

	assert_int_equal(io_uring_register_files(ring, &fd, 1), 0);
	assert_int_equal(ops_run(ring, close_direct, 0), 0);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(io_uring_register_files_update(ring, 0, &fd, 1), 1);
	assert_int_equal(ops_run(ring, close, fd), 0);
	assert_int_equal(first_byte(ring, 0), 'A');
}

static void a_closed_slot_lets_a_pending_read_finish(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	char buffer[8];

	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(ring, &fds[0], 1), 0);
	close(fds[0]);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, read, 0, buffer, 8, 0);
	harness_submit(ring, 1);
	ops_prep(ring, 2, 0, close_direct, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 2, 0);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	ops_expect(ring, 1, 3);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(a_named_slot_is_filled),
		ops_dir_test(an_occupied_slot_is_replaced),
		ops_dir_test(a_failed_open_changes_nothing),
		ops_dir_test(slots_are_allocated_until_none_is_left),
		ops_dir_test(slots_are_checked_when_opening),
		ops_dir_test(close_on_exec_is_refused),
		ops_dir_test(slots_are_checked_when_closing),
		ops_dir_test(a_slot_is_independent_of_the_descriptor),
		ops_test(a_closed_slot_lets_a_pending_read_finish),
	};

	return harness_run(tests);
}
