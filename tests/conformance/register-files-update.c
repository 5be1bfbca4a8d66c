/* SPDX-License-Identifier: MIT */
/*
 * Description: updating a table of registered files by the old call and by the one with tags:
 * partial success, skipped entries, ranges, arguments, and what becomes of users of a slot.
 */
#include "rsrc_helpers.h"

#define SKIP IORING_REGISTER_FILES_SKIP

static struct io_uring ring;
static int files[4]; /* marks 1 to 4 */

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	for (int i = 0; i < 4; i++)
		files[i] = rsrc_marked_file(i + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		close(files[i]);
	io_uring_queue_exit(&ring);
	return 0;
}

/* The marks of the first four slots, 0 for an empty one. */
static void assert_slots(int first, int second, int third, int fourth)
{
	const int want[4] = {first, second, third, fourth};

	for (int i = 0; i < 4; i++) {
		int mark = rsrc_slot_mark(&ring, i);

		assert_int_equal(mark, want[i] ? want[i] : -EBADF);
	}
}

static int update(unsigned offset, const int *fds, unsigned count)
{
	return io_uring_register_files_update(&ring, offset, fds, count);
}

static void fill_replace_and_empty(void **state)
{
	const int empty[2] = {-1, -1};

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(update(1, files, 2), 2);
	assert_slots(0, 1, 2, 0);
	assert_int_equal(update(0, files, 4), 4);
	assert_slots(1, 2, 3, 4);
	assert_int_equal(update(2, empty, 2), 2);
	assert_slots(1, 2, 0, 0);
	/* Emptying what is empty counts too. */
	assert_int_equal(update(2, empty, 2), 2);
	assert_int_equal(update(3, &files[0], 1), 1);
	assert_slots(1, 2, 0, 1);
}

static void skipped_entries_stay(void **state)
{
	const int fds[4] = {SKIP, -1, SKIP, files[0]};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, files, 4), 0);
	assert_int_equal(update(0, fds, 4), 4);
	assert_slots(1, 0, 3, 1);
}

static void bad_entry_stops_the_update(void **state)
{
	const int fds[3] = {files[3], 9999, files[3]};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, files, 4), 0);
	/* The good ones before it are done and counted. The slot of the bad one is empty now. */
	assert_int_equal(update(0, fds, 3), 1);
	assert_slots(4, 0, 3, 4);
	assert_int_equal(update(2, fds + 1, 2), -EBADF);
	assert_slots(4, 0, 0, 4);
}

static void refused_entries(void **state)
{
	const int bad[] = {-3, INT_MIN, INT_MAX, ring.ring_fd};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, files, 4), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(update(0, &bad[i], 1), -EBADF);
		assert_int_equal(rsrc_slot_mark(&ring, 0), -EBADF);
		assert_int_equal(update(0, files, 1), 1);
	}
	assert_slots(1, 2, 3, 4);
}

static void range_is_checked_first(void **state)
{
	(void)state;
	assert_int_equal(update(0, files, 1), -ENXIO);
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(update(3, files, 2), -EINVAL);
	assert_int_equal(update(4, files, 1), -EINVAL);
	assert_int_equal(update(0, files, 5), -EINVAL);
	assert_int_equal(update(UINT_MAX, files, 1), -EOVERFLOW);
	assert_int_equal(update(UINT_MAX - 1, files, 4), -EOVERFLOW);
	assert_int_equal(update(1, files, UINT_MAX), -EOVERFLOW);
	assert_int_equal(update(0, files, 0), -EINVAL);
	assert_slots(0, 0, 0, 0);
}

static void update_arguments(void **state)
{
	struct io_uring_files_update arg = {.fds = rsrc_address(files)};
	unsigned fd = (unsigned)ring.ring_fd;

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, NULL, 1), -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, RSRC_BAD_POINTER, 1),
			 -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, &arg, 0), -EINVAL);
	arg.resv = 1;
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, &arg, 1), -EINVAL);
	arg.resv = 0;
	arg.fds = 0;
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, &arg, 1), -EFAULT);
	arg.fds = rsrc_address(RSRC_BAD_POINTER);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, &arg, 1), -EFAULT);
	arg.fds = rsrc_address(files);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_FILES_UPDATE, &arg, 1), 1);
	assert_slots(1, 0, 0, 0);
}

/* The first entry readable, the second not: one done. */
static void array_readable_in_part(void **state)
{
	char *memory = rsrc_map(8192, PROT_READ | PROT_WRITE);
	int *entry = (int *)(memory + 4096) - 1;

	(void)state;
	assert_int_equal(munmap(memory + 4096, 4096), 0);
	*entry = files[2];
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(update(0, entry, 2), 1);
	assert_slots(3, 0, 0, 0);
	munmap(memory, 4096);
}

