/* SPDX-License-Identifier: MIT */
/*
 * Description: slots that the ring chooses itself: order of choice, the allocation range and its
 * limits, for direct opens and for the FILES_UPDATE request.
 */
#include "rsrc_helpers.h"

static struct io_uring ring;

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	return 0;
}

/* Open a file into a slot of the ring's choice; the slot or an error. */
static int open_anywhere(void)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_openat(sqe, AT_FDCWD, "/dev/zero", O_RDONLY, 0);
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	return harness_result(&ring);
}

static int close_slot(unsigned slot)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_close_direct(sqe, slot);
	return harness_result(&ring);
}

static int set_range(unsigned offset, unsigned len)
{
	return io_uring_register_file_alloc_range(&ring, offset, len);
}

static int update_anywhere(int *fds, unsigned count)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_files_update(sqe, fds, count, (int)IORING_FILE_INDEX_ALLOC);
	return harness_result(&ring);
}

static void no_table(void **state)
{
	struct io_uring_sqe *sqe;

	(void)state;
	/* Nothing free, rather than nothing there. */
	assert_int_equal(open_anywhere(), -ENFILE);
	sqe = harness_sqe(&ring);
	io_uring_prep_openat_direct(sqe, AT_FDCWD, "/dev/zero", O_RDONLY, 0, 0);
	assert_int_equal(harness_result(&ring), -ENXIO);
}

static void ascending_until_full(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(open_anywhere(), i);
	assert_int_equal(open_anywhere(), -ENFILE);
	assert_int_equal(close_slot(2), 0);
	assert_int_equal(open_anywhere(), 2);
	assert_int_equal(open_anywhere(), -ENFILE);
}

/* The search goes on from the last slot taken, or given back, and wraps once. */
static void search_goes_on_and_wraps(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(open_anywhere(), 0);
	assert_int_equal(open_anywhere(), 1);
	assert_int_equal(open_anywhere(), 2);
	assert_int_equal(close_slot(0), 0);
	assert_int_equal(close_slot(1), 0);
	assert_int_equal(open_anywhere(), 1);
	assert_int_equal(open_anywhere(), 3);
	assert_int_equal(open_anywhere(), 0);
	assert_int_equal(open_anywhere(), -ENFILE);
}

static void registered_files_are_not_chosen(void **state)
{
	int fds[4] = {-1, rsrc_marked_file(1), -1, rsrc_marked_file(2)};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, fds, 4), 0);
	assert_int_equal(open_anywhere(), 0);
	assert_int_equal(open_anywhere(), 2);
	assert_int_equal(open_anywhere(), -ENFILE);
	assert_int_equal(rsrc_slot_mark(&ring, 1), 1);
	assert_int_equal(rsrc_slot_mark(&ring, 3), 2);
	close(fds[1]);
	close(fds[3]);
}

static void updated_slots_are_known(void **state)
{
	int fd = rsrc_marked_file(5);
	const int empty = -1;

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 2), 0);
	assert_int_equal(io_uring_register_files_update(&ring, 0, &fd, 1), 1);
	assert_int_equal(open_anywhere(), 1);
	assert_int_equal(open_anywhere(), -ENFILE);
	assert_int_equal(io_uring_register_files_update(&ring, 0, &empty, 1), 1);
	assert_int_equal(open_anywhere(), 0);
	close(fd);
}

static void range_is_never_left(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 8), 0);
	assert_int_equal(set_range(3, 2), 0);
	assert_int_equal(open_anywhere(), 3);
	assert_int_equal(open_anywhere(), 4);
	assert_int_equal(open_anywhere(), -ENFILE);
	/* Giving back a slot outside of the range does not bring it in. */
	assert_int_equal(set_range(0, 2), 0);
	assert_int_equal(open_anywhere(), 0);
	assert_int_equal(close_slot(4), 0);
	assert_int_equal(open_anywhere(), 1);
	assert_int_equal(open_anywhere(), -ENFILE);
	/* By number all the slots stay reachable. */
	assert_int_equal(set_range(7, 1), 0);
	assert_int_equal(close_slot(0), 0);
	assert_int_equal(open_anywhere(), 7);
	assert_int_equal(open_anywhere(), -ENFILE);
}

