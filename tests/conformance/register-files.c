/* SPDX-License-Identifier: MIT */
/*
 * Description: registering a table of files: what may stand in it, what a slot keeps alive, what is
 * refused, and that a refused registration keeps nothing.
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

static void slots_reach_their_files(void **state)
{
	int fds[3] = {rsrc_marked_file(11), rsrc_marked_file(12), rsrc_marked_file(13)};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, fds, 3), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rsrc_slot_mark(&ring, i), 11 + i);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rsrc_slot_mark(&ring, i), -EBADF);
		close(fds[i]);
	}
}

/* A slot is a reference of its own: closing the number, or reusing it, changes nothing. */
static void table_is_independent_of_descriptors(void **state)
{
	int fd = rsrc_marked_file(21);
	int other = rsrc_marked_file(22);

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, &fd, 1), 0);
	close(fd);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 21);
	assert_int_equal(dup3(other, fd, O_CLOEXEC), fd);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 21);
	close(fd);
	close(other);
}

static void slot_out_of_range(void **state)
{
	int fds[2] = {rsrc_marked_file(31), rsrc_marked_file(32)};

	(void)state;
	assert_int_equal(rsrc_slot_mark(&ring, 0), -EBADF);
	assert_int_equal(io_uring_register_files(&ring, fds, 2), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 2), -EBADF);
	assert_int_equal(rsrc_slot_mark(&ring, 1 << 20), -EBADF);
	assert_int_equal(rsrc_slot_mark(&ring, -1), -EBADF);
	assert_int_equal(rsrc_slot_mark(&ring, INT_MIN), -EBADF);
	/* A number that is open as a descriptor is no slot. */
	assert_int_equal(rsrc_slot_mark(&ring, fds[1]), -EBADF);
	close(fds[0]);
	close(fds[1]);
}

static void minus_one_is_an_empty_slot(void **state)
{
	int fd = rsrc_marked_file(41);
	int fds[4] = {-1, fd, -1, fd};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, fds, 4), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 0), -EBADF);
	assert_int_equal(rsrc_slot_mark(&ring, 1), 41);
	assert_int_equal(rsrc_slot_mark(&ring, 2), -EBADF);
	assert_int_equal(rsrc_slot_mark(&ring, 3), 41);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	fds[1] = fds[3] = -1;
	assert_int_equal(io_uring_register_files(&ring, fds, 4), 0);
	close(fd);
}

static void sparse_table(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 16), 0);
	for (int i = 0; i < 17; i++)
		assert_int_equal(rsrc_slot_mark(&ring, i), -EBADF);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
}

static void second_table_is_refused(void **state)
{
	int fds[2] = {rsrc_marked_file(51), rsrc_marked_file(52)};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, fds, 1), 0);
	assert_int_equal(io_uring_register_files(&ring, fds + 1, 1), -EBUSY);
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), -EBUSY);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 51);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	assert_int_equal(io_uring_register_files(&ring, fds + 1, 1), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 52);
	close(fds[0]);
	close(fds[1]);
}

/* The table is looked at before the arguments: a full ring answers -EBUSY to anything. */
static void busy_comes_before_other_errors(void **state)
{
	unsigned fd = (unsigned)ring.ring_fd;

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 1), 0);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES, RSRC_BAD_POINTER, 0), -EBUSY);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES, RSRC_BAD_POINTER, UINT_MAX),
			 -EBUSY);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES, NULL, 1), -EFAULT);
}

/* Whatever the bad entry is, the good ones before it must not stay referenced. */
static void assert_refused_and_released(int bad_fd)
{
	int fds[3], pipe_fds[2];

	harness_pipe(pipe_fds);
	fds[0] = pipe_fds[1];
	fds[1] = bad_fd;
	fds[2] = pipe_fds[1];
	assert_int_equal(io_uring_register_files(&ring, fds, 3), -EBADF);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	assert_int_equal(rsrc_slot_mark(&ring, 0), -EBADF);
	assert_false(rsrc_hung_up(pipe_fds[0]));
	close(pipe_fds[1]);
	assert_true(rsrc_wait_hung_up(pipe_fds[0]));
	close(pipe_fds[0]);
}

