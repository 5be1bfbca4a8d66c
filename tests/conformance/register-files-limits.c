/* SPDX-License-Identifier: MIT */
/*
 * Description: how many files a table may hold: the limit of open files bounds its size, and within
 * it large tables work, of one file and of many.
 */
#include "rsrc_helpers.h"

#define LARGE	 16384
#define DISTINCT 768

static struct io_uring ring;
static rlim_t limit_before;

static int setup(void **state)
{
	struct rlimit limit;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit_before = limit.rlim_cur;
	harness_init(&ring, 64, 0);
	return 0;
}

static int teardown(void **state)
{
	struct rlimit limit;

	(void)state;
	io_uring_queue_exit(&ring);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit_before;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* An array of count entries, all of them fd. */
static int *repeat(int fd, unsigned count)
{
	int *fds = calloc(count, sizeof(*fds));

	assert_non_null(fds);
	for (unsigned i = 0; i < count; i++)
		fds[i] = fd;
	return fds;
}

/* The bare call: liburing's own functions answer -EMFILE by raising the limit. */
static int register_files(const void *fds, unsigned count)
{
	return io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_FILES, fds, count);
}

static int register_sparse(unsigned count)
{
	return rsrc_register_files2(&ring, (struct io_uring_rsrc_register){
						   .nr = count,
						   .flags = IORING_RSRC_REGISTER_SPARSE,
					   });
}

static void more_than_the_limit(void **state)
{
	int fd = rsrc_marked_file(1);
	int *fds = repeat(fd, 65);

	(void)state;
	assert_true(rsrc_set_file_limit(64));
	assert_int_equal(register_files(fds, 65), -EMFILE);
	assert_int_equal(register_sparse(65), -EMFILE);
	/* The number is looked at before the array is. */
	assert_int_equal(register_files(RSRC_BAD_POINTER, 65), -EMFILE);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	assert_int_equal(register_files(fds, 64), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 63), 1);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(register_sparse(64), 0);
	free(fds);
	close(fd);
}

static void library_raises_the_limit(void **state)
{
	int fd = rsrc_marked_file(1);
	int *fds = repeat(fd, 65);
	struct rlimit limit;

	(void)state;
	assert_true(rsrc_set_file_limit(64));
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 256)
		skip();
	assert_int_equal(io_uring_register_files(&ring, fds, 65), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 64), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur >= 65);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_true(rsrc_set_file_limit(64));
	assert_int_equal(io_uring_register_files_sparse(&ring, 65), 0);
	free(fds);
	close(fd);
}

/* The limit counts when the table is made, not afterwards. */
static void limit_lowered_afterwards(void **state)
{
	int fd = rsrc_marked_file(2);

	(void)state;
	assert_true(rsrc_set_file_limit(256));
	assert_int_equal(io_uring_register_files_sparse(&ring, 256), 0);
	assert_true(rsrc_set_file_limit(64));
	assert_int_equal(io_uring_register_files_update(&ring, 255, &fd, 1), 1);
	assert_int_equal(rsrc_slot_mark(&ring, 255), 2);
	close(fd);
}

static void large_table_of_one_file(void **state)
{
	int fds[2], *entries, probe;

	(void)state;
	if (!rsrc_set_file_limit(LARGE))
		skip();
	harness_pipe(fds);
	entries = repeat(fds[1], LARGE);
	assert_int_equal(io_uring_register_files(&ring, entries, LARGE), 0);
	close(fds[1]);
	/* The table has left room for the application's own descriptors. */
	probe = dup(fds[0]);
	assert_true(probe >= 0);
	close(probe);
	for (int i = 0; i < LARGE; i += 1023) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);
		char byte = 'x';

		io_uring_prep_write(sqe, i, &byte, 1, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
		assert_int_equal(harness_result(&ring), 1);
	}
	assert_false(rsrc_hung_up(fds[0]));
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
	free(entries);
}

/* Emptying a large table entry by entry keeps the file until the last one. */
static void last_of_many_entries_lets_go(void **state)
{
	int fds[2], *entries;
	const int empty = -1;

	(void)state;
	assert_true(rsrc_set_file_limit(1024));
	harness_pipe(fds);
	entries = repeat(fds[1], 1024);
	assert_int_equal(io_uring_register_files(&ring, entries, 1024), 0);
	close(fds[1]);
	for (unsigned i = 0; i < 1024; i++) {
		assert_false(rsrc_hung_up(fds[0]));
		assert_int_equal(io_uring_register_files_update(&ring, i, &empty, 1), 1);
	}
	assert_true(rsrc_wait_hung_up(fds[0]));
	close(fds[0]);
	free(entries);
}

/*
 * Under the usual limit of 1024, more than half of it as open files, each of them registered: the
 * table must not need a descriptor of the application for each.
 */
static void many_distinct_files(void **state)
{
	int fds[DISTINCT];

	(void)state;
	assert_true(rsrc_set_file_limit(1024));
	for (int i = 0; i < DISTINCT; i++)
		fds[i] = rsrc_marked_file(i + 1);
	assert_int_equal(io_uring_register_files(&ring, fds, DISTINCT), 0);
	for (int i = 0; i < DISTINCT; i++)
		close(fds[i]);
	for (int i = 0; i < DISTINCT; i++)
		assert_int_equal(rsrc_slot_mark(&ring, i), i + 1);
}

/* The application may still use every descriptor that its limit allows. */
static void application_keeps_its_descriptors(void **state)
{
	int fds[DISTINCT], more[1024];
	int count = 0, fd;

	(void)state;
	assert_true(rsrc_set_file_limit(1024));
	for (int i = 0; i < DISTINCT; i++)
		fds[i] = rsrc_marked_file(i + 1);
	assert_int_equal(io_uring_register_files(&ring, fds, DISTINCT), 0);
	for (int i = 0; i < DISTINCT; i++)
		close(fds[i]);
	while (count < 1024 && (fd = dup(STDIN_FILENO)) >= 0)
		more[count++] = fd;
	for (int i = 0; i < count; i++)
		close(more[i]);
	assert_in_range(count, DISTINCT, 1024);
	for (int i = 0; i < DISTINCT; i++)
		assert_int_equal(rsrc_slot_mark(&ring, i), i + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(more_than_the_limit),
		TEST(library_raises_the_limit),
		TEST(limit_lowered_afterwards),
		TEST(large_table_of_one_file),
		TEST(last_of_many_entries_lets_go),
		TEST(many_distinct_files),
		TEST(application_keeps_its_descriptors),
	};

	return harness_run(tests);
}
