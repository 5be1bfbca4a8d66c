/* SPDX-License-Identifier: MIT */
/*
 * Description: which unsuccessful operations count as failed. Each operation marks its own request,
 * and many never do: their error stands in the completion, but a soft link goes on behind them, and
 * with CQE_SKIP_SUCCESS not even the completion is posted.
 */
#include "rsrc_helpers.h"

#define MISSING "/nonexistent/name"

static struct io_uring ring;
static int file;      /* 100 bytes, open for reading and writing */
static int read_only; /* the same file, open for reading */
static int pipe_fds[2];
static char data[200];
static struct statx status;
static struct iovec unreadable = {RSRC_BAD_POINTER, 10};

static int setup(void **state)
{
	char path[64];

	(void)state;
	harness_init(&ring, 8, 0);
	harness_pipe(pipe_fds);
	file = harness_temp_file(100);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	return read_only < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(file);
	close(read_only);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
	return 0;
}

#define PREPARE(name, call, ...)                                                                   \
	static void name(struct io_uring_sqe *sqe)                                                 \
	{                                                                                          \
		io_uring_prep_##call(sqe, __VA_ARGS__);                                            \
	}

PREPARE(read_closed, read, -1, data, 1, 0)
PREPARE(read_end, read, file, data, 10, 100)
PREPARE(read_nothing, read, file, data, 0, 0)
PREPARE(read_short, read, file, data, 100, 50)
PREPARE(read_full, read, file, data, 100, 0)
PREPARE(readv_fault, readv, file, &unreadable, 1, 0)
PREPARE(write_closed, write, -1, data, 1, 0)
PREPARE(write_read_only, write, read_only, data, 1, 0)
PREPARE(splice_files, splice, file, 0, file, 0, 1, 0)
PREPARE(tee_files, tee, file, file, 1, 0)
PREPARE(open_missing, openat, AT_FDCWD, MISSING, O_RDONLY, 0)
PREPARE(open_no_table, openat_direct, AT_FDCWD, "/dev/null", O_RDONLY, 0, 0)
PREPARE(close_closed, close, 99999)
PREPARE(close_no_table, close_direct, 1)
PREPARE(update_no_table, files_update, &file, 1, 0)
PREPARE(cancel_unknown, cancel64, 77, 0)
PREPARE(advise_unknown, fadvise, file, 0, 1, 99)
PREPARE(advise_pipe, fadvise, pipe_fds[0], 0, 1, 0)

PREPARE(fsync_pipe, fsync, pipe_fds[0], 0)
PREPARE(fsync_closed, fsync, -1, 0)
PREPARE(sync_range_pipe, sync_file_range, pipe_fds[0], 1, 0, 0)
PREPARE(fallocate_pipe, fallocate, pipe_fds[1], 0, 0, 1)
PREPARE(truncate_pipe, ftruncate, pipe_fds[1], 0)
PREPARE(truncate_read_only, ftruncate, read_only, 0)
PREPARE(madvise_unknown, madvise, data, 1, 9999)
PREPARE(statx_missing, statx, AT_FDCWD, MISSING, 0, 0, &status)
PREPARE(rename_missing, renameat, AT_FDCWD, MISSING, AT_FDCWD, MISSING, 0)
PREPARE(unlink_missing, unlinkat, AT_FDCWD, MISSING, 0)
PREPARE(mkdir_missing, mkdirat, AT_FDCWD, MISSING, 0700)
PREPARE(symlink_missing, symlinkat, "x", AT_FDCWD, MISSING)
PREPARE(link_missing, linkat, AT_FDCWD, MISSING, AT_FDCWD, MISSING, 0)
PREPARE(fgetxattr_missing, fgetxattr, file, "user.none", data, 10)
PREPARE(getxattr_missing, getxattr, "user.none", data, MISSING, 10)
PREPARE(setxattr_missing, setxattr, "user.none", data, MISSING, 0, 10)

static void nop_error(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	sqe->nop_flags = IORING_NOP_INJECT_RESULT;
	sqe->len = (unsigned)-EIO;
}