static void bad_entries_are_refused(void **state)
{
	int closed = fcntl(ring.ring_fd, F_DUPFD_CLOEXEC, 200);

	(void)state;
	assert_true(closed >= 200);
	close(closed);
	assert_refused_and_released(closed);
	assert_refused_and_released(IORING_REGISTER_FILES_SKIP);
	assert_refused_and_released(-3);
	assert_refused_and_released(INT_MAX);
	assert_refused_and_released(INT_MIN);
}

static void rings_are_refused(void **state)
{
	struct io_uring other;
	int copy;

	(void)state;
	harness_init(&other, 4, 0);
	copy = dup(other.ring_fd);
	assert_refused_and_released(ring.ring_fd);
	assert_refused_and_released(other.ring_fd);
	assert_refused_and_released(copy);
	close(copy);
	io_uring_queue_exit(&other);
}

static void slots_keep_files_until_unregistered(void **state)
{
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(&ring, &fds[1], 1), 0);
	close(fds[1]);
	assert_false(rsrc_hung_up(fds[0]));
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
}

static void slots_keep_files_until_the_ring_goes(void **state)
{
	struct io_uring other;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	harness_init(&other, 4, 0);
	assert_int_equal(io_uring_register_files(&other, &fds[1], 1), 0);
	close(fds[1]);
	assert_false(rsrc_hung_up(fds[0]));
	io_uring_queue_exit(&other);
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
}

/* Unregistering does not wait for requests, and does not disturb them. */
static void unregister_while_in_use(void **state)
{
	char data[8] = "";
	int fds[2];
	struct harness_cqe cqe;

	(void)state;
	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(&ring, fds, 1), 0);
	rsrc_start_read(&ring, 0, IOSQE_FIXED_FILE, data, sizeof(data), 7);
	close(fds[0]);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	harness_assert_empty(&ring);
	assert_int_equal(rsrc_slot_mark(&ring, 0), -EBADF);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 7, 5);
	assert_memory_equal(data, "hello", 5);
	/* Now nobody reads: the read end is gone with the request. */
	assert_true(rsrc_wait_hung_up(fds[1]));
	close(fds[1]);
}

static void register_arguments(void **state)
{
	int fd = rsrc_marked_file(71);
	unsigned ring_fd = (unsigned)ring.ring_fd;

	(void)state;
	assert_int_equal(io_uring_register(ring_fd, IORING_REGISTER_FILES, &fd, 0), -EINVAL);
	assert_int_equal(io_uring_register(ring_fd, IORING_REGISTER_FILES, NULL, 0), -EFAULT);
	assert_int_equal(io_uring_register(ring_fd, IORING_REGISTER_FILES, NULL, 1), -EFAULT);
	assert_int_equal(io_uring_register(ring_fd, IORING_REGISTER_FILES, RSRC_BAD_POINTER, 1),
			 -EFAULT);
	assert_int_equal(io_uring_register(ring_fd, IORING_REGISTER_FILES, &fd, UINT_MAX), -EMFILE);
	assert_int_equal(io_uring_register(ring_fd, IORING_UNREGISTER_FILES, NULL, 0), -ENXIO);
	assert_int_equal(io_uring_register_files(&ring, &fd, 1), 0);
	assert_int_equal(io_uring_register(ring_fd, IORING_UNREGISTER_FILES, &fd, 0), -EINVAL);
	assert_int_equal(io_uring_register(ring_fd, IORING_UNREGISTER_FILES, NULL, 1), -EINVAL);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 71);
	close(fd);
}

