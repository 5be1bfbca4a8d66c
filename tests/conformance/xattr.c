/* SPDX-License-Identifier: MIT */
/*
 * Description: FSETXATTR, SETXATTR, FGETXATTR and GETXATTR, with attributes of the "user." kind.
 */
#include "ops_helpers.h"

#include <linux/limits.h>
#include <sys/xattr.h>

/* A file with one attribute, "user.one" = "1", reached by descriptor and by path. */
struct subject {
	int fd;
	char path[PATH_MAX + 8];
};

static void make_subject(struct ops *ops, struct subject *subject)
{
	subject->fd = ops_create(ops, "file", "data");
	snprintf(subject->path, sizeof(subject->path), "%s/file", ops->path);
	if (fsetxattr(subject->fd, "user.one", "1", 1, 0) && errno == EOPNOTSUPP) {
		close(subject->fd);
		skip(); /* a file system without user attributes */
	}
}

static int set_by(struct io_uring *ring, const struct subject *subject, bool by_path,
		  const char *name, const void *value, unsigned size, int flags)
{
	if (by_path)
		return ops_run(ring, setxattr, name, value, subject->path, flags, size);
	return ops_run(ring, fsetxattr, subject->fd, name, value, flags, size);
}

static int get_by(struct io_uring *ring, const struct subject *subject, bool by_path,
		  const char *name, void *value, unsigned size)
{
	if (by_path)
		return ops_run(ring, getxattr, name, value, subject->path, size);
	return ops_run(ring, fgetxattr, subject->fd, name, value, size);
}

static void check_set_and_get(struct ops *ops, bool by_path)
{
	struct io_uring *ring = &ops->ring;
	struct subject subject;
	char value[64];

	make_subject(ops, &subject);
	assert_int_equal(set_by(ring, &subject, by_path, "user.two", "second", 6, 0), 0);
	assert_int_equal(fgetxattr(subject.fd, "user.two", value, sizeof(value)), 6);
	assert_memory_equal(value, "second", 6);

	memset(value, 0, sizeof(value));
	assert_int_equal(get_by(ring, &subject, by_path, "user.two", value, sizeof(value)), 6);
	assert_memory_equal(value, "second\0", 7);
	/* Size 0 asks how long it is. */
	assert_int_equal(get_by(ring, &subject, by_path, "user.two", NULL, 0), 6);
	assert_int_equal(get_by(ring, &subject, by_path, "user.two", value, 5), -ERANGE);

	/* An attribute may be empty. */
	assert_int_equal(set_by(ring, &subject, by_path, "user.none", NULL, 0, 0), 0);
	assert_int_equal(get_by(ring, &subject, by_path, "user.none", value, 64), 0);
	close(subject.fd);
}

static void set_and_get_by_descriptor(void **state)
{
	check_set_and_get(*state, false);
}

static void set_and_get_by_path(void **state)
{
	check_set_and_get(*state, true);
}

static void check_flags(struct ops *ops, bool by_path)
{
	struct io_uring *ring = &ops->ring;
	struct subject subject;

	make_subject(ops, &subject);
	assert_int_equal(set_by(ring, &subject, by_path, "user.one", "x", 1, XATTR_CREATE),
			 -EEXIST);
	assert_int_equal(set_by(ring, &subject, by_path, "user.new", "x", 1, XATTR_REPLACE),
			 -ENODATA);
	assert_int_equal(set_by(ring, &subject, by_path, "user.new", "x", 1, XATTR_CREATE), 0);
	assert_int_equal(set_by(ring, &subject, by_path, "user.new", "yy", 2, XATTR_REPLACE), 0);
	for (unsigned bit = 2; bit < 32; bit++)
		assert_int_equal(
			set_by(ring, &subject, by_path, "user.new", "x", 1, (int)(1u << bit)),
			-EINVAL);
	close(subject.fd);
}

static void create_and_replace_by_descriptor(void **state)
{
	check_flags(*state, false);
}

static void create_and_replace_by_path(void **state)
{
	check_flags(*state, true);
}