static void update2_arguments(void **state)
{
	uint64_t no_tags[2] = {0, 0};
	const struct {
		struct io_uring_rsrc_update2 update;
		int want;
	} cases[] = {
		{{.nr = 2, .data = rsrc_address(files)}, 2},
		{{.nr = 2, .data = rsrc_address(files), .tags = rsrc_address(no_tags)}, 2},
		{{.nr = 0, .data = rsrc_address(files)}, -EINVAL},
		{{.nr = 1, .data = rsrc_address(files), .resv = 1}, -EINVAL},
		{{.nr = 1, .data = rsrc_address(files), .resv2 = 1}, -EINVAL},
		{{.nr = 1, .data = 0}, -EFAULT},
		{{.nr = 1, .data = rsrc_address(RSRC_BAD_POINTER)}, -EFAULT},
		{{.nr = 1, .data = rsrc_address(files), .tags = rsrc_address(RSRC_BAD_POINTER)},
		 -EFAULT},
		{{.nr = 2, .data = rsrc_address(files), .offset = 3}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(files), .offset = UINT_MAX}, -EOVERFLOW},
	};

	(void)state;
	assert_int_equal(rsrc_update_files2(&ring, cases[0].update), -ENXIO);
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = rsrc_update_files2(&ring, cases[i].update);

		if (ret != cases[i].want)
			print_error("case %u\n", i);
		assert_int_equal(ret, cases[i].want);
	}
	assert_slots(1, 2, 0, 0);
}

static void update2_size(void **state)
{
	struct {
		struct io_uring_rsrc_update2 update;
		char more[8];
	} arg = {.update = {.nr = 1, .data = rsrc_address(files)}};
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_FILES_UPDATE2;
	unsigned size = sizeof(arg.update);

	(void)state;
	assert_int_equal(size, 32);
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(io_uring_register(fd, opcode, &arg, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, size - 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, size + 8), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, size), -EFAULT);
	assert_int_equal(io_uring_register(fd, opcode, &arg, size), 1);
}

/* ---- the request ---- */

static int request(const int *fds, unsigned count, int offset)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_files_update(sqe, (int *)fds, count, offset);
	return harness_result(&ring);
}

/* The rest about the request is in files-update-op.c. */
static void request_fields(void **state)
{
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(io_uring_register_files_sparse(&ring, 4), 0);
	assert_int_equal(request(files, 0, 0), -EINVAL);
	sqe = harness_sqe(&ring);
	io_uring_prep_files_update(sqe, files, 1, 0);
	sqe->rw_flags = 1;
	assert_int_equal(harness_result(&ring), -EINVAL);
	sqe = harness_sqe(&ring);
	io_uring_prep_files_update(sqe, files, 1, 0);
	sqe->splice_fd_in = 1;
	assert_int_equal(harness_result(&ring), -EINVAL);
	sqe = harness_sqe(&ring);
	io_uring_prep_files_update(sqe, files, 1, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	assert_int_equal(harness_result(&ring), -EINVAL);
	sqe = harness_sqe(&ring);
	io_uring_prep_files_update(sqe, files, 1, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	assert_int_equal(harness_result(&ring), -EOPNOTSUPP);
	assert_slots(0, 0, 0, 0);
}

/* ---- what an update does to users of the slot ---- */

static void replaced_file_serves_its_request(void **state)
{
	char data[8] = "";
	int fds[2];
	struct harness_cqe cqe;

	(void)state;
	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(&ring, fds, 1), 0);
	rsrc_start_read(&ring, 0, IOSQE_FIXED_FILE, data, sizeof(data), 7);
	close(fds[0]);
	assert_int_equal(update(0, files, 1), 1);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 7, 5);
	assert_memory_equal(data, "hello", 5);
	assert_true(rsrc_wait_hung_up(fds[1]));
	close(fds[1]);
}

static void emptied_slot_lets_go(void **state)
{
	const int empty = -1;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(&ring, &fds[1], 1), 0);
	close(fds[1]);
	assert_false(rsrc_hung_up(fds[0]));
	assert_int_equal(update(0, &empty, 1), 1);
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fill_replace_and_empty),
		TEST(skipped_entries_stay),
		TEST(bad_entry_stops_the_update),
		TEST(refused_entries),
		TEST(range_is_checked_first),
		TEST(update_arguments),
		TEST(array_readable_in_part),
		TEST(update2_arguments),
		TEST(update2_size),
		TEST(request_fields),
		TEST(replaced_file_serves_its_request),
		TEST(emptied_slot_lets_go),
	};

	return harness_run(tests);
}