/* An array that ends at unmapped memory: the part that could be read is given back. */
static void array_readable_in_part(void **state)
{
	char *memory = rsrc_map(8192, PROT_READ | PROT_WRITE);
	int *entry = (int *)(memory + 4096) - 1;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(munmap(memory + 4096, 4096), 0);
	*entry = fds[1];
	assert_int_equal(io_uring_register_files(&ring, entry, 2), -EFAULT);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	close(fds[1]);
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
	munmap(memory, 4096);
}

static void register2_arguments(void **state)
{
	int fd = rsrc_marked_file(81);
	int fds[2] = {fd, -1};
	uint64_t tags[2] = {1, 0};
	const struct {
		struct io_uring_rsrc_register reg;
		int want;
	} cases[] = {
		{{.nr = 2, .data = rsrc_address(fds)}, 0},
		{{.nr = 2, .data = rsrc_address(fds), .tags = rsrc_address(tags)}, 0},
		{{.nr = 2, .flags = IORING_RSRC_REGISTER_SPARSE}, 0},
		/* Without an array there is nothing to read: as good as sparse. */
		{{.nr = 2}, 0},
		{{.nr = 0, .data = rsrc_address(fds)}, -EINVAL},
		{{.nr = 0, .flags = IORING_RSRC_REGISTER_SPARSE}, -EINVAL},
		{{.nr = UINT_MAX, .data = rsrc_address(fds)}, -EMFILE},
		{{.nr = UINT_MAX, .flags = IORING_RSRC_REGISTER_SPARSE}, -EMFILE},
		{{.nr = 2, .data = rsrc_address(fds), .flags = 2}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(fds), .flags = 1u << 31}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(fds), .flags = IORING_RSRC_REGISTER_SPARSE},
		 -EINVAL},
		{{.nr = 2, .data = rsrc_address(fds), .resv2 = 1}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(RSRC_BAD_POINTER)}, -EFAULT},
		{{.nr = 2, .data = rsrc_address(fds), .tags = rsrc_address(RSRC_BAD_POINTER)},
		 -EFAULT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = rsrc_register_files2(&ring, cases[i].reg);

		if (ret != cases[i].want)
			print_error("case %u\n", i);
		assert_int_equal(ret, cases[i].want);
		assert_int_equal(io_uring_unregister_files(&ring), ret ? -ENXIO : 0);
		if (cases[i].reg.tags && !ret)
			assert_int_equal(harness_next(&ring).user_data, 1);
		harness_assert_empty(&ring);
	}
	close(fd);
}

static void register2_size(void **state)
{
	struct {
		struct io_uring_rsrc_register reg;
		char more[8];
	} arg = {.reg = {.nr = 1, .flags = IORING_RSRC_REGISTER_SPARSE}};
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned size = sizeof(arg.reg);

	(void)state;
	assert_int_equal(size, 32);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, &arg, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, &arg, size - 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, &arg, size + 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, &arg, size + 8), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, RSRC_BAD_POINTER, size),
			 -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES2, &arg, size), 0);
}

/* Registration needs no enabled ring. */
static void disabled_ring_takes_files(void **state)
{
	struct io_uring other;
	int fd = rsrc_marked_file(91);

	(void)state;
	harness_init(&other, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_files(&other, &fd, 1), 0);
	assert_int_equal(io_uring_enable_rings(&other), 0);
	assert_int_equal(rsrc_slot_mark(&other, 0), 91);
	io_uring_queue_exit(&other);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slots_reach_their_files),
		TEST(table_is_independent_of_descriptors),
		TEST(slot_out_of_range),
		TEST(minus_one_is_an_empty_slot),
		TEST(sparse_table),
		TEST(second_table_is_refused),
		TEST(busy_comes_before_other_errors),
		TEST(bad_entries_are_refused),
		TEST(rings_are_refused),
		TEST(slots_keep_files_until_unregistered),
		TEST(slots_keep_files_until_the_ring_goes),
		TEST(unregister_while_in_use),
		TEST(register_arguments),
		TEST(array_readable_in_part),
		TEST(register2_arguments),
		TEST(register2_size),
		TEST(disabled_ring_takes_files),
	};

	return harness_run(tests);
}
