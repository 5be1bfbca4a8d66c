/* SPDX-License-Identifier: MIT */
/*
 * Description: operations on names: STATX, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT and LINKAT.
 */
#include "ops_helpers.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE	 (1 << 1)
#endif

static int stat_size(struct ops *ops, int dir, const char *path, int flags, uint64_t *size)
{
	struct statx status;
	int ret;

	memset(&status, 0xee, sizeof(status));
	ret = ops_run(&ops->ring, statx, dir, path, flags, STATX_SIZE | STATX_TYPE, &status);
	*size = status.stx_size;
	return ret;
}

static void statx_finds_the_file(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "file", "12345");
	char absolute[PATH_MAX + 16];
	uint64_t size;

	snprintf(absolute, sizeof(absolute), "%s/file", ops->path);
	assert_int_equal(symlinkat("file", ops->dir, "link"), 0);
	assert_int_equal(stat_size(ops, ops->dir, "file", 0, &size), 0);
	assert_int_equal(size, 5);
	assert_int_equal(stat_size(ops, -1, absolute, 0, &size), 0);
	assert_int_equal(size, 5);
	assert_int_equal(stat_size(ops, ops->dir, "link", 0, &size), 0);
	assert_int_equal(size, 5);
	assert_int_equal(stat_size(ops, ops->dir, "link", AT_SYMLINK_NOFOLLOW, &size), 0);
	assert_int_equal(size, 4);
	assert_int_equal(stat_size(ops, fd, "", AT_EMPTY_PATH, &size), 0);
	assert_int_equal(size, 5);
	close(fd);
}

/* The whole structure is that of the system call. */
static void statx_fills_in_what_the_system_call_does(void **state)
{
	struct ops *ops = *state;
	struct statx mine, want;

	close(ops_create(ops, "file", "12345"));
	memset(&mine, 0, sizeof(mine));
	memset(&want, 0, sizeof(want));
	assert_int_equal(statx(ops->dir, "file", 0, STATX_ALL, &want), 0);
	assert_int_equal(ops_run(&ops->ring, statx, ops->dir, "file", 0, STATX_ALL, &mine), 0);
	assert_memory_equal(&mine, &want, sizeof(mine));
}

static void statx_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct statx status;
	void *bad = ops_bad_address();
	int dir = ops->dir;

	close(ops_create(ops, "file", "12345"));
	assert_int_equal(ops_run(ring, statx, dir, "none", 0, STATX_ALL, &status), -ENOENT);
	assert_int_equal(ops_run(ring, statx, dir, "", 0, STATX_ALL, &status), -ENOENT);
	assert_int_equal(ops_run(ring, statx, -1, "file", 0, STATX_ALL, &status), -EBADF);
	assert_int_equal(ops_run(ring, statx, dir, "file", 0x40000000, STATX_ALL, &status),
			 -EINVAL);
	assert_int_equal(ops_run(ring, statx, dir, "file", AT_STATX_SYNC_TYPE, STATX_ALL, &status),
			 -EINVAL);
	assert_int_equal(ops_run(ring, statx, dir, "file", 0, 1u << 31, &status), -EINVAL);
	assert_int_equal(ops_run(ring, statx, dir, bad, 0, STATX_ALL, &status), -EFAULT);
	assert_int_equal(ops_run(ring, statx, dir, NULL, 0, STATX_ALL, &status), -EFAULT);
	assert_int_equal(ops_run(ring, statx, dir, "file", 0, STATX_ALL, bad), -EFAULT);
	assert_int_equal(ops_run(ring, statx, dir, "file", 0, STATX_ALL, NULL), -EFAULT);
}

static void renameat_moves(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int sub;

	close(ops_create(ops, "a", "A"));
	assert_int_equal(mkdirat(ops->dir, "sub", 0700), 0);
	sub = openat(ops->dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ops_run(ring, renameat, ops->dir, "a", sub, "b", 0), 0);
	assert_false(ops_exists(ops, "a"));
	assert_true(ops_exists(ops, "sub/b"));
	close(sub);
}

static void renameat_flags_act(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	struct stat status;

	close(ops_create(ops, "a", "A"));
	close(ops_create(ops, "b", "BB"));
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, "b", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, "b", RENAME_EXCHANGE), 0);
	assert_int_equal(fstatat(dir, "a", &status, 0), 0);
	assert_int_equal(status.st_size, 2);
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, "b", 0), 0);
	assert_int_equal(fstatat(dir, "b", &status, 0), 0);
	assert_int_equal(status.st_size, 2);
	assert_int_equal(ops_run(ring, renameat, dir, "b", dir, "c", 1u << 20), -EINVAL);
	assert_int_equal(
		ops_run(ring, renameat, dir, "b", dir, "c", RENAME_NOREPLACE | RENAME_EXCHANGE),
		-EINVAL);
}