static void nop_positive(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	sqe->nop_flags = IORING_NOP_INJECT_RESULT;
	sqe->len = 5;
}

struct operation {
	void (*prepare)(struct io_uring_sqe *sqe);
	int result;
	const char *name;
};

#define OP(name, result)                                                                           \
	{                                                                                          \
		name, result, #name                                                                \
	}

static const struct operation failing[] = {
	OP(nop_error, -EIO),
	OP(read_closed, -EBADF),
	OP(read_end, 0),
	OP(read_short, 50),
	OP(readv_fault, -EFAULT),
	OP(write_closed, -EBADF),
	OP(write_read_only, -EBADF),
	OP(splice_files, -EINVAL),
	OP(tee_files, -EINVAL),
	OP(open_missing, -ENOENT),
	OP(open_no_table, -ENXIO),
	OP(close_closed, -EBADF),
	OP(close_no_table, -ENXIO),
	OP(update_no_table, -ENXIO),
	OP(cancel_unknown, -ENOENT),
	OP(advise_unknown, -EINVAL),
	OP(advise_pipe, -ESPIPE),
	/* The file is looked up before the operation has its say. */
	OP(fsync_closed, -EBADF),
};

static const struct operation passing[] = {
	OP(nop_positive, 5),
	OP(read_nothing, 0),
	OP(read_full, 100),
	OP(fsync_pipe, -EINVAL),
	OP(sync_range_pipe, -ESPIPE),
	OP(fallocate_pipe, -ESPIPE),
	OP(truncate_pipe, -EINVAL),
	OP(truncate_read_only, -EINVAL),
	OP(madvise_unknown, -EINVAL),
	OP(statx_missing, -ENOENT),
	OP(rename_missing, -ENOENT),
	OP(unlink_missing, -ENOENT),
	OP(mkdir_missing, -ENOENT),
	OP(symlink_missing, -ENOENT),
	OP(link_missing, -ENOENT),
	OP(fgetxattr_missing, -ENODATA),
	OP(getxattr_missing, -ENOENT),
	OP(setxattr_missing, -ENOENT),
};

/* Submit the operation with these flags, which link it to a nop. Operation is 1, nop is 2. */
static void submit(const struct operation *operation, unsigned flags)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	operation->prepare(sqe);
	sqe->flags |= (uint8_t)flags;
	sqe->user_data = 1;
	harness_nop(&ring, 2);
	harness_submit(&ring, 2);
}

static void check_soft_link(const struct operation *operation, int nop_result)
{
	struct harness_cqe cqes[2];

	submit(operation, IOSQE_IO_LINK);
	harness_reap(&ring, cqes, 2);
	if (cqes[0].res != operation->result || cqes[1].res != nop_result)
		print_error("%s\n", operation->name);
	harness_assert_cqe(cqes[0], 1, operation->result);
	harness_assert_cqe(cqes[1], 2, nop_result);
}

/* Behind a hard link the nop runs anyway, and says that the operation is over. */
static void check_silence(const struct operation *operation, bool silent)
{
	struct harness_cqe cqe;

	submit(operation, IOSQE_IO_HARDLINK | IOSQE_CQE_SKIP_SUCCESS);
	cqe = harness_next(&ring);
	if ((cqe.user_data == 2) != silent)
		print_error("%s\n", operation->name);
	if (!silent) {
		harness_assert_cqe(cqe, 1, operation->result);
		cqe = harness_next(&ring);
	}
	harness_assert_cqe(cqe, 2, 0);
	harness_assert_empty(&ring);
}

static void failing_operations_break_a_soft_link(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(failing); i++)
		check_soft_link(&failing[i], -ECANCELED);
}

static void passing_operations_do_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(passing); i++)
		check_soft_link(&passing[i], 0);
}

static void failing_operations_are_never_silent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(failing); i++)
		check_silence(&failing[i], false);
}

static void passing_operations_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(passing); i++)
		check_silence(&passing[i], true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(failing_operations_break_a_soft_link),
		TEST(passing_operations_do_not),
		TEST(failing_operations_are_never_silent),
		TEST(passing_operations_are),
	};

	return harness_run(tests);
}
