/* SPDX-License-Identifier: MIT */
/*
 * Description: OPENAT, OPENAT2 and CLOSE with ordinary descriptors. (Direct ones: open-direct.c.)
 */
#include "ops_helpers.h"

#include <linux/openat2.h>

static void openat_opens_and_creates(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	mode_t mask = umask(022);
	char absolute[PATH_MAX + 16];
	struct stat status;
	int fd;

	fd = ops_run(ring, openat, ops->dir, "new", O_RDWR | O_CREAT, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	close(fd);

	fd = ops_run(ring, openat, ops->dir, "new", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abc", 3), -1);
	close(fd);

	/* An absolute path does not ask for the directory. */
	snprintf(absolute, sizeof(absolute), "%s/new", ops->path);
	fd = ops_run(ring, openat, -1, absolute, O_WRONLY | O_TRUNC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ops_file_size(fd), 0);
	close(fd);

	fd = ops_run(ring, openat, ops->dir, ".", O_TMPFILE | O_RDWR, 0600);
	assert_true(fd >= 0);
	close(fd);
	umask(mask);
}

/* The umask is the process's at the time, not that of the process when the workers began. */
static void the_umask_is_the_current_one(void **state)
{
	static const mode_t masks[] = {0, 077, 027};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) {
		mode_t saved = umask(masks[i]);
		char name[16];
		struct stat status;
		int fd;

		snprintf(name, sizeof(name), "file%u", i);
		fd = ops_run_flags(&ops->ring, IOSQE_ASYNC, openat, ops->dir, name,
				   O_RDWR | O_CREAT, 0666);
		umask(saved);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0666 & ~masks[i]);
		close(fd);
	}
}

static void close_on_exec_is_set_on_request_only(void **state)
{
	struct ops *ops = *state;
	int fd = ops_run(&ops->ring, openat, ops->dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int other = ops_run(&ops->ring, openat, ops->dir, "f", O_RDONLY, 0);

	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(other, F_GETFD), 0);
	close(other);
	close(fd);
}

/* POSIX's rule holds here too: the lowest free number. */
static void the_lowest_free_number_is_given(void **state)
{
	struct ops *ops = *state;
	int low = ops_create(ops, "f", "");
	int high = openat(ops->dir, "f", O_RDONLY | O_CLOEXEC);

	assert_true(high > low);
	close(low);
	assert_int_equal(ops_run(&ops->ring, openat, ops->dir, "f", O_RDONLY | O_CLOEXEC, 0), low);
	close(low);
	close(high);
}