static void renameat_answers_as_the_system_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	void *bad = ops_bad_address();
	int dir = ops->dir;

	close(ops_create(ops, "a", "A"));
	assert_int_equal(mkdirat(dir, "d", 0700), 0);
	assert_int_equal(ops_run(ring, renameat, dir, "none", dir, "b", 0), -ENOENT);
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, "none/b", 0), -ENOENT);
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, "d", 0), -EISDIR);
	assert_int_equal(ops_run(ring, renameat, dir, "d", dir, "a", 0), -ENOTDIR);
	assert_int_equal(ops_run(ring, renameat, dir, "d", dir, "d/e", 0), -EINVAL);
	assert_int_equal(ops_run(ring, renameat, -1, "a", dir, "b", 0), -EBADF);
	assert_int_equal(ops_run(ring, renameat, dir, "a", -1, "b", 0), -EBADF);
	assert_int_equal(ops_run(ring, renameat, dir, bad, dir, "b", 0), -EFAULT);
	assert_int_equal(ops_run(ring, renameat, dir, "a", dir, bad, 0), -EFAULT);
	assert_int_equal(ops_run(ring, renameat, dir, NULL, dir, "b", 0), -EFAULT);
	assert_true(ops_exists(ops, "a"));
}

static void unlinkat_removes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;

	close(ops_create(ops, "a", "A"));
	assert_int_equal(mkdirat(dir, "d", 0700), 0);
	assert_int_equal(ops_run(ring, unlinkat, dir, "d", 0), -EISDIR);
	assert_int_equal(ops_run(ring, unlinkat, dir, "a", AT_REMOVEDIR), -ENOTDIR);
	close(ops_create(ops, "d/x", ""));
	assert_int_equal(ops_run(ring, unlinkat, dir, "d", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(ops_run(ring, unlinkat, dir, "d/x", 0), 0);
	assert_int_equal(ops_run(ring, unlinkat, dir, "d", AT_REMOVEDIR), 0);
	assert_int_equal(ops_run(ring, unlinkat, dir, "a", 0), 0);
	assert_false(ops_exists(ops, "a"));
	assert_false(ops_exists(ops, "d"));
	assert_int_equal(ops_run(ring, unlinkat, dir, "a", 0), -ENOENT);
	assert_int_equal(ops_run(ring, unlinkat, dir, "a", AT_SYMLINK_NOFOLLOW), -EINVAL);
	assert_int_equal(ops_run(ring, unlinkat, -1, "a", 0), -EBADF);
	assert_int_equal(ops_run(ring, unlinkat, dir, NULL, 0), -EFAULT);
	assert_int_equal(ops_run(ring, unlinkat, dir, ops_bad_address(), 0), -EFAULT);
}

static void mkdirat_makes_directories(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	mode_t mask = umask(027);
	struct stat status;

	assert_int_equal(ops_run(ring, mkdirat, dir, "d", 0777), 0);
	umask(mask);
	assert_int_equal(fstatat(dir, "d", &status, 0), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0750);
	assert_int_equal(ops_run(ring, mkdirat, dir, "d", 0777), -EEXIST);
	assert_int_equal(ops_run(ring, mkdirat, dir, "none/d", 0777), -ENOENT);
	assert_int_equal(ops_run(ring, mkdirat, dir, "", 0777), -ENOENT);
	assert_int_equal(ops_run(ring, mkdirat, -1, "e", 0777), -EBADF);
	assert_int_equal(ops_run(ring, mkdirat, dir, NULL, 0777), -EFAULT);
	assert_int_equal(ops_run(ring, mkdirat, dir, ops_bad_address(), 0777), -EFAULT);
}

static void symlinkat_makes_symbolic_links(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	char target[16] = "";

	assert_int_equal(ops_run(ring, symlinkat, "anywhere", dir, "link"), 0);
	assert_int_equal(readlinkat(dir, "link", target, sizeof(target)), 8);
	assert_string_equal(target, "anywhere");
	assert_int_equal(ops_run(ring, symlinkat, "anywhere", dir, "link"), -EEXIST);
	assert_int_equal(ops_run(ring, symlinkat, "", dir, "empty"), -ENOENT);
	assert_int_equal(ops_run(ring, symlinkat, "anywhere", dir, ""), -ENOENT);
	assert_int_equal(ops_run(ring, symlinkat, "anywhere", -1, "other"), -EBADF);
	assert_int_equal(ops_run(ring, symlinkat, NULL, dir, "other"), -EFAULT);
	assert_int_equal(ops_run(ring, symlinkat, "anywhere", dir, NULL), -EFAULT);
	assert_int_equal(ops_run(ring, symlinkat, ops_bad_address(), dir, "other"), -EFAULT);
	assert_int_equal(ops_run(ring, symlinkat, "anywhere", dir, ops_bad_address()), -EFAULT);
}

static void linkat_makes_hard_links(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	int fd = ops_create(ops, "a", "A");
	struct stat status;

	assert_int_equal(symlinkat("a", dir, "link"), 0);
	assert_int_equal(ops_run(ring, linkat, dir, "a", dir, "b", 0), 0);
	assert_int_equal(ops_run(ring, linkat, dir, "link", dir, "c", 0), 0);
	assert_int_equal(fstatat(dir, "c", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(ops_run(ring, linkat, dir, "link", dir, "d", AT_SYMLINK_FOLLOW), 0);
	assert_int_equal(fstatat(dir, "d", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(ops_run(ring, linkat, fd, "", dir, "e", AT_EMPTY_PATH), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_nlink, 4);
	close(fd);
}

static void linkat_answers_as_the_system_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	void *bad = ops_bad_address();

	close(ops_create(ops, "a", "A"));
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	assert_int_equal(ops_run(ring, linkat, dir, "a", dir, "a", 0), -EEXIST);
	assert_int_equal(ops_run(ring, linkat, dir, "none", dir, "b", 0), -ENOENT);
	assert_int_equal(ops_run(ring, linkat, dir, "sub", dir, "b", 0), -EPERM);
	assert_int_equal(ops_run(ring, linkat, dir, "a", dir, "b", 1 << 20), -EINVAL);
	assert_int_equal(ops_run(ring, linkat, dir, "", dir, "b", 0), -ENOENT);
	assert_int_equal(ops_run(ring, linkat, -1, "a", dir, "b", 0), -EBADF);
	assert_int_equal(ops_run(ring, linkat, dir, "a", -1, "b", 0), -EBADF);
	assert_int_equal(ops_run(ring, linkat, dir, bad, dir, "b", 0), -EFAULT);
	assert_int_equal(ops_run(ring, linkat, dir, "a", dir, bad, 0), -EFAULT);
	assert_int_equal(ops_run(ring, linkat, dir, NULL, dir, "b", 0), -EFAULT);
	assert_false(ops_exists(ops, "b"));
}

/* These take directory descriptors, which cannot be registered ones. */
static void fixed_files_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned fixed = IOSQE_FIXED_FILE;
	struct statx status;

	close(ops_create(ops, "a", "A"));
	assert_int_equal(io_uring_register_files(ring, &ops->dir, 1), 0);
	assert_int_equal(ops_run_flags(ring, fixed, statx, 0, "a", 0, STATX_ALL, &status), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, renameat, 0, "a", 0, "b", 0), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, unlinkat, 0, "a", 0), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, mkdirat, 0, "d", 0700), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, symlinkat, "a", 0, "s"), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, linkat, 0, "a", 0, "l", 0), -EBADF);
}

