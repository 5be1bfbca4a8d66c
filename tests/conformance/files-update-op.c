/* SPDX-License-Identifier: MIT */
/*
 * Description: the FILES_UPDATE request: slots of the registered table changed in the stream of
 * requests, at given places or at free ones.
 */
#include "ops_helpers.h"

/* A file whose first byte is the given one. */
static int marked_file(char byte)
{
	int fd = harness_temp_file(0);

	assert_int_equal(write(fd, &byte, 1), 1);
	return fd;
}

/* The mark of the file in a slot, or the error. */
static int mark(struct io_uring *ring, int slot)
{
	char byte = 0;
	int ret = ops_run_flags(ring, IOSQE_FIXED_FILE, read, slot, &byte, 1, 0);

	return ret == 1 ? byte : ret;
}

static void register_empty(struct io_uring *ring)
{
	int empty[4] = {-1, -1, -1, -1};

	assert_int_equal(io_uring_register_files(ring, empty, 4), 0);
}

static void slots_are_replaced(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int files[] = {marked_file('a'), marked_file('b')};

	register_empty(ring);
	assert_int_equal(ops_run(ring, files_update, files, 2, 1), 2);
	close(files[0]);
	close(files[1]);
	assert_int_equal(mark(ring, 0), -EBADF);
	assert_int_equal(mark(ring, 1), 'a');
	assert_int_equal(mark(ring, 2), 'b');
	files[0] = marked_file('c');
	assert_int_equal(ops_run_flags(ring, IOSQE_ASYNC, files_update, files, 1, 2), 1);
	close(files[0]);
	assert_int_equal(mark(ring, 2), 'c');
}

static void minus_one_empties_and_minus_two_keeps(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int files[] = {marked_file('a'), marked_file('b')};
	int changes[] = {-1, IORING_REGISTER_FILES_SKIP};

	register_empty(ring);
	assert_int_equal(ops_run(ring, files_update, files, 2, 0), 2);
	assert_int_equal(ops_run(ring, files_update, changes, 2, 0), 2);
	assert_int_equal(mark(ring, 0), -EBADF);
	assert_int_equal(mark(ring, 1), 'b');
	close(files[0]);
	close(files[1]);
}

/* What was done before the error is the answer; the error shows only if nothing was. */
static void a_bad_descriptor_ends_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int files[] = {marked_file('a'), 100000, marked_file('b')};

	register_empty(ring);
	assert_int_equal(ops_run(ring, files_update, files, 3, 0), 1);
	assert_int_equal(mark(ring, 0), 'a');
	assert_int_equal(mark(ring, 2), -EBADF);
	assert_int_equal(ops_run(ring, files_update, files + 1, 2, 0), -EBADF);
	/* The slot in question has been emptied on the way. */
	assert_int_equal(mark(ring, 0), -EBADF);
	close(files[0]);
	close(files[2]);
}

static void rings_are_no_entries(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ring->ring_fd;

	register_empty(ring);
	assert_int_equal(ops_run(ring, files_update, &fd, 1, 0), -EBADF);
}

static void arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int files[4] = {-1, -1, -1, -1};

	assert_int_equal(ops_run(ring, files_update, files, 1, 0), -ENXIO);
	register_empty(ring);
	assert_int_equal(ops_run(ring, files_update, files, 0, 0), -EINVAL);
	assert_int_equal(ops_run(ring, files_update, files, 2, 3), -EINVAL);
	assert_int_equal(ops_run(ring, files_update, files, 1, 4), -EINVAL);
	assert_int_equal(ops_run(ring, files_update, files, 5, 0), -EINVAL);
	assert_int_equal(ops_run(ring, files_update, files, 4, INT_MAX), -EINVAL);
	assert_int_equal(ops_run(ring, files_update, files, 4, -2), -EOVERFLOW);
	assert_int_equal(ops_run(ring, files_update, NULL, 1, 0), -EFAULT);
	assert_int_equal(ops_run(ring, files_update, ops_bad_address(), 1, 0), -EFAULT);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, files_update, files, 1, 0), -EINVAL);
}