static void empty_range_has_no_slot(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(set_range(2, 0), 0);
	assert_int_equal(open_anywhere(), -ENFILE);
	assert_int_equal(set_range(0, 0), 0);
	assert_int_equal(open_anywhere(), -ENFILE);
	assert_int_equal(set_range(4, 0), 0);
	assert_int_equal(open_anywhere(), -ENFILE);
}

static void range_arguments(void **state)
{
	struct io_uring_file_index_range arg = {.len = 1};
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_FILE_ALLOC_RANGE;

	(void)state;
	/* Without a table only the empty range is within it. */
	assert_int_equal(set_range(0, 1), -EINVAL);
	assert_int_equal(set_range(0, 0), 0);
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(set_range(0, 4), 0);
	assert_int_equal(set_range(3, 1), 0);
	assert_int_equal(set_range(0, 5), -EINVAL);
	assert_int_equal(set_range(3, 2), -EINVAL);
	assert_int_equal(set_range(4, 1), -EINVAL);
	assert_int_equal(set_range(5, 0), -EINVAL);
	assert_int_equal(set_range(UINT_MAX, 0), -EINVAL);
	assert_int_equal(set_range(UINT_MAX, 1), -EOVERFLOW);
	assert_int_equal(set_range(1, UINT_MAX), -EOVERFLOW);
	assert_int_equal(io_uring_register(fd, opcode, NULL, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, 0), -EFAULT);
	assert_int_equal(io_uring_register(fd, opcode, &arg, 1), -EINVAL);
	arg.resv = 1;
	assert_int_equal(io_uring_register(fd, opcode, &arg, 0), -EINVAL);
	/* What was refused has changed nothing. */
	assert_int_equal(open_anywhere(), 3);
}

/* A new table is wholly in range again. */
static void new_table_resets_the_range(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(set_range(3, 1), 0);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(io_uring_register_files_sparse(&ring, 2), 0);
	assert_int_equal(open_anywhere(), 0);
	assert_int_equal(open_anywhere(), 1);
	assert_int_equal(open_anywhere(), -ENFILE);
}

static void update_writes_slots_back(void **state)
{
	int fds[3] = {rsrc_marked_file(1), rsrc_marked_file(2), rsrc_marked_file(3)};
	int slots[3] = {fds[0], fds[1], fds[2]};

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 8), 0);
	assert_int_equal(set_range(4, 4), 0);
	assert_int_equal(update_anywhere(slots, 3), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(slots[i], 4 + i);
		assert_int_equal(rsrc_slot_mark(&ring, slots[i]), i + 1);
		close(fds[i]);
	}
}

static void update_ends_at_a_bad_entry(void **state)
{
	int fd = rsrc_marked_file(7);
	int slots[3] = {fd, 9999, fd};

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(update_anywhere(slots, 3), 1);
	assert_int_equal(slots[0], 0);
	assert_int_equal(slots[1], 9999);
	assert_int_equal(slots[2], fd);
	slots[0] = IORING_REGISTER_FILES_SKIP;
	assert_int_equal(update_anywhere(slots, 1), -EBADF);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_table),
		TEST(ascending_until_full),
		TEST(search_goes_on_and_wraps),
		TEST(registered_files_are_not_chosen),
		TEST(updated_slots_are_known),
		TEST(range_is_never_left),
		TEST(empty_range_has_no_slot),
		TEST(range_arguments),
		TEST(new_table_resets_the_range),
		TEST(update_writes_slots_back),
		TEST(update_ends_at_a_bad_entry),
	};

	return harness_run(tests);
}