/* A tree is built by one chain: each member needs the one before. */
static void a_chain_builds_and_removes_a_tree(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	struct statx status;
	int results[7];

	close(ops_create(ops, "file", "12345"));
	ops_prep(ring, 0, IOSQE_IO_LINK, mkdirat, dir, "d", 0700);
	ops_prep(ring, 1, IOSQE_IO_LINK, renameat, dir, "file", dir, "d/moved", 0);
	ops_prep(ring, 2, IOSQE_IO_LINK, symlinkat, "moved", dir, "d/link");
	ops_prep(ring, 3, IOSQE_IO_LINK, statx, dir, "d/link", 0, STATX_SIZE, &status);
	ops_prep(ring, 4, IOSQE_IO_LINK, unlinkat, dir, "d/link", 0);
	ops_prep(ring, 5, IOSQE_IO_LINK, unlinkat, dir, "d/moved", 0);
	ops_prep(ring, 6, 0, unlinkat, dir, "d", AT_REMOVEDIR);
	harness_submit(ring, 7);
	ops_collect(ring, results, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(results[i], 0);
	assert_int_equal(status.stx_size, 5);
	assert_false(ops_exists(ops, "d"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(statx_finds_the_file),
		ops_dir_test(statx_fills_in_what_the_system_call_does),
		ops_dir_test(statx_arguments_are_checked),
		ops_dir_test(renameat_moves),
		ops_dir_test(renameat_flags_act),
		ops_dir_test(renameat_answers_as_the_system_call),
		ops_dir_test(unlinkat_removes),
		ops_dir_test(mkdirat_makes_directories),
		ops_dir_test(symlinkat_makes_symbolic_links),
		ops_dir_test(linkat_makes_hard_links),
		ops_dir_test(linkat_answers_as_the_system_call),
		ops_dir_test(fixed_files_are_refused),
		ops_dir_test(a_chain_builds_and_removes_a_tree),
	};

	return harness_run(tests);
}