static void openat_answers_as_the_system_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char longest[PATH_MAX + 1];
	int fd = ops_create(ops, "file", "");

	memset(longest, 'x', sizeof(longest));
	longest[PATH_MAX] = '\0';
	assert_int_equal(symlinkat("file", ops->dir, "link"), 0);
	assert_int_equal(ops_run(ring, openat, ops->dir, "none", O_RDONLY, 0), -ENOENT);
	assert_int_equal(ops_run(ring, openat, ops->dir, "", O_RDONLY, 0), -ENOENT);
	assert_int_equal(ops_run(ring, openat, ops->dir, "file", O_CREAT | O_EXCL, 0600), -EEXIST);
	assert_int_equal(ops_run(ring, openat, ops->dir, "file", O_DIRECTORY, 0), -ENOTDIR);
	assert_int_equal(ops_run(ring, openat, ops->dir, "file/x", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(ops_run(ring, openat, ops->dir, ".", O_RDWR, 0), -EISDIR);
	assert_int_equal(ops_run(ring, openat, ops->dir, "link", O_NOFOLLOW, 0), -ELOOP);
	assert_int_equal(ops_run(ring, openat, ops->dir, longest, O_RDONLY, 0), -ENAMETOOLONG);
	assert_int_equal(ops_run(ring, openat, -1, "file", O_RDONLY, 0), -EBADF);
	assert_int_equal(ops_run(ring, openat, 100000, "file", O_RDONLY, 0), -EBADF);
	assert_int_equal(ops_run(ring, openat, fd, "file", O_RDONLY, 0), -ENOTDIR);
	close(fd);
}

static void bad_path_pointers_give_efault(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct open_how how = {.flags = O_RDONLY};

	assert_int_equal(ops_run(ring, openat, ops->dir, NULL, O_RDONLY, 0), -EFAULT);
	assert_int_equal(ops_run(ring, openat, ops->dir, ops_bad_address(), O_RDONLY, 0), -EFAULT);
	assert_int_equal(ops_run(ring, openat2, ops->dir, ops_bad_address(), &how), -EFAULT);
}

/* Worker threads must be the process itself to /proc, and see its working directory. */
static void workers_belong_to_the_process(void **state)
{
	struct ops *ops = *state;
	int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[64] = "";
	int fd;

	fd = ops_run_flags(&ops->ring, IOSQE_ASYNC, openat, AT_FDCWD, "/proc/self/stat", O_RDONLY,
			   0);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(strtol(text, NULL, 10), getpid());
	close(fd);

	close(ops_create(ops, "here", ""));
	assert_int_equal(fchdir(ops->dir), 0);
	fd = ops_run_flags(&ops->ring, IOSQE_ASYNC, openat, AT_FDCWD, "here", O_RDONLY, 0);
	assert_int_equal(fchdir(home), 0);
	assert_true(fd >= 0);
	close(fd);
	close(home);
}

static int open_how(struct ops *ops, const char *path, uint64_t flags, uint64_t mode,
		    uint64_t resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
	int fd = ops_run(&ops->ring, openat2, ops->dir, path, &how);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void openat2_keeps_paths_beneath(void **state)
{
	struct ops *ops = *state;

	close(ops_create(ops, "file", ""));
	assert_int_equal(mkdirat(ops->dir, "sub", 0700), 0);
	assert_int_equal(symlinkat("../file", ops->dir, "sub/link"), 0);
	assert_int_equal(symlinkat("/file", ops->dir, "absolute"), 0);

	assert_int_equal(open_how(ops, "file", O_RDONLY, 0, 0), 0);
	assert_int_equal(open_how(ops, "sub/link", O_RDONLY, 0, RESOLVE_BENEATH), 0);
	assert_int_equal(open_how(ops, "sub/../..", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how(ops, "absolute", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how(ops, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT), 0);
	assert_int_equal(open_how(ops, "sub/link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), -ELOOP);
	assert_int_equal(open_how(ops, "/proc", O_RDONLY, 0, RESOLVE_NO_XDEV), -EXDEV);
	assert_int_equal(open_how(ops, "new", O_CREAT, 0600, RESOLVE_CACHED), -EAGAIN);
}

static void openat2_checks_what_openat_ignores(void **state)
{
	struct ops *ops = *state;

	close(ops_create(ops, "file", ""));
	assert_int_equal(open_how(ops, "file", 1ull << 40, 0, 0), -EINVAL);
	assert_int_equal(open_how(ops, "file", 1ull << 31, 0, 0), -EINVAL);
	assert_int_equal(open_how(ops, "file", O_RDONLY, 0600, 0), -EINVAL);
	assert_int_equal(open_how(ops, "new", O_CREAT | O_RDWR, 0200000, 0), -EINVAL);
	assert_int_equal(open_how(ops, "file", O_RDONLY, 0, 1ull << 20), -EINVAL);
	assert_int_equal(open_how(ops, "file", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT),
			 -EINVAL);
	assert_int_equal(open_how(ops, "new", O_CREAT | O_RDWR, 0600, 0), 0);
	/* The same bits in OPENAT are of no consequence. */
	close(ops_run(&ops->ring, openat, ops->dir, "file", 1 << 30, 0600));
}

static int open_sized(struct ops *ops, const void *how, unsigned size)
{
	int fd;
	struct io_uring_sqe *sqe =
		ops_prep(&ops->ring, 0, 0, openat2, ops->dir, "file", (struct open_how *)how);

	sqe->len = size;
	fd = harness_result(&ops->ring);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* The structure may grow: longer ones are taken if the new part is zero. */
static void openat2_takes_structures_of_other_sizes(void **state)
{
	struct ops *ops = *state;
	unsigned char room[8192] = {0};
	struct open_how how = {.flags = O_RDONLY};

	close(ops_create(ops, "file", ""));
	memcpy(room, &how, sizeof(how));
	assert_int_equal(open_sized(ops, room, 24), 0);
	assert_int_equal(open_sized(ops, room, 23), -EINVAL);
	assert_int_equal(open_sized(ops, room, 0), -EINVAL);
	assert_int_equal(open_sized(ops, room, 32), 0);
	assert_int_equal(open_sized(ops, room, 100), 0);
	assert_int_equal(open_sized(ops, room, 4096), 0);
	/* Unlike the system call, the request sets no limit of one page. */
	assert_int_equal(open_sized(ops, room, 4097), 0);
	assert_int_equal(open_sized(ops, room, 8192), 0);
	room[99] = 1;
	assert_int_equal(open_sized(ops, room, 99), 0);
	assert_int_equal(open_sized(ops, room, 100), -E2BIG);
	room[99] = 0;
	room[8191] = 1;
	assert_int_equal(open_sized(ops, room, 8192), -E2BIG);
	assert_int_equal(open_sized(ops, NULL, 24), -EFAULT);
	assert_int_equal(open_sized(ops, ops_bad_address(), 24), -EFAULT);
}

static void close_closes_once(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "file", "");

	assert_int_equal(ops_run(&ops->ring, close, fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(ops_run(&ops->ring, close, fd), -EBADF);
	assert_int_equal(ops_run(&ops->ring, close, -1), -EBADF);
	assert_int_equal(ops_run(&ops->ring, close, INT_MAX), -EBADF);
	fd = ops_create(ops, "file", "");
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, close, fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* A ring must not take its own ground away, nor that of another. */
static void a_ring_is_not_closed_by_a_request(void **state)
{
	struct ops *ops = *state;
	struct io_uring other;

	harness_init(&other, 4, 0);
	assert_int_equal(ops_run(&ops->ring, close, ops->ring.ring_fd), -EBADF);
	assert_int_equal(ops_run(&ops->ring, close, other.ring_fd), -EBADF);
	assert_int_equal(ops_run(&other, nop), 0);
	assert_int_equal(ops_run(&ops->ring, nop), 0);
	io_uring_queue_exit(&other);
}

/* Descriptors of a table are named by file_index, not by the flag. */
static void the_fixed_file_flag_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "file", "");

	assert_int_equal(io_uring_register_files(&ops->ring, &fd, 1), 0);
	assert_int_equal(
		ops_run_flags(&ops->ring, IOSQE_FIXED_FILE, openat, 0, "file", O_RDONLY, 0),
		-EBADF);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_FIXED_FILE, close, 0), -EBADF);
	close(fd);
}

static void an_open_file_goes_through_a_chain(void **state)
{
	struct ops *ops = *state;
	int next = ops_create(ops, "file", "content");
	char buffer[16];
	int results[3];

	close(next); /* so this number will be given again */
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, openat, ops->dir, "file", O_RDONLY | O_CLOEXEC, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_HARDLINK, read, next, buffer, 7, 0);
	ops_prep(&ops->ring, 2, 0, close, next);
	harness_submit(&ops->ring, 3);
	ops_collect(&ops->ring, results, 3);
	assert_int_equal(results[0], next);
	assert_int_equal(results[1], 7);
	assert_int_equal(results[2], 0);
	assert_memory_equal(buffer, "content", 7);
	assert_int_equal(fcntl(next, F_GETFD), -1);
}

static void nothing_is_left_open(void **state)
{
	struct ops *ops = *state;
	unsigned before = harness_fd_count();

	close(ops_create(ops, "file", ""));
	for (unsigned i = 0; i < 50; i++) {
		unsigned flags = i % 2 ? IOSQE_ASYNC : 0;
		int fd = ops_run_flags(&ops->ring, flags, openat, ops->dir, "file", O_RDONLY, 0);

		assert_true(fd >= 0);
		assert_int_equal(ops_run_flags(&ops->ring, flags, close, fd), 0);
	}
	assert_int_equal(harness_fd_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(openat_opens_and_creates),
		ops_dir_test(the_umask_is_the_current_one),
		ops_dir_test(close_on_exec_is_set_on_request_only),
		ops_dir_test(the_lowest_free_number_is_given),
		ops_dir_test(openat_answers_as_the_system_call),
		ops_dir_test(bad_path_pointers_give_efault),
		ops_dir_test(workers_belong_to_the_process),
		ops_dir_test(openat2_keeps_paths_beneath),
		ops_dir_test(openat2_checks_what_openat_ignores),
		ops_dir_test(openat2_takes_structures_of_other_sizes),
		ops_dir_test(close_closes_once),
		ops_test(a_ring_is_not_closed_by_a_request),
		ops_dir_test(the_fixed_file_flag_is_refused),
		ops_dir_test(an_open_file_goes_through_a_chain),
		ops_dir_test(nothing_is_left_open),
	};

	return harness_run(tests);
}
