/* SPDX-License-Identifier: MIT */
/*
 * Description: FALLOCATE, FTRUNCATE, FADVISE and MADVISE.
 */
#include "ops_helpers.h"

#include <linux/falloc.h>
#include <sys/resource.h>

static void fallocate_extends(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	struct stat status;

	assert_int_equal(ops_run(&ops->ring, fallocate, fd, 0, 0, 1 << 20), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 1 << 20);
	assert_true(status.st_blocks * 512 >= 1 << 20);
	close(fd);
}

static void fallocate_can_keep_the_size_and_punch(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(16384);
	char buffer[16];

	assert_int_equal(ops_run(&ops->ring, fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
	assert_int_equal(ops_file_size(fd), 16384);
	assert_int_equal(ops_run(&ops->ring, fallocate, fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096),
			 0);
	assert_int_equal(pread(fd, buffer, 16, 8184), 16);
	assert_memory_equal(buffer, "\0\0\0\0\0\0\0\0", 8);
	ops_assert_pattern(buffer + 8, 8, 8192);
	close(fd);
}

static void fallocate_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "file", "data");
	int only_read = openat(ops->dir, "file", O_RDONLY | O_CLOEXEC);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, fallocate, fd, 0, 0, 0), -EINVAL);
	assert_int_equal(ops_run(ring, fallocate, fd, 0, -1, 10), -EINVAL);
	assert_int_equal(ops_run(ring, fallocate, fd, 0, 0, -1), -EINVAL);
	assert_int_equal(ops_run(ring, fallocate, fd, 0, LLONG_MAX, 10), -EFBIG);
	assert_int_equal(ops_run(ring, fallocate, fd, FALLOC_FL_PUNCH_HOLE, 0, 10), -EOPNOTSUPP);
	assert_int_equal(ops_run(ring, fallocate, fd, 1 << 30, 0, 10), -EOPNOTSUPP);
	assert_int_equal(ops_run(ring, fallocate, only_read, 0, 0, 10), -EBADF);
	assert_int_equal(ops_run(ring, fallocate, ops->dir, 0, 0, 10), -EBADF);
	assert_int_equal(ops_run(ring, fallocate, fds[1], 0, 0, 10), -ESPIPE);
	assert_int_equal(ops_run(ring, fallocate, -1, 0, 0, 10), -EBADF);
	assert_int_equal(ops_file_size(fd), 4);
	harness_close_pipe(fds);
	close(only_read);
	close(fd);
}

static void ftruncate_grows_and_shrinks(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(1000);
	char byte = 'x';

	assert_int_equal(ops_run(&ops->ring, ftruncate, fd, 5000), 0);
	assert_int_equal(ops_file_size(fd), 5000);
	assert_int_equal(pread(fd, &byte, 1, 4999), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(ops_run(&ops->ring, ftruncate, fd, 10), 0);
	assert_int_equal(ops_file_size(fd), 10);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, ftruncate, fd, 0), 0);
	assert_int_equal(ops_file_size(fd), 0);
	/* The position is not moved by it. */
	lseek(fd, 7, SEEK_SET);
	assert_int_equal(ops_run(&ops->ring, ftruncate, fd, 3), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
	close(fd);
}

static void ftruncate_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "file", "data");
	int only_read = openat(ops->dir, "file", O_RDONLY | O_CLOEXEC);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, ftruncate, fd, -1), -EINVAL);
	assert_int_equal(ops_run(ring, ftruncate, fd, LLONG_MIN), -EINVAL);
	assert_int_equal(ops_run(ring, ftruncate, only_read, 0), -EINVAL);
	assert_int_equal(ops_run(ring, ftruncate, ops->dir, 0), -EINVAL);
	assert_int_equal(ops_run(ring, ftruncate, fds[1], 0), -EINVAL);
	assert_int_equal(ops_run(ring, ftruncate, -1, 0), -EBADF);
	assert_int_equal(ops_file_size(fd), 4);
	harness_close_pipe(fds);
	close(only_read);
	close(fd);
}