static void check_errors(struct ops *ops, bool by_path)
{
	struct io_uring *ring = &ops->ring;
	struct subject subject;
	char longest[XATTR_NAME_MAX + 2];
	void *bad = ops_bad_address();
	char value[64] = "";

	make_subject(ops, &subject);
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "user.", 5);
	longest[sizeof(longest) - 1] = '\0';

	assert_int_equal(get_by(ring, &subject, by_path, "user.absent", value, 64), -ENODATA);
	assert_int_equal(get_by(ring, &subject, by_path, "nothing.of.it", value, 64), -EOPNOTSUPP);
	assert_int_equal(set_by(ring, &subject, by_path, "nothing.of.it", value, 1, 0),
			 -EOPNOTSUPP);
	assert_int_equal(get_by(ring, &subject, by_path, "", value, 64), -ERANGE);
	assert_int_equal(set_by(ring, &subject, by_path, "", value, 1, 0), -ERANGE);
	assert_int_equal(get_by(ring, &subject, by_path, longest, value, 64), -ERANGE);
	assert_int_equal(set_by(ring, &subject, by_path, longest, value, 1, 0), -ERANGE);
	assert_int_equal(set_by(ring, &subject, by_path, "user.x", value, XATTR_SIZE_MAX + 1, 0),
			 -E2BIG);

	assert_int_equal(get_by(ring, &subject, by_path, NULL, value, 64), -EFAULT);
	assert_int_equal(get_by(ring, &subject, by_path, bad, value, 64), -EFAULT);
	assert_int_equal(get_by(ring, &subject, by_path, "user.one", bad, 64), -EFAULT);
	assert_int_equal(set_by(ring, &subject, by_path, NULL, value, 1, 0), -EFAULT);
	assert_int_equal(set_by(ring, &subject, by_path, bad, value, 1, 0), -EFAULT);
	assert_int_equal(set_by(ring, &subject, by_path, "user.x", bad, 8, 0), -EFAULT);
	assert_int_equal(set_by(ring, &subject, by_path, "user.x", NULL, 8, 0), -EFAULT);
	close(subject.fd);
}

static void errors_by_descriptor(void **state)
{
	check_errors(*state, false);
}

static void errors_by_path(void **state)
{
	check_errors(*state, true);
}

static void bad_files_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct subject subject;
	char value[8];
	void *bad = ops_bad_address();
	int path;

	make_subject(ops, &subject);
	path = open(subject.path, O_PATH | O_CLOEXEC);
	assert_int_equal(ops_run(ring, fgetxattr, -1, "user.one", value, 8), -EBADF);
	assert_int_equal(ops_run(ring, fsetxattr, -1, "user.one", "x", 0, 1), -EBADF);
	assert_int_equal(ops_run(ring, fgetxattr, path, "user.one", value, 8), -EBADF);
	assert_int_equal(ops_run(ring, getxattr, "user.one", value, "/none/such", 8), -ENOENT);
	assert_int_equal(ops_run(ring, setxattr, "user.one", "x", "/none/such", 0, 1), -ENOENT);
	assert_int_equal(ops_run(ring, getxattr, "user.one", value, "", 8), -ENOENT);
	assert_int_equal(ops_run(ring, getxattr, "user.one", value, NULL, 8), -EFAULT);
	assert_int_equal(ops_run(ring, getxattr, "user.one", value, bad, 8), -EFAULT);
	assert_int_equal(ops_run(ring, setxattr, "user.one", "x", bad, 0, 1), -EFAULT);
	close(path);
	close(subject.fd);
}

/* By path the last symbolic link is followed, and a relative path begins where we are. */
static void paths_are_walked_as_by_the_system_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct subject subject;
	int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char value[8];
	int by_link, relative;

	make_subject(ops, &subject);
	assert_int_equal(symlinkat("file", ops->dir, "link"), 0);
	assert_int_equal(fchdir(ops->dir), 0);
	by_link = ops_run(ring, getxattr, "user.one", value, "link", 8);
	relative = ops_run_flags(ring, IOSQE_ASYNC, getxattr, "user.one", value, "file", 8);
	assert_int_equal(fchdir(home), 0);
	assert_int_equal(by_link, 1);
	assert_int_equal(relative, 1);
	close(home);
	close(subject.fd);
}

static void registered_files_work_by_descriptor_only(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct subject subject;
	char value[8];
	unsigned fixed = IOSQE_FIXED_FILE;

	make_subject(ops, &subject);
	assert_int_equal(io_uring_register_files(ring, &subject.fd, 1), 0);
	assert_int_equal(ops_run_flags(ring, fixed, fgetxattr, 0, "user.one", value, 8), 1);
	assert_int_equal(ops_run_flags(ring, fixed, fsetxattr, 0, "user.two", "xy", 0, 2), 0);
	assert_int_equal(ops_run_flags(ring, fixed, getxattr, "user.one", value, subject.path, 8),
			 -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, setxattr, "user.one", "x", subject.path, 0, 1),
			 -EBADF);
	close(subject.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(set_and_get_by_descriptor),
		ops_dir_test(set_and_get_by_path),
		ops_dir_test(create_and_replace_by_descriptor),
		ops_dir_test(create_and_replace_by_path),
		ops_dir_test(errors_by_descriptor),
		ops_dir_test(errors_by_path),
		ops_dir_test(bad_files_are_refused),
		ops_dir_test(paths_are_walked_as_by_the_system_call),
		ops_dir_test(registered_files_work_by_descriptor_only),
	};

	return harness_run(tests);
}