/* ---- free slots ---------------------------------------------------------------------------- */

static int update_anywhere(struct io_uring *ring, int *files, unsigned count)
{
	return ops_run(ring, files_update, files, count, (int)IORING_FILE_INDEX_ALLOC);
}

static void free_slots_are_chosen_and_told(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int a = marked_file('a'), b = marked_file('b');
	int files[] = {a, b};

	register_empty(ring);
	assert_int_equal(update_anywhere(ring, files, 2), 2);
	assert_in_range(files[0], 0, 3);
	assert_in_range(files[1], 0, 3);
	assert_int_not_equal(files[0], files[1]);
	assert_int_equal(mark(ring, files[0]), 'a');
	assert_int_equal(mark(ring, files[1]), 'b');
	close(a);
	close(b);
}

static void free_slots_run_out(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = marked_file('a');
	int files[] = {fd, fd, fd, fd, fd, fd};

	register_empty(ring);
	assert_int_equal(update_anywhere(ring, files, 6), 4);
	assert_int_equal(files[4], fd);
	assert_int_equal(files[5], fd);
	assert_int_equal(update_anywhere(ring, files + 4, 2), -ENFILE);
	close(fd);
}

static void free_slots_come_from_the_allocation_range(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = marked_file('a');
	int files[] = {fd, fd, fd};

	register_empty(ring);
	assert_int_equal(io_uring_register_file_alloc_range(ring, 2, 2), 0);
	assert_int_equal(update_anywhere(ring, files, 3), 2);
	assert_int_equal(files[0] + files[1], 5);
	assert_int_equal(mark(ring, 0), -EBADF);
	assert_int_equal(mark(ring, 2), 'a');
	assert_int_equal(mark(ring, 3), 'a');
	close(fd);
}

static void choosing_slots_checks_its_arguments(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = marked_file('a');
	int files[] = {fd};
	int bad[] = {100000}, none[] = {-1}, own[] = {ring->ring_fd};

	assert_int_equal(update_anywhere(ring, files, 1), -ENXIO);
	register_empty(ring);
	assert_int_equal(update_anywhere(ring, bad, 1), -EBADF);
	assert_int_equal(update_anywhere(ring, none, 1), -EBADF);
	assert_int_equal(update_anywhere(ring, own, 1), -EBADF);
	assert_int_equal(update_anywhere(ring, NULL, 1), -EFAULT);
	assert_int_equal(update_anywhere(ring, ops_bad_address(), 1), -EFAULT);
	assert_int_equal(update_anywhere(ring, files, 0), -EINVAL);
	assert_int_equal(mark(ring, 0), -EBADF);
	close(fd);
}

/* A request behind the update in a chain finds the new file: slots are looked up when it starts. */
static void a_linked_request_finds_the_new_file(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = marked_file('a');
	int none = -1;
	char byte = 0;
	int results[4];

	register_empty(ring);
	ops_prep(ring, 0, IOSQE_IO_LINK, files_update, &fd, 1, 3);
	ops_prep(ring, 1, IOSQE_IO_LINK | IOSQE_FIXED_FILE, read, 3, &byte, 1, 0);
	ops_prep(ring, 2, IOSQE_IO_LINK, files_update, &none, 1, 3);
	ops_prep(ring, 3, IOSQE_FIXED_FILE, read, 3, &byte, 1, 0);
	harness_submit(ring, 4);
	ops_collect(ring, results, 4);
	assert_int_equal(results[0], 1);
	assert_int_equal(results[1], 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(results[2], 1);
	assert_int_equal(results[3], -EBADF);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(slots_are_replaced),
		ops_test(minus_one_empties_and_minus_two_keeps),
		ops_test(a_bad_descriptor_ends_it),
		ops_test(rings_are_no_entries),
		ops_test(arguments_are_checked),
		ops_test(free_slots_are_chosen_and_told),
		ops_test(free_slots_run_out),
		ops_test(free_slots_come_from_the_allocation_range),
		ops_test(choosing_slots_checks_its_arguments),
		ops_test(a_linked_request_finds_the_new_file),
	};

	return harness_run(tests);
}