/* The file size limit is an answer, and its signal kills nobody. */
static void the_file_size_limit_gives_efbig(void **state)
{
	struct ops *ops = *state;
	struct rlimit saved, limit;
	int fd = harness_temp_file(1000);
	int truncated, allocated;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	limit = (struct rlimit){.rlim_cur = 1000, .rlim_max = saved.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	truncated = ops_run(&ops->ring, ftruncate, fd, 1001);
	allocated = ops_run(&ops->ring, fallocate, fd, 0, 0, 1001);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);

	assert_int_equal(truncated, -EFBIG);
	assert_int_equal(allocated, -EFBIG);
	assert_int_equal(ops_file_size(fd), 1000);
	close(fd);
}

static void fadvise_takes_every_advice(void **state)
{
	static const int advices[] = {
		POSIX_FADV_NORMAL,   POSIX_FADV_RANDOM,	  POSIX_FADV_SEQUENTIAL,
		POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE,
	};
	struct ops *ops = *state;
	int fd = harness_temp_file(10000);

	for (unsigned i = 0; i < ARRAY_SIZE(advices); i++) {
		assert_int_equal(ops_run(&ops->ring, fadvise, fd, 0, 4096, advices[i]), 0);
		assert_int_equal(ops_run(&ops->ring, fadvise, fd, 4096, 0, advices[i]), 0);
		assert_int_equal(ops_run(&ops->ring, fadvise64, fd, 0, 1ll << 40, advices[i]), 0);
	}
	close(fd);
}

static void fadvise_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = harness_temp_file(100);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, fadvise, fd, 0, 0, 99), -EINVAL);
	assert_int_equal(ops_run(ring, fadvise64, fd, 0, -1, POSIX_FADV_NORMAL), -EINVAL);
	assert_int_equal(ops_run(ring, fadvise, fd, -1, 0, POSIX_FADV_NORMAL), 0);
	assert_int_equal(ops_run(ring, fadvise, fds[0], 0, 0, POSIX_FADV_NORMAL), -ESPIPE);
	assert_int_equal(ops_run(ring, fadvise, -1, 0, 0, POSIX_FADV_NORMAL), -EBADF);
	harness_close_pipe(fds);
	close(fd);
}

static void madvise_acts_on_this_process(void **state)
{
	struct ops *ops = *state;
	long page = sysconf(_SC_PAGESIZE);
	char *memory =
		mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 'x', 4 * page);
	assert_int_equal(ops_run(&ops->ring, madvise, memory, page, MADV_DONTNEED), 0);
	assert_int_equal(memory[0], 0);
	assert_int_equal(memory[page], 'x');
	assert_int_equal(ops_run(&ops->ring, madvise64, memory + page, 2 * page, MADV_DONTNEED), 0);
	assert_int_equal(memory[page], 0);
	assert_int_equal(memory[2 * page], 0);
	assert_int_equal(memory[3 * page], 'x');
	munmap(memory, 4 * page);
}

static void madvise_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(ops_run(ring, madvise, memory, page, 9999), -EINVAL);
	assert_int_equal(ops_run(ring, madvise, memory + 1, page, MADV_NORMAL), -EINVAL);
	/* The page after the null page: nothing is ever mapped there by itself. */
	assert_int_equal(ops_run(ring, madvise, (void *)page, page, MADV_NORMAL), -ENOMEM);
	assert_int_equal(ops_run(ring, madvise, memory, 0, MADV_NORMAL), 0);
	munmap(memory, page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(fallocate_extends),
		ops_test(fallocate_can_keep_the_size_and_punch),
		ops_dir_test(fallocate_arguments_are_checked),
		ops_test(ftruncate_grows_and_shrinks),
		ops_dir_test(ftruncate_arguments_are_checked),
		ops_test(the_file_size_limit_gives_efbig),
		ops_test(fadvise_takes_every_advice),
		ops_test(fadvise_arguments_are_checked),
		ops_test(madvise_acts_on_this_process),
		ops_test(madvise_arguments_are_checked),
	};

	return harness_run(tests);
}
